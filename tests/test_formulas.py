"""Formulas as users name them: of each layer, with parameters, and what goes with a loss."""

import numpy as np
import pytest

import fastnn
from fastnn.backends import codes
from fastnn.optimizers import make_optimizer

SHORT = {"max_iter": 3, "tol": None, "random_state": 0, "batch_size": 7}


@pytest.fixture
def data(rng):
    X = rng.normal(size=(40, 4))
    return X, X[:, :3].argmax(axis=1)


def classifier(*sizes, **changes):
    return fastnn.MLPClassifier(sizes, **{**SHORT, **changes})


@pytest.mark.parametrize(
    "activation",
    [
        "tanh",
        ["tanh", "relu"],
        ("leaky_relu", 0.2),
        [("leaky_relu", 0.2), "sigmoid"],
        (("elu", np.float32(0.5)), ["elu", 2]),
        np.array(["tanh", "silu"]),
    ],
)
def test_activations_of_layers(data, activation, tmp_path):
    model = classifier(3, 2, activation=activation).fit(*data)
    is_one = isinstance(activation, str) or isinstance(activation[1], float)
    layers = [activation] * 2 if is_one else list(activation)
    for row, number, given in zip(
        [codes.ACTIVATIONS[code] for code in model.network_.activations],
        model.network_.formula_parameters,
        layers,
        strict=False,
    ):
        assert [row.name, number] == ([given, 0.0] if isinstance(given, str) else list(given))
    model.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert loaded.network_ == model.network_
    assert np.array_equal(loaded.fit(*data).params_, model.params_)


def test_aliases(data):
    for alias, name in (("purelin", "identity"), ("logistic", "sigmoid"), ("swish", "silu")):
        one, other = (classifier(3, activation=a).fit(*data) for a in (alias, name))
        assert np.array_equal(one.params_, other.params_)


@pytest.mark.parametrize("row", codes.LOSSES, ids=lambda row: row.name)
@pytest.mark.parametrize("kind", ["two classes", "three classes", "regression"])
def test_outputs_that_go_with_a_loss(backend, row, kind, data, tmp_path):
    X, y = data
    y = {"two classes": y > 0, "three classes": y, "regression": y.astype(float)}[kind]
    estimator = fastnn.MLPRegressor if kind == "regression" else fastnn.MLPClassifier
    model = estimator((3,), loss=row.name, **SHORT)
    task = "regression" if kind == "regression" else "classes"
    if row.task not in ("any", task) or row.name.endswith("crossentropy"):
        with pytest.raises(ValueError, match=f"loss='{row.name}'"):
            model.fit(X, y)
        return
    model.fit(X, y)
    default = "identity" if kind == "regression" else "sigmoid"
    assert model.out_activation_ == (row.outputs[0] if row.outputs else default)
    assert codes.LOSSES[model.network_.loss] == row
    assert np.isfinite(model.evaluate(X, y)).all()
    model.save(tmp_path / "m")
    assert np.array_equal(fastnn.load(tmp_path / "m").predict(X), model.predict(X))


def test_hinge_learns_classes(backend, data):
    X, y = data
    for labels in (y, y > 0):
        model = classifier(8, loss="hinge", max_iter=60, learning_rate_init=0.01).fit(X, labels)
        loss, accuracy = model.evaluate(X, labels)
        assert accuracy == model.score(X, labels) > 0.9
        assert 0 <= loss < 0.5
        assert not hasattr(model, "predict_proba")


def test_a_quantile_is_learned(rng):
    y = rng.exponential(size=400)
    model = fastnn.MLPRegressor((), loss=("quantile", 0.9), learning_rate_init=0.02, max_iter=60)
    found = model.set_params(tol=None, random_state=0).fit(np.zeros((400, 1)), y).predict([[0.0]])
    assert found == pytest.approx(np.quantile(y, 0.9), rel=0.1)


def test_counts_are_not_negative(data):
    X, y = data
    model = fastnn.MLPRegressor((3,), loss="poisson", **SHORT).fit(X, y)
    assert (model.predict(X) > 0).all()
    with pytest.raises(ValueError, match=r"y: found -1\.0 to 1\.0; loss='poisson' takes"):
        model.fit(X, y - 1)
    with pytest.raises(ValueError, match="y: found"):
        model.evaluate(X, y - 1)


def test_label_smoothing_keeps_outputs_from_0_and_1(backend, data):
    X, y = data
    given = {"max_iter": 300, "learning_rate_init": 0.05, "label_smoothing": 0.2}
    for labels, n in ((y, 3), (y > 0, 2)):
        model = classifier(8, **given).fit(X, labels)
        assert model.network_.loss_parameter == 0.2
        largest = model.predict_proba(X).max(axis=1).mean()
        assert largest == pytest.approx(1 - 0.2 + 0.2 / n, abs=0.05)


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"solver": "sgd"}, codes.NESTEROV),
        ({"solver": "sgd", "nesterovs_momentum": False}, codes.MOMENTUM),
        ({"solver": "sgd", "momentum": 0}, codes.SGD),
        ({"solver": "momentum"}, codes.MOMENTUM),
        ({"solver": "nesterov", "momentum": 0}, codes.NESTEROV),
        ({}, codes.ADAM),
    ],
)
def test_momentum_is_as_in_scikit_learn(given, kind):
    optimizer, _ = make_optimizer(fastnn.MLPClassifier(**given).get_params())
    assert optimizer.kind == kind


def test_a_callback_that_changes_the_momentum(data):
    """The update rule stays, and its state."""

    class Change:
        def __init__(self, momentum):
            self.momentum = momentum

        def on_epoch_end(self, epoch):
            epoch.model.momentum = self.momentum

    for before, after in ((0, 0.9), (0.9, 0)):
        model = classifier(3, solver="sgd", momentum=before)
        n_moments = len(
            classifier(3, solver="sgd", momentum=before).fit(*data).solver_state_.moments
        )
        assert len(model.fit(*data, callbacks=[Change(after)]).solver_state_.moments) == n_moments


def test_penalties_and_limits(backend, data):
    plain = classifier(5, max_iter=40, learning_rate_init=0.02).fit(*data)
    sparse = classifier(5, max_iter=40, learning_rate_init=0.02, l1=0.5).fit(*data)
    limited = classifier(5, max_iter=40, learning_rate_init=0.02, max_norm=0.7).fit(*data)
    decayed = classifier(5, max_iter=40, solver="adamw", learning_rate_init=0.02, weight_decay=1.0)
    decayed.fit(*data)
    size = np.abs(plain.params_).sum()
    assert np.abs(sparse.params_).sum() < size
    assert np.abs(decayed.params_).sum() < size
    norms = [np.linalg.norm(W, axis=0).max() for W in limited.coefs_]
    assert max(norms) <= 0.7 * (1 + 1e-6)
    assert max(np.linalg.norm(W, axis=0).max() for W in plain.coefs_) > 0.7


def test_a_warm_start_keeps_to_the_kind_of_solver(data):
    model = classifier(3, solver="momentum").fit(*data).set_params(warm_start=True)
    model.set_params(solver="nesterov").fit(*data)  # the same velocity
    with pytest.raises(ValueError, match="warm_start: the solver cannot change"):
        model.set_params(solver="rmsprop").fit(*data)
    with pytest.raises(ValueError, match="warm_start: the solver cannot change"):
        model.set_params(solver="adam").fit(*data)
