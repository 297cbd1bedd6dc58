"""Updates of weights, with Numba, from gradients in registers: where a training spends its time.

The functions follow cython_cpu/updates.pxi. `p` is a `Task`, `layer` a row of its table.
Shapes as in layers.py; a panel of weights is (n, W), of inputs or outputs (B, W).
"""

import numpy as np

from ..codes import ADAM, SGD
from ..cpu.panels import DELTAS, OUTPUTS, TRANSPOSED, UNITS, WEIGHTS
from .compile import inlined, kernel, merged
from .formulas import NO_PENALTY, Step, optimizer_step
from .products import column_of, is_half
from .task import column, used_by
from .vector import (
    lanes,
    load,
    store_alone,
    vadd,
    vfma,
    vload,
    vload_half,
    vmul,
    vsplat,
    vstore,
    vstore_half,
    vzero,
)


@inlined
def update_row(p, at, g0, g1, penalized, half, u):
    """Update one row of a panel from its gradient."""
    optimizer_step(p, at, g0, penalized, u)
    if not half:
        optimizer_step(p, at + lanes(p.weights), g1, penalized, u)


@kernel
def update_panel(p, layer, panel, k, end, rows, u):
    """Update the rows of a panel that are k to end of those used; the last is the bias."""
    half = is_half(column(p, layer, UNITS), panel, 2 * lanes(p.weights))
    if is_adam(u) and half:
        update_tiles(p, layer, panel, k, end, rows, True, known_adam(u))
    elif is_adam(u):
        update_tiles(p, layer, panel, k, end, rows, False, known_adam(u))
    elif half:
        update_tiles(p, layer, panel, k, end, rows, True, u)
    else:
        update_tiles(p, layer, panel, k, end, rows, False, u)


@merged
def update_tiles(p, layer, panel, k, end, rows, half, u):
    """Do the work of `update_panel`; the gradient stays in registers."""
    L = lanes(p.weights)
    W = 2 * L
    work, batch, n_in = p.work, p.batch, column(p, layer - 1, UNITS)
    used, n_used = used_by(p, layer)
    first = column(p, layer, WEIGHTS) + panel * (n_in + 1) * W
    inputs = column(p, layer - 1, OUTPUTS)
    d = column(p, layer, DELTAS) + panel * batch * W
    zero = vzero(work)
    while k < end:
        k0 = np.int64(load(used, k))
        q0 = inputs + column_of(k0, batch, W)
        g00 = g01 = g10 = g11 = g20 = g21 = g30 = g31 = zero
        if k + 4 <= end and k + 4 <= n_used:
            k1, k2 = np.int64(load(used, k + 1)), np.int64(load(used, k + 2))
            k3 = np.int64(load(used, k + 3))
            q1, q2 = inputs + column_of(k1, batch, W), inputs + column_of(k2, batch, W)
            q3 = inputs + column_of(k3, batch, W)
            for i in range(0, rows * W, W):
                x0, x1 = load(work, q0 + i), load(work, q1 + i)
                x2, x3 = load(work, q2 + i), load(work, q3 + i)
                d0 = vload(work, d + i)
                g00, g10 = vfma(x0, d0, g00), vfma(x1, d0, g10)
                g20, g30 = vfma(x2, d0, g20), vfma(x3, d0, g30)
                if not half:
                    d1 = vload(work, d + i + L)
                    g01, g11 = vfma(x0, d1, g01), vfma(x1, d1, g11)
                    g21, g31 = vfma(x2, d1, g21), vfma(x3, d1, g31)
            update_row(p, first + k0 * W, g00, g01, True, half, u)
            update_row(p, first + k1 * W, g10, g11, True, half, u)
            update_row(p, first + k2 * W, g20, g21, True, half, u)
            update_row(p, first + k3 * W, g30, g31, True, half, u)
            k += 4
            continue
        if k < n_used:
            for i in range(0, rows * W, W):
                x0 = load(work, q0 + i)
                g00 = vfma(x0, vload(work, d + i), g00)
                if not half:
                    g01 = vfma(x0, vload(work, d + i + L), g01)
        elif k == n_in:
            for i in range(0, rows * W, W):
                g00 = vadd(g00, vload(work, d + i))
                if not half:
                    g01 = vadd(g01, vload(work, d + i + L))
        update_row(p, first + k0 * W, g00, g01, k < n_in, half, u)
        k += 1


