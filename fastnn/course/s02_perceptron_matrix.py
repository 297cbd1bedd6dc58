"""System 2: the same with matrices: X is 1 x 3, W is 3 x 1, Y = sign(XW)."""

import numpy as np

import fastnn


def run(lesson):
    X, T = np.array([[1, 0, -1]]), [1]
    W = np.array([[-5], [0], [0]])
    model = fastnn.Perceptron(
        eta0=1, online=False, fit_intercept=False, max_iter=100, record_history=True
    )
    model.fit(X, T, coef_init=W.T)
    for weights in [W.T, *model.history_]:
        lesson.print(weights.T.astype(int))
    lesson.print("done")
