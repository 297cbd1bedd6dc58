"""ONNX files of plain operators."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .forward import Results
from .onnx_graph import OPSET, Graph, add_network, portable_classes, values_shape
from .plain import CLASSES, LABELS, NUMBERS, PlainNetwork
from .verified import Exported, begin

IR_VERSION = 7  # of ONNX 1.8, the first with this opset's successor


def to_onnx(
    model: Any,
    path: str | Path,
    *,
    samples: ArrayLike | None = None,
    input_dtype: Any = None,
    seed: int = 0,
    tolerance: float | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write an ONNX file of plain operators (opset 13), compared with the model.

    Its input is `X` (N, n_features). The outputs of a classifier are named as skl2onnx names them:
    `label`, of integers or strings, and `probabilities`, which are scores if the model gives no
    probabilities; that of a regression is `variable`. ONNX Runtime does the comparison if it is
    installed, else the package onnx itself.

    Parameters
    ----------
    model, path, samples, input_dtype, seed, tolerance, overwrite
        As `fastnn.export.verified.begin` says.

    Raises
    ------
    ImportError
        If the package onnx is not installed.
    ValueError
        If an argument is wrong, the model is not fitted, or the file does not give what the model
        gives.
    OSError
        If the file cannot be written; FileExistsError if it is there.
    """
    export = begin(
        model,
        path,
        samples=samples,
        input_dtype=input_dtype,
        seed=seed,
        tolerance=tolerance,
        overwrite=overwrite,
    )
    content = model_proto(export.plain).SerializeToString()
    judge, run = _judge()

    def results(part: Path, X: NDArray) -> Results:
        return _results(export.plain, run(part.read_bytes(), X))

    return export.finish(content, results, opset=OPSET, compared_by=judge)


def model_proto(plain: PlainNetwork) -> Any:
    """Return a network as an `onnx.ModelProto`; ImportError without the package onnx."""
    onnx = _onnx()
    helper = onnx.helper
    graph = Graph(plain.dtype)
    label, values = add_network(graph, plain, "X", plain.entry_dtype != plain.dtype)
    names = {values: "variable" if plain.task == NUMBERS else "probabilities"}
    info = helper.make_tensor_value_info
    outputs = [info(names[values], _type(plain.dtype), values_shape(plain))]
    if label:
        names[label] = "label"
        shape, dtype = ["N"], portable_classes(np.asarray(plain.classes)).dtype
        if plain.task == LABELS:
            shape, dtype = values_shape(plain), np.dtype(np.int64)
        outputs.insert(0, info("label", _type(dtype), shape))
    nodes = [
        helper.make_node(
            node.operator,
            node.inputs,
            [node.output],
            **{
                name: _type(value) if isinstance(value, np.dtype) else value
                for name, value in node.attributes.items()
            },
        )
        for node in graph.renamed(names)
    ]
    entry = info("X", _type(plain.entry_dtype), ["N", plain.sizes[0]])
    constants = [onnx.numpy_helper.from_array(v, name) for name, v in graph.constants.items()]
    model = helper.make_model(
        helper.make_graph(nodes, "-".join(map(str, plain.sizes)), [entry], outputs, constants),
        producer_name="fastnn",
        producer_version=version("fastnn"),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _type(dtype: np.dtype) -> int:
    return _onnx().helper.np_dtype_to_tensor_dtype(dtype)


def _onnx() -> Any:
    try:
        import onnx
        import onnx.checker
        import onnx.helper
        import onnx.numpy_helper
    except ImportError as error:
        message = f"the package onnx cannot be imported ({error}): pip install 'fastnn[onnx]'"
        raise ImportError(message) from None
    return onnx


def _judge() -> tuple[str, Any]:
    """Return who runs a file, and how: a function of its content and of samples."""
    try:
        import onnxruntime
    except ImportError:
        from onnx import load_from_string
        from onnx.reference import ReferenceEvaluator

        def refer(content: bytes, X: NDArray) -> dict[str, NDArray]:
            session = ReferenceEvaluator(load_from_string(content))
            return dict(zip(session.output_names, session.run(None, {"X": X}), strict=True))

        return "onnx's reference", refer

    def run(content: bytes, X: NDArray) -> dict[str, NDArray]:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, {"X": X}), strict=True))

    return f"ONNX Runtime {onnxruntime.__version__}", run


def _results(plain: PlainNetwork, found: dict[str, NDArray]) -> Results:
    """Return the outputs of a file, its labels as numbers of the classes."""
    if plain.task == NUMBERS:
        return Results(found["variable"])
    labels, values = found["label"], found["probabilities"]
    if plain.task == CLASSES:
        place = {c: n for n, c in enumerate(portable_classes(np.asarray(plain.classes)).tolist())}
        labels = np.array([place[label] for label in labels.tolist()], np.int64)
    if not plain.gives_probabilities and plain.sizes[-1] == 1:
        values = values[:, -1:]
    return Results(values, labels)
