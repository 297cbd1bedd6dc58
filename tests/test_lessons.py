"""The lessons: texts, formulas, worked steps, live pictures, pages."""

import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

import fastnn
from fastnn import backends, course
from fastnn.course import drawings, lesson_texts, markup, phrases, site, snippets
from fastnn.course.html import loop
from fastnn.course.lesson_texts import ORDER, formulas, lesson_text
from fastnn.course.play import play
from fastnn.course.play.records import Embedded, Live, Pick, Select, Settings, Slider, read_knobs

# The text's formulas: (1.1) to (1.5), (2.1) to (2.46); it has a second (2.2).
NUMBERS = [f"1.{n}" for n in range(1, 6)] + [f"2.{n}" for n in range(1, 47)] + ["2.2b"]
CHINESE = re.compile("[一-鿿]")


def blocks(text):
    return [*text.idea, *text.derivation]


def test_every_numbered_formula_of_the_text_is_there_and_taught():
    assert sorted(formulas()) == sorted(NUMBERS)
    taught = {
        number
        for name in ORDER
        for block in blocks(lesson_text(name, "en"))
        if block.kind == "formula"
        for number in block.names
    }
    assert taught == set(NUMBERS)
    assert {step.number for name in ORDER for step in play(name).worked()} - {""} <= set(NUMBERS)


def test_numbers_in_the_texts_are_numbers_of_formulas():
    for name in ORDER:
        for language in course.LANGUAGES:
            text = lesson_text(name, language)
            words = [block.content for block in blocks(text) if block.kind == "text"]
            words += [text.worked, text.picture, *(q.text + q.answer for q in text.exercises)]
            cited = re.findall(r"\((\d\.\d+)\)", " ".join(words))
            assert set(cited) <= set(NUMBERS)


@pytest.mark.parametrize("number", NUMBERS)
def test_formulas_are_mathml_and_have_names(number):
    formula = formulas()[number]
    ElementTree.fromstring(markup.math(formula.tex, block=True))
    assert formula.names["en"]
    assert CHINESE.search(formula.names["zh"]) or formula.names["zh"].isascii()


def test_loops_beside_formulas_are_lines_of_the_python_back_end():
    folder = backends.kernels("python").__path__[0]
    lines = {
        line.strip()
        for name in ("__init__", "delta_rule", "formulas")
        for line in Path(folder, f"{name}.py").read_text().splitlines()
    }
    without = {number for number in NUMBERS if not snippets.snippet(number)}
    assert without == {"2.2b", "2.3", "2.4", "2.6"}  # definitions
    for number in set(NUMBERS) - without:
        for line in snippets.snippet(number).splitlines():
            assert line.strip() in lines


def test_a_loop_says_where_it_stands():
    assert loop("2.16", "zh").startswith("# fastnn/backends/python/formulas.py, activate\n")
    assert loop("2.13", "en").startswith("# fastnn/backends/python/__init__.py, _forward\n")
    assert not loop("2.3", "en")


def test_a_loop_that_is_gone_is_named(monkeypatch):
    row = formulas()["2.12"]._replace(code=("_forward", "z = list(b)", "no such line"))
    rows = {"2.12": row}
    monkeypatch.setattr(snippets, "formulas", lambda: rows)
    snippets.snippet.cache_clear()
    with pytest.raises(LookupError, match=r"\(2.12\): _forward has no line with 'no such line'"):
        snippets.snippet("2.12")
    rows["2.12"] = row._replace(code=("no_such_function", "", ""))
    with pytest.raises(LookupError, match=r"\(2.12\): the python back end has no no_such_func"):
        snippets.snippet("2.12")
    snippets.snippet.cache_clear()


def test_lessons_are_the_systems():
    assert sorted(ORDER) == sorted(course.NAMES)


@pytest.mark.parametrize("name", ORDER)
def test_both_languages_have_the_same_structure(name):
    english, chinese = (lesson_text(name, language) for language in ("en", "zh"))

    def skeleton(text):
        def formulas_in(words):
            return re.findall(r"\$\$(.+?)\$\$", re.sub(r"\\text\{.+?\}", "", words))

        kinds = [
            (b.kind, formulas_in(b.content) if b.kind == "text" else b.names) for b in blocks(text)
        ]
        headings = [b.content.count("\n### ") + b.content.startswith("### ") for b in blocks(text)]
        return kinds, headings, [len(question.options) for question in text.exercises]

    assert skeleton(english) == skeleton(chinese)
    assert len(english.exercises) == len(play(name).exercises) in (2, 3)
    words = [chinese.title, chinese.worked, chinese.picture]
    words += [q.text for q in chinese.exercises]
    assert all(CHINESE.search(word) for word in words)
    assert not any(CHINESE.search(block.content) for block in blocks(english))


