"""Compare fastnn's defaults with scikit-learn's, on the tables that scikit-learn brings.

    python bench/first_steps.py [--seeds 3] [table ...]

Five folds for each seed; inputs are scaled, and so are a regression's targets, as anybody would do
first. Both train with one thread. What differs from scikit-learn is judged pair by pair: the same
folds and the same seed, so the noise of the folds cancels out.
"""

import argparse
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
EPOCHS = 20, 200  # max_iter: in a hurry, and the default of both
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


def estimator_of(module: Any, is_regression: bool, **parameters: Any) -> Any:
    """Return a network of one library behind a scaler."""
    kind = module.MLPRegressor if is_regression else module.MLPClassifier
    model = make_pipeline(StandardScaler(), kind(**parameters))
    if is_regression:
        return TransformedTargetRegressor(model, transformer=StandardScaler())
    return model


def measure(table: str, contestant: str, max_iter: int, n_seeds: int) -> Result:
    """Cross-validate one library's networks on a table."""
    X, y = TABLES[table](return_X_y=True)
    module, parameters = CONTESTANTS[contestant]
    parameters = {**parameters, "max_iter": max_iter}
    scores, seconds = [], []
    for seed in range(n_seeds):
        model = estimator_of(module, y.dtype.kind == "f", random_state=seed, **parameters)
        folds = StratifiedKFold if is_classifier(model) else KFold
        for train, test in folds(5, shuffle=True, random_state=seed).split(X, y):
            begin = time.perf_counter()
            fitted = clone(model).fit(X[train], y[train])
            seconds.append(time.perf_counter() - begin)
            scores.append(fitted.score(X[test], y[test]))
    return Result(np.array(scores), np.array(seconds))


def with_error(values: np.ndarray, form: str = ".3f") -> str:
    """Return the mean of values and its standard error."""
    return f"{values.mean():{form}} ± {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def row(table: str, max_iter: int, n_seeds: int) -> str:
    """Return a row of the table: scores, how much they differ from scikit-learn's, seconds."""
    results = [measure(table, contestant, max_iter, n_seeds) for contestant in CONTESTANTS]
    theirs, *others = (result.scores for result in results)
    cells = [table, str(max_iter), with_error(theirs)]
    for scores in others:
        cells += [with_error(scores), with_error(scores - theirs, "+.3f")]
    cells.append(" / ".join(f"{np.median(result.seconds):.2f}" for result in results))
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print a Markdown table of some tables, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("table", nargs="*", choices=[*TABLES, []], default=[])
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    header = ["table", "max_iter", "scikit-learn"]
    header += [cell for name in list(CONTESTANTS)[1:] for cell in (name, "difference")]
    header.append("seconds per fit of each")
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with threadpool_limits(1):
        for contestant in CONTESTANTS:  # loads, and compiles, what is not to be timed
            measure("iris", contestant, 1, 1)
        for table in chosen.table or TABLES:
            for max_iter in EPOCHS:
                print(row(table, max_iter, chosen.seeds), flush=True)


if __name__ == "__main__":
    main()
