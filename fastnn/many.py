"""Many networks at once: the same shape and data, seeds and learning rates of their own."""

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from . import random
from .backends.interface import State
from .fitting import begin, dtype_for
from .mlp_base import BaseMLP
from .network import initial_parameters
from .optimizers import LBFGS
from .parameters import ABOVE_0, check_flag, check_real, check_sequence, shown
from .progress import progress_bar
from .state import SolverState, draft_of, end_interrupted, record
from .training import MLPTask, is_finite

# Multiply-adds of an epoch of as many networks as go into a call, if they are large.
WORK_AT_ONCE = 5e9


M = TypeVar("M", bound=BaseMLP)


def train_many(
    estimator: M,
    X: ArrayLike,
    y: ArrayLike,
    *,
    random_state: Sequence[Any] | None = None,
    learning_rate_init: Sequence[float] | None = None,
    record_losses: bool = True,
) -> list[M]:
    """Train copies of an estimator that differ in seed and learning rate, many at a time.

    On a GPU each small network has a block of threads of its own; on a CPU each thread trains one
    network after the other. Copy i becomes what `fit` would make of an estimator with seed i and
    learning rate i.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Not changed. All `max_iter` epochs are run: no stopping rule, no `distortion`.
    X, y
        As for its `fit`.
    random_state : sequence, optional
        Seeds, one for each network; without it all have the estimator's.
    learning_rate_init : sequence of float, optional
        Learning rates; as long as `random_state` if both are given.
    record_losses : bool, default True
        Whether each `loss_curve_` has all epochs or only the last: 100,000 epochs of 10,000
        networks are 8 GB.

    Returns
    -------
    list
        Fitted estimators. After Ctrl-C (a warning says so), `n_iter_` tells how far each has come,
        and each is what so many epochs make of it.

    Raises
    ------
    ValueError
        If an argument or a parameter is not as described.
    KeyboardInterrupt
        After Ctrl-C, if a library called `train_many`.
    """
    rates, seeds = _check(estimator, X, random_state, learning_rate_init)
    record_losses = check_flag("record_losses", record_losses)
    first = clone(estimator).set_params(random_state=seeds[0], learning_rate_init=rates[0])
    task, rules, _ = begin(first, X, y)
    n, max_iter = len(seeds), rules.max_iter
    losses = np.empty((n, max_iter if record_losses else min(1, max_iter)))
    groups = [
        _Group(
            int(part[0]), int(part[-1]) + 1, (_initial_state(first, task, seeds, part), np.empty(0))
        )
        for part in np.array_split(np.arange(n), -(-n // _networks_at_once(task)))
    ]
    try:
        with progress_bar(n * max_iter * task.n_samples, first.verbose) as progress:
            for group in groups:
                part = slice(group.start, group.stop)
                own = list(zip(seeds[part], rates[part], strict=True))
                _train_group(task, group, own, losses[part], max_iter, progress)
    except KeyboardInterrupt:
        complete = sum(g.stop - g.start for g in groups if g.reached[0].epoch == max_iter)
        end_interrupted(
            f"training was interrupted: {complete} of {n} networks have all epochs; each keeps "
            "what it has learned"
        )
    return _fitted(first, task, groups, seeds, rates, losses)


@dataclass
class _Group:
    """Networks that are trained in the same calls: from `start` to below `stop` of all.

    Attributes
    ----------
    reached : tuple
        Their state, with arrays for all of them, (n, n_parameters) and (n, n_moments,
        n_parameters), and the losses of the last epoch; replaced in one step after each call.
    """

    start: int
    stop: int
    reached: tuple[State, NDArray[np.float64]]


def _initial_state(first: BaseMLP, task: MLPTask, seeds: list[int], part: NDArray) -> State:
    params = np.empty((len(part), task.net.n_parameters), task.state.params.dtype)
    for row, i in zip(params, part.tolist(), strict=True):
        row[:] = initial_parameters(
            task.net, first.weight_init, first.bias_init, seeds[i], params.dtype
        )
    return State(params, np.zeros((len(part), *task.state.moments.shape), params.dtype))


def _check(estimator, X, random_state, learning_rate_init) -> tuple[list[float], list[int]]:
    """Return learning rates and seeds, as many of the ones as of the others."""
    if not isinstance(estimator, BaseMLP):
        raise ValueError(
            f"estimator: expected MLPClassifier or MLPRegressor, got {shown(estimator)}"
        )
    for name, wanted in (
        *((rule, None) for rule in ("tol", "loss_threshold", "weight_threshold", "distortion")),
        ("warm_start", False),
        ("early_stopping", False),
    ):
        value = getattr(estimator, name)
        if value is not None if wanted is None else check_flag(name, value):
            raise ValueError(
                f"estimator: {name}={shown(value)}; train_many expects {wanted}: it "
                "runs max_iter epochs, from the initial weights, on the samples as they are"
            )
    if estimator.solver == LBFGS:
        raise ValueError("estimator: solver='lbfgs'; train_many takes the others")
    given = {"random_state": random_state, "learning_rate_init": learning_rate_init}
    items = {
        name: check_sequence(name, values, "a sequence, one value per network")
        for name, values in given.items()
        if values is not None
    }
    lengths = {name: len(values) for name, values in items.items()}
    for name, length in lengths.items():
        if not length:
            raise ValueError(f"{name}=[]: expected a sequence, one value per network")
    if not lengths:
        raise ValueError("random_state, learning_rate_init: expected at least one sequence")
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"random_state, learning_rate_init: expected as many of both, got {lengths}"
        )
    n = next(iter(lengths.values()))
    dtype = dtype_for(estimator, X)
    rates = [
        check_real(f"learning_rate_init[{i}]", rate, ABOVE_0, dtype)
        for i, rate in enumerate(
            items.get("learning_rate_init", [estimator.learning_rate_init] * n)
        )
    ]
    if random_state is None:
        return rates, [random.seed_from(estimator.random_state)] * n
    return rates, [random.seed_from(seed) for seed in items["random_state"]]


def _networks_at_once(task: MLPTask) -> int:
    """Return how many networks go into a call."""
    most = int(WORK_AT_ONCE / (task.net.n_parameters * task.n_samples))
    return max(task.n_threads, min(task.kernels.NETWORKS_AT_ONCE, most))


def _train_group(
    task: MLPTask,
    group: _Group,
    own: list[tuple[int, float]],
    losses: NDArray,
    max_iter: int,
    progress: Any,
) -> None:
    """Train some networks for max_iter epochs, in calls as long as the task wants them.

    `own` are their seeds and learning rates; `losses` has a column per epoch, or at most one.
    The kernels work on a copy: what ends a call early leaves the group as it was.
    """
    n, n_samples, steps = len(own), task.n_samples, task.steps_per_epoch
    while (epoch := group.reached[0].epoch) < max_iter:
        n_epochs = min(task.epochs_per_call(n), max_iter - epoch)
        schedules = [task.schedule(epoch, n_epochs, seed, rate) for seed, rate in own]
        before = group.reached[0]
        state = State(before.params.copy(), before.moments.copy(), epoch * steps, epoch)
        sums = np.zeros((n, n_epochs))
        begin = time.perf_counter()
        states = [
            state._replace(params=params, moments=moments)
            for params, moments in zip(state.params, state.moments, strict=True)
        ]
        task.kernels.mlp_train_many(
            [task.net] * n,
            [task.optimizer] * n,
            states,
            task.samples,
            schedules,
            sums,
            task.n_threads,
        )
        task.seconds_per_step = max(1e-9, (time.perf_counter() - begin) / (n_epochs * steps))
        sums /= task.total_weight
        if losses.shape[1] == max_iter:  # those beyond the state's epoch count for nothing
            losses[:, epoch : epoch + n_epochs] = sums
        epoch += n_epochs
        group.reached = state._replace(step=epoch * steps, epoch=epoch), sums[:, -1].copy()
        progress.update(n * n_epochs * n_samples)


def _fitted(first, task, groups, seeds, rates, losses) -> list[Any]:
    """Return the networks as fitted estimators: they share all but what was trained."""
    models, n_diverged = [], 0
    for group in groups:
        (params, moments, step, epoch), last = group.reached
        for i in range(group.start, group.stop):
            own = State(params[i - group.start], moments[i - group.start], step, epoch)
            whole = losses.shape[1] == first.max_iter
            curve = losses[i, :epoch] if whole else last[i - group.start :][:1]
            diverged = len(curve) > 0 and not (np.isfinite(curve[-1]) and is_finite(own.params))
            n_diverged += diverged
            model = draft_of(first)
            model.random_state, model.learning_rate_init = seeds[i], rates[i]
            complete = "max_iter" if epoch == first.max_iter else "interrupted"
            record(
                model,
                own.params,
                SolverState(own.moments, seeds[i], step, epoch),
                curve,
                0,
                "diverged" if diverged else complete,
                best_loss_=float(np.fmin.reduce(curve, initial=np.inf)),
                t_=epoch * task.n_samples,
                learning_rate_=task.rates.after(rates[i], epoch),
            )
            model.n_iter_ = epoch  # also where the curve has the last one only
            models.append(model)
    if n_diverged:
        warnings.warn(
            f"training diverged in {n_diverged} of {len(models)} networks: their last loss or a "
            "parameter is not finite; try lower learning rates",
            RuntimeWarning,
            stacklevel=3,
        )
    return models
