"""What the Numba kernels hand on: all that belongs to a call, and to a mini-batch of it."""

from typing import Any, NamedTuple

import numpy as np

from ..cpu.lanes import N_COLUMNS as N_ENTRIES
from ..cpu.panels import (
    BATCH,
    FIRST_ROW,
    LOSS,
    MOST_VALUES,
    N_COLUMNS,
    N_NUMBERS,
    OUTPUTS,
    SCATTERED,
    SEED,
    UNITS,
)
from .compile import inlined, kernel
from .vector import lanes, pointer, real


class Task(NamedTuple):
    """Pointers to the arrays of a call, and their sizes; as in kernels.pyx."""

    n_layers: Any
    n_features: Any
    batch: Any
    loss: Any
    numbers: Any  # as in cpu/panels.py
    sparse: Any
    scattered: Any
    thread: Any
    n_threads: Any
    seed: Any
    first_row: Any  # of a shard
    scale: Any
    table: Any
    weights: Any
    moment_1: Any
    moment_2: Any
    work: Any
    zeros: Any  # offset in `work` of a row of zeros
    packed: Any  # and of this thread's scratch: (batch + 1, width)
    gradient: Any  # and, if `scattered`, (n_in, width): zeros between two panels
    reals: Any  # as in cpu/inputs.py
    bytes: Any
    short_columns: Any
    columns: Any
    starts: Any
    is_bytes: Any
    is_short: Any
    targets: Any
    n_targets: Any  # 0: no loss, no deltas
    sample_weights: Any
    weighted: Any  # whether there are any; all are 1 if not
    order: Any
    losses: Any
    sync: Any
    stop: Any
    in_order: Any  # 0, 1, 2, ...
    # The inputs of the first layer, first those that are not 0 in all of a batch; then the bias,
    # and how many are not 0
    used: Any
    # The values of a batch that are not 0, by sample and by input
    position: Any  # (most_values): the columns of a sample's values, ascending
    value: Any  # as `position`
    split: Any  # (batch, n_threads + 1): where each thread's range of columns begins
    sample: Any  # (most_values): the samples of an input, input after input
    sample_value: Any  # as `sample`
    start: Any  # (n_in + 1): where an input's samples begin


@kernel
def new_task(problem, samples, order, losses, thread, n_threads):
    """Gather pointers to all arrays of a call; the callers keep the arrays alive."""
    settings, work, lists = problem.settings, problem.work, problem.lists
    batch, n_features, scattered = settings[BATCH], problem.table[0, UNITS], settings[SCATTERED]
    n, X = settings[MOST_VALUES], samples.X
    width = 2 * lanes(work)
    n_targets = samples.targets.shape[1] if len(samples.targets) else 0
    longest = problem.table[:, UNITS].max() + 2
    orders = lists[len(lists) - 2 * (n_threads - thread) * longest :]
    for k in range(longest):
        orders[k] = orders[longest + k] = k
    values = len(work) - 2 * n
    scratch = values - width - (n_threads - thread) * (batch + 1 + scattered * n_features) * width
    return Task(
        len(problem.table) - 1,
        n_features,
        batch,
        settings[LOSS],
        pointer(problem.numbers),
        n > 0,
        scattered != 0,
        thread,
        n_threads,
        np.uint64(settings[SEED]),
        settings[FIRST_ROW],
        real(work, samples.scale),
        pointer(problem.table),
        pointer(problem.weights),
        pointer(problem.moment_1),
        pointer(problem.moment_2),
        pointer(work),
        values - width,
        scratch,
        scratch + (batch + 1) * width,
        pointer(X.reals),
        pointer(X.bytes),
        pointer(X.short_columns),
        pointer(X.columns),
        pointer(X.starts),
        len(X.bytes) > 0,
        len(X.short_columns) > 0,
        pointer(samples.targets),
        n_targets,
        pointer(samples.weights),
        len(samples.weights) > 0,
        pointer(order),
        pointer(losses),
        pointer(problem.sync),
        pointer(problem.stop),
        pointer(orders),
        pointer(orders[longest:]),
        pointer(lists),
        pointer(work[values:]),
        pointer(problem.offsets[n_features + 1 :]),
        pointer(lists[n:]),
        pointer(work[values + n :]),
        pointer(problem.offsets),
    )


class Batch(NamedTuple):
    """One mini-batch."""

    rows: Any
    size: Any  # the sum of its samples' weights
    step: Any
    first: Any  # its place in `order`
    n_after: Any  # how many samples of the epoch follow
    first_loss: Any  # its place in `losses`


@inlined
def column(p, layer, name):
    """Return an entry of the table of layers."""
    return p.table[layer * N_COLUMNS + name]


@inlined
def entry(g, layer, name):
    """Return an entry of the table of layers of networks side by side."""
    return g.table[layer * N_ENTRIES + name]


@inlined
def parameter_of(p, layer):
    """Return the number in the activation of a layer."""
    return real(p.work, p.numbers[N_NUMBERS + layer - 1])


@inlined
def used_by(p, layer):
    """Return the numbers of a layer's inputs and its bias, as they are used, and how many are."""
    n_in = column(p, layer - 1, UNITS)
    if layer == 1 and not p.sparse:
        return p.used, np.int64(p.used[n_in + 1])
    return p.in_order, n_in


@inlined
def offset_of(p, layer, i, c):
    """Return where in `work` the outputs of a layer hold unit c of sample i."""
    W = 2 * lanes(p.weights)
    return column(p, layer, OUTPUTS) + ((c // W) * p.batch + i) * W + c % W
