"""SciPy's sparse tables, checked, as the kernels take them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import bsr_array, coo_array, csc_array, csr_array, dia_array

from .backends.compressed import SHORT, CompressedRows, Table

MOST_COLUMNS = 2**31 - 1  # their numbers are int32
_BY_LINES = {"csr": csr_array, "csc": csc_array, "bsr": bsr_array}


def canonical_csr(X: Any) -> csr_array:
    """Return a sparse table in compressed rows, columns ascending, none twice.

    It may share arrays with X, which is not changed. SciPy's own conversions trust a table's
    arrays, so they are looked at before.

    Raises
    ------
    ValueError
        If X has not two dimensions, too many columns, or arrays that are no table: of wrong
        lengths, or with rows or columns that there are not.
    """
    if X.ndim != 2:
        raise ValueError(f"expected 2 dimensions, got shape {X.shape}")
    if X.shape[1] > MOST_COLUMNS:
        raise ValueError(f"{X.shape[1]} columns; a sparse table may have {MOST_COLUMNS}")
    rows = _checked(X).tocsr()
    if not rows.has_canonical_format:
        rows = rows.copy()
        rows.sum_duplicates()
    return rows


def _checked(X: Any) -> Any:
    """Return a table that shares arrays with X; ValueError unless they are a table."""
    if X.format in _BY_LINES:
        table = _BY_LINES[X.format]((X.data, X.indices, X.indptr), shape=X.shape)
        table.check_format(full_check=True)
        # SciPy's look at them is by differences, which may overflow, and only if the last is not 0.
        if (table.indptr[1:] < table.indptr[:-1]).any():
            raise ValueError("indptr must be a non-decreasing sequence")
        return table
    if X.format == "lil" and [*map(len, X.rows)] != [*map(len, X.data)]:
        raise ValueError("rows and data differ in length")
    if X.format == "lil":
        return _checked(X.tocsr())
    if X.format == "dia":
        X = dia_array((X.data, X.offsets), shape=X.shape)  # looks at the lengths
    if X.format != "coo":
        X = X.tocoo()
    return coo_array((X.data, (X.row, X.col)), shape=X.shape)  # looks at rows and columns


def compressed_rows(rows: csr_array) -> CompressedRows:
    """Return canonical compressed rows for the kernels.

    The values may be shared; where they stand is a copy, so that nobody can change it meanwhile.
    """
    short = rows.shape[1] <= SHORT
    return CompressedRows(
        np.ascontiguousarray(rows.data),
        rows.indices.astype(np.uint16 if short else np.int32),
        rows.indptr.astype(np.int64),
        rows.shape,
    )


def place_of(table: CompressedRows, k: int) -> tuple[int, int]:
    """Return the row and the column of value number k."""
    row = int(np.searchsorted(table.starts, k, side="right")) - 1
    return row, int(table.columns[k])


def values_of(X: Table) -> NDArray:
    """Return what a table holds, of a compressed one without the zeros left out."""
    return X.values if isinstance(X, CompressedRows) else X
