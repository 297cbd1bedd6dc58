"""Regression by tanh and by ReLU (2.4.4): a curve, and straight pieces."""

import numpy as np

import fastnn


def run(lesson):
    rng = np.random.default_rng(lesson.seed)
    x = np.linspace(-0.5, 0.5, 200)[:, np.newaxis]
    y = x[:, 0] ** 2 + rng.normal(0, 0.02, 200)
    with lesson.figure("fits", columns=2) as both:
        for axes, activation in zip(both, ("tanh", "relu"), strict=True):
            model = fastnn.MLPRegressor(
                (10,),
                activation,
                learning_rate_init=0.01,
                max_iter=lesson.epochs(500, 100),
                tol=None,
                random_state=lesson.seed,
            )
            model.fit(x, y)
            lesson.print(f"{activation}: loss {model.loss_:.6f}, R^2 {model.score(x, y):.4f}")
            axes.scatter(x, y, s=8)
            axes.plot(x, model.predict(x), "r-", linewidth=3)
            axes.set(title=activation, xlabel="x", ylabel="y")
