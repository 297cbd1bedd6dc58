"""Callbacks that write where people look already: TensorBoard and MLflow.

Each takes the loss and the learning rate of an epoch, and what is measured on validation data; to
measure the training data as well takes a pass over them.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

from .card import text_of
from .observer import Epoch
from .parameters import check_flag, check_integer
from .persistence import save


def _measures(epoch: Epoch, accuracy: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Return what an epoch gave on the training data, and on validation data if there are any."""
    score = epoch.model._score_name.removeprefix("val_")
    training = {"loss": epoch.loss, "learning_rate": epoch.model.learning_rate_}
    if accuracy:
        training[score] = epoch.score
    has_validation = epoch.has_validation
    return training, {"loss": epoch.val_loss, score: epoch.val_score} if has_validation else {}


class TensorBoard:
    """Write events for TensorBoard, as Keras's callback does, by TensorBoard's own writer.

    The measures of training and of validation data are two runs, "train" and "validation", with
    the same tags: "epoch_loss", "epoch_accuracy" (a regressor: "epoch_score") and
    "epoch_learning_rate".

    Parameters
    ----------
    log_dir : str or path, default "logs"
        What `tensorboard --logdir` gets.
    accuracy : bool, default False
        Whether to measure the training data, too.
    every : int, default 1

    Raises
    ------
    ImportError
        When a fit begins, if TensorBoard is missing: `pip install 'fastnn[tensorboard]'`.

    Examples
    --------
    >>> import os
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), max_iter=3, tol=None)
    >>> model = model.fit(X, y, callbacks=[fastnn.TensorBoard("logs")])
    >>> os.listdir("logs")  # tensorboard --logdir logs
    ['train']
    """

    def __init__(self, log_dir: str | Path = "logs", accuracy: bool = False, every: int = 1):
        if not isinstance(log_dir, (str, os.PathLike)):
            raise ValueError(f"log_dir={log_dir!r}: expected the path of a folder")
        self.log_dir, self.accuracy = Path(log_dir), check_flag("accuracy", accuracy)
        self.every = check_integer("every", every, 1)
        self._writers: dict[str, Any] = {}

    def on_fit_begin(self, model: Any) -> None:
        """See that there is a writer, and a folder to write to."""
        _tensorboard_writer()
        self._writers = {}
        self.log_dir.mkdir(parents=True, exist_ok=True)

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Write, so that a page that is open shows it."""
        training, validation = _measures(epoch, self.accuracy)
        self._write("train", epoch.number, training)
        if validation:
            self._write("validation", epoch.number, validation)

    def on_fit_end(self, model: Any) -> None:
        """Close the files."""
        while self._writers:
            self._writers.popitem()[1].close()

    def _write(self, run: str, number: int, values: dict[str, float]) -> None:
        if run not in self._writers:
            self._writers[run] = _tensorboard_writer()(str(self.log_dir / run))
        writer = self._writers[run]
        for name, value in values.items():
            writer.add_scalar(f"epoch_{name}", value, number)
        writer.flush()


def _tensorboard_writer() -> Any:
    try:
        from tensorboard.summary import Writer
    except ImportError as error:
        raise ImportError(
            f"tensorboard cannot be imported ({error}): pip install 'fastnn[tensorboard]'"
        ) from None
    return Writer


class MLflow:
    """Log a fit to MLflow: parameters, measures of each epoch, the model's card and its file.

    In the run that is active; if there is none, in one of its own.

    Parameters
    ----------
    save_model : bool, default True
        Whether the fitted model becomes an artifact, "model.safetensors", which `fastnn.load`
        reads: no pickle.
    accuracy : bool, default False
        Whether to measure the training data, too.
    every : int, default 1

    Raises
    ------
    ImportError
        When a fit begins, if MLflow is missing: `pip install 'fastnn[mlflow]'`.

    Examples
    --------
    >>> import fastnn
    >>> import mlflow
    >>> X, y = fastnn.load_xor()
    >>> model = fastnn.MLPClassifier((8,), max_iter=3, tol=None)
    >>> with mlflow.start_run() as run:
    ...     model = model.fit(X, y, callbacks=[fastnn.MLflow()])
    >>> sorted(mlflow.get_run(run.info.run_id).data.metrics)
    ['learning_rate', 'loss']
    """

    def __init__(self, save_model: bool = True, accuracy: bool = False, every: int = 1):
        self.save_model = check_flag("save_model", save_model)
        self.accuracy = check_flag("accuracy", accuracy)
        self.every = check_integer("every", every, 1)
        self._is_own = False

    def on_fit_begin(self, model: Any) -> None:
        """Log the parameters, in a run that is begun unless there is one."""
        mlflow = _mlflow()
        self._is_own = mlflow.active_run() is None
        if self._is_own:
            mlflow.start_run()
        given = model.get_params(deep=False)
        try:
            mlflow.log_params({name: str(value)[:500] for name, value in given.items()})
        except BaseException:  # the fit does not begin: nobody else would end the run
            if self._is_own:
                mlflow.end_run("FAILED")
            raise

    def on_epoch_end(self, epoch: Epoch) -> None:
        """Log what the epoch gave."""
        training, validation = _measures(epoch, self.accuracy)
        found = training | {f"val_{name}": value for name, value in validation.items()}
        _mlflow().log_metrics(found, step=epoch.number)

    def on_fit_end(self, model: Any) -> None:
        """Log the card and the model, and end the run if it is the callback's own."""
        mlflow = _mlflow()
        status = "KILLED" if model.stop_reason_ == "interrupted" else "FINISHED"
        try:
            mlflow.log_text(text_of(model), "card.txt")
            if self.save_model and model.stop_reason_ != "diverged":  # which no file can hold
                with tempfile.TemporaryDirectory() as folder:
                    save(model, Path(folder, "model.safetensors"))
                    mlflow.log_artifact(str(Path(folder, "model.safetensors")))
        finally:
            if self._is_own:
                mlflow.end_run(status)


def _mlflow() -> Any:
    try:
        import mlflow
    except ImportError as error:
        raise ImportError(
            f"mlflow cannot be imported ({error}): pip install 'fastnn[mlflow]'"
        ) from None
    return mlflow
