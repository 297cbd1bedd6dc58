"""Activations and what they do to boundaries and curves: systems 16, 17 and 18."""

import numpy as np

import fastnn
from fastnn.backends import use_backend

from ..s16_activations import SLOPES, output
from .numbers import num, products, row, signed
from .records import (
    Embedded,
    Live,
    Numbers,
    Pick,
    Play,
    Select,
    Settings,
    Slider,
    Step,
    line,
    panel,
)

NAMES = ("sigmoid", "tanh", "softsign", "relu", "purelin", "sign")
# A small network for the worked steps: two inputs, three ReLU units, one output.
W1 = np.array([[1.0, -1.0, 0.5], [0.5, 1.0, -1.0]])
B1, W2, B2 = np.array([0.0, 0.5, 0.2]), np.array([[1.0], [-1.0], [0.5]]), np.array([-0.3])


def small(activation="relu", weights=(W1, B1, W2, B2)):
    """Return a network of one hidden layer with given parameters."""
    w1, b1, w2, b2 = map(np.asarray, weights)
    model = fastnn.MLPRegressor((len(b1),), activation, out_activation="identity", max_iter=0)
    first = {"coefs_init": [w1, w2], "intercepts_init": [b1, b2]}
    return model.fit(np.zeros((1, len(w1))), [0.0], **first)


def worked_activations():
    steps, z = [], np.array([-2.0, 0.0, 2.0])
    with use_backend("python"):
        values = {name: output(name, z) for name in NAMES[:4]}
    s, t, g, r = values.values()
    for x, y in zip(z, s, strict=True):
        steps.append(Step("2.8", rf"f({num(x)}) = \frac{{1}}{{1 + e^{{{num(-x)}}}}} = {num(y)}"))
        slope = rf"f'({num(x)}) = {num(y)} \cdot (1 - {num(y)}) = {num(y * (1 - y))}"
        steps.append(Step("2.16", slope))
    steps.append(Step("2.9", rf"f(2) = {num(t[2])}, \quad f'(2) = 1 - {num(t[2])}^2"
                             rf" = {num(1 - t[2] ** 2)}"))  # fmt: skip
    slope = rf"f'(2) = \frac{{1}}{{(1 + 2)^2}} = {num((1 - g[2]) ** 2)}"
    steps.append(Step("2.10", rf"f(2) = \frac{{2}}{{1 + 2}} = {num(g[2])}, \quad {slope}"))
    steps.append(Step("2.11", rf"f(-2) = {num(r[0])}, \quad f'(-2) = 0; \quad"
                              rf" f(2) = {num(r[2])}, \quad f'(2) = 1"))  # fmt: skip
    return steps


def draw_activations(activation, weight, bias):
    x = np.linspace(-6, 6, 241)
    z = weight * x + bias
    y = output(activation, z)
    slope = weight * SLOPES[activation](z, y)
    marks = line(x, y, "f(w x + b)", 0), line(x, slope, "slope", 3, dashed=True)
    return [panel(*marks, x="x", y="y", ylim=(-2.2, 2.2))]


def slope_at(name, x):
    x = np.array([x])
    return float(SLOPES[name](x, output(name, x))[0])


def worked_regions():
    steps, model = [], None
    for x in (np.array([1.0, 1.0]), np.array([-1.0, 1.0])):
        with use_backend("python"):
            model = small()
            hidden, last = (layer[0] for layer in model.layer_outputs(x[np.newaxis]))
        sums = x @ W1 + B1
        steps.append(Step("2.12", rf"x = {row(x)}: \quad net^1 = {row(sums)}"))
        steps.append(Step("2.11", rf"y^1 = \max(0, net^1) = {row(hidden)}"))
        on = hidden > 0
        total = products(W2[on, 0], hidden[on]) + f" + {signed(B2[0])}"
        steps.append(Step("2.14", rf"y^2 = {total} = {num(last[0])}"))
        straight = W1[:, on] @ W2[on, 0]
        constant = B1[on] @ W2[on, 0] + B2[0]
        formula = rf"{num(straight[0])}\,x_1 + {signed(straight[1])}\,x_2 + {signed(constant)}"
        steps.append(Step("2.14", rf"y^2 = {formula}"))
    return steps


