"""The CUDA back end against plain Python: on a GPU, or on Numba's simulator of one.

Without a GPU: NUMBA_ENABLE_CUDASIM=1 pytest tests/test_cuda.py
"""

import itertools
import subprocess
import sys
import threading
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import relative_error
from formula_cases import HIDDEN, OUTPUTS, network, samples, targets_for, weights_for
from scipy.sparse import csr_array

import fastnn
from fastnn import backends
from fastnn.backends import numba_cuda
from fastnn.backends.codes import (
    ACTIVATIONS,
    ADAM,
    ELU,
    LOSSES,
    OPTIMIZERS,
    SOFTMAX,
    SPARSE_CATEGORICAL_CROSSENTROPY,
    TANH,
)
from fastnn.backends.interface import ImageDistortion, Optimizer, Samples, Schedule, State
from fastnn.sparse import compressed_rows

REASON = fastnn.available_backends()["numba-cuda"]
needs_cuda = pytest.mark.skipif(REASON is not None, reason=f"no CUDA: {REASON}")

REFERENCE = backends.kernels("python")
LARGE = ("large, 1", "large, 2", "large, 4")
TOLERANCES = [(np.float64, 1e-12), (np.float32, 1e-5)]


@pytest.fixture
def take(monkeypatch):
    """Return a function that gives the kernels, made to take one of their ways."""

    def way(name):
        if name.startswith("large"):
            reach = int(name[-1])  # outputs of a thread, along each side
            monkeypatch.setattr("fastnn.backends.numba_cuda.networks.SMALL_STEP", 0)
            monkeypatch.setattr("fastnn.backends.numba_cuda.large.reach_for", lambda *given: reach)
        elif name == "small, weights in global memory":
            from fastnn.backends.numba_cuda import small

            plan = small.plan
            monkeypatch.setattr(small, "plan", lambda *given: plan(*given)._replace(n_state=0))
        return backends.kernels("numba-cuda")

    return way


@pytest.fixture(params=["small", "small, weights in global memory", "large, 4"])
def cuda(request, take):
    """Return the kernels for each of the ways that differ most."""
    return take(request.param)


def problem(
    rng, activations=(TANH, TANH), out=SOFTMAX, loss=SPARSE_CATEGORICAL_CROSSENTROPY,
    dtype=np.float64, dropout=0.25, n=11, weights="none",
):  # fmt: skip
    """Return a network, its parameters, and samples with inputs of bytes."""
    sizes = (7, *(6, 5)[: len(activations)], 5)
    rates = (dropout,) * len(activations) + (0.0,)
    net = network(sizes, (*activations, out), loss, rates, rng.random(len(activations) + 2))
    params = rng.normal(0, 0.5, net.n_parameters).astype(dtype)
    X = rng.integers(0, 256, (n, 7), np.uint8)
    targets = targets_for(loss, n, 5, rng).astype(dtype)
    return net, params, samples(X, targets, 1 / 255, weights_for(weights, n, rng))


def assert_same_gradient(kernels, net, params, data, tolerance):
    """Of one batch, and its loss, with a penalty."""
    arguments = (net, params, data, Optimizer(ADAM, alpha=0.1, l1=0.2), 2**40 + 3, 5)
    loss, gradient = kernels.mlp_loss_gradient(*arguments)
    expected_loss, expected = REFERENCE.mlp_loss_gradient(*arguments)
    assert gradient.dtype == params.dtype
    assert loss == pytest.approx(expected_loss, rel=tolerance)
    assert np.abs(gradient - expected).max() < tolerance * max(1.0, np.abs(expected).max())


def assert_same_training(kernels, net, params, data, optimizer, order, first=2**32 - 2):
    """Of two epochs, the second one with a smaller learning rate."""
    results = []
    for own in (kernels, REFERENCE):
        w, losses = params.copy(), np.zeros(2)
        moments = np.zeros((OPTIMIZERS[optimizer.kind].n_moments, len(params)))
        schedule = Schedule(order, 4, 99, np.array([0.05, 0.02]))
        state = State(w, moments, first)
        own.mlp_train(net, optimizer, state, own.to_device(data), schedule, losses, 1)
        results.append((w, losses, moments))
    assert not np.array_equal(results[0][0], params)
    for values, reference in zip(*results, strict=True):
        if values.size:
            assert relative_error(values, reference) < 1e-12


