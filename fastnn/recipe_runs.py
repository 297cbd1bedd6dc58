"""Runs the recipes of the command line: one training, or the same on every back end."""

import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import backends
from .callbacks import Epoch, TimeLimit
from .mlp import MLPClassifier
from .mpi import check_model
from .network import make_network
from .optimizers import make_optimizer
from .parameters import check_batch_size, check_dtype, check_hidden_sizes
from .progress import is_watched
from .recipes import Recipe

# Options of the command line, and the parameters that they set.
OPTIONS = {
    "epochs": "max_iter",
    "batch_size": "batch_size",
    "lr": "learning_rate_init",
    "hidden": "hidden_layer_sizes",
    "activation": "activation",
    "dropout": "dropout",
    "seed": "random_state",
    "dtype": "dtype",
    "threads": "n_jobs",
}


class _TestErrors:
    """A callback that takes down epoch, seconds, loss and error on the test set, and shows them.

    Parameters
    ----------
    every : int
        After how many epochs, again and again.
    """

    def __init__(self, every: int, show: Callable[[int, float, float, float], None] | None):
        self.every = every
        self.rows: list[tuple[int, float, float, float]] = []
        self._show = show

    def on_epoch_end(self, epoch: Epoch) -> None:
        row = epoch.number, epoch.seconds, epoch.loss, 1 - epoch.val_accuracy
        self.rows.append(row)
        if self._show is not None:
            self._show(*row)


def train_recipe(
    recipe: Recipe,
    minutes: float | None = None,
    show: Callable[[int, float, float, float], None] | None = None,
    communicator: Any = None,
    **options: Any,
) -> dict[str, Any]:
    """Train as a recipe says, with options of the command line; return what there is to report.

    Parameters
    ----------
    minutes : float, optional
        No epoch begins later than that. Where the recipe fills its time, and no number of epochs
        is given, it also gets as many epochs as will end by then.
    show : callable, optional
        Called with epoch, seconds, loss and test error where the recipe follows the test.
    communicator : mpi4py.MPI.Comm, optional
        Of the processes that train together, each on a part of the samples.

    Raises
    ------
    ValueError
        If an option is not as its parameter has to be: before the data are loaded.
    KeyboardInterrupt
        After Ctrl-C; it says how far the training had come.
    """
    changes = {OPTIONS[name]: value for name, value in options.items() if value is not None}
    parameters = {**recipe.parameters, **changes}
    model = MLPClassifier(**parameters)
    _check(model)
    if communicator is not None:
        check_model(model)
    callbacks: list[Any] = [] if minutes is None else [TimeLimit(60 * minutes)]
    test_errors = _TestErrors(max(1, recipe.follow_test), show)
    if recipe.follow_test:
        callbacks.append(test_errors)
    whole = recipe.load()
    warm_up(parameters, *whole[:2])
    X, y, X_test, y_test = (_own_part(communicator, array) for array in whole)
    others = {} if communicator is None else {"communicator": communicator}
    begin = time.perf_counter()
    if minutes is not None and recipe.fills_time and "max_iter" not in changes:
        model.max_iter = _epochs_within(60 * minutes, parameters, *whole[:2])
    held_out: Any = (X_test, y_test) if recipe.follow_test else None
    try:
        model.fit(X, y, callbacks=callbacks, validation_data=held_out, **others)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_reached(model)) from None
    seconds = time.perf_counter() - begin
    loss, accuracy = model.evaluate(X, y, **others)
    result: dict[str, Any] = {
        "dataset": recipe.name,
        "backend": model.backend_,
        "network": "-".join(str(size) for size in model.network_.sizes),
        "dtype": model.params_.dtype.name,
        "epochs": model.n_iter_,
        "loss": loss,
        "accuracy": accuracy,
        "seconds": seconds,
        "seconds_per_epoch": seconds / max(1, model.n_iter_),
        "stop_reason": model.stop_reason_,
    }
    if recipe.follow_test:
        result["test_errors"] = test_errors.rows
    if X_test is not None and y_test is not None:
        result["loss_curve"] = model.loss_curve_.tolist()
        result["test_loss"], result["test_accuracy"] = model.evaluate(X_test, y_test, **others)
        if recipe.follow_test and model.n_iter_ % recipe.follow_test:  # the last is not there yet
            last = model.n_iter_, seconds, model.loss_, 1 - result["test_accuracy"]
            result["test_errors"].append(last)
    else:
        # The loss every 5,000 epochs, as the course prints it.
        result["loss_curve"] = model.loss_curve_[::5000].tolist()
        X = whole[0]
        result["inputs"] = X.tolist()
        result["outputs"] = model.predict_proba(X)[:, 1].tolist()
        result["classes"] = model.predict(X).tolist()
    return result


