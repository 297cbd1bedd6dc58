"""The kernel interface: what every back end offers, written once.

A back end is a module with the names of `Kernels`.
Kernels work on C-contiguous arrays of one real dtype (float32 or float64), write their results in
place and hold no state: everything they need is an argument.

A network is a `Network` (layer sizes and codes) and one flat vector of parameters: layer after
layer, the weights W as (n_in, n_out) in row-major order, then the bias b as (n_out,). What the
codes mean, `codes` says; its formulas stand in the `formulas` of each back end.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .codes import ACTIVATIONS, LOSSES
from .compressed import Table
from .rows import Activation, Loss
from .shards import Node, ShardSchedule
from .thread_count import Work


class Network(NamedTuple):
    """The shape of a network; layer l maps sizes[l] units to sizes[l + 1].

    Attributes
    ----------
    sizes : tuple of int
        Units per layer, inputs first.
    activations : tuple of int
        Activation code of each layer but the inputs.
    dropout : tuple of float
        Fraction of each layer's outputs set to 0 in training; the rest is divided by
        (1 - fraction) (inverted dropout). The last one is 0.
    loss : int
        Loss code.
    activation_parameters : tuple of float
        The parameter of each layer's activation; empty: the defaults. Where a formula has none,
        the number means nothing.
    loss_parameter : float or None
        The parameter of the loss; None: its default.
    """

    sizes: tuple[int, ...]
    activations: tuple[int, ...]
    dropout: tuple[float, ...]
    loss: int
    activation_parameters: tuple[float, ...] = ()
    loss_parameter: float | None = None

    @property
    def n_parameters(self) -> int:
        """Length of the flat parameter vector."""
        return sum((m + 1) * n for m, n in zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def n_targets(self) -> int:
        """Number of columns of the targets."""
        return 1 if LOSSES[self.loss].targets == "index" else self.sizes[-1]

    @property
    def threshold(self) -> float:
        """What a single output has to exceed to name the second of two classes."""
        return 0.0 if LOSSES[self.loss].targets == "sign" else 0.5

    @property
    def formula_parameters(self) -> tuple[float, ...]:
        """The number in each layer's activation, and in the loss; 0 where there is none."""
        return _formula_parameters(self)


@lru_cache(maxsize=256)
def _formula_parameters(net: Network) -> tuple[float, ...]:
    rows: list[Activation | Loss] = [ACTIVATIONS[code] for code in net.activations]
    given = [*(net.activation_parameters or [None] * len(rows)), net.loss_parameter]
    rows.append(LOSSES[net.loss])
    return tuple(_number(row, value) for row, value in zip(rows, given, strict=True))


def _number(row: Activation | Loss, value: float | None) -> float:
    """Return the number in a formula."""
    if row.parameter is None:
        return 0.0
    return float(row.parameter.default if value is None else value)


class Optimizer(NamedTuple):
    """An update rule, its constants, and the penalties on large weights (not biases).

    Attributes
    ----------
    kind : int
        Optimizer code.
    beta_1 : float
        Decay of the mean gradient, or the momentum.
    beta_2, epsilon : float
        Decay of the mean squared gradient, and the number added to its root.
    alpha : float
        L2 penalty: alpha / 2N times the sum of the squared weights is added to the loss of a batch
        of N samples, as in scikit-learn.
    l1 : float
        L1 penalty: l1 / N times the sum of the absolute weights is added as well.
    weight_decay : float
        Fraction of each weight and bias that a step of learning rate 1 takes off (adamw).
    max_norm : float
        After a step the incoming weights of a unit (not its bias) are scaled down to a Euclidean
        norm of at most this (Srebro & Shraibman 2005; Srivastava et al. 2014, section 5.1);
        0: they are left alone.
    """

    kind: int
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    alpha: float = 0.0
    l1: float = 0.0
    weight_decay: float = 0.0
    max_norm: float = 0.0


class Samples(NamedTuple):
    """The samples of a call; on a GPU they live there from a fit's first call to its last.

    Attributes
    ----------
    X : (n_samples, n_features) in the real dtype, or uint8; an array or `CompressedRows`
    scale : float
        The network sees X * scale.
    targets : (n_samples, n_targets) in the real dtype
        What they are, the loss says (`rows.Loss.targets`); (0, n_targets): none are needed.
    weights : (n_samples,) in the real dtype, or None
        How much each sample counts in the loss; None: all count 1. The loss of a batch is the
        weighted mean, as if a sample of weight 2 were there twice.
    """

    X: Any
    scale: float
    targets: Any
    weights: Any = None

    @property
    def total_weight(self) -> float:
        """How many samples there are, as much as each counts."""
        if self.weights is None:
            return float(len(self.X))
        return float(np.asarray(self.weights).sum(dtype=np.float64))


