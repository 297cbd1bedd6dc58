"""Saving and loading estimators: safetensors files, no pickle.

The arrays are the file's tensors; everything else is JSON in its metadata, with a version and a
SHA-256 of both, so that damage is noticed. A file is written beside its target, flushed, and
renamed: what was there before stays whole until the new one is.
"""

import hashlib
import importlib
import json
import os
import string
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.interface import ImageDistortion, Network

FORMAT, VERSION = "fastnn", 1
_ESTIMATORS = {
    **{"Perceptron": "perceptron", "LinearNetwork": "linear"},
    **{"MLPClassifier": "mlp", "MLPRegressor": "mlp"},
}


class CheckpointError(ValueError):
    """A file is not a model that fastnn saved, or is damaged."""


def save(model: Any, path: str | Path) -> None:
    """Write a fitted estimator to a file; one that is there is replaced in a single step.

    With its optimizer state, epoch and seed: after `load`, a fit with `warm_start=True` goes on
    bitwise as if it had never stopped. A `random_state` that is a generator is not saved; the
    seed that was drawn from it is.

    Raises
    ------
    ValueError
        If the estimator is not one of fastnn's, is not fitted, or has labels that are neither
        numbers nor strings.
    OSError
        If the file cannot be written.
    """
    kind = type(model).__name__
    if _ESTIMATORS.get(kind) is None:
        raise ValueError(f"model: expected one of {', '.join(_ESTIMATORS)}, got {kind}")
    if not hasattr(model, "n_features_in_"):
        raise ValueError(f"model: this {kind} is not fitted yet; call fit first")
    parameters = model.get_params()
    if not isinstance(parameters["random_state"], (int, np.integer, type(None))):
        parameters["random_state"] = None
    tensors, values = {}, {}
    for name, value in vars(model).items():
        if name in parameters:
            continue
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu":
            tensors[name] = np.ascontiguousarray(value)
        else:
            values[name] = _to_json(name, value)
    content = {
        "class": kind,
        "parameters": {name: _to_json(name, value) for name, value in parameters.items()},
        "values": values,
    }
    text = json.dumps(content)
    metadata = {"format": FORMAT, "version": str(VERSION), "content": text}
    metadata["sha256"] = _digest(text, tensors)
    from safetensors.numpy import save as to_bytes

    _write(Path(path), to_bytes(tensors, metadata))


def load(path: str | Path) -> Any:
    """Return the estimator that `save` wrote to a file.

    Raises
    ------
    CheckpointError
        If the file is truncated, damaged, foreign, or of a later version of fastnn.
    OSError
        If it cannot be read.
    """
    path = Path(path)
    content, tensors = _read(path)
    try:
        kind = content["class"]
        module = importlib.import_module(f".{_ESTIMATORS[kind]}", __package__)
        model = getattr(module, kind)(**{k: _of_json(v) for k, v in content["parameters"].items()})
        for name, value in content["values"].items():
            setattr(model, name, _of_json(value))
        for name, value in tensors.items():
            setattr(model, name, value)
        if hasattr(model, "network_") and model.network_.n_parameters != len(model.params_):
            raise ValueError("the parameters do not fit the network")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: not a model of fastnn: {error!r}") from None
    return model


def checkpoints(path_pattern: str | Path) -> list[Path]:
    """Return the files of a pattern such as "xor-{epoch:06d}.safetensors", by rising epoch."""
    pattern = str(path_pattern)
    folder = Path(pattern).parent
    found = [(step_of(pattern, str(path)), path) for path in folder.glob("*") if path.is_file()]
    return [path for step, path in sorted((s, p) for s, p in found if s is not None)]


def latest_checkpoint(path_pattern: str | Path) -> Path | None:
    """Return the file of the highest epoch, or None if there is none."""
    found = checkpoints(path_pattern)
    return found[-1] if found else None


def step_of(pattern: str, path: str) -> int | None:
    """Return the epoch in a file's name, None if the name is not of the pattern.

    Raises
    ------
    ValueError
        If the pattern's file name does not have {epoch} just once.
    """
    parts = list(string.Formatter().parse(Path(pattern).name))
    fields = [field for _, field, _, _ in parts if field is not None]
    if fields != ["epoch"]:
        raise ValueError(
            f"path_pattern={pattern!r}: expected the file name to have '{{epoch}}' once, such as "
            "'model-{epoch:04d}.safetensors'"
        )
    before = parts[0][0]
    after = "".join(text for text, field, _, _ in parts[1:] if field is None)
    name = Path(path).name
    digits = name[len(before) : len(name) - len(after)]
    if not (name.startswith(before) and name.endswith(after) and digits.isdecimal()):
        return None
    epoch = int(digits)
    return epoch if Path(pattern.format(epoch=epoch)).name == name else None


def _read(path: Path) -> tuple[dict, dict[str, NDArray]]:
    """Return the content and the tensors of a file; `CheckpointError` unless all is well."""
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, ValueError, TypeError) as error:
        raise CheckpointError(
            f"{path}: not a whole safetensors file ({error}): truncated, damaged or foreign"
        ) from None
    if metadata.get("format") != FORMAT:
        raise CheckpointError(f"{path}: a safetensors file, but not of fastnn")
    if metadata.get("version") != str(VERSION):
        raise CheckpointError(
            f"{path}: format version {metadata.get('version')}; this fastnn reads {VERSION}"
        )
    text = metadata.get("content", "")
    if metadata.get("sha256") != _digest(text, tensors):
        raise CheckpointError(f"{path}: damaged: its content does not match its SHA-256")
    return json.loads(text), tensors


def _digest(text: str, tensors: dict[str, NDArray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step: it is there whole or not at all, also after a power cut."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _to_json(name: str, value: Any) -> Any:
    """Return a value as JSON has it; arrays, tuples, networks and distortions are marked."""
    if isinstance(value, Network):
        return {"network": [list(value.sizes), list(value.activations), list(value.dropout)]} | {
            "loss": value.loss
        }
    if isinstance(value, ImageDistortion):
        return {"distortion": [_to_json(name, item) for item in value]}
    if isinstance(value, (np.ndarray, np.generic)):
        values = value.tolist()
        flat = np.ravel(value).tolist()
        if value.dtype.kind == "O" and not all(isinstance(item, str) for item in flat):
            raise ValueError(f"{name}: only numbers and strings can be saved, got objects")
        return {"array": values, "dtype": value.dtype.str}
    if isinstance(value, (list, tuple)):
        items = [_to_json(name, item) for item in value]
        return {"tuple": items} if isinstance(value, tuple) else items
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise ValueError(f"{name}={value!r}: only numbers, strings and sequences can be saved")


def _of_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_of_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "network" in value:
        sizes, activations, dropout = (tuple(part) for part in value["network"])
        return Network(sizes, activations, dropout, value["loss"])
    if "distortion" in value:
        return ImageDistortion(*(_of_json(item) for item in value["distortion"]))
    if "tuple" in value:
        return tuple(_of_json(item) for item in value["tuple"])
    array = np.array(value["array"], value["dtype"])
    return array if array.ndim else array[()]
