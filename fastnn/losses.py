"""Losses by name; their formulas stand in `backends.interface`."""

from .backends import interface as api
from .parameters import check_choice

LOSSES = {
    "half_squared_error": api.HALF_SQUARED_ERROR,
    "squared_error": api.SQUARED_ERROR,
    "binary_crossentropy": api.BINARY_CROSSENTROPY,
    "categorical_crossentropy": api.CATEGORICAL_CROSSENTROPY,
    "sparse_categorical_crossentropy": api.SPARSE_CATEGORICAL_CROSSENTROPY,
}
# The activation that a cross-entropy is fused with: no logarithm of 0, no slope of 0.
FUSED_ACTIVATION = {
    api.BINARY_CROSSENTROPY: api.SIGMOID,
    api.CATEGORICAL_CROSSENTROPY: api.SOFTMAX,
    api.SPARSE_CATEGORICAL_CROSSENTROPY: api.SOFTMAX,
}


def loss_code(name: str) -> int:
    """Return the kernels' code for a loss; ValueError if there is none of that name."""
    return LOSSES[check_choice("loss", name, LOSSES)]
