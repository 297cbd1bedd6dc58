"""What a user takes along: the model's file, and the model as C or ONNX."""

import tempfile
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import backends
from .data import Data
from .models import inputs_of, recipe, targets_of
from .problems import Problem
from .settings import Settings
from .unscaled import unscale


def available() -> list[str]:
    """Return what there is: "model", and what `fastnn.export` can make, such as "c" and "onnx"."""
    return ["model", *_formats()]


def _formats() -> dict[str, Any]:
    """Return the formats of `fastnn.export`: function and ending of each; none if it is missing."""
    if find_spec("fastnn.export") is None:
        return {}
    return import_module("fastnn.export").FORMATS


def fitted(s: Settings, data: Data) -> Any:
    """Return the estimator that the page's program makes; classes have the labels of a file."""
    model = recipe(s, data).make()
    model.verbose = False
    y = targets_of(s, data, data.train)
    if data.own is not None and data.classes and s.model != "linear":
        y = data.own.y[data.train]
    with backends.use_backend(s.backend_name):
        return model.fit(inputs_of(s, data, data.train), y)


def make(kind: str, s: Settings, data: Data) -> tuple[str, bytes]:
    """Return name and content of a file: a model for numbers as the user has them, if it can be.

    Raises
    ------
    Problem
        If there is no such export here.
    """
    if kind not in available():
        raise Problem(f"There is no export {kind[:20]!r} here.", f"这里没有 {kind[:20]!r} 导出。")
    model, formats = fitted(s, data), _formats()
    unscale(model, s, data)
    with tempfile.TemporaryDirectory() as folder:
        if kind == "model":
            path = Path(folder, "model.safetensors")
            model.save(path)
        else:
            path = Path(folder, f"model{formats[kind].extension}")
            getattr(import_module("fastnn.export"), formats[kind].function)(model, path)
        return path.name, path.read_bytes()
