"""What a fit takes down of its epochs, and the pictures and tables of a fitted model."""

import re

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss, mean_squared_error, r2_score

import fastnn
from fastnn import backends


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


@pytest.fixture
def held_out(rng):
    X = rng.normal(size=(30, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def network(**changes):
    given = {"max_iter": 5, "tol": None, "random_state": 0, "batch_size": 10}
    return fastnn.MLPClassifier((6,), **{**given, **changes})


def models_of_each_epoch(make, data, n):
    return [make(max_iter=i).fit(*data) for i in range(1, n + 1)]


def test_history_of_a_classifier(backend, data, held_out):
    model = network().fit(*data, validation_data=held_out)
    history = model.history_
    assert list(history) == ["loss", "val_epoch", "val_loss", "val_accuracy"]
    assert history["loss"] == model.loss_curve_.tolist()
    assert history["val_epoch"] == [1, 2, 3, 4, 5]
    X, y = held_out
    then = models_of_each_epoch(network, data, 5)
    assert history["val_accuracy"] == [model.score(X, y) for model in then]
    losses = [log_loss(y, model.predict_proba(X)) for model in then]
    assert np.allclose(history["val_loss"], losses, rtol=1e-9)
    assert np.array_equal(model.params_, network().fit(*data).params_)


@pytest.mark.parametrize("n_outputs", [None, 2])
def test_history_of_a_regressor(backend, rng, n_outputs):
    shape = (40,) if n_outputs is None else (40, n_outputs)
    X, y = rng.normal(size=(40, 3)), rng.normal(size=shape)

    def make(max_iter):
        return fastnn.MLPRegressor(
            (5,), max_iter=max_iter, tol=None, random_state=0, solver="sgd", batch_size=8
        )

    model = make(4).fit(X[:30], y[:30], validation_data=(X[30:], y[30:]))
    then = models_of_each_epoch(make, (X[:30], y[:30]), 4)
    predicted = [model.predict(X[30:]) for model in then]
    history = model.history_
    assert history["val_score"] == [r2_score(y[30:], values) for values in predicted]
    losses = [mean_squared_error(y[30:], values) / 2 for values in predicted]
    ratio = np.divide(history["val_loss"], losses)
    assert np.allclose(ratio, ratio[0], rtol=1e-9)  # a mean or a sum over the outputs
    assert model.evaluate(X[30:], y[30:]) == (history["val_loss"][-1], history["val_score"][-1])


def test_history_goes_on(data, held_out, tmp_path):
    model = network(max_iter=3, warm_start=True).fit(*data)
    assert list(model.history_) == ["loss"]
    model.fit(*data, validation_data=held_out)
    model.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert loaded.history_ == model.history_
    assert vars(loaded).keys() == vars(model).keys()
    loaded.fit(*data, validation_data=held_out)
    assert loaded.history_["val_epoch"] == [4, 5, 6, 7, 8, 9]
    whole = network(max_iter=9).fit(*data, validation_data=held_out)
    assert loaded.history_["loss"] == whole.history_["loss"]
    assert loaded.history_["val_loss"] == whole.history_["val_loss"][3:]
    model.set_params(warm_start=False).fit(*data)
    assert list(model.history_) == ["loss"]


def counted(monkeypatch, name):
    """Count the calls of a kernel."""
    calls, kernels = [], backends.kernels()
    original = getattr(kernels, name)

    def call(*arguments, **named):
        calls.append(1)
        return original(*arguments, **named)

    monkeypatch.setattr(kernels, name, call)
    return calls


def test_an_epoch_is_measured_once_and_only_if_need_be(data, held_out, monkeypatch):
    evaluated, passes = counted(monkeypatch, "mlp_evaluate"), counted(monkeypatch, "mlp_forward")
    trained = counted(monkeypatch, "mlp_train")
    fastnn.MLPRegressor(max_iter=100, batch_size="full").fit(*data)
    assert (len(evaluated), len(passes)) == (0, 0)
    assert len(trained) < 50  # many epochs at a time
    stopping = [fastnn.EarlyStopping(monitor) for monitor in ("val_loss", "val_score")]
    model = fastnn.MLPRegressor(max_iter=7, tol=None)
    model.fit(*data, callbacks=stopping, validation_data=held_out)
    assert (len(evaluated), len(passes)) == (7, 0)


def test_rare_callbacks_measure_rarely(data, held_out, monkeypatch):
    evaluated = counted(monkeypatch, "mlp_evaluate")

    class Rare:
        def __init__(self, every):
            self.every = every

        def on_epoch_end(self, epoch):
            assert epoch.val_accuracy == epoch.model.score(*held_out)

    model = network(max_iter=9).fit(*data, callbacks=[Rare(2), Rare(3)], validation_data=held_out)
    assert model.history_["val_epoch"] == [2, 3, 4, 6, 8, 9]
    assert len(evaluated) == 6


@pytest.mark.filterwarnings("ignore:training was interrupted")
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_history_of_an_interrupted_measurement(data, held_out, monkeypatch, error):
    """An epoch is taken down with its measures, or not at all."""
    model, kernels, calls = network(max_iter=9), backends.kernels(), []
    original = kernels.mlp_evaluate

    def evaluate(*arguments):
        calls.append(1)
        if len(calls) == 4:
            raise error
        return original(*arguments)

    monkeypatch.setattr(kernels, "mlp_evaluate", evaluate)
    try:
        model.fit(*data, validation_data=held_out)
    except RuntimeError:
        assert error is RuntimeError
    assert model.n_epochs_ == 3
    assert model.history_["val_epoch"] == [1, 2, 3]
    model.set_params(warm_start=True, max_iter=6).fit(*data, validation_data=held_out)
    whole = network(max_iter=9).fit(*data, validation_data=held_out)
    assert model.history_ == whole.history_


def test_history_of_lbfgs_and_of_what_diverges(data, held_out):
    model = network(solver="lbfgs", max_iter=4).fit(*data, validation_data=held_out)
    assert model.history_["val_epoch"] == list(range(1, model.n_iter_ + 1))
    model = fastnn.MLPRegressor((8,), solver="sgd", learning_rate_init=1e3, random_state=0)
    with pytest.warns(RuntimeWarning, match="diverged") as warned:
        model.fit(*data, validation_data=held_out)
    assert len(warned) == 1
    assert len(model.history_["val_loss"]) == model.n_epochs_
    assert np.isnan(model.history_["val_score"][-1])


def test_no_history_before_a_fit_or_of_a_file_that_lies(data, held_out, tmp_path):
    assert not hasattr(network(), "history_")
    model = network().fit(*data, validation_data=held_out)
    for row, value in ((0, 2.0), (4, 6.0), (0, 0.5), (0, 0.0), (1, np.nan)):
        curve = model._validation_curve.copy()
        curve[row, 0] = value
        wrong = network().fit(*data)
        wrong._validation_curve = curve
        with pytest.raises(ValueError, match="_validation_curve"):
            wrong.save(tmp_path / "m")


@pytest.fixture
def axes():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    yield plt.figure().gca()
    plt.close("all")


def test_picture_of_a_history(data, held_out, axes):
    model = network().fit(*data)
    assert fastnn.plot_history(model, axes) is axes
    assert [line.get_label() for line in axes.get_lines()] == ["loss"]
    model.set_params(warm_start=True).fit(*data, validation_data=held_out)
    axes.clear()
    assert fastnn.plot_history(model.history_) is axes  # the current ones
    history = model.history_
    loss, validation = axes.get_lines()
    assert loss.get_xdata().tolist() == list(range(1, 11))
    assert loss.get_ydata().tolist() == history["loss"]
    assert validation.get_xdata().tolist() == history["val_epoch"] == [6, 7, 8, 9, 10]
    assert validation.get_ydata().tolist() == history["val_loss"]
    (second,) = (other for other in axes.figure.axes if other is not axes)
    assert second.get_lines()[0].get_ydata().tolist() == history["val_accuracy"]
    labels = [text.get_text() for text in second.get_legend().get_texts()]
    assert labels == ["loss", "val_loss", "val_accuracy"]
    for wrong in (network(), {}, [1, 2], None):
        with pytest.raises(ValueError, match=r"expected a fitted MLPClassifier.*pipeline\[-1\]"):
            fastnn.plot_history(wrong, axes)


def test_summary(data, capsys):
    X, y = data
    model = fastnn.MLPClassifier(
        (50, 20), [("leaky_relu", 0.1), "tanh"], dropout=(0.2, 0), max_iter=2, dtype="float32"
    )
    with pytest.raises(NotFittedError, match="not fitted"):
        model.summary()
    model.fit(X, np.arange(60) % 3).summary()
    table = [re.split("  +", line) for line in capsys.readouterr().out.splitlines()]
    assert table[2] == ["input", "(None, 4)"]
    first = ["leaky_relu(negative_slope=0.1)", "0.2", "4 x 50 + 50", "250"]
    assert table[3] == ["hidden 1", "(None, 50)", *first]
    assert table[4] == ["hidden 2", "(None, 20)", "tanh", "50 x 20 + 20", "1,020"]
    assert table[5] == ["output", "(None, 3)", "softmax", "20 x 3 + 3", "63"]
    assert table[7] == ["parameters: 1,333 (float32, 5.33 kB)"]
    assert table[8] == ["of the optimizer: 2,666 (10.7 kB)"]
    loss = "sparse_categorical_crossentropy"
    assert table[9] == [f"loss: {loss}; solver: adam; epochs: 2"]
    texts = []
    fastnn.MLPRegressor((), loss="huber", max_iter=1).fit(X, y).summary(print_fn=texts.append)
    assert "huber(delta=1)" in texts[0]


def test_history_of_samples_held_out(data, monkeypatch):
    evaluated, passes = counted(monkeypatch, "mlp_evaluate"), counted(monkeypatch, "mlp_forward")
    model = network(early_stopping=True, max_iter=6).fit(*data)
    assert (len(evaluated), len(passes)) == (6, 0)
    assert model.history_["val_accuracy"] == model.validation_scores_
    assert model.history_["val_epoch"] == [1, 2, 3, 4, 5, 6]


def test_history_of_several_labels_and_of_parts(rng, held_out):
    X, Y = rng.normal(size=(40, 4)), rng.integers(0, 2, (40, 3))
    model = network().fit(X, Y, validation_data=(X[:20], Y[:20]))
    assert model.history_["val_accuracy"][-1] == model.score(X[:20], Y[:20])
    model = network().partial_fit(*held_out, classes=[0, 1])
    assert model.partial_fit(*held_out).history_ == {"loss": model.loss_curve_.tolist()}
    assert len(model.history_["loss"]) == 2


def test_history_of_weighted_validation(data, held_out):
    weights = np.linspace(0, 1, len(held_out[0]))
    model = network().fit(*data, validation_data=(*held_out, weights))
    loss, accuracy = model.evaluate(*held_out, weights)
    assert (model.history_["val_loss"][-1], model.history_["val_accuracy"][-1]) == (loss, accuracy)
    assert accuracy != model.score(*held_out)
