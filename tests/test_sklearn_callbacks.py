"""scikit-learn's callbacks: which tasks they hear of, what they get, and what they leave."""

import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn

reason = "callbacks came with scikit-learn 1.9"
callback = pytest.importorskip("sklearn.callback", reason=reason)


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def network(**changes):
    given = {"max_iter": 5, "tol": None, "random_state": 0, "batch_size": 10, "verbose": False}
    return fastnn.MLPClassifier(**{"hidden_layer_sizes": (6,), **given, **changes})


class Record:
    """Takes down what it hears of."""

    def __init__(self, stop_at=None, fail_at=None):
        self.heard, self.stop_at, self.fail_at = [], stop_at, fail_at

    def setup(self, estimator, context):
        self.heard.append(("setup", context.task_name, context.max_subtasks))

    def on_fit_task_begin(self, estimator, context):
        self.heard.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context):
        self.heard.append(("end", context.task_name, context.task_id))
        if context.task_name == "epoch" and context.task_id == self.fail_at:
            raise RuntimeError("the callback failed")
        return context.task_name == "epoch" and context.task_id == self.stop_at

    def teardown(self, estimator, context):
        self.heard.append(("teardown", context.task_name, context.max_subtasks))


def epochs(n):
    return [(what, "epoch", i) for i in range(n) for what in ("begin", "end")]


def whole(n, max_iter=5):
    """Return what there is to hear of a fit with n epochs."""
    begin, end = ("setup", "fit", max_iter), ("teardown", "fit", max_iter)
    return [begin, ("begin", "fit", 0), *epochs(n), ("end", "fit", 0), end]


def test_a_task_for_the_fit_and_for_each_epoch(backend, data):
    record = Record()
    model = network().set_callbacks(record)
    for _ in range(2):
        model.fit(*data)
        assert record.heard == whole(5)
        record.heard.clear()
    alone = network().fit(*data)
    assert np.array_equal(model.params_, alone.params_)
    assert vars(model).keys() == {*vars(alone), "_skl_callbacks"}
    model.partial_fit(*data)
    model.set_callbacks().fit(*data)
    assert record.heard == []


@pytest.mark.parametrize(
    ("changes", "n"),
    [
        ({"max_iter": 0}, 0),
        ({"loss_threshold": 100.0}, 1),
        ({"solver": "lbfgs"}, 5),
        ({"warm_start": True}, 5),
    ],
)
def test_fits_of_other_lengths(data, changes, n):
    record = Record()
    model = network(**changes).set_callbacks(record)
    for _ in range(2):
        model.fit(*data)
        assert record.heard == whole(n, model.max_iter)
        record.heard.clear()


def test_lbfgs_that_ends_by_itself(data):
    record = Record()
    model = network(solver="lbfgs", max_iter=10_000, tol=0.5, hidden_layer_sizes=())
    model.set_callbacks(record).fit(*data)
    n = model.n_iter_
    assert model.stop_reason_ == "tol"
    assert record.heard == whole(n + 1, 10_000)  # the last one was announced, and ends empty


def test_a_callback_ends_the_fit(data):
    first, second = Record(stop_at=2), Record()
    model = network().set_callbacks(first, second).fit(*data)
    assert (model.n_iter_, model.stop_reason_) == (3, "callback")
    assert first.heard == second.heard == whole(3)
    assert np.array_equal(model.params_, network(max_iter=3).fit(*data).params_)
    record = Record()
    model = network().set_callbacks(record)
    model.fit(*data, callbacks=[lambda epoch: epoch.number == 2])  # ours
    assert record.heard == whole(2)


def test_an_exception_tears_down(data):
    record = Record(fail_at=1)
    model = network().set_callbacks(record)
    with pytest.raises(RuntimeError, match="the callback failed"):
        model.fit(*data)
    assert record.heard == [*whole(2)[:-2], ("teardown", "fit", 5)]
    assert (model.n_epochs_, model.stop_reason_) == (2, "interrupted")
    assert vars(model).keys() == {*vars(network().fit(*data)), "_skl_callbacks"}


def stops_by_ctrl_c(epoch):
    if epoch.number == 2:
        raise KeyboardInterrupt


def test_ctrl_c_at_a_prompt_keeps_the_model(data):
    record = Record()
    model = network().set_callbacks(record)
    with pytest.warns(UserWarning, match="interrupted after 2 epochs"):
        model.fit(*data, callbacks=[stops_by_ctrl_c])
    assert record.heard[-1] == ("teardown", "fit", 5)
    assert np.array_equal(model.params_, network(max_iter=2).fit(*data).params_)


class FailsToBegin(Record):
    def __init__(self, method):
        super().__init__()
        setattr(self, method, self.fail)

    def fail(self, *arguments, **named):
        raise OSError("no room")


