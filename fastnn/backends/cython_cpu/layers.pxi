"""What a layer does with a batch: activation, dropout, loss, deltas, update.

B is the batch size, W the panel width, T the number of threads; n_in and n_out are a layer's.

    inputs, outputs, slopes, deltas   panels of (B, W)
    weights                           panels of (n_in + 1, W), the bias last
    transposed                        panels, of n_in, of (n_out, W)
"""

# --- activations, dropout, loss ----------------------------------------------------------------


cdef void activate_layer(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t i, Py_ssize_t end
) noexcept nogil:
    """Apply the activation to samples i to end of panel p.

    Columns that fill less than half a vector are packed together first: exponentials are what a
    small network spends its time on, and 2-10-1 needs 6 vectors of them instead of 16.
    """
    cdef Py_ssize_t at = p * task.batch * WIDTH, q, j, r, n = 0
    cdef Py_ssize_t used = layer.n_out - p * WIDTH
    cdef Py_ssize_t whole = used // LANES * LANES
    cdef Py_ssize_t rest = used - whole
    cdef real *y = layer.outputs + at
    cdef real *slope = layer.slopes + at
    cdef real *packed = task.packed
    cdef int code = layer.activation
    cdef real a = layer.parameter
    if 2 * rest > LANES:
        whole, rest = whole + LANES, 0
    if whole >= WIDTH:
        activate_all(code, a, y + i * WIDTH, slope + i * WIDTH, (end - i) * WIDTH)
        return
    if whole:
        for q in range(i, end):
            activate_all(code, a, y + q * WIDTH, slope + q * WIDTH, LANES)
    if rest == 0:
        return
    for q in range(i, end):
        for j in range(whole, used):
            packed[n] = y[q * WIDTH + j]
            n += 1
    r = (n + LANES - 1) // LANES * LANES
    activate_all(code, a, packed, packed + r, r)
    n = 0
    for q in range(i, end):
        for j in range(whole, used):
            y[q * WIDTH + j] = packed[n]
            slope[q * WIDTH + j] = packed[r + n]
            n += 1


cdef void activate_all(int code, real a, real *y, real *slope, Py_ssize_t n) noexcept nogil:
    """Replace n pre-activations z by f(z), and store f'(z); n is a multiple of LANES."""
    cdef Py_ssize_t q
    cdef vec derivative, parameter = vsplat(a)
    for q from 0 <= q < n by LANES:
        vstore(y + q, activate(code, parameter, vload(y + q), &derivative))
        vstore(slope + q, derivative)


cdef void drop_panel(
    Task *task, Layer *layer, Py_ssize_t index, Py_ssize_t p, Py_ssize_t i, Py_ssize_t end
) noexcept nogil:
    """Multiply outputs and slopes of samples i to end by 0 or 1 / (1 - rate) (inverted dropout)."""
    cdef uint32_t random[WIDTH]
    cdef real keep = <real>(1 / (1 - layer.drop_limit / 4294967296.0)), factor
    cdef real *y
    cdef real *slope
    cdef Py_ssize_t j
    cdef uint32_t limit = layer.drop_limit
    while i < end:
        philox_blocks(
            <uint32_t>(p * BLOCKS), task.first_row + <uint32_t>i, task.step,
            <uint32_t>(STREAM_DROPOUT << 16 | index), task.seed_low, task.seed_high, random,
        )
        y = layer.outputs + (p * task.batch + i) * WIDTH
        slope = layer.slopes + (p * task.batch + i) * WIDTH
        for j in range(WIDTH):
            factor = 0 if random[j] < limit else keep
            y[j] *= factor
            slope[j] *= factor
        i += 1


