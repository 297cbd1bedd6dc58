"""The trainings that are timed: one description that every peer follows."""

from dataclasses import dataclass

import numpy as np

from fastnn import datasets


@dataclass(frozen=True)
class Workload:
    """A network, its data and its training; one run is one epoch, or `epochs` of them.

    Attributes
    ----------
    loss : str
        "crossentropy" (softmax outputs) or "half_squared_error" (sigmoid outputs).
    at_least : dict
        Peer -> how many times faster fastnn has to be.
    """

    name: str
    sizes: tuple[int, ...]
    activation: str
    loss: str
    solver: str
    learning_rate: float
    batch_size: int
    dropout: float = 0.0
    dtype: str = "float32"
    epochs: int = 1
    at_least: dict | None = None


WORKLOADS = {
    w.name: w
    for w in (
        Workload(
            *("xor", (2, 10, 1), "sigmoid", "half_squared_error", "sgd", 0.1, 4),
            dtype="float64",
            epochs=100_001,
            at_least={"jax": 7, "c": 2, "numpy": 120},
        ),
        Workload(
            *("mnist-32", (784, 512, 10), "relu", "crossentropy", "adam", 1e-3, 32, 0.2),
            at_least={"jax": 1.5, "pytorch": 3.5, "keras": 8, "sklearn": 5},
        ),
        Workload(
            *("mnist-128", (784, 512, 10), "relu", "crossentropy", "adam", 1e-3, 128, 0.2),
            at_least={"jax": 1.3, "pytorch": 2},
        ),
        Workload(
            *("fashion-32", (784, 128, 10), "relu", "crossentropy", "adam", 1e-3, 32),
            at_least={"jax": 1.3, "pytorch": 4},
        ),
        Workload(
            *("mnist-online", (784, 30, 10), "sigmoid", "half_squared_error", "sgd", 0.1, 1),
            at_least={"jax": 3, "pytorch": 50},
        ),
        Workload(
            *("dense-64", (256, 256, 256, 10), "relu", "crossentropy", "adam", 1e-3, 64),
            at_least={"jax": 1, "pytorch": 2},
        ),
        Workload(
            *("perceptron", (64, 1), "sign", "", "sgd", 0.01, 1),
            dtype="float64",
            at_least={"sklearn": 20},
        ),
        Workload(
            *("delta-rule", (64, 1), "purelin", "", "sgd", 0.001, 1),
            dtype="float64",
            at_least={"sklearn": 20},
        ),
        Workload(
            *("predict-1", (784, 512, 10), "relu", "crossentropy", "adam", 1e-3, 32),
            epochs=1000,
            at_least={"sklearn": 10, "pytorch": 2},
        ),
    )
}


def load(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs (bytes for images) and classes, or targets for the delta rule."""
    rng = np.random.default_rng(0)
    if workload.name == "xor":
        return datasets.load_xor()
    if workload.name == "dense-64":
        X = rng.normal(size=(20_000, 256)).astype(np.float32)
        return X, (X @ rng.normal(size=(256, 10))).argmax(axis=1)
    if workload.name in ("perceptron", "delta-rule"):
        X = rng.normal(size=(100_000, 64))
        y = X @ rng.normal(size=64) + 0.5 * rng.normal(size=100_000)
        return X, np.where(y > 0, 1, -1) if workload.name == "perceptron" else y
    name = "fashion" if workload.name.startswith("fashion") else "mnist"
    data = datasets.load_mnist() if name == "mnist" else datasets.load_fashion_mnist()
    return data.X_train, data.y_train


def load_real(workload: Workload) -> tuple[np.ndarray, np.ndarray]:
    """Return inputs in the workload's dtype, images from 0 to 1, for peers that need reals."""
    X, y = load(workload)
    scale = 255 if X.dtype == np.uint8 else 1
    return (X / scale).astype(workload.dtype), y


def initial_weights(workload: Workload) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the same W (n_in, n_out) and b (n_out,) per layer for every peer."""
    rng = np.random.default_rng(1)
    layers = []
    for m, n in zip(workload.sizes, workload.sizes[1:], strict=False):
        r = np.sqrt(6 / (m + n))
        W = rng.random((m, n)) if workload.name == "xor" else rng.uniform(-r, r, (m, n))
        layers.append((W.astype(workload.dtype), np.zeros(n, workload.dtype)))
    return layers
