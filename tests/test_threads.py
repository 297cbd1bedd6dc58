"""Threads of a call: failures, interruption, waiting."""

import _thread
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

from fastnn.backends import codes, threads
from fastnn.backends.cpu import panels
from fastnn.backends.cpu.compiled import Compiled
from fastnn.backends.cpu.panels import parts
from fastnn.backends.interface import (
    ImageDistortion,
    Network,
    Optimizer,
    Samples,
    Schedule,
    State,
)
from fastnn.backends.threads import run_workers
from fastnn.parameters import check_n_jobs

NET = Network(
    (60, 200, 70, 5),
    (codes.RELU, codes.TANH, codes.SOFTMAX),
    (0.0,) * 3,
    codes.SPARSE_CATEGORICAL_CROSSENTROPY,
)


@pytest.fixture
def many_threads(monkeypatch):
    """Let any number of threads work on any network."""
    monkeypatch.setattr("fastnn.backends.cpu.panels.WORK_PER_THREAD", 1)
    monkeypatch.setattr("fastnn.backends.cpu.panels.available_processors", lambda: 8)


def train(kernels, rng, n_threads, n_epochs=1, n=50):
    """Train NET for some epochs; return its parameters."""
    params = 0.1 * np.random.default_rng(0).normal(size=NET.n_parameters)
    X, targets = rng.normal(size=(n, 60)), rng.integers(0, 5, (n, 1)).astype(float)
    state = State(params, np.empty((0, len(params))))
    schedule = Schedule(np.arange(n)[np.newaxis], 16, 0, np.full(n_epochs, 0.01))
    samples, sums = Samples(X, 1.0, targets), np.zeros(n_epochs)
    kernels.mlp_train(NET, Optimizer(codes.SGD), state, samples, schedule, sums, n_threads)
    return params


def test_first_error_is_raised_and_nobody_waits_for_the_dead():
    stop, seen = panels.new_stop(), []

    def worker(index):
        if index == 1:
            raise MemoryError("injected")
        while not stop[0]:
            time.sleep(0.001)
        seen.append(index)

    with pytest.raises(MemoryError, match="injected"):
        run_workers(worker, 3, stop)
    assert set(seen) <= {0, 2}
    assert stop[0] == 1


@pytest.mark.parametrize("n_fine", [0, 1, 2])
def test_a_thread_that_cannot_be_started_leaves_none_behind(n_fine, monkeypatch):
    real, started, running = _thread.start_new_thread, [], []
    stop = panels.new_stop()

    def start(function, arguments):
        if len(started) == n_fine:
            raise RuntimeError("can't start new thread")
        started.append(real(function, arguments))

    def worker(index):
        running.append(index)
        while not stop[0]:
            time.sleep(0.001)
        running.remove(index)

    monkeypatch.setattr(_thread, "start_new_thread", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run_workers(worker, 3, stop)
    assert not running
    time.sleep(0.01)
    assert not running  # nor does one begin later


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
def test_ctrl_c_at_any_moment_is_what_the_caller_gets(rng):
    """While threads are started too: `threading.Thread.start` made RuntimeError of some of them."""

    def handler(number, frame):
        if armed:
            raise KeyboardInterrupt

    old = signal.signal(signal.SIGALRM, handler)
    n_heard = 0
    try:
        for seconds in rng.uniform(1e-6, 6e-4, 500):
            stop, running, armed = panels.new_stop(), [], True

            def worker(index, stop=stop, running=running):
                running.append(index)
                while not stop[0]:
                    time.sleep(1e-4)
                running.remove(index)

            try:
                signal.setitimer(signal.ITIMER_REAL, seconds, 1)  # again, should one get lost
                run_workers(worker, 3, stop)
            except KeyboardInterrupt:
                armed = False
                signal.setitimer(signal.ITIMER_REAL, 0)
                n_heard += 1
            assert not running
    finally:
        signal.signal(signal.SIGALRM, old)
    assert n_heard == 500


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX signals")
@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeoutError])
def test_returns_after_all_workers_whatever_a_signal_handler_raises(error, monkeypatch):
    stop, running, ended = panels.new_stop(), threading.Barrier(3), []

    def handler(number, frame):
        raise error("from a handler")

    def worker(index):
        running.wait()
        if index == 0:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
        while not stop[0]:
            time.sleep(0.001)
        if index == 0:
            signal.setitimer(signal.ITIMER_REAL, 0.01)  # once more, while the caller waits
        time.sleep(0.1)
        ended.append(index)

    old = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(error, match="from a handler"):
            run_workers(worker, 3, stop)
        assert sorted(ended) == [0, 1, 2]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, old)


@pytest.mark.parametrize("failing", [0, 2])
@pytest.mark.parametrize("after_steps", [0, 5])
def test_a_kernel_that_fails_ends_the_others(
    compiled, failing, after_steps, rng, monkeypatch, many_threads
):
    """Its threads wait at a barrier; they raise what it raised, and the next call is fine."""
    owner = compiled.mlp_train.__self__
    expected = train(compiled, rng, 3)
    kernels = owner._load(np.dtype(float))
    real = kernels.train_thread

    def train_thread(problem, *arguments):
        *_, thread = arguments
        if thread == failing:
            if after_steps:
                threading.Timer(0.05, lambda: problem.stop.__setitem__(0, 1)).start()
                real(problem, *arguments)
            raise MemoryError("injected")
        real(problem, *arguments)

    monkeypatch.setattr(kernels, "train_thread", train_thread)
    with pytest.raises(MemoryError, match="injected"):
        train(compiled, rng, 3, n_epochs=10**6 if after_steps else 1)
    monkeypatch.setattr(kernels, "train_thread", real)
    assert train(compiled, np.random.default_rng(0), 3).shape == expected.shape


