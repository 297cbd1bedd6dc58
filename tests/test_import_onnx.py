"""ONNX files as our networks: what `to_onnx` writes, what PyTorch would, and what is refused."""

import numpy as np
import pytest
from export_cases import HIDDEN, LABELS, SCALERS, TASKS, examples, network, networks
from hypothesis import given

import fastnn
from fastnn.export import to_onnx
from fastnn.export.forward import model_results, results_of
from fastnn.export.onnx_graph import portable_classes
from fastnn.export.plain import describe

onnx = pytest.importorskip("onnx")
CLOSE = {"float32": 2e-5, "float64": 1e-12}


def check(model, X, path):
    """Write, read, and compare probabilities, scores or numbers, and labels."""
    to_onnx(model, path, samples=X, overwrite=True)
    found = fastnn.from_onnx(path)
    plain = describe(model)
    expected, got = model_results(model, plain, X), model_results(found, describe(found), X)
    scale = max(1, np.abs(expected.values).max())
    tol = CLOSE[plain.dtype.name] * (1000 if plain.scalers else 1)
    assert np.abs(expected.values - got.values).max() < tol * scale
    if expected.labels is None:
        assert found.predict(X).shape == model.predict(X).shape
    else:
        classes = portable_classes(plain.classes)
        assert np.array_equal(found.classes_, classes.astype(found.classes_.dtype))
        margin = np.abs(expected.labels - got.labels).mean()
        assert margin < 0.1  # where two are level
    found.partial_fit(X, model.predict(X) if expected.labels is None else found.predict(X))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations(activation, dtype, tmp_path):
    check(*network("classes", (6, 5), activation, dtype), tmp_path / "m.onnx")
    check(*network("flat", (6,), activation, dtype, out_activation=activation), tmp_path / "m.onnx")


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("task", TASKS)
def test_tasks(task, labels, tmp_path):
    check(*network(task, dtype="float32", labels=labels), tmp_path / "m.onnx")


@pytest.mark.parametrize("scaler", [None, "standard", "max_abs"])
def test_inputs(scaler, tmp_path):
    check(*network(dtype="float32", scaler=scaler, input_scale=0.3), tmp_path / "m.onnx")


def test_bytes(tmp_path):
    check(*network(dtype="float32", is_bytes=True, input_scale=1 / 255), tmp_path / "m.onnx")


def file_of(path, nodes, constants, inputs=("x",), outputs=("y",), **given):
    """Write a graph of nodes (operator, inputs, outputs, attributes)."""
    helper, real = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node(op, list(ins), list(outs), **kw) for op, ins, outs, kw in nodes],
        "g",
        [helper.make_tensor_value_info(name, real, ["N", 3]) for name in inputs],
        [helper.make_tensor_value_info(name, real, None) for name in outputs],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, **given)
    path.write_bytes(model.SerializeToString())
    return path


RNG = np.random.default_rng(0)
W, B = RNG.normal(size=(3, 4)).astype(np.float32), RNG.normal(size=4).astype(np.float32)
V = RNG.normal(size=(4, 1)).astype(np.float32)
BOTH = {"w": W, "b": B, "v": V}
X = RNG.normal(size=(9, 3)).astype(np.float32)
# As PyTorch writes a GELU: x / sqrt(2), erf, + 1, x *, * 0.5
GELU = [
    ("Div", ["z", "r"], ["d"], {}),
    ("Erf", ["d"], ["e"], {}),
    ("Add", ["e", "one"], ["f"], {}),
    ("Mul", ["z", "f"], ["g"], {}),
    ("Mul", ["g", "half"], ["h"], {}),
]


def test_as_others_write_it(tmp_path):
    nodes = [
        ("Flatten", ["x"], ["f"], {}),
        ("Gemm", ["f", "wt", "b"], ["z"], {"transB": 1}),
        ("LeakyRelu", ["z"], ["h"], {}),
        ("Dropout", ["h"], ["k"], {}),
        ("MatMul", ["k", "v"], ["u"], {}),
        ("Add", ["c", "u"], ["y"], {}),
    ]
    c = np.array([0.5], np.float32)
    path = file_of(tmp_path / "m", nodes, {"wt": W.T.copy(), "b": B, "v": V, "c": c})
    found = fastnn.from_onnx(path)
    z = X @ W + B
    expected = np.where(z > 0, z, 0.01 * z) @ V + c
    assert found.activation == ("leaky_relu", pytest.approx(0.01))
    assert np.abs(found.predict(X) - expected[:, 0]).max() < 1e-6


