"""The training of a network on samples that are not all in memory."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import random
from ..backends.interface import Samples, Schedule, State
from ..training import MLPTask


def _nothing(state: State, n_seen: int) -> None:
    """Take nothing down."""


@dataclass
class StreamTask(MLPTask):
    """One network in training, window by window; `samples` is a `windows.Stream`.

    Attributes
    ----------
    window : int
        Samples of a window: a multiple of the batch size, so that windows are cut where batches
        are.
    take_down : callable of (state, n_seen)
        If something ends an epoch early, it is told what became of the windows before: the state,
        which counts the complete epochs, and how many samples this task has seen.
    """

    samples: Any
    window: int = 1
    take_down: Callable[[State, int], None] = _nothing

    def __post_init__(self):
        self.total_weight = np.nan  # known at the end of an epoch
        self._n_seen = 0

    def send(self) -> None:
        """Do nothing: a window is sent when it is full."""

    @property
    def n_samples(self) -> int:
        """Number of training samples, 0 as long as nobody knows."""
        return self.samples.n_samples

    def epochs_per_call(self) -> int:
        """Return 1."""
        return 1

    def run(self, n_epochs: int, progress: Any) -> NDArray[np.float64]:
        """Train for some epochs; return the loss of each."""
        losses = np.array([self._epoch(progress) for _ in range(n_epochs)])
        self.rates.n_samples = self.n_samples
        return losses

    def samples_seen(self, n_epochs: int) -> int:
        """Return the samples of the epochs that this task has run."""
        return self._n_seen

    def _epoch(self, progress: Any) -> float:
        """Train for an epoch; the state goes on with each window, in arrays of its own."""
        loss, weight, n_seen = np.zeros(1), 0.0, 0
        seed = self.seed if self.shuffle else None
        windows = self.samples.windows(self.window, seed, self.state.epoch)
        try:
            for number, samples in enumerate(windows):
                self.state = self._trained(number, samples, loss, progress)
                weight, n_seen = weight + samples.total_weight, n_seen + len(samples.X)
        except BaseException:  # Ctrl-C, or a file that ends early
            if n_seen:
                self.take_down(self.state, self._n_seen + n_seen)
            raise
        self.state = self.state._replace(epoch=self.state.epoch + 1)
        self._n_seen += n_seen
        return float(loss[0] / weight)

    def _trained(self, number: int, samples: Samples, loss: NDArray, progress: Any) -> State:
        """Return the state after a window of the epoch; its loss is added.

        What is made of the window is gone before the next is: it has its memory again.
        """
        epoch, n = self.state.epoch, len(samples.X)
        order, is_shuffled = np.arange(n)[np.newaxis], self.shuffles(n)
        if is_shuffled:
            order = random.shuffled(n, self.seed, epoch, part=number)
        rates = self.rates.of(self.learning_rate, epoch, 1)
        state, sent = self.begin_call(), self.kernels.to_device(samples, self.n_threads)
        schedule = Schedule(order, self.batch_size, self.seed, rates, is_shuffled)
        self._in_calls(state, sent, schedule, loss, progress)
        return state._replace(step=state.step + self._steps(n))
