"""SciPy's sparse tables as X: they give what the same table gives as an array, in little memory."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import relative_error
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from test_independent import train_sklearn

import fastnn
from fastnn.backends.compressed import CompressedRows
from fastnn.sparse import canonical_csr, compressed_rows

N, D = 60, 37
SHORT = {"max_iter": 4, "tol": None, "random_state": 0, "verbose": False}
pytestmark = pytest.mark.filterwarnings("ignore:max_iter=")


def table(rng, n=N, d=D, density=0.15, dtype=np.float64):
    """Return a table as an array; some rows and columns have nothing but 0."""
    X = rng.integers(1, 255, (n, d)) if np.dtype(dtype).kind in "ui" else rng.normal(size=(n, d))
    X = X.astype(dtype) * (rng.random((n, d)) < density).astype(dtype)
    X[[0, n // 2, n - 1]] = 0
    X[:, [3, d - 1]] = 0
    return X


@pytest.fixture
def data(rng):
    X = table(rng)
    return X, (X @ rng.normal(size=(D, 3))).argmax(axis=1)


def unsorted(X):
    """Return CSR whose rows have their columns the other way round."""
    found = sp.csr_array(X)
    for i in range(len(X)):
        own = slice(*found.indptr[i : i + 2])
        found.indices[own] = found.indices[own][::-1].copy()
        found.data[own] = found.data[own][::-1].copy()
    return sp.csr_array((found.data, found.indices, found.indptr), X.shape)


def doubled(X):
    """Return CSR that has each value in two parts."""
    found = sp.csr_array(X)
    data = np.repeat(found.data, 2) * np.tile([0.25, 0.75], found.nnz)
    return sp.csr_array((data, np.repeat(found.indices, 2), 2 * found.indptr), X.shape)


def with_zeros(X):
    """Return CSR that has some zeros by name."""
    found = sp.csr_array(np.where(X == 0, 1e-300, X))
    found.data[found.data == 1e-300] = 0
    return found


def wide_indices(X):
    found = sp.csr_array(X)
    found.indices, found.indptr = found.indices.astype(np.int64), found.indptr.astype(np.int64)
    return found


def read_only(X):
    found = sp.csr_array(X)
    for array in (found.data, found.indices, found.indptr):
        array.flags.writeable = False
    return found


FORMS = {
    "csr_matrix": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csc": sp.csc_array,
    "coo": sp.coo_matrix,
    "lil": sp.lil_array,
    "dok": sp.dok_matrix,
    "bsr": sp.bsr_array,
    "dia": sp.dia_array,
    "unsorted": unsorted,
    "duplicates": doubled,
    "zeros": with_zeros,
    "int64": wide_indices,
    "read only": read_only,
}
MODELS = {
    "classifier": fastnn.MLPClassifier((5,), **SHORT),
    "two classes": fastnn.MLPClassifier((5,), "tanh", **SHORT),
    "no hidden layer": fastnn.MLPClassifier((), solver="sgd", **SHORT),
    "deep": fastnn.MLPClassifier((6, 5), dropout=0.2, alpha=0.1, max_norm=1.0, **SHORT),
    "online": fastnn.MLPClassifier((5,), batch_size=1, **SHORT),
    "large batch": fastnn.MLPClassifier((5,), batch_size="full", **SHORT),
    "scaled": fastnn.MLPClassifier((5,), input_scale=0.3, l1=0.01, **SHORT),
    "lbfgs": fastnn.MLPClassifier((5,), solver="lbfgs", **SHORT),
    "early stopping": fastnn.MLPClassifier((5,), early_stopping=True, **SHORT | {"tol": 1e-4}),
    "balanced": fastnn.MLPClassifier((5,), class_weight="balanced", **SHORT),
    "regressor": fastnn.MLPRegressor((5,), **SHORT),
    "perceptron": fastnn.Perceptron(**SHORT),
    "perceptron, batch": fastnn.Perceptron(online=False, fit_intercept=False, **SHORT),
    "perceptron, early stopping": fastnn.Perceptron(early_stopping=True, **SHORT),
    "linear": fastnn.LinearNetwork(**SHORT),
    "linear, online": fastnn.LinearNetwork(online=True, shuffle=True, eta0=0.01, **SHORT),
}
# Sums are formed in another order where zeros are left out.
NEAR = 1e-10


def weights_of(model):
    """Return all that a training has changed, as one vector."""
    if hasattr(model, "params_"):
        return model.params_
    return np.append(np.ravel(model.coef_), model.intercept_)


def targets_for(name, y):
    return y > 0 if name == "two classes" else y


@pytest.mark.parametrize("name", MODELS)
def test_every_model_learns_the_same(backend, data, name):
    X, y = data[0], targets_for(name, data[1])
    rows = sp.csr_array(X)
    dense, sparse = clone(MODELS[name]).fit(X, y), clone(MODELS[name]).fit(rows, y)
    assert relative_error(weights_of(sparse), weights_of(dense)) < NEAR
    assert sparse.score(rows, y) == pytest.approx(dense.score(X, y), abs=NEAR)
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(dense, method):
            found, expected = getattr(sparse, method)(rows), getattr(dense, method)(X)
            assert relative_error(found, expected) < NEAR
    if hasattr(dense, "evaluate"):
        weights = np.linspace(0, 2, N)
        assert sparse.evaluate(rows, y, weights) == pytest.approx(dense.evaluate(X, y, weights))
        assert relative_error(sparse.loss_curve_, dense.loss_curve_) < NEAR
        for found, expected in zip(sparse.layer_outputs(rows), dense.layer_outputs(X), strict=True):
            assert relative_error(found, expected) < NEAR


@pytest.mark.parametrize("form", FORMS)
def test_every_form(backend, data, form):
    X, y = data
    given = FORMS[form](X)
    before = [vars(given)[name].copy() for name in ("data", "indices") if name in vars(given)]
    model = fastnn.MLPClassifier((5,), **SHORT)
    expected = clone(model).fit(X, y)
    found = clone(model).fit(given, y)
    assert relative_error(found.params_, expected.params_) < NEAR
    assert relative_error(found.predict_proba(given), expected.predict_proba(X)) < NEAR
    now = [vars(given)[name] for name in ("data", "indices") if name in vars(given)]
    for array, copy in zip(now, before, strict=True):
        assert np.array_equal(array, copy)


@pytest.mark.parametrize("name", ["classifier", "regressor", "perceptron", "linear"])
@pytest.mark.parametrize("dtype", ["uint8", "bool", "int32", "int64", "uint16", "float32"])
def test_every_dtype(backend, rng, name, dtype):
    X = table(rng, dtype=dtype)
    y = np.arange(N) % 3
    rate = {"eta0": 1e-6} if name == "linear" else {}
    model = clone(MODELS[name]).set_params(**rate)
    if hasattr(model, "input_scale"):
        model.set_params(input_scale=1 / 255, dtype="float64")
    rows = sp.csr_matrix(X)
    dense, sparse = clone(model).fit(X, y), clone(model).fit(rows, y)
    assert relative_error(weights_of(sparse), weights_of(dense)) < NEAR
    assert relative_error(sparse.predict(rows), dense.predict(X)) < NEAR


def test_the_dtype_is_chosen_as_for_an_array(data):
    X, y = data
    for dtype, expected in (("float32", "float32"), ("uint8", "float32"), ("int16", "float64")):
        model = fastnn.MLPClassifier((2,), **SHORT | {"max_iter": 1})
        assert model.fit(sp.csr_array(np.abs(X).astype(dtype)), y).params_.dtype == expected


@pytest.mark.parametrize("n_values", [0, 1])
def test_a_table_of_next_to_nothing(backend, n_values):
    X = np.zeros((9, 5))
    X[4, 2] = n_values
    y = np.arange(9) % 3
    for name in ("classifier", "online", "perceptron", "linear"):
        dense, sparse = clone(MODELS[name]).fit(X, y), clone(MODELS[name]).fit(sp.csr_array(X), y)
        assert relative_error(weights_of(sparse), weights_of(dense)) < NEAR
        assert np.array_equal(sparse.predict(sp.csr_array(X)), dense.predict(X))
        assert len(sparse.predict(sp.csr_array(X)[:1])) == 1


@pytest.mark.parametrize("name", ["classifier", "regressor", "perceptron", "linear"])
def test_in_parts_with_weights(backend, data, name):
    X, y = data
    weights = np.linspace(0, 2, N)
    models = [clone(MODELS[name]) for _ in range(2)]
    options = {"classes": range(3)} if name in ("classifier", "perceptron") else {}
    for rows in (slice(0, 25), slice(25, N)):
        for model, given in zip(models, (X, sp.csr_array(X)), strict=True):
            model.partial_fit(given[rows], y[rows], sample_weight=weights[rows], **options)
    assert relative_error(weights_of(models[1]), weights_of(models[0])) < NEAR


@pytest.mark.parametrize("early_stopping", [False, True])
def test_validation_data_and_callbacks(backend, data, early_stopping):
    X, y = data
    model = fastnn.MLPClassifier((5,), **SHORT).set_params(
        early_stopping=early_stopping, tol=1e-4 if early_stopping else None
    )
    seen, histories = [], []
    for given in (X, sp.csr_array(X)):
        own = clone(model).fit(
            given[:40],
            y[:40],
            callbacks=[lambda epoch: seen.extend([epoch.accuracy, epoch.val_loss])],
            validation_data=(given[40:], y[40:], np.linspace(0.5, 1, 20)),
        )
        histories.append(own.history_)
    assert seen[: len(seen) // 2] == pytest.approx(seen[len(seen) // 2 :])
    for name, values in histories[0].items():
        assert histories[1][name] == pytest.approx(values, abs=NEAR)


def test_many_networks(backend, data):
    X, y = data
    options = {"random_state": [1, 2, 3], "learning_rate_init": [0.01, 0.1, 0.001]}
    model = fastnn.MLPClassifier((5,), **SHORT)
    dense = fastnn.train_many(model, X, y, **options)
    sparse = fastnn.train_many(model, sp.csr_array(X), y, **options)
    for found, expected in zip(sparse, dense, strict=True):
        assert relative_error(found.params_, expected.params_) < NEAR


def test_the_same_with_any_number_of_threads(compiled_backend, rng):
    X = sp.random_array((300, 500), density=0.05, rng=rng, format="csr")
    y = rng.integers(0, 4, 300)
    found = [
        fastnn.MLPClassifier((40,), n_jobs=n_jobs, batch_size=64, **SHORT).fit(X, y)
        for n_jobs in (1, 3)
    ]
    assert np.array_equal(found[0].params_, found[1].params_)
    assert np.array_equal(found[0].predict_proba(X), found[1].predict_proba(X))


def test_samples_are_handed_over_once(data, monkeypatch):
    """Those of the training and those held out: once each."""
    X, y = data
    with fastnn.use_backend("python"):
        kernels, sent = fastnn.backends.kernels(), []

        def to_device(samples, n_threads=1, compress=True):
            sent.append(samples)
            return samples

        monkeypatch.setattr(kernels, "to_device", to_device)
        rows = sp.csr_array(X)
        callbacks = [lambda epoch: epoch.accuracy < 0]
        for name in ("classifier", "lbfgs"):
            model = clone(MODELS[name])
            model.fit(rows, y, callbacks=callbacks, validation_data=(rows, y))
            assert [len(samples.X) for samples in sent] == [N, N]
            sent.clear()
        clone(MODELS["early stopping"]).fit(rows, y)
        assert sorted(len(samples.X) for samples in sent) == [6, 54]
        sent.clear()
        fastnn.train_many(fastnn.MLPClassifier((3,), **SHORT), rows, y, random_state=[1, 2])
        assert len(sent) == 1


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_scikit_learns_network_learns_the_same(backend, data, rng, solver):
    """From the same weights, samples in the same order, on the same sparse table."""
    X, y = sp.csr_matrix(data[0]), data[1]
    coefs = [rng.normal(size=shape) for shape in ((D, 5), (5, 3))]
    intercepts = [rng.normal(size=n) for n in (5, 3)]
    common = {"max_iter": 6, "batch_size": 20, "shuffle": False, "alpha": 0.1, "solver": solver}
    common |= {"tol": 0.0, "n_iter_no_change": 100, "learning_rate_init": 0.01}
    theirs = train_sklearn(MLPClassifier((5,), "tanh", **common), X, y, coefs, intercepts)
    ours = fastnn.MLPClassifier((5,), "tanh", **common)
    ours.fit(X, y, coefs_init=coefs, intercepts_init=intercepts)
    for found, expected in zip(ours.coefs_, theirs.coefs_, strict=True):
        assert relative_error(found, expected) < 1e-9
    assert relative_error(ours.predict_proba(X), theirs.predict_proba(X)) < 1e-9


@pytest.mark.parametrize("name", ["classifier", "perceptron", "linear"])
def test_a_hundred_thousand_columns_take_the_memory_of_what_is_not_0(compiled_backend, rng, name):
    """An array of all would have 1.6 GB; the network's parameters have 1.6 or 0.8 MB."""
    n, d = 2000, 100_000
    X = sp.random_array((n, d), density=2e-4, rng=rng, format="csr")
    y = rng.integers(0, 2, n)
    model = clone(MODELS[name]).set_params(max_iter=2)
    if name == "classifier":
        model.set_params(hidden_layer_sizes=(2,))
    model.fit(X[:50], y[:50])  # whatever is compiled or imported
    tracemalloc.start()
    try:
        model.fit(X, y).predict(X)
        if name == "classifier":
            model.evaluate(X, y)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100e6


