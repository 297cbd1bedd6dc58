"""Formulas and training against implementations that we did not write."""

import importlib
import importlib.util
import inspect
import itertools
import os

import numpy as np
import pytest
from conftest import relative_error
from formula_cases import OUTPUTS, network, targets_for
from sklearn.neural_network import MLPClassifier as SklearnClassifier
from sklearn.neural_network import MLPRegressor as SklearnRegressor

import fastnn
from fastnn import backends
from fastnn.backends import codes
from fastnn.backends.interface import Optimizer, Samples, Schedule, State
from fastnn.network import matrices

_HAS_TENSORFLOW = importlib.util.find_spec("tensorflow") is not None
os.environ.setdefault("KERAS_BACKEND", "tensorflow" if _HAS_TENSORFLOW else "numpy")

N_OUTPUTS = 3
SKLEARN_ACTIVATIONS = {"relu": "relu", "tanh": "tanh", "sigmoid": "logistic", "purelin": "identity"}


@pytest.fixture
def keras(monkeypatch):
    """Keras in double precision, without numbers added to what a logarithm is taken of."""
    keras = pytest.importorskip("keras")
    dtypes = importlib.import_module("keras.src.backend.common.dtypes")
    monkeypatch.setitem(dtypes.BIT64_TO_BIT32_DTYPE, "float64", "float64")  # as with TensorFlow
    before = keras.config.floatx(), keras.config.epsilon()
    keras.config.set_floatx("float64")
    keras.config.set_epsilon(1e-30)
    assert keras.ops.tanh(np.ones(1)).dtype == np.float64
    yield keras
    keras.config.set_floatx(before[0])
    keras.config.set_epsilon(before[1])


def judge_of(row):
    """Return what others wrote."""
    module, _, name = row.judge.rpartition(".")
    return getattr(importlib.import_module(module), name)


def numbers_to_try(row):
    """Return some numbers for a formula's parameter, one of them the default."""
    if row.parameter is None:
        return [None]
    return [row.parameter.default, *(v for v in (0.1, 0.3, 0.9) if row.parameter.holds(v))]


def named(row, number):
    """Return a parameter as the judge takes it."""
    return {} if number is None else {row.parameter.judge: number}


def outputs_only(activation, loss, parameters=()):
    """Return a network whose output k is f(input k), and its parameters."""
    net = network((N_OUTPUTS, N_OUTPUTS), (activation,), loss)
    net = net._replace(**dict(parameters))
    params = np.zeros(net.n_parameters)
    matrices(net, params)[0][0][:] = np.eye(N_OUTPUTS)
    return net, params


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", codes.ACTIVATIONS, ids=lambda row: row.name)
def test_an_activation_is_what_others_compute(backend, keras, row, dtype):
    grid = np.concatenate([np.linspace(-6, 6, 49), [1e-9, 20, 50, 300, 700, 1e5]])
    z = np.stack([np.concatenate([-grid, grid]), np.tile(-0.5, 2 * len(grid))], axis=1)
    z = np.insert(z, 2, 1.5, axis=1).astype(dtype)
    kernels, tolerance = backends.kernels(), 1e-12 if dtype == "float64" else 2e-6
    for number in numbers_to_try(row):
        given = {} if number is None else {"activation_parameters": (number,)}
        net, params = outputs_only(row.code, codes.HALF_SQUARED_ERROR, given)
        samples = Samples(z, 1.0, None)
        (found,) = kernels.mlp_forward(net, params.astype(dtype), samples, False, 1)
        expected = np.asarray(judge_of(row)(z.astype(float), **named(row, number))).astype(dtype)
        finite = np.isfinite(expected)
        assert (found[~finite] > np.finfo(dtype).max / 100).all()
        found, expected = found[finite], expected[finite]
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance / 10)


def judged_loss(row, number, t, y):
    """Return the loss of one sample, as others compute it."""
    if row.targets == "index":
        t = np.eye(len(y))[int(t[0])]
    value = judge_of(row)(t[np.newaxis], y[np.newaxis], **named(row, number))
    factor = row.judge_factor * (len(y) if row.per_output else 1)
    return factor * float(np.mean(np.asarray(value)))


