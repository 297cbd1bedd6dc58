"""Activations, dropout and losses of networks side by side, with Numba.

The functions follow cython_cpu/lane_losses.pxi; shapes as in lanes.pxi.
"""

from typing import Any, NamedTuple

import numpy as np

from .. import codes
from ..cpu import panels
from ..cpu.lanes import ACTIVATION, DELTAS, OUTPUTS, SLOPES, UNITS
from ..cpu.panels import N_NUMBERS
from .compile import inlined, kernel, merged
from .formulas import activate, loss_and_delta, philox
from .functions import vexp_or_0, vlog, vlog1p
from .layers import starts_from_z
from .task import entry
from .vector import (
    advanced,
    lanes,
    pointer,
    real,
    vabs,
    vadd,
    vdiv,
    vif_positive,
    vload,
    vmul,
    vmuladd,
    vneg,
    vrelu,
    vsplat,
    vstore,
    vsub,
    vzero,
)


class Panel(NamedTuple):
    """What `loss_and_delta` looks at, of one lane."""

    n_layers: Any
    batch: Any
    loss: Any
    table: Any
    numbers: Any
    weights: Any
    work: Any
    targets: Any
    n_targets: Any


@merged
def activate_lanes(g, layer, rows):
    """Replace z by f(z), and store f'(z): (2.13) to (2.15)."""
    # With the activation known, the compiler keeps all constants of its loop in registers.
    code = entry(g, layer, ACTIVATION)
    if code == codes.SIGMOID:
        activate_units(g, layer, rows, codes.SIGMOID)
    elif code == codes.TANH:
        activate_units(g, layer, rows, codes.TANH)
    else:
        activate_units(g, layer, rows, code)


@inlined
def activate_units(g, layer, rows, activation):
    """Do so for a known activation."""
    L, n, work = lanes(g.work), entry(g, layer, UNITS), g.work
    y, slope = entry(g, layer, OUTPUTS), entry(g, layer, SLOPES)
    a = vload(g.constants, (N_NUMBERS + layer - 1) * L)
    for _ in range(rows):
        for _ in range(n):
            output, derivative = activate(activation, a, vload(work, y))
            vstore(work, y, output)
            vstore(work, slope, derivative)
            y += L
            slope += L
        y += L  # the input of the bias


