"""Full-batch training of small networks on few samples, such as 2-10-1 on XOR.

The general kernels give each sample whole vectors of units, which leaves most lanes of a narrow
layer empty. Here the samples lie side by side: a layer's outputs are one row of numbers, `group`
samples of unit 0, then of unit 1, and so on. A weight is repeated for each sample of its group, so
forward pass, gradient and update are products of whole rows, and 2-10-1 in double precision
needs 6 vectors of exponentials an epoch: 0.11 microseconds, where the general kernels take 0.37.

Each step waits for the one before, and a processor looks only some hundred instructions ahead: so
what is ready early comes early, and loops over vectors are short chains of which several overlap.
"""


cdef struct SmallLayer:
    Py_ssize_t n_in, n_out, row_in, row  # lengths of rows: n_in and n_out groups, padded
    Py_ssize_t by_input, by_unit, bias  # strides of the weights, and where the biases begin
    int activation
    real parameter   # of the activation
    bint is_full     # no padding
    real *weights    # (n_out, row_in), of the first layer (n_in, row); then the biases (row)
    real *moment_1   # as weights
    real *moment_2
    real *inputs     # (row_in), of the first layer (n_in, LANES): the samples over and over
    real *outputs    # (row), and so on
    real *slopes
    real *deltas
    real *mask       # 1 for a unit's sample, 0 for padding
    real *targets    # of the last layer, times mask
    real *lane_mask  # (LANES / group, LANES): 1 in the lanes of one group
    real *deltas_below
    real *slopes_below


cdef Py_ssize_t padded(Py_ssize_t n) noexcept nogil:
    return (n + LANES - 1) // LANES * LANES


def train_small(
    problem, samples, const int64_t[:, ::1] order, const double[::1] learning_rates,
    double[::1] losses, double[::1] loss_sums, Py_ssize_t thread,
):
    """Train as `train_thread` does, on one thread, what `panels.is_small` says."""
    cdef const int64_t[::1] settings = problem.settings
    cdef const double[::1] numbers = problem.numbers
    cdef Task *task = new_task(problem, samples, losses, thread, 1)
    cdef bint is_done
    cdef uint64_t before
    try:
        with nogil:
            before = flush_denormals()
            is_done = run_small(task, settings, numbers, order, learning_rates, loss_sums)
            restore_denormals(before)
    finally:
        free(task)
    if not is_done:
        raise MemoryError("no memory for the rows of a small network")


cdef bint run_small(
    Task *task, const int64_t[::1] settings, const double[::1] numbers,
    const int64_t[:, ::1] order, const double[::1] learning_rates, double[::1] loss_sums,
) noexcept nogil:
    """Train; return False if there is no memory."""
    cdef Py_ssize_t l, i, k, epoch, size, last = task.n_layers, rows = order.shape[1]
    cdef int group = 1
    cdef int64_t step = settings[STEP]
    cdef SmallLayer *layers
    cdef real *memory
    cdef Sizes sizes
    cdef Step now
    first_sizes(&sizes, <int>settings[OPTIMIZER], &numbers[0], step)
    first_step(&now, &sizes, &numbers[0])
    while group < rows:
        group *= 2
    layers = <SmallLayer *>malloc((last + 1) * sizeof(SmallLayer))
    if layers == NULL:
        return False
    size = lay_out(task, layers, NULL, group, rows)
    memory = <real *>allocate_vectors(size * sizeof(real))
    if memory == NULL:
        free(layers)
        return False
    for k in range(size):
        memory[k] = 0
    lay_out(task, layers, memory, group, rows)
    task.samples, task.rows = &order[0, 0], rows
    load_small(task, layers, group, rows)
    copy_small(task, layers, group, False)
    forward_first(layers[1])
    for epoch in range(loss_sums.shape[0]):
        if is_stopped(task.stop):
            break
        step += 1
        step_sizes(&sizes, &numbers[0], learning_rates[epoch], step)
        next_step(&now, &sizes, &numbers[0], rows)
        # With the group known, the compiler unrolls the sums over it.
        if group == 4 and is_plain_step(&now):
            loss_sums[epoch] += step_small(task, layers, 4, True, now)
        else:
            loss_sums[epoch] += step_small(task, layers, group, False, now)
    copy_small(task, layers, group, True)
    free(layers)
    release_vectors(memory)
    return True


cdef inline double step_small(
    Task *task, SmallLayer *layers, int group, bint is_plain, Step now
) noexcept nogil:
    """Make one step, by plain gradient descent if is_plain; return the summed loss.

    The first layer's pre-activations are there already: whoever has changed its weights computes
    the next ones with them.
    """
    cdef Py_ssize_t l, last = task.n_layers
    cdef double loss
    if last > 1:
        activate_small(layers[1])
    for l in range(2, last):
        forward_small(layers[l], group)
        activate_small(layers[l])
    # With the activation known, the compiler keeps all constants of a loop in registers.
    if is_plain and layers[last].activation == SIGMOID:
        loss = output_small(layers[last], task, SIGMOID, group)
    else:
        loss = output_small(layers[last], task, layers[last].activation, group)
    for l in range(last, 1, -1):
        backward_small(layers[l], group, is_plain, now)
    backward_first(layers[1], group, is_plain, now)
    return loss


