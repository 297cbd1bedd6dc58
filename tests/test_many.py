"""Many networks at once are what as many fits would give."""

import numpy as np
import pytest

import fastnn
from fastnn import many
from fastnn.training import MLPTask

X, Y = fastnn.load_xor()


def assert_same(values, expected):
    """Side by side, sums are formed in another order than in a network that is trained alone."""
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)


def base(**parameters):
    given = {
        "activation": "tanh",
        "solver": "momentum",
        "max_iter": 40,
        "tol": None,
        "batch_size": 3,
    }
    return fastnn.MLPClassifier((6,), **{**given, **parameters})


@pytest.mark.parametrize(
    "changes",
    [{}, {"shuffle": False, "batch_size": "full"}, {"dropout": 0.4, "learning_rate_decay": 0.9}],
)
def test_each_is_what_fit_makes(backend, changes):
    seeds, rates = [5, 2**63, 7], [0.1, 0.2, 0.05]
    models = fastnn.train_many(base(**changes), X, Y, random_state=seeds, learning_rate_init=rates)
    for model, seed, rate in zip(models, seeds, rates, strict=True):
        alone = base(**changes, random_state=seed, learning_rate_init=rate).fit(X, Y)
        assert model.get_params() == alone.get_params()
        assert_same(model.params_, alone.params_)
        assert_same(model.loss_curve_, alone.loss_curve_)
        assert_same(model.predict_proba(X), alone.predict_proba(X))
        assert vars(model).keys() == vars(alone).keys()
        assert (model.n_iter_, model.n_epochs_, model.stop_reason_) == (40, 40, "max_iter")


def test_groups_and_blocks_of_epochs_do_not_change_the_result(backend, monkeypatch):
    whole = fastnn.train_many(base(), X, Y, random_state=range(5))
    monkeypatch.setattr(many, "WORK_AT_ONCE", 1)
    monkeypatch.setattr(MLPTask, "_steps_per_call", lambda self: 1)
    parts = fastnn.train_many(base(n_jobs=2), X, Y, random_state=range(5), record_losses=False)
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.params_, other.params_)
        assert other.loss_curve_.tolist() == [one.loss_]
        assert other.n_iter_ == 40


def test_a_trained_one_can_go_on_and_be_saved(backend, tmp_path):
    model = fastnn.train_many(base(max_iter=4), X, Y, random_state=[3, 4])[1]
    model.save(tmp_path / "m")
    model = fastnn.load(tmp_path / "m").set_params(warm_start=True, max_iter=6).fit(X, Y)
    assert_same(model.params_, base(max_iter=10, random_state=4).fit(X, Y).params_)


def test_regression_and_one_seed_for_all():
    estimator = fastnn.MLPRegressor((4,), max_iter=5, tol=None, random_state=9)
    models = fastnn.train_many(estimator, X, X, learning_rate_init=[0.01, 0.1])
    assert [m.learning_rate_init for m in models] == [0.01, 0.1]
    assert models[0].random_state == models[1].random_state == 9
    assert not hasattr(estimator, "params_")


def test_ctrl_c_keeps_what_was_trained(monkeypatch):
    kernels = fastnn.backends.kernels()
    calls = []

    def interrupted(*args):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(1)
        kernels_train(*args)

    kernels_train = kernels.mlp_train_many
    monkeypatch.setattr(kernels, "mlp_train_many", interrupted)
    monkeypatch.setattr(MLPTask, "_steps_per_call", lambda self: 1)
    with pytest.warns(UserWarning, match="0 of 2 networks have all epochs"):
        models = fastnn.train_many(base(), X, Y, random_state=[0, 1])
    for seed, model in enumerate(models):
        assert (model.n_iter_, model.stop_reason_) == (2, "interrupted")
        assert_same(model.params_, base(max_iter=2, random_state=seed).fit(X, Y).params_)


def test_divergence_is_said():
    estimator = fastnn.MLPRegressor((3,), "purelin", solver="sgd", max_iter=300, tol=None)
    with pytest.warns(RuntimeWarning, match="diverged in 1 of 2 networks"):
        models = fastnn.train_many(
            estimator, X, X[:, 0], random_state=[0, 1], learning_rate_init=[1e-3, 1e3]
        )
    assert [model.stop_reason_ for model in models] == ["max_iter", "diverged"]


@pytest.mark.parametrize(
    ("estimator", "given", "message"),
    [
        (fastnn.Perceptron(), {"random_state": [1]}, "estimator: expected MLPClassifier"),
        (base(tol=1e-3), {"random_state": [1]}, "tol=0.001"),
        (base(warm_start=True), {"random_state": [1]}, "warm_start=True"),
        (base(), {}, "at least one sequence"),
        (base(), {"random_state": 3}, "random_state=3: expected a sequence"),
        (base(), {"random_state": []}, r"random_state=\[\]: expected a sequence"),
        (base(), {"random_state": [1, -1]}, "random_state=-1"),
        (base(), {"learning_rate_init": [0.1, 0.0]}, r"learning_rate_init\[1\]=0.0"),
        (base(), {"random_state": [1, 2], "learning_rate_init": [0.1]}, "as many of both"),
        (base(activation="rely"), {"random_state": [1]}, "activation='rely'"),
    ],
)
def test_errors(estimator, given, message):
    with pytest.raises(ValueError, match=message):
        fastnn.train_many(estimator, X, Y, **given)
