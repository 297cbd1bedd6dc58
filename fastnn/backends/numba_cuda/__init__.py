"""The CUDA back end: Numba kernels on an NVIDIA GPU.

Data are copied to the device once per fit, bytes as bytes, parameters once per call, and the
results back at its end. One launch makes all steps: a block of threads trains a small network
(many networks: many blocks), all blocks together train a large one.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from ..interface import Network, Optimizer, gaussian_weights

FORWARD_ROWS = 1024  # samples at once where nothing is learned
NETWORKS_AT_ONCE = 4096
IMAGES_AT_ONCE = 1024  # blocks that distort images, each with scratch of its own
# Multiply-adds of a step up to which a block trains a network alone: an estimate of what the
# barriers of all blocks would cost. Not yet measured on a GPU.
SMALL_STEP = 100_000

_one_call = threading.RLock()  # calls of several threads take turns


@cache
def unavailable() -> str | None:
    """Say why there is no CUDA, or return None if there is."""
    try:
        from numba import cuda
        from numba.core import config
    except Exception as error:  # what is broken may raise anything
        return f"Numba's CUDA target cannot be imported ({error}): pip install 'fastnn[cuda]'"
    if getattr(config, "ENABLE_CUDASIM", False):
        return None
    try:
        import numba_cuda  # noqa: F401
    except ImportError:
        return "the package numba-cuda is not installed: pip install 'fastnn[cuda]'"
    if cuda.is_available():
        return None
    reason = getattr(cuda.cudadrv.driver.driver, "initialization_error", None)
    if not reason:
        return "Numba finds no compiler for GPUs (NVVM): pip install 'fastnn[cuda]'"
    missing = "NVIDIA GPU" if "NO_DEVICE" in str(reason) else "CUDA driver"
    return f"no {missing} ({' '.join(str(reason).split())})"


@contextmanager
def _device() -> Iterator[Any]:
    """Give Numba's CUDA module; a full device memory becomes a MemoryError that says so."""
    from numba import cuda

    full = False
    try:
        with _one_call:
            yield cuda
    except Exception as error:
        if "OUT_OF_MEMORY" not in str(error):
            raise
        full = True
    if full:  # raised here, it does not keep the arrays of the failed call alive
        raise MemoryError(
            "the GPU's memory is full: train on fewer samples at once, with a smaller network or "
            "batch, or on another back end"
        )


