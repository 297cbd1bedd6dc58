"""What systems 9 and 10 share: pictures, training with checkpoints, resuming."""

import numpy as np
from sklearn.base import clone
from sklearn.metrics import confusion_matrix

import fastnn
from fastnn import plotting


class Log:
    """Prints and keeps loss and accuracy of every epoch, in training and in test."""

    def __init__(self, lesson):
        self.lesson, self.rows = lesson, []

    def on_epoch_end(self, epoch):
        """Take down the four figures."""
        loss, accuracy = epoch.model.evaluate(*epoch.training_data)
        self.rows.append((loss, accuracy, epoch.val_loss, epoch.val_accuracy))
        self.lesson.print(
            f"epoch {epoch.number:2}  loss {loss:.4f}  accuracy {accuracy:.4f}  "
            f"test loss {epoch.val_loss:.4f}  test accuracy {epoch.val_accuracy:.4f}"
        )


def show_images(lesson, data, names):
    """Draw the first image with a colour bar, and a 5 x 5 grid with labels."""
    with lesson.figure("first") as axes:
        drawn = plotting.image(axes, data.X_train[0], names[data.y_train[0]])
        axes.figure.colorbar(drawn)
    with lesson.figure("grid", 5, 5, figsize=(7, 7.6)) as grid:
        for axes, pixels, label in zip(grid.flat, data.X_train, data.y_train, strict=False):
            plotting.image(axes, pixels, names[label])


def checkpointed(lesson, model, data, pattern):
    """Train with a checkpoint after each epoch; load the last and compare. Return the log."""
    test = data.X_test, data.y_test
    untrained = clone(model).set_params(max_iter=0).fit(data.X_train, data.y_train)
    lesson.print(f"untrained, test accuracy {untrained.score(*test):.4f}")
    log, saver = Log(lesson), fastnn.ModelCheckpoint(pattern, every=1)
    model.fit(data.X_train, data.y_train, callbacks=[saver, log], validation_data=test)
    restored = fastnn.load(fastnn.latest_checkpoint(pattern))
    lesson.print(f"trained,   test accuracy {model.score(*test):.4f}")
    lesson.print(f"restored,  test accuracy {restored.score(*test):.4f}")
    return np.array(log.rows)


def resumed(lesson, model, data, pattern, epochs=None):
    """Save every fifth epoch, stop half-way, resume from the latest; return the model."""
    epochs = epochs or model.max_iter
    every = lesson.epochs(5, 1)
    saver = fastnn.ModelCheckpoint(pattern, every=every)
    first = clone(model).set_params(max_iter=max(every, epochs // 2))
    first.fit(data.X_train, data.y_train, callbacks=[saver])
    latest = fastnn.latest_checkpoint(pattern)
    model = fastnn.load(latest)
    lesson.print(f"{latest.name}: test accuracy {model.score(data.X_test, data.y_test):.4f}")
    model.set_params(warm_start=True, max_iter=epochs - model.n_epochs_)
    model.fit(data.X_train, data.y_train, callbacks=[saver])
    name = fastnn.latest_checkpoint(pattern).name
    lesson.print(f"{name}: test accuracy {model.score(data.X_test, data.y_test):.4f}")
    return model


def show_training(lesson, model, data, log, names):
    """Draw loss and accuracy over the epochs, and the confusion matrix of the test."""
    with lesson.figure("training", columns=2) as (left, right):
        for axes, column, what in ((left, 0, "loss"), (right, 1, "accuracy")):
            epochs = np.arange(1, len(log) + 1)
            axes.plot(epochs, log[:, column], "o-", label="training")
            axes.plot(epochs, log[:, column + 2], "s-", label="test")
            axes.set(xlabel="epoch", ylabel=what, xticks=epochs)
            axes.grid(alpha=0.3)
            axes.legend()
    with lesson.figure("confusion", figsize=(6.4, 6)) as axes:
        matrix = confusion_matrix(data.y_test, model.predict(data.X_test))
        plotting.confusion(axes, matrix, names)
