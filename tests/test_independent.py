"""Training against implementations that we did not write, from the same weights."""

import itertools

import numpy as np
import pytest
from conftest import relative_error
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor

import fastnn

ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic", "purelin": "identity"}


def train_sklearn(estimator, X, y, coefs, intercepts):
    """Fit scikit-learn's network from given weights (its warm start keeps what we put there)."""
    n_epochs = estimator.max_iter
    estimator.set_params(max_iter=1, warm_start=True).fit(X, y)
    for view, value in zip(estimator.coefs_, coefs, strict=True):
        view[:] = value
    for view, value in zip(estimator.intercepts_, intercepts, strict=True):
        view[:] = value
    estimator.loss_curve_ = []
    return estimator.set_params(max_iter=n_epochs).fit(X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("n_epochs", [1, 20])
@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [0, 2, 4])  # 0: regression
def test_scikit_learn(backend, n_classes, activation, solver, n_epochs, rng):
    X = rng.normal(size=(30, 5))
    y = rng.integers(0, n_classes, 30) if n_classes else rng.normal(size=30)
    sizes = [5, 8, 6, 1 if n_classes < 3 else n_classes]
    coefs = [0.5 * rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    intercepts = [0.5 * rng.normal(size=n) for n in sizes[1:]]
    common = {
        "hidden_layer_sizes": (8, 6),
        "alpha": 0.1,
        "batch_size": 7,
        "learning_rate_init": 0.01,
        "max_iter": n_epochs,
        "shuffle": False,
        "tol": 0.0,
        "n_iter_no_change": 1000,
        "random_state": 0,
    }
    theirs = (SklearnClassifier if n_classes else SklearnRegressor)(
        activation=ACTIVATIONS[activation],
        solver="adam" if solver == "adam" else "sgd",
        momentum=0.9 if solver == "momentum" else 0.0,
        nesterovs_momentum=False,
        **common,
    )
    train_sklearn(theirs, X, y, coefs, intercepts)
    ours = (fastnn.MLPClassifier if n_classes else fastnn.MLPRegressor)(
        activation=activation, solver=solver, **common
    ).fit(X, y, coefs, intercepts)
    for found, expected in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert relative_error(found, expected) < 1e-9
    for found, expected in zip(ours.intercepts_, theirs.intercepts_, strict=True):
        assert relative_error(found, expected) < 1e-9
    if n_classes:
        assert relative_error(ours.predict_proba(X), theirs.predict_proba(X)) < 1e-9
    else:
        assert relative_error(ours.predict(X), theirs.predict(X)) < 1e-9
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))


@pytest.mark.parametrize("loss", ["crossentropy", "squared_error"])
@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam"])
def test_keras(backend, solver, loss, rng):
    keras = pytest.importorskip("tensorflow.keras")
    X, y = rng.normal(size=(40, 6)), rng.integers(0, 3, 40)
    sizes = [6, 9, 7, 3]
    coefs = [0.5 * rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    intercepts = [0.1 * rng.normal(size=n) for n in sizes[1:]]
    keras.backend.set_floatx("float64")
    out = "softmax" if loss == "crossentropy" else "sigmoid"
    model = keras.Sequential(
        [keras.Input((6,))]
        + [keras.layers.Dense(n, activation="relu") for n in sizes[1:-1]]
        + [keras.layers.Dense(3, activation=out)]
    )
    model.set_weights([w for pair in zip(coefs, intercepts, strict=True) for w in pair])
    optimizer = {
        "sgd": keras.optimizers.SGD(0.01),
        "momentum": keras.optimizers.SGD(0.01, momentum=0.9),
        "adam": keras.optimizers.Adam(0.01, epsilon=1e-7),
    }[solver]

    def sum_of_squares(t, p):
        return keras.ops.sum((t - p) ** 2, axis=-1)

    if loss == "crossentropy":
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.fit(X, y, batch_size=8, epochs=5, shuffle=False, verbose=0)
    else:
        model.compile(optimizer, sum_of_squares)
        model.fit(X, np.eye(3)[y], batch_size=8, epochs=5, shuffle=False, verbose=0)
    ours = fastnn.MLPClassifier(
        (9, 7), "relu", loss=loss, solver=solver, learning_rate_init=0.01, epsilon=1e-7
    ).set_params(batch_size=8, max_iter=5, shuffle=False, tol=None)
    ours.fit(X, y, coefs, intercepts)
    expected = model.get_weights()
    # Keras keeps the learning rate and the powers of beta_2 in single precision.
    tolerance = 1e-5 if solver == "adam" else 1e-6
    for layer in range(3):
        assert relative_error(ours.coefs_[layer], expected[2 * layer]) < tolerance
        assert relative_error(ours.intercepts_[layer], expected[2 * layer + 1]) < tolerance
