"""TensorFlow, the same loop compiled by XLA."""

from .tensorflow_graph import prepare_graph


def prepare(workload, n_threads):
    return prepare_graph(workload, n_threads, jit_compile=True)
