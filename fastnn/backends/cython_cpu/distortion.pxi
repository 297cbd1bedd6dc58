"""Distorted images, in double precision whatever `real` is; python/distortion.py says what is computed."""

def distort_images(
    const uint8_t[:, ::1] images, uint8_t[:, ::1] distorted, Py_ssize_t h, Py_ssize_t w,
    double scaling, double alpha, const double[::1] weights, const double[::1] angles,
    uint64_t seed, uint32_t epoch, Py_ssize_t start, Py_ssize_t stop, double[:, ::1] scratch,
):
    """Write the distorted images of samples start to stop; `scratch` is (4, h * w)."""
    cdef Py_ssize_t i
    cdef double[3] u
    cdef double *field_y = &scratch[0, 0]
    cdef double *field_x = &scratch[1, 0]
    with nogil:
        for i in range(start, stop):
            draw(seed, epoch, <uint32_t>i, h * w, u, field_y, field_x)
            smooth(field_y, &scratch[2, 0], &scratch[3, 0], h, w, weights)
            smooth(field_x, &scratch[2, 0], &scratch[3, 0], h, w, weights)
            resample(&images[i, 0], &distorted[i, 0], h, w, u[0] * angles[i],
                     1 + scaling * u[1], 1 + scaling * u[2], alpha, field_y, field_x)


cdef void draw(
    uint64_t seed, uint32_t epoch, uint32_t sample, Py_ssize_t n, double *u, double *field_y,
    double *field_x,
) noexcept nogil:
    """Draw the numbers of a sample from U(-1, 1): three, and two fields of n."""
    cdef uint32_t random[WIDTH]
    cdef Py_ssize_t first = 0, j, p
    cdef double value
    while first < 4 + 2 * n:
        philox_blocks(
            <uint32_t>(first // 4), sample, epoch, <uint32_t>(STREAM_DISTORTION << 16),
            <uint32_t>seed, <uint32_t>(seed >> 32), random,
        )
        for j in range(WIDTH):
            value, p = random[j] / 2147483648.0 - 1, first + j - 4
            if p < 0:
                if first + j < 3:
                    u[first + j] = value
            elif p < n:
                field_y[p] = value
            elif p < 2 * n:
                field_x[p - n] = value
        first += WIDTH


cdef void smooth(
    double *field, double *once, double *twice, Py_ssize_t h, Py_ssize_t w,
    const double[::1] weights,
) noexcept nogil:
    """Convolve a field (h, w) with weights along its columns, then along its rows, in place."""
    cdef Py_ssize_t radius = weights.shape[0] // 2, r, c, k, first, last
    cdef double factor
    for c in range(h * w):
        once[c] = twice[c] = 0
    for r in range(h):
        for k in range(-radius if radius < r else -r, (radius if radius < h - r else h - 1 - r) + 1):
            factor = weights[k + radius]
            for c in range(w):
                once[r * w + c] += factor * field[(r + k) * w + c]
    for r in range(h):
        for k in range(-radius if radius < w else 1 - w, (radius if radius < w else w - 1) + 1):
            factor = weights[k + radius]
            first, last = (-k if k < 0 else 0), (w - k if k > 0 else w)
            for c in range(first, last):
                twice[r * w + c] += factor * once[r * w + c + k]
    for c in range(h * w):
        field[c] = twice[c]


cdef void resample(
    const uint8_t *image, uint8_t *distorted, Py_ssize_t h, Py_ssize_t w, double angle,
    double stretch_y, double stretch_x, double alpha, const double *field_y, const double *field_x,
) noexcept nogil:
    """Write each pixel's value from where it comes."""
    cdef double sine = sin(angle), cosine = cos(angle), y, x, at_y, at_x
    cdef double middle_y = (h - 1) / 2.0, middle_x = (w - 1) / 2.0
    cdef Py_ssize_t r, c
    for r in range(h):
        for c in range(w):
            y, x = r - middle_y, c - middle_x
            at_y = (y * cosine - x * sine) / stretch_y + alpha * field_y[r * w + c]
            at_x = (y * sine + x * cosine) / stretch_x + alpha * field_x[r * w + c]
            distorted[r * w + c] = <uint8_t>(
                interpolate(image, h, w, at_y + middle_y, at_x + middle_x) + 0.5
            )


cdef double interpolate(
    const uint8_t *image, Py_ssize_t h, Py_ssize_t w, double y, double x
) noexcept nogil:
    """Return the value at (y, x) between four pixels; pixels outside are 0."""
    cdef Py_ssize_t r = <Py_ssize_t>floor(y), c = <Py_ssize_t>floor(x)
    cdef double below = y - r, right = x - c, value = 0
    if 0 <= r < h and 0 <= c < w:
        value += (1 - below) * (1 - right) * image[r * w + c]
    if 0 <= r < h and -1 <= c < w - 1:
        value += (1 - below) * right * image[r * w + c + 1]
    if -1 <= r < h - 1 and 0 <= c < w:
        value += below * (1 - right) * image[(r + 1) * w + c]
    if -1 <= r < h - 1 and -1 <= c < w - 1:
        value += below * right * image[(r + 1) * w + c + 1]
    return value
