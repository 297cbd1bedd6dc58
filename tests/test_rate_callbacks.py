"""Callbacks that change the learning rate: when, by how much, and what is left of it."""

import contextlib
import os
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone

import fastnn


@pytest.fixture
def data(rng):
    X = rng.normal(size=(80, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def network(**changes):
    given = {"max_iter": 6, "tol": None, "random_state": 0, "batch_size": 10, "solver": "sgd"}
    return fastnn.MLPClassifier((6,), learning_rate_init=0.1, **{**given, **changes})


class Rates:
    """Take down the rate with which each epoch was trained."""

    def __init__(self):
        self.seen = []

    def on_fit_begin(self, model):
        self.next = model.learning_rate_init

    def on_epoch_end(self, epoch):
        self.seen.append(self.next)
        self.next = epoch.model.learning_rate_init


def test_a_schedule_sets_the_rate_of_each_epoch(backend, data):
    asked = []

    def schedule(epoch, rate):
        asked.append((epoch, rate))
        return [0.1, 0.05, 0.2, 0.1, 0.1, 0.01][epoch]

    model = network().fit(*data, callbacks=[fastnn.LearningRateScheduler(schedule)])
    alone = network(learning_rate=[0.1, 0.05, 0.2, 0.1, 0.1, 0.01]).fit(*data)
    assert np.array_equal(model.params_, alone.params_)
    assert asked == [(0, 0.1), (1, 0.1), (2, 0.05), (3, 0.2), (4, 0.1), (5, 0.1)]
    assert model.get_params() == network().get_params()


def test_a_schedule_goes_on_with_the_epochs_of_earlier_fits(data):
    scheduler = fastnn.LearningRateScheduler(lambda epoch, rate: 0.1 / (1 + epoch))
    model = network(max_iter=2, warm_start=True)
    for _ in range(3):
        model.fit(*data, callbacks=[scheduler])
    whole = network().fit(*data, callbacks=[scheduler])
    assert np.array_equal(model.params_, whole.params_)


def test_a_schedule_on_top_of_another(data):
    scheduler = fastnn.LearningRateScheduler(lambda epoch, rate: rate / 2)
    both = network(learning_rate=("exponential", 0.5)).fit(*data, callbacks=[scheduler])
    alone = network(learning_rate=[0.05 * 0.25**i for i in range(6)]).fit(*data)
    assert np.allclose(both.params_, alone.params_, rtol=1e-12)


def rates_of_keras(values, **options):
    """Return the rate of each epoch, and of the one after the last."""
    os.environ.setdefault("KERAS_BACKEND", "numpy")
    keras = pytest.importorskip("keras")
    theirs = keras.callbacks.ReduceLROnPlateau("val_loss", mode="min", **options)
    optimizer = SimpleNamespace(learning_rate=1.0)
    theirs.set_model(SimpleNamespace(optimizer=optimizer, metrics=[]))
    theirs.on_train_begin()
    rates = [optimizer.learning_rate]
    for number, value in enumerate(values):
        theirs.on_epoch_end(number, {"val_loss": value})
        rates.append(optimizer.learning_rate)
    return rates


@pytest.mark.parametrize(
    "options",
    [
        {"patience": 1, "factor": 0.5},
        {"patience": 3, "factor": 0.1, "min_delta": 0.2},
        {"patience": 2, "factor": 0.3, "min_lr": 0.02},
    ],
)
def test_a_plateau_lowers_the_rate_as_in_keras(rng, options):
    values = np.round(rng.exponential(size=40), 1)
    values[[5, 20]] = np.nan
    model = SimpleNamespace(
        learning_rate_init=1.0, params_=np.zeros(1), solver="sgd", learning_rate="constant"
    )
    ours = fastnn.ReduceLROnPlateau(**options)
    for _ in range(2):  # a used one starts anew
        model.learning_rate_init = 1.0
        ours.on_fit_begin(model)
        rates = [1.0]
        for number, value in enumerate(values, start=1):
            ours.on_epoch_end(SimpleNamespace(model=model, val_loss=value, number=number))
            rates.append(model.learning_rate_init)
        assert len(set(rates)) > 3
        assert rates == pytest.approx(rates_of_keras(values, **options))


def test_a_plateau_of_a_real_training(data, rng):
    held_out = rng.normal(size=(40, 4)), rng.integers(0, 2, 40)  # noise: it gets worse
    rates = Rates()
    reduce = fastnn.ReduceLROnPlateau(patience=2, factor=0.5)
    model = network(max_iter=40, solver="adam")
    model.fit(*data, callbacks=[reduce, rates], validation_data=held_out)
    assert len(set(rates.seen)) > 2
    same = network(max_iter=40, solver="adam", learning_rate=rates.seen).fit(*data)
    assert np.array_equal(model.params_, same.params_)
    assert model.learning_rate_init == 0.1


def test_the_rate_never_becomes_0(data):
    reduce = fastnn.ReduceLROnPlateau("loss", patience=1, factor=1e-30, min_delta=1e6)
    model = network(dtype="float32").fit(*data, callbacks=[reduce])
    assert model.n_iter_ == 6


class Fail:
    def __init__(self, error, when):
        self.error, self.when = error, when

    def on_fit_begin(self, model):
        if self.when == 0:
            raise self.error

    def on_epoch_end(self, epoch):
        if epoch.number == self.when:
            raise self.error


@pytest.mark.filterwarnings("ignore:training was interrupted")
@pytest.mark.parametrize("when", [0, 2])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_hyper_parameter_comes_back(data, error, when):
    """However the fit ends, and however many have changed it."""
    model = network().fit(*data)
    before = clone(model).get_params()
    callbacks = [
        fastnn.LearningRateScheduler(lambda epoch, rate: rate / 2),
        fastnn.LearningRateScheduler(lambda epoch, rate: rate / 3),
        fastnn.ReduceLROnPlateau("loss", patience=1, min_delta=1e6),
    ]
    model.fit(*data, callbacks=callbacks)
    assert model.get_params() == before
    with contextlib.suppress(RuntimeError, KeyboardInterrupt):
        model.fit(*data, callbacks=[*callbacks, Fail(error, when)])
    assert model.get_params() == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastnn.LearningRateScheduler(0.1), "schedule=0.1: expected a function of two"),
        (lambda: fastnn.LearningRateScheduler(lambda epoch: 0.1), "expected a function of two"),
        (lambda: fastnn.ReduceLROnPlateau("speed"), "monitor='speed'"),
        (lambda: fastnn.ReduceLROnPlateau(factor=1), "factor=1"),
        (lambda: fastnn.ReduceLROnPlateau(factor=0), "factor=0"),
        (lambda: fastnn.ReduceLROnPlateau(patience=0), "patience=0"),
        (lambda: fastnn.ReduceLROnPlateau(min_delta=-1), "min_delta=-1"),
        (lambda: fastnn.ReduceLROnPlateau(min_lr=-1), "min_lr=-1"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_rates(data):
    for wrong in (0, -1, float("nan"), None, "0.1"):
        scheduler = fastnn.LearningRateScheduler(lambda epoch, rate, wrong=wrong: wrong)
        model = network()
        with pytest.raises(ValueError, match=r"schedule\(0, 0.1\)=.*expected a number above 0"):
            model.fit(*data, callbacks=[scheduler])
        assert not hasattr(model, "params_")


def test_a_training_that_reads_no_rate(data):
    callbacks = [fastnn.ReduceLROnPlateau("loss")], [fastnn.LearningRateScheduler(max)]
    for callback in callbacks:
        with pytest.raises(ValueError, match="solver='lbfgs' has none"):
            network(solver="lbfgs").fit(*data, callbacks=callback)
        with pytest.raises(ValueError, match="does not count if learning_rate="):
            network(learning_rate=[0.1, 0.2]).fit(*data, callbacks=callback)
