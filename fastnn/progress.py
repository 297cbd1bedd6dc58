"""A progress bar where somebody looks: on a terminal and in a notebook; elsewhere nothing."""

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends import forking
from .backends.watching import is_watched as is_watched


class NoProgress:
    """Takes what a bar takes, and shows nothing."""

    def update(self, n: float) -> None:
        """Take n more samples."""

    def expect(self, n: int) -> None:
        """Take the number of all samples, if that becomes known."""

    def epochs(self, n: int, losses: NDArray[np.float64]) -> None:
        """Take the losses of the last epochs, the very last being number n of the fit."""


class Lines(NoProgress):
    """Prints a line per epoch, as scikit-learn does."""

    def epochs(self, n: int, losses: NDArray[np.float64]) -> None:
        """Print the losses."""
        for epoch, loss in enumerate(losses.tolist(), start=n - len(losses) + 1):
            print(f"Iteration {epoch}, loss = {loss:.8f}")


@contextmanager
def progress_bar(n_samples: int, verbose: int) -> Iterator[Any]:
    """Show what was wanted: 0 nothing, 1 a bar, more a line per epoch.

    A bar is shown where it can be seen, once the work has taken half a second; without a number of
    samples it says how many there were.
    """
    if verbose > 1:
        yield Lines()
        return
    if not (verbose and is_watched()):
        yield NoProgress()
        return
    bar = _bar_class()
    with bar(
        total=n_samples or None,
        unit="sample",
        unit_scale=True,
        disable=False,
        delay=0.5,
        leave=False,
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
        ncols: int | None

        def __init__(self, **options: Any):
            super().__init__(**options)
            if self.ncols is not None and self.ncols < 1:  # of a terminal that has no size
                self.ncols, self.nrows = 80, 24

        def expect(self, n: int) -> None:
            self.total = n

        def epochs(self, n: int, losses: NDArray[np.float64]) -> None:
            if len(losses):
                self.set_postfix(loss=f"{losses[-1]:.4g}", refresh=False)

    Bar.set_lock(threading.RLock())
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: Bar.set_lock(threading.RLock()))
    return Bar
