"""What the classifier and the regressor share: parameters, fit, outputs."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from . import backends
from .backends.cpu.panels import FEW_SAMPLES
from .backends.interface import ImageDistortion, Network, Samples, State
from .estimator import Estimator
from .fitting import begin
from .formulas import Formula
from .hooks import check_callbacks
from .lbfgs import minimize
from .network import (
    matrices,
)
from .observer import Observer
from .optimizers import LBFGS
from .parameters import (
    check_n_jobs,
    check_scale,
)
from .persistence import save
from .sklearn_callbacks import CallbackSupport, hooks_of, show_progress
from .state import adopt, draft_of, end_interrupted, interrupted_after, record
from .summary import summary_of
from .training import LossCurve, train
from .validation import (
    check_scaled,
    check_weights,
    check_X,
)


class Targets(NamedTuple):
    """The targets of a fit, and what follows from them."""

    values: NDArray
    n_outputs: int
    loss: Formula
    out_activation: Any
    learned: dict[str, Any]  # attributes that the fit sets


class BaseMLP(CallbackSupport, Estimator):
    """A network, its training and its outputs; what targets mean is the subclass's."""

    params_: NDArray
    loss_curve_: NDArray[np.float64]
    loss_: float
    n_iter_: int
    stop_reason_: str
    backend_: str
    n_features_in_: int
    n_layers_: int
    n_outputs_: int
    out_activation_: str | tuple[str, float]
    network_: Network
    _moments: NDArray
    # Epoch, loss and score on validation data, a row per measurement; older files have none.
    _validation_curve: NDArray[np.float64] = np.empty((0, 3))
    _score_name: str
    _seed: int
    _step: int  # optimizer steps made
    _epoch: int  # epochs run, over all fits

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (100,),
        activation: str | Sequence[Any] = "relu",
        *,
        out_activation: str | tuple[str, float] = "auto",
        loss: str | tuple[str, float] = "auto",
        label_smoothing: float = 0.0,
        solver: str = "adam",
        learning_rate_init: float = 0.001,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        rho: float = 0.9,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
        alpha: float = 0.0,
        l1: float = 0.0,
        max_norm: float | None = None,
        learning_rate: Any = "constant",
        power_t: float = 0.5,
        learning_rate_decay: float = 1.0,
        batch_size: int | str = 32,
        dropout: float | Sequence[float] = 0.0,
        weight_init: str = "glorot_uniform",
        bias_init: float = 0.0,
        input_scale: float = 1.0,
        distortion: ImageDistortion | None = None,
        shuffle: bool = True,
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: int = 10,
        loss_threshold: float | None = None,
        weight_threshold: float | None = None,
        random_state: Any = None,
        dtype: str = "auto",
        n_jobs: int | None = None,
        warm_start: bool = False,
        verbose: bool = True,
    ):
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.out_activation = out_activation
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.solver = solver
        self.learning_rate_init = learning_rate_init
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.rho = rho
        self.epsilon = epsilon
        self.weight_decay = weight_decay
        self.alpha = alpha
        self.l1 = l1
        self.max_norm = max_norm
        self.learning_rate = learning_rate
        self.power_t = power_t
        self.learning_rate_decay = learning_rate_decay
        self.batch_size = batch_size
        self.dropout = dropout
        self.weight_init = weight_init
        self.bias_init = bias_init
        self.input_scale = input_scale
        self.distortion = distortion
        self.shuffle = shuffle
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.loss_threshold = loss_threshold
        self.weight_threshold = weight_threshold
        self.random_state = random_state
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.verbose = verbose

    @property
    def n_epochs_(self) -> int:
        """Epochs trained, over all fits."""
        return self._epoch

    @property
    def history_(self) -> dict[str, list]:
        """Losses and measures of all epochs, over all fits, as Keras has them.

        "loss" has `loss_curve_`. With validation data there are "val_loss" and "val_accuracy" (a
        regressor: "val_score", R^2), and "val_epoch", the number of the epoch, from 1 on, after
        which each was measured: every one, unless all callbacks are called more rarely.
        """
        history: dict[str, list] = {"loss": self.loss_curve_.tolist()}
        if len(self._validation_curve):
            epochs, losses, scores = self._validation_curve.T
            history["val_epoch"] = epochs.astype(int).tolist()
            history["val_loss"], history[self._score_name] = losses.tolist(), scores.tolist()
        return history

    @property
    def coefs_(self) -> list[NDArray]:
        """Weights (n_in, n_out) of each layer."""
        return matrices(self.network_, self.params_)[0]

    @property
    def intercepts_(self) -> list[NDArray]:
        """Biases (n_out,) of each layer."""
        return matrices(self.network_, self.params_)[1]

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        coefs_init: Sequence[ArrayLike] | None = None,
        intercepts_init: Sequence[ArrayLike] | None = None,
        *,
        callbacks: Sequence[Any] = (),
        validation_data: tuple[ArrayLike, ArrayLike] | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Train on samples X with targets y.

        Parameters
        ----------
        X : (n_samples, n_features), real or uint8
        y : (n_samples,) or, for regression, (n_samples, n_outputs)
        coefs_init, intercepts_init : sequences of (n_in, n_out) and (n_out,)
            Initial weights and biases of each layer, instead of random ones.
        callbacks : sequence
            Called after each epoch: see `fastnn.callbacks`; beside those of scikit-learn that
            `set_callbacks` has set (from scikit-learn 1.9 on).
        validation_data : (X, y), optional
            Samples outside the training, measured after each epoch: see `history_`.
        sample_weight : (n_samples,), optional
            How much each sample counts in the loss of its batch, the weighted mean; 0 or above.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described; nothing has been changed then.
        KeyboardInterrupt
            After Ctrl-C, if a library such as a search called `fit`; in your own program `fit`
            returns and warns. Whatever ends a fit, the model is what its complete epochs made it.
        """
        draft = draft_of(self)
        checked = check_callbacks(callbacks) + hooks_of(self, X, y, sample_weight)
        task, rules, data = begin(
            draft, X, y, coefs_init, intercepts_init, validation_data, sample_weight
        )
        observer, before = Observer(self, checked, data), self.__dict__
        adopt(self, draft)
        try:
            observer.begin(task)
        except BaseException:  # before any work: a missing folder, say
            self.__dict__ = before
            raise
        curve = LossCurve(self.loss_curve_)
        n_earlier = len(self.loss_curve_)

        def take_down(state: State, losses: NDArray[np.float64], reason: str) -> None:
            measured = observer.validation_curve(state)  # before what it belongs to is there
            curve_now = curve.extended(losses)
            record(self, state, curve_now, n_earlier, reason, _validation_curve=measured)

        try:
            loop = minimize if self.solver == LBFGS else None
            verbose = self.verbose and not show_progress(self)
            train(task, rules, take_down, verbose, observer, loop)
        except KeyboardInterrupt:
            end_interrupted(interrupted_after(self.n_iter_))
        return self

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print a table of the layers: units, activation, dropout and parameters.

        Parameters
        ----------
        print_fn : callable, default print
            Gets the text.

        Raises
        ------
        NotFittedError
            Before `fit`: the data say how many inputs and outputs there are.
        """
        print_fn(summary_of(self))

    def save(self, path: str | Path) -> None:
        """Write the fitted network, with all that further training needs: see `fastnn.load`."""
        save(self, path)

    def _outputs(self, X: ArrayLike) -> NDArray:
        """Return the network's outputs, (n_samples, n_outputs)."""
        return self._forward(self._samples(self._inputs(X)), False, backends.kernels())[-1]

    def layer_outputs(self, X: ArrayLike) -> list[NDArray]:
        """Return the outputs of every layer, each (n_samples, n_units), without dropout."""
        return self._forward(self._samples(self._inputs(X)), True, backends.kernels())

    def _evaluate(self, X: ArrayLike, y: ArrayLike, sample_weight: Any) -> tuple[float, float]:
        """Return the loss (without penalty) and the score on samples X with targets y."""
        X = self._inputs(X)
        y = self._check_y(y, X)
        kernels, dtype = backends.kernels(), self.params_.dtype
        weights = check_weights(sample_weight, X, dtype)
        samples = self._samples(X, self._targets(y, dtype))._replace(weights=weights)
        return self._measure(kernels.to_device(samples), y, weights, kernels)

    def _measure(
        self, samples: Samples, y: NDArray, weights: Any, kernels: Any
    ) -> tuple[float, float]:
        """Return the loss and the score on checked samples, in one pass.

        y and weights are those of the samples, not on a device.
        """
        net, params, n_threads = self._for_kernels(samples)
        outputs = np.empty((len(y), net.sizes[-1]), params.dtype)
        loss, n_right = kernels.mlp_evaluate(net, params, samples, n_threads, outputs)
        return loss, self._score_of(outputs, y, weights, n_right)

    def _score_of(self, outputs: NDArray, y: NDArray, weights: Any, n_right: float) -> float:
        """Return the score of outputs, of which `n_right` say the right class."""
        raise NotImplementedError  # the classifier's and the regressor's own

    def _inputs(self, X: ArrayLike) -> NDArray:
        """Return X as the kernels take it; raises if it or the estimator is not fit for use."""
        if not hasattr(self, "params_"):
            check_is_fitted(self, "params_")  # raises; its search takes long for one sample
        return check_X(self, X, self.params_.dtype, reset=False)

    def _samples(self, X: NDArray, targets: Any = None) -> Samples:
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

    def _check_y(self, y: ArrayLike, X: NDArray) -> NDArray:
        """Return targets as an array, as long as X; ValueError if they are none."""
        raise NotImplementedError  # the classifier's and the regressor's own, like what follows

    def _encode(self, y: NDArray, dtype: np.dtype) -> Targets:
        """Return what a fit to y aims at; ValueError if y or the loss does not suit."""
        raise NotImplementedError

    def _targets(self, y: NDArray, dtype: np.dtype) -> NDArray:
        """Return targets for y, as in the last fit."""
        raise NotImplementedError
