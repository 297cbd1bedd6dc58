"""Networks of one shape side by side, one in each lane of a vector; cpu/lanes.py has the layout.

B is the batch size, L the number of lanes; n_in and n_out are a layer's.

    inputs, outputs    (B, units + 1, L), the last unit 1: the input of the bias
    slopes, deltas     (B, units, L)
    weights, moments   (n_in + 1, n_out, L), the bias last

No lane looks at another, and nothing is padded but missing networks, so a vector of exponentials
serves L networks: 2-10-1 on XOR takes 0.045 microseconds a network and epoch in double precision.
Each lane has samples of its own, and may have fewer than others: what it lacks counts 0, and where
nothing counts it makes no step.
"""

# As in cpu/lanes.py; columns of its table, settings, rows of `now`, columns of `places`.
cdef enum:
    LANE_UNITS, LANE_ACTIVATION, LANE_WEIGHTS, LANE_OUTPUTS, LANE_SLOPES, LANE_DELTAS
cdef enum:
    LANE_BATCH, LANE_LOSS, LANE_OPTIMIZER, TARGETS_AT, COUNTS_AT, NOW_AT, PANEL_AT
cdef enum:
    NOW_SIZE, NOW_GRADIENT_SIZE, NOW_EPSILON, NOW_DECAY, NOW_ALPHA, NOW_L1, NOW_LIMIT, NOW_SHARE
    NOW_HAS_STEP
cdef enum:
    FIRST, N_ORDERS, N_SAMPLES
cdef enum:
    TILE = 4  # rows and columns whose sums stay in registers
cdef enum:
    FORWARD, BACKWARD, UPDATE, DESCENT  # what a product is for; the last is a plain UPDATE


cdef struct LaneLayer:
    Py_ssize_t n_in, n_out
    int activation
    const real *parameter  # (L) of the activation
    const int64_t *drop_limits  # (L); NULL: no dropout
    real *weights
    real *moment_1
    real *moment_2
    real *inputs
    real *outputs
    real *slopes
    real *deltas
    real *slopes_below
    real *deltas_below


cdef struct Group:  # of networks, and their batch
    LaneLayer *layers
    Py_ssize_t n_layers, n_features, n_targets, batch, n_numbers, n_epochs
    int loss, optimizer, penalty
    Inputs inputs
    real scale
    const real *targets
    const real *sample_weights  # NULL: all are 1
    const double *numbers       # (L, n_numbers)
    const real *constants       # (n_numbers, L)
    const uint64_t *seeds
    int64_t *steps
    const int64_t *orders
    const int64_t *places
    const double *rates         # (n_epochs, L)
    int64_t *chosen             # (B, L): samples of the batch, -1 where there is none
    real *counts                # (B, L): their weights, 0 where there is none
    real *batch_targets         # (B, n_targets, L)
    real *now                   # what holds for this step, (L) each
    real *panel                 # scratch for losses: outputs, slopes, deltas in panels of (L, WIDTH)
    Py_ssize_t rows             # of the lane that has the most
    bint all_step               # whether all lanes make this step
    bint limited                # whether norms are limited
    const int64_t *stop


cdef struct Product:  # of the rows of a and the columns of b: sums of n terms
    const real *a
    Py_ssize_t row, a_next  # how far rows are apart, and terms
    const real *b
    Py_ssize_t column, b_next
    Py_ssize_t n, rows, columns


def train_lanes(lanes, samples, double[:, ::1] sums):
    """Train the networks of a `cpu.lanes.Lanes`; add their losses to `sums`, (n_epochs, L)."""
    cdef const int64_t[:, ::1] table = lanes.table
    cdef Py_ssize_t n = table.shape[0] - 1
    cdef LaneLayer *layers = <LaneLayer *>malloc((n + 1) * sizeof(LaneLayer))
    cdef Group group
    cdef Sizes sizes[LANES]
    if layers == NULL:
        raise MemoryError("no memory for the table of layers")
    try:
        new_group(&group, layers, lanes, samples)
        group.n_epochs = sums.shape[0]
        if group.n_epochs:
            with nogil:
                run_lanes(&group, sizes, &sums[0, 0])
    finally:
        free(layers)


