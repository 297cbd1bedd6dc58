"""The Numba kernels: panels.py says how the arrays are laid out, python.py what they compute.

They follow _kernels.pyx function by function. `p` is a `panels.Problem`, `layer` a row of its
table.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from ._numba_vector import (
    lanes,
    load,
    vabs,
    vadd,
    vdiv,
    vfma,
    vload,
    vmul,
    vpositive,
    vrelu,
    vsigmoid,
    vsplat,
    vsqrt,
    vstore,
    vsub,
    vtanh,
    vzero,
)
from .interface import (
    ADAM,
    CATEGORICAL_CROSSENTROPY,
    MOMENTUM,
    RELU,
    SGD,
    SIGMOID,
    SIGN,
    SOFTMAX,
    SOFTSIGN,
    SPARSE_CATEGORICAL_CROSSENTROPY,
    SQUARED_ERROR,
    STREAM_DROPOUT,
    TANH,
)
from .panels import (
    ACTIVATION,
    BATCH,
    DELTAS,
    DROP_LIMIT,
    LOSS,
    OUTPUTS,
    SEED,
    SLOPES,
    TRANSPOSED,
    UNITS,
    WEIGHTS,
)


class Lists(NamedTuple):
    """The non-zero inputs of a batch, by sample and by input; as in _kernels.pyx."""

    position: Any  # (batch, n_in): the inputs of a sample that are not 0, ascending
    value: Any  # as `position`
    split: Any  # (batch, n_threads + 1): where each thread's range of inputs begins
    sample: Any  # the samples of an input, input after input
    sample_value: Any  # as `sample`
    start: Any  # (n_in + 1): where an input's samples begin


class Batch(NamedTuple):
    """One mini-batch, and the thread that works on it."""

    rows: Any
    step: Any
    epoch: Any  # row of `order`
    start: Any  # its place there
    thread: Any
    n_threads: Any


class Update(NamedTuple):
    """What an optimizer needs in one step; reals but for the code."""

    optimizer: Any
    rate: Any
    beta_1: Any
    beta_2: Any
    epsilon: Any
    decay: Any


kernel = njit(nogil=True, cache=True, error_model="numpy")


# --- products of panels ------------------------------------------------------------------------


@kernel
def multiply_panel(x, a, batch, i, end, n, w, b, bias, c, y, out):
    """y[out + i:end] = bias[c] + x[a + i:end] w[b] for a panel of n rows, in tiles of 4 samples."""
    L = lanes(w)
    W = 2 * L
    while i + 4 <= end:
        s00 = s10 = s20 = s30 = vload(bias, c)
        s01 = s11 = s21 = s31 = vload(bias, c + L)
        at = b
        for first in range(0, n, W):
            k = a + first * batch + i * W
            for q in range(k, k + min(W, n - first)):
                w0, w1 = vload(w, at), vload(w, at + L)
                x0, x1 = load(x, q), load(x, q + W)
                x2, x3 = load(x, q + 2 * W), load(x, q + 3 * W)
                s00, s01 = vfma(x0, w0, s00), vfma(x0, w1, s01)
                s10, s11 = vfma(x1, w0, s10), vfma(x1, w1, s11)
                s20, s21 = vfma(x2, w0, s20), vfma(x2, w1, s21)
                s30, s31 = vfma(x3, w0, s30), vfma(x3, w1, s31)
                at += W
        to = out + i * W
        vstore(y, to, s00)
        vstore(y, to + L, s01)
        vstore(y, to + W, s10)
        vstore(y, to + W + L, s11)
        vstore(y, to + 2 * W, s20)
        vstore(y, to + 2 * W + L, s21)
        vstore(y, to + 3 * W, s30)
        vstore(y, to + 3 * W + L, s31)
        i += 4
    while i < end:
        s00, s01 = vload(bias, c), vload(bias, c + L)
        at = b
        for first in range(0, n, W):
            k = a + first * batch + i * W
            for q in range(k, k + min(W, n - first)):
                x0 = load(x, q)
                s00, s01 = vfma(x0, vload(w, at), s00), vfma(x0, vload(w, at + L), s01)
                at += W
        vstore(y, out + i * W, s00)
        vstore(y, out + i * W + L, s01)
        i += 1


@kernel
def multiply_panel_sparse(p, lists, n_threads, i, end, w, bias, out):
    """Do the same for the inputs, skipping zeros; two sums hide the adder's latency."""
    L = lanes(p.weights)
    W = 2 * L
    n_in = p.table[0, UNITS]
    zero = vzero(p.weights)
    while i < end:
        s0, s1 = vload(p.weights, bias), vload(p.weights, bias + L)
        r0 = r1 = zero
        q = i * n_in
        stop = q + load(lists.split, (i + 1) * (n_threads + 1) - 1)
        while q + 2 <= stop:
            x, at = load(lists.value, q), w + load(lists.position, q) * W
            s0 = vfma(x, vload(p.weights, at), s0)
            s1 = vfma(x, vload(p.weights, at + L), s1)
            x, at = load(lists.value, q + 1), w + load(lists.position, q + 1) * W
            r0 = vfma(x, vload(p.weights, at), r0)
            r1 = vfma(x, vload(p.weights, at + L), r1)
            q += 2
        if q < stop:
            x, at = load(lists.value, q), w + load(lists.position, q) * W
            s0 = vfma(x, vload(p.weights, at), s0)
            s1 = vfma(x, vload(p.weights, at + L), s1)
        vstore(p.work, out + i * W, vadd(s0, r0))
        vstore(p.work, out + i * W + L, vadd(s1, r1))
        i += 1


