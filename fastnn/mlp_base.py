"""What the classifier and the regressor share: parameters and fit."""

from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.exceptions import ConvergenceWarning

from .assigned import assign, get
from .backends.interface import ImageDistortion, Network
from .estimator import Estimator, named_parameters
from .fits import Fit
from .mpi import fit_on_ranks
from .optimizers import LBFGS
from .outputs import Outputs
from .sklearn_callbacks import CallbackSupport, show_progress
from .state import SolverState, end_interrupted, interrupted_after, warn_caller
from .streams.batches import Batches


def is_trained_in_steps(model: "BaseMLP") -> bool:
    """Return True; AttributeError for what needs all samples at once."""
    if isinstance(model.solver, str) and model.solver == LBFGS:
        raise AttributeError("partial_fit: solver='lbfgs' needs all samples at once")
    if isinstance(model.class_weight, str):
        raise AttributeError(
            f"partial_fit: class_weight={model.class_weight!r} needs all samples at once; a dict "
            "of weights does not"
        )
    return True


class BaseMLP(Outputs, CallbackSupport, Estimator):
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
    # Epoch, loss and score on validation data, a row per measurement; older files have none.
    _validation_curve: NDArray[np.float64] = np.empty((0, 3))
    _score_name: str
    solver_state_: SolverState
    learning_rate_: float
    t_: int
    best_loss_: float | None
    validation_scores_: list[float] | None
    best_validation_score_: float | None
    fit_time_: float
    data_fingerprint_: dict[str, dict[str, Any]] | None

    @named_parameters
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
        buffer_size: int | str = "auto",
        max_iter: int = 200,
        tol: float | None = 1e-4,
        n_iter_no_change: float = 10,
        loss_threshold: float | None = None,
        weight_threshold: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        max_fun: int = 15_000,
        class_weight: Any = None,
        random_state: Any = None,
        dtype: str = "auto",
        n_jobs: int | None = None,
        warm_start: bool = False,
        verbose: bool | int = True,
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
        self.buffer_size = buffer_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.loss_threshold = loss_threshold
        self.weight_threshold = weight_threshold
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.max_fun = max_fun
        self.class_weight = class_weight
        self.random_state = random_state
        self.dtype = dtype
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.verbose = verbose

    @property
    def n_epochs_(self) -> int:
        """Epochs trained, over all fits."""
        return self.solver_state_.epoch

    @property
    def _optimizer(self) -> SimpleNamespace:
        """Where programs look that were written for scikit-learn, which has no other place."""
        return SimpleNamespace(learning_rate=self.learning_rate_)

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
        """Weights (n_in, n_out) of each layer; what is assigned goes into the network."""
        return get(self, "coefs_")

    @coefs_.setter
    def coefs_(self, values: Sequence[ArrayLike]) -> None:
        assign(self, "coefs_", values)

    @property
    def intercepts_(self) -> list[NDArray]:
        """Biases (n_out,) of each layer; what is assigned goes into the network."""
        return get(self, "intercepts_")

    @intercepts_.setter
    def intercepts_(self, values: Sequence[ArrayLike]) -> None:
        assign(self, "intercepts_", values)

    @property
    def coef_(self) -> NDArray:
        """Weights (n_outputs, n_features) of a network of one layer, as a linear model has them."""
        if len(self.network_.sizes) > 2:
            raise AttributeError("coef_: a network with hidden layers has coefs_, one per layer")
        return self.coefs_[0].T

    @property
    def intercept_(self) -> NDArray:
        """Biases (n_outputs,) of a network of one layer."""
        if len(self.network_.sizes) > 2:
            raise AttributeError(
                "intercept_: a network with hidden layers has intercepts_, one per layer"
            )
        return self.intercepts_[0]

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        coefs_init: Sequence[ArrayLike] | None = None,
        intercepts_init: Sequence[ArrayLike] | None = None,
        callbacks: Sequence[Any] = (),
        validation_data: tuple[ArrayLike, ...] | None = None,
        communicator: Any = None,
        n_shards: int | None = None,
    ) -> Self:
        """Train on samples X with targets y.

        Parameters
        ----------
        X : (n_samples, n_features), real or uint8, dense or sparse
            An array mapped from a file, or what is read by slices (of HDF5, Zarr), is read in
            parts if it has more rows than `buffer_size`; y may be of that kind too.
        y : (n_samples,), or (n_samples, n_outputs) for a regression, or for a classifier
            (n_samples, n_labels) of 0 and 1 where a sample may have several labels
        sample_weight : (n_samples,), optional
            How much each sample counts in the loss of its batch, the weighted mean; 0 or above.
            A sample of weight 0 is as if it were not there. In batches of 1 nothing else matters.
        coefs_init, intercepts_init : sequences of (n_in, n_out) and (n_out,)
            Initial weights and biases of each layer, instead of random ones.
        callbacks : sequence
            Called after each epoch: see `fastnn.callbacks`; beside those of scikit-learn that
            `set_callbacks` has set (from scikit-learn 1.9 on).
        validation_data : (X, y) or (X, y, sample_weight), optional
            Samples outside the training, measured after each epoch: see `history_`; and, with
            `early_stopping`, in place of a part of the training samples.
        communicator : mpi4py.MPI.Comm, optional
            The processes (ranks) that train this network together, such as MPI.COMM_WORLD. All of
            them call `fit`, each with samples of its own, also for `validation_data`; samples are
            numbered over all ranks. They end with the same model, bit by bit that of any other
            number of ranks with these samples. Callbacks are called on rank 0.
        n_shards : int, optional
            With a communicator: how many parts of a batch can be computed at a time, and are
            added in a fixed order; so many ranks have work. By default 4 to 64, of 128 rows or
            more.

        Raises
        ------
        ValueError
            If an argument or a parameter is not as described; nothing has been changed then. A
            table that is read in parts is checked as it is read: what its parts before have made
            of the model stays.
        KeyboardInterrupt
            After Ctrl-C, if a library such as a search called `fit`; in your own program `fit`
            returns and warns. Whatever ends a fit, the model is what its complete epochs made it.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` epochs are over before the rule of `tol` ended the fit, and no callback
            could have ended it.

        Examples
        --------
        >>> import fastnn
        >>> X, y = fastnn.load_digits()
        >>> model = fastnn.MLPClassifier((16,), max_iter=3, tol=None, random_state=0)
        >>> model = model.fit(X[:1500], y[:1500], validation_data=(X[1500:], y[1500:]))
        >>> list(model.history_)
        ['loss', 'val_epoch', 'val_loss', 'val_accuracy']
        """
        return self._train(
            X,
            y,
            callbacks,
            sample_weight=sample_weight,
            coefs_init=coefs_init,
            intercepts_init=intercepts_init,
            validation_data=validation_data,
            communicator=communicator,
            n_shards=n_shards,
        )

    def fit_batches(
        self,
        batches: Iterable[Any] | Callable[[], Iterable[Any]],
        *,
        classes: ArrayLike | None = None,
        n_samples: int | None = None,
        coefs_init: Sequence[ArrayLike] | None = None,
        intercepts_init: Sequence[ArrayLike] | None = None,
        callbacks: Sequence[Any] = (),
        validation_data: tuple[ArrayLike, ...] | None = None,
    ) -> Self:
        """Train on samples that come in batches of any sizes, such as those of a file's reader.

        Each epoch runs through them once. `buffer_size` samples are in memory at a time, and
        shuffled; steps have `batch_size` of them. Who has room for all gets the network of `fit`.

        Parameters
        ----------
        batches : iterable of (X, y) or (X, y, sample_weight), or a function that returns one
            X, y and weights as for `fit`. An iterator, which can be run through only once, does
            for `max_iter=1`.
        classes : (n_classes,), optional
            All classes; for several labels, 0, 1, .... Without them, a classifier runs through
            all batches first.
        n_samples : int, optional
            Of all batches, for the progress bar of the first epoch.
        coefs_init, intercepts_init, callbacks, validation_data
            As for `fit`.

        Raises
        ------
        ValueError
            As for `fit`; for a batch that is not as the first one, in its turn: the model is what
            the training has made it up to then.
        KeyboardInterrupt
            As for `fit`.
        """
        return self._train(
            Batches(batches, n_samples),
            None,
            callbacks,
            sample_weight=None,
            classes=classes,
            coefs_init=coefs_init,
            intercepts_init=intercepts_init,
            validation_data=validation_data,
        )

    def _train(
        self,
        X: Any,
        y: Any,
        callbacks: Any = (),
        communicator: Any = None,
        n_shards: Any = None,
        **given: Any,
    ) -> Self:
        """Train as `fit` and `partial_fit` say, which pass on what `fitting.begin` takes."""
        if communicator is not None:
            fit = fit_on_ranks(self, communicator, n_shards, X, y, callbacks, **given)
        elif n_shards is not None:
            raise ValueError(f"n_shards={n_shards!r}: expected None without a communicator")
        else:
            fit = Fit(self, X, y, callbacks, **given)
            fit.task.send()
            fit.start()
            try:
                fit.run(0 if show_progress(self) else int(self.verbose))
            except KeyboardInterrupt:
                end_interrupted(interrupted_after(self.n_iter_))
        if self.stop_reason_ == "max_iter" and not fit.is_watched and not given.get("is_partial"):
            self._warn_of_max_iter()
        return self

    def _warn_of_max_iter(self) -> None:
        """Warn as scikit-learn does, if there was a rule that could have ended the fit before."""
        if self.tol is None or self.max_iter == 0:
            return
        warn_caller(
            f"max_iter={self.max_iter}: the training has not converged yet (by tol={self.tol}); "
            "more epochs may make it better; tol=None runs max_iter epochs without this warning",
            ConvergenceWarning,
        )
