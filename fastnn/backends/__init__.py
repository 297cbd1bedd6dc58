"""Which back end runs: one default for the process, overridden per thread or task.

The default is Cython if its extension was built, else Numba; the environment variable
FASTNN_BACKEND changes it. What a process has chosen holds in its worker processes too: they are
started with a message in their environment, and each estimator that is sent brings a newer one.
"""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import TYPE_CHECKING, Any

from . import forking

if TYPE_CHECKING:  # that each room keeps the contract is seen here
    from . import cython_cpu, numba_cpu, numba_cuda, python
    from .interface import Kernels

    _cython: Kernels = cython_cpu
    _numba: Kernels = numba_cpu
    _python: Kernels = python
    _numba_cuda: Kernels = numba_cuda

# Name -> module, in the order of preference.
_MODULES = {
    "cython": "cython_cpu",
    "numba": "numba_cpu",
    "python": "python",
    "numba-cuda": "numba_cuda",
}

_default: str | None = None
_override: ContextVar[str | None] = ContextVar("fastnn_backend", default=None)

# A message to worker processes, see `message`; and what this process has got itself.
_VARIABLE = "FASTNN_PARENT_BACKEND"
_inherited = os.environ.get(_VARIABLE)
_received = ""
_in_use: dict[int, str] = {}  # what `use_backend` has chosen, in any thread; the latest last


def available_backends() -> dict[str, str | None]:
    """Return every back end's name with None, or with the reason why it cannot be used here.

    Examples
    --------
    >>> import fastnn
    >>> print(fastnn.available_backends()["python"])
    None
    """
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

    Examples
    --------
    >>> import fastnn
    >>> before = fastnn.get_backend()
    >>> fastnn.set_backend("python")
    >>> fastnn.get_backend()
    'python'
    >>> fastnn.set_backend(before)
    """
    global _default
    name = _check(name, "name")
    with forking.lock:
        _default = name
        _tell_workers()


def get_backend() -> str:
    """Return the name of the back end that a fit would use here and now.

    Examples
    --------
    >>> import fastnn
    >>> fastnn.get_backend() in fastnn.available_backends()
    True
    """
    return _override.get() or _default or _parents_choice() or _first_choice()


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Use a back end within a `with` block, in this thread or task only; raises as `set_backend`.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> with fastnn.use_backend("python"):
    ...     fastnn.MLPClassifier((8,), max_iter=5, tol=None).fit(X, y).backend_
    'python'
    """
    name = _check(name, "name")
    token = _override.set(name)
    try:
        with forking.lock:
            _in_use[id(token)] = name
            _tell_workers()
        yield
    finally:
        _override.reset(token)
        with forking.lock:
            _in_use.pop(id(token), None)
            _tell_workers()


def kernels(name: str | None = None) -> Any:
    """Return the module of a back end (an `interface.Kernels`), of the current one by default."""
    return _module(get_backend() if name is None else _check(name, "backend"))


def message() -> str:
    """Return what worker processes are told: the chosen back end, and who says so in what case.

    The choice is that of this thread, else the latest of any: pools send in a thread of their own.
    Empty is the name where this process has chosen none. FASTNN_BACKEND is part of the message:
    a worker where it has become another has been told so.
    """
    name = _override.get() or _latest_choice() or _parents_choice() or ""
    return f"{name}:{os.getpid()}:{os.environ.get('FASTNN_BACKEND', '')}"


def receive(text: str) -> None:
    """Take a message that came with an estimator, if it is from the parent of this process."""
    global _received
    parent = _parent()
    if parent is not None and text.split(":")[1:2] == [str(parent.pid)]:
        _received = text


def _tell_workers() -> None:
    """Leave a message in the environment that new processes get."""
    told = message() if _latest_choice() else _inherited
    if told is None:
        os.environ.pop(_VARIABLE, None)
    else:
        os.environ[_VARIABLE] = told


def _latest_choice() -> str | None:
    return next(reversed(list(_in_use.values())), _default)


def _parents_choice() -> str | None:
    """Return the back end that a worker process was told to use, if it can be used here."""
    if _parent() is None:
        return None
    name, *rest = (_received or os.environ.get(_VARIABLE, "")).split(":", 2)
    if name not in _MODULES or len(rest) < 2 or rest[0] == str(os.getpid()):
        return None
    if rest[1] != os.environ.get("FASTNN_BACKEND", "") or _module(name).unavailable():
        return None
    return name


def _parent() -> Any:
    """Return the process that started this one as its worker, None if none did."""
    multiprocessing = sys.modules.get("multiprocessing.process")  # loaded in every worker
    return None if multiprocessing is None else multiprocessing.parent_process()


@cache
def _module(name: str) -> Any:
    with forking.lock:
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
