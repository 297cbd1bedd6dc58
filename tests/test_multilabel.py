"""Several labels per sample, beside scikit-learn's own networks."""

import numpy as np
import pytest
from conftest import relative_error
from scipy.sparse import csr_matrix
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import scale
from sklearn.utils.class_weight import compute_sample_weight
from test_independent import train_sklearn

import fastnn


@pytest.fixture
def labels():
    return make_multilabel_classification(200, 8, n_classes=4, n_labels=2, random_state=0)


def test_shapes_and_scores_are_scikit_learns(backend, labels):
    X, Y = labels
    common = {"hidden_layer_sizes": (8,), "solver": "lbfgs", "max_iter": 60, "random_state": 0}
    ours, theirs = fastnn.MLPClassifier(**common).fit(X, Y), MLPClassifier(**common).fit(X, Y)
    for name in ("predict", "predict_proba", "predict_log_proba"):
        found, expected = getattr(ours, name)(X), getattr(theirs, name)(X)
        assert found.shape == expected.shape == (200, 4)
        assert found.dtype.kind == expected.dtype.kind
    assert ours.score(X, Y) == (ours.predict(X) == Y).all(axis=1).mean()
    assert (ours.multilabel_, ours.classes_.tolist()) == (True, [0, 1, 2, 3])
    assert (ours.n_outputs_, ours.out_activation_) == (4, "sigmoid")
    assert list(theirs.classes_) == list(ours.classes_)
    P = ours.predict_proba(X)
    expected = sum(log_loss(Y[:, k], P[:, k]) for k in range(4))
    loss, score = ours.evaluate(X, Y)
    assert loss == pytest.approx(expected, rel=1e-9)
    assert score == ours.score(X, Y)


def test_training_is_scikit_learns(backend, labels, rng):
    """From the same weights, in the same order, with weights of samples."""
    X, Y = scale(labels[0]), labels[1]
    common = {"hidden_layer_sizes": (6,), "alpha": 0.1, "batch_size": 9, "shuffle": False}
    common |= {"solver": "sgd", "learning_rate_init": 0.05, "max_iter": 4, "tol": 0.0}
    coefs = [0.5 * rng.normal(size=(8, 6)), 0.5 * rng.normal(size=(6, 4))]
    intercepts = [0.5 * rng.normal(size=6), 0.5 * rng.normal(size=4)]
    weights = rng.integers(1, 5, 200)
    theirs = MLPClassifier(**common)
    train_sklearn(theirs, X, Y, coefs, intercepts, weights)
    ours = fastnn.MLPClassifier(**common)
    ours.fit(X, Y, weights, coefs_init=coefs, intercepts_init=intercepts)
    assert relative_error(ours.predict_proba(X), theirs.predict_proba(X)) < 1e-9
    assert ours.score(X, Y, weights) == pytest.approx(theirs.score(X, Y, weights))


@pytest.mark.parametrize("loss", ["crossentropy", "squared_error", "hinge"])
def test_a_label_is_a_choice_of_two(backend, labels, loss):
    """One label of several is learned as it would be alone: there are no weights between them."""
    X, Y = labels
    common = {"loss": loss, "max_iter": 5, "tol": None, "shuffle": False, "random_state": 0}
    weights = np.random.default_rng(0).normal(size=(8, 4))
    both = fastnn.MLPClassifier((), **common).fit(X, Y, coefs_init=[weights])
    for k in range(4):
        one = fastnn.MLPClassifier((), **common).fit(X, Y[:, k], coefs_init=[weights[:, [k]]])
        assert both.coefs_[0][:, k] == pytest.approx(one.coefs_[0][:, 0], rel=1e-9)
        assert (both.predict(X)[:, k] == one.predict(X)).all()


def test_however_they_are_given(labels, tmp_path):
    X, Y = labels
    models = [
        fastnn.MLPClassifier((3,), max_iter=3, random_state=0).fit(X, given)
        for given in (Y, Y.astype(bool), Y.astype(float), Y.tolist(), csr_matrix(Y))
    ]
    for model in models[1:]:
        assert np.array_equal(model.params_, models[0].params_)
    models[0].save(tmp_path / "m")
    again = fastnn.load(tmp_path / "m").set_params(warm_start=True)
    assert np.array_equal(again.predict(X), models[0].predict(X))
    assert np.isfinite(again.fit(X, Y).loss_)


def test_with_weights_early_stopping_and_parts(labels):
    X, Y = labels
    model = fastnn.MLPClassifier((5,), max_iter=4, class_weight="balanced", early_stopping=True)
    model.fit(X, Y, sample_weight=np.arange(200))
    assert len(model.validation_scores_) == model.n_iter_
    assert np.isfinite(model.params_).all()
    options = {"max_iter": 3, "tol": None, "random_state": 0}
    balanced = fastnn.MLPClassifier((5,), class_weight="balanced", **options).fit(X, Y)
    weights = compute_sample_weight("balanced", Y)
    by_hand = fastnn.MLPClassifier((5,), **options).fit(X, Y, weights)
    assert relative_error(balanced.params_, by_hand.params_) < 1e-9
    parts = fastnn.MLPClassifier((5,), random_state=0)
    for rows in np.array_split(np.arange(200), 4):
        parts.partial_fit(X[rows], Y[rows], classes=range(4))
    assert parts.t_ == 200


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda Y: Y + 1, "y: Unknown label type: 4 columns that are not all 0 or 1"),
        (lambda Y: Y.astype(str), "y: Unknown label type"),
        (lambda Y: Y[:, :3], r"y: got shape \(200, 3\); expected 4 columns"),
        (lambda Y: Y[:, 0], r"y: got shape \(200,\); expected 4 columns"),
    ],
)
def test_other_labels_are_refused(labels, given, message):
    X, Y = labels
    model = fastnn.MLPClassifier((3,), max_iter=2).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        model.evaluate(X, given(Y))
    with pytest.raises(ValueError, match=message):
        model.partial_fit(X, given(Y))
    model = fastnn.MLPClassifier((3,), max_iter=2).fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="y: got 4 columns; expected one class per sample"):
        model.partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"class_weight=.*several labels"):
        fastnn.MLPClassifier((3,), class_weight={0: 2}).fit(X, Y)
