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


def run_paired(workloads: Sequence[str], rounds: int, n_threads: int) -> None:
    """Print the table of the paired comparison, workload by workload."""
    from .peers.paired import compare
    from .workloads import WORKLOADS

    for name in workloads:
        if name not in WORKLOADS:
            raise ValueError(f"workload: no {name!r}; choose from {', '.join(WORKLOADS)}")
    for name in workloads or WORKLOADS:
        for line in compare(name, rounds, n_threads):
            print(line, flush=True)
