"""Saved models: what comes back, damage, kills, and training that goes on as if never stopped."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import joblib
import numpy as np
import pytest
import sklearn
from safetensors.numpy import save_file

import fastnn
from fastnn import checkpoints, persistence


@pytest.fixture
def blobs(rng):
    X = rng.normal(size=(60, 5))
    return X, (X @ rng.normal(size=(5, 3))).argmax(axis=1)


def network(**changes):
    given = {"dropout": 0.3, "batch_size": 7, "max_iter": 6, "tol": None, "random_state": 3}
    return fastnn.MLPClassifier((8, 6), **{**given, **changes})


@pytest.mark.parametrize("labels", ["numbers", "strings", "objects"])
def test_the_same_model_comes_back(backend, blobs, labels, tmp_path):
    X, y = blobs
    names = np.array(["ant", "bee", "cow"], object if labels == "objects" else str)
    y = y if labels == "numbers" else names[y]
    model = network().fit(X, y)
    model.save(tmp_path / "m.safetensors")
    loaded = fastnn.load(tmp_path / "m.safetensors")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert loaded.predict(X).tolist() == model.predict(X).tolist()
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.loss_curve_, model.loss_curve_)
    assert vars(loaded).keys() == vars(model).keys()


@pytest.mark.parametrize(
    "model",
    [fastnn.Perceptron(max_iter=3), fastnn.LinearNetwork(max_iter=3), fastnn.MLPRegressor((4,))],
)
def test_every_estimator(model, blobs, tmp_path):
    X, y = blobs
    model.fit(X, y)
    model.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert vars(loaded).keys() == vars(model).keys()


@pytest.mark.parametrize(
    "class_weight",
    [None, "balanced", {0: 2, 1: 0.5}, {np.int64(0): np.float32(0.25), 2.0: np.int8(3)}, {}],
)
def test_a_perceptron_goes_on(backend, blobs, class_weight, tmp_path):
    options = {"class_weight": class_weight, "shuffle": True, "n_jobs": 2, "verbose": 2}
    options |= {"tol": 1e-9, "early_stopping": class_weight is None, "warm_start": True}
    model = fastnn.Perceptron(max_iter=3, **options).fit(*blobs)
    model.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert loaded.get_params() == model.get_params()
    assert vars(loaded).keys() == vars(model).keys()
    assert loaded.t_ == model.t_
    assert np.array_equal(loaded.fit(*blobs).coef_, model.fit(*blobs).coef_)


def test_class_weights_that_no_file_can_hold(blobs, tmp_path):
    model = fastnn.Perceptron(max_iter=2).fit(*blobs).set_params(class_weight={(1, 2): 3})
    with pytest.raises(ValueError, match="class_weight: only numbers and strings can be saved"):
        model.save(tmp_path / "m")
    model.set_params(class_weight={"ant": 1, 2: 3}).save(tmp_path / "m")
    assert fastnn.load(tmp_path / "m").class_weight == {"ant": 1, 2: 3}


@pytest.mark.parametrize("estimator", [fastnn.Perceptron, fastnn.LinearNetwork])
def test_a_file_without_what_is_newer(backend, blobs, estimator, tmp_path):
    """As fastnn wrote it before these estimators could go on."""
    X, y = blobs
    model = estimator(max_iter=3, online=True, eta0=0.01, random_state=0).fit(X, y)
    model.save(tmp_path / "m")
    content, tensors = persistence._read(tmp_path / "m")
    newer = "penalty", "alpha", "l1_ratio", "early_stopping", "validation_fraction", "n_jobs"
    for name in (*newer, "class_weight", "warm_start"):
        content["parameters"].pop(name, None)
    if estimator is fastnn.Perceptron:
        del content["parameters"]["tol"], content["parameters"]["n_iter_no_change"]
        del content["values"]["stop_reason_"], content["values"]["t_"], content["values"]["_epoch"]
    del content["values"]["_seed"]
    text = json.dumps(content)
    metadata = {"format": "fastnn", "version": "3", "content": text}
    metadata["sha256"] = persistence._digest(text, tensors)
    save_file(tensors, tmp_path / "older", metadata)
    loaded = fastnn.load(tmp_path / "older")
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert np.array_equal(loaded.partial_fit(X, y).coef_, model.partial_fit(X, y).coef_)


@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam"])
def test_resuming_is_bitwise_the_same(backend, blobs, solver, tmp_path):
    whole = network(solver=solver).fit(*blobs)
    network(solver=solver, max_iter=2).fit(*blobs).save(tmp_path / "m")
    resumed = fastnn.load(tmp_path / "m").set_params(warm_start=True, max_iter=4).fit(*blobs)
    assert np.array_equal(resumed.params_, whole.params_)
    assert np.array_equal(resumed.loss_curve_, whole.loss_curve_)
    assert resumed.n_epochs_ == whole.n_epochs_ == 6


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_a_file_of_version_1_goes_on(backend, solver):
    """Written after 3 epochs and after 6 by the fastnn that had codes in its files."""
    X = np.random.default_rng(0).normal(size=(60, 5))
    y = np.array(["ant", "bee", "cow"])[np.abs(X[:, :3]).argmax(axis=1)]
    folder = Path(__file__).parent / "data"
    name = "version_1" if solver == "sgd" else "version_1_adam"
    model, later = (fastnn.load(folder / f"{name}{end}.safetensors") for end in ("", "_later"))
    assert model.n_epochs_ == 3
    model.set_params(warm_start=True).fit(X, y)
    assert model.n_epochs_ == 6
    assert model.network_ == later.network_
    assert np.abs(model.params_ - later.params_).max() < 1e-13
    assert np.abs(model.loss_curve_ - later.loss_curve_).max() < 1e-13
    if backend == "python":
        assert np.array_equal(model.predict(X), later.predict(X))


def test_a_file_of_version_2_keeps_its_loss(backend):
    """There "squared_error" was the sum without the half; written after 6 epochs and after 12."""
    X = np.random.default_rng(5).normal(size=(20, 3))
    folder = Path(__file__).parent / "data"
    model, later = (fastnn.load(folder / f"version_2{end}.safetensors") for end in ("", "_later"))
    assert model.loss == "sum_squared_error"
    model.fit(X, X[:, 0] - X[:, 1] ** 2)
    assert np.abs(model.params_ - later.params_).max() < 1e-13
    assert model.evaluate(X, X[:, 0])[0] == pytest.approx(
        np.mean((X[:, 0] - model.predict(X)) ** 2), rel=1e-12
    )


def damage(path, kind):
    content = bytearray(path.read_bytes())
    if kind == "truncated":
        content = content[: len(content) // 2]
    elif kind == "empty":
        content = b""
    elif kind == "foreign":
        content = b"\x89PNG\r\n\x1a\n" + bytes(100)
    elif kind == "bit in an array":
        content[-5] ^= 4
    else:
        content[content.index(b"momentum") + 12] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "kind", ["truncated", "empty", "foreign", "bit in an array", "bit in the text"]
)
def test_damaged_files(blobs, kind, tmp_path):
    path = tmp_path / "m.safetensors"
    network().fit(*blobs).save(path)
    damage(path, kind)
    with pytest.raises(fastnn.CheckpointError, match=r"m\.safetensors: (not a whole|damaged)"):
        fastnn.load(path)


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3)])
def test_a_pickle_is_named(blobs, compress, tmp_path):
    joblib.dump(network().fit(*blobs), tmp_path / "m", compress=compress)
    with pytest.raises(
        fastnn.CheckpointError, match=r"a pickle of your own, joblib\.load reads it"
    ):
        fastnn.load(tmp_path / "m")


def test_a_file_of_somebody_else(tmp_path):
    save_file({"w": np.zeros(3)}, tmp_path / "w", {"format": "pt"})
    with pytest.raises(fastnn.CheckpointError, match="not of fastnn"):
        fastnn.load(tmp_path / "w")
    with pytest.raises(FileNotFoundError, match="no such file"):
        fastnn.load(tmp_path / "nothing")


def test_what_cannot_be_saved(blobs, tmp_path):
    with pytest.raises(ValueError, match="not fitted"):
        network().save(tmp_path / "m")
    y = np.empty(60, object)
    y[:] = [(int(c),) for c in blobs[1]]
    model = network().fit(*blobs)
    model.classes_ = y[:3]
    with pytest.raises(ValueError, match="classes_: only numbers and strings"):
        model.save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(blobs, tmp_path, monkeypatch):
    path = tmp_path / "m"
    model = network().fit(*blobs)
    model.save(path)
    before = path.read_bytes()

    def full(handle):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "given",
    [
        {"dtype": np.float32},
        {"dtype": np.dtype("float64")},
        {"dtype": float},
        {"dtype": "single"},
        {"hidden_layer_sizes": 4},
        {"hidden_layer_sizes": np.int64(4)},
        {"hidden_layer_sizes": [np.int8(4), 3]},
        {"hidden_layer_sizes": np.array([4, 3])},
        {"hidden_layer_sizes": range(3, 5)},
        {"hidden_layer_sizes": deque([4, 3])},
        {"hidden_layer_sizes": (), "dropout": ()},
        {"dropout": [0.1, np.float32(0.2)]},
        {"dropout": np.array([0.1, 0.2])},
        {"learning_rate_init": np.float32(0.25), "alpha": 1, "tol": None},
        {"shuffle": 0, "verbose": np.False_, "warm_start": False},
        {"max_iter": np.int32(2), "batch_size": np.uint8(7), "n_jobs": np.int64(1)},
        {"random_state": np.uint64(2**64 - 1)},
        {"random_state": np.random.default_rng(0)},
        {"activation": np.str_("tanh"), "batch_size": "full"},
    ],
)
def test_what_fit_accepts_can_be_saved(blobs, given, tmp_path):
    X, y = blobs
    model = network().set_params(**{"max_iter": 2, **given}).fit(X, y)
    model.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(loaded.fit(X, y).classes_, model.classes_)
    for name, value in given.items():
        if name != "random_state":
            assert np.all(np.asarray(loaded.get_params()[name]) == np.asarray(value)), name


def test_requests_for_metadata_come_back(blobs, tmp_path):
    with sklearn.config_context(enable_metadata_routing=True):
        model = network().set_score_request(sample_weight="w").set_fit_request(callbacks=False)
        model.fit(*blobs).save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert str(loaded.get_metadata_routing()) == str(model.get_metadata_routing())
    assert loaded.get_metadata_routing().score.requests["sample_weight"] == "w"
    plain = network().fit(*blobs)
    plain.save(tmp_path / "m")
    assert "_metadata_request" not in vars(fastnn.load(tmp_path / "m"))


def test_names_of_features_and_attributes_of_others(blobs, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(blobs[0], columns=["a", "b", "c", "d", "é"])
    model = network().fit(frame, blobs[1])
    model.note = object()
    model.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert loaded.feature_names_in_.tolist() == list(frame.columns)
    assert np.array_equal(loaded.predict(frame), model.predict(frame))
    assert not hasattr(loaded, "note")


@pytest.mark.parametrize("labels", [">i8", "f2", "bool", "U300", "u1"])
def test_labels_keep_their_dtype(blobs, labels, tmp_path):
    y = (blobs[1] > 0).astype(labels)
    model = network().fit(blobs[0], y)
    model.save(tmp_path / "m")
    loaded = fastnn.load(tmp_path / "m")
    assert loaded.classes_.dtype == model.classes_.dtype.newbyteorder("=")
    assert loaded.predict(blobs[0]).tolist() == model.predict(blobs[0]).tolist()


def test_labels_that_no_file_can_hold(blobs, tmp_path):
    model = network().fit(*blobs)
    for classes in (np.arange(3, dtype=np.longdouble), np.arange(3).astype("M8[D]")):
        model.classes_ = classes
        with pytest.raises(ValueError, match="classes_: only numbers and strings"):
            model.save(tmp_path / "m")


def test_many_networks_and_none_trained(blobs, tmp_path):
    given = {"max_iter": 3, "random_state": 0}
    estimator = network(**given)
    models = fastnn.train_many(estimator, *blobs, random_state=[1, 2], record_losses=False)
    models.append(network(max_iter=0).fit(*blobs))
    for model in models:
        model.save(tmp_path / "m")
        loaded = fastnn.load(tmp_path / "m")
        assert np.array_equal(loaded.params_, model.params_)
        assert (loaded.n_iter_, loaded.loss_) == (model.n_iter_, model.loss_)
        assert vars(loaded).keys() == vars(model).keys()


def test_a_diverged_loss_comes_back(blobs, tmp_path):
    model = network().fit(*blobs)
    model.loss_curve_[-1] = model.loss_ = np.nan
    model.save(tmp_path / "m")
    assert np.isnan(fastnn.load(tmp_path / "m").loss_curve_[-1])


def test_names_of_functions_that_others_import():
    assert fastnn.latest_checkpoint is persistence.latest_checkpoint
    assert persistence.checkpoints is checkpoints.checkpoints


RUN = """
import sys, fastnn
pattern, epochs = sys.argv[1], 40_000
X, y = fastnn.load_xor()
path = fastnn.latest_checkpoint(pattern)
model = fastnn.MLPClassifier(
    (10,), "tanh", batch_size=2, tol=None, random_state=0, verbose=False
) if path is None else fastnn.load(path).set_params(warm_start=True)
left = epochs - (0 if path is None else model.n_epochs_)
if left:
    saver = fastnn.ModelCheckpoint(pattern, every=500, keep=3)
    model.set_params(max_iter=left).fit(X, y, callbacks=[saver])
