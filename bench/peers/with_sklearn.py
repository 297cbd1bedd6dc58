"""scikit-learn's own estimators (its network has no dropout and one loss)."""

import warnings

import numpy as np
from sklearn.linear_model import Perceptron, SGDRegressor
from sklearn.neural_network import MLPClassifier

from ..workloads import initial_weights, load_real


def prepare(workload, n_threads):
    warnings.simplefilter("ignore")
    if workload.task == "gradient" or workload.loss == "half_squared_error":
        return None
    X, y = load_real(workload)
    if workload.task in ("perceptron", "delta-rule"):
        if workload.task == "perceptron":
            model = Perceptron(max_iter=1, tol=None, shuffle=False)
        else:
            model = SGDRegressor(
                "squared_error",
                alpha=0,
                max_iter=1,
                tol=None,
                shuffle=False,
                learning_rate="constant",
                eta0=workload.learning_rate,
            )
        return lambda: float(model.fit(X, y).score(X[:1000], y[:1000]))
    model = MLPClassifier(
        workload.sizes[1:-1],
        workload.activation,
        alpha=0,
        batch_size=min(workload.batch_size, X.shape[0]),
        learning_rate_init=workload.learning_rate,
        max_iter=1,
    )
    few = np.unique(y, return_index=True)[1]
    model.set_params(warm_start=True).fit(X[few], y[few])
    for index, (W, b) in enumerate(initial_weights(workload)):  # a warm start keeps them
        model.coefs_[index][:], model.intercepts_[index][:] = W, b
    if workload.task == "predict":
        samples = [X[i : i + 1] for i in range(workload.epochs)]
        return lambda: float(np.mean([model.predict(x)[0] for x in samples]))
    model.set_params(max_iter=workload.epochs)
    return lambda: model.fit(X, y).loss_
