"""Saved models of earlier versions, as the present one would write them."""

from typing import Any

# Version 1 had codes in place of names.
_ACTIVATIONS = ("sign", "identity", "sigmoid", "tanh", "softsign", "relu", "softmax")
_LOSSES = (
    "half_squared_error",
    "squared_error",
    "binary_crossentropy",
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
)


def upgraded(content: dict[str, Any], version: str) -> dict[str, Any]:
    """Return the content of a file of an earlier version as the present one has it.

    Raises
    ------
    ValueError, TypeError, KeyError or AttributeError
        If the content lies.
    """
    if version == "1":
        content = _with_names(content)
    return _with_present_names(content)


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


def _with_present_names(content: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a file of version 2, whose "squared_error" had no half."""
    parameters, values = dict(content["parameters"]), dict(content["values"])
    if parameters.get("loss") == "squared_error":
        parameters["loss"] = "sum_squared_error"
    fields = values.get("network_", {}).get("network", {})
    if fields.get("loss") == "squared_error":
        values["network_"] = {"network": {**fields, "loss": "sum_squared_error"}}
    return {**content, "parameters": parameters, "values": values}


def _name(names: tuple[str, ...], code: Any) -> str:
    if type(code) is not int or not 0 <= code < len(names):
        raise ValueError(f"there is no formula {code!r} in a file of version 1")
    return names[code]
