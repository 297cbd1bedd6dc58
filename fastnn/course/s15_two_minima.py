"""Gradient descent on a surface with two minima (2.3.3): where it ends depends on the start."""

import numpy as np

# Two valleys in a bowl: depth and centre of each.
VALLEYS = ((1.0, np.array([-1.1, 0.0])), (0.6, np.array([1.1, 0.3])))


def loss(w):
    """Return the height at points (..., 2)."""
    valleys = sum(d * np.exp(-np.sum((w - c) ** 2, axis=-1)) for d, c in VALLEYS)
    return 0.08 * np.sum(w**2, axis=-1) - valleys


def gradient(w):
    """Return the slope at a point (2,)."""
    return 0.16 * w + sum(2 * d * (w - c) * np.exp(-np.sum((w - c) ** 2)) for d, c in VALLEYS)


def run(lesson):
    paths = []
    for start in ([-0.3, 1.6], [0.4, 1.6]):
        path = [np.array(start)]
        for _ in range(60):
            path.append(path[-1] - 0.2 * gradient(path[-1]))  # (2.7)
        paths.append(np.array(path))
        lesson.print(f"from {path[0]}: to {np.round(path[-1], 3)}, loss {loss(path[-1]):.4f}")
    across, up = np.meshgrid(np.linspace(-2.4, 2.4, 121), np.linspace(-1.9, 2.1, 121))
    heights = loss(np.stack([across, up], axis=-1))
    with lesson.figure("surface", subplot_kw={"projection": "3d"}, figsize=(6.4, 5)) as axes:
        axes.plot_surface(across, up, heights, cmap="viridis", alpha=0.6, linewidth=0)
        for path, color, name in zip(paths, ("red", "black"), ("p1", "p2"), strict=True):
            axes.plot(*path.T, loss(path) + 0.03, "o-", color=color, markersize=3, label=name)
        axes.set(xlabel="w1", ylabel="w2", zlabel="loss")
        axes.view_init(48, -70)
        axes.legend()
    with lesson.figure("contours") as axes:
        axes.contour(across, up, heights, levels=25, linewidths=0.7)
        for path, color, name in zip(paths, ("red", "black"), ("p1", "p2"), strict=True):
            axes.plot(*path.T, "o-", color=color, markersize=3, label=name)
        axes.set(xlabel="w1", ylabel="w2")
        axes.legend()
