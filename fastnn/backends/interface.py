"""The kernel interface: what every back end offers, written once.

A back end is a module with the names of `Kernels`.
Kernels work on C-contiguous arrays of one real dtype (float32 or float64), write their results in
place and hold no state: everything they need is an argument.

A network is a `Network` (layer sizes and codes) and one flat vector of parameters: layer after
layer, the weights W as (n_in, n_out) in row-major order, then the bias b as (n_out,).

Inputs `X` are (n_samples, n_features) in the real dtype, or uint8; the network sees X * scale.

Targets are (n_samples, n_outputs) in the real dtype. With `SPARSE_CATEGORICAL_CROSSENTROPY` they
are (n_samples, 1) and hold the index of the class.
"""

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .thread_count import Work

# Activations y = f(z); equation numbers are the course's.
SIGN = 0  # -1, 0 or 1; as for every step, the slope is taken as 0
PURELIN = 1  # z (1.5)
SIGMOID = 2  # 1 / (1 + exp(-z)) (2.8), slope y (1 - y) (2.16)
TANH = 3  # tanh z, slope 1 - y^2
SOFTSIGN = 4  # z / (1 + |z|), slope 1 / (1 + |z|)^2
RELU = 5  # max(0, z), slope 1 where z > 0
SOFTMAX = 6  # exp(z_k) / sum_j exp(z_j); output layers only

# Losses, averaged over the N samples of a batch.
HALF_SQUARED_ERROR = 0  # sum (T - Y)^2 / 2N (2.2)
SQUARED_ERROR = 1  # sum (T - Y)^2 / N
BINARY_CROSSENTROPY = 2  # -sum [T ln Y + (1 - T) ln(1 - Y)] / N, sigmoid outputs
CATEGORICAL_CROSSENTROPY = 3  # -sum T ln Y / N, softmax outputs; the rows of T sum to 1
SPARSE_CATEGORICAL_CROSSENTROPY = 4  # the same, T given as class indices

# Optimizers, for a gradient g.
SGD = 0  # w -= rate g
MOMENTUM = 1  # v = beta_1 v - rate g; w += v
ADAM = 2  # Kingma & Ba 2015, algorithm 1 in the order of the last lines of its section 2
N_MOMENTS = {SGD: 0, MOMENTUM: 1, ADAM: 2}  # state vectors, each as long as the parameters

# What a stream of random numbers is for: the highest word of the Philox counter.
STREAM_WEIGHTS = 1
STREAM_SHUFFLE = 2
STREAM_DROPOUT = 3
STREAM_DISTORTION = 4


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
    """

    sizes: tuple[int, ...]
    activations: tuple[int, ...]
    dropout: tuple[float, ...]
    loss: int

    @property
    def n_parameters(self) -> int:
        """Length of the flat parameter vector."""
        return sum((m + 1) * n for m, n in zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def n_targets(self) -> int:
        """Number of columns of the targets."""
        return 1 if self.loss == SPARSE_CATEGORICAL_CROSSENTROPY else self.sizes[-1]


class Optimizer(NamedTuple):
    """An update rule and its constants.

    Attributes
    ----------
    kind : int
        Optimizer code.
    learning_rate : float
        Step size.
    beta_1 : float
        Decay of the mean gradient (Adam), or the momentum.
    beta_2, epsilon : float
        Decay of the mean squared gradient, and the number added to its root (Adam).
    alpha : float
        L2 penalty: alpha / 2N times the sum of the squared weights (not biases) is added to the
        loss of a batch of N samples, as in scikit-learn.
    """

    kind: int
    learning_rate: float
    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    alpha: float = 0.0


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
    """

    height: int
    width: int
    rotation: float | tuple[float, ...] = 15.0
    scaling: float = 0.15
    sigma: float = 6.0
    alpha: float = 36.0


