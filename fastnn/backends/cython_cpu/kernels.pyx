# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The Cython kernels; cpu/panels.py says how the arrays are laid out, python/ what is computed.

Compiled once per processor level and dtype (setup.py), with `real` and `vec` from vector.h.
"""

from libc.math cimport INFINITY, NAN, cos, exp, fabs, floor, log, log1p, pow, sin, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef extern from "vector.h" nogil:
    ctypedef float real
    ctypedef float vec  # LANES reals; never mixed with scalars but through these functions
    enum:
        LANES
        WIDTH
        BLOCKS  # of 4 random words for a row of a panel
        REGISTERS
    vec vload(const real *p)
    vec vload_unaligned(const real *p)
    void vstore(real *p, vec a)
    vec vload_half(const real *p)
    void vstore_half(real *p, vec a)
    void vstore_unaligned(real *p, vec a)
    real vsum(vec a)
    vec vsplat(real a)
    vec vneg(vec a)
    vec vadd(vec a, vec b)
    vec vsub(vec a, vec b)
    vec vmul(vec a, vec b)
    vec vdiv(vec a, vec b)
    vec vfma(real a, vec b, vec c)
    vec vmuladd(vec a, vec b, vec c)
    vec vmax(vec a, vec b)
    vec vabs(vec a)
    vec vpositive(vec a)
    vec vdiv_by_root(vec m, vec v, vec epsilon)
    vec vsigmoid(vec a)
    vec vtanh(vec a)
    vec vsqrt(vec a)
    vec vproduct(vec a, vec b)
    vec vmin(vec a, vec b)
    vec vexp(vec a)
    vec vexp_or_0(vec a)
    vec vexpm1(vec a)
    vec vlog1p(vec a)
    vec vlog(vec a)
    vec vnormal(vec z, vec *bell)
    vec vif_positive(vec c, vec a, vec b)
    vec vfirst(vec a, int64_t n, real other)
    real vlargest(vec a)
    void *allocate_vectors(size_t size)
    void release_vectors(void *start)
    vec vsum_within(vec a, int n)
    vec vsum_across(vec a, int n)
    void fetch(const void *first, const void *end)

cdef extern from "compress.h" nogil:
    int64_t compress_blocks(
        const real *reals, const uint8_t *bytes, int64_t n, int64_t *found, int64_t room,
        real *to_reals, uint8_t *to_bytes, uint16_t *short_columns, int32_t *columns)

cdef extern from "barrier.h" nogil:
    bint is_stopped(const int64_t *stop)
    bint barrier_wait(int64_t *sync, const int64_t *stop, int64_t n)

cdef extern from "processor.h" nogil:
    int processor_level()
    uint64_t flush_denormals()
    void restore_denormals(uint64_t before)

include "codes.pxi"  # written by setup.py

# As in cpu/panels.py.
cdef enum:
    UNITS, PANELS, ACTIVATION, DROP_LIMIT, WEIGHTS, TRANSPOSED, OUTPUTS, SLOPES, DELTAS
cdef enum:
    BATCH, LOSS, OPTIMIZER, MOST_VALUES, SCATTERED, N_THREADS, SEED, STEP, FIRST_ROW
cdef enum:
    BETA_1, BETA_2, EPSILON, ALPHA, L1, WEIGHT_DECAY, MAX_NORM, N_NUMBERS

cdef extern from *:
    const char *FASTNN_SOURCES  # setup.py's digest of this file and those that it includes

PANEL_WIDTH = WIDTH
LEVEL = processor_level()
SOURCES = FASTNN_SOURCES.decode()


cdef struct Layer:
    Py_ssize_t n_in, n_out, panels_in, panels
    int activation
    real parameter  # of the activation
    uint32_t drop_limit
    const int32_t *used  # (n_in + 1): its inputs, first the n_used that are not 0; last the bias
    Py_ssize_t n_used
    real *weights
    real *moment_1
    real *moment_2
    real *transposed
    real *inputs
    real *outputs
    real *slopes
    real *deltas
    real *deltas_below
    real *slopes_below


cdef struct Inputs:  # as in cpu/inputs.py; NULL: there is no such thing
    const real *reals
    const uint8_t *bytes
    const uint16_t *short_columns
    const int32_t *columns
    const int64_t *starts


cdef struct Lists:  # the values of a batch that are not 0, by sample and by input
    int32_t *column      # (most_values): of a sample's values, ascending
    real *value          # as `column`
    int64_t *split       # (batch, n_threads + 1): where each thread's range of columns begins
    int32_t *sample      # (most_values): the samples of an input, input after input
    real *sample_value   # as `sample`
    int64_t *start       # (n_in + 1): where an input's samples begin


cdef struct Share:  # one thread's part of a matrix
    Py_ssize_t panel, panel_end, row, row_end


cdef struct Task:
    Layer *layers
    Py_ssize_t n_layers, batch, rows
    int loss
    double loss_parameter
    bint sparse, scattered
    Inputs inputs
    int64_t n_threads, thread
    uint32_t seed_low, seed_high, step, first_row  # of a shard
    Py_ssize_t n_features
    real scale
    const int64_t *samples  # of the batch; NULL: from first_sample on
    Py_ssize_t n_after      # how many follow these in `samples`
    Py_ssize_t first_sample
    const real *targets     # NULL: no loss, no deltas
    Py_ssize_t n_targets
    const real *sample_weights  # NULL: all are 1
    double size             # of the batch: the sum of its samples' weights
    double whole            # and of the batch whose shard it is; 0: it is none
    double *losses
    real *zeros
    real *packed    # this thread's scratch: (batch + 1, WIDTH)
    real *gradient  # and, if `scattered`, (n_in, WIDTH): zeros between two panels
    Lists lists
    int32_t *in_order  # 0, 1, 2, ...
    int32_t *used      # of the first layer
    int64_t *sync
    const int64_t *stop


include "exponentials.pxi"
include "formulas.pxi"
include "products.pxi"
include "updates.pxi"
include "inputs.pxi"
include "layers.pxi"
include "steps.pxi"
include "small.pxi"
include "lanes.pxi"
include "lane_products.pxi"
include "lane_losses.pxi"
include "delta_rule.pxi"
include "predict.pxi"
include "distortion.pxi"


cdef Task *new_task(
    problem, samples, double[::1] losses, Py_ssize_t thread, Py_ssize_t n_threads
) except NULL:
    """Gather the arguments of a call in one structure; the caller frees it, and keeps the arrays."""
    cdef const int64_t[:, ::1] table = problem.table
    cdef const int64_t[::1] settings = problem.settings
    cdef const double[::1] numbers = problem.numbers
    cdef real[::1] weights = problem.weights, moment_1 = problem.moment_1
    cdef real[::1] moment_2 = problem.moment_2, work = problem.work
    cdef int32_t[::1] lists = problem.lists
    cdef int64_t[::1] offsets = problem.offsets
    cdef int64_t[::1] sync = problem.sync
    cdef const int64_t[::1] stop = problem.stop
    cdef const real[:, ::1] targets = samples.targets
    cdef const real[::1] sample_weights = samples.weights
    cdef Py_ssize_t n = table.shape[0] - 1, l, n_in = table[0, UNITS], batch = settings[BATCH]
    cdef Py_ssize_t longest = 0, most_values = settings[MOST_VALUES]
    cdef Task *task = <Task *>malloc(sizeof(Task) + (n + 1) * sizeof(Layer))
    cdef Layer *layer
    if task == NULL:
        raise MemoryError("no memory for the table of layers")
    try:
        read_inputs(samples.X, &task.inputs)
        task.scale = <real><double>samples.scale  # Cython takes `real` for a float
    except BaseException:
        free(task)
        raise
    task.layers = <Layer *>(task + 1)
    task.n_layers, task.batch, task.loss = n, batch, <int>settings[LOSS]
    task.loss_parameter, task.whole = numbers[N_NUMBERS + n], numbers[N_NUMBERS + n + 1]
    task.sparse, task.n_threads, task.thread = most_values > 0, n_threads, thread
    task.seed_low = <uint32_t>(<uint64_t>settings[SEED] & 0xFFFFFFFF)
    task.seed_high = <uint32_t>(<uint64_t>settings[SEED] >> 32)
    task.step, task.first_row = <uint32_t>settings[STEP], <uint32_t>settings[FIRST_ROW]
    task.n_features = n_in
    task.losses, task.n_targets = &losses[0], targets.shape[1]
    task.targets = &targets[0, 0] if targets.shape[0] else NULL
    task.sample_weights = &sample_weights[0] if sample_weights.shape[0] else NULL
    task.samples, task.n_after, task.first_sample = NULL, 0, 0
    task.sync, task.stop = &sync[0], &stop[0]
    task.zeros = &work[work.shape[0] - WIDTH]
    if task.sparse:
        task.zeros -= 2 * most_values
        task.lists.value = task.zeros + WIDTH
        task.lists.sample_value = task.lists.value + most_values
        task.lists.column = &lists[0]
        task.lists.sample = task.lists.column + most_values
        task.lists.start = &offsets[0]
        task.lists.split = task.lists.start + n_in + 1
    for l in range(n + 1):
        longest = table[l, UNITS] if table[l, UNITS] > longest else longest
    task.in_order = &lists[lists.shape[0] - 2 * (n_threads - thread) * (longest + 2)]
    task.used = task.in_order + longest + 2
    for l in range(longest + 1):
        task.in_order[l] = task.used[l] = <int32_t>l
    task.scattered = settings[SCATTERED] != 0
    task.packed = task.zeros - (n_threads - thread) * (batch + 1 + task.scattered * n_in) * WIDTH
    task.gradient = task.packed + (batch + 1) * WIDTH
    for l in range(1, n + 1):
        layer = &task.layers[l]
        layer.n_in, layer.n_out = table[l - 1, UNITS], table[l, UNITS]
        layer.panels_in, layer.panels = table[l - 1, PANELS], table[l, PANELS]
        layer.activation = <int>table[l, ACTIVATION]
        layer.parameter = <real>numbers[N_NUMBERS + l - 1]
        layer.drop_limit = <uint32_t>table[l, DROP_LIMIT]
        layer.used, layer.n_used = task.used if l == 1 else task.in_order, layer.n_in
        layer.weights = &weights[table[l, WEIGHTS]]
        layer.moment_1 = &moment_1[table[l, WEIGHTS]] if moment_1.shape[0] else NULL
        layer.moment_2 = &moment_2[table[l, WEIGHTS]] if moment_2.shape[0] else NULL
        layer.transposed = &work[table[l, TRANSPOSED]]
        layer.inputs, layer.outputs = &work[table[l - 1, OUTPUTS]], &work[table[l, OUTPUTS]]
        layer.slopes, layer.deltas = &work[table[l, SLOPES]], &work[table[l, DELTAS]]
        layer.slopes_below = &work[table[l - 1, SLOPES]]
        layer.deltas_below = &work[table[l - 1, DELTAS]]
    return task


def train_thread(
    problem, samples, const int64_t[:, ::1] order, const double[::1] learning_rates,
    double[::1] losses, double[::1] loss_sums, Py_ssize_t thread,
):
    """Run one thread of `interface.Kernels.mlp_train`; its threads meet at barriers.

    `losses` has room for the losses of one batch.
    """
    cdef const int64_t[::1] settings = problem.settings
    cdef const double[::1] numbers = problem.numbers
    cdef Task *task = new_task(problem, samples, losses, thread, settings[N_THREADS])
    cdef uint64_t before
    try:
        with nogil:
            before = flush_denormals()
            train(task, settings, numbers, order, learning_rates, loss_sums)
            restore_denormals(before)
    finally:
        free(task)


cdef void train(
    Task *task, const int64_t[::1] settings, const double[::1] numbers,
    const int64_t[:, ::1] order, const double[::1] learning_rates, double[::1] loss_sums,
) noexcept nogil:
    cdef Py_ssize_t epoch, start, i, l, p, n = order.shape[1]
    cdef int64_t step = settings[STEP]
    cdef Layer *layer
    cdef Sizes sizes
    cdef Step now
    first_sizes(&sizes, <int>settings[OPTIMIZER], &numbers[0], step)
    first_step(&now, &sizes, &numbers[0])
    for l in range(2, task.n_layers + 1):
        layer = &task.layers[l]
        for p in range(layer.panels * task.thread // task.n_threads,
                       layer.panels * (task.thread + 1) // task.n_threads):
            transpose_panel(layer, p, 0, layer.n_in)
    for epoch in range(loss_sums.shape[0]):
        start = 0
        while start < n:
            task.samples = &order[epoch % order.shape[0], start]
            task.rows = task.batch if n - start >= task.batch else n - start
            start += task.batch
            task.n_after = n - start
            task.step = <uint32_t>step
            step += 1
            step_sizes(&sizes, &numbers[0], learning_rates[epoch], step)
            task.size = batch_size(task)
            if task.size == 0:  # none of its samples counts
                continue
            next_step(&now, &sizes, &numbers[0], task.size)
            if not train_batch(task, &now, <real>numbers[MAX_NORM]):
                return
            if task.thread == 0:
                for i in range(task.rows):
                    loss_sums[epoch] += task.losses[i]


cdef double batch_size(Task *task) noexcept nogil:
    """Return the sum of the weights of a batch's samples, of a shard those of its whole batch."""
    cdef double total = 0
    cdef Py_ssize_t i
    if task.whole > 0:
        return task.whole
    if task.sample_weights == NULL:
        return task.rows
    for i in range(task.rows):
        total += task.sample_weights[task.samples[i]]
    return total