CTRL_C = """
import _thread, os, signal, sys, threading, time
import numpy as np, fastnn
from fastnn import backends
from fastnn.backends import codes
from fastnn.backends.cpu import panels
from fastnn.backends.interface import Network, Optimizer, Samples, Schedule, State
panels.WORK_PER_THREAD, panels.available_processors = 1, lambda: 8
from fastnn.backends.cpu import lanes, many
many.available_processors, lanes.pays = lambda: 8, lambda *arguments: sys.argv[2] == "lanes"
kernels = backends.kernels(sys.argv[1])
net = Network((60, 200, 5), (codes.RELU, codes.SOFTMAX), (0.0, 0.0), 4)
samples = Samples(np.random.default_rng(0).normal(size=(64, 60)), 1.0, np.zeros((64, 1)))
def call(n_epochs):
    n = net.n_parameters
    schedule = Schedule(np.arange(64)[None], 16, 0, np.full(n_epochs, 0.01))
    if sys.argv[2] != "one":
        states = [State(np.zeros(n), np.empty((0, n))) for _ in range(4)]
        kernels.mlp_train_many([net] * 4, [Optimizer(codes.SGD)] * 4, states, samples,
            [schedule] * 4, np.zeros((4, n_epochs)), int(sys.argv[3]))
    else:
        kernels.mlp_train(net, Optimizer(codes.SGD), State(np.zeros(n), np.empty((0, n))),
            samples, schedule, np.zeros(n_epochs), 2)
call(1)
timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
timer.start()
try:
    call(10**6)
except KeyboardInterrupt:
    timer.join()
    time.sleep(0.1)  # a thread may have come to its last line only
    print("heard", _thread._count())
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("what", "n_threads"), [("one", 2), ("many", 2), ("many", 1), ("lanes", 1)]
)
def test_ctrl_c_ends_a_long_call(compiled, what, n_threads):
    name = compiled.__name__.rsplit(".", 1)[1]
    arguments = [
        sys.executable,
        "-c",
        CTRL_C,
        {"numba_cpu": "numba", "cython_cpu": "cython"}[name],
        what,
        str(n_threads),
    ]
    printed = subprocess.run(arguments, capture_output=True, text=True, timeout=600)
    assert printed.stdout.strip() == "heard 0", printed.stderr


def test_threads_that_sleep_at_a_barrier_wake_up(compiled, rng, many_threads):
    """Far more threads than processors: each barrier is waited for by sleepers."""
    one = train(compiled, np.random.default_rng(0), 1, 5, n=200)
    assert (train(compiled, np.random.default_rng(0), 8, 5, n=200) == one).all()


def test_limits_of_the_owner(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.setattr("joblib.cpu_count", lambda: 6)
    threads._processors.cache_clear()
    assert (threads.available_processors(), threads.default_threads()) == (6, 6)
    for text, n in (("3", 3), ("2,4", 2), (" 1 ", 1), ("64", 6), ("0", 6), ("", 6), ("many", 6)):
        monkeypatch.setenv("OMP_NUM_THREADS", text)
        assert threads.default_threads() == n, text
    assert check_n_jobs(5) == 5  # what the user says goes, as far as there are processors
    threads._processors.cache_clear()


def test_limit_of_loky(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert threads.default_threads() == 1
    assert check_n_jobs(None) == 1
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT")
    assert threads.available_processors() >= 1


def test_the_first_call_compiles_where_ctrl_c_is_heard(compiled, rng, many_threads):
    """And several threads train only then."""
    calls = []
    real = compiled.mlp_train.__self__._load(np.dtype(float))

    def train_thread(*arguments):
        *_, loss_sums, _ = arguments
        calls.append((threading.current_thread() is threading.main_thread(), len(loss_sums)))
        real.train_thread(*arguments)

    counted = SimpleNamespace(**{**vars(real), "train_thread": train_thread})
    kernels = Compiled(lambda dtype: counted)
    for _ in range(2):
        train(kernels, rng, 2, n_epochs=3)
    assert calls == [(True, 0)] + 4 * [(False, 3)]


def test_parts_of_a_thread():
    stop = panels.new_stop()
    assert list(parts(10, 1, 3, 2, stop)) == [(3, 5), (5, 6)]
    assert [list(parts(7, i, 2, 100, stop)) for i in range(2)] == [[(0, 3)], [(3, 7)]]
    found = parts(10, 0, 1, 3, stop)
    assert next(found) == (0, 3)
    stop[0] = 1
    assert list(found) == []


def test_large_calls_in_parts_are_the_same(compiled, rng, many_threads, monkeypatch):
    """A kernel is called again and again, so that Ctrl-C is heard in between."""
    params = 0.1 * rng.normal(size=NET.n_parameters)
    X, targets = rng.normal(size=(300, 60)), rng.integers(0, 5, (300, 1)).astype(float)
    images = rng.integers(0, 256, (250, 30), np.uint8)
    results = []
    for n_threads, work in ((1, 10**9), (3, 1)):
        monkeypatch.setattr("fastnn.backends.cpu.compiled.WORK_PER_CALL", work)
        monkeypatch.setattr("fastnn.backends.cpu.distortion.PIXELS_PER_CALL", work)
        samples = Samples(X, 1.0, targets)
        outputs = compiled.mlp_forward(NET, params, samples, False, n_threads)[0]
        loss = compiled.mlp_evaluate(NET, params, samples, n_threads)
        distortion = ImageDistortion(5, 6)
        distorted = compiled.distort_images(images, distortion, np.ones(250), 1, 0, n_threads)
        results.append((outputs, np.array(loss), distorted))
    for a, b in zip(*results, strict=True):
        assert (a == b).all()
