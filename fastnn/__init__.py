"""Small neural networks, trained at the speed of the machine.

    >>> import fastnn
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.MLPClassifier((32,), max_iter=10, tol=None, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.97
    True

Networks           MLPClassifier, MLPRegressor, Perceptron, LinearNetwork, ImageDistortion
Many at once       train_many, GridSearchCV, RandomizedSearchCV, HalvingGridSearchCV,
                   HalvingRandomSearchCV
During a fit       EarlyStopping, ModelCheckpoint, TimeLimit, CSVLogger, LearningRateScheduler,
                   ReduceLROnPlateau, TensorBoard, MLflow, plot_history
Files              load (and a model's save), latest_checkpoint, CheckpointError
Other libraries    from_sklearn, from_keras, from_pytorch, from_onnx, and `fastnn.export`
Data               load_xor, load_digits, load_mnist, load_fashion_mnist
Back ends          set_backend, use_backend, get_backend, available_backends

`help(fastnn.MLPClassifier)` has the parameters, `fastnn --help` in a shell the commands.
"""

# Names are loaded when they are first used, so that `import fastnn` stays light.
import importlib
import sys
from typing import TYPE_CHECKING, Any

from .backends import available_backends, forking, get_backend, set_backend, use_backend

if TYPE_CHECKING:
    from . import export as export
    from .backends.interface import ImageDistortion
    from .callbacks import CSVLogger, EarlyStopping, ModelCheckpoint, TimeLimit
    from .datasets import load_digits, load_fashion_mnist, load_mnist, load_xor
    from .halving import HalvingGridSearchCV, HalvingRandomSearchCV
    from .imports import from_keras, from_onnx, from_pytorch, from_sklearn
    from .linear import LinearNetwork
    from .loggers import MLflow, TensorBoard
    from .many import train_many
    from .mlp import MLPClassifier, MLPRegressor
    from .perceptron import Perceptron
    from .persistence import CheckpointError, latest_checkpoint, load
    from .plotting import plot_history
    from .rate_callbacks import LearningRateScheduler, ReduceLROnPlateau
    from .search import GridSearchCV, RandomizedSearchCV

    __version__: str

__all__ = [
    "CSVLogger",
    "CheckpointError",
    "EarlyStopping",
    "GridSearchCV",
    "HalvingGridSearchCV",
    "HalvingRandomSearchCV",
    "ImageDistortion",
    "LearningRateScheduler",
    "LinearNetwork",
    "MLPClassifier",
    "MLPRegressor",
    "MLflow",
    "ModelCheckpoint",
    "Perceptron",
    "RandomizedSearchCV",
    "ReduceLROnPlateau",
    "TensorBoard",
    "TimeLimit",
    "available_backends",
    "from_keras",
    "from_onnx",
    "from_pytorch",
    "from_sklearn",
    "get_backend",
    "latest_checkpoint",
    "load",
    "load_digits",
    "load_fashion_mnist",
    "load_mnist",
    "load_xor",
    "plot_history",
    "set_backend",
    "train_many",
    "use_backend",
]

_MODULES = {
    "CSVLogger": "callbacks",
    "CheckpointError": "persistence",
    "EarlyStopping": "callbacks",
    "GridSearchCV": "search",
    "HalvingGridSearchCV": "halving",
    "HalvingRandomSearchCV": "halving",
    "ImageDistortion": "backends.interface",
    "LearningRateScheduler": "rate_callbacks",
    "LinearNetwork": "linear",
    "MLPClassifier": "mlp",
    "MLPRegressor": "mlp",
    "MLflow": "loggers",
    "ModelCheckpoint": "callbacks",
    "Perceptron": "perceptron",
    "RandomizedSearchCV": "search",
    "ReduceLROnPlateau": "rate_callbacks",
    "TensorBoard": "loggers",
    "TimeLimit": "callbacks",
    **dict.fromkeys(("from_keras", "from_onnx", "from_pytorch", "from_sklearn"), "imports"),
    "latest_checkpoint": "persistence",
    "load": "persistence",
    "load_digits": "datasets",
    "load_fashion_mnist": "datasets",
    "load_mnist": "datasets",
    "load_xor": "datasets",
    "plot_history": "plotting",
    "train_many": "many",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("fastnn")
    if name == "export":  # a module that nothing else loads
        return importlib.import_module(".export", __name__)
    if name not in _MODULES:
        problem = f"module 'fastnn' has no attribute {name!r}"
        raise AttributeError(problem, name=name, obj=sys.modules[__name__])
    with forking.lock:
        value = getattr(importlib.import_module(f".{_MODULES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    caller = sys._getframe().f_back  # None where Python looks for a near name
    if caller is not None and caller.f_globals.get("__name__") == "inspect":
        # `help` looks through it, and would print all classes with all their methods: 4,000 lines.
        return [name for name in globals() if name not in _MODULES]
    return sorted({*globals(), *__all__})
