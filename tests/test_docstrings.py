"""Every public name has an example that runs, and a place in the documentation."""

import doctest
import inspect
import pydoc
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import fastnn
from fastnn.datasets import ImageData

DOCS = Path(__file__).parents[1] / "docs"


def own_functions(name):
    """Yield the name itself and, of a class, its public functions that are not scikit-learn's."""
    found = getattr(fastnn, name)
    yield name, found
    if inspect.isclass(found) and not issubclass(found, tuple):
        for of_class in inspect.getmro(found):
            if of_class.__module__.startswith("fastnn"):
                for member, value in vars(of_class).items():
                    if not member.startswith("_") and inspect.isfunction(value):
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


@pytest.mark.parametrize("name", fastnn.__all__)
@pytest.mark.usefixtures("_no_download")
def test_every_name_has_an_example_that_runs(name):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    assert examples(getattr(fastnn, name)), f"{name} has no example"
    for where, documented in own_functions(name):
        test = doctest.DocTest(examples(documented), {}, where, where, 0, None)
        assert runner.run(test).failed == 0


def test_an_example_shows_something():
    """Lines of output, so that a run can fail."""
    for name in fastnn.__all__:
        found = examples(getattr(fastnn, name))
        assert any(example.want for example in found), name
        assert not any(doctest.SKIP in example.options for example in found), name


@pytest.mark.parametrize("name", fastnn.__all__)
def test_every_name_is_in_the_documentation(name):
    page = (DOCS / "api.md").read_text(encoding="utf-8")
    assert re.search(rf"^\.\. auto\w+:: {name}$", page, re.M)


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
