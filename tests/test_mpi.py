"""One network on several ranks; mpiexec starts the programs of tests/mpi_programs.py."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fastnn
from fastnn import backends
from fastnn.backends import numba_cuda

pytestmark = pytest.mark.skipif(not find_spec("mpi4py"), reason="needs mpi4py")
PROGRAMS = Path(__file__).parent / "mpi_programs.py"
MPIEXEC = shutil.which("mpiexec", path=str(Path(sys.executable).parent)) or "mpiexec"
SECONDS = 300  # what hangs, fails
# On fewer processors than ranks, a rank that waits gives way soon.
GIVE_WAY = {"MPIR_CVAR_POLLS_BEFORE_YIELD": "1", "OMP_NUM_THREADS": "1"}


def start(n_ranks, folder, *arguments, program=PROGRAMS):
    command = [MPIEXEC, "-n", str(n_ranks), sys.executable, str(program), *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        cwd=folder,
        env=os.environ | GIVE_WAY,
    )


def run(n_ranks, folder, name, *arguments):
    """Return what rank 0 of a program has printed."""
    done = start(n_ranks, folder, name, folder, *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def by_one(tmp_path_factory):
    return run(1, tmp_path_factory.mktemp("one"), "train")


@pytest.mark.parametrize(
    "n_ranks", [2, *(pytest.param(n, marks=pytest.mark.slow) for n in (3, 4, 5))]
)
def test_the_model_does_not_depend_on_the_number_of_ranks(by_one, n_ranks, tmp_path):
    """Parameters, moments, losses and measures, bit by bit: also where a rank has no samples."""
    found = run(n_ranks, tmp_path, "train")
    assert found.keys() == by_one.keys()
    assert {name for name in found if found[name] != by_one[name]} == set()
    for backend in {name.split()[0] for name in found}:
        own = [json.dumps(found[name]) for name in found if name.split()[0] == backend]
        assert len(set(own)) == len(own) > 1


def test_callbacks_are_heard_by_all_ranks(by_one):
    for name, found in by_one.items():
        if name.endswith("callbacks"):
            _, seen, history, reason, best = found
            assert reason == "callback"
            assert len(seen) == len(history["loss"]) == 4
            assert best == max(history["val_accuracy"])
            assert [row[1:] for row in seen] == [
                list(row)
                for row in zip(
                    history["val_loss"], history["val_accuracy"], history["loss"], strict=True
                )
            ]


def test_a_single_shard_is_what_fit_makes_of_it():
    from mpi4py import MPI

    X, y = fastnn.load_digits()
    models = [
        fastnn.MLPClassifier((9,), dropout=0.3, batch_size=99, max_iter=2, random_state=1)
        for _ in range(2)
    ]
    models[0].fit(X, y, validation_data=(X[:50], y[:50]))
    models[1].fit(X, y, validation_data=(X[:50], y[:50]), communicator=MPI.COMM_SELF, n_shards=1)
    assert np.array_equal(models[0].params_, models[1].params_)
    assert np.allclose(models[0].loss_curve_, models[1].loss_curve_, rtol=1e-12)
    one, other = models[0].evaluate(X, y), models[1].evaluate(X, y, communicator=MPI.COMM_SELF)
    assert np.allclose(one, other, rtol=1e-12)
    assert models[1].history_["val_accuracy"] == models[0].history_["val_accuracy"]
    assert models[1].data_fingerprint_ is None


def test_what_is_no_communicator():
    X, y = fastnn.load_xor()
    with pytest.raises(ValueError, match="communicator=4: expected one of mpi4py"):
        fastnn.MLPClassifier().fit(X, y, communicator=4)
    with pytest.raises(ValueError, match="n_shards=4: expected None without a communicator"):
        fastnn.MLPClassifier().fit(X, y, n_shards=4)


def test_a_back_end_without_shards_is_refused(monkeypatch):
    from mpi4py import MPI

    assert not numba_cuda.TRAINS_SHARDS
    monkeypatch.setattr(backends.kernels(), "TRAINS_SHARDS", False)
    with pytest.raises(ValueError, match=f"back end {fastnn.get_backend()} trains in one process"):
        fastnn.MLPClassifier().fit(*fastnn.load_xor(), communicator=MPI.COMM_SELF)


REFUSALS = {
    "features": "X: rank 0 has 64 features and rank 1 has 63 features",
    "dtype": "dtype of X: rank 0 has dense float32 and rank 1 has dense float64",
    "bytes": "dtype of X: rank 0 has dense float32 and rank 1 has dense uint8",
    "sparse": "dtype of X: rank 0 has dense float32 and rank 1 has sparse float32",
    "labels": "y: rank 0 has integers and rank 1 has strings",
    "columns": "y: rank 0 has integers and rank 1 has 2 columns of labels",
    "alpha": "alpha: rank 0 has 0.25 and rank 1 has 0.5",
    "layers": "hidden_layer_sizes: rank 0 has (4, 3) and rank 1 has (3, 4)",
    "weights": "sample_weight: rank 0 has none and rank 1 has some",
    "shards": "n_shards: rank 0 has 3 and rank 1 has 2",
    "estimator": "the model: rank 0 has a new MLPRegressor and rank 1 has a new MLPClassifier",
    "validation weights": "validation_data: rank 0 has no weights and rank 1 has weights",
    "validation": "validation_data: rank 0 has none and rank 1 has some",
    "initial": "the initial weights: rank 0 has",
    "own": "rank 1: X: Found array with 0 feature(s)",
    "value": "rank 1: X: contains NaN",
    "shards of a batch": "n_shards=11: expected at most one for each of 10 samples",
    "lbfgs": "solver='lbfgs' runs in one process",
    "balanced": "class_weight='balanced' needs all samples at once",
    "held out": "early_stopping=True holds no samples out",
    "no samples": "X: no rank has samples",
    "callback": "callbacks: 3 has no method on_epoch_end",
    "folder": "there is no folder 'nowhere/at'",
}


def test_what_differs_between_ranks_is_refused_by_name(tmp_path):
    """On all ranks, before any work."""
    found = run(2, tmp_path, "refuse")
    assert found.keys() == REFUSALS.keys()
    for name, messages in found.items():
        assert REFUSALS[name] in messages[0], name
        assert messages[1] in messages[0] or messages[0] in messages[1], name


@pytest.mark.slow
@pytest.mark.parametrize("how", ["raises", "callback raises", "raises outside"])
def test_a_rank_that_raises_ends_all(how, tmp_path):
    done = start(2, tmp_path, "fall", tmp_path, how, 4)
    assert done.returncode != 0
    assert "RuntimeError: rank 1 has had enough" in done.stderr


@pytest.mark.slow
def test_a_killed_rank_ends_all_and_others_go_on(tmp_path):
    """From the last checkpoint, bit by bit, with another number of ranks."""
    done = start(2, tmp_path, "fall", tmp_path, "killed", 1_000_000)
    assert done.returncode != 0
    n_epochs = len(list(tmp_path.glob("*.safetensors"))) + 4
    before, after, is_same = run(1, tmp_path, "resume", n_epochs)
    assert 3 <= before < after == n_epochs
    assert is_same


@pytest.mark.slow
def test_the_command_line(tmp_path):
    """All ranks train, rank 0 prints; a wrong option ends all."""
    arguments = ["-m", "fastnn", "train", "digits", "--epochs", "2", "--batch-size", "500"]
    printed = []
    for n_ranks in (1, 3):
        command = [MPIEXEC, "-n", str(n_ranks), sys.executable, *arguments, "--mpi", "--json"]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=SECONDS, env=os.environ | GIVE_WAY
        )
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        printed.append({name: v for name, v in result.items() if not name.startswith("seconds")})
    assert printed[0] == printed[1]
    command = [MPIEXEC, "-n", "2", sys.executable, *arguments, "--mpi", "--lr", "-1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    assert done.returncode != 0
    assert "--lr" in done.stderr


@pytest.mark.parametrize("stdout", [None, "closed", "full"])
def test_a_rank_ends_all_whatever_has_become_of_its_streams(stdout, monkeypatch):
    from fastnn.mpi.ranks import abort

    class Communicator:
        def Abort(self, code):
            raise SystemExit(code)

    stream = None
    if stdout is not None:
        stream = open("/dev/full" if stdout == "full" else os.devnull, "w")  # noqa: SIM115
        stream.write("pending")
    if stdout == "closed":
        stream.close()
    monkeypatch.setattr("fastnn.mpi.ranks.PASSING_ON", 0)
    monkeypatch.setattr(sys, "stdout", stream)
    with pytest.raises(SystemExit):
        abort(Communicator())
