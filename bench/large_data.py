"""Train on a mapped file larger than memory: CPU seconds a sample, and resident memory.

Run `python bench/large_data.py --gib 8`: the file is MNIST over and over, in a temporary folder. It
is compared with fits of one epoch on MNIST in memory, before and after.
"""

import shutil
import tempfile
import threading
import time
from pathlib import Path

import click
import numpy as np

import fastnn


def resident() -> dict[str, int]:
    """Return this process's memory in MiB: its own, and the pages of files (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: int(fields[name].split()[0]) // 1024 for name in ("RssAnon", "RssFile")}


class Peak:
    """The largest memory of its own that the process has had, looked at 50 times a second."""

    def __enter__(self):
        self.before = self.most = resident()["RssAnon"]
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()

    def _watch(self):
        while not self._done.wait(0.02):
            self.most = max(self.most, resident()["RssAnon"])


def write(path: Path, images, n: int) -> None:
    """Write n images, those that there are again and again."""
    table = np.lib.format.open_memmap(path, "w+", np.uint8, (n, images.shape[1]))
    for first in range(0, n, len(images)):
        table[first : first + len(images)] = images[: n - first]
    table.flush()


def fitted(hidden: int, X, y):
    """Return a network after an epoch on one thread, and the CPU seconds of a sample."""
    model = fastnn.MLPClassifier(
        (hidden,), input_scale=1 / 255, max_iter=1, tol=None, random_state=0, n_jobs=1, verbose=1
    )
    begin = time.process_time()
    model.fit(X, y)
    return model, (time.process_time() - begin) / len(X)


@click.command(help=__doc__)
@click.option("--gib", default=1.0, show_default=True, help="Size of the file.")
@click.option("--hidden", default=30, show_default=True, help="Hidden units.")
@click.option("--folder", type=click.Path(file_okay=False, exists=True), help="Where it lies.")
def main(gib: float, hidden: int, folder: str | None) -> None:
    data = fastnn.load_mnist()
    n = int(gib * 2**30) // data.X_train.shape[1]
    y = np.resize(data.y_train, n).astype(np.uint8)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        if shutil.disk_usage(place).free < 1.1 * gib * 2**30:
            raise click.ClickException(f"{place}: less than {1.1 * gib:.1f} GiB free")
        write(Path(place, "X.npy"), data.X_train, n)
        X = np.load(Path(place, "X.npy"), mmap_mode="r")
        fitted(hidden, data.X_train, data.y_train)  # compiles
        in_memory = [fitted(hidden, data.X_train, data.y_train)[1] for _ in range(3)]
        with Peak() as peak:
            model, seconds = fitted(hidden, X, y)
        pages = resident()["RssFile"]
        in_memory += [fitted(hidden, data.X_train, data.y_train)[1] for _ in range(3)]
    usual = float(np.median(in_memory))
    click.echo(f"784-{hidden}-10, {n} samples of a file of {gib:g} GiB, back end {model.backend_}")
    click.echo(f"CPU microseconds a sample: {seconds * 1e6:.2f}; in memory {usual * 1e6:.2f}")
    click.echo(f"ratio {seconds / usual:.2f}")
    own = f"{peak.most} at most, {peak.most - peak.before} of them for the fit"
    click.echo(f"MiB: {own}; and {pages} of files")
    click.echo(f"right on the test images: {model.score(data.X_test, data.y_test):.4f}")


if __name__ == "__main__":
    main()
