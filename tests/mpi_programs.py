"""What tests/test_mpi.py lets mpiexec run: python mpi_programs.py NAME FOLDER [ARGUMENT]...."""

import hashlib
import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
from mpi4py import MPI

import fastnn
from fastnn import backends
from fastnn.callbacks import CSVLogger, ModelCheckpoint
from fastnn.checkpoints import checkpoints

COMM = MPI.COMM_WORLD
RANK, SIZE = COMM.Get_rank(), COMM.Get_size()
BACKENDS = [name for name in ("cython", "numba") if fastnn.available_backends()[name] is None]
SETTINGS = {"max_iter": 3, "tol": None, "random_state": 4, "verbose": False}


def digest(model):
    state = model.solver_state_
    content = model.params_.tobytes() + state.moments.tobytes() + str(state[1:]).encode()
    return hashlib.sha256(content).hexdigest()


def part(*arrays, ends=None):
    """Return this rank's part of arrays, which ends at `ends[RANK]`."""
    n = arrays[0].shape[0]
    ends = [n * (rank + 1) // SIZE for rank in range(SIZE)] if ends is None else ends
    rows = slice(0 if RANK == 0 else ends[RANK - 1], ends[RANK])
    return tuple(array[rows] for array in arrays)


def digits():
    X, y = fastnn.load_digits()
    return X.astype(np.float32)[:900], y[:900]


class Changes:
    """A callback that looks at everything, lowers the rate and clips a weight."""

    def __init__(self):
        self.seen = []

    def on_epoch_end(self, epoch):
        self.seen.append([epoch.accuracy, epoch.val_loss, epoch.val_accuracy, epoch.loss])
        epoch.model.learning_rate_init *= 0.5
        epoch.model.params_[0] = 0.25
        return epoch.number == 4


def networks():
    """Yield (name, model, X, y, weights, fit's other arguments)."""
    X, y = digits()
    weights = 0.5 + np.arange(900) % 7
    common = {"batch_size": 130, "input_scale": 1 / 16, **SETTINGS}
    labels = np.array(["even", "odd"])[y % 2]
    yield "dropout", fastnn.MLPClassifier((20,), dropout=0.2, **common), X, y, None, {}
    tanh = fastnn.MLPClassifier((6, 5), "tanh", alpha=0.1, **common)
    yield "weights", tanh, X, labels, weights, {}
    ends = [0] * (SIZE - 1) + [900]  # the last one has all
    yield "none", fastnn.MLPClassifier((5,), **common), X, y, None, {"ends": ends}
    yield "few shards", fastnn.MLPRegressor((5,), **common), X, y / 9, weights, {"n_shards": 1}
    hinge = fastnn.MLPClassifier((5,), loss="hinge", solver="nadam", max_norm=1, **common)
    ends = [10 * (rank + 1) for rank in range(SIZE - 1)] + [900]
    yield "sparse", hinge, csr(X), y, None, {"ends": ends}
    xor = {"loss": "half_squared_error", "batch_size": "full", "shuffle": False, **SETTINGS}
    yield "xor", fastnn.MLPClassifier((3,), "sigmoid", **xor), *fastnn.load_xor(), None, {}


def csr(X):
    from scipy.sparse import csr_array

    return csr_array(X)


def train(folder):
    """Print digests of everything that a fit makes, for all back ends."""
    results = {}
    for backend in BACKENDS:
        fastnn.set_backend(backend)
        for name, model, X, y, weights, others in networks():
            ends = others.pop("ends", None)
            X_own, y_own = part(X, y, ends=ends)
            w_own = None if weights is None else part(weights, ends=ends)[0]
            model.fit(X_own, y_own, w_own, communicator=COMM, **others)
            measured = model.evaluate(X_own, y_own, w_own, communicator=COMM)
            assert model.score(X_own, y_own, w_own, communicator=COMM) == measured[1]
            alone = model.evaluate(X, y, weights)
            assert np.allclose(measured, alone, rtol=1e-5), (measured, alone)
            found = [digest(model), model.loss_curve_.tolist(), *measured, model.n_iter_, model.t_]
            results[f"{backend} {name}"] = found
        results[f"{backend} callbacks"] = with_callbacks()
    everywhere = COMM.gather(results)
    if RANK == 0:
        assert all(others == results for others in everywhere)
        print(json.dumps(results))


def with_callbacks():
    X, y = digits()
    X_own, y_own = part(X[:700], y[:700])
    held_out = part(X[700:], y[700:], ends=[200] * SIZE)  # rank 0 has all
    model = fastnn.MLPClassifier((8,), early_stopping=True, **{**SETTINGS, "max_iter": 9})
    changes = Changes()
    model.fit(
        X_own, y_own, communicator=COMM, callbacks=[changes] if RANK == 0 else "none of mine",
        validation_data=held_out,
    )  # fmt: skip
    seen = COMM.bcast(changes.seen)
    assert np.isclose(seen[-1][1], model.history_["val_loss"][-1])
    assert model.learning_rate_init == 0.001 / 16, model.learning_rate_init
    return [digest(model), seen, model.history_, model.stop_reason_, model.best_validation_score_]


def refuse(folder):
    """Print what is raised on each rank when rank 1 has something else."""
    X, y = digits()
    X, y = part(X, y)
    settings, wrong = {"max_iter": 1, "verbose": False, "tol": None}, RANK == 1
    labels = y.astype(str) if wrong else y
    several = np.stack([y % 2, y % 3 == 0], axis=1).astype(int)
    cases = {
        "features": ({}, X[:, 1:] if wrong else X, y, {}),
        "dtype": ({}, X.astype(np.float64) if wrong else X, y, {}),
        "bytes": ({"dtype": "float32"}, X.astype(np.uint8) if wrong else X, y, {}),
        "sparse": ({"dtype": "float32"}, csr(X) if wrong else X, y, {}),
        "labels": ({}, X, labels, {}),
        "columns": ({}, X, several if wrong else y, {}),
        "alpha": ({"alpha": 0.5 if wrong else 0.25}, X, y, {}),
        "layers": ({"hidden_layer_sizes": (3, 4) if wrong else (4, 3)}, X, y, {}),
        "weights": ({}, X, y, {"sample_weight": np.ones(len(y)) if wrong else None}),
        "shards": ({}, X, y, {"n_shards": 2 if wrong else 3}),
        "estimator": (None, X, y, {}),
        "validation weights": ({}, X, y, {"validation_data": (X, y, y + 1)[: 2 + wrong]}),
        "validation": ({}, X, y, {"validation_data": (X, y) if wrong else None}),
        "initial": ({"hidden_layer_sizes": ()}, X, y, {"coefs_init": [np.full((64, 10), RANK)]}),
        "own": ({}, X[:, :0] if wrong else X, y, {}),
        "value": ({}, np.where(wrong, np.nan, X), y, {}),
        "shards of a batch": ({"batch_size": 10}, X, y, {"n_shards": 11}),
        "lbfgs": ({"solver": "lbfgs"}, X, y, {}),
        "balanced": ({"class_weight": "balanced"}, X, y, {}),
        "held out": ({"early_stopping": True}, X, y, {}),
        "no samples": ({}, X[:0], y[:0], {}),
        "callback": ({}, X, y, {"callbacks": [3] if RANK == 0 else ()}),
        "folder": ({}, X, y, {"callbacks": [CSVLogger("nowhere/at/all.csv")]}),
    }
    results = {}
    for name, (parameters, X_own, y_own, others) in cases.items():
        kind = fastnn.MLPClassifier if parameters is not None or wrong else fastnn.MLPRegressor
        model = kind(**{"hidden_layer_sizes": (4,), **settings, **(parameters or {})})
        try:
            model.fit(X_own, y_own, communicator=COMM, **others)
            message = "nothing"
        except (ValueError, RuntimeError, OSError) as error:
            message = str(error)
        assert not hasattr(model, "params_")
        results[name] = COMM.gather(message)
    assert model.set_params(**settings).fit(X, y, communicator=COMM).n_iter_ == 1  # no harm done
    if RANK == 0:
        print(json.dumps(results))


def model_to_resume(n_epochs):
    settings = {**SETTINGS, "max_iter": n_epochs, "warm_start": True}
    return fastnn.MLPClassifier((16,), dropout=0.1, batch_size=100, **settings)


def fall(folder, how, n_epochs):
    """Train with checkpoints, until rank 1 raises or is killed after some of them."""
    pattern = f"{folder}/digits-{{epoch:04d}}.safetensors"

    def kill_soon():
        while len(checkpoints(pattern)) < 3:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)

    def raise_now(*arguments):
        raise RuntimeError("rank 1 has had enough")

    if RANK == 1 and how == "killed":
        threading.Thread(target=kill_soon, daemon=True).start()
    if RANK == 1 and how == "raises":
        backends.kernels().mlp_train_shards = raise_now
    callbacks = [ModelCheckpoint(pattern)]
    if RANK == 0 and how == "callback raises":
        callbacks.append(lambda epoch: raise_now() if epoch.number == 3 else None)
    model = model_to_resume(int(n_epochs))
    model.fit(*part(*digits()), communicator=COMM, callbacks=callbacks)
    if RANK == 1:
        raise_now()
    COMM.barrier()


def resume(folder, n_epochs):
    """Go on from the last checkpoint; print whether that is what an unbroken training makes."""
    path = fastnn.latest_checkpoint(f"{folder}/digits-{{epoch:04d}}.safetensors")
    model = fastnn.load(path)
    before = model.n_epochs_
    model.set_params(max_iter=int(n_epochs) - before, verbose=False)
    model.fit(*part(*digits()), communicator=COMM)
    unbroken = model_to_resume(int(n_epochs)).fit(*digits(), communicator=MPI.COMM_SELF)
    if RANK == 0:
        print(json.dumps([before, model.n_epochs_, digest(model) == digest(unbroken)]))


if __name__ == "__main__":
    Path(sys.argv[2]).mkdir(exist_ok=True)
    globals()[sys.argv[1]](*sys.argv[2:])
