"""Networks from elsewhere: the same outputs, and a training that goes on.

A source (`keras`, `pytorch`, `sklearn`, `onnx`) is read layer by layer into a `chain`, which
refuses by name and place what has no counterpart, and becomes a `PlainNetwork`, which the exports
write from too. `aims` turns losses and optimizers of other conventions into ours. `estimator`
makes the fitted estimator, and checks it as a file's is checked.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .keras import from_keras
    from .onnx import from_onnx
    from .pytorch import from_pytorch
    from .sklearn import from_sklearn

__all__ = ["from_keras", "from_onnx", "from_pytorch", "from_sklearn"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{name.removeprefix('from_')}", __name__), name)
