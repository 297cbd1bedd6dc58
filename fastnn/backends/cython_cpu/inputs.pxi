"""Inputs: compressing them, and reading those of a batch.

A batch of compressed rows is two lists of its values that are not 0, by sample and by input; a
dense one is panels of (B, W). Shapes as in layers.pxi.
"""

cdef enum:
    FEW_ROWS = 8  # whether an input is 0 in all of them is no question that pays


cdef int read_inputs(X, Inputs *inputs) except -1:
    """Note where the arrays of cpu.inputs.Inputs begin; the caller keeps them."""
    cdef const real[::1] reals = X.reals
    cdef const uint8_t[::1] values = X.bytes
    cdef const uint16_t[::1] short_columns = X.short_columns
    cdef const int32_t[::1] columns = X.columns
    cdef const int64_t[::1] starts = X.starts
    inputs.reals = &reals[0] if reals.shape[0] else NULL
    inputs.bytes = &values[0] if values.shape[0] else NULL
    inputs.short_columns = &short_columns[0] if short_columns.shape[0] else NULL
    inputs.columns = &columns[0] if columns.shape[0] else NULL
    inputs.starts = &starts[0] if starts.shape[0] else NULL
    return 0


# --- compressing -------------------------------------------------------------------------------


def count_values(X, Py_ssize_t n_columns, Py_ssize_t first, Py_ssize_t end, int64_t[::1] counts):
    """Count the values that are not 0 in the dense rows first to end."""
    cdef Inputs inputs
    cdef Py_ssize_t i
    read_inputs(X, &inputs)
    with nogil:
        for i in range(first, end):
            counts[i] = count_row(&inputs, i * n_columns, n_columns)


