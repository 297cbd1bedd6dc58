"""A fit on several ranks: what is checked before it, and what is the same everywhere after it."""

import hashlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _num_samples

from .. import backends, random
from ..backends.compressed import CompressedRows
from ..early_stopping import holds_out
from ..fits import Fit
from ..given import Given
from ..hooks import Hooks
from ..observer import CHANGEABLE
from ..optimizers import LBFGS
from ..parameters import check_batch_size, check_flag, check_sequence, shown
from ..sklearn_callbacks import show_progress
from ..state import commit
from ..targets import Reals, kind_of
from ..validation import unique_labels
from .measuring import Follower, InMemory, RankData, RankObserver, lent, none_of
from .plan import Plan, check_shards
from .ranks import Ranks
from .task import RankTask

OWN = ("random_state", "n_jobs", "verbose")  # parameters that a rank may have for itself
LABELS = {"U": "strings", "O": "objects", "b": "bools", "i": "integers", "u": "integers"}


def fit_on_ranks(
    model: Any,
    communicator: Any,
    n_shards: Any,
    X: Any,
    y: Any,
    callbacks: Any,
    sample_weight: Any,
    validation_data: Any,
    **initial: Any,
) -> Fit:
    """Train a model on the samples of all ranks, as `fit` says; return the fit that has ended.

    Raises
    ------
    ValueError
        On all ranks, if something is wrong on one of them, or differs between them.
    """
    with Ranks(communicator) as ranks:
        goes_on = ranks.agreed(lambda: check_model(model, validation_data))
        ranks.compare({"the model": f"a {'fitted' if goes_on else 'new'} {type(model).__name__}"})
        parameters = {n: v for n, v in model.get_params(deep=False).items() if n not in OWN}
        ranks.compare({name: _written(value) for name, value in parameters.items()})
        ranks.compare({"n_shards": str(n_shards)})
        ranks.compare({"validation_data": "none" if validation_data is None else "some"})
        (X, y, sample_weight), has_samples = lent(ranks, X, y, sample_weight)
        has_validation = False
        if validation_data is not None:
            pair = ranks.agreed(
                lambda: check_sequence("validation_data", validation_data, "(X, y)")
            )
            validation_data, has_validation = lent(ranks, *pair)
        seed = ranks.of_rank(0, ranks.agreed(lambda: random.seed_from(model.random_state)))
        arguments = {
            "sample_weight": sample_weight,
            "validation_data": validation_data,
            "classes": None if goes_on else _classes(ranks, model, X, y),
            "seed": seed,
            **initial,
        }
        own_callbacks = () if ranks.number else callbacks
        in_memory = Given()  # whatever its size
        fit = ranks.agreed(lambda: Fit(model, X, y, own_callbacks, given=in_memory, **arguments))
        ranks.compare(_facts(fit))
        training: Any = fit.data.training
        validation: Any = fit.data.validation
        if not has_samples:
            training = none_of(training)
        if validation is not None and not has_validation:
            validation = none_of(validation)
        n_samples = sum(ranks.gather(len(training[0].X)))
        batch_size = check_batch_size(model.batch_size, n_samples)
        n_shards = check_shards(n_shards, batch_size)
        plan = Plan(n_samples, batch_size, n_shards, ranks.size)
        with ranks.ending_all():
            observer = _share_out(fit, ranks, plan, training, validation)
        before = model.__dict__
        try:
            ranks.agreed(fit.start)
        except BaseException:  # of a callback, on another rank
            model.__dict__ = before
            raise
        model.data_fingerprint_ = None  # it would be of the samples of one rank
        with ranks.ending_all(), warnings.catch_warnings():
            if ranks.number:
                warnings.simplefilter("ignore")  # rank 0 says it
            observer.follow_changes(fit.task)
            fit.run(0 if ranks.number or show_progress(model) else int(model.verbose))
            _follow_model(ranks, model)
        fit.is_watched = fit.is_watched or ranks.number > 0
    return fit


