"""The estimators as a user meets them."""

import pickle
import re

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

import fastnn

X_XOR, Y_XOR = fastnn.load_xor()


Classifier, Regressor = fastnn.MLPClassifier, fastnn.MLPRegressor
FAST = {"learning_rate_init": 0.01}
CHECKED = [
    Classifier(),
    Regressor(),
    fastnn.Perceptron(max_iter=30),
    fastnn.LinearNetwork(eta0=0.05, max_iter=200),
    # Unusual parameters.
    Classifier((), solver="lbfgs"),
    Classifier((9,), loss="hinge", **FAST),
    Classifier((9,), ("leaky_relu", 0.1), loss="sum_squared_error", batch_size="full", **FAST),
    Classifier((9, 5), ["gelu", "softsign"], class_weight="balanced", **FAST),
    Classifier((9,), label_smoothing=0.1, solver="nadam", max_norm=4.0, learning_rate="one_cycle"),
    Regressor((9,), "silu", loss=("quantile", 0.5), solver="nadam", batch_size="auto", **FAST),
    Regressor(
        (20,), loss="absolute_error", solver="adamw", l1=1e-3, learning_rate="cosine", **FAST
    ),
    Regressor((3,), solver="lbfgs", loss="huber"),
    fastnn.Perceptron(online=False, max_iter=30),
    fastnn.Perceptron(online=False, class_weight="balanced", max_iter=30),
    fastnn.Perceptron(warm_start=True, shuffle=True, tol=1e-3, verbose=2, max_iter=30),
    fastnn.Perceptron(dtype="float32", record_history=True, max_iter=30),
    fastnn.Perceptron(early_stopping=True, online=False, validation_fraction=0.3, max_iter=30),
    fastnn.LinearNetwork(eta0=0.01, online=True, shuffle=True, max_iter=200),
    fastnn.LinearNetwork(eta0=0.05, warm_start=True, dtype="float32", tol=1e-4, max_iter=200),
]


COPIES = "check_sample_weight_equivalence_on_dense_data"


def _expected_failures(estimator):
    """Return the checks that an estimator fails by intention, and why."""
    p, failures = estimator.get_params(), {}
    if not isinstance(estimator, (fastnn.Perceptron, fastnn.LinearNetwork)):
        return failures
    if p.get("online"):
        failures[COPIES] = "a large step is not two small ones; as in scikit-learn"
    if p.get("early_stopping"):
        failures[COPIES] = "which samples are held out depends on their number"
        failures["check_class_weight_classifiers"] = "the score on them knows no class weights"
    if p.get("early_stopping") or p.get("class_weight") == "balanced":
        for name in ("fit_score_takes_y", "n_features_in_after_fitting"):
            failures[f"check_{name}"] = "partial_fit refuses it; as in scikit-learn"
        failures["check_estimators_partial_fit_n_features"] = failures["check_fit_score_takes_y"]
    if p.get("warm_start"):
        failures["check_supervised_y_2d"] = "a second fit goes on"
    if p["dtype"] == "float32":
        names = "regressor_multioutput", "methods_sample_order_invariance"
        for name in (COPIES, *(f"check_{name}" for name in names)):
            failures[name] = "it wants float64"
    if COPIES in failures:
        failures[COPIES.replace("dense", "sparse")] = failures[COPIES]
    return failures


@parametrize_with_checks(CHECKED, expected_failed_checks=_expected_failures)
@pytest.mark.filterwarnings("ignore:training diverged")
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [False, True], [-7, 3], [1.0, 2.0], [np.str_("a"), np.str_("b")]]
)
def test_labels_of_any_type(backend, labels):
    y = np.array(labels)[Y_XOR]
    model = fastnn.MLPClassifier((8,), "tanh", learning_rate_init=0.05, random_state=0)
    assert (model.fit(X_XOR, y).predict(X_XOR) == y).all()
    assert model.predict_proba(X_XOR).sum(axis=1) == pytest.approx(1)
    assert model.score(X_XOR, y) == 1
    assert model.evaluate(X_XOR, y)[1] == 1


def test_a_pickle_of_an_earlier_version_has_the_parameters_since_then(rng):
    X, y = rng.normal(size=(50, 3)), rng.integers(0, 2, 50)
    model = fastnn.MLPClassifier((4,), max_iter=2, tol=None, random_state=0).fit(X, y)
    older = pickle.loads(pickle.dumps(model))
    del older.buffer_size
    found = pickle.loads(pickle.dumps(older))
    assert found.buffer_size == "auto"
    assert np.array_equal(found.predict(X[:5]), model.predict(X[:5]))
    assert np.array_equal(found.partial_fit(X, y).params_, model.partial_fit(X, y).params_)


@pytest.mark.parametrize("loss", ["auto", "hinge"])
def test_of_one_class_every_answer_is_right(loss, rng):
    X, y = rng.normal(size=(50, 3)), np.full(50, "only")
    model = fastnn.MLPClassifier((4,), loss=loss, max_iter=2, tol=None, random_state=0)
    model.fit(X, y, validation_data=(X, y))
    assert model.score(X, y) == model.evaluate(X, y)[1] == 1
    assert model.history_["val_accuracy"] == [1, 1]


