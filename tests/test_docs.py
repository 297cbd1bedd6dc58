"""The programs in the documentation run, with little data; those of Keras if it is there."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import matplotlib
import numpy as np
import pytest

import fastnn
from fastnn.datasets import ImageData

ROOT = Path(__file__).parent.parent
PAGES = [
    "README.md",
    *(f"docs/{name}.md" for name in ("from-scikit-learn", "from-keras", "playground")),
]
BLOCKS = [
    (page, number, block)
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.M | re.S)
    )
]
OURS = [block for block in BLOCKS if re.search(r"^(import|from) fastnn", block[2], re.M)]
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
    if "import optuna" in block:
        pytest.importorskip("optuna")
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
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=300)


def test_every_program_of_keras_has_one_of_ours_beside_it():
    of_page = [block for page, _, block in BLOCKS if page == "docs/from-keras.md"]
    assert ["import keras" in block for block in of_page] == [True, False] * (len(of_page) // 2)


@pytest.mark.parametrize("page", [*PAGES, "docs/more-machines.md"])
def test_links_lead_somewhere(page):
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    titles = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.*)$", text, re.M)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in titles
        elif "://" not in target:
            assert (path.parent / target).exists(), target
