"""What the parameters of a network mean, as far as that needs no data."""

from typing import Any, NamedTuple

import numpy as np

from .backends.interface import Optimizer
from .early_stopping import holds_out
from .optimizers import CONSTANTS, LBFGS, check_lbfgs, make_optimizer
from .parameters import (
    BETWEEN_0_AND_1,
    FACTOR,
    NOT_BELOW_0,
    check_flag,
    check_hidden_sizes,
    check_integer,
    check_n_jobs,
    check_real,
    check_scale,
    check_verbose,
)
from .stopping import StoppingRules

# The parameters that tell the settings.
READ = (
    *("hidden_layer_sizes", "shuffle", "input_scale", "n_jobs", "verbose", "max_fun"),
    *("early_stopping", "validation_fraction", *StoppingRules._fields),
    *("solver", "learning_rate_init", "learning_rate_decay", "power_t", *CONSTANTS),
    *("nesterovs_momentum", "max_norm", "distortion", "dropout"),
)


class Settings(NamedTuple):
    """Checked parameters, in the form that a fit needs: many fits may have the same.

    Attributes
    ----------
    hidden : tuple of int
        Units of each hidden layer.
    learning_rate : float
        The initial one.
    decay, power_t : float
        See `LearningRates`.
    scale : float
        Factor on the inputs.
    is_held_out : bool
        Whether a part of the samples is.
    """

    hidden: tuple[int, ...]
    optimizer: Optimizer
    learning_rate: float
    decay: float
    power_t: float
    shuffle: bool
    rules: StoppingRules
    scale: float
    is_held_out: bool
    n_threads: int

    @classmethod
    def of(cls, network: Any, dtype: np.dtype) -> "Settings":
        """Return the settings of a network, or of what has its parameters that are READ.

        ValueError if one is out of range.
        """
        shuffle, _ = check_flag("shuffle", network.shuffle), check_verbose(network.verbose)
        rules = StoppingRules.of(network)
        check_integer("max_fun", network.max_fun, 1)
        optimizer, learning_rate = make_optimizer(vars(network), dtype)
        if network.solver == LBFGS:
            check_lbfgs(vars(network))
        is_held_out = holds_out(network)
        check_real("validation_fraction", network.validation_fraction, BETWEEN_0_AND_1)
        return cls(
            check_hidden_sizes(network.hidden_layer_sizes),
            optimizer,
            learning_rate,
            check_real("learning_rate_decay", network.learning_rate_decay, FACTOR),
            check_real("power_t", network.power_t, NOT_BELOW_0),
            shuffle,
            rules,
            check_scale(network.input_scale, dtype),
            is_held_out,
            check_n_jobs(network.n_jobs),
        )
