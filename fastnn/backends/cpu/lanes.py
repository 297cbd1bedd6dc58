"""One network a lane: how a group of networks of one shape lies in memory, and when that pays.

L is the number of lanes of a vector; lane i of every vector belongs to network i of the group, and
what lanes beyond the last network hold is nobody's. B is the batch size.

- Weights and moments: (n_parameters, L), the flat vectors of L networks side by side; so a layer
  has (n_in + 1, n_out, L), its last row the bias.
- Inputs and outputs: (B, units + 1, L); the last unit is 1, the input of the bias.
- Slopes (f'(z), with the dropout factor) and deltas (d loss / d z): (B, units, L).
- What a formula has for a number is a vector as well: a learning rate for each lane.

All products are lane by lane, and every sum has one order: which networks share a group, and how
many threads there are, does not change a bit. It is the order of the kernels for one network in
float64, but for those of the smallest (`panels.is_small`) and of compressed rows.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..compressed import CompressedRows
from ..interface import Network, Optimizer, Samples, Schedule, State
from ..shared import dropout_limit
from . import panels

# Columns of the layer table; offsets count elements of the buffer named in parentheses.
UNITS, ACTIVATION, WEIGHTS, OUTPUTS, SLOPES, DELTAS = range(6)  # (weights), (work) ...
N_COLUMNS = 6

# The settings of a call; offsets into `work` and into `lists` after the first three.
BATCH, LOSS, OPTIMIZER, TARGETS, COUNTS, SHARES, NOW, PANEL = range(8)
# Rows of `work` at NOW, a number per lane: what holds for a step.
SIZE, GRADIENT_SIZE, NOW_EPSILON, DECAY, NOW_ALPHA, NOW_L1, LIMIT, HAS_STEP = range(8)
N_NOW = 8
# Side by side pays while weights, moments and a batch of L networks stay in the second cache, and
# where compressed rows leave out little. Adam, batches of 32, dense unless said, CPU microseconds a
# network and epoch of the Cython back end on an AMD EPYC with AVX-512, one by one / side by side:
#
#                                     float64          float32
#     2-10-1, XOR, plain descent      0.111 / 0.074    0.094 / 0.035
#     4-10-3, 150 samples             13.2 / 5.0       11.1 / 2.8
#     30-30-2, 500                    104 / 79         70 / 37
#     the same, full batches          86 / 62          53 / 34
#     64-30-10, 1500                  665 / 489        406 / 248
#     64-100-10                       1718 / 1404      965 / 679
#     100-100-10, 2000                2917 / 2610      1559 / 1242
#     256-30-10, 1500                 1880 / 1550      932 / 809
#     256-128-10                      6420 / 6364      3089 / 3026
#     30-30-2, full batches of 2000   335 / 471        228 / 185
#     40-20-2, 0.2 of it not 0        369 / 208        247 / 111
#     100-20-2, 0.1 of it not 0       442 / 439        270 / 234
#     784-30-10, 0.19 of it not 0     9246 / 22376     4637 / 13765   (5000 samples)
#
# Numba gains as much; shorter vectors gain less: the bound is where they, too, are not slower.
MOST_PARAMETERS = 8_000
MOST_UNITS = 100_000  # of all samples of a batch
MOST_COMPRESSED = 64  # columns

# Columns of `places`: where a lane's orders begin, how many there are, and how long they are.
FIRST, N_ORDERS, N_SAMPLES = range(3)


class Lanes(NamedTuple):
    """The arguments of a compiled kernel for one group of networks.

    Attributes
    ----------
    table : (n_layers + 1, N_COLUMNS) of int64
        The layers, inputs first.
    settings : (8,) of int64
    numbers : (L, panels.N_NUMBERS + n_layers + 1) of float64
        Of each network: see `panels.Problem`.
    constants : the same numbers transposed, in the real dtype: a row is a vector
    drop_limits : (n_layers, L) of int64
    seeds : (L,) of uint64
    steps : (L,) of int64
        Optimizer steps made.
    orders : flat buffer of int64
    places : (L, 3) of int64
        Where the orders are; a lane without a network has no samples.
    rates : (n_epochs, L) of float64
    weights, moment_1, moment_2 : (n_parameters * L,); a moment that is not used is empty
    work : flat buffer in the real dtype, zeros
    chosen : (B * L,) of int64
        The samples of a batch, -1 where a lane has none.
    stop : as in `panels.Problem`
    """

    table: NDArray[np.int64]
    settings: NDArray[np.int64]
    numbers: NDArray[np.float64]
    constants: NDArray
    drop_limits: NDArray[np.int64]
    seeds: NDArray[np.uint64]
    steps: NDArray[np.int64]
    orders: NDArray[np.int64]
    places: NDArray[np.int64]
    rates: NDArray[np.float64]
    weights: NDArray
    moment_1: NDArray
    moment_2: NDArray
    work: NDArray
    chosen: NDArray[np.int64]
    stop: NDArray[np.int64]


def build(
    networks: Sequence[Network],
    optimizers: Sequence[Optimizer],
    states: Sequence[State],
    schedules: Sequence[Schedule],
    n_epochs: int,
    stop: NDArray[np.int64],
    *,
    lanes: int,
) -> Lanes:
    """Lay out at most `lanes` networks."""
    m, net, dtype = len(networks), networks[0], states[0].params.dtype
    orders, places = _orders(schedules, lanes)
    batch = max(1, min(schedules[0].batch_size, int(places[:, N_SAMPLES].max())))
    numbers = np.zeros((lanes, panels.N_NUMBERS + len(net.sizes)))
    rates, seeds = np.zeros((n_epochs, lanes)), np.zeros(lanes, np.uint64)
    steps, limits = np.zeros(lanes, np.int64), np.zeros((len(net.sizes) - 1, lanes), np.int64)
    for i, (own, optimizer) in enumerate(zip(networks, optimizers, strict=True)):
        numbers[i] = [*optimizer[1:], *own.formula_parameters]
        limits[:, i] = [dropout_limit(rate) for rate in own.dropout]
        seeds[i], steps[i] = schedules[i].seed, states[i].step
    numbers[m:] = numbers[0]  # no division by 0
    first = schedules[0].learning_rates
    if all(schedule.learning_rates is first for schedule in schedules):  # row by row is sooner
        rates[:] = first[:n_epochs, np.newaxis]
    else:
        rates[:, :m] = np.transpose([schedule.learning_rates[:n_epochs] for schedule in schedules])
    constants = panels.aligned(numbers.size, dtype)
    constants.reshape(-1, lanes)[:] = numbers.T
    table, n_work = _table(net, batch, lanes)
    settings = [batch, net.loss, optimizers[0].kind]
    width = 2 * lanes
    for size in (
        batch * net.n_targets * lanes,
        batch * lanes,
        batch * lanes,
        N_NOW * lanes,
        3 * panels.count_panels(net.sizes[-1], width) * lanes * width,
    ):
        settings.append(n_work)
        n_work += size
    empty = np.empty(0, dtype)
    n_moments = len(states[0].moments)
    return Lanes(
        table,
        np.array(settings, np.int64),
        numbers,
        constants,
        limits,
        seeds,
        steps,
        orders,
        places,
        rates,
        pack([state.params for state in states], lanes),
        pack([state.moments[0] for state in states], lanes) if n_moments > 0 else empty,
        pack([state.moments[1] for state in states], lanes) if n_moments > 1 else empty,
        panels.aligned(n_work, dtype),
        np.full(batch * lanes, -1),
        stop,
    )


def _table(net: Network, batch: int, lanes: int) -> tuple[NDArray[np.int64], int]:
    """Return the table of layers, and how much of `work` they take."""
    table = np.zeros((len(net.sizes), N_COLUMNS), np.int64)
    n_weights = n_work = 0
    for layer, units in enumerate(net.sizes):
        row = table[layer]
        row[UNITS], row[OUTPUTS] = units, n_work
        n_work += batch * (units + 1) * lanes
        if layer == 0:
            continue
        row[ACTIVATION], row[WEIGHTS] = net.activations[layer - 1], n_weights
        n_weights += (net.sizes[layer - 1] + 1) * units * lanes
        row[SLOPES], row[DELTAS] = n_work, n_work + batch * units * lanes
        n_work += 2 * batch * units * lanes
    return table, n_work


def _orders(
    schedules: Sequence[Schedule], lanes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return all orders one after the other, one that several share once, and their places."""
    places, known, n = np.zeros((lanes, 3), np.int64), {}, 0
    for i, (order, *_) in enumerate(schedules):
        if id(order) not in known:
            known[id(order)] = n, order
            n += order.size
        places[i] = known[id(order)][0], *order.shape
    orders = [order.reshape(-1) for _, order in known.values()]
    return np.concatenate(orders).astype(np.int64, copy=False), places


