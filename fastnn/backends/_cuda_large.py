"""The CUDA kernels of large networks: all blocks of the GPU work on one, all steps of a call.

They are cooperative kernels: the blocks meet at a barrier after each phase of a step, so that no
launch comes in between. Every sum is formed in a fixed order, so that results are the same in
every run.
"""

from functools import cache
from math import isqrt
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import config, cuda

from . import interface as api
from ._cuda_device import DELTAS, OUTPUTS, SLOPES, START, UNITS, device_functions

# The simulator has a Python thread for each of a block's.
THREADS, DEPTH = (16, 4) if config.ENABLE_CUDASIM else (256, 32)
SPLIT = 4  # groups of threads that share the sums of a tile where the sums are long
# Some blocks of a multiprocessor work while others wait; of 256 threads, it has room for 65,536.
MAX_REGISTERS = {1: 128, 2: 128, 4: 128}
MANY_TILES = 128  # work for every multiprocessor of a large GPU; not yet measured


def side_of(work: int, split: int) -> int:
    """Return the rows (and columns) of a tile of which each thread has work x work outputs."""
    return isqrt(THREADS // split) * work


def depth_of(work: int) -> int:
    """Return how many terms of its sums a group of threads has in shared memory at once."""
    return DEPTH // min(work, 2)


def n_shared(work: int, split: int) -> int:
    """Return the reals of shared memory: a slice of A and of B for each group, or its sums.

    A row of a slice is one longer than a tile, so that its columns lie in different banks.
    """
    side = side_of(work, split)
    return split * max(2 * depth_of(work) * (side + 1), side * side)


def n_tiles(n_rows: int, n_columns: int, side: int) -> int:
    """Return how many tiles cover a matrix."""
    return -(-n_rows // side) * -(-n_columns // side)


def work_for(net: api.Network, rows: int) -> int:
    """Return the most work for a thread that leaves MANY_TILES in the largest layer."""
    largest = max(net.sizes[1:])
    wide = (work for work in (4, 2) if n_tiles(rows, largest, side_of(work, SPLIT)) >= MANY_TILES)
    return next(wide, 1)


def most_blocks(net: api.Network, rows: int, work: int) -> int:
    """Return the most tiles that a phase has: more blocks would be idle."""
    small, large = side_of(work, SPLIT), side_of(work, 1)
    layers = list(zip(net.sizes, net.sizes[1:], strict=False))
    return max(
        *(n_tiles(rows, n, small) for n in net.sizes),
        *(n_tiles(m + 1, n, large) for m, n in layers),
    )


def make_product(real: Any, work: int, split: int, inner: tuple[bool, bool], store: Any) -> Any:
    """Return a device function that forms a matrix A B by tiles in shared memory, one a block.

    The inner dimension is taken in slices, each group of threads its own; the groups' sums are
    added at the end.

    Parameters
    ----------
    work : int
        A thread has work x work outputs, so that a number is used so often once it is loaded.
    split : int
        Groups of threads.
    inner : (bool, bool)
        Whether neighbours in the memory of A, of B, are neighbours in the inner dimension.
    store : device function of (arguments, layer, row, column, total)
        Takes an element of the product.
    """
    zero, one = real(0), real(1)
    side, depth, pitch = side_of(work, split), depth_of(work), side_of(work, split) + 1
    n, group_threads = side // work, THREADS // split
    n_loads = side * depth // group_threads
    unroll = min(depth, 8 // work)  # a loop of so few turns is written out by the compiler
    a_inner, b_inner = inner

    @cuda.jit(device=True)
    def place(own, load, length):
        """Return which of `length` neighbours, and of which row of them, a thread loads."""
        at_once = min(length, group_threads)
        parts, rows = length // at_once, group_threads // at_once
        return own % at_once + load % parts * at_once, own // at_once + load // parts * rows

    @cuda.jit(device=True)
    def product(
        a, a_start, a_stride, b, b_start, b_stride, n_rows, n_columns, n_inner, ones, shared,
        arguments, layer,
    ):  # fmt: skip
        """Strides are those of the other dimension; if `ones`, the last row of A is all 1."""
        t = cuda.threadIdx.x & (THREADS - 1)  # the compiler learns that no index is negative
        group, own = t // group_threads, t % group_threads
        ty, tx = own // n, own % n
        a_at = 2 * group * depth * pitch
        b_at = a_at + depth * pitch
        total = cuda.local.array((work, work), real)
        across = (n_columns + side - 1) // side
        for tile in range(cuda.blockIdx.x, (n_rows + side - 1) // side * across, cuda.gridDim.x):
            row, column = tile // across * side, tile % across * side
            for i in range(work):
                for j in range(work):
                    total[i, j] = zero
            for slices in range(0, n_inner, split * depth):
                first = slices + group * depth
                for load in range(n_loads):  # no branches: all loads are under way at once
                    if a_inner:
                        q, r = place(own, load, depth)
                    else:
                        r, q = place(own, load, side)
                    inside = (row + r < n_rows) & (first + q < n_inner)
                    at = (row + r) * a_stride + first + q
                    if not a_inner:
                        at = (first + q) * a_stride + row + r
                    value = a[a_start + at if inside else 0]
                    value = one if ones & (row + r == n_rows - 1) else value
                    shared[a_at + q * pitch + r] = value if inside else zero
                    if b_inner:
                        q, c = place(own, load, depth)
                    else:
                        c, q = place(own, load, side)
                    inside = (column + c < n_columns) & (first + q < n_inner)
                    at = (column + c) * b_stride + first + q
                    if not b_inner:
                        at = (first + q) * b_stride + column + c
                    value = b[b_start + at if inside else 0]
                    shared[b_at + q * pitch + c] = value if inside else zero
                cuda.syncthreads()
                for part in range(0, depth, unroll):
                    for step in range(unroll):
                        q = (part & (depth - 1)) + step
                        for i in range(work):
                            for j in range(work):
                                left = shared[a_at + q * pitch + ty + n * i]
                                total[i, j] += left * shared[b_at + q * pitch + tx + n * j]
                cuda.syncthreads()
            for i in range(work):
                for j in range(work):
                    shared[(group * side + ty + n * i) * side + tx + n * j] = total[i, j]
            cuda.syncthreads()
            for part in range(max(1, side * side // THREADS)):
                e = part * THREADS + t
                r, c = e // side, e % side
                if e < side * side and row + r < n_rows and column + c < n_columns:
                    value = shared[e]
                    for other in range(1, split):
                        value += shared[other * side * side + e]
                    store(arguments, layer, row + r, column + c, value)
            cuda.syncthreads()

    return product


@cache
def large_kernels(real: Any, work: int) -> SimpleNamespace:
    """Return the kernels for numba.float32 or numba.float64, and so much work for a thread."""
    own = device_functions(real)
    finish_rows, add_losses, store_unit = own.finish_rows, own.add_losses, own.store_unit
    rate_of_step, descend, is_right = own.rate_of_step, own.descend, own.is_right
    size = max(n_shared(work, SPLIT), n_shared(work, 1))
    limit = {} if config.ENABLE_CUDASIM else {"max_registers": MAX_REGISTERS[work]}

    @cuda.jit(device=True)
    def store_output(arguments, layer, row, j, total):
        """Add the bias; (2.13) to (2.15)."""
        w, buffer, table, batch, training, key, step = arguments
        n_out = table[layer, UNITS]
        total += w[table[layer, START] + table[layer - 1, UNITS] * n_out + j]
        store_unit(buffer, table, layer, batch, row, j, total, training, key, step)

    @cuda.jit(device=True)
    def store_delta(arguments, layer, row, k, total):
        """Multiply by the slope of the layer below (2.42)."""
        buffer, table = arguments
        at = row * table[layer - 1, UNITS] + k
        slope = buffer[table[layer - 1, SLOPES] + at]
        buffer[table[layer - 1, DELTAS] + at] = total * slope

    @cuda.jit(device=True)
    def store_parameter(arguments, layer, k, j, total):
        """Change a weight by its gradient; row n_in is the bias."""
        w, moment_1, moment_2, table, rows, kind, rate, numbers = arguments
        p = table[layer, START] + k * table[layer, UNITS] + j
        if k < table[layer - 1, UNITS]:
            total += real(numbers[4]) * w[p]
        descend(kind, w, moment_1, moment_2, p, total / real(rows), rate, numbers)

    x_times_w = make_product(real, work, SPLIT, (True, False), store_output)
    delta_times_w = make_product(real, work, SPLIT, (True, True), store_delta)
    x_times_delta = make_product(real, work, 1, (False, False), store_parameter)

    @cuda.jit(device=True)
    def load(buffer, X, scale, samples, first, rows):
        """Copy the samples of a batch, times the scale, to the outputs of layer 0."""
        n = X.shape[1]
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            i = samples[first + row]
            for k in range(cuda.threadIdx.x, n, THREADS):
                buffer[row * n + k] = real(X[i, k]) * scale

    @cuda.jit(device=True)
    def forward(w, buffer, table, layer, batch, rows, training, key, step, shared):
        """Compute y = f(x W + b) (2.12), and the slope."""
        n_in, n_out = table[layer - 1, UNITS], table[layer, UNITS]
        x, start = table[layer - 1, OUTPUTS], table[layer, START]
        arguments = w, buffer, table, batch, training, key, step
        x_times_w(
            buffer, x, n_in, w, start, n_out, rows, n_out, n_in, False, shared, arguments, layer
        )

    @cuda.jit(device=True)
    def backward(w, buffer, table, layer, rows, shared):
        """Compute the deltas of the layer below: (delta W^T) times its slope (2.42)."""
        n_in, n_out = table[layer - 1, UNITS], table[layer, UNITS]
        delta, start = table[layer, DELTAS], table[layer, START]
        arguments = buffer, table
        delta_times_w(
            buffer, delta, n_out, w, start, n_out, rows, n_in, n_out, False, shared, arguments,
            layer,
        )  # fmt: skip

    @cuda.jit(device=True)
    def update(w, moment_1, moment_2, buffer, table, layer, rows, kind, rate, numbers, shared):
        """Form x^T delta / rows (2.44) and change weights and bias."""
        n_in, n_out = table[layer - 1, UNITS], table[layer, UNITS]
        x, delta = table[layer - 1, OUTPUTS], table[layer, DELTAS]
        arguments = w, moment_1, moment_2, table, rows, kind, rate, numbers
        x_times_delta(
            buffer, x, n_in, buffer, delta, n_out, n_in + 1, n_out, rows, True, shared, arguments,
            layer,
        )  # fmt: skip

    @cuda.jit(**limit)
    def train(
        w, moment_1, moment_2, buffer, table, X, scale, targets, order, batch, loss, kind, numbers,
        key, step, sums,
    ):  # fmt: skip
        """Train a network for sums.shape[0] epochs; `numbers` as in `_cuda_small`."""
        grid, shared = cuda.cg.this_grid(), cuda.shared.array(size, real)
        last, n = table.shape[0] - 1, order.shape[1]
        thread, n_threads = cuda.grid(1), cuda.gridsize(1)
        for epoch in range(sums.shape[0]):
            samples = order[epoch % order.shape[0]]
            for first in range(0, n, batch):
                rows = min(batch, n - first)
                load(buffer, X, scale, samples, first, rows)
                grid.sync()
                for layer in range(1, last + 1):
                    forward(
                        w, buffer, table, layer, batch, rows, True, key, np.uint64(step), shared
                    )
                    grid.sync()
                finish_rows(
                    buffer, table, batch, loss, targets, samples, first, rows, thread, n_threads
                )
                grid.sync()
                if thread == n_threads - 1:  # its block has the fewest tiles
                    add_losses(buffer, batch, rows, sums, epoch)
                for layer in range(last, 1, -1):
                    backward(w, buffer, table, layer, rows, shared)
                    grid.sync()
                step += 1
                rate = rate_of_step(kind, numbers, step)
                for layer in range(1, last + 1):
                    update(
                        w, moment_1, moment_2, buffer, table, layer, rows, kind, rate, numbers,
                        shared,
                    )  # fmt: skip
                grid.sync()

    @cuda.jit(**limit)
    def apply(w, buffer, table, X, scale, targets, samples, loss, right):
        """Fill the buffer for all samples at once; `right` gets 1 where the class is right."""
        grid, shared = cuda.cg.this_grid(), cuda.shared.array(size, real)
        last, n = table.shape[0] - 1, samples.shape[0]
        thread, n_threads = cuda.grid(1), cuda.gridsize(1)
        load(buffer, X, scale, samples, 0, n)
        grid.sync()
        for layer in range(1, last + 1):
            forward(w, buffer, table, layer, n, n, False, np.uint64(0), np.uint64(0), shared)
            grid.sync()
        finish_rows(buffer, table, n, loss, targets, samples, 0, n, thread, n_threads)
        units = table[last, UNITS]
        for row in range(thread, n, n_threads):
            at = table[last, OUTPUTS] + row * units
            y = buffer[at : at + units]
            right[row] = 1 if is_right(y, units, loss, targets, samples[row]) else 0

    return SimpleNamespace(train=train, apply=apply)
