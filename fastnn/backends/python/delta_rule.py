"""Perceptron and linear network, in plain Python: the rules of the course's part 1."""

from .formulas import rounded, sign


def perceptron_train(X, targets, weights, learning_rate, max_epochs, order, online, history):
    """Train by the perceptron rule; see `interface.Kernels`."""
    w = weights.tolist()
    for epoch in range(max_epochs):
        n_mistakes, _ = _delta_rule_epoch(
            X, targets, w, learning_rate, order[epoch % len(order)], online, sign
        )
        if n_mistakes == 0:
            weights[:] = w
            return epoch
        w = [rounded(row, weights.dtype) for row in w]
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
        w = [rounded(row, weights.dtype) for row in w]
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
