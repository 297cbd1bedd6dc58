"""Training on samples that come in parts."""

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier

import fastnn

OPTIONS = {"hidden_layer_sizes": (6,), "dropout": 0.2, "batch_size": 7, "random_state": 3}


@pytest.fixture
def data(rng):
    X = rng.normal(size=(40, 4))
    return X, X[:, :3].argmax(axis=1)


@pytest.mark.parametrize("learning_rate", ["constant", "invscaling", "adaptive", "cosine"])
def test_epoch_by_epoch_it_is_fit(backend, data, learning_rate):
    X, y = data
    options = {**OPTIONS, "learning_rate": learning_rate, "max_iter": 6, "solver": "sgd"}
    # With a tolerance that no epoch meets, "adaptive" goes down again and again.
    options |= {"tol": 1e9, "n_iter_no_change": 1} if learning_rate == "adaptive" else {"tol": None}
    whole, parts = fastnn.MLPClassifier(**options).fit(X, y), fastnn.MLPClassifier(**options)
    for _ in range(6):
        assert parts.partial_fit(X, y, classes=[0, 1, 2]) is parts
        assert parts.n_iter_ == 1
    assert np.array_equal(parts.params_, whole.params_)
    assert np.array_equal(parts.loss_curve_, whole.loss_curve_)
    assert (parts.t_, parts.n_epochs_) == (whole.t_, whole.n_epochs_) == (240, 6)
    assert parts.learning_rate_ == pytest.approx(whole.learning_rate_)


def test_parts_with_some_of_the_classes(backend, data, tmp_path):
    X, y = data
    model = fastnn.MLPClassifier(**{**OPTIONS, "dropout": 0, "learning_rate_init": 0.01})
    for _ in range(60):
        for part in np.array_split(np.argsort(y), 6):
            model.partial_fit(X[part], y[part], classes=[2, 0, 1])
            if model.n_epochs_ == 7:  # goes on where the file is
                model.save(tmp_path / "m")
                model = fastnn.load(tmp_path / "m")
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, y) > 0.9
    assert model.t_ == 60 * 40


def test_parts_of_other_kinds_go_on(data):
    """The network's dtype stays, whatever the later parts have."""
    X, y = data
    model = fastnn.MLPRegressor((3,), random_state=0).partial_fit(X.astype(np.float32), y)
    model.partial_fit(X, y, sample_weight=np.ones(40)).partial_fit((10 * X).astype(np.uint8), y)
    assert model.params_.dtype == np.float32
    assert model.n_epochs_ == 3


def test_errors(data):
    X, y = data
    model = fastnn.MLPClassifier((3,))
    with pytest.raises(ValueError, match="classes=None: expected all classes"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match="classes=3: expected a sequence"):
        model.partial_fit(X, y, classes=3)
    with pytest.raises(
        ValueError, match=r"y: .* at row \d+; expected labels among \[0, 1\], as classes says"
    ):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"classes: .*continuous"):
        model.partial_fit(X, y, classes=[0.5, 1])
    assert not hasattr(model, "params_")
    model.partial_fit(X, y, classes=[0, 1, 2])
    before = model.params_.copy()
    with pytest.raises(ValueError, match=r"classes=\[0, 1\]: expected \[0, 1, 2\]"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"y: .* at row \d+; expected labels among"):
        model.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match=r"X: .*features"):
        model.partial_fit(X[:, :2], y)
    with pytest.raises(ValueError, match="does not support early_stopping=True"):
        model.set_params(early_stopping=True).partial_fit(X, y)
    assert np.array_equal(model.params_, before)
    for parameters in ({"solver": "lbfgs"}, {"class_weight": "balanced"}):
        assert not hasattr(fastnn.MLPClassifier(**parameters), "partial_fit")
    assert not hasattr(MLPClassifier(solver="lbfgs"), "partial_fit")  # as there


def test_what_was_assigned_is_where_it_begins(backend, data):
    X, y = data
    weights = [np.full((4, 6), 0.1), np.full((6, 3), -0.2)]
    biases = [np.full(6, 0.3), np.zeros(3)]
    assigned = fastnn.MLPClassifier(**OPTIONS)
    assigned.coefs_, assigned.intercepts_ = [0] * 2, biases
    assigned.coefs_[0], assigned.coefs_[1] = weights
    assigned.partial_fit(X, y, classes=[0, 1, 2])
    given = fastnn.MLPClassifier(max_iter=1, **OPTIONS)
    given.fit(X, y, coefs_init=weights, intercepts_init=biases)
    assert np.array_equal(assigned.params_, given.params_)
    assigned.coefs_ = weights
    assigned.intercepts_[0] = np.ones(6)
    assert np.array_equal(assigned.coefs_[1], weights[1])
    assert (assigned.layer_outputs(np.zeros((1, 4)))[0] == 1).all()
    for name, wrong in (("coefs_", weights[:1]), ("intercepts_", weights)):
        with pytest.raises(ValueError, match=name):
            setattr(assigned, name, wrong)
    with pytest.raises(ValueError, match=r"coefs_\[1\]: expected shape \(6, 3\)"):
        assigned.coefs_[1] = weights[0]
    assert not hasattr(fastnn.MLPClassifier(), "coefs_")
