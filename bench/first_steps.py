"""Compare fastnn's defaults with scikit-learn's, on the tables that scikit-learn brings.

    python bench/first_steps.py

Five folds, three seeds; inputs are scaled, and so are a regression's targets, as anybody would do
first. Both train with one thread. What differs from scikit-learn is judged pair by pair: the same
folds and the same seed, so the noise of the folds cancels out.
"""

import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from sklearn import datasets, neural_network
from sklearn.base import clone, is_classifier
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastnn

TABLES: dict[str, Callable[..., Any]] = {
    "iris": datasets.load_iris,
    "wine": datasets.load_wine,
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "diabetes": datasets.load_diabetes,
}  # linnerud has 20 rows: four in a fold say nothing
SEEDS = range(3)
OURS = {"n_jobs": 1, "verbose": False}
CONTESTANTS = {
    "scikit-learn": (neural_network, {}),
    "fastnn": (fastnn, OURS),
    'fastnn, batch_size="auto", alpha=1e-4': (fastnn, OURS | {"batch_size": "auto", "alpha": 1e-4}),
}


class Result(NamedTuple):
    """The score and the seconds of each fit, (n_fits,)."""

    scores: np.ndarray
    seconds: np.ndarray


def estimator_of(module: Any, parameters: dict[str, Any], is_regression: bool, seed: int) -> Any:
    """Return a network of one library behind a scaler."""
    kind = module.MLPRegressor if is_regression else module.MLPClassifier
    model = make_pipeline(StandardScaler(), kind(random_state=seed, **parameters))
    if is_regression:
        return TransformedTargetRegressor(model, transformer=StandardScaler())
    return model


def measure(table: str, contestant: str) -> Result:
    """Cross-validate one library's networks on a table."""
    X, y = TABLES[table](return_X_y=True)
    module, parameters = CONTESTANTS[contestant]
    scores, seconds = [], []
    for seed in SEEDS:
        model = estimator_of(module, parameters, y.dtype.kind == "f", seed)
        folds = StratifiedKFold if is_classifier(model) else KFold
        for train, test in folds(5, shuffle=True, random_state=seed).split(X, y):
            begin = time.perf_counter()
            fitted = clone(model).fit(X[train], y[train])
            seconds.append(time.perf_counter() - begin)
            scores.append(fitted.score(X[test], y[test]))
    return Result(np.array(scores), np.array(seconds))


def mean_and_error(values: np.ndarray) -> str:
    """Return the mean of values and its standard error."""
    return f"{values.mean():.3f} ± {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def main() -> None:
    """Print a Markdown table, a row for each table and contestant."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(
        "| table | network | score | minus scikit-learn | seconds per fit |\n|---|---|---|---|---|"
    )
    with threadpool_limits(1):
        for contestant in CONTESTANTS:  # loads, and compiles, what is not to be timed
            measure("iris", contestant)
        for table in TABLES:
            results = {contestant: measure(table, contestant) for contestant in CONTESTANTS}
            theirs = results["scikit-learn"].scores
            for contestant, (scores, seconds) in results.items():
                gain = "" if scores is theirs else mean_and_error(scores - theirs)
                row = table, contestant, mean_and_error(scores), gain, f"{np.median(seconds):.3f}"
                print("|", " | ".join(row), "|", flush=True)


if __name__ == "__main__":
    main()
