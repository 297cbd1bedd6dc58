"""Keras's networks as ours, and ours as Keras's."""

import io
import json
import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from export_cases import HIDDEN, TASKS, examples, network, networks
from hypothesis import given

import fastnn
from fastnn.export import set_keras_weights, to_keras
from fastnn.export.forward import model_results
from fastnn.export.keras_format import CONFIG, METADATA, WEIGHTS
from fastnn.export.onnx_graph import portable_classes
from fastnn.export.plain import describe

os.environ.setdefault("KERAS_BACKEND", "numpy")
h5py = pytest.importorskip("h5py")
CLOSE = {"float32": 1e-6, "float64": 1e-12}
X = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
THREE = np.abs(X[:, :3]).argmax(axis=1)


@pytest.mark.slow
@pytest.mark.skipif(not find_spec("keras") or not find_spec("jax"), reason="needs Keras on JAX")
def test_the_same_steps():
    program = Path(__file__).parent / "keras_steps.py"
    environment = os.environ | {"KERAS_BACKEND": "jax"}
    command = [sys.executable, str(program)]
    run = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=900)
    found = json.loads(run.stdout)
    assert len(found) == 85
    for name, (outputs, step) in found.items():
        print(name, outputs, step)
        assert outputs < 1e-6, name
        assert step < 1e-5, name


@pytest.fixture(scope="module")
def keras():
    return pytest.importorskip("keras")


def load(keras, path, X):
    """Return the outputs of a file, as Keras computes them."""
    return np.asarray(keras.models.load_model(path).predict(X, verbose=0))


def there_and_back(model, X, path, keras=None):
    plain = describe(model)
    is_absent = any(a.activation == "sign" or a.parameter < 0 for a in plain.layers)
    if is_absent or any(scaler.limits is not None for scaler in plain.scalers):
        with pytest.raises(ValueError, match=r"layer \d, \w+: |clip=True"):
            to_keras(model, path, samples=X, overwrite=True)
        return
    result = to_keras(model, path, samples=X, overwrite=True)
    last, inputs = model, X
    if hasattr(model, "steps"):
        last, inputs = model[-1], model[:-1].transform(X)
    if hasattr(last, "layer_outputs"):
        expected = last.layer_outputs(inputs)[-1]
    else:
        expected = model_results(model, plain, X).values
    scale = max(1, np.abs(expected).max())
    tol = CLOSE[plain.dtype.name] * (100 if plain.scalers else 1)
    # Keras's NumPy takes the larger of z and slope z: no leaky ReLU if the slope is above 1.
    is_right = not any(a.activation == "leaky_relu" and a.parameter > 1 for a in plain.layers)
    if keras is not None and is_right:  # which computes in float32
        outputs = load(keras, path, X.astype(plain.dtype)).reshape(expected.shape)
        assert np.abs(outputs - expected).max() < max(tol, 1e-5) * scale
    if plain.task == "classes" and len(plain.classes) == 1:
        return
    is_known = plain.task == "classes" and result.details["compiled"]
    classes = portable_classes(plain.classes) if is_known else None  # dates as strings
    found = fastnn.from_keras(path, classes=classes, training=False)
    again = found.layer_outputs(X.astype(plain.dtype))[-1]
    assert np.abs(again - expected).max() < tol * scale


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations(activation, dtype, tmp_path, keras):
    model, X = network("classes", (6, 5), activation, dtype)
    there_and_back(model, X, tmp_path / "m.keras", keras)


@pytest.mark.parametrize("task", TASKS)
def test_tasks(task, tmp_path, keras):
    model, X = network(task, dtype="float32", labels="strings", input_scale=0.3)
    there_and_back(model, X, tmp_path / "m.keras", keras)


@pytest.mark.parametrize("scaler", ["standard", "min_max", "max_abs"])
def test_scalers(scaler, tmp_path, keras):
    there_and_back(*network(dtype="float32", scaler=scaler), tmp_path / "m.keras", keras)


@examples(15)
@given(case=networks())
def test_random_networks(case, tmp_path):
    there_and_back(*case, tmp_path / "m.keras")


@pytest.mark.slow
@examples(300)
@given(case=networks())
def test_300_random_networks(case, tmp_path, keras):
    there_and_back(*case, tmp_path / "m.keras", keras)


def classifier(**changes):
    given = {"dropout": (0.25, 0.0), "max_iter": 3, "tol": None, "random_state": 0}
    model = fastnn.MLPClassifier((6, 4), ["tanh", ("leaky_relu", 0.1)], **{**given, **changes})
    return model.fit(X, THREE)


