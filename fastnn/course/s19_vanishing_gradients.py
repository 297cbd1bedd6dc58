"""Vanishing and exploding gradients (2.6): the size of delta per layer of a deep network.

With one sample and a learning rate of 1, plain gradient descent changes each bias by just its
delta: (2.39) and (2.40).
"""

from itertools import pairwise

import numpy as np

import fastnn

N_LAYERS, WIDTH = 10, 50
NETWORKS = {  # activation, scale of the weights' standard deviation
    "sigmoid": ("sigmoid", 1.0),
    "tanh": ("tanh", 1.0),
    "softsign": ("softsign", 1.0),
    "ReLU": ("relu", 2**0.5),
    "purelin, large weights": ("purelin", 2.0),
}


def deltas(activation, scale, rng):
    """Return the mean size of delta in each hidden layer, for one sample and random weights."""
    sizes = [WIDTH] * (N_LAYERS + 1) + [1]
    weights = [rng.normal(0, scale / m**0.5, (m, n)) for m, n in pairwise(sizes)]
    biases = [np.zeros(n) for n in sizes[1:]]
    model = fastnn.MLPRegressor(
        (WIDTH,) * N_LAYERS,
        activation,
        solver="sgd",
        momentum=0,
        learning_rate_init=1.0,
        max_iter=1,
        tol=None,
    )
    model.fit(rng.normal(size=(1, WIDTH)), [10.0], coefs_init=weights, intercepts_init=biases)
    return [np.abs(after).mean() for after in model.intercepts_[:-1]]


def run(lesson):
    rng = np.random.default_rng(lesson.seed)
    layers = np.arange(1, N_LAYERS + 1)
    with lesson.figure("deltas", figsize=(7, 4.4)) as axes:
        lesson.print("mean |delta| of layer     1          5         10")
        for name, (activation, scale) in NETWORKS.items():
            tries = [deltas(activation, scale, rng) for _ in range(lesson.epochs(50, 5))]
            size = np.mean(tries, axis=0)
            lesson.print(f"{name:<22}", *(f"{size[layer]:10.2e}" for layer in (0, 4, 9)))
            axes.plot(layers, size, "o-", label=name)
        axes.set(xlabel="hidden layer", ylabel="mean |δ|", yscale="log", xticks=layers)
        axes.grid(alpha=0.3)
        axes.legend()
