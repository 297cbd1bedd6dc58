/* The values of a row that are not 0, and their columns, one behind the other. */

#ifndef FASTNN_COMPRESS_H
#define FASTNN_COMPRESS_H

#include "vector.h"

/* Write them for the first columns of a row, in blocks, where the processor moves lanes together:
 * an image in 0.1 microseconds, where one value after the other takes 0.4.
 *
 * The row is reals or bytes, the other NULL; bytes become reals if `to_bytes` is NULL; the columns
 * go to one of the last two. *found is where they begin, and moves on. Behind them come zeros, up
 * to a block, but not beyond `room`. Returns how many columns were looked at, n at most. */
static inline int64_t compress_blocks(
    const real *reals, const uint8_t *bytes, int64_t n, int64_t *found, int64_t room,
    real *to_reals, uint8_t *to_bytes, uint16_t *short_columns, int32_t *columns) {
    int64_t k = 0;
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__)
    enum { BLOCK = 16 };
    const __m512i place = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    int64_t at = *found;
    for (; k + BLOCK <= n && at + BLOCK <= room; k += BLOCK) {
        __mmask16 used;
        if (bytes) {
            const __m128i all = _mm_loadu_si128((const __m128i *)(bytes + k));
            __m512i x = _mm512_cvtepu8_epi32(all);
            used = _mm_test_epi8_mask(all, all);
            if (!used) continue; /* half of an image's blocks */
            x = _mm512_maskz_compress_epi32(used, x);
            if (to_bytes) {
                _mm_storeu_si128((__m128i *)(to_bytes + at), _mm512_cvtepi32_epi8(x));
            } else {
#if FASTNN_REAL == 32
                _mm512_storeu_ps(to_reals + at, _mm512_cvtepi32_ps(x));
#else
                _mm512_storeu_pd(to_reals + at, _mm512_cvtepi32_pd(_mm512_castsi512_si256(x)));
                _mm512_storeu_pd(
                    to_reals + at + 8, _mm512_cvtepi32_pd(_mm512_extracti64x4_epi64(x, 1)));
#endif
            }
        } else {
#if FASTNN_REAL == 32
            const __m512 x = _mm512_loadu_ps(reals + k);
            used = _mm512_cmp_ps_mask(x, _mm512_setzero_ps(), _CMP_NEQ_UQ);
            if (!used) continue;
            _mm512_storeu_ps(to_reals + at, _mm512_maskz_compress_ps(used, x));
#else
            const __m512d x = _mm512_loadu_pd(reals + k), y = _mm512_loadu_pd(reals + k + 8);
            const __mmask8 low = _mm512_cmp_pd_mask(x, _mm512_setzero_pd(), _CMP_NEQ_UQ);
            const __mmask8 high = _mm512_cmp_pd_mask(y, _mm512_setzero_pd(), _CMP_NEQ_UQ);
            if (!(low | high)) continue;
            _mm512_storeu_pd(to_reals + at, _mm512_maskz_compress_pd(low, x));
            _mm512_storeu_pd(
                to_reals + at + __builtin_popcount(low), _mm512_maskz_compress_pd(high, y));
            used = (__mmask16)(low | high << 8);
#endif
        }
        const __m512i kept = _mm512_maskz_compress_epi32(
            used, _mm512_add_epi32(place, _mm512_set1_epi32((int)k)));
        if (short_columns)
            _mm256_storeu_si256((__m256i *)(short_columns + at), _mm512_cvtepi32_epi16(kept));
        else
            _mm512_storeu_si512(columns + at, kept);
        at += __builtin_popcount(used);
    }
    *found = at;
#else
    (void)reals, (void)bytes, (void)n, (void)found, (void)room;
    (void)to_reals, (void)to_bytes, (void)short_columns, (void)columns;
#endif
    return k;
}

#endif
