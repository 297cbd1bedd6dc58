"""What a layer does with a batch, with Numba: activation, dropout, loss, deltas, update.

The functions follow cython_cpu/layers.pxi. B is the batch size, W the panel width, T the number of
threads; n_in and n_out are a layer's. Offsets lead into the buffers of a `Task`, `p`.

    inputs, outputs, slopes, deltas   panels of (B, W)
    weights                           panels of (n_in + 1, W), the bias last
    transposed                        panels, of n_in, of (n_out, W)
"""

import numpy as np

from ..codes import BINARY_CROSSENTROPY, EXPONENTIAL, POISSON, SOFTMAX, STREAM_DROPOUT
from ..cpu.panels import (
    ACTIVATION,
    DELTAS,
    DROP_LIMIT,
    MAX_NORM,
    OUTPUTS,
    PANELS,
    SLOPES,
    TRANSPOSED,
    UNITS,
    WEIGHTS,
)
from .compile import inlined, kernel
from .formulas import activate, limit_norms, loss_and_delta
from .philox import vkeep
from .products import is_half, multiply_panel, multiply_panel_sparse
from .task import column, parameter_of, used_by
from .updates import (
    is_online,
    transpose_panel,
    update_panel,
    update_panel_online,
    update_panel_sparse,
    update_two_panels,
)
from .vector import lanes, load, real, vload, vmul, vstore

# --- activations, dropout, loss ----------------------------------------------------------------


@kernel
def activate_layer(p, layer, panel, i, end):
    """Apply the activation to samples i to end of a panel; narrow columns are packed together.

    Exponentials are what a small network spends its time on: 2-10-1 needs 6 vectors of them
    instead of 16.
    """
    L = lanes(p.work)
    W = 2 * L
    code, a = column(p, layer, ACTIVATION), parameter_of(p, layer)
    work, packed = p.work, p.packed
    y = column(p, layer, OUTPUTS) + panel * p.batch * W
    slope = column(p, layer, SLOPES) + panel * p.batch * W
    used = column(p, layer, UNITS) - panel * W
    whole = used // L * L
    rest = used - whole
    if 2 * rest > L:
        whole, rest = whole + L, 0
    if whole >= W:
        activate_all(code, a, work, y + i * W, slope + i * W, (end - i) * W)
        return
    if whole > 0:
        for q in range(i * W, end * W, W):
            activate_all(code, a, work, y + q, slope + q, L)
    if rest == 0:
        return
    n = 0
    for q in range(i * W, end * W, W):
        for j in range(whole, used):
            work[packed + n] = load(work, y + q + j)
            n += 1
    r = (n + L - 1) // L * L
    activate_all(code, a, work, packed, packed + r, r)
    n = 0
    for q in range(i * W, end * W, W):
        for j in range(whole, used):
            work[y + q + j] = load(work, packed + n)
            work[slope + q + j] = load(work, packed + r + n)
            n += 1


@kernel
def activate_all(code, a, y, out, slope, n):
    """Replace n pre-activations z by f(z), and store f'(z); n is a multiple of the lanes."""
    for q in range(0, n, lanes(y)):
        v, s = activate(code, a, vload(y, out + q))
        vstore(y, out + q, v)
        vstore(y, slope + q, s)