@pytest.mark.parametrize("loss", ["crossentropy", "half_squared_error", "squared_error"])
def test_three_classes(backend, loss):
    X = np.array([[0.0, 0], [0, 1], [3, 0], [3, 1], [0, 5], [1, 5]])
    y = np.array(["a", "a", "b", "b", "c", "c"])
    model = fastnn.MLPClassifier(
        (16,), loss=loss, learning_rate_init=0.02, random_state=1, max_iter=400
    ).fit(X, y)
    assert model.predict(X).tolist() == y.tolist()
    assert model.predict_proba(X).shape == (6, 3)
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1)


def test_a_seed_gives_the_same_network_everywhere():
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(40, 7)), rng.integers(0, 3, 40)
    params = []
    for name, reason in fastnn.available_backends().items():
        if reason is None:
            with fastnn.use_backend(name):
                model = fastnn.MLPClassifier((9,), dropout=0.4, max_iter=5, random_state=11)
                params.append(model.fit(X, y).params_)
    for found in params[1:]:
        assert np.abs(found - params[0]).max() < 1e-12


def test_bytes_equal_scaled_reals(backend):
    rng = np.random.default_rng(3)
    images, y = rng.integers(0, 256, (50, 40), np.uint8), rng.integers(0, 2, 50)
    options = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0, "dtype": "float64"}
    a = fastnn.MLPClassifier(input_scale=1 / 255, **options).fit(images, y)
    b = fastnn.MLPClassifier(**options).fit(images / 255, y)
    assert np.abs(a.params_ - b.params_).max() < 1e-12
    auto = fastnn.MLPClassifier((2,), max_iter=1).fit(images, y)
    assert auto.params_.dtype == np.float32


def test_layer_outputs(backend):
    model = fastnn.MLPRegressor((4, 3), "tanh", max_iter=2, random_state=0).fit(X_XOR, Y_XOR)
    outputs = model.layer_outputs(X_XOR)
    h = np.tanh(X_XOR @ model.coefs_[0] + model.intercepts_[0])
    assert [o.shape[1] for o in outputs] == [4, 3, 1]
    assert outputs[0] == pytest.approx(h)
    assert outputs[-1][:, 0] == pytest.approx(model.predict(X_XOR))


def test_warm_start_goes_on_bitwise(backend):
    options = {"hidden_layer_sizes": (5,), "dropout": 0.3, "batch_size": 3, "random_state": 4}
    whole = fastnn.MLPClassifier(max_iter=7, tol=None, **options).fit(X_XOR, Y_XOR)
    parts = fastnn.MLPClassifier(max_iter=3, tol=None, warm_start=True, **options)
    parts.fit(X_XOR, Y_XOR).set_params(max_iter=4).fit(X_XOR, Y_XOR)
    assert (parts.params_ == whole.params_).all()
    assert np.array_equal(parts.loss_curve_, whole.loss_curve_)


BAD_PARAMETERS = [
    ({"hidden_layer_sizes": (3, 0)}, "hidden_layer_sizes"),
    ({"hidden_layer_sizes": (2.5,)}, "hidden_layer_sizes"),
    (
        {"hidden_layer_sizes": "8,8"},
        "'8,8': expected an integer or a sequence of integers, such as",
    ),
    ({"activation": "step"}, "activation='step': expected one of 'sign'"),
    ({"activation": "sigmod"}, "activation='sigmod': did you mean 'sigmoid'? Expected one of"),
    ({"activation": "ReLu"}, "activation='ReLu': did you mean 'relu'? Expected one of 'sign'"),
    ({"activation": "softmax"}, "activation='softmax'"),
    ({"out_activation": "relu"}, "out_activation='relu'"),
    ({"loss": "huber"}, "loss='huber'"),
    ({"loss": ("crossentropy", 0.1)}, "loss=('crossentropy', 0.1): 'crossentropy' has no"),
    ({"loss": "hinge", "label_smoothing": 0.1}, "label_smoothing=0.1: expected 0"),
    ({"label_smoothing": 1}, "label_smoothing=1"),
    ({"activation": ("relu", 0.1)}, "activation=('relu', 0.1): 'relu' has no parameter"),
    ({"activation": ("elu", 0)}, "activation: alpha of 'elu'=0: expected a number above 0"),
    ({"activation": ["relu", "tanh"]}, "one per hidden layer, got 2"),
    ({"activation": ["softmax"]}, "activation='softmax'"),
    ({"momentum": 1.0}, "momentum=1.0"),
    ({"nesterovs_momentum": "no"}, "nesterovs_momentum='no'"),
    ({"max_norm": 0}, "max_norm=0"),
    ({"l1": -1}, "l1=-1"),
    ({"rho": 1}, "rho=1"),
    ({"weight_decay": -1}, "weight_decay=-1"),
    ({"solver": "newton"}, "solver='newton'"),
    ({"learning_rate_init": 0}, "learning_rate_init=0"),
    ({"learning_rate_init": float("nan")}, "learning_rate_init=nan"),
    ({"beta_1": 1.0}, "beta_1=1.0"),
    ({"alpha": -1}, "alpha=-1"),
    ({"batch_size": 0}, "batch_size=0"),
    ({"batch_size": "half"}, "batch_size='half'"),
    ({"dropout": 1.0}, "dropout=1.0"),
    ({"dropout": (0.1, 0.2)}, "dropout: expected one number or 1"),
    ({"weight_init": "ones"}, "weight_init='ones'"),
    ({"bias_init": float("inf")}, "bias_init=inf"),
    ({"input_scale": 0}, "input_scale=0"),
    ({"max_iter": -1}, "max_iter=-1"),
    ({"tol": -1e-3}, "tol=-0.001"),
    ({"random_state": "seed"}, "random_state='seed'"),
    ({"dtype": "int8"}, "dtype='int8'"),
    ({"n_jobs": 0}, "n_jobs=0"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD_PARAMETERS)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        fastnn.MLPClassifier((4,)).set_params(**parameters).fit(X_XOR, Y_XOR)


def test_hidden_layers_are_not_offered_softmax():
    with pytest.raises(ValueError, match="activation='step': expected one of") as caught:
        fastnn.MLPClassifier((4,), "step").fit(X_XOR, Y_XOR)
    assert "softmax" not in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "name", "hint"),
    [
        ("MLPClassifier", "learning_rate_int", "; did you mean 'learning_rate_init'?"),
        ("MLPRegressor", "nothing", ""),
        ("Perceptron", "eta", "; did you mean 'eta0'?"),
        ("LinearNetwork", "max_itr", "; did you mean 'max_iter'?"),
    ],
)
def test_a_parameter_that_there_is_not(kind, name, hint):
    with pytest.raises(TypeError) as caught:
        getattr(fastnn, kind)(**{name: 1})
    assert str(caught.value) == f"{kind}: there is no parameter {name!r}{hint}"


