"""When several machines train one network the sooner: measured on this one, then computed.

    mpiexec -n 2 python bench/ranks.py [--rounds 5] [--quick]

Prints, as Markdown, for 784-512-10 on MNIST in float32 with Adam and dropout 0.2:

- seconds an epoch of one process with a thread for each rank, and of the ranks with one each, in
  turns;
- what a step is made of: the gradients of its shards and the optimizer's step, by one process with
  all threads, and the exchange between the ranks, here by memory;
- the time of a step with one rank on each of 1 to 64 such machines. The gradients are shared out
  shard by shard, the optimizer's step is not. Of the exchange, each rank sends and receives
  2 (n - 1) / n of the gradient, at the speed of its network, and waits n times for its latency.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import numpy as np
from mpi4py import MPI

import fastnn
from fastnn import backends
from fastnn.backends.interface import Network, Optimizer, Samples, State
from fastnn.backends.shards import ShardSchedule
from fastnn.bench.machine import machine
from fastnn.mpi.plan import check_shards
from fastnn.mpi.ranks import Ranks

COMM = MPI.COMM_WORLD
RANK, SIZE = COMM.Get_rank(), COMM.Get_size()
BATCHES = (256, 1024, 4096, 16384, 65536)
PAIRED = (1024, 8192)
MACHINES = (1, 2, 4, 8, 16, 32, 64)
NETWORKS = {"10 Gbit/s": (10e9, 25e-6), "100 Gbit/s": (100e9, 5e-6)}  # bits a second, latency


def images(n: int) -> tuple:
    """Return so many images, those of MNIST again and again."""
    data = fastnn.load_mnist()
    rows = np.arange(n) % len(data.X_train)
    return data.X_train[rows], data.y_train[rows]


def epoch_seconds(X, y, batch_size: int, n_threads: int, n_epochs: int, **others) -> float:
    """Return the median seconds of an epoch, the first one left out."""
    ends: list[float] = []
    model = fastnn.MLPClassifier(
        (512,), dropout=0.2, batch_size=batch_size, input_scale=1 / 255, max_iter=n_epochs + 1,
        tol=None, random_state=0, dtype="float32", n_jobs=n_threads, verbose=False,
    )  # fmt: skip
    model.fit(X, y, callbacks=[lambda epoch: ends.append(time.perf_counter())], **others)
    return median(np.diff(ends)) if ends else 0.0


@contextmanager
def others_asleep() -> Iterator[None]:
    """Let rank 0 work alone: the others do not wait at full speed, as MPI does."""
    if RANK == 0:
        yield
        for rank in range(1, SIZE):
            COMM.send(None, dest=rank)
        return
    while not COMM.iprobe(source=0):
        time.sleep(0.01)
    COMM.recv(source=0)
    yield


def paired(rounds: int, n_epochs: int, n: int) -> None:
    """Print seconds an epoch of one process with threads, and of ranks with one each."""
    X, y = images(n)
    own = slice(n * RANK // SIZE, n * (RANK + 1) // SIZE)
    say(f"| batch | 1 process, {SIZE} threads: s | {SIZE} ranks of 1 thread: s | ratio |")
    say("|---|---|---|---|")
    for batch in PAIRED:
        alone, together = [], []
        for _ in range(rounds):
            with others_asleep():
                if RANK == 0:
                    alone.append(epoch_seconds(X, y, batch, SIZE, n_epochs))
            together.append(epoch_seconds(X[own], y[own], batch, 1, n_epochs, communicator=COMM))
        if RANK == 0:
            ratio = median(b / a for a, b in zip(alone, together, strict=True))
            say(f"| {batch:,} | {median(alone):.3f} | {median(together):.3f} | {ratio:.2f} |")


def shard_steps(n: int) -> float:
    """Return the seconds of the optimizer's step from a gradient, median of n."""
    net = Network((784, 512, 10), (5, 6), (0.2, 0.0), 4)
    params = np.zeros(net.n_parameters, np.float32)
    state = State(params, np.zeros((2, len(params)), np.float32))
    samples = Samples(np.zeros((1, 784), np.float32), 1.0, np.zeros((1, 1), np.float32))
    schedule = ShardSchedule((0, 0), 1, [], [], np.ones(n), 0, 0.001)
    ends: list[float] = []
    backends.kernels().mlp_train_shards(
        net, Optimizer(2), state, samples, schedule, np.zeros(0), 1,
        lambda sums, total: ends.append(time.perf_counter()),
    )  # fmt: skip
    return median(np.diff(ends))


def exchange_seconds(n: int) -> float:
    """Return the seconds in which the ranks add gradients, median of n."""
    gradient, ends = np.zeros(407_050, np.float32), []
    with Ranks(COMM) as ranks:
        add_up = ranks.adder(SIZE, lambda rank: (rank, rank + 1))
        for _ in range(n + 1):
            add_up({(RANK, RANK + 1): gradient}, gradient)
            ends.append(time.perf_counter())
    return median(np.diff(ends))


def model_of(seconds: dict[int, float], step: float, n_bytes: int) -> None:
    """Print the computed tables."""
    for name, (bits, latency) in NETWORKS.items():
        say(f"\n| {name}: batch | " + " | ".join(map(str, MACHINES)) + " |")
        say("|---" * (len(MACHINES) + 1) + "|")
        exchange = {
            n: (n > 1) * (16 * (n - 1) / n * n_bytes / bits + n * latency) for n in MACHINES
        }
        for batch, alone in seconds.items():
            shards = check_shards(None, batch)
            times = [
                step + (alone - step) * -(-shards // n) / shards + exchange[n] for n in MACHINES
            ]
            fastest = min(times)
            cells = [f"**{1e3 * t:.1f}**" if t == fastest else f"{1e3 * t:.1f}" for t in times]
            say(f"| {batch:,} | " + " | ".join(cells) + " |")
        say("| exchange | " + " | ".join(f"{1e3 * t:.1f}" for t in exchange.values()) + " |")


def say(text: str) -> None:
    """Print, on rank 0."""
    if RANK == 0:
        print(text, flush=True)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few images: a check, no figures")
    options = parser.parse_args(argv)
    n, n_epochs, rounds = (3000, 1, 1) if options.quick else (60_000, 4, options.rounds)
    say(f"{machine()}; {SIZE} ranks, back end {backends.get_backend()}\n")
    paired(rounds, n_epochs, n)
    exchange = exchange_seconds(20 if options.quick else 200)
    with others_asleep():
        if RANK:
            return
        step = shard_steps(50)
        seconds = {}
        for batch in BATCHES:
            X, y = images(min(batch, 512) if options.quick else 65_536)
            of_epoch = epoch_seconds(X, y, batch, -1, n_epochs, communicator=MPI.COMM_SELF)
            seconds[batch] = of_epoch / -(-len(X) // batch)
        say(
            f"\nA step of the optimizer takes {1e3 * step:.2f} ms, an exchange between {SIZE} ranks"
        )
        say(f"by memory {1e3 * exchange:.2f} ms. Milliseconds of a step, on so many machines:")
        model_of(seconds, step, 4 * 407_050)


if __name__ == "__main__":
    main()
