"""Saving and loading estimators: safetensors files, no pickle.

The arrays are the file's tensors; everything else is JSON in its metadata, with a version and a
SHA-256 of both, so that damage is noticed. The SHA-256 says nothing of who wrote a file: what it
holds is checked by `schema` before an estimator has it.
"""

import hashlib
import importlib
import json
import os
import re
from collections.abc import Collection, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .backends.codes import ACTIVATIONS, LOSSES
from .backends.cpu.panels import aligned_copy
from .backends.interface import ImageDistortion, Network
from .card import is_saved_by, saved_by
from .checkpoints import checkpoints, latest_checkpoint, step_of
from .files import open_regular, write_file
from .older_files import upgraded
from .parameters import DTYPES
from .schema import ATTRIBUTES, check_model
from .state import SolverState

if TYPE_CHECKING:
    from .linear import LinearNetwork
    from .mlp import MLPClassifier, MLPRegressor
    from .perceptron import Perceptron

__all__ = ["CheckpointError", "checkpoints", "latest_checkpoint", "load", "save", "step_of"]

FORMAT, VERSION = "fastnn", "3"
MAX_TEXT = 2**24  # characters of JSON: the names of a million features
MAX_STRINGS = 2**26  # bytes of an array of strings, all of which are as long as the longest
_ESTIMATORS = {
    **{"Perceptron": "perceptron", "LinearNetwork": "linear"},
    **{"MLPClassifier": "mlp", "MLPRegressor": "mlp"},
}
_REQUIRED = {"class", "parameters", "values"}
_CONTENT = _REQUIRED | {"requests", "saved_by"}  # those if there are any, and in newer files
# Those that scikit-learn's metadata routing may have requests for.
_METHODS = ("fit", "partial_fit", "predict", "predict_proba", "decision_function", "score")
_KEYS = (bool, int, float, str)  # types of a mapping's keys
_DTYPE = re.compile(r"[<>|=](?:[iuf][1248]|b1|O|U[0-9]{1,8})")
_PICKLES = b"\x80", b"x", b"\x1f\x8b", b"PK"  # as they begin: plain, in zlib, gzip or zip
_OF_PICKLES = (
    "; if it is a pickle of your own, joblib.load reads it, and fastnn.export exports the model"
)
# What content that lies may lead to while it is decoded and checked.
_LIES = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)


class CheckpointError(ValueError):
    """A file is not a model that fastnn saved, or is damaged.

    Examples
    --------
    >>> import fastnn
    >>> _ = open("no-model.safetensors", "w").write("hello")
    >>> try:
    ...     fastnn.load("no-model.safetensors")
    ... except fastnn.CheckpointError:
    ...     print("refused")
    refused
    """


def save(model: Any, path: str | Path) -> None:
    """Write a fitted estimator to a file; one that is there is replaced in a single step.

    With its optimizer state, epoch and seed: after `load`, a fit with `warm_start=True` goes on
    bitwise as if it had never stopped. A `random_state` that is a generator is not saved; the
    seed that was drawn from it is. Attributes that `fit` does not set are not saved, but for
    scikit-learn's metadata requests. Versions, system and time are written as well: with what
    the fit has noted they are the model's card, which `fastnn show` prints.

    Raises
    ------
    ValueError
        If the estimator is not one of fastnn's, is not fitted, has labels that are neither
        numbers nor strings, or is otherwise what `load` would refuse, such as parameters that
        are not finite.
    OSError
        If the file cannot be written.
    """
    kind = type(model).__name__
    if _ESTIMATORS.get(kind) is None:
        raise ValueError(f"model: expected one of {', '.join(_ESTIMATORS)}, got {kind}")
    if not hasattr(model, "n_features_in_"):
        raise ValueError(f"model: this {kind} is not fitted yet; call fit first")
    parameters = model.get_params(deep=False)
    if not isinstance(parameters["random_state"], (int, np.integer, type(None))):
        parameters["random_state"] = None
    tensors, values = {}, {}
    for name, value in fitted_attributes(model).items():
        if name not in ATTRIBUTES[kind]:
            continue
        if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.itemsize <= 8:
            tensors[name] = np.ascontiguousarray(value, value.dtype.newbyteorder("="))
        else:
            values[name] = _to_json(name, value)
    content: dict[str, Any] = {
        "class": kind,
        "parameters": {name: _to_json(name, value) for name, value in parameters.items()},
        "values": values,
        "saved_by": saved_by(),
    }
    if requests := _requests_of(model):
        content["requests"] = requests
    text = json.dumps(content)
    try:
        _to_model(_parse(text), tensors)
        metadata = {"format": FORMAT, "version": VERSION, "content": text}
        metadata["sha256"] = _digest(text, tensors)
        from safetensors.numpy import save as to_bytes

        data = to_bytes(tensors, metadata)
    except _LIES as error:
        raise ValueError(f"model: cannot be saved: {error}") from None
    write_file(path, data)


