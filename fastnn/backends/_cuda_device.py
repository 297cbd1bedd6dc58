"""What the CUDA kernels share, for one real type: activations, losses, masks, optimizer steps.

Constants are made in the kernels' own type: a literal would turn float32 arithmetic to double.
"""

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import cuda

from . import interface as api

LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
STORE_GRADIENT = 3  # in place of an optimizer: the gradient goes into the first moments


@cuda.jit(device=True)
def random_word(key, c0, c1, c2, c3, lane):
    """Return one word of Philox4x32-10 (Salmon et al. 2011, section 3.3)."""
    k0, k1 = key & LOW, key >> HALF
    for _ in range(10):
        p0, p1 = M0 * c0, M1 * c2
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
    if lane == 0:
        return c0
    if lane == 1:
        return c1
    if lane == 2:
        return c2
    return c3


@cache
def device_functions(real: Any) -> SimpleNamespace:
    """Return the device functions for numba.float32 or numba.float64."""
    zero, one, two = real(0), real(1), real(2)

    @cuda.jit(device=True)
    def activate(code, z):
        """Return y = f(z); softmax is `finish`'s."""
        if code == api.SIGN:
            if z > zero:
                return one
            return -one if z < zero else zero
        if code == api.SIGMOID:
            if z >= zero:
                return one / (one + math.exp(-z))
            e = math.exp(z)
            return e / (one + e)
        if code == api.TANH:
            return math.tanh(z)
        if code == api.SOFTSIGN:
            return z / (one + abs(z))
        if code == api.RELU:
            return z if z > zero else zero
        return z

    @cuda.jit(device=True)
    def slope_of(code, z, y):
        """Return f'(z), given y = f(z)."""
        if code == api.SIGN:
            return zero
        if code == api.SIGMOID:
            return y * (one - y)  # (2.16)
        if code == api.TANH:
            return one - y * y
        if code == api.SOFTSIGN:
            s = one / (one + abs(z))
            return s * s
        if code == api.RELU:
            return one if z > zero else zero
        return one

    @cuda.jit(device=True)
    def softmax(z, y, row, n):
        """Write the softmax of row z to y; return the logarithm of the sum, ln sum exp z."""
        largest, total = z[row, 0], zero
        for j in range(1, n):
            largest = max(largest, z[row, j])
        for j in range(n):
            total += math.exp(z[row, j] - largest)
        for j in range(n):
            y[row, j] = math.exp(z[row, j] - largest) / total
        return largest + math.log(total)

    @cuda.jit(device=True)
    def finish(z, y, delta, row, n, activation, loss, targets, i):
        """From net inputs z[row] to outputs y and deltas (2.41); return the loss of sample i."""
        log_sum, value, mean = zero, zero, zero
        if activation == api.SOFTMAX:
            log_sum = softmax(z, y, row, n)
        else:
            for j in range(n):
                y[row, j] = activate(activation, z[row, j])
        if loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
            label = int(targets[i, 0])
            for j in range(n):
                delta[row, j] = y[row, j] - (one if j == label else zero)
            return log_sum - z[row, label]
        for j in range(n):
            t, v = targets[i, j], z[row, j]
            e = y[row, j] - t
            if loss == api.BINARY_CROSSENTROPY:
                value += max(v, zero) - v * t + math.log1p(math.exp(-abs(v)))
            elif loss == api.CATEGORICAL_CROSSENTROPY:
                if t != zero:
                    value += t * (log_sum - v)
            elif loss == api.SQUARED_ERROR:
                value += e * e
                e *= two
            else:
                value += e * e / two
            mean += e * y[row, j]
            squared = loss == api.HALF_SQUARED_ERROR or loss == api.SQUARED_ERROR
            if squared and activation != api.SOFTMAX:
                e *= slope_of(activation, v, y[row, j])
            delta[row, j] = e
        if activation == api.SOFTMAX and loss != api.CATEGORICAL_CROSSENTROPY:
            for j in range(n):  # dy_j / dz_k = y_j ((j = k) - y_k)
                delta[row, j] = y[row, j] * (delta[row, j] - mean)
        return value

    @cuda.jit(device=True)
    def is_right(y, row, n, loss, targets, i):
        """Say whether the outputs y[row] name the class that the targets of sample i name."""
        if n == 1:
            return (y[row, 0] > real(0.5)) == (targets[i, 0] > real(0.5))
        best, wanted = 0, 0
        for j in range(1, n):
            if y[row, j] > y[row, best]:
                best = j
        if loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
            return best == int(targets[i, 0])
        for j in range(1, n):
            if targets[i, j] > targets[i, wanted]:
                wanted = j
        return best == wanted

    @cuda.jit(device=True)
    def mask(key, step, row, layer, unit, limit, kept):
        """Return a unit's dropout factor: 0 or 1 / (1 - rate)."""
        stream = np.uint64(api.STREAM_DROPOUT << 16) | np.uint64(layer)
        word = random_word(key, np.uint64(unit // 4), np.uint64(row), step & LOW, stream, unit % 4)
        return zero if word < limit else kept

    @cuda.jit(device=True)
    def descend(kind, w, moments, p, g, rate, beta_1, beta_2, epsilon):
        """Change parameter p by the gradient g."""
        if kind == api.SGD:
            w[p] -= rate * g
        elif kind == api.MOMENTUM:
            moments[0, p] = beta_1 * moments[0, p] - rate * g
            w[p] += moments[0, p]
        elif kind == api.ADAM:
            moments[0, p] = beta_1 * moments[0, p] + (one - beta_1) * g
            moments[1, p] = beta_2 * moments[1, p] + (one - beta_2) * g * g
            w[p] -= rate * moments[0, p] / (math.sqrt(moments[1, p]) + epsilon)
        else:
            moments[0, p] = g

    return SimpleNamespace(
        activate=activate,
        slope_of=slope_of,
        finish=finish,
        is_right=is_right,
        mask=mask,
        descend=descend,
    )
