"""Many networks of one shape on a CPU: side by side in the lanes of vectors, or one by one."""

from collections.abc import Callable, Sequence
from typing import Any

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
    loss_sums: NDArray,
    n_threads: int,
    compile: Callable[[Callable[[], None]], None],
) -> None:
    """Train networks side by side, a group of them at a time on each thread.

    `samples` are as kernels take them; `compile` makes a call that trains nothing.
    """
    width = kernels.panel_width // 2
    n_threads = max(1, min(n_threads, available_processors()))
    parts = lanes.groups(len(networks), n_threads, width)
    n_workers, stop = min(n_threads, len(parts)), panels.new_stop()

    def train(part: range, n_epochs: int) -> None:
        own = slice(part.start, part.stop)
        group = lanes.build(
            networks[own], optimizers[own], states[own], schedules[own], n_epochs, stop, lanes=width
        )
        sums = panels.aligned(n_epochs * width, "float64").reshape(n_epochs, width)
        kernels.train_lanes(group, samples, sums)
        lanes.unpack(group, states[own], width)
        loss_sums[own, :n_epochs] += sums[:, : len(part)].T

    def worker(thread: int) -> None:
        for part in parts[thread::n_workers]:
            if stop[0]:
                return
            train(part, loss_sums.shape[1])

    compile(lambda: train(range(1), 0))
    run_workers(worker, n_workers, stop, apart=True)


def train_one_by_one(
    train: Callable[..., Any],
    networks: Sequence[Network],
    optimizers: Sequence[Optimizer],
    states: Sequence[State],
    samples: Samples,
    schedules: Sequence[Schedule],
    loss_sums: NDArray,
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
            train_one(i, loss_sums[i])

    compile(lambda: train_one(0, loss_sums[0, :0]))
    run_workers(worker, n_workers, stop, apart=True)
