"""Files that are whole but lie: refused before a kernel sees them, or harmless."""

import json
import struct
import sys
import tracemalloc
from pathlib import Path

import hostile
import numpy as np
import pytest
from conftest import AVAILABLE
from safetensors import safe_open
from safetensors.numpy import save_file

import fastnn
from fastnn.backends.interface import Network
from fastnn.network import check_network

MODELS = hostile.honest_models()
ONE_IN = 7  # so many lies that put a value somewhere are tried: all 17,000 would take a minute


def use(model, X, path):
    """Use a model on every back end; what it says must be finite."""
    for name in AVAILABLE:
        with fastnn.use_backend(name):
            for n in (1, len(X)):
                outputs = model.predict(X[:n])
                assert len(outputs) == n
                assert outputs.dtype.kind != "f" or np.isfinite(outputs).all()
    model.save(path)
    fastnn.load(path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", MODELS)
def test_lies_are_refused_or_harmless(kind, tmp_path):
    model, X, _ = MODELS[kind]
    content, tensors = hostile.take_apart(model, tmp_path / "honest")
    path, n_refused, accepted = tmp_path / "lie", 0, []
    for i, (name, *said) in enumerate(hostile.lies(content, tensors)):
        if " = " in name and i % ONE_IN:
            continue
        hostile.write(path, *said)
        try:
            loaded = fastnn.load(path)
        except fastnn.CheckpointError:
            n_refused += 1
            continue
        accepted.append(name)
        try:
            use(loaded, X, tmp_path / "again")
        except Exception as error:
            raise AssertionError(f"{name}: accepted, then {error!r}") from error
    print(f"{kind}: {n_refused} lies refused, {len(accepted)} accepted and harmless")
    assert n_refused > 150
    assert n_refused > 2 * len(accepted)


# Where a network stands in a file, and what does not fit the one of "Adam": 4-5-3-3.
NETWORK = ("values", "network_", "network")
LIES = {
    "inputs that X does not have": ((*NETWORK, "sizes", 0), 5),
    "a layer of -1": ((*NETWORK, "sizes", 1), -1),
    "a layer of True": ((*NETWORK, "sizes", 1), True),
    "a thousand activations": ((*NETWORK, "activations"), ["relu"] * 1000),
    "a hidden softmax": ((*NETWORK, "activations", 0), "softmax"),
    "an unknown activation": ((*NETWORK, "activations", 0), "rely"),
    "an activation's code": ((*NETWORK, "activations", 0), 5),
    "a parameter that relu has not": ((*NETWORK, "activation_parameters", 0), 0.1),
    "more parameters than layers": ((*NETWORK, "activation_parameters"), [0.0] * 9),
    "a parameter that is no number": ((*NETWORK, "activation_parameters", 0), "0"),
    "labels smoothed away": ((*NETWORK, "loss_parameter"), 1.0),
    "a dropout of 1": ((*NETWORK, "dropout", 0), 1.0),
    "a dropout of outputs": ((*NETWORK, "dropout", 2), 0.5),
    "a sigmoid with a softmax's loss": ((*NETWORK, "activations", 2), "sigmoid"),
    "a loss of two classes": ((*NETWORK, "loss"), "binary_crossentropy"),
    "an unknown loss": ((*NETWORK, "loss"), ["hinge"]),
    "one field too few": (NETWORK, {"sizes": [4, 5, 3, 3]}),
    "a name of another activation": (("values", "out_activation_"), "tanh"),
    "other outputs": (("values", "n_outputs_"), 2),
    "classes not sorted": (("values", "classes_", "array"), ["bee", "ant", "cow"]),
    "classes not different": (("values", "classes_", "array"), ["ant", "ant", "cow"]),
    "classes of numbers and strings": (("values", "classes_", "array"), ["ant", 1, "cow"]),
    "moments for another solver": (("parameters", "solver"), "momentum"),
    "a negative step": (("values", "step"), -1),
    "a seed of 65 bits": (("values", "seed"), 2**64),
    "an unknown dtype": (("parameters", "dtype"), "float16"),
    "no dtype at all": (("parameters", "dtype"), "nonsense"),
    "a number as a string": (("parameters", "learning_rate_init"), "0.1"),
    "names for other features": (
        ("values", "feature_names_in_"),
        {"array": ["a"] * 5, "dtype": "|O"},
    ),
    "a method": (("values", "predict"), 1),
    "a Gaussian of gigabytes": (
        ("parameters", "distortion"),
        {"distortion": [2, 2, 1.0, 0.1, 1e10, 1.0]},
    ),
    "metadata of no method": (("requests",), {"__init__": {"x": True}}),
}


# The same in a file of version 1, which has codes in place of names.
OLDER_LIES = {
    "an unknown activation": ((*NETWORK, 1, 0), 7),
    "a negative code": ((*NETWORK, 1, 0), -1),
    "a code of True": ((*NETWORK, 1, 0), True),
    "a name": ((*NETWORK, 1, 0), "relu"),
    "an unknown loss": (("values", "network_", "loss"), 5),
    "a layer of -1": ((*NETWORK, 0, 1), -1),
    "a network of the present": (("values", "network_"), hostile.network([3, 4, 3])),
    "no network": (("values", "network_"), 3),
    "no values": (("values",), None),
    "a negative step": (("values", "_step"), -1),
}


@pytest.mark.parametrize("lie", OLDER_LIES)
def test_a_lie_of_version_1(lie, tmp_path):
    content, tensors = version_1()
    hostile.write(tmp_path / "m", content, tensors, "1")
    fastnn.load(tmp_path / "m")
    hostile.write(tmp_path / "m", hostile.changed(content, *OLDER_LIES[lie]), tensors, "1")
    with pytest.raises(fastnn.CheckpointError, match=r"m: not a model of fastnn"):
        fastnn.load(tmp_path / "m")


def version_1():
    """Return what a file of version 1 says."""
    path = Path(__file__).parent / "data" / "version_1.safetensors"
    with safe_open(path, "np") as file:
        content = json.loads(file.metadata()["content"])
        return content, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("lie", LIES)
def test_a_lie(lie, tmp_path):
    content, tensors = hostile.take_apart(MODELS["Adam"][0], tmp_path / "m")
    hostile.write(tmp_path / "m", hostile.changed(content, *LIES[lie]), tensors)
    with pytest.raises(fastnn.CheckpointError, match=r"m: not a model of fastnn"):
        fastnn.load(tmp_path / "m")


def text_of(model, path):
    content, tensors = hostile.take_apart(model, path)
    return json.dumps(content), tensors


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: text[:50],
        lambda text: "[]",
        lambda text: text + " " * 2**24,
        lambda text: text.replace('"values": {', '"values": {"n": ' + "9" * 5000 + ", "),
        lambda text: text.replace('"values": {', '"values": {"n": ' + "[" * 9999 + "]" * 9999),
        lambda text: text.replace('"values": {', '"values": {"step": 1, '),  # twice
        lambda text: text.replace(
            '"values": {', '"values": {"a": {"array": ["x", "x"], "dtype": "<U99999999"}, '
        ),
        lambda text: text.replace('"float64"', '"(1000000000,)f8"').replace("auto", "9999999999f8"),
    ],
)
def test_text_that_is_no_model_or_asks_for_much(change, tmp_path):
    text, tensors = text_of(MODELS["Adam"][0], tmp_path / "m")
    hostile.write(tmp_path / "m", change(text), tensors)
    tracemalloc.start()
    with pytest.raises(fastnn.CheckpointError):
        fastnn.load(tmp_path / "m")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * (tmp_path / "m").stat().st_size + 1_000_000