@kernel
def drop_lanes(g, layer, rows):
    """Multiply outputs and slopes by 0 or 1 / (1 - rate), as `drop_panel` does."""
    L, n = lanes(g.work), entry(g, layer, UNITS)
    stream, zero = np.uint64(codes.STREAM_DROPOUT << 16 | (layer - 1)), real(g.work, 0.0)
    for lane in range(L):
        limit = g.drop_limits[(layer - 1) * L + lane]
        if limit == 0:
            continue
        keep = real(g.work, 1 / (1 - limit / 4294967296.0))
        step, seed = np.uint64(g.steps[lane] - 1) & np.uint64(0xFFFFFFFF), g.seeds[lane]
        for i in range(rows):
            y = entry(g, layer, OUTPUTS) + i * (n + 1) * L + lane
            slope = entry(g, layer, SLOPES) + i * n * L + lane
            for j in range(0, n, 4):
                words = philox(np.uint64(j // 4), np.uint64(i), step, stream, seed)
                for c in range(min(4, n - j)):
                    factor = zero if words[c] < np.uint64(limit) else keep
                    g.work[y + (j + c) * L] *= factor
                    g.work[slope + (j + c) * L] *= factor


@merged
def finish_lanes(g, rows, sums):
    """Compute losses and deltas of the output layer (2.41).

    The usual ones on vectors; the rest a network after the other, as `loss_and_delta` has it.
    """
    L, layer = lanes(g.work), g.n_layers
    is_softmax, code = entry(g, layer, ACTIVATION) == codes.SOFTMAX, g.loss
    for i in range(rows):
        count, share = vload(g.work, g.counts + i * L), vload(g.work, g.shares + i * L)
        if not is_softmax and code in (codes.HALF_SQUARED_ERROR, codes.SUM_SQUARED_ERROR):
            loss = squares_of(g, layer, i, share)
        elif is_softmax and code in (
            codes.CATEGORICAL_CROSSENTROPY,
            codes.SPARSE_CATEGORICAL_CROSSENTROPY,
        ):
            loss = crossentropy_of(g, layer, i, share)
        elif code == codes.BINARY_CROSSENTROPY:
            loss = binary_crossentropy_of(g, layer, i, share)
        else:
            any_loss_of(g, layer, i, sums)
            continue
        vstore(g.sums, 0, vif_positive(count, vmul(count, loss), vzero(g.work)))
        for lane in range(L):
            sums[lane] += g.sums[lane]


@inlined
def store_delta(g, at, share, e, slope):
    """Store a delta; 0 where a sample does not count, whatever its error is."""
    vstore(g.work, at, vif_positive(share, vmul(vmul(share, e), slope), vzero(g.work)))


@inlined
def squares_of(g, layer, i, share):
    """Return the squared error of sample i, and store its deltas."""
    L, n, work = lanes(g.work), entry(g, layer, UNITS), g.work
    y, t = entry(g, layer, OUTPUTS) + i * (n + 1) * L, g.batch_targets + i * n * L
    slope, delta = entry(g, layer, SLOPES) + i * n * L, entry(g, layer, DELTAS) + i * n * L
    factor = 2.0 if g.loss == codes.SUM_SQUARED_ERROR else 1.0
    squares, scale = vzero(work), vsplat(real(work, factor))
    for c in range(0, n * L, L):
        e = vsub(vload(work, y + c), vload(work, t + c))
        squares = vmuladd(e, e, squares)
        store_delta(g, delta + c, share, vmul(scale, e), vload(work, slope + c))
    return vmul(vsplat(real(work, factor / 2)), squares)


@inlined
def crossentropy_of(g, layer, i, share):
    """Return the cross-entropy of sample i after a softmax, and store its deltas."""
    L, n, work = lanes(g.work), entry(g, layer, UNITS), g.work
    z, t = entry(g, layer, OUTPUTS) + i * (n + 1) * L, g.batch_targets + i * g.n_targets * L
    power, delta = entry(g, layer, SLOPES) + i * n * L, entry(g, layer, DELTAS) + i * n * L
    smoothing = vload(g.constants, (N_NUMBERS + g.n_layers) * L)
    zero, one = vzero(work), vsplat(real(work, 1.0))
    largest, total, rest, loss = vload(work, z), zero, zero, zero
    spread = vdiv(smoothing, vsplat(real(work, float(n))))
    by_label = g.loss == codes.SPARSE_CATEGORICAL_CROSSENTROPY
    for c in range(1, n):
        v = vload(work, z + c * L)
        largest = vif_positive(vsub(v, largest), v, largest)
    for c in range(n):
        e = vexp_or_0(vsub(vload(work, z + c * L), largest))
        vstore(work, power + c * L, e)
        total = vadd(total, e)
        if by_label:
            rest = vadd(rest, vif_positive(where_label(work, t, c), zero, e))
    log_total = vadd(vlog(total), largest)
    for c in range(n):
        is_label = where_label(work, t, c) if by_label else vload(work, t + c * L)
        target = vmuladd(vsub(one, smoothing), is_label, spread)
        e = vmul(target, vsub(log_total, vload(work, z + c * L)))
        loss = vadd(loss, vif_positive(vabs(target), e, zero))
        e = vdiv(vload(work, power + c * L), total)
        if by_label:  # as softmax_and_label has it, to the last bit
            target = vsub(vsub(smoothing, spread), vdiv(rest, total))
            e = vif_positive(is_label, target, vsub(e, spread))
        else:
            e = vsub(e, target)
        store_delta(g, delta + c * L, share, e, one)
    return loss


@inlined
def where_label(work, t, c):
    """Return 1 where the label is c, else 0."""
    off = vabs(vsub(vload(work, t), vsplat(real(work, float(c)))))
    one, half = vsplat(real(work, 1.0)), vsplat(real(work, 0.5))
    return vif_positive(vsub(half, off), one, vzero(work))


@inlined
def binary_crossentropy_of(g, layer, i, share):
    """Return the binary cross-entropy of sample i after sigmoids, and store its deltas."""
    L, n, work = lanes(g.work), entry(g, layer, UNITS), g.work
    z, t = entry(g, layer, OUTPUTS) + i * (n + 1) * L, g.batch_targets + i * n * L
    delta = entry(g, layer, DELTAS) + i * n * L
    smoothing = vload(g.constants, (N_NUMBERS + g.n_layers) * L)
    one, half, loss = vsplat(real(work, 1.0)), vsplat(real(work, 0.5)), vzero(work)
    for c in range(0, n * L, L):
        v = vload(work, z + c)
        e = vexp_or_0(vneg(vabs(v)))
        y = vdiv(vif_positive(v, one, e), vadd(one, e))
        target = vmuladd(vsub(one, smoothing), vload(work, t + c), vmul(smoothing, half))
        loss = vadd(loss, vadd(vsub(vrelu(v), vmul(v, target)), vlog1p(e)))
        store_delta(g, delta + c, share, vsub(y, target), one)
    return loss


@kernel
def any_loss_of(g, layer, i, sums):
    """Add the losses of sample i in all lanes, and store the deltas: lanes as rows of panels."""
    L, n, work = lanes(g.work), entry(g, layer, UNITS), g.work
    W = 2 * L
    size, table = (n + W - 1) // W * W * L, np.zeros(panels.N_COLUMNS, np.int64)
    outputs, slopes, deltas = g.panel, g.panel + size, g.panel + 2 * size
    code = entry(g, layer, ACTIVATION)
    table[panels.UNITS], table[panels.ACTIVATION] = n, code
    table[panels.OUTPUTS], table[panels.SLOPES], table[panels.DELTAS] = outputs, slopes, deltas
    from_z = starts_from_z(code, g.loss)
    for lane in range(L):
        sample, count = g.chosen[i * L + lane], float(work[g.counts + i * L + lane])
        for c in range(n):
            at = ((c // W) * L + lane) * W + c % W
            work[outputs + at] = work[entry(g, layer, OUTPUTS) + (i * (n + 1) + c) * L + lane]
            work[slopes + at] = work[entry(g, layer, SLOPES) + (i * n + c) * L + lane]
            work[deltas + at] = 0
        if sample >= 0:
            p = Panel(
                g.n_layers,
                L,
                g.loss,
                pointer(table),
                advanced(g.numbers, lane * g.n_numbers),
                g.weights,
                work,
                g.targets,
                g.n_targets,
            )
            share = float(work[g.shares + i * L + lane])
            sums[lane] += count * loss_and_delta(p, 0, lane, sample, share, from_z)
        for c in range(n):
            at = ((c // W) * L + lane) * W + c % W
            work[entry(g, layer, DELTAS) + (i * n + c) * L + lane] = work[deltas + at]
    return table[0]  # pointers do not keep an array alive
