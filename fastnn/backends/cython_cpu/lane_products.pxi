"""Products of networks side by side, and what is made of them: see lanes.pxi for the shapes.

The three products, of a forward pass, of the deltas below and of a gradient, are one: rows of a
times columns of b, lane by lane. Gradients of some inputs' weights become steps together, not
between tiles of sums, whose registers they need: 2 % of a search on digits.
"""

cdef enum:
    TILE = 4  # rows and columns whose sums stay in registers
cdef enum:
    FORWARD, BACKWARD, UPDATE, DESCENT  # what a product is for; the last is a plain UPDATE


cdef struct Product:  # of the rows of a and the columns of b: sums of n terms
    const real *a
    Py_ssize_t row, a_next  # how far rows are apart, and terms
    const real *b
    Py_ssize_t column, b_next
    const real *first  # what the sums of a row start with, in a product FORWARD
    Py_ssize_t n, rows, columns


cdef void forward_lanes(Group *g, LaneLayer *layer) noexcept nogil:
    """Compute a layer's pre-activations (2.12)."""
    cdef Product p
    p.a, p.row, p.a_next = layer.weights, LANES, layer.n_out * LANES
    p.b, p.column, p.b_next = layer.inputs, (layer.n_in + 1) * LANES, LANES
    p.n, p.rows, p.columns = layer.n_in, layer.n_out, g.rows
    p.first = layer.weights + layer.n_in * layer.n_out * LANES  # the biases
    multiply_lanes(FORWARD, g, layer, p, vsplat(0))


cdef void backward_lanes(Group *g, LaneLayer *layer) noexcept nogil:
    """Compute the deltas of the layer below (2.42), (2.43)."""
    cdef Product p
    p.a, p.row, p.a_next = layer.weights, layer.n_out * LANES, LANES
    p.b, p.column, p.b_next = layer.deltas, layer.n_out * LANES, LANES
    p.n, p.rows, p.columns, p.first = layer.n_out, layer.n_in, g.rows, p.a
    multiply_lanes(BACKWARD, g, layer, p, vsplat(0))


cdef void update_lanes(Group *g, LaneLayer *layer) noexcept nogil:
    """Update a layer's weights and biases (2.39), (2.40), (2.44) to (2.46)."""
    cdef Product p
    cdef Step now = read_step(g)
    cdef Py_ssize_t j, n = layer.n_in + 1
    p.a, p.row, p.a_next = layer.deltas, LANES, layer.n_out * LANES
    p.b, p.column, p.b_next = layer.inputs, LANES, n * LANES
    p.n, p.rows, p.columns, p.first = g.rows, layer.n_out, n, p.a
    if g.all_step and g.optimizer == SGD and g.penalty == NO_PENALTY:
        multiply_lanes(DESCENT, g, layer, p, now.size)
        return
    for j from 0 <= j < n by TILE:
        p.b, p.columns = layer.inputs + j * LANES, min(TILE, n - j)
        multiply_lanes(UPDATE, g, layer, p, now.size)
        if not g.all_step:
            update_inputs(g, layer, j, p.columns, False, now)
        elif g.optimizer == ADAM:
            update_inputs(g, layer, j, p.columns, True, adam_of(now))
        else:
            update_inputs(g, layer, j, p.columns, True, now)


cdef inline Step adam_of(Step now) noexcept nogil:
    """Return a step that the compiler knows to be one of Adam."""
    now.optimizer = ADAM
    return now


