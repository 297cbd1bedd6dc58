"""What fits are given, X, y and weights: checked, and once for all fits that get the same."""

import pickle
from collections.abc import Callable, Hashable, Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .backends.interface import Network, Samples
from .network import draw_weights
from .settings import READ, Settings
from .targets import Targets, kind_of
from .validation import check_scaled, check_weights, check_X, counted

T = TypeVar("T")
NUMBERS_AT_ONCE = 100_000  # weights that are drawn ahead, of networks of one shape
SHAPES_AT_ONCE = 16
NAMES = "n_features_in_", "feature_names_in_"


class Data(NamedTuple):
    """The samples of a fit, those that count.

    Attributes
    ----------
    samples : Samples, or streams.windows.Stream
    y : (n_samples,) or (n_samples, n_outputs)
        As the score takes it; empty if there is a stream.
    targets : Targets
        Of all samples that were given.
    attributes : dict
        What the check has set on the network.
    """

    samples: Any
    y: NDArray
    targets: Targets
    attributes: dict[str, Any]

    @property
    def n_samples(self) -> int:
        """Samples that count; 0 as long as nobody knows."""
        own = self.samples
        return len(own.X) if isinstance(own, Samples) else own.n_samples

    @property
    def n_features(self) -> int:
        """Columns of X."""
        own = self.samples
        return own.X.shape[1] if isinstance(own, Samples) else own.n_features


def check_data(
    network: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    dtype: np.dtype,
    scale: float,
    going_on: bool,
    classes: Any,
) -> Data:
    """Return the data of a fit; ValueError if something is wrong with them."""
    kind = kind_of(network)
    X = check_X(network, X, dtype, reset=not going_on)
    check_scaled("X", X, scale, dtype)
    y = kind.check(y, X)
    weights = check_weights(sample_weight, X, dtype)
    targets = kind.learn(network, y, dtype, going_on, classes)
    weights = kind.weights(network, targets, weights)
    weights, X, y, values = counted(weights, X, y, targets.values)
    attributes = {name: vars(network)[name] for name in NAMES if name in vars(network)}
    return Data(Samples(X, scale, values, weights), y, targets, attributes)


def written(*values: Any) -> Hashable:
    """Return a key that equal values have in common; of what cannot be written down, one alone."""
    try:
        return pickle.dumps(values)
    except Exception:
        return object()


class Given:
    """Remembers what several fits have in common, as long as they begin.

    Parameters
    ----------
    seeds : iterable of int
        Those that the fits will have, in their order: weights are drawn for many at once.
    """

    def __init__(self, seeds: Iterable[int] = ()) -> None:
        self._known: dict[tuple, tuple[Any, tuple]] = {}
        self._data: dict[tuple, list[Data]] = {}
        self._seeds = [seed for seed in dict.fromkeys(seeds) if 0 <= seed < 2**64]
        self._places = {seed: place for place, seed in enumerate(self._seeds)}
        self._drawn: dict[tuple, NDArray] = {}

    def once(self, key: tuple, make: Callable[[], T], *kept: Any) -> T:
        """Return what was made for this key; `kept` are the objects whose `id` is in it."""
        if key not in self._known:
            self._known[key] = make(), kept
        return self._known[key][0]

    def once_for(self, key: tuple, values: tuple, make: Callable[[], T], *kept: Any) -> T:
        """Return what was made for this key and equal values; the same objects need no look."""
        return self.once(
            (*key, *map(id, values)),
            lambda: self.once((*key, written(*values)), make, *kept),
            *values,
            *kept,
        )

    def settings(self, network: Any, dtype: np.dtype) -> Settings:
        """Return the settings of a network: checked once for all that have the same values."""
        own = {name: getattr(network, name) for name in READ}  # a subclass may name others
        key = "settings", dtype.str, *map(id, own.values())
        return self.once(key, lambda: Settings.of(SimpleNamespace(**own), dtype), *own.values())

    def draw_weights(
        self, net: Network, weight_init: str, seeds: list[int], dtype: np.dtype
    ) -> NDArray:
        """Return what `network.draw_weights` does for one seed; others are drawn ahead."""
        (seed,) = seeds
        if seed not in self._places:
            return draw_weights(net, weight_init, seeds, dtype)
        size = max(1, NUMBERS_AT_ONCE // net.n_parameters)
        first = self._places[seed] // size * size
        key = net.sizes, weight_init, dtype, first
        if key not in self._drawn:
            if len(self._drawn) == SHAPES_AT_ONCE:
                self._drawn.clear()
            ahead = self._seeds[first : first + size]
            self._drawn[key] = draw_weights(net, weight_init, ahead, dtype)
        at = self._places[seed] - first
        return self._drawn[key][at : at + 1].copy()

    def data(
        self, network: Any, X: Any, y: Any, sample_weight: Any, dtype: np.dtype, scale: float
    ) -> Data:
        """Return the data of a new fit, as `check_data` does.

        Networks whose parameters ask for the same targets have the same `Samples`.
        """
        own = network.loss, network.label_smoothing, network.out_activation, network.class_weight
        objects = type(network), id(X), id(y), id(sample_weight), dtype.str, scale

        def make() -> Data:
            found = check_data(network, X, y, sample_weight, dtype, scale, False, None)
            others = self._data.setdefault(objects, [])
            same = next((one for one in others if _are_equal(one.samples, found.samples)), None)
            if same is not None:
                return found._replace(samples=same.samples, y=same.y)
            others.append(found)
            return found

        found = self.once_for(objects, own, make, X, y, sample_weight)
        vars(network).update(found.attributes)
        return found


def _are_equal(one: Samples, other: Samples) -> bool:
    """Say whether samples that were given by the same X are equal."""
    if (one.weights is None) != (other.weights is None) or len(one.X) != len(other.X):
        return False
    weighted = one.weights is None or np.array_equal(one.weights, other.weights)
    return weighted and np.array_equal(one.targets, other.targets)
