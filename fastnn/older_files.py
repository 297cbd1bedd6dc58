"""Saved models of earlier versions, as the present one would write them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Version 1 had codes in place of names.
_ACTIVATIONS = ("sign", "identity", "sigmoid", "tanh", "softsign", "relu", "softmax")
_LOSSES = (
    "half_squared_error",
    "squared_error",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)


def upgraded(
    content: dict[str, Any], tensors: dict[str, NDArray], version: str
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Return content and tensors of a file of an earlier version as the present one has them.

    Raises
    ------
    ValueError, TypeError, KeyError or AttributeError
        If the content lies.
    """
    if version == "1":
        content = _with_names(content)
    return _with_present_names(content, tensors)


def _with_names(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a file of version 1 as version 2 had it."""
    values = dict(content["values"])
    if "network_" in values:
        network = values["network_"]
        if network.keys() != {"network", "loss"}:
            raise ValueError(f"network_: unknown mark {sorted(network)}")
        sizes, activations, dropout = network["network"]
        loss = _name(_LOSSES, network["loss"])
        fields = {
            "sizes": sizes,
            "activations": [_name(_ACTIVATIONS, code) for code in activations],
            "dropout": dropout,
            "loss": loss,
            "activation_parameters": [0.0] * len(activations),
            "loss_parameter": 0.0 if loss.endswith("crossentropy") else None,
        }
        values["network_"] = {"network": fields}
    parameters = dict(content["parameters"])
    if parameters.get("solver") == "sgd":
        parameters["momentum"] = 0  # it had none
    return {**content, "parameters": parameters, "values": values}


def _with_present_names(
    content: dict[str, Any], tensors: dict[str, NDArray]
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Return a file of version 2 as version 3 has it.

    Its "squared_error" had no half, the solver's state was in several attributes, and a sample had
    one class.
    """
    parameters, values, tensors = dict(content["parameters"]), dict(content["values"]), {**tensors}
    if parameters.get("loss") == "squared_error":
        parameters["loss"] = "sum_squared_error"
    if "network_" in values:
        fields = values["network_"]["network"]
        if fields["loss"] == "squared_error":
            values["network_"] = {"network": {**fields, "loss": "sum_squared_error"}}
        for name in ("seed", "step", "epoch"):
            values[name] = values.pop(f"_{name}")
        tensors["moments"] = tensors.pop("_moments")
        values.pop("_earlier", None)
        values |= {"idle": 0, "rate_factor": 1.0}
        values["best_loss_"] = float(np.fmin.reduce(tensors["loss_curve_"], initial=np.inf))
        values["validation_scores_"] = values["best_validation_score_"] = None
        if "classes_" in {*values, *tensors}:
            values["multilabel_"] = False
    return {**content, "parameters": parameters, "values": values}, tensors


def _name(names: tuple[str, ...], code: Any) -> str:
    if type(code) is not int or not 0 <= code < len(names):
        raise ValueError(f"there is no formula {code!r} in a file of version 1")
    return names[code]
