"""A network for Keras: a `.keras` file, or the weights of a model that is there."""

from dataclasses import replace
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .folded import folded
from .forward import Results, forward, results_of
from .keras_format import KerasFile, pack
from .keras_names import (
    ACTIVATION_LAYERS,
    ACTIVATION_NAMES,
    FUNCTION_PARAMETERS,
    loss_for,
    serialized,
)
from .plain import NUMBERS, Layer, PlainNetwork, Training
from .verified import TOLERANCES, Export, Exported, begin, difference_of

KERAS_VERSION = "3.0.0"  # whose format this is


def to_keras(
    model: Any,
    path: str | Path,
    *,
    samples: ArrayLike | None = None,
    input_dtype: Any = None,
    seed: int = 0,
    tolerance: float | None = None,
    overwrite: bool = False,
    with_keras: bool = False,
) -> Exported:
    """Write a fitted estimator, or a pipeline of scalers that ends in one, as a `.keras` file.

    `keras.models.load_model` makes a `Sequential` of it, in its safe mode. It is compiled, with
    the optimizer's state, where Keras has the loss and the optimizer: adam, adamw (its epsilon that
    of the next step), adamw_keras, sgd with and
    without momentum, and no penalties. Keras is not needed to write it. scikit-learn's scalers
    become part of the first layer.

    Parameters
    ----------
    model, samples, input_dtype, seed, tolerance, overwrite
        See `verified.begin`.
    path : str or Path
        Keras loads files whose name ends in ".keras".
    with_keras : bool, default False
        Whether Keras is imported to run the file on the samples, too; NumPy does in any case.

    Returns
    -------
    Exported
        In its details: "compiled", whether there is a loss and an optimizer.

    Raises
    ------
    ValueError
        If an argument is wrong, or Keras has no such activation ("sign").
    OSError
        If the file cannot be written; FileExistsError if it is there.
    ImportError
        If h5py is missing: `pip install 'fastnn[keras]'`.
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
    plain = folded(export.plain, scale=False)
    config, arrays = sequential(plain)
    content = pack(config, {"keras_version": KERAS_VERSION, "date_saved": ""}, arrays)

    def run(part: Path, X: NDArray) -> Results:
        if with_keras:
            _run_with_keras(export, plain, content)
        return results_of(plain, forward(_read(plain, part), X))

    return export.finish(content, run, compiled="compile_config" in config)


def set_keras_weights(
    model: Any, keras_model: Any, *, samples: ArrayLike | None = None, tolerance: float = 1e-4
) -> float:
    """Give the dense layers of a Keras model the weights and biases of a fitted estimator.

    Parameters
    ----------
    model : estimator
    keras_model : keras.Model
        Built, with as many layers that have weights, of the same shapes.
    samples : (n_samples, n_features), optional
        On which both are compared; by default some are drawn.
    tolerance : float, default 1e-4
        The largest difference.

    Returns
    -------
    float
        The largest difference.

    Raises
    ------
    ValueError
        If shapes do not fit, or the outputs differ by more: then the Keras model is as it was.
    """
    export = begin(model, "", samples=samples, tolerance=tolerance, overwrite=True)
    plain = folded(export.plain, scale=False)
    found = [layer for layer in keras_model.layers if layer.get_weights()]
    before = [layer.get_weights() for layer in found]
    wanted = [[layer.weights, layer.bias] for layer in plain.layers]
    shapes = [[np.shape(array) for array in arrays] for arrays in before]
    if shapes != [[array.shape for array in arrays] for arrays in wanted]:
        expected = [array.shape for arrays in wanted for array in arrays]
        raise ValueError(f"keras_model: expected weights of shapes {expected}, got {shapes}")
    try:
        for layer, arrays in zip(found, wanted, strict=True):
            layer.set_weights(arrays)
        outputs = np.asarray(keras_model.predict(export.X, verbose=0), plain.dtype)
        expected_outputs = forward(plain, export.X)
        difference = difference_of(expected_outputs, outputs.reshape(expected_outputs.shape))
        if not difference <= tolerance:
            raise ValueError(
                f"keras_model: with these weights it differs from the model by {difference:.3g}; "
                f"expected at most tolerance={tolerance:g}. It has its own again"
            )
    except BaseException:  # also of other outputs, or Ctrl-C
        for layer, arrays in zip(found, before, strict=True):
            layer.set_weights(arrays)
        raise
    return difference


def sequential(plain: PlainNetwork) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Return what a `.keras` file says of a network, and its arrays by their paths."""
    shape = [None, plain.sizes[0]]
    given = {"batch_shape": shape, "dtype": plain.dtype.name, "name": "input_layer"}
    layers = [serialized("keras.layers", "InputLayer", given)]
    arrays: dict[str, NDArray] = {}
    counts: dict[str, int] = {}

    def add(kind: str, stem: str, **config: Any) -> str:
        number = counts.get(stem, 0)
        counts[stem] = number + 1
        name = f"{stem}_{number}" if number else stem
        own = {"name": name, "trainable": True, "dtype": plain.dtype.name}
        layers.append(serialized("keras.layers", kind, own | config))
        return f"layers/{name}"

    if plain.input_scale != 1:
        add("Rescaling", "rescaling", scale=plain.input_scale, offset=0.0)
    for number, layer in enumerate(plain.layers, 1):
        function = _function(number, layer)
        path = add("Dense", "dense", units=len(layer.bias), activation=function or "linear")
        arrays |= {f"{path}/vars/0": layer.weights, f"{path}/vars/1": layer.bias}
        if function is None:
            kind, parameter = ACTIVATION_LAYERS[layer.activation]
            stem = {"LeakyReLU": "leaky_re_lu"}.get(kind, kind.lower())
            add(kind, stem, **{parameter: layer.parameter})
        if layer.dropout:
            path = add("Dropout", "dropout", rate=layer.dropout)
            arrays[f"{path}/seed_generator/vars/0"] = np.array([number, 0], np.uint32)
    own = {"name": "sequential", "trainable": True, "layers": layers, "build_input_shape": shape}
    config = {**serialized("keras", "Sequential", own), "build_config": {"input_shape": shape}}
    compiled = None if plain.training is None else _compiled(plain, plain.training)
    if compiled is not None:
        config["compile_config"] = compiled[0]
        arrays |= {f"optimizer/vars/{i}": array for i, array in enumerate(compiled[1])}
    return config, arrays


