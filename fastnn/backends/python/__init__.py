"""The reference back end: plain Python loops, to be read beside the formulas.

It is the specification that the other back ends are tested against. Numbers are Python floats
(double precision) throughout; if the arrays are float32, the parameters and the optimizer's state
are rounded after each update, so that it does not matter how many updates a call has.
Equation numbers are the course's.
"""

import numpy as np

from ..codes import SPARSE_CATEGORICAL_CROSSENTROPY
from ..compressed import row_of
from ..interface import Network, Optimizer, Samples, Schedule, State
from ..shards import ShardSchedule, node_sum, whole_nodes
from .delta_rule import linear_train as linear_train
from .delta_rule import perceptron_train as perceptron_train
from .distortion import distort_images as distort_images
from .formulas import (
    activate,
    dropout_factors,
    limit_norms,
    loss_and_delta,
    optimizer_step,
    penalty,
    rounded,
)

NETWORKS_AT_ONCE = 1
TRAINS_SHARDS = True


def unavailable() -> str | None:
    """Return None: plain Python always runs."""
    return None


def to_device(samples: Samples, n_threads: int = 1, compress: bool = True) -> Samples:
    """Return training data as they are; see `interface.Kernels`."""
    return samples


def most_threads(
    net: Network, optimizer: Optimizer, samples: Samples, batch_size: int, n_threads: int
) -> int:
    """Return 1: see `interface.Kernels`."""
    return 1


def mlp_forward(
    net: Network, params, samples: Samples, all_layers: bool, n_threads: int
) -> list[np.ndarray]:
    """Return layer outputs; see `interface.Kernels`."""
    layers = _unflatten(net, params)
    sizes = net.sizes[1:] if all_layers else net.sizes[-1:]
    n = len(samples.X)
    outputs = [np.empty((n, n_units), params.dtype) for n_units in sizes]
    for i in range(n):
        ys, _, _ = _forward(net, layers, _inputs(samples, i))
        for output, y in zip(outputs, ys[-len(sizes) :], strict=True):
            output[i] = y
    return outputs


def mlp_evaluate(
    net: Network, params, samples: Samples, n_threads: int, outputs=None
) -> tuple[float, float]:
    """Return loss and right answers over a data set; see `interface.Kernels`."""
    layers = _unflatten(net, params)
    loss, n_right, total = 0.0, 0.0, 0.0
    for i in range(len(samples.X)):
        ys, slopes, z = _forward(net, layers, _inputs(samples, i))
        if outputs is not None:
            outputs[i] = ys[-1]
        t, weight = samples.targets[i].tolist(), _weight(samples, i)
        loss += weight * loss_and_delta(net, z, ys[-1], slopes[-1], t)[0]
        n_right += weight * _is_right(net, ys[-1], t)
        total += weight
    return loss / total, n_right


def mlp_loss_gradient(
    net: Network, params, samples: Samples, optimizer: Optimizer, seed: int, step: int
) -> tuple[float, np.ndarray]:
    """Return the loss of one batch and its gradient; see `interface.Kernels`."""
    layers, batch = _unflatten(net, params), range(len(samples.X))
    n = _weight_of(samples, batch)
    loss_sum, gradient = _gradient_sum(net, layers, samples, batch, seed, step)
    _make_mean(gradient, layers, optimizer, n)
    weights = [w for W, _ in layers for row in W for w in row]
    loss = loss_sum + optimizer.alpha * sum(w * w for w in weights) / 2
    loss += optimizer.l1 * sum(abs(w) for w in weights)
    flat = np.array(_flatten(gradient), params.dtype)
    return loss / n, flat


