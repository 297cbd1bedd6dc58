"""Full-batch training of small networks on few samples, with Numba: such as 2-10-1 on XOR.

The functions follow cython_cpu/small.pxi, where the layout is explained.
"""

from typing import Any, NamedTuple

import numpy as np

from ..codes import SIGMOID, SUM_SQUARED_ERROR
from ..cpu.panels import ACTIVATION, OPTIMIZER, STEP, UNITS, WEIGHTS
from .barrier import is_stopped
from .compile import inlined, kernel, merged
from .formulas import activate, first_sizes, next_step, optimizer_step, step_sizes
from .inputs import value_of
from .processor import flush_denormals, restore_denormals
from .task import column, new_task, parameter_of
from .updates import is_plain_step
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
    vneg,
    vsplat,
    vstore,
    vsub,
    vsum,
    vzero,
)

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
def train_small(problem, samples, order, learning_rates, losses, loss_sums, thread):
    """Train as `train_thread` does, on one thread, what `panels.is_small` says."""
    p = new_task(problem, samples, order, losses, thread, 1)
    L, n, step, group = lanes(p.work), order.shape[1], problem.settings[STEP], 1
    sizes = first_sizes(p.numbers, problem.settings[OPTIMIZER], step)
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
    factor, before = 2.0 if p.loss == SUM_SQUARED_ERROR else 1.0, flush_denormals()
    forward_first(s)
    for epoch in range(len(loss_sums)):
        if is_stopped(p.stop):
            break
        step += 1
        sizes = step_sizes(p.numbers, sizes, learning_rates[epoch], step)
        u = next_step(p, sizes, float(n))
        # With the group known, the compiler unrolls the sums over it.
        if group == 4 and is_plain_step(u):
            loss_sums[epoch] += step_small(s, 4, True, factor, n, u)
        else:
            loss_sums[epoch] += step_small(s, group, False, factor, n, u)
    restore_denormals(before)
    copy_small(p, s, problem, True)
    # Pointers do not keep an array alive; this use at the end does.
    return table[0, N_OUT] + len(memory) + parameters[0]


@kernel
def step_small(s, group, is_plain, factor, n, u):
    """Make one step, by plain gradient descent if is_plain; return the summed loss.

    The first layer's pre-activations are there already: whoever has changed its weights computes
    the next ones with them.
    """
    last = s.n_layers
    if last > 1:
        activate_small(s, 1)
    for layer in range(2, last):
        forward_small(s, layer, group)
        activate_small(s, layer)
    # With the activation known, the compiler keeps all constants of a loop in registers.
    if is_plain and entry(s, last, CODE) == SIGMOID:
        loss = output_small(s, SIGMOID, group, factor, n)
    else:
        loss = output_small(s, entry(s, last, CODE), group, factor, n)
    for layer in range(last, 1, -1):
        backward_small(s, layer, group, is_plain, u)
    backward_first(s, group, is_plain, u)
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
    """Compute the first layer's pre-activations (2.12), all units side by side."""
    L, y, row = lanes(s.rows), entry(s, 1, ROWS), entry(s, 1, ROW)
    for q in range(0, row, L):
        z = vload(s.weights, entry(s, 1, BIAS) + q)
        for k in range(entry(s, 0, N_OUT)):
            z = vmuladd(vload(s.rows, k * L), vload(s.weights, k * row + q), z)
        vstore(s.rows, y + q, z)


