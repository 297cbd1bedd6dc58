"""Python files of plain functions, which need NumPy and nothing else."""

import inspect
import runpy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..validation import class_index
from . import numpy_functions
from .forward import Results
from .plain import CLASSES, LABELS, NUMBERS, PlainNetwork
from .verified import Exported, begin


def to_numpy(
    model: Any,
    path: str | Path,
    *,
    samples: ArrayLike | None = None,
    input_dtype: Any = None,
    seed: int = 0,
    tolerance: float | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a Python file of plain NumPy functions, to be read, run and compared with the model.

    It has `forward(X)`, the network's outputs, `predict(X)`, and `predict_proba(X)` if the model
    gives probabilities.

    Parameters
    ----------
    model, path, samples, input_dtype, seed, tolerance, overwrite
        As `fastnn.export.verified.begin` says.

    Raises
    ------
    ValueError
        If an argument is wrong, the model is not fitted, or the file does not give what the model
        gives.
    OSError
        If the file cannot be written; FileExistsError if it is there.
    """
    export = begin(
        model,
        path,
        samples=samples,
        input_dtype=input_dtype,
        seed=seed,
        tolerance=tolerance,
        overwrite=overwrite,
    )

    def run(part: Path, X: NDArray) -> Results:
        return _results(export.plain, runpy.run_path(str(part)), X)

    return export.finish(text_of(export.plain).encode(), run)


def text_of(plain: PlainNetwork) -> str:
    """Return the file for a network.

    Raises
    ------
    ValueError
        If there is no formula for an activation.
    """
    used: dict[str, Any] = {}
    for number, layer in enumerate(plain.layers, 1):
        function = getattr(numpy_functions, layer.activation, None)
        if function is None:
            raise ValueError(f"layer {number}, {layer.activation}: there is no formula in NumPy")
        if layer.activation != "identity":
            used[layer.activation] = function
    functions = [inspect.getsource(function) for function in used.values()]
    shape = "-".join(map(str, plain.sizes))
    begin = f'"""A network {shape} in plain NumPy, written by fastnn {version("fastnn")}."""\n\n'
    if any("math." in text for text in functions):
        begin += "import math\n\n"
    begin += "import numpy as np\n"
    parts = [begin, *functions, _forward(plain), *_meaning(plain), _constants(plain)]
    return "\n\n".join(parts)


def _forward(plain: PlainNetwork) -> str:
    dtype = f"np.{plain.dtype.name}"
    lines = [f"x = np.asarray(X, {dtype})"]
    for number, scaler in enumerate(plain.scalers, 1):
        lines.append(f"x = (x - offset_{number}) * factor_{number}")
        if scaler.limits is not None:
            lines.append(f"x = x.clip({scaler.limits[0]!r}, {scaler.limits[1]!r})")
    if plain.input_scale != 1:
        lines.append(f"x = x * {dtype}({plain.input_scale!r})")
    for number, layer in enumerate(plain.layers, 1):
        z = f"x @ weights_{number} + bias_{number}"
        has_parameter = getattr(numpy_functions, layer.activation).__code__.co_argcount == 2
        more = f", {layer.parameter!r}" if has_parameter else ""
        lines.append(
            f"x = {z if layer.activation == 'identity' else f'{layer.activation}({z}{more})'}"
        )
    what = f"outputs (n_samples, {plain.sizes[-1]}) for X (n_samples, {plain.sizes[0]})"
    return _function("forward", what, [*lines, "return x"])


def _meaning(plain: PlainNetwork) -> list[str]:
    """Return `predict_proba`, if there are probabilities, and `predict`."""
    n = 0 if plain.classes is None else len(plain.classes)
    is_single = plain.sizes[-1] == 1
    what = "the class of each sample"
    if plain.task == NUMBERS:
        what, result = "the outputs", "forward(X)[:, 0]" if plain.is_flat else "forward(X)"
    elif plain.task == LABELS:
        what, result = "0 or 1 for each label", f"(forward(X) > {plain.threshold!r}).astype(int)"
    elif n == 1:
        result = "np.repeat(classes, len(X))"
    elif is_single:
        result = f"classes[(forward(X)[:, 0] > {plain.threshold!r}).astype(int)]"
    else:
        result = "classes[forward(X).argmax(axis=1)]"
    predict = _function("predict", what, [f"return {result}"])
    if not plain.gives_probabilities:
        return [predict]
    if plain.task == LABELS:
        lines = ["return forward(X)"]
    elif n == 1:
        lines = ["return np.ones((len(X), 1))"]
    elif is_single:
        lines = ["y = forward(X)", "return np.hstack([1 - y, y])"]
    elif plain.layers[-1].activation == "softmax":
        lines = ["return forward(X)"]
    else:
        lines = [
            "y = forward(X)",
            "y[y.sum(axis=1) == 0] = 1  # all classes are equally probable",
            "return y / y.sum(axis=1, keepdims=True)",
        ]
    of = "labels" if plain.task == LABELS else "classes"
    return [_function("predict_proba", f"the probabilities of the {of}", lines), predict]


def _function(name: str, what: str, lines: list[str]) -> str:
    body = "".join(f"    {line}\n" for line in lines)
    return f'def {name}(X):\n    """Return {what}."""\n{body}'


def _constants(plain: PlainNetwork) -> str:
    texts = []
    if plain.task == CLASSES:
        texts.append(f"classes = {_classes(np.asarray(plain.classes))}\n")
    arrays: list[tuple[str, NDArray]] = []
    for number, scaler in enumerate(plain.scalers, 1):
        arrays.append((f"offset_{number}", scaler.offset.astype(plain.dtype)))
        arrays.append((f"factor_{number}", scaler.factor.astype(plain.dtype)))
    for number, layer in enumerate(plain.layers, 1):
        arrays.append((f"weights_{number}", layer.weights))
        arrays.append((f"bias_{number}", layer.bias))
    dtype = f"np.{plain.dtype.name}"
    texts += [f"{name} = np.array({_list(values)}, {dtype})\n" for name, values in arrays]
    return "".join(texts)


def _classes(labels: NDArray) -> str:
    kind = labels.dtype.kind
    if kind in "mM":
        return f"np.array({labels.astype(str).tolist()!r}, {str(labels.dtype)!r})"
    dtype = {"U": "", "O": ", object", "b": ", bool"}.get(kind, f", np.{labels.dtype.name}")
    return f"np.array({labels.tolist()!r}{dtype})"


def _list(values: NDArray) -> str:
    """Return a list of numbers, each as short as its dtype allows, in lines."""
    if values.ndim == 2:
        rows = ",\n    ".join(map(_list, values))
        return f"[\n    {rows},\n]"
    texts = [str(value) for value in values]
    per_line = max(1, 94 // (2 + max(map(len, texts))))
    lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
    return "[" + ",\n     ".join(lines) + "]"


def _results(plain: PlainNetwork, file: dict[str, Any], X: NDArray) -> Results:
    """Return what the functions of a file give."""
    values = file["forward"](X)
    if plain.task == NUMBERS:
        return Results(values)
    labels = file["predict"](X)
    if plain.task == CLASSES:
        labels = class_index(labels, np.asarray(plain.classes))
    return Results(file["predict_proba"](X) if plain.gives_probabilities else values, labels)
