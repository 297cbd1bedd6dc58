"""Linear networks: systems 4, 5 and 6."""

import numpy as np

import fastnn
from fastnn.backends import use_backend

from .neurons import CLASSES, POINTS
from .numbers import matrix, num, products, row
from .records import Embedded, Numbers, Pick, Play, Settings, Slider, Step

SQUARE, XOR = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([-1.0, 1, 1, -1])
FIRST = [0.5, 0.5, 0.5]


def with_ones(X):
    """Return the inputs with the leading 1 of the bias."""
    return np.column_stack([np.ones(len(X)), X])


def features(X):
    """Return x1, x2, x1^2, x1 x2, x2^2."""
    x1, x2 = X.T
    return np.column_stack([x1, x2, x1 * x1, x1 * x2, x2 * x2])


def trained(X, t, first, rate=0.1, epochs=1):
    """Return the weights of a linear network, the bias first, and the loss before each epoch."""
    model = fastnn.LinearNetwork(eta0=rate, max_iter=epochs, verbose=False)
    model.fit(X, t, coef_init=first[1:], intercept_init=first[:1])
    return np.array([model.intercept_, *model.coef_]), model.loss_curve_


def worked(X, t, first, rate=0.1):
    """Return one epoch of the delta rule, matrix by matrix, with what the back end made of it."""
    with use_backend("python"):
        after, _ = trained(X, t, first, rate)
    inputs, W, T = with_ones(X), np.reshape(first, (-1, 1)), np.reshape(t, (-1, 1))
    Y, after = inputs @ W, after.reshape(-1, 1)
    return [
        Step("1.5", rf"Y = XW = {matrix(inputs)} {matrix(W)} = {matrix(Y)}"),
        Step("2.2", rf"E = \frac{{1}}{{2 \cdot {len(T)}}} \sum (t - y)^2"
                    rf" = {num(np.mean((T - Y) ** 2) / 2)}"),
        Step("1.2", rf"X^T (T - Y) = {matrix(inputs.T)} {matrix(T - Y)}"
                    rf" = {matrix(inputs.T @ (T - Y))}"),
        Step("1.2", rf"\Delta W = \frac{{{num(rate)}}}{{{len(T)}}}\,X^T (T - Y)"
                    rf" = {matrix(after - W)}"),
        Step("1.4", rf"W = {matrix(W)} + {matrix(after - W)} = {matrix(after)}"),
    ]  # fmt: skip


def worked_features():
    with use_backend("python"):
        model = fastnn.LinearNetwork(eta0=0.1, max_iter=1000, random_state=0, verbose=False)
        model.fit(features(SQUARE), XOR)
        outputs = model.predict(features(SQUARE))
    weights, steps = [model.intercept_, *model.coef_], []
    for x, t, y in zip(SQUARE, XOR, outputs, strict=True):
        inputs = with_ones(features(x[np.newaxis]))[0]
        steps.append(Step("1.5", rf"x = {row(x)}: \quad (1, x_1, x_2, x_1^2, x_1 x_2, x_2^2)"
                                 rf" = {row(inputs)}"))  # fmt: skip
        steps.append(
            Step("1.5", rf"y = {products(weights, inputs)} = {num(y)}, \quad t = {num(t)}")
        )
    return steps


def nearly_best(rate, epochs):
    after, _ = trained(POINTS, CLASSES, FIRST, rate, epochs)
    best = np.linalg.lstsq(with_ones(POINTS), CLASSES, rcond=None)[0]
    distance = float(np.abs(after - best).max())
    return distance < 0.05, {"distance": distance}


def first_rate_that_diverges():
    """Return the place, among four rates, of the first with a loss that grows."""
    for place, rate in enumerate((0.05, 0.1, 0.2, 0.4)):
        losses = trained(POINTS, CLASSES, FIRST, rate, 50)[1]
        if losses[-1] > losses[0]:
            return place
    raise RuntimeError("every rate converges")


def judge_three_corners(w0, w1, w2):
    model = fastnn.LinearNetwork(max_iter=0, verbose=False)
    model.fit(SQUARE, XOR, coef_init=[w1, w2], intercept_init=[w0])
    right = int(np.sum(np.sign(model.predict(SQUARE)) == XOR))
    return right == 3, {"right answers": right}


def feature_that_suffices():
    """Return the place of the only feature that solves XOR beside x1 and x2."""
    for place, column in enumerate((2, 3, 4)):
        X = features(SQUARE)[:, [0, 1, column]]
        after, _ = trained(X, XOR, [0.5] * 4, 0.3, 5000)
        if np.abs(with_ones(X) @ after - XOR).max() < 0.1:
            return place
    raise RuntimeError("no feature suffices")


def by_hand():
    with use_backend("python"):
        model = fastnn.LinearNetwork(max_iter=0, verbose=False)
        model.fit(features(SQUARE), XOR, coef_init=[2, 2, 0, -4, 0], intercept_init=[-1])
        return model.predict(features(SQUARE)).tolist()


WEIGHTS = (Slider("w0", -2, 2, 0.5, 0), Slider("w1", -2, 2, 0.5, 0), Slider("w2", -2, 2, 0.5, 0))

PLAYS = {
    "linear": Play(
        lambda: worked(POINTS, CLASSES, FIRST),
        Embedded("model=linear&data=four&lr=0.1&batch=0&epoch=100", "epoch,lr"),
        (
            Settings(
                (Slider("rate", 0.01, 0.3, 0.01, 0.1), Slider("epochs", 10, 2000, 10, 50)),
                nearly_best,
                {"rate": 0.1, "epochs": 300},
                {"rate": 0.1, "epochs": 50},
            ),
            Pick(first_rate_that_diverges),
            Pick(lambda: 2),
        ),
    ),
    "linear-xor": Play(
        lambda: worked(SQUARE, XOR, [0.0, 0.0, 0.0]),
        Embedded("model=linear&data=xor&lr=0.1&batch=0&epoch=100", "epoch,seed"),
        (
            Settings(
                WEIGHTS,
                judge_three_corners,
                {"w0": -0.5, "w1": 1.0, "w2": 1.0},
                {"w0": 0.0, "w1": 0.0, "w2": 0.0},
            ),
            Numbers(lambda: [float(trained(SQUARE, XOR, FIRST, 0.3, 3000)[0][0])], 0.01),
        ),
    ),
    "features-xor": Play(
        worked_features,
        Embedded(
            "model=linear&data=xor&features=x1,x2,x1x1,x1x2,x2x2&lr=0.1&batch=0&epoch=1000",
            "epoch,lr",
        ),
        (Numbers(by_hand), Pick(feature_that_suffices)),
    ),
}
