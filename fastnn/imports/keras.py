"""Networks of Keras: a model that is there, or a `.keras` file, which is read without Keras."""

import os
import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..export.keras_format import KerasFile
from ..export.keras_names import ACTIVATION_NAMES, FUNCTION_PARAMETERS, LOSSES
from ..parameters import ABOVE_0, check_flag, check_real, shown
from .aims import Aim, Steps, refuse_unless
from .chain import LAYERS, Chain, Refused, readable
from .estimator import estimator_of

_ACTIVATIONS = {keras: ours for ours, keras in ACTIVATION_NAMES.items()} | {"swish": "silu"}
_LOSSES = {name: row for row in LOSSES for name in (row.name, *row.aliases)}
# What a layer or an optimizer may have, and fastnn has not.
_NO_LAYER = (
    *("kernel_regularizer", "bias_regularizer", "activity_regularizer"),
    *("kernel_constraint", "bias_constraint"),
)
# What a file that may say anything may lead to.
_LIES = KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError
_NO_STEPS = (
    *("clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor"),
    "gradient_accumulation_steps",
)


def from_keras(model: Any, *, classes: Any = None, training: bool = True, **parameters: Any) -> Any:
    """Return a network of Keras as a fitted estimator.

    Its outputs are the same, and `partial_fit`, or `fit` (with `warm_start=True`, which the result
    has), goes on where Keras stopped: with the loss, the optimizer and its state.

    Parameters
    ----------
    model : keras.Model, str or Path
        A `Sequential`, or a functional model that is one: dense layers, activations and dropout,
        with Rescaling and Flatten at its beginning. Of a `.keras` file only texts and numbers are
        read: no class that it names is looked for, no code of it runs.
    classes : (n_classes,), optional
        Labels of a classifier, sorted; by default 0, 1, ....
    training : bool, default True
        Whether the training goes on. Else the outputs are taken only: what Keras trains otherwise
        is then no reason to refuse a model.
    **parameters
        Hyper-parameters that Keras has elsewhere, such as `batch_size`.

    Returns
    -------
    MLPClassifier or MLPRegressor
        As the loss says; a model without one is a classifier if its outputs are of a sigmoid or
        softmax.

    Raises
    ------
    ValueError
        If a layer, the loss or the optimizer has no counterpart, which its place and name say;
        if it is no model or no whole file.
    OSError
        If the file cannot be read.
    ImportError
        If h5py, which reads the file's numbers, is missing: `pip install 'fastnn[keras]'`.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), "tanh", max_iter=3, tol=None).fit(X, y)
    >>> written = fastnn.export.to_keras(model, "xor.keras")
    >>> same = fastnn.from_keras("xor.keras")
    >>> bool(abs(same.predict_proba(X) - model.predict_proba(X)).max() < 1e-6)
    True
    """
    check_flag("training", training)
    if isinstance(model, (str, os.PathLike)):
        source: _File | _Model = _File(model)
    elif callable(getattr(model, "get_config", None)) and hasattr(model, "layers"):
        source = _Model(model)
    else:
        raise ValueError(f"model={shown(model)}: expected a Keras model or the path of a file")
    try:
        return _read(source, classes, bool(training), parameters)
    except _LIES as error:
        raise ValueError(f"model: not a model as Keras describes it: {error!r}") from None


class _Model:
    """A model that is there."""

    def __init__(self, model: Any):
        self._model = model
        self.config = {"class_name": type(model).__name__, "config": model.get_config()}
        if getattr(model, "compiled", False):
            self.config["compile_config"] = {
                **model.get_compile_config(),
                "loss_numbers": getattr(model.loss, "_fn_kwargs", {}),  # Huber's is in no config
            }
        self._layers = {layer.name: layer for layer in model.layers}

    def weights(self, name: str, path: str) -> list[NDArray]:
        """Return the arrays of a layer."""
        return self._layers[name].get_weights()

    def variables(self) -> list[NDArray]:
        """Return those of the optimizer."""
        return [np.asarray(variable.numpy()) for variable in self._model.optimizer.variables]


