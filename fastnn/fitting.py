"""How a fit of a network begins: all is checked before anything is changed."""

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import backends, random
from .assigned import assigned_to, forget_assigned
from .backends.codes import OPTIMIZERS
from .backends.interface import Samples, State
from .early_stopping import split
from .fingerprint import fingerprint
from .given import Data, Given, check_data
from .learning_rates import LearningRates
from .network import given_parameters, initial_parameters, make_network, squares_of, too_large
from .observer import FitData, Measured
from .optimizers import update_rule
from .parameters import check_batch_size, check_buffer_size, check_dtype, check_flag, shown
from .state import SolverState, record
from .stopping import StoppingRules, Watch
from .streams.data import check_stream, stored_samples
from .streams.task import StreamTask
from .targets import Targets, kind_of
from .training import MLPTask
from .validation import auto_dtype, check_distortion, check_scaled, check_weights, check_X


def begin(
    network: Any,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    coefs_init: Any = None,
    intercepts_init: Any = None,
    validation_data: Any = None,
    is_partial: bool = False,
    classes: Any = None,
    given: Given | None = None,
    whole: bool = False,
    seed: int | None = None,
) -> tuple[MLPTask, StoppingRules, FitData]:
    """Check all arguments of `fit` or `partial_fit`, then set what can be set before an epoch.

    The network is a draft, so that an error, or a signal's exception, changes nothing.

    Parameters
    ----------
    given : Given, optional
        What fits have in common that begin with this one.
    whole : bool
        Whether samples that are trained on stay in one table with those held out: the task says
        which they are. Else they are picked.
    seed : int, optional
        Instead of one from `random_state`.
    """
    kernels, backend = backends.kernels(), backends.get_backend()
    warm_start = check_flag("warm_start", network.warm_start)
    check_buffer_size(network.buffer_size, 1, 1)
    going_on = (warm_start or is_partial) and hasattr(network, "params_")
    dtype = dtype_for(network, X, going_on)
    may_stream, given = given is None, given or Given()
    settings = given.settings(network, dtype)
    optimizer, rules, scale = settings.optimizer, settings.rules, settings.scale
    is_held_out, n_threads = settings.is_held_out, settings.n_threads
    if is_held_out and is_partial:
        raise ValueError(
            "early_stopping=True: partial_fit does not support early_stopping=True, as it has one "
            "epoch; expected False"
        )
    seed = random.seed_from(network.random_state) if seed is None else seed
    data, window = None, 0  # samples of a window, if not all are in memory
    if may_stream:
        data, window = check_stream(
            network, X, y, sample_weight, dtype, scale, going_on, classes, validation_data
        )
    if data is None and (going_on or classes is not None):
        data = check_data(network, X, y, sample_weight, dtype, scale, going_on, classes)
    elif data is None:
        data = given.data(network, X, y, sample_weight, dtype, scale)
    as_given, samples, targets, y = (X, y), data.samples, data.targets, data.y
    distortion, angles = None, np.empty(0)
    if not window:
        distortion, angles = check_distortion(
            network.distortion, samples.X, samples.targets, targets.n_classes
        )
    sizes = data.n_features, *settings.hidden, targets.n_outputs
    shape = network.activation, network.dropout
    net = given.once_for(
        ("network", id(targets), sizes),
        shape,
        lambda: make_network(sizes, shape[0], targets.out_activation, shape[1], targets.loss),
        targets,
    )
    if going_on:
        _check_same(network, net, dtype)
        params, solver = network.params_, network.solver_state_
    else:
        params = initial_parameters(
            net, network.weight_init, network.bias_init, seed, dtype, given.draw_weights
        )
        try:
            moments = np.zeros((OPTIMIZERS[optimizer.kind].n_moments, params.size), dtype)
        except MemoryError:
            raise too_large(net, dtype) from None
        solver = SolverState(moments, seed)
        network.loss_curve_, network.t_, network.best_loss_ = np.empty(0), 0, np.inf
        network.validation_scores_ = network.best_validation_score_ = None
        network._validation_curve = np.empty((0, 3))
    if not hasattr(network, "t_"):  # of an older file
        network.t_ = solver.epoch * data.n_samples
    network.fit_time_ = vars(network).get("fit_time_", 0.0) if going_on else 0.0
    network.data_fingerprint_ = None
    if not is_partial and not window:
        network.data_fingerprint_ = given.once(
            ("fingerprint", id(data.samples)),
            lambda: fingerprint(data.samples.X, data.y),
            data.samples,
        )
    best_loss = getattr(network, "best_loss_", None)
    if is_held_out:
        network.best_loss_, network.validation_scores_ = None, network.validation_scores_ or []
    elif best_loss is None:
        network.best_loss_ = best_loss = np.inf
    initial = assigned_to(network) if warm_start or is_partial else {}
    named = {"coefs_init": coefs_init, "intercepts_init": intercepts_init}
    initial |= {name: arrays for name, arrays in named.items() if arrays is not None}
    if initial:
        params = given_parameters(net, params, initial)
    held_out: Measured | None = None
    rows: NDArray[np.int64] | None = None
    n_samples = data.n_samples
    training = (None, None) if window else (y, samples.weights)
    if window and is_held_out and validation_data is None:
        samples, others = samples.split(network.validation_fraction, solver.seed)
        n_samples, held_out = samples.n_samples, (others, None, None)
    elif is_held_out and validation_data is None:
        rows, held_out = given.once(
            ("held out", id(samples), network.validation_fraction, solver.seed),
            lambda: _hold_out(network, data, solver.seed),
            samples,
        )
        n_samples, training = len(rows), (y[rows], _rows_of(samples.weights, rows))
        angles = angles[rows] if len(angles) else angles
        if not whole:
            samples, rows = _part(samples, rows), None
    n_epochs = rules.max_iter
    if is_partial:  # the epochs of a learning rate's schedule, one of them now
        n_epochs = max(1, n_epochs - solver.epoch)
    rates = LearningRates(
        network.learning_rate,
        solver.epoch + n_epochs,
        n_samples,
        settings.decay,
        settings.power_t,
        (solver.epoch, network.t_),
        solver.rate_factor if is_partial else 1.0,
    )
    idle = 0 if solver.idle > rules.n_iter_no_change else solver.idle
    make_task: Any = partial(StreamTask, window=window) if window else MLPTask
    task = make_task(
        kernels,
        net,
        optimizer,
        State(params, solver.moments, solver.step, solver.epoch),
        samples,
        batch_size=check_batch_size(network.batch_size, window or n_samples),
        shuffle=settings.shuffle,
        seed=solver.seed,
        n_threads=n_threads,
        learning_rate=settings.learning_rate,
        rates=rates,
        distortion=distortion,
        angles=angles,
        watch=Watch(np.inf if best_loss is None else best_loss, idle),
        rows=rows,
    )
    network.network_, network.backend_ = net, backend
    network.n_layers_, network.n_outputs_ = len(net.sizes), net.sizes[-1]
    network.out_activation_ = targets.out_activation
    for name, value in targets.learned.items():
        setattr(network, name, value)
    if validation_data is not None:
        held_out = _checked(network, validation_data, dtype, scale, may_stream)
    if held_out is not None:
        own = held_out[0]
        if isinstance(own, Samples):
            own = given.once(("sent", id(own)), lambda: kernels.to_device(own, n_threads), own)
        held_out = own, *held_out[1:]
    record(network, params, solver, network.loss_curve_, 0, "interrupted")
    forget_assigned(network)
    if is_partial:
        tol = rules.tol if rates.is_adaptive else None
        rules = StoppingRules(1, None, None, tol, rules.n_iter_no_change)
    elif is_held_out:
        rules = rules._replace(tol=None)  # the held-out samples say when
    return task, rules, FitData(as_given, task, training, held_out, kernels)


