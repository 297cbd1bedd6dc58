"""Layers of elsewhere, one after the other, until they are a plain network or refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..export.plain import CLASSES, LABELS, NUMBERS, Layer, PlainNetwork, Training
from ..formulas import activation as find_activation
from ..parameters import FLOAT32, FLOAT64, shown
from ..validation import check_finite
from .aims import Aim

LAYERS = "dense layers, activations and dropout between them"


class Refused(ValueError):
    """A layer has no counterpart: its place and name, and why."""

    def __init__(self, place: str, why: str):
        super().__init__(f"{readable(place)}: {why}")


def readable(text: str) -> str:
    """Return a text of a file for a message: not too long, and without control characters."""
    text = text if text.isprintable() else ascii(text)[1:-1]
    return text if len(text) <= 200 else f"{text[:200]}..."


@dataclass
class Chain:
    """What has been read of a network; each method takes the next layer, and its place in words.

    Raises
    ------
    Refused
        If a layer cannot stand where it does.
    """

    input_scale: float = 1.0
    layers: list[Layer] = field(default_factory=list)
    _is_open: bool = False  # whether the last dense layer may still get its activation
    _dropped: str = ""  # where the last layer's outputs are dropped
    _without_bias: str = ""  # where a dense layer has none

    def dense(self, place: str, weights: Any, bias: Any = None) -> None:
        """Take y = x W + b, weights (n_in, n_out) and bias (n_out,), 0 if there is none."""
        weights = _reals(place, weights, 2)
        if bias is None:
            self._without_bias = self._without_bias or place
            bias = np.zeros(weights.shape[1], weights.dtype)
        bias = _reals(place, bias, 1)
        if not weights.size or bias.shape != weights.shape[1:]:
            raise Refused(place, f"weights {weights.shape} and biases {bias.shape} do not fit")
        if self.layers:
            last = self.layers[-1]
            if len(last.bias) != len(weights):
                raise Refused(place, f"expected {len(last.bias)} inputs, got {len(weights)}")
            if last.weights.dtype != weights.dtype:
                raise Refused(place, f"{weights.dtype} after {last.weights.dtype}")
            if find_activation(last.activation).row.output_only:
                raise Refused(place, f"a dense layer after {last.activation}, which is for outputs")
        self.layers.append(Layer(weights, bias.astype(weights.dtype), "identity"))
        self._is_open, self._dropped = True, ""

    def activation(self, place: str, name: str, parameter: float | None = None) -> None:
        """Take an activation, by one of the names that fastnn has for it."""
        formula = find_activation(name if parameter is None else (name, parameter))
        if formula.row.name == "identity":
            return
        if not self.layers:
            raise Refused(place, "an activation of the inputs")
        if not self._is_open:
            raise Refused(place, "a second activation, or one after dropout")
        own = {"activation": formula.row.name, "parameter": float(formula.parameter)}
        self.layers[-1] = self.layers[-1]._replace(**own)
        self._is_open = False

    def dropout(self, place: str, rate: float) -> None:
        """Take the fraction of the last layer's outputs that training drops."""
        if rate == 0:
            return
        if not self.layers:
            raise Refused(place, "dropout of the inputs")
        if self._dropped:
            raise Refused(place, "dropout twice in a row")
        if not (isinstance(rate, (int, float)) and 0 < rate < 1):
            raise Refused(place, f"rate={shown(rate)}: expected a number from 0 to below 1")
        self.layers[-1] = self.layers[-1]._replace(dropout=float(rate))
        self._is_open, self._dropped = False, place

    def scale(self, place: str, factor: float) -> None:
        """Take a factor on all inputs."""
        if self.layers:
            raise Refused(place, "a factor after the first dense layer")
        if not np.isfinite(factor) or factor == 0:
            raise Refused(place, f"a factor of {shown(factor)}")
        self.input_scale *= float(factor)

    def network(self, aim: Aim | None, classes: Any = None) -> PlainNetwork:
        """Return the network that there is.

        Parameters
        ----------
        aim : Aim or None
            What it is trained for; None: what its last activation tells.
        classes : (n_classes,), optional
            Of a classifier, sorted: 0, 1, ... by default.

        Raises
        ------
        ValueError
            If that does not go together.
        """
        self._check_end()
        if aim is not None and aim.squash:
            self._squash(aim)
        last, n_outputs = self.layers[-1].activation, len(self.layers[-1].bias)
        task = _task(last, n_outputs, None if aim is None else aim.loss, classes is not None)
        labels = _classes(task, classes, n_outputs)
        if task == CLASSES and n_outputs == 2:
            raise ValueError(
                f"layers: the last has 2 outputs, of {last}, for two classes; here these have one "
                "output, of a sigmoid"
            )
        threshold = 0.0 if aim is not None and aim.loss == "hinge" else 0.5
        training = None if aim is None else self._training(aim)
        return replace(self.plain(task, labels, threshold), training=training)

    def plain(self, task: str, classes: NDArray | None, threshold: float = 0.5) -> PlainNetwork:
        """Return the network that there is, of a task that is known."""
        self._check_end()
        return PlainNetwork(
            "MLPRegressor" if task == NUMBERS else "MLPClassifier",
            tuple(self.layers),
            self.layers[0].weights.dtype,
            task,
            classes,
            threshold=threshold,
            is_flat=task == NUMBERS and len(self.layers[-1].bias) == 1,
            input_scale=self.input_scale,
        )

    def _check_end(self) -> None:
        if not self.layers:
            raise ValueError(f"layers: expected {LAYERS}, got none")
        if self._dropped:
            raise Refused(self._dropped, "dropout of the outputs")

    def _squash(self, aim: Aim) -> None:
        """Give the outputs the activation that is part of the loss."""
        if self.layers[-1].activation != "identity":
            raise ValueError(
                f"loss: {aim.name} has the {aim.squash} in it, but the outputs have another "
                f"activation already, {self.layers[-1].activation}"
            )
        self.layers[-1] = self.layers[-1]._replace(activation=aim.squash)

    def _training(self, aim: Aim) -> Training:
        """Return the aim as the training of these layers."""
        if aim.steps is not None and self._without_bias:
            raise Refused(
                self._without_bias,
                "without a bias, which would be trained here; training=False takes the outputs "
                "only",
            )
        n_parameters = sum(layer.weights.size + layer.bias.size for layer in self.layers)
        return aim.training(len(self.layers[-1].bias), n_parameters, self.layers[0].weights.dtype)


