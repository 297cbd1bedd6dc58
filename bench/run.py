"""`fastnn bench`: the suite, its report and its pictures; or the paired comparison."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent
# What the suite times besides workloads: see test_compile.py and test_scaling.py.
OTHERS = ("first call", "hidden units", "batch size")


def check_workloads(names: Sequence[str], paired: bool, gpu: bool) -> None:
    """Raise ValueError unless there are workloads of these names.

    In the suite a part of a name will do, in the paired comparison what is before its hyphen.
    """
    known = _known(paired, gpu)
    for name in names:
        if paired or gpu:
            found = name in known or _group(name, known)
        else:
            found = name and any(name in other for other in known)
        if not found:
            raise ValueError(f"workload: there is no {name!r}; choose from {', '.join(known)}")


def _known(paired: bool, gpu: bool) -> tuple[str, ...]:
    if not (paired or gpu):
        from .test_speed import GROUPS

        return (*GROUPS, *OTHERS)
    from .peers.paired import GPU_WORKLOADS
    from .workloads import WORKLOADS

    return GPU_WORKLOADS if gpu else (*WORKLOADS, "threads")


def run_suite(out: Path, *, quick: bool, n_threads: int, workloads: Sequence[str]) -> int:
    """Run the suite and write report.md, speed.png, scaling.png and benchmark.json to `out`.

    Returns
    -------
    int
        pytest's exit status: not 0 if a result was wrong.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; what had been timed is in the report.
    """
    from .report import write_report

    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    select = " or ".join(f"({' and '.join(name.split())})" for name in workloads)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        raw = Path(folder, "benchmark.json")
        command = [
            *(sys.executable, "-P", "-m", "pytest", str(FOLDER), "-p", "no:cacheprovider"),
            *("--import-mode=importlib", "--benchmark-only", f"--benchmark-json={raw}", "-q"),
            *("--benchmark-columns=median,iqr,rounds", f"--threads={n_threads}"),
            *(["--quick"] if quick else []),
            *(["-k", select] if select else []),
        ]
        status = _run(command, folder)
        written = raw.is_file() and raw.stat().st_size > 0
        if written:
            os.replace(raw, out / "benchmark.json")
            write_report(out / "benchmark.json", out)
    if status is None:
        if written:
            raise KeyboardInterrupt(f"(what was timed is in {out / 'report.md'})")
        raise KeyboardInterrupt
    return status


def _run(command: list[str], folder: str) -> int | None:
    """Run pytest; return its exit status, or None after Ctrl-C, of which it hears by us alone.

    It then writes down what it has; a second Ctrl-C does not wait for that.
    """
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, process_group=0)
    before = signal.signal(signal.SIGTERM, _end)  # or pytest would outlive us
    try:
        while True:  # with a timeout: a signal that came to another thread is handled in between
            with contextlib.suppress(subprocess.TimeoutExpired):
                return process.wait(timeout=0.5)
    except KeyboardInterrupt:
        print("\ninterrupted; writing down what was timed", file=sys.stderr, flush=True)
        _interrupt(process)
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def _interrupt(process: subprocess.Popen) -> None:
    """Have a process end as Ctrl-C ends it; a compiler may take the first one for its own error."""
    for _ in range(3):
        process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
            return


def run_paired(
    out: Path,
    *,
    quick: bool,
    n_threads: int,
    workloads: Sequence[str],
    rounds: int,
    gpu: bool = False,
    pinned: bool = False,
) -> int:
    """Print the paired comparison, row by row, and write paired.md to `out`.

    Returns
    -------
    int
        1 if a peer that is installed failed, else 0.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; the rows that were done are in the report.
    """
    from . import words
    from .machine import machine
    from .paired_report import Setting, left_out, report, row_lines
    from .peers.paired import QUICK_ROUNDS, compare

    names = rows_named(workloads, gpu)
    rounds = QUICK_ROUNDS if quick else rounds
    today = time.strftime("%Y-%m-%d")
    setting = Setting(today, machine(), rounds, n_threads, pinned, quick)
    rows = []
    try:
        for name in names:
            row = compare(name, rounds, n_threads, gpu=gpu, pinned=pinned, quick=quick)
            rows.append(row)
            print("\n".join(row_lines(row, pinned)), flush=True)
    finally:
        if rows:
            (out / "paired.md").write_text(report(rows, setting))
    if missing := left_out(rows):
        print("\n".join(["What was left out:", *missing]))
    if quick:
        print(words.QUICK)
    return int(any(row.failed for row in rows))


def rows_named(names: Sequence[str], gpu: bool) -> list[str]:
    """Return the rows of the paired comparison: those named, those of a group, or all."""
    known = _known(True, gpu)
    if not names:
        return list(known)
    wanted = {row for name in names for row in ([name] if name in known else _group(name, known))}
    return [row for row in known if row in wanted]


def _group(name: str, known: Sequence[str]) -> list[str]:
    return [row for row in known if row.startswith(f"{name}-")]
