"""Checks of parameters: each error names the argument, what is wrong and what is accepted."""

import difflib
import math
from collections.abc import Callable, Collection, Iterable, Mapping, Set
from typing import Any, NamedTuple

import numpy as np

from .backends.threads import default_threads

FLOAT32: np.dtype = np.dtype(np.float32)
FLOAT64: np.dtype = np.dtype(np.float64)
DTYPES = {"float32": FLOAT32, "float64": FLOAT64}
BUFFER_BYTES = 2**26
BYTES_PER_SAMPLE = 64  # beside its inputs: its place in the order, and what that is sorted by


class Range(NamedTuple):
    """The numbers that a parameter may take."""

    expected: str
    holds: Callable[[float], bool]


FINITE = Range("a finite number", lambda value: True)
NOT_0 = Range("a finite number, not 0", lambda value: value != 0)
ABOVE_0 = Range("a number above 0", lambda value: value > 0)
NOT_BELOW_0 = Range("a number of 0 or above", lambda value: value >= 0)
FRACTION = Range("a number from 0 to below 1", lambda value: 0 <= value < 1)
BETWEEN_0_AND_1 = Range("a number between 0 and 1", lambda value: 0 < value < 1)
UP_TO_1 = Range("a number from 0 to 1", lambda value: 0 <= value <= 1)
FACTOR = Range("a number above 0, at most 1", lambda value: 0 < value <= 1)


def shown(value: Any) -> str:
    """Return a value as an error message shows it: in one line of at most 100 characters."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # such as an integer of more digits than Python prints
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 100 else f"{text[:80]}... ({type(value).__name__})"


def is_integer(value: Any) -> bool:
    """Say whether a value is an integer of Python or NumPy, and not a bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Say whether a value is a real number of Python or NumPy that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:  # an integer of more than 308 digits
        return False


def check_real(name: str, value: Any, range_: Range, dtype: np.dtype = FLOAT64) -> float:
    """Return a number as a float; ValueError unless it is in a range, as `dtype` holds it too."""
    if not (is_real(value) and range_.holds(float(value))):
        raise ValueError(f"{name}={shown(value)}: expected {range_.expected}")
    if dtype == FLOAT64:
        return float(value)
    with np.errstate(over="ignore", under="ignore"):
        stored = float(dtype.type(value))
    if not (math.isfinite(stored) and range_.holds(stored)):
        raise ValueError(
            f"{name}={shown(value)} is {stored} in {dtype}: expected {range_.expected}, or "
            "dtype='float64'"
        )
    return float(value)


def check_integer(name: str, value: Any, least: int) -> int:
    """Return an integer; ValueError if it is none, or below `least`."""
    if not is_integer(value) or value < least:
        raise ValueError(f"{name}={shown(value)}: expected an integer of {least} or above")
    return int(value)


def check_count(name: str, value: Any, least: int) -> float:
    """Return an integer, or infinity; ValueError if it is neither, or below `least`."""
    if isinstance(value, float) and value == math.inf:
        return value
    if not is_integer(value) or value < least:
        raise ValueError(
            f"{name}={shown(value)}: expected an integer of {least} or above, or infinity"
        )
    return int(value)


def check_verbose(value: Any) -> int:
    """Return how much to show: 0 nothing, 1 a bar, more a line per epoch; ValueError if neither."""
    if isinstance(value, (bool, np.bool_)) or (is_integer(value) and value >= 0):
        return int(value)
    raise ValueError(f"verbose={shown(value)}: expected True, False or an integer of 0 or above")


def check_flag(name: str, value: Any) -> bool:
    """Return a bool; ValueError unless it is one, of Python or NumPy, or 0 or 1."""
    if isinstance(value, (bool, np.bool_)) or (is_integer(value) and 0 <= value <= 1):
        return bool(value)
    raise ValueError(f"{name}={shown(value)}: expected True or False")


def check_choice(name: str, value: Any, choices: Collection[str]) -> str:
    """Return a string; ValueError if it is not one of the choices."""
    if isinstance(value, str) and value in choices:
        return value
    known = ", ".join(repr(choice) for choice in choices)
    hint = did_you_mean(value, choices)
    expected = f"{hint} Expected" if hint else "expected"
    raise ValueError(f"{name}={shown(value)}: {expected} one of {known}")


