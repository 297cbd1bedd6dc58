"""System 7: back-propagation learns XOR (2.7).

2-10-1, sigmoid (2.8), loss sum (T - Y)^2 / 2N (2.2); deltas (2.41), (2.42), steps (2.39), (2.40)
and (2.44) to (2.46), averaged over the four samples.
"""

import fastnn
from fastnn import plotting


def run(lesson):
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier(
        hidden_layer_sizes=(10,),
        activation="sigmoid",
        loss="half_squared_error",
        solver="sgd",
        momentum=0,
        learning_rate_init=0.1,
        batch_size="full",
        weight_init="uniform",  # weights from U(0, 1), biases 0
        max_iter=lesson.epochs(100_001, 10_001),
        tol=None,
        random_state=lesson.seed,
    )
    model.fit(X, y)
    for epoch in range(0, model.n_iter_, 5000):
        lesson.print("epochs", epoch, "loss", model.loss_curve_[epoch])
    lesson.print("output")
    lesson.print(model.predict_proba(X)[:, 1:])
    for label in model.predict(X):
        lesson.print(label)
    with lesson.figure("loss") as axes:
        plotting.losses(axes, model.loss_curve_, log=False)
    with lesson.figure("regions") as axes:
        plotting.regions(axes, model, X, y)
        axes.set(xlabel="x1", ylabel="x2")
        axes.legend(loc="center")
