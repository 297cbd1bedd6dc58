"""Products of networks side by side, with Numba, and what is made of them.

The functions follow cython_cpu/lane_products.pxi; shapes as in lanes.pxi.
"""

import platform
from typing import Any, NamedTuple

import numpy as np

from .. import codes
from ..cpu.lanes import DELTAS, HAS_STEP, LIMIT, OUTPUTS, SLOPES, UNITS, WEIGHTS
from ..cpu.panels import MAX_NORM
from .compile import kernel, merged
from .formulas import NO_PENALTY, limit_columns, optimizer_step
from .task import entry
from .vector import (
    VECTOR_BYTES,
    lanes,
    real,
    vif_positive,
    vload,
    vmul,
    vmuladd,
    vneg,
    vstore,
    vzero,
)

TILE = 4  # rows and columns whose sums stay in registers
FORWARD, BACKWARD, UPDATE, DESCENT = range(4)  # what a product is for; the last is a plain UPDATE
HAS_32_REGISTERS = VECTOR_BYTES == 64 or platform.machine() in ("aarch64", "arm64")


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
    first: Any  # where a has what the sums of a row start with, in a product FORWARD
    n: Any
    rows: Any
    columns: Any
    out: Any  # where the sums go, and how far their columns are apart there
    to: Any
    next_out: Any
    slopes: Any  # of a product BACKWARD: how far the slopes are from the sums


@merged
def forward_lanes(g, layer, rows):
    """Compute a layer's pre-activations (2.12)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    x, w, y = entry(g, layer - 1, OUTPUTS), entry(g, layer, WEIGHTS), entry(g, layer, OUTPUTS)
    p = Product(
        *(g.weights, w, L, n_out * L, g.work, x, (n_in + 1) * L, L),
        *(w + n_in * n_out * L, n_in, n_out, rows, g.work, y, (n_out + 1) * L, 0),
    )
    multiply_lanes(FORWARD, p, vzero(g.work))


@merged
def backward_lanes(g, layer, rows):
    """Compute the deltas of the layer below (2.42), (2.43)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    d, w = entry(g, layer, DELTAS), entry(g, layer, WEIGHTS)
    below, slopes = entry(g, layer - 1, DELTAS), entry(g, layer - 1, SLOPES)
    p = Product(
        *(g.weights, w, n_out * L, L, g.work, d, n_out * L, L),
        *(w, n_out, n_in, rows, g.work, below, n_in * L, slopes - below),
    )
    multiply_lanes(BACKWARD, p, vzero(g.work))


@merged
def update_lanes(g, layer, rows, all_step, u):
    """Update a layer's weights and biases (2.39), (2.40), (2.44) to (2.46)."""
    L, n_in, n_out = lanes(g.work), entry(g, layer - 1, UNITS), entry(g, layer, UNITS)
    x, d, w = entry(g, layer - 1, OUTPUTS), entry(g, layer, DELTAS), entry(g, layer, WEIGHTS)
    a, b = (g.work, d, L, n_out * L), (g.work, x, L, (n_in + 1) * L)
    if all_step and u.optimizer == codes.SGD and u.penalty == NO_PENALTY:
        p = Product(*a, *b, d, rows, n_out, n_in + 1, g.weights, w, n_out * L, 0)
        multiply_lanes(DESCENT, p, vneg(u.size))
        return
    for j in range(0, n_in + 1, TILE):  # the gradients of some inputs' weights, and their steps
        n, first = min(TILE, n_in + 1 - j), w + j * n_out * L
        b = g.work, x + j * L, L, (n_in + 1) * L
        p = Product(*a, *b, d, rows, n_out, n, g.sums, 0, n_out * L, 0)
        multiply_lanes(UPDATE, p, vzero(g.work))
        for k in range(n):
            penalized = j + k < n_in
            for at in range(k * n_out * L, (k + 1) * n_out * L, L):
                if all_step:
                    optimizer_step(g, first + at, vload(g.sums, at), penalized, u)
                else:
                    update_some(g, first + at, vload(g.sums, at), penalized, u)


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
def multiply_lanes(what, p, size):
    """Compute all sums of a product, in tiles whose size the compiler knows.

    Outermost are the columns, which are samples, or weights of an input: those of a tile are at
    hand for all rows. Not merged into its callers: it is most of what there is to compile.
    """
    j = 0
    while HAS_32_REGISTERS and j + 4 <= p.columns:
        multiply_4(what, p, j, size)
        j += 4
    while j + 2 <= p.columns:
        multiply_2(what, p, j, size)
        j += 2
    if j < p.columns:
        multiply_1(what, p, j, size)


