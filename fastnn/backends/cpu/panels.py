"""How the compiled back ends lay out a network in memory: panels.

A matrix is stored as panels, blocks of `width` columns, one after the other, each row by row with
its rows `width` apart; the columns missing in the last panel are zeros. So a thread that owns a
block of units owns contiguous memory, and every row of a panel is a whole number of vectors.

- Weights: panel p of layer l is (n_in + 1, width); its last row is the bias.
- Outputs, slopes (f'(z), with the dropout factor) and deltas (d loss / d z): (batch, width).
- Transposed weights, for the deltas of the layer below: panels of n_in, each (n_out, width).

The kernels get one table with a row of integers per layer (columns below), and flat buffers.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..codes import HALF_SQUARED_ERROR, LOSSES, SGD, SOFTMAX, STORE_GRADIENT, SUM_SQUARED_ERROR
from ..compressed import CompressedRows
from ..interface import Network, Optimizer, Samples, Schedule, State
from ..shared import dropout_limit
from ..threads import available_processors

# Columns of the layer table; offsets count elements of the buffer named in parentheses.
UNITS, PANELS, ACTIVATION, DROP_LIMIT = 0, 1, 2, 3
WEIGHTS = 4  # (weights, moments)
TRANSPOSED, OUTPUTS, SLOPES, DELTAS = 5, 6, 7, 8  # (work)
N_COLUMNS = 9

# The settings of a call: one vector of integers, and one of floats, in which the parameters of the
# formulas follow, of each layer's activation and of the loss; last, where a batch is a shard of
# a larger one, the weight of all samples of that (else 0), as FIRST_ROW is the shard's place in it.
BATCH, LOSS, OPTIMIZER, MOST_VALUES, SCATTERED, N_THREADS, SEED, STEP, FIRST_ROW = range(9)
BETA_1, BETA_2, EPSILON, ALPHA, L1, WEIGHT_DECAY, MAX_NORM = range(7)
N_NUMBERS = 7

ALIGNMENT = 64  # bytes: a cache line, and the longest vector
FEW_BYTES = 2**14  # stay in the first cache, where crossing a line costs little
# Below this much work in a step, as `work_of` counts it, a second thread costs more than it brings.
# How many times faster two are than one, in float32: 784-30-10 on images, Nielsen's batches of 10
# 0.66 (48,000), batches of 32 with Adam 0.89 (270,000), of 128 1.54 (730,000); 64-64-10 0.98
# (180,000), 64-200-10 1.15 (550,000), 784-64-10 1.41 (580,000).
WORK_PER_THREAD = 150_000
MOMENTS_WORK = 5  # multiply-adds take as long as the update of a weight that has moments
# The gradient of the first layer is summed sample by sample if it has so few panels, and so few
# inputs that the sums stay in a near cache; else input by input, in registers. Measured for images:
# 1.0 and 1.3 microseconds a sample with one panel, 1.9 and 1.75 with two.
SCATTERED_PANELS = 1
SCATTERED_INPUTS = 2048
FORWARD_BATCH = 64
SLEEP_NANOSECONDS = 50_000_000  # at a barrier; then a thread looks whether to give up
# A network whose layers have at most so many units is small: see `is_small`.
SMALL_LAYER = 64
# Up to so many samples, the outputs are sooner computed than the weights are packed.
FEW_SAMPLES = 4


class Problem(NamedTuple):
    """The arguments of a compiled kernel, for one call.

    Attributes
    ----------
    table : (n_layers + 1, N_COLUMNS) of int64
        The layers, inputs first.
    settings : (9,) of int64
    numbers : (N_NUMBERS + n_layers + 2,) of float64
    weights, moment_1, moment_2 : flat buffers in panels; a moment that is not used is empty
    work : flat buffer for outputs, slopes, deltas and transposed weights, zeros
    lists : int32 buffer for the columns of compressed inputs, and for numbers of inputs
    offsets : int64 buffer for where inputs and samples begin in the lists
    sync : int64, alone in its cache line
        The counters of the barrier (see barrier.h) and its longest sleep, seconds and nanoseconds.
    stop : int64, alone in its cache line; not 0: the kernel has to return as soon as it can
    """

    table: NDArray[np.int64]
    settings: NDArray[np.int64]
    numbers: NDArray[np.float64]
    weights: NDArray
    moment_1: NDArray
    moment_2: NDArray
    work: NDArray
    lists: NDArray[np.int32]
    offsets: NDArray[np.int64]
    sync: NDArray[np.int64]
    stop: NDArray[np.int64]


def aligned(size: int, dtype) -> NDArray:
    """Return zeros that start at a cache line."""
    dtype = np.dtype(dtype)
    buffer = np.zeros(size * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + size * dtype.itemsize].view(dtype)


def aligned_copy(array: NDArray) -> NDArray:
    """Return a copy that starts at a cache line, if it is long.

    Where vectors cross lines, one sample of 784-512-10 takes 10.8 microseconds instead of 9.7.
    """
    if array.nbytes < FEW_BYTES:
        return array.copy()
    copy = aligned(array.size, array.dtype)
    copy[:] = array
    return copy


def new_stop() -> NDArray[np.int64]:
    """Return the flag by which the threads of a call are told to give up: see `run_workers`."""
    return aligned(ALIGNMENT // 8, np.int64)


def count_panels(units: int, width: int) -> int:
    """Return how many panels hold `units` columns."""
    return -(-units // width)


def build(
    net: Network,
    optimizer: Optimizer,
    params: NDArray,
    moments: NDArray,
    *,
    width: int,
    batch: int,
    most_values: int = 0,
    n_threads: int = 1,
    seed: int = 0,
    step: int = 0,
    stop: NDArray[np.int64] | None = None,
) -> Problem:
    """Lay out a network and its optimizer's state for kernels with panels of `width` columns.

    Of compressed inputs a batch has `most_values` at most; 0: inputs are dense.
    """
    table = np.zeros((len(net.sizes), N_COLUMNS), np.int64)
    n_weights = n_work = 0
    for layer, units in enumerate(net.sizes):
        row = table[layer]
        row[UNITS], row[PANELS] = units, count_panels(units, width)
        n_values = row[PANELS] * batch * width if layer or not most_values else 0
        row[OUTPUTS], n_work = n_work, n_work + n_values
        if layer == 0:
            continue
        row[ACTIVATION] = net.activations[layer - 1]
        row[DROP_LIMIT] = dropout_limit(net.dropout[layer - 1])
        row[SLOPES], row[DELTAS], n_work = n_work, n_work + n_values, n_work + 2 * n_values
        n_in = net.sizes[layer - 1]
        row[WEIGHTS], n_weights = n_weights, n_weights + row[PANELS] * (n_in + 1) * width
        if layer > 1:
            row[TRANSPOSED] = n_work
            n_work += table[layer - 1, PANELS] * units * width
    empty = np.empty(0, params.dtype)
    n_in = net.sizes[0]
    scattered = most_values > 0 and n_in <= SCATTERED_INPUTS
    scattered = scattered and table[1, PANELS] <= SCATTERED_PANELS
    settings = [batch, net.loss, optimizer.kind, most_values, scattered, n_threads, seed, step, 0]
    numbers = [optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, optimizer.alpha]
    numbers += [optimizer.l1, optimizer.weight_decay, optimizer.max_norm]
    numbers += [*net.formula_parameters, 0.0]
    # The columns of the values by sample, and the samples by input; where inputs and samples begin.
    n_lists = 2 * most_values
    n_offsets = n_in + 1 + (n_threads + 1) * batch if most_values else 0
    # Per thread: numbers of inputs in their order, and of the first layer's as they are used;
    # after them that of the bias, and how many are used.
    n_lists += 2 * n_threads * (max(net.sizes) + 2)
    # After the layers: the scattered gradient and a panel's worth of scratch per thread, a row of
    # zeros (that stands in for a bias where there is none), and the values of the two lists.
    n_scratch = n_threads * (batch + 1 + scattered * n_in) * width + width
    n_scratch += 2 * most_values
    lines = aligned(2 * ALIGNMENT // 8, np.int64)
    problem = Problem(
        table,
        np.array(settings, np.uint64).view(np.int64),
        np.array(numbers, np.float64),
        aligned(n_weights, params.dtype),
        aligned(n_weights, params.dtype) if len(moments) > 0 else empty,
        aligned(n_weights, params.dtype) if len(moments) > 1 else empty,
        aligned(n_work + n_scratch, params.dtype),
        aligned(n_lists, np.int32),
        aligned(n_offsets, np.int64),
        lines[: ALIGNMENT // 8],
        lines[ALIGNMENT // 8 :] if stop is None else stop,
    )
    problem.sync[3] = SLEEP_NANOSECONDS
    pack(net, params, problem.weights, problem.table, width)
    for moment, packed in zip(moments, (problem.moment_1, problem.moment_2), strict=False):
        pack(net, moment, packed, problem.table, width)
    return problem


def pack(net: Network, flat: NDArray, packed: NDArray, table: NDArray, width: int) -> None:
    """Copy a flat parameter-like vector into panels."""
    for matrix, panels in _layers(net, flat, packed, table, width):
        n = matrix.shape[1]
        full = n // width
        panels[:full] = (
            matrix[:, : full * width].reshape(len(matrix), full, width).transpose(1, 0, 2)
        )
        if n % width:
            panels[full, :, : n % width] = matrix[:, full * width :]


def unpack(net: Network, packed: NDArray, flat: NDArray, table: NDArray, width: int) -> None:
    """Copy panels back into a flat parameter-like vector."""
    for matrix, panels in _layers(net, flat, packed, table, width):
        n = matrix.shape[1]
        full = n // width
        matrix[:, : full * width].reshape(len(matrix), full, width)[:] = panels[:full].transpose(
            1, 0, 2
        )
        if n % width:
            matrix[:, full * width :] = panels[full, :, : n % width]


def unpack_state(net: Network, problem: Problem, state: State, width: int) -> None:
    """Copy weights and moments back into a state."""
    if problem.settings[OPTIMIZER] != STORE_GRADIENT:
        unpack(net, problem.weights, state.params, problem.table, width)
    for moment, packed in zip(state.moments, (problem.moment_1, problem.moment_2), strict=False):
        unpack(net, packed, moment, problem.table, width)


def _layers(net, flat, packed, table, width):
    """Yield each layer's (n_in + 1, n_out) matrix and its panels, as views."""
    start = 0
    for layer, (m, n) in enumerate(zip(net.sizes, net.sizes[1:], strict=False), start=1):
        matrix = flat[start : start + (m + 1) * n].reshape(m + 1, n)
        offset, n_panels = table[layer, WEIGHTS], table[layer, PANELS]
        size = n_panels * (m + 1) * width
        yield matrix, packed[offset : offset + size].reshape(n_panels, m + 1, width)
        start += (m + 1) * n


