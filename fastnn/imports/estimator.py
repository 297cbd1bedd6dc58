"""A fitted estimator from a plain network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.codes import HINGE, LOSSES, OPTIMIZERS
from ..backends.interface import Network
from ..export.plain import CLASSES, LABELS, NUMBERS, Layer, PlainNetwork
from ..formulas import activation, choose_loss, choose_output
from ..linear import LinearNetwork
from ..mlp import MLPClassifier, MLPRegressor
from ..network import make_network
from ..optimizers import update_rule
from ..parameters import shown
from ..perceptron import Perceptron
from ..persistence import restore_attributes
from ..random import seed_from
from ..schema import check_model

# What the source says, and nobody else.
_FIXED = ("hidden_layer_sizes", "activation", "out_activation", "dtype", "input_scale")
_KINDS = {kind.__name__: kind for kind in (MLPClassifier, MLPRegressor, Perceptron, LinearNetwork)}


def estimator_of(
    plain: PlainNetwork, source: str, given: Mapping[str, Any], **attributes: Any
) -> Any:
    """Return the fitted estimator that a plain network describes.

    Parameters
    ----------
    plain : PlainNetwork
        Without scalers.
    source : str
        What trained it: the estimator's `backend_`.
    given : mapping
        Hyper-parameters that the source does not have, or that are to be others.
    **attributes
        What else a fit would have set, such as `loss_curve_`, under the names of
        `persistence.fitted_attributes`.

    Raises
    ------
    ValueError
        If a hyper-parameter is unknown, is the source's, or has a wrong value.
    """
    kind = _KINDS[plain.estimator]
    if unknown := given.keys() - set(kind._get_param_names()):
        raise ValueError(f"{sorted(unknown)[0]}: {kind.__name__} has no such parameter")
    is_network = kind in (MLPClassifier, MLPRegressor)
    if fixed := given.keys() & set(_FIXED) & set(kind._get_param_names()):
        name = sorted(fixed)[0]
        raise ValueError(f"{name}={shown(given[name])}: expected none, as {source} says it")
    parameters = {"dtype": plain.dtype.name, "warm_start": True}
    if is_network:
        parameters |= _shape(plain) | _training(plain)
    model = kind(**{**parameters, **given})
    seed = seed_from(model.random_state)
    common = {
        "n_features_in_": plain.sizes[0],
        "backend_": source,
        "n_iter_": 0,
        "fit_time_": 0.0,
        "data_fingerprint_": None,
        "stop_reason_": "imported",
    }
    made = _network(model, plain, seed) if is_network else _single_layer(plain, seed)
    found = {**common, **made, **attributes}
    parameters = model.get_params(deep=False)
    if not isinstance(model.random_state, (int, np.integer, type(None))):
        parameters["random_state"] = None  # a generator, which no file can hold
    check_model(kind.__name__, parameters, found)
    restore_attributes(model, found)
    return model


def _shape(plain: PlainNetwork) -> dict[str, Any]:
    hidden = plain.layers[:-1]
    activations, rates = [_formula(layer) for layer in hidden], [layer.dropout for layer in hidden]
    return {
        "hidden_layer_sizes": plain.sizes[1:-1],
        "activation": activations[0] if len(set(activations)) == 1 else activations or "relu",
        "out_activation": _formula(plain.layers[-1]),
        "dropout": (rates or [0.0])[0] if len(set(rates)) <= 1 else rates,
        "input_scale": plain.input_scale,
    }


def _formula(layer: Layer) -> Any:
    """Return an activation as the parameters of estimators have it."""
    has_parameter = activation(layer.activation).row.parameter is not None
    return (layer.activation, layer.parameter) if has_parameter else layer.activation


def _training(plain: PlainNetwork) -> dict[str, Any]:
    """Return the hyper-parameters of the training, or of one that there could be."""
    training = plain.training
    if training is None:
        return _guess(plain)
    found = {**training.numbers, "solver": training.solver}
    if training.loss.endswith("crossentropy"):
        return {**found, "loss": "auto", "label_smoothing": training.loss_parameter}
    row = next(row for row in LOSSES if row.name == training.loss)
    has_parameter = row.parameter is not None
    return {**found, "loss": (row.name, training.loss_parameter) if has_parameter else row.name}


def _guess(plain: PlainNetwork) -> dict[str, Any]:
    """Return the loss that outputs look like, where the source does not say it."""
    last, is_single = plain.layers[-1].activation, plain.sizes[-1] == 1
    is_usual = last == "softmax" or (last == "sigmoid" and (is_single or plain.task == LABELS))
    if plain.task == NUMBERS or is_usual:
        return {}
    is_hinge = plain.threshold == 0 and last in LOSSES[HINGE].outputs
    return {"loss": "hinge" if is_hinge else "squared_error"}


def _network(model: Any, plain: PlainNetwork, seed: int) -> dict[str, Any]:
    """Return what the fit of a multi-layer network would have set."""
    n_classes = 0 if plain.classes is None else len(plain.classes)
    n_classes = 2 if plain.task == LABELS else n_classes
    loss = choose_loss(model.loss, n_classes, model.label_smoothing)
    last = choose_output(model.out_activation, loss.row, n_classes)
    net = make_network(plain.sizes, model.activation, last, model.dropout, loss)
    decides = plain.task == LABELS or (plain.task == CLASSES and plain.sizes[-1] == 1)
    if decides and net.threshold != plain.threshold:
        raise ValueError(
            f"layers: a threshold of {plain.threshold:g} of {plain.layers[-1].activation} outputs "
            "has no counterpart"
        )
    moments, step, epoch = _state(model, plain, net)
    found: dict[str, Any] = {
        "network_": net,
        "params_": np.concatenate(
            [np.concatenate([layer.weights.ravel(), layer.bias]) for layer in plain.layers]
        ),
        "n_layers_": len(net.sizes),
        "n_outputs_": net.sizes[-1],
        "out_activation_": last,
        "moments": moments,
        "seed": seed,
        "step": step,
        "epoch": epoch,
        "idle": 0,
        "rate_factor": 1.0,
        "t_": 0,
        "learning_rate_": float(model.learning_rate_init),
        "loss_curve_": np.empty(0),
        "loss_": np.inf,
        "best_loss_": np.inf,
        "validation_scores_": None,
        "best_validation_score_": None,
        "_validation_curve": np.empty((0, 3)),
    }
    if plain.task == NUMBERS:
        return {**found, "_flat": plain.is_flat}
    return {**found, "classes_": np.array(plain.classes), "multilabel_": plain.task == LABELS}


def _state(model: Any, plain: PlainNetwork, net: Network) -> tuple[NDArray, int, int]:
    """Return moments, step and epoch; those of the source if its solver is the model's."""
    training = plain.training
    epoch = 0 if training is None else training.epoch
    rule = OPTIMIZERS[update_rule(model.get_params(deep=False))]
    known = "lbfgs" if model.solver == "lbfgs" else rule.name
    if training is not None and training.solver == known:
        return training.moments.astype(plain.dtype), training.step, epoch
    return np.zeros((rule.n_moments, net.n_parameters), plain.dtype), 0, epoch


def _single_layer(plain: PlainNetwork, seed: int) -> dict[str, Any]:
    """Return what the fit of a perceptron or of a linear network would have set."""
    (layer,) = plain.layers
    # The source may train on: its arrays are its own.
    coef, intercept = np.array(layer.weights.T, order="C"), layer.bias.copy()
    found: dict[str, Any] = {"coef_": coef, "intercept_": intercept, "_seed": seed}
    if plain.task == NUMBERS:
        if plain.is_flat:
            found |= {"coef_": coef[0], "intercept_": intercept[0]}
        return {**found, "loss_curve_": np.empty(0), "loss_": np.inf}
    return {
        **found,
        "classes_": np.array(plain.classes),
        "converged_": False,
        "t_": 1.0,
        "_epoch": 0,
    }
