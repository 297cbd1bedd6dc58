"""What a fit was given: shape, dtype and a digest of its data, taken in some microseconds.

Of a large table the digest is of rows that are evenly spread, 64 KiB of them: a data set, a split,
an order or a scaling is told from another, one value that was changed perhaps not. To read all of
MNIST would take as long as half an epoch of a small network; this takes as long as a few samples.
"""

import hashlib
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.compressed import CompressedRows, Table
from .parameters import is_integer

MOST_BYTES = 2**16  # that are read of a table


def fingerprint(X: Table, y: NDArray) -> dict[str, dict[str, Any]]:
    """Return shape, dtype and SHA-256 of inputs and targets, as `fit` got and checked them.

    Parameters
    ----------
    X : (n_samples, n_features), an array or `CompressedRows`
    y : (n_samples,) or (n_samples, n_outputs), numbers or strings

    Returns
    -------
    dict
        "X" and "y", each a dict of "shape", "dtype" and "sha256", of hexadecimal digits.
    """
    return {"X": _of_table(X), "y": _of_table(y)}


def is_fingerprint(value: Any, n_features: int) -> bool:
    """Say whether a value is one that `fingerprint` returns for so many features."""
    if not (isinstance(value, dict) and value.keys() == {"X", "y"}):
        return False
    return all(map(_is_table, value.values())) and value["X"]["shape"][1:] == (n_features,)


def _is_table(value: Any) -> bool:
    if not (isinstance(value, dict) and value.keys() == {"shape", "dtype", "sha256"}):
        return False
    shape, dtype, digest = value["shape"], value["dtype"], value["sha256"]
    is_shape = isinstance(shape, tuple) and 1 <= len(shape) <= 2
    return (
        is_shape
        and all(is_integer(n) and 0 < n < 2**63 for n in shape)
        and isinstance(dtype, str)
        and re.fullmatch(r"[a-zA-Z0-9\[\]]{1,20}", dtype) is not None
        and isinstance(digest, str)
        and re.fullmatch("[0-9a-f]{64}", digest) is not None
    )


def _of_table(table: Table) -> dict[str, Any]:
    digest = hashlib.sha256()
    for part in _parts(_sampled(table)):
        digest.update(part)
    return {"shape": tuple(table.shape), "dtype": table.dtype.name, "sha256": digest.hexdigest()}


def _sampled(table: Table) -> Table:
    """Return the whole table if it is small, else rows from its first to its last."""
    n_rows = len(table)
    n_bytes = table.values.nbytes if isinstance(table, CompressedRows) else table.nbytes
    if n_bytes <= MOST_BYTES:
        return table
    n_read = max(1, MOST_BYTES * n_rows // n_bytes)
    return table[np.linspace(0, n_rows - 1, n_read).astype(np.int64)]


def _parts(table: Table) -> list[Any]:
    """Return what a digest is of: arrays in one byte order, strings as UTF-8."""
    if isinstance(table, CompressedRows):
        return [_little(a) for a in (table.values, table.columns, np.diff(table.starts))]
    if table.dtype.kind in "OUMm":
        return ["\0".join(map(str, table.ravel().tolist())).encode("utf-8", "surrogatepass")]
    return [_little(table)]


def _little(array: NDArray) -> NDArray:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
