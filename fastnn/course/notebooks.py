"""The lessons as Jupyter notebooks, made from the same texts."""

import base64
import json
from pathlib import Path
from typing import Any

from ..files import write_file
from . import SYSTEMS, System, texts
from .drawings import drawing
from .html import loop
from .lesson_texts import ORDER, Block, formulas, lesson_text
from .play import play
from .play.records import Pick, Settings
from .verdicts import asked, judge


def write_notebooks(out: Path, language: str, quick: bool = False) -> list[Path]:
    """Write a notebook for each lesson, in the order of learning; return their paths.

    Parameters
    ----------
    out : path
        A folder, made if need be.
    language : {"en", "zh"}
    quick : bool
        Whether the programs train for few epochs, to see that they work.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in ORDER:
        system = next(s for s in SYSTEMS if s.name == name)
        path = out / f"{name}.{language}.ipynb"
        content = json.dumps(notebook(system, language, quick), ensure_ascii=False, indent=1)
        write_file(path, (content + "\n").encode())
        paths.append(path)
    return paths


def notebook(system: System, language: str, quick: bool = False) -> dict[str, Any]:
    """Return a lesson as the format of Jupyter, version 4.5, has it."""
    words, text = texts(language), lesson_text(system.name, language)
    report, own = words["report"], words["notebook"]
    cells = [_markdown(f"# {text.title}"), *_blocks(text.idea, language, words)]
    cells.append(_markdown(f"## {report['derivation']}"))
    cells += _blocks(text.derivation, language, words)
    cells.append(_markdown(f"## {report['worked']}\n\n{text.worked}"))
    cells.append(_markdown("\n".join(_worked(system.name, language))))
    cells.append(_markdown(f"## {report['code']}"))
    cells.append(_code(system.program(language)))
    options = ["show=True", *(["quick=True"] if quick else [])]
    options += [f'language="{language}"'] if language != "en" else []
    cells.append(
        _code(
            f"# {own['run']}\nfrom fastnn.course.lesson import Lesson\n\n"
            f"run(Lesson({', '.join(options)}))"
        )
    )
    expected = f"### {report['expected']}\n\n```\n{text.expected}\n```"
    cells += [_markdown(expected), _markdown(f"## {report['exercises']}")]
    cells += _exercises(system.name, language, words)
    for n, cell in enumerate(cells):
        cell["id"] = f"cell-{n}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}, "lang": language}
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def check(lesson: str, exercise: int, answer: Any, language: str = "en") -> None:
    """Print whether an answer to an exercise is right; Ellipsis stands for none yet.

    An option is given by its place, counted from 1.
    """
    if answer is ...:
        print(texts(language)["notebook"]["nothing"])
        return
    try:
        if isinstance(asked(lesson, exercise), Pick) and str(answer).isdecimal():
            answer = int(answer) - 1
        print(judge(lesson, exercise, answer, language)[1])
    except ValueError as error:
        print(error)


def _blocks(parts: list[Block], language: str, words: dict) -> list[dict[str, Any]]:
    cells = []
    for part in parts:
        if part.kind == "text":
            cells.append(_markdown(part.content))
        elif part.kind == "drawing":
            cells.append(_drawing(part.content, words["drawings"]))
        else:
            rows = "\n\n".join(_formula(number, language) for number in part.names)
            loops = dict.fromkeys(loop(number, language) for number in part.names)
            codes = "".join(f"\n\n```python\n{code}\n```" for code in loops if code)
            label = f"\n\n{words['report']['loop']}:" if codes else ""
            cells.append(_markdown(rows + label + codes))
    return cells


def _formula(number: str, language: str) -> str:
    row = formulas()[number]
    return rf"*{row.names[language]}*" + f"\n\n$${row.tex} \\tag{{{row.shown}}}$$"


def _drawing(name: str, words: dict[str, str]) -> dict[str, Any]:
    """Return a drawing as a picture that is kept in the cell, dark on white."""
    svg = drawing(name, words).replace(
        "<title>", '<rect width="100%" height="100%" fill="#fff" stroke="none"/><title>', 1
    )
    picture = base64.b64encode(svg.replace("currentColor", "#222").encode()).decode()
    cell = _markdown(f"![{words[name]}](attachment:{name}.svg)")
    cell["attachments"] = {f"{name}.svg": {"image/svg+xml": picture}}
    return cell


def _worked(name: str, language: str) -> list[str]:
    rows = []
    for n, step in enumerate(play(name).worked(), 1):
        row = formulas().get(step.number)
        label = f"*{row.names[language]} ({row.shown})*: " if row else ""
        rows.append(f"{n}. {label}${step.tex}$")
    return rows


def _exercises(name: str, language: str, words: dict) -> list[dict[str, Any]]:
    cells, own = [], words["notebook"]
    questions = lesson_text(name, language).exercises
    for n, (question, exercise) in enumerate(zip(questions, play(name).exercises, strict=True), 1):
        options = "\n".join(f"{i}. {option}" for i, option in enumerate(question.options, 1))
        title = words["report"]["exercise"].format(n=n)
        cells.append(_markdown(f"### {title}\n\n{question.text}\n\n{options}".strip()))
        if isinstance(exercise, Settings):
            pairs = ", ".join(f'"{knob.name}": {knob.start!r}' for knob in exercise.knobs)
            answer, hint = f"{{{pairs}}}", own["settings"]
        else:
            answer = "..."
            hint = own["place"] if isinstance(exercise, Pick) else own["check"]
        extra = "" if language == "en" else f', "{language}"'
        cells.append(
            _code(
                f"# {hint}\nfrom fastnn.course.notebooks import check\n\n"
                f'check("{name}", {n}, {answer}{extra})'
            )
        )
        answer = f"<details><summary>{words['site']['show']}</summary>\n\n{question.answer}\n\n"
        cells.append(_markdown(answer + "</details>"))
    return cells


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}


def _code(source: str) -> dict[str, Any]:
    lines = source.rstrip("\n").splitlines(keepends=True)
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {},
        "outputs": [],
        "source": lines,
    }
