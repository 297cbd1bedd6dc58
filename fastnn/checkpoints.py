"""Names of checkpoints: a pattern such as "xor-{epoch:06d}.safetensors", and the files of it."""

import os
import re
import string
from pathlib import Path
from typing import NamedTuple

# What can be told apart again: digits, with or without leading zeros.
_SPEC = re.compile(r"(0|0[1-9][0-9]?)?d?")


class _Parts(NamedTuple):
    """A pattern, taken apart."""

    folder: Path
    before: str  # of the file's name
    spec: str
    after: str

    def name(self, epoch: int) -> str:
        return self.before + format(epoch, self.spec) + self.after


def checkpoints(path_pattern: str | Path) -> list[Path]:
    """Return the files of a pattern such as "xor-{epoch:06d}.safetensors", by rising epoch.

    Raises
    ------
    ValueError
        If the pattern is not one that `step_of` takes.
    """
    pattern = str(path_pattern)
    folder = _parse(pattern).folder
    if not folder.is_dir():
        return []
    found = [(step_of(pattern, str(path)), path) for path in folder.iterdir() if path.is_file()]
    return [path for step, path in sorted((s, p) for s, p in found if s is not None)]


def latest_checkpoint(path_pattern: str | Path) -> Path | None:
    """Return the file that was written last, or None if there is none.

    Not that of the highest epoch, which may be of an older and longer training; of files written
    at the same time it is.

    Examples
    --------
    >>> import fastnn
    >>> print(fastnn.latest_checkpoint("never-written-{epoch}.safetensors"))
    None
    """
    found = checkpoints(path_pattern)  # by rising epoch: of equals, `sorted` keeps the last
    return sorted(found, key=lambda path: path.stat().st_mtime_ns)[-1] if found else None


def step_of(pattern: str, path: str) -> int | None:
    """Return the epoch in a file's name, None if the name is not of the pattern.

    Raises
    ------
    ValueError
        If the pattern does not have {epoch} just once, in the file's name, as digits with or
        without leading zeros: other files could be written, but not found again.
    """
    parts = _parse(pattern)
    name = os.path.basename(path)
    digits = name[len(parts.before) : len(name) - len(parts.after)]
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 256):
        return None
    epoch = int(digits)
    return epoch if parts.name(epoch) == name else None


def _parse(pattern: str) -> _Parts:
    try:
        parts = list(string.Formatter().parse(pattern))
    except ValueError as error:
        raise _refusal(pattern, str(error)) from None
    fields = [(i, *part[1:]) for i, part in enumerate(parts) if part[1] is not None]
    if [field[1] for field in fields] != ["epoch"]:
        raise _refusal(pattern, "other braces are to be doubled")
    place, _, spec, conversion = fields[0]
    if conversion is not None or not _SPEC.fullmatch(spec or ""):
        raise _refusal(pattern, "only digits, with or without leading zeros, can be read again")
    before = "".join(text for text, *_ in parts[: place + 1])
    after = "".join(text for text, *_ in parts[place + 1 :])
    if os.path.basename(after) != after:
        raise _refusal(pattern, "the folder cannot change with the epoch")
    if "\0" in pattern:
        raise _refusal(pattern, "no file's name has the character NUL")
    folder, start = os.path.split(before)
    return _Parts(Path(folder), start, spec or "", after)


def _refusal(pattern: str, reason: str) -> ValueError:
    return ValueError(
        f"path_pattern={pattern!r}: expected the file name to have '{{epoch}}' once, such as "
        f"'model-{{epoch:04d}}.safetensors'; {reason}"
    )
