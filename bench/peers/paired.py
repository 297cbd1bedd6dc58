"""fastnn against its peers in alternating rounds, so that a change in the machine meets all."""

import os
import statistics
from dataclasses import dataclass, field, replace

from fastnn.datasets import DataError

from .. import words
from ..workloads import SMALL_MNIST, WORKLOADS, Workload, load, smaller
from .process import ON_GPU, Missing, Peer
from .spinning import spinning

OURS = ("cython", "numba")
GPU_PEERS = ("pytorch", "torch-compile", "jax")
GPU_WORKLOADS = ("xor", "xor-many", "mnist-32", "mnist-128")
GPU_EPOCHS = 10  # of MNIST in one fit: one is short beside what a fit begins with
GPU_NETWORKS = 10_000  # XOR networks at once
ROUND_SECONDS = 0.2  # a round lasts at least as long
THREADS = 1.6  # how many times faster two threads have to be, mnist-128
LEAST_ROUNDS = 3  # fewer carry no ratio
QUICK_ROUNDS = 2
QUICK = {"many": 20, "xor": 2000, "predict": 20, "gradient": 5, "other": 256}
# Epochs that are enough to know what one takes, where all would take minutes.
LESS = {
    **{("xor-many", "pytorch"): 100, ("xor-many", "jax"): 1000, ("xor-many-32", "jax"): 1000},
    ("mnist-many", "jax"): 2,
}


@dataclass(frozen=True)
class Pair:
    """Two names of which the second has to be faster: so many times, if that is wanted."""

    slower: str
    faster: str
    wanted: float | None = None


@dataclass
class Row:
    """What was found of a workload.

    Attributes
    ----------
    runs : dict
        Name -> its rounds, each with "seconds" by the clock, "cpu" seconds and "result".
    missing : dict
        Name -> why it was left out.
    failed : dict
        Name -> the error that it ended with.
    left_out : str
        Why there is nothing at all, or "".
    """

    name: str
    what: str = ""
    about: str = ""
    left_out: str = ""
    runs: dict[str, list[dict]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    pairs: list[Pair] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)

    def median(self, name: str, kind: str = "seconds") -> float:
        """Return the median of a name's rounds."""
        return statistics.median(run[kind] for run in self.runs[name])

    def ratios(self, pair: Pair, kind: str = "seconds") -> list[float] | None:
        """Return the slower one's time by the faster one's, round by round; None if too few."""
        slower, faster = (self.runs.get(name, []) for name in (pair.slower, pair.faster))
        if len(slower) < LEAST_ROUNDS or len(faster) < LEAST_ROUNDS:
            return None
        return [a[kind] / b[kind] for a, b in zip(slower, faster, strict=True)]


def compare(
    name: str,
    rounds: int,
    n_threads: int,
    *,
    gpu: bool = False,
    pinned: bool = False,
    quick: bool = False,
) -> Row:
    """Time a workload, or one thread against two if its name is "threads".

    Parameters
    ----------
    gpu : bool
        The peers that have a GPU version use it, and so does fastnn.
    pinned : bool
        Each process has one thread and is kept on one processor: its CPU seconds then do not
        depend on what else the machine does.
    quick : bool
        Little work: a check.
    """
    if name == "threads" and pinned:
        return Row(name, left_out="one processor does not show what two threads are worth")
    workload = WORKLOADS["mnist-128" if name == "threads" else name]
    try:
        load(workload)
    except DataError as reason:
        return Row(name, about=workload.about, left_out=str(reason).splitlines()[0])
    if quick:
        workload = _quick(workload)
    if gpu:
        workload = _for_gpu(workload)
    row = Row(name, words.describe(workload), workload.about)
    if workload.data == "mnist" and SMALL_MNIST in os.environ:
        row.notes.append(words.SMALL_MNIST)
    if name == "threads":
        row.about = "What a second thread is worth."
        row.pairs = [Pair(_threads(own, 1), _threads(own, 2), THREADS) for own in OURS]
        peers = {_threads(own, n): Peer(own, n) for own in OURS for n in (1, 2)}
    else:
        ours, wanted = _contestants(workload, gpu)
        row.pairs = [Pair(peer, own, wanted[peer]) for peer in wanted for own in ours]
        environment = {ON_GPU: "1"} if gpu else {}
        threads = 1 if pinned else n_threads
        peers = {peer: Peer(peer, threads, environment) for peer in (*ours, *wanted)}
    with spinning(workload.spinning):
        alternate(row, peers, workload, QUICK_ROUNDS if quick else rounds, quick)
    return row


def _quick(workload: Workload) -> Workload:
    if workload.networks > 1:
        epochs = 100 if workload.data == "xor" else 1
        return smaller(replace(workload, epochs=epochs), QUICK["many"])
    return smaller(workload, QUICK.get(workload.data, QUICK.get(workload.task, QUICK["other"])))


def _for_gpu(workload: Workload) -> Workload:
    """Return more of the same: what a GPU is for."""
    epochs = GPU_EPOCHS if workload.data == "mnist" else 1
    networks = GPU_NETWORKS if workload.networks > 1 else 1
    return replace(workload, epochs=workload.epochs * epochs, networks=networks)


def _threads(own: str, n: int) -> str:
    return f"{own} {n}"


def _contestants(workload: Workload, gpu: bool) -> tuple[tuple[str, ...], dict[str, float | None]]:
    """Return our back ends, and each peer with how many times faster they have to be."""
    if not gpu:
        return OURS, dict.fromkeys(workload.peers) | workload.at_least
    if workload.networks > 1:
        return (*OURS, "numba-cuda"), dict.fromkeys(GPU_PEERS)
    return ("numba-cuda",), dict.fromkeys(GPU_PEERS, 1)


def alternate(
    row: Row, peers: dict[str, Peer], workload: Workload, rounds: int, quick: bool = False
) -> None:
    """Take down the rounds of each peer, first in one order and then in the other; ends the peers.

    Who is not there, or fails, is left out and named.
    """
    least = 0.0 if quick else ROUND_SECONDS
    scales = {}
    try:
        for name, peer in peers.items():
            part = workload
            if (epochs := LESS.get((workload.name, peer.name))) and epochs < workload.epochs:
                part = replace(workload, epochs=epochs)
                row.notes.append(
                    f"{name} was timed on {epochs:,} epochs; the time of {workload.epochs:,} is "
                    "worked out from that, and its result is an earlier one."
                )
            scales[name] = workload.epochs / part.epochs
            try:
                row.versions |= peer.prepare(part)["versions"]
                peer.run()  # compiles, fills caches
                row.runs[name] = []
            except Missing as reason:
                row.missing[name] = str(reason)
            except RuntimeError as error:
                row.failed[name] = str(error).strip().splitlines()[-1]
            if name not in row.runs:
                peer.close()
        for number in range(rounds):
            names = list(row.runs)
            for name in names if number % 2 == 0 else reversed(names):
                try:
                    run = peers[name].run(least)
                except RuntimeError as error:
                    row.failed[name] = str(error).strip().splitlines()[-1]
                    del row.runs[name]
                    continue
                scaled = {kind: run[kind] * scales[name] for kind in ("seconds", "cpu")}
                row.runs[name].append(run | scaled)
    finally:
        for peer in peers.values():
            peer.close()
