"""Perceptron and linear network."""

cdef struct Rows:  # of X: all values, or those that are not 0 with their columns
    const real *values
    const int64_t *starts  # NULL: row i begins at i * n_columns
    const uint16_t *short_columns  # NULL: `columns` has them
    const int32_t *columns
    Py_ssize_t n_columns


def delta_rule(
    const real[::1] values, const uint16_t[::1] short_columns, const int32_t[::1] columns,
    const int64_t[::1] starts, Py_ssize_t n_columns,
    const real[:, ::1] targets, real[:, ::1] weights, real[:, ::1] change,
    double rate, bint use_sign, const int64_t[:, ::1] order, bint online,
    real[:, :, ::1] history, double[::1] losses, const real[::1] sample_weights, double total,
):
    """Run `perceptron_train` (use_sign) or `linear_train`; weights are (n_outputs, n_inputs).

    The rows of X are `compressed.CompressedRows`, with columns of either size; if there are no
    `starts`, all values row after row. `change` is scratch of the weights' shape; `total` is the
    sum of the `sample_weights`, the number of samples if these are None. Returns the epochs run.
    """
    cdef Py_ssize_t epoch, k, c, n_mistakes
    cdef const real *s = NULL
    cdef Rows X = Rows(&values[0], NULL, NULL, &columns[0], n_columns)
    if starts.shape[0]:
        X.starts = &starts[0]
    if short_columns.shape[0]:
        X.short_columns = &short_columns[0]
    if sample_weights is not None:
        s = &sample_weights[0]
    for epoch in range(losses.shape[0]):
        with nogil:
            n_mistakes = delta_rule_epoch(&X, targets, weights, change, rate, use_sign,
                                          order[epoch % order.shape[0]], online, s, total,
                                          &losses[epoch])
        if use_sign and n_mistakes == 0:
            return epoch
        if history.shape[0]:
            for k in range(weights.shape[1]):
                for c in range(weights.shape[0]):
                    history[epoch, k, c] = weights[c, k]
    return losses.shape[0]


cdef real dot(const real *a, const real *b, Py_ssize_t n) noexcept nogil:
    cdef vec s0 = vsplat(0), s1 = vsplat(0)
    cdef Py_ssize_t k = 0
    cdef real total
    while k + WIDTH <= n:
        s0 = vmuladd(vload_unaligned(a + k), vload_unaligned(b + k), s0)
        s1 = vmuladd(vload_unaligned(a + k + LANES), vload_unaligned(b + k + LANES), s1)
        k += WIDTH
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


cdef inline Py_ssize_t column(const Rows *X, Py_ssize_t k) noexcept nogil:
    return X.columns[k] if X.short_columns == NULL else X.short_columns[k]


cdef real row_dot(const Rows *X, Py_ssize_t i, const real *w) noexcept nogil:
    """Return w x for row i."""
    cdef Py_ssize_t k, end
    cdef real s0 = 0, s1 = 0
    if X.starts == NULL:
        return dot(X.values + i * X.n_columns, w, X.n_columns)
    k, end = X.starts[i], X.starts[i + 1]
    while k + 2 <= end:
        s0 += X.values[k] * w[column(X, k)]
        s1 += X.values[k + 1] * w[column(X, k + 1)]
        k += 2
    if k < end:
        s0 += X.values[k] * w[column(X, k)]
    return s0 + s1


cdef void add_row(real factor, const Rows *X, Py_ssize_t i, real *w) noexcept nogil:
    """w += factor x for row i."""
    cdef Py_ssize_t k
    if X.starts == NULL:
        add_scaled(factor, X.values + i * X.n_columns, w, X.n_columns)
        return
    for k in range(X.starts[i], X.starts[i + 1]):
        w[column(X, k)] += factor * X.values[k]


cdef Py_ssize_t delta_rule_epoch(
    const Rows *X, const real[:, ::1] targets, real[:, ::1] weights, real[:, ::1] change,
    double rate, bint use_sign, const int64_t[::1] order, bint online,
    const real *sample_weights, double total, double *loss,
) noexcept nogil:
    """Make one epoch of w += rate (t - y) x (1.2); return the number of wrong samples."""
    cdef Py_ssize_t n = targets.shape[0], q, i, c, n_mistakes = 0
    # 1 if the first weight is that of an input of 1
    cdef Py_ssize_t bias = weights.shape[1] - X.n_columns
    cdef bint wrong
    cdef real z, y, error, weight = 1
    cdef double loss_sum = 0, not_finite = 0
    if not online:
        change[:, :] = 0
    for q in range(n):
        i = order[q] if online else q
        wrong = False
        if sample_weights != NULL:
            weight = sample_weights[i]
        for c in range(weights.shape[0]):
            z = row_dot(X, i, &weights[c, bias])
            if bias:
                z += weights[c, 0]
            not_finite += z - z  # NaN, where z is infinite
            y = (z > 0) - (z < 0) if use_sign else z
            error = targets[i, c] - y
            if error != 0:
                wrong = True
                # A wrong sign's loss -t z is |z|.
                loss_sum += weight * (fabs(z) if use_sign else <double>error * error)
                error *= weight
                if online:
                    add_row(<real>(rate * error), X, i, &weights[c, bias])
                    if bias:
                        weights[c, 0] += <real>(rate * error)
                else:
                    add_row(error, X, i, &change[c, bias])
                    if bias:
                        change[c, 0] += error
        n_mistakes += wrong
    if not online:
        for c in range(weights.shape[0]):
            add_scaled(<real>(rate / total), &change[c, 0], &weights[c, 0], weights.shape[1])
    loss[0] = loss_sum / (total if use_sign else 2 * total) + not_finite
    return n_mistakes
