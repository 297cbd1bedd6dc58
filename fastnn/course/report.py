"""The course as one self-contained page: explanation, formula, output, pictures, seconds."""

import base64
import datetime
import errno
import importlib
import inspect
import sys
import tempfile
import time
from html import escape
from pathlib import Path

from .. import backends
from ..datasets import load_fashion_mnist, load_mnist
from ..files import write_file
from ..progress import is_watched
from . import SYSTEMS, System, texts
from .appendix import appendix
from .lesson import Lesson

DATA = {"mnist": load_mnist, "fashion-mnist": load_fashion_mnist}
# What plain Python would take hours or many minutes for.
TOO_SLOW = {"python": ("mnist", "fashion-mnist", "regions")}

STYLE = """
:root { color-scheme: light dark; --back: #fcfcfa; --text: #1d2433; --soft: #59627a;
  --line: #d8dbe3; --card: #fff; --mark: #a8321c; }
@media (prefers-color-scheme: dark) { :root { --back: #14171d; --text: #e4e7ee; --soft: #9aa3b8;
  --line: #343b49; --card: #1b2029; --mark: #ff9c7a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.2rem; max-width: 60rem; background: var(--back);
  color: var(--text); font: 1rem/1.6 system-ui, "Noto Sans CJK SC", sans-serif; }
h1 { line-height: 1.2; } h2 { margin: 0 0 .5rem; } h3 { margin: 1rem 0 .3rem; font-size: 1rem;
  color: var(--soft); }
section { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1.2rem; margin: 1.4rem 0; }
nav ol { columns: 18rem 2; padding-left: 1.6rem; } a { color: var(--mark); }
.number { color: var(--mark); margin-right: .4em; }
.formula { display: flex; gap: 1.5rem; align-items: center; overflow: auto hidden;
  padding: .4rem 0; }
.formula math { font-size: 1.15rem; width: auto; }
.formula span { color: var(--soft); white-space: nowrap; }
.both { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem),
  1fr)); }
.both > div { min-width: 0; }
pre { overflow: auto; max-height: 22rem; margin: 0; padding: .7rem; border: 1px solid var(--line);
  border-radius: .4rem; font-size: .82rem; line-height: 1.45; }
pre.text { white-space: pre-wrap; overflow-wrap: anywhere; }
figure { margin: 1rem 0 0; text-align: center; } img { max-width: 100%; height: auto;
  border-radius: .4rem; background: #fff; }
.times { display: flex; flex-wrap: wrap; gap: .2rem 1.4rem; margin: 0; }
.times dt { display: inline; font-weight: bold; } .times dd { display: inline; margin-left: .6em; }
summary { cursor: pointer; color: var(--soft); margin-top: 1rem; }
.table { overflow: auto hidden; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-top: 1px solid var(--line); }
td small { display: block; color: var(--soft); }
"""


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
            _section(system, words, Path(folder, system.number), seed, quick) for system in SYSTEMS
        ]
    write_file(path, _page(sections, words, language, seed).encode())
    return path


def _page(sections: list[str], words: dict, language: str, seed: int) -> str:
    report = words["report"]
    links = "".join(
        f'<li><a href="#{system.name}">{escape(words[system.name]["title"])}</a></li>'
        for system in SYSTEMS
    )
    links += f'<li><a href="#appendix">{escape(words["appendix"]["title"])}</a></li>'
    made = report["made"].format(
        date=datetime.date.today(), seed=seed, backend=backends.get_backend()
    )
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report['title'])}</title><style>{STYLE}</style></head><body>"
        f"<h1>{escape(report['title'])}</h1><p>{escape(report['intro'])}</p>"
        f"<nav><h3>{escape(report['contents'])}</h3><ol>{links}</ol></nav>"
        f"{''.join(sections)}{appendix(words['appendix'])}<footer><p>{escape(made)}</p></footer></body></html>\n"
    )


def _section(system: System, words: dict, folder: Path, seed: int, quick: bool) -> str:
    """Run a system on every back end; return its part of the page."""
    report, own = words["report"], words[system.name]
    _tell(system, "")
    if system.name not in DATA:  # first imports and pictures are slow
        system.run(Lesson(seed=seed, quick=True, silent=True))
    lesson = Lesson(folder, seed=seed, quick=quick, silent=True)
    system.run(lesson)
    seconds = {}  # without saving the pictures, which takes longer than most trainings
    for name, reason in backends.available_backends().items():
        if reason is None and system.name not in TOO_SLOW.get(name, ()):
            _tell(system, f" on {name}")
            with backends.use_backend(name):
                if name == "numba":  # it compiles on the first call
                    system.run(Lesson(seed=seed, quick=True, silent=True))
                seconds[name] = _timed(system, Lesson(seed=seed, quick=quick, silent=True))
    figures = "".join(
        f'<figure><img alt="{escape(own["title"])}: {path.stem}" src="data:image/png;base64,'
        f'{base64.b64encode(path.read_bytes()).decode()}"></figure>'
        for path in lesson.figures
    )
    times = "".join(
        f"<div><dt>{name}</dt><dd>{value:.3g}</dd></div>" for name, value in seconds.items()
    )
    return (
        f'<section id="{system.name}"><h2><span class="number">{system.number}</span>'
        f"{escape(own['title'])}</h2><p>{escape(own['text'])}</p>"
        f"<h3>{escape(report['formula'])}</h3>{_formulas(own['formulas'])}"
        f'<div class="both"><div><h3>{escape(report["output"])}</h3>'
        f"<pre>{escape(chr(10).join(lesson.lines))}</pre></div>"
        f"<div><h3>{escape(report['expected'])}</h3>"
        f'<pre class="text">{escape(own["expected"])}</pre></div></div>{figures}'
        f'<h3>{escape(report["seconds"])}</h3><dl class="times">{times}</dl>'
        f"<details><summary>{escape(report['code'])}</summary>"
        f"<pre>{escape(_source(system))}</pre></details></section>"
    )


def _tell(system: System, what: str) -> None:
    """Say what comes next, if somebody looks: all systems take minutes."""
    if is_watched():
        print(f"{int(system.number)}/{len(SYSTEMS)} {system.name}{what}", file=sys.stderr)


def _timed(system: System, lesson: Lesson) -> float:
    begin = time.perf_counter()
    system.run(lesson)
    return time.perf_counter() - begin


def _formulas(formulas: list[list[str]]) -> str:
    from latex2mathml.converter import convert

    rows = []
    for latex, number in formulas:
        label = f"({number})" if number else ""
        math = convert(latex, display="block")
        rows.append(f'<div class="formula">{math}<span>{label}</span></div>')
    return "".join(rows)


def _source(system: System) -> str:
    name = f"{__package__}.s{system.number}_{system.name.replace('-', '_')}"
    return inspect.getsource(importlib.import_module(name))
