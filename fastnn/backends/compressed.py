"""Tables of mostly zeros as compressed sparse rows: only what is not 0 is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

SHORT = 2**16  # so many columns have numbers of 16 bits


@dataclass(frozen=True, eq=False)
class CompressedRows:
    """A table whose rows hold the values that are not 0, and their columns (CSR).

    It stands in for an array as `Samples.X`: it has a length, a shape and a dtype, and rows can be
    picked.

    Attributes
    ----------
    values : (n_values,) in the real dtype, or uint8
        Row after row.
    columns : (n_values,) of uint16, or of int32 if there are more than 65,536 columns
        Of each value; ascending within a row, none twice.
    starts : (n_rows + 1,) of int64
        Row i has the values starts[i] to below starts[i + 1].
    shape : tuple of int
        (n_rows, n_columns)
    """

    values: NDArray[Any]
    columns: NDArray[Any]
    starts: NDArray[np.int64]
    shape: tuple[int, int]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> "CompressedRows":
        """Return some rows, given by an array of integers or of bool, or by a slice."""
        rows = np.arange(len(self))[rows]
        lengths = np.diff(self.starts)[rows]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        # The k-th value of a new row lies k beyond the start of the old one.
        kept = np.arange(starts[-1]) + np.repeat(self.starts[rows] - starts[:-1], lengths)
        return CompressedRows(
            self.values[kept], self.columns[kept], starts, (len(rows), self.shape[1])
        )

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        return self.values.dtype

    @cached_property
    def longest(self) -> int:
        """The largest number of values in a row."""
        return int(np.diff(self.starts).max(initial=0))

    def row(self, i: int) -> NDArray[Any]:
        """Return row i as an array of all its columns."""
        row = np.zeros(self.shape[1], self.dtype)
        first, end = self.starts[i : i + 2]
        row[self.columns[first:end]] = self.values[first:end]
        return row

    def astype(self, dtype: DTypeLike, *, copy: bool = True) -> "CompressedRows":
        """Return the table with values of another dtype; see `numpy.ndarray.astype`."""
        return replace(self, values=self.values.astype(dtype, copy=copy))

    def tocsr(self) -> csr_array:
        """Return the table as SciPy has it."""
        return csr_array((self.values, self.columns, self.starts), self.shape)

    def __matmul__(self, other: NDArray[Any]) -> NDArray[Any]:
        """Return the product with an array."""
        return self.tocsr() @ other

    def toarray(self) -> NDArray[Any]:
        """Return the whole table as an array."""
        return self.tocsr().toarray()


Table = NDArray[Any] | CompressedRows


def row_of(X: Table, i: int) -> NDArray[Any]:
    """Return row i of a table as an array of all its columns."""
    return X.row(i) if isinstance(X, CompressedRows) else X[i]


def stacked_rows(tables: Sequence[CompressedRows]) -> CompressedRows:
    """Return the rows of tables of as many columns, those of the first one first."""
    starts = [np.zeros(1, np.int64)]
    for table in tables:
        starts.append(table.starts[1:] + starts[-1][-1])
    return CompressedRows(
        np.concatenate([table.values for table in tables]),
        np.concatenate([table.columns for table in tables]),
        np.concatenate(starts),
        (sum(map(len, tables)), tables[0].shape[1]),
    )
