"""Models whose files lie, with the SHA-256 made right: for the tests, and for the fuzzer."""

import copy
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save as to_bytes

import fastnn
from fastnn import persistence

N_FEATURES = 4
X = np.random.default_rng(0).normal(size=(24, N_FEATURES))
THREE = np.arange(24) % 3
NAMES = np.array(["ant", "bee", "cow"])
IMAGES = np.random.default_rng(1).integers(0, 256, (24, N_FEATURES)).astype(np.uint8)
SHORT = {"max_iter": 2, "verbose": False, "random_state": 0}


def honest_models():
    """Return a fitted model of each kind, with what distinguishes their files; and its X and y."""
    distortion = fastnn.ImageDistortion(2, 2, rotation=(5.0, 6.0, 7.0), sigma=1.0)
    shape = {"dropout": (0.1, 0.2), "batch_size": 8, **SHORT}
    classifier, regressor = fastnn.MLPClassifier, fastnn.MLPRegressor
    models = {
        "Perceptron": (fastnn.Perceptron(record_history=True, **SHORT), X, NAMES[THREE]),
        "Perceptron of two": (fastnn.Perceptron(**SHORT), X, THREE > 0),
        "class weights": (fastnn.Perceptron(class_weight={0: 2, 1: 0.5}, **SHORT), X, THREE),
        "LinearNetwork": (fastnn.LinearNetwork(**SHORT), X, X[:, 0]),
        "LinearNetwork of two": (fastnn.LinearNetwork(dtype="float32", **SHORT), X, X[:, :2]),
        "Adam": (classifier((5, 3), "tanh", **shape), X, NAMES[THREE].astype(object)),
        "momentum": (classifier((3,), solver="momentum", **SHORT), X, THREE > 0),
        "bytes": (classifier((3,), distortion=distortion, **SHORT), IMAGES, THREE),
        "SGD": (regressor((), solver="sgd", dtype=np.float32, **SHORT), X, X[:, 0]),
        "two outputs": (regressor([3], n_jobs=2, **SHORT), X, X[:, :2]),
    }
    with fastnn.use_backend("python"):
        return {name: (model.fit(X, y), X, y) for name, (model, X, y) in models.items()}


def take_apart(model, path):
    """Return what a model's file says."""
    model.save(path)
    return persistence._read(Path(path))


def write(path, content, tensors, version=persistence.VERSION):
    """Write a file that says anything, with the right SHA-256."""
    text = content if isinstance(content, str) else json.dumps(content)
    metadata = {"format": "fastnn", "version": version, "content": text}
    metadata["sha256"] = persistence._digest(text, tensors)
    Path(path).write_bytes(to_bytes(tensors, metadata))


def network(sizes):
    """Return what a file says of a network."""
    n = len(sizes) - 1
    return {
        "network": {
            "sizes": sizes,
            "activations": ["relu"] * (n - 1) + ["sigmoid"],
            "dropout": [0.0] * n,
            "loss": "binary_crossentropy",
            "activation_parameters": [0.0] * n,
            "loss_parameter": 0.0,
        }
    }


