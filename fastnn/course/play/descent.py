"""Gradient descent: systems 14, 15, 12 and 13."""

import itertools
from functools import cache

import numpy as np

import fastnn
from fastnn.backends import use_backend

from ..s12_learning_rates import RATES
from ..s15_two_minima import gradient, loss
from .numbers import num, row, signed
from .records import Live, Numbers, Pick, Play, Select, Settings, Slider, Step, line, panel, points

LADDER = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001, 0.0003)
DEEP = np.array([-1.1, 0.0])


def descend(start, rate, steps):
    """Return w of each step of a network whose only parameter that moves is w: its loss is w^2."""
    path, model = [float(start)], fastnn.MLPRegressor(
        (),
        loss="sum_squared_error",
        solver="sgd",
        momentum=0,
        learning_rate_init=rate,
        batch_size="full",
        max_iter=steps,
        tol=None,
        verbose=False,
    )  # fmt: skip
    # The bias is w, and the input 0: so y = w, and t = 0.
    first = {"coefs_init": [[[0.0]]], "intercepts_init": [[start]]}
    model.fit([[0.0]], [0.0], **first, callbacks=[_Path(path)])
    return path


class _Path:
    """Keeps the parameter of every epoch."""

    def __init__(self, path):
        self.path = path

    def on_epoch_end(self, epoch):
        self.path.append(float(epoch.model.intercepts_[0][0]))


def worked_descent():
    steps = []
    with use_backend("python"):
        path = descend(-3, 0.2, 3) + descend(2, 0.2, 3)
    for w, after in (pair for part in (path[:4], path[4:]) for pair in itertools.pairwise(part)):
        steps.append(Step("2.2b", rf"\frac{{dE}}{{dw}} = 2w = 2 \cdot {signed(w)} = {num(2 * w)}"))
        steps.append(Step("2.7", rf"w = {num(w)} - 0.2 \cdot {signed(2 * w)} = {num(after)}"))
    return steps


def draw_descent(start, rate, steps):
    w = np.linspace(-4, 4, 81)
    path = np.clip(descend(start, rate, steps), -1e6, 1e6)
    near = np.array([start - 0.7, start + 0.7])
    tangent = start**2 + 2 * start * (near - start)
    return [
        panel(
            line(w, w**2, "loss", 0),
            line(near, tangent, "tangent", 1),
            line(path, path**2, "steps", 3, dots=True),
            x="w",
            y="loss",
            xlim=(-4.2, 4.2),
            ylim=(-1, 17),
        )
    ]


def judge_one_step(rate):
    after = descend(-3, rate, 1)[-1]
    return abs(after) < 1e-9, {"w": after}


def first_rate_that_stays():
    """Return the place, among four rates, of the first with which w does not come nearer to 0."""
    for place, rate in enumerate((0.3, 0.7, 1.0, 1.3)):
        if abs(descend(-3, rate, 50)[-1]) >= 3:
            return place
    raise RuntimeError("every rate converges")


def walk(w1, w2, rate, steps=60):
    """Return the points of gradient descent on the surface of system 15."""
    path = [np.array([w1, w2])]
    for _ in range(steps):
        path.append(path[-1] - rate * gradient(path[-1]))
    return np.array(path)


def worked_minima():
    start = np.array([-0.3, 1.6])
    slope = gradient(start)
    length, after = float(np.hypot(*slope)), start - 0.2 * slope
    aside = np.array([1e-6, 0.0])
    numeric = (loss(start + aside) - loss(start - aside)) / 2e-6
    unit = slope / length
    return [
        Step("2.3", rf"\frac{{\partial E}}{{\partial w_1}} \approx"
                    rf" \frac{{E(w_1 + 10^{{-6}}, w_2) - E(w_1 - 10^{{-6}}, w_2)}}"
                    rf"{{2 \cdot 10^{{-6}}}} = {num(numeric)}"),
        Step("2.5", rf"\operatorname{{grad}} E{row(start)} = {row(slope)}"),
        Step("2.6", rf"|\operatorname{{grad}} E| = \sqrt{{{signed(slope[0])}^2 +"
                    rf" {signed(slope[1])}^2}} = {num(length)}"),
        Step("2.4", rf"l = {row(unit)}: \quad \frac{{\partial E}}{{\partial l}} ="
                    rf" {num(unit[0])} \cdot {signed(slope[0])} + {num(unit[1])} \cdot"
                    rf" {signed(slope[1])} = {num(unit @ slope)}"),
        Step("2.7", rf"w = {row(start)} - 0.2 \cdot {row(slope)} = {row(after)}"),
        Step("2.7", rf"E: \quad {num(loss(start))} \to {num(loss(after))}"),
    ]  # fmt: skip


