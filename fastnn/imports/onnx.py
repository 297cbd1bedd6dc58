"""Networks in ONNX files: dense layers and activations of plain operators."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..export.folded import folded
from ..export.onnx_graph import Graph, Node, add_decision
from ..export.plain import CLASSES, LABELS, NUMBERS, PlainNetwork, Scaler
from ..files import open_regular
from ..parameters import FLOAT32, FLOAT64, shown
from .chain import LAYERS, Chain, Refused
from .estimator import estimator_of
from .onnx_expressions import Activations, Expressions

MAX_BYTES = 2**31 - 1  # what protobuf can hold
MOST_NUMBERS = 1000  # scalars of a graph that are tried as the number in an activation
MOST_NODES = 1000  # of an activation; those of GELU in float64 are 128
# What a file that may say anything may lead to.
_LIES = KeyError, TypeError, AttributeError, IndexError, OverflowError, ZeroDivisionError
_MISSING = "ONNX files need the package onnx: pip install 'fastnn[onnx]'"
REGRESSION = "variable"  # what skl2onnx, and so `to_onnx`, calls the outputs of a regression
_PASS = {"Identity", "Dropout"}


def from_onnx(path: str | Path, *, classes: Any = None, **parameters: Any) -> Any:
    """Return the network of an ONNX file as a fitted estimator.

    Its outputs are the same. A file knows nothing of a training: `partial_fit`, or `fit` (with
    `warm_start=True`, which the result has), goes on from the weights, with the loss that goes
    with the outputs. Scalers before the first layer become part of it.

    Parameters
    ----------
    path : str or Path
        Of Gemm, or MatMul and Add, and activations, of one operator each or as PyTorch and
        `fastnn.export.to_onnx` compose them; behind them what `to_onnx` makes of classes.
    classes : (n_classes,), optional
        Labels, sorted, where the file has none and the outputs are of a sigmoid or softmax; by
        default 0, 1, ....
    **parameters
        Hyper-parameters of the estimator.

    Returns
    -------
    MLPClassifier or MLPRegressor

    Raises
    ------
    ValueError
        If the file is none of ONNX, keeps numbers in other files, or has an operator that has no
        counterpart, which its place and name say.
    OSError
        If the file cannot be read.
    ImportError
        If the package onnx is missing: `pip install 'fastnn[onnx]'`.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), "tanh", max_iter=3, tol=None).fit(X, y)
    >>> written = fastnn.export.to_onnx(model, "xor.onnx")
    >>> same = fastnn.from_onnx("xor.onnx")
    >>> bool(abs(same.predict_proba(X) - model.predict_proba(X)).max() < 1e-6)
    True
    """
    try:
        plain = folded(_Reader(path).network(classes), scale=False)
    except _LIES as error:
        raise ValueError(f"{path}: not a network as ONNX describes it: {error!r}") from None
    return estimator_of(plain, "onnx", parameters)


class _Reader:
    """Goes through a graph from its input, layer by layer."""

    def __init__(self, path: str | Path):
        graph = _load(path)
        self._constants = {t.name: _array(t, path) for t in graph.initializer}
        self._nodes: list[Node] = []
        self._places: dict[str, str] = {}
        for number, node in enumerate(graph.node, 1):
            self._take(number, node, path)
        entries = [entry.name for entry in graph.input if entry.name not in self._constants]
        if len(entries) != 1:
            raise ValueError(f"{path}: expected one input, got {shown(entries)}")
        self._outputs = [output.name for output in graph.output]
        self._at, self._chain, self._scalers = entries[0], Chain(), list[Scaler]()
        self._takers: dict[str, int] = {}  # the first node that takes each result
        for number, taker in enumerate(self._nodes):
            for name in taker.inputs:
                self._takers.setdefault(name, number)

    def _take(self, number: int, node: Any, path: str | Path) -> None:
        """Take down a node, or the constant that it is."""
        place = f"node {number}, {node.op_type}"
        if node.domain not in ("", "ai.onnx") or not node.output:
            raise Refused(place, f"an operator of {shown(node.domain)} has no counterpart")
        attributes = {a.name: _attribute(a, path) for a in node.attribute}
        if node.op_type == "Constant":
            value = np.asarray(next(iter(attributes.values()), None))
            if value.dtype.kind == "O":
                raise Refused(place, "a constant that is no array of numbers")
            self._constants[node.output[0]] = value
            return
        self._nodes.append(Node(node.op_type, tuple(node.input), node.output[0], attributes))
        self._places[node.output[0]] = place

    def network(self, classes: Any) -> PlainNetwork:
        """Return the network, with scalers."""
        been = set[str]()
        while (node := self._next()) is not None:
            if self._at in been:
                raise Refused(self._places[node.output], "takes what is computed from its outputs")
            been.add(self._at)
            try:
                if not self._step(node):
                    break
            except Refused:
                raise
            except ValueError as error:
                raise Refused(self._places[node.output], str(error)) from None
        plain = self._decided(classes)
        return PlainNetwork(**{**vars(plain), "scalers": tuple(self._scalers)})

    def _next(self) -> Node | None:
        """Return the first node that takes the present result; None if it is an output."""
        if self._at in self._outputs:
            return None
        number = self._takers.get(self._at)
        return None if number is None else self._nodes[number]

    def _step(self, node: Node) -> bool:
        """Go beyond a node, or several that are an activation; False at the outputs' own nodes."""
        place, chain = self._places[node.output], self._chain
        if node.operator in ("Gemm", "MatMul"):
            self._dense(place, node)
        elif node.operator in _PASS or self._is_flat(node) or self._is_cast(node):
            self._at = node.output
        elif not chain.layers:
            self._scale(place, node)
        else:
            first = self._takers[self._at]
            nodes = self._nodes[first : first + MOST_NODES]
            found = self._activations.find(nodes, self._constants, self._at)
            if found is None:
                return False
            chain.activation(place, found.name, found.parameter)
            self._at = found.result
        return True

    @property
    def _activations(self) -> Activations:
        if not hasattr(self, "_known"):
            numbers = [float(v.reshape(())) for v in self._constants.values() if _is_number(v)]
            numbers += [n.attributes["alpha"] for n in self._nodes if "alpha" in n.attributes]
            dtype = self._chain.layers[0].weights.dtype
            numbers += [0.01, 1.0]  # the defaults of LeakyRelu and Elu
            self._known = Activations(dtype, list(dict.fromkeys(numbers))[-MOST_NUMBERS:])
        return self._known

    def _dense(self, place: str, node: Node) -> None:
        if len(node.inputs) < 2 or node.inputs[0] != self._at:
            raise Refused(place, "expected constant weights behind the inputs")
        weights, bias = self._constant(place, node.inputs[1]), None
        if weights.ndim != 2:
            raise Refused(place, f"expected weights of 2 dimensions, got {weights.ndim}")
        self._at = node.output
        if node.operator == "Gemm":
            settings = {"transA": 0, "alpha": 1.0, "beta": 1.0, "transB": 0, **node.attributes}
            if (settings["transA"], settings["alpha"], settings["beta"]) != (0, 1, 1):
                raise Refused(place, "transA, alpha or beta that are not the default")
            weights = weights.T if settings["transB"] else weights
            if len(node.inputs) > 2:
                bias = self._constant(place, node.inputs[2])
        elif (following := self._next()) is not None and following.operator == "Add":
            others = [name for name in following.inputs if name != self._at]
            if len(others) == 1 and others[0] in self._constants:
                bias, self._at = self._constants[others[0]], following.output
        if bias is None:
            bias = np.zeros(weights.shape[-1], weights.dtype)  # which a training may change
        sizes = {scaler.factor.size for scaler in self._scalers}
        if not self._chain.layers and not sizes <= {1, len(weights)}:
            raise Refused(place, f"{len(weights)} inputs, but other numbers of factors before it")
        self._chain.dense(place, weights, bias.reshape(-1))

    def _scale(self, place: str, node: Node) -> None:
        """Take what the inputs are multiplied by, divided by, or less by."""
        others = [name for name in node.inputs if name != self._at]
        is_right = node.inputs[0] == self._at or node.operator in ("Add", "Mul")
        if node.operator not in ("Add", "Sub", "Mul", "Div") or len(others) != 1 or not is_right:
            raise Refused(place, f"has no counterpart before the first layer; expected {LAYERS}")
        value = self._constant(place, others[0]).astype(float)
        self._at = node.output
        if value.size == 1 and node.operator in ("Mul", "Div"):
            with np.errstate(divide="ignore"):
                factor = value.reshape(()) if node.operator == "Mul" else 1 / value.reshape(())
            self._chain.scale(place, float(factor))
            return
        if self._chain.input_scale != 1:
            raise Refused(place, "behind a factor on all inputs")
        if value.size != np.atleast_1d(value).shape[-1]:
            raise Refused(place, f"numbers of shape {value.shape}; expected one for each input")
        value, one = value.reshape(-1), np.ones(value.size)
        with np.errstate(divide="ignore"):
            scaler = {
                "Add": Scaler(-value, one),
                "Sub": Scaler(value, one),
                "Mul": Scaler(0 * one, value),
                "Div": Scaler(0 * one, 1 / value),
            }[node.operator]
        if not (np.isfinite(scaler.factor).all() and np.isfinite(scaler.offset).all()):
            raise Refused(place, "numbers that are not finite")
        self._scalers.append(scaler)

    def _is_flat(self, node: Node) -> bool:
        return node.operator in ("Flatten", "Reshape") and not self._chain.layers

    def _is_cast(self, node: Node) -> bool:
        """Say whether a node makes reals of the inputs."""
        is_real = node.attributes.get("to") in (FLOAT32, FLOAT64)
        return node.operator == "Cast" and is_real and not self._chain.layers

    def _constant(self, place: str, name: str) -> NDArray:
        if name not in self._constants:
            raise Refused(place, f"expected a constant, got {shown(name)}")
        return self._constants[name]

    def _decided(self, classes: Any) -> PlainNetwork:
        """Return the network of a task that explains all outputs; `Refused` if there is none."""
        if self._outputs == [self._at] == [REGRESSION]:
            return self._chain.plain(NUMBERS, None)
        if self._outputs == [self._at]:
            return self._chain.network(None, classes)
        expressions = Expressions()
        known = expressions.of(self._nodes, self._constants, self._at)
        outputs = {known.get(name) for name in self._outputs}
        for candidate in self._candidates():
            graph = Graph(candidate.dtype)
            wanted = set(add_decision(graph, candidate, "z")) - {""}
            own = expressions.of(graph.nodes, graph.constants, "z")
            if outputs == {own[name] for name in wanted}:
                return candidate
        node = self._next() or self._nodes[-1]
        raise Refused(self._places[node.output], f"has no counterpart; expected {LAYERS}")

    def _candidates(self) -> list[PlainNetwork]:
        """Return what the outputs may stand for."""
        n_outputs = len(self._chain.layers[-1].bias) if self._chain.layers else 0
        labels: Sequence[NDArray] = [
            values
            for values in self._constants.values()
            if values.ndim == 1 and values.dtype.kind in "iU" and (values[:-1] < values[1:]).all()
        ]
        thresholds = (0.5, 0.0)
        found = [self._chain.plain(LABELS, np.arange(n_outputs), t) for t in thresholds]
        found += [self._chain.plain(CLASSES, c, t) for c in labels for t in thresholds if len(c)]
        return [self._chain.plain(NUMBERS, None), *found]