LOSSES_OF_OUTPUTS = [
    (codes.LOSSES[loss], codes.ACTIVATIONS[out])
    for loss, outs in OUTPUTS.items()
    for out in outs
    if not codes.ACTIVATIONS[out].is_step
]


@pytest.mark.parametrize(
    ("row", "out"), LOSSES_OF_OUTPUTS, ids=lambda row: getattr(row, "name", None)
)
def test_a_loss_and_its_gradient_are_what_others_compute(backend, keras, row, out, rng):
    """The gradient by differences of the judge's loss, at the pre-activations."""
    kernels, h = backends.kernels(), 1e-6
    X = rng.normal(size=(5, N_OUTPUTS))
    targets = targets_for(row.code, 5, N_OUTPUTS, rng)
    for number in numbers_to_try(row):
        net, params = outputs_only(out.code, row.code, {"loss_parameter": number})
        y = kernels.mlp_forward(net, params, Samples(X, 1.0, None), False, 1)[0]
        expected = np.mean(
            [judged_loss(row, number, t, outputs) for t, outputs in zip(targets, y, strict=True)]
        )
        loss, _ = kernels.mlp_evaluate(net, params, Samples(X, 1.0, targets), 1)
        assert loss == pytest.approx(expected, rel=1e-9)
        for x, t in zip(X, targets, strict=True):
            shifted = x + h * np.concatenate([np.eye(N_OUTPUTS), -np.eye(N_OUTPUTS)])
            y = kernels.mlp_forward(net, params, Samples(shifted, 1.0, None), False, 1)[0]
            above, below = np.split(
                np.array([judged_loss(row, number, t, outputs) for outputs in y]), 2
            )
            one = Samples(x[np.newaxis], 1.0, t[np.newaxis])
            _, gradient = kernels.mlp_loss_gradient(net, params, one, Optimizer(codes.SGD), 0, 0)
            by_bias = matrices(net, gradient)[1][0]
            numeric = (above - below) / (2 * h)
            assert np.abs(by_bias - numeric).max() < 1e-6 * max(1.0, np.abs(numeric).max())


CONSTANTS = {
    "momentum": 0.8,
    "beta_1": 0.85,
    "beta_2": 0.95,
    "rho": 0.9,
    # So small that it does not matter whether it is added before or after a correction ...
    "epsilon": 1e-30,
    "weight_decay": 0.05,
}
# ... and large, for whoever adds it where the rule says.
LARGE = CONSTANTS | {"epsilon": 0.2}
IN_TORCH = [(row, CONSTANTS) for row in codes.OPTIMIZERS if row.judge.startswith("torch")]
IN_TORCH += [(row, LARGE) for row in codes.OPTIMIZERS if row.name in ("rmsprop", "adamw", "nadam")]
IN_KERAS = [(row, CONSTANTS) for row in codes.OPTIMIZERS if row.name != "nadam"]  # another pace
IN_KERAS += [(row, LARGE) for row in codes.OPTIMIZERS if row.name in ("adam", "adamw_keras")]
RATE = 0.03


def name_of(value):
    return value.name if isinstance(value, codes.UpdateRule) else f"epsilon={value['epsilon']}"


def make_ours(row, constants):
    """Return an optimizer with the constants that its update rule reads."""
    value = {name: constants[name] for name in row.parameters}
    fields = {
        "beta_1": value.get("momentum", value.get("beta_1")),
        "beta_2": value.get("rho", value.get("beta_2")),
        "epsilon": value.get("epsilon"),
        "weight_decay": value.get("weight_decay"),
    }
    return Optimizer(row.code, **{k: v for k, v in fields.items() if v is not None})


