"""How a fit of a network begins: all is checked before anything is changed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import backends, random
from .backends.codes import OPTIMIZERS
from .backends.interface import Samples, State
from .learning_rates import LearningRates
from .network import (
    given_parameters,
    initial_parameters,
    make_network,
    matrices,
    squares_of,
    too_large,
)
from .observer import FitData
from .optimizers import LBFGS, check_lbfgs, make_optimizer, update_rule
from .parameters import (
    FACTOR,
    NOT_BELOW_0,
    check_batch_size,
    check_dtype,
    check_flag,
    check_hidden_sizes,
    check_n_jobs,
    check_real,
    check_scale,
)
from .state import record, state_of
from .training import MLPTask, StoppingRules
from .validation import auto_dtype, check_distortion, check_scaled, check_weights, check_X


def begin(
    network: Any,
    X: Any,
    y: Any,
    coefs_init: Any = None,
    intercepts_init: Any = None,
    validation_data: Any = None,
    sample_weight: Any = None,
) -> tuple[MLPTask, StoppingRules, FitData]:
    """Check all arguments of `fit`, then set what can be set before the first epoch.

    The network is a draft, so that an error, or a signal's exception, changes nothing.
    """
    kernels, backend = backends.kernels(), backends.get_backend()
    dtype = dtype_for(network, X)
    going_on = check_flag("warm_start", network.warm_start) and hasattr(network, "params_")
    shuffle, _ = check_flag("shuffle", network.shuffle), check_flag("verbose", network.verbose)
    rules = StoppingRules.of(network)
    optimizer, learning_rate = make_optimizer(vars(network), dtype)
    if network.solver == LBFGS:
        check_lbfgs(vars(network))
    scale, n_threads = check_scale(network.input_scale, dtype), check_n_jobs(network.n_jobs)
    seed = random.seed_from(network.random_state)
    hidden = check_hidden_sizes(network.hidden_layer_sizes)
    given = X, y
    X = check_X(network, X, dtype, reset=not going_on)
    check_scaled("X", X, scale, dtype)
    batch_size = check_batch_size(network.batch_size, len(X))
    rates = LearningRates(
        network.learning_rate,
        (network._epoch if going_on else 0) + rules.max_iter,
        len(X),
        check_real("learning_rate_decay", network.learning_rate_decay, FACTOR),
        check_real("power_t", network.power_t, NOT_BELOW_0),
    )
    y = network._check_y(y, X)
    weights = check_weights(sample_weight, X, dtype)
    targets = network._encode(y, dtype)
    n_classes = len(targets.learned.get("classes_", ()))
    distortion, angles = check_distortion(network.distortion, X, targets.values, n_classes)
    net = make_network(
        (X.shape[1], *hidden, targets.n_outputs),
        network.activation,
        targets.out_activation,
        network.dropout,
        targets.loss,
    )
    if going_on:
        _check_same(network, net, dtype)
        params, seed = network.params_, network._seed
    else:
        params = initial_parameters(net, network.weight_init, network.bias_init, seed, dtype)
        try:
            moments = np.zeros((OPTIMIZERS[optimizer.kind].n_moments, net.n_parameters), dtype)
        except MemoryError:
            raise too_large(net, dtype) from None
    if coefs_init is not None or intercepts_init is not None:
        default = matrices(net, params)
        params = given_parameters(
            net,
            default[0] if coefs_init is None else coefs_init,
            default[1] if intercepts_init is None else intercepts_init,
            dtype,
        )
    if going_on:
        state = state_of(network)._replace(params=params)
    else:
        state = State(params, moments)
        network.loss_curve_, network._validation_curve = np.empty(0), np.empty((0, 3))
    task = MLPTask(
        kernels,
        net,
        optimizer,
        state,
        Samples(X, scale, targets.values, weights),
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        n_threads=n_threads,
        learning_rate=learning_rate,
        rates=rates,
        distortion=distortion,
        angles=angles,
    )
    network.network_, network._seed, network.backend_ = net, seed, backend
    network.n_layers_, network.n_outputs_ = len(net.sizes), net.sizes[-1]
    network.out_activation_ = targets.out_activation
    for name, value in targets.learned.items():
        setattr(network, name, value)
    held_out = _held_out(network, validation_data, dtype, scale, kernels)
    record(network, state, network.loss_curve_, len(network.loss_curve_), "interrupted")
    return task, rules, FitData(given, (task.samples, y, weights), held_out, kernels)


def dtype_for(network: Any, X: Any) -> np.dtype:
    """Return the dtype of all arithmetic; ValueError if the parameter names none."""
    is_auto = isinstance(network.dtype, str) and network.dtype == "auto"
    return auto_dtype(X) if is_auto else check_dtype(network.dtype)


def _held_out(
    network: Any, validation_data: Any, dtype: np.dtype, scale: float, kernels: Any
) -> tuple[Samples, NDArray, None] | None:
    """Return samples, y and no weights of validation data; ValueError if unlike training."""
    if validation_data is None:
        return None
    try:
        X, y = validation_data
        X = check_X(network, X, dtype, reset=False)
        check_scaled("X", X, scale, dtype)
        y = network._check_y(y, X)
        samples = Samples(X, scale, network._targets(y, dtype))
    except (TypeError, ValueError) as error:
        raise ValueError(f"validation_data: expected (X, y) as for fit; {error}") from None
    return kernels.to_device(samples), y, None


def _check_same(network: Any, net: Any, dtype: np.dtype) -> None:
    """Raise ValueError unless a network can go on as the one it was."""
    if net.sizes != network.network_.sizes or dtype != network.params_.dtype:
        raise ValueError(
            f"warm_start: the network was {network.network_.sizes} of {network.params_.dtype} and "
            f"cannot become {net.sizes} of {dtype}; make a new estimator"
        )
    rule, moments = OPTIMIZERS[update_rule(vars(network))], state_of(network).moments
    if len(moments) != rule.n_moments or (squares_of(moments, rule) < 0).any():
        raise ValueError("warm_start: the solver cannot change; make a new estimator")
