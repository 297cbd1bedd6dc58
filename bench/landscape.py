"""Draw the accuracy of a thousand networks over their learning rates and penalties.

    python bench/landscape.py [--networks 1000] [--epochs 20] [--out landscape.png]

All of them are trained at once, on the digits that scikit-learn brings; a third of the digits is
kept for the accuracy.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import fastnn

RATES, PENALTIES = (1e-4, 1.0), (1e-5, 1e2)  # the ends of the axes, which are logarithmic


def values(n_networks: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return learning rates and penalties, (n_networks,) of each, spread evenly at random."""
    rng = np.random.default_rng(seed)
    return {
        "learning_rate_init": np.exp(rng.uniform(*np.log(RATES), n_networks)),
        "alpha": np.exp(rng.uniform(*np.log(PENALTIES), n_networks)),
    }


def accuracies(own: dict[str, np.ndarray], n_epochs: int) -> np.ndarray:
    """Return the accuracy of a network for each pair of values, (n_networks,)."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X.astype(np.float32) / 16, y, test_size=1 / 3, stratify=y, random_state=0
    )
    network = fastnn.MLPClassifier((32,), max_iter=n_epochs, tol=None, random_state=0)
    models = fastnn.train_many(network, X_train, y_train, **own)
    return np.array([model.score(X_test, y_test) for model in models])


def draw(own: dict[str, np.ndarray], scores: np.ndarray, out: Path) -> None:
    """Write a picture: a dot for each network, its color the accuracy."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes: Any = figure.subplots()
    order = scores.argsort()  # the best are on top
    dots = axes.scatter(*(own[name][order] for name in own), c=scores[order], s=14)
    best = scores.argmax()
    axes.plot(*(own[name][best] for name in own), "o", mfc="none", mec="red", ms=12)
    axes.set(xscale="log", yscale="log", xlim=RATES, ylim=PENALTIES)
    axes.set(xlabel="learning_rate_init", ylabel="alpha", title=f"{len(scores):,} networks, digits")
    figure.colorbar(dots, label="accuracy on digits kept aside")
    figure.savefig(out, dpi=120)


def main() -> None:
    """Train, draw, and say which network was best."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--out", type=Path, default=Path("landscape.png"))
    chosen = parser.parse_args()
    own = values(chosen.networks)
    begin = time.perf_counter()
    scores = accuracies(own, chosen.epochs)
    seconds = time.perf_counter() - begin
    draw(own, scores, chosen.out)
    best = scores.argmax()
    found = ", ".join(f"{name}={own[name][best]:.3g}" for name in own)
    print(f"{len(scores):,} networks in {seconds:.1f} s; {found}: {scores[best]:.3f}")
    print(f"{chosen.out}")


if __name__ == "__main__":
    main()
