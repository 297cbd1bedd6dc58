"""The settings of a page, as its address holds them: read, checked, and written again."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any
from urllib.parse import parse_qsl, urlencode

from .. import backends
from ..backends.codes import ACTIVATIONS
from ..network import INITIALIZERS
from ..optimizers import LBFGS, SOLVERS
from .problems import Problem

MODELS = ("network", "perceptron", "linear")
PLANE = ("four", "xor", "disc", "spirals", "moons", "circles", "clouds")
DATA_SETS = (*PLANE, "parabola", "drawn", "csv", "digits")
FEATURES = ("x1", "x2", "x1x1", "x1x2", "x2x2")
MOST_LAYERS, MOST_UNITS, MOST_EPOCHS, MOST_POINTS = 8, 64, 1_000_000, 5_000
MOST_TEXT = 1_500_000  # characters of an address


@dataclass(frozen=True)
class Settings:
    """All that a picture depends on.

    Attributes
    ----------
    data : one of `DATA_SETS`
    n, noise, draw : int, float, int
        Number of points, standard deviation of their noise, and the seed they are drawn with.
    test : float
        The part of the points that is kept for testing.
    table : str
        Drawn points, or a file of comma-separated values: deflated, in base64 for addresses.
    columns : tuple of int
        Which columns of the file are inputs, one or two, and the target, the last.
    box : tuple of float
        Left, right, lower and upper edge of the picture of drawn points.
    features : tuple of some of `FEATURES`
        What the network sees of a point (x1, x2).
    model : one of `MODELS`
    hidden, act : tuples
        Units and activation of each hidden layer.
    out, loss, solver, init, backend : str
        Names as in fastnn's estimators; "auto" is the default that goes with the rest.
    lr, momentum, alpha, l1, dropout, bias : float
    batch : int
        0 is all samples.
    seed : int
        Of initial weights, shuffles and dropout.
    epoch, batch_at : int
        How far the training goes: complete epochs, and batches of the next one.
    """

    data: str = "spirals"
    n: int = 200
    noise: float = 0.04
    draw: int = 0
    test: float = 0.25
    table: str = ""
    columns: tuple[int, ...] = ()
    box: tuple[float, ...] = ()
    features: tuple[str, ...] = ("x1", "x2")
    model: str = "network"
    hidden: tuple[int, ...] = (12, 12)
    act: tuple[str, ...] = ("relu", "relu")
    out: str = "auto"
    loss: str = "auto"
    solver: str = "adam"
    lr: float = 0.01
    momentum: float = 0.0
    batch: int = 16
    alpha: float = 0.0
    l1: float = 0.0
    dropout: float = 0.0
    init: str = "glorot_uniform"
    bias: float = 0.0
    seed: int = 0
    backend: str = "auto"
    epoch: int = 0
    batch_at: int = 0

    @property
    def where(self) -> tuple[int, int]:
        """How far the training goes."""
        return self.epoch, self.batch_at

    @property
    def backend_name(self) -> str:
        """The back end that trains."""
        return backends.get_backend() if self.backend == "auto" else self.backend

    def on(self, backend: str) -> "Settings":
        """Return the same on another back end."""
        return replace(self, backend=backend)

    def to_address(self) -> str:
        """Return the part of an address that says all this: what is the default is left out."""
        first = Settings(**OWN.get(self.data, {}), data=self.data)
        pairs = {"data": _written(self.data)}
        for field in fields(self):
            value = getattr(self, field.name)
            if value != getattr(first, field.name):
                pairs[field.name] = _written(value)
        return urlencode(pairs, safe=",")

    def to_json(self) -> dict[str, Any]:
        """Return all values, as a page shows them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


# What is another default where these data are chosen.
OWN: dict[str, dict[str, Any]] = {
    "four": {"n": 4, "noise": 0.0, "test": 0.0, "batch": 0},
    "xor": {"n": 4, "noise": 0.0, "test": 0.0, "batch": 0},
    "disc": {"n": 400, "noise": 0.0},
    "parabola": {"n": 300, "noise": 0.05, "features": ("x1",), "hidden": (20,), "act": ("relu",)},
    "moons": {"noise": 0.12},
    "circles": {"noise": 0.08},
    "clouds": {"noise": 0.3},
    "drawn": {"n": 0, "noise": 0.0, "test": 0.0},
    "csv": {"n": 0, "noise": 0.0},
    "digits": {"n": 0, "noise": 0.0, "hidden": (30,), "act": ("relu",), "lr": 0.003, "batch": 32},
}


def read(address: str) -> Settings:
    """Return the settings of an address, such as "data=xor&hidden=10".

    Raises
    ------
    Problem
        If a name is unknown, or a value is not one that this page works with.
    """
    if len(address) > MOST_TEXT:
        raise Problem("The address is too long.", "地址太长。")
    try:
        pairs = parse_qsl(address, keep_blank_values=True, max_num_fields=2 * len(READERS))
    except ValueError:
        raise Problem("The address has too many settings.", "地址中的设置太多。") from None
    given = dict(pairs)
    data = _one_of("data", given.get("data", Settings.data), DATA_SETS)
    values: dict[str, Any] = {**OWN.get(data, {})}
    for name, text in given.items():
        if name not in READERS:
            raise Problem(f"There is no setting {name[:40]!r}.", f"没有名为 {name[:40]!r} 的设置。")
        values[name] = READERS[name](name, text)
    return _fitted(Settings(**values))


