"""fastnn export: a saved model in, a file in another format out, or one line that says why not."""

import json

import numpy as np
import pytest
from click.testing import CliRunner
from export_cases import network

from fastnn.cli import main


@pytest.fixture
def model(tmp_path):
    model, X = network("classes", (4,), labels="strings", is_bytes=True, dtype="float32")
    model.save(tmp_path / "m.fastnn")
    np.save(tmp_path / "X.npy", X)
    np.savez(tmp_path / "Xy.npz", X=X, y=model.predict(X))
    np.savez(tmp_path / "other.npz", a=X)
    return model


@pytest.fixture
def run(tmp_path, model, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, ["export", "m.fastnn", *arguments])


@pytest.mark.parametrize(("form", "out"), [("numpy", "m.py"), ("onnx", "m.onnx"), ("c", "m.h")])
def test_formats(form, out, run, tmp_path):
    if form == "onnx":
        pytest.importorskip("onnx")
    result = run("--to", form, out)
    assert result.exit_code == 0, result.output
    n_bytes = (tmp_path / out).stat().st_size
    assert result.output.startswith(f"{out}: {n_bytes:,} bytes\nlargest difference from the model")
    assert "on 256 drawn samples" in result.output
    again = run("--to", form, out)
    assert again.exit_code == 2
    assert f"{out}: the file is there; --overwrite replaces it" in again.output
    assert run("--to", form, out, "--overwrite", "--samples", "Xy.npz").exit_code == 0


def test_fixed_point_with_samples_and_their_classes(run):
    result = run("--to", "c", "m.h", "--dtype", "int8", "--samples", "Xy.npz", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["n_samples"] == 24
    assert found["details"]["score"] == 1.0
    assert found["details"]["flash"] > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--to xml m.xml", "'xml' is not one of"),
        ("m.py", "Missing option '--to'"),
        ("--to numpy m.py --dtype int8", "'--dtype': --to numpy has no such choice"),
        ("--to numpy m.py --samples none.npy", "No such file"),
        ("--to numpy m.py --samples m.fastnn", "'--samples': m.fastnn:"),
        ("--to numpy m.py --samples other.npz", "it holds a; expected X, or X and y"),
        ("--to numpy nowhere/m.py", "there is no folder"),
        ("--to c m.h --dtype int8", "--dtype int8 needs --samples FILE"),
    ],
)
def test_refusals(arguments, message, run, tmp_path):
    before = sorted(tmp_path.iterdir())
    result = run(*arguments.split())
    assert result.exit_code in (1, 2)
    assert message in result.output
    assert "Traceback" not in result.output
    assert sorted(tmp_path.iterdir()) == before


def test_a_file_that_is_no_model(run, tmp_path):
    (tmp_path / "m.fastnn").write_bytes(b"no model")
    result = run("--to", "numpy", "m.py")
    assert result.exit_code == 1
    assert "m.fastnn: not a whole safetensors file" in result.output
