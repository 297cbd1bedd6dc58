"""Time per sample against the number of hidden units and against the batch size."""

from dataclasses import replace

import pytest

from .workloads import WORKLOADS

PEERS = ("python", "cython", "numba", "numba-cuda", "numpy", "sklearn")
PEERS += ("keras", "tf-xla", "pytorch", "jax")
HIDDEN = (8, 32, 128, 512, 2048)
BATCHES = (1, 8, 32, 128, 1024)
MNIST = replace(WORKLOADS["mnist-32"], dropout=0.0)


def samples(peer, quick, cost):
    """Return how many samples a run takes; `cost` is what one costs, 1 for 128 hidden units."""
    if peer == "python":
        return max(10, int(32 / cost))
    if quick:
        return 64
    return int(min(4096, max(512, 4096 / cost)))


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("hidden", HIDDEN)
def test_hidden_units(measure, quick, hidden, peer):
    if quick and hidden != 32:
        pytest.skip("not in a quick run")
    n = samples(peer, quick, hidden / 128)
    workload = replace(MNIST, name=f"hidden-{hidden}", sizes=(784, hidden, 10), samples=n)
    measure(workload, peer, f"hidden units {hidden:4}", scaling="hidden units", value=hidden)


@pytest.mark.parametrize("peer", PEERS)
@pytest.mark.parametrize("batch", BATCHES)
def test_batch_size(measure, quick, batch, peer):
    if quick and batch != 1024:
        pytest.skip("not in a quick run")
    slow = batch < 8 and peer in ("keras", "sklearn", "numpy", "pytorch")
    n = samples(peer, quick, 8 if slow else 1)
    workload = replace(MNIST, name=f"batch-{batch}", sizes=(784, 128, 10), batch_size=batch)
    workload = replace(workload, samples=max(n, batch) if peer != "python" else n)
    measure(workload, peer, f"batch size {batch:4}", scaling="batch size", value=batch)
