"""Activations, dropout and losses of networks side by side: see lanes.pxi for the shapes."""


cdef void activate_lanes(LaneLayer *layer, Py_ssize_t rows) noexcept nogil:
    """Replace z by f(z), and store f'(z): (2.13) to (2.15)."""
    # With the activation known, the compiler keeps all constants of its loop in registers.
    if layer.activation == SIGMOID:
        activate_units(layer, rows, SIGMOID)
    elif layer.activation == TANH:
        activate_units(layer, rows, TANH)
    else:
        activate_units(layer, rows, layer.activation)


cdef inline void activate_units(LaneLayer *layer, Py_ssize_t rows, int activation) noexcept nogil:
    """Do so for a known activation."""
    cdef Py_ssize_t i, j
    cdef real *y = layer.outputs
    cdef real *slope = layer.slopes
    cdef vec derivative, a = vload(layer.parameter)
    for i in range(rows):
        for j in range(layer.n_out):
            vstore(y, activate(activation, a, vload(y), &derivative))
            vstore(slope, derivative)
            y += LANES
            slope += LANES
        y += LANES  # the input of the bias


cdef void drop_lanes(Group *g, LaneLayer *layer, Py_ssize_t index) noexcept nogil:
    """Multiply outputs and slopes by 0 or 1 / (1 - rate), as `drop_panel` does."""
    cdef uint32_t random[WIDTH]
    cdef uint32_t limit, step, low, high
    cdef Py_ssize_t lane, i, j, c, n = layer.n_out
    cdef real keep, factor
    for lane in range(LANES):
        limit = <uint32_t>layer.drop_limits[lane]
        if limit == 0:
            continue
        keep = <real>(1 / (1 - limit / 4294967296.0))
        step = <uint32_t>(g.steps[lane] - 1)
        low = <uint32_t>g.seeds[lane]
        high = <uint32_t>(g.seeds[lane] >> 32)
        for i in range(g.rows):
            for j from 0 <= j < n by WIDTH:
                philox_blocks(<uint32_t>(j // 4), <uint32_t>i, step,
                              <uint32_t>(STREAM_DROPOUT << 16 | index), low, high, random)
                for c in range(j, min(j + WIDTH, n)):
                    factor = 0 if random[c - j] < limit else keep
                    layer.outputs[(i * (n + 1) + c) * LANES + lane] *= factor
                    layer.slopes[(i * n + c) * LANES + lane] *= factor


cdef void finish_lanes(Group *g, double *sums) noexcept nogil:
    """Compute losses and deltas of the output layer (2.41).

    The usual ones on vectors; the rest a network after the other, as `loss_and_delta` has it.
    """
    cdef LaneLayer *layer = &g.layers[g.n_layers]
    cdef bint is_softmax = layer.activation == SOFTMAX
    cdef Py_ssize_t i, lane
    cdef vec loss, count, share
    cdef real losses[LANES]
    for i in range(g.rows):
        count, share = vload(g.counts + i * LANES), vload(g.shares + i * LANES)
        if not is_softmax and (g.loss == HALF_SQUARED_ERROR or g.loss == SUM_SQUARED_ERROR):
            loss = squares_of(g, layer, i, share)
        elif is_softmax and (
            g.loss == CATEGORICAL_CROSSENTROPY or g.loss == SPARSE_CATEGORICAL_CROSSENTROPY
        ):
            loss = crossentropy_of(g, layer, i, share)
        elif g.loss == BINARY_CROSSENTROPY:
            loss = binary_crossentropy_of(g, layer, i, share)
        else:
            any_loss_of(g, layer, i, sums)
            continue
        vstore_unaligned(losses, vif_positive(count, vmul(count, loss), vsplat(0)))
        for lane in range(LANES):
            sums[lane] += losses[lane]


cdef inline void store_delta(real *delta, vec share, vec e, vec slope) noexcept nogil:
    """Store a delta; 0 where a sample does not count, whatever its error is."""
    vstore(delta, vif_positive(share, vmul(vmul(share, e), slope), vsplat(0)))


cdef inline vec squares_of(Group *g, LaneLayer *layer, Py_ssize_t i, vec share) noexcept nogil:
    """Return the squared error of sample i, and store its deltas."""
    cdef Py_ssize_t c, n = layer.n_out
    cdef const real *y = layer.outputs + i * (n + 1) * LANES
    cdef const real *t = g.batch_targets + i * n * LANES
    cdef real factor = 2 if g.loss == SUM_SQUARED_ERROR else 1
    cdef vec e, squares = vsplat(0), scale = vsplat(factor)
    for c in range(n):
        e = vsub(vload(y + c * LANES), vload(t + c * LANES))
        squares = vmuladd(e, e, squares)
        store_delta(layer.deltas + (i * n + c) * LANES, share,
                    vmul(scale, e), vload(layer.slopes + (i * n + c) * LANES))
    return vmul(vsplat(factor / 2), squares)


cdef inline vec crossentropy_of(
    Group *g, LaneLayer *layer, Py_ssize_t i, vec share
) noexcept nogil:
    """Return the cross-entropy of sample i after a softmax, and store its deltas."""
    cdef Py_ssize_t c, n = layer.n_out
    cdef real *z = layer.outputs + i * (n + 1) * LANES
    cdef real *power = layer.slopes + i * n * LANES
    cdef const real *t = g.batch_targets + i * g.n_targets * LANES
    cdef vec smoothing = vload(g.constants + (N_NUMBERS + g.n_layers) * LANES)
    cdef vec largest = vload(z), total = vsplat(0), rest = vsplat(0), loss = vsplat(0)
    cdef vec one = vsplat(1), spread = vdiv(smoothing, vsplat(n)), is_label, target, log_total, e
    cdef bint by_label = g.loss == SPARSE_CATEGORICAL_CROSSENTROPY
    for c in range(1, n):
        largest = vmax(largest, vload(z + c * LANES))
    for c in range(n):
        e = vexp_or_0(vsub(vload(z + c * LANES), largest))
        vstore(power + c * LANES, e)
        total = vadd(total, e)
        if by_label:
            rest = vadd(rest, vif_positive(where_label(t, c), vsplat(0), e))
    log_total = vadd(vlog(total), largest)
    for c in range(n):
        is_label = where_label(t, c) if by_label else vload(t + c * LANES)
        target = vmuladd(vsub(one, smoothing), is_label, spread)
        e = vmul(target, vsub(log_total, vload(z + c * LANES)))
        loss = vadd(loss, vif_positive(vabs(target), e, vsplat(0)))
        e = vdiv(vload(power + c * LANES), total)
        if by_label:  # as softmax_and_label has it, to the last bit
            target = vsub(vsub(smoothing, spread), vdiv(rest, total))
            e = vif_positive(is_label, target, vsub(e, spread))
        else:
            e = vsub(e, target)
        store_delta(layer.deltas + (i * n + c) * LANES, share, e, one)
    return loss


cdef inline vec where_label(const real *t, Py_ssize_t c) noexcept nogil:
    """Return 1 where the label is c, else 0."""
    cdef vec off = vabs(vsub(vload(t), vsplat(c)))
    return vif_positive(vsub(vsplat(<real>0.5), off), vsplat(1), vsplat(0))


cdef inline vec binary_crossentropy_of(
    Group *g, LaneLayer *layer, Py_ssize_t i, vec share
) noexcept nogil:
    """Return the binary cross-entropy of sample i after sigmoids, and store its deltas."""
    cdef Py_ssize_t c, n = layer.n_out
    cdef const real *z = layer.outputs + i * (n + 1) * LANES
    cdef const real *t = g.batch_targets + i * n * LANES
    cdef vec smoothing = vload(g.constants + (N_NUMBERS + g.n_layers) * LANES)
    cdef vec v, e, y, target, loss = vsplat(0), one = vsplat(1), half = vsplat(<real>0.5)
    for c in range(n):
        v = vload(z + c * LANES)
        e = vexp_or_0(vneg(vabs(v)))
        y = vdiv(vif_positive(v, one, e), vadd(one, e))
        target = vmuladd(vsub(one, smoothing), vload(t + c * LANES), vmul(smoothing, half))
        loss = vadd(loss, vadd(vsub(vmax(v, vsplat(0)), vmul(v, target)), vlog1p(e)))
        store_delta(layer.deltas + (i * n + c) * LANES, share, vsub(y, target), one)
    return loss


cdef void any_loss_of(Group *g, LaneLayer *layer, Py_ssize_t i, double *sums) noexcept nogil:
    """Add the losses of sample i in all lanes, and store the deltas: lanes as rows of panels."""
    cdef Task task
    cdef Layer panel
    cdef Py_ssize_t lane, c, at, n = layer.n_out
    cdef Py_ssize_t size = (n + WIDTH - 1) // WIDTH * WIDTH * LANES
    cdef bint from_z = starts_from_z(layer.activation, g.loss)
    cdef double count
    cdef int64_t sample
    task.batch, task.loss = LANES, g.loss
    panel.n_out, panel.activation = n, layer.activation
    panel.outputs, panel.slopes, panel.deltas = g.panel, g.panel + size, g.panel + 2 * size
    for lane in range(LANES):
        sample = g.chosen[i * LANES + lane]
        count = g.counts[i * LANES + lane]
        for c in range(n):
            at = offset_of(&task, lane, c)
            panel.outputs[at] = layer.outputs[(i * (n + 1) + c) * LANES + lane]
            panel.slopes[at] = layer.slopes[(i * n + c) * LANES + lane]
            panel.deltas[at] = 0
        if sample >= 0:
            task.loss_parameter = g.numbers[lane * g.n_numbers + N_NUMBERS + g.n_layers]
            sums[lane] += count * loss_and_delta(
                &task, &panel, lane, g.targets + sample * g.n_targets, g.shares[i * LANES + lane],
                from_z)
        for c in range(n):
            layer.deltas[(i * n + c) * LANES + lane] = panel.deltas[offset_of(&task, lane, c)]
