"""NumPy, as the course writes it: a few matrix products per step."""

import numpy as np

from ..workloads import initial_weights, load_real, one_hot


def prepare(workload, n_threads):
    X, y = load_real(workload)
    if workload.task in ("perceptron", "delta-rule"):
        return lambda: single_layer(workload, X, y)
    T = one_hot(workload, y)
    layers = initial_weights(workload)
    n, B = len(X), workload.batch_size
    if workload.task == "gradient":

        def gradients():
            for _ in range(workload.epochs):
                grads = backward(workload, layers, *forward(workload, layers, X[:B]), T[:B])
            return float(np.sqrt(sum(np.sum(g**2) for g in grads)))

        return gradients
    if workload.task == "predict":
        return lambda: float(
            np.mean(
                [
                    forward(workload, layers, X[i : i + 1])[0][-1].argmax()
                    for i in range(workload.epochs)
                ]
            )
        )
    rng, state = np.random.default_rng(0), []

    def run():
        nonlocal layers, state
        if workload.data == "xor":
            layers, state = initial_weights(workload), []
        flat = [array for layer in layers for array in layer]
        for _ in range(workload.epochs):
            total = 0.0
            order = np.arange(n) if workload.data == "xor" else rng.permutation(n)
            for start in range(0, n, B):
                batch = order[start : start + B] if n > B else slice(None)
                x, t = X[batch], T[batch]
                outputs, masks = forward(workload, layers, x, rng)
                total += loss_sum(workload, outputs[-1], t)
                step(workload, flat, backward(workload, layers, outputs, masks, t), state)
        return float(total / n)

    return run


def forward(workload, layers, x, rng=None):
    """Return the outputs of all layers, the inputs first, and the dropout masks."""
    outputs, masks = [x], []
    for index, (W, b) in enumerate(layers):
        z = outputs[-1] @ W + b
        if index < len(layers) - 1:
            y = np.maximum(z, 0) if workload.activation == "relu" else 1 / (1 + np.exp(-z))
            keep = 1 - workload.dropout
            dropping = rng is not None and keep < 1
            masks.append((rng.random(y.shape) < keep) / z.dtype.type(keep) if dropping else 1)
            outputs.append(y * masks[-1] if dropping else y)
        elif workload.loss == "crossentropy":
            e = np.exp(z - z.max(axis=1, keepdims=True))
            outputs.append(e / e.sum(axis=1, keepdims=True))
        else:
            outputs.append(1 / (1 + np.exp(-z)))
    return outputs, masks


def loss_sum(workload, Y, T):
    if workload.loss == "crossentropy":
        return -np.sum(np.log(Y[T > 0] + 1e-30))
    return np.sum((T - Y) ** 2) / 2


def backward(workload, layers, outputs, masks, T):
    """Return the gradients of all weights and biases: (2.36) to (2.46)."""
    Y, n = outputs[-1], len(T)
    delta = (Y - T) / n if workload.loss == "crossentropy" else (Y - T) * Y * (1 - Y) / n
    grads = []
    for index in range(len(layers) - 1, -1, -1):
        grads = [outputs[index].T @ delta, delta.sum(axis=0), *grads]
        if index:
            y = outputs[index]
            slope = (y > 0) if workload.activation == "relu" else y * (1 - y)
            delta = delta @ layers[index][0].T * slope * masks[index - 1]
    return grads


def step(workload, params, grads, state):
    """Update the parameters in place."""
    rate = workload.learning_rate
    if workload.solver == "sgd":
        for p, g in zip(params, grads, strict=True):
            p -= rate * g
        return
    if not state:
        state += [0, [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]]
    state[0] += 1
    rate *= np.sqrt(1 - 0.999 ** state[0]) / (1 - 0.9 ** state[0])
    for p, g, m, v in zip(params, grads, *state[1:], strict=True):
        m += 0.1 * (g - m)
        v += 0.001 * (g * g - v)
        p -= p.dtype.type(rate) * m / (np.sqrt(v) + 1e-8)


def single_layer(workload, X, y):
    """Run one epoch of the perceptron or the delta rule (1.2), sample by sample."""
    w, b, rate = np.zeros(X.shape[1]), 0.0, workload.learning_rate
    for x, t in zip(X, y, strict=True):
        z = x @ w + b
        error = t - (np.sign(z) if workload.task == "perceptron" else z)
        if error:
            w += rate * error * x
            b += rate * error
    z, t = X[:1000] @ w + b, y[:1000]
    if workload.task == "perceptron":
        return float(np.mean(np.where(z > 0, 1, -1) == t))
    return float(1 - np.sum((t - z) ** 2) / np.sum((t - t.mean()) ** 2))
