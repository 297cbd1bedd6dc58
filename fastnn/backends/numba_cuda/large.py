"""The CUDA kernels of large networks: all blocks of the GPU work on one, all steps of a call.

They are cooperative kernels: the blocks meet at a barrier after each phase of a step, so that no
launch comes in between. Every sum is formed in a fixed order, so that results are the same in
every run.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import config, cuda

from ..interface import Network, Samples
from .device import (
    DELTAS,
    OUTPUTS,
    SLOPES,
    START,
    UNITS,
    Layers,
    Schedule,
    finish_rows,
    is_right,
    store_unit,
    weight_of,
)
from .formulas import State, optimizer_step, penalty, real
from .product import SPLIT, THREADS, make_product, n_shared, n_tiles, side_of
from .training import make_train

# Of a thread: two blocks share the 65,536 of a multiprocessor, one works while the other waits.
LIMIT = {} if config.ENABLE_CUDASIM else {"max_registers": 128}
MANY_TILES = 128  # work for every multiprocessor of a large GPU; not yet measured


def reach_for(net: Network, rows: int) -> int:
    """Return the largest reach of a thread that leaves MANY_TILES in the largest layer."""
    largest = max(net.sizes[1:])
    fits = (n for n in (4, 2) if n_tiles(rows, largest, side_of(n, SPLIT)) >= MANY_TILES)
    return next(fits, 1)


def most_blocks(net: Network, rows: int, reach: int) -> int:
    """Return the most tiles that a phase has: more blocks would be idle."""
    small, large = side_of(reach, SPLIT), side_of(reach, 1)
    layers = list(zip(net.sizes, net.sizes[1:], strict=False))
    return max(
        *(n_tiles(rows, n, small) for n in net.sizes),
        *(n_tiles(m + 1, n, large) for m, n in layers),
    )


@cache
def large_phases(dtype: Any, reach: int, compressed: bool) -> SimpleNamespace:
    """Return the phases of a step, shared out to all blocks, as `large_kernels` needs them.

    Their `scope` is the grid of all blocks, and the block's shared memory.
    """
    zero = dtype(0)

    @cuda.jit(device=True)
    def store_output(arguments, layer, row, j, total):
        """Add the bias; (2.13) to (2.15)."""
        w, layers, training, key, n = arguments
        table = layers.table
        n_out = table[layer, UNITS]
        z = total + w[table[layer, START] + table[layer - 1, UNITS] * n_out + j]
        store_unit(layers, layer, row, j, z, training, key, n)

    @cuda.jit(device=True)
    def store_delta(layers, layer, row, k, total):
        """Multiply by the slope of the layer below (2.42)."""
        table, buffer = layers.table, layers.buffer
        at = row * table[layer - 1, UNITS] + k
        slope = buffer[table[layer - 1, SLOPES] + at]
        buffer[table[layer - 1, DELTAS] + at] = total * slope

    @cuda.jit(device=True)
    def store_parameter(arguments, layer, k, j, total):
        """Change a weight by its gradient; row n_in is the bias."""
        state, table, step = arguments
        p = table[layer, START] + k * table[layer, UNITS] + j
        if k < table[layer - 1, UNITS]:
            total += penalty(step, state.w[p])
        optimizer_step(step, state, p, total / step.count)

    x_times_w = make_product(dtype, reach, SPLIT, (True, False), store_output)
    delta_times_w = make_product(dtype, reach, SPLIT, (True, True), store_delta)
    x_times_delta = make_product(dtype, reach, 1, (False, False), store_parameter)

    @cuda.jit(device=True)
    def identify(scope):
        """Return this thread's number, and how many there are."""
        return cuda.grid(1), cuda.gridsize(1)

    @cuda.jit(device=True)
    def meet(scope):
        """Wait for the threads of all blocks."""
        scope[0].sync()

    @cuda.jit(device=True)
    def load(scope, buffer, samples, order, first, rows):
        """Copy the samples of a batch, times the scale, to the outputs of layer 0."""
        X, scale = samples.X, samples.scale
        n = X.shape[1]
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            i = order[first + row]
            for k in range(cuda.threadIdx.x, n, THREADS):
                buffer[row * n + k] = real(scale, X[i, k]) * scale

    @cuda.jit(device=True)
    def load_compressed(scope, buffer, samples, order, first, rows):
        """Do the same with compressed rows: a row becomes 0, then what is something else."""
        (values, columns, starts, n), scale = samples.X, samples.scale
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            i = order[first + row]
            for k in range(cuda.threadIdx.x, n, THREADS):
                buffer[row * n + k] = zero
            cuda.syncthreads()
            for k in range(starts[i] + cuda.threadIdx.x, starts[i + 1], THREADS):
                buffer[row * n + columns[k]] = real(scale, values[k]) * scale

    @cuda.jit(device=True)
    def forward(scope, w, layers, layer, rows, training, key, n):
        """Compute y = f(x W + b) (2.12), and the slope."""
        table, buffer = layers.table, layers.buffer
        n_in, n_out = table[layer - 1, UNITS], table[layer, UNITS]
        x, start, shared = table[layer - 1, OUTPUTS], table[layer, START], scope[1]
        arguments = w, layers, training, key, n
        x_times_w(
            buffer, x, n_in, w, start, n_out, rows, n_out, n_in, False, shared, arguments, layer
        )

    @cuda.jit(device=True)
    def backward(scope, w, layers, layer, rows):
        """Compute the deltas of the layer below: (delta W^T) times its slope (2.42)."""
        table, buffer = layers.table, layers.buffer
        n_in, n_out = table[layer - 1, UNITS], table[layer, UNITS]
        delta, start, shared = table[layer, DELTAS], table[layer, START], scope[1]
        delta_times_w(
            buffer, delta, n_out, w, start, n_out, rows, n_in, n_out, False, shared, layers, layer
        )

    @cuda.jit(device=True)
    def update(scope, state, layers, layer, rows, step):
        """Form x^T delta / N (2.44) and change weights and bias."""
        table, buffer = layers.table, layers.buffer
        n_in, n_out = table[layer - 1, UNITS], table[layer, UNITS]
        x, delta, shared = table[layer - 1, OUTPUTS], table[layer, DELTAS], scope[1]
        arguments = state, table, step
        x_times_delta(
            buffer, x, n_in, buffer, delta, n_out, n_in + 1, n_out, rows, True, shared, arguments,
            layer,
        )  # fmt: skip

    return SimpleNamespace(
        identify=identify,
        meet=meet,
        load=load_compressed if compressed else load,
        forward=forward,
        backward=backward,
        update=update,
    )


