"""System 4: a linear network on the same points (1.3.2): Y = XW (1.5), without the sign.

The delta rule W += lr X^T (T - Y) / N tends to the least-squares solution, whose boundary keeps
its distance from both classes.
"""

import numpy as np

import fastnn
from fastnn import plotting


def run(lesson):
    X, y = np.array([[3, 3], [4, 3], [1, 1], [2, 1]]), np.array([1, 1, -1, -1])
    model = fastnn.LinearNetwork(eta0=0.1, max_iter=100, random_state=lesson.seed).fit(X, y)
    weights = [model.intercept_, *model.coef_]
    best = np.linalg.lstsq(np.column_stack([np.ones(4), X]), y, rcond=None)[0]
    lesson.print("weights:      ", np.array(weights))
    lesson.print("least squares:", best)
    lesson.print("outputs:      ", model.predict(X))
    with lesson.figure("boundary") as axes:
        plotting.points(axes, X, y)
        axes.set(xlim=(0, 5), ylim=(0, 4), xlabel="x", ylabel="y")
        plotting.line(axes, weights, label="after 100 epochs")
        plotting.line(axes, best, "k--", label="least squares")
        axes.legend(loc="upper left")
