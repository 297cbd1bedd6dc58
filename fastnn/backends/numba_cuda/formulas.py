"""Every formula, as device functions of reals; python/formulas.py is the text.

What a formula is called, and where it comes from, the table `codes` says. Constants take the type
of what they meet: a literal would turn float32 arithmetic to double.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numba import cuda

from .. import codes

# Of the numbers of an optimizer, doubles.
BETA_1, BETA_2, EPSILON, ALPHA, L1, WEIGHT_DECAY, MAX_NORM = range(7)
ROOT_HALF, NORMAL_PEAK = math.sqrt(0.5), 1 / math.sqrt(2 * math.pi)
LOW, WORD = np.uint64(0xFFFFFFFF), np.uint64(32)
M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


class State(NamedTuple):
    """What an optimizer changes: the flat parameters, and moments as far as it has them."""

    w: Any
    moment_1: Any
    moment_2: Any


class Step(NamedTuple):
    """What an optimizer needs in one step; reals but for the code."""

    optimizer: Any
    size: Any  # what multiplies the mean gradient,
    gradient_size: Any  # and (nadam) the gradient itself
    decay: Any  # fraction of each parameter that is taken off
    beta_1: Any
    beta_2: Any
    epsilon: Any
    alpha: Any
    l1: Any
    max_norm: Any  # of the weights of a unit; 0: any
    count: Any  # the samples of the batch, as much as each counts


@cuda.jit(device=True)
def real(like, value):
    """Return a number in the type of another one."""
    return type(like)(value)


@cuda.jit(device=True)
def sign(z):
    """Return -1, 0 or 1."""
    zero, one = real(z, 0), real(z, 1)
    return one if z > zero else (-one if z < zero else zero)


@cuda.jit(device=True)
def sigmoid(z):
    """Return 1 / (1 + exp(-z)), from exp of a negative number only."""
    zero, one = real(z, 0), real(z, 1)
    if z >= zero:
        return one / (one + math.exp(-z))
    e = math.exp(z)
    return e / (one + e)


@cuda.jit(device=True)
def activate(code, a, z):
    """Return y = f(z) and f'(z) of a single unit; `a` is the parameter."""
    zero, one, nan = real(z, 0), real(z, 1), real(z, math.nan)
    if code == codes.SIGN:
        return sign(z), zero
    if code == codes.IDENTITY:
        return z, one
    if code == codes.SIGMOID:
        y = sigmoid(z)
        return y, y * (one - y)  # (2.16)
    if code == codes.TANH:
        y = math.tanh(z)
        return y, one - y * y
    if code == codes.SOFTSIGN:
        s = one / (one + abs(z))
        return z * s, s * s
    if code == codes.RELU:
        return (z if z > zero else zero), (one if z > zero else zero)
    if code == codes.SOFTPLUS:
        return max(z, zero) + math.log1p(math.exp(-abs(z))), sigmoid(z)
    if code == codes.LEAKY_RELU:
        return (z if z > zero else a * z), (one if z > zero else a)
    if code == codes.ELU:
        y = z if z > zero else a * math.expm1(z)
        return y, (one if z > zero else y + a)
    if code == codes.SELU:
        s = real(z, codes.SELU_SCALE)
        b = real(z, codes.SELU_SCALE * codes.SELU_ALPHA)
        y = s * z if z > zero else b * math.expm1(z)
        return y, (s if z > zero else y + b)
    if code == codes.GELU:
        p = math.erfc(-z * real(z, ROOT_HALF)) / real(z, 2)
        return z * p, p + z * math.exp(-z * z / real(z, 2)) * real(z, NORMAL_PEAK)
    if code == codes.SILU:
        s = sigmoid(z)
        return z * s, s + z * s * (one - s)
    if code == codes.EXPONENTIAL:
        y = math.exp(min(z, real(z, 709)))  # beyond, a double has no room
        return y, y
    return nan, nan  # there is none


@cuda.jit(device=True)
def softmax(z, y, n):
    """Write the softmax of z to y; return the logarithm of the sum, ln sum exp z."""
    largest, total = z[0], real(z[0], 0)
    for j in range(1, n):
        largest = max(largest, z[j])
    for j in range(n):
        total += math.exp(z[j] - largest)
    for j in range(n):
        y[j] = math.exp(z[j] - largest) / total
    return largest + math.log(total)


