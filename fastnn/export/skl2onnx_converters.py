"""Converters for skl2onnx, so that its `to_onnx` takes pipelines that end in a network of ours."""

from typing import Any

import numpy as np

from .onnx_graph import OPSET, Graph, add_network, portable_classes, values_shape
from .plain import CLASSES, LABELS, NUMBERS, describe


def register_converters() -> None:
    """Tell skl2onnx of all estimators of fastnn; `skl2onnx.to_onnx` then takes them.

    As of its own estimators, the arithmetic is in the type of the inputs: float, or double. Of the
    options there is `zipmap`, for classifiers.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    """
    try:
        from skl2onnx import update_registered_converter
    except ImportError as error:
        message = f"skl2onnx cannot be imported ({error}): pip install skl2onnx"
        raise ImportError(message) from None
    from ..linear import LinearNetwork
    from ..mlp import MLPClassifier, MLPRegressor
    from ..perceptron import Perceptron

    for kind in (MLPClassifier, Perceptron, MLPRegressor, LinearNetwork):
        is_classifier = kind in (MLPClassifier, Perceptron)
        update_registered_converter(
            kind,
            f"Fastnn{kind.__name__}",
            _set_shapes,
            _convert,
            options={"zipmap": [True, False, "columns"], "nocl": [False]}
            if is_classifier
            else None,
        )


def _set_shapes(operator: Any) -> None:
    """Say what comes out: the shape calculator."""
    from skl2onnx.common import data_types as types

    plain = describe(operator.raw_operator)
    x = operator.inputs[0].type
    n = x.shape[0]
    real = types.DoubleTensorType if _dtype(x) == np.float64 else types.FloatTensorType
    n_values = values_shape(plain)[1]
    operator.outputs[-1].type = real([n, n_values])
    if plain.task == LABELS:
        operator.outputs[0].type = types.Int64TensorType([n, n_values])
    elif plain.task == CLASSES:
        is_text = portable_classes(np.asarray(plain.classes)).dtype == object
        label = types.StringTensorType if is_text else types.Int64TensorType
        operator.outputs[0].type = label([n])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add a network's nodes: the converter."""
    from onnx import numpy_helper
    from onnx.helper import np_dtype_to_tensor_dtype as type_of

    plain = describe(operator.raw_operator)
    x = operator.inputs[0]
    graph = Graph(_dtype(x.type))
    is_real = type(x.type).__name__ in ("FloatTensorType", "DoubleTensorType")
    label, values = add_network(graph, plain, x.full_name, not is_real)
    names = {values: operator.outputs[-1].full_name}
    if plain.task != NUMBERS:
        names[label] = operator.outputs[0].full_name
    for name, array in graph.constants.items():
        names[name] = scope.get_unique_variable_name(f"fastnn_{name}")
        tensor = numpy_helper.from_array(array, names[name])
        container.initializers.append(tensor)
    for node in graph.nodes:
        names.setdefault(node.output, scope.get_unique_variable_name(f"fastnn_{node.output}"))
    for node in graph.renamed(names):
        attributes = {
            key: type_of(value) if isinstance(value, np.dtype) else value
            for key, value in node.attributes.items()
        }
        container.add_node(
            node.operator,
            list(node.inputs),
            [node.output],
            op_domain="",
            op_version=OPSET,
            name=scope.get_unique_operator_name(f"fastnn_{node.operator}"),
            **attributes,
        )


def _dtype(kind: Any) -> np.dtype:
    """Return the dtype of arithmetic for a type of inputs, as skl2onnx has it."""
    return np.dtype(np.float64 if type(kind).__name__ == "DoubleTensorType" else np.float32)
