"""The table of a fitted network: its layers and what each consists of."""

from typing import Any

from sklearn.utils.validation import check_is_fitted

from .backends.codes import ACTIVATIONS, LOSSES, Activation, Loss
from .backends.interface import Network
from .network import matrices

HEADER = ("layer", "units", "activation", "dropout", "parameters")


def summary_of(model: Any) -> str:
    """Return a table of a fitted network's layers, as Keras prints it; see `BaseMLP.summary`."""
    check_is_fitted(model, "params_")
    net, n = model.network_, len(model.network_.sizes) - 1
    counts = [W.size + b.size for W, b in zip(*matrices(net, model.params_), strict=True)]
    rows = [HEADER, ("input", f"{net.sizes[0]:,}", "", "", "")]
    for layer in range(n):
        rows.append(
            (
                "output" if layer == n - 1 else f"hidden {layer + 1}",
                f"{net.sizes[layer + 1]:,}",
                _shown(ACTIVATIONS[net.activations[layer]], net.formula_parameters[layer]),
                f"{net.dropout[layer]:g}" if net.dropout[layer] else "",
                f"{counts[layer]:,}",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(_aligned, row, widths, HEADER)).rstrip() for row in rows]
    rule = "-" * max(map(len, lines))
    return "\n".join([lines[0], rule, *lines[1:], rule, *_footer(model, net)])


def _footer(model: Any, net: Network) -> list[str]:
    size = model.params_.nbytes
    unit, factor = next((u, f) for u, f in (("MB", 1e6), ("kB", 1e3), ("B", 1)) if size >= f)
    loss = _shown(LOSSES[net.loss], net.formula_parameters[-1])
    return [
        f"parameters: {net.n_parameters:,} ({model.params_.dtype}, {size / factor:.3g} {unit})",
        f"loss: {loss}; solver: {model.solver}; epochs: {model.n_epochs_:,}",
    ]


def _shown(row: Activation | Loss, parameter: float) -> str:
    """Return a formula's name, with its parameter if it has one (0: no label smoothing)."""
    if row.parameter is None or parameter == 0:
        return row.name
    return f"{row.name}({row.parameter.name}={parameter:g})"


def _aligned(text: str, width: int, column: str) -> str:
    return text.ljust(width) if column in ("layer", "activation") else text.rjust(width)
