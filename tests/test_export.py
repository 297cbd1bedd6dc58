"""What all exports share: descriptions of models, refusals, files that are right or not there."""

import errno
import os

import numpy as np
import pytest
from export_cases import examples, network, networks
from hypothesis import given
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import fastnn
from fastnn.export import FORMATS, to_c, to_keras, to_numpy
from fastnn.export.forward import forward, model_results, results_of
from fastnn.export.plain import describe
from fastnn.export.verified import begin

CLOSE = {"float32": 2e-5, "float64": 1e-12}


@examples(50)
@given(case=networks())
def test_a_description_computes_what_the_model_does(case):
    model, X = case
    plain = describe(model)
    expected, got = model_results(model, plain, X), results_of(plain, forward(plain, X))
    atol = CLOSE[plain.dtype.name] * max(1, abs(expected.values).max())
    np.testing.assert_allclose(got.values, expected.values, rtol=0, atol=atol)


def test_a_description_has_the_state_of_the_training():
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier((3,), max_iter=4, tol=None, learning_rate_init=0.01, alpha=0.1)
    plain = describe(model.fit(X, y))
    training = plain.training
    assert (training.loss, training.solver) == ("binary_crossentropy", "adam")
    numbers = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "l1": 0.0}
    numbers |= {"learning_rate_init": 0.01, "alpha": 0.1, "max_norm": 0.0}
    assert training.numbers == numbers
    assert training.step == training.epoch == 4
    for (weights, bias), layer in zip(plain.parts(model.params_), plain.layers, strict=True):
        np.testing.assert_array_equal(weights, layer.weights)
        np.testing.assert_array_equal(bias, layer.bias)
    assert training.moments.shape == (2, model.params_.size)


def test_momentum_is_a_solver_of_its_own():
    X, y = fastnn.load_xor()
    for nesterov, name in ((True, "nesterov"), (False, "momentum")):
        model = fastnn.MLPClassifier((3,), solver="sgd", nesterovs_momentum=nesterov, max_iter=0)
        training = describe(model.fit(X, y)).training
        assert (training.solver, training.numbers["momentum"]) == (name, 0.9)


class Stranger:
    pass


def diverged():
    model, _ = network()
    model.params_[0] = np.nan
    return model


