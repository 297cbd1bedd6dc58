"""Which back end runs: one default for the process, overridden per thread or task.

The default is Cython if its extension was built, else Numba; the environment variable
FASTNN_BACKEND changes it.
"""

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

# Name -> module, in the order of preference.
_MODULES = {
    "cython": "cython",
    "numba": "numba_cpu",
    "python": "python",
    "numba-cuda": "numba_cuda",
}

_default: str | None = None
_override: ContextVar[str | None] = ContextVar("fastnn_backend", default=None)


def available_backends() -> dict[str, str | None]:
    """Return every back end's name with None, or with the reason why it cannot be used here."""
    return {name: _module(name).unavailable() for name in _MODULES}


def set_backend(name: str) -> None:
    """Make a back end the default of this process.

    Parameters
    ----------
    name : {"cython", "numba", "python", "numba-cuda"}

    Raises
    ------
    ValueError
        If there is no back end of that name.
    RuntimeError
        If it cannot be used on this machine.
    """
    global _default
    _default = _check(name, "name")


def get_backend() -> str:
    """Return the name of the back end that a fit would use here and now."""
    return _override.get() or _default or _first_choice()


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Use a back end within a `with` block, in this thread or task only; raises as `set_backend`.

    Examples
    --------
    >>> with fastnn.use_backend("python"):  # doctest: +SKIP
    ...     model.fit(X, y)
    """
    token = _override.set(_check(name, "name"))
    try:
        yield
    finally:
        _override.reset(token)


def kernels(name: str | None = None) -> Any:
    """Return the module of a back end (an `interface.Kernels`), of the current one by default."""
    return _module(get_backend() if name is None else _check(name, "backend"))


@cache
def _module(name: str) -> Any:
    return importlib.import_module(f".{_MODULES[name]}", __name__)


def _check(name: str, argument: str) -> str:
    if name not in _MODULES:
        known = ", ".join(repr(known) for known in _MODULES)
        raise ValueError(f"{argument}: there is no back end {name!r}; choose one of {known}")
    reason = _module(name).unavailable()
    if reason is not None:
        raise RuntimeError(f"{argument}: the back end {name!r} cannot be used: {reason}")
    return name


def _first_choice() -> str:
    """Return the default of the environment, or the first back end that is available."""
    wanted = os.environ.get("FASTNN_BACKEND")
    if wanted:
        return _check(wanted, "environment variable FASTNN_BACKEND")
    return _first_available()


@cache
def _first_available() -> str:
    return next(name for name in _MODULES if _module(name).unavailable() is None)
