"""What the compiled CPU back ends share: from the interface's arrays to panels and back.

A compiled back end is a `Compiled` around its kernels, which take a `panels.Problem`, samples and
plain arrays.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..codes import SGD
from ..compressed import CompressedRows
from ..interface import Network, Optimizer, Samples, Schedule, State
from ..shards import ShardSchedule
from ..shared import loss_gradient
from ..thread_count import Work
from ..threads import run_workers
from . import inputs, lanes, many, panels, shards
from .distortion import distort

NO_STATE: Any = np.empty((0, 0))
# Between two calls of a kernel Ctrl-C is heard: some 50 ms, in multiply-adds.
WORK_PER_CALL = 500_000_000


class Compiled:
    """The interface's functions on top of compiled kernels; see `interface.Kernels`.

    Parameters
    ----------
    load : callable
        Returns, for a real dtype, an object with the attributes `panel_width`, `vectors`,
        `count_values`, `compress_rows`, `train_thread`, `train_small`, `train_lanes`, `take_step`,
        `forward_samples`, `predict_few`, `delta_rule` and `distort_images`.
    """

    NETWORKS_AT_ONCE = 256  # lanes for 16 threads
    TRAINS_SHARDS = True

    def __init__(self, load: Callable[[np.dtype], Any]):
        self._load = load
        self._compiled: set[tuple] = set()

    def to_device(self, samples: Samples, n_threads: int = 1, compress: bool = True) -> Samples:
        """Return samples, their inputs compressed if that is faster; see `interface.Kernels`."""
        if not compress:
            return samples
        dtype = samples.X.dtype if samples.targets is None else samples.targets.dtype
        kernels = self._load(dtype)
        return samples._replace(X=inputs.compressed(kernels, samples.X, dtype, n_threads))

    def perceptron_train(
        self,
        X,
        targets,
        weights,
        learning_rate,
        order,
        online,
        losses,
        history,
        sample_weights=None,
    ):
        """Train by the perceptron rule."""
        return self._delta_rule(
            X, targets, weights, learning_rate, True, order, online, losses, history, sample_weights
        )

    def linear_train(
        self, X, targets, weights, learning_rate, order, online, losses, sample_weights=None
    ):
        """Train by the delta rule."""
        history = np.empty((0, *weights.shape), weights.dtype)
        self._delta_rule(
            X,
            targets,
            weights,
            learning_rate,
            False,
            order,
            online,
            losses,
            history,
            sample_weights,
        )

    def _delta_rule(
        self, X, targets, weights, rate, use_sign, order, online, losses, history, sample_weights
    ):
        kernels = self._load(weights.dtype)
        total = len(X) if sample_weights is None else sample_weights.sum(dtype=np.float64)
        # Each output's weights begin with a cache line: a fifth of the time of a linear layer.
        line = panels.ALIGNMENT // weights.itemsize
        size = -(-len(weights) // line) * line
        scratch = panels.aligned(2 * weights.shape[1] * size, weights.dtype)
        return kernels.delta_rule(
            inputs.for_kernels(X.astype(weights.dtype, copy=False), weights.dtype),
            X.shape[1],
            targets,
            weights,
            scratch,
            rate,
            use_sign,
            order,
            online,
            history,
            losses,
            sample_weights,
            float(total),
        )

    def mlp_forward(
        self, net: Network, params, samples: Samples, all_layers: bool, n_threads: int
    ) -> list[NDArray]:
        """Return layer outputs."""
        if len(samples.X) <= panels.FEW_SAMPLES and not all_layers:
            return [self._predict_few(net, params, samples)]
        last = len(net.sizes) - 1
        wanted = range(1, last + 1) if all_layers else [last]
        untargeted = samples._replace(targets=None, weights=None)
        return [self._forward(net, params, untargeted, n, n_threads)[0] for n in wanted]

    def _predict_few(self, net: Network, params, samples: Samples):
        """Return the network's outputs for few samples."""
        outputs = np.empty((len(samples.X), net.sizes[-1]), params.dtype)
        sizes, formulas = _arrays(net)
        X = samples.X.toarray() if isinstance(samples.X, CompressedRows) else samples.X
        predict = self._load(params.dtype).predict_few
        predict(sizes, formulas, params, X, samples.scale, outputs)
        return outputs

    def mlp_evaluate(
        self, net: Network, params, samples: Samples, n_threads: int, outputs=None
    ) -> tuple[float, float]:
        """Return loss and right answers over a data set."""
        last = len(net.sizes) - 1
        outputs, losses = self._forward(net, params, samples, last, n_threads, outputs)
        n_right = panels.count_right(net, outputs, samples)
        return float(losses.sum()) / samples.total_weight, n_right

    def _forward(
        self, net: Network, params, samples: Samples, layer: int, n_threads: int, outputs=None
    ):
        """Return the outputs of a layer and, given targets, the weighted loss of each sample."""
        kernels, n, losses = self._load(params.dtype), len(samples.X), np.empty(len(samples.X))
        if outputs is None:
            outputs = np.empty((n, net.sizes[layer]), params.dtype)
        batch = min(n, panels.FORWARD_BATCH)
        X = inputs.compressed(kernels, samples.X, params.dtype, n_threads)
        n_threads = min(n_threads, -(-n // batch))
        n_threads = panels.choose_threads(n_threads, panels.work_of(net, X, n))
        samples = _for_kernels(net, params.dtype, samples._replace(X=X))
        problem = panels.build(
            net,
            Optimizer(SGD),
            params,
            NO_STATE,
            width=kernels.panel_width,
            batch=batch,
            most_values=inputs.most_values(X, batch),
        )
        per_call = max(1, WORK_PER_CALL // (net.n_parameters * batch)) * batch

        if n_threads > 1:
            self._compile(
                lambda: kernels.forward_samples(problem, samples, losses, outputs, layer, 0, 0),
                ("forward", params.dtype),
            )

        def worker(thread: int) -> None:
            own = problem
            if thread:  # its own scratch, the same weights
                own = problem._replace(
                    work=panels.aligned(len(problem.work), params.dtype),
                    lists=panels.aligned(len(problem.lists), np.int32),
                    offsets=panels.aligned(len(problem.offsets), np.int64),
                )
            for first, end in panels.parts(n, thread, n_threads, per_call, problem.stop):
                kernels.forward_samples(own, samples, losses, outputs, layer, first, end)

        run_workers(worker, n_threads, problem.stop)
        return outputs, losses

    def mlp_loss_gradient(
        self, net: Network, params, samples: Samples, optimizer: Optimizer, seed: int, step: int
    ) -> tuple[float, NDArray]:
        """Return the loss of one batch and its gradient."""
        return loss_gradient(self.mlp_train, net, params, samples, optimizer, seed, step)

    def mlp_train(
        self,
        net: Network,
        optimizer: Optimizer,
        state: State,
        samples: Samples,
        schedule: Schedule,
        loss_sums: NDArray[np.float64],
        n_threads: int,
    ) -> Work | None:
        """Train by mini-batch back-propagation."""
        return self._train(net, optimizer, state, samples, schedule, loss_sums, n_threads)

    def _train(
        self, net, optimizer, state, samples, schedule, loss_sums, n_threads, stop=None
    ) -> Work | None:
        """Train; `stop` is that of a call which this is part of."""
        kernels, params = self._load(state.params.dtype), state.params
        order, batch = schedule.order, min(schedule.batch_size, schedule.order.shape[1])
        most_values = inputs.most_values(samples.X, batch)
        is_small = panels.is_small(net, optimizer, samples, schedule, kernels.panel_width)
        work = 0 if is_small else panels.work_of(net, samples.X, batch, optimizer)
        n_threads = panels.choose_threads(n_threads, work)
        samples = _for_kernels(net, params.dtype, samples)
        problem = panels.build(
            net,
            optimizer,
            params,
            state.moments,
            width=kernels.panel_width,
            batch=batch,
            most_values=most_values,
            n_threads=n_threads,
            seed=schedule.seed,
            step=state.step,
            stop=stop,
        )
        rates, losses = schedule.learning_rates, np.empty(batch)
        train = kernels.train_small if is_small else kernels.train_thread

        def worker(thread: int, sums: Any = loss_sums) -> None:
            train(problem, samples, order, rates[: len(sums)], losses, sums, thread)

        if n_threads > 1:
            self._compile(lambda: worker(0, loss_sums[:0]), ("train", params.dtype))
        taken = run_workers(worker, n_threads, problem.stop)
        panels.unpack_state(net, problem, state, kernels.panel_width)
        return taken

    def _compile(self, call: Callable[[], None], key: tuple) -> None:
        """Make an empty call, once: Numba compiles in it, in a thread that hears Ctrl-C."""
        if key not in self._compiled:
            call()
            self._compiled.add(key)

    def most_threads(
        self, net: Network, optimizer: Optimizer, samples: Samples, batch_size: int, n_threads: int
    ) -> int:
        """Return how many threads are the fastest; see `interface.Kernels`."""
        batch = min(batch_size, len(samples.X))
        return panels.choose_threads(n_threads, panels.work_of(net, samples.X, batch, optimizer))

    def mlp_train_many(
        self,
        networks: Sequence[Network],
        optimizers: Sequence[Optimizer],
        states: Sequence[State],
        samples: Samples,
        schedules: Sequence[Schedule],
        loss_sums: Sequence[NDArray[np.float64]],
        n_threads: int,
        side_by_side: bool = True,
    ) -> None:
        """Train several networks, side by side in the lanes of vectors if that is faster."""
        net, optimizer, schedule = networks[0], optimizers[0], schedules[0]
        dtype = states[0].params.dtype
        kernels = self._load(dtype)
        if side_by_side and lanes.pays(net, samples, schedule.batch_size):
            many.train_in_lanes(
                kernels,
                networks,
                optimizers,
                states,
                _for_kernels(net, dtype, samples),
                schedules,
                loss_sums,
                n_threads,
                lambda call: self._compile(call, ("lanes", dtype)),
            )
            return
        is_small = panels.is_small(net, optimizer, samples, schedule, kernels.panel_width)
        many.train_one_by_one(
            self._train,
            networks,
            optimizers,
            states,
            samples,
            schedules,
            loss_sums,
            n_threads,
            lambda call: self._compile(call, ("small" if is_small else "train", dtype)),
        )

    def mlp_train_shards(
        self,
        net: Network,
        optimizer: Optimizer,
        state: State,
        samples: Samples,
        schedule: ShardSchedule,
        loss_sums: NDArray[np.float64],
        n_threads: int,
        add_up: Callable[..., None],
    ) -> None:
        """Train for an epoch as one of several processes; see `interface.Kernels`."""
        dtype, rows = state.params.dtype, shards.most_rows(schedule)
        shards.train(
            self._load(dtype),
            net,
            optimizer,
            state,
            _for_kernels(net, dtype, samples),
            schedule,
            loss_sums,
            n_threads,
            add_up,
            most_values=inputs.most_values(samples.X, rows),
            work=panels.work_of(net, samples.X, rows),
            compile=lambda call: self._compile(call, ("train", dtype)),
        )

    def arithmetic(self, dtype: np.dtype) -> str:
        """Say on what the last bits depend; see `interface.Kernels`."""
        return self._load(dtype).vectors

    def distort_images(self, images, distortion, angles, seed, epoch, n_threads):
        """Return the images of an epoch."""
        kernels = self._load(np.dtype(np.float64))
        distorted = distort(
            kernels.distort_images,
            kernels.panel_width,
            images,
            distortion,
            angles,
            seed,
            epoch,
            n_threads,
        )
        return inputs.compressed(kernels, distorted, np.dtype(np.float64), n_threads)


@lru_cache(maxsize=64)
def _arrays(net: Network) -> tuple[NDArray, NDArray]:
    """Return the sizes, and each layer's activation with its parameter, as `predict_few` has them.

    To make these takes as long as a sample.
    """
    formulas = zip(net.activations, net.formula_parameters, strict=False)
    return np.array(net.sizes), np.array(list(formulas), np.float64)


def _for_kernels(net: Network, dtype: np.dtype, samples: Samples) -> Samples:
    """Return samples with an array in every place."""
    X, scale, targets, weights = samples
    if targets is None:
        targets = np.empty((0, net.n_targets), dtype)
    X = inputs.for_kernels(X, dtype)
    return Samples(X, float(scale), targets, np.empty(0, dtype) if weights is None else weights)
