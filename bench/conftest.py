"""Options and fixtures of the suite: the peers' processes, the proof, what goes into the JSON."""

import os

import pytest

import fastnn
from fastnn.datasets import DataError

from . import proof
from .machine import processor
from .peers.process import Missing, Peer
from .peers.spinning import spinning
from .words import describe
from .workloads import SMALL_MNIST, load

BACKENDS = ("python", "cython", "numba", "numba-cuda")
BUDGET = 1.5  # seconds of timed rounds per row, if three rounds are not longer


def pytest_addoption(parser):
    group = parser.getgroup("fastnn")
    group.addoption("--threads", type=int, default=2, help="threads of every peer (2)")
    group.addoption("--quick", action="store_true", help="little work and few rounds: a check")


@pytest.fixture(scope="session")
def quick(request):
    return request.config.getoption("--quick")


@pytest.fixture(scope="session")
def n_threads(request):
    return request.config.getoption("--threads")


@pytest.fixture(scope="session")
def processes(n_threads):
    """Return a function that returns a peer's process, started when first wanted."""
    started = {}

    def process(name):
        if name not in started:
            started[name] = Peer(name, n_threads)
        return started[name]

    yield process
    for peer in started.values():
        peer.close()


@pytest.fixture(scope="session")
def cpu():
    return processor()


@pytest.fixture
def measure(benchmark, processes, n_threads, quick, cpu):
    """Return a function that proves a peer right on a workload, then times it."""

    def measure(workload, peer, group, **extra):
        benchmark.group = group
        if peer in BACKENDS and (reason := fastnn.available_backends()[peer]) is not None:
            pytest.skip(reason)
        try:
            load(workload)
        except DataError as reason:
            pytest.skip(str(reason))
        largest = None
        if peer in BACKENDS:
            largest = proof.check_backend(workload, peer, n_threads)
        process = processes(peer)
        try:
            found = process.prepare(workload)
        except Missing as reason:
            pytest.skip(f"{peer}: {reason}")
        first = process.run()
        off = proof.check_peer(workload, peer, first["result"], n_threads)
        rounds = 2 if quick else int(min(15, max(3, BUDGET / process.run()["seconds"])))
        try:
            with spinning(workload.spinning):
                benchmark.pedantic(process.run, rounds=rounds)
        except KeyboardInterrupt:
            benchmark.has_error = True  # else pytest-benchmark reports rounds that it has not
            raise
        amount = workload.sample_epochs
        median = benchmark.stats.stats.median
        benchmark.extra_info.update(
            **{"peer": peer, "threads": n_threads, "dtype": workload.dtype, "cpu": cpu},
            **{"network": "-".join(map(str, workload.sizes)), "batch_size": workload.batch_size},
            **{"sample_epochs": amount, "samples_per_second": amount / median},
            **{"gflops": amount * workload.flops / median / 1e9},
            **{"difference_from_python": largest, "difference_of_result": off},
            **{"versions": {"fastnn": fastnn.__version__, **found["versions"]}},
            **{"quick": quick, "about": workload.about, "what": describe(workload)},
            **{"small_mnist": SMALL_MNIST in os.environ and workload.data == "mnist"},
            **extra,
        )

    return measure
