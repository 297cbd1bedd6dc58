"""scikit-learn's own callbacks, of `set_callbacks` (SLEP023; scikit-learn 1.9 and later).

A fit calls them as one callback among its others: a task "fit", and below it a task for each
epoch. So they set up after all checks, and are torn down however the fit ends. `fit` itself has no
decorator of scikit-learn's: Ctrl-C would take it for a fit that a library drives.
"""

from typing import Any

from .hooks import Hooks
from .observer import Epoch

try:
    from sklearn.callback import CallbackSupportMixin as CallbackSupport
    from sklearn.callback import ProgressBar, with_callbacks
except ImportError:  # an older scikit-learn: estimators have no set_callbacks

    class CallbackSupport:  # type: ignore[no-redef]
        """Nothing."""

    class ProgressBar:  # type: ignore[no-redef]
        """None."""

    def with_callbacks(method: Any) -> Any:
        """Return what it is given."""
        return method


def hooks_of(model: Any, X: Any, y: Any, sample_weight: Any) -> list[Hooks]:
    """Return what a fit with these arguments calls for the callbacks that are set on a model."""
    if not vars(model).get("_skl_callbacks"):
        return []
    return [Hooks(SklearnCallbacks(X, y, sample_weight))]


def show_progress(model: Any) -> bool:
    """Say whether one of them is a progress bar."""
    return any(isinstance(one, ProgressBar) for one in vars(model).get("_skl_callbacks", ()))


class SklearnCallbacks:
    """The callbacks that are set on a model, as one of a fit with these arguments."""

    def __init__(self, X: Any, y: Any, sample_weight: Any):
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"X": X, "y": y, "metadata": metadata}
        self._fit: Any = None
        self._epoch: Any = None  # the task that has begun and not ended, if there is one
        self._n_left = 0

    def on_fit_begin(self, model: Any) -> None:
        """Set them up, and begin the task "fit"."""
        self._n_left = model.max_iter
        try:
            self._fit = model._init_callback_context(max_subtasks=model.max_iter)
            self._fit.call_on_fit_task_begin(estimator=model, **self._data)
        except BaseException:
            _end(model)
            raise

    def on_epoch_begin(self, model: Any) -> None:
        """Begin an epoch's task."""
        if self._n_left > 0:  # L-BFGS announces one more
            self._n_left -= 1
            self._epoch = self._fit.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(estimator=model, **self._arguments)

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """End an epoch's task."""
        task, self._epoch = self._epoch, None
        return task.call_on_fit_task_end(estimator=epoch.model, **self._arguments)

    def on_fit_end(self, model: Any) -> None:
        """End the task "fit", unless an exception has ended it, and tear them down."""
        if model.stop_reason_ == "interrupted":
            _end(model)
        else:
            _end(model, self._epoch, self._fit, self._arguments)

    @property
    def _arguments(self) -> dict[str, Any]:
        # The model is up to date, so that a copy of it is a fitted estimator.
        return {**self._data, "reconstruction_attributes": dict}


@with_callbacks  # which tears down when it returns
def _end(model: Any, epoch: Any = None, fit: Any = None, arguments: Any = None) -> None:
    """End an epoch that was announced and not run, and a fit."""
    if epoch is not None:
        epoch.call_on_fit_task_end(estimator=model)
    if fit is not None:
        fit.call_on_fit_task_end(estimator=model, **arguments)
