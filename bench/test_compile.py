"""First calls: what a peer compiles before it trains, in a new process each."""

from dataclasses import replace

import pytest

from .peers.process import Missing, Peer
from .workloads import WORKLOADS

PEERS = ("cython", "numba", "numba, empty cache", "numba-cuda")
PEERS += ("tf-function", "tf-xla", "torch-compile", "jax")


@pytest.mark.parametrize("peer", PEERS)
def test_first_call(benchmark, quick, n_threads, tmp_path, peer):
    if quick:
        pytest.skip("not in a quick run")
    benchmark.group = "first call"
    workload = replace(WORKLOADS["mnist-32"], samples=64)
    name, _, empty = peer.partition(",")
    process = Peer(name, n_threads, {"NUMBA_CACHE_DIR": str(tmp_path)} if empty else None)
    try:
        process.prepare(workload)
        if name == "numba" and not empty:  # fill the cache, then start afresh
            process.run()
            process.close()
            process = Peer(name, n_threads)
            process.prepare(workload)
        result = benchmark.pedantic(process.run, rounds=1)
        assert 1 < result["result"] < 4  # untrained: about ln 10
        benchmark.extra_info.update(peer=peer, threads=n_threads, sample_epochs=1)
    except Missing as reason:
        pytest.skip(f"{peer}: {reason}")
    finally:
        process.close()