cdef Py_ssize_t lay_out(
    Task *task, SmallLayer *layers, real *memory, int group, Py_ssize_t rows
) noexcept nogil:
    """Lay the layers out in memory; return how many reals they need together."""
    cdef Py_ssize_t l, row, n_weights
    cdef SmallLayer *layer
    cdef real *free_from = memory + task.layers[1].n_in * LANES
    for l in range(1, task.n_layers + 1):
        layer = &layers[l]
        layer.n_in, layer.n_out = task.layers[l].n_in, task.layers[l].n_out
        row = padded(layer.n_out * group)
        layer.row, layer.row_in = row, padded(layer.n_in * group)
        layer.activation, layer.parameter = task.layers[l].activation, task.layers[l].parameter
        layer.is_full = rows == group and row == layer.n_out * group
        layer.outputs, layer.slopes, layer.deltas = free_from, free_from + row, free_from + 2 * row
        layer.mask, layer.targets = free_from + 3 * row, free_from + 4 * row
        free_from += 5 * row
        if l == 1:
            layer.by_input, layer.by_unit, layer.bias = row, group, layer.n_in * row
            layer.inputs = memory
        else:
            layer.by_input, layer.by_unit = group, layer.row_in
            layer.bias = layer.n_out * layer.row_in
            layer.inputs, layer.slopes_below = layers[l - 1].outputs, layers[l - 1].slopes
            layer.deltas_below = layers[l - 1].deltas
        n_weights = layer.bias + row
        layer.weights, layer.moment_1 = free_from, free_from + n_weights
        layer.moment_2 = free_from + 2 * n_weights
        free_from += 3 * n_weights
        layer.lane_mask = free_from
    return free_from + LANES // group * LANES - memory


