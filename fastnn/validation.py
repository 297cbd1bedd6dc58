"""Checks of user input: each error names the argument, what is wrong and what is accepted."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array, validate_data

from .backends.interface import ImageDistortion
from .backends.threads import default_threads

DTYPES = {"float32": np.dtype(np.float32), "float64": np.dtype(np.float64)}


def check_dtype(dtype: Any) -> np.dtype:
    """Return a real dtype; ValueError if it is another."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in DTYPES.values():
        raise ValueError(f"dtype={dtype!r}: expected 'float32' or 'float64'")
    return found


def check_scale(scale: float) -> float:
    """Return `input_scale`; ValueError if it is 0 or not finite."""
    if not (math.isfinite(scale) and scale != 0):  # NumPy's takes 0.4 microseconds longer
        raise ValueError(f"input_scale={scale!r}: expected a finite number, not 0")
    return float(scale)


def check_positive(name: str, value: Any) -> None:
    """Raise ValueError unless a parameter is a finite number above 0."""
    if not (is_real(value) and value > 0):
        raise ValueError(f"{name}={value!r}: expected a number above 0")


def check_distortion(distortion: Any, X: NDArray, targets: NDArray) -> NDArray[np.float64]:
    """Return the largest angle of each sample in radians, none without a distortion.

    Raises
    ------
    ValueError
        If X is no images of bytes of the distortion's size, or a number is out of range.
    """
    if distortion is None:
        return np.empty(0)
    if not isinstance(distortion, ImageDistortion):
        raise ValueError(f"distortion={distortion!r}: expected None or an ImageDistortion")
    h, w, rotation, scaling, sigma, alpha = distortion
    if not (is_integer(h) and is_integer(w) and h > 0 and h * w == X.shape[1]):
        raise ValueError(
            f"distortion: images of height={h!r} and width={w!r}; expected integers whose product "
            f"is the {X.shape[1]} features of X"
        )
    if X.dtype != np.uint8:
        raise ValueError(f"distortion: expected X of uint8, from 0 to 255, got {X.dtype}")
    if not (is_real(scaling) and 0 <= scaling < 1):
        raise ValueError(f"distortion: scaling={scaling!r}: expected a number from 0 to below 1")
    check_positive("distortion: sigma", sigma)
    if not is_real(alpha):
        raise ValueError(f"distortion: alpha={alpha!r}: expected a finite number")
    is_tuple = isinstance(rotation, (tuple, list))
    angles = np.array(rotation if is_tuple else [rotation], object)
    if not (len(angles) and all(is_real(angle) for angle in angles)):
        raise ValueError(f"distortion: rotation={rotation!r}: expected finite numbers of degrees")
    if not is_tuple:
        return np.full(len(X), np.radians(float(angles[0])))
    several = targets.shape[1] > 1
    labels = targets.argmax(axis=1) if several else targets[:, 0].astype(np.int64)
    n_classes = targets.shape[1] if several else int(labels.max()) + 1
    if len(angles) < n_classes:
        raise ValueError(
            f"distortion: rotation has {len(angles)} angles; expected one number, or one for each "
            f"of {n_classes} classes"
        )
    return np.radians(angles.astype(np.float64))[labels]


def check_n_jobs(n_jobs: int | None) -> int:
    """Return the number of threads, see `default_threads` for None; ValueError if below 1."""
    if n_jobs is None:
        return default_threads()
    if not is_integer(n_jobs) or n_jobs < 1:
        raise ValueError(f"n_jobs={n_jobs!r}: expected None or an integer of 1 or above")
    return int(n_jobs)


def check_batch_size(size: int | str, n_samples: int) -> int:
    """Return the batch size, at most `n_samples`; ValueError if it is no size."""
    if size == "full":
        return n_samples
    if size == "auto":
        return min(200, n_samples)
    if isinstance(size, str) or not is_integer(size) or size < 1:
        raise ValueError(
            f"batch_size={size!r}: expected 'auto', 'full' or an integer of 1 or above"
        )
    return min(int(size), n_samples)


def is_integer(value: Any) -> bool:
    """Say whether a value is an integer of Python or NumPy, and not a bool."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Say whether a value is a finite real number of Python or NumPy, and not a bool."""
    return (
        isinstance(value, (int, float, np.integer, np.floating))
        and not isinstance(value, bool)
        and bool(np.isfinite(value))
    )


def check_X(estimator: Any, X: Any, dtype: np.dtype, *, reset: bool) -> NDArray:
    """Return inputs as a finite C-contiguous matrix of `dtype`; bytes stay bytes.

    Parameters
    ----------
    reset : bool
        Whether to store the number of features, or to compare with the stored one.

    Raises
    ------
    ValueError
        If X is not a matrix with samples and features, is complex, not numeric or not finite,
        or has another number of features than `fit` saw.
    """
    if not reset and _is_ready(estimator, X, dtype):
        _check_finite("X", X, dtype)
        return X
    accepted = [dtype] if getattr(X, "dtype", None) != np.uint8 else [np.uint8]
    try:
        X = validate_data(
            estimator, X, reset=reset, dtype=accepted, order="C", ensure_all_finite=False
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"X: {error}") from None
    _check_finite("X", X, dtype)
    return X


def _is_ready(estimator: Any, X: Any, dtype: np.dtype) -> bool:
    """Say whether X is plainly right but for its values: checks that take a microsecond."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and (X.dtype == dtype or X.dtype == np.uint8)
        and X.flags.c_contiguous
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and not hasattr(estimator, "feature_names_in_")
    )


def check_y(y: Any, X: NDArray, name: str = "y") -> NDArray:
    """Return targets as an array of one or two dimensions, as long as X.

    Raises
    ------
    ValueError
        If y is None, has another shape or length, or holds numbers that are not finite.
    """
    if y is None:
        raise ValueError(
            f"{name}: this estimator requires y to be passed, but the target y is None"
        )
    if type(y) is not np.ndarray or y.dtype.kind not in "iuf" or y.size == 0:
        try:
            y = check_array(
                y,
                dtype=None,
                ensure_2d=False,
                allow_nd=True,
                ensure_all_finite=False,
                input_name=name,
            )
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    if y.ndim not in (1, 2):
        raise ValueError(f"{name}: expected 1 or 2 dimensions, got shape {y.shape}")
    if len(y) != len(X):
        raise ValueError(
            f"{name}: X has {len(X)} samples but {name} has {len(y)}; expected as many"
        )
    if y.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported; expected real numbers")
    if y.dtype.kind == "f":
        _check_finite(name, y, y.dtype)
    return y


def real_targets(y: NDArray, dtype: np.dtype) -> NDArray:
    """Return targets of a regression as (n_samples, n_outputs); ValueError if not numbers."""
    try:
        targets = y.astype(dtype, order="C")
    except (TypeError, ValueError):
        raise ValueError(f"y: expected real numbers, got {y.dtype} such as {y.flat[0]!r}") from None
    return targets[:, np.newaxis] if y.ndim == 1 else targets


def _check_finite(name: str, values: NDArray, dtype: np.dtype) -> None:
    if values.dtype.kind != "f" or np.isfinite(np.sum(values)) or np.isfinite(values).all():
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
    what = "NaN" if np.isnan(values[place]) else "infinity"
    raise ValueError(
        f"{name}: contains {what} (or a value too large for {dtype}, i.e. inf), first at index "
        f"{place}; every value must be finite"
    )