BAD_DATA = [
    ([[0, 1], [np.nan, 1]], [0, 1], r"X: contains NaN .* first at index \(1, 0\)"),
    ([[0, 1], [np.inf, 1]], [0, 1], r"X: contains infinity"),
    (np.empty((0, 2)), [], "X: Found array with 0 sample"),
    (np.zeros((2, 2, 2)), [0, 1], "X: Found array with dim 3"),
    ([0.0, 1.0], [0, 1], "X: Expected 2D array, got 1D array"),
    ([[0, 1], [1, 0]], [0, 1, 1], "y: X has 2 samples but y has 3"),
    ([[0, 1], [1, 0]], None, "y: this estimator requires y"),
    ([[0, "a"], [1, 0]], [0, 1], "X: .*'a'; encode columns of words first"),
    ([[0, 1], [1]], [0, 1], "X: row 1 has length 1, row 0 has 2"),
    ([[0, 1j], [1, 0]], [0, 1], "X: .*complex"),
    (np.array([[0, 1j], [1, 0]]), [0, 1], "X: Complex data not supported"),
]


@pytest.mark.parametrize(
    "estimator",
    [
        fastnn.MLPClassifier((2,)),
        fastnn.MLPRegressor((2,)),
        fastnn.Perceptron(),
        fastnn.LinearNetwork(),
    ],
    ids=lambda estimator: type(estimator).__name__,
)
@pytest.mark.parametrize(("X", "y", "message"), BAD_DATA)
def test_bad_data(estimator, X, y, message):
    with pytest.raises((ValueError, TypeError), match=message):
        estimator.fit(X, y)
    assert not hasattr(estimator, "n_iter_")


def test_bad_targets_and_weights():
    with pytest.raises(ValueError, match="y: found 1 class"):
        fastnn.Perceptron().fit(X_XOR, [2, 2, 2, 2])
    with pytest.raises(ValueError, match="y: contains NaN"):
        fastnn.MLPRegressor((2,)).fit(X_XOR, [1, np.nan, 1, 1])
    with pytest.raises(ValueError, match=r"coefs_init\[0\]: expected shape \(2, 3\), got \(3, 2\)"):
        fastnn.MLPRegressor((3,)).fit(X_XOR, Y_XOR, coefs_init=[np.ones((3, 2)), np.ones((3, 1))])
    with pytest.raises(ValueError, match=r"coef_init: expected shape \(1, 2\)"):
        fastnn.Perceptron().fit(X_XOR, Y_XOR, coef_init=[[1, 2, 3]])
    with pytest.raises(ValueError, match="eta0=-1"):
        fastnn.LinearNetwork(eta0=-1).fit(X_XOR, Y_XOR)


def test_perceptron_with_three_classes(backend):
    X = np.array([[0.0, 0], [0, 1], [9, 0], [9, 1], [0, 9], [1, 9]])
    y = np.array(["a", "a", "b", "b", "c", "c"])
    model = fastnn.Perceptron(random_state=0).fit(X, y)
    assert model.converged_
    assert model.predict(X).tolist() == y.tolist()
    assert model.coef_.shape == (3, 2)