def _function(number: int, layer: Layer) -> str | None:
    """Return the name of Keras's function, None if its number needs a layer."""
    if layer.activation not in ACTIVATION_NAMES:
        raise ValueError(f"layer {number}, {layer.activation}: no activation of Keras is known")
    if layer.activation == "leaky_relu" and layer.parameter < 0:
        raise ValueError(f"layer {number}, leaky_relu: Keras has no negative_slope below 0")
    if layer.parameter != FUNCTION_PARAMETERS.get(layer.activation, 0.0):
        if layer.activation not in ACTIVATION_LAYERS:
            raise ValueError(
                f"layer {number}, {layer.activation}: no layer of Keras is known for its number"
            )
        return None
    return ACTIVATION_NAMES[layer.activation]


def _compiled(
    plain: PlainNetwork, training: Training
) -> tuple[dict[str, Any], list[NDArray]] | None:
    """Return loss and optimizer with its variables; None if Keras has not both."""
    loss = loss_for(training.loss, training.loss_parameter)
    numbers, rate = training.numbers, training.numbers["learning_rate_init"]
    solver, moments = training.solver, training.moments
    has_more = any(numbers.get(name, 0) != 0 for name in ("alpha", "l1", "max_norm"))
    if loss is None or has_more or solver in ("rmsprop", "nadam", "lbfgs"):
        return None
    # fastnn's gradient is that of Keras times the factor: see `imports.aims`.
    factor = float(plain.sizes[-1]) if loss.is_mean else 1.0
    if training.loss == "half_squared_error":
        factor /= 2
    if solver in ("adam", "adamw", "adamw_keras"):
        name = "Adam" if solver == "adam" else "AdamW"
        own = {name: numbers[name] for name in ("beta_1", "beta_2")}
        own |= {"learning_rate": rate, "epsilon": numbers["epsilon"] / factor}
        if name == "AdamW":
            own["weight_decay"] = numbers["weight_decay"]
        if solver == "adamw":  # its epsilon is corrected, as the mean square is: of the next step
            own["epsilon"] *= sqrt(1 - numbers["beta_2"] ** (training.step + 1))
        moments = moments / np.array([[factor], [factor**2]])
    else:
        momentum = numbers.get("momentum", 0.0)
        name, rate = "SGD", rate * factor
        own = {"learning_rate": rate, "momentum": momentum, "nesterov": solver == "nesterov"}
    arrays: list[Any] = [np.array(training.step, np.int64), np.array(rate, np.float32)]
    for parts in zip(*(plain.parts(row.astype(plain.dtype)) for row in moments), strict=True):
        arrays += [part for parts_of in zip(*parts, strict=True) for part in parts_of]
    given = {loss.parameter: training.loss_parameter} if loss.parameter else {}
    compiled = {
        "optimizer": serialized("keras.optimizers", name, own),
        "loss": serialized("keras.losses", loss.name, given),
        "metrics": None if plain.task == NUMBERS else ["accuracy"],
    }
    return compiled, arrays


def _read(plain: PlainNetwork, path: Path) -> PlainNetwork:
    """Return the network with the weights that stand in a file."""
    file, layers = KerasFile(path), []
    for number, layer in enumerate(plain.layers):
        place = f"layers/dense_{number}" if number else "layers/dense"
        weights, bias = (file.array(f"{place}/vars/{i}") for i in range(2))
        layers.append(layer._replace(weights=weights, bias=bias))
    return replace(plain, layers=tuple(layers))


def _run_with_keras(export: Export, plain: PlainNetwork, content: bytes) -> None:
    """Let Keras load the file and run it; ValueError if it does not give what the model gives."""
    import tempfile

    import keras

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.keras")
        path.write_bytes(content)
        loaded = keras.models.load_model(path)
    outputs = np.asarray(loaded.predict(export.X, verbose=0))
    if outputs.dtype == np.float32:  # JAX computes float64 in it
        export = replace(export, tolerance=max(export.tolerance, TOLERANCES["float32"]))
    outputs = outputs.astype(plain.dtype)
    export.difference(results_of(plain, outputs.reshape(len(export.X), -1)))
