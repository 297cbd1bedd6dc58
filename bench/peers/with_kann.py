"""KANN (H. Li's C library) through cynn: its multi-layer perceptron, with its own RMSprop."""

import numpy as np
from cynn.kann import COST_MULTI_CROSS_ENTROPY, KannNeuralNetwork

from ..workloads import load_real, one_hot


def prepare(workload, n_threads):
    """Return the run of a workload; KANN begins with weights of its own, and has one thread."""
    if workload.task != "train" or workload.loss != "crossentropy":
        return None
    X, y = load_real(workload)
    T = one_hot(workload, y)
    n_in, *hidden, n_out = workload.sizes
    net = KannNeuralNetwork.mlp(n_in, hidden, n_out, COST_MULTI_CROSS_ENTROPY, workload.dropout)
    mean_squares = np.zeros(net.n_var, np.float32)

    def run():
        for _ in range(workload.epochs):
            loss = net.train_single_epoch(
                X, T, workload.learning_rate, workload.batch_size, mean_squares
            )[0]
        return loss

    return run
