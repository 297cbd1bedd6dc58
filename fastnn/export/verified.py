"""An export from the first check to the file's name: nothing is left behind that is not right."""

import errno
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import random
from ..files import write_file
from ..parameters import ABOVE_0, FLOAT64, check_flag, check_real, is_integer, shown
from ..validation import as_reals
from .forward import Results, model_results
from .plain import PlainNetwork, describe

TOLERANCES = {"float32": 1e-4, "float64": 1e-9}
N_DRAWN = 256  # samples


class Exported(NamedTuple):
    """What was written.

    Attributes
    ----------
    path : Path
    difference : float
        The largest between the file's values (probabilities, scores, numbers) and the model's, on
        the samples; relative to the model's largest value where that is above 1.
    n_samples : int
        How many samples that is.
    n_bytes : int
        Size of the file.
    details : dict of str to anything
        What else there is to say, such as a format's version; `ties`, if there are any: labels
        that are not the model's, where its own decision is closer than the tolerance.
    """

    path: Path
    difference: float
    n_samples: int
    n_bytes: int
    details: dict[str, Any]


@dataclass(frozen=True)
class Export:
    """An export whose arguments are right.

    Attributes
    ----------
    plain : PlainNetwork
    path : Path
    X : (n_samples, n_features)
        The samples, as the file is to be given them.
    expected : Results
        Of the model.
    tolerance : float
    overwrite : bool
    """

    plain: PlainNetwork
    path: Path
    X: NDArray
    expected: Results
    tolerance: float
    overwrite: bool

    def finish(
        self, content: bytes, run: Callable[[Path, NDArray], Results], **details: Any
    ) -> Exported:
        """Write the file under another name beside its own, run it, and let it have its name.

        Parameters
        ----------
        content : bytes
        run : callable
            What the file at a path gives for samples; the path has no extension to rely on.
        **details
            See `Exported`.

        Raises
        ------
        ValueError
            If it does not give what the model gives.
        OSError
            If it cannot be written; also FileExistsError.
        """
        difference, n_ties = 0.0, 0

        def check(part: Path) -> None:
            nonlocal difference, n_ties
            got = run(part, self.X)
            difference = self.difference(got)
            n_ties = int(np.count_nonzero(self.expected.labels != got.labels))

        try:
            write_file(self.path, content, check=check, replace=self.overwrite)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
                raise
            message = f"no space left for {len(content):,} bytes; nothing was written"
            raise OSError(error.errno, message, str(self.path)) from None
        if n_ties:
            details["ties"] = n_ties
        return Exported(self.path, difference, len(self.X), len(content), details)

    def difference(self, got: Results) -> float:
        """Return the largest difference from the model; ValueError if above the tolerance.

        A label may differ only where the model's own decision is closer than the tolerance.
        """
        difference = difference_of(self.expected.values, got.values)
        if not difference <= self.tolerance:
            raise ValueError(
                f"{self.path}: not written, as it differs from the model by {difference:.3g}; "
                f"expected at most tolerance={self.tolerance:g}"
            )
        if self.expected.labels is not None:
            assert got.labels is not None
            wrong = self.expected.labels != got.labels
            n_wrong = int((wrong & ~self._is_close()).sum())
            if n_wrong:
                raise ValueError(
                    f"{self.path}: not written, as {n_wrong} of {wrong.size} labels are not those "
                    "of the model"
                )
        return difference

    def _is_close(self) -> NDArray[np.bool_]:
        """Say for each label whether rounding may decide on it."""
        values, labels = self.expected.values, self.expected.labels
        assert labels is not None
        if labels.ndim == 2 or values.shape[1] == 1:
            margin = abs(values - self.plain.threshold).reshape(labels.shape)
        else:
            best = np.sort(values, axis=1)[:, -2:]
            margin = best[:, 1] - best[:, 0]
        return margin <= 2 * self.tolerance * max(1.0, float(abs(values).max()))


