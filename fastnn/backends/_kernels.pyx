# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, freethreading_compatible=True
"""The Cython kernels; panels.py says how the arrays are laid out, python.py what they compute.

Compiled once per processor level and dtype (setup.py), with `real` and `vec` from _vector.h.
"""

from libc.math cimport exp, fabs, log, log1p, pow, sqrt
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc

cdef extern from "_vector.h" nogil:
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
    vec vsqrt(vec a)
    vec vsigmoid(vec a)
    vec vtanh(vec a)
    void barrier_wait(int64_t *counter, int64_t n)
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

PANEL_WIDTH = WIDTH
LEVEL = processor_level()


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
    Lists lists
    int64_t *sync


# --- products of panels ------------------------------------------------------------------------


cdef void multiply_panel(
    const real *a, Py_ssize_t batch, Py_ssize_t i, Py_ssize_t end, Py_ssize_t n,
    const real *w, const real *bias, real *out,
) noexcept nogil:
    """out[i:end] = bias + a[i:end] w for one panel w of n rows; `a` is in panels of `batch` rows.

    Tiles of 4 samples by 2 vectors stay in 8 registers: each load of a weight serves 4 samples.
    """
    cdef Py_ssize_t k, p, first, m
    cdef const real *x
    cdef const real *wk
    cdef vec w0, w1, b0 = vload(bias), b1 = vload(bias + LANES)
    cdef vec s00, s01, s10, s11, s20, s21, s30, s31
    while i + 4 <= end:
        s00 = s10 = s20 = s30 = b0
        s01 = s11 = s21 = s31 = b1
        wk = w
        for p in range((n + WIDTH - 1) // WIDTH):
            first = p * WIDTH
            x = a + first * batch + i * WIDTH
            m = n - first if n - first < WIDTH else WIDTH
            for k in range(m):
                w0, w1 = vload(wk), vload(wk + LANES)
                s00, s01 = vfma(x[k], w0, s00), vfma(x[k], w1, s01)
                s10, s11 = vfma(x[k + WIDTH], w0, s10), vfma(x[k + WIDTH], w1, s11)
                s20, s21 = vfma(x[k + 2 * WIDTH], w0, s20), vfma(x[k + 2 * WIDTH], w1, s21)
                s30, s31 = vfma(x[k + 3 * WIDTH], w0, s30), vfma(x[k + 3 * WIDTH], w1, s31)
                wk += WIDTH
        vstore(out + i * WIDTH, s00)
        vstore(out + i * WIDTH + LANES, s01)
        vstore(out + (i + 1) * WIDTH, s10)
        vstore(out + (i + 1) * WIDTH + LANES, s11)
        vstore(out + (i + 2) * WIDTH, s20)
        vstore(out + (i + 2) * WIDTH + LANES, s21)
        vstore(out + (i + 3) * WIDTH, s30)
        vstore(out + (i + 3) * WIDTH + LANES, s31)
        i += 4
    while i < end:
        s00, s01 = b0, b1
        wk = w
        for p in range((n + WIDTH - 1) // WIDTH):
            first = p * WIDTH
            x = a + first * batch + i * WIDTH
            m = n - first if n - first < WIDTH else WIDTH
            for k in range(m):
                s00, s01 = vfma(x[k], vload(wk), s00), vfma(x[k], vload(wk + LANES), s01)
                wk += WIDTH
        vstore(out + i * WIDTH, s00)
        vstore(out + i * WIDTH + LANES, s01)
        i += 1


cdef void multiply_panel_sparse(
    Task *task, Py_ssize_t i, Py_ssize_t end, const real *w, const real *bias, real *out
) noexcept nogil:
    """The same for the inputs of the batch, skipping zeros; two sums hide the adder's latency."""
    cdef Py_ssize_t n_in = task.n_features, q, n
    cdef const int32_t *k
    cdef const real *x
    cdef const real *wk
    cdef vec s0, s1, r0, r1
    while i < end:
        k, x = task.lists.position + i * n_in, task.lists.value + i * n_in
        n = task.lists.split[i * (task.n_threads + 1) + task.n_threads]
        s0, s1 = vload(bias), vload(bias + LANES)
        r0 = r1 = vsplat(0)
        q = 0
        while q + 2 <= n:
            wk = w + k[q] * WIDTH
            s0, s1 = vfma(x[q], vload(wk), s0), vfma(x[q], vload(wk + LANES), s1)
            wk = w + k[q + 1] * WIDTH
            r0, r1 = vfma(x[q + 1], vload(wk), r0), vfma(x[q + 1], vload(wk + LANES), r1)
            q += 2
        if q < n:
            wk = w + k[q] * WIDTH
            s0, s1 = vfma(x[q], vload(wk), s0), vfma(x[q], vload(wk + LANES), s1)
        vstore(out + i * WIDTH, vadd(s0, r0))
        vstore(out + i * WIDTH + LANES, vadd(s1, r1))
        i += 1


# --- optimizers --------------------------------------------------------------------------------


cdef inline void descend(
    Layer *layer, Py_ssize_t at, vec g, real decay, Rates *rates
) noexcept nogil:
    """Update LANES weights from their gradient g, plus the penalty's decay * w."""
    cdef vec w = vload(layer.weights + at), m, v
    if decay != 0:
        g = vfma(decay, w, g)
    if rates.optimizer == ADAM:
        m, v = vload(layer.moment_1 + at), vload(layer.moment_2 + at)
        m = vfma(rates.beta_1, m, vmul(vsplat(1 - rates.beta_1), g))
        v = vfma(rates.beta_2, v, vmul(vsplat(1 - rates.beta_2), vmul(g, g)))
        vstore(layer.moment_1 + at, m)
        vstore(layer.moment_2 + at, v)
        g = vdiv(m, vadd(vsqrt(v), vsplat(rates.epsilon)))
        vstore(layer.weights + at, vfma(-rates.rate, g, w))
    elif rates.optimizer == SGD:
        vstore(layer.weights + at, vfma(-rates.rate, g, w))
    elif rates.optimizer == MOMENTUM:
        m = vsub(vmul(vsplat(rates.beta_1), vload(layer.moment_1 + at)),
                 vmul(vsplat(rates.rate), g))
        vstore(layer.moment_1 + at, m)
        vstore(layer.weights + at, vadd(w, m))
    else:
        vstore(layer.moment_1 + at, g)


cdef inline void descend_row(
    Layer *layer, Py_ssize_t at, vec g0, vec g1, real decay, Rates *rates
) noexcept nogil:
    descend(layer, at, g0, decay, rates)
    descend(layer, at + LANES, g1, decay, rates)


cdef void update_panel(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Rates *rates
) noexcept nogil:
    """Update rows k to end of panel p; row n_in is the bias. The gradient stays in registers."""
    cdef Py_ssize_t i, tile, at = (p * (layer.n_in + 1) + k) * WIDTH, rows = task.rows
    cdef const real *d = layer.deltas + p * task.batch * WIDTH
    cdef const real *x
    cdef vec d0, d1, g00, g01, g10, g11, g20, g21, g30, g31
    while k < end:
        tile = 4 if k % 4 == 0 and k + 4 <= end and k + 4 <= layer.n_in else 1
        x = layer.inputs + (k // WIDTH) * task.batch * WIDTH + k % WIDTH
        g00 = g01 = g10 = g11 = g20 = g21 = g30 = g31 = vsplat(0)
        if tile == 4:
            for i in range(rows):
                d0, d1 = vload(d + i * WIDTH), vload(d + i * WIDTH + LANES)
                g00, g01 = vfma(x[0], d0, g00), vfma(x[0], d1, g01)
                g10, g11 = vfma(x[1], d0, g10), vfma(x[1], d1, g11)
                g20, g21 = vfma(x[2], d0, g20), vfma(x[2], d1, g21)
                g30, g31 = vfma(x[3], d0, g30), vfma(x[3], d1, g31)
                x += WIDTH
            descend_row(layer, at, g00, g01, rates.decay, rates)
            descend_row(layer, at + WIDTH, g10, g11, rates.decay, rates)
            descend_row(layer, at + 2 * WIDTH, g20, g21, rates.decay, rates)
            descend_row(layer, at + 3 * WIDTH, g30, g31, rates.decay, rates)
        elif k < layer.n_in:
            for i in range(rows):
                g00 = vfma(x[i * WIDTH], vload(d + i * WIDTH), g00)
                g01 = vfma(x[i * WIDTH], vload(d + i * WIDTH + LANES), g01)
            descend_row(layer, at, g00, g01, rates.decay, rates)
        else:
            for i in range(rows):
                g00 = vadd(g00, vload(d + i * WIDTH))
                g01 = vadd(g01, vload(d + i * WIDTH + LANES))
            descend_row(layer, at, g00, g01, 0, rates)
        k += tile
        at += tile * WIDTH


cdef void update_panel_sparse(
    Task *task, Layer *layer, Py_ssize_t p, Py_ssize_t k, Py_ssize_t end, Rates *rates
) noexcept nogil:
    """The same for the first layer: only the samples that have input k contribute."""
    cdef Py_ssize_t q, at = p * (layer.n_in + 1) * WIDTH
    cdef const real *d = layer.deltas + p * task.batch * WIDTH
    cdef const real *di
    cdef Lists *lists = &task.lists
    cdef vec g0, g1
    while k < end and k < layer.n_in:
        if lists.start[k] == lists.start[k + 1] and rates.optimizer == SGD and rates.decay == 0:
            k += 1
            continue
        g0 = g1 = vsplat(0)
        for q in range(lists.start[k], lists.start[k + 1]):
            di = d + lists.sample[q] * WIDTH
            g0 = vfma(lists.sample_value[q], vload(di), g0)
            g1 = vfma(lists.sample_value[q], vload(di + LANES), g1)
        descend_row(layer, at + k * WIDTH, g0, g1, rates.decay, rates)
        k += 1
    if k < end:
        update_panel(task, layer, p, k, end, rates)


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


# --- activations, dropout, loss ----------------------------------------------------------------


cdef void activate_panel(Layer *layer, real *y, real *slope, Py_ssize_t n) noexcept nogil:
    """Replace n net inputs z by f(z), and store f'(z); n is a multiple of LANES."""
    cdef Py_ssize_t q = 0
    cdef int code = layer.activation
    cdef vec one = vsplat(1), z, v
    while q < n:
        z = vload(y + q)
        if code == RELU:
            vstore(y + q, vmax(z, vsplat(0)))
            vstore(slope + q, vpositive(z))
        elif code == SIGMOID:
            v = vsigmoid(z)
            vstore(y + q, v)
            vstore(slope + q, vmul(v, vsub(one, v)))
        elif code == TANH:
            v = vtanh(z)
            vstore(y + q, v)
            vstore(slope + q, vsub(one, vmul(v, v)))
        elif code == SOFTSIGN:
            v = vdiv(one, vadd(one, vabs(z)))
            vstore(y + q, vmul(z, v))
            vstore(slope + q, vmul(v, v))
        elif code == SIGN:
            vstore(y + q, vsub(vpositive(z), vpositive(vsub(vsplat(0), z))))
            vstore(slope + q, vsplat(0))
        else:
            vstore(slope + q, one)
        q += LANES


cdef void philox_blocks(
    uint32_t first, uint32_t row, uint32_t step, uint32_t stream, uint32_t k0, uint32_t k1,
    uint32_t *out,
) noexcept nogil:
    """Write the words of counters (first + q, row, step, stream), q < WIDTH / 4; see python.py.

    The blocks are independent, so the compiler makes vectors of the loops over q.
    """
    cdef uint32_t c0[BLOCKS]
    cdef uint32_t c1[BLOCKS]
    cdef uint32_t c2[BLOCKS]
    cdef uint32_t c3[BLOCKS]
    cdef uint64_t p0, p1
    cdef int q, r
    for q in range(BLOCKS):
        c0[q], c1[q], c2[q], c3[q] = first + <uint32_t>q, row, step, stream
    for r in range(10):
        for q in range(BLOCKS):
            p0, p1 = <uint64_t>0xD2511F53 * c0[q], <uint64_t>0xCD9E8D57 * c2[q]
            c0[q], c2[q] = <uint32_t>(p1 >> 32) ^ c1[q] ^ k0, <uint32_t>(p0 >> 32) ^ c3[q] ^ k1
            c1[q], c3[q] = <uint32_t>p1, <uint32_t>p0
        k0 += <uint32_t>0x9E3779B9
        k1 += <uint32_t>0xBB67AE85
    for q in range(BLOCKS):
        out[4 * q], out[4 * q + 1], out[4 * q + 2], out[4 * q + 3] = c0[q], c1[q], c2[q], c3[q]


def philox(const uint32_t[::1] counter, uint64_t seed):
    """Return the four words of one counter: for tests against known answers."""
    cdef uint32_t out[WIDTH]
    philox_blocks(counter[0], counter[1], counter[2], counter[3],
                  <uint32_t>(seed & 0xFFFFFFFF), <uint32_t>(seed >> 32), out)
    return out[0], out[1], out[2], out[3]


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
            <uint32_t>(p * BLOCKS), <uint32_t>i, task.step,
            <uint32_t>(STREAM_DROPOUT << 16 | index), task.seed_low, task.seed_high, random,
        )
        y = layer.outputs + (p * task.batch + i) * WIDTH
        slope = layer.slopes + (p * task.batch + i) * WIDTH
        for j in range(WIDTH):
            factor = 0 if random[j] < limit else keep
            y[j] *= factor
            slope[j] *= factor
        i += 1


cdef inline Py_ssize_t place(Task *task, Py_ssize_t i, Py_ssize_t c) noexcept nogil:
    return ((c // WIDTH) * task.batch + i) * WIDTH + c % WIDTH


cdef inline Py_ssize_t sample_of(Task *task, Py_ssize_t i) noexcept nogil:
    return task.samples[i] if task.samples != NULL else task.first_sample + i


cdef void finish_sample(
    Task *task, Layer *layer, Py_ssize_t i, bint from_z
) noexcept nogil:
    """Store loss and deltas of one sample; `from_z`: the outputs hold z, and get f(z) here.

    The formulas are those of python.py (`_sample_loss`, `_output_delta`).
    """
    cdef Py_ssize_t c, at, n = layer.n_out
    cdef double z, y, e, largest, total = 0, loss = 0, mean = 0
    cdef double factor = 2 if task.loss == SQUARED_ERROR else 1
    cdef double share = 1.0 / task.rows
    cdef real *out = layer.outputs
    cdef const real *t = NULL
    if task.targets != NULL:
        t = task.targets + sample_of(task, i) * task.n_targets
    if from_z and layer.activation == SOFTMAX:
        largest = out[place(task, i, 0)]
        for c in range(1, n):
            z = out[place(task, i, c)]
            if z > largest:
                largest = z
        for c in range(n):
            total += exp(out[place(task, i, c)] - largest)
        for c in range(n):
            at = place(task, i, c)
            z = out[at] - largest
            y = exp(z) / total
            out[at] = <real>y
            if t == NULL:
                continue
            if task.loss == SPARSE_CATEGORICAL_CROSSENTROPY:
                e = y - (c == <Py_ssize_t>t[0])
                if c == <Py_ssize_t>t[0]:
                    loss = log(total) - z
            elif task.loss == CATEGORICAL_CROSSENTROPY:
                e = y - t[c]
                if t[c] != 0:
                    loss += t[c] * (log(total) - z)
            else:
                e = y - t[c]
                loss += factor / 2 * e * e
                mean += e * y
            layer.deltas[at] = <real>(e * share)
        if t != NULL and task.loss <= SQUARED_ERROR:
            for c in range(n):
                at = place(task, i, c)
                layer.deltas[at] = <real>(factor * share * out[at] * (out[at] - t[c] - mean))
    elif from_z:  # sigmoid and binary cross-entropy
        for c in range(n):
            at = place(task, i, c)
            z = out[at]
            e = exp(-fabs(z))
            y = 1 / (1 + e) if z >= 0 else e / (1 + e)
            out[at] = <real>y
            if t != NULL:
                loss += (z if z > 0 else 0) - z * t[c] + log1p(e)
                layer.deltas[at] = <real>((y - t[c]) * share)
    elif t != NULL:
        for c in range(n):
            at = place(task, i, c)
            e = out[at] - t[c]
            loss += factor / 2 * e * e
            layer.deltas[at] = <real>(factor * share * e * layer.slopes[at])
    if t != NULL:
        task.losses[i] = loss


# --- the steps of a batch ----------------------------------------------------------------------


cdef Share share_of(Py_ssize_t panels, Py_ssize_t rows, Task *task) noexcept nogil:
    """Return this thread's panels and all rows, or, where panels are few, all panels and rows."""
    cdef int64_t t = task.thread, n = task.n_threads
    cdef Share share
    share.panel, share.panel_end, share.row, share.row_end = 0, panels, 0, rows
    if panels % n == 0 or panels >= 4 * n:
        share.panel, share.panel_end = panels * t // n, panels * (t + 1) // n
    else:
        share.row, share.row_end = rows * t // n, rows * (t + 1) // n
    return share


cdef void load_batch(Task *task) noexcept nogil:
    """Read this thread's samples of the batch: all inputs, or the list of those that are not 0."""
    cdef Py_ssize_t i
    for i in range(task.rows * task.thread // task.n_threads,
                   task.rows * (task.thread + 1) // task.n_threads):
        if task.sparse:
            load_sparse(task, i, sample_of(task, i))
        else:
            load_dense(task, i, sample_of(task, i))


cdef void load_dense(Task *task, Py_ssize_t i, Py_ssize_t sample) noexcept nogil:
    """Copy one sample's inputs into row i of the input panels."""
    cdef Py_ssize_t k, n = task.n_features
    cdef real *out = task.layers[1].inputs
    if task.X_bytes == NULL:
        for k in range(n):
            out[place(task, i, k)] = task.X[sample * n + k] * task.scale
    else:
        for k in range(n):
            out[place(task, i, k)] = task.X_bytes[sample * n + k] * task.scale


cdef void load_sparse(Task *task, Py_ssize_t i, Py_ssize_t sample) noexcept nogil:
    """List one sample's non-zero inputs; written without branches, since zeros come at random."""
    cdef Py_ssize_t k, n = task.n_features
    cdef int64_t t
    cdef int32_t found = 0
    cdef int32_t *position = task.lists.position + i * n
    cdef int32_t *split = task.lists.split + i * (task.n_threads + 1)
    cdef real *value = task.lists.value + i * n
    cdef const real *x = task.X + sample * n
    cdef const uint8_t *x_bytes = task.X_bytes + sample * n
    for t in range(task.n_threads):
        split[t] = found
        for k in range(n * t // task.n_threads, n * (t + 1) // task.n_threads):
            position[found] = <int32_t>k
            if task.X_bytes == NULL:
                value[found] = x[k] * task.scale
                found += x[k] != 0
            else:
                value[found] = x_bytes[k] * task.scale
                found += x_bytes[k] != 0
    split[task.n_threads] = found


cdef void list_by_input(Task *task) noexcept nogil:
    """Sort this thread's range of the inputs in the samples' lists by input (a counting sort)."""
    cdef Lists *lists = &task.lists
    cdef Py_ssize_t n = task.n_features, i, q, k, stride = task.n_threads + 1
    cdef Py_ssize_t first = n * task.thread // task.n_threads
    cdef Py_ssize_t end = n * (task.thread + 1) // task.n_threads
    cdef int32_t at = 0
    cdef int32_t *split
    # `start` is shifted by one while counting, so that filling leaves it right.
    cdef int32_t *fill = lists.start + 1
    for k in range(first, end):
        fill[k] = 0
    for i in range(task.rows):
        split = lists.split + i * stride
        at += split[task.thread]
        for q in range(split[task.thread], split[task.thread + 1]):
            fill[lists.position[i * n + q]] += 1
    if task.thread == 0:
        lists.start[0] = 0
    for k in range(first, end):
        fill[k], at = at, at + fill[k]
    for i in range(task.rows):
        split = lists.split + i * stride
        for q in range(split[task.thread], split[task.thread + 1]):
            k = lists.position[i * n + q]
            lists.sample[fill[k]] = <int32_t>i
            lists.sample_value[fill[k]] = lists.value[i * n + q]
            fill[k] += 1


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
    from_z = is_last and (layer.activation == SOFTMAX or task.loss == BINARY_CROSSENTROPY)
    for p in range(share.panel, share.panel_end):
        w = layer.weights + p * size
        at = p * task.batch * WIDTH
        if l == 1 and task.sparse:
            multiply_panel_sparse(task, share.row, share.row_end, w, w + size - WIDTH,
                                  layer.outputs + at)
        else:
            multiply_panel(layer.inputs, task.batch, share.row, share.row_end, layer.n_in,
                           w, w + size - WIDTH, layer.outputs + at)
        if not from_z:
            at += share.row * WIDTH
            activate_panel(layer, layer.outputs + at, layer.slopes + at,
                           (share.row_end - share.row) * WIDTH)
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
        multiply_panel(layer.deltas, task.batch, share.row, share.row_end, layer.n_out,
                       layer.transposed + p * layer.n_out * WIDTH, task.zeros,
                       layer.deltas_below + at)
        q = at + share.row * WIDTH
        while q < at + share.row_end * WIDTH:
            vstore(layer.deltas_below + q,
                   vmul(vload(layer.deltas_below + q), vload(layer.slopes_below + q)))
            q += LANES


cdef void update(Task *task, Py_ssize_t l, Rates *rates) noexcept nogil:
    """Update this thread's share of layer l's weights (2.39), (2.40), (2.44) to (2.46)."""
    cdef Layer *layer = &task.layers[l]
    cdef Share share = share_of(layer.panels, layer.n_in + 1, task)
    cdef Py_ssize_t p
    for p in range(share.panel, share.panel_end):
        if l == 1 and task.sparse:
            update_panel_sparse(task, layer, p, share.row, share.row_end, rates)
        else:
            update_panel(task, layer, p, share.row, share.row_end, rates)
        if l > 1:
            transpose_panel(layer, p, share.row, share.row_end)


cdef Task *new_task(
    const int64_t[:, ::1] table, const int64_t[::1] settings, const double[::1] rates,
    real[::1] weights, real[::1] moment_1, real[::1] moment_2, real[::1] work, int32_t[::1] lists,
    int64_t[::1] sync, const real[:, ::1] X, const uint8_t[:, ::1] X_bytes, double[::1] losses,
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
    task.sync = &sync[0]
    task.zeros = &work[work.shape[0] - WIDTH]
    if task.sparse:
        task.zeros -= 2 * n_in * batch
        task.lists.value = task.zeros + WIDTH
        task.lists.sample_value = task.lists.value + n_in * batch
        task.lists.position = &lists[0]
        task.lists.sample = task.lists.position + n_in * batch
        task.lists.split = task.lists.sample + n_in * batch
        task.lists.start = task.lists.split + (n_threads + 1) * batch
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


# --- entry points ------------------------------------------------------------------------------


def mlp_train(
    const int64_t[:, ::1] table, const int64_t[::1] settings, const double[::1] rates,
    real[::1] weights, real[::1] moment_1, real[::1] moment_2, real[::1] work, int32_t[::1] lists,
    int64_t[::1] sync, const real[:, ::1] X, const uint8_t[:, ::1] X_bytes,
    const real[:, ::1] targets, const int64_t[:, ::1] order, double[::1] losses,
    double[::1] loss_sums, Py_ssize_t thread,
):
    """Run one thread of `interface.Kernels.mlp_train`; its threads meet at barriers.

    `losses` has room for the losses of one batch.
    """
    cdef Task *task = new_task(table, settings, rates, weights, moment_1, moment_2, work, lists,
                               sync, X, X_bytes, losses, thread, settings[N_THREADS])
    task.targets, task.n_targets = &targets[0, 0], targets.shape[1]
    with nogil:
        train(task, settings, rates, order, loss_sums)
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
            now.rate = <real>rates[RATE]
            if now.optimizer == ADAM:
                now.rate = <real>(rates[RATE] * sqrt(1 - pow(rates[BETA_2], <double>step))
                                  / (1 - pow(rates[BETA_1], <double>step)))
            now.decay = <real>(rates[ALPHA] / task.rows)
            train_batch(task, &now)
            if task.thread == 0:
                for i in range(task.rows):
                    loss_sums[epoch] += task.losses[i]
            start += task.batch


cdef void train_batch(Task *task, Rates *rates) noexcept nogil:
    """Make one step. A barrier stands wherever a thread needs what another has computed."""
    cdef Py_ssize_t l
    load_batch(task)
    barrier_wait(task.sync, task.n_threads)
    if task.sparse:
        list_by_input(task)
    for l in range(1, task.n_layers + 1):
        forward(task, l, True)
        barrier_wait(task.sync, task.n_threads)
    for l in range(task.n_layers, 0, -1):
        if l > 1:
            deltas_below(task, &task.layers[l])
            barrier_wait(task.sync, task.n_threads)
        update(task, l, rates)
    barrier_wait(task.sync, task.n_threads)


def mlp_forward(
    const int64_t[:, ::1] table, const int64_t[::1] settings, const double[::1] rates,
    real[::1] weights, real[::1] moment_1, real[::1] moment_2, real[::1] work, int32_t[::1] lists,
    int64_t[::1] sync, const real[:, ::1] X, const uint8_t[:, ::1] X_bytes,
    const real[:, ::1] targets, double[::1] losses, real[:, ::1] outputs, Py_ssize_t layer,
    Py_ssize_t start, Py_ssize_t stop,
):
    """Write the outputs of `layer` for samples start to stop and, given targets, their losses."""
    cdef Task *task = new_task(table, settings, rates, weights, moment_1, moment_2, work, lists,
                               sync, X, X_bytes, losses, 0, 1)
    if targets.shape[0]:
        task.targets, task.n_targets = &targets[0, 0], targets.shape[1]
    with nogil:
        forward_samples(task, outputs, layer, start, stop)
    free(task)


cdef void forward_samples(
    Task *task, real[:, ::1] outputs, Py_ssize_t layer, Py_ssize_t start, Py_ssize_t stop
) noexcept nogil:
    cdef double *losses = task.losses
    cdef Py_ssize_t i, c, l
    while start < stop:
        task.rows = task.batch if stop - start >= task.batch else stop - start
        task.first_sample, task.losses = start, losses + start
        load_batch(task)
        for l in range(1, layer + 1):
            forward(task, l, False)
        for i in range(task.rows):
            for c in range(task.layers[layer].n_out):
                outputs[start + i, c] = task.layers[layer].outputs[place(task, i, c)]
        start += task.batch


# --- perceptron and linear network -------------------------------------------------------------


def delta_rule(
    const real[:, ::1] X, const real[:, ::1] targets, real[:, ::1] weights, real[:, ::1] change,
    double rate, bint use_sign, const int64_t[:, ::1] order, bint online,
    real[:, :, ::1] history, double[::1] losses,
):
    """Run `perceptron_train` (use_sign) or `linear_train`; weights are (n_outputs, n_inputs).

    `change` is scratch of the same shape. Returns the epochs run.
    """
    cdef Py_ssize_t epoch, k, c, n_mistakes
    for epoch in range(losses.shape[0]):
        with nogil:
            n_mistakes = delta_rule_epoch(X, targets, weights, change, rate, use_sign,
                                          order[epoch % order.shape[0]], online, &losses[epoch])
        if use_sign and n_mistakes == 0:
            return epoch
        if history.shape[0]:
            for k in range(weights.shape[1]):
                for c in range(weights.shape[0]):
                    history[epoch, k, c] = weights[c, k]
    return losses.shape[0]


cdef real dot(const real *a, const real *b, Py_ssize_t n) noexcept nogil:
    cdef vec s0 = vsplat(0), s1 = vsplat(0)
    cdef Py_ssize_t k = 0
    cdef real total
    while k + WIDTH <= n:
        s0 = vmuladd(vload_unaligned(a + k), vload_unaligned(b + k), s0)
        s1 = vmuladd(vload_unaligned(a + k + LANES), vload_unaligned(b + k + LANES), s1)
        k += WIDTH
    total = vsum(vadd(s0, s1))
    while k < n:
        total += a[k] * b[k]
        k += 1
    return total


cdef void add_scaled(real factor, const real *a, real *b, Py_ssize_t n) noexcept nogil:
    """b += factor a."""
    cdef Py_ssize_t k = 0
    while k + LANES <= n:
        vstore_unaligned(b + k, vfma(factor, vload_unaligned(a + k), vload_unaligned(b + k)))
        k += LANES
    while k < n:
        b[k] += factor * a[k]
        k += 1


cdef Py_ssize_t delta_rule_epoch(
    const real[:, ::1] X, const real[:, ::1] targets, real[:, ::1] weights, real[:, ::1] change,
    double rate, bint use_sign, const int64_t[::1] order, bint online, double *loss,
) noexcept nogil:
    """Make one epoch of w += rate (t - y) x (1.2); return the number of wrong samples."""
    cdef Py_ssize_t n = X.shape[0], d = X.shape[1], q, i, c, k, n_mistakes = 0
    cdef bint wrong
    cdef real z, error
    cdef double squares = 0
    if not online:
        change[:, :] = 0
    for q in range(n):
        i = order[q] if online else q
        wrong = False
        for c in range(weights.shape[0]):
            z = dot(&X[i, 0], &weights[c, 0], d)
            if use_sign:
                z = (z > 0) - (z < 0)
            error = targets[i, c] - z
            squares += <double>error * error
            if error != 0:
                wrong = True
                if online:
                    add_scaled(<real>(rate * error), &X[i, 0], &weights[c, 0], d)
                else:
                    add_scaled(error, &X[i, 0], &change[c, 0], d)
        n_mistakes += wrong
    if not online:
        for c in range(weights.shape[0]):
            add_scaled(<real>(rate / n), &change[c, 0], &weights[c, 0], d)
    loss[0] = squares / (2 * n)
    return n_mistakes
