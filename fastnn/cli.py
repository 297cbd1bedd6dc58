"""The command line: fastnn train, compare, course, playground, export, and so on."""

import time
from pathlib import Path
from typing import Any

import click

from . import backends
from .backends.codes import ACTIVATIONS
from .course.commands import course
from .export.commands import export_command
from .options import (
    SEED,
    Program,
    above_0,
    backend_option,
    check_environment,
    make_folder,
    naming,
    out_option,
    to_json,
)
from .playground.commands import playground
from .progress import write_line
from .show import show

DATASETS = ("xor", "digits", "mnist", "fashion-mnist")
HIDDEN = ", ".join(row.name for row in ACTIVATIONS if not row.output_only)
MINUTES = click.FloatRange(0, min_open=True)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="fastnn")
def main() -> None:
    """Train small neural networks at the speed of the machine."""


@main.command("backends")
def show_backends() -> None:
    """List the back ends, and say why one is missing."""
    try:
        current = backends.get_backend()
    except (ValueError, RuntimeError):
        current = ""
    for name, reason in backends.available_backends().items():
        mark = "*" if name == current else " "
        click.echo(f"{mark} {name:<10} {'available' if reason is None else 'missing: ' + reason}")
    check_environment()


def _parse_hidden(context: Any, parameter: Any, value: str | None) -> tuple[int, ...] | None:
    if value is None:
        return None
    try:
        return tuple(int(size) for size in value.split(",") if size.strip())
    except ValueError:
        raise click.BadParameter("expected integers separated by commas, such as 512,128") from None


