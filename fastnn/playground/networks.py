"""The run of a multi-layer network, and that of a single layer: perceptron or linear."""

import threading
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .. import backends
from ..backends.interface import Samples, Schedule, State
from ..fits import Fit
from ..progress import NoProgress
from ..single_layer import PerceptronTask, SingleLayerTask, first_weights, sign_targets
from ..targets import kind_of
from . import models
from .data import Data
from .problems import Problem
from .runs import SAMPLES_OF_DELTAS, Row, Run, layers_of
from .settings import Settings

MOST_PARAMETERS = 200_000
MOST_OF_PYTHON = 1_000_000  # weights times samples of a batch: about half a second
SILENT = NoProgress()

_lock = threading.Lock()
_sent: dict[tuple, Samples] = {}  # images on a back end, for all pages


def begin(settings: Settings, data: Data) -> Run:
    """Return a run that has not begun to train.

    Raises
    ------
    ValueError
        If settings do not go together, or with the data.
    """
    if data.classes and len(np.unique(data.y[data.train])) < len(data.classes):
        raise Problem("A class has no training point.", "有的类别没有训练点。")
    with backends.use_backend(settings.backend_name):
        kind = NetworkRun if settings.model == "network" else LayerRun
        return kind(settings, data)


def _check_speed(settings: Settings, n_products: int) -> None:
    """Raise a Problem if a batch of so many products keeps the python back end busy for long."""
    if settings.backend_name == "python" and n_products > MOST_OF_PYTHON:
        raise Problem(
            "This is too slow for the python back end: fewer units, or a smaller batch.",
            "对 python 后端来说太慢：请减少神经元，或减小批次。",
        )


