"""Checks of data: each error names the argument, what is wrong and what is accepted."""

import math
from collections.abc import Iterable, Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, column_or_1d, validate_data

from .backends.compressed import CompressedRows, Table
from .backends.interface import ImageDistortion
from .backends.rows import Loss
from .parameters import FRACTION, Range, check_real, is_integer, is_real, shown
from .sparse import canonical_csr, compressed_rows, place_of, values_of

# The Gaussian's weights are an array of six times as many.
SIGMA = Range("a number above 0, at most 10,000 pixels", lambda value: 0 < value <= 10_000)
ALPHA = Range("a finite number, from -1e6 to 1e6", lambda value: abs(value) <= 1e6)


def check_distortion(
    distortion: Any, X: Table, targets: NDArray, n_classes: int
) -> tuple[ImageDistortion | None, NDArray[np.float64]]:
    """Return the distortion in Python's numbers, and the largest angle of each sample in radians.

    Parameters
    ----------
    n_classes : int
        0 for a regression.

    Raises
    ------
    ValueError
        If X is no images of bytes of the distortion's size, or a number is out of range.
    """
    if distortion is None:
        return None, np.empty(0)
    if not isinstance(distortion, ImageDistortion):
        raise ValueError(f"distortion={shown(distortion)}: expected None or an ImageDistortion")
    if isinstance(X, CompressedRows):
        raise ValueError(
            "distortion: X is sparse, and a distorted image is not; expected an array of images"
        )
    h, w, rotation = distortion[:3]
    if not (is_integer(h) and is_integer(w) and h > 0 and int(h) * int(w) == X.shape[1]):
        raise ValueError(
            f"distortion: images of height={shown(h)} and width={shown(w)}; expected integers "
            f"whose product is the {X.shape[1]} features of X"
        )
    if X.dtype != np.uint8:
        raise ValueError(f"distortion: expected X of uint8, from 0 to 255, got {X.dtype}")
    scaling = check_real("distortion: scaling", distortion.scaling, FRACTION)
    sigma = check_real("distortion: sigma", distortion.sigma, SIGMA)
    alpha = check_real("distortion: alpha", distortion.alpha, ALPHA)
    several = isinstance(rotation, (tuple, list))
    angles = list(rotation) if isinstance(rotation, (tuple, list)) else [rotation]
    if not (angles and all(is_real(angle) for angle in angles)):
        raise ValueError(
            f"distortion: rotation={shown(rotation)}: expected finite numbers of degrees"
        )
    angles = [float(angle) for angle in angles]
    if several and (n_classes == 0 or len(angles) < n_classes):
        raise ValueError(
            f"distortion: rotation has {len(angles)} angles; expected one number, or one for each "
            f"of {n_classes} classes"
        )
    rotation = tuple(angles) if several else angles[0]
    checked = ImageDistortion(int(h), int(w), rotation, scaling, sigma, alpha)
    if not several:
        return checked, np.full(len(X), math.radians(angles[0]))
    by_column = targets.shape[1] > 1
    labels = targets.argmax(axis=1) if by_column else targets[:, 0].clip(0).astype(np.int64)
    return checked, np.radians(angles)[labels]


def auto_dtype(X: Any) -> np.dtype:
    """Return float32 for an array or a table of float32 or bytes, else float64."""
    dtypes = dtypes_of(X)
    small = bool(dtypes) and all(_name(dtype) in ("float32", "uint8") for dtype in dtypes)
    return np.dtype(np.float32 if small else np.float64)


def dtypes_of(X: Any) -> list:
    """Return the dtype of an array, or those of a table's columns; none for lists."""
    if hasattr(X, "dtype"):
        return [X.dtype]
    dtypes = getattr(X, "dtypes", ())
    return list(dtypes) if isinstance(dtypes, Iterable) else []


