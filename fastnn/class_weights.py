"""What `class_weight` makes of the weights of samples."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parameters import NOT_BELOW_0, check_real, shown
from .validation import class_index


def with_class_weight(
    weights: NDArray | None,
    class_weight: Any,
    index: NDArray[np.int64],
    classes: NDArray,
    dtype: np.dtype,
) -> NDArray | None:
    """Return the weight of each sample, its class's weight included; None if all count alike.

    Parameters
    ----------
    weights : (n_samples,) or None
        Those of `sample_weight`, checked.
    class_weight : None, "balanced" or dict
        "balanced" gives a class n_samples / (n_classes n), n being its samples (King & Zeng 2001,
        section 4.2), a sample being counted by its weight; in a dict, classes that are missing
        have a weight of 1.
    index : (n_samples,)
        Where the class of each sample stands in `classes`.

    Raises
    ------
    ValueError
        If `class_weight` is none of these, names a class that is not there, has a weight below
        0, or leaves no sample any weight.
    """
    if class_weight is None:
        return weights
    of_classes = class_weights(class_weight, index, classes, weights).astype(dtype)
    found = of_classes[index] if weights is None else of_classes[index] * weights
    if not 0 < float(found.sum(dtype=np.float64)) < np.inf:
        raise ValueError(
            f"class_weight={shown(class_weight)}: expected weights of the samples with a finite "
            "sum above 0"
        )
    return found


def check_class_weight(class_weight: Any) -> None:
    """Raise ValueError unless it is None, "balanced", or a dict of weights."""
    if isinstance(class_weight, Mapping):
        for label, weight in class_weight.items():
            check_real(f"class_weight[{shown(label)}]", weight, NOT_BELOW_0)
    elif class_weight is not None and not is_balanced(class_weight):
        raise ValueError(
            f"class_weight={shown(class_weight)}: expected None, 'balanced' or a dict of weights"
        )


def is_balanced(class_weight: Any) -> bool:
    """Say whether the classes are to weigh the same."""
    return isinstance(class_weight, str) and class_weight == "balanced"


def class_weights(
    class_weight: Any,
    index: NDArray[np.int64],
    classes: NDArray,
    weights: NDArray | None = None,
) -> NDArray[np.float64]:
    """Return the weight of each class, (n_classes,)."""
    check_class_weight(class_weight)
    if is_balanced(class_weight):
        counts = np.bincount(index, weights, len(classes)).astype(np.float64)
        mean = counts.sum() / np.count_nonzero(counts)
        return np.divide(mean, counts, out=np.zeros(len(classes)), where=counts > 0)
    found = np.ones(len(classes))
    for label, weight in class_weight.items():
        try:
            at = class_index(np.atleast_1d(np.asarray(label)), classes)[0]
        except ValueError:
            raise ValueError(
                f"class_weight: {shown(label)} is not among the classes {shown(classes.tolist())}"
            ) from None
        found[at] = weight
    return found
