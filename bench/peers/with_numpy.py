"""NumPy, as the course writes system 7: a few matrix products per epoch."""

import numpy as np

from ..workloads import initial_weights, load_real


def prepare(workload, n_threads):
    if workload.name != "xor":
        return None
    X, y = load_real(workload)
    T = y[:, np.newaxis]

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    def run():
        (W1, b1), (W2, b2) = ((W.copy(), b.copy()) for W, b in initial_weights(workload))
        rate = workload.learning_rate / len(X)
        for _ in range(workload.epochs):
            Y1 = sigmoid(X @ W1 + b1)
            Y2 = sigmoid(Y1 @ W2 + b2)
            delta_2 = (T - Y2) * Y2 * (1 - Y2)  # (2.41)
            delta_1 = delta_2 @ W2.T * Y1 * (1 - Y1)  # (2.42)
            W2 += rate * (Y1.T @ delta_2)
            b2 += rate * delta_2.sum(axis=0)
            W1 += rate * (X.T @ delta_1)
            b1 += rate * delta_1.sum(axis=0)
        return float(np.sum((T - Y2) ** 2) / 8)

    return run
