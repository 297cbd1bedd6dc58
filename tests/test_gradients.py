"""Gradients of every back end against central finite differences of its own loss."""

import numpy as np
import pytest
from test_parity import OUTPUTS

from fastnn import backends
from fastnn.backends import interface as api
from fastnn.backends.interface import Network

SMOOTH = [api.PURELIN, api.SIGMOID, api.TANH, api.SOFTSIGN, api.RELU]
PAIRS = [(loss, out) for loss, outs in OUTPUTS.items() for out in outs if out != api.SIGN]


@pytest.mark.parametrize(("loss", "out"), PAIRS)
@pytest.mark.parametrize("activation", SMOOTH)
def test_finite_differences(backend, loss, out, activation, rng):
    net = Network((4, 6, 5, 3), (activation, activation, out), (0.2, 0.0, 0.0), loss)
    X = rng.normal(size=(7, 4))
    targets = rng.random((7, 3))
    if loss == api.CATEGORICAL_CROSSENTROPY:
        targets /= targets.sum(axis=1, keepdims=True)
    elif loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
        targets = rng.integers(0, 3, (7, 1)).astype(float)
    params = 0.7 * rng.normal(size=net.n_parameters)
    kernels = backends.kernels()

    def loss_gradient(values):
        return kernels.mlp_loss_gradient(net, values, X, 1.0, targets, 0.1, 5, 9)

    gradient, h = loss_gradient(params)[1], 1e-6
    numeric = np.empty_like(params)
    for i in range(len(params)):
        above, below = params.copy(), params.copy()
        above[i] += h
        below[i] -= h
        numeric[i] = (loss_gradient(above)[0] - loss_gradient(below)[0]) / (2 * h)
    assert np.abs(gradient - numeric).max() < 1e-6 * max(1.0, np.abs(numeric).max())