@pytest.mark.parametrize("name", ORDER)
def test_options_go_with_exercises(name):
    for question, asked in zip(
        lesson_text(name, "en").exercises, play(name).exercises, strict=True
    ):
        assert bool(question.options) == isinstance(asked, Pick)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no title\n## idea\n", "expected a title"),
        ("# A\n## idea\n\n## worked\n", "expected a title and the sections"),
        (
            "# A\n## idea\n\n## derivation\n\n## worked\n\n## picture\n\n## exercise 1\nWhat?\n\n"
            "## expected\n",
            "without an answer",
        ),
    ],
)
def test_a_text_that_is_not_as_it_has_to_be_is_refused(source, message):
    with pytest.raises(ValueError, match=message):
        lesson_texts.parse(source)


def test_html_in_a_text_is_no_html():
    made = markup.markdown("a <script>alert(1)</script> $x < y$")
    assert "<script" not in made
    assert "<mo>&lt;</mo>" in made


def test_a_prime_is_a_sign_and_limits_stand_below():
    assert '<mo lspace="0" rspace="0">′</mo>' in markup.math("f'(x)")
    made = markup.math(r"\left(\sum_{i=0}^{n} x_i\right) + \max_i y", block=True)
    assert "munderover" in made
    assert "munder>" in made


# Worked steps: numbers of another program than the page's.


def numbers_of(tex):
    return [float(n) for n in re.findall(r"(?<![\w^_{.])-?\d+(?:\.\d+)?(?![\w}])", tex)]


def last(steps, number):
    """Return the last numbers of the steps with a formula's number, one per step."""
    return [numbers_of(step.tex)[-1] for step in steps if step.number == number]


def test_the_steps_of_the_perceptron_are_those_of_the_text():
    steps = play("perceptron").worked()
    news = [numbers_of(step.tex)[-3:] for step in steps if step.number == "1.4"]
    assert news == [[-3, 0, -2], [-1, 0, -4]]
    answers = [step for step in steps if "sign" in step.tex]
    assert [numbers_of(step.tex)[-1] for step in answers] == [-1, -1, 1]


def test_the_step_of_the_four_points_is_the_texts_second_epoch():
    after = play("single-layer").worked()[-1].tex.split("=")[-1]
    got = [float(n) for n in re.findall(r"-?\d+\.\d+", after)]
    assert got == pytest.approx([-0.1639, 0.4359, 0.1565])


def test_the_steps_of_back_propagation_are_those_of_numpy():
    steps = play("bp-xor").worked()
    x, t, rate = np.array([[1.0, 0.0]]), 1.0, 0.5
    w1, b1 = np.array([[0.3, -0.2], [0.1, 0.4]]), np.array([0.0, 0.1])
    w2, b2 = np.array([[0.5], [-0.3]]), np.array([0.2])

    def f(z):
        return 1 / (1 + np.exp(-z))

    y1 = f(x @ w1 + b1)
    y2 = f(y1 @ w2 + b2)
    d2 = (t - y2) * y2 * (1 - y2)  # (2.41)
    d1 = d2 @ w2.T * y1 * (1 - y1)  # (2.43)
    assert last(steps, "2.13") == pytest.approx(y1[0], rel=1e-3)
    assert last(steps, "2.15") == pytest.approx(y2[0], rel=1e-3)
    assert last(steps, "2.17") == pytest.approx([0.5 * (t - y2[0, 0]) ** 2], rel=1e-3)
    assert last(steps, "2.32") == pytest.approx(d2[0], rel=1e-3)
    assert last(steps, "2.33") == pytest.approx(d1[0], rel=1e-3)
    assert last(steps, "2.34") == pytest.approx([rate * d2[0, 0] * y1[0, 0]], rel=1e-3)
    assert last(steps, "2.35") == pytest.approx([rate * d1[0, 0]], rel=1e-3)
    assert last(steps, "2.40") == pytest.approx([rate * d2[0, 0]], rel=1e-3)


def test_the_steps_down_the_slope_halve_what_the_rate_says():
    ends = last(play("gradient-descent").worked(), "2.7")
    assert ends == pytest.approx([-1.8, -1.08, -0.648, 1.2, 0.72, 0.432])


def test_the_signal_of_a_chain_of_sigmoids_shrinks_by_its_slopes():
    y, slopes = 0.0, []
    for _ in range(4):
        y = 1 / (1 + np.exp(-y))
        slopes.append(y * (1 - y))
    delta = 2 - y
    expected = []
    for slope in reversed(slopes):
        delta *= slope
        expected.append(delta)
    assert last(play("vanishing-gradients").worked(), "2.42") == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize("name", ORDER)
def test_worked_steps_come_from_the_python_back_end(name, monkeypatch):
    called = []
    kernels = backends.kernels("python")
    for function in ("mlp_forward", "mlp_train", "perceptron_train", "linear_train"):
        original = getattr(kernels, function)

        def spy(*args, _original=original, **kwargs):
            called.append(_original)
            return _original(*args, **kwargs)

        monkeypatch.setattr(kernels, function, spy)
    steps = play(name).worked()
    assert len(steps) >= 4
    for step in steps:
        ElementTree.fromstring(markup.math(step.tex, block=True))
    # Two minima is no network; images use the formulas of the back end by themselves.
    assert called or name in ("two-minima", "mnist", "fashion-mnist", "truth-table")


