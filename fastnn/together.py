"""Many fits at once: those whose networks have one shape are trained in the same calls.

Each fit is what it would be alone, with its own stopping rules; who else is there does not change a
bit of it. Where `joblib.parallel_config` names workers, they get parts of the fits.
"""

import warnings
from collections import Counter, deque
from collections.abc import Hashable, Sequence
from typing import Any

from numpy.typing import ArrayLike
from sklearn.exceptions import ConvergenceWarning

from . import backends
from .fits import Fit
from .given import Given
from .groups import Group, kind
from .mlp_base import BaseMLP
from .optimizers import LBFGS
from .parameters import check_n_jobs, check_sequence, check_verbose, is_integer, shown
from .progress import NoProgress, progress_bar
from .state import commit, draft_of, end_interrupted, warn_caller
from .workers import count_workers, parts, run_on_workers

# So many of one kind are trained side by side: of fewer the lanes of vectors would mostly be empty.
ENOUGH = 32
Job = tuple[BaseMLP, ArrayLike, ArrayLike, ArrayLike | None]


def fit_together(
    jobs: Sequence[Job], *, n_jobs: int | None = None, verbose: bool | int = True
) -> list[Any]:
    """Fit several networks, each as its `fit` would, many at a time where that is possible.

    Networks of the same layers, update rule, batch size and kind of data are trained in the same
    calls, on samples of their own; the others one after the other. What becomes of each is what
    `train_many` says. If
    `joblib.parallel_config` names a back end of processes ("loky", or "dask" and "ray" where these
    are installed), its workers get parts of at least about a second; the result is the same, bit
    by bit.

    Parameters
    ----------
    jobs : sequence of (estimator, X, y, sample_weight)
        Estimators are MLPClassifier or MLPRegressor, none of them twice; they are fitted in place.
        `sample_weight` may be None. What is given to several, the same object, is checked and kept
        once.
    n_jobs : int or None
        Threads at most; None: the largest number that an estimator's `n_jobs` means.
    verbose : bool or int, default True
        Whether to show a progress bar, one for all, on a terminal.

    Returns
    -------
    list
        The estimators. After Ctrl-C (a warning says so) each is what its complete epochs made it.

    Raises
    ------
    ValueError
        If jobs are not as described, or an argument or a parameter is not as `fit` takes it; no
        estimator has been changed then.
    NoWorkersError
        If `joblib.parallel_config` names workers that cannot be reached; a RuntimeError.
    KeyboardInterrupt
        After Ctrl-C, if a library called `fit_together`.

    Warns
    -----
    ConvergenceWarning, RuntimeWarning
        If trainings ended before they had converged, as `fit` warns, or diverged: once for all.

    Examples
    --------
    >>> import fastnn
    >>> from fastnn.together import fit_together
    >>> X, y = fastnn.load_digits()
    >>> first, second = (fastnn.MLPClassifier((8,), max_iter=2, tol=None) for _ in range(2))
    >>> fitted = fit_together([(first, X[:900], y[:900], None), (second, X[900:], y[900:], None)])
    >>> [model.n_iter_ for model in fitted]
    [2, 2]
    """
    verbose, checked, fits = check_verbose(verbose), _check_jobs(jobs), []
    if n_jobs is not None:
        check_n_jobs(n_jobs)
    states = [model.random_state for model, *_ in checked]
    given = Given(int(state) for state in states if is_integer(state))
    for number, (model, X, y, sample_weight) in enumerate(checked):
        try:
            fits.append(begin_fit(model, X, y, sample_weight, given))
        except ValueError as error:
            raise ValueError(f"{error} (in jobs[{number}])") from None
    return run_together(fits, n_jobs, verbose)


def begin_fit(
    model: BaseMLP, X: Any, y: Any, sample_weight: Any, given: Given, keep_losses: bool = True
) -> Fit:
    """Return a checked fit for `run_together`, which has data in common with others."""
    return Fit(
        model,
        X,
        y,
        keep_losses=keep_losses,
        sample_weight=sample_weight,
        given=given,
        whole=not _is_alone(model),
    )


def run_together(fits: list[Fit], n_jobs: int | None, verbose: int) -> list[Any]:
    """Run checked fits, and return their models; raises and warns as `fit_together` does.

    The fits are taken out of the list: what has ended needs no room.
    """
    models = [fit.model for fit in fits]
    total = sum(map(_n_seen, fits))
    kinds = [kind(fit.task) for fit in fits]
    numbers = Counter(kinds)
    for fit, own in zip(fits, kinds, strict=True):
        fit.side_by_side = numbers[own] >= ENOUGH
    sent = _shared_out(fits, n_jobs)
    for fit in fits:
        fit.adopt()
    away = {id(fit) for part, _ in sent for fit in part}
    here = [fit for fit in fits if id(fit) not in away]
    fits.clear()
    try:
        with progress_bar(total, min(verbose, 1)) as bar:
            results = run_on_workers(_fit_part, [arguments for _, arguments in sent])
            for (part, _), found in zip(sent, results, strict=True):
                for fit, model in zip(part, found, strict=True):
                    _take_over(fit.model, model)
                bar.update(sum(map(_n_seen, part)))
            _run_here(here, n_jobs, bar)
    except KeyboardInterrupt:
        n_ended = sum(model.stop_reason_ != "interrupted" for model in models)
        end_interrupted(
            f"training was interrupted: {n_ended} of {len(models)} networks have all epochs; each "
            "keeps what it has learned"
        )
    _warn(models)
    return models