def multiply_columns_of(columns):
    """Return the function that does the work of `multiply_lanes` for so many columns."""
    sum_4, sum_2, sum_1 = (sum_tile_of(rows, columns) for rows in (4, 2, 1))

    @merged
    def multiply_columns(what, p, j, size):
        i = 0
        while i + 4 <= p.rows:
            sum_4(what, p, i, j, size)
            i += 4
        if i + 2 <= p.rows:
            sum_2(what, p, i, j, size)
            i += 2
        if i < p.rows:
            sum_1(what, p, i, j, size)

    return multiply_columns


def sum_tile_of(rows, columns):
    """Return the function for tiles of this size: what it does not need is not compiled."""

    @merged
    def sum_tile(what, p, i, j, size):
        """Compute a tile of sums, and do with them what they are for."""
        L, a, b = lanes(p.b), p.first_a + i * p.row, p.first_b + j * p.column
        s00 = s10 = s20 = s30 = b1 = b2 = b3 = vzero(p.b)
        if what == FORWARD:
            first = p.first + i * p.row
            s00 = vload(p.a, first)
            if rows > 1:
                s10 = vload(p.a, first + p.row)
            if rows > 2:
                s20, s30 = vload(p.a, first + 2 * p.row), vload(p.a, first + 3 * p.row)
        s01 = s02 = s03 = s00
        s11 = s12 = s13 = s10
        s21 = s22 = s23 = s20
        s31 = s32 = s33 = s30
        for _ in range(p.n):
            b0 = vload(p.b, b)
            if columns > 1:
                b1 = vload(p.b, b + p.column)
            if columns > 2:
                b2, b3 = vload(p.b, b + 2 * p.column), vload(p.b, b + 3 * p.column)
            x = vload(p.a, a)
            s00, s01 = vmuladd(x, b0, s00), vmuladd(x, b1, s01)
            s02, s03 = vmuladd(x, b2, s02), vmuladd(x, b3, s03)
            if rows > 1:
                x = vload(p.a, a + p.row)
                s10, s11 = vmuladd(x, b0, s10), vmuladd(x, b1, s11)
                s12, s13 = vmuladd(x, b2, s12), vmuladd(x, b3, s13)
            if rows > 2:
                x = vload(p.a, a + 2 * p.row)
                s20, s21 = vmuladd(x, b0, s20), vmuladd(x, b1, s21)
                s22, s23 = vmuladd(x, b2, s22), vmuladd(x, b3, s23)
                x = vload(p.a, a + 3 * p.row)
                s30, s31 = vmuladd(x, b0, s30), vmuladd(x, b1, s31)
                s32, s33 = vmuladd(x, b2, s32), vmuladd(x, b3, s33)
            a += p.next_a
            b += p.next_b
        to = p.to + j * p.next_out + i * L
        store_row(what, p, to, columns, s00, s01, s02, s03, size)
        if rows > 1:
            store_row(what, p, to + L, columns, s10, s11, s12, s13, size)
        if rows > 2:
            store_row(what, p, to + 2 * L, columns, s20, s21, s22, s23, size)
            store_row(what, p, to + 3 * L, columns, s30, s31, s32, s33, size)

    return sum_tile


@merged
def store_row(what, p, to, columns, s0, s1, s2, s3, size):
    """Do with the sums of a row what they are for."""
    out, second, third, fourth = p.out, to + p.next_out, to + 2 * p.next_out, to + 3 * p.next_out
    if what == BACKWARD:
        s0 = vmul(s0, vload(out, to + p.slopes))
        if columns > 1:
            s1 = vmul(s1, vload(out, second + p.slopes))
        if columns > 2:
            s2 = vmul(s2, vload(out, third + p.slopes))
            s3 = vmul(s3, vload(out, fourth + p.slopes))
    elif what == DESCENT:
        s0 = vmuladd(size, s0, vload(out, to))
        if columns > 1:
            s1 = vmuladd(size, s1, vload(out, second))
        if columns > 2:
            s2 = vmuladd(size, s2, vload(out, third))
            s3 = vmuladd(size, s3, vload(out, fourth))
    vstore(out, to, s0)
    if columns > 1:
        vstore(out, second, s1)
    if columns > 2:
        vstore(out, third, s2)
        vstore(out, fourth, s3)


multiply_4, multiply_2, multiply_1 = (multiply_columns_of(columns) for columns in (4, 2, 1))
