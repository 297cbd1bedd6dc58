"""Compare fastnn with its peers: python -m bench.peers [--rounds 5] [--threads 2] [WORKLOAD ...].

Each peer sits in a process of its own; the rounds alternate between them, so that a change in
the machine's speed meets all. Prints medians, and ratios with what was asked for.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

from ..workloads import WORKLOADS

OURS = ("fastnn-cython", "fastnn-numba")
PEERS = ("jax", "pytorch", "keras", "sklearn", "numpy", "c")


class Peer:
    """A peer's process."""

    def __init__(self, name, workload, n_threads):
        self.name, self.seconds, self.loss = name, [], None
        environment = dict(os.environ, OMP_NUM_THREADS=str(n_threads))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.peers.worker", name, workload, str(n_threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.missing = self._answer().get("missing")

    def run(self):
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.seconds.append(answer["seconds"])
        self.loss = answer["loss"]

    def close(self):
        self._process.stdin.close()
        self._process.wait()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} died")
        return json.loads(line)

    @property
    def median(self):
        return statistics.median(self.seconds)


def compare(name, rounds, n_threads):
    """Time a workload and print its table."""
    workload = WORKLOADS[name]
    wanted = [peer for peer in PEERS if peer in workload.at_least]
    peers = {}
    for peer in (*OURS, *wanted):
        started = Peer(peer, name, n_threads)
        if started.missing is None:
            peers[peer] = started
        else:
            print(f"{name}: {peer} skipped: {started.missing}")
            started.close()
    for _ in range(rounds):
        for peer in peers.values():
            peer.run()
    for peer in peers.values():
        peer.close()
    for peer, found in peers.items():
        ratios = ""
        if peer not in OURS:
            parts = [f"{o[7:]} {found.median / peers[o].median:7.1f}x" for o in OURS if o in peers]
            worst = min(found.median / peers[o].median for o in OURS if o in peers)
            mark = "ok" if worst >= workload.at_least[peer] else "TOO SLOW"
            ratios = f"{'  '.join(parts)}   wanted {workload.at_least[peer]}x  {mark}"
        spread = f"{min(found.seconds):.4g}-{max(found.seconds):.4g}"
        print(
            f"{name:<13}{peer:<15}{found.median:>10.4g} s  ({spread})  result {found.loss:<10.4g}"
            f"{ratios}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("workloads", nargs="*", default=list(WORKLOADS), metavar="WORKLOAD")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for name in arguments.workloads:
        if name not in WORKLOADS:
            parser.error(f"no workload {name!r}; choose from {', '.join(WORKLOADS)}")
    for name in arguments.workloads:
        compare(name, arguments.rounds, arguments.threads)


if __name__ == "__main__":
    main()
