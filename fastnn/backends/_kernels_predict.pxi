"""Outputs for a few samples, straight from the flat parameters: packing them takes longer."""


def predict_few(
    const int64_t[::1] sizes, const int64_t[::1] activations, const real[::1] params,
    const real[:, ::1] X, const uint8_t[:, ::1] X_bytes, double scale, real[::1] scratch,
    real[:, ::1] outputs,
):
    """Write the network's outputs; `scratch` is aligned and holds 3 layers of padded size."""
    cdef Py_ssize_t i, k, l, n_layers = activations.shape[0], size = scratch.shape[0] // 3
    cdef real *y
    cdef real *below
    cdef real *slopes = &scratch[2 * size]
    with nogil:
        for i in range(outputs.shape[0]):
            below, y = &scratch[0], &scratch[size]
            for k in range(sizes[0]):
                below[k] = <real>((X[i, k] if X.shape[0] else X_bytes[i, k]) * scale)
            k = 0
            for l in range(n_layers):
                multiply_row(below, sizes[l], &params[k], sizes[l + 1], y)
                k += (sizes[l] + 1) * sizes[l + 1]
                if activations[l] == SOFTMAX:
                    softmax(y, sizes[l + 1])
                else:
                    activate(<int>activations[l], y, slopes,
                             (sizes[l + 1] + LANES - 1) // LANES * LANES)
                below, y = y, below
            for k in range(sizes[n_layers]):
                outputs[i, k] = below[k]


cdef void multiply_row(
    const real *x, Py_ssize_t n, const real *w, Py_ssize_t n_out, real *y
) noexcept nogil:
    """y = x w + b for weights (n, n_out), the bias after them; zeros are skipped."""
    cdef Py_ssize_t k
    for k in range(n_out):
        y[k] = w[n * n_out + k]
    for k in range(n):
        if x[k] != 0:
            add_scaled(x[k], w + k * n_out, y, n_out)


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