def draw_minima(w1, w2, rate):
    across, up = np.linspace(-2.4, 2.4, 49), np.linspace(-2, 2, 41)
    heights = loss(np.stack(np.meshgrid(across, up), axis=-1))
    path = walk(w1, w2, rate)
    surface = {"kind": "field", "x": [-2.4, 2.4], "y": [-2, 2], "rows": heights.round(4).tolist()}
    return [
        panel(
            surface,
            line(*path.T, "path", 3, dots=True),
            points([path[-1, 0]], [path[-1, 1]], "end", 1),
            x="w1",
            y="w2",
            xlim=(-2.4, 2.4),
            ylim=(-2, 2),
        ),
        panel(line(range(len(path)), loss(path), "", 3), x="step", y="loss"),
    ]


def judge_valley(w1, w2):
    end = walk(w1, w2, 0.2, 200)[-1]
    reached = float(loss(end))
    return bool(np.hypot(*(end - DEEP)) < 0.2 and w1 >= 0.2), {"loss": reached}


def task(seed=0):
    """Return the data of system 12."""
    rng = np.random.default_rng(seed)
    X = rng.normal(0, 0.6, size=(100, 2))
    return X, X @ [1.7, -0.8] + 0.3 + rng.normal(0, 0.3, 100)


def fitted(rate, epochs=40):
    model = fastnn.LinearNetwork(
        eta0=rate, online=True, shuffle=True, max_iter=epochs, random_state=0, verbose=False
    )
    return model.fit(*task())


def worked_rates():
    steps, x, t = [], np.array([1.0, 2.0]), 1.0
    for rate in (0.1, 0.5):
        w = np.array([0.0, 0.0])
        for _ in range(2):
            with use_backend("python"):
                model = fastnn.LinearNetwork(eta0=rate, max_iter=1, online=True, verbose=False)
                model.fit([x[1:]], [t], coef_init=w[1:], intercept_init=w[:1])
            after = np.array([model.intercept_, *model.coef_])
            steps.append(
                Step(
                    "1.2",
                    rf"\eta = {num(rate)}: \quad \Delta w = {num(rate)} \cdot (1 -"
                    rf" {signed(w @ x)}) \cdot {row(x)} = {row(after - w)}",
                )
            )
            w = after
            steps.append(Step("1.4", rf"w = {row(w)}, \quad t - y = {num(t - w @ x)}"))
    return steps


def draw_rates(rate, epochs):
    marks = [
        line(range(1, epochs + 1), fitted(own, epochs).loss_curve_, f"{own:g}", color, dashed=True)
        for color, own in zip((0, 1, 2, 4), RATES.values(), strict=True)
        if own != rate
    ]
    curve = fitted(rate, epochs).loss_curve_
    marks.append(line(range(1, epochs + 1), curve, f"rate {rate:g}", 3))
    return [panel(*marks, x="epoch", y="loss", log=True)]


def judge_rate(rate):
    reached = fitted(rate).loss_
    return bool(reached < 0.06), {"loss": float(reached)}


def xor_network(**rule):
    """Return the network of system 7, trained until a rule ends it."""
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier(
        activation="sigmoid",
        loss="half_squared_error",
        solver="sgd",
        momentum=0,
        batch_size="full",
        weight_init="uniform",
        tol=None,
        random_state=0,
        verbose=False,
        **{"hidden_layer_sizes": (10,), "learning_rate_init": 0.1, "max_iter": 60_000, **rule},
    )
    return model.fit(X, y)


