"""scikit-learn's searches, with candidates and folds trained together: how, `turns` says."""

from typing import Any, Self

from joblib import parallel_config
from numpy.typing import ArrayLike
from sklearn import model_selection
from sklearn.base import is_classifier

from .parameters import is_integer
from .turns import Running, has_callbacks, network_in


class TrainsTogether:
    """What the searches share; it comes before the class of scikit-learn's."""

    def fit(self, X: ArrayLike, y: ArrayLike | None = None, **params: Any) -> Self:
        """Run the search, and fit the best candidate on all samples.

        Parameters
        ----------
        X : (n_samples, n_features)
        y : (n_samples,) or (n_samples, n_outputs)
        **params
            Of the estimator's `fit`, of the scorer and of the splitter (`groups`), as for
            scikit-learn's search.

        Raises
        ------
        ValueError
            As scikit-learn's search: a wrong argument, no candidates, no fit that succeeds.
        NoWorkersError
            If `joblib.parallel_config` names workers that cannot be reached; a RuntimeError.
        KeyboardInterrupt
            After Ctrl-C.
        """
        search: Any = self
        base: Any = super()
        if network_in(search.estimator)[1] is None or has_callbacks(search):
            return base.fit(X, y, **params)
        given = {name: getattr(self, name) for name in ("estimator", "cv", "n_jobs")}
        running = Running(search, params)
        try:
            # Checked here, so that a generator of splits is read once.
            search.cv = model_selection.check_cv(
                search.cv, y, classifier=is_classifier(search.estimator)
            )
            if search.n_jobs is None or is_integer(search.n_jobs):
                search.n_jobs = 1  # the networks have threads
            search._run_search = running.around(search._run_search)
            # What is left to scikit-learn is done here, in turn; workers train the networks.
            with parallel_config("sequential"), running.estimator() as search.estimator:
                return base.fit(X, y, **params)
        finally:
            vars(self).update(given)
            vars(self).pop("_run_search", None)


class GridSearchCV(TrainsTogether, model_selection.GridSearchCV):
    """scikit-learn's `GridSearchCV`, faster for networks of fastnn.

    Parameters, attributes and results are scikit-learn's. If the estimator is an `MLPClassifier`
    or `MLPRegressor` of fastnn, or a pipeline that ends in one, candidates and folds are trained
    together, as `train_many` does, where their networks are of the same shape. What comes before
    the network in a pipeline is fitted once for each fold and each set of its own parameters.
    Any other estimator has scikit-learn's search.

    Parameters
    ----------
    estimator, param_grid, scoring, refit, cv, verbose, pre_dispatch, error_score, \
return_train_score
        As for scikit-learn's. `verbose=2` prints the time of those trained together with the first
        of them.
    n_jobs : int or None
        For other estimators only. Networks are trained, and scored, in this process: their own
        `n_jobs` says how many threads they take.

    Attributes
    ----------
    cv_results_ : dict of arrays
        "mean_fit_time" is a fit's share, an even one, of the time of all that were trained with it.
    best_estimator_, best_params_, best_score_, best_index_, scorer_, n_splits_, refit_time_, \
multimetric_
        As scikit-learn's.

    Notes
    -----
    With callbacks of scikit-learn's, on the search, a pipeline or a network, each network is
    trained alone: they are to see every epoch. The same holds for a network whose `fit` gets more
    than `sample_weight`.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), "tanh", max_iter=200, tol=None, random_state=0)
    >>> search = fastnn.GridSearchCV(
    ...     model, {"learning_rate_init": [1e-6, 0.05]}, cv=[(range(4), range(4))]
    ... )
    >>> search.fit(X, y).best_params_
    {'learning_rate_init': 0.05}
    """


class RandomizedSearchCV(TrainsTogether, model_selection.RandomizedSearchCV):
    """scikit-learn's `RandomizedSearchCV`, faster for networks of fastnn.

    Parameters, attributes and results are scikit-learn's; what differs is what `GridSearchCV` says.

    Parameters
    ----------
    estimator, param_distributions, n_iter, scoring, n_jobs, refit, cv, verbose, pre_dispatch, \
random_state, error_score, return_train_score
        As for `GridSearchCV` and for scikit-learn's.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.MLPClassifier((8,), max_iter=2, tol=None, random_state=0)
    >>> values = {"learning_rate_init": [1e-6, 0.01], "alpha": [0, 1]}
    >>> search = fastnn.RandomizedSearchCV(model, values, n_iter=3, cv=2, random_state=0)
    >>> len(search.fit(X, y).cv_results_["params"])
    3
    """
