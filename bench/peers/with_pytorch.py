"""PyTorch: fused optimizer, batches by index, no data loader; many networks by `torch.func`."""

import os

import numpy as np
import torch
from torch import nn

from ..workloads import initial_weights, load_real, many_initial_weights, one_hot
from .process import ON_GPU


def as_it_is(model):
    return model


def prepare(workload, n_threads, compiler=as_it_is):
    if workload.task in ("perceptron", "delta-rule"):
        return None
    torch.set_num_threads(n_threads)
    device = "cuda" if ON_GPU in os.environ else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise ImportError("PyTorch finds no GPU")
    torch.set_default_device(device)
    X, y = load_real(workload)
    targets = y.astype(np.int64) if workload.loss == "crossentropy" else one_hot(workload, y)
    X, targets = torch.from_numpy(X).to(device), torch.from_numpy(targets).to(device)
    if workload.networks > 1:
        does = compiler is as_it_is and workload.data == "xor"
        return many(workload, X, targets) if does else None
    plain = make_model(workload)
    model = compiler(plain)
    if workload.task == "predict":
        samples = [X[i : i + 1] for i in range(workload.epochs)]

        def predict():
            with torch.inference_mode():
                return float(np.mean([int(model(x).argmax(dim=1)[0]) for x in samples]))

        model.eval()
        return predict
    cross_entropy = nn.CrossEntropyLoss()

    def criterion(output, target):
        if workload.loss == "crossentropy":
            return cross_entropy(output, target)
        return ((output - target) ** 2).sum(dim=1).mean() / 2

    if workload.task == "gradient":
        x, t = X[: workload.batch_size], targets[: workload.batch_size]

        def gradient():
            for _ in range(workload.epochs):
                model.zero_grad()
                criterion(model(x), t).backward()
            return float(torch.sqrt(sum((p.grad**2).sum() for p in model.parameters())))

        return gradient
    kinds = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}
    is_xor = workload.data == "xor"
    optimizer = None

    def run():
        nonlocal optimizer
        if is_xor:
            set_weights(plain, workload)
        if optimizer is None:
            optimizer = kinds[workload.solver](
                model.parameters(), workload.learning_rate, fused=True
            )
        for _ in range(workload.epochs):
            total = 0.0
            order = None if is_xor else torch.randperm(len(X))
            for start in range(0, len(X), workload.batch_size):
                batch = slice(None) if is_xor else order[start : start + workload.batch_size]
                optimizer.zero_grad()
                loss = criterion(model(X[batch]), targets[batch])
                loss.backward()
                optimizer.step()
                total += loss.detach()
        return float(total) * min(workload.batch_size, len(X)) / len(X)

    return run


def many(workload, X, targets):
    """Return the run of many networks on all samples: a vectorized gradient per step."""
    device = X.device

    def loss(layers):
        x = X
        for W, b in layers:
            x = torch.sigmoid(x @ W + b)
        return ((x - targets) ** 2).sum(dim=1).mean() / 2

    step = torch.func.vmap(torch.func.grad_and_value(loss))

    def run():
        layers = [
            tuple(torch.from_numpy(array).to(device) for array in layer)
            for layer in many_initial_weights(workload)
        ]
        with torch.no_grad():
            for _ in range(workload.epochs):
                gradients, values = step(layers)
                for layer, slopes in zip(layers, gradients, strict=True):
                    for array, slope in zip(layer, slopes, strict=True):
                        array.sub_(slope, alpha=workload.learning_rate)
        return float(values.mean())

    return run


def make_model(workload):
    layers = []
    for m, n in zip(workload.sizes, workload.sizes[1:], strict=False):
        layers += [nn.Linear(m, n, dtype=getattr(torch, workload.dtype))]
        layers += [{"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[workload.activation]()]
        if workload.dropout:
            layers.append(nn.Dropout(workload.dropout))
    while not isinstance(layers[-1], nn.Linear):
        layers.pop()
    if workload.loss != "crossentropy":
        layers.append(nn.Sigmoid())
    model = nn.Sequential(*layers)
    set_weights(model, workload)
    return model


def set_weights(model, workload):
    linears = [layer for layer in model if isinstance(layer, nn.Linear)]
    with torch.no_grad():
        for linear, (W, b) in zip(linears, initial_weights(workload), strict=True):
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
