"""The processes of an MPI communicator, and what they tell each other."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..backends.shards import Node, total_of, whole_nodes

T = TypeVar("T")
MOST_BYTES = 2**30  # of a message
PASSING_ON = 0.2  # seconds that a launcher has for a rank's last words


class Ranks:
    """The processes that train together, numbered from 0.

    All of them have to call the same methods in the same order, but for `ending_all`.

    Parameters
    ----------
    communicator : mpi4py.MPI.Comm
        What is sent is kept apart from what others send on it.

    Raises
    ------
    ValueError
        If it is no communicator.
    """

    def __init__(self, communicator: Any):
        if not (hasattr(communicator, "Get_rank") and hasattr(communicator, "Allgatherv")):
            raise ValueError(
                f"communicator={communicator!r}: expected one of mpi4py, such as MPI.COMM_WORLD"
            )
        from mpi4py import MPI

        self._mpi, self._comm = MPI, communicator.Dup()
        self.number, self.size = self._comm.Get_rank(), self._comm.Get_size()
        if self.size > 1:
            _end_all_if_uncaught()

    def __enter__(self) -> "Ranks":
        return self

    def __exit__(self, *error: Any) -> None:
        self._comm.Free()

    def processors_each(self) -> int:
        """Return how many processors a rank has, shared out among those on the same machine."""
        here = self._comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        if hasattr(os, "sched_getaffinity"):
            n = len(set().union(*here.allgather(os.sched_getaffinity(0))))
        else:
            n = os.cpu_count() or 1
        n = max(1, n // here.Get_size())
        here.Free()
        return n

    def gather(self, value: T) -> list[T]:
        """Return the values of all ranks."""
        return self._comm.allgather(value)

    def of_rank(self, number: int, value: T | None = None) -> T:
        """Return the value that one of the ranks gives."""
        return self._comm.bcast(value, root=number)

    def copy_of_first(self, array: NDArray) -> None:
        """Write the array of rank 0 into those of the others."""
        self._comm.Bcast(array, root=0)

    def agreed(self, function: Callable[[], T]) -> T:
        """Return what a function, which talks to no rank, returns; raise if it raises anywhere.

        Raises
        ------
        Exception
            Its own; on the other ranks a ValueError, or a RuntimeError for what is none, with the
            message and the number of the rank.
        """
        error: Exception | None = None
        try:
            result = function()
        except Exception as found:
            error = found
        told = self.gather(None if error is None else (isinstance(error, ValueError), str(error)))
        if error is not None:
            raise error
        for rank, message in enumerate(told):
            if message is not None:
                kind = ValueError if message[0] else RuntimeError
                raise kind(f"rank {rank}: {message[1]}")
        return result

    def compare(self, facts: dict[str, Any]) -> None:
        """Raise ValueError by the name of the first fact that differs between ranks."""
        told = self.gather(facts)
        for name in facts:
            first = told[0][name]
            for rank, own in enumerate(told):
                if own[name] != first:
                    raise ValueError(
                        f"{name}: rank 0 has {first} and rank {rank} has {own[name]}; "
                        "expected the same on all ranks"
                    )

    @contextmanager
    def ending_all(self) -> Iterator[None]:
        """End the processes of all ranks, with this one's message, if anything is raised here."""
        try:
            yield
        except BaseException:
            if self.size == 1:
                raise
            traceback.print_exc()
            print(f"fastnn: rank {self.number} has failed and ends all ranks", file=sys.stderr)
            abort(self._comm)
            raise

    def move(self, array: NDArray, have: Sequence[int], want: Sequence[int]) -> NDArray:
        """Return other rows of an array of which each rank has some, one after the other.

        Parameters
        ----------
        array : (have[r + 1] - have[r], ...)
        have, want : n_ranks + 1 numbers
            Rank r has the rows from have[r] to below have[r + 1], and gets those of `want`.
        """
        if list(have) == list(want):
            return array
        me, others = self.number, [r for r in range(self.size) if r != self.number]
        result = np.empty((want[me + 1] - want[me], *array.shape[1:]), array.dtype)
        array = np.ascontiguousarray(array)
        requests = []
        for rank in others:
            for part in _messages(result, want[me], *_common(have, rank, want, me)):
                requests.append(self._comm.Irecv(part, source=rank))
        for rank in others:
            for part in _messages(array, have[me], *_common(have, me, want, rank)):
                requests.append(self._comm.Isend(part, dest=rank))
        first, end = _common(have, me, want, me)
        result[first - want[me] : end - want[me]] = array[first - have[me] : end - have[me]]
        self._mpi.Request.Waitall(requests)
        return result

    def adder(
        self, n_shards: int, shards_of: Callable[[int], Node]
    ) -> Callable[[dict[Node, NDArray], NDArray], None]:
        """Return what adds up the gradients of shards of all ranks: `add_up` of a back end.

        Each rank adds a part of the numbers, and sends the sums to the others.

        Parameters
        ----------
        shards_of : callable
            Returns the shards of a rank, from the first one to below the second.
        """
        root, me = (0, n_shards), self.number
        nodes = [whole_nodes(root, shards_of(rank)) for rank in range(self.size)]
        others = [rank for rank in range(self.size) if rank != me]
        received: dict[Node, NDArray] = {}

        def add_up(sums: dict[Node, NDArray], total: NDArray) -> None:
            if self.size == 1:
                return  # the only node is the root
            bounds = [len(total) * rank // self.size for rank in range(self.size + 1)]
            mine, requests = slice(bounds[me], bounds[me + 1]), []
            for rank in others:
                for tag, node in enumerate(nodes[rank]):
                    if node not in received:
                        received[node] = np.empty(mine.stop - mine.start, total.dtype)
                    requests.append(self._comm.Irecv(received[node], source=rank, tag=tag))
            for rank in others:
                for tag, array in enumerate(sums.values()):
                    part = array[bounds[rank] : bounds[rank + 1]]
                    requests.append(self._comm.Isend(part, dest=rank, tag=tag))
            self._mpi.Request.Waitall(requests)
            own = {node: array[mine] for node, array in sums.items()}
            total[mine] = total_of(root, own | received)
            counts = np.diff(bounds)
            self._comm.Allgatherv(self._mpi.IN_PLACE, [total, (counts, bounds[:-1])])

        return add_up


def abort(communicator: Any) -> None:
    """End the processes of all ranks, once what this one has said is out.

    A launcher that is told to end drops what it has not passed on yet.
    """
    try:
        sys.stdout.flush()
        sys.stderr.flush()
        time.sleep(PASSING_ON)
    finally:  # whatever has become of the streams
        communicator.Abort(1)


@cache
def _end_all_if_uncaught() -> None:
    """From now on, let an exception that ends this process end the others too.

    They would wait for it: in their next call, or when they end.
    """
    from mpi4py import MPI

    show = sys.excepthook

    def show_and_end(*error: Any) -> None:
        show(*error)
        if not hasattr(sys, "ps1"):  # at a prompt, nothing ends
            abort(MPI.COMM_WORLD)

    sys.excepthook = show_and_end


def _common(have: Sequence[int], holder: int, want: Sequence[int], taker: int) -> tuple[int, int]:
    """Return which rows that one rank has another one wants: from the first to below the second."""
    first = max(have[holder], want[taker])
    return first, max(first, min(have[holder + 1], want[taker + 1]))


def _messages(array: NDArray, offset: int, first: int, end: int) -> Iterator[NDArray]:
    """Yield some rows of an array, whose first one has the number `offset`, as bytes."""
    rows = array[first - offset : end - offset].reshape(-1).view(np.uint8)
    for start in range(0, len(rows), MOST_BYTES):
        yield rows[start : start + MOST_BYTES]
