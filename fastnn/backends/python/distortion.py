"""Randomly changed images, in plain Python (Cireşan et al. 2010, Simard et al. 2003)."""

from math import cos, floor, sin

import numpy as np

from ..codes import STREAM_DISTORTION
from ..shared import gaussian_weights
from .formulas import philox


def distort_images(images, distortion, angles, seed, epoch, n_threads):
    """Return the images of an epoch; see `interface.Kernels`."""
    h, w, _, scaling, sigma, alpha = distortion
    weights = gaussian_weights(sigma).tolist()
    key, stream = (seed & 0xFFFFFFFF, seed >> 32), STREAM_DISTORTION << 16
    distorted = np.empty_like(images)
    for i in range(len(images)):
        u: list[float] = []  # from U(-1, 1)
        for block in range((4 + 2 * h * w + 3) // 4):
            u += [word / 2**31 - 1 for word in philox((block, i, epoch & 0xFFFFFFFF, stream), key)]
        angle = u[0] * float(angles[i])
        stretch_y, stretch_x = 1 + scaling * u[1], 1 + scaling * u[2]
        field_y = _smooth(u[4 : 4 + h * w], h, w, weights)
        field_x = _smooth(u[4 + h * w : 4 + 2 * h * w], h, w, weights)
        pixels = images[i].tolist()
        for r in range(h):
            for c in range(w):
                y, x = r - (h - 1) / 2, c - (w - 1) / 2
                at_y = (y * cos(angle) - x * sin(angle)) / stretch_y + alpha * field_y[r * w + c]
                at_x = (y * sin(angle) + x * cos(angle)) / stretch_x + alpha * field_x[r * w + c]
                value = _interpolate(pixels, h, w, at_y + (h - 1) / 2, at_x + (w - 1) / 2)
                distorted[i, r * w + c] = floor(value + 0.5)
    return distorted


def _smooth(field, h, w, weights):
    """Convolve a field (h, w) with weights along its columns, then along its rows."""
    radius = len(weights) // 2
    once, twice = [0.0] * (h * w), [0.0] * (h * w)
    for r in range(h):
        for k in range(max(-radius, -r), min(radius, h - 1 - r) + 1):
            for c in range(w):
                once[r * w + c] += weights[k + radius] * field[(r + k) * w + c]
    for r in range(h):
        for k in range(max(-radius, 1 - w), min(radius, w - 1) + 1):
            for c in range(max(0, -k), min(w, w - k)):
                twice[r * w + c] += weights[k + radius] * once[r * w + c + k]
    return twice


def _interpolate(pixels, h, w, y, x):
    """Return the value at (y, x) between four pixels; pixels outside are 0."""
    r, c = floor(y), floor(x)
    value = 0.0
    for i, weight_y in ((r, r + 1 - y), (r + 1, y - r)):
        for j, weight_x in ((c, c + 1 - x), (c + 1, x - c)):
            if 0 <= i < h and 0 <= j < w:
                value += weight_y * weight_x * pixels[i * w + j]
    return value
