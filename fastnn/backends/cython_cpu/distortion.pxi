"""Distorted images, of the kernels for float64 only; python/distortion.py says what is computed.

A field of displacements lies in rows of whole vectors, which cpu/distortion.py lays out. To smooth
it is to multiply it by a band matrix from either side: with four rows and two vectors at a time,
an image takes a quarter of the time that it takes weight by weight.
"""

cdef enum:
    ROWS_AT_ONCE = 4  # as in cpu/distortion.py


def distort_images(
    const uint8_t[:, ::1] images, uint8_t[:, ::1] distorted, Py_ssize_t h, Py_ssize_t w,
    double scaling, double alpha, const real[:, ::1] rows, const real[:, ::1] columns,
    Py_ssize_t radius, const double[::1] angles, uint64_t seed, uint32_t epoch, Py_ssize_t start,
    Py_ssize_t stop, real[::1] scratch,
):
    """Write the distorted images of samples start to stop."""
    cdef Py_ssize_t i, n_rows = rows.shape[0], width = columns.shape[0], size = n_rows * width
    cdef real *field_y = &scratch[0]
    cdef real *field_x = field_y + size
    cdef real *once = field_x + size
    cdef real *framed = once + size
    cdef real *u = framed + (h + 3) * (w + 3)
    cdef double middle_y = (h - 1) / 2.0, middle_x = (w - 1) / 2.0
    cdef double sine, cosine, stretch_y, stretch_x
    with nogil:
        for i in range(start, stop):
            draw(seed, epoch, <uint32_t>i, 4 + 2 * h * w, u)
            spread(u + 4, field_y, h, w, width)
            spread(u + 4 + h * w, field_x, h, w, width)
            smooth(field_y, once, &rows[0, 0], &columns[0, 0], n_rows, width, radius)
            smooth(field_x, once, &rows[0, 0], &columns[0, 0], n_rows, width, radius)
            frame(&images[i, 0], framed, h, w)
            sine, cosine = sin(u[0] * angles[i]), cos(u[0] * angles[i])
            stretch_y, stretch_x = 1 + scaling * u[1], 1 + scaling * u[2]
            locate(
                field_y, h, w, width, cosine / stretch_y, -sine / stretch_y, alpha, middle_y,
                middle_x, middle_y, h)
            locate(
                field_x, h, w, width, sine / stretch_x, cosine / stretch_x, alpha, middle_y,
                middle_x, middle_x, w)
            resample(framed, &distorted[i, 0], h, w, width, field_y, field_x)


