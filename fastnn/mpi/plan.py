"""Who computes what of a batch: shards of it, each from a range of the samples of all ranks."""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.compressed import CompressedRows
from ..backends.interface import Samples
from ..parameters import check_integer
from .ranks import Ranks

SHARD_ROWS = 128  # of a gradient that is sooner computed than added to another
LEAST_SHARDS, MOST_SHARDS = 4, 64


class Plan(NamedTuple):
    """How batches are cut, and their shards shared out.

    The samples are numbered over all ranks in their order. Of each full batch of size B, shard s
    of S has the rows B s // S to below B (s + 1) // S, and takes their samples from a range of
    that length's share in all numbers. So nothing but who computes a shard depends on the ranks.

    Attributes
    ----------
    n_samples : int
        Of all ranks.
    batch_size, n_shards, n_ranks : int
    """

    n_samples: int
    batch_size: int
    n_shards: int
    n_ranks: int

    def row(self, shard: int) -> int:
        """Return a shard's first row in a batch."""
        return self.batch_size * shard // self.n_shards

    def start(self, shard: int) -> int:
        """Return the number of a shard's first sample."""
        return self.n_samples * self.row(shard) // self.batch_size

    def shards(self, rank: int) -> tuple[int, int]:
        """Return the shards of a rank: from the first to below the second."""
        n, m = self.n_shards, self.n_ranks
        return n * rank // m, n * (rank + 1) // m

    def bounds(self) -> list[int]:
        """Return where each rank's samples begin, and where the last one's end."""
        starts = [self.start(self.shards(rank)[0]) for rank in range(self.n_ranks)]
        return [*starts, self.n_samples]

    def places(self, rank: int) -> list[tuple[int, int]]:
        """Return where, among the samples of a rank, each of its shards has its own."""
        first, end = self.shards(rank)
        starts = [self.start(shard) - self.start(first) for shard in range(first, end + 1)]
        return list(pairwise(starts))


def check_shards(n_shards: Any, batch_size: int) -> int:
    """Return the number of shards of a batch, for None one that goes with its size.

    Raises
    ------
    ValueError
        If it is no number from 1 to the batch size.
    """
    if n_shards is None:
        n = max(1, batch_size // SHARD_ROWS)
        n = min(max(2 ** (n.bit_length() - 1), LEAST_SHARDS), MOST_SHARDS)
        return min(n, batch_size)
    n = check_integer("n_shards", n_shards, 1)
    if n > batch_size:
        raise ValueError(f"n_shards={n}: expected at most one for each of {batch_size} samples")
    return n


def spread(ranks: Ranks, samples: Samples, plan: Plan) -> Samples:
    """Return the samples of this rank's shards, given those that it has: some change place."""
    X, scale, targets, weights = samples
    counts, want = ranks.gather(len(X)), plan.bounds()
    have = [0, *np.cumsum(counts).tolist()]
    X = (
        _move_rows(ranks, X, have, want)
        if isinstance(X, CompressedRows)
        else (ranks.move(X, have, want))
    )
    targets = ranks.move(targets, have, want)
    weights = None if weights is None else ranks.move(weights, have, want)
    return Samples(X, scale, targets, weights)


def _move_rows(ranks: Ranks, X: CompressedRows, have: list[int], want: list[int]) -> CompressedRows:
    """Do what `Ranks.move` does."""
    lengths = ranks.move(np.diff(X.starts), have, want)
    n_values = ranks.gather(int(X.starts[-1] - X.starts[0]))
    have_values = [0, *np.cumsum(n_values).tolist()]
    first, end = have[ranks.number : ranks.number + 2]
    known = {
        row: have_values[ranks.number] + int(X.starts[row - first])
        for row in want
        if first <= row <= end
    }
    of_all: dict[int, int] = {}
    for told in ranks.gather(known):
        of_all |= told
    want_values = [of_all[row] for row in want]
    starts: NDArray[np.int64] = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    values, columns = (ranks.move(a, have_values, want_values) for a in (X.values, X.columns))
    return CompressedRows(values, columns, starts, (len(lengths), X.shape[1]))
