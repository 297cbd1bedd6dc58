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

import fastnn
from fastnn import backends
from fastnn.backends import interface as api
from fastnn.backends import numba_cuda
from fastnn.network import make_network

REASON = fastnn.available_backends()["numba-cuda"]
needs_cuda = pytest.mark.skipif(REASON is not None, reason=f"no CUDA: {REASON}")

REFERENCE = backends.kernels("python")
OUTPUTS = (  # output activation, loss, number of outputs
    ("purelin", "half_squared_error", 3),
    ("tanh", "squared_error", 2),
    ("softmax", "half_squared_error", 3),
    ("sigmoid", "binary_crossentropy", 1),
    ("softmax", "categorical_crossentropy", 3),
    ("softmax", "sparse_categorical_crossentropy", 5),
)
LARGE = ("large, 1", "large, 2", "large, 4")


@pytest.fixture
def take(monkeypatch):
    """Return a function that gives the kernels, made to take one of their ways."""

    def way(name):
        if name.startswith("large"):
            work = int(name[-1])  # outputs of a thread, along each side
            monkeypatch.setattr(numba_cuda, "SMALL_STEP", 0)
            monkeypatch.setattr("fastnn.backends.numba_cuda.large.work_for", lambda *given: work)
        elif name == "small, weights in global memory":
            from fastnn.backends.numba_cuda import small

            plan = small.plan
            monkeypatch.setattr(
                small, "plan", lambda *given: plan(*given)._replace(n_state=0)
            )
        return backends.kernels("numba-cuda")

    return way


@pytest.fixture(params=["small", "small, weights in global memory", "large, 4"])
def cuda(request, take):
    """Return the kernels for each of the ways that differ most."""
    return take(request.param)


def problem(rng, outputs=OUTPUTS[-1], dtype=np.float64, dropout=0.0, activation="tanh", n=11):
    """Return a network, its parameters, inputs of bytes, and targets."""
    out_activation, loss, n_outputs = outputs
    net = make_network((7, 6, 5, n_outputs), activation, out_activation, dropout, loss)
    params = rng.normal(0, 0.5, net.n_parameters).astype(dtype)
    X = rng.integers(0, 256, (n, 7), np.uint8)
    if loss == "sparse_categorical_crossentropy":
        targets = rng.integers(0, n_outputs, (n, 1))
    elif loss == "categorical_crossentropy":
        targets = np.eye(n_outputs)[rng.integers(0, n_outputs, n)]
    else:
        targets = rng.integers(0, 2, (n, n_outputs))
    return net, params, X, 1 / 255, targets.astype(dtype)