def did_you_mean(value: Any, choices: Iterable[str]) -> str:
    """Return a question that names the choice spelled most alike, or "" if none is near."""
    if not isinstance(value, str):
        return ""
    spelled = {choice.lower(): choice for choice in choices}
    near = difflib.get_close_matches(value[:100].lower(), spelled, n=1)
    return f"did you mean {spelled[near[0]]!r}?" if near else ""


def check_sequence(name: str, values: Any, expected: str) -> list:
    """Return the items of a list, tuple, array or series; ValueError if it is nothing ordered."""
    items = None
    if hasattr(values, "__len__") and not isinstance(values, (str, bytes, Mapping, Set)):
        try:
            items = list(values)
        except TypeError:  # an array without dimensions
            items = None
    if items is None:
        raise ValueError(f"{name}={shown(values)}: expected {expected}")
    return items


def check_dtype(dtype: Any) -> np.dtype:
    """Return a real dtype; ValueError if it is another."""
    found: np.dtype | None = None
    if isinstance(dtype, (str, type, np.dtype)):
        try:
            found = np.dtype(dtype)
        except (TypeError, ValueError, SyntaxError):
            found = None
    if found is None or found not in (FLOAT32, FLOAT64):
        raise ValueError(f"dtype={shown(dtype)}: expected 'float32' or 'float64'")
    return found


def check_scale(scale: Any, dtype: np.dtype) -> float:
    """Return `input_scale`; ValueError if it is 0 or not finite, also in `dtype`."""
    if isinstance(scale, float) and 1e-30 < abs(scale) < 1e30:  # soon answered: it is usual
        return float(scale)
    return check_real("input_scale", scale, NOT_0, dtype)


def check_n_jobs(n_jobs: Any) -> int:
    """Return the number of threads; ValueError if it is none.

    None is what `default_threads` says, as is -1; as in joblib, -2 is one less, and so on.
    """
    if n_jobs is None:
        return default_threads()
    if not is_integer(n_jobs) or n_jobs == 0:
        raise ValueError(
            f"n_jobs={shown(n_jobs)}: expected None, an integer of 1 or above, or -1 for all "
            "processors (-2 for all but one, ...)"
        )
    n_threads = int(n_jobs)
    return n_threads if n_threads > 0 else max(1, default_threads() + 1 + n_threads)


def check_batch_size(size: Any, n_samples: int) -> int:
    """Return the batch size, at most `n_samples`; ValueError if it is no size."""
    if isinstance(size, str) and size in ("full", "auto"):
        return n_samples if size == "full" else min(200, n_samples)
    if not is_integer(size) or size < 1:
        raise ValueError(
            f"batch_size={shown(size)}: expected 'auto', 'full' or an integer of 1 or above"
        )
    return min(int(size), n_samples)


def check_buffer_size(size: Any, n_features: int, itemsize: int) -> int:
    """Return how many samples a window has; ValueError if `buffer_size` is no size."""
    if isinstance(size, str) and size == "auto":
        return max(1, BUFFER_BYTES // (n_features * itemsize + BYTES_PER_SAMPLE))
    if not is_integer(size) or size < 1:
        raise ValueError(f"buffer_size={shown(size)}: expected 'auto' or an integer of 1 or above")
    return int(size)


def check_hidden_sizes(sizes: Any) -> tuple[int, ...]:
    """Return the units of each hidden layer; ValueError unless they are integers above 0."""
    if is_integer(sizes):
        sizes = (sizes,)
    expected = "an integer or a sequence of integers, such as (8, 8)"
    if isinstance(sizes, str) and sizes.isidentifier():  # scikit-learn's MLPRegressor begins so
        expected += f"; a loss is not the first argument here, but has a name: loss={shown(sizes)}"
    items = check_sequence("hidden_layer_sizes", sizes, expected)
    for size in items:
        if not is_integer(size) or size < 1:
            raise ValueError(
                f"hidden_layer_sizes: expected integers of 1 or above, got {shown(size)}"
            )
    return tuple(int(size) for size in items)
