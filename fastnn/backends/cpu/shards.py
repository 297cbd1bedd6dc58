"""Training as one of several processes with compiled kernels: gradients of shards, and steps."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codes import STORE_GRADIENT
from ..interface import Network, Optimizer, Samples, State
from ..shards import Node, ShardSchedule, node_sum, whole_nodes
from ..threads import run_workers
from . import panels

NO_RATE = np.zeros(1)  # of a step that stores its gradient


def most_rows(schedule: ShardSchedule) -> int:
    """Return the largest number of rows in a shard; 1 if there is none."""
    return max([1, *(end - first for first, end in schedule.rows)])


def train(
    kernels: Any,
    net: Network,
    optimizer: Optimizer,
    state: State,
    samples: Samples,
    schedule: ShardSchedule,
    loss_sums: NDArray[np.float64],
    n_threads: int,
    add_up: Callable[[dict[Node, NDArray], NDArray], None],
    *,
    most_values: int,
    work: int,
    compile: Callable[[Callable[[], None]], None],
) -> None:
    """Do the work of `interface.Kernels.mlp_train_shards`.

    Parameters
    ----------
    kernels : as `Compiled` loads them
    samples : Samples
        With an array in every place.
    most_values : int
        Of a shard; see `inputs.most_values`.
    work : int
        Of the largest shard; see `panels.work_of`.
    compile : callable
        Makes the call that it gets.
    """
    batch, width, dtype = most_rows(schedule), kernels.panel_width, state.params.dtype
    n_threads = panels.choose_threads(n_threads, work)
    problem = panels.build(
        net,
        optimizer,
        state.params,
        state.moments,
        width=width,
        batch=batch,
        most_values=most_values,
        n_threads=n_threads,
        seed=schedule.seed,
    )
    # Gradients go into a first moment, without penalties, from the same weights.
    settings, numbers = problem.settings.copy(), problem.numbers.copy()
    settings[panels.OPTIMIZER] = STORE_GRADIENT
    numbers[[panels.ALPHA, panels.L1, panels.MAX_NORM]] = 0
    losses, root = np.empty(batch), (0, schedule.n_shards)
    free: list[NDArray] = []

    def new() -> NDArray:
        return panels.aligned(len(problem.weights), dtype)

    def write_gradient(rows: NDArray[np.int64], out: NDArray, sums: NDArray[np.float64]) -> None:
        storing = problem._replace(settings=settings, numbers=numbers, moment_1=out)
        order = rows[np.newaxis]

        def worker(thread: int, sums: NDArray[np.float64] = sums) -> None:
            kernels.train_thread(storing, samples, order, NO_RATE, losses, sums, thread)

        if n_threads > 1:
            compile(lambda: worker(0, sums[:0]))
        run_workers(worker, n_threads, problem.stop)

    for number, size in enumerate(schedule.sizes.tolist()):
        if size == 0:  # none of its samples counts
            continue
        problem.settings[panels.STEP] = settings[panels.STEP] = state.step + number
        numbers[-1], batches = size, schedule.batches(number)

        def leaf(shard: int, out: NDArray, batches=batches) -> None:
            own = shard - schedule.shards[0]
            settings[panels.FIRST_ROW] = schedule.rows[own][0]
            if len(batches[own]):
                write_gradient(batches[own], out, loss_sums[own : own + 1])
            else:
                out[:] = 0

        sums = {
            node: node_sum(node, leaf, free, new) for node in whole_nodes(root, schedule.shards)
        }
        total = next(iter(sums.values())) if sums else new()
        add_up(sums, total)
        kernels.take_step(problem, samples, losses, total, schedule.learning_rate, size)
        free += sums.values() if sums else [total]
    panels.unpack_state(net, problem, state, width)
