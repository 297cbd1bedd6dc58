"""Networks of PyTorch: a Sequential of its modules, with the loss and the optimizer beside it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..parameters import ABOVE_0, check_real
from .aims import Aim, Steps, refuse_unless
from .chain import LAYERS, Chain, Refused
from .estimator import estimator_of

# Modules that are activations; those with a number, and what it is called.
_ACTIVATIONS = {
    "GELU": "gelu",
    "Identity": "identity",
    "ReLU": "relu",
    "SELU": "selu",
    "SiLU": "silu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}
_WITH_NUMBER = {"ELU": ("elu", "alpha"), "LeakyReLU": ("leaky_relu", "negative_slope")}
_EXPECTED = f"a torch.nn.Sequential of {LAYERS}"


def from_pytorch(
    model: Any,
    *,
    loss: Any = None,
    optimizer: Any = None,
    classes: Any = None,
    **parameters: Any,
) -> Any:
    """Return a network of PyTorch as a fitted estimator.

    Its outputs are the same: probabilities, where the loss takes logits. `partial_fit`, or `fit`
    (with `warm_start=True`, which the result has), goes on with the loss and the optimizer's state.
    PyTorch's Adam is solver="adamw" with weight_decay=0, as its epsilon stands where that one's
    does.

    Parameters
    ----------
    model : torch.nn.Sequential
        Of Linear, activations, Dropout and, at its beginning, Flatten; also one within another.
    loss : torch.nn.Module, optional
        MSELoss, L1Loss, HuberLoss, SmoothL1Loss, BCELoss, BCEWithLogitsLoss, CrossEntropyLoss or
        PoissonNLLLoss. Without, a model whose last activation is a sigmoid or softmax is a
        classifier.
    optimizer : torch.optim.Optimizer, optional
        SGD, Adam, AdamW, NAdam or RMSprop, of the model's parameters; needs the loss.
    classes : (n_classes,), optional
        Labels of a classifier, sorted; by default 0, 1, ....
    **parameters
        Hyper-parameters that PyTorch has elsewhere, such as `batch_size`.

    Returns
    -------
    MLPClassifier or MLPRegressor

    Raises
    ------
    ValueError
        If a module, the loss or the optimizer has no counterpart, which its place and name say.

    Examples
    --------
    >>> import fastnn
    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    >>> model = fastnn.from_pytorch(module, loss=torch.nn.CrossEntropyLoss())
    >>> model.predict_proba([[0.5, 1.0]]).shape
    (1, 3)
    """
    if type(model).__name__ != "Sequential" or not type(model).__module__.startswith("torch."):
        raise ValueError(f"model: expected {_EXPECTED}, got {type(model).__name__}")
    if optimizer is not None and loss is None:
        raise ValueError("loss=None: expected the loss that the optimizer makes less")
    chain = Chain()
    for number, module in enumerate(_modules(model), 1):
        name = type(module).__name__
        place = f"layer {number}, {name}"
        if optimizer is not None and not all(p.requires_grad for p in module.parameters()):
            raise Refused(place, "is frozen (requires_grad=False), and would be trained here")
        if not type(module).__module__.startswith("torch.nn.") or name not in _LAYERS:
            raise Refused(place, f"has no counterpart; expected {LAYERS}")
        try:
            _LAYERS[name](chain, place, module)
        except (ValueError, TypeError, NotImplementedError) as error:  # of bfloat16, "meta"
            raise error if str(error).startswith(place) else Refused(place, str(error)) from None
    steps = None if optimizer is None else _steps(optimizer, list(model.parameters()))
    aim = None if loss is None else _aim(loss, steps)
    return estimator_of(chain.network(aim, classes), "pytorch", parameters)


def _modules(model: Any) -> Iterator[Any]:
    """Yield all modules, those of a Sequential within it in their places.

    `children` would leave out a module that stands in several places.
    """
    for module in model:
        if type(module).__name__ == "Sequential":
            yield from _modules(module)
        else:
            yield module


def _array(tensor: Any) -> NDArray:
    return tensor.detach().cpu().numpy()


def _linear(chain: Chain, place: str, module: Any) -> None:
    bias = None if module.bias is None else _array(module.bias)
    chain.dense(place, _array(module.weight).T, bias)


def _activation(chain: Chain, place: str, module: Any) -> None:
    refuse_unless(place, vars(module), approximate="none", beta=1, threshold=20)
    chain.activation(place, _ACTIVATIONS[type(module).__name__])


def _with_number(chain: Chain, place: str, module: Any) -> None:
    name, parameter = _WITH_NUMBER[type(module).__name__]
    chain.activation(place, name, float(getattr(module, parameter)))


def _softmax(chain: Chain, place: str, module: Any) -> None:
    refuse_unless(place, {"dim": module.dim}, dim=(1, -1))
    chain.activation(place, "softmax")


def _flatten(chain: Chain, place: str, module: Any) -> None:
    if chain.layers:
        raise Refused(place, "expected at the beginning only")


_LAYERS: dict[str, Callable[[Chain, str, Any], None]] = {
    **dict.fromkeys(_ACTIVATIONS, _activation),
    **dict.fromkeys(_WITH_NUMBER, _with_number),
    "Dropout": lambda chain, place, module: chain.dropout(place, module.p),
    "Flatten": _flatten,
    "Linear": _linear,
    "Softmax": _softmax,
}


def _aim(loss: Any, steps: Steps | None) -> Aim:
    """Return a loss as fastnn has it."""
    name = type(loss).__name__
    place = f"loss, {name}"
    make = _LOSSES.get(name)
    if make is None or not type(loss).__module__.startswith("torch.nn."):
        raise ValueError(f"{place}: has no counterpart; expected one of {', '.join(_LOSSES)}")
    settings = vars(loss)
    refuse_unless(place, settings, reduction="mean", full=False)
    buffers = settings.get("_buffers", {})
    refuse_unless(place, buffers, weight=None, pos_weight=None)
    return make(name, loss, steps)


def _smooth_l1(name: str, loss: Any, steps: Steps | None) -> Aim:
    beta = float(loss.beta)
    if beta == 0:
        return Aim(name, "absolute_error", is_mean=True, steps=steps)
    return Aim(name, "huber", beta, beta, is_mean=True, steps=steps)


_LOSSES: dict[str, Callable[[str, Any, Steps | None], Aim]] = {
    "MSELoss": lambda name, loss, steps: Aim(name, "sum_squared_error", is_mean=True, steps=steps),
    "L1Loss": lambda name, loss, steps: Aim(name, "absolute_error", is_mean=True, steps=steps),
    "HuberLoss": lambda name, loss, steps: Aim(
        name, "huber", float(loss.delta), is_mean=True, steps=steps
    ),
    "SmoothL1Loss": _smooth_l1,
    "BCELoss": lambda name, loss, steps: Aim(
        name, "binary_crossentropy", is_mean=True, steps=steps
    ),
    "BCEWithLogitsLoss": lambda name, loss, steps: Aim(
        name, "binary_crossentropy", is_mean=True, squash="sigmoid", steps=steps
    ),
    "CrossEntropyLoss": lambda name, loss, steps: Aim(
        name,
        "sparse_categorical_crossentropy",
        float(loss.label_smoothing),
        squash="softmax",
        steps=steps,
    ),
    "PoissonNLLLoss": lambda name, loss, steps: Aim(
        name, "poisson", is_mean=True, squash="exponential" if loss.log_input else "", steps=steps
    ),
}


def _steps(optimizer: Any, own: Sequence[Any]) -> Steps:
    """Return an optimizer and its state."""
    name = type(optimizer).__name__
    place = f"optimizer, {name}"
    read = _OPTIMIZERS.get(name)
    if read is None or not type(optimizer).__module__.startswith("torch.optim."):
        raise ValueError(f"{place}: has no counterpart; expected one of {', '.join(_OPTIMIZERS)}")
    groups = optimizer.param_groups
    given = [tensor for group in groups for tensor in group["params"]]
    if len(groups) != 1 or [id(t) for t in given] != [id(t) for t in own]:
        raise ValueError(f"{place}: expected one group, of the model's parameters in their order")
    (group,) = groups
    refuse_unless(place, group, maximize=False, amsgrad=False, centered=False)
    solver, numbers, names = read(place, group)
    rate = check_real(f"{place}: lr", float(group["lr"]), ABOVE_0)
    numbers["learning_rate_init"] = rate
    states = [optimizer.state.get(tensor, {}) for tensor in own]
    if not all(states):
        return Steps(solver, numbers)
    # Linear has its weights as (n_out, n_in).
    pairs = list(zip(states, own, strict=True))
    moments = [
        np.concatenate([_moment(state.get(key), tensor) for state, tensor in pairs])
        for key in names
    ]
    if name == "SGD":  # there it is made of gradients, here of steps
        moments = [-rate * row for row in moments]
    return Steps(solver, numbers, moments, int(states[0].get("step", 0)))


def _moment(value: Any, like: Any) -> NDArray:
    array = np.zeros(tuple(like.shape)) if value is None else _array(value)
    return array.T.ravel()


Read = tuple[str, dict[str, float], tuple[str, ...]]


def _sgd(place: str, group: dict[str, Any]) -> Read:
    refuse_unless(place, group, weight_decay=0, dampening=0)
    momentum = float(group["momentum"])
    if not momentum:
        return "sgd", {"momentum": 0.0}, ()
    solver = "nesterov" if group["nesterov"] else "momentum"
    return solver, {"momentum": momentum}, ("momentum_buffer",)


def _adam(place: str, group: dict[str, Any]) -> Read:
    if not group.get("decoupled_weight_decay"):
        refuse_unless(place, group, weight_decay=0)
    return "adamw", _constants(group), ("exp_avg", "exp_avg_sq")


def _adamw(place: str, group: dict[str, Any]) -> Read:
    return "adamw", _constants(group), ("exp_avg", "exp_avg_sq")


def _nadam(place: str, group: dict[str, Any]) -> Read:
    refuse_unless(place, group, weight_decay=0, momentum_decay=0.004)
    return "nadam", _constants(group), ("exp_avg", "exp_avg_sq")


def _rmsprop(place: str, group: dict[str, Any]) -> Read:
    refuse_unless(place, group, weight_decay=0, momentum=0)
    numbers = {"rho": float(group["alpha"]), "epsilon": float(group["eps"])}
    return "rmsprop", numbers, ("square_avg",)


def _constants(group: dict[str, Any]) -> dict[str, float]:
    beta_1, beta_2 = map(float, group["betas"])
    numbers = {"beta_1": beta_1, "beta_2": beta_2, "epsilon": float(group["eps"])}
    return {**numbers, "weight_decay": float(group["weight_decay"])}


_OPTIMIZERS: dict[str, Callable[[str, dict[str, Any]], Read]] = {
    "Adam": _adam,
    "AdamW": _adamw,
    "NAdam": _nadam,
    "RMSprop": _rmsprop,
    "SGD": _sgd,
}
