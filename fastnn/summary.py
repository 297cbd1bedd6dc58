"""The table of a fitted estimator: its layers, their shapes and what each consists of."""

from typing import Any, NamedTuple

from sklearn.utils.validation import check_is_fitted

from .backends.codes import ACTIVATIONS, LOSSES, Activation, Loss
from .backends.interface import Network

HEADER = ("layer", "output shape", "activation", "dropout", "weights + biases", "parameters")
_LEFT = ("layer", "output shape", "activation")


class Layer(NamedTuple):
    """A layer of a fitted estimator, as the table has it."""

    name: str
    n_in: int
    n_out: int
    activation: str
    dropout: float

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return (self.n_in + 1) * self.n_out


def layers_of(model: Any) -> list[Layer]:
    """Return the layers of a fitted estimator, the inputs not among them."""
    if not hasattr(model, "network_"):  # a perceptron or a linear network
        n_in, n_out = model.coef_.shape[-1], model.coef_.size // model.coef_.shape[-1]
        activation = "sign" if hasattr(model, "classes_") else "identity"
        return [Layer("output", n_in, n_out, activation, 0.0)]
    net: Network = model.network_
    names = [f"hidden {i + 1}" for i in range(len(net.sizes) - 2)] + ["output"]
    return [
        Layer(name, net.sizes[i], net.sizes[i + 1], _activation(net, i), net.dropout[i])
        for i, name in enumerate(names)
    ]


def summary_of(model: Any) -> str:
    """Return a table of a fitted estimator's layers, as Keras users know it.

    Raises
    ------
    NotFittedError
        Before `fit`: the data say how many inputs and outputs there are.
    """
    check_is_fitted(model, "n_features_in_")
    layers = layers_of(model)
    rows = [HEADER, ("input", f"(None, {layers[0].n_in})", "", "", "", "")]
    for layer in layers:
        rows.append(
            (
                layer.name,
                f"(None, {layer.n_out})",
                layer.activation,
                f"{layer.dropout:g}" if layer.dropout else "",
                f"{layer.n_in} x {layer.n_out} + {layer.n_out}",
                f"{layer.n_parameters:,}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_aligned, row, widths, HEADER)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:], rule, *_footer(model, layers)])


def size_of(n_bytes: float) -> str:
    """Return a number of bytes as a person reads it."""
    unit, factor = next((u, f) for u, f in (("MB", 1e6), ("kB", 1e3), ("B", 1)) if n_bytes >= f)
    return f"{n_bytes / factor:.3g} {unit}"


def loss_of(net: Network) -> str:
    """Return the name of a network's loss, with its parameter."""
    return _shown(LOSSES[net.loss], net.formula_parameters[-1])


def _footer(model: Any, layers: list[Layer]) -> list[str]:
    n = sum(layer.n_parameters for layer in layers)
    if not hasattr(model, "network_"):
        dtype = model.coef_.dtype
        size = size_of(n * dtype.itemsize)
        return [f"parameters: {n:,} ({dtype}, {size})", f"epochs: {model.n_iter_:,}"]
    dtype, moments = model.params_.dtype, model.solver_state_.moments
    lines = [f"parameters: {n:,} ({dtype}, {size_of(n * dtype.itemsize)})"]
    if moments.size:
        lines.append(f"of the optimizer: {moments.size:,} ({size_of(moments.nbytes)})")
    end = f"loss: {loss_of(model.network_)}; solver: {model.solver}; epochs: {model.n_epochs_:,}"
    return [*lines, end]


def _activation(net: Network, layer: int) -> str:
    return _shown(ACTIVATIONS[net.activations[layer]], net.formula_parameters[layer])


def _shown(row: Activation | Loss, parameter: float) -> str:
    """Return a formula's name, with its parameter if it has one (0: no label smoothing)."""
    if row.parameter is None or parameter == 0:
        return row.name
    return f"{row.name}({row.parameter.name}={parameter:g})"


def _aligned(text: str, width: int, column: str) -> str:
    return text.ljust(width) if column in _LEFT else text.rjust(width)
