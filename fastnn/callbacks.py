"""Callbacks of a fit: early stopping, a time limit, a log file, checkpoints.

A callback is an object with a method `on_epoch_end(epoch)`, which gets an `Epoch` and returns True
to end the training, or just a function of an `Epoch`. With an attribute `every` it is called after
every so many epochs only, and a small network trains as fast as without it in between. It may have
more methods: `on_fit_begin(model)`, called before the first epoch, `on_epoch_begin(model)`, called
before the epochs until its next turn, and `on_fit_end(model)`, called however the fit ends. Keras's
names `on_train_begin` and `on_train_end` do as well, where those are missing. An exception of a
callback ends the fit; the model keeps what it has learned.

Hyper-parameters named in an attribute `restores` are what they were before, when the fit has ended.
With an attribute `needs_validation` that is true, a fit without validation data is refused.
"""

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .backends.interface import State
from .monitor import MEASURES, Monitor
from .observer import Epoch
from .parameters import (
    ABOVE_0,
    check_flag,
    check_integer,
    check_real,
    check_sequence,
)
from .persistence import CheckpointError, checkpoints, load, save, step_of
from .state import copy_of, go_back, state_of


class EarlyStopping(Monitor):
    """Stop when a measure has not become better for a number of epochs.

    Parameters
    ----------
    monitor : str, default "val_loss"
        "val_loss", "val_accuracy" (a regressor's R^2, also "val_score"), "loss" or "accuracy"
        (also "score").
    patience : int, default 10
        Epochs without a better value.
    min_delta : float, default 0
        A value counts as better if it is by more than this.
    restore_best_weights : bool, default True
        Whether the model gets the parameters of its best epoch back at the end.

    Attributes
    ----------
    best_, best_epoch_ : float, int

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_digits()
    >>> model = fastnn.MLPClassifier((16,), max_iter=100, tol=None, random_state=0)
    >>> stop = fastnn.EarlyStopping(patience=3)
    >>> model = model.fit(X[:800], y[:800], callbacks=[stop], validation_data=(X[800:], y[800:]))
    >>> model.n_iter_ == stop.best_epoch_ + 3
    True
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best_weights: bool = True,
    ):
        super().__init__(monitor, min_delta)
        self.patience = check_integer("patience", patience, 1)
        self.restore_best_weights = check_flag("restore_best_weights", restore_best_weights)
        self._best_state: State | None = None

    def on_fit_begin(self, model: Any) -> None:
        """Forget an earlier fit."""
        self._forget()
        self._best_state = None
        self._last_better = model.n_epochs_

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Compare with the best value so far."""
        if self._is_better(epoch):
            self._last_better = epoch.number
            if self.restore_best_weights:
                self._best_state = copy_of(state_of(epoch.model))
        return epoch.number - self._last_better >= self.patience

    def on_fit_end(self, model: Any) -> None:
        """Give the model the parameters of its best epoch, with the solver's state that they had.

        The epochs since then stay counted, and in `loss_curve_`.
        """
        if self._best_state is not None:
            go_back(model, self._best_state)
            self._best_state = None


