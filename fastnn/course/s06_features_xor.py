"""System 6: a linear network learns XOR from the features 1, x1, x2, x1^2, x1 x2, x2^2.

Linear in its features, its boundary w0 + w1 x + w2 y + w3 x^2 + w4 xy + w5 y^2 = 0 is a conic:
for each x a quadratic equation in y, with two roots.
"""

import numpy as np

import fastnn
from fastnn import plotting


def features(x1, x2):
    return np.column_stack([x1, x2, x1 * x1, x1 * x2, x2 * x2])


def run(lesson):
    X, y = np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), np.array([-1, 1, 1, -1])
    model = fastnn.LinearNetwork(eta0=0.1, max_iter=1000, random_state=lesson.seed)
    model.fit(features(*X.T), y)
    lesson.print(model.predict(features(*X.T))[:, np.newaxis])
    w0, (w1, w2, w3, w4, w5) = model.intercept_, model.coef_
    x = np.linspace(-1, 2, 601)
    a, b, c = w5, w2 + w4 * x, w0 + w1 * x + w3 * x * x
    root = np.sqrt(np.where(b * b >= 4 * a * c, b * b - 4 * a * c, np.nan))
    with lesson.figure("boundary") as axes:
        plotting.points(axes, X, y)
        axes.plot(x, (-b + root) / (2 * a), "r-", label="first root")
        axes.plot(x, (-b - root) / (2 * a), "m-", label="second root")
        axes.set(xlim=(-1, 2), ylim=(-1, 2), xlabel="x1", ylabel="x2")
        axes.legend(loc="lower left")
