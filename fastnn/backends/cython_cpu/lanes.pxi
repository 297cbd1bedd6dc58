"""Networks of one shape side by side, one in each lane of a vector; cpu/lanes.py has the layout.

B is the batch size, L the number of lanes; n_in and n_out are a layer's.

    inputs, outputs    (B, units + 1, L), the last unit 1: the input of the bias
    slopes, deltas     (B, units, L)
    weights, moments   (n_in + 1, n_out, L), the bias last

No lane looks at another, and nothing is padded but missing networks, so a vector of exponentials
serves L networks: 2-10-1 on XOR takes 0.074 microseconds a network and epoch in double precision,
and 0.035 in single. The one network of small.pxi takes 0.11 and 0.09.
Each lane has samples of its own, and may have fewer than others: what it lacks counts 0, and where
nothing counts it makes no step.
"""

# As in cpu/lanes.py; columns of its table, settings, rows of `now`, columns of `places`.
cdef enum:
    LANE_UNITS, LANE_ACTIVATION, LANE_WEIGHTS, LANE_OUTPUTS, LANE_SLOPES, LANE_DELTAS
cdef enum:
    LANE_BATCH, LANE_LOSS, LANE_OPTIMIZER, TARGETS_AT, COUNTS_AT, SHARES_AT, NOW_AT
    PANEL_AT
cdef enum:
    NOW_SIZE, NOW_GRADIENT_SIZE, NOW_EPSILON, NOW_DECAY, NOW_ALPHA, NOW_L1, NOW_LIMIT
    NOW_HAS_STEP
cdef enum:
    FIRST, N_ORDERS, N_SAMPLES


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
    real *shares                # (B, L): these, divided by their sum
    real *batch_targets         # (B, n_targets, L)
    real *now                   # what holds for this step, (L) each
    real *panel                 # for losses: outputs, slopes, deltas in panels (L, WIDTH)
    real *gradients             # (TILE, units of the widest layer, L)
    Py_ssize_t rows             # of the lane that has the most
    bint all_step               # whether all lanes make this step
    bint limited                # whether norms are limited
    const int64_t *stop


def train_lanes(lanes, samples, double[:, ::1] sums):
    """Train the networks of a `cpu.lanes.Lanes`; write their losses to `sums`, (L, n_epochs)."""
    cdef const int64_t[:, ::1] table = lanes.table
    cdef Py_ssize_t l, widest = 0, n = table.shape[0] - 1
    cdef LaneLayer *layers = <LaneLayer *>malloc((n + 1) * sizeof(LaneLayer))
    cdef Group group
    cdef Sizes sizes[LANES]
    cdef uint64_t before
    for l in range(n + 1):
        widest = max(widest, table[l, LANE_UNITS])
    group.gradients = <real *>allocate_vectors(TILE * widest * LANES * sizeof(real))
    try:
        if layers == NULL or group.gradients == NULL:
            raise MemoryError("no memory for the table of layers, or for gradients")
        new_group(&group, layers, lanes, samples)
        group.n_epochs = sums.shape[1]
        if group.n_epochs:
            with nogil:
                before = flush_denormals()
                run_lanes(&group, sizes, &sums[0, 0])
                restore_denormals(before)
    finally:
        free(layers)
        release_vectors(group.gradients)


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
    g.counts, g.shares = &work[settings[COUNTS_AT]], &work[settings[SHARES_AT]]
    g.batch_targets = &work[settings[TARGETS_AT]]
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
        layer.inputs = &work[table[l - 1, LANE_OUTPUTS]]
        layer.outputs = &work[table[l, LANE_OUTPUTS]]
        layer.slopes, layer.deltas = &work[table[l, LANE_SLOPES]], &work[table[l, LANE_DELTAS]]
        layer.slopes_below = &work[table[l - 1, LANE_SLOPES]]
        layer.deltas_below = &work[table[l - 1, LANE_DELTAS]]
        for i in range(g.batch):
            vstore(layer.inputs + ((i + 1) * (layer.n_in + 1) - 1) * LANES, vsplat(1))
    return 0


