"""The Numba back end for CPUs: compiles on first use and keeps the result in Numba's cache."""

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import forking
from ..cpu.compiled import Compiled


@cache
def unavailable() -> str | None:
    """Say why Numba cannot be used, or return None if it can."""
    if importlib.util.find_spec("numba") is None:
        return "the package numba is not installed: 'pip install numba'"
    try:
        from numba.core import config

        from . import training  # noqa: F401
    except Exception as error:  # what is broken may raise anything
        return f"the package numba cannot be imported: {type(error).__name__}: {error}"
    if getattr(config, "DISABLE_JIT", False):
        return "the environment variable NUMBA_DISABLE_JIT forbids it to compile"
    return None


@cache
def _load(dtype: np.dtype) -> Any:
    with forking.lock:
        from llvmlite.binding import get_host_cpu_name

        from . import training as kernels
        from .inputs import compress_rows, count_values
        from .vector import VECTOR_BYTES

    def forward_samples(problem, samples, losses, outputs, layer, first, end):
        order = np.arange(len(losses))[np.newaxis]
        kernels.forward_samples(problem, samples, order, losses, outputs, layer, first, end)

    return SimpleNamespace(
        panel_width=2 * VECTOR_BYTES // dtype.itemsize,
        vectors=f"Numba's kernels for {get_host_cpu_name()}, in vectors of {VECTOR_BYTES} bytes",
        count_values=count_values,
        compress_rows=compress_rows,
        train_thread=kernels.train_thread,
        train_small=_when_called("small", "train_small"),
        train_lanes=_when_called("lanes", "train_lanes"),
        take_step=_when_called("steps", "take_step"),
        forward_samples=forward_samples,
        delta_rule=_when_called("delta_rule", "delta_rule"),
        distort_images=_when_called("distortion", "distort_images"),
        predict_few=_when_called("predict", "predict_few"),
    )


def _when_called(module: str, name: str) -> Callable[..., Any]:
    """Return a kernel whose module is imported at its first call: few trainings need it."""
    found: list[Any] = []

    def call(*arguments: Any) -> Any:
        if not found:
            with forking.lock:
                found.append(getattr(importlib.import_module(f".{module}", __package__), name))
        return found[0](*arguments)

    return call


_compiled = Compiled(_load)
NETWORKS_AT_ONCE, TRAINS_SHARDS = _compiled.NETWORKS_AT_ONCE, _compiled.TRAINS_SHARDS
to_device = _compiled.to_device
perceptron_train = _compiled.perceptron_train
linear_train = _compiled.linear_train
mlp_forward = _compiled.mlp_forward
mlp_loss_gradient = _compiled.mlp_loss_gradient
mlp_train = _compiled.mlp_train
mlp_train_many = _compiled.mlp_train_many
mlp_train_shards = _compiled.mlp_train_shards
arithmetic = _compiled.arithmetic
distort_images = _compiled.distort_images
mlp_evaluate = _compiled.mlp_evaluate
most_threads = _compiled.most_threads