X3 = np.random.default_rng(0).standard_normal((20, 3))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (fastnn.MLPClassifier(), "model: this MLPClassifier is not fitted yet; call fit first"),
        (fastnn.Perceptron(), "model: this Perceptron is not fitted yet; call fit first"),
        (Stranger(), r"model: expected one of .*, or a pipeline that ends in one, got .*Stranger"),
        (LinearRegression(), "model: expected one of .* got sklearn.*LinearRegression"),
        (
            make_pipeline(PCA(2), fastnn.LinearNetwork(max_iter=1)).fit(X3, X3[:, 0]),
            "step 'pca' of the pipeline, PCA: expected StandardScaler, MinMaxScaler or MaxAbsScal",
        ),
        (
            make_pipeline(StandardScaler(), fastnn.MLPClassifier()),
            "step 'standardscaler' of the pipeline, StandardScaler, is not fitted yet",
        ),
        (diverged(), "model: layer 1 is not finite; did the training diverge"),
    ],
)
def test_models_that_are_refused(model, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        to_numpy(model, tmp_path / "m.py")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": [[1.0, 2.0]]}, r"samples: expected shape \(n, 3\), got \(1, 2\)"),
        ({"samples": np.empty((0, 3))}, r"samples: expected shape \(n, 3\), got \(0, 3\)"),
        ({"samples": [["a", "b", "c"]]}, "samples: expected real numbers, got"),
        ({"samples": [[1.0, 2.0, np.nan]]}, "samples: .*NaN"),
        ({"samples": [[1, 2, 300]], "input_dtype": "uint8"}, "samples: expected integers from 0"),
        ({"tolerance": -1}, "tolerance=-1: expected a number above 0"),
        ({"seed": "a"}, "seed='a': expected an integer from 0"),
        ({"overwrite": "yes"}, "overwrite='yes': expected True or False"),
        ({"input_dtype": "int8"}, "input_dtype='int8': expected 'uint8', 'float32' or 'float64'"),
        ({"input_dtype": "nonsense"}, "input_dtype='nonsense': expected"),
    ],
)
def test_arguments_that_are_refused(options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        to_numpy(network()[0], tmp_path / "m.py", **options)
    assert not list(tmp_path.iterdir())


def test_an_activation_without_a_formula_is_refused(tmp_path, monkeypatch):
    from fastnn.export import numpy_functions

    monkeypatch.delattr(numpy_functions, "gelu")
    with pytest.raises(ValueError, match="layer 2, gelu: there is no formula in NumPy"):
        to_numpy(network(hidden=(3, 3), activation=["tanh", "gelu"])[0], tmp_path / "m.py")
    assert not list(tmp_path.iterdir())


def test_an_activation_that_a_format_does_not_know_is_refused(tmp_path, monkeypatch):
    """As one that is new here: its samples alone would not show that its number gets lost."""
    from fastnn.export import c_activations, keras_names

    model = network(hidden=(3, 3), activation=["gelu", ("elu", 0.3)])[0]
    monkeypatch.delitem(c_activations.ACTIVATIONS, "gelu")
    monkeypatch.delitem(keras_names.ACTIVATION_LAYERS, "elu")
    monkeypatch.delitem(keras_names.FUNCTION_PARAMETERS, "elu")
    with pytest.raises(ValueError, match="layer 1, gelu: there is no formula in C"):
        to_c(model, tmp_path / "m.h")
    with pytest.raises(ValueError, match="layer 2, elu: no layer of Keras is known for its number"):
        to_keras(model, tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_stays(tmp_path):
    model, _ = network()
    path = tmp_path / "m.py"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="the file is there; overwrite=True replaces it"):
        to_numpy(model, path)
    assert path.read_text() == "precious"
    to_numpy(model, path, overwrite=True)
    assert "def predict" in path.read_text()


def test_a_file_that_somebody_writes_meanwhile_stays(tmp_path, monkeypatch):
    path = tmp_path / "m.py"
    export = begin(network()[0], path)

    def run(part, X):
        path.write_text("precious")
        return export.expected

    with pytest.raises(FileExistsError, match="the file is there"):
        export.finish(b"x", run)
    assert path.read_text() == "precious"
    assert list(tmp_path.iterdir()) == [path]


def test_a_wrong_file_is_not_written(tmp_path):
    model, X = network("classes")
    export = begin(model, tmp_path / "m.py", samples=X, tolerance=1e-3)
    values, labels = export.expected
    wrong = export.expected._replace(values=values + 0.01)
    with pytest.raises(ValueError, match=r"differs from the model by 0.01; expected at most tol"):
        export.finish(b"x", lambda part, X: wrong)
    with pytest.raises(ValueError, match="24 of 24 labels are not those of the model"):
        export.finish(b"x", lambda part, X: export.expected._replace(labels=(labels + 1) % 3))
    with pytest.raises(ValueError, match="differs from the model by nan"):
        export.finish(b"x", lambda part, X: export.expected._replace(values=values * np.nan))
    assert not list(tmp_path.iterdir())
    close = export.expected._replace(values=values + 1e-6)
    assert not export.finish(b"x", lambda part, X: export.expected).details
    export.path.unlink()
    assert 0 < export.finish(b"x", lambda part, X: close).difference < 2e-6


def test_labels_that_rounding_decides_are_counted(tmp_path):
    model, X = network("perceptron")
    model.coef_, model.intercept_ = np.zeros_like(model.coef_), np.array([1e-6])
    export = begin(model, tmp_path / "m.py", samples=X, tolerance=1e-5)
    values, labels = export.expected
    other = export.expected._replace(values=-values, labels=1 - labels)
    assert export.finish(b"x", lambda part, X: other).details == {"ties": len(X)}


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"no space left for [\d,]+ bytes; nothing was written"):
        to_numpy(network()[0], tmp_path / "m.py")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("is_bytes", [False, True])
def test_samples_are_drawn_where_none_are_given(is_bytes, tmp_path):
    model, _ = network(scaler=None if is_bytes else "standard", is_bytes=is_bytes)
    dtype = "uint8" if is_bytes else None
    drawn = [begin(model, tmp_path / "m", seed=s, input_dtype=dtype).X for s in (0, 0, 1)]
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])
    if is_bytes:
        assert drawn[0].dtype == np.uint8
        assert drawn[0].max() > 250 > 5 > drawn[0].min()
    else:  # as the scaler has seen them
        np.testing.assert_allclose(drawn[0].mean(axis=0), model[0].mean_, atol=0.3)
        np.testing.assert_allclose(drawn[0].std(axis=0), model[0].scale_, rtol=0.3)


def test_every_format_has_its_function():
    import fastnn.export as module

    for name, form in FORMATS.items():
        assert form.function == f"to_{name}"
        assert callable(getattr(module, form.function))
        assert form.function in module.__all__
