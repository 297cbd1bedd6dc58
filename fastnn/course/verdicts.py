"""Judges answers to exercises, by computing or running what they ask for."""

import json
from typing import Any

from ..parameters import check_choice, shown
from . import texts
from .lesson_texts import ORDER, lesson_text
from .phrases import phrase
from .play import play
from .play.records import Exercise, Numbers, Pick, Settings, read_knobs, read_number


def judge(lesson: str, exercise: Any, answer: Any, language: str = "en") -> tuple[bool, str]:
    """Return whether an answer is right, and what to say; see `site.check`."""
    question, words, measured = asked(lesson, exercise), texts(language)["site"], ""
    if isinstance(question, Settings):
        if isinstance(answer, str):
            answer = _from_json(answer)
        right, values = question.judge(**read_knobs(question.knobs, answer))
        pairs = (f"{phrase(name, language)} {_plain(value)}" for name, value in values.items())
        measured = " " + words["measured"].format(values=", ".join(pairs))
    elif isinstance(question, Pick):
        options = lesson_text(lesson, language).exercises[int(exercise) - 1].options
        if str(answer) not in [str(i) for i in range(len(options))]:
            raise ValueError(f"answer={shown(answer)}: expected an option, counted from 0")
        right = int(answer) == question.solve()
    else:
        right = _are_right(question, answer, words)
    return right, words["right" if right else "wrong"] + measured


def asked(lesson: str, exercise: Any) -> Exercise:
    """Return an exercise, counted from 1; ValueError if there is none."""
    own = play(check_choice("lesson", lesson, ORDER)).exercises
    if str(exercise) not in [str(n) for n in range(1, len(own) + 1)]:
        raise ValueError(f"exercise={shown(exercise)}: expected a number from 1 to {len(own)}")
    return own[int(exercise) - 1]


def right_answer(lesson: str, exercise: int) -> Any:
    """Return an answer that is right: for the tests, and for who gives up."""
    question = asked(lesson, exercise)
    return question.right if isinstance(question, Settings) else question.solve()


def _are_right(asked: Numbers, answer: Any, words: dict) -> bool:
    if isinstance(answer, str):
        answer = answer.replace("，", ",").replace("、", ",").strip(" ()[]（）").split(",")
    given = answer if isinstance(answer, (list, tuple)) else [answer]
    wanted = asked.solve()
    if len(given) != len(wanted):
        said = words["one" if len(wanted) == 1 else "several"]
        raise ValueError(said.format(n=len(wanted), got=len(given)))
    try:
        numbers = [read_number("answer", value) for value in given]
    except ValueError:
        raise ValueError(words["number"].format(got=shown(answer))) from None
    return all(
        abs(value - right) <= asked.tolerance * max(1.0, abs(right)) + 1e-9
        for value, right in zip(numbers, wanted, strict=True)
    )


def _from_json(answer: str) -> Any:
    try:
        return json.loads(answer)
    except (ValueError, RecursionError):
        raise ValueError(f"answer={shown(answer)}: expected settings as JSON") from None


def _plain(value: float) -> str:
    """Return a number for a sentence."""
    return str(value) if isinstance(value, int) else f"{value:.4g}"
