"""Our searches give what scikit-learn's give; the networks are trained together."""

import copy
import pickle
import re
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats
from sklearn import config_context, model_selection
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.decomposition import PCA
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler, scale

import fastnn
from fastnn import backends, together, turns, workers

X, Y = load_iris(return_X_y=True)
X = scale(X)
rows = np.random.default_rng(0).permutation(len(X))[:60]
X, Y = X[rows], Y[rows]
NAMES = np.array(["a", "b", "c"])[Y]
GROUPS = np.arange(len(X)) % 5
X_d, Y_d = (table[:60] for table in load_diabetes(return_X_y=True))
X_m, Y_m = make_multilabel_classification(60, random_state=0)
SHORT = {"max_iter": 4, "tol": None, "learning_rate_init": 0.02, "random_state": 0}


def network(*args, **changes):
    return fastnn.MLPClassifier(*args or [(4,)], **{**SHORT, **changes})


def regressor(**changes):
    return fastnn.MLPRegressor((4,), **{**SHORT, **changes})


def both(estimator, grid, *data, kind="GridSearchCV", fit=(), **parameters):
    """Return scikit-learn's search, and ours of the same parameters."""
    data, searches = data or (X, Y), []
    parameters = {"cv": 3, **parameters}
    for module in (model_selection, fastnn):
        own = copy.deepcopy(parameters)  # with its random numbers
        search = getattr(module, kind)(estimator, grid, **own)
        searches.append(search.fit(*data, **dict(fit)))
    return searches


def shown(value):
    return re.sub(" at 0x[0-9A-Fa-f]+", "", str(value))


def check_same(theirs, ours):
    """Assert that two searches have found the same, and know the same of it."""
    assert list(ours.cv_results_) == list(theirs.cv_results_)
    for name, expected in theirs.cv_results_.items():
        found = ours.cv_results_[name]
        assert type(found) is type(expected)
        if name.endswith("_time"):
            assert found.shape == expected.shape
            assert (found >= 0).all()
        elif name.startswith("param"):
            assert shown(found) == shown(expected)
        else:
            assert found.dtype == expected.dtype
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10)
    assert vars(ours).keys() == vars(theirs).keys()
    assert shown(ours.get_params()) == shown(theirs.get_params())
    if hasattr(theirs, "best_params_"):
        assert shown(ours.best_params_) == shown(theirs.best_params_)
    if hasattr(theirs, "best_estimator_"):
        one, other = theirs.best_estimator_, ours.best_estimator_
        assert type(one) is type(other)
        assert vars(one).keys() == vars(other).keys()


