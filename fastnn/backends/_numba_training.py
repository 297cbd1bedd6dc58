"""The training loop of the Numba back end, on top of the kernels in _numba_kernels.py."""

import numpy as np

from ._numba_kernels import (
    Batch,
    Lists,
    Update,
    activate_panel,
    drop_panel,
    finish_sample,
    kernel,
    multiply_panel,
    multiply_panel_sparse,
    place,
    transpose_panel,
    update_panel,
    update_panel_sparse,
)
from ._numba_vector import (
    barrier_wait,
    lanes,
    load,
    vadd,
    vfma,
    vload,
    vmul,
    vstore,
    vsum,
    vzero,
)
from .interface import ADAM, BINARY_CROSSENTROPY, SOFTMAX
from .panels import (
    ACTIVATION,
    ALPHA,
    BATCH,
    BETA_1,
    BETA_2,
    DELTAS,
    DROP_LIMIT,
    EPSILON,
    LOSS,
    N_THREADS,
    OPTIMIZER,
    OUTPUTS,
    PANELS,
    RATE,
    SCALE,
    SLOPES,
    SPARSE,
    STEP,
    TRANSPOSED,
    UNITS,
    WEIGHTS,
)


@kernel
def share_of(panels, rows, b):
    """Return this thread's panels and all rows, or, where panels are few, all panels and rows."""
    t, n = b.thread, b.n_threads
    if panels % n == 0 or panels >= 4 * n:
        return panels * t // n, panels * (t + 1) // n, 0, rows
    return 0, panels, rows * t // n, rows * (t + 1) // n


