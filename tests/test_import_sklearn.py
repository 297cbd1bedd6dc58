"""Networks of scikit-learn as ours: the same outputs, and steps that go on."""

import numpy as np
import pytest
from export_cases import examples
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.linear_model import Perceptron, SGDClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor

import fastnn

ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]
TASKS = ["two", "names", "labels", "flat", "numbers", "counts"]


def case(task="names", solver="adam", hidden=(7, 4), seed=0, activation="tanh", **given):
    """Return a fitted network of scikit-learn and its data."""
    X = np.random.default_rng(seed).normal(size=(40, 5))
    y = {
        "two": (X[:, 0] > 0).astype(int),
        "names": np.array(["ant", "bee", "cow"])[np.abs(X[:, :3]).argmax(axis=1)],
        "labels": (X[:, :3] > 0).astype(int),
        "flat": X[:, 0] * X[:, 1],
        "numbers": X[:, :2],
        "counts": np.exp(X[:, 0]).round(),
    }[task]
    kind = MLPClassifier if task in ("two", "names", "labels") else MLPRegressor
    if task == "counts":  # by exponentials, which at a higher rate may run away
        given |= {"loss": "poisson", "learning_rate_init": 1e-4}
    model = kind(
        hidden_layer_sizes=hidden,
        activation=activation,
        solver=solver,
        max_iter=4,
        random_state=seed,
        **{"shuffle": False, "batch_size": 16, "learning_rate_init": 0.01, **given},
    )
    return model.fit(X, y), X, y


def check(model, X, y, tol=1e-13):
    """Compare outputs, then two epochs of both."""
    found = fastnn.from_sklearn(model)
    values = "predict_proba" if hasattr(model, "classes_") else "predict"
    assert np.abs(getattr(found, values)(X) - getattr(model, values)(X)).max() < 1e-9
    assert np.array_equal(found.predict(X), model.predict(X)) or values == "predict"
    if model.solver == "lbfgs":
        return
    for _ in range(2):
        model.partial_fit(X, y)
        found.partial_fit(X, y)
    for ours, theirs in zip(found.coefs_, model.coefs_, strict=True):
        assert np.abs(ours - theirs).max() < tol * max(1, np.abs(theirs).max())
    assert found.t_ == model.t_


@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
@pytest.mark.parametrize("task", TASKS)
def test_outputs_and_steps(task, solver, backend):
    check(*case(task, solver, alpha=0.1))


@pytest.mark.parametrize(
    "given",
    [
        {"momentum": 0},
        {"nesterovs_momentum": False},
        {"learning_rate": "invscaling", "power_t": 0.4},
        {"learning_rate": "adaptive", "tol": 0.5, "n_iter_no_change": 1},
    ],
)
def test_steps_of_sgd(given):
    check(*case(solver="sgd", **given))


def test_a_fit_goes_on():
    """With `warm_start`, which makes scikit-learn forget its optimizer; `partial_fit` does not."""
    model, X, y = case(solver="sgd", tol=0)
    found = fastnn.from_sklearn(model)
    assert found.loss_curve_.tolist() == model.loss_curve_
    assert found.n_epochs_ == 4
    assert found.best_loss_ == model.best_loss_
    for _ in range(4):
        model.partial_fit(X, y)
    found.fit(X, y)
    assert found.n_epochs_ == len(found.loss_curve_) == 8
    assert np.abs(found.coefs_[0] - model.coefs_[0]).max() < 1e-13


def test_the_source_keeps_its_arrays():
    model, X, y = case()
    before = [array.copy() for array in (*model.coefs_, *model._optimizer.ms)]
    fastnn.from_sklearn(model).partial_fit(X, y)
    after = [*model.coefs_, *model._optimizer.ms]
    assert all(map(np.array_equal, before, after))
    model = Perceptron(max_iter=2, tol=None, shuffle=False).fit(X, y)
    found, before = fastnn.from_sklearn(model), model.coef_.copy()
    ours = found.coef_.copy()
    found.partial_fit(X, y)
    assert np.array_equal(model.coef_, before)
    model.partial_fit(X, y)
    assert not np.array_equal(found.coef_, ours)


