"""Full-batch training of small networks on few samples, such as 2-10-1 on XOR.

The general kernels give each sample whole vectors of units, which leaves most lanes of a narrow
layer empty. Here the samples lie side by side: a layer's outputs are one row of numbers, `group`
samples of unit 0, then of unit 1, and so on. A weight is repeated for each sample of its group, so
forward pass, gradient and update are products of whole rows, and 2-10-1 in double precision
needs 6 vectors of exponentials an epoch: 0.19 microseconds, where the general kernels take 0.37.
"""


cdef struct SmallLayer:
    Py_ssize_t n_in, n_out, row_in, row  # lengths of rows: n_in and n_out groups, padded
    int activation
    bint is_full     # no padding
    real *weights    # (n_out, row_in), then the biases (row)
    real *moment_1   # as weights
    real *moment_2
    real *inputs     # (row_in)
    real *outputs    # (row), and so on
    real *slopes
    real *deltas
    real *mask       # 1 for a unit's sample, 0 for padding
    real *targets    # of the last layer, times mask
    real *place      # (LANES / group, LANES): 1 in the lanes of one group
    real *deltas_below
    real *slopes_below


cdef bint is_small(Task *task, const int64_t[:, ::1] order) noexcept nogil:
    """Say whether the fast path applies: one full batch of few samples, small layers, no dropout."""
    cdef Py_ssize_t l, rows = order.shape[1]
    if rows > task.batch or rows > LANES or order.shape[0] != 1 or task.n_threads != 1:
        return False
    if task.loss > SQUARED_ERROR or task.sparse:
        return False
    for l in range(1, task.n_layers + 1):
        if task.layers[l].activation == SOFTMAX or task.layers[l].drop_limit > 0:
            return False
        if task.layers[l].n_in > 64 or task.layers[l].n_out > 64:
            return False
    return True


cdef Py_ssize_t padded(Py_ssize_t n) noexcept nogil:
    return (n + LANES - 1) // LANES * LANES


cdef bint train_small(
    Task *task, Rates *now, int64_t step, const double[::1] rates,
    const int64_t[:, ::1] order, double[::1] loss_sums,
) noexcept nogil:
    """Train as `train` does; return False if there is no memory."""
    cdef Py_ssize_t l, i, k, epoch, size = 0, last = task.n_layers, rows = order.shape[1]
    cdef int group = 1
    cdef SmallLayer *layers
    cdef real *memory
    while group < rows:
        group *= 2
    size = LANES // group * LANES + 3 * padded(task.layers[1].n_in * group)
    for l in range(1, last + 1):
        k = padded(task.layers[l].n_out * group)
        size += 3 * (task.layers[l].n_out * padded(task.layers[l].n_in * group) + k) + 5 * k
    layers = <SmallLayer *>malloc((last + 1) * sizeof(SmallLayer))
    memory = <real *>allocate_vectors(size * sizeof(real))
    if layers == NULL or memory == NULL:
        free(layers)
        release_vectors(memory)
        return False
    for k in range(size):
        memory[k] = 0
    lay_out(task, layers, memory, group, rows)
    task.samples = &order[0, 0]
    for i in range(rows):
        for k in range(task.n_targets):
            layers[last].targets[k * group + i] = (
                task.targets[task.samples[i] * task.n_targets + k])
        for k in range(layers[1].n_in):
            if task.X_bytes == NULL:
                layers[1].inputs[k * group + i] = (
                    task.X[task.samples[i] * task.n_features + k] * task.scale)
            else:
                layers[1].inputs[k * group + i] = (
                    task.X_bytes[task.samples[i] * task.n_features + k] * task.scale)
    copy_small(task, layers, group, False)
    now.decay = <real>(rates[ALPHA] / rows)
    for epoch in range(loss_sums.shape[0]):
        step += 1
        now.rate = rate_of_step(now, rates, step)
        for l in range(1, last + 1):
            forward_small(&layers[l], group)
        loss_sums[epoch] += output_small(&layers[last], 2 if task.loss == SQUARED_ERROR else 1, rows)
        for l in range(last, 0, -1):
            backward_small(&layers[l], group, now)
    copy_small(task, layers, group, True)
    free(layers)
    release_vectors(memory)
    return True


