"""Networks of one shape side by side, with Numba: one in each lane of a vector.

The functions follow cython_cpu/lanes.pxi, where the shapes are explained; the layout is that of
cpu/lanes.py. Offsets lead into the buffers of a `Group`, `g`.
"""

from typing import Any, NamedTuple

import numpy as np

from ..cpu.lanes import (
    ACTIVATION,
    BATCH,
    COUNTS,
    DECAY,
    FIRST,
    GRADIENT_SIZE,
    HAS_STEP,
    LOSS,
    N_ORDERS,
    N_SAMPLES,
    NOW,
    NOW_ALPHA,
    NOW_EPSILON,
    NOW_L1,
    OPTIMIZER,
    OUTPUTS,
    PANEL,
    SHARES,
    SIZE,
    TARGETS,
    UNITS,
)
from ..cpu.panels import (
    ALPHA,
    BETA_1,
    BETA_2,
    EPSILON,
    L1,
    MAX_NORM,
    WEIGHT_DECAY,
)
from .barrier import is_stopped
from .compile import inlined, kernel, merged
from .formulas import (
    NO_PENALTY,
    WITH_L1,
    WITH_L2,
    Sizes,
    Step,
    first_sizes,
    step_sizes,
)
from .lane_losses import activate_lanes, drop_lanes, finish_lanes
from .lane_products import TILE, backward_lanes, forward_lanes, limit_lanes, update_lanes
from .layers import starts_from_z
from .processor import flush_denormals, restore_denormals
from .task import entry
from .vector import advanced, lanes, load, pointer, real, vload, vsplat, vstore


class Group(NamedTuple):
    """Pointers to the arrays of a call, and their sizes; `now` and so on are places in `work`."""

    n_layers: Any
    n_features: Any
    n_targets: Any
    batch: Any
    n_numbers: Any
    loss: Any
    optimizer: Any
    penalty: Any
    limited: Any  # whether norms are limited
    n_moments: Any
    reals: Any  # as in cpu/inputs.py
    bytes: Any
    short_columns: Any
    columns: Any
    starts: Any
    is_bytes: Any
    is_short: Any
    is_dense: Any
    scale: Any
    targets: Any
    sample_weights: Any
    weighted: Any  # whether there are any; all are 1 if not
    table: Any
    numbers: Any  # (L, n_numbers)
    constants: Any  # (n_numbers, L)
    drop_limits: Any  # (n_layers, L)
    seeds: Any
    steps: Any
    orders: Any
    places: Any
    rates: Any  # (n_epochs, L)
    chosen: Any  # (B, L): samples of the batch, -1 where there is none
    weights: Any
    moment_1: Any
    moment_2: Any
    work: Any
    batch_targets: Any  # (B, n_targets, L)
    counts: Any  # (B, L): weights of the samples, 0 where there is none
    shares: Any  # (B, L): these, divided by their sum
    now: Any  # what holds for this step, (L) each
    panel: Any  # for losses: outputs, slopes, deltas in panels of (L, 2 L)
    sums: Any  # gradients of the weights of TILE inputs
    stop: Any


@kernel
def train_lanes(group, samples, sums):
    """Train the networks of a `cpu.lanes.Lanes`; write their losses to `sums`, (L, n_epochs)."""
    L, n_epochs = lanes(group.work), sums.shape[1]
    widest = 0
    for layer in range(len(group.table)):
        widest = max(widest, group.table[layer, UNITS])
    gradients = np.zeros(TILE * widest * L, group.work.dtype)
    sizes, alike, totals = np.zeros((L, 5)), np.zeros(L, np.int64), np.zeros(L)
    g = new_group(group, samples, gradients)
    if n_epochs > 0:
        before = flush_denormals()
        run_lanes(g, pointer(sizes), pointer(alike), pointer(totals), pointer(sums), n_epochs)
        restore_denormals(before)
    # Pointers do not keep an array alive; this use at the end does.
    return len(gradients) + len(sizes) + len(alike) + len(totals)


