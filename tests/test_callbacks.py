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
    error = RuntimeError

    def __init__(self, every=1, stop_at=None, fail_at=None):
        self.every, self.stop_at, self.fail_at, self.seen = every, stop_at, fail_at, []

    def on_epoch_end(self, epoch):
        self.seen.append((epoch.number, epoch.loss, epoch.accuracy))
        if epoch.number == self.fail_at:
            raise self.error("the callback failed")
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


def test_callbacks_of_a_generator_are_called(data):
    record = Record()
    network(max_iter=2).fit(*data, callbacks=(one for one in [record]))
    assert len(record.seen) == 2


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


def noise(rng):
    """Return held-out data that no training gets better on."""
    return rng.normal(size=(40, 4)), rng.integers(0, 2, 40)


def test_a_used_callback_starts_anew(data, rng):
    held_out, shared = noise(rng), fastnn.EarlyStopping(patience=5)
    network(max_iter=50).fit(*data, callbacks=[shared], validation_data=held_out)
    second = network(max_iter=50, random_state=1)
    second.fit(*data, callbacks=[shared], validation_data=held_out)
    alone = network(max_iter=50, random_state=1)
    alone.fit(*data, callbacks=[fastnn.EarlyStopping(patience=5)], validation_data=held_out)
    assert np.array_equal(second.params_, alone.params_)


@pytest.mark.filterwarnings("ignore:training was interrupted")
@pytest.mark.parametrize("way", ["max_iter", "time", "tol", "other", "error", "ctrl-c"])
def test_best_weights_come_back_however_the_fit_ends(data, rng, way):
    held_out, stopping = noise(rng), fastnn.EarlyStopping(patience=10_000)
    model = network(max_iter=60, learning_rate_init=0.02)
    callbacks = [stopping]
    if way == "tol":
        model.set_params(tol=10.0, n_iter_no_change=40)
    if way == "time":
        callbacks.append(fastnn.TimeLimit(1e-9))
    if way == "other":
        callbacks.append(Record(stop_at=30))
    if way in ("error", "ctrl-c"):
        callbacks.append(Record(fail_at=30))
    if way == "ctrl-c":
        callbacks[-1].error = KeyboardInterrupt
    try:
        model.fit(*data, callbacks=callbacks, validation_data=held_out)
    except RuntimeError:
        assert way == "error"
    assert model.evaluate(*held_out)[0] == stopping.best_
    best = network(max_iter=stopping.best_epoch_, learning_rate_init=0.02).fit(*data)
    assert np.array_equal(model.params_, best.params_)
    assert np.array_equal(model.solver_state_.moments, best.solver_state_.moments)
    assert model.solver_state_.step == best.solver_state_.step
    assert model.n_iter_ == len(model.loss_curve_) >= stopping.best_epoch_


def test_nan_is_never_best(data):
    model = fastnn.MLPRegressor((8,), solver="sgd", learning_rate_init=1e3, random_state=0)
    stopping = fastnn.EarlyStopping(patience=3)
    with pytest.warns(RuntimeWarning, match="diverged"):
        model.fit(*data, callbacks=[stopping], validation_data=data)
    assert model.stop_reason_ == "diverged"
    assert not np.isnan(stopping.best_)


def test_no_checkpoint_of_what_has_diverged(data, tmp_path):
    model = fastnn.MLPRegressor((8,), solver="sgd", learning_rate_init=1e3, random_state=0)
    with pytest.warns(RuntimeWarning, match="diverged"):
        model.fit(*data, callbacks=[fastnn.ModelCheckpoint(tmp_path / "{epoch}")])
    assert model.stop_reason_ == "diverged"
    assert f"{model.n_epochs_}" not in [path.name for path in tmp_path.iterdir()]


def test_a_callback_that_cannot_begin_changes_nothing(data, tmp_path):
    model = network().fit(*data)
    before = dict(vars(model))
    with pytest.raises(OSError, match="path"):
        model.fit(data[0][:, :2], data[1], callbacks=[fastnn.CSVLogger(tmp_path / "no" / "log")])
    assert vars(model) == before


def test_every_callback_hears_of_the_end(data):
    seen = []

    class End(Record):
        def on_fit_end(self, model):
            seen.append(self)
            raise OSError("disk full")

    callbacks = [End(), End()]
    with pytest.raises(OSError, match="disk full"):
        network(max_iter=1).fit(*data, callbacks=callbacks)
    assert seen == callbacks


def test_a_callback_lowers_the_learning_rate(backend, data):
    class Halve:
        def on_epoch_end(self, epoch):
            epoch.model.learning_rate_init /= 2

    model = network(max_iter=4, solver="sgd", learning_rate_init=0.1).fit(
        *data, callbacks=[Halve()]
    )
    assert model.learning_rate_init == 0.1 / 16
    decayed = network(max_iter=4, solver="sgd", learning_rate_init=0.1, learning_rate_decay=0.5)
    assert np.array_equal(model.params_, decayed.fit(*data).params_)