def load(
    path: str | Path,
) -> "MLPClassifier | MLPRegressor | Perceptron | LinearNetwork":
    """Return the estimator that `save` wrote to a file.

    The file need not be trusted: whatever it says, it is either a model that can be used, or
    refused.

    Raises
    ------
    CheckpointError
        If the file is truncated, damaged, foreign, of a later version of fastnn, or not a model
        that a fit could have made.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), "tanh", learning_rate_init=0.05, random_state=0)
    >>> model.fit(X, y).save("xor.safetensors")
    >>> fastnn.load("xor.safetensors").predict(X).tolist()
    [0, 1, 1, 0]
    """
    return load_with_card(path)[0]


def load_with_card(path: str | Path) -> tuple[Any, dict[str, str]]:
    """Return what `load` does, and what the file says of the program that wrote it, if it does."""
    content, tensors = _read(Path(path))
    try:
        return _to_model(content, tensors), content.get("saved_by", {})
    except (*_LIES, MemoryError) as error:
        raise CheckpointError(f"{path}: not a model of fastnn: {error!r}") from None


def fitted_attributes(model: Any) -> dict[str, Any]:
    """Return what `fit` has set, by name; of the solver's state each part."""
    parameters = model.get_params(deep=False)
    found = {name: value for name, value in vars(model).items() if name not in parameters}
    if "solver_state_" in found:
        found |= found.pop("solver_state_")._asdict()
    return found


def restore_attributes(model: Any, attributes: dict[str, Any]) -> None:
    """Set what `fit` would have set: what `fitted_attributes` returned, already checked."""
    attributes = dict(attributes)
    if "moments" in attributes:
        parts = {name: attributes.pop(name) for name in SolverState._fields}
        attributes["solver_state_"] = SolverState(**parts)
        attributes["_no_improvement_count"] = parts["idle"]
        attributes["params_"] = aligned_copy(attributes["params_"])
    model.__dict__.update(attributes)


def _to_model(content: Any, tensors: dict[str, NDArray]) -> Any:
    """Return the estimator that a file's content describes; an exception of `_LIES` if it lies."""
    if not _REQUIRED <= content.keys() <= _CONTENT:
        raise ValueError(f"expected {sorted(_CONTENT)}, got {sorted(content)}")
    if not is_saved_by(content.get("saved_by", {})):
        raise ValueError("saved_by: expected a few short strings")
    kind, values = content["class"], content["values"]
    module = importlib.import_module(f".{_ESTIMATORS[kind]}", __package__)
    model = getattr(module, kind)(**{k: _of_json(v) for k, v in content["parameters"].items()})
    if common := values.keys() & tensors.keys():
        raise ValueError(f"both array and value: {sorted(common)}")
    attributes = {name: _of_json(value) for name, value in values.items()} | tensors
    check_model(kind, model.get_params(deep=False), attributes)
    restore_attributes(model, attributes)
    if "requests" in content:
        _restore_requests(model, content["requests"])
    return model


def _requests_of(model: Any) -> dict[str, dict[str, Any]]:
    """Return which metadata the user has requested or refused, if any, for each method."""
    if "_metadata_request" not in vars(model):
        return {}
    routing = model.get_metadata_routing()
    return {method: dict(getattr(routing, method).requests) for method in _METHODS}


def _restore_requests(model: Any, requests: dict[str, dict[str, Any]]) -> None:
    routing = model.get_metadata_routing()
    for method, wanted in requests.items():
        known = getattr(routing, method).requests if method in _METHODS else {}
        if not wanted.keys() <= known.keys():
            raise ValueError(f"requests: {method} has not all of {sorted(wanted)}")
        for name, alias in wanted.items():
            getattr(routing, method).add_request(param=name, alias=alias)
    model._metadata_request = routing


def _read(path: Path) -> tuple[dict, dict[str, NDArray]]:
    """Return the content and the tensors of a file; `CheckpointError` unless all is well.

    What they say is not checked yet.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as to_tensors

    start = b""
    try:
        # One reading: a file that changes meanwhile cannot be two things.
        with open_regular(path) as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            if not len(start) == 8 <= 8 + length <= os.fstat(file.fileno()).st_size:
                raise ValueError("its header is longer than the file")
            if length > 3 * MAX_TEXT:  # JSON in JSON: quotes are escaped
                raise ValueError("its header is too long")
            header = file.read(length)
            metadata = json.loads(header).get("__metadata__") or {}
            if metadata.get("format") != FORMAT:
                raise CheckpointError(f"{path}: a safetensors file, but not of fastnn")
            version = metadata.get("version")
            if version not in ("1", "2", VERSION):
                raise CheckpointError(
                    f"{path}: format version {version!r}; this fastnn reads 1 to {VERSION}"
                )
            data = start + header + file.read()
        tensors = {
            name: np.require(array, requirements=["C", "A", "W"])
            for name, array in to_tensors(data).items()
        }
        text = metadata.get("content", "")
        is_right = metadata.get("sha256") == _digest(text, tensors)
    except CheckpointError:
        raise
    except (*_LIES, MemoryError, SafetensorError) as error:
        hint = _OF_PICKLES if start.startswith(_PICKLES) else ""
        raise CheckpointError(
            f"{path}: not a whole safetensors file ({error}): truncated, damaged or foreign{hint}"
        ) from None
    if not is_right:
        raise CheckpointError(f"{path}: damaged: its content does not match its SHA-256")
    try:
        content = _parse(text)
        return (content, tensors) if version == VERSION else upgraded(content, tensors, version)
    except (*_LIES, MemoryError) as error:
        raise CheckpointError(f"{path}: not a model of fastnn: {error!r}") from None


def _parse(text: str) -> dict:
    """Return what JSON says; ValueError or RecursionError if too long, too deep, or not whole."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"{len(text)} characters of JSON, more than {MAX_TEXT}")
    content = json.loads(text, object_pairs_hook=_unique)
    if not isinstance(content, dict):
        raise ValueError("expected a JSON object")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in a JSON object")
    return found


