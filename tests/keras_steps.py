"""A program: Keras and fastnn take the same steps from the same state; prints how they differ.

In a process of its own, as Keras has one back end in each, and NumPy's cannot train.
"""

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
import numpy as np

import fastnn
from fastnn.export import to_keras

L = keras.layers
X = np.random.default_rng(0).normal(size=(40, 5)).astype("float32")
THREE = np.abs(X[:, :3]).argmax(axis=1)
LOGITS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SMOOTH = keras.losses.BinaryCrossentropy(label_smoothing=0.1)
# A loss, outputs and their activation, and targets.
AIMS = {
    "mse": ("mse", 1, "linear", X[:, 0]),
    "mse of 3": ("mse", 3, "linear", X[:, :3]),
    "mae": ("mae", 2, "linear", X[:, :2]),
    "huber": (keras.losses.Huber(0.5), 2, "linear", X[:, :2]),
    "poisson": ("poisson", 2, "exponential", np.abs(X[:, :2]).round()),
    "two classes": ("binary_crossentropy", 1, "sigmoid", (X[:, 0] > 0).astype(int)),
    "smoothed": (SMOOTH, 1, "sigmoid", (X[:, 0] > 0).astype(int)),
    "labels": ("binary_crossentropy", 3, "sigmoid", (X[:, :3] > 0).astype(int)),
    "three classes": ("sparse_categorical_crossentropy", 3, "softmax", THREE),
    "logits": (LOGITS, 3, "linear", THREE),
}
OPTIMIZERS = {
    "SGD": lambda: keras.optimizers.SGD(0.05),
    "momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.8),
    "Nesterov": lambda: keras.optimizers.SGD(0.05, momentum=0.8, nesterov=True),
    "Adam": lambda: keras.optimizers.Adam(0.01),
    "AdamW": lambda: keras.optimizers.AdamW(0.01),
}


def make(n_outputs, last, is_functional=False):
    layers = [
        L.Dense(7, activation="tanh"),
        L.Dense(4),
        L.LeakyReLU(negative_slope=0.1),
        L.Dense(n_outputs, activation=last),
    ]
    if not is_functional:
        return keras.Sequential([keras.Input((5,)), *layers])
    x = inputs = keras.Input((5,))
    for layer in layers:
        x = layer(x)
    return keras.Model(inputs, x)


def difference(model, found):
    weights = [v.numpy() for v in model.trainable_variables]
    pairs = zip([*found.coefs_, *found.intercepts_], weights[::2] + weights[1::2], strict=True)
    return float(max(np.abs(a - b).max() for a, b in pairs))


def from_keras(aim, optimizer, n_steps, folder, is_functional):
    """Return how much outputs and parameters differ after a step more, of model and of file."""
    loss, n_outputs, last, y = AIMS[aim]
    keras.utils.set_random_seed(0)
    model = make(n_outputs, last, is_functional)
    model.compile(OPTIMIZERS[optimizer](), loss=loss)
    for _ in range(n_steps):
        model.train_on_batch(X, y)
    model.save(folder / "m.keras")
    sources = [model, folder / "m.keras"][: 1 if aim == "huber" else 2]  # whose delta it forgets
    found = [fastnn.from_keras(source, batch_size="full") for source in sources]
    outputs = model.predict(X, verbose=0)
    if aim == "logits":
        outputs = np.asarray(keras.ops.softmax(outputs))
    off = [float(np.abs(one.layer_outputs(X)[-1] - outputs).max()) for one in found]
    model.train_on_batch(X, y)
    return max(off), max(difference(model, one.partial_fit(X, y)) for one in found)


def to_keras_and_on(aim, solver, folder):
    """Return how much parameters differ after a step more of ours and of the exported network."""
    _, _n_outputs, _, y = AIMS[aim]
    kind = fastnn.MLPClassifier if aim.endswith("classes") or aim == "labels" else None
    given = {"loss": {"mae": "absolute_error", "huber": "huber", "poisson": "poisson"}.get(aim)}
    given = {"loss": given["loss"] or "auto", "batch_size": "full", "learning_rate_init": 0.01}
    model = (kind or fastnn.MLPRegressor)(
        (7, 4), ["tanh", ("elu", 0.5)], solver=solver, max_iter=3, tol=None, random_state=0, **given
    ).fit(X, y)
    path = folder / "ours.keras"
    result = to_keras(model, path, overwrite=True, with_keras=True)
    loaded = keras.models.load_model(path)
    assert result.details["compiled"] == loaded.compiled
    loaded.train_on_batch(X, y)
    return result.difference, difference(loaded, model.partial_fit(X, y))


def main():
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for i, aim in enumerate(AIMS):
            for j, optimizer in enumerate(OPTIMIZERS):
                key = f"from {aim}, {optimizer}"
                found[key] = from_keras(aim, optimizer, 3 * (i % 3 > 0), folder, (i + j) % 2 == 0)
        for aim in AIMS:
            if aim not in ("smoothed", "logits", "huber"):
                for solver in ("sgd", "momentum", "adam", "adamw", "adamw_keras"):
                    found[f"to {aim}, {solver}"] = to_keras_and_on(aim, solver, folder)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
