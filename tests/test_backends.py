import os
import pickle
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

import fastnn
from fastnn import backends


@pytest.fixture(autouse=True)
def _restore(monkeypatch):
    monkeypatch.setattr("fastnn.backends._default", None)
    monkeypatch.delenv("FASTNN_BACKEND", raising=False)
    monkeypatch.setenv("FASTNN_PARENT_BACKEND", "")
    monkeypatch.setattr("fastnn.backends._inherited", None)


def test_set_and_use():
    fastnn.set_backend("python")
    assert fastnn.get_backend() == "python"
    with fastnn.use_backend("numba"):
        assert fastnn.get_backend() == "numba"
        seen = []
        thread = threading.Thread(target=lambda: seen.append(fastnn.get_backend()))
        thread.start()
        thread.join()
        assert seen == ["python"]
    assert fastnn.get_backend() == "python"


def test_environment(monkeypatch):
    monkeypatch.setenv("FASTNN_BACKEND", "python")
    assert fastnn.get_backend() == "python"
    monkeypatch.setenv("FASTNN_BACKEND", "fortran")
    with pytest.raises(ValueError, match="FASTNN_BACKEND: there is no back end 'fortran'"):
        fastnn.get_backend()


def test_unknown_name():
    with pytest.raises(ValueError, match="no back end 'nmba'; choose one of 'cython', 'numba'"):
        fastnn.set_backend("nmba")
    with pytest.raises(ValueError, match="'nmba'"), fastnn.use_backend("nmba"):
        pass


def test_missing_extension(monkeypatch):
    """As on a machine without a compiler: a reason, and the next back end as default."""
    monkeypatch.setattr("fastnn.backends.cython_cpu._base_level", lambda: "none")
    reason = fastnn.available_backends()["cython"]
    assert "install a C compiler" in reason
    backends._first_available.cache_clear()
    assert fastnn.get_backend() == "numba"
    backends._first_available.cache_clear()
    with pytest.raises(RuntimeError, match="'cython' cannot be used: its extension modules"):
        fastnn.set_backend("cython")


def test_import_is_light(tmp_path):
    code = """
import sys, fastnn
heavy = ["numba", "sklearn", "matplotlib", "tqdm"]
print([m for m in heavy if m in sys.modules])
unused = heavy if fastnn.get_backend() == "cython" else heavy[1:]
print([m for m in unused if m in sys.modules])
"""
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert printed.stdout.split() == ["[]", "[]"], printed.stderr


WORKERS = """
import fastnn
from multiprocessing import get_context

def trained_with(model):
    X, y = fastnn.load_xor()
    model = fastnn.MLPClassifier((3,), max_iter=1, verbose=False) if model is None else model
    return model.fit(X, y).backend_

if __name__ == "__main__":
    model = fastnn.MLPClassifier((3,), max_iter=1, verbose=False)
    with fastnn.use_backend("python"), get_context("spawn").Pool(1) as pool:
        assert pool.apply(trained_with, (None,)) == "python"
        # A worker that has been started already learns it from the estimator that it gets,
        with fastnn.use_backend("numba"):
            assert pool.apply(fastnn.get_backend) == "python"
            assert pool.apply(trained_with, (model,)) == "numba"
            assert pool.apply(trained_with, (None,)) == "numba"
        # and a choice of its own comes first.
        pool.apply(fastnn.set_backend, ("numba",))
        assert pool.apply(trained_with, (model,)) == "numba"
"""


@pytest.mark.slow
def test_worker_processes_use_the_back_end_of_their_parent(tmp_path):
    (tmp_path / "workers.py").write_text(WORKERS)
    subprocess.run([sys.executable, "workers.py"], cwd=tmp_path, check=True, timeout=600)


def test_messages_to_workers(monkeypatch):
    """They hold for worker processes only, and not where FASTNN_BACKEND has become another."""
    assert "python" not in os.environ["FASTNN_PARENT_BACKEND"]
    with fastnn.use_backend("python"), fastnn.use_backend("numba"):
        assert os.environ["FASTNN_PARENT_BACKEND"].startswith("numba:")
    assert "FASTNN_PARENT_BACKEND" not in os.environ
    fastnn.set_backend("python")
    assert os.environ["FASTNN_PARENT_BACKEND"] == f"python:{os.getpid()}:"
    monkeypatch.setattr("fastnn.backends._default", None)
    default = fastnn.get_backend()
    assert default != "python"
    monkeypatch.setenv("FASTNN_PARENT_BACKEND", "python:1:")
    assert fastnn.get_backend() == default
    monkeypatch.setattr("fastnn.backends._parent", lambda: SimpleNamespace(pid=1))
    assert fastnn.get_backend() == "python"
    for nonsense in ("", "python", "python:1", "fortran:1:", "::"):
        monkeypatch.setenv("FASTNN_PARENT_BACKEND", nonsense)
        assert fastnn.get_backend() == default
    monkeypatch.setenv("FASTNN_PARENT_BACKEND", "python:1:")
    monkeypatch.setenv("FASTNN_BACKEND", "numba")
    assert fastnn.get_backend() == "numba"


def test_a_pickle_of_another_process_chooses_nothing():
    with fastnn.use_backend("python"):
        sent = pickle.dumps(fastnn.Perceptron())
    model = pickle.loads(sent)
    assert vars(model) == vars(fastnn.Perceptron())
    assert fastnn.get_backend() != "python"


FORK = """
import os, sys, threading, time
import numpy as np, fastnn
X, y = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 2
def fit(): fastnn.MLPClassifier((4,), max_iter=2, verbose=False).fit(X, y)
if sys.argv[1] == "compiling":  # as Numba does in a first fit
    from numba.core.compiler_lock import global_compiler_lock as lock
    fastnn.set_backend("numba")
elif sys.argv[1] == "drawing":
    import tqdm
    lock = tqdm.tqdm.get_lock().th_lock
else:
    from fastnn.backends.forking import lock
held = threading.Event()
def hold():
    with lock:
        held.set()
        time.sleep(0.5)
thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    fit()
    os._exit(0)
thread.join()
fit()
print(os.waitpid(child, 0)[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("what", ["compiling", "drawing", "importing"])
@pytest.mark.filterwarnings("ignore")
def test_a_fork_while_another_thread_begins(what):
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, what],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert printed.stdout.strip() == "0", printed.stderr
