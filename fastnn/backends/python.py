"""The reference back end: plain Python loops, to be read beside the formulas.

It is the specification that the other back ends are tested against. Numbers are Python floats
(double precision) throughout; if the arrays are float32, the parameters and the optimizer's state
are rounded after each update, so that it does not matter how many updates a call has.
Equation numbers are the course's.
"""

from array import array
from math import cos, exp, floor, log, log1p, sin, sqrt, tanh

import numpy as np

from . import interface as api
from .interface import Network, Optimizer

NETWORKS_AT_ONCE = 1


def unavailable() -> str | None:
    """Return None: plain Python always runs."""
    return None


def to_device(array):
    """Return training data as they are; see `interface.Kernels`."""
    return array


# --- perceptron and linear network -------------------------------------------------------------


def perceptron_train(X, targets, weights, learning_rate, max_epochs, order, online, history):
    """Train by the perceptron rule; see `interface.Kernels`."""
    w = weights.tolist()
    for epoch in range(max_epochs):
        n_mistakes, _ = _delta_rule_epoch(
            X, targets, w, learning_rate, order[epoch % len(order)], online, _sign
        )
        if n_mistakes == 0:
            weights[:] = w
            return epoch
        w = [_rounded(row, weights.dtype) for row in w]
        if len(history):
            history[epoch] = w
    weights[:] = w
    return max_epochs


def linear_train(X, targets, weights, learning_rate, order, online, losses):
    """Train by the delta rule; see `interface.Kernels`."""
    w = weights.tolist()
    for epoch in range(len(losses)):
        _, squares = _delta_rule_epoch(
            X, targets, w, learning_rate, order[epoch % len(order)], online, lambda z: z
        )
        w = [_rounded(row, weights.dtype) for row in w]
        losses[epoch] = squares / (2 * len(X))  # (2.2)
    weights[:] = w


def _delta_rule_epoch(X, targets, w, rate, order, online, f):
    """Make one epoch of w += rate (t - y) x (1.2); return the wrong samples and sum (t - y)^2."""
    n_samples, n_outputs = len(X), len(w[0])
    change = [[0.0] * n_outputs for _ in w]
    n_mistakes, squares = 0, 0.0
    for i in order if online else range(n_samples):
        x, t = X[i].tolist(), targets[i].tolist()
        if len(w) > len(x):
            x = [1.0, *x]  # the bias is the weight of an input of 1 (1.2.3)
        errors = [0.0] * n_outputs
        for c in range(n_outputs):
            z = 0.0
            for k in range(len(x)):
                z += x[k] * w[k][c]
            errors[c] = t[c] - f(z)
            squares += errors[c] * errors[c]
        n_mistakes += any(e != 0 for e in errors)
        for k in range(len(x)):
            for c in range(n_outputs):
                if online:
                    w[k][c] += rate * errors[c] * x[k]
                else:
                    change[k][c] += x[k] * errors[c]
    if not online:
        for k in range(len(w)):
            for c in range(n_outputs):
                w[k][c] += rate * change[k][c] / n_samples
    return n_mistakes, squares


# --- activations and losses --------------------------------------------------------------------


def _sign(z):
    return float((z > 0) - (z < 0))


def _sigmoid(z):
    # exp of a negative number only: no overflow.
    return 1 / (1 + exp(-z)) if z >= 0 else exp(z) / (1 + exp(z))


def _activate(code, z):
    """Return y = f(z) and the slope f'(z) for the net inputs z of a layer."""
    if code == api.SIGN:
        return [_sign(v) for v in z], [0.0] * len(z)
    if code == api.PURELIN:
        return list(z), [1.0] * len(z)
    if code == api.SIGMOID:
        y = [_sigmoid(v) for v in z]
        return y, [v * (1 - v) for v in y]  # (2.16)
    if code == api.TANH:
        y = [tanh(v) for v in z]
        return y, [1 - v * v for v in y]
    if code == api.SOFTSIGN:
        s = [1 / (1 + abs(v)) for v in z]
        return [v * r for v, r in zip(z, s, strict=True)], [r * r for r in s]
    if code == api.RELU:
        return [max(0.0, v) for v in z], [float(v > 0) for v in z]
    # Softmax: its slope is no vector; _output_delta deals with it.
    largest = max(z)
    e = [exp(v - largest) for v in z]
    total = sum(e)
    return [v / total for v in e], [1.0] * len(z)


