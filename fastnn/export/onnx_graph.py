"""A network as a graph of plain ONNX operators, without the package onnx.

`Graph` collects nodes and constants; `to_onnx` makes a file of them, the converters for skl2onnx
hand them on. ONNX Runtime has some operators in float32 only: in float64 these are composed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..backends.codes import SELU_ALPHA, SELU_SCALE
from .plain import CLASSES, LABELS, NUMBERS, Layer, PlainNetwork

OPSET = 13  # of 2020: the first in which all operators are as used here


class Node(NamedTuple):
    """An operator, the names of what goes in and of what comes out."""

    operator: str
    inputs: tuple[str, ...]
    output: str
    attributes: dict[str, Any]


@dataclass
class Graph:
    """Nodes in their order, and constants by name.

    Attributes
    ----------
    dtype : dtype
        Of all arithmetic.
    """

    dtype: np.dtype
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, NDArray] = field(default_factory=dict)

    def add(self, operator: str, *inputs: Any, **attributes: Any) -> str:
        """Add a node and return the name of its output; numbers among inputs become constants."""
        names = tuple(item if isinstance(item, str) else self.number(item) for item in inputs)
        output = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(Node(operator, names, output, attributes))
        return output

    def constant(self, name: str, values: NDArray) -> str:
        """Add a constant and return its name."""
        self.constants[name] = values
        return name

    def number(self, value: float) -> str:
        """Return the name of a constant scalar of the graph's dtype."""
        return self.constant(f"number_{float(value)!r}", np.array(value, self.dtype))

    def cast(self, name: str, dtype: Any) -> str:
        """Add a conversion."""
        return self.add("Cast", name, to=np.dtype(dtype))

    def renamed(self, names: dict[str, str]) -> list[Node]:
        """Return the nodes with other names for some results."""
        return [
            node._replace(
                inputs=tuple(names.get(name, name) for name in node.inputs),
                output=names.get(node.output, node.output),
            )
            for node in self.nodes
        ]


def add_network(graph: Graph, plain: PlainNetwork, x: str, is_cast: bool) -> tuple[str, str]:
    """Add a network behind its inputs x; return the names of the labels ("" if none) and values.

    Parameters
    ----------
    is_cast : bool
        Whether the inputs are of another dtype than the graph.

    Raises
    ------
    ValueError
        If an activation has no counterpart.
    """
    y = graph.cast(x, graph.dtype) if is_cast else x
    for number, scaler in enumerate(plain.scalers, 1):
        offset = graph.constant(f"offset_{number}", scaler.offset.astype(graph.dtype))
        factor = graph.constant(f"factor_{number}", scaler.factor.astype(graph.dtype))
        y = graph.add("Mul", graph.add("Sub", y, offset), factor)
        if scaler.limits is not None:
            y = graph.add("Clip", y, *scaler.limits)
    if plain.input_scale != 1:
        y = graph.add("Mul", y, plain.input_scale)
    for number, layer in enumerate(plain.layers, 1):
        weights = graph.constant(f"weights_{number}", layer.weights.astype(graph.dtype))
        bias = graph.constant(f"bias_{number}", layer.bias.astype(graph.dtype))
        y = add_activation(graph, number, layer, graph.add("Gemm", y, weights, bias))
    return add_decision(graph, plain, y)


def add_decision(graph: Graph, plain: PlainNetwork, y: str) -> tuple[str, str]:
    """Add what the outputs y mean; return the names of the labels ("" if none) and values."""
    if plain.task == NUMBERS:
        return "", y
    return _labels(graph, plain, y), _values(graph, plain, y)


def values_shape(plain: PlainNetwork) -> list[Any]:
    """Return the shape of the values: of two classes, each has its score."""
    n = plain.sizes[-1]
    if plain.task == CLASSES:
        return ["N", len(np.asarray(plain.classes)) if plain.gives_probabilities else max(2, n)]
    return ["N", n]


def portable_classes(classes: NDArray) -> NDArray:
    """Return class labels as skl2onnx has them: integers of 64 bits, or strings.

    Truth values and whole reals become integers; what is neither number nor string, such as a date,
    becomes a string.
    """
    if classes.dtype.kind in "iufb" and -(2.0**63) <= classes[0] <= classes[-1] < 2.0**63:
        return classes.astype(np.int64)
    return np.array([str(label) for label in classes], object)


def _labels(graph: Graph, plain: PlainNetwork, y: str) -> str:
    """Add the choice of a class, or of each label."""
    assert plain.classes is not None
    if plain.task == LABELS:
        return graph.cast(graph.add("Greater", y, plain.threshold), np.int64)
    if plain.sizes[-1] > 1 or plain.is_constant:
        index = graph.add("ArgMax", y, axis=1, keepdims=0)
    else:
        one_each = graph.constant("one_each", np.array([-1], np.int64))
        above = graph.cast(graph.add("Greater", y, plain.threshold), np.int64)
        index = graph.add("Reshape", above, one_each)
    classes = graph.constant("classes", portable_classes(plain.classes))
    return graph.add("Gather", classes, index)


