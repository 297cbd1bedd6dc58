"""Full-batch training of small networks on few samples, with Numba: such as 2-10-1 on XOR.

The functions follow cython_cpu/small.pxi, where the layout is explained.
"""

from typing import Any, NamedTuple

import numpy as np

from ..codes import HALF_SQUARED_ERROR, SOFTMAX, SUM_SQUARED_ERROR
from ..cpu.panels import (
    ACTIVATION,
    DROP_LIMIT,
    STEP,
    UNITS,
    WEIGHTS,
)
from .barrier import is_stopped
from .compile import inlined, kernel
from .formulas import activate, optimizer_step, step_sizes
from .inputs import value_of
from .panels import is_plain_step
from .task import column, parameter_of
from .vector import (
    lanes,
    pointer,
    real,
    vadd,
    vexchange,
    vfma,
    vload,
    vmul,
    vmuladd,
    vsplat,
    vstore,
    vsub,
    vsum,
    vzero,
)

LARGEST = 64  # units of a layer
# Columns of the table of layers; layer 0 is the inputs, its row the samples over and over for each
# input. From ROWS on, a layer has five rows: outputs, slopes, mask (1 for a unit's sample, 0 for
# padding), deltas and targets.
N_OUT, ROW, CODE, IS_FULL, FIRST, BIAS, ROWS, N_SMALL = range(8)


class Small(NamedTuple):
    """Pointers to all that the training of a small network changes."""

    n_layers: Any
    group: Any
    table: Any
    weights: Any  # from FIRST on: (n_out, row_in), layer 1 (n_in, row); from BIAS on: (row)
    moment_1: Any  # as weights
    moment_2: Any
    rows: Any
    parameters: Any  # of each layer's activation
    lane_mask: Any  # (lanes / group, lanes): 1 in the lanes of one group


@inlined
def vsum_within(a, n):
    """Return sums over groups of n neighbouring lanes, each in all lanes of its group."""
    if n > 1:
        a = vadd(a, vexchange(a, 1))
    if n > 2:
        a = vadd(a, vexchange(a, 2))
    if n > 4:
        a = vadd(a, vexchange(a, 4))
    if n > 8:
        a = vadd(a, vexchange(a, 8))
    return a


@inlined
def vsum_across(a, n, L):
    """Return sums over the lanes with one number in their group of n, in all these lanes."""
    if L > 8 >= n:
        a = vadd(a, vexchange(a, 8))
    if L > 4 >= n:
        a = vadd(a, vexchange(a, 4))
    if L > 2 >= n:
        a = vadd(a, vexchange(a, 2))
    if n <= 1:
        a = vadd(a, vexchange(a, 1))
    return a


@inlined
def entry(s, layer, name):
    """Return an entry of the table of layers."""
    return s.table[layer * N_SMALL + name]


@kernel
def is_small(p, order):
    """Say whether the fast path applies: one full batch of few samples, small layers."""
    n_batches, rows = order.shape
    if rows > p.batch or rows > lanes(p.work) or n_batches != 1 or p.n_threads != 1:
        return False
    if p.sparse or p.weighted or not (p.loss == HALF_SQUARED_ERROR or p.loss == SUM_SQUARED_ERROR):
        return False
    for layer in range(1, p.n_layers + 1):
        if column(p, layer, ACTIVATION) == SOFTMAX or column(p, layer, DROP_LIMIT) > 0:
            return False
        if column(p, layer - 1, UNITS) > LARGEST or column(p, layer, UNITS) > LARGEST:
            return False
    return True


