"""A barrier for Numba's kernels; it follows cython_cpu/barrier.h, where the reasons stand."""

import os
import platform
import sys

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from .vector import address_of

SPINS = 2000
# The number of Linux's system call futex; 0: there is none.
_NUMBERS = {"x86_64": 202, "aarch64": 98} if sys.platform == "linux" else {}
FUTEX = _NUMBERS.get(platform.machine(), 0)
WAIT, WAKE = 128, 129  # FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE


@intrinsic
def _atomic_add(typingctx, array, index, value):
    """Add to array[index] and return what it was."""

    def generate(context, builder, signature, arguments):
        place = address_of(context, builder, array, *arguments[:2])
        return builder.atomic_rmw("add", place, arguments[2], "seq_cst")

    return types.int64(array, types.int64, types.int64), generate


@intrinsic
def _atomic_load(typingctx, array, index):
    def generate(context, builder, signature, arguments):
        return builder.load_atomic(address_of(context, builder, array, *arguments), "seq_cst", 8)

    return types.int64(array, types.int64), generate


@intrinsic
def _place(typingctx, array, index):
    """Return the address of array[index] as an integer."""

    def generate(context, builder, signature, arguments):
        place = address_of(context, builder, array, *arguments)
        return builder.ptrtoint(place, ir.IntType(64))

    return types.int64(array, types.int64), generate


@intrinsic
def _pause(typingctx):
    def generate(context, builder, signature, arguments):
        if platform.machine().lower() in ("x86_64", "amd64"):
            kind = ir.FunctionType(ir.VoidType(), [])
            pause = cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse2.pause")
            builder.call(pause, [])
        return context.get_dummy_value()

    return types.none(), generate


if FUTEX:
    # A function of variable arguments, which these machines call as any other.
    _syscall = types.ExternalFunction("syscall", types.int64(*[types.int64] * 7))

    @njit(nogil=True)
    def _sleep(sync, seen):
        """Sleep until somebody wakes this thread, at most for the time in sync[2] and sync[3]."""
        _syscall(FUTEX, _place(sync, 0), WAIT, seen & 0xFFFFFFFF, _place(sync, 2), 0, 0)

    @njit(nogil=True)
    def _wake(sync):
        _syscall(FUTEX, _place(sync, 0), WAKE, 2**31 - 1, 0, 0, 0)

elif os.name == "posix":
    _yield_processor = types.ExternalFunction("sched_yield", types.int32())

    @njit(nogil=True)
    def _sleep(sync, seen):
        _yield_processor()

    @njit(nogil=True)
    def _wake(sync):
        pass

else:

    @njit(nogil=True)
    def _sleep(sync, seen):
        _pause()

    @njit(nogil=True)
    def _wake(sync):
        pass


@njit(nogil=True)
def is_stopped(stop):
    """Say whether the call has been given up."""
    return _atomic_load(stop, 0) != 0


@njit(nogil=True)
def _wait_long(sync, stop, everyone):
    _atomic_add(sync, 1, 1)
    while True:
        seen = _atomic_load(sync, 0)
        go_on = seen >= everyone
        if go_on or is_stopped(stop):
            break
        _sleep(sync, seen)
    _atomic_add(sync, 1, -1)
    return go_on


@njit(nogil=True)
def barrier_wait(sync, stop, n):
    """Wait until all of n threads have come here; return False if the call has been given up."""
    if n == 1:
        return True
    ticket = _atomic_add(sync, 0, 1)
    everyone = (ticket // n + 1) * n
    if ticket + 1 == everyone:
        if _atomic_load(sync, 1) > 0:
            _wake(sync)
        return True
    for _ in range(SPINS):
        if _atomic_load(sync, 0) >= everyone:
            return True
        _pause()
    return _wait_long(sync, stop, everyone)
