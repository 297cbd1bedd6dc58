"""Activation functions by name; their formulas stand in `backends.interface`."""

from .backends import interface as api

ACTIVATIONS = {
    "sign": api.SIGN,
    "purelin": api.PURELIN,
    "sigmoid": api.SIGMOID,
    "tanh": api.TANH,
    "softsign": api.SOFTSIGN,
    "relu": api.RELU,
    "softmax": api.SOFTMAX,
}
# scikit-learn's names
ACTIVATIONS |= {"identity": api.PURELIN, "logistic": api.SIGMOID}


def activation_code(name: str, argument: str = "activation") -> int:
    """Return the kernels' code for an activation; ValueError if there is none of that name."""
    if name not in ACTIVATIONS:
        known = ", ".join(repr(known) for known in ACTIVATIONS)
        raise ValueError(f"{argument}={name!r}: expected one of {known}")
    return ACTIVATIONS[name]