model.save(sys.argv[2])
"""


LIMIT = 300  # seconds that a process may take: a fault, not a measure of speed


@pytest.mark.slow
def test_kill_at_random_moments_and_resume(tmp_path):
    """20 kills: no unreadable checkpoint, and the weights of an uninterrupted run."""

    def start(folder):
        folder.mkdir(exist_ok=True)
        pattern, last = folder / "c-{epoch:06d}.st", folder / "final"
        return subprocess.Popen([sys.executable, "-c", RUN, str(pattern), str(last)])

    def written(folder):
        return {path.name for path in folder.glob("c-*.st")}

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert start(whole).wait(LIMIT) == 0
    rng = random.Random(0)
    kills = 0
    for _ in range(60):  # a process that ends before its kill does not count
        before = written(parts)
        process = start(parts)
        # Progress, not the clock, says when: a disk can be slow now and fast in a second.
        while process.poll() is None and written(parts) <= before:
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.05))
        if process.poll() is not None:
            for path in parts.iterdir():
                path.unlink()
            continue
        process.send_signal(signal.SIGKILL)
        process.wait(LIMIT)
        kills += 1
        for path in parts.glob("c-*.st"):
            fastnn.load(path)
        if kills == 20:
            break
    assert kills == 20
    assert start(parts).wait(LIMIT) == 0
    expected, found = fastnn.load(whole / "final"), fastnn.load(parts / "final")
    assert np.array_equal(found.params_, expected.params_)
    assert np.array_equal(found.solver_state_.moments, expected.solver_state_.moments)
    assert np.array_equal(found.loss_curve_, expected.loss_curve_)