@kernel
def new_group(group, samples, gradients):
    """Gather pointers to all arrays of a call; the callers keep the arrays alive."""
    settings, work, X, table = group.settings, group.work, samples.X, group.table
    L, n_layers, limited, penalty = lanes(work), len(table) - 1, False, NO_PENALTY
    for i in range(L):
        limited = limited or group.numbers[i, MAX_NORM] > 0
        if group.numbers[i, L1] != 0:
            penalty = WITH_L1
        elif group.numbers[i, ALPHA] != 0 and penalty == NO_PENALTY:
            penalty = WITH_L2
    for layer in range(n_layers):  # the inputs of the biases
        units = table[layer, UNITS]
        for i in range(settings[BATCH]):
            last = table[layer, OUTPUTS] + (i * (units + 1) + units) * L
            work[last : last + L] = 1
    return Group(
        n_layers,
        table[0, UNITS],
        samples.targets.shape[1],
        settings[BATCH],
        group.numbers.shape[1],
        settings[LOSS],
        settings[OPTIMIZER],
        penalty,
        limited,
        (len(group.moment_1) > 0) + (len(group.moment_2) > 0),
        pointer(X.reals),
        pointer(X.bytes),
        pointer(X.short_columns),
        pointer(X.columns),
        pointer(X.starts),
        len(X.bytes) > 0,
        len(X.short_columns) > 0,
        len(X.starts) == 0,
        real(work, samples.scale),
        pointer(samples.targets),
        pointer(samples.weights),
        len(samples.weights) > 0,
        pointer(table),
        pointer(group.numbers),
        pointer(group.constants),
        pointer(group.drop_limits),
        pointer(group.seeds),
        pointer(group.steps),
        pointer(group.orders),
        pointer(group.places),
        pointer(group.rates),
        pointer(group.chosen),
        pointer(group.weights),
        pointer(group.moment_1),
        pointer(group.moment_2),
        pointer(work),
        settings[TARGETS],
        settings[COUNTS],
        settings[SHARES],
        settings[NOW],
        settings[PANEL],
        pointer(gradients),
        pointer(group.stop),
    )


@kernel
def run_lanes(g, sizes, alike, totals, sums, n_epochs):
    """Train for all epochs, or until told to stop; `totals` are the losses of an epoch."""
    L, longest, is_fixed, is_loaded = lanes(g.work), 0, True, False
    rows, all_step = 0, True
    for i in range(L):
        s = first_sizes(advanced(g.numbers, i * g.n_numbers), g.optimizer, g.steps[i])
        sizes[5 * i + 4] = s.product
        # The first lane with the same sizes in all steps.
        alike[i] = alike[i - 1] if i > 0 and is_alike(g, i) else i
        longest = max(longest, g.places[3 * i + N_SAMPLES])
        is_fixed = is_fixed and g.places[3 * i + N_ORDERS] <= 1
    is_fixed = is_fixed and longest <= g.batch  # the same samples in every step
    for epoch in range(n_epochs):
        for i in range(L):
            totals[i] = 0
        for start in range(0, longest, g.batch):
            if is_stopped(g.stop):
                return
            if not (is_fixed and is_loaded):
                rows, all_step = choose_lanes(g, epoch, start)
                load_lanes(g, rows)
                is_loaded = True
            size_lanes(g, sizes, alike, advanced(g.rates, epoch * L), start)
            step_lanes(g, rows, all_step, totals)
        for i in range(L):
            sums[i * n_epochs + epoch] = totals[i]


# --- a batch -----------------------------------------------------------------------------------


@kernel
def choose_lanes(g, epoch, start):
    """Note the samples of each lane's batch, how much each counts, and the penalties.

    Returns the samples of the lane that has the most, and whether all lanes make a step.
    """
    L, rows, all_step = lanes(g.work), 0, True
    for lane in range(L):
        n, total = g.places[3 * lane + N_SAMPLES], 0.0
        count = min(g.batch, max(0, n - start))
        rows = max(rows, count)
        order = 0
        if count > 0:
            order = g.places[3 * lane + FIRST] + start
            order += epoch % g.places[3 * lane + N_ORDERS] * n
        for i in range(g.batch):
            sample, weight = -1, 0.0
            if i < count:
                sample = g.orders[order + i]
                weight = float(g.sample_weights[sample]) if g.weighted else 1.0
            g.chosen[i * L + lane] = sample
            g.work[g.counts + i * L + lane] = weight
            total += weight
        g.work[g.now + HAS_STEP * L + lane] = 1.0 if total > 0 else 0.0
        # Of lanes without a network nobody sees what they do.
        all_step = all_step and (total > 0 or n == 0)
        total = total if total > 0 else 1.0
        for i in range(g.batch):
            g.work[g.shares + i * L + lane] = float(g.work[g.counts + i * L + lane]) / total
        g.work[g.now + NOW_ALPHA * L + lane] = g.numbers[lane * g.n_numbers + ALPHA] / total
        g.work[g.now + NOW_L1 * L + lane] = g.numbers[lane * g.n_numbers + L1] / total
    return rows, all_step


@kernel
def load_lanes(g, rows):
    """Read the inputs and targets of the batch."""
    L = lanes(g.work)
    for i in range(rows):
        x = entry(g, 0, OUTPUTS) + i * (g.n_features + 1) * L
        t, shared = g.batch_targets + i * g.n_targets * L, shared_sample(g, i)
        if shared >= 0:
            load_lane(g, x, shared)
            for c in range(g.n_features):
                vstore(g.work, x + c * L, vsplat(g.work[x + c * L]))
        for lane in range(L):
            sample = g.chosen[i * L + lane]
            if sample < 0:
                continue
            if shared < 0:
                load_lane(g, x + lane, sample)
            for c in range(g.n_targets):
                g.work[t + c * L + lane] = g.targets[sample * g.n_targets + c]


