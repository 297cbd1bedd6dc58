"""What a network learns to give: classes, several labels, or real numbers.

Each kind checks y, makes targets of it for the loss, and scores outputs against it.
"""

from collections.abc import Sequence, Sized
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.metrics import r2_score

from .backends.codes import LOSSES, Loss
from .backends.interface import Network
from .class_weights import class_weights, with_class_weight
from .formulas import Formula, choose_loss, choose_output, n_outputs_for
from .parameters import shown
from .validation import (
    check_targets,
    check_y,
    class_index,
    class_labels,
    label_matrix,
    real_targets,
    target_columns,
    unique_labels,
)


class Targets(NamedTuple):
    """The targets of a fit, and what follows from them.

    Attributes
    ----------
    values : (n_samples, 1) or (n_samples, n_outputs)
        As the loss takes them.
    labels : (n_samples,) or (n_samples, n_labels)
        Where the class of each sample stands among all; several labels as they are; nothing for
        real numbers.
    n_classes : int
        0 where a sample does not have one class: for several labels, and real numbers.
    learned : dict
        Attributes that the fit sets.
    """

    values: NDArray
    labels: NDArray[np.int64]
    n_outputs: int
    loss: Formula
    out_activation: Any
    n_classes: int
    learned: dict[str, Any]


def kind_of(model: Any) -> "Classes | Reals":
    """Return what a multi-layer network learns."""
    return Classes() if is_classifier(model) else Reals()


class Classes:
    """One class a sample, or a column of 0 and 1 for each of several labels."""

    def check(self, y: Any, X: Sized) -> NDArray:
        """Return labels, (n_samples,) or (n_samples, n_labels); ValueError if they are none."""
        if issparse(y):
            y = y.toarray()
        y = check_y(y, X)
        is_matrix = y.ndim == 2 and y.shape[1] > 1
        return label_matrix(y) if is_matrix else class_labels(y)

    def learn(
        self, model: Any, y: NDArray, dtype: np.dtype, goes_on: bool, classes: ArrayLike | None
    ) -> Targets:
        """Return what a fit to checked labels aims at.

        Parameters
        ----------
        goes_on : bool
            Whether the model knows its classes from an earlier fit.
        classes : (n_classes,), optional
            All that `partial_fit` will ever see.

        Raises
        ------
        ValueError
            If a label is not known, or `loss` or `out_activation` does not suit.
        """
        choose_loss(model.loss, 2, model.label_smoothing)  # raises, before a complaint of y
        given = None if classes is None else _check_classes(classes)
        is_matrix = y.ndim == 2
        if goes_on:
            known, is_multilabel = model.classes_, model.multilabel_
            if given is not None and not np.array_equal(given, known):
                raise ValueError(
                    f"classes={shown(classes)}: expected {shown(known.tolist())}, as before"
                )
        else:
            known, is_multilabel = given, is_matrix
            if known is None:
                known = np.arange(y.shape[1]) if is_matrix else unique_labels(y)
        how = "as before" if goes_on else "as classes says"
        index = _index_of(y, known, is_multilabel, how)
        # A label is there or not: a choice of two, for each.
        n_classes = 2 if is_multilabel else len(known)
        loss = choose_loss(model.loss, n_classes, model.label_smoothing)
        n_outputs = len(known) if is_multilabel else n_outputs_for(loss.row, n_classes)
        return Targets(
            _class_targets(index, len(known), loss.row, dtype),
            index,
            n_outputs,
            loss,
            choose_output(model.out_activation, loss.row, n_classes),
            0 if is_multilabel else n_classes,
            {"classes_": known, "multilabel_": is_multilabel},
        )

    def weights(self, model: Any, targets: Targets, weights: Any) -> NDArray | None:
        """Return the weights of samples, with those of their classes; ValueError if wrong."""
        wanted = model.class_weight
        if wanted is None:
            return weights
        dtype = targets.values.dtype
        if not targets.learned["multilabel_"]:
            classes = targets.learned["classes_"]
            return with_class_weight(weights, wanted, targets.labels, classes, dtype)
        if not isinstance(wanted, str):
            raise ValueError(
                f"class_weight={shown(wanted)}: expected None or 'balanced' where a sample has "
                "several labels"
            )
        # The product of all labels' weights, as in scikit-learn's compute_sample_weight
        factors = np.ones(len(targets.labels))
        for label in targets.labels.T:
            factors *= class_weights(wanted, label, np.arange(2), weights)[label]
        return (factors if weights is None else factors * weights).astype(dtype)

    def encode(self, model: Any, y: NDArray, dtype: np.dtype) -> NDArray:
        """Return targets for checked labels, as in the last fit; ValueError if one is unknown."""
        index = _index_of(y, model.classes_, model.multilabel_, "as in fit")
        return _class_targets(index, len(model.classes_), LOSSES[model.network_.loss], dtype)

    def score(
        self, model: Any, outputs: NDArray, y: NDArray, weights: Any, n_right: float
    ) -> float:
        """Return the accuracy of outputs for checked y: of several labels, all must be right.

        `n_right` is the weight of the samples whose class is right, as the kernels count them.
        """
        if model.multilabel_:
            right = (labels_of(outputs, model.network_) == y).all(axis=1)
            return float(np.average(right, weights=weights))
        if len(model.classes_) == 1:  # whatever the output
            return 1.0
        return n_right / (len(y) if weights is None else float(weights.sum(dtype=np.float64)))


