"""Updates of weights, from gradients in registers: where a training spends its time.

Shapes as in layers.pxi; a panel of weights is (n, W), of inputs or outputs (B, W).
"""


cdef inline void update_row(
    Layer *layer, Py_ssize_t at, vec g0, vec g1, bint penalized, bint half, Step *now
) noexcept nogil:
    """Update one row of a panel from its gradient."""
    cdef real *w = layer.weights + at
    cdef real *m = layer.moment_1 + at
    cdef real *v = layer.moment_2 + at
    optimizer_step(w, m, v, g0, penalized, now)
    if not half:
        optimizer_step(w + LANES, m + LANES, v + LANES, g1, penalized, now)


cdef void update_panel(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Step *step
) noexcept nogil:
    """Update the rows of panel p that are k to end of those `used`; row n_in is the bias."""
    cdef bint half = is_half(layer.n_out, p)
    if is_adam(step) and half:
        update_tiles(task, layer, p, k, end, True, known_adam(step[0]))
    elif is_adam(step):
        update_tiles(task, layer, p, k, end, False, known_adam(step[0]))
    elif half:
        update_tiles(task, layer, p, k, end, True, step[0])
    else:
        update_tiles(task, layer, p, k, end, False, step[0])


cdef inline void update_tiles(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, bint half, Step now
) noexcept nogil:
    """Do the work of `update_panel`; the gradient stays in registers, and so does `now`, a copy."""
    cdef Py_ssize_t i, first = p * (layer.n_in + 1) * WIDTH, batch = task.batch
    cdef Py_ssize_t rows = task.rows * WIDTH
    cdef const int32_t *used = layer.used
    cdef const real *d = layer.deltas + p * batch * WIDTH
    cdef const real *x0
    cdef const real *x1
    cdef const real *x2
    cdef const real *x3
    cdef vec d0, d1, g00, g01, g10, g11, g20, g21, g30, g31
    while k < end:
        x0 = layer.inputs + column_of(used[k], batch)
        g00 = g01 = g10 = g11 = g20 = g21 = g30 = g31 = vsplat(0)
        if k + 4 <= end and k + 4 <= layer.n_used:
            x1 = layer.inputs + column_of(used[k + 1], batch)
            x2 = layer.inputs + column_of(used[k + 2], batch)
            x3 = layer.inputs + column_of(used[k + 3], batch)
            for i from 0 <= i < rows by WIDTH:
                d0 = vload(d + i)
                g00, g10 = vfma(x0[i], d0, g00), vfma(x1[i], d0, g10)
                g20, g30 = vfma(x2[i], d0, g20), vfma(x3[i], d0, g30)
                if not half:
                    d1 = vload(d + i + LANES)
                    g01, g11 = vfma(x0[i], d1, g01), vfma(x1[i], d1, g11)
                    g21, g31 = vfma(x2[i], d1, g21), vfma(x3[i], d1, g31)
            update_row(layer, first + <Py_ssize_t>used[k] * WIDTH, g00, g01, True, half, &now)
            update_row(layer, first + <Py_ssize_t>used[k + 1] * WIDTH, g10, g11, True, half, &now)
            update_row(layer, first + <Py_ssize_t>used[k + 2] * WIDTH, g20, g21, True, half, &now)
            update_row(layer, first + <Py_ssize_t>used[k + 3] * WIDTH, g30, g31, True, half, &now)
            k += 4
            continue
        if k < layer.n_used:
            for i from 0 <= i < rows by WIDTH:
                g00 = vfma(x0[i], vload(d + i), g00)
                if not half:
                    g01 = vfma(x0[i], vload(d + i + LANES), g01)
        elif k == layer.n_in:
            for i from 0 <= i < rows by WIDTH:
                g00 = vadd(g00, vload(d + i))
                if not half:
                    g01 = vadd(g01, vload(d + i + LANES))
        update_row(layer, first + <Py_ssize_t>used[k] * WIDTH, g00, g01, k < layer.n_in, half, &now)
        k += 1


