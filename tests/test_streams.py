"""Samples that are not all in memory: mapped files, tables with slices, and batches."""

import itertools
import tracemalloc

import joblib
import numpy as np
import pytest
from conftest import AVAILABLE, relative_error
from scipy.sparse import csr_array
from sklearn.metrics import r2_score

import fastnn
from fastnn import random

N, BUFFER = 230, 40
OPTIONS = {
    "hidden_layer_sizes": (6,),
    "dropout": 0.2,
    "batch_size": 7,
    "random_state": 3,
    "max_iter": 2,
    "tol": None,
}


class Slices:
    """A table that hands out slices, and remembers which."""

    def __init__(self, values):
        self._values, self.asked = values, []
        self.shape, self.dtype = values.shape, values.dtype

    def __len__(self):
        return len(self._values)

    def __getitem__(self, rows):
        found = self._values[rows]
        assert isinstance(rows, slice)
        self.asked.append((rows.start, rows.start + len(found)))
        return found


@pytest.fixture
def data(rng):
    X = rng.normal(size=(N, 5))
    return X, X[:, :3].argmax(axis=1)


@pytest.fixture
def images(rng):
    X = rng.integers(0, 256, (N, 40), dtype=np.uint8)
    X[rng.random(X.shape) < 0.7] = 0
    return X, X[:, :3].argmax(axis=1)


def classifier(**options):
    return fastnn.MLPClassifier(**{**OPTIONS, "buffer_size": BUFFER, **options})


def mapped(path, values):
    np.save(path, values)
    return np.load(path, mmap_mode="r")


def cut(X, y, *others, sizes=(1, 30, 2, 50, 3)):
    """Return batches of different sizes."""
    ends = np.cumsum(list(itertools.islice(itertools.cycle(sizes), len(X))))
    ends = [0, *ends[ends < len(X)].tolist(), len(X)]
    return [tuple(v[a:b] for v in (X, y, *others)) for a, b in itertools.pairwise(ends)]


def same(one, other):
    return (
        np.array_equal(one.params_, other.params_)
        and np.array_equal(one.loss_curve_, other.loss_curve_)
        and one.t_ == other.t_
    )


# --- the order of samples ---------------------------------------------------------------------


def test_batches_that_have_room_are_fit(backend, images):
    """Whatever their sizes: bit by bit what `fit` makes of all of them in memory."""
    whole = classifier(learning_rate="invscaling").fit(*images)
    found = classifier(learning_rate="invscaling", buffer_size=1000).fit_batches(cut(*images))
    assert same(found, whole)
    assert found.learning_rate_ == whole.learning_rate_
    assert found.classes_.tolist() == [0, 1, 2]


def order_of(n, chunk, size, seed, epoch):
    """Return the samples of an epoch in the order that the documentation describes."""
    chunks = [range(first, min(first + chunk, n)) for first in range(0, n, chunk)]
    shuffled = random.shuffled(len(chunks), seed, epoch, part=2**32 - 1)[0]
    rows = np.concatenate([chunks[i] for i in shuffled])
    windows = [np.sort(rows[first : first + size]) for first in range(0, n, size)]
    orders = [random.shuffled(len(w), seed, epoch, part=k)[0] for k, w in enumerate(windows)]
    return np.concatenate([w[order] for w, order in zip(windows, orders, strict=True)])