def _fitted(s: Settings) -> Settings:
    """Return settings that go together: an activation for each layer, a model's batch."""
    act = s.act
    if len(act) != len(s.hidden):
        last = act[-1] if act else "relu"
        act = (*act[: len(s.hidden)], *[last] * (len(s.hidden) - len(act)))
    batch = s.batch if s.model == "network" or s.batch == 1 else 0
    return replace(s, act=act, batch=batch)


def _written(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return f"{value:.17g}" if isinstance(value, float) and value.is_integer() else str(value)


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    if text not in known:
        choices = ", ".join(known)
        raise Problem(
            f"{name}={text[:40]!r}: expected one of {choices}.",
            f"{name}={text[:40]!r}：应为 {choices} 之一。",
        )
    return text


def _choice(*known: str) -> Callable[[str, str], str]:
    return lambda name, text: _one_of(name, text, known)


def _integer(low: int, high: int) -> Callable[[str, str], int]:
    def read_integer(name: str, text: str) -> int:
        try:
            value = int(text[:30])
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise Problem(
                f"{name}={text[:30]!r}: expected a whole number from {low} to {high}.",
                f"{name}={text[:30]!r}：应为 {low} 到 {high} 的整数。",
            )
        return value

    return read_integer


def _real(low: float, high: float, is_open: bool = False) -> Callable[[str, str], float]:
    def read_real(name: str, text: str) -> float:
        try:
            value = float(text[:30])
        except ValueError:
            value = math.nan
        if not (low <= value <= high) or (is_open and value == low):  # NaN is not in between
            above = "above " if is_open else "from "
            raise Problem(
                f"{name}={text[:30]!r}: expected a number {above}{low:g} to {high:g}.",
                f"{name}={text[:30]!r}：应为{'大于' if is_open else ''} {low:g} 到 {high:g} 的数。",
            )
        return value

    return read_real


def _list(item: Callable[[str, str], Any], most: int) -> Callable[[str, str], tuple]:
    def read_list(name: str, text: str) -> tuple:
        parts = [part for part in text.split(",", most + 1) if part]
        if len(parts) > most:
            raise Problem(f"{name}: expected at most {most} values.", f"{name}：最多 {most} 个值。")
        return tuple(item(name, part) for part in parts)

    return read_list


def _features(name: str, text: str) -> tuple[str, ...]:
    chosen = _list(_choice(*FEATURES), len(FEATURES))(name, text)
    if not chosen:
        raise Problem("Choose one feature at least.", "至少选择一个特征。")
    return tuple(feature for feature in FEATURES if feature in chosen)


def _box(name: str, text: str) -> tuple[float, ...]:
    box = _list(_real(-1e6, 1e6), 4)(name, text)
    if box and not (len(box) == 4 and box[0] < box[1] and box[2] < box[3]):
        raise Problem(
            "box: expected left < right and lower < upper edge.", "box：应为左 < 右、下 < 上。"
        )
    return box


def _text(_: str, text: str) -> str:
    return text


def _activations(hidden: bool = False) -> list[str]:
    rows = [row for row in ACTIVATIONS if not (hidden and row.output_only)]
    return [name for row in rows for name in (row.name, *row.aliases)]


def _backend(name: str, text: str) -> str:
    _one_of(name, text, ("auto", *backends.available_backends()))
    reason = None if text == "auto" else backends.available_backends()[text]
    if reason is not None:
        raise Problem(f"{text}: {reason}", f"{text} 不可用：{reason}")
    return text


# What losses there are, and which activations and losses go together, fastnn's own checks know.
READERS: dict[str, Callable[[str, str], Any]] = {
    "data": _choice(*DATA_SETS),
    "n": _integer(0, MOST_POINTS),
    "noise": _real(0, 2),
    "draw": _integer(0, 2**32 - 1),
    "test": _real(0, 0.8),
    "table": _text,
    "columns": _list(_integer(0, 99), 3),
    "box": _box,
    "features": _features,
    "model": _choice(*MODELS),
    "hidden": _list(_integer(1, MOST_UNITS), MOST_LAYERS),
    "act": _list(_choice(*_activations(hidden=True)), MOST_LAYERS),
    "out": _choice("auto", *_activations()),
    "loss": _text,
    "solver": _choice(*(name for name in SOLVERS if name != LBFGS)),
    "lr": _real(0, 1000, is_open=True),
    "momentum": _real(0, 0.999),
    "batch": _integer(0, MOST_POINTS),
    "alpha": _real(0, 1000),
    "l1": _real(0, 1000),
    "dropout": _real(0, 0.9),
    "init": _choice(*INITIALIZERS, "zeros"),
    "bias": _real(-100, 100),
    "seed": _integer(0, 2**32 - 1),
    "backend": _backend,
    "epoch": _integer(0, MOST_EPOCHS),
    "batch_at": _integer(0, 100_000),
}