def _name(dtype: Any) -> str:
    """Return a dtype's name, in lower case: NumPy's, whatever the byte order, or another's."""
    if isinstance(dtype, np.dtype):  # most often; NumPy takes a while to make a dtype's name
        return dtype.type.__name__
    dtype = getattr(dtype, "numpy_dtype", dtype)  # of pandas' own dtypes
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2].lower()


def check_X(
    estimator: Any,
    X: Any,
    dtype: np.dtype,
    *,
    reset: bool,
    name: str = "X",
    all_finite: bool = True,
) -> Table:
    """Return inputs as a finite C-contiguous matrix of `dtype`; bytes stay bytes.

    One of SciPy's sparse tables stays sparse.

    Parameters
    ----------
    reset : bool
        Whether to store the number of features, or to compare with the stored one.
    all_finite : bool
        Whether to see that all values are finite; else `check_finite` is the caller's to call.

    Raises
    ------
    ValueError
        If X is not a matrix with samples and features, is complex, not numeric, masked or not
        finite, has another number of features than `fit` saw, or is sparse with arrays that are
        no table.
    TypeError
        If X holds objects that are no numbers.
    """
    if _is_ready(estimator, X, dtype, reset):
        if reset:
            estimator.n_features_in_ = X.shape[1]
        if all_finite:
            check_finite(name, X, dtype)
        return X
    _refuse_masked(name, X)
    is_bytes = bool(dtypes_of(X)) and all(_name(found) == "uint8" for found in dtypes_of(X))
    is_table = not hasattr(X, "dtype")  # its bytes may have gaps, that are NaN as reals
    accepted = np.dtype(np.uint8) if is_bytes and not is_table else dtype
    try:
        _refuse_dates(name, X)
        X = canonical_csr(X) if issparse(X) else X
        with np.errstate(over="ignore"):
            found = validate_data(
                estimator,
                X,
                reset=reset,
                accept_sparse="csr",
                dtype=[accepted],
                order="C",
                ensure_all_finite=False,
            )
    except (TypeError, ValueError, OverflowError) as error:
        if isinstance(error, TypeError) and not _has_gaps(X):  # scikit-learn's contract
            raise TypeError(f"{name}: {error}") from None
        raise ValueError(f"{name}: {_explained(error, X)}") from None
    found = compressed_rows(found) if issparse(found) else found
    if all_finite or is_bytes:
        check_finite(name, found, dtype)
    return found.astype(np.uint8) if is_bytes and is_table else found


def _explained(error: Exception, X: Any) -> str:
    """Return what NumPy or scikit-learn found wrong with X, and the way out where there is one."""
    text = str(error)
    if "could not convert string" in text:
        return f"{text}; encode columns of words first, as by scikit-learn's OneHotEncoder"
    if "inhomogeneous" in text and isinstance(X, (list, tuple)):
        lengths = [len(row) if isinstance(row, Sized) else 1 for row in X]
        for row, length in enumerate(lengths):
            if length != lengths[0]:
                return f"row {row} has length {length}, row 0 has {lengths[0]}; expected the same"
    return text