class Kernels(Protocol):
    """The functions of a back end. Dropout and Adam count steps from `step` on.

    Attributes
    ----------
    NETWORKS_AT_ONCE : int
        How many networks in a call of `mlp_train_many` keep the machine busy.
    """

    NETWORKS_AT_ONCE: int

    def unavailable(self) -> str | None:
        """Say why this back end cannot run here, or return None if it can."""

    def to_device(self, array: NDArray) -> Any:
        """Return training data as several calls take them: on a CPU, the same array."""

    def perceptron_train(
        self,
        X: NDArray,
        targets: NDArray,
        weights: NDArray,
        learning_rate: float,
        max_epochs: int,
        order: NDArray[np.int64],
        online: bool,
        history: NDArray,
    ) -> int:
        """Train single-layer perceptrons, in place, until an epoch makes no mistake.

        With Y = sign(X W): batch, W += rate X^T (T - Y) / N; online (1.2), for each sample
        w += rate (t - y) x.

        Parameters
        ----------
        X : (n, d); targets : (n, k), -1 or 1
        weights : (d, k) or (1 + d, k)
            One row more than X has columns: the first is the weight of an input of 1, the bias
            (1.2.3), which every sample is understood to have.
        order : (r, n) of int64
            Sample order of online epoch e: row e % r.
        history : (max_epochs, *weights.shape) or (0, *weights.shape)
            If not empty, receives the weights after each epoch.

        Returns
        -------
        int
            Epochs that changed the weights.
        """

    def linear_train(
        self,
        X: NDArray,
        targets: NDArray,
        weights: NDArray,
        learning_rate: float,
        order: NDArray[np.int64],
        online: bool,
        losses: NDArray[np.float64],
    ) -> None:
        """Train a linear network by the delta rule, in place, for len(losses) epochs.

        As `perceptron_train` with Y = X W (1.5); `losses` receives sum (T - Y)^2 / 2N of each
        epoch, with the Y that the updates of that epoch used.
        """

    def mlp_forward(
        self,
        net: Network,
        params: NDArray,
        X: NDArray,
        scale: float,
        all_layers: bool,
        n_threads: int,
    ) -> list[NDArray]:
        """Return the outputs (n_samples, n_units) of all layers or of the last, no dropout."""

    def mlp_loss_gradient(
        self,
        net: Network,
        params: NDArray,
        X: NDArray,
        scale: float,
        targets: NDArray,
        alpha: float,
        seed: int,
        step: int,
    ) -> tuple[float, NDArray]:
        """Return the loss of one batch (penalty included) and its gradient, flat like `params`."""

    def mlp_train(
        self,
        net: Network,
        optimizer: Optimizer,
        params: NDArray,
        moments: NDArray,
        X: NDArray,
        scale: float,
        targets: NDArray,
        order: NDArray[np.int64],
        batch_size: int,
        seed: int,
        step: int,
        loss_sums: NDArray[np.float64],
        n_threads: int,
    ) -> Work | None:
        """Train in place for len(loss_sums) epochs of mini-batches; the last may be short.

        Returns what the threads took, None if there are none to choose the number of.

        Parameters
        ----------
        moments : (N_MOMENTS[kind], n_parameters)
            The optimizer's state.
        order : (r, m) of int64
            The samples of epoch e: row e % r.
        seed : int
            Key of the dropout masks, 64 bits.
        step : int
            Optimizer steps made before this call.
        loss_sums : (n_epochs,) of float64
            The loss of each sample, without penalty, before its batch's update is added here.
        """

    def most_threads(self, net: Network, batch_size: int, n_threads: int) -> int:
        """Return how many of `n_threads` train the fastest on a machine that does nothing else.

        The number that `mlp_train` gets may change from call to call.
        """

    def mlp_train_many(
        self,
        net: Network,
        optimizer: Optimizer,
        rates: NDArray[np.float64],
        params: NDArray,
        moments: NDArray,
        X: NDArray,
        scale: float,
        targets: NDArray,
        order: NDArray[np.int64],
        batch_size: int,
        seeds: NDArray[np.uint64],
        step: int,
        loss_sums: NDArray[np.float64],
        n_threads: int,
    ) -> None:
        """Train m networks of one shape in place, each as `mlp_train` would.

        Parameters
        ----------
        rates : (m,)
            The learning rate of each, instead of the optimizer's.
        params : (m, n_parameters); moments : (m, N_MOMENTS[kind], n_parameters)
        order : (m, r, k) or, the same for all, (1, r, k)
        seeds : (m,)
        loss_sums : (m, n_epochs)
        """

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

    def mlp_evaluate(
        self,
        net: Network,
        params: NDArray,
        X: NDArray,
        scale: float,
        targets: NDArray,
        n_threads: int,
    ) -> tuple[float, int]:
        """Return the loss over a data set and the number of right classes.

        The class is the largest output; with a single output, whether it exceeds 1/2.
        """


def dropout_limit(rate: float) -> int:
    """Return the limit below which a random 32-bit word drops its unit."""
    return min(round(rate * 2**32), 2**32 - 1)


def gaussian_weights(sigma: float) -> NDArray[np.float64]:
    """Return a Gaussian at -r, ..., r with r = 3 sigma rounded up, its sum 1."""
    radius = math.ceil(3 * sigma)
    with np.errstate(over="ignore", under="ignore"):  # far out, in units of sigma
        weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    return np.asarray(weights / weights.sum())
