"""TensorFlow without Keras: the epochs as one `tf.function`, plain or compiled by XLA."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from ..workloads import initial_weights, load_real, one_hot


def prepare_graph(workload, n_threads, jit_compile):
    """Return the run of a workload; `jit_compile` says whether XLA compiles it."""
    if workload.task in ("perceptron", "delta-rule"):
        return None
    tf.config.threading.set_intra_op_parallelism_threads(n_threads)
    inputs, y = load_real(workload)
    X, T = tf.constant(inputs), tf.constant(one_hot(workload, y))
    n, B = len(inputs), min(workload.batch_size, len(inputs))
    start = [array for layer in initial_weights(workload) for array in layer]
    params = [tf.Variable(array) for array in start]

    def forward(x, training):
        for i in range(0, len(params), 2):
            x = x @ params[i] + params[i + 1]
            if i < len(params) - 2:
                x = tf.nn.relu(x) if workload.activation == "relu" else tf.sigmoid(x)
                if workload.dropout and training:
                    keep = 1 - workload.dropout
                    x = tf.where(tf.random.uniform(tf.shape(x)) < keep, x / keep, 0.0)
        return x

    def loss(x, t, training=True):
        z = forward(x, training)
        if workload.loss == "crossentropy":
            return tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(t, z))
        return tf.reduce_mean(tf.reduce_sum((t - tf.sigmoid(z)) ** 2, axis=1)) / 2

    def gradient(x, t, training=True):
        with tf.GradientTape() as tape:
            value = loss(x, t, training)
        return value, tape.gradient(value, params)

    if workload.task == "predict":

        @tf.function(jit_compile=jit_compile)
        def classify(x):
            return tf.argmax(forward(x, training=False), axis=1)

        samples = [tf.constant(inputs[i : i + 1]) for i in range(workload.epochs)]
        return lambda: float(np.mean([int(classify(x)[0]) for x in samples]))
    if workload.task == "gradient":

        @tf.function(jit_compile=jit_compile)
        def norm(x, t):
            return tf.linalg.global_norm(gradient(x, t, training=False)[1])

        return lambda: [float(norm(X[:B], T[:B])) for _ in range(workload.epochs)][-1]
    moments = [[tf.Variable(tf.zeros_like(p)) for p in params] for _ in range(2)]
    steps = tf.Variable(0.0)

    def update(grads):
        rate = workload.learning_rate
        if workload.solver == "sgd":
            for p, g in zip(params, grads, strict=True):
                p.assign_sub(rate * g)
            return
        steps.assign_add(1.0)
        rate *= tf.sqrt(1 - 0.999**steps) / (1 - 0.9**steps)
        for p, g, m, v in zip(params, grads, *moments, strict=True):
            m.assign(0.9 * m + 0.1 * g)
            v.assign(0.999 * v + 0.001 * g * g)
            p.assign_sub(rate * m / (tf.sqrt(v) + 1e-8))

    @tf.function(jit_compile=jit_compile)
    def epoch(order):
        total = tf.zeros((), X.dtype)
        for i in tf.range(tf.shape(order)[0]):
            value, grads = gradient(tf.gather(X, order[i]), tf.gather(T, order[i]))
            update(grads)
            total += value
        return total / tf.cast(tf.shape(order)[0], X.dtype)

    @tf.function(jit_compile=jit_compile)
    def full_batch(n_epochs):
        value = tf.zeros((), X.dtype)
        for _ in tf.range(n_epochs):
            value, grads = gradient(X, T)
            update(grads)
        return value

    rng = np.random.default_rng(0)

    def run():
        if workload.data == "xor":
            for variable, array in zip(params, start, strict=True):
                variable.assign(array)
            return float(full_batch(tf.constant(workload.epochs)))
        order = rng.permutation(n)[: n // B * B].reshape(-1, B)
        return float(epoch(tf.constant(order)))

    return run