@main.command()
@click.argument("dataset", type=click.Choice(DATASETS))
@click.option("--recipe", help="laptop (mnist, fashion-mnist) or deep-big-simple (mnist).")
@backend_option("cython, numba, python or numba-cuda.  [default: the fastest]")
@click.option(
    "--minutes", type=MINUTES, callback=above_0, help="Begin no epoch later; laptop: end by then."
)
@click.option("--epochs", type=click.IntRange(1), help="Epochs to train.")
@click.option("--batch-size", type=click.IntRange(1), help="Samples per step.")
@click.option("--lr", type=float, help="Learning rate.")
@click.option("--hidden", callback=_parse_hidden, help="Hidden layer sizes, such as 512,128.")
@click.option("--activation", help=f"Of the hidden layers: {HIDDEN}.")
@click.option("--dropout", type=float, help="Fraction of hidden outputs dropped.")
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--dtype", type=click.Choice(["float32", "float64"]), help="Of the arithmetic.")
@click.option("--threads", type=click.IntRange(1), help="Threads at most.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.option("--mpi", is_flag=True, help="One of several: mpiexec -n 4 fastnn train mnist --mpi.")
def train(dataset: str, recipe: str | None, as_json: bool, mpi: bool, **options: Any) -> None:
    """Train the course's network on a data set; options change its defaults."""
    begin = time.perf_counter()
    from .mpi.command import one_of_several
    from .recipe_runs import OPTIONS, train_recipe
    from .recipes import RECIPES, SPECIAL_RECIPES

    chosen = RECIPES[dataset] if recipe is None else SPECIAL_RECIPES.get(recipe, {}).get(dataset)
    if chosen is None:
        known = ", ".join(
            f"{name} (for {' or '.join(recipes)})" for name, recipes in SPECIAL_RECIPES.items()
        )
        raise click.BadParameter(
            f"{recipe!r} for {dataset}; expected {known}", param_hint="'--recipe'"
        )
    options_of = {name: f"--{option.replace('_', '-')}" for option, name in OPTIONS.items()}
    with one_of_several(mpi) as communicator, naming(options_of):
        show = None if as_json else _show_test_error
        result = train_recipe(chosen, show=show, communicator=communicator, **options)
    if mpi and communicator.Get_rank() > 0:
        return
    if as_json:
        click.echo(to_json(result))
        return
    click.echo(f"{dataset}: {result['network']} on {result['backend']}, {result['epochs']} epochs")
    click.echo(f"loss              {result['loss']:.6g}")
    click.echo(f"accuracy          {result['accuracy']:.4f}")
    if "test_accuracy" in result:
        click.echo(f"test loss         {result['test_loss']:.6g}")
        click.echo(f"test accuracy     {result['test_accuracy']:.4f}")
    else:
        for row, (inputs, output, label) in enumerate(
            zip(result["inputs"], result["outputs"], result["classes"], strict=True)
        ):
            click.echo(f"sample {row}: {inputs} -> {output:.6f} -> class {label}")
    click.echo(f"seconds per epoch {result['seconds_per_epoch']:.3g}")
    seconds = time.perf_counter() - begin
    rest = seconds - result["seconds"]
    click.echo(f"seconds besides   {rest:.3g} (imports, compilation, data, evaluation)")
    click.echo(f"seconds in all    {seconds:.3g}")
    following = "course run" if dataset == "fashion-mnist" else "compare"
    click.echo(f"next: fastnn {following} {dataset}")


def _show_test_error(epoch: int, seconds: float, loss: float, wrong: float) -> None:
    write_line(f"epoch {epoch:3} {seconds:8.1f} s  loss {loss:.5f}  test error {wrong:.2%}")


@main.command()
@click.argument("dataset", type=click.Choice(DATASETS[:3]))
@click.option("--seed", type=SEED, default=0, show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Threads at most.  [default: all]")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def compare(dataset: str, seed: int, threads: int | None, as_json: bool) -> None:
    """Run the same training on every available back end and compare results and speed."""
    from .recipe_runs import compare_backends
    from .recipes import RECIPES

    check_environment()
    show = None if as_json else _show_comparison
    result = compare_backends(RECIPES[dataset], seed, threads, show)
    if as_json:
        click.echo(to_json(result))


def _show_comparison(result: dict[str, Any]) -> None:
    """Print the row of the last back end; above the first one, what is compared."""
    if len(result["backends"]) == 1:
        click.echo(
            f"{result['dataset']}: {result['samples']} samples, {result['epochs']} epochs, "
            f"{result['dtype']}"
        )
        if result["note"]:
            click.echo(result["note"])
        click.echo(
            f"{'back end':<10}{'loss':>12}{'accuracy':>10}{'seconds':>11}{'speed':>11}"
            f"{'max. relative difference':>27}"
        )
    name, row = list(result["backends"].items())[-1]
    click.echo(
        f"{name:<10}{row['loss']:>12.6g}{row['accuracy']:>10.4f}{row['seconds']:>11.4g}"
        f"{row['speed']:>10.1f}x{row['max_relative_difference']:>27.2g}"
    )


@main.command()
@click.argument("workloads", nargs=-1, metavar="[WORKLOAD]...")
@click.option("--quick", is_flag=True, help="Little work and few rounds: a check, no figures.")
@click.option("--paired", is_flag=True, help="Alternate with the best peers, for ratios.")
@click.option("--pinned", is_flag=True, help="The same, each on one processor: CPU seconds count.")
@click.option("--gpu", is_flag=True, help="The paired comparison on a GPU.")
@out_option("out/bench", "Folder of the report.")
@click.option(
    "--threads", type=click.IntRange(1), default=2, show_default=True, help="Of each contestant."
)
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="If paired.")
def bench(
    workloads: tuple[str, ...],
    quick: bool,
    paired: bool,
    pinned: bool,
    gpu: bool,
    out: Path,
    threads: int,
    rounds: int,
) -> None:
    """Time every back end and peer, each proven right first; write a report and pictures.

    With names of workloads, such as xor, only those whose names contain them; of the paired
    comparison all that begin alike: narrow stands for narrow-8, narrow-30 and so on.
    """
    from .bench import run

    check_environment()
    if gpu and pinned:
        raise click.UsageError("--gpu and --pinned exclude each other: a GPU is no processor")
    paired = paired or pinned or gpu
    with naming({"workload": "WORKLOAD"}):
        run.check_workloads(workloads, paired, gpu)
    out = make_folder(out)
    chosen: dict[str, Any] = {"quick": quick, "n_threads": threads, "workloads": workloads}
    if paired:
        status = run.run_paired(out, **chosen, rounds=rounds, gpu=gpu, pinned=pinned)
    else:
        status = run.run_suite(out, **chosen)
    report = out / ("paired.md" if paired else "report.md")
    if report.is_file():
        click.echo(f"report: {report}")
    if status:
        raise click.exceptions.Exit(status)


main.add_command(course)
main.add_command(show)
main.add_command(playground)
main.add_command(export_command)


if __name__ == "__main__":
    main()