GRID = {"alpha": [0.0, 0.5], "learning_rate_init": [1e-4, 0.05], "hidden_layer_sizes": [(3,), (6,)]}
IN_PIPE = {"mlpclassifier__alpha": [0.0, 0.5], "mlpclassifier__learning_rate_init": [1e-4, 0.05]}
CASES = {
    "network": lambda: both(network(), GRID, return_train_score=True),
    "names": lambda: both(network(), GRID, X, NAMES),
    "lists": lambda: both(network(), {"alpha": [0, 1]}, X.tolist(), NAMES.tolist()),
    "frames": lambda: both(
        make_pipeline(StandardScaler().set_output(transform="pandas"), network()),
        IN_PIPE,
        pd.DataFrame(X, columns=list("abcd")),
        pd.Series(NAMES),
    ),
    "sparse": lambda: both(network(), {"alpha": [0, 1]}, sparse.csr_matrix(X), Y),
    "sparse, by columns": lambda: both(network(), {"alpha": [0, 1]}, sparse.csc_array(X), Y),
    "several labels": lambda: both(network(), {"alpha": [0, 1]}, X_m, Y_m),
    "regression": lambda: both(regressor(), {"alpha": [0, 1]}, X_d, Y_d / 100),
    "several outputs": lambda: both(
        regressor(), {"batch_size": [8, 16]}, X_d, np.stack([Y_d, -Y_d], 1) / 100
    ),
    "class weights": lambda: both(
        network(), {"class_weight": [None, "balanced", {0: 9, 1: 1, 2: 1}]}
    ),
    "early stopping": lambda: both(network(), {"early_stopping": [True, False], "tol": [1e-4]}),
    "solvers": lambda: both(network(), {"solver": ["adam", "sgd", "lbfgs"]}),
    "float32": lambda: both(network(), {"dtype": ["float32", "float64"]}, X.astype(np.float32), Y),
    "RandomState": lambda: both(
        network(random_state=np.random.RandomState(3)), {"alpha": [0, 1], "random_state": [7]}
    ),
    "a RandomState for all": lambda: both(
        network(random_state=np.random.RandomState(3)), {"alpha": [0, 1]}
    ),
    "pipeline": lambda: both(
        make_pipeline(StandardScaler(), PCA(2), network()), IN_PIPE, return_train_score=True
    ),
    "preparations": lambda: both(
        make_pipeline(MinMaxScaler(), PCA(2), network()),
        [{"pca__n_components": [1, 3], "mlpclassifier__alpha": [0, 1]}, {"minmaxscaler": [None]}],
    ),
    "functions": lambda: both(
        make_pipeline(FunctionTransformer(lambda X: X**2), network()),
        {"mlpclassifier__alpha": [0, 1], "functiontransformer__func": [None, lambda X: X**3]},
    ),
    "pipeline in a pipeline": lambda: both(
        Pipeline(
            [("scale", MinMaxScaler()), ("inner", Pipeline([("pca", PCA(3)), ("net", network())]))]
        ),
        {
            "inner__pca__n_components": [2, 3],
            "inner__net__alpha": [0, 1],
            "scale": [None, MinMaxScaler()],
        },
    ),
    "other kinds": lambda: both(
        Pipeline([("scale", StandardScaler()), ("model", network())]),
        {"model": [network((3,)), LogisticRegression(), network((3, 3), max_iter=2)]},
    ),
    "no network": lambda: both(LogisticRegression(), {"C": [0.1, 1]}, n_jobs=1),
    "splitter": lambda: both(network(), GRID, cv=ShuffleSplit(3, random_state=1)),
    "random splits": lambda: both(
        network(),
        {"alpha": [0, 1]},
        cv=KFold(3, shuffle=True, random_state=np.random.RandomState(0)),
    ),
    "splits": lambda: both(network(), GRID, cv=[(range(40), range(40, 60)), (range(30), range(9))]),
    "masks": lambda: both(network(), GRID, cv=[(X[:, 0] < 0, X[:, 0] >= 0)]),
    "pairs": lambda: both(make_pipeline(FirstColumns(), network()), IN_PIPE, X @ X.T, Y),
    "groups": lambda: both(network(), GRID, cv=GroupKFold(3), fit={"groups": GROUPS}),
    "one score": lambda: both(network(), GRID, scoring="f1_macro"),
    "scores": lambda: both(
        network(), GRID, scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss"
    ),
    "scores of a function": lambda: both(network(), GRID, scoring=two_scores, refit="first"),
    "no refit": lambda: both(network(), GRID, refit=False),
    "refit chosen": lambda: both(network(), GRID, refit=lambda found: 3),
    "sample weights": lambda: both(network(), GRID, fit={"sample_weight": GROUPS + 1.0}),
    "sample weights in a pipeline": lambda: both(
        make_pipeline(StandardScaler(), network()),
        IN_PIPE,
        fit={"mlpclassifier__sample_weight": (GROUPS + 1.0).tolist()},
    ),
    "validation data": lambda: both(network(), GRID, fit={"validation_data": (X, Y)}),
    "at random": lambda: both(
        network(),
        {"alpha": stats.loguniform(1e-4, 1), "learning_rate_init": stats.uniform(1e-3, 0.1)},
        kind="RandomizedSearchCV",
        n_iter=4,
        random_state=0,
    ),
    "halving": lambda: both(
        network(), {"alpha": [0.0, 0.5, 1.0, 2.0]}, kind="HalvingGridSearchCV", random_state=0
    ),
    "halving by epochs": lambda: both(
        network(),
        {"learning_rate_init": stats.loguniform(1e-4, 1)},
        kind="HalvingRandomSearchCV",
        resource="max_iter",
        max_resources=9,
        random_state=0,
    ),
}


