"""Weights and biases from elsewhere: `model.coefs_ = [...]`, `model.coefs_[0] = ...`."""

from collections.abc import Iterable, Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from .network import given_parameters, matrices
from .state import commit
from .validation import as_reals

NAMES = ("coefs_", "intercepts_")


class ParameterList(list):
    """The weights or biases of each layer, as views: an item that is set goes into the network."""

    def __init__(self, name: str, views: Iterable[NDArray]):
        super().__init__(views)
        self._name = name

    def __setitem__(self, layer: Any, value: Any) -> None:
        if isinstance(layer, slice):
            for number, item in zip(range(len(self))[layer], value, strict=True):
                self[number] = item
            return
        view = self[layer]
        found = as_reals(f"{self._name}[{layer}]", value, view.dtype)
        if found.shape != view.shape:
            raise ValueError(
                f"{self._name}[{layer}]: expected shape {view.shape}, got {found.shape}"
            )
        view[...] = found

    def __reduce__(self) -> tuple:
        return list, (list(self),)


def get(model: Any, name: str) -> list:
    """Return `coefs_` or `intercepts_`; before a fit, what was assigned."""
    own = vars(model)
    if "params_" in own:
        return ParameterList(name, matrices(own["network_"], own["params_"])[NAMES.index(name)])
    if name in own.get("_assigned", {}):
        return own["_assigned"][name]
    raise AttributeError(f"{type(model).__name__!r} object has no attribute {name!r} before a fit")


def assign(model: Any, name: str, values: Sequence[ArrayLike]) -> None:
    """Set `coefs_` or `intercepts_`; ValueError unless the shapes are those of the network.

    Before a fit they are kept for `partial_fit`, or `fit` with `warm_start`, to begin with.
    """
    own = vars(model)
    if "params_" in own:
        given = {name: values}
        commit(model, params_=given_parameters(own["network_"], own["params_"], given))
    else:
        commit(model, _assigned={**own.get("_assigned", {}), name: values})


def assigned_to(model: Any) -> dict[str, Sequence[ArrayLike]]:
    """Return what was assigned before the first fit."""
    return dict(vars(model).get("_assigned", {}))


def forget_assigned(model: Any) -> None:
    """Drop what was assigned: a fit has taken it over."""
    vars(model).pop("_assigned", None)
