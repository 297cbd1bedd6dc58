"""Networks side by side become what each would become alone."""

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
from scipy.sparse import csr_array

from fastnn import backends
from fastnn.backends import codes
from fastnn.backends.codes import OPTIMIZERS
from fastnn.backends.cpu import lanes
from fastnn.backends.interface import Network, Optimizer, Samples, Schedule, State
from fastnn.sparse import compressed_rows

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}
N_EPOCHS = 3
L = 8  # lanes of float64, at most

pytestmark = pytest.mark.skipif(not COMPILED, reason="no compiled back end")


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Whatever the size."""
    monkeypatch.setattr(lanes, "pays", lambda *arguments: True)


class Case:
    """Some networks of a shape that differ in all they may, with data that suits them.

    `ragged`: their orders have different lengths, and so have their epochs.
    """

    def __init__(
        self,
        m=3,
        sizes=(5, 6, 3),
        activations=(codes.TANH, codes.SOFTMAX),
        loss=codes.SPARSE_CATEGORICAL_CROSSENTROPY,
        optimizer=codes.SGD,
        *,
        dtype="float64",
        kind="real",
        n=11,
        batch_size=4,
        weights="none",
        dropout=0.0,
        penalties=True,
        ragged=True,
    ):
        rng = np.random.default_rng(0)
        X, scale = rng.normal(size=(n, sizes[0])).astype(dtype), 1.0
        if "bytes" in kind:
            X, scale = rng.integers(0, 256, X.shape).astype(np.uint8), 1 / 255
        if "compressed" in kind:
            X *= (rng.random(X.shape) < 0.3).astype(X.dtype)
        targets = targets_for(loss, n, sizes[-1], rng).astype(dtype)
        self.samples = samples(X, targets, scale, weights_for(weights, n, rng))
        self.dense = self.samples
        if "compressed" in kind:
            self.samples = self.samples._replace(X=compressed_rows(csr_array(X)))
        self.networks, self.optimizers, self.params, self.schedules = [], [], [], []
        self.steps = rng.integers(0, 50, m).tolist()
        for i in range(m):
            rates = [dropout * (i % 3) / 2] * (len(activations) - 1) + [0.0]
            net = network(sizes, activations, loss, rates, rng.random(len(activations) + 1))
            self.networks.append(net)
            params = tamed(net, 0.4 * rng.normal(size=net.n_parameters), X, scale)
            self.params.append(params.astype(dtype))
            penalty = [float(rng.choice([0.0, number])) for number in (0.1, 0.05, 0.9)]
            alpha, l1, max_norm = penalty if penalties else [0.0] * 3
            betas = rng.uniform(0.5, 0.95), rng.uniform(0.9, 0.999)
            decay = 0.1 * rng.random()
            self.optimizers.append(Optimizer(optimizer, *betas, 1e-4, alpha, l1, decay, max_norm))
            size = max(1, n - i % 5) if ragged else n
            order = np.stack([rng.permutation(n)[:size] for _ in range(1 + i % 2)])
            learning_rates = rng.uniform(1e-3, 1e-2, N_EPOCHS)
            self.schedules.append(
                Schedule(order, batch_size, int(rng.integers(2**63)), learning_rates)
            )
        self.n_moments = OPTIMIZERS[optimizer].n_moments

    def states(self, chosen):
        return [
            State(p.copy(), np.full((self.n_moments, len(p)), 0.01, p.dtype), step)
            for p, step in ((self.params[i], self.steps[i]) for i in chosen)
        ]

    def together(self, kernels, chosen=None, n_threads=1):
        """Return parameters, moments and losses of the chosen networks, trained in one call."""
        chosen = range(len(self.networks)) if chosen is None else chosen
        states, sums = self.states(chosen), [np.full(N_EPOCHS, np.nan) for _ in chosen]
        kernels.mlp_train_many(
            [self.networks[i] for i in chosen],
            [self.optimizers[i] for i in chosen],
            states,
            self.samples,
            [self.schedules[i] for i in chosen],
            sums,
            n_threads,
        )
        return [(s.params, s.moments, own) for s, own in zip(states, sums, strict=True)]

    def alone(self, kernels, i, dense=False):
        (state,), sums = self.states([i]), np.zeros(N_EPOCHS)
        kernels.mlp_train(
            self.networks[i],
            self.optimizers[i],
            state,
            self.dense if dense else self.samples,
            self.schedules[i],
            sums,
            1,
        )
        return state.params, state.moments, sums

    def check(self, kernels, n_threads=1):
        """Assert that all networks become what each becomes alone."""
        tolerance = TOLERANCE[self.params[0].dtype.name]
        for i, found in enumerate(self.together(kernels, n_threads=n_threads)):
            for values, expected in zip(found, self.alone(kernels, i), strict=True):
                assert np.isfinite(expected).all()
                assert expected.size == 0 or relative_error(values, expected) < tolerance


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("loss", list(OUTPUTS))
def test_losses(compiled, loss, dtype):
    for out in OUTPUTS[loss]:
        Case(activations=(codes.TANH, out), loss=loss, dtype=dtype, weights="random").check(
            compiled
        )


@pytest.mark.parametrize("dtype", list(TOLERANCE))
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations_and_dropout(compiled, activation, dtype):
    case = Case(
        4,
        (5, 7, 4, 2),
        (activation, activation, codes.IDENTITY),
        codes.HALF_SQUARED_ERROR,
        codes.MOMENTUM,
        dtype=dtype,
        dropout=0.0 if activation == codes.EXPONENTIAL else 0.4,
    )
    case.check(compiled)


@pytest.mark.parametrize("kind", ["real", "bytes", "compressed", "compressed bytes"])
@pytest.mark.parametrize("optimizer", [row.code for row in OPTIMIZERS])
def test_optimizers_and_inputs(compiled, optimizer, kind):
    case = Case(L + 3, (9, 7, 3), optimizer=optimizer, kind=kind, dropout=0.3, weights="some zero")
    case.check(compiled, n_threads=2)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("optimizer", [codes.SGD, codes.ADAM])
@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_samples(compiled, weights, optimizer, batch_size):
    """Batches that are full, of one sample, and in which no sample of a network counts."""
    case = Case(5, optimizer=optimizer, weights=weights, batch_size=batch_size, penalties=False)
    case.check(compiled)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 9), (2, 10, 1), (4, 5, 6, 7, 8)])
@pytest.mark.parametrize("n", [1, 2, 13])
def test_sizes(compiled, sizes, n):
    """Tiles of all sizes, also without a hidden layer; all samples in one batch, unshuffled."""
    activations = (codes.SIGMOID,) * (len(sizes) - 1)
    loss = codes.HALF_SQUARED_ERROR
    for penalties in (False, True):
        case = Case(3, sizes, activations, loss, n=n, batch_size=n, penalties=penalties)
        case.schedules = [s._replace(order=np.arange(n)[np.newaxis]) for s in case.schedules]
        case.check(compiled)


def test_the_specification(compiled):
    reference = backends.kernels("python")
    for optimizer in (codes.ADAM, codes.NADAM):
        case = Case(3, optimizer=optimizer, dropout=0.3, weights="some zero", kind="compressed")
        for i, found in enumerate(case.together(compiled)):
            for values, expected in zip(found, case.alone(reference, i, dense=True), strict=True):
                assert relative_error(values, expected) < 1e-10


@pytest.mark.parametrize("optimizer", [codes.SGD, codes.ADAM])
def test_who_else_is_there_does_not_change_a_bit(compiled, optimizer):
    """Nor do threads, or the lane."""
    m = 2 * L + 1
    case = Case(m, optimizer=optimizer, weights="some zero", dropout=0.2)
    whole = case.together(compiled)
    for chosen, n_threads in [
        (range(m), 2),
        (range(m), 5),
        (range(m - 1, -1, -1), 1),
        ([3], 1),
        ([4, 9, 3], 2),
        (range(L), 1),
    ]:
        found = case.together(compiled, chosen, n_threads)
        for i, own in zip(chosen, found, strict=True):
            for values, expected in zip(own, whole[i], strict=True):
                assert np.array_equal(values, expected)


@pytest.mark.parametrize("kind", ["real", "bytes", "compressed", "compressed bytes"])
@pytest.mark.parametrize("n_orders", [1, 3])
def test_the_same_samples(compiled, kind, n_orders):
    """Networks with one order go side by side, and its samples are read once."""
    case = Case(3 * L + 1, (9, 7, 3), kind=kind, weights="some zero", dropout=0.2)
    orders = [schedule.order for schedule in case.schedules[:n_orders]]
    case.schedules = [
        schedule._replace(order=orders[i % n_orders]) for i, schedule in enumerate(case.schedules)
    ]
    case.check(compiled, n_threads=2)
    for i, found in enumerate(case.together(compiled)):
        (alone,) = case.together(compiled, [i])
        for values, expected in zip(found, alone, strict=True):
            assert np.array_equal(values, expected)


def test_a_sample_of_others_does_no_harm(compiled):
    """Not even one whose outputs are infinite, in a row that a network has no sample for."""
    case = Case(
        4,
        (3, 5, 1),
        (codes.RELU, codes.IDENTITY),
        codes.HALF_SQUARED_ERROR,
        dtype="float32",
        n=10,
        penalties=False,
    )
    case.samples.X[9] = 3e38
    orders = [np.arange(9)[np.newaxis], np.arange(10)[np.newaxis]]
    case.schedules = [s._replace(order=orders[i % 2]) for i, s in enumerate(case.schedules)]
    whole = case.together(compiled)
    assert not np.isfinite(whole[1][0]).all()
    for i in (0, 2):
        (alone,) = case.together(compiled, [i])
        assert np.isfinite(alone[0]).all()
        for values, expected in zip(whole[i], alone, strict=True):
            assert np.array_equal(values, expected)


def test_calls_do_not_change_a_bit(compiled):
    """Epochs may be shared out among calls."""
    case = Case(3, optimizer=codes.NADAM, dropout=0.2, ragged=False)
    whole = case.together(compiled)
    steps = -(-11 // 4)
    states, losses = case.states(range(3)), []
    for epoch in range(N_EPOCHS):
        schedules = [
            s._replace(
                order=s.order[epoch % len(s.order)][np.newaxis],
                learning_rates=s.learning_rates[epoch : epoch + 1],
            )
            for s in case.schedules
        ]
        sums = np.zeros((3, 1))
        compiled.mlp_train_many(
            case.networks, case.optimizers, states, case.samples, schedules, sums, 1
        )
        states = [s._replace(step=s.step + steps) for s in states]
        losses.append(sums[:, 0])
    for i, (params, moments, sums) in enumerate(whole):
        assert np.array_equal(states[i].params, params)
        assert np.array_equal(states[i].moments, moments)
        assert np.array_equal([own[i] for own in losses], sums)


def test_a_network_that_diverges_spoils_no_other(compiled):
    case = Case(4)
    whole = case.together(compiled)
    case.params[1][:] = np.nan
    for i, found in enumerate(case.together(compiled)):
        for values, expected in zip(found, whole[i], strict=True):
            assert np.array_equal(values, expected) == (i != 1 or values.size == 0)


def test_rows_of_a_matrix_are_states(compiled):
    case = Case(3, optimizer=codes.ADAM)
    params = np.stack(case.params)
    moments = np.full((3, 2, params.shape[1]), 0.01)
    states = [State(params[i], moments[i], case.steps[i]) for i in range(3)]
    sums = np.zeros((3, N_EPOCHS))
    compiled.mlp_train_many(
        case.networks, case.optimizers, states, case.samples, case.schedules, sums, 1
    )
    for i, (own, own_moments, losses) in enumerate(case.together(compiled)):
        assert np.array_equal(params[i], own)
        assert np.array_equal(moments[i], own_moments)
        assert np.array_equal(sums[i], losses)


def test_groups():
    assert [len(part) for part in lanes.groups(16, 2, 16)] == [8, 8]
    assert [len(part) for part in lanes.groups(1, 2, 16)] == [1]
    for m in range(1, 40):
        for n_threads in (1, 2, 7):
            parts = lanes.groups(m, n_threads, 8)
            assert [i for part in parts for i in part] == list(range(m))
            assert all(0 < len(part) <= 8 for part in parts)
            assert len(parts) >= min(m, n_threads)


def test_what_pays(monkeypatch):
    monkeypatch.undo()
    loss, relu = codes.SPARSE_CATEGORICAL_CROSSENTROPY, codes.RELU

    def pays(sizes, batch_size=32, X=None):
        net = Network(sizes, (relu,) * (len(sizes) - 2) + (codes.SOFTMAX,), (0.0,) * 9, loss)
        X = np.zeros((50_000, sizes[0])) if X is None else X
        return lanes.pays(net, Samples(X, 1.0, None), batch_size)

    assert pays((2, 10, 1))
    assert pays((64, 100, 10))
    assert not pays((784, 512, 10))
    assert not pays((2, 10, 1), batch_size=50_000)
    assert pays((2, 10, 1), batch_size=50_000, X=np.zeros((4, 2)))
    table = compressed_rows(csr_array(np.eye(200)))
    assert not pays((200, 10, 1), X=table)
    assert pays((200, 10, 1), X=np.eye(200))
