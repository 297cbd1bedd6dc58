"""Sets of points in the plane; each function stands alone, as programs for users quote it.

Each returns X (n, 2) and the class, 0 or 1, of each point (n,); of `parabola` x (n, 1) and y (n,).
`rng` is NumPy's generator; `noise` is the standard deviation of what is added.
"""

import numpy as np


def four(n, noise, rng):
    """Return the four points of the text's single-layer perceptron (1.2.9)."""
    X = np.array([[3.0, 3.0], [4.0, 3.0], [1.0, 1.0], [2.0, 1.0]])
    return X + rng.normal(0, noise, X.shape), np.array([1, 1, 0, 0])


def xor(n, noise, rng):
    """Return the corners of a square, or, beyond four, points around them."""
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])[np.arange(n) % 4]
    return X + rng.normal(0, noise, X.shape), np.array([0, 1, 1, 0])[np.arange(n) % 4]


def disc(n, noise, rng):
    """Return points of N(0, 1)^2: those within a radius of 1 are one class (2.4.4)."""
    X = rng.normal(size=(n, 2))
    return X + rng.normal(0, noise, X.shape), (np.hypot(*X.T) < 1).astype(int)


def spirals(n, noise, rng):
    """Return two spirals, one of them turned by half a turn."""
    y = np.arange(n) % 2
    radius = np.sqrt(rng.uniform(0.01, 1, n))
    angle = 1.25 * 2 * np.pi * radius + np.pi * y
    X = radius[:, np.newaxis] * np.column_stack([np.sin(angle), np.cos(angle)])
    return X + rng.normal(0, noise, X.shape), y


def moons(n, noise, rng):
    """Return two half circles that reach into each other."""
    y = np.arange(n) % 2
    angle = np.pi * rng.uniform(0, 1, n)
    X = np.column_stack([np.cos(angle), np.sin(angle)])
    X = np.where(y[:, np.newaxis] == 1, np.array([1.0, 0.5]) - X, X)
    return X + rng.normal(0, noise, X.shape), y


def circles(n, noise, rng):
    """Return two circles around one centre."""
    y = np.arange(n) % 2
    angle = 2 * np.pi * rng.uniform(0, 1, n)
    radius = np.where(y == 1, 0.4, 1.0)[:, np.newaxis]
    X = radius * np.column_stack([np.cos(angle), np.sin(angle)])
    return X + rng.normal(0, noise, X.shape), y


def clouds(n, noise, rng):
    """Return two clouds of points."""
    y = np.arange(n) % 2
    X = np.where(y[:, np.newaxis] == 1, 0.5, -0.5) * np.ones((n, 2))
    return X + rng.normal(0, noise, X.shape), y


def parabola(n, noise, rng):
    """Return points of y = x^2 - 0.5 on [-1, 1] (2.4.4)."""
    x = np.linspace(-1, 1, n)[:, np.newaxis]
    return x, x[:, 0] ** 2 - 0.5 + rng.normal(0, noise, n)


def features(X, names):
    """Return what the network sees of each point: x1, x2, and products of them."""
    x1, x2 = X[:, 0], X[:, -1]
    known = {"x1": x1, "x2": x2, "x1x1": x1 * x1, "x1x2": x1 * x2, "x2x2": x2 * x2}
    return np.column_stack([known[name] for name in names])