def test_where_a_network_is_trained():
    """In shared memory with its weights, without them, or not by a block at all."""
    small = pytest.importorskip("fastnn.backends.numba_cuda.small")
    from fastnn.backends.numba_cuda.networks import SMALL_STEP

    net = problem(np.random.default_rng(0))[0]
    assert net.n_parameters * 11 < SMALL_STEP
    assert small.plan(net, 4, 2, 8).n_state == 3 * net.n_parameters
    columns, rows = small.plan(net, 4, 2, 8, 1000).threads
    assert rows == min(4, small.MAX_THREADS // columns)
    deep = network((9, *(70,) * 3, 5), (TANH,) * 3 + (SOFTMAX,), SPARSE_CATEGORICAL_CROSSENTROPY)
    layout = small.plan(deep, 4, 2, 8)
    assert layout.n_state == 0
    assert layout.n_shared * 8 <= small.SHARED_BYTES
    assert small.plan(deep, 1000, 2, 8) is None


@needs_cuda
@pytest.mark.parametrize("code", HIDDEN, ids=lambda code: ACTIVATIONS[code].name)
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_activations(take, rng, code, dtype, tolerance):
    kernels = take("small")
    net, params, data = problem(rng, (code,), dtype=dtype)
    inputs = data._replace(targets=None)
    found = kernels.mlp_forward(net, params, inputs, True, 1)
    expected = REFERENCE.mlp_forward(net, params, inputs, True, 1)
    for values, reference in zip(found, expected, strict=True):
        assert relative_error(values, reference) < tolerance
    (last,) = kernels.mlp_forward(net, params, inputs, False, 1)
    assert np.array_equal(last, found[-1])
    assert_same_gradient(kernels, net, params, data, tolerance)


@needs_cuda
@pytest.mark.parametrize("loss", OUTPUTS, ids=lambda code: LOSSES[code].name)
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_losses(take, rng, loss, dtype, tolerance):
    """With all outputs that they go with; in single precision, with one of them."""
    kernels = take("small")
    outputs = [code for code in OUTPUTS[loss] if not ACTIVATIONS[code].is_step]
    for out in outputs if dtype == np.float64 else outputs[-1:]:
        net, params, data = problem(rng, (), out, loss, dtype, n=4)
        assert_same_gradient(kernels, net, params, data, tolerance)
        value, right = kernels.mlp_evaluate(net, params, data, 1)
        expected, expected_right = REFERENCE.mlp_evaluate(net, params, data, 1)
        assert value == pytest.approx(expected, rel=tolerance)
        assert right == expected_right


@needs_cuda
@pytest.mark.parametrize("weights", ["none", "random", "some zero"])
@pytest.mark.parametrize(("dtype", "tolerance"), TOLERANCES)
def test_gradient_on_every_way(cuda, rng, weights, dtype, tolerance):
    net, params, data = problem(rng, dtype=dtype, weights=weights)
    assert_same_gradient(cuda, net, params, data, tolerance)


@needs_cuda
def test_a_single_output_names_one_of_two_classes(take, rng):
    """For each kind of targets that can have one."""
    kernels = take("small")
    for loss in OUTPUTS:
        if LOSSES[loss].targets not in ("real", "fraction", "sign"):
            continue
        net = network((7, 1), OUTPUTS[loss][-1:], loss)
        params = rng.normal(0, 0.5, 8)
        data = samples(rng.normal(size=(9, 7)), targets_for(loss, 9, 1, rng))
        found = kernels.mlp_evaluate(net, params, data, 1)
        assert found == pytest.approx(REFERENCE.mlp_evaluate(net, params, data, 1), rel=1e-12)


@needs_cuda
def test_data_stay_on_the_device(take, rng, monkeypatch):
    """Also where only a part of them is looked at, and where it is in several pieces."""
    kernels = take("small")
    net, params, data = problem(rng, weights="random")
    there = kernels.to_device(data)
    again = kernels.to_device(there)
    for name in ("X", "targets", "weights"):
        assert getattr(again, name) is getattr(there, name)
    monkeypatch.setattr("fastnn.backends.numba_cuda.networks.FORWARD_ROWS", 4)

    def part(samples):
        X, scale, targets, weights = samples
        return Samples(X[2:9], scale, targets[2:9], weights[2:9])

    from numba import cuda as device

    copy, sent = device.to_device, []
    monkeypatch.setattr(
        device, "to_device", lambda array, *more: (sent.append(array), copy(array, *more))[1]
    )
    received = np.empty((7, net.sizes[-1]))
    found = kernels.mlp_evaluate(net, params, part(there), 1, received)
    assert found == pytest.approx(REFERENCE.mlp_evaluate(net, params, part(data), 1), rel=1e-12)
    (values,) = kernels.mlp_forward(net, params, part(there), False, 1)
    assert np.array_equal(values, received)
    assert np.array_equal(values, kernels.mlp_forward(net, params, part(data), False, 1)[0])
    assert_same_gradient(kernels, net, params, part(data), 1e-12)
    assert sent
    assert not any(array is there.X or array is there.targets for array in sent)


@needs_cuda
@pytest.mark.parametrize("way", ["small", "small, weights in global memory", *LARGE])
@pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
def test_training(take, way, rng, row):
    net, params, data = problem(rng, (TANH,))
    order = np.array([rng.permutation(11)[:6] for _ in range(2)])
    optimizer = Optimizer(row.code, alpha=0.01)
    assert_same_training(take(way), net, params, data, optimizer, order, first=3)


@needs_cuda
@pytest.mark.parametrize("row", OPTIMIZERS, ids=lambda row: row.name)
def test_penalties_and_limits(take, rng, row):
    """Those that an optimizer's formula has beside the gradient."""
    net, params, data = problem(rng, ())
    order = np.array([rng.permutation(11)[:6]])
    optimizer = Optimizer(row.code, l1=0.1, weight_decay=0.2, max_norm=0.9)
    assert_same_training(take("small"), net, params, data, optimizer, order, first=3)


@needs_cuda
def test_norms_are_limited_on_every_way(cuda, rng):
    net, params, data = problem(rng)
    order = np.array([rng.permutation(11)[:6]])
    norms = np.sqrt((params[: 7 * 6].reshape(7, 6) ** 2).sum(axis=0))
    optimizer = Optimizer(ADAM, max_norm=float(np.median(norms)))
    assert_same_training(cuda, net, params, data, optimizer, order)


@needs_cuda
def test_training_with_weights(cuda, rng):
    """The samples of the first batch do not count at all: nothing happens but that time goes on."""
    net, params, data = problem(rng, (TANH,), weights="random")
    order = np.array([rng.permutation(11)[:6] for _ in range(2)])
    data.weights[order[0, :4]] = 0
    assert_same_training(cuda, net, params, data, Optimizer(ADAM, alpha=0.01), order)


@needs_cuda
@pytest.mark.parametrize("n_orders", [1, 3])
def test_many_networks(cuda, rng, n_orders, monkeypatch):
    """Each has numbers of its own, and an order that may be as long as it likes."""
    net, _, data = problem(rng, (ELU, TANH), weights="random")
    networks = sys.modules["fastnn.backends.numba_cuda.networks"]
    if networks.SMALL_STEP == 0:  # as if too large for a block: one network after the other
        monkeypatch.setattr("fastnn.backends.numba_cuda.small.SHARED_BYTES", 0)
    params = rng.normal(0, 0.5, (3, net.n_parameters))
    lengths = [(1, 6), (3, 3), (2, 9)]  # orders, samples
    orders = [np.array([rng.permutation(11)[:m] for _ in range(r)]) for r, m in lengths[:n_orders]]
    nets = [
        net._replace(dropout=(rate, rate / 2, 0.0), activation_parameters=(a, 0.0, 0.0))
        for rate, a in [(0.0, 1.0), (0.5, 0.3), (0.2, 2.0)]
    ]
    optimizers = [
        Optimizer(ADAM, alpha=0.1),
        Optimizer(ADAM, beta_1=0.5, beta_2=0.8, l1=0.01, max_norm=1.0),
        Optimizer(ADAM, epsilon=1e-3),
    ]
    schedules = [
        Schedule(orders[i % n_orders], 4, seed, np.array([rate, rate / 2, rate]))
        for i, (seed, rate) in enumerate([(1, 0.05), (2**63, 0.1), (3, 0.01)])
    ]
    results = []
    for kernels in (cuda, REFERENCE):
        w, moments, losses = params.copy(), np.zeros((3, 2, net.n_parameters)), np.zeros((3, 3))
        states = [State(w[i], moments[i], step) for i, step in enumerate((7, 0, 2**32 - 1))]
        kernels.mlp_train_many(nets, optimizers, states, data, schedules, losses, 1)
        results.append((w, moments, losses))
    for values, reference in zip(*results, strict=True):
        assert relative_error(values, reference) < 1e-12


@needs_cuda
@pytest.mark.parametrize("kind", [np.uint8, np.float64])
def test_compressed_rows(cuda, rng, kind, monkeypatch):
    """Against the same table as an array; on the device it stays, and is looked at in parts."""
    monkeypatch.setattr("fastnn.backends.numba_cuda.networks.FORWARD_ROWS", 4)
    net, params, data = problem(rng, (TANH,), weights="random")
    X = (data.X * (rng.random(data.X.shape) < 0.4)).astype(kind)
    X[3] = 0
    dense, table = data._replace(X=X), compressed_rows(csr_array(X))
    there = cuda.to_device(data._replace(X=table))
    assert cuda.to_device(there).X.values is there.X.values
    outputs = np.empty((11, net.sizes[-1]))
    found = cuda.mlp_evaluate(net, params, there, 1, outputs)
    assert found == pytest.approx(REFERENCE.mlp_evaluate(net, params, dense, 1), rel=1e-12)
    (expected,) = REFERENCE.mlp_forward(net, params, dense, False, 1)
    assert relative_error(outputs, expected) < 1e-12
    (values,) = cuda.mlp_forward(net, params, data._replace(X=table), False, 1)
    assert np.array_equal(values, outputs)
    results = []
    order = np.array([rng.permutation(11)[:6] for _ in range(2)])
    for kernels, samples_ in ((cuda, there), (REFERENCE, dense)):
        state = State(params.copy(), np.zeros((2, len(params))), 3)
        schedule, losses = Schedule(order, 4, 99, np.array([0.05, 0.02])), np.zeros(2)
        kernels.mlp_train(net, Optimizer(ADAM, alpha=0.01), state, samples_, schedule, losses, 1)
        results.append((state.params, state.moments, losses))
    for values, reference in zip(*results, strict=True):
        assert relative_error(values, reference) < 1e-12


@needs_cuda
def test_what_no_formula_knows_looks_like_none(take, rng):
    kernels = take("small")
    net, params, data = problem(rng, (TANH,), dropout=0.0)
    unknown = net._replace(activations=(99, SOFTMAX), activation_parameters=())
    with pytest.raises(IndexError):  # the table has no such row
        kernels.mlp_forward(unknown, params, data, False, 1)
    from fastnn.backends.numba_cuda import formulas

    z = np.float64(0.5)
    assert np.isnan(formulas.activate(99, z, z)).all()
    assert np.isnan(formulas.loss_of_output(99, z, z, z)).all()


@needs_cuda
def test_distorted_images_stay_on_the_device(rng, monkeypatch):
    cuda = backends.kernels("numba-cuda")
    monkeypatch.setattr(numba_cuda, "IMAGES_AT_ONCE", 2)  # each block has several images
    images = rng.integers(0, 256, (5, 6 * 5), np.uint8)
    arguments = (ImageDistortion(6, 5, sigma=2.0), rng.random(5), 2**40 + 3, 4, 1)
    found = cuda.distort_images(images, *arguments)
    assert not isinstance(found, np.ndarray)
    expected = REFERENCE.distort_images(images, *arguments)
    difference = np.abs(found.copy_to_host().astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.02


@needs_cuda
def test_a_fit_on_distorted_images(rng):
    X, y = rng.integers(0, 256, (9, 12), np.uint8), np.arange(9) % 3
    model = fastnn.MLPClassifier(
        (4,), max_iter=2, tol=None, random_state=0, dtype="float64", learning_rate_decay=0.5
    ).set_params(distortion=fastnn.ImageDistortion(3, 4, sigma=1.0))
    with fastnn.use_backend("numba-cuda"):
        found = model.fit(X, y).params_.copy()
    with fastnn.use_backend("python"):
        assert relative_error(found, model.fit(X, y).params_) < 1e-6


@needs_cuda
def test_two_threads_fit_at_once():
    X, y = fastnn.load_xor()
    models = [
        fastnn.MLPClassifier((3,), "tanh", max_iter=4, tol=None, random_state=seed)
        for seed in (1, 2)
    ]
    errors = []

    def fit(model):
        try:
            with fastnn.use_backend("numba-cuda"):
                model.fit(X, y)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=fit, args=(model,)) for model in models]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for seed, model in zip((1, 2), models, strict=True):
        with fastnn.use_backend("numba-cuda"):
            alone = fastnn.MLPClassifier((3,), "tanh", max_iter=4, tol=None, random_state=seed)
            assert np.array_equal(model.params_, alone.fit(X, y).params_)


