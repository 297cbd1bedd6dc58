"""The samples of a page: what it trains on, tests with, and draws."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import images, points, table
from .problems import Problem
from .settings import Settings

SIDE = 72  # points of a picture's side
CURVE = 201  # points of a curve
CLASSES = ["0", "1"]
# Left, right, lower and upper edge of the picture of a set.
BOXES = {
    "four": (0.0, 5.0, -0.5, 4.5),
    "xor": (-0.5, 1.5, -0.5, 1.5),
    "disc": (-3.0, 3.0, -3.0, 3.0),
    "moons": (-1.6, 2.6, -1.85, 2.35),
    "circles": (-1.4, 1.4, -1.4, 1.4),
    "parabola": (-1.15, 1.15, -0.75, 0.75),
}
SQUARE = (-1.2, 1.2, -1.2, 1.2)
Axes = tuple[tuple[str, float, float], ...]
PLANE_AXES: Axes = (("x₁", 0.0, 1.0), ("x₂", 0.0, 1.0))
LINE_AXES: Axes = (("x", 0.0, 1.0), ("y", 0.0, 1.0))


class Own(NamedTuple):
    """What a file says itself, before its numbers are scaled.

    Attributes
    ----------
    X : (n, 1) or (n, 2)
    y : (n,)
        The label of each sample's class, or a real number.
    middle, half : (1,) or (2,)
        Of the range of each input.
    target : tuple of float
        Middle and half of the range of y; 0 and 1 for classes.
    """

    X: NDArray[np.float64]
    y: NDArray
    middle: NDArray[np.float64]
    half: NDArray[np.float64]
    target: tuple[float, float]


class Data(NamedTuple):
    """The samples of a page.

    Attributes
    ----------
    kind : "plane", "line" or "images"
        How a picture of it looks.
    points : (n, 2) or (n, 1) of float64, or images (n, pixels) of uint8
    y : (n,)
        The number of each sample's class, or a real number.
    classes : list of str
        Their names; empty for real numbers.
    train, test : arrays of int
        Which samples are for what.
    box : tuple of float
        Edges of the picture: left, right, lower, upper.
    axes : tuple of (name, middle, half of the range)
        What the axes stand for: a coordinate c is middle + c * half.
    columns : tuple of int
        Of a file, those in use.
    names : tuple of str
        Of a file, those of all columns.
    own : Own or None
        Of a file, what it says itself.
    """

    kind: str
    points: NDArray
    y: NDArray
    classes: list[str]
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    box: tuple[float, ...] = SQUARE
    axes: Axes = PLANE_AXES
    columns: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    own: Own | None = None

    def inputs(self, settings: Settings, values: NDArray) -> NDArray:
        """Return what a network sees of some points."""
        if self.kind == "images":
            return values
        return points.features(values, self.features(settings))

    def features(self, settings: Settings) -> tuple[str, ...]:
        """Return what a network sees of a point; on a line there is no x2."""
        if self.kind == "line":
            return tuple(name for name in ("x1", "x1x1") if name in settings.features) or ("x1",)
        return settings.features

    @property
    def grid(self) -> NDArray[np.float64]:
        """The points of a picture: (SIDE^2, 2), line after line from above; or (CURVE, 1)."""
        left, right, lower, upper = self.box
        if self.kind == "line":
            return np.linspace(left, right, CURVE)[:, np.newaxis]
        # The middle of each pixel.
        steps = (np.arange(SIDE) + 0.5) / SIDE
        x, y = np.meshgrid(left + (right - left) * steps, upper - (upper - lower) * steps)
        return np.column_stack([x.ravel(), y.ravel()])


@lru_cache(maxsize=32)
def make(s: Settings) -> Data:
    """Return the samples that settings name; ask with `key(settings)`, which leaves out the rest.

    Raises
    ------
    Problem
        If a table is none, or there are too few points.
    """
    if s.data == "digits":
        found = images.load()
        return Data("images", found.X, found.y, [str(i) for i in range(10)], *found.split)
    if s.data in ("drawn", "csv"):
        return _own(s)
    rng = np.random.default_rng(s.draw)
    if s.n < (1 if s.data == "four" else 2):
        raise Problem("Expected two points at least.", "至少需要两个点。")
    X, y = getattr(points, s.data)(s.n, s.noise, rng)
    is_line = s.data == "parabola"
    return Data(
        "line" if is_line else "plane",
        X,
        y,
        [] if is_line else CLASSES,
        *split(len(X), s),
        BOXES.get(s.data, SQUARE),
        LINE_AXES if is_line else PLANE_AXES,
    )


def key(s: Settings) -> Settings:
    """Return settings of which only those that say what the samples are differ from the default."""
    names = ("data", "n", "noise", "draw", "test", "table", "columns", "box")
    return Settings(**{name: getattr(s, name) for name in names})


def split(n: int, s: Settings) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which samples are for training, and which for testing."""
    n_test = int(s.test * n)
    order = np.random.default_rng(s.draw).permutation(n)
    return np.sort(order[n_test:]), np.sort(order[:n_test])


def _own(s: Settings) -> Data:
    if not s.table:
        raise Problem("There are no points yet.", "还没有点。")
    found = table.read(table.decode(s.table))
    n_columns = len(found.names)
    columns = s.columns or tuple(range(n_columns))[-3:]
    if not 2 <= len(columns) <= 3 or max(columns) >= n_columns:
        raise Problem(
            f"columns: expected one or two inputs and a target, each from 0 to {n_columns - 1}.",
            f"columns：应为一到两个输入列和一个目标列，均在 0 到 {n_columns - 1} 之间。",
        )
    inputs = [table.column(found, index) for index in columns[:-1]]
    is_line = len(inputs) == 1
    y, classes = table.target(found, columns[-1])
    if is_line:
        y, classes = table.column(found, columns[-1]), []
    kind = "line" if is_line else "plane"
    if s.data == "drawn":
        axes = LINE_AXES if is_line else PLANE_AXES
        box = (*s.box,) if len(s.box) == 4 else SQUARE
        return Data(kind, np.column_stack(inputs), y, classes, *split(len(y), s), box, axes)
    X, target = np.column_stack(inputs), (0.0, 1.0)
    scales: list[tuple[str, float, float]] = []
    for i, index in enumerate(columns[:-1]):
        inputs[i], middle, half = scaled(inputs[i])
        scales.append((found.names[index], middle, half))
    labels = table.labels(found, columns[-1]) if classes else y
    middles, halves = (np.array([scale[i] for scale in scales]) for i in (1, 2))
    if not classes:
        y, middle, half = scaled(y)
        target = middle, half
        if is_line:
            scales.append((found.names[columns[-1]], *target))
    return Data(
        kind,
        np.column_stack(inputs),
        y,
        classes,
        *split(len(y), s),
        SQUARE,
        tuple(scales),
        columns,
        tuple(found.names),
        Own(X, labels, middles, halves, target),
    )


def scaled(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], float, float]:
    """Return values scaled to -1 to 1, the middle of their range, and half of it."""
    low, high = float(values.min()), float(values.max())
    middle, half = (low + high) / 2, (high - low) / 2 or 1.0
    return (values - middle) / half, middle, half


def describe(data: Data) -> dict[str, Any]:
    """Return what a page has to know once; points are sent beside it."""
    return {
        "kind": data.kind,
        "classes": data.classes,
        "box": data.box,
        "axes": data.axes,
        "columns": data.columns,
        "names": data.names,
        "n": len(data.y),
        "n_train": len(data.train),
        "n_test": len(data.test),
        "source": images.load().source if data.kind == "images" else "",
    }
