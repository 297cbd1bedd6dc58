"""The perceptron and the linear network beside scikit-learn's, whose programs they run."""

import re
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Perceptron as Theirs
from sklearn.linear_model import SGDRegressor
from sklearn.model_selection import GridSearchCV, cross_validate

import fastnn
from fastnn.validation import unique_labels

PLAIN = {"shuffle": False, "eta0": 0.25}


@pytest.fixture
def data(rng):
    """Return samples that no line separates, labels of two and of three classes, and weights."""
    X = rng.normal(size=(60, 4))
    z = X @ rng.normal(size=(4, 3)) + rng.normal(size=(60, 3))
    return X, np.array(["no", "yes"])[(z[:, 0] > 0.4) * 1], z.argmax(axis=1), rng.integers(0, 4, 60)


def both(X, y, sample_weight=None, theirs=None, **parameters):
    """Train ours and scikit-learn's, whose updates are half as large, from one beginning."""
    n_outputs = 1 if len(np.unique(y)) == 2 else 3
    start = np.random.default_rng(5).normal(size=(n_outputs, 5))
    models = (
        (fastnn.Perceptron(**{**PLAIN, "max_iter": 7, **parameters}), 1),
        (Theirs(**{**PLAIN, "max_iter": 7, "tol": None, **parameters, **(theirs or {})}), 0.5),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs has not converged
        return [
            model.fit(X, y, f * start[:, 1:], f * start[:, 0], sample_weight) for model, f in models
        ]


def assert_same(ours, theirs):
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.coef_ == pytest.approx(2 * theirs.coef_, rel=1e-9, abs=1e-9)
    assert ours.intercept_ == pytest.approx(2 * theirs.intercept_, rel=1e-9, abs=1e-9)
    assert ours.classes_.tolist() == theirs.classes_.tolist()


@pytest.mark.parametrize("class_weight", [None, {"no": 0.3, "yes": 2}, {"yes": 3}, "balanced"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_two_classes(backend, data, class_weight, is_weighted):
    X, y, _, weights = data
    weights = weights if is_weighted else None
    same = {}
    if class_weight == "balanced" and is_weighted:  # theirs counts samples, ours their weights
        counts = {label: weights[y == label].sum() for label in ("no", "yes")}
        same["class_weight"] = {label: weights.sum() / (2 * n) for label, n in counts.items()}
    ours, theirs = both(X, y, weights, same, class_weight=class_weight)
    assert_same(ours, theirs)
    assert ours.predict(X).tolist() == theirs.predict(X).tolist()
    assert ours.score(X, y, weights) == pytest.approx(theirs.score(X, y, weights))


@pytest.mark.parametrize("is_weighted", [False, True])
def test_three_classes(backend, data, is_weighted):
    X, _, y, weights = data
    ours, theirs = both(X, y, weights if is_weighted else None)
    assert_same(ours, theirs)
    assert ours.decision_function(X) == pytest.approx(2 * theirs.decision_function(X))


def test_from_zero(backend, data):
    """The first sample, of which sign(0) = 0, moves the weights by half of what others do.

    So scikit-learn's begins with half a step for it, and with the second sample.
    """
    X, *_ = data
    y = np.where(X @ [1, -2, 3, 0.5] > 0.1, 1, -1)
    weights = np.linspace(0.5, 2, 60)
    ours = fastnn.Perceptron(weight_init="zeros", **PLAIN).fit(X, y, sample_weight=weights)
    later = np.roll(np.arange(60), -1)
    step = PLAIN["eta0"] * weights[0] * y[0] / 2
    theirs = Theirs(tol=None, max_iter=ours.n_iter_ + 5, **PLAIN)
    theirs.fit(X[later], y[later], [step * X[0]], [step], weights[later])
    assert ours.converged_
    assert ours.coef_ == pytest.approx(2 * theirs.coef_, rel=1e-9)
    assert ours.intercept_ == pytest.approx(2 * theirs.intercept_, rel=1e-9)


@pytest.mark.parametrize(("tol", "n_iter_no_change"), [(0.0, 3), (0.05, 2), (0.01, 5)])
def test_tol(backend, data, tol, n_iter_no_change):
    """The loss is in units of the weights, twice theirs."""
    X, y, _, _ = data
    options = {"max_iter": 200, "n_iter_no_change": n_iter_no_change}
    ours, theirs = both(X, y, None, {"tol": tol / 2}, tol=tol, **options)
    assert 1 < ours.n_iter_ < 200
    assert ours.stop_reason_ == "tol"
    assert_same(ours, theirs)


@pytest.mark.parametrize("seed", [0, 1, 2**32 - 1])
def test_early_stopping(backend, data, seed):
    X, y, _, weights = data
    options = {"early_stopping": True, "validation_fraction": 0.3, "random_state": seed}
    options |= {"max_iter": 100, "n_iter_no_change": 3}
    ours, theirs = both(X, y, weights + 1, {"tol": 1e-3}, **options)
    assert ours.n_iter_ < 100
    assert ours.stop_reason_ == "validation_score"
    assert_same(ours, theirs)


def test_early_stopping_needs_samples(data):
    with pytest.raises(ValueError, match=r"validation_fraction=0.1: .*early_stopping=True"):
        fastnn.Perceptron(early_stopping=True).fit(data[0][:4], [0, 1, 0, 1])


def test_partial_fit(backend, data):
    X, _, y, weights = data
    ours = fastnn.Perceptron(weight_init="zeros", **PLAIN)
    theirs = Theirs(**PLAIN)
    order = np.argsort(y, kind="stable")  # batches that hold one or two of three classes
    ours.partial_fit(X[:1], y[:1], classes=[2, 0, 1])
    theirs.partial_fit(X[:1], y[:1], [0, 1, 2])
    theirs.coef_, theirs.intercept_ = ours.coef_.copy("C") / 2, ours.intercept_ / 2
    for batch in np.split(order, 5):
        ours.partial_fit(X[batch], y[batch], sample_weight=weights[batch])
        theirs.partial_fit(X[batch], y[batch], sample_weight=weights[batch])
        assert_same(ours, theirs)
    assert ours.t_ == 1 + 1 + np.count_nonzero(weights)
    assert ours.partial_fit(X, y, [0, 1, 2]).classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("estimator", [fastnn.Perceptron, fastnn.LinearNetwork])
@pytest.mark.parametrize("online", [False, True])
def test_parts_are_the_whole(backend, data, estimator, online):
    """`warm_start` and `partial_fit` go on bit by bit, shuffles included."""
    X, _, y, weights = data
    options = {"online": online, "shuffle": True, "eta0": 0.01, "random_state": 3}
    whole = estimator(max_iter=7, **options).fit(X, y, sample_weight=weights)
    warm = estimator(max_iter=3, warm_start=True, **options).fit(X, y, sample_weight=weights)
    warm.set_params(max_iter=4).fit(X, y, sample_weight=weights)
    single = estimator(**options)
    given = {"classes": [0, 1, 2]} if estimator is fastnn.Perceptron else {}
    for _ in range(7):
        single.partial_fit(X, y, sample_weight=weights, **given)
    for parts, n_iter in ((warm, 4), (single, 1)):
        assert np.array_equal(parts.coef_, whole.coef_)
        assert np.array_equal(parts.intercept_, whole.intercept_)
        assert parts.n_iter_ == n_iter
    if estimator is fastnn.LinearNetwork:
        assert np.array_equal(warm.loss_curve_, whole.loss_curve_)
        assert np.array_equal(single.loss_curve_, whole.loss_curve_)
    else:
        assert single.t_ == whole.t_ == 1 + 7 * np.count_nonzero(weights)
        assert warm.t_ == 1 + 4 * np.count_nonzero(weights)


@pytest.mark.parametrize("estimator", [fastnn.Perceptron, fastnn.LinearNetwork])
@pytest.mark.parametrize("online", [False, True])
def test_a_weight_of_0_is_no_sample(backend, data, estimator, online):
    X, _, y, weights = data
    options = {"online": online, "shuffle": True, "eta0": 0.05, "max_iter": 9, "random_state": 0}
    one, other = estimator(**options), estimator(**options)
    one.fit(X, y, sample_weight=weights)
    counts = weights > 0
    other.fit(X[counts], y[counts], sample_weight=weights[counts])
    assert np.array_equal(one.coef_, other.coef_)
    assert np.array_equal(one.intercept_, other.intercept_)


@pytest.mark.parametrize("estimator", [fastnn.Perceptron, fastnn.LinearNetwork])
def test_a_weight_is_a_number_of_copies(backend, data, estimator):
    """In a batch."""
    X, _, y, weights = data
    options = {"online": False, "eta0": 0.05, "max_iter": 9, "tol": 1e-9, "random_state": 0}
    one, other = estimator(**options), estimator(**options)
    copies = np.repeat(np.arange(60), weights)
    one.fit(X, y, sample_weight=weights)
    other.fit(X[copies], y[copies])
    assert one.coef_ == pytest.approx(other.coef_, rel=1e-11)
    assert one.intercept_ == pytest.approx(other.intercept_, rel=1e-11)
    assert one.n_iter_ == other.n_iter_
    assert one.score(X, y, weights) == pytest.approx(other.score(X[copies], y[copies]))
    if estimator is fastnn.LinearNetwork:
        assert one.loss_curve_ == pytest.approx(other.loss_curve_, rel=1e-11)


def test_linear_network_online(backend, data):
    X, _, y, weights = data
    start = np.arange(4.0)
    ours = fastnn.LinearNetwork(online=True, eta0=0.01, max_iter=5)
    ours.fit(X, y, start, 0.5, weights)
    theirs = SGDRegressor(
        penalty=None, learning_rate="constant", eta0=0.01, shuffle=False, tol=None, max_iter=5
    ).fit(X, y, start, [0.5], weights)
    assert ours.coef_ == pytest.approx(theirs.coef_, rel=1e-11)
    assert ours.intercept_ == pytest.approx(theirs.intercept_[0], rel=1e-11)
    for _ in range(2):
        ours.partial_fit(X[::2], y[::2], weights[::2])
        theirs.partial_fit(X[::2], y[::2], weights[::2])
    assert ours.coef_ == pytest.approx(theirs.coef_, rel=1e-11)
    assert ours.score(X, y, weights) == pytest.approx(theirs.score(X, y, weights))


def test_linear_network_batch(backend, data):
    """A step by NumPy, and the weighted least squares that it leads to."""
    X, _, y, weights = data
    with_bias = np.column_stack([np.ones(60), X])
    w = np.arange(5.0)
    error = y - with_bias @ w
    model = fastnn.LinearNetwork(eta0=0.1, max_iter=1).fit(X, y, w[1:], w[0], weights)
    expected = w + 0.1 * with_bias.T @ (weights * error) / weights.sum()
    assert np.append(model.intercept_, model.coef_) == pytest.approx(expected, rel=1e-12)
    assert model.loss_ == pytest.approx(np.average(error**2, weights=weights) / 2, rel=1e-12)
    root = np.sqrt(weights)
    best = np.linalg.lstsq(with_bias * root[:, np.newaxis], y * root, rcond=None)[0]
    model.set_params(max_iter=1000).fit(X, y, sample_weight=weights)
    assert np.append(model.intercept_, model.coef_) == pytest.approx(best, rel=1e-6)


def test_class_weights_of_three_classes(backend, data):
    """A class's weight is that of its samples, in all outputs."""
    X, _, y, weights = data
    options = {"max_iter": 5, "random_state": 0}
    model = fastnn.Perceptron(class_weight={0: 2, 2: 0}, **options)
    model.fit(X, y, sample_weight=weights)
    other = fastnn.Perceptron(**options)
    other.fit(X, y, sample_weight=weights * np.array([2, 1, 0])[y])
    assert np.array_equal(model.coef_, other.coef_)


def test_history_holds_what_was_kept(backend, data):
    X, y, _, _ = data
    options = {"record_history": True, "random_state": 0, "max_iter": 60, **PLAIN}
    model = fastnn.Perceptron(tol=0.05, n_iter_no_change=2, **options).fit(X, y)
    assert model.history_.shape == (model.n_iter_, 1, 5)
    assert np.array_equal(model.history_[-1, 0, 1:], model.coef_[0])
    for n in (1, model.n_iter_):
        again = fastnn.Perceptron(**{**options, "max_iter": n}).fit(X, y)
        assert np.array_equal(again.history_, model.history_[:n])
    held_out = fastnn.Perceptron(early_stopping=True, **options).fit(X, y)
    assert len(held_out.history_) == held_out.n_iter_ > 1


def test_a_program_of_scikit_learn(data):
    """Every parameter, in a search, with another class in the import only."""
    X, y, _, weights = data
    model = fastnn.Perceptron(
        penalty=None,
        alpha=0.0001,
        l1_ratio=0.15,
        fit_intercept=True,
        max_iter=100,
        tol=0.001,
        shuffle=True,
        verbose=0,
        eta0=1.0,
        n_jobs=2,
        random_state=0,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=5,
        class_weight="balanced",
        warm_start=False,
    )
    grid = {"eta0": [0.1, 1], "class_weight": [None, {"yes": 2}], "early_stopping": [False, True]}
    search = GridSearchCV(model, grid, cv=3).fit(X, y, sample_weight=weights)
    assert search.best_score_ > 0.6
    assert search.best_estimator_.t_ > 1


@pytest.mark.parametrize("estimator", [fastnn.Perceptron, fastnn.LinearNetwork])
def test_metadata_routing(data, estimator):
    X, _, y, weights = data
    seen = []

    class Watched(estimator):
        def fit(self, X, y, coef_init=None, intercept_init=None, sample_weight=None):
            seen.append(sample_weight)
            return super().fit(X, y, sample_weight=sample_weight)

    with sklearn.config_context(enable_metadata_routing=True):
        model = Watched(eta0=0.01, max_iter=3).set_fit_request(sample_weight=True)
        model.set_partial_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        cross_validate(model, X, y, params={"sample_weight": weights}, error_score="raise")
    assert [len(found) for found in seen] == [48] * 5


WRONG = [
    ({"penalty": "l2"}, "penalty='l2': expected None, as the perceptron's rule"),
    ({"alpha": -1}, "alpha=-1: expected"),
    ({"l1_ratio": 2}, "l1_ratio=2: expected a number from 0 to 1"),
    ({"tol": -1}, "tol=-1: expected None or"),
    ({"n_iter_no_change": 0}, "n_iter_no_change=0: expected"),
    ({"early_stopping": "yes"}, "early_stopping='yes': expected True or False"),
    ({"validation_fraction": 1}, "validation_fraction=1: expected a number between 0 and 1"),
    ({"class_weight": "equal"}, "class_weight='equal': expected None, 'balanced' or a dict"),
    ({"class_weight": {"no": -1}}, "class_weight['no']=-1: expected a number of 0 or above"),
    ({"class_weight": {"maybe": 1}}, "class_weight: 'maybe' is not among the classes"),
    ({"class_weight": {"no": 0, "yes": 0}}, "expected weights of the samples with a finite sum"),
    ({"n_jobs": 0}, "n_jobs=0: expected"),
    ({"warm_start": "on"}, "warm_start='on': expected True or False"),
    ({"verbose": -1}, "verbose=-1: expected True, False or an integer of 0 or above"),
]


@pytest.mark.parametrize(("parameters", "message"), WRONG)
def test_wrong_parameters(data, parameters, message):
    model = fastnn.Perceptron(**parameters)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(data[0], data[1])
    assert not hasattr(model, "coef_")


@pytest.mark.parametrize("estimator", [fastnn.Perceptron, fastnn.LinearNetwork])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 59, "sample_weight: expected shape"),
        ([-1.0] + [1.0] * 59, "sample_weight: found -1.0"),
        (np.zeros(60), "sample_weight: every weight is zero"),
        ([np.nan] * 60, "sample_weight: contains NaN"),
    ],
)
def test_wrong_sample_weights(data, estimator, weights, message):
    X, _, y, _ = data
    model = estimator(max_iter=2).fit(X, y)
    for method in (model.fit, model.partial_fit, model.score):
        with pytest.raises(ValueError, match=message):
            method(X, y, sample_weight=weights)


