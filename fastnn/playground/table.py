"""Points that a user brings: drawn, or the columns of a file of comma-separated values."""

import base64
import binascii
import csv
import io
import math
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .problems import Problem
from .settings import MOST_POINTS

MOST_BYTES = 1_000_000
MOST_COLUMNS = 100
MOST_CLASSES = 10


class Table(NamedTuple):
    """The rows of a file.

    Attributes
    ----------
    names : list of str
        Of the columns, from the first line if that has no number.
    rows : list of lists of str
    """

    names: list[str]
    rows: list[list[str]]


def decode(text: str) -> str:
    """Return what was deflated and written in base64 for addresses; Problem if it is too large."""
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        stream = zlib.decompressobj()
        content = stream.decompress(packed, MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise Problem(
                f"The table is too large: expected at most {MOST_BYTES:,} bytes.",
                f"表格太大：最多 {MOST_BYTES:,} 字节。",
            )
        return content.decode("utf-8-sig")
    except (binascii.Error, zlib.error, UnicodeDecodeError, ValueError) as error:
        if isinstance(error, Problem):
            raise
        raise Problem(
            "The table in the address is damaged, or not UTF-8.",
            "地址中的表格已损坏，或不是 UTF-8 编码。",
        ) from None


def encode(text: str) -> str:
    """Return the contrary of `decode`; the page does the same."""
    return base64.urlsafe_b64encode(zlib.compress(text.encode())).decode().rstrip("=")


def read(text: str) -> Table:
    """Return the rows of a file of comma-separated (or by semicolon, or tab) values."""
    first = text[: text.find("\n") if "\n" in text else len(text)]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter, strict=True)
        rows = [[cell.strip() for cell in row] for row in lines if any(map(str.strip, row))]
    except csv.Error as error:
        raise Problem(
            f"The file cannot be read as CSV: {error}.", f"无法按 CSV 读取此文件：{error}。"
        ) from None
    if not rows or len(rows[0]) < 2:
        raise Problem(
            "Expected a file with two columns at least, one sample a line.",
            "文件至少应有两列，每行一个样本。",
        )
    n_columns = len(rows[0])
    if n_columns > MOST_COLUMNS:
        raise Problem(f"Expected at most {MOST_COLUMNS} columns.", f"最多 {MOST_COLUMNS} 列。")
    names = [f"{i + 1}" for i in range(n_columns)]
    if not any(_is_number(cell) for cell in rows[0]):
        names = [name[:40] or str(i + 1) for i, name in enumerate(rows.pop(0))]
    for number, row in enumerate(rows, 1):
        if len(row) != n_columns:
            raise Problem(
                f"Row {number} has {len(row)} values; expected {n_columns}.",
                f"第 {number} 行有 {len(row)} 个值，应为 {n_columns} 个。",
            )
    if not 2 <= len(rows) <= MOST_POINTS:
        raise Problem(
            f"{len(rows)} samples: expected 2 to {MOST_POINTS:,}.",
            f"{len(rows)} 个样本：应为 2 到 {MOST_POINTS:,} 个。",
        )
    return Table(names, rows)


def column(table: Table, index: int) -> NDArray[np.float64]:
    """Return the numbers of a column; Problem where there is none."""
    values = np.empty(len(table.rows))
    for i, row in enumerate(table.rows):
        if not _is_number(row[index]):
            name, cell = table.names[index], row[index][:30]
            raise Problem(
                f"Column {name}, row {i + 1}: {cell!r} is not a number.",
                f"列 {name} 第 {i + 1} 行：{cell!r} 不是数。",
            )
        values[i] = float(row[index])
    return values


def target(table: Table, index: int) -> tuple[NDArray, list[str]]:
    """Return the number of each sample's class and the classes' names; or numbers, and no names.

    Whole numbers, if there are ten or fewer of them, are classes, and so is all that is no number.
    """
    cells = [row[index] for row in table.rows]
    names = sorted(set(cells), key=lambda cell: (not _is_number(cell), _order(cell)))
    are_numbers = all(map(_is_number, names))
    if are_numbers:
        values = column(table, index)
        is_whole = bool((values == np.round(values)).all())
        if not is_whole or len(set(values.tolist())) > MOST_CLASSES:
            return values, []
        found, y = np.unique(values, return_inverse=True)
        names = [f"{value:g}" for value in found]
    else:
        y = np.array([names.index(cell) for cell in cells])
    if not 2 <= len(names) <= MOST_CLASSES:
        raise Problem(
            f"The target has {len(names)} classes: expected 2 to {MOST_CLASSES}.",
            f"目标列有 {len(names)} 个类别：应为 2 到 {MOST_CLASSES} 个。",
        )
    return y, [name[:40] for name in names]


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and abs(float(cell)) < 1e100
    except ValueError:
        return False


def _order(cell: str) -> tuple[float, str]:
    return (float(cell) if _is_number(cell) else 0.0), cell
