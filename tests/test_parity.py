"""Every kernel of every compiled back end against the plain Python reference."""

import numpy as np
import pytest
from conftest import COMPILED, relative_error
from formula_cases import (
    HIDDEN,
    OUTPUTS,
    WEIGHTS,
    network,
    samples,
    tamed,
    targets_for,
    weights_for,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fastnn import backends
from fastnn.backends import codes
from fastnn.backends.codes import ACTIVATIONS, OPTIMIZERS
from fastnn.backends.compressed import CompressedRows
from fastnn.backends.interface import Optimizer, Samples, Schedule, State

REFERENCE = backends.kernels("python")
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
        rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        self.net = network(
            sizes,
            (activation,) * n_hidden + (out,),
            loss,
            dropout=(rate,) * n_hidden + (0.0,),
            numbers=rng.random(n_hidden + 2) if draw(st.booleans()) else None,
        )
        self.dtype = draw(st.sampled_from(["float64", "float32"]))
        self.n = draw(st.integers(1, 13))
        self.batch_size = draw(st.integers(1, 14))
        self.penalties = {
            "alpha": draw(st.sampled_from([0.0, 0.3])),
            "l1": draw(st.sampled_from([0.0, 0.2])),
            "max_norm": draw(st.sampled_from([0.0, 0.0, 0.8])),
        }
        self.betas = draw(st.sampled_from([(0.9, 0.999), (0.3, 0.9), (0.0, 0.9)]))
        self.seed = draw(st.integers(0, 2**64 - 1))
        self.step = draw(st.integers(0, 2**33))
        kind = draw(st.sampled_from(["real", "sparse", "bytes"]))
        X = rng.normal(size=(self.n, sizes[0])).astype(self.dtype)
        if kind == "sparse":
            X *= rng.random(X.shape) < 0.2
        elif kind == "bytes":
            X = rng.integers(0, 256, X.shape, np.uint8)
            X[rng.random(X.shape) < 0.8] = 0
        targets = targets_for(loss, self.n, sizes[-1], rng).astype(self.dtype)
        scale = 1 / 255 if kind == "bytes" else 1.0
        weights = weights_for(draw(st.sampled_from(WEIGHTS)), self.n, rng)
        self.samples = samples(X, targets, scale, weights)
        params = 0.5 * rng.normal(size=self.net.n_parameters)
        self.params = tamed(self.net, params, X, scale).astype(self.dtype)
        self.order = np.stack([rng.permutation(self.n) for _ in range(3)])

    def __repr__(self):
        weighted = "" if self.samples.weights is None else ", weighted"
        return f"{self.net}, {self.dtype}, n={self.n}, X={self.samples.X.dtype}{weighted}"

    def optimizer(self, kind):
        return Optimizer(kind, *self.betas, epsilon=1e-4, weight_decay=0.1, **self.penalties)

    def train(self, kernels, kind, full_batch=False):
        params = self.params.copy()
        moments = np.zeros((OPTIMIZERS[kind].n_moments, len(params)), self.dtype)
        state = State(params, moments, self.step % 1000)
        rates = 0.001 * 0.9 ** np.arange(5)
        schedule = Schedule(self.order, self.batch_size, self.seed, rates)
        if full_batch:
            schedule = schedule._replace(order=self.order[:1], batch_size=self.n)
        optimizer, sums = self.optimizer(kind), np.zeros(5)
        if self.dtype == "float32":  # a weight next to 0 has either sign
            optimizer = optimizer._replace(l1=0.0)
        samples = kernels.to_device(self.samples)
        kernels.mlp_train(self.net, optimizer, state, samples, schedule, sums, 2)
        return params, moments, sums


cases = st.composite(Case)()


@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_forward_and_evaluate(name, case):
    kernels, tolerance = backends.kernels(name), GRADIENT_TOLERANCE[case.dtype]
    arguments = (case.net, case.params, case.samples)
    expected = REFERENCE.mlp_forward(*arguments, True, 1)
    outputs = kernels.mlp_forward(*arguments, True, 2)
    assert [o.shape for o in outputs] == [o.shape for o in expected]
    if not any(ACTIVATIONS[code].is_step for code in case.net.activations):
        # (a step turns rounding into a jump)
        for a, b in zip(outputs, expected, strict=True):
            assert relative_error(a, b) < tolerance
        # Few samples take another way.
        for n in (case.n, 1):
            few = Samples(case.samples.X[:n], case.samples.scale, None)
            found = kernels.mlp_forward(case.net, case.params, few, False, 1)
            assert len(found) == 1
            assert relative_error(found[0], expected[-1][:n]) < tolerance
    received = np.empty_like(outputs[-1])
    loss, n_right = kernels.mlp_evaluate(*arguments, 2, received)
    assert np.array_equal(received, outputs[-1])
    reference, reference_right = REFERENCE.mlp_evaluate(*arguments, 1)
    assert loss == pytest.approx(reference, rel=10 * tolerance, abs=tolerance)
    if case.dtype == "float64":
        assert n_right == pytest.approx(reference_right, rel=1e-12)


@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_loss_and_gradient(name, case):
    arguments = (case.net, case.params, case.samples, case.optimizer(codes.SGD))
    streams = (case.seed, case.step)
    loss, gradient = backends.kernels(name).mlp_loss_gradient(*arguments, *streams)
    reference, expected = REFERENCE.mlp_loss_gradient(*arguments, *streams)
    tolerance = GRADIENT_TOLERANCE[case.dtype]
    assert loss == pytest.approx(reference, rel=tolerance, abs=tolerance)
    assert np.abs(gradient - expected).max() < tolerance * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("kind", [row.code for row in OPTIMIZERS])
@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_training(name, kind, case):
    compare(case, backends.kernels(name), kind)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [row.code for row in OPTIMIZERS])