def test_wrong_calls_of_partial_fit(data):
    X, y, three, _ = data
    model = fastnn.Perceptron()
    with pytest.raises(ValueError, match="classes: expected all labels at the first call"):
        model.partial_fit(X, y)
    for parameters in ({"early_stopping": True}, {"class_weight": "balanced"}):
        with pytest.raises(ValueError, match="partial_fit sees a part of the samples only"):
            fastnn.Perceptron(**parameters).partial_fit(X, y, ["no", "yes"])
    with pytest.raises(
        ValueError, match=r"y: .* at row \d+; expected labels among .*, the classes that are known"
    ):
        model.partial_fit(X, y, ["no", "maybe"])
    with pytest.raises(ValueError, match="classes: found 1 class"):
        model.partial_fit(X, y, ["no"])
    assert not hasattr(model, "coef_")
    model.partial_fit(X, y, ["no", "yes"])
    with pytest.raises(ValueError, match=r"classes=\['maybe', 'no'\]: expected None or those"):
        model.partial_fit(X, y, ["no", "maybe"])
    with pytest.raises(ValueError, match="X: X has 3 features"):
        model.partial_fit(X[:, :3], y)
    linear = fastnn.LinearNetwork(max_iter=2).fit(X, three)
    with pytest.raises(ValueError, match="y: 2 outputs; expected 1, as in the first fit"):
        linear.partial_fit(X, np.column_stack([three, three]))
    for changed, message in (({"dtype": "float32"}, "dtype: "), ({"fit_intercept": False}, "bias")):
        with pytest.raises(ValueError, match=message):
            linear.set_params(**{"dtype": "float64", **changed}).partial_fit(X, three)


