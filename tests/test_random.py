"""Philox against the known answers that Random123 publishes (its file kat_vectors)."""

import numpy as np
import pytest
from scipy import stats

from fastnn import random
from fastnn.backends.python import formulas

KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_philox_known_answers(counter, key, words, dtype):
    seed = key[1] << 32 | key[0]
    counters = np.array([counter], np.uint64).T
    assert formulas.philox(counter, key) == words
    random.philox(counters, seed)
    assert tuple(counters[:, 0].tolist()) == words
    numba = pytest.importorskip("fastnn.backends.numba_cpu.formulas")
    as_words = [np.uint64(c) for c in counter]
    assert numba.philox(*as_words, np.uint64(seed)) == words
    from fastnn.backends import cython_cpu as cython

    if cython.unavailable() is None:
        assert cython._import(np.dtype(dtype)).philox(np.array(counter, np.uint32), seed) == words


def test_uniform_and_normal_have_their_distributions():
    assert stats.kstest(random.uniform(100_000, 7), "uniform").pvalue > 1e-3
    assert stats.kstest(random.normal_from(random.uniform(200_000, 7)), "norm").pvalue > 1e-3


def test_shuffles_are_permutations_and_do_not_depend_on_the_block():
    block = random.shuffled(50, 3, 10, 4)
    assert (np.sort(block, axis=1) == np.arange(50)).all()
    for row, order in enumerate(block):
        assert (random.shuffled(50, 3, 10 + row)[0] == order).all()
    assert len({tuple(order) for order in block.tolist()}) == 4


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, "one", True])
def test_bad_random_state(seed):
    with pytest.raises(ValueError, match="random_state"):
        random.seed_from(seed)
