"""Which sources kernels were compiled from: the digest goes into each extension and cache.

Needs nothing but Python: setup.py imports this file without the package.
"""

import hashlib
from pathlib import Path

FOLDER = Path(__file__).parent
TABLE = ("codes.py", "rows.py")
HEADERS = tuple(f"cython_cpu/{name}.h" for name in ("barrier", "processor", "vector"))
CYTHON = ("cython_cpu/[a-z]*.pyx", "cython_cpu/[a-z]*.pxi", *HEADERS, *TABLE)
NUMBA = ("numba_cpu/[a-z]*.py", "interface.py", *TABLE, "cpu/panels.py", "cpu/lanes.py")
WRITTEN = ("codes.pxi",)  # by setup.py, from codes.py


def sources(patterns: tuple[str, ...]) -> list[Path]:
    """Return the files below this one's folder that match; none where they were not installed."""
    found = [path for pattern in patterns for path in FOLDER.glob(pattern)]
    return sorted(path for path in found if path.name not in WRITTEN)


def digest(paths: list[Path]) -> str:
    """Return a digest of the names and contents of some files."""
    found = hashlib.sha256()
    for path in paths:
        content = path.read_bytes()
        found.update(f"{path.name} {len(content)}\n".encode() + content)
    return found.hexdigest()
