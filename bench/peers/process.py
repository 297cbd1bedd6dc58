"""A peer in a process of its own, so that no two thread pools or allocators meet."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import asdict

from ..workloads import Workload

PACKAGE = "fastnn.bench"  # where `pip install` puts this folder
ON_GPU = "FASTNN_BENCH_GPU"  # set in a peer's environment if it is to use the GPU


class Missing(Exception):
    """A peer is not installed, or does not have this task."""


class Peer:
    """A worker process; it holds one prepared workload at a time.

    Parameters
    ----------
    name : str
        A back end of fastnn, or the `name` of a module `with_<name>`.
    environment : dict
        Additional environment variables.
    """

    def __init__(self, name: str, n_threads: int, environment: dict | None = None):
        self.name, self.n_threads = name, n_threads
        self._process = subprocess.Popen(
            # -P: what is installed must do, not the sources in the current folder
            [sys.executable, "-P", "-m", f"{PACKAGE}.peers.worker", name, str(n_threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(n_threads), **(environment or {})},
            process_group=0,  # Ctrl-C is for whoever started it, who closes it
        )

    def prepare(self, workload: Workload) -> dict:
        """Load data and network; return the peer's versions; `Missing` if it cannot."""
        answer = self._ask(prepare=asdict(workload))
        if "missing" in answer:
            raise Missing(answer["missing"])
        return answer

    def run(self, least_seconds: float = 0.0) -> dict:
        """Run at least once and as long; return the median seconds, CPU seconds, last result."""
        return self._ask(run=least_seconds)

    def close(self) -> None:
        """End the process, also in the midst of its work."""
        if self._process.stdin.closed:
            return
        self._process.terminate()
        with contextlib.suppress(BrokenPipeError):  # it ended before it had read all
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, **question) -> dict:
        try:
            print(json.dumps(question), file=self._process.stdin, flush=True)
        except BrokenPipeError:
            line = ""
        else:
            line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of {self.name} died")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {answer['error']}")
        return answer
