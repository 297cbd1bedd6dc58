"""Formulas as users name them: rows of the table `backends.codes`, found and checked."""

from typing import Any, NamedTuple

import numpy as np

from .backends.codes import (
    ACTIVATIONS,
    BINARY_CROSSENTROPY,
    CATEGORICAL_CROSSENTROPY,
    HALF_SQUARED_ERROR,
    LOSSES,
    SPARSE_CATEGORICAL_CROSSENTROPY,
)
from .backends.rows import Activation, Loss, by_name
from .parameters import FRACTION, Range, check_choice, check_real, check_sequence, shown

HIDDEN = tuple(row for row in ACTIVATIONS if not row.output_only)
_OUTPUT_ONLY = tuple(row for row in ACTIVATIONS if row.output_only)
# The classifier's "crossentropy": which of them it is, the number of classes says.
_CROSSENTROPIES = (BINARY_CROSSENTROPY, CATEGORICAL_CROSSENTROPY, SPARSE_CATEGORICAL_CROSSENTROPY)


class Formula(NamedTuple):
    """An activation or a loss, and the number in it: 0 where there is none."""

    row: Any  # of the table: an Activation or a Loss
    parameter: float = 0.0


def find(argument: str, value: Any, rows: tuple[Activation, ...] | tuple[Loss, ...]) -> Formula:
    """Return the formula that a name means, or (name, parameter); ValueError if there is none."""
    if isinstance(value, Formula):
        return value
    name, number = _split(value)
    codes = by_name(rows)
    check_choice(argument, name, codes)
    row: Any = next(row for row in rows if row.code == codes[name])
    if row.parameter is None:
        if number is not None:
            raise ValueError(f"{argument}={shown(value)}: {name!r} has no parameter")
        return Formula(row)
    if number is None:
        return Formula(row, row.parameter.default)
    label = f"{argument}: {row.parameter.name} of {name!r}"
    return Formula(row, check_parameter(label, number, row))


def check_parameter(label: str, number: Any, row: Activation | Loss) -> float:
    """Return the number in a formula; ValueError unless it may stand there."""
    if row.parameter is None:
        raise ValueError(f"{label}={shown(number)}: {row.name!r} has no parameter")
    return check_real(label, number, Range(row.parameter.expected, row.parameter.holds))


def activation(value: Any, argument: str = "out_activation") -> Formula:
    """Return the activation that a name means, or (name, parameter)."""
    return find(argument, value, ACTIVATIONS)


def hidden_activations(value: Any, n_hidden: int) -> list[Formula]:
    """Return the activations of the hidden layers: one for all of them, or one for each."""
    if isinstance(value, str) or _split(value)[1] is not None:
        return [_hidden_activation(value)] * n_hidden
    expected = f"a name, (name, parameter), or {n_hidden} of these, one per hidden layer"
    items = check_sequence("activation", value, expected)
    if len(items) != n_hidden:
        raise ValueError(f"activation={shown(value)}: expected {expected}, got {len(items)}")
    return [_hidden_activation(item) for item in items]


def _hidden_activation(value: Any) -> Formula:
    name = value.row.name if isinstance(value, Formula) else _split(value)[0]
    if isinstance(name, str) and name in by_name(_OUTPUT_ONLY):
        raise ValueError(
            f"activation={shown(value)}: only the output layer can have it (out_activation)"
        )
    return find("activation", value, HIDDEN)


def loss_rows(n_classes: int) -> tuple[Loss, ...]:
    """Return the losses that go by their own names, of a regression (0 classes) or classifier."""
    tasks = ("any", "classes" if n_classes else "regression")
    return tuple(row for row in LOSSES if row.task in tasks and row.code not in _CROSSENTROPIES)


def loss_names(n_classes: int) -> tuple[str, ...]:
    """Return what the parameter `loss` of a classifier or a regressor (0 classes) may be."""
    special = ("auto", "crossentropy") if n_classes else ("auto",)
    return (*special, *by_name(loss_rows(n_classes)))


def choose_loss(value: Any, n_classes: int, label_smoothing: Any = 0.0) -> Formula:
    """Return the loss that the parameter `loss` means for so many classes, 0 for a regression.

    Raises
    ------
    ValueError
        If there is none, or if labels are to be smoothed that it does not smooth.
    """
    smoothing = check_real("label_smoothing", label_smoothing, FRACTION)
    name, number = _split(value)
    check_choice("loss", name, loss_names(n_classes))
    if number is None and n_classes and name in ("auto", "crossentropy"):
        return Formula(_crossentropy(n_classes), smoothing)
    if smoothing:
        raise ValueError(
            f"label_smoothing={shown(label_smoothing)}: expected 0, as "
            f"loss={shown(value)} is no cross-entropy"
        )
    if name in ("auto", "crossentropy"):
        if number is not None:
            raise ValueError(f"loss={shown(value)}: {name!r} has no parameter")
        return Formula(LOSSES[HALF_SQUARED_ERROR])
    return find("loss", value, loss_rows(n_classes))


def is_loss_of(code: int, n_classes: int) -> bool:
    """Say whether a fit to so many classes, or a regression (0), could have a loss."""
    rows = loss_rows(n_classes)
    return LOSSES[code] in ((*rows, _crossentropy(n_classes)) if n_classes else rows)


def _crossentropy(n_classes: int) -> Loss:
    return LOSSES[BINARY_CROSSENTROPY if n_classes <= 2 else SPARSE_CATEGORICAL_CROSSENTROPY]


def n_outputs_for(loss: Loss, n_classes: int) -> int:
    """Return how many outputs a network for so many classes has."""
    is_single = n_classes <= 2 and loss.targets not in ("index", "distribution")
    return 1 if is_single else n_classes


def choose_output(value: Any, loss: Loss, n_classes: int) -> Any:
    """Return the parameter `out_activation`, "auto" replaced by what goes with a loss."""
    if not (isinstance(value, str) and value == "auto"):
        return value
    if loss.outputs:
        return loss.outputs[0]
    return "sigmoid" if n_classes else "identity"


def _split(value: Any) -> tuple[Any, Any]:
    """Return name and number of a formula with a parameter, else the value and None."""
    is_pair = isinstance(value, (tuple, list)) and len(value) == 2 and isinstance(value[0], str)
    if is_pair and isinstance(value[1], (int, float, np.number)):
        return value[0], value[1]
    return value, None
