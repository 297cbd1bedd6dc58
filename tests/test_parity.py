"""Every kernel of every compiled back end against the plain Python reference."""

import numpy as np
import pytest
from conftest import COMPILED, relative_error
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastnn import backends
from fastnn.backends import interface as api
from fastnn.backends.interface import Network, Optimizer

REFERENCE = backends.kernels("python")
HIDDEN = [api.SIGN, api.PURELIN, api.SIGMOID, api.TANH, api.SOFTSIGN, api.RELU]
# Which outputs go with which loss.
OUTPUTS = {
    api.HALF_SQUARED_ERROR: [*HIDDEN, api.SOFTMAX],
    api.SQUARED_ERROR: [*HIDDEN, api.SOFTMAX],
    api.BINARY_CROSSENTROPY: [api.SIGMOID],
    api.CATEGORICAL_CROSSENTROPY: [api.SOFTMAX],
    api.SPARSE_CATEGORICAL_CROSSENTROPY: [api.SOFTMAX],
}
# One gradient agrees to rounding. The parameters after a few steps: Adam divides by the root of
# the mean squared gradient, which makes rounding errors of tiny gradients visible.
GRADIENT_TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
TRAINED_TOLERANCE = {"float64": 1e-8, "float32": 5e-3}

relaxed = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


class Case:
    """A random network with data that suits it."""

    def __init__(self, draw):
        loss = draw(st.sampled_from(list(OUTPUTS)))
        n_hidden = draw(st.integers(0, 3))
        sizes = [draw(st.integers(1, 40)) for _ in range(n_hidden + 1)] + [draw(st.integers(1, 9))]
        activation = draw(st.sampled_from(HIDDEN))
        out = draw(st.sampled_from(OUTPUTS[loss]))
        rate = draw(st.sampled_from([0.0, 0.2, 0.5]))
        self.net = Network(
            tuple(sizes), (activation,) * n_hidden + (out,), (rate,) * n_hidden + (0.0,), loss
        )
        self.dtype = draw(st.sampled_from(["float64", "float32"]))
        self.n = draw(st.integers(1, 13))
        self.batch_size = draw(st.integers(1, 14))
        self.alpha = draw(st.sampled_from([0.0, 0.3]))
        self.seed = draw(st.integers(0, 2**64 - 1))
        self.step = draw(st.integers(0, 2**33))
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        kind = draw(st.sampled_from(["real", "sparse", "bytes"]))
        self.X = rng.normal(size=(self.n, sizes[0])).astype(self.dtype)
        if kind == "sparse":
            self.X *= rng.random(self.X.shape) < 0.2
        elif kind == "bytes":
            self.X = rng.integers(0, 256, self.X.shape, np.uint8)
            self.X[rng.random(self.X.shape) < 0.8] = 0
        self.scale = 1 / 255 if kind == "bytes" else 1.0
        targets = rng.random((self.n, sizes[-1]))
        if loss == api.CATEGORICAL_CROSSENTROPY:
            targets /= targets.sum(axis=1, keepdims=True)
        elif loss == api.SPARSE_CATEGORICAL_CROSSENTROPY:
            targets = rng.integers(0, sizes[-1], (self.n, 1))
        self.targets = targets.astype(self.dtype)
        self.params = (0.5 * rng.normal(size=self.net.n_parameters)).astype(self.dtype)
        self.orders = np.stack([rng.permutation(self.n) for _ in range(3)])

    def __repr__(self):
        return f"{self.net}, {self.dtype}, n={self.n}, X={self.X.dtype}"

    def train(self, kernels, optimizer, full_batch=False):
        params = self.params.copy()
        moments = np.zeros((api.N_MOMENTS[optimizer.kind], len(params)), self.dtype)
        sums = np.zeros(5)
        kernels.mlp_train(
            *(self.net, optimizer, params, moments, self.X, self.scale, self.targets),
            *(self.orders[:1] if full_batch else self.orders,),
            *(self.n if full_batch else self.batch_size, self.seed, self.step % 1000, sums, 2),
        )
        return params, moments, sums


cases = st.composite(Case)()


