"""The workers of a joblib back end: asked for by `joblib.parallel_config`, as for dask or ray."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

WORK_OF_PART = 5e9  # multiply-adds: about a second of one processor, else sending would show
PARTS_PER_WORKER = 4  # none waits long for the last


class NoWorkersError(RuntimeError):
    """The back end of joblib that was named does not answer: its cluster is gone, for example."""


def named() -> dict[str, Any] | None:
    """Return what `joblib.parallel_config` takes to name the back end that is named now."""
    backend, n_jobs = get_active_backend()
    is_named = backend is get_active_backend()[0]  # else one is made for each question
    return {"backend": backend, "n_jobs": n_jobs} if is_named else None


def count_workers() -> int:
    """Return how many workers there are: 1, unless a back end of processes was named.

    Raises
    ------
    NoWorkersError
        If the back end cannot say.
    """
    config = named()
    if config is None or getattr(config["backend"], "uses_threads", False):
        return 1
    try:
        return effective_n_jobs(None)
    except Exception as error:  # whatever a library raises whose connection is closed
        raise NoWorkersError(
            f"the workers of {type(config['backend']).__name__}, named by parallel_config, cannot "
            f"be reached ({type(error).__name__}: {error}); start the cluster again, or train "
            "without parallel_config"
        ) from error


def parts(work: Sequence[float], n_workers: int) -> list[slice]:
    """Share out jobs of so much work each; return parts of about the same work, in their order."""
    ends = np.cumsum(work)
    n_parts = int(min(n_workers * PARTS_PER_WORKER, ends[-1] / WORK_OF_PART)) if len(ends) else 0
    if n_parts < 2:
        return [slice(0, len(ends))]
    bounds = np.searchsorted(ends, ends[-1] * np.arange(1, n_parts) / n_parts)
    bounds = np.unique([0, *bounds, len(ends)])
    return [slice(int(first), int(end)) for first, end in pairwise(bounds)]


def run_on_workers(function: Callable[..., Any], calls: Sequence[tuple]) -> Iterator[Any]:
    """Yield what a function returns for each tuple of arguments, in their order."""
    backend, _ = get_active_backend()
    can_yield = getattr(backend, "supports_return_generator", False)
    parallel = Parallel(return_as="generator" if can_yield else "list")
    yield from parallel(delayed(function)(*arguments) for arguments in calls)
