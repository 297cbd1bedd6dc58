# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The Cython kernels; panels.py says how the arrays are laid out, python.py what they compute.

Compiled once per processor level and dtype (setup.py), with `real` and `vec` from vector.h.
"""

from libc.math cimport cos, exp, fabs, floor, log, log1p, pow, sin, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc

cdef extern from "vector.h" nogil:
    ctypedef float real
    ctypedef float vec  # LANES reals; never mixed with scalars but through these functions
    enum:
        LANES
        WIDTH
        BLOCKS  # of 4 random words for a row of a panel
    vec vload(const real *p)
    vec vload_unaligned(const real *p)
    void vstore(real *p, vec a)
    void vstore_unaligned(real *p, vec a)
    real vsum(vec a)
    vec vsplat(real a)
    vec vadd(vec a, vec b)
    vec vsub(vec a, vec b)
    vec vmul(vec a, vec b)
    vec vdiv(vec a, vec b)
    vec vfma(real a, vec b, vec c)
    vec vmuladd(vec a, vec b, vec c)
    vec vmax(vec a, vec b)
    vec vabs(vec a)
    vec vpositive(vec a)
    vec vdiv_by_root(vec m, vec v, real epsilon)
    vec vsigmoid(vec a)
    vec vtanh(vec a)
    void *allocate_vectors(size_t size)
    void release_vectors(void *start)
    vec vsum_within(vec a, int n)
    vec vsum_across(vec a, int n)
    bint is_stopped(const int64_t *stop)
    bint barrier_wait(int64_t *sync, const int64_t *stop, int64_t n)
    int processor_level()

# As in interface.py and panels.py.
cdef enum:
    SIGN, PURELIN, SIGMOID, TANH, SOFTSIGN, RELU, SOFTMAX
cdef enum:
    HALF_SQUARED_ERROR, SQUARED_ERROR, BINARY_CROSSENTROPY, CATEGORICAL_CROSSENTROPY
    SPARSE_CATEGORICAL_CROSSENTROPY
cdef enum:
    SGD, MOMENTUM, ADAM, STORE_GRADIENT
cdef enum:
    STREAM_DROPOUT = 3
cdef enum:
    UNITS, PANELS, ACTIVATION, DROP_LIMIT, WEIGHTS, TRANSPOSED, OUTPUTS, SLOPES, DELTAS
cdef enum:
    BATCH, LOSS, OPTIMIZER, SPARSE, N_THREADS, SEED, STEP
cdef enum:
    RATE, BETA_1, BETA_2, EPSILON, ALPHA, SCALE

cdef extern from *:
    const char *FASTNN_SOURCES  # setup.py's digest of this file and those that it includes

PANEL_WIDTH = WIDTH
LEVEL = processor_level()
SOURCES = FASTNN_SOURCES.decode()


cdef struct Layer:
    Py_ssize_t n_in, n_out, panels_in, panels
    int activation
    uint32_t drop_limit
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


cdef struct Rates:
    int optimizer
    real rate, beta_1, beta_2, epsilon, decay


cdef struct Lists:  # the non-zero inputs of a batch, by sample and by input
    int32_t *position    # (batch, n_in): the inputs of a sample that are not 0, ascending
    int32_t *split       # (batch, n_threads + 1): where each thread's range of inputs begins
    int32_t *sample      # the samples of an input, input after input
    int32_t *start       # (n_in + 1): where an input's samples begin
    real *value          # as `position`
    real *sample_value   # as `sample`


cdef struct Share:  # one thread's part of a matrix
    Py_ssize_t panel, panel_end, row, row_end


cdef struct Task:
    Layer *layers
    Py_ssize_t n_layers, batch, rows
    int loss
    bint sparse
    int64_t n_threads, thread
    uint32_t seed_low, seed_high, step
    const real *X
    const uint8_t *X_bytes
    Py_ssize_t n_features
    real scale
    const int64_t *samples  # of the batch; NULL: from first_sample on
    Py_ssize_t first_sample
    const real *targets     # NULL: no loss, no deltas
    Py_ssize_t n_targets
    double *losses
    real *zeros
    real *packed  # this thread's scratch: (batch + 1, WIDTH)
    Lists lists
    int64_t *sync
    const int64_t *stop


include "panels.pxi"
include "layers.pxi"
include "small.pxi"
include "delta_rule.pxi"
include "predict.pxi"
include "distortion.pxi"


cdef Task *new_task(
    const int64_t[:, ::1] table, const int64_t[::1] settings, const double[::1] rates,
    real[::1] weights, real[::1] moment_1, real[::1] moment_2, real[::1] work, int32_t[::1] lists,
    int64_t[::1] sync, const int64_t[::1] stop, const real[:, ::1] X, const uint8_t[:, ::1] X_bytes, double[::1] losses,
    Py_ssize_t thread, Py_ssize_t n_threads,
) except NULL:
    """Gather the arguments of a call in one structure; the caller frees it."""
    cdef Py_ssize_t n = table.shape[0] - 1, l, n_in = table[0, UNITS], batch = settings[BATCH]
    cdef Task *task = <Task *>malloc(sizeof(Task) + (n + 1) * sizeof(Layer))
    cdef Layer *layer
    if task == NULL:
        raise MemoryError("no memory for the table of layers")
    task.layers = <Layer *>(task + 1)
    task.n_layers, task.batch, task.loss = n, batch, <int>settings[LOSS]
    task.sparse, task.n_threads, task.thread = settings[SPARSE] != 0, n_threads, thread
    task.seed_low = <uint32_t>(<uint64_t>settings[SEED] & 0xFFFFFFFF)
    task.seed_high = <uint32_t>(<uint64_t>settings[SEED] >> 32)
    task.step = <uint32_t>settings[STEP]
    task.X = &X[0, 0] if X is not None and X.shape[0] else NULL
    task.X_bytes = &X_bytes[0, 0] if X_bytes is not None and X_bytes.shape[0] else NULL
    task.n_features, task.scale = n_in, <real>rates[SCALE]
    task.losses, task.targets, task.n_targets = &losses[0], NULL, 0
    task.samples, task.first_sample = NULL, 0
    task.sync, task.stop = &sync[0], &stop[0]
    task.zeros = &work[work.shape[0] - WIDTH]
    if task.sparse:
        task.zeros -= 2 * n_in * batch
        task.lists.value = task.zeros + WIDTH
        task.lists.sample_value = task.lists.value + n_in * batch
        task.lists.position = &lists[0]
        task.lists.sample = task.lists.position + n_in * batch
        task.lists.split = task.lists.sample + n_in * batch
        task.lists.start = task.lists.split + (n_threads + 1) * batch
    task.packed = task.zeros - (n_threads - thread) * (batch + 1) * WIDTH
    for l in range(1, n + 1):
        layer = &task.layers[l]
        layer.n_in, layer.n_out = table[l - 1, UNITS], table[l, UNITS]
        layer.panels_in, layer.panels = table[l - 1, PANELS], table[l, PANELS]
        layer.activation = <int>table[l, ACTIVATION]
        layer.drop_limit = <uint32_t>table[l, DROP_LIMIT]
        layer.weights = &weights[table[l, WEIGHTS]]
        layer.moment_1 = &moment_1[table[l, WEIGHTS]] if moment_1.shape[0] else NULL
        layer.moment_2 = &moment_2[table[l, WEIGHTS]] if moment_2.shape[0] else NULL
        layer.transposed = &work[table[l, TRANSPOSED]]
        layer.inputs, layer.outputs = &work[table[l - 1, OUTPUTS]], &work[table[l, OUTPUTS]]
        layer.slopes, layer.deltas = &work[table[l, SLOPES]], &work[table[l, DELTAS]]
        layer.slopes_below = &work[table[l - 1, SLOPES]]
        layer.deltas_below = &work[table[l - 1, DELTAS]]
    return task


def mlp_train(
    const int64_t[:, ::1] table, const int64_t[::1] settings, const double[::1] rates,
    real[::1] weights, real[::1] moment_1, real[::1] moment_2, real[::1] work, int32_t[::1] lists,
    int64_t[::1] sync, const int64_t[::1] stop, const real[:, ::1] X, const uint8_t[:, ::1] X_bytes,
    const real[:, ::1] targets, const int64_t[:, ::1] order, double[::1] losses,
    double[::1] loss_sums, Py_ssize_t thread,
):
    """Run one thread of `interface.Kernels.mlp_train`; its threads meet at barriers.

    `losses` has room for the losses of one batch.
    """
    cdef Task *task = new_task(table, settings, rates, weights, moment_1, moment_2, work, lists,
                               sync, stop, X, X_bytes, losses, thread, settings[N_THREADS])
    try:
        task.targets, task.n_targets = &targets[0, 0], targets.shape[1]
        with nogil:
            train(task, settings, rates, order, loss_sums)
    finally:
        free(task)


cdef void train(
    Task *task, const int64_t[::1] settings, const double[::1] rates,
    const int64_t[:, ::1] order, double[::1] loss_sums,
) noexcept nogil:
    cdef Py_ssize_t epoch, start, i, l, p, n = order.shape[1]
    cdef int64_t step = settings[STEP]
    cdef Layer *layer
    cdef Rates now
    now.optimizer = <int>settings[OPTIMIZER]
    now.beta_1, now.beta_2 = <real>rates[BETA_1], <real>rates[BETA_2]
    now.epsilon = <real>rates[EPSILON]
    if is_small(task, order) and train_small(task, &now, step, rates, order, loss_sums):
        return
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
            task.step = <uint32_t>step
            step += 1
            now.rate = rate_of_step(&now, rates, step)
            now.decay = <real>(rates[ALPHA] / task.rows)
            if not train_batch(task, &now):
                return
            if task.thread == 0:
                for i in range(task.rows):
                    loss_sums[epoch] += task.losses[i]
            start += task.batch


cdef real rate_of_step(Rates *now, const double[::1] rates, int64_t step) noexcept nogil:
    """Return the step size; Adam's carries the correction of its two means (see python.py)."""
    if now.optimizer != ADAM:
        return <real>rates[RATE]
    return <real>(rates[RATE] * sqrt(1 - pow(rates[BETA_2], <double>step))
                  / (1 - pow(rates[BETA_1], <double>step)))