@pytest.mark.parametrize("operator", ["Gelu", "composed"])
def test_gelu(operator, tmp_path):
    numbers = {"r": 2**0.5, "one": 1.0, "half": 0.5}
    constants = {name: np.array(value, np.float32) for name, value in numbers.items()}
    middle = GELU if operator == "composed" else [("Gelu", ["z"], ["h"], {})]
    nodes = [
        ("Gemm", ["x", "w", "b"], ["z"], {}),
        *middle,
        ("MatMul", ["h", "v"], ["y"], {}),
    ]
    path = file_of(tmp_path / "m", nodes, {**BOTH, **constants})
    assert fastnn.from_onnx(path).activation == "gelu"


def test_probabilities_without_labels(tmp_path):
    nodes = [("Gemm", ["x", "w", "b"], ["z"], {}), ("Softmax", ["z"], ["y"], {"axis": 1})]
    path = file_of(tmp_path / "m", nodes, BOTH)
    found = fastnn.from_onnx(path, classes=["a", "b", "c", "d"])
    assert set(found.predict(X)) <= set("abcd")
    assert fastnn.from_onnx(path).classes_.tolist() == [0, 1, 2, 3]
    ragged, halves = [[1], [2, 3], [4], [5]], [0.5, 1.5, 2.5, 3.5]
    for wrong in (["b", "a", "c", "d"], ["a", "b"], "abcd", 3, ragged, halves):
        with pytest.raises(ValueError, match=r"classes=.*expected 4 integers or strings, sorted"):
            fastnn.from_onnx(path, classes=wrong)


GEMM = ("Gemm", ["x", "w", "b"], ["z"], {})
REFUSED = {
    "a convolution": ([GEMM, ("Conv", ["z", "v"], ["y"], {})], r"node 2, Conv: has no counterpart"),
    "a first convolution": ([("Conv", ["x", "v"], ["y"], {})], r"node 1, Conv: has no counter"),
    "an activation of the inputs": ([("Relu", ["x"], ["y"], {})], "node 1, Relu: has no counter"),
    "two activations": (
        [GEMM, ("Relu", ["z"], ["h"], {}), ("Tanh", ["h"], ["y"], {})],
        "node 3, Tanh: a second activation",
    ),
    "a hidden softmax": (
        [GEMM, ("Softmax", ["z"], ["h"], {}), ("MatMul", ["h", "v"], ["y"], {})],
        "node 3, MatMul: a dense layer after softmax",
    ),
    "a normalization": (
        [GEMM, ("LayerNormalization", ["z", "b"], ["y"], {})],
        "node 2, LayerNormalization: has no counterpart",
    ),
    "weights that are computed": (
        [("Gemm", ["x", "q", "b"], ["y"], {})],
        "node 1, Gemm: expected a constant, got 'q'",
    ),
    "weights times 2": ([("Gemm", ["x", "w", "b"], ["y"], {"alpha": 2.0})], "node 1, Gemm: trans"),
    "weights that do not fit": (
        [GEMM, ("MatMul", ["z", "w"], ["y"], {})],
        "node 2, MatMul: expected 4 inputs, got 3",
    ),
    "a custom operator": (
        [("Gemm", ["x", "w", "b"], ["y"], {"domain": "com.acme"})],
        "node 1, Gemm: an operator of 'com.acme'",
    ),
    "a quick GELU": (
        [GEMM, ("Gelu", ["z"], ["y"], {"approximate": "tanh"})],
        "node 2, Gelu: has no counterpart",
    ),
    "an identity of itself": (
        [("Identity", ["x"], ["x"], {}), GEMM],
        "node 1, Identity: takes what is computed from its outputs",
    ),
    "layers in a circle": (
        [("Gemm", ["x", "square"], ["q"], {}), ("Identity", ["q"], ["x"], {})],
        "node 1, Gemm: takes what is computed from its outputs",
    ),
    "a Gemm of the inputs alone": (
        [("Gemm", ["x"], ["y"], {})],
        "node 1, Gemm: expected constant weights behind the inputs",
    ),
    "weights of one dimension": (
        [("MatMul", ["x", "b"], ["y"], {})],
        "node 1, MatMul: expected weights of 2 dimensions, got 1",
    ),
    "a number that is text": (
        [GEMM, ("LeakyRelu", ["z"], ["y"], {"alpha": "x"})],
        "m: not a network as ONNX describes it: TypeError",
    ),
    "a division by 0": (
        [("Div", ["x", "zero"], ["q"], {}), ("Gemm", ["q", "w", "b"], ["y"], {})],
        "node 1, Div: a factor of inf",
    ),
    "a factor for each sample": (
        [("Mul", ["x", "column"], ["q"], {}), ("Gemm", ["q", "w", "b"], ["y"], {})],
        r"node 1, Mul: numbers of shape \(3, 1\); expected one for each input",
    ),
    "as many offsets as another table has": (
        [("Sub", ["x", "b"], ["q"], {}), ("Gemm", ["q", "w", "b"], ["y"], {})],
        "node 2, Gemm: 3 inputs, but other numbers of factors before it",
    ),
    "a name that moves a cursor": (
        [("\x1b[2J", ["x"], ["y"], {})],
        r"node 1, \\x1b\[2J: has no counterpart",
    ),
    "a softmax of two": (
        [GEMM, ("MatMul", ["z", "two"], ["s"], {}), ("Softmax", ["s"], ["y"], {})],
        "the last has 2 outputs, of softmax",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(what, tmp_path):
    nodes, message = REFUSED[what]
    constants = {**BOTH, "two": RNG.normal(size=(4, 2)).astype(np.float32)}
    constants |= {"square": W[:, :3], "zero": np.float32([0]), "column": W[:, :1]}
    with pytest.raises(ValueError, match=message):
        fastnn.from_onnx(file_of(tmp_path / "m", nodes, constants))


def test_no_hidden_layer(tmp_path):
    path = file_of(tmp_path / "m", [GEMM], BOTH, outputs=("z",))
    found = fastnn.from_onnx(path)
    assert found.activation == "relu"
    assert np.allclose(found.predict(X), X @ W + B, atol=1e-6)


def test_files_that_lie(tmp_path):
    with pytest.raises(FileNotFoundError):
        fastnn.from_onnx(tmp_path / "none")
    path = file_of(tmp_path / "m", [GEMM], BOTH, outputs=("z",))
    content = path.read_bytes()
    assert fastnn.from_onnx(path).n_outputs_ == 4
    for cut in (0, 1, len(content) // 2):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=r"m: (not an ONNX file|expected an ONNX graph)"):
            fastnn.from_onnx(path)
    (tmp_path / "secret").write_bytes(W.tobytes())
    model = onnx.load_model_from_string(content)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "secret"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="'w' is kept in another file, which is not read"):
        fastnn.from_onnx(path)
    model = onnx.load_model_from_string(content)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.dims[:] = [2**31, 2**31]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="'w': not a whole constant"):
        fastnn.from_onnx(path)
    model = onnx.load_model_from_string(content)
    tensor = next(t for t in model.graph.initializer if t.name == "w")
    tensor.raw_data = np.full((3, 4), np.nan, np.float32).tobytes()
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="node 1, Gemm: its weights: contains NaN"):
        fastnn.from_onnx(path)


