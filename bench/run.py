"""`fastnn bench`: the suite, its report and its pictures; or the paired comparison."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent


def run_suite(out: Path, *, quick: bool, n_threads: int, select: str | None) -> int:
    """Run the suite and write report.md, speed.png, scaling.png and benchmark.json to `out`.

    Returns
    -------
    int
        pytest's exit status: not 0 if a result was wrong.
    """
    from .report import write_report

    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        raw = Path(folder, "benchmark.json")
        command = [
            *(sys.executable, "-P", "-m", "pytest", str(FOLDER), "-p", "no:cacheprovider"),
            *("--import-mode=importlib", "--benchmark-only", f"--benchmark-json={raw}", "-q"),
            *("--benchmark-columns=median,iqr,rounds", f"--threads={n_threads}"),
            *(["--quick"] if quick else []),
            *(["-k", select] if select else []),
        ]
        status = subprocess.run(command, cwd=folder).returncode
        if raw.is_file() and raw.stat().st_size:
            os.replace(raw, out / "benchmark.json")
            write_report(out / "benchmark.json", out)
    return status


def run_paired(workloads: Sequence[str], rounds: int, n_threads: int, gpu: bool) -> None:
    """Print the table of the paired comparison, workload by workload."""
    from .peers.paired import GPU_WORKLOADS, compare, compare_threads
    from .workloads import WORKLOADS

    known = GPU_WORKLOADS if gpu else (*WORKLOADS, "threads")
    for name in workloads:
        if name not in known:
            raise ValueError(f"workload: there is no {name!r}; choose from {', '.join(known)}")
    for name in workloads or known:
        threads = name == "threads"
        lines = compare_threads(rounds) if threads else compare(name, rounds, n_threads, gpu)
        print("\n".join(lines), flush=True)