cdef int new_group(Group *g, LaneLayer *layers, lanes, samples) except -1:
    """Gather the arguments of a call; the caller keeps the arrays."""
    cdef const int64_t[:, ::1] table = lanes.table, places = lanes.places
    cdef const int64_t[:, ::1] limits = lanes.drop_limits
    cdef const int64_t[::1] settings = lanes.settings, orders = lanes.orders, stop = lanes.stop
    cdef const double[:, ::1] numbers = lanes.numbers, rates = lanes.rates
    cdef const uint64_t[::1] seeds = lanes.seeds
    cdef int64_t[::1] steps = lanes.steps, chosen = lanes.chosen
    cdef real[::1] weights = lanes.weights, moment_1 = lanes.moment_1, moment_2 = lanes.moment_2
    cdef real[::1] work = lanes.work, constants = lanes.constants
    cdef const real[:, ::1] targets = samples.targets
    cdef const real[::1] sample_weights = samples.weights
    cdef Py_ssize_t l, i, n = table.shape[0] - 1
    cdef LaneLayer *layer
    read_inputs(samples.X, &g.inputs)
    g.scale = <real><double>samples.scale
    g.layers, g.n_layers, g.n_features, g.n_targets = layers, n, table[0, UNITS], targets.shape[1]
    g.batch, g.loss = settings[LANE_BATCH], <int>settings[LANE_LOSS]
    g.optimizer, g.n_numbers = <int>settings[LANE_OPTIMIZER], numbers.shape[1]
    g.targets = &targets[0, 0]
    g.sample_weights = &sample_weights[0] if sample_weights.shape[0] else NULL
    g.numbers, g.constants, g.seeds, g.steps = &numbers[0, 0], &constants[0], &seeds[0], &steps[0]
    g.orders, g.places, g.chosen = &orders[0], &places[0, 0], &chosen[0]
    g.rates = &rates[0, 0] if rates.shape[0] else NULL
    g.counts, g.batch_targets = &work[settings[COUNTS_AT]], &work[settings[TARGETS_AT]]
    g.now, g.panel, g.stop = &work[settings[NOW_AT]], &work[settings[PANEL_AT]], &stop[0]
    g.penalty, g.limited = NO_PENALTY, False
    for i in range(LANES):
        g.limited = g.limited or numbers[i, MAX_NORM] > 0
        if numbers[i, L1]:
            g.penalty = WITH_L1
        elif numbers[i, ALPHA] and g.penalty == NO_PENALTY:
            g.penalty = WITH_L2
    for l in range(1, n + 1):
        layer = &layers[l]
        layer.n_in, layer.n_out = table[l - 1, LANE_UNITS], table[l, LANE_UNITS]
        layer.activation = <int>table[l, LANE_ACTIVATION]
        layer.parameter = &constants[(N_NUMBERS + l - 1) * LANES]
        layer.drop_limits = NULL
        for i in range(LANES):
            if limits[l - 1, i]:
                layer.drop_limits = &limits[l - 1, 0]
        layer.weights = &weights[table[l, LANE_WEIGHTS]]
        layer.moment_1 = &moment_1[table[l, LANE_WEIGHTS]] if moment_1.shape[0] else NULL
        layer.moment_2 = &moment_2[table[l, LANE_WEIGHTS]] if moment_2.shape[0] else NULL
        layer.inputs, layer.outputs = &work[table[l - 1, LANE_OUTPUTS]], &work[table[l, LANE_OUTPUTS]]
        layer.slopes, layer.deltas = &work[table[l, LANE_SLOPES]], &work[table[l, LANE_DELTAS]]
        layer.slopes_below = &work[table[l - 1, LANE_SLOPES]]
        layer.deltas_below = &work[table[l - 1, LANE_DELTAS]]
        for i in range(g.batch):
            vstore(layer.inputs + ((i + 1) * (layer.n_in + 1) - 1) * LANES, vsplat(1))
    return 0


