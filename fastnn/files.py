"""Files that others may write to as well: read only if regular, written whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be deleted: no lock is needed
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = ".fastnn-", ".part"
# To a system that knows them: a FIFO is not waited for, a link is not followed.
_NO_WAIT, _NO_LINK = getattr(os, "O_NONBLOCK", 0), getattr(os, "O_NOFOLLOW", 0)
_BINARY = getattr(os, "O_BINARY", 0)


def open_regular(path: str | Path) -> BinaryIO:
    """Open a file for reading.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file: a device has no end, and a FIFO's other end
        may never come.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_WAIT | _BINARY)
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "there is no such file", str(path)) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return os.fdopen(descriptor, "rb")


def write_file(
    path: str | Path,
    content: bytes,
    *,
    check: Callable[[Path], Any] | None = None,
    replace: bool = True,
) -> None:
    """Write a file in one step: it is there whole or not at all, also after a power cut.

    A link is followed. A file that is replaced keeps its permissions, and a new one has those that
    `open` would give it. Of several writers the last one wins. What killed writers left in the
    folder is removed.

    Parameters
    ----------
    check : callable, optional
        Gets the path of the whole file before it has its name, which an exception keeps it from.
    replace : bool, default True
        Whether a file that is there is replaced.

    Raises
    ------
    OSError
        If the file cannot be written; one that was there is as it was. FileExistsError if it is
        not to be replaced.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {target.parent}", str(path))
    mode = None
    with contextlib.suppress(FileNotFoundError):
        found = target.lstat().st_mode
        if not stat.S_ISREG(found):
            raise OSError(errno.EINVAL, "not a regular file, and not replaced", str(path))
        mode = stat.S_IMODE(found) & 0o777
    _remove_abandoned(target.parent)
    with _new_part(target.parent, 0o666 if mode is None else mode) as (descriptor, part):
        if mode is not None and hasattr(os, "fchmod"):  # else less what the umask takes away
            os.fchmod(descriptor, mode)
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        if check is not None:
            check(part)
        if replace:
            os.replace(part, target)
        else:
            _name_new(part, target)
    _flush_folder(target.parent)


def _name_new(part: Path, target: Path) -> None:
    """Give a file its name; FileExistsError if another has it, also since a moment ago."""
    try:
        os.link(part, target)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "the file is there already", str(target)) from None
    except OSError:  # a file system without hard links
        if target.exists():
            raise FileExistsError(errno.EEXIST, "the file is there already", str(target)) from None
        os.replace(part, target)


@contextlib.contextmanager
def _new_part(folder: Path, mode: int) -> Iterator[tuple[int, Path]]:
    """Open a file of a name that nobody can foresee, locked as long as its writer lives.

    It is closed at the end, and removed unless it has been renamed.
    """
    for _ in range(100):
        part = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINK | _BINARY
        descriptor = os.open(part, flags, mode)
        try:
            # Another writer may have taken it for abandoned before it was locked.
            if _lock(descriptor) is not False and os.fstat(descriptor).st_nlink:
                yield descriptor, part
                return
        finally:
            os.close(descriptor)
            part.unlink(missing_ok=True)
    raise OSError(errno.EAGAIN, "others lock every file that is made there", str(folder))


def _remove_abandoned(folder: Path) -> None:
    """Remove the part-files whose writers are dead: nobody has them locked."""
    if fcntl is None:
        return
    # None of this must keep a file from being written: what cannot be removed stays.
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        names = [e.name for e in entries if e.name.startswith(_PREFIX)]
    for name in (name for name in names if name.endswith(_SUFFIX)):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder / name, os.O_RDONLY | _NO_WAIT | _NO_LINK)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode) and _lock(descriptor):
                    os.unlink(folder / name)
            finally:
                os.close(descriptor)


def _lock(descriptor: int) -> bool | None:
    """Lock an open file until it is closed; False if others have it, None if it has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def _flush_folder(folder: Path) -> None:
    """Make a new name in a folder last; the file is there already, so no error of this counts."""
    if hasattr(os, "O_DIRECTORY"):
        with contextlib.suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
