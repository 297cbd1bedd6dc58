"""The programs in the documentation run, with little data; those of Keras if it is there."""

import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path
from shutil import which

import matplotlib
import numpy as np
import pytest

import fastnn
from fastnn.datasets import ImageData

ROOT = Path(__file__).parent.parent
ALL_PAGES = ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
PAGES = [page for page in ALL_PAGES if page != "docs/more-machines.md"]  # has a test of its own
BLOCKS = [
    (page, number, block)
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
    )
]
OURS = [
    block
    for block in BLOCKS
    if re.search(r"^(import|from) fastnn", block[2], re.M) and "import keras" not in block[2]
]
OPTIONAL = "optuna", "h5py", "pyarrow", "mpi4py", "onnx", "skl2onnx", "torch", "tensorflow"
KERAS = [block for _, _, block in BLOCKS if "import keras" in block]
FEW_IMAGES_FOR_KERAS = """import keras, numpy as np
images = np.zeros((40, 28, 28), np.uint8), np.arange(40) % 10
keras.datasets.mnist.load_data = lambda: (images, images)
"""


def name_of(value):
    return str(value) if not isinstance(value, str) or "\n" not in value else ""


def few_images():
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 256, (60, 784), dtype=np.uint8), np.arange(60) % 10
    return ImageData(X[:40], y[:40], X[40:], y[40:])


def run(page, number, block):
    for name in OPTIONAL:
        if re.search(rf"^(import|from) {name}\b", block, re.M):
            pytest.importorskip(name)
    if "to_c" in block and not any(map(which, ("cc", "gcc", "clang"))):
        pytest.skip("needs a C compiler")
    exec(compile(block, f"{page}, block {number}", "exec"), {"__name__": "__main__"})


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    """Keep what a program writes, and needs no window."""
    monkeypatch.chdir(tmp_path)
    matplotlib.use("Agg")


@pytest.mark.parametrize(("page", "number", "block"), OURS, ids=name_of)
def test_a_program_runs(page, number, block, monkeypatch, capsys):
    monkeypatch.setattr(fastnn, "load_mnist", few_images)
    run(page, number, block)
    assert capsys.readouterr().out or "savefig" in block


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("keras") or not find_spec("jax"), reason="needs Keras on JAX")
def test_the_programs_of_keras_run():
    """In a process of their own, as Keras has one back end in each."""
    environment = os.environ | {"KERAS_BACKEND": "jax", "MPLBACKEND": "Agg"}
    text = FEW_IMAGES_FOR_KERAS + "".join(f"exec({block!r}, {{}})\n" for block in KERAS)
    command = [sys.executable, "-c", text]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=600)


@pytest.mark.slow
@pytest.mark.parametrize("library", ["jax", "torch"])
def test_the_programs_of_others_run(library):
    """In a process of their own: these libraries have threads of theirs."""
    if not find_spec(library):
        pytest.skip(f"needs {library}")
    (text,) = [block for _, _, block in BLOCKS if f"import {library}\n" in block]
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.removeprefix("tensor(").rstrip(")\n")) > 0.8


def test_every_program_of_keras_has_one_of_ours_beside_it():
    of_page = [block for page, _, block in BLOCKS if page == "docs/from-keras.md"]
    assert ["import keras" in block for block in of_page] == [True, False] * (len(of_page) // 2)


def test_every_extra_is_on_the_page_about_installing():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    text = (ROOT / "docs" / "setup.md").read_text(encoding="utf-8")
    assert [name for name in project["optional-dependencies"] if f"`{name}`" not in text] == []


def titles(path):
    """Return the titles of a page, as links name them."""
    return {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), re.M)
    }


@pytest.mark.parametrize("page", ALL_PAGES)
def test_links_lead_somewhere(page):
    path = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            name, _, title = target.partition("#")
            linked = path.parent / name if name else path
            assert linked.exists(), target
            assert not title or title in titles(linked), target