@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_forward_and_evaluate(name, case):
    kernels, tolerance = backends.kernels(name), GRADIENT_TOLERANCE[case.dtype]
    arguments = (case.net, case.params, case.X, case.scale)
    expected = REFERENCE.mlp_forward(*arguments, True, 1)
    outputs = kernels.mlp_forward(*arguments, True, 2)
    assert [o.shape for o in outputs] == [o.shape for o in expected]
    if api.SIGN not in case.net.activations:  # a step turns rounding into a jump
        for a, b in zip(outputs, expected, strict=True):
            assert relative_error(a, b) < tolerance
        # Few samples take another way.
        for n in (case.n, 1):
            few = kernels.mlp_forward(case.net, case.params, case.X[:n], case.scale, False, 1)
            assert len(few) == 1
            assert relative_error(few[0], expected[-1][:n]) < tolerance
    loss, n_right = kernels.mlp_evaluate(*arguments, case.targets, 2)
    reference, reference_right = REFERENCE.mlp_evaluate(*arguments, case.targets, 1)
    assert loss == pytest.approx(reference, rel=10 * tolerance)
    if case.dtype == "float64":
        assert n_right == reference_right


@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_loss_and_gradient(name, case):
    arguments = (case.net, case.params, case.X, case.scale, case.targets, case.alpha)
    streams = (case.seed, case.step)
    loss, gradient = backends.kernels(name).mlp_loss_gradient(*arguments, *streams)
    reference, expected = REFERENCE.mlp_loss_gradient(*arguments, *streams)
    tolerance = GRADIENT_TOLERANCE[case.dtype]
    assert loss == pytest.approx(reference, rel=tolerance, abs=tolerance)
    assert np.abs(gradient - expected).max() < tolerance * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("kind", [api.SGD, api.MOMENTUM, api.ADAM])
@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_training(name, kind, case):
    optimizer = Optimizer(kind, 0.001, epsilon=1e-4, alpha=case.alpha)
    params, moments, sums = case.train(backends.kernels(name), optimizer)
    expected, expected_moments, expected_sums = case.train(REFERENCE, optimizer)
    tolerance = TRAINED_TOLERANCE[case.dtype]
    assert relative_error(params, expected) < tolerance
    assert relative_error(sums, expected_sums) < tolerance
    if len(moments):
        assert np.abs(moments - expected_moments).max() < tolerance * max(
            1.0, np.abs(expected_moments).max()
        )


@pytest.mark.parametrize("kind", [api.SGD, api.MOMENTUM, api.ADAM])
@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_full_batch_training(name, kind, case):
    """Few samples in one batch, without dropout: the compiled back ends have a way of their own."""
    case.net = case.net._replace(dropout=(0.0,) * len(case.net.dropout))
    optimizer = Optimizer(kind, 0.001, epsilon=1e-4, alpha=case.alpha)
    params, moments, sums = case.train(backends.kernels(name), optimizer, full_batch=True)
    expected, expected_moments, expected_sums = case.train(REFERENCE, optimizer, full_batch=True)
    tolerance = TRAINED_TOLERANCE[case.dtype]
    assert relative_error(params, expected) < tolerance
    assert relative_error(sums, expected_sums) < tolerance
    assert np.abs(moments - expected_moments).max(initial=0) < tolerance * max(
        1.0, np.abs(expected_moments).max(initial=0)
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("bias", [0, 1])
@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (7, 5, 1), (40, 33, 1), (30, 70, 3)])
def test_perceptron_and_delta_rule(compiled, dtype, online, n, d, k, bias, rng):
    X = rng.normal(size=(n, d)).astype(dtype)
    signs = np.where(rng.random((n, k)) < 0.5, -1, 1).astype(dtype)
    orders = np.stack([rng.permutation(n) for _ in range(4)])
    start = rng.random((bias + d, k)).astype(dtype)
    tolerance = {"float64": 1e-10, "float32": 2e-4}[dtype]
    results = []
    for kernels in (REFERENCE, compiled):
        w, v = start.copy(), start.copy()
        history, losses = np.zeros((6, bias + d, k), dtype), np.zeros(6)
        epochs = kernels.perceptron_train(X, signs, w, 0.1, 6, orders, online, history)
        kernels.linear_train(X, signs, v, 0.01, orders, online, losses)
        results.append((epochs, w, history, v, losses))
    expected, found = results
    assert found[0] == expected[0]
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert relative_error(a, b) < tolerance


