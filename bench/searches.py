"""Compare three searches over the same grid, in seconds and in what they find.

    python bench/searches.py [--candidates 60] [--folds 5] [--epochs 50] [--float32] [table ...]

scikit-learn's search over its own networks (a process per processor), the same over fastnn's, and
fastnn's, which trains candidates and folds together. The networks have the same settings, and the
arithmetic of the table: float64, or float32. The last two searches train the same networks: in
float64 the largest difference of their mean test scores is 0.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn import datasets, model_selection, neural_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastnn

TABLES: dict[str, Callable[..., Any]] = {
    "breast cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
}
# Whose network, whose search, and whether it has a process per processor
CONTESTANTS = {
    "scikit-learn": (neural_network, model_selection, True),
    "scikit-learn over fastnn": (fastnn, model_selection, False),
    "fastnn": (fastnn, fastnn, False),
}
COMMON = {"hidden_layer_sizes": (30,), "batch_size": 32, "tol": 0.0, "random_state": 0}


class Result(NamedTuple):
    """The seconds of a search, and the mean score of each candidate."""

    seconds: float
    scores: np.ndarray


def grid_of(n_candidates: int) -> dict[str, list[float]]:
    """Return a grid: six learning rates, or fewer, and as many penalties as make up the rest."""
    n_rates = next(n for n in (6, 5, 4, 3, 2, 1) if n_candidates % n == 0)
    return {
        "mlpclassifier__learning_rate_init": np.geomspace(1e-4, 1e-1, n_rates).tolist(),
        "mlpclassifier__alpha": np.geomspace(1e-5, 1e1, n_candidates // n_rates).tolist(),
    }


def measure(table: str, contestant: str, chosen: Any, **changes: Any) -> Result:
    """Search once, without a last fit of the best."""
    X, y = TABLES[table](return_X_y=True)
    X = X.astype(chosen.dtype)
    networks, searches, in_processes = CONTESTANTS[contestant]
    given = {**COMMON, "max_iter": chosen.epochs, "n_iter_no_change": chosen.epochs + 1, **changes}
    network = networks.MLPClassifier(**given, verbose=False)
    search = searches.GridSearchCV(
        make_pipeline(StandardScaler(), network),
        grid_of(chosen.candidates),
        cv=chosen.folds,
        n_jobs=joblib.cpu_count() if in_processes else None,
        refit=False,
    )
    begin = time.perf_counter()
    search.fit(X, y)
    return Result(time.perf_counter() - begin, search.cv_results_["mean_test_score"])


def row(table: str, chosen: Any) -> str:
    """Return a row of the table: seconds, how many times faster, differences of scores."""
    results = [measure(table, contestant, chosen) for contestant in CONTESTANTS]
    ours = results[-1]
    cells = [table, *(f"{result.seconds:.2f}" for result in results)]
    cells += [f"{result.seconds / ours.seconds:.1f}x" for result in results[:-1]]
    cells += [f"{np.abs(result.scores - ours.scores).max():.2g}" for result in results[:-1]]
    return f"| {' | '.join(cells)} |"


def _table(name: str) -> str:
    """Return a name that is known; argparse refuses `choices` where there may be none."""
    if name not in TABLES:
        raise argparse.ArgumentTypeError(f"{name!r}: expected one of {', '.join(TABLES)}")
    return name


def main() -> None:
    """Print a Markdown table of some tables, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--candidates", type=int, default=60)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument(
        "--float32", action="store_const", const="float32", default="float64", dest="dtype"
    )
    parser.add_argument("table", nargs="*", type=_table, help=", ".join(TABLES))
    chosen = parser.parse_args()
    for category in (ConvergenceWarning, RuntimeWarning):
        warnings.simplefilter("ignore", category)
    names = list(CONTESTANTS)
    header = ["table", *(f"s, {name}" for name in names)]
    header += [f"faster than {name}" for name in names[:-1]]
    header += [f"largest difference from {name}" for name in names[:-1]]
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with threadpool_limits(1):  # of NumPy, beside processes
        few = argparse.Namespace(candidates=2, folds=2, epochs=1, dtype=chosen.dtype)
        for contestant in CONTESTANTS:  # starts processes, and compiles, what is not to be timed
            measure("breast cancer", contestant, few)
        for table in chosen.table or TABLES:
            print(row(table, chosen), flush=True)


if __name__ == "__main__":
    main()
