"""Our estimators inside those of scikit-learn that take others."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, StackingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFE
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import HalvingGridSearchCV, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

import fastnn

X, Y = load_iris(return_X_y=True)
X = scale(X)
OPTIONS = {"max_iter": 40, "learning_rate_init": 0.02, "random_state": 0, "tol": None}


def network(*args, **changes):
    return fastnn.MLPClassifier(*args, **{**OPTIONS, **changes})


META = {
    "Bagging": lambda jobs: BaggingClassifier(network((5,)), 4, n_jobs=jobs, random_state=0),
    "AdaBoost": lambda jobs: AdaBoostClassifier(network((5,)), n_estimators=3, random_state=0),
    "Stacking": lambda jobs: StackingClassifier(
        [("a", network((5,))), ("b", network((), activation="tanh"))],
        LogisticRegression(),
        n_jobs=jobs,
    ),
    "Calibrated": lambda jobs: CalibratedClassifierCV(network((5,)), n_jobs=jobs),
    "RFE": lambda jobs: RFE(network(()), n_features_to_select=2),
    "HalvingGridSearch": lambda jobs: HalvingGridSearchCV(
        network(), {"hidden_layer_sizes": [(3,), (5,)]}, n_jobs=jobs, random_state=0
    ),
    "OneVsRest": lambda jobs: OneVsRestClassifier(network((5,)), n_jobs=jobs),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", META)
def test_classifiers(name):
    model = META[name](2).fit(X, Y)
    assert model.score(X, Y) > 0.85
    if name == "Bagging":
        alone = META[name](None).fit(X, Y)
        assert alone.predict_proba(X) == pytest.approx(model.predict_proba(X), rel=1e-12)


@pytest.mark.slow
def test_several_outputs():
    Z = np.stack([Y, (X[:, 0] > 0).astype(int)], axis=1)
    model = MultiOutputClassifier(network((5,)), n_jobs=2).fit(X, Z)
    assert (model.predict(X) == Z).mean() > 0.85
    X_d, y_d = load_diabetes(return_X_y=True)
    T = scale(np.stack([y_d, -y_d], axis=1))
    regressor = fastnn.MLPRegressor((5,), **OPTIONS)
    assert MultiOutputRegressor(regressor, n_jobs=2).fit(scale(X_d), T).score(scale(X_d), T) > 0.4


@pytest.mark.slow
def test_permutation_importance():
    model = network((5,)).fit(X, Y)
    found = permutation_importance(model, X, Y, n_repeats=5, n_jobs=2, random_state=0)
    assert found.importances_mean[2:].max() > found.importances_mean[:2].max()


def test_coefficients_of_one_layer():
    X_b, y_b = load_breast_cancer(return_X_y=True)
    theirs = LogisticRegression().fit(scale(X_b), y_b)
    ours = network(()).fit(scale(X_b), y_b)
    assert ours.coef_.shape == theirs.coef_.shape == (1, 30)
    assert ours.intercept_.shape == theirs.intercept_.shape
    expected = scale(X_b) @ ours.coef_.T + ours.intercept_
    assert ours.predict_proba(scale(X_b))[:, [1]] == pytest.approx(1 / (1 + np.exp(-expected)))
    assert not hasattr(network((5,)).fit(X, Y), "coef_")
    assert not hasattr(network((5,)).fit(X, Y), "intercept_")


def test_weights_are_routed():
    """To the estimator that asks for them, through a pipeline and a cross-validation."""
    weights = np.where(Y == 2, 50.0, 1.0)
    with config_context(enable_metadata_routing=True):
        model = network((3,), max_iter=5).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model)
        found = cross_validate(
            pipeline, X, Y, params={"sample_weight": weights}, cv=2, return_estimator=True
        )
        silent = network((3,), max_iter=5).set_fit_request(sample_weight=False)
        silent.set_score_request(sample_weight=False)
        plain = cross_validate(
            make_pipeline(scaler, silent),
            X,
            Y,
            params={},
            cv=2,
            return_estimator=True,
        )
    for weighted, other in zip(found["estimator"], plain["estimator"], strict=True):
        share = (weighted.predict(X) == 2).mean(), (other.predict(X) == 2).mean()
        assert share[0] > share[1]