def test_xor_run(compiled):
    """The whole of system 7: 100,001 epochs, against 5,000 of the reference."""
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    T = np.array([[0.0], [1], [1], [0]])
    net = Network((2, 10, 1), (api.SIGMOID,) * 2, (0.0, 0.0), api.HALF_SQUARED_ERROR)
    start = np.random.default_rng(7).random(41)
    results = []
    for kernels, n_epochs in ((REFERENCE, 5000), (compiled, 5000), (compiled, 100_001)):
        params, sums = start.copy(), np.zeros(n_epochs)
        kernels.mlp_train(
            *(net, Optimizer(api.SGD, 0.1), params, np.zeros((0, 41)), X, 1.0, T),
            *(np.arange(4)[np.newaxis], 4, 0, 0, sums, 1),
        )
        results.append((params, sums))
    assert relative_error(results[1][0], results[0][0]) < 1e-9
    assert relative_error(results[1][1], results[0][1]) < 1e-9
    assert results[2][1][-1] / 4 < 4e-4


def _cython_levels():
    """Return the processor levels that were built and that this processor has."""
    from fastnn.backends import cython_cpu as cython

    if cython.unavailable() is not None:
        return []
    best = cython._best_level()
    return [best] if best == "plain" else [f"v{n}" for n in range(2, int(best[1:]) + 1)]


@pytest.mark.parametrize("level", _cython_levels())
@given(case=cases)
@relaxed
def test_processor_levels(level, case):
    """Vectors of every length give the reference's training."""
    from fastnn.backends.cpu.compiled import Compiled
    from fastnn.backends.cython_cpu import load_level

    kernels = Compiled(lambda dtype: load_level(level, dtype))
    optimizer = Optimizer(api.ADAM, 0.001, epsilon=1e-4, alpha=case.alpha)
    expected, found = case.train(REFERENCE, optimizer), case.train(kernels, optimizer)
    assert relative_error(found[0], expected[0]) < TRAINED_TOLERANCE[case.dtype]
    assert relative_error(found[2], expected[2]) < TRAINED_TOLERANCE[case.dtype]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_threads_do_not_change_the_result(compiled, dtype, kind, rng, monkeypatch):
    """Bitwise, with every way to share out the work: few panels, many, not a multiple."""
    monkeypatch.setattr("fastnn.backends.cpu.panels.WORK_PER_THREAD", 1)
    monkeypatch.setattr("fastnn.backends.cpu.panels.available_processors", lambda: 8)
    X = rng.normal(size=(50, 60)) * (rng.random((50, 60)) < (0.2 if kind == "sparse" else 1))
    X = X.astype(dtype)
    targets = rng.integers(0, 5, (50, 1)).astype(dtype)
    net = Network(
        (60, 200, 70, 5),
        (api.RELU, api.TANH, api.SOFTMAX),
        (0.2, 0.5, 0.0),
        api.SPARSE_CATEGORICAL_CROSSENTROPY,
    )
    start = (0.1 * rng.normal(size=net.n_parameters)).astype(dtype)
    results = []
    for n_threads in (1, 2, 3):
        params, sums = start.copy(), np.zeros(3)
        moments = np.zeros((2, len(params)), dtype)
        compiled.mlp_train(
            *(net, Optimizer(api.ADAM, 0.01), params, moments, X, 1.0, targets),
            *(np.arange(50)[np.newaxis], 16, 1, 0, sums, n_threads),
        )
        loss = compiled.mlp_evaluate(net, params, X, 1.0, targets, n_threads)
        results.append((params, moments, sums, loss))
    for found in results[1:]:
        assert (found[0] == results[0][0]).all()
        assert (found[1] == results[0][1]).all()
        assert (found[2] == results[0][2]).all()
        assert found[3] == results[0][3]
