"""The single-layer perceptron and its learning rule (the course's 1.2)."""

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from . import backends, random
from .estimator import Estimator
from .linear import first_weights
from .persistence import save
from .training import CALL_SECONDS, StoppingRules, progress_bar, sample_orders
from .validation import check_dtype, check_positive, check_X, check_y


class Perceptron(ClassifierMixin, Estimator):
    """Single-layer perceptron, y = sign(w x) (1.1), trained until it makes no mistake.

    Two classes have one output, the larger label being 1 and the smaller -1; more classes have
    one output each. Labels within {-1, 1} need not show both.

    Parameters
    ----------
    eta0 : float, default 1
        Learning rate.
    online : bool, default True
        Whether to learn after each sample, w += eta0 (t - y) x (1.2), or once per epoch from
        all N samples, W += eta0 X^T (T - Y) / N.
    fit_intercept : bool, default True
        Whether to add a leading input of 1, whose weight is the bias (1.2.3).
    max_iter : int, default 1000
    shuffle : bool, default False
        Whether each online epoch takes the samples in a new random order.
    weight_init : {"uniform", "zeros"}, default "uniform"
        U(0, 1) or 0.
    random_state : None, int, Generator or RandomState
    dtype : {"float64", "float32"}, default "float64"
    record_history : bool, default False
        Whether to keep the weights after each epoch in `history_`.
    verbose : bool, default True
        Whether to show a progress bar on a terminal.

    Attributes
    ----------
    coef_ : (n_outputs, n_features)
    intercept_ : (n_outputs,)
    classes_ : (n_classes,)
    n_iter_ : int
        Epochs that changed the weights.
    converged_ : bool
        Whether the last epoch made no mistake.
    history_ : (n_iter_, n_outputs, n_inputs)
        The weights after each epoch, the intercept first if it is fitted.
    backend_ : str

    Examples
    --------
    >>> import fastnn
    >>> X, y = [[3, 3], [4, 3], [1, 1], [2, 1]], [1, 1, -1, -1]
    >>> fastnn.Perceptron(random_state=0).fit(X, y).predict(X).tolist()
    [1, 1, -1, -1]
    """

    def __init__(
        self,
        *,
        eta0: float = 1.0,
        online: bool = True,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        shuffle: bool = False,
        weight_init: str = "uniform",
        random_state: Any = None,
        dtype: str = "float64",
        record_history: bool = False,
        verbose: bool = True,
    ):
        self.eta0 = eta0
        self.online = online
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.weight_init = weight_init
        self.random_state = random_state
        self.dtype = dtype
        self.record_history = record_history
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
    ) -> "Perceptron":
        """Train on samples X (n_samples, n_features) with labels y (n_samples,).

        Parameters
        ----------
        coef_init : (n_outputs, n_features), intercept_init : (n_outputs,)
            Initial weights and biases instead of random ones.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described.
        """
        kernels, backend = backends.kernels(), backends.get_backend()
        dtype = check_dtype(self.dtype)
        check_positive("eta0", self.eta0)
        StoppingRules(self.max_iter).check()
        seed = random.seed_from(self.random_state)
        X = check_X(self, X, dtype, reset=True).astype(dtype, copy=False)
        y = column_or_1d(check_y(y, X), warn=True)
        classes, targets = _sign_targets(y, dtype)
        weights = first_weights(
            *(X.shape[1], targets.shape[1], self.fit_intercept, self.weight_init, seed, dtype),
            *(coef_init, intercept_init),
        )
        history = self._run(kernels, X, targets, weights, seed)
        self.classes_, self.backend_ = classes, backend
        if self.record_history:
            self.history_ = history.transpose(0, 2, 1)
        self.intercept_ = weights[0] if self.fit_intercept else np.zeros(targets.shape[1], dtype)
        self.coef_ = weights[1:].T if self.fit_intercept else weights.T
        return self

    def _run(self, kernels, X, targets, weights, seed) -> NDArray:
        """Train in calls of about CALL_SECONDS, so that Ctrl-C is heard; return the history."""
        n, block, self.n_iter_, self.converged_ = len(X), 1, 0, False
        records = []
        with progress_bar(self.max_iter * n, self.verbose) as progress:
            try:
                while self.n_iter_ < self.max_iter and not self.converged_:
                    block = min(block, self.max_iter - self.n_iter_)
                    order = sample_orders(
                        n, self.shuffle and self.online, seed, self.n_iter_, block
                    )
                    history = np.empty((block * self.record_history, *weights.shape), X.dtype)
                    begin = time.perf_counter()
                    epochs = kernels.perceptron_train(
                        *(X, targets, weights, self.eta0, block, order, self.online, history)
                    )
                    seconds = time.perf_counter() - begin
                    records.append(history[:epochs])
                    self.n_iter_ += epochs
                    self.converged_ = epochs < block
                    progress.update(block * n)
                    # Double until a call is long enough; orders of at most a million indices.
                    if seconds < CALL_SECONDS and block * n < 1_000_000:
                        block *= 2
            except KeyboardInterrupt:
                warnings.warn(
                    f"training was interrupted after {self.n_iter_} epochs; the model keeps what "
                    "it has learned",
                    stacklevel=3,
                )
        return np.concatenate(records) if records else np.empty((0, *weights.shape))

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to a file: see `fastnn.load`."""
        save(self, path)

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return w x for each sample, (n_samples,) for two classes, else (n_samples, n_classes)."""
        check_is_fitted(self, "coef_")
        X = check_X(self, X, self.coef_.dtype, reset=False)
        z = X @ self.coef_.T + self.intercept_
        return z[:, 0] if z.shape[1] == 1 else z

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class of each sample: where w x > 0 the larger one, or that of largest w x."""
        z = self.decision_function(X)
        return self.classes_[(z > 0).astype(int) if z.ndim == 1 else z.argmax(axis=1)]


def _sign_targets(y: Any, dtype: np.dtype) -> tuple[NDArray, NDArray]:
    """Return the classes and the targets, -1 or 1, (n_samples, n_outputs)."""
    if y.dtype.kind not in "biu":  # of integers it finds nothing, and takes longer than an epoch
        check_classification_targets(y)
    classes = np.unique(y)
    if classes.dtype.kind in "if" and np.isin(classes, (-1, 1)).all():
        classes = np.array([-1, 1], classes.dtype)
    if len(classes) < 2:
        raise ValueError(
            f"y: found 1 class, {classes[0]!r}; expected 2 classes or more, or labels -1 and 1"
        )
    columns = classes[1:] if len(classes) == 2 else classes
    return classes, np.where(y[:, np.newaxis] == columns, 1, -1).astype(dtype)
