import subprocess
import sys
import threading

import pytest

import fastnn
from fastnn import backends


@pytest.fixture(autouse=True)
def _restore(monkeypatch):
    monkeypatch.setattr("fastnn.backends._default", None)
    monkeypatch.delenv("FASTNN_BACKEND", raising=False)


def test_set_and_use():
    fastnn.set_backend("python")
    assert fastnn.get_backend() == "python"
    with fastnn.use_backend("numba"):
        assert fastnn.get_backend() == "numba"
        seen = []
        thread = threading.Thread(target=lambda: seen.append(fastnn.get_backend()))
        thread.start()
        thread.join()
        assert seen == ["python"]
    assert fastnn.get_backend() == "python"


def test_environment(monkeypatch):
    monkeypatch.setenv("FASTNN_BACKEND", "python")
    assert fastnn.get_backend() == "python"
    monkeypatch.setenv("FASTNN_BACKEND", "fortran")
    with pytest.raises(ValueError, match="FASTNN_BACKEND: there is no back end 'fortran'"):
        fastnn.get_backend()


def test_unknown_name():
    with pytest.raises(ValueError, match="no back end 'nmba'; choose one of 'cython', 'numba'"):
        fastnn.set_backend("nmba")
    with pytest.raises(ValueError, match="'nmba'"), fastnn.use_backend("nmba"):
        pass


def test_missing_extension(monkeypatch):
    """As on a machine without a compiler: a reason, and the next back end as default."""
    monkeypatch.setattr("fastnn.backends.cython._base_level", lambda: "none")
    reason = fastnn.available_backends()["cython"]
    assert "install a C compiler" in reason
    backends._first_available.cache_clear()
    assert fastnn.get_backend() == "numba"
    backends._first_available.cache_clear()
    with pytest.raises(RuntimeError, match="'cython' cannot be used: its extension modules"):
        fastnn.set_backend("cython")


def test_import_is_light(tmp_path):
    code = """
import sys, fastnn
heavy = ["numba", "sklearn", "matplotlib", "tqdm"]
print([m for m in heavy if m in sys.modules])
unused = heavy if fastnn.get_backend() == "cython" else heavy[1:]
print([m for m in unused if m in sys.modules])
"""
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert printed.stdout.split() == ["[]", "[]"], printed.stderr
