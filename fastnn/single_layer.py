"""Single layers in training: the perceptron and the linear network (the course's part 1)."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import random
from .backends.compressed import Table
from .backends.interface import State
from .class_weights import check_class_weight
from .parameters import (
    BETWEEN_0_AND_1,
    NOT_BELOW_0,
    UP_TO_1,
    check_choice,
    check_n_jobs,
    check_real,
    shown,
)
from .state import adopt, commit, end_interrupted, interrupted_after
from .stopping import StoppingRules, Watch
from .training import CALL_SECONDS, MAX_ORDER, train
from .validation import (
    as_reals,
    check_finite,
    check_y,
    class_labels,
    target_columns,
    unique_labels,
)


@dataclass
class SingleLayerTask:
    """A single layer in training by the delta rule.

    `sample_weights` are above 0, or None; the state's weights are (n_inputs, n_outputs), the bias
    first. Whether X is finite is seen in the first epoch: to read it once more takes as long.
    """

    kernels: Any
    X: Table
    targets: NDArray
    sample_weights: NDArray | None
    state: State
    learning_rate: float
    online: bool
    shuffle: bool
    seed: int
    watch: Watch = field(default_factory=Watch, init=False)
    seconds_per_epoch: float = field(default=0.0, init=False)
    has_seen_all: bool = field(default=False, init=False)  # and so, that X is finite

    @property
    def n_samples(self) -> int:
        """Number of training samples."""
        return len(self.X)

    def lower_rate(self) -> bool:
        """Return False: the learning rate is constant."""
        return False

    def epochs_per_call(self) -> int:
        """Return how many epochs fit in a call."""
        most = max(1, MAX_ORDER // self.n_samples) if self._is_shuffled else 2**31
        if self.seconds_per_epoch == 0:
            return 1
        return max(1, min(most, int(CALL_SECONDS / self.seconds_per_epoch)))

    def run(self, n_epochs: int, progress: Any) -> NDArray[np.float64]:
        """Train for some epochs, fewer if nothing is left to learn; return the loss of each."""
        epoch, weights, losses = self.state.epoch, self.state.params.copy(), np.empty(n_epochs)
        order = np.arange(self.n_samples)[np.newaxis]
        if self._is_shuffled:
            order = random.shuffled(self.n_samples, self.seed, epoch, n_epochs)
        begin = time.perf_counter()
        n_run = self._call(weights, order, losses)
        if not self.has_seen_all and not np.isfinite(losses).all():
            check_finite("X", self.X, weights.dtype)  # or the weights diverge
        self.has_seen_all = True
        self.seconds_per_epoch = max(1e-9, (time.perf_counter() - begin) / n_epochs)
        self.state = self.state._replace(params=weights, epoch=epoch + n_run)
        progress.update(n_epochs * self.n_samples)
        return losses[:n_run]

    @property
    def _is_shuffled(self) -> bool:
        return self.shuffle and self.online

    def _call(self, weights: NDArray, order: NDArray, losses: NDArray) -> int:
        """Let the kernels train weights in place; return how many epochs changed them."""
        self.kernels.linear_train(
            self.X,
            self.targets,
            weights,
            self.learning_rate,
            order,
            self.online,
            losses,
            self.sample_weights,
        )
        return len(losses)


@dataclass
class PerceptronTask(SingleLayerTask):
    """A perceptron in training, until an epoch makes no mistake."""

    record_history: bool = False

    def __post_init__(self):
        self._first = self.state.epoch
        self._history = np.empty((0, *self.state.params.shape), self.state.params.dtype)

    @property
    def n_epochs(self) -> int:
        """Epochs that changed the weights."""
        return self.state.epoch - self._first

    @property
    def history(self) -> NDArray:
        """The weights after each of these epochs."""
        return self._history[: self.n_epochs]

    def _call(self, weights: NDArray, order: NDArray, losses: NDArray) -> int:
        begin = self.n_epochs
        history = self._history[:0]
        if self.record_history:
            self._make_room(begin + len(losses))
            history = self._history[begin : begin + len(losses)]
        n_run = self.kernels.perceptron_train(
            self.X,
            self.targets,
            weights,
            self.learning_rate,
            order,
            self.online,
            losses,
            history,
            self.sample_weights,
        )
        return int(n_run)

    def _make_room(self, n_epochs: int) -> None:
        if n_epochs > len(self._history):
            more = np.empty(
                (max(n_epochs, len(self._history)), *self._history.shape[1:]), self._history.dtype
            )
            self._history = np.concatenate([self._history, more])


def run(
    estimator: Any,
    draft: Any,
    task: SingleLayerTask,
    rules: StoppingRules,
    record: Any,
    observer: Any = None,
) -> None:
    """Become what a draft is, and train; see `training.train`. `fit_time_` counts on.

    Raises
    ------
    ValueError
        If the first epoch finds values of X that are not finite: the estimator is as it was.
    """
    before = vars(estimator)
    adopt(estimator, draft)
    begin = time.perf_counter() - estimator.fit_time_

    def timed(state: State, losses: NDArray[np.float64], reason: str) -> None:
        record(state, losses, reason)
        commit(estimator, fit_time_=time.perf_counter() - begin)

    try:
        train(task, rules, timed, int(estimator.verbose), observer)
    except KeyboardInterrupt:
        end_interrupted(interrupted_after(estimator.n_iter_))
    except ValueError:
        if not task.has_seen_all:
            estimator.__dict__ = before
        raise


def check_perceptron_parameters(parameters: Mapping[str, Any]) -> None:
    """Raise ValueError unless those that only a perceptron has are as its docstring says."""
    if parameters["penalty"] is not None:
        raise ValueError(
            f"penalty={shown(parameters['penalty'])}: expected None, as the perceptron's rule "
            "(1.2) has no penalty; scikit-learn's SGDClassifier(loss='perceptron') has"
        )
    check_real("alpha", parameters["alpha"], NOT_BELOW_0)
    check_real("l1_ratio", parameters["l1_ratio"], UP_TO_1)
    check_real("validation_fraction", parameters["validation_fraction"], BETWEEN_0_AND_1)
    check_class_weight(parameters["class_weight"])
    check_n_jobs(parameters["n_jobs"])


def classes_of(y: NDArray, name: str = "y") -> NDArray:
    """Return the classes, -1 and 1 if the labels are among them."""
    classes = unique_labels(y)
    if classes.dtype.kind in "if" and len(classes) <= 2 and {-1, 1} >= set(classes.tolist()):
        classes = np.array([-1, 1], classes.dtype)
    if len(classes) < 2:
        raise ValueError(
            f"{name}: found 1 class, {shown(classes[0])}; expected 2 classes or more, or labels -1 "
            "and 1"
        )
    return classes


def known_classes(given: Any, known: NDArray | None) -> NDArray:
    """Return the classes of `partial_fit`, given now or known from an earlier call.

    Raises
    ------
    ValueError
        If there are none, or if the given ones are no labels or others than the known ones.
    """
    if given is None:
        if known is None:
            raise ValueError("classes: expected all labels at the first call of partial_fit")
        return known
    name = "classes"
    found = classes_of(class_labels(check_y(given, np.asarray(given), name), name), name)
    if known is not None and not np.array_equal(found, known):
        raise ValueError(
            f"classes={shown(found.tolist())}: expected None or those that are known, "
            f"{shown(known.tolist())}"
        )
    return found


def sign_targets(index: NDArray, n_classes: int, dtype: np.dtype) -> NDArray:
    """Return the targets, -1 or 1, (n_samples, n_outputs), of the class of each sample."""
    if n_classes == 2:
        targets = index[:, np.newaxis].astype(dtype)
        targets *= 2
        targets -= 1
        return targets
    targets = target_columns(len(index), n_classes, -1, dtype)
    targets[np.arange(len(index)), index] = 1
    return targets


def split_weights(weights: NDArray, fit_intercept: bool) -> tuple[NDArray, NDArray]:
    """Return coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""
    if fit_intercept:
        return weights[1:].T, weights[0]
    return weights.T, np.zeros(weights.shape[1], weights.dtype)


