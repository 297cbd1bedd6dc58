"""The course: one file per system, each a program of its own on fastnn's public names.

A system is a module with a function `run(lesson)`; its title, explanation, formulas and what the
text printed are in `texts/`.
"""

import importlib
import tomllib
from importlib import resources
from typing import Any, NamedTuple

from .lesson import Lesson

NAMES = (
    *("perceptron", "perceptron-matrix", "single-layer", "linear", "linear-xor"),
    *("features-xor", "bp-xor", "regression", "mnist", "fashion-mnist"),
    *("truth-table", "learning-rates", "stopping-rules", "gradient-descent", "two-minima"),
    *("activations", "regions", "curves", "vanishing-gradients"),
)
LANGUAGES = ("en", "zh")


class System(NamedTuple):
    """A system of the course: its number (01 to 10 are the text's programs) and its name."""

    number: str
    name: str

    def run(self, lesson: Lesson) -> None:
        """Run it; it prints and draws through the lesson."""
        module = f".s{self.number}_{self.name.replace('-', '_')}"
        importlib.import_module(module, __package__).run(lesson)


SYSTEMS = tuple(System(f"{number:02}", name) for number, name in enumerate(NAMES, 1))


def find(wanted: str) -> list[System]:
    """Return the system of a number or a name, or all; ValueError if there is none."""
    if wanted == "all":
        return list(SYSTEMS)
    found = [s for s in SYSTEMS if wanted in (s.name, s.number, s.number.lstrip("0"))]
    if not found:
        raise ValueError(
            f"system: there is no {wanted!r}; choose a number from 01 to {len(SYSTEMS)}, a name "
            "that 'fastnn course' lists, or 'all'"
        )
    return found


def texts(language: str) -> dict[str, dict[str, Any]]:
    """Return title, explanation, formulas and the text's output of each system, by name."""
    if language not in LANGUAGES:
        raise ValueError(f"lang={language!r}: expected one of {LANGUAGES}")
    file = resources.files(__package__).joinpath("texts", f"{language}.toml")
    return tomllib.loads(file.read_text(encoding="utf-8"))
