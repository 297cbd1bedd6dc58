"""Every formula, in plain Python: the specification of the `formulas` of the other back ends.

What a formula is called, and where it comes from, the table `codes` says. Equation numbers are the
course's.
"""

from array import array
from math import erfc, exp, expm1, log, log1p, pi, sqrt, tanh

import numpy as np

from .. import codes
from ..interface import Network, Optimizer
from ..shared import dropout_limit


def sign(z):
    """Return -1, 0 or 1."""
    return float((z > 0) - (z < 0))


def sigmoid(z):
    """Return 1 / (1 + exp(-z)), from exp of a negative number only: no overflow."""
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def activate(code, a, z):
    """Return y = f(z) and f'(z) for the pre-activations z of a layer; `a` is the parameter."""
    if code == codes.SIGN:
        return [sign(v) for v in z], [0.0] * len(z)
    if code == codes.IDENTITY:
        return list(z), [1.0] * len(z)
    if code == codes.SIGMOID:
        y = [sigmoid(v) for v in z]
        return y, [v * (1 - v) for v in y]  # (2.16)
    if code == codes.TANH:
        y = [tanh(v) for v in z]
        return y, [1 - v * v for v in y]
    if code == codes.SOFTSIGN:
        s = [1 / (1 + abs(v)) for v in z]
        return [v * r for v, r in zip(z, s, strict=True)], [r * r for r in s]
    if code == codes.RELU:
        return [max(0.0, v) for v in z], [float(v > 0) for v in z]
    if code == codes.SOFTPLUS:
        return [max(v, 0.0) + log1p(exp(-abs(v))) for v in z], [sigmoid(v) for v in z]
    if code == codes.LEAKY_RELU:
        return [v if v > 0 else a * v for v in z], [1.0 if v > 0 else a for v in z]
    if code == codes.ELU:
        y = [v if v > 0 else a * expm1(v) for v in z]
        return y, [1.0 if v > 0 else v + a for v in y]
    if code == codes.SELU:
        scale, a = codes.SELU_SCALE, codes.SELU_SCALE * codes.SELU_ALPHA
        y = [scale * v if v > 0 else a * expm1(v) for v in z]
        return y, [scale if v > 0 else v + a for v in y]
    if code == codes.GELU:
        p = [erfc(-v / sqrt(2)) / 2 for v in z]  # 1 + erf would lose the digits of small p
        density = [exp(-v * v / 2) / sqrt(2 * pi) for v in z]
        y = [v * q for v, q in zip(z, p, strict=True)]
        return y, [q + v * d for v, q, d in zip(z, p, density, strict=True)]
    if code == codes.SILU:
        s = [sigmoid(v) for v in z]
        y = [v * r for v, r in zip(z, s, strict=True)]
        return y, [r + v * (1 - r) for v, r in zip(y, s, strict=True)]
    if code == codes.EXPONENTIAL:
        y = [exp(min(v, 709.0)) for v in z]  # beyond, a float has no room
        return y, list(y)
    if code == codes.SOFTMAX:  # its slope is no vector; loss_and_delta deals with it
        return softmax(z), [1.0] * len(z)
    raise ValueError(f"there is no activation {code}")


def softmax(z):
    """Return y for the pre-activations of a layer, written so that no exp overflows."""
    largest = max(z)
    e = [exp(v - largest) for v in z]
    total = sum(e)
    return [v / total for v in e]


