"""The checks of samples that are not all in memory, before a fit changes anything."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..backends.compressed import CompressedRows, Table
from ..class_weights import class_weights, is_balanced
from ..early_stopping import holds_out
from ..given import NAMES, Data
from ..optimizers import LBFGS
from ..parameters import check_batch_size, check_buffer_size, is_integer
from ..targets import Classes, Targets, kind_of
from ..validation import check_scaled, check_weights, check_X, unique_labels
from .batches import ONCE, Batches, BatchSamples
from .stored import StoredSamples, chunks_of, is_sliced, too_large
from .windows import Encoder


def check_stream(
    network: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    dtype: np.dtype,
    scale: float,
    going_on: bool,
    classes: Any,
    validation_data: Any,
) -> tuple[Data | None, int]:
    """Return the data of a fit and the size of its window; None and 0 if they are for memory.

    Parameters
    ----------
    X : table or `Batches`
        Of batches, there are no y and sample_weight.

    Raises
    ------
    ValueError
        If something is wrong with them, or a parameter needs all samples in memory.
    """
    if isinstance(X, Batches):
        _refuse(network, "")
        if holds_out(network) and validation_data is None:
            raise ValueError(
                "early_stopping=True: fit_batches can hold no samples out; expected "
                "validation_data, or False"
            )
        return _of_batches(network, X, dtype, scale, going_on, classes)
    size = too_large(X, network.buffer_size, dtype)
    if not size:
        return None, 0
    _refuse(network)
    kind, chunks = kind_of(network), chunks_of(X, size)
    head = slice(*chunks[0])
    first = check_X(network, X[head], dtype, reset=not going_on)
    check_scaled("X", first, scale, dtype)
    y = check_y_of(network, y, X.shape[0])
    weights = check_weights(sample_weight, range(X.shape[0]), dtype)
    if not going_on and classes is None:
        classes = _classes(kind, _slices(y, chunks))
    targets = kind.learn(network, kind.check(y[head], first), dtype, going_on, classes)
    if network.class_weight is not None and isinstance(kind, Classes):
        parts = (kind.check(part, part) for part in _slices(y, chunks))
        learned = (kind.learn(network, part, dtype, going_on, classes) for part in parts)
        targets = targets._replace(labels=np.concatenate([part.labels for part in learned]))
    weights = kind.weights(network, targets, weights)
    samples = StoredSamples(X, y, weights, Encoder(network, dtype, scale), size, chunks)
    return _data(network, samples, targets), _window(network, size)


def _of_batches(
    network: Any, batches: Batches, dtype: np.dtype, scale: float, going_on: bool, classes: Any
) -> tuple[Data, int]:
    """Return the data of `fit_batches`: one look at the first, or all if classes are not known."""
    (number, X, y, _), encoder = batches.first, Encoder(network, dtype, scale)
    kind = encoder.kind
    if is_balanced(network.class_weight):
        raise ValueError(
            "class_weight='balanced': fit_batches does not know all samples; expected None, or a "
            "dict of weights"
        )
    if batches.is_iterator and network.max_iter > 1:
        raise ValueError(f"{ONCE}; or max_iter=1")
    if isinstance(kind, Classes) and not going_on and classes is None:
        if batches.is_iterator:
            raise ValueError(f"classes=None: expected all classes; {ONCE}")
        classes = _classes(kind, (labels for _, _, labels, _ in batches))
    elif not isinstance(kind, Classes) and classes is not None:
        raise ValueError("classes: a regression has none; expected None")
    try:
        first = check_X(network, X, dtype, reset=not going_on)
        check_scaled("X", first, scale, dtype)
        targets = kind.learn(network, kind.check(y, first), dtype, going_on, classes)
    except ValueError as error:
        raise ValueError(f"batches[{number}]: {error}") from None
    _check_class_weight(network, kind, targets)
    size = check_buffer_size(network.buffer_size, *_bytes_of_row(first))
    samples = BatchSamples(batches, encoder, first.shape[1])
    return _data(network, samples, targets), _window(network, size)


def stored_samples(
    network: Any, X: Any, y: Any, sample_weight: Any, dtype: np.dtype, scale: float
) -> StoredSamples | None:
    """Return samples that a network is measured on, None if they are for memory."""
    size = too_large(X, network.buffer_size, dtype)
    if not size:
        return None
    y = check_y_of(network, y, X.shape[0])
    weights = check_weights(sample_weight, range(X.shape[0]), dtype)
    encoder = Encoder(network, dtype, scale)
    return StoredSamples(X, y, weights, encoder, size, chunks_of(X, size))


def _check_class_weight(network: Any, kind: Any, targets: Targets) -> None:
    """Raise ValueError unless `class_weight` goes with batches."""
    if targets.n_classes:
        if network.class_weight is not None:
            class_weights(network.class_weight, targets.labels, targets.learned["classes_"])
    else:
        kind.weights(network, targets, None)  # raises


def _refuse(network: Any, hint: str = ", or a larger buffer_size") -> None:
    """Raise ValueError for what needs all samples in memory at once."""
    why = f"needs all samples in memory at once; expected {{}}{hint}"
    if network.solver == LBFGS:
        raise ValueError(f"solver={LBFGS!r}: it {why.format('another solver')}")
    if network.distortion is not None:
        raise ValueError(f"distortion: it {why.format('None')}")
    if isinstance(network.batch_size, str) and network.batch_size == "full":
        raise ValueError(f"batch_size='full': it {why.format('a number')}")


def _window(network: Any, size: int) -> int:
    """Return the samples of a window: whole batches, so that what has room has it still."""
    given = network.batch_size
    if isinstance(network.buffer_size, str) and is_integer(given):  # "auto": at least a batch
        size = max(size, given)
    if is_integer(given) and given > size:
        raise ValueError(
            f"batch_size={given}: expected at most buffer_size, {size} samples, where not all of "
            "them are in memory"
        )
    batch = check_batch_size(given, size)
    return -(-size // batch) * batch


def _bytes_of_row(X: Table) -> tuple[int, int]:
    """Return how many values a row has, about, and the bytes of each."""
    if isinstance(X, CompressedRows):
        return len(X.values) // len(X), X.dtype.itemsize + X.columns.itemsize
    return X.shape[1], X.dtype.itemsize


def _data(network: Any, samples: Any, targets: Targets) -> Data:
    attributes = {name: vars(network)[name] for name in NAMES if name in vars(network)}
    return Data(samples, np.empty(0), targets, attributes)


def check_y_of(model: Any, y: Any, n: int) -> Any:
    """Return y as an array, or as it is if it is read by slices; ValueError if it is none."""
    if not is_sliced(y):
        return kind_of(model).check(y, range(n))
    if len(y.shape) not in (1, 2) or y.shape[0] != n:
        raise ValueError(f"y: got shape {y.shape}; expected ({n},) or ({n}, n_outputs), as X")
    return y


def _slices(y: Any, chunks: NDArray[np.int64]) -> Iterator[Any]:
    for first, end in chunks.tolist():
        yield y[first:end]


def _classes(kind: Any, parts: Iterable[Any]) -> NDArray | None:
    """Return the classes of all parts of y, sorted; None for a regression."""
    if not isinstance(kind, Classes):
        return None
    found: NDArray | None = None
    for part in parts:
        y = kind.check(part, part)
        if y.ndim == 2:
            return np.arange(y.shape[1])
        own = unique_labels(y)
        found = own if found is None else np.unique(np.concatenate([found, own]))
    return found