def test_where_a_network_is_trained():
    """In shared memory with its weights, without them, or not by a block at all."""
    small = pytest.importorskip("fastnn.backends.numba_cuda.small")
    net = problem(np.random.default_rng(0))[0]
    assert net.n_parameters * 11 < numba_cuda.SMALL_STEP
    assert small.plan(net, 4, 2, 8).n_state == 3 * net.n_parameters
    columns, rows = small.plan(net, 4, 2, 8, 1000).threads
    assert rows == min(4, small.MAX_THREADS // columns)
    deep = make_network((9, *(70,) * 3, 5), "tanh", "softmax", 0.0, "categorical_crossentropy")
    layout = small.plan(deep, 4, 2, 8)
    assert layout.n_state == 0
    assert layout.n_shared * 8 <= small.SHARED_BYTES
    assert small.plan(deep, 1000, 2, 8) is None


@needs_cuda
@pytest.mark.parametrize("activation", ["sign", "purelin", "sigmoid", "tanh", "softsign", "relu"])
def test_forward(rng, activation):
    cuda = backends.kernels("numba-cuda")
    net, params, X, scale, _ = problem(rng, activation=activation)
    found = cuda.mlp_forward(net, params, X, scale, True, 1)
    expected = REFERENCE.mlp_forward(net, params, X, scale, True, 1)
    for values, reference in zip(found, expected, strict=True):
        assert relative_error(values, reference) < 1e-12
    (last,) = cuda.mlp_forward(net, params, X, scale, False, 1)
    assert np.array_equal(last, found[-1])


@needs_cuda
@pytest.mark.parametrize("outputs", OUTPUTS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_gradient_and_evaluation(cuda, rng, outputs, dtype, tolerance):
    net, params, X, scale, targets = problem(rng, outputs, dtype, dropout=0.3)
    args = (net, params, X, scale, targets)
    loss, gradient = cuda.mlp_loss_gradient(*args, 0.1, 2**40 + 3, 5)
    expected_loss, expected = REFERENCE.mlp_loss_gradient(*args, 0.1, 2**40 + 3, 5)
    assert loss == pytest.approx(expected_loss, rel=tolerance)
    assert relative_error(gradient, expected) < tolerance
    loss, right = cuda.mlp_evaluate(*args, 1)
    expected_loss, expected_right = REFERENCE.mlp_evaluate(*args, 1)
    assert (loss, right) == (pytest.approx(expected_loss, rel=tolerance), expected_right)


@needs_cuda
@pytest.mark.parametrize("way", ["small", "small, weights in global memory", *LARGE])
@pytest.mark.parametrize("solver", [api.SGD, api.MOMENTUM, api.ADAM])
def test_training(take, way, rng, solver):
    cuda = take(way)
    net, params, X, scale, targets = problem(rng, dropout=0.25)
    optimizer = api.Optimizer(solver, 0.05, alpha=0.01)
    order = np.array([rng.permutation(11)[:6] for _ in range(2)])
    results = []
    for kernels in (cuda, REFERENCE):
        w, losses = params.copy(), np.zeros(2)
        moments = np.zeros((api.N_MOMENTS[solver], len(params)))
        kernels.mlp_train(
            *(net, optimizer, w, moments, X, scale, targets, order, 4, 99, 2**32 - 2, losses, 1)
        )
        results.append((w, losses, moments))
    for values, reference in zip(*results, strict=True):
        if values.size:
            assert relative_error(values, reference) < 1e-12


@needs_cuda
@pytest.mark.parametrize("n_orders", [1, 3])
def test_many_networks(cuda, rng, n_orders, monkeypatch):
    net, _, X, scale, targets = problem(rng, dropout=0.25)
    if numba_cuda.SMALL_STEP == 0:  # as if too large for a block: one network after the other
        monkeypatch.setattr("fastnn.backends.numba_cuda.small.SHARED_BYTES", 0)
    params = rng.normal(0, 0.5, (3, net.n_parameters))
    seeds, rates = np.array([1, 2**63, 3], np.uint64), np.array([0.05, 0.1, 0.01])
    order = np.array([[rng.permutation(11)[:6]] for _ in range(n_orders)])
    results = []
    for kernels in (cuda, REFERENCE):
        w, moments, losses = params.copy(), np.zeros((3, 2, net.n_parameters)), np.zeros((3, 1))
        kernels.mlp_train_many(
            *(net, api.Optimizer(api.ADAM, 9.0), rates, w, moments, X, scale, targets, order, 4),
            *(seeds, 7, losses, 1),
        )
        results.append((w, moments, losses))
    for values, reference in zip(*results, strict=True):
        assert relative_error(values, reference) < 1e-12


@needs_cuda
def test_distorted_images_stay_on_the_device(rng, monkeypatch):
    cuda = backends.kernels("numba-cuda")
    monkeypatch.setattr(numba_cuda, "IMAGES_AT_ONCE", 2)  # each block has several images
    images = rng.integers(0, 256, (5, 6 * 5), np.uint8)
    arguments = (api.ImageDistortion(6, 5, sigma=2.0), rng.random(5), 2**40 + 3, 4, 1)
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
@pytest.mark.parametrize(("online", "bias"), [*itertools.product([True, False], [0, 1])])
def test_single_layers(rng, online, bias):
    cuda = backends.kernels("numba-cuda")
    X = rng.normal(size=(7, 9))
    targets = np.where(rng.random((7, 2)) > 0.5, 1.0, -1.0)
    start = 0.1 * rng.normal(size=(9 + bias, 2))
    order = np.array([rng.permutation(7) for _ in range(2)])
    results = []
    for kernels in (cuda, REFERENCE):
        w, history = start.copy(), np.full((3, *start.shape), np.nan)
        epochs = kernels.perceptron_train(X, targets, w, 0.1, 3, order, online, history)
        linear, losses = start.copy(), np.empty(2)
        kernels.linear_train(X, targets, linear, 0.02, order, online, losses)
        results.append((epochs, w, history[:epochs], linear, losses))
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
        cuda.mlp_loss_gradient(*problem(rng), 0.0, 0, 0)


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