def _sample_loss(net, z, y, t):
    """Return the loss of one sample from its net inputs z and outputs y."""
    # x * x, not x**2: a diverging network shall give inf, not an OverflowError.
    if net.loss == api.HALF_SQUARED_ERROR:
        return sum((a - b) * (a - b) for a, b in zip(t, y, strict=True)) / 2
    if net.loss == api.SQUARED_ERROR:
        return sum((a - b) * (a - b) for a, b in zip(t, y, strict=True))
    if net.loss == api.BINARY_CROSSENTROPY:
        # -t ln y - (1 - t) ln(1 - y) with y = sigmoid(z), written so that no log is of 0
        return sum(max(v, 0.0) - v * a + log1p(exp(-abs(v))) for a, v in zip(t, z, strict=True))
    # ln y_k = z_k - ln sum exp(z_j), written so that no exp overflows
    largest = max(z)
    log_sum = largest + log(sum(exp(v - largest) for v in z))
    if net.loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
        return log_sum - z[int(t[0])]
    return sum(a * (log_sum - v) for a, v in zip(t, z, strict=True) if a != 0)


def _output_delta(net, y, slope, t):
    """Return d loss / d z of the output layer (2.41); the text's delta has the other sign."""
    if net.loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
        return [y[c] - (c == int(t[0])) for c in range(len(y))]
    error = [b - a for a, b in zip(t, y, strict=True)]
    if net.loss in (api.BINARY_CROSSENTROPY, api.CATEGORICAL_CROSSENTROPY):
        return error  # the slope cancels
    if net.loss == api.SQUARED_ERROR:
        error = [2 * e for e in error]
    if net.activations[-1] == api.SOFTMAX:  # dy_j / dz_k = y_j ((j = k) - y_k)
        mean = sum(e * v for e, v in zip(error, y, strict=True))
        return [v * (e - mean) for e, v in zip(error, y, strict=True)]
    return [e * s for e, s in zip(error, slope, strict=True)]


# --- multi-layer perceptron --------------------------------------------------------------------


def mlp_forward(net, params, X, scale, all_layers, n_threads):
    """Return layer outputs; see `interface.Kernels`."""
    layers = _unflatten(net, params)
    sizes = net.sizes[1:] if all_layers else net.sizes[-1:]
    outputs = [np.empty((len(X), n), params.dtype) for n in sizes]
    for i in range(len(X)):
        ys, _, _ = _forward(net, layers, _sample(X, i, scale))
        for output, y in zip(outputs, ys[-len(sizes) :], strict=True):
            output[i] = y
    return outputs


def mlp_evaluate(net, params, X, scale, targets, n_threads):
    """Return loss and right answers over a data set; see `interface.Kernels`."""
    layers = _unflatten(net, params)
    loss, n_right = 0.0, 0
    for i in range(len(X)):
        ys, _, z = _forward(net, layers, _sample(X, i, scale))
        t = targets[i].tolist()
        loss += _sample_loss(net, z, ys[-1], t)
        n_right += _is_right(net, ys[-1], t)
    return loss / len(X), n_right


def mlp_loss_gradient(net, params, X, scale, targets, alpha, seed, step):
    """Return the loss of one batch and its gradient; see `interface.Kernels`."""
    layers = _unflatten(net, params)
    loss_sum, gradient = _batch_gradient(
        net, layers, X, scale, targets, range(len(X)), alpha, seed, step
    )
    penalty = sum(w * w for weights, _ in layers for row in weights for w in row)
    flat = np.array(_flatten(gradient), params.dtype)
    return (loss_sum + alpha * penalty / 2) / len(X), flat


