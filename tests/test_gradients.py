"""Gradients of every back end against central finite differences of its own loss."""

import numpy as np
import pytest
from formula_cases import (
    HIDDEN,
    OUTPUTS,
    WEIGHTS,
    network,
    samples,
    tamed,
    targets_for,
    weights_for,
)

from fastnn import backends
from fastnn.backends.codes import ACTIVATIONS, LOSSES, SGD
from fastnn.backends.interface import Optimizer

SMOOTH = [code for code in HIDDEN if not ACTIVATIONS[code].is_step]
PAIRS = [
    (loss, out) for loss, outs in OUTPUTS.items() for out in outs if not ACTIVATIONS[out].is_step
]
STEP = 1e-6
KINK = 1e-4  # where the two sides differ by as much, relatively, there is one in between


# Each pair with some hidden activation, each hidden activation with some pair.
CASES = [
    (SMOOTH[i % len(SMOOTH)], *PAIRS[i % len(PAIRS)]) for i in range(max(len(PAIRS), len(SMOOTH)))
]


def name_of(case):
    activation, loss, out = case
    return f"{ACTIVATIONS[activation].name}-{LOSSES[loss].name}-{ACTIVATIONS[out].name}"


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_finite_differences(backend, case, rng):
    activation, loss, out = case
    numbers = rng.random(4)
    net = network(
        (4, 6, 5, 3), (activation, activation, out), loss, dropout=(0.2, 0.0, 0.0), numbers=numbers
    )
    weights = weights_for(WEIGHTS[(loss + out + activation) % len(WEIGHTS)], 7, rng)
    data = samples(rng.normal(size=(7, 4)), targets_for(loss, 7, 3, rng), weights=weights)
    params = tamed(net, 0.7 * rng.normal(size=net.n_parameters), data.X)
    optimizer = Optimizer(SGD, alpha=0.1, l1=0.05)
    kernels = backends.kernels()

    def loss_gradient(values):
        return kernels.mlp_loss_gradient(net, values, data, optimizer, 5, 9)

    value, gradient = loss_gradient(params)
    near_kink = 0
    for i in range(len(params)):
        above, below = params.copy(), params.copy()
        above[i] += STEP
        below[i] -= STEP
        above, below = loss_gradient(above)[0], loss_gradient(below)[0]
        left, right = (value - below) / STEP, (above - value) / STEP
        scale = max(1.0, np.abs(gradient).max())
        if abs(left - right) > KINK * scale:
            near_kink += 1
            continue
        assert abs(gradient[i] - (left + right) / 2) < 1e-6 * scale
    assert near_kink <= 3
