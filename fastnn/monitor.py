"""What callbacks watch: a measure of the training, and the best it has been."""

from typing import Any

import numpy as np

from .observer import Epoch
from .parameters import NOT_BELOW_0, check_choice, check_real

MEASURES = ("val_loss", "val_accuracy", "val_score", "loss", "accuracy", "score")


class Monitor:
    """A callback's share that watches a measure.

    Parameters
    ----------
    monitor : str
        One of MEASURES: an attribute of `Epoch`. Losses are to fall, the others to rise.
    min_delta : float
        A value counts as better if it is by more than this.

    Attributes
    ----------
    best_, best_epoch_ : float, int
        The best value and its epoch; infinite and 0 as long as there is none.
    """

    def __init__(self, monitor: str, min_delta: float = 0.0):
        self.monitor = check_choice("monitor", monitor, MEASURES)
        self.min_delta = check_real("min_delta", min_delta, NOT_BELOW_0)
        self._forget()

    @property
    def needs_validation(self) -> bool:
        """Whether the measure is of validation data."""
        return self.monitor.startswith("val_")

    def _forget(self) -> None:
        self.best_, self.best_epoch_ = np.inf, 0

    def _is_better(self, epoch: Epoch) -> bool:
        """Say whether an epoch is the best so far, and take it down if it is."""
        return self._update(getattr(epoch, self.monitor), epoch.number)

    def _update(self, value: Any, number: int) -> bool:
        sign = 1 if self.monitor.endswith("loss") else -1
        is_better = not self.best_epoch_ or sign * value < sign * self.best_ - self.min_delta
        if np.isnan(value) or not is_better:
            return False
        self.best_, self.best_epoch_ = float(value), number
        return True
