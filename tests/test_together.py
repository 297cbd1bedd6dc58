"""Fits that are trained together are what each would be alone."""

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from conftest import relative_error
from joblib._parallel_backends import LokyBackend
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold

import fastnn
from fastnn import backends, groups, together, workers
from fastnn.together import fit_together

X, Y = load_digits(n_class=3, return_X_y=True)
X, Y = X[:60, 10:30] / 16, Y[:60]
W = np.linspace(0.5, 2, len(Y))
# Attributes that say how a fit went; those of arrays are compared as well.
COUNTS = ("n_iter_", "n_epochs_", "t_", "stop_reason_", "_no_improvement_count", "backend_")
COUNTS += ("n_features_in_", "n_outputs_", "out_activation_")
NUMBERS = ("loss_", "best_loss_", "learning_rate_", "best_validation_score_")


def network(kind=fastnn.MLPClassifier, **changes):
    given = {"hidden_layer_sizes": (5,), "activation": "tanh", "batch_size": 16, "max_iter": 6}
    given |= {"tol": None, "random_state": 3, "verbose": False}
    return kind(**{**given, **changes})


@pytest.fixture
def calls(monkeypatch):
    """Return how many networks each call of kernels trains."""
    kernels = backends.kernels()
    monkeypatch.setattr(kernels, "NETWORKS_AT_ONCE", 64)
    train, found = kernels.mlp_train_many, []

    def counted(networks, *rest):
        found.append(len(networks))
        train(networks, *rest)

    monkeypatch.setattr(kernels, "mlp_train_many", counted)
    return found


def assert_same(found, alone, tolerance=1e-10):
    assert vars(found).keys() == vars(alone).keys()
    for name in COUNTS:
        assert getattr(found, name) == getattr(alone, name), name
    for name in NUMBERS:
        one, other = getattr(found, name), getattr(alone, name)
        assert one == (None if other is None else pytest.approx(other, rel=1e-8, nan_ok=True)), name
    scores = alone.validation_scores_
    assert found.validation_scores_ == (None if scores is None else pytest.approx(scores))
    assert found.solver_state_[1:] == alone.solver_state_[1:]
    for one, other in (
        (found.params_, alone.params_),
        (found.solver_state_.moments, alone.solver_state_.moments),
        (found.loss_curve_, alone.loss_curve_),
        (found._validation_curve, alone._validation_curve),
    ):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        if one.size and np.isfinite(other).all():
            assert relative_error(one, other) < tolerance


def assert_as_fits(jobs):
    tolerance = 1e-300 if backends.get_backend() == "python" else 1e-10  # one after the other
    alone = [clone(model).fit(*data) for model, *data in jobs]
    found = fit_together(jobs)
    assert [id(model) for model in found] == [id(job[0]) for job in jobs]
    for model, other in zip(found, alone, strict=True):
        assert_same(model, other, tolerance)


def models(**values):
    """Return networks that differ in some parameters."""
    rows = zip(*values.values(), strict=True)
    return [network(**dict(zip(values, row, strict=True))) for row in rows]


@pytest.mark.parametrize(
    "values",
    [
        {"random_state": [1, 2, 3], "alpha": [0, 0.1, 1.0], "l1": [0.1, 0, 0]},
        {"beta_1": [0.5, 0.9], "beta_2": [0.9, 0.99], "epsilon": [1e-3, 1e-8]},
        {"dropout": [0.0, 0.5, 0.2], "max_norm": [None, 1.0, 0.5]},
        {"label_smoothing": [0.0, 0.2], "learning_rate_init": [0.01, 0.1]},
        {"activation": [("elu", 1.0), ("elu", 0.2)], "learning_rate_decay": [1, 0.5]},
        {"learning_rate": ["constant", "cosine", ("step", 2, 0.1)], "shuffle": [False] * 3},
        {"solver": ["sgd"] * 3, "momentum": [0.9, 0.0, 0.5]},
        {"batch_size": ["full", 100, 16, 16]},
        {"max_iter": [0, 3, 9]},
    ],
)
def test_numbers_of_their_own(backend, values, monkeypatch):
    monkeypatch.setattr(groups, "FIRST_WORK", 1)
    assert_as_fits([(model, X, Y, None) for model in models(**values)])


