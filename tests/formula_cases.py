"""What tests of formulas take from the table: a new row is tested without an edit here."""

import numpy as np

from fastnn import backends
from fastnn.backends.codes import ACTIVATIONS, LOSSES
from fastnn.backends.interface import Network, Samples

LARGE = 100.0
HIDDEN = [row.code for row in ACTIVATIONS if not row.output_only]
_CODES = {row.name: row.code for row in ACTIVATIONS}
# Which outputs go with which loss.
OUTPUTS = {
    row.code: [_CODES[name] for name in row.outputs] or list(_CODES.values()) for row in LOSSES
}


def parameter_of(row, number):
    """Return a number that may stand in a formula, for a number from 0 to 1; 0 if it has none."""
    if row.parameter is None:
        return 0.0
    fitting = [v for v in (2 * number, number, 1 - number, 0.25) if row.parameter.holds(v)]
    return fitting[0]


def network(sizes, activations, loss, dropout=None, numbers=None):
    """Return a network whose formulas have numbers made of those given, or else their defaults."""
    layers = len(activations)
    parameters = {}
    if numbers is not None:
        rows = [ACTIVATIONS[code] for code in activations]
        parameters["activation_parameters"] = tuple(
            parameter_of(row, number) for row, number in zip(rows, numbers, strict=False)
        )
        parameters["loss_parameter"] = parameter_of(LOSSES[loss], numbers[-1])
    dropout = (0.0,) * layers if dropout is None else dropout
    return Network(tuple(sizes), tuple(activations), tuple(dropout), loss, **parameters)


def tamed(net, params, X, scale=1.0):
    """Return smaller parameters where the outputs of a layer are large: exponentials soon are."""
    kernels, params = backends.kernels("python"), params.copy()
    while True:
        outputs = kernels.mlp_forward(net, params, Samples(X, scale, None), True, 1)
        if all(np.abs(output).max() < LARGE for output in outputs):
            return params
        params *= 0.5


def targets_for(loss, n_samples, n_outputs, rng):
    """Return random targets that a loss takes."""
    shape = n_samples, n_outputs
    kind = LOSSES[loss].targets
    if kind == "real":
        return rng.normal(size=shape)
    if kind == "fraction":
        return rng.random(shape)
    if kind == "distribution":
        targets = rng.random(shape)
        return targets / targets.sum(axis=1, keepdims=True)
    if kind == "index":
        return rng.integers(0, n_outputs, (n_samples, 1)).astype(float)
    if kind == "sign":
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0)
    if kind == "count":
        return rng.poisson(2.0, shape).astype(float)
    raise ValueError(f"there are no targets of kind {kind!r}")


def weights_for(kind, n_samples, rng):
    """Return weights of samples: of a kind that `WEIGHTS` names."""
    if kind == "none":
        return None
    if kind == "random":
        return rng.random(n_samples) + 0.1
    weights = rng.integers(1, 4, n_samples).astype(float)
    if kind == "some zero":
        weights *= rng.random(n_samples) < 0.6
        weights[rng.integers(n_samples)] = 1.0
    return weights


WEIGHTS = ["none", "random", "integers", "some zero"]


def samples(X, targets, scale=1.0, weights=None):
    """Return samples with all arrays of the dtype of the targets."""
    if weights is not None:
        weights = weights.astype(targets.dtype)
    return Samples(X, scale, targets, weights)
