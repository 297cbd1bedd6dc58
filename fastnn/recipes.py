"""The course's trainings, for the command line: what to train on what, and how.

Numbers of systems 7, 9 and 10 of the course; the digits are a small stand-in for system 9.
"""

import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import backends, datasets
from .backends.interface import ImageDistortion
from .callbacks import Epoch, TimeLimit
from .mlp import MLPClassifier
from .network import make_network
from .optimizers import make_optimizer
from .parameters import check_batch_size, check_dtype, check_hidden_sizes
from .progress import is_watched


@dataclass(frozen=True)
class Recipe:
    """A data set and the network that the course trains on it.

    Attributes
    ----------
    load : callable
        Returns X_train, y_train, X_test, y_test; without a test set the last two are None.
    parameters : dict
        Of `MLPClassifier`.
    reference_samples, reference_epochs : int or None
        The fraction that `compare_backends` trains on, so that plain Python comes to an end.
    follow_test : bool
        Whether to take down the error on the test set after each epoch.
    """

    name: str
    load: Callable[[], tuple[NDArray, NDArray, NDArray | None, NDArray | None]]
    parameters: dict[str, Any]
    reference_samples: int | None = None
    reference_epochs: int | None = None
    follow_test: bool = False


def _xor() -> tuple[NDArray, NDArray, None, None]:
    return *datasets.load_xor(), None, None


def _digits() -> tuple[NDArray, NDArray, NDArray, NDArray]:
    X, y = datasets.load_digits()
    X = X.astype(np.float32)
    is_test = np.arange(len(X)) % 5 == 4  # every fifth, which keeps the writers mixed
    return X[~is_test], y[~is_test], X[is_test], y[is_test]


_COMMON = {
    **{"solver": "adam", "learning_rate_init": 0.001, "batch_size": 32, "tol": None},
    "dtype": "float32",
}

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "xor",
            _xor,
            {
                "hidden_layer_sizes": (10,),
                "activation": "sigmoid",
                "loss": "half_squared_error",
                "solver": "sgd",
                "momentum": 0,
                "learning_rate_init": 0.1,
                "batch_size": "full",
                "weight_init": "uniform",
                "shuffle": False,
                "max_iter": 100_001,
                "tol": None,
                "dtype": "float64",
            },
        ),
        Recipe(
            "digits",
            _digits,
            {
                **_COMMON,
                "hidden_layer_sizes": (64,),
                "input_scale": 1 / 16,
                "max_iter": 30,
            },
            reference_epochs=3,
        ),
        Recipe(
            "mnist",
            datasets.load_mnist,
            {
                **_COMMON,
                "hidden_layer_sizes": (512,),
                "dropout": 0.2,
                "input_scale": 1 / 255,
                "max_iter": 10,
            },
            reference_samples=192,
            reference_epochs=1,
        ),
        Recipe(
            "fashion-mnist",
            datasets.load_fashion_mnist,
            {**_COMMON, "hidden_layer_sizes": (128,), "input_scale": 1 / 255, "max_iter": 5},
        ),
    )
}

# D. Cireşan, U. Meier, L. Gambardella, J. Schmidhuber, "Deep, big, simple neural nets for
# handwritten digit recognition", Neural Computation 22 (2010), section 2 and table 1. Theirs learn
# online, at a rate that falls from 0.001 to 0.000001; mini-batches with momentum keep a GPU or
# several cores busy, and 0.02 / (1 - 0.9) for 100 samples is 0.002 for each.
DEEP_BIG_SIMPLE = Recipe(
    "mnist",
    datasets.load_mnist,
    {
        "hidden_layer_sizes": (2500, 2000, 1500, 1000, 500),
        "activation": "tanh",
        "solver": "momentum",
        "learning_rate_init": 0.02,
        "learning_rate_decay": 0.985,
        "batch_size": 100,
        "input_scale": 1 / 255,
        # 1 and 7 are told apart by their slant.
        "distortion": ImageDistortion(28, 28, (15, 7.5, 15, 15, 15, 15, 15, 7.5, 15, 15)),
        "max_iter": 400,
        "tol": None,
        "dtype": "float32",
    },
    follow_test=True,
)
SPECIAL_RECIPES = {"deep-big-simple": DEEP_BIG_SIMPLE}

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
    """A callback that takes down epoch, seconds, loss and error on the test set, and shows them."""

    def __init__(self, show: Callable[[int, float, float, float], None] | None):
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
    **options: Any,
) -> dict[str, Any]:
    """Train as a recipe says, with options of the command line; return what there is to report.

    Parameters
    ----------
    minutes : float, optional
        No epoch begins later than that.
    show : callable, optional
        Called with epoch, seconds, loss and test error where the recipe follows the test.

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
    callbacks: list[Any] = [] if minutes is None else [TimeLimit(60 * minutes)]
    test_errors = _TestErrors(show)
    if recipe.follow_test:
        callbacks.append(test_errors)
    X, y, X_test, y_test = recipe.load()
    warm_up(parameters, X, y)
    begin = time.perf_counter()
    held_out: Any = (X_test, y_test) if recipe.follow_test else None
    try:
        model.fit(X, y, callbacks=callbacks, validation_data=held_out)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_reached(model)) from None
    seconds = time.perf_counter() - begin
    loss, accuracy = model.evaluate(X, y)
    result = {
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
        result["test_loss"], result["test_accuracy"] = model.evaluate(X_test, y_test)
    else:
        # The loss every 5,000 epochs, as the course prints it.
        result["loss_curve"] = model.loss_curve_[::5000].tolist()
        result["inputs"] = X.tolist()
        result["outputs"] = model.predict_proba(X)[:, 1].tolist()
        result["classes"] = model.predict(X).tolist()
    return result


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
