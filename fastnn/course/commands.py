"""The command line of the course: fastnn course [run | report]."""

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
    """List the course's systems, run one, or make the page of all."""
    if context.invoked_subcommand is None:
        check_environment()
        words = texts(lang)
        for system in SYSTEMS:
            click.echo(f"{system.number} {system.name:<20} {words[system.name]['title']}")


@course.command()
@click.argument("system")
@backend_option("cython, numba or python.  [default: the fastest available]")
@click.option("--seed", type=SEED, default=0, show_default=True)
@out_option("out/course", "Folder of the pictures.")
@click.option("--show", is_flag=True, help="Open a window per picture.")
@click.option("--quick", is_flag=True, help="Fewer epochs, to see that it works.")
def run(system: str, seed: int, out: Path, show: bool, quick: bool) -> None:
    """Run a system by number or name, or all; pictures go to --out."""
    chosen = find(system)
    make_folder(out)
    words, begin = texts("en"), time.perf_counter()
    for one in chosen:
        if len(chosen) > 1:
            click.echo(f"\n=== {one.number} {words[one.name]['title']}")
        folder = out / f"{one.number}-{one.name}"
        one.run(Lesson(folder, seed=seed, quick=quick, show=show))
        if len(chosen) > 1:
            click.echo(f"--- the text has:\n{words[one.name]['expected']}")
    if len(chosen) > 1:
        seconds = time.perf_counter() - begin
        click.echo(f"\n{len(chosen)} systems on {backends.get_backend()}: {seconds:.1f} s")


@course.command()
@out_option("out/course", "Folder of the page.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@backend_option("The back end whose output is shown; all are timed.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--quick", is_flag=True, help="Fewer epochs, to see that it works.")
def report(out: Path, lang: str, seed: int, quick: bool) -> None:
    """Run everything and write one self-contained HTML page."""
    from .report import write_report

    click.echo(f"report: {write_report(make_folder(out), lang, seed, quick)}")