@pytest.mark.parametrize("buffer_size", [40, 140])
def test_a_mapped_file_is_read_in_chunks_and_shuffled(backend, data, tmp_path, buffer_size):
    X, y = data
    found = classifier(buffer_size=buffer_size).fit(mapped(tmp_path / "X.npy", X), y)
    by_hand, size = classifier(shuffle=False), -(-buffer_size // 7) * 7
    for epoch in range(2):
        rows = order_of(N, max(1, buffer_size // 64), size, 3, epoch)
        assert sorted(rows) == list(range(N))
        by_hand.partial_fit(X[rows], y[rows], classes=[0, 1, 2])
    assert same(found, by_hand)


def test_with_room_for_all_it_is_the_shuffle_in_memory(data, tmp_path):
    """Also where the table is read in windows: the largest one."""
    X, y = data
    assert (order_of(N, 3, N, 3, 1) == random.shuffled(N, 3, 1)[0]).all()
    whole = classifier().fit(X, y)
    assert same(classifier(buffer_size=N).fit(mapped(tmp_path / "X.npy", X), y), whole)
    one_batch = classifier(batch_size=N).fit(X, y)
    assert same(classifier(batch_size=N, buffer_size=N).fit_batches(cut(X, y)), one_batch)
    assert same(classifier(buffer_size="auto").fit(mapped(tmp_path / "Z.npy", X), y), whole)


def test_all_back_ends_have_the_same_network(data):
    X, y = data
    found = []
    for name in AVAILABLE:
        with fastnn.use_backend(name):
            found.append(classifier(max_iter=5).fit(Slices(X), y).params_)
    for params in found[1:]:
        assert relative_error(params, found[0]) < 1e-9


# --- kinds of tables --------------------------------------------------------------------------


def tables(X, tmp_path):
    """Yield the same numbers in everything that is read by slices."""
    yield "npy", mapped(tmp_path / "X.npy", X)
    np.memmap(tmp_path / "X.bin", X.dtype, "w+", shape=X.shape)[:] = X
    yield "memmap", np.memmap(tmp_path / "X.bin", X.dtype, "r", shape=X.shape)
    yield "view", mapped(tmp_path / "Y.npy", np.vstack([X[:9], X]))[9:]
    yield "array of a mapping", np.asarray(mapped(tmp_path / "Z.npy", X))
    yield "columns", mapped(tmp_path / "F.npy", np.asfortranarray(X))
    yield "big-endian", mapped(tmp_path / "E.npy", X.astype(X.dtype.newbyteorder(">")))
    yield "slices", Slices(X)
    h5py, zarr = pytest.importorskip("h5py"), pytest.importorskip("zarr")
    with h5py.File(tmp_path / "X.h5", "w") as file:
        yield "hdf5", file.create_dataset("X", data=X)
    yield "zarr", zarr.array(X, store=str(tmp_path / "X.zarr"), chunks=(1, X.shape[1]))


@pytest.mark.parametrize("kind", ["images", "data"])
def test_tables_of_all_kinds(kind, request, tmp_path):
    X, y = request.getfixturevalue(kind)
    expected = classifier().fit(Slices(X), y)
    for name, table in tables(X, tmp_path):
        model = classifier().fit(table, y)
        assert same(model, expected), name
        assert np.array_equal(model.predict(table), expected.predict(X)), name
        assert model.score(table, y) == expected.score(X, y), name
        assert model.params_.dtype == (np.float32 if kind == "images" else np.float64)


def test_y_of_a_file_and_chunks_of_a_store(data, tmp_path):
    """Chunks of a store are not cut, but at the ends of windows."""
    X, y = data
    stored = Slices(X)
    stored.chunks = (10, 5)
    model = classifier().fit(stored, mapped(tmp_path / "y.npy", y))
    assert (model.classes_, model.t_) == (pytest.approx([0, 1, 2]), 2 * N)
    assert same(model, classifier().fit(stored, y.tolist()))
    edges = {edge for piece in stored.asked for edge in piece}
    assert sum(edge % 10 > 0 for edge in edges) < len(edges) / 2


def test_dask(data):
    array = pytest.importorskip("dask.array")
    X, y = data
    given = [array.from_array(values, chunks=50) for values in (X, y)]
    model = classifier(class_weight="balanced").fit(*given)
    assert same(model, classifier(class_weight="balanced").fit(Slices(X), y))
    assert model.score(*given) == model.score(X, y)


@pytest.mark.parametrize("kind", ["array", "sparse", "list", "jax"])
def test_what_is_in_memory_is_trained_as_ever(data, kind):
    X, y = data
    if kind == "jax":
        given = pytest.importorskip("jax").numpy.asarray(X, dtype="float32")
    else:
        given = {"array": np.asarray, "sparse": csr_array, "list": np.ndarray.tolist}[kind](X)
    expected = fastnn.MLPClassifier(**OPTIONS).fit(csr_array(X) if kind == "sparse" else given, y)
    assert same(classifier().fit(given, y), expected)
    if kind == "jax":
        assert same(expected, fastnn.MLPClassifier(**OPTIONS).fit(np.asarray(given), y))


@pytest.mark.slow
def test_what_joblib_maps_for_its_workers_is_in_memory(data):
    X, y = data
    parallel = joblib.Parallel(2, max_nbytes=100)
    for model in parallel(joblib.delayed(classifier().fit)(X, y) for _ in range(2)):
        assert np.array_equal(model.params_, classifier().fit(X, y).params_)


# --- memory and passes ------------------------------------------------------------------------


def test_no_pass_and_no_part_that_is_not_needed(data):
    X, y = data
    table, labels = Slices(X), Slices(y)
    model = classifier().fit(table, labels)
    rows = [end - first for first, end in table.asked]
    assert sum(rows) == 2 * N + 1  # the first chunk is looked at before
    assert max(rows) <= BUFFER + 6
    assert sum(end - first for first, end in labels.asked) == 3 * N + 1  # and all the classes
    table.asked.clear()
    model.predict(table)
    model.score(table, y)
    assert sum(end - first for first, end in table.asked) == 2 * N


def test_memory_is_bounded(compiled_backend, tmp_path):
    """A fit takes a window and its compressed copy, whatever the table has."""
    X = np.zeros((40_000, 50), np.float32)
    X[:, 0] = np.arange(len(X)) % 2
    X = mapped(tmp_path / "X.npy", X)
    y = mapped(tmp_path / "y.npy", (np.arange(len(X)) % 2).astype(np.uint8))
    model = classifier(buffer_size=2000, max_iter=1, batch_size=100)

    def work(n):
        part = X[:n], y[:n]
        model.fit(*part, validation_data=part, callbacks=[lambda epoch: epoch.accuracy > 2])
        model.score(*part)

    work(4000)  # whatever is compiled
    tracemalloc.start()
    try:
        work(len(X))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < X.nbytes / 2


# --- outputs and scores -----------------------------------------------------------------------


def test_outputs_and_scores_part_by_part(backend, data):
    X, y = data
    weights = np.random.default_rng(1).random(N)
    model = classifier(random_state=0).fit(X, y)
    table = Slices(X)
    assert np.array_equal(model.predict(table), model.predict(X))
    assert np.array_equal(model.predict_proba(table), model.predict_proba(X))
    for found, expected in zip(model.layer_outputs(table), model.layer_outputs(X), strict=True):
        assert np.array_equal(found, expected)
    for w in (None, weights):
        assert model.score(table, y, w) == pytest.approx(model.score(X, y, w), rel=1e-14)
        assert model.evaluate(table, y, w) == pytest.approx(model.evaluate(X, y, w), rel=1e-12)
    assert model.score(table, np.where(y == 1, 7, y)) == model.score(X, np.where(y == 1, 7, y))
    with pytest.raises(ValueError, match="expected labels among"):
        model.evaluate(table, y + 1)


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_of_a_regression(data, weighted):
    X, _ = data
    Y = np.stack([X @ np.arange(5.0), np.full(N, 2.0), X[:, 0] * 1e6 + 1e9], axis=1)
    w = np.random.default_rng(1).random(N) if weighted else None
    Y = Y[:, [0, 2]] if weighted else Y  # a weighted mean of equal numbers is another number
    model = fastnn.MLPRegressor(**OPTIONS, buffer_size=BUFFER).fit(X, Y)
    table = Slices(X)
    expected = r2_score(Y, model.predict(X), sample_weight=w)
    assert model.score(table, Y, w) == pytest.approx(expected, rel=1e-9)
    assert model.evaluate(table, Y, w)[0] == pytest.approx(model.evaluate(X, Y, w)[0], rel=1e-9)
    flat = fastnn.MLPRegressor(**OPTIONS, buffer_size=BUFFER).fit(table, Slices(Y[:, 0]))
    assert flat.predict(table).shape == (N,)
    assert flat.evaluate(table, Y[:, 0])[1] == pytest.approx(flat.score(X, Y[:, 0]), rel=1e-9)


# --- what goes with a fit ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"learning_rate": "invscaling", "solver": "sgd"},
        {"learning_rate": "one_cycle", "batch_size": "auto", "buffer_size": 210},
        {"class_weight": "balanced"},
        {"class_weight": {1: 0.0, 2: 3.0}},
        {"tol": 1e9, "n_iter_no_change": 1, "max_iter": 9},
        {"weight_threshold": 1e9, "max_iter": 9},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_without_shuffling_it_is_fit(data, options, weighted, tmp_path):
    """Every option that has to do with samples, their number, or their order."""
    X, y = data
    options = {"shuffle": False, **options}
    w = np.random.default_rng(1).integers(0, 3, N).astype(float) if weighted else None
    whole = classifier(**options).fit(X, y, w)
    model = classifier(**options).fit(mapped(tmp_path / "X.npy", X), y, w)
    assert relative_error(model.params_, whole.params_) < 1e-13
    assert model.loss_curve_ == pytest.approx(whole.loss_curve_, rel=1e-13)
    assert (model.t_, model.n_iter_, model.stop_reason_) == (
        whole.t_,
        whole.n_iter_,
        whole.stop_reason_,
    )
    if options.get("class_weight") != "balanced":
        given = [(X, y)] if w is None else [(X, y, w)]
        found = classifier(**options).fit_batches(cut(*given[0]))
        assert relative_error(found.params_, whole.params_) < 1e-13


def test_several_labels(data):
    X, _ = data
    Y = (X[:, :3] > 0).astype(int)
    whole = classifier(shuffle=False, class_weight="balanced").fit(X, Y)
    model = classifier(shuffle=False, class_weight="balanced").fit(Slices(X), Slices(Y))
    assert relative_error(model.params_, whole.params_) < 1e-13
    assert model.multilabel_
    assert model.score(Slices(X), Y) == whole.score(X, Y)


def test_a_part_whose_samples_do_not_count(data):
    X, y = data
    weights = np.ones(N)
    weights[: 2 * BUFFER] = 0
    model = classifier().fit(Slices(X), y, sample_weight=weights)
    expected = model.score(X, y, sample_weight=weights)
    assert model.score(Slices(X), y, sample_weight=weights) == pytest.approx(expected, rel=1e-12)


def test_strings_are_classes(data):
    X, y = data
    names = np.array(["low", "middle", "high"])[y]
    model = classifier().fit(Slices(X), names.tolist())
    assert model.classes_.tolist() == ["high", "low", "middle"]
    assert set(model.predict(Slices(X))) <= set(names)
    batches = cut(X, names)
    given = classifier().fit_batches(batches, classes=["low", "middle", "high"])
    assert same(given, classifier().fit_batches(batches))


def test_one_fit_is_two(data, tmp_path):
    """By a warm start, by `partial_fit`, and from a file."""
    X, y = data
    table = Slices(X)
    whole = classifier(max_iter=4).fit(table, y)
    model = classifier(warm_start=True).fit(table, y)
    model.save(tmp_path / "m")
    model = fastnn.load(tmp_path / "m")
    assert model.buffer_size == BUFFER
    assert same(model.fit(table, y), whole)
    parts = classifier()
    for _ in range(4):
        parts.partial_fit(table, y, classes=[0, 1, 2])
    assert same(parts, whole)
    batches = cut(X, y)
    whole = classifier(max_iter=4).fit_batches(batches)
    assert same(classifier(warm_start=True).fit_batches(batches).fit_batches(batches), whole)


def test_chunks_are_held_out(data):
    X, y = data
    table = Slices(X)
    options = {"early_stopping": True, "max_iter": 3, "validation_fraction": 0.2}
    model = classifier(**options).fit(table, y)
    assert model.t_ == 3 * (N - 46)
    assert len(model.validation_scores_) == 3
    assert model.best_validation_score_ == max(model.validation_scores_)
    reads = [np.arange(*piece) for piece in table.asked[1:]]
    counts = np.bincount(np.concatenate(reads), minlength=N)
    assert counts.tolist() == [3] * N  # each trained on or measured, in each epoch
    with pytest.raises(ValueError, match="early_stopping=True: fit_batches can hold no samples"):
        classifier(early_stopping=True).fit_batches(cut(X, y))
    model = classifier(early_stopping=True).fit_batches(cut(X, y), validation_data=(table, y))
    assert model.validation_scores_[-1] <= model.score(X, y) <= model.best_validation_score_


def test_callbacks_and_validation_data(data):
    X, y = data
    table, seen = Slices(X), []

    def look(epoch):
        seen.append((epoch.accuracy, epoch.val_loss, epoch.val_accuracy))

    classifier().fit(table, y, callbacks=[look], validation_data=(Slices(X[:200]), y[:200]))
    model = classifier().fit(table, y)
    loss, accuracy = model.evaluate(X[:200], y[:200])
    assert seen[1] == pytest.approx((model.score(X, y), loss, accuracy))
    seen.clear()
    model = classifier().fit_batches(cut(X, y), callbacks=[look], validation_data=(X, y))
    assert seen[1][0] == seen[1][2] == model.score(X, y)


# --- what goes wrong --------------------------------------------------------------------------


def test_an_interruption_keeps_the_windows_before(data):
    """And whatever else ends an epoch early; a training that goes on does so from there."""
    X, y = data

    class Interrupted(Slices):
        def __getitem__(self, rows):
            if len(self.asked) > 1 + N + 100:  # in the second epoch
                raise OSError("the disk is gone")
            return super().__getitem__(rows)

    model = classifier(max_iter=3, warm_start=True)
    with pytest.raises(OSError, match="the disk is gone"):
        model.fit(Interrupted(X), y)
    assert (model.n_iter_, model.stop_reason_, len(model.loss_curve_)) == (1, "interrupted", 1)
    assert model.t_ == N + 84  # two windows of 42
    rows = order_of(N, 1, 42, 3, 1)[:84]
    by_hand = classifier(max_iter=1, warm_start=True).fit(Slices(X), y)
    assert model.solver_state_.step == by_hand.solver_state_.step + 12
    by_hand.set_params(shuffle=False)
    by_hand.partial_fit(X[rows], y[rows])
    assert np.array_equal(model.params_, by_hand.params_)
    assert model.set_params(max_iter=2).fit(X, y).n_epochs_ == 3


def test_ctrl_c_between_windows(data):
    X, y = data

    def batches():
        yield X[:100], y[:100]
        raise KeyboardInterrupt

    model = classifier(buffer_size=50, batch_size=10)
    with pytest.warns(UserWarning, match="interrupted after 0 epochs"):
        model.fit_batches(batches, classes=[0, 1, 2])
    assert (model.t_, model.solver_state_.step) == (100, 10)
    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_found_in_its_turn(data, value):
    X, y = data
    X[171, 2] = value
    what = "NaN" if np.isnan(value) else "infinity"
    with pytest.raises(ValueError, match=rf"X: contains {what} .* first at index \(171, 2\)"):
        classifier().fit(Slices(X), y)
    with pytest.raises(ValueError, match=rf"^batches\[\d+\]: X: contains {what}"):
        classifier().fit_batches(cut(X, y))
    X[0, 0] = value
    with pytest.raises(ValueError, match=what):
        (model := classifier()).fit(Slices(X), y)
    assert not hasattr(model, "params_")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"buffer_size": 0}, "buffer_size=0: expected 'auto' or an integer"),
        ({"buffer_size": "all"}, "buffer_size='all': expected 'auto' or an integer"),
        ({"batch_size": 41}, "batch_size=41: expected at most buffer_size, 40 samples"),
        ({"batch_size": "full"}, "batch_size='full': it needs all samples in memory"),
        ({"solver": "lbfgs", "dropout": 0}, "solver='lbfgs': it needs all samples in memory"),
        ({"distortion": fastnn.ImageDistortion(1, 5)}, "distortion: it needs all samples"),
        ({"validation_fraction": 0.001, "early_stopping": True}, "validation_fraction=0.001: "),
        ({"loss": "sse"}, "loss="),
    ],
    ids=str,
)
def test_refused_parameters(data, options, message):
    X, y = data
    model = classifier(**options)
    with pytest.raises(ValueError, match=message):
        model.fit(Slices(X), y)
    assert not hasattr(model, "params_")
    if "early_stopping" not in options:
        with pytest.raises(ValueError, match=message):
            model.fit_batches(cut(X, y))


