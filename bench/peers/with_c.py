"""Plain C for XOR, compiled with -O3 -march=native."""

import ctypes

import numpy as np

from ..workloads import initial_weights, load_real
from .compiler import compile_c


def prepare(workload, n_threads):
    if workload.data != "xor" or workload.networks > 1:
        return None
    train = compile_c("xor.c").train
    train.restype = ctypes.c_double
    X, y = load_real(workload)
    X, T = np.ascontiguousarray(X), y.astype(float)
    double = ctypes.POINTER(ctypes.c_double)

    def run():
        (W1, b1), (W2, b2) = ((W.copy(), b.copy()) for W, b in initial_weights(workload))
        arrays = [a.ctypes.data_as(double) for a in (X, T, W1, b1, W2, b2)]
        return train(*arrays, ctypes.c_double(workload.learning_rate), workload.epochs)

    return run