def _digest(text: str, tensors: dict[str, NDArray]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        array = tensors[name]
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
    return digest.hexdigest()


def _to_json(name: str, value: Any) -> Any:
    """Return a value as JSON has it; arrays, tuples, networks and distortions are marked."""
    if isinstance(value, Network):
        names = [ACTIVATIONS[code].name for code in value.activations]
        fields = value._asdict() | {"activations": names, "loss": LOSSES[value.loss].name}
        return {"network": fields}
    if isinstance(value, ImageDistortion):
        return {"distortion": [_to_json(name, item) for item in value]}
    if isinstance(value, np.dtype) or (isinstance(value, type) and name == "dtype"):
        return {"dtype": np.dtype(value).name}
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind not in "biufUO" or (value.dtype.kind == "f" and value.itemsize > 8):
            raise ValueError(f"{name}: only numbers and strings can be saved, got {value.dtype}")
        flat = np.ravel(value).tolist()
        if value.dtype.kind == "O" and not all(isinstance(item, str) for item in flat):
            raise ValueError(f"{name}: only numbers and strings can be saved, got objects")
        return {"array": value.tolist(), "dtype": value.dtype.str}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    if isinstance(value, Mapping):
        return {"mapping": [[_key(name, key), _to_json(name, item)] for key, item in value.items()]}
    if isinstance(value, Collection) and not isinstance(value, (bytes, bytearray)):
        items = [_to_json(name, item) for item in value]
        return {"tuple": items} if isinstance(value, tuple) else items
    raise ValueError(
        f"{name}={value!r}: only numbers, strings, sequences and mappings can be saved"
    )


def _key(name: str, key: Any) -> Any:
    """Return the key of a mapping in Python's types; ValueError unless a number or a string."""
    key = key.item() if isinstance(key, np.generic) else key
    if type(key) in _KEYS:
        return key
    raise ValueError(f"{name}: only numbers and strings can be saved as keys, got {key!r}")


def _of_json(value: Any) -> Any:
    if isinstance(value, list):
        return [_of_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"network"}:
        return _network(**value["network"])
    if value.keys() == {"distortion"}:
        return ImageDistortion(*(_of_json(item) for item in value["distortion"]))
    if value.keys() == {"tuple"}:
        return tuple(_of_json(item) for item in value["tuple"])
    if value.keys() == {"mapping"}:
        return _mapping(value["mapping"])
    if value.keys() == {"dtype"}:
        return DTYPES[value["dtype"]]
    if value.keys() == {"array", "dtype"}:
        return _array(value["array"], value["dtype"])
    raise ValueError(f"unknown mark {sorted(value)}")


def _mapping(pairs: Any) -> dict[Any, Any]:
    """Return the mapping of which a file has the pairs."""
    found = {key: _of_json(item) for key, item in pairs}
    if not (isinstance(pairs, list) and all(type(key) in _KEYS for key in found)):
        raise ValueError("expected a list of pairs, whose first is a number or a string")
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in a mapping")
    return found


def _network(
    sizes: Any,
    activations: Any,
    dropout: Any,
    loss: Any,
    activation_parameters: Any,
    loss_parameter: Any,
) -> Network:
    """Return the network of which a file has all fields, with names in place of codes."""
    return Network(
        tuple(sizes),
        tuple(_code(ACTIVATIONS, name) for name in activations),
        tuple(dropout),
        _code(LOSSES, loss),
        tuple(activation_parameters),
        loss_parameter,
    )


def _code(rows: tuple, name: Any) -> int:
    return {row.name: row.code for row in rows}[name]


def _array(values: Any, dtype: str) -> Any:
    """Return an array of one dimension, or a NumPy scalar, of items that are of its dtype."""
    if not _DTYPE.fullmatch(dtype):
        raise ValueError(f"unknown dtype {dtype}")
    items, kind = values if isinstance(values, list) else [values], np.dtype(dtype).kind
    types = {"b": (bool,), "f": (int, float), "U": (str,), "O": (str,)}.get(kind, (int,))
    if not all(type(item) in types for item in items):
        raise ValueError(f"expected items of {dtype}")
    if np.dtype(dtype).itemsize * len(items) > MAX_STRINGS:
        raise ValueError(f"{len(items)} strings of {dtype} are too many bytes")
    array = np.array(values, dtype)
    return array if array.ndim else array[()]
