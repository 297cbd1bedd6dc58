"""What the CUDA kernels share: the layout of a batch, and, for one real type, the formulas.

Constants are made in the kernels' own type: a literal would turn float32 arithmetic to double.
"""

import math
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from .. import interface as api

LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
# Columns of the layer table. START is an offset in the parameters, the three last ones are offsets
# in the buffer of a batch: (rows, units) each, the inputs first.
UNITS, ACTIVATION, DROP_LIMIT, START, OUTPUTS, SLOPES, DELTAS = range(7)
N_COLUMNS = 7

STORE_GRADIENT = 3  # in place of an optimizer: the gradient goes into the first moment


def layout(net: api.Network, batch: int) -> tuple[NDArray[np.int64], int]:
    """Return the layer table, (n_layers + 1, N_COLUMNS), and the length of a batch's buffer.

    At the end of the buffer are the net inputs of the last layer, and the loss of each row.
    """
    table = np.zeros((len(net.sizes), N_COLUMNS), np.int64)
    n_buffer = start = 0
    for layer, units in enumerate(net.sizes):
        row, n = table[layer], units * batch
        row[UNITS] = units
        row[OUTPUTS], n_buffer = n_buffer, n_buffer + n
        if layer > 0:
            row[ACTIVATION] = net.activations[layer - 1]
            row[DROP_LIMIT] = api.dropout_limit(net.dropout[layer - 1])
            row[START], start = start, start + (net.sizes[layer - 1] + 1) * units
            row[SLOPES], row[DELTAS], n_buffer = n_buffer, n_buffer + n, n_buffer + 2 * n
    return table, n_buffer + (net.sizes[-1] + 1) * batch


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
    def mask(key, step, row, layer, unit, limit, kept):
        """Return a unit's dropout factor: 0 or 1 / (1 - rate)."""
        stream = np.uint64(api.STREAM_DROPOUT << 16) | np.uint64(layer)
        word = random_word(key, np.uint64(unit // 4), np.uint64(row), step & LOW, stream, unit % 4)
        return zero if word < limit else kept

    @cuda.jit(device=True)
    def finish_rows(buffer, table, batch, loss, targets, samples, first, rows, own, step):
        """Finish the rows own, own + step, ... of a batch; their losses go to its buffer."""
        last = table[table.shape[0] - 1]
        n = last[UNITS]
        losses = buffer.shape[0] - batch
        net_inputs = losses - batch * n
        row = own
        while row < rows:  # a range would divide to count its turns
            at = row * n
            z = buffer[net_inputs + at : net_inputs + at + n]
            y = buffer[last[OUTPUTS] + at : last[OUTPUTS] + at + n]
            d = buffer[last[DELTAS] + at : last[DELTAS] + at + n]
            i = samples[first + row]
            buffer[losses + row] = finish(z, y, d, n, last[ACTIVATION], loss, targets, i)
            row += step

    @cuda.jit(device=True)
    def add_losses(buffer, batch, rows, sums, epoch):
        """Add the losses of a batch's rows to their epoch's sum."""
        total = 0.0
        for row in range(rows):
            total += buffer[buffer.shape[0] - batch + row]
        sums[epoch] += total

    @cuda.jit(device=True)
    def store_unit(buffer, table, layer, batch, row, j, total, training, key, step):
        """From a unit's net input to its output and slope; of the last layer, the input is kept."""
        here = table[layer]
        at = row * here[UNITS] + j
        if layer == table.shape[0] - 1:
            buffer[buffer.shape[0] - batch - batch * here[UNITS] + at] = total
            return
        value = activate(here[ACTIVATION], total)
        steep = slope_of(here[ACTIVATION], total, value)
        limit = here[DROP_LIMIT]
        if training and limit > 0:
            kept = real(1 / (1 - limit / 4294967296.0))
            factor = mask(key, step, row, layer - 1, j, limit, kept)
            value *= factor
            steep *= factor
        buffer[here[OUTPUTS] + at] = value
        buffer[here[SLOPES] + at] = steep

    @cuda.jit(device=True)
    def power(beta, step):
        """Return beta**step for 0 <= beta < 1 and step > 0, in fewer instructions than pow."""
        return math.exp(step * math.log(beta)) if beta > 0 else 0.0

    @cuda.jit(device=True)
    def rule_of_step(kind, numbers, step):
        """Return kind, rate, beta_1, beta_2, epsilon and alpha, `numbers` being the five last.

        Adam's rate carries the correction of its two means (see python.py).
        """
        rate = numbers[0]
        if kind == api.ADAM:
            rate *= math.sqrt(1 - power(numbers[2], step))
            rate /= 1 - power(numbers[1], step)
        beta_1, beta_2, epsilon = real(numbers[1]), real(numbers[2]), real(numbers[3])
        return kind, real(rate), beta_1, beta_2, epsilon, real(numbers[4])

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
    def descend(rule, w, moment_1, moment_2, p, g):
        """Change parameter p by the gradient g; moments that the rule lacks are not touched."""
        kind, rate, beta_1, beta_2, epsilon, _ = rule
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
        finish_rows=finish_rows,
        add_losses=add_losses,
        store_unit=store_unit,
        rule_of_step=rule_of_step,
        is_right=is_right,
        descend=descend,
    )
