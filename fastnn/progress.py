"""A progress bar where somebody looks: on a terminal and in a notebook; elsewhere nothing."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from .backends import forking
from .backends.watching import is_watched as is_watched


class NoProgress:
    """Takes what a bar takes, and shows nothing."""

    def update(self, n: float) -> None:
        """Take n more samples."""

    def set_postfix(self, **values: Any) -> None:
        """Take values to show."""


@contextmanager
def progress_bar(n_samples: int, verbose: bool) -> Iterator[Any]:
    """Show a bar once the work has taken half a second, if it is wanted and can be seen."""
    if not (verbose and is_watched()):
        yield NoProgress()
        return
    bar = _bar_class()
    with bar(
        total=n_samples, unit="sample", unit_scale=True, disable=False, delay=0.5, leave=False
    ) as progress:
        yield progress


def write_line(text: str) -> None:
    """Print a line, above the bar if one is shown."""
    if is_watched():
        _bar_class().write(text)
    else:
        print(text)
    sys.stdout.flush()


@cache
def _bar_class() -> Any:
    """Return tqdm's bar without its monitor thread, and with a lock that a fork cannot inherit.

    A thread that stays behind, and a lock held by another thread, make a later fork unsafe.
    """
    with forking.lock:
        from tqdm import tqdm

    class Bar(tqdm):
        monitor_interval = 0

    Bar.set_lock(threading.RLock())
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: Bar.set_lock(threading.RLock()))
    return Bar
