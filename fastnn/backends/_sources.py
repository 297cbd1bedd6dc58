"""Which sources kernels were compiled from: the digest goes into each extension and cache.

Needs nothing but Python: setup.py runs this file by itself.
"""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
CYTHON = ("_kernels*.pyx", "_kernels*.pxi", "_vector.h")
NUMBA = ("_numba_*.py", "interface.py", "panels.py")


def sources(patterns: tuple[str, ...]) -> list[Path]:
    """Return the files beside this one that match; none where they were not installed."""
    return sorted(path for pattern in patterns for path in FOLDER.glob(pattern))


def digest(paths: list[Path]) -> str:
    """Return a digest of the names and contents of some files."""
    found = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        found.update(f"{path.name} {len(content)}\n".encode() + content)
    return found.hexdigest()
