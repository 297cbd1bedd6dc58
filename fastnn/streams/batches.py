"""Batches that come one after the other: from files, a data base, a generator."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.interface import Samples
from ..parameters import check_integer, shown
from ..validation import dtypes_of, weights_of_part
from .windows import Encoder, Window

Batch = tuple[int, Any, Any, Any]  # its number, X, y and sample_weight


class Batches:
    """What `fit_batches` is given, looked at as far as its first batch.

    Parameters
    ----------
    batches : iterable of (X, y) or (X, y, sample_weight), or a function that returns one
    n_samples : int or None
        Of all batches, for the progress bar, if somebody knows; a pass finds out.

    Attributes
    ----------
    first : (number, X, y, sample_weight), or None
        The first batch that has samples, up to the first pass.
    dtypes : list
        Of its inputs.

    Raises
    ------
    ValueError
        If they are no such thing, or there is none with a sample.
    """

    def __init__(
        self, batches: Iterable[Any] | Callable[[], Iterable[Any]], n_samples: int | None = None
    ):
        self.n_samples = 0 if n_samples is None else check_integer("n_samples", n_samples, 1)
        self._open = batches if callable(batches) else lambda: batches
        opened = self._opened()
        self.is_iterator = not callable(batches) and opened is batches
        first = next(_checked(opened), None)
        if first is None:
            raise ValueError("batches: there is no batch with a sample")
        self.dtypes = dtypes_of(first[1])
        self.first: Any = first
        self._rest = opened if self.is_iterator else None

    def __iter__(self) -> Iterator[Batch]:
        """Yield number, X, y and weights of each batch, from the beginning."""
        first, self.first = self.first, None
        if self._rest is None:
            batches = _checked(self._opened())
        elif first is None:
            raise ValueError(ONCE)
        else:
            batches = chain([first], _checked(self._rest, first[0] + 1))
        n_samples = 0
        for batch in batches:
            n_samples += len(batch[2])
            yield batch
        self.n_samples = n_samples

    def _opened(self) -> Iterator[Any]:
        opened = self._open()
        if isinstance(opened, (str, bytes)) or not hasattr(opened, "__iter__"):
            raise ValueError(
                f"batches={shown(opened)}: expected an iterable of (X, y), such as a list, or a "
                "function that returns one"
            )
        return iter(opened)


ONCE = (
    "batches: an iterator can be run through only once; expected, for more than one epoch or to "
    "find the classes, a function that returns a new one, or a list"
)


def _checked(batches: Iterator[Any], first: int = 0) -> Iterator[Batch]:
    """Yield those that have samples, with their numbers; ValueError if one is no batch."""
    for number, batch in enumerate(batches, first):
        if not (isinstance(batch, (tuple, list)) and 2 <= len(batch) <= 3):
            raise ValueError(
                f"batches[{number}]: expected (X, y) or (X, y, sample_weight), got {shown(batch)}"
            )
        X, y, *weights = batch
        shape = np.shape(X) if not hasattr(X, "shape") else X.shape
        if len(shape) != 2 or shape[0] > 0:  # what is no table is refused later
            yield number, X, y, weights[0] if weights else None


class BatchSamples:
    """The samples of batches; see `windows.Stream`."""

    def __init__(self, batches: Batches, encoder: Encoder, n_features: int):
        self._batches, self._encoder = batches, encoder
        self.n_samples, self.n_features = batches.n_samples, n_features
        self._window: Window | None = None

    def windows(self, size: int, seed: int | None, epoch: int) -> Iterator[Samples]:
        """Yield the samples of an epoch; within a window they keep their order."""
        n_samples = 0
        if self._window is None:
            self._window = Window(size)
        self._window.clear()
        for number, samples, _ in self._encoded():
            start, end = 0, len(samples.X)
            while start < end:
                try:
                    start += self._window.add(_from(samples, start))
                except ValueError as error:
                    raise ValueError(f"batches[{number}]: {error}") from None
                if self._window.is_full:
                    yield self._window.take()
            n_samples += end
        if n_samples == 0:
            raise ValueError(
                f"batches: no sample in epoch {epoch + 1}; expected, for more than one epoch, what "
                "begins anew"
            )
        if n_samples % size:
            yield self._window.take()
        self.n_samples = n_samples

    def parts(self) -> Iterator[tuple[Samples, NDArray]]:
        """Yield the samples batch by batch."""
        for _, samples, y in self._encoded():
            if len(y):
                yield samples, y

    def _encoded(self) -> Iterator[tuple[int, Samples, NDArray]]:
        encoder = self._encoder
        for number, X, y, given in self._batches:
            try:
                weights = encoder.class_weighted(weights_of_part(given, y, encoder.dtype), y)
                samples, y = encoder.samples(X, y, weights)
            except ValueError as error:
                raise ValueError(f"batches[{number}]: {error}") from None
            yield number, samples, y


def _from(samples: Samples, start: int) -> Samples:
    X, scale, targets, weights = samples
    if start == 0:
        return samples
    return Samples(X[start:], scale, targets[start:], None if weights is None else weights[start:])