@pytest.mark.parametrize("name", [n for n in ORDER if isinstance(play(n).live, Live)])
def test_pictures_at_the_ends_of_their_knobs(name):
    live = play(name).live
    assert 2 <= len(live.knobs) <= 3
    ends = [{}]
    for knob in live.knobs:
        values = knob.options if isinstance(knob, Select) else (knob.low, knob.high)
        ends += [{knob.name: values[0]}, {knob.name: values[-1]}]
    for knobs in ends:
        made = site.picture(name, knobs, "zh")
        text = json.dumps(made, allow_nan=False)
        assert len(text) < 100_000
        assert all(panel["marks"] for panel in made["panels"])
        for panel in made["panels"]:
            for label in (panel["x"], panel["y"]):
                assert CHINESE.search(label) or re.fullmatch("[xyw123 ]*", label)


def test_pictures_refuse_what_is_no_setting():
    with pytest.raises(ValueError, match="rate='x': expected a number"):
        site.picture("gradient-descent", {"rate": "x"})
    with pytest.raises(ValueError, match="knobs=None"):
        site.picture("gradient-descent", None)
    with pytest.raises(ValueError, match="is a playground"):
        site.picture("bp-xor", {})
    with pytest.raises(ValueError, match="lesson='nothing': expected one of"):
        site.picture("nothing", {})


def test_embedded_playgrounds_have_settings_that_it_takes():
    settings = pytest.importorskip("fastnn.playground.settings")
    for name in ORDER:
        live = play(name).live
        if isinstance(live, Embedded):
            read = settings.read(live.settings)
            for knob in live.knobs.split(","):
                assert hasattr(read, knob)


def test_knobs_have_starts_in_their_ranges():
    for name in ORDER:
        live = play(name).live
        sets = [live.knobs] if isinstance(live, Live) else []
        sets += [e.knobs for e in play(name).exercises if isinstance(e, Settings)]
        for knobs in sets:
            assert read_knobs(knobs, {}) == {knob.name: knob.start for knob in knobs}
            for knob in knobs:
                assert CHINESE.search(phrases.phrase(knob.name, "zh")) or knob.name in (
                    *("w0", "w1", "w2", "dropout"),
                )
                assert isinstance(knob, (Slider, Select))


class Page(html.parser.HTMLParser):
    """Collects tags that are open, and what a page refers to."""

    VOID = ("input", "img", "br", "meta", "line", "circle", "rect", "path", "polygon")

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links = [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs[name] for name in ("href", "src") if name in attrs]
        assert not any(name.startswith("on") for name in attrs)  # no script in a page
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("language", course.LANGUAGES)
def test_pages_are_whole(language):
    made = site.pages(language)
    assert list(made) == ["", *ORDER]
    for name, (title, content) in made.items():
        page = Page()
        page.feed(content)
        assert not page.open
        assert len(set(page.ids)) == len(page.ids)
        assert all(link == "/lessons/" or link[9:] in ORDER for link in page.links)
        assert "<script" not in content
        assert bool(CHINESE.search(title)) == (language == "zh")
        if name:
            assert content.count('<form class="exercise') == len(play(name).exercises)
            assert ("<fastnn-playground" in content) != ('<figure class="live"' in content)
            assert content.count("<li>") >= len(play(name).worked())


@pytest.mark.parametrize("language", course.LANGUAGES)
@pytest.mark.parametrize("name", list(drawings.DRAWINGS))
def test_drawings_are_svg_with_the_languages_words(name, language):
    words = course.texts(language)["drawings"]
    root = ElementTree.fromstring(drawings.drawing(name, words))
    texts = {"".join(text.itertext()) for text in root.iter() if text.tag.endswith("text")}
    assert texts
    assert bool(CHINESE.search(" ".join(texts))) == (language == "zh")


def test_corners_of_the_regions_are_where_a_unit_switches():
    """A network whose corners are known: two ReLU units bend a line at x = 0 and at x = 1."""
    from fastnn.course.s17_regions import corners

    model = fastnn.MLPRegressor((2,), "relu", max_iter=0)
    first = {"coefs_init": [[[1.0, 1.0], [0.0, 0.0]], [[1.0], [1.0]]]}
    model.fit([[0.0, 0.0]], [0.0], **first, intercepts_init=[[0.0, -1.0], [0.0]])
    x = np.linspace(-1, 2, 301)
    found = corners(model, np.column_stack([x, np.maximum(0, x) + np.maximum(0, x - 1)]))
    assert found[:, 0] == pytest.approx([0, 1], abs=0.02)


def test_nothing_is_trained_when_the_modules_are_imported():
    code = "import sys, fastnn.course.site; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
