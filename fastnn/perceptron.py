"""The single-layer perceptron and its learning rule (the course's 1.2)."""

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import check_is_fitted

from . import backends, random
from .backends.compressed import CompressedRows
from .backends.interface import State
from .class_weights import is_balanced, with_class_weight
from .early_stopping import split
from .estimator import Estimator, named_parameters
from .fingerprint import fingerprint
from .held_out import HeldOut
from .parameters import (
    ABOVE_0,
    FLOAT64,
    check_dtype,
    check_flag,
    check_real,
    check_verbose,
    shown,
)
from .single_layer import (
    PerceptronTask,
    check_perceptron_parameters,
    classes_of,
    first_weights,
    given_weights,
    known_classes,
    known_weights,
    run,
    sign_targets,
    split_weights,
)
from .sklearn_names import compared
from .state import commit, draft_of
from .stopping import StoppingRules
from .validation import (
    check_weights,
    check_X,
    check_y,
    class_index,
    class_labels,
    counted,
)

EARLY_STOPPING_TOL = 1e-3


class _Fit(NamedTuple):
    task: PerceptronTask
    rules: StoppingRules
    held_out: tuple[Any, ...] | None  # what `HeldOut` takes beside the model
    earlier: float  # what `t_` counts on from


class Perceptron(ClassifierMixin, Estimator):
    """Single-layer perceptron, y = sign(w x) (1.1), trained until it makes no mistake.

    Two classes have one output, the larger label being 1 and the smaller -1; more classes have
    one output each. Labels within {-1, 1} need not show both.

    Parameters
    ----------
    penalty : None
        The rule has none; `alpha` and `l1_ratio` are its numbers in scikit-learn, without effect.
    eta0 : float, default 1
        Learning rate.
    online : bool, default True
        Whether to learn after each sample, w += eta0 s (t - y) x (1.2), or once per epoch from
        all samples, W += eta0 X^T S (T - Y) / sum(S). The weights s of the samples are 1 unless
        `sample_weight` or `class_weight` say otherwise.
    fit_intercept : bool, default True
        Whether to add a leading input of 1, whose weight is the bias (1.2.3).
    max_iter : int, default 1000
    tol : float or None, default None
    n_iter_no_change : int, default 5
        Stop when the best mean of max(0, -t z) over the samples, z = w x being that before an
        update, fell by less than `tol` in each of so many epochs on end; None: go on until an
        epoch makes no mistake.
    early_stopping : bool, default False
        Whether to hold out `validation_fraction` of each class, and to stop when their best
        accuracy rose by less than `tol` (None: 0.001) in each of `n_iter_no_change` epochs on end.
    validation_fraction : float, default 0.1
    shuffle : bool, default False
        Whether each online epoch takes the samples in a new random order.
    class_weight : None, dict or "balanced"
        The weight of each class's samples, 1 for those that a dict does not name; "balanced" is
        n_samples / (n_classes n), n being the samples of the class.
    weight_init : {"uniform", "zeros"}, default "uniform"
        U(0, 1) or 0.
    warm_start : bool, default False
        Whether another `fit` goes on where the last one stopped.
    random_state : None, int, Generator or RandomState
    dtype : {"float64", "float32"}, default "float64"
    record_history : bool, default False
        Whether to keep the weights after each epoch in `history_`.
    n_jobs : int or None
        No effect: the layer is trained by one thread.
    verbose : bool or int, default True
        Whether to show a progress bar on a terminal; 2 or more prints a line per epoch.

    Attributes
    ----------
    coef_ : (n_outputs, n_features)
    intercept_ : (n_outputs,)
    classes_ : (n_classes,)
    n_iter_ : int
        Epochs of the last fit that changed the weights.
    converged_ : bool
        Whether the last epoch made no mistake.
    stop_reason_ : str
        "no_mistake", "max_iter", "tol", "validation_score", "diverged", "interrupted" or
        "imported".
    t_ : float
        1 + samples seen, since the last `fit` began.
    history_ : (n_iter_, n_outputs, n_inputs)
        The weights after each epoch, the intercept first if it is fitted.
    backend_ : str
    fit_time_, data_fingerprint_ : float, and dict or None
        As `MLPClassifier` has them.

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
    stop_reason_: str
    t_: float
    history_: NDArray
    backend_: str
    fit_time_: float
    data_fingerprint_: dict[str, dict[str, Any]] | None
    n_features_in_: int
    _seed: int
    _epoch: int  # epochs that changed the weights, over all fits

    @named_parameters
    def __init__(
        self,
        *,
        penalty: None = None,
        alpha: float = 0.0001,
        l1_ratio: float = 0.15,
        eta0: float = 1.0,
        online: bool = True,
        fit_intercept: bool = True,
        max_iter: int = 1000,
        tol: float | None = None,
        n_iter_no_change: int = 5,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        shuffle: bool = False,
        class_weight: Any = None,
        weight_init: str = "uniform",
        warm_start: bool = False,
        random_state: Any = None,
        dtype: str = "float64",
        record_history: bool = False,
        n_jobs: int | None = None,
        verbose: bool | int = True,
    ):
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.eta0 = eta0
        self.online = online
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.shuffle = shuffle
        self.class_weight = class_weight
        self.weight_init = weight_init
        self.warm_start = warm_start
        self.random_state = random_state
        self.dtype = dtype
        self.record_history = record_history
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        coef_init: ArrayLike | None = None,
        intercept_init: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train on samples X (n_samples, n_features), dense or sparse, with labels y (n_samples,).

        Parameters
        ----------
        coef_init : (n_outputs, n_features), intercept_init : (n_outputs,)
            Initial weights and biases instead of random ones.
        sample_weight : (n_samples,), optional
            Factor on each sample's update, 0 or above.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described.
        KeyboardInterrupt
            After Ctrl-C, if a library such as a search called `fit`; in your own program `fit`
            returns and warns.
        """
        going_on = check_flag("warm_start", self.warm_start) and hasattr(self, "coef_")
        classes = self.classes_ if going_on else None
        draft = draft_of(self)
        fit = draft._begin(X, y, classes, sample_weight, going_on, coef_init, intercept_init)
        return self._train(draft, fit)

    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on samples X with labels y, from where the model is.

        Parameters
        ----------
        classes : (n_classes,)
            All labels, of which y may have some only; needed at the first call.
        sample_weight : (n_samples,), optional
            As in `fit`.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described.
        """
        going_on = hasattr(self, "coef_")
        known = known_classes(classes, self.classes_ if going_on else None)
        if self.early_stopping or is_balanced(self.class_weight):
            raise ValueError(
                "partial_fit sees a part of the samples only: expected early_stopping=False and "
                f"class_weight=None or a dict, got {shown(self.early_stopping)} and "
                f"{shown(self.class_weight)}"
            )
        draft = draft_of(self)
        fit = draft._begin(X, y, known, sample_weight, going_on, is_partial=True)
        return self._train(draft, fit)

    def _begin(
        self,
        X: Any,
        y: Any,
        classes: NDArray | None,
        sample_weight: Any,
        going_on: bool,
        coef_init: Any = None,
        intercept_init: Any = None,
        is_partial: bool = False,
    ) -> _Fit:
        """Check all arguments of `fit`, then set what can be set before the first epoch.

        Parameters
        ----------
        classes : (n_classes,) or None
            Those that are known already; None: those of y.
        going_on : bool
            Whether to begin with the weights that the model has.
        """
        kernels, self.backend_ = backends.kernels(), backends.get_backend()
        dtype = check_dtype(self.dtype)
        rate, rules = self._check_parameters(dtype)
        rules = StoppingRules(1) if is_partial else rules
        seed, epoch = random.seed_from(self.random_state), 0
        if going_on:  # files of earlier versions have neither
            seed, epoch = vars(self).get("_seed", seed), vars(self).get("_epoch", 0)
        sees_part = rules.max_iter == 0 or sample_weight is not None or self.early_stopping
        sees_part = sees_part or self.class_weight is not None  # 0, it may be
        X = check_X(self, X, dtype, reset=not going_on, all_finite=sees_part)
        X = X.astype(dtype, copy=False)
        y = class_labels(check_y(y, X))
        self.classes_ = classes_of(y) if classes is None else classes
        try:
            index = class_index(y, self.classes_)
        except ValueError as error:
            raise ValueError(f"{error}, the classes that are known") from None
        counts, X, y, index = counted(check_weights(sample_weight, X, dtype), X, y, index)
        self.fit_time_ = vars(self).get("fit_time_", 0.0) if going_on else 0.0
        self.data_fingerprint_ = None if is_partial else fingerprint(X, y)
        weights = with_class_weight(counts, self.class_weight, index, self.classes_, dtype)
        held_out = None
        if self.early_stopping:
            training, others = split(len(X), self.validation_fraction, seed, index)
            counts = None if counts is None else counts[others]
            tol = EARLY_STOPPING_TOL if rules.tol is None else rules.tol
            labels = self.classes_[index[others]]
            rows = X[others].tocsr() if isinstance(X, CompressedRows) else X[others]
            held_out = (rows, labels, counts), tol, self.n_iter_no_change
            rules = rules._replace(tol=None)
            weights = None if weights is None else weights[training]
            X, index = X[training], index[training]
        weights, X, index = counted(weights, X, index)
        targets = sign_targets(index, len(self.classes_), dtype)
        shape = X.shape[1], targets.shape[1]
        if going_on:
            start = known_weights(self, self.fit_intercept, dtype)
        else:
            start = first_weights(*shape, self.fit_intercept, self.weight_init, seed, dtype)
        start = given_weights(start, shape[0], coef_init, intercept_init)
        task = PerceptronTask(
            kernels,
            X,
            targets,
            weights,
            State(start, np.empty((0, 0)), epoch=epoch),
            rate,
            online=bool(self.online),
            shuffle=bool(self.shuffle),
            seed=seed,
            record_history=bool(self.record_history),
        )
        earlier = vars(self).get("t_", 1.0) if is_partial else 1.0
        self._seed = seed
        self._commit(task, earlier, "interrupted")
        return _Fit(task, rules, held_out, earlier)

    def _check_parameters(self, dtype: np.dtype) -> tuple[float, StoppingRules]:
        """Return the learning rate and the stopping rules; ValueError for a wrong parameter."""
        for name in ("online", "fit_intercept", "shuffle", "record_history", "early_stopping"):
            check_flag(name, getattr(self, name))
        check_flag("warm_start", self.warm_start)
        check_verbose(self.verbose)
        check_perceptron_parameters(vars(self))
        names = "max_iter", "tol", "n_iter_no_change"
        rules = StoppingRules(**{name: getattr(self, name) for name in names}).check()
        # scikit-learn's perceptron stops after so many epochs, its networks after one more.
        rules = rules._replace(n_iter_no_change=rules.n_iter_no_change - 1)
        return check_real("eta0", self.eta0, ABOVE_0, dtype), rules

    def _train(self, draft: "Perceptron", fit: _Fit) -> Self:
        """Become what a draft is, and train."""

        def record(state: State, losses: NDArray[np.float64], reason: str) -> None:
            self._commit(fit.task, fit.earlier, reason)

        observer = None if fit.held_out is None else HeldOut(self, *fit.held_out)
        run(self, draft, fit.task, fit.rules, record, observer)
        return self

    def _commit(self, task: PerceptronTask, earlier: float, reason: str) -> None:
        """Take down, in one step, how far a fit has come."""
        coef, intercept = split_weights(task.state.params, self.fit_intercept)
        has_converged = reason == "no_mistake"
        reached = {"history_": task.history.transpose(0, 2, 1)} if self.record_history else {}
        commit(
            self,
            coef_=coef,
            intercept_=intercept,
            n_iter_=task.n_epochs,
            converged_=has_converged,
            stop_reason_=reason,
            t_=float(earlier + (task.n_epochs + has_converged) * task.n_samples),
            _epoch=task.state.epoch,
            **reached,
        )

    def decision_function(self, X: ArrayLike) -> NDArray:
        """Return w x for each sample, (n_samples,) for two classes, else (n_samples, n_classes)."""
        check_is_fitted(self, "coef_")
        inputs = check_X(self, X, self.coef_.dtype, reset=False)
        z = inputs @ self.coef_.T + self.intercept_
        return z[:, 0] if z.shape[1] == 1 else z

    def predict(self, X: ArrayLike) -> NDArray:
        """Return the class of each sample: where w x > 0 the larger one, or that of largest w x."""
        z = self.decision_function(X)
        return self.classes_[(z > 0).astype(int) if z.ndim == 1 else z.argmax(axis=1)]

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Return the accuracy on samples X with labels y."""
        predicted = self.predict(X)
        y = class_labels(check_y(y, predicted))
        weights = check_weights(sample_weight, predicted, FLOAT64)
        return float(accuracy_score(y, predicted, sample_weight=weights))


Perceptron.__doc__ = (Perceptron.__doc__ or "") + compared("Perceptron")
