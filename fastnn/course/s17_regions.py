"""Decision regions (2.4.4): a disc among points from N(0, 1)^2, by tanh and by ReLU.

tanh bends the boundary; ReLU makes it of straight pieces, which fewer layers let one see.
"""

import numpy as np

import fastnn
from fastnn import plotting

NETWORKS = {
    "tanh, 4 hidden layers": ("tanh", (8, 8, 8, 8)),
    "ReLU, 4 hidden layers": ("relu", (8, 8, 8, 8)),
    "ReLU, 2 hidden layers": ("relu", (5, 5)),
}


def run(lesson):
    rng = np.random.default_rng(lesson.seed)
    X = rng.normal(size=(400, 2))
    y = (np.hypot(*X.T) < 1).astype(int)  # inside the radius
    with lesson.figure("regions", columns=3) as row:
        for axes, (name, (activation, hidden)) in zip(row, NETWORKS.items(), strict=True):
            model = fastnn.MLPClassifier(
                hidden,
                activation,
                learning_rate_init=0.01,
                max_iter=lesson.epochs(400, 40),
                tol=None,
                random_state=lesson.seed,
            )
            model.fit(X, y)
            lesson.print(f"{name}: accuracy {model.score(X, y):.4f}")
            plotting.regions(axes, model, X, y)
            axes.set(title=name, aspect="equal", xlim=(-2, 2), ylim=(-2, 2))
