"""Multi-layer perceptrons trained by back-propagation, in the manner of scikit-learn."""

import textwrap
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if

from . import backends
from .backends.codes import ACTIVATIONS, OPTIMIZERS, Activation, Loss
from .formulas import (
    HIDDEN,
    activation,
    choose_loss,
    choose_output,
    loss_names,
    loss_rows,
)
from .learning_rates import SCHEDULES
from .mlp_base import BaseMLP, is_trained_in_steps
from .optimizers import LBFGS
from .sklearn_names import compared
from .streams.measure import accuracy
from .targets import kind_of, labels_of

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
    per class for more; "squared_error" (with the half of (2.2)) and "sum_squared_error" have
    sigmoid outputs, and "hinge" linear ones, unless `out_activation` says otherwise. The attribute
    `classes_` holds the labels, sorted.

    A y with several columns of 0 and 1 stands for several labels, which a sample may have or not:
    each has an output, with the loss of two classes. `multilabel_` says so, and `classes_` is
    0, 1, ... then.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), "tanh", learning_rate_init=0.05, random_state=0)
    >>> model.fit(X, y).predict(X).tolist()
    [0, 1, 1, 0]
    """

    classes_: NDArray
    multilabel_: bool
    _score_name = "val_accuracy"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    @available_if(is_trained_in_steps)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        classes: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on samples that may be a part of all.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`; y need not have all classes.
        classes : (n_classes,)
            All classes that there will be, in the first call; for several labels, 0, 1, ....

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described; nothing has been changed then.

        Examples
        --------
        >>> import fastnn
        >>> X, y = fastnn.load_digits()
        >>> model = fastnn.MLPClassifier((16,), random_state=0)
        >>> for part in (slice(0, 900), slice(900, None)):
        ...     model = model.partial_fit(X[part], y[part], classes=range(10))
        >>> model.n_epochs_
        2
        """
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError(
                "classes=None: expected all classes; classes must be passed on the first call to "
                "partial_fit"
            )
        return self._train(X, y, sample_weight=sample_weight, classes=classes, is_partial=True)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class of each sample, (n_samples,), or its labels, (n_samples, n_labels)."""
        return self._from_outputs(X, self._labels)

    def _labels(self, outputs: NDArray) -> NDArray:
        if self.multilabel_:
            return labels_of(outputs, self.network_)
        if len(self.classes_) == 1:
            return np.repeat(self.classes_, len(outputs))
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > self.network_.threshold).astype(int)]
        return self.classes_[outputs.argmax(axis=1)]

    @_with_probabilities
    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Return the probability of each class, (n_samples, n_classes), or of each label.

        Only with sigmoid or softmax outputs; with others it is no attribute. Those of classes are
        made to sum to 1; where all outputs are 0, the classes are equally probable.
        """
        return self._from_outputs(X, self._probabilities)

    def _probabilities(self, outputs: NDArray) -> NDArray:
        if self.multilabel_:
            return outputs
        if len(self.classes_) == 1:
            return np.ones_like(outputs[:, :1])
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

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        communicator: Any = None,
    ) -> float:
        """Return the accuracy on samples X with labels y; of several labels, all must be right.

        With a communicator on the samples of all ranks, as `evaluate`.
        """
        if communicator is not None:
            return self._evaluate(X, y, sample_weight, communicator)[1]
        if size := self._size_of_part(X):
            return accuracy(self, X, y, sample_weight, size)
        predicted = self.predict(X)
        y = kind_of(self).check(y, predicted)
        is_plain = y.ndim == 1 and y.dtype == predicted.dtype and y.dtype.kind in "biuU"
        if is_plain and sample_weight is None:
            return float(np.mean(y == predicted))  # in a search scikit-learn's checks take longer
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))

    def evaluate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        communicator: Any = None,
    ) -> tuple[float, float]:
        """Return the loss (without penalty) and the accuracy on samples X with labels y.

        With a communicator (see `fit`), which all ranks pass, on the samples of all of them.
        """
        return self._evaluate(X, y, sample_weight, communicator)


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron that learns real numbers, with linear outputs.

    Losses: "squared_error" ("auto"; with the half of (2.2), as scikit-learn has it), or another.
    "poisson" learns counts, with exponential outputs; "quantile" a quantile, such as
    ("quantile", 0.9).

    Examples
    --------
    >>> import fastnn, numpy as np
    >>> x = np.linspace(-1, 1, 50)[:, np.newaxis]
    >>> model = fastnn.MLPRegressor((20,), "tanh", solver="lbfgs", random_state=0)
    >>> model.fit(x, x[:, 0] ** 2).predict([[0.5]]).round(1).tolist()
    [0.2]
    """

    _flat: bool  # whether y has one dimension
    _score_name = "val_score"

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @available_if(is_trained_in_steps)
    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on samples that may be a part of all; see `fit`."""
        return self._train(X, y, sample_weight=sample_weight, is_partial=True)

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the outputs, (n_samples,) or (n_samples, n_outputs) as y was in `fit`."""
        return self._from_outputs(X, lambda outputs: outputs[:, 0] if self._flat else outputs)

    def score(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        communicator: Any = None,
    ) -> float:
        """Return the score R^2 on samples X with targets y.

        With a communicator on the samples of all ranks, as `evaluate`.
        """
        if communicator is not None or self._size_of_part(X):
            return self._evaluate(X, y, sample_weight, communicator)[1]
        kind, inputs = kind_of(self), self._inputs(X)
        y = kind.check(y, inputs)
        kind.encode(self, y, self.params_.dtype)  # raises
        outputs = self._forward(self._samples(inputs), False, backends.kernels())[-1]
        return kind.score(self, outputs, y, sample_weight, 0)

    def evaluate(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        communicator: Any = None,
    ) -> tuple[float, float]:
        """Return the loss (without penalty) and the score R^2 on samples X with targets y.

        R^2 is NaN if the training has diverged. With a communicator (see `fit`), which all ranks
        pass, on the samples of all of them.
        """
        return self._evaluate(X, y, sample_weight, communicator)


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
    text = '"sgd" has momentum and nesterovs_momentum; '
    text += "; ".join(f'"{row.name}" has {", ".join(row.parameters)}' for row in rules)
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
        a function of the epoch's number or a rate for each epoch. A callback changes
        learning_rate_init, not this.
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
        Whether each epoch takes the samples in a new random order; if a batch holds all of them,
        they keep theirs.
    buffer_size : int or "auto", default "auto"
        How many samples of a table in a file (`np.memmap`, HDF5, Zarr), or of `fit_batches`, are in
        memory at once; "auto" are those of 64 MiB. A larger table is read in chunks in a random
        order, and shuffled as many at once; with room for all it is the shuffle of `fit` in memory.
    max_iter, tol, n_iter_no_change, loss_threshold, weight_threshold
        Stopping rules: see `fastnn.stopping.StoppingRules`. Of "lbfgs", `tol` is the largest
        partial derivative, and `stop_reason_` is "tol" also where nothing better is found,
        "max_iter" also after `max_fun` evaluations.
    early_stopping : bool, default False
        Whether to hold out a part of the samples, stop when their score has not risen by `tol`
        in more than `n_iter_no_change` epochs on end, and keep the parameters of the best epoch.
        "lbfgs" takes no notice of it, as in scikit-learn.
    validation_fraction : float, default 0.1
        How much `early_stopping` holds out; of classes, each its share.
    max_fun : int, default 15,000
        Evaluations of the loss by "lbfgs" at most.
    class_weight : None, "balanced" or dict
        Weights of classes, for a classifier: factors on those of samples. "balanced" gives all
        classes the same weight in all.
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
    verbose : bool or int, default True
        Whether to show a progress bar on a terminal; 2 or more prints a line per epoch.

    Attributes
    ----------
    coefs_, intercepts_ : lists of (n_in, n_out) and (n_out,)
        Weights and biases of each layer: views of the flat vector `params_`.
    loss_curve_ : (n_epochs,) of float64
        Mean loss of each epoch's samples, each taken before the update of its batch.
    loss_, best_loss_ : float
        The last of them, and the least; with `early_stopping` there is no `best_loss_` (None).
    history_ : dict of lists
        The losses, and what was measured on validation data.
    validation_scores_, best_validation_score_ : list of float, and float
        Of the samples that `early_stopping` holds out, after each epoch; else None.
    n_iter_, n_epochs_ : int
        Complete epochs of the last fit, and of all since it began afresh.
    t_ : int
        Training samples seen since then.
    learning_rate_ : float
        Of the epoch that would be the next.
    coef_, intercept_ : (n_outputs, n_features) and (n_outputs,)
        Of a network without hidden layers.
    stop_reason_ : str
        Why the last fit ended: "max_iter", "tol", "loss_threshold", "weight_threshold",
        "validation_score" (early_stopping), "callback", "interrupted" (Ctrl-C, an exception) or
        "diverged"; "imported" before the first.
    backend_ : str
        The back end that trained.
    fit_time_ : float
        Seconds of training, over all fits since it began afresh; of networks that were trained
        together, from its first epoch to its last.
    data_fingerprint_ : dict or None
        Shape, dtype and digest of the X and y of the last `fit`: see `fastnn.fingerprint`; None
        after `partial_fit`, samples that were read in parts, or several ranks.
"""

for _estimator, _n_classes in ((MLPClassifier, 2), (MLPRegressor, 0)):
    _text = PARAMETERS.replace("LOSS_NAMES", _names(loss_names(_n_classes)))
    _own = _parameters(loss_rows(_n_classes))
    _text = _text.replace("LOSS_PARAMETERS", f"\n        Parameters: {_own}." if _own else "")
    _text += compared(_estimator.__name__)
    _estimator.__doc__ = (_estimator.__doc__ or "") + _text
