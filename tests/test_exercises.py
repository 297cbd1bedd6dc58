"""The exercises of the lessons: what is right, and what is wrong."""

import json

import pytest

from fastnn.course import site
from fastnn.course.lesson_texts import ORDER
from fastnn.course.play import play
from fastnn.course.play.records import Pick, Settings
from fastnn.course.verdicts import right_answer


def exercises():
    return [(name, n) for name in ORDER for n in range(1, len(play(name).exercises) + 1)]


def wrong_answer(name, n):
    asked = play(name).exercises[n - 1]
    if isinstance(asked, Settings):
        return asked.wrong
    right = asked.solve()
    return (right + 1) % 2 if isinstance(asked, Pick) else [value + 1 for value in right]


@pytest.mark.parametrize(("name", "n"), exercises())
def test_a_right_answer_is_accepted_and_a_wrong_one_refused(name, n):
    for language, right, wrong in (("en", "Right.", "Not yet."), ("zh", "正确。", "还不对。")):
        ok, text = site.check(name, n, right_answer(name, n), language)
        assert (ok, text.startswith(right)) == (True, True)
        ok, text = site.check(name, n, wrong_answer(name, n), language)
        assert (ok, text.startswith(wrong)) == (False, True)


# By hand: right answers, and what a slip would give.
BY_HAND = {
    ("truth-table", 1): ("0.4", "1", "-0.6"),
    ("perceptron", 1): ("-4, 0, -1", "-3, 0, -2", "-6, 0, 1"),  # the rate; the sign
    ("perceptron", 2): ("3", "2", "4"),
    ("perceptron-matrix", 1): ("1", "0", "2"),  # 3 x 1
    ("perceptron-matrix", 2): ("-4, 0, -1", "-3, 0, -2", "-4.5, -0.5, -1"),  # the mean
    ("single-layer", 1): ("-0.15", "0.15", "-0.6"),
    ("single-layer", 3): ("0", "1", "2"),
    ("linear", 2): ("2", "1", "3"),  # 0.2 is above 2 / 13.2
    ("linear", 3): ("2", "0", "1"),
    ("linear-xor", 2): ("0", "0.5", "-1"),
    ("features-xor", 1): ("-1, 1, 1, -1", "-1, 1, 1, 3", "0, 1, 1, 0"),
    ("features-xor", 2): ("1", "0", "2"),
    ("gradient-descent", 1): ("-2.4", "-2.7", "-3.6"),  # the slope is 2w; downhill
    ("gradient-descent", 3): ("2", "1", "3"),
    ("two-minima", 2): ("5, 3", "3, 5", "7, 3"),
    ("two-minima", 3): ("1", "0", "2"),
    ("learning-rates", 2): ("0.1", "0.01", "0.3"),
    ("learning-rates", 3): ("3", "0", "2"),
    ("stopping-rules", 2): ("1", "0", "2"),
    ("activations", 1): ("0.25", "0.5", "1"),
    ("activations", 2): ("0.75", "3", "0.25"),
    ("activations", 3): ("3", "0", "2"),
    ("regions", 2): ("3", "2", "4"),
    ("regions", 3): ("2", "0", "1"),
    ("curves", 1): ("0.25", "-0.25", "0.5"),
    ("curves", 2): ("1", "0", "2"),
    ("bp-xor", 1): ("0.032", "-0.032", "0.2"),
    ("bp-xor", 2): ("0.00384", "0.0096", "0.00768"),  # without 1 - y; without the weight
    ("vanishing-gradients", 1): ("0.0039", "0.25", "0.0156"),
    ("vanishing-gradients", 3): ("1", "0", "2"),
    ("regression", 1): ("-0.4", "-0.2", "0.4"),
    ("regression", 3): ("2", "0", "1"),
    ("mnist", 1): ("0.25", "0.1", "1"),
    ("mnist", 2): ("2.3", "0.1", "-2.3"),
    ("fashion-mnist", 1): ("1.386", "0.25", "2"),
    ("fashion-mnist", 3): ("1", "0", "2"),
}


def test_answers_by_hand_are_those_of_the_solutions():
    asked = {(name, n) for name, n in exercises()}
    settings = {key for key in asked if isinstance(play(key[0]).exercises[key[1] - 1], Settings)}
    assert set(BY_HAND) == asked - settings  # those with knobs are judged by a run
    for (name, n), (right, *slips) in BY_HAND.items():
        assert site.check(name, n, right)[0], (name, n)
        for slip in slips:
            assert not site.check(name, n, slip)[0], (name, n, slip)


@pytest.mark.parametrize(("name", "n"), exercises())
def test_answers_come_as_a_page_sends_them(name, n):
    right, wrong = right_answer(name, n), wrong_answer(name, n)

    def sent(answer):
        if isinstance(answer, list):
            return ", ".join(map(str, answer))
        return json.dumps(answer)

    assert site.check(name, str(n), sent(right))[0] is True
    assert site.check(name, str(n), sent(wrong))[0] is False


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (("no-lesson", 1, 1), "lesson='no-lesson': expected one of"),
        (("../x", 1, 1), "lesson='../x': expected one of"),
        (("bpxor", 1, 1), r"lesson='bpxor': did you mean 'bp-xor'\? Expected one of"),
        (("perceptron", 9, 1), "exercise=9: expected a number from 1 to 3"),
        (("perceptron", "1; import os", 1), "exercise="),
        (("perceptron", 1, "1, 2"), "Expected 3 numbers, separated by commas, got 2"),
        (("bp-xor", 1, "0,032"), r"Expected 1 number \(with a point\), got 2"),
        (("perceptron", 2, "__import__('os')"), "Expected a number, got"),
        (("perceptron", 2, "nan"), "Expected a number, got"),
        (("perceptron", 2, "1e999"), "Expected a number, got"),
        (("perceptron", 2, "许多", "zh"), "应为数字"),
        (("perceptron", 3, "{"), "expected settings as JSON"),
        (("perceptron", 3, "[1]"), "knobs="),
        (("perceptron", 3, {"rate": 1e9}), "rate=1000000000.0: expected a number from 0.1 to 3"),
        (("perceptron", 3, {"rat": 1}), "knobs: there is no 'rat'"),
        (("perceptron-matrix", 1, 3), "answer=3: expected an option"),
        (("bp-xor", 3, {"hidden": 10**9}), "hidden=1000000000: expected"),
        (("bp-xor", 3, {"rate": 0.2}), "rate=0.2: expected one of"),
    ],
)
def test_unusable_answers_are_refused(given, message):
    with pytest.raises(ValueError, match=message):
        site.check(*given)
