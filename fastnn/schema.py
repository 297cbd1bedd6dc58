"""What a saved model must be: each parameter and attribute of each estimator, and its check.

A file may say anything, and kernels trust what they get. So the rules stand here once, `save` and
`load` apply them both, and what the one writes the other reads.
"""

from collections.abc import Callable
from reprlib import repr as short
from typing import Any, NamedTuple

import numpy as np

from .backends.codes import LOSSES
from .backends.interface import ImageDistortion, Network
from .class_weights import class_weights
from .fingerprint import is_fingerprint
from .formulas import activation, choose_loss, choose_output, is_loss_of, n_outputs_for
from .learning_rates import LearningRates
from .network import INITIALIZERS, check_network, check_state, make_network
from .optimizers import CONSTANTS, make_optimizer
from .parameters import (
    ABOVE_0,
    BETWEEN_0_AND_1,
    DTYPES,
    FACTOR,
    FINITE,
    NOT_BELOW_0,
    check_batch_size,
    check_buffer_size,
    check_choice,
    check_dtype,
    check_hidden_sizes,
    check_integer,
    check_n_jobs,
    check_real,
    check_scale,
    is_integer,
)
from .random import seed_from
from .single_layer import check_perceptron_parameters
from .stopping import StoppingRules
from .validation import check_distortion

MAX_COUNT = 2**53  # of epochs and steps; what a double still tells from the next

Values = dict[str, Any]


class Rule(NamedTuple):
    """What an attribute must be."""

    check: Callable[[Any, Values], bool]  # gets the value and all attributes; may raise ValueError
    expected: str
    is_required: bool = True


def check_model(kind: str, parameters: Values, attributes: Values) -> None:
    """Raise ValueError or TypeError unless a model can be used, and trained on, as it is.

    Parameters
    ----------
    kind : str
        Name of the estimator.
    parameters, attributes : dict
        Its hyper-parameters, and what `fit` has set.
    """
    rules = ATTRIBUTES[kind]
    required = {name for name, rule in rules.items() if rule.is_required}
    for what, names in (
        ("missing", required - attributes.keys()),
        ("foreign", attributes.keys() - rules.keys()),
    ):
        if names:
            raise ValueError(f"{what} attributes: {short(sorted(names))}")
    for name, rule in rules.items():
        if name in attributes and not rule.check(attributes[name], attributes):
            raise ValueError(f"{name}={short(attributes[name])}: expected {rule.expected}")
    for name, value in parameters.items():
        kinds, expected = _PARAMETERS[name]
        if not any(is_kind(value) for is_kind in kinds):
            raise ValueError(f"{name}={short(value)}: expected {expected}")
    if kind in ("MLPClassifier", "MLPRegressor"):
        _check_mlp_parameters(parameters, attributes)
    else:
        _check_delta_rule_parameters(parameters)


# --- hyper-parameters: first their types, then `fit`'s own checks -------------------------------


def _is_number(value: Any) -> bool:
    """Say whether a value is a number, infinite or a bool perhaps, that a double can hold."""
    if isinstance(value, int):
        return abs(value) < 2**1023
    return isinstance(value, (float, np.bool_, np.integer, np.floating))


def _is_bool(value: Any) -> bool:
    return isinstance(value, (int, np.bool_, np.integer)) and value in (0, 1)


def _is_none(value: Any) -> bool:
    return value is None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 100


def _is_dtype(value: Any) -> bool:
    return isinstance(value, np.dtype)


def _are_numbers(value: Any) -> bool:
    is_sequence = isinstance(value, (list, tuple, np.ndarray))
    return is_sequence and all(_is_number(item) for item in value)


def _is_mapping(value: Any) -> bool:
    are_labels = isinstance(value, dict) and all(_is_label(key) for key in value)
    return are_labels and all(map(_is_number, value.values()))


def _is_label(value: Any) -> bool:
    return isinstance(value, str) or _is_number(value)


def _is_distortion(value: Any) -> bool:
    return isinstance(value, ImageDistortion)


def _is_formula(value: Any) -> bool:
    is_pair = isinstance(value, (list, tuple)) and len(value) == 2
    return _is_text(value) or (is_pair and _is_text(value[0]) and _is_number(value[1]))


def _is_schedule(value: Any) -> bool:
    is_list = isinstance(value, (list, tuple)) and 1 <= len(value) <= 10
    return is_list and _is_text(value[0]) and all(map(_is_number, value[1:]))


def _are_formulas(value: Any) -> bool:
    is_array = isinstance(value, np.ndarray) and value.ndim == 1
    return (is_array or isinstance(value, (list, tuple))) and all(map(_is_formula, value))