cdef void run_lanes(Group *g, Sizes *sizes, double *sums) noexcept nogil:
    """Train for all epochs, or until told to stop."""
    cdef Py_ssize_t epoch, start, i, longest = 0
    cdef bint is_fixed = True, is_loaded = False  # the same samples in every step
    for i in range(LANES):
        first_sizes(&sizes[i], g.optimizer, g.numbers + i * g.n_numbers, g.steps[i])
        longest = max(longest, g.places[3 * i + N_SAMPLES])
        is_fixed = is_fixed and g.places[3 * i + N_ORDERS] <= 1
    is_fixed = is_fixed and longest <= g.batch
    for epoch in range(g.n_epochs):
        start = 0
        while start < longest:
            if is_stopped(g.stop):
                return
            if not (is_fixed and is_loaded):
                choose_lanes(g, epoch, start)
                load_lanes(g)
                is_loaded = True
            size_lanes(g, sizes, g.rates + epoch * LANES, start)
            step_lanes(g, sums + epoch * LANES)
            start += g.batch


# --- a batch -----------------------------------------------------------------------------------


cdef void choose_lanes(Group *g, Py_ssize_t epoch, Py_ssize_t start) noexcept nogil:
    """Note the samples of each lane's batch, how much each counts, and the batch's shares."""
    cdef Py_ssize_t lane, i, count
    cdef const int64_t *place
    cdef const int64_t *order
    cdef const double *numbers
    cdef double total
    g.rows, g.all_step = 0, True
    for lane in range(LANES):
        place, numbers, total = g.places + 3 * lane, g.numbers + lane * g.n_numbers, 0
        count = min(g.batch, max(0, place[N_SAMPLES] - start))
        g.rows = max(g.rows, count)
        order = NULL
        if count:
            order = g.orders + place[FIRST] + epoch % place[N_ORDERS] * place[N_SAMPLES] + start
        for i in range(g.batch):
            g.chosen[i * LANES + lane] = order[i] if i < count else -1
            g.counts[i * LANES + lane] = 0 if i >= count else (
                1 if g.sample_weights == NULL else g.sample_weights[order[i]])
            total += g.counts[i * LANES + lane]
        g.now[NOW_HAS_STEP * LANES + lane] = total > 0
        g.all_step = g.all_step and total > 0
        total = total if total > 0 else 1
        g.now[NOW_SHARE * LANES + lane] = <real>(1 / total)
        g.now[NOW_ALPHA * LANES + lane] = <real>(numbers[ALPHA] / total)
        g.now[NOW_L1 * LANES + lane] = <real>(numbers[L1] / total)


cdef void load_lanes(Group *g) noexcept nogil:
    """Read the inputs and targets of the batch."""
    cdef Py_ssize_t i, lane, c
    cdef int64_t sample
    cdef real *t
    for i in range(g.rows):
        for lane in range(LANES):
            sample = g.chosen[i * LANES + lane]
            if sample < 0:
                continue
            load_lane(g, g.layers[1].inputs + i * (g.n_features + 1) * LANES + lane, sample)
            t = g.batch_targets + i * g.n_targets * LANES + lane
            for c in range(g.n_targets):
                t[c * LANES] = g.targets[sample * g.n_targets + c]


cdef void load_lane(Group *g, real *x, int64_t sample) noexcept nogil:
    """Copy the inputs of a sample into a lane, from x on."""
    cdef Py_ssize_t k, n = g.n_features
    cdef int64_t q, at = sample * n
    cdef real scale = g.scale
    cdef const real *reals = g.inputs.reals
    cdef const uint8_t *values = g.inputs.bytes
    cdef const int64_t *starts = g.inputs.starts
    if starts == NULL:
        if values == NULL:
            for k in range(n):
                x[k * LANES] = reals[at + k] * scale
        else:
            for k in range(n):
                x[k * LANES] = values[at + k] * scale
        return
    for k in range(n):
        x[k * LANES] = 0
    for q in range(starts[sample], starts[sample + 1]):
        k = g.inputs.short_columns[q] if g.inputs.columns == NULL else g.inputs.columns[q]
        x[k * LANES] = (reals[q] if values == NULL else <real>values[q]) * scale


