"""What a fit shows its callbacks, and when it calls them."""

import time
import warnings
from contextlib import ExitStack
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.interface import Samples, State
from .hooks import Hooks
from .optimizers import CONSTANTS, make_optimizer
from .state import commit, draft_of
from .streams.windows import Stream
from .training import LossCurve

# Samples, y and weights, as kernels and score take them; of a stream the first says all.
Measured = tuple[Samples | Stream, Any, Any]


NO_VALIDATION = "validation_data: a callback asks for it; pass (X, y) to fit"


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
    accuracy, score : float
        On the training samples, without dropout (for a regression the score R^2, NaN if the
        training has diverged).
    val_loss, val_accuracy, val_score : float
        The same on `validation_data`, as the epoch left the model; ValueError if `fit` had none.
    has_validation : bool
        Whether it had.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> seen = []
    >>> note = lambda epoch: seen.append((epoch.number, epoch.loss > 0))
    >>> model = fastnn.MLPClassifier((8,), max_iter=3, tol=None).fit(X, y, callbacks=[note])
    >>> seen
    [(1, True), (2, True), (3, True)]
    """

    def __init__(self, model: Any, number: int, seconds: float, data: "FitData", validation: Any):
        self.model, self.number, self.seconds = model, number, seconds
        self.loss: float = model.loss_
        self.training_data = data.given
        self._data, self._validation = data, validation

    def __repr__(self) -> str:
        text = f"Epoch {self.number}: loss={self.loss:.4g}"
        if self._validation is None:
            return text
        name = self.model._score_name
        return f"{text}, val_loss={self.val_loss:.4g}, {name}={self.val_score:.4g}"

    @cached_property
    def score(self) -> float:
        """See above."""
        return self._data.on_training(self.model)[1]

    @property
    def accuracy(self) -> float:
        """See above."""
        return self.score

    @property
    def has_validation(self) -> bool:
        """See above."""
        return self._validation is not None

    @property
    def val_loss(self) -> float:
        """See above."""
        return self._measured()[0]

    @property
    def val_score(self) -> float:
        """See above."""
        return self._measured()[1]

    @property
    def val_accuracy(self) -> float:
        """See above."""
        return self._measured()[1]

    def _measured(self) -> tuple[float, float]:
        if self._validation is None:
            raise ValueError(NO_VALIDATION)
        return self._validation


# Parameters that a callback may change: they hold from the next epoch on.
CHANGEABLE = ("learning_rate_init", *CONSTANTS, "max_norm")


class FitData:
    """What a fit's callbacks may measure on, checked once.

    Attributes
    ----------
    given : (X, y) as the user gave them
    validation : Measured; None: not given
    kernels : the back end of the fit
    """

    def __init__(
        self,
        given: tuple,
        task: Any,
        training: tuple[Any, Any],
        validation: Measured | None,
        kernels: Any,
    ):
        self.given, self.validation, self.kernels = given, validation, kernels
        self._task, self._training = task, training

    @property
    def training(self) -> Measured:
        """Those that the task is trained on, where they have been sent."""
        return self._task.samples, *self._training

    def on_training(self, model: Any) -> tuple[float, float]:
        """Return the loss and the score of a model on the training samples."""
        return model._measure(*self.training, self.kernels)

    def on_validation(self, model: Any) -> tuple[float, float]:
        """Return the same on the validation data."""
        assert self.validation is not None
        return model._measure(*self.validation, self.kernels)


class Observer:
    """Calls the callbacks of a fit, and says how many epochs may pass until the next is due.

    Whenever one is due, the model is measured on the validation data, if there are any; without
    callbacks after each epoch.
    """

    reason = "callback"  # of a stop

    def __init__(self, model: Any, callbacks: list[Hooks], data: FitData):
        self._model, self._callbacks, self._data = model, callbacks, data
        if data.validation is None and any(callback.needs_validation for callback in callbacks):
            raise ValueError(NO_VALIDATION)
        self._names = type(model)._get_param_names() if self._callbacks else []
        self._given = self._parameters = self._parameters_now()
        self._begin = time.perf_counter()

    def begin(self, task: Any) -> None:
        """Tell the callbacks that a fit begins: after the model is set up, before an epoch."""
        rows = self._model._validation_curve
        self._curve, self._rows = LossCurve(rows.ravel()), rows
        self._measured: tuple[int, Any] = task.state.epoch, None  # after which epoch, and what
        if not self._callbacks:
            return
        with ExitStack() as stack:
            for callback in self._callbacks:
                callback.on_fit_begin(self._model)
                stack.callback(callback.on_fit_end, self._model)
            self._begin_epoch(self._callbacks, task)
            stack.pop_all()  # all is well: their time has not come yet

    def epochs_left(self, epoch: int) -> int:
        """Return the number of epochs until a callback, or a measurement, is due."""
        return min((every - epoch % every for every in self._everys), default=2**31)

    def validation_curve(self, state: State) -> NDArray[np.float64]:
        """Return what was measured on the validation data so far: rows of epoch, loss and score.

        A state for which that is due is measured, once.
        """
        data, epoch = self._data, state.epoch
        if data.validation is None:
            return self._rows
        is_due = any(epoch % every == 0 for every in self._everys)
        if is_due and epoch > self._measured[0]:
            then = draft_of(self._model)  # which is not as far yet
            then.params_ = state.params
            self._measured = epoch, data.on_validation(then)
            row = np.array([epoch, *self._measured[1]])
            self._rows = self._curve.extended(row).reshape(-1, 3)
        return self._rows

    def after(self, task: Any) -> bool:
        """Call who is due, the model being up to date; return whether one says stop."""
        number = task.state.epoch
        due = [callback for callback in self._callbacks if number % callback.every == 0]
        if not due:
            return False
        seconds = time.perf_counter() - self._begin
        epoch = Epoch(self._model, number, seconds, self._data, self._measured[1])
        answers = [callback.on_epoch_end(epoch) for callback in due]  # all, also after a stop
        stops = [isinstance(answer, (bool, np.bool_)) and bool(answer) for answer in answers]
        if any(stops):
            self.reason = due[stops.index(True)].reason
            return True
        if self._model.stop_reason_ == "interrupted":  # what it is as long as the fit goes on
            self._begin_epoch(due, task)
        return False

    def end(self) -> None:
        """Tell the callbacks that the fit has ended: all of them, even if one raises."""
        if not self._callbacks:
            return
        names = {name for callback in self._callbacks for name in callback.restores}
        with ExitStack() as stack:
            stack.callback(commit, self._model, **{name: self._given[name] for name in names})
            for callback in reversed(self._callbacks):  # called in the order given
                stack.callback(callback.on_fit_end, self._model)

    def _begin_epoch(self, callbacks: list[Hooks], task: Any) -> None:
        if self._model.max_iter > 0:
            for callback in callbacks:
                callback.on_epoch_begin(self._model)
        self._take_over_changes(task)

    @property
    def _everys(self) -> list[int]:
        if not self._callbacks and self._data.validation is not None:
            return [1]
        return [callback.every for callback in self._callbacks]

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
