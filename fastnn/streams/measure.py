"""Outputs, losses and scores of samples that are not all in memory."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from ..targets import Reals, kind_of
from ..validation import check_weights
from .data import check_y_of
from .stored import ranges


def joined(make: Callable[[Any], NDArray], X: Any, size: int) -> NDArray:
    """Return what `make` makes of a table, `size` rows at once: an array with as many rows."""
    found, n = np.empty(0), X.shape[0]
    for first, end in ranges(n, size):
        part = make(X[first:end])
        if first == 0:
            found = np.empty((n, *part.shape[1:]), part.dtype)
        found[first:end] = part
    return found


def measured(model: Any, stream: Any, kernels: Any) -> tuple[float, float]:
    """Return the loss and the score of all samples of a `windows.Stream`."""
    kind, loss, total = kind_of(model), 0.0, 0.0
    score = _R2() if isinstance(kind, Reals) else _Accuracy(model)
    for samples, y in stream.parts():
        net, params, n_threads = model._for_kernels(samples)
        outputs = np.empty((len(y), net.sizes[-1]), params.dtype)
        sent = kernels.to_device(samples, n_threads)
        own, n_right = kernels.mlp_evaluate(net, params, sent, n_threads, outputs)
        weight = samples.total_weight
        loss, total = loss + own * weight, total + weight
        score.add(outputs, y, samples.weights, n_right)
    return loss / total, score.value()


class _Accuracy:
    """The share of right answers."""

    def __init__(self, model: Any):
        self._model, self._kind = model, kind_of(model)
        self._right = self._total = 0.0

    def add(self, outputs: NDArray, y: NDArray, weights: Any, n_right: float) -> None:
        total = len(y) if weights is None else float(weights.sum(dtype=np.float64))
        right = self._kind.score(self._model, outputs, y, weights, n_right) * total
        self._right += round(right) if weights is None else right  # a number of samples
        self._total += total

    def value(self) -> float:
        return self._right / self._total


class _R2:
    """R^2, the mean of all outputs, as scikit-learn has it."""

    def __init__(self) -> None:
        self._n, self._weight = 0, 0.0
        self._mean: Any = 0.0
        self._squares: Any = 0.0  # of what y differs from its mean
        self._errors: Any = 0.0

    def add(self, outputs: NDArray, y: NDArray, weights: Any, n_right: float) -> None:
        """Take some samples; means and squares are joined (Chan, Golub & LeVeque 1983)."""
        y = np.asarray(y, np.float64).reshape(len(y), -1)
        w = np.ones((len(y), 1)) if weights is None else weights[:, np.newaxis].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            errors = (w * (outputs - y) ** 2).sum(axis=0)
        weight = float(w.sum())
        mean = (w * y).sum(axis=0) / weight
        between = (mean - self._mean) ** 2 * self._weight * weight / (self._weight + weight)
        self._squares = self._squares + (w * (y - mean) ** 2).sum(axis=0) + between
        self._weight += weight
        self._mean = self._mean + (mean - self._mean) * weight / self._weight
        self._errors, self._n = self._errors + errors, self._n + len(y)

    def value(self) -> float:
        """Return R^2; NaN if the training has diverged, or for one sample."""
        if not np.isfinite(self._errors).all() or self._n < 2:
            return float("nan")
        constant = self._squares == 0
        ratio = self._errors / np.where(constant, 1.0, self._squares)
        return float(np.where(constant, self._errors == 0, 1 - ratio).mean())


def accuracy(model: Any, X: Any, y: Any, sample_weight: Any, size: int) -> float:
    """Return the accuracy on a table, `size` rows at once, as `score` does of one in memory."""
    dtype, n = model.params_.dtype, X.shape[0]
    kind, y = kind_of(model), check_y_of(model, y, n)
    weights = check_weights(sample_weight, range(n), dtype)
    right, total = 0.0, float(n) if weights is None else float(weights.sum(dtype=np.float64))
    for first, end in ranges(n, size):
        own = None if weights is None else weights[first:end]
        if own is not None and not own.any():  # scikit-learn takes no such part
            continue
        predicted = model.predict(X[first:end])
        truth = kind.check(y[first:end], predicted)
        right += float(accuracy_score(truth, predicted, normalize=False, sample_weight=own))
    return right / total
