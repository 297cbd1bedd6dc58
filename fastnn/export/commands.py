"""The command line of exports: fastnn export MODEL --to FORMAT OUT."""

import importlib
import inspect
from pathlib import Path
from typing import Any

import click
import numpy as np

from ..options import SEED, check_environment, to_json
from . import FORMATS

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command("export")
@click.argument("model", type=_FILE)
@click.option("--to", "form", type=click.Choice(list(FORMATS)), required=True, help="The format.")
@click.argument("out", type=_FILE)
@click.option(
    "--samples",
    type=_FILE,
    help="On which the file is compared with the model: X in .npy, or X and y in .npz.  "
    "[default: some are drawn]",
)
@click.option(
    "--input-dtype",
    type=click.Choice(["uint8", "float32", "float64"]),
    help="Of what the file is given.  [default: uint8 if the samples are, else the network's]",
)
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64", "int8"]),
    help="Of the arithmetic, in C.  [default: the network's]",
)
@click.option("--tolerance", type=float, help="The largest difference from the model.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of samples that are drawn.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def export_command(
    model: Path, form: str, out: Path, samples: Path | None, as_json: bool, **options: Any
) -> None:
    """Write a saved MODEL in another format to OUT, once it is seen to give the same."""
    from ..persistence import load

    check_environment()
    write = getattr(importlib.import_module(__package__ or ""), FORMATS[form].function)
    known = inspect.signature(write).parameters
    if samples is not None:
        options |= _samples(samples)
        if "targets" not in known:
            options.pop("targets", None)
    for name, value in options.items():
        if value is not None and name not in known:
            option = f"--{name.replace('_', '-')}"
            raise click.BadParameter(f"--to {form} has no such choice", param_hint=f"'{option}'")
    given = {name: value for name, value in options.items() if value is not None}
    if given.get("dtype") == "int8" and samples is None:
        raise click.UsageError("--dtype int8 needs --samples FILE, to see what is usual")
    try:
        written = write(load(model), out, **given)
    except FileExistsError:
        raise click.UsageError(f"{out}: the file is there; --overwrite replaces it") from None
    if as_json:
        click.echo(to_json(written._asdict() | {"path": str(written.path)}))
        return
    click.echo(f"{written.path}: {written.n_bytes:,} bytes")
    kind = "drawn samples" if samples is None else "samples"
    click.echo(f"largest difference from the model, on {written.n_samples} {kind}: ", nl=False)
    click.echo(f"{written.difference:.3g}")
    for name, value in written.details.items():
        click.echo(f"{name.replace('_', ' ')}: {value}")


def _samples(path: Path) -> dict[str, Any]:
    """Return what a file holds, X in .npy or X and y in .npz; UsageError if it is another."""
    try:
        with open(path, "rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"samples": found}
            if set(found.files) <= {"X", "y"} and "X" in found.files:
                arrays = {name: found[name] for name in found.files}
                return {"samples": arrays["X"], "targets": arrays.get("y")}
            message = f"it holds {', '.join(found.files)}; expected X, or X and y"
    except (OSError, ValueError, EOFError) as error:
        message = str(error)
    raise click.BadParameter(f"{path}: {message}", param_hint="'--samples'")
