"""Whatever ends a call, at any moment: what belongs together stays together."""

import os
import signal
import time
import warnings

import numpy as np
import pytest
from sklearn.base import clone

import fastnn

# By hand: FASTNN_INTERRUPTS=1000 pytest tests/test_interrupts.py
N = int(os.environ.get("FASTNN_INTERRUPTS", "200"))
pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer signals here")


class Timeout(Exception):
    """What a signal handler of a user's may raise."""


def interrupted(seconds, exception, call, *arguments, **named):
    """Call something, and raise in the main thread after so long: between any two instructions.

    Returns what the call returns, None if the exception came out of it.
    """
    armed = True

    def handler(number, frame):
        if armed:
            raise exception

    before = signal.signal(signal.SIGALRM, handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # Again after a while: what is raised in a callback of the garbage collector gets lost.
            signal.setitimer(signal.ITIMER_REAL, seconds, 3)
            return call(*arguments, **named)
    except (KeyboardInterrupt, Timeout):
        return None
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)).astype(np.float32), rng.integers(0, 3, 60)


def network(max_iter, seed=3, **changes):
    given = {"batch_size": 7, "dropout": 0.2, "tol": None, "verbose": False}
    return fastnn.MLPClassifier((8,), max_iter=max_iter, random_state=seed, **{**given, **changes})


def moments_of(rng, n):
    """Return random waits in seconds: from before the first instruction to many calls later."""
    return np.minimum(rng.exponential(0.02, n), 0.2).tolist()


def assert_whole(model, data, seed=3):
    """Check the counters, and that going on gives the uninterrupted training, bit by bit."""
    n = model.n_epochs_
    assert len(model.loss_curve_) == model.n_iter_ == n
    assert model.solver_state_.step == n * 9
    model.set_params(warm_start=True, max_iter=2).fit(*data)
    whole = network(n + 2, seed).fit(*data)
    assert np.array_equal(model.params_, whole.params_)
    assert np.array_equal(model.solver_state_.moments, whole.solver_state_.moments)
    assert np.array_equal(model.loss_curve_, whole.loss_curve_)


@pytest.mark.parametrize("n", [10, pytest.param(N, marks=pytest.mark.slow)])
def test_fit(backend, data, n, tmp_path):
    rng = np.random.default_rng(1)
    network(3).fit(*data)  # what is loaded once is loaded now
    n_trained = 0
    for i, seconds in enumerate(moments_of(rng, n)):
        model = network(10**6)
        interrupted(seconds, (KeyboardInterrupt, Timeout)[i % 2], model.fit, *data)
        if not hasattr(model, "params_"):
            continue  # before the fit had begun: nothing was changed
        assert model.stop_reason_ == "interrupted"
        n_trained += model.n_epochs_ > 0
        if i % 3 == 0:
            model.save(tmp_path / "m")
            model = fastnn.load(tmp_path / "m")
        assert_whole(model, data)
    assert n_trained > n / 10


