"""What a layer does with a batch, with Numba: activation, dropout, loss, deltas, update.

The functions follow cython_cpu/layers.pxi.
"""

import math

import numpy as np

from .compile import inlined, kernel
from .panels import (
    column,
    is_online,
    multiply_panel,
    multiply_panel_sparse,
    transpose_panel,
    update_panel,
    update_panel_online,
    update_panel_sparse,
)
from .vector import (
    lanes,
    load,
    real,
    vabs,
    vadd,
    vdiv,
    vload,
    vmul,
    vpositive,
    vrelu,
    vsigmoid,
    vsplat,
    vstore,
    vsub,
    vtanh,
    vzero,
)
from ..interface import (
    BINARY_CROSSENTROPY,
    CATEGORICAL_CROSSENTROPY,
    RELU,
    SIGMOID,
    SIGN,
    SOFTMAX,
    SOFTSIGN,
    SPARSE_CATEGORICAL_CROSSENTROPY,
    SQUARED_ERROR,
    STREAM_DROPOUT,
    TANH,
)
from ..cpu.panels import (
    ACTIVATION,
    DELTAS,
    DROP_LIMIT,
    OUTPUTS,
    PANELS,
    SLOPES,
    TRANSPOSED,
    UNITS,
    WEIGHTS,
)

# --- activations, dropout, loss ----------------------------------------------------------------


@inlined
def activated(code, z):
    """Return f(z) and f'(z) of a vector of net inputs."""
    one, zero = vsplat(real(z, 1.0)), vzero(z)
    y, slope = z, one
    if code == RELU:
        y, slope = vrelu(z), vpositive(z)
    elif code == SIGMOID:
        y = vsigmoid(z)
        slope = vmul(y, vsub(one, y))
    elif code == TANH:
        y = vtanh(z)
        slope = vsub(one, vmul(y, y))
    elif code == SOFTSIGN:
        slope = vdiv(one, vadd(one, vabs(z)))
        y = vmul(z, slope)
        slope = vmul(slope, slope)
    elif code == SIGN:
        y, slope = vsub(vpositive(z), vpositive(vsub(zero, z))), zero
    return y, slope


@kernel
def activate(code, y, out, slope, n):
    """Replace n net inputs z by f(z), and store f'(z); n is a multiple of the vector's lanes."""
    for q in range(0, n, lanes(y)):
        v, s = activated(code, vload(y, out + q))
        vstore(y, out + q, v)
        vstore(y, slope + q, s)


@kernel
def activate_layer(p, layer, panel, i, end):
    """Apply the activation to samples i to end of a panel; narrow columns are packed together.

    Exponentials are what a small network spends its time on: 2-10-1 needs 6 vectors of them
    instead of 16.
    """
    L = lanes(p.work)
    W = 2 * L
    code, work, packed = column(p, layer, ACTIVATION), p.work, p.packed
    y = column(p, layer, OUTPUTS) + panel * p.batch * W
    slope = column(p, layer, SLOPES) + panel * p.batch * W
    used = column(p, layer, UNITS) - panel * W
    whole = L if used >= L else 0
    rest = used - whole
    if used >= W or 2 * rest > L:
        activate(code, work, y + i * W, slope + i * W, (end - i) * W)
        return
    if whole > 0:
        for q in range(i * W, end * W, W):
            activate(code, work, y + q, slope + q, L)
    if rest == 0:
        return
    n = 0
    for q in range(i * W, end * W, W):
        for j in range(whole, used):
            work[packed + n] = load(work, y + q + j)
            n += 1
    r = (n + L - 1) // L * L
    activate(code, work, packed, packed + r, r)
    n = 0
    for q in range(i * W, end * W, W):
        for j in range(whole, used):
            work[y + q + j] = load(work, packed + n)
            work[slope + q + j] = load(work, packed + r + n)
            n += 1


