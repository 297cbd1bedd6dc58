"""Optimizers by name; their formulas stand in `backends.interface`."""

from .backends import interface as api
from .backends.interface import Optimizer

OPTIMIZERS = {"sgd": api.SGD, "momentum": api.MOMENTUM, "adam": api.ADAM}


def make_optimizer(
    solver: str,
    learning_rate_init: float,
    momentum: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    alpha: float,
) -> Optimizer:
    """Return an optimizer for the kernels; ValueError names an argument that is out of range."""
    if solver not in OPTIMIZERS:
        known = ", ".join(repr(known) for known in OPTIMIZERS)
        raise ValueError(f"solver={solver!r}: expected one of {known}")
    _check("learning_rate_init", learning_rate_init, learning_rate_init > 0, "a number above 0")
    for name, value in (("momentum", momentum), ("beta_1", beta_1), ("beta_2", beta_2)):
        _check(name, value, 0 <= value < 1, "a number from 0 to below 1")
    _check("epsilon", epsilon, epsilon > 0, "a number above 0")
    _check("alpha", alpha, alpha >= 0, "a number of 0 or above")
    kind = OPTIMIZERS[solver]
    first = momentum if kind == api.MOMENTUM else beta_1
    return Optimizer(kind, learning_rate_init, first, beta_2, epsilon, alpha)


def _check(name: str, value: float, is_right: bool, expected: str) -> None:
    if not (is_right and abs(value) < float("inf")):
        raise ValueError(f"{name}={value!r}: expected {expected}")