@kernel
def train_small(p, problem, u, order, learning_rates, loss_sums):
    """Train as `train_thread` does."""
    L, n, step, group = lanes(p.work), order.shape[1], problem.settings[STEP], 1
    while group < n:
        group *= 2
    table = np.zeros((p.n_layers + 1, N_SMALL), np.int64)
    n_weights = n_rows = 0
    for layer in range(p.n_layers + 1):
        units = column(p, layer, UNITS)
        row = (units * group + L - 1) // L * L if layer > 0 else units * L
        table[layer, N_OUT], table[layer, ROW] = units, row
        table[layer, CODE], table[layer, FIRST] = column(p, layer, ACTIVATION), n_weights
        table[layer, ROWS], table[layer, IS_FULL] = n_rows, n == group and row == units * group
        n_rows += 5 * row
        if layer == 1:
            n_weights += column(p, 0, UNITS) * row
        elif layer > 1:
            n_weights += units * table[layer - 1, ROW]
        table[layer, BIAS] = n_weights
        n_weights += row if layer > 0 else 0
    memory = np.zeros(3 * n_weights + n_rows + L // group * L, problem.weights.dtype)
    parameters = np.zeros(p.n_layers + 1, problem.weights.dtype)
    for layer in range(1, p.n_layers + 1):
        parameters[layer] = parameter_of(p, layer)
    s = Small(
        p.n_layers,
        group,
        pointer(table),
        pointer(memory),
        pointer(memory[n_weights:]),
        pointer(memory[2 * n_weights :]),
        pointer(memory[3 * n_weights :]),
        pointer(parameters),
        pointer(memory[3 * n_weights + n_rows :]),
    )
    load_small(p, s, n)
    copy_small(p, s, problem, False)
    factor = 2.0 if p.loss == SUM_SQUARED_ERROR else 1.0
    for epoch in range(len(loss_sums)):
        if is_stopped(p.stop):
            break
        step += 1
        u = step_sizes(p, u, learning_rates[epoch], step, float(n))
        # With the group known, the compiler unrolls the sums over it: 0.18 to 0.14 microseconds.
        if group == 4 and is_plain_step(u):
            loss_sums[epoch] += step_small(s, 4, True, factor, n, u)
        else:
            loss_sums[epoch] += step_small(s, group, False, factor, n, u)
    copy_small(p, s, problem, True)
    # Pointers do not keep an array alive; this use at the end does.
    return table[0, N_OUT] + len(memory) + parameters[0]


@kernel
def step_small(s, group, is_plain, factor, n, u):
    """Make one step, by plain gradient descent if is_plain; return the summed loss."""
    forward_first(s)
    for layer in range(2, s.n_layers + 1):
        forward_small(s, layer, group)
    loss = output_small(s, factor, n)
    for layer in range(s.n_layers, 1, -1):
        backward_small(s, layer, group, is_plain, u)
    backward_first(s, group, is_plain, u)
    for layer in range(1, s.n_layers + 1):
        update_biases(s, layer, group, is_plain, u)
    return loss


@kernel
def load_small(p, s, n):
    """Fill in inputs, targets, masks."""
    L = lanes(p.work)
    for i in range(L):
        s.lane_mask[i // s.group * L + i] = 1
    for i in range(n):
        sample = p.order[i]
        for k in range(p.n_features):
            value = value_of(p, sample * p.n_features + k)
            for lane in range(i, L, s.group):
                s.rows[k * L + lane] = value
        for layer in range(1, s.n_layers + 1):
            mask = entry(s, layer, ROWS) + 2 * entry(s, layer, ROW)
            for k in range(entry(s, layer, N_OUT)):
                s.rows[mask + k * s.group + i] = 1
        targets = entry(s, s.n_layers, ROWS) + 4 * entry(s, s.n_layers, ROW)
        for k in range(p.n_targets):
            s.rows[targets + k * s.group + i] = p.targets[sample * p.n_targets + k]


@kernel
def copy_small(p, s, problem, back):
    """Copy weights and moments from panels into rows, or back."""
    for layer in range(1, s.n_layers + 1):
        copy_rows(p, s, layer, p.weights, s.weights, back)
        if len(problem.moment_1):
            copy_rows(p, s, layer, p.moment_1, s.moment_1, back)
        if len(problem.moment_2):
            copy_rows(p, s, layer, p.moment_2, s.moment_2, back)


@kernel
def copy_rows(p, s, layer, panels, rows, back):
    """Copy one layer's weights, or moments."""
    W, n_in, n_out = 2 * lanes(p.work), entry(s, layer - 1, N_OUT), entry(s, layer, N_OUT)
    by_unit, by_input = entry(s, layer - 1, ROW), s.group
    if layer == 1:
        by_unit, by_input = s.group, entry(s, 1, ROW)
    for j in range(n_out):
        for k in range(n_in + 1):
            at = column(p, layer, WEIGHTS) + ((j // W) * (n_in + 1) + k) * W + j % W
            to = entry(s, layer, FIRST) + j * by_unit + k * by_input
            if k == n_in:
                to = entry(s, layer, BIAS) + j * s.group
            if back:
                panels[at] = rows[to]
            else:
                for i in range(s.group):
                    rows[to + i] = panels[at]


@kernel
def forward_first(s):
    """Compute the first layer's outputs and slopes (2.12) to (2.15), all units side by side."""
    L, rows, row, n_in = lanes(s.rows), s.rows, entry(s, 1, ROW), entry(s, 0, N_OUT)
    for q in range(0, row, L):
        z = vload(s.weights, entry(s, 1, BIAS) + q)
        for k in range(n_in):
            z = vmuladd(vload(rows, k * L), vload(s.weights, k * row + q), z)
        activate_small(s, 1, entry(s, 1, ROWS) + q, row, z)


@kernel
def forward_small(s, layer, group):
    """Compute a layer's outputs and slopes, a unit after the other."""
    L, rows = lanes(s.rows), s.rows
    x, row_in = entry(s, layer - 1, ROWS), entry(s, layer - 1, ROW)
    y, row, n_out = entry(s, layer, ROWS), entry(s, layer, ROW), entry(s, layer, N_OUT)
    w, bias = entry(s, layer, FIRST), entry(s, layer, BIAS)
    j = 0
    for q in range(0, row, L):
        z = vload(s.weights, bias + q)
        for unit in range(0, min(L // group, n_out - j) * L, L):
            total = vmul(vload(rows, x), vload(s.weights, w))
            for k in range(L, row_in, L):
                total = vmuladd(vload(rows, x + k), vload(s.weights, w + k), total)
            # Every group holds the sum: take it for the group of unit j.
            z = vmuladd(vsum_across(total, group, L), vload(s.lane_mask, unit), z)
            w += row_in
            j += 1
        activate_small(s, layer, y + q, row, z)


@inlined
def activate_small(s, layer, at, row, z):
    """Store f(z) and f'(z), and 0 in the padding."""
    y, slope = activate(entry(s, layer, CODE), s.parameters[layer], z)
    if not entry(s, layer, IS_FULL):
        mask = vload(s.rows, at + 2 * row)
        y, slope = vmul(y, mask), vmul(slope, mask)
    vstore(s.rows, at, y)
    vstore(s.rows, at + row, slope)


@kernel
def output_small(s, factor, n):
    """Store the output layer's deltas (2.41); return the summed loss."""
    L, rows, row = lanes(s.rows), s.rows, entry(s, s.n_layers, ROW)
    y = entry(s, s.n_layers, ROWS)
    squares, scale = vzero(rows), vsplat(real(rows, factor / n))
    for q in range(y, y + row, L):
        e = vsub(vload(rows, q), vload(rows, q + 4 * row))
        squares = vmuladd(e, e, squares)
        vstore(rows, q + 3 * row, vmul(vmul(e, scale), vload(rows, q + row)))
    return factor / 2 * vsum(squares)


@kernel
def backward_small(s, layer, group, is_plain, u):
    """Compute the deltas below (2.42) and update the weights, a unit after the other."""
    L, rows = lanes(s.rows), s.rows
    x, row_in = entry(s, layer - 1, ROWS), entry(s, layer - 1, ROW)
    row, n_out = entry(s, layer, ROW), entry(s, layer, N_OUT)
    d, at, unit = entry(s, layer, ROWS) + 3 * row, entry(s, layer, FIRST), 0
    for j in range(n_out):
        delta = vmul(vload(rows, d), vload(s.lane_mask, unit * L))
        delta = vsum_across(delta, group, L)  # this unit's delta, in every group
        unit += 1
        if unit * group == L:
            unit = 0
            d += L
        for q in range(x, x + row_in, L):
            below = vmul(delta, vload(s.weights, at + q - x))
            if j > 0:
                below = vadd(below, vload(rows, q + 3 * row_in))
            if j == n_out - 1:
                below = vmul(below, vload(rows, q + row_in))
            vstore(rows, q + 3 * row_in, below)
        for q in range(x, x + row_in, L):
            g = vsum_within(vmul(delta, vload(rows, q)), group)
            update_small(s, at, g, True, is_plain, u)
            at += L


@kernel
def backward_first(s, group, is_plain, u):
    """Update the first layer's weights, all units side by side."""
    L, rows, row, at = lanes(s.rows), s.rows, entry(s, 1, ROW), 0
    deltas = entry(s, 1, ROWS) + 3 * row
    for k in range(entry(s, 0, N_OUT)):
        x = vload(rows, k * L)
        for q in range(deltas, deltas + row, L):
            g = vsum_within(vmul(x, vload(rows, q)), group)
            update_small(s, at, g, True, is_plain, u)
            at += L


@kernel
def update_biases(s, layer, group, is_plain, u):
    """Update a layer's biases."""
    rows, row, at = s.rows, entry(s, layer, ROW), entry(s, layer, BIAS)
    deltas = entry(s, layer, ROWS) + 3 * row
    for q in range(0, row, lanes(rows)):
        g = vsum_within(vload(rows, deltas + q), group)
        update_small(s, at + q, g, False, is_plain, u)


@inlined
def update_small(s, at, g, penalized, is_plain, u):
    """Update a vector of weights from their gradient g."""
    if is_plain:
        vstore(s.weights, at, vfma(-u.size, g, vload(s.weights, at)))
    else:
        optimizer_step(s, at, g, penalized, u)
