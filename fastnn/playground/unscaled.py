"""The scaling of a file, taken into a model's weights: it answers for the file's own numbers."""

from typing import Any

import numpy as np

from .data import Data
from .settings import Settings

PLAIN = {"x1": 0, "x2": 1}  # features that are a coordinate, and where it stands


def is_scaled(s: Settings, data: Data) -> bool:
    """Say whether a model of these settings keeps to scaled numbers: weights cannot undo it.

    Products of scaled coordinates are not those of others, and an output's activation has a range.
    """
    if data.own is None:
        return False
    is_bounded = s.model == "network" and s.out not in ("auto", "identity")
    is_plain = all(name in PLAIN for name in data.features(s))
    return not is_plain or (not data.classes and is_bounded)


def unscale(model: Any, s: Settings, data: Data) -> None:
    """Change a model that was fitted to a file's scaled numbers into one for the file's own."""
    if data.own is None or is_scaled(s, data):
        return
    used = [PLAIN[name] for name in data.features(s)]
    half, middle = data.own.half[used], data.own.middle[used]
    centre, span = data.own.target  # 0 and 1 for classes
    is_network = s.model == "network"
    weights = model.coefs_ if is_network else [model.coef_.T]
    biases = model.intercepts_ if is_network else [model.intercept_]
    first = (weights[0].T / half).T
    weights, biases = [first, *weights[1:]], [biases[0] - middle @ first, *biases[1:]]
    if not data.classes:
        weights[-1], biases[-1] = weights[-1] * span, biases[-1] * span + centre
    if is_network:
        model.coefs_, model.intercepts_ = weights, biases
    else:
        model.coef_, model.intercept_ = np.ascontiguousarray(weights[0].T), biases[0]