def test_refused_tables(data):
    X, y = data
    for labels, message in [
        (y[1:], "y: X has 230 samples but y has 229"),
        (Slices(y[1:]), r"y: got shape \(229,\); expected \(230,\)"),
        (None, "y: this estimator requires y"),
    ]:
        with pytest.raises(ValueError, match=message):
            classifier().fit(Slices(X), labels)
    with pytest.raises(ValueError, match=r"sample_weight: expected shape \(230,\)"):
        classifier().fit(Slices(X), y, np.ones(3))
    model = classifier().fit(X, y)
    with pytest.raises(ValueError, match="X: X has 4 features"):
        model.predict(Slices(X[:, :4]))
    with pytest.raises(ValueError, match="expected labels among"):
        model.set_params(warm_start=True).fit(Slices(X), y + 1)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        (3, "batches=3: expected an iterable"),
        ("ab", "batches='ab': expected an iterable"),
        ([], "batches: there is no batch"),
        ([np.ones((2, 2))[:1]], r"batches\[0\]: expected \(X, y\)"),
        ([(np.ones((3, 5)), None)], r"batches\[0\]: y: this estimator requires y"),
        ([(np.ones(3), [1])], r"batches\[0\]: .*y has 1|batches\[0\]: X"),
        (iter([]), "batches: there is no batch"),
    ],
    ids=str,
)
def test_refused_batches(batches, message):
    with pytest.raises(ValueError, match=message):
        classifier(max_iter=1).fit_batches(batches, classes=[0, 1, 2])


