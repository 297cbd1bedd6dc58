"""No training: the matrix products of one, by the BLAS that SciPy brings (sgemm).

How long they take by themselves is how fast a training could be whose other parts cost nothing.
"""

import numpy as np
from scipy.linalg.blas import sgemm

from ..workloads import load


def prepare(workload, n_threads):
    """Return a run with the products of all batches of an epoch; its result is 0."""
    if workload.task != "train" or workload.dtype != "float32" or workload.networks > 1:
        return None
    batch = min(workload.batch_size, load(workload)[0].shape[0])
    n_batches = -(-workload.sample_epochs // batch)
    rng = np.random.default_rng(0)
    layers = []
    for index, (m, n) in enumerate(zip(workload.sizes, workload.sizes[1:], strict=False)):
        x, W, delta = (
            np.asfortranarray(rng.normal(size=shape), np.float32)
            for shape in ((m, batch), (n, m), (n, batch))
        )
        z, gradient, back = np.empty_like(delta), np.empty_like(W), np.empty_like(x)
        products = [(W, x, False, False, z), (delta, x, False, True, gradient)]
        if index:  # no error goes back into the inputs
            products.append((W, delta, True, False, back))
        layers += products

    def run():
        for _ in range(n_batches):
            for a, b, trans_a, trans_b, c in layers:
                sgemm(1.0, a, b, 0.0, c, trans_a, trans_b, overwrite_c=True)
        return 0.0

    return run
