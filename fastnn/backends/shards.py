"""A batch in shards that several processes share, and in which order their gradients are added.

The order is that of a tree, whoever has which shards.

A node of the tree is a range of shards (first, end), cut in the middle as long as it has several.
A process adds what its own shards make up; of any cut into processes the sum is the same, bit by
bit.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Node = tuple[int, int]
Leaf = Callable[[int, NDArray], None]


class ShardSchedule(NamedTuple):
    """What a process has to do in an epoch whose batches are shared out among several.

    Each batch is cut into the same number of shards, whatever the number of processes.

    Attributes
    ----------
    shards : (int, int)
        Numbers of the own shards: from the first one to below the second.
    n_shards : int
        Of a batch, over all processes.
    orders : (n_samples_of_shard,) of int64, for each own shard
        Its samples, in the order of the epoch.
    rows : (int, int), for each own shard
        Which rows of a full batch are its own: the first one, and one more than the last.
    sizes : (n_steps,) of float64
        The weight of all samples of each batch, over all processes.
    seed : int
        Key of the dropout masks, 64 bits.
    learning_rate : float
    """

    shards: tuple[int, int]
    n_shards: int
    orders: Sequence[NDArray[np.int64]]
    rows: Sequence[tuple[int, int]]
    sizes: NDArray[np.float64]
    seed: int
    learning_rate: float

    def batches(self, step: int) -> list[NDArray[np.int64]]:
        """Return the samples of each own shard in a step of the epoch, counted from 0."""
        return [
            order[step * (end - first) : (step + 1) * (end - first)]
            for order, (first, end) in zip(self.orders, self.rows, strict=True)
        ]


def whole_nodes(node: Node, own: Node) -> list[Node]:
    """Return the largest nodes, from `node` down, whose shards are all in the range `own`."""
    (first, end), (own_first, own_end) = node, own
    if own_end <= first or end <= own_first:
        return []
    if own_first <= first and end <= own_end:
        return [node]
    return [found for half in _halves(node) for found in whole_nodes(half, own)]


def node_sum(node: Node, leaf: Leaf, free: list[NDArray], new: Callable[[], NDArray]) -> NDArray:
    """Return the sum of the shards of a node.

    Parameters
    ----------
    leaf : callable
        Takes the number of a shard and an array, and writes the shard's gradient to it.
    free : list of arrays
        Nobody needs them; what this function does not need any more is put there again.
    new : callable
        Makes one more.
    """
    first, end = node
    if end - first == 1:
        gradient = free.pop() if free else new()
        leaf(first, gradient)
        return gradient
    low, high = (node_sum(half, leaf, free, new) for half in _halves(node))
    np.add(low, high, out=low)
    free.append(high)
    return low


def total_of(node: Node, sums: dict[Node, NDArray]) -> NDArray:
    """Return the sum of a node from those of `whole_nodes`, in whose arrays it is formed."""
    if node in sums:
        return sums[node]
    low, high = (total_of(half, sums) for half in _halves(node))
    return np.add(low, high, out=low)


def _halves(node: Node) -> Iterable[Node]:
    first, end = node
    middle = (first + end) // 2
    return (first, middle), (middle, end)
