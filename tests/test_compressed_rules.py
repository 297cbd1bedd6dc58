"""The perceptron's and the delta rule on tables of mostly zeros: the numbers of the whole table."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from fastnn import backends
from fastnn.backends.compressed import CompressedRows

N, D = 40, 23


@pytest.mark.parametrize("columns", [np.uint16, np.int32])
@pytest.mark.parametrize("online", [True, False])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_whole_table(compiled, columns, online, n_outputs, dtype, is_weighted, rng):
    table = rng.normal(size=(N, D)).astype(dtype) * (rng.random((N, D)) < 0.2)
    table[[7, N - 1]] = 0
    sparse = csr_array(table)
    rows = CompressedRows(
        sparse.data, sparse.indices.astype(columns), sparse.indptr.astype(np.int64), table.shape
    )
    signs = rng.choice([-1.0, 1.0], (N, n_outputs)).astype(dtype)
    order = np.stack([rng.permutation(N) for _ in range(3)])
    start = rng.normal(size=(D + 1, n_outputs)).astype(dtype)
    weights = rng.uniform(0.5, 2, N).astype(dtype) if is_weighted else None

    def run(X, kernels):
        w, v, losses, squares = start.copy(), start[1:].copy(), np.zeros(4), np.zeros(4)
        history = np.zeros((4, *w.shape), dtype)
        kernels.perceptron_train(X, signs, w, 0.1, order, online, losses, history, weights)
        kernels.linear_train(X, signs, v, 0.01, order, online, squares, weights)
        return w, v, losses, squares, history

    tolerance = 1e-10 if dtype == np.float64 else 1e-4
    for kernels in (backends.kernels("python"), compiled):
        for one, other in zip(run(rows, compiled), run(table, kernels), strict=True):
            assert_allclose(one, other, rtol=tolerance, atol=tolerance)
