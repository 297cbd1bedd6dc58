"""What a training elsewhere aims at, and by which steps, in fastnn's conventions.

Frameworks take the mean of the outputs' losses where fastnn takes their sum, or leave out a half.
So their gradient is ours divided by a factor, and their steps become ours if learning rate,
epsilon and moments take the factor in: that is exact, not an approximation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..export.plain import Training
from ..parameters import shown


@dataclass(frozen=True)
class Steps:
    """An optimizer.

    Attributes
    ----------
    solver : str
        A name in `backends.codes.OPTIMIZERS`.
    numbers : dict of str to float
        learning_rate_init and the constants, under the names of the estimators' parameters.
    moments : sequence of (n_parameters,)
        As fastnn has them, but for the factor; none: all 0.
    step : int
    """

    solver: str
    numbers: dict[str, float]
    moments: Sequence[NDArray] = ()
    step: int = 0


@dataclass(frozen=True)
class Aim:
    """A loss, and the optimizer.

    Attributes
    ----------
    name : str
        What the source calls the loss.
    loss : str
        A name in `backends.codes.LOSSES`.
    parameter : float
        Of the loss; 0 where it has none.
    factor : float
        What our gradient is divided by to be theirs, ...
    is_mean : bool
        ... and whether by the number of outputs as well.
    squash : str
        The activation of the outputs that is part of the loss ("from logits"), or "".
    steps : Steps or None
    """

    name: str
    loss: str
    parameter: float = 0.0
    factor: float = 1.0
    is_mean: bool = False
    squash: str = ""
    steps: Steps | None = None

    def training(self, n_outputs: int, n_parameters: int, dtype: np.dtype) -> Training:
        """Return the training of a network; without an optimizer one that begins, by "adam".

        Raises
        ------
        ValueError
            If the optimizer's state is of another network.
        """
        steps = self.steps
        if steps is None:
            moments = np.zeros((2, n_parameters), dtype)
            return Training(self.loss, self.parameter, "adam", {}, moments)
        factor = self.factor * (n_outputs if self.is_mean else 1)
        numbers = dict(steps.numbers)
        if steps.solver in ("sgd", "momentum", "nesterov"):
            numbers["learning_rate_init"] /= factor
            powers: tuple[int, ...] = (0,)  # a velocity is made of steps, not of gradients
        else:
            numbers["epsilon"] *= factor
            powers = (2,) if steps.solver == "rmsprop" else (1, 2)
        n_moments = 0 if steps.solver == "sgd" else len(powers)
        moments = np.zeros((n_moments, n_parameters), dtype)
        if steps.moments:
            for row, given, power in zip(moments, steps.moments, powers, strict=True):
                if np.shape(given) != row.shape:
                    raise ValueError(
                        f"optimizer: its state is of {np.size(given)} parameters; expected "
                        f"{n_parameters}, those of the layers"
                    )
                row[:] = np.asarray(given, float) * factor**power
        return Training(self.loss, self.parameter, steps.solver, numbers, moments, steps.step)


def refuse_unless(place: str, settings: dict[str, Any], **expected: Any) -> None:
    """Raise ValueError if a setting has a value that fastnn has no counterpart for."""
    for name, value in expected.items():
        if name not in settings:
            continue
        found = settings[name]
        accepted = value if isinstance(value, tuple) else (value,)
        if not any(found is one or found == one for one in accepted):
            raise ValueError(f"{place}: {name}={shown(found)} has no counterpart")
