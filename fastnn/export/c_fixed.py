"""Networks in 8-bit fixed point: weights and units as bytes, sums in 32 bits, no float between.

A real number is a whole one times a step. A byte of a unit's weights has a step of the unit's own,
a layer's outputs have one in common, taken from the largest that samples show. `scores` is, integer
by integer, what the C text does.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import numpy_functions
from .forward import Results, results_of
from .plain import Layer, PlainNetwork

_LARGEST = {"tanh": 3.5, "sigmoid": 6.0}  # pre-activations, beyond which a byte sees no change
_NOT_NEGATIVE = ("relu", "sigmoid", "softplus", "exponential")
_FRACTION = 16  # bits of the scores behind the point, if there is room


class FixedLayer(NamedTuple):
    """A layer of whole numbers.

    Attributes
    ----------
    weights : (n_in, n_out) of int8
    bias : (n_out,) of int32
    factors : (n_out,) of int32
        A sum times its factor, without the last `shift` bits, is a pre-activation in steps.
    shift : int
    low, high : int
        Between which that is kept.
    table : (256,) of int16, or None
        The outputs for the pre-activations from -128 to 127; None: they are the outputs.
    """

    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    factors: NDArray[np.int32]
    shift: int
    low: int
    high: int
    table: NDArray[np.int16] | None


class FixedNetwork(NamedTuple):
    """A network of whole numbers.

    Attributes
    ----------
    input_steps : float
        What an input that is no byte is multiplied by before it is rounded; 0: inputs are bytes.
    layers : tuple of FixedLayer
    fraction : int
        Bits of the scores behind the binary point: a score's step is 2**-fraction.
    """

    input_steps: float
    layers: tuple[FixedLayer, ...]
    fraction: int


def fixed_point(plain: PlainNetwork, X: NDArray) -> FixedNetwork:
    """Return a network in 8 bits, with the ranges that samples X show.

    Raises
    ------
    ValueError
        If a layer has so many inputs that 32 bits do not hold its sums.
    """
    x = scaled_inputs(plain, X)
    is_bytes = plain.entry_dtype == np.uint8 and not plain.scalers
    step = abs(plain.input_scale) if is_bytes else _step(x, 127)
    sign = math.copysign(1, plain.input_scale) if is_bytes else 1
    layers, largest = [], 255 if is_bytes else 127
    for number, layer in enumerate(plain.layers, 1):
        weights = layer.weights.astype(float) * sign
        sign = 1
        z = x @ layer.weights.astype(float) + layer.bias
        if number == len(plain.layers):
            fraction = min(_FRACTION, 29 - math.ceil(math.log2(max(1e-30, abs(z).max()))))
            limit = 2**31 - 1
            layers.append(_layer(number, weights, layer.bias, step, largest, 2.0**-fraction, limit))
            break
        x = _activated(layer, z)
        top = 255 if layer.activation in _NOT_NEGATIVE else 127
        output_step = _step(x, top)
        if layer.activation in ("relu", "identity"):
            fixed = _layer(number, weights, layer.bias, step, largest, output_step, top)
            low = 0 if layer.activation == "relu" else -top
            fixed = fixed._replace(low=low)
        else:
            z_step = min(_step(z, 127), _LARGEST.get(layer.activation, np.inf) / 127)
            fixed = _layer(number, weights, layer.bias, step, largest, z_step, 127)
            outputs = _activated(layer, np.arange(-128, 128)[np.newaxis] * z_step)[0]
            table = np.rint(outputs / output_step).clip(-127 if top == 127 else 0, top)
            fixed = fixed._replace(low=-128, table=table.astype(np.int16))
        layers.append(fixed)
        step, largest = output_step, top
    input_steps = 0.0 if is_bytes else float(np.float32(1 / _step(scaled_inputs(plain, X), 127)))
    return FixedNetwork(input_steps, tuple(layers), fraction)


def scaled_inputs(plain: PlainNetwork, X: NDArray) -> NDArray[np.float64]:
    """Return what goes into the first layer."""
    x = X.astype(float)
    for scaler in plain.scalers:
        x = (x - scaler.offset) * scaler.factor
        if scaler.limits is not None:
            x = x.clip(*scaler.limits)
    return x * plain.input_scale


def _activated(layer: Layer, z: NDArray) -> NDArray:
    function = getattr(numpy_functions, layer.activation)
    return function(z, *(layer.parameter,) * (function.__code__.co_argcount - 1))


def _step(values: NDArray, top: int) -> float:
    """Return the step in which the largest value is `top`."""
    return float(abs(values).max()) / top or 1.0


def _layer(
    number: int,
    weights: NDArray,
    bias: NDArray,
    step: float,
    largest: int,
    output_step: float,
    limit: int,
) -> FixedLayer:
    """Return a layer whose inputs have a step and a largest size, and whose outputs have a step."""
    steps = np.maximum(abs(weights).max(axis=0) / 127, abs(bias.astype(float)) / (step * 2.0**30))
    steps[steps == 0] = 1
    whole = np.rint(weights / steps)
    sums = abs(whole).sum(axis=0) * largest + abs(bias) / (step * steps)
    if sums.max() >= 2**31:
        raise ValueError(
            f"layer {number}: {len(weights)} inputs are too many for sums of 32 bits; expected "
            "fewer, or dtype='float32'"
        )
    factors = step * steps / output_step
    shift = min(62, 30 - math.frexp(float(factors.max()))[1])
    if shift < 1:
        raise ValueError(f"layer {number}: its outputs are too small beside its inputs for 8 bits")
    return FixedLayer(
        whole.astype(np.int8),
        np.rint(bias / (step * steps)).astype(np.int32),
        np.rint(factors * 2.0**shift).astype(np.int32),
        shift,
        -limit,
        limit,
        None,
    )


def scores(plain: PlainNetwork, fixed: FixedNetwork, X: NDArray) -> NDArray[np.int32]:
    """Return the whole numbers (n_samples, n_outputs) that the last layer gives."""
    if fixed.input_steps:
        x = X.astype(np.float32)
        for scaler in plain.scalers:
            x = (x - scaler.offset.astype(np.float32)) * scaler.factor.astype(np.float32)
            if scaler.limits is not None:
                x = x.clip(*scaler.limits)
        steps = np.float32(plain.input_scale * fixed.input_steps)
        x = (x * steps).clip(-127, 127)
        units = (x + np.where(x < 0, np.float32(-0.5), np.float32(0.5))).astype(np.int64)
    else:
        units = X.astype(np.int64)
    for layer in fixed.layers:
        sums = units @ layer.weights.astype(np.int64) + layer.bias
        products, half = sums * layer.factors, 1 << (layer.shift - 1)
        rounded = np.sign(products) * ((abs(products) + half) >> layer.shift)
        units = rounded.clip(layer.low, layer.high)
        if layer.table is not None:
            units = layer.table[units + 128].astype(np.int64)
    return units.astype(np.int32)


def fixed_results(plain: PlainNetwork, fixed: FixedNetwork, X: NDArray) -> Results:
    """Return what the scores of samples mean."""
    z = scores(plain, fixed, X) * np.float32(2.0**-fixed.fraction)
    return results_of(plain, _activated(plain.layers[-1], z))