@kernel
def update_panel_sparse(p, layer, panel, k, end, rows, u):
    """Do the same for the first layer: only the samples that have input k contribute.

    `layer` is 1, but given as a literal it would make Numba compile `update_panel` once more.
    """
    last = min(end, p.n_features)
    half = is_half(column(p, layer, UNITS), panel, 2 * lanes(p.weights))
    L = lanes(p.weights)
    if p.scattered and panel == 0 and column(p, layer, UNITS) <= L // 2:
        scatter_and_update(p, layer, panel, k, last, rows, L // 2, u)
    elif p.scattered and half:
        scatter_and_update(p, layer, panel, k, last, rows, L, u)
    elif p.scattered:
        scatter_and_update(p, layer, panel, k, last, rows, 2 * L, u)
    elif half:
        update_from_lists(p, layer, panel, k, last, True, u)
    else:
        update_from_lists(p, layer, panel, k, last, False, u)
    if end > p.n_features:
        update_panel(p, layer, panel, last, end, rows, u)


@merged
def scatter_and_update(p, layer, panel, k, end, rows, width, u):
    """Do it by sums in `work`, (n_in, width), of as many columns as may not be empty."""
    scatter(p, layer, panel, k, end, rows, width)
    if is_adam(u):
        update_from_sums(p, layer, panel, k, end, width, known_adam(u))
    else:
        update_from_sums(p, layer, panel, k, end, width, u)


@inlined
def load_sums(work, g, width):
    """Return the first vector of a row of sums."""
    return vload_half(work, g) if width < lanes(work) else vload(work, g)


@inlined
def store_sums(work, g, sums, width):
    """Store it."""
    if width < lanes(work):
        vstore_half(work, g, sums)
    else:
        vstore(work, g, sums)


@merged
def scatter(p, layer, panel, k, end, rows, width):
    """Add the gradient of the inputs k to end to the sums, sample by sample.

    Either `end` ends this thread's range of inputs, or all inputs are its own.
    """
    L, T = lanes(p.weights), p.n_threads
    W = 2 * L
    d = column(p, layer, DELTAS) + panel * p.batch * W
    all_inputs = k == 0 and end == p.n_features
    first, n_ranges = (0, T) if all_inputs else (p.thread, 1)
    for i in range(rows):
        split = i * (T + 1) + first
        d0, d1 = vload(p.work, d + i * W), vload(p.work, d + i * W + L)
        for q in range(load(p.split, split), load(p.split, split + n_ranges)):
            x, g = load(p.value, q), p.gradient + load(p.position, q) * width
            store_sums(p.work, g, vfma(x, d0, load_sums(p.work, g, width)), width)
            if width == W:
                vstore(p.work, g + L, vfma(x, d1, vload(p.work, g + L)))


@merged
def update_from_sums(p, layer, panel, k, end, width, u):
    """Update the rows of inputs k to end from the sums, which are 0 again."""
    L = lanes(p.weights)
    W = 2 * L
    at = column(p, layer, WEIGHTS) + panel * (p.n_features + 1) * W
    zero, is_plain, half = vzero(p.work), is_plain_step(u), width < W
    for j in range(k, end):
        g = p.gradient + j * width
        g0, g1 = load_sums(p.work, g, width), zero
        store_sums(p.work, g, zero, width)
        if not half:
            g1 = vload(p.work, g + L)
            vstore(p.work, g + L, zero)
        if is_plain:
            descend(p, at + j * W, g0, g1, half, u.size)
        else:
            update_row(p, at + j * W, g0, g1, True, half, u)


@inlined
def descend(p, at, g0, g1, half, rate):
    """Do what `update_row` does for a plain step, without asking which it is."""
    L = lanes(p.weights)
    vstore(p.weights, at, vfma(-rate, g0, vload(p.weights, at)))
    if not half:
        vstore(p.weights, at + L, vfma(-rate, g1, vload(p.weights, at + L)))


@merged
def update_from_lists(p, layer, panel, k, end, half, u):
    """Update the rows of inputs k to end; the gradient of each stays in registers."""
    L = lanes(p.weights)
    W = 2 * L
    at = column(p, layer, WEIGHTS) + panel * (p.n_features + 1) * W
    d = column(p, layer, DELTAS) + panel * p.batch * W
    zero, is_plain = vzero(p.work), is_plain_step(u)
    for j in range(k, end):
        first, stop = load(p.start, j), load(p.start, j + 1)
        if first == stop and is_plain:
            continue
        g0 = g1 = zero
        for q in range(first, stop):
            x, di = load(p.sample_value, q), d + load(p.sample, q) * W
            g0 = vfma(x, vload(p.work, di), g0)
            if not half:
                g1 = vfma(x, vload(p.work, di + L), g1)
        update_row(p, at + j * W, g0, g1, True, half, u)


@kernel
def update_two_panels(p, layer, panel, rows, u):
    """Update a panel of compressed inputs and the next one, from the lists.

    The lists are short and of any length: to go through them takes as long as to add.
    """
    if is_half(column(p, layer, UNITS), panel + 1, 2 * lanes(p.weights)):
        update_both(p, layer, panel, True, u)
    elif is_adam(u):
        update_both(p, layer, panel, False, known_adam(u))
    else:
        update_both(p, layer, panel, False, u)
    update_panel(p, layer, panel, p.n_features, p.n_features + 1, rows, u)
    update_panel(p, layer, panel + 1, p.n_features, p.n_features + 1, rows, u)


@merged
def update_both(p, layer, panel, half, u):
    """Do it for all inputs; of the next panel half may be empty."""
    L = lanes(p.weights)
    W = 2 * L
    n_in, next_panel = p.n_features, p.batch * W
    at = column(p, layer, WEIGHTS) + panel * (n_in + 1) * W
    d = column(p, layer, DELTAS) + panel * next_panel
    zero, is_plain = vzero(p.work), is_plain_step(u)
    for j in range(n_in):
        first, stop = load(p.start, j), load(p.start, j + 1)
        if first == stop and is_plain:
            continue
        g00 = g01 = g10 = g11 = zero
        for q in range(first, stop):
            x, d0 = load(p.sample_value, q), d + load(p.sample, q) * W
            d1 = d0 + next_panel
            g00, g01 = vfma(x, vload(p.work, d0), g00), vfma(x, vload(p.work, d0 + L), g01)
            g10 = vfma(x, vload(p.work, d1), g10)
            if not half:
                g11 = vfma(x, vload(p.work, d1 + L), g11)
        update_row(p, at + j * W, g00, g01, True, False, u)
        update_row(p, at + (n_in + 1 + j) * W, g10, g11, True, half, u)


@kernel
def update_panel_online(p, panel, k, end, u):
    """Do the same for a batch of one sample under plain SGD: only its own inputs' rows change.

    Going through the sample's list, instead of all inputs, halves the time of online learning.
    """
    L = lanes(p.weights)
    W = 2 * L
    n_in = p.n_features
    first = column(p, 1, WEIGHTS) + panel * (n_in + 1) * W
    d = column(p, 1, DELTAS) + panel * p.batch * W
    half = is_half(column(p, 1, UNITS), panel, W)
    rate = vsplat(-u.size)
    d0, d1 = vmul(rate, vload(p.work, d)), vmul(rate, vload(p.work, d + L))
    for q in range(load(p.split, 0), load(p.split, p.n_threads)):
        j, x = load(p.position, q), load(p.value, q)
        if k <= j < end:
            w = first + j * W
            vstore(p.weights, w, vfma(x, d0, vload(p.weights, w)))
            if not half:
                vstore(p.weights, w + L, vfma(x, d1, vload(p.weights, w + L)))
    if end > n_in:
        w = first + n_in * W
        vstore(p.weights, w, vadd(d0, vload(p.weights, w)))
        if not half:
            vstore(p.weights, w + L, vadd(d1, vload(p.weights, w + L)))


@inlined
def is_plain_step(u):
    """Say whether a weight of gradient 0 stays as it is."""
    return u.optimizer == SGD and u.penalty == NO_PENALTY


@inlined
def is_adam(u):
    """Say whether `known_adam` is the same step."""
    return u.optimizer == ADAM and u.penalty == NO_PENALTY


@inlined
def known_adam(u):
    """Return a step of Adam without penalty that LLVM knows to be one; see updates.pxi."""
    return Step(
        np.int64(ADAM),  # of the same type as in u
        np.int64(NO_PENALTY),
        u.size,
        u.gradient_size,
        u.epsilon,
        u.decay,
        u.beta_1,
        u.beta_2,
        u.alpha,
        u.l1,
    )


@inlined
def is_online(p, rows, u):
    """Say whether `update_panel_online` applies."""
    return p.sparse and rows == 1 and is_plain_step(u)


@kernel
def transpose_panel(p, layer, panel, k, end):
    """Copy rows k to end of a panel of the weights into the transposed weights."""
    W = 2 * lanes(p.weights)
    n_in, n_out = column(p, layer - 1, UNITS), column(p, layer, UNITS)
    first = panel * W
    n = min(W, n_out - first)
    for j in range(k, min(end, n_in)):
        w = column(p, layer, WEIGHTS) + (panel * (n_in + 1) + j) * W
        t = column(p, layer, TRANSPOSED) + ((j // W) * n_out + first) * W + j % W
        for c in range(n):
            store_alone(p.work, t + c * W, load(p.weights, w + c))
