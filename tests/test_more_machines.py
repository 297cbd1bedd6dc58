"""Networks on Dask's workers: the page's program, and a worker that is killed in the midst."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs/more-machines.md"
PROGRAM = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)[0]
KILLED = """
import os, signal, threading
import joblib, numpy as np
from distributed import Client
import fastnn
from fastnn import workers

workers.WORK_OF_PART = 1e6  # many parts

if __name__ == "__main__":
    X, y = fastnn.load_digits()
    network = fastnn.MLPClassifier((30,), input_scale=1 / 16, max_iter=60, tol=None, n_jobs=1)
    seeds = range(48)
    here = fastnn.train_many(network, X, y, random_state=seeds)
    with Client(n_workers=2, threads_per_worker=1, dashboard_address=None) as client:
        first, second = client.run(os.getpid).values()
        killing = threading.Timer(0.7, os.kill, (first, signal.SIGKILL))
        killing.start()
        with joblib.parallel_config(backend="dask"):
            there = fastnn.train_many(network, X, y, random_state=seeds)
        killing.join()
        print("workers:", {first, second} != set(client.run(os.getpid).values()))
    print("same:", all(np.array_equal(a.params_, b.params_) for a, b in zip(here, there)))
"""


def run(tmp_path, program):
    """Run a program from a file, which local workers start again; return what it printed."""
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, timeout=600, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_program_of_the_page_runs(tmp_path):
    printed = run(tmp_path, PROGRAM)
    assert re.search(r"http://\S+/status", printed)
    assert re.search(r"^64 {'alpha': [\d.]+}$", printed, re.M)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_worker_that_is_killed_costs_its_part(tmp_path):
    printed = run(tmp_path, KILLED)
    assert printed.splitlines()[-2:] == ["workers: True", "same: True"]
