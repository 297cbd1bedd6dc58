"""What all estimators share beyond scikit-learn's base class."""

from functools import cache
from typing import Any

from sklearn.base import BaseEstimator

from . import backends


class Estimator(BaseEstimator):
    """An estimator that tells the worker process it is sent to which back end to use."""

    @classmethod
    @cache  # scikit-learn inspects the signature whenever it copies, sets or asks for a parameter
    def _get_param_names(cls):
        return super()._get_param_names()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_sent_from": backends.message()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        backends.receive(state.pop("_sent_from", ""))
        super().__setstate__(state)
