"""Networks of scikit-learn: MLPClassifier, MLPRegressor and Perceptron."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.codes import LOSSES
from ..export.plain import CLASSES, LABELS, NUMBERS, Layer, PlainNetwork, Training
from ..formulas import activation
from ..optimizers import LBFGS
from ..parameters import shown
from .estimator import estimator_of

_ACTIVATIONS = {"exp": "exponential"}  # the others have our names, or aliases
_EXPECTED = "a fitted MLPClassifier, MLPRegressor or Perceptron of scikit-learn"


def from_sklearn(model: Any, **parameters: Any) -> Any:
    """Return a fitted network or perceptron of scikit-learn as one of fastnn.

    Its outputs are the same, and `partial_fit`, or `fit` (with `warm_start=True`, which the result
    has), goes on where it stopped: with the optimizer's state, the learning rate's schedule, the
    losses and the counts. Samples are shuffled in another order.

    Parameters
    ----------
    model : sklearn.neural_network.MLPClassifier or MLPRegressor, or sklearn.linear_model.Perceptron
        Fitted; not changed.
    **parameters
        Hyper-parameters of the result, in place of those that `model` has.

    Returns
    -------
    MLPClassifier, MLPRegressor or Perceptron

    Raises
    ------
    ValueError
        If it is another estimator, is not fitted, or has what fastnn has not, such as a
        perceptron's penalty.

    Examples
    --------
    >>> import fastnn
    >>> from sklearn.linear_model import Perceptron
    >>> X, y = [[3, 3], [4, 3], [1, 1], [2, 1]], ["a", "a", "b", "b"]
    >>> theirs = Perceptron().fit(X, y)
    >>> ours = fastnn.from_sklearn(theirs)
    >>> ours.predict(X).tolist() == theirs.predict(X).tolist()
    True
    """
    kind = type(model).__name__
    make = _KINDS.get(kind)
    if make is None or not type(model).__module__.startswith("sklearn."):
        raise ValueError(f"model: expected {_EXPECTED}, got {type(model).__module__}.{kind}")
    if not {"coefs_", "coef_"} & vars(model).keys():
        raise ValueError(f"model: this {kind} is not fitted yet; call fit first")
    return make(model, parameters)


def _network(model: Any, parameters: dict[str, Any]) -> Any:
    kind = type(model).__name__
    own = vars(model)
    names = [*[model.activation] * (len(model.coefs_) - 1), model.out_activation_]
    layers = tuple(
        Layer(weights, bias, activation(_ACTIVATIONS.get(name, name)).row.name)
        for weights, bias, name in zip(model.coefs_, model.intercepts_, names, strict=True)
    )
    dtype, classes, task = model.coefs_[0].dtype, None, NUMBERS
    if kind == "MLPClassifier":
        is_multilabel = model._label_binarizer.y_type_.startswith("multilabel")
        classes, task = np.asarray(model.classes_), LABELS if is_multilabel else CLASSES
    plain = PlainNetwork(
        kind,
        layers,
        dtype,
        task,
        classes,
        is_flat=kind == "MLPRegressor" and len(layers[-1].bias) == 1,
        training=_training(model, task),
    )
    copied = model.get_params(deep=False)
    for name in ("hidden_layer_sizes", "activation", "loss", "warm_start"):
        copied.pop(name, None)
    found = {
        "n_iter_": int(model.n_iter_),
        "t_": int(model.t_),
        "idle": int(own.get("_no_improvement_count", 0)),
        "loss_": float(model.loss_),
        "loss_curve_": np.array(own.get("loss_curve_", [model.loss_]), float),
        "best_loss_": _optional(own.get("best_loss_")),
        "best_validation_score_": _optional(own.get("best_validation_score_")),
        **_schedule(model),
    }
    if own.get("validation_scores_") is not None:
        found["validation_scores_"] = [float(score) for score in model.validation_scores_]
    if "feature_names_in_" in own:
        found["feature_names_in_"] = model.feature_names_in_
    return estimator_of(plain, "scikit-learn", {**copied, **parameters}, **found)


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _schedule(model: Any) -> dict[str, Any]:
    """Return how far the learning rate has come."""
    if model.solver != "sgd":
        return {}
    rate = float(model._optimizer.learning_rate)
    found = {"learning_rate_": rate}
    if model.learning_rate == "adaptive":
        found["rate_factor"] = min(1.0, rate / model.learning_rate_init)
    return found


def _training(model: Any, task: str) -> Training:
    n_classes = len(model.classes_) if task == CLASSES else 2
    if task == NUMBERS:
        loss = {"squared_error": "half_squared_error"}.get(model.loss, model.loss)
    else:
        loss = "binary_crossentropy" if n_classes <= 2 else "sparse_categorical_crossentropy"
    if loss not in {row.name for row in LOSSES}:
        raise ValueError(f"model: loss={shown(loss)} has no counterpart")
    moments: list[Any] = []
    solver, step = model.solver, 0
    optimizer: Any = None if solver == LBFGS else model._optimizer
    if solver == "adam":
        moments, step = [optimizer.ms, optimizer.vs], int(optimizer.t)
    elif solver == "sgd":
        solver = "nesterov" if optimizer.nesterov else "momentum"
        moments = [optimizer.velocities]
        if optimizer.momentum == 0:
            solver, moments = "sgd", []
    n_parameters = sum(array.size for array in (*model.coefs_, *model.intercepts_))
    flat = [_flat(arrays, len(model.coefs_)) for arrays in moments]
    epochs = len(getattr(model, "loss_curve_", [])) or int(model.n_iter_)
    return Training(
        loss,
        0.0,
        solver,
        {},
        np.array(flat, model.coefs_[0].dtype).reshape(len(flat), n_parameters),
        step,
        epochs,
    )


def _flat(arrays: list[NDArray], n_layers: int) -> NDArray:
    """Return one vector of what stands in a list of all weights, then all biases."""
    pairs = zip(arrays[:n_layers], arrays[n_layers:], strict=True)
    return np.concatenate([np.concatenate([w.ravel(), b]) for w, b in pairs])


def _perceptron(model: Any, parameters: dict[str, Any]) -> Any:
    if model.penalty is not None:
        raise ValueError(
            f"model: penalty={shown(model.penalty)} has no counterpart; the perceptron's rule has "
            "no penalty"
        )
    weights = np.ascontiguousarray(model.coef_.T)
    dtype = weights.dtype
    layer = Layer(weights, np.asarray(model.intercept_, dtype), "identity")
    plain = PlainNetwork("Perceptron", (layer,), dtype, CLASSES, model.classes_, threshold=0.0)
    copied = model.get_params(deep=False)
    for name in ("warm_start", "penalty"):
        del copied[name]
    copied["eta0"] = model.eta0 / 2  # t - y of a wrong sign is 2 or -2, there the target
    n_iter = int(model.n_iter_)
    found: dict[str, Any] = {"n_iter_": n_iter, "_epoch": n_iter, "t_": float(model.t_)}
    if "feature_names_in_" in vars(model):
        found["feature_names_in_"] = model.feature_names_in_
    return estimator_of(plain, "scikit-learn", {**copied, **parameters}, **found)


_KINDS = {"MLPClassifier": _network, "MLPRegressor": _network, "Perceptron": _perceptron}
