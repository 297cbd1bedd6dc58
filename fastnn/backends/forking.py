"""A fork copies locks, but not the threads that would release them.

So a fork waits until no other thread imports a part of this package, compiles with Numba or draws
a progress bar: a child that found such a lock held would wait for it for ever.
"""

import os
import sys
import threading
from typing import Any

# Held while this package imports what it needs, and while its settings change.
lock = threading.RLock()
_held: list[Any] = []


def _before() -> None:
    lock.acquire()
    locks: list[Any] = []
    if "numba.core.compiler_lock" in sys.modules:
        locks.append(sys.modules["numba.core.compiler_lock"].global_compiler_lock)
    if "tqdm.std" in sys.modules:
        locks.append(sys.modules["tqdm.std"].TqdmDefaultWriteLock.th_lock)
    for other in locks:
        other.acquire()
    _held[:] = locks


def _after() -> None:
    for other in _held:
        other.release()
    _held.clear()
    lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
