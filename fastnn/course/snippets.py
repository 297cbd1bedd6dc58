"""Lines of the python back end, as they stand in its source: what computes a formula."""

import inspect
import textwrap
from functools import cache
from pathlib import PurePath
from typing import Any

from ..backends import python
from .lesson_texts import formulas


@cache
def snippet(number: str) -> str:
    """Return the lines that compute a formula, or "" if the back end has no use for it.

    Raises
    ------
    LookupError
        If the source has no such lines any more: `formulas.toml` then has to follow it.
    """
    code = formulas()[number].code
    if code is None:
        return ""
    function, first, last = code
    target = _found(number, function)
    lines = inspect.getsource(target).splitlines()
    begin = next((i for i, line in enumerate(lines) if first in line), None)
    if begin is None:
        raise LookupError(f"({number}): {function} has no line with {first!r}")
    end = len(lines) - 1
    if last:
        found = (i for i, line in enumerate(lines) if i >= begin and _is_last(line, last))
        end = next(found, -1)
    if end < 0:
        raise LookupError(f"({number}): {function} has no line with {last!r} after {first!r}")
    return textwrap.dedent("\n".join(lines[begin : end + 1]))


def place(number: str) -> str:
    """Return file and function of the lines that `snippet` returns."""
    code = formulas()[number].code
    assert code is not None
    target = _found(number, code[0])
    file = PurePath(inspect.getsourcefile(target) or "").name
    return f"fastnn/backends/python/{file}, {target.__name__}"


def _found(number: str, function: str) -> Any:
    target: Any = python
    for name in function.split("."):
        target = getattr(target, name, None)
    if target is None:
        raise LookupError(f"({number}): the python back end has no {function}")
    return target


def _is_last(line: str, mark: str) -> bool:
    """Say whether a line ends a snippet; a bracket has to stand alone."""
    return line.strip() == mark if mark in "])" else mark in line
