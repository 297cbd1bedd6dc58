"""Products of networks side by side, with Numba, and what is made of them.

The functions follow cython_cpu/lane_products.pxi; shapes as in lanes.pxi.
"""

from typing import Any, NamedTuple

import numpy as np

from .. import codes
from ..cpu.lanes import DELTAS, HAS_STEP, LIMIT, OUTPUTS, SLOPES, UNITS, WEIGHTS
from ..cpu.panels import MAX_NORM
from .compile import inlined, kernel, merged
from .formulas import NO_PENALTY, limit_columns, optimizer_step
from .task import entry
from .vector import lanes, real, vif_positive, vload, vmul, vmuladd, vneg, vstore, vzero

TILE = 4  # rows and columns whose sums stay in registers
FORWARD, BACKWARD, UPDATE, DESCENT = range(4)  # what a product is for; the last is a plain UPDATE


class Product(NamedTuple):
    """Of the rows of a and the columns of b: sums of n terms."""

    what: Any  # it is for: FORWARD and so on
    a: Any  # a buffer, the place of its first term, and how far rows are apart, and terms
    first_a: Any
    row: Any
    next_a: Any
    b: Any
    first_b: Any
    column: Any
    next_b: Any
    n: Any
    start: Any  # where b has what the sums of column 0 start with; below 0: all with 0
    out: Any  # where the sums go, and how far their rows are apart there
    next_out: Any
    slopes: Any  # of a product BACKWARD: how far the slopes are from the sums
    size: Any  # of a DESCENT: of the step, negative


@merged
def forward_lanes(g, layer, rows):
    """Compute a layer's pre-activations (2.12)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    x, w, y = entry(g, layer - 1, OUTPUTS), entry(g, layer, WEIGHTS), entry(g, layer, OUTPUTS)
    row, biases, apart, zero = (n_in + 1) * L, w + n_in * n_out * L, (n_out + 1) * L, vzero(g.work)
    p = Product(
        *(FORWARD, g.work, x, row, L, g.weights, w, L, n_out * L, n_in, biases),
        *(g.work, apart, 0, zero),
    )
    for i in range(0, rows, TILE):
        for j in range(0, n_out, TILE):
            to = y + i * apart + j * L
            multiply_tile(p, i, j, min(TILE, rows - i), min(TILE, n_out - j), to)


@merged
def backward_lanes(g, layer, rows):
    """Compute the deltas of the layer below (2.42), (2.43)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    d, w = entry(g, layer, DELTAS), entry(g, layer, WEIGHTS)
    below, slopes = entry(g, layer - 1, DELTAS), entry(g, layer - 1, SLOPES)
    p = Product(
        *(BACKWARD, g.work, d, n_out * L, L, g.weights, w, n_out * L, L, n_out, -1),
        *(g.work, n_in * L, slopes - below, vzero(g.work)),
    )
    for i in range(0, rows, TILE):
        for j in range(0, n_in, TILE):
            to = below + (i * n_in + j) * L
            multiply_tile(p, i, j, min(TILE, rows - i), min(TILE, n_in - j), to)


@merged
def update_lanes(g, layer, rows, all_step, u):
    """Update a layer's weights and biases (2.39), (2.40), (2.44) to (2.46)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    x, d, w = entry(g, layer - 1, OUTPUTS), entry(g, layer, DELTAS), entry(g, layer, WEIGHTS)
    is_plain = all_step and u.optimizer == codes.SGD and u.penalty == NO_PENALTY
    what, out, apart = UPDATE, g.sums, TILE * L
    if is_plain:
        what, out, apart = DESCENT, g.weights, n_out * L
    p = Product(
        *(what, g.work, x, L, (n_in + 1) * L, g.work, d, L, n_out * L, rows, -1),
        *(out, apart, 0, vneg(u.size)),
    )
    for i in range(0, n_in + 1, TILE):
        for j in range(0, n_out, TILE):
            k, m = min(TILE, n_in + 1 - i), min(TILE, n_out - j)
            first = w + (i * n_out + j) * L
            multiply_tile(p, i, j, k, m, first if is_plain else 0)
            if is_plain:
                continue
            for r in range(k):
                for c in range(m):
                    at, gradient = first + (r * n_out + c) * L, vload(g.sums, (TILE * r + c) * L)
                    if all_step:
                        optimizer_step(g, at, gradient, i + r < n_in, u)
                    else:
                        update_some(g, at, gradient, i + r < n_in, u)


@kernel
def update_some(g, at, gradient, penalized, u):
    """Update a weight in the lanes that make this step."""
    w = m = v = vload(g.weights, at)
    has_step = vload(g.work, g.now + HAS_STEP * lanes(g.work))
    if g.n_moments > 0:
        m = vload(g.moment_1, at)
    if g.n_moments > 1:
        v = vload(g.moment_2, at)
    optimizer_step(g, at, gradient, penalized, u)
    vstore(g.weights, at, vif_positive(has_step, vload(g.weights, at), w))
    if g.n_moments > 0:
        vstore(g.moment_1, at, vif_positive(has_step, vload(g.moment_1, at), m))
    if g.n_moments > 1:
        vstore(g.moment_2, at, vif_positive(has_step, vload(g.moment_2, at), v))


@kernel
def limit_lanes(g, layer):
    """Limit the norms of a layer's units in the lanes with a limit that made a step."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    for lane in range(L):
        limit = g.constants[MAX_NORM * L + lane]
        if limit == 0 or g.work[g.now + HAS_STEP * L + lane] == 0:
            limit = real(g.work, np.inf)
        g.work[g.now + LIMIT * L + lane] = limit
    first, limits = entry(g, layer, WEIGHTS), vload(g.work, g.now + LIMIT * L)
    for j in range(n_out):
        limit_columns(g.weights, first + j * L, n_in, n_out * L, limits)


