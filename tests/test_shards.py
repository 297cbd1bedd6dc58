"""Gradients of shards, added up as several processes do it: by threads, without MPI."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fastnn import backends, random
from fastnn.backends.codes import OPTIMIZERS, SOFTMAX, SPARSE_CATEGORICAL_CROSSENTROPY, TANH
from fastnn.backends.compressed import CompressedRows
from fastnn.backends.interface import (
    Network,
    Optimizer,
    Samples,
    Schedule,
    State,
)
from fastnn.backends.shards import ShardSchedule, node_sum, total_of, whole_nodes
from fastnn.mpi.plan import Plan, check_shards

NET = Network(
    (40, 9, 5, 3), (TANH, TANH, SOFTMAX), (0.25, 0.0, 0.0), SPARSE_CATEGORICAL_CROSSENTROPY
)


def table(rng, dtype, n=60, n_zeros=30):
    X = rng.normal(size=(n, NET.sizes[0])).astype(dtype)
    X[:, rng.permutation(NET.sizes[0])[:n_zeros]] = 0
    weights = rng.uniform(0.5, 2, n).astype(dtype)
    return Samples(X, 0.5, rng.integers(0, 3, (n, 1)).astype(dtype), weights)


def first_state(rng, dtype, optimizer):
    n_moments = OPTIMIZERS[optimizer.kind].n_moments
    params = rng.normal(size=NET.n_parameters).astype(dtype) / 3
    return State(params, np.zeros((n_moments, NET.n_parameters), dtype), 7)


def copied(state):
    return state._replace(params=state.params.copy(), moments=state.moments.copy())


def orders_of(plan, seed=3):
    return [
        plan.start(s) + random.shuffled_range(plan.start(s), plan.start(s + 1), seed, 0)
        for s in range(plan.n_shards)
    ]


def sizes_of(plan, orders, weights):
    schedule = schedule_of(plan, (0, plan.n_shards), orders, np.empty(0))
    n_steps = -(-plan.n_samples // plan.batch_size)
    return np.array(
        [sum(sum(weights[batch].tolist()) for batch in schedule.batches(t)) for t in range(n_steps)]
    )


def schedule_of(plan, own, orders, sizes):
    rows = [(plan.row(s), plan.row(s + 1)) for s in range(*own)]
    return ShardSchedule(own, plan.n_shards, orders[slice(*own)], rows, sizes, 11, 0.01)


def train_by_threads(kernels, optimizer, state, samples, plan, n_threads=1):
    """Return the states and losses of as many threads as the plan has ranks."""
    orders, barrier, given = orders_of(plan), threading.Barrier(plan.n_ranks), {}
    sizes = sizes_of(plan, orders, samples.weights)

    def train(rank):
        def add_up(sums, total):
            given[rank] = sums
            barrier.wait()
            everything = {
                node: array.copy() for own in given.values() for node, array in own.items()
            }
            barrier.wait()
            total[:] = total_of((0, plan.n_shards), everything)
            barrier.wait()

        own = copied(state)
        schedule = schedule_of(plan, plan.shards(rank), orders, sizes)
        losses = np.zeros(len(schedule.orders))
        kernels.mlp_train_shards(NET, optimizer, own, samples, schedule, losses, n_threads, add_up)
        return own, losses

    with ThreadPoolExecutor(plan.n_ranks) as pool:
        found = list(pool.map(train, range(plan.n_ranks)))
    return [own for own, _ in found], np.concatenate([losses for _, losses in found])


@pytest.mark.parametrize("n_shards", [1, 2, 5, 8, 13])
def test_the_sum_of_shards_does_not_depend_on_who_has_them(rng, n_shards):
    gradients = rng.normal(size=(n_shards, 7)).astype(np.float32)
    root, totals = (0, n_shards), []

    def leaf(shard, out):
        out[:] = gradients[shard]

    for n_ranks in (1, 2, 3, n_shards + 2):
        plan, sums, free = Plan(n_shards, n_shards, n_shards, n_ranks), {}, []
        for rank in range(n_ranks):
            for node in whole_nodes(root, plan.shards(rank)):
                sums[node] = node_sum(node, leaf, free, lambda: np.empty(7, np.float32))
        assert sorted(s for first, end in sums for s in range(first, end)) == [*range(n_shards)]
        totals.append(total_of(root, sums))
    assert np.allclose(totals[0], gradients.sum(axis=0), atol=1e-5)
    assert all(np.array_equal(total, totals[0]) for total in totals)


@pytest.mark.parametrize("plan", [(60, 12, 4), (61, 20, 3), (9, 4, 4), (100, 100, 7), (23, 6, 5)])
def test_batches_have_their_size_and_an_epoch_each_sample_once(plan):
    plan = Plan(*plan, n_ranks=3)
    orders = orders_of(plan)
    schedule = schedule_of(plan, (0, plan.n_shards), orders, np.empty(0))
    n_steps = -(-plan.n_samples // plan.batch_size)
    steps = [np.concatenate(schedule.batches(step)) for step in range(n_steps)]
    assert [len(step) for step in steps[:-1]] == [plan.batch_size] * (n_steps - 1)
    assert sorted(np.concatenate(steps)) == [*range(plan.n_samples)]
    assert plan.bounds()[-1] == plan.n_samples
    for rank in range(3):
        assert [b - a for a, b in plan.places(rank)] == [
            len(orders[shard]) for shard in range(*plan.shards(rank))
        ]


def test_number_of_shards():
    sizes = (1, 3, 32, 128, 1024, 1500, 8192, 10**6)
    assert [check_shards(None, size) for size in sizes] == [1, 3, 4, 4, 8, 8, 64, 64]
    assert check_shards(5, 5) == 5
    for wrong in (0, 6, 2.5):
        with pytest.raises(ValueError, match="n_shards="):
            check_shards(wrong, 5)


def test_the_order_of_some_samples_is_that_of_all():
    everything = random.shuffled(1001, 5, 3)[0]
    assert np.array_equal(random.shuffled_range(0, 1001, 5, 3), everything)
    for first, end in ((0, 400), (401, 1001), (333, 334), (7, 7)):
        part = everything[(first <= everything) & (everything < end)] - first
        assert np.array_equal(random.shuffled_range(first, end, 5, 3), part)


@pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_single_shard_is_the_batch(backend, rng, row, dtype):
    """Bit by bit what `mlp_train` makes of it, dropout, weights, penalties and all."""
    optimizer = Optimizer(row.code, alpha=0.1, l1=0.01, max_norm=1.5)
    samples, state = table(rng, dtype, 23), first_state(rng, dtype, optimizer)
    plan, kernels, expected = Plan(23, 10, 1, 1), backends.kernels(), copied(state)
    schedule = Schedule(random.shuffled(23, 3, 0), 10, 11, np.array([0.01]))
    losses = np.zeros(1)
    kernels.mlp_train(NET, optimizer, expected, samples, schedule, losses, 1)
    (found,), found_losses = train_by_threads(kernels, optimizer, state, samples, plan)
    assert not np.array_equal(found.params, state.params)
    assert np.array_equal(found.params, expected.params)
    assert np.array_equal(found.moments, expected.moments)
    assert found_losses[0] == losses[0]


@pytest.mark.parametrize("n_threads", [2, 3])
@pytest.mark.parametrize("n_zeros", [0, 30])
def test_shards_do_not_depend_on_threads(compiled, rng, monkeypatch, n_zeros, n_threads):
    monkeypatch.setattr("fastnn.backends.cpu.panels.WORK_PER_THREAD", 1)
    monkeypatch.setattr("fastnn.backends.cpu.panels.available_processors", lambda: 8)
    optimizer, plan = Optimizer(2, alpha=0.1, max_norm=1.0), Plan(60, 20, 3, 1)
    samples, state = (
        table(rng, np.float32, n_zeros=n_zeros),
        first_state(rng, np.float32, optimizer),
    )
    samples = compiled.to_device(samples)
    (one,), losses = train_by_threads(compiled, optimizer, state, samples, plan)
    (other,), others = train_by_threads(compiled, optimizer, state, samples, plan, n_threads)
    assert np.array_equal(one.params, other.params)
    assert np.array_equal(losses, others)


@pytest.mark.parametrize("n_zeros", [0, 30])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_shards_make_the_batch_whoever_has_them(backend, rng, dtype, n_zeros):
    kernels, optimizer = backends.kernels(), Optimizer(2, alpha=0.1)
    samples, state = table(rng, dtype, n_zeros=n_zeros), first_state(rng, dtype, optimizer)
    samples = kernels.to_device(samples)
    if backend in ("cython", "numba"):
        assert isinstance(samples.X, CompressedRows) == (n_zeros > 0)
    plans = [Plan(60, 20, 6, n_ranks) for n_ranks in (1, 2, 3, 4, 7)]
    found = [train_by_threads(kernels, optimizer, state, samples, plan) for plan in plans]
    first, losses = found[0][0][0], found[0][1]
    for states, others in found:
        assert all(np.array_equal(own.params, first.params) for own in states)
        assert all(np.array_equal(own.moments, first.moments) for own in states)
        assert np.array_equal(others, losses)
    orders = schedule_of(plans[0], (0, 6), orders_of(plans[0]), np.empty(0))
    order = np.concatenate([batch for step in range(3) for batch in orders.batches(step)])
    expected, sums = copied(state), np.zeros(1)
    schedule = Schedule(order[np.newaxis], 20, 11, np.array([0.01]))
    kernels.mlp_train(NET, optimizer, expected, samples, schedule, sums, 1)
    tolerance = 1e-12 if dtype == np.float64 else 1e-5
    assert np.allclose(first.params, expected.params, rtol=tolerance, atol=tolerance)
    assert np.allclose(losses.sum(), sums[0], rtol=tolerance)


def test_a_batch_without_weight_makes_no_step(backend, rng):
    kernels, optimizer = backends.kernels(), Optimizer(2)
    samples, state = table(rng, np.float64, 20), first_state(rng, np.float64, optimizer)
    plan = Plan(20, 10, 2, 2)
    weights = np.zeros(20)
    first_batches = [order[:5] for order in orders_of(plan)]
    weights[np.concatenate(first_batches)] = 1  # of the second batch, none counts
    samples, few = samples._replace(weights=weights), copied(state)
    states, _ = train_by_threads(kernels, optimizer, state, samples, plan)
    schedule = Schedule(np.concatenate(first_batches)[np.newaxis], 10, 11, np.array([0.01]))
    kernels.mlp_train(NET, optimizer, few, samples, schedule, np.zeros(1), 1)
    assert all(np.allclose(own.params, few.params, rtol=1e-12) for own in states)
