"""The CUDA kernels of small networks: a block of threads trains one, all epochs of a call.

The buffers of a batch lie in shared memory, and so do parameters and moments where they fit. The
threads of a block form a rectangle, rows of a matrix by columns, so that no index is divided; nor
does a `while` divide, which a `range` does to count its turns. Every sum is formed by one thread
in a fixed order.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from numba import config, cuda

from .. import interface as api
from .device import DELTAS, OUTPUTS, SLOPES, START, UNITS, device_functions, layout

SHARED_BYTES = 48 * 1024  # what every GPU gives a block without being asked
MAX_THREADS, MAX_COLUMNS = (4, 2) if config.ENABLE_CUDASIM else (256, 32)
WARP = 32  # threads that run together; a block has them all
MANY_NETWORKS = 128  # blocks that keep a large GPU busy; not yet measured


class Plan(NamedTuple):
    """Where a block keeps its network.

    Attributes
    ----------
    table : (n_layers + 1, N_COLUMNS) of int64
        See `device.layout`.
    n_buffer : int
        Reals of the batch's buffer.
    n_state : int
        Reals of parameters and moments in shared memory; 0: they stay in global memory.
    threads : (int, int)
        Columns and rows of the block.
    """

    table: np.ndarray
    n_buffer: int
    n_state: int
    threads: tuple[int, int]

    @property
    def n_shared(self) -> int:
        """Reals of shared memory."""
        return self.n_buffer + self.n_state


def plan(
    net: api.Network, batch: int, n_moments: int, itemsize: int, n_networks: int = 1
) -> Plan | None:
    """Lay out a network for a block; None if a batch does not fit in shared memory.

    Of few networks each gets a thread for every weight, to be done soon; of many each gets one
    for every output, so that fewer threads are idle in between.
    """
    table, n_buffer = layout(net, batch)
    n_state = (1 + n_moments) * net.n_parameters
    if n_buffer * itemsize > SHARED_BYTES:
        return None
    if (n_buffer + n_state) * itemsize > SHARED_BYTES:
        n_state = 0
    columns = min(MAX_COLUMNS, _power_of_2(max(net.sizes)))
    rows = max(batch, WARP // columns)
    if n_networks < MANY_NETWORKS:
        rows = max(rows, *(n + 1 for n in net.sizes[:-1]))
    rows = min(MAX_THREADS // columns, _power_of_2(rows))
    return Plan(table, n_buffer, n_state, (columns, rows))


def _power_of_2(n: int) -> int:
    """Return the least power of 2 that is not below n."""
    return 1 << (n - 1).bit_length()


@cache
def small_kernels(real: Any) -> SimpleNamespace:
    """Return the kernels for numba.float32 or numba.float64."""
    own = device_functions(real)
    finish_rows, add_losses, store_unit = own.finish_rows, own.add_losses, own.store_unit
    rule_of_step, descend = own.rule_of_step, own.descend
    zero, one = real(0), real(1)

    @cuda.jit(device=True)
    def load(buffer, X, scale, samples, first, rows):
        """Copy the samples of a batch, times the scale, to the outputs of layer 0."""
        n = X.shape[1]
        row = cuda.threadIdx.y
        while row < rows:
            i = samples[first + row]
            k = cuda.threadIdx.x
            while k < n:
                buffer[row * n + k] = real(X[i, k]) * scale
                k += cuda.blockDim.x
            row += cuda.blockDim.y

    @cuda.jit(device=True)
    def forward(w, buffer, table, layer, batch, rows, key, step):
        """Compute y = f(x W + b) (2.12) to (2.15), and the slope."""
        below, start = table[layer - 1], table[layer, START]
        n_in, n_out = below[UNITS], table[layer, UNITS]
        row = cuda.threadIdx.y
        while row < rows:
            x = below[OUTPUTS] + row * n_in
            j = cuda.threadIdx.x
            while j < n_out:
                total = w[start + n_in * n_out + j]
                for k in range(n_in):
                    total += buffer[x + k] * w[start + k * n_out + j]
                store_unit(buffer, table, layer, batch, row, j, total, True, key, step)
                j += cuda.blockDim.x
            row += cuda.blockDim.y

    @cuda.jit(device=True)
    def backward(w, buffer, table, layer, rows):
        """Compute the deltas of the layer below: (delta W^T) times its slope (2.42)."""
        below, here = table[layer - 1], table[layer]
        n_in, n_out, start = below[UNITS], here[UNITS], here[START]
        row = cuda.threadIdx.y
        while row < rows:
            d = here[DELTAS] + row * n_out
            k = cuda.threadIdx.x
            while k < n_in:
                total = zero
                for j in range(n_out):
                    total += buffer[d + j] * w[start + k * n_out + j]
                at = row * n_in + k
                buffer[below[DELTAS] + at] = total * buffer[below[SLOPES] + at]
                k += cuda.blockDim.x
            row += cuda.blockDim.y

    @cuda.jit(device=True)
    def update(w, moment_1, moment_2, buffer, table, layer, rows, rule):
        """Form x^T delta / rows (2.44) and change weights and bias; row n_in is the bias."""
        below, here = table[layer - 1], table[layer]
        n_in, n_out, start = below[UNITS], here[UNITS], here[START]
        alpha = rule[5]
        k = cuda.threadIdx.y
        while k <= n_in:
            j = cuda.threadIdx.x
            while j < n_out:
                total = zero
                for row in range(rows):
                    x = buffer[below[OUTPUTS] + row * n_in + k] if k < n_in else one
                    total += x * buffer[here[DELTAS] + row * n_out + j]
                p = start + k * n_out + j
                if k < n_in:
                    total += alpha * w[p]
                descend(rule, w, moment_1, moment_2, p, total / real(rows))
                j += cuda.blockDim.x
            k += cuda.blockDim.y

    @cuda.jit(device=True)
    def train(
        w, moment_1, moment_2, buffer, table, X, scale, targets, order, batch, loss, kind, numbers,
        key, step, sums,
    ):  # fmt: skip
        """Train one network for sums.shape[0] epochs; the threads meet between the layers.

        `numbers` are rate, beta_1, beta_2, epsilon, alpha.
        """
        last, n = table.shape[0] - 1, order.shape[1]
        thread = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        n_threads = cuda.blockDim.x * cuda.blockDim.y
        for epoch in range(sums.shape[0]):
            samples = order[epoch % order.shape[0]]
            for first in range(0, n, batch):
                rows = min(batch, n - first)
                load(buffer, X, scale, samples, first, rows)
                cuda.syncthreads()
                for layer in range(1, last + 1):
                    forward(w, buffer, table, layer, batch, rows, key, np.uint64(step))
                    cuda.syncthreads()
                finish_rows(
                    buffer, table, batch, loss, targets, samples, first, rows, thread, n_threads
                )
                cuda.syncthreads()
                if thread == 0:
                    add_losses(buffer, batch, rows, sums, epoch)
                for layer in range(last, 1, -1):
                    backward(w, buffer, table, layer, rows)
                    cuda.syncthreads()
                step += 1
                rule = rule_of_step(kind, numbers, step)
                for layer in range(1, last + 1):
                    update(w, moment_1, moment_2, buffer, table, layer, rows, rule)
                cuda.syncthreads()

    @cuda.jit(device=True)
    def copy(source, target, n):
        """Copy n reals, by all threads."""
        p = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
        while p < n:
            target[p] = source[p]
            p += cuda.blockDim.x * cuda.blockDim.y

    @cuda.jit
    def in_global(
        params, moments_1, moments_2, n_buffer, table, X, scale, targets, orders, batch, loss, kind,
        numbers, keys, step, sums,
    ):  # fmt: skip
        """Train network b by block b; parameters and moments stay in global memory."""
        b = cuda.blockIdx.x
        buffer = cuda.shared.array(0, real)
        train(
            params[b], moments_1[b], moments_2[b], buffer[:n_buffer], table, X, scale, targets,
            orders[b % orders.shape[0]], batch, loss, kind, numbers[b], keys[b], step, sums[b],
        )  # fmt: skip

    @cuda.jit
    def in_shared(
        params, moments_1, moments_2, n_buffer, table, X, scale, targets, orders, batch, loss, kind,
        numbers, keys, step, sums,
    ):  # fmt: skip
        """Do the same; parameters and moments are in shared memory for the time of the call."""
        b, n = cuda.blockIdx.x, params.shape[1]
        shared = cuda.shared.array(0, real)
        w = shared[n_buffer : n_buffer + n]
        moment_1 = shared[n_buffer + n : n_buffer + 2 * n]
        moment_2 = shared[n_buffer + 2 * n : n_buffer + 3 * n]
        copy(params[b], w, n)
        if kind != api.SGD:
            copy(moments_1[b], moment_1, n)
        if kind == api.ADAM:
            copy(moments_2[b], moment_2, n)
        cuda.syncthreads()
        train(
            w, moment_1, moment_2, shared[:n_buffer], table, X, scale, targets,
            orders[b % orders.shape[0]], batch, loss, kind, numbers[b], keys[b], step, sums[b],
        )  # fmt: skip
        copy(w, params[b], n)
        if kind != api.SGD:
            copy(moment_1, moments_1[b], n)
        if kind == api.ADAM:
            copy(moment_2, moments_2[b], n)

    return SimpleNamespace(in_global=in_global, in_shared=in_shared)