# --- optimizers --------------------------------------------------------------------------------


@kernel
def descend(p, at, g, decay, u):
    """Update a vector of weights from their gradient g, plus the penalty's decay * w."""
    w = vload(p.weights, at)
    if decay != 0:
        g = vfma(decay, w, g)
    if u.optimizer == ADAM:
        one = p.weights.dtype.type(1.0)
        m = vfma(u.beta_1, vload(p.moment_1, at), vmul(vsplat(one - u.beta_1), g))
        v = vfma(u.beta_2, vload(p.moment_2, at), vmul(vsplat(one - u.beta_2), vmul(g, g)))
        vstore(p.moment_1, at, m)
        vstore(p.moment_2, at, v)
        g = vdiv(m, vadd(vsqrt(v), vsplat(u.epsilon)))
        vstore(p.weights, at, vfma(-u.rate, g, w))
    elif u.optimizer == SGD:
        vstore(p.weights, at, vfma(-u.rate, g, w))
    elif u.optimizer == MOMENTUM:
        m = vsub(vmul(vsplat(u.beta_1), vload(p.moment_1, at)), vmul(vsplat(u.rate), g))
        vstore(p.moment_1, at, m)
        vstore(p.weights, at, vadd(w, m))
    else:
        vstore(p.moment_1, at, g)