def _reals(place: str, values: Any, n_dimensions: int) -> NDArray:
    """Return an array in float32 or float64; `Refused` if it is another, or is not finite."""
    array = np.asarray(values)
    if array.dtype not in (FLOAT32, FLOAT64) or array.ndim != n_dimensions:
        raise Refused(
            place,
            f"expected {n_dimensions} dimensions of float32 or float64, got {array.ndim} of "
            f"{array.dtype}",
        )
    try:
        check_finite("its weights", array, array.dtype)
    except ValueError as error:
        raise Refused(place, str(error)) from None
    return np.array(array, array.dtype.newbyteorder("="), order="C")


def _task(last: str, n_outputs: int, loss: str | None, has_classes: bool) -> str:
    """Return what the outputs mean."""
    if has_classes and loss in ("sum_squared_error", "hinge"):
        return CLASSES
    if last == "softmax" or (loss or "").endswith("categorical_crossentropy"):
        return CLASSES
    if loss in ("binary_crossentropy", "hinge") or (loss is None and last == "sigmoid"):
        return CLASSES if n_outputs == 1 else LABELS
    return NUMBERS


def _classes(task: str, classes: Sequence[Any] | NDArray | None, n_outputs: int) -> NDArray | None:
    """Return the classes; ValueError if they are not sorted, or not as many as the outputs say."""
    if task == NUMBERS:
        if classes is not None:
            raise ValueError(f"classes={shown(classes)}: expected None, as the outputs are numbers")
        return None
    n = 2 if task == CLASSES and n_outputs == 1 else n_outputs
    if classes is None or (task == LABELS and np.array_equal(classes, np.arange(n))):
        return np.arange(n)
    try:
        found = np.asarray(classes)
    except ValueError:  # of several lengths
        found = np.empty(0)
    if task == LABELS:
        raise ValueError(f"classes={shown(classes)}: expected None, as a sample has several labels")
    if found.dtype.kind == "O" and all(isinstance(label, str) for label in found.ravel()):
        found = found.astype(str)
    are_labels = found.ndim == 1 and found.dtype.kind in "biufU" and len(found) == n
    if are_labels and found.dtype.kind == "f":  # as `fit` takes them
        are_labels = bool((np.isfinite(found) & (found == np.trunc(found))).all())
    if not (are_labels and (found[:-1] < found[1:]).all()):
        raise ValueError(f"classes={shown(classes)}: expected {n} integers or strings, sorted")
    return found
