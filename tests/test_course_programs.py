"""Every system of the course, as a learner runs it; the report; both languages."""

import base64
import html.parser
import inspect
import re

import numpy as np
import pytest
from click.testing import CliRunner

import fastnn
from fastnn import course
from fastnn.backends.codes import ACTIVATIONS, LOSSES, OPTIMIZERS
from fastnn.cli import main
from fastnn.course import images
from fastnn.course.lesson import Lesson
from fastnn.course.lesson_texts import lesson_text
from fastnn.datasets import DataError

IMAGES = {"mnist": fastnn.load_mnist, "fashion-mnist": fastnn.load_fashion_mnist}
PICTURES = {
    **{"perceptron": 0, "perceptron-matrix": 0, "truth-table": 0, "bp-xor": 2, "mnist": 4},
    **{"fashion-mnist": 4, "two-minima": 2, "activations": 2},
}


def run(name, tmp_path=None, quick=True, seed=0):
    lesson = Lesson(tmp_path, seed=seed, quick=quick, silent=True)
    (system,) = course.find(name)
    system.run(lesson)
    return lesson


def numbers(lesson, start=""):
    """Return all numbers in the lines that begin so."""
    lines = [line for line in lesson.lines if line.startswith(start)]
    return [float(x) for line in lines for x in re.findall(r"-?\d+\.\d+(?:e[-+]?\d+)?", line)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in course.NAMES if name not in IMAGES])
def test_every_system_runs(compiled_backend, name, tmp_path):
    lesson = run(name, tmp_path)
    assert lesson.lines
    assert len(lesson.figures) == PICTURES.get(name, 1)
    for path in lesson.figures:
        assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(IMAGES))
def test_images(name, tmp_path):
    try:
        IMAGES[name]()
    except DataError as error:
        pytest.skip(str(error).splitlines()[0])
    lesson = run(name, tmp_path)
    assert len(lesson.figures) == 4
    trained = numbers(lesson, "trained")[0]
    assert numbers(lesson, "untrained")[0] < 0.2 < 0.8 < trained
    assert numbers(lesson, "restored") == [trained]


def test_systems_1_and_2_print_what_the_text_prints(backend):
    for name in ("perceptron", "perceptron-matrix"):
        assert "\n".join(run(name).lines) == course.texts("en")[name]["expected"]


def test_a_name_that_is_nearly_right_is_found():
    with pytest.raises(ValueError, match=r"no 'bpxor' \(did you mean 'bp-xor'\?\); choose"):
        course.find("bpxor")
    assert [system.name for system in course.find("7")] == ["bp-xor"]


def test_an_epoch_of_images_is_told_when_it_is_over():
    digits = fastnn.load_digits()
    lesson, told = Lesson(silent=True), []
    model = fastnn.MLPClassifier((4,), max_iter=2, tol=None, random_state=0, verbose=False)

    class Watch:
        def on_epoch_end(self, epoch):
            told.append(list(lesson.lines))

    callbacks = [images.Log(lesson), Watch()]
    model.fit(*digits, callbacks=callbacks, validation_data=digits)
    assert [len(lines) for lines in told] == [1, 2]
    assert lesson.lines[1].startswith("epoch  2  loss ")


def test_what_the_text_shows(backend):
    assert "Finished" in run("single-layer").lines
    assert run("linear-xor").lines[-1] != "right:   4 of 4"
    outputs = numbers(run("features-xor"))
    assert np.abs(np.array(outputs) - [-0.987, 0.991, 0.991, -0.993]).max() < 0.02
    table = [line.split()[-1] for line in run("truth-table").lines[1:]]
    assert table == ["-1", "-1", "-1", "+1", "-1", "+1", "+1", "+1"]


def test_system_7(compiled_backend):
    lesson = run("bp-xor", quick=False)
    losses = numbers(lesson, "epochs")
    assert losses[0] == pytest.approx(0.219, abs=0.03)
    assert losses[4] == pytest.approx(0.0068, rel=0.1)
    assert losses[20] == pytest.approx(0.00028, rel=0.3)
    outputs = numbers(lesson, "[") + numbers(lesson, " [")
    assert np.abs(np.array(outputs[:4]) - [0.022, 0.980, 0.976, 0.024]).max() < 0.01
    assert lesson.lines[-4:] == ["0", "1", "1", "0"]


def test_system_8_reaches_the_noise():
    assert 0.002 < numbers(run("regression", quick=False), "last")[0] < 0.004


def test_gradients_vanish_and_explode():
    rows = {line[:22].strip(): numbers(Lesson0(line)) for line in run("vanishing-gradients").lines}
    assert rows["sigmoid"][0] < 1e-4 * rows["sigmoid"][2]
    assert rows["purelin, large weights"][0] > 100 * rows["purelin, large weights"][2]
    assert 0.1 < rows["ReLU"][0] / rows["ReLU"][2] < 10


