"""C headers for microcontrollers: `to_c`."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, r2_score

from .c_fixed import fixed_point, fixed_results
from .c_header import CHeader
from .c_run import compile_and_run, compiler
from .c_text import check_activations
from .forward import Results
from .plain import CLASSES, LABELS, NUMBERS, PlainNetwork
from .verified import Exported, begin, difference_of

DTYPES = {"float32": "float", "float64": "double", "int8": "float"}  # and the type of the values


def to_c(
    model: Any,
    path: str | Path,
    *,
    dtype: str | None = None,
    samples: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    name: str | None = None,
    input_dtype: Any = None,
    seed: int = 0,
    tolerance: float | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a C99 header, compiled and compared with the model.

    It allocates nothing, and includes no library but `math.h`, and that only where an activation
    needs it. In 8-bit fixed point the integers are exactly those of a computation in NumPy; how far
    these are from the model the result says: `difference`, and `details`.

    Parameters
    ----------
    model, path, input_dtype, seed, tolerance, overwrite
        As `fastnn.export.verified.begin` says.
    dtype : {"float32", "float64", "int8"}, optional
        Of the arithmetic, by default the network's own.
    samples : (n_samples, n_features), optional
        On which the file is compared with the model; for int8, where they show the ranges of all
        layers, they must be given.
    targets : (n_samples,) or (n_samples, n_outputs), optional
        Their y: of int8 the result then has the scores of the model and of the file.
    name : str, optional
        With which all names in the file begin; by default that of the file.

    Returns
    -------
    Exported
        `details` has flash and ram, in bytes, and for int8: same_labels, the fraction of the labels
        that are the model's; with targets score and file_score.

    Raises
    ------
    ValueError
        If an argument is wrong, the model is not fitted, or the file does not give what the model
        gives.
    RuntimeError
        If there is no C compiler, which the comparison needs.
    OSError
        If the file cannot be written; FileExistsError if it is there.
    """
    if dtype is not None and not (isinstance(dtype, str) and dtype in DTYPES):
        raise ValueError(f"dtype={dtype!r}: expected one of {', '.join(DTYPES)}")
    if dtype == "int8" and samples is None:
        raise ValueError("samples=None: expected samples for dtype='int8', to see what is usual")
    export = begin(
        model,
        path,
        samples=samples,
        input_dtype=input_dtype,
        seed=seed,
        tolerance=tolerance,
        overwrite=overwrite,
    )
    check_activations(export.plain)
    if dtype == "float32" and tolerance is None:
        export = replace(export, tolerance=1e-4)
    compiler()
    plain, fixed, expected = export.plain, None, export.expected
    if dtype == "int8":
        fixed = fixed_point(plain, export.X)
        export = replace(export, expected=fixed_results(plain, fixed, export.X), tolerance=1e-6)
    written_in = CHeader(
        plain, _checked_name(name, export.path), DTYPES[dtype or plain.dtype.name], fixed
    )
    text = written_in.text(export.X, export.expected, export.tolerance)

    def run(part: Path, X: NDArray) -> Results:
        values, labels = compile_and_run(part, X, written_in)
        return Results(values, _labels(plain, labels))

    details: dict[str, Any] = {"flash": written_in.flash, "ram": written_in.ram}
    if fixed is None:
        return export.finish(text.encode("ascii"), run, **details)
    details |= _accuracy(plain, expected, export.expected, targets)
    written = export.finish(text.encode("ascii"), run, **details)
    return written._replace(difference=difference_of(expected.values, export.expected.values))


def _checked_name(name: Any, path: Path) -> str:
    """Return a name as C has it; ValueError if it is none."""
    if name is None:
        name = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
        return f"net_{name}" if not name[:1].isalpha() else name.lower()
    if not isinstance(name, str) or not re.fullmatch("[a-z][a-z0-9_]*", name):
        raise ValueError(f"name={name!r}: expected small letters, digits and _, a letter first")
    return name


def _labels(plain: PlainNetwork, labels: NDArray[np.int64]) -> NDArray[np.int64] | None:
    if plain.task == NUMBERS:
        return None
    return labels if plain.task == LABELS else labels[:, 0]


def _accuracy(
    plain: PlainNetwork, expected: Results, got: Results, targets: ArrayLike | None
) -> dict[str, Any]:
    """Return how the results of a file are, beside those of the model."""
    found: dict[str, Any] = {}
    if expected.labels is not None and got.labels is not None:
        found["same_labels"] = float((expected.labels == got.labels).mean())
    if targets is None:
        return found
    y = np.asarray(targets)
    if len(y) != len(expected.values):
        raise ValueError(f"targets: {len(y)} for {len(expected.values)} samples; expected as many")
    for key, results in (("score", expected), ("file_score", got)):
        if results.labels is None:
            found[key] = float(r2_score(y, results.values))
        elif plain.task == CLASSES:
            found[key] = float(accuracy_score(y, np.asarray(plain.classes)[results.labels]))
        else:
            found[key] = float(accuracy_score(y, results.labels))
    return found
