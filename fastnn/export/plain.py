"""A fitted estimator as plain numbers: what every exporter writes from and every importer makes."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.codes import ACTIVATIONS, LOSSES, OPTIMIZERS
from ..backends.interface import Network
from ..network import matrices, squares_of
from ..optimizers import LBFGS, update_rule

ESTIMATORS = ("MLPClassifier", "MLPRegressor", "Perceptron", "LinearNetwork")
CLASSES, LABELS, NUMBERS = "classes", "labels", "numbers"  # tasks
_PROBABLE = {row.name for row in ACTIVATIONS if row.gives_probabilities}


class Layer(NamedTuple):
    """y = f(x W + b).

    Attributes
    ----------
    weights : (n_in, n_out)
    bias : (n_out,)
    activation : str
        A name in `backends.codes.ACTIVATIONS`.
    parameter : float
        The number in the activation; 0 where it has none.
    dropout : float
        Fraction of the outputs dropped in training.
    """

    weights: NDArray
    bias: NDArray
    activation: str
    parameter: float = 0.0
    dropout: float = 0.0


class Scaler(NamedTuple):
    """x becomes (x - offset) * factor, then, if there are limits, what is within them.

    Attributes
    ----------
    offset, factor : (n_features,) of float64
    limits : (float, float) or None
    """

    offset: NDArray[np.float64]
    factor: NDArray[np.float64]
    limits: tuple[float, float] | None = None


class Training(NamedTuple):
    """What a training that goes on needs beside the layers.

    Attributes
    ----------
    loss : str
        A name in `backends.codes.LOSSES`.
    loss_parameter : float
        0 where the loss has none.
    solver : str
        A name in `backends.codes.OPTIMIZERS`, or "lbfgs".
    numbers : dict of str to float
        learning_rate_init (of the next epoch), the constants that the solver reads, the penalties
        alpha and l1, and max_norm (0: None), under the names of the estimators' parameters.
    moments : (n_moments, n_parameters)
        The solver's state, laid out as the parameters are: see `PlainNetwork.parts`.
    step, epoch : int
        Optimizer steps and epochs so far.
    """

    loss: str
    loss_parameter: float
    solver: str
    numbers: dict[str, float]
    moments: NDArray
    step: int = 0
    epoch: int = 0


@dataclass(frozen=True)
class PlainNetwork:
    """A network, what its inputs go through first, and what its outputs mean.

    Attributes
    ----------
    estimator : str
        One of `ESTIMATORS`.
    layers : tuple of Layer
    dtype : dtype
        float32 or float64, of all arithmetic.
    task : str
        "classes": each sample has one of `classes`; "labels": a column of 0 and 1 for each of
        `classes`; "numbers": a regression.
    classes : (n_classes,) or None
    threshold : float
        What a single output exceeds for the second of two classes, and each output for its label.
    is_flat : bool
        Whether a regression predicts (n_samples,), not (n_samples, n_outputs).
    input_dtype : dtype
        Of what is put in: `dtype`, or another that is converted to it, such as uint8.
    scalers : tuple of Scaler
        What stands before the network, in this order.
    input_scale : float
        Factor on what comes out of the scalers.
    training : Training or None
    """

    estimator: str
    layers: tuple[Layer, ...]
    dtype: np.dtype
    task: str
    classes: NDArray | None = None
    threshold: float = 0.5
    is_flat: bool = False
    input_dtype: np.dtype | None = None
    scalers: tuple[Scaler, ...] = ()
    input_scale: float = 1.0
    training: Training | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units per layer, inputs first."""
        return (len(self.layers[0].weights), *(len(layer.bias) for layer in self.layers))

    @property
    def entry_dtype(self) -> np.dtype:
        """What is put in: `input_dtype`, or else `dtype`."""
        return self.dtype if self.input_dtype is None else np.dtype(self.input_dtype)

    @property
    def gives_probabilities(self) -> bool:
        """Whether a classifier's outputs are probabilities; else they are scores."""
        return self.task != NUMBERS and self.layers[-1].activation in _PROBABLE

    @property
    def has_one_class(self) -> bool:
        """Whether all samples are of the same class."""
        return self.task == CLASSES and self.classes is not None and len(self.classes) == 1

    @property
    def is_constant(self) -> bool:
        """Whether the values are: 1, the probability of the only class."""
        return self.has_one_class and self.gives_probabilities

    def parts(self, flat: NDArray) -> Iterator[tuple[NDArray, NDArray]]:
        """Yield views (n_in, n_out) and (n_out,) of a flat vector, layer by layer."""
        codes = (0,) * len(self.layers)
        net = Network(self.sizes, codes, (0.0,) * len(codes), 0)
        yield from zip(*matrices(net, flat), strict=True)


