"""Exponentials of output layers, in whole vectors, with Numba; it follows exponentials.pxi."""

import math

import numpy as np

from ..cpu.panels import DELTAS, N_NUMBERS, SLOPES, UNITS
from .compile import kernel
from .functions import vexp_or_0
from .task import column, offset_of
from .vector import (
    lanes,
    real,
    vabs,
    vdiv,
    vfirst,
    vlargest,
    vload,
    vmax,
    vmul,
    vneg,
    vsplat,
    vstore,
    vsub,
)


@kernel
def exponentials(p, layer, i):
    """Write exp(z - largest) for the pre-activations z of sample i in place of their slopes.

    Returns the largest; in columns that are missing there is 0.
    """
    n, L = column(p, layer, UNITS), lanes(p.work)
    slopes = column(p, layer, SLOPES) - offset_of(p, layer, 0, 0)
    least = real(p.work, -math.inf)
    most = vsplat(least)
    for c in range(0, n, L):
        z = vload(p.work, offset_of(p, layer, i, c))
        most = vmax(most, vfirst(z, n - c, least))
    largest = vlargest(most)
    for c in range(0, n, L):
        at = offset_of(p, layer, i, c)
        z = vsub(vload(p.work, at), vsplat(largest))
        vstore(p.work, slopes + at, vfirst(vexp_or_0(z), n - c, real(p.work, 0.0)))
    return np.float64(largest)


@kernel
def softmax_and_label(p, layer, i, sample, share, largest, total):
    """Do the rest of `loss_and_delta` for a label, or no target, in whole vectors."""
    n, L, work = column(p, layer, UNITS), lanes(p.work), p.work
    deltas = column(p, layer, DELTAS) - offset_of(p, layer, 0, 0)
    slopes = column(p, layer, SLOPES) - offset_of(p, layer, 0, 0)
    has_targets, a = p.n_targets > 0, p.numbers[N_NUMBERS + p.n_layers]
    label, place, z_label, sum_z, rest = -1, 0, 0.0, 0.0, 0.0
    if has_targets:
        label = int(p.targets[sample * p.n_targets])
        place = offset_of(p, layer, i, label)
        z_label = np.float64(work[place]) - largest
        if a > 0:  # label smoothing
            for c in range(n):
                sum_z += np.float64(work[offset_of(p, layer, i, c)]) - largest
    sum_y, factor = vsplat(real(work, total)), vsplat(real(work, share))
    for c in range(0, n, L):
        at = offset_of(p, layer, i, c)
        y = vdiv(vload(work, slopes + at), sum_y)
        vstore(work, at, y)
        if has_targets:
            y = vmul(factor, vsub(y, vsplat(real(work, a / n))))
            vstore(work, deltas + at, vfirst(y, n - c, real(work, 0.0)))
    if not has_targets:
        return 0.0
    for c in range(n):  # only so has a small delta of the label all its digits
        if c != label:
            rest += work[slopes + offset_of(p, layer, i, c)]
    work[deltas + place] = share * (a - a / n - rest / total)
    return math.log(total) - (1 - a) * z_label - a / n * sum_z


@kernel
def falling_exponentials(p, layer, i):
    """Write exp(-|z|) for the pre-activations z of sample i in place of their slopes."""
    slopes = column(p, layer, SLOPES) - offset_of(p, layer, 0, 0)
    for c in range(0, column(p, layer, UNITS), lanes(p.work)):
        at = offset_of(p, layer, i, c)
        vstore(p.work, slopes + at, vexp_or_0(vneg(vabs(vload(p.work, at)))))
