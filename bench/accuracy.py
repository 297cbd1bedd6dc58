"""Error on test images over seconds of training: fastnn beside Keras, PyTorch and scikit-learn.

    python bench/accuracy.py [--data mnist] [--seconds 60] [--threads 2] [--out out/accuracy]

All train 784-800-400-10 (ReLU, softmax) by Adam on batches of 128, at a rate that falls from 0.001
to 0 along a cosine (scikit-learn has none: there it stays), each in a process of its own and for
as many epochs as fill the seconds. Another line is `fastnn train DATA --recipe laptop`, with what
the others do not have: distorted images or dropout in the compiled loop. Only the training counts,
not the measurement after each epoch, nor what is compiled or loaded first.
"""

import argparse
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import fastnn
from fastnn.recipes import SPECIAL_RECIPES, Recipe

SIZES, BATCH_SIZE, RATE = (784, 800, 400, 10), 128, 0.001
PEERS = ("fastnn", "laptop", "keras", "pytorch", "sklearn")
LABELS = {
    "fastnn": "fastnn, the same",
    "laptop": "fastnn, recipe laptop",
    "keras": "Keras (TensorFlow)",
    "pytorch": "PyTorch",
    "sklearn": "scikit-learn, constant rate",
}
LOADERS = {"mnist": fastnn.load_mnist, "fashion-mnist": fastnn.load_fashion_mnist}


class Peer(NamedTuple):
    """One training.

    Attributes
    ----------
    train : callable of (n_epochs, after)
        Trains for so many epochs, and calls `after` after each.
    predict : callable of images
        Returns their classes.
    """

    train: Callable[[int, Callable[[], None]], None]
    predict: Callable[[NDArray], NDArray]


def with_fastnn(X: NDArray, y: NDArray, threads: int, recipe: Recipe | None = None) -> Peer:
    same = {"hidden_layer_sizes": SIZES[1:-1], "batch_size": BATCH_SIZE, "learning_rate": "cosine"}
    same |= {"learning_rate_init": RATE, "dtype": "float32", "input_scale": 1 / 255, "tol": None}
    given = recipe.parameters if recipe else same
    model = fastnn.MLPClassifier(**{**given, "n_jobs": threads, "random_state": 0})

    def train(n: int, after: Callable[[], None]) -> None:
        model.set_params(max_iter=n).fit(X, y, callbacks=[lambda epoch: after()])

    return Peer(train, model.predict)


def with_sklearn(X: NDArray, y: NDArray, threads: int) -> Peer:
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier(
        SIZES[1:-1], batch_size=BATCH_SIZE, learning_rate_init=RATE, alpha=0, random_state=0
    )
    Z = X.astype(np.float32) / 255

    def train(n: int, after: Callable[[], None]) -> None:
        for _ in range(n):
            model.partial_fit(Z, y, classes=np.arange(10))
            after()

    return Peer(train, lambda images: model.predict(images.astype(np.float32) / 255))


def with_keras(X: NDArray, y: NDArray, threads: int) -> Peer:
    import tensorflow as tf
    from tensorflow import keras

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    keras.utils.set_random_seed(0)
    Z, steps = X.astype(np.float32) / 255, -(-len(X) // BATCH_SIZE)
    hidden = [keras.layers.Dense(size, "relu") for size in SIZES[1:-1]]
    output = keras.layers.Dense(SIZES[-1], "softmax")
    model = keras.Sequential([keras.Input(SIZES[:1]), *hidden, output])

    def train(n: int, after: Callable[[], None]) -> None:
        rate = keras.optimizers.schedules.CosineDecay(RATE, n * steps)
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        for _ in range(n):
            model.fit(Z, y, batch_size=BATCH_SIZE, verbose=0)
            after()

    def predict(images: NDArray) -> NDArray:
        outputs = model.predict(images.astype(np.float32) / 255, batch_size=1000, verbose=0)
        return outputs.argmax(axis=1)

    return Peer(train, predict)


def with_pytorch(X: NDArray, y: NDArray, threads: int) -> Peer:
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    Z, t = torch.from_numpy(X.astype(np.float32) / 255), torch.from_numpy(y.astype(np.int64))
    first, second, third = itertools.pairwise(SIZES)
    model = nn.Sequential(
        nn.Linear(*first), nn.ReLU(), nn.Linear(*second), nn.ReLU(), nn.Linear(*third)
    )
    loss = nn.CrossEntropyLoss()

    def train(n: int, after: Callable[[], None]) -> None:
        optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n)
        for _ in range(n):
            for rows in torch.randperm(len(Z)).split(BATCH_SIZE):
                optimizer.zero_grad()
                loss(model(Z[rows]), t[rows]).backward()
                optimizer.step()
            schedule.step()
            after()

    def predict(images: NDArray) -> NDArray:
        with torch.inference_mode():
            return model(torch.from_numpy(images.astype(np.float32) / 255)).argmax(dim=1).numpy()

    return Peer(train, predict)


