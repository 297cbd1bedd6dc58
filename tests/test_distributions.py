"""What is packed: all that the tests need, and nothing that lay about, built for another source."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("Cython")
pytest.importorskip("setuptools", minversion="77")

ROOT = Path(__file__).parents[1]
STALE = ("kernels_v3_float64.cpython-311-x86_64-linux-gnu.so", "kernels_old.pyd", "kernels.c")


@pytest.fixture
def project(tmp_path):
    """Return a copy of the project in which remains of other builds lie about."""
    project = tmp_path / "project"
    ignore = shutil.ignore_patterns("__pycache__", "*.so", "*.pyd", "kernels.c")
    for name in ("fastnn", "tests", "bench", "docs"):
        shutil.copytree(ROOT / name, project / name, ignore=ignore)
    for path in ROOT.iterdir():
        if path.suffix in (".py", ".toml", ".in", ".md") or path.name == "LICENSE":
            shutil.copy(path, project)
    platform = f"lib.{sys.platform}-other"
    for folder in (f"build/{platform}", f"build/{build_lib()}", "."):
        backends = project / folder / "fastnn/backends/cython_cpu"
        backends.mkdir(parents=True, exist_ok=True)
        for name in STALE:
            (backends / name).write_bytes(b"stale")
    (project / "build" / build_lib() / "fastnn/linear.py").write_text("stale")
    cache = project / "fastnn/backends/numba_cpu/__pycache__"
    cache.mkdir()
    (cache / "kernel-1.py311.nbi").write_bytes(b"stale")
    return project


def build_lib():
    from setuptools.dist import Distribution

    build = Distribution().get_command_obj("build")
    build.ensure_finalized()
    return Path(build.build_platlib).name


def build(project, what):
    """Build as pip does, where no compiler works; return the path of the distribution."""
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            f"from setuptools import build_meta; print(build_meta.{what}('dist'))",
        ],
        cwd=project,
        env=os.environ | {"CC": "no-compiler", "CFLAGS": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (found,) = (project / "dist").iterdir()
    return found


@pytest.mark.slow
def test_sdist(project):
    with tarfile.open(build(project, "build_sdist")) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert not {name for name in names if Path(name).suffix in (".so", ".pyd", ".nbi")}
    written = {"fastnn/backends/cython_cpu/kernels.c", "fastnn/backends/cython_cpu/codes.pxi"}
    assert not written & names
    for folder in ("tests", "bench", "docs", "fastnn"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".pyx", ".pxi", ".h", ".toml", ".safetensors", ".md"):
                name = path.relative_to(ROOT).as_posix()
                assert name in names | written
    assert {"README.md", "CHANGELOG.md", "LICENSE", "setup.py", "pyproject.toml"} <= names


@pytest.mark.slow
@pytest.mark.slow
def test_wheel(project):
    """Without a compiler there is no extension in it, and no source but those of the project."""
    with zipfile.ZipFile(build(project, "build_wheel")) as archive:
        names = archive.namelist()
        assert archive.read("fastnn/linear.py") == (ROOT / "fastnn/linear.py").read_bytes()
    suffixes = (".so", ".pyd", ".c", ".nbi", ".png")
    built = {name for name in names if Path(name).suffix in suffixes}
    assert built == {f"fastnn/bench/peers/{name}.c" for name in ("xor", "fann")}  # sources
    sources = {
        f"fastnn/backends/cython_cpu/{name}" for name in ("kernels.pyx", "vector.h", "barrier.h")
    }
    assert sources <= set(names)
    programs = {f"fastnn/bench/programs/{p.name}" for p in (ROOT / "bench/programs").glob("*.py")}
    assert programs <= set(names)
    assert not {name for name in names if name.startswith(("tests/", "build/"))}
