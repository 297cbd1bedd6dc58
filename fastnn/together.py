"""Fits of several estimators together."""

from collections.abc import Sequence
from typing import Any


def fit_together(
    jobs: Sequence[tuple[Any, Any, Any, Any]], *, verbose: bool | int = True
) -> list[Any]:
    """Fit estimators, each on data of its own.

    Parameters
    ----------
    jobs : sequence of (estimator, X, y, sample_weight)
    verbose : bool or int, default True

    Returns
    -------
    list
        The fitted estimators, each as its `fit` would be.
    """
    return [estimator.fit(X, y, sample_weight) for estimator, X, y, sample_weight in jobs]
