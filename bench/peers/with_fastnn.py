"""fastnn itself, through its estimators."""

import numpy as np
from scipy.sparse import issparse

import fastnn
from fastnn import backends
from fastnn.backends.codes import SGD
from fastnn.backends.interface import Optimizer, Samples
from fastnn.network import make_network, matrices

from ..workloads import initial_weights, load


def prepare(workload, backend, n_threads):
    fastnn.set_backend(backend)
    X, y = load(workload)
    if workload.task in ("perceptron", "delta-rule"):
        model = make_single_layer(workload)
        return lambda: float(model.fit(X, y).score(X[:1000], y[:1000]))
    if workload.task == "gradient":
        return lambda: float(np.linalg.norm(gradient(workload, X, y)[1]))
    model = make_model(workload, n_threads)
    if workload.networks > 1:
        return lambda: float(
            np.mean([network.loss_ for network in train_many(workload, X, y, model)])
        )
    start = start_of(workload)
    if workload.task == "predict":
        keep_weights(model, X, y, start)
        samples = [X[i : i + 1] for i in range(workload.epochs)]
        return lambda: float(np.mean([model.predict(x)[0] for x in samples]))
    if workload.data == "xor":
        return lambda: model.fit(X, y, **start).loss_
    fitted = False

    def run():
        nonlocal fitted
        if fitted:
            return model.set_params(warm_start=True).fit(X, y).loss_
        fitted = True
        return model.fit(X, y, **start).loss_

    return run


def start_of(workload):
    """Return the initial weights and biases of a workload, as `fit` takes them."""
    coefs, intercepts = zip(*initial_weights(workload), strict=True)
    return {"coefs_init": coefs, "intercepts_init": intercepts}


def keep_weights(model, X, y, start):
    """Give a network its weights by a training step of no length, on a sample of each class."""
    few = np.unique(y, return_index=True)[1]
    model.set_params(solver="sgd", momentum=0, learning_rate_init=1e-30).fit(
        X[few], y[few], **start
    )


def train_many(workload, X, y, model):
    """Return the networks of a workload, trained at once, each from weights of its own."""
    if workload.data == "xor":
        model.set_params(weight_init="uniform")
    seeds = range(workload.networks)
    return fastnn.train_many(model, X, y, random_state=seeds, record_losses=False)


def make_single_layer(workload):
    """Return the perceptron or the linear network of a workload."""
    kind = fastnn.Perceptron if workload.task == "perceptron" else fastnn.LinearNetwork
    return kind(eta0=workload.learning_rate, online=True, max_iter=1, weight_init="zeros")


def make_model(workload, n_threads):
    """Return the multi-layer perceptron of a workload."""
    is_image = "mnist" in workload.data
    return fastnn.MLPClassifier(
        workload.sizes[1:-1],
        workload.activation,
        loss=workload.loss,
        solver=workload.solver,
        momentum=0,  # of plain gradient descent
        learning_rate_init=workload.learning_rate,
        batch_size=workload.batch_size,
        dropout=workload.dropout,
        input_scale=1 / 255 if is_image else 1.0,
        shuffle=workload.data != "xor",
        max_iter=workload.epochs if workload.task == "train" else 1,
        tol=None,
        random_state=0,
        n_jobs=n_threads,
        dtype=workload.dtype,
    )


def gradient(workload, X, y, backend=None):
    """Return the loss and the flat gradient of the first batch at the initial weights."""
    loss = {"crossentropy": "sparse_categorical_crossentropy"}.get(workload.loss, workload.loss)
    outputs = "softmax" if workload.loss == "crossentropy" else "sigmoid"
    net = make_network(workload.sizes, workload.activation, outputs, 0.0, loss)
    params = np.empty(net.n_parameters, workload.dtype)
    for W, b, given in zip(*matrices(net, params), initial_weights(workload), strict=True):
        W[:], b[:] = given
    n = workload.batch_size
    X = X[:n] if X.dtype == np.uint8 else X[:n].astype(workload.dtype)
    X = X.toarray() if issparse(X) else X
    targets = y[:n, np.newaxis].astype(workload.dtype)
    if net.n_targets != 1:
        targets = np.eye(net.n_targets, dtype=workload.dtype)[y[:n]]
    scale = 1 / 255 if X.dtype == np.uint8 else 1.0
    kernels = backends.kernels(backend)
    samples = Samples(X, scale, targets)
    return kernels.mlp_loss_gradient(net, params, samples, Optimizer(SGD), 0, 0)