cdef inline Py_ssize_t offset_of(Task *task, Py_ssize_t i, Py_ssize_t c) noexcept nogil:
    """Return where a layer's outputs hold unit c of sample i."""
    return ((c // WIDTH) * task.batch + i) * WIDTH + c % WIDTH


cdef inline bint starts_from_z(int activation, int loss) noexcept nogil:
    """Say whether `loss_and_delta` takes an output layer's pre-activations, not its outputs."""
    return (
        activation == SOFTMAX or loss == BINARY_CROSSENTROPY
        or (loss == POISSON and activation == EXPONENTIAL))


cdef void finish_sample(
    Task *task, Layer *layer, Py_ssize_t i, bint from_z
) noexcept nogil:
    """Store loss and deltas of one sample; see `loss_and_delta`."""
    cdef Py_ssize_t sample = sample_of(task, i)
    cdef const real *t = NULL
    cdef double weight = 1, loss
    if task.targets != NULL:
        t = task.targets + sample * task.n_targets
    if task.sample_weights != NULL:
        weight = task.sample_weights[sample]
    loss = loss_and_delta(task, layer, i, t, weight / task.size, from_z)
    if t != NULL:
        task.losses[i] = weight * loss


# --- the steps of a batch ----------------------------------------------------------------------


cdef Share share_of(Py_ssize_t panels, Py_ssize_t rows, Task *task) noexcept nogil:
    """Return this thread's panels and all rows, or, where panels are few, all panels and rows."""
    cdef int64_t t = task.thread, n = task.n_threads
    cdef Share share
    share.panel, share.panel_end, share.row, share.row_end = 0, panels, 0, rows
    if n == 1:  # divisions cost a small network more than its arithmetic
        return share
    if panels % n == 0 or panels >= 4 * n:
        share.panel, share.panel_end = panels * t // n, panels * (t + 1) // n
    else:
        share.row, share.row_end = rows * t // n, rows * (t + 1) // n
    return share


cdef void forward(Task *task, Py_ssize_t l, bint training) noexcept nogil:
    """Compute this thread's share of layer l's outputs (2.12) to (2.15)."""
    cdef Layer *layer = &task.layers[l]
    cdef bint is_last = l == task.n_layers, from_z
    cdef Py_ssize_t p, i, size = (layer.n_in + 1) * WIDTH, at
    cdef const real *w
    cdef Share share = share_of(layer.panels, task.rows, task)
    if is_last:  # whole samples, for the loss
        share.panel, share.panel_end = 0, layer.panels
        share.row = task.rows * task.thread // task.n_threads
        share.row_end = task.rows * (task.thread + 1) // task.n_threads
    from_z = is_last and starts_from_z(layer.activation, task.loss)
    for p in range(share.panel, share.panel_end):
        w = layer.weights + p * size
        at = p * task.batch * WIDTH
        if l == 1 and task.sparse:
            multiply_panel_sparse(task, share.row, share.row_end, w, w + size - WIDTH,
                                  layer.outputs + at, is_half(layer.n_out, p))
        else:
            multiply_panel(layer.inputs, task.batch, share.row, share.row_end, layer.used,
                           layer.n_used, w, w + size - WIDTH, layer.outputs + at,
                           is_half(layer.n_out, p))
        if not from_z:
            activate_layer(task, layer, p, share.row, share.row_end)
        if training and layer.drop_limit > 0:
            drop_panel(task, layer, l - 1, p, share.row, share.row_end)
    if is_last:
        for i in range(share.row, share.row_end):
            finish_sample(task, layer, i, from_z)


cdef void deltas_below(Task *task, Layer *layer) noexcept nogil:
    """Compute this thread's share of the deltas of the layer below (2.42), (2.43)."""
    cdef Share share = share_of(layer.panels_in, task.rows, task)
    cdef Py_ssize_t p, q, at
    for p in range(share.panel, share.panel_end):
        at = p * task.batch * WIDTH
        multiply_panel(layer.deltas, task.batch, share.row, share.row_end, task.in_order,
                       layer.n_out, layer.transposed + p * layer.n_out * WIDTH, task.zeros,
                       layer.deltas_below + at, is_half(layer.n_in, p))
        q = at + share.row * WIDTH
        while q < at + share.row_end * WIDTH:
            vstore(layer.deltas_below + q,
                   vmul(vload(layer.deltas_below + q), vload(layer.slopes_below + q)))
            q += LANES


cdef void update(Task *task, Py_ssize_t l, Step *now) noexcept nogil:
    """Update this thread's share of layer l's weights (2.39), (2.40), (2.44) to (2.46)."""
    cdef Layer *layer = &task.layers[l]
    cdef Share share = share_of(layer.panels, layer.n_in + 1, task)
    cdef Py_ssize_t p = share.panel
    cdef bint in_pairs = (
        l == 1 and task.sparse and not task.scattered and not is_online(task, now))
    while in_pairs and p + 2 <= share.panel_end and share.row_end - share.row > layer.n_in:
        update_two_panels(task, layer, p, now)
        p += 2
    for p in range(p, share.panel_end):
        if l == 1 and is_online(task, now):
            update_panel_online(task, layer, p, share.row, share.row_end, now)
        elif l == 1 and task.sparse:
            update_panel_sparse(task, layer, p, share.row, share.row_end, now)
        else:
            update_panel(task, layer, p, share.row, share.row_end, now)
        if l > 1:
            transpose_panel(layer, p, share.row, share.row_end)


cdef void limit_layer(Task *task, Py_ssize_t l, real max_norm) noexcept nogil:
    """Limit the norms of this thread's panels of layer l."""
    cdef Layer *layer = &task.layers[l]
    cdef Py_ssize_t p
    for p in range(layer.panels * task.thread // task.n_threads,
                   layer.panels * (task.thread + 1) // task.n_threads):
        limit_norms(layer, p, max_norm)
        if l > 1:
            transpose_panel(layer, p, 0, layer.n_in)
