"""The Cython back end: picks the extension module for this processor and dtype."""

import importlib
import importlib.util
import platform
import warnings
from contextlib import suppress
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from .. import forking
from ..cpu.compiled import Compiled
from ..sources import CYTHON, digest, sources

_DTYPES = (np.dtype(np.float32), np.dtype(np.float64))


class OtherSources(ImportError):
    """An extension module that was built from other sources than those that lie beside it."""


def unavailable() -> str | None:
    """Say why the extensions cannot be used, or return None if they can."""
    try:
        _best_level()
    except ImportError as error:
        return str(error)
    return None


def _module_name(level: str, dtype: np.dtype) -> str:
    return f"{__package__}.kernels_{level}_{dtype.name}"


def _base_level() -> str:
    machine = platform.machine().lower()
    return "v2" if machine in ("x86_64", "amd64") else "plain"


def _best_level() -> str:
    """Return the highest level that serves both dtypes here; ImportError says why none does."""
    return _best_from(_base_level())


@cache
def _best_from(base: str) -> str:
    reason = ImportError("this processor lacks x86-64-v2 (SSE4.2), the oldest level that is built")
    for level in _levels(base):
        try:
            for dtype in _DTYPES:
                _import(dtype, level)
        except ImportError as error:
            reason = error
        else:
            return level
    if isinstance(reason, OtherSources):  # or the slow start of another back end puzzles
        warnings.warn(f"the Cython back end is left out: {reason}", RuntimeWarning, stacklevel=2)
    raise reason


def _levels(base: str) -> list[str]:
    """Return this processor's levels, the best first; a module of the lowest knows them."""
    if base != "plain":
        for dtype in _DTYPES:
            with suppress(ImportError):
                return [f"v{number}" for number in range(_import(dtype, base).LEVEL, 1, -1)]
    return [base]


def _import(dtype: np.dtype, level: str | None = None) -> ModuleType:
    """Return a level's module (the best's) for a dtype; ImportError says why it cannot be used."""
    name = _module_name(level or _best_level(), dtype)
    if importlib.util.find_spec(name) is None:
        raise ImportError(
            f"its extension modules were not built (no {name}): install a C compiler "
            "(GCC or Clang) and reinstall with 'pip install --force-reinstall --no-cache-dir .'"
        )
    try:
        with forking.lock:
            module = importlib.import_module(name)
        expected = _digest()
    except (ImportError, OSError) as error:
        raise ImportError(f"its extension module {name} cannot be loaded: {error}") from error
    # Kernels of other sources may take other arguments, and they get bare pointers.
    if expected not in (None, getattr(module, "SOURCES", "")):
        raise OtherSources(
            f"its extension module {name} was built from other sources than those beside it: "
            "run 'pip install .' (or 'pip install -e .') again"
        )
    return module


@cache
def _digest() -> str | None:
    """Return the digest of the sources, None if the kernels' own were not installed."""
    found = sources(CYTHON)
    return digest(found) if any(path.suffix == ".pyx" for path in found) else None


@cache  # to ask for the processor takes as long as a layer of a sample
def _load(dtype: np.dtype) -> Any:
    return load_level(_best_level(), dtype)


@cache
def load_level(level: str, dtype: np.dtype) -> Any:
    """Return the kernels of a processor level, such as "v3", for `Compiled`."""
    module = _import(dtype, level)
    return SimpleNamespace(
        panel_width=module.PANEL_WIDTH,
        vectors=f"Cython kernels of level {level}",
        count_values=module.count_values,
        compress_rows=module.compress_rows,
        train_thread=module.train_thread,
        train_small=module.train_small,
        train_lanes=module.train_lanes,
        take_step=module.take_step,
        forward_samples=module.forward_samples,
        predict_few=module.predict_few,
        delta_rule=module.delta_rule,
        distort_images=module.distort_images,
    )


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