def first_weights(
    n_features: int, n_outputs: int, fit_intercept: bool, weight_init: str, seed: int, dtype: Any
) -> NDArray:
    """Return initial weights (n_inputs, n_outputs), the bias first."""
    check_choice("weight_init", weight_init, ("uniform", "zeros"))
    n_inputs = n_features + bool(fit_intercept)
    weights = np.zeros((n_inputs, n_outputs), dtype)
    if weight_init == "uniform":
        weights[:] = random.uniform(n_inputs * n_outputs, seed).reshape(n_inputs, n_outputs)
    return weights


def known_weights(estimator: Any, fit_intercept: bool, dtype: np.dtype) -> NDArray:
    """Return the weights of a fitted estimator that is to go on, the bias first.

    Raises
    ------
    ValueError
        If `dtype` or `fit_intercept` are no longer what they were.
    """
    coef, intercept = np.atleast_2d(estimator.coef_), np.atleast_1d(estimator.intercept_)
    if coef.dtype != dtype:
        raise ValueError(
            f"dtype: the model was of {coef.dtype} and cannot go on in {dtype}; make a new "
            "estimator"
        )
    if fit_intercept:
        return np.vstack([intercept, coef.T])
    if intercept.any():
        raise ValueError(
            "fit_intercept=False: the model has a bias and cannot go on without; make a new "
            "estimator"
        )
    return coef.T.copy()


def given_weights(
    weights: NDArray,
    n_features: int,
    coef_init: ArrayLike | None,
    intercept_init: ArrayLike | None,
) -> NDArray:
    """Return weights, with those that the user gave in place of some.

    Parameters
    ----------
    coef_init : (n_outputs, n_features) or, for one output, (n_features,)
    intercept_init : (n_outputs,) or a number

    Raises
    ------
    ValueError
        If they do not fit.
    """
    weights = weights.copy()
    n_inputs, n_outputs = weights.shape
    if coef_init is not None:
        shape = (n_outputs, n_features)
        given = _given("coef_init", coef_init, shape, weights.dtype)
        weights[n_inputs - n_features :] = given.T
    if intercept_init is not None:
        if n_inputs == n_features:
            raise ValueError("intercept_init: expected None, since fit_intercept is False")
        weights[0] = _given("intercept_init", intercept_init, (n_outputs,), weights.dtype)
    return weights


def _given(name: str, values: ArrayLike, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    array = as_reals(name, values, dtype)
    if array.size != np.prod(shape) or array.shape[-1:] not in ((), shape[-1:]):
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    return array.reshape(shape)
