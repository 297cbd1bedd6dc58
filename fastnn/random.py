"""Random numbers from a counter: the same for every back end, number of threads and order of work.

Philox4x32-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011). The key is the seed; the counter says what the number is for. Initial weights
and shuffles are made here; the back ends make dropout masks, from the same streams.
"""

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.codes import STREAM_SHUFFLE, STREAM_WEIGHTS
from .parameters import is_integer, shown


def philox(counters: NDArray[np.uint64], seed: int) -> None:
    """Replace counters by four random 32-bit words each, in place.

    To allocate the rounds' results took longer than to compute them.

    Parameters
    ----------
    counters : (4, ...) of uint64
        Of 32 bits each; they become the words.
    seed : int
        The key, 64 bits.
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    c0, c1, c2, c3 = counters
    p0, p1 = np.empty_like(c0), np.empty_like(c0)
    k0, k1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        np.multiply(c0, np.uint64(0xD2511F53), out=p0)
        np.multiply(c2, np.uint64(0xCD9E8D57), out=p1)
        np.right_shift(p1, half, out=c0)
        np.right_shift(p0, half, out=c2)
        c0 ^= c1
        c2 ^= c3
        c0 ^= np.uint64(k0)
        c2 ^= np.uint64(k1)
        np.bitwise_and(p1, low, out=c1)
        np.bitwise_and(p0, low, out=c3)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF


def random_words(n: int, seed: int, stream: int, step: int = 0) -> NDArray[np.uint64]:
    """Return n random 64-bit numbers of a stream, two from each counter."""
    return _rows_of_words(n, seed, stream, step, 1)[0]


def _rows_of_words(n, seed, stream, first_step, n_steps):
    """Return (n_steps, n) random 64-bit numbers, a row for each step."""
    blocks = -(-n // 2)
    counters = np.zeros((4, n_steps, blocks), np.uint64)
    counters[0] = np.arange(blocks)
    counters[2] = (np.arange(first_step, first_step + n_steps) & 0xFFFFFFFF)[:, np.newaxis]
    counters[3] = stream << 16
    philox(counters, seed)
    words = np.empty((n_steps, blocks, 2), np.uint64)
    np.left_shift(counters[1::2], np.uint64(32), out=counters[1::2])
    np.bitwise_or(counters[0], counters[1], out=words[:, :, 0])
    np.bitwise_or(counters[2], counters[3], out=words[:, :, 1])
    return words.reshape(n_steps, 2 * blocks)[:, :n]


def uniform(n: int, seed: int, step: int = 0) -> NDArray[np.float64]:
    """Return n numbers from U(0, 1), each a multiple of 2**-53, of the stream for weights."""
    words = random_words(n, seed, STREAM_WEIGHTS, step)
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(n: int, seed: int, step: int = 0) -> NDArray[np.floating]:
    """Return n numbers from N(0, 1), by the transform of Box and Muller (1958), equation 1."""
    u = 1 - uniform(2 * n, seed, step)  # in (0, 1]: the logarithm is finite
    return np.asarray(np.sqrt(-2 * np.log(u[:n])) * np.cos(2 * np.pi * u[n:]), np.float64)


def shuffled(n: int, seed: int, first_epoch: int, n_epochs: int = 1) -> NDArray[np.int64]:
    """Return the sample orders of some epochs, (n_epochs, n): each sorts n random numbers.

    The lowest bits of a number are its place: numbers are sorted sooner than places by numbers.
    """
    words = _rows_of_words(n, seed, STREAM_SHUFFLE, first_epoch, n_epochs)
    bits = np.uint64((n - 1).bit_length())
    words = words >> bits << bits | np.arange(n, dtype=np.uint64)
    words.sort(axis=1)
    words &= (np.uint64(1) << bits) - np.uint64(1)
    return words.view(np.int64)


def seed_from(random_state: Any) -> int:
    """Return a 64-bit seed from an int, a NumPy generator or, for None, the operating system.

    Raises
    ------
    ValueError
        If `random_state` is neither, or an int outside 0 to 2**64 - 1.
    """
    if random_state is None:
        return secrets.randbits(64)
    if isinstance(random_state, np.random.Generator):
        return int(random_state.integers(2**63))
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    if is_integer(random_state) and 0 <= int(random_state) < 2**64:
        return int(random_state)
    raise ValueError(
        f"random_state={shown(random_state)}: expected None, an int from 0 to 2**64 - 1, "
        "or a NumPy Generator or RandomState"
    )