def test_columns_beyond_65536(backend, rng):
    """They have numbers of 32 bits."""
    d = 2**16 + 5
    X = sp.csr_array(
        (rng.normal(size=6), ([0, 1, 1, 2, 3, 3], [d - 1, 0, d - 2, 2**16, 5, 2**16 + 1])), (4, d)
    )
    model = fastnn.MLPClassifier((2,), **SHORT | {"max_iter": 1})
    few = np.r_[0:10, 2**16 - 5 : d]
    init = [rng.normal(size=(d, 2)), rng.normal(size=(2, 1))]
    options = {"intercepts_init": [[0.0, 0], [0.0]]}
    wide = clone(model).fit(X, [0, 1, 0, 1], coefs_init=init, **options)
    part = X[:, few].toarray()
    narrow = clone(model).fit(part, [0, 1, 0, 1], coefs_init=[init[0][few], init[1]], **options)
    assert relative_error(wide.coefs_[0][few], narrow.coefs_[0]) < NEAR
    assert relative_error(wide.predict_proba(X), narrow.predict_proba(part)) < NEAR


# --- what is refused ------------------------------------------------------------------------------


def spoiled(**arrays):
    """Return CSR of (6, 5) whose arrays are replaced behind its back."""
    X = sp.csr_array(np.eye(6, 5))
    for name, values in arrays.items():
        setattr(X, name, np.asarray(values))
    return X


