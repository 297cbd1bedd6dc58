"""Tables that need not be in memory: mapped from a file, or read by slices.

An epoch reads chunks, runs of rows, in a random order, and shuffles as many at once as have room in
a window. What a window holds is read in the order of the file; so a window for all samples is
shuffled as samples in memory are.
"""

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from .. import random
from ..backends.interface import Samples
from ..parameters import check_buffer_size, is_integer
from .windows import Encoder, Window

CHUNKS_PER_WINDOW = 64
# Parts of an epoch's random numbers: windows have 0, 1, ...
CHUNK_ORDER, HELD_OUT = 2**32 - 1, 2**32 - 2
JOBLIB = "joblib_memmapping_folder"  # in the names of files in which joblib sends arrays


def is_sliced(values: Any) -> bool:
    """Say whether values need not be in memory: they have a shape, a dtype of NumPy, and slices.

    Arrays in memory that joblib hands to its workers in a file are as in the process that sent
    them.
    """
    if isinstance(values, np.ndarray):
        return _is_mapped(values)
    if issparse(values) or hasattr(values, "__dlpack__") or hasattr(values, "__array_interface__"):
        return False
    is_array = isinstance(getattr(values, "dtype", None), np.dtype) and hasattr(values, "shape")
    return is_array and hasattr(values, "__getitem__") and not hasattr(values, "iloc")


def _is_mapped(array: Any) -> bool:
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return JOBLIB not in str(getattr(array, "filename", ""))
        array = array.base
    return isinstance(array, mmap.mmap)


def too_large(X: Any, buffer_size: Any, dtype: np.dtype) -> int:
    """Return the samples of a window for a table that is to be read in parts, 0 for another."""
    if type(X) is np.ndarray and X.base is None:  # soon answered: a sample is predicted in 10 us
        return 0
    if not is_sliced(X) or len(X.shape) != 2:
        return 0
    size = check_buffer_size(buffer_size, X.shape[1], 1 if X.dtype == np.uint8 else dtype.itemsize)
    return size if X.shape[0] > size else 0


def ranges(n: int, size: int) -> list[tuple[int, int]]:
    """Return the bounds of parts of n samples, all about as large, at most `size`."""
    m = -(-n // size)
    return [(n * i // m, n * (i + 1) // m) for i in range(m)]


class StoredSamples:
    """Samples in a file or the like.

    Parameters
    ----------
    X : (n_samples, n_features)
    y : array, or read by slices, as long
    weights : (n_samples,) or None
        Samples of weight 0 are left out.
    encoder : Encoder
    size : int
        Rows that are read at once, at most.
    chunks : (n_chunks, 2)
        The first row of each, and the one behind its last.
    """

    def __init__(
        self,
        X: Any,
        y: Any,
        weights: NDArray | None,
        encoder: Encoder,
        size: int,
        chunks: NDArray[np.int64],
    ):
        self._X, self._y, self._weights, self._encoder = X, y, weights, encoder
        self._size, self._chunks = size, chunks
        self._counts = np.diff(chunks)[:, 0]
        if weights is not None:
            self._counts = np.array([np.count_nonzero(weights[a:b]) for a, b in chunks])
        self._window: Window | None = None

    @property
    def n_samples(self) -> int:
        """Samples that count."""
        return int(self._counts.sum())

    @property
    def n_features(self) -> int:
        """Columns of X."""
        return self._X.shape[1]

    def split(self, fraction: float, seed: int) -> tuple["StoredSamples", "StoredSamples"]:
        """Return samples to train on, and about a fraction to hold out: whole chunks.

        Raises
        ------
        ValueError
            If a part would have fewer than 2 samples.
        """
        order = random.shuffled(len(self._chunks), seed, 0, part=HELD_OUT)[0]
        n = max(1, round(fraction * len(order)))
        given = self._X, self._y, self._weights, self._encoder, self._size
        rest, held_out = (
            StoredSamples(*given, self._chunks[np.sort(rows)]) for rows in (order[n:], order[:n])
        )
        sizes = [rest.n_samples, held_out.n_samples]
        if min(sizes) < 2:
            raise ValueError(
                f"validation_fraction={fraction}: {sizes[1]} of {sum(sizes)} samples would be held "
                "out; expected 2 or more in each part"
            )
        return rest, held_out

    def windows(self, size: int, seed: int | None, epoch: int) -> Iterator[Samples]:
        """Yield the samples of an epoch; see `windows.Stream`."""
        chunks = self._chunks
        if seed is not None:
            chunks = chunks[random.shuffled(len(chunks), seed, epoch, part=CHUNK_ORDER)[0]]
        if self._window is None:
            self._window = Window(min(size, self.n_samples))
        self._window.clear()
        for pieces in self._plan(chunks, size):
            for first, end in sorted(pieces):
                self._window.add(self._read(first, end)[0])
            yield self._window.take()

    def parts(self) -> Iterator[tuple[Samples, NDArray]]:
        """Yield all samples in their order; see `windows.Stream`."""
        for first, end in _joined(self._chunks.tolist()):
            for a, b in ranges(end - first, self._size):
                samples, y = self._read(first + a, first + b)
                if len(y):
                    yield samples, y

    def _read(self, first: int, end: int) -> tuple[Samples, NDArray]:
        weights = None if self._weights is None else self._weights[first:end]
        return self._encoder.samples(self._X[first:end], self._y[first:end], weights, first)

    def _plan(self, chunks: NDArray[np.int64], size: int) -> Iterator[list[tuple[int, int]]]:
        """Yield which rows make a window of `size` samples, the last one of fewer."""
        pieces: list[tuple[int, int]] = []
        room = size
        for first, end in chunks.tolist():
            while first < end:
                cut, n = self._cut(first, end, room)
                pieces.append((first, cut))
                first, room = cut, room - n
                if room == 0:
                    yield pieces
                    pieces, room = [], size
        if room < size:
            yield pieces

    def _cut(self, first: int, end: int, room: int) -> tuple[int, int]:
        """Return the end of the rows that have room, and how many samples of them count."""
        if self._weights is None:
            cut = min(end, first + room)
            return cut, cut - first
        at = np.flatnonzero(self._weights[first:end])
        if len(at) <= room:
            return end, len(at)
        return first + int(at[room]), room


def chunks_of(X: Any, size: int) -> NDArray[np.int64]:
    """Return the chunks of a table for windows of `size` rows; where X has its own, of those."""
    n, rows = X.shape[0], max(1, size // CHUNKS_PER_WINDOW)
    own = getattr(X, "chunks", None)  # of HDF5 and Zarr
    if isinstance(own, tuple) and own and is_integer(own[0]) and own[0] > 0:
        rows = max(1, rows // own[0]) * own[0]
    starts = np.arange(0, n, rows)
    return np.stack([starts, np.append(starts[1:], n)], axis=1)


def _joined(chunks: list[list[int]]) -> list[list[int]]:
    """Return runs of rows, those that follow on each other made one."""
    found: list[list[int]] = []
    for first, end in chunks:
        if found and found[-1][1] == first:
            found[-1][1] = end
        else:
            found.append([first, end])
    return found