class Lesson0:
    def __init__(self, line):
        self.lines = [line[22:]]


def test_programs_are_short_and_use_public_names_only():
    for system in course.SYSTEMS:
        module = f"fastnn.course.s{system.number}_{system.name.replace('-', '_')}"
        source = inspect.getsource(__import__(module, fromlist=["run"]))
        assert len(source.splitlines()) <= 80
        imports = re.findall(r"^(?:from|import) (\S+)", source, re.MULTILINE)
        fastnns = {name for name in imports if name.startswith("fastnn")}
        assert fastnns <= {"fastnn", "fastnn.course.images", "fastnn.datasets"}


def test_both_languages_have_every_system():
    english, chinese = course.texts("en"), course.texts("zh")
    around = ["report", "site", "notebook", "chapters", "drawings", "appendix"]
    assert list(english) == list(chinese) == [*around, *course.NAMES]
    for name in english:
        assert english[name].keys() == chinese[name].keys()
    with pytest.raises(ValueError, match="lang='de'"):
        course.texts("de")


def test_command_line(tmp_path):
    runner = CliRunner()
    listed = runner.invoke(main, ["course"]).output.splitlines()
    assert len(listed) == len(course.NAMES)
    one = runner.invoke(main, ["course", "run", "1", "--out", str(tmp_path)])
    assert one.stdout == "-5 0 0\n-3 0 -2\n-1 0 -4\ndone\n"
    wrong = runner.invoke(main, ["course", "run", "77"])
    assert wrong.exit_code == 1
    assert "there is no '77'; choose a number from 01 to 19" in wrong.stderr
    wrong = runner.invoke(main, ["course", "run", "1", "--backend", "abacus"])
    assert "there is no back end 'abacus'" in wrong.stderr


class Page(html.parser.HTMLParser):
    """Collects what a page refers to."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.sources = [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs["href"]] if "href" in attrs else []
        self.sources += [attrs["src"]] if "src" in attrs else []


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "zh"])
def test_report(language, tmp_path, monkeypatch):
    from fastnn.course import report

    small = [s for s in course.SYSTEMS if s.name in ("perceptron", "linear", "activations")]
    monkeypatch.setattr(report, "SYSTEMS", small)
    path = report.write_report(tmp_path, language, quick=True)
    content = path.read_text(encoding="utf-8")
    page = Page()
    page.feed(content)
    assert page.ids == [*(s.name for s in small), "appendix"]  # the order of learning is theirs
    assert page.links == [f"#{name}" for name in page.ids]
    appendix = content[content.index('<section id="appendix">') :]
    assert appendix.count("<math") == 2 * len(ACTIVATIONS) + len(LOSSES) + len(OPTIMIZERS)
    numbered = re.findall(r'<span class="number">\((\d\.\d+)\)', content)
    assert numbered == [
        *("1.1", "1.2", "1.3", "1.4"),
        *("1.5", "2.2", "1.2", "1.4"),
        *("1.5", "2.8", "2.16", "2.9", "2.10", "2.11"),
    ]
    assert len(page.sources) == 3
    for source in page.sources:  # nothing comes from a network
        assert base64.b64decode(source.removeprefix("data:image/png;base64,")).startswith(
            b"\x89PNG"
        )
    assert f'<html lang="{language}">' in content
    assert lesson_text("linear", language).idea[0].content[:20] in content
    assert content.count("<section") == 4


def test_a_report_counts_what_it_runs_also_into_a_file(tmp_path, monkeypatch, capsys):
    from fastnn.course import report

    few = [s for s in course.SYSTEMS if s.name in ("perceptron", "truth-table")]
    monkeypatch.setattr(report, "SYSTEMS", few)
    report.write_report(tmp_path, "en", quick=True)
    printed = capsys.readouterr()
    assert not printed.out
    lines = printed.err.splitlines()
    assert lines[0] == "1/2 truth-table"  # the first in the order of learning
    assert "2/2 perceptron on python" in lines


def test_ctrl_c_leaves_the_old_report_whole(tmp_path, monkeypatch):
    from fastnn.course import report

    def interrupted(lesson):
        raise KeyboardInterrupt

    page = tmp_path / "course.en.html"
    page.write_text("the old one")
    monkeypatch.setattr(report, "SYSTEMS", course.SYSTEMS[:2])
    monkeypatch.setattr("fastnn.course.s02_perceptron_matrix.run", interrupted)
    result = CliRunner().invoke(main, ["course", "report", "--quick", "--out", str(tmp_path)])
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.endswith("\ninterrupted\n")
    assert page.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [page]


def test_a_report_that_cannot_be_written_is_not_begun(tmp_path, monkeypatch):
    from fastnn.course import report

    monkeypatch.setattr(report, "SYSTEMS", ())
    (tmp_path / "course.en.html").mkdir()
    with pytest.raises(IsADirectoryError):
        report.write_report(tmp_path, "en")
