"""What the compiled CPU back ends share: from the interface's arrays to panels and back.

A compiled back end is a `Compiled` around its kernels, which take a `panels.Problem` and
plain arrays.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import panels
from ..interface import SGD, Network, Optimizer, gaussian_weights
from ..threads import available_processors, run_workers

NO_STATE: Any = np.empty((0, 0))
IMAGES_PER_THREAD = 100  # fewer are sooner distorted than a thread is started
# Between two calls of a kernel Ctrl-C is heard: some 50 ms, in multiply-adds and in pixels.
WORK_PER_CALL = 500_000_000
PIXELS_PER_CALL = 500_000


class Compiled:
    """The interface's functions on top of compiled kernels; see `interface.Kernels`.

    Parameters
    ----------
    load : callable
        Returns, for a real dtype, an object with the attributes `panel_width`, `mlp_train`,
        `mlp_forward`, `predict_few`, `delta_rule` and `distort_images`.
    """

    NETWORKS_AT_ONCE = 64  # with fewer, starting the threads would show

    def __init__(self, load: Callable[[np.dtype], Any]):
        self._load = load
        self._compiled: set[tuple] = set()

    def to_device(self, array):
        """Return training data as they are; see `interface.Kernels`."""
        return array

    def perceptron_train(
        self, X, targets, weights, learning_rate, max_epochs, order, online, history
    ):
        """Train by the perceptron rule."""
        return self._delta_rule(
            X, targets, weights, learning_rate, True, order, online, history, np.empty(max_epochs)
        )

    def linear_train(self, X, targets, weights, learning_rate, order, online, losses):
        """Train by the delta rule."""
        history = np.empty((0, *weights.shape), weights.dtype)
        self._delta_rule(X, targets, weights, learning_rate, False, order, online, history, losses)

    def _delta_rule(self, X, targets, weights, rate, use_sign, order, online, history, losses):
        kernels = self._load(weights.dtype)
        by_output = np.ascontiguousarray(weights.T)
        epochs = kernels.delta_rule(
            *(X, targets, by_output, np.empty_like(by_output), rate, use_sign),
            *(order, online, history, losses),
        )
        weights[:] = by_output.T
        return epochs

    def mlp_forward(self, net, params, X, scale, all_layers, n_threads):
        """Return layer outputs."""
        if len(X) <= panels.FEW_SAMPLES and not all_layers:
            return [self._predict_few(net, params, X, scale)]
        last = len(net.sizes) - 1
        wanted = range(1, last + 1) if all_layers else [last]
        return [self._forward(net, params, X, scale, None, n, n_threads)[0] for n in wanted]

    def _predict_few(self, net: Network, params, X, scale):
        """Return the network's outputs for few samples."""
        outputs = np.empty((len(X), net.sizes[-1]), params.dtype)
        sizes, activations = np.array(net.sizes), np.array(net.activations)
        longest = -(-max(net.sizes) // 16) * 16  # reals in two cache lines: all layers aligned
        scratch = np.zeros(3 * longest + panels.ALIGNMENT // params.itemsize, params.dtype)
        kernels = self._load(params.dtype)
        kernels.predict_few(sizes, activations, params, X, scale, scratch, outputs)
        return outputs

    def mlp_evaluate(self, net, params, X, scale, targets, n_threads):
        """Return loss and right answers over a data set."""
        last = len(net.sizes) - 1
        outputs, losses = self._forward(net, params, X, scale, targets, last, n_threads)
        return float(losses.mean()), panels.count_right(outputs, targets, net.loss)

    def _forward(self, net: Network, params, X, scale, targets, layer, n_threads):
        """Return the outputs of a layer and, given targets, the loss of each sample."""
        kernels = self._load(params.dtype)
        outputs = np.empty((len(X), net.sizes[layer]), params.dtype)
        losses = np.empty(len(X))
        if targets is None:
            targets = np.empty((0, net.n_targets), params.dtype)
        batch = min(len(X), panels.FORWARD_BATCH)
        n_threads = panels.choose_threads(min(n_threads, -(-len(X) // batch)), net, len(X))
        problem = panels.build(
            net,
            Optimizer(SGD, 0.0),
            params,
            NO_STATE,
            width=kernels.panel_width,
            batch=batch,
            scale=scale,
            sparse=panels.is_sparse(X),
        )

        per_call = max(1, WORK_PER_CALL // (net.n_parameters * batch)) * batch

        if n_threads > 1:
            self._compile(
                lambda: kernels.mlp_forward(*problem, X, targets, losses, outputs, layer, 0, 0),
                *("forward", params.dtype, X.dtype),
            )

        def worker(thread: int) -> None:
            own = problem
            if thread:  # its own scratch, the same weights
                own = problem._replace(
                    work=panels.aligned(len(problem.work), params.dtype),
                    lists=panels.aligned(len(problem.lists), np.int32),
                )
            for first, end in parts(len(X), thread, n_threads, per_call, problem.stop):
                kernels.mlp_forward(*own, X, targets, losses, outputs, layer, first, end)

        run_workers(worker, n_threads, problem.stop)
        return outputs, losses

    def mlp_loss_gradient(self, net, params, X, scale, targets, alpha, seed, step):
        """Return the loss of one batch and its gradient."""
        optimizer = Optimizer(panels.STORE_GRADIENT, 0.0, alpha=alpha)
        gradient = np.zeros_like(params)
        loss_sum = np.zeros(1)
        order = np.arange(len(X))[np.newaxis]
        self.mlp_train(
            *(net, optimizer, params, gradient[np.newaxis], X, scale, targets, order, len(X)),
            *(seed, step, loss_sum, 1),
        )
        penalty, start = 0.0, 0
        for m, n in zip(net.sizes, net.sizes[1:], strict=False):
            W = params[start : start + m * n].astype(np.float64)
            penalty += float(W @ W)
            start += (m + 1) * n
        return (loss_sum[0] + alpha * penalty / 2) / len(X), gradient

    def mlp_train(
        self,
        net: Network,
        optimizer: Optimizer,
        params,
        moments,
        X,
        scale,
        targets,
        order,
        batch_size,
        seed,
        step,
        loss_sums,
        n_threads,
        stop=None,
    ):
        """Train by mini-batch back-propagation; `stop` is that of a call which this is part of."""
        kernels = self._load(params.dtype)
        batch = min(batch_size, order.shape[1])
        n_threads = panels.choose_threads(n_threads, net, batch)
        problem = panels.build(
            net,
            optimizer,
            params,
            moments,
            width=kernels.panel_width,
            batch=batch,
            scale=scale,
            sparse=panels.is_sparse(X),
            n_threads=n_threads,
            seed=seed,
            step=step,
            stop=stop,
        )
        losses = np.empty(batch)

        def worker(thread: int, loss_sums: Any = loss_sums) -> None:
            kernels.mlp_train(*problem, X, targets, order, losses, loss_sums, thread)

        if n_threads > 1:
            self._compile(lambda: worker(0, loss_sums[:0]), "train", params.dtype, X.dtype)
        work = run_workers(worker, n_threads, problem.stop)
        if optimizer.kind != panels.STORE_GRADIENT:
            panels.unpack(net, problem.weights, params, problem.table, kernels.panel_width)
        for moment, packed in zip(moments, (problem.moment_1, problem.moment_2), strict=False):
            panels.unpack(net, packed, moment, problem.table, kernels.panel_width)
        return work

    def _compile(self, call, *key):
        """Make an empty call, once: Numba compiles in it, in a thread that hears Ctrl-C."""
        if key not in self._compiled:
            call()
            self._compiled.add(key)

    def most_threads(self, net, batch_size, n_threads):
        """Return how many threads are the fastest; see `interface.Kernels`."""
        return panels.choose_threads(n_threads, net, batch_size)

    def mlp_train_many(
        self,
        net: Network,
        optimizer: Optimizer,
        rates,
        params,
        moments,
        X,
        scale,
        targets,
        order,
        batch_size,
        seeds,
        step,
        loss_sums,
        n_threads,
    ):
        """Train several networks, as many at a time as there are threads."""
        n_networks = len(params)
        n_workers = max(1, min(n_threads, n_networks, available_processors()))
        stop = panels.new_stop()

        def train(i: int, sums: Any) -> None:
            own = optimizer._replace(learning_rate=float(rates[i]))
            self.mlp_train(
                *(net, own, params[i], moments[i], X, scale, targets, order[i % len(order)]),
                *(batch_size, int(seeds[i]), step, sums, n_threads // n_workers),
                stop=stop,
            )

        def worker(thread: int) -> None:
            for i in range(thread, n_networks, n_workers):
                if stop[0]:
                    return
                train(i, loss_sums[i])

        self._compile(lambda: train(0, loss_sums[0, :0]), "train", params.dtype, X.dtype)
        run_workers(worker, n_workers, stop, apart=True)

    def distort_images(self, images, distortion, angles, seed, epoch, n_threads):
        """Return the images of an epoch."""
        h, w, _, scaling, sigma, alpha = distortion
        kernels = self._load(np.dtype(np.float64))
        distorted, weights = np.empty_like(images), gaussian_weights(sigma)
        key = np.uint64(seed)  # Numba takes Python's integers as signed
        n = len(images)
        n_threads = max(1, min(n_threads, available_processors(), n // IMAGES_PER_THREAD))
        per_call, stop = max(1, PIXELS_PER_CALL // (h * w)), panels.new_stop()

        def distort(first: int, end: int, scratch: Any) -> None:
            kernels.distort_images(
                *(images, distorted, h, w, scaling, alpha, weights, angles),
                *(key, epoch & 0xFFFFFFFF, first, end, scratch),
            )

        def worker(thread: int) -> None:
            scratch = np.empty((4, h * w))
            for first, end in parts(n, thread, n_threads, per_call, stop):
                distort(first, end, scratch)

        if n_threads > 1:
            self._compile(lambda: distort(0, 0, np.empty((4, h * w))), "distort")
        run_workers(worker, n_threads, stop)
        return distorted


def parts(n, thread, n_threads, size, stop):
    """Yield the bounds of a thread's part of n samples, `size` at a time, until told to stop."""
    first, end = n * thread // n_threads, n * (thread + 1) // n_threads
    while first < end and not stop[0]:
        yield first, min(first + size, end)
        first += size
