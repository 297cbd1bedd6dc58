"""The lessons as notebooks."""

import json

import pytest
from click.testing import CliRunner

from fastnn import course
from fastnn.cli import main
from fastnn.course import notebooks
from fastnn.course.lesson_texts import ORDER, formulas, lesson_text


def blocks(text):
    return [*text.idea, *text.derivation]


@pytest.mark.parametrize("language", course.LANGUAGES)
def test_notebooks_are_valid(language, tmp_path):
    nbformat = pytest.importorskip("nbformat")
    paths = notebooks.write_notebooks(tmp_path, language)
    assert [path.name for path in paths][:2] == [
        f"truth-table.{language}.ipynb",
        f"perceptron.{language}.ipynb",
    ]
    for path, name in zip(paths, ORDER, strict=True):
        book = nbformat.read(path, as_version=4)
        nbformat.validate(book)
        words = "\n".join(cell.source for cell in book.cells)
        assert lesson_text(name, language).title in words
        for block in blocks(lesson_text(name, "en")):
            if block.kind == "formula":
                assert all(formulas()[number].tex in words for number in block.names)


BOOKS = [(name, "en") for name in ORDER if name not in ("mnist", "fashion-mnist")]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "language"), [*BOOKS, ("single-layer", "zh"), ("bp-xor", "zh")])
def test_notebooks_run(name, language):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    (system,) = course.find(name)
    made = json.dumps(notebooks.notebook(system, language, quick=True))
    book = nbformat.reads(made, as_version=4)
    nbclient.NotebookClient(book, timeout=600, kernel_name="python3").execute()
    outputs = [out for cell in book.cells if cell.cell_type == "code" for out in cell.outputs]
    printed = "".join(out.get("text", "") for out in outputs)
    assert course.texts(language)["notebook"]["nothing"] in printed or "测得" in printed
    pictures = [out for out in outputs if "image/png" in out.get("data", {})]
    assert bool(pictures) == (name not in ("perceptron", "perceptron-matrix", "truth-table"))


def test_the_notebooks_check(capsys):
    notebooks.check("percepton", 1, 1)
    assert "did you mean 'perceptron'?" in capsys.readouterr().out
    notebooks.check("perceptron", 1, ...)
    notebooks.check("perceptron", 1, [-4, 0, -1])
    notebooks.check("perceptron-matrix", 1, 2)
    notebooks.check("perceptron", 1, [1])
    notebooks.check("perceptron", 3, {"rate": 2}, "zh")
    notebooks.check("bp-xor", 3, {"rate": 1, "hidden": 10})  # an option is 1.0
    for exercise, answer in ((1, "one"), (1, 0), (0, 1), (9, 1), (1, [2]), (1, 1.5)):
        notebooks.check("perceptron-matrix", exercise, answer)
    printed = capsys.readouterr().out.splitlines()
    assert printed[5].startswith("Right.")
    assert len([line for line in printed[6:] if "expected" in line]) == 6
    assert printed[:3] == ["No answer yet.", "Right.", "Right."]
    assert printed[3].startswith("Expected 3 numbers")
    assert printed[4].startswith("正确。")


def test_notebooks_from_the_command_line(tmp_path):
    result = CliRunner().invoke(main, ["course", "notebooks", "--out", str(tmp_path)])
    assert result.exit_code == 0
    assert len(list(tmp_path.glob("*.en.ipynb"))) == len(ORDER)
