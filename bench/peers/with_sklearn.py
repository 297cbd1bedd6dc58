"""scikit-learn's own estimators (its network has no dropout)."""

import warnings

from sklearn.linear_model import Perceptron, SGDRegressor
from sklearn.neural_network import MLPClassifier

from ..workloads import load_real


def prepare(workload, n_threads):
    warnings.simplefilter("ignore")
    if workload.name not in ("mnist-32", "perceptron", "delta-rule", "predict-1"):
        return None
    X, y = load_real(workload)
    if workload.name in ("perceptron", "delta-rule"):
        if workload.name == "perceptron":
            model = Perceptron(max_iter=1, tol=None, shuffle=False)
        else:
            model = SGDRegressor(
                max_iter=1, tol=None, shuffle=False, alpha=0, learning_rate="constant", eta0=0.001
            )
        return lambda: float(model.fit(X, y).score(X[:1000], y[:1000]))
    model = MLPClassifier(
        workload.sizes[1:-1],
        workload.activation,
        alpha=0,
        batch_size=workload.batch_size,
        learning_rate_init=workload.learning_rate,
        max_iter=1,
    )
    if workload.name == "predict-1":
        model.fit(X[:1000], y[:1000])

        def predict():
            for i in range(workload.epochs):
                model.predict(X[i : i + 1])
            return 0.0

        return predict
    model.set_params(warm_start=True)
    return lambda: model.fit(X, y).loss_
