"""Samples that count more or less than others."""

import numpy as np
import pytest

import fastnn

# Plain gradient descent on all samples: a sample of weight 2 is as if it were there twice.
FULL = {"solver": "sgd", "momentum": 0, "batch_size": "full", "shuffle": False, "max_iter": 30}
FULL |= {"tol": None, "random_state": 0, "learning_rate_init": 0.5}


@pytest.fixture
def data(rng):
    X = rng.normal(size=(40, 4))
    return X, X[:, :3].argmax(axis=1), rng.integers(0, 4, 40)


@pytest.mark.parametrize("kind", ["two classes", "three classes", "regression"])
@pytest.mark.parametrize("alpha", [0, 0.5])
def test_a_weight_is_a_number_of_copies(backend, data, kind, alpha):
    X, y, weights = data
    y = y > 0 if kind == "two classes" else y
    estimator = fastnn.MLPRegressor if kind == "regression" else fastnn.MLPClassifier
    one, other = (estimator((5,), "tanh", alpha=alpha, **FULL) for _ in range(2))
    copies = np.repeat(np.arange(40), weights)
    one.fit(X, y, sample_weight=weights)
    other.fit(X[copies], y[copies])
    assert np.abs(one.params_ - other.params_).max() < 1e-12
    assert np.abs(one.loss_curve_ - other.loss_curve_).max() < 1e-12
    found, expected = one.evaluate(X, y, weights), other.evaluate(X[copies], y[copies])
    assert found == pytest.approx(expected, rel=1e-12)
    assert one.score(X, y, weights) == pytest.approx(found[1], rel=1e-12)


def test_weights_of_1_are_none(backend, data):
    X, y, _ = data
    models = [
        fastnn.MLPClassifier((5,), dropout=0.2, max_iter=5, random_state=0).fit(
            X, y, sample_weight=weights
        )
        for weights in (None, np.ones(40), [1] * 40)
    ]
    for model in models[1:]:
        assert np.abs(model.params_ - models[0].params_).max() < 1e-9


def test_batches_in_which_nothing_counts(backend, data):
    X, y, _ = data
    weights = np.zeros(40)
    weights[3] = 1
    model = fastnn.MLPClassifier((5,), batch_size=1, max_iter=4, tol=None, random_state=0)
    model.fit(X, y, sample_weight=weights)
    assert np.isfinite(model.params_).all()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.evaluate(X, y, weights)[0] == pytest.approx(model.evaluate(X[3:4], y[3:4])[0])


def test_callbacks_see_weighted_measures(data):
    X, y, weights = data
    seen = []

    class Look:
        def on_epoch_end(self, epoch):
            seen.append((epoch.accuracy, epoch.model.score(X, y, weights)))

    for estimator in (fastnn.MLPClassifier, fastnn.MLPRegressor):
        estimator((5,), **FULL).fit(X, y, callbacks=[Look()], sample_weight=weights)
    assert all(found == pytest.approx(expected, rel=1e-9) for found, expected in seen)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 39, "sample_weight: expected shape"),
        (np.ones((40, 1)), "sample_weight: expected shape"),
        ([-1.0] + [1.0] * 39, "sample_weight: found -1.0"),
        (np.zeros(40), "sample_weight: every weight is zero"),
        ([np.nan] * 40, "sample_weight: contains NaN"),
        (["a"] * 40, "sample_weight: expected real numbers"),
        (np.full(40, 1e308), "sample_weight: their sum is infinite"),
        (2.0, "sample_weight: expected shape"),
    ],
)
def test_wrong_weights_are_refused(data, weights, message):
    X, y, _ = data
    model = fastnn.MLPClassifier((5,), max_iter=1)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, sample_weight=weights)
    assert not hasattr(model, "params_")
