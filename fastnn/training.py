"""The loop above the kernels: epochs in blocks, history, stopping rules, progress, Ctrl-C.

A back end trains many epochs of a small network in one call, or a part of one epoch of a large
one: about CALL_SECONDS of work, so that the progress bar moves and Ctrl-C is heard.
"""

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import random
from .backends.interface import (
    ImageDistortion,
    Network,
    Optimizer,
    Samples,
    Schedule,
    State,
)
from .backends.thread_count import ThreadCount
from .learning_rates import LearningRates
from .progress import progress_bar
from .state import SolverState, copy_of, warn_caller
from .stopping import StoppingRules, Watch

CALL_SECONDS = 0.5
FIRST_WORK = 10**9  # multiply-adds of the first call, of 16 steps at most
MAX_ORDER = 1_000_000  # indices of shuffled samples made at once


class Task(Protocol):
    """What is trained."""

    state: State
    watch: Watch

    @property
    def n_samples(self) -> int:
        """Number of training samples."""

    def epochs_per_call(self) -> int:
        """Return how many epochs fit in a call."""

    def lower_rate(self) -> bool:
        """Lower an adaptive learning rate; return whether there was one, and training goes on."""

    def run(self, n_epochs: int, progress: Any) -> NDArray[np.float64]:
        """Train for some epochs, fewer if nothing is left to learn; return the loss of each."""


