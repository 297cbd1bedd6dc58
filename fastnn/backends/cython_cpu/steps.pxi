"""A step of the optimizer from a gradient that is there: the sum over the shards of a batch.

Shapes as in layers.pxi; the gradient lies in memory as the weights do.
"""


def take_step(
    problem, samples, double[::1] losses, const real[::1] gradient, double learning_rate, double size
):
    """Make a step on a batch of `size`, the sum of its samples' weights.

    Samples and losses are not looked at.
    """
    cdef const int64_t[:, ::1] table = problem.table
    cdef const int64_t[::1] settings = problem.settings
    cdef const double[::1] numbers = problem.numbers
    cdef Task *task = new_task(problem, samples, losses, 0, 1)
    cdef Sizes sizes
    cdef Step now
    cdef Py_ssize_t l, p
    cdef real limit = <real>numbers[MAX_NORM]
    cdef uint64_t before
    try:
        with nogil:
            before = flush_denormals()
            first_sizes(&sizes, <int>settings[OPTIMIZER], &numbers[0], settings[STEP])
            first_step(&now, &sizes, &numbers[0])
            step_sizes(&sizes, &numbers[0], learning_rate, settings[STEP] + 1)
            next_step(&now, &sizes, &numbers[0], size)
            for l in range(1, task.n_layers + 1):
                for p in range(task.layers[l].panels):
                    step_panel(&task.layers[l], p, &gradient[table[l, WEIGHTS]], now)
                    if limit > 0:
                        limit_norms(&task.layers[l], p, limit)
            restore_denormals(before)
    finally:
        free(task)


cdef void step_panel(Layer *layer, Py_ssize_t p, const real *gradient, Step now) noexcept nogil:
    """Update all rows of panel p; the last is the bias."""
    if is_half(layer.n_out, p):
        step_rows(layer, p, gradient, True, now)
    else:
        step_rows(layer, p, gradient, False, now)


cdef inline void step_rows(
    Layer *layer, Py_ssize_t p, const real *gradient, bint half, Step now
) noexcept nogil:
    """Do the work of `step_panel`."""
    cdef Py_ssize_t k, at = p * (layer.n_in + 1) * WIDTH
    for k in range(layer.n_in + 1):
        update_row(layer, at, vload(gradient + at), vload(gradient + at + LANES), k < layer.n_in,
                   half, &now)
        at += WIDTH