@needs_cuda
@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("online", "bias"), [*itertools.product([True, False], [0, 1])])
def test_single_layers(rng, online, bias, compressed, is_weighted):
    cuda = backends.kernels("numba-cuda")
    X = rng.normal(size=(7, 9))
    X[rng.random(X.shape) < 0.3] = 0
    table = compressed_rows(csr_array(X)) if compressed else X
    targets = np.where(rng.random((7, 2)) > 0.5, 1.0, -1.0)
    start = 0.1 * rng.normal(size=(9 + bias, 2))
    order = np.array([rng.permutation(7) for _ in range(2)])
    weights = rng.uniform(0.1, 2, 7) if is_weighted else None
    results = []
    for kernels, inputs in ((cuda, table), (REFERENCE, X)):
        w, history = start.copy(), np.full((3, *start.shape), np.nan)
        losses, linear, squares = np.empty(3), start.copy(), np.empty(2)
        given = inputs, targets, w, 0.1, order, online, losses, history
        epochs = kernels.perceptron_train(*given, weights)
        kernels.linear_train(inputs, targets, linear, 0.02, order, online, squares, weights)
        results.append((epochs, w, history[:epochs], losses[:epochs], linear, squares))
    assert results[0][0] == results[1][0] > 1
    for values, reference in zip(results[0][1:], results[1][1:], strict=True):
        assert relative_error(values, reference) < 1e-12


