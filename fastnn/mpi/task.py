"""A network in training on several ranks: each computes the gradients of its own shards."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .. import random
from ..backends.compressed import CompressedRows
from ..backends.interface import Samples
from ..backends.shards import ShardSchedule
from ..sparse import canonical_csr, compressed_rows
from ..training import MLPTask
from .plan import Plan, spread
from .ranks import Ranks


@dataclass
class RankTask(MLPTask):
    """One network, of which every rank has the whole, and the samples of its own shards.

    Attributes
    ----------
    ranks : Ranks
    plan : Plan
    """

    ranks: Any = None
    plan: Any = None

    @classmethod
    def of(cls, task: MLPTask, samples: Samples, ranks: Ranks, plan: Plan) -> "RankTask":
        """Return a task of all ranks; `samples` are those that this one was given."""
        own = {field.name: getattr(task, field.name) for field in fields(task) if field.init}
        own["samples"], own["batch_size"] = spread(ranks, samples, plan), plan.batch_size
        return cls(**own, ranks=ranks, plan=plan)

    def __post_init__(self):
        self.n_threads = min(self.n_threads, self.ranks.processors_each())
        self._add_up = self.ranks.adder(self.plan.n_shards, self.plan.shards)
        self.rates.n_samples = self.plan.n_samples
        weights, self.total_weight = self.samples.weights, float(self.plan.n_samples)
        if weights is not None:
            parts = self.plan.places(self.ranks.number)
            own = [weights[first:end].sum(dtype=np.float64) for first, end in parts]
            self.total_weight = float(self._over_shards(np.array(own)))

    @property
    def n_samples(self) -> int:
        """Number of training samples, of all ranks."""
        return self.plan.n_samples

    def send(self) -> None:
        """Hand the samples to the back end: compressed on all ranks, or on none."""
        self.samples = send(self.kernels, self.samples, self.n_threads, self.ranks, self.plan)

    def epochs_per_call(self) -> int:
        """Return 1: how long an epoch takes differs from rank to rank."""
        return 1

    def run(self, n_epochs: int, progress: Any) -> NDArray[np.float64]:
        """Train for the one epoch of a call; return its loss."""
        state, plan, me = self.begin_call(), self.plan, self.ranks.number
        shards = plan.shards(me)
        orders = [self._order(shard) for shard in range(*shards)]
        rate = self.rates.of(self.learning_rate, state.epoch, 1)[0]
        rows = [(plan.row(shard), plan.row(shard + 1)) for shard in range(*shards)]
        schedule = ShardSchedule(
            shards, plan.n_shards, orders, rows, np.empty(0), self.seed, float(rate)
        )
        schedule = schedule._replace(sizes=self._sizes(schedule))

        losses, n_left = np.zeros(len(orders)), self.n_samples

        def add_up(sums: Any, total: NDArray) -> None:
            nonlocal n_left
            self._add_up(sums, total)
            progress.update(min(self.batch_size, n_left))
            n_left -= self.batch_size

        self.kernels.mlp_train_shards(
            self.net,
            self.optimizer,
            state,
            self.samples,
            schedule,
            losses,
            self.n_threads,
            add_up,
        )
        return self.end_call(state, self._over_shards(losses)[np.newaxis])

    def _order(self, shard: int) -> NDArray[np.int64]:
        """Return the samples of an own shard in the order of the next epoch."""
        first, end = self.plan.start(shard), self.plan.start(shard + 1)
        begin = first - self.plan.start(self.plan.shards(self.ranks.number)[0])
        if not self.is_shuffled:
            return np.arange(begin, begin + end - first)
        return begin + random.shuffled_range(first, end, self.seed, self.state.epoch)

    def _sizes(self, schedule: ShardSchedule) -> NDArray[np.float64]:
        """Return the weight of each batch, over all ranks."""
        n_steps, weights = self.steps_per_epoch, self.samples.weights
        if weights is None:
            sizes = np.full(n_steps, float(self.batch_size))
            sizes[-1] = self.n_samples - (n_steps - 1) * self.batch_size
            return sizes
        own = np.zeros((len(schedule.orders), n_steps))
        for sizes, order, (first, end) in zip(own, schedule.orders, schedule.rows, strict=True):
            of_rows = np.zeros(n_steps * (end - first))
            of_rows[: len(order)] = weights[order]
            # One after the other, as back ends sum them
            sizes[:] = of_rows.reshape(n_steps, end - first).cumsum(axis=1)[:, -1]
        return self._over_shards(own)

    def _over_shards(self, own: NDArray[np.float64]) -> Any:
        """Return the sum over the shards of all ranks, in their order."""
        return sum(value for values in self.ranks.gather(own) for value in values)


def send(kernels: Any, samples: Samples, n_threads: int, ranks: Ranks, plan: Plan) -> Samples:
    """Hand samples to a back end: those of the first shard say whether compressed or not.

    So the arithmetic, which is another then, does not depend on who has which samples.
    """
    if isinstance(samples.X, CompressedRows):
        return kernels.to_device(samples, n_threads)
    first: bool | None = None
    if plan.shards(ranks.number)[0] == 0 and len(samples.X):
        first = isinstance(
            kernels.to_device(samples._replace(X=samples.X[: plan.start(1)])).X, CompressedRows
        )
    is_compressed = next(told for told in ranks.gather(first) if told is not None)
    sent = kernels.to_device(samples, n_threads, compress=is_compressed)
    if is_compressed and not isinstance(sent.X, CompressedRows):
        sent = sent._replace(X=compressed_rows(canonical_csr(csr_array(sent.X))))
    return sent
