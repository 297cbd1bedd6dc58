"""What several back ends compute in the same way, outside of their kernels."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .codes import STORE_GRADIENT
from .interface import Network, Optimizer, Samples, Schedule, State


def loss_gradient(
    mlp_train: Callable[..., object],
    net: Network,
    params: NDArray,
    samples: Samples,
    optimizer: Optimizer,
    seed: int,
    step: int,
) -> tuple[float, NDArray]:
    """Return the loss of one batch and its gradient, by a step that stores the gradient.

    See `interface.Kernels.mlp_loss_gradient`; `mlp_train` is the back end's.
    """
    n, gradient, loss_sum = len(samples.X), np.zeros_like(params), np.zeros(1)
    state = State(params.copy(), gradient[np.newaxis], step)
    schedule = Schedule(np.arange(n)[np.newaxis], n, seed, np.zeros(1))
    store = optimizer._replace(kind=STORE_GRADIENT, max_norm=0.0)
    mlp_train(net, store, state, samples, schedule, loss_sum, 1)
    loss = loss_sum[0] + penalty_of(optimizer, net, params)
    return loss / samples.total_weight, gradient


def penalty_of(optimizer: Optimizer, net: Network, params: NDArray) -> float:
    """Return what the penalties on weights add to the summed loss of a batch."""
    total, start = 0.0, 0
    if optimizer.alpha == optimizer.l1 == 0:
        return total
    for m, n in zip(net.sizes, net.sizes[1:], strict=False):
        W = params[start : start + m * n].astype(np.float64)
        total += optimizer.alpha * float(np.square(W).sum()) / 2 + optimizer.l1 * float(
            np.abs(W).sum()
        )
        start += (m + 1) * n
    return total


def dropout_limit(rate: float) -> int:
    """Return the limit below which a random 32-bit word drops its unit."""
    return min(round(rate * 2**32), 2**32 - 1)


def gaussian_weights(sigma: float) -> NDArray[np.float64]:
    """Return a Gaussian at -r, ..., r with r = 3 sigma rounded up, its sum 1."""
    radius = math.ceil(3 * sigma)
    with np.errstate(over="ignore", under="ignore"):  # far out, in units of sigma
        weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())
