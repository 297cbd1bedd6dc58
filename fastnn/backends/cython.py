"""The Cython back end: picks the extension module for this processor and dtype."""

import importlib
import importlib.util
import platform
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from . import forking
from .compiled import Compiled

_NO_BYTES = np.empty((0, 0), np.uint8)


def unavailable() -> str | None:
    """Say why the extension cannot be used, or return None if it can."""
    name = _module_name(_base_level(), np.dtype(np.float32))
    if importlib.util.find_spec(name) is None:
        return (
            "its extension modules were not built: install a C compiler (GCC or Clang) and "
            "reinstall with 'pip install --force-reinstall --no-cache-dir .'"
        )
    try:
        if _best_level() == "v1":
            return "this processor lacks x86-64-v2 (SSE4.2), the oldest level that is built"
        _import(np.dtype(np.float32))
    except ImportError as error:
        return f"its extension module cannot be loaded: {error}"
    return None


def _module_name(level: str, dtype: np.dtype) -> str:
    return f"{__package__}._kernels_{level}_{dtype.name}"


def _base_level() -> str:
    machine = platform.machine().lower()
    return "v2" if machine in ("x86_64", "amd64") else "plain"


@cache
def _best_level() -> str:
    base = _base_level()
    if base == "plain":
        return base
    return f"v{importlib.import_module(_module_name(base, np.dtype(np.float32))).LEVEL}"


def _import(dtype: np.dtype, level: str | None = None) -> ModuleType:
    with forking.lock:
        return importlib.import_module(_module_name(level or _best_level(), dtype))


def _load(dtype: np.dtype) -> Any:
    return load_level(_best_level(), dtype)


@cache
def load_level(level: str, dtype: np.dtype) -> Any:
    """Return the kernels of a processor level, such as "v3", for `Compiled`."""
    module = _import(dtype, level)
    no_reals = np.empty((0, 0), dtype)

    def split(X):  # the kernels take inputs as reals or as bytes
        return (no_reals, X) if X.dtype == np.uint8 else (X, _NO_BYTES)

    def mlp_train(*args):
        *problem, X, targets, order, losses, loss_sums, thread = args
        module.mlp_train(*problem, *split(X), targets, order, losses, loss_sums, thread)

    def mlp_forward(*args):
        *problem, X, targets, losses, outputs, layer, start, stop = args
        module.mlp_forward(*problem, *split(X), targets, losses, outputs, layer, start, stop)

    def predict_few(sizes, activations, params, X, *rest):
        module.predict_few(sizes, activations, params, *split(X), *rest)

    return SimpleNamespace(
        panel_width=module.PANEL_WIDTH,
        mlp_train=mlp_train,
        mlp_forward=mlp_forward,
        delta_rule=module.delta_rule,
        distort_images=module.distort_images,
        predict_few=predict_few,
    )


_compiled = Compiled(_load)
NETWORKS_AT_ONCE = _compiled.NETWORKS_AT_ONCE
to_device = _compiled.to_device
perceptron_train = _compiled.perceptron_train
linear_train = _compiled.linear_train
mlp_forward = _compiled.mlp_forward
mlp_loss_gradient = _compiled.mlp_loss_gradient
mlp_train = _compiled.mlp_train
mlp_train_many = _compiled.mlp_train_many
distort_images = _compiled.distort_images
mlp_evaluate = _compiled.mlp_evaluate
most_threads = _compiled.most_threads
