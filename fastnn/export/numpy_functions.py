"""The activations in NumPy, each by the name that `backends.codes` has for it.

`forward` calls them, and the NumPy export copies their sources: so they call nothing but NumPy and
`math`. The arguments are pre-activations z (n_samples, n_units) and the number in the formula.
"""

import math

import numpy as np


def sign(z):
    """Return -1, 0 or 1."""
    return np.sign(z)


def identity(z):
    """Return z."""
    return z


def sigmoid(z):
    """Return 1 / (1 + exp(-z))."""
    e = np.exp(-abs(z))  # never of a positive number: no overflow
    return np.where(z >= 0, np.ones_like(e), e) / (1 + e)


def tanh(z):
    """Return tanh(z)."""
    return np.tanh(z)


def softsign(z):
    """Return z / (1 + |z|)."""
    return z / (1 + abs(z))


def relu(z):
    """Return max(0, z)."""
    return np.maximum(z, 0)


def softmax(z):
    """Return exp(z_k) / sum_j exp(z_j) for the units k of a layer."""
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def softplus(z):
    """Return ln(1 + exp(z))."""
    return np.maximum(z, 0) + np.log1p(np.exp(-abs(z)))


def leaky_relu(z, negative_slope):
    """Return z where z > 0, else negative_slope z."""
    return np.where(z > 0, z, negative_slope * z)


def elu(z, alpha):
    """Return z where z > 0, else alpha (exp(z) - 1)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def selu(z):
    """Return scale z where z > 0, else scale alpha (exp(z) - 1)."""
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def gelu(z):
    """Return z P(z), P the standard normal distribution function."""
    erfc = np.vectorize(math.erfc, otypes=[z.dtype])
    return z * erfc(-z / math.sqrt(2)) / 2


def silu(z):
    """Return z / (1 + exp(-z))."""
    e = np.exp(-abs(z))
    return z * np.where(z >= 0, np.ones_like(e), e) / (1 + e)


def exponential(z):
    """Return exp(z)."""
    return np.exp(np.minimum(z, math.log(np.finfo(z.dtype).max)))
