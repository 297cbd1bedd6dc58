"""Products of panels, and updates of weights, with Numba: where the time goes.

The functions follow cython_cpu/panels.pxi. `p` is a `Task`, `layer` a row of its table.
Shapes as in layers.py; a panel of weights is (n, W), of inputs or outputs (B, W).
"""

from ..codes import SGD
from ..cpu.panels import DELTAS, OUTPUTS, TRANSPOSED, UNITS, WEIGHTS
from .compile import inlined, kernel
from .formulas import optimizer_step
from .task import column
from .vector import lanes, load, vadd, vfma, vload, vmul, vsplat, vstore, vzero

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
def multiply_panel_sparse(p, i, end, w, bias, out):
    """Do the same for the inputs, skipping zeros; two sums hide the adder's latency."""
    L = lanes(p.weights)
    W = 2 * L
    n_in = p.n_features
    zero = vzero(p.weights)
    while i < end:
        s0, s1 = vload(p.weights, bias), vload(p.weights, bias + L)
        r0 = r1 = zero
        q = i * n_in
        stop = q + load(p.split, (i + 1) * (p.n_threads + 1) - 1)
        while q + 2 <= stop:
            x, at = load(p.value, q), w + load(p.position, q) * W
            s0 = vfma(x, vload(p.weights, at), s0)
            s1 = vfma(x, vload(p.weights, at + L), s1)
            x, at = load(p.value, q + 1), w + load(p.position, q + 1) * W
            r0 = vfma(x, vload(p.weights, at), r0)
            r1 = vfma(x, vload(p.weights, at + L), r1)
            q += 2
        if q < stop:
            x, at = load(p.value, q), w + load(p.position, q) * W
            s0 = vfma(x, vload(p.weights, at), s0)
            s1 = vfma(x, vload(p.weights, at + L), s1)
        vstore(p.work, out + i * W, vadd(s0, r0))
        vstore(p.work, out + i * W + L, vadd(s1, r1))
        i += 1


# --- updates -----------------------------------------------------------------------------------


@kernel
def update_panel(p, layer, panel, k, end, rows, u):
    """Update rows k to end of a panel; row n_in is the bias. The gradient stays in registers."""
    L = lanes(p.weights)
    W = 2 * L
    work, batch, n_in = p.work, p.batch, column(p, layer - 1, UNITS)
    at = column(p, layer, WEIGHTS) + (panel * (n_in + 1) + k) * W
    d = column(p, layer, DELTAS) + panel * batch * W
    zero = vzero(work)
    while k < end:
        tile = 4 if k % 4 == 0 and k + 4 <= end and k + 4 <= n_in else 1
        x = column(p, layer - 1, OUTPUTS) + (k // W) * batch * W + k % W
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
            optimizer_step(p, at, g00, True, u)
            optimizer_step(p, at + L, g01, True, u)
            optimizer_step(p, at + W, g10, True, u)
            optimizer_step(p, at + W + L, g11, True, u)
            optimizer_step(p, at + 2 * W, g20, True, u)
            optimizer_step(p, at + 2 * W + L, g21, True, u)
            optimizer_step(p, at + 3 * W, g30, True, u)
            optimizer_step(p, at + 3 * W + L, g31, True, u)
        elif k < n_in:
            for i in range(0, rows * W, W):
                x0 = load(work, x + i)
                g00 = vfma(x0, vload(work, d + i), g00)
                g01 = vfma(x0, vload(work, d + i + L), g01)
            optimizer_step(p, at, g00, True, u)
            optimizer_step(p, at + L, g01, True, u)
        else:
            for i in range(0, rows * W, W):
                g00 = vadd(g00, vload(work, d + i))
                g01 = vadd(g01, vload(work, d + i + L))
            optimizer_step(p, at, g00, False, u)
            optimizer_step(p, at + L, g01, False, u)
        k += tile
        at += tile * W


@kernel
def update_panel_sparse(p, layer, panel, k, end, rows, u):
    """Do the same for the first layer: only the samples that have input k contribute.

    `layer` is 1, but given as a literal it would make Numba compile `update_panel` once more.
    """
    L = lanes(p.weights)
    W = 2 * L
    n_in = p.n_features
    at = column(p, layer, WEIGHTS) + panel * (n_in + 1) * W
    d = column(p, layer, DELTAS) + panel * p.batch * W
    zero = vzero(p.work)
    skip = is_plain_step(u)
    for j in range(k, min(end, n_in)):
        first, stop = load(p.start, j), load(p.start, j + 1)
        if skip and first == stop:
            continue
        g0 = g1 = zero
        for q in range(first, stop):
            x, di = load(p.sample_value, q), d + load(p.sample, q) * W
            g0, g1 = vfma(x, vload(p.work, di), g0), vfma(x, vload(p.work, di + L), g1)
        optimizer_step(p, at + j * W, g0, True, u)
        optimizer_step(p, at + j * W + L, g1, True, u)
    if n_in < end:
        update_panel(p, layer, panel, max(k, n_in), end, rows, u)


@kernel
def update_panel_online(p, panel, k, end, u):
    """Do the same for a batch of one sample under plain SGD: only its own inputs' rows change.

    Going through the sample's list, instead of all inputs, halves the time of online learning.
    """
    L = lanes(p.weights)
    W = 2 * L
    n_in = p.n_features
    first = column(p, 1, WEIGHTS) + panel * (n_in + 1) * W
    d = column(p, 1, DELTAS) + panel * p.batch * W
    rate = vsplat(-u.size)
    d0, d1 = vmul(rate, vload(p.work, d)), vmul(rate, vload(p.work, d + L))
    for q in range(p.split[p.n_threads]):
        j, x = p.position[q], load(p.value, q)
        if k <= j < end:
            w = first + j * W
            vstore(p.weights, w, vfma(x, d0, vload(p.weights, w)))
            vstore(p.weights, w + L, vfma(x, d1, vload(p.weights, w + L)))
    if end > n_in:
        w = first + n_in * W
        vstore(p.weights, w, vadd(d0, vload(p.weights, w)))
        vstore(p.weights, w + L, vadd(d1, vload(p.weights, w + L)))


@inlined
def is_plain_step(u):
    """Say whether a weight of gradient 0 stays as it is."""
    return u.optimizer == SGD and not u.penalized


@inlined
def is_online(p, rows, u):
    """Say whether `update_panel_online` applies."""
    return p.sparse and rows == 1 and is_plain_step(u)


@kernel
def transpose_panel(p, layer, panel, k, end):
    """Copy rows k to end of a panel of the weights into the transposed weights."""
    W = 2 * lanes(p.weights)
    n_in, n_out = column(p, layer - 1, UNITS), column(p, layer, UNITS)
    first = panel * W
    n = min(W, n_out - first)
    for j in range(k, min(end, n_in)):
        w = column(p, layer, WEIGHTS) + (panel * (n_in + 1) + j) * W
        t = column(p, layer, TRANSPOSED) + ((j // W) * n_out + first) * W + j % W
        for c in range(n):
            p.work[t + c * W] = load(p.weights, w + c)