@kernel
def load_batch(p, lists, b, X, order):
    """Read this thread's samples of the batch: all inputs, or the list of those that are not 0.

    The list is made without branches, since zeros come at random.
    """
    n, T = p.table[0, UNITS], b.n_threads
    real = p.weights.dtype.type
    scale = real(p.rates[SCALE])
    inputs = p.table[0, OUTPUTS]
    for i in range(b.rows * b.thread // T, b.rows * (b.thread + 1) // T):
        sample = order[b.epoch, b.start + i]
        if not p.settings[SPARSE]:
            for k in range(n):
                p.work[inputs + place(p, 0, i, k)] = real(X[sample, k]) * scale
            continue
        found = i * n
        for t in range(T):
            lists.split[i * (T + 1) + t] = found - i * n
            for k in range(n * t // T, n * (t + 1) // T):
                x = X[sample, k]
                lists.position[found] = k
                lists.value[found] = real(x) * scale
                found += x != 0
        lists.split[i * (T + 1) + T] = found - i * n


@kernel
def list_by_input(p, lists, b):
    """Sort this thread's range of the inputs in the samples' lists by input (a counting sort)."""
    n, stride = p.table[0, UNITS], b.n_threads + 1
    first, end = n * b.thread // b.n_threads, n * (b.thread + 1) // b.n_threads
    # `start` is shifted by one while counting, so that filling leaves it right.
    start, at = lists.start, 0
    for k in range(first, end):
        start[k + 1] = 0
    for i in range(b.rows):
        split = i * stride + b.thread
        at += lists.split[split]
        for q in range(i * n + lists.split[split], i * n + lists.split[split + 1]):
            start[lists.position[q] + 1] += 1
    if b.thread == 0:
        start[0] = 0
    for k in range(first, end):
        count = start[k + 1]
        start[k + 1] = at
        at += count
    for i in range(b.rows):
        split = i * stride + b.thread
        for q in range(i * n + lists.split[split], i * n + lists.split[split + 1]):
            k = lists.position[q] + 1
            to = start[k]
            lists.sample[to] = i
            lists.sample_value[to] = lists.value[q]
            start[k] = to + 1


@kernel
def forward(p, lists, layer, b, training, targets, order, losses, first_loss):
    """Compute this thread's share of layer l's outputs (2.12) to (2.15)."""
    L = lanes(p.weights)
    W = 2 * L
    row, batch = p.table[layer], p.settings[BATCH]
    n_in = p.table[layer - 1, UNITS]
    is_last = layer == len(p.table) - 1
    panel, panel_end, i, end = share_of(row[PANELS], b.rows, b)
    if is_last:  # whole samples, for the loss
        panel, panel_end = 0, row[PANELS]
        i = b.rows * b.thread // b.n_threads
        end = b.rows * (b.thread + 1) // b.n_threads
    from_z = is_last and (row[ACTIVATION] == SOFTMAX or p.settings[LOSS] == BINARY_CROSSENTROPY)
    for q in range(panel, panel_end):
        w = row[WEIGHTS] + q * (n_in + 1) * W
        bias = w + n_in * W
        at = row[OUTPUTS] + q * batch * W
        if layer == 1 and p.settings[SPARSE]:
            multiply_panel_sparse(p, lists, b.n_threads, i, end, w, bias, at)
        else:
            x = p.table[layer - 1, OUTPUTS]
            multiply_panel(
                p.work, x, batch, i, end, n_in, p.weights, w, p.weights, bias, p.work, at
            )
        if not from_z:
            at += i * W
            slope = at + row[SLOPES] - row[OUTPUTS]
            activate_panel(row[ACTIVATION], p.work, at, slope, (end - i) * W)
        if training and row[DROP_LIMIT] > 0:
            drop_panel(p, layer, q, i, end, b.step)
    if is_last:
        for j in range(i, end):
            losses[first_loss + j] = finish_sample(
                p, layer, j, b.rows, from_z, targets, order[b.epoch, b.start + j]
            )


@kernel
def deltas_below(p, layer, b):
    """Compute this thread's share of the deltas of the layer below (2.42), (2.43)."""
    L = lanes(p.weights)
    W = 2 * L
    row, below, batch = p.table[layer], p.table[layer - 1], p.settings[BATCH]
    zeros = len(p.work) - W
    if p.settings[SPARSE]:
        zeros -= 2 * p.table[0, UNITS] * batch
    panel, panel_end, i, end = share_of(below[PANELS], b.rows, b)
    for q in range(panel, panel_end):
        at = below[DELTAS] + q * batch * W
        t = row[TRANSPOSED] + q * row[UNITS] * W
        multiply_panel(
            p.work, row[DELTAS], batch, i, end, row[UNITS], p.work, t, p.work, zeros, p.work, at
        )
        slope = below[SLOPES] + q * batch * W
        for j in range(i * W, end * W, L):
            vstore(p.work, at + j, vmul(vload(p.work, at + j), vload(p.work, slope + j)))


@kernel
def update(p, lists, layer, b, u):
    """Update this thread's share of layer l's weights (2.39), (2.40), (2.44) to (2.46)."""
    panel, panel_end, k, end = share_of(p.table[layer, PANELS], p.table[layer - 1, UNITS] + 1, b)
    for q in range(panel, panel_end):
        if layer == 1 and p.settings[SPARSE]:
            update_panel_sparse(p, lists, q, k, end, b.rows, u)
        else:
            update_panel(p, layer, q, k, end, b.rows, u)
        if layer > 1:
            transpose_panel(p, layer, q, k, end)


@kernel
def find_lists(p, n_threads):
    """Return the parts of the buffers that hold the lists of non-zero inputs."""
    n = p.table[0, UNITS] * p.settings[BATCH] if p.settings[SPARSE] else 0
    values = len(p.work) - 2 * n
    splits = 2 * n + (n_threads + 1) * p.settings[BATCH] if n else 0
    return Lists(
        p.lists[:n],
        p.work[values : values + n],
        p.lists[2 * n : splits],
        p.lists[n : 2 * n],
        p.work[values + n :],
        p.lists[splits:],
    )


@kernel
def mlp_train(p, X, targets, order, losses, loss_sums, thread):
    """Run one thread of `interface.Kernels.mlp_train`; its threads meet at barriers.

    `losses` has room for the losses of one batch.
    """
    real = p.weights.dtype.type
    n_threads, n_layers = p.settings[N_THREADS], len(p.table) - 1
    batch, n, step = p.settings[BATCH], order.shape[1], p.settings[STEP]
    optimizer = p.settings[OPTIMIZER]
    lists = find_lists(p, n_threads)
    for layer in range(2, n_layers + 1):
        panels = p.table[layer, PANELS]
        for q in range(panels * thread // n_threads, panels * (thread + 1) // n_threads):
            transpose_panel(p, layer, q, 0, p.table[layer - 1, UNITS])
    for epoch in range(len(loss_sums)):
        for start in range(0, n, batch):
            rows = min(batch, n - start)
            b = Batch(rows, step, epoch % len(order), start, thread, n_threads)
            step += 1
            rate = p.rates[RATE]
            if optimizer == ADAM:
                rate *= np.sqrt(1 - p.rates[BETA_2] ** float(step))
                rate /= 1 - p.rates[BETA_1] ** float(step)
            u = Update(
                optimizer,
                real(rate),
                real(p.rates[BETA_1]),
                real(p.rates[BETA_2]),
                real(p.rates[EPSILON]),
                real(p.rates[ALPHA] / rows),
            )
            train_batch(p, lists, b, u, X, targets, order, losses)
            if thread == 0:
                for i in range(rows):
                    loss_sums[epoch] += losses[i]


@kernel
def train_batch(p, lists, b, u, X, targets, order, losses):
    """Make one step. A barrier stands wherever a thread needs what another has computed."""
    n_layers = len(p.table) - 1
    load_batch(p, lists, b, X, order)
    barrier_wait(p.sync, b.n_threads)
    if p.settings[SPARSE]:
        list_by_input(p, lists, b)
    for layer in range(1, n_layers + 1):
        forward(p, lists, layer, b, True, targets, order, losses, 0)
        barrier_wait(p.sync, b.n_threads)
    for layer in range(n_layers, 0, -1):
        if layer > 1:
            deltas_below(p, layer, b)
            barrier_wait(p.sync, b.n_threads)
        update(p, lists, layer, b, u)
    barrier_wait(p.sync, b.n_threads)


@kernel
def mlp_forward(p, X, targets, order, losses, outputs, last, start, stop):
    """Write the outputs of layer `last` for some samples and, given targets, their losses."""
    lists = find_lists(p, 1)
    for first in range(start, stop, p.settings[BATCH]):
        b = Batch(min(p.settings[BATCH], stop - first), 0, 0, first, 0, 1)
        load_batch(p, lists, b, X, order)
        for layer in range(1, last + 1):
            forward(p, lists, layer, b, False, targets, order, losses, first)
        for i in range(b.rows):
            for c in range(p.table[last, UNITS]):
                outputs[first + i, c] = p.work[p.table[last, OUTPUTS] + place(p, last, i, c)]


# --- perceptron and linear network -------------------------------------------------------------


@kernel
def dot(a, i, b, c):
    """Return the product of rows a[i] and b[c]."""
    L, n = lanes(a), a.shape[1]
    at, bt = i * n, c * n
    s0 = s1 = vzero(a)
    k = 0
    while k + 2 * L <= n:
        s0 = vadd(s0, vmul(vload(a, at + k), vload(b, bt + k)))
        s1 = vadd(s1, vmul(vload(a, at + k + L), vload(b, bt + k + L)))
        k += 2 * L
    total = vsum(vadd(s0, s1))
    while k < n:
        total += load(a, at + k) * load(b, bt + k)
        k += 1
    return total


@kernel
def add_scaled(factor, a, i, b, c):
    """b[c] += factor a[i]."""
    L, n = lanes(a), a.shape[1]
    at, bt = i * n, c * n
    k = 0
    while k + L <= n:
        vstore(b, bt + k, vfma(factor, vload(a, at + k), vload(b, bt + k)))
        k += L
    while k < n:
        b[c, k] += factor * load(a, at + k)
        k += 1


@kernel
def delta_rule(X, targets, weights, change, rate, use_sign, order, online, history, losses):
    """Run `perceptron_train` (use_sign) or `linear_train`; weights are (n_outputs, n_inputs).

    `change` is scratch of the same shape. Returns the epochs run.
    """
    real = X.dtype.type
    n, n_outputs = len(X), len(weights)
    for epoch in range(len(losses)):
        n_mistakes, squares = 0, 0.0
        if not online:
            change[:] = 0
        for q in range(n):
            i = order[epoch % len(order), q] if online else q
            wrong = False
            for c in range(n_outputs):
                z = dot(X, i, weights, c)
                if use_sign:
                    z = real(1.0 if z > 0 else -1.0 if z < 0 else 0.0)
                error = targets[i, c] - z
                squares += float(error) * error
                if error != 0:
                    wrong = True
                    if online:  # w += rate (t - y) x (1.2)
                        add_scaled(real(rate * error), X, i, weights, c)
                    else:
                        add_scaled(error, X, i, change, c)
            n_mistakes += wrong
        if not online:
            for c in range(n_outputs):
                add_scaled(real(rate / n), change, c, weights, c)
        losses[epoch] = squares / (2 * n)
        if use_sign and n_mistakes == 0:
            return epoch
        if len(history):
            history[epoch] = weights.T
    return len(losses)
