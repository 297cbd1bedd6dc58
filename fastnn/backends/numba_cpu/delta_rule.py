"""Perceptron and linear network, with Numba; it follows cython_cpu/delta_rule.pxi."""

from .compile import kernel, merged
from .vector import (
    advanced,
    lanes,
    load,
    pointer,
    real,
    vadd,
    vfma,
    vload,
    vmuladd,
    vstore,
    vsum,
    vzero,
)


@kernel
def delta_rule(
    X, n_columns, targets, weights, scratch, rate, use_sign, order, online, history, losses,
    sample_weights, total,
):  # fmt: skip
    """Run `perceptron_train` (use_sign) or `linear_train`.

    X are `cpu.inputs.Inputs`, reals. `scratch` are zeros from a cache line on, for each output
    twice its weights in whole lines. `total` is the sum of the `sample_weights`, the number of
    samples if these are None. Returns the epochs run.
    """
    # A loop for each, with constants in place of arguments, is faster.
    others = order, online, history, losses, sample_weights, total
    if use_sign:
        return delta_rule_epochs(X, n_columns, targets, weights, scratch, rate, True, *others)
    return delta_rule_epochs(X, n_columns, targets, weights, scratch, rate, False, *others)


@merged
def delta_rule_epochs(
    X, d, targets, weights, scratch, rate, use_sign, order, online, history, losses,
    sample_weights, total,
):  # fmt: skip
    """Do the work of `delta_rule`."""
    n_inputs, n_outputs = weights.shape
    bias = n_inputs - d  # 1 if the first weights are biases
    size = len(scratch) // (2 * n_outputs)
    # An output's weights in each row, its bias last, so that all begin with a cache line.
    w_all = scratch[: n_outputs * size].reshape(n_outputs, size)
    change = scratch[n_outputs * size :]
    copy_weights(weights, w_all, bias, True)
    x, w, dw = pointer(X.reals), pointer(w_all), pointer(change)
    t, n_run, n_samples = pointer(targets), len(losses), len(targets)
    is_compressed, is_short = len(X.starts) > 0, len(X.short_columns) > 0
    rows = x, pointer(X.short_columns), pointer(X.columns), pointer(X.starts), is_short
    for epoch in range(len(losses)):
        n_mistakes, loss_sum, not_finite = 0, 0.0, 0.0
        if not online:
            change[:] = 0
        chosen = advanced(pointer(order), epoch % len(order) * n_samples if online else 0)
        for q in range(n_samples):
            i = load(chosen, q) if online else q
            wrong = False
            weight = real(x, 1.0) if sample_weights is None else sample_weights[i]
            for c in range(n_outputs):
                if is_compressed:
                    z = compressed_dot(rows, i, w, c * size)
                else:
                    z = dot(x, i * d, w, c * size, d)
                if bias:
                    z += load(w, c * size + d)
                not_finite += z - z  # NaN, where z is infinite
                # A branch would be guessed wrong as often as not.
                y = real(x, float(int(z > 0) - int(z < 0))) if use_sign else z
                error = load(t, i * n_outputs + c) - y
                if error != 0:
                    wrong = True
                    # A wrong sign's loss -t z is |z|.
                    loss_sum += weight * (abs(float(z)) if use_sign else float(error) * error)
                    error *= weight
                    # w += rate (t - y) x (1.2), now or at the end
                    factor, changed = (real(x, rate * error), w) if online else (error, dw)
                    if is_compressed:
                        add_compressed(factor, rows, i, changed, c * size)
                    else:
                        add_scaled(factor, x, i * d, changed, c * size, d)
                    if bias:
                        changed[c * size + d] += factor
            n_mistakes += wrong
        if not online:
            add_scaled(real(x, rate / total), dw, 0, w, 0, n_outputs * size)
        losses[epoch] = loss_sum / (total if use_sign else 2 * total) + not_finite
        if use_sign and n_mistakes == 0:
            n_run = epoch
            break
        if len(history):
            copy_weights(history[epoch], w_all, bias, False)
    copy_weights(weights, w_all, bias, False)
    return n_run


@kernel
def copy_weights(weights, w, bias, there):
    """Copy weights to w, an output's in each row, its bias last; or back."""
    n = len(weights)
    for k in range(n):
        at = n - 1 if k < bias else k - bias
        for c in range(len(w)):
            if there:
                w[c, at] = weights[k, c]
            else:
                weights[k, c] = w[c, at]


@kernel
def dot(a, i, b, c, n):
    """Return the product of n numbers from a[i] and b[c] on."""
    L = lanes(a)
    s0 = s1 = vzero(a)
    k = 0
    while k + 2 * L <= n:
        s0 = vmuladd(vload(a, i + k), vload(b, c + k), s0)
        s1 = vmuladd(vload(a, i + k + L), vload(b, c + k + L), s1)
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


@kernel
def column(X, k):
    """Return the column of a value."""
    _, short_columns, columns, _, are_short = X
    return int(load(short_columns, k)) if are_short else int(load(columns, k))


@kernel
def compressed_dot(X, i, w, c):
    """Return the product of row i and the weights from w[c] on."""
    x, _, _, starts, _ = X
    s0, s1, k, end = real(x, 0.0), real(x, 0.0), load(starts, i), load(starts, i + 1)
    while k + 2 <= end:
        s0 += load(x, k) * load(w, c + column(X, k))
        s1 += load(x, k + 1) * load(w, c + column(X, k + 1))
        k += 2
    if k < end:
        s0 += load(x, k) * load(w, c + column(X, k))
    return s0 + s1


@kernel
def add_compressed(factor, X, i, w, c):
    """Add row i, times a factor, to w[c:]."""
    x, _, _, starts, _ = X
    for k in range(load(starts, i), load(starts, i + 1)):
        w[c + column(X, k)] += factor * load(x, k)
