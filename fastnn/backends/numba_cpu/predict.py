"""Outputs for a few samples, with Numba; it follows cython_cpu/predict.pxi."""

import math

from ..codes import SOFTMAX
from .compile import kernel
from .delta_rule import add_scaled
from .layers import activate_all
from .vector import lanes, load, pointer, real, vfma, vload, vstore


@kernel
def predict_few(sizes, formulas, params, X, scale, scratch, outputs):
    """Write the network's outputs; `scratch` holds 3 layers of padded size, and a cache line.

    A row of `formulas` is a layer's activation, and its parameter.
    """
    size, L = (len(scratch) - 64 // scratch.itemsize) // 3, lanes(scratch)
    first = -scratch.ctypes.data % 64 // scratch.itemsize  # so that all layers are aligned
    work, w = pointer(scratch), pointer(params)
    for i in range(len(outputs)):
        below, y, at = first, first + size, 0
        for k in range(sizes[0]):
            work[below + k] = real(work, X[i, k] * scale)
        for layer in range(len(formulas)):
            n, n_out = sizes[layer], sizes[layer + 1]
            multiply_row(work, below, n, w, at, n_out, y)
            at += (n + 1) * n_out
            code = int(formulas[layer, 0])
            if code == SOFTMAX:
                softmax(work, y, n_out)
            else:
                padded = (n_out + L - 1) // L * L
                a = real(work, formulas[layer, 1])
                activate_all(code, a, work, y, first + 2 * size, padded)
            below, y = y, below
        for k in range(outputs.shape[1]):
            outputs[i, k] = work[below + k]


@kernel
def multiply_row(work, x, n, w, at, n_out, y):
    """Compute y = x w + b for weights (n, n_out), the bias after them; zeros are skipped."""
    i = i0 = i1 = i2 = 0  # rows that wait, i of them
    for k in range(n_out):
        work[y + k] = load(w, at + n * n_out + k)
    for k in range(n):
        if load(work, x + k) == 0:
            continue
        if i == 3:
            add_four(work, x, (i0, i1, i2, k), w, at, y, n_out)
            i = 0
        else:
            i0, i1, i2 = i1, i2, k
            i += 1
    if i == 3:
        add_scaled(load(work, x + i0), w, at + i0 * n_out, work, y, n_out)
    if i >= 2:
        add_scaled(load(work, x + i1), w, at + i1 * n_out, work, y, n_out)
    if i >= 1:
        add_scaled(load(work, x + i2), w, at + i2 * n_out, work, y, n_out)


@kernel
def add_four(work, x, rows, w, at, y, n):
    """Add four rows of w, times their inputs, to y."""
    L = lanes(work)
    x0, x1 = load(work, x + rows[0]), load(work, x + rows[1])
    x2, x3 = load(work, x + rows[2]), load(work, x + rows[3])
    w0, w1, w2, w3 = at + rows[0] * n, at + rows[1] * n, at + rows[2] * n, at + rows[3] * n
    k = 0
    while k + L <= n:
        sums = vfma(x0, vload(w, w0 + k), vload(work, y + k))
        sums = vfma(x1, vload(w, w1 + k), sums)
        sums = vfma(x2, vload(w, w2 + k), sums)
        vstore(work, y + k, vfma(x3, vload(w, w3 + k), sums))
        k += L
    while k < n:
        work[y + k] += x0 * load(w, w0 + k) + x1 * load(w, w1 + k)
        work[y + k] += x2 * load(w, w2 + k) + x3 * load(w, w3 + k)
        k += 1


@kernel
def softmax(work, y, n):
    """Replace n pre-activations by their softmax."""
    largest, total = float(load(work, y)), 0.0
    for k in range(1, n):
        largest = max(largest, float(load(work, y + k)))
    for k in range(n):
        total += math.exp(load(work, y + k) - largest)
    for k in range(n):
        work[y + k] = math.exp(load(work, y + k) - largest) / total
