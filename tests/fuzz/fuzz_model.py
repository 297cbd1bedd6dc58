"""Fuzz models that lie, their SHA-256 right: `python tests/fuzz/fuzz_model.py --seconds 60`.

What `load` accepts must be harmless: predict, evaluate, go on training, and save.
"""

import contextlib
import copy
import sys
import tempfile
import warnings
from pathlib import Path

import atheris
import numpy as np
from safetensors import SafetensorError

MODULES = ("persistence", "schema", "network", "validation", "optimizers", "files")
with atheris.instrument_imports(include=[f"fastnn.{name}" for name in MODULES]):
    from fastnn import network, optimizers, persistence, schema, validation  # noqa: F401

sys.path.insert(0, str(Path(__file__).parents[1]))
import hostile
from driver import run

import fastnn

FOLDER = Path(tempfile.mkdtemp())
MODELS = [
    (*hostile.take_apart(model, FOLDER / "honest"), X, y)
    for model, X, y in hostile.honest_models().values()
]
BACKENDS = [
    name
    for name, why in fastnn.available_backends().items()
    if why is None and name != "numba-cuda"
]
DTYPES = ("f4", "f8", "f2", "i8", "u1", "bool", "u8")


def try_one(data):
    """Change a model's file in some places, load it, and use what has been accepted."""
    source = atheris.FuzzedDataProvider(data)
    content, tensors, X, y = source.PickValueInList(MODELS)
    tensors = dict(tensors)
    for _ in range(source.ConsumeIntInRange(1, 4)):
        if source.ConsumeProbability() < 0.3:
            change_tensor(source, tensors)
        else:
            content = change_text(source, content)
    try:
        hostile.write(FOLDER / "lie", content, tensors)
    except SafetensorError:  # the format itself ends at a header of 100 MB
        return "no file"
    try:
        model = fastnn.load(FOLDER / "lie")
    except fastnn.CheckpointError:
        return "refused"
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        use(model, X, y, source.PickValueInList(BACKENDS))
    return "accepted"


def change_text(source, content):
    """Return content with one thing changed, left out, or moved."""
    places = hostile.places(content)
    if not places:
        return content
    place = source.PickValueInList(places)
    value = hostile.at(content, place)
    kind = source.ConsumeIntInRange(0, 6)
    if kind == 0:
        return hostile.without(content, place)
    if kind == 1 and isinstance(value, list):
        return hostile.changed(
            content,
            place,
            [*hostile.LISTS.values()][source.ConsumeIntInRange(0, len(hostile.LISTS) - 1)](value),
        )
    if kind == 2:
        other = source.PickValueInList(places)
        return hostile.changed(content, place, copy.deepcopy(hostile.at(content, other)))
    drawn = {
        3: lambda: source.ConsumeInt(source.ConsumeIntInRange(1, 10)),
        4: source.ConsumeFloat,
        5: lambda: source.ConsumeUnicode(20),
    }
    value = drawn[kind]() if kind in drawn else source.PickValueInList([*hostile.VALUES])
    return hostile.changed(content, place, value)


def change_tensor(source, tensors):
    """Change an array's shape, dtype, values or name."""
    if not tensors:
        return
    name = source.PickValueInList(sorted(tensors))
    array = tensors.pop(name)
    kind = source.ConsumeIntInRange(0, 5)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        if kind == 0:
            array = np.resize(array, [source.ConsumeIntInRange(0, 40) for _ in array.shape])
        elif kind == 1:
            array = array.astype(source.PickValueInList([*DTYPES]))
        elif kind == 2 and array.size:
            array = array.copy()
            place = source.ConsumeIntInRange(0, array.size - 1)
            number = source.ConsumeFloat()
            if array.dtype.kind != "f":
                number = source.ConsumeIntInRange(0, 1)
            array.flat[place] = number
        elif kind == 3:
            array = array.reshape(array.shape[::-1])
        elif kind == 4:
            name = source.ConsumeUnicodeNoSurrogates(10)
        else:
            return
    tensors[name] = np.ascontiguousarray(array).reshape(array.shape)


def use(model, X, y, backend):
    """Do what one does with a loaded model; only what is documented may be raised."""
    with fastnn.use_backend(backend):
        for n in (1, 8, len(X)):
            documented(lambda n=n: predict(model, X[:n]))
        if hasattr(model, "evaluate"):
            documented(lambda: model.evaluate(X, y))
            documented(lambda: model.layer_outputs(X))
        model.save(FOLDER / "again")
        fastnn.load(FOLDER / "again")
        going_on = {"warm_start": True} if hasattr(model, "warm_start") else {}
        documented(lambda: model.set_params(max_iter=1, **going_on).fit(X, y))
        documented(lambda: model.save(FOLDER / "again"))


def predict(model, X):
    """Predict for each sample; an input_scale may be so large that X is refused."""
    assert len(model.predict(X)) == len(X)


def documented(action):
    """Do something that may say that an argument is wrong."""
    with contextlib.suppress(ValueError):
        action()


def compile_kernels():
    """Use the honest models: Numba's first compilation would pass for an input that hangs."""
    for content, tensors, X, y in MODELS:
        for backend in BACKENDS:
            hostile.write(FOLDER / "honest", content, tensors)
            use(fastnn.load(FOLDER / "honest"), X, y, backend)


if __name__ == "__main__":
    compile_kernels()
    run("load", try_one, [bytes([i]) * 40 for i in range(0, 256, 5)])
