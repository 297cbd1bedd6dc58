"""Images: systems 9 and 10, live on the small digits that scikit-learn brings along."""

from functools import cache

import numpy as np

import fastnn
from fastnn.backends.codes import ADAM
from fastnn.backends.interface import Optimizer
from fastnn.backends.python.formulas import loss_and_delta, optimizer_step, softmax
from fastnn.network import make_network

from .numbers import num, row
from .records import Live, Numbers, Pick, Play, Settings, Slider, Step, image, line, panel

Z, CLASS = [2.0, 1.0, -1.0], 1


class Log:
    """Keeps loss and accuracy of every epoch, in training and in test."""

    def __init__(self):
        self.rows = []

    def on_epoch_end(self, epoch):
        """Take down the four figures."""
        train = epoch.model.evaluate(*epoch.training_data)
        self.rows.append((*train, epoch.val_loss, epoch.val_accuracy))


@cache
def trained(hidden, dropout, epochs, samples=300):
    """Return a network trained on some digits, and the figures of each epoch."""
    X, y = fastnn.load_digits()
    log = Log()
    model = fastnn.MLPClassifier(
        (hidden,), dropout=dropout, batch_size=32, learning_rate_init=0.003, max_iter=epochs,
        tol=None, random_state=0, verbose=False,
    )  # fmt: skip
    test = X[1000:], y[1000:]
    model.fit(X[:samples], y[:samples], callbacks=[log], validation_data=test)
    return model, np.array(log.rows)


def cross_entropy(z, label):
    """Return the loss of a sample, and its delta, as the python back end computes them."""
    net = make_network((1, len(z)), "relu", "softmax", 0.0, "sparse_categorical_crossentropy")
    return loss_and_delta(net, z, softmax(z), [1.0] * len(z), [float(label)])


def worked_mnist():
    y = softmax(Z)
    loss, delta = cross_entropy(Z, CLASS)
    exps = [float(np.exp(v)) for v in Z]
    w, moments, g = [0.5], [[0.0], [0.0]], delta[0]
    optimizer_step(Optimizer(ADAM), w, moments, [g], 0.001, 1)
    m, v = moments[0][0], moments[1][0]
    kept = 1 / (1 - 0.2)
    return [
        Step("", rf"e^z = {row(exps)}, \quad \sum_j e^{{z_j}} = {num(sum(exps))}"),
        Step("", rf"y = \frac{{e^z}}{{{num(sum(exps))}}} = {row(y)}"),
        Step("", rf"E = -\ln y_2 = -\ln {num(y[CLASS])} = {num(loss)}"),
        Step("2.29", rf"-\delta = y - t = {row(y)} - {row([0, 1, 0])} = {row(delta)}"),
        Step("", rf"g = {num(g)}: \quad m = 0.1\,g = {num(m)}, \quad v = 0.001\,g^2 = {num(v)}"),
        Step("", rf"w = 0.5 - 0.001 \cdot \frac{{m / 0.1}}{{\sqrt{{v / 0.001}}}} = {w[0]:.6f}"),
        Step("", rf"\frac{{1}}{{1 - 0.2}} = {num(kept)}"),
    ]


def draw_mnist(hidden, dropout, epochs):
    model, log = trained(hidden, dropout, epochs)
    X, y = fastnn.load_digits()
    wrong = np.flatnonzero(model.predict(X[1000:]) != y[1000:])
    at = 1000 + int(wrong[0]) if len(wrong) else 1000
    chances = model.predict_proba(X[at : at + 1])[0]
    steps = range(1, epochs + 1)
    return [
        panel(
            line(steps, log[:, 1], "training", 0),
            line(steps, log[:, 3], "test", 1),
            x="epoch",
            y="accuracy",
        ),
        panel(image(X[at].reshape(8, 8) / X.max()), x="", y="", title=f"{y[at]}"),
        panel(
            {"kind": "bars", "labels": [str(d) for d in range(10)],
             "y": [float(f"{c:.4g}") for c in chances],
             "colors": [int(d == y[at]) for d in range(10)]},
            x="digit", y="probability",
        ),
    ]  # fmt: skip


def judge_mnist(hidden, dropout, epochs):
    _, log = trained(hidden, dropout, epochs)
    reached = float(log[-1, 3])
    return reached >= 0.83, {"test accuracy": reached}


def worked_fashion():
    """Return loss and accuracy of three samples, as an evaluation adds them up."""
    rows = (([2.0, 1.0, -1.0], 0), ([0.5, 0.0, 0.2], 2), ([0.0, 3.0, 1.0], 1))
    steps, total, right = [], 0.0, 0
    for i, (z, label) in enumerate(rows, 1):
        y, loss = softmax(z), cross_entropy(z, label)[0]
        total += loss
        is_right = y.index(max(y)) == label
        right += is_right
        mark = r"\checkmark" if is_right else r"\times"
        steps.append(Step("", rf"y^{{({i})}} = {row(y)}, \quad t = {label + 1}, \quad"
                              rf" -\ln {num(y[label])} = {num(loss)} \quad {mark}"))  # fmt: skip
    steps.append(Step("", rf"E = \frac{{{num(total)}}}{{3}} = {num(total / 3)}"))
    steps.append(Step("", rf"\frac{{{right}}}{{3}} = {num(right / 3)}"))
    return steps


def draw_fashion(samples, epochs):
    _, log = trained(32, 0.0, epochs, samples)
    steps = range(1, epochs + 1)
    return [
        panel(
            line(steps, log[:, k], "training", 0),
            line(steps, log[:, k + 2], "test", 1),
            x="epoch",
            y=name,
        )
        for k, name in ((1, "accuracy"), (0, "loss"))
    ]


def judge_gap(samples):
    _, log = trained(32, 0.0, 60, samples)
    gap = float(log[-1, 1] - log[-1, 3])
    return gap < 0.08, {"gap": gap}


PLAYS = {
    "mnist": Play(
        worked_mnist,
        Live(
            (
                Slider("hidden", 4, 64, 4, 32),
                Slider("dropout", 0, 0.8, 0.1, 0.2),
                Slider("epochs", 1, 60, 1, 20),
            ),
            draw_mnist,
        ),
        (
            Numbers(lambda: [softmax([0.0, 0.0, 0.0, 0.0])[0]]),
            Numbers(lambda: [cross_entropy([0.0] * 10, 3)[0]], 0.01),
            Settings(
                (
                    Slider("hidden", 4, 64, 4, 4),
                    Slider("dropout", 0, 0.8, 0.1, 0.8),
                    Slider("epochs", 1, 60, 1, 5),
                ),
                judge_mnist,
                {"hidden": 32, "dropout": 0.2, "epochs": 60},
                {"hidden": 4, "dropout": 0.8, "epochs": 5},
            ),
        ),
    ),
    "fashion-mnist": Play(
        worked_fashion,
        Live((Slider("samples", 50, 1000, 50, 100), Slider("epochs", 1, 60, 1, 40)), draw_fashion),
        (
            Numbers(lambda: [-float(np.log(0.25))], 0.01),
            Settings((Slider("samples", 50, 1000, 50, 50),), judge_gap, {"samples": 1000},
                     {"samples": 50}),
            Pick(lambda: 1),
        ),
    ),
}  # fmt: skip
