"""Every formula, on vectors of reals where there are many; python/formulas.py is the text.

What a formula is called, and where it comes from, the table `codes` says.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from ..codes import (
    ADAM,
    CATEGORICAL_CROSSENTROPY,
    HALF_SQUARED_ERROR,
    IDENTITY,
    MOMENTUM,
    RELU,
    SGD,
    SIGMOID,
    SIGN,
    SOFTMAX,
    SOFTPLUS,
    SOFTSIGN,
    SPARSE_CATEGORICAL_CROSSENTROPY,
    SQUARED_ERROR,
    STORE_GRADIENT,
    TANH,
)
from ..cpu.panels import ACTIVATION, BETA_1, BETA_2, DELTAS, N_NUMBERS, SLOPES, UNITS
from .compile import inlined, kernel
from .task import column, offset_of
from .vector import (
    real,
    vabs,
    vadd,
    vdiv,
    vdiv_by_root,
    vexp,
    vfma,
    vload,
    vlog1p,
    vmul,
    vpositive,
    vrelu,
    vsigmoid,
    vsplat,
    vstore,
    vsub,
    vtanh,
    vzero,
)


class Step(NamedTuple):
    """What an optimizer needs in one step; reals but for the code."""

    optimizer: Any
    size: Any
    beta_1: Any
    beta_2: Any
    epsilon: Any
    alpha: Any  # the penalty, over the samples of the batch


@inlined
def activate(code, a, z):
    """Return f(z) and f'(z) of a vector of pre-activations; `a` is the activation's parameter."""
    one, zero = vsplat(real(z, 1.0)), vzero(z)
    y = slope = vsplat(real(z, math.nan))  # there is none
    if code == RELU:
        y, slope = vrelu(z), vpositive(z)
    elif code == SIGMOID:
        y = vsigmoid(z)
        slope = vmul(y, vsub(one, y))
    elif code == TANH:
        y = vtanh(z)
        slope = vsub(one, vmul(y, y))
    elif code == SOFTSIGN:
        slope = vdiv(one, vadd(one, vabs(z)))
        y = vmul(z, slope)
        slope = vmul(slope, slope)
    elif code == SIGN:
        y, slope = vsub(vpositive(z), vpositive(vsub(zero, z))), zero
    elif code == IDENTITY:
        y, slope = z, one
    elif code == SOFTPLUS:
        y = vadd(vrelu(z), vlog1p(vexp(vsub(zero, vabs(z)))))
        slope = vsigmoid(z)
    return y, slope


@inlined
def loss_of_output(code, a, t, y):
    """Return the loss of one output and d loss / d y; `a` is the loss's parameter."""
    e = y - t
    loss = error = math.nan  # there is none
    if code == HALF_SQUARED_ERROR:
        loss, error = e * e / 2, e
    elif code == SQUARED_ERROR:
        loss, error = e * e, 2 * e
    return loss, error