def _is_ready(estimator: Any, X: Any, dtype: np.dtype, reset: bool) -> bool:
    """Say whether X is plainly right but for its values: checks that take a microsecond."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and (X.dtype == dtype or X.dtype == np.uint8)
        and X.flags.c_contiguous
        and X.size > 0
        and (reset or X.shape[1] == estimator.n_features_in_)
        and not hasattr(estimator, "feature_names_in_")
    )


def check_scaled(name: str, X: Table, scale: float, dtype: np.dtype) -> None:
    """Raise ValueError if inputs times `input_scale` are too large for `dtype`."""
    if abs(scale) <= 1:
        return
    values = values_of(X)
    largest = max(float(values.max(initial=0)), -float(values.min(initial=0)))
    if not largest * abs(scale) <= float(np.finfo(dtype).max):
        raise ValueError(
            f"{name}: its largest value, {largest:.6g}, times input_scale={scale!r} is too large "
            f"for {dtype}; expected finite products"
        )


def check_y(y: Any, X: Sized, name: str = "y") -> NDArray:
    """Return targets as an array of one or two dimensions, as long as X.

    Raises
    ------
    ValueError
        If y is None, has another shape or length, is masked, or holds missing values or numbers
        that are not finite.
    """
    if y is None:
        raise ValueError(
            f"{name}: this estimator requires y to be passed, but the target y is None"
        )
    _refuse_masked(name, y)
    if type(y) is not np.ndarray or y.dtype.kind not in "iuf" or y.size == 0:
        try:
            y = check_array(
                _plain(y),
                dtype=None,
                ensure_2d=False,
                allow_nd=True,
                ensure_all_finite=False,
                input_name=name,
            )
        except (TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"{name}: {error}") from None
    if y.ndim not in (1, 2):
        raise ValueError(f"{name}: expected 1 or 2 dimensions, got shape {y.shape}")
    if len(y) != len(X):
        raise ValueError(
            f"{name}: X has {len(X)} samples but {name} has {len(y)}; expected as many"
        )
    if y.dtype.kind == "c":
        raise ValueError(f"{name}: Complex data not supported; expected real numbers")
    if y.dtype.kind == "T":  # NumPy's strings of any length
        y = y.astype(object)
    if y.dtype.kind == "f":
        check_finite(name, y, y.dtype)
    elif y.dtype.kind in "OMm":
        _refuse_gaps(name, y)
    return y


def _plain(y: Any) -> Any:
    """Return targets so that NumPy keeps what they are: no number becomes a string or a float."""
    if isinstance(y, (list, tuple)):
        found = np.asarray(y)
        return np.asarray(y, object) if found.dtype.kind in "US" else found
    dtype = getattr(getattr(y, "dtype", None), "numpy_dtype", None)  # pandas' integers and bools
    if isinstance(dtype, np.dtype) and dtype.kind in "biu" and not y.isna().any():
        return y.to_numpy(dtype)
    return y


def class_labels(y: NDArray, name: str = "y") -> NDArray:
    """Return labels as one column of numbers, strings or dates; ValueError if they are not."""
    if y.ndim == 1 and y.dtype.kind in "iub":  # classes without a doubt
        return y
    try:
        y = column_or_1d(y, warn=True)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if y.dtype.kind == "f" and (y != np.floor(y)).any():
        raise ValueError(
            f"{name}: Unknown label type: continuous, such as {shown(y[y != np.floor(y)][0])}; "
            "expected classes, not real numbers"
        )
    if y.dtype.kind not in "OUMmfiub":
        raise ValueError(
            f"{name}: Unknown label type: {y.dtype}; expected labels that are numbers or strings"
        )
    if y.dtype.kind != "O" or all(isinstance(label, str) for label in y):
        return y
    kinds = sorted({type(label).__name__ for label in y})
    if all(isinstance(label, (int, np.bool_, np.integer)) or is_real(label) for label in y):
        return class_labels(np.array(y.tolist()), name) if _fit_numpy(y) else y
    raise ValueError(
        f"{name}: Unknown label type: {shown(', '.join(kinds))}; expected labels that are all "
        "numbers or all strings"
    )


def label_matrix(y: NDArray, name: str = "y") -> NDArray[np.int64]:
    """Return several labels per sample, a column of 0 and 1 for each; ValueError if not so."""
    if y.dtype.kind not in "biuf" or not ((y == 0) | (y == 1)).all():
        raise ValueError(
            f"{name}: Unknown label type: {y.shape[1]} columns that are not all 0 or 1; expected "
            "one class per sample, or a column of 0 and 1 for each label"
        )
    return y.astype(np.int64)


def _fit_numpy(labels: NDArray) -> bool:
    """Say whether NumPy has a number type for Python's numbers: it has none for huge integers."""
    return np.array(labels.tolist()).dtype.kind in "biuf"


