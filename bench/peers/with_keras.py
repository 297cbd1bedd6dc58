"""Keras on TensorFlow, by `fit`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
from tensorflow import keras

from ..workloads import initial_weights, load_real


def prepare(workload, n_threads):
    if workload.name != "mnist-32":
        return None
    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    X, y = load_real(workload)
    layers = [keras.Input((workload.sizes[0],))]
    for size in workload.sizes[1:-1]:
        layers += [keras.layers.Dense(size, workload.activation)]
        layers += [keras.layers.Dropout(workload.dropout)]
    model = keras.Sequential([*layers, keras.layers.Dense(workload.sizes[-1], "softmax")])
    model.set_weights([array for layer in initial_weights(workload) for array in layer])
    model.compile(keras.optimizers.Adam(workload.learning_rate), "sparse_categorical_crossentropy")

    def run():
        history = model.fit(X, y, batch_size=workload.batch_size, epochs=1, verbose=0)
        return history.history["loss"][0]

    return run
