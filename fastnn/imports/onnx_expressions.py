"""What the nodes of an ONNX graph compute, as numbers that are equal where expressions are.

An activation may be one operator, or several that come to the same: each that is known is made by
`export.onnx_graph`, from which a file is written, and compared. So what is written is read again,
and nothing is taken for what it only looks like.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.codes import ACTIVATIONS
from ..export.onnx_graph import Graph, Node, add_activation
from ..export.plain import Layer

_COMMUTES = {"Add", "Mul", "Min", "Max"}
_DEFAULTS: dict[str, dict[str, Any]] = {
    "Elu": {"alpha": 1.0},
    "LeakyRelu": {"alpha": 0.01},
    "Selu": {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875},
    "Softmax": {"axis": -1},
    "Gelu": {"approximate": "none"},
    "ArgMax": {"axis": 0, "keepdims": 1, "select_last_index": 0},
}
BARRIERS = {"Gemm", "MatMul"}


class Found(NamedTuple):
    """An activation, and the result of a graph that it is."""

    name: str
    parameter: float | None
    result: str


class Expressions:
    """Numbers expressions: the same number for the same expression, of any graph."""

    def __init__(self) -> None:
        self._numbers: dict[tuple, int] = {}

    def of(
        self, nodes: Iterable[Node], constants: Mapping[str, NDArray], leaf: str
    ) -> dict[str, int]:
        """Return the number of each result that is computed from one, `leaf`, and constants."""
        known = {leaf: self._number(("leaf",))}
        for node in nodes:
            if node.operator in BARRIERS or node.output in known:
                continue
            inputs = [known.get(name, self._constant(constants.get(name))) for name in node.inputs]
            if any(number is None for number in inputs):
                continue
            if node.operator in _COMMUTES:
                inputs.sort()
            known[node.output] = self._number((node.operator, *inputs, *_settings(node)))
        return known

    def _constant(self, value: NDArray | None) -> int | None:
        if value is None:
            return None
        if value.size == 1 and value.dtype.kind == "f":  # of any number of dimensions
            return self._number(("number", float(value.reshape(()))))
        kind = "U" if value.dtype.kind == "O" else value.dtype.kind
        return self._number(("array", kind, value.shape, tuple(value.ravel().tolist())))

    def _number(self, key: tuple) -> int:
        return self._numbers.setdefault(key, len(self._numbers))


def _settings(node: Node) -> list[tuple[str, Any]]:
    """Return all attributes, those with default values too."""
    found = {**_DEFAULTS.get(node.operator, {}), **node.attributes}
    if node.operator == "Softmax" and found["axis"] == 1:  # of two dimensions, the last
        found["axis"] = -1
    return sorted((name, _plain(value)) for name, value in found.items())


def _plain(value: Any) -> Any:
    """Return an attribute as a file has it: reals in float32, a dtype as its name."""
    if isinstance(value, np.dtype):
        return value.name
    if isinstance(value, (list, tuple)):
        return tuple(map(_plain, value))
    return float(np.float32(value)) if isinstance(value, float) else value


class Activations:
    """The activations that a graph of one dtype may have.

    Parameters
    ----------
    dtype : dtype
    numbers : iterable of float
        What may be the number in an activation: those that stand in the graph.
    """

    def __init__(self, dtype: np.dtype, numbers: Iterable[float]):
        self._expressions = Expressions()
        self._known: dict[int, tuple[str, float | None]] = {}
        for row in ACTIVATIONS:
            if row.name == "identity":
                continue
            parameter = row.parameter
            given = [] if parameter is None else [n for n in numbers if parameter.holds(n)]
            for number in [None] if parameter is None else given:
                self._add(dtype, row.name, number)
        for operator in ("Gelu", "Softplus", "Softsign", "Selu"):
            graph = Graph(dtype)
            self._know(graph, graph.add(operator, "z"), operator.lower())
        graph = Graph(dtype)
        erf = graph.add("Erf", graph.add("Div", "z", 2**0.5))
        product = graph.add("Mul", "z", graph.add("Add", erf, 1))
        self._know(graph, graph.add("Mul", product, 0.5), "gelu")  # as PyTorch writes it

    def _add(self, dtype: np.dtype, name: str, number: float | None) -> None:
        graph = Graph(dtype)
        layer = Layer(np.empty(0), np.empty(0), name, number or 0.0)
        self._know(graph, add_activation(graph, 1, layer, "z"), name, number)

    def _know(self, graph: Graph, result: str, name: str, number: float | None = None) -> None:
        found = self._expressions.of(graph.nodes, graph.constants, "z")
        self._known.setdefault(found[result], (name, number))

    def find(self, nodes: list[Node], constants: Mapping[str, NDArray], leaf: str) -> Found | None:
        """Return the activation of a result: the last that is one, as parts of it may be others."""
        found = None
        for result, number in self._expressions.of(nodes, constants, leaf).items():
            if number in self._known:
                found = Found(*self._known[number], result)
        return found
