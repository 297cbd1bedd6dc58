"""Learning rates that change from epoch to epoch: each a formula of the epoch's number."""

import inspect
from collections.abc import Callable, Hashable
from functools import cache
from math import cos, pi
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .parameters import ABOVE_0, FACTOR, FRACTION, NOT_BELOW_0, Range, check_real, shown

LEAST_RATE = 1e-6  # where "adaptive" ends, as in scikit-learn
ADAPTIVE_FACTOR = 1 / 5
COUNT = Range("an integer of 1 or above", lambda value: value >= 1 and value == int(value))


class When(NamedTuple):
    """Where in a training an epoch is.

    Attributes
    ----------
    epoch : int
        Epochs before it, over all fits.
    n_epochs : int
        Epochs that there will be at the end of this fit, over all fits.
    n_seen : int
        Samples of the epochs before it, each counted as often as it was seen.
    """

    epoch: int
    n_epochs: int
    n_seen: int


class Schedule(NamedTuple):
    """How the learning rate changes.

    Attributes
    ----------
    formula : str
        Of the rate in epoch e = 0, 1, ... of E, from the initial rate r.
    source : str
    numbers : tuple of (str, float, Range)
        What may be given: name, default and range.
    rate : callable of (r, when, *numbers)
    """

    formula: str
    source: str
    numbers: tuple[tuple[str, float, Range], ...]
    rate: Callable[..., float]


def _constant(r: float, when: When) -> float:
    return r


def _invscaling(r: float, when: When, power: float) -> float:
    return r / (when.n_seen + 1) ** power


def _exponential(r: float, when: When, factor: float) -> float:
    return r * factor**when.epoch


def _step(r: float, when: When, every: float, factor: float) -> float:
    return r * factor ** (when.epoch // int(every))


def _cosine(r: float, when: When, last: float) -> float:
    return _between(r, r * last, when.epoch / when.n_epochs)


def _one_cycle(r: float, when: When, warm_up: float) -> float:
    top, end = warm_up * when.n_epochs - 1, when.n_epochs - 1
    if when.epoch <= top:
        return _between(r / 25, r, when.epoch / top if top > 0 else 1.0)
    return _between(r, r / 25e4, (when.epoch - top) / (end - top) if end > top else 1.0)


def _between(first: float, last: float, fraction: float) -> float:
    """Go from one rate to another along half a cosine."""
    return last + (first - last) * (1 + cos(pi * fraction)) / 2


SCHEDULES: dict[str, Schedule] = {
    "constant": Schedule("r", "course (2.39)", (), _constant),
    "invscaling": Schedule(
        "r / (n + 1)^power, n the samples seen before",
        "scikit-learn, MLPClassifier",
        (("power", 0.5, NOT_BELOW_0),),
        _invscaling,
    ),
    "adaptive": Schedule(
        "r, divided by 5 whenever the loss has not fallen by tol in n_iter_no_change epochs; "
        "the training ends below 1e-6",
        "scikit-learn, MLPClassifier",
        (),
        _constant,
    ),
    "exponential": Schedule("r factor^e", "course 2.6", (("factor", 0.95, FACTOR),), _exponential),
    "step": Schedule(
        "r factor^floor(e / every)",
        "He et al. 2016, section 3.4",
        (("every", 10, COUNT), ("factor", 0.5, FACTOR)),
        _step,
    ),
    "cosine": Schedule(
        "r (last + (1 - last) (1 + cos(pi e / E)) / 2)",
        "Loshchilov & Hutter 2017, equation 5",
        (("last", 0.0, FRACTION),),
        _cosine,
    ),
    "one_cycle": Schedule(
        "up from r / 25 to r in the first part (warm_up) of the epochs, then down to r / 250,000, "
        "along cosines",
        "Smith & Topin 2018; PyTorch, OneCycleLR",
        (("warm_up", 0.3, FRACTION),),
        _one_cycle,
    ),
}


class LearningRates:
    """The learning rate of each epoch, as a parameter `learning_rate` says.

    Parameters
    ----------
    learning_rate : str, (str, number, ...), callable or sequence of float
        A name of `SCHEDULES`, with its numbers or without; a function of the epoch's number (from
        0) or the rates themselves, of which the last one stays.
    n_epochs : int
        See `When`.
    n_samples : int
        Samples of an epoch.
    begin : (int, int)
        Epochs and samples seen before this fit.
    decay : float
        Another factor, after each epoch.
    power_t : float
        The power of "invscaling", if `learning_rate` names none.
    factor : float
        What an adaptive rate has come down to before.

    Attributes
    ----------
    n_samples : int
        As above; it may become known after an epoch.

    Raises
    ------
    ValueError
        If it is none of these, or a number is out of range.
    """

    def __init__(
        self,
        learning_rate: Any = "constant",
        n_epochs: int = 1,
        n_samples: int = 1,
        decay: float = 1.0,
        power_t: float = 0.5,
        begin: tuple[int, int] = (0, 0),
        factor: float = 1.0,
    ):
        self._n_epochs, self.n_samples, self._decay = n_epochs, n_samples, decay
        self._begin = begin
        self._given: Callable | list[float] | None = None
        self.name = "given"
        self._numbers: tuple[float, ...] = ()
        self.factor = factor
        if callable(learning_rate):
            self._given = cache(_check_function(learning_rate))  # asked once for each epoch
        elif _is_named(learning_rate):
            if isinstance(learning_rate, str) and learning_rate == "invscaling":
                learning_rate = (learning_rate, power_t)
            self.name, self._numbers = check_named(learning_rate)
        else:
            self._given = _check_rates(learning_rate)

    @property
    def key(self) -> Hashable:
        """What networks have in common whose rates are the same."""
        of_name = self.name, self._numbers, id(self._given), self._n_epochs, self._decay
        return *of_name, self.n_samples, self._begin, self.factor

    @property
    def is_adaptive(self) -> bool:
        """Whether the losses change it."""
        return self.name == "adaptive"

    def of(self, initial: float, epoch: int, n: int) -> NDArray[np.float64]:
        """Return the rates of n epochs from number `epoch` on, for an initial rate."""
        if self.name in ("constant", "adaptive"):
            rates = np.full(n, self._rate(initial, epoch))
        else:
            rates = np.array([self._rate(initial, e) for e in range(epoch, epoch + n)])
        if self._decay != 1:
            rates *= [self._decay**e for e in range(epoch, epoch + n)]
        return rates

    def after(self, initial: float, epoch: int) -> float:
        """Return the rate of the epoch after so many; at the end of a schedule, the last one."""
        if self._given is not None or self.name in ("cosine", "one_cycle"):
            epoch = min(epoch, self._n_epochs - 1)
        return self._rate(initial, epoch) * self._decay**epoch if epoch >= 0 else initial

    def lower(self, initial: float) -> bool:
        """Divide by 5, if it is adaptive; return whether the training is to go on."""
        self.factor *= ADAPTIVE_FACTOR
        return initial * self.factor > LEAST_RATE

    def _rate(self, initial: float, epoch: int) -> float:
        if isinstance(self._given, list):
            return self._given[min(epoch, len(self._given) - 1)]
        if self._given is not None:
            return check_real(f"learning_rate({epoch})", self._given(epoch), ABOVE_0)
        first, n_seen = self._begin
        when = When(epoch, self._n_epochs, n_seen + (epoch - first) * self.n_samples)
        return SCHEDULES[self.name].rate(initial, when, *self._numbers) * self.factor


def _is_named(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, (tuple, list)) and len(value) > 0 and isinstance(value[0], str)
    )


