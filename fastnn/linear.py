"""The linear network and the delta rule of Widrow and Hoff (the course's 1.3)."""

from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from . import backends, random
from .backends.interface import State
from .estimator import Estimator
from .parameters import ABOVE_0, check_choice, check_dtype, check_flag, check_real
from .persistence import save
from .state import adopt, commit, draft_of, end_interrupted, interrupted_after
from .training import LinearTask, LossCurve, StoppingRules, train
from .validation import as_reals, check_X, check_y, real_targets


class LinearNetwork(RegressorMixin, Estimator):
    """Linear network, y = w x (1.5), trained by the delta rule.

    Parameters
    ----------
    eta0 : float, default 0.1
        Learning rate.
    online : bool, default False
        Whether to learn after each sample, w += eta0 (t - y) x, or once per epoch from all N
        samples, W += eta0 X^T (T - Y) / N.
    fit_intercept : bool, default True
        Whether to add a leading input of 1, whose weight is the bias (1.2.3).
    max_iter, tol, n_iter_no_change, loss_threshold, weight_threshold
        Stopping rules: see `fastnn.training.StoppingRules`.
    shuffle : bool, default False
        Whether each online epoch takes the samples in a new random order.
    weight_init : {"uniform", "zeros"}, default "uniform"
        U(0, 1) or 0.
    random_state : None, int, Generator or RandomState
    dtype : {"float64", "float32"}, default "float64"
    verbose : bool, default True
        Whether to show a progress bar on a terminal.

    Attributes
    ----------
    coef_ : (n_features,) or (n_outputs, n_features)
    intercept_ : float or (n_outputs,)
    loss_curve_ : (n_epochs,) of float64
        sum (T - Y)^2 / 2N (2.2) of each epoch, with the Y that its updates used.
    loss_ : float
    n_iter_ : int
    stop_reason_ : str
        See `fastnn.training.train`.
    backend_ : str
    """

    coef_: NDArray
    intercept_: NDArray
    loss_curve_: NDArray[np.float64]
    loss_: float
    n_iter_: int
    stop_reason_: str
    backend_: str
    n_features_in_: int

    def __init__(
        self,
        *,
        eta0: float = 0.1,
        online: bool = False,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = None,
        n_iter_no_change: int = 10,
        loss_threshold: float | None = None,
        weight_threshold: float | None = None,
        shuffle: bool = False,
        weight_init: str = "uniform",
        random_state: Any = None,
        dtype: str = "float64",
        verbose: bool = True,
    ):
        self.eta0 = eta0
        self.online = online
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.loss_threshold = loss_threshold
        self.weight_threshold = weight_threshold
        self.shuffle = shuffle
        self.weight_init = weight_init
        self.random_state = random_state
        self.dtype = dtype
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
    ) -> Self:
        """Train on samples X (n_samples, n_features) with real targets y.

        Parameters
        ----------
        y : (n_samples,) or (n_samples, n_outputs)
        coef_init : (n_outputs, n_features), intercept_init : (n_outputs,)
            Initial weights and biases instead of random ones.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described.
        """
        draft = draft_of(self)
        task, rules, is_flat = draft._begin(X, y, coef_init, intercept_init)
        adopt(self, draft)
        curve = LossCurve(np.empty(0))

        def record(state: State, losses: NDArray[np.float64], reason: str) -> None:
            self._commit(state.params, is_flat, curve.extended(losses), reason)

        try:
            train(task, rules, record, self.verbose)
        except KeyboardInterrupt:
            end_interrupted(interrupted_after(self.n_iter_))
        return self

    def _begin(self, X, y, coef_init, intercept_init) -> tuple[LinearTask, StoppingRules, bool]:
        """Check all arguments of `fit`, then set what can be set before the first epoch."""
        kernels, self.backend_ = backends.kernels(), backends.get_backend()
        dtype = check_dtype(self.dtype)
        rate = check_real("eta0", self.eta0, ABOVE_0, dtype)
        for name in ("online", "fit_intercept", "shuffle", "verbose"):
            check_flag(name, getattr(self, name))
        rules = StoppingRules.of(self)
        seed = random.seed_from(self.random_state)
        X = check_X(self, X, dtype, reset=True).astype(dtype, copy=False)
        y = check_y(y, X)
        targets, is_flat = real_targets(y, dtype), y.ndim == 1
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
        task = LinearTask(
            kernels,
            X,
            targets,
            State(weights, np.empty((0, 0))),
            learning_rate=rate,
            online=bool(self.online),
            shuffle=bool(self.shuffle and self.online),
            seed=seed,
        )
        self._commit(weights, is_flat, np.empty(0), "interrupted")
        return task, rules, is_flat

    def _commit(self, weights: NDArray, is_flat: bool, curve: NDArray, reason: str) -> None:
        """Take down, in one step, how far a fit has come."""
        coef, intercept = split_weights(weights, self.fit_intercept)
        commit(
            self,
            coef_=coef[0] if is_flat else coef,
            intercept_=intercept[0] if is_flat else intercept,
            loss_curve_=curve,
            loss_=float(curve[-1]) if len(curve) else np.inf,
            n_iter_=len(curve),
            stop_reason_=reason,
        )

    def save(self, path: str | Path) -> None:
        """Write the fitted estimator to a file: see `fastnn.load`."""
        save(self, path)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: ArrayLike) -> NDArray:
        """Return w x for each sample, (n_samples,) or (n_samples, n_outputs)."""
        check_is_fitted(self, "coef_")
        X = check_X(self, X, self.coef_.dtype, reset=False)
        return X @ self.coef_.T + self.intercept_

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score R^2 on samples X with targets y."""
        predicted = self.predict(X)
        y = check_y(y, predicted)
        real_targets(y, self.coef_.dtype)  # raises
        return float(r2_score(y, predicted, sample_weight=sample_weight))


def split_weights(weights: NDArray, fit_intercept: bool) -> tuple[NDArray, NDArray]:
    """Return coefficients (n_outputs, n_features) and intercepts (n_outputs,)."""
    if fit_intercept:
        return weights[1:].T, weights[0]
    return weights.T, np.zeros(weights.shape[1], weights.dtype)


def first_weights(
    n_features: int,
    n_outputs: int,
    fit_intercept: bool,
    weight_init: str,
    seed: int,
    dtype: np.dtype,
    coef_init: ArrayLike | None,
    intercept_init: ArrayLike | None,
) -> NDArray:
    """Return initial weights (n_inputs, n_outputs), the bias first; ValueError if they don't fit.

    Parameters
    ----------
    coef_init : (n_outputs, n_features) or, for one output, (n_features,)
    intercept_init : (n_outputs,) or a number
    """
    check_choice("weight_init", weight_init, ("uniform", "zeros"))
    n_inputs = n_features + bool(fit_intercept)
    weights = np.zeros((n_inputs, n_outputs), dtype)
    if weight_init == "uniform":
        weights[:] = random.uniform(n_inputs * n_outputs, seed).reshape(n_inputs, n_outputs)
    if coef_init is not None:
        shape = (n_outputs, n_features)
        weights[n_inputs - n_features :] = _given("coef_init", coef_init, shape, dtype).T
    if intercept_init is not None:
        if not fit_intercept:
            raise ValueError("intercept_init: expected None, since fit_intercept is False")
        weights[0] = _given("intercept_init", intercept_init, (n_outputs,), dtype)
    return weights


def _given(name: str, values: ArrayLike, shape: tuple[int, ...], dtype: np.dtype) -> NDArray:
    array = as_reals(name, values, dtype)
    if array.size != np.prod(shape) or array.shape[-1:] not in ((), shape[-1:]):
        raise ValueError(f"{name}: expected shape {shape}, got {array.shape}")
    return array.reshape(shape)