class _File:
    """A file."""

    def __init__(self, path: Any):
        self._file = KerasFile(path)
        self.config = self._file.config

    def weights(self, name: str, path: str) -> list[NDArray]:
        """Return the arrays of a layer."""
        return self._all(f"layers/{path}/vars")

    def variables(self) -> list[NDArray]:
        """Return those of the optimizer."""
        return self._all("optimizer/vars")

    def _all(self, path: str) -> list[NDArray]:
        return [self._file.array(f"{path}/{i}") for i in range(len(self._file.names(path)))]


def _read(source: Any, classes: Any, training: bool, parameters: dict[str, Any]) -> Any:
    kind, config = source.config["class_name"], source.config["config"]
    if kind not in ("Sequential", "Functional"):
        raise ValueError(f"model: {shown(kind)}: expected a Sequential or functional model")
    described = config["layers"]
    if kind == "Functional":
        _check_chain(described)
    chain, counts = Chain(), dict[str, int]()
    for number, layer in enumerate(described, 1):
        name, own = layer["class_name"], layer["config"]
        place = f"layer {number}, {name}"
        take = _LAYERS.get(name)
        if take is None:
            raise Refused(place, f"has no counterpart; expected {LAYERS}")
        path = _stem(name)
        count = counts.get(path, 0)
        counts[path] = count + 1
        path = f"{path}_{count}" if count else path
        try:
            take(chain, place, own, partial(source.weights, own["name"], path), training)
        except ValueError as error:
            raise error if str(error).startswith(place) else Refused(place, str(error)) from None
    compiled = source.config.get("compile_config")
    aim = _aim(compiled, source, training) if compiled else None
    plain = chain.network(aim, classes)
    return estimator_of(plain, "keras", parameters)


def _stem(name: str) -> str:
    """Return what Keras makes of the name of a class for the path of its weights."""
    stem = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", stem).lower()


def _check_chain(layers: Sequence[dict[str, Any]]) -> None:
    """Raise `Refused` unless each layer of a functional model gets those of the one before."""
    for number, (before, layer) in enumerate(pairwise(layers), 2):
        nodes = layer["inbound_nodes"]
        text = repr(nodes)
        sources = re.findall(r"'keras_history': \[('[^']*'), 0, 0\]", text)
        if len(nodes) != 1 or sources != [repr(before["config"]["name"])]:
            raise Refused(
                f"layer {number}, {layer['class_name']}",
                f"expected the outputs of layer {number - 1} as its inputs, and nothing else",
            )


Take = Callable[[Chain, str, dict[str, Any], Callable[[], list[NDArray]], bool], None]


def _activation(chain: Chain, place: str, value: Any) -> None:
    kind = value.get("class_name") if isinstance(value, dict) else None
    if kind in ("LeakyReLU", "ELU", "ReLU", "Softmax"):
        _LAYERS[kind](chain, place, value["config"], list, False)
        return
    name = _ACTIVATIONS.get(value) if isinstance(value, str) else None
    if name is None:
        raise Refused(place, f"activation={shown(value)} has no counterpart")
    chain.activation(place, name, FUNCTION_PARAMETERS.get(name))