@pytest.mark.parametrize("name", COMPILED)
@given(case=cases)
@relaxed
def test_full_batch_training(name, kind, case):
    """Few samples in one batch, without dropout: the compiled back ends have a way of their own."""
    case.net = case.net._replace(dropout=(0.0,) * len(case.net.dropout))
    compare(case, backends.kernels(name), kind, full_batch=True)


def step_by(kernels, kind, dtype, gradients, **numbers):
    """Return the weight of y = w after steps down some gradients, from 0."""
    net = network((1, 1), (codes.IDENTITY,), codes.HALF_SQUARED_ERROR)
    n_moments = OPTIMIZERS[kind].n_moments
    state = State(np.zeros(2, dtype), np.zeros((n_moments, 2), dtype))
    for step, gradient in enumerate(gradients):
        # Of x = 0 there is no gradient but the bias's, y - t.
        target = np.array([[state.params[1] - gradient]], dtype)
        inputs = Samples(np.zeros((1, 1), dtype), 1.0, target)
        schedule = Schedule(np.zeros((1, 1), np.int64), 1, 0, np.full(1, 0.01))
        kernels.mlp_train(
            net,
            Optimizer(kind, **numbers),
            state._replace(step=step),
            inputs,
            schedule,
            np.zeros(1),
            1,
        )
    return state.params


MOVING = [codes.ADAM, codes.ADAMW, codes.NADAM, codes.RMSPROP, codes.ADAMW_KERAS]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize("betas", [(0.0, 0.0), (0.0, 0.9), (0.9, 0.01)])
def test_means_that_forget(compiled, kind, dtype, betas):
    """What was large before leaves no trace where beta is 0, not even of its rounding."""
    numbers = {"beta_1": betas[0], "beta_2": betas[1], "weight_decay": 0.0}
    gradients = [1.0, 2.0**-20, 2.0**-20, -(2.0**-22)]
    found = step_by(compiled, kind, dtype, gradients, **numbers)
    expected = step_by(REFERENCE, kind, dtype, gradients, **numbers)
    assert found == pytest.approx(expected, rel={"float64": 1e-9, "float32": 1e-2}[dtype])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("kind", MOVING)
@pytest.mark.parametrize("size", [1.0, 1e-12, 1e-18, 1e-30])
@pytest.mark.parametrize("epsilon", [1e-8, 1e-25, 1e-40, 1e-45])
def test_no_epsilon_makes_a_step_explode(compiled, kind, dtype, size, epsilon):
    """Where the square of a gradient is 0, too; and an input that is never there moves nothing."""
    w, bias = step_by(compiled, kind, dtype, [size] * 4, epsilon=epsilon, weight_decay=0.0)
    assert w == 0
    assert -1 < bias <= 0