def check_model(model: Any, validation_data: Any = None) -> bool:
    """Return whether a model's training goes on; ValueError for what needs a single process."""
    backend = backends.get_backend()
    if not backends.kernels().TRAINS_SHARDS:
        raise ValueError(
            f"communicator: the back end {backend} trains in one process; expected one of CPUs, "
            "such as fastnn.set_backend('cython')"
        )
    if model.solver == LBFGS:
        raise ValueError("communicator: solver='lbfgs' runs in one process; expected another")
    if model.distortion is not None:
        raise ValueError("communicator: distortion is made in one process; expected None")
    if isinstance(model.class_weight, str):
        raise ValueError(
            f"communicator: class_weight={model.class_weight!r} needs all samples at once; "
            "expected None or a dict of weights"
        )
    if holds_out(model) and validation_data is None:
        raise ValueError(
            "communicator: early_stopping=True holds no samples out of those of several ranks; "
            "pass validation_data to fit"
        )
    return check_flag("warm_start", model.warm_start) and hasattr(model, "params_")


def _written(value: Any) -> str:
    """Return a hyper-parameter as text, which equal ones have in common on all ranks."""
    return getattr(value, "__qualname__", type(value).__name__) if callable(value) else shown(value)


def _classes(ranks: Ranks, model: Any, X: Any, y: Any) -> NDArray | None:
    """Return the classes of all ranks, sorted; None for a regression."""
    kind = kind_of(model)
    if isinstance(kind, Reals):
        return None

    def own() -> tuple[str, NDArray]:
        labels = kind.check(y, np.empty(_num_samples(X)))
        if labels.ndim == 2:
            return f"{labels.shape[1]} columns of labels", np.arange(labels.shape[1])
        return LABELS.get(labels.dtype.kind, f"labels of {labels.dtype}"), unique_labels(labels)

    what, classes = ranks.agreed(own)
    ranks.compare({"y": what})
    return np.unique(np.concatenate(ranks.gather(classes)))


def _facts(fit: Fit) -> dict[str, Any]:
    """Return what has to be the same on all ranks before a fit, by the argument that says it."""
    task, validation = fit.task, fit.data.validation
    X, dtype, state = task.samples.X, task.state.params.dtype, task.state
    known = hashlib.sha256(state.params.tobytes() + state.moments.tobytes()).hexdigest()
    return {
        "X": f"{X.shape[1]} features",
        "dtype of X": f"{'sparse' if isinstance(X, CompressedRows) else 'dense'} {X.dtype}",
        "dtype": dtype.name,
        "y": f"{task.net.sizes[-1]} outputs",
        "sample_weight": "none" if task.samples.weights is None else "some",
        "the back end": backends.get_backend(),
        "the processor": task.kernels.arithmetic(dtype),
        "validation_data": "weights" if validation and validation[2] is not None else "no weights",
        "the model": f"{state.epoch} epochs, {state.step} steps and the seed {task.seed}",
        "the initial weights": f"some of digest {known[:8]}",
    }


def _share_out(
    fit: Fit, ranks: Ranks, plan: Plan, training: InMemory, validation: InMemory | None
) -> RankObserver:
    """Give each rank the samples of its shards, and rank 0 the callbacks; return who calls them."""
    samples, *own = training
    fit.task = task = RankTask.of(fit.task, samples, ranks, plan)
    task.send()
    fit.data = RankData(fit.data, task, own, validation)
    everys = ranks.of_rank(0, [hook.every for hook in fit.hooks])
    hooks = [Hooks(Follower(every)) for every in everys] if ranks.number else fit.hooks
    fit.observer = observer = RankObserver(fit.model, hooks, fit.data)
    return observer


def _follow_model(ranks: Ranks, model: Any) -> None:
    """Make the model on each rank what it is on rank 0, but for what a rank has for itself."""
    kept = {*type(model)._get_param_names(), "_skl_callbacks"} - set(CHANGEABLE)
    learned = {name: value for name, value in vars(model).items() if name not in kept}
    commit(model, **ranks.of_rank(0, learned))
