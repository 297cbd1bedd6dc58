"""The option --mpi of the command line."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from .ranks import abort


@contextmanager
def one_of_several(wanted: bool) -> Iterator[Any]:
    """Yield the communicator of all processes that mpiexec has started; None if it is not wanted.

    Whatever is raised ends all of them: the others would wait for this one.

    Raises
    ------
    click.UsageError
        If mpi4py, or the MPI library that it needs, is not there.
    """
    if not wanted:
        yield None
        return
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        raise click.UsageError(f"--mpi: {error}; pip install 'fastnn[mpi]'") from None
    try:
        yield MPI.COMM_WORLD
    except BaseException as error:
        if MPI.COMM_WORLD.Get_size() == 1:
            raise
        if isinstance(error, click.ClickException):
            error.show()
        elif isinstance(error, (MemoryError, OSError, RuntimeError, ValueError)):
            click.echo(f"Error: {error}", err=True)
        else:
            traceback.print_exc()
        abort(MPI.COMM_WORLD)
        raise
