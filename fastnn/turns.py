"""The fits of a search, trained together ahead of their turns.

scikit-learn's `fit` clones the estimator for each candidate and fold, sets parameters, fits and
scores. All of that stays as it is, in every version, but for one thing: for the time of a search
the estimator says itself what its clones are (scikit-learn's protocol `__sklearn_clone__`), and
the `fit` of each hands out what was trained, with many others, ahead of its turn. What a network
is to be trained on, its pipeline says: it is fitted once with a network that only takes it down.

Whatever goes wrong ahead is left to scikit-learn: in its turn it fits an ordinary clone, and meets
the ordinary error.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial, wraps
from itertools import pairwise
from typing import Any, NamedTuple

import joblib
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, get_tags
from sklearn.utils.metadata_routing import process_routing

from . import workers
from .mlp_base import BaseMLP
from .parameters import check_hidden_sizes
from .state import draft_of
from .together import fit_together

# Fits that are trained at once, at most, and the memory of what they are trained on and become.
FITS_AT_ONCE = 1000
BYTES_AT_ONCE = 2**30


class Running:
    """A search while it runs: what scikit-learn gets as the estimator, and the time of each fit."""

    def __init__(self, search: Any, params: dict[str, Any]):
        self._search, self._model, self._params = search, search.estimator, params
        self._turns: _Turns | None = None
        self._seconds: list[float] = []
        self._workers = workers.named()
        workers.count_workers()  # raises if they are gone

    @contextmanager
    def estimator(self) -> Iterator[Any]:
        """Lend what takes the estimator's place: its clone makes the clones for the fits."""
        model = _cloned_as(self._model, lambda: _cloned_as(self._model, self._clone))
        try:
            yield model
        finally:  # a scorer may keep it
            del model.__sklearn_clone__

    def _clone(self) -> Any:
        return clone(self._model) if self._turns is None else self._turns.clone()

    def around(self, run_search: Any) -> Any:
        """Return scikit-learn's method with our `evaluate` in place of what it is given."""

        @wraps(run_search)  # scikit-learn looks at its arguments
        def run(evaluate_candidates: Any, **context: Any) -> None:
            run_search(partial(self._evaluate, evaluate_candidates), **context)

        return run

    def _evaluate(
        self,
        evaluate_candidates: Any,
        candidate_params: Any,
        cv: Any = None,
        more_results: Any = None,
        **context: Any,
    ) -> dict[str, Any]:
        """Call scikit-learn's function of this name; its fits take turns."""
        candidates, folds = list(candidate_params), _Folds(cv or self._search.cv)
        params = self._fit_params()
        turns = self._turns = _Turns(self._model, candidates, folds, params, self._workers)
        try:
            results = evaluate_candidates(candidates, folds, more_results, **context)
        finally:
            self._turns = None
        self._seconds += turns.times()
        seconds = np.reshape(self._seconds, (-1, len(folds.splits)))
        results["mean_fit_time"], results["std_fit_time"] = seconds.mean(1), seconds.std(1)
        return results

    def _fit_params(self) -> dict[str, Any]:
        """Return what `fit` of the estimator gets of the search's, as scikit-learn has it."""
        if get_config()["enable_metadata_routing"]:
            return process_routing(self._search, "fit", **self._params).estimator.fit
        return {name: value for name, value in self._params.items() if name != "groups"}


class _Folds:
    """A splitter that remembers the table and its last splits."""

    def __init__(self, cv: Any):
        self._cv = cv

    def split(self, X: Any, y: Any = None, **params: Any) -> list[tuple[Any, Any]]:
        self.X, self.y = X, y
        self.n_samples = _n_rows(X) or 0
        self.splits = list(self._cv.split(X, y, **params))
        return self.splits


class _Given(NamedTuple):
    """What a network is trained on, and the pipeline that made it so, if there is one."""

    pipeline: Any
    X: Any
    y: Any
    sample_weight: Any