def _dense(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    if training:
        refuse_unless(place, config, **dict.fromkeys(_NO_LAYER), trainable=True)
    refuse_unless(place, config, lora_rank=None, quantization_config=None)
    arrays = weights()
    if len(arrays) != 1 + bool(config.get("use_bias", True)):
        raise Refused(place, f"expected weights and biases, got {len(arrays)} arrays")
    if arrays[0].shape[1:] != (config["units"],):
        raise Refused(place, f"units={shown(config['units'])}, but weights {arrays[0].shape}")
    chain.dense(place, *arrays)
    _activation(chain, place, config.get("activation") or "linear")


def _relu(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    refuse_unless(place, config, max_value=None, threshold=0)
    slope = config.get("negative_slope", 0)
    if slope:
        chain.activation(place, "leaky_relu", slope)
    else:
        chain.activation(place, "relu")


def _leaky_relu(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    chain.activation(place, "leaky_relu", config.get("negative_slope", 0.3))


def _elu(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    chain.activation(place, "elu", config.get("alpha", 1.0))


def _softmax(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    refuse_unless(place, config, axis=(-1, [-1], 1, [1]))
    chain.activation(place, "softmax")


def _dropout(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    refuse_unless(place, config, noise_shape=None)
    if training:
        chain.dropout(place, config["rate"])


def _rescaling(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    refuse_unless(place, config, offset=0)
    if not isinstance(config["scale"], (int, float)):
        raise Refused(place, f"scale={shown(config['scale'])}: expected a number")
    chain.scale(place, config["scale"])


def _nothing(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    """Take a layer that changes nothing."""


def _flatten(chain: Chain, place: str, config: Any, weights: Any, training: bool) -> None:
    refuse_unless(place, config, data_format=(None, "channels_last"))


_LAYERS: dict[str, Take] = {
    "Activation": lambda chain, place, config, weights, training: _activation(
        chain, place, config["activation"]
    ),
    "Dense": _dense,
    "Dropout": _dropout,
    "ELU": _elu,
    "Flatten": _flatten,
    "Identity": _nothing,
    "InputLayer": _nothing,
    "LeakyReLU": _leaky_relu,
    "ReLU": _relu,
    "Rescaling": _rescaling,
    "Softmax": _softmax,
}


def _aim(compiled: dict[str, Any], source: Any, training: bool) -> Aim | None:
    """Return loss and optimizer as fastnn has them."""
    loss = compiled.get("loss")
    if isinstance(loss, (list, tuple)) and len(loss) == 1:
        (loss,) = loss
    given: dict[str, Any] = {}
    if isinstance(loss, dict):
        loss, given = loss["class_name"], loss["config"]
        loss = given if loss == "function" and isinstance(given, str) else loss
        given = {} if isinstance(given, str) else given
    row = _LOSSES.get(loss) if isinstance(loss, str) else None
    if row is None:
        if not training:
            return None
        raise ValueError(f"loss: {shown(loss)} has no counterpart; training=False ignores it")
    if training:
        refuse_unless(f"loss, {loss}", given, reduction=("sum_over_batch_size", "mean"), axis=-1)
    given = {**compiled.get("loss_numbers", {}), **given}
    parameter = given.get(row.parameter, 1.0 if row.name == "Huber" else 0.0)
    squash = {"BinaryCrossentropy": "sigmoid"}.get(row.name, "softmax")
    return Aim(
        f"{loss} from logits",
        row.loss,
        float(parameter if row.parameter else 0.0),
        is_mean=row.is_mean,
        squash=squash if given.get("from_logits") else "",
        steps=_steps(compiled["optimizer"], source) if training else None,
    )


def _steps(optimizer: Any, source: Any) -> Steps:
    """Return the optimizer and its state."""
    kind = optimizer["class_name"] if isinstance(optimizer, dict) else optimizer
    place = readable(f"optimizer, {kind}")
    if kind not in ("SGD", "Adam", "AdamW"):
        raise ValueError(
            f"{place}: its steps have no counterpart; training=False takes the outputs only"
        )
    config = optimizer["config"]
    refuse_unless(place, config, use_ema=False, amsgrad=False, **dict.fromkeys(_NO_STEPS))
    rate = config["learning_rate"]
    if not isinstance(rate, (int, float)):
        raise ValueError(f"{place}: learning_rate={shown(rate)} has no counterpart")
    numbers = {"learning_rate_init": check_real(f"{place}: learning_rate", rate, ABOVE_0)}
    if kind == "SGD":
        refuse_unless(place, config, weight_decay=(None, 0))
        momentum = float(config.get("momentum", 0))
        solver = "nesterov" if config.get("nesterov") else "momentum"
        solver, n_moments = (solver, 1) if momentum else ("sgd", 0)
        numbers["momentum"] = momentum
    else:
        solver, n_moments = "adam", 2
        numbers |= {name: float(config[name]) for name in ("beta_1", "beta_2", "epsilon")}
        if config.get("weight_decay"):
            solver, numbers["weight_decay"] = "adamw_keras", float(config["weight_decay"])
    variables = source.variables()
    step = int(variables[0]) if variables else 0
    moments = variables[2:]  # after the iteration and the learning rate
    if n_moments == 0 or not moments:
        return Steps(solver, numbers, (), step)
    each = [moments[i::n_moments] for i in range(n_moments)]
    flat = [np.concatenate([array.ravel() for array in arrays]) for arrays in each]
    return Steps(solver, numbers, flat, step)
