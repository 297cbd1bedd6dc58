"""Many networks of one shape on a CPU: side by side in the lanes of vectors, or one by one."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..interface import Network, Optimizer, Samples, Schedule, State
from ..threads import available_processors, run_workers
from . import lanes, panels


def train_in_lanes(
    kernels: Any,
    networks: Sequence[Network],
    optimizers: Sequence[Optimizer],
    states: Sequence[State],
    samples: Samples,
    schedules: Sequence[Schedule],
    loss_sums: Sequence[NDArray],
    n_threads: int,
    compile: Callable[[Callable[[], None]], None],
) -> None:
    """Train networks side by side, a group of them at a time on each thread.

    `samples` are as kernels take them; `compile` makes a call that trains nothing.
    """
    width = kernels.panel_width // 2
    n_threads = max(1, min(n_threads, available_processors()))
    turns = _same_samples_together(schedules)
    parts = [turns[part.start : part.stop] for part in lanes.groups(len(turns), n_threads, width)]
    n_workers, stop = min(n_threads, len(parts)), panels.new_stop()

    def train(part: list[int], sums: NDArray) -> None:
        own, n_epochs = [states[i] for i in part], sums.shape[1]
        group = lanes.build(
            [networks[i] for i in part],
            [optimizers[i] for i in part],
            own,
            [schedules[i] for i in part],
            n_epochs,
            stop,
            lanes=width,
        )
        kernels.train_lanes(group, samples, sums)
        lanes.unpack(group, own, width)
        for network, lane in zip(part, sums, strict=False):
            loss_sums[network][:n_epochs] = lane

    waiting = deque(parts)  # whoever is free takes the next: processors are not equally fast

    def worker(thread: int) -> None:
        sums = np.zeros((width, len(loss_sums[0])))
        while not stop[0]:
            try:
                part = waiting.popleft()
            except IndexError:
                return
            train(part, sums)

    compile(lambda: train([0], np.zeros((width, 0))))
    run_workers(worker, n_workers, stop, apart=True)


def _same_samples_together(schedules: Sequence[Schedule]) -> list[int]:
    """Return the networks in an order in which neighbours read the same samples, if they may."""
    places: dict[int, int] = {}
    for schedule in schedules:
        places.setdefault(id(schedule.order), len(places))
    return sorted(range(len(schedules)), key=lambda i: places[id(schedules[i].order)])


def train_one_by_one(
    train: Callable[..., Any],
    networks: Sequence[Network],
    optimizers: Sequence[Optimizer],
    states: Sequence[State],
    samples: Samples,
    schedules: Sequence[Schedule],
    loss_sums: Sequence[NDArray],
    n_threads: int,
    compile: Callable[[Callable[[], None]], None],
) -> None:
    """Train one network after the other on each thread, by `train` (`Compiled._train`)."""
    n_networks = len(networks)
    n_workers = max(1, min(n_threads, n_networks, available_processors()))
    n_own, stop = n_threads // n_workers, panels.new_stop()

    def train_one(i: int, sums: NDArray) -> None:
        train(networks[i], optimizers[i], states[i], samples, schedules[i], sums, n_own, stop)

    def worker(thread: int) -> None:
        for i in range(thread, n_networks, n_workers):
            if stop[0]:
                return
            loss_sums[i][:] = 0
            train_one(i, loss_sums[i])

    compile(lambda: train_one(0, loss_sums[0][:0]))
    run_workers(worker, n_workers, stop, apart=True)
