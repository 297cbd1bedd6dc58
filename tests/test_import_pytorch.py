"""PyTorch's networks as ours, and ours as PyTorch's: the same outputs, and the same steps."""

import numpy as np
import pytest
from export_cases import HIDDEN, examples, network, networks
from hypothesis import given
from hypothesis import strategies as st
from safetensors import safe_open

import fastnn
from fastnn.export import to_pytorch
from fastnn.export.forward import model_results
from fastnn.export.plain import describe

torch = pytest.importorskip("torch")
nn = torch.nn
CLOSE = {"float32": 1e-6, "float64": 1e-12}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5))
THREE = np.abs(X[:, :3]).argmax(axis=1)
# A loss, what the network ends with, and targets.
AIMS = {
    "MSE": (nn.MSELoss(), 1, (), X[:, 0]),
    "MSE of 3": (nn.MSELoss(), 3, (), X[:, :3]),
    "L1": (nn.L1Loss(), 2, (), X[:, :2]),
    "Huber": (nn.HuberLoss(delta=0.5), 2, (), X[:, :2]),
    "SmoothL1": (nn.SmoothL1Loss(beta=0.5), 2, (), X[:, :2]),
    "Poisson": (nn.PoissonNLLLoss(), 2, (), np.abs(X[:, :2]).round()),
    "BCE": (nn.BCELoss(), 1, (nn.Sigmoid(),), (X[:, 0] > 0).astype(int)),
    "BCE of logits": (nn.BCEWithLogitsLoss(), 3, (), (X[:, :3] > 0).astype(int)),
    "cross-entropy": (nn.CrossEntropyLoss(label_smoothing=0.1), 3, (), THREE),
}
OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, 0.05),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.8),
    "Nesterov": lambda p: torch.optim.SGD(p, 0.05, momentum=0.8, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, 0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, 0.01),
    "NAdam": lambda p: torch.optim.NAdam(p, 0.01),
    "RMSprop": lambda p: torch.optim.RMSprop(p, 0.01),
}


HIDDEN_MODULES = nn.Tanh(), nn.LeakyReLU(0.1)


def module(n_outputs, last=(), hidden=HIDDEN_MODULES, dtype=torch.double):
    layers, n_in = [nn.Flatten()], 5
    for size, activation in zip((7, 4), hidden, strict=False):
        layers.append(nn.Sequential(nn.Linear(n_in, size), activation))
        n_in = size
    return nn.Sequential(*layers, nn.Linear(n_in, n_outputs), *last).to(dtype)


def step(model, loss, optimizer, y):
    target = torch.tensor(y)
    if not isinstance(loss, nn.CrossEntropyLoss):
        target = target.to(next(model.parameters()).dtype).reshape(len(X), -1)
    optimizer.zero_grad()
    loss(model(torch.tensor(X).to(next(model.parameters()).dtype)), target).backward()
    optimizer.step()


@pytest.mark.parametrize("n_steps", [0, 3])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("aim", AIMS)
def test_the_same_steps(aim, optimizer, n_steps):
    loss, n_outputs, last, y = AIMS[aim]
    torch.manual_seed(0)
    model = module(n_outputs, last)
    steps = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(n_steps):
        step(model, loss, steps, y)
    found = fastnn.from_pytorch(model, loss=loss, optimizer=steps, batch_size="full")
    for _ in range(2):
        step(model, loss, steps, y)
        found.partial_fit(X, y)
    weights = [p.detach().numpy() for p in model.parameters()]
    tol = 1e-9 if optimizer == "NAdam" else 1e-13  # it keeps a product in float32
    for i, (w, b) in enumerate(zip(found.coefs_, found.intercepts_, strict=True)):
        assert np.abs(w - weights[2 * i].T).max() < tol
        assert np.abs(b - weights[2 * i + 1]).max() < tol


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_float32(optimizer):
    """A step is equal to 1e-5, outputs to 1e-6."""
    loss, n_outputs, _, y = AIMS["cross-entropy"]
    torch.manual_seed(1)
    model = module(n_outputs, dtype=torch.float32)
    steps = OPTIMIZERS[optimizer](model.parameters())
    for _ in range(3):
        step(model, loss, steps, y)
    found = fastnn.from_pytorch(model, loss=loss, optimizer=steps, batch_size="full")
    inputs = X.astype(np.float32)
    outputs = torch.softmax(model(torch.tensor(inputs)), dim=1).detach().numpy()
    assert np.abs(found.predict_proba(inputs) - outputs).max() < 1e-6
    step(model, loss, steps, y)
    found.partial_fit(inputs, y)
    weights = [p.detach().numpy().T for p in model.parameters()][::2]
    assert max(np.abs(a - b).max() for a, b in zip(found.coefs_, weights, strict=True)) < 1e-5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("activation", HIDDEN)
