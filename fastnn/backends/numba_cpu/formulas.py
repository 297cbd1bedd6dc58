"""Every formula, on vectors of reals where there are many; python/formulas.py is the text.

What a formula is called, and where it comes from, the table `codes` says.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from .. import codes
from ..cpu.panels import (
    ACTIVATION,
    ALPHA,
    BETA_1,
    BETA_2,
    DELTAS,
    EPSILON,
    L1,
    N_NUMBERS,
    SLOPES,
    UNITS,
    WEIGHT_DECAY,
    WEIGHTS,
)
from .compile import inlined, kernel, merged
from .exponentials import exponentials, falling_exponentials, softmax_and_label
from .functions import vdiv_by_root, vexp, vexpm1, vlog1p, vnormal, vsigmoid, vtanh
from .task import column, offset_of
from .vector import (
    lanes,
    real,
    vabs,
    vadd,
    vdiv,
    vfma,
    vif_positive,
    vload,
    vmul,
    vmuladd,
    vneg,
    vpositive,
    vrelu,
    vsplat,
    vsqrt,
    vstore,
    vsub,
    vzero,
)

NO_PENALTY, WITH_L2, WITH_L1 = range(3)


class Sizes(NamedTuple):
    """What depends on the number of a step, of one network; doubles but for the code."""

    optimizer: Any
    size: Any  # what the mean gradient is multiplied by
    gradient_size: Any  # and the gradient itself (nadam)
    epsilon: Any
    decay: Any  # fraction of the weights that is taken off (adamw)
    product: Any  # of nadam's momenta up to this step


class Step(NamedTuple):
    """What an optimizer needs in one step: reals, or vectors with one of a network in each lane."""

    optimizer: Any
    penalty: Any  # NO_PENALTY, WITH_L2 or WITH_L1, the latter with L2 too
    size: Any  # as in Sizes
    gradient_size: Any
    epsilon: Any
    decay: Any
    beta_1: Any
    beta_2: Any
    alpha: Any  # factors of the penalty, over the samples of the batch
    l1: Any


@kernel
def activate_rarely(code, a, z):
    """Do the rest of `activate`: a call by itself leaves the code of the others short, and fast."""
    one, zero = vsplat(real(z, 1.0)), vzero(z)
    y = slope = vsplat(real(z, math.nan))  # there is none
    if code == codes.SOFTPLUS:
        y = vadd(vrelu(z), vlog1p(vexp(vsub(zero, vabs(z)))))
        slope = vsigmoid(z)
    elif code == codes.LEAKY_RELU:
        y = vif_positive(z, z, vmul(vsplat(a), z))
        slope = vif_positive(z, one, vsplat(a))
    elif code in (codes.ELU, codes.SELU):
        steep, deep = one, vsplat(a)
        if code == codes.SELU:
            steep = vsplat(real(z, codes.SELU_SCALE))
            deep = vsplat(real(z, codes.SELU_SCALE * codes.SELU_ALPHA))
        y = vmul(deep, vexpm1(vsub(z, vrelu(z))))
        slope = vif_positive(z, steep, vadd(y, deep))
        y = vif_positive(z, vmul(steep, z), y)
    elif code == codes.GELU:
        p, bell = vnormal(z)
        y = vmul(z, p)
        slope = vmuladd(vmul(vsplat(real(z, 1 / math.sqrt(2 * math.pi))), z), bell, p)
    elif code == codes.SILU:
        slope = vsigmoid(z)
        y = vmul(z, slope)
        slope = vmuladd(y, vsub(one, slope), slope)
    elif code == codes.EXPONENTIAL:
        y = vexp(z)
        slope = y
    return y, slope


@inlined
def activate(code, a, z):
    """Return f(z) and f'(z) of a vector of pre-activations; `a` is the activation's parameter."""
    one, zero = vsplat(real(z, 1.0)), vzero(z)
    if code == codes.RELU:
        y, slope = vrelu(z), vpositive(z)
    elif code == codes.SIGMOID:
        y = vsigmoid(z)
        slope = vmul(y, vsub(one, y))
    elif code == codes.TANH:
        y = vtanh(z)
        slope = vsub(one, vmul(y, y))
    elif code == codes.SOFTSIGN:
        slope = vdiv(one, vadd(one, vabs(z)))
        y = vmul(z, slope)
        slope = vmul(slope, slope)
    elif code == codes.SIGN:
        y, slope = vsub(vpositive(z), vpositive(vsub(zero, z))), zero
    elif code == codes.IDENTITY:
        y, slope = z, one
    else:
        y, slope = activate_rarely(code, a, z)
    return y, slope


@kernel
def loss_of_output(code, a, t, y):
    """Return the loss of one output and d loss / d y; `a` is the loss's parameter."""
    e = y - t
    loss = error = math.nan  # there is none
    if code == codes.HALF_SQUARED_ERROR:
        loss, error = e * e / 2, e
    elif code == codes.SUM_SQUARED_ERROR:
        loss, error = e * e, 2 * e
    elif code == codes.ABSOLUTE_ERROR:
        loss, error = abs(e), np.sign(e)
    elif code == codes.HUBER:
        loss, error = e * e / 2, e
        if abs(e) > a:
            loss, error = a * (abs(e) - a / 2), a * np.sign(e)
    elif code == codes.QUANTILE:
        error = -a if e < 0 else (1 - a) * np.sign(e)
        loss = error * e
    elif code == codes.POISSON:
        y = max(y, 1e-300)  # no logarithm of 0
        loss, error = y, 1.0
        if t > 0:
            loss, error = y - t * math.log(y), 1 - t / y
    elif code == codes.HINGE:
        loss = error = 0.0
        if t * y < 1:
            loss, error = 1 - t * y, -t
    return loss, error