def _launch(kernel: Any, blocks: int, threads: Any, shared_bytes: int, *arguments: Any) -> None:
    """Launch a kernel without Numba's warning of few blocks: a small network has no more."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Grid size")
        kernel[blocks, threads, 0, shared_bytes](*arguments)


def _real(dtype: np.dtype) -> Any:
    from numba import float32, float64

    return float32 if dtype == np.float32 else float64


# --- perceptron and linear network -------------------------------------------------------------


def perceptron_train(X, targets, weights, learning_rate, max_epochs, order, online, history):
    """Train by the perceptron rule; see `interface.Kernels`."""
    losses = np.empty(max_epochs)
    return _delta_rule(X, targets, weights, learning_rate, True, order, online, history, losses)


def linear_train(X, targets, weights, learning_rate, order, online, losses):
    """Train by the delta rule; see `interface.Kernels`."""
    history = np.empty((0, *weights.shape), weights.dtype)
    _delta_rule(X, targets, weights, learning_rate, False, order, online, history, losses)


def _delta_rule(X, targets, weights, rate, use_sign, order, online, history, losses):
    from .delta_rule import THREADS, delta_rule_kernel

    with _device() as cuda:
        kernel = delta_rule_kernel(_real(weights.dtype))
        by_output = np.ascontiguousarray(weights.T)
        w, done = cuda.to_device(by_output), cuda.to_device(np.zeros(1, np.int64))
        dev_history, dev_losses = _to_device(cuda, history), cuda.to_device(losses)
        _launch(
            *(kernel, 1, THREADS, 0),
            *(cuda.to_device(X), cuda.to_device(targets), w, cuda.device_array_like(w)),
            *(weights.dtype.type(rate), use_sign, cuda.to_device(order), bool(online)),
            *(dev_history, dev_losses, done),
        )
        weights[:] = w.copy_to_host().T
        losses[:] = dev_losses.copy_to_host()
        if len(history):
            history[:] = dev_history.copy_to_host()
        return int(done.copy_to_host()[0])


def to_device(array):
    """Copy training data, for all calls of a fit; see `interface.Kernels`."""
    with _device() as cuda:
        return _to_device(cuda, array)


def _to_device(cuda: Any, array: Any) -> Any:
    """Copy an array, unless it is there; one of no rows gets a device pointer all the same."""
    if hasattr(array, "__cuda_ndarray__"):
        return array
    if array.size:
        return cuda.to_device(array)
    return cuda.device_array((1, *array.shape[1:]), array.dtype)[:0]


# --- multi-layer perceptron --------------------------------------------------------------------


def mlp_forward(net, params, X, scale, all_layers, n_threads):
    """Return layer outputs; see `interface.Kernels`."""
    from .device import OUTPUTS

    wanted = range(1, len(net.sizes)) if all_layers else [len(net.sizes) - 1]
    found = {layer: np.empty((len(X), net.sizes[layer]), params.dtype) for layer in wanted}
    targets = np.zeros((len(X), net.n_targets), params.dtype)
    for first, rows, buffer, table, _ in _blocks(net, params, X, scale, targets):
        for layer, outputs in found.items():
            start, n = table[layer, OUTPUTS], net.sizes[layer]
            values = buffer[start : start + rows * n].copy_to_host()
            outputs[first : first + rows] = values.reshape(rows, n)
    return list(found.values())


def mlp_evaluate(net, params, X, scale, targets, n_threads):
    """Return loss and right answers over a data set; see `interface.Kernels`."""
    loss, n_right = 0.0, 0
    for _, rows, buffer, _, right in _blocks(net, params, X, scale, targets):
        loss += float(buffer[len(buffer) - rows :].copy_to_host().sum(dtype=np.float64))
        n_right += int(right.copy_to_host().sum())
    return loss / len(X), n_right


def _blocks(net, params, X, scale, targets):
    """Run the network on FORWARD_ROWS samples at a time; yield where they are, and the results."""
    from .device import layout
    from .large import large_kernels, most_blocks, work_for

    work = work_for(net, min(FORWARD_ROWS, len(X)))
    with _device() as cuda:
        kernel, w = large_kernels(_real(params.dtype), work).apply, cuda.to_device(params)
        for first in range(0, len(X), FORWARD_ROWS):
            rows = min(FORWARD_ROWS, len(X) - first)
            table, n_buffer = layout(net, rows)
            buffer = cuda.device_array(n_buffer, params.dtype)
            right = cuda.device_array(rows, np.int32)
            _launch_together(
                *(kernel, most_blocks(net, rows, work), w, buffer, cuda.to_device(table)),
                *(cuda.to_device(X[first : first + rows]), params.dtype.type(scale)),
                *(cuda.to_device(targets[first : first + rows]), cuda.to_device(np.arange(rows))),
                *(net.loss, right),
            )
            yield first, rows, buffer, table, right


def _launch_together(kernel: Any, most_blocks: int, *arguments: Any) -> None:
    """Launch a cooperative kernel on as many blocks as the GPU holds at once, and are of use."""
    from .product import THREADS

    own = kernel.specialize(*arguments)
    # The simulator has one definition for all types.
    definition = next(iter(own.overloads.values()), None) or own.overloads[()]
    blocks = min(definition.max_cooperative_grid_blocks(THREADS), most_blocks)
    _launch(own, blocks, THREADS, 0, *arguments)


def mlp_loss_gradient(net, params, X, scale, targets, alpha, seed, step):
    """Return the loss of one batch and its gradient; see `interface.Kernels`."""
    from .device import STORE_GRADIENT

    gradient, losses = np.zeros((1, len(params)), params.dtype), np.zeros(1)
    optimizer = Optimizer(STORE_GRADIENT, 0.0, alpha=alpha)
    order = np.arange(len(X))[np.newaxis]
    mlp_train(
        *(net, optimizer, params.copy(), gradient, X, scale, targets, order, len(X)),
        *(seed, step, losses, 1),
    )
    penalty, start = 0.0, 0
    for m, n in zip(net.sizes, net.sizes[1:], strict=False):
        W = params[start : start + m * n].astype(np.float64)
        penalty += float(W @ W)
        start += (m + 1) * n
    return (losses[0] + alpha * penalty / 2) / len(X), gradient[0]


def mlp_train(
    net: Network,
    optimizer: Optimizer,
    params,
    moments,
    X,
    scale,
    targets,
    order,
    batch_size,
    seed,
    step,
    loss_sums,
    n_threads,
):
    """Train by mini-batch back-propagation; see `interface.Kernels`."""
    batch = min(batch_size, order.shape[1])
    rates, seeds = np.array([optimizer.learning_rate]), np.array([seed], np.uint64)
    if net.n_parameters * batch <= SMALL_STEP and _train_blocks(
        *(net, optimizer, rates, params[np.newaxis], moments[np.newaxis], X, scale, targets),
        *(order[np.newaxis], batch, seeds, step, loss_sums[np.newaxis]),
    ):
        return
    from .device import layout
    from .large import large_kernels, most_blocks, work_for

    table, n_buffer = layout(net, batch)
    work = work_for(net, batch)
    with _device() as cuda:
        w, sums = cuda.to_device(params), cuda.to_device(loss_sums)
        state = [cuda.to_device(moment) for moment in moments]
        _launch_together(
            *(large_kernels(_real(params.dtype), work).train, most_blocks(net, batch, work)),
            *(w, *(*state, w, w)[:2]),
            *(cuda.device_array(n_buffer, params.dtype), cuda.to_device(table)),
            *(_to_device(cuda, X), params.dtype.type(scale), _to_device(cuda, targets)),
            *(cuda.to_device(order), batch, net.loss, optimizer.kind),
            *(cuda.to_device(np.array(optimizer[1:])), np.uint64(seed), step, sums),
        )
        params[:] = w.copy_to_host()
        loss_sums[:] = sums.copy_to_host()
        for moment, values in zip(moments, state, strict=True):
            moment[:] = values.copy_to_host()


def most_threads(net, batch_size, n_threads):
    """Return 1: see `interface.Kernels`."""
    return 1


def mlp_train_many(
    net: Network,
    optimizer: Optimizer,
    rates,
    params,
    moments,
    X,
    scale,
    targets,
    order,
    batch_size,
    seeds,
    step,
    loss_sums,
    n_threads,
):
    """Train several networks; see `interface.Kernels`."""
    batch = min(batch_size, order.shape[2])
    if _train_blocks(
        *(net, optimizer, rates, params, moments, X, scale, targets, order, batch),
        *(seeds, step, loss_sums),
    ):
        return
    for i in range(len(params)):
        own = optimizer._replace(learning_rate=float(rates[i]))
        mlp_train(
            *(net, own, params[i], moments[i], X, scale, targets, order[i % len(order)], batch),
            *(int(seeds[i]), step, loss_sums[i], n_threads),
        )


def _train_blocks(
    net, optimizer, rates, params, moments, X, scale, targets, order, batch, seeds, step, loss_sums
) -> bool:
    """Train each network in a block of its own; return False if it is too large for that."""
    from .small import plan, small_kernels

    n_moments = moments.shape[1]
    layout = plan(net, batch, n_moments, params.itemsize, len(params))
    if layout is None:
        return False
    numbers = np.empty((len(params), 5))
    numbers[:] = optimizer[1:]
    numbers[:, 0] = rates
    with _device() as cuda:
        kernels = small_kernels(_real(params.dtype))
        kernel = kernels.in_shared if layout.n_state else kernels.in_global
        w, sums = cuda.to_device(params), cuda.to_device(loss_sums)
        state = [cuda.to_device(np.ascontiguousarray(moments[:, i])) for i in range(n_moments)]
        _launch(
            *(kernel, len(params), layout.threads, layout.n_shared * params.itemsize),
            *(w, *(*state, w, w)[:2], layout.n_buffer, cuda.to_device(layout.table)),
            *(_to_device(cuda, X), params.dtype.type(scale), _to_device(cuda, targets)),
            *(cuda.to_device(order), batch, net.loss, optimizer.kind, cuda.to_device(numbers)),
            *(cuda.to_device(seeds), step, sums),
        )
        params[:] = w.copy_to_host()
        loss_sums[:] = sums.copy_to_host()
        for i, values in enumerate(state):
            moments[:, i] = values.copy_to_host()
    return True


def distort_images(images, distortion, angles, seed, epoch, n_threads):
    """Return the images of an epoch, on the device; see `interface.Kernels`."""
    from .distortion import THREADS, distort

    h, w, _, scaling, sigma, alpha = distortion
    blocks = min(len(images), IMAGES_AT_ONCE)
    with _device() as cuda:
        distorted = cuda.device_array(images.shape, np.uint8)
        _launch(
            *(distort, blocks, THREADS, 0),
            *(_to_device(cuda, images), distorted, h, w, float(scaling), float(alpha)),
            *(cuda.to_device(gaussian_weights(sigma)), cuda.to_device(angles), np.uint64(seed)),
            *(epoch & 0xFFFFFFFF, cuda.device_array((blocks, 4, h * w), np.float64)),
        )
        return distorted