class _Turns:
    """The fits of a call in scikit-learn's order: all folds of the first candidate, and so on."""

    def __init__(
        self,
        model: Any,
        candidates: list[dict[str, Any]],
        folds: _Folds,
        fit_params: dict[str, Any],
        named: dict[str, Any] | None,
    ):
        self._model, self._candidates, self._folds = model, candidates, folds
        self._fit_params, self._workers = fit_params, named
        self._n_clones = 0
        self._seconds: dict[int, float] = {}
        self._ready: dict[int, Any] = {}  # trained ahead; None for what is to be fitted alone
        self._configured: tuple[int, Any] = -1, None  # the candidate that was looked at last
        self._known: dict[Any, _Given | None] = {}  # of each fold and each way to prepare it
        self._n_bytes = 0  # of what is known

    def clone(self) -> Any:
        """Return the clone for the next turn."""
        model = clone(self._model)
        model.fit = partial(self._fit, model, self._n_clones)
        self._n_clones += 1
        return model

    def times(self) -> list[float]:
        """Return the seconds of each fit; RuntimeError unless there was one for each clone."""
        n_turns = len(self._candidates) * len(self._folds.splits)
        if not self._n_clones == len(self._seconds) == n_turns:
            raise RuntimeError("this version of scikit-learn does not clone once for each fit")
        return [self._seconds[turn] for turn in range(n_turns)]

    def _fit(self, model: Any, turn: int, *data: Any, **fit_params: Any) -> Any:
        """Make a model what its own `fit` would, which it has again."""
        del model.fit
        if turn not in self._ready:
            self._train_from(turn)
        trained = self._ready.pop(turn)
        if trained is not None:
            vars(model).update(vars(trained))
            return model
        begin = time.perf_counter()
        try:
            return model.fit(*data, **fit_params)
        finally:
            self._seconds[turn] = time.perf_counter() - begin

    def _train_from(self, first: int) -> None:
        """Train the networks of the next turns, as many as there may be at once."""
        begin, n_bytes = time.perf_counter(), 0
        if self._n_bytes > BYTES_AT_ONCE:
            self._known, self._n_bytes = {}, 0
        jobs = {}
        for turn in range(first, len(self._candidates) * len(self._folds.splits)):
            try:
                job = self._job(turn)
                n_bytes += 0 if job is None else 40 * _n_weights(*job)  # float64, moments, copies
            except Exception:  # an ordinary fit will raise it, in its turn
                job = None
            if job is None:
                self._ready[turn] = None
                continue
            jobs[turn] = job
            if len(jobs) == FITS_AT_ONCE or n_bytes + self._n_bytes > BYTES_AT_ONCE:
                break
        with joblib.parallel_config(**self._workers) if self._workers else nullcontext():
            networks = _train([(network, *given[1:]) for network, given in jobs.values()])
        seconds = (time.perf_counter() - begin) / max(1, len(jobs))
        for (turn, (_, given)), network in zip(jobs.items(), networks, strict=True):
            self._ready[turn] = None if network is None else _behind(given.pipeline, network)
            self._seconds[turn] = seconds

    def _job(self, turn: int) -> tuple[BaseMLP, _Given] | None:
        """Return a network and what to train it on; None for a fit of its own."""
        candidate, fold = divmod(turn, len(self._folds.splits))
        if self._configured[0] != candidate:
            params = clone(self._candidates[candidate], safe=False)
            self._configured = candidate, clone(self._model).set_params(**params)
        model = self._configured[1]
        path, network = network_in(model)
        if network is None or has_callbacks(model):
            return None
        routed = repr(getattr(network, "_metadata_request", None))
        key = fold, path, routed, self._preparation(candidate, path)
        if key not in self._known:
            self._known[key] = None  # also if what comes now fails
            self._known[key] = given = self._given(model, fold)
            self._n_bytes += 0 if given is None else _n_bytes(given.X)
        known = self._known[key]
        return None if known is None else (network, known)

    def _preparation(self, candidate: int, path: str) -> Any:
        """Return what is equal for candidates that differ in parameters of the network only."""
        own = self._candidates[candidate].items()
        others = {name: v for name, v in own if not f"{name}__".startswith(f"{path}__")}
        if not path or not others:
            return None
        try:
            return joblib.hash(others)
        except Exception:  # of what cannot be pickled nothing is known
            return candidate

    def _given(self, model: Any, fold: int) -> _Given | None:
        """Return what a model gives its network to train on; None if that is not for many."""
        train, n_samples = np.asarray(self._folds.splits[fold][0]), self._folds.n_samples
        model = clone(model)
        if self._folds.y is None or get_tags(model).input_tags.pairwise:
            return None
        taken: list[Any] = []

        def take_down(X: Any, y: Any, sample_weight: Any = None, **others: Any) -> None:
            taken.extend((X, y, sample_weight, others))

        _, network = network_in(model)
        network.fit = take_down
        model.fit(
            _safe_indexing(self._folds.X, train),
            _safe_indexing(self._folds.y, train),
            **{name: _part(v, train, n_samples) for name, v in self._fit_params.items()},
        )
        *given, others = taken
        return None if others else _Given(None if model is network else model, *given)


