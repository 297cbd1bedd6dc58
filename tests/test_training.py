"""Stopping rules, divergence, Ctrl-C, and the size of calls."""

import numpy as np
import pytest
from sklearn.base import clone

import fastnn
from fastnn import training

X, Y = fastnn.load_xor()


def xor_model(**parameters):
    options = {"solver": "sgd", "batch_size": "full", "learning_rate_init": 0.5, "tol": None}
    return fastnn.MLPClassifier((6,), "tanh", random_state=2, **{**options, **parameters})


def test_max_iter(backend):
    model = xor_model(max_iter=37).fit(X, Y)
    assert (model.n_iter_, len(model.loss_curve_), model.stop_reason_) == (37, 37, "max_iter")


def test_loss_threshold_stops_at_the_right_epoch(backend):
    """Also in the midst of a block: the parameters are those of exactly so many epochs."""
    model = xor_model(max_iter=3000, loss_threshold=0.1).fit(X, Y)
    assert model.stop_reason_ == "loss_threshold"
    assert model.loss_curve_[-1] < 0.1 <= min(model.loss_curve_[:-1])
    same = xor_model(max_iter=model.n_iter_).fit(X, Y)
    assert (same.params_ == model.params_).all()


def test_weight_threshold(backend):
    model = xor_model(max_iter=3000, weight_threshold=2e-3).fit(X, Y)
    assert model.stop_reason_ == "weight_threshold"
    before = xor_model(max_iter=model.n_iter_ - 1).fit(X, Y).params_
    earlier = xor_model(max_iter=model.n_iter_ - 2).fit(X, Y).params_
    assert np.abs(model.params_ - before).max() < 2e-3 <= np.abs(before - earlier).max()


def test_tol(backend):
    model = xor_model(max_iter=5000, tol=1e-3, n_iter_no_change=5).fit(X, Y)
    assert model.stop_reason_ == "tol"
    falls = -np.diff(model.loss_curve_[-6:])
    assert (falls < 1e-3).all()


def test_linear_network_stops_too(backend):
    model = fastnn.LinearNetwork(eta0=0.1, max_iter=9999, loss_threshold=0.126, random_state=0)
    model.fit(X, Y)
    assert model.stop_reason_ == "loss_threshold"
    assert model.loss_curve_[-1] < 0.126 <= model.loss_curve_[-2]


def test_divergence_is_said(backend):
    with pytest.warns(RuntimeWarning, match="training diverged: the loss of epoch"):
        model = fastnn.LinearNetwork(eta0=100.0, max_iter=2000, random_state=0).fit(X, Y)
    assert model.stop_reason_ == "diverged"
    assert not np.isfinite(model.loss_)


@pytest.mark.parametrize("shuffle", [False, True])
def test_how_many_epochs_a_call_has_does_not_change_a_bit(backend, shuffle):
    """Of the smallest networks neither, which have a kernel of their own."""
    given = {"loss": "half_squared_error", "shuffle": shuffle}
    whole, parts = xor_model(max_iter=40, **given), xor_model(max_iter=1, warm_start=True, **given)
    whole.fit(X, Y)
    for _ in range(40):
        parts.fit(X, Y)
    assert np.array_equal(parts.params_, whole.params_)


@pytest.mark.parametrize("batch_size", ["full", 7, 100])
def test_a_batch_of_all_samples_is_not_shuffled(backend, batch_size):
    """However its size is given, and whatever trains it."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(7, 3)), np.arange(7) % 2

    def trained(shuffle, batch_size):
        model = fastnn.MLPClassifier(
            (5,), dropout=0.3, batch_size=batch_size, shuffle=shuffle, random_state=1, tol=None
        )
        model.set_params(max_iter=3)
        many = fastnn.train_many(model, X, y, random_state=range(40))
        models = [model.fit(X, y), clone(model).partial_fit(X, y, classes=[0, 1]), *many]
        return [(m.params_.tolist(), m.loss_curve_.tolist()) for m in models]

    assert trained(True, batch_size) == trained(False, "full")
    assert trained(True, 6) != trained(False, 6)


def test_ctrl_c_keeps_what_was_trained(backend, monkeypatch):
    calls = []
    original = training.MLPTask._call

    def interrupted(self, *args):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)
        original(self, *args)

    monkeypatch.setattr(training.MLPTask, "_call", interrupted)
    monkeypatch.setattr(training.MLPTask, "epochs_per_call", lambda self: 1)
    with pytest.warns(UserWarning, match="interrupted after 3 epochs"):
        model = xor_model(max_iter=100).fit(X, Y)
    monkeypatch.undo()
    assert (model.n_iter_, model.stop_reason_) == (3, "interrupted")
    assert (model.params_ == xor_model(max_iter=3).fit(X, Y).params_).all()
    model.predict(X)


def test_slices_of_an_epoch_change_nothing(backend, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(50, 4)), rng.integers(0, 2, 50)

    def fit():
        model = fastnn.MLPClassifier((5,), dropout=0.5, batch_size=4, random_state=0, tol=None)
        return model.set_params(max_iter=3).fit(X, y)

    whole = fit()
    monkeypatch.setattr(training.MLPTask, "_steps_per_call", lambda self: 2)
    sliced = fit()
    assert (whole.params_ == sliced.params_).all()
    assert np.array_equal(whole.loss_curve_, sliced.loss_curve_)


def test_quiet_without_a_terminal(capfd):
    xor_model(max_iter=2000).fit(X, Y)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("hidden", [(), (8,), (40,)])
def test_no_moment_is_left_denormal(compiled_backend, hidden):
    """An input that is no longer there: its moments decay to 0, not to what slows a processor."""
    X = np.random.default_rng(0).random((3000, 3), dtype=np.float32)
    X[1:, 2] = 0
    y = (X[:, 0] > X[:, 1]).astype(int)
    model = fastnn.MLPClassifier(
        hidden, batch_size=1, shuffle=False, max_iter=1, tol=None, dtype="float32", n_jobs=1
    )
    model.fit(X, y)
    moments = np.abs(model.solver_state_.moments)
    assert (moments > 0).any()
    assert not ((moments > 0) & (moments < np.finfo(np.float32).tiny)).any()
    denormal = np.float32(1e-40)
    assert denormal * np.float32(1) == denormal  # as before, outside of the kernels


def test_long_parameters_begin_at_a_cache_line(tmp_path):
    """Trained or loaded: where vectors cross lines, a sample takes a tenth longer."""
    X, y = fastnn.load_digits()
    places = []
    for units in range(300, 304):
        for more in ({}, {"early_stopping": True}, {"solver": "lbfgs"}):
            model = fastnn.MLPClassifier((units,), max_iter=2, tol=None, **more)
            model.fit(X[:120], y[:120]).save(tmp_path / "digits.safetensors")
            for one in (model, fastnn.load(tmp_path / "digits.safetensors")):
                places.append(one.params_.ctypes.data % 64)
    assert places == [0] * 24
