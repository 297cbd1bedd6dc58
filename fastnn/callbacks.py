"""Callbacks of a fit: early stopping, a time limit, a log file, checkpoints.

A callback is an object with a method `on_epoch_end(epoch)`, which gets an `Epoch` and returns True
to end the training. With an attribute `every` it is called after every so many epochs only, and
a small network trains as fast as without it in between. An exception of a callback ends the fit;
the model keeps what it has learned.
"""

import csv
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .persistence import checkpoints, save, step_of
from .validation import check_positive, is_integer


class Epoch:
    """What a callback sees after an epoch; what takes time to compute is computed when asked for.

    Attributes
    ----------
    model : estimator
        Usable as after the fit.
    number : int
        Epochs trained, over all fits of the model.
    loss : float
        Mean loss of the epoch's samples, each taken before the update of its batch.
    seconds : float
        Since the fit began.
    training_data : (X, y)
    accuracy : float
        On the training samples, without dropout (for a regression the score R^2).
    val_loss, val_accuracy : float
        The same on `validation_data`; ValueError if `fit` had none.
    """

    def __init__(
        self, model: Any, number: int, loss: float, seconds: float, data: tuple, held_out: Any
    ):
        self.model, self.number, self.loss, self.seconds = model, number, loss, seconds
        self.training_data, self._held_out = data, held_out

    @cached_property
    def accuracy(self) -> float:
        """See above."""
        return float(self.model.score(*self.training_data))

    @cached_property
    def val_accuracy(self) -> float:
        """See above."""
        return float(self.model.score(*self._validation))

    @cached_property
    def val_loss(self) -> float:
        """See above."""
        return float(self.model.evaluate(*self._validation)[0])

    @property
    def _validation(self) -> Any:
        if self._held_out is None:
            raise ValueError("validation_data: a callback asks for it; pass (X, y) to fit")
        return self._held_out


class EarlyStopping:
    """Stop when a measure has not become better for a number of epochs.

    Parameters
    ----------
    monitor : {"val_loss", "val_accuracy", "loss", "accuracy"}, default "val_loss"
    patience : int, default 10
        Epochs without a better value.
    min_delta : float, default 0
        A value counts as better if it is by more than this.
    restore_best_weights : bool, default True
        Whether the model gets the parameters of its best epoch back at the end.

    Attributes
    ----------
    best_, best_epoch_ : float, int
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        patience: int = 10,
        min_delta: float = 0.0,
        restore_best_weights: bool = True,
    ):
        known = ("val_loss", "val_accuracy", "loss", "accuracy")
        if monitor not in known:
            raise ValueError(f"monitor={monitor!r}: expected one of {known}")
        _check_count("patience", patience)
        if not min_delta >= 0:
            raise ValueError(f"min_delta={min_delta!r}: expected a number of 0 or above")
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta
        self.restore_best_weights = restore_best_weights
        self.best_, self.best_epoch_ = np.inf, 0
        self._params: NDArray | None = None

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Compare with the best value so far."""
        value = getattr(epoch, self.monitor)
        loss = -value if self.monitor.endswith("accuracy") else value
        best = -self.best_ if self.monitor.endswith("accuracy") and self.best_epoch_ else self.best_
        if loss < best - self.min_delta or not self.best_epoch_:
            self.best_, self.best_epoch_ = value, epoch.number
            self._params = epoch.model.params_.copy()
        stop = epoch.number - self.best_epoch_ >= self.patience
        if stop and self.restore_best_weights and self._params is not None:
            epoch.model.params_[:] = self._params
        return stop


class TimeLimit:
    """Stop after the first epoch that ends so many seconds after the fit began.

    Parameters
    ----------
    seconds : float
    """

    def __init__(self, seconds: float):
        check_positive("seconds", seconds)
        self.seconds = seconds

    def on_epoch_end(self, epoch: Epoch) -> bool:
        """Look at the clock."""
        return epoch.seconds >= self.seconds


class CSVLogger:
    """Write a line per epoch to a CSV file.

    Parameters
    ----------
    path : path
    fields : sequence of str, default ("epoch", "loss", "seconds")
        Also "accuracy", "val_loss" and "val_accuracy".
    append : bool, default False
        Whether to go on with an existing file, when a training is resumed.
    every : int, default 1
    """

    def __init__(
        self,
        path: str | Path,
        fields: Sequence[str] = ("epoch", "loss", "seconds"),
        append: bool = False,
        every: int = 1,
    ):
        known = ("epoch", "loss", "seconds", "accuracy", "val_loss", "val_accuracy")
        for field in fields:
            if field not in known:
                raise ValueError(f"fields: unknown {field!r}; expected some of {known}")
        _check_count("every", every)
        self.path, self.fields, self.append, self.every = Path(path), tuple(fields), append, every

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Write a line; the file is closed again, so that a crash loses none."""
        new = not self.append or not self.path.is_file()
        values = [epoch.number if f == "epoch" else getattr(epoch, f) for f in self.fields]
        with self.path.open("w" if new else "a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(self.fields)
            writer.writerow(values)
        self.append = True


class ModelCheckpoint:
    """Save the model after every so many epochs; a kill at any moment leaves the last good file.

    Parameters
    ----------
    path_pattern : str or path
        With the number of the epoch, such as "xor-{epoch:06d}.safetensors".
    every : int, default 1
    keep : int or None
        How many of the newest to keep; None keeps all.
    """

    def __init__(self, path_pattern: str | Path, every: int = 1, keep: int | None = None):
        self.path_pattern = str(path_pattern)
        step_of(self.path_pattern, self.path_pattern)  # raises if the pattern has no epoch
        _check_count("every", every)
        if keep is not None:
            _check_count("keep", keep)
        self.every, self.keep = every, keep

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Save, then remove what is too old."""
        save(epoch.model, self.path_pattern.format(epoch=epoch.number))
        if self.keep is not None:
            for path in checkpoints(self.path_pattern)[: -self.keep]:
                path.unlink(missing_ok=True)


class Observer:
    """Calls the callbacks of a fit, and says how many epochs may pass until the next is due."""

    def __init__(self, model: Any, callbacks: Sequence[Any], data: tuple, held_out: Any):
        for callback in callbacks:
            if not callable(getattr(callback, "on_epoch_end", None)):
                raise ValueError(f"callbacks: {callback!r} has no method on_epoch_end")
            _check_count("callbacks: every", getattr(callback, "every", 1))
        self._model, self._callbacks, self._data = model, list(callbacks), data
        self._held_out = held_out
        self._begin = time.perf_counter()

    def epochs_left(self, epoch: int) -> int:
        """Return the number of epochs until a callback is due."""
        everys = [getattr(callback, "every", 1) for callback in self._callbacks]
        return min((every - epoch % every for every in everys), default=2**31)

    def after(self, task: Any, blocks: list[NDArray[np.float64]]) -> bool:
        """Bring the model up to date and call who is due; return whether one says stop.

        `blocks` are the losses of the fit's epochs so far.
        """
        due = [c for c in self._callbacks if task.epoch % getattr(c, "every", 1) == 0]
        if not due:
            return False
        self._model._record(task, np.concatenate(blocks))
        seconds = time.perf_counter() - self._begin
        epoch = Epoch(
            *(self._model, task.epoch, self._model.loss_, seconds, self._data, self._held_out)
        )
        answers = [callback.on_epoch_end(epoch) for callback in due]  # all, also after a stop
        return any(answers)


def _check_count(name: str, value: Any) -> None:
    if not is_integer(value) or value < 1:
        raise ValueError(f"{name}={value!r}: expected an integer of 1 or above")
