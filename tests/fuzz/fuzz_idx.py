"""Fuzz the reader of IDX files: `python tests/fuzz/fuzz_idx.py --seconds 60`."""

import gzip
import struct
import sys
import tempfile
import tracemalloc
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["fastnn.datasets", "fastnn.files"]):
    from fastnn.datasets import DataError, read_idx

from driver import run

IMAGES = struct.pack(">4sIII", b"\0\0\x08\x03", 2, 3, 4) + bytes(range(24))
LABELS = struct.pack(">4sI", b"\0\0\x08\x01", 5) + bytes(range(5))
PATH = Path(tempfile.mkdtemp(), "file")
# Python's own buffers, and twice what is read; a file that asks for more than it gives gets less.
SLACK = 4_000_000


def try_one(data):
    """Read bytes as they are, compressed, or compressed with an end cut off."""
    kind, content = (data[0] % 3, data[1:]) if data else (0, b"")
    written = content if kind == 0 else gzip.compress(content, 1)
    PATH.write_bytes(written[:-3] if kind == 2 else written)
    # Of every eighth input only: tracing leaves some bytes behind, gigabytes in an hour.
    traced = sum(data) % 8 == 0
    if traced:
        tracemalloc.start()
    try:
        values = read_idx(PATH)
    except DataError:
        return "refused"
    finally:
        if traced:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert peak < SLACK + 3 * len(content), peak
    assert values.dtype == "uint8"
    assert values.size > 0
    assert content[:2] == b"\x1f\x8b" or content.endswith(values.tobytes())
    return "read"


if __name__ == "__main__":
    contents = (IMAGES, LABELS, gzip.compress(IMAGES), gzip.compress(LABELS))
    run("read_idx", try_one, [bytes([kind]) + c for kind in range(3) for c in contents])
    sys.exit("not reached")