def describe(model: Any, input_dtype: Any = None) -> PlainNetwork:
    """Return what a fitted estimator is, or a pipeline of scikit-learn's scalers that ends in one.

    Parameters
    ----------
    model : Perceptron, LinearNetwork, MLPClassifier, MLPRegressor or Pipeline
    input_dtype : {"uint8", "float32", "float64"}, optional
        Of the inputs to come, by default the network's own.

    Raises
    ------
    ValueError
        If it is another estimator, is not fitted, or a step of the pipeline is no scaler.
    """
    scalers: tuple[Scaler, ...] = ()
    if type(model).__name__ == "Pipeline":
        from .scalers import scalers_of

        scalers, model = scalers_of(model), model.steps[-1][1]
    kind = type(model).__name__
    if kind not in ESTIMATORS or not type(model).__module__.startswith("fastnn."):
        hint = "; take its best_estimator_" if hasattr(model, "best_estimator_") else ""
        raise ValueError(
            f"model: expected one of {', '.join(ESTIMATORS)}, or a pipeline that ends in one, got "
            f"{type(model).__module__}.{kind}{hint}"
        )
    if not hasattr(model, "n_features_in_") or not {"params_", "coef_"} & vars(model).keys():
        raise ValueError(f"model: this {kind} is not fitted yet; call fit first")
    plain = _single_layer(model, kind) if "coef_" in vars(model) else _network(model, kind)
    for number, layer in enumerate(plain.layers, 1):
        if not (np.isfinite(layer.weights).all() and np.isfinite(layer.bias).all()):
            raise ValueError(f"model: layer {number} is not finite; did the training diverge?")
    if input_dtype is None:
        return replace(plain, scalers=scalers)
    entry = _input_dtype(input_dtype)
    return replace(plain, scalers=scalers, input_dtype=entry)


def _input_dtype(value: Any) -> np.dtype:
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or dtype.name not in ("uint8", "float32", "float64"):
        raise ValueError(f"input_dtype={value!r}: expected 'uint8', 'float32' or 'float64'")
    return dtype


def _single_layer(model: Any, kind: str) -> PlainNetwork:
    """Return a perceptron, whose output is w x, or a linear network."""
    weights = np.ascontiguousarray(np.atleast_2d(model.coef_).T)
    bias = np.atleast_1d(np.asarray(model.intercept_, weights.dtype))
    layers = (Layer(weights, bias, "identity"),)
    if kind == "Perceptron":
        return PlainNetwork(kind, layers, weights.dtype, CLASSES, model.classes_, threshold=0.0)
    return PlainNetwork(kind, layers, weights.dtype, NUMBERS, is_flat=np.ndim(model.coef_) == 1)


def _network(model: Any, kind: str) -> PlainNetwork:
    """Return a multi-layer network."""
    own = vars(model)  # network and parameters of one state, even if a thread fits the model
    net, params = own["network_"], own["params_"].copy()
    layers = tuple(
        Layer(weights, bias, ACTIVATIONS[code].name, parameter, dropout)
        for weights, bias, code, parameter, dropout in zip(
            *matrices(net, params),
            net.activations,
            net.formula_parameters[:-1],
            net.dropout,
            strict=True,
        )
    )
    common: dict[str, Any] = {
        "threshold": net.threshold,
        "input_scale": float(model.input_scale),
        "training": _training(model, net),
    }
    if kind == "MLPRegressor":
        return PlainNetwork(kind, layers, params.dtype, NUMBERS, is_flat=own["_flat"], **common)
    task = LABELS if own["multilabel_"] else CLASSES
    return PlainNetwork(kind, layers, params.dtype, task, own["classes_"], **common)


def _training(model: Any, net: Network) -> Training | None:
    """Return the training; None if the solver is not the one that the state is of."""
    solver, state = model.solver, model.solver_state_
    reads: tuple[str, ...] = ()
    if solver != LBFGS:
        rule = OPTIMIZERS[update_rule(model.get_params(deep=False))]
        if len(state.moments) != rule.n_moments or (squares_of(state.moments, rule) < 0).any():
            return None
        solver, reads = rule.name, rule.parameters
    names = ("learning_rate_init", *reads, "alpha", "l1")
    numbers = {name: float(getattr(model, name)) for name in names}
    numbers["max_norm"] = float(model.max_norm or 0)
    if not (model.learning_rate == "constant" and model.learning_rate_decay == 1):
        numbers["learning_rate_init"] = vars(model).get("learning_rate_", model.learning_rate_init)
    return Training(
        LOSSES[net.loss].name,
        net.formula_parameters[-1],
        solver,
        numbers,
        state.moments.copy(),
        state.step,
        state.epoch,
    )
