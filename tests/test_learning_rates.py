"""Learning rates that change, L-BFGS: against scikit-learn, PyTorch and SciPy."""

import itertools
import warnings
from math import cos, pi

import numpy as np
import pytest
from conftest import relative_error
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor
from test_independent import train_sklearn

import fastnn
from fastnn.learning_rates import SCHEDULES, LearningRates


def rates(learning_rate, n=20, initial=0.1, **given):
    return LearningRates(learning_rate, n, 8, **given).of(initial, 0, n)


def test_formulas():
    e = np.arange(20)
    assert np.array_equal(rates("constant"), np.full(20, 0.1))
    assert np.allclose(rates("invscaling"), 0.1 / np.sqrt(8 * e + 1), rtol=1e-14)
    assert np.allclose(rates(("invscaling", 2)), 0.1 / (8 * e + 1.0) ** 2, rtol=1e-14)
    assert np.allclose(rates(("exponential", 0.9)), 0.1 * 0.9**e, rtol=1e-14)
    assert np.allclose(rates(("step", 7, 0.5)), 0.1 * 0.5 ** (e // 7), rtol=1e-14)
    halfway = [0.1 * (0.2 + 0.8 * (1 + cos(pi * k / 20)) / 2) for k in e]
    assert np.allclose(rates(("cosine", 0.2)), halfway, rtol=1e-14)
    assert np.array_equal(rates(lambda epoch: 1 / (epoch + 1)), 1 / (e + 1))
    assert np.array_equal(rates([0.3, 0.2], 4), [0.3, 0.2, 0.2, 0.2])
    assert np.allclose(rates("constant", decay=0.5), 0.1 * 0.5**e, rtol=1e-14)


def test_pytorch():
    torch = pytest.importorskip("torch")
    schedulers = torch.optim.lr_scheduler
    cases = {
        ("exponential", 0.9): lambda o: schedulers.ExponentialLR(o, 0.9),
        ("step", 3, 0.4): lambda o: schedulers.StepLR(o, 3, 0.4),
        ("cosine", 0.1): lambda o: schedulers.CosineAnnealingLR(o, 20, 0.01),
        ("one_cycle", 0.3): lambda o: schedulers.OneCycleLR(o, 0.1, 20, cycle_momentum=False),
        ("one_cycle", 0.45): lambda o: schedulers.OneCycleLR(
            o, 0.1, 20, pct_start=0.45, cycle_momentum=False
        ),
    }
    for ours, make in cases.items():
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
        scheduler, found = make(optimizer), []
        for _ in range(20):
            found.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        assert np.allclose(rates(ours), found, rtol=1e-12), ours


def start(rng, sizes=(5, 8, 1)):
    coefs = [0.5 * rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    return coefs, [0.5 * rng.normal(size=n) for n in sizes[1:]]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("nesterov", [True, False])
def test_scikit_learns_invscaling_and_momentum(backend, rng, nesterov):
    """With its names and defaults."""
    X, y = rng.normal(size=(30, 5)), rng.integers(0, 2, 30)
    coefs, intercepts = start(rng)
    common = {
        "hidden_layer_sizes": (8,),
        "solver": "sgd",
        "learning_rate": "invscaling",
        "learning_rate_init": 0.2,
        "nesterovs_momentum": nesterov,
        "alpha": 0.1,
        "batch_size": 7,
        "max_iter": 12,
        "shuffle": False,
        "n_iter_no_change": 100,
    }
    theirs = train_sklearn(SklearnClassifier(tol=0.0, **common), X, y, coefs, intercepts)
    # Its second fit begins with the initial rate, but has counted the samples of the first one.
    later = LearningRates("invscaling", 13, 30).of(0.2, 2, 11).tolist()
    common["learning_rate"] = [0.2, *later]
    ours = fastnn.MLPClassifier(tol=None, **common).fit(
        X, y, coefs_init=coefs, intercepts_init=intercepts
    )
    assert relative_error(ours.coefs_[0], theirs.coefs_[0]) < 1e-9
    assert relative_error(ours.intercepts_[1], theirs.intercepts_[1]) < 1e-9


def test_adaptive():
    """A plateau lowers the rate, by 5 each time, until it is below 1e-6."""
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier(
        (3,), "tanh", solver="sgd", learning_rate="adaptive", learning_rate_init=1e-4, tol=1e9
    ).set_params(n_iter_no_change=2, max_iter=1000, random_state=0, verbose=False)
    model.fit(X, y)
    # The first epoch is better than none; then three idle ones for each of 1e-4, 2e-5, 4e-6.
    assert model.n_iter_ == 3 * 3 + 1
    assert model.stop_reason_ == "tol"
    assert fastnn.MLPClassifier.fit(model.set_params(learning_rate="constant"), X, y).n_iter_ == 4


@pytest.mark.parametrize("name", SCHEDULES)
def test_going_on_is_as_one_fit(backend, name, rng):
    """However many epochs a call has: bitwise, on every back end."""
    X, y = rng.normal(size=(20, 3)), rng.integers(0, 3, 20)
    common = {"random_state": 1, "tol": None, "learning_rate": name, "verbose": False}
    whole = fastnn.MLPClassifier((4,), max_iter=9, **common).fit(X, y)
    part = fastnn.MLPClassifier((4,), max_iter=4, warm_start=True, **common)
    if name in ("cosine", "one_cycle"):  # they look at the end
        part.set_params(max_iter=9)
        part.fit(X, y, callbacks=[Stop(4)])
        part.set_params(max_iter=5).fit(X, y)
    else:
        part.fit(X, y)
        part.set_params(max_iter=5).fit(X, y)
    assert part.n_epochs_ == 9
    assert np.array_equal(part.params_, whole.params_)


class Stop:
    def __init__(self, epoch):
        self.epoch = epoch

    def on_epoch_end(self, epoch):
        return epoch.number == self.epoch


@pytest.mark.parametrize(
    ("learning_rate", "message"),
    [
        ("linear", "learning_rate='linear': expected one of 'constant'"),
        (None, "learning_rate=None: expected one of 'constant'"),
        (0.1, "learning_rate=0.1: expected one of 'constant'"),
        ([], "learning_rate=\\[\\]: expected one of"),
        ([0.1, -1], "learning_rate\\[1\\]=-1: expected a number above 0"),
        (("step", 2.5), "every of 'step'=2.5: expected an integer of 1 or above"),
        (("exponential", 1.5), "factor of 'exponential'=1.5: expected a number above 0, at most 1"),
        (("cosine", 0.1, 2), "'cosine' takes last"),
        (lambda epoch: -1.0, "learning_rate\\(0\\)=-1.0: expected a number above 0"),
        (lambda epoch: float("nan"), "learning_rate\\(0\\)=nan: expected a number above 0"),
    ],
)
def test_bad_rates(learning_rate, message):
    X, y = fastnn.load_xor()
    with pytest.raises(ValueError, match=message):
        fastnn.MLPClassifier((2,), learning_rate=learning_rate, verbose=False).fit(X, y)


# --- L-BFGS ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["classes", "numbers"])
def test_lbfgs_is_as_good_as_scikit_learns(backend, kind, rng):
    X = rng.normal(size=(40, 5))
    y = (X[:, 0] * X[:, 1] > 0).astype(int) if kind == "classes" else np.sin(X[:, 0]) + X[:, 1]
    coefs, intercepts = start(rng)
    common = {"solver": "lbfgs", "alpha": 0.5, "max_iter": 60, "tol": 1e-6}
    theirs = (SklearnClassifier if kind == "classes" else SklearnRegressor)(
        hidden_layer_sizes=(8,), activation="tanh", **common
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = train_sklearn(theirs, X, y, coefs, intercepts)
    ours = (fastnn.MLPClassifier if kind == "classes" else fastnn.MLPRegressor)(
        (8,), "tanh", verbose=False, **common
    ).fit(X, y, coefs_init=coefs, intercepts_init=intercepts)
    penalty = 0.5 / 2 / 40 * sum(float((W * W).sum()) for W in ours.coefs_)
    # One path at first; then rounding parts them, and they end in minima as good.
    assert ours.loss_ + penalty == pytest.approx(theirs.loss_, rel=0.02)
    assert ours.n_iter_ == len(ours.loss_curve_) <= 60


def test_lbfgs_reaches_the_minimum_that_scipy_does(backend, rng):
    """Of a convex loss: logistic regression."""
    X = rng.normal(size=(50, 4))
    y = (X @ [1.0, -2, 0.5, 0] + 0.3 * rng.normal(size=50) > 0).astype(int)
    from sklearn.linear_model import LogisticRegression

    theirs = LogisticRegression(C=1 / 0.7, tol=1e-10, max_iter=1000).fit(X, y)
    ours = fastnn.MLPClassifier(
        (), solver="lbfgs", alpha=0.7, tol=1e-9, max_iter=200, random_state=0, verbose=False
    ).fit(X, y)
    assert relative_error(ours.coefs_[0][:, 0], theirs.coef_[0]) < 1e-4
    assert ours.stop_reason_ == "tol"


def test_lbfgs_stops_and_is_saved(tmp_path, rng):
    X, y = rng.normal(size=(30, 3)), rng.integers(0, 2, 30)
    model = fastnn.MLPClassifier((4,), solver="lbfgs", verbose=False, random_state=0)
    model.fit(X, y, callbacks=[Stop(3)])
    assert (model.n_iter_, model.stop_reason_) == (3, "callback")
    model.save(tmp_path / "model")
    again = fastnn.load(tmp_path / "model")
    assert np.array_equal(again.predict_proba(X), model.predict_proba(X))
    once_more = again.set_params(warm_start=True, max_iter=5).fit(X, y)
    assert once_more.loss_ < model.loss_
    assert once_more.n_epochs_ == 8
    assert model.set_params(loss_threshold=10.0, max_iter=9).fit(X, y).n_iter_ == 1
    assert model.set_params(max_iter=0).fit(X, y).n_iter_ == 0


def test_lbfgs_obeys_the_rule_of_weights():
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier((4,), solver="lbfgs", tol=None, random_state=0, verbose=False)
    model.set_params(weight_threshold=1e9).fit(X, y)
    assert (model.n_iter_, model.stop_reason_) == (1, "weight_threshold")
    model.set_params(weight_threshold=0.0).fit(X, y)
    assert model.stop_reason_ != "weight_threshold"


@pytest.mark.parametrize(
    ("name", "value"), [("l1", 0.1), ("max_norm", 1.0), ("dropout", 0.5), ("dropout", [0.1])]
)
def test_what_lbfgs_cannot_have(name, value):
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier((2,), solver="lbfgs", verbose=False).set_params(**{name: value})
    with pytest.raises(ValueError, match=f"{name}=.*solver='lbfgs' goes with"):
        model.fit(X, y)