_NUMBER = (_is_number,), "a number"
_OPTIONAL = (_is_none, _is_number), "a number or None"
_TEXT = (_is_text,), "a short string"
_FORMULA = (_is_formula,), "a name or (name, number)"
_PARAMETERS: dict[str, tuple[tuple[Callable[[Any], bool], ...], str]] = {
    **dict.fromkeys(("learning_rate_init", "learning_rate_decay", *CONSTANTS), _NUMBER),
    **dict.fromkeys(("label_smoothing", "bias_init", "input_scale", "eta0", "power_t"), _NUMBER),
    **dict.fromkeys(("max_iter", "n_iter_no_change", "max_fun"), _NUMBER),
    **dict.fromkeys(("validation_fraction", "l1_ratio"), _NUMBER),
    **dict.fromkeys(("tol", "loss_threshold", "weight_threshold", "max_norm"), _OPTIONAL),
    **dict.fromkeys(("random_state", "n_jobs"), _OPTIONAL),
    **dict.fromkeys(("shuffle", "warm_start", "verbose"), _OPTIONAL),  # what has a truth value
    **dict.fromkeys(("online", "fit_intercept", "nesterovs_momentum", "early_stopping"), _OPTIONAL),
    "record_history": ((_is_bool,), "a bool"),  # a factor in `fit`
    "penalty": ((_is_none,), "None"),
    **dict.fromkeys(("solver", "weight_init"), _TEXT),
    **dict.fromkeys(("out_activation", "loss"), _FORMULA),
    "learning_rate": ((_is_text, _is_schedule, _are_numbers), "a name, (name, ...) or numbers"),
    "activation": ((_is_formula, _are_formulas), "a name, (name, number), or several of these"),
    "dtype": ((_is_none, _is_text, _is_dtype), "the name of a dtype"),
    "batch_size": ((_is_number, _is_text), "a number or a string"),
    "buffer_size": ((_is_number, _is_text), "a number or a string"),
    "hidden_layer_sizes": ((_is_number, _are_numbers), "numbers"),
    "dropout": ((_is_number, _are_numbers), "numbers"),
    "class_weight": ((_is_none, _is_text, _is_mapping), "None, 'balanced' or a dict"),
    "distortion": ((_is_none, _is_distortion), "None or an ImageDistortion"),
}


def _check_mlp_parameters(p: Values, attributes: Values) -> None:
    StoppingRules(**{name: p[name] for name in StoppingRules._fields}).check()
    dtype = attributes["params_"].dtype
    optimizer, _ = make_optimizer(p, dtype)
    check_real("learning_rate_decay", p["learning_rate_decay"], FACTOR)
    power_t = check_real("power_t", p["power_t"], NOT_BELOW_0)
    LearningRates(p["learning_rate"], power_t=power_t)
    check_scale(p["input_scale"], dtype)
    check_n_jobs(p["n_jobs"])
    check_batch_size(p["batch_size"], 1)
    check_buffer_size(p["buffer_size"], 1, 1)
    check_choice("weight_init", p["weight_init"], INITIALIZERS)
    check_real("bias_init", p["bias_init"], FINITE)
    seed_from(p["random_state"])
    if p["dtype"] != "auto":
        check_dtype(p["dtype"])
    net = attributes["network_"]
    n_classes = len(attributes.get("classes_", ()))
    is_multilabel = attributes.get("multilabel_", False)
    _check_shape(p, attributes["n_outputs_"], 2 if is_multilabel else n_classes)
    check_integer("max_fun", p["max_fun"], 1)
    check_real("validation_fraction", p["validation_fraction"], BETWEEN_0_AND_1)
    if p["class_weight"] is not None:
        classes = attributes["classes_"]
        class_weights(p["class_weight"], np.zeros(1, np.int64), classes)
    if p["distortion"] is not None:
        images, targets = np.zeros((1, net.sizes[0]), np.uint8), np.zeros((1, net.sizes[-1]))
        check_distortion(p["distortion"], images, targets, n_classes)
    check_state(net, attributes["params_"], attributes["moments"], optimizer.kind)


def _check_shape(p: Values, n_outputs: int, n_classes: int) -> None:
    """Check the parameters that shape a network as `fit` would that makes it anew."""
    loss = choose_loss(p["loss"], n_classes, p["label_smoothing"])
    last = choose_output(p["out_activation"], loss.row, n_classes)
    hidden = check_hidden_sizes(p["hidden_layer_sizes"])
    make_network((1, *hidden, n_outputs), p["activation"], last, p["dropout"], loss)


