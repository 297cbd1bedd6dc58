"""Keras on TensorFlow, by `fit` and `predict`."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from tensorflow import keras

from ..workloads import initial_weights, load_real, one_hot


def prepare(workload, n_threads):
    if workload.task in ("perceptron", "delta-rule", "gradient"):
        return None
    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    keras.backend.set_floatx(workload.dtype)
    X, y = load_real(workload)
    softmax = workload.loss == "crossentropy"
    layers = [keras.Input((workload.sizes[0],))]
    for size in workload.sizes[1:-1]:
        layers += [keras.layers.Dense(size, workload.activation)]
        if workload.dropout:
            layers += [keras.layers.Dropout(workload.dropout)]
    output = keras.layers.Dense(workload.sizes[-1], "softmax" if softmax else "sigmoid")
    model = keras.Sequential([*layers, output])
    start = [array for layer in initial_weights(workload) for array in layer]
    model.set_weights(start)
    if workload.task == "predict":
        samples = [X[i : i + 1] for i in range(workload.epochs)]
        return lambda: float(np.mean([model.predict(x, verbose=0).argmax() for x in samples]))

    def half_squared_error(T, Y):
        return tf.reduce_sum((T - Y) ** 2, axis=1) / 2

    optimizer = keras.optimizers.Adam if workload.solver == "adam" else keras.optimizers.SGD
    model.compile(
        optimizer(workload.learning_rate),
        "sparse_categorical_crossentropy" if softmax else half_squared_error,
    )
    targets = y if softmax else one_hot(workload, y)

    def run():
        if workload.data == "xor":
            model.set_weights(start)
        history = model.fit(
            X, targets, batch_size=workload.batch_size, epochs=workload.epochs, verbose=0
        )
        return history.history["loss"][-1]

    return run