cdef inline void update_inputs(
    Group *g, LaneLayer *layer, Py_ssize_t first, Py_ssize_t n, bint all_step, Step now
) noexcept nogil:
    """Update the weights of some inputs, from the first on, in the lanes that make this step."""
    cdef Py_ssize_t k, q, at = first * layer.n_out * LANES
    cdef const real *gradient = g.gradients
    cdef vec has_step = vload(g.now + NOW_HAS_STEP * LANES)
    for k in range(first, first + n):
        for q in range(layer.n_out):
            if all_step:
                optimizer_step(layer.weights + at, layer.moment_1 + at, layer.moment_2 + at,
                               vload(gradient), k < layer.n_in, &now)
            else:
                update_some(layer, at, vload(gradient), k < layer.n_in, has_step, now)
            at += LANES
            gradient += LANES


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
    int what, Group *g, LaneLayer *layer, Product p, vec size
) noexcept nogil:
    """Compute all sums of a product, in tiles whose size the compiler knows.

    Outermost are the columns, which are samples, or weights of an input: those of a tile are at
    hand for all rows.
    """
    cdef Py_ssize_t j = 0
    while REGISTERS > 16 and j + 4 <= p.columns:
        multiply_columns(what, g, layer, p, j, 4, size)
        j += 4
    while j + 2 <= p.columns:
        multiply_columns(what, g, layer, p, j, 2, size)
        j += 2
    if j < p.columns:
        multiply_columns(what, g, layer, p, j, 1, size)


cdef inline void multiply_columns(
    int what, Group *g, LaneLayer *layer, Product p, Py_ssize_t j, int columns, vec size
) noexcept nogil:
    """Do so for some columns."""
    cdef Py_ssize_t i = 0
    while i + 4 <= p.rows:
        multiply_tile(what, g, layer, p, i, j, 4, columns, size)
        i += 4
    if i + 2 <= p.rows:
        multiply_tile(what, g, layer, p, i, j, 2, columns, size)
        i += 2
    if i < p.rows:
        multiply_tile(what, g, layer, p, i, j, 1, columns, size)


cdef inline void multiply_tile(
    int what, Group *g, LaneLayer *layer, Product p, Py_ssize_t i, Py_ssize_t j, int rows,
    int columns, vec size,
) noexcept nogil:
    """Compute a tile of sums, and do with them what they are for."""
    cdef vec s[TILE * TILE]
    cdef Py_ssize_t at, column = p.rows + 1 if what == FORWARD else p.rows
    cdef int r, c
    # Pointers of its own: that a store may change what it reads, the compiler cannot rule out.
    cdef real *out = (layer.outputs if what == FORWARD else layer.deltas_below if what == BACKWARD
                      else layer.weights if what == DESCENT else g.gradients)
    cdef const real *slopes = layer.slopes_below
    sum_tile(p.a + i * p.row, p.row, p.a_next, p.b + j * p.column, p.column, p.b_next, p.n, rows,
             columns, p.first + i * p.row, what == FORWARD, s)
    for r in range(rows):
        for c in range(columns):
            at = ((j + c) * column + i + r) * LANES
            if what == BACKWARD:
                vstore(out + at, vmul(s[TILE * r + c], vload(slopes + at)))
            elif what == DESCENT:
                vstore(out + at, vmuladd(vneg(size), s[TILE * r + c], vload(out + at)))
            else:
                vstore(out + at, s[TILE * r + c])


cdef inline void sum_tile(
    const real *a, Py_ssize_t row, Py_ssize_t a_next, const real *b, Py_ssize_t column,
    Py_ssize_t b_next, Py_ssize_t n, int rows, int columns, const real *first, bint has_first, vec *s,
) noexcept nogil:
    """Write the sums of n products of a's rows, `row` apart, and b's columns: TILE to a row.

    Those of a row start with what `first` has for it, if it has something.
    """
    cdef Py_ssize_t q
    cdef vec x, b0, b1, b2, b3
    cdef vec s00, s01, s02, s03, s10, s11, s12, s13, s20, s21, s22, s23, s30, s31, s32, s33
    s00 = s10 = s20 = s30 = b1 = b2 = b3 = vsplat(0)
    if has_first:
        s00 = vload(first)
    if has_first and rows > 1:
        s10 = vload(first + row)
    if has_first and rows > 2:
        s20 = vload(first + 2 * row)
    if has_first and rows > 3:
        s30 = vload(first + 3 * row)
    s01 = s02 = s03 = s00
    s11 = s12 = s13 = s10
    s21 = s22 = s23 = s20
    s31 = s32 = s33 = s30
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