def test_the_optimizer_comes_back(tmp_path):
    model = classifier(solver="adam", learning_rate_init=0.02, beta_1=0.8, label_smoothing=0.1)
    to_keras(model, tmp_path / "m.keras")
    found = fastnn.from_keras(tmp_path / "m.keras")
    assert np.array_equal(found.params_, model.params_)
    assert np.array_equal(found.solver_state_.moments, model.solver_state_.moments)
    assert found.solver_state_.step == model.solver_state_.step == 3
    for name in ("solver", "learning_rate_init", "beta_1", "label_smoothing", "dropout"):
        assert getattr(found, name) == pytest.approx(getattr(model, name))
    assert fastnn.from_keras(tmp_path / "m.keras", solver="sgd").solver_state_.step == 0
    assert not fastnn.from_keras(tmp_path / "m.keras", training=False).solver_state_.moments.any()


@pytest.mark.parametrize(
    "changes", [{"solver": "nadam"}, {"solver": "lbfgs"}, {"alpha": 0.1}, {"max_norm": 1.0}]
)
def test_what_keras_trains_otherwise_is_not_compiled(changes, tmp_path):
    model = classifier(**{**changes, "dropout": 0})
    assert not to_keras(model, tmp_path / "m.keras").details["compiled"]
    found = fastnn.from_keras(tmp_path / "m.keras")
    assert np.array_equal(found.params_, model.params_)


def test_the_rate_is_that_of_the_next_epoch(tmp_path):
    model = classifier(dropout=0, learning_rate_decay=0.5)
    to_keras(model, tmp_path / "m.keras")
    found = fastnn.from_keras(tmp_path / "m.keras")
    assert found.learning_rate_init == pytest.approx(model.learning_rate_)
    assert model.learning_rate_ < model.learning_rate_init


@pytest.mark.parametrize("momentum", [0, 0.9])
def test_the_state_of_another_solver_is_not_written(momentum, tmp_path):
    model = classifier(solver="sgd", momentum=momentum).set_params(solver="adam")
    assert not to_keras(model, tmp_path / "m.keras").details["compiled"]
    assert fastnn.from_keras(tmp_path / "m.keras").solver_state_.step == 0


def test_a_file_is_the_same_each_time(tmp_path):
    model = classifier()
    to_keras(model, tmp_path / "a.keras")
    to_keras(model, tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        to_keras(model, tmp_path / "a.keras")


def test_weights_into_a_model(keras, monkeypatch):
    model = classifier()
    L = keras.layers
    made = keras.Sequential(
        [
            keras.Input((5,)),
            L.Dense(6, "tanh"),
            L.Dropout(0.1),
            L.Dense(4),
            L.LeakyReLU(negative_slope=0.1),
            L.Dense(3, "softmax"),
        ]
    )
    assert set_keras_weights(model, made) < 1e-6
    assert np.abs(np.asarray(made.predict(X, verbose=0)) - model.predict_proba(X)).max() < 1e-6
    other = keras.Sequential([keras.Input((5,)), L.Dense(6, "relu"), L.Dense(3, "softmax")])
    with pytest.raises(ValueError, match=r"keras_model: expected weights of shapes \[\(5, 6\)"):
        set_keras_weights(model, other)
    other = keras.Sequential([keras.Input((5,)), L.Dense(6, "relu"), L.Dense(4), L.Dense(3)])
    before = [array.copy() for array in other.get_weights()]
    with pytest.raises(ValueError, match="differs from the model by"):
        set_keras_weights(model, other)
    assert all(map(np.array_equal, before, other.get_weights()))
    monkeypatch.setattr(other, "predict", lambda *given, **options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        set_keras_weights(model, other)
    assert all(map(np.array_equal, before, other.get_weights()))


def refused(keras):
    """Return models that have no counterpart, and what is said of them."""
    L, of = keras.layers, keras.Input((5,))
    penalty = keras.regularizers.L2(0.1)
    x = L.Dense(3)(of)
    return [
        ([L.Conv1D(2, 2)], (8, 1), "^layer 2, Conv1D: has no counterpart; expected dense layers"),
        ([L.Dense(3), L.BatchNormalization()], (5,), "^layer 3, BatchNormalization: has no"),
        ([L.Dense(3, "mish")], (5,), "^layer 2, Dense: activation='mish' has no counterpart"),
        ([L.Dense(3, "softmax"), L.Dense(1)], (5,), "^layer 3, Dense: a dense layer after softmax"),
        ([L.Dense(3, "relu"), L.ReLU()], (5,), "^layer 3, ReLU: a second activation"),
        ([L.Dense(3), L.ReLU(max_value=6)], (5,), "^layer 3, ReLU: max_value=6(.0)? has no"),
        ([L.Dense(3, kernel_regularizer=penalty)], (5,), "^layer 2, Dense: kernel_regularizer="),
        ([L.Dense(2, "softmax")], (5,), "the last has 2 outputs, of softmax, for two classes"),
        ([L.Dropout(0.1), L.Dense(2)], (5,), "^layer 2, Dropout: dropout of the inputs"),
        ([L.Rescaling(0.5, 1), L.Dense(2)], (5,), "^layer 2, Rescaling: offset=1(.0)? has no"),
        (keras.Model(of, L.Add()([x, x])), None, "^layer 3, Add: "),
        (keras.Model(of, [x, L.Dense(2)(of)]), None, "^layer 3, Dense: expected the outputs of"),
    ]


@pytest.mark.parametrize("number", range(12))
def test_refusals(number, keras):
    layers, shape, message = refused(keras)[number]
    if shape is not None:
        layers = keras.Sequential([keras.Input(shape), *layers])
    with pytest.raises(ValueError, match=message):
        fastnn.from_keras(layers)


@pytest.mark.parametrize(
    ("optimizer", "loss", "message"),
    [
        ("adagrad", "mse", "^optimizer, Adagrad: its steps have no counterpart; training=False"),
        ("nadam", "mse", "^optimizer, Nadam: its steps"),
        ("sgd", "mape", "^loss: .* has no counterpart; training=False ignores it"),
    ],
)
def test_refusals_of_a_training(optimizer, loss, message, keras):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)])
    model.compile(optimizer, loss=loss)
    with pytest.raises(ValueError, match=message):
        fastnn.from_keras(model)
    found = fastnn.from_keras(model, training=False)
    outputs = np.asarray(model.predict(X, verbose=0))[:, 0]
    assert np.abs(found.predict(X) - outputs).max() < 1e-6