cdef void size_lanes(
    Group *g, Sizes *sizes, const double *rates, Py_ssize_t start
) noexcept nogil:
    """Set what depends on the number of each lane's step, and count it.

    All sizes are in proportion to the learning rate; for a rate of 1 many lanes have the same.
    """
    cdef Py_ssize_t lane
    cdef const double *numbers = g.numbers
    cdef real *now = g.now
    for lane in range(LANES):
        if start < g.places[3 * lane + N_SAMPLES]:
            g.steps[lane] += 1
            if lane and is_alike(g, lane):
                sizes[lane] = sizes[lane - 1]
            else:
                step_sizes(&sizes[lane], numbers, 1, g.steps[lane])
        now[NOW_SIZE * LANES + lane] = <real>(rates[lane] * sizes[lane].size)
        now[NOW_GRADIENT_SIZE * LANES + lane] = <real>(rates[lane] * sizes[lane].gradient_size)
        now[NOW_EPSILON * LANES + lane] = <real>sizes[lane].epsilon
        now[NOW_DECAY * LANES + lane] = <real>(rates[lane] * sizes[lane].decay)
        numbers += g.n_numbers


cdef inline bint is_alike(Group *g, Py_ssize_t lane) noexcept nogil:
    """Say whether a lane's step has the sizes of the lane before, which has just made it."""
    cdef const double *a = g.numbers + lane * g.n_numbers
    cdef const double *b = a - g.n_numbers
    return (
        g.steps[lane] == g.steps[lane - 1] and a[BETA_1] == b[BETA_1] and a[BETA_2] == b[BETA_2]
        and a[EPSILON] == b[EPSILON] and a[WEIGHT_DECAY] == b[WEIGHT_DECAY])


# --- a step ------------------------------------------------------------------------------------


cdef void step_lanes(Group *g, double *sums) noexcept nogil:
    """Make one step of all networks, and add the losses of their samples to `sums`."""
    cdef Py_ssize_t l
    cdef LaneLayer *layer
    for l in range(1, g.n_layers + 1):
        layer = &g.layers[l]
        forward_lanes(g, layer)
        if l < g.n_layers or not starts_from_z(layer.activation, g.loss):
            activate_lanes(layer, g.rows)
        if layer.drop_limits != NULL:
            drop_lanes(g, layer, l - 1)
    finish_lanes(g, sums)
    for l in range(g.n_layers, 0, -1):
        layer = &g.layers[l]
        if l > 1:
            backward_lanes(g, layer)
        update_lanes(g, layer)
        if g.limited:
            limit_lanes(g, layer)


cdef inline Step read_step(Group *g) noexcept nogil:
    """Return what the optimizer needs."""
    cdef Step now
    now.optimizer, now.penalty = g.optimizer, g.penalty
    now.size = vload(g.now + NOW_SIZE * LANES)
    now.gradient_size = vload(g.now + NOW_GRADIENT_SIZE * LANES)
    now.epsilon, now.decay = vload(g.now + NOW_EPSILON * LANES), vload(g.now + NOW_DECAY * LANES)
    now.alpha, now.l1 = vload(g.now + NOW_ALPHA * LANES), vload(g.now + NOW_L1 * LANES)
    now.beta_1 = vload(g.constants + BETA_1 * LANES)
    now.beta_2 = vload(g.constants + BETA_2 * LANES)
    return now


cdef void forward_lanes(Group *g, LaneLayer *layer) noexcept nogil:
    """Compute a layer's pre-activations (2.12)."""
    cdef Product p
    p.a, p.row, p.a_next = layer.inputs, (layer.n_in + 1) * LANES, LANES
    p.b, p.column, p.b_next = layer.weights, LANES, layer.n_out * LANES
    p.n, p.rows, p.columns = layer.n_in + 1, g.rows, layer.n_out
    multiply_lanes(FORWARD, g, layer, p)


