"""One group per workload: every back end and every peer, each proven right before it is timed."""

from dataclasses import replace

import pytest

from .peers.paired import LESS
from .workloads import WORKLOADS, smaller

OURS = ("python", "cython", "numba", "numba-cuda")
PEERS = ("numpy", "sklearn", "keras", "tf-function", "tf-xla", "pytorch", "jax")
SINGLE_LAYER = (*OURS, "numpy", "sklearn")
NO_SKLEARN = tuple(peer for peer in PEERS if peer != "sklearn")

GRADIENT = replace(WORKLOADS["mnist-32"], name="gradient", task="gradient", dropout=0.0, epochs=50)


def one_epoch(name):
    """Return a workload whose result is that of a first epoch: it depends least on the order."""
    return replace(WORKLOADS[name], epochs=1)


# Group -> workload, who takes part, and what one run works off (epochs of XOR, calls or samples):
# of most peers, and of those to whom that would take too long.
GROUPS = {
    "perceptron": (
        WORKLOADS["perceptron"],
        SINGLE_LAYER,
        100_000,
        {"python": 2000, "numpy": 20_000},
    ),
    "linear": (WORKLOADS["delta-rule"], SINGLE_LAYER, 100_000, {"python": 2000, "numpy": 20_000}),
    "xor": (
        WORKLOADS["xor"],
        (*OURS, *NO_SKLEARN, "fann", "c"),
        100_001,
        {
            **{"python": 5000, "numpy": 20_000, "keras": 20},
            **{"tf-function": 2000, "tf-xla": 5000, "pytorch": 1000},
        },
    ),
    "many networks xor": (
        WORKLOADS["xor-many"],
        (*OURS, "pytorch", "jax"),
        1000,
        {"python": 2},
    ),
    "mnist 784-512-10": (WORKLOADS["mnist-32"], (*OURS, *PEERS), 10_000, {"python": 32}),
    "narrow 784-8-10": (
        one_epoch("narrow-8"),
        (*OURS, *PEERS, "kann"),
        10_000,
        {"python": 500, "keras": 3000, "pytorch": 3000},
    ),
    "narrow 784-30-10": (
        one_epoch("narrow-30"),
        (*OURS, *PEERS, "kann"),
        10_000,
        {"python": 200, "keras": 3000, "pytorch": 3000},
    ),
    "narrow 784-30-10 nielsen": (
        one_epoch("narrow-nielsen"),
        (*OURS, *NO_SKLEARN, "fann"),
        10_000,
        {"python": 200, "keras": 3000, "tf-function": 3000, "pytorch": 3000},
    ),
    "wide 256-1024-1024-10": (
        WORKLOADS["wide"],
        (*OURS, "sgemm", *PEERS),
        5120,
        {"python": 10},
    ),
    "text 20000-64-20": (WORKLOADS["text"], (*OURS, "sklearn"), 4000, {"python": 20}),
    "busy 784-128-10": (
        WORKLOADS["busy"],
        ("cython", "numba", *PEERS),
        5000,
        {"keras": 1000, "tf-function": 1000, "pytorch": 1000},
    ),
    "mnist 784-30-10": (
        WORKLOADS["mnist-online"],
        (*OURS, *NO_SKLEARN, "fann"),
        10_000,
        {"python": 500, "keras": 1000, "tf-function": 1000, "pytorch": 1000},
    ),
    "fashion-mnist 784-128-10": (WORKLOADS["fashion-32"], (*OURS, *PEERS), 10_000, {"python": 96}),
    "predict one sample": (
        WORKLOADS["predict-1"],
        (*OURS, *PEERS),
        500,
        {"python": 10, "keras": 10},
    ),
    "gradient": (
        GRADIENT,
        (*OURS, *(peer for peer in NO_SKLEARN if peer != "keras")),
        50,
        {"python": 1},
    ),
}
ROWS = [(group, peer) for group, (_, peers, _, _) in GROUPS.items() for peer in peers]


@pytest.mark.parametrize(("group", "peer"), ROWS)
def test_speed(measure, quick, group, peer):
    workload, _, amount, less = GROUPS[group]
    amount = less.get(peer, amount)
    if quick:
        amount = min(amount, 2000 if peer != "python" else 32)
        amount = 2 if peer == "python" and workload.task == "predict" else amount
        if workload.networks > 1:
            workload, amount = replace(workload, epochs=1000), min(amount, 100)
    if (workload.name, peer) in LESS:
        workload = replace(workload, epochs=LESS[workload.name, peer])
    measure(smaller(workload, amount), peer, group)