CALLS = {"no network": 0, "validation data": 0, "halving": 2, "halving by epochs": 3, "pairs": 0}


def two_scores(model, X, y):
    assert type(model) is fastnn.MLPClassifier
    return {"first": model.score(X, y), "second": model.n_iter_}


@pytest.fixture
def calls(monkeypatch):
    """Return a list of the numbers of fits that are trained together."""
    calls = []

    def counted(jobs, fit_together=turns.fit_together, **options):
        calls.append(len(jobs))
        return fit_together(jobs, **options)

    monkeypatch.setattr(turns, "fit_together", counted)
    return calls


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_it_finds_what_scikit_learn_finds(name, calls):
    check_same(*CASES[name]())
    assert len(calls) == CALLS.get(name, 1)  # more would mean that some were refused


def test_all_candidates_and_folds_go_into_one_call(calls):
    both(make_pipeline(StandardScaler(), network()), IN_PIPE)
    assert calls == [12]


def test_workers_that_joblib_names_train_the_networks(monkeypatch):
    """What is left to scikit-learn stays in this process, whatever was named."""
    grid = {"alpha": [0.0, 0.1, 1.0]}
    here = fastnn.GridSearchCV(network(), grid, cv=3).fit(X, Y)
    monkeypatch.setattr(workers, "WORK_OF_PART", 1.0)
    sent, run_on_workers = [], together.run_on_workers

    def counted(function, calls):
        sent.append(len(calls))
        return run_on_workers(function, calls)

    monkeypatch.setattr(together, "run_on_workers", counted)
    with joblib.parallel_config("loky", n_jobs=2):
        away = fastnn.GridSearchCV(network(), grid, cv=3).fit(X, Y)
    assert sent == [8]
    assert np.array_equal(away.cv_results_["mean_test_score"], here.cv_results_["mean_test_score"])
    assert np.array_equal(away.best_estimator_.params_, here.best_estimator_.params_)


@pytest.mark.parametrize("limit", ["FITS_AT_ONCE", "BYTES_AT_ONCE"])
def test_memory_is_limited(limit, calls, monkeypatch):
    monkeypatch.setattr(turns, limit, 5 if limit == "FITS_AT_ONCE" else 1)
    searches = both(make_pipeline(StandardScaler(), network()), IN_PIPE)
    check_same(*searches)
    assert calls == ([5, 5, 2] if limit == "FITS_AT_ONCE" else [1] * 12)
    times = searches[1].cv_results_["mean_fit_time"]
    assert (times > 0).all()


def test_time_is_shared_evenly_before_the_best_is_chosen():
    seen = []

    def first(found):
        seen.append(found["mean_fit_time"].copy())
        return 0

    found = fastnn.GridSearchCV(network(), GRID, cv=3, refit=first).fit(X, Y).cv_results_
    assert np.ptp(found["mean_fit_time"]) == pytest.approx(0, abs=1e-12)
    assert found["std_fit_time"] == pytest.approx(0, abs=1e-12)
    assert (seen[0] == found["mean_fit_time"]).all()