@cuda.jit(device=True)
def loss_of_output(code, a, t, y):
    """Return the loss of one output and d loss / d y; `a` is the parameter."""
    zero, one, two, nan = real(y, 0), real(y, 1), real(y, 2), real(y, math.nan)
    e = y - t
    if code == codes.HALF_SQUARED_ERROR:
        return e * e / two, e
    if code == codes.SUM_SQUARED_ERROR:
        return e * e, two * e
    if code == codes.ABSOLUTE_ERROR:
        return abs(e), sign(e)
    if code == codes.HUBER:
        if abs(e) <= a:
            return e * e / two, e
        return a * (abs(e) - a / two), a * sign(e)
    if code == codes.QUANTILE:
        if e < zero:
            return -a * e, -a
        return (one - a) * e, (one - a) * sign(e)
    if code == codes.POISSON:
        tiny = real(y, 1e-300)
        if tiny == zero:  # in single precision
            tiny = real(y, 1e-37)
        y = max(y, tiny)  # no logarithm of 0
        if t > zero:
            return y - t * math.log(y), one - t / y
        return y, one
    if code == codes.HINGE:
        return max(one - t * y, zero), (-t if t * y < one else zero)
    return nan, nan  # there is none


@cuda.jit(device=True)
def loss_and_delta(z, y, delta, n, activation, a, loss, b, targets, i):
    """From a sample's pre-activations z to its outputs y and deltas (2.41); return its loss.

    a and b are the parameters of activation and loss.
    """
    zero, one, two = real(b, 0), real(b, 1), real(b, 2)
    value = mean = zero
    is_index = loss == codes.SPARSE_CATEGORICAL_CROSSENTROPY
    if is_index or loss == codes.CATEGORICAL_CROSSENTROPY:
        log_sum, label = softmax(z, y, n), int(targets[i, 0])
        for j in range(n):
            t = (one if j == label else zero) if is_index else targets[i, j]
            t = (one - b) * t + b / real(b, n)  # label smoothing
            if t != zero:
                value += t * (log_sum - z[j])
            delta[j] = y[j] - t
        return value
    if loss == codes.BINARY_CROSSENTROPY:  # of sigmoid outputs: the slope cancels
        for j in range(n):
            t, v = (one - b) * targets[i, j] + b / two, z[j]
            y[j] = sigmoid(v)
            value += max(v, zero) - v * t + math.log1p(math.exp(-abs(v)))
            delta[j] = y[j] - t
        return value
    if loss == codes.POISSON and activation == codes.EXPONENTIAL:  # ln y is z
        for j in range(n):
            t = targets[i, j]
            y[j], _ = activate(activation, a, z[j])
            value += y[j] - t * z[j]
            delta[j] = y[j] - t
        return value
    if activation == codes.SOFTMAX:
        softmax(z, y, n)
    for j in range(n):
        slope = one
        if activation != codes.SOFTMAX:
            y[j], slope = activate(activation, a, z[j])
        part, error = loss_of_output(loss, b, targets[i, j], y[j])
        value += part
        mean += error * y[j]
        delta[j] = error * slope
    if activation == codes.SOFTMAX:
        for j in range(n):  # dy_j / dz_k = y_j ((j = k) - y_k)
            delta[j] = y[j] * (delta[j] - mean)
    return value


@cuda.jit(device=True)
def power(beta, n):
    """Return beta**n for 0 <= beta < 1 and n > 0, in fewer instructions than pow."""
    return math.exp(n * math.log(beta)) if beta > 0 else 0.0


