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

from .. import interface as api
from .device import DELTAS, OUTPUTS, SLOPES, START, UNITS, device_functions
from .product import SPLIT, THREADS, make_product, n_shared, n_tiles, side_of

# Of a thread: two blocks share the 65,536 of a multiprocessor, one works while the other waits.
LIMIT = {} if config.ENABLE_CUDASIM else {"max_registers": 128}
MANY_TILES = 128  # work for every multiprocessor of a large GPU; not yet measured


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


@cache
def large_kernels(real: Any, work: int) -> SimpleNamespace:
    """Return the kernels for numba.float32 or numba.float64, and so much work for a thread."""
    own = device_functions(real)
    finish_rows, add_losses, store_unit = own.finish_rows, own.add_losses, own.store_unit
    rule_of_step, descend, is_right = own.rule_of_step, own.descend, own.is_right
    size = max(n_shared(work, SPLIT), n_shared(work, 1))

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
        w, moment_1, moment_2, table, rows, rule = arguments
        p = table[layer, START] + k * table[layer, UNITS] + j
        if k < table[layer - 1, UNITS]:
            total += rule[5] * w[p]
        descend(rule, w, moment_1, moment_2, p, total / real(rows))

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
    def update(w, moment_1, moment_2, buffer, table, layer, rows, rule, shared):
        """Form x^T delta / rows (2.44) and change weights and bias."""
        n_in, n_out = table[layer - 1, UNITS], table[layer, UNITS]
        x, delta = table[layer - 1, OUTPUTS], table[layer, DELTAS]
        arguments = w, moment_1, moment_2, table, rows, rule
        x_times_delta(
            buffer, x, n_in, buffer, delta, n_out, n_in + 1, n_out, rows, True, shared, arguments,
            layer,
        )  # fmt: skip

    @cuda.jit(**LIMIT)
    def train(
        w, moment_1, moment_2, buffer, table, X, scale, targets, order, batch, loss, kind, numbers,
        key, step, sums,
    ):  # fmt: skip
        """Train a network for sums.shape[0] epochs; `numbers` as in `small`."""
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
                rule = rule_of_step(kind, numbers, step)
                for layer in range(1, last + 1):
                    update(w, moment_1, moment_2, buffer, table, layer, rows, rule, shared)
                grid.sync()

    @cuda.jit(**LIMIT)
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
