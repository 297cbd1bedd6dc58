"""Groups of fits whose networks are trained in the same calls, on samples in one table.

A call trains as many networks as keep the machine busy; one that has ended makes room for the next
that waits.
"""

import time
from collections import deque
from collections.abc import Hashable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import random
from .backends.compressed import CompressedRows, stacked_rows
from .backends.interface import Samples
from .fits import Fit
from .progress import NoProgress
from .training import CALL_SECONDS, FIRST_WORK, MAX_ORDER, MLPTask, training

# Multiply-adds of an epoch of as many networks as go into a call, if they are large.
WORK_AT_ONCE = 5e9
STACK_BYTES = 2**28  # of a table that holds the samples of several fits one after the other


def kind(task: MLPTask) -> Hashable:
    """Return what the networks of a call have in common."""
    net, (X, scale, targets, weights) = task.net, task.samples
    return (
        (net.sizes, net.activations, net.loss, task.optimizer.kind, targets.dtype, task.batch_size),
        (type(X), X.dtype, scale, weights is None),
        task.is_shuffled,
    )


class Group:
    """Fits that are trained in the same calls, as many at a time as keep the machine busy."""

    def __init__(self) -> None:
        self.waiting: deque[Fit] = deque()
        self._parts: dict[int, tuple[Samples, int]] = {}  # and where it begins in the table
        self._n_rows, self._side_by_side = 0, False
        self._seconds_per_step = 0.0  # of a network

    def has_room(self, samples: Samples) -> bool:
        """Say whether samples are in the table, or may be."""
        if id(samples) in self._parts or not self._parts:
            return True
        n_bytes = sum(_n_bytes(part.X) for part, _ in self._parts.values())
        return n_bytes + _n_bytes(samples.X) <= STACK_BYTES

    def add(self, fit: Fit) -> None:
        """Take a fit; its samples go to the end of the table, if they are not there."""
        self.waiting.append(fit)
        self._side_by_side = fit.side_by_side
        samples = fit.task.samples
        if id(samples) not in self._parts:
            self._parts[id(samples)] = samples, self._n_rows
            self._n_rows += len(samples.X)

    def train(self, n_threads: int | None, bar: Any) -> None:
        """Train all that wait, to the end of each."""
        self._make_table(n_threads)
        active: list[_Member] = []
        at_once = self._at_once()
        try:
            while self.waiting or active:
                tasks = [member.task for member in active]
                tasks += [fit.task for fit in islice(self.waiting, at_once - len(active))]
                n_epochs = self._epochs(tasks)
                active = [member for member in active if member.go_on(n_epochs, bar)]
                while self.waiting and len(active) < at_once:
                    active.append(_Member(self.waiting.popleft()))
                    if not active[-1].go_on(n_epochs, bar):
                        active.pop()
                by_number: dict[int, list[_Member]] = {}
                for member in active:
                    by_number.setdefault(member.wanted, []).append(member)
                for members in sorted(by_number.values(), key=len):  # most last: it is timed
                    self._call(members, bar)
        finally:
            for member in active:
                member.end()

    def _make_table(self, n_threads: int | None) -> None:
        """Put all samples into one table, and hand it to the back end."""
        tasks = [fit.task for fit in self.waiting]
        lead, parts = tasks[0], [part for part, _ in self._parts.values()]
        self._n_threads = n_threads or max(task.n_threads for task in tasks)
        table = parts[0]
        if len(parts) > 1:
            table = Samples(
                _stacked([part.X for part in parts]),
                table.scale,
                np.concatenate([part.targets for part in parts]),
                None if table.weights is None else np.concatenate([p.weights for p in parts]),
            )
            whole = {key: np.arange(len(p.X)) + start for key, (p, start) in self._parts.items()}
            known: dict[tuple[int, int], NDArray[np.int64]] = {}  # one array for the same rows
            for task in tasks:
                own, key = whole[id(task.samples)], (id(task.samples), id(task.rows))
                if key not in known:
                    known[key] = own if task.rows is None else own[task.rows]
                task.rows = known[key]
        self._parts.clear()
        self._kernels = lead.kernels
        self._samples = self._kernels.to_device(table, self._n_threads)
        for task in tasks:
            task.samples = self._samples

    def _at_once(self) -> int:
        """Return how many networks go into a call."""
        n_parameters = self.waiting[0].task.net.n_parameters  # of all: they have the same layers
        most = n_parameters * max(fit.task.n_samples for fit in self.waiting)
        return max(self._n_threads, min(self._kernels.NETWORKS_AT_ONCE, int(WORK_AT_ONCE / most)))

    def _epochs(self, tasks: list[MLPTask]) -> int:
        """Return how many epochs of these networks fit in a call."""
        n_steps = sum(task.steps_per_epoch for task in tasks)
        if self._seconds_per_step:
            n_epochs = CALL_SECONDS / self._seconds_per_step / n_steps
        else:  # the first call may compile
            work = tasks[0].net.n_parameters * sum(task.n_samples for task in tasks)
            n_epochs = min(16 * len(tasks) / n_steps, FIRST_WORK / work)
        if tasks[0].is_shuffled:
            n_epochs = min(n_epochs, MAX_ORDER / sum(task.n_samples for task in tasks))
        return max(1, int(n_epochs))

    def _call(self, members: "list[_Member]", bar: Any) -> None:
        """Train some networks for as many epochs as each of them wants."""
        tasks, n_epochs = [member.task for member in members], members[0].wanted
        states = [task.begin_call() for task in tasks]
        given = zip(tasks, _orders(tasks, n_epochs), _rates(tasks, n_epochs), strict=True)
        schedules = [task.schedule(n_epochs, order, rates) for task, order, rates in given]
        sums = [np.empty(n_epochs) for _ in tasks]  # each network keeps its own
        begin = time.perf_counter()
        self._kernels.mlp_train_many(
            [task.net for task in tasks],
            [task.optimizer for task in tasks],
            states,
            self._samples,
            schedules,
            sums,
            self._n_threads,
            self._side_by_side,
        )
        seconds = time.perf_counter() - begin
        n_steps = n_epochs * sum(task.steps_per_epoch for task in tasks)
        self._seconds_per_step = max(1e-12, seconds / n_steps)
        for member, state, own in zip(members, states, sums, strict=True):
            member.losses = member.task.end_call(state, own)
            member.n_left -= n_epochs * member.task.n_samples
            bar.update(n_epochs * member.task.n_samples)