def _is_number(value: NDArray) -> bool:
    return value.size == 1 and value.dtype.kind == "f"


def _load(path: str | Path) -> Any:
    """Return the graph of a file; what it refers to elsewhere is not read."""
    try:
        import onnx
    except ImportError:
        raise ImportError(_MISSING) from None
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > MAX_BYTES:
            raise ValueError(f"{path}: more than {MAX_BYTES} bytes")
        content = file.read(MAX_BYTES + 1)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf has its own, in each version
        raise ValueError(f"{path}: not an ONNX file: {error}") from None
    if not model.graph.node or len(model.graph.sparse_initializer) or len(model.functions):
        raise ValueError(f"{path}: expected an ONNX graph of nodes and dense constants")
    return model.graph


def _array(tensor: Any, path: str | Path) -> NDArray:
    """Return a constant; ValueError if it is not what it says, or is not in the file."""
    import onnx.numpy_helper

    if tensor.data_location != onnx.TensorProto.DEFAULT or len(tensor.external_data):
        raise ValueError(f"{path}: {shown(tensor.name)} is kept in another file, which is not read")
    try:
        array = onnx.numpy_helper.to_array(tensor)
        if array.dtype.kind == "O":
            array = np.array(
                [i.decode() if isinstance(i, bytes) else str(i) for i in array.ravel()]
            ).reshape(array.shape)
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, MemoryError) as error:
        raise ValueError(f"{path}: {shown(tensor.name)}: not a whole constant: {error}") from None
    if array.dtype.kind not in "fiubU":
        raise ValueError(f"{path}: {shown(tensor.name)}: {array.dtype} has no counterpart")
    return array


def _attribute(attribute: Any, path: str | Path) -> Any:
    """Return the value of an attribute: a number, a string, numbers, a dtype or an array."""
    import onnx.helper

    value = onnx.helper.get_attribute_value(attribute)
    if attribute.name == "to":
        try:
            return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(value))
        except (KeyError, TypeError, ValueError):
            raise ValueError(f"{path}: there is no type {shown(value)}") from None
    if isinstance(value, onnx.TensorProto):
        return _array(value, path)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