class State(NamedTuple):
    """What training changes, as it is between two steps.

    Attributes
    ----------
    params : (n_parameters,), or the weights (n_inputs, n_outputs) of a linear network
    moments : (n_moments, n_parameters)
        The optimizer's state; how many there are, `rows.UpdateRule.n_moments` says.
    step : int
        Optimizer steps made. Dropout, and what depends on the number of the step, counts on.
    epoch : int
        Epochs made; not for kernels.
    """

    params: NDArray
    moments: NDArray
    step: int = 0
    epoch: int = 0


class Schedule(NamedTuple):
    """Which samples make a step, and how large it is.

    Attributes
    ----------
    order : (r, m) of int64
        The samples of epoch e: row e % r.
    batch_size : int
        Samples of a step; an epoch's last step may have fewer.
    seed : int
        Key of the dropout masks, 64 bits.
    learning_rates : (n_epochs,) of float64
        Of each epoch of the call.
    is_shuffled : bool
        Whether other epochs have other orders, also where the call has one.
    """

    order: NDArray[np.int64]
    batch_size: int
    seed: int
    learning_rates: NDArray[np.float64]
    is_shuffled: bool = False


class ImageDistortion(NamedTuple):
    """Random changes of training images, made anew in every epoch (Cireşan et al. 2010).

    An image is turned, stretched along both axes, and bent by a random field that is smoothed by a
    Gaussian (Simard et al. 2003, section 2).

    Attributes
    ----------
    height, width : int
        Pixels of an image; its row of X has height * width bytes, line after line.
    rotation : float or tuple of float, default 15
        Largest angle in degrees; a tuple has one for each class.
    scaling : float, default 0.15
        Largest stretch or shrinkage of each axis, as a fraction; below 1.
    sigma : float, default 6
        Standard deviation of the Gaussian in pixels.
    alpha : float, default 36
        Factor of the smoothed field, which moves pixels by U(-1, 1) before it is smoothed.

    Examples
    --------
    >>> import fastnn, numpy as np
    >>> X = np.random.default_rng(0).integers(0, 256, (20, 64), dtype=np.uint8)
    >>> distortion = fastnn.ImageDistortion(8, 8, rotation=10, scaling=0.1, sigma=2)
    >>> model = fastnn.MLPClassifier(
    ...     (8,), distortion=distortion, input_scale=1 / 255, max_iter=2, tol=None
    ... )
    >>> model.fit(X, np.arange(20) % 2).n_iter_
    2
    """

    height: int
    width: int
    rotation: float | tuple[float, ...] = 15.0
    scaling: float = 0.15
    sigma: float = 6.0
    alpha: float = 36.0