class FirstColumns(TransformerMixin, BaseEstimator):
    """Takes a table with a row and a column for each sample."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.pairwise = True
        return tags

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X[:, :9]


class Counting(TransformerMixin, BaseEstimator):
    """A scaler that counts all fits."""

    fits = 0

    def __init__(self, power=1):
        self.power = power

    def fit(self, X, y=None, sample_weight=None):
        Counting.fits += 1
        self.mean_ = np.average(X, axis=0, weights=sample_weight)
        return self

    def transform(self, X):
        return (X - self.mean_) ** self.power


def test_what_precedes_a_network_is_fitted_once_for_each_fold_and_setting(monkeypatch):
    monkeypatch.setattr(turns, "FITS_AT_ONCE", 4)
    grid = {"counting__power": [1, 2], **IN_PIPE}
    search = fastnn.GridSearchCV(make_pipeline(Counting(), network()), grid, cv=3, refit=False)
    monkeypatch.setattr(Counting, "fits", 0)
    search.fit(X, Y)
    assert Counting.fits == 2 * 3
    monkeypatch.setattr(turns, "BYTES_AT_ONCE", 1)  # what was fitted is forgotten
    search.fit(X, Y)
    assert Counting.fits == 2 * 3 + 2 * 4 * 3


@pytest.mark.filterwarnings("ignore")
def test_weights_are_routed():
    """To the estimators that ask for them, folds in step; others do not get them."""
    with config_context(enable_metadata_routing=True):
        asks = network().set_fit_request(sample_weight=True)
        silent = network().set_fit_request(sample_weight=False)
        before = Counting().set_fit_request(sample_weight=True)
        searches = both(
            Pipeline([("before", before), ("net", asks)]),
            {"net": [asks, silent], "net__alpha": [0, 1]},
            cv=GroupKFold(3),
            scoring=get_scorer("neg_log_loss").set_score_request(sample_weight=True),
            fit={"sample_weight": 1.0 + 9 * (Y == 2), "groups": GROUPS},
        )
    check_same(*searches)
    scores = searches[1].cv_results_["mean_test_score"]
    assert scores[0] != scores[2]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("grid", "sizes"),
    [
        ({"alpha": [0, -1, 1, 2]}, [12, 6, 3, 3, 1, 2, 1, 1, 6]),
        ({"hidden_layer_sizes": [(3,), "?", (4,)]}, [6]),
        ({"loss": ["??", "hinge"]}, [6, 3, 1, 2, 1, 1, 3]),
    ],
)
def test_a_fit_that_fails_has_no_score(grid, sizes, calls):
    """The others are trained together: halves tell which it is."""
    theirs, ours = both(network(), grid, refit=False)
    check_same(theirs, ours)
    assert np.isnan(ours.cv_results_["mean_test_score"]).sum() == 1
    assert calls == sizes


def test_a_fit_that_fails_says_why():
    search = fastnn.GridSearchCV(network(), {"alpha": [0, -1]}, cv=2)
    with (
        pytest.warns(FitFailedWarning, match=r"2 fits failed(.|\n)*alpha=-1: expected"),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(X, Y)
    assert search.best_params_ == {"alpha": 0}
    search.set_params(error_score="raise")
    with pytest.raises(ValueError, match="alpha=-1: expected"):
        search.fit(X, Y)
    search.set_params(param_grid={"alpha": [-2, -1]}, error_score=np.nan)
    with pytest.raises(ValueError, match=r"All the 4 fits failed(.|\n)*alpha=-2: expected"):
        search.fit(X, Y)
    before = make_pipeline(PCA(9), network())
    with pytest.raises(ValueError, match=r"n_components=9 must be between"):
        fastnn.GridSearchCV(before, IN_PIPE, error_score="raise").fit(X, Y)


@pytest.mark.filterwarnings("ignore")
def test_what_diverges_has_the_score_that_it_has_alone():
    grid = {"learning_rate_init": [0.01, 1e200]}
    model = regressor(solver="sgd")
    theirs, ours = both(model, grid, X_d, Y_d)
    check_same(theirs, ours)
    assert np.isnan(ours.cv_results_["mean_test_score"]).tolist() == [False, True]


def failing(model, X, y):
    raise ArithmeticError("no score today")


@pytest.mark.parametrize(
    ("grid", "options", "error", "message"),
    [
        ({"alpha": []}, {}, ValueError, "alpha.*non-empty sequence"),
        ([], {}, ValueError, "No fits were performed"),
        ({"alfa": [1]}, {}, ValueError, "Invalid parameter 'alfa' for estimator MLPClassifier"),
        ({"alpha": [1]}, {"scoring": failing, "error_score": "raise"}, ArithmeticError, "no score"),
        ({"alpha": [1]}, {"scoring": "acuracy"}, ValueError, "'acuracy'"),
        ({"alpha": [1]}, {"cv": 61}, ValueError, "n_splits=61"),
        ({"alpha": [1]}, {"n_jobs": "all"}, ValueError, "n_jobs"),
    ],
)
def test_errors_are_scikit_learns(grid, options, error, message):
    said = []
    for module in (model_selection, fastnn):
        model = network()
        search = module.GridSearchCV(model, grid, **options)
        with pytest.raises(error, match=message) as raised:
            search.fit(X, Y)
        said.append(str(raised.value))
        assert search.estimator is model
        assert not hasattr(search, "cv_results_")
        assert search.get_params(deep=False)["cv"] == options.get("cv")
    assert said[0] == said[1]


def test_a_scorer_that_fails_leaves_no_score():
    search = fastnn.GridSearchCV(network(), {"alpha": [0, 1]}, scoring=failing, refit=False)
    with (
        pytest.warns(UserWarning, match=r"Scoring failed(.|\n)*no score today"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"]).all()


def test_ctrl_c_ends_a_search(monkeypatch):
    """In the loop of the trainings, whatever is one, and while a pipeline is fitted."""

    def interrupted(*args):
        raise KeyboardInterrupt

    search = fastnn.GridSearchCV(make_pipeline(Counting(), network()), IN_PIPE, cv=2)
    with monkeypatch.context() as patch:
        for name in ("mlp_train", "mlp_train_many"):
            patch.setattr(backends.kernels(), name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            search.fit(X, Y)
    with monkeypatch.context() as patch:
        patch.setattr(Counting, "transform", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search.fit(X, Y)
    assert not hasattr(search, "cv_results_")
    assert search.fit(X, Y).best_score_ > 0


def test_a_search_can_be_cloned_kept_and_searched():
    search = fastnn.GridSearchCV(network(), {"alpha": [0, 1]}, cv=2, n_jobs=2).fit(X, Y)
    again = pickle.loads(pickle.dumps(search))
    assert (again.predict(X) == search.predict(X)).all()
    assert again.score(X, Y) == search.score(X, Y)
    assert clone(search).get_params().keys() == search.get_params().keys()
    assert model_selection.cross_val_score(search, X, Y, cv=2).shape == (2,)


def test_a_subclass_with_a_search_of_its_own(calls):
    class Twice(fastnn.GridSearchCV):
        def _run_search(self, evaluate_candidates):
            found = evaluate_candidates([{"alpha": 0}, {"alpha": 1}])
            best = found["params"][found["mean_test_score"].argmax()]["alpha"]
            evaluate_candidates([{"alpha": best + 0.1}])

    search = Twice(network(), {}, cv=3).fit(X, Y)
    assert len(search.cv_results_["params"]) == len(search.cv_results_["mean_fit_time"]) == 3
    assert calls == [6, 3]


def test_callbacks_of_scikit_learn_see_every_epoch(calls):
    pytest.importorskip("sklearn.callback")

    class Counter:
        n_tasks = 0

        def setup(self, estimator, context):
            pass

        def teardown(self, estimator, context):
            pass

        def on_fit_task_begin(self, estimator, context):
            pass

        def on_fit_task_end(self, estimator, context):
            Counter.n_tasks += 1

    model = network().set_callbacks(Counter())
    fastnn.GridSearchCV(model, {"alpha": [0, 1]}, cv=2, refit=False).fit(X, Y)
    assert Counter.n_tasks == 4 * (1 + SHORT["max_iter"])
    assert calls == []


def test_import_stays_light():
    program = "import sys, fastnn; print([m for m in sys.modules if m.startswith('sklearn')])"
    command = [sys.executable, "-c", program]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"