cdef bint train_batch(Task *task, Rates *rates) noexcept nogil:
    """Make one step. A barrier stands wherever a thread needs what another has computed.

    Returns whether to go on; the call has been given up if not.
    """
    cdef Py_ssize_t l
    if is_stopped(task.stop):
        return False
    load_batch(task)
    if not meet(task):
        return False
    if task.sparse and not is_online(task, rates):
        list_by_input(task)
    for l in range(1, task.n_layers + 1):
        forward(task, l, True)
        if not meet(task):
            return False
    for l in range(task.n_layers, 0, -1):
        if l > 1:
            deltas_below(task, &task.layers[l])
            if not meet(task):
                return False
        update(task, l, rates)
    return meet(task)


cdef inline bint meet(Task *task) noexcept nogil:
    """Wait for the other threads of the call; return False if it has been given up."""
    return barrier_wait(task.sync, task.stop, task.n_threads)


def mlp_forward(
    const int64_t[:, ::1] table, const int64_t[::1] settings, const double[::1] rates,
    real[::1] weights, real[::1] moment_1, real[::1] moment_2, real[::1] work, int32_t[::1] lists,
    int64_t[::1] sync, const int64_t[::1] stop, const real[:, ::1] X, const uint8_t[:, ::1] X_bytes,
    const real[:, ::1] targets, double[::1] losses, real[:, ::1] outputs, Py_ssize_t layer,
    Py_ssize_t first, Py_ssize_t end,
):
    """Write the outputs of `layer` for samples first to end and, given targets, their losses."""
    cdef Task *task = new_task(table, settings, rates, weights, moment_1, moment_2, work, lists,
                               sync, stop, X, X_bytes, losses, 0, 1)
    try:
        if targets.shape[0]:
            task.targets, task.n_targets = &targets[0, 0], targets.shape[1]
        with nogil:
            forward_samples(task, outputs, layer, first, end)
    finally:
        free(task)


cdef void forward_samples(
    Task *task, real[:, ::1] outputs, Py_ssize_t layer, Py_ssize_t start, Py_ssize_t end
) noexcept nogil:
    cdef double *losses = task.losses
    cdef Py_ssize_t i, c, l
    while start < end:
        task.rows = task.batch if end - start >= task.batch else end - start
        task.first_sample, task.losses = start, losses + start
        load_batch(task)
        for l in range(1, layer + 1):
            forward(task, l, False)
        for i in range(task.rows):
            for c in range(task.layers[layer].n_out):
                outputs[start + i, c] = task.layers[layer].outputs[place(task, i, c)]
        start += task.batch
