"""What a fitted multi-layer network gives: its outputs, and how good they are."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from . import backends
from .backends.compressed import Table
from .backends.cpu.panels import FEW_SAMPLES
from .backends.interface import Network, Samples
from .mpi import evaluate_on_ranks
from .parameters import check_n_jobs, check_scale
from .streams.data import stored_samples
from .streams.measure import joined, measured
from .streams.stored import ranges, too_large
from .targets import kind_of
from .validation import check_scaled, check_weights, check_X

SMALL_TABLE = 2**20  # bytes of what is read as a whole, wherever it lies


class Outputs:
    """Forward passes and measures, of samples in memory, in files or on several ranks."""

    params_: NDArray
    input_scale: float
    n_jobs: int | None

    def _from_outputs(self, X: ArrayLike, make: Callable[[NDArray], NDArray]) -> NDArray:
        """Return what is made of the network's outputs, (n_samples, n_outputs), row by row."""
        if size := self._size_of_part(X):
            return joined(lambda part: self._from_outputs(part, make), X, size)
        return make(self._outputs(X))

    def _outputs(self, X: ArrayLike) -> NDArray:
        """Return the network's outputs, (n_samples, n_outputs)."""
        return self._forward(self._samples(self._inputs(X)), False, backends.kernels())[-1]

    def _size_of_part(self, X: Any) -> int:
        """Return how many rows of X are read at once; 0: all of them."""
        # Soon answered: a sample takes 8 microseconds in all.
        if type(X) is np.ndarray and (X.nbytes < SMALL_TABLE or X.base is None):
            return 0
        own = vars(self)
        return too_large(X, own["buffer_size"], own["params_"].dtype) if "params_" in own else 0

    def layer_outputs(self, X: ArrayLike) -> list[NDArray]:
        """Return the outputs of every layer, each (n_samples, n_units), without dropout.

        Examples
        --------
        >>> import fastnn
        >>> X, y = fastnn.load_xor()
        >>> model = fastnn.MLPClassifier((8, 3), max_iter=1, tol=None).fit(X, y)
        >>> [outputs.shape for outputs in model.layer_outputs(X)]
        [(4, 8), (4, 3), (4, 1)]
        """
        if size := self._size_of_part(X):
            table: Any = X
            bounds = ranges(table.shape[0], size)
            parts = [self.layer_outputs(table[first:end]) for first, end in bounds]
            return [np.concatenate(layer) for layer in zip(*parts, strict=True)]
        return self._forward(self._samples(self._inputs(X)), True, backends.kernels())

    def _evaluate(
        self, X: ArrayLike, y: ArrayLike, sample_weight: Any, communicator: Any = None
    ) -> tuple[float, float]:
        """Return the loss (without penalty) and the score on samples X with targets y."""
        if communicator is not None:
            return evaluate_on_ranks(self, communicator, X, y, sample_weight)
        kernels = backends.kernels()
        if self._size_of_part(X):
            dtype = self.params_.dtype
            scale = check_scale(self.input_scale, dtype)
            return measured(self, stored_samples(self, X, y, sample_weight, dtype, scale), kernels)
        kind, inputs = kind_of(self), self._inputs(X)
        y = kind.check(y, inputs)
        dtype = self.params_.dtype
        weights = check_weights(sample_weight, inputs, dtype)
        samples = self._samples(inputs, kind.encode(self, y, dtype))._replace(weights=weights)
        return self._measure(kernels.to_device(samples), y, weights, kernels)

    def _measure(self, samples: Any, y: Any, weights: Any, kernels: Any) -> tuple[float, float]:
        """Return the loss and the score on checked samples, in one pass.

        y and weights are those of the samples, not on a device; a stream has its own.
        """
        if not isinstance(samples, Samples):
            return measured(self, samples, kernels)
        net, params, n_threads = self._for_kernels(samples)
        outputs = np.empty((len(y), net.sizes[-1]), params.dtype)
        loss, n_right = kernels.mlp_evaluate(net, params, samples, n_threads, outputs)
        return loss, kind_of(self).score(self, outputs, y, weights, n_right)

    def _inputs(self, X: ArrayLike) -> Table:
        """Return X as the kernels take it; raises if it or the estimator is not fit for use."""
        if not hasattr(self, "params_"):
            check_is_fitted(self, "params_")  # raises; its search takes long for one sample
        return check_X(self, X, self.params_.dtype, reset=False)

    def _samples(self, X: Table, targets: Any = None) -> Samples:
        """Return checked inputs as samples; ValueError if `input_scale` makes them too large."""
        dtype = self.params_.dtype
        scale = check_scale(self.input_scale, dtype)
        if not -1 <= scale <= 1:
            check_scaled("X", X, scale, dtype)
        return Samples(X, scale, targets)

    def _forward(self, samples: Samples, all_layers: bool, kernels: Any) -> list[NDArray]:
        net, params, n_threads = self._for_kernels(samples)
        return kernels.mlp_forward(net, params, samples, all_layers, n_threads)

    def _for_kernels(self, samples: Samples) -> tuple[Network, NDArray, int]:
        """Return what kernels need beside samples: network, parameters, number of threads.

        Kernels trust what they get, so network and parameters are of one state, even if another
        thread fits the model at this moment.
        """
        own = vars(self)
        net, params = own["network_"], own["params_"]
        if samples.X.shape[1] != net.sizes[0]:
            raise ValueError(f"X: expected {net.sizes[0]} features, got {samples.X.shape[1]}")
        # Few samples need no threads; to ask how many there are takes a tenth of their time.
        n_threads = 1 if len(samples.X) <= FEW_SAMPLES else check_n_jobs(self.n_jobs)
        return net, params, n_threads