def spoiled_as(form, **arrays):
    X = getattr(sp, form)(np.eye(6, 5))
    for name, values in arrays.items():
        setattr(X, name, np.asarray(values))
    return X


def long_lil():
    X = sp.lil_array(np.eye(6, 5))
    X.data[2] = [1.0] * 1000
    return X


def far_lil():
    X = sp.lil_array(np.eye(6, 5))
    X.rows[2] = [10**6]
    return X


def not_finite(value):
    X = sp.csr_array(np.eye(6, 5))
    X.data[3] = value
    return X


HOSTILE = {
    "column beyond": lambda: spoiled(indices=[0, 1, 2, 3, 5]),
    "column far beyond": lambda: spoiled(indices=[0, 1, 2, 3, 2**31 - 1]),
    "column below 0": lambda: spoiled(indices=[0, 1, 2, 3, -1]),
    "starts fall": lambda: spoiled(indptr=[0, 1, 4, 3, 4, 5, 5]),
    "starts fall to 0": lambda: spoiled(indptr=[0, 1, 2, 3, 4, 5, 0]),
    "starts fall far": lambda: spoiled(indptr=np.int32([0, 1, 2, 3, 4, 5, -(2**31)])),
    "starts below 0": lambda: spoiled(indptr=[0, -1, 2, 3, 4, 5, 5]),
    "first start": lambda: spoiled(indptr=[1, 1, 2, 3, 4, 5, 5]),
    "starts beyond": lambda: spoiled(indptr=[0, 1, 2, 3, 4, 5, 10**6]),
    "few starts": lambda: spoiled(indptr=[0, 1, 2, 3, 4, 5]),
    "many starts": lambda: spoiled(indptr=[0, 1, 2, 3, 4, 5, 5, 5]),
    "few values": lambda: spoiled(data=[1.0, 2]),
    "few columns": lambda: spoiled(indices=[0, 1]),
    "matrix of values": lambda: spoiled(data=np.ones((5, 1))),
    "csc, row beyond": lambda: spoiled_as("csc_array", indices=[0, 1, 2, 3, 10**6]),
    "csc, starts fall": lambda: spoiled_as("csc_matrix", indptr=[0, 1, 4, 3, 4, 5]),
    "csc, starts fall to 0": lambda: spoiled_as("csc_matrix", indptr=[0, 1, 2, 3, 4, 0]),
    "dia, few offsets": lambda: spoiled_as("dia_array", offsets=[]),
    "dia, few values": lambda: spoiled_as("dia_array", data=np.empty((0, 5))),
    "bsr, column beyond": lambda: spoiled_as("bsr_array", indices=[0, 1, 2, 3, 10**6]),
    "coo, row beyond": lambda: spoiled_as("coo_matrix", row=[0, 1, 2, 3, 10**6]),
    "coo, column below 0": lambda: spoiled_as("coo_array", col=[0, 1, 2, 3, -5]),
    "coo, few rows": lambda: spoiled_as("coo_matrix", row=[0, 1]),
    "lil, more values": long_lil,
    "lil, column beyond": far_lil,
    "NaN": lambda: not_finite(np.nan),
    "infinity": lambda: not_finite(np.inf),
    "complex": lambda: sp.csr_array(np.eye(6, 5) * 1j),
    "no samples": lambda: sp.csr_array((0, 5)),
    "no features": lambda: sp.csr_array((6, 0)),
}
Y = np.arange(6) % 2


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("model", ["classifier", "regressor", "perceptron", "linear"])
def test_hostile_tables_are_refused_by_name(name, model):
    model = clone(MODELS[model]).set_params(max_iter=1)
    with pytest.raises(ValueError, match=r"^X: "):
        model.fit(HOSTILE[name](), Y)
    assert not hasattr(model, "classes_")
    model.fit(np.eye(6, 5), Y)
    for call in (model.predict, lambda X: model.score(X, Y), lambda X: model.partial_fit(X, Y)):
        with pytest.raises(ValueError, match=r"^X: "):
            call(HOSTILE[name]())


