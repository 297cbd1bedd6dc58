"""fastnn against its peers in alternating rounds, so that a change in the machine meets all."""

import statistics
from dataclasses import replace

from ..workloads import WORKLOADS, Workload
from .process import ON_GPU, Missing, Peer

OURS = ("cython", "numba")
GPU_PEERS = ("pytorch", "torch-compile", "jax")
GPU_WORKLOADS = ("xor", "xor-many", "mnist-32", "mnist-128")
GPU_EPOCHS = 10  # of MNIST in one fit: one is short beside what a fit begins with
GPU_NETWORKS = 10_000  # XOR networks at once
ROUND_SECONDS = 0.2  # a round lasts at least as long
THREADS = 1.6  # how many times faster two threads have to be, mnist-128


def compare(name: str, rounds: int, n_threads: int, gpu: bool = False) -> list[str]:
    """Time a workload; return the lines of its table: medians, and ratios with those wanted.

    With `gpu` the peers that have a GPU version use it, and so does fastnn.
    """
    workload = WORKLOADS[name]
    epochs = GPU_EPOCHS if gpu and workload.data == "mnist" else 1
    networks = GPU_NETWORKS if gpu and workload.networks > 1 else workload.networks
    workload = replace(workload, epochs=workload.epochs * epochs, networks=networks)
    ours = ("numba-cuda",) if gpu else OURS
    wanted = dict.fromkeys(GPU_PEERS, 1) if gpu else workload.at_least
    if workload.networks > 1:  # the peers have nothing like it
        ours = (*OURS, *ours) if gpu else OURS
        wanted = {}
    environment = {ON_GPU: "1"} if gpu else {}
    peers = {peer: Peer(peer, n_threads, environment) for peer in (*ours, *wanted)}
    runs, lines = alternate(peers, workload, rounds)
    for run in (run for found in runs.values() for run in found):
        run["seconds"] /= epochs
    medians = {
        peer: statistics.median(run["seconds"] for run in found) for peer, found in runs.items()
    }
    for peer, found in runs.items():
        line = f"{name:<13}{peer:<14}{spread(found)}  result {found[-1]['result']:<10.4g}"
        ratios = {own: medians[peer] / medians[own] for own in ours if own in medians}
        if peer not in ours and ratios:
            mark = "ok" if min(ratios.values()) >= wanted[peer] else "TOO SLOW"
            parts = "  ".join(f"{own} {ratio:7.1f}x" for own, ratio in ratios.items())
            line += f"{parts}   wanted {wanted[peer]}x  {mark}"
        lines.append(line)
    return lines


def compare_threads(rounds: int) -> list[str]:
    """Time one thread against two; return the lines of the table."""
    peers = {f"{ours} {n}": Peer(ours, n) for ours in OURS for n in (1, 2)}
    runs, lines = alternate(peers, WORKLOADS["mnist-128"], rounds)
    for ours in OURS:
        one, two = runs.get(f"{ours} 1"), runs.get(f"{ours} 2")
        if one and two:
            ratio = statistics.median(r["seconds"] for r in one) / statistics.median(
                r["seconds"] for r in two
            )
            mark = "ok" if ratio >= THREADS else "TOO SLOW"
            lines.append(
                f"{'threads 1, 2':<13}{ours:<14}{spread(one)} {spread(two)}  {ratio:.2f}x"
                f"   wanted {THREADS}x  {mark}"
            )
    return lines


def alternate(
    peers: dict[str, Peer], workload: Workload, rounds: int
) -> tuple[dict[str, list[dict]], list[str]]:
    """Return the rounds of each peer, and a line for each that is missing; ends the peers."""
    missing = []
    try:
        for name, peer in list(peers.items()):
            try:
                peer.prepare(workload)
                peer.run()  # compiles, fills caches
            except Missing as reason:
                missing.append(f"{workload.name:<13}{name:<14} skipped: {reason}")
                peers.pop(name).close()
        runs: dict[str, list[dict]] = {name: [] for name in peers}
        for _ in range(rounds):
            for name, peer in peers.items():
                runs[name].append(peer.run(ROUND_SECONDS))
    finally:
        for peer in peers.values():
            peer.close()
    return runs, missing


def spread(runs: list[dict]) -> str:
    """Return the median of some rounds, and the lowest and the highest."""
    values = [run["seconds"] for run in runs]
    return f"{statistics.median(values):>10.4g} s  ({min(values):.4g}-{max(values):.4g})"