@kernel
def loss_and_delta(p, layer, i, sample, share, from_z):
    """Return the loss of a sample, and store `share` times its deltas (2.41).

    `from_z`: the outputs hold the pre-activations z, and get f(z) here. Without targets that is
    all.
    """
    n, code, work = column(p, layer, UNITS), p.loss, p.work
    deltas = column(p, layer, DELTAS) - offset_of(p, layer, 0, 0)
    slopes = column(p, layer, SLOPES) - offset_of(p, layer, 0, 0)
    has_targets, targets, t = p.n_targets > 0, p.targets, sample * p.n_targets
    a = p.numbers[N_NUMBERS + p.n_layers]
    loss, mean, total = 0.0, 0.0, 0.0
    if from_z and column(p, layer, ACTIVATION) == codes.SOFTMAX:
        largest = exponentials(p, layer, i)
        for c in range(n):
            total += work[slopes + offset_of(p, layer, i, c)]
        if not has_targets or code == codes.SPARSE_CATEGORICAL_CROSSENTROPY:
            return softmax_and_label(p, layer, i, sample, share, largest, total)
        log_total = math.log(total)
        for c in range(n):
            at = offset_of(p, layer, i, c)
            z = work[at] - largest
            y = work[slopes + at] / total
            work[at] = work[slopes + at] / real(work, total)  # as softmax_and_label has it
            if code == codes.CATEGORICAL_CROSSENTROPY:
                target = (1 - a) * float(targets[t + c]) + a / n  # label smoothing
                e = y - target
                if target != 0:
                    loss += target * (log_total - z)
            else:
                part, e = loss_of_output(code, a, float(targets[t + c]), y)
                loss += part
                mean += e * y
            work[deltas + at] = e * share
        if code != codes.CATEGORICAL_CROSSENTROPY:
            for c in range(n):  # dy_j / dz_k = y_j ((j = k) - y_k)
                at = offset_of(p, layer, i, c)
                y = float(work[at])
                _, e = loss_of_output(code, a, float(targets[t + c]), y)
                work[deltas + at] = share * y * (e - mean)
    elif from_z and code == codes.POISSON:  # of exponential outputs: the slope cancels
        for c in range(n):
            at = offset_of(p, layer, i, c)
            z = float(work[at])
            y = math.exp(min(z, 709.0))  # beyond, a double has no room
            work[at] = y
            if has_targets:
                loss += y - float(targets[t + c]) * z
                work[deltas + at] = (y - float(targets[t + c])) * share
    elif from_z:  # sigmoid and binary cross-entropy: the slope cancels
        falling_exponentials(p, layer, i)
        for c in range(n):
            at = offset_of(p, layer, i, c)
            z = float(work[at])
            e = float(work[slopes + at])
            y = 1 / (1 + e) if z >= 0 else e / (1 + e)
            work[at] = y
            if has_targets:
                target = (1 - a) * float(targets[t + c]) + a / 2
                loss += max(z, 0.0) - z * target + math.log1p(e)
                work[deltas + at] = (y - target) * share
    elif has_targets:
        for c in range(n):
            at = offset_of(p, layer, i, c)
            part, e = loss_of_output(code, a, float(targets[t + c]), float(work[at]))
            loss += part
            work[deltas + at] = share * e * work[slopes + at]
    return loss


