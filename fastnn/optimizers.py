"""Optimizers from an estimator's parameters; the update rules stand in `backends.codes`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .backends.codes import OPTIMIZERS, by_name
from .backends.interface import Optimizer
from .parameters import ABOVE_0, FLOAT64, FRACTION, NOT_BELOW_0, check_choice, check_real

SOLVERS = by_name(OPTIMIZERS)
# The numbers in update rules and penalties, beside the learning rate.
CONSTANTS = {
    "momentum": FRACTION,
    "beta_1": FRACTION,
    "beta_2": FRACTION,
    "epsilon": ABOVE_0,
    "alpha": NOT_BELOW_0,
}


def make_optimizer(
    parameters: Mapping[str, Any], dtype: np.dtype = FLOAT64
) -> tuple[Optimizer, float]:
    """Return the optimizer and the learning rate that an estimator's parameters name.

    Parameters
    ----------
    dtype : dtype
        Of the kernels' arithmetic, in which the numbers must be in range too.

    Raises
    ------
    ValueError
        If a parameter is out of range, also one that the solver does not read.
    """
    kind = SOLVERS[check_choice("solver", parameters["solver"], SOLVERS)]
    name = "learning_rate_init"
    learning_rate = check_real(name, parameters[name], ABOVE_0, dtype)
    value = {
        name: check_real(name, parameters[name], range_, dtype)
        for name, range_ in CONSTANTS.items()
    }
    has_momentum = "momentum" in OPTIMIZERS[kind].parameters
    optimizer = Optimizer(
        kind,
        beta_1=value["momentum" if has_momentum else "beta_1"],
        beta_2=value["beta_2"],
        epsilon=value["epsilon"],
        alpha=value["alpha"],
    )
    return optimizer, learning_rate
