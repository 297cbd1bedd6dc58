"""The trainings of the command line: what to train on what, and how.

The course's have the numbers of its systems 7, 9 and 10; the digits are a small stand-in for
system 9. The special ones go for the least error: in the time of a laptop, or of a night.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import datasets
from .backends.interface import ImageDistortion


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
    follow_test : int
        After how many epochs to take down the error on the test set, again and again; 0: never.
    fills_time : bool
        Whether a limit in minutes sets the number of epochs, so that its schedule comes to an end.
    """

    name: str
    load: Callable[[], tuple[NDArray, NDArray, NDArray | None, NDArray | None]]
    parameters: dict[str, Any]
    reference_samples: int | None = None
    reference_epochs: int | None = None
    follow_test: int = 0
    fills_time: bool = False


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

# 1 and 7 are told apart by their slant.
DIGITS_BENT = ImageDistortion(28, 28, (15, 7.5, 15, 15, 15, 15, 15, 7.5, 15, 15))
# Clothes lie straight, and their seams count.
CLOTHES_BENT = ImageDistortion(28, 28, rotation=3.0, scaling=0.05, sigma=6.0, alpha=8.0)

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
        "distortion": DIGITS_BENT,
        "max_iter": 400,
        "tol": None,
        "dtype": "float32",
    },
    follow_test=1,
)

# Chosen on 10,000 training images that were held out, never on the test images: tried were one
# to three layers, activations, rates, schedules, penalties, dropout, label smoothing and
# distortions. After 100 epochs on the other 50,000, 0.56 % of them were wrong with ReLU and Adam,
# 0.48 with GELU, 0.47 with GELU and weight decay.
_LAPTOP = {
    **_COMMON,
    "hidden_layer_sizes": (800, 400),
    "batch_size": 128,
    "learning_rate": "cosine",
    "input_scale": 1 / 255,
}
LAPTOP = Recipe(
    "mnist",
    datasets.load_mnist,
    {
        **_LAPTOP,
        "activation": "gelu",
        "solver": "adamw",
        "weight_decay": 0.05,
        "distortion": DIGITS_BENT,
        "max_iter": 400,
    },
    follow_test=10,
    fills_time=True,
)
LAPTOP_FASHION = Recipe(
    "fashion-mnist",
    datasets.load_fashion_mnist,
    {**_LAPTOP, "dropout": 0.2, "distortion": CLOTHES_BENT, "max_iter": 270},
    follow_test=10,
    fills_time=True,
)

# By name, then by data set.
SPECIAL_RECIPES = {
    "deep-big-simple": {"mnist": DEEP_BIG_SIMPLE},
    "laptop": {"mnist": LAPTOP, "fashion-mnist": LAPTOP_FASHION},
}