cdef void lay_out(
    Task *task, SmallLayer *layers, real *memory, int group, Py_ssize_t rows
) noexcept nogil:
    """Give each layer its place in memory, and its mask; layer 0 holds the inputs."""
    cdef Py_ssize_t l, i, k, row, weights
    cdef SmallLayer *layer
    cdef real *place = memory
    for i in range(LANES):
        place[i // group * LANES + i] = 1
    memory += LANES // group * LANES
    for l in range(task.n_layers + 1):
        layer = &layers[l]
        layer.n_out = task.layers[l].n_out if l else task.layers[1].n_in
        layer.row = padded(layer.n_out * group)
        row, layer.place = layer.row, place
        layer.outputs, layer.slopes, layer.mask = memory, memory + row, memory + 2 * row
        memory += 3 * row
        if l == 0:
            continue
        layer.n_in, layer.row_in = layers[l - 1].n_out, layers[l - 1].row
        layer.activation = task.layers[l].activation
        layer.is_full = rows == group and layer.row == layer.n_out * group
        layer.inputs, layer.slopes_below = layers[l - 1].outputs, layers[l - 1].slopes
        layer.deltas_below = layers[l - 1].deltas if l > 1 else NULL
        layer.deltas, layer.targets = memory, memory + row
        memory += 2 * row
        weights = layer.n_out * layer.row_in + row
        layer.weights, layer.moment_1 = memory, memory + weights
        layer.moment_2 = memory + 2 * weights
        memory += 3 * weights
        for k in range(layer.n_out):
            for i in range(rows):
                layer.mask[k * group + i] = 1


cdef void copy_small(Task *task, SmallLayer *layers, int group, bint back) noexcept nogil:
    """Copy weights and moments from panels into rows, or back."""
    cdef Py_ssize_t l
    for l in range(1, task.n_layers + 1):
        copy_rows(&layers[l], task.layers[l].weights, layers[l].weights, group, back)
        if task.layers[l].moment_1 != NULL:
            copy_rows(&layers[l], task.layers[l].moment_1, layers[l].moment_1, group, back)
        if task.layers[l].moment_2 != NULL:
            copy_rows(&layers[l], task.layers[l].moment_2, layers[l].moment_2, group, back)


cdef void copy_rows(
    SmallLayer *layer, real *panels, real *rows, int group, bint back
) noexcept nogil:
    cdef Py_ssize_t j, k, i, at
    cdef real *first
    for j in range(layer.n_out):
        for k in range(layer.n_in + 1):
            at = ((j // WIDTH) * (layer.n_in + 1) + k) * WIDTH + j % WIDTH
            first = rows + j * layer.row_in + k * group
            if k == layer.n_in:
                first = rows + layer.n_out * layer.row_in + j * group
            if back:
                panels[at] = first[0]
            else:
                for i in range(group):
                    first[i] = panels[at]


cdef void forward_small(SmallLayer *layer, int group) noexcept nogil:
    """Compute a layer's outputs and slopes (2.12) to (2.15)."""
    cdef Py_ssize_t j = 0, q, v, u, n
    cdef const real *w = layer.weights
    cdef const real *bias = layer.weights + layer.n_out * layer.row_in
    cdef vec z, row, mask
    for v in range(layer.row // LANES):
        row = vload(bias + v * LANES)
        n = LANES // group if layer.n_out - j > LANES // group else layer.n_out - j
        for u in range(n):
            z = vmul(vload(layer.inputs), vload(w))
            for q in range(1, layer.row_in // LANES):
                z = vmuladd(vload(layer.inputs + q * LANES), vload(w + q * LANES), z)
            # Every group holds the sum: take it for the group of unit j.
            row = vmuladd(vsum_across(z, group), vload(layer.place + u * LANES), row)
            w += layer.row_in
        j += n
        vstore(layer.outputs + v * LANES, row)
    activate(layer.activation, layer.outputs, layer.slopes, layer.row)
    if layer.is_full:
        return
    for v in range(layer.row // LANES):
        q = v * LANES
        mask = vload(layer.mask + q)
        vstore(layer.outputs + q, vmul(vload(layer.outputs + q), mask))
        vstore(layer.slopes + q, vmul(vload(layer.slopes + q), mask))


cdef double output_small(SmallLayer *layer, real factor, Py_ssize_t rows) noexcept nogil:
    """Store the output layer's deltas (2.41); return the summed loss."""
    cdef Py_ssize_t q, v
    cdef vec e, squares = vsplat(0), scale = vsplat(factor / rows)
    for v in range(layer.row // LANES):
        q = v * LANES
        e = vsub(vload(layer.outputs + q), vload(layer.targets + q))
        squares = vmuladd(e, e, squares)
        vstore(layer.deltas + q, vmul(vmul(e, scale), vload(layer.slopes + q)))
    return factor / 2 * vsum(squares)


cdef void backward_small(SmallLayer *layer, int group, Rates *rates) noexcept nogil:
    """Compute the deltas below (2.42) and update weights and biases, one row after the other."""
    cdef Py_ssize_t j, q, v, u = 0, at = 0, bias = layer.n_out * layer.row_in, d = 0
    cdef vec delta, below, g
    cdef bint is_plain = rates.optimizer == SGD and rates.decay == 0
    cdef bint has_below = layer.deltas_below != NULL
    for j in range(layer.n_out):
        delta = vmul(vload(layer.deltas + d), vload(layer.place + u * LANES))
        delta = vsum_across(delta, group)  # this unit's delta, in every group
        u += 1
        if u * group == LANES:
            u = 0
            d += LANES
        for v in range(layer.row_in // LANES):
            q = v * LANES
            if has_below:
                below = vmul(delta, vload(layer.weights + at))
                if j:
                    below = vadd(below, vload(layer.deltas_below + q))
                if j == layer.n_out - 1:
                    below = vmul(below, vload(layer.slopes_below + q))
                vstore(layer.deltas_below + q, below)
            g = vsum_within(vmul(delta, vload(layer.inputs + q)), group)
            if is_plain:  # asked once, not for each vector
                vstore(layer.weights + at, vfma(-rates.rate, g, vload(layer.weights + at)))
            else:
                descend(layer.weights + at, layer.moment_1 + at, layer.moment_2 + at, g,
                        rates.decay, rates)
            at += LANES
    for v in range(layer.row // LANES):
        q = v * LANES
        at = bias + q
        descend(layer.weights + at, layer.moment_1 + at, layer.moment_2 + at,
                vsum_within(vload(layer.deltas + q), group), 0, rates)
