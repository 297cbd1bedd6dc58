"""Parts of a large data set on their way to the kernels: checked, encoded, and put in a window."""

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..backends.compressed import CompressedRows, Table, stacked_rows
from ..backends.interface import Samples
from ..class_weights import class_weights
from ..targets import kind_of
from ..validation import check_finite, check_scaled, check_X, class_index, counted


class Stream(Protocol):
    """Samples that are read part by part.

    Attributes
    ----------
    n_samples : int
        Those that count, of an epoch; 0 as long as nobody knows.
    n_features : int
    """

    @property
    def n_samples(self) -> int:
        """See above."""

    @property
    def n_features(self) -> int:
        """See above."""

    def windows(self, size: int, seed: int | None, epoch: int) -> Iterator[Samples]:
        """Yield the samples of an epoch, `size` at once, fewer at its end; each until the next.

        Without a seed they come in their order.
        """

    def parts(self) -> Iterator[tuple[Samples, NDArray]]:
        """Yield all samples in their order, as many at once as is good, with y for a score."""


class Encoder:
    """Makes samples of what the user gave, part by part.

    Parameters
    ----------
    network : MLPClassifier or MLPRegressor
        It knows its classes and its loss when a part comes.
    dtype, scale
        As for `given.check_data`.
    """

    def __init__(self, network: Any, dtype: np.dtype, scale: float):
        self.network, self.dtype, self.scale = network, dtype, scale
        self.kind = kind_of(network)

    def inputs(self, X: Any, first: int = 0) -> Table:
        """Return checked inputs, which begin with row `first` of all; ValueError if wrong."""
        if type(X) is np.memmap:  # an array with the same bytes is sooner checked
            X = X.view(np.ndarray)
        X = check_X(self.network, X, self.dtype, reset=False, all_finite=False)
        check_finite("X", X, self.dtype, first)
        check_scaled("X", X, self.scale, self.dtype)
        return X

    def samples(
        self, X: Any, y: Any, weights: NDArray | None, first: int = 0
    ) -> tuple[Samples, NDArray]:
        """Return the samples that count, and their y; ValueError if something is wrong."""
        X = self.inputs(X, first)
        y = self.kind.check(y, X)
        targets = self.kind.encode(self.network, y, self.dtype)
        weights, X, y, targets = counted(weights, X, y, targets)
        return Samples(X, self.scale, targets, weights), y

    def class_weighted(self, weights: NDArray | None, y: Any) -> NDArray | None:
        """Return the weights of samples, with those of their classes that a dict names."""
        wanted = self.network.class_weight
        if wanted is None:
            return weights
        classes = self.network.classes_
        index = class_index(self.kind.check(y, y), classes)
        own = class_weights(wanted, index, classes).astype(self.dtype)[index]
        return own if weights is None else own * weights


class Window:
    """Room for samples that are in memory at once.

    Parameters
    ----------
    size : int
        Samples at most.
    """

    def __init__(self, size: int):
        self._size, self._n = size, 0
        self._room: Any = None  # `Samples`, once it is known of what kind
        self._compressed: list[CompressedRows] = []

    @property
    def is_full(self) -> bool:
        """Whether there is no room for a sample."""
        return self._n == self._size

    def clear(self) -> None:
        """Forget what an epoch that broke off has left."""
        self._n, self._compressed = 0, []

    def add(self, samples: Samples) -> int:
        """Copy as many as there is room for; return how many.

        Raises
        ------
        ValueError
            If they are of another kind than those before.
        """
        n = min(len(samples.X), self._size - self._n)
        if self._room is None:
            self._room = self._like(samples)
        X, _, targets, weights = self._room
        here = slice(self._n, self._n + n)
        if isinstance(samples.X, CompressedRows) != (X is None):
            raise ValueError("X: sparse in some parts; expected all parts to be, or none")
        if X is None:
            self._compressed.append(samples.X[:n])
        elif X.dtype == np.uint8 != samples.X.dtype:
            raise ValueError("X: real numbers after bytes; expected one dtype in all parts")
        else:
            X[here] = samples.X[:n]
        targets[here] = samples.targets[:n]
        if (weights is None) != (samples.weights is None):
            raise ValueError("sample_weight: missing in some parts; expected it in all, or none")
        if weights is not None:
            weights[here] = samples.weights[:n]
        self._n += n
        return n

    def take(self) -> Samples:
        """Return the samples, which hold until the next is added, and begin anew."""
        n, compressed = self._n, self._compressed
        self.clear()
        X, scale, targets, weights = self._room
        X = stacked_rows(compressed) if X is None else X[:n]
        return Samples(X, scale, targets[:n], None if weights is None else weights[:n])

    def _like(self, samples: Samples) -> Samples:
        """Return room for the whole window; memory is taken where something is written only."""
        X, scale, targets, weights = samples
        try:
            return Samples(
                None
                if isinstance(X, CompressedRows)
                else np.empty((self._size, X.shape[1]), X.dtype),
                scale,
                np.empty((self._size, targets.shape[1]), targets.dtype),
                None if weights is None else np.empty(self._size, weights.dtype),
            )
        except (MemoryError, ValueError):
            raise MemoryError(
                f"buffer_size={self._size}: so many samples have no room in memory; expected fewer"
            ) from None
