"""The example of 1.2.2: b = -0.6 and all weights 0.5, for the eight binary inputs."""

import itertools

import numpy as np

import fastnn


def run(lesson):
    X = np.array(list(itertools.product((0, 1), repeat=3)))
    t = np.where(X.sum(axis=1) >= 2, 1, -1)
    model = fastnn.Perceptron(max_iter=0)  # nothing to learn: the weights are given
    model.fit(X, t, coef_init=[[0.5, 0.5, 0.5]], intercept_init=[-0.6])
    lesson.print("x1 x2 x3   sum    y")
    for x, z, y in zip(X, model.decision_function(X), model.predict(X), strict=True):
        lesson.print("{:2} {:2} {:2}".format(*x), f"{z:+7.1f} {y:+4}")
