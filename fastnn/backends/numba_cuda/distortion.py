"""The CUDA kernel of distorted images: a block of threads for each of them, in double precision.

python/distortion.py says what is computed; every sum is formed by one thread in the same order as
there.
"""

import math

import numpy as np
from numba import config, cuda

from ..codes import STREAM_DISTORTION
from .formulas import philox

THREADS = 4 if config.ENABLE_CUDASIM else 128


@cuda.jit(device=True)
def draw(key, epoch, sample, number):
    """Return a number of a sample from U(-1, 1)."""
    stream, block = np.uint64(STREAM_DISTORTION << 16), np.uint64(number // 4)
    word = philox(key, block, np.uint64(sample), np.uint64(epoch), stream, number % 4)
    return word / 2147483648.0 - 1


@cuda.jit(device=True)
def interpolate(images, i, h, w, y, x):
    """Return the value of image i at (y, x) between four pixels; pixels outside are 0."""
    r, c = np.int64(math.floor(y)), np.int64(math.floor(x))
    below, right, value = y - r, x - c, 0.0
    if 0 <= r < h and 0 <= c < w:
        value += (1 - below) * (1 - right) * images[i, r * w + c]
    if 0 <= r < h and -1 <= c < w - 1:
        value += (1 - below) * right * images[i, r * w + c + 1]
    if -1 <= r < h - 1 and 0 <= c < w:
        value += below * (1 - right) * images[i, (r + 1) * w + c]
    if -1 <= r < h - 1 and -1 <= c < w - 1:
        value += below * right * images[i, (r + 1) * w + c + 1]
    return value


@cuda.jit
def distort(images, distorted, h, w, scaling, alpha, weights, angles, key, epoch, scratch):
    """Write distorted images; `scratch` is (blocks, 4, h * w): each block's fields, y and x."""
    t, own, radius = cuda.threadIdx.x, cuda.blockIdx.x, weights.shape[0] // 2
    n = h * w
    for i in range(own, images.shape[0], cuda.gridDim.x):
        for p in range(t, 2 * n, THREADS):
            scratch[own, p // n, p % n] = draw(key, epoch, i, 4 + p)
        cuda.syncthreads()
        for p in range(t, 2 * n, THREADS):  # along the columns
            f, r, c = p // n, p % n // w, p % w
            total = 0.0
            for k in range(max(-radius, -r), min(radius, h - 1 - r) + 1):
                total += weights[k + radius] * scratch[own, f, (r + k) * w + c]
            scratch[own, 2 + f, p % n] = total
        cuda.syncthreads()
        for p in range(t, 2 * n, THREADS):  # along the rows
            f, c = p // n, p % w
            total = 0.0
            for k in range(max(-radius, -c), min(radius, w - 1 - c) + 1):
                total += weights[k + radius] * scratch[own, 2 + f, p % n + k]
            scratch[own, f, p % n] = total
        cuda.syncthreads()
        angle = draw(key, epoch, i, 0) * angles[i]
        stretch_y = 1 + scaling * draw(key, epoch, i, 1)
        stretch_x = 1 + scaling * draw(key, epoch, i, 2)
        sine, cosine = math.sin(angle), math.cos(angle)
        middle_y, middle_x = (h - 1) / 2, (w - 1) / 2
        for p in range(t, n, THREADS):
            y, x = p // w - middle_y, p % w - middle_x
            at_y = (y * cosine - x * sine) / stretch_y + alpha * scratch[own, 0, p]
            at_x = (y * sine + x * cosine) / stretch_x + alpha * scratch[own, 1, p]
            value = interpolate(images, i, h, w, at_y + middle_y, at_x + middle_x)
            distorted[i, p] = np.uint8(value + 0.5)
        cuda.syncthreads()