class NetworkRun(Run):
    """The training of a multi-layer network."""

    def __init__(self, settings: Settings, data: Data):
        super().__init__(settings, data)
        recipe = models.recipe(settings, data)
        recipe.arguments["max_iter"] = 1  # the learning rate is constant: any number would do
        n_in = data.inputs(settings, data.points[:1]).shape[1]
        sizes = [n_in, *settings.hidden, max(1, len(data.classes))]
        n_parameters = sum((m + 1) * n for m, n in pairwise(sizes))
        if n_parameters > MOST_PARAMETERS:
            raise Problem(
                f"{n_parameters:,} weights and biases: expected at most {MOST_PARAMETERS:,}.",
                f"{n_parameters:,} 个权值和偏置：最多 {MOST_PARAMETERS:,} 个。",
            )
        n_batch = min(settings.batch or len(data.train), len(data.train))
        _check_speed(settings, n_parameters * n_batch)
        model = recipe.make()
        X = models.inputs_of(settings, data, data.train)
        fit = Fit(model, X, models.targets_of(settings, data, data.train), sample_weight=None)
        fit.adopt()
        self.model, self.task = model, fit.task
        self._drawing = models.drawing_kernels()
        self._send()
        self._own_sums = np.zeros(1)
        self._epoch_schedule: tuple[int, Schedule] | None = None
        self._train = self._samples(self.measured_train)
        self._test = self._samples(self.measured_test)
        self._few = self._samples(self.measured_train[_spread(len(self.measured_train))])
        self._plain = self.task.net._replace(dropout=(0.0,) * len(self.task.net.dropout))
        self._no_penalty = self.task.optimizer._replace(alpha=0.0, l1=0.0)

    def _send(self) -> None:
        """Give the samples to the back end; images once for all pages."""
        if self.data.kind != "images":
            self.task.send()
            return
        with _lock:
            key = self.settings.backend_name, len(self.task.samples.X)
            if key not in _sent:
                self.task.send()
                _sent[key] = self.task.samples
            self.task.samples = _sent[key]._replace(targets=self.task.samples.targets)

    def _samples(self, rows: NDArray) -> Samples:
        dtype = self.task.state.params.dtype
        X = models.inputs_of(self.settings, self.data, rows)
        X = X if X.dtype == np.uint8 else X.astype(dtype)
        y = models.targets_of(self.settings, self.data, rows)
        targets = kind_of(self.model).encode(self.model, y, dtype) if len(rows) else None
        return Samples(X, self.task.samples.scale, targets)

    @property
    def n_batches(self) -> int:
        """See `Run`."""
        return self.task.steps_per_epoch

    @property
    def layers(self) -> list[tuple[NDArray, NDArray]]:
        """See `Run`."""
        return layers_of(self.task.net, self.task.state.params)

    def outputs(self, X: NDArray) -> list[NDArray]:
        """See `Run`."""
        params = self.task.state.params
        X = X if X.dtype == np.uint8 else X.astype(params.dtype)
        samples = Samples(X, self.task.samples.scale, None)
        return self._drawing.mlp_forward(self.task.net, params, samples, True, 1)

    def deltas(self) -> list[NDArray]:
        """See `Run`: the gradient of a bias is the delta of its unit, for a batch of one sample."""
        state, sums = self.task.state, [np.zeros(n) for n in self.task.net.sizes[1:]]
        few = self._few
        for i in range(len(few.X)):
            one = few._replace(X=few.X[i : i + 1], targets=few.targets[i : i + 1])
            gradient = self._drawing.mlp_loss_gradient(
                self._plain, state.params, one, self._no_penalty, 0, 0
            )[1]
            for total, (_, delta) in zip(sums, layers_of(self.task.net, gradient), strict=True):
                total += np.abs(delta)
        return [total / len(few.X) for total in sums]

    def measure(self) -> Row:
        """See `Run`."""
        numbers = [*self._measured(self._train), *self._measured(self._test)]
        return Row(self.where.epoch, numbers[0], numbers[2], numbers[1], numbers[3])

    def _measured(self, samples: Samples) -> tuple[float, float]:
        """Return loss and accuracy of some samples, NaN where there are none."""
        n = len(samples.X)
        if not n:
            return np.nan, np.nan
        loss, right = self._drawing.mlp_evaluate(self.task.net, self.task.state.params, samples, 1)
        return float(loss), right / n if self.data.classes else np.nan

    def _epochs(self, n: int) -> int:
        self.task.run(n, SILENT)
        return n

    def _order(self) -> NDArray[np.int64]:
        return self._schedule().order[0]

    def _schedule(self) -> Schedule:
        """Return the schedule of the epoch that has begun; to shuffle many images takes a while."""
        if self._epoch_schedule is None or self._epoch_schedule[0] != self.where.epoch:
            self._epoch_schedule = self.where.epoch, self.task.schedule(1)
        return self._epoch_schedule[1]

    def _batches(self, first: int, n: int) -> None:
        task = self.task
        state, schedule = task.begin_call(), self._schedule()
        # Twice, as if there were two epochs: kernels for a single order add up in another order.
        part = np.repeat(schedule.order[:, self._rows_of(first, n)], 2, axis=0)
        task.kernels.mlp_train(
            task.net,
            task.optimizer,
            state._replace(step=state.step + first),
            task.samples,
            schedule._replace(order=part),
            self._own_sums,
            1,
        )
        task.state = state

    def _end_epoch(self) -> None:
        super()._end_epoch()
        state = self.task.state
        self.task.state = state._replace(step=state.step + self.n_batches, epoch=state.epoch + 1)


