"""The lessons' texts: one Markdown file a lesson and language, split into sections and blocks.

A file has a title (`# ...`) and the sections of `SECTIONS`, of `## exercise 1` and so on several.
A line `@formula 2.12 2.13` stands for formulas of `formulas.toml`, `@drawing network` for a picture
of `drawings`; everything else is Markdown with LaTeX between dollars.
"""

import re
import tomllib
from functools import cache
from importlib import resources
from typing import NamedTuple

SECTIONS = ("idea", "derivation", "worked", "picture", "exercise", "expected")
# The order of learning.
CHAPTERS = {
    "neuron": ("truth-table",),
    "perceptron": ("perceptron", "perceptron-matrix", "single-layer"),
    "linear": ("linear", "linear-xor", "features-xor"),
    "descent": ("gradient-descent", "two-minima", "learning-rates", "stopping-rules"),
    "activations": ("activations", "regions", "curves"),
    "back-propagation": ("bp-xor", "vanishing-gradients", "regression"),
    "images": ("mnist", "fashion-mnist"),
}
ORDER = tuple(name for names in CHAPTERS.values() for name in names)


class Block(NamedTuple):
    """A piece of a section: its kind ("text", "formula" or "drawing"), and text or names."""

    kind: str
    content: str

    @property
    def names(self) -> list[str]:
        """Return the numbers of the formulas, or the name of the drawing."""
        return self.content.split()


class Question(NamedTuple):
    """An exercise's text, its options if it has any, and the answer's explanation."""

    text: str
    options: tuple[str, ...]
    answer: str


class LessonText(NamedTuple):
    """What a lesson says in a language.

    `expected` is what the course's text prints; it is preformatted where the file indents it.
    """

    title: str
    idea: list[Block]
    derivation: list[Block]
    worked: str
    picture: str
    exercises: list[Question]
    expected: str


class Formula(NamedTuple):
    """A numbered formula of the text.

    `code` names lines of the python back end that compute it (see `snippets`), if there are any.
    """

    number: str
    tex: str
    names: dict[str, str]
    code: tuple[str, str, str] | None

    @property
    def shown(self) -> str:
        """Return the number as the text prints it: it has two formulas (2.2)."""
        return self.number.removesuffix("b")


@cache
def formulas() -> dict[str, Formula]:
    """Return the numbered formulas, by number."""
    file = resources.files(__package__).joinpath("formulas.toml")
    found = {}
    for number, row in tomllib.loads(file.read_text(encoding="utf-8")).items():
        names = {language: row[language] for language in ("en", "zh")}
        code = tuple(row["code"]) if "code" in row else None
        found[number] = Formula(number, row["tex"], names, code)
    return found


@cache
def lesson_text(name: str, language: str) -> LessonText:
    """Return a lesson's text; ValueError, with the place, if the file is not as it has to be."""
    file = resources.files(__package__).joinpath("lessons", language, f"{name}.md")
    return parse(file.read_text(encoding="utf-8"), f"{language}/{name}.md")


def parse(source: str, place: str = "lesson") -> LessonText:
    """Return the text that a Markdown file has."""
    head, *parts = re.split(r"^## (.+)$", source, flags=re.MULTILINE)
    title = re.fullmatch(r"# (.+)\s*", head)
    sections = list(zip(parts[::2], (body.strip("\n") for body in parts[1::2]), strict=True))
    names = [name.split()[0] for name, _ in sections]
    wanted = [name for name in SECTIONS for _ in range(max(1, names.count(name)))]
    if title is None or names != wanted:
        raise ValueError(f"{place}: expected a title and the sections {SECTIONS}, got {names}")
    bodies = dict(sections)
    return LessonText(
        title[1],
        _blocks(bodies["idea"]),
        _blocks(bodies["derivation"]),
        bodies["worked"],
        bodies["picture"],
        [_question(body, place) for name, body in sections if name.startswith("exercise")],
        re.sub(r"^ {4}", "", bodies["expected"], flags=re.MULTILINE),
    )


def _blocks(body: str) -> list[Block]:
    blocks = []
    for part in re.split(r"^(@.+)$", body, flags=re.MULTILINE):
        if part.startswith("@"):
            kind, content = part[1:].split(maxsplit=1)
            blocks.append(Block(kind, content))
        elif part.strip():
            blocks.append(Block("text", part.strip()))
    return blocks


def _question(body: str, place: str) -> Question:
    text, mark, answer = body.partition("\n### answer\n")
    if not mark:
        raise ValueError(f"{place}: an exercise without an answer: {body[:40]!r}")
    options = tuple(line[2:] for line in text.splitlines() if line.startswith("- "))
    lines = [line for line in text.splitlines() if not line.startswith("- ")]
    return Question("\n".join(lines).strip(), options, answer.strip())