def disc(seed=0):
    """Return the data of system 17."""
    X = np.random.default_rng(seed).normal(size=(400, 2))
    return X, (np.hypot(*X.T) < 1).astype(int)


def judge_regions(layers, units):
    X, y = disc()
    model = fastnn.MLPClassifier(
        (units,) * layers, "relu", learning_rate_init=0.01, max_iter=200, tol=None,
        random_state=0, verbose=False,
    ).fit(X, y)  # fmt: skip
    accuracy = model.score(X, y)
    n_units = layers * units
    return bool(accuracy >= 0.95 and n_units <= 10), {"accuracy": accuracy, "units": n_units}


def worked_curves():
    w1, b1, w2, b2 = [[2.0, -2.0]], [-0.5, -0.5], [[1.0], [1.0]], [-0.1]
    steps = []
    for j in (0, 1):
        bend = -b1[j] / w1[0][j]
        steps.append(
            Step("2.12", rf"{num(w1[0][j])}\,x + {signed(b1[j])} = 0 \iff x = {num(bend)}")
        )
    with use_backend("python"):
        model = small("relu", (w1, b1, w2, b2))
        for x in (-0.5, 0.0, 0.25, 0.5):
            hidden, last = (layer[0] for layer in model.layer_outputs([[x]]))
            total = products(np.ravel(w2), hidden) + f" + {signed(b2[0])}"
            steps.append(Step("2.14", rf"x = {num(x)}: \quad y^1 = {row(hidden)}, \quad"
                                      rf" y^2 = {total} = {num(last[0])}"))  # fmt: skip
    return steps


def judge_curves(units):
    rng = np.random.default_rng(0)
    x = np.linspace(-0.5, 0.5, 200)[:, np.newaxis]
    y = x[:, 0] ** 2 + rng.normal(0, 0.02, 200)
    model = fastnn.MLPRegressor(
        (units,), "relu", learning_rate_init=0.01, max_iter=500, tol=None, random_state=0,
        verbose=False,
    ).fit(x, y)  # fmt: skip
    r2 = model.score(x, y)
    return bool(r2 >= 0.9), {"R^2": r2}


PLAYS = {
    "activations": Play(
        worked_activations,
        Live(
            (
                Select("activation", NAMES, "sigmoid"),
                Slider("weight", -3, 3, 0.25, 1),
                Slider("bias", -3, 3, 0.25, 0),
            ),
            draw_activations,
        ),
        (
            Numbers(lambda: [slope_at("sigmoid", 0.0)]),
            Numbers(lambda: [float(output("softsign", np.array([3.0]))[0])]),
            Pick(lambda: [slope_at(name, -2.0) for name in NAMES[:4]].index(0.0)),
        ),
    ),
    "regions": Play(
        worked_regions,
        Embedded(
            "data=disc&hidden=5,5&act=relu&solver=adam&lr=0.01&batch=32&epoch=400",
            "epoch,act,hidden",
        ),
        (
            Settings(
                (Slider("layers", 1, 4, 1, 1), Slider("units", 1, 8, 1, 1)),
                judge_regions,
                {"layers": 2, "units": 5},
                {"layers": 1, "units": 1},
            ),
            Numbers(lambda: [3.0], 0),
            Pick(lambda: 2),
        ),
    ),
    "curves": Play(
        worked_curves,
        Embedded(
            "data=parabola&hidden=10&act=relu&solver=adam&lr=0.01&batch=32&epoch=300",
            "epoch,act,hidden",
        ),
        (
            Numbers(lambda: [0.25], 0.001),
            Pick(lambda: 1),
            Settings((Slider("units", 1, 20, 1, 1),), judge_curves, {"units": 10}, {"units": 1}),
        ),
    ),
}
