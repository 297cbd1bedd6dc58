"""Samples that count more or less than others."""

import numpy as np
import pytest
from conftest import relative_error
from formula_cases import network, samples, targets_for

import fastnn
from fastnn import backends
from fastnn.backends import codes
from fastnn.backends.interface import Optimizer, Schedule, State
from fastnn.backends.rows import by_name
from fastnn.formulas import loss_names
from fastnn.network import matrices

# Plain gradient descent on all samples: a sample of weight 2 is as if it were there twice.
FULL = {"solver": "sgd", "momentum": 0, "batch_size": "full", "shuffle": False, "max_iter": 30}
FULL |= {"tol": None, "random_state": 0, "learning_rate_init": 0.5}


@pytest.fixture
def data(rng):
    X = rng.normal(size=(40, 4))
    return X, X[:, :3].argmax(axis=1), rng.integers(0, 4, 40)


LOSSES = [
    (kind, loss)
    for kind, n_classes in (("two classes", 2), ("three classes", 3), ("regression", 0))
    for loss in loss_names(n_classes)
]


@pytest.mark.parametrize(("kind", "loss"), LOSSES)
@pytest.mark.parametrize("alpha", [0, 0.5])
def test_a_weight_is_a_number_of_copies(backend, data, kind, loss, alpha):
    X, y, weights = data
    y = y > 0 if kind == "two classes" else y
    estimator = fastnn.MLPRegressor if kind == "regression" else fastnn.MLPClassifier
    one, other = (estimator((5,), "tanh", loss=loss, alpha=alpha, **FULL) for _ in range(2))
    copies = np.repeat(np.arange(40), weights)
    one.fit(X, y, sample_weight=weights)
    other.fit(X[copies], y[copies])
    assert np.abs(one.params_ - other.params_).max() < 1e-12
    assert np.abs(one.loss_curve_ - other.loss_curve_).max() < 1e-12
    found, expected = one.evaluate(X, y, weights), other.evaluate(X[copies], y[copies])
    assert found == pytest.approx(expected, rel=1e-12)
    assert one.score(X, y, weights) == pytest.approx(found[1], rel=1e-12)


def in_torch(torch, row, z, t):
    """Return the loss of each sample for the pre-activations of the outputs, by PyTorch."""
    F, shared = torch.nn.functional, {"reduction": "none"}
    if row.targets == "index":
        return F.cross_entropy(z, t[:, 0].long(), **shared)
    if row.name == "categorical_crossentropy":
        return F.cross_entropy(z, t, **shared)
    loss = {
        "half_squared_error": lambda: F.mse_loss(z, t, **shared) / 2,
        "sum_squared_error": lambda: F.mse_loss(z, t, **shared),
        "binary_crossentropy": lambda: F.binary_cross_entropy_with_logits(z, t, **shared),
        "absolute_error": lambda: F.l1_loss(z, t, **shared),
        "huber": lambda: F.huber_loss(z, t, delta=1.0, **shared),
        "quantile": lambda: F.l1_loss(z, t, **shared) / 2,
        "poisson": lambda: F.poisson_nll_loss(z, t, **shared),
        "hinge": lambda: F.relu(1 - t * z),
    }
    return loss[row.name]().sum(dim=1)


@pytest.mark.parametrize("row", codes.LOSSES, ids=lambda row: row.name)
def test_training_with_weights_is_that_of_torch(backend, row, rng):
    """In mini-batches, with a penalty: by the weighted mean of the batch, as scikit-learn does."""
    torch = pytest.importorskip("torch")
    n, batch, rate, alpha = 10, 4, 0.05, 0.3
    out = by_name(codes.ACTIVATIONS)[row.outputs[0]] if row.outputs else codes.IDENTITY
    net = network((3, 5, 2), (codes.TANH, out), row.code)
    X, targets = rng.normal(size=(n, 3)), targets_for(row.code, n, 2, rng)
    weights, params = rng.random(n) + 0.1, 0.5 * rng.normal(size=net.n_parameters)
    state = State(params.copy(), np.zeros((0, len(params))))
    schedule = Schedule(np.arange(n)[np.newaxis], batch, 0, np.full(3, rate))
    given = samples(X, targets, weights=weights)
    optimizer = Optimizer(codes.SGD, alpha=alpha)
    backends.kernels().mlp_train(net, optimizer, state, given, schedule, np.zeros(3), 1)
    tensors = [
        torch.tensor(view, requires_grad=True)
        for pair in zip(*matrices(net, params), strict=True)
        for view in pair
    ]
    steps = torch.optim.SGD(tensors, lr=rate)
    for rows in [range(i, min(i + batch, n)) for i in range(0, n, batch)] * 3:
        part = torch.tensor(X[rows]), torch.tensor(targets[rows]), torch.tensor(weights[rows])
        z = torch.tanh(part[0] @ tensors[0] + tensors[1]) @ tensors[2] + tensors[3]
        squares = sum((W * W).sum() for W in tensors[::2])
        total = (part[2] * in_torch(torch, row, z, part[1])).sum() + alpha / 2 * squares
        steps.zero_grad()
        (total / part[2].sum()).backward()
        steps.step()
    expected = np.concatenate([tensor.detach().numpy().ravel() for tensor in tensors])
    assert relative_error(state.params, expected) < 1e-11


def test_weights_of_1_are_none(backend, data):
    X, y, _ = data
    models = [
        fastnn.MLPClassifier((5,), dropout=0.2, max_iter=5, random_state=0).fit(
            X, y, sample_weight=weights
        )
        for weights in (None, np.ones(40), [1] * 40)
    ]
    for model in models[1:]:
        assert np.abs(model.params_ - models[0].params_).max() < 1e-9


def test_batches_in_which_nothing_counts(backend, data):
    X, y, _ = data
    weights = np.zeros(40)
    weights[3] = 1
    model = fastnn.MLPClassifier((5,), batch_size=1, max_iter=4, tol=None, random_state=0)
    model.fit(X, y, sample_weight=weights)
    assert np.isfinite(model.params_).all()
    assert model.loss_curve_[-1] < model.loss_curve_[0]
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.evaluate(X, y, weights)[0] == pytest.approx(model.evaluate(X[3:4], y[3:4])[0])


def test_callbacks_see_weighted_measures(data):
    X, y, weights = data
    seen = []

    class Look:
        def on_epoch_end(self, epoch):
            seen.append((epoch.accuracy, epoch.model.score(X, y, weights)))

    for estimator in (fastnn.MLPClassifier, fastnn.MLPRegressor):
        estimator((5,), **FULL).fit(X, y, callbacks=[Look()], sample_weight=weights)
    assert all(found == pytest.approx(expected, rel=1e-9) for found, expected in seen)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0] * 39, "sample_weight: expected shape"),
        (np.ones((40, 1)), "sample_weight: expected shape"),
        ([-1.0] + [1.0] * 39, "sample_weight: found -1.0"),
        (np.zeros(40), "sample_weight: every weight is zero"),
        ([np.nan] * 40, "sample_weight: contains NaN"),
        (["a"] * 40, "sample_weight: expected real numbers"),
        (np.full(40, 1e308), "sample_weight: their sum is infinite"),
        (2.0, "sample_weight: expected shape"),
    ],
)
def test_wrong_weights_are_refused(data, weights, message):
    X, y, _ = data
    model = fastnn.MLPClassifier((5,), max_iter=1)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, sample_weight=weights)
    assert not hasattr(model, "params_")
