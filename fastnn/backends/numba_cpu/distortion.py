"""Distorted images, with Numba, in double precision; it follows cython_cpu/distortion.pxi."""

import math

import numpy as np

from ..codes import STREAM_DISTORTION
from ..cpu.distortion import ROWS_AT_ONCE
from .compile import inlined, kernel
from .philox import vuniform
from .vector import lanes, pointer, vfma, vload, vstore, vzero


@kernel
def distort_images(
    images,
    distorted,
    h,
    w,
    scaling,
    alpha,
    rows,
    columns,
    radius,
    angles,
    seed,
    epoch,
    start,
    stop,
    scratch,
):
    """Write the distorted images of samples start to stop."""
    n_rows, width = len(rows), len(columns)
    size, n_framed = n_rows * width, (h + 3) * (w + 3)
    field_y, field_x = scratch[:size], scratch[size : 2 * size]
    once, framed = scratch[2 * size : 3 * size], scratch[3 * size : 3 * size + n_framed]
    u = scratch[3 * size + n_framed :]
    middle_y, middle_x = (h - 1) / 2, (w - 1) / 2
    for i in range(start, stop):
        draw(np.uint64(seed), epoch, i, 4 + 2 * h * w, u)
        spread(u[4:], field_y, h, w, width)
        spread(u[4 + h * w :], field_x, h, w, width)
        smooth(field_y, once, rows, columns, n_rows, width, radius)
        smooth(field_x, once, rows, columns, n_rows, width, radius)
        frame(images[i], framed, h, w)
        sine, cosine = math.sin(u[0] * angles[i]), math.cos(u[0] * angles[i])
        stretch_y, stretch_x = 1 + scaling * u[1], 1 + scaling * u[2]
        by_row, by_column = cosine / stretch_y, -sine / stretch_y
        locate(field_y, h, w, width, by_row, by_column, alpha, middle_y, middle_x, middle_y, h)
        by_row, by_column = sine / stretch_x, cosine / stretch_x
        locate(field_x, h, w, width, by_row, by_column, alpha, middle_y, middle_x, middle_x, w)
        resample(framed, distorted[i], h, w, width, field_y, field_x)


@kernel
def draw(seed, epoch, sample, n, u):
    """Draw n numbers of a sample from U(-1, 1), and some more up to whole pairs of vectors."""
    stream, L, numbers = np.uint64(STREAM_DISTORTION << 16), lanes(u), pointer(u)
    for first in range(0, n, 2 * L):
        block = np.uint64(first // 4)
        a, b = vuniform(u, block, np.uint64(sample), np.uint64(epoch), stream, seed)
        vstore(numbers, first, a)
        vstore(numbers, first + L, b)


@kernel
def spread(u, field, h, w, width):
    """Write numbers (h, w) into rows that are `width` apart."""
    for r in range(h):
        for c in range(w):
            field[r * width + c] = u[r * w + c]


@kernel
def smooth(field, once, rows, columns, n_rows, width, radius):
    """Convolve a field along its columns (rows field), then along its rows (columns), in place."""
    a, b, f, g = pointer(rows), pointer(columns), pointer(field), pointer(once)
    at_once = 2 * lanes(field)
    for r in range(0, n_rows, ROWS_AT_ONCE):
        first, last = max(0, r - radius), min(n_rows, r + ROWS_AT_ONCE + radius)
        for c in range(0, width, at_once):
            multiply_block(a, r * n_rows, n_rows, f, c, g, r * width + c, width, first, last)
    for c in range(0, width, at_once):
        first, last = max(0, c - radius), min(width, c + at_once + radius)
        for r in range(0, n_rows, ROWS_AT_ONCE):
            multiply_block(g, r * width, width, b, c, f, r * width + c, width, first, last)


@inlined
def multiply_block(a, at_a, row, b, at_b, out, at, width, first, last):
    """Write ROWS_AT_ONCE rows and two vectors of a b, summed over k from `first` to `last`.

    Rows of a are `row` apart, those of b and the product `width`.
    """
    L = lanes(b)
    x0 = x1 = x2 = x3 = y0 = y1 = y2 = y3 = vzero(b)
    for k in range(first, last):
        x, y = vload(b, at_b + k * width), vload(b, at_b + k * width + L)
        x0, y0 = vfma(a[at_a + k], x, x0), vfma(a[at_a + k], y, y0)
        x1, y1 = vfma(a[at_a + row + k], x, x1), vfma(a[at_a + row + k], y, y1)
        x2, y2 = vfma(a[at_a + 2 * row + k], x, x2), vfma(a[at_a + 2 * row + k], y, y2)
        x3, y3 = vfma(a[at_a + 3 * row + k], x, x3), vfma(a[at_a + 3 * row + k], y, y3)
    vstore(out, at, x0)
    vstore(out, at + L, y0)
    vstore(out, at + width, x1)
    vstore(out, at + width + L, y1)
    vstore(out, at + 2 * width, x2)
    vstore(out, at + 2 * width + L, y2)
    vstore(out, at + 3 * width, x3)
    vstore(out, at + 3 * width + L, y3)


@kernel
def frame(image, framed, h, w):
    """Write an image in a frame of zeros: one row and column before it, two after it."""
    for r in range(h):
        for c in range(w):
            framed[(r + 1) * (w + 3) + c + 1] = image[r * w + c]


@kernel
def locate(field, h, w, width, by_row, by_column, alpha, middle_y, middle_x, middle, size):
    """Replace displacements by where in the frame pixels come from, along an axis of `size`.

    Where that is outside of the image, it is the nearest place in the frame: all is 0 there, too.
    """
    origin, last = middle + 1 - by_row * middle_y - by_column * middle_x, float(size + 1)
    for r in range(h):
        for c in range(w):
            at = origin + by_row * r + by_column * c + alpha * field[r * width + c]
            at = at if at > 0.0 else 0.0
            field[r * width + c] = at if at < last else last


@kernel
def resample(framed, distorted, h, w, width, places_y, places_x):
    """Write each pixel's value: bilinear interpolation between the four where it comes from."""
    stride = w + 3
    for r in range(h):
        for c in range(w):
            y, x = places_y[r * width + c], places_x[r * width + c]
            row, column = np.int32(y), np.int32(x)
            below, right, p = y - row, x - column, row * stride + column
            above = framed[p] + right * (framed[p + 1] - framed[p])
            q = p + stride
            under = framed[q] + right * (framed[q + 1] - framed[q])
            distorted[r * w + c] = np.uint8(above + below * (under - above) + 0.5)
