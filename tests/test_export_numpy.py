"""Python files of NumPy functions, by themselves and in a process without fastnn."""

import subprocess
import sys

import numpy as np
import pytest
from export_cases import HIDDEN, LABELS, SCALERS, TASKS, examples, network, networks
from hypothesis import given

from fastnn.export import to_numpy

CLOSE = {"float32": 2e-5, "float64": 1e-12}


def loaded(path):
    """Return the names that a file defines."""
    names = {"__name__": "net"}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)
    return names


def check(model, X, path):
    """Compare a file's functions with the methods of the same names."""
    to_numpy(model, path, samples=X, overwrite=True)
    file = loaded(path)
    expected, got = model.predict(X), file["predict"](X)
    last = model[-1] if hasattr(model, "steps") else model
    atol = CLOSE[X.dtype.name if X.dtype.kind == "f" else "float32"]
    if not hasattr(last, "classes_"):
        np.testing.assert_allclose(got, expected, rtol=0, atol=atol * max(1, abs(expected).max()))
        return
    assert got.tolist() == expected.tolist()
    assert hasattr(model, "predict_proba") == ("predict_proba" in file)
    if "predict_proba" in file:
        probabilities = file["predict_proba"](X)
        np.testing.assert_allclose(probabilities, model.predict_proba(X), rtol=0, atol=atol)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations(activation, dtype, tmp_path):
    check(*network("classes", (6, 5), activation, dtype), tmp_path / "m.py")
    check(*network("flat", (6,), activation, dtype, out_activation=activation), tmp_path / "m.py")


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("task", TASKS)
def test_tasks(task, labels, tmp_path):
    check(*network(task, labels=labels), tmp_path / "m.py")


@pytest.mark.parametrize("scaler", [None, *SCALERS])
@pytest.mark.parametrize("is_bytes", [False, True])
def test_inputs(scaler, is_bytes, tmp_path):
    model, X = network(dtype="float32", scaler=scaler, input_scale=0.01, is_bytes=is_bytes)
    check(model, X, tmp_path / "m.py")


@examples(20)
@given(case=networks())
def test_random_networks(case, tmp_path):
    check(*case, tmp_path / "m.py")


@pytest.mark.slow
@examples(300)
@given(case=networks())
def test_many_random_networks(case, tmp_path):
    check(*case, tmp_path / "m.py")


def test_the_file_needs_numpy_only(tmp_path):
    model, X = network("classes", (4,), "gelu", labels="strings", scaler="standard")
    to_numpy(model, tmp_path / "net.py", samples=X)
    np.save(tmp_path / "X.npy", X)
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['fastnn', 'sklearn', 'scipy']))\n"
        "import numpy as np, net; print(net.predict(np.load('X.npy')).tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    assert done.stdout.strip() == str(model.predict(X).tolist())
