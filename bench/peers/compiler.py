"""C programs of the peers: compiled when first wanted."""

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).parent


def compile_c(name: str, options: Sequence[str] = ()) -> ctypes.CDLL:
    """Compile a C file of this folder with -O3 -march=native and load it.

    Raises
    ------
    ImportError
        If there is no compiler, or not what the program needs.
    """
    if shutil.which("cc") is None:
        raise ImportError("no C compiler 'cc'")
    library = Path(tempfile.mkdtemp(), name).with_suffix(".so")
    command = ["cc", "-O3", "-march=native", "-shared", "-fPIC", str(FOLDER / name)]
    done = subprocess.run(
        [*command, "-o", str(library), *options, "-lm"], capture_output=True, text=True
    )
    if done.returncode:
        raise ImportError(f"{name} does not compile: {done.stderr.partition(chr(10))[0]}")
    try:
        return ctypes.CDLL(str(library))
    except OSError as error:
        raise ImportError(f"{name}: {error}") from None
