"""Inputs, with Numba: compressing them, and reading those of a batch.

The functions follow cython_cpu/inputs.pxi. A batch of compressed rows is two lists of its values
that are not 0, by sample and by input; a dense one is panels of (B, W).
"""

import numpy as np

from ..cpu.panels import OUTPUTS
from .compile import inlined, kernel
from .compress import block, count_lanes, store_places, store_used, used_lanes
from .products import column_of
from .task import column
from .vector import fetch, lanes, load, pointer, real

FEW_ROWS = 8  # whether an input is 0 in all of them is no question that pays

# --- compressing -------------------------------------------------------------------------------


@kernel
def count_values(X, n_columns, first, end, counts):
    """Count the values that are not 0 in the dense rows first to end."""
    for i in range(first, end):
        counts[i] = count_row(X, i * n_columns, n_columns)


@kernel
def count_row(X, at, n):
    """Count the values of a dense row that begins at `at`."""
    count = 0
    if len(X.bytes) == 0:
        for k in range(at, at + n):
            count += load(X.reals, k) != 0
    else:
        for k in range(at, at + n):
            count += load(X.bytes, k) != 0
    return count


@kernel
def compress_rows(X, n_columns, first, end, out, are_counted):
    """Write values and columns of the dense rows first to end, where `out` starts them.

    Unless the values are counted, say where the next row starts.
    """
    for i in range(first, end):
        at, found = i * n_columns, out.starts[i]
        last = out.starts[i + 1] if are_counted else found + n_columns
        room = out.starts[end] if are_counted else last
        if len(X.bytes) == 0 and len(out.columns) == 0:
            last = compress_row(
                X.reals, at, n_columns, out.reals, out.short_columns, found, last, room
            )
        elif len(X.bytes) == 0:
            last = compress_row(X.reals, at, n_columns, out.reals, out.columns, found, last, room)
        elif len(out.columns) == 0:
            last = compress_row(
                X.bytes, at, n_columns, out.bytes, out.short_columns, found, last, room
            )
        else:
            last = compress_row(X.bytes, at, n_columns, out.bytes, out.columns, found, last, room)
        if not are_counted:
            out.starts[i + 1] = last


@kernel
def compress_row(x, at, n, values, columns, found, end, room):
    """Write those of a row up to `end`, and zeros up to `room`, which the next rows write over.

    Without branches, since zeros come at random. Returns where they end.
    """
    values, columns, k = pointer(values), pointer(columns), 0
    while block(x) > 0 and k + block(x) <= n and found + block(x) <= room:
        used = used_lanes(x, at + k)
        if used != 0:  # half of an image's blocks
            store_used(x, at + k, used, values, found)
            store_places(x, used, columns, found, k)
            found += count_lanes(used)
        k += block(x)
    while found < end and k < n:
        value = load(x, at + k)
        values[found] = value
        columns[found] = k
        found += value != 0
        k += 1
    return found


# --- a batch -----------------------------------------------------------------------------------


@inlined
def value_of(p, at):
    """Return a value of X as the network sees it."""
    if p.is_bytes:
        return real(p.work, load(p.bytes, at)) * p.scale
    return load(p.reals, at) * p.scale


@kernel
def load_batch(p, b):
    """Read this thread's samples of the batch."""
    first, end = b.rows * p.thread // p.n_threads, b.rows * (p.thread + 1) // p.n_threads
    if not p.sparse:
        for i in range(first, end):
            load_dense(p, i, p.order[b.first + i])
        return
    at = 0
    for i in range(end):
        sample = p.order[b.first + i]
        if i >= first:
            load_row(p, i, sample, at)
            prefetch_row(p, b, i)
        at += load(p.starts, sample + 1) - load(p.starts, sample)


@kernel
def load_dense(p, i, sample):
    """Copy one sample's inputs into row i of the input panels."""
    n, W, x = p.n_features, 2 * lanes(p.weights), sample * p.n_features
    out = column(p, 0, OUTPUTS) + i * W
    for first in range(0, n, W):
        row, m = out + first * p.batch, min(W, n - first)
        if p.is_bytes:
            for k in range(m):
                p.work[row + k] = real(p.work, p.bytes[x + first + k]) * p.scale
        else:
            for k in range(m):
                p.work[row + k] = p.reals[x + first + k] * p.scale


@kernel
def prefetch_row(p, b, i):
    """Ask for sample i of the next batch: it takes long to come from anywhere in memory."""
    if i + p.batch < b.n_after:  # two batches ahead
        starts = p.order[b.first + i + 2 * p.batch]
        fetch(p.starts, starts, starts + 1)
    if i >= b.n_after:
        return
    sample = p.order[b.first + i + p.batch]
    first, end = load(p.starts, sample), load(p.starts, sample + 1)
    if p.is_bytes:
        fetch(p.bytes, first, end)
    else:
        fetch(p.reals, first, end)
    if p.is_short:
        fetch(p.short_columns, first, end)
    else:
        fetch(p.columns, first, end)


@kernel
def load_row(p, i, sample, at):
    """Copy one sample's values and columns into its list, from `at` on."""
    T, first = p.n_threads, load(p.starts, sample)
    n = load(p.starts, sample + 1) - first
    if p.is_short:
        for q in range(n):
            p.position[at + q] = load(p.short_columns, first + q)
    else:
        for q in range(n):
            p.position[at + q] = load(p.columns, first + q)
    if p.is_bytes:
        for q in range(n):
            p.value[at + q] = real(p.work, load(p.bytes, first + q)) * p.scale
    else:
        for q in range(n):
            p.value[at + q] = load(p.reals, first + q) * p.scale
    split, q = i * (T + 1), 0
    p.split[split] = at
    p.split[split + T] = at + n
    for t in range(1, T):
        while q < n and p.position[at + q] < (p.n_features + 1) * t // T:
            q += 1
        p.split[split + t] = at + q


@kernel
def find_used(p, rows):
    """Put the inputs that are 0 in the whole batch behind the others, which are all that count."""
    W, n = 2 * lanes(p.weights), p.n_features
    found, end = 0, n
    for k in range(n):
        x = column(p, 0, OUTPUTS) + column_of(k, p.batch, W)
        i = 0
        while i < rows and load(p.work, x + i * W) == 0:
            i += 1
        if i < rows or rows < FEW_ROWS:
            p.used[found] = k
            found += 1
        else:
            end -= 1
            p.used[end] = k
    p.used[n + 1] = found


@kernel
def list_by_input(p, rows):
    """Sort this thread's range of the inputs in the samples' lists by input (a counting sort)."""
    n, stride = p.n_features, p.n_threads + 1
    first, end = (n + 1) * p.thread // p.n_threads, (n + 1) * (p.thread + 1) // p.n_threads
    end = min(end, n)  # the bias is no input
    # `start` is shifted by one while counting, so that filling leaves it right.
    at = 0
    for k in range(first, end):
        p.start[k + 1] = 0
    for i in range(rows):
        split = i * stride + p.thread
        at += load(p.split, split) - load(p.split, i * stride)
        for q in range(load(p.split, split), load(p.split, split + 1)):
            p.start[np.int64(load(p.position, q)) + 1] += 1
    if p.thread == 0:
        p.start[0] = 0
    for k in range(first, end):
        count = p.start[k + 1]
        p.start[k + 1] = at
        at += count
    for i in range(rows):
        split = i * stride + p.thread
        for q in range(load(p.split, split), load(p.split, split + 1)):
            k = np.int64(load(p.position, q)) + 1
            to = load(p.start, k)
            p.sample[to] = i
            p.sample_value[to] = p.value[q]
            p.start[k] = to + 1