class Kernels(Protocol):
    """The functions of a back end.

    Attributes
    ----------
    NETWORKS_AT_ONCE : int
        How many networks in a call of `mlp_train_many` keep the machine busy.
    TRAINS_SHARDS : bool
        Whether there is `mlp_train_shards`.
    """

    NETWORKS_AT_ONCE: int
    TRAINS_SHARDS: bool

    def unavailable(self) -> str | None:
        """Say why this back end cannot run here, or return None if it can."""

    def to_device(self, samples: Samples, n_threads: int = 1, compress: bool = True) -> Samples:
        """Return samples as several calls take them, once for all: on the device, or compressed.

        Without `compress` X stays an array, as `distort_images` takes it.
        """

    def perceptron_train(
        self,
        X: Table,
        targets: NDArray,
        weights: NDArray,
        learning_rate: float,
        order: NDArray[np.int64],
        online: bool,
        losses: NDArray[np.float64],
        history: NDArray,
        sample_weights: NDArray | None = None,
    ) -> int:
        """Train single-layer perceptrons, in place, until an epoch makes no mistake.

        With Z = X W, Y = sign(Z): batch, W += rate X^T S (T - Y) / sum(S); online (1.2), for each
        sample w += rate s (t - y) x. The weights S of the samples are 1 if there are none.

        Parameters
        ----------
        X : (n, d), an array or `CompressedRows`; targets : (n, k), -1 or 1
        weights : (d, k) or (1 + d, k)
            One row more than X has columns: the first is the weight of an input of 1, the bias
            (1.2.3), which every sample is understood to have.
        order : (r, n) of int64
            Sample order of online epoch e: row e % r.
        losses : (max_epochs,) of float64
            Receives sum S max(0, -T Z) / sum(S) of each epoch, with the Z that its updates used;
            what is not finite, if a Z is not.
        history : (max_epochs, *weights.shape) or (0, *weights.shape)
            If not empty, receives the weights after each epoch.
        sample_weights : (n,) in the real dtype, or None
            Each above 0.

        Returns
        -------
        int
            Epochs that changed the weights.
        """

    def linear_train(
        self,
        X: Table,
        targets: NDArray,
        weights: NDArray,
        learning_rate: float,
        order: NDArray[np.int64],
        online: bool,
        losses: NDArray[np.float64],
        sample_weights: NDArray | None = None,
    ) -> None:
        """Train a linear network by the delta rule, in place, for len(losses) epochs.

        As `perceptron_train` with Y = X W (1.5); `losses` receives sum S (T - Y)^2 / 2 sum(S) of
        each epoch, with the Y that the updates of that epoch used.
        """

    def mlp_forward(
        self,
        net: Network,
        params: NDArray,
        samples: Samples,
        all_layers: bool,
        n_threads: int,
    ) -> list[NDArray]:
        """Return the outputs (n_samples, n_units) of all layers or of the last, no dropout.

        Targets are not looked at.
        """

    def mlp_evaluate(
        self,
        net: Network,
        params: NDArray,
        samples: Samples,
        n_threads: int,
        outputs: NDArray | None = None,
    ) -> tuple[float, float]:
        """Return the loss over a data set and the number of right classes.

        `outputs`, if given, receives the network's outputs, (n_samples, n_outputs).

        The class is the largest output; with a single output, whether it exceeds 1/2, or 0 where
        the targets are signs. A sample counts as much as its weight says.
        """

    def mlp_loss_gradient(
        self,
        net: Network,
        params: NDArray,
        samples: Samples,
        optimizer: Optimizer,
        seed: int,
        step: int,
    ) -> tuple[float, NDArray]:
        """Return the loss of one batch and its gradient, flat like `params`.

        The optimizer's penalties are included, with the dropout masks of a seed and step.
        """

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
        """Train in place for len(loss_sums) epochs of mini-batches.

        Returns what the threads took, None if there are none to choose the number of.

        Parameters
        ----------
        loss_sums : (n_epochs,) of float64
            The loss of each sample times its weight, without penalty, before its batch's update is
            added here.
        """

    def most_threads(
        self, net: Network, optimizer: Optimizer, samples: Samples, batch_size: int, n_threads: int
    ) -> int:
        """Return how many of `n_threads` train the fastest on a machine that does nothing else.

        The number that `mlp_train` gets may change from call to call.
        """

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
        """Train m networks in place, each as `mlp_train` would.

        All have the same sizes, activations, loss, update rule, batch size, dtype and number of
        epochs. Whatever else these records hold may differ: numbers in formulas, dropout, numbers
        of the optimizer, steps made, seeds, learning rates, and orders, which may be of other
        lengths too: so a network's own samples are those in its order.

        Parameters
        ----------
        networks, optimizers, states, schedules : m of each
            `params` of a state is a vector of its own, or a row of a matrix.
        samples : Samples
            Of all.
        loss_sums : m arrays, (n_epochs,) of float64
            The sums of each network, which are written here, whatever there was.
        side_by_side : bool
            Whether a back end may train them in vectors with a network in each lane: sums have
            another order then. If not, each is bit by bit what `mlp_train` makes of it.
        """

    def mlp_train_shards(
        self,
        net: Network,
        optimizer: Optimizer,
        state: State,
        samples: Samples,
        schedule: ShardSchedule,
        loss_sums: NDArray[np.float64],
        n_threads: int,
        add_up: Callable[[dict[Node, NDArray], NDArray], None],
    ) -> None:
        """Train in place for an epoch as one of several processes, which take the same steps.

        With a single shard in all, it is bit by bit what `mlp_train` makes of it.

        Parameters
        ----------
        samples : Samples
            Those of the own shards.
        loss_sums : (n_own_shards,) of float64
            As for `mlp_train`, of each own shard.
        add_up : callable
            Called in each step with the gradients of the own shards, added as far as
            `shards.whole_nodes` says, and with an array, maybe one of these, that is to receive
            the sum over all shards. How a gradient is laid out is the back end's: the same on
            processors for which `arithmetic` says the same.
        """

    def arithmetic(self, dtype: np.dtype) -> str:
        """Say on what the last bits of a result depend, beside the arguments."""

    def distort_images(
        self,
        images: NDArray[np.uint8],
        distortion: ImageDistortion,
        angles: NDArray[np.float64],
        seed: int,
        epoch: int,
        n_threads: int,
    ) -> Any:
        """Return the images of an epoch as an array that `mlp_train` of this back end takes as X.

        Sample i draws from the counters (block, i, epoch): u = 2 word / 2^32 - 1 of words 0, 1, 2
        for the angle and the two stretches, of 4 + p and 4 + h w + p for the field at pixel p.
        Pixel (r, c), at y = r - (h - 1) / 2 and x = c - (w - 1) / 2, takes its value from
        (y cos - x sin) / (1 + scaling u_1) + alpha d_r and
        (y sin + x cos) / (1 + scaling u_2) + alpha d_c, by bilinear interpolation; outside of the
        image all is 0, and so is the field before it is smoothed.

        Parameters
        ----------
        images : (n_samples, height * width)
        angles : (n_samples,)
            Largest angle of each sample in radians.
        """
