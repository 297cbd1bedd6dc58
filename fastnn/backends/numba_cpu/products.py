"""Products of panels, with Numba: where a forward pass spends its time.

The functions follow cython_cpu/products.pxi. `p` is a `Task`, `layer` a row of its table.
Shapes as in layers.py; a panel of weights is (n, W), of inputs or outputs (B, W).
"""

import numpy as np

from .compile import inlined, kernel, merged
from .vector import lanes, load, vadd, vfma, vload, vstore, vzero


@inlined
def is_half(n, panel, W):
    """Say whether the second vectors of a panel hold none of n columns."""
    return n <= panel * W + W // 2


@inlined
def column_of(k, batch, W):
    """Return where column k of panels of `batch` rows begins."""
    return (k & -W) * batch + (k & (W - 1))


@kernel
def multiply_panel(x, a, batch, i, end, used, n, w, b, bias, c, y, out, half):
    """y[out + i:end] = bias[c] + x[a + i:end] w[b] for a panel, of whose rows n are `used`.

    Of a panel that is `half` full, the rest is left out.
    """
    if half:  # known to LLVM, it is no branch
        multiply_tiles(x, a, batch, i, end, used, n, w, b, bias, c, y, out, True)
    else:
        multiply_tiles(x, a, batch, i, end, used, n, w, b, bias, c, y, out, False)


@merged
def multiply_tiles(x, a, batch, i, end, used, n, w, b, bias, c, y, out, half):
    """Do the work of `multiply_panel`, in tiles of 4 samples."""
    L = lanes(w)
    W = 2 * L
    while i + 4 <= end:
        s00 = s10 = s20 = s30 = vload(bias, c)
        s01 = s11 = s21 = s31 = vload(bias, c + L)
        for q in range(n):
            k = np.int64(load(used, q))
            at, q0 = b + k * W, a + i * W + column_of(k, batch, W)
            x0, x1 = load(x, q0), load(x, q0 + W)
            x2, x3 = load(x, q0 + 2 * W), load(x, q0 + 3 * W)
            w0 = vload(w, at)
            s00, s10 = vfma(x0, w0, s00), vfma(x1, w0, s10)
            s20, s30 = vfma(x2, w0, s20), vfma(x3, w0, s30)
            if not half:
                w1 = vload(w, at + L)
                s01, s11 = vfma(x0, w1, s01), vfma(x1, w1, s11)
                s21, s31 = vfma(x2, w1, s21), vfma(x3, w1, s31)
        to = out + i * W
        vstore(y, to, s00)
        vstore(y, to + W, s10)
        vstore(y, to + 2 * W, s20)
        vstore(y, to + 3 * W, s30)
        if not half:
            vstore(y, to + L, s01)
            vstore(y, to + W + L, s11)
            vstore(y, to + 2 * W + L, s21)
            vstore(y, to + 3 * W + L, s31)
        i += 4
    while i < end:
        s00, s01 = vload(bias, c), vload(bias, c + L)
        for q in range(n):
            k = np.int64(load(used, q))
            at, x0 = b + k * W, load(x, a + i * W + column_of(k, batch, W))
            s00 = vfma(x0, vload(w, at), s00)
            if not half:
                s01 = vfma(x0, vload(w, at + L), s01)
        vstore(y, out + i * W, s00)
        if not half:
            vstore(y, out + i * W + L, s01)
        i += 1


@kernel
def multiply_panel_sparse(p, i, end, w, bias, out, half):
    """Do the same for compressed inputs."""
    if half:
        multiply_lists(p, i, end, w, bias, out, True)
    else:
        multiply_lists(p, i, end, w, bias, out, False)


@merged
def multiply_lists(p, i, end, w, bias, out, half):
    """Do the work of `multiply_panel_sparse`; four sums hide the adder's latency."""
    L = lanes(p.weights)
    W = 2 * L
    zero = vzero(p.weights)
    while i < end:
        split = i * (p.n_threads + 1)
        q, last = load(p.split, split), load(p.split, split + p.n_threads)
        s0, s1 = vload(p.weights, bias), vload(p.weights, bias + L)
        r0 = r1 = t0 = u0 = zero
        while half and q + 4 <= last:
            s0 = vfma(load(p.value, q), vload(p.weights, w + load(p.position, q) * W), s0)
            r0 = vfma(load(p.value, q + 1), vload(p.weights, w + load(p.position, q + 1) * W), r0)
            t0 = vfma(load(p.value, q + 2), vload(p.weights, w + load(p.position, q + 2) * W), t0)
            u0 = vfma(load(p.value, q + 3), vload(p.weights, w + load(p.position, q + 3) * W), u0)
            q += 4
        while q + 2 <= last:
            x, at = load(p.value, q), w + load(p.position, q) * W
            y, to = load(p.value, q + 1), w + load(p.position, q + 1) * W
            s0, r0 = vfma(x, vload(p.weights, at), s0), vfma(y, vload(p.weights, to), r0)
            if not half:
                s1 = vfma(x, vload(p.weights, at + L), s1)
                r1 = vfma(y, vload(p.weights, to + L), r1)
            q += 2
        if q < last:
            x, at = load(p.value, q), w + load(p.position, q) * W
            s0 = vfma(x, vload(p.weights, at), s0)
            if not half:
                s1 = vfma(x, vload(p.weights, at + L), s1)
        vstore(p.work, out + i * W, vadd(vadd(s0, t0), vadd(r0, u0)))
        if not half:
            vstore(p.work, out + i * W + L, vadd(s1, r1))
        i += 1
