"""Values on the way in: each is right, or refused by a ValueError that names its argument."""

import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning

import fastnn
from fastnn.backends.shared import dropout_limit
from fastnn.many import MAY_DIFFER
from fastnn.parameters import check_n_jobs, shown
from fastnn.validation import target_columns

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

X = np.random.default_rng(0).normal(size=(12, 3))
LABELS = np.arange(12) % 3
SHORT = {"hidden_layer_sizes": (3,), "max_iter": 2, "tol": None, "verbose": False}
ESTIMATORS = {
    "MLPClassifier": lambda **p: fastnn.MLPClassifier(**{**SHORT, **p}),
    "MLPRegressor": lambda **p: fastnn.MLPRegressor(**{**SHORT, **p}),
    "Perceptron": lambda **p: fastnn.Perceptron(max_iter=2, verbose=False, **p),
    "LinearNetwork": lambda **p: fastnn.LinearNetwork(max_iter=2, eta0=0.01, verbose=False, **p),
}
HOSTILE = [
    "1e-4",
    "no",
    b"relu",
    [],
    ["relu"],
    [[3]],
    {"a": 1},
    {3},
    (),
    None,
    np.nan,
    np.inf,
    -np.inf,
    -1,
    -0.5,
    1e300,
    1e-300,
    1j,
    True,
    np.True_,
    Fraction(1, 3),
    Decimal("0.1"),
    10**400,
    10**5000,
    2**64,
    2**64 - 1,
    np.array(3),
    np.array([3.5]),
    np.array(["auto"]),
    np.float16(0.25),
    np.float32(0.25),
    np.longdouble(0.25),
    np.uint8(2),
    np.str_("tanh"),
    np.datetime64("2020"),
    np.ma.masked,
    pd.NA,
    object(),
    int,
    lambda: 0,
]
PARAMETERS = [
    (name, parameter) for name, make in ESTIMATORS.items() for parameter in make().get_params()
]