cdef int64_t count_row(const Inputs *inputs, Py_ssize_t at, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t k
    cdef int64_t count = 0
    if inputs.bytes == NULL:
        for k in range(at, at + n):
            count += inputs.reals[k] != 0
    else:
        for k in range(at, at + n):
            count += inputs.bytes[k] != 0
    return count


def compress_rows(
    X, Py_ssize_t n_columns, Py_ssize_t first, Py_ssize_t end, out, bint are_counted
):
    """Write values and columns of the dense rows first to end, where `out` starts them.

    Unless the values are counted, say where the next row starts.
    """
    cdef Inputs inputs, to
    cdef Py_ssize_t i
    cdef int64_t last, room
    cdef int64_t[::1] starts = out.starts
    read_inputs(X, &inputs)
    read_inputs(out, &to)
    with nogil:
        for i in range(first, end):
            last = starts[i + 1] if are_counted else starts[i] + n_columns
            room = starts[end] if are_counted else last
            last = compress_row(&inputs, i * n_columns, n_columns, &to, starts[i], last, room)
            if not are_counted:
                starts[i + 1] = last


cdef int64_t compress_row(
    const Inputs *inputs, Py_ssize_t at, Py_ssize_t n, Inputs *to, int64_t found, int64_t end,
    int64_t room,
) noexcept nogil:
    """Write those of a row up to `end`, and zeros up to `room`, which the next rows write over.

    Without branches, since zeros come at random. Returns where they end.
    """
    cdef Py_ssize_t k
    # Copies that no store can change: they stay in registers.
    cdef const real *reals = inputs.reals
    cdef const uint8_t *values = inputs.bytes
    cdef real *to_reals = <real *>to.reals
    cdef uint8_t *to_values = <uint8_t *>to.bytes
    cdef int32_t *columns = <int32_t *>to.columns
    cdef uint16_t *short_columns = <uint16_t *>to.short_columns
    if values == NULL:
        reals += at
    else:
        values += at
    k = compress_blocks(
        reals, values, n, &found, room, to_reals, to_values, short_columns, columns)
    while k < n and found < end:
        if columns == NULL:
            short_columns[found] = <uint16_t>k
        else:
            columns[found] = <int32_t>k
        if values == NULL:
            to_reals[found] = reals[k]
            found += reals[k] != 0
        else:
            to_values[found] = values[k]
            found += values[k] != 0
        k += 1
    return found


# --- a batch -----------------------------------------------------------------------------------


cdef inline Py_ssize_t sample_of(Task *task, Py_ssize_t i) noexcept nogil:
    return task.samples[i] if task.samples != NULL else task.first_sample + i


cdef void load_batch(Task *task) noexcept nogil:
    """Read this thread's samples of the batch."""
    cdef Py_ssize_t i, sample, first = task.rows * task.thread // task.n_threads
    cdef Py_ssize_t end = task.rows * (task.thread + 1) // task.n_threads
    cdef int64_t at = 0
    if not task.sparse:
        for i in range(first, end):
            load_dense(task, i, sample_of(task, i))
        return
    for i in range(end):
        sample = sample_of(task, i)
        if i >= first:
            load_row(task, i, sample, at)
            prefetch_row(task, i)
        at += task.inputs.starts[sample + 1] - task.inputs.starts[sample]


cdef void load_dense(Task *task, Py_ssize_t i, Py_ssize_t sample) noexcept nogil:
    """Copy one sample's inputs into row i of the input panels."""
    cdef Py_ssize_t p, k, m, n = task.n_features, first = sample * n, stride = task.batch * WIDTH
    cdef real *out = task.layers[1].inputs + i * WIDTH
    cdef real scale = task.scale  # a copy that no store can change: it stays in a register
    for p in range(task.layers[1].panels_in):
        m = n - p * WIDTH if n - p * WIDTH < WIDTH else WIDTH
        if task.inputs.bytes == NULL:
            for k in range(m):
                out[k] = task.inputs.reals[first + k] * scale
        else:
            for k in range(m):
                out[k] = task.inputs.bytes[first + k] * scale
        first += m
        out += stride


cdef void prefetch_row(Task *task, Py_ssize_t i) noexcept nogil:
    """Ask for sample i of the next batch: it takes long to come from anywhere in memory."""
    cdef const Inputs *inputs = &task.inputs
    cdef const int64_t *starts
    if i + task.batch < task.n_after:  # two batches ahead
        starts = inputs.starts + task.samples[i + 2 * task.batch]
        fetch(starts, starts + 1)
    if i >= task.n_after:
        return
    starts = inputs.starts + task.samples[i + task.batch]
    if inputs.bytes == NULL:
        fetch(inputs.reals + starts[0], inputs.reals + starts[1])
    else:
        fetch(inputs.bytes + starts[0], inputs.bytes + starts[1])
    if inputs.columns == NULL:
        fetch(inputs.short_columns + starts[0], inputs.short_columns + starts[1])
    else:
        fetch(inputs.columns + starts[0], inputs.columns + starts[1])


cdef void load_row(Task *task, Py_ssize_t i, Py_ssize_t sample, int64_t at) noexcept nogil:
    """Copy one sample's values and columns into its list, from `at` on."""
    cdef int64_t first = task.inputs.starts[sample], q, t, T = task.n_threads
    cdef int64_t n = task.inputs.starts[sample + 1] - first
    cdef int32_t *column = task.lists.column + at
    cdef real *value = task.lists.value + at
    cdef int64_t *split = task.lists.split + i * (T + 1)
    cdef const int32_t *columns = task.inputs.columns
    cdef const uint16_t *short_columns = task.inputs.short_columns
    cdef const real *reals = task.inputs.reals
    cdef const uint8_t *values = task.inputs.bytes
    cdef real scale = task.scale
    if columns == NULL:
        for q in range(n):
            column[q] = short_columns[first + q]
    else:
        for q in range(n):
            column[q] = columns[first + q]
    if values == NULL:
        for q in range(n):
            value[q] = reals[first + q] * scale
    else:
        for q in range(n):
            value[q] = values[first + q] * scale
    split[0], split[T], q = at, at + n, 0
    for t in range(1, T):
        while q < n and column[q] < (task.n_features + 1) * t // T:
            q += 1
        split[t] = at + q


cdef void find_used(Task *task) noexcept nogil:
    """Put the inputs that are 0 in the whole batch behind the others, which are all that count."""
    cdef Layer *layer = &task.layers[1]
    cdef Py_ssize_t k, i, found = 0, end = layer.n_in, rows = task.rows
    cdef const real *x
    for k in range(layer.n_in):
        x = layer.inputs + column_of(k, task.batch)
        i = 0
        while i < rows and x[i * WIDTH] == 0:
            i += 1
        if i < rows or rows < FEW_ROWS:
            task.used[found] = <int32_t>k
            found += 1
        else:
            end -= 1
            task.used[end] = <int32_t>k
    layer.n_used = found


cdef void list_by_input(Task *task) noexcept nogil:
    """Sort this thread's range of the inputs in the samples' lists by input (a counting sort)."""
    cdef Lists *lists = &task.lists
    cdef Py_ssize_t n = task.n_features, i, k, stride = task.n_threads + 1
    cdef Py_ssize_t first = (n + 1) * task.thread // task.n_threads
    cdef Py_ssize_t end = (n + 1) * (task.thread + 1) // task.n_threads
    cdef int64_t at = 0, q
    cdef int64_t *split
    # `start` is shifted by one while counting, so that filling leaves it right.
    cdef int64_t *fill = lists.start + 1
    if end > n:  # the bias is no input
        end = n
    for k in range(first, end):
        fill[k] = 0
    for i in range(task.rows):
        split = lists.split + i * stride
        at += split[task.thread] - split[0]
        for q in range(split[task.thread], split[task.thread + 1]):
            fill[lists.column[q]] += 1
    if task.thread == 0:
        lists.start[0] = 0
    for k in range(first, end):
        fill[k], at = at, at + fill[k]
    for i in range(task.rows):
        split = lists.split + i * stride
        for q in range(split[task.thread], split[task.thread + 1]):
            k = lists.column[q]
            lists.sample[fill[k]] = <int32_t>i
            lists.sample_value[fill[k]] = lists.value[q]
            fill[k] += 1
