"""scikit-learn's scalers as differences and products, from a pipeline with a network behind."""

from typing import Any

import numpy as np

from .plain import Scaler

NAMES = "StandardScaler, MinMaxScaler or MaxAbsScaler"
ELSE = (
    "what has other steps goes to ONNX by skl2onnx, after fastnn.export.register_converters(), and "
    "its network alone, pipeline[-1], anywhere"
)


def scalers_of(pipeline: Any) -> tuple[Scaler, ...]:
    """Return what the steps of a pipeline before the last do to the inputs.

    Raises
    ------
    ValueError
        If a step is no scaler, or is not fitted.
    """
    found = [_scaler(name, step) for name, step in pipeline.steps[:-1]]
    return tuple(scaler for scaler in found if scaler is not None)


def _scaler(name: str, step: Any) -> Scaler | None:
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return None
    kind = type(step).__name__
    make = _SCALERS.get(kind)
    if make is None or not type(step).__module__.startswith("sklearn."):
        raise ValueError(f"model: step {name!r} of the pipeline, {kind}: expected {NAMES}; {ELSE}")
    if not hasattr(step, "n_features_in_"):
        raise ValueError(f"model: step {name!r} of the pipeline, {kind}, is not fitted yet")
    return make(step)


def _standard(step: Any) -> Scaler:
    n = step.n_features_in_
    offset = np.zeros(n) if step.mean_ is None or not step.with_mean else step.mean_
    factor = np.ones(n) if step.scale_ is None else 1 / step.scale_
    return Scaler(np.asarray(offset, float), np.asarray(factor, float))


def _min_max(step: Any) -> Scaler:
    # x scale + min, written so that large x lose no digits
    low, high = step.feature_range
    offset = np.asarray(-step.min_ / step.scale_, float)
    return Scaler(offset, step.scale_, (float(low), float(high)) if step.clip else None)


def _max_abs(step: Any) -> Scaler:
    limits = (-1.0, 1.0) if getattr(step, "clip", False) else None
    return Scaler(np.zeros(step.n_features_in_), 1 / step.scale_, limits)


_SCALERS = {"StandardScaler": _standard, "MinMaxScaler": _min_max, "MaxAbsScaler": _max_abs}
