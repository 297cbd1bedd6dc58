"""A fit of a network: from its arguments to what it has written down at its end."""

import time
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.interface import State
from .early_stopping import HeldOutScore, holds_out
from .fitting import begin
from .hooks import Hooks, check_callbacks
from .lbfgs import minimize
from .observer import Observer
from .optimizers import LBFGS
from .sklearn_callbacks import hooks_of
from .state import adopt, commit, draft_of, record
from .streams.task import StreamTask
from .training import LossCurve, train


class Fit:
    """A fit that has been checked, and changes nothing before it starts.

    Parameters
    ----------
    model : MLPClassifier or MLPRegressor
    X, y, callbacks
        As for `fit`.
    keep_losses : bool
        Whether `loss_curve_` gets all losses, or the last one only.
    **arguments
        What else `fitting.begin` takes.

    Raises
    ------
    ValueError
        If an argument or a parameter is wrong.
    """

    def __init__(
        self, model: Any, X: Any, y: Any, callbacks: Any = (), keep_losses: bool = True, **arguments
    ):
        draft, checked = draft_of(model), check_callbacks(callbacks)
        self.model, self._draft = model, draft
        self.given, self.keep_losses = (X, y, arguments.get("sample_weight")), keep_losses
        self.is_watched = len(checked) > 0
        self.side_by_side = False  # with others: see `train_many` for what that may change
        if not arguments.get("is_partial"):
            checked += hooks_of(model, X, y, arguments["sample_weight"])
        self.task, self.rules, self.data = begin(draft, X, y, **arguments)
        if holds_out(draft):
            own = HeldOutScore(draft.tol, draft.n_iter_no_change)
            checked = [Hooks(own), *checked]
        self.hooks = checked
        self.observer = Observer(model, checked, self.data)

    def adopt(self) -> None:
        """Make the model what it is before the first epoch."""
        if self._draft is not None:
            adopt(self.model, self._draft)
        self._draft = None

    def start(self) -> None:
        """Do the same, and tell the callbacks; an error of theirs leaves the model as it was."""
        model, before = self.model, self.model.__dict__
        self.adopt()
        try:
            self.observer.begin(self.task)
        except BaseException:  # before any work: a missing folder, say
            model.__dict__ = before
            raise
        self._curve, self._first = LossCurve(model.loss_curve_), self.task.state.epoch
        self._n_seen, self._scores = model.t_, model.validation_scores_
        self._begin = time.perf_counter() - model.fit_time_
        self._n_measured = len(model._validation_curve)
        if isinstance(self.task, StreamTask):
            self.task.take_down = self._take_down_part

    def run(self, verbose: int) -> None:
        """Train it alone; see `training.train`."""
        loop = None
        if self.model.solver == LBFGS:
            loop = partial(minimize, max_fun=self.model.max_fun)
        train(self.task, self.rules, self.take_down, verbose, self.observer, loop)

    def take_down(self, state: State, losses: NDArray[np.float64], reason: str) -> None:
        """Write on the model, in one step, how far its training has come."""
        model, task = self.model, self.task
        measured = self.observer.validation_curve(state)  # before what it belongs to is there
        best, best_score, scores = model.best_loss_, model.best_validation_score_, self._scores
        if best is not None:  # else held-out samples say what is best
            best = float(np.fmin.reduce(losses, initial=best))
        elif scores is not None and len(measured) > self._n_measured:
            scores = [*scores, *measured[self._n_measured :, 2].tolist()]
            best_score = float(np.fmax.reduce(scores, initial=-np.inf))
        n_epochs = state.epoch - self._first
        record(
            model,
            state.params,
            task.solver_state(),
            self._losses(losses),
            n_epochs,
            reason,
            best_loss_=best,
            validation_scores_=scores,
            best_validation_score_=best_score,
            learning_rate_=task.rates.after(task.learning_rate, state.epoch),
            t_=self._n_seen + task.samples_seen(n_epochs),
            fit_time_=time.perf_counter() - self._begin,
            _validation_curve=measured,
        )

    def _take_down_part(self, state: State, n_seen: int) -> None:
        """Write on the model what a part of an epoch has made of it, which something has ended."""
        solver, n_seen = self.task.solver_state(), self._n_seen + n_seen
        commit(self.model, params_=state.params, solver_state_=solver, t_=n_seen)

    def _losses(self, losses: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return all losses, or the last one, with those of the last epochs."""
        if self.keep_losses:
            return self._curve.extended(losses)
        return losses[-1:].copy() if len(losses) else self.model.loss_curve_[-1:]
