"""A training that goes to any epoch, and back: exactly, in slices of time."""

import time
from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.interface import State
from ..network import matrices
from .data import Data
from .settings import Settings

MOST_ROWS = 400  # of a curve
MOST_KEPT = 8_000_000  # bytes of earlier states
MOST_MEASURED = 2_000  # samples of each kind
SAMPLES_OF_DELTAS = 8


class Row(NamedTuple):
    """What was measured after an epoch; a missing number is NaN."""

    epoch: int
    loss: float
    test_loss: float
    accuracy: float
    test_accuracy: float


class Where(NamedTuple):
    """A place in a training: complete epochs, and batches of the next one."""

    epoch: int
    batch: int = 0


class Run(ABC):
    """One training.

    Attributes
    ----------
    where : Where
        How far it is.
    seconds, n_epochs : float
        Spent on training, and epochs trained in that time, parts of them too.
    curve : list of Row
    reason : str
        Why it cannot go on: "diverged", "no_mistake"; "" if it can.
    stride : int
        It measures, and keeps its state, after every so many epochs.
    last_batch : array of int
        Samples of the last batch, numbers in `data.train`; only in the midst of an epoch, or after
        a step to its end.
    """

    task: Any

    def __init__(self, settings: Settings, data: Data):
        self.settings, self.data = settings, data
        self.where, self.reason = Where(0), ""
        self.seconds, self.n_epochs = 0.0, 0.0
        self.curve: list[Row] = []
        self.last_batch = np.empty(0, np.int64)
        self.stride = 1
        self._kept: dict[Where, State] = {}
        self._seconds_per_batch = 0.0
        n = MOST_MEASURED
        self.measured_train, self.measured_test = data.train[:n], data.test[:n]

    @property
    @abstractmethod
    def n_batches(self) -> int:
        """Batches of an epoch."""

    @property
    def parameters(self) -> NDArray:
        """All weights and biases, flat."""
        return self.task.state.params.ravel()

    @property
    @abstractmethod
    def layers(self) -> list[tuple[NDArray, NDArray]]:
        """Weights (n_in, n_out) and biases (n_out,) of each layer."""

    @abstractmethod
    def outputs(self, X: NDArray) -> list[NDArray]:
        """Return the outputs (n, n_units) of each layer for some inputs, by the fastest kernels."""

    @abstractmethod
    def deltas(self) -> list[NDArray]:
        """Return the mean of |delta| of each unit, layer by layer, over some samples."""

    @abstractmethod
    def measure(self) -> Row:
        """Return losses and accuracies as they are now."""

    @abstractmethod
    def _epochs(self, n: int) -> int:
        """Train for whole epochs; return how many there were to train."""

    @abstractmethod
    def _batches(self, first: int, n: int) -> None:
        """Train on some batches of the epoch that has begun; `first` is the number of the first."""

    @abstractmethod
    def _order(self) -> NDArray[np.int64]:
        """Return the order of the epoch's samples."""

    def go(self, epoch: int, batch: int, seconds: float) -> bool:
        """Go to a place, ahead or back; return whether it is reached, or cannot be.

        Parameters
        ----------
        seconds : float
            After that long, the rest is left for the next call.
        """
        target = Where(epoch, batch)
        if self.n_batches <= batch:
            target = Where(epoch + 1)
        if not self.curve:
            self._note()
        self._use_kept(target)
        far = (target.epoch - self.where.epoch) // 100
        while self.stride < far:
            self.stride *= 2
        end = time.perf_counter() + seconds
        while self.where < target and not self.reason and time.perf_counter() < end:
            self._advance(target, end - time.perf_counter())
        if not batch or len(self.last_batch) > self.batch_size or self.n_batches == 1:
            self.last_batch = np.empty(0, np.int64)
        is_there = self.where >= target or bool(self.reason)
        if is_there and not self.where.batch and self.reason != "diverged":
            self._note()
        return is_there

    def _advance(self, target: Where, seconds: float) -> None:
        """Train for about some time, not beyond a target or the next place to measure."""
        epoch, batch = self.where
        per_batch, n = self._seconds_per_batch, self.n_batches
        affordable = max(1, int(seconds / per_batch)) if per_batch else 1
        begin = time.perf_counter()
        if batch == 0 and epoch < target.epoch and affordable >= n:
            stop = min(target.epoch, (epoch // self.stride + 1) * self.stride)
            n_wanted = min(stop - epoch, max(1, affordable // n))
            n_run = self._epochs(n_wanted)
            n_done = n_run * n
            self.where = Where(epoch + n_run)
            if n_run < n_wanted:
                self.reason = "no_mistake"
        else:
            last = target.batch if epoch == target.epoch else n
            n_done = min(last - batch, affordable)
            self.last_batch = self._order()[self._rows_of(batch, n_done)]
            self._batches(batch, n_done)
            self.where = Where(epoch, batch + n_done)
            if self.where.batch == n:
                self._end_epoch()
        spent = time.perf_counter() - begin
        self.seconds += spent
        self.n_epochs += n_done / n
        self._seconds_per_batch = max(spent / max(1, n_done), 1e-8)
        if not np.isfinite(self.parameters).all():
            self.reason = "diverged"
        if not self.where.batch and self.where.epoch % self.stride == 0 and not self.reason:
            self._note()

    def _end_epoch(self) -> None:
        """Begin the next epoch, all batches being done."""
        self.where = Where(self.where.epoch + 1)

    def _rows_of(self, first: int, n: int) -> slice:
        size = self.batch_size
        return slice(first * size, (first + n) * size)

    @property
    def batch_size(self) -> int:
        """Samples of a batch."""
        return self.task.batch_size

    def _note(self) -> None:
        """Measure, and keep the state: to come back to."""
        row = self.measure()
        if self.curve and self.curve[-1].epoch >= row.epoch:
            known = {old.epoch for old in self.curve}
            if row.epoch in known:
                self._keep()
                return
            self.curve = sorted([*self.curve, row])
        else:
            self.curve.append(row)
        self._keep()
        while len(self.curve) > MOST_ROWS:
            self.stride *= 2
            last = self.curve[-1]
            self.curve = [old for old in self.curve if old.epoch % self.stride == 0]
            if self.curve[-1] != last:
                self.curve.append(last)

    def _keep(self) -> None:
        if not self.where.batch and self.where not in self._kept:
            self._kept[self.where] = self.task.state
            state = self.task.state
            size = state.params.nbytes + state.moments.nbytes
            while len(self._kept) > max(4, MOST_KEPT // size):  # every second one, but the first
                places = sorted(self._kept)
                self._kept = {place: self._kept[place] for place in [*places[:-1:2], places[-1]]}

    def _use_kept(self, target: Where) -> None:
        """Take up the last state before a target, if that is nearer than where it is."""
        best = max((place for place in self._kept if place <= target), default=None)
        if best is None or (best <= self.where <= target):
            return
        self.task.state = self._kept[best]
        self.where, self.reason = best, ""


def layers_of(net: Any, params: NDArray) -> list[tuple[NDArray, NDArray]]:
    """Return weights and biases of each layer of a network, as views of its parameters."""
    return list(zip(*matrices(net, params), strict=True))
