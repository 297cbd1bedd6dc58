"""Numba's cache saves time and nothing else: whatever becomes of its files, results are right."""

import importlib.util
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("numba")

from fastnn.backends.numba_cpu import compile as numba_compile

pytestmark = pytest.mark.slow  # they compile
SOURCE = """
from fastnn.backends.numba_cpu.compile import kernel

@kernel
def double(x):
    return x + x

@kernel
def quadruple(x):
    return double(double(x))
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function that imports the kernels above anew, as a new process would."""
    monkeypatch.setattr("numba.core.config.CACHE_DIR", "")
    path = tmp_path / "kernels.py"
    path.write_text(SOURCE)

    def load():
        name = "fastnn.backends.numba_cpu.test_kernels"
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def folder(load, tmp_path):
    """Return the folder of a filled cache."""
    kernels = load()
    assert kernels.quadruple(2) == 8
    assert kernels.quadruple(2.5) == 10
    return tmp_path / "__pycache__"


def hits(kernel):
    return sum(kernel.stats.cache_hits.values())


def test_cache_serves(load, folder):
    kernels = load()
    assert (kernels.quadruple(2), kernels.quadruple(2.5), hits(kernels.quadruple)) == (8, 10, 2)


def damage(path, kind):
    content = path.read_bytes()
    if kind == "a folder":
        path.unlink()
        path.mkdir()
    elif kind == "missing":
        path.unlink()
    else:
        middle = len(content) // 2
        path.write_bytes(
            {
                "empty": b"",
                "garbage": b"\x80\x04garbage" * 100,
                "truncated": content[:middle],
                "one byte": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
                "zeros": bytes(len(content)),
            }[kind]
        )


@pytest.mark.parametrize(
    "kind", ["missing", "empty", "garbage", "truncated", "one byte", "zeros", "a folder"]
)
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_damaged_files(load, folder, suffix, kind):
    """Compiled anew; and the cache serves again, unless nothing can be written there."""
    for path in folder.glob(f"*.{suffix}"):
        damage(path, kind)
    kernels = load()
    assert (kernels.quadruple(2), kernels.quadruple(2.5)) == (8, 10)
    if suffix == "nbc":  # machine code that was changed may well give the same results
        assert hits(kernels.quadruple) == 0
    again = load()
    assert (again.quadruple(2), again.quadruple(2.5)) == (8, 10)
    assert hits(again.quadruple) == (0 if kind == "a folder" else 2)


def test_exchanged_files(load, folder):
    """Two processes that write at a time may give one name to the code of two kernels."""
    first, second = sorted(folder.glob("*quadruple*.nbc"))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    kernels = load()
    assert [repr(kernels.quadruple(x)) for x in (2, 2.5)] == ["8", "10.0"]
    assert hits(kernels.quadruple) == 0


def test_other_sources(load, folder, monkeypatch):
    """The code of a kernel holds what other files define."""
    monkeypatch.setattr(numba_compile, "_SOURCES", "others")
    kernels = load()
    assert (kernels.quadruple(2), hits(kernels.quadruple)) == (8, 0)


def test_folder_that_is_lost(load, folder):
    """After the kernels were declared, its place is taken by a file: as good as read-only."""
    kernels = load()
    shutil.rmtree(folder)
    folder.write_text("")
    assert (kernels.quadruple(2), kernels.quadruple(2.5)) == (8, 10)


def test_no_folder(load, monkeypatch):
    def refuse(*args):
        raise RuntimeError("no locator available")

    monkeypatch.setattr(numba_compile, "_CheckedFile", refuse)
    assert load().quadruple(2) == 8


def test_announced_once_and_only_if_compiled(load, monkeypatch, capsys):
    monkeypatch.setattr(numba_compile, "is_watched", lambda: True)
    assert load().quadruple(2) == 8
    announced = capsys.readouterr().err
    assert announced.startswith("numba: compiling quadruple, once for this machine")
    assert announced.count("\n") == 1
    assert load().quadruple(2) == 8
    assert capsys.readouterr().err == ""


def test_nobody_looks(load, capsys):
    assert load().quadruple(2) == 8
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("code", ["import missing_part", "raise OSError('no LLVM')", ""])
def test_numba_is_broken(tmp_path, code):
    """There is a package of that name, but it cannot be used: a reason, and another back end."""
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba/__init__.py").write_text(code)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from fastnn import available_backends, backends\n"
        "backends._MODULES.pop('cython')\n"
        "reasons = available_backends()\n"
        "print(reasons['numba'], backends.get_backend(), reasons['numba-cuda'] is not None)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "the package numba cannot be imported" in done.stdout
    assert done.stdout.endswith("python True\n")