def _orders(tasks: list[MLPTask], n_epochs: int) -> list[NDArray[np.int64]]:
    """Return the next order of each network: one array for those that have the same."""
    keys = [
        (task.n_samples, *((task.seed, task.state.epoch) if task.is_shuffled else ()))
        for task in tasks
    ]
    drawn: dict[tuple, NDArray[np.int64]] = {}
    for n in {n for n, *_ in keys}:  # of many networks in one go
        shuffled = {key: None for key in keys if key[0] == n and len(key) > 1}
        if shuffled:
            _, seeds, epochs = zip(*shuffled, strict=True)
            orders = random.shuffled_each(n, seeds, epochs, n_epochs)
            drawn.update(zip(shuffled, orders, strict=True))
        drawn[(n,)] = np.arange(n)[np.newaxis]
    own: dict[tuple, NDArray[np.int64]] = {}
    for key, task in zip(keys, tasks, strict=True):
        if (*key, id(task.rows)) not in own:
            own[(*key, id(task.rows))] = task.own(drawn[key])
    return [own[(*key, id(task.rows))] for key, task in zip(keys, tasks, strict=True)]


def _rates(tasks: list[MLPTask], n_epochs: int) -> list[NDArray[np.float64]]:
    """Return the next learning rates of each network: one array for those that have the same."""
    keys = [(task.learning_rate, task.state.epoch, task.rates.key) for task in tasks]
    drawn: dict[tuple, NDArray[np.float64]] = {}
    for key, task in zip(keys, tasks, strict=True):
        if key not in drawn:
            drawn[key] = task.rates.of(task.learning_rate, task.state.epoch, n_epochs)
    return [drawn[key] for key in keys]


class _Member:
    """A fit in training: how many epochs it wants to run, and what the last ones gave."""

    def __init__(self, fit: Fit):
        fit.start()
        self.task, self.wanted, self._fit = fit.task, 0, fit
        self.losses: NDArray[np.float64] | None = None
        self.n_left = fit.rules.max_iter * self.task.n_samples  # on the bar
        self._training = training(self.task, fit.rules, fit.take_down, fit.observer, NoProgress())

    def go_on(self, n_epochs: int, bar: Any) -> bool:
        """Take in what has been trained; return whether more is wanted, up to so many epochs."""
        self.task.epochs_at_once = n_epochs
        try:
            self.wanted = self._training.send(self.losses)
        except StopIteration:
            self.end()
            bar.update(max(0, self.n_left))
            return False
        return True

    def end(self) -> None:
        """Say that the fit has ended, or was ended."""
        self._fit.observer.end()


def _n_bytes(X: Any) -> int:
    return X.values.nbytes + X.columns.nbytes if isinstance(X, CompressedRows) else X.nbytes


def _stacked(tables: list[Any]) -> Any:
    """Return the rows of all tables, those of the first one first."""
    if isinstance(tables[0], CompressedRows):
        return stacked_rows(tables)
    return np.concatenate(tables)