class TimeLimit:
    """Stop after the first epoch that ends so many seconds after the fit began.

    Parameters
    ----------
    seconds : float

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), max_iter=10**8, tol=None)
    >>> model.fit(X, y, callbacks=[fastnn.TimeLimit(0.1)]).stop_reason_
    'callback'
    """

    def __init__(self, seconds: float):
        self.seconds = check_real("seconds", seconds, ABOVE_0)

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Look at the clock."""
        return epoch.seconds >= self.seconds


class CSVLogger:
    """Write a line per epoch to a CSV file.

    Parameters
    ----------
    path : path
    fields : sequence of str, default ("epoch", "loss", "seconds")
        Also "accuracy", "val_loss", "val_accuracy", "score" and "val_score".
    append : bool, default False
        Whether to go on with an existing file, when a training is resumed.
    every : int, default 1

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), max_iter=2, tol=None)
    >>> log = fastnn.CSVLogger("log.csv", fields=("epoch", "accuracy"))
    >>> model = model.fit(X, y, callbacks=[log])
    >>> log.path.read_text().splitlines()[0]
    'epoch,accuracy'
    """

    def __init__(
        self,
        path: str | Path,
        fields: Sequence[str] = ("epoch", "loss", "seconds"),
        append: bool = False,
        every: int = 1,
    ):
        known = ("epoch", "seconds", *MEASURES)
        self.fields = tuple(check_sequence("fields", fields, f"a sequence of some of {known}"))
        for field in self.fields:
            if field not in known:
                raise ValueError(f"fields: unknown {field!r}; expected some of {known}")
        if not isinstance(path, (str, os.PathLike)):
            raise ValueError(f"path={path!r}: expected the path of a file")
        self.path, self.append = Path(path), check_flag("append", append)
        self.every = check_integer("every", every, 1)
        self.needs_validation = any(field.startswith("val_") for field in self.fields)
        self._has_begun = False

    def on_fit_begin(self, model: Any) -> None:
        """See that the file can be written; with the first line it begins anew."""
        self._has_begun = False
        _check_folder("path", self.path.parent)
        if self.path.is_dir() or (self.path.exists() and not os.access(self.path, os.W_OK)):
            raise OSError(f"path: {str(self.path)!r} is not a file that can be written")

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Write a line; the file is closed again, so that a crash loses none."""
        goes_on = self._has_begun or self.append
        new = not goes_on or not self.path.is_file() or self.path.stat().st_size == 0
        values = [epoch.number if f == "epoch" else getattr(epoch, f) for f in self.fields]
        with self.path.open("w" if new else "a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(self.fields)
            writer.writerow(values)
        self._has_begun = True


class ModelCheckpoint(Monitor):
    """Save the model after every so many epochs; a kill at any moment leaves the last good file.

    Parameters
    ----------
    path_pattern : str or path
        With the number of the epoch, such as "xor-{epoch:06d}.safetensors"; with `save_best_only`
        it may do without, and the file is replaced. A folder that is missing is made before the
        first epoch.
    every : int, default 1
    keep : int or None
        How many of the newest of this training to keep; None keeps all. Files of other trainings
        are left alone, unless one has the name of a new one.
    save_best_only : bool, default False
        Whether to save only a model that is better than all before. When a training goes on, that
        is also its newest file.
    monitor : str, default "val_loss"
        What says so, as for `EarlyStopping`.

    Attributes
    ----------
    best_, best_epoch_ : float, int
        With `save_best_only`.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), max_iter=6, tol=None)
    >>> save = fastnn.ModelCheckpoint("xor-{epoch:02d}.safetensors", every=2, keep=1)
    >>> model = model.fit(X, y, callbacks=[save])
    >>> fastnn.latest_checkpoint("xor-{epoch:02d}.safetensors").name
    'xor-06.safetensors'
    """

    def __init__(
        self,
        path_pattern: str | Path,
        every: int = 1,
        keep: int | None = None,
        save_best_only: bool = False,
        monitor: str = "val_loss",
    ):
        super().__init__(monitor)
        self.save_best_only = check_flag("save_best_only", save_best_only)
        self.path_pattern = str(path_pattern)
        self._is_one_file = self.save_best_only and not {"{", "}"} & set(self.path_pattern)
        if not self._is_one_file:
            step_of(self.path_pattern, self.path_pattern)  # raises if files could not be found
        self.every = check_integer("every", every, 1)
        self.keep = None if keep is None else check_integer("keep", keep, 1)
        self._written: list[Path] = []

    @property
    def needs_validation(self) -> bool:
        """Whether the measure is of validation data."""
        return self.save_best_only and super().needs_validation

    def on_fit_begin(self, model: Any) -> None:
        """Make the folder; if the model goes on, find its own checkpoints."""
        folder = Path(self.path_pattern).parent
        folder.mkdir(parents=True, exist_ok=True)
        _check_folder("path_pattern", folder)
        self._written = []
        self._forget()
        if model.n_epochs_ == 0 or (self.keep is None and not self.save_best_only):
            return
        found = [(path, _earlier_state(path, model)) for path in self._earlier_files(model)]
        own = [(path, state) for path, state in found if state is not None]
        self._written = [path for path, _ in own] if self.keep is not None else []
        if own and self.save_best_only:
            self._update(_last(own[-1][1].history_, self.monitor), own[-1][1].n_epochs_)

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Save, then remove what is too old; what has diverged is nothing to go back to."""
        if epoch.model.stop_reason_ == "diverged":
            return
        if self.save_best_only and not self._is_better(epoch):
            return
        path = Path(self.path_pattern.format(epoch=epoch.number))
        save(epoch.model, path)
        self._written = [other for other in self._written if other != path] + [path]
        if self.keep is not None:
            while len(self._written) > self.keep:
                self._written.pop(0).unlink(missing_ok=True)

    def _earlier_files(self, model: Any) -> list[Path]:
        """Return the newest files that can be of the model's training so far."""
        if self._is_one_file:
            return [Path(self.path_pattern)]
        earlier = [
            path
            for path in checkpoints(self.path_pattern)
            if (step_of(self.path_pattern, str(path)) or 0) <= model.n_epochs_
        ]
        return earlier[-(self.keep or 1) :]


def _earlier_state(path: Path, model: Any) -> Any:
    """Return a file's model if it is of the training that has made this one; else None."""
    try:
        found: Any = load(path)
    except (CheckpointError, OSError):
        return None
    if type(found) is not type(model) or found.solver_state_.seed != model.solver_state_.seed:
        return None
    curve = model.loss_curve_[: len(found.loss_curve_)]
    return found if np.array_equal(found.loss_curve_, curve, equal_nan=True) else None


def _last(history: dict[str, list], measure: str) -> float:
    """Return a measure of the last epoch, NaN if it was not taken down."""
    if measure == "loss":
        return history["loss"][-1]
    if history.get("val_epoch", [0])[-1] != len(history["loss"]):
        return np.nan
    if measure == "val_loss":
        return history["val_loss"][-1]
    return history.get("val_accuracy", history.get("val_score", [np.nan]))[-1]


def _check_folder(name: str, folder: Path) -> None:
    """Raise OSError unless files can be written to a folder."""
    if not (folder.is_dir() and os.access(folder, os.W_OK)):
        raise OSError(f"{name}: there is no folder {str(folder)!r} that can be written to")
