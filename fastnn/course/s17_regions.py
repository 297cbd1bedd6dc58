"""Decision regions (2.4.4): a disc among points from N(0, 1)^2, by tanh and by ReLU.

tanh bends the boundary; ReLU makes it of straight pieces, with a unit that switches at each corner.
"""

import numpy as np

import fastnn
from fastnn import plotting

NETWORKS = {
    "tanh, 4 hidden layers": ("tanh", (8, 8, 8, 8)),
    "ReLU, 4 hidden layers": ("relu", (8, 8, 8, 8)),
    "ReLU, 2 hidden layers": ("relu", (5, 5)),
}


def corners(model, boundary):
    """Return the points of the boundary where a unit switches on or off."""
    on = np.hstack([outputs > 0 for outputs in model.layer_outputs(boundary)[:-1]])
    switches = (on[1:] != on[:-1]).any(axis=1)
    return (boundary[1:] + boundary[:-1])[switches] / 2


def run(lesson):
    rng = np.random.default_rng(lesson.seed)
    X = rng.normal(size=(400, 2))
    y = (np.hypot(*X.T) < 1).astype(int)  # inside the radius
    across, up = np.meshgrid(np.linspace(-2, 2, 400), np.linspace(-2, 2, 400))
    plane = np.column_stack([across.ravel(), up.ravel()])
    with lesson.figure("regions", columns=3, figsize=(13, 4.4)) as row:
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
            inside = model.predict_proba(plane)[:, 1].reshape(across.shape)
            axes.contourf(across, up, inside, levels=[0, 0.5, 1], colors=plotting.COLORS, alpha=0.2)
            drawn = axes.contour(across, up, inside, levels=[0.5], colors="black", linewidths=1.5)
            plotting.points(axes, X, y)
            if activation == "relu":
                parts = [corners(model, part) for part in drawn.allsegs[0]]
                axes.plot(
                    *np.vstack([np.empty((0, 2)), *parts]).T,
                    "ro",
                    markersize=6,
                    zorder=3,
                    label="corners",
                )
            axes.set(title=name, aspect="equal", xlim=(-2, 2), ylim=(-2, 2))
        axes.legend(loc="lower right", fontsize=8)
