"""Activation functions by name; their formulas stand in `backends.interface`."""

from .backends import interface as api
from .parameters import check_choice

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
    return ACTIVATIONS[check_choice(argument, name, ACTIVATIONS)]
