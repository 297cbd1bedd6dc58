"""The estimator that settings describe: its class, and the arguments that are not the default."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .. import backends
from ..linear import LinearNetwork
from ..mlp import MLPClassifier, MLPRegressor
from ..perceptron import Perceptron
from . import images
from .data import Data
from .problems import Problem
from .settings import Settings

CLASSES = {c.__name__: c for c in (MLPClassifier, MLPRegressor, Perceptron, LinearNetwork)}


class Recipe(NamedTuple):
    """How to make an estimator.

    Attributes
    ----------
    name : str
        Of its class.
    arguments : dict
    """

    name: str
    arguments: dict[str, Any]

    def make(self) -> Any:
        """Return the estimator."""
        return CLASSES[self.name](**self.arguments)


def recipe(s: Settings, data: Data) -> Recipe:
    """Return how to make the estimator that settings describe."""
    if s.model != "network":
        return _single_layer(s, data)
    arguments: dict[str, Any] = {"hidden_layer_sizes": s.hidden}
    if s.hidden:
        same = len(set(s.act)) == 1
        arguments["activation"] = s.act[0] if same else list(s.act)
    for name, value in (("out_activation", s.out), ("loss", s.loss)):
        if value != "auto":
            arguments[name] = value
    arguments["solver"] = s.solver
    if s.solver == "sgd":
        arguments["momentum"] = s.momentum
    arguments["learning_rate_init"] = s.lr
    arguments["batch_size"] = s.batch or "full"
    if not 0 < s.batch < len(data.train):  # the order changes nothing but the last bits
        arguments["shuffle"] = False
    numbers = {"alpha": s.alpha, "l1": s.l1, "dropout": s.dropout if s.hidden else 0}
    arguments |= {name: value for name, value in numbers.items() if value}
    if s.init != "glorot_uniform":
        arguments["weight_init"] = s.init
    if s.bias:
        arguments["bias_init"] = s.bias
    if data.kind == "images":
        arguments["input_scale"] = images.load().scale
    arguments |= {"max_iter": s.epoch, "tol": None, "random_state": s.seed, "n_jobs": 1}
    return Recipe("MLPClassifier" if data.classes else "MLPRegressor", arguments)


def _single_layer(s: Settings, data: Data) -> Recipe:
    if s.model == "perceptron" and not data.classes:
        raise Problem(
            "A perceptron names classes; choose data with classes, or another model.",
            "感知器用于分类：请选择有类别的数据，或换一种模型。",
        )
    arguments = {
        "eta0": s.lr,
        "online": s.batch == 1,
        "weight_init": "zeros" if s.init == "zeros" else "uniform",
        "max_iter": s.epoch,
        "random_state": s.seed,
    }
    return Recipe("Perceptron" if s.model == "perceptron" else "LinearNetwork", arguments)


def inputs_of(s: Settings, data: Data, rows: NDArray) -> NDArray:
    """Return what the estimator sees of some samples."""
    if data.kind == "images" and s.model != "network":
        return images.training_inputs() if rows is data.train else images.reals(data.points[rows])
    return data.inputs(s, data.points[rows])


def targets_of(s: Settings, data: Data, rows: NDArray) -> NDArray:
    """Return what the estimator is to learn of some samples.

    A linear network learns -1 and 1, of more than two classes a column for each.
    """
    y = data.y[rows]
    if s.model != "linear" or not data.classes:
        return y
    if len(data.classes) == 2:
        return 2.0 * y - 1
    return np.where(y[:, np.newaxis] == np.arange(len(data.classes)), 1.0, -1.0)


def drawing_kernels() -> Any:
    """Return the kernels that measure and draw, whichever back end trains: the fastest here."""
    reasons = backends.available_backends()
    return backends.kernels(next(name for name, reason in reasons.items() if reason is None))
