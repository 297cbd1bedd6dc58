"""Activations (2.4) and their derivatives (2.6), one by one, and the three S-shaped ones in one.

Each curve is what a network of one unit puts out; the slopes are formulas of the output.
"""

import numpy as np

import fastnn

# Slope of y = f(x): (2.16) for the sigmoid, and those of section 2.6.
SLOPES = {
    "sign": lambda x, y: np.zeros_like(x),
    "purelin": lambda x, y: np.ones_like(x),
    "sigmoid": lambda x, y: y * (1 - y),
    "tanh": lambda x, y: 1 - y**2,
    "softsign": lambda x, y: (1 - np.abs(y)) ** 2,
    "relu": lambda x, y: (x > 0).astype(float),
}


def output(activation, x):
    """Return f(x), as a network of one unit with weight 1 and bias 0 computes it."""
    model = fastnn.MLPRegressor((), out_activation=activation, max_iter=0)
    model.fit([[0.0]], [0.0], coefs_init=[[[1.0]]], intercepts_init=[[0.0]])
    return model.predict(x[:, np.newaxis])


def run(lesson):
    x = np.linspace(-6, 6, 481)
    curves = {name: output(name, x) for name in SLOPES}
    lesson.print("activation   f(-2)    f(0)    f(2)   largest slope")
    for name, y in curves.items():
        values = output(name, np.array([-2.0, 0.0, 2.0]))
        slope = SLOPES[name](x, y).max()
        lesson.print(f"{name:<10}", *(f"{value + 0:7.4f}" for value in values), f"{slope:11.4f}")
    with lesson.figure("single", 2, 3) as grid:
        for axes, (name, y) in zip(grid.flat, curves.items(), strict=True):
            axes.plot(x, y, label="f(x)")
            axes.plot(x, SLOPES[name](x, y), "r--", label="f '(x)")
            axes.set_title(name)
            axes.grid(alpha=0.3)
            axes.legend(loc="upper left")
    with lesson.figure("together", columns=2) as (left, right):
        for name in ("sigmoid", "tanh", "softsign"):
            left.plot(x, curves[name], label=name)
            right.plot(x, SLOPES[name](x, curves[name]), label=name)
        left.set_title("S-shaped activations")
        right.set_title("their derivatives")
        for axes in (left, right):
            axes.grid(alpha=0.3)
            axes.legend(loc="upper left")
