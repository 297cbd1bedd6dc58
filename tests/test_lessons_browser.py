"""The lessons in a real browser: Debian's chromium, if it and Playwright are there."""

import json
import shutil

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("uvicorn")
from test_playground_browser import (  # noqa: E402
    SECONDS,
    address,  # noqa: F401 (a fixture)
    browser,  # noqa: F401
    wait,
)

from fastnn.course import texts  # noqa: E402
from fastnn.course.lesson_texts import ORDER  # noqa: E402
from fastnn.course.play import play  # noqa: E402
from fastnn.course.play.records import Pick, Settings  # noqa: E402
from fastnn.course.verdicts import right_answer  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium"),
]


@pytest.fixture
def visit(browser, address):  # noqa: F811
    """Go to lessons; nothing may go wrong in them."""
    problems = []
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page = context.new_page()
    page.set_default_timeout(SECONDS)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: line.type == "error" and problems.append(line.text))
    page.goto(address)
    base = address.split("/?")[0]

    def visit(name, language="en"):
        page.goto(f"{base}/lessons/{name}?lang={language}")
        return page

    yield visit
    context.close()
    assert not problems


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_lesson_is_whole_and_its_picture_comes(visit, language):
    for name in ORDER:
        page = visit(name, language)
        page.locator("#picture").scroll_into_view_if_needed()
        page.evaluate("document.querySelector('#picture').scrollIntoView()")
        wait(
            page,
            "document.querySelector('.panels svg')"
            " || document.querySelector('fastnn-playground')?.handle?.player.frame",
        )
        assert page.locator("html").get_attribute("lang") == language
        assert page.locator("math").count() > 3
        for width in (390, 1100):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


def test_steps_come_one_by_one(visit):
    page = visit("perceptron")
    items = page.locator("ol.worked > li")
    n = items.count()
    shown = "[...document.querySelectorAll('ol.worked > li')].filter(i => !i.hidden).length"
    assert page.evaluate(shown) == 1
    page.get_by_role("button", name="Next").click()
    assert page.evaluate(shown) == 2
    assert page.locator(".stepper output").inner_text() == f"Step 2 of {n}"
    page.get_by_role("button", name="Back").click()
    assert page.evaluate(shown) == 1
    page.get_by_role("button", name="All steps").click()
    assert page.evaluate(shown) == n


def test_a_knob_changes_the_picture(visit):
    page = visit("gradient-descent")
    page.evaluate("document.querySelector('#picture').scrollIntoView()")
    wait(page, "document.querySelector('.panels svg')")
    before = page.locator(".panels").inner_html()
    page.locator("#gradient-descent-live-rate").fill("0.9")
    wait(page, f"document.querySelector('.panels').innerHTML !== {json.dumps(before)}")
    assert page.locator("output[for=gradient-descent-live-rate]").inner_text() == "0.9"


def set_knobs(page, form, knobs):
    for name, value in knobs.items():
        field = form.locator(f"[name={name}]")
        if field.evaluate("field => field.tagName") == "SELECT":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def give(page, form, asked, answer):
    """Fill in an answer, and return what the page says of it."""
    if isinstance(asked, Settings):
        set_knobs(page, form, answer)
    elif isinstance(asked, Pick):
        form.locator(f"input[value='{answer}']").check()
    else:
        form.locator("input[name=numbers]").fill(", ".join(map(str, answer)))
    form.get_by_role("button").click()
    place = f"document.querySelector('#{form.get_attribute('id')} .verdict')"
    wait(page, f"['right', 'wrong'].includes({place}.dataset.kind)")
    return page.evaluate(f"{place}.dataset.kind"), page.evaluate(f"{place}.textContent")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_exercise_judges_right_and_wrong(visit, language):
    words = texts(language)["site"]
    for name in ORDER:
        page = visit(name, language)
        for n, asked in enumerate(play(name).exercises, 1):
            form, right = page.locator(f"#exercise-{n}"), right_answer(name, n)
            wrong = (right + 1) % 2 if isinstance(asked, Pick) else None
            if isinstance(asked, Settings):
                wrong = asked.wrong
            elif wrong is None:
                wrong = [value + 1 for value in right]
            kind, text = give(page, form, asked, wrong)
            assert (kind, text.startswith(words["wrong"])) == ("wrong", True), (name, n)
            kind, text = give(page, form, asked, right)
            assert (kind, text.startswith(words["right"])) == ("right", True), (name, n)
            assert form.locator("details").get_attribute("open") is not None


def test_an_answer_that_is_missing_or_none_is_told(visit):
    page = visit("perceptron")
    form = page.locator("#exercise-2")
    form.get_by_role("button").click()
    assert form.locator(".verdict").inner_text() == "An answer is missing."
    form.locator("input[name=numbers]").fill("many")
    form.get_by_role("button").click()
    wait(page, "document.querySelector('#exercise-2 .verdict').textContent.includes('number')")