def mlp_train(
    net: Network,
    optimizer: Optimizer,
    params,
    moments,
    X,
    scale,
    targets,
    order,
    batch_size,
    seed,
    step,
    loss_sums,
    n_threads,
):
    """Train by mini-batch back-propagation; see `interface.Kernels`."""
    w, state = params.tolist(), moments.tolist()
    for epoch in range(len(loss_sums)):
        samples = order[epoch % len(order)].tolist()
        for start in range(0, len(samples), batch_size):
            batch = samples[start : start + batch_size]
            loss_sum, gradient = _batch_gradient(
                net, _unflatten(net, w), X, scale, targets, batch, optimizer.alpha, seed, step
            )
            loss_sums[epoch] += loss_sum
            step += 1
            _update(optimizer, w, state, _flatten(gradient), step)
            w = _rounded(w, params.dtype)
            state = [_rounded(moment, params.dtype) for moment in state]
    params[:] = w
    for moment, values in zip(moments, state, strict=True):
        moment[:] = values


def _rounded(values, dtype):
    """Return a list of numbers as an array of `dtype` holds them."""
    return array("f", values).tolist() if dtype == np.float32 else values


def most_threads(net, batch_size, n_threads):
    """Return 1: see `interface.Kernels`."""
    return 1


def mlp_train_many(
    net: Network,
    optimizer: Optimizer,
    rates,
    params,
    moments,
    X,
    scale,
    targets,
    order,
    batch_size,
    seeds,
    step,
    loss_sums,
    n_threads,
):
    """Train several networks, one after the other; see `interface.Kernels`."""
    for i in range(len(params)):
        own = optimizer._replace(learning_rate=float(rates[i]))
        mlp_train(
            *(net, own, params[i], moments[i], X, scale, targets, order[i % len(order)]),
            *(batch_size, int(seeds[i]), step, loss_sums[i], n_threads),
        )


def _forward(net, layers, x, seed=0, step=0, row=0, training=False):
    """Return the outputs of all layers, their slopes, and the last net inputs, for one sample."""
    outputs, slopes = [], []
    z: list[float] = []
    for layer, (W, b) in enumerate(layers):
        z = list(b)
        for k, value in enumerate(x):  # net = X W + b (2.12), (2.14)
            for j, weight in enumerate(W[k]):
                z[j] += value * weight
        y, slope = _activate(net.activations[layer], z)
        if training and net.dropout[layer] > 0:
            factors = _dropout_factors(net.dropout[layer], len(y), seed, step, row, layer)
            y = [v * f for v, f in zip(y, factors, strict=True)]
            slope = [s * f for s, f in zip(slope, factors, strict=True)]
        outputs.append(y)
        slopes.append(slope)
        x = y
    return outputs, slopes, z


def _batch_gradient(net, layers, X, scale, targets, batch, alpha, seed, step):
    """Return the summed loss of a batch and the gradient of its mean loss, per layer."""
    gradient = [([[0.0] * len(b) for _ in W], [0.0] * len(b)) for W, b in layers]
    loss_sum = 0.0
    for row, i in enumerate(batch):
        x, t = _sample(X, i, scale), targets[i].tolist()
        outputs, slopes, z = _forward(net, layers, x, seed, step, row, training=True)
        loss_sum += _sample_loss(net, z, outputs[-1], t)
        delta = _output_delta(net, outputs[-1], slopes[-1], t)
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
    n = len(batch)
    for (dW, db), (W, _) in zip(gradient, layers, strict=True):
        for k in range(len(dW)):
            dW[k] = [(g + alpha * w) / n for g, w in zip(dW[k], W[k], strict=True)]
        db[:] = [g / n for g in db]
    return loss_sum, gradient


def _update(optimizer, w, state, gradient, step):
    """Change the flat parameters w by optimizer step number `step`, counted from 1."""
    rate, b1, b2 = optimizer.learning_rate, optimizer.beta_1, optimizer.beta_2
    if optimizer.kind == api.SGD:
        for i, g in enumerate(gradient):
            w[i] -= rate * g
    elif optimizer.kind == api.MOMENTUM:
        (velocity,) = state
        for i, g in enumerate(gradient):
            velocity[i] = b1 * velocity[i] - rate * g
            w[i] += velocity[i]
    else:
        mean, square = state
        rate *= sqrt(1 - b2**step) / (1 - b1**step)
        for i, g in enumerate(gradient):
            mean[i] = b1 * mean[i] + (1 - b1) * g
            square[i] = b2 * square[i] + (1 - b2) * g * g
            w[i] -= rate * mean[i] / (sqrt(square[i]) + optimizer.epsilon)