cdef bint train_batch(Task *task, Step *now, real max_norm) noexcept nogil:
    """Make one step. A barrier stands wherever a thread needs what another has computed.

    Returns whether to go on; the call has been given up if not.
    """
    cdef Py_ssize_t l
    if is_stopped(task.stop):
        return False
    load_batch(task)
    if not meet(task):
        return False
    if task.sparse and not task.scattered and not is_online(task, now):
        list_by_input(task)
    if not task.sparse:
        find_used(task)
    for l in range(1, task.n_layers + 1):
        forward(task, l, True)
        if not meet(task):
            return False
    for l in range(task.n_layers, 0, -1):
        if l > 1:
            deltas_below(task, &task.layers[l])
            if not meet(task):
                return False
        update(task, l, now)
    if max_norm > 0:  # a unit's weights may have been shared out by rows
        if not meet(task):
            return False
        for l in range(1, task.n_layers + 1):
            limit_layer(task, l, max_norm)
    return meet(task)


cdef inline bint meet(Task *task) noexcept nogil:
    """Wait for the other threads of the call; return False if it has been given up."""
    return barrier_wait(task.sync, task.stop, task.n_threads)


def forward_samples(
    problem, samples, double[::1] losses, real[:, ::1] outputs, Py_ssize_t layer, Py_ssize_t first,
    Py_ssize_t end,
):
    """Write the outputs of `layer` for samples first to end and, given targets, their losses."""
    cdef Task *task = new_task(problem, samples, losses, 0, 1)
    try:
        with nogil:
            apply(task, outputs, layer, first, end)
    finally:
        free(task)


cdef void apply(
    Task *task, real[:, ::1] outputs, Py_ssize_t layer, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    cdef double *losses = task.losses
    cdef Py_ssize_t i, c, l
    task.size = 1  # the deltas are not looked at
    while start < end:
        task.rows = task.batch if end - start >= task.batch else end - start
        task.first_sample, task.losses = start, losses + start
        load_batch(task)
        if not task.sparse:
            find_used(task)
        for l in range(1, layer + 1):
            forward(task, l, False)
        for i in range(task.rows):
            for c in range(task.layers[layer].n_out):
                outputs[start + i, c] = task.layers[layer].outputs[offset_of(task, i, c)]
        start += task.batch
