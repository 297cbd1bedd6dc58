"""The loop over epochs and steps of the CUDA kernels: one for small networks and for large ones."""

from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import cuda

from ..codes import ADAMW, ADAMW_KERAS, NADAM
from .device import START, UNITS, add_losses, count_of, finish_rows
from .formulas import (
    ALPHA,
    BETA_1,
    BETA_2,
    L1,
    MAX_NORM,
    WEIGHT_DECAY,
    Step,
    limit_norms,
    momentum_of_step,
    product_of_momenta,
    real,
    step_sizes,
)


@cuda.jit(device=True)
def step_of(optimizer, numbers, rate, n, product, count, like):
    """Return the `Step` of number n, counted from 1, its numbers in the type of `like`."""
    size, gradient_size, epsilon = step_sizes(optimizer, numbers, rate, n, product)
    return Step(
        optimizer,
        real(like, size),
        real(like, gradient_size),
        real(like, rate * numbers[WEIGHT_DECAY] if optimizer in (ADAMW, ADAMW_KERAS) else 0.0),
        real(like, numbers[BETA_1]),
        real(like, numbers[BETA_2]),
        real(like, epsilon),
        real(like, numbers[ALPHA]),
        real(like, numbers[L1]),
        real(like, numbers[MAX_NORM]),
        real(like, count),
    )


def make_train(phases: SimpleNamespace) -> Any:
    """Return a device function that trains a network.

    Parameters
    ----------
    phases : namespace of device functions
        `load`, `forward`, `backward` and `update` share a phase of a step out to the threads;
        `meet` lets these wait for each other; `identify` returns a thread's number, and how many
        there are. All take a `scope` first, which is theirs alone.
    """
    load, forward, backward = phases.load, phases.forward, phases.backward
    update, meet, identify = phases.update, phases.meet, phases.identify

    @cuda.jit(device=True)
    def train_batch(scope, state, layers, samples, order, first, rows, step, key, n, sums, epoch):
        """Make one step after n others; the threads meet where one needs what others computed."""
        table = layers.table
        last = table.shape[0] - 1
        thread, n_threads = identify(scope)
        load(scope, layers.buffer, samples, order, first, rows)
        meet(scope)
        for layer in range(1, last + 1):
            forward(scope, state.w, layers, layer, rows, True, key, n)
            meet(scope)
        finish_rows(layers, samples, order, first, rows, thread, n_threads)
        meet(scope)
        if thread == n_threads - 1:  # the one with the least to do
            add_losses(layers, rows, sums, epoch)
        for layer in range(last, 1, -1):
            backward(scope, state.w, layers, layer, rows)
            meet(scope)
        for layer in range(1, last + 1):
            update(scope, state, layers, layer, rows, step)
        meet(scope)
        if step.max_norm > 0:
            for layer in range(1, last + 1):
                n_in, start = table[layer - 1, UNITS], table[layer, START]
                limit_norms(
                    state.w, start, n_in, table[layer, UNITS], step.max_norm, thread, n_threads
                )
            meet(scope)

    @cuda.jit(device=True)
    def train(scope, state, layers, samples, schedule, optimizer, numbers, n, sums):
        """Train one network for sums.shape[0] epochs, after n steps."""
        order, m, batch, key, learning_rates = schedule
        product = 1.0
        if optimizer == NADAM:
            product = product_of_momenta(numbers[BETA_1], n)
        for epoch in range(sums.shape[0]):
            start = epoch * m % order.shape[0]
            end = start + m
            for first in range(start, end, batch):
                rows = min(batch, end - first)
                count = count_of(samples, order, first, rows)
                if optimizer == NADAM:
                    product *= momentum_of_step(numbers[BETA_1], n + 1)
                if count > 0:  # or none of its samples does
                    step = step_of(
                        optimizer, numbers, learning_rates[epoch], n + 1, product, count,
                        samples.scale,
                    )  # fmt: skip
                    train_batch(
                        scope, state, layers, samples, order, first, rows, step, key,
                        np.uint64(n), sums, epoch,
                    )  # fmt: skip
                n += 1

    return train
