"""What fastnn/sklearn_names.py says of scikit-learn's names, against scikit-learn."""

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn import linear_model, neural_network
from sklearn.utils.fixes import parse_version

import fastnn
from fastnn.sklearn_names import ABSENT, CLASSES, DIFFERENT, SAME, renewed

PAGE = Path(__file__).parent.parent / "docs" / "from-scikit-learn.md"
THEIRS = {
    "MLPClassifier": neural_network.MLPClassifier,
    "MLPRegressor": neural_network.MLPRegressor,
    "Perceptron": linear_model.Perceptron,
}
NAMES = [(owner, row) for owner, rows in CLASSES.items() for row in rows]
COMMAND = "python -m fastnn.sklearn_names docs/from-scikit-learn.md"
is_recent = parse_version(sklearn.__version__) >= parse_version("1.7")

pytestmark = pytest.mark.skipif(not is_recent, reason="names of scikit-learn 1.7 and later")


def parameters_of(a_class):
    return {name: p.default for name, p in inspect.signature(a_class).parameters.items()}


def data_for(owner):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    y = X["a"].to_numpy()
    return X, (y if owner == "MLPRegressor" else (y > 0).astype(int))


@pytest.fixture(scope="module")
def fitted():
    """Return a fitted model of each class of both."""
    models = {}
    for owner, theirs in THEIRS.items():
        for a_class in (theirs, getattr(fastnn, owner)):
            models[a_class] = a_class(max_iter=2, verbose=0).fit(*data_for(owner))
    return models


def public(owner, a_class, model):
    """Return the names of a class: parameters, methods, and attributes of a fitted model."""
    return {*parameters_of(a_class), *(name for name in dir(model) if not name.startswith("_"))}


@pytest.mark.parametrize("owner", CLASSES)
def test_every_name_has_one_row(owner, fitted):
    rows = [row.name for row in CLASSES[owner]]
    assert len(rows) == len(set(rows))
    assert set(rows) == public(owner, THEIRS[owner], fitted[THEIRS[owner]])


@pytest.mark.parametrize(("owner", "row"), NAMES, ids=lambda value: getattr(value, "name", value))
def test_a_row_is_true(owner, row, fitted):
    theirs, ours = THEIRS[owner], getattr(fastnn, owner)
    their_defaults, our_defaults = parameters_of(theirs), parameters_of(ours)
    assert row.verdict in (SAME, DIFFERENT, ABSENT)
    assert bool(row.why) == (row.verdict != SAME)
    if row.verdict == ABSENT:
        with pytest.raises(AttributeError):
            getattr(fitted[ours], row.name)
        with pytest.raises(TypeError):
            ours(**{row.name: None})
    elif row.name in their_defaults:
        is_same = their_defaults[row.name] == our_defaults[row.name]
        assert is_same or "default" in row.what
        assert is_same or row.verdict == DIFFERENT
    elif row.verdict == SAME:
        their, our = (getattr(fitted[a_class], row.name) for a_class in (theirs, ours))
        if callable(their):
            assert [*inspect.signature(our).parameters] == [*inspect.signature(their).parameters]
        else:
            assert type(our) is type(their)
            assert np.shape(our) == np.shape(their)
    else:
        assert hasattr(fitted[ours], row.name)


@pytest.mark.parametrize(("loss", "n_outputs"), [("squared_error", 3), ("poisson", 1)])
def test_what_loss_says(loss, n_outputs):
    """The loss of a regression, from scikit-learn's at the same parameters."""
    X = np.random.default_rng(0).normal(size=(30, 4))
    y = np.abs(X[:, :n_outputs]).squeeze() + 1
    arguments = {"hidden_layer_sizes": (5,), "loss": loss, "max_iter": 1, "random_state": 0}
    arguments |= {"solver": "sgd", "learning_rate_init": 1e-12, "batch_size": 30, "verbose": 0}
    theirs = neural_network.MLPRegressor(**arguments, alpha=1.0).fit(X, y)
    ours = fastnn.MLPRegressor(**arguments).fit(
        X, y, coefs_init=theirs.coefs_, intercepts_init=theirs.intercepts_
    )
    loss_ = theirs.loss_ - sum((W**2).sum() for W in theirs.coefs_) / 2 / len(X)
    own_terms = (y * np.log(y) - y).sum() / len(X)
    expected = loss_ * n_outputs if loss == "squared_error" else loss_ - own_terms
    assert ours.loss_ == pytest.approx(expected, rel=1e-6)


def test_what_learning_rate_says():
    """A schedule counts for "adam", which has none there."""
    X, y = data_for("MLPClassifier")
    for module, counts in ((neural_network, False), (fastnn, True)):
        losses = [
            module.MLPClassifier(learning_rate=name, max_iter=3, random_state=0, verbose=0)
            .fit(X, y)
            .loss_
            for name in ("constant", "invscaling")
        ]
        assert (losses[0] != losses[1]) == counts


def test_a_loss_that_comes_first_is_refused_with_what_to_write():
    X, y = data_for("MLPRegressor")
    with pytest.raises(ValueError, match=r"^hidden_layer_sizes='poisson': .*: loss='poisson'"):
        fastnn.MLPRegressor("poisson").fit(X, y)


@pytest.mark.parametrize("owner", CLASSES)
def test_the_docstring_says_what_differs(owner):
    text = getattr(fastnn, owner).__doc__
    for row in CLASSES[owner]:
        assert row.verdict == SAME or row.name in text.partition("Notes")[2]


@pytest.mark.parametrize("owner", CLASSES)
def test_the_page_has_our_own_names_too(owner, fitted):
    ours = getattr(fastnn, owner)
    own = public(owner, ours, fitted[ours]) - {row.name for row in CLASSES[owner]}
    beside = PAGE.read_text(encoding="utf-8").partition("## What there is beside")[2]
    assert not {name for name in own if f"`{name}`" not in beside}


def test_the_page_is_up_to_date():
    text = PAGE.read_text(encoding="utf-8")
    assert text == renewed(text), f"run {COMMAND}"
    assert all(f"`{row.name}`" in text for _, row in NAMES)
