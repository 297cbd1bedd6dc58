"""Callbacks that change the learning rate while a fit lasts.

They set the model's `learning_rate_init`, which `learning_rate` goes on to change from epoch to
epoch, and put it back when the fit ends. A checkpoint saved in between has the rate of its epoch.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from .learning_rates import LearningRates
from .monitor import Monitor
from .observer import Epoch
from .optimizers import LBFGS
from .parameters import ABOVE_0, NOT_BELOW_0, Range, check_integer, check_real, shown

BELOW_1 = Range("a number above 0, below 1", lambda value: 0 < value < 1)


class LearningRateScheduler:
    """Set the learning rate before each epoch.

    Without a need of the earlier rate, the parameter `learning_rate` of the estimator does the
    same, and a small network trains faster.

    Parameters
    ----------
    schedule : callable of (epoch, rate)
        Gets the number of epochs trained before, over all fits, and the present rate, as in
        Keras; returns the rate of the epoch, above 0.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> halve = fastnn.LearningRateScheduler(lambda epoch, rate: rate if epoch < 2 else rate / 2)
    >>> rates = []
    >>> model = fastnn.MLPClassifier((8,), learning_rate_init=0.4, max_iter=4, tol=None)
    >>> note = lambda epoch: rates.append(epoch.model.learning_rate_init)
    >>> model = model.fit(X, y, callbacks=[halve, note])
    >>> rates
    [0.4, 0.4, 0.2, 0.1]
    """

    restores = ("learning_rate_init",)

    def __init__(self, schedule: Callable[[int, float], float]):
        self.schedule = _check_schedule(schedule)

    def on_fit_begin(self, model: Any) -> None:
        """See that there is a rate to set."""
        _check_reads_rate(model, type(self).__name__)

    def on_epoch_begin(self, model: Any) -> None:
        """Set the rate of the epoch."""
        number, rate = model.n_epochs_, float(model.learning_rate_init)
        new = self.schedule(number, rate)
        name = f"schedule({number}, {rate:g})"
        model.learning_rate_init = check_real(name, new, ABOVE_0, model.params_.dtype)

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Do nothing: the next rate is set if there is a next epoch."""


class ReduceLROnPlateau(Monitor):
    """Lower the learning rate when a measure has not become better for a number of epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
        As for `EarlyStopping`.
    factor : float, default 0.1
        What the rate is multiplied by.
    patience : int, default 10
        Epochs without a better value, since the last one or since the rate was lowered.
    min_delta : float, default 1e-4
        A value counts as better if it is by more than this.
    min_lr : float, default 0
        The least rate.

    Attributes
    ----------
    best_, best_epoch_ : float, int

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> lower = fastnn.ReduceLROnPlateau("loss", factor=0.5, patience=2, min_delta=100)
    >>> rates = []
    >>> model = fastnn.MLPClassifier((8,), learning_rate_init=0.4, max_iter=5, tol=None)
    >>> note = lambda epoch: rates.append(epoch.model.learning_rate_init)
    >>> model = model.fit(X, y, callbacks=[lower, note])
    >>> rates
    [0.4, 0.4, 0.2, 0.2, 0.1]
    """

    restores = ("learning_rate_init",)

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        min_lr: float = 0.0,
    ):
        super().__init__(monitor, min_delta)
        self.factor = check_real("factor", factor, BELOW_1)
        self.patience = check_integer("patience", patience, 1)
        self.min_lr = check_real("min_lr", min_lr, NOT_BELOW_0)
        self._waited = 0

    def on_fit_begin(self, model: Any) -> None:
        """Forget an earlier fit."""
        _check_reads_rate(model, type(self).__name__)
        self._forget()
        self._waited = 0

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Compare with the best value so far."""
        self._waited = 0 if self._is_better(epoch) else self._waited + 1
        rate = epoch.model.learning_rate_init
        # The least that the kernels can tell from 0
        least = max(self.min_lr, float(np.finfo(epoch.model.params_.dtype).tiny))
        if self._waited >= self.patience and rate > least:
            epoch.model.learning_rate_init = max(rate * self.factor, least)
            self._waited = 0


def _check_schedule(schedule: Any) -> Callable:
    expected = f"schedule={shown(schedule)}: expected a function of two arguments, epoch and rate"
    if not callable(schedule):
        raise ValueError(expected)
    try:
        inspect.signature(schedule).bind(0, 0.1)
    except TypeError:
        raise ValueError(expected) from None
    except ValueError:  # one of C that does not say what it takes
        return schedule
    return schedule


def _check_reads_rate(model: Any, name: str) -> None:
    """Raise ValueError if a training does not look at `learning_rate_init`."""
    if model.solver == LBFGS:
        raise ValueError(f"callbacks: {name} changes the learning rate; solver='lbfgs' has none")
    if LearningRates(model.learning_rate).name == "given":
        raise ValueError(
            f"callbacks: {name} changes learning_rate_init, which does not count if "
            f"learning_rate={shown(model.learning_rate)} gives each epoch's rate"
        )