class Reals:
    """Real numbers, (n_samples,) or (n_samples, n_outputs)."""

    def check(self, y: Any, X: Sized) -> NDArray:
        """Return targets as an array, as long as X; ValueError if they are none."""
        return check_y(y, X)

    def learn(
        self, model: Any, y: NDArray, dtype: np.dtype, goes_on: bool, classes: Any
    ) -> Targets:
        """Return what a fit to y aims at; ValueError if y or the loss does not suit."""
        loss = choose_loss(model.loss, 0, model.label_smoothing)
        last = choose_output(model.out_activation, loss.row, n_classes=0)
        values = check_targets(real_targets(y, dtype), loss.row)
        return Targets(
            values, np.empty(0, np.int64), values.shape[1], loss, last, 0, {"_flat": y.ndim == 1}
        )

    def weights(self, model: Any, targets: Targets, weights: Any) -> NDArray | None:
        """Return the weights of samples as they are."""
        if model.class_weight is not None:
            raise ValueError(
                f"class_weight={shown(model.class_weight)}: expected None, as a regression has no "
                "classes"
            )
        return weights

    def encode(self, model: Any, y: NDArray, dtype: np.dtype) -> NDArray:
        """Return targets for y, as in the last fit."""
        targets = check_targets(real_targets(y, dtype), LOSSES[model.network_.loss])
        if targets.shape[1] != model.network_.sizes[-1]:
            raise ValueError(
                f"y: {targets.shape[1]} outputs; expected {model.network_.sizes[-1]}, as in fit"
            )
        return targets

    def score(
        self, model: Any, outputs: NDArray, y: NDArray, weights: Any, n_right: float
    ) -> float:
        """Return R^2 of outputs for checked y, NaN if the training has diverged."""
        if not np.isfinite(outputs).all():
            return float("nan")
        with np.errstate(over="ignore"):  # about to diverge
            return float(r2_score(y, outputs, sample_weight=weights))


def labels_of(outputs: NDArray, net: Network) -> NDArray[np.int64]:
    """Return 1 where an output says that its label is there, else 0."""
    return (outputs > net.threshold).astype(np.int64)


def _check_classes(classes: ArrayLike) -> NDArray:
    """Return all classes, sorted; ValueError if they are no labels."""
    if isinstance(classes, str) or not isinstance(classes, (Sequence, np.ndarray)):
        raise ValueError(f"classes={shown(classes)}: expected a sequence of labels")
    if len(classes) == 0:
        raise ValueError(f"classes={shown(classes)}: expected at least one label")
    found = check_y(classes, np.empty(len(classes)), "classes")
    return np.unique(class_labels(found, "classes"))


def _index_of(y: NDArray, classes: NDArray, is_multilabel: bool, how: str) -> NDArray[np.int64]:
    """Return where each sample's class stands, or several labels as they are.

    Raises
    ------
    ValueError
        If the labels are not of the kind, and the number, that the classes say.
    """
    if is_multilabel and (y.ndim != 2 or y.shape[1] != len(classes)):
        raise ValueError(
            f"y: got shape {y.shape}; expected {len(classes)} columns, one per label, {how}"
        )
    if not is_multilabel and y.ndim == 2:
        raise ValueError(f"y: got {y.shape[1]} columns; expected one class per sample, {how}")
    if is_multilabel:
        return y
    try:
        return class_index(y, classes)
    except ValueError as error:
        raise ValueError(f"{error}, {how}") from None


def _class_targets(index: NDArray, n_classes: int, loss: Loss, dtype: np.dtype) -> NDArray:
    """Return what a loss takes for labels: (n, 1), or one column per class or label."""
    low = -1 if loss.targets == "sign" else 0
    if index.ndim == 2:
        return np.where(index == 1, dtype.type(1), dtype.type(low))
    if loss.targets == "index":
        return index[:, np.newaxis].astype(dtype)
    n_outputs = n_outputs_for(loss, n_classes)
    targets = target_columns(len(index), n_outputs, low, dtype)
    if n_outputs == 1:
        targets[index == 1] = 1
    else:
        targets[np.arange(len(index)), index] = 1
    return targets