def loss_of_output(code, a, t, y):
    """Return the loss of one output and d loss / d y; `a` is the parameter."""
    e = y - t
    # e * e, not e**2: a diverging network shall give inf, not an OverflowError.
    if code == codes.HALF_SQUARED_ERROR:
        return e * e / 2, e
    if code == codes.SUM_SQUARED_ERROR:
        return e * e, 2 * e
    if code == codes.ABSOLUTE_ERROR:
        return abs(e), sign(e)
    if code == codes.HUBER:
        return (e * e / 2, e) if abs(e) <= a else (a * (abs(e) - a / 2), a * sign(e))
    if code == codes.QUANTILE:
        return (-a * e, -a) if e < 0 else ((1 - a) * e, (1 - a) * sign(e))
    if code == codes.POISSON:
        y = max(y, 1e-300)  # no logarithm of 0
        return (y - t * log(y), 1 - t / y) if t > 0 else (y, 1.0)
    if code == codes.HINGE:
        return (1 - t * y, -t) if t * y < 1 else (0.0, 0.0)
    raise ValueError(f"there is no loss {code} of a single output")


def loss_and_delta(net: Network, z, y, slope, t):
    """Return the loss of a sample and d loss / d z of its outputs (2.41).

    The text's delta has the other sign.

    Parameters
    ----------
    z, y, slope, t : list of float
        Pre-activations, outputs, f'(z) and targets.
    """
    code, a = net.loss, net.formula_parameters[-1]
    if code == codes.BINARY_CROSSENTROPY:  # the slope cancels
        t = [(1 - a) * v + a / 2 for v in t]  # label smoothing
        # -t ln y - (1 - t) ln(1 - y) with y = sigmoid(z), written so that no log is of 0
        loss = sum(max(v, 0.0) - v * w + log1p(exp(-abs(v))) for w, v in zip(t, z, strict=True))
        return loss, [v - w for w, v in zip(t, y, strict=True)]
    if code in (codes.CATEGORICAL_CROSSENTROPY, codes.SPARSE_CATEGORICAL_CROSSENTROPY):
        if code == codes.SPARSE_CATEGORICAL_CROSSENTROPY:
            t = [float(c == int(t[0])) for c in range(len(y))]
        t = [(1 - a) * v + a / len(y) for v in t]
        # ln y_k = z_k - ln sum exp(z_j), written so that no exp overflows
        largest = max(z)
        log_sum = largest + log(sum(exp(v - largest) for v in z))
        loss = sum(w * (log_sum - v) for w, v in zip(t, z, strict=True) if w != 0)
        return loss, [v - w for w, v in zip(t, y, strict=True)]
    if code == codes.POISSON and net.activations[-1] == codes.EXPONENTIAL:  # ln y is z
        loss = sum(v - w * u for w, v, u in zip(t, y, z, strict=True))
        return loss, [v - w for w, v in zip(t, y, strict=True)]
    loss, error = 0.0, []
    for w, v in zip(t, y, strict=True):
        part, derivative = loss_of_output(code, a, w, v)
        loss += part
        error.append(derivative)
    if net.activations[-1] == codes.SOFTMAX:  # dy_j / dz_k = y_j ((j = k) - y_k)
        mean = sum(e * v for e, v in zip(error, y, strict=True))
        return loss, [v * (e - mean) for e, v in zip(error, y, strict=True)]
    return loss, [e * s for e, s in zip(error, slope, strict=True)]


def step_sizes(optimizer: Optimizer, rate, step):
    """Return the sizes of step number `step`, counted from 1, and its epsilon.

    The first is what the mean gradient is multiplied by, the second (nadam) the gradient itself.

    adamw and nadam divide the mean square by 1 - b2^n, under the root; here the root is taken into
    the three numbers.
    """
    b1, b2, epsilon = optimizer.beta_1, optimizer.beta_2, optimizer.epsilon
    if optimizer.kind in (codes.ADAM, codes.ADAMW_KERAS):
        return rate * (sqrt(1 - b2**step) / (1 - b1**step)), 0.0, epsilon
    if optimizer.kind == codes.ADAMW:
        root = sqrt(1 - b2**step)
        return rate * (root / (1 - b1**step)), 0.0, epsilon * root
    if optimizer.kind == codes.NADAM:
        root, product = sqrt(1 - b2**step), 1.0
        for n in range(1, step + 1):
            product *= momentum_of_step(b1, n)
            if product < 1e-20:  # 1 - product is 1
                break
        now, following = momentum_of_step(b1, step), momentum_of_step(b1, step + 1)
        mean = rate * root * following / (1 - product * following)
        return mean, rate * root * (1 - now) / (1 - product), epsilon * root
    return rate, 0.0, epsilon


