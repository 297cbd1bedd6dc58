"""fastnn itself, through its estimators."""

import numpy as np

import fastnn

from ..workloads import initial_weights, load


def prepare(workload, backend, n_threads):
    fastnn.set_backend(backend)
    X, y = load(workload)
    if workload.name in ("perceptron", "delta-rule"):
        kind = fastnn.Perceptron if workload.name == "perceptron" else fastnn.LinearNetwork
        model = kind(eta0=workload.learning_rate, online=True, max_iter=1, weight_init="zeros")

        def run():
            model.fit(X, y)
            return float(model.score(X[:1000], y[:1000]))

        return run
    model = fastnn.MLPClassifier(
        workload.sizes[1:-1],
        workload.activation,
        loss=workload.loss,
        solver=workload.solver,
        learning_rate_init=workload.learning_rate,
        batch_size=workload.batch_size,
        dropout=workload.dropout,
        input_scale=1 / 255 if X.dtype == np.uint8 else 1.0,
        shuffle=workload.name != "xor",
        max_iter=1,
        tol=None,
        random_state=0,
        n_jobs=n_threads,
        dtype=workload.dtype,
    )
    start = [list(arrays) for arrays in zip(*initial_weights(workload), strict=True)]
    if workload.name == "predict-1":
        model.fit(X[:1000], y[:1000])
        samples = [X[i : i + 1] for i in range(workload.epochs)]

        def predict():
            for x in samples:
                model.predict(x)
            return 0.0

        return predict
    if workload.name == "xor":
        model.set_params(max_iter=workload.epochs)

        def run():
            return model.fit(X, y, *start).loss_

        return run
    model.fit(X, y, *start)
    model.set_params(warm_start=True)
    return lambda: model.fit(X, y).loss_
