"""Tables of mostly zeros: compressing them, and training on them as on dense ones."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from fastnn.backends import codes
from fastnn.backends.compressed import CompressedRows
from fastnn.backends.cpu import inputs, panels
from fastnn.backends.interface import Network, Optimizer, Samples, Schedule, State


def table(rng, shape, dtype, density=0.2):
    """Return random numbers, most of them 0, with an empty row and an empty column."""
    X = rng.integers(1, 255, shape).astype(dtype)
    X[rng.random(shape) >= density] = 0
    X[1], X[:, 3] = 0, 0
    return X


@pytest.mark.parametrize("dtype", ["float32", "float64", "uint8"])
@pytest.mark.parametrize("shape", [(2, 32), (50, 60), (9, 70000)])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("few", [0, 10**6])
@pytest.mark.parametrize("density", [0.01, 0.2])
def test_compressing(compiled, dtype, shape, n_threads, few, density, rng, monkeypatch):
    """As SciPy does it."""
    monkeypatch.setattr(inputs, "VALUES_PER_THREAD", 1)
    monkeypatch.setattr(inputs, "FEW_VALUES", few)
    X = table(rng, shape, dtype, density)
    targets = np.zeros((len(X), 1), "float64" if dtype == "uint8" else dtype)
    found, expected = compiled.to_device(Samples(X, 1.0, targets), n_threads).X, csr_array(X)
    assert isinstance(found, CompressedRows)
    assert found.shape == shape
    assert found.dtype == X.dtype
    assert found.columns.dtype == (np.int32 if shape[1] > 2**16 else np.uint16)
    assert (found.values == expected.data).all()
    assert (found.columns == expected.indices).all()
    assert (found.starts == expected.indptr).all()
    assert compiled.to_device(Samples(found, 1.0, targets)).X is found


@pytest.mark.parametrize(("shape", "density"), [((50, 60), 0.6), ((50, 20), 0.1)])
def test_what_is_sooner_read_as_it_is(compiled, shape, density, rng):
    """Few zeros, or few columns."""
    X = table(rng, shape, "float64", density)
    assert compiled.to_device(Samples(X, 1.0, np.zeros((50, 1)))).X is X


def test_rows_are_picked_as_from_an_array(rng):
    X = table(rng, (50, 60), "float64")
    rows = CompressedRows(
        *(getattr(csr_array(X), n) for n in ("data", "indices", "indptr")), X.shape
    )
    for picked in (slice(3, 40, 5), np.array([4, 4, 1, 0]), X[:, 0] > 0, slice(5, 5)):
        assert (rows[picked].toarray() == X[picked]).all()
        assert rows[picked].shape == X[picked].shape
    assert len(rows) == 50
    assert rows.longest == (X != 0).sum(axis=1).max()


@pytest.mark.parametrize("units", [5, 40, 100])
@pytest.mark.parametrize("batch_size", [1, 7, 50])
@pytest.mark.parametrize("kind", [codes.SGD, codes.ADAM])
@pytest.mark.parametrize("scattered", [0, 1000])
def test_training_is_that_on_the_dense_table(
    compiled, units, batch_size, kind, scattered, rng, monkeypatch
):
    """Whether the gradient is summed sample by sample or input by input."""
    monkeypatch.setattr(panels, "SCATTERED_PANELS", scattered)
    X, loss = table(rng, (50, 60), "float64"), codes.SPARSE_CATEGORICAL_CROSSENTROPY
    net = Network((60, units, 4), (codes.TANH, codes.SOFTMAX), (0.0, 0.0), loss)
    dense = Samples(X, 1 / 255, rng.integers(0, 4, (50, 1)).astype(float))
    params = 0.1 * rng.normal(size=net.n_parameters)
    schedule = Schedule(rng.permutation(50)[np.newaxis], batch_size, 0, np.full(3, 0.01))
    found = []
    for samples in (dense, compiled.to_device(dense)):
        state = State(params.copy(), np.zeros((2 * (kind == codes.ADAM), len(params))))
        sums = np.zeros(3)
        compiled.mlp_train(net, Optimizer(kind), state, samples, schedule, sums, 1)
        outputs = compiled.mlp_forward(net, state.params, samples, False, 1)[0]
        found.append((state.params, state.moments, sums, outputs))
    assert isinstance(samples.X, CompressedRows)
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
