"""What stands before a network, taken into its first layer: for formats that have dense layers."""

from dataclasses import replace

import numpy as np

from .plain import PlainNetwork


def folded(plain: PlainNetwork, *, scale: bool) -> PlainNetwork:
    """Return the same network with its scalers in the first layer's weights and biases.

    It gives the same, but for rounding; a training would go another way, so there is none in it.

    Parameters
    ----------
    scale : bool
        Whether `input_scale` goes there in any case, or only along with scalers.

    Raises
    ------
    ValueError
        If a scaler clips.
    """
    if not plain.scalers and (plain.input_scale == 1 or not scale):
        return plain
    first = plain.layers[0]
    factor, offset = np.ones(plain.sizes[0]), np.zeros(plain.sizes[0])  # x * factor - offset
    for scaler in plain.scalers:
        if scaler.limits is not None:
            raise ValueError("model: a scaler with clip=True cannot be part of a dense layer")
        factor, offset = factor * scaler.factor, (offset + scaler.offset) * scaler.factor
    weights = first.weights.astype(float) * plain.input_scale
    layer = first._replace(
        weights=(factor[:, np.newaxis] * weights).astype(plain.dtype),
        bias=(first.bias - offset @ weights).astype(plain.dtype),
    )
    layers = (layer, *plain.layers[1:])
    return replace(plain, layers=layers, scalers=(), input_scale=1.0, training=None)
