"""Many networks at once are what as many fits would give."""

import numpy as np
import pytest
from conftest import relative_error
from sklearn.base import clone

import fastnn
from fastnn import backends, groups, settings

X, Y = fastnn.load_xor()


def base(**parameters):
    given = {
        "activation": "tanh",
        "solver": "momentum",
        "max_iter": 40,
        "tol": None,
        "batch_size": 3,
    }
    return fastnn.MLPClassifier((6,), **{**given, **parameters})


def assert_near(found, alone, backend):
    """Kernels of many networks may add in another order; those of one after the other do not."""
    assert relative_error(found, alone) <= (0 if backend == "python" else 1e-10)


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
        for name in ("params_", "loss_curve_"):
            assert_near(getattr(model, name), getattr(alone, name), backend)
        assert_near(model.predict_proba(X), alone.predict_proba(X), backend)
        assert vars(model).keys() == vars(alone).keys()
        assert (model.n_iter_, model.n_epochs_, model.stop_reason_) == (40, 40, "max_iter")


def test_groups_and_blocks_of_epochs_do_not_change_the_result(backend, monkeypatch):
    whole = fastnn.train_many(base(), X, Y, random_state=range(5))
    monkeypatch.setattr(groups, "WORK_AT_ONCE", 1)
    monkeypatch.setattr(groups, "FIRST_WORK", 1)
    monkeypatch.setattr(groups, "CALL_SECONDS", 1e-9)
    parts = fastnn.train_many(base(n_jobs=2), X, Y, random_state=range(5), record_losses=False)
    for one, other in zip(whole, parts, strict=True):
        assert np.array_equal(one.params_, other.params_)
        assert other.loss_curve_.tolist() == [one.loss_]
        assert other.n_iter_ == 40


def test_equal_parameters_are_checked_once(monkeypatch):
    checked, of = [], settings.Settings.of

    def seen(network, dtype):
        checked.append(network.alpha)
        return of(network, dtype)

    monkeypatch.setattr(settings.Settings, "of", seen)
    alphas = [0.0, 0.25, 0.0, 0.25]
    models = fastnn.train_many(base(), X, Y, random_state=[1, 2, 3, 4], alpha=alphas)
    assert checked == [0.0, 0.25]
    assert [model.alpha for model in models] == alphas


class Narrow(fastnn.MLPClassifier):
    """Has other parameters than the networks that fastnn knows, by scikit-learn's rules."""

    def __init__(self, units=6, random_state=0):
        super().__init__((units,), "tanh", max_iter=5, tol=None, random_state=random_state)

    @property
    def units(self):
        return self.hidden_layer_sizes[0]

    @units.setter
    def units(self, units):
        self.hidden_layer_sizes = (units,)


def test_parameters_that_a_subclass_does_not_name_count(backend):
    assert Narrow(3).fit(X, Y).network_.sizes == (2, 3, 1)
    short, long = fastnn.train_many(Narrow(), X, Y, max_iter=[5, 9], alpha=[0.0, 0.5])
    assert (short.n_iter_, long.n_iter_) == (5, 9)
    alone = Narrow().set_params(units=6)
    alone.max_iter, alone.alpha = 9, 0.5
    assert relative_error(long.params_, alone.fit(X, Y).params_) <= 1e-10
    with pytest.raises(ValueError, match=r"alpha\[1\]=-1"):
        fastnn.train_many(Narrow(), X, Y, alpha=[0.0, -1.0])


def test_a_trained_one_can_go_on_and_be_saved(backend, tmp_path):
    model = fastnn.train_many(base(max_iter=4), X, Y, random_state=[3, 4])[1]
    model.save(tmp_path / "m")
    model = fastnn.load(tmp_path / "m").set_params(warm_start=True, max_iter=6).fit(X, Y)
    assert_near(model.params_, base(max_iter=10, random_state=4).fit(X, Y).params_, backend)


def test_regression_and_one_seed_for_all():
    estimator = fastnn.MLPRegressor((4,), max_iter=5, tol=None, random_state=9)
    models = fastnn.train_many(estimator, X, X, learning_rate_init=[0.01, 0.1])
    assert [m.learning_rate_init for m in models] == [0.01, 0.1]
    assert models[0].random_state == models[1].random_state == 9
    assert not hasattr(estimator, "params_")


@pytest.mark.parametrize(
    "values",
    [
        {"alpha": [0.0, 0.1, 1.0], "l1": [0.1, 0.0, 0.0], "dropout": [0.0, 0.3, 0.3]},
        {"tol": [None, 0.3, 1e-9], "n_iter_no_change": [1, 1, 2], "max_iter": [5, 9, 0]},
        {"loss_threshold": [0.6, 0.3], "label_smoothing": [0.0, 0.2], "momentum": [0.0, 0.5]},
        {"max_norm": [None, 0.5], "bias_init": [0.0, 0.1], "input_scale": [1.0, 0.5]},
    ],
)
def test_numbers_that_may_differ(backend, values):
    estimator, weights = base(random_state=3), [1, 2, 1, 3]
    models = fastnn.train_many(estimator, X, Y, sample_weight=weights, **values)
    for model, own in zip(models, zip(*values.values(), strict=True), strict=True):
        alone = base(random_state=3, **dict(zip(values, own, strict=True)))
        alone.fit(X, Y, sample_weight=weights)
        assert model.get_params() == alone.get_params()
        assert_near(model.params_, alone.params_, backend)
        assert len(model.loss_curve_) == model.n_iter_ == alone.n_iter_
        assert model.stop_reason_ == alone.stop_reason_