@cache
def large_kernels(dtype: Any, reach: int, compressed: bool = False) -> SimpleNamespace:
    """Return the kernels for numba.float32 or numba.float64, and a reach of the threads.

    X is an array or, if `compressed`, a tuple as `calls.table_on_device` makes it.
    """
    phases = large_phases(dtype, reach, compressed)
    load, forward, train_network = phases.load, phases.forward, make_train(phases)
    n_reals = max(n_shared(reach, SPLIT), n_shared(reach, 1))

    @cuda.jit(**LIMIT)
    def train(
        w, moment_1, moment_2, buffer, table, parameters, loss, X, scale, targets, weights, order,
        n_samples, batch, key, learning_rates, optimizer, numbers, n, sums,
    ):  # fmt: skip
        """Train a network for sums.shape[0] epochs, after n steps."""
        scope = cuda.cg.this_grid(), cuda.shared.array(n_reals, dtype)
        state, layers = State(w, moment_1, moment_2), Layers(table, parameters, loss, batch, buffer)
        samples = Samples(X, scale, targets, weights)
        schedule = Schedule(order, n_samples, batch, key, learning_rates)
        train_network(scope, state, layers, samples, schedule, optimizer, numbers, n, sums)

    @cuda.jit(**LIMIT)
    def apply(
        w, buffer, table, parameters, loss, X, scale, targets, weights, order, threshold, right
    ):
        """Fill the buffer for all samples at once.

        `right` gets the weight of a sample where the class is right, else 0.
        """
        grid = cuda.cg.this_grid()
        scope = grid, cuda.shared.array(n_reals, dtype)
        last, rows = table.shape[0] - 1, order.shape[0]
        thread, n_threads = cuda.grid(1), cuda.gridsize(1)
        layers = Layers(table, parameters, loss, rows, buffer)
        samples = Samples(X, scale, targets, weights)
        load(scope, buffer, samples, order, 0, rows)
        grid.sync()
        for layer in range(1, last + 1):
            forward(scope, w, layers, layer, rows, False, np.uint64(0), np.uint64(0))
            grid.sync()
        finish_rows(layers, samples, order, 0, rows, thread, n_threads)
        units = table[last, UNITS]
        for row in range(thread, rows, n_threads):
            at, i = table[last, OUTPUTS] + row * units, order[row]
            y = buffer[at : at + units]
            is_one = is_right(y, units, loss, threshold, targets, i)
            right[row] = weight_of(samples, i) if is_one else real(scale, 0)

    return SimpleNamespace(train=train, apply=apply)
