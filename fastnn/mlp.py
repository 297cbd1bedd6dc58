"""Multi-layer perceptrons trained by back-propagation, in the manner of scikit-learn."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.metaestimators import available_if

from . import backends
from .activations import activation_code
from .backends.interface import SIGMOID, SOFTMAX, SPARSE_CATEGORICAL_CROSSENTROPY
from .mlp_base import BaseMLP, Targets
from .parameters import check_choice, shown
from .validation import check_y, class_index, class_labels, real_targets, target_columns

M = TypeVar("M", bound=Callable)


def _gives_probabilities(model: "MLPClassifier") -> bool:
    """Return True; AttributeError unless the outputs are numbers from 0 to 1."""
    name: Any = getattr(model, "out_activation_", model.out_activation)
    if name == "auto" or activation_code(name, "out_activation") in (SIGMOID, SOFTMAX):
        return True
    raise AttributeError(
        f"out_activation={name!r} gives no probabilities, 'sigmoid' and 'softmax' do; "
        "layer_outputs(X)[-1] has the outputs"
    )


def _with_probabilities(method: M) -> M:
    """Make a method an attribute of models that give probabilities only."""
    return available_if(_gives_probabilities)(method)


class MLPClassifier(ClassifierMixin, BaseMLP):
    """Multi-layer perceptron that learns classes, with labels of any type.

    Losses: "crossentropy" ("auto") has one sigmoid output for two classes, and a softmax output
    per class for more; "half_squared_error" (2.2) and "squared_error" have sigmoid outputs,
    unless `out_activation` says otherwise. The attribute `classes_` holds the labels, sorted.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), "tanh", learning_rate_init=0.05, random_state=0)
    >>> model.fit(X, y).predict(X).tolist()
    [0, 1, 1, 0]
    """

    classes_: NDArray

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class of each sample, (n_samples,)."""
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > 0.5).astype(int)]
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

    def evaluate(self, X: ArrayLike, y: ArrayLike) -> tuple[float, float]:
        """Return the loss (without penalty) and the accuracy on samples X with labels y."""
        return self._evaluate(X, y)

    def _check_y(self, y, X):
        return class_labels(check_y(y, X))

    def _encode(self, y, dtype):
        choices = ("auto", "crossentropy", "half_squared_error", "squared_error")
        check_choice("loss", self.loss, choices)
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
        n_outputs = 1 if len(classes) == 2 else len(classes)
        if self.loss in ("auto", "crossentropy"):
            loss = "binary_crossentropy" if n_outputs == 1 else "sparse_categorical_crossentropy"
            activation = "sigmoid" if n_outputs == 1 else "softmax"
        else:
            loss, activation = self.loss, "sigmoid"
        if not (isinstance(self.out_activation, str) and self.out_activation == "auto"):
            activation = self.out_activation
        by_index = loss == "sparse_categorical_crossentropy"
        values = _class_targets(index, len(classes), by_index, dtype)
        return Targets(values, n_outputs, loss, activation, {"classes_": classes})

    def _score_on(self, X, targets, y, n_right, kernels):
        return n_right / len(X)

    def _targets(self, y, dtype):
        index = class_index(y, self.classes_)
        by_index = self.network_.loss == SPARSE_CATEGORICAL_CROSSENTROPY
        return _class_targets(index, len(self.classes_), by_index, dtype)


def _class_targets(index, n_classes, by_index, dtype):
    """Return class indices (n, 1), 0 or 1 for two classes (n, 1), or one column per class."""
    if by_index or n_classes == 2:
        return index.reshape(-1, 1).astype(dtype)
    targets = target_columns(len(index), n_classes, 0, dtype)
    targets[np.arange(len(index)), index] = 1
    return targets


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron that learns real numbers, with linear outputs.

    Losses: "half_squared_error" (2.2, "auto") or "squared_error".
    """

    _flat: bool  # whether y has one dimension

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
        targets = self._targets(y, self.params_.dtype)
        return self._score_on(X, targets, y, 0, backends.kernels(), sample_weight)

    def evaluate(self, X: ArrayLike, y: ArrayLike) -> tuple[float, float]:
        """Return the loss (without penalty) and the score R^2 on samples X with targets y.

        R^2 is NaN if the training has diverged.
        """
        return self._evaluate(X, y)

    def _score_on(self, X, targets, y, n_right, kernels, sample_weight=None):
        outputs = self._forward(X, False, kernels)[-1]
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(y, outputs, sample_weight=sample_weight))

    def _check_y(self, y, X):
        return check_y(y, X)

    def _encode(self, y, dtype):
        check_choice("loss", self.loss, ("auto", "half_squared_error", "squared_error"))
        loss = "half_squared_error" if self.loss == "auto" else self.loss
        activation = self.out_activation
        if isinstance(activation, str) and activation == "auto":
            activation = "purelin"
        values = real_targets(y, dtype)
        return Targets(values, values.shape[1], loss, activation, {"_flat": y.ndim == 1})

    def _targets(self, y, dtype):
        targets = real_targets(y, dtype)
        if targets.shape[1] != self.network_.sizes[-1]:
            raise ValueError(
                f"y: {targets.shape[1]} outputs; expected {self.network_.sizes[-1]}, as in fit"
            )
        return targets


PARAMETERS = """
    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default (100,)
        Units of each hidden layer; an empty one gives a single-layer network.
    activation : str, default "relu"
        Of the hidden layers: "sign", "purelin", "sigmoid", "tanh", "softsign" or "relu".
    out_activation : str, default "auto"
        Of the output layer; "auto" takes what goes with the loss.
    loss : str, default "auto"
        See above.
    solver : {"adam", "sgd", "momentum"}, default "adam"
    learning_rate_init : float, default 0.001
    momentum, beta_1, beta_2, epsilon : float
        Constants of the solvers "momentum" and "adam".
    alpha : float, default 0
        L2 penalty: alpha / 2N times the sum of squared weights, for a batch of N samples.
    learning_rate_decay : float, default 1
        Factor on the learning rate after each epoch, at most 1; if it is not 1, an epoch is a call
        of its own.
    batch_size : int, "auto" or "full", default 32
        1 is online learning; "auto" is min(200, n_samples); "full" takes all samples.
    dropout : float or sequence of float, default 0
        Fraction of hidden outputs dropped in training, for all hidden layers or for each.
    weight_init : {"glorot_uniform", "he_normal", "uniform", "normal"}, default "glorot_uniform"
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
    dtype : {"auto", "float32", "float64"}, default "auto"
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
    n_iter_, n_epochs_ : int
        Complete epochs of the last fit, and of all since it began afresh.
    stop_reason_ : str
        See `fastnn.training.train`.
    backend_ : str
        The back end that trained.
"""

for _estimator in (MLPClassifier, MLPRegressor):
    _estimator.__doc__ = (_estimator.__doc__ or "") + PARAMETERS
