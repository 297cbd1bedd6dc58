"""Random numbers from a counter: the same for every back end, number of threads and order of work.

Philox4x32-10 (J. Salmon, M. Moraes, R. Dror, D. Shaw, "Parallel random numbers: as easy as
1, 2, 3", SC 2011). The key is the seed; the counter says what the number is for. Initial weights
and shuffles are made here; the back ends make dropout masks, from the same streams.
"""

import secrets
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backends.codes import STREAM_SHUFFLE, STREAM_WEIGHTS
from .parameters import is_integer, shown


def philox(counters: NDArray[np.uint64], seed: int | NDArray[np.uint64]) -> None:
    """Replace counters by four random 32-bit words each, in place.

    To allocate the rounds' results took longer than to compute them.

    Parameters
    ----------
    counters : (4, ...) of uint64
        Of 32 bits each; they become the words.
    seed : int or array of uint64
        The key, 64 bits; or one for each counter, with as many dimensions.
    """
    low, half = np.uint64(0xFFFFFFFF), np.uint64(32)
    ones = (1,) * (counters.ndim - 1)
    key = np.array(seed, np.uint64).reshape(np.shape(seed) or ones)
    rounds = np.arange(10, dtype=np.uint64).reshape(10, 1, *ones)
    keys = np.array([key & low, key >> half]) + rounds * _pair(0x9E3779B9, 0xBB67AE85, ones)
    keys &= low
    factors = _pair(0xD2511F53, 0xCD9E8D57, ones)
    even, odd = counters[0::2], counters[1::2]
    products, high = np.empty_like(even), np.empty_like(even)
    for own in keys:
        np.multiply(even, factors, out=products)
        np.right_shift(products, half, out=high)
        np.bitwise_xor(high[::-1], odd, out=even)
        np.bitwise_xor(even, own, out=even)
        np.bitwise_and(products[::-1], low, out=odd)


def _pair(first: int, second: int, ones: tuple[int, ...]) -> NDArray[np.uint64]:
    """Return a number for counter 0 and one for counter 2."""
    return np.array([first, second], np.uint64).reshape(2, *ones)


def _words(counters: NDArray[np.uint64], stream: int, seed: Any) -> NDArray[np.uint64]:
    """Return random 64-bit numbers, two from each counter: (..., n) become (..., 2 n)."""
    counters[3] = stream << 16
    philox(counters, seed)
    words = np.empty((*counters.shape[1:], 2), np.uint64)
    np.left_shift(counters[1::2], np.uint64(32), out=counters[1::2])
    np.bitwise_or(counters[0], counters[1], out=words[..., 0])
    np.bitwise_or(counters[2], counters[3], out=words[..., 1])
    return words.reshape(*counters.shape[1:-1], -1)


def uniforms(numbers: Sequence[int], seeds: Sequence[int]) -> list[NDArray[np.float64]]:
    """Return numbers from U(0, 1), multiples of 2**-53, of the stream for weights.

    So many for step 0, 1 and so on, (m, n) for m seeds, all in one go: of few numbers the calls are
    what takes time.
    """
    blocks = [-(-n // 2) for n in numbers]
    counters = np.zeros((4, len(seeds), sum(blocks)), np.uint64)
    parts, end = [], 0
    for step, (n, m) in enumerate(zip(numbers, blocks, strict=True)):
        counters[0, :, end : end + m] = np.arange(m)
        counters[2, :, end : end + m] = step
        parts.append(slice(2 * end, 2 * end + n))
        end += m
    words = _words(counters, STREAM_WEIGHTS, np.array(seeds, np.uint64)[:, np.newaxis])
    reals = (words >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return [reals[:, part] for part in parts]


def uniform(n: int, seed: int) -> NDArray[np.float64]:
    """Return n numbers from U(0, 1), those of step 0."""
    return uniforms([n], [seed])[0][0]


def normal_from(uniform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers from N(0, 1), half as many, by the transform of Box & Muller (1958), (1)."""
    n = uniform.shape[-1] // 2
    u, v = 1 - uniform[..., :n], 1 - uniform[..., n:]  # in (0, 1]: the logarithm is finite
    return np.asarray(np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v), np.float64)


def shuffled(
    n: int, seed: int, first_epoch: int, n_epochs: int = 1, part: int = 0
) -> NDArray[np.int64]:
    """Return the sample orders of some epochs, (n_epochs, n): each sorts n random numbers.

    `part` is that of an epoch which is shuffled part by part: 32 bits.
    """
    return shuffled_each(n, [seed], [first_epoch], n_epochs, part)[0]


def shuffled_each(
    n: int, seeds: Sequence[int], first_epochs: Sequence[int], n_epochs: int, part: int = 0
) -> NDArray[np.int64]:
    """Return the sample orders (m, n_epochs, n) of m networks.

    The lowest bits of a number are its place: numbers are sorted sooner than places by numbers.
    """
    blocks = -(-n // 2)
    counters = np.zeros((4, len(seeds), n_epochs, blocks), np.uint64)
    counters[0], counters[1] = np.arange(blocks), part
    epochs = np.array(first_epochs)[:, np.newaxis] + np.arange(n_epochs)
    counters[2] = (epochs & 0xFFFFFFFF)[..., np.newaxis]
    keys = np.array(seeds, np.uint64)[:, np.newaxis, np.newaxis]
    return _places_by_size(_words(counters, STREAM_SHUFFLE, keys)[..., :n])


def shuffled_range(first: int, end: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of the samples first to below end, counted from 0, in an epoch.

    Each has the same random number as in `shuffled`, which is the order of all together.
    """
    counters = np.zeros((4, -(-end // 2) - first // 2), np.uint64)
    counters[0] = np.arange(first // 2, -(-end // 2))
    counters[2] = epoch & 0xFFFFFFFF
    words = _words(counters, STREAM_SHUFFLE, seed)
    return _places_by_size(words[first % 2 : first % 2 + end - first])


def _places_by_size(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Return the places of random numbers (..., n), by rising number."""
    n = words.shape[-1]
    bits = np.uint64(max(0, n - 1).bit_length())
    words = words >> bits << bits | np.arange(n, dtype=np.uint64)
    words.sort(axis=-1)
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