cdef void backward_lanes(Group *g, LaneLayer *layer) noexcept nogil:
    """Compute the deltas of the layer below (2.42), (2.43)."""
    cdef Product p
    p.a, p.row, p.a_next = layer.deltas, layer.n_out * LANES, LANES
    p.b, p.column, p.b_next = layer.weights, layer.n_out * LANES, LANES
    p.n, p.rows, p.columns = layer.n_out, g.rows, layer.n_in
    multiply_lanes(BACKWARD, g, layer, p)


cdef void update_lanes(Group *g, LaneLayer *layer) noexcept nogil:
    """Update a layer's weights and biases (2.39), (2.40), (2.44) to (2.46)."""
    cdef Product p
    p.a, p.row, p.a_next = layer.deltas, LANES, layer.n_out * LANES
    p.b, p.column, p.b_next = layer.inputs, LANES, (layer.n_in + 1) * LANES
    p.n, p.rows, p.columns = g.rows, layer.n_out, layer.n_in + 1
    if g.all_step and g.optimizer == SGD and g.penalty == NO_PENALTY:
        multiply_lanes(DESCENT, g, layer, p)
    else:
        multiply_lanes(UPDATE, g, layer, p)


cdef inline void update_weight(
    Group *g, LaneLayer *layer, Py_ssize_t at, vec gradient, bint penalized
) noexcept nogil:
    """Update a weight in all lanes that make this step."""
    cdef Step now = read_step(g)
    if g.all_step:
        optimizer_step(layer.weights + at, layer.moment_1 + at, layer.moment_2 + at, gradient,
                       penalized, &now)
    else:
        update_some(layer, at, gradient, penalized, vload(g.now + NOW_HAS_STEP * LANES), now)


cdef void update_some(
    LaneLayer *layer, Py_ssize_t at, vec g, bint penalized, vec has_step, Step now
) noexcept nogil:
    """Update a weight in the lanes that make this step."""
    cdef vec w = vload(layer.weights + at), m = w, v = w
    if layer.moment_1 != NULL:
        m = vload(layer.moment_1 + at)
    if layer.moment_2 != NULL:
        v = vload(layer.moment_2 + at)
    optimizer_step(
        layer.weights + at, layer.moment_1 + at, layer.moment_2 + at, g, penalized, &now)
    vstore(layer.weights + at, vif_positive(has_step, vload(layer.weights + at), w))
    if layer.moment_1 != NULL:
        vstore(layer.moment_1 + at, vif_positive(has_step, vload(layer.moment_1 + at), m))
    if layer.moment_2 != NULL:
        vstore(layer.moment_2 + at, vif_positive(has_step, vload(layer.moment_2 + at), v))


cdef void limit_lanes(Group *g, LaneLayer *layer) noexcept nogil:
    """Limit the norms of a layer's units, where there is a limit, in the lanes that made a step."""
    cdef Py_ssize_t j, lane
    cdef real limit
    for lane in range(LANES):
        limit = g.constants[MAX_NORM * LANES + lane]
        if limit == 0 or g.now[NOW_HAS_STEP * LANES + lane] == 0:
            limit = <real>INFINITY
        g.now[NOW_LIMIT * LANES + lane] = limit
    for j in range(layer.n_out):
        limit_columns(layer.weights + j * LANES, layer.n_in, layer.n_out * LANES,
                      vload(g.now + NOW_LIMIT * LANES))


# --- products ----------------------------------------------------------------------------------


cdef inline void multiply_lanes(
    int what, Group *g, LaneLayer *layer, Product p
) noexcept nogil:
    """Compute all sums of a product, in tiles whose size the compiler knows.

    Outermost are the columns, which are weights or inputs: what there may be most of is read once.
    """
    cdef Py_ssize_t j = 0
    while j + 4 <= p.columns:
        multiply_columns(what, g, layer, p, j, 4)
        j += 4
    if j + 2 <= p.columns:
        multiply_columns(what, g, layer, p, j, 2)
        j += 2
    if j < p.columns:
        multiply_columns(what, g, layer, p, j, 1)