cdef void run_lanes(Group *g, Sizes *sizes, double *sums) noexcept nogil:
    """Train for all epochs, or until told to stop."""
    cdef double totals[LANES]  # of an epoch
    cdef Py_ssize_t epoch, start, i, longest = 0
    cdef Py_ssize_t alike[LANES]  # the first lane with the same sizes in all steps
    cdef bint is_fixed = True, is_loaded = False  # the same samples in every step
    for i in range(LANES):
        first_sizes(&sizes[i], g.optimizer, g.numbers + i * g.n_numbers, g.steps[i])
        alike[i] = alike[i - 1] if i and is_alike(g, i) else i
        longest = max(longest, g.places[3 * i + N_SAMPLES])
        is_fixed = is_fixed and g.places[3 * i + N_ORDERS] <= 1
    is_fixed = is_fixed and longest <= g.batch
    for epoch in range(g.n_epochs):
        start = 0
        for i in range(LANES):
            totals[i] = 0
        while start < longest:
            if is_stopped(g.stop):
                return
            if not (is_fixed and is_loaded):
                choose_lanes(g, epoch, start)
                load_lanes(g)
                is_loaded = True
            size_lanes(g, sizes, alike, g.rates + epoch * LANES, start)
            step_lanes(g, totals)
            start += g.batch
        for i in range(LANES):
            sums[i * g.n_epochs + epoch] = totals[i]


# --- a batch -----------------------------------------------------------------------------------


cdef void choose_lanes(Group *g, Py_ssize_t epoch, Py_ssize_t start) noexcept nogil:
    """Note the samples of each lane's batch, how much each counts, and the penalties."""
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
        # Of lanes without a network nobody sees what they do.
        g.all_step = g.all_step and (total > 0 or place[N_SAMPLES] == 0)
        total = total if total > 0 else 1
        for i in range(g.batch):
            g.shares[i * LANES + lane] = <real>(g.counts[i * LANES + lane] / total)
        g.now[NOW_ALPHA * LANES + lane] = <real>(numbers[ALPHA] / total)
        g.now[NOW_L1 * LANES + lane] = <real>(numbers[L1] / total)


cdef void load_lanes(Group *g) noexcept nogil:
    """Read the inputs and targets of the batch."""
    cdef Py_ssize_t i, lane, c
    cdef int64_t sample
    cdef Py_ssize_t shared
    cdef real *x
    cdef real *t
    for i in range(g.rows):
        x = g.layers[1].inputs + i * (g.n_features + 1) * LANES
        t = g.batch_targets + i * g.n_targets * LANES
        shared = shared_sample(g, g.chosen + i * LANES)
        if shared >= 0:
            load_lane(g, x, shared)
            for c in range(g.n_features):
                vstore(x + c * LANES, vsplat(x[c * LANES]))
        for lane in range(LANES):
            sample = g.chosen[i * LANES + lane]
            if sample < 0:
                continue
            if shared < 0:
                load_lane(g, x + lane, sample)
            for c in range(g.n_targets):
                t[c * LANES + lane] = g.targets[sample * g.n_targets + c]


cdef inline int64_t shared_sample(Group *g, const int64_t *chosen) noexcept nogil:
    """Return the sample that is the same for all networks; -1 if none is, or a network lacks one.

    To a network that lacks it, 0 times an output of infinity would be NaN.
    """
    cdef Py_ssize_t lane
    cdef int64_t shared = -1
    for lane in range(LANES):
        if g.places[3 * lane + N_SAMPLES] == 0:  # a lane without a network
            continue
        if chosen[lane] < 0 or (shared >= 0 and chosen[lane] != shared):
            return -1
        shared = chosen[lane]
    return shared


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
    Group *g, Sizes *sizes, const Py_ssize_t *alike, const double *rates, Py_ssize_t start
) noexcept nogil:
    """Set what depends on the number of each lane's step, and count it.

    All sizes are in proportion to the learning rate; for a rate of 1 many lanes have the same.
    """
    cdef Py_ssize_t lane
    cdef Sizes *size
    cdef real *now = g.now
    for lane in range(LANES):
        size = &sizes[alike[lane]]
        if start < g.places[3 * lane + N_SAMPLES]:
            g.steps[lane] += 1
            if alike[lane] == lane:
                step_sizes(size, g.numbers + lane * g.n_numbers, 1, g.steps[lane])
        now[NOW_SIZE * LANES + lane] = <real>(rates[lane] * size.size)
        now[NOW_GRADIENT_SIZE * LANES + lane] = <real>(rates[lane] * size.gradient_size)
        now[NOW_EPSILON * LANES + lane] = <real>size.epsilon
        now[NOW_DECAY * LANES + lane] = <real>(rates[lane] * size.decay)


cdef bint is_alike(Group *g, Py_ssize_t lane) noexcept nogil:
    """Say whether a lane's steps have the sizes of the lane before."""
    cdef const int64_t *place = g.places + 3 * lane
    cdef const double *a = g.numbers + lane * g.n_numbers
    cdef const double *b = a - g.n_numbers
    return (
        place[N_SAMPLES] == place[N_SAMPLES - 3] and g.steps[lane] == g.steps[lane - 1]
        and a[BETA_1] == b[BETA_1] and a[BETA_2] == b[BETA_2] and a[EPSILON] == b[EPSILON]
        and a[WEIGHT_DECAY] == b[WEIGHT_DECAY])


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