def in_torch(row, constants, torch):
    """Return a function that makes steps of PyTorch's optimizer on a vector."""
    names = {
        "momentum": "momentum",
        "epsilon": "eps",
        "rho": "alpha",
        "weight_decay": "weight_decay",
    }
    given = {theirs: constants[ours] for ours, theirs in names.items() if ours in row.parameters}
    if "beta_1" in row.parameters:
        given["betas"] = constants["beta_1"], constants["beta_2"]
    if row.name == "nesterov":
        given["nesterov"] = True

    def start(params):
        w = torch.tensor(params, dtype=torch.float64, requires_grad=True)
        optimizer = judge_of(row)([w], lr=RATE, **given)

        def step(gradient):
            w.grad = torch.tensor(gradient, dtype=torch.float64)
            optimizer.step()
            return w.detach().numpy().copy()

        return step

    return start


def in_keras(row, constants, keras):
    """Return the same for Keras."""
    kind = getattr(keras.optimizers, row.judge.rpartition(".")[2])
    given = {name: constants[name] for name in row.parameters}
    if row.name == "nesterov":
        given["nesterov"] = True
    assert given.keys() <= inspect.signature(kind).parameters.keys()

    def start(params):
        w = keras.Variable(params, dtype="float64")
        optimizer = kind(learning_rate=RATE, **given)
        optimizer.build([w])

        def step(gradient):
            optimizer.apply([keras.ops.convert_to_tensor(gradient, dtype="float64")], [w])
            return keras.ops.convert_to_numpy(w).copy()

        return step

    return start


def compare_steps(row, constants, start, tolerance, rng):
    """Make 20 steps with full batches, each with gradients of its own parameters."""
    kernels = backends.kernels()
    net = network((4, 5, 2), (codes.TANH, codes.IDENTITY), codes.HALF_SQUARED_ERROR)
    samples = Samples(rng.normal(size=(6, 4)), 1.0, rng.normal(size=(6, 2)))
    params = rng.normal(size=net.n_parameters)
    state = State(params.copy(), np.zeros((row.n_moments, len(params))))
    schedule = Schedule(np.arange(6)[np.newaxis], 6, 0, np.full(20, RATE))
    kernels.mlp_train(net, make_ours(row, constants), state, samples, schedule, np.zeros(20), 1)
    step = start(params)
    for _ in range(20):
        _, gradient = kernels.mlp_loss_gradient(net, params, samples, Optimizer(codes.SGD), 0, 0)
        params = step(gradient)
    assert relative_error(state.params, params) < tolerance


@pytest.mark.parametrize(("row", "constants"), IN_TORCH, ids=name_of)
def test_an_optimizer_makes_the_steps_of_torch(backend, row, constants, rng):
    torch = pytest.importorskip("torch")
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # also of what an optimizer keeps between steps
    try:
        compare_steps(row, constants, in_torch(row, constants, torch), 1e-11, rng)
    finally:
        torch.set_default_dtype(before)


@pytest.mark.parametrize(("row", "constants"), IN_KERAS, ids=name_of)
def test_an_optimizer_makes_the_steps_of_keras(backend, keras, row, constants, rng):
    compare_steps(row, constants, in_keras(row, constants, keras), 1e-9, rng)


def train_sklearn(estimator, X, y, coefs, intercepts, sample_weight=None):
    """Fit scikit-learn's network from given weights (its warm start keeps what we put there)."""
    n_epochs = estimator.max_iter
    given = {} if sample_weight is None else {"sample_weight": sample_weight}
    estimator.set_params(max_iter=1, warm_start=True).fit(X, y)
    for view, value in zip(estimator.coefs_, coefs, strict=True):
        view[:] = value
    for view, value in zip(estimator.intercepts_, intercepts, strict=True):
        view[:] = value
    estimator.loss_curve_ = []
    return estimator.set_params(max_iter=n_epochs).fit(X, y, **given)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("n_epochs", "weighted"), [(1, False), (20, False), (20, True)])
