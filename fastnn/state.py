"""What belongs together changes together, and who gets a fit that Ctrl-C ended.

A signal handler runs between any two instructions of Python, and may raise there. So what a fit
has reached is written to the estimator by a single assignment: an exception finds all or nothing.
"""

import os
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .backends.cpu.panels import aligned_copy
from .backends.interface import State

E = TypeVar("E")


class SolverState(NamedTuple):
    """What the training of a multi-layer network goes on from, beside its parameters.

    Attributes
    ----------
    moments : (n_moments, n_parameters)
    seed : int
        Of shuffles and dropout, 64 bits.
    step, epoch : int
        Optimizer steps and epochs, over all fits.
    idle : int
        Epochs on end, the last ones, whose loss was not better by `tol`.
    rate_factor : float
        What an adaptive learning rate has come down to.
    """

    moments: NDArray
    seed: int
    step: int = 0
    epoch: int = 0
    idle: int = 0
    rate_factor: float = 1.0


def draft_of(estimator: E) -> E:
    """Return a shallow copy to set attributes on; `adopt` makes them the estimator's."""
    draft = object.__new__(type(estimator))
    draft.__dict__ = dict(vars(estimator))
    return draft


def adopt(estimator: Any, draft: Any) -> None:
    """Take over all attributes of a draft in one step."""
    estimator.__dict__ = vars(draft)


def commit(estimator: Any, **attributes: Any) -> None:
    """Set several attributes in one step."""
    estimator.__dict__ = {**vars(estimator), **attributes}


def state_of(network: Any) -> State:
    """Return what training has changed in a fitted multi-layer network."""
    own = vars(network)
    solver = own["solver_state_"]
    return State(own["params_"], solver.moments, solver.step, solver.epoch)


def copy_of(state: State) -> State:
    """Return the same with arrays of its own."""
    params, moments, *counts = state
    return State(aligned_copy(params), moments.copy(), *counts)


def record(
    network: Any,
    params: NDArray,
    solver: SolverState,
    curve: NDArray[np.float64],
    n_iter: int,
    reason: str,
    **counts: Any,
) -> None:
    """Take down, in one step, how far the fit of a multi-layer network has come.

    Parameters
    ----------
    curve : (n_epochs,)
        The losses of all epochs.
    n_iter : int
        Epochs of this fit.
    reason : str
        Why the fit ended; "interrupted" as long as it goes on.
    **counts
        Other attributes, such as `t_`.
    """
    commit(
        network,
        params_=params,
        solver_state_=solver,
        loss_curve_=curve,
        loss_=float(curve[-1]) if len(curve) else np.inf,
        n_iter_=n_iter,
        stop_reason_=reason,
        _no_improvement_count=solver.idle,  # scikit-learn's name for it
        **counts,
    )


def go_back(network: Any, state: State) -> None:
    """Give a multi-layer network an earlier state; its epochs stay counted."""
    solver = vars(network)["solver_state_"]._replace(moments=state.moments, step=state.step)
    commit(network, params_=state.params, solver_state_=solver)


def end_interrupted(message: str) -> None:
    """Decide what becomes of a training that Ctrl-C ended: called where that is handled.

    Somebody at a prompt or in a program of their own keeps the model, and is warned. Where
    a library drives the training (a search, a cross-validation), that has to stop too: the
    KeyboardInterrupt goes on. Either way the estimator is what its complete epochs made it.

    Raises
    ------
    KeyboardInterrupt
        If a library called, or was called on the way.
    """
    owners = map(_owner, _frames(sys._getframe(1)))
    if _is_driven([owner for owner in owners if owner != "neutral"]):
        raise
    warn_caller(message, UserWarning)


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn of something at the line that called fastnn."""
    frames = list(_frames(sys._getframe(1)))
    depth = next((n for n, f in enumerate(frames) if not _is_ours(f)), len(frames))
    warnings.warn(message, category, stacklevel=depth + 2)


def interrupted_after(n_epochs: int) -> str:
    """Return the warning of a fit that Ctrl-C ended."""
    return f"training was interrupted after {n_epochs} epochs; the model keeps what it has learned"


def _is_driven(owners: list[str]) -> bool:
    """Say whether a library drives a fit, from who owns the calls, the innermost first.

    It does if it called fastnn, or called the user's code that did. What stands below the user's
    outermost code, such as a notebook's shell or a test runner, drives nobody.
    """
    if "library" not in owners:
        return False
    return owners[0] == "library" or "user" in owners[owners.index("library") :]


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _is_ours(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == __package__


def _owner(frame: FrameType) -> str:
    """Return "user", "library", or "neutral" for fastnn itself and for the standard library."""
    path = os.path.realpath(frame.f_code.co_filename)
    if _is_ours(frame) or frame.f_code.co_filename.startswith("<frozen"):
        return "neutral"
    if {"site-packages", "dist-packages"} & set(path.split(os.sep)):
        return "library"
    if path.startswith(os.path.join(sysconfig.get_path("stdlib"), "")):
        return "neutral"
    # An installed program, such as pytest or jupyter
    return "library" if os.path.dirname(path) == sysconfig.get_path("scripts") else "user"
