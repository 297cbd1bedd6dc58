"""Multi-layer perceptrons on the GPU: what the kernels of small and large networks are given."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..interface import Network, Optimizer, Samples, Schedule, State
from ..shared import loss_gradient
from .calls import (
    few_blocks,
    gpu,
    is_compressed,
    launch_together,
    on_device,
    real_type,
    rows_of,
    table_on_device,
)

FORWARD_ROWS = 1024  # samples at once where nothing is learned
FORWARD_INPUTS = 2**26  # numbers of theirs at once
# Multiply-adds of a step up to which a block trains a network alone: an estimate of what the
# barriers of all blocks would cost. Not yet measured on a GPU.
SMALL_STEP = 100_000


def mlp_forward(
    net: Network, params, samples: Samples, all_layers: bool, n_threads: int
) -> list[NDArray]:
    """Return layer outputs; see `interface.Kernels`."""
    n, wanted = len(samples.X), range(1 if all_layers else len(net.sizes) - 1, len(net.sizes))
    found = {layer: np.empty((n, net.sizes[layer]), params.dtype) for layer in wanted}
    # The kernel computes a loss as well, of targets that it gets for nothing.
    targets = np.zeros((_rows_at_once(net, n), net.n_targets), params.dtype)
    untargeted = samples._replace(targets=None, weights=None)
    for first, rows, buffer, table, _ in _blocks(net, params, untargeted, targets):
        for layer, outputs in found.items():
            outputs[first : first + rows] = _outputs(net, buffer, table, rows, layer)
    return list(found.values())


def _outputs(net: Network, buffer, table, rows: int, layer: int) -> NDArray:
    """Return a layer's outputs, (rows, n_units), from a kernel's buffer."""
    from .device import OUTPUTS

    start, units = table[layer, OUTPUTS], net.sizes[layer]
    return buffer[start : start + rows * units].copy_to_host().reshape(rows, units)


def mlp_evaluate(
    net: Network, params, samples: Samples, n_threads: int, outputs=None
) -> tuple[float, float]:
    """Return loss and right answers over a data set; see `interface.Kernels`."""
    loss, n_right, last = 0.0, 0.0, len(net.sizes) - 1
    for first, rows, buffer, table, right in _blocks(net, params, samples, None):
        if outputs is not None:
            outputs[first : first + rows] = _outputs(net, buffer, table, rows, last)
        loss += float(buffer[len(buffer) - rows :].copy_to_host().sum(dtype=np.float64))
        n_right += float(right.copy_to_host().sum(dtype=np.float64))
    return loss / samples.total_weight, n_right


def _blocks(net: Network, params, samples: Samples, no_targets):
    """Run the network on some samples at a time; yield where they are, and the results.

    `no_targets` stand in where there are none.
    """
    from .device import layout
    from .large import large_kernels, most_blocks, reach_for

    n, dtype, compressed = len(samples.X), params.dtype, is_compressed(samples.X)
    most = _rows_at_once(net, n)
    reach = reach_for(net, most)
    with gpu() as cuda:
        if compressed:  # as a whole: it is small, and its rows share arrays
            samples = samples._replace(X=on_device(cuda, samples.X))
        kernel = large_kernels(real_type(dtype), reach, compressed).apply
        w = cuda.to_device(params)
        for first in range(0, n, most):
            rows = min(most, n - first)
            part = _rows(samples, first, first + rows, no_targets)
            table, n_buffer = layout(net, rows)
            buffer, right = cuda.device_array(n_buffer, dtype), cuda.device_array(rows, dtype)
            arguments = (
                w,
                buffer,
                cuda.to_device(table),
                cuda.to_device(np.array(net.formula_parameters, dtype)),
                net.loss,
                *_data(cuda, part, dtype),
                cuda.to_device(np.arange(rows)),
                dtype.type(net.threshold),
                right,
            )
            launch_together(kernel, most_blocks(net, rows, reach), arguments)
            yield first, rows, buffer, table, right


def _rows_at_once(net: Network, n: int) -> int:
    """Return how many of n samples go through the network at once."""
    return max(1, min(FORWARD_ROWS, n, FORWARD_INPUTS // net.sizes[0]))


def mlp_loss_gradient(
    net: Network, params, samples: Samples, optimizer: Optimizer, seed: int, step: int
) -> tuple[float, NDArray]:
    """Return the loss of one batch and its gradient; see `interface.Kernels`."""
    return loss_gradient(mlp_train, net, params, samples, optimizer, seed, step)


def mlp_train(
    net: Network,
    optimizer: Optimizer,
    state: State,
    samples: Samples,
    schedule: Schedule,
    loss_sums,
    n_threads: int,
) -> None:
    """Train by mini-batch back-propagation; see `interface.Kernels`."""
    batch = min(schedule.batch_size, schedule.order.shape[1])
    is_small, one = net.n_parameters * batch <= SMALL_STEP, ([net], [optimizer], [state])
    if is_small and _train_blocks(*one, samples, [schedule], [loss_sums]):
        return
    from .device import layout
    from .large import large_kernels, most_blocks, reach_for

    dtype, reach = state.params.dtype, reach_for(net, batch)
    table, n_buffer = layout(net, batch)
    with gpu() as cuda:
        w, sums = cuda.to_device(state.params), cuda.to_device(loss_sums)
        moments = [cuda.to_device(moment) for moment in state.moments]
        arguments = (
            *_state(w, moments),
            cuda.device_array(n_buffer, dtype),
            cuda.to_device(table),
            cuda.to_device(np.array(net.formula_parameters, dtype)),
            net.loss,
            *_data(cuda, samples, dtype),
            cuda.to_device(schedule.order.reshape(-1)),
            schedule.order.shape[1],
            batch,
            np.uint64(schedule.seed),
            cuda.to_device(schedule.learning_rates),
            optimizer.kind,
            cuda.to_device(np.array(optimizer[1:], np.float64)),
            state.step,
            sums,
        )
        kernel = large_kernels(real_type(dtype), reach, is_compressed(samples.X)).train
        launch_together(kernel, most_blocks(net, batch, reach), arguments)
        state.params[:] = w.copy_to_host()
        loss_sums[:] = sums.copy_to_host()
        for moment, values in zip(state.moments, moments, strict=True):
            moment[:] = values.copy_to_host()


def mlp_train_many(
    networks: Sequence[Network],
    optimizers: Sequence[Optimizer],
    states: Sequence[State],
    samples: Samples,
    schedules: Sequence[Schedule],
    loss_sums,
    n_threads: int,
    side_by_side: bool = True,
) -> None:
    """Train several networks; see `interface.Kernels`."""
    for sums in loss_sums:
        sums[:] = 0
    if _train_blocks(networks, optimizers, states, samples, schedules, loss_sums):
        return
    own = zip(networks, optimizers, states, schedules, loss_sums, strict=True)
    for net, optimizer, state, schedule, sums in own:
        mlp_train(net, optimizer, state, samples, schedule, sums, n_threads)


def _train_blocks(networks, optimizers, states, samples: Samples, schedules, loss_sums) -> bool:
    """Train each network in a block of its own; return False if they are too large for that."""
    from .device import layout
    from .small import plan, small_kernels

    n_networks, dtype = len(networks), states[0].params.dtype
    batch = min(schedules[0].batch_size, max(own.order.shape[1] for own in schedules))
    n_moments = len(states[0].moments)
    room = plan(networks[0], batch, n_moments, dtype.itemsize, n_networks)
    if room is None:
        return False
    orders, places = _orders(schedules)
    tables = np.stack([layout(net, batch)[0] for net in networks])
    with gpu() as cuda, few_blocks():
        kernels = small_kernels(real_type(dtype), is_compressed(samples.X))
        kernel = kernels.in_shared if room.n_state else kernels.in_global
        w = cuda.to_device(np.stack([own.params for own in states]))
        sums = cuda.to_device(np.stack(loss_sums))
        moments = [
            cuda.to_device(np.stack([own.moments[i] for own in states])) for i in range(n_moments)
        ]
        kernel[n_networks, room.threads, 0, room.n_shared * dtype.itemsize](
            *_state(w, moments),
            n_moments,
            room.n_buffer,
            cuda.to_device(tables),
            cuda.to_device(np.array([net.formula_parameters for net in networks], dtype)),
            networks[0].loss,
            *_data(cuda, samples, dtype),
            cuda.to_device(orders),
            cuda.to_device(places),
            batch,
            cuda.to_device(np.array([own.seed for own in schedules], np.uint64)),
            cuda.to_device(np.stack([own.learning_rates for own in schedules])),
            optimizers[0].kind,
            cuda.to_device(np.array([own[1:] for own in optimizers], np.float64)),
            cuda.to_device(np.array([own.step for own in states], np.int64)),
            sums,
        )
        for own, found in zip(loss_sums, sums.copy_to_host(), strict=True):
            own[:] = found
        for state, params in zip(states, w.copy_to_host(), strict=True):
            state.params[:] = params
        for i, values in enumerate(moments):
            for state, moment in zip(states, values.copy_to_host(), strict=True):
                state.moments[i] = moment
    return True


def _orders(schedules: Sequence[Schedule]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all orders in one row, and where each network's begins and ends, and its length.

    Networks that have the same array share it.
    """
    starts: dict[int, int] = {}
    orders, places, end = [], np.empty((len(schedules), 3), np.int64), 0
    for place, schedule in zip(places, schedules, strict=True):
        order = schedule.order
        if id(order) not in starts:
            starts[id(order)] = end
            orders.append(order.reshape(-1))
            end += order.size
        start = starts[id(order)]
        place[:] = start, start + order.size, order.shape[1]
    return np.concatenate(orders), places


# What several kernels take, in their order of arguments.


def _state(w: Any, moments: list) -> tuple:
    """Return the parameters and two moments on the device; the parameters stand for none."""
    return w, moments[0] if moments else w, moments[1] if len(moments) > 1 else w


def _data(cuda: Any, samples: Samples, dtype: np.dtype) -> tuple:
    """Return the samples on the device; their weights are an empty array if all count 1."""
    X, scale, targets, weights = samples
    return (
        table_on_device(cuda, X),
        dtype.type(scale),
        on_device(cuda, targets),
        on_device(cuda, np.empty(0, dtype) if weights is None else weights),
    )


def _rows(samples: Samples, first: int, end: int, no_targets: Any) -> Samples:
    """Return some of the samples; `no_targets` stand in where there are none."""
    X, scale, targets, weights = samples
    targets = no_targets[: end - first] if targets is None else targets[first:end]
    X = rows_of(X, first, end)
    return Samples(X, scale, targets, None if weights is None else weights[first:end])
