"""The model card: what a fitted estimator is, what it was trained on, how, and by what."""

import platform
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from .parameters import shown
from .summary import layers_of, loss_of, summary_of

_MODULES = {"numpy": "numpy", "scikit-learn": "sklearn", "numba": "numba"}


def saved_by() -> dict[str, str]:
    """Return what a file says of the program that wrote it: versions, system and time (UTC)."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    loaded = {name: sys.modules.get(module) for name, module in _MODULES.items()}
    versions = {name: module.__version__ for name, module in loaded.items() if module is not None}
    return {**_program(), **versions, "time": now.replace("+00:00", "Z")}


@cache
def _program() -> dict[str, str]:
    try:
        own = version("fastnn")
    except PackageNotFoundError:  # run from its sources
        own = "not installed"
    system = f"{platform.system()} {platform.machine()}"
    return {"fastnn": own, "python": platform.python_version(), "system": system}


def is_saved_by(value: Any) -> bool:
    """Say whether a value is one that `saved_by` could return, here or in a later version."""
    return (
        isinstance(value, dict)
        and len(value) <= 20
        and all(isinstance(text, str) and len(text) <= 100 for text in value.values())
        and all(text.isprintable() for text in [*value, *value.values()])
    )


def card_of(model: Any, saved: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the card of a fitted estimator, in types that JSON has.

    Parameters
    ----------
    model : estimator
    saved : mapping, optional
        What its file says of the program that wrote it.

    Returns
    -------
    dict
        "class", "layers", "classes" (of a classifier), "parameters" (those that are not the
        default), "training" and, where they are known, "data" and "saved_by".
    """
    card: dict[str, Any] = {
        "class": type(model).__name__,
        "layers": [
            layer._asdict() | {"n_parameters": layer.n_parameters} for layer in layers_of(model)
        ],
    }
    if hasattr(model, "classes_"):
        card["classes"] = np.asarray(model.classes_).tolist()
    card["parameters"] = _changed(model)
    card["training"] = _training(model)
    if data := getattr(model, "data_fingerprint_", None):
        card["data"] = {name: _table(**of) for name, of in data.items()}
    if saved:
        card["saved_by"] = dict(saved)
    return card


def text_of(model: Any, saved: Mapping[str, str] | None = None) -> str:
    """Return the card of a fitted estimator as lines for a reader."""
    card = card_of(model, saved)
    lines = [card["class"], summary_of(model)]
    if "classes" in card:
        lines.append(f"classes: {shown(card['classes'])}")
    sections = ("parameters", "training", "data", "saved_by")
    for section in (name for name in sections if card.get(name)):
        items = card[section]
        width = max(map(len, items))
        lines += ["", section.replace("_", " ")]
        lines += [f"  {name.ljust(width)}  {_line(name, value)}" for name, value in items.items()]
    return "\n".join(lines)


def _changed(model: Any) -> dict[str, str]:
    """Return the hyper-parameters that are not the default, as Python writes them."""
    default = type(model)().get_params(deep=False)
    given = model.get_params(deep=False)
    return {name: shown(v) for name, v in given.items() if shown(v) != shown(default[name])}


def _training(model: Any) -> dict[str, Any]:
    """Return how the training went; what an older file does not say is left out."""
    own = vars(model)
    solver = own.get("solver_state_")
    curve = own.get("loss_curve_", ())
    found: dict[str, Any] = {
        "back end": model.backend_,
        "epochs": getattr(model, "n_epochs_", own.get("_epoch", model.n_iter_)),
        "steps": None if solver is None else solver.step,
        "seconds": own.get("fit_time_"),
        "seed": own.get("_seed") if solver is None else solver.seed,
        "loss": loss_of(model.network_) if "network_" in own else None,
        "first loss": float(curve[0]) if len(curve) else None,
        "last loss": float(curve[-1]) if len(curve) else None,
        "best loss": own.get("best_loss_"),
        "best validation score": own.get("best_validation_score_"),
        "stopped by": own.get("stop_reason_"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _table(shape: tuple[int, ...], dtype: str, sha256: str) -> dict[str, Any]:
    """Return what is known of X or y; strings are strings, however long the longest is."""
    dtype = "str" if dtype.startswith("str") else dtype
    return {"shape": list(shape), "dtype": dtype, "sha256": sha256}


def _line(name: str, value: Any) -> str:
    if isinstance(value, dict):
        shape = " x ".join(f"{n:,}" for n in value["shape"])
        return f"{shape} {value['dtype']}, sha256 {value['sha256'][:16]}..."
    if isinstance(value, (int, float)):
        count = "d" if name == "seed" else ","
        return format(value, count if isinstance(value, int) else ".6g")
    return value if value.isprintable() else repr(value)  # a file may say anything