def test_other_changes_of_a_callback(data):
    class Change:
        def on_epoch_end(self, epoch):
            epoch.model.set_params(**self.changes)

    change = Change()
    change.changes = {"batch_size": 5, "solver": "sgd"}
    with pytest.warns(UserWarning, match="changed batch_size, solver: it has no effect"):
        model = network().fit(*data, callbacks=[change])
    assert np.array_equal(model.params_, network().fit(*data).params_)
    change.changes = {"alpha": -1}
    with pytest.raises(ValueError, match="alpha=-1"):
        network().fit(*data, callbacks=[change])


def test_measures_of_a_data_frame_are_quiet(data, recwarn):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(data[0], columns=list("abcd"))
    seen = []

    class See:
        def on_epoch_end(self, epoch):
            seen.append((epoch.accuracy, epoch.model.score(*epoch.training_data)))
            seen.append((epoch.val_accuracy, epoch.model.score(frame, data[1])))

    network(max_iter=2).fit(frame, data[1], callbacks=[See()], validation_data=(frame, data[1]))
    assert len(recwarn) == 0
    assert len(seen) == 4
    assert all(a == b for a, b in seen)


def test_log_file_begins_anew_with_each_fit(data, tmp_path):
    path = tmp_path / "log.csv"
    logger = fastnn.CSVLogger(path)
    network(max_iter=3).fit(*data, callbacks=[logger])
    network(max_iter=2).fit(*data, callbacks=[logger])
    assert [row["epoch"] for row in csv.DictReader(path.open())] == ["1", "2"]


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


def test_checkpoints_of_an_older_training(data, tmp_path):
    """They do not displace those of a new one, nor stand for them, nor are they removed."""
    pattern = tmp_path / "{epoch:02d}.st"
    network(max_iter=20).fit(*data, callbacks=[fastnn.ModelCheckpoint(pattern, every=10)])
    saver = fastnn.ModelCheckpoint(pattern, every=2, keep=2)
    network(random_state=9).fit(*data, callbacks=[saver])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["04.st", "06.st", "10.st", "20.st"]
    newest = fastnn.latest_checkpoint(pattern)
    assert newest.name == "06.st"
    going_on = fastnn.load(newest).set_params(warm_start=True, max_iter=4)
    going_on.fit(*data, callbacks=[saver])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["08.st", "10.st", "20.st"]
    assert fastnn.latest_checkpoint(pattern).name == "10.st"
    assert fastnn.load(tmp_path / "10.st").solver_state_.seed == 9


def test_a_missing_folder_is_noticed_before_training(data, tmp_path):
    record = Record()
    with pytest.raises(OSError, match="path: there is no folder"):
        network().fit(*data, callbacks=[record, fastnn.CSVLogger(tmp_path / "no" / "log.csv")])
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        network().fit(*data, callbacks=[record, fastnn.ModelCheckpoint(tmp_path / "file/{epoch}")])
    assert record.seen == []
    saver = fastnn.ModelCheckpoint(tmp_path / "new" / "deep" / "{epoch}")
    network(max_iter=1).fit(*data, callbacks=[saver])
    assert (tmp_path / "new" / "deep" / "1").is_file()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fastnn.EarlyStopping("speed"), "monitor='speed'"),
        (lambda: fastnn.EarlyStopping(patience=0), "patience=0"),
        (lambda: fastnn.EarlyStopping(min_delta=-1), "min_delta=-1"),
        (lambda: fastnn.EarlyStopping(min_delta=float("nan")), "min_delta=nan"),
        (lambda: fastnn.EarlyStopping(patience="3"), "patience='3'"),
        (lambda: fastnn.TimeLimit("3"), "seconds='3'"),
        (lambda: fastnn.TimeLimit(float("nan")), "seconds=nan"),
        (lambda: fastnn.CSVLogger("x", fields="loss"), "fields='loss'"),
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
    for wrong in (3, lambda: None, lambda epoch, logs: None):
        with pytest.raises(ValueError, match="has no method on_epoch_end"):
            network().fit(*data, callbacks=[wrong])
    with pytest.raises(ValueError, match="has no method on_epoch_end"):
        network().fit(*data, callbacks=[fastnn.EarlyStopping])
    with pytest.raises(ValueError, match="callbacks=3"):
        network().fit(*data, callbacks=3)
    X, y = data
    for wrong in (X, (X,), (X[:, :2], y), (X, y[:3]), (X * np.nan, y), (X, y + 5)):
        with pytest.raises(ValueError, match="validation_data: expected"):
            network().fit(*data, validation_data=wrong)
    model = network()
    for callback in (fastnn.EarlyStopping(), fastnn.CSVLogger("log.csv", ["val_accuracy"])):
        with pytest.raises(ValueError, match="validation_data: a callback asks for it"):
            model.fit(*data, callbacks=[callback])
    assert not hasattr(model, "params_")
    with pytest.raises(ValueError, match="validation_data: a callback asks for it"):
        model.fit(*data, callbacks=[lambda epoch: epoch.val_loss])


