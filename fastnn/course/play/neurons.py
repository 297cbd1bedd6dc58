"""One neuron and the perceptron: systems 11, 1, 2 and 3."""

import itertools

import numpy as np

import fastnn
from fastnn.backends import use_backend

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
    line,
    panel,
)

CORNERS = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
SAMPLE, FIRST = np.array([[1.0, 0.0, -1.0]]), [-5.0, 0.0, 0.0]
POINTS = np.array([[3.0, 3], [4, 3], [1, 1], [2, 1]])
CLASSES = np.array([1, 1, -1, -1])
TEXT_RUN = [-0.06390143, 0.58589308, 0.25649672]  # weights after the text's first epoch


def unit(weight, bias):
    """Return sums and answers of a perceptron with three equal weights, for the eight inputs."""
    model = fastnn.Perceptron(max_iter=0)
    model.fit(CORNERS, [-1, 1] * 4, coef_init=[[weight] * 3], intercept_init=[bias])
    return model.decision_function(CORNERS), model.predict(CORNERS)


def learn(rate, weights=FIRST, X=SAMPLE, t=(1,)):
    """Return the weights of a perceptron without a bias of its own, before and after each step."""
    model = fastnn.Perceptron(
        eta0=rate, online=len(X) == 1, fit_intercept=False, max_iter=100, record_history=True
    )
    model.fit(X, t, coef_init=[weights])
    return [np.array(weights), *model.history_[:, 0]]


def worked_unit():
    steps = []
    with use_backend("python"):
        sums, answers = unit(0.5, -0.6)
    for index in (1, 3, 7):
        total = products([0.5] * 3, CORNERS[index]) + " - 0.6"
        steps.append(Step("1.1", rf"\sum = {total} = {num(sums[index])}"))
        steps.append(
            Step("1.1", rf"y = \operatorname{{sign}}({num(sums[index])}) = {num(answers[index])}")
        )
    return steps


def draw_unit(weight, bias):
    sums, answers = unit(weight, bias)
    labels = ["".join(f"{v:.0f}" for v in corner) for corner in CORNERS]
    colors = [int(answer > 0) for answer in answers]
    return [panel(bars(labels, sums, colors), x="x1 x2 x3", y="sum")]


def judge_unit(wanted):
    def judge(bias):
        _, answers = unit(0.5, bias)
        right = answers == np.where(wanted(CORNERS.sum(axis=1)), 1, -1)
        return bool(right.all()), {"right answers": int(right.sum())}

    return judge


def worked_perceptron():
    steps, x = [], SAMPLE[0]
    with use_backend("python"):
        history = learn(1.0)
    for before, after in itertools.zip_longest(history, history[1:]):
        total = before @ x
        answer = float(np.sign(total))
        steps.append(Step("1.1", rf"\sum = {products(before, x)} = {num(total)}"))
        steps.append(Step("1.1", rf"y = \operatorname{{sign}}({num(total)}) = {num(answer)}"))
        steps.append(Step("1.2", rf"t - y = 1 - {signed(answer)} = {num(1 - answer)}"))
        if after is not None:
            change = after - before
            given = rf"1 \cdot {num(1 - answer)} \cdot {row(x)}"
            steps.append(Step("1.2", rf"\Delta w = {given} = {row(change)}"))
            steps.append(Step("1.4", rf"w = {row(before)} + {row(change)} = {row(after)}"))
    return steps


def draw_perceptron(rate, w0):
    history = learn(rate, [w0, 0.0, 0.0])
    steps, sums = range(len(history)), [w @ SAMPLE[0] for w in history]
    weights = [line(steps, [w[k] for w in history], f"w{k}", k, dots=True) for k in range(3)]
    return [
        panel(line(steps, sums, "sum", 3, dots=True), *weights, x="step", y="weights and sum"),
    ]


def judge_one_step(rate):
    n_steps = len(learn(rate)) - 1
    return n_steps == 1, {"steps": n_steps}


def worked_matrix():
    X, T = SAMPLE, np.array([[1.0]])
    with use_backend("python"):
        before, after = (np.reshape(w, (3, 1)) for w in learn(1.0)[:2])
    sums = X @ before
    E = T - np.sign(sums)
    return [
        Step("1.1", rf"XW = {matrix(X)} {matrix(before)} = {matrix(sums)}"),
        Step("1.1", rf"Y = \operatorname{{sign}}(XW) = {matrix(np.sign(sums))}"),
        Step("1.2", rf"E = T - Y = {matrix(T)} - {matrix(np.sign(sums))} = {matrix(E)}"),
        Step("1.2", rf"\Delta W = \eta\,X^T E / N = 1 \cdot {matrix(X.T)} {matrix(E)} / 1"
                    rf" = {matrix(after - before)}"),
        Step("1.4", rf"W = {matrix(before)} + {matrix(after - before)} = {matrix(after)}"),
    ]  # fmt: skip