# --- products ----------------------------------------------------------------------------------


@kernel
def multiply_tile(p, i, j, rows, columns, to):
    """Compute a tile of sums, and do with them what they are for; the first belongs to `to`."""
    L = lanes(p.b)
    if rows == TILE and columns == TILE:
        sum_square(p, i, j, to)
    elif rows == TILE:
        for c in range(columns):
            sum_column(p, i, j + c, to + c * L)
    elif columns == TILE:
        for r in range(rows):
            sum_row(p, i + r, j, to + r * p.next_out)
    else:
        for r in range(rows):
            for c in range(columns):
                sum_one(p, i + r, j + c, to + r * p.next_out + c * L)


@inlined
def start_of(p, j):
    """Return what the sums of column j start with."""
    return vload(p.b, p.start + j * p.column) if p.start >= 0 else vzero(p.b)


@merged
def finish(p, to, total):
    """Do with a sum what it is for."""
    if p.what == BACKWARD:
        total = vmul(total, vload(p.out, to + p.slopes))
    elif p.what == DESCENT:
        total = vmuladd(p.size, total, vload(p.out, to))
    vstore(p.out, to, total)


@merged
def sum_square(p, i, j, to):
    """Compute a whole tile: each load of a vector serves 4 sums."""
    L, a, b = lanes(p.b), p.first_a + i * p.row, p.first_b + j * p.column
    s00 = s10 = s20 = s30 = start_of(p, j)
    s01 = s11 = s21 = s31 = start_of(p, j + 1)
    s02 = s12 = s22 = s32 = start_of(p, j + 2)
    s03 = s13 = s23 = s33 = start_of(p, j + 3)
    for _ in range(p.n):
        b0, b1 = vload(p.b, b), vload(p.b, b + p.column)
        b2, b3 = vload(p.b, b + 2 * p.column), vload(p.b, b + 3 * p.column)
        x = vload(p.a, a)
        s00, s01 = vmuladd(x, b0, s00), vmuladd(x, b1, s01)
        s02, s03 = vmuladd(x, b2, s02), vmuladd(x, b3, s03)
        x = vload(p.a, a + p.row)
        s10, s11 = vmuladd(x, b0, s10), vmuladd(x, b1, s11)
        s12, s13 = vmuladd(x, b2, s12), vmuladd(x, b3, s13)
        x = vload(p.a, a + 2 * p.row)
        s20, s21 = vmuladd(x, b0, s20), vmuladd(x, b1, s21)
        s22, s23 = vmuladd(x, b2, s22), vmuladd(x, b3, s23)
        x = vload(p.a, a + 3 * p.row)
        s30, s31 = vmuladd(x, b0, s30), vmuladd(x, b1, s31)
        s32, s33 = vmuladd(x, b2, s32), vmuladd(x, b3, s33)
        a += p.next_a
        b += p.next_b
    store_row(p, to, L, s00, s01, s02, s03)
    store_row(p, to + p.next_out, L, s10, s11, s12, s13)
    store_row(p, to + 2 * p.next_out, L, s20, s21, s22, s23)
    store_row(p, to + 3 * p.next_out, L, s30, s31, s32, s33)


@merged
def sum_column(p, i, j, to):
    """Compute TILE rows and one column."""
    a, b = p.first_a + i * p.row, p.first_b + j * p.column
    s0 = s1 = s2 = s3 = start_of(p, j)
    for _ in range(p.n):
        y = vload(p.b, b)
        s0, s1 = vmuladd(vload(p.a, a), y, s0), vmuladd(vload(p.a, a + p.row), y, s1)
        s2 = vmuladd(vload(p.a, a + 2 * p.row), y, s2)
        s3 = vmuladd(vload(p.a, a + 3 * p.row), y, s3)
        a += p.next_a
        b += p.next_b
    store_row(p, to, p.next_out, s0, s1, s2, s3)


@merged
def sum_row(p, i, j, to):
    """Compute one row and TILE columns."""
    a, b = p.first_a + i * p.row, p.first_b + j * p.column
    s0, s1, s2, s3 = start_of(p, j), start_of(p, j + 1), start_of(p, j + 2), start_of(p, j + 3)
    for _ in range(p.n):
        x = vload(p.a, a)
        s0, s1 = vmuladd(x, vload(p.b, b), s0), vmuladd(x, vload(p.b, b + p.column), s1)
        s2 = vmuladd(x, vload(p.b, b + 2 * p.column), s2)
        s3 = vmuladd(x, vload(p.b, b + 3 * p.column), s3)
        a += p.next_a
        b += p.next_b
    store_row(p, to, lanes(p.b), s0, s1, s2, s3)


@merged
def sum_one(p, i, j, to):
    """Compute one row and one column."""
    a, b, total = p.first_a + i * p.row, p.first_b + j * p.column, start_of(p, j)
    for _ in range(p.n):
        total = vmuladd(vload(p.a, a), vload(p.b, b), total)
        a += p.next_a
        b += p.next_b
    finish(p, to, total)


@inlined
def store_row(p, to, apart, s0, s1, s2, s3):
    """Finish four sums."""
    finish(p, to, s0)
    finish(p, to + apart, s1)
    finish(p, to + 2 * apart, s2)
    finish(p, to + 3 * apart, s3)
