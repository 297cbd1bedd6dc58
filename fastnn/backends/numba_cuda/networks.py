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
                *_data(cuda, net, part, dtype),
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
    if net.n_parameters * batch <= SMALL_STEP:
        one = State(state.params[np.newaxis], state.moments[np.newaxis], state.step)
        if _train_blocks(net, optimizer, one, samples, [schedule], loss_sums[np.newaxis]):
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
            *_data(cuda, net, samples, dtype),
            cuda.to_device(schedule.order),
            batch,
            np.uint64(schedule.seed),
            cuda.to_device(schedule.learning_rates),
            *_rule(cuda, optimizer),
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
    net: Network,
    optimizer: Optimizer,
    state: State,
    samples: Samples,
    schedules: Sequence[Schedule],
    loss_sums,
    n_threads: int,
) -> None:
    """Train several networks; see `interface.Kernels`."""
    if _train_blocks(net, optimizer, state, samples, schedules, loss_sums):
        return
    for i, schedule in enumerate(schedules):
        own = state._replace(params=state.params[i], moments=state.moments[i])
        mlp_train(net, optimizer, own, samples, schedule, loss_sums[i], n_threads)


def _train_blocks(
    net: Network, optimizer: Optimizer, state: State, samples: Samples, schedules, loss_sums
) -> bool:
    """Train each network in a block of its own; return False if it is too large for that."""
    from .small import plan, small_kernels

    order, batch_size, *_ = schedules[0]
    batch = min(batch_size, order.shape[1])
    params, dtype, n_moments = state.params, state.params.dtype, state.moments.shape[1]
    layout = plan(net, batch, n_moments, params.itemsize, len(params))
    if layout is None:
        return False
    shared = all(schedule.order is order for schedule in schedules)
    orders = order[np.newaxis] if shared else np.stack([s.order for s in schedules])
    with gpu() as cuda, few_blocks():
        kernels = small_kernels(real_type(dtype), is_compressed(samples.X))
        kernel = kernels.in_shared if layout.n_state else kernels.in_global
        w, sums = cuda.to_device(params), cuda.to_device(loss_sums)
        moments = [
            cuda.to_device(np.ascontiguousarray(state.moments[:, i])) for i in range(n_moments)
        ]
        kernel[len(params), layout.threads, 0, layout.n_shared * params.itemsize](
            *_state(w, moments),
            n_moments,
            layout.n_buffer,
            cuda.to_device(layout.table),
            *_data(cuda, net, samples, dtype),
            cuda.to_device(orders),
            batch,
            cuda.to_device(np.array([s.seed for s in schedules], np.uint64)),
            cuda.to_device(np.stack([s.learning_rates for s in schedules])),
            *_rule(cuda, optimizer),
            state.step,
            sums,
        )
        params[:] = w.copy_to_host()
        loss_sums[:] = sums.copy_to_host()
        for i, values in enumerate(moments):
            state.moments[:, i] = values.copy_to_host()
    return True


# What several kernels take, in their order of arguments.


def _state(w: Any, moments: list) -> tuple:
    """Return the parameters and two moments on the device; the parameters stand for none."""
    return w, moments[0] if moments else w, moments[1] if len(moments) > 1 else w


def _data(cuda: Any, net: Network, samples: Samples, dtype: np.dtype) -> tuple:
    """Return the formulas' parameters, the loss, and the samples on the device.

    Their weights are an empty array if all count 1.
    """
    X, scale, targets, weights = samples
    return (
        cuda.to_device(np.array(net.formula_parameters, dtype)),
        net.loss,
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


def _rule(cuda: Any, optimizer: Optimizer) -> tuple:
    """Return the optimizer's code, and its constants on the device."""
    return optimizer.kind, cuda.to_device(np.array(optimizer[1:], np.float64))
