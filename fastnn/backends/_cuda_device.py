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
STORE_GRADIENT = 3  # in place of an optimizer: the gradient goes into the first moment


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
    def softmax(z, y, n):
        """Write the softmax of z to y; return the logarithm of the sum, ln sum exp z."""
        largest, total = z[0], zero
        for j in range(1, n):
            largest = max(largest, z[j])
        for j in range(n):
            total += math.exp(z[j] - largest)
        for j in range(n):
            y[j] = math.exp(z[j] - largest) / total
        return largest + math.log(total)

    @cuda.jit(device=True)
    def finish(z, y, delta, n, activation, loss, targets, i):
        """From a sample's net inputs z to its outputs y and deltas (2.41); return its loss."""
        log_sum, value, mean = zero, zero, zero
        if activation == api.SOFTMAX:
            log_sum = softmax(z, y, n)
        else:
            for j in range(n):
                y[j] = activate(activation, z[j])
        if loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
            label = int(targets[i, 0])
            for j in range(n):
                delta[j] = y[j] - (one if j == label else zero)
            return log_sum - z[label]
        for j in range(n):
            t, v = targets[i, j], z[j]
            e = y[j] - t
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
            mean += e * y[j]
            squared = loss == api.HALF_SQUARED_ERROR or loss == api.SQUARED_ERROR
            if squared and activation != api.SOFTMAX:
                e *= slope_of(activation, v, y[j])
            delta[j] = e
        if activation == api.SOFTMAX and loss != api.CATEGORICAL_CROSSENTROPY:
            for j in range(n):  # dy_j / dz_k = y_j ((j = k) - y_k)
                delta[j] = y[j] * (delta[j] - mean)
        return value

    @cuda.jit(device=True)
    def is_right(y, n, loss, targets, i):
        """Say whether the outputs y name the class that the targets of sample i name."""
        if n == 1:
            return (y[0] > real(0.5)) == (targets[i, 0] > real(0.5))
        best, wanted = 0, 0
        for j in range(1, n):
            if y[j] > y[best]:
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
    def descend(kind, w, moment_1, moment_2, p, g, rate, beta_1, beta_2, epsilon):
        """Change parameter p by the gradient g; moments that the rule lacks are not touched."""
        if kind == api.SGD:
            w[p] -= rate * g
        elif kind == api.MOMENTUM:
            moment_1[p] = beta_1 * moment_1[p] - rate * g
            w[p] += moment_1[p]
        elif kind == api.ADAM:
            moment_1[p] = beta_1 * moment_1[p] + (one - beta_1) * g
            moment_2[p] = beta_2 * moment_2[p] + (one - beta_2) * g * g
            w[p] -= rate * moment_1[p] / (math.sqrt(moment_2[p]) + epsilon)
        else:
            moment_1[p] = g

    return SimpleNamespace(
        activate=activate,
        slope_of=slope_of,
        finish=finish,
        is_right=is_right,
        mask=mask,
        descend=descend,
    )
