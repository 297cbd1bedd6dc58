"""What Keras calls activations, losses and optimizers that fastnn has too, for both directions."""

from typing import Any, NamedTuple

from ..backends.codes import ACTIVATIONS

# By fastnn's name; of those with a number, what it is in Keras's function.
ACTIVATION_NAMES = {
    **{row.name: row.name for row in ACTIVATIONS if row.name != "sign"},
    "identity": "linear",
}
FUNCTION_PARAMETERS = {"leaky_relu": 0.2, "elu": 1.0}
# Layers that are activations with a number: class, and the name of the number.
ACTIVATION_LAYERS = {"leaky_relu": ("LeakyReLU", "negative_slope"), "elu": ("ELU", "alpha")}


class KerasLoss(NamedTuple):
    """A loss of Keras.

    Attributes
    ----------
    name : str
        Its class; the aliases are of functions.
    loss : str
        Its name in `backends.codes.LOSSES`.
    aliases : tuple of str
    parameter : str
        What Keras calls the loss's number; "" if it has none.
    is_mean : bool
        Whether it is the mean over the outputs; fastnn has the sum.
    """

    name: str
    loss: str
    aliases: tuple[str, ...]
    parameter: str = ""
    is_mean: bool = True


LOSSES = (
    KerasLoss("MeanSquaredError", "sum_squared_error", ("mean_squared_error", "mse", "MSE")),
    KerasLoss("MeanAbsoluteError", "absolute_error", ("mean_absolute_error", "mae", "MAE")),
    KerasLoss("Huber", "huber", ("huber", "Huber"), "delta"),
    KerasLoss("Poisson", "poisson", ("poisson",)),
    KerasLoss("Hinge", "hinge", ("hinge",)),
    KerasLoss(
        "BinaryCrossentropy",
        "binary_crossentropy",
        ("binary_crossentropy", "bce", "BCE"),
        "label_smoothing",
    ),
    KerasLoss(
        "CategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        ("categorical_crossentropy",),
        "label_smoothing",
        is_mean=False,
    ),
    KerasLoss(
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        ("sparse_categorical_crossentropy",),
        is_mean=False,
    ),
)


def loss_for(loss: str, parameter: float) -> KerasLoss | None:
    """Return Keras's counterpart of a loss; None if there is none."""
    if loss == "half_squared_error":
        loss = "sum_squared_error"  # with half the learning rate
    found = [row for row in LOSSES if row.loss == loss]
    if parameter == 0:  # without label smoothing, targets are indices
        found.reverse()
    return found[0] if found else None


def serialized(module: str, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Return an object as Keras writes it."""
    return {"module": module, "class_name": name, "config": config, "registered_name": None}