def work_of(net: Network, X: Any, batch: int, optimizer: Optimizer | None = None) -> int:
    """Return how much a step is, in multiply-adds of its forward pass; without one, the pass alone.

    Of `CompressedRows`, inputs that are 0 are no work.
    """
    n_first = net.sizes[0] * net.sizes[1]
    each = net.n_parameters - n_first
    if isinstance(X, CompressedRows):
        n_first = net.sizes[1] * len(X.values) // max(1, len(X))
    has_moments = optimizer is not None and optimizer.kind != SGD
    return batch * (n_first + each) + MOMENTS_WORK * net.n_parameters * has_moments


def choose_threads(n_threads: int, work: int) -> int:
    """Return how many of `n_threads` so much work is worth, at most one per processor."""
    if n_threads == 1:
        return 1
    most = min(n_threads, work // WORK_PER_THREAD)
    return min(most, available_processors()) if most > 1 else 1


def is_small(
    net: Network, optimizer: Optimizer, samples: Samples, schedule: Schedule, width: int
) -> bool:
    """Say whether `train_small` applies: full batches of few samples, small layers, no dropout."""
    n_orders, rows = schedule.order.shape
    return (  # whatever the number of epochs in a call
        n_orders == 1
        and not schedule.is_shuffled
        and rows <= min(schedule.batch_size, width // 2)
        and max(net.sizes) <= SMALL_LAYER
        and net.loss in (HALF_SQUARED_ERROR, SUM_SQUARED_ERROR)
        and SOFTMAX not in net.activations
        and not any(net.dropout)
        and optimizer.max_norm == 0
        and samples.weights is None
        and not isinstance(samples.X, CompressedRows)
    )


def count_right(net: Network, outputs: NDArray, samples: Samples) -> float:
    """Return how many samples have the right class; see `interface.Kernels.mlp_evaluate`."""
    targets = samples.targets
    if LOSSES[net.loss].targets == "index":
        right = outputs.argmax(axis=1) == targets[:, 0]
    elif outputs.shape[1] == 1:
        right = (outputs[:, 0] > net.threshold) == (targets[:, 0] > net.threshold)
    else:
        right = outputs.argmax(axis=1) == targets.argmax(axis=1)
    return float(right.sum() if samples.weights is None else samples.weights[right].sum())


def parts(n, thread, n_threads, size, stop):
    """Yield the bounds of a thread's part of n samples, `size` at a time, until told to stop."""
    first, end = n * thread // n_threads, n * (thread + 1) // n_threads
    while first < end and not stop[0]:
        yield first, min(first + size, end)
        first += size
