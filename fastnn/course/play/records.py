"""What a lesson lets one do, as data: steps, knobs, pictures, exercises.

Words are not in here: labels are English phrases, which `phrases` turns into Chinese ones.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...parameters import shown


class Step(NamedTuple):
    """A step of a calculation: the number of its formula, and the formula with numbers put in."""

    number: str
    tex: str


class Slider(NamedTuple):
    """A knob for a number from `low` to `high`."""

    name: str
    low: float
    high: float
    step: float
    start: float

    def read(self, value: Any) -> float:
        """Return the number that was set; ValueError unless it is in range."""
        number = read_number(self.name, value)
        if not self.low <= number <= self.high:
            raise ValueError(
                f"{self.name}={shown(value)}: expected a number from {self.low:g} to {self.high:g}"
            )
        return int(number) if isinstance(self.step, int) else number


class Select(NamedTuple):
    """A knob for one of several values."""

    name: str
    options: tuple[Any, ...]
    start: Any

    def read(self, value: Any) -> Any:
        """Return the option that was set; ValueError if there is none."""
        for option in self.options:
            if str(option) == str(value) or option == value:  # 1 is 1.0
                return option
        raise ValueError(f"{self.name}={shown(value)}: expected one of {self.options}")


Knob = Slider | Select


def read_knobs(knobs: tuple[Knob, ...], values: Any) -> dict[str, Any]:
    """Return the value of each knob, its start where none was set.

    Raises
    ------
    ValueError
        If it is no mapping, or has a value out of range or a name that is no knob's.
    """
    if not isinstance(values, Mapping):
        raise ValueError(f"knobs={shown(values)}: expected names and values")
    known = {knob.name for knob in knobs}
    for name in values:
        if name not in known:
            raise ValueError(f"knobs: there is no {shown(name)}; there are {sorted(known)}")
    return {knob.name: knob.read(values.get(knob.name, knob.start)) for knob in knobs}


def read_number(name: str, value: Any) -> float:
    """Return a finite number, also from a string; ValueError otherwise."""
    try:
        number = float(str(value).strip().replace("−", "-"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name}={shown(value)}: expected a number")
    return number


class Live(NamedTuple):
    """A picture of our own: `draw(**knobs)` returns panels as `panel` makes them."""

    knobs: tuple[Knob, ...]
    draw: Callable[..., list[dict[str, Any]]]


class Embedded(NamedTuple):
    """A playground in the page: settings, knobs and views as its element takes them."""

    settings: str
    knobs: str
    show: str = "picture,loss"


class Numbers(NamedTuple):
    """An exercise whose answer is one number or several, which `solve` computes."""

    solve: Callable[[], list[float]]
    tolerance: float = 0.005  # absolute, and relative to the number


class Pick(NamedTuple):
    """An exercise with options: they stand in the text; `solve` returns the right one's place."""

    solve: Callable[[], int]


class Settings(NamedTuple):
    """An exercise whose answer is a setting of knobs, judged by a run with it.

    `judge(**knobs)` returns whether it is right, and what it measured by name; `right` and `wrong`
    are settings of each kind, for the tests and for who gives up.
    """

    knobs: tuple[Knob, ...]
    judge: Callable[..., tuple[bool, dict[str, float]]]
    right: dict[str, Any]
    wrong: dict[str, Any]


Exercise = Numbers | Pick | Settings


class Play(NamedTuple):
    """What there is to do in a lesson."""

    worked: Callable[[], list[Step]]
    live: Live | Embedded
    exercises: tuple[Exercise, ...]


def panel(
    *marks: dict[str, Any],
    x: str = "x",
    y: str = "y",
    xlim: tuple[float, float] | None = None,
    ylim: tuple[float, float] | None = None,
    log: bool = False,
    title: str = "",
) -> dict[str, Any]:
    """Return one diagram: its marks, its axes' names and limits."""
    axes = {"x": x, "y": y, "xlim": xlim, "ylim": ylim, "log": log, "title": title}
    return {"marks": list(marks), **axes}


def line(x: Any, y: Any, name: str = "", color: int = 0, **style: Any) -> dict[str, Any]:
    """Return a line through points; `dashed` and `dots` are styles."""
    return {"kind": "line", "x": _finite(x), "y": _finite(y), "name": name, "color": color, **style}


def points(x: Any, y: Any, name: str = "", color: int = 0) -> dict[str, Any]:
    """Return points."""
    return {"kind": "points", "x": _finite(x), "y": _finite(y), "name": name, "color": color}


def bars(labels: list[str], values: Any, colors: list[int]) -> dict[str, Any]:
    """Return bars with labels below."""
    return {"kind": "bars", "labels": labels, "y": _finite(values), "colors": colors}


def image(rows: Any) -> dict[str, Any]:
    """Return a picture of pixels from 0 (paper) to 1 (ink), row by row."""
    return {"kind": "image", "rows": [_finite(row) for row in rows]}


def _finite(values: Any) -> list[float | None]:
    """Return numbers for JSON, rounded to what a screen shows; None for what is not finite."""
    return [float(f"{v:.5g}") if math.isfinite(v) else None for v in map(float, values)]
