"""JAX: the whole epoch (for XOR the whole run) in one compiled loop; many networks by `vmap`."""

import os
import time

import jax
import jax.numpy as jnp
import numpy as np

from ..workloads import initial_weights, load_real, many_initial_weights
from .process import ON_GPU

GENERATORS = ("threefry2x32", "unsafe_rbg")  # of dropout's masks; which is faster, it depends
ENOUGH = 1000  # samples of an epoch that tells which


def many_epochs(workload, start, dtype, epochs):
    """Return the run of many networks, epoch by epoch, each with an order of its own."""
    zeros = jax.tree.map(jnp.zeros_like, start)
    first = (start, zeros, zeros, jnp.zeros(workload.networks, dtype))

    def run():
        state, key = first, jax.random.key(0)
        for _ in range(workload.epochs):
            key, *keys = jax.random.split(key, workload.networks + 1)
            state, values = epochs(state, jnp.stack(keys))
        return float(values.mean())

    return run


def prepare(workload, n_threads):
    if workload.task in ("perceptron", "delta-rule"):
        return None
    jax.config.update("jax_enable_x64", workload.dtype == "float64")
    if ON_GPU not in os.environ:
        jax.config.update("jax_platforms", "cpu")
    elif jax.default_backend() != "gpu":
        raise ImportError("JAX finds no GPU")
    X, y = load_real(workload)
    n_classes, n, B = workload.sizes[-1], len(X), min(workload.batch_size, len(X))
    params = [tuple(map(jnp.asarray, layer)) for layer in initial_weights(workload)]
    activate = {"relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[workload.activation]

    def forward(params, x, key=None):
        for layer, (W, b) in enumerate(params):
            x = x @ W + b
            if layer < len(params) - 1:
                x = activate(x)
                if workload.dropout and key is not None:
                    keep = 1 - workload.dropout
                    key, now = jax.random.split(key)
                    x = jnp.where(jax.random.bernoulli(now, keep, x.shape), x / keep, 0)
        return x

    def loss(params, x, t, key):
        x = forward(params, x, key)
        if workload.loss == "crossentropy":
            return -jnp.mean(jnp.take_along_axis(jax.nn.log_softmax(x), t[:, None], axis=1))
        t = t[:, None] if n_classes == 1 else jax.nn.one_hot(t, n_classes, dtype=x.dtype)
        return jnp.mean(jnp.sum((t - jax.nn.sigmoid(x)) ** 2, axis=1)) / 2

    if workload.task == "predict":
        classify = jax.jit(lambda x: forward(params, x).argmax(axis=1))
        samples = [X[i : i + 1] for i in range(workload.epochs)]
        return lambda: float(np.mean([int(classify(x)[0]) for x in samples]))
    X, y = jnp.asarray(X), jnp.asarray(y)
    if workload.task == "gradient":

        @jax.jit
        def norm(params):
            grads = jax.tree.leaves(jax.grad(loss)(params, X[:B], y[:B], None))
            return grads, jnp.sqrt(sum(jnp.sum(g**2) for g in grads))

        return lambda: [float(norm(params)[1]) for _ in range(workload.epochs)][-1]

    def update(state, x, t, key):
        params, m, v, step = state
        value, g = jax.value_and_grad(loss)(params, x, t, key)
        rate = workload.learning_rate
        if workload.solver == "sgd":
            return (jax.tree.map(lambda p, g: p - rate * g, params, g), m, v, step), value
        step = step + 1
        m = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, m, g)
        v = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
        rate = rate * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        new = jax.tree.map(lambda p, m, v: p - rate * m / (jnp.sqrt(v) + 1e-8), params, m, v)
        return (new, m, v, step), value

    @jax.jit
    def full_batch(state):
        def body(_, carry):
            return update(carry[0], X, y, None)

        return jax.lax.fori_loop(0, workload.epochs, body, (state, jnp.zeros((), X.dtype)))

    @jax.jit
    def epoch(state, key):
        n_steps = n // B
        order_key, drop_key = jax.random.split(key)
        order = jax.random.permutation(order_key, n)[: n_steps * B].reshape(n_steps, B)

        def body(state, inputs):
            batch, key = inputs
            return update(state, X[batch], y[batch], key)

        state, losses = jax.lax.scan(body, state, (order, jax.random.split(drop_key, n_steps)))
        return state, losses.mean()

    zeros = jax.tree.map(jnp.zeros_like, params)
    first = (params, zeros, zeros, jnp.zeros((), X.dtype))
    if workload.networks > 1:
        start = tuple(tuple(map(jnp.asarray, layer)) for layer in many_initial_weights(workload))
        if workload.data != "xor":
            return many_epochs(workload, start, X.dtype, jax.jit(jax.vmap(epoch)))
        many = jax.jit(jax.vmap(lambda params: full_batch((params, *first[1:]))[1]))
        return lambda: float(many(start).mean())
    if workload.data == "xor":
        return lambda: float(full_batch(first)[1])

    def seconds(generator):
        key = jax.random.key(0, impl=generator)
        epoch(first, key)[1].block_until_ready()  # compiles
        found = []
        for _ in range(3):
            begin = time.perf_counter()
            epoch(first, key)[1].block_until_ready()
            found.append(time.perf_counter() - begin)
        return min(found)

    tell = workload.dropout and n >= ENOUGH
    generator = min(GENERATORS, key=seconds) if tell else GENERATORS[0]
    current = {"state": first, "key": jax.random.key(0, impl=generator)}

    def run():
        for _ in range(workload.epochs):
            current["key"], key = jax.random.split(current["key"])
            current["state"], value = epoch(current["state"], key)
        return float(value)

    return run