@kernel
def shared_sample(g, i):
    """Return the sample that is the same for all networks; -1 if none is, or a network lacks one.

    To a network that lacks it, 0 times an output of infinity would be NaN.
    """
    L, shared = lanes(g.work), -1
    for lane in range(L):
        sample = g.chosen[i * L + lane]
        if g.places[3 * lane + N_SAMPLES] == 0:  # a lane without a network
            continue
        if sample < 0 or (shared >= 0 and sample != shared):
            return -1
        shared = sample
    return shared


@kernel
def load_lane(g, x, sample):
    """Copy the inputs of a sample into a lane, from x on."""
    L, n, at = lanes(g.work), g.n_features, sample * g.n_features
    if g.is_dense:
        if g.is_bytes:
            for k in range(n):
                g.work[x + k * L] = real(g.work, load(g.bytes, at + k)) * g.scale
        else:
            for k in range(n):
                g.work[x + k * L] = load(g.reals, at + k) * g.scale
        return
    for k in range(n):
        g.work[x + k * L] = 0
    for q in range(load(g.starts, sample), load(g.starts, sample + 1)):
        column = np.int64(load(g.short_columns, q)) if g.is_short else np.int64(load(g.columns, q))
        value = real(g.work, load(g.bytes, q)) if g.is_bytes else load(g.reals, q)
        g.work[x + column * L] = value * g.scale


@merged
def size_lanes(g, sizes, alike, rates, start):
    """Set what depends on the number of each lane's step, and count it.

    All sizes are in proportion to the learning rate; for a rate of 1 many lanes have the same.
    """
    L, work, now = lanes(g.work), g.work, g.now
    for lane in range(L):
        size = advanced(sizes, 5 * alike[lane])
        if start < g.places[3 * lane + N_SAMPLES]:
            g.steps[lane] += 1
            if alike[lane] == lane:
                s = Sizes(g.optimizer, size[0], size[1], size[2], size[3], size[4])
                numbers = advanced(g.numbers, lane * g.n_numbers)
                s = step_sizes(numbers, s, 1.0, g.steps[lane])
                size[0], size[1], size[2], size[3], size[4] = s[1], s[2], s[3], s[4], s[5]
        work[now + SIZE * L + lane] = rates[lane] * size[0]
        work[now + GRADIENT_SIZE * L + lane] = rates[lane] * size[1]
        work[now + NOW_EPSILON * L + lane] = size[2]
        work[now + DECAY * L + lane] = rates[lane] * size[3]


@inlined
def is_alike(g, lane):
    """Say whether a lane's steps have the sizes of the lane before."""
    a, b = lane * g.n_numbers, (lane - 1) * g.n_numbers
    return (
        g.places[3 * lane + N_SAMPLES] == g.places[3 * lane - 3 + N_SAMPLES]
        and g.steps[lane] == g.steps[lane - 1]
        and g.numbers[a + BETA_1] == g.numbers[b + BETA_1]
        and g.numbers[a + BETA_2] == g.numbers[b + BETA_2]
        and g.numbers[a + EPSILON] == g.numbers[b + EPSILON]
        and g.numbers[a + WEIGHT_DECAY] == g.numbers[b + WEIGHT_DECAY]
    )


# --- a step ------------------------------------------------------------------------------------


@merged
def step_lanes(g, rows, all_step, sums):
    """Make one step of all networks, and add the losses of their samples to `sums`."""
    u = read_step(g)
    for layer in range(1, g.n_layers + 1):
        forward_lanes(g, layer, rows)
        activation = entry(g, layer, ACTIVATION)
        if layer < g.n_layers or not starts_from_z(activation, g.loss):
            activate_lanes(g, layer, rows)
        drop_lanes(g, layer, rows)
    finish_lanes(g, rows, sums)
    for layer in range(g.n_layers, 0, -1):
        if layer > 1:
            backward_lanes(g, layer, rows)
        update_lanes(g, layer, rows, all_step, u)
        if g.limited:
            limit_lanes(g, layer)


@inlined
def read_step(g):
    """Return what the optimizer needs."""
    L, work, now = lanes(g.work), g.work, g.now
    return Step(
        g.optimizer,
        g.penalty,
        vload(work, now + SIZE * L),
        vload(work, now + GRADIENT_SIZE * L),
        vload(work, now + NOW_EPSILON * L),
        vload(work, now + DECAY * L),
        vload(g.constants, BETA_1 * L),
        vload(g.constants, BETA_2 * L),
        vload(work, now + NOW_ALPHA * L),
        vload(work, now + NOW_L1 * L),
    )
