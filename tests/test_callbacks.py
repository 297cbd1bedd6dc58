"""Callbacks: when they are called, what they see, and how they end a fit."""

import csv

import numpy as np
import pytest

import fastnn


@pytest.fixture
def data(rng):
    X = rng.normal(size=(80, 4))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def network(**changes):
    given = {"max_iter": 7, "tol": None, "random_state": 0, "batch_size": 10}
    return fastnn.MLPClassifier((6,), **{**given, **changes})


class Record:
    def __init__(self, every=1, stop_at=None, fail_at=None):
        self.every, self.stop_at, self.fail_at, self.seen = every, stop_at, fail_at, []

    def on_epoch_end(self, epoch):
        self.seen.append((epoch.number, epoch.loss, epoch.accuracy))
        if epoch.number == self.fail_at:
            raise RuntimeError("the callback failed")
        return epoch.number == self.stop_at


def test_what_a_callback_sees(backend, data):
    record, rare = Record(), Record(every=3)
    model = network().fit(*data, callbacks=[record, rare])
    alone = network().fit(*data)
    assert np.array_equal(model.params_, alone.params_)
    assert [number for number, _, _ in record.seen] == list(range(1, 8))
    assert [number for number, _, _ in rare.seen] == [3, 6]
    assert np.array_equal([loss for _, loss, _ in record.seen], alone.loss_curve_)
    assert record.seen[-1][2] == model.score(*data)


def test_a_callback_ends_the_fit(data):
    model = network().fit(*data, callbacks=[Record(stop_at=4)])
    assert (model.n_iter_, model.stop_reason_) == (4, "callback")
    assert np.array_equal(model.params_, network(max_iter=4).fit(*data).params_)


def test_an_exception_leaves_the_model_usable(data):
    model = network()
    with pytest.raises(RuntimeError, match="the callback failed"):
        model.fit(*data, callbacks=[Record(fail_at=3)])
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert np.array_equal(model.params_, network(max_iter=3).fit(*data).params_)
    assert model.predict(data[0]).shape == (80,)
    model.set_params(warm_start=True, max_iter=4).fit(*data)
    assert np.array_equal(model.params_, network().fit(*data).params_)


def test_early_stopping_gives_the_best_weights_back(data, rng):
    held_out = rng.normal(size=(40, 4)), rng.integers(0, 2, 40)  # noise: it gets worse
    stopping = fastnn.EarlyStopping(patience=5)
    model = network(max_iter=500, learning_rate_init=0.01)
    model.fit(*data, callbacks=[stopping], validation_data=held_out)
    assert model.stop_reason_ == "callback"
    assert model.n_iter_ == stopping.best_epoch_ + 5
    assert model.evaluate(*held_out)[0] == stopping.best_
    best = network(max_iter=stopping.best_epoch_, learning_rate_init=0.01).fit(*data)
    assert np.array_equal(model.params_, best.params_)


def test_early_stopping_by_accuracy(data):
    stopping = fastnn.EarlyStopping("accuracy", patience=20)
    model = network(max_iter=3000, learning_rate_init=0.05).fit(*data, callbacks=[stopping])
    assert stopping.best_ == model.score(*data) > 0.9


def test_log_file(data, tmp_path):
    path = tmp_path / "log.csv"
    fields = ("epoch", "loss", "seconds", "accuracy", "val_loss", "val_accuracy")
    logger = fastnn.CSVLogger(path, fields)
    model = network(max_iter=3).fit(*data, callbacks=[logger], validation_data=data)
    again = fastnn.CSVLogger(path, fields, append=True)
    model.set_params(warm_start=True).fit(*data, callbacks=[again], validation_data=data)
    rows = list(csv.DictReader(path.open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert np.allclose([float(row["loss"]) for row in rows], model.loss_curve_)
    assert float(rows[-1]["val_accuracy"]) == float(rows[-1]["accuracy"]) == model.score(*data)


def test_checkpoints_are_kept_as_asked(data, tmp_path):
    saver = fastnn.ModelCheckpoint(tmp_path / "{epoch:02d}.st", every=2, keep=2)
    network().fit(*data, callbacks=[saver])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["04.st", "06.st"]
    assert fastnn.load(tmp_path / "06.st").n_epochs_ == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastnn.EarlyStopping("speed"), "monitor='speed'"),
        (lambda: fastnn.EarlyStopping(patience=0), "patience=0"),
        (lambda: fastnn.EarlyStopping(min_delta=-1), "min_delta=-1"),
        (lambda: fastnn.CSVLogger("x", fields=["weight"]), "fields: unknown 'weight'"),
        (lambda: fastnn.ModelCheckpoint("model.st"), "path_pattern='model.st'"),
        (lambda: fastnn.ModelCheckpoint("{epoch}", every=0), "every=0"),
        (lambda: fastnn.ModelCheckpoint("{epoch}", keep=0), "keep=0"),
    ],
)
def test_bad_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_callbacks(data):
    with pytest.raises(ValueError, match="has no method on_epoch_end"):
        network().fit(*data, callbacks=[print])
    X, y = data
    for wrong in (X, (X,), (X[:, :2], y), (X, y[:3]), (X * np.nan, y), (X, y + 5)):
        with pytest.raises(ValueError, match="validation_data: expected"):
            network().fit(*data, validation_data=wrong)
    model = network()
    with pytest.raises(ValueError, match="validation_data: a callback asks for it"):
        model.fit(*data, callbacks=[fastnn.EarlyStopping()])