@pytest.mark.parametrize("task", ["two", "names"])
def test_a_perceptron(task, backend):
    _, X, y = case(task)
    model = Perceptron(max_iter=3, tol=None, shuffle=False, eta0=0.5).fit(X, y)
    found = fastnn.from_sklearn(model)
    assert np.array_equal(found.decision_function(X), model.decision_function(X))
    for _ in range(3):
        model.partial_fit(X, y)
        found.partial_fit(X, y)
    assert np.abs(found.coef_ - model.coef_).max() < 1e-12
    assert found.predict(X).tolist() == model.predict(X).tolist()
    assert found.t_ == model.t_


def test_saved_as_any_other(tmp_path):
    model, X, _ = case()
    found = fastnn.from_sklearn(model, batch_size=8)
    found.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert np.array_equal(loaded.predict_proba(X), found.predict_proba(X))
    assert (loaded.backend_, loaded.batch_size) == ("scikit-learn", 8)


def test_held_out_samples_and_a_generator():
    random_state = np.random.RandomState(0)
    _, X, y = case()
    model = MLPClassifier(early_stopping=True, max_iter=5, random_state=random_state).fit(X, y)
    found = fastnn.from_sklearn(model)
    assert found.validation_scores_ == model.validation_scores_
    assert found.best_loss_ is None
    assert len(found.fit(X, y).validation_scores_) == 10
    other = fastnn.from_sklearn(model, solver="rmsprop")
    assert (other.n_epochs_, other.solver_state_.step) == (5, 0)
    assert other.fit(X, y).n_epochs_ == 10


def test_names_of_features():
    pd = pytest.importorskip("pandas")
    _, X, y = case()
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = MLPClassifier(max_iter=2).fit(frame, y)
    assert fastnn.from_sklearn(model).feature_names_in_.tolist() == list("abcde")
    with pytest.raises(ValueError, match="feature names"):
        fastnn.from_sklearn(model).predict(frame[["b", "a", "c", "d", "e"]])


def test_refusals():
    _, X, y = case()
    with pytest.raises(ValueError, match="this MLPClassifier is not fitted yet"):
        fastnn.from_sklearn(MLPClassifier())
    with pytest.raises(ValueError, match=r"expected a fitted MLPClassifier.*got sklearn.*SGD"):
        fastnn.from_sklearn(SGDClassifier().fit(X, y))
    with pytest.raises(ValueError, match=r"got builtins\.int"):
        fastnn.from_sklearn(3)
    with pytest.raises(ValueError, match="penalty='l2' has no counterpart"):
        fastnn.from_sklearn(Perceptron(penalty="l2").fit(X, y))
    model, *_ = case()
    with pytest.raises(ValueError, match=r"^depth: MLPClassifier has no such parameter"):
        fastnn.from_sklearn(model, depth=3)
    with pytest.raises(ValueError, match=r"^activation='relu': expected none, as scikit-learn"):
        fastnn.from_sklearn(model, activation="relu")
    with pytest.raises(ValueError, match=r"^batch_size=0"):
        fastnn.from_sklearn(model, batch_size=0)
    model.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="params_: expected finite"):
        fastnn.from_sklearn(model)


DRAWN = {
    "task": st.sampled_from(TASKS),
    "solver": st.sampled_from(["adam", "sgd"]),
    "hidden": st.lists(st.integers(1, 9), max_size=3),
    "seed": st.integers(0, 999),
    "activation": st.sampled_from(ACTIVATIONS),
    "alpha": st.sampled_from([0, 0.5]),
}


def check_drawn(drawn):
    try:
        model, X, y = case(**drawn)
    except ValueError as error:  # of scikit-learn, whose own training ran away
        assume("non-finite" not in str(error))
        raise
    check(model, X, y, tol=1e-9)


@examples(15)
@given(drawn=st.fixed_dictionaries(DRAWN))
def test_random_networks(drawn):
    check_drawn(drawn)


@pytest.mark.slow
@examples(300)
@given(drawn=st.fixed_dictionaries(DRAWN))
def test_300_random_networks(drawn):
    check_drawn(drawn)