def mlp_train(
    net: Network,
    optimizer: Optimizer,
    state: State,
    samples: Samples,
    schedule: Schedule,
    loss_sums,
    n_threads: int,
) -> None:
    """Train by mini-batch back-propagation; see `interface.Kernels`."""
    params, moments, step, _ = state
    order, batch_size, seed, rates, _ = schedule
    w, m = params.tolist(), moments.tolist()
    for epoch, rate in enumerate(rates.tolist()):
        chosen = order[epoch % len(order)].tolist()
        for start in range(0, len(chosen), batch_size):
            batch = chosen[start : start + batch_size]
            size = _weight_of(samples, batch)
            if size > 0:  # or none of its samples counts
                layers = _unflatten(net, w)
                loss_sum, gradient = _gradient_sum(net, layers, samples, batch, seed, step)
                loss_sums[epoch] += loss_sum
                w, m = _step(net, optimizer, w, m, gradient, size, rate, step + 1, params.dtype)
            step += 1
    params[:] = w
    for moment, values in zip(moments, m, strict=True):
        moment[:] = values


def mlp_train_shards(
    net: Network,
    optimizer: Optimizer,
    state: State,
    samples: Samples,
    schedule: ShardSchedule,
    loss_sums,
    n_threads: int,
    add_up,
) -> None:
    """Train for an epoch as one of several processes; see `interface.Kernels`."""
    params, moments, step, _ = state
    seed, rate, root = schedule.seed, schedule.learning_rate, (0, schedule.n_shards)
    w, m = params.tolist(), moments.tolist()
    free: list[np.ndarray] = []

    def new():
        return np.empty(len(params))

    for number, size in enumerate(schedule.sizes.tolist()):
        layers, batches = _unflatten(net, w), schedule.batches(number)

        def write_gradient(shard, out, layers=layers, batches=batches, step=step):
            own = shard - schedule.shards[0]
            batch, (first, _) = batches[own].tolist(), schedule.rows[own]
            loss_sum, gradient = _gradient_sum(net, layers, samples, batch, seed, step, first)
            loss_sums[own] += loss_sum
            out[:] = _flatten(gradient)

        if size > 0:
            sums = {
                node: node_sum(node, write_gradient, free, new)
                for node in whole_nodes(root, schedule.shards)
            }
            total = next(iter(sums.values())) if sums else new()
            add_up(sums, total)
            gradient = _unflatten(net, total)
            w, m = _step(net, optimizer, w, m, gradient, size, rate, step + 1, params.dtype)
            free += sums.values()
        step += 1
    params[:] = w
    for moment, values in zip(moments, m, strict=True):
        moment[:] = values


def arithmetic(dtype: np.dtype) -> str:
    """Say on what the last bits depend; see `interface.Kernels`."""
    return "the double precision of Python"


def mlp_train_many(
    networks,
    optimizers,
    states,
    samples: Samples,
    schedules,
    loss_sums,
    n_threads: int,
    side_by_side: bool = True,
) -> None:
    """Train several networks, one after the other; see `interface.Kernels`."""
    own = zip(networks, optimizers, states, schedules, loss_sums, strict=True)
    for net, optimizer, state, schedule, sums in own:
        sums[:] = 0
        mlp_train(net, optimizer, state, samples, schedule, sums, n_threads)


def _forward(net, layers, x, seed=0, step=0, row=0, training=False):
    """Return the outputs of all layers, their slopes, and the last pre-activations of a sample."""
    outputs, slopes = [], []
    z: list[float] = []
    for layer, (W, b) in enumerate(layers):
        z = list(b)
        for k, value in enumerate(x):  # net = X W + b (2.12), (2.14)
            for j, weight in enumerate(W[k]):
                z[j] += value * weight
        code, a = net.activations[layer], net.formula_parameters[layer]
        y, slope = activate(code, a, z)
        if training and net.dropout[layer] > 0:
            factors = dropout_factors(net.dropout[layer], len(y), seed, step, row, layer)
            y = [v * f for v, f in zip(y, factors, strict=True)]
            slope = [s * f for s, f in zip(slope, factors, strict=True)]
        outputs.append(y)
        slopes.append(slope)
        x = y
    return outputs, slopes, z