def _check_delta_rule_parameters(parameters: Values) -> None:
    check_real("eta0", parameters["eta0"], ABOVE_0)
    if "class_weight" in parameters:
        check_perceptron_parameters(parameters)
    rules = {name: parameters[name] for name in StoppingRules._fields if name in parameters}
    StoppingRules(**rules).check()
    check_choice("weight_init", parameters["weight_init"], ("uniform", "zeros"))
    seed_from(parameters["random_state"])
    check_dtype(parameters["dtype"])


# --- attributes ---------------------------------------------------------------------------------


def _is_count(value: Any, _: Values) -> bool:
    return is_integer(value) and 0 <= value < MAX_COUNT


def _is_flag(value: Any, _: Values) -> bool:
    return isinstance(value, (bool, np.bool_))


def _is_name(value: Any, _: Values) -> bool:
    return _is_text(value)


def _is_loss(value: Any, _: Values) -> bool:
    return isinstance(value, (float, np.floating))  # NaN and infinite if training diverged


def _are_scores(value: Any, values: Values) -> bool:
    return value is None or (isinstance(value, list) and all(_is_loss(v, values) for v in value))


def _is_tally(value: Any, _: Values) -> bool:
    return isinstance(value, (float, np.floating)) and 1 <= float(value) < MAX_COUNT**2


def _is_time(value: Any, _: Values) -> bool:
    return type(value) is float and 0 <= value < np.inf


def _is_data(value: Any, values: Values) -> bool:
    return value is None or is_fingerprint(value, values["n_features_in_"])


def _is_curve(value: Any, _: Values) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype == np.float64


def _is_validation_curve(value: Any, values: Values) -> bool:
    is_table = isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype == np.float64
    if not is_table or value.shape[1] != 3:
        return False
    epochs = np.concatenate([[0], value[:, 0], [values["epoch"] + 1]])
    return bool((np.diff(epochs) > 0).all() and (epochs == np.floor(epochs)).all())


def _are_feature_names(value: Any, values: Values) -> bool:
    is_list = isinstance(value, np.ndarray) and value.shape == (values["n_features_in_"],)
    return is_list and all(isinstance(name, str) for name in value)


def _are_classes(value: Any, values: Values) -> bool:
    return _are_classes_or_one(value, values) and len(value) >= 2


def _are_classes_or_one(value: Any, _: Values) -> bool:
    is_list = isinstance(value, np.ndarray) and value.ndim == 1 and len(value) >= 1
    known = is_list and value.dtype.kind in "biufUO"
    return known and bool((value[:-1] < value[1:]).all()) and _is_finite(value)


def _is_finite(value: Any) -> bool:
    return value.dtype.kind != "f" or bool(np.isfinite(value).all())


def _is_network(value: Any, values: Values) -> bool:
    if not isinstance(value, Network):
        return False
    check_network(value)
    return value.sizes[0] == values["n_features_in_"]


def _is_last_of(net: Network, row: Any, parameter: float) -> bool:
    return row.code == net.activations[-1] and parameter == net.formula_parameters[-2]


def _is_network_of_classes(value: Any, values: Values) -> bool:
    if not _is_network(value, values):
        return False
    n = len(values["classes_"])
    if values["multilabel_"]:
        return value.sizes[-1] == n and is_loss_of(value.loss, 2)
    return value.sizes[-1] == n_outputs_for(LOSSES[value.loss], n) and is_loss_of(value.loss, n)


def _is_network_of_numbers(value: Any, values: Values) -> bool:
    return _is_network(value, values) and is_loss_of(value.loss, 0)


def _is_weights(value: Any, shapes: tuple[tuple[int, ...], ...]) -> bool:
    is_array = isinstance(value, (np.ndarray, np.floating))
    return is_array and value.dtype in DTYPES.values() and value.shape in shapes


def _are_rows(value: Any, values: Values) -> bool:
    """Say whether a value is finite weights, (n_outputs, n_features), for the classes."""
    n = len(values["classes_"])
    n_outputs = 1 if n == 2 else n
    return _is_weights(value, ((n_outputs, values["n_features_in_"]),)) and _is_finite(value)


def _are_rows_or_row(value: Any, values: Values) -> bool:
    """Say whether a value is finite weights, (n_outputs, n_features) or (n_features,)."""
    n = values["n_features_in_"]
    shapes = (n,), (np.shape(value)[0] if np.ndim(value) == 2 else 0, n)
    return _is_weights(value, shapes) and value.size > 0 and _is_finite(value)


def _is_intercept(value: Any, values: Values) -> bool:
    coef = values["coef_"]
    fits = _is_weights(value, (coef.shape[:-1],)) and value.dtype == coef.dtype
    return fits and _is_finite(value)


