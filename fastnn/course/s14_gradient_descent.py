"""Gradient descent on loss = w^2 from w = -3 and from w = 2 (2.3.2), with the tangents.

w -= lr dloss/dw (2.7), and dloss/dw = 2 w: against the slope, towards the valley.
"""

import numpy as np


def run(lesson):
    rate, w = 0.2, np.linspace(-3.6, 3.6, 200)
    with lesson.figure("descent", columns=2) as both:
        for axes, start in zip(both, (-3.0, 2.0), strict=True):
            path = [start]
            for _ in range(8):
                path.append(path[-1] - rate * 2 * path[-1])
            path = np.array(path)
            lesson.print(f"from {start:+}:", np.round(path, 4))
            axes.plot(w, w**2)
            axes.plot(path, path**2, "o-", color="black", markersize=4, label="steps")
            near = np.array([start - 0.6, start + 0.6])
            tangent = start**2 + 2 * start * (near - start)
            axes.plot(near, tangent, "r-", linewidth=2, label=f"tangent, slope {2 * start:+g}")
            axes.set(xlabel="w", ylabel="loss", title=f"from w = {start:g}", ylim=(-1, 13))
            axes.legend(loc="upper center")
