"""What the commands share: one message for an error or Ctrl-C, options checked before any work."""

import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from . import backends
from .parameters import ABOVE_0, check_real
from .progress import is_watched

INTERRUPTED = 130  # the exit status of what SIGINT ended: 128 + 2
SEED = click.IntRange(0, 2**64 - 1)


class Program(click.Group):
    """Commands that end with one line, and no traceback, on an error and on Ctrl-C."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command; a pipe that is closed is left to click, which ends quietly."""
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                result = super().invoke(context)
                sys.stdout.flush()  # here a closed pipe is heard of, at exit it is too late
            return result
        except KeyboardInterrupt as interrupt:
            begin = "\n" if is_watched() else ""  # the terminal has written ^C
            click.echo(" ".join([f"{begin}interrupted", *map(str, interrupt.args)]), err=True)
            raise click.exceptions.Exit(INTERRUPTED) from None
        except (BrokenPipeError, click.exceptions.Exit, click.Abort):
            raise
        except (ImportError, MemoryError, OSError, RuntimeError, ValueError) as error:
            raise click.ClickException(str(error) or repr(error)) from None


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    click.echo(f"Warning: {message}", err=True)


def choose_backend(_: Any, parameter: click.Parameter, name: str | None) -> None:
    """Make a back end the default, or see that there is one: the callback of --backend."""
    try:
        if name is None:
            backends.get_backend()
        else:
            backends.set_backend(name)
    except (ValueError, RuntimeError) as error:
        if name is None:  # what the environment says
            raise click.UsageError(str(error)) from None
        message = str(error).removeprefix("name: ")
        raise click.BadParameter(message, param=parameter) from None


def backend_option(help_text: str) -> Callable:
    """Return the option --backend, which needs no variable."""
    return click.option("--backend", callback=choose_backend, expose_value=False, help=help_text)


def check_environment() -> None:
    """Refuse a wrong FASTNN_BACKEND also where no back end is chosen; UsageError."""
    try:
        backends.get_backend()
    except (ValueError, RuntimeError) as error:
        raise click.UsageError(str(error)) from None


def above_0(_: Any, parameter: click.Parameter, value: float | None) -> float | None:
    """Return a number; click's ranges let NaN and infinity pass."""
    try:
        return None if value is None else check_real(parameter.name or "", value, ABOVE_0)
    except ValueError as error:
        raise click.BadParameter(str(error), param=parameter) from None


@contextmanager
def naming(hints: Mapping[str, str]) -> Iterator[None]:
    """Turn an error on an argument into a usage error of the option that sets it.

    Parameters
    ----------
    hints : mapping of names, with which errors begin, to options
    """
    try:
        yield
    except (ValueError, MemoryError) as error:
        for name, hint in hints.items():
            if str(error).startswith((f"{name}=", f"{name}:")):
                raise click.BadParameter(str(error), param_hint=f"'{hint}'") from None
        raise


def out_option(default: str, help_text: str) -> Callable:
    """Return the option --out, a folder."""
    folder = click.Path(file_okay=False, path_type=Path)
    return click.option("--out", type=folder, default=default, show_default=True, help=help_text)


def make_folder(path: Path) -> Path:
    """Make the folder of --out; UsageError if nothing can be written there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return path
    except OSError as error:
        message = f"cannot write to {str(path)!r}: {error.strerror}"
        raise click.BadParameter(message, param_hint="'--out'") from None


def to_json(value: Any) -> str:
    """Return JSON as RFC 8259 has it: without NaN and infinity, which become null."""
    return json.dumps(_finite(value), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