@needs_cuda
def test_estimators(rng):
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier((4,), "tanh", max_iter=5, tol=None, random_state=0)
    with fastnn.use_backend("numba-cuda"), warnings.catch_warnings():
        warnings.filterwarnings("error", message="Grid size")  # not for users
        found = model.fit(X, y).params_.copy(), model.predict_proba(X)
    with fastnn.use_backend("python"):
        expected = model.fit(X, y).params_, model.predict_proba(X)
    for values, reference in zip(found, expected, strict=True):
        assert relative_error(values, reference) < 1e-9


@needs_cuda
def test_a_full_device_memory_is_said_so(cuda, rng, monkeypatch):
    from numba import cuda as device

    def full(*args, **options):
        raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    monkeypatch.setattr(device, "to_device", full)
    with pytest.raises(MemoryError, match="the GPU's memory is full"):
        cuda.mlp_loss_gradient(*problem(rng), Optimizer(ADAM), 0, 0)


@needs_cuda
def test_windows_are_sent_one_after_the_other(rng):
    """Of batches that are not all in memory; validation data stay on the device."""
    X, found = rng.normal(size=(30, 5)), []
    y, options = X[:, :3].argmax(axis=1), {"batch_size": 7, "dropout": 0.2, "buffer_size": 10}
    batches = [(X[:11], y[:11]), (X[11:], y[11:])]
    for name in ("numba-cuda", "python"):
        model = fastnn.MLPClassifier((3,), random_state=0, max_iter=1, tol=None, **options)
        with fastnn.use_backend(name):
            model.fit_batches(batches, validation_data=(X, y))
        found.append((model.params_, model.history_["val_loss"]))
    for mine, reference in zip(*found, strict=True):
        assert relative_error(mine, reference) < 1e-12