@kernel
def philox(c0, c1, c2, c3, seed):
    """Return the four words of a counter (Salmon et al. 2011), all as uint64; see python.py."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    k0, k1 = seed & low, seed >> half
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c2 = (p1 >> half) ^ c1 ^ k0, (p0 >> half) ^ c3 ^ k1
        c1, c3 = p1 & low, p0 & low
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3


@kernel
def drop_panel(p, layer, panel, i, end, step):
    """Multiply outputs and slopes of samples i to end by 0 or 1 / (1 - rate) (inverted dropout).

    The Philox blocks of a row are independent, so LLVM makes vectors of the loop over them.
    """
    W = 2 * lanes(p.weights)
    batch, limit = p.batch, np.uint64(column(p, layer, DROP_LIMIT))
    zero = real(p.work, 0.0)
    keep = real(p.work, 1.0 / (1.0 - column(p, layer, DROP_LIMIT) / 4294967296.0))
    stream, seed = np.uint64(STREAM_DROPOUT << 16 | (layer - 1)), p.seed
    step = np.uint64(step) & np.uint64(0xFFFFFFFF)
    for row in range(i, end):
        y = column(p, layer, OUTPUTS) + (panel * batch + row) * W
        slope = column(p, layer, SLOPES) + (panel * batch + row) * W
        for q in range(W // 4):
            block = np.uint64(panel * (W // 4) + q)
            words = philox(block, np.uint64(row), step, stream, seed)
            for j in range(4):
                factor = zero if words[j] < limit else keep
                p.work[y + 4 * q + j] *= factor
                p.work[slope + 4 * q + j] *= factor


@inlined
def place(p, layer, i, c):
    """Return the offset of unit c of sample i from the beginning of layer l's outputs."""
    W = 2 * lanes(p.weights)
    return ((c // W) * p.batch + i) * W + c % W


@kernel
def finish_sample(p, layer, i, rows, from_z, sample):
    """Return the loss of one sample and store its deltas; `from_z`: outputs hold z, and get f(z).

    The formulas are those of python.py (`_sample_loss`, `_output_delta`).
    """
    n, code = column(p, layer, UNITS), p.loss
    out, deltas, slopes = (
        column(p, layer, OUTPUTS),
        column(p, layer, DELTAS),
        column(p, layer, SLOPES),
    )
    work = p.work
    has_targets, targets, t = p.n_targets > 0, p.targets, sample * p.n_targets
    label = int(targets[t]) if has_targets and code == SPARSE_CATEGORICAL_CROSSENTROPY else 0
    factor = 2.0 if code == SQUARED_ERROR else 1.0
    loss, mean, total = 0.0, 0.0, 0.0
    if from_z and column(p, layer, ACTIVATION) == SOFTMAX:
        largest = float(work[out + place(p, layer, i, 0)])
        for c in range(1, n):
            largest = max(largest, float(work[out + place(p, layer, i, c)]))
        for c in range(n):
            total += math.exp(work[out + place(p, layer, i, c)] - largest)
        for c in range(n):
            at = place(p, layer, i, c)
            z = work[out + at] - largest
            y = math.exp(z) / total
            work[out + at] = y
            if not has_targets:
                continue
            if code == SPARSE_CATEGORICAL_CROSSENTROPY:
                e = y - (1.0 if c == label else 0.0)
                if c == label:
                    loss = math.log(total) - z
            else:
                e = y - targets[t + c]
                if code == CATEGORICAL_CROSSENTROPY:
                    if targets[t + c] != 0:
                        loss += targets[t + c] * (math.log(total) - z)
                else:
                    loss += factor / 2 * e * e
                    mean += e * y
            work[deltas + at] = e / rows
        if has_targets and code <= SQUARED_ERROR:
            for c in range(n):
                at = place(p, layer, i, c)
                y = float(work[out + at])
                work[deltas + at] = factor / rows * y * (y - targets[t + c] - mean)
    elif from_z:  # sigmoid and binary cross-entropy
        for c in range(n):
            at = place(p, layer, i, c)
            z = float(work[out + at])
            e = math.exp(-abs(z))
            y = 1 / (1 + e) if z >= 0 else e / (1 + e)
            work[out + at] = y
            if has_targets:
                loss += max(z, 0.0) - z * targets[t + c] + math.log1p(e)
                work[deltas + at] = (y - targets[t + c]) / rows
    elif has_targets:
        for c in range(n):
            at = place(p, layer, i, c)
            e = float(work[out + at]) - targets[t + c]
            loss += factor / 2 * e * e
            work[deltas + at] = factor / rows * e * work[slopes + at]
    return loss


@kernel
def share_of(panels, rows, p):
    """Return this thread's panels and all rows, or, where panels are few, all panels and rows."""
    t, n = p.thread, p.n_threads
    if n == 1:  # divisions cost a small network more than its arithmetic
        return 0, panels, 0, rows
    if panels % n == 0 or panels >= 4 * n:
        return panels * t // n, panels * (t + 1) // n, 0, rows
    return 0, panels, rows * t // n, rows * (t + 1) // n


@kernel
def load_batch(p, b):
    """Read this thread's samples of the batch: all inputs, or the list of those that are not 0.

    The list is made without branches, since zeros come at random.
    """
    n, T, W = p.n_features, p.n_threads, 2 * lanes(p.weights)
    inputs = column(p, 0, OUTPUTS)
    for i in range(b.rows * p.thread // T, b.rows * (p.thread + 1) // T):
        x = p.order[b.first + i] * n
        if not p.sparse:
            for first in range(0, n, W):
                row = inputs + first * p.batch + i * W
                for k in range(min(W, n - first)):
                    p.work[row + k] = real(p.work, p.X[x + first + k]) * p.scale
            continue
        found = i * n
        for t in range(T):
            p.split[i * (T + 1) + t] = found - i * n
            for k in range(n * t // T, n * (t + 1) // T):
                value = p.X[x + k]
                p.position[found] = k
                p.value[found] = real(p.work, value) * p.scale
                found += value != 0
        p.split[i * (T + 1) + T] = found - i * n


@kernel
def list_by_input(p, rows):
    """Sort this thread's range of the inputs in the samples' lists by input (a counting sort)."""
    n, stride = p.n_features, p.n_threads + 1
    first, end = n * p.thread // p.n_threads, n * (p.thread + 1) // p.n_threads
    # `start` is shifted by one while counting, so that filling leaves it right.
    at = 0
    for k in range(first, end):
        p.start[k + 1] = 0
    for i in range(rows):
        split = i * stride + p.thread
        at += p.split[split]
        for q in range(i * n + p.split[split], i * n + p.split[split + 1]):
            p.start[p.position[q] + 1] += 1
    if p.thread == 0:
        p.start[0] = 0
    for k in range(first, end):
        count = p.start[k + 1]
        p.start[k + 1] = at
        at += count
    for i in range(rows):
        split = i * stride + p.thread
        for q in range(i * n + p.split[split], i * n + p.split[split + 1]):
            k = p.position[q] + 1
            to = p.start[k]
            p.sample[to] = i
            p.sample_value[to] = p.value[q]
            p.start[k] = to + 1


@kernel
def forward(p, layer, b, training):
    """Compute this thread's share of layer l's outputs (2.12) to (2.15)."""
    L = lanes(p.weights)
    W = 2 * L
    batch = p.batch
    n_in = column(p, layer - 1, UNITS)
    is_last = layer == p.n_layers
    panel, panel_end, i, end = share_of(column(p, layer, PANELS), b.rows, p)
    if is_last:  # whole samples, for the loss
        panel, panel_end = 0, column(p, layer, PANELS)
        i = b.rows * p.thread // p.n_threads
        end = b.rows * (p.thread + 1) // p.n_threads
    from_z = is_last and (column(p, layer, ACTIVATION) == SOFTMAX or p.loss == BINARY_CROSSENTROPY)
    for q in range(panel, panel_end):
        w = column(p, layer, WEIGHTS) + q * (n_in + 1) * W
        bias = w + n_in * W
        at = column(p, layer, OUTPUTS) + q * batch * W
        if layer == 1 and p.sparse:
            multiply_panel_sparse(p, i, end, w, bias, at)
        else:
            x = column(p, layer - 1, OUTPUTS)
            multiply_panel(
                p.work, x, batch, i, end, n_in, p.weights, w, p.weights, bias, p.work, at
            )
        if not from_z:
            activate_layer(p, layer, q, i, end)
        if training and column(p, layer, DROP_LIMIT) > 0:
            drop_panel(p, layer, q, i, end, b.step)
    if is_last:
        for j in range(i, end):
            sample = p.order[b.first + j]
            p.losses[b.first_loss + j] = finish_sample(p, layer, j, b.rows, from_z, sample)


@kernel
def deltas_below(p, layer, b):
    """Compute this thread's share of the deltas of the layer below (2.42), (2.43)."""
    L = lanes(p.weights)
    W = 2 * L
    batch, zeros = p.batch, p.zeros
    panel, panel_end, i, end = share_of(column(p, layer - 1, PANELS), b.rows, p)
    for q in range(panel, panel_end):
        at = column(p, layer - 1, DELTAS) + q * batch * W
        t = column(p, layer, TRANSPOSED) + q * column(p, layer, UNITS) * W
        multiply_panel(
            p.work,
            column(p, layer, DELTAS),
            batch,
            i,
            end,
            column(p, layer, UNITS),
            p.work,
            t,
            p.work,
            zeros,
            p.work,
            at,
        )
        slope = column(p, layer - 1, SLOPES) + q * batch * W
        for j in range(i * W, end * W, L):
            vstore(p.work, at + j, vmul(vload(p.work, at + j), vload(p.work, slope + j)))


@kernel
def update(p, layer, b, u):
    """Update this thread's share of layer l's weights (2.39), (2.40), (2.44) to (2.46)."""
    panel, panel_end, k, end = share_of(
        column(p, layer, PANELS), column(p, layer - 1, UNITS) + 1, p
    )
    for q in range(panel, panel_end):
        if layer == 1 and is_online(p, b.rows, u):
            update_panel_online(p, q, k, end, u)
        elif layer == 1 and p.sparse:
            update_panel_sparse(p, layer, q, k, end, b.rows, u)
        else:
            update_panel(p, layer, q, k, end, b.rows, u)
        if layer > 1:
            transpose_panel(p, layer, q, k, end)