def complaint_of(call, name):
    """Return what is wrong with how a call refuses a value, None if it takes or refuses it well."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="training diverged")
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        try:
            call()
        except ValueError as error:
            return None if name in str(error) else f"does not name {name}: {error}"
        except Exception as error:
            return repr(error)
    return None


@pytest.mark.parametrize(("estimator", "parameter"), PARAMETERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_parameter_by_every_value(estimator, parameter, dtype):
    bad = {}
    y = LABELS.astype(float) if estimator in ("MLPRegressor", "LinearNetwork") else LABELS
    for value in HOSTILE:
        model = ESTIMATORS[estimator](**({} if parameter == "dtype" else {"dtype": dtype}))
        if parameter == "max_iter" and type(value) is int and value > 1000:
            continue  # right, and takes for ever
        model.set_params(**{parameter: value})
        before = set(vars(model))
        complaint = complaint_of(lambda model=model: model.fit(X, y), parameter)
        if complaint is None and not hasattr(model, "n_iter_") and set(vars(model)) != before:
            complaint = f"left {set(vars(model)) - before}"
        if complaint:
            bad[shown(value)] = complaint
    assert not bad


def test_numbers_of_other_kinds_give_the_same_network():
    numbers = {
        "learning_rate_init": 0.25,
        "alpha": 0.25,
        "tol": 0.25,
        "dropout": 0.25,
        "bias_init": 0.25,
        "learning_rate_decay": 0.25,
        "max_iter": 2,
        "batch_size": 5,
    }
    expected = fastnn.MLPClassifier((3,), random_state=0, **numbers).fit(X, LABELS).params_
    for real in (np.float16, np.float32, np.longdouble):
        given = {k: (real if isinstance(v, float) else np.uint8)(v) for k, v in numbers.items()}
        model = fastnn.MLPClassifier(np.array([3]), random_state=np.uint64(0), **given)
        assert np.array_equal(model.fit(X, LABELS).params_, expected)


def test_dropout_next_to_1(backend):
    assert 0 < dropout_limit(1 - 1e-12) < 2**32
    model = fastnn.MLPClassifier((5,), dropout=1 - 1e-12, max_iter=2, random_state=0)
    start = fastnn.MLPClassifier((5,), max_iter=0, random_state=0).fit(X, LABELS)
    model.fit(X[1:], LABELS[1:])  # of classes that are equally frequent, no bias would move
    assert np.array_equal(model.coefs_[0], start.coefs_[0])  # all hidden units are dropped
    assert not np.array_equal(model.intercepts_[1], start.intercepts_[1])


def test_hidden_layers():
    for sizes, expected in (((), 0), (np.int64(5), 1), (np.array([3, 4]), 2), ([2, 2, 2], 3)):
        model = fastnn.MLPClassifier(sizes, max_iter=1).fit(X, LABELS)
        assert len(model.coefs_) == expected + 1


def test_a_network_too_large_for_memory_is_named(monkeypatch):
    def uniforms(*_):
        raise MemoryError

    monkeypatch.setattr("fastnn.random.uniforms", uniforms)
    with pytest.raises(MemoryError, match=r"hidden_layer_sizes=\(7,\): 52 parameters"):
        fastnn.MLPClassifier((7,)).fit(X, LABELS)


@pytest.mark.parametrize(("n_jobs", "expected"), [(None, 4), (3, 3), (-1, 4), (-2, 3), (-9, 1)])
def test_n_jobs_as_in_joblib(monkeypatch, n_jobs, expected):
    monkeypatch.setattr("fastnn.parameters.default_threads", lambda: 4)
    assert check_n_jobs(n_jobs) == expected


@pytest.mark.parametrize("seed", [2**63, 2**64 - 1])
def test_seeds_of_64_bits(compiled_backend, seed):
    images = np.arange(12 * 9, dtype=np.uint8).reshape(12, 9)
    given = {
        "hidden_layer_sizes": (4,),
        "max_iter": 1,
        "dropout": 0.5,
        "random_state": seed,
        "dtype": "float64",
        "distortion": fastnn.ImageDistortion(3, 3, alpha=2.0),
    }
    found = fastnn.MLPClassifier(**given).fit(images, LABELS).params_
    with fastnn.use_backend("python"):
        expected = fastnn.MLPClassifier(**given).fit(images, LABELS).params_
    assert np.abs(found - expected).max() < 1e-9


GOOD_X = {
    "array": X,
    "list": X.tolist(),
    "big-endian": X.astype(">f8"),
    "Fortran": np.asfortranarray(X),
    "longdouble": X.astype(np.longdouble),
    "mask of nothing": np.ma.array(X),
    "objects": X.astype(object),
    "pandas": pd.DataFrame(X, columns=list("abc")),
    "pandas Float64": pd.DataFrame(X, columns=list("abc"), dtype="Float64"),
    "polars": pl.DataFrame(X, schema=list("abc")),
}


@pytest.mark.parametrize("kind", GOOD_X)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_inputs_of_any_kind(kind, name):
    expected = ESTIMATORS[name](random_state=0).fit(X, LABELS).predict(X)
    model = ESTIMATORS[name](random_state=0).fit(GOOD_X[kind], LABELS)
    assert np.array_equal(model.predict(GOOD_X[kind]), expected)


SMALL_X = {
    "numpy": X.astype("f4"),
    "big-endian": X.astype(">f4"),
    "pandas": pd.DataFrame(X, columns=list("abc"), dtype="f4"),
    "pandas Float32": pd.DataFrame(X, columns=list("abc"), dtype="Float32"),
    "polars": pl.DataFrame(X.astype("f4"), schema=list("abc")),
    "bytes": (X * 10).astype("u1"),
    "pandas bytes": pd.DataFrame((X * 10).astype("u1"), columns=list("abc")),
    "pandas UInt8": pd.DataFrame((X * 10).astype("u1"), columns=list("abc"), dtype="UInt8"),
    "polars bytes": pl.DataFrame((X * 10).astype("u1"), schema=list("abc")),
    "both": pd.DataFrame({"a": X[:, 0].astype("f4"), "b": np.arange(12, dtype="u1")}),
}


@pytest.mark.parametrize("kind", SMALL_X)
def test_auto_is_float32_for_small_numbers(kind):
    model = fastnn.MLPClassifier((3,), max_iter=1, random_state=0).fit(SMALL_X[kind], LABELS)
    assert model.params_.dtype == np.float32
    plain = np.asarray(SMALL_X[kind]).astype("u1" if "tes" in kind or "UInt8" in kind else "f4")
    again = fastnn.MLPClassifier((3,), max_iter=1, random_state=0).fit(plain, LABELS)
    assert np.array_equal(model.params_, again.params_)


@pytest.mark.parametrize(
    "other",
    [
        X.astype("f2"),
        X.astype("i2"),
        X > 0,
        pd.DataFrame({"a": X[:, 0].astype("f4"), "b": X[:, 1]}),
    ],
)
def test_auto_is_float64_for_other_numbers(other):
    assert fastnn.MLPClassifier((3,), max_iter=1).fit(other, LABELS).params_.dtype == np.float64


def changed(values, place, value, dtype=object):
    values = np.array(values, dtype)
    values[place] = value
    return values


BAD_X = {
    "NaN": changed(X, (1, 2), np.nan, float),
    "infinity": changed(X, (1, 2), -np.inf, float),
    "None": changed(X, (1, 2), None),
    "NA": changed(X, (1, 2), pd.NA),
    "huge integer": changed(X, (1, 2), 10**400),
    "string": changed(X, (1, 2), "a"),
    "masked": np.ma.masked_greater(X, 1),
    "dates": np.full((12, 3), np.datetime64("2020")),
    "list of durations": [[np.timedelta64(3, "D")] * 3] * 12,
    "pandas dates": pd.DataFrame({c: pd.to_datetime(["2020-01-01"] * 12) for c in "abc"}),
    "polars dates": pl.DataFrame({c: range(12) for c in "abc"}).cast(pl.Date),
    "pandas gap": pd.DataFrame({c: [None, *range(11)] for c in "abc"}, dtype="Int64"),
    "bytes with a gap": pd.DataFrame({c: [None, *range(11)] for c in "abc"}, dtype="UInt8"),
    "polars gap": pl.DataFrame({c: [None, *range(11)] for c in "abc"}),
    "ragged": [[1.0], [1.0, 2.0]] * 6,
    "complex": X + 1j,
    "no samples": X[:0],
    "no features": X[:, :0],
    "too large": changed(X, (1, 2), 1e39, float),
    "longdouble": changed(X, (1, 2), np.longdouble("1e4000"), np.longdouble),
}


@pytest.mark.parametrize("kind", BAD_X)
@pytest.mark.parametrize("name", ESTIMATORS)
def test_bad_inputs(kind, name):
    wrong = (ValueError, TypeError) if kind == "string" else ValueError
    fitted = ESTIMATORS[name](dtype="float32").fit(X, LABELS)
    before = fitted.n_features_in_
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="X has feature names")
        with pytest.raises(wrong, match=r"^X: "):
            fitted.predict(BAD_X[kind])
        with pytest.raises(wrong, match=r"^X: "):
            fitted.fit(BAD_X[kind], LABELS)
        if name.startswith("MLP"):
            with pytest.raises(wrong, match=r"^validation_data: .*X: "):
                fitted.fit(X, LABELS, validation_data=(BAD_X[kind], LABELS))
    assert fitted.n_features_in_ == before


def test_a_failed_fit_leaves_the_features():
    table = pd.DataFrame(X, columns=list("abc"))
    for make in ESTIMATORS.values():
        model = make().fit(table, LABELS)
        with pytest.raises(ValueError, match=r"^y: "):
            model.fit(X[:, :2], [None] * 12)
        assert model.n_features_in_ == 3
        assert model.feature_names_in_.tolist() == ["a", "b", "c"]
        model.fit(X[:, :2], LABELS)
        assert not hasattr(model, "feature_names_in_")


def test_large_finite_inputs_do_not_warn():
    large = np.full((4000, 3), 1e308)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fastnn.MLPClassifier((3,), "tanh", max_iter=1, tol=None).fit(
            large, np.arange(4000) % 2
        ).predict(large[:9])


def test_inputs_times_their_scale():
    with pytest.raises(ValueError, match=r"^X: .* times input_scale=1e\+20 is too large"):
        fastnn.MLPClassifier(input_scale=1e20).fit(X.astype("f4") * 1e20, LABELS)
    model = fastnn.MLPClassifier(input_scale=100.0, max_iter=1).fit(X, LABELS)
    with pytest.raises(ValueError, match=r"^X: .* times input_scale"):
        model.predict(X * 1e307)


STRINGS = np.array(["oak", "elm", "fir"], object)[LABELS]
GOOD_LABELS = {
    "strings": STRINGS,
    "NumPy strings": STRINGS.astype(str),
    "strings of any length": STRINGS.astype(np.dtypes.StringDType()),
    "list": STRINGS.tolist(),
    "pandas": pd.Series(STRINGS),
    "pandas string": pd.Series(STRINGS, dtype="string"),
    "pandas category": pd.Series(STRINGS, dtype="category"),
    "polars": pl.Series(STRINGS.tolist()),
    "integers": LABELS,
    "big-endian": LABELS.astype(">i2"),
    "Int64": pd.Series(LABELS, dtype="Int64"),
    "objects": LABELS.astype(object),
    "reals": LABELS - 0.0,
    "zero of two signs": np.where(LABELS, LABELS, [0.0, -0.0] * 6),
    "bools": LABELS > 0,
    "pandas boolean": pd.Series(LABELS > 0, dtype="boolean"),
    "huge": np.array([10**400, 1, 2], object)[LABELS],
    "mask of nothing": np.ma.array(LABELS),
    "dates": np.array(["2020", "2021", "2022"], "M8[Y]")[LABELS],
}


@pytest.mark.parametrize("kind", GOOD_LABELS)
@pytest.mark.parametrize("name", ["MLPClassifier", "Perceptron"])
def test_labels_of_any_kind(kind, name):
    y = GOOD_LABELS[kind]
    model = ESTIMATORS[name]().fit(X, y)
    assert sorted(model.classes_) == sorted(set(np.asarray(y).tolist() if kind != "dates" else y))
    assert set(model.predict(X)) <= set(model.classes_)
    if kind == "Int64":
        assert model.classes_.dtype == np.int64
    if name == "MLPClassifier":
        assert 0 <= model.evaluate(X, y)[1] <= 1


BAD_LABELS = {
    "None": changed(STRINGS, 3, None),
    "NaN": changed(STRINGS, 3, np.nan),
    "NA": changed(STRINGS, 3, pd.NA),
    "list": [*STRINGS[:11].tolist(), np.nan],
    "pandas": pd.Series(changed(STRINGS, 3, None)),
    "pandas string": pd.Series(changed(STRINGS, 3, None), dtype="string"),
    "category": pd.Series(changed(STRINGS, 3, None), dtype="category"),
    "polars": pl.Series(changed(STRINGS, 3, None).tolist()),
    "string with none": changed(STRINGS, 3, None, np.dtypes.StringDType(na_object=None)),
    "Int64": pd.Series([None, *range(11)], dtype="Int64"),
    "boolean": pd.Series([None] + [True, False] * 5 + [True], dtype="boolean"),
    "no date": np.array(["NaT", *["2020", "2021"] * 5, "2020"], "M8[D]"),
    "real NaN": changed(LABELS, 3, np.nan, float),
    "infinity": changed(LABELS, 3, np.inf, float),
    "mixed": changed(STRINGS, 3, 1),
    "mixed list": [1, "a"] * 6,
    "real numbers": LABELS + 0.5,
    "complex": LABELS + 1j,
    "bytes": STRINGS.astype("S"),
    "tuples": [(1, "a")] * 12,
    "masked": np.ma.masked_equal(LABELS, 1),
    "ragged": [[1], [1, 2]] * 6,
    "Decimal": changed(STRINGS, slice(None), Decimal(1)),
}


@pytest.mark.parametrize("kind", BAD_LABELS)
@pytest.mark.parametrize("name", ["MLPClassifier", "Perceptron"])
def test_bad_labels(kind, name):
    with pytest.raises(ValueError, match=r"^y: "):
        ESTIMATORS[name]().fit(X, BAD_LABELS[kind])
    fitted = ESTIMATORS[name]().fit(X, STRINGS)
    with pytest.raises(ValueError, match=r"^y: "):
        fitted.score(X, BAD_LABELS[kind])
    if name == "MLPClassifier":
        with pytest.raises(ValueError, match=r"^y: "):
            fitted.evaluate(X, BAD_LABELS[kind])
        with pytest.raises(ValueError, match=r"^validation_data: .* y: "):
            fitted.fit(X, STRINGS, validation_data=(X, BAD_LABELS[kind]))


def test_digits_are_no_numbers():
    model = ESTIMATORS["MLPClassifier"]().fit(X, LABELS)
    with pytest.raises(ValueError, match=r"^y: .* at row \d+; expected labels among \[0, 1, 2\]"):
        model.evaluate(X, LABELS.astype(str))


BAD_TARGETS = {
    "too large": changed(X[:, 0], 3, 1e200, float),
    "NaN": changed(X[:, 0], 3, np.nan, float),
    "None": changed(X[:, 0], 3, None),
    "NA": changed(X[:, 0], 3, pd.NA),
    "Float64": pd.Series([None, *range(11)], dtype="Float64"),
    "strings": ["a"] * 12,
    "dates": np.full(12, np.datetime64("2020")),
    "durations": pd.Series(pd.to_timedelta(range(12), unit="D")),
    "complex": X[:, 0] + 1j,
    "huge integer": changed(X[:, 0], 3, 10**400),
    "masked": np.ma.masked_greater(X[:, 0], 0),
}


@pytest.mark.parametrize("kind", BAD_TARGETS)
@pytest.mark.parametrize("name", ["MLPRegressor", "LinearNetwork"])
def test_bad_targets(kind, name):
    model, y = ESTIMATORS[name](dtype="float32"), BAD_TARGETS[kind]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r"^y: "):
            model.fit(X, y)
        assert not hasattr(model, "n_features_in_")
        model.fit(X, X[:, 0])
        with pytest.raises(ValueError, match=r"^y: "):
            model.score(X, y)
        if name == "MLPRegressor":
            with pytest.raises(ValueError, match=r"^y: "):
                model.evaluate(X, y)
            with pytest.raises(ValueError, match=r"^validation_data: .* y: "):
                model.fit(X, X[:, 0], validation_data=(X, y))


def test_targets_of_other_shape():
    model = ESTIMATORS["MLPRegressor"]().fit(X, X)
    for y in (X[:, 0], X[:, :2]):
        with pytest.raises(ValueError, match=r"^y: .*expected 3"):
            model.evaluate(X, y)
        with pytest.raises(ValueError, match=r"^validation_data: .* y: . outputs; expected 3"):
            model.fit(X, X, validation_data=(X, y))


def test_a_known_class_alone_goes_on():
    model = fastnn.MLPClassifier((3,), max_iter=1, warm_start=True).fit(X, LABELS)
    model.fit(X[LABELS == 1], LABELS[LABELS == 1])
    assert model.classes_.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=r"^y: .* at row \d+; expected labels among .* as before"):
        model.fit(X, LABELS + 1)


@pytest.mark.parametrize("name", ["MLPClassifier", "Perceptron"])
def test_many_classes_take_no_square_of_memory(name):
    model = ESTIMATORS[name](weight_init="uniform")
    y = np.arange(3000).astype(str)
    if name == "MLPClassifier":
        model.set_params(loss="sum_squared_error", max_iter=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # scikit-learn's: as many classes as samples
        assert len(model.set_params(max_iter=0).fit(np.zeros((3000, 1)), y).classes_) == 3000


def test_targets_too_large_for_memory_are_named(monkeypatch):
    with pytest.raises(MemoryError, match=r"^y: .* samples of .* classes"):
        target_columns(2**40, 2**40, 0, np.dtype(float))


BAD_WEIGHTS = {
    "None": None,
    "NaN": np.nan,
    "infinity": np.inf,
    "too large": 1e39,
    "huge integer": 10**400,
    "string": "a",
    "complex": 1j,
    "date": np.datetime64("2020"),
    "NA": pd.NA,
    "masked": np.ma.masked,
}


@pytest.mark.parametrize("kind", BAD_WEIGHTS)
def test_bad_initial_weights(kind):
    given = np.full((3, 1), BAD_WEIGHTS[kind], None if kind != "NA" else object)
    if kind == "masked":
        given = np.ma.masked_all((3, 1))
    y = X[:, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = fastnn.MLPRegressor((), dtype="float32")
        with pytest.raises(ValueError, match=r"^coefs_init\[0\]: "):
            model.fit(X, y, coefs_init=[given])
        with pytest.raises(ValueError, match=r"^intercepts_init\[0\]: "):
            model.fit(X, y, intercepts_init=[given[0]])
        for make in (fastnn.LinearNetwork, fastnn.Perceptron):
            model = make(dtype="float32")
            with pytest.raises(ValueError, match=r"^coef_init: "):
                model.fit(X, y > 0, coef_init=given.T)
            with pytest.raises(ValueError, match=r"^intercept_init: "):
                model.fit(X, y > 0, intercept_init=given[0])
    assert not hasattr(model, "n_features_in_")


@pytest.mark.parametrize("given", [3, "ab", {"a": 1}, {1}, np.array(1.0)])
def test_initial_weights_are_sequences(given):
    with pytest.raises(ValueError, match=r"^coefs_init.*: expected"):
        fastnn.MLPRegressor(()).fit(X, X[:, 0], coefs_init=given)


@pytest.mark.parametrize("field", fastnn.ImageDistortion._fields)
def test_every_field_of_a_distortion_by_every_value(field):
    images, bad = np.zeros((12, 9), np.uint8), {}
    for value in HOSTILE:
        distortion = fastnn.ImageDistortion(3, 3)._replace(**{field: value})
        model = fastnn.MLPClassifier((2,), max_iter=1, distortion=distortion)
        complaint = complaint_of(lambda model=model: model.fit(images, LABELS), "distortion")
        if complaint:
            bad[shown(value)] = complaint
    assert not bad


def test_angles_by_class_need_classes():
    images = np.zeros((12, 9), np.uint8)
    distortion = fastnn.ImageDistortion(3, 3, (1.0, 2.0, 3.0))
    fastnn.MLPClassifier((2,), max_iter=1, distortion=distortion).fit(images, LABELS)
    with pytest.raises(ValueError, match=r"^distortion: rotation has 3 angles"):
        fastnn.MLPRegressor((2,), distortion=distortion).fit(images, X[:, 0])


@pytest.mark.parametrize("argument", MAY_DIFFER)
def test_every_value_of_many_networks(argument):
    estimator = fastnn.MLPClassifier((2,), max_iter=1, tol=None, dtype="float32")
    bad = {}
    for value in HOSTILE:
        if argument == "max_iter" and type(value) is int and value > 1000:
            continue  # right, and takes for ever
        for given in (value, [value], [0.25, value]):
            complaint = complaint_of(
                lambda given=given: fastnn.train_many(estimator, X, LABELS, **{argument: given}),
                argument,
            )
            if complaint:
                bad[shown(given)] = complaint
    assert not bad


def test_train_many_refuses_by_name():
    estimator = fastnn.MLPClassifier((2,), max_iter=1, tol=None)
    for parameters, name in (({"warm_start": "no"}, "warm_start"), ({"tol": [1]}, "tol")):
        with pytest.raises(ValueError, match=name):
            fastnn.train_many(
                clone(estimator).set_params(**parameters), X, LABELS, random_state=[1]
            )
    with pytest.raises(ValueError, match="record_losses='no'"):
        fastnn.train_many(estimator, X, LABELS, random_state=[1], record_losses="no")
    with pytest.raises(ValueError, match=r"^estimator: "):
        fastnn.train_many(fastnn.MLPClassifier, X, LABELS, random_state=[1])


@pytest.mark.parametrize("activation", ["tanh", "purelin", "softsign", "sign", "relu"])
def test_no_probabilities_of_other_outputs(activation):
    model = fastnn.MLPClassifier(loss="sum_squared_error", out_activation=activation, max_iter=1)
    assert not hasattr(model, "predict_proba")
    model.fit(X, LABELS)
    with pytest.raises(AttributeError, match=r"has no attribute|no probabilities"):
        model.predict_log_proba(X)
    assert set(model.predict(X)) <= {0, 1, 2}


def test_probabilities_of_outputs_that_are_0(monkeypatch):
    model = fastnn.MLPClassifier((), loss="sum_squared_error", max_iter=0).fit(X, LABELS)
    outputs = np.array([[0.0, 0, 0], [0, 1, 3]])
    monkeypatch.setattr(model, "_outputs", lambda X: outputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert model.predict_proba(X) == pytest.approx(np.array([[1 / 3] * 3, [0, 0.25, 0.75]]))
        assert model.predict_log_proba(X)[1, 0] == -np.inf


def test_tables_are_measured_without_warnings():
    table = pd.DataFrame(X, columns=list("abc"))

    class Measure:
        def on_epoch_end(self, epoch):
            found.append((epoch.val_loss, epoch.val_accuracy))
            assert epoch.accuracy == epoch.val_accuracy
            assert epoch.model.score(*epoch.training_data) == pytest.approx(epoch.accuracy)

    for name, target in (("MLPClassifier", LABELS), ("MLPRegressor", X[:, 0])):
        found = []
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model = ESTIMATORS[name]().set_params(max_iter=2)
            model.fit(table, target, callbacks=[Measure()], validation_data=(table, target))
            assert found[-1] == pytest.approx(model.evaluate(table, target))


def test_a_column_of_labels_warns_once():
    column = LABELS[:, np.newaxis]
    with pytest.warns(DataConversionWarning) as seen:
        fastnn.MLPClassifier((3,), max_iter=5, tol=None).fit(
            X, column, callbacks=[fastnn.EarlyStopping("accuracy")]
        )
    assert len(seen) == 1
