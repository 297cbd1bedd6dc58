"""The process of a peer: reads questions from `Peer`, a line of JSON each, and answers them."""

import importlib
import json
import os
import statistics
import sys
import time
import traceback
from importlib import metadata

from threadpoolctl import threadpool_limits

from ..workloads import Workload

BACKENDS = ("cython", "numba", "python", "numba-cuda")
PACKAGES = {
    **{"cython": ("cython",), "numba": ("numba", "llvmlite"), "python": (), "numpy": ()},
    "numba-cuda": ("numba", "numba-cuda"),
    **{"sklearn": ("scikit-learn", "scipy"), "keras": ("tensorflow", "keras"), "c": ()},
    **{"tf-function": ("tensorflow",), "tf-xla": ("tensorflow",), "pytorch": ("torch",)},
    **{"torch-compile": ("torch",), "jax": ("jax", "jaxlib")},
    **{"fann": (), "kann": ("cynn",), "sgemm": ("scipy",)},
}


def main():
    peer, n_threads = sys.argv[1], int(sys.argv[2])
    limit_processors(n_threads)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints is no answer
    run = None
    for line in sys.stdin:
        question = json.loads(line)
        try:
            if "prepare" in question:
                run = load(peer, workload_of(question["prepare"]), n_threads)
                threadpool_limits(n_threads)
                answer = {"missing": "it does not do this"} if run is None else versions(peer)
            else:
                answer = measure(run, question["run"])
        except ImportError as error:
            answer = {"missing": str(error)}
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


def load(peer, workload, n_threads):
    if peer in BACKENDS:
        from fastnn import available_backends

        from .with_fastnn import prepare

        if (reason := available_backends()[peer]) is not None:
            raise ImportError(reason)
        return prepare(workload, peer, n_threads)
    module = importlib.import_module(f".with_{peer.replace('-', '_')}", __package__)
    return module.prepare(workload, n_threads)


def workload_of(fields):
    return Workload(**{**fields, "sizes": tuple(fields["sizes"])})


def limit_processors(n_threads):
    """Keep to n processors, for peers that ask the machine how many threads to start."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, allowed[:n_threads])


def versions(peer):
    names = ("numpy", *PACKAGES[peer])
    return {"versions": {name: metadata.version(name) for name in names if name != "cython"}}


def measure(run, least_seconds):
    """Run, again and again if it is short, so that one pause does not decide a round.

    Taken are seconds by the clock, and those that processors worked for all threads of the process.
    """
    seconds, cpu = [], []
    while not seconds or sum(seconds) < least_seconds:
        begin, worked = time.perf_counter(), time.process_time()
        result = run()
        seconds.append(time.perf_counter() - begin)
        cpu.append(time.process_time() - worked)
    median = statistics.median
    return {"seconds": median(seconds), "cpu": median(cpu), "result": result}


if __name__ == "__main__":
    main()
