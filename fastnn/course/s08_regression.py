"""System 8: a network learns a parabola from noisy points: 1-20-1, ReLU, then linear.

Plain gradient descent (2.44) to (2.46) on the mean of the squared errors, without the half.
"""

import numpy as np

import fastnn
from fastnn import plotting


def run(lesson):
    rng = np.random.default_rng(lesson.seed)
    x = np.linspace(-1, 1, 300)[:, np.newaxis]
    y = x[:, 0] ** 2 - 0.5 + rng.normal(0, 0.05, 300)
    model = fastnn.MLPRegressor(
        hidden_layer_sizes=(20,),
        activation="relu",
        loss="sum_squared_error",
        solver="sgd",
        momentum=0,
        learning_rate_init=0.1,
        batch_size="full",
        weight_init="normal",  # weights from N(0, 1)
        bias_init=0.1,
        max_iter=lesson.epochs(1000, 200),
        tol=None,
        random_state=lesson.seed,
    )
    model.fit(x, y)
    for step in range(0, model.n_iter_, 50):
        lesson.print("step", step, "loss", model.loss_curve_[step])
    lesson.print("last", model.loss_, "variance of the noise", 0.05**2)
    with lesson.figure("fit", columns=2) as (left, right):
        left.scatter(x, y, s=8, label="samples")
        left.plot(x, model.predict(x), "r-", linewidth=3, label="network")
        left.set(xlabel="x", ylabel="y")
        left.legend(loc="upper center")
        plotting.losses(right, model.loss_curve_)
