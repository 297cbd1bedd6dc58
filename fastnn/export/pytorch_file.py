"""A network for PyTorch: a state_dict in safetensors, and the lines that load it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .folded import folded
from .forward import Results, forward, results_of
from .plain import Layer, PlainNetwork
from .verified import Exported, begin

# torch.nn's name of an activation, and how its number is called there.
MODULES = {
    "identity": ("Identity", ""),
    "sigmoid": ("Sigmoid", ""),
    "tanh": ("Tanh", ""),
    "softsign": ("Softsign", ""),
    "relu": ("ReLU", ""),
    "softmax": ("Softmax", ""),
    "softplus": ("Softplus", ""),
    "leaky_relu": ("LeakyReLU", "negative_slope"),
    "elu": ("ELU", "alpha"),
    "selu": ("SELU", ""),
    "gelu": ("GELU", ""),
    "silu": ("SiLU", ""),
}


def to_pytorch(
    model: Any,
    path: str | Path,
    *,
    samples: ArrayLike | None = None,
    input_dtype: Any = None,
    seed: int = 0,
    tolerance: float | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write a fitted estimator, or a pipeline of scalers that ends in one, for PyTorch.

    The file is the state_dict of a `torch.nn.Sequential`; the lines that make and load it are in
    the details of what is returned, and in the file's metadata. PyTorch is not needed to write
    them. Scalers and `input_scale` become part of the first layer.

    Parameters
    ----------
    model, samples, input_dtype, seed, tolerance, overwrite
        See `verified.begin`.
    path : str or Path
        Of a safetensors file.

    Returns
    -------
    Exported
        In its details: "lines", a program of PyTorch.

    Raises
    ------
    ValueError
        If an argument is wrong, or PyTorch has no module for an activation ("sign",
        "exponential").
    OSError
        If the file cannot be written; FileExistsError if it is there.
    """
    from safetensors.numpy import save

    export = begin(
        model,
        path,
        samples=samples,
        input_dtype=input_dtype,
        seed=seed,
        tolerance=tolerance,
        overwrite=overwrite,
    )
    plain = folded(export.plain, scale=True)
    modules, places = _modules(plain)
    tensors = {}
    for place, layer in zip(places, plain.layers, strict=True):
        tensors[f"{place}.weight"] = np.ascontiguousarray(layer.weights.T)
        tensors[f"{place}.bias"] = layer.bias
    lines = _lines(plain, modules, Path(path).name)
    content = save(tensors, {"format": "pt", "lines": lines})

    def run(part: Path, X: NDArray) -> Results:
        return results_of(plain, forward(_read(plain, places, part), X))

    return export.finish(content, run, lines=lines)


def _modules(plain: PlainNetwork) -> tuple[list[str], list[int]]:
    """Return the modules of a Sequential, as Python writes them, and where dense layers stand."""
    modules: list[str] = []
    places = []
    for number, layer in enumerate(plain.layers, 1):
        places.append(len(modules))
        modules.append(f"Linear({len(layer.weights)}, {len(layer.bias)})")
        if layer.activation != "identity":
            modules.append(_activation(number, layer))
        if layer.dropout:
            modules.append(f"Dropout({layer.dropout!r})")
    return modules, places


def _activation(number: int, layer: Layer) -> str:
    if layer.activation not in MODULES:
        raise ValueError(f"layer {number}, {layer.activation}: no module of PyTorch is known")
    name, parameter = MODULES[layer.activation]
    if layer.activation == "softmax":
        return "Softmax(dim=1)"
    return f"{name}({parameter}={layer.parameter!r})" if parameter else f"{name}()"


def _lines(plain: PlainNetwork, modules: list[str], name: str) -> str:
    """Return the program that loads the file."""
    inner = "".join(f"    nn.{module},\n" for module in modules)
    double = ".double()" if plain.dtype == np.float64 else ""
    return (
        "from safetensors.torch import load_file\n"
        "from torch import nn\n\n"
        f"model = nn.Sequential(\n{inner}){double}\n"
        f"model.load_state_dict(load_file({name!r}))\n"
        "model.eval()\n"
    )


def _read(plain: PlainNetwork, places: list[int], path: Path) -> PlainNetwork:
    """Return the network with the weights that stand in a file."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    layers = tuple(
        layer._replace(weights=tensors[f"{place}.weight"].T, bias=tensors[f"{place}.bias"])
        for place, layer in zip(places, plain.layers, strict=True)
    )
    return replace(plain, layers=layers)