def test_a_value_that_is_not_finite_is_named_by_its_place():
    with pytest.raises(ValueError, match=r"^X: contains NaN .* first at index \(3, 3\)"):
        clone(MODELS["classifier"]).fit(not_finite(np.nan), Y)
    large = sp.csr_array(np.eye(6, 5) * 1e300)
    with pytest.raises(ValueError, match=r"^X: contains infinity .*float32.* index \(0, 0\)"):
        fastnn.MLPClassifier(dtype="float32", **SHORT).fit(large, Y)
    with pytest.raises(ValueError, match=r"^X: its largest value, 1e\+300, times input_scale"):
        fastnn.MLPClassifier(input_scale=1e10, **SHORT).fit(large, Y)


def test_what_else_is_refused():
    rows = sp.csr_array(np.eye(6, 5))
    model = fastnn.MLPClassifier(**SHORT).fit(rows, Y)
    with pytest.raises(ValueError, match="X: X has 4 features"):
        model.predict(rows[:, :4])
    with pytest.raises(ValueError, match=r"validation_data: .* X has 4 features"):
        model.fit(rows, Y, validation_data=(rows[:, :4], Y))
    with pytest.raises(ValueError, match=f"X: {2**31} columns; .*{2**31 - 1}"):
        model.fit(sp.coo_array(([1.0], ([0], [2**31 - 1])), (1, 2**31)), [0])
    images = sp.csr_array(np.eye(6, 9, dtype=np.uint8))
    distortion = fastnn.ImageDistortion(3, 3)
    with pytest.raises(ValueError, match="distortion: X is sparse"):
        fastnn.MLPClassifier(distortion=distortion, **SHORT).fit(images, Y)
    vector = sp.coo_array(np.ones(5))
    if vector.ndim == 1:  # from SciPy 1.13 on
        with pytest.raises(ValueError, match="X: expected 2 dimensions"):
            model.predict(vector)


