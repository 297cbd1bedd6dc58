"""Proof that what is timed is right.

A back end trains a part of the workload and is compared with plain Python: parameters, optimizer
state (Adam's steps hide the size of a gradient, its state does not), losses and gradient. What
any peer returns for the whole run is compared with what a back end so proven returns.
"""

from dataclasses import replace
from functools import cache

import numpy as np

import fastnn

from .peers import with_fastnn
from .workloads import Workload, load, smaller

# Largest difference from plain Python, relative to the largest value of a vector.
TRAINING = {"float64": 1e-9, "float32": 1e-4}
GRADIENT = {"float64": 1e-12, "float32": 1e-5}
# Where a gradient is almost 0, Adam's step is rounding divided by rounding: of very many parameters
# one is further off.
MANY_PARAMETERS = 500_000

# What plain Python works off for the proof: epochs of XOR, calls, or samples.
AMOUNTS = {"many": 3, "xor": 2000, "train": 64, "predict": 10, "gradient": 1, "linear": 2000}


class WrongResult(AssertionError):
    """A benchmark's result is not what it should be."""


def check_backend(workload: Workload, backend: str, n_threads: int) -> float:
    """Return a back end's largest difference from plain Python; `WrongResult` if too large."""
    key = workload.data if workload.data in AMOUNTS else workload.task
    if workload.networks > 1:
        key = "many"
        less = {"epochs": 500} if workload.data == "xor" else {"epochs": 1, "samples": 12}
        workload = replace(workload, **less)
    amount = AMOUNTS[key] if workload.flops < 3e6 else AMOUNTS[key] // 4
    small = smaller(workload, max(amount, workload.sizes[-1]))
    found = [(_trained(small, backend, n_threads), _trained(small, "python", 1), TRAINING)]
    if workload.task in ("train", "gradient"):
        found.append((_gradient(small, backend), _gradient(small, "python"), GRADIENT))
    largest = 0.0
    for values, reference, tolerance in found:
        for name, expected in reference.items():
            difference = relative_difference(values[name], expected)
            largest = max(largest, difference)
            allowed = tolerance[workload.dtype]
            if name == "parameters":
                allowed *= max(1, expected.size / MANY_PARAMETERS)
            if not difference <= allowed:
                raise WrongResult(
                    f"{workload.name} on {backend}: {name} differ from plain Python's by "
                    f"{difference:.2g} of the largest; {allowed:.2g} is allowed"
                )
    return largest


def check_peer(workload: Workload, peer: str, result: float, n_threads: int) -> float:
    """Return the difference of a peer's result from fastnn's; `WrongResult` if too large."""
    if peer == "sgemm":  # only the products of a training
        return 0.0
    expected = _expected(workload, n_threads)
    difference = abs(result - expected) / abs(expected)
    allowed = 0.1  # shuffles and dropout masks of its own
    if workload.samples is not None and workload.samples < 20 * workload.batch_size:
        allowed = 0.2  # the loss of a few steps depends more on their order
    if peer == "kann" or (peer == "sklearn" and workload.dropout):
        allowed = 0.3  # it has an optimizer of its own; it has no dropout
    if workload.networks > 1:
        allowed = 0.1 if peer in ("jax", "pytorch") else 1e-6  # weights of their own
    elif peer == "fann" and workload.data == "xor":
        allowed = 0.1  # it keeps outputs off 0 and 1 where it forms a slope
    elif workload.data == "xor":
        allowed = 1e-6
    elif workload.task == "gradient":
        allowed = 1e-4
    elif workload.task != "train":
        allowed = 0.02
    if not difference <= allowed:
        raise WrongResult(
            f"{workload.name} by {peer}: got {result:.6g}, expected {expected:.6g} to {allowed:.2g}"
        )
    return difference


def relative_difference(values, reference) -> float:
    """Return the largest difference, relative to the largest value of the reference."""
    scale = np.abs(reference).max() or 1.0
    return float(np.abs(np.asarray(values, float) - reference).max() / scale)


@cache
def _expected(workload: Workload, n_threads: int) -> float:
    with fastnn.use_backend(fastnn.get_backend()):
        return with_fastnn.prepare(workload, fastnn.get_backend(), n_threads)()


@cache
def _trained(workload: Workload, backend: str, n_threads: int) -> dict:
    X, y = load(workload)
    with fastnn.use_backend(backend):
        if workload.task == "gradient":
            return {}
        if workload.task in ("perceptron", "delta-rule"):
            model = with_fastnn.make_single_layer(workload).fit(X, y)
            return {"weights": np.append(model.coef_, model.intercept_)}
        if workload.networks > 1:
            model = with_fastnn.make_model(workload, n_threads)
            models = with_fastnn.train_many(workload, X, y, model)
            return {"parameters": np.stack([model.params_ for model in models])}
        start = with_fastnn.start_of(workload)
        model = with_fastnn.make_model(workload, n_threads)
        if workload.task == "predict":
            with_fastnn.keep_weights(model, X, y, start)
            X = X[: workload.epochs]
            return {"outputs": np.vstack([model.predict_proba(x[np.newaxis]) for x in X])}
        model.fit(X, y, **start)
        state = {f"moments {i + 1}": m for i, m in enumerate(model.solver_state_.moments)}
        return {"parameters": model.params_, **state, "losses": model.loss_curve_}


@cache
def _gradient(workload: Workload, backend: str) -> dict:
    small = workload if workload.data == "xor" else smaller_batch(workload)
    return {"gradients": with_fastnn.gradient(small, *load(small), backend)[1]}


def smaller_batch(workload: Workload) -> Workload:
    """Return the same with batches of 8 at most: plain Python takes its time."""
    return replace(workload, batch_size=min(8, workload.batch_size))