def _own_part(communicator: Any, array: NDArray | None) -> Any:
    """Return the rows of an array that this process has; all of them, if it is the only one."""
    if communicator is None or array is None:
        return array
    rank, size, n = communicator.Get_rank(), communicator.Get_size(), len(array)
    return array[n * rank // size : n * (rank + 1) // size]


# Of the time that is left, so much is for epochs that take longer than the first ones.
SPARE = 0.05
LEAST_TRIAL = 6_000  # samples


def _epochs_within(seconds: float, parameters: dict[str, Any], X: NDArray, y: NDArray) -> int:
    """Return how many epochs will end in time, after a trial with some of the samples."""
    n = min(LEAST_TRIAL, len(X))
    trial = MLPClassifier(**{**parameters, "max_iter": 2, "verbose": False})
    begin = time.perf_counter()
    trial.fit(X[:n], y[:n])
    taken = time.perf_counter() - begin
    per_epoch = taken / 2 * len(X) / n
    return max(1, int((1 - SPARE) * (seconds - taken) / per_epoch))


def _check(model: MLPClassifier) -> None:
    """Check, before there are data, the parameters that options set; raises as `fit` does."""
    make_optimizer(vars(model), check_dtype(model.dtype))
    sizes = 1, *check_hidden_sizes(model.hidden_layer_sizes), 1
    make_network(sizes, model.activation, "sigmoid", model.dropout, "binary_crossentropy")


def _reached(model: MLPClassifier) -> str:
    """Say how far a training that was interrupted has come."""
    n_epochs = getattr(model, "n_iter_", 0)
    if n_epochs == 0:
        return "before the first epoch was complete"
    return f"after {n_epochs} epochs, loss {model.loss_:.6g}"


def warm_up(parameters: dict[str, Any], X: NDArray, y: NDArray) -> None:
    """Train and evaluate on few samples: what Numba compiles first is no time of the training."""
    backend = backends.get_backend()
    if backend == "python":
        return
    if backend.startswith("numba") and is_watched():
        print("Numba compiles on its first use, for up to a minute", file=sys.stderr)
    model = MLPClassifier(**{**parameters, "max_iter": 1, "verbose": False})
    n_samples = check_batch_size(model.batch_size, len(X))
    one_of_each = np.unique(y, return_index=True)[1]
    few = np.union1d(one_of_each, np.arange(n_samples))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the training itself says if it diverges
        model.fit(X[few], y[few]).evaluate(X[few], y[few])


def compare_backends(
    recipe: Recipe,
    seed: int,
    threads: int | None,
    show: Callable[[dict[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Train the same on every available back end; compare with the reference, plain Python.

    Parameters
    ----------
    show : callable, optional
        Called with the result so far after each back end.
    """
    X, y, _, _ = recipe.load()
    n_samples = min(len(X), recipe.reference_samples or len(X))
    note = ""
    if n_samples < len(X):
        note = f"The first {n_samples} of {len(X)} samples, so that plain Python comes to an end."
    X, y = X[:n_samples], y[:n_samples]
    parameters = {**recipe.parameters, "random_state": seed, "n_jobs": threads}
    parameters["max_iter"] = recipe.reference_epochs or parameters["max_iter"]
    rows: dict[str, dict[str, Any]] = {}
    result = {
        "dataset": recipe.name,
        "samples": n_samples,
        "epochs": parameters["max_iter"],
        "dtype": parameters["dtype"],
        "note": note,
        "backends": rows,
    }
    names = [name for name, reason in backends.available_backends().items() if reason is None]
    for name in sorted(names, key=lambda name: name != "python"):
        if is_watched():
            print(f"{name}: {parameters['max_iter']} epochs ...", file=sys.stderr)
        with backends.use_backend(name):
            warm_up(parameters, X, y)
            model = MLPClassifier(**parameters)
            begin = time.perf_counter()
            model.fit(X, y)
            seconds = time.perf_counter() - begin
            loss, accuracy = model.evaluate(X, y)
            if name == "python":
                reference, slowest = model.params_.astype(np.float64), seconds
            rows[name] = {
                "loss": loss,
                "accuracy": accuracy,
                "seconds": seconds,
                "classes": model.predict(X[:4]).tolist(),
                "speed": slowest / seconds,
                "max_relative_difference": relative_difference(model.params_, reference),
            }
        if show is not None:
            show(result)
    return result


def relative_difference(values: NDArray, reference: NDArray) -> float:
    """Return the largest difference of two parameter vectors, relative to the largest parameter."""
    return float(np.abs(values - reference).max() / np.abs(reference).max())
