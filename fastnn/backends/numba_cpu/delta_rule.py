"""Perceptron and linear network, with Numba; it follows cython_cpu/delta_rule.pxi."""

from .compile import kernel, merged
from .vector import (
    lanes,
    load,
    pointer,
    real,
    vadd,
    vfma,
    vload,
    vmul,
    vstore,
    vsum,
    vzero,
)


@kernel
def delta_rule(
    X, targets, weights, change, rate, use_sign, order, online, history, losses, sample_weights,
    total,
):  # fmt: skip
    """Run `perceptron_train` (use_sign) or `linear_train`; weights are (n_outputs, n_inputs).

    `change` is scratch of the same shape; `total` is the sum of the `sample_weights`, the number of
    samples if these are None. Returns the epochs run.
    """
    # A loop for each, with constants in place of arguments, is faster.
    others = order, online, history, losses, sample_weights, total
    if use_sign:
        return delta_rule_epochs(X, targets, weights, change, rate, True, *others)
    return delta_rule_epochs(X, targets, weights, change, rate, False, *others)


@merged
def delta_rule_epochs(
    X, targets, weights, change, rate, use_sign, order, online, history, losses, sample_weights,
    total,
):  # fmt: skip
    """Do the work of `delta_rule`."""
    n, d = X.shape
    n_outputs, size = weights.shape
    bias = size - d  # 1 if the first weight is that of an input of 1
    x, w, dw = pointer(X), pointer(weights), pointer(change)
    for epoch in range(len(losses)):
        n_mistakes, loss_sum = 0, 0.0
        if not online:
            change[:] = 0
        for q in range(n):
            i = order[epoch % len(order), q] if online else q
            wrong = False
            weight = real(x, 1.0) if sample_weights is None else sample_weights[i]
            for c in range(n_outputs):
                z = dot(x, i * d, w, c * size + bias, d)
                if bias:
                    z += weights[c, 0]
                y = real(x, 1.0 if z > 0 else -1.0 if z < 0 else 0.0) if use_sign else z
                error = targets[i, c] - y
                if error != 0:
                    wrong = True
                    # A wrong sign's loss -t z is |z|.
                    loss_sum += weight * (abs(float(z)) if use_sign else float(error) * error)
                    error *= weight
                    if online:  # w += rate (t - y) x (1.2)
                        add_scaled(real(x, rate * error), x, i * d, w, c * size + bias, d)
                        if bias:
                            weights[c, 0] += real(x, rate * error)
                    else:
                        add_scaled(error, x, i * d, dw, c * size + bias, d)
                        if bias:
                            change[c, 0] += error
            n_mistakes += wrong
        if not online:
            for c in range(n_outputs):
                add_scaled(real(x, rate / total), dw, c * size, w, c * size, size)
        losses[epoch] = loss_sum / (total if use_sign else 2 * total)
        if use_sign and n_mistakes == 0:
            return epoch
        if len(history):
            history[epoch] = weights.T
    return len(losses)


@kernel
def dot(a, i, b, c, n):
    """Return the product of n numbers from a[i] and b[c] on."""
    L = lanes(a)
    s0 = s1 = vzero(a)
    k = 0
    while k + 2 * L <= n:
        s0 = vadd(s0, vmul(vload(a, i + k), vload(b, c + k)))
        s1 = vadd(s1, vmul(vload(a, i + k + L), vload(b, c + k + L)))
        k += 2 * L
    total = vsum(vadd(s0, s1))
    while k < n:
        total += load(a, i + k) * load(b, c + k)
        k += 1
    return total


@kernel
def add_scaled(factor, a, i, b, c, n):
    """Add factor a[i:i + n] to b[c:c + n]."""
    L = lanes(a)
    k = 0
    while k + L <= n:
        vstore(b, c + k, vfma(factor, vload(a, i + k), vload(b, c + k)))
        k += L
    while k < n:
        b[c + k] += factor * load(a, i + k)
        k += 1