def pack(vectors: Sequence[NDArray], lanes: int) -> NDArray:
    """Return vectors of one length side by side, flat."""
    packed = panels.aligned(len(vectors[0]) * lanes, vectors[0].dtype)
    for lane, vector in enumerate(vectors):
        packed[lane::lanes] = vector
    return packed


def unpack(group: Lanes, states: Sequence[State], lanes: int) -> None:
    """Copy what was trained back into the states."""
    for lane, state in enumerate(states):
        state.params[:] = group.weights[lane::lanes]
        for moment, packed in zip(state.moments, (group.moment_1, group.moment_2), strict=False):
            moment[:] = packed[lane::lanes]


def groups(n_networks: int, n_threads: int, lanes: int) -> list[range]:
    """Return groups of networks: as few as there may be, but one for each thread."""
    n_groups = max(-(-n_networks // lanes), min(n_threads, n_networks))
    bounds = [n_networks * i // n_groups for i in range(n_groups + 1)]
    return [range(first, end) for first, end in pairwise(bounds)]


def pays(net: Network, samples: Samples, batch_size: int) -> bool:
    """Say whether networks of this shape are sooner trained side by side than one by one.

    Not by how many they are: what becomes of a network does not depend on the others.
    """
    batch = min(batch_size, len(samples.X))
    is_narrow = not isinstance(samples.X, CompressedRows) or net.sizes[0] <= MOST_COMPRESSED
    return (
        net.n_parameters <= MOST_PARAMETERS and batch * sum(net.sizes) <= MOST_UNITS and is_narrow
    )