# What may stand in the place of anything.
VALUES = (
    *(None, True, False, -1, 0, 1, 2, 7, 2**31, 2**63, 2**64, 10**30, -0.5, 0.5, 1.0, 1e300),
    *(float("nan"), float("inf"), "", "x", "1", "auto", "relu", "float16", "long " * 500),
    *([], [1], [-1, 2], ["x"], [[1], [2]], {}, {"x": 1}, {"tuple": [1, 2]}, {"tuple": 3}),
    *({"mapping": []}, {"mapping": [[1, -1]]}, {"mapping": [["x", "y"]]}, {"mapping": 3}),
    *({"mapping": [[]]}, {"mapping": [[[1], 2]]}, {"mapping": [[1, 2], [1.0, 3]]}),
    *({"dtype": "object"}, {"array": [1, 2], "dtype": "<i8"}, {"array": [1], "dtype": "|O"}),
    *({"array": ["a", "a"], "dtype": "|O"}, {"array": ["b", "a"], "dtype": "<U1"}),
    *({"array": ["x"] * 20, "dtype": "U400000000"}, {"array": 10**30, "dtype": "<i8"}),
    *({"array": [[1, 2], [3]], "dtype": "<f8"}, {"array": ["1"], "dtype": "<f8"}),
    *({"distortion": [2, 2]}, {"distortion": [1, 1, 1, 1, 1, 1, 1]}),
    *(network([N_FEATURES, 1]), network([N_FEATURES, 10**12, 1])),
)
LISTS = {
    "shorter": lambda items: items[:-1],
    "longer": lambda items: [*items, *items[-1:]],
    "backwards": lambda items: items[::-1],
    "a thousand times": lambda items: items * 1000,
    "all the same": lambda items: items[:1] * len(items),
}
ARRAYS = {
    "shorter": lambda a: a.ravel()[:-1],
    "longer": lambda a: np.append(a, a.ravel()[:1]),
    "empty": lambda a: a[:0],
    "one dimension more": lambda a: a[np.newaxis],
    "a row more": lambda a: np.concatenate([a, a[:1]]),
    "turned": lambda a: np.ascontiguousarray(a.T),
    "backwards": lambda a: np.ascontiguousarray(a[::-1]),
    "NaN": lambda a: np.full(a.shape, np.nan),
    "infinity": lambda a: np.full(a.shape, np.inf, a.dtype if a.dtype.kind == "f" else None),
    "negative": lambda a: -1 - np.abs(a).astype(a.dtype),
    "zeros": np.zeros_like,
    "the other float": lambda a: a.astype(np.float32 if a.dtype == np.float64 else np.float64),
    "integers": lambda a: a.astype(np.int64),
    "bytes": lambda a: a.astype(np.uint8),
    "bools": lambda a: a.astype(bool),
    "half": lambda a: a.astype(np.float16),
}


def places(node, path=()):
    """Return the place of everything that stands in a piece of JSON."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for key, value in inner:
        found.append((*path, key))
        if isinstance(value, (dict, list)):
            found += places(value, (*path, key))
    return found


def at(node, place):
    """Return what stands at a place."""
    for key in place:
        node = node[key]
    return node


def changed(content, place, value):
    """Return content with something else at a place."""
    content = copy.deepcopy(content)
    at(content, place[:-1])[place[-1]] = value
    return content


def without(content, place):
    """Return content without what stands at a place."""
    content = copy.deepcopy(content)
    del at(content, place[:-1])[place[-1]]
    return content


def lies(content, tensors):
    """Yield what a lying file says: a name of the lie, content and tensors."""
    for place in places(content):
        name, value = ".".join(map(str, place)), at(content, place)
        yield f"{name} is missing", without(content, place), tensors
        for other in VALUES:
            if type(other) is not type(value) or other != value:
                yield f"{name} = {other!r:.60}", changed(content, place, other), tensors
        if isinstance(value, list):
            for kind, change in LISTS.items():
                yield f"{name} {kind}", changed(content, place, change(value)), tensors
    for name, array in tensors.items():
        others = {key: value for key, value in tensors.items() if key != name}
        yield f"{name} is missing", content, others
        yield f"{name} has another name", content, {**others, "other": array}
        yield (
            f"{name} as a value",
            changed(content, ("values", name), {"array": [1.0, 2.0], "dtype": "<f8"}),
            others,
        )
        for kind, change in ARRAYS.items():
            with np.errstate(all="ignore"):
                yield f"{name} {kind}", content, {**others, name: change(array)}
    yield "a method replaced", changed(content, ("values", "predict"), 1), tensors
    yield "a foreign array", content, {**tensors, "foreign_": np.zeros(2)}
    yield "a parameter of the class", changed(content, ("values", "dtype"), "float32"), tensors
