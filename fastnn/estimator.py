"""What all estimators share beyond scikit-learn's base class."""

import inspect
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, TypeVar, cast

from sklearn.base import BaseEstimator

from . import backends
from .parameters import did_you_mean
from .persistence import save
from .summary import summary_of

M = TypeVar("M", bound=Callable)


def named_parameters(init: M) -> M:
    """Make `__init__` say of a parameter that there is not which was meant, and of which class."""
    known = inspect.signature(init).parameters

    @wraps(init)
    def checked(self: Any, *args: Any, **parameters: Any) -> None:
        for name in parameters.keys() - known.keys():
            text = f"{type(self).__name__}: there is no parameter {name!r}"
            hint = did_you_mean(name, known)
            raise TypeError(f"{text}; {hint}" if hint else text)
        init(self, *args, **parameters)

    return cast(M, checked)


class Estimator(BaseEstimator):
    """An estimator that tells the worker process it is sent to which back end to use."""

    @classmethod
    @cache  # scikit-learn inspects the signature whenever it copies, sets or asks for a parameter
    def _get_param_names(cls):
        return super()._get_param_names()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_sent_from": backends.message()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        backends.receive(state.pop("_sent_from", ""))
        if not state.keys() >= set(self._get_param_names()):  # of an earlier version
            state = type(self)().get_params(deep=False) | state
        super().__setstate__(state)

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print a table of the layers: shapes, activation, dropout and parameters.

        Parameters
        ----------
        print_fn : callable, default print
            Gets the text.

        Raises
        ------
        NotFittedError
            Before `fit`: the data say how many inputs and outputs there are.
        """
        print_fn(summary_of(self))

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator, with all that further training needs: see `fastnn.load`."""
        save(self, path)