@pytest.mark.parametrize("n", [6, pytest.param(N // 4, marks=pytest.mark.slow)])
def test_what_is_measured_belongs_to_complete_epochs(data, n):
    rng = np.random.default_rng(6)
    network(3).fit(*data, validation_data=data)
    n_trained = 0
    for seconds in moments_of(rng, n):
        model = network(10**6)
        interrupted(seconds, Timeout, model.fit, *data, validation_data=data)
        if hasattr(model, "params_"):
            history = model.history_
            assert history.get("val_epoch", []) == list(range(1, model.n_epochs_ + 1))
            assert len(history["loss"]) == model.n_epochs_
            n_trained += model.n_epochs_ > 0
    assert n_trained > n / 10


@pytest.mark.parametrize("n", [6, pytest.param(N // 4, marks=pytest.mark.slow)])
def test_train_many(backend, data, n):
    rng = np.random.default_rng(2)
    fastnn.train_many(network(3), *data, random_state=range(4))
    n_trained = 0
    for seconds in (*moments_of(rng, n), 2.0):  # by then a busy machine has begun as well
        many = {"random_state": range(4)}
        models = interrupted(
            seconds, KeyboardInterrupt, fastnn.train_many, network(10**5, n_jobs=2), *data, **many
        )
        models = models or []
        for seed in rng.permutation(len(models))[:1].tolist():
            model, n_epochs = models[seed], models[seed].n_epochs_
            n_trained += n_epochs > 0
            whole = fastnn.train_many(network(n_epochs), *data, random_state=[seed])[0]
            assert len(model.loss_curve_) == model.n_iter_ == n_epochs
            assert model.solver_state_.step == n_epochs * 9
            assert np.array_equal(model.params_, whole.params_)
            assert np.array_equal(model.solver_state_.moments, whole.solver_state_.moments)
            assert np.array_equal(model.loss_curve_, whole.loss_curve_)
    assert n_trained > 0


@pytest.mark.parametrize("n", [6, pytest.param(N // 4, marks=pytest.mark.slow)])
def test_linear_network_and_perceptron(backend, data, n):
    rng = np.random.default_rng(3)
    X, y = data
    for seconds in moments_of(rng, n):
        model = fastnn.LinearNetwork(eta0=1e-3, online=True, max_iter=10**8, random_state=0)
        interrupted(seconds, KeyboardInterrupt, model.fit, X, y)
        if hasattr(model, "n_iter_"):
            assert len(model.loss_curve_) == model.n_iter_
            model.set_params(max_iter=model.n_iter_)
            assert np.array_equal(model.coef_, clone(model).fit(X, y).coef_)
        model = fastnn.Perceptron(max_iter=10**8, random_state=0, shuffle=True)
        interrupted(seconds, Timeout, model.fit, X, y)
        if hasattr(model, "n_iter_"):
            model.set_params(max_iter=model.n_iter_)
            assert np.array_equal(model.coef_, clone(model).fit(X, y).coef_)


@pytest.mark.parametrize("n", [20, pytest.param(N, marks=pytest.mark.slow)])
def test_save(data, n, tmp_path):
    """A file that is replaced is the old one or the new one, and nothing else is left."""
    rng = np.random.default_rng(4)
    models = [network(1).fit(*data), network(2).fit(*data)]
    path = tmp_path / "m"
    models[0].save(path)
    begin = time.perf_counter()
    for _ in range(10):
        models[0].save(path)
    usual = (time.perf_counter() - begin) / 10
    for i in range(n):
        exception = (KeyboardInterrupt, Timeout)[i % 2]
        interrupted(rng.uniform(1e-5, 1.5 * usual), exception, models[i % 2].save, path)
        assert fastnn.load(path).n_epochs_ in (1, 2)
    models[1].save(path)
    assert fastnn.load(path).n_epochs_ == 2
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("backend_name", ["cython", "numba", "python"])
def test_a_failed_or_interrupted_begin_changes_nothing(backend_name, data):
    if fastnn.available_backends()[backend_name] is not None:
        pytest.skip("this back end is not available")
    X, y = data
    with fastnn.use_backend(backend_name):
        model = network(2).fit(X, y)
        before = dict(vars(model))
        for wrong_X, wrong_y in ((X[:, :3], y[:-1]), (X[:, :2], [1.5, None] * 30)):
            with pytest.raises((ValueError, TypeError)):
                model.fit(wrong_X, wrong_y)
            assert vars(model) == before
        model.predict(X)


class Counting:
    def __init__(self):
        self.seen = []

    def on_fit_begin(self, model):
        self.seen.append("begin")

    def on_epoch_end(self, epoch):
        self.seen.append(epoch.number)
        if epoch.number == 3:
            raise KeyboardInterrupt

    def on_fit_end(self, model):
        self.seen.append("end")


def test_ctrl_c_at_a_prompt_keeps_the_model(data):
    counting = Counting()
    with pytest.warns(UserWarning, match="interrupted after 3 epochs"):
        model = network(10).fit(*data, callbacks=[counting])
    assert counting.seen == ["begin", 1, 2, 3, "end"]
    assert_whole(model, data)


def test_ctrl_c_stops_what_a_library_drives(data):
    """Also through a user's own code between the library and fastnn."""
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    X, y = data
    fits = []

    class Wrapped(ClassifierMixin, BaseEstimator):
        def fit(self, X, y):
            fits.append(1)
            self.classes_ = np.unique(y)
            self.model_ = network(10).fit(X, y, callbacks=[Counting()])
            return self

        def predict(self, X):
            return self.model_.predict(X)

    with pytest.raises(KeyboardInterrupt):
        cross_val_score(Wrapped(), X, y, cv=3)
    assert len(fits) == 1
    model = network(10)
    with pytest.raises(KeyboardInterrupt):
        make_pipeline(StandardScaler(), model).fit(X, y, mlpclassifier__callbacks=[Counting()])
    assert (model.n_epochs_, model.stop_reason_) == (3, "interrupted")
    assert model.predict(X).shape == (60,)
