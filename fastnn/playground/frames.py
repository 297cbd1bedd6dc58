"""A picture of where a run is: numbers as JSON, fields and weights as binary arrays beside it."""

import json
import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.codes import ACTIVATIONS, LOSSES
from ..options import to_json
from . import images
from .data import SIDE, Data
from .networks import NetworkRun
from .runs import Run

MOST_WEIGHTS = 20_000  # of a layer whose weights are sent
UNIT_SIDE = SIDE // 2
Arrays = dict[str, NDArray]


def pack(header: dict[str, Any], arrays: Arrays) -> bytes:
    """Return a message: the length of the header (4 bytes), the header, and the arrays.

    The header's "arrays" says name, dtype and shape of each; all begin at multiples of 8 bytes.
    """
    described = [[name, a.dtype.name, list(a.shape)] for name, a in arrays.items()]
    text = to_json({**header, "arrays": described}).encode()
    text += b" " * (-(len(text) + 4) % 8)
    parts = [struct.pack("<I", len(text)), text]
    for array in arrays.values():
        content = np.ascontiguousarray(array).tobytes()
        parts += [content, bytes(-len(content) % 8)]
    return b"".join(parts)


def unpack(message: bytes) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of a message, as the page's protocol.js does."""
    (length,) = struct.unpack_from("<I", message)
    header, at, arrays = json.loads(message[4 : 4 + length]), 4 + length, {}
    for name, dtype, shape in header["arrays"]:
        count = int(np.prod(shape))
        arrays[name] = np.frombuffer(message, dtype, count, at).reshape(shape)
        at += arrays[name].nbytes + -arrays[name].nbytes % 8
    return header, arrays


def samples_of(data: Data) -> Arrays:
    """Return the points of a page, sent when they change: what to draw, not the images."""
    if data.kind == "images":
        shown = images.load().X[data.test[:24]]
        return {"samples": shown, "labels": data.y[data.test[:24]].astype(np.uint8)}
    is_test = np.zeros(len(data.y), np.uint8)
    is_test[data.test] = 1
    return {
        "points": data.points.astype(np.float64),
        "y": data.y.astype(np.float64),
        "is_test": is_test,
    }


def frame(run: Run, done: bool) -> tuple[dict[str, Any], Arrays]:
    """Return header and arrays of a frame.

    Its arrays: "field" (and "sure") or "line"; "units", the pictures of the hidden units and the
    outputs; "w0", "b0" and so on; "curve", rows of `runs.Row`; "batch", samples of the last batch.
    """
    row, layers = run.measure(), run.layers
    is_network = isinstance(run, NetworkRun)
    names = [ACTIVATIONS[c].name for c in run.task.net.activations] if is_network else ["identity"]
    if run.settings.model == "perceptron":
        names = ["sign"]
    header = {
        "epoch": run.where.epoch,
        "batch": run.where.batch,
        "batches": run.n_batches,
        "loss": row.loss,
        "test_loss": row.test_loss,
        "accuracy": row.accuracy,
        "test_accuracy": row.test_accuracy,
        "done": done,
        "reason": run.reason,
        "seconds": run.seconds,
        "rate": run.n_epochs / run.seconds if run.seconds else 0.0,
        "sizes": [len(layers[0][0]), *(len(b) for _, b in layers)],
        "activations": names,
        "loss_name": LOSSES[run.task.net.loss].name if is_network else "",
        "backend": run.settings.backend_name,
        "parameters": len(run.parameters),
    }
    arrays: Arrays = {"curve": np.array(run.curve, np.float64).reshape(-1, 5)}
    if len(run.last_batch):
        arrays["batch"] = run.data.train[run.last_batch].astype(np.int32)
    if run.reason == "diverged":
        return header | {"deltas": []}, arrays
    deltas = run.deltas()
    header["deltas"] = [float(delta.mean()) for delta in deltas]
    for number, (weights, bias) in enumerate(layers):
        if weights.size <= MOST_WEIGHTS:
            arrays[f"w{number}"] = weights.astype(np.float32)
        arrays[f"b{number}"] = bias.astype(np.float32)
        arrays[f"d{number}"] = deltas[number].astype(np.float32)
    if run.data.kind == "images":
        arrays["units"] = _first_layer(run)
    else:
        arrays |= _pictures(run, names)
    return header, arrays


def _pictures(run: Run, names: list[str]) -> Arrays:
    """Return what the network, and each of its units, makes of the plane or of a line."""
    data, s = run.data, run.settings
    outputs = run.outputs(data.inputs(s, data.grid))
    arrays: Arrays = {}
    last = outputs[-1]
    if data.kind == "line":
        arrays["line"] = last[:, 0].astype(np.float32)
    elif len(data.classes) > 2:
        shares = last if names[-1] in ("softmax", "sigmoid") else (np.clip(last, -1, 1) + 1) / 2
        arrays["field"] = last.argmax(axis=1).astype(np.uint8).reshape(SIDE, SIDE)
        sure = shares.max(axis=1) / np.maximum(shares.sum(axis=1), 1e-12)
        arrays["sure"] = np.round(255 * np.clip(sure, 0, 1)).astype(np.uint8).reshape(SIDE, SIDE)
    else:
        arrays["field"] = _bytes(_signed(last, run, names[-1])).reshape(SIDE, SIDE)
    units = [_scaled(values, name) for values, name in zip(outputs, names, strict=True)]
    if data.kind == "line":
        arrays["units"] = _bytes(np.hstack(units)[::5].T)
        return arrays
    square = np.hstack(
        [u.reshape(SIDE, SIDE, -1)[::2, ::2].reshape(UNIT_SIDE**2, -1) for u in units]
    )
    arrays["units"] = _bytes(square.T).reshape(-1, UNIT_SIDE, UNIT_SIDE)
    return arrays


def _signed(values: NDArray, run: Run, name: str) -> NDArray:
    """Return outputs from -1 (the first class) to 1; of real targets -1 to 1 is their range."""
    if run.settings.model == "perceptron":
        return np.sign(values)
    if not run.data.classes or run.settings.model == "linear":
        return values
    return 2 * (values - run.task.net.threshold) if run.task.net.threshold else values


def _scaled(values: NDArray, name: str) -> NDArray:
    """Return the outputs of a layer's units as -1 to 1, each by its own range if that is larger."""
    if name in ("sigmoid", "softmax"):
        return 2 * values - 1
    if name == "sign":
        return np.sign(values)
    return values / np.maximum(np.abs(values).max(axis=0), 1)


def _first_layer(run: Run) -> NDArray[np.uint8]:
    """Return the weights of the first layer's units as images, (n_units, side, side)."""
    weights, side = run.layers[0][0].T, images.load().side
    largest = np.maximum(np.abs(weights).max(axis=1, keepdims=True), 1e-12)
    return _bytes(weights / largest).reshape(-1, side, side)


def _bytes(values: NDArray) -> NDArray[np.uint8]:
    """Return -1 to 1 as 0 to 255; 0 is between 127 and 128."""
    return np.round(127.5 + 127.5 * np.clip(values, -1, 1)).astype(np.uint8)