# --- in a user's program --------------------------------------------------------------------------


def test_text_features_in_a_pipeline():
    words = ["spam offer win", "win money offer now", "meeting at noon", "lunch at noon today"] * 8
    labels = ["spam", "spam", "ham", "ham"] * 8
    model = fastnn.MLPClassifier((4,), learning_rate_init=0.05, **SHORT | {"max_iter": 40})
    assert cross_val_score(make_pipeline(TfidfVectorizer(), model), words, labels, cv=4).min() == 1
    scaled = make_pipeline(TfidfVectorizer(), MaxAbsScaler(), fastnn.Perceptron(verbose=False))
    assert scaled.fit(words, labels).score(words, labels) == 1


# --- the record -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_the_record_is_the_table(rng, form):
    X = table(rng)
    found = compressed_rows(canonical_csr(FORMS[form](X)))
    assert (len(found), found.shape, found.dtype) == (N, X.shape, X.dtype)
    assert (found.columns.dtype, found.starts.dtype) == (np.uint16, np.int64)
    assert np.array_equal(found.toarray(), X)
    for i in range(N):
        assert np.array_equal(found.row(i), X[i])
        own = found.columns[found.starts[i] : found.starts[i + 1]]
        assert (np.diff(own.astype(int)) > 0).all()
    for rows in (rng.permutation(N)[:20], rng.random(N) < 0.5, slice(5, 9), np.arange(0)):
        picked = found[rows]
        assert isinstance(picked, CompressedRows)
        assert np.array_equal(picked.toarray(), X[rows])
    assert relative_error(found @ X.T, X @ X.T) < 1e-12


def test_where_values_stand_is_nobody_elses():
    """What a callback changes in the user's table reaches no kernel as an index."""
    for indices in (np.int32, np.int64):
        given = sp.csr_array(np.eye(6, 2**16 + 1))
        given.indices, given.indptr = given.indices.astype(indices), given.indptr.astype(indices)
        found = compressed_rows(canonical_csr(given))
        assert found.columns.dtype == np.int32
        assert not np.shares_memory(found.columns, given.indices)
        assert not np.shares_memory(found.starts, given.indptr)
