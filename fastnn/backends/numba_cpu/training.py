"""The training loop of the Numba back end; it follows cython_cpu/kernels.pyx."""

from ..cpu.panels import (
    MAX_NORM,
    N_NUMBERS,
    N_THREADS,
    OPTIMIZER,
    PANELS,
    STEP,
    UNITS,
)
from .barrier import barrier_wait, is_stopped
from .compile import kernel
from .formulas import first_sizes, next_step, step_sizes
from .inputs import find_used, list_by_input, load_batch
from .layers import deltas_below, forward, limit_layer, update
from .processor import flush_denormals, restore_denormals
from .task import Batch, column, new_task, offset_of
from .updates import is_online, transpose_panel


@kernel
def train_thread(problem, samples, order, learning_rates, losses, loss_sums, thread):
    """Run one thread of `interface.Kernels.mlp_train`; its threads meet at barriers.

    `losses` has room for the losses of one batch.
    """
    p = new_task(problem, samples, order, losses, thread, problem.settings[N_THREADS])
    before = flush_denormals()
    train(p, problem.settings, order, learning_rates, loss_sums, thread)
    restore_denormals(before)


@kernel
def train(p, settings, order, learning_rates, loss_sums, thread):
    """Do the work of `train_thread`."""
    n, step = order.shape[1], settings[STEP]
    s = first_sizes(p.numbers, settings[OPTIMIZER], step)
    for layer in range(2, p.n_layers + 1):
        panels = column(p, layer, PANELS)
        for q in range(panels * thread // p.n_threads, panels * (thread + 1) // p.n_threads):
            transpose_panel(p, layer, q, 0, column(p, layer - 1, UNITS))
    for epoch in range(len(loss_sums)):
        for start in range(0, n, p.batch):
            rows, first = min(p.batch, n - start), (epoch % len(order)) * n + start
            n_after = n - start - p.batch
            b = Batch(rows, batch_size(p, first, rows), step, first, n_after, 0)
            step += 1
            s = step_sizes(p.numbers, s, learning_rates[epoch], step)
            if b.size == 0:  # none of its samples counts
                continue
            if not train_batch(p, b, next_step(p, s, b.size)):
                return
            if thread == 0:
                for i in range(rows):
                    loss_sums[epoch] += p.losses[i]


@kernel
def batch_size(p, first, rows):
    """Return the sum of the weights of a batch's samples, of a shard those of its whole batch."""
    whole = p.numbers[N_NUMBERS + p.n_layers + 1]
    if whole > 0:
        return whole
    if not p.weighted:
        return float(rows)
    total = 0.0
    for i in range(first, first + rows):
        total += p.sample_weights[p.order[i]]
    return total


@kernel
def train_batch(p, b, u):
    """Make one step. A barrier stands wherever a thread needs what another has computed.

    Returns whether to go on; the call has been given up if not.
    """
    if is_stopped(p.stop):
        return False
    load_batch(p, b)
    if not barrier_wait(p.sync, p.stop, p.n_threads):
        return False
    if p.sparse and not p.scattered and not is_online(p, b.rows, u):
        list_by_input(p, b.rows)
    if not p.sparse:
        find_used(p, b.rows)
    for layer in range(1, p.n_layers + 1):
        forward(p, layer, b, True)
        if not barrier_wait(p.sync, p.stop, p.n_threads):
            return False
    for layer in range(p.n_layers, 0, -1):
        if layer > 1:
            deltas_below(p, layer, b)
            if not barrier_wait(p.sync, p.stop, p.n_threads):
                return False
        update(p, layer, b, u)
    if p.numbers[MAX_NORM] > 0:  # a unit's weights may have been shared out by rows
        if not barrier_wait(p.sync, p.stop, p.n_threads):
            return False
        for layer in range(1, p.n_layers + 1):
            limit_layer(p, layer)
    return barrier_wait(p.sync, p.stop, p.n_threads)


@kernel
def forward_samples(problem, samples, order, losses, outputs, last, start, stop):
    """Write the outputs of layer `last` for some samples and, given targets, their losses."""
    p = new_task(problem, samples, order, losses, 0, 1)
    for first in range(start, stop, p.batch):
        rows = min(p.batch, stop - first)
        b = Batch(rows, 1.0, 0, first, 0, first)  # the deltas are not looked at
        load_batch(p, b)
        if not p.sparse:
            find_used(p, b.rows)
        for layer in range(1, last + 1):
            forward(p, layer, b, False)
        for i in range(b.rows):
            for c in range(outputs.shape[1]):
                outputs[first + i, c] = p.work[offset_of(p, last, i, c)]