cdef inline void multiply_columns(
    int what, Group *g, LaneLayer *layer, Product p, Py_ssize_t j, int columns
) noexcept nogil:
    """Do so for some columns."""
    cdef Py_ssize_t i = 0
    while i + 4 <= p.rows:
        multiply_tile(what, g, layer, p, i, j, 4, columns)
        i += 4
    if i + 2 <= p.rows:
        multiply_tile(what, g, layer, p, i, j, 2, columns)
        i += 2
    if i < p.rows:
        multiply_tile(what, g, layer, p, i, j, 1, columns)


cdef inline void multiply_tile(
    int what, Group *g, LaneLayer *layer, Product p, Py_ssize_t i, Py_ssize_t j, int rows,
    int columns,
) noexcept nogil:
    """Compute a tile of sums, and do with them what they are for."""
    cdef vec s[TILE * TILE]
    cdef Py_ssize_t at
    cdef int r, c
    cdef vec size = vload(g.now + NOW_SIZE * LANES)
    sum_tile(p.a + i * p.row, p.row, p.a_next, p.b + j * p.column, p.column, p.b_next, p.n, rows,
             columns, s)
    for r in range(rows):
        for c in range(columns):
            if what == FORWARD:
                at = ((i + r) * (p.columns + 1) + j + c) * LANES
                vstore(layer.outputs + at, s[TILE * r + c])
            elif what == BACKWARD:
                at = ((i + r) * p.columns + j + c) * LANES
                vstore(layer.deltas_below + at,
                       vmul(s[TILE * r + c], vload(layer.slopes_below + at)))
            elif what == DESCENT:
                at = ((j + c) * p.rows + i + r) * LANES
                vstore(layer.weights + at,
                       vmuladd(vneg(size), s[TILE * r + c], vload(layer.weights + at)))
    if what == UPDATE:
        for c in range(columns):
            for at in range(rows):
                update_weight(g, layer, ((j + c) * p.rows + i + at) * LANES, s[TILE * at + c],
                              j + c < layer.n_in)


cdef inline void sum_tile(
    const real *a, Py_ssize_t row, Py_ssize_t a_next, const real *b, Py_ssize_t column,
    Py_ssize_t b_next, Py_ssize_t n, int rows, int columns, vec *s,
) noexcept nogil:
    """Write the sums of n products of a's rows, `row` apart, and b's columns: TILE to a row."""
    cdef Py_ssize_t q
    cdef vec x, b0, b1, b2, b3
    cdef vec s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33
    s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = vsplat(0)
    s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = b1 = b2 = b3 = vsplat(0)
    for q in range(n):
        b0 = vload(b)
        if columns > 1:
            b1 = vload(b + column)
        if columns > 2:
            b2, b3 = vload(b + 2 * column), vload(b + 3 * column)
        x = vload(a)
        s00, s01 = vmuladd(x, b0, s00), vmuladd(x, b1, s01)
        s02, s03 = vmuladd(x, b2, s02), vmuladd(x, b3, s03)
        if rows > 1:
            x = vload(a + row)
            s10, s11 = vmuladd(x, b0, s10), vmuladd(x, b1, s11)
            s12, s13 = vmuladd(x, b2, s12), vmuladd(x, b3, s13)
        if rows > 2:
            x = vload(a + 2 * row)
            s20, s21 = vmuladd(x, b0, s20), vmuladd(x, b1, s21)
            s22, s23 = vmuladd(x, b2, s22), vmuladd(x, b3, s23)
        if rows > 3:
            x = vload(a + 3 * row)
            s30, s31 = vmuladd(x, b0, s30), vmuladd(x, b1, s31)
            s32, s33 = vmuladd(x, b2, s32), vmuladd(x, b3, s33)
        a += a_next
        b += b_next
    store_row(s, columns, s00, s01, s02, s03)
    if rows > 1:
        store_row(s + 4, columns, s10, s11, s12, s13)
    if rows > 2:
        store_row(s + 8, columns, s20, s21, s22, s23)
    if rows > 3:
        store_row(s + 12, columns, s30, s31, s32, s33)


