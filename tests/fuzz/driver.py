"""What the fuzz targets share: the command line, atheris, and a list of findings."""

import argparse
import collections
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

import atheris


class Findings:
    """Exceptions that nobody documented, one of each kind and place, and how many inputs made them.

    A crash of the process is reported by libFuzzer itself, with the input.
    """

    def __init__(self):
        self.n_inputs = 0
        self.outcomes = collections.Counter()  # of inputs, by what became of them
        self.found = {}

    def add(self, error, data):
        """Note an exception, by the line that raised it."""
        place = traceback.extract_tb(error.__traceback__)[-1]
        key = f"{type(error).__name__} at {place.filename}:{place.lineno}"
        if key not in self.found:
            self.found[key] = data
            print(f"finding: {key}: {error}\n  input: {data!r:.500}", flush=True)
            traceback.print_exception(error)

    def end(self):
        """Print what has been found, and leave: libFuzzer never returns."""
        outcomes = ", ".join(f"{n} {what}" for what, n in self.outcomes.most_common())
        print(f"{self.n_inputs} inputs ({outcomes}), {len(self.found)} findings", flush=True)
        os._exit(1 if self.found else 0)


def run(name, try_one, examples=()):
    """Call `try_one(data)`, which returns what became of it, with bytes that atheris makes."""
    parser = argparse.ArgumentParser(description=f"Fuzz {name}.")
    parser.add_argument("--seconds", type=float, default=60, help="how long")
    parser.add_argument("--seed", type=int, default=0, help="of libFuzzer; 0 is random")
    given = parser.parse_args()
    findings, end = Findings(), time.monotonic() + given.seconds
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for i, example in enumerate(examples):
        (corpus / f"example-{i}").write_bytes(example)

    def test_one(data):
        if time.monotonic() > end:
            findings.end()
        findings.n_inputs += 1
        try:
            findings.outcomes[try_one(data)] += 1
        except Exception as error:
            findings.outcomes["failed"] += 1
            findings.add(error, data)

    options = (f"-seed={given.seed}", "-timeout=120", "-rss_limit_mb=4096", "-print_final_stats=0")
    atheris.Setup(
        [sys.argv[0], *options, f"-artifact_prefix={folder}/", "-verbosity=0", str(corpus)],
        test_one,
    )
    print(f"fuzzing {name} for {given.seconds:g} s; a crash leaves its input in {folder}")
    atheris.Fuzz()
