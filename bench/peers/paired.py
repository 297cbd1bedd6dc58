"""fastnn against its peers in alternating rounds, so that a change in the machine meets all."""

import statistics

from ..workloads import WORKLOADS
from .process import Missing, Peer

OURS = ("cython", "numba")
ROUND_SECONDS = 0.2  # a round lasts at least as long


def compare(name: str, rounds: int, n_threads: int) -> list[str]:
    """Time a workload; return the lines of its table: medians, and ratios with those wanted."""
    workload = WORKLOADS[name]
    lines, peers = [], {}
    for peer in (*OURS, *workload.at_least):
        process = Peer(peer, n_threads)
        try:
            process.prepare(workload)
            process.run()  # compiles, fills caches
            peers[peer] = process
        except Missing as reason:
            lines.append(f"{name:<13}{peer:<9} skipped: {reason}")
            process.close()
    found = {peer: [] for peer in peers}
    for _ in range(rounds):
        for peer, process in peers.items():
            found[peer].append(process.run(ROUND_SECONDS))
    for process in peers.values():
        process.close()
    seconds = {peer: [run["seconds"] for run in runs] for peer, runs in found.items()}
    medians = {peer: statistics.median(values) for peer, values in seconds.items()}
    for peer, values in seconds.items():
        line = (
            f"{name:<13}{peer:<9}{medians[peer]:>10.4g} s  ({min(values):.4g}-{max(values):.4g})  "
            f"result {found[peer][-1]['result']:<10.4g}"
        )
        if peer not in OURS:
            ratios = {ours: medians[peer] / medians[ours] for ours in OURS if ours in medians}
            wanted = workload.at_least[peer]
            mark = "ok" if min(ratios.values()) >= wanted else "TOO SLOW"
            parts = "  ".join(f"{ours} {ratio:7.1f}x" for ours, ratio in ratios.items())
            line += f"{parts}   wanted {wanted}x  {mark}"
        lines.append(line)
    return lines
