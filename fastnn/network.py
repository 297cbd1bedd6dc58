"""A network's shape, checked, and its parameters: one flat vector, and matrices that view it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import random
from .backends.codes import ACTIVATIONS, LOSSES, OPTIMIZERS
from .backends.interface import Network
from .backends.rows import Activation, Loss, UpdateRule
from .formulas import activation as find_activation
from .formulas import check_parameter, find, hidden_activations
from .parameters import (
    FINITE,
    FLOAT32,
    FLOAT64,
    FRACTION,
    check_choice,
    check_hidden_sizes,
    check_real,
    check_sequence,
    is_integer,
    is_real,
    shown,
)
from .validation import as_reals

INITIALIZERS = ("glorot_uniform", "he_normal", "uniform", "normal")
MAX_LAYERS = 10_000  # a layer of one unit takes little in a file, but much in a kernel
MOST_PARAMETERS = (2**63 - 1) // 16  # of float64, with room for two moments


def make_network(
    sizes: Sequence[int],
    activation: Any,
    out_activation: Any,
    dropout: float | Sequence[float],
    loss: Any,
) -> Network:
    """Return a network.

    Parameters
    ----------
    sizes : sequence of int
        Units per layer, inputs and outputs included.
    activation : formula, or sequence of formulas
        Of the hidden layers, of all or of each: names, or (name, parameter).
    out_activation : formula
        Of the last layer.
    dropout : float or sequence of float
        Fraction of the outputs dropped in training: of every hidden layer, or one for each.
    loss : formula

    Raises
    ------
    ValueError
        If a value is out of range, or loss and out_activation do not go together.
    """
    hidden_sizes = check_hidden_sizes(sizes[1:-1])
    n_hidden = len(hidden_sizes)
    hidden = hidden_activations(activation, n_hidden)
    last = find_activation(out_activation)
    aim = find("loss", loss, LOSSES)
    if not _go_together(last.row, aim.row):
        raise ValueError(
            f"out_activation={shown(out_activation)}: loss={aim.row.name!r} goes with "
            f"{' or '.join(map(repr, aim.row.outputs))} outputs only"
        )
    expected = f"one number or {n_hidden}, one per hidden layer"
    rates: list = [dropout] * max(1, n_hidden)
    if not is_real(dropout):
        rates = check_sequence("dropout", dropout, expected)
        if len(rates) != n_hidden:
            raise ValueError(f"dropout: expected {expected}, got {len(rates)}")
    rates = [check_real("dropout", rate, FRACTION) for rate in rates]
    layers = [*hidden, last]
    net = Network(
        (int(sizes[0]), *hidden_sizes, int(sizes[-1])),
        tuple(layer.row.code for layer in layers),
        (*rates[:n_hidden], 0.0),
        aim.row.code,
        tuple(layer.parameter for layer in layers),
        None if aim.row.parameter is None else aim.parameter,
    )
    if net.n_parameters > MOST_PARAMETERS:
        raise ValueError(
            f"hidden_layer_sizes={shown(hidden_sizes)}: {shown(net.n_parameters)} parameters; "
            f"expected at most {MOST_PARAMETERS}, what an array can hold"
        )
    check_network(net)
    return net


def _go_together(last: Activation, loss: Loss) -> bool:
    return not loss.outputs or last.name in loss.outputs


def check_network(net: Network) -> None:
    """Raise ValueError unless a network is one that kernels can run: they check nothing."""
    sizes, activations, dropout, loss, parameters, loss_parameter = net
    if not all(isinstance(part, tuple) for part in (sizes, activations, dropout, parameters)):
        raise ValueError("network: expected tuples of sizes, activations and dropout")
    if not (2 <= len(sizes) <= MAX_LAYERS and all(is_integer(n) and n >= 1 for n in sizes)):
        raise ValueError(f"network: sizes={shown(sizes)}: expected 2 integers or more, from 1 on")
    if not (len(activations) == len(dropout) == len(sizes) - 1):
        raise ValueError(f"network: expected {len(sizes) - 1} activations and dropout rates")
    for code in activations:
        if not is_integer(code) or not 0 <= code < len(ACTIVATIONS):
            raise ValueError(f"network: there is no activation {shown(code)}")
    layers = [ACTIVATIONS[code] for code in activations]
    for row in layers[:-1]:
        if row.output_only:
            raise ValueError(f"network: {row.name} is for the output layer only")
    if not all(is_real(rate) and 0 <= rate < 1 for rate in dropout) or dropout[-1] != 0:
        raise ValueError(
            f"network: dropout={shown(dropout)}: expected numbers from 0 to below 1, the last 0"
        )
    if not is_integer(loss) or not 0 <= loss < len(LOSSES):
        raise ValueError(f"network: there is no loss {shown(loss)}")
    if not _go_together(layers[-1], LOSSES[loss]):
        raise ValueError(
            f"network: loss {LOSSES[loss].name} does not go with {layers[-1].name} outputs"
        )
    if parameters and len(parameters) != len(layers):
        raise ValueError(f"network: expected {len(layers)} parameters of activations, or none")
    for row, number in zip(layers, parameters, strict=False):
        if row.parameter is None and number != 0:
            raise ValueError(f"network: {shown(number)} in {row.name}, which has no parameter")
        if row.parameter is not None:
            check_parameter(f"network: {row.parameter.name}", number, row)
    if loss_parameter is not None:
        check_parameter("network: the loss's parameter", loss_parameter, LOSSES[loss])


def check_state(net: Network, params: NDArray, moments: NDArray, optimizer: int) -> None:
    """Raise ValueError unless parameters and an optimizer's state fit a network, and are finite.

    A mean of squares may have overflowed: its parameters then move no more.
    """
    n, rule = net.n_parameters, OPTIMIZERS[optimizer]
    for name, values, shape in (
        ("params_", params, (n,)),
        ("moments", moments, (rule.n_moments, n)),
    ):
        if values.dtype not in (FLOAT32, FLOAT64) or values.dtype != params.dtype:
            raise ValueError(f"{name}: expected one real dtype, got {values.dtype}")
        if values.shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, got {values.shape}")
    if not np.isfinite(params).all():
        raise ValueError("params_: expected finite numbers; did the training diverge?")
    squares = squares_of(moments, rule)
    means = moments[: len(moments) - len(squares)]
    if not (np.isfinite(means).all() and (squares >= 0).all()):
        raise ValueError("moments: expected the finite state of an optimizer; did it diverge?")


def squares_of(moments: NDArray, rule: UpdateRule) -> NDArray:
    """Return the mean squares among the moments, (0 or 1, n_parameters).

    They are the last moment of a rule that divides by their root, epsilon added.
    """
    return moments[rule.n_moments - ("epsilon" in rule.parameters) :]


def matrices(net: Network, params: NDArray) -> tuple[list[NDArray], list[NDArray]]:
    """Return the weights (n_in, n_out) and biases (n_out,) of each layer, as views of `params`."""
    weights, biases, start = [], [], 0
    for m, n in zip(net.sizes, net.sizes[1:], strict=False):
        weights.append(params[start : start + m * n].reshape(m, n))
        biases.append(params[start + m * n : start + (m + 1) * n])
        start += (m + 1) * n
    return weights, biases


def initial_parameters(
    net: Network,
    weight_init: str,
    bias_init: float,
    seed: int,
    dtype: np.dtype,
    draw: Callable[..., NDArray] | None = None,
) -> NDArray:
    """Return random weights and constant biases.

    Parameters
    ----------
    weight_init : {"glorot_uniform", "he_normal", "uniform", "normal"}
        U(-r, r) with r = sqrt(6 / (n_in + n_out)) (Glorot & Bengio 2010, equation 16),
        N(0, 2 / n_in) (He et al. 2015, equation 10), U(0, 1) or N(0, 1).
    bias_init : float
    seed : int
    draw : callable, optional
        In place of `draw_weights`, for one seed.

    Raises
    ------
    ValueError
        If `weight_init` is unknown or `bias_init` is not finite.
    MemoryError
        If the parameters do not fit in memory.
    """
    check_choice("weight_init", weight_init, INITIALIZERS)
    bias = check_real("bias_init", bias_init, FINITE, dtype)
    try:
        params = (draw or draw_weights)(net, weight_init, [seed], dtype)[0]
    except MemoryError:
        raise too_large(net, dtype) from None
    if bias:
        for b in matrices(net, params)[1]:
            b[:] = bias
    return params


def too_large(net: Network, dtype: np.dtype) -> MemoryError:
    """Return the error for a network whose parameters do not fit in memory."""
    gigabytes = net.n_parameters * dtype.itemsize / 1e9
    return MemoryError(
        f"hidden_layer_sizes={shown(net.sizes[1:-1])}: {net.n_parameters} parameters of {dtype}, "
        f"{gigabytes:.3g} GB and a few times as much to train them, do not fit in memory"
    )


def draw_weights(net: Network, weight_init: str, seeds: Sequence[int], dtype: np.dtype) -> NDArray:
    """Return random weights of a network for each seed, (m, n_parameters); all biases are 0."""
    params = np.zeros((len(seeds), net.n_parameters), dtype)
    shapes = list(pairwise(net.sizes))
    is_normal = weight_init in ("he_normal", "normal")
    drawn = random.uniforms([(1 + is_normal) * m * n for m, n in shapes], seeds)
    start = 0
    for (m, n), uniform in zip(shapes, drawn, strict=True):
        values = random.normal_from(uniform) if is_normal else uniform
        if weight_init == "glorot_uniform":
            values = np.sqrt(6 / (m + n)) * (2 * values - 1)
        elif weight_init == "he_normal":
            values = np.sqrt(2 / m) * values
        params[:, start : start + m * n] = values
        start += (m + 1) * n
    return params


def given_parameters(
    net: Network, params: NDArray, given: Mapping[str, Sequence[ArrayLike]]
) -> NDArray:
    """Return a copy of the flat vector with weights or biases replaced.

    Parameters
    ----------
    given : dict of name -> sequence of (n_in, n_out) or (n_out,)
        Names that begin with "coefs" stand for weights, the others for biases; errors say them.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    params = params.copy()
    weights, biases = matrices(net, params)
    for name, values in given.items():
        views = weights if name.startswith("coefs") else biases
        expected = f"{len(views)} arrays, one per layer"
        items = check_sequence(name, values, expected)
        if len(items) != len(views):
            raise ValueError(f"{name}: expected {expected}, got {len(items)}")
        for layer, (view, item) in enumerate(zip(views, items, strict=True)):
            value = as_reals(f"{name}[{layer}]", item, params.dtype)
            if value.shape != view.shape:
                raise ValueError(f"{name}[{layer}]: expected shape {view.shape}, got {value.shape}")
            view[:] = value
    return params
