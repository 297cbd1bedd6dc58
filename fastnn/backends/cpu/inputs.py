"""Inputs as the compiled kernels read them: dense, or compressed where that is faster."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compressed import SHORT, CompressedRows
from ..threads import run_workers
from . import panels

# Above this fraction of values that are not 0, and with fewer columns, dense rows are the faster.
# Measured with 784 columns at random: equal at 0.45 to 0.5 for 8, 30, 128 and 512 units alike.
COMPRESSED_BELOW = 0.42
FEWEST_COLUMNS = 32
ROWS_PER_CALL = 4096
FEW_VALUES = 200_000
VALUES_PER_THREAD = 2_000_000  # fewer are sooner compressed than a thread is started


class Inputs(NamedTuple):
    """X for a kernel: flat arrays, each of one dtype, empty where X has no such thing.

    So a kernel is compiled once for all kinds of X.

    Attributes
    ----------
    reals : the values in the real dtype; bytes : or as uint8
        Of a dense table all, (n_samples * n_features); else those of `CompressedRows`.
    short_columns, columns : of uint16, of int32; both empty if X is dense
    starts : (n_samples + 1,), or empty if X is dense
    """

    reals: NDArray[Any]
    bytes: NDArray[np.uint8]
    short_columns: NDArray[np.uint16]
    columns: NDArray[np.int32]
    starts: NDArray[np.int64]


def for_kernels(X: Any, dtype: np.dtype) -> Inputs:
    """Return an array or `CompressedRows` as kernels take it."""
    is_dense = not isinstance(X, CompressedRows)
    values = X.reshape(-1) if is_dense else X.values
    columns: Any = np.empty(0, np.int32) if is_dense else X.columns
    is_short, is_bytes = columns.dtype == np.uint16, values.dtype == np.uint8
    return Inputs(
        np.empty(0, dtype) if is_bytes else values,
        values if is_bytes else np.empty(0, np.uint8),
        columns if is_short else np.empty(0, np.uint16),
        np.empty(0, np.int32) if is_short else columns,
        np.empty(0, np.int64) if is_dense else X.starts,
    )


def compressed(kernels: Any, X: Any, dtype: np.dtype, n_threads: int = 1) -> Any:
    """Return an array as `CompressedRows` if kernels are faster with these; else as it is.

    `kernels` are those of a real dtype, that of X unless X has bytes.
    """
    n, n_columns = X.shape
    if isinstance(X, CompressedRows) or n_columns < FEWEST_COLUMNS or n == 0:
        return X
    inputs, starts = for_kernels(X, dtype), np.zeros(n + 1, np.int64)
    narrow = np.uint16 if n_columns <= SHORT else np.int32
    if X.size <= FEW_VALUES:  # to count them first takes as long
        found = CompressedRows(np.empty(X.size, X.dtype), np.empty(X.size, narrow), starts, X.shape)
        kernels.compress_rows(inputs, n_columns, 0, n, for_kernels(found, dtype), False)
        m = starts[-1]
        if m >= COMPRESSED_BELOW * X.size:
            return X
        return CompressedRows(found.values[:m], found.columns[:m], starts, X.shape)
    n_threads = max(1, min(n_threads, X.size // VALUES_PER_THREAD))
    _in_parallel(
        lambda first, end: kernels.count_values(inputs, n_columns, first, end, starts[1:]),
        n,
        n_threads,
    )
    np.cumsum(starts, out=starts)
    if starts[-1] >= COMPRESSED_BELOW * X.size:
        return X
    # Zeros: if somebody changes X at this moment, columns that are missing are yet some of X's.
    values, columns = np.zeros(starts[-1], X.dtype), np.zeros(starts[-1], narrow)
    out = for_kernels(CompressedRows(values, columns, starts, X.shape), dtype)
    _in_parallel(
        lambda first, end: kernels.compress_rows(inputs, n_columns, first, end, out, True),
        n,
        n_threads,
    )
    return CompressedRows(values, columns, starts, X.shape)


def _in_parallel(work: Any, n: int, n_threads: int) -> None:
    """Call work(first, end) for parts of n rows."""
    stop = panels.new_stop()

    def worker(thread: int) -> None:
        end = n * (thread + 1) // n_threads
        for first in range(n * thread // n_threads, end, ROWS_PER_CALL):
            if stop[0]:
                return
            work(first, min(first + ROWS_PER_CALL, end))

    run_workers(worker, n_threads, stop)


def most_values(X: Any, batch: int) -> int:
    """Return how many values `batch` rows have at most, 0 if X is dense."""
    if not isinstance(X, CompressedRows):
        return 0
    return max(1, min(batch * X.longest, len(X.values)))