def _n_seen(fit: Fit) -> int:
    """Return how many samples a fit sees at most, each as often as it does."""
    return fit.rules.max_iter * fit.task.n_samples


def _run_here(fits: list[Fit], n_jobs: int | None, bar: Any) -> None:
    """Run fits in this process."""
    groups, alone = _grouped(fits)
    fits.clear()
    while groups:
        groups.pop().train(None if n_jobs is None else check_n_jobs(n_jobs), bar)
    while alone:
        fit = alone.popleft()
        fit.task.send()
        fit.start()
        fit.run(0)
        bar.update(_n_seen(fit))


def _shared_out(fits: list[Fit], n_jobs: int | None) -> list[tuple[list[Fit], tuple]]:
    """Return parts of the fits for workers, if there are any, with the arguments of `_fit_part`.

    Callbacks stay here. A seed is drawn once: a worker would draw another.
    """
    n_workers = count_workers()
    if n_workers < 2:
        return []
    kinds: dict[Hashable, int] = {}
    own = [fit for fit in fits if not vars(fit.model).get("_skl_callbacks")]
    own.sort(key=lambda fit: kinds.setdefault(kind(fit.task), len(kinds)))
    found = parts([_n_seen(fit) * fit.task.net.n_parameters for fit in own], n_workers)
    if len(found) < 2:
        return []
    sent = []
    for part in found:
        jobs = []
        for fit in own[part]:
            model = draft_of(fit.model)
            model.random_state = fit.task.seed
            jobs.append((model, *fit.given, fit.keep_losses, fit.side_by_side))
        sent.append((own[part], (backends.get_backend(), n_jobs, jobs)))
    return sent


def _fit_part(backend: str, n_jobs: int | None, jobs: list[tuple]) -> list[Any]:
    """Return fitted models; called in a worker."""
    with backends.use_backend(backend), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are given where all come together
        given = Given(model.random_state for model, *_ in jobs)
        fits = []
        for model, X, y, weights, keep_losses, side_by_side in jobs:
            fits.append(begin_fit(model, X, y, weights, given, keep_losses))
            fits[-1].side_by_side = side_by_side
        for fit in fits:
            fit.adopt()
        _run_here(fits, n_jobs, NoProgress())
        return [model for model, *_ in jobs]


def _take_over(model: Any, fitted: Any) -> None:
    """Take over what a fit has made of a copy: all but the parameters."""
    names = model._get_param_names()
    commit(model, **{name: v for name, v in vars(fitted).items() if name not in names})


def _check_jobs(jobs: Any) -> list[Job]:
    """Return the jobs; ValueError if they are none."""
    expected = "a sequence of (estimator, X, y, sample_weight)"
    found, seen = [], set()
    for number, job in enumerate(check_sequence("jobs", jobs, expected)):
        name = f"jobs[{number}]"
        items = check_sequence(name, job, "(estimator, X, y, sample_weight)")
        if len(items) != 4:
            raise ValueError(
                f"{name}: expected (estimator, X, y, sample_weight), got {len(items)} items"
            )
        if not isinstance(items[0], BaseMLP):
            raise ValueError(
                f"{name}: estimator: expected MLPClassifier or MLPRegressor, got {shown(items[0])}"
            )
        if id(items[0]) in seen:
            raise ValueError(f"{name}: the estimator stands in an earlier job; expected a clone")
        seen.add(id(items[0]))
        found.append(tuple(items))
    return found


def _is_alone(model: BaseMLP) -> bool:
    """Say whether a fit needs what no call of many networks has."""
    return bool(
        (isinstance(model.solver, str) and model.solver == LBFGS)
        or model.distortion is not None
        or model.warm_start is not False
        or vars(model).get("_skl_callbacks")
    )


def _warn(models: list[BaseMLP]) -> None:
    """Warn of trainings that diverged or have not converged, once for all."""
    n = len(models)
    if n_diverged := sum(model.stop_reason_ == "diverged" for model in models):
        warn_caller(
            f"training diverged in {n_diverged} of {n} networks: their last loss or a parameter is "
            "not finite; try lower learning rates",
            RuntimeWarning,
        )
    rest = [m for m in models if m.stop_reason_ == "max_iter" and m.tol is not None and m.max_iter]
    if rest:
        warn_caller(
            f"max_iter: {len(rest)} of {n} networks have not converged yet (by tol); more epochs "
            "may make them better; tol=None runs max_iter epochs without this warning",
            ConvergenceWarning,
        )


def _grouped(fits: list[Fit]) -> tuple[list[Group], deque[Fit]]:
    """Return the groups of fits that go together, and the fits that remain."""
    groups: dict[Hashable, list[Group]] = {}
    alone: deque[Fit] = deque()
    for fit in fits:
        if _is_alone(fit.model):
            alone.append(fit)
            continue
        own = groups.setdefault(kind(fit.task), [Group()])
        if not own[-1].has_room(fit.task.samples):
            own.append(Group())
        own[-1].add(fit)
    return [group for own in groups.values() for group in own], alone
