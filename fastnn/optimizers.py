"""Optimizers by name; their formulas stand in `backends.interface`."""

import numpy as np

from .backends import interface as api
from .backends.interface import Optimizer
from .parameters import ABOVE_0, FLOAT64, FRACTION, NOT_BELOW_0, check_choice, check_real

OPTIMIZERS = {"sgd": api.SGD, "momentum": api.MOMENTUM, "adam": api.ADAM}


def make_optimizer(
    solver: str,
    learning_rate_init: float,
    momentum: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    alpha: float,
    dtype: np.dtype = FLOAT64,
) -> Optimizer:
    """Return an optimizer for the kernels; ValueError names an argument that is out of range.

    Parameters
    ----------
    dtype : dtype
        Of the kernels' arithmetic, in which the numbers must be in range too.
    """
    kind = OPTIMIZERS[check_choice("solver", solver, OPTIMIZERS)]
    rate = check_real("learning_rate_init", learning_rate_init, ABOVE_0, dtype)
    momentum = check_real("momentum", momentum, FRACTION, dtype)
    beta_1 = check_real("beta_1", beta_1, FRACTION, dtype)
    beta_2 = check_real("beta_2", beta_2, FRACTION, dtype)
    epsilon = check_real("epsilon", epsilon, ABOVE_0, dtype)
    alpha = check_real("alpha", alpha, NOT_BELOW_0, dtype)
    first = momentum if kind == api.MOMENTUM else beta_1
    return Optimizer(kind, rate, first, beta_2, epsilon, alpha)
