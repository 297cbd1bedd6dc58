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

from ..interface import Network, Samples
from .device import DELTAS, OUTPUTS, SLOPES, START, UNITS, Layers, Schedule, layout, store_unit
from .formulas import State, optimizer_step, penalty, real
from .training import make_train

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
    net: Network, batch: int, n_moments: int, itemsize: int, n_networks: int = 1
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


# --- the phases of a step; their `scope` means nothing, the threads of a block know each other ---


@cuda.jit(device=True)
def identify(scope):
    """Return this thread's number, and how many there are."""
    thread = cuda.threadIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    return thread, cuda.blockDim.x * cuda.blockDim.y


@cuda.jit(device=True)
def meet(scope):
    """Wait for the other threads."""
    cuda.syncthreads()


@cuda.jit(device=True)
def load(scope, buffer, samples, order, first, rows):
    """Copy the samples of a batch, times the scale, to the outputs of layer 0."""
    X, scale = samples.X, samples.scale
    n = X.shape[1]
    row = cuda.threadIdx.y
    while row < rows:
        i = order[first + row]
        k = cuda.threadIdx.x
        while k < n:
            buffer[row * n + k] = real(scale, X[i, k]) * scale
            k += cuda.blockDim.x
        row += cuda.blockDim.y


@cuda.jit(device=True)
def load_compressed(scope, buffer, samples, order, first, rows):
    """Do the same with compressed rows: all inputs become 0, then those that are something else."""
    (values, columns, starts, n), scale = samples.X, samples.scale
    p, n_threads = identify(scope)
    while p < rows * n:
        buffer[p] = real(scale, 0)
        p += n_threads
    meet(scope)
    row = cuda.threadIdx.y
    while row < rows:
        i = order[first + row]
        k = starts[i] + cuda.threadIdx.x
        while k < starts[i + 1]:
            buffer[row * n + columns[k]] = real(scale, values[k]) * scale
            k += cuda.blockDim.x
        row += cuda.blockDim.y


@cuda.jit(device=True)
def forward(scope, w, layers, layer, rows, training, key, n):
    """Compute y = f(x W + b) (2.12) to (2.15), and the slope."""
    table, buffer = layers.table, layers.buffer
    below, start = table[layer - 1], table[layer, START]
    n_in, n_out = below[UNITS], table[layer, UNITS]
    row = cuda.threadIdx.y
    while row < rows:
        x = below[OUTPUTS] + row * n_in
        j = cuda.threadIdx.x
        while j < n_out:
            z = w[start + n_in * n_out + j]
            for k in range(n_in):
                z += buffer[x + k] * w[start + k * n_out + j]
            store_unit(layers, layer, row, j, z, training, key, n)
            j += cuda.blockDim.x
        row += cuda.blockDim.y


@cuda.jit(device=True)
def backward(scope, w, layers, layer, rows):
    """Compute the deltas of the layer below: (delta W^T) times its slope (2.42)."""
    table, buffer = layers.table, layers.buffer
    below, here = table[layer - 1], table[layer]
    n_in, n_out, start = below[UNITS], here[UNITS], here[START]
    row = cuda.threadIdx.y
    while row < rows:
        d = here[DELTAS] + row * n_out
        k = cuda.threadIdx.x
        while k < n_in:
            total = real(w[0], 0)
            for j in range(n_out):
                total += buffer[d + j] * w[start + k * n_out + j]
            at = row * n_in + k
            buffer[below[DELTAS] + at] = total * buffer[below[SLOPES] + at]
            k += cuda.blockDim.x
        row += cuda.blockDim.y


@cuda.jit(device=True)
def update(scope, state, layers, layer, rows, step):
    """Form x^T delta / N (2.44) and change weights and bias; row n_in is the bias."""
    table, buffer = layers.table, layers.buffer
    below, here = table[layer - 1], table[layer]
    n_in, n_out, start = below[UNITS], here[UNITS], here[START]
    zero, one = real(step.size, 0), real(step.size, 1)
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
                total += penalty(step, state.w[p])
            optimizer_step(step, state, p, total / step.count)
            j += cuda.blockDim.x
        k += cuda.blockDim.y


# --- the kernels ---------------------------------------------------------------------------------


@cuda.jit(device=True)
def copy(source, target, n):
    """Copy n reals, by all threads."""
    p, n_threads = identify(0)
    while p < n:
        target[p] = source[p]
        p += n_threads


@cuda.jit(device=True)
def schedule_of(orders, place, batch, key, learning_rates):
    """Return a network's schedule; `place` is where its order begins and ends, and its samples."""
    return Schedule(orders[place[0] : place[1]], place[2], batch, key, learning_rates)


@cache
def small_kernels(dtype: Any, compressed: bool = False) -> SimpleNamespace:
    """Return the kernels for numba.float32 or numba.float64, and for arrays or compressed rows."""
    train = make_train(
        SimpleNamespace(
            identify=identify,
            meet=meet,
            load=load_compressed if compressed else load,
            forward=forward,
            backward=backward,
            update=update,
        )
    )

    @cuda.jit
    def in_global(
        params, moments_1, moments_2, n_moments, n_buffer, tables, parameters, loss, X, scale,
        targets, weights, orders, places, batch, keys, learning_rates, optimizer, numbers, steps,
        sums,
    ):  # fmt: skip
        """Train network b by block b; parameters and moments stay in global memory."""
        b = cuda.blockIdx.x
        shared = cuda.shared.array(0, dtype)
        state = State(params[b], moments_1[b], moments_2[b])
        layers = Layers(tables[b], parameters[b], loss, batch, shared[:n_buffer])
        schedule = schedule_of(orders, places[b], batch, keys[b], learning_rates[b])
        samples = Samples(X, scale, targets, weights)
        train(0, state, layers, samples, schedule, optimizer, numbers[b], steps[b], sums[b])

    @cuda.jit
    def in_shared(
        params, moments_1, moments_2, n_moments, n_buffer, tables, parameters, loss, X, scale,
        targets, weights, orders, places, batch, keys, learning_rates, optimizer, numbers, steps,
        sums,
    ):  # fmt: skip
        """Do the same; parameters and moments are in shared memory for the time of the call."""
        b, m = cuda.blockIdx.x, params.shape[1]
        shared = cuda.shared.array(0, dtype)
        state = State(
            shared[n_buffer : n_buffer + m],
            shared[n_buffer + m : n_buffer + 2 * m],
            shared[n_buffer + 2 * m : n_buffer + 3 * m],
        )
        copy(params[b], state.w, m)
        if n_moments > 0:
            copy(moments_1[b], state.moment_1, m)
        if n_moments > 1:
            copy(moments_2[b], state.moment_2, m)
        cuda.syncthreads()
        layers = Layers(tables[b], parameters[b], loss, batch, shared[:n_buffer])
        schedule = schedule_of(orders, places[b], batch, keys[b], learning_rates[b])
        samples = Samples(X, scale, targets, weights)
        train(0, state, layers, samples, schedule, optimizer, numbers[b], steps[b], sums[b])
        copy(state.w, params[b], m)
        if n_moments > 0:
            copy(state.moment_1, moments_1[b], m)
        if n_moments > 1:
            copy(state.moment_2, moments_2[b], m)

    return SimpleNamespace(in_global=in_global, in_shared=in_shared)
