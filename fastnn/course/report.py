"""The course as one self-contained page, on screen and on paper.

Each lesson has its text, the worked steps, output, pictures and seconds of its program, and
exercises with answers.
"""

import base64
import datetime
import errno
import sys
import tempfile
import time
from html import escape
from importlib import resources
from pathlib import Path

from .. import backends
from ..datasets import load_fashion_mnist, load_mnist
from ..files import write_file
from . import SYSTEMS, System, texts
from .appendix import appendix
from .html import blocks, worked
from .lesson import Lesson
from .lesson_texts import ORDER, lesson_text
from .markup import inline, markdown

DATA = {"mnist": load_mnist, "fashion-mnist": load_fashion_mnist}
# What plain Python would take hours or many minutes for.
TOO_SLOW = {"python": ("mnist", "fashion-mnist", "regions")}

STYLE = resources.files(__package__).joinpath("web", "report.css")


def write_report(out: Path, language: str, seed: int = 0, quick: bool = False) -> Path:
    """Run every system and write the page; return its path.

    Parameters
    ----------
    out : path
        A folder, made if need be.
    language : {"en", "zh"}

    Raises
    ------
    OSError
        If there cannot be a page: before any system runs, as far as that can be seen then.
    DataError
        If the images of systems 9 and 10 are missing, also before.
    """
    words, path = texts(language), out / f"course.{language}.html"
    out.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "a folder, not a page", str(path))
    for system in SYSTEMS:
        if system.name in DATA:  # all others take minutes, for nothing if these are missing
            DATA[system.name]()
    with tempfile.TemporaryDirectory() as folder:
        sections = [
            _section(system, words, language, Path(folder, system.number), seed, quick)
            for system in in_order()
        ]
    write_file(path, _page(sections, words, language, seed).encode())
    return path


def in_order() -> list[System]:
    """Return the systems in the order of learning."""
    return sorted(SYSTEMS, key=lambda system: ORDER.index(system.name))


def _page(sections: list[str], words: dict, language: str, seed: int) -> str:
    report = words["report"]
    links = "".join(
        f'<li><a href="#{system.name}">{escape(words[system.name]["title"])}</a></li>'
        for system in in_order()
    )
    links += f'<li><a href="#appendix">{escape(words["appendix"]["title"])}</a></li>'
    made = report["made"].format(
        date=datetime.date.today(), seed=seed, backend=backends.get_backend()
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report['title'])}</title>"
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body>"
        f"<h1>{escape(report['title'])}</h1><p>{escape(report['intro'])}</p>"
        f"<nav><h3>{escape(report['contents'])}</h3><ul>{links}</ul></nav>"
        f"{''.join(sections)}{appendix(words['appendix'])}<footer><p>{escape(made)}</p></footer></body></html>\n"
    )


def _section(
    system: System, words: dict, language: str, folder: Path, seed: int, quick: bool
) -> str:
    """Run a system on every back end; return its part of the page."""
    report, text = words["report"], lesson_text(system.name, language)
    lesson, seconds = _run(system, language, folder, seed, quick)
    figures = "".join(
        f'<figure><img alt="{escape(report["figure"].format(title=text.title, n=n))}" '
        f'src="data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"></figure>'
        for n, path in enumerate(lesson.figures, 1)
    )
    times = "".join(
        f"<div><dt>{name}</dt><dd>{value:.3g}</dd></div>" for name, value in seconds.items()
    )
    return (
        f'<section id="{system.name}"><h2>{escape(text.title)}</h2>'
        f"{blocks(text.idea, language, words)}"
        f"<h3>{escape(report['derivation'])}</h3>{blocks(text.derivation, language, words)}"
        f"<h3>{escape(report['worked'])}</h3>{markdown(text.worked)}{worked(system.name, language)}"
        f'<div class="both"><div><h3>{escape(report["output"])}</h3>'
        f"<pre>{escape(chr(10).join(lesson.lines))}</pre></div>"
        f"<div><h3>{escape(report['expected'])}</h3>"
        f'<pre class="text">{escape(text.expected)}</pre></div></div>{figures}'
        f'<h3>{escape(report["seconds"])}</h3><dl class="times">{times}</dl>'
        f"<h3>{escape(report['code'])}</h3><pre>{escape(system.program(language))}</pre>"
        f"{_exercises(system.name, language, report)}</section>"
    )


def _exercises(name: str, language: str, report: dict) -> str:
    """Return the questions of a lesson, and the answers below them."""
    questions = answers = ""
    for question in lesson_text(name, language).exercises:
        options = "".join(f"<li>{inline(option)}</li>" for option in question.options)
        listed = f'<ul class="options">{options}</ul>' if options else ""
        questions += f"<li>{markdown(question.text)}{listed}</li>"
        answers += f"<li>{markdown(question.answer)}</li>"
    return (
        f"<h3>{escape(report['exercises'])}</h3><ol>{questions}</ol>"
        f'<h3>{escape(report["answer"])}</h3><ol class="answers">{answers}</ol>'
    )


def _run(
    system: System, language: str, folder: Path, seed: int, quick: bool
) -> tuple[Lesson, dict[str, float]]:
    """Run a system for its output and pictures, and for its seconds on each back end."""
    _tell(system, "")
    if system.name not in DATA:  # first imports and pictures are slow
        system.run(Lesson(seed=seed, quick=True, silent=True))
    lesson = Lesson(folder, seed=seed, quick=quick, silent=True, language=language)
    system.run(lesson)
    seconds = {}  # without saving the pictures, which takes longer than most trainings
    for name, reason in backends.available_backends().items():
        if reason is None and system.name not in TOO_SLOW.get(name, ()):
            _tell(system, f" on {name}")
            with backends.use_backend(name):
                if name == "numba":  # it compiles on the first call
                    system.run(Lesson(seed=seed, quick=True, silent=True))
                seconds[name] = _timed(system, Lesson(seed=seed, quick=quick, silent=True))
    return lesson, seconds


def _tell(system: System, what: str) -> None:
    """Say what comes next, in a file as well: all systems take minutes."""
    place = in_order().index(system) + 1
    print(f"{place}/{len(SYSTEMS)} {system.name}{what}", file=sys.stderr, flush=True)


def _timed(system: System, lesson: Lesson) -> float:
    begin = time.perf_counter()
    system.run(lesson)
    return time.perf_counter() - begin
