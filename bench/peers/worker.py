"""One peer in a process of its own: reads 'go', runs, answers with seconds and loss.

A short run is repeated and its median taken, so that one pause does not decide a round.
"""

import importlib
import json
import statistics
import sys
import time

from ..workloads import WORKLOADS

ROUND_SECONDS = 0.2  # a round lasts at least as long


def main():
    peer, name, n_threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
    workload = WORKLOADS[name]
    if peer.startswith("fastnn-"):
        from .with_fastnn import prepare

        run = prepare(workload, peer.removeprefix("fastnn-"), n_threads)
    else:
        try:
            run = importlib.import_module(f".with_{peer}", __package__).prepare(workload, n_threads)
        except ImportError as error:
            print(json.dumps({"missing": str(error)}), flush=True)
            return
    if run is None:
        print(json.dumps({"missing": ""}), flush=True)
        return
    run()  # compiles, fills caches
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        seconds = []
        while sum(seconds) < ROUND_SECONDS:
            begin = time.perf_counter()
            loss = run()
            seconds.append(time.perf_counter() - begin)
        print(json.dumps({"seconds": statistics.median(seconds), "loss": loss}), flush=True)


if __name__ == "__main__":
    main()