def check_named(learning_rate: Any) -> tuple[str, tuple[float, ...]]:
    """Return a schedule's name and its numbers; ValueError if there is none, or one is wrong."""
    name, *given = (learning_rate,) if isinstance(learning_rate, str) else learning_rate
    if not isinstance(name, str) or name not in SCHEDULES:
        raise _unknown(learning_rate)
    numbers = SCHEDULES[name].numbers
    if len(given) > len(numbers):
        wanted = " and ".join(number for number, *_ in numbers) or "no number"
        raise ValueError(f"learning_rate={shown(learning_rate)}: {name!r} takes {wanted}")
    values = [*given, *(default for _, default, _ in numbers[len(given) :])]
    return name, tuple(
        check_real(f"learning_rate: {own} of {name!r}", value, range_)
        for (own, _, range_), value in zip(numbers, values, strict=True)
    )


def _check_function(function: Callable) -> Callable:
    try:
        inspect.signature(function).bind(0)
    except TypeError:
        raise ValueError(
            f"learning_rate={shown(function)}: expected a function of one argument, the epoch"
        ) from None
    except ValueError:  # one of C that does not say what it takes
        return function
    return function


def _check_rates(values: Any) -> list[float]:
    rates = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(rates, (list, tuple)) or len(rates) == 0:
        raise _unknown(values)
    return [
        check_real(f"learning_rate[{epoch}]", rate, ABOVE_0) for epoch, rate in enumerate(rates)
    ]


def _unknown(value: Any) -> ValueError:
    known = ", ".join(repr(name) for name in SCHEDULES)
    return ValueError(
        f"learning_rate={shown(value)}: expected one of {known}, a function of the epoch, or a "
        "rate for each epoch"
    )
