"""What a fit calls of a callback, whichever names its methods have."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from .parameters import check_integer


class Hooks:
    """A callback of a fit with all the methods that it may have; see `fastnn.callbacks`.

    Raises
    ------
    ValueError
        If it is no callback.
    """

    def __init__(self, callback: Any):
        on_epoch_end = getattr(callback, "on_epoch_end", None)
        if isinstance(callback, type) or not (callable(on_epoch_end) or callable(callback)):
            raise ValueError(f"callbacks: {callback!r} has no method on_epoch_end")
        self._callback = callback
        self.on_epoch_end = on_epoch_end or _check_function(callback)
        self.on_fit_begin = _method(callback, "on_fit_begin", "on_train_begin")
        self.on_epoch_begin = _method(callback, "on_epoch_begin")
        self.on_fit_end = _method(callback, "on_fit_end", "on_train_end")
        check_integer("callbacks: every", self.every, 1)

    @property
    def every(self) -> int:
        """After how many epochs it is called each time."""
        return getattr(self._callback, "every", 1)

    @property
    def needs_validation(self) -> bool:
        """Whether it asks for measures on validation data."""
        return getattr(self._callback, "needs_validation", False)

    @property
    def reason(self) -> str:
        """What a fit that it stops has as its `stop_reason_`."""
        return getattr(self._callback, "_stop_reason", "callback")

    @property
    def restores(self) -> tuple[str, ...]:
        """The hyper-parameters that it changes within a fit only."""
        return getattr(self._callback, "restores", ())


def check_callbacks(callbacks: Iterable[Any]) -> list[Hooks]:
    """Return what to call of each callback; ValueError if one is none."""
    if not isinstance(callbacks, Iterable):
        raise ValueError(f"callbacks={callbacks!r}: expected a sequence of callbacks")
    return [Hooks(callback) for callback in callbacks]


def _method(callback: Any, *names: str) -> Callable[[Any], Any]:
    """Return the first method that there is; one that does nothing if there is none."""
    return next((getattr(callback, n) for n in names if hasattr(callback, n)), lambda model: None)


def _check_function(function: Callable) -> Callable:
    try:
        inspect.signature(function).bind(None)
    except TypeError:
        raise ValueError(
            f"callbacks: {function!r} has no method on_epoch_end, nor is it a function of one "
            "argument, the epoch"
        ) from None
    except ValueError:  # one of C that does not say what it takes
        return function
    return function
