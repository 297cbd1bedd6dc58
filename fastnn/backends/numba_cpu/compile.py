"""How kernels are compiled with Numba: without the interpreter lock, with a cache, announced.

The cache lies beside this file, else in the user's cache folder (or NUMBA_CACHE_DIR). It saves
time and nothing else: what is damaged, of other sources or out of reach is compiled anew.
"""

import hashlib
import pickle
import sys
from contextlib import suppress
from typing import Any

from numba import njit
from numba.core import event
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.serialize import dumps

from ..sources import NUMBA, digest, sources
from ..watching import is_watched

# Numba compares the file of a kernel alone, but what other files define is compiled into it.
_SOURCES = digest(sources(NUMBA))


class _CheckedFile(IndexDataCacheFile):
    """Numba's files, of which only what was written is run: machine code could do anything."""

    def save(self, key: Any, data: Any) -> None:
        """Save with the key, as two processes may give one name to two kernels at a time."""
        content = dumps(data)
        super().save(key, (key, hashlib.sha256(content).digest(), content))

    def load(self, key: Any) -> Any:
        """Return what was saved with this key, None if there is nothing; raise if it is damaged."""
        found = super().load(key)
        if found is None:
            return None
        saved_key, checksum, content = found
        if saved_key != key or hashlib.sha256(content).digest() != checksum:
            raise ValueError("the cache holds something else")
        return pickle.loads(content)


class KernelCache(FunctionCache):
    """Numba's cache of a function's machine code; no fault of its files reaches the user."""

    def __init__(self, function: Any):
        super().__init__(function)
        self._cache_file = _CheckedFile(self.cache_path, self._impl.filename_base, _SOURCES)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what the cache holds; None if it has to be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # what is damaged may raise anything
            with suppress(OSError):  # if it cannot be written, saving finds out, too
                self.flush()
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save what was compiled, if that is possible."""
        try:
            super().save_overload(sig, data)
        except Exception:  # a full disk, a folder that was made read-only, an index out of reach
            self.disable()


class _Announcement(event.Listener):
    """Says on stderr, where somebody looks, why a first call takes long."""

    def __init__(self) -> None:
        self._depth = 0  # kernels that a kernel calls are compiled with it

    def on_start(self, event: Any) -> None:
        """Announce a kernel that is compiled, not loaded; Numba compiles one at a time."""
        kernel = event.data["dispatcher"]
        self._depth += 1
        if self._depth > 1 or not kernel.__module__.startswith(__package__) or not is_watched():
            return
        cached = isinstance(kernel._cache, KernelCache)
        how_often = "for this machine and kind of data" if cached else "a process (no cache folder)"
        print(
            f"numba: compiling {kernel.__name__}, once {how_often}: up to a minute ...",
            file=sys.stderr,
            flush=True,
        )

    def on_end(self, event: Any) -> None:
        """Note that it is done."""
        self._depth -= 1


event.register("numba:compile", _Announcement())


def _compiler(**options: Any) -> Any:
    """Return a decorator that compiles a function and, if a folder for it is found, caches it."""

    def decorate(function: Any) -> Any:
        kernel = njit(nogil=True, error_model="numpy", **options)(function)
        with suppress(RuntimeError, OSError, ValueError):  # no folder can be written
            kernel._cache = KernelCache(function)  # as njit(cache=True) does with FunctionCache
        return kernel

    return decorate


kernel = _compiler()
inlined = _compiler(inline="always")
# By LLVM, after Numba has compiled it once: where there are many copies.
merged = _compiler(forceinline=True)
