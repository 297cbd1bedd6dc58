"""What a fit shows its callbacks, and when it calls them."""

import time
import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from .backends.interface import Samples
from .optimizers import CONSTANTS, make_optimizer
from .parameters import check_integer
from .targets import kind_of

Measured = tuple[Samples, NDArray, Any]


class Epoch:
    """What a callback sees after an epoch; what takes time to compute is computed when asked for.

    Attributes
    ----------
    model : estimator
        Usable as after the fit. Its `params_` may be changed in place, and a new
        `learning_rate_init`, `alpha` or constant of the solver holds from the next epoch on.
    number : int
        Epochs trained, over all fits of the model.
    loss : float
        Mean loss of the epoch's samples, each taken before the update of its batch.
    seconds : float
        Since the fit began.
    training_data : (X, y)
        As they were given to `fit`.
    accuracy : float
        On the training samples, without dropout (for a regression the score R^2, NaN if the
        training has diverged).
    val_loss, val_accuracy : float
        The same on `validation_data`; ValueError if `fit` had none.
    """

    def __init__(self, model: Any, number: int, seconds: float, data: "FitData"):
        self.model, self.number, self.seconds = model, number, seconds
        self.loss: float = model.loss_
        self.training_data = data.given
        self._data = data

    @property
    def accuracy(self) -> float:
        """See above."""
        return self._score(self._data.training, self._on_training)

    @property
    def val_accuracy(self) -> float:
        """See above."""
        return self._score(self._validation, self._on_validation)

    @property
    def val_loss(self) -> float:
        """See above."""
        return self._on_validation[0]

    @property
    def _validation(self) -> Measured:
        if self._data.validation is None:
            raise ValueError("validation_data: a callback asks for it; pass (X, y) to fit")
        return self._data.validation

    @cached_property
    def _on_training(self) -> tuple[float, float]:
        return self._evaluate(self._data.training)

    @cached_property
    def _on_validation(self) -> tuple[float, float]:
        return self._evaluate(self._validation)

    def _evaluate(self, data: Measured) -> tuple[float, float]:
        return self.model._loss_and_right(data[0], self._data.kernels)

    def _score(self, data: Measured, evaluated: tuple[float, float]) -> float:
        samples, y, weights = data
        kind = kind_of(self.model)
        return kind.score(self.model, samples, y, weights, evaluated[1], self._data.kernels)


# Parameters that a callback may change: they hold from the next epoch on.
CHANGEABLE = ("learning_rate_init", *CONSTANTS, "max_norm")


class FitData:
    """What a fit's callbacks may measure on, checked once.

    Attributes
    ----------
    given : (X, y) as the user gave them
    training, validation : (samples, y, weights), as kernels and score take them; None: not given
    kernels : the back end of the fit
    """

    def __init__(
        self,
        given: tuple,
        training: Measured,
        validation: Measured | None,
        kernels: Any,
    ):
        self.given, self.training, self.validation = given, training, validation
        self.kernels = kernels


class Observer:
    """Calls the callbacks of a fit, and says how many epochs may pass until the next is due."""

    reason = "callback"  # of a stop

    def __init__(self, model: Any, callbacks: list[Any], data: FitData):
        self._model, self._callbacks, self._data = model, callbacks, data
        self._names = type(model)._get_param_names() if self._callbacks else []
        self._parameters = self._parameters_now()
        self._begin = time.perf_counter()

    def begin(self) -> None:
        """Tell the callbacks that a fit begins: after the model is set up, before an epoch."""
        for callback in self._callbacks:
            if hasattr(callback, "on_fit_begin"):
                callback.on_fit_begin(self._model)

    def epochs_left(self, epoch: int) -> int:
        """Return the number of epochs until a callback is due."""
        everys = [getattr(callback, "every", 1) for callback in self._callbacks]
        return min((every - epoch % every for every in everys), default=2**31)

    def after(self, task: Any) -> bool:
        """Call who is due, the model being up to date; return whether one says stop."""
        number = task.state.epoch
        due = [c for c in self._callbacks if number % getattr(c, "every", 1) == 0]
        if not due:
            return False
        epoch = Epoch(self._model, number, time.perf_counter() - self._begin, self._data)
        answers = [callback.on_epoch_end(epoch) for callback in due]  # all, also after a stop
        self._take_over_changes(task)
        return any(answers)

    def end(self) -> None:
        """Tell the callbacks that the fit has ended: all of them, even if one raises."""
        with ExitStack() as stack:
            for callback in reversed(self._callbacks):  # called in the order given
                if hasattr(callback, "on_fit_end"):
                    stack.callback(callback.on_fit_end, self._model)

    def _parameters_now(self) -> dict[str, Any]:
        own = vars(self._model)
        return {name: own[name] for name in self._names}

    def _take_over_changes(self, task: Any) -> None:
        """Train on with the solver's numbers that a callback has changed; warn of other changes."""
        now = self._parameters_now()
        changed = [name for name in now if now[name] is not self._parameters[name]]
        if not changed:
            return
        self._parameters = now
        if vain := [name for name in changed if name not in CHANGEABLE]:
            warnings.warn(
                f"a callback has changed {', '.join(vain)}: it has no effect before the next fit; "
                f"only {', '.join(CHANGEABLE)} can change within one",
                stacklevel=2,
            )
        dtype, kind = task.state.params.dtype, task.optimizer.kind
        task.optimizer, task.learning_rate = make_optimizer(now, dtype, kind)


def check_callbacks(callbacks: Iterable[Any]) -> list[Any]:
    """Return the callbacks as a list; ValueError if one is none."""
    if not isinstance(callbacks, Iterable):
        raise ValueError(f"callbacks={callbacks!r}: expected a sequence of callbacks")
    callbacks = list(callbacks)
    for callback in callbacks:
        if isinstance(callback, type) or not callable(getattr(callback, "on_epoch_end", None)):
            raise ValueError(f"callbacks: {callback!r} has no method on_epoch_end")
        check_integer("callbacks: every", getattr(callback, "every", 1), 1)
    return callbacks