def test_no_model():
    for wrong in (3, None, object()):
        with pytest.raises(ValueError, match="expected a Keras model or the path of a file"):
            fastnn.from_keras(wrong)
    with pytest.raises(FileNotFoundError, match="no such file"):
        fastnn.from_keras("/nowhere/m.keras")


# --- files that lie -----------------------------------------------------------------------------


def parts(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in (CONFIG, METADATA, WEIGHTS)}


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


@pytest.fixture
def honest(tmp_path):
    to_keras(classifier(), tmp_path / "m.keras")
    return parts(tmp_path / "m.keras")


def with_config(members, change):
    config = json.loads(members[CONFIG])
    change(config, config["config"]["layers"])
    return {**members, CONFIG: json.dumps(config)}


def lambda_layer(config, layers):
    code = {"class_name": "__lambda__", "config": {"value": "4wAAAA=="}}
    layers[1] = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": code}}


def system(config, layers):
    layers[1] |= {"module": "os", "class_name": "system", "registered_name": "os>system"}


LIES = {
    "code": (lambda_layer, "^layer 2, Lambda: has no counterpart"),
    "another module": (system, "^layer 2, system: has no counterpart"),
    "more units": (lambda c, la: la[1]["config"].update(units=10**12), "units=.*, but weights"),
    "a negative rate": (lambda c, la: la[2]["config"].update(rate=-1), "Dropout: rate=-1"),
    "a rate of text": (lambda c, la: la[2]["config"].update(rate="x"), "Dropout: rate='x'"),
    "layers that are none": (lambda c, la: la.__setitem__(1, 3), "not a model as Keras"),
    "a number beyond all": (
        lambda c, la: c["compile_config"]["optimizer"]["config"].update(beta_1=10**400),
        "not a model as Keras describes it: OverflowError",
    ),
    "a name that moves a cursor": (
        lambda c, la: la[1].update(class_name="\x1b[2J"),
        r"^layer 2, \\x1b\[2J: has no counterpart",
    ),
    "no layers": (lambda c, la: la.clear(), "expected dense layers"),
    "a thousand layers": (lambda c, la: la.extend(la[1:2] * 1000), "expected weights and biases"),
    "another class": (lambda c, la: c.update(class_name="Model2"), "expected a Sequential"),
    "no configuration": (lambda c, la: c.pop("config"), "not a model as Keras describes it"),
    "a rate of NaN": (
        lambda c, la: c["compile_config"]["optimizer"]["config"].update(learning_rate=float("nan")),
        "^optimizer, Adam: learning_rate=nan: expected a number above 0",
    ),
    "no optimizer": (lambda c, la: c["compile_config"].pop("optimizer"), "not a model as Keras"),
    "a loss as a list": (lambda c, la: c["compile_config"].update(loss=[1]), "loss: 1 has no"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_configuration_that_lies(lie, honest, tmp_path):
    change, message = LIES[lie]
    write(tmp_path / "lie.keras", with_config(honest, change))
    with pytest.raises(ValueError, match=message):
        fastnn.from_keras(tmp_path / "lie.keras")


def with_weights(members, change):
    buffer = io.BytesIO(members[WEIGHTS])
    with h5py.File(buffer, "r+") as file:
        change(file)
    return {**members, WEIGHTS: buffer.getvalue()}


def replaced(**given):
    def change(file):
        del file["layers/dense/vars/0"]
        if given:
            file.create_dataset("layers/dense/vars/0", **given)

    return change


def linked(link):
    def change(file):
        del file["layers/dense/vars/0"]
        file["layers/dense/vars/0"] = link

    return change


NUMBERS = np.ones((5, 6), np.float32)
SECRET = [("/etc/hostname", 0, 120)]
WRONG_WEIGHTS = {
    "none": (replaced(), "expected weights and biases|no layers/dense/vars/0"),
    "others": (
        replaced(data=np.ones((6, 6), np.float32)),
        "^optimizer: its state is of 79 parameters; expected 85",
    ),
    "text": (replaced(data=b"x" * 30), "layers/dense/vars/0 in model.weights.h5"),
    "gigabytes": (
        replaced(shape=(2**20, 2**20), dtype="f4", chunks=(1024, 1024)),
        r"float32, 4398046511104 bytes",
    ),
    "compressed": (replaced(data=NUMBERS, compression="gzip"), "elsewhere, or compressed"),
    "another file's bytes": (
        replaced(shape=(5, 6), dtype="f4", external=SECRET),
        "elsewhere, or compressed",
    ),
    "another file": (linked(h5py.ExternalLink("/tmp/other.h5", "x")), "or it is a link"),
    "a link": (linked(h5py.SoftLink("/layers/dense_1/vars/0")), "or it is a link"),
    "not finite": (replaced(data=NUMBERS * np.nan), "layer 2, Dense: its weights: contains NaN"),
}


@pytest.mark.parametrize("wrong", WRONG_WEIGHTS)
def test_weights_that_lie(wrong, honest, tmp_path):
    change, message = WRONG_WEIGHTS[wrong]
    write(tmp_path / "lie.keras", with_weights(honest, change))
    with pytest.raises(ValueError, match=message):
        fastnn.from_keras(tmp_path / "lie.keras")


def test_archives_that_lie(honest, tmp_path):
    path = tmp_path / "lie.keras"
    write(path, {**honest, CONFIG: b" " * 2**25}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"config.json has 33554432 bytes, more than"):
        fastnn.from_keras(path)
    write(path, {**honest, WEIGHTS: bytes(2**26)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(ValueError, match=r"model.weights.h5 has 67108864 bytes, more than"):
        fastnn.from_keras(path)
    for name in (CONFIG, WEIGHTS):
        write(path, {key: value for key, value in honest.items() if key != name})
        with pytest.raises(ValueError, match="not a whole Keras file"):
            fastnn.from_keras(path)
        write(path, {**honest, name: b"nonsense"})
        with pytest.raises(ValueError, match="not a whole Keras file"):
            fastnn.from_keras(path)
    for content in (b"", b"PK", (tmp_path / "m.keras").read_bytes()[:500]):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="not a whole Keras file"):
            fastnn.from_keras(path)
    write(path, {**honest, CONFIG: "[" * 100_000})
    with pytest.raises(ValueError, match="not a whole Keras file"):
        fastnn.from_keras(path)


def test_no_class_of_a_file_is_imported(honest, tmp_path):
    """Neither Keras, nor pickle, nor what a file names."""
    write(tmp_path / "lie.keras", with_config(honest, system))
    program = (
        "import sys, fastnn\n"
        f"try: fastnn.from_keras({str(tmp_path / 'lie.keras')!r})\n"
        "except ValueError: pass\n"
        f"fastnn.from_keras({str(tmp_path / 'm.keras')!r})\n"
        "assert 'keras' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=600)