@pytest.mark.parametrize("seconds", [1e-9, 0.5])
def test_each_stops_by_its_own_rule(backend, seconds, monkeypatch):
    """In the midst of a call as well; others go on, and one that waits takes the place."""
    monkeypatch.setattr(groups, "CALL_SECONDS", seconds)
    monkeypatch.setattr(groups, "WORK_AT_ONCE", 3 * 60 * 123)
    rules = [
        {"tol": 1e-2, "n_iter_no_change": 2},
        {"tol": 0.3, "n_iter_no_change": 1},
        {"loss_threshold": 1.05},
        {"weight_threshold": 0.02},
        {"tol": 0.5, "n_iter_no_change": 1, "learning_rate": "adaptive"},
        {"max_iter": 5},
        {},
    ]
    given = {"max_iter": 30, "learning_rate_init": 0.01, "n_jobs": 1}
    jobs = [(network(**{**given, **rule}), X, Y, None) for rule in rules]
    assert_as_fits(jobs)
    reasons = [model.stop_reason_ for model, *_ in jobs]
    assert reasons[:4] == ["tol", "tol", "loss_threshold", "weight_threshold"]
    assert len({model.n_iter_ for model, *_ in jobs}) > 4


def test_calls_have_as_many_networks_as_are_left(calls, monkeypatch):
    monkeypatch.setattr(groups, "FIRST_WORK", 1)
    monkeypatch.setattr(groups, "CALL_SECONDS", 1e-9)
    monkeypatch.setattr(groups, "WORK_AT_ONCE", 2 * 60 * 123)
    fit_together([(model, X, Y, None) for model in models(max_iter=[1, 3, 2])], n_jobs=1)
    assert calls == [2, 2, 2]  # epoch 1 of the first two, then the third with the second


def test_folds_with_tables_of_their_own(backend, calls):
    """Each fold is scaled by itself, and has its own weights; all go into one call."""
    jobs = []
    for rows, _ in KFold(3).split(X):
        own = (X[rows] - X[rows].mean(axis=0), Y[rows], W[rows])
        jobs += [(network(random_state=seed, batch_size=8), *own) for seed in (1, 2)]
    assert_as_fits(jobs)
    assert set(calls) == {6}


def test_what_cannot_be_together_is_trained_all_the_same(backend, calls):
    images = np.random.default_rng(0).integers(0, 256, (60, 16), np.uint8)
    bending = fastnn.ImageDistortion(4, 4)
    warm = network(warm_start=True).fit(X, Y)
    jobs = [
        (network(solver="lbfgs"), X, Y, None),
        (network(distortion=bending, input_scale=1 / 255), images, Y, None),
    ]
    alone = [clone(model).fit(*data) for model, *data in jobs]
    again = fastnn.MLPClassifier.__new__(fastnn.MLPClassifier)
    again.__dict__.update(vars(warm))
    again.fit(X, Y)
    found = fit_together([*jobs, (warm, X, Y, None)])
    for model, other in zip(found, [*alone, again], strict=True):
        assert_same(model, other, 1e-300)
    assert not calls


def test_what_has_no_like_has_calls_of_its_own(backend, calls):
    jobs = [
        (network(hidden_layer_sizes=(3, 2)), X, Y, W),
        (network(fastnn.MLPRegressor), X, Y / 2, None),
        (network(batch_size=7), X, Y, None),
        (network(input_scale=0.5), X, Y, None),
        (network(activation="relu"), X, Y, None),
        (network(loss="squared_error"), X, Y, None),
    ]
    assert_as_fits(jobs)
    assert set(calls) == {1}


@pytest.mark.parametrize("make", [sp.csr_array, np.asarray])
def test_sparse_tables_and_bytes(compiled_backend, make, calls):
    given = make((X * 16 * (X > 0.5)).astype(np.uint8))
    jobs = [(network(random_state=i, dtype="float64"), given, Y, None) for i in (1, 2)]
    jobs += [(network(random_state=i, dtype="float64"), given[10:], Y[10:], None) for i in (3, 4)]
    assert_as_fits(jobs)
    assert set(calls) == {4}


@pytest.mark.parametrize("kind", [fastnn.MLPClassifier, fastnn.MLPRegressor])
def test_early_stopping(backend, kind, calls):
    """Held-out samples are each network's own; the best epoch is kept."""
    given = {"early_stopping": True, "max_iter": 15, "n_iter_no_change": 2, "tol": 0.01}
    given |= {"learning_rate_init": 0.03}
    jobs = [
        (network(kind, random_state=seed, **{**given, "validation_fraction": part}), X, Y, W)
        for seed, part in [(1, 0.2), (2, 0.2), (3, 0.4), (1, 0.2)]
    ]
    assert_as_fits(jobs)
    assert max(calls) == 4
    stops = {model.n_iter_ for model, *_ in jobs}
    assert len(stops) > 1
    assert jobs[0][0].validation_scores_ == jobs[3][0].validation_scores_


