"""Perceptron and linear network."""

def delta_rule(
    X, Py_ssize_t n_columns, const real[:, ::1] targets, real[:, ::1] weights, real[::1] scratch,
    double rate, bint use_sign, const int64_t[:, ::1] order, bint online,
    real[:, :, ::1] history, double[::1] losses, const real[::1] sample_weights, double total,
):
    """Run `perceptron_train` (use_sign) or `linear_train`.

    X are `cpu.inputs.Inputs`, reals. `scratch` are zeros from a cache line on, for each output
    twice its weights in whole lines. `total` is the sum of the `sample_weights`, the number of
    samples if these are None. Returns the epochs run.
    """
    cdef Py_ssize_t epoch, n_mistakes, n_run = losses.shape[0], n_outputs = weights.shape[1]
    cdef Py_ssize_t bias = weights.shape[0] - n_columns  # 1 if the first weights are biases
    cdef Py_ssize_t size = scratch.shape[0] // (2 * n_outputs)
    cdef real *w = &scratch[0]  # (n_outputs, size)
    cdef const real *s = NULL
    cdef Inputs inputs
    read_inputs(X, &inputs)
    if sample_weights is not None:
        s = &sample_weights[0]
    copy_weights(weights, w, size, bias, True)
    for epoch in range(losses.shape[0]):
        with nogil:
            n_mistakes = delta_rule_epoch(
                &inputs, n_columns, targets.shape[0], &targets[0, 0], n_outputs, size, w,
                w + n_outputs * size, bias, rate, use_sign,
                &order[epoch % order.shape[0], 0] if online else NULL,
                s, total, &losses[epoch],
            )
        if use_sign and n_mistakes == 0:
            n_run = epoch
            break
        if history.shape[0]:
            copy_weights(history[epoch], w, size, bias, False)
    copy_weights(weights, w, size, bias, False)
    return n_run


cdef void copy_weights(
    real[:, ::1] weights, real *w, Py_ssize_t size, Py_ssize_t bias, bint there
) noexcept nogil:
    """Copy weights to w, an output's in each row, its bias last; or back."""
    cdef Py_ssize_t n = weights.shape[0], k, c, at
    for k in range(n):
        for c in range(weights.shape[1]):
            at = c * size + (n - 1 if k < bias else k - bias)
            if there:
                w[at] = weights[k, c]
            else:
                weights[k, c] = w[at]


cdef real dot(const real *a, const real *b, Py_ssize_t n) noexcept nogil:
    cdef vec s0 = vsplat(0), s1 = vsplat(0)
    cdef Py_ssize_t k = 0
    cdef real total = 0
    while k + WIDTH <= n:
        s0 = vmuladd(vload_unaligned(a + k), vload_unaligned(b + k), s0)
        s1 = vmuladd(vload_unaligned(a + k + LANES), vload_unaligned(b + k + LANES), s1)
        k += WIDTH
    if k > 0:
        total = vsum(vadd(s0, s1))
    while k < n:
        total += a[k] * b[k]
        k += 1
    return total


cdef void add_scaled(real factor, const real *a, real *b, Py_ssize_t n) noexcept nogil:
    """b += factor a."""
    cdef Py_ssize_t k = 0
    while k + LANES <= n:
        vstore_unaligned(b + k, vfma(factor, vload_unaligned(a + k), vload_unaligned(b + k)))
        k += LANES
    while k < n:
        b[k] += factor * a[k]
        k += 1


cdef inline Py_ssize_t column(const Inputs *X, Py_ssize_t k) noexcept nogil:
    return X.columns[k] if X.short_columns == NULL else X.short_columns[k]


cdef real compressed_dot(const Inputs *X, Py_ssize_t i, const real *w) noexcept nogil:
    """Return w x for row i."""
    cdef Py_ssize_t k = X.starts[i], end = X.starts[i + 1]
    cdef real s0 = 0, s1 = 0
    while k + 2 <= end:
        s0 += X.reals[k] * w[column(X, k)]
        s1 += X.reals[k + 1] * w[column(X, k + 1)]
        k += 2
    if k < end:
        s0 += X.reals[k] * w[column(X, k)]
    return s0 + s1


cdef void add_compressed(real factor, const Inputs *X, Py_ssize_t i, real *w) noexcept nogil:
    """w += factor x for row i."""
    cdef Py_ssize_t k
    for k in range(X.starts[i], X.starts[i + 1]):
        w[column(X, k)] += factor * X.reals[k]


cdef Py_ssize_t delta_rule_epoch(
    const Inputs *X, Py_ssize_t d, Py_ssize_t n, const real *targets, Py_ssize_t n_outputs,
    Py_ssize_t size, real *weights, real *change, Py_ssize_t bias, double rate, bint use_sign,
    const int64_t *order, const real *sample_weights, double total, double *loss,
) noexcept nogil:
    """Make one epoch of w += rate (t - y) x (1.2); return the number of wrong samples.

    The weights are (n_outputs, size); without an `order`, all samples make one step.
    """
    cdef Py_ssize_t q, i, c, n_mistakes = 0
    cdef bint online = order != NULL, wrong
    cdef real z, y, error, factor, weight = 1
    cdef real *w
    cdef real *changed = weights if online else change
    cdef double loss_sum = 0, not_finite = 0
    if not online:
        for c in range(n_outputs * size):
            change[c] = 0
    for q in range(n):
        i = order[q] if online else q
        wrong = False
        if sample_weights != NULL:
            weight = sample_weights[i]
        for c in range(n_outputs):
            w = weights + c * size
            z = dot(X.reals + i * d, w, d) if X.starts == NULL else compressed_dot(X, i, w)
            if bias:
                z += w[d]
            not_finite += z - z  # NaN, where z is infinite
            y = (z > 0) - (z < 0) if use_sign else z
            error = targets[i * n_outputs + c] - y
            if error != 0:
                wrong = True
                # A wrong sign's loss -t z is |z|.
                loss_sum += weight * (fabs(z) if use_sign else <double>error * error)
                factor = <real>(rate * (error * weight)) if online else error * weight
                w = changed + c * size
                if X.starts == NULL:
                    add_scaled(factor, X.reals + i * d, w, d)
                else:
                    add_compressed(factor, X, i, w)
                if bias:
                    w[d] += factor
        n_mistakes += wrong
    if not online:
        add_scaled(<real>(rate / total), change, weights, n_outputs * size)
    loss[0] = loss_sum / (total if use_sign else 2 * total) + not_finite
    return n_mistakes
