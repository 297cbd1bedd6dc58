"""The lessons as pages of the playground's site, and what its server asks of them.

The server calls `pages`, `picture` and `check`, each in a thread; a ValueError of theirs is what
was wrong with a request. No user's text is ever evaluated: answers are numbers, options and knobs
in their ranges. The pages' script and style are the playground's `lesson.js` and `lesson.css`.
"""

import json
from functools import cache
from html import escape
from typing import Any, NamedTuple

from ..parameters import check_choice
from . import SYSTEMS, texts
from .html import blocks, worked
from .lesson_texts import CHAPTERS, ORDER, lesson_text
from .markup import inline, markdown
from .phrases import phrase
from .play import play
from .play.records import Embedded, Exercise, Knob, Pick, Settings, Slider, read_knobs
from .verdicts import judge


class Page(NamedTuple):
    """A page: its title, and what stands in its <main>."""

    title: str
    html: str


@cache
def pages(language: str) -> dict[str, Page]:
    """Return all pages in a language, by the lesson's name; the contents are ""."""
    words = texts(language)
    found = {"": Page(words["site"]["contents"], _contents(words))}
    for name in ORDER:
        found[name] = Page(words[name]["title"], _lesson(name, language, words))
    return found


def picture(lesson: str, knobs: Any, language: str = "en") -> dict[str, Any]:
    """Return a lesson's live picture for a setting of its knobs.

    Returns
    -------
    dict
        "panels": diagrams as `play.records.panel` makes them, labels in the language.

    Raises
    ------
    ValueError
        If there is no such lesson or picture, or a knob is out of range.
    """
    live = play(check_choice("lesson", lesson, ORDER)).live
    if isinstance(live, Embedded):
        raise ValueError(f"lesson={lesson!r}: its picture is a playground")
    panels = live.draw(**read_knobs(live.knobs, knobs))
    for panel in panels:
        for label in ("x", "y", "title"):
            panel[label] = phrase(panel[label], language)
        for mark in panel["marks"]:
            if mark.get("name"):
                mark["name"] = phrase(mark["name"], language)
    return {"panels": panels}


def check(lesson: str, exercise: Any, answer: Any, language: str = "en") -> tuple[bool, str]:
    """Return whether an answer is right, and what to say about it.

    Parameters
    ----------
    exercise : int
        Counted from 1.
    answer : str, number, list or dict
        Numbers (also separated by commas), the place of an option from 0 on, or settings of knobs
        (also as JSON).

    Raises
    ------
    ValueError
        If there is no such lesson or exercise, or the answer is none.
    """
    return judge(lesson, exercise, answer, language)


def _contents(words: dict) -> str:
    site, out = words["site"], ""
    for chapter, names in CHAPTERS.items():
        links = "".join(
            f'<li><a href="/lessons/{name}">{escape(words[name]["title"])}</a></li>'
            for name in names
        )
        out += f"<section><h2>{escape(words['chapters'][chapter])}</h2><ul>{links}</ul></section>"
    return f"<h1>{escape(site['contents'])}</h1><p>{escape(site['intro'])}</p>{out}"


def _lesson(name: str, language: str, words: dict) -> str:
    text, report = lesson_text(name, language), words["report"]
    system = next(s for s in SYSTEMS if s.name == name)
    suffix = "" if language == "en" else f" --lang {language}"
    command = f"<code>fastnn course run {name}{suffix}</code>"
    return (
        f'<article lang="{language}"><p class="where">{_where(name, words)}</p>'
        f"<h1>{escape(text.title)}</h1>"
        f'<section id="idea">{blocks(text.idea, language, words)}</section>'
        f'<section id="derivation"><h2>{escape(report["derivation"])}</h2>'
        f"{blocks(text.derivation, language, words)}</section>"
        f'<section id="worked"><h2>{escape(report["worked"])}</h2>{markdown(text.worked)}'
        f"{_stepper(name, language, words)}</section>"
        f'<section id="picture"><h2>{escape(report["picture"])}</h2>{markdown(text.picture)}'
        f"{_live(name, language, words)}</section>"
        f'<section id="program"><h2>{escape(report["code"])}</h2>'
        f"<p>{escape(report['runs']).format(command=command)}</p>"
        f"<pre><code>{escape(system.program(language))}</code></pre>"
        f'<h3>{escape(report["expected"])}</h3><pre class="text">{escape(text.expected)}</pre>'
        f'</section><section id="exercises"><h2>{escape(report["exercises"])}</h2>'
        f"{_exercises(name, language, words)}</section>{_turn(name, words)}</article>"
    )


