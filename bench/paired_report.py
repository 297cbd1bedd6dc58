"""The paired comparison in words: lines as rows are done, and a report of all of them."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from . import words
from .peers.paired import LEAST_ROUNDS, Pair, Row

KINDS = {"seconds": "by the clock", "cpu": "CPU"}


@dataclass(frozen=True)
class Setting:
    """How it was measured."""

    date: str
    machine: str
    rounds: int
    n_threads: int
    pinned: bool = False
    quick: bool = False


def verdict(row: Row, pair: Pair, pinned: bool) -> str:
    """Return whether a demand is met, "" if there is none or too little was measured."""
    ratios = row.ratios(pair, "cpu" if pinned else "seconds")
    if ratios is None or pair.wanted is None:
        return ""
    return "ok" if statistics.median(ratios) >= pair.wanted else "TOO SLOW"


def ratio(row: Row, pair: Pair, kind: str) -> str:
    """Return how many times faster the second of a pair is, "" if too little was measured."""
    ratios = row.ratios(pair, kind)
    if ratios is None:
        return ""
    median = statistics.median(ratios)
    if pair.slower == "sgemm":
        return f"{median:.0%} of sgemm's rate"
    return f"{median:.3g}x ({min(ratios):.3g}-{max(ratios):.3g})"


def row_lines(row: Row, pinned: bool = False) -> list[str]:
    """Return what a terminal shows of a row."""
    if row.left_out:
        return [f"{row.name}: left out: {row.left_out}", ""]
    lines = [f"{row.name}: {row.what}"]
    for name, runs in row.runs.items():
        values = [run["seconds"] for run in runs]
        lines.append(
            f"  {name:<14}{row.median(name):>10.4g} s  ({min(values):.4g}-{max(values):.4g})"
            f"  CPU {row.median(name, 'cpu'):>8.4g} s  result {runs[-1]['result']:.4g}"
        )
    for pair in row.pairs:
        if found := ratio(row, pair, "seconds"):
            line = f"  {pair.faster} against {pair.slower}: {found}, CPU {ratio(row, pair, 'cpu')}"
            if mark := verdict(row, pair, pinned):
                line += f"; wanted {pair.wanted:g}x: {mark}"
            lines.append(line)
    lines += [f"  {name:<14}left out: {reason}" for name, reason in row.missing.items()]
    lines += [f"  {name:<14}FAILED: {error}" for name, error in row.failed.items()]
    return [*lines, *(f"  {note}" for note in row.notes), ""]


def left_out(rows: Sequence[Row]) -> list[str]:
    """Return a line for whatever was left out or failed; rows that share a reason share a line."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row.left_out:
            found.setdefault(("", f"left out: {row.left_out}"), []).append(row.name)
        for name, reason in row.missing.items():
            found.setdefault((name, f"left out: {reason}"), []).append(row.name)
        for name, error in row.failed.items():
            found.setdefault((name, f"FAILED: {error}"), []).append(row.name)
    return [
        f"- {f'{name} in ' if name else ''}{', '.join(names)}: {reason}"
        for (name, reason), names in found.items()
    ]


def report(rows: Sequence[Row], setting: Setting) -> str:
    """Return the report in Markdown."""
    versions = {name: version for row in rows for name, version in row.versions.items()}
    lines = ["# fastnn against its peers, in turns", "", *introduction(setting)]
    if versions:
        lines += ["", ", ".join(f"{name} {v}" for name, v in sorted(versions.items())) + "."]
    if any(words.SMALL_MNIST in row.notes for row in rows):
        lines += ["", f"**{words.SMALL_MNIST}**"]
    lines += ["", "## Which back end", "", *words.choosing(_numba_to_cython(rows, setting))]
    for row in rows:
        if not row.left_out:
            lines += ["", f"## {row.name}", "", *section(row, setting)]
    lines += ["", "## Who takes part", "", *words.who([n for row in rows for n in row.runs])]
    if missing := left_out(rows):
        lines += ["", "## Left out", "", *missing]
    return "\n".join(lines) + "\n"


def introduction(setting: Setting) -> list[str]:
    """Return how it was measured, and how the tables are to be read."""
    where = f"{setting.n_threads} threads each"
    if setting.pinned:
        where = "one thread each, each process kept on one processor"
    lines = [f"{setting.date}; {setting.machine}; {where}.", ""]
    if setting.quick:
        return [*lines, f"**{words.QUICK}**"]
    lines.append(
        "All do the same training, each in a process of its own, in turns: "
        f"{setting.rounds} rounds, every second one backwards. "
        'Times are medians. "By the clock" is what one waits; CPU is '
        "what processors worked, all threads together: by the clock other programs count, in CPU "
        'seconds hardly. "2x" means that fastnn\'s back end takes half the time: the median of '
        "the rounds' ratios, in brackets the lowest and the highest."
    )
    if setting.rounds < LEAST_ROUNDS:
        lines += ["", f"**Fewer than {LEAST_ROUNDS} rounds carry no ratio: there are none.**"]
    return lines


def section(row: Row, setting: Setting) -> list[str]:
    """Return the text and the tables of a row."""
    lines = [f"{row.about} {row.what[:1].upper()}{row.what[1:]}.", ""]
    lines += ["| | s by the clock | lowest to highest | CPU s | result |", "|---|---|---|---|---|"]
    for name in sorted(row.runs, key=row.median):
        values = [run["seconds"] for run in row.runs[name]]
        cells = [name, f"{row.median(name):.4g}", f"{min(values):.4g} to {max(values):.4g}"]
        cells += [f"{row.median(name, 'cpu'):.4g}", f"{row.runs[name][-1]['result']:.4g}"]
        lines.append(f"| {' | '.join(cells)} |")
    pairs = [pair for pair in row.pairs if ratio(row, pair, "seconds")]
    if pairs:
        lines += ["", "| | against | by the clock | CPU | wanted |", "|---|---|---|---|---|"]
    for pair in pairs:
        wanted = f"{pair.wanted:g}x: {verdict(row, pair, setting.pinned)}" if pair.wanted else ""
        cells = [pair.faster, pair.slower, *(ratio(row, pair, kind) for kind in KINDS), wanted]
        lines.append(f"| {' | '.join(cells)} |")
    return lines + [line for note in row.notes for line in ("", note)]


def _numba_to_cython(rows: Sequence[Row], setting: Setting) -> dict[str, float]:
    """Return Numba's time by Cython's, row by row; 1 where the rounds disagree who is faster."""
    kind = "cpu" if setting.pinned else "seconds"
    found = {row.name: row.ratios(Pair("numba", "cython"), kind) for row in rows}
    return {
        name: 1.0 if min(ratios) < 1 < max(ratios) else statistics.median(ratios)
        for name, ratios in found.items()
        if ratios
    }