def test_activations_there_and_back(activation, dtype, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = network("classes", (6, 5), activation, dtype)
    if activation in ("sign", "exponential"):
        with pytest.raises(ValueError, match=rf"layer 1, {activation}: no module of PyTorch"):
            to_pytorch(case[0], "m.safetensors")
        assert list(tmp_path.iterdir()) == []
    else:
        there_and_back(*case)


def there_and_back(model, X):
    """Export, run the lines, import; the folder is a temporary one."""
    result = to_pytorch(model, "m.safetensors", samples=X, overwrite=True)
    names = {}
    exec(result.details["lines"], names)
    made, plain = names["model"], describe(model)
    with torch.no_grad():
        outputs = made(torch.tensor(X.astype(plain.dtype))).numpy()
    last = model[-1] if hasattr(model, "steps") else model
    inputs = model[:-1].transform(X) if hasattr(model, "steps") else X
    if hasattr(last, "layer_outputs"):
        expected = last.layer_outputs(inputs)[-1]
    else:
        expected = model_results(model, plain, X).values
    scale = max(1, np.abs(expected).max())
    tol = CLOSE[plain.dtype.name] * (100 if plain.scalers else 1)
    assert np.abs(outputs - expected).max() < tol * scale
    n_outputs, task = outputs.shape[1], plain.task
    if task == "classes" and plain.layers[-1].activation == "softmax" and n_outputs == 2:
        return
    again = fastnn.from_pytorch(made)
    assert np.abs(again.layer_outputs(X.astype(plain.dtype))[-1] - outputs).max() < tol * scale


def test_lines_and_metadata(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = fastnn.MLPClassifier(
        (4,), "relu", dropout=0.25, dtype="float32", max_iter=0, random_state=0
    ).fit(X, THREE)
    result = to_pytorch(model, "net.safetensors")
    assert result.difference < 1e-6
    with safe_open("net.safetensors", "np") as file:
        assert file.metadata()["lines"] == result.details["lines"]
        assert sorted(file.keys()) == ["0.bias", "0.weight", "3.bias", "3.weight"]
    assert "nn.Dropout(0.25)" in result.details["lines"]
    with pytest.raises(FileExistsError, match="overwrite=True"):
        to_pytorch(model, "net.safetensors")


BAD = nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))
REFUSED = {
    "a batch normalization": (BAD, r"^layer 2, BatchNorm1d: has no counterpart; expected dense"),
    "a convolution within": (
        nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(5, 3)), nn.Conv1d(1, 1, 1)),
        "^layer 3, Conv1d: has no counterpart",
    ),
    "no sequential": (nn.Linear(5, 3), "expected a torch.nn.Sequential"),
    "nothing": (nn.Sequential(), "expected dense layers"),
    "two activations": (
        nn.Sequential(nn.Linear(5, 3), nn.ReLU(), nn.Tanh()),
        "^layer 3, Tanh: a second activation",
    ),
    "another softplus": (
        nn.Sequential(nn.Linear(5, 3), nn.Softplus(beta=2), nn.Linear(3, 1)),
        "^layer 2, Softplus: beta=2(.0)? has no counterpart",
    ),
    "a GELU by tanh": (
        nn.Sequential(nn.Linear(5, 3), nn.GELU("tanh"), nn.Linear(3, 1)),
        "^layer 2, GELU: approximate='tanh' has no counterpart",
    ),
    "a hidden softmax": (
        nn.Sequential(nn.Linear(5, 3), nn.Softmax(dim=1), nn.Linear(3, 1)),
        "^layer 3, Linear: a dense layer after softmax",
    ),
    "a softmax of samples": (
        nn.Sequential(nn.Linear(5, 3), nn.Softmax(dim=0)),
        "^layer 2, Softmax: dim=0 has no counterpart",
    ),
    "dropout of the inputs": (
        nn.Sequential(nn.Dropout(0.1), nn.Linear(5, 3)),
        "^layer 1, Dropout: dropout of the inputs",
    ),
    "dropout of the outputs": (
        nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.1)),
        "^layer 2, Dropout: dropout of the outputs",
    ),
    "half precision": (
        nn.Sequential(nn.Linear(5, 3)).half(),
        "^layer 1, Linear: expected 2 dimensions of float32 or float64, got 2 of float16",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refusals(what):
    model, message = REFUSED[what]
    with pytest.raises(ValueError, match=message):
        fastnn.from_pytorch(model)


FROZEN = nn.Sequential(nn.Linear(5, 3))
FROZEN[0].weight.requires_grad_(False)
BFLOAT = nn.Sequential(nn.Linear(5, 3)).bfloat16()


def test_a_module_that_stands_in_several_places():
    relu = nn.ReLU()
    model = nn.Sequential(
        nn.Linear(5, 4), relu, nn.Linear(4, 4), relu, nn.Sequential(nn.Linear(4, 1))
    ).double()
    found = fastnn.from_pytorch(model)
    assert found.activation == "relu"
    assert np.abs(found.predict(X) - model(torch.tensor(X)).detach().numpy()[:, 0]).max() < 1e-12


def test_what_is_frozen_would_be_trained():
    loss, optimizer = nn.MSELoss(), torch.optim.Adam(FROZEN.parameters())
    with pytest.raises(ValueError, match=r"^layer 1, Linear: is frozen"):
        fastnn.from_pytorch(FROZEN, loss=loss, optimizer=optimizer)
    assert fastnn.from_pytorch(FROZEN, loss=loss).n_outputs_ == 3


def test_numbers_that_numpy_has_not():
    with pytest.raises(ValueError, match=r"^layer 1, Linear: Got unsupported ScalarType BFloat16"):
        fastnn.from_pytorch(BFLOAT)


def test_a_smooth_loss_without_a_smooth_part():
    model = module(3)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    found = fastnn.from_pytorch(model, loss=nn.SmoothL1Loss(beta=0), optimizer=optimizer)
    assert found.loss == "absolute_error"
    assert found.learning_rate_init == pytest.approx(0.1 / 3)


OF_MODEL = module(3)
OTHERS = {
    "weights of classes": (
        {"loss": nn.CrossEntropyLoss(weight=torch.ones(3))},
        "^loss, CrossEntropyLoss: weight=.* has no counterpart",
    ),
    "a sum": (
        {"loss": nn.MSELoss(reduction="sum")},
        "^loss, MSELoss: reduction='sum' has no counterpart",
    ),
    "another loss": ({"loss": nn.CTCLoss()}, "^loss, CTCLoss: has no counterpart; expected one"),
    "a function": ({"loss": abs}, "^loss, builtin_function_or_method: has no counterpart"),
    "no loss": ({"optimizer": torch.optim.SGD(OF_MODEL.parameters(), 0.1)}, "^loss=None"),
    "a decay in the gradient": (
        {"optimizer": torch.optim.Adam(OF_MODEL.parameters(), weight_decay=0.1)},
        "^optimizer, Adam: weight_decay=0.1 has no counterpart",
    ),
    "AMSGrad": (
        {"optimizer": torch.optim.AdamW(OF_MODEL.parameters(), amsgrad=True)},
        "^optimizer, AdamW: amsgrad=True has no counterpart",
    ),
    "another optimizer": (
        {"optimizer": torch.optim.Adagrad(OF_MODEL.parameters())},
        "^optimizer, Adagrad: has no counterpart",
    ),
    "of another model": (
        {"optimizer": torch.optim.SGD(module(3).parameters(), 0.1)},
        "^optimizer, SGD: expected one group, of the model's parameters",
    ),
    "classes of numbers": ({"classes": ["a"]}, "^classes=.* as the outputs are numbers"),
    "an unknown parameter": ({"depth": 3}, "^depth: MLPRegressor has no such parameter"),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_refusals(what):
    given, message = OTHERS[what]
    if "optimizer" in given and what != "no loss":
        given = {"loss": nn.MSELoss(), **given}
    with pytest.raises(ValueError, match=message):
        fastnn.from_pytorch(OF_MODEL, **given)


def test_a_layer_without_bias():
    model = nn.Sequential(nn.Linear(5, 3, bias=False), nn.ReLU(), nn.Linear(3, 1)).double()
    found = fastnn.from_pytorch(model)
    expected = model(torch.tensor(X)).detach().numpy()[:, 0]
    assert np.abs(found.predict(X) - expected).max() < 1e-12
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(ValueError, match=r"^layer 1, Linear: without a bias, which would be"):
        fastnn.from_pytorch(model, loss=nn.MSELoss(), optimizer=optimizer)


def test_labels_and_a_softmax_twice():
    loss, _, _, y = AIMS["cross-entropy"]
    names = np.array(["ant", "bee", "cow"])
    found = fastnn.from_pytorch(module(3), loss=loss, classes=names)
    assert set(found.predict(X)) <= {*names}
    assert found.partial_fit(X, names[y]).classes_.tolist() == names.tolist()
    with pytest.raises(ValueError, match="CrossEntropyLoss has the softmax in it, but the outputs"):
        fastnn.from_pytorch(module(3, (nn.Softmax(dim=1),)), loss=loss)


ACTIVATIONS = [nn.ReLU(), nn.Tanh(), nn.SiLU(), nn.GELU(), nn.ELU(0.7), nn.Softsign(), nn.SELU()]


@examples(10)
@given(
    aim=st.sampled_from([*AIMS]),
    optimizer=st.sampled_from([*OPTIMIZERS]),
    hidden=st.lists(st.sampled_from(ACTIVATIONS), max_size=2),
)
def test_random_networks(aim, optimizer, hidden):
    random_network(aim, optimizer, hidden)


@pytest.mark.slow
@examples(300)
@given(
    aim=st.sampled_from([*AIMS]),
    optimizer=st.sampled_from([*OPTIMIZERS]),
    hidden=st.lists(st.sampled_from(ACTIVATIONS), max_size=2),
)
def test_300_random_networks(aim, optimizer, hidden):
    random_network(aim, optimizer, hidden)


def random_network(aim, optimizer, hidden):
    loss, n_outputs, last, y = AIMS[aim]
    model = module(n_outputs, last, hidden)
    steps = OPTIMIZERS[optimizer](model.parameters())
    step(model, loss, steps, y)
    found = fastnn.from_pytorch(model, loss=loss, optimizer=steps, batch_size="full")
    step(model, loss, steps, y)
    found.partial_fit(X, y)
    weights = [p.detach().numpy().T for p in model.parameters()][::2]
    assert max(np.abs(a - b).max() for a, b in zip(found.coefs_, weights, strict=True)) < 1e-7


@examples(10)
@given(case=networks())
def test_random_networks_there_and_back(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there_and_back_if_possible(*case)


@pytest.mark.slow
@examples(300)
@given(case=networks())
def test_300_random_networks_there_and_back(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    there_and_back_if_possible(*case)


def there_and_back_if_possible(model, X):
    plain = describe(model)
    names = {layer.activation for layer in plain.layers}
    if names & {"sign", "exponential"} or any(s.limits is not None for s in plain.scalers):
        with pytest.raises(ValueError, match=r"no module of PyTorch is known|clip=True"):
            to_pytorch(model, "m.safetensors", samples=X, overwrite=True)
    else:
        there_and_back(model, X)
