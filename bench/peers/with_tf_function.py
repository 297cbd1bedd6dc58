"""TensorFlow, a `tf.function` loop."""

from .tensorflow_graph import prepare_graph


def prepare(workload, n_threads):
    return prepare_graph(workload, n_threads, jit_compile=False)