kept_xor_network = cache(xor_network)  # of the few rules that knobs offer


def worked_rules():
    with use_backend("python"):
        first, second = (xor_network(max_iter=n) for n in (1, 2))
    change = float(np.abs(second.params_ - first.params_).max())
    losses = second.loss_curve_
    return [
        Step("2.2", rf"E_1 = {num(losses[0])}, \quad E_2 = {num(losses[1])}"),
        Step("2.2", rf"E_2 < 0.01?\quad {num(losses[1])} \ge 0.01"),
        Step("1.4", rf"\max_i |\Delta w_i| = {num(change)}"),
        Step("1.4", rf"\max_i |\Delta w_i| < 10^{{-4}}?\quad {num(change)} \ge 10^{{-4}}"),
    ]


def draw_rules(threshold, change):
    whole = kept_xor_network().loss_curve_
    marks = [line(range(1, len(whole) + 1, 200), whole[::200], "loss", 0)]
    rules = (
        ("loss_threshold", threshold, "small loss"),
        ("weight_threshold", change, "small change"),
    )
    for color, (name, value, label) in enumerate(rules, 1):
        model = kept_xor_network(**{name: value})
        marks.append(points([model.n_iter_], [model.loss_], label, color))
    return [panel(*marks, x="epoch", y="loss", log=True)]


def judge_threshold(threshold):
    model = kept_xor_network(loss_threshold=threshold)
    X, y = fastnn.load_xor()
    farthest = float(np.abs(model.predict_proba(X)[:, 1] - y).max())
    return farthest < 0.1, {"epochs": model.n_iter_, "largest error": farthest}


PLAYS = {
    "gradient-descent": Play(
        worked_descent,
        Live(
            (
                Slider("start", -4, 4, 0.5, -3),
                Slider("rate", 0.01, 1.1, 0.01, 0.2),
                Slider("steps", 1, 30, 1, 8),
            ),
            draw_descent,
        ),
        (
            Numbers(lambda: [descend(-3, 0.1, 1)[-1]]),
            Settings((Slider("rate", 0.05, 1, 0.05, 0.2),), judge_one_step, {"rate": 0.5},
                     {"rate": 0.2}),
            Pick(first_rate_that_stays),
        ),
    ),
    "two-minima": Play(
        worked_minima,
        Live(
            (
                Slider("w1", -2, 2, 0.1, -0.3),
                Slider("w2", -2, 2, 0.1, 1.6),
                Slider("rate", 0.05, 2, 0.05, 0.2),
            ),
            draw_minima,
        ),
        (
            Settings((Slider("w1", -2, 2, 0.1, 0.5), Slider("w2", -2, 2, 0.1, 0)), judge_valley,
                     {"w1": 0.3, "w2": -1.0}, {"w1": 0.5, "w2": 0.0}),
            Numbers(lambda: [float(np.dot([0.6, 0.8], [3, 4])), float(np.dot([1, 0], [3, 4]))]),
            Pick(lambda: 1),
        ),
    ),
    "learning-rates": Play(
        worked_rates,
        Live(
            (Select("rate", LADDER, 0.03), Slider("epochs", 5, 100, 5, 40)),
            draw_rates,
        ),
        (
            Settings((Select("rate", LADDER, 0.0003),), judge_rate, {"rate": 0.03},
                     {"rate": 0.0003}),
            Numbers(lambda: [0.1], 0),
            Pick(lambda: 3),
        ),
    ),
    "stopping-rules": Play(
        worked_rules,
        Live(
            (
                Select("threshold", (0.1, 0.03, 0.01, 0.003, 0.001), 0.01),
                Select("change", (1e-3, 3e-4, 1e-4), 1e-4),
            ),
            draw_rules,
        ),
        (
            Settings(
                (Select("threshold", (0.1, 0.03, 0.01, 0.003, 0.001), 0.1),),
                judge_threshold,
                {"threshold": 0.001},
                {"threshold": 0.1},
            ),
            Pick(lambda: 1),
        ),
    ),
}  # fmt: skip
