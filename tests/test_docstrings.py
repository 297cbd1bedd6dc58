"""Every public name has an example that runs, and a place in the documentation."""

import doctest
import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import fastnn
from fastnn.datasets import ImageData

DOCS = Path(__file__).parents[1] / "docs"
# Names below `fastnn`, such as together.fit_together.
DOCUMENTED = [
    name.removeprefix("fastnn.")
    for name in re.findall(r"^\.\. auto\w+:: (\S+)$", (DOCS / "api.md").read_text("utf-8"), re.M)
]


def named(name):
    return pydoc.locate(f"fastnn.{name}")


def own_functions(name):
    """Yield the name itself and, of a class, its public functions that are not scikit-learn's."""
    found = named(name)
    yield name, found
    if inspect.isclass(found) and not issubclass(found, tuple):
        for member in dir(found):
            value = None if member.startswith("_") else getattr(found, member)
            module = str(getattr(value, "__module__", ""))
            if inspect.isroutine(value) and module.startswith("fastnn"):
                yield f"{name}.{member}", value


def examples(documented):
    return doctest.DocTestParser().get_examples(inspect.getdoc(documented) or "")


@pytest.fixture
def _no_download(tmp_path, monkeypatch):
    images, labels = np.zeros((60_000, 784), np.uint8), np.zeros(60_000, np.uint8)
    data = ImageData(images, labels, images[:10_000], labels[:10_000])
    monkeypatch.setattr("fastnn.datasets._load", lambda name: data)
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")


@pytest.mark.parametrize("name", DOCUMENTED)
@pytest.mark.usefixtures("_no_download")
def test_every_name_has_an_example_that_runs(name):
    for package in ("torch", "mlflow"):  # too large to ask for
        if f"import {package}" in (named(name).__doc__ or ""):
            pytest.importorskip(package)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert examples(named(name)), f"{name} has no example"
    for where, documented in own_functions(name):
        test = doctest.DocTest(examples(documented), {}, where, where, 0, None)
        assert runner.run(test).failed == 0


def test_an_example_shows_something():
    """Lines of output, so that a run can fail."""
    for name in DOCUMENTED:
        found = examples(named(name))
        assert any(example.want for example in found), name
        assert not any(doctest.SKIP in example.options for example in found), name


def test_every_name_is_in_the_documentation():
    assert set(fastnn.__all__) <= set(DOCUMENTED)


def test_every_page_is_in_the_table_of_contents():
    contents = (DOCS / "index.md").read_text(encoding="utf-8")
    for page in DOCS.glob("*.md"):
        listed = rf"^({page.stem}|\[eilmp\]\*)$" if page.stem[0] in "eilmp" else rf"^{page.stem}$"
        assert page.stem == "index" or re.search(listed, contents, re.M), page.name


def test_help_fits_a_few_screens():
    text = pydoc.render_doc(fastnn, renderer=pydoc.plaintext)
    assert len(text.splitlines()) < 200
    assert [name for name in fastnn.__all__ if name not in (fastnn.__doc__ or "")] == []


def test_names_are_completed():
    assert set(fastnn.__all__) <= set(dir(fastnn))


def test_a_misspelled_name_brings_the_right_one():
    command = [sys.executable, "-c", "import fastnn; fastnn.MLPClasifier"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Did you mean: 'MLPClassifier'?" in done.stderr