@kernel
def forward_small(s, layer, group):
    """Compute a layer's pre-activations."""
    L, y = lanes(s.rows), entry(s, layer, ROWS)
    for v in range(entry(s, layer, ROW) // L):
        vstore(s.rows, y + v * L, weighted_sums(s, layer, v, group))


@merged
def weighted_sums(s, layer, v, group):
    """Return vector v of a layer's pre-activations, computed a unit after the other."""
    L, x, row_in = lanes(s.rows), entry(s, layer - 1, ROWS), entry(s, layer - 1, ROW)
    w = entry(s, layer, FIRST) + v * (L // group) * row_in
    row = vload(s.weights, entry(s, layer, BIAS) + v * L)
    for unit in range(units_of(s, layer, v, group)):
        z = vmul(vload(s.rows, x), vload(s.weights, w))
        for q in range(L, row_in, L):
            z = vmuladd(vload(s.rows, x + q), vload(s.weights, w + q), z)
        # Every group holds the sum: take it for the group of this unit.
        row = vmuladd(vsum_across(z, group, L), vload(s.lane_mask, unit * L), row)
        w += row_in
    return row


@inlined
def units_of(s, layer, v, group):
    """Return how many units vector v of a row holds."""
    full = lanes(s.rows) // group
    return min(full, entry(s, layer, N_OUT) - v * full)


@kernel
def activate_small(s, layer):
    """Replace z by f(z), and store f'(z): (2.13) to (2.15)."""
    code = entry(s, layer, CODE)
    if code == SIGMOID:
        activate_row(s, layer, SIGMOID)
    else:
        activate_row(s, layer, code)


@inlined
def activate_row(s, layer, code):
    """Do so for a known activation, and store 0 in the padding.

    A loop by itself: exponentials are long chains, and those of several vectors overlap.
    """
    rows, y, row = s.rows, entry(s, layer, ROWS), entry(s, layer, ROW)
    for q in range(y, y + row, lanes(rows)):
        output, slope = activate(code, s.parameters[layer], vload(rows, q))
        if not entry(s, layer, IS_FULL):
            mask = vload(rows, q + 2 * row)
            output, slope = vmul(output, mask), vmul(slope, mask)
        vstore(rows, q, output)
        vstore(rows, q + row, slope)


@inlined
def output_small(s, code, group, factor, n):
    """Store the output layer's deltas (2.41); return the summed loss.

    All from the weighted sums to the deltas stays in registers.
    """
    L, rows, layer = lanes(s.rows), s.rows, s.n_layers
    y, row = entry(s, layer, ROWS), entry(s, layer, ROW)
    squares, scale = vzero(rows), vsplat(real(rows, factor / n))
    for v in range(row // L):
        q = y + v * L
        z = vload(rows, q) if layer == 1 else weighted_sums(s, layer, v, group)
        output, slope = activate(code, s.parameters[layer], z)
        e, mask = vsub(output, vload(rows, q + 4 * row)), vload(rows, q + 2 * row)
        squares = vmuladd(vmul(e, mask), e, squares)
        vstore(rows, q + 3 * row, vmul(vmul(e, vmul(mask, scale)), slope))
    return factor / 2 * vsum(squares)


@kernel
def backward_small(s, layer, group, is_plain, u):
    """Compute the deltas below (2.42) and update weights and biases, a unit after the other."""
    L, rows, n_out, row = lanes(s.rows), s.rows, entry(s, layer, N_OUT), entry(s, layer, ROW)
    x, row_in, at = entry(s, layer - 1, ROWS), entry(s, layer - 1, ROW), entry(s, layer, FIRST)
    j = 0
    for q in range(0, row, L):
        deltas = vload(rows, entry(s, layer, ROWS) + 3 * row + q)
        for unit in range(units_of(s, layer, q // L, group)):
            # This unit's delta, in every group
            delta = vsum_across(vmul(deltas, vload(s.lane_mask, unit * L)), group, L)
            for k in range(0, row_in, L):
                below = vmul(delta, vload(s.weights, at + k))
                if j > 0:
                    below = vadd(below, vload(rows, x + 3 * row_in + k))
                if j == n_out - 1:
                    below = vmul(below, vload(rows, x + row_in + k))
                vstore(rows, x + 3 * row_in + k, below)
            for k in range(0, row_in, L):
                g = vsum_within(vmul(delta, vload(rows, x + k)), group)
                update_small(s, at + k, g, True, is_plain, u)
            at += row_in
            j += 1
        bias = entry(s, layer, BIAS) + q
        update_small(s, bias, vsum_within(deltas, group), False, is_plain, u)


@kernel
def backward_first(s, group, is_plain, u):
    """Update the first layer's weights and compute its next pre-activations, all units at once."""
    L, rows, row, bias = lanes(s.rows), s.rows, entry(s, 1, ROW), entry(s, 1, BIAS)
    y = entry(s, 1, ROWS)
    for q in range(0, row, L):
        delta = vload(rows, y + 3 * row + q)
        z = update_small(s, bias + q, vsum_within(delta, group), False, is_plain, u)
        for k in range(entry(s, 0, N_OUT)):
            x = vload(rows, k * L)
            g = vsum_within(vmul(x, delta), group)
            z = vmuladd(x, update_small(s, k * row + q, g, True, is_plain, u), z)
        vstore(rows, y + q, z)


@inlined
def update_small(s, at, g, penalized, is_plain, u):
    """Update a vector of weights from their gradient g; return them."""
    if is_plain:
        w = vfma(vneg(vsplat(u.size)), g, vload(s.weights, at))
        vstore(s.weights, at, w)
    else:
        w = optimizer_step(s, at, g, penalized, u)
    return w