def _is_real_array(n_dimensions: int) -> Callable[[Any, Values], bool]:
    def check(value: Any, _: Values) -> bool:
        is_array = isinstance(value, np.ndarray) and value.ndim == n_dimensions
        return is_array and value.dtype in DTYPES.values()

    return check


_COUNT = Rule(_is_count, "an integer from 0 on")
_SEED = Rule(lambda v, a: is_integer(v) and 0 <= v < 2**64, "an integer of 64 bits")
_LABELS = Rule(_are_classes, "2 labels or more, sorted, none twice")
_REASON = Rule(_is_name, "a short string", False)  # not yet there in a callback
_CURVE = Rule(_is_curve, "one dimension of float64")
_SHARED = {
    "n_features_in_": Rule(lambda v, a: _is_count(v, a) and v > 0, "an integer from 1 on"),
    "feature_names_in_": Rule(_are_feature_names, "a string for each feature", False),
    "backend_": Rule(_is_name, "a short string"),
    "fit_time_": Rule(_is_time, "a number of seconds", False),  # not in older files, as this one:
    "data_fingerprint_": Rule(_is_data, "shape, dtype and SHA-256 of X and y", False),
    "n_iter_": _COUNT,
}
_TRAINED = {
    "loss_curve_": _CURVE,
    "loss_": Rule(_is_loss, "a number"),
    "stop_reason_": _REASON,
}
_MLP = {
    "n_outputs_": Rule(
        lambda v, a: _is_count(v, a) and v == a["network_"].sizes[-1], "the network's outputs"
    ),
    "n_layers_": Rule(
        lambda v, a: _is_count(v, a) and v == len(a["network_"].sizes), "the network's layers"
    ),
    "out_activation_": Rule(
        lambda v, a: _is_formula(v) and _is_last_of(a["network_"], *activation(v)),
        "the network's last activation",
    ),
    "params_": Rule(_is_real_array(1), "one dimension of a real dtype"),
    "moments": Rule(_is_real_array(2), "two dimensions of a real dtype"),
    "seed": _SEED,
    "step": _COUNT,
    "epoch": _COUNT,
    "idle": _COUNT,
    "rate_factor": Rule(lambda v, a: type(v) is float and 0 < v <= 1, "a number up to 1"),
    "t_": Rule(_is_count, "an integer from 0 on", False),  # not in older files, as this one:
    "learning_rate_": Rule(lambda v, a: type(v) is float and v > 0, "a number above 0", False),
    "best_loss_": Rule(lambda v, a: v is None or _is_loss(v, a), "a number or None"),
    "validation_scores_": Rule(_are_scores, "a list of numbers, or None"),
    "best_validation_score_": Rule(lambda v, a: v is None or _is_loss(v, a), "a number or None"),
    "_validation_curve": Rule(
        _is_validation_curve, "rows of an epoch, each above the last, a loss and a score", False
    ),
}
# The order matters: a check may look at what stands above it.
ATTRIBUTES: dict[str, dict[str, Rule]] = {
    "Perceptron": {
        **_SHARED,
        "classes_": _LABELS,
        "coef_": Rule(_are_rows, "finite weights for each class and feature"),
        "intercept_": Rule(_is_intercept, "a finite number for each output"),
        "converged_": Rule(_is_flag, "a bool"),
        "history_": Rule(_is_real_array(3), "three dimensions of a real dtype", False),
        "stop_reason_": _REASON,
        "t_": Rule(_is_tally, "a number from 1 on", False),
        "_seed": _SEED._replace(is_required=False),  # what older files lack
        "_epoch": _COUNT._replace(is_required=False),
    },
    "LinearNetwork": {
        **_SHARED,
        **_TRAINED,
        "coef_": Rule(_are_rows_or_row, "finite weights for each feature"),
        "intercept_": Rule(_is_intercept, "a finite number for each output"),
        "_seed": _SEED._replace(is_required=False),
    },
    "MLPClassifier": {
        **_SHARED,
        **_TRAINED,
        "classes_": Rule(_are_classes_or_one, "labels, sorted, none twice"),
        "multilabel_": Rule(_is_flag, "a bool"),
        "network_": Rule(_is_network_of_classes, "a network for these classes"),
        **_MLP,
    },
    "MLPRegressor": {
        **_SHARED,
        **_TRAINED,
        "network_": Rule(_is_network_of_numbers, "a network with a loss of a regression"),
        **_MLP,
        "_flat": Rule(lambda v, a: _is_flag(v, a) and v <= (a["n_outputs_"] == 1), "a bool"),
    },
}
