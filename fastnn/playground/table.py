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
    """Return the rows of a file of comma-separated (or by semicolon, or tab) values.

    With semicolons numbers may have a decimal comma, if none has a point.
    """
    first = text[: text.find("\n") if "\n" in text else len(text)]
    delimiter = max(";\t,", key=first.count)
    try:
        lines = csv.reader(io.StringIO(text, newline=None), delimiter=delimiter, strict=True)
        rows = [[cell.strip() for cell in row] for row in lines if any(map(str.strip, row))]
    except csv.Error as error:
        raise Problem(
            f"The file cannot be read as CSV: {error}.", f"无法按 CSV 读取此文件：{error}。"
        ) from None
    cells = [cell for row in rows for cell in row]
    if delimiter == ";" and not any("." in cell and _is_number(cell) for cell in cells):
        rows = [[_with_point(cell) for cell in row] for row in rows]
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
            raise _no_number(table, i, index)
        values[i] = float(row[index])
    return values


def _no_number(table: Table, row: int, index: int) -> Problem:
    """Return what is wrong with a cell."""
    cell, where = table.rows[row][index], f"Column {table.names[index]}, row {row + 1}"
    place = f"列 {table.names[index]} 第 {row + 1} 行"
    if not cell:
        return Problem(f"{where} is empty.", f"{place}是空的。")
    shown = repr(cell[:30])
    if _is_number(_with_point(cell)):
        return Problem(
            f"{where}: numbers need a point, not a comma: {shown}.",
            f"{place}：小数点应为“.”，不能用逗号：{shown}。",
        )
    return Problem(f"{where}: {shown} is not a number.", f"{place}：{shown} 不是数。")


def choice(table: Table) -> tuple[int, ...]:
    """Return the columns to begin with: the target is the last, inputs are two others of numbers.

    Where there are no two, columns that have something else in a few rows are taken for them: who
    meant them as inputs is told which cell is wrong.
    """
    last = len(table.names) - 1
    inputs = [index for index in range(last) if _has_numbers(table, index)]
    if len(inputs) < 2:
        inputs = [index for index in range(last) if _is_mostly_numbers(table, index)]
    if not inputs:
        raise Problem(
            "No column of numbers beside the last, the target: one or two are needed as inputs.",
            "除最后一列（目标）外没有数值列：需要一到两列作为输入。",
        )
    return (*inputs[:2], last)


def target(table: Table, index: int) -> tuple[NDArray, list[str]]:
    """Return the number of each sample's class and the classes' names; or numbers, and no names.

    Whole numbers, if there are ten or fewer of them, are classes, and so is all that is no number.
    """
    for i, row in enumerate(table.rows):
        if not row[index]:
            raise _no_number(table, i, index)
    if _has_numbers(table, index):
        values = column(table, index)
        is_whole = bool((values == np.round(values)).all())
        if not is_whole or len(set(values.tolist())) > MOST_CLASSES:
            return values, []
    found, y = np.unique(labels(table, index), return_inverse=True)
    names = [f"{label:g}" if found.dtype.kind == "f" else str(label) for label in found]
    if not 2 <= len(names) <= MOST_CLASSES:
        raise Problem(
            f"The target has {len(names)} classes: expected 2 to {MOST_CLASSES}.",
            f"目标列有 {len(names)} 个类别：应为 2 到 {MOST_CLASSES} 个。",
        )
    return y, names


def labels(table: Table, index: int) -> NDArray:
    """Return the label of each sample's class: a whole number, or a word."""
    if not _has_numbers(table, index):
        return np.array([row[index][:40] for row in table.rows])
    values = column(table, index)
    return values.astype(np.int64) if np.abs(values).max() < 2**53 else values


def _has_numbers(table: Table, index: int) -> bool:
    return all(_is_number(row[index]) for row in table.rows)


def _is_mostly_numbers(table: Table, index: int) -> bool:
    numbers = [row for row in table.rows if _is_number(_with_point(row[index]))]
    return 2 * len(numbers) > len(table.rows)


def _with_point(cell: str) -> str:
    """Return a number with a decimal comma as one with a point; other cells as they are."""
    number = cell.replace(",", ".")
    return number if _is_number(number) else cell


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) and abs(float(cell)) < 1e100
    except ValueError:
        return False
