"""One peer in a process of its own: reads 'go', runs once, answers with seconds and loss."""

import importlib
import json
import sys
import time

from ..workloads import WORKLOADS


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
        begin = time.perf_counter()
        loss = run()
        print(json.dumps({"seconds": time.perf_counter() - begin, "loss": loss}), flush=True)


if __name__ == "__main__":
    main()