@kernel
def update_panel(p, layer, panel, k, end, rows, u):
    """Update rows k to end of a panel; row n_in is the bias. The gradient stays in registers."""
    L = lanes(p.weights)
    W = 2 * L
    work, batch, n_in = p.work, p.settings[BATCH], p.table[layer - 1, UNITS]
    at = p.table[layer, WEIGHTS] + (panel * (n_in + 1) + k) * W
    d = p.table[layer, DELTAS] + panel * batch * W
    no_decay = work.dtype.type(0.0)
    zero = vzero(work)
    while k < end:
        tile = 4 if k % 4 == 0 and k + 4 <= end and k + 4 <= n_in else 1
        x = p.table[layer - 1, OUTPUTS] + (k // W) * batch * W + k % W
        g00 = g01 = g10 = g11 = g20 = g21 = g30 = g31 = zero
        if tile == 4:
            for i in range(0, rows * W, W):
                d0, d1 = vload(work, d + i), vload(work, d + i + L)
                x0, x1 = load(work, x + i), load(work, x + i + 1)
                x2, x3 = load(work, x + i + 2), load(work, x + i + 3)
                g00, g01 = vfma(x0, d0, g00), vfma(x0, d1, g01)
                g10, g11 = vfma(x1, d0, g10), vfma(x1, d1, g11)
                g20, g21 = vfma(x2, d0, g20), vfma(x2, d1, g21)
                g30, g31 = vfma(x3, d0, g30), vfma(x3, d1, g31)
            descend(p, at, g00, u.decay, u)
            descend(p, at + L, g01, u.decay, u)
            descend(p, at + W, g10, u.decay, u)
            descend(p, at + W + L, g11, u.decay, u)
            descend(p, at + 2 * W, g20, u.decay, u)
            descend(p, at + 2 * W + L, g21, u.decay, u)
            descend(p, at + 3 * W, g30, u.decay, u)
            descend(p, at + 3 * W + L, g31, u.decay, u)
        elif k < n_in:
            for i in range(0, rows * W, W):
                x0 = load(work, x + i)
                g00 = vfma(x0, vload(work, d + i), g00)
                g01 = vfma(x0, vload(work, d + i + L), g01)
            descend(p, at, g00, u.decay, u)
            descend(p, at + L, g01, u.decay, u)
        else:
            for i in range(0, rows * W, W):
                g00 = vadd(g00, vload(work, d + i))
                g01 = vadd(g01, vload(work, d + i + L))
            descend(p, at, g00, no_decay, u)
            descend(p, at + L, g01, no_decay, u)
        k += tile
        at += tile * W


@kernel
def update_panel_sparse(p, lists, panel, k, end, rows, u):
    """Do the same for the first layer: only the samples that have input k contribute."""
    L = lanes(p.weights)
    W = 2 * L
    n_in = p.table[0, UNITS]
    at = p.table[1, WEIGHTS] + panel * (n_in + 1) * W
    d = p.table[1, DELTAS] + panel * p.settings[BATCH] * W
    zero = vzero(p.work)
    skip = u.optimizer == SGD and u.decay == 0
    for j in range(k, min(end, n_in)):
        first, stop = load(lists.start, j), load(lists.start, j + 1)
        if skip and first == stop:
            continue
        g0 = g1 = zero
        for q in range(first, stop):
            x, di = load(lists.sample_value, q), d + load(lists.sample, q) * W
            g0, g1 = vfma(x, vload(p.work, di), g0), vfma(x, vload(p.work, di + L), g1)
        descend(p, at + j * W, g0, u.decay, u)
        descend(p, at + j * W + L, g1, u.decay, u)
    if n_in < end:
        update_panel(p, 1, panel, max(k, n_in), end, rows, u)


@kernel
def transpose_panel(p, layer, panel, k, end):
    """Copy rows k to end of a panel of the weights into the transposed weights."""
    W = 2 * lanes(p.weights)
    n_in, n_out = p.table[layer - 1, UNITS], p.table[layer, UNITS]
    first = panel * W
    n = min(W, n_out - first)
    for j in range(k, min(end, n_in)):
        w = p.table[layer, WEIGHTS] + (panel * (n_in + 1) + j) * W
        t = p.table[layer, TRANSPOSED] + ((j // W) * n_out + first) * W + j % W
        for c in range(n):
            p.work[t + c * W] = load(p.weights, w + c)


# --- activations, dropout, loss ----------------------------------------------------------------


@kernel
def activate_panel(code, y, out, slope, n):
    """Replace n net inputs z by f(z), and store f'(z); n is a multiple of the vector's lanes."""
    one, zero = vsplat(y.dtype.type(1.0)), vzero(y)
    for q in range(0, n, lanes(y)):
        z = vload(y, out + q)
        v, s = z, one
        if code == RELU:
            v, s = vrelu(z), vpositive(z)
        elif code == SIGMOID:
            v = vsigmoid(z)
            s = vmul(v, vsub(one, v))
        elif code == TANH:
            v = vtanh(z)
            s = vsub(one, vmul(v, v))
        elif code == SOFTSIGN:
            s = vdiv(one, vadd(one, vabs(z)))
            v = vmul(z, s)
            s = vmul(s, s)
        elif code == SIGN:
            v, s = vsub(vpositive(z), vpositive(vsub(zero, z))), zero
        vstore(y, out + q, v)
        vstore(y, slope + q, s)


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
    batch, limit = p.settings[BATCH], np.uint64(p.table[layer, DROP_LIMIT])
    zero = p.weights.dtype.type(0.0)
    keep = p.weights.dtype.type(1.0 / (1.0 - p.table[layer, DROP_LIMIT] / 4294967296.0))
    stream, seed = np.uint64(STREAM_DROPOUT << 16 | (layer - 1)), np.uint64(p.settings[SEED])
    step = np.uint64(step) & np.uint64(0xFFFFFFFF)
    for row in range(i, end):
        y = p.table[layer, OUTPUTS] + (panel * batch + row) * W
        slope = p.table[layer, SLOPES] + (panel * batch + row) * W
        for q in range(W // 4):
            block = np.uint64(panel * (W // 4) + q)
            words = philox(block, np.uint64(row), step, stream, seed)
            for j in range(4):
                factor = zero if words[j] < limit else keep
                p.work[y + 4 * q + j] *= factor
                p.work[slope + 4 * q + j] *= factor


@kernel
def place(p, layer, i, c):
    """Return the offset of unit c of sample i from the beginning of layer l's outputs."""
    W = 2 * lanes(p.weights)
    return ((c // W) * p.settings[BATCH] + i) * W + c % W


@kernel
def finish_sample(p, layer, i, rows, from_z, targets, sample):
    """Return the loss of one sample and store its deltas; `from_z`: outputs hold z, and get f(z).

    The formulas are those of python.py (`_sample_loss`, `_output_delta`).
    """
    n, code = p.table[layer, UNITS], p.settings[LOSS]
    out, deltas, slopes = p.table[layer, OUTPUTS], p.table[layer, DELTAS], p.table[layer, SLOPES]
    work = p.work
    has_targets = len(targets) > 0
    label = (
        int(targets[sample, 0]) if has_targets and code == SPARSE_CATEGORICAL_CROSSENTROPY else 0
    )
    factor = 2.0 if code == SQUARED_ERROR else 1.0
    loss, mean, total = 0.0, 0.0, 0.0
    if from_z and p.table[layer, ACTIVATION] == SOFTMAX:
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
                e = y - targets[sample, c]
                if code == CATEGORICAL_CROSSENTROPY:
                    if targets[sample, c] != 0:
                        loss += targets[sample, c] * (math.log(total) - z)
                else:
                    loss += factor / 2 * e * e
                    mean += e * y
            work[deltas + at] = e / rows
        if has_targets and code <= SQUARED_ERROR:
            for c in range(n):
                at = place(p, layer, i, c)
                y = float(work[out + at])
                work[deltas + at] = factor / rows * y * (y - targets[sample, c] - mean)
    elif from_z:  # sigmoid and binary cross-entropy
        for c in range(n):
            at = place(p, layer, i, c)
            z = float(work[out + at])
            e = math.exp(-abs(z))
            y = 1 / (1 + e) if z >= 0 else e / (1 + e)
            work[out + at] = y
            if has_targets:
                loss += max(z, 0.0) - z * targets[sample, c] + math.log1p(e)
                work[deltas + at] = (y - targets[sample, c]) / rows
    elif has_targets:
        for c in range(n):
            at = place(p, layer, i, c)
            e = float(work[out + at]) - targets[sample, c]
            loss += factor / 2 * e * e
            work[deltas + at] = factor / rows * e * work[slopes + at]
    return loss
