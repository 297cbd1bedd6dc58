"""ONNX files, as ONNX Runtime computes them."""

import numpy as np
import pytest
from export_cases import HIDDEN, LABELS, SCALERS, TASKS, examples, network, networks
from hypothesis import given
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn.export import register_converters, to_onnx
from fastnn.export.onnx_graph import OPSET

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
CLOSE = {"float32": 2e-5, "float64": 1e-12}


def run(content, X):
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {"X": X}), strict=True))


def check(model, X, path):
    """Compare a file with what the model says, by its own methods."""
    to_onnx(model, path, samples=X, overwrite=True)
    found = run(path.read_bytes(), X)
    last = model[-1] if hasattr(model, "steps") else model
    atol = CLOSE[X.dtype.name if X.dtype.kind == "f" else "float32"]
    expected = model.predict(X)
    if not hasattr(last, "classes_"):
        assert list(found) == ["variable"]
        assert found["variable"].ndim == 2
        scale = max(1, abs(expected).max())
        values = found["variable"].reshape(expected.shape)
        np.testing.assert_allclose(values, expected, rtol=0, atol=atol * scale)
        return
    assert list(found) == ["label", "probabilities"]
    if expected.dtype.kind in "OUM":
        expected = expected.astype(str)
    assert found["label"].tolist() == expected.astype(found["label"].dtype).tolist()
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(
            found["probabilities"], model.predict_proba(X), rtol=0, atol=atol
        )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations(activation, dtype, tmp_path):
    check(*network("classes", (6, 5), activation, dtype), tmp_path / "m.onnx")
    check(*network("flat", (6,), activation, dtype, out_activation=activation), tmp_path / "m.onnx")


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("task", TASKS)
def test_tasks(task, labels, tmp_path):
    check(*network(task, dtype="float32", labels=labels), tmp_path / "m.onnx")


@pytest.mark.parametrize("scaler", [None, *SCALERS])
def test_inputs(scaler, tmp_path):
    check(*network(dtype="float32", scaler=scaler, input_scale=0.3), tmp_path / "m.onnx")


def test_bytes(tmp_path):
    model, X = network(dtype="float32", is_bytes=True, input_scale=1 / 255)
    check(model, X, tmp_path / "m.onnx")
    entry = onnx.load(tmp_path / "m.onnx").graph.input[0]
    assert entry.type.tensor_type.elem_type == onnx.TensorProto.UINT8


@examples(20)
@given(case=networks())
def test_random_networks(case, tmp_path):
    check(*case, tmp_path / "m.onnx")


@pytest.mark.slow
@examples(300)
@given(case=networks())
def test_many_random_networks(case, tmp_path):
    check(*case, tmp_path / "m.onnx")


def test_operators_are_plain(tmp_path):
    model, X = network("classes", labels="strings", scaler="standard", dtype="float32")
    written = to_onnx(model, tmp_path / "m.onnx", samples=X)
    proto = onnx.load(tmp_path / "m.onnx")
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", OPSET)]
    assert {node.domain for node in proto.graph.node} == {""}
    assert written.details["opset"] == OPSET
    assert written.n_samples == len(X)
    assert written.n_bytes == (tmp_path / "m.onnx").stat().st_size


def test_the_reference_of_onnx_does_where_onnx_runtime_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    for dtype in ("float32", "float64"):
        model, X = network("classes", activation="gelu", labels="strings", dtype=dtype)
        written = to_onnx(model, tmp_path / "m.onnx", samples=X, overwrite=True)
        assert written.details["compared_by"] == "onnx's reference"
        assert written.difference <= CLOSE[dtype]


def test_without_onnx(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'fastnn\[onnx\]'"):
        to_onnx(network()[0], tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("task", TASKS)
def test_the_converter_of_skl2onnx(task, dtype):
    skl2onnx = pytest.importorskip("skl2onnx")
    register_converters()
    model, X = network(task, labels="strings", scaler="standard", dtype=dtype)
    is_classifier = hasattr(model[-1], "classes_")
    options = {id(model[-1]): {"zipmap": False}} if is_classifier else None
    found = run(skl2onnx.to_onnx(model, X, options=options).SerializeToString(), X)
    expected = model.predict(X)
    atol = 20 * CLOSE[dtype]  # its scaler computes in another order
    if not is_classifier:
        values = found["variable"].reshape(expected.shape)
        np.testing.assert_allclose(
            values, expected, rtol=0, atol=atol * max(1, abs(expected).max())
        )
        return
    assert found["label"].tolist() == expected.tolist()
    if hasattr(model, "predict_proba"):
        np.testing.assert_allclose(
            found["probabilities"], model.predict_proba(X), rtol=0, atol=atol
        )


def test_the_converter_of_skl2onnx_gives_dictionaries_by_default():
    skl2onnx = pytest.importorskip("skl2onnx")
    register_converters()
    X = np.random.default_rng(0).standard_normal((40, 3)).astype(np.float32)
    y = np.array(["left", "right"])[np.arange(40) % 2]
    net = fastnn.MLPClassifier((4,), max_iter=2, tol=None, random_state=0)
    model = make_pipeline(StandardScaler(), net).fit(X, y)
    found = run(skl2onnx.to_onnx(model, X).SerializeToString(), X)
    assert found["output_label"].tolist() == model.predict(X).tolist()
    assert set(found["output_probability"][0]) == {"left", "right"}
