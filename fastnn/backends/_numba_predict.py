"""Outputs for a few samples, with Numba; it follows _kernels_predict.pxi."""

import math

from ._numba_delta_rule import add_scaled
from ._numba_layers import activate
from ._numba_panels import kernel
from ._numba_vector import lanes, load, pointer, real
from .interface import SOFTMAX


@kernel
def predict_few(sizes, activations, params, X, scale, scratch, outputs):
    """Write the network's outputs; `scratch` is aligned and holds 3 layers of padded size."""
    size, L = len(scratch) // 3, lanes(scratch)
    work, w = pointer(scratch), pointer(params)
    for i in range(len(outputs)):
        below, y, at = 0, size, 0
        for k in range(sizes[0]):
            work[below + k] = real(work, X[i, k] * scale)
        for layer in range(len(activations)):
            n, n_out = sizes[layer], sizes[layer + 1]
            multiply_row(work, below, n, w, at, n_out, y)
            at += (n + 1) * n_out
            if activations[layer] == SOFTMAX:
                softmax(work, y, n_out)
            else:
                padded = (n_out + L - 1) // L * L
                activate(activations[layer], work, y, 2 * size, padded)
            below, y = y, below
        for k in range(outputs.shape[1]):
            outputs[i, k] = work[below + k]


@kernel
def multiply_row(work, x, n, w, at, n_out, y):
    """Compute y = x w + b for weights (n, n_out), the bias after them; zeros are skipped."""
    for k in range(n_out):
        work[y + k] = load(w, at + n * n_out + k)
    for k in range(n):
        value = load(work, x + k)
        if value != 0:
            add_scaled(value, w, at + k * n_out, work, y, n_out)


@kernel
def softmax(work, y, n):
    """Replace n net inputs by their softmax."""
    largest, total = float(load(work, y)), 0.0
    for k in range(1, n):
        largest = max(largest, float(load(work, y + k)))
    for k in range(n):
        total += math.exp(load(work, y + k) - largest)
    for k in range(n):
        work[y + k] = math.exp(load(work, y + k) - largest) / total