@pytest.mark.parametrize("changes", [{"solver": "lbfgs"}, {"early_stopping": True}])
def test_what_looks_at_each_network_alone(backend, changes):
    rng = np.random.default_rng(0)
    data = rng.normal(size=(40, 3)), np.arange(40) % 2
    models = fastnn.train_many(base(**changes), *data, random_state=[1, 2], alpha=[0.0, 0.1])
    for model, seed, alpha in zip(models, [1, 2], [0.0, 0.1], strict=True):
        alone = base(**changes, random_state=seed, alpha=alpha).fit(*data)
        assert_near(model.params_, alone.params_, backend)
        assert model.validation_scores_ == alone.validation_scores_


def test_without_losses_all_else_is_there(backend):
    estimator = base(max_iter=30, tol=0.05, n_iter_no_change=2)
    with_all, without = (
        fastnn.train_many(estimator, X, Y, random_state=range(3), record_losses=flag)
        for flag in (True, False)
    )
    for one, other in zip(with_all, without, strict=True):
        for name in ("n_iter_", "n_epochs_", "best_loss_", "loss_", "stop_reason_", "t_"):
            assert getattr(one, name) == getattr(other, name)
        assert other.loss_curve_.tolist() == [one.loss_]


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
    monkeypatch.setattr(groups, "FIRST_WORK", 1)
    monkeypatch.setattr(groups, "CALL_SECONDS", 1e-9)
    with pytest.warns(UserWarning, match="0 of 2 networks have all epochs"):
        models = fastnn.train_many(base(), X, Y, random_state=[0, 1])
    for seed, model in enumerate(models):
        assert (model.n_iter_, model.stop_reason_) == (2, "interrupted")
        alone = base(max_iter=2, random_state=seed).fit(X, Y)
        assert relative_error(model.params_, alone.params_) < 1e-10


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
        (base(), {"tol": [1e-3, -1]}, r"tol\[1\]=-1: expected None or a number of 0 or above"),
        (base(), {"dropout": [0.1, 1.0]}, r"dropout\[1\]=1.0: expected a number from 0 to below 1"),
        (base(), {"activation": ["tanh"]}, "activation: is the same .* may differ are label_smoo"),
        (base(), {"batch_size": [3]}, "batch_size: is the same for all networks"),
        (base(), {"alfa": [3]}, "alfa: is no parameter; the parameters that may differ are"),
        (base(warm_start=True), {"random_state": [1]}, "warm_start=True"),
        (base(), {}, "parameters: expected at least one sequence"),
        (base(), {"random_state": 3}, "random_state=3: expected a sequence"),
        (base(), {"random_state": []}, r"random_state=\[\]: expected a sequence"),
        (base(), {"random_state": [1, -1]}, "random_state=-1"),
        (base(), {"learning_rate_init": [0.1, 0.0]}, r"learning_rate_init\[1\]=0.0"),
        (base(), {"random_state": [1, 2], "learning_rate_init": [0.1]}, "expected as many of each"),
        (base(activation="rely"), {"random_state": [1]}, "activation='rely'"),
    ],
)
def test_errors(estimator, given, message):
    with pytest.raises(ValueError, match=message):
        fastnn.train_many(estimator, X, Y, **given)


@pytest.mark.parametrize("init", ["glorot_uniform", "he_normal"])
def test_weights_that_are_drawn_ahead_are_those_of_each_seed(init, monkeypatch):
    """Of many networks at once: blocks of them, and seeds that come again."""
    monkeypatch.setattr("fastnn.given.NUMBERS_AT_ONCE", 60)
    network = base(max_iter=0, weight_init=init)
    seeds, biases = [5, 2**64 - 1, 5, 0, 7, 8, 9], [0.0, 0.0, 1.5, 0.0, 0.0, 0.0, -1.0]
    found = fastnn.train_many(network, X, Y, random_state=seeds, bias_init=biases)
    for model, seed, bias in zip(found, seeds, biases, strict=True):
        alone = clone(network).set_params(random_state=seed, bias_init=bias).fit(X, Y)
        assert np.array_equal(model.params_, alone.params_)
    assert not np.shares_memory(found[0].params_, found[2].params_)


def test_many_lie_side_by_side_and_few_do_not(compiled_backend, monkeypatch):
    """What a network becomes does not depend on who else is in a call, but on how many in all."""
    kernels = backends.kernels()
    train, given = kernels.mlp_train_many, []

    def counted(*arguments):
        given.append(arguments[-1])
        train(*arguments)

    monkeypatch.setattr(kernels, "mlp_train_many", counted)
    monkeypatch.setattr(kernels, "NETWORKS_AT_ONCE", 7)
    few, many = (fastnn.train_many(base(), X, Y, random_state=range(n)) for n in (31, 32))
    assert given == sorted(given)
    assert set(given) == {False, True}
    for seed in (0, 20, 30):
        alone = base(random_state=seed).fit(X, Y)
        assert np.array_equal(few[seed].params_, alone.params_)
        assert_near(many[seed].params_, alone.params_, "lanes")