@kernel
def step_sizes(numbers, s, rate, step):
    """Return the next `Sizes` after s, for a learning rate and the step's number from 1.

    Steps come one after the other, since nadam's product is carried along. All but epsilon is the
    rate times what it is for a rate of 1, to the last bit: lanes.py makes use of it.
    """
    b1, b2, epsilon = numbers[BETA_1], numbers[BETA_2], numbers[EPSILON]
    size, gradient_size, product = rate, 0.0, s.product
    if s.optimizer in (codes.ADAM, codes.ADAMW_KERAS):
        size *= np.sqrt(1 - b2 ** float(step)) / (1 - b1 ** float(step))
    elif s.optimizer == codes.ADAMW:
        root = np.sqrt(1 - b2 ** float(step))
        size *= root / (1 - b1 ** float(step))
        epsilon *= root
    elif s.optimizer == codes.NADAM:
        root = np.sqrt(1 - b2 ** float(step))
        now, following = momentum_of_step(b1, step), momentum_of_step(b1, step + 1)
        product *= now
        size *= root * following / (1 - product * following)
        gradient_size = rate * (root * (1 - now) / (1 - product))
        epsilon *= root
    decay = rate * numbers[WEIGHT_DECAY]
    return Sizes(s.optimizer, size, gradient_size, epsilon, decay, product)


@kernel
def momentum_of_step(b1, step):
    """Return u_n of nadam, which rises from b1 / 2 to b1."""
    return b1 * (1 - 0.5 * 0.96 ** (step / 250))


@kernel
def first_sizes(numbers, optimizer, step):
    """Return the `Sizes` before the first step of a call: the product of nadam's momenta so far."""
    b1, product, n = numbers[BETA_1], 1.0, 1
    while optimizer == codes.NADAM and n <= step and product > 1e-20:  # 1 - product is 1 then
        product *= momentum_of_step(b1, n)
        n += 1
    return Sizes(optimizer, 0.0, 0.0, 0.0, 0.0, product)


@kernel
def next_step(p, s, count):
    """Return what a network's next step needs, on a batch of `count` samples."""
    numbers, work = p.numbers, p.work
    without_l1 = WITH_L2 if numbers[ALPHA] != 0 else NO_PENALTY
    return Step(
        s.optimizer,
        WITH_L1 if numbers[L1] != 0 else without_l1,
        real(work, s.size),
        real(work, s.gradient_size),
        real(work, s.epsilon),
        real(work, s.decay),
        real(work, numbers[BETA_1]),
        real(work, numbers[BETA_2]),
        real(work, numbers[ALPHA] / count),
        real(work, numbers[L1] / count),
    )


@inlined
def penalty(w, g, u):
    """Return the gradient g with what the penalties add for weights w."""
    if u.penalty != NO_PENALTY:
        g = vfma(u.alpha, w, g)
        if u.penalty == WITH_L1:
            g = vfma(u.l1, vsub(vpositive(w), vpositive(vsub(vzero(w), w))), g)
    return g


