"""Distorted images on a CPU: how their fields lie in memory, and who computes which image."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..interface import ImageDistortion
from ..shared import gaussian_weights
from ..threads import available_processors, run_workers
from . import panels

ROWS_AT_ONCE = 4
IMAGES_PER_THREAD = 100  # fewer are sooner distorted than a thread is started
PIXELS_PER_CALL = 2_000_000  # between two calls Ctrl-C is heard


class Plan(NamedTuple):
    """What smooths the fields of an image.

    Attributes
    ----------
    rows : (n_rows, n_rows); columns : (width, width)
        Band matrices: rows @ field @ columns is the smoothed field. Both are symmetric; an image's
        height and width are rounded up to what the kernels take at a time, with zeros.
    radius : int
        How far from their diagonals the bands reach.
    n_scratch : int
        Numbers that a thread needs: two fields and their product, an image in its frame, and the
        random numbers of an image.
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]
    radius: int
    n_scratch: int


def plan(h: int, w: int, sigma: float, panel_width: int) -> Plan:
    """Return the plan of images (h, w)."""
    weights = gaussian_weights(sigma)
    n_rows = -(-h // ROWS_AT_ONCE) * ROWS_AT_ONCE
    width = panels.count_panels(w, panel_width) * panel_width
    n_random = -(-(4 + 2 * h * w) // panel_width) * panel_width
    n_scratch = 3 * n_rows * width + (h + 3) * (w + 3) + n_random
    radius = min(len(weights) // 2, max(h, w))
    return Plan(_band(weights, h, n_rows), _band(weights, w, width), radius, n_scratch)


def _band(weights: NDArray[np.float64], n: int, size: int) -> NDArray[np.float64]:
    """Return the matrix (size, size) that convolves n numbers with weights."""
    distance = np.abs(np.arange(n)[:, np.newaxis] - np.arange(n))
    radius = len(weights) // 2
    band = panels.aligned(size * size, np.float64).reshape(size, size)
    near = distance <= radius
    band[:n, :n][near] = weights[radius + distance[near]]
    return band


def distort(
    kernel: Any,
    panel_width: int,
    images: NDArray[np.uint8],
    distortion: ImageDistortion,
    angles: NDArray[np.float64],
    seed: int,
    epoch: int,
    n_threads: int,
) -> NDArray[np.uint8]:
    """Return the images of an epoch; see `interface.Kernels.distort_images`."""
    h, w, _, scaling, sigma, alpha = distortion
    smoothing, distorted, n = plan(h, w, sigma, panel_width), np.empty_like(images), len(images)
    # Numba takes Python's integers as signed.
    key, low = np.uint64(seed), np.uint32(epoch & 0xFFFFFFFF)
    n_threads = max(1, min(n_threads, available_processors(), n // IMAGES_PER_THREAD))
    per_call, stop = max(1, PIXELS_PER_CALL // (h * w)), panels.new_stop()

    def part(first: int, end: int, scratch: NDArray[np.float64]) -> None:
        kernel(
            images,
            distorted,
            h,
            w,
            scaling,
            alpha,
            smoothing.rows,
            smoothing.columns,
            smoothing.radius,
            angles,
            key,
            low,
            first,
            end,
            scratch,
        )

    def worker(thread: int) -> None:
        scratch = panels.aligned(smoothing.n_scratch, np.float64)
        for first, end in panels.parts(n, thread, n_threads, per_call, stop):
            part(first, end, scratch)

    if n_threads > 1:  # Numba compiles in it, in a thread that hears Ctrl-C
        part(0, 0, panels.aligned(smoothing.n_scratch, np.float64))
    run_workers(worker, n_threads, stop)
    return distorted
