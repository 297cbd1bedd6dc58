"""The linear network and the delta rule of Widrow and Hoff (the course's 1.3)."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from . import backends, random
from .backends.interface import State
from .estimator import Estimator, named_parameters
from .fingerprint import fingerprint
from .parameters import (
    ABOVE_0,
    FLOAT64,
    check_dtype,
    check_flag,
    check_real,
    check_verbose,
)
from .single_layer import (
    SingleLayerTask,
    first_weights,
    given_weights,
    known_weights,
    run,
    split_weights,
)
from .state import commit, draft_of
from .stopping import StoppingRules
from .training import LossCurve
from .validation import check_weights, check_X, check_y, counted, real_targets


class LinearNetwork(RegressorMixin, Estimator):
    """Linear network, y = w x (1.5), trained by the delta rule.

    Parameters
    ----------
    eta0 : float, default 0.1
        Learning rate.
    online : bool, default False
        Whether to learn after each sample, w += eta0 s (t - y) x, or once per epoch from all
        samples, W += eta0 X^T S (T - Y) / sum(S), s being their weights, 1 if there are none.
    fit_intercept : bool, default True
        Whether to add a leading input of 1, whose weight is the bias (1.2.3).
    max_iter, tol, n_iter_no_change, loss_threshold, weight_threshold
        Stopping rules: see `fastnn.stopping.StoppingRules`.
    shuffle : bool, default False
        Whether each online epoch takes the samples in a new random order.
    weight_init : {"uniform", "zeros"}, default "uniform"
        U(0, 1) or 0.
    warm_start : bool, default False
        Whether another `fit` goes on where the last one stopped.
    random_state : None, int, Generator or RandomState
    dtype : {"float64", "float32"}, default "float64"
    verbose : bool or int, default True
        Whether to show a progress bar on a terminal; 2 or more prints a line per epoch.

    Attributes
    ----------
    coef_ : (n_features,) or (n_outputs, n_features)
    intercept_ : float or (n_outputs,)
    loss_curve_ : (n_epochs,) of float64
        sum S (T - Y)^2 / 2 sum(S) (2.2) of each epoch, with the Y that its updates used: of all
        fits since the model began afresh.
    loss_ : float
    n_iter_ : int
        Epochs of the last fit.
    stop_reason_ : str
        "max_iter", "tol", "loss_threshold", "weight_threshold", "diverged" or "interrupted".
    backend_ : str
    fit_time_, data_fingerprint_ : float, and dict or None
        As `MLPClassifier` has them.

    Examples
    --------
    >>> import fastnn
    >>> model = fastnn.LinearNetwork(tol=1e-12, random_state=0)
    >>> model = model.fit([[0], [1], [2]], [1, 3, 5])
    >>> print(f"{model.coef_[0]:.2f} {model.intercept_:.2f}")
    2.00 1.00
    """

    coef_: NDArray
    intercept_: NDArray
    loss_curve_: NDArray[np.float64]
    loss_: float
    n_iter_: int
    stop_reason_: str
    backend_: str
    fit_time_: float
    data_fingerprint_: dict[str, dict[str, Any]] | None
    n_features_in_: int
    _seed: int

    @named_parameters
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
        warm_start: bool = False,
        random_state: Any = None,
        dtype: str = "float64",
        verbose: bool | int = True,
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
        self.warm_start = warm_start
        self.random_state = random_state
        self.dtype = dtype
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train on samples X (n_samples, n_features), dense or sparse, with real targets y.

        Parameters
        ----------
        y : (n_samples,) or (n_samples, n_outputs)
        coef_init : (n_outputs, n_features), intercept_init : (n_outputs,)
            Initial weights and biases instead of random ones.
        sample_weight : (n_samples,), optional
            Factor on each sample's update, 0 or above.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described.
        """
        going_on = check_flag("warm_start", self.warm_start) and hasattr(self, "coef_")
        draft = draft_of(self)
        begun = draft._begin(X, y, sample_weight, going_on, coef_init, intercept_init)
        return self._train(draft, *begun)

    def partial_fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> Self:
        """Train for one epoch on samples X with real targets y, from where the model is.

        Parameters
        ----------
        sample_weight : (n_samples,), optional
            As in `fit`.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described.
        """
        draft = draft_of(self)
        going_on = hasattr(self, "coef_")
        task, _, is_flat = draft._begin(X, y, sample_weight, going_on, is_partial=True)
        return self._train(draft, task, StoppingRules(1), is_flat)

    def _begin(
        self,
        X: Any,
        y: Any,
        sample_weight: Any,
        going_on: bool,
        coef_init: Any = None,
        intercept_init: Any = None,
        is_partial: bool = False,
    ) -> tuple[SingleLayerTask, StoppingRules, bool]:
        """Check all arguments of `fit`, then set what can be set before the first epoch.

        With `going_on` it begins with the weights that the model has.
        """
        kernels, self.backend_ = backends.kernels(), backends.get_backend()
        dtype = check_dtype(self.dtype)
        rate = check_real("eta0", self.eta0, ABOVE_0, dtype)
        for name in ("online", "fit_intercept", "shuffle", "warm_start"):
            check_flag(name, getattr(self, name))
        check_verbose(self.verbose)
        rules = StoppingRules.of(self)
        seed, epoch = random.seed_from(self.random_state), 0
        if going_on:  # files of earlier versions have no seed
            seed, epoch = vars(self).get("_seed", seed), len(self.loss_curve_)
        sees_part = rules.max_iter == 0 or sample_weight is not None
        X = check_X(self, X, dtype, reset=not going_on, all_finite=sees_part)
        X = X.astype(dtype, copy=False)
        y = check_y(y, X)
        targets, is_flat = real_targets(y, dtype), y.ndim == 1
        weights, X, y, targets = counted(check_weights(sample_weight, X, dtype), X, y, targets)
        self.fit_time_ = vars(self).get("fit_time_", 0.0) if going_on else 0.0
        self.data_fingerprint_ = None if is_partial else fingerprint(X, y)
        if going_on:
            start = known_weights(self, self.fit_intercept, dtype)
            if targets.shape[1] != start.shape[1]:
                raise ValueError(
                    f"y: {targets.shape[1]} outputs; expected {start.shape[1]}, as in the first fit"
                )
        else:
            self.loss_curve_ = np.empty(0)
            shape = X.shape[1], targets.shape[1]
            start = first_weights(*shape, self.fit_intercept, self.weight_init, seed, dtype)
        start = given_weights(start, X.shape[1], coef_init, intercept_init)
        task = SingleLayerTask(
            kernels,
            X,
            targets,
            weights,
            State(start, np.empty((0, 0)), epoch=epoch),
            rate,
            online=bool(self.online),
            shuffle=bool(self.shuffle),
            seed=seed,
        )
        self._seed = seed
        self._commit(start, is_flat, self.loss_curve_, 0, "interrupted")
        return task, rules, is_flat

    def _train(
        self, draft: "LinearNetwork", task: SingleLayerTask, rules: StoppingRules, is_flat: bool
    ) -> Self:
        """Become what a draft is, and train."""
        curve, first = LossCurve(draft.loss_curve_), task.state.epoch

        def record(state: State, losses: NDArray[np.float64], reason: str) -> None:
            n_iter = state.epoch - first
            self._commit(state.params, is_flat, curve.extended(losses), n_iter, reason)

        run(self, draft, task, rules, record)
        return self

    def _commit(
        self, weights: NDArray, is_flat: bool, curve: NDArray, n_iter: int, reason: str
    ) -> None:
        """Take down, in one step, how far a fit has come."""
        coef, intercept = split_weights(weights, self.fit_intercept)
        commit(
            self,
            coef_=coef[0] if is_flat else coef,
            intercept_=intercept[0] if is_flat else intercept,
            loss_curve_=curve,
            loss_=float(curve[-1]) if len(curve) else np.inf,
            n_iter_=n_iter,
            stop_reason_=reason,
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def predict(self, X: ArrayLike) -> NDArray:
        """Return w x for each sample, (n_samples,) or (n_samples, n_outputs)."""
        check_is_fitted(self, "coef_")
        inputs = check_X(self, X, self.coef_.dtype, reset=False)
        return inputs @ self.coef_.T + self.intercept_

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the score R^2 on samples X with targets y."""
        predicted = self.predict(X)
        y = check_y(y, predicted)
        real_targets(y, self.coef_.dtype)  # raises
        weights = check_weights(sample_weight, predicted, FLOAT64)
        return float(r2_score(y, predicted, sample_weight=weights))