@inlined
def moving_mean(beta, mean, x):
    """Return beta mean + (1 - beta) x."""
    one = vsplat(real(mean, 1.0))
    return vmuladd(vsplat(beta), mean, vmul(vsub(one, vsplat(beta)), x))


@kernel
def rare_step(p, at, g, w, u):
    """Do the rest of `optimizer_step`, for weights w: see `activate_rarely`."""
    if u.optimizer in (codes.MOMENTUM, codes.NESTEROV):
        m = vsub(vmul(vsplat(u.beta_1), vload(p.moment_1, at)), vmul(vsplat(u.size), g))
        vstore(p.moment_1, at, m)
        if u.optimizer == codes.NESTEROV:
            m = vsub(vmul(vsplat(u.beta_1), m), vmul(vsplat(u.size), g))
        w = vadd(w, m)
    elif u.optimizer == codes.RMSPROP:
        v = moving_mean(u.beta_2, vload(p.moment_1, at), vmul(g, g))
        vstore(p.moment_1, at, v)
        w = vfma(vneg(vsplat(u.size)), vdiv_by_root(g, v, u.epsilon), w)
    elif u.optimizer in (codes.ADAMW, codes.NADAM, codes.ADAMW_KERAS):
        if u.optimizer != codes.NADAM:
            w = vfma(vneg(vsplat(u.decay)), w, w)
        m = moving_mean(u.beta_1, vload(p.moment_1, at), g)
        v = moving_mean(u.beta_2, vload(p.moment_2, at), vmul(g, g))
        vstore(p.moment_1, at, m)
        vstore(p.moment_2, at, v)
        m = vfma(u.size, m, vmul(vsplat(u.gradient_size), g))
        w = vsub(w, vdiv_by_root(m, v, u.epsilon))
    vstore(p.weights, at, w)
    return w


@merged
def optimizer_step(p, at, g, penalized, u):
    """Update a vector of weights, or biases (not penalized), from their gradient g; return them."""
    w = vload(p.weights, at)
    if penalized:
        g = penalty(w, g, u)
    if u.optimizer == codes.ADAM:
        m = moving_mean(u.beta_1, vload(p.moment_1, at), g)
        v = moving_mean(u.beta_2, vload(p.moment_2, at), vmul(g, g))
        vstore(p.moment_1, at, m)
        vstore(p.moment_2, at, v)
        w = vfma(vneg(vsplat(u.size)), vdiv_by_root(m, v, u.epsilon), w)
        vstore(p.weights, at, w)
    elif u.optimizer == codes.SGD:
        w = vfma(vneg(vsplat(u.size)), g, w)
        vstore(p.weights, at, w)
    elif u.optimizer == codes.STORE_GRADIENT:
        vstore(p.moment_1, at, g)
    else:
        w = rare_step(p, at, g, w, u)
    return w


@kernel
def limit_norms(p, layer, panel, limit):
    """Scale the incoming weights of the units of a panel down to a norm of at most `limit`."""
    L = lanes(p.weights)
    n_in = column(p, layer - 1, UNITS)
    first = column(p, layer, WEIGHTS) + panel * (n_in + 1) * 2 * L
    for lane in range(first, first + 2 * L, L):
        limit_columns(p.weights, lane, n_in, 2 * L, vsplat(real(p.weights, limit)))


@kernel
def limit_columns(w, first, n, stride, limit):
    """Do so for a vector of units, whose n weights are `stride` apart."""
    one, squares = vsplat(real(w, 1.0)), vzero(w)
    for at in range(first, first + n * stride, stride):
        squares = vmuladd(vload(w, at), vload(w, at), squares)
    factor = vdiv(limit, vsqrt(squares))
    factor = vif_positive(vsub(one, factor), factor, one)
    for at in range(first, first + n * stride, stride):
        vstore(w, at, vmul(factor, vload(w, at)))


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
