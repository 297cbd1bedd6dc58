"""Saved models: what comes back, damage, kills, and training that goes on as if never stopped."""

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from safetensors.numpy import save_file

import fastnn
from fastnn.persistence import checkpoints, step_of


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


@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam"])
def test_resuming_is_bitwise_the_same(backend, blobs, solver, tmp_path):
    whole = network(solver=solver).fit(*blobs)
    network(solver=solver, max_iter=2).fit(*blobs).save(tmp_path / "m")
    resumed = fastnn.load(tmp_path / "m").set_params(warm_start=True, max_iter=4).fit(*blobs)
    assert np.array_equal(resumed.params_, whole.params_)
    assert np.array_equal(resumed.loss_curve_, whole.loss_curve_)
    assert resumed.n_epochs_ == whole.n_epochs_ == 6


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


def test_names_of_checkpoints(tmp_path):
    pattern = str(tmp_path / "m-{epoch:03d}.st")
    for name in ("m-001.st", "m-012.st", "m-1000.st", "m-12.st", "m-x.st", "other"):
        (tmp_path / name).touch()
    assert [p.name for p in checkpoints(pattern)] == ["m-001.st", "m-012.st", "m-1000.st"]
    assert fastnn.latest_checkpoint(pattern).name == "m-1000.st"
    assert fastnn.latest_checkpoint(tmp_path / "none-{epoch}") is None
    with pytest.raises(ValueError, match="path_pattern"):
        step_of("model.st", "model.st")


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
    assert np.array_equal(found._moments, expected._moments)
    assert np.array_equal(found.loss_curve_, expected.loss_curve_)
