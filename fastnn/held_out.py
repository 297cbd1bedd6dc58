"""Early stopping of a perceptron: samples that are held out say when to stop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class HeldOut:
    """Stops a training when the score on held-out samples has ceased to rise.

    An observer of `training.train`: `n_iter_no_change` epochs on end have to raise the best score
    by less than `tol`.
    """

    reason = "validation_score"  # of a stop

    def __init__(
        self,
        model: Any,
        data: tuple[NDArray, NDArray, NDArray | None],
        tol: float,
        n_iter_no_change: int,
    ):
        self._model, self._data, self._tol = model, data, tol
        self._n_iter_no_change = n_iter_no_change
        self._best, self._idle = -np.inf, 0

    def epochs_left(self, epoch: int) -> int:
        """Return 1: it looks after each epoch."""
        return 1

    def after(self, task: Any) -> bool:
        """Look at the model, which is up to date; return whether to stop."""
        score = self._model.score(*self._data)
        self._idle = self._idle + 1 if score < self._best + self._tol else 0
        self._best = max(self._best, score)
        return self._idle >= self._n_iter_no_change

    def end(self) -> None:
        """Do nothing: the model keeps its last weights, as in scikit-learn."""