def momentum_of_step(b1, n):
    """Return u_n of nadam, which rises from b1 / 2 to b1."""
    return b1 * (1 - 0.5 * 0.96 ** (n / 250))


def penalty(optimizer: Optimizer, w):
    """Return what the penalties add to N times the gradient of a weight w in a batch of N."""
    return optimizer.alpha * w + optimizer.l1 * sign(w)


def optimizer_step(optimizer: Optimizer, w, moments, gradient, rate, step):
    """Change the flat parameters w by optimizer step number `step`, counted from 1."""
    b1, b2, kind = optimizer.beta_1, optimizer.beta_2, optimizer.kind
    size, gradient_size, epsilon = step_sizes(optimizer, rate, step)
    if kind == codes.SGD:
        for i, g in enumerate(gradient):
            w[i] -= size * g
    elif kind in (codes.MOMENTUM, codes.NESTEROV):
        (velocity,) = moments
        for i, g in enumerate(gradient):
            velocity[i] = b1 * velocity[i] - size * g
            w[i] += velocity[i] if kind == codes.MOMENTUM else b1 * velocity[i] - size * g
    elif kind == codes.RMSPROP:
        (square,) = moments
        for i, g in enumerate(gradient):
            square[i] = b2 * square[i] + (1 - b2) * g * g
            w[i] -= size * g / (sqrt(square[i]) + epsilon)
    elif kind in (codes.ADAM, codes.ADAMW, codes.NADAM, codes.ADAMW_KERAS):
        mean, square = moments
        for i, g in enumerate(gradient):
            if kind in (codes.ADAMW, codes.ADAMW_KERAS):
                w[i] -= rate * optimizer.weight_decay * w[i]
            mean[i] = b1 * mean[i] + (1 - b1) * g
            square[i] = b2 * square[i] + (1 - b2) * g * g
            w[i] -= (size * mean[i] + gradient_size * g) / (sqrt(square[i]) + epsilon)
    else:
        raise ValueError(f"there is no optimizer {kind}")


def limit_norms(net: Network, w, limit):
    """Scale the incoming weights of each unit down to a norm of at most `limit`."""
    start = 0
    for m, n in zip(net.sizes, net.sizes[1:], strict=False):
        for j in range(n):
            own = range(start + j, start + m * n, n)
            norm = sqrt(sum(w[i] * w[i] for i in own))
            if norm > limit:
                for i in own:
                    w[i] *= limit / norm
        start += (m + 1) * n


def philox(counter, key):
    """Return the four random words of Philox4x32-10 (Salmon et al. 2011, section 3.3).

    Parameters
    ----------
    counter : sequence of 4 ints below 2**32
    key : sequence of 2 ints below 2**32
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            (p1 >> 32) ^ c1 ^ k0,
            p1 & 0xFFFFFFFF,
            (p0 >> 32) ^ c3 ^ k1,
            p0 & 0xFFFFFFFF,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def dropout_factors(rate, n_units, seed, step, row, layer):
    """Return 0 or 1 / (1 - rate) per unit: word j of the stream decides on unit j."""
    key = seed & 0xFFFFFFFF, seed >> 32
    stream = codes.STREAM_DROPOUT << 16 | layer
    words: list[int] = []
    for block in range((n_units + 3) // 4):
        words += philox((block, row, step & 0xFFFFFFFF, stream), key)
    limit = dropout_limit(rate)
    kept = 1 / (1 - limit / 2**32)
    return [0.0 if word < limit else kept for word in words[:n_units]]


def rounded(values, dtype):
    """Return a list of numbers as an array of `dtype` holds them."""
    return array("f", values).tolist() if dtype == np.float32 else values
