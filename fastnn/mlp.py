"""Multi-layer perceptrons trained by back-propagation, in the manner of scikit-learn."""

import textwrap
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if

from . import backends
from .backends.codes import ACTIVATIONS, LOSSES, OPTIMIZERS, Activation, Loss
from .formulas import (
    HIDDEN,
    activation,
    choose_loss,
    choose_output,
    loss_names,
    loss_rows,
    n_outputs_for,
)
from .learning_rates import SCHEDULES
from .mlp_base import BaseMLP, Targets
from .optimizers import LBFGS
from .parameters import shown
from .validation import (
    check_targets,
    check_y,
    class_index,
    class_labels,
    real_targets,
    target_columns,
)

M = TypeVar("M", bound=Callable)


def _gives_probabilities(model: "MLPClassifier") -> bool:
    """Return True; AttributeError unless the outputs are numbers from 0 to 1."""
    net = vars(model).get("network_")
    if net is not None and ACTIVATIONS[net.activations[-1]].gives_probabilities:
        return True  # soon answered: a sample takes a few microseconds in all
    value: Any = getattr(model, "out_activation_", model.out_activation)
    if isinstance(value, str) and value == "auto":  # not fitted yet
        value = choose_output(value, choose_loss(model.loss, n_classes=2).row, n_classes=2)
    if activation(value).row.gives_probabilities:
        return True
    able = " and ".join(repr(row.name) for row in ACTIVATIONS if row.gives_probabilities)
    raise AttributeError(
        f"out_activation={value!r} gives no probabilities, {able} do; "
        "layer_outputs(X)[-1] has the outputs"
    )


def _with_probabilities(method: M) -> M:
    """Make a method an attribute of models that give probabilities only."""
    return available_if(_gives_probabilities)(method)


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron that learns classes, with labels of any type.

    Losses: "crossentropy" ("auto") has one sigmoid output for two classes, and a softmax output
    per class for more; "half_squared_error" (2.2) and "sum_squared_error" have sigmoid outputs, and
    "hinge" linear ones, unless `out_activation` says otherwise. The attribute `classes_` holds the
    labels, sorted.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), "tanh", learning_rate_init=0.05, random_state=0)
    >>> model.fit(X, y).predict(X).tolist()
    [0, 1, 1, 0]
    """

    classes_: NDArray
    _score_name = "val_accuracy"

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class of each sample, (n_samples,)."""
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > self.network_.threshold).astype(int)]
        return self.classes_[outputs.argmax(axis=1)]

    @_with_probabilities
    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Return the probability of each class, (n_samples, n_classes).

        Only with sigmoid or softmax outputs, which are made to sum to 1; with others it is no
        attribute. Where all outputs are 0, the classes are equally probable.
        """
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        sums = outputs.sum(axis=1, keepdims=True)
        if not sums.all():
            outputs = np.where(sums == 0, outputs.dtype.type(1), outputs)
            sums = outputs.sum(axis=1, keepdims=True)
        return outputs / sums

    @_with_probabilities
    def predict_log_proba(self, X: ArrayLike) -> NDArray:
        """Return the logarithms of `predict_proba`, -inf for 0."""
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy on samples X with labels y."""
        predicted = self.predict(X)
        y = self._check_y(y, predicted)
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def evaluate(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, float]:
        """Return the loss (without penalty) and the accuracy on samples X with labels y."""
        return self._evaluate(X, y, sample_weight)

    def _check_y(self, y, X):
        return class_labels(check_y(y, X))

    def _encode(self, y, dtype):
        smoothing = self.label_smoothing
        choose_loss(self.loss, 2, smoothing)  # raises, before a complaint of y
        if self.warm_start and hasattr(self, "classes_"):
            classes = self.classes_
            try:
                index = class_index(y, classes)
            except ValueError as error:
                raise ValueError(f"{error}, those that warm_start knows") from None
        else:
            classes, index = np.unique(y, return_inverse=True)
            if len(classes) < 2:
                raise ValueError(
                    f"y: found 1 class, {shown(classes[0])}; expected 2 classes or more"
                )
        loss = choose_loss(self.loss, len(classes), smoothing)
        n_outputs = n_outputs_for(loss.row, len(classes))
        last = choose_output(self.out_activation, loss.row, len(classes))
        values = _class_targets(index, len(classes), loss.row, dtype)
        return Targets(values, n_outputs, loss, last, {"classes_": classes})

    def _score_of(self, outputs, y, weights, n_right):
        return n_right / (len(y) if weights is None else float(weights.sum(dtype=np.float64)))

    def _targets(self, y, dtype):
        index = class_index(y, self.classes_)
        return _class_targets(index, len(self.classes_), LOSSES[self.network_.loss], dtype)


