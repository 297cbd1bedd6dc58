"""The parameter `early_stopping`."""

import copy
import warnings

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn

X, Y = load_digits(n_class=4, return_X_y=True)
X = X / 16
OPTIONS = {"hidden_layer_sizes": (8,), "early_stopping": True, "learning_rate_init": 0.01}
OPTIONS |= {"random_state": 0, "n_iter_no_change": 3}


def test_it_ends_with_the_best_epoch(backend):
    model = fastnn.MLPClassifier(**OPTIONS).fit(X, Y)
    assert model.stop_reason_ == "validation_score"
    assert len(model.validation_scores_) == model.n_iter_ < 200
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    # The same samples, held out by scikit-learn's own function.
    rows, others = train_test_split(
        np.arange(len(Y)), test_size=0.1, random_state=0, stratify=Y.astype(int)
    )
    assert model.t_ == model.n_iter_ * len(rows)
    score = model.score(X[np.sort(others)], Y[np.sort(others)])
    assert score == pytest.approx(model.best_validation_score_)
    # More than three epochs on end were not better by tol than the best before.
    best = np.maximum.accumulate(model.validation_scores_)
    assert (best[-4:] < best[-5] + 1e-4).all()


def test_without_it_there_are_no_scores():
    model = fastnn.MLPClassifier(**{**OPTIONS, "early_stopping": False, "max_iter": 2}).fit(X, Y)
    assert model.validation_scores_ is model.best_validation_score_ is None
    assert model.best_loss_ == model.loss_curve_.min()


def test_it_is_what_the_callback_does(backend):
    """With the held-out samples given by hand, and the callback in place of the parameter."""
    rows, others = map(np.sort, train_test_split(np.arange(len(Y)), random_state=1))
    options = {**OPTIONS, "max_iter": 12}
    one = fastnn.MLPClassifier(**options).fit(
        X[rows], Y[rows], validation_data=(X[others], Y[others])
    )
    stopping = fastnn.EarlyStopping("val_accuracy", patience=100)
    options |= {"early_stopping": False, "tol": None, "max_iter": one.n_iter_}
    other = fastnn.MLPClassifier(**options).fit(
        X[rows], Y[rows], validation_data=(X[others], Y[others]), callbacks=[stopping]
    )
    assert np.array_equal(one.params_, other.params_)
    assert one.best_validation_score_ == stopping.best_


def test_in_a_search():
    model = make_pipeline(StandardScaler(), fastnn.MLPClassifier(**OPTIONS))
    search = GridSearchCV(model, {"mlpclassifier__alpha": [0, 0.1]}, cv=2).fit(X, Y)
    assert search.best_score_ > 0.9
    assert search.best_estimator_[-1].validation_scores_


def test_regression_weights_and_going_on(tmp_path):
    options = {**OPTIONS, "max_iter": 3, "warm_start": True}
    model = fastnn.MLPRegressor(**options).fit(X, Y, sample_weight=1 + Y)
    best, n = model.best_validation_score_, len(model.validation_scores_)
    model.save(tmp_path / "m")
    again = fastnn.load(tmp_path / "m")
    assert again.validation_scores_ == model.validation_scores_
    for one in (model, again):
        one.set_params(max_iter=9).fit(X, Y, sample_weight=1 + Y)
        assert len(one.validation_scores_) > n
        assert one.best_validation_score_ >= best
    assert np.array_equal(model.params_, again.params_)


def test_an_error_of_a_callback_leaves_the_best_epoch():
    class Fail:
        def on_epoch_end(self, epoch):
            if epoch.number == 6:
                raise OSError("full")

    model = fastnn.MLPClassifier(**OPTIONS)
    with pytest.raises(OSError, match="full"):
        model.fit(X, Y, callbacks=[Fail()])
    assert len(model.validation_scores_) == model.n_iter_ == 6
    assert model.best_validation_score_ == max(model.validation_scores_)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation_fraction": 1.0}, r"validation_fraction=1\.0: expected a number between 0"),
        ({"validation_fraction": 0}, "validation_fraction=0: expected a number between 0"),
        ({"validation_fraction": 1e-4}, r"validation_fraction=0\.0001: "),
        ({"early_stopping": "yes"}, "early_stopping='yes': expected True or False"),
        ({"n_iter_no_change": 0}, "n_iter_no_change=0: expected an integer of 1 or above, or inf"),
        ({"max_fun": 0}, "max_fun=0"),
        ({"verbose": -1}, "verbose=-1: expected True, False or an integer"),
        ({"class_weight": "equal"}, "class_weight='equal': expected None, 'balanced' or a dict"),
        ({"class_weight": {9: 1}}, "class_weight: 9 is not among the classes"),
        ({"class_weight": {1: -1}}, r"class_weight\[1\]=-1: expected a number of 0 or above"),
        ({"class_weight": dict.fromkeys(range(4), 0)}, "class_weight=.*finite sum above 0"),
    ],
)
def test_bad_parameters(changes, message):
    model = fastnn.MLPClassifier(**{**OPTIONS, **changes})
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y)
    assert not hasattr(model, "params_")


def test_an_error_names_the_rarest_class():
    with pytest.raises(ValueError, match="the rarest class, 'yes', has 1 of 4 samples"):
        fastnn.MLPClassifier(**OPTIONS).fit([[0], [1], [2], [3]], ["no", "no", "yes", "no"])


def test_the_warning_of_max_iter():
    model = fastnn.MLPClassifier((3,), max_iter=2)
    with pytest.warns(ConvergenceWarning, match="max_iter=2: the training has not converged yet"):
        model.fit(X, Y)
    with warnings.catch_warnings():  # who looks at each epoch knows
        warnings.simplefilter("error")
        model.fit(X, Y, callbacks=[lambda epoch: False])
    with pytest.warns(ConvergenceWarning):
        copy.copy(model).set_params(n_iter_no_change=float("inf"), tol=1e9).fit(X, Y)


def test_a_line_per_epoch(capsys):
    model = fastnn.MLPClassifier((3,), max_iter=3, tol=None, verbose=2, random_state=0).fit(X, Y)
    lines = [f"Iteration {i + 1}, loss = {loss:.8f}" for i, loss in enumerate(model.loss_curve_)]
    assert capsys.readouterr().out.splitlines() == lines