@pytest.mark.parametrize("method", ["setup", "on_fit_task_begin"])
def test_a_callback_that_cannot_begin_changes_nothing(data, method):
    record = Record()
    model = network().fit(*data).set_callbacks(record, FailsToBegin(method))
    before = dict(vars(model))
    with pytest.raises(OSError, match="no room"):
        model.fit(*data)
    assert vars(model) == before
    assert record.heard[-1] == ("teardown", "fit", 5)
    record.heard.clear()
    model.set_callbacks(record)
    bad = fastnn.LearningRateScheduler(lambda epoch, rate: -1)
    with pytest.raises(ValueError, match="schedule"):
        model.fit(*data, callbacks=[bad])
    assert vars(model) == {**before, "_skl_callbacks": [record]}
    assert record.heard == [("setup", "fit", 5), ("begin", "fit", 0), ("teardown", "fit", 5)]
    record.heard.clear()
    with pytest.raises(ValueError, match="y"):
        model.fit(data[0], data[1][:5])
    assert record.heard == []


class Look(Record):
    """Takes down what the fitted estimator of each task can do."""

    def __init__(self):
        super().__init__()
        self.seen, self.given = {}, []

    def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
        name = context.task_name, context.task_id
        self.seen[name] = fitted_estimator, fitted_estimator.predict_proba(X)
        self.given.append((X, y, metadata))


def test_the_estimator_of_a_task_can_be_used(data):
    look, (X, y) = Look(), data
    weights = np.linspace(0, 1, 60)
    model = network().set_callbacks(look).fit(X, y, sample_weight=weights)
    assert all(given[0] is X and given[1] is y for given in look.given)
    assert all(given[2]["sample_weight"] is weights for given in look.given)
    for i in range(5):
        then = network(max_iter=i + 1).fit(X, y, sample_weight=weights)
        fitted, probabilities = look.seen["epoch", i]
        assert np.array_equal(probabilities, then.predict_proba(X))
        assert np.array_equal(fitted.predict_proba(X), probabilities)  # it is as it was
        assert fitted.history_ == then.history_
    assert np.array_equal(look.seen["fit", 0][1], model.predict_proba(X))


@pytest.mark.parametrize(
    ("estimator", "scoring"), [(fastnn.MLPClassifier, "accuracy"), (fastnn.MLPRegressor, "r2")]
)
def test_scores_are_monitored(data, estimator, scoring):
    monitor = callback.ScoringMonitor(scoring=scoring)
    make = {"tol": None, "random_state": 0, "max_iter": 4}
    model = estimator((5,), **make).set_callbacks(monitor).fit(*data)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in rows] == [0, 1, 2, 3]
    then = [estimator((5,), **{**make, "max_iter": i}).fit(*data) for i in range(1, 5)]
    assert [row[scoring] for row in rows] == [other.score(*data) for other in then]
    assert model.score(*data) == rows[-1][scoring]


def test_in_a_pipeline_and_a_search(data):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(StandardScaler(), network(max_iter=3).set_callbacks(monitor))
    search = GridSearchCV(pipeline, {"mlpclassifier__hidden_layer_sizes": [(2,), (3,)]}, cv=2)
    search.fit(*data)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(rows) == 3 * (2 * 2 + 1)  # each fit of the search, and the last on all data
    best = search.best_estimator_
    assert rows[0]["accuracy"] <= 1
    assert {row["accuracy"] for row in rows if len(row["task_id_path"]) == 4} >= {best.score(*data)}
    alone = GridSearchCV(
        clone(pipeline).set_params(mlpclassifier=network(max_iter=3)), search.param_grid, cv=2
    ).fit(*data)
    assert np.array_equal(
        alone.cv_results_["mean_test_score"], search.cv_results_["mean_test_score"]
    )


def test_progress_bar(data, capsys):
    pytest.importorskip("rich")
    bar = callback.ProgressBar(max_propagation_depth=None)
    model = network().set_callbacks(bar).fit(*data)
    text = capsys.readouterr().out
    assert "MLPClassifier - fit" in text
    assert "100%" in text
    pipeline = make_pipeline(StandardScaler(), clone(model).set_callbacks()).set_callbacks(bar)
    pipeline.fit(*data)
    assert "MLPClassifier - fit" in capsys.readouterr().out
    assert vars(pipeline[-1]).keys() == vars(network().fit(*data)).keys()
    with pytest.raises(RuntimeError, match="the callback failed"):
        model.set_callbacks(bar, Record(fail_at=1)).fit(*data)
    assert "RichProgressMonitor" not in [type(one).__name__ for one in threading.enumerate()]


def test_callbacks_stay_with_copies_not_with_files(data, tmp_path):
    record = Record()
    model = network().set_callbacks(record)
    copy = clone(model).fit(*data)
    assert record.heard == whole(5)
    copy.fit(*data, callbacks=[fastnn.ModelCheckpoint(tmp_path / "{epoch}")])
    for path in tmp_path.iterdir():
        loaded = fastnn.load(path)
        assert not [name for name in vars(loaded) if "callback" in name]
        assert loaded.n_epochs_ == int(path.name)
    with pytest.raises(TypeError, match="FitCallback"):
        model.set_callbacks(fastnn.EarlyStopping())
    assert not hasattr(fastnn.Perceptron(), "set_callbacks")
