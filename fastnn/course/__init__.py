"""The course: one file per system, each a program of its own on fastnn's public names.

A system is a module `s??_name` with a function `run(lesson)`. Its lesson has a text in `lessons/`
(`lesson_texts` reads it), formulas in `formulas.toml` with the lines of the python back end that
compute them (`snippets`), and worked steps, a live picture and exercises in `play/`. From this one
source come the page for print (`report`), the pages of the playground's site (`site`) and the
notebooks (`notebooks`), all by way of `html`, `markup` and `drawings`. `phrases` turns programs and
pictures into Chinese ones, `fonts` finds the glyphs, `texts/` has the words around.
"""

import importlib
import inspect
import tomllib
from importlib import resources
from typing import Any, NamedTuple

from ..parameters import did_you_mean
from .fonts import font_settings
from .lesson import Lesson
from .lesson_texts import lesson_text
from .phrases import translated

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

    @property
    def module(self) -> str:
        """Return the name of its file."""
        return f"s{self.number}_{self.name.replace('-', '_')}"

    def program(self, language: str = "en", pictures: bool = True) -> str:
        """Return its source, with the comments and strings of a language."""
        source = inspect.getsource(importlib.import_module(f".{self.module}", __package__))
        return translated(source, self.module, language, pictures)

    def run(self, lesson: Lesson) -> None:
        """Run it; it prints and draws through the lesson, in the lesson's language."""
        if lesson.language == "en":
            importlib.import_module(f".{self.module}", __package__).run(lesson)
            return
        program = self.program(lesson.language, bool(font_settings(lesson.language)))
        names: dict[str, Any] = {"__name__": f"{__package__}.{self.module}"}
        exec(compile(program, f"{self.module}.{lesson.language}.py", "exec"), names)  # our own
        names["run"](lesson)


SYSTEMS = tuple(System(f"{number:02}", name) for number, name in enumerate(NAMES, 1))


def find(wanted: str) -> list[System]:
    """Return the system of a number or a name, or all; ValueError if there is none."""
    if wanted == "all":
        return list(SYSTEMS)
    found = [s for s in SYSTEMS if wanted in (s.name, s.number, s.number.lstrip("0"))]
    if not found:
        near = did_you_mean(wanted, NAMES)
        hint = f" ({near})" if near else ""
        raise ValueError(
            f"system: there is no {wanted!r}{hint}; choose a number from 01 to {len(SYSTEMS)}, "
            "a name that 'fastnn course' lists, or 'all'"
        )
    return found


def texts(language: str) -> dict[str, dict[str, Any]]:
    """Return the words around the lessons, and title and expected output of each, by name."""
    if language not in LANGUAGES:
        raise ValueError(f"lang={language!r}: expected one of {LANGUAGES}")
    file = resources.files(__package__).joinpath("texts", f"{language}.toml")
    words = tomllib.loads(file.read_text(encoding="utf-8"))
    for name in NAMES:
        text = lesson_text(name, language)
        words[name] = {"title": text.title, "expected": text.expected}
    return words