@kernel
def drop_panel(p, layer, panel, i, end, step):
    """Multiply outputs and slopes of samples i to end by 0 or 1 / (1 - rate) (inverted dropout)."""
    L = lanes(p.weights)
    W, batch, limit = 2 * L, p.batch, np.uint64(column(p, layer, DROP_LIMIT))
    keep = real(p.work, 1.0 / (1.0 - column(p, layer, DROP_LIMIT) / 4294967296.0))
    stream, seed = np.uint64(STREAM_DROPOUT << 16 | (layer - 1)), p.seed
    step = np.uint64(step) & np.uint64(0xFFFFFFFF)
    for row in range(i, end):
        y = column(p, layer, OUTPUTS) + (panel * batch + row) * W
        slope = column(p, layer, SLOPES) + (panel * batch + row) * W
        block = np.uint64(panel * W // 4)
        a, b = vkeep(keep, limit, block, np.uint64(p.first_row + row), step, stream, seed)
        vstore(p.work, y, vmul(a, vload(p.work, y)))
        vstore(p.work, y + L, vmul(b, vload(p.work, y + L)))
        vstore(p.work, slope, vmul(a, vload(p.work, slope)))
        vstore(p.work, slope + L, vmul(b, vload(p.work, slope + L)))


@inlined
def starts_from_z(activation, loss):
    """Say whether `loss_and_delta` takes an output layer's pre-activations, not its outputs."""
    return (
        activation == SOFTMAX
        or loss == BINARY_CROSSENTROPY
        or (loss == POISSON and activation == EXPONENTIAL)
    )


@kernel
def finish_sample(p, layer, b, i, sample, from_z):
    """Return the weighted loss of sample i of a batch and store its deltas."""
    weight = float(p.sample_weights[sample]) if p.weighted else 1.0
    return weight * loss_and_delta(p, layer, i, sample, weight / b.size, from_z)


@kernel
def share_of(panels, rows, p):
    """Return this thread's panels and all rows, or, where panels are few, all panels and rows."""
    t, n = p.thread, p.n_threads
    if n == 1:  # divisions cost a small network more than its arithmetic
        return 0, panels, 0, rows
    if panels % n == 0 or panels >= 4 * n:
        return panels * t // n, panels * (t + 1) // n, 0, rows
    return 0, panels, rows * t // n, rows * (t + 1) // n


@kernel
def forward(p, layer, b, training):
    """Compute this thread's share of layer l's outputs (2.12) to (2.15)."""
    L = lanes(p.weights)
    W = 2 * L
    batch = p.batch
    n_in = column(p, layer - 1, UNITS)
    is_last = layer == p.n_layers
    panel, panel_end, i, end = share_of(column(p, layer, PANELS), b.rows, p)
    if is_last:  # whole samples, for the loss
        panel, panel_end = 0, column(p, layer, PANELS)
        i = b.rows * p.thread // p.n_threads
        end = b.rows * (p.thread + 1) // p.n_threads
    code = column(p, layer, ACTIVATION)
    from_z = is_last and starts_from_z(code, p.loss)
    used, n_used = used_by(p, layer)
    for q in range(panel, panel_end):
        w = column(p, layer, WEIGHTS) + q * (n_in + 1) * W
        bias = w + n_in * W
        at = column(p, layer, OUTPUTS) + q * batch * W
        if layer == 1 and p.sparse:
            half = is_half(column(p, layer, UNITS), q, W)
            multiply_panel_sparse(p, i, end, w, bias, at, half)
        else:
            x = column(p, layer - 1, OUTPUTS)
            multiply_panel(
                p.work,
                x,
                batch,
                i,
                end,
                used,
                n_used,
                p.weights,
                w,
                p.weights,
                bias,
                p.work,
                at,
                is_half(column(p, layer, UNITS), q, W),
            )
        if not from_z:
            activate_layer(p, layer, q, i, end)
        if training and column(p, layer, DROP_LIMIT) > 0:
            drop_panel(p, layer, q, i, end, b.step)
    if is_last:
        for j in range(i, end):
            sample = p.order[b.first + j]
            p.losses[b.first_loss + j] = finish_sample(p, layer, b, j, sample, from_z)


@kernel
def deltas_below(p, layer, b):
    """Compute this thread's share of the deltas of the layer below (2.42), (2.43)."""
    L = lanes(p.weights)
    W = 2 * L
    batch, zeros = p.batch, p.zeros
    panel, panel_end, i, end = share_of(column(p, layer - 1, PANELS), b.rows, p)
    for q in range(panel, panel_end):
        at = column(p, layer - 1, DELTAS) + q * batch * W
        t = column(p, layer, TRANSPOSED) + q * column(p, layer, UNITS) * W
        multiply_panel(
            p.work,
            column(p, layer, DELTAS),
            batch,
            i,
            end,
            p.in_order,
            column(p, layer, UNITS),
            p.work,
            t,
            p.work,
            zeros,
            p.work,
            at,
            is_half(column(p, layer - 1, UNITS), q, W),
        )
        slope = column(p, layer - 1, SLOPES) + q * batch * W
        for j in range(i * W, end * W, L):
            vstore(p.work, at + j, vmul(vload(p.work, at + j), vload(p.work, slope + j)))


@kernel
def update(p, layer, b, u):
    """Update this thread's share of layer l's weights (2.39), (2.40), (2.44) to (2.46)."""
    panel, panel_end, k, end = share_of(
        column(p, layer, PANELS), column(p, layer - 1, UNITS) + 1, p
    )
    in_pairs = layer == 1 and p.sparse and not p.scattered and not is_online(p, b.rows, u)
    while in_pairs and panel + 2 <= panel_end and end - k > p.n_features:
        update_two_panels(p, layer, panel, b.rows, u)
        panel += 2
    for q in range(panel, panel_end):
        if layer == 1 and is_online(p, b.rows, u):
            update_panel_online(p, q, k, end, u)
        elif layer == 1 and p.sparse:
            update_panel_sparse(p, layer, q, k, end, b.rows, u)
        else:
            update_panel(p, layer, q, k, end, b.rows, u)
        if layer > 1:
            transpose_panel(p, layer, q, k, end)


@kernel
def limit_layer(p, layer):
    """Limit the norms of this thread's panels of a layer."""
    panels = column(p, layer, PANELS)
    for q in range(panels * p.thread // p.n_threads, panels * (p.thread + 1) // p.n_threads):
        limit_norms(p, layer, q, p.numbers[MAX_NORM])
        if layer > 1:
            transpose_panel(p, layer, q, 0, column(p, layer - 1, UNITS))
