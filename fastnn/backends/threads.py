"""One worker per thread, for kernels that release the interpreter lock.

The workers of a call meet at barriers, so all of them must run at once: a pool that queues work
would not do. Starting a thread takes some 50 microseconds, once per call of many epochs.
"""

import os
import threading
from collections.abc import Callable
from functools import cache


def run_workers(worker: Callable[[int], None], n_threads: int) -> None:
    """Call worker(0), ..., worker(n_threads - 1), each in a thread of its own, and wait.

    A KeyboardInterrupt is raised after all workers have finished: they share the caller's arrays.

    Raises
    ------
    RuntimeError
        If a thread cannot be started; no worker has run then.
    """
    if n_threads == 1:
        worker(0)
        return
    gate = threading.Event()
    cancelled = False
    errors: list[BaseException] = []

    def wait_and_work(index: int) -> None:
        gate.wait()
        if cancelled:
            return
        try:
            worker(index)
        except BaseException as error:
            errors.append(error)

    threads = [
        threading.Thread(target=wait_and_work, args=(index,), daemon=True)
        for index in range(n_threads)
    ]
    try:
        for thread in threads:
            thread.start()
    except BaseException:
        cancelled = True
        gate.set()
        raise
    gate.set()
    for thread in threads:
        while thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt as interrupt:
                errors.append(interrupt)
    if errors:
        raise errors[0]


@cache
def available_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
