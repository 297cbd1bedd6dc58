"""Back-propagation: systems 7, 19 and 8."""

from itertools import pairwise

import numpy as np

import fastnn
from fastnn.backends import use_backend

from ..s19_vanishing_gradients import WIDTH
from .descent import kept_xor_network
from .numbers import matrix, num, products, row, signed
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
    bars,
    panel,
)

ACTIVATIONS = ("sigmoid", "tanh", "softsign", "relu", "purelin")
# A network small enough for a sheet of paper: two inputs, two hidden units, one output.
X, T, RATE = np.array([[1.0, 0.0]]), np.array([1.0]), 0.5
W1, B1 = np.array([[0.3, -0.2], [0.1, 0.4]]), np.array([0.0, 0.1])
W2, B2 = np.array([[0.5], [-0.3]]), np.array([0.2])


def one_step(activation, loss, x, t, first, rate, out="auto"):
    """Return layer outputs before a step of gradient descent, and parameters after it.

    Returns
    -------
    outputs : list of (n_units,)
    coefs : list of (n_in, n_out)
    intercepts : list of (n_out,)
    """
    weights, biases = first[::2], first[1::2]
    model = fastnn.MLPRegressor(
        tuple(len(b) for b in biases[:-1]),
        activation,
        out_activation=out,
        loss=loss,
        solver="sgd",
        momentum=0,
        learning_rate_init=rate,
        max_iter=0,
        tol=None,
        verbose=False,
    )
    start = {"coefs_init": weights, "intercepts_init": biases}
    with use_backend("python"):
        outputs = [layer[0] for layer in model.fit(x, t, **start).layer_outputs(x)]
        model.set_params(max_iter=1).fit(x, t, **start)
    return outputs, model.coefs_, model.intercepts_


def worked_xor():
    """Return a step of back-propagation; its deltas are what the biases moved by, per rate."""
    first = W1, B1, W2, B2
    outputs, coefs, intercepts = one_step(
        "sigmoid", "half_squared_error", X, T, first, RATE, "sigmoid"
    )
    x, (y1, y2), t = X[0], outputs, T[0]
    y = y2[0]
    delta1, delta2 = (intercepts[0] - B1) / RATE, (intercepts[1] - B2) / RATE
    d = delta2[0]
    dW1, dW2 = coefs[0] - W1, coefs[1] - W2
    steps = []
    for j in (0, 1):
        total = x @ W1[:, j] + B1[j]
        left = rf"net^1_{j + 1} = {products(W1[:, j], x)} + {signed(B1[j])} = {num(total)}"
        steps.append(Step("2.12", left))
        steps.append(Step("2.13", rf"y^1_{j + 1} = \frac{{1}}{{1 + e^{{{num(-total)}}}}}"
                                  rf" = {num(y1[j])}"))  # fmt: skip
    total = y1 @ W2[:, 0] + B2[0]
    steps += [
        Step("2.14", rf"net^2_1 = {products(W2[:, 0], y1)} + {signed(B2[0])} = {num(total)}"),
        Step("2.15", rf"y^2_1 = \frac{{1}}{{1 + e^{{{num(-total)}}}}} = {num(y)}"),
        Step("2.17", rf"E = \frac{{1}}{{2}} ({num(t)} - {num(y)})^2 = {num((t - y) ** 2 / 2)}"),
        Step("2.32", rf"\delta^2_1 = ({num(t)} - {num(y)}) \cdot {num(y)} \cdot (1 - {num(y)})"
                     rf" = {num(d)}"),
    ]  # fmt: skip
    for j in (0, 1):
        left = rf"\delta^1_{j + 1} = {num(d)} \cdot {signed(W2[j, 0])} \cdot {num(y1[j])}"
        steps.append(Step("2.33", rf"{left} \cdot (1 - {num(y1[j])}) = {num(delta1[j])}"))
    return [
        *steps,
        Step("2.34", rf"\Delta w^2_{{11}} = {num(RATE)} \cdot {num(d)} \cdot {num(y1[0])}"
                     rf" = {num(dW2[0, 0])}"),
        Step("2.35", rf"\Delta w^1_{{11}} = {num(RATE)} \cdot {signed(delta1[0])} \cdot"
                     rf" {num(x[0])} = {num(dW1[0, 0])}"),
        Step("2.39", rf"\Delta b^1 = {num(RATE)} \cdot {row(delta1)} = {row(RATE * delta1)}"),
        Step("2.40", rf"\Delta b^2 = {num(RATE)} \cdot {num(d)} = {num(RATE * d)}"),
        Step("2.43", rf"\delta^1 = {matrix([[d]])} {matrix(W2.T)} \circ {matrix([y1])} \circ"
                     rf" {matrix([1 - y1])} = {matrix([delta1])}"),
        Step("2.44", rf"\Delta W^2 = {num(RATE)} \cdot {matrix(np.transpose([y1]))}"
                     rf" {matrix([[d]])} = {matrix(dW2)}"),
        Step("2.46", rf"\Delta W^1 = {num(RATE)} \cdot {matrix(X.T)} {matrix([delta1])}"
                     rf" = {matrix(dW1)}"),
    ]  # fmt: skip


