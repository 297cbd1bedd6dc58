"""Networks for elsewhere: each export is a file that has been run and compared with the model.

`plain` describes any fitted estimator in plain numbers, with the `scalers` before it; exporters
write from this description, importers make it. `forward` computes it in NumPy, `numpy_functions`
has the activations. `verified` takes an export from the checks to the file's name. Each format
has a module of its own, and a row in `FORMATS`; what it needs is imported when it is called.
"""

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .c import to_c
    from .keras_file import set_keras_weights, to_keras
    from .numpy_file import to_numpy
    from .onnx_file import to_onnx
    from .pytorch_file import to_pytorch
    from .skl2onnx_converters import register_converters

__all__ = [
    "FORMATS",
    "Format",
    "register_converters",
    "set_keras_weights",
    "to_c",
    "to_keras",
    "to_numpy",
    "to_onnx",
    "to_pytorch",
]


class Format(NamedTuple):
    """A kind of file: the function here that writes it, and how its name ends."""

    function: str
    extension: str


FORMATS = {
    "onnx": Format("to_onnx", ".onnx"),
    "c": Format("to_c", ".h"),
    "numpy": Format("to_numpy", ".py"),
    "keras": Format("to_keras", ".keras"),
    "pytorch": Format("to_pytorch", ".safetensors"),
}
_MODULES = {
    "register_converters": "skl2onnx_converters",
    "set_keras_weights": "keras_file",
    "to_c": "c",
    "to_keras": "keras_file",
    "to_numpy": "numpy_file",
    "to_onnx": "onnx_file",
    "to_pytorch": "pytorch_file",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
