"""Perceptron and linear network, in plain Python: the rules of the course's part 1."""

from ..compressed import row_of
from .formulas import rounded, sign


def perceptron_train(
    X, targets, weights, learning_rate, order, online, losses, history, sample_weights=None
):
    """Train by the perceptron rule; see `interface.Kernels`."""
    w = weights.tolist()
    for epoch in range(len(losses)):
        n_mistakes, losses[epoch] = _delta_rule_epoch(
            X, targets, w, learning_rate, order[epoch % len(order)], online, sample_weights, True
        )
        if n_mistakes == 0:
            weights[:] = w
            return epoch
        w = [rounded(row, weights.dtype) for row in w]
        if len(history):
            history[epoch] = w
    weights[:] = w
    return len(losses)


def linear_train(X, targets, weights, learning_rate, order, online, losses, sample_weights=None):
    """Train by the delta rule; see `interface.Kernels`."""
    w = weights.tolist()
    for epoch in range(len(losses)):
        _, losses[epoch] = _delta_rule_epoch(
            X, targets, w, learning_rate, order[epoch % len(order)], online, sample_weights, False
        )
        w = [rounded(row, weights.dtype) for row in w]
    weights[:] = w


def _delta_rule_epoch(X, targets, w, rate, order, online, sample_weights, use_sign):
    """Make one epoch of w += rate s (t - y) x (1.2), s being the weight of a sample.

    Returns the number of wrong samples, and the weighted mean of max(0, -t z), with y = sign(z),
    or of (t - y)^2 / 2 (2.2), with y = z.
    """
    n_samples, n_outputs = len(X), len(w[0])
    weights = [1.0] * n_samples if sample_weights is None else sample_weights.tolist()
    total = sum(weights)
    change = [[0.0] * n_outputs for _ in w]
    n_mistakes, loss_sum = 0, 0.0
    for i in order if online else range(n_samples):
        x, t = row_of(X, i).tolist(), targets[i].tolist()
        if len(w) > len(x):
            x = [1.0, *x]  # the bias is the weight of an input of 1 (1.2.3)
        errors = [0.0] * n_outputs
        for c in range(n_outputs):
            z = 0.0
            for k in range(len(x)):
                z += x[k] * w[k][c]
            errors[c] = t[c] - (sign(z) if use_sign else z)
            loss = max(0.0, -t[c] * z) if use_sign else errors[c] * errors[c] / 2
            loss_sum += weights[i] * loss + (z - z)  # NaN, where z is infinite
        n_mistakes += any(e != 0 for e in errors)
        errors = [weights[i] * e for e in errors]
        for k in range(len(x)):
            for c in range(n_outputs):
                if online:
                    w[k][c] += rate * errors[c] * x[k]
                else:
                    change[k][c] += x[k] * errors[c]
    if not online:
        for k in range(len(w)):
            for c in range(n_outputs):
                w[k][c] += rate * change[k][c] / total
    return n_mistakes, loss_sum / total
