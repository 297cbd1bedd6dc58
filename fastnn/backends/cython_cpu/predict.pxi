"""Outputs for a few samples, straight from the flat parameters: packing them takes longer."""


def predict_few(
    const int64_t[::1] sizes, const double[:, ::1] formulas, const real[::1] params, X,
    double scale, real[:, ::1] outputs,
):
    """Write the network's outputs; a row of `formulas` is a layer's activation, and its parameter.
    """
    cdef bint is_bytes = X.itemsize == 1
    cdef const real[:, ::1] reals = None if is_bytes else X
    cdef const uint8_t[:, ::1] bytes_ = X if is_bytes else None
    cdef Py_ssize_t i, k, l, n_used, n_layers = formulas.shape[0], size = 0
    for k in range(sizes.shape[0]):
        size = max(size, sizes[k])
    size = (size + WIDTH - 1) // WIDTH * WIDTH
    cdef real *y = <real *>allocate_vectors(size * (3 * sizeof(real) + sizeof(int32_t)))
    cdef real *x = y + size  # the inputs of a layer that are not 0
    cdef real *slopes = x + size
    cdef int32_t *used = <int32_t *>(slopes + size)  # their places, ascending
    if y == NULL:
        raise MemoryError("no memory for the layers")
    with nogil:
        for i in range(outputs.shape[0]):
            if is_bytes:
                n_used = gather_bytes(&bytes_[i, 0], sizes[0], x, used)
            else:
                n_used = gather(&reals[i, 0], sizes[0], x, used)
            for k in range(n_used):
                x[k] = <real>(x[k] * scale)
            k = 0
            for l in range(n_layers):
                multiply_row(x, used, n_used, sizes[l], &params[k], sizes[l + 1], y)
                k += (sizes[l] + 1) * sizes[l + 1]
                if formulas[l, 0] == SOFTMAX:
                    softmax(y, sizes[l + 1])
                else:
                    activate_all(<int>formulas[l, 0], <real>formulas[l, 1], y, slopes,
                                 (sizes[l + 1] + LANES - 1) // LANES * LANES)
                if l + 1 < n_layers:
                    n_used = gather(y, sizes[l + 1], x, used)
            for k in range(sizes[n_layers]):
                outputs[i, k] = y[k]
    release_vectors(y)


cdef Py_ssize_t gather(
    const real *inputs, Py_ssize_t n, real *x, int32_t *used
) noexcept nogil:
    """List the inputs that are not 0, and their places; return how many there are."""
    cdef int64_t n_used = 0
    cdef Py_ssize_t k = compress_blocks(inputs, NULL, n, &n_used, n, x, NULL, NULL, used)
    for k in range(k, n):  # without a branch, that nobody could predict
        x[n_used], used[n_used] = inputs[k], <int32_t>k
        n_used += inputs[k] != 0
    return n_used


cdef Py_ssize_t gather_bytes(
    const uint8_t *inputs, Py_ssize_t n, real *x, int32_t *used
) noexcept nogil:
    """Do the same for bytes, of which eight zeros are passed over at once."""
    cdef int64_t n_used = 0
    cdef Py_ssize_t k = compress_blocks(NULL, inputs, n, &n_used, n, x, NULL, NULL, used), end
    cdef uint64_t eight
    while k < n:
        end = min(k + 8, n)
        if end == k + 8:
            memcpy(&eight, inputs + k, 8)
            k = end if eight == 0 else k
        while k < end:
            x[n_used], used[n_used] = <real>inputs[k], <int32_t>k
            n_used += inputs[k] != 0
            k += 1
    return n_used


cdef void multiply_row(
    const real *x, const int32_t *used, Py_ssize_t n_used, Py_ssize_t n, const real *w,
    Py_ssize_t n_out, real *y
) noexcept nogil:
    """y = x w + b for weights (n, n_out), the bias after them, and the inputs that are not 0.

    What y has beyond n_out, up to a whole vector, becomes anything.
    """
    cdef Py_ssize_t c = 0, k, r
    memcpy(y, w + n * n_out, n_out * sizeof(real))
    while c + 8 * LANES <= n_out:
        add_rows_8(x, used, n_used, w + c, n_out, y + c)
        c += 8 * LANES
    while c + LANES <= n_out:
        add_rows(x, used, n_used, w + c, n_out, y + c)
        c += LANES
    if c == n_out:
        return
    # A vector reads beyond its row: not in the last ones, beyond which there may be no memory.
    r = n_used
    while r > 0 and used[r - 1] * n_out + c + LANES > (n + 1) * n_out:
        r -= 1
        for k in range(c, n_out):
            y[k] += x[r] * w[used[r] * n_out + k]
    add_rows(x, used, r, w + c, n_out, y + c)


cdef void add_rows_8(
    const real *x, const int32_t *used, Py_ssize_t n_used, const real *w, Py_ssize_t n_out, real *y
) noexcept nogil:
    """Add rows of w times their inputs to eight vectors of y, which stay in registers."""
    cdef vec s0 = vload_unaligned(y), s1 = vload_unaligned(y + LANES)
    cdef vec s2 = vload_unaligned(y + 2 * LANES), s3 = vload_unaligned(y + 3 * LANES)
    cdef vec s4 = vload_unaligned(y + 4 * LANES), s5 = vload_unaligned(y + 5 * LANES)
    cdef vec s6 = vload_unaligned(y + 6 * LANES), s7 = vload_unaligned(y + 7 * LANES)
    cdef const real *row
    cdef Py_ssize_t r
    for r in range(n_used):
        row = w + used[r] * n_out
        s0 = vfma(x[r], vload_unaligned(row), s0)
        s1 = vfma(x[r], vload_unaligned(row + LANES), s1)
        s2 = vfma(x[r], vload_unaligned(row + 2 * LANES), s2)
        s3 = vfma(x[r], vload_unaligned(row + 3 * LANES), s3)
        s4 = vfma(x[r], vload_unaligned(row + 4 * LANES), s4)
        s5 = vfma(x[r], vload_unaligned(row + 5 * LANES), s5)
        s6 = vfma(x[r], vload_unaligned(row + 6 * LANES), s6)
        s7 = vfma(x[r], vload_unaligned(row + 7 * LANES), s7)
    vstore_unaligned(y, s0)
    vstore_unaligned(y + LANES, s1)
    vstore_unaligned(y + 2 * LANES, s2)
    vstore_unaligned(y + 3 * LANES, s3)
    vstore_unaligned(y + 4 * LANES, s4)
    vstore_unaligned(y + 5 * LANES, s5)
    vstore_unaligned(y + 6 * LANES, s6)
    vstore_unaligned(y + 7 * LANES, s7)


cdef void add_rows(
    const real *x, const int32_t *used, Py_ssize_t n_used, const real *w, Py_ssize_t n_out, real *y
) noexcept nogil:
    """Do the same to one vector."""
    cdef vec s = vload_unaligned(y)
    cdef Py_ssize_t r
    for r in range(n_used):
        s = vfma(x[r], vload_unaligned(w + used[r] * n_out), s)
    vstore_unaligned(y, s)


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