cdef void load_small(Task *task, SmallLayer *layers, int group, Py_ssize_t rows) noexcept nogil:
    """Fill in inputs, targets, masks."""
    cdef Py_ssize_t i, k, l, at
    cdef real x
    for l in range(1, task.n_layers + 1):
        layers[l].lane_mask = layers[task.n_layers].lane_mask
        for i in range(rows):
            for k in range(layers[l].n_out):
                layers[l].mask[k * group + i] = 1
    for i in range(LANES):
        layers[1].lane_mask[i // group * LANES + i] = 1
    for i in range(rows):
        for k in range(task.n_targets):
            layers[task.n_layers].targets[k * group + i] = (
                task.targets[task.samples[i] * task.n_targets + k])
        for k in range(task.n_features):
            at = task.samples[i] * task.n_features + k
            x = task.inputs.reals[at] if task.inputs.bytes == NULL else task.inputs.bytes[at]
            for l from i <= l < LANES by group:
                layers[1].inputs[k * LANES + l] = x * task.scale


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
            first = rows + j * layer.by_unit + k * layer.by_input
            if k == layer.n_in:
                first = rows + layer.bias + j * group
            if back:
                panels[at] = first[0]
            else:
                for i in range(group):
                    first[i] = panels[at]


cdef void forward_first(SmallLayer layer) noexcept nogil:
    """Compute the first layer's pre-activations (2.12), all units side by side."""
    cdef Py_ssize_t q, k
    cdef vec z
    for q from 0 <= q < layer.row by LANES:
        z = vload(layer.weights + layer.bias + q)
        for k in range(layer.n_in):
            z = vmuladd(
                vload(layer.inputs + k * LANES), vload(layer.weights + k * layer.row + q), z)
        vstore(layer.outputs + q, z)


cdef inline void forward_small(SmallLayer layer, int group) noexcept nogil:
    """Compute a layer's pre-activations."""
    cdef Py_ssize_t v
    for v in range(layer.row // LANES):
        vstore(layer.outputs + v * LANES, weighted_sums(layer, v, group))


cdef inline vec weighted_sums(SmallLayer layer, Py_ssize_t v, int group) noexcept nogil:
    """Return vector v of a layer's pre-activations, computed a unit after the other."""
    cdef Py_ssize_t q, u, row_in = layer.row_in
    cdef const real *w = layer.weights + v * (LANES // group) * row_in
    cdef vec z, row = vload(layer.weights + layer.bias + v * LANES)
    for u in range(units_of(layer, v, group)):
        z = vmul(vload(layer.inputs), vload(w))
        for q from LANES <= q < row_in by LANES:
            z = vmuladd(vload(layer.inputs + q), vload(w + q), z)
        # Every group holds the sum: take it for the group of unit u.
        row = vmuladd(vsum_across(z, group), vload(layer.lane_mask + u * LANES), row)
        w += row_in
    return row


cdef inline Py_ssize_t units_of(SmallLayer layer, Py_ssize_t v, int group) noexcept nogil:
    """Return how many units vector v of a row holds."""
    cdef Py_ssize_t full = LANES // group, rest = layer.n_out - v * full
    return full if rest > full else rest


cdef inline void activate_small(SmallLayer layer) noexcept nogil:
    """Replace z by f(z), and store f'(z): (2.13) to (2.15).

    With the activation known, the compiler keeps all constants of its loop in registers.
    """
    if layer.activation == SIGMOID:
        activate_row(layer, SIGMOID)
    else:
        activate_row(layer, layer.activation)


cdef inline void activate_row(SmallLayer layer, int activation) noexcept nogil:
    """Do so for a known activation, and store 0 in the padding.

    A loop by itself: exponentials are long chains, and those of several vectors overlap.
    """
    cdef Py_ssize_t q
    cdef vec y, slope, mask, parameter = vsplat(layer.parameter)
    for q from 0 <= q < layer.row by LANES:
        y = activate(activation, parameter, vload(layer.outputs + q), &slope)
        if not layer.is_full:
            mask = vload(layer.mask + q)
            y, slope = vmul(y, mask), vmul(slope, mask)
        vstore(layer.outputs + q, y)
        vstore(layer.slopes + q, slope)


cdef inline double output_small(
    SmallLayer layer, Task *task, int activation, int group
) noexcept nogil:
    """Store the output layer's deltas (2.41); return the summed loss.

    All from the weighted sums to the deltas stays in registers.
    """
    cdef Py_ssize_t q, v
    cdef real factor = 2 if task.loss == SUM_SQUARED_ERROR else 1
    cdef vec z, e, mask, slope, squares = vsplat(0), scale = vsplat(factor / task.rows)
    cdef vec parameter = vsplat(layer.parameter)
    for v in range(layer.row // LANES):
        q = v * LANES
        z = vload(layer.outputs + q) if task.n_layers == 1 else weighted_sums(layer, v, group)
        e = vsub(activate(activation, parameter, z, &slope), vload(layer.targets + q))
        mask = vload(layer.mask + q)
        squares = vmuladd(vmul(e, mask), e, squares)
        vstore(layer.deltas + q, vmul(vmul(e, vmul(mask, scale)), slope))
    return factor / 2 * vsum(squares)


cdef inline void backward_small(
    SmallLayer layer, int group, bint is_plain, Step now
) noexcept nogil:
    """Compute the deltas below (2.42) and update weights and biases, a unit after the other."""
    cdef Py_ssize_t j = 0, u, q, v, at = 0, row_in = layer.row_in
    cdef vec deltas, delta, below
    for v in range(layer.row // LANES):
        deltas = vload(layer.deltas + v * LANES)
        for u in range(units_of(layer, v, group)):
            # This unit's delta, in every group
            delta = vsum_across(vmul(deltas, vload(layer.lane_mask + u * LANES)), group)
            for q from 0 <= q < row_in by LANES:
                below = vmul(delta, vload(layer.weights + at + q))
                if j:
                    below = vadd(below, vload(layer.deltas_below + q))
                if j == layer.n_out - 1:
                    below = vmul(below, vload(layer.slopes_below + q))
                vstore(layer.deltas_below + q, below)
            for q from 0 <= q < row_in by LANES:
                update_small(
                    layer, at + q, vsum_within(vmul(delta, vload(layer.inputs + q)), group), True,
                    is_plain, now)
            at += row_in
            j += 1
        update_small(
            layer, layer.bias + v * LANES, vsum_within(deltas, group), False, is_plain, now)


cdef inline void backward_first(
    SmallLayer layer, int group, bint is_plain, Step now
) noexcept nogil:
    """Update the first layer's weights and compute its next pre-activations, all units at once."""
    cdef Py_ssize_t k, q, row = layer.row
    cdef vec delta, x, z, w
    for q from 0 <= q < row by LANES:
        delta = vload(layer.deltas + q)
        z = update_small(layer, layer.bias + q, vsum_within(delta, group), False, is_plain, now)
        for k in range(layer.n_in):
            x = vload(layer.inputs + k * LANES)
            w = update_small(
                layer, k * row + q, vsum_within(vmul(x, delta), group), True, is_plain, now)
            z = vmuladd(x, w, z)
        vstore(layer.outputs + q, z)


cdef inline vec update_small(
    SmallLayer layer, Py_ssize_t at, vec g, bint penalized, bint is_plain, Step now
) noexcept nogil:
    """Update LANES weights from their gradient g; return them."""
    cdef real *w = layer.weights + at
    cdef vec updated
    if is_plain:
        updated = vmuladd(vneg(now.size), g, vload(w))
        vstore(w, updated)
        return updated
    return optimizer_step(w, layer.moment_1 + at, layer.moment_2 + at, g, penalized, &now)
