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
    values, short_columns, columns, starts, n_columns, targets, weights, change, rate, use_sign,
    order, online, history, losses, sample_weights, total,
):  # fmt: skip
    """Run `perceptron_train` (use_sign) or `linear_train`; weights are (n_outputs, n_inputs).

    The rows of X are `compressed.CompressedRows`, with columns of either size; if there are no
    `starts`, all values row after row. `change` is scratch of the weights' shape; `total` is the
    sum of the `sample_weights`, the number of samples if these are None. Returns the epochs run.
    """
    # A loop for each, with constants in place of arguments, is faster.
    rows = values, short_columns, columns, starts, n_columns
    others = order, online, history, losses, sample_weights, total
    if use_sign:
        return delta_rule_epochs(rows, targets, weights, change, rate, True, *others)
    return delta_rule_epochs(rows, targets, weights, change, rate, False, *others)


@merged
def delta_rule_epochs(
    rows, targets, weights, change, rate, use_sign, order, online, history, losses, sample_weights,
    total,
):  # fmt: skip
    """Do the work of `delta_rule`."""
    values, short_columns, columns, starts, d = rows
    n_outputs, size = weights.shape
    bias = size - d  # 1 if the first weight is that of an input of 1
    x, w, dw = pointer(values), pointer(weights), pointer(change)
    X = (x, pointer(short_columns), pointer(columns), pointer(starts),
         len(starts) > 0, len(short_columns) > 0, d)  # fmt: skip
    for epoch in range(len(losses)):
        n_mistakes, loss_sum, not_finite = 0, 0.0, 0.0
        if not online:
            change[:] = 0
        for q in range(len(targets)):
            i = order[epoch % len(order), q] if online else q
            wrong = False
            weight = real(x, 1.0) if sample_weights is None else sample_weights[i]
            for c in range(n_outputs):
                z = row_dot(X, i, w, c * size + bias)
                if bias:
                    z += weights[c, 0]
                not_finite += z - z  # NaN, where z is infinite
                y = real(x, 1.0 if z > 0 else -1.0 if z < 0 else 0.0) if use_sign else z
                error = targets[i, c] - y
                if error != 0:
                    wrong = True
                    # A wrong sign's loss -t z is |z|.
                    loss_sum += weight * (abs(float(z)) if use_sign else float(error) * error)
                    error *= weight
                    if online:  # w += rate (t - y) x (1.2)
                        add_row(real(x, rate * error), X, i, w, c * size + bias)
                        if bias:
                            weights[c, 0] += real(x, rate * error)
                    else:
                        add_row(error, X, i, dw, c * size + bias)
                        if bias:
                            change[c, 0] += error
            n_mistakes += wrong
        if not online:
            for c in range(n_outputs):
                add_scaled(real(x, rate / total), dw, c * size, w, c * size, size)
        losses[epoch] = loss_sum / (total if use_sign else 2 * total) + not_finite
        if use_sign and n_mistakes == 0:
            return epoch
        if len(history):
            history[epoch] = weights.T
    return len(losses)


@kernel
def row_dot(X, i, w, c):
    """Return the product of row i and the weights from w[c] on."""
    x, _, _, starts, is_compressed, _, d = X
    if not is_compressed:
        return dot(x, i * d, w, c, d)
    s0, s1, k, end = real(x, 0.0), real(x, 0.0), load(starts, i), load(starts, i + 1)
    while k + 2 <= end:
        s0 += load(x, k) * load(w, c + column(X, k))
        s1 += load(x, k + 1) * load(w, c + column(X, k + 1))
        k += 2
    if k < end:
        s0 += load(x, k) * load(w, c + column(X, k))
    return s0 + s1


@kernel
def add_row(factor, X, i, w, c):
    """Add row i, times a factor, to w[c:]."""
    x, _, _, starts, is_compressed, _, d = X
    if is_compressed:
        for k in range(load(starts, i), load(starts, i + 1)):
            w[c + column(X, k)] += factor * load(x, k)
    else:
        add_scaled(factor, x, i * d, w, c, d)


@kernel
def column(X, k):
    """Return the column of a value."""
    _, short_columns, columns, _, _, are_short, _ = X
    return int(load(short_columns, k)) if are_short else int(load(columns, k))


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