def dtype_for(network: Any, X: Any, going_on: bool = False) -> np.dtype:
    """Return the dtype of all arithmetic; ValueError if the parameter names none.

    "auto" is that of the network, if its training goes on.
    """
    if not (isinstance(network.dtype, str) and network.dtype == "auto"):
        return check_dtype(network.dtype)
    return network.params_.dtype if going_on else auto_dtype(X)


def _strata(y: NDArray, targets: Targets) -> NDArray | None:
    """Return what training samples and those held out shall have in the same proportions."""
    if targets.n_classes <= 2:  # as scikit-learn has it: an error names the stratum True
        return (y == targets.learned["classes_"][-1]).astype(str) if targets.n_classes else None
    return y


def _rarest(y: NDArray, targets: Targets) -> str:
    """Return which class an error is about, where strata were not named by it."""
    if not targets.n_classes or y.ndim > 1:
        return ""
    classes, counts = np.unique(y, return_counts=True)
    label = shown(classes.tolist()[counts.argmin()])
    return f"; the rarest class, {label}, has {counts.min()} of {len(y)} samples"


def _hold_out(network: Any, data: Data, seed: int) -> tuple[NDArray[np.int64], Measured]:
    """Return which samples to train on, and those that `early_stopping` holds out."""
    samples, y = data.samples, data.y
    strata = _strata(y, data.targets)
    try:
        rows, others = split(len(samples.X), network.validation_fraction, seed, strata)
    except ValueError as error:
        raise ValueError(f"{error}{_rarest(y, data.targets)}") from None
    return rows, (_part(samples, others), y[others], _rows_of(samples.weights, others))


def _part(samples: Samples, rows: NDArray) -> Samples:
    return samples._replace(
        X=samples.X[rows], targets=samples.targets[rows], weights=_rows_of(samples.weights, rows)
    )


def _rows_of(values: NDArray | None, rows: NDArray) -> NDArray | None:
    return None if values is None else values[rows]


def _checked(
    network: Any, validation_data: Any, dtype: np.dtype, scale: float, may_stream: bool
) -> Measured:
    """Return samples, y and weights of validation data; ValueError if unlike training."""
    kind = kind_of(network)
    try:
        X, y, *weights = validation_data
        (weights,) = weights or [None]
        if may_stream:
            stored = stored_samples(network, X, y, weights, dtype, scale)
            if stored is not None:
                return stored, None, None
        X = check_X(network, X, dtype, reset=False)
        check_scaled("X", X, scale, dtype)
        y = kind.check(y, X)
        weights = check_weights(weights, X, dtype)
        samples = Samples(X, scale, kind.encode(network, y, dtype), weights)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"validation_data: expected (X, y) or (X, y, sample_weight) as for fit; {error}"
        ) from None
    return samples, y, weights


def _check_same(network: Any, net: Any, dtype: np.dtype) -> None:
    """Raise ValueError unless a network can go on as the one it was."""
    if net.sizes != network.network_.sizes or dtype != network.params_.dtype:
        raise ValueError(
            f"warm_start: the network was {network.network_.sizes} of {network.params_.dtype} and "
            f"cannot become {net.sizes} of {dtype}; make a new estimator"
        )
    rule, moments = OPTIMIZERS[update_rule(vars(network))], network.solver_state_.moments
    if len(moments) != rule.n_moments or (squares_of(moments, rule) < 0).any():
        raise ValueError("warm_start: the solver cannot change; make a new estimator")
