"""The command line of the course: fastnn course [run | report | notebooks]."""

import time
from pathlib import Path

import click

from .. import backends
from ..options import SEED, backend_option, check_environment, make_folder, out_option
from . import LANGUAGES, SYSTEMS, find, texts
from .lesson import Lesson


@click.group(invoke_without_command=True)
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.pass_context
def course(context: click.Context, lang: str) -> None:
    """List the course's systems, run one, make the page of all, or notebooks."""
    context.default_map = {name: {"lang": lang} for name in course.commands}
    if context.invoked_subcommand is None:
        check_environment()
        words = texts(lang)
        for system in SYSTEMS:
            click.echo(f"{system.number} {system.name:<20} {words[system.name]['title']}")


@course.command()
@click.argument("system")
@backend_option("cython, numba, python or numba-cuda.  [default: the fastest]")
@click.option("--seed", type=SEED, default=0, show_default=True)
@out_option("out/course", "Folder of the pictures.")
@click.option("--show", is_flag=True, help="Open a window per picture.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--quick", is_flag=True, help="Fewer epochs, to see that it works.")
def run(system: str, seed: int, out: Path, show: bool, lang: str, quick: bool) -> None:
    """Run a system by number or name, or all; pictures go to --out."""
    chosen = find(system)
    make_folder(out)
    words, begin = texts(lang), time.perf_counter()
    report = words["report"]
    for one in chosen:
        if len(chosen) > 1:
            click.echo(f"\n=== {one.number} {words[one.name]['title']}")
        folder = out / f"{one.number}-{one.name}"
        one.run(Lesson(folder, seed=seed, quick=quick, show=show, language=lang))
        if len(chosen) > 1:
            click.echo(f"--- {report['expected'].lower()}:\n{words[one.name]['expected']}")
    if len(chosen) > 1:
        seconds = time.perf_counter() - begin
        took = report["took"].format(
            n=len(chosen), backend=backends.get_backend(), seconds=f"{seconds:.1f}"
        )
        click.echo(f"\n{took}")


@course.command()
@out_option("out/course", "Folder of the page.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@backend_option("The back end whose output is shown; all are timed.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--quick", is_flag=True, help="Fewer epochs, to see that it works.")
def report(out: Path, lang: str, seed: int, quick: bool) -> None:
    """Run everything, for some minutes, and write one self-contained HTML page."""
    from .report import write_report

    click.echo(f"report: {write_report(make_folder(out), lang, seed, quick)}")


@course.command()
@out_option("out/notebooks", "Folder of the notebooks.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@click.option("--quick", is_flag=True, help="Fewer epochs when they run, to see that it works.")
def notebooks(out: Path, lang: str, quick: bool) -> None:
    """Write every lesson as a Jupyter notebook."""
    from .notebooks import write_notebooks

    check_environment()
    for path in write_notebooks(make_folder(out), lang, quick):
        click.echo(path)
