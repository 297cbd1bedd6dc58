"""Outputs for a few samples, with Numba; it follows cython_cpu/predict.pxi."""

import math

import numpy as np

from ..codes import SOFTMAX
from .compile import kernel
from .layers import activate_all
from .vector import lanes, load, pointer, real, vfma, vload, vstore


@kernel
def predict_few(sizes, formulas, params, X, scale, outputs):
    """Write the network's outputs; a row of `formulas` has a layer's activation and parameter."""
    L = lanes(params)
    size = 0
    for units in sizes:
        size = max(size, units)
    size = (size + 2 * L - 1) // (2 * L) * 2 * L
    scratch = np.empty(3 * size + 64 // params.itemsize, params.dtype)
    places = np.empty(size, np.int64)
    y = -scratch.ctypes.data % 64 // scratch.itemsize  # so that all is aligned
    x, slopes = y + size, y + 2 * size  # x: the inputs of a layer that are not 0
    work, used, w = pointer(scratch), pointer(places), pointer(params)
    for i in range(len(outputs)):
        n_used, at = 0, 0
        for k in range(sizes[0]):  # without a branch, that nobody could predict
            work[x + n_used], used[n_used] = real(work, X[i, k] * scale), k
            n_used += X[i, k] != 0
        for layer in range(len(formulas)):
            n, n_out = sizes[layer], sizes[layer + 1]
            multiply_row(work, x, used, n_used, n, w, at, n_out, y)
            at += (n + 1) * n_out
            code = int(formulas[layer, 0])
            if code == SOFTMAX:
                softmax(work, y, n_out)
            else:
                padded = (n_out + L - 1) // L * L
                activate_all(code, real(work, formulas[layer, 1]), work, y, slopes, padded)
            n_used = 0
            for k in range(n_out):
                work[x + n_used], used[n_used] = load(work, y + k), k
                n_used += load(work, y + k) != 0
        for k in range(outputs.shape[1]):
            outputs[i, k] = work[y + k]


@kernel
def multiply_row(work, x, used, n_used, n, w, at, n_out, y):
    """Compute y = x w + b for weights (n, n_out), the bias after them, and inputs that are not 0.

    What y has beyond n_out, up to a whole vector, becomes anything.
    """
    L, c = lanes(work), 0
    for k in range(n_out):
        work[y + k] = load(w, at + n * n_out + k)
    while c + 8 * L <= n_out:
        add_rows_8(work, x, used, n_used, w, at + c, n_out, y + c)
        c += 8 * L
    while c + L <= n_out:
        add_rows(work, x, used, n_used, w, at + c, n_out, y + c)
        c += L
    if c == n_out:
        return
    # A vector reads beyond its row: not in the last ones, beyond which there may be no memory.
    r = n_used
    while r > 0 and load(used, r - 1) * n_out + c + L > (n + 1) * n_out:
        r -= 1
        for k in range(c, n_out):
            work[y + k] += load(work, x + r) * load(w, at + load(used, r) * n_out + k)
    add_rows(work, x, used, r, w, at + c, n_out, y + c)


@kernel
def add_rows_8(work, x, used, n_used, w, at, n_out, y):
    """Add rows of w times their inputs to eight vectors of y, which stay in registers."""
    L = lanes(work)
    s0, s1 = vload(work, y), vload(work, y + L)
    s2, s3 = vload(work, y + 2 * L), vload(work, y + 3 * L)
    s4, s5 = vload(work, y + 4 * L), vload(work, y + 5 * L)
    s6, s7 = vload(work, y + 6 * L), vload(work, y + 7 * L)
    for r in range(n_used):
        value, row = load(work, x + r), at + load(used, r) * n_out
        s0 = vfma(value, vload(w, row), s0)
        s1 = vfma(value, vload(w, row + L), s1)
        s2 = vfma(value, vload(w, row + 2 * L), s2)
        s3 = vfma(value, vload(w, row + 3 * L), s3)
        s4 = vfma(value, vload(w, row + 4 * L), s4)
        s5 = vfma(value, vload(w, row + 5 * L), s5)
        s6 = vfma(value, vload(w, row + 6 * L), s6)
        s7 = vfma(value, vload(w, row + 7 * L), s7)
    vstore(work, y, s0)
    vstore(work, y + L, s1)
    vstore(work, y + 2 * L, s2)
    vstore(work, y + 3 * L, s3)
    vstore(work, y + 4 * L, s4)
    vstore(work, y + 5 * L, s5)
    vstore(work, y + 6 * L, s6)
    vstore(work, y + 7 * L, s7)


@kernel
def add_rows(work, x, used, n_used, w, at, n_out, y):
    """Do the same to one vector."""
    s = vload(work, y)
    for r in range(n_used):
        s = vfma(load(work, x + r), vload(w, at + load(used, r) * n_out), s)
    vstore(work, y, s)


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