@pytest.mark.parametrize("n_bytes", range(0, 300, 7))
def test_a_byte_that_is_wrong_does_no_harm(n_bytes, tmp_path):
    nodes = [GEMM, ("Relu", ["z"], ["h"], {}), ("MatMul", ["h", "v"], ["y"], {})]
    path = file_of(tmp_path / "m", nodes, BOTH)
    content = bytearray(path.read_bytes())
    for bit in (0, 3, 7):
        content[n_bytes % len(content)] ^= 1 << bit
        path.write_bytes(content)
        try:
            model = fastnn.from_onnx(path)
        except ValueError:
            continue
        with np.errstate(all="ignore"):
            model.predict(np.ones((2, model.n_features_in_), np.float32))


@examples(15)
@given(case=networks())
def test_random_networks(case, tmp_path):
    if not clips(case[0]):
        check(*case, tmp_path / "m.onnx")


@pytest.mark.slow
@examples(300)
@given(case=networks())
def test_300_random_networks(case, tmp_path):
    if not clips(case[0]):
        check(*case, tmp_path / "m.onnx")


def clips(model):
    return any(scaler.limits is not None for scaler in describe(model).scalers)


def test_what_clips_is_refused(tmp_path):
    model, X = network(dtype="float32", scaler="min_max")
    assert "min_max" in SCALERS
    to_onnx(model, tmp_path / "m", samples=X)
    with pytest.raises(ValueError, match="Clip: has no counterpart before the first layer"):
        fastnn.from_onnx(tmp_path / "m")


def test_results_are_those_of_the_plain_network():
    """What `check` relies on."""
    model, X = network("classes", dtype="float64")
    plain = describe(model)
    values = results_of(plain, model.layer_outputs(X)[-1]).values
    assert np.array_equal(values, model_results(model, plain, X).values)
