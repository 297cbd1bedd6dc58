"""The parameter `early_stopping`: a part of the samples is held out, and says when to stop."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.interface import State
from .observer import Epoch
from .optimizers import LBFGS
from .parameters import BETWEEN_0_AND_1, check_flag, check_real
from .state import copy_of, go_back, state_of


def holds_out(model: Any) -> bool:
    """Say whether a model is trained with samples held out; as in scikit-learn, not by L-BFGS."""
    return check_flag("early_stopping", model.early_stopping) and model.solver != LBFGS


def split(
    n_samples: int, fraction: Any, seed: int, labels: NDArray | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return which samples to train on and which to hold out, in their order.

    Parameters
    ----------
    fraction : float
        The parameter `validation_fraction`.
    labels : (n_samples,) or None
        Of which both parts get their share.

    Raises
    ------
    ValueError
        If `fraction` is out of range, or a part would be too small.
    """
    from sklearn.model_selection import train_test_split  # here: few fits need its modules

    fraction = check_real("validation_fraction", fraction, BETWEEN_0_AND_1)
    try:
        rows, held_out = train_test_split(
            np.arange(n_samples),
            test_size=fraction,
            random_state=seed % 2**32,
            stratify=labels,
        )
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={fraction}: {error} (early_stopping=True holds samples out)"
        ) from None
    if len(held_out) < 2:
        raise ValueError(
            f"validation_fraction={fraction}: The validation set is too small: {len(held_out)} of "
            f"{n_samples} samples; expected 2 or more"
        )
    return np.sort(rows), np.sort(held_out)


class HeldOutScore:
    """A callback that stops when the score of held-out samples has not risen for some epochs.

    Parameters
    ----------
    tol : float or None
        By how much a score has to be higher to count; None: the training does not stop, but ends
        with its best epoch all the same.
    n_iter_no_change : int or inf
        Epochs on end that may pass without that.
    """

    _stop_reason = "validation_score"

    def __init__(self, tol: float | None, n_iter_no_change: float):
        self._tol, self._most = tol, n_iter_no_change
        self._idle = 0
        self._best = -np.inf
        self._best_state: State | None = None

    def on_fit_begin(self, model: Any) -> None:
        """Begin with the best epoch of earlier fits, if this one goes on where they ended."""
        if model.best_validation_score_ is not None:
            self._best = model.best_validation_score_
            self._keep(model)

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Compare with the best score so far."""
        score = epoch.val_score
        if self._tol is not None:
            self._idle = self._idle + 1 if score < self._best + self._tol else 0
        if score > self._best:
            self._best = score
            self._keep(epoch.model)
        return self._idle > self._most

    def on_fit_end(self, model: Any) -> None:
        """Give the model the parameters of its best epoch, with the solver's state they had."""
        if self._best_state is not None:
            go_back(model, self._best_state)

    def _keep(self, model: Any) -> None:
        self._best_state = copy_of(state_of(model))
