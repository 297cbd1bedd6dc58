"""Products of panels: where a forward pass spends its time.

Shapes as in layers.pxi; a panel of weights is (n, W), of inputs or outputs (B, W).
"""

cdef inline bint is_half(Py_ssize_t n, Py_ssize_t p) noexcept nogil:
    """Say whether the second vectors of panel p hold none of n columns."""
    return n <= p * WIDTH + LANES


cdef inline Py_ssize_t column_of(size_t k, Py_ssize_t batch) noexcept nogil:
    """Return where column k of panels of `batch` rows begins."""
    return (k // WIDTH) * WIDTH * batch + k % WIDTH


cdef void multiply_panel(
    const real *a, Py_ssize_t batch, Py_ssize_t i, Py_ssize_t end, const int32_t *used,
    Py_ssize_t n, const real *w, const real *bias, real *out, bint half,
) noexcept nogil:
    """out[i:end] = bias + a[i:end] w for one panel w, of whose rows n are `used`.

    `a` is in panels of `batch` rows. Of a panel that is `half` full, the rest is left out.
    """
    if half:  # known to the compiler, it is no branch
        multiply_tiles(a, batch, i, end, used, n, w, bias, out, True)
    else:
        multiply_tiles(a, batch, i, end, used, n, w, bias, out, False)


cdef inline void multiply_tiles(
    const real *a, Py_ssize_t batch, Py_ssize_t i, Py_ssize_t end, const int32_t *used,
    Py_ssize_t n, const real *w, const real *bias, real *out, bint half,
) noexcept nogil:
    """Do the work of `multiply_panel`.

    Tiles of 4 samples by 2 vectors stay in 8 registers: each load of a weight serves 4 samples.
    """
    cdef Py_ssize_t q
    cdef const real *x
    cdef const real *wk
    cdef real *y
    cdef vec w0, w1, b0 = vload(bias), b1 = vload(bias + LANES)
    cdef vec s00, s01, s10, s11, s20, s21, s30, s31
    while i + 4 <= end:
        s00 = s10 = s20 = s30 = b0
        s01 = s11 = s21 = s31 = b1
        for q in range(n):
            x = a + i * WIDTH + column_of(used[q], batch)
            wk = w + <Py_ssize_t>used[q] * WIDTH
            w0 = vload(wk)
            s00, s10 = vfma(x[0], w0, s00), vfma(x[WIDTH], w0, s10)
            s20, s30 = vfma(x[2 * WIDTH], w0, s20), vfma(x[3 * WIDTH], w0, s30)
            if not half:
                w1 = vload(wk + LANES)
                s01, s11 = vfma(x[0], w1, s01), vfma(x[WIDTH], w1, s11)
                s21, s31 = vfma(x[2 * WIDTH], w1, s21), vfma(x[3 * WIDTH], w1, s31)
        y = out + i * WIDTH
        vstore(y, s00)
        vstore(y + WIDTH, s10)
        vstore(y + 2 * WIDTH, s20)
        vstore(y + 3 * WIDTH, s30)
        if not half:
            vstore(y + LANES, s01)
            vstore(y + WIDTH + LANES, s11)
            vstore(y + 2 * WIDTH + LANES, s21)
            vstore(y + 3 * WIDTH + LANES, s31)
        i += 4
    while i < end:
        s00, s01 = b0, b1
        for q in range(n):
            x = a + i * WIDTH + column_of(used[q], batch)
            wk = w + <Py_ssize_t>used[q] * WIDTH
            s00 = vfma(x[0], vload(wk), s00)
            if not half:
                s01 = vfma(x[0], vload(wk + LANES), s01)
        vstore(out + i * WIDTH, s00)
        if not half:
            vstore(out + i * WIDTH + LANES, s01)
        i += 1


cdef void multiply_panel_sparse(
    Task *task, Py_ssize_t i, Py_ssize_t end, const real *w, const real *bias, real *out, bint half
) noexcept nogil:
    """The same for compressed inputs."""
    if half:
        multiply_lists(task, i, end, w, bias, out, True)
    else:
        multiply_lists(task, i, end, w, bias, out, False)


cdef inline void multiply_lists(
    Task *task, Py_ssize_t i, Py_ssize_t end, const real *w, const real *bias, real *out, bint half
) noexcept nogil:
    """Do the work of `multiply_panel_sparse`; four sums hide the adder's latency."""
    cdef int64_t q, last, T = task.n_threads
    cdef const int32_t *k = task.lists.column
    cdef const real *x = task.lists.value
    cdef const real *w0
    cdef const real *w1
    cdef const real *w2
    cdef const real *w3
    cdef vec s0, s1, r0, r1, t0, u0
    while i < end:
        q, last = task.lists.split[i * (T + 1)], task.lists.split[i * (T + 1) + T]
        s0, s1 = vload(bias), vload(bias + LANES)
        r0 = r1 = t0 = u0 = vsplat(0)
        while half and q + 4 <= last:
            w0, w1 = w + <Py_ssize_t>k[q] * WIDTH, w + <Py_ssize_t>k[q + 1] * WIDTH
            w2, w3 = w + <Py_ssize_t>k[q + 2] * WIDTH, w + <Py_ssize_t>k[q + 3] * WIDTH
            s0, r0 = vfma(x[q], vload(w0), s0), vfma(x[q + 1], vload(w1), r0)
            t0, u0 = vfma(x[q + 2], vload(w2), t0), vfma(x[q + 3], vload(w3), u0)
            q += 4
        while q + 2 <= last:
            w0, w1 = w + <Py_ssize_t>k[q] * WIDTH, w + <Py_ssize_t>k[q + 1] * WIDTH
            s0, r0 = vfma(x[q], vload(w0), s0), vfma(x[q + 1], vload(w1), r0)
            if not half:
                s1 = vfma(x[q], vload(w0 + LANES), s1)
                r1 = vfma(x[q + 1], vload(w1 + LANES), r1)
            q += 2
        if q < last:
            w0 = w + <Py_ssize_t>k[q] * WIDTH
            s0 = vfma(x[q], vload(w0), s0)
            if not half:
                s1 = vfma(x[q], vload(w0 + LANES), s1)
        vstore(out + i * WIDTH, vadd(vadd(s0, t0), vadd(r0, u0)))
        if not half:
            vstore(out + i * WIDTH + LANES, vadd(s1, r1))
        i += 1