def test_a_function_is_a_callback(data):
    seen = []

    def stop_at_4(epoch):
        seen.append(epoch.number)
        return epoch.loss < 100 and epoch.number == 4

    model = network().fit(*data, callbacks=[stop_at_4, lambda epoch: "no reason to stop"])
    assert seen == [1, 2, 3, 4]
    assert model.stop_reason_ == "callback"


def test_an_epoch_says_what_it_is(data, capsys):
    network(max_iter=1).fit(*data, callbacks=[print], validation_data=data)
    text = capsys.readouterr().out
    assert text.startswith("Epoch 1: loss=0.")
    assert ", val_accuracy=0." in text


class Begins:
    def __init__(self, *names):
        self.seen = []
        for name in names:
            setattr(self, name, lambda model, name=name: self.seen.append(name))

    def on_epoch_end(self, epoch):
        self.seen.append(epoch.number)


def test_names_of_keras(data):
    ours, theirs = ("on_fit_begin", "on_fit_end"), ("on_train_begin", "on_train_end")
    for names, called in ((ours, ours), (theirs, theirs), (ours + theirs, ours)):
        callback = Begins(*names)
        network(max_iter=1).fit(*data, callbacks=[callback])
        assert callback.seen == [called[0], 1, called[1]]


def test_a_change_before_the_first_epoch_holds_from_there_on(data):
    class Change(Record):
        def on_fit_begin(self, model):
            model.alpha = 0.5

    model = network().fit(*data, callbacks=[Change()])
    assert np.array_equal(model.params_, network(alpha=0.5).fit(*data).params_)


@pytest.mark.parametrize("name", ["best.safetensors", "{epoch:02d}.st"])
def test_the_best_model_is_saved(data, rng, tmp_path, name):
    held_out, path = noise(rng), tmp_path / name
    saver = fastnn.ModelCheckpoint(path, save_best_only=True, keep=1)
    model = network(max_iter=40, learning_rate_init=0.02, warm_start=True)
    model.fit(*data, callbacks=[saver], validation_data=held_out)
    losses = model.history_["val_loss"]
    assert (saver.best_, saver.best_epoch_) == (min(losses), 1 + np.argmin(losses))
    assert saver.best_epoch_ < 40
    (file,) = tmp_path.iterdir()
    best = fastnn.load(file)
    assert best.n_epochs_ == saver.best_epoch_
    assert best.evaluate(*held_out)[0] == min(losses)
    again = fastnn.ModelCheckpoint(path, save_best_only=True)
    before = file.read_bytes()
    model.set_params(max_iter=3).fit(*data, callbacks=[again], validation_data=held_out)
    assert again.best_ == min(losses)  # that of the file
    assert file.read_bytes() == before
    other = network(max_iter=1, random_state=5)
    other.fit(*data, callbacks=[again], validation_data=held_out)
    assert again.best_epoch_ == 1


@pytest.mark.parametrize("measure", ["loss", "accuracy", "val_accuracy", "val_score"])
def test_the_best_of_other_measures(data, tmp_path, measure):
    saver = fastnn.ModelCheckpoint(tmp_path / "{epoch}", save_best_only=True, monitor=measure)
    values = []
    model = network(max_iter=20, warm_start=True, learning_rate_init=0.05)
    for _ in range(2):
        model.fit(
            *data,
            callbacks=[lambda epoch: values.append(getattr(epoch, measure)), saver],
            validation_data=data,
        )
        best = min(values) if measure == "loss" else max(values)
        assert saver.best_ == best
    saved = sorted(int(path.name) for path in tmp_path.iterdir())
    assert saved[0] == 1
    assert values[saved[-1] - 1] == best


def test_a_best_model_needs_data_to_tell(data, tmp_path):
    with pytest.raises(ValueError, match="validation_data"):
        network().fit(
            *data, callbacks=[fastnn.ModelCheckpoint(tmp_path / "m", save_best_only=True)]
        )
    with pytest.raises(ValueError, match="save_best_only='yes'"):
        fastnn.ModelCheckpoint("m", save_best_only="yes")
    with pytest.raises(ValueError, match="monitor='val'"):
        fastnn.ModelCheckpoint("{epoch}", monitor="val")
    with pytest.raises(ValueError, match="path_pattern="):
        fastnn.ModelCheckpoint("{step}", save_best_only=True)
