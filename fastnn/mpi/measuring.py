"""Loss and score on samples of several ranks: the same on all of them, and of any number."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from .. import backends
from ..backends.interface import Samples
from ..observer import Epoch, FitData, Measured, Observer
from ..targets import Reals, kind_of
from ..validation import check_weights
from .plan import Plan, spread
from .ranks import Ranks
from .task import send

SHARDS = 64  # whose losses are summed by themselves


def lent(ranks: Ranks, *arrays: Any) -> tuple[tuple[Any, ...], bool]:
    """Return X, y and what else there is of this rank, and whether it has any samples.

    A rank without samples gets one from another rank, so that it knows what they are.
    """
    counts = ranks.gather(ranks.agreed(lambda: _num_samples(arrays[0])))
    lender = next((rank for rank, n in enumerate(counts) if n), None)
    if lender is None:
        raise ValueError("X: no rank has samples; expected one at least")
    if not all(counts):
        one: Any = None
        if ranks.number == lender:
            one = tuple(None if a is None else _safe_indexing(a, [0]) for a in arrays)
        one = ranks.of_rank(lender, one)
        if counts[ranks.number] == 0:
            return one, False
    return arrays, True


def none_of(measured: Measured) -> Measured:
    """Return samples without a single one, with their y and weights."""
    samples, y, weights = measured
    return _rows(samples, 0, 0), y[:0], None if weights is None else weights[:0]


class Spread:
    """Samples with what they are to give, to be measured on all ranks.

    Parameters
    ----------
    samples, y, weights
        Of this rank, as `observer.Measured` has them.
    """

    def __init__(self, ranks: Ranks, samples: Samples, y: NDArray, weights: Any, kernels: Any):
        n = sum(ranks.gather(len(samples.X)))
        self._plan = Plan(n, n, min(SHARDS, n), ranks.size)
        self._ranks, self._kernels = ranks, kernels
        spread_samples = spread(ranks, samples, self._plan)
        self._samples = send(kernels, spread_samples, 1, ranks, self._plan)
        self._y = np.concatenate(ranks.gather(y))
        self._weights = None
        if weights is not None:
            self._weights = np.concatenate(ranks.gather(weights))

    def measure(self, model: Any) -> tuple[float, float]:
        """Return the loss (without penalty) and the score of a model that all ranks have."""
        places = self._plan.places(self._ranks.number)
        return measure(
            self._ranks, model, self._samples, places, self._y, self._weights, self._kernels
        )


def measure(
    ranks: Ranks,
    model: Any,
    samples: Samples,
    places: list[tuple[int, int]],
    y: NDArray,
    weights: Any,
    kernels: Any,
) -> tuple[float, float]:
    """Return loss and score; `places` are those of this rank's shards, y and weights of all."""
    net, params, n_threads = model._for_kernels(samples)
    kind = kind_of(model)
    outputs = np.empty((len(samples.X), net.sizes[-1]), params.dtype)
    own = []
    for first, end in places:
        if first == end:
            continue
        part = _rows(samples, first, end)
        weight = part.total_weight
        counting = part if weight > 0 else part._replace(weights=None)
        loss, n_right = kernels.mlp_evaluate(net, params, counting, n_threads, outputs[first:end])
        own.append((loss * weight, n_right if weight > 0 else 0.0, weight))
    shards = [shard for told in ranks.gather(own) for shard in told]
    loss_sum, right, total = (sum(column) for column in zip(*shards, strict=True))
    if isinstance(kind, Reals) or model.multilabel_:  # its score looks at all outputs
        outputs = np.concatenate(ranks.gather(outputs))
    return loss_sum / total, kind.score(model, outputs, y, weights, right)


def _rows(samples: Samples, first: int, end: int) -> Samples:
    X, scale, targets, weights = samples
    rows = slice(first, end)
    return Samples(X[rows], scale, targets[rows], None if weights is None else weights[rows])


def evaluate_on_ranks(
    model: Any, communicator: Any, X: Any, y: Any, sample_weight: Any
) -> tuple[float, float]:
    """Return the loss (without penalty) and the score on the samples of all ranks."""
    with Ranks(communicator) as ranks:
        (X, y, sample_weight), has_samples = lent(ranks, X, y, sample_weight)
        kind, kernels = kind_of(model), backends.kernels()

        def checked() -> Measured:
            inputs = model._inputs(X)
            labels = kind.check(y, inputs)
            weights = check_weights(sample_weight, inputs, model.params_.dtype)
            targets = kind.encode(model, labels, model.params_.dtype)
            samples = model._samples(inputs, targets)._replace(weights=weights)
            return samples, labels, weights

        measured = ranks.agreed(checked)
        ranks.compare({"sample_weight": "none" if measured[2] is None else "some"})
        measured = measured if has_samples else none_of(measured)
        return Spread(ranks, *measured, kernels).measure(model)


class RankData(FitData):
    """What a fit's callbacks, on rank 0, may measure on all ranks."""

    def __init__(self, data: FitData, task: Any, own: Any, validation: Measured | None):
        super().__init__(data.given, task, own, validation, data.kernels)
        self._ranks: Ranks = task.ranks
        self._spread: Spread | None = None
        if validation is not None:
            self._spread = Spread(self._ranks, *validation, data.kernels)
        self._is_open = False

    def on_validation(self, model: Any) -> tuple[float, float]:
        """Return loss and score on the validation data of all ranks; all of them ask at a time."""
        assert self._spread is not None
        return self._spread.measure(model)

    def on_training(self, model: Any) -> tuple[float, float]:
        """Return the same on the training samples; rank 0 asks, the others `follow`."""
        if not self._is_open:
            raise RuntimeError("training score: it is measured on all ranks, so ask in a callback")
        self._ranks.of_rank(0, True)
        return self._measure(model)

    def _measure(self, model: Any) -> tuple[float, float]:
        self._ranks.copy_of_first(model.params_)
        y, weights = self._training
        y = np.concatenate(self._ranks.gather(y))
        if weights is not None:
            weights = np.concatenate(self._ranks.gather(weights))
        samples, places = self._task.samples, self._task.plan.places(self._ranks.number)
        return measure(self._ranks, model, samples, places, y, weights, self.kernels)

    def lead(self, call: Any) -> Any:
        """Return what a function returns, on rank 0, that may ask for `on_training`."""
        self._is_open = True
        result = call()
        self._is_open = False
        self._ranks.of_rank(0, False)
        return result

    def follow(self, model: Any) -> None:
        """Measure whatever rank 0 asks for, until its callbacks have returned."""
        while self._ranks.of_rank(0):
            self._measure(model)


class Follower:
    """Stands, on the other ranks, for a callback of rank 0."""

    def __init__(self, every: int):
        self.every = every

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Do nothing."""


class RankObserver(Observer):
    """Calls the callbacks on rank 0, and has all ranks do what they say."""

    _data: RankData

    def after(self, task: Any) -> bool:
        """Call who is due; return, on all ranks, whether one says stop."""
        stop, number = False, task.state.epoch
        if all(number % every for every in self._everys):
            return False
        if task.ranks.number == 0:
            stop = self._data.lead(lambda: super(RankObserver, self).after(task))
        else:
            self._data.follow(self._model)
        self.follow_changes(task)
        return task.ranks.of_rank(0, stop)

    def follow_changes(self, task: Any) -> None:
        """Take over what callbacks have changed on rank 0: parameters, numbers of the solver."""
        changed = task.optimizer, task.learning_rate
        task.optimizer, task.learning_rate = task.ranks.of_rank(0, changed)
        task.ranks.copy_of_first(task.state.params)