@pytest.mark.parametrize("margin", [1, 10, 15, 17, 20, 30])
@pytest.mark.parametrize("loss", ["SPARSE_CATEGORICAL_CROSSENTROPY", "CATEGORICAL_CROSSENTROPY"])
def test_the_gradient_of_a_label_that_is_nearly_certain(compiled, margin, loss):
    """As far as float32 reaches: Adam divides by the size of just these gradients."""
    code = getattr(codes, loss)
    net = network((1, 3), (codes.SOFTMAX,), code)
    target = [[0.0]] if loss.startswith("SPARSE") else [[1.0, 0, 0]]
    inputs = Samples(np.ones((1, 1), np.float32), 1.0, np.array(target, np.float32))
    params = np.array([0, 0, 0, margin, 0, 0], np.float32)
    value, gradient = compiled.mlp_loss_gradient(net, params, inputs, Optimizer(codes.SGD), 1, 0)
    rest = 2 * np.exp(-float(margin))
    expected = [-rest / (1 + rest), rest / 2 / (1 + rest), rest / 2 / (1 + rest)]
    assert gradient[3:] == pytest.approx(expected, rel=1e-6)
    assert value == pytest.approx(np.log1p(rest), rel=1e-6)


def compare(case, kernels, kind, full_batch=False):
    """Compare a training of a back end with the reference's."""
    tolerance = TRAINED_TOLERANCE[case.dtype]
    expected, expected_moments, expected_sums = case.train(REFERENCE, kind, full_batch)
    # What diverges says nothing.
    assume(np.abs(expected).max() < 100 and np.abs(expected_sums).max() < 1e6)
    params, moments, sums = case.train(kernels, kind, full_batch)
    assert relative_error(params, expected) < tolerance
    assert relative_error(sums, expected_sums) < tolerance
    assert np.abs(moments - expected_moments).max(initial=0) < tolerance * max(
        1.0, np.abs(expected_moments).max(initial=0)
    )


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("online", [False, True])
@pytest.mark.parametrize("bias", [0, 1])
@pytest.mark.parametrize(("n", "d", "k"), [(1, 1, 1), (7, 5, 1), (40, 33, 1), (30, 70, 3)])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_perceptron_and_delta_rule(compiled, dtype, online, n, d, k, bias, is_weighted, rng):
    X = rng.normal(size=(n, d)).astype(dtype)
    signs = np.where(rng.random((n, k)) < 0.5, -1, 1).astype(dtype)
    orders = np.stack([rng.permutation(n) for _ in range(4)])
    start = rng.random((bias + d, k)).astype(dtype)
    weights = rng.uniform(0.1, 2, n).astype(dtype) if is_weighted else None
    tolerance = {"float64": 1e-10, "float32": 2e-4}[dtype]
    results = []
    for kernels in (REFERENCE, compiled):
        w, v = start.copy(), start.copy()
        history, losses, squares = np.zeros((6, bias + d, k), dtype), np.zeros(6), np.zeros(6)
        given = X, signs, w, 0.1, orders, online, losses, history
        epochs = kernels.perceptron_train(*given, weights)
        losses[epochs:] = 0  # that of an epoch without mistakes means nothing
        kernels.linear_train(X, signs, v, 0.01, orders, online, squares, weights)
        results.append((epochs, w, history, losses, v, squares))
    expected, found = results
    assert found[0] == expected[0]
    for a, b in zip(found[1:], expected[1:], strict=True):
        assert relative_error(a, b) < tolerance


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("weight", [0.0, 1.0])
@pytest.mark.parametrize("online", [False, True])
def test_what_is_not_finite_shows_in_the_loss(backend, value, weight, online):
    """Also where the sign is right: by this a fit sees that X is not finite."""
    X, signs = np.array([[1.0, 2], [value, 1]]), np.array([[1.0], [-1 if value < 0 else 1]])
    w, losses = np.full((2, 2, 1), weight), np.zeros((2, 1))
    order, history, kernels = np.arange(2)[np.newaxis], np.empty((0, 2, 1)), backends.kernels()
    kernels.perceptron_train(X, signs, w[0], 0.1, order, online, losses[0], history)
    kernels.linear_train(X, signs, w[1], 0.1, order, online, losses[1])
    assert not np.isfinite(losses).any()


