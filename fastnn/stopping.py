"""When a training stops: rules, and what watches the losses for them."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parameters import NOT_BELOW_0, check_count, check_integer, check_real

NONE_OR_NOT_BELOW_0 = NOT_BELOW_0._replace(expected=f"None or {NOT_BELOW_0.expected}")


class StoppingRules(NamedTuple):
    """When to stop (the course's 1.2.7); a rule that is None is not applied.

    Attributes
    ----------
    max_iter : int
        Epochs at most; with 0 a fit only sets the initial weights.
    loss_threshold : float or None
        Stop after an epoch whose loss is below it.
    weight_threshold : float or None
        Stop after an epoch that changed no parameter by as much.
    tol : float or None
    n_iter_no_change : int or inf
        Stop when the best loss fell by less than `tol` in each of more than so many epochs on end.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier(
    ...     (8,), "tanh", learning_rate_init=0.05, loss_threshold=0.1, random_state=0
    ... )
    >>> model.fit(X, y).stop_reason_
    'loss_threshold'
    """

    max_iter: int
    loss_threshold: float | None = None
    weight_threshold: float | None = None
    tol: float | None = None
    n_iter_no_change: float = 10

    @classmethod
    def of(cls, estimator: Any) -> "StoppingRules":
        """Return the rules that an estimator's parameters name; ValueError if out of range."""
        return cls(**{name: getattr(estimator, name) for name in cls._fields}).check()

    def check(self) -> "StoppingRules":
        """Return the rules in Python's numbers; ValueError for a value out of range."""
        thresholds = {
            name: check_real(name, getattr(self, name), NONE_OR_NOT_BELOW_0)
            for name in ("loss_threshold", "weight_threshold", "tol")
            if getattr(self, name) is not None
        }
        return self._replace(
            max_iter=check_integer("max_iter", self.max_iter, 0),
            n_iter_no_change=check_count("n_iter_no_change", self.n_iter_no_change, 1),
            **thresholds,
        )

    @property
    def need_losses(self) -> bool:
        """Whether a rule looks at the loss of each epoch."""
        return self.loss_threshold is not None or self.tol is not None


class Watch:
    """Applies the rules that look at the losses, epoch by epoch.

    Parameters
    ----------
    best : float
        The best loss so far, of fits that this one goes on from.
    idle : int
        Epochs on end, up to now, whose loss was not better by `tol`.
    """

    def __init__(self, best: float = np.inf, idle: int = 0):
        self._best = best
        self.idle = idle

    def first_stop(
        self, losses: NDArray[np.float64], rules: StoppingRules
    ) -> tuple[int, str] | None:
        """Return how many of these epochs to keep, and why no more; None to go on."""
        for epoch, loss in enumerate(losses.tolist(), start=1):
            if not np.isfinite(loss):
                return epoch, "diverged"
            if rules.loss_threshold is not None and loss < rules.loss_threshold:
                return epoch, "loss_threshold"
            if rules.tol is not None:
                self.idle = self.idle + 1 if loss > self._best - rules.tol else 0
                self._best = min(self._best, loss)
                if self.idle > rules.n_iter_no_change:
                    return epoch, "tol"
        return None
