"""From pytest-benchmark's JSON to report.md and two pictures."""

import json
from pathlib import Path

from . import words

SCALINGS = ("hidden units", "batch size")
OURS = ("python", "cython", "numba", "numba-cuda")
COLORS = {
    **{"python": "#7f7f7f", "cython": "#d62728", "numba": "#ff7f0e"},
    **{"numba-cuda": "#bcbd22", "numpy": "#17becf"},
    **{"sklearn": "#2ca02c", "keras": "#9467bd", "tf-function": "#c5b0d5", "tf-xla": "#8c564b"},
    **{"pytorch": "#1f77b4", "jax": "#e377c2", "c": "#000000"},
    **{"fann": "#aec7e8", "kann": "#98df8a", "sgemm": "#dddddd"},
}
NO_TRAINING = ("sgemm",)  # only what is in one


def write_report(raw: Path, out: Path) -> None:
    """Write report.md, speed.png and scaling.png from the benchmark's JSON.

    Raises
    ------
    ValueError
        If the file is not pytest-benchmark's.
    """
    try:
        content = json.loads(raw.read_text())
        benchmarks = content["benchmarks"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{raw}: not the JSON of pytest-benchmark: {error!r}") from None
    rows = [row_of(benchmark) for benchmark in benchmarks if "peer" in benchmark["extra_info"]]
    (out / "report.md").write_text(report(rows, content))
    if any(row.get("quick") for row in rows):
        return  # pictures of nothing
    speed_picture([row for row in rows if not row["scaling"]], out / "speed.png")
    scaling_picture([row for row in rows if row["scaling"]], out / "scaling.png")


def row_of(benchmark: dict) -> dict:
    """Return what the tables show of a benchmark: microseconds per sample and epoch."""
    info, stats = benchmark["extra_info"], benchmark["stats"]
    scale = 1e6 / info["sample_epochs"]
    return {
        "group": benchmark["group"],
        **{name: stats[name] * scale for name in ("median", "min", "max")},
        "rounds": stats["rounds"],
        "scaling": info.get("scaling"),
        **info,
    }


def groups_of(rows: list[dict]) -> dict[str, list[dict]]:
    """Return the rows of each group, the fastest first."""
    groups: dict[str, list[dict]] = {}
    for row in sorted(rows, key=lambda row: row["median"]):
        groups.setdefault(row["group"], []).append(row)
    return groups


def digits(value: float) -> str:
    """Return three significant digits, and all digits of a large number."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def ratio(row: dict, peers: list[str], group: list[dict]) -> str:
    """Return how many times faster a row is than the fastest of some peers."""
    medians = [other["median"] for other in group if other["peer"] in peers]
    return digits(min(medians) / row["median"]) if medians else ""


def report(rows: list[dict], content: dict) -> str:
    """Return the report: the machine, a summary, a table per group."""
    info = next((row for row in rows if "cpu" in row), {})
    versions = {name: v for row in rows for name, v in row.get("versions", {}).items()}
    training = [row for row in rows if not row["scaling"] and row["group"] != "first call"]
    lines = [
        "# fastnn's benchmarks",
        "",
        f"{content['datetime'][:10]}, {info.get('cpu', '')}, {info.get('threads', '')} threads; "
        + ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        + ".",
        "",
        "Microseconds per sample and epoch, medians; every result was proven right first.",
    ]
    if any(row.get("small_mnist") for row in rows):
        lines += ["", f"**{words.SMALL_MNIST}**"]
    quick = any(row.get("quick") for row in rows)
    lines += ["", f"**{words.QUICK}**"] if quick else ["", *summary(training)]
    lines += ["", "## Which back end", "", *words.choosing({} if quick else comparison(training))]
    for group, found in groups_of(training).items():
        lines += ["", f"## {group}", ""]
        if about := found[0].get("about"):
            lines += [f"{about} {found[0]['what'].split(', ')[0]}.", ""]
        lines += table(found, quick)
    first = [row for row in rows if row["group"] == "first call"]
    if first:
        lines += ["", "## First call", "", "Seconds, with whatever is compiled then.", ""]
        lines += ["| | s |", "|---|---|"]
        lines += [f"| {row['peer']} | {row['median'] / 1e6:.3g} |" for row in first]
    for scaling in () if quick else SCALINGS:
        lines += pivot([row for row in rows if row["scaling"] == scaling], scaling)
    lines += ["", "## Who takes part", "", *words.who([row["peer"] for row in rows])]
    return "\n".join(lines) + "\n"


def comparison(rows: list[dict]) -> dict[str, float]:
    """Return Numba's time by Cython's, group by group."""
    found = {}
    for group, members in groups_of(rows).items():
        median = {row["peer"]: row["median"] for row in members}
        if "cython" in median and "numba" in median:
            found[group] = median["numba"] / median["cython"]
    return found


def summary(rows: list[dict]) -> list[str]:
    """Return one table of all groups: how many times faster than each peer Cython is."""
    found = {row["peer"] for row in rows} - set(NO_TRAINING)
    peers = [peer for peer in COLORS if peer in found]
    lines = [
        "| Cython is faster than | " + " | ".join(peers) + " |",
        "|---" * (len(peers) + 1) + "|",
    ]
    for group, found in groups_of(rows).items():
        by_peer = {row["peer"]: row["median"] for row in found}
        if "cython" not in by_peer:
            continue
        cells = [
            digits(by_peer[peer] / by_peer["cython"]) + "x" if peer in by_peer else ""
            for peer in peers
        ]
        lines.append(f"| {group} | " + " | ".join(cells) + " |")
    return lines


def table(rows: list[dict], quick: bool = False) -> list[str]:
    """Return a group's table; of a quick run without what compares its rows."""
    peers = [row["peer"] for row in rows if row["peer"] not in (*OURS, *NO_TRAINING)]
    header = ["", "median, µs", "lowest to highest", "rounds", "samples of a run"]
    header += [] if quick else ["against python", "against the best peer"]
    header += ["GFLOP/s", "off plain Python"]
    sgemm = [] if quick else [row for row in rows if row["peer"] == "sgemm"]
    header += ["of sgemm's rate"] if sgemm else []
    lines = [f"|{' |'.join(f' {name}' if name else '' for name in header)} |"]
    lines.append("|---" * len(header) + "|")
    for row in rows:
        off = row["difference_from_python"]
        cells = [
            row["peer"],
            digits(row["median"]),
            f"{digits(row['min'])} to {digits(row['max'])}",
            f"{row['rounds']}",
            f"{row['sample_epochs']:,}",
            *([] if quick else [ratio(row, ["python"], rows), ratio(row, peers, rows)]),
            digits(row["gflops"]),
            "" if off is None else f"{off:.1g}",
            *(f"{other['median'] / row['median']:.0%}" for other in sgemm),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def pivot(rows: list[dict], name: str) -> list[str]:
    """Return the table of a scaling: a line per peer, a column per value, the best in bold."""
    if not rows:
        return []
    values = sorted({row["value"] for row in rows})
    best = {v: min(row["median"] for row in rows if row["value"] == v) for v in values}
    lines = ["", f"## {name.capitalize()}", "", "Microseconds per sample.", ""]
    lines += [
        f"| {name} | " + " | ".join(map(str, values)) + " |",
        "|---" * (len(values) + 1) + "|",
    ]
    for peer in COLORS:
        medians = {row["value"]: row["median"] for row in rows if row["peer"] == peer}
        if not medians:
            continue
        cells = []
        for value in values:
            cell = digits(medians[value]) if value in medians else ""
            cells.append(f"**{cell}**" if medians.get(value) == best[value] else cell)
        lines.append(f"| {peer} | " + " | ".join(cells) + " |")
    return lines


def speed_picture(rows: list[dict], path: Path) -> None:
    """Draw how many times faster than plain Python each row is, with its spread."""
    groups = {
        group: found
        for group, found in groups_of(rows).items()
        if any(row["peer"] == "python" for row in found)
    }
    if not groups:
        return
    plt = _pyplot()
    columns = 2
    lines = -(-len(groups) // columns)
    figure, axes = plt.subplots(
        lines, columns, figsize=(11, 2.6 * lines), layout="constrained", squeeze=False
    )
    for axis in axes.flat[len(groups) :]:
        axis.remove()
    for axis, (group, found) in zip(axes.flat, groups.items(), strict=False):
        python = next(row["median"] for row in found if row["peer"] == "python")
        found = found[::-1]
        speeds = [python / row["median"] for row in found]
        spread = [
            [s - python / row["max"] for s, row in zip(speeds, found, strict=True)],
            [python / row["min"] - s for s, row in zip(speeds, found, strict=True)],
        ]
        axis.barh(
            [row["peer"] for row in found],
            speeds,
            xerr=spread,
            color=[COLORS.get(row["peer"], "#bbbbbb") for row in found],
            capsize=2,
        )
        axis.set(xscale="log", title=group, xlabel="times as fast as plain Python")
        for index, speed in enumerate(speeds):
            axis.annotate(
                f"  {digits(speed)}x",
                (python / found[index]["min"], index),
                va="center",
                fontsize=8,
            )
        low, high = min(speeds), max(speeds)
        axis.set_xlim(low / 2, high * 15)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def scaling_picture(rows: list[dict], path: Path) -> None:
    """Draw the time per sample against hidden units and batch size, a line per peer."""
    names = [
        name for name in ("hidden units", "batch size") if any(r["scaling"] == name for r in rows)
    ]
    if not names:
        return
    plt = _pyplot()
    figure, axes = plt.subplots(
        1, len(names), figsize=(5.5 * len(names), 4.8), layout="constrained", squeeze=False
    )
    for axis, name in zip(axes.flat, names, strict=True):
        found = [row for row in rows if row["scaling"] == name]
        for peer, color in COLORS.items():
            points = sorted((r["value"], r["median"]) for r in found if r["peer"] == peer)
            if points:
                style = "-" if peer in OURS else "--"
                axis.plot(*zip(*points, strict=True), style, marker="o", color=color, label=peer)
        values = sorted({row["value"] for row in found})
        axis.set(xscale="log", yscale="log", xlabel=name, ylabel="µs per sample")
        axis.set_xticks(values, [str(value) for value in values])
        axis.minorticks_off()
        axis.grid(alpha=0.3)
    axes.flat[0].set_title("784-h-10, batches of 32")
    axes.flat[-1].set_title("784-128-10")
    axes.flat[-1].legend(fontsize=8, ncols=2)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _pyplot():
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    return pyplot