@dataclass
class MLPTask:
    """One network in training: what the kernels need, and how far they have come.

    A later state has arrays of its own.

    Attributes
    ----------
    rows : (n_samples,) of int64, or None
        Which of `samples` it is trained on; None: all of them.
    epochs_at_once : int
        How many epochs a call has, where other networks are trained in it too; 0: as many as
        this one wants.
    """

    kernels: Any
    net: Network
    optimizer: Optimizer
    state: State
    samples: Samples
    batch_size: int
    shuffle: bool
    seed: int
    n_threads: int
    learning_rate: float
    rates: LearningRates = field(default_factory=LearningRates)
    distortion: ImageDistortion | None = None
    angles: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    watch: Watch = field(default_factory=Watch)
    rows: NDArray[np.int64] | None = None
    seconds_per_step: float = field(default=0.0, init=False)
    epochs_at_once: int = field(default=0, init=False)
    threads: ThreadCount | None = field(default=None, init=False)
    total_weight: float = field(init=False)

    def __post_init__(self):
        weights, self.total_weight = self.samples.weights, float(self.n_samples)
        if weights is not None:
            own = weights if self.rows is None else weights[self.rows]
            self.total_weight = own.sum(dtype=np.float64)

    def send(self) -> None:
        """Hand the samples to the back end, for all calls to come."""
        self.samples = self.kernels.to_device(
            self.samples, self.n_threads, compress=self.distortion is None
        )

    @cached_property
    def n_samples(self) -> int:
        """Number of training samples."""
        return len(self.samples.X if self.rows is None else self.rows)

    @property
    def is_shuffled(self) -> bool:
        """Whether epochs differ in their order: it means nothing if a batch holds all samples."""
        return self.shuffles(self.n_samples)

    def shuffles(self, n_samples: int) -> bool:
        """Say whether so many samples that are trained on in turn get a random order."""
        return self.shuffle and n_samples > self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Number of mini-batches in an epoch."""
        return self._steps(self.n_samples)

    def samples_seen(self, n_epochs: int) -> int:
        """Return how many samples some epochs have seen, those that this task has run."""
        return n_epochs * self.n_samples

    def epochs_per_call(self) -> int:
        """Return how many epochs fit in a call."""
        if self.epochs_at_once:
            return self.epochs_at_once
        if self.distortion is not None:
            return 1
        most = max(1, MAX_ORDER // self.n_samples) if self.is_shuffled else 2**31
        return max(1, min(most, self._steps_per_call() // self.steps_per_epoch))

    def schedule(
        self,
        n_epochs: int,
        order: NDArray[np.int64] | None = None,
        rates: NDArray[np.float64] | None = None,
    ) -> Schedule:
        """Return the schedule of the next epochs; `order` and `rates` if they are known."""
        epoch = self.state.epoch
        if order is None:
            order = np.arange(self.n_samples)[np.newaxis]
            if self.is_shuffled:
                order = random.shuffled(self.n_samples, self.seed, epoch, n_epochs)
            order = self.own(order)
        if rates is None:
            rates = self.rates.of(self.learning_rate, epoch, n_epochs)
        return Schedule(order, self.batch_size, self.seed, rates, self.is_shuffled)

    def own(self, order: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return where samples that an order counts from 0 on stand in the table."""
        return order if self.rows is None else self.rows[order]

    def begin_call(self) -> State:
        """Return a copy of the state: what ends a call early leaves the state as it was."""
        return copy_of(self.state)

    def end_call(self, state: State, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take over what the kernels have made of a copy; the sums become the losses of epochs."""
        n_epochs, (_, _, step, epoch) = len(sums), self.state
        step += n_epochs * self.steps_per_epoch
        self.state = State(state.params, state.moments, step, epoch + n_epochs)
        sums /= self.total_weight
        return sums

    def solver_state(self) -> SolverState:
        """Return what the training could go on from, beside the parameters."""
        moments, step, epoch = self.state.moments, self.state.step, self.state.epoch
        return SolverState(moments, self.seed, step, epoch, self.watch.idle, self.rates.factor)

    def lower_rate(self) -> bool:
        """Lower an adaptive learning rate; return whether there was one, and training goes on."""
        if not (self.rates.is_adaptive and self.rates.lower(self.learning_rate)):
            return False
        self.watch.idle = 0
        return True

    def run(self, n_epochs: int, progress: Any) -> NDArray[np.float64]:
        """Train for some epochs, in one call if they fit; return the loss of each."""
        state, schedule = self.begin_call(), self.schedule(n_epochs)
        samples, sums = self.samples, np.zeros(n_epochs)
        if self.distortion is not None:
            images = self.kernels.distort_images(
                samples.X, self.distortion, self.angles, self.seed, state.epoch, self.n_threads
            )
            samples = samples._replace(X=images)
        if n_epochs > 1:
            self._call(state, samples, schedule, sums, progress)
        else:
            self._in_calls(state, samples, schedule, sums, progress)
        return self.end_call(state, sums)

    def _in_calls(
        self, state: State, samples: Samples, schedule: Schedule, sums: NDArray, progress: Any
    ) -> None:
        """Train an epoch, or a part of it that begins with a batch, in as many calls as it takes.

        The arrays of the state are changed in place.
        """
        start, n_rows = 0, schedule.order.shape[1]
        while start < n_rows:
            size = self._steps_per_call() * self.batch_size
            left = n_rows - start
            size = left if left < 1.5 * size else size
            part = np.ascontiguousarray(schedule.order[:, start : start + size])
            at = state._replace(step=state.step + start // self.batch_size)
            self._call(at, samples, schedule._replace(order=part), sums, progress)
            start += size

    def _call(
        self, state: State, samples: Samples, schedule: Schedule, sums: NDArray, progress: Any
    ) -> None:
        """Let the kernels train on the arrays of a state, in place."""
        n_rows = schedule.order.shape[1]
        n_steps = len(sums) * self._steps(n_rows)
        own = self.net, self.optimizer, samples, self.batch_size, self.n_threads
        most = self.kernels.most_threads(*own)
        if self.threads is None or self.threads.most != most:  # another window of a stream
            self.threads = ThreadCount(most)
        begin = time.perf_counter()
        work = self.kernels.mlp_train(
            self.net, self.optimizer, state, samples, schedule, sums, self.threads.now
        )
        self.threads.measured(n_steps, work)
        self.seconds_per_step = max(1e-9, (time.perf_counter() - begin) / n_steps)
        progress.update(len(sums) * n_rows)

    def _steps(self, n_samples: int) -> int:
        return -(-n_samples // self.batch_size)

    def _steps_per_call(self) -> int:
        if self.seconds_per_step == 0:  # not measured yet; the first call may compile
            return max(1, min(16, FIRST_WORK // (self.net.n_parameters * self.batch_size)))
        most = CALL_SECONDS if self.threads is None else self.threads.seconds
        return max(1, int(min(CALL_SECONDS, most) / self.seconds_per_step))


# It yields how many epochs to run and is sent their losses, None at first.
Training = Generator[int, NDArray[np.float64] | None, str | None]


class LossCurve:
    """The losses of all epochs: grows at a constant cost per epoch."""

    def __init__(self, earlier: NDArray[np.float64]):
        self._buffer, self._n = earlier.copy(), len(earlier)

    def extended(self, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Append losses (the first are kept as they are); return all, a view that never changes."""
        n = self._n + len(losses)
        if not self._n:
            self._buffer = losses
        else:
            if n > len(self._buffer):
                earlier, self._buffer = self._buffer[: self._n], np.empty(self._n + n)
                self._buffer[: self._n] = earlier
            self._buffer[self._n : n] = losses
        self._n = n
        return self._buffer[:n]


def train(
    task: Task,
    rules: StoppingRules,
    record: Callable[[State, NDArray[np.float64], str], None],
    verbose: int = 1,
    observer: Any = None,
    loop: Any = None,
) -> None:
    """Train until a rule says stop; whatever else ends it, what was recorded stays.

    Parameters
    ----------
    record : callable
        Takes down in one step how far the training has come: the state, the losses of the epochs
        since the last time, and why it ended, "interrupted" as long as it goes on. Other reasons
        are "max_iter", "loss_threshold", "weight_threshold", "tol", "no_mistake", what the
        observer calls its own ("callback", "validation_score"), and "diverged".
    observer : observer.Observer, optional
        Says after how many epochs it wants to look, and whether it wants to stop then.
    loop : callable of (task, rules, record, observer, bar), optional
        In place of gradient descent: trains, and returns what is not finite if it diverged.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; whose it is, `state.end_interrupted` decides.
    """
    first = task.state.epoch
    try:
        with progress_bar(rules.max_iter * task.n_samples, verbose) as bar:
            if loop is not None:
                diverged = loop(task, rules, record, observer, bar)
            else:
                diverged = _alone(task, rules, training(task, rules, record, observer, bar), bar)
    finally:
        if observer is not None:
            observer.end()
    if diverged is not None:
        warn_caller(
            f"training diverged: the {diverged} of epoch {task.state.epoch - first} is not finite; "
            "try a lower learning rate",
            RuntimeWarning,
        )


def _alone(task: Task, rules: StoppingRules, wanted: Training, bar: Any) -> str | None:
    """Run the epochs that a training wants; return what it returns."""
    losses = None
    while True:
        try:
            n_epochs = wanted.send(losses)
        except StopIteration as end:
            return end.value
        losses = task.run(n_epochs, bar)
        bar.expect(rules.max_iter * task.n_samples)


def training(task: Any, rules: StoppingRules, record: Any, observer: Any, bar: Any) -> Training:
    """Train as `train` does: yield how many epochs `task` is to run, and take the loss of each.

    Returns what is not finite if the training diverged.
    """
    first = task.state.epoch
    stop = "max_iter" if rules.max_iter == 0 else None
    losses = np.empty(0)
    if stop is not None:
        record(task.state, losses, stop)
    while stop is None:
        n_left = rules.max_iter - (task.state.epoch - first)
        if observer is not None:
            n_left = min(n_left, observer.epochs_left(task.state.epoch))
        losses, stop = yield from _block(task, rules, n_left)
        if stop is None and task.state.epoch - first == rules.max_iter:
            stop = "max_iter"
        record(task.state, losses, stop or "interrupted")
        bar.epochs(task.state.epoch - first, losses)
        if observer is not None and observer.after(task) and stop in (None, "max_iter"):
            stop = observer.reason
            record(task.state, np.empty(0), stop)
    if stop != "diverged":
        return None
    return "loss" if not np.isfinite(losses[-1]) else "largest parameter"


def is_finite(params: NDArray) -> bool:
    """Say whether all are finite, without a temporary array."""
    least, most = np.minimum.reduce(params, axis=None), np.maximum.reduce(params, axis=None)
    return isfinite(least) and isfinite(most)


def _block(task, rules, n_left) -> Generator[int, Any, tuple[NDArray[np.float64], str | None]]:
    """Run some epochs; if a rule fires in their midst, go back and run just as many as it wants."""
    by_weights = rules.weight_threshold is not None
    n_epochs = 1 if by_weights else min(n_left, task.epochs_per_call())
    before = task.state
    losses = yield n_epochs
    reason = "no_mistake" if len(losses) < n_epochs else None
    if rules.need_losses or not np.isfinite(losses).all():
        n_kept, reason = task.watch.first_stop(losses, rules) or (len(losses), reason)
        if n_kept < len(losses):
            task.state = before
            yield n_kept
            losses = losses[:n_kept].copy()
        if reason == "tol" and task.lower_rate():
            reason = None
    if not is_finite(task.state.params):
        if len(losses) > 1:
            n_kept = yield from _first_not_finite(task, before, len(losses))
            losses = losses[:n_kept].copy()
        return losses, "diverged"
    if by_weights and reason is None:
        change = float(np.abs(task.state.params - before.params).max())
        if change < rules.weight_threshold:
            reason = "weight_threshold"
    return losses, reason


def _first_not_finite(task, before: State, most: int) -> Generator[int, Any, int]:
    """Run again, up to the first epoch that leaves a parameter not finite; return its number.

    So what a diverged training leaves does not depend on how many epochs a call has.
    """
    task.state, n_epochs = before, 0
    while n_epochs == 0 or (n_epochs < most and is_finite(task.state.params)):
        yield 1
        n_epochs += 1
    return n_epochs
