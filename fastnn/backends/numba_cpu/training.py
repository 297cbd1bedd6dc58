"""The training loop of the Numba back end; it follows cython_cpu/kernels.pyx."""

import numpy as np

from .barrier import barrier_wait, is_stopped
from .compile import kernel
from .layers import (
    deltas_below,
    forward,
    list_by_input,
    load_batch,
    place,
    update,
)
from .panels import (
    Batch,
    Task,
    Update,
    column,
    is_online,
    transpose_panel,
)
from .small import is_small, train_small
from .vector import (
    lanes,
    pointer,
    real,
)
from ..interface import (
    ADAM,
)
from ..cpu.panels import (
    ALPHA,
    BATCH,
    BETA_1,
    BETA_2,
    EPSILON,
    LOSS,
    N_THREADS,
    OPTIMIZER,
    OUTPUTS,
    PANELS,
    RATE,
    SCALE,
    SEED,
    SPARSE,
    STEP,
    UNITS,
)


@kernel
def new_task(problem, X, targets, order, losses, thread, n_threads):
    """Gather pointers to all arrays of a call; the callers keep the arrays alive."""
    settings, work, lists = problem.settings, problem.work, problem.lists
    batch, n_features, sparse = settings[BATCH], problem.table[0, UNITS], settings[SPARSE] != 0
    n = n_features * batch if sparse else 0
    width = 2 * lanes(work)
    values, splits = len(work) - 2 * n, (n_threads + 1) * batch if sparse else 0
    return Task(
        len(problem.table) - 1,
        n_features,
        batch,
        settings[LOSS],
        sparse,
        thread,
        n_threads,
        np.uint64(settings[SEED]),
        real(work, problem.rates[SCALE]),
        pointer(problem.table),
        pointer(problem.weights),
        pointer(problem.moment_1),
        pointer(problem.moment_2),
        pointer(work),
        values - width,
        values - width - (n_threads - thread) * (batch + 1) * width,
        pointer(X),
        pointer(targets),
        targets.shape[1] if len(targets) else 0,
        pointer(order),
        pointer(losses),
        pointer(problem.sync),
        pointer(problem.stop),
        pointer(lists),
        pointer(work[values:]),
        pointer(lists[2 * n :]),
        pointer(lists[n:]),
        pointer(work[values + n :]),
        pointer(lists[2 * n + splits :]),
    )


@kernel
def mlp_train(problem, X, targets, order, losses, loss_sums, thread):
    """Run one thread of `interface.Kernels.mlp_train`; its threads meet at barriers.

    `losses` has room for the losses of one batch.
    """
    settings, rates = problem.settings, problem.rates
    p = new_task(problem, X, targets, order, losses, thread, settings[N_THREADS])
    n, step, optimizer = order.shape[1], settings[STEP], settings[OPTIMIZER]
    if is_small(p, order):
        train_small(p, problem, order, loss_sums)
        return
    for layer in range(2, p.n_layers + 1):
        panels = column(p, layer, PANELS)
        for q in range(panels * thread // p.n_threads, panels * (thread + 1) // p.n_threads):
            transpose_panel(p, layer, q, 0, column(p, layer - 1, UNITS))
    for epoch in range(len(loss_sums)):
        for start in range(0, n, p.batch):
            rows = min(p.batch, n - start)
            b = Batch(rows, step, (epoch % len(order)) * n + start, 0)
            step += 1
            rate = rates[RATE]
            if optimizer == ADAM:
                rate *= np.sqrt(1 - rates[BETA_2] ** float(step))
                rate /= 1 - rates[BETA_1] ** float(step)
            u = Update(
                optimizer,
                real(p.work, rate),
                real(p.work, rates[BETA_1]),
                real(p.work, rates[BETA_2]),
                real(p.work, rates[EPSILON]),
                real(p.work, rates[ALPHA] / rows),
            )
            if not train_batch(p, b, u):
                return
            if thread == 0:
                for i in range(rows):
                    loss_sums[epoch] += p.losses[i]


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
    if p.sparse and not is_online(p, b.rows, u):
        list_by_input(p, b.rows)
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
    return barrier_wait(p.sync, p.stop, p.n_threads)


@kernel
def mlp_forward(problem, X, targets, order, losses, outputs, last, start, stop):
    """Write the outputs of layer `last` for some samples and, given targets, their losses."""
    p = new_task(problem, X, targets, order, losses, 0, 1)
    for first in range(start, stop, p.batch):
        b = Batch(min(p.batch, stop - first), 0, first, first)
        load_batch(p, b)
        for layer in range(1, last + 1):
            forward(p, layer, b, False)
        at = column(p, last, OUTPUTS)
        for i in range(b.rows):
            for c in range(outputs.shape[1]):
                outputs[first + i, c] = p.work[at + place(p, last, i, c)]
