"""FANN (S. Nissen's C library), driven by a C program; sigmoid units and plain descent only."""

import ctypes

import numpy as np

from ..workloads import initial_weights, load_real, one_hot
from .compiler import compile_c


def prepare(workload, n_threads):
    """Return the run of a workload; FANN has one thread."""
    loss = workload.loss == "half_squared_error" and workload.solver == "sgd"
    if workload.task != "train" or not loss or workload.networks > 1:
        return None
    real, options = ctypes.c_float, ["-lfloatfann"]
    if workload.dtype == "float64":
        real, options = ctypes.c_double, ["-DIN_DOUBLE", "-ldoublefann"]
    try:
        fann = compile_c("fann.c", options)
    except ImportError as error:
        raise ImportError(f"{error}; FANN is Debian's libfann-dev") from None
    for function in (fann.make, fann.samples):
        function.restype = ctypes.c_void_p
    fann.train.restype = ctypes.c_double
    X, y = load_real(workload)
    T = one_hot(workload, y)
    X, T = (np.ascontiguousarray(array, real) for array in (X, T))
    units = [np.vstack([W, b]).T.ravel() for W, b in initial_weights(workload)]
    weights = np.concatenate(units).astype(real)
    sizes = (ctypes.c_uint * len(workload.sizes))(*workload.sizes)
    batch = min(workload.batch_size, len(X))

    def pointer(array):
        return array.ctypes.data_as(ctypes.POINTER(real))

    net = ctypes.c_void_p(
        fann.make(len(sizes), sizes, ctypes.c_float(workload.learning_rate), batch)
    )
    data = ctypes.c_void_p(fann.samples(len(X), X.shape[1], pointer(X), T.shape[1], pointer(T)))
    fann.set_weights(net, pointer(weights))

    def run():
        if workload.data == "xor":
            fann.set_weights(net, pointer(weights))
        return fann.train(net, data, batch, workload.epochs) * T.shape[1] / 2

    return run
