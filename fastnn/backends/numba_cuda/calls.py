"""What all calls of the GPU do: take turns, copy arrays, launch."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np

from ..compressed import CompressedRows

_one_call = threading.RLock()  # calls of several threads take turns


@contextmanager
def gpu() -> Iterator[Any]:
    """Give Numba's CUDA module; a full device memory becomes a MemoryError that says so."""
    from numba import cuda

    full = False
    try:
        with _one_call:
            yield cuda
    except Exception as error:
        if "OUT_OF_MEMORY" not in str(error):
            raise
        full = True
    if full:  # raised here, it does not keep the arrays of the failed call alive
        raise MemoryError(
            "the GPU's memory is full: train on fewer samples at once, with a smaller network or "
            "batch, or on another back end"
        )


@contextmanager
def few_blocks() -> Iterator[None]:
    """Launch without Numba's warning of few blocks: a small network has no more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Grid size")
        yield


def real_type(dtype: np.dtype) -> Any:
    """Return what Numba calls a real dtype."""
    from numba import float32, float64

    return float32 if dtype == np.float32 else float64


def on_device(cuda: Any, array: Any) -> Any:
    """Copy an array, unless it is there; one of no rows gets a device pointer all the same.

    `CompressedRows` are three arrays.
    """
    if isinstance(array, CompressedRows):
        return replace(
            array,
            values=on_device(cuda, array.values),
            columns=on_device(cuda, array.columns),
            starts=on_device(cuda, array.starts),
        )
    if hasattr(array, "__cuda_ndarray__"):
        return array
    if array.size:
        return cuda.to_device(array)
    return cuda.device_array((1, *array.shape[1:]), array.dtype)[:0]


def is_compressed(X: Any) -> bool:
    """Say whether a table is compressed: it has kernels of its own."""
    return isinstance(X, CompressedRows)


def table_on_device(cuda: Any, X: Any) -> Any:
    """Return a table as kernels take it: an array, or (values, columns, starts, n_columns)."""
    X = on_device(cuda, X)
    if isinstance(X, CompressedRows):
        return X.values, X.columns, X.starts, X.shape[1]
    return X


def rows_of(X: Any, first: int, end: int) -> Any:
    """Return some rows; those of a compressed table share its values, also on the device."""
    if isinstance(X, CompressedRows):
        shape = end - first, X.shape[1]
        return replace(X, starts=X.starts[first : end + 1], shape=shape)
    return X[first:end]


def launch_together(kernel: Any, most_blocks: int, arguments: tuple) -> None:
    """Launch a cooperative kernel on as many blocks as the GPU holds at once, and are of use."""
    from .product import THREADS

    own = kernel.specialize(*arguments)
    # The simulator has one definition for all types.
    definition = next(iter(own.overloads.values()), None) or own.overloads[()]
    blocks = min(definition.max_cooperative_grid_blocks(THREADS), most_blocks)
    with few_blocks():
        own[blocks, THREADS](*arguments)
