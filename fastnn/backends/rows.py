"""What a row of the tables in codes.py says of an activation, a loss or an optimizer."""

from collections.abc import Callable
from typing import NamedTuple


class Parameter(NamedTuple):
    """A number in a formula.

    Attributes
    ----------
    name : str
    default : float
    expected : str
        What an error message says.
    holds : callable
        Whether a finite number may stand there.
    judge : str
        The name that `judge` has for it.
    """

    name: str
    default: float
    expected: str
    holds: Callable[[float], bool]
    judge: str = ""


class Activation(NamedTuple):
    """y = f(z) for the pre-activation z of a unit.

    Attributes
    ----------
    name : str
    formula : str
        In words; "a" is the parameter.
    derivative, tex : str
        In TeX: dy / dz, and the formula.
    source : str
        Paper and equation, or the course's equation number.
    judge : str
        A function that others wrote, by which tests judge ours.
    aliases : tuple of str
        scikit-learn's, Keras's and the course's names.
    parameter : Parameter or None
    is_step : bool
        It jumps: nothing is learned through it.
    output_only : bool
        A unit's output depends on all units of its layer.
    gives_probabilities : bool
    code : int
    """

    name: str
    formula: str
    derivative: str
    tex: str
    source: str
    judge: str
    aliases: tuple[str, ...] = ()
    parameter: Parameter | None = None
    is_step: bool = False
    output_only: bool = False
    gives_probabilities: bool = False
    code: int = -1


class Loss(NamedTuple):
    """The loss of a sample with outputs y and targets t; that of a batch is the mean.

    Attributes
    ----------
    name : str
    formula : str
        In words, summed over the outputs.
    tex : str
    source : str
    judge : str
        A function of (targets, outputs) that others wrote, the mean over the outputs.
    task : str
        "regression", "classes", "any".
    targets : str
        "real"; "fraction", from 0 to 1; "distribution", a sample's sum to 1; "index", the number
        of a class, in one column; "sign", -1 or 1; "count", 0 or above.
    outputs : tuple of str
        The activations of the output layer that it goes with, the default first; empty: any.
    judge_factor : float
        What the judge's value is multiplied by.
    per_output : bool
        Whether the judge gives the mean over the outputs, not the sum.
    aliases : tuple of str
    parameter : Parameter or None
    code : int
    """

    name: str
    formula: str
    tex: str
    source: str
    judge: str
    task: str
    targets: str
    outputs: tuple[str, ...] = ()
    judge_factor: float = 1.0
    per_output: bool = True
    aliases: tuple[str, ...] = ()
    parameter: Parameter | None = None
    code: int = -1


class UpdateRule(NamedTuple):
    """A step of an optimizer for the gradient g of a parameter w, with learning rate r.

    Attributes
    ----------
    name : str
    formula : str
        In words; m and v are its moments, b1 and b2 their decay, n the number of the step.
    tex : str
    source : str
    n_moments : int
        Numbers of state for each parameter.
    parameters : tuple of str
        The estimators' parameters that it reads beside learning rate and penalties.
    judge : str
        An optimizer that others wrote.
    aliases : tuple of str
    code : int
    """

    name: str
    formula: str
    tex: str
    source: str
    n_moments: int
    parameters: tuple[str, ...]
    judge: str
    aliases: tuple[str, ...] = ()
    code: int = -1


def numbered(*rows):
    """Return rows with their places as codes."""
    return tuple(row._replace(code=code) for code, row in enumerate(rows))


def by_name(rows: tuple) -> dict[str, int]:
    """Return the code of each name and alias, the names first."""
    names = {row.name: row.code for row in rows}
    return names | {alias: row.code for row in rows for alias in row.aliases}