def delta_of_output(t, y):
    return (t - y) * y * (1 - y)


def judge_xor(rate, hidden):
    settings = {"learning_rate_init": rate, "max_iter": 10_000}
    model = kept_xor_network(hidden_layer_sizes=(hidden,), **settings)
    return bool(model.loss_ < 0.001), {"loss": float(model.loss_)}


def deltas(activation, layers, scale, tries=20):
    """Return the mean size of delta in each hidden layer, as in system 19."""
    rng, sizes = np.random.default_rng(0), [WIDTH] * (layers + 1) + [1]
    total = np.zeros(layers)
    model = fastnn.MLPRegressor(
        (WIDTH,) * layers, activation, solver="sgd", momentum=0, learning_rate_init=1.0,
        max_iter=1, tol=None, verbose=False,
    )  # fmt: skip
    for _ in range(tries):
        shapes = list(pairwise(sizes))
        first = {
            "coefs_init": [rng.normal(0, scale / m**0.5, (m, n)) for m, n in shapes],
            "intercepts_init": [np.zeros(n) for n in sizes[1:]],
        }
        model.fit(rng.normal(size=(1, WIDTH)), [10.0], **first)
        total += [np.abs(after).mean() for after in model.intercepts_[:-1]]
    return total / tries


def worked_vanishing():
    """Return the deltas of a chain of single sigmoid units, all weights 1."""
    n = 4
    first = [array for _ in range(n + 1) for array in (np.array([[1.0]]), np.array([0.0]))]
    outputs, _, intercepts = one_step(
        "sigmoid", "half_squared_error", [[0.0]], [2.0], first, 1.0, "identity"
    )
    sizes = [float(b[0]) for b in intercepts]
    steps = [Step("2.29", rf"\delta^{n + 1} = 2 - {num(outputs[-1][0])} = {num(sizes[-1])}")]
    for layer in reversed(range(n)):
        y = float(outputs[layer][0])
        left = rf"\delta^{layer + 1} = {num(sizes[layer + 1])} \cdot 1 \cdot {num(y)}"
        steps.append(Step("2.42", rf"{left} \cdot (1 - {num(y)}) = {num(sizes[layer])}"))
    return steps


def draw_vanishing(activation, layers, scale):
    sizes = deltas(activation, layers, scale, 10)
    labels = [str(layer) for layer in range(1, layers + 1)]
    return [panel(bars(labels, sizes, [0] * layers), x="hidden layer", y="mean |delta|", log=True)]


def judge_vanishing(activation, scale):
    sizes = deltas(activation, 10, scale)
    ratio = float(sizes[0] / sizes[-1]) if sizes[-1] else 0.0
    return activation != "purelin" and 0.1 < ratio < 10, {"ratio": ratio}


