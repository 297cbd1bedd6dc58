"""A step of the optimizer from a gradient that is there: the sum over the shards of a batch.

The functions follow cython_cpu/steps.pxi; the gradient lies in memory as the weights do.
"""

import numpy as np

from ..cpu.panels import MAX_NORM, OPTIMIZER, PANELS, STEP, UNITS, WEIGHTS
from .compile import kernel, merged
from .formulas import first_sizes, limit_norms, next_step, step_sizes
from .processor import flush_denormals, restore_denormals
from .products import is_half
from .task import column, new_task
from .updates import update_row
from .vector import lanes, pointer, vload


@kernel
def take_step(problem, samples, losses, gradient, learning_rate, size):
    """Make a step on a batch of `size`, the sum of its samples' weights.

    Samples and losses are not looked at.
    """
    settings, no_order = problem.settings, np.empty((1, 1), np.int64)
    p = new_task(problem, samples, no_order, losses, 0, 1)
    s = first_sizes(p.numbers, settings[OPTIMIZER], settings[STEP])
    s = step_sizes(p.numbers, s, learning_rate, settings[STEP] + 1)
    u, limit, g = next_step(p, s, size), p.numbers[MAX_NORM], pointer(gradient)
    before = flush_denormals()
    for layer in range(1, p.n_layers + 1):
        for panel in range(column(p, layer, PANELS)):
            step_panel(p, layer, panel, g, u)
            if limit > 0:
                limit_norms(p, layer, panel, limit)
    restore_denormals(before)


@kernel
def step_panel(p, layer, panel, gradient, u):
    """Update all rows of a panel; the last is the bias."""
    if is_half(column(p, layer, UNITS), panel, 2 * lanes(p.weights)):
        step_rows(p, layer, panel, gradient, True, u)
    else:
        step_rows(p, layer, panel, gradient, False, u)


@merged
def step_rows(p, layer, panel, gradient, half, u):
    """Do the work of `step_panel`."""
    L = lanes(p.weights)
    n_in = column(p, layer - 1, UNITS)
    at = column(p, layer, WEIGHTS) + panel * (n_in + 1) * 2 * L
    for k in range(n_in + 1):
        update_row(p, at, vload(gradient, at), vload(gradient, at + L), k < n_in, half, u)
        at += 2 * L
