"""Multi-layer perceptrons trained by back-propagation, in the manner of scikit-learn."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from .backends.interface import SPARSE_CATEGORICAL_CROSSENTROPY
from .mlp_base import PARAMETERS, BaseMLP, Targets
from .validation import check_n_jobs, check_scale, real_targets


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

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class of each sample, (n_samples,)."""
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return self.classes_[(outputs[:, 0] > 0.5).astype(int)]
        return self.classes_[outputs.argmax(axis=1)]

    def predict_proba(self, X: ArrayLike) -> NDArray:
        """Return the probability of each class, (n_samples, n_classes)."""
        outputs = self._outputs(X)
        if outputs.shape[1] == 1:
            return np.hstack([1 - outputs, outputs])
        return outputs / outputs.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: ArrayLike) -> NDArray:
        """Return the logarithms of `predict_proba`."""
        return np.log(self.predict_proba(X))

    def evaluate(self, X: ArrayLike, y: ArrayLike) -> tuple[float, float]:
        """Return the loss (without penalty) and the accuracy on samples X with labels y."""
        return self._evaluate(X, y)

    def _encode(self, y, dtype):
        if y.ndim != 1 or y.dtype.kind not in "iu":  # integers are classes without a doubt
            y = column_or_1d(y, warn=True)
            check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) < 2:
            raise ValueError(f"y: found 1 class, {classes[0]!r}; expected 2 classes or more")
        if self.warm_start and hasattr(self, "classes_"):
            if not np.isin(classes, self.classes_).all():
                raise ValueError(f"y: warm_start knows the classes {self.classes_.tolist()} only")
            classes = self.classes_
        n_outputs = 1 if len(classes) == 2 else len(classes)
        if self.loss in ("auto", "crossentropy"):
            loss = "binary_crossentropy" if n_outputs == 1 else "sparse_categorical_crossentropy"
            activation = "sigmoid" if n_outputs == 1 else "softmax"
        elif self.loss in ("half_squared_error", "squared_error"):
            loss, activation = self.loss, "sigmoid"
        else:
            raise ValueError(
                f"loss={self.loss!r}: expected 'auto', 'crossentropy', 'half_squared_error' or "
                "'squared_error'"
            )
        if self.out_activation != "auto":
            activation = self.out_activation
        by_index = loss == "sparse_categorical_crossentropy"
        values = _class_targets(y, classes, by_index, dtype)
        return Targets(values, n_outputs, loss, activation, {"classes_": classes})

    def _score_on(self, X, targets, y, n_right, kernels):
        return n_right / len(X)

    def _targets(self, y, dtype):
        y = column_or_1d(y, warn=True)
        if not np.isin(y, self.classes_).all():
            raise ValueError(f"y: expected labels among {self.classes_.tolist()}")
        by_index = self.network_.loss == SPARSE_CATEGORICAL_CROSSENTROPY
        return _class_targets(y, self.classes_, by_index, dtype)


def _class_targets(y, classes, by_index, dtype):
    """Return class indices (n, 1), 0 or 1 for two classes (n, 1), or one column per class."""
    index = np.searchsorted(classes, y)
    if by_index or len(classes) == 2:
        return index[:, np.newaxis].astype(dtype)
    return np.eye(len(classes), dtype=dtype)[index]


class MLPRegressor(RegressorMixin, BaseMLP):
    """Multi-layer perceptron that learns real numbers, with linear outputs.

    Losses: "half_squared_error" (2.2, "auto") or "squared_error".
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the outputs, (n_samples,) or (n_samples, n_outputs) as y was in `fit`."""
        outputs = self._outputs(X)
        return outputs[:, 0] if self._flat else outputs

    def evaluate(self, X: ArrayLike, y: ArrayLike) -> tuple[float, float]:
        """Return the loss (without penalty) and the score R^2 on samples X with targets y.

        R^2 is NaN if the training has diverged.
        """
        return self._evaluate(X, y)

    def _score_on(self, X, targets, y, n_right, kernels):
        scale, n_threads = check_scale(self.input_scale), check_n_jobs(self.n_jobs)
        outputs = kernels.mlp_forward(self.network_, self.params_, X, scale, False, n_threads)[-1]
        if not np.isfinite(outputs).all():
            return float("nan")
        return float(r2_score(y, outputs[:, 0] if y.ndim == 1 else outputs))

    def _encode(self, y, dtype):
        loss = "half_squared_error" if self.loss == "auto" else self.loss
        if loss not in ("half_squared_error", "squared_error"):
            raise ValueError(
                f"loss={loss!r}: expected 'auto', 'half_squared_error' or 'squared_error'"
            )
        activation = "purelin" if self.out_activation == "auto" else self.out_activation
        values = self._targets(y, dtype)
        return Targets(values, values.shape[1], loss, activation, {"_flat": y.ndim == 1})

    def _targets(self, y, dtype):
        return real_targets(y, dtype)


for _estimator in (MLPClassifier, MLPRegressor):
    _estimator.__doc__ = (_estimator.__doc__ or "") + PARAMETERS
