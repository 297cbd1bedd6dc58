"""The product of two matrices in a CUDA kernel: by tiles in shared memory, one a block at a time.

The inner dimension is taken in slices, each group of threads its own; the sums of the groups are
added at the end. Every sum is formed in a fixed order.
"""

from math import isqrt
from typing import Any

import numpy as np
from numba import config, cuda

# The simulator has a Python thread for each of a block's.
THREADS, DEPTH = (16, 4) if config.ENABLE_CUDASIM else (256, 32)
SPLIT = 4  # groups of threads that share the sums of a tile where the sums are long


def side_of(reach: int, split: int) -> int:
    """Return the rows (and columns) of a tile of which each thread has reach x reach outputs."""
    return isqrt(THREADS // split) * reach


def depth_of(reach: int) -> int:
    """Return how many terms of its sums a group of threads has in shared memory at once."""
    return DEPTH // min(reach, 2)


def n_shared(reach: int, split: int) -> int:
    """Return the reals of shared memory: a slice of A and of B for each group, or its sums.

    A row of a slice is one longer than a tile, so that its columns lie in different banks.
    """
    side = side_of(reach, split)
    return split * max(2 * depth_of(reach) * (side + 1), side * side)


def n_tiles(n_rows: int, n_columns: int, side: int) -> int:
    """Return how many tiles cover a matrix."""
    return -(-n_rows // side) * -(-n_columns // side)


def make_product(dtype: Any, reach: int, split: int, inner: tuple[bool, bool], store: Any) -> Any:
    """Return a device function that forms a matrix A B by all blocks.

    Parameters
    ----------
    reach : int
        A thread has reach x reach outputs, so that a number is used so often once it is loaded.
    split : int
        Groups of threads.
    inner : (bool, bool)
        Whether neighbours in the memory of A, of B, are neighbours in the inner dimension.
    store : device function of (arguments, layer, row, column, total)
        Takes an element of the product.
    """
    zero, one = dtype(0), dtype(1)
    side, depth, pitch = side_of(reach, split), depth_of(reach), side_of(reach, split) + 1
    n, group_threads = side // reach, THREADS // split
    n_loads = side * depth // group_threads
    unroll = min(depth, 8 // reach)  # a loop of so few turns is written out by the compiler
    a_inner, b_inner = inner

    @cuda.jit(device=True)
    def place(own, load, length):
        """Return which of `length` neighbours, and of which row of them, a thread loads."""
        at_once = min(length, group_threads)
        parts, rows = length // at_once, group_threads // at_once
        return own % at_once + load % parts * at_once, own // at_once + load // parts * rows

    @cuda.jit(device=True)
    def load_slice(
        matrix, start, stride, by_inner, line, n_lines, first, n_inner, ones, own, shared, to
    ):
        """Copy `depth` numbers of each of `side` rows of A or columns of B, 0 where there are none.

        If `ones`, the last of the n_lines is all 1.
        """
        for load in range(n_loads):  # no branches: all loads are under way at once
            if by_inner:
                q, r = place(own, load, depth)
                at = (line + r) * stride + first + q
            else:
                r, q = place(own, load, side)
                at = (first + q) * stride + line + r
            inside = (line + r < n_lines) & (first + q < n_inner)
            value = matrix[np.uint64(start + at if inside else 0)]  # unsigned: from the start
            value = one if ones & (line + r == n_lines - 1) else value
            shared[to + q * pitch + r] = value if inside else zero

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
        total = cuda.local.array((reach, reach), dtype)
        across = (n_columns + side - 1) // side
        for tile in range(cuda.blockIdx.x, (n_rows + side - 1) // side * across, cuda.gridDim.x):
            row, column = tile // across * side, tile % across * side
            for i in range(reach):
                for j in range(reach):
                    total[i, j] = zero
            for slices in range(0, n_inner, split * depth):
                first = slices + group * depth
                load_slice(
                    a, a_start, a_stride, a_inner, row, n_rows, first, n_inner, ones, own, shared,
                    a_at,
                )  # fmt: skip
                load_slice(
                    b, b_start, b_stride, b_inner, column, n_columns, first, n_inner, False, own,
                    shared, b_at,
                )  # fmt: skip
                cuda.syncthreads()
                for part in range(0, depth, unroll):
                    for turn in range(unroll):
                        q = (part & (depth - 1)) + turn
                        for i in range(reach):
                            for j in range(reach):
                                left = shared[a_at + q * pitch + ty + n * i]
                                total[i, j] += left * shared[b_at + q * pitch + tx + n * j]
                cuda.syncthreads()
            for i in range(reach):
                for j in range(reach):
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
