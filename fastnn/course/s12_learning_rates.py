"""Four learning rates on one task (1.2.6), sample by sample: w += lr (t - y) x."""

import numpy as np

import fastnn
from fastnn import plotting

RATES = {"very high": 1.0, "high": 0.3, "good": 0.01, "low": 0.0003}


def run(lesson):
    rng = np.random.default_rng(lesson.seed)
    X = rng.normal(0, 0.6, size=(100, 2))
    y = X @ [1.7, -0.8] + 0.3 + rng.normal(0, 0.3, 100)
    with lesson.figure("rates") as axes:
        for name, rate in RATES.items():
            model = fastnn.LinearNetwork(
                eta0=rate, online=True, shuffle=True, max_iter=40, random_state=lesson.seed
            )
            model.fit(X, y)
            lesson.print(f"{name:<9} {rate:<6} loss after {model.n_iter_} epochs", model.loss_)
            plotting.losses(axes, model.loss_curve_, label=f"{name}: {rate}")
        axes.figure.legend(loc="outside upper center", ncols=2)
