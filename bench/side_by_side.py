"""Run programs written for scikit-learn on its networks and on fastnn's: one import is changed.

    python bench/side_by_side.py [--seeds 5] [program ...]

Each of bench/programs ends with a score. The scores of both are to differ by no more than noise:
two standard errors of the mean difference, seed by seed. Both have one thread.
"""

import argparse
import contextlib
import io
import os
import re
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

PROGRAMS = {path.stem: path for path in sorted(Path(__file__).with_name("programs").glob("*.py"))}
THE_IMPORT = re.compile(r"^from sklearn\.(neural_network|linear_model) import", re.M)
THE_SEED = re.compile(r"^seed = 0$", re.M)


def source_of(name: str, ours: bool, seed: int = 0) -> str:
    """Return a program's text, with another import and another seed."""
    text, n_seeds = THE_SEED.subn(f"seed = {seed}", PROGRAMS[name].read_text())
    changed, n_imports = THE_IMPORT.subn("from fastnn import", text)
    assert n_seeds == n_imports == 1, f"{name}: one line of each kind is to be changed"
    return changed if ours else text


def run(name: str, ours: bool, seed: int = 0) -> float:
    """Run a program; return its score, which it has to print in the end."""
    program: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence, mostly, from both
        exec(compile(source_of(name, ours, seed), str(PROGRAMS[name]), "exec"), program)
    assert printed.getvalue().splitlines()[-1] == str(program["score"])
    return float(program["score"])


def row(name: str, n_seeds: int) -> str:
    """Return a row of the table: the scores and the seconds of both."""
    scores, seconds = np.empty((2, n_seeds)), np.empty((2, n_seeds))
    for ours in (False, True):
        run(name, ours)  # imports, and whatever is compiled first
    for seed in range(n_seeds):
        for ours in (False, True):
            begin = time.perf_counter()
            scores[int(ours), seed] = run(name, ours, seed)
            seconds[int(ours), seed] = time.perf_counter() - begin
    gain = scores[1] - scores[0]
    error = gain.std(ddof=1) / n_seeds**0.5
    theirs, our = (f"{s.mean():.3f} ± {s.std(ddof=1):.3f}" for s in scores)
    times = np.median(seconds, axis=1)
    cells = [
        *(name, theirs, our, f"{gain.mean():+.3f} ± {error:.3f}"),
        *(f"{times[0]:.2f}", f"{times[1]:.2f}", f"{times[0] / times[1]:.1f}x"),
    ]
    return f"| {' | '.join(cells)} |"


def _program(name: str) -> str:
    """Return a name that is known; argparse refuses `choices` where there may be none."""
    if name not in PROGRAMS:
        raise argparse.ArgumentTypeError(f"{name!r}: expected one of {', '.join(PROGRAMS)}")
    return name


def main() -> None:
    """Print a Markdown table of some programs, or of all."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("program", nargs="*", type=_program, help=", ".join(PROGRAMS))
    chosen = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of fastnn
    header = "program", "scikit-learn", "fastnn", "difference", "s", "s, fastnn", "faster"
    print(f"| {' | '.join(header)} |\n|{'---|' * len(header)}")
    with threadpool_limits(1):  # of NumPy
        for name in chosen.program or PROGRAMS:
            print(row(name, chosen.seeds), flush=True)


if __name__ == "__main__":
    main()