def test_divergence(backend):
    """To the very epoch, as `fit` does, and the others are none the worse."""
    rates = [1e-3, 1e30, 1e-2]
    jobs = [
        (network(fastnn.MLPRegressor, solver="sgd", learning_rate_init=rate), X, Y, None)
        for rate in rates
    ]
    with pytest.warns(RuntimeWarning, match="training diverged: "):
        alone = [clone(model).fit(*data) for model, *data in jobs]
    with pytest.warns(RuntimeWarning, match="training diverged in 1 of 3 networks"):
        found = fit_together(jobs)
    for model, other in zip(found, alone, strict=True):
        assert_same(model, other)
    assert [model.stop_reason_ for model in found] == ["max_iter", "diverged", "max_iter"]


def test_one_warning_of_all_that_have_not_converged():
    jobs = [(model, X, Y, None) for model in models(tol=[1e-4, None, 1e-4])]
    with pytest.warns(ConvergenceWarning, match="2 of 3 networks have not converged") as caught:
        fit_together(jobs)
    assert len(caught) == 1
    assert caught[0].filename == __file__


def test_a_table_has_an_end(calls, monkeypatch):
    monkeypatch.setattr(groups, "STACK_BYTES", 2.5 * X.nbytes)
    tables = [X, X + 1, X + 2]
    assert_as_fits([(network(random_state=i), tables[i // 2], Y, None) for i in range(6)])
    assert set(calls) == {4, 2}


def test_ctrl_c(backend, monkeypatch):
    """Also where one network after the other is trained; what had not begun is as initialized."""
    kernels, n_calls = backends.kernels(), []
    train = kernels.mlp_train_many

    def interrupted(*given):
        if n_calls:
            raise KeyboardInterrupt
        n_calls.append(1)
        train(*given)

    monkeypatch.setattr(kernels, "mlp_train_many", interrupted)
    monkeypatch.setattr(kernels, "NETWORKS_AT_ONCE", 2)  # also with one processor
    monkeypatch.setattr(groups, "FIRST_WORK", 1)
    jobs = [(model, X, Y, None) for model in models(random_state=[1, 2], max_iter=[1, 3])]
    jobs.append((network(solver="lbfgs"), X, Y, None))
    with pytest.warns(UserWarning, match="1 of 3 networks have all epochs"):
        found = fit_together(jobs)
    assert [model.n_iter_ for model in found] == [1, 1, 0]
    assert [model.stop_reason_ for model in found] == ["max_iter", "interrupted", "interrupted"]
    assert np.array_equal(found[2].params_, network(max_iter=0).fit(X, Y).params_)


@pytest.mark.parametrize(
    ("jobs", "message"),
    [
        (3, "jobs=3: expected a sequence of"),
        ([3], r"jobs\[0\]=3: expected \(estimator, X, y, sample_weight\)"),
        ([(network(), X, Y)], r"jobs\[0\]: expected .*, got 3 items"),
        ([(fastnn.Perceptron(), X, Y, None)], r"jobs\[0\]: estimator: expected MLPClassifier or"),
        ([(network(), X, Y, None), (network(alpha=-1), X, Y, None)], r"alpha=-1: .*jobs\[1\]\)"),
        ([(network(), X, Y[1:], None)], r"jobs\[0\]"),
    ],
)
def test_errors(jobs, message):
    with pytest.raises(ValueError, match=message):
        fit_together(jobs)
    assert not any(hasattr(job[0], "params_") for job in jobs if job != 3) if jobs != 3 else True


def test_an_estimator_stands_in_one_job():
    model = network()
    with pytest.raises(ValueError, match=r"jobs\[1\]: the estimator stands in an earlier job"):
        fit_together([(model, X, Y, None)] * 2)
    assert not hasattr(model, "params_")


def test_others_do_not_change_a_bit(compiled_backend):
    """Alone in a call or with others of other lengths, that stop when they like."""
    given = {"dropout": 0.2, "max_iter": 12}
    (alone,) = fit_together([(network(**given), X, Y, None)])
    jobs = [(network(**given), X, Y, None)]
    jobs += [(network(**given | {"max_iter": n, "alpha": n}), X[n:], Y[n:], None) for n in (1, 3)]
    assert np.array_equal(fit_together(jobs)[0].params_, alone.params_)


@pytest.mark.parametrize(
    ("kind", "y", "given"),
    [
        (fastnn.MLPClassifier, Y, {"dropout": 0.2}),
        (fastnn.MLPClassifier, Y, {"loss": "half_squared_error", "solver": "sgd"}),
        (fastnn.MLPClassifier, Y, {"label_smoothing": 0.1, "activation": "sigmoid"}),
        (fastnn.MLPClassifier, Y > 0, {"solver": "nadam", "max_norm": 1.0}),
        (fastnn.MLPClassifier, np.eye(3, dtype=int)[Y], {"solver": "adamw", "weight_decay": 0.01}),
        (fastnn.MLPRegressor, np.sin(X[:, :2]), {"solver": "rmsprop", "l1": 1e-3}),
        (fastnn.MLPRegressor, X[:, 0], {"loss": "huber", "activation": "relu"}),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("weights", [None, W], ids=["unweighted", "weighted"])
def test_in_double_precision_not_a_bit_depends_on_being_together(
    compiled_backend, kind, y, given, weights
):
    """Of networks that are not the smallest, on tables that are not compressed."""
    table = X + 0.1  # no zeros
    models = [
        network(kind, random_state=seed, learning_rate_init=rate, **given)
        for seed in range(11)
        for rate in (0.001, 0.01, 0.1)
    ]
    alone = [clone(model).fit(table, y, sample_weight=weights) for model in models]
    found = fit_together([(model, table, y, weights) for model in models])
    for model, other in zip(found, alone, strict=True):
        assert np.array_equal(model.params_, other.params_)


@pytest.fixture
def small_parts(monkeypatch):
    """Return where fits have run, if parts for workers may be small."""
    monkeypatch.setattr(workers, "WORK_OF_PART", 1.0)
    sent, run = [], together.run_on_workers

    def counted(function, calls):
        sent.append([len(jobs) for *_, jobs in calls])
        return run(function, calls)

    monkeypatch.setattr(together, "run_on_workers", counted)
    return sent


def some_jobs():
    """Return networks of two kinds, one that draws its own seed, and one that goes on."""
    jobs = [(network(random_state=seed), X, Y, W) for seed in (1, np.random.default_rng(5), 2)]
    jobs += [(network(hidden_layer_sizes=(n,), early_stopping=True), X, Y, None) for n in (3, 4)]
    return [*jobs, (network(warm_start=True).fit(X, Y), X, Y, None)]


@pytest.mark.parametrize("enough", [1, 32])
def test_workers_give_the_same_bits(backend, small_parts, enough, monkeypatch):
    """Also side by side: how many of a kind there are, the caller knows."""
    monkeypatch.setattr(together, "ENOUGH", enough)
    here = fit_together(some_jobs())
    with joblib.parallel_config("loky", n_jobs=2):
        away = fit_together(some_jobs())
    assert small_parts[0] == []
    assert sum(small_parts[1]) == 6
    assert len(small_parts[1]) > 1
    for one, other in zip(away, here, strict=True):
        assert_same(one, other, 1e-300)
        assert one.backend_ == backend
        assert isinstance(one.random_state, type(other.random_state))
    with joblib.parallel_config("loky", n_jobs=2):
        models = fastnn.train_many(network(), X, Y, random_state=[1, 2, 3], record_losses=False)
    assert [len(model.loss_curve_) for model in models] == [1, 1, 1]


@pytest.mark.parametrize("config", [{}, {"n_jobs": 2}, {"backend": "threading", "n_jobs": 2}])
def test_workers_have_to_be_named(small_parts, config):
    with joblib.parallel_config(**config):
        fit_together(some_jobs())
    assert small_parts == [[]]


class Gone(LokyBackend):
    """Workers whose connection is closed."""

    def effective_n_jobs(self, n_jobs):
        raise OSError("no connection")


def test_workers_that_cannot_be_reached():
    """Nothing is trained then, in a search neither."""
    search = fastnn.GridSearchCV(network(), {"alpha": [0, 1]}, cv=2)
    with joblib.parallel_config(Gone(), n_jobs=2):
        for call in (lambda: fit_together(some_jobs()), lambda: search.fit(X, Y)):
            with pytest.raises(workers.NoWorkersError, match=r"Gone.* cannot be reached .*no conn"):
                call()
    assert not hasattr(search, "cv_results_")


def test_what_is_short_stays_here(monkeypatch):
    with joblib.parallel_config("loky", n_jobs=2):
        assert workers.count_workers() == 2
        monkeypatch.setattr(together, "_fit_part", None)
        fit_together(some_jobs())
    found = workers.parts([1e10, 1e9, 1e9, 1e10, 1e10], 2)
    assert found == [slice(0, 1), slice(1, 3), slice(3, 4), slice(4, 5)]
    assert workers.parts([1e9] * 9, 2) == [slice(0, 9)]
