"""What a network gives: by the model itself, which exports are held to, and in plain NumPy."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..validation import class_index
from . import numpy_functions
from .plain import CLASSES, LABELS, NUMBERS, PlainNetwork


class Results(NamedTuple):
    """What comes out for some samples.

    Attributes
    ----------
    values : (n_samples, n_classes), (n_samples, n_labels) or (n_samples, n_outputs)
        Probabilities, or numbers; of a classifier that gives no probabilities its scores
        (n_samples, n_outputs).
    labels : (n_samples,) or (n_samples, n_labels) of int64, or None
        Where the class of each sample stands in `classes`; 0 and 1 of several labels.
    """

    values: NDArray
    labels: NDArray[np.int64] | None = None


def forward(plain: PlainNetwork, X: ArrayLike) -> NDArray:
    """Return the network's outputs (n_samples, n_outputs), computed by NumPy in `plain.dtype`.

    Raises
    ------
    ValueError
        If there is no formula for an activation.
    """
    y = np.asarray(X).astype(plain.dtype)
    for scaler in plain.scalers:
        y = ((y - scaler.offset) * scaler.factor).astype(plain.dtype)
        if scaler.limits is not None:
            y = y.clip(*scaler.limits)
    y = y * plain.dtype.type(plain.input_scale)
    for number, layer in enumerate(plain.layers, 1):
        function = getattr(numpy_functions, layer.activation, None)
        if function is None:
            raise ValueError(f"layer {number}, {layer.activation}: there is no formula in NumPy")
        given = (layer.parameter,) if function.__code__.co_argcount == 2 else ()
        y = function(y @ layer.weights + layer.bias, *given)
    return y


def results_of(plain: PlainNetwork, outputs: NDArray) -> Results:
    """Return what the network's outputs (n_samples, n_outputs) mean."""
    if plain.task == NUMBERS:
        return Results(outputs)
    if plain.task == LABELS:
        return Results(outputs, (outputs > plain.threshold).astype(np.int64))
    assert plain.classes is not None
    if plain.has_one_class:
        labels = np.zeros(len(outputs), np.int64)
    elif outputs.shape[1] == 1:
        labels = (outputs[:, 0] > plain.threshold).astype(np.int64)
    else:
        labels = outputs.argmax(axis=1)
    return Results(_probabilities(plain, outputs), labels)


def _probabilities(plain: PlainNetwork, outputs: NDArray) -> NDArray:
    """Return probabilities of classes that sum to 1; scores as they are."""
    if not plain.gives_probabilities:
        return outputs
    if plain.is_constant:
        return np.ones_like(outputs[:, :1])
    if outputs.shape[1] == 1:
        return np.hstack([1 - outputs, outputs])
    sums = outputs.sum(axis=1, keepdims=True)
    outputs = np.where(sums == 0, np.ones_like(outputs), outputs)
    return outputs / outputs.sum(axis=1, keepdims=True)


def model_results(model: Any, plain: PlainNetwork, X: ArrayLike) -> Results:
    """Return what a model, or a pipeline that ends in one, says itself of samples."""
    if plain.task == NUMBERS:
        values = np.asarray(model.predict(X))
        return Results(values.reshape(len(values), -1))
    predicted = np.asarray(model.predict(X))
    labels = predicted.astype(np.int64) if plain.task == LABELS else None
    if plain.task == CLASSES and plain.classes is not None:
        labels = class_index(predicted, plain.classes)
    if plain.gives_probabilities:
        return Results(np.asarray(model.predict_proba(X)), labels)
    if plain.estimator == "Perceptron":
        scores = np.asarray(model.decision_function(X))
        return Results(scores.reshape(len(scores), -1), labels)
    if hasattr(model, "steps"):
        model, X = model.steps[-1][1], model[:-1].transform(X)
    return Results(model.layer_outputs(X)[-1], labels)
