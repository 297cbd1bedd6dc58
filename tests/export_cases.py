"""Networks of all kinds, and samples for them, for the tests of exports and imports."""

import numpy as np
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

import fastnn
from fastnn.backends.codes import ACTIVATIONS

HIDDEN = [row.name for row in ACTIVATIONS if not row.output_only]
STRICT_C = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SCALERS = {
    "standard": StandardScaler,
    "min_max": lambda: MinMaxScaler((-1, 2), clip=True),
    "max_abs": MaxAbsScaler,
}
LABELS = {
    "ints": np.array([3, -1, 7, 2]),
    "strings": np.array(["cat", "Hündin", 'a "q\\', "NAME_REAL"]),
    "floats": np.array([1.0, 2.0, 4.0, -3.0]),
    "bools": np.array([True, False]),
    "dates": np.array(["2026-11-29", "2026-01-01", "1999-12-31"], "datetime64[D]"),
}
# What a network learns, its loss and its outputs.
TASKS = {
    "binary": ("auto", "auto"),
    "binary_hinge": ("hinge", "tanh"),
    "binary_error": ("squared_error", "identity"),
    "classes": ("auto", "auto"),
    "classes_error": ("squared_error", "sigmoid"),
    "classes_hinge": ("hinge", "identity"),
    "labels": ("auto", "auto"),
    "flat": ("auto", "auto"),
    "numbers": ("auto", "softsign"),
    "counts": ("poisson", "exponential"),
    "one_class": ("auto", "auto"),
    "one_class_hinge": ("hinge", "identity"),
    "perceptron": (None, None),
    "perceptrons": (None, None),
    "linear": (None, None),
}


def examples(n):
    """Return the settings of a test that draws so many networks, the same in every run."""
    checks = list(HealthCheck)
    return settings(max_examples=n, deadline=None, derandomize=True, suppress_health_check=checks)


def targets(task, n, rng, labels="ints"):
    if task == "labels":
        return rng.integers(0, 2, (n, 3))
    if task in ("flat", "linear"):
        return rng.standard_normal(n)
    if task in ("numbers", "counts"):
        return rng.random((n, 2))
    n_classes = {"b": 2, "o": 1}.get(task[0], 2 if task == "perceptron" else 3)
    values = LABELS[labels][:n_classes]
    return values[np.arange(n) % len(values)]


def network(
    task="classes",
    hidden=(4,),
    activation="relu",
    dtype="float64",
    labels="ints",
    scaler=None,
    seed=0,
    n_features=3,
    input_scale=1.0,
    out_activation=None,
    is_bytes=False,
):
    """Return a network as its training finds it, or a pipeline that ends in one, and samples."""
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 256, (24, n_features)).astype(np.uint8)
    if not is_bytes:
        X = rng.standard_normal((24, n_features)) + 5 * (scaler is not None)
        X = X.astype(dtype)
    y = targets(task, len(X), rng, labels)
    quiet = {"verbose": False, "random_state": seed, "dtype": dtype}
    if task.startswith("perceptron"):
        model = fastnn.Perceptron(max_iter=3, **quiet)
    elif task == "linear":
        model = fastnn.LinearNetwork(max_iter=3, eta0=0.01, **quiet)
    else:
        loss, out = TASKS[task]
        kind = fastnn.MLPRegressor if task in ("flat", "numbers", "counts") else None
        model = (kind or fastnn.MLPClassifier)(
            hidden,
            activation,
            loss=loss,
            out_activation=out_activation or out,
            bias_init=0.1,
            input_scale=input_scale,
            max_iter=0,
            **quiet,
        )
    if scaler is not None:
        model = make_pipeline(SCALERS[scaler](), model)
    return model.fit(X, y), X


@st.composite
def networks(draw):
    """Draw a network of any kind, and samples for it."""
    hidden = draw(st.lists(st.integers(1, 9), max_size=3))
    activation = st.sampled_from([*HIDDEN, ("leaky_relu", -0.3), ("leaky_relu", 1.5), ("elu", 0.4)])
    scaler = draw(st.sampled_from([None, None, *SCALERS]))
    model, X = network(
        draw(st.sampled_from(list(TASKS))),
        tuple(hidden),
        [draw(activation) for _ in hidden],
        draw(st.sampled_from(["float32", "float64"])),
        draw(st.sampled_from(list(LABELS))),
        scaler,
        draw(st.integers(0, 2**16)),
        draw(st.integers(1, 7)),
        draw(st.sampled_from([1.0, 0.25, -0.5])),
    )
    last = model[-1] if isinstance(model, Pipeline) else model
    if hasattr(last, "layer_outputs"):  # exponentials of exponentials have no end
        inputs = model[:-1].transform(X) if last is not model else X
        assume(all(np.abs(outputs).max() < 1e4 for outputs in last.layer_outputs(inputs)))
    return model, X