def _sample(X, i, scale):
    """Return the inputs of sample i, as the network sees them."""
    return [float(v) * scale for v in X[i].tolist()] if scale != 1 else X[i].tolist()


def _is_right(net, y, t):
    """Say whether the outputs y name the class that the targets t name."""
    if net.loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
        return y.index(max(y)) == int(t[0])
    if len(y) == 1:
        return (y[0] > 0.5) == (t[0] > 0.5)
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


# --- distorted images --------------------------------------------------------------------------


def distort_images(images, distortion, angles, seed, epoch, n_threads):
    """Return the images of an epoch; see `interface.Kernels`."""
    h, w, _, scaling, sigma, alpha = distortion
    weights = api.gaussian_weights(sigma).tolist()
    key, stream = (seed & 0xFFFFFFFF, seed >> 32), api.STREAM_DISTORTION << 16
    distorted = np.empty_like(images)
    for i in range(len(images)):
        u: list[float] = []  # from U(-1, 1)
        for block in range((4 + 2 * h * w + 3) // 4):
            u += [word / 2**31 - 1 for word in philox((block, i, epoch & 0xFFFFFFFF, stream), key)]
        angle = u[0] * float(angles[i])
        stretch_y, stretch_x = 1 + scaling * u[1], 1 + scaling * u[2]
        field_y = _smooth(u[4 : 4 + h * w], h, w, weights)
        field_x = _smooth(u[4 + h * w : 4 + 2 * h * w], h, w, weights)
        pixels = images[i].tolist()
        for r in range(h):
            for c in range(w):
                y, x = r - (h - 1) / 2, c - (w - 1) / 2
                at_y = (y * cos(angle) - x * sin(angle)) / stretch_y + alpha * field_y[r * w + c]
                at_x = (y * sin(angle) + x * cos(angle)) / stretch_x + alpha * field_x[r * w + c]
                value = _interpolate(pixels, h, w, at_y + (h - 1) / 2, at_x + (w - 1) / 2)
                distorted[i, r * w + c] = floor(value + 0.5)
    return distorted


def _smooth(field, h, w, weights):
    """Convolve a field (h, w) with weights along its columns, then along its rows."""
    radius = len(weights) // 2
    once, twice = [0.0] * (h * w), [0.0] * (h * w)
    for r in range(h):
        for k in range(max(-radius, -r), min(radius, h - 1 - r) + 1):
            for c in range(w):
                once[r * w + c] += weights[k + radius] * field[(r + k) * w + c]
    for r in range(h):
        for k in range(max(-radius, 1 - w), min(radius, w - 1) + 1):
            for c in range(max(0, -k), min(w, w - k)):
                twice[r * w + c] += weights[k + radius] * once[r * w + c + k]
    return twice


def _interpolate(pixels, h, w, y, x):
    """Return the value at (y, x) between four pixels; pixels outside are 0."""
    r, c = floor(y), floor(x)
    value = 0.0
    for i, weight_y in ((r, r + 1 - y), (r + 1, y - r)):
        for j, weight_x in ((c, c + 1 - x), (c + 1, x - c)):
            if 0 <= i < h and 0 <= j < w:
                value += weight_y * weight_x * pixels[i * w + j]
    return value


# --- random numbers ----------------------------------------------------------------------------


def philox(counter, key):
    """Return the four random words of Philox4x32-10 (Salmon et al. 2011, section 3.3).

    Parameters
    ----------
    counter : sequence of 4 ints below 2**32
    key : sequence of 2 ints below 2**32
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (
            (p1 >> 32) ^ c1 ^ k0,
            p1 & 0xFFFFFFFF,
            (p0 >> 32) ^ c3 ^ k1,
            p0 & 0xFFFFFFFF,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def _dropout_factors(rate, n_units, seed, step, row, layer):
    """Return 0 or 1 / (1 - rate) per unit: word j of the stream decides on unit j."""
    key = seed & 0xFFFFFFFF, seed >> 32
    stream = api.STREAM_DROPOUT << 16 | layer
    words: list[int] = []
    for block in range((n_units + 3) // 4):
        words += philox((block, row, step & 0xFFFFFFFF, stream), key)
    limit = api.dropout_limit(rate)
    kept = 1 / (1 - limit / 2**32)
    return [0.0 if word < limit else kept for word in words[:n_units]]