def test_without_cuda_the_reason_is_named():
    code = (
        "import fastnn; print(fastnn.available_backends()['numba-cuda'])\n"
        "try: fastnn.set_backend('numba-cuda')\n"
        "except RuntimeError as error: print(error)"
    )
    clean = {"PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run([sys.executable, "-c", code], env=clean, capture_output=True, text=True)
    reason, error = run.stdout.strip().splitlines()
    known = "the package numba-cuda is not installed", "no CUDA driver (", "no NVIDIA GPU ("
    assert reason.startswith(known)
    assert error == f"name: the back end 'numba-cuda' cannot be used: {reason}"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("\nlibcuda.so\ncannot be found\n", "no CUDA driver (libcuda.so cannot be found)"),
        ("CUDA_ERROR_NO_DEVICE (100)", "no NVIDIA GPU (CUDA_ERROR_NO_DEVICE (100))"),
        (None, "Numba finds no compiler for GPUs (NVVM): pip install 'fastnn[cuda]'"),
    ],
)
def test_driver_device_and_compiler_are_told_apart(error, reason, monkeypatch):
    from numba import cuda
    from numba.core import config

    driver = SimpleNamespace(driver=SimpleNamespace(initialization_error=error))
    monkeypatch.setattr(config, "ENABLE_CUDASIM", False)
    monkeypatch.setitem(sys.modules, "numba_cuda", SimpleNamespace())
    monkeypatch.setattr(cuda, "is_available", lambda: False)
    monkeypatch.setattr(cuda, "cudadrv", SimpleNamespace(driver=driver), raising=False)
    assert numba_cuda.unavailable.__wrapped__() == reason
