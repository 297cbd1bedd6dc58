"""Numbers written into formulas, as LaTeX."""

from collections.abc import Iterable
from typing import Any

import numpy as np


def num(value: float) -> str:
    """Return a number to four significant digits."""
    value = float(value)
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.4g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    return rf"{float(mantissa):g} \times 10^{{{int(exponent)}}}"


def signed(value: float) -> str:
    """Return a number, in brackets if it is below 0: to stand after an operator."""
    return f"({num(value)})" if value < 0 else num(value)


def row(values: Iterable[float]) -> str:
    """Return numbers in brackets."""
    inside = r",\ ".join(num(v) for v in values)
    return f"({inside})"


def matrix(values: Any) -> str:
    """Return a matrix, or a column of numbers."""
    rows = np.asarray(values, float)
    lines = rows if rows.ndim == 2 else rows[:, np.newaxis]
    body = r" \\ ".join(" & ".join(num(v) for v in line) for line in lines)
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"


def products(weights: Iterable[float], inputs: Iterable[float]) -> str:
    """Return w0 x0 + w1 x1 + ... with the numbers put in."""
    pairs = zip(weights, inputs, strict=True)
    return " + ".join(rf"{signed(w)} \cdot {signed(x)}" for w, x in pairs)
