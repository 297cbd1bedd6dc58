"""The single-layer perceptron and its learning rule (the course's 1.2)."""

import time
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from . import backends, random
from .estimator import Estimator
from .linear import first_weights, split_weights
from .parameters import ABOVE_0, check_dtype, check_flag, check_real, shown
from .persistence import save
from .progress import progress_bar
from .state import adopt, commit, draft_of, end_interrupted, interrupted_after
from .training import CALL_SECONDS, StoppingRules, sample_orders
from .validation import check_X, check_y, class_index, class_labels, target_columns


class _Task(NamedTuple):
    kernels: Any
    X: NDArray
    targets: NDArray
    weights: NDArray
    seed: int


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

    coef_: NDArray
    intercept_: NDArray
    classes_: NDArray
    n_iter_: int
    converged_: bool
    history_: NDArray
    backend_: str
    n_features_in_: int

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
    ) -> Self:
        """Train on samples X (n_samples, n_features) with labels y (n_samples,).

        Parameters
        ----------
        coef_init : (n_outputs, n_features), intercept_init : (n_outputs,)
            Initial weights and biases instead of random ones.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described.
        KeyboardInterrupt
            After Ctrl-C, if a library such as a search called `fit`; in your own program `fit`
            returns and warns.
        """
        draft = draft_of(self)
        task = draft._begin(X, y, coef_init, intercept_init)
        adopt(self, draft)
        try:
            self._train(task)
        except KeyboardInterrupt:
            end_interrupted(interrupted_after(self.n_iter_))
        return self

    def _begin(self, X, y, coef_init, intercept_init) -> "_Task":
        """Check all arguments of `fit`, then set what can be set before the first epoch."""
        kernels, self.backend_ = backends.kernels(), backends.get_backend()
        dtype = check_dtype(self.dtype)
        check_real("eta0", self.eta0, ABOVE_0, dtype)
        for name in ("online", "fit_intercept", "shuffle", "record_history", "verbose"):
            check_flag(name, getattr(self, name))
        StoppingRules(self.max_iter).check()
        seed = random.seed_from(self.random_state)
        X = check_X(self, X, dtype, reset=True).astype(dtype, copy=False)
        self.classes_, targets = _sign_targets(class_labels(check_y(y, X)), dtype)
        weights = first_weights(
            X.shape[1],
            targets.shape[1],
            self.fit_intercept,
            self.weight_init,
            seed,
            dtype,
            coef_init,
            intercept_init,
        )
        self._commit(weights, 0, False, [])
        return _Task(kernels, X, targets, weights, seed)

    def _train(self, task: "_Task") -> None:
        """Train in calls of about CALL_SECONDS, so that Ctrl-C is heard."""
        kernels, X, targets, weights, seed = task
        n, block = len(X), 1
        max_iter, rate, online = int(self.max_iter), float(self.eta0), bool(self.online)
        records: list[NDArray] = []
        with progress_bar(max_iter * n, self.verbose) as progress:
            while self.n_iter_ < max_iter and not self.converged_:
                block = min(block, max_iter - self.n_iter_)
                order = sample_orders(n, self.shuffle and online, seed, self.n_iter_, block)
                history = np.empty((block * self.record_history, *weights.shape), X.dtype)
                weights, begin = weights.copy(), time.perf_counter()
                epochs = kernels.perceptron_train(
                    X, targets, weights, rate, block, order, online, history
                )
                seconds = time.perf_counter() - begin
                records.append(history[:epochs])
                self._commit(weights, self.n_iter_ + epochs, epochs < block, records)
                progress.update(block * n)
                # Double until a call is long enough; orders of at most a million indices.
                if seconds < CALL_SECONDS and block * n < 1_000_000:
                    block *= 2

    def _commit(self, weights: NDArray, n_iter: int, converged: bool, records: list) -> None:
        """Take down, in one step, how far a fit has come."""
        coef, intercept = split_weights(weights, self.fit_intercept)
        reached = {"coef_": coef, "intercept_": intercept, "n_iter_": n_iter}
        if self.record_history:
            history = np.concatenate([np.empty((0, *weights.shape), weights.dtype), *records])
            reached["history_"] = history.transpose(0, 2, 1)
        commit(self, converged_=converged, **reached)

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

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy on samples X with labels y."""
        predicted = self.predict(X)
        y = class_labels(check_y(y, predicted))
        return float(accuracy_score(y, predicted, sample_weight=sample_weight))


def _sign_targets(y: NDArray, dtype: np.dtype) -> tuple[NDArray, NDArray]:
    """Return the classes and the targets, -1 or 1, (n_samples, n_outputs)."""
    classes = np.unique(y)
    if classes.dtype.kind in "if" and np.isin(classes, (-1, 1)).all():
        classes = np.array([-1, 1], classes.dtype)
    if len(classes) < 2:
        raise ValueError(
            f"y: found 1 class, {shown(classes[0])}; expected 2 classes or more, or labels -1 and 1"
        )
    if len(classes) == 2:
        return classes, np.where(y == classes[1], dtype.type(1), dtype.type(-1))[:, np.newaxis]
    targets = target_columns(len(y), len(classes), -1, dtype)
    targets[np.arange(len(y)), class_index(y, classes)] = 1
    return classes, targets