@kernel
def loss_and_delta(p, layer, i, sample, count, from_z):
    """Return the loss of a sample, and store its deltas (2.41) over `count`.

    `from_z`: the outputs hold the pre-activations z, and get f(z) here. Without targets that is
    all.
    """
    n, code, work = column(p, layer, UNITS), p.loss, p.work
    deltas = column(p, layer, DELTAS) - offset_of(p, layer, 0, 0)
    slopes = column(p, layer, SLOPES) - offset_of(p, layer, 0, 0)
    has_targets, targets, t = p.n_targets > 0, p.targets, sample * p.n_targets
    a = p.numbers[N_NUMBERS + p.n_layers]
    is_index = code == SPARSE_CATEGORICAL_CROSSENTROPY
    label = int(targets[t]) if has_targets and is_index else -1
    loss, mean, total = 0.0, 0.0, 0.0
    if from_z and column(p, layer, ACTIVATION) == SOFTMAX:
        largest = float(work[offset_of(p, layer, i, 0)])
        for c in range(1, n):
            largest = max(largest, float(work[offset_of(p, layer, i, c)]))
        for c in range(n):
            total += math.exp(work[offset_of(p, layer, i, c)] - largest)
        log_total = math.log(total)
        for c in range(n):
            at = offset_of(p, layer, i, c)
            z = work[at] - largest
            y = math.exp(z) / total
            work[at] = y
            if not has_targets:
                continue
            if is_index or code == CATEGORICAL_CROSSENTROPY:
                target = float(targets[t + c]) if not is_index else 1.0 if c == label else 0.0
                target = (1 - a) * target + a / n  # label smoothing
                e = y - target
                if target != 0:
                    loss += target * (log_total - z)
            else:
                part, e = loss_of_output(code, a, float(targets[t + c]), y)
                loss += part
                mean += e * y
            work[deltas + at] = e / count
        if has_targets and not (is_index or code == CATEGORICAL_CROSSENTROPY):
            for c in range(n):  # dy_j / dz_k = y_j ((j = k) - y_k)
                at = offset_of(p, layer, i, c)
                y = float(work[at])
                _, e = loss_of_output(code, a, float(targets[t + c]), y)
                work[deltas + at] = 1 / count * y * (e - mean)
    elif from_z:  # sigmoid and binary cross-entropy: the slope cancels
        for c in range(n):
            at = offset_of(p, layer, i, c)
            z = float(work[at])
            e = math.exp(-abs(z))
            y = 1 / (1 + e) if z >= 0 else e / (1 + e)
            work[at] = y
            if has_targets:
                target = (1 - a) * float(targets[t + c]) + a / 2
                loss += max(z, 0.0) - z * target + math.log1p(e)
                work[deltas + at] = (y - target) / count
    elif has_targets:
        for c in range(n):
            at = offset_of(p, layer, i, c)
            part, e = loss_of_output(code, a, float(targets[t + c]), float(work[at]))
            loss += part
            work[deltas + at] = 1 / count * e * work[slopes + at]
    return loss


@inlined
def step_sizes(optimizer, numbers, rate, step):
    """Return what depends on the number of the step, counted from 1, and the learning rate."""
    size = rate
    if optimizer == ADAM:
        size *= np.sqrt(1 - numbers[BETA_2] ** float(step))
        size /= 1 - numbers[BETA_1] ** float(step)
    return size


@inlined
def penalty(w, g, u):
    """Return the gradient g with what the penalties add for weights w."""
    if u.alpha != 0:
        g = vfma(u.alpha, w, g)
    return g


@inlined
def optimizer_step(p, at, g, penalized, u):
    """Update a vector of weights, or biases (not penalized), from their gradient g."""
    w = vload(p.weights, at)
    if penalized:
        g = penalty(w, g, u)
    if u.optimizer == ADAM:
        one = real(p.weights, 1.0)
        m = vfma(u.beta_1, vload(p.moment_1, at), vmul(vsplat(one - u.beta_1), g))
        v = vfma(u.beta_2, vload(p.moment_2, at), vmul(vsplat(one - u.beta_2), vmul(g, g)))
        vstore(p.moment_1, at, m)
        vstore(p.moment_2, at, v)
        g = vdiv_by_root(m, v, u.epsilon)
        vstore(p.weights, at, vfma(-u.size, g, w))
    elif u.optimizer == SGD:
        vstore(p.weights, at, vfma(-u.size, g, w))
    elif u.optimizer == MOMENTUM:
        m = vsub(vmul(vsplat(u.beta_1), vload(p.moment_1, at)), vmul(vsplat(u.size), g))
        vstore(p.moment_1, at, m)
        vstore(p.weights, at, vadd(w, m))
    elif u.optimizer == STORE_GRADIENT:
        vstore(p.moment_1, at, g)


@kernel
def philox(c0, c1, c2, c3, seed):
    """Return the four words of a counter (Salmon et al. 2011), all as uint64."""
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    k0, k1 = seed & low, seed >> half
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c0, np.uint64(0xCD9E8D57) * c2
        c0, c2 = (p1 >> half) ^ c1 ^ k0, (p0 >> half) ^ c3 ^ k1
        c1, c3 = p1 & low, p0 & low
        k0 = (k0 + np.uint64(0x9E3779B9)) & low
        k1 = (k1 + np.uint64(0xBB67AE85)) & low
    return c0, c1, c2, c3
