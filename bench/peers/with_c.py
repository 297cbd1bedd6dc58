"""Plain C for XOR, compiled with -O3 -march=native."""

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from ..workloads import initial_weights, load_real

SOURCE = Path(__file__).with_name("xor.c")


def prepare(workload, n_threads):
    if workload.data != "xor":
        return None
    if shutil.which("cc") is None:
        raise ImportError("no C compiler 'cc'")
    library = Path(tempfile.mkdtemp()) / "xor.so"
    options = ["-O3", "-march=native", "-shared", "-fPIC"]
    subprocess.run(["cc", *options, str(SOURCE), "-o", str(library), "-lm"], check=True)
    train = ctypes.CDLL(str(library)).train
    train.restype = ctypes.c_double
    X, y = load_real(workload)
    X, T = np.ascontiguousarray(X), y.astype(float)
    double = ctypes.POINTER(ctypes.c_double)

    def run():
        (W1, b1), (W2, b2) = ((W.copy(), b.copy()) for W, b in initial_weights(workload))
        arrays = [a.ctypes.data_as(double) for a in (X, T, W1, b1, W2, b2)]
        return train(*arrays, ctypes.c_double(workload.learning_rate), workload.epochs)

    return run