def _cloned_as(model: Any, make_clone: Callable[[], Any]) -> Any:
    """Return a copy of a model that has other clones."""
    model = clone(model)
    model.__sklearn_clone__ = make_clone
    return model


def _last_steps(model: Any) -> Iterator[tuple[str, Any]]:
    """Yield a model, the last step of a pipeline, that of a pipeline which this is, and so on."""
    name = ""
    while isinstance(model, Pipeline) and model.steps:
        yield name, model
        name, model = model.steps[-1]
    yield name, model


def network_in(model: Any) -> tuple[str, Any]:
    """Return the name of the network that a model is or ends in, "" for itself; None if none."""
    names, models = zip(*_last_steps(model), strict=True)
    is_ours = getattr(type(models[-1]), "fit", None) is BaseMLP.fit
    return "__".join(names[1:]), models[-1] if is_ours else None


def has_callbacks(model: Any) -> bool:
    """Say whether scikit-learn's callbacks are set on a model or a last step of it."""
    return any(getattr(step, "_skl_callbacks", None) for _, step in _last_steps(model))


def _behind(pipeline: Any, network: BaseMLP) -> Any:
    """Return a network, or a fitted pipeline that ends in it."""
    if not isinstance(pipeline, Pipeline):
        return network
    own, (name, last) = draft_of(pipeline), pipeline.steps[-1]
    own.steps = [*pipeline.steps[:-1], (name, _behind(last, network))]
    return own


def _train(jobs: list[tuple[Any, ...]]) -> list[Any]:
    """Return fitted networks; None for one that does not let itself be fitted."""
    if not jobs:
        return []
    try:
        verbose = any(network.verbose for network, *_ in jobs)
        return fit_together([(clone(network), *data) for network, *data in jobs], verbose=verbose)
    except workers.NoWorkersError:
        raise
    except Exception:  # whose it is, halves tell: most are refused before any work
        if len(jobs) == 1:
            return [None]
    half = len(jobs) // 2
    return _train(jobs[:half]) + _train(jobs[half:])


def _part(value: Any, rows: NDArray, n_samples: int) -> Any:
    """Return rows of what has one for each sample, anything else as it is."""
    return _safe_indexing(value, rows) if _n_rows(value) == n_samples else value


def _n_rows(value: Any) -> int | None:
    if getattr(value, "shape", ()):
        return value.shape[0]
    return len(value) if hasattr(value, "__len__") else None


def _n_weights(network: BaseMLP, given: _Given) -> int:
    """Return about how many weights a network will have."""
    sizes = np.shape(given.X)[1], *check_hidden_sizes(network.hidden_layer_sizes)
    return sum(n_in * n_out for n_in, n_out in pairwise(sizes))


def _n_bytes(X: Any) -> int:
    parts = (X.data, X.indices, X.indptr) if issparse(X) else (np.asarray(X),)
    return sum(part.nbytes for part in parts)