def test_batches_that_change(data):
    X, y = data
    batches = cut(X, y)
    for other, message in [
        ((X[:, :4], y), r"batches\[4\]: X: X has 4 features"),
        ((X, y + 1), r"batches\[4\]: y: .* at row \d+; expected labels among"),
        ((X, y[1:]), r"batches\[4\]: y: X has 230 samples"),
        ((X, y, y), r"batches\[4\]: sample_weight: missing in some"),
        ((csr_array(X), y), r"batches\[4\]: X: sparse in some parts"),
    ]:
        with pytest.raises(ValueError, match=message):
            classifier().fit_batches([*batches[:4], other], classes=[0, 1, 2])
    small = (X[:50] * 9).astype(np.uint8), y[:50]
    with pytest.raises(ValueError, match=r"batches\[1\]: X: real numbers after bytes"):
        classifier().fit_batches([small, (X, y)], classes=[0, 1, 2])
    assert classifier().fit_batches([(X, y), small]).t_ == 2 * (N + 50)


def test_sparse_batches(images):
    X, y = images
    X = X / 255
    whole = classifier().fit(csr_array(X), y)
    sparse = [(csr_array(X[a : a + 50]), y[a : a + 50]) for a in range(0, N, 50)]
    assert same(classifier(buffer_size=N).fit_batches(sparse), whole)