def _gradient_sum(net, layers, samples, batch, seed, step, first_row=0):
    """Return the summed loss of some samples and its gradient, per layer.

    Dropout depends on the row of a sample in its batch; these are from `first_row` on.
    """
    gradient = [([[0.0] * len(b) for _ in W], [0.0] * len(b)) for W, b in layers]
    loss_sum = 0.0
    for row, i in enumerate(batch, start=first_row):
        x, t = _inputs(samples, i), samples.targets[i].tolist()
        outputs, slopes, z = _forward(net, layers, x, seed, step, row, training=True)
        loss, delta = loss_and_delta(net, z, outputs[-1], slopes[-1], t)
        if samples.weights is not None:
            loss, delta = _weight(samples, i) * loss, [_weight(samples, i) * d for d in delta]
        loss_sum += loss
        for layer in reversed(range(len(layers))):
            below = outputs[layer - 1] if layer else x
            dW, db = gradient[layer]
            for k, value in enumerate(below):  # (2.44) to (2.46)
                if value != 0:
                    for j, d in enumerate(delta):
                        dW[k][j] += value * d
            for j, d in enumerate(delta):  # (2.39), (2.40)
                db[j] += d
            if layer:  # (2.42), (2.43)
                delta = [
                    slope * sum(weight * d for weight, d in zip(W_row, delta, strict=True))
                    for slope, W_row in zip(slopes[layer - 1], layers[layer][0], strict=True)
                ]
    return loss_sum, gradient


def _make_mean(gradient, layers, optimizer, n):
    """Make the sum over a batch of n samples the gradient of their mean loss, with penalties."""
    penalized = optimizer.alpha > 0 or optimizer.l1 > 0
    for (dW, db), (W, _) in zip(gradient, layers, strict=True):
        for k in range(len(dW)):
            if penalized:
                dW[k] = [g + penalty(optimizer, w) for g, w in zip(dW[k], W[k], strict=True)]
            dW[k] = [g / n for g in dW[k]]
        db[:] = [g / n for g in db]


def _step(net, optimizer, w, m, gradient, size, rate, step, dtype):
    """Return parameters and moments after a step from the sum over a batch, of weight `size`."""
    _make_mean(gradient, _unflatten(net, w), optimizer, size)
    optimizer_step(optimizer, w, m, _flatten(gradient), rate, step)
    if optimizer.max_norm > 0:
        limit_norms(net, w, optimizer.max_norm)
    return rounded(w, dtype), [rounded(moment, dtype) for moment in m]


def _inputs(samples, i):
    """Return the inputs of sample i, as the network sees them."""
    x, scale = row_of(samples.X, i).tolist(), samples.scale
    return [float(v) * scale for v in x] if scale != 1 else x


def _weight(samples, i):
    """Return how much sample i counts."""
    return 1.0 if samples.weights is None else float(samples.weights[i])


def _weight_of(samples, batch):
    """Return how much some samples count together."""
    return len(batch) if samples.weights is None else sum(_weight(samples, i) for i in batch)


def _is_right(net, y, t):
    """Say whether the outputs y name the class that the targets t name."""
    if net.loss == SPARSE_CATEGORICAL_CROSSENTROPY:
        return y.index(max(y)) == int(t[0])
    if len(y) == 1:
        return (y[0] > net.threshold) == (t[0] > net.threshold)
    return y.index(max(y)) == t.index(max(t))


def _unflatten(net, params):
    """Split flat parameters into (W, b) per layer, as nested lists."""
    params = params if isinstance(params, list) else params.tolist()
    layers, start = [], 0
    for m, n in zip(net.sizes, net.sizes[1:], strict=False):
        W = [params[start + k * n : start + (k + 1) * n] for k in range(m)]
        layers.append((W, params[start + m * n : start + (m + 1) * n]))
        start += (m + 1) * n
    return layers


def _flatten(layers):
    """Join (W, b) per layer into flat parameters."""
    return [v for W, b in layers for row in [*W, b] for v in row]
