"""One worker per thread, for kernels that release the interpreter lock.

The workers of a call meet at barriers, so all of them must run at once: a pool that queues work
would not do. Starting a thread takes some 50 microseconds, once per call of many epochs.
"""

import _thread
import os
import queue
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any

from numpy.typing import NDArray

from .thread_count import Work


def run_workers(
    worker: Callable[[int], None], n_threads: int, stop: NDArray, apart: bool = False
) -> Work:
    """Call worker(0), ..., worker(n_threads - 1), each in a thread of its own, and wait.

    A single worker runs in the caller's thread. In any case no worker runs any more when this
    returns or raises: workers write in the caller's arrays.

    Parameters
    ----------
    stop : (n,) of int64
        Its first element becomes 1 when a worker raises, a thread cannot be started, or the
        waiting caller is interrupted. Workers that see it return: the caller gets the error, and
        what they have computed is worth nothing.

    apart : bool, default False
        Give a single worker a thread too, so that Ctrl-C is heard while its kernel runs.

    Returns
    -------
    Work
        The time of the workers, and how much of it they were running (of one: not measured).

    Raises
    ------
    BaseException
        The first that a worker, the start of a thread or a signal handler raised.
    """
    if n_threads == 1 and not apart:
        begin = time.perf_counter()
        worker(0)
        elapsed = time.perf_counter() - begin
        return Work(1, elapsed, elapsed)
    spent: list[tuple[float, float, float]] = []

    def timed(index: int) -> None:
        _spread(index)
        begin, begin_running = time.perf_counter(), time.thread_time()
        worker(index)
        spent.append((begin, time.perf_counter(), time.thread_time() - begin_running))

    lock = _thread.allocate_lock()
    begun: list[int] = []  # with `stop` set it does not grow any more
    ended: list[int] = []
    news: queue.SimpleQueue[None] = queue.SimpleQueue()
    errors: list[BaseException] = []

    def work(index: int) -> None:
        with lock:
            if stop[0]:
                return
            begun.append(index)
        try:
            timed(index)
        except BaseException as error:
            errors.append(error)
            stop[0] = 1
        finally:
            ended.append(index)
            news.put(None)

    def n_running() -> int:
        with lock:
            return (len(begun) if stop[0] else n_threads) - len(ended)

    while True:
        try:
            # Not by threading.Thread: interrupted, `start` may raise RuntimeError instead, and
            # `join` takes the thread for finished.
            if not errors:
                for index in range(n_threads):
                    _thread.start_new_thread(work, (index,))
            # With a timeout: a signal that came to another thread is handled here, between two
            # waits.
            while n_running():
                with suppress(queue.Empty):
                    news.get(timeout=0.1)
            break
        except BaseException as error:
            errors.append(error)
            stop[0] = 1
    if errors:
        raise errors[0]
    # The first to begin waits for the last at their first barrier: no part of the work.
    begin = max(begin for begin, _, _ in spent)
    elapsed = sum(max(0.0, end - begin) for _, end, _ in spent)
    return Work(n_threads, elapsed, sum(running for _, _, running in spent))


def _spread(index: int) -> None:
    """Move this thread to a processor that the others of its call are not on, and let it go.

    Threads start where their parent is. As long as one sleeps at a barrier while the other works,
    a system sees no reason to move them apart, and two are slower than one.
    """
    if hasattr(os, "sched_setaffinity"):
        allowed = os.sched_getaffinity(0)
        processors = sorted(allowed)
        with suppress(OSError):  # a processor has just been taken away
            os.sched_setaffinity(0, {processors[(os.getpid() + index) % len(processors)]})
            os.sched_setaffinity(0, allowed)


def available_processors() -> int:
    """Return how many processors this process may use.

    Its affinity, its container's quota (cgroup) and LOKY_MAX_CPU_COUNT limit them.
    """
    affinity = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    limit = os.environ.get("LOKY_MAX_CPU_COUNT")
    return _processors(limit, frozenset(affinity), int(time.monotonic()))


@lru_cache(maxsize=1)
def _processors(*situation: Any) -> int:
    """Ask joblib, which takes 50 microseconds: the answer holds for a second."""
    from joblib import cpu_count

    return int(cpu_count())


def default_threads() -> int:
    """Return how many threads to use where nobody says it: OMP_NUM_THREADS, or all processors.

    joblib sets this variable in its workers, so that they do not fight.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    if wanted.isdecimal() and int(wanted) > 0:
        return min(int(wanted), available_processors())
    return available_processors()
