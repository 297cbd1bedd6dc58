"""L-BFGS (Liu & Nocedal 1989) for small data: SciPy's, over the kernels' loss and gradient."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.cpu.panels import aligned_copy
from .backends.shared import penalty_of
from .stopping import StoppingRules
from .training import MLPTask, is_finite


class _Stop(Exception):
    """Ends SciPy's loop."""


def minimize(
    task: MLPTask, rules: StoppingRules, record: Any, observer: Any, bar: Any, max_fun: int
) -> str | None:
    """Train on all samples at once, an iteration an epoch; see `training.train`.

    The iterations end where no partial derivative is above `tol`, as in scikit-learn, or where
    SciPy finds no better parameters.

    Returns
    -------
    str or None
        What is not finite, if the training diverged.
    """
    from scipy.optimize import minimize as scipy_minimize
    from threadpoolctl import threadpool_limits

    dtype, first = task.state.params.dtype, task.state.epoch
    reason = "max_iter"

    def loss_and_gradient(w: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        loss, gradient = task.kernels.mlp_loss_gradient(
            task.net, w.astype(dtype), task.samples, task.optimizer, task.seed, task.state.step
        )
        return loss, gradient.astype(np.float64)

    def iteration(intermediate_result: Any) -> None:
        nonlocal reason
        params = aligned_copy(intermediate_result.x.astype(dtype))
        penalty = penalty_of(task.optimizer, task.net, params) / task.total_weight
        losses = np.array([intermediate_result.fun - penalty])
        change = np.abs(params - task.state.params).max()
        task.state = task.state._replace(
            params=params, step=task.state.step + 1, epoch=task.state.epoch + 1
        )
        reason = "interrupted"
        if not (np.isfinite(losses[0]) and is_finite(params)):
            reason = "diverged"
        elif rules.loss_threshold is not None and losses[0] < rules.loss_threshold:
            reason = "loss_threshold"
        elif rules.weight_threshold is not None and change < rules.weight_threshold:
            reason = "weight_threshold"
        record(task.state, losses, reason)
        bar.update(task.n_samples)
        bar.epochs(task.state.epoch - first, losses)
        if observer is not None and observer.after(task) and reason == "interrupted":
            reason = observer.reason
            record(task.state, np.empty(0), reason)
        if reason != "interrupted":
            raise _Stop

    if rules.max_iter > 0:
        options = {"maxiter": rules.max_iter, "maxfun": max_fun, "gtol": rules.tol or 0.0}
        try:
            # Its vectors are short: threads of BLAS would wait for each other, not work.
            with threadpool_limits(1, "blas"):
                found = scipy_minimize(
                    loss_and_gradient,
                    task.state.params.astype(np.float64),
                    method="L-BFGS-B",
                    jac=True,
                    callback=iteration,
                    options=options,
                )
        except _Stop:
            return "loss or largest parameter" if reason == "diverged" else None
        reached_end = task.state.epoch - first == rules.max_iter
        reason = "max_iter" if found.status == 1 or reached_end else "tol"
    record(task.state, np.empty(0), reason)
    return None