def difference_of(expected: NDArray, got: NDArray) -> float:
    """Return the largest difference, relative to the largest expected value if that is above 1."""
    if expected.shape != got.shape:
        raise ValueError(f"expected values of shape {expected.shape}, got {got.shape}")
    expected, got = expected.astype(float), got.astype(float)
    return float(abs(got - expected).max() / max(1.0, abs(expected).max()))


def begin(
    model: Any,
    path: str | Path,
    *,
    samples: ArrayLike | None = None,
    input_dtype: Any = None,
    seed: int = 0,
    tolerance: float | None = None,
    overwrite: bool = False,
) -> Export:
    """Check the arguments that all exports have, and what the model says of the samples.

    Parameters
    ----------
    model : Perceptron, LinearNetwork, MLPClassifier, MLPRegressor or Pipeline
        Fitted.
    path : str or Path
    samples : (n_samples, n_features), optional
        On which the file is compared with the model; by default some are drawn.
    input_dtype : {"uint8", "float32", "float64"}, optional
        Of what the file is to be given; by default uint8 if the samples are, else the network's.
    seed : int, default 0
        Of the samples that are drawn.
    tolerance : float, optional
        The largest difference; by default 1e-4 if the network or its input is float32, else 1e-9.
    overwrite : bool, default False
        Whether a file that is there is replaced.

    Raises
    ------
    ValueError
        If one of them is wrong, or the model is not fitted.
    FileExistsError
        If there is a file.
    """
    check_flag("overwrite", overwrite)
    if not is_integer(seed) or not 0 <= seed < 2**64:
        raise ValueError(f"seed={shown(seed)}: expected an integer from 0 to 2**64 - 1")
    if tolerance is not None:
        check_real("tolerance", tolerance, ABOVE_0)
    if input_dtype is None and getattr(samples, "dtype", None) == np.uint8:
        input_dtype = np.uint8
    plain, path = describe(model, input_dtype), Path(path)
    if not overwrite and os.path.lexists(path):
        message = "the file is there; overwrite=True replaces it"
        raise FileExistsError(errno.EEXIST, message, str(path))
    if tolerance is None:
        kinds = (plain.dtype.name, plain.entry_dtype.name)
        tolerance = max(TOLERANCES[kind] for kind in kinds if kind in TOLERANCES)
    X = drawn_samples(plain, seed) if samples is None else _checked_samples(plain, samples)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        expected = model_results(model, plain, X)
    return Export(plain, path, X, expected, tolerance, overwrite)


def _checked_samples(plain: PlainNetwork, samples: ArrayLike) -> NDArray:
    """Return samples as the file is to be given them; ValueError if they are none."""
    X = as_reals("samples", samples, FLOAT64)
    if X.ndim != 2 or len(X) == 0 or X.shape[1] != plain.sizes[0]:
        raise ValueError(f"samples: expected shape (n, {plain.sizes[0]}), got {X.shape}")
    if plain.entry_dtype != np.uint8:
        return as_reals("samples", X, plain.entry_dtype)
    entry = X.clip(0, 255).astype(np.uint8)
    if (entry != X).any():
        raise ValueError("samples: expected integers from 0 to 255 for input_dtype='uint8'")
    return entry


def drawn_samples(plain: PlainNetwork, seed: int, n: int = N_DRAWN) -> NDArray:
    """Return random samples (n, n_features): bytes, or numbers as the first scaler expects them."""
    shape = n, plain.sizes[0]
    if plain.entry_dtype == np.uint8:
        return (256 * random.uniform(n * shape[1], seed)).astype(np.uint8).reshape(shape)
    X = random.normal_from(random.uniform(2 * n * shape[1], seed)).reshape(shape)
    if plain.scalers:
        X = plain.scalers[0].offset + X / plain.scalers[0].factor
    else:
        X = X / abs(plain.input_scale)
    return X.astype(plain.entry_dtype)
