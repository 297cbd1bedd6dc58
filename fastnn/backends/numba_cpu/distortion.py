"""Distorted images, with Numba, in double precision; it follows cython_cpu/distortion.pxi."""

import math

import numpy as np

from ..codes import STREAM_DISTORTION
from .compile import kernel
from .formulas import philox


@kernel
def distort_images(
    images, distorted, h, w, scaling, alpha, weights, angles, seed, epoch, start, stop, scratch
):
    """Write the distorted images of samples start to stop; `scratch` is (4, h * w)."""
    u = np.empty(3)
    for i in range(start, stop):
        draw(np.uint64(seed), epoch, i, h * w, u, scratch[0], scratch[1])
        smooth(scratch[0], scratch[2], scratch[3], h, w, weights)
        smooth(scratch[1], scratch[2], scratch[3], h, w, weights)
        stretches = 1 + scaling * u[1], 1 + scaling * u[2]
        resample(
            images[i],
            distorted[i],
            h,
            w,
            u[0] * angles[i],
            stretches,
            alpha,
            scratch[0],
            scratch[1],
        )


@kernel
def draw(seed, epoch, sample, n, u, field_y, field_x):
    """Draw the numbers of a sample from U(-1, 1): three, and two fields of n."""
    stream = np.uint64(STREAM_DISTORTION << 16)
    for block in range((4 + 2 * n + 3) // 4):
        words = philox(np.uint64(block), np.uint64(sample), np.uint64(epoch), stream, seed)
        for j in range(4):
            value, p = words[j] / 2147483648.0 - 1, 4 * block + j - 4
            if p < 0:
                if j < 3:
                    u[j] = value
            elif p < n:
                field_y[p] = value
            elif p < 2 * n:
                field_x[p - n] = value


@kernel
def smooth(field, once, twice, h, w, weights):
    """Convolve a field (h, w) with weights along its columns, then along its rows, in place."""
    radius = len(weights) // 2
    once[:] = 0
    twice[:] = 0
    for r in range(h):
        for k in range(max(-radius, -r), min(radius, h - 1 - r) + 1):
            factor = weights[k + radius]
            for c in range(w):
                once[r * w + c] += factor * field[(r + k) * w + c]
    for r in range(h):
        for k in range(max(-radius, 1 - w), min(radius, w - 1) + 1):
            factor = weights[k + radius]
            for c in range(max(0, -k), min(w, w - k)):
                twice[r * w + c] += factor * once[r * w + c + k]
    field[:] = twice


@kernel
def resample(image, distorted, h, w, angle, stretches, alpha, field_y, field_x):
    """Write each pixel's value from where it comes."""
    sine, cosine = math.sin(angle), math.cos(angle)
    middle_y, middle_x = (h - 1) / 2, (w - 1) / 2
    for r in range(h):
        for c in range(w):
            y, x = r - middle_y, c - middle_x
            at_y = (y * cosine - x * sine) / stretches[0] + alpha * field_y[r * w + c]
            at_x = (y * sine + x * cosine) / stretches[1] + alpha * field_x[r * w + c]
            value = interpolate(image, h, w, at_y + middle_y, at_x + middle_x)
            distorted[r * w + c] = np.uint8(value + 0.5)


@kernel
def interpolate(image, h, w, y, x):
    """Return the value at (y, x) between four pixels; pixels outside are 0."""
    r, c = math.floor(y), math.floor(x)
    below, right, value = y - r, x - c, 0.0
    if 0 <= r < h and 0 <= c < w:
        value += (1 - below) * (1 - right) * image[r * w + c]
    if 0 <= r < h and -1 <= c < w - 1:
        value += (1 - below) * right * image[r * w + c + 1]
    if -1 <= r < h - 1 and 0 <= c < w:
        value += below * (1 - right) * image[(r + 1) * w + c]
    if -1 <= r < h - 1 and -1 <= c < w - 1:
        value += below * right * image[(r + 1) * w + c + 1]
    return value
