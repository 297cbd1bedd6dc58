"""The loop above the kernels: epochs in blocks, history, stopping rules, progress, Ctrl-C.

A back end trains many epochs of a small network in one call, or a part of one epoch of a large
one: about CALL_SECONDS of work, so that the progress bar moves and Ctrl-C is heard.
"""

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import random
from .backends.interface import ImageDistortion, Network, Optimizer
from .backends.thread_count import ThreadCount
from .validation import is_integer

CALL_SECONDS = 0.5
FIRST_WORK = 10**9  # multiply-adds of the first call, of 16 steps at most
MAX_ORDER = 1_000_000  # indices of shuffled samples made at once


class StoppingRules(NamedTuple):
    """When to stop (the course's 1.2.7); a rule that is None is not applied.

    Attributes
    ----------
    max_iter : int
        Epochs at most; with 0 a fit only sets the initial weights.
    loss_threshold : float or None
        Stop after an epoch whose loss is below it.
    weight_threshold : float or None
        Stop after an epoch that changed no parameter by as much.
    tol : float or None
    n_iter_no_change : int
        Stop when the best loss fell by less than `tol` in each of so many epochs on end.
    """

    max_iter: int
    loss_threshold: float | None = None
    weight_threshold: float | None = None
    tol: float | None = None
    n_iter_no_change: int = 10

    @classmethod
    def of(cls, estimator: Any) -> "StoppingRules":
        """Return the rules that an estimator's parameters name; ValueError if out of range."""
        rules = cls(**{name: getattr(estimator, name) for name in cls._fields})
        rules.check()
        return rules

    def check(self) -> None:
        """Raise ValueError for a value out of range."""
        for name, least in (("max_iter", 0), ("n_iter_no_change", 1)):
            value = getattr(self, name)
            if not is_integer(value) or value < least:
                raise ValueError(f"{name}={value!r}: expected an integer of {least} or above")
        for name in ("loss_threshold", "weight_threshold", "tol"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name}={value!r}: expected None or a number of 0 or above")

    @property
    def need_losses(self) -> bool:
        """Whether a rule looks at the loss of each epoch."""
        return self.loss_threshold is not None or self.tol is not None


class Watch:
    """Applies the rules that look at the losses, epoch by epoch."""

    def __init__(self, rules: StoppingRules):
        self._rules = rules
        self._best = np.inf
        self._idle = 0

    def first_stop(self, losses: NDArray[np.float64]) -> tuple[int, str] | None:
        """Return the first of these epochs to stop after, and why; None to go on."""
        rules = self._rules
        for epoch, loss in enumerate(losses.tolist()):
            if not np.isfinite(loss):
                return epoch, "diverged"
            if rules.loss_threshold is not None and loss < rules.loss_threshold:
                return epoch, "loss_threshold"
            if rules.tol is not None:
                self._idle = self._idle + 1 if loss > self._best - rules.tol else 0
                self._best = min(self._best, loss)
                if self._idle >= rules.n_iter_no_change:
                    return epoch, "tol"
        return None