class LayerRun(Run):
    """The training of a single layer: a perceptron (1.2), or a linear network (1.3)."""

    def __init__(self, settings: Settings, data: Data):
        super().__init__(settings, data)
        arguments = models.recipe(settings, data).arguments
        X = models.inputs_of(settings, data, data.train)
        y = models.targets_of(settings, data, data.train)
        self._is_perceptron = settings.model == "perceptron"
        if self._is_perceptron:
            targets = sign_targets(y, len(data.classes), X.dtype)
        else:
            targets = y.reshape(len(y), -1).astype(X.dtype)
        n_batch = 1 if arguments["online"] else len(X)
        _check_speed(settings, X.shape[1] * targets.shape[1] * n_batch)
        start = first_weights(
            X.shape[1], targets.shape[1], True, arguments["weight_init"], settings.seed, X.dtype
        )
        task = PerceptronTask if self._is_perceptron else SingleLayerTask
        self.task = task(
            backends.kernels(),
            X,
            targets,
            None,
            State(start, np.empty((0, 0))),
            settings.lr,
            online=arguments["online"],
            shuffle=False,
            seed=settings.seed,
        )
        self._test_X = models.inputs_of(settings, data, self.measured_test)
        self._has_changed = False

    @property
    def n_batches(self) -> int:
        """See `Run`: samples, or one batch of all."""
        return self.task.n_samples if self.task.online else 1

    @property
    def batch_size(self) -> int:
        """See `Run`."""
        return 1 if self.task.online else self.task.n_samples

    @property
    def layers(self) -> list[tuple[NDArray, NDArray]]:
        """See `Run`."""
        weights = self.task.state.params
        return [(weights[1:], weights[0])]

    def outputs(self, X: NDArray) -> list[NDArray]:
        """See `Run`: of a perceptron z, whose sign is its output."""
        ((weights, bias),) = self.layers
        return [X @ weights + bias]

    def deltas(self) -> list[NDArray]:
        """See `Run`: t - y (1.2)."""
        n = len(self.measured_train)
        z = self.outputs(self.task.X[:n])[0]
        y = np.sign(z) if self._is_perceptron else z
        return [np.abs(self.task.targets[:n] - y).mean(axis=0)]

    def measure(self) -> Row:
        """See `Run`: the loss is that of the estimator's `loss_curve_`."""
        n = len(self.measured_train)
        train = self._measured(self.task.X[:n], self.measured_train)
        test = self._measured(self._test_X, self.measured_test)
        return Row(self.where.epoch, train[0], test[0], train[1], test[1])

    def _measured(self, X: NDArray, rows: NDArray) -> tuple[float, float]:
        if not len(rows):
            return np.nan, np.nan
        y, classes = self.data.y[rows], self.data.classes
        with np.errstate(over="ignore", invalid="ignore"):
            z = self.outputs(X)[0]
            if not classes:
                return float(np.square(y - z[:, 0]).mean() / 2), np.nan
            if self._is_perceptron:
                t = sign_targets(y, len(classes), z.dtype)
                loss = np.maximum(0, -t * z).sum(axis=1).mean()
            else:
                t = models.targets_of(self.settings, self.data, rows).reshape(len(y), -1)
                loss = np.square(t - z).sum(axis=1).mean() / 2
        named = (z[:, 0] > 0).astype(int) if z.shape[1] == 1 else z.argmax(axis=1)
        return float(loss), float((named == y).mean())

    def _epochs(self, n: int) -> int:
        return len(self.task.run(n, SILENT)) if not self._is_perceptron else self._perceptron(n)

    def _perceptron(self, n: int) -> int:
        before = self.task.state.epoch
        self.task.run(n, SILENT)
        return self.task.state.epoch - before

    def _order(self) -> NDArray[np.int64]:
        return np.arange(self.task.n_samples)

    def _batches(self, first: int, n: int) -> None:
        task, rows = self.task, self._rows_of(first, n)
        weights = task.state.params.copy()
        order = np.arange(len(task.X[rows]))[np.newaxis]
        given = task.X[rows], task.targets[rows], weights, task.learning_rate, order, task.online
        if self._is_perceptron:
            none = np.empty((0, *weights.shape))
            task.kernels.perceptron_train(*given, np.empty(1), none, None)
        else:
            task.kernels.linear_train(*given, np.empty(1), None)
        changed = not np.array_equal(weights, task.state.params)
        self._has_changed = changed or (first > 0 and self._has_changed)
        task.state = task.state._replace(params=weights)

    def _end_epoch(self) -> None:
        if self._is_perceptron and not self._has_changed:
            self.where, self.reason = self.where._replace(batch=0), "no_mistake"
            return
        super()._end_epoch()
        self.task.state = self.task.state._replace(epoch=self.task.state.epoch + 1)


def _spread(n: int) -> NDArray[np.int64]:
    """Return some of n numbers, evenly spread."""
    return np.unique(np.linspace(0, n - 1, min(n, SAMPLES_OF_DELTAS)).round().astype(int))
