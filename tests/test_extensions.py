"""Extension modules that are missing, damaged or of other sources, in a copy of the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn.backends import cython_cpu as cython

REASON = cython.unavailable()
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]
STATE = """
import fastnn
print(fastnn.available_backends()["cython"])
print(fastnn.get_backend())
from fastnn.backends import cython_cpu as cython
try:
    print(cython._best_level())
except ImportError:
    print(None)
"""


@pytest.fixture
def package(tmp_path):
    """Return the folder of a copy's Cython back end."""
    ignore = shutil.ignore_patterns("__pycache__", "course")
    shutil.copytree(Path(fastnn.__file__).parent, tmp_path / "fastnn", ignore=ignore)
    return tmp_path / "fastnn/backends/cython_cpu"


def modules(package, level="*", dtype="*"):
    found = sorted(
        path
        for path in package.glob(f"kernels_{level}_{dtype}.*")
        if path.suffix in (".so", ".pyd")
    )
    assert found
    return found


def run(package, code=STATE, warns=False):
    """Return the lines that the code prints: the reason, the default and the level."""
    environment = os.environ | {"PYTHONPATH": str(package.parents[2])}
    environment.pop("FASTNN_BACKEND", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        cwd=package.parents[2],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert ("RuntimeWarning: the Cython back end is left out" in done.stderr) is warns
    return done.stdout.splitlines()


def test_whole(package):
    assert run(package) == ["None", "cython", cython._best_level()]


@pytest.mark.parametrize("damage", ["missing", "empty"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_best_level_is_not_whole(package, dtype, damage):
    """The next lower one serves, with both dtypes; without one, the reason names the module."""
    best = cython._best_level()
    for path in modules(package, best, dtype):
        if damage == "missing":
            path.unlink()
        else:
            path.write_bytes(b"")
    reason, default, level = run(package)
    if best in ("v3", "v4"):
        assert (reason, default, level) == ("None", "cython", f"v{int(best[1:]) - 1}")
    else:
        assert f"kernels_{best}_{dtype}" in reason
        assert default == "numba"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_level_is_whole(package, dtype):
    for path in modules(package, dtype=dtype):
        path.unlink()
    reason, default, level = run(package)
    assert "were not built" in reason
    assert f"_{dtype})" in reason
    assert (default, level) == ("numba", "None")


@pytest.mark.parametrize("source", ["kernels.pyx", "small.pxi", "vector.h"])
def test_other_sources(package, source):
    """Kernels get bare pointers: those of other sources are not called, not even on request."""
    path = package / source
    path.write_bytes(path.read_bytes() + b"\n")
    reason, default, level = run(package, warns=True)
    assert "was built from other sources" in reason
    assert "'pip install .'" in reason
    assert (default, level) == ("numba", "None")
    code = """
import numpy as np
from fastnn.backends.cython_cpu import _base_level, load_level
try:
    load_level(_base_level(), np.dtype(np.float32))
except ImportError as error:
    print(error)
"""
    assert "was built from other sources" in run(package, code)[0]


def test_without_sources(package):
    """As where only the compiled modules were packed."""
    for path in package.iterdir():
        if path.suffix in (".pyx", ".pxi", ".h"):
            path.unlink()
    assert run(package) == ["None", "cython", cython._best_level()]


def test_files_of_an_editor(package):
    """Neither a note beside the sources nor a lock file, a link to nowhere, is a source."""
    (package / "notes.h").write_text("")
    if hasattr(os, "symlink"):
        (package / ".#kernels.pyx").symlink_to("nowhere")
    assert run(package) == ["None", "cython", cython._best_level()]
