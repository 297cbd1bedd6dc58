"""Exponentials of output layers, in whole vectors, and what is done with them.

The slopes of such a layer cancel against its loss: their place is free.
"""


cdef double exponentials(Task *task, Layer *layer, Py_ssize_t i) noexcept nogil:
    """Write exp(z - largest) for the pre-activations z of sample i in place of their slopes.

    Returns the largest; in columns that are missing there is 0.
    """
    cdef Py_ssize_t c, at, n = layer.n_out
    cdef vec z, most = vsplat(-INFINITY)
    cdef real largest
    for c from 0 <= c < n by LANES:
        z = vload(layer.outputs + offset_of(task, i, c))
        most = vmax(most, vfirst(z, n - c, -INFINITY))
    largest = vlargest(most)
    for c from 0 <= c < n by LANES:
        at = offset_of(task, i, c)
        z = vsub(vload(layer.outputs + at), vsplat(largest))
        vstore(layer.slopes + at, vfirst(vexp_or_0(z), n - c, 0))
    return largest


cdef double softmax_and_label(
    Task *task, Layer *layer, Py_ssize_t i, const real *t, double share, double largest,
    double total,
) noexcept nogil:
    """Do the rest of `loss_and_delta` for a label in t[0], or no target, in whole vectors."""
    cdef Py_ssize_t c, at, label = -1, place = 0, n = layer.n_out
    cdef double a = task.loss_parameter, z_label = 0, sum_z = 0, rest = 0
    cdef vec y, sum_y = vsplat(<real>total), factor = vsplat(<real>share)
    if t != NULL:
        label = <Py_ssize_t>t[0]
        place = offset_of(task, i, label)
        z_label = layer.outputs[place] - largest
        if a > 0:  # label smoothing
            for c in range(n):
                sum_z += layer.outputs[offset_of(task, i, c)] - largest
    for c from 0 <= c < n by LANES:
        at = offset_of(task, i, c)
        y = vdiv(vload(layer.slopes + at), sum_y)
        vstore(layer.outputs + at, y)
        if t != NULL:
            y = vmul(factor, vsub(y, vsplat(<real>(a / n))))
            vstore(layer.deltas + at, vfirst(y, n - c, 0))
    if t == NULL:
        return 0
    for c in range(n):  # only so has a small delta of the label all its digits
        if c != label:
            rest += layer.slopes[offset_of(task, i, c)]
    layer.deltas[place] = <real>(share * (a - a / n - rest / total))
    return log(total) - (1 - a) * z_label - a / n * sum_z


cdef void falling_exponentials(Task *task, Layer *layer, Py_ssize_t i) noexcept nogil:
    """Write exp(-|z|) for the pre-activations z of sample i in place of their slopes."""
    cdef Py_ssize_t c, at
    for c from 0 <= c < layer.n_out by LANES:
        at = offset_of(task, i, c)
        vstore(layer.slopes + at, vexp_or_0(vneg(vabs(vload(layer.outputs + at)))))
