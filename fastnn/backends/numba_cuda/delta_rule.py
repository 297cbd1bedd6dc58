"""The CUDA kernel of the perceptron and the linear network: all epochs in one block of threads.

A sample's sum is formed by all threads, each with its own inputs, and a tree of fixed shape.
"""

from functools import cache
from typing import Any

from numba import config, cuda

THREADS = 4 if config.ENABLE_CUDASIM else 128  # a power of 2


@cache
def delta_rule_kernel(real: Any) -> Any:
    """Return the kernel for numba.float32 or numba.float64."""
    zero, one = real(0), real(1)

    @cuda.jit(device=True)
    def pre_activation(X, w, c, i, bias, shared):
        """Return w_c x_i to every thread."""
        t, d = cuda.threadIdx.x, X.shape[1]
        part = w[c, 0] if bias and t == 0 else zero
        for k in range(t, d, THREADS):
            part += X[i, k] * w[c, bias + k]
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
        t, n, d = cuda.threadIdx.x, X.shape[0], X.shape[1]
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
                        for k in range(t, d, THREADS):
                            if online:
                                w[c, bias + k] += step * X[i, k]
                            else:
                                change[c, bias + k] += step * X[i, k]
                        if bias and t == 0:
                            if online:
                                w[c, 0] += step
                            else:
                                change[c, 0] += step
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
