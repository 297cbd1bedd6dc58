"""Pictures of data and models, each drawn into given Matplotlib axes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .parameters import shown

COLORS = ("#1f77b4", "#e6a100", "#2ca02c", "#d62728", "#9467bd")


def points(axes: Any, X: NDArray, y: NDArray) -> None:
    """Draw samples of two features (n_samples, 2), one colour per class."""
    X, y = np.asarray(X), np.asarray(y)
    for label, color in zip(np.unique(y), COLORS, strict=False):
        chosen = X[y == label]
        axes.scatter(
            *chosen.T, color=color, edgecolors="black", linewidths=0.5, label=f"class {label}"
        )


def line(axes: Any, weights: ArrayLike, style: str = "r-", label: str = "boundary") -> None:
    """Draw the boundary w0 + w1 x + w2 y = 0 across the axes' present limits."""
    w0, w1, w2 = np.asarray(weights, float)
    limits = axes.get_xlim(), axes.get_ylim()
    if abs(w2) >= abs(w1):
        x = np.array(limits[0])
        axes.plot(x, -(w0 + w1 * x) / w2, style, label=label)
    else:
        y = np.array(limits[1])
        axes.plot(-(w0 + w2 * y) / w1, y, style, label=label)
    axes.set(xlim=limits[0], ylim=limits[1])


def regions(axes: Any, model: Any, X: NDArray, y: NDArray, margin: float = 0.3) -> None:
    """Draw the samples (n_samples, 2) over the classes that a model predicts around them."""
    X = np.asarray(X)
    low, high = X.min(axis=0) - margin, X.max(axis=0) + margin
    across, up = np.meshgrid(*(np.linspace(a, b, 250) for a, b in zip(low, high, strict=True)))
    predicted = model.predict(np.column_stack([across.ravel(), up.ravel()]))
    index = np.searchsorted(np.unique(y), predicted).reshape(across.shape)
    n = len(np.unique(y))
    axes.contourf(across, up, index, levels=np.arange(n + 1) - 0.5, colors=COLORS[:n], alpha=0.25)
    points(axes, X, y)


def losses(axes: Any, loss_curve: ArrayLike, label: str | None = None, log: bool = True) -> None:
    """Draw the loss of each epoch."""
    values = np.asarray(loss_curve)
    axes.plot(np.arange(1, len(values) + 1), values, label=label)
    axes.set(xlabel="epoch", ylabel="loss", yscale="log" if log else "linear")
    axes.locator_params(axis="x", nbins=6)
    axes.grid(alpha=0.3)


def plot_history(model_or_history: Any, axes: Any = None, log: bool = False) -> Any:
    """Draw the losses of a training and, on a second scale, the score on validation data.

    Parameters
    ----------
    model_or_history : estimator, or mapping
        A fitted MLPClassifier or MLPRegressor, or its `history_`.
    axes : matplotlib.axes.Axes, optional
        Where to draw; the current axes if not given, as in `matplotlib.pyplot`.
    log : bool, default False
        Whether the loss has a logarithmic scale.

    Returns
    -------
    matplotlib.axes.Axes
        With the losses. Show or save it with `axes.figure`.

    Raises
    ------
    ValueError
        If there is no history, as before `fit`.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), max_iter=20, tol=None).fit(X, y)
    >>> axes = fastnn.plot_history(model)
    >>> axes.get_xlabel()
    'epoch'
    """
    history = getattr(model_or_history, "history_", model_or_history)
    if not isinstance(history, Mapping) or "loss" not in history:
        raise ValueError(
            f"model_or_history={shown(model_or_history)}: expected a fitted MLPClassifier or "
            "MLPRegressor, or its history_; a pipeline's network is pipeline[-1]"
        )
    if axes is None:
        import matplotlib.pyplot as plt

        axes = plt.gca()
    losses(axes, history["loss"], "loss", log)
    lines, front = axes.get_lines()[-1:], axes
    for name in ("val_loss", "val_accuracy", "val_score"):
        if name not in history:
            continue
        epochs = history.get("val_epoch", range(1, len(history[name]) + 1))
        if name == "val_loss":
            lines += axes.plot(epochs, history[name], label=name)
        else:
            front = axes.twinx()
            front.set_ylabel(name)
            lines += front.plot(epochs, history[name], "--", color=COLORS[2], label=name)
    front.legend(handles=lines, loc="center right")
    return axes


def image(axes: Any, pixels: NDArray, title: Any = None) -> Any:
    """Draw a square image given as a row of pixels; return what a colour bar needs."""
    side = round(len(pixels) ** 0.5)
    drawn = axes.imshow(np.reshape(pixels, (side, side)), cmap="gray_r")
    axes.set(xticks=[], yticks=[])
    if title is not None:
        axes.set_title(str(title), fontsize=9)
    return drawn


def confusion(axes: Any, matrix: NDArray, labels: Sequence[str]) -> None:
    """Draw a confusion matrix (n_classes, n_classes), a row per true class."""
    drawn = axes.imshow(np.sqrt(matrix), cmap="Blues")
    for (row, column), count in np.ndenumerate(matrix):
        dark = drawn.norm(np.sqrt(count)) > 0.5
        axes.text(
            column,
            row,
            count,
            ha="center",
            va="center",
            fontsize=7,
            color="white" if dark else "black",
        )
    axes.set(xlabel="predicted", ylabel="true")
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
