"""System 3: a perceptron separates two classes of points (1.2.9).

All four samples at once: W += lr X^T (T - sign(XW)) / N, until all of them are right.
"""

import numpy as np

import fastnn
from fastnn import plotting


def run(lesson):
    X, y = np.array([[3, 3], [4, 3], [1, 1], [2, 1]]), np.array([1, 1, -1, -1])
    model = fastnn.Perceptron(
        eta0=0.1, online=False, max_iter=100, record_history=True, random_state=lesson.seed
    )
    model.fit(X, y)  # the first weights are drawn from U(0, 1)
    for epoch, weights in enumerate(model.history_, 1):
        lesson.print("epoch:", epoch)
        lesson.print("weights:", weights.T)
    lesson.print("Finished" if model.converged_ else "not all right after 100 epochs")
    with lesson.figure("boundary") as axes:
        plotting.points(axes, X, y)
        axes.set(xlim=(0, 5), ylim=(0, 4), xlabel="x", ylabel="y")
        plotting.line(axes, [*model.intercept_, *model.coef_[0]])
        axes.legend(loc="upper left")
