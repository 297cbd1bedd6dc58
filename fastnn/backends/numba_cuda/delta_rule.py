"""The CUDA kernel of the perceptron and the linear network: all epochs in one block of threads.

A sample's sum is formed by all threads, each with its own inputs, and a tree of fixed shape.
"""

from functools import cache
from typing import Any

from numba import config, cuda

THREADS = 4 if config.ENABLE_CUDASIM else 128  # a power of 2


# --- an array, in which a thread has the same inputs of all samples -----------------------------


@cuda.jit(device=True)
def shape_of(X):
    """Return how many samples and features there are."""
    return X.shape


@cuda.jit(device=True)
def add_products(X, w, c, i, bias, part):
    """Add this thread's part of w_c x_i, without the bias."""
    for k in range(cuda.threadIdx.x, X.shape[1], THREADS):
        part += X[i, k] * w[c, bias + k]
    return part


@cuda.jit(device=True)
def add_inputs(X, w, c, i, bias, step):
    """Add step x_i to w_c, without the bias."""
    for k in range(cuda.threadIdx.x, X.shape[1], THREADS):
        w[c, bias + k] += step * X[i, k]


# --- compressed rows, in which it has others of each --------------------------------------------


@cuda.jit(device=True)
def shape_of_compressed(X):
    """Return how many samples and features there are."""
    _, _, starts, d = X
    return starts.shape[0] - 1, d


@cuda.jit(device=True)
def add_products_compressed(X, w, c, i, bias, part):
    """Add this thread's part of w_c x_i, without the bias."""
    values, columns, starts, _ = X
    for k in range(starts[i] + cuda.threadIdx.x, starts[i + 1], THREADS):
        part += values[k] * w[c, bias + columns[k]]
    return part


@cuda.jit(device=True)
def add_inputs_compressed(X, w, c, i, bias, step):
    """Add step x_i to w_c, without the bias; the next sample's threads need to see it."""
    values, columns, starts, _ = X
    for k in range(starts[i] + cuda.threadIdx.x, starts[i + 1], THREADS):
        w[c, bias + columns[k]] += step * values[k]
    cuda.syncthreads()


ARRAY = shape_of, add_products, add_inputs
COMPRESSED = shape_of_compressed, add_products_compressed, add_inputs_compressed


@cache
def delta_rule_kernel(real: Any, compressed: bool = False) -> Any:
    """Return the kernel for numba.float32 or numba.float64, and for arrays or compressed rows."""
    zero, one = real(0), real(1)
    shape_of, add_products, add_inputs = COMPRESSED if compressed else ARRAY

    @cuda.jit(device=True)
    def pre_activation(X, w, c, i, bias, shared):
        """Return w_c x_i to every thread."""
        t = cuda.threadIdx.x
        part = add_products(X, w, c, i, bias, w[c, 0] if bias and t == 0 else zero)
        shared[t] = part
        half = THREADS // 2
        while half > 0:
            cuda.syncthreads()
            if t < half:
                shared[t] += shared[t + half]
            half //= 2
        cuda.syncthreads()
        total = shared[0]
        cuda.syncthreads()
        return total

    @cuda.jit(device=True)
    def error_of(z, t, use_sign):
        """Return t - sign(z) or t - z."""
        if use_sign:
            return t - (one if z > zero else (-one if z < zero else zero))
        return t - z

    @cuda.jit
    def delta_rule(
        X, targets, w, change, rate, use_sign, order, online, history, losses, done,
        sample_weights, total,
    ):  # fmt: skip
        """Make epochs of w += rate (t - y) x (1.2); `done` receives how many changed the weights.

        w and change are (n_outputs, n_weights), the bias first if there is one; without
        `sample_weights` there are none of them, and `total`, their sum, is the number of samples.
        """
        shared = cuda.shared.array(THREADS, real)
        t = cuda.threadIdx.x
        n, d = shape_of(X)
        n_outputs, bias = w.shape[0], w.shape[1] - d
        for epoch in range(losses.shape[0]):
            n_mistakes, loss_sum = 0, 0.0
            if not online:
                for c in range(n_outputs):
                    for k in range(t, w.shape[1], THREADS):
                        change[c, k] = zero
            for q in range(n):
                i = order[epoch % order.shape[0], q] if online else q
                weight = sample_weights[i] if sample_weights.shape[0] > 0 else one
                for c in range(n_outputs):
                    z = pre_activation(X, w, c, i, bias, shared)
                    loss_sum += z - z  # NaN, where z is infinite
                    e = error_of(z, targets[i, c], use_sign)
                    if e != zero:
                        n_mistakes += 1
                        # A wrong sign's loss -t z is |z|.
                        loss_sum += weight * (abs(z) if use_sign else e * e)
                        e *= weight
                        step = rate * e if online else e
                        changed = w if online else change
                        add_inputs(X, changed, c, i, bias, step)
                        if bias and t == 0:
                            changed[c, 0] += step
            if t == 0:
                losses[epoch] = loss_sum / (total if use_sign else 2 * total)
            cuda.syncthreads()
            if use_sign and n_mistakes == 0:
                break
            for c in range(n_outputs):
                for k in range(t, w.shape[1], THREADS):
                    if not online:
                        w[c, k] += rate * change[c, k] / real(total)
                    if history.shape[0] > 0:
                        history[epoch, k, c] = w[c, k]
            cuda.syncthreads()
            if t == 0:
                done[0] = epoch + 1

    return delta_rule