def worked_regression():
    first = [np.array([[1.0, -1.0]]), np.array([0.1, 0.1]), np.array([[0.5], [0.4]]),
             np.array([0.1])]  # fmt: skip
    x, t, rate = 0.5, -0.25, 0.1
    outputs, coefs, intercepts = one_step("relu", "sum_squared_error", [[x]], [t], first, rate)
    (y1, y2), (w1, b1, w2, b2) = outputs, first
    y = float(y2[0])
    delta1, delta2 = (intercepts[0] - b1) / rate, (intercepts[1] - b2) / rate
    d = float(delta2[0])
    return [
        Step("2.12", rf"net^1 = {num(x)} \cdot {row(w1[0])} + {row(b1)} = {row(x * w1[0] + b1)}"),
        Step("2.11", rf"y^1 = \max(0, net^1) = {row(y1)}"),
        Step("2.14", rf"y^2 = {products(w2[:, 0], y1)} + {num(b2[0])} = {num(y)}"),
        Step("2.29", rf"\delta^2 = 2\,(t - y) = 2 \cdot ({num(t)} - {num(y)}) = {num(d)}"),
        Step("2.28", rf"\delta^1 = {num(d)} \cdot {row(w2[:, 0])} \circ {row(y1 > 0)}"
                     rf" = {row(delta1)}"),
        Step("2.27", rf"\Delta w^2 = 0.1 \cdot {signed(d)} \cdot {row(y1)}"
                     rf" = {row((coefs[1] - w2)[:, 0])}"),
        Step("2.26", rf"\Delta w^1 = 0.1 \cdot {row(delta1)} \cdot {num(x)}"
                     rf" = {row((coefs[0] - w1)[0])}"),
        Step("2.39", rf"\Delta b^1 = 0.1 \cdot {row(delta1)} = {row(intercepts[0] - b1)}"),
    ]  # fmt: skip


def judge_regression(units, rate):
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 300)[:, np.newaxis]
    y = x[:, 0] ** 2 - 0.5 + rng.normal(0, 0.05, 300)
    model = fastnn.MLPRegressor(
        (units,), "relu", loss="sum_squared_error", solver="sgd", momentum=0,
        learning_rate_init=rate, batch_size="full", weight_init="normal", bias_init=0.1,
        max_iter=1000, tol=None, random_state=0, verbose=False,
    ).fit(x, y)  # fmt: skip
    return bool(model.loss_ < 0.004), {"loss": float(model.loss_)}


PLAYS = {
    "bp-xor": Play(
        worked_xor,
        Embedded(
            "data=xor&hidden=10&act=sigmoid&out=sigmoid&loss=half_squared_error&solver=sgd"
            "&momentum=0&lr=0.1&batch=0&init=uniform&epoch=20000",
            "epoch,lr,hidden",
        ),
        (
            Numbers(lambda: [delta_of_output(1, 0.8)], 0.001),
            Numbers(lambda: [delta_of_output(1, 0.8) * 0.5 * 0.6 * 0.4], 0.0001),
            Settings(
                (Select("rate", (0.01, 0.03, 0.1, 0.3, 1.0, 3.0), 0.1),
                 Slider("hidden", 1, 20, 1, 10)),
                judge_xor,
                {"rate": 3.0, "hidden": 10},
                {"rate": 0.1, "hidden": 10},
            ),
        ),
    ),
    "vanishing-gradients": Play(
        worked_vanishing,
        Live(
            (
                Select("activation", ACTIVATIONS, "sigmoid"),
                Slider("layers", 2, 12, 1, 10),
                Slider("scale", 0.5, 3, 0.1, 1),
            ),
            draw_vanishing,
        ),
        (
            Numbers(lambda: [0.25**4], 0.0002),
            Settings(
                (Select("activation", ACTIVATIONS, "sigmoid"),
                 Slider("scale", 0.5, 3, 0.1, 1)),
                judge_vanishing,
                {"activation": "relu", "scale": 1.4},
                {"activation": "sigmoid", "scale": 1},
            ),
            Pick(lambda: 1),
        ),
    ),
    "regression": Play(
        worked_regression,
        Embedded(
            "data=parabola&hidden=20&act=relu&loss=sum_squared_error&solver=sgd&momentum=0&lr=0.1"
            "&batch=0&init=normal&bias=0.1&epoch=1000",
            "epoch,lr,hidden",
        ),
        (
            Numbers(lambda: [2 * (0.1 - 0.3)]),
            Settings(
                (Slider("units", 1, 40, 1, 2), Select("rate", (0.01, 0.03, 0.1), 0.01)),
                judge_regression,
                {"units": 20, "rate": 0.1},
                {"units": 1, "rate": 0.01},
            ),
            Pick(lambda: 2),
        ),
    ),
}  # fmt: skip