def test_xor_run(compiled):
    """The whole of system 7: 100,001 epochs, against 5,000 of the reference."""
    X = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]])
    T = np.array([[0.0], [1], [1], [0]])
    net = network((2, 10, 1), (codes.SIGMOID,) * 2, codes.HALF_SQUARED_ERROR)
    start = np.random.default_rng(7).random(41)
    results = []
    for kernels, n_epochs in ((REFERENCE, 5000), (compiled, 5000), (compiled, 100_001)):
        state = State(start.copy(), np.zeros((0, 41)))
        schedule = Schedule(np.arange(4)[np.newaxis], 4, 0, np.full(n_epochs, 0.1))
        sums = np.zeros(n_epochs)
        kernels.mlp_train(net, Optimizer(codes.SGD), state, Samples(X, 1.0, T), schedule, sums, 1)
        results.append((state.params, sums))
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


@pytest.mark.slow
@pytest.mark.parametrize("level", _cython_levels())
@given(case=cases)
@relaxed
def test_processor_levels(level, case):
    """Vectors of every length give the reference's training."""
    from fastnn.backends.cpu.compiled import Compiled
    from fastnn.backends.cython_cpu import load_level

    compare(case, Compiled(lambda dtype: load_level(level, dtype)), codes.ADAM)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("kind", "units"), [("dense", 200), ("sparse", 200), ("sparse", 5)])
def test_threads_do_not_change_the_result(compiled, dtype, kind, units, rng, monkeypatch):
    """Bitwise, with every way to share out the work: few panels, many, not a multiple."""
    monkeypatch.setattr("fastnn.backends.cpu.panels.WORK_PER_THREAD", 1)
    monkeypatch.setattr("fastnn.backends.cpu.panels.available_processors", lambda: 8)
    X = rng.normal(size=(50, 60)) * (rng.random((50, 60)) < (0.2 if kind == "sparse" else 1))
    X = X.astype(dtype)
    targets = rng.integers(0, 5, (50, 1)).astype(dtype)
    net = network(
        (60, units, 70, 5),
        (codes.RELU, codes.TANH, codes.SOFTMAX),
        codes.SPARSE_CATEGORICAL_CROSSENTROPY,
        dropout=(0.2, 0.5, 0.0),
    )
    samples = compiled.to_device(Samples(X, 1.0, targets))
    assert isinstance(samples.X, CompressedRows) == (kind == "sparse")
    start = (0.1 * rng.normal(size=net.n_parameters)).astype(dtype)
    schedule = Schedule(np.arange(50)[np.newaxis], 16, 1, np.full(3, 0.01))
    results = []
    for n_threads in (1, 2, 3):
        state = State(start.copy(), np.zeros((2, len(start)), dtype))
        sums = np.zeros(3)
        compiled.mlp_train(net, Optimizer(codes.ADAM), state, samples, schedule, sums, n_threads)
        loss = compiled.mlp_evaluate(net, state.params, samples, n_threads)
        results.append((state.params, state.moments, sums, loss))
    for found in results[1:]:
        assert (found[0] == results[0][0]).all()
        assert (found[1] == results[0][1]).all()
        assert (found[2] == results[0][2]).all()
        assert found[3] == results[0][3]


@pytest.mark.parametrize("n", [1, 9])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_softmax_of_what_is_no_number(backend, dtype, n):
    """NaN in one unit's weights is NaN in all probabilities; what is far below the others is 0."""
    net = network((2, 3), (codes.SOFTMAX,), codes.SPARSE_CATEGORICAL_CROSSENTROPY)
    kernels, X = backends.kernels(), Samples(np.ones((n, 2), dtype), 1.0, None)
    params = np.array([0, 0, 0, 0, 0, 0, 1, 2, 0], dtype)
    params[-1] = np.nan
    assert np.isnan(kernels.mlp_forward(net, params, X, False, 1)[0]).all()
    params[-1] = -2000
    found = kernels.mlp_forward(net, params, X, False, 1)[0]
    assert (found[:, 2] == 0).all()
    np.testing.assert_allclose(found[:, 1], 1 / (1 + np.exp(-1.0)), rtol=1e-6)