def test_wide_batches(data):
    """A window of 64 MiB has a batch at least; of sparse rows, what is not 0 counts."""
    _, y = data
    rows = csr_array((np.ones(N), (np.arange(N), y)), (N, 200_000))
    options = {"hidden_layer_sizes": (1,), "max_iter": 1, "buffer_size": "auto"}
    model = classifier(**options).fit_batches([(rows, y)])
    assert same(model, classifier(**options).fit(rows, y))
    wide = np.zeros((9, 2_000_000), np.uint8)
    model = classifier(**options, batch_size=40).fit_batches([(wide, y[:9])], classes=[0, 1, 2])
    assert model.t_ == 9


def test_iterators(data):
    X, y = data
    batches = cut(X, y)
    whole = classifier(max_iter=1).fit_batches(batches)
    assert same(classifier(max_iter=1).fit_batches(iter(batches), classes=[0, 1, 2]), whole)
    whole = classifier().fit_batches(batches)
    assert same(classifier().fit_batches(lambda: iter(batches)), whole)
    with pytest.raises(ValueError, match="an iterator can be run through only once"):
        classifier().fit_batches(iter(batches), classes=[0, 1, 2])
    with pytest.raises(ValueError, match="classes=None: expected all classes"):
        classifier(max_iter=1).fit_batches(iter(batches))
    regressor = fastnn.MLPRegressor(**{**OPTIONS, "max_iter": 1})
    assert regressor.fit_batches(iter(batches)).t_ == N
    with pytest.raises(ValueError, match="classes: a regression has none"):
        regressor.fit_batches(batches, classes=[0, 1])
    with pytest.raises(ValueError, match="class_weight='balanced': fit_batches"):
        classifier(class_weight="balanced").fit_batches(batches)
    files = iter([batches, batches, []])  # looked at, run through, and empty
    with pytest.raises(ValueError, match="batches: no sample in epoch 2"):
        classifier().fit_batches(lambda: next(files), classes=[0, 1, 2])


def test_the_bar_knows_how_far_it_is(data, monkeypatch):
    from fastnn import progress

    X, y = data
    bars = []

    class Bar(progress.NoProgress):
        def __init__(self, total, **_):
            self.totals, self.n = [total], 0
            bars.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def expect(self, n):
            self.totals.append(n)

        def update(self, n):
            self.n += n

    monkeypatch.setattr(progress, "is_watched", lambda: True)
    monkeypatch.setattr(progress, "_bar_class", lambda: Bar)
    classifier().fit(Slices(X), y)
    classifier().fit_batches(cut(X, y), classes=[0, 1, 2], n_samples=N)
    classifier().fit_batches(cut(X, y))
    classifier().fit_batches(cut(X, y), classes=[0, 1, 2])
    assert [bar.totals[0] for bar in bars] == [2 * N, 2 * N, 2 * N, None]
    assert all(bar.totals[-1] == bar.n == 2 * N for bar in bars)
