"""The CUDA back end: Numba kernels on an NVIDIA GPU.

Data are copied to the device once per fit, bytes as bytes, parameters once per call, and the
results back at its end. One launch makes all steps: a block of threads trains a small network
(many networks: many blocks), all blocks together train a large one.
"""

from functools import cache

import numpy as np

from ..interface import Network, Optimizer, Samples
from ..shared import gaussian_weights
from .calls import few_blocks, gpu, is_compressed, on_device, real_type, table_on_device
from .networks import mlp_evaluate as mlp_evaluate
from .networks import mlp_forward as mlp_forward
from .networks import mlp_loss_gradient as mlp_loss_gradient
from .networks import mlp_train as mlp_train
from .networks import mlp_train_many as mlp_train_many

NETWORKS_AT_ONCE = 4096
TRAINS_SHARDS = False
IMAGES_AT_ONCE = 1024  # blocks that distort images, each with scratch of its own


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


def to_device(samples: Samples, n_threads: int = 1, compress: bool = True) -> Samples:
    """Copy training data, for all calls of a fit; see `interface.Kernels`."""
    with gpu() as cuda:
        X, scale, targets, weights = samples
        targets = None if targets is None else on_device(cuda, targets)
        weights = None if weights is None else on_device(cuda, weights)
        return Samples(on_device(cuda, X), scale, targets, weights)


def most_threads(
    net: Network, optimizer: Optimizer, samples: Samples, batch_size: int, n_threads: int
) -> int:
    """Return 1: see `interface.Kernels`."""
    return 1


def perceptron_train(
    X, targets, weights, learning_rate, order, online, losses, history, sample_weights=None
):
    """Train by the perceptron rule; see `interface.Kernels`."""
    return _delta_rule(
        X, targets, weights, learning_rate, True, order, online, losses, history, sample_weights
    )


def linear_train(X, targets, weights, learning_rate, order, online, losses, sample_weights=None):
    """Train by the delta rule; see `interface.Kernels`."""
    history = np.empty((0, *weights.shape), weights.dtype)
    _delta_rule(
        X, targets, weights, learning_rate, False, order, online, losses, history, sample_weights
    )


def _delta_rule(
    X, targets, weights, rate, use_sign, order, online, losses, history, sample_weights
):
    from .delta_rule import THREADS, delta_rule_kernel

    total = float(len(X))
    if sample_weights is None:
        sample_weights = np.empty(0, weights.dtype)
    else:
        total = float(sample_weights.sum(dtype=np.float64))
    with gpu() as cuda, few_blocks():
        w = cuda.to_device(np.ascontiguousarray(weights.T))  # by output
        done = cuda.to_device(np.zeros(1, np.int64))
        dev_history, dev_losses = on_device(cuda, history), cuda.to_device(losses)
        delta_rule_kernel(real_type(weights.dtype), is_compressed(X))[1, THREADS](
            table_on_device(cuda, X),
            cuda.to_device(targets),
            w,
            cuda.device_array_like(w),
            weights.dtype.type(rate),
            use_sign,
            cuda.to_device(order),
            bool(online),
            dev_history,
            dev_losses,
            done,
            on_device(cuda, sample_weights),
            total,
        )
        weights[:] = w.copy_to_host().T
        losses[:] = dev_losses.copy_to_host()
        if len(history):
            history[:] = dev_history.copy_to_host()
        return int(done.copy_to_host()[0])


def mlp_train_shards(
    net: Network, optimizer, state, samples: Samples, schedule, loss_sums, n_threads, add_up
):
    """Refuse: see `TRAINS_SHARDS` of `interface.Kernels`."""
    raise NotImplementedError("numba-cuda trains in one process only")


def arithmetic(dtype: np.dtype) -> str:
    """Say on what the last bits depend; see `interface.Kernels`."""
    return "a GPU"


def distort_images(images, distortion, angles, seed, epoch, n_threads):
    """Return the images of an epoch, on the device; see `interface.Kernels`."""
    from .distortion import THREADS, distort

    h, w, _, scaling, sigma, alpha = distortion
    blocks = min(len(images), IMAGES_AT_ONCE)
    with gpu() as cuda, few_blocks():
        distorted = cuda.device_array(images.shape, np.uint8)
        distort[blocks, THREADS](
            on_device(cuda, images),
            distorted,
            h,
            w,
            float(scaling),
            float(alpha),
            cuda.to_device(gaussian_weights(sigma)),
            cuda.to_device(angles),
            np.uint64(seed),
            epoch & 0xFFFFFFFF,
            cuda.device_array((blocks, 4, h * w), np.float64),
        )
        return distorted