@dataclass
class MLPTask:
    """One network in training: what the kernels need, and how far they have come."""

    kernels: Any
    net: Network
    optimizer: Optimizer
    params: NDArray
    moments: NDArray
    X: NDArray
    scale: float
    targets: NDArray
    batch_size: int
    shuffle: bool
    seed: int
    n_threads: int
    learning_rate_decay: float = 1.0
    distortion: ImageDistortion | None = None
    angles: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    step: int = 0
    epoch: int = 0
    seconds_per_step: float = field(default=0.0, init=False)
    threads: ThreadCount = field(init=False)

    def __post_init__(self):
        self.threads = ThreadCount(
            self.kernels.most_threads(self.net, self.batch_size, self.X, self.n_threads)
        )
        self.X = self.kernels.to_device(self.X)
        self.targets = self.kernels.to_device(self.targets)

    @property
    def n_samples(self) -> int:
        """Number of training samples."""
        return len(self.X)

    def save(self) -> tuple:
        """Return a copy of all that training changes."""
        return self.params.copy(), self.moments.copy(), self.step, self.epoch

    def restore(self, saved: tuple) -> None:
        """Go back to a saved state."""
        self.params[:], self.moments[:], self.step, self.epoch = saved

    @property
    def steps_per_epoch(self) -> int:
        """Number of mini-batches in an epoch."""
        return self._steps(self.n_samples)

    def epochs_per_call(self, n_networks: int = 1) -> int:
        """Return how many epochs fit in a call, which may train several networks like this one."""
        if self.distortion is not None or self.learning_rate_decay != 1:
            return 1
        most = max(1, MAX_ORDER // (self.n_samples * n_networks)) if self.shuffle else 2**31
        return max(1, min(most, self._steps_per_call() // self.steps_per_epoch))

    def run(self, n_epochs: int, progress: Any) -> NDArray[np.float64]:
        """Train for some epochs, in one call if they fit; return the loss of each."""
        order = sample_orders(self.n_samples, self.shuffle, self.seed, self.epoch, n_epochs)
        sums = np.zeros(n_epochs)
        X, rate = self.X, self.optimizer.learning_rate * self.learning_rate_decay**self.epoch
        if self.distortion is not None:
            X = self.kernels.distort_images(
                X, self.distortion, self.angles, self.seed, self.epoch, self.n_threads
            )
        given = (X, self.optimizer._replace(learning_rate=rate))
        if n_epochs > 1:
            self._call(*given, order, sums, n_epochs * self.steps_per_epoch, progress)
        else:
            start = 0
            while start < self.n_samples:
                size = self._steps_per_call() * self.batch_size
                left = self.n_samples - start
                size = left if left < 1.5 * size else size
                part = np.ascontiguousarray(order[:, start : start + size])
                self._call(*given, part, sums, self._steps(size), progress)
                start += size
        self.epoch += n_epochs
        sums /= self.n_samples
        return sums

    def _call(self, X, optimizer, order, sums, n_steps, progress) -> None:
        begin = time.perf_counter()
        work = self.kernels.mlp_train(
            *(self.net, optimizer, self.params, self.moments, X, self.scale),
            *(self.targets, order, self.batch_size, self.seed, self.step, sums, self.threads.now),
        )
        self.threads.measured(n_steps, work)
        self.step += n_steps
        self.seconds_per_step = max(1e-9, (time.perf_counter() - begin) / n_steps)
        progress.update(len(sums) * order.shape[1])

    def _steps(self, n_samples: int) -> int:
        return -(-n_samples // self.batch_size)

    def _steps_per_call(self) -> int:
        if self.seconds_per_step == 0:  # not measured yet; the first call may compile
            return max(1, min(16, FIRST_WORK // (self.net.n_parameters * self.batch_size)))
        return max(1, int(min(CALL_SECONDS, self.threads.seconds) / self.seconds_per_step))


@dataclass
class LinearTask:
    """A linear network in training by the delta rule."""

    kernels: Any
    X: NDArray
    targets: NDArray
    params: NDArray  # the weights, (n_inputs, n_outputs)
    learning_rate: float
    online: bool
    shuffle: bool
    seed: int
    epoch: int = 0
    seconds_per_epoch: float = field(default=0.0, init=False)

    @property
    def n_samples(self) -> int:
        """Number of training samples."""
        return len(self.X)

    def save(self) -> tuple:
        """Return a copy of all that training changes."""
        return self.params.copy(), self.epoch

    def restore(self, saved: tuple) -> None:
        """Go back to a saved state."""
        self.params[:], self.epoch = saved

    def epochs_per_call(self) -> int:
        """Return how many epochs fit in a call."""
        most = max(1, MAX_ORDER // self.n_samples) if self.shuffle else 2**31
        if self.seconds_per_epoch == 0:
            return 1
        return max(1, min(most, int(CALL_SECONDS / self.seconds_per_epoch)))

    def run(self, n_epochs: int, progress: Any) -> NDArray[np.float64]:
        """Train for some epochs; return the loss of each."""
        order = sample_orders(self.n_samples, self.shuffle, self.seed, self.epoch, n_epochs)
        losses = np.empty(n_epochs)
        begin = time.perf_counter()
        self.kernels.linear_train(
            self.X, self.targets, self.params, self.learning_rate, order, self.online, losses
        )
        self.seconds_per_epoch = max(1e-9, (time.perf_counter() - begin) / n_epochs)
        self.epoch += n_epochs
        progress.update(n_epochs * self.n_samples)
        return losses


def sample_orders(n: int, shuffle: bool, seed: int, epoch: int, n_epochs: int) -> NDArray[np.int64]:
    """Return the sample orders of some epochs, or one that serves all of them."""
    if shuffle:
        return random.shuffled(n, seed, epoch, n_epochs)
    return np.arange(n)[np.newaxis]


def train(
    task: MLPTask | LinearTask,
    rules: StoppingRules,
    verbose: bool = True,
    observer: Any = None,
) -> tuple[NDArray[np.float64], str]:
    """Train until a rule says stop or Ctrl-C is pressed; what was trained is kept.

    Parameters
    ----------
    observer : callbacks.Observer, optional
        Says after how many epochs it wants to look, and whether it wants to stop then.

    Returns
    -------
    losses : (n_epochs,)
        The loss of each complete epoch.
    reason : str
        "max_iter", "loss_threshold", "weight_threshold", "tol", "callback", "diverged" or
        "interrupted".
    """
    blocks: list[NDArray[np.float64]] = []
    n_epochs = 0
    watch = Watch(rules)
    reason = "max_iter"
    with progress_bar(rules.max_iter * task.n_samples, verbose) as progress:
        try:
            while n_epochs < rules.max_iter:
                n_left = rules.max_iter - n_epochs
                if observer is not None:
                    n_left = min(n_left, observer.epochs_left(task.epoch))
                losses, stop = _run_block(task, rules, watch, n_left, progress)
                blocks.append(losses)
                n_epochs += len(losses)
                progress.set_postfix(loss=f"{losses[-1]:.4g}", refresh=False)
                if observer is not None and observer.after(task, blocks) and stop is None:
                    stop = "callback"
                if stop is not None:
                    reason = stop
                    break
        except KeyboardInterrupt:
            reason = "interrupted"
            warnings.warn(
                f"training was interrupted after {n_epochs} epochs; the model keeps what it "
                "has learned",
                stacklevel=3,
            )
    if reason == "diverged":
        warnings.warn(
            f"training diverged: the loss of epoch {n_epochs} is not finite; "
            "try a lower learning rate",
            RuntimeWarning,
            stacklevel=3,
        )
    return np.concatenate([np.empty(0), *blocks]), reason


def _run_block(task, rules, watch, n_left, progress) -> tuple[NDArray[np.float64], str | None]:
    """Run some epochs; if a rule fires in their midst, go back and run just as many as it wants."""
    by_weights = rules.weight_threshold is not None
    n_epochs = 1 if by_weights else min(n_left, task.epochs_per_call())
    saved = task.save() if by_weights or (rules.need_losses and n_epochs > 1) else None
    losses = task.run(n_epochs, progress)
    stop = watch.first_stop(losses) if rules.need_losses or not np.isfinite(losses).all() else None
    if stop is not None:
        epoch, reason = stop
        if saved is not None and epoch + 1 < n_epochs:
            task.restore(saved)
            task.run(epoch + 1, progress)
        return losses[: epoch + 1], reason
    if by_weights and saved is not None:
        change = np.abs(task.params - saved[0]).max()
        if change < rules.weight_threshold:
            return losses, "weight_threshold"
    return losses, None


@contextmanager
def progress_bar(n_samples: int, verbose: bool) -> Iterator[Any]:
    """Show a bar on a terminal once the work has taken half a second; elsewhere nothing."""
    from tqdm import tqdm

    with tqdm(
        total=n_samples,
        unit="sample",
        unit_scale=True,
        disable=None if verbose else True,
        delay=0.5,
        leave=False,
    ) as progress:
        yield progress
