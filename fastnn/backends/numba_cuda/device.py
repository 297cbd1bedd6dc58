"""What the CUDA kernels of a network share: the layout of a batch, and what is done with a row.

B is the batch size, n_in and n_out are a layer's units. The weights are (n_in, n_out), then the
bias (n_out); outputs, slopes and deltas of a layer are (B, n_out).
"""

from typing import Any, NamedTuple

import numpy as np
from numba import cuda
from numpy.typing import NDArray

from ..codes import SPARSE_CATEGORICAL_CROSSENTROPY, STREAM_DROPOUT
from ..interface import Network
from ..shared import dropout_limit
from .formulas import LOW, activate, loss_and_delta, philox, real

# Columns of the layer table. START is an offset in the parameters, the three last ones are offsets
# in the buffer of a batch: (rows, units) each, the inputs first.
UNITS, ACTIVATION, DROP_LIMIT, START, OUTPUTS, SLOPES, DELTAS = range(7)
N_COLUMNS = 7


class Layers(NamedTuple):
    """A network as the kernels have it, with room for a batch.

    Attributes
    ----------
    table : (n_layers + 1, N_COLUMNS) of int64
    parameters : (n_layers + 1,) of real
        `Network.formula_parameters`.
    loss : int
        Loss code.
    batch : int
        Rows that there is room for.
    buffer : (n_buffer,) of real
        Outputs, slopes and deltas, the last layer's pre-activations, and the loss of each row.
    """

    table: Any
    parameters: Any
    loss: Any
    batch: Any
    buffer: Any


class Schedule(NamedTuple):
    """An `interface.Schedule` as the kernels have it.

    Attributes
    ----------
    order : (r * n_samples,) of int64
        The samples of epoch after epoch; then from the first one on again.
    n_samples : int
        Of an epoch.
    batch : int
        Samples of a step.
    key : uint64
    learning_rates : (n_epochs,) of float64
    """

    order: Any
    n_samples: Any
    batch: Any
    key: Any
    learning_rates: Any


def layout(net: Network, batch: int) -> tuple[NDArray[np.int64], int]:
    """Return the layer table and the length of the buffer of `Layers`."""
    table = np.zeros((len(net.sizes), N_COLUMNS), np.int64)
    n_buffer = start = 0
    for layer, units in enumerate(net.sizes):
        row, n = table[layer], units * batch
        row[UNITS] = units
        row[OUTPUTS], n_buffer = n_buffer, n_buffer + n
        if layer > 0:
            row[ACTIVATION] = net.activations[layer - 1]
            row[DROP_LIMIT] = dropout_limit(net.dropout[layer - 1])
            row[START], start = start, start + (net.sizes[layer - 1] + 1) * units
            row[SLOPES], row[DELTAS], n_buffer = n_buffer, n_buffer + n, n_buffer + 2 * n
    return table, n_buffer + (net.sizes[-1] + 1) * batch


@cuda.jit(device=True)
def mask(key, n, row, layer, unit, limit, kept):
    """Return a unit's dropout factor in the step after n others: 0 or 1 / (1 - rate)."""
    stream = np.uint64(STREAM_DROPOUT << 16) | np.uint64(layer)
    word = philox(key, np.uint64(unit // 4), np.uint64(row), n & LOW, stream, unit % 4)
    return real(kept, 0) if word < limit else kept


@cuda.jit(device=True)
def weight_of(samples, i):
    """Return how much sample i counts; all count 1 if there are no weights."""
    return samples.weights[i] if samples.weights.shape[0] > 0 else real(samples.scale, 1)


@cuda.jit(device=True)
def count_of(samples, order, first, rows):
    """Return how many samples a batch has, as much as each counts."""
    if samples.weights.shape[0] == 0:
        return float(rows)
    total = 0.0
    for row in range(rows):
        total += samples.weights[order[first + row]]
    return total


@cuda.jit(device=True)
def finish_rows(layers, samples, order, first, rows, own, stride):
    """Finish the rows own, own + stride, ... of a batch; their losses go to its buffer."""
    table, parameters, loss, batch, buffer = layers
    last = table[table.shape[0] - 1]
    n, n_layers = last[UNITS], table.shape[0] - 1
    a, b = parameters[n_layers - 1], parameters[n_layers]
    losses = buffer.shape[0] - batch
    pre_activations = losses - batch * n
    row = own
    while row < rows:  # a range would divide to count its turns
        at = row * n
        z = buffer[pre_activations + at : pre_activations + at + n]
        y = buffer[last[OUTPUTS] + at : last[OUTPUTS] + at + n]
        d = buffer[last[DELTAS] + at : last[DELTAS] + at + n]
        i = order[first + row]
        value = loss_and_delta(z, y, d, n, last[ACTIVATION], a, loss, b, samples.targets, i)
        weight = weight_of(samples, i)
        buffer[losses + row] = weight * value
        for j in range(n):
            d[j] *= weight
        row += stride


@cuda.jit(device=True)
def add_losses(layers, rows, sums, epoch):
    """Add the losses of a batch's rows to their epoch's sum."""
    buffer, total = layers.buffer, 0.0
    for row in range(rows):
        total += buffer[buffer.shape[0] - layers.batch + row]
    sums[epoch] += total


@cuda.jit(device=True)
def store_unit(layers, layer, row, j, z, training, key, n):
    """From a unit's pre-activation z to its output and slope; the last layer's z is kept."""
    table, parameters, _, batch, buffer = layers
    here = table[layer]
    at = row * here[UNITS] + j
    if layer == table.shape[0] - 1:
        buffer[buffer.shape[0] - batch - batch * here[UNITS] + at] = z
        return
    y, slope = activate(here[ACTIVATION], parameters[layer - 1], z)
    limit = here[DROP_LIMIT]
    if training and limit > 0:
        kept = real(z, 1 / (1 - limit / 4294967296.0))
        factor = mask(key, n, row, layer - 1, j, limit, kept)
        y *= factor
        slope *= factor
    buffer[here[OUTPUTS] + at] = y
    buffer[here[SLOPES] + at] = slope


@cuda.jit(device=True)
def is_right(y, n, loss, threshold, targets, i):
    """Say whether the outputs y name the class that the targets of sample i name."""
    if n == 1:
        return (y[0] > threshold) == (targets[i, 0] > threshold)
    best, wanted = 0, 0
    for j in range(1, n):
        if y[j] > y[best]:
            best = j
    if loss == SPARSE_CATEGORICAL_CROSSENTROPY:
        return best == int(targets[i, 0])
    for j in range(1, n):
        if targets[i, j] > targets[i, wanted]:
            wanted = j
    return best == wanted