def unique_labels(y: NDArray) -> NDArray:
    """Return the labels that there are, sorted, as `np.unique` does.

    Two of them, and whole numbers that lie close together, are found in a tenth of its time.
    """
    if y.dtype.kind not in "iuf":
        return np.unique(y)
    least, most = y.min(), y.max()
    if ((y == least) | (y == most)).all():
        return np.array([least, most][: 1 + (least < most)], y.dtype)
    # Within which all differences are exact.
    exact = 2 ** np.finfo(y.dtype).nmant if y.dtype.kind == "f" else np.iinfo(y.dtype).max
    room = min(len(y), exact)
    if int(most) - int(least) > room:
        return np.unique(y)
    is_there = np.zeros(int(most) - int(least) + 1, bool)
    is_there[(y - least).astype(np.intp, copy=False)] = True
    return np.flatnonzero(is_there).astype(y.dtype) + least


def class_index(y: NDArray, classes: NDArray, name: str = "y") -> NDArray[np.int64]:
    """Return where each label stands in the sorted classes; ValueError if one is not there."""
    try:
        if _sort(y) == _sort(classes):
            if len(classes) == 2:  # a search takes ten times as long
                is_second = y == classes[1]
                if (is_second | (y == classes[0])).all():
                    return is_second.astype(np.int64)
            index = np.searchsorted(classes, y)
            index[index == len(classes)] = 0
            if (classes[index] == y).all():
                return index
    except TypeError:  # numbers and strings in one array of objects
        pass
    known, labels = classes.tolist(), y.tolist()
    row = next((i for i, label in enumerate(labels) if label not in known), 0)  # else all are
    raise ValueError(
        f"{name}: {shown(labels[row])} at row {row}; expected labels among {shown(known)}"
    )


def _sort(labels: NDArray) -> str:
    """Return what labels are: as strings, numbers would equal their digits."""
    is_text = labels.dtype.kind == "U" or (labels.dtype.kind == "O" and isinstance(labels[0], str))
    return "text" if is_text else labels.dtype.kind if labels.dtype.kind in "Mm" else "number"


def target_columns(
    n_samples: int, n_columns: int, fill: float, dtype: np.dtype, name: str = "y"
) -> NDArray:
    """Return targets (n_samples, n_columns); MemoryError says what is too large."""
    try:
        return np.full((n_samples, n_columns), fill, dtype)
    except (MemoryError, ValueError):
        gigabytes = n_samples * n_columns * dtype.itemsize / 1e9
        raise MemoryError(
            f"{name}: {n_samples} samples of {n_columns} classes are {gigabytes:.3g} GB of "
            "targets; expected fewer classes, or a loss that takes their indices"
        ) from None


def real_targets(y: NDArray, dtype: np.dtype, name: str = "y") -> NDArray:
    """Return targets of a regression as (n_samples, n_outputs); ValueError if not numbers."""
    targets = as_reals(name, y, dtype)
    return targets[:, np.newaxis] if y.ndim == 1 else targets


def check_targets(targets: NDArray, loss: Loss, name: str = "y") -> NDArray:
    """Return targets of a regression; ValueError if a loss does not take them."""
    least, most = {"count": (0, math.inf), "fraction": (0, 1), "sign": (-1, 1)}.get(
        loss.targets, (-math.inf, math.inf)
    )
    if targets.min() < least or targets.max() > most:
        raise ValueError(
            f"{name}: found {shown(float(targets.min()))} to {shown(float(targets.max()))}; "
            f"loss={loss.name!r} takes numbers from {least} to {most}"
        )
    return targets


def check_weights(weights: Any, X: Sized, dtype: np.dtype) -> NDArray | None:
    """Return the weight of each sample, None if all count alike; ValueError if they are wrong."""
    found = weights_of_part(weights, X, dtype)
    if found is None:
        return None
    with np.errstate(over="ignore"):
        total = float(found.sum())
    if not 0 < total < np.inf:
        what = "every weight is zero" if total == 0 else "their sum is infinite"
        raise ValueError(f"sample_weight: {what}; expected a finite sum above 0")
    return found


