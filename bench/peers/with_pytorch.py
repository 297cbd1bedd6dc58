"""PyTorch: fused optimizer, batches by index, no data loader."""

import torch
from torch import nn

from ..workloads import initial_weights, load_real


def prepare(workload, n_threads):
    if workload.name in ("xor", "perceptron", "delta-rule"):
        return None
    torch.set_num_threads(n_threads)
    X, y = load_real(workload)
    X, y = torch.from_numpy(X), torch.from_numpy(y.astype("int64"))
    layers = []
    for W, b in initial_weights(workload):
        linear = nn.Linear(*W.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W.T.copy()))
            linear.bias.copy_(torch.from_numpy(b))
        layers += [linear, {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}[workload.activation]()]
        if workload.dropout:
            layers.append(nn.Dropout(workload.dropout))
    while not isinstance(layers[-1], nn.Linear):
        layers.pop()
    if workload.loss != "crossentropy":
        layers.append(nn.Sigmoid())
    model = nn.Sequential(*layers)
    if workload.name == "predict-1":
        model.eval()

        def predict():
            with torch.inference_mode():
                for i in range(workload.epochs):
                    model(X[i : i + 1]).argmax(dim=1)
            return 0.0

        return predict
    if workload.solver == "adam":
        optimizer = torch.optim.Adam(model.parameters(), workload.learning_rate, fused=True)
    else:
        optimizer = torch.optim.SGD(model.parameters(), workload.learning_rate, fused=True)
    targets = y
    if workload.loss == "crossentropy":
        criterion = nn.CrossEntropyLoss()
    else:
        targets = nn.functional.one_hot(y, workload.sizes[-1]).to(X.dtype)

        def criterion(output, target):
            return ((output - target) ** 2).sum(dim=1).mean() / 2

    def run():
        total = 0.0
        order = torch.randperm(len(X))
        for start in range(0, len(X), workload.batch_size):
            batch = order[start : start + workload.batch_size]
            optimizer.zero_grad()
            loss = criterion(model(X[batch]), targets[batch])
            loss.backward()
            optimizer.step()
            if start % 6400 == 0:
                total = loss.item()
        return total

    return run
