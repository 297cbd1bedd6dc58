"""The CUDA kernels of large networks: a launch per layer, products by tiles in shared memory.

Every sum is formed by one thread in a fixed order, so that results are the same in every run.
"""

from functools import cache
from types import SimpleNamespace
from typing import Any

from numba import config, cuda

from ._cuda_device import device_functions

# Threads of a block, with and without tiles; the simulator has a Python thread for each of them.
TILE, BLOCK = (4, 8) if config.ENABLE_CUDASIM else (16, 128)


@cache
def layer_kernels(real: Any) -> SimpleNamespace:
    """Return the kernels for numba.float32 or numba.float64."""
    own = device_functions(real)
    activate, slope_of, finish = own.activate, own.slope_of, own.finish
    is_right, mask, descend = own.is_right, own.mask, own.descend
    zero, one = real(0), real(1)

    @cuda.jit
    def gather(X, order, first, scale, x, rows):
        """Copy the samples of a batch, times the scale, to the rows of x."""
        row, k = cuda.blockIdx.y, cuda.blockIdx.x * cuda.blockDim.x + cuda.threadIdx.x
        if row < rows and k < X.shape[1]:
            x[row, k] = real(X[order[first + row], k]) * scale

    @cuda.jit
    def forward(x, w, start, n_in, n_out, z, y, slope, rows, code, layer, dropout, key, step):
        """Compute y = f(x W + b) (2.12) to (2.15), and the slope; `dropout` is limit, factor."""
        tile_x = cuda.shared.array((TILE, TILE), real)
        tile_w = cuda.shared.array((TILE, TILE), real)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        row, j = cuda.blockIdx.y * TILE + ty, cuda.blockIdx.x * TILE + tx
        total = zero
        for k in range(0, n_in, TILE):
            tile_x[ty, tx] = x[row, k + tx] if row < rows and k + tx < n_in else zero
            inside = k + ty < n_in and j < n_out
            tile_w[ty, tx] = w[start + (k + ty) * n_out + j] if inside else zero
            cuda.syncthreads()
            for q in range(TILE):
                total += tile_x[ty, q] * tile_w[q, tx]
            cuda.syncthreads()
        if row < rows and j < n_out:
            total += w[start + n_in * n_out + j]
            value = activate(code, total)
            steep = slope_of(code, total, value)
            if dropout[0] > 0:
                factor = mask(key, step, row, layer, j, dropout[0], real(dropout[1]))
                value *= factor
                steep *= factor
            z[row, j], y[row, j], slope[row, j] = total, value, steep

    @cuda.jit
    def output(z, y, delta, rows, n, code, loss, targets, order, first, losses):
        """Compute outputs and deltas of the last layer, and the loss of each row."""
        row = cuda.grid(1)
        if row < rows:
            i = order[first + row]
            losses[row] = finish(z[row], y[row], delta[row], n, code, loss, targets, i)

    @cuda.jit
    def add_losses(losses, rows, sums, at):
        """Add the losses of a batch to its epoch's, in a fixed order."""
        for row in range(rows):
            sums[at] += losses[row]

    @cuda.jit
    def count_right(y, rows, n, loss, targets, first, right):
        """Write 1 where the outputs of a row name the right class, else 0."""
        row = cuda.grid(1)
        if row < rows:
            right[first + row] = 1 if is_right(y[row], n, loss, targets, first + row) else 0

    @cuda.jit
    def backward(delta, w, start, n_in, n_out, slope, below, rows):
        """Compute the deltas of the layer below: (delta W^T) times its slope (2.42)."""
        tile_d = cuda.shared.array((TILE, TILE), real)
        tile_w = cuda.shared.array((TILE, TILE), real)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        row, k = cuda.blockIdx.y * TILE + ty, cuda.blockIdx.x * TILE + tx
        own_k = cuda.blockIdx.x * TILE + ty  # the row of W that this thread loads
        total = zero
        for j in range(0, n_out, TILE):
            tile_d[ty, tx] = delta[row, j + tx] if row < rows and j + tx < n_out else zero
            inside = own_k < n_in and j + tx < n_out
            tile_w[ty, tx] = w[start + own_k * n_out + j + tx] if inside else zero
            cuda.syncthreads()
            for q in range(TILE):
                total += tile_d[ty, q] * tile_w[tx, q]
            cuda.syncthreads()
        if row < rows and k < n_in:
            below[row, k] = total * slope[row, k]

    @cuda.jit
    def update(x, delta, w, moment_1, moment_2, start, n_in, n_out, rows, kind, numbers):
        """Form x^T delta / rows (2.44) and change weights and bias; row n_in is the bias.

        `numbers` are rate, beta_1, beta_2, epsilon, alpha.
        """
        tile_x = cuda.shared.array((TILE, TILE), real)
        tile_d = cuda.shared.array((TILE, TILE), real)
        tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
        k, j = cuda.blockIdx.y * TILE + ty, cuda.blockIdx.x * TILE + tx
        own_k = cuda.blockIdx.y * TILE + tx  # the column of x that this thread loads
        total = zero
        for row in range(0, rows, TILE):
            value = zero
            if row + ty < rows and own_k <= n_in:
                value = x[row + ty, own_k] if own_k < n_in else one
            tile_x[ty, tx] = value
            tile_d[ty, tx] = delta[row + ty, j] if row + ty < rows and j < n_out else zero
            cuda.syncthreads()
            for q in range(TILE):
                total += tile_x[q, ty] * tile_d[q, tx]
            cuda.syncthreads()
        if k <= n_in and j < n_out:
            p = start + k * n_out + j
            if k < n_in:
                total += numbers[4] * w[p]
            g = total / real(rows)
            rate, beta_1, beta_2, epsilon, _ = numbers
            descend(kind, w, moment_1, moment_2, p, g, rate, beta_1, beta_2, epsilon)

    return SimpleNamespace(
        gather=gather,
        forward=forward,
        output=output,
        add_losses=add_losses,
        count_right=count_right,
        backward=backward,
        update=update,
    )