def make(name: str, data: str, X: NDArray, y: NDArray, threads: int) -> Peer:
    """Return a peer; ImportError if it is not installed."""
    if name in ("fastnn", "laptop"):
        recipe = SPECIAL_RECIPES["laptop"][data] if name == "laptop" else None
        return with_fastnn(X, y, threads, recipe)
    makers = {"keras": with_keras, "pytorch": with_pytorch, "sklearn": with_sklearn}
    return makers[name](X, y, threads)


def measure(name: str, data: str, seconds: float, threads: int) -> list[tuple[float, float]]:
    """Train for so many seconds; return the seconds of training and the error after each epoch."""
    X, y, X_test, y_test = LOADERS[data]()
    ends: list[float] = []
    make(name, data, X, y, threads).train(2, lambda: ends.append(time.perf_counter()))
    n_epochs = max(2, int(seconds / (ends[1] - ends[0])))  # the first one may compile
    peer, rows = make(name, data, X, y, threads), []
    begin = time.perf_counter()

    def after() -> None:
        nonlocal begin
        trained = time.perf_counter() - begin
        rows.append((trained, float((peer.predict(X_test) != y_test).mean())))
        begin = time.perf_counter() - trained  # the clock stood still

    peer.train(n_epochs, after)
    return rows


def draw(data: str, curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw the error in per cent over seconds, both on logarithmic axes."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt
    from matplotlib.ticker import LogLocator, NullLocator, ScalarFormatter

    figure, axes = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for name, rows in curves.items():
        seconds, errors = np.transpose(rows)
        axes.plot(seconds, 100 * errors, label=LABELS[name], linewidth=1.5)
        axes.plot(seconds[-1], 100 * errors[-1], "o", color=axes.lines[-1].get_color())
    axes.set(xscale="log", yscale="log", xlabel="seconds of training")
    axes.set(ylabel="error on the test images, %", title=f"{data}: 784-800-400-10")
    for axis, steps in ((axes.xaxis, (1, 2, 5)), (axes.yaxis, (1, 1.1, 1.2, 1.4, 2, 3, 5, 7))):
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_major_formatter(ScalarFormatter())
        axis.set_minor_locator(NullLocator())
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=130)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--data", choices=tuple(LOADERS), default="mnist")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("out/accuracy"))
    parser.add_argument("--one", help=argparse.SUPPRESS)  # in the process of that peer
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.data, given.seconds, given.threads)))
        return
    given.out.mkdir(parents=True, exist_ok=True)
    curves: dict[str, Any] = {}
    options = ["--data", given.data, "--seconds", given.seconds, "--threads", given.threads]
    for name in given.peers:
        command = [sys.executable, __file__, *map(str, options), "--one", name]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{LABELS[name]:28} left out: {done.stderr.strip().splitlines()[-1]}")
            continue
        curves[name] = json.loads(done.stdout.splitlines()[-1])
        seconds, error = curves[name][-1]
        n = len(curves[name])
        print(f"{LABELS[name]:28} {n:4} epochs {seconds:7.1f} s  error {error:.2%}", flush=True)
    (given.out / f"{given.data}.json").write_text(json.dumps(curves))
    if curves:
        draw(given.data, curves, given.out / f"{given.data}.png")


if __name__ == "__main__":
    main()
