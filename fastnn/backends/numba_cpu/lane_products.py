"""Products of networks side by side, with Numba, and what is made of them.

The functions follow cython_cpu/lane_products.pxi; shapes as in lanes.pxi.
"""

from typing import Any, NamedTuple

import numpy as np

from ..cpu.lanes import DELTAS, HAS_STEP, LIMIT, N_COLUMNS, OUTPUTS, SLOPES, UNITS, WEIGHTS
from ..cpu.panels import MAX_NORM
from .compile import inlined, kernel, merged
from .formulas import limit_columns, optimizer_step
from .vector import lanes, real, vif_positive, vload, vmul, vmuladd, vstore, vzero

TILE = 4  # rows and columns whose sums stay in registers


class Product(NamedTuple):
    """Of the rows of a and the columns of b: sums of n terms."""

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


@inlined
def entry(g, layer, name):
    """Return an entry of the table of layers."""
    return g.table[layer * N_COLUMNS + name]


@merged
def forward_lanes(g, layer, rows):
    """Compute a layer's pre-activations (2.12)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    x, w, y = entry(g, layer - 1, OUTPUTS), entry(g, layer, WEIGHTS), entry(g, layer, OUTPUTS)
    biases = w + n_in * n_out * L
    p = Product(g.work, x, (n_in + 1) * L, L, g.weights, w, L, n_out * L, n_in, biases)
    for i in range(0, rows, TILE):
        for j in range(0, n_out, TILE):
            k, m = min(TILE, rows - i), min(TILE, n_out - j)
            sum_tile(p, i, j, k, m, g.sums)
            for r in range(k):
                at = y + ((i + r) * (n_out + 1) + j) * L
                for c in range(m):
                    vstore(g.work, at + c * L, vload(g.sums, (TILE * r + c) * L))


@merged
def backward_lanes(g, layer, rows):
    """Compute the deltas of the layer below (2.42), (2.43)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    d, w = entry(g, layer, DELTAS), entry(g, layer, WEIGHTS)
    below, slopes = entry(g, layer - 1, DELTAS), entry(g, layer - 1, SLOPES)
    p = Product(g.work, d, n_out * L, L, g.weights, w, n_out * L, L, n_out, -1)
    for i in range(0, rows, TILE):
        for j in range(0, n_in, TILE):
            k, m = min(TILE, rows - i), min(TILE, n_in - j)
            sum_tile(p, i, j, k, m, g.sums)
            for r in range(k):
                at = ((i + r) * n_in + j) * L
                for c in range(m):
                    total = vload(g.sums, (TILE * r + c) * L)
                    total = vmul(total, vload(g.work, slopes + at + c * L))
                    vstore(g.work, below + at + c * L, total)


@merged
def update_lanes(g, layer, rows, all_step, u):
    """Update a layer's weights and biases (2.39), (2.40), (2.44) to (2.46)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    x, d, w = entry(g, layer - 1, OUTPUTS), entry(g, layer, DELTAS), entry(g, layer, WEIGHTS)
    p = Product(g.work, x, L, (n_in + 1) * L, g.work, d, L, n_out * L, rows, -1)
    for i in range(0, n_in + 1, TILE):
        for j in range(0, n_out, TILE):
            k, m = min(TILE, n_in + 1 - i), min(TILE, n_out - j)
            sum_tile(p, i, j, k, m, g.sums)
            for r in range(k):
                at = w + ((i + r) * n_out + j) * L
                for c in range(m):
                    gradient = vload(g.sums, (TILE * r + c) * L)
                    if all_step:
                        optimizer_step(g, at + c * L, gradient, i + r < n_in, u)
                    else:
                        update_some(g, at + c * L, gradient, i + r < n_in, u)


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
def sum_tile(p, i, j, rows, columns, s):
    """Write a tile of sums, TILE to a row."""
    L = lanes(s)
    if rows == TILE and columns == TILE:
        sum_square(p, i, j, s)
    elif rows == TILE:
        for c in range(columns):
            sum_column(p, i, j + c, s, c * L)
    elif columns == TILE:
        for r in range(rows):
            sum_row(p, i + r, j, s, TILE * r * L)
    else:
        for r in range(rows):
            for c in range(columns):
                sum_one(p, i + r, j + c, s, (TILE * r + c) * L)


@inlined
def start_of(p, j):
    """Return what the sums of column j start with."""
    return vload(p.b, p.start + j * p.column) if p.start >= 0 else vzero(p.b)


@kernel
def sum_square(p, i, j, s):
    """Write the sums of a whole tile: each load of a vector serves 4 sums."""
    L, a, b = lanes(s), p.first_a + i * p.row, p.first_b + j * p.column
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
    store_row(s, 0, L, s00, s01, s02, s03)
    store_row(s, 4 * L, L, s10, s11, s12, s13)
    store_row(s, 8 * L, L, s20, s21, s22, s23)
    store_row(s, 12 * L, L, s30, s31, s32, s33)


@kernel
def sum_column(p, i, j, s, to):
    """Write the sums of TILE rows and one column."""
    L, a, b = lanes(s), p.first_a + i * p.row, p.first_b + j * p.column
    s0 = s1 = s2 = s3 = start_of(p, j)
    for _ in range(p.n):
        y = vload(p.b, b)
        s0, s1 = vmuladd(vload(p.a, a), y, s0), vmuladd(vload(p.a, a + p.row), y, s1)
        s2 = vmuladd(vload(p.a, a + 2 * p.row), y, s2)
        s3 = vmuladd(vload(p.a, a + 3 * p.row), y, s3)
        a += p.next_a
        b += p.next_b
    store_row(s, to, TILE * L, s0, s1, s2, s3)


@kernel
def sum_row(p, i, j, s, to):
    """Write the sums of one row and TILE columns."""
    L, a, b = lanes(s), p.first_a + i * p.row, p.first_b + j * p.column
    s0, s1, s2, s3 = start_of(p, j), start_of(p, j + 1), start_of(p, j + 2), start_of(p, j + 3)
    for _ in range(p.n):
        x = vload(p.a, a)
        s0, s1 = vmuladd(x, vload(p.b, b), s0), vmuladd(x, vload(p.b, b + p.column), s1)
        s2 = vmuladd(x, vload(p.b, b + 2 * p.column), s2)
        s3 = vmuladd(x, vload(p.b, b + 3 * p.column), s3)
        a += p.next_a
        b += p.next_b
    store_row(s, to, L, s0, s1, s2, s3)


@kernel
def sum_one(p, i, j, s, to):
    """Write the sum of one row and one column."""
    a, b, total = p.first_a + i * p.row, p.first_b + j * p.column, start_of(p, j)
    for _ in range(p.n):
        total = vmuladd(vload(p.a, a), vload(p.b, b), total)
        a += p.next_a
        b += p.next_b
    vstore(s, to, total)


@inlined
def store_row(s, at, distance, s0, s1, s2, s3):
    """Store four sums, some distance apart."""
    vstore(s, at, s0)
    vstore(s, at + distance, s1)
    vstore(s, at + 2 * distance, s2)
    vstore(s, at + 3 * distance, s3)
