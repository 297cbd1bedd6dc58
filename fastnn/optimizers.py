"""Optimizers from an estimator's parameters; the update rules stand in `backends.codes`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .backends.codes import MOMENTUM, NESTEROV, OPTIMIZERS, SGD
from .backends.interface import Optimizer
from .backends.rows import by_name
from .parameters import (
    ABOVE_0,
    FLOAT64,
    FRACTION,
    NOT_BELOW_0,
    check_choice,
    check_flag,
    check_real,
)

LBFGS = "lbfgs"  # no step of a kernel, but a loop of its own: see lbfgs.py
SOLVERS = by_name(OPTIMIZERS) | {LBFGS: SGD}
# The numbers in update rules and penalties, beside the learning rate and the largest norm.
CONSTANTS = {
    "momentum": FRACTION,
    "beta_1": FRACTION,
    "beta_2": FRACTION,
    "rho": FRACTION,
    "epsilon": ABOVE_0,
    "weight_decay": NOT_BELOW_0,
    "alpha": NOT_BELOW_0,
    "l1": NOT_BELOW_0,
}


def update_rule(parameters: Mapping[str, Any]) -> int:
    """Return the code of the update rule that `solver` means; ValueError if there is none.

    As in scikit-learn, "sgd" may have a momentum: Nesterov's or the classical one.
    """
    solver = check_choice("solver", parameters["solver"], SOLVERS)
    kind = SOLVERS[solver]
    is_nesterov = check_flag("nesterovs_momentum", parameters["nesterovs_momentum"])
    if (
        solver != LBFGS
        and kind == SGD
        and check_real("momentum", parameters["momentum"], FRACTION) > 0
    ):
        return NESTEROV if is_nesterov else MOMENTUM
    return kind


def check_lbfgs(parameters: Mapping[str, Any]) -> None:
    """Raise ValueError if a parameter asks for what L-BFGS cannot have: the loss must be smooth."""
    for name, none in (("l1", 0), ("max_norm", None), ("distortion", None)):
        if parameters[name] != none:
            raise ValueError(f"{name}={parameters[name]}: solver='lbfgs' goes with {none} only")
    if np.any(np.asarray(parameters["dropout"], float)):
        raise ValueError(f"dropout={parameters['dropout']}: solver='lbfgs' goes with 0 only")


def make_optimizer(
    parameters: Mapping[str, Any], dtype: np.dtype = FLOAT64, kind: int | None = None
) -> tuple[Optimizer, float]:
    """Return the optimizer and the learning rate that an estimator's parameters name.

    Parameters
    ----------
    dtype : dtype
        Of the kernels' arithmetic, in which the numbers must be in range too.
    kind : int, optional
        The update rule of a training that has begun, in place of what `solver` means.

    Raises
    ------
    ValueError
        If a parameter is out of range, also one that the solver does not read.
    """
    if kind is None:
        kind = update_rule(parameters)
    reads = OPTIMIZERS[kind].parameters
    name = "learning_rate_init"
    learning_rate = check_real(name, parameters[name], ABOVE_0, dtype)
    value = {
        name: check_real(name, parameters[name], range_, dtype)
        for name, range_ in CONSTANTS.items()
    }
    max_norm = parameters["max_norm"]
    optimizer = Optimizer(
        kind,
        beta_1=value["momentum" if "momentum" in reads else "beta_1"],
        beta_2=value["rho" if "rho" in reads else "beta_2"],
        epsilon=value["epsilon"],
        alpha=value["alpha"],
        l1=value["l1"],
        weight_decay=value["weight_decay"],
        max_norm=0.0 if max_norm is None else check_real("max_norm", max_norm, ABOVE_0, dtype),
    )
    return optimizer, learning_rate