def _values(graph: Graph, plain: PlainNetwork, y: str) -> str:
    """Add what makes probabilities of a classifier's outputs."""
    if plain.task != CLASSES:
        return y
    assert plain.classes is not None
    if not plain.gives_probabilities:
        is_single = plain.sizes[-1] == 1
        return graph.add("Concat", graph.add("Neg", y), y, axis=1) if is_single else y
    if plain.is_constant:
        return graph.add("Where", graph.add("Greater", y, 0), 1, 1)
    if plain.sizes[-1] == 1:
        return graph.add("Concat", graph.add("Sub", 1, y), y, axis=1)
    if plain.layers[-1].activation == "softmax":
        return y
    columns = graph.constant("columns", np.array([1], np.int64))
    sums = graph.add("ReduceSum", y, columns, keepdims=1)
    y = graph.add("Where", graph.add("Greater", sums, 0), y, 1)
    return graph.add("Div", y, graph.add("ReduceSum", y, columns, keepdims=1))


def add_activation(graph: Graph, number: int, layer: Layer, z: str) -> str:
    """Add a layer's activation of z; return the name of its result."""
    name, a = layer.activation, layer.parameter
    if name == "identity":
        return z
    if name in _OPERATORS:
        return graph.add(_OPERATORS[name], z)
    if graph.dtype == np.float32 and name in _FLOAT32:
        operator, attributes = _FLOAT32[name]
        numbers = {key: a if value is None else value for key, value in attributes.items()}
        return graph.add(operator, z, **numbers)
    if name not in _COMPOSED:
        raise ValueError(f"layer {number}, {name}: ONNX has no operators for it here")
    return _COMPOSED[name](graph, z, a)


_OPERATORS = {
    "sign": "Sign",
    "sigmoid": "Sigmoid",
    "tanh": "Tanh",
    "relu": "Relu",
    "exponential": "Exp",
}
# An attribute of None is the number in the activation.
_FLOAT32: dict[str, tuple[str, dict[str, Any]]] = {
    "softsign": ("Softsign", {}),
    "softplus": ("Softplus", {}),
    "leaky_relu": ("LeakyRelu", {"alpha": None}),
    "elu": ("Elu", {"alpha": None}),
    "selu": ("Selu", {"alpha": SELU_ALPHA, "gamma": SELU_SCALE}),
}


def _softmax(graph: Graph, z: str, a: float) -> str:
    return graph.add("Softmax", z, axis=1)


def _softsign(graph: Graph, z: str, a: float) -> str:
    return graph.add("Div", z, graph.add("Add", graph.add("Abs", z), 1))


def _softplus(graph: Graph, z: str, a: float) -> str:
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    return graph.add("Add", graph.add("Relu", z), graph.add("Log", graph.add("Add", e, 1)))


def _leaky_relu(graph: Graph, z: str, a: float) -> str:
    return graph.add("Add", graph.add("Relu", z), graph.add("Mul", graph.add("Min", z, 0), a))


def _elu(graph: Graph, z: str, a: float) -> str:
    below = graph.add("Sub", graph.add("Exp", graph.add("Min", z, 0)), 1)
    return graph.add("Add", graph.add("Relu", z), graph.add("Mul", below, a))


def _selu(graph: Graph, z: str, a: float) -> str:
    return graph.add("Mul", _elu(graph, z, SELU_ALPHA), SELU_SCALE)


def _gelu(graph: Graph, z: str, a: float) -> str:
    if graph.dtype == np.float64:
        e = graph.add("Mul", _erfc(graph, graph.add("Mul", graph.add("Abs", z), 0.5**0.5)), 0.5)
        p = graph.add("Where", graph.add("Greater", z, 0), graph.add("Sub", 1, e), e)
        return graph.add("Mul", z, p)
    erf = graph.add("Erf", graph.add("Mul", z, 0.5**0.5))
    return graph.add("Mul", graph.add("Mul", z, 0.5), graph.add("Add", erf, 1))


def _erfc(graph: Graph, x: str) -> str:
    """Add erfc(x) for x >= 0 in float64: t exp(P(t) - x^2), t = 2 / (2 + x), P of Chebyshev."""
    from scipy.special import erfcx

    def log_of_rest(u: NDArray) -> NDArray:
        t = (u + 1) / 2
        return np.log(erfcx(2 / t - 2) / t)

    t = graph.add("Div", 2, graph.add("Add", x, 2))
    u = graph.add("Sub", graph.add("Mul", t, 2), 1)
    doubled, previous, last = graph.add("Mul", u, 2), graph.number(0), graph.number(0)
    series: Any = np.polynomial.Chebyshev.interpolate(log_of_rest, 30)
    first, *others = series.coef
    for number in others[::-1]:  # Clenshaw's recurrence
        step = graph.add("Sub", graph.add("Mul", doubled, last), previous)
        previous, last = last, graph.add("Add", step, number)
    p = graph.add("Add", graph.add("Sub", graph.add("Mul", u, last), previous), first)
    e = graph.add("Exp", graph.add("Sub", p, graph.add("Mul", x, x)))
    return graph.add("Mul", t, e)


def _silu(graph: Graph, z: str, a: float) -> str:
    return graph.add("Mul", z, graph.add("Sigmoid", z))


_COMPOSED: dict[str, Callable[[Graph, str, float], str]] = {
    "softmax": _softmax,
    "softsign": _softsign,
    "softplus": _softplus,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
}