def _where(name: str, words: dict) -> str:
    chapter = next(chapter for chapter, names in CHAPTERS.items() if name in names)
    contents = escape(words["site"]["contents"])
    return f'<a href="/lessons/">{contents}</a> · {escape(words["chapters"][chapter])}'


def _turn(name: str, words: dict) -> str:
    """Return the links to the lessons before and after."""
    at, links = ORDER.index(name), ""
    for place, word, rel in ((at - 1, "previous", "prev"), (at + 1, "next", "next")):
        if 0 <= place < len(ORDER):
            other = ORDER[place]
            links += (
                f'<a rel="{rel}" href="/lessons/{other}">{escape(words["site"][word])}: '
                f"{escape(words[other]['title'])}</a>"
            )
    return f'<nav class="turn">{links}</nav>'


def _stepper(name: str, language: str, words: dict) -> str:
    site = words["site"]
    said = escape(json.dumps({"step": site["step"], "all": site["all"]}, ensure_ascii=False))
    buttons = "".join(
        f'<button type="button" class="button" data-go="{go}">{escape(site[word])}</button>'
        for go, word in (("-1", "before"), ("1", "after"), ("all", "all"))
    )
    return (
        f'<div class="stepper" data-words="{said}"><div class="row" hidden>{buttons}'
        f'<output aria-live="polite"></output></div>{worked(name, language)}</div>'
    )


def _live(name: str, language: str, words: dict) -> str:
    live = play(name).live
    if isinstance(live, Embedded):
        return (
            f'<fastnn-playground settings="{escape(live.settings)}" knobs="{live.knobs}" '
            f'show="{live.show}"></fastnn-playground>'
        )
    error = escape(words["site"]["error"])
    return (
        f'<figure class="live" data-lesson="{name}" data-error="{error}"><form class="knobs row">'
        f'{_knobs(live.knobs, language, f"{name}-live")}</form><div class="panels"></div>'
        "</figure>"
    )


def _knobs(knobs: tuple[Knob, ...], language: str, prefix: str) -> str:
    out = ""
    for knob in knobs:
        place, label = f"{prefix}-{knob.name}", escape(phrase(knob.name, language))
        out += f'<div class="knob"><label for="{place}">{label}</label>'
        if isinstance(knob, Slider):
            out += (
                f'<input type="range" id="{place}" name="{knob.name}" min="{knob.low:g}" '
                f'max="{knob.high:g}" step="{knob.step:g}" value="{knob.start:g}">'
                f'<output for="{place}">{knob.start:g}</output>'
            )
        else:
            options = "".join(
                f'<option value="{escape(str(option))}"{" selected" * (option == knob.start)}>'
                f"{escape(phrase(str(option), language))}</option>"
                for option in knob.options
            )
            out += f'<select id="{place}" name="{knob.name}">{options}</select>'
        out += "</div>"
    return out


def _exercises(name: str, language: str, words: dict) -> str:
    site, report, out = words["site"], words["report"], ""
    questions = lesson_text(name, language).exercises
    for n, (question, exercise) in enumerate(zip(questions, play(name).exercises, strict=True), 1):
        prefix = f"{name}-{n}"
        out += (
            f'<form class="exercise card" id="exercise-{n}" data-lesson="{name}" '
            f'data-exercise="{n}" data-empty="{escape(site["empty"])}">'
            f"<h3>{escape(report['exercise'].format(n=n))}</h3>{markdown(question.text)}"
            f"{_fields(exercise, question.options, language, prefix, site)}"
            f'<div class="row"><button class="button">{escape(site["check"])}</button>'
            '<output class="verdict" aria-live="polite"></output></div>'
            f"<details><summary>{escape(site['show'])}</summary>{markdown(question.answer)}"
            "</details></form>"
        )
    return out


def _fields(
    exercise: Exercise, options: tuple[str, ...], language: str, prefix: str, site: dict
) -> str:
    if isinstance(exercise, Settings):
        return f'<div class="knobs row">{_knobs(exercise.knobs, language, prefix)}</div>'
    if isinstance(exercise, Pick):
        rows = "".join(
            f'<label><input type="radio" name="option" value="{i}"> {inline(option)}</label>'
            for i, option in enumerate(options)
        )
        return f'<fieldset class="options">{rows}</fieldset>'
    return (
        f'<label class="numbers">{escape(site["numbers"])} '
        '<input name="numbers" inputmode="text" autocomplete="off" maxlength="100"></label>'
    )
