"""System 5: a linear network cannot learn XOR (1.3.3): no straight line has both classes right."""

import numpy as np

import fastnn
from fastnn import plotting


def run(lesson):
    X, y = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([-1, 1, 1, -1])
    model = fastnn.LinearNetwork(eta0=0.1, max_iter=100, random_state=lesson.seed).fit(X, y)
    outputs = model.predict(X)
    lesson.print("weights:", np.array([model.intercept_, *model.coef_]))
    lesson.print("outputs:", outputs)
    lesson.print("right:  ", int(np.sum(np.sign(outputs) == y)), "of 4")
    with lesson.figure("boundary") as axes:
        plotting.points(axes, X, y)
        axes.set(xlim=(-1, 2), ylim=(-1, 2), xlabel="x1", ylabel="x2")
        plotting.line(axes, [model.intercept_, *model.coef_])
        axes.legend(loc="lower left")
