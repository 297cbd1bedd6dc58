"""Outputs for a few samples, straight from the flat parameters: packing them takes longer."""


def predict_few(
    const int64_t[::1] sizes, const double[:, ::1] formulas, const real[::1] params, X,
    double scale, real[::1] scratch, real[:, ::1] outputs,
):
    """Write the network's outputs; `scratch` holds 3 layers of padded size, and a cache line.

    A row of `formulas` is a layer's activation, and its parameter.
    """
    cdef bint is_bytes = X.dtype == "uint8"
    cdef const real[:, ::1] reals = None if is_bytes else X
    cdef const uint8_t[:, ::1] bytes_ = X if is_bytes else None
    cdef Py_ssize_t line = 64 // sizeof(real)
    cdef Py_ssize_t i, k, l, n_layers = formulas.shape[0], size = (scratch.shape[0] - line) // 3
    cdef real *first = <real *>((<uintptr_t>&scratch[0] + 63) // 64 * 64)
    cdef real *y
    cdef real *below
    cdef real *slopes = first + 2 * size
    with nogil:
        for i in range(outputs.shape[0]):
            below, y = first, first + size
            for k in range(sizes[0]):
                below[k] = <real>((bytes_[i, k] if is_bytes else reals[i, k]) * scale)
            k = 0
            for l in range(n_layers):
                multiply_row(below, sizes[l], &params[k], sizes[l + 1], y)
                k += (sizes[l] + 1) * sizes[l + 1]
                if formulas[l, 0] == SOFTMAX:
                    softmax(y, sizes[l + 1])
                else:
                    activate_all(<int>formulas[l, 0], <real>formulas[l, 1], y, slopes,
                                 (sizes[l + 1] + LANES - 1) // LANES * LANES)
                below, y = y, below
            for k in range(sizes[n_layers]):
                outputs[i, k] = below[k]


cdef void multiply_row(
    const real *x, Py_ssize_t n, const real *w, Py_ssize_t n_out, real *y
) noexcept nogil:
    """y = x w + b for weights (n, n_out), the bias after them; zeros are skipped.

    Four rows at once keep four streams of weights coming from the cache: 1.2x for MNIST.
    """
    cdef Py_ssize_t k, i = 0, i0 = 0, i1 = 0, i2 = 0  # rows that wait, i of them
    for k in range(n_out):
        y[k] = w[n * n_out + k]
    for k in range(n):
        if x[k] == 0:
            continue
        if i == 3:
            add_four(x[i0], w + i0 * n_out, x[i1], w + i1 * n_out, x[i2], w + i2 * n_out,
                     x[k], w + k * n_out, y, n_out)
            i = 0
        else:
            i0, i1, i2 = i1, i2, k
            i += 1
    if i == 3:
        add_scaled(x[i0], w + i0 * n_out, y, n_out)
    if i >= 2:
        add_scaled(x[i1], w + i1 * n_out, y, n_out)
    if i >= 1:
        add_scaled(x[i2], w + i2 * n_out, y, n_out)


cdef void add_four(
    real x0, const real *w0, real x1, const real *w1, real x2, const real *w2,
    real x3, const real *w3, real *y, Py_ssize_t n
) noexcept nogil:
    """y += x0 w0 + x1 w1 + x2 w2 + x3 w3."""
    cdef Py_ssize_t k = 0
    cdef vec sums
    while k + LANES <= n:
        sums = vfma(x0, vload_unaligned(w0 + k), vload_unaligned(y + k))
        sums = vfma(x1, vload_unaligned(w1 + k), sums)
        sums = vfma(x2, vload_unaligned(w2 + k), sums)
        vstore_unaligned(y + k, vfma(x3, vload_unaligned(w3 + k), sums))
        k += LANES
    while k < n:
        y[k] += x0 * w0[k] + x1 * w1[k]
        y[k] += x2 * w2[k] + x3 * w3[k]
        k += 1


cdef void softmax(real *y, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef double largest = y[0], total = 0
    for k in range(1, n):
        if y[k] > largest:
            largest = y[k]
    for k in range(n):
        total += exp(y[k] - largest)
    for k in range(n):
        y[k] = <real>(exp(y[k] - largest) / total)
