"""Writing in one step: names, links, permissions, writers side by side, and killed ones."""

import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from fastnn.files import open_regular, write_file


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_made_and_replaced(tmp_path):
    write_file(tmp_path / "m", b"first")
    write_file(str(tmp_path / "m"), b"second")
    assert (tmp_path / "m").read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [tmp_path / "m"]


def test_a_file_that_is_there_stays_if_it_is_not_to_be_replaced(tmp_path):
    write_file(tmp_path / "m", b"first", replace=False)
    with pytest.raises(FileExistsError, match="the file is there already"):
        write_file(tmp_path / "m", b"second", replace=False)
    assert (tmp_path / "m").read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [tmp_path / "m"]


def test_without_hard_links(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    test_a_file_that_is_there_stays_if_it_is_not_to_be_replaced(tmp_path)


def test_a_file_is_checked_before_it_has_its_name(tmp_path):
    def check(part):
        assert part.read_bytes() == b"x"
        assert not (tmp_path / "m").exists()
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        write_file(tmp_path / "m", b"x", check=check)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_open_or_of_the_file_replaced(tmp_path, umask):
    before = os.umask(umask)
    try:
        (tmp_path / "plain").touch()
        write_file(tmp_path / "m", b"x")
        assert mode_of(tmp_path / "m") == mode_of(tmp_path / "plain") == 0o666 & ~umask
        (tmp_path / "m").chmod(0o640)
        write_file(tmp_path / "m", b"y")
        assert mode_of(tmp_path / "m") == 0o640
    finally:
        os.umask(before)


@pytest.mark.parametrize("name", ["m" * 255, "é" * 127, " ", "-", "a\nb", "m.part"])
def test_any_name_that_the_system_takes(tmp_path, name):
    write_file(tmp_path / name, b"x")
    assert (tmp_path / name).read_bytes() == b"x"


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "chain").symlink_to("link")
    (tmp_path / "new").symlink_to("there/new")
    for name, target in (("link", "target"), ("chain", "target"), ("new", "there/new")):
        write_file(tmp_path / name, name.encode())
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / target).read_bytes() == name.encode()
    (tmp_path / "round").symlink_to("round")
    with pytest.raises(OSError, match="round"):
        write_file(tmp_path / "round", b"x")


def test_planted_links_are_not_followed(tmp_path, monkeypatch):
    """Not even by somebody who knows the name that will be drawn."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    names = iter(["known", "known", "other"])
    monkeypatch.setattr("fastnn.files.secrets.token_hex", lambda n: next(names))
    (tmp_path / ".fastnn-known.part").symlink_to(victim)
    with pytest.raises(FileExistsError):
        write_file(tmp_path / "m", b"x")
    assert victim.read_bytes() == b"precious"


def test_what_is_no_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path, tmp_path / "fifo", tmp_path / "none" / "m"):
        with pytest.raises(OSError, match=r"not a regular file|there is no folder"):
            write_file(path, b"x")
    for path in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(path)


def test_threads_that_write_to_one_path(tmp_path):
    errors = []

    def work(number):
        try:
            for _ in range(20):
                write_file(tmp_path / "m", bytes([number]) * 1000)
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    content = (tmp_path / "m").read_bytes()
    assert content == content[:1] * 1000
    assert list(tmp_path.iterdir()) == [tmp_path / "m"]


WRITER = """
import os, sys, time
from fastnn import files
def wait(*_):
    print("waiting", flush=True)
    sys.stdin.read()
os.fsync, fsync = wait, os.fsync
files.write_file(sys.argv[1], b"slow")
"""


def start_writer(path):
    """Start a process that has written a file, but not renamed it."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"waiting\n"
    return process


def test_what_killed_writers_leave_is_removed(tmp_path):
    process = start_writer(tmp_path / "m")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(list(tmp_path.iterdir())) == 1
    write_file(tmp_path / "m", b"x")
    assert list(tmp_path.iterdir()) == [tmp_path / "m"]


def test_what_living_writers_need_is_not_removed(tmp_path):
    process = start_writer(tmp_path / "m")
    write_file(tmp_path / "m", b"quick")
    assert len(list(tmp_path.iterdir())) == 2
    process.communicate()
    assert process.returncode == 0
    assert (tmp_path / "m").read_bytes() == b"slow"
    assert list(tmp_path.iterdir()) == [tmp_path / "m"]


def test_what_is_not_ours_is_not_removed(tmp_path):
    (tmp_path / ".fastnn-notes").touch()
    (tmp_path / ".fastnn-link.part").symlink_to(tmp_path / ".fastnn-notes")
    (tmp_path / ".fastnn-folder.part").mkdir()
    os.mkfifo(tmp_path / ".fastnn-fifo.part")
    write_file(tmp_path / "m", b"x")
    assert len(list(tmp_path.iterdir())) == 5