def weights_of_part(weights: Any, X: Sized, dtype: np.dtype) -> NDArray | None:
    """Return the weights of samples that are not all: they may be 0 altogether."""
    name = "sample_weight"
    if weights is None:
        return None
    found = as_reals(name, weights, dtype)
    if found.shape != (len(X),):
        raise ValueError(f"{name}: expected shape ({len(X)},), one per sample, got {found.shape}")
    if found.min() < 0:
        raise ValueError(f"{name}: found {shown(float(found.min()))}; expected no negative ones")
    return found


def counted(weights: NDArray | None, *arrays: Table) -> tuple[Any, ...]:
    """Return weights and arrays without the samples whose weight is 0."""
    if weights is None or weights.all():
        return weights, *arrays
    counts = weights > 0
    return weights[counts], *(array[counts] for array in arrays)


def as_reals(name: str, values: ArrayLike, dtype: np.dtype) -> NDArray:
    """Return a new finite C-contiguous array of `dtype`.

    Raises
    ------
    ValueError
        If the values are not real numbers, are masked, or are too large for `dtype`.
    """
    _refuse_masked(name, values)
    try:
        _refuse_dates(name, values)
        found = np.asarray(values)
        if found.dtype.kind == "c":
            raise ValueError("complex numbers")
        with np.errstate(over="ignore"):
            reals = found.astype(dtype, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: expected real numbers, got {shown(values)}: {error}") from None
    check_finite(name, reals, dtype)
    return reals


def check_finite(name: str, table: Table, dtype: np.dtype, first: int = 0) -> None:
    """Raise ValueError, which names the first place, unless all values are finite.

    The table's first row is row `first` of what the user gave.
    """
    values = values_of(table)
    if values.dtype.kind != "f" or _has_finite_sum(values) or np.isfinite(values).all():
        return
    place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
    what = "NaN" if np.isnan(values[place]) else "infinity"
    if isinstance(table, CompressedRows):
        place = place_of(table, *place)
    place = place[0] + first, *place[1:]
    raise ValueError(
        f"{name}: contains {what} (or a value too large for {dtype}, i.e. inf), first at index "
        f"{place}; every value must be finite"
    )


def _has_finite_sum(values: NDArray) -> bool:
    """Say whether a sum is finite, and so each value; a sum that overflows says nothing."""
    if values.size <= 8192:  # of squares: a microsecond less, and no threads of BLAS yet
        return math.isfinite(np.vdot(values, values))
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(np.add.reduce(values.ravel(order="K")))


def _refuse_masked(name: str, values: Any) -> None:
    if isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values):
        raise ValueError(
            f"{name}: {np.ma.count_masked(values)} values are masked; expected none: fill them or "
            "leave their samples out"
        )


def _refuse_dates(name: str, values: Any) -> None:
    """Raise ValueError for dates and durations, which NumPy would count in its own units."""
    dtypes = dtypes_of(values)
    if isinstance(values, (list, tuple)):
        dtypes = [np.asarray(values).dtype]
    for dtype in dtypes:
        if _name(dtype).startswith(("date", "time", "duration")):
            raise ValueError(f"dates or durations ({dtype}); expected numbers")


def _refuse_gaps(name: str, values: NDArray) -> None:
    """Raise ValueError for a missing value among objects or dates."""
    for place, value in np.ndenumerate(values):
        if _is_gap(value):
            where = place[0] if len(place) == 1 else place
            raise ValueError(
                f"{name}: contains a missing value, {shown(value)}, first at index {where}; "
                "expected a value for each sample"
            )


def _has_gaps(values: Any) -> bool:
    try:
        return any(_is_gap(value) for value in np.asarray(values, object).flat)
    except ValueError:  # ragged lists
        return False


def _is_gap(value: Any) -> bool:
    """Say whether a value stands for a missing one: None, NaN, NaT or pandas' NA."""
    if value is None or value is np.ma.masked:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # NA is neither; an array has several answers
        return type(value).__name__ == "NAType"
