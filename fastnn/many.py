"""Copies of one network that differ in numbers: seeds, learning rates, penalties and the like."""

import inspect
import textwrap
from collections.abc import Sequence
from typing import Any, TypeVar

from numpy.typing import ArrayLike
from sklearn.base import clone

from . import random
from .given import Given
from .mlp_base import BaseMLP
from .parameters import check_flag, check_n_jobs, check_sequence, check_verbose, shown
from .state import draft_of
from .together import begin_fit, run_together

M = TypeVar("M", bound=BaseMLP)

# What each network may have a value of its own of: all numbers that do not change its shape.
MAY_DIFFER = tuple(
    name
    for name, parameter in inspect.signature(BaseMLP.__init__).parameters.items()
    if (parameter.default is None or type(parameter.default) in (int, float))
    and name not in ("batch_size", "distortion", "class_weight", "n_jobs")
)
EXPECTED = "a sequence, one value per network"


def train_many(
    estimator: M,
    X: ArrayLike,
    y: ArrayLike,
    *,
    sample_weight: ArrayLike | None = None,
    record_losses: bool = True,
    **parameters: Sequence[Any],
) -> list[M]:
    """Train copies of an estimator that differ in numbers, such as the seed, many at a time.

    On a GPU each small network has a block of threads of its own; on a CPU the threads share the
    networks, and so do the workers that `joblib.parallel_config` names. Copy i becomes what `fit`
    would make of an estimator with the values i: the parameters bit by bit, if there are fewer
    than 32 networks, or if they are of float64 and the table is neither sparse nor mostly 0, unless
    a batch is a few samples and all there are. Else sums may have another order (in float64 that
    is 1e-10 after some hundred steps). On how many threads or workers, does not change a bit.

    Parameters
    ----------
    estimator : MLPClassifier or MLPRegressor
        Not changed. One of `warm_start` is refused: each copy begins with initial weights.
    X, y, sample_weight
        As for its `fit`.
    record_losses : bool, default True
        Whether each `loss_curve_` has all epochs or only the last: 100,000 epochs of 10,000
        networks are 8 GB.
    **parameters : sequences
        Values of at least one parameter, one for each network:
        NAMES.
        What is not given is the estimator's; its seed is then the same for all.

    Returns
    -------
    list
        Fitted estimators. After Ctrl-C (a warning says so), `n_iter_` tells how far each has come,
        and each is what so many epochs make of it.

    Raises
    ------
    ValueError
        If an argument or a parameter is not as described.
    NoWorkersError
        If `joblib.parallel_config` names workers that cannot be reached; a RuntimeError.
    KeyboardInterrupt
        After Ctrl-C, if a library called `train_many`.

    Warns
    -----
    ConvergenceWarning, RuntimeWarning
        If trainings ended before they had converged, as `fit` warns, or diverged: once for all.

    Examples
    --------
    >>> import fastnn
    >>> X, y = fastnn.load_xor()
    >>> network = fastnn.MLPClassifier((8,), "tanh", max_iter=300, tol=None, random_state=0)
    >>> models = fastnn.train_many(network, X, y, learning_rate_init=[1e-6, 0.05])
    >>> [model.score(X, y) == 1 for model in models]
    [False, True]
    """
    values = _check(estimator, parameters)
    record_losses = check_flag("record_losses", record_losses)
    check_n_jobs(estimator.n_jobs)
    verbose = check_verbose(estimator.verbose)
    first, given, fits = clone(estimator), Given(values["random_state"]), []
    for i, own in enumerate(zip(*values.values(), strict=True)):
        model = draft_of(first)
        for name, value in zip(values, own, strict=True):
            setattr(model, name, value)
        try:
            fits.append(begin_fit(model, X, y, sample_weight, given, record_losses))
        except ValueError as error:
            raise _of_network(i, values, error) from None
    return run_together(fits, estimator.n_jobs, verbose)


train_many.__doc__ = (train_many.__doc__ or "").replace(
    "NAMES", textwrap.fill(", ".join(MAY_DIFFER), 92).replace("\n", "\n        ")
)


def _check(estimator: Any, parameters: dict[str, Any]) -> dict[str, list]:
    """Return the values of each parameter, as many of all."""
    if not isinstance(estimator, BaseMLP):
        raise ValueError(
            f"estimator: expected MLPClassifier or MLPRegressor, got {shown(estimator)}"
        )
    if check_flag("warm_start", estimator.warm_start):
        raise ValueError(
            "estimator: warm_start=True; train_many expects False: it begins with initial weights"
        )
    accepted = f"the parameters that may differ are {', '.join(MAY_DIFFER)}"
    for name in parameters:
        if name not in MAY_DIFFER:
            known = name in estimator.get_params()
            what = "is the same for all networks" if known else "is no parameter"
            raise ValueError(f"{name}: {what}; {accepted}")
    if not parameters:
        raise ValueError(f"parameters: expected at least one sequence; {accepted}")
    items = {name: check_sequence(name, given, EXPECTED) for name, given in parameters.items()}
    lengths = {name: len(values) for name, values in items.items()}
    for name, length in lengths.items():
        if not length:
            raise ValueError(f"{name}=[]: expected {EXPECTED}")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{', '.join(lengths)}: expected as many of each, got {lengths}")
    n = next(iter(lengths.values()))
    if "random_state" in items:
        items["random_state"] = [random.seed_from(seed) for seed in items["random_state"]]
    else:
        items["random_state"] = [random.seed_from(estimator.random_state)] * n
    return items


def _of_network(i: int, names: Any, error: ValueError) -> ValueError:
    """Return an error that says of which network it is, if it is of one."""
    text = str(error)
    for name in names:
        if text.startswith((f"{name}=", f"{name}:")):
            return ValueError(f"{name}[{i}]{text[len(name) :]}")
    return error