cdef void draw(
    uint64_t seed, uint32_t epoch, uint32_t sample, Py_ssize_t n, real *u
) noexcept nogil:
    """Draw n numbers of a sample from U(-1, 1), and some more up to a multiple of WIDTH."""
    cdef uint32_t random[WIDTH]
    cdef Py_ssize_t first, j
    for first from 0 <= first < n by WIDTH:
        philox_blocks(
            <uint32_t>(first // 4), sample, epoch, <uint32_t>(STREAM_DISTORTION << 16),
            <uint32_t>seed, <uint32_t>(seed >> 32), random,
        )
        for j in range(WIDTH):
            u[first + j] = <real>(random[j] / 2147483648.0 - 1)


cdef void spread(
    const real *u, real *field, Py_ssize_t h, Py_ssize_t w, Py_ssize_t width
) noexcept nogil:
    """Write numbers (h, w) into rows that are `width` apart."""
    cdef Py_ssize_t r, c
    for r in range(h):
        for c in range(w):
            field[r * width + c] = u[r * w + c]


cdef void smooth(
    real *field, real *once, const real *rows, const real *columns, Py_ssize_t n_rows,
    Py_ssize_t width, Py_ssize_t radius,
) noexcept nogil:
    """Convolve a field along its columns (rows field), then along its rows (columns), in place."""
    cdef Py_ssize_t r, c, first, last
    for r from 0 <= r < n_rows by ROWS_AT_ONCE:
        first = r - radius if r > radius else 0
        last = r + ROWS_AT_ONCE + radius
        last = last if last < n_rows else n_rows
        for c from 0 <= c < width by WIDTH:
            multiply_block(
                rows + r * n_rows, n_rows, field + c, once + r * width + c, width, first, last)
    for c from 0 <= c < width by WIDTH:
        first = c - radius if c > radius else 0
        last = c + WIDTH + radius
        last = last if last < width else width
        for r from 0 <= r < n_rows by ROWS_AT_ONCE:
            multiply_block(
                once + r * width, width, columns + c, field + r * width + c, width, first, last)


cdef inline void multiply_block(
    const real *a, Py_ssize_t row, const real *b, real *out, Py_ssize_t width, Py_ssize_t first,
    Py_ssize_t last,
) noexcept nogil:
    """Write ROWS_AT_ONCE rows and WIDTH columns of a b, summed over k from `first` to `last`.

    Rows of a are `row` apart, those of b and the product `width`.
    """
    cdef Py_ssize_t k
    cdef vec x, y, zero = vsplat(0)
    cdef vec x0 = zero, x1 = zero, x2 = zero, x3 = zero, y0 = zero, y1 = zero, y2 = zero, y3 = zero
    for k in range(first, last):
        x, y = vload(b + k * width), vload(b + k * width + LANES)
        x0, y0 = vfma(a[k], x, x0), vfma(a[k], y, y0)
        x1, y1 = vfma(a[row + k], x, x1), vfma(a[row + k], y, y1)
        x2, y2 = vfma(a[2 * row + k], x, x2), vfma(a[2 * row + k], y, y2)
        x3, y3 = vfma(a[3 * row + k], x, x3), vfma(a[3 * row + k], y, y3)
    vstore(out, x0)
    vstore(out + LANES, y0)
    vstore(out + width, x1)
    vstore(out + width + LANES, y1)
    vstore(out + 2 * width, x2)
    vstore(out + 2 * width + LANES, y2)
    vstore(out + 3 * width, x3)
    vstore(out + 3 * width + LANES, y3)


cdef void frame(const uint8_t *image, real *framed, Py_ssize_t h, Py_ssize_t w) noexcept nogil:
    """Write an image in a frame of zeros: one row and column before it, two after it."""
    cdef Py_ssize_t r, c
    for r in range(h):
        for c in range(w):
            framed[(r + 1) * (w + 3) + c + 1] = image[r * w + c]


cdef void locate(
    real *field, Py_ssize_t h, Py_ssize_t w, Py_ssize_t width, double by_row, double by_column,
    double alpha, double middle_y, double middle_x, double middle, Py_ssize_t size,
) noexcept nogil:
    """Replace displacements by where in the frame pixels come from, along an axis of `size`.

    Where that is outside of the image, it is the nearest place in the frame: all is 0 there, too.
    """
    cdef Py_ssize_t r
    cdef int32_t c
    cdef real at, last = <real>(size + 1)
    cdef real origin = <real>(middle + 1 - by_row * middle_y - by_column * middle_x)
    cdef real row = <real>by_row, column = <real>by_column, factor = <real>alpha
    for r in range(h):
        for c in range(<int32_t>w):
            at = origin + row * r + column * c + factor * field[r * width + c]
            at = at if at > 0 else 0
            field[r * width + c] = at if at < last else last


cdef void resample(
    const real *framed, uint8_t *distorted, Py_ssize_t h, Py_ssize_t w, Py_ssize_t width,
    const real *places_y, const real *places_x,
) noexcept nogil:
    """Write each pixel's value: bilinear interpolation between the four where it comes from."""
    cdef real y, x, below, right, above, under
    cdef Py_ssize_t r, c, stride = w + 3
    cdef int32_t row, column
    cdef const real *p
    for r in range(h):
        for c in range(w):
            y, x = places_y[r * width + c], places_x[r * width + c]
            row, column = <int32_t>y, <int32_t>x
            below, right = y - row, x - column
            p = framed + row * stride + column
            above = p[0] + right * (p[1] - p[0])
            under = p[stride] + right * (p[stride + 1] - p[stride])
            distorted[r * w + c] = <uint8_t>(above + below * (under - above) + <real>0.5)