cdef void update_panel_sparse(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Step *step
) noexcept nogil:
    """The same for the first layer: only the samples that have input k contribute."""
    cdef Py_ssize_t last = end if end < layer.n_in else layer.n_in
    cdef bint half = is_half(layer.n_out, p)
    if task.scattered and p == 0 and layer.n_out <= LANES // 2:
        scatter_and_update(task, layer, p, k, last, LANES // 2, step)
    elif task.scattered and half:
        scatter_and_update(task, layer, p, k, last, LANES, step)
    elif task.scattered:
        scatter_and_update(task, layer, p, k, last, WIDTH, step)
    elif half:
        update_from_lists(task, layer, p, k, last, True, step[0])
    else:
        update_from_lists(task, layer, p, k, last, False, step[0])
    if end > layer.n_in:
        update_panel(task, layer, p, last, end, step)


cdef inline void scatter_and_update(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Py_ssize_t width,
    Step *step,
) noexcept nogil:
    """Do it by sums in task.gradient (n_in, width), of as many columns as may not be empty.

    So more of the sums stay in the nearest cache: 784-8-10 takes .51 us a sample, not .56, with
    sums of 8 columns instead of 16.
    """
    scatter(task, layer, p, k, end, width)
    if is_adam(step):
        update_from_sums(task, layer, p, k, end, width, known_adam(step[0]))
    else:
        update_from_sums(task, layer, p, k, end, width, step[0])


cdef inline vec load_sums(const real *g, Py_ssize_t width) noexcept nogil:
    """Return the first vector of a row of sums."""
    return vload_half(g) if width < LANES else vload(g)


cdef inline void store_sums(real *g, vec sums, Py_ssize_t width) noexcept nogil:
    if width < LANES:
        vstore_half(g, sums)
    else:
        vstore(g, sums)


cdef inline void scatter(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Py_ssize_t width
) noexcept nogil:
    """Add the gradient of the inputs k to end to the sums, sample by sample.

    Either `end` ends this thread's range of inputs, or all inputs are its own.
    """
    cdef Py_ssize_t i
    cdef int64_t q, T = task.n_threads
    cdef int64_t *split
    cdef const int32_t *column = task.lists.column
    cdef const real *x = task.lists.value
    cdef const real *d = layer.deltas + p * task.batch * WIDTH
    cdef real *sums = task.gradient
    cdef real *g
    cdef vec d0, d1
    cdef bint all_inputs = k == 0 and end == task.n_features
    for i in range(task.rows):
        split = task.lists.split + i * (T + 1)
        split += 0 if all_inputs else task.thread
        d0, d1 = vload(d + i * WIDTH), vload(d + i * WIDTH + LANES)
        for q in range(split[0], split[T if all_inputs else 1]):
            g = sums + <Py_ssize_t>column[q] * width
            store_sums(g, vfma(x[q], d0, load_sums(g, width)), width)
            if width == WIDTH:
                vstore(g + LANES, vfma(x[q], d1, vload(g + LANES)))


cdef inline void update_from_sums(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Py_ssize_t width,
    Step now,
) noexcept nogil:
    """Update the rows of inputs k to end from the sums, which are 0 again."""
    cdef Py_ssize_t at = (p * (layer.n_in + 1) + k) * WIDTH
    cdef real *g = task.gradient + k * width
    cdef vec g0, g1 = vsplat(0)
    cdef bint is_plain = is_plain_step(&now), half = width < WIDTH
    while k < end:
        g0 = load_sums(g, width)
        store_sums(g, vsplat(0), width)
        if not half:
            g1 = vload(g + LANES)
            vstore(g + LANES, vsplat(0))
        if is_plain:
            descend(layer.weights + at, g0, g1, half, now.size)
        else:
            update_row(layer, at, g0, g1, True, half, &now)
        g += width
        at += WIDTH
        k += 1


cdef inline void descend(real *w, vec g0, vec g1, bint half, vec rate) noexcept nogil:
    """Do what `update_row` does for a plain step, without asking which it is."""
    vstore(w, vmuladd(vneg(rate), g0, vload(w)))
    if not half:
        vstore(w + LANES, vmuladd(vneg(rate), g1, vload(w + LANES)))


cdef inline void update_from_lists(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, bint half, Step now
) noexcept nogil:
    """Update the rows of inputs k to end; the gradient of each stays in registers."""
    cdef Py_ssize_t at = p * (layer.n_in + 1) * WIDTH
    cdef int64_t q
    cdef const real *d = layer.deltas + p * task.batch * WIDTH
    cdef const real *di
    cdef Lists *lists = &task.lists
    cdef vec g0, g1
    cdef bint is_plain = is_plain_step(&now)
    while k < end:
        if lists.start[k] == lists.start[k + 1] and is_plain:
            k += 1
            continue
        g0 = g1 = vsplat(0)
        for q in range(lists.start[k], lists.start[k + 1]):
            di = d + <Py_ssize_t>lists.sample[q] * WIDTH
            g0 = vfma(lists.sample_value[q], vload(di), g0)
            if not half:
                g1 = vfma(lists.sample_value[q], vload(di + LANES), g1)
        update_row(layer, at + k * WIDTH, g0, g1, True, half, &now)
        k += 1


cdef void update_two_panels(Task *task, Layer *layer, Py_ssize_t p, Step *step) noexcept nogil:
    """Update panels p and p + 1 of compressed inputs, from the lists.

    The lists are short and of any length: to go through them takes as long as to add.
    """
    if is_half(layer.n_out, p + 1):
        update_both(task, layer, p, True, step[0])
    elif is_adam(step):
        update_both(task, layer, p, False, known_adam(step[0]))
    else:
        update_both(task, layer, p, False, step[0])
    update_panel(task, layer, p, layer.n_in, layer.n_in + 1, step)
    update_panel(task, layer, p + 1, layer.n_in, layer.n_in + 1, step)


cdef inline void update_both(
    Task *task, Layer *layer, Py_ssize_t p, bint half, Step now
) noexcept nogil:
    """Do it for all inputs; of panel p + 1 half may be empty."""
    cdef Py_ssize_t k, size = (layer.n_in + 1) * WIDTH, next_panel = task.batch * WIDTH
    cdef int64_t q
    cdef const real *d = layer.deltas + p * task.batch * WIDTH
    cdef const real *d0
    cdef const real *d1
    cdef Lists *lists = &task.lists
    cdef real x
    cdef vec g00, g01, g10, g11
    cdef bint is_plain = is_plain_step(&now)
    for k in range(layer.n_in):
        if lists.start[k] == lists.start[k + 1] and is_plain:
            continue
        g00 = g01 = g10 = g11 = vsplat(0)
        for q in range(lists.start[k], lists.start[k + 1]):
            x = lists.sample_value[q]
            d0 = d + <Py_ssize_t>lists.sample[q] * WIDTH
            d1 = d0 + next_panel
            g00, g01 = vfma(x, vload(d0), g00), vfma(x, vload(d0 + LANES), g01)
            g10 = vfma(x, vload(d1), g10)
            if not half:
                g11 = vfma(x, vload(d1 + LANES), g11)
        update_row(layer, p * size + k * WIDTH, g00, g01, True, False, &now)
        update_row(layer, (p + 1) * size + k * WIDTH, g10, g11, True, half, &now)


cdef void update_panel_online(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Step *now
) noexcept nogil:
    """The same for a batch of one sample under plain SGD: only its own inputs' rows change.

    Going through the sample's list, instead of all inputs, halves the time of online learning.
    """
    cdef Py_ssize_t j, first = p * (layer.n_in + 1) * WIDTH
    cdef int64_t q
    cdef const real *d = layer.deltas + p * task.batch * WIDTH
    cdef vec d0 = vmul(vneg(now.size), vload(d))
    cdef vec d1 = vmul(vneg(now.size), vload(d + LANES))
    cdef bint half = is_half(layer.n_out, p)
    cdef real *w
    for q in range(task.lists.split[0], task.lists.split[task.n_threads]):
        j = task.lists.column[q]
        if k <= j < end:
            w = layer.weights + first + j * WIDTH
            vstore(w, vfma(task.lists.value[q], d0, vload(w)))
            if not half:
                vstore(w + LANES, vfma(task.lists.value[q], d1, vload(w + LANES)))
    if end > layer.n_in:
        w = layer.weights + first + layer.n_in * WIDTH
        vstore(w, vadd(d0, vload(w)))
        if not half:
            vstore(w + LANES, vadd(d1, vload(w + LANES)))


cdef inline bint is_plain_step(Step *now) noexcept nogil:
    """Say whether a weight of gradient 0 stays as it is."""
    return now.optimizer == SGD and now.penalty == NO_PENALTY


cdef inline bint is_adam(Step *now) noexcept nogil:
    """Say whether `known_adam` is the same step."""
    return now.optimizer == ADAM and now.penalty == NO_PENALTY


cdef inline Step known_adam(Step now) noexcept nogil:
    """Return a step of Adam without penalty that the compiler knows to be one.

    Not to ask for each vector which step it is takes 4 % off 784-512-10.
    """
    now.optimizer, now.penalty = ADAM, NO_PENALTY
    return now


cdef inline bint is_online(Task *task, Step *now) noexcept nogil:
    return task.sparse and task.rows == 1 and is_plain_step(now)


cdef void transpose_panel(Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end) noexcept nogil:
    """Copy rows k to end of panel p of the weights into the transposed weights."""
    cdef Py_ssize_t c, first = p * WIDTH
    cdef Py_ssize_t n = layer.n_out - first if layer.n_out - first < WIDTH else WIDTH
    cdef const real *w
    cdef real *t
    if end > layer.n_in:
        end = layer.n_in
    while k < end:
        w = layer.weights + (p * (layer.n_in + 1) + k) * WIDTH
        t = layer.transposed + ((k // WIDTH) * layer.n_out + first) * WIDTH + k % WIDTH
        for c in range(n):
            t[c * WIDTH] = w[c]
        k += 1
