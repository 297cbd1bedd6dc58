"""The CUDA kernels of large networks: all blocks of the GPU work on one, all steps of a call.

They are cooperative kernels: the blocks meet at a barrier after each phase of a step, so that no
launch comes in between. Products are made by tiles in shared memory, each tile by one block, each
sum by one thread in a fixed order, so that results are the same in every run.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from numba import config, cuda

from ._cuda_device import DELTAS, OUTPUTS, SLOPES, START, UNITS, device_functions

# A block has TILE x TILE threads; the simulator has a Python thread for each of them.
TILE = 4 if config.ENABLE_CUDASIM else 16
# Four blocks on a multiprocessor, not one, so that some work while others wait.
LIMIT = {} if config.ENABLE_CUDASIM else {"max_registers": 64}


@cache
def large_kernels(real: Any) -> SimpleNamespace:
    """Return the kernels for numba.float32 or numba.float64."""
    own = device_functions(real)
    finish_rows, store_unit = own.finish_rows, own.store_unit
    rate_of_step, descend, is_right = own.rate_of_step, own.descend, own.is_right
    zero, one = real(0), real(1)

    @cuda.jit(device=True)
    def load(buffer, X, scale, samples, first, rows):
        """Copy the samples of a batch, times the scale, to the outputs of layer 0."""
        n = X.shape[1]
        for row in range(cuda.blockIdx.x, rows, cuda.gridDim.x):
            i = samples[first + row]
            for k in range(cuda.threadIdx.y * TILE + cuda.threadIdx.x, n, TILE * TILE):
                buffer[row * n + k] = real(X[i, k]) * scale

    @cuda.jit(device=True)
    def forward(w, buffer, table, layer, batch, rows, training, key, step):
        """Compute y = f(x W + b) (2.12) to (2.15), and the slope."""
        tile_x = cuda.shared.array((TILE, TILE), real)
        tile_w = cuda.shared.array((TILE, TILE), real)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        n_in, n_out, start = table[layer - 1, UNITS], table[layer, UNITS], table[layer, START]
        x, across = table[layer - 1, OUTPUTS], (n_out + TILE - 1) // TILE
        for tile in range(cuda.blockIdx.x, (rows + TILE - 1) // TILE * across, cuda.gridDim.x):
            row, j = tile // across * TILE + ty, tile % across * TILE + tx
            total = zero
            for k in range(0, n_in, TILE):
                inside = row < rows and k + tx < n_in
                tile_x[ty, tx] = buffer[x + row * n_in + k + tx] if inside else zero
                inside = k + ty < n_in and j < n_out
                tile_w[ty, tx] = w[start + (k + ty) * n_out + j] if inside else zero
                cuda.syncthreads()
                for q in range(TILE):
                    total += tile_x[ty, q] * tile_w[q, tx]
                cuda.syncthreads()
            if row < rows and j < n_out:
                total += w[start + n_in * n_out + j]
                store_unit(buffer, table, layer, batch, row, j, total, training, key, step)

    @cuda.jit(device=True)
    def backward(w, buffer, table, layer, rows):
        """Compute the deltas of the layer below: (delta W^T) times its slope (2.42)."""
        tile_d = cuda.shared.array((TILE, TILE), real)
        tile_w = cuda.shared.array((TILE, TILE), real)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        n_in, n_out, start = table[layer - 1, UNITS], table[layer, UNITS], table[layer, START]
        delta, across = table[layer, DELTAS], (n_in + TILE - 1) // TILE
        for tile in range(cuda.blockIdx.x, (rows + TILE - 1) // TILE * across, cuda.gridDim.x):
            row, k = tile // across * TILE + ty, tile % across * TILE + tx
            own_k = tile % across * TILE + ty  # the row of W that this thread loads
            total = zero
            for j in range(0, n_out, TILE):
                inside = row < rows and j + tx < n_out
                tile_d[ty, tx] = buffer[delta + row * n_out + j + tx] if inside else zero
                inside = own_k < n_in and j + tx < n_out
                tile_w[ty, tx] = w[start + own_k * n_out + j + tx] if inside else zero
                cuda.syncthreads()
                for q in range(TILE):
                    total += tile_d[ty, q] * tile_w[tx, q]
                cuda.syncthreads()
            if row < rows and k < n_in:
                at = row * n_in + k
                slope = buffer[table[layer - 1, SLOPES] + at]
                buffer[table[layer - 1, DELTAS] + at] = total * slope

    @cuda.jit(device=True)
    def update(w, moment_1, moment_2, buffer, table, layer, rows, kind, rate, numbers):
        """Form x^T delta / rows (2.44) and change weights and bias; row n_in is the bias."""
        tile_x = cuda.shared.array((TILE, TILE), real)
        tile_d = cuda.shared.array((TILE, TILE), real)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        n_in, n_out, start = table[layer - 1, UNITS], table[layer, UNITS], table[layer, START]
        x, delta, across = (
            table[layer - 1, OUTPUTS],
            table[layer, DELTAS],
            (n_out + TILE - 1) // TILE,
        )
        for tile in range(cuda.blockIdx.x, (n_in // TILE + 1) * across, cuda.gridDim.x):
            k, j = tile // across * TILE + ty, tile % across * TILE + tx
            own_k = tile // across * TILE + tx  # the column of x that this thread loads
            total = zero
            for row in range(0, rows, TILE):
                value = zero
                if row + ty < rows and own_k <= n_in:
                    value = buffer[x + (row + ty) * n_in + own_k] if own_k < n_in else one
                tile_x[ty, tx] = value
                inside = row + ty < rows and j < n_out
                tile_d[ty, tx] = buffer[delta + (row + ty) * n_out + j] if inside else zero
                cuda.syncthreads()
                for q in range(TILE):
                    total += tile_x[q, ty] * tile_d[q, tx]
                cuda.syncthreads()
            if k <= n_in and j < n_out:
                p = start + k * n_out + j
                if k < n_in:
                    total += real(numbers[4]) * w[p]
                descend(kind, w, moment_1, moment_2, p, total / real(rows), rate, numbers)

    @cuda.jit(**LIMIT)
    def train(
        w, moment_1, moment_2, buffer, table, X, scale, targets, order, batch, loss, kind, numbers,
        key, step, sums,
    ):  # fmt: skip
        """Train a network for sums.shape[0] epochs; `numbers` as in `_cuda_small`."""
        grid = cuda.cg.this_grid()
        last, n = table.shape[0] - 1, order.shape[1]
        thread = (cuda.blockIdx.x * TILE + cuda.threadIdx.y) * TILE + cuda.threadIdx.x
        n_threads = cuda.gridDim.x * TILE * TILE
        for epoch in range(sums.shape[0]):
            samples = order[epoch % order.shape[0]]
            for first in range(0, n, batch):
                rows = min(batch, n - first)
                load(buffer, X, scale, samples, first, rows)
                grid.sync()
                for layer in range(1, last + 1):
                    forward(w, buffer, table, layer, batch, rows, True, key, np.uint64(step))
                    grid.sync()
                finish_rows(
                    buffer, table, batch, loss, targets, samples, first, rows, thread, n_threads
                )
                grid.sync()
                if thread == 0:
                    for row in range(rows):
                        sums[epoch] += buffer[buffer.shape[0] - batch + row]
                for layer in range(last, 1, -1):
                    backward(w, buffer, table, layer, rows)
                    grid.sync()
                step += 1
                rate = rate_of_step(kind, numbers, step)
                for layer in range(1, last + 1):
                    update(w, moment_1, moment_2, buffer, table, layer, rows, kind, rate, numbers)
                grid.sync()

    @cuda.jit
    def apply(w, buffer, table, X, scale, targets, samples, loss, right):
        """Fill the buffer for all samples at once; `right` gets 1 where the class is right."""
        grid = cuda.cg.this_grid()
        last, n = table.shape[0] - 1, samples.shape[0]
        thread = (cuda.blockIdx.x * TILE + cuda.threadIdx.y) * TILE + cuda.threadIdx.x
        n_threads = cuda.gridDim.x * TILE * TILE
        load(buffer, X, scale, samples, 0, n)
        grid.sync()
        for layer in range(1, last + 1):
            forward(w, buffer, table, layer, n, n, False, np.uint64(0), np.uint64(0))
            grid.sync()
        finish_rows(buffer, table, n, loss, targets, samples, 0, n, thread, n_threads)
        units = table[last, UNITS]
        for row in range(thread, n, n_threads):
            at = table[last, OUTPUTS] + row * units
            y = buffer[at : at + units]
            right[row] = 1 if is_right(y, units, loss, targets, samples[row]) else 0

    return SimpleNamespace(train=train, apply=apply)