cdef inline void store_row(vec *s, int columns, vec s0, vec s1, vec s2, vec s3) noexcept nogil:
    """Store a row of a tile."""
    s[0] = s0
    if columns > 1:
        s[1] = s1
    if columns > 2:
        s[2], s[3] = s2, s3


# --- activations, dropout, losses --------------------------------------------------------------


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
    cdef vec loss, count, share = vload(g.now + NOW_SHARE * LANES)
    cdef real losses[LANES]
    for i in range(g.rows):
        count = vload(g.counts + i * LANES)
        if not is_softmax and (g.loss == HALF_SQUARED_ERROR or g.loss == SUM_SQUARED_ERROR):
            loss = squares_of(g, layer, i, vmul(count, share))
        elif is_softmax and (
            g.loss == CATEGORICAL_CROSSENTROPY or g.loss == SPARSE_CATEGORICAL_CROSSENTROPY
        ):
            loss = crossentropy_of(g, layer, i, vmul(count, share))
        elif g.loss == BINARY_CROSSENTROPY:
            loss = binary_crossentropy_of(g, layer, i, vmul(count, share))
        else:
            any_loss_of(g, layer, i, sums)
            continue
        vstore_unaligned(losses, vif_positive(count, vmul(count, loss), vsplat(0)))
        for lane in range(LANES):
            sums[lane] += losses[lane]


cdef inline void store_delta(real *delta, vec share, vec e) noexcept nogil:
    """Store a delta; 0 where a sample does not count, whatever its error is."""
    vstore(delta, vif_positive(share, vmul(share, e), vsplat(0)))


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
                    vmul(vmul(scale, e), vload(layer.slopes + (i * n + c) * LANES)))
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
    cdef vec largest = vload(z), total = vsplat(0), loss = vsplat(0), one = vsplat(1)
    cdef vec target, log_total, e
    for c in range(1, n):
        largest = vmax(largest, vload(z + c * LANES))
    for c in range(n):
        e = vexp_or_0(vsub(vload(z + c * LANES), largest))
        vstore(power + c * LANES, e)
        total = vadd(total, e)
    log_total = vadd(vlog(total), largest)
    for c in range(n):
        if g.loss == SPARSE_CATEGORICAL_CROSSENTROPY:  # 1 where the label is c
            e = vabs(vsub(vload(t), vsplat(c)))
            target = vif_positive(vsub(vsplat(<real>0.5), e), one, vsplat(0))
        else:
            target = vload(t + c * LANES)
        target = vmuladd(vsub(one, smoothing), target, vdiv(smoothing, vsplat(n)))
        e = vmul(target, vsub(log_total, vload(z + c * LANES)))
        loss = vadd(loss, vif_positive(vabs(target), e, vsplat(0)))
        store_delta(layer.deltas + (i * n + c) * LANES, share,
                    vsub(vdiv(vload(power + c * LANES), total), target))
    return loss


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
        store_delta(layer.deltas + (i * n + c) * LANES, share, vsub(y, target))
    return loss


cdef void any_loss_of(Group *g, LaneLayer *layer, Py_ssize_t i, double *sums) noexcept nogil:
    """Add the losses of sample i in all lanes, and store the deltas: lanes as rows of panels."""
    cdef Task task
    cdef Layer panel
    cdef Py_ssize_t lane, c, n = layer.n_out
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
            panel.outputs[offset_of(&task, lane, c)] = layer.outputs[(i * (n + 1) + c) * LANES + lane]
            panel.slopes[offset_of(&task, lane, c)] = layer.slopes[(i * n + c) * LANES + lane]
            panel.deltas[offset_of(&task, lane, c)] = 0
        if sample >= 0:
            task.loss_parameter = g.numbers[lane * g.n_numbers + N_NUMBERS + g.n_layers]
            sums[lane] += count * loss_and_delta(
                &task, &panel, lane, g.targets + sample * g.n_targets,
                count * <double>g.now[NOW_SHARE * LANES + lane], from_z)
        for c in range(n):
            layer.deltas[(i * n + c) * LANES + lane] = panel.deltas[offset_of(&task, lane, c)]