@pytest.mark.parametrize("solver", ["sgd", "momentum", "nesterov", "adam"])
@pytest.mark.parametrize("activation", SKLEARN_ACTIVATIONS)
@pytest.mark.parametrize("n_classes", [0, 2, 4])  # 0: regression
def test_scikit_learn(backend, weighted, n_classes, activation, solver, n_epochs, rng):
    X = rng.normal(size=(30, 5))
    y = rng.integers(0, n_classes, 30) if n_classes else rng.normal(size=30)
    sizes = [5, 8, 6, 1 if n_classes < 3 else n_classes]
    coefs = [0.5 * rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    intercepts = [0.5 * rng.normal(size=n) for n in sizes[1:]]
    common = {
        "hidden_layer_sizes": (8, 6),
        "alpha": 0.1,
        "batch_size": 7,
        "learning_rate_init": 0.01,
        "max_iter": n_epochs,
        "shuffle": False,
        "tol": 0.0,
        "n_iter_no_change": 1000,
        "random_state": 0,
        "solver": "adam" if solver == "adam" else "sgd",
        "momentum": 0.0 if solver == "sgd" else 0.9,
        "nesterovs_momentum": solver != "momentum",
    }
    theirs = (SklearnClassifier if n_classes else SklearnRegressor)(
        activation=SKLEARN_ACTIVATIONS[activation], **common
    )
    weights = rng.random(30) + 0.1 if weighted else None
    train_sklearn(theirs, X, y, coefs, intercepts, weights)
    ours = (fastnn.MLPClassifier if n_classes else fastnn.MLPRegressor)(
        activation=activation, **common
    ).fit(X, y, weights, coefs_init=coefs, intercepts_init=intercepts)
    for found, expected in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert relative_error(found, expected) < 1e-9
    for found, expected in zip(ours.intercepts_, theirs.intercepts_, strict=True):
        assert relative_error(found, expected) < 1e-9
    if n_classes:
        assert relative_error(ours.predict_proba(X), theirs.predict_proba(X)) < 1e-9
    else:
        assert relative_error(ours.predict(X), theirs.predict(X)) < 1e-9
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y))


@pytest.mark.parametrize("loss", ["crossentropy", "sum_squared_error"])
@pytest.mark.parametrize("solver", ["sgd", "momentum", "adam"])
def test_training_of_keras(backend, solver, loss, keras, rng):
    if keras.backend.backend() == "numpy":
        pytest.skip("Keras trains on other back ends only")
    X, y = rng.normal(size=(40, 6)), rng.integers(0, 3, 40)
    sizes = [6, 9, 7, 3]
    coefs = [0.5 * rng.normal(size=shape) for shape in itertools.pairwise(sizes)]
    intercepts = [0.1 * rng.normal(size=n) for n in sizes[1:]]
    out = "softmax" if loss == "crossentropy" else "sigmoid"
    model = keras.Sequential(
        [keras.Input((6,))]
        + [keras.layers.Dense(n, activation="relu") for n in sizes[1:-1]]
        + [keras.layers.Dense(3, activation=out)]
    )
    model.set_weights([w for pair in zip(coefs, intercepts, strict=True) for w in pair])
    optimizer = {
        "sgd": keras.optimizers.SGD(0.01),
        "momentum": keras.optimizers.SGD(0.01, momentum=0.9),
        "adam": keras.optimizers.Adam(0.01, epsilon=1e-7),
    }[solver]

    def sum_of_squares(t, p):
        return keras.ops.sum((t - p) ** 2, axis=-1)

    if loss == "crossentropy":
        model.compile(optimizer, "sparse_categorical_crossentropy")
        model.fit(X, y, batch_size=8, epochs=5, shuffle=False, verbose=0)
    else:
        model.compile(optimizer, sum_of_squares)
        model.fit(X, np.eye(3)[y], batch_size=8, epochs=5, shuffle=False, verbose=0)
    ours = fastnn.MLPClassifier(
        (9, 7), "relu", loss=loss, solver=solver, learning_rate_init=0.01, epsilon=1e-7
    ).set_params(
        momentum=0 if solver == "sgd" else 0.9, batch_size=8, max_iter=5, shuffle=False, tol=None
    )
    ours.fit(X, y, coefs_init=coefs, intercepts_init=intercepts)
    expected = model.get_weights()
    # Keras keeps the learning rate and the powers of beta_2 in single precision.
    tolerance = 1e-5 if solver == "adam" else 1e-6
    for layer in range(3):
        assert relative_error(ours.coefs_[layer], expected[2 * layer]) < tolerance
        assert relative_error(ours.intercepts_[layer], expected[2 * layer + 1]) < tolerance