@cuda.jit(device=True)
def step_sizes(optimizer, numbers, rate, n, product):
    """Return size, gradient_size and epsilon of step number n, counted from 1: see `Step`.

    `product` is that of nadam's momenta up to this step. adamw and nadam divide the mean square by
    1 - b2^n, under the root; here the root is taken into the three numbers.
    """
    size, gradient_size, epsilon = rate, 0.0, numbers[EPSILON]
    b1, b2 = numbers[BETA_1], numbers[BETA_2]
    if optimizer == codes.ADAM or optimizer == codes.ADAMW_KERAS:
        size *= math.sqrt(1 - power(b2, n))
        size /= 1 - power(b1, n)
    elif optimizer == codes.ADAMW:
        root = math.sqrt(1 - power(b2, n))
        size *= root / (1 - power(b1, n))
        epsilon *= root
    elif optimizer == codes.NADAM:
        root = math.sqrt(1 - power(b2, n))
        now, following = momentum_of_step(b1, n), momentum_of_step(b1, n + 1)
        size *= root * following / (1 - product * following)
        gradient_size = rate * root * (1 - now) / (1 - product)
        epsilon *= root
    return size, gradient_size, epsilon


@cuda.jit(device=True)
def momentum_of_step(b1, n):
    """Return u_n of nadam, which rises from b1 / 2 to b1."""
    return b1 * (1 - 0.5 * power(0.96, n / 250.0))


@cuda.jit(device=True)
def product_of_momenta(b1, n):
    """Return u_1 ... u_n, or of so many of them that 1 minus it is 1."""
    product, i = 1.0, 1
    while i <= n and product > 1e-20:
        product *= momentum_of_step(b1, i)
        i += 1
    return product


@cuda.jit(device=True)
def penalty(step, w):
    """Return what the penalties add to N times the gradient of a weight w in a batch of N."""
    total = step.alpha * w
    if step.l1 != 0:
        total += step.l1 * sign(w)
    return total


@cuda.jit(device=True)
def optimizer_step(step, state, p, g):
    """Change parameter p by the gradient g; moments that the rule lacks are not touched."""
    one = real(step.size, 1)
    w, mean, square = state
    velocity = mean
    b1, b2 = step.beta_1, step.beta_2
    if step.optimizer == codes.SGD:
        w[p] -= step.size * g
    elif step.optimizer == codes.MOMENTUM:
        velocity[p] = b1 * velocity[p] - step.size * g
        w[p] += velocity[p]
    elif step.optimizer == codes.NESTEROV:
        velocity[p] = b1 * velocity[p] - step.size * g
        w[p] += b1 * velocity[p] - step.size * g
    elif step.optimizer == codes.RMSPROP:
        square = mean  # its only moment
        square[p] = b2 * square[p] + (one - b2) * g * g
        w[p] -= step.size * g / (math.sqrt(square[p]) + step.epsilon)
    elif step.optimizer == codes.ADAM:
        mean[p] = b1 * mean[p] + (one - b1) * g
        square[p] = b2 * square[p] + (one - b2) * g * g
        w[p] -= step.size * mean[p] / (math.sqrt(square[p]) + step.epsilon)
    elif step.optimizer in (codes.ADAMW, codes.NADAM, codes.ADAMW_KERAS):
        w[p] -= step.decay * w[p]
        mean[p] = b1 * mean[p] + (one - b1) * g
        square[p] = b2 * square[p] + (one - b2) * g * g
        direction = step.size * mean[p] + step.gradient_size * g
        w[p] -= direction / (math.sqrt(square[p]) + step.epsilon)
    elif step.optimizer == codes.STORE_GRADIENT:
        mean[p] = g


@cuda.jit(device=True)
def limit_norms(w, start, n_in, n_out, limit, own, stride):
    """Scale the weights of the units own, own + stride, ... down to a norm of at most `limit`."""
    j = own
    while j < n_out:
        squares = real(limit, 0)
        for k in range(n_in):
            v = w[start + k * n_out + j]
            squares += v * v
        norm = math.sqrt(squares)
        if norm > limit:
            for k in range(n_in):
                w[start + k * n_out + j] *= limit / norm
        j += stride


@cuda.jit(device=True)
def philox(key, c0, c1, c2, c3, lane):
    """Return one word of Philox4x32-10 (Salmon et al. 2011, section 3.3)."""
    k0, k1 = key & LOW, key >> WORD
    for _ in range(10):
        p0, p1 = M0 * c0, M1 * c2
        c0, c1, c2, c3 = (p1 >> WORD) ^ c1 ^ k0, p1 & LOW, (p0 >> WORD) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + W0) & LOW, (k1 + W1) & LOW
    if lane == 0:
        return c0
    if lane == 1:
        return c1
    if lane == 2:
        return c2
    return c3