def _class_targets(index: NDArray, n_classes: int, loss: Loss, dtype: np.dtype) -> NDArray:
    """Return what a loss takes for class indices: (n, 1), or one column per class."""
    if loss.targets == "index":
        return index[:, np.newaxis].astype(dtype)
    low = -1 if loss.targets == "sign" else 0
    n_outputs = n_outputs_for(loss, n_classes)
    targets = target_columns(len(index), n_outputs, low, dtype)
    if n_outputs == 1:
        targets[index == 1] = 1
    else:
        targets[np.arange(len(index)), index] = 1
    return targets


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron that learns real numbers, with linear outputs.

    Losses: "squared_error" ("auto"; with the half of (2.2), as scikit-learn has it), or another.
    "poisson" learns counts, with exponential outputs; "quantile" a quantile, such as
    ("quantile", 0.9).
    """

    _flat: bool  # whether y has one dimension
    _score_name = "val_score"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the outputs, (n_samples,) or (n_samples, n_outputs) as y was in `fit`."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score R^2 on samples X with targets y."""
        X = self._inputs(X)
        y = self._check_y(y, X)
        self._targets(y, self.params_.dtype)  # raises
        outputs = self._forward(self._samples(X), False, backends.kernels())[-1]
        return self._score_of(outputs, y, sample_weight, 0)

    def evaluate(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> tuple[float, float]:
        """Return the loss (without penalty) and the score R^2 on samples X with targets y.

        R^2 is NaN if the training has diverged.
        """
        return self._evaluate(X, y, sample_weight)

    def _score_of(self, outputs, y, weights, n_right):
        if not np.isfinite(outputs).all():
            return float("nan")
        with np.errstate(over="ignore"):  # about to diverge
            return float(r2_score(y, outputs, sample_weight=weights))

    def _check_y(self, y, X):
        return check_y(y, X)

    def _encode(self, y, dtype):
        loss = choose_loss(self.loss, 0, self.label_smoothing)
        last = choose_output(self.out_activation, loss.row, n_classes=0)
        values = check_targets(real_targets(y, dtype), loss.row)
        return Targets(values, values.shape[1], loss, last, {"_flat": y.ndim == 1})

    def _targets(self, y, dtype):
        targets = check_targets(real_targets(y, dtype), LOSSES[self.network_.loss])
        if targets.shape[1] != self.network_.sizes[-1]:
            raise ValueError(
                f"y: {targets.shape[1]} outputs; expected {self.network_.sizes[-1]}, as in fit"
            )
        return targets


def _names(names: Iterable[str]) -> str:
    """Return names as a docstring lists them, in lines below an indented parameter."""
    text = ", ".join(f'"{name}"' for name in names)
    return textwrap.fill(text, 92, break_on_hyphens=False).replace("\n", "\n        ")


def _aliases(rows: Iterable[Activation]) -> str:
    return ", ".join(f'"{alias}" is "{row.name}"' for row in rows for alias in row.aliases)


def _parameters(rows: Iterable[Activation | Loss]) -> str:
    """Return the parameters of formulas, with their defaults."""
    return "; ".join(
        f'{row.parameter.name} of "{row.name}", {row.parameter.default:g}'
        for row in rows
        if row.parameter is not None
    )


def _constants() -> str:
    """Return which solver reads which parameters."""
    rules = [row for row in OPTIMIZERS if row.parameters]
    text = "; ".join(f'"{row.name}" has {", ".join(row.parameters)}' for row in rules)
    return textwrap.fill(text, 92).replace("\n", "\n        ")


PARAMETERS = f"""
    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default (100,)
        Units of each hidden layer; an empty one gives a single-layer network.
    activation : str, (str, float) or sequence of these, default "relu"
        Of all hidden layers, or of each; with its parameter, such as ("leaky_relu", 0.1), or
        without, for
        {_names(row.name for row in HIDDEN)};
        {_aliases(HIDDEN)}.
        Parameters: {_parameters(HIDDEN)}.
    out_activation : str or (str, float), default "auto"
        Of the output layer, also
        {_names(row.name for row in ACTIVATIONS if row.output_only)};
        "auto" takes what goes with the loss.
    loss : str or (str, float), default "auto"
        See above; one of
        LOSS_NAMES.LOSS_PARAMETERS
    label_smoothing : float, default 0
        Fraction of each label that a cross-entropy shares out among all classes.
    solver : str, default "adam"
        {_names([*(row.name for row in OPTIMIZERS), LBFGS])};
        "lbfgs", for small data, has all samples in each iteration, and no learning rate.
    learning_rate_init : float, default 0.001
    momentum, nesterovs_momentum : float, default 0.9, and bool, default True
        As in scikit-learn, "sgd" has Nesterov's or, without it, the classical momentum; with
        momentum=0 it is plain gradient descent.
    beta_1, beta_2, rho, epsilon, weight_decay : float
        Constants of the solvers:
        {_constants()}.
    alpha, l1 : float, default 0
        Penalties on weights: alpha / 2N times the sum of squares and l1 / N times the sum of
        absolute values, for a batch of N samples.
    max_norm : float or None
        Largest Euclidean norm of a unit's incoming weights, which longer ones are scaled down to
        after each step.
    learning_rate : str, (str, float, ...), callable or sequence of float, default "constant"
        How the rate changes from epoch to epoch: a name, with its numbers or without, of
        `fastnn.learning_rates.SCHEDULES`
        ({_names(SCHEDULES)}),
        a function of the epoch's number or a rate for each epoch. Only learning_rate_init can be
        changed by a callback.
    power_t : float, default 0.5
        The power of "invscaling".
    learning_rate_decay : float, default 1
        Factor on the learning rate after each epoch, at most 1.
    batch_size : int, "auto" or "full", default 32
        1 is online learning; "auto" is min(200, n_samples); "full" takes all samples.
    dropout : float or sequence of float, default 0
        Fraction of hidden outputs dropped in training, for all hidden layers or for each.
    weight_init : {{"glorot_uniform", "he_normal", "uniform", "normal"}}, default "glorot_uniform"
    bias_init : float, default 0
    input_scale : float, default 1
        Factor on the inputs, say 1 / 255 for images of bytes, which stay bytes in memory.
    distortion : ImageDistortion or None
        Random changes of the training images (bytes), made anew in each epoch.
    shuffle : bool, default True
        Whether each epoch takes the samples in a new random order.
    max_iter, tol, n_iter_no_change, loss_threshold, weight_threshold
        Stopping rules: see `fastnn.training.StoppingRules`.
    random_state : None, int, Generator or RandomState
        Seed of initial weights, shuffles and dropout: the same on every back end.
    dtype : {{"auto", "float32", "float64"}}, default "auto"
        Of all arithmetic; "auto" is float32 for X of float32 or bytes, else float64.
    n_jobs : int or None
        Threads at most; None or -1 is one per processor or OMP_NUM_THREADS, -2 one less, and so
        on. The result does not depend on it, and where other programs want the processors, a fit
        takes fewer.
    warm_start : bool, default False
        Whether another `fit` goes on where the last one stopped.
    verbose : bool, default True
        Whether to show a progress bar on a terminal.

    Attributes
    ----------
    coefs_, intercepts_ : lists of (n_in, n_out) and (n_out,)
        Weights and biases of each layer: views of the flat vector `params_`.
    loss_curve_ : (n_epochs,) of float64
        Mean loss of each epoch's samples, each taken before the update of its batch.
    loss_ : float
        The last of them.
    history_ : dict of lists
        The losses, and what was measured on validation data.
    n_iter_, n_epochs_ : int
        Complete epochs of the last fit, and of all since it began afresh.
    stop_reason_ : str
        See `fastnn.training.train`.
    backend_ : str
        The back end that trained.
"""

for _estimator, _n_classes in ((MLPClassifier, 2), (MLPRegressor, 0)):
    _text = PARAMETERS.replace("LOSS_NAMES", _names(loss_names(_n_classes)))
    _own = _parameters(loss_rows(_n_classes))
    _text = _text.replace("LOSS_PARAMETERS", f"\n        Parameters: {_own}." if _own else "")
    _estimator.__doc__ = (_estimator.__doc__ or "") + _text