@pytest.mark.parametrize("length", [0, 1, 2**20, 2**62, 2**64 - 1])
def test_a_header_that_lies_of_its_length(length, tmp_path):
    MODELS["SGD"][0].save(tmp_path / "m")
    content = (tmp_path / "m").read_bytes()
    (tmp_path / "m").write_bytes(struct.pack("<Q", length) + content[8:])
    with pytest.raises(fastnn.CheckpointError, match="not a whole safetensors file"):
        fastnn.load(tmp_path / "m")


def test_a_large_file_of_others_is_not_read(tmp_path):
    save_file({"w": np.zeros(1_000_000)}, tmp_path / "w", {"format": "pt"})
    tracemalloc.start()
    with pytest.raises(fastnn.CheckpointError, match="not of fastnn"):
        fastnn.load(tmp_path / "w")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_what_load_would_refuse_is_not_written(tmp_path):
    X = hostile.X
    model = fastnn.MLPRegressor((3,), max_iter=1, verbose=False, random_state=0).fit(X, X[:, 0])
    good = model.params_.copy()
    model.params_[0] = np.nan
    with pytest.raises(ValueError, match="params_: expected finite"):
        model.save(tmp_path / "m")
    model.params_[:] = good
    with pytest.raises(ValueError, match="n_jobs=0"):
        model.set_params(n_jobs=0).save(tmp_path / "m")
    with pytest.raises(ValueError, match="moments: expected shape"):
        model.set_params(n_jobs=1, solver="sgd").save(tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": (2,)},
        {"sizes": (2,) * 20_000},
        {"sizes": [2, 3, 1]},
        {"activations": (5, 2, 2)},
        {"dropout": (float("nan"), 0.0)},
        {"loss": 99},
        {"loss": 4},
        {"activation_parameters": (0.0,)},
        {"activation_parameters": (0.0, 0.5)},
        {"activation_parameters": [0.0, 0.0]},
        {"loss_parameter": 0.5},
    ],
)
def test_networks_that_no_kernel_should_get(change):
    net = Network((2, 3, 1), (5, 2), (0.0, 0.0), 0)
    check_network(net)
    with pytest.raises(ValueError, match="network: "):
        check_network(net._replace(**change))


def test_the_limits_hold_when_python_is_deep_in_calls(tmp_path):
    """A model that loads at the top also loads, or is refused, where the stack is short."""
    MODELS["Adam"][0].save(tmp_path / "m")

    def deep(n):
        return fastnn.load(tmp_path / "m") if n == 0 else deep(n - 1)

    assert deep(sys.getrecursionlimit() // 2).n_layers_ == 4