def test_labels_of_plus_and_minus_1_need_not_show_both(backend):
    X = [[1.0, 0], [0, 1]]
    model = fastnn.Perceptron(class_weight="balanced").fit(X, [1, 1], sample_weight=[1, 2])
    assert model.predict(X).tolist() == [1, 1]
    model.set_params(class_weight=None).partial_fit(X, [-1, 1], [1])
    assert model.classes_.tolist() == [-1, 1]


def test_divergence_is_said(backend, data):
    X, y, _, _ = data
    with pytest.warns(RuntimeWarning, match="training diverged") as caught:
        model = fastnn.Perceptron(eta0=1e308).fit(X, y)
    assert model.stop_reason_ == "diverged"
    assert caught[0].filename == __file__


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("kind", [fastnn.Perceptron, fastnn.LinearNetwork])
def test_x_that_is_not_finite_changes_nothing(backend, kind, online, value):
    """It is found in the first epoch; the weights that it would have changed are as they were."""
    X, y = np.array([[3.0, 3], [4, 3], [1, 1], [2, 1]]), np.array([1, 1, -1, -1])
    model = kind(eta0=0.01, online=online, max_iter=3, random_state=0, verbose=False).fit(X, y)
    before = dict(vars(model))
    X[2, 1] = value
    for fit in (model.fit, model.partial_fit):
        with pytest.raises(ValueError, match=r"^X: contains .* first at index \(2, 1\)"):
            fit(X, y)
        assert vars(model) == before


@pytest.mark.parametrize(
    "labels",
    [
        [3, 3],
        [-1, 1],
        [-128, 127, 0],
        [5, 2, 900, 3],
        [2**63, 2**64 - 1, 2**63 + 1],
        [2.0, -3.0, 7.0],
        [1e300, -1e300, 0.0],
        [True, False],
        ["b", "a"],
    ],
)
def test_unique_labels(labels):
    for y in (np.array(labels), np.array(labels * 300)):
        found = unique_labels(y)
        assert found.dtype == y.dtype
        np.testing.assert_array_equal(found, np.unique(y))


def test_unique_labels_of_small_integers():
    y = np.array([-128, 127, 0] * 100, np.int8)
    np.testing.assert_array_equal(unique_labels(y), np.unique(y))


def test_unique_labels_in_half_precision():
    """2050 - (-1) is no number of 16 bits."""
    y = np.array([-1, 0, 2050] + [0] * 3000, np.float16)
    np.testing.assert_array_equal(unique_labels(y), np.unique(y))
