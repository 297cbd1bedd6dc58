"""Processes that use a processor and do nothing, for measurements on a busy machine."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator

PROGRAM = "import os; parent = os.getppid()\nwhile os.getppid() == parent: pass"  # or for ever


@contextlib.contextmanager
def spinning(n: int) -> Iterator[list[subprocess.Popen]]:
    """Keep n such processes running."""
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM], process_group=0) for _ in range(n)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
        for process in processes:
            process.wait()