def draw_matrix(mode, rate, epochs):
    model = fastnn.Perceptron(
        eta0=rate, online=mode == "sample by sample", max_iter=epochs, record_history=True
    )
    model.fit(POINTS, CLASSES, coef_init=[[0.9, 0.8]], intercept_init=[0.3])
    history = np.vstack([[0.3, 0.9, 0.8], model.history_[:, 0]])
    lines = [line(range(len(history)), history[:, k], f"w{k}", k, dots=True) for k in range(3)]
    return [panel(*lines, x="epoch", y="weights")]


def two_samples():
    with use_backend("python"):
        model = fastnn.Perceptron(
            eta0=1.0, online=False, fit_intercept=False, max_iter=1, record_history=True
        )
        model.fit([[1, 0, -1], [1, 1, 0]], [1, -1], coef_init=[FIRST])
    return [float(v) for v in model.history_[0, 0]]


def one_epoch():
    """Return the weights of the text's run after its second epoch."""
    with use_backend("python"):
        model = fastnn.Perceptron(eta0=0.1, online=False, max_iter=1, record_history=True)
        model.fit(POINTS, CLASSES, coef_init=[TEXT_RUN[1:]], intercept_init=TEXT_RUN[:1])
    return model.history_[0, 0]


def worked_single_layer():
    X = np.column_stack([np.ones(4), POINTS])
    T, W = CLASSES.reshape(4, 1), np.reshape(TEXT_RUN, (3, 1))
    after = one_epoch().reshape(3, 1)
    Y = np.sign(X @ W)
    return [
        Step("1.1", rf"XW = {matrix(X)} {matrix(W)} = {matrix(X @ W)}"),
        Step("1.1", rf"Y = \operatorname{{sign}}(XW) = {matrix(Y)}"),
        Step("1.2", rf"E = T - Y = {matrix(T)} - {matrix(Y)} = {matrix(T - Y)}"),
        Step("1.2", rf"X^T E = {matrix(X.T)} {matrix(T - Y)} = {matrix(X.T @ (T - Y))}"),
        Step("1.2", rf"\Delta W = \frac{{0.1}}{{4}}\,X^T E = {matrix(after - W)}"),
        Step("1.4", rf"W = {matrix(W)} + {matrix(after - W)} = {matrix(after)}"),
    ]


def judge_separates(w0, w1, w2):
    model = fastnn.Perceptron(max_iter=0)
    model.fit(POINTS, CLASSES, coef_init=[[w1, w2]], intercept_init=[w0])
    right = int(np.sum(model.predict(POINTS) == CLASSES))
    return right == 4, {"right answers": right}


PLAYS = {
    "truth-table": Play(
        worked_unit,
        Live(
            (Slider("weight", -1, 1, 0.1, 0.5), Slider("bias", -2, 1, 0.1, -0.6)),
            draw_unit,
        ),
        (
            Numbers(lambda: [float(unit(0.5, -0.6)[0][6])]),
            Settings(
                (Slider("bias", -2, 1, 0.1, -0.6),),
                judge_unit(lambda n_ones: n_ones == 3),
                {"bias": -1.2},
                {"bias": -0.6},
            ),
            Settings(
                (Slider("bias", -2, 1, 0.1, -0.6),),
                judge_unit(lambda n_ones: n_ones >= 1),
                {"bias": -0.3},
                {"bias": 0.5},
            ),
        ),
    ),
    "perceptron": Play(
        worked_perceptron,
        Live(
            (Slider("rate", 0.1, 3, 0.1, 1), Slider("w0", -10, 2, 1, -5)),
            draw_perceptron,
        ),
        (
            Numbers(lambda: learn(0.5)[1].tolist()),
            Numbers(lambda: [len(learn(0.5)) - 1], 0),
            Settings(
                (Slider("rate", 0.1, 3, 0.1, 1),), judge_one_step, {"rate": 1.5}, {"rate": 1.0}
            ),
        ),
    ),
    "perceptron-matrix": Play(
        worked_matrix,
        Live(
            (
                Select("mode", ("whole batch", "sample by sample"), "whole batch"),
                Slider("rate", 0.02, 0.5, 0.02, 0.1),
                Slider("epochs", 1, 40, 1, 20),
            ),
            draw_matrix,
        ),
        (Pick(lambda: 1), Numbers(two_samples)),
    ),
    "single-layer": Play(
        worked_single_layer,
        Embedded("model=perceptron&data=four&lr=0.1&batch=0&epoch=3", "epoch,lr,seed"),
        (
            Numbers(lambda: [float(one_epoch()[1] - TEXT_RUN[1])]),
            Settings(
                (
                    Slider("w0", -5, 5, 0.5, 0),
                    Slider("w1", -2, 2, 0.5, -1),
                    Slider("w2", -2, 2, 0.5, 0),
                ),
                judge_separates,
                {"w0": -2.5, "w1": 0.0, "w2": 1.5},
                {"w0": 0.0, "w1": 1.0, "w2": 0.0},
            ),
            Pick(lambda: 0),
        ),
    ),
}
