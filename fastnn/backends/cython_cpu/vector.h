/* Vectors of the widest kind that the processor level offers, in portable GCC/Clang C.
 *
 * FASTNN_REAL (32 or 64) selects the real type. All functions work lane by lane. */

#ifndef FASTNN_VECTOR_H
#define FASTNN_VECTOR_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#if !defined(__GNUC__)
#error "fastnn's kernels need the vector extensions of GCC or Clang"
#endif

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if FASTNN_REAL == 32
typedef float real;
typedef int32_t word;
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define EXP_MIN -87.0f
#define EXP_MAX 88.0f
#else
typedef double real;
typedef int64_t word;
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define EXP_MIN -708.0
#define EXP_MAX 709.0
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES), may_alias));
typedef word words __attribute__((vector_size(VECTOR_BYTES), may_alias));
enum { LANES = VECTOR_BYTES / sizeof(real), WIDTH = 2 * LANES, BLOCKS = WIDTH / 4 };
/* How many vectors a processor has registers for */
#if defined(__AVX512F__) || defined(__aarch64__)
enum { REGISTERS = 32 };
#else
enum { REGISTERS = 16 };
#endif

/* The processor's own functions of whole vectors, where plain C compiles to something slower. */
#if defined(__AVX512F__) && FASTNN_REAL == 32
#define NATIVE(name, ...) ((vec)_mm512_##name##_ps(__VA_ARGS__))
typedef __m512 native;
#elif defined(__AVX512F__)
#define NATIVE(name, ...) ((vec)_mm512_##name##_pd(__VA_ARGS__))
typedef __m512d native;
#elif defined(__AVX__) && FASTNN_REAL == 32
#define NATIVE(name, ...) ((vec)_mm256_##name##_ps(__VA_ARGS__))
typedef __m256 native;
#elif defined(__AVX__)
#define NATIVE(name, ...) ((vec)_mm256_##name##_pd(__VA_ARGS__))
typedef __m256d native;
#elif defined(__x86_64__) && FASTNN_REAL == 32
#define NATIVE(name, ...) ((vec)_mm_##name##_ps(__VA_ARGS__))
typedef __m128 native;
#elif defined(__x86_64__)
#define NATIVE(name, ...) ((vec)_mm_##name##_pd(__VA_ARGS__))
typedef __m128d native;
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE vec vload(const real *p) { return *(const vec *)p; }
INLINE vec vload_unaligned(const real *p) {
    vec a;
    __builtin_memcpy(&a, p, sizeof a);
    return a;
}
INLINE void vstore_unaligned(real *p, vec a) { __builtin_memcpy(p, &a, sizeof a); }
INLINE real vsum(vec a) { /* pairwise: half a vector onto the other, until one lane is left */
    for (int n = LANES / 2; n; n /= 2)
        for (int i = 0; i < n; i++) a[i] += a[i + n];
    return a[0];
}
INLINE void vstore(real *p, vec a) { *(vec *)p = a; }
/* The first half of a vector, and 0 in its other lanes */
INLINE vec vload_half(const real *p) {
#if defined(__AVX512F__)
    const __m256d half = _mm256_loadu_pd((const double *)p);
    return (vec)_mm512_insertf64x4(_mm512_setzero_pd(), half, 0);
#elif defined(__AVX__)
    const __m128d half = _mm_loadu_pd((const double *)p);
    return (vec)_mm256_insertf128_pd(_mm256_setzero_pd(), half, 0);
#else
    vec a = {0};
    __builtin_memcpy(&a, p, sizeof a / 2);
    return a;
#endif
}
INLINE void vstore_half(real *p, vec a) {
#if defined(__AVX512F__)
    _mm256_storeu_pd((double *)p, _mm512_castpd512_pd256((__m512d)a));
#elif defined(__AVX__)
    _mm_storeu_pd((double *)p, _mm256_castpd256_pd128((__m256d)a));
#else
    __builtin_memcpy(p, &a, sizeof a / 2);
#endif
}
INLINE vec vsplat(real a) { return a - (vec){0}; }
INLINE vec vneg(vec a) { return -a; }
INLINE vec vadd(vec a, vec b) { return a + b; }
INLINE vec vsub(vec a, vec b) { return a - b; }
INLINE vec vmul(vec a, vec b) { return a * b; }
INLINE vec vdiv(vec a, vec b) { return a / b; }
/* Both contract to one fused multiply-add where the processor has it. */
INLINE vec vfma(real a, vec b, vec c) { return a * b + c; }
INLINE vec vmuladd(vec a, vec b, vec c) { return a * b + c; }
/* The product is rounded, whatever follows. Where many copies of a formula have to agree to the last
 * bit, no compiler may make one operation of product and sum in some of them. */
INLINE vec vrounded(vec a) {
#if defined(__x86_64__)
    __asm__("" : "+v"(a));
#elif defined(__aarch64__)
    __asm__("" : "+w"(a));
#else
    __asm__("" : "+m"(a));
#endif
    return a;
}
INLINE vec vproduct(vec a, vec b) { return vrounded(a * b); }
INLINE vec vselect(words mask, vec a, vec b) {
    return (vec)(((words)a & mask) | ((words)b & ~mask));
}
INLINE vec vmax(vec a, vec b) { /* b if either is NaN */
#ifdef NATIVE
    return NATIVE(max, (native)a, (native)b);
#else
    return vselect((words)(a > b), a, b);
#endif
}
INLINE vec vmin(vec a, vec b) { /* likewise */
#ifdef NATIVE
    return NATIVE(min, (native)a, (native)b);
#else
    return vselect((words)(a < b), a, b);
#endif
}
INLINE vec vabs(vec a) { return vmax(a, -a); }
INLINE vec vclamp(vec a, real low, real high) { /* NaN stays NaN */
    return vmin(vsplat(high), vmax(vsplat(low), a));
}
/* 1 where a > 0, else 0 */
INLINE vec vpositive(vec a) { return vselect((words)(a > 0), vsplat(1), vsplat(0)); }

INLINE vec vsqrt(vec a) {
#ifdef NATIVE
    return NATIVE(sqrt, (native)a);
#else
    for (int i = 0; i < LANES; i++) a[i] = FASTNN_REAL == 32 ? sqrtf(a[i]) : sqrt(a[i]);
    return a;
#endif
}

/* Memory that is aligned for vectors; NULL if there is none. */
INLINE void *allocate_vectors(size_t size) {
    char *block = malloc(size + 128);
    if (!block) return NULL;
    char *start = block + 128 - (uintptr_t)block % 64; /* 65 to 128 bytes on */
    ((void **)start)[-1] = block;
    return start;
}
INLINE void release_vectors(void *start) {
    if (start) free(((void **)start)[-1]);
}
/* Ask for memory that will soon be read. A function that does nothing else, GCC leaves out. */
INLINE void fetch(const void *first, const void *end) {
    for (const char *line = first; line < (const char *)end; line += 64) {
        __builtin_prefetch(line);
        __asm__ volatile("");
    }
}
/* a with lane i replaced by lane i XOR n, for n = 1, 2, 4 or 8 below LANES */
INLINE vec vexchange(vec a, int n) {
    words lane, other;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    other = lane ^ (word)n;
#if defined(__clang__)
    vec b;
    for (int i = 0; i < LANES; i++) b[i] = a[other[i]];
    return b;
#else
    return __builtin_shuffle(a, other);
#endif
}
/* Sums over groups of n neighbouring lanes, each in all lanes of its group */
INLINE vec vsum_within(vec a, int n) {
    if (n > 1) a += vexchange(a, 1);
    if (n > 2) a += vexchange(a, 2);
    if (n > 4) a += vexchange(a, 4);
    if (n > 8) a += vexchange(a, 8);
    return a;
}
/* Sums over the lanes with the same place in their group of n, each in all of these lanes */
INLINE vec vsum_across(vec a, int n) {
    if (LANES > 8 && n <= 8) a += vexchange(a, 8 % LANES);
    if (LANES > 4 && n <= 4) a += vexchange(a, 4 % LANES);
    if (LANES > 2 && n <= 2) a += vexchange(a, 2 % LANES);
    if (n <= 1) a += vexchange(a, 1);
    return a;
}

/* The first n lanes of a, and `other` in the rest */
INLINE vec vfirst(vec a, int64_t n, real other) {
    words lane;
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return vselect((words)(lane < (word)(n < LANES ? n : LANES)), a, vsplat(other));
}
INLINE real vlargest(vec a) {
    a = vmax(a, vexchange(a, 1));
    if (LANES > 2) a = vmax(a, vexchange(a, 2 % LANES));
    if (LANES > 4) a = vmax(a, vexchange(a, 4 % LANES));
    if (LANES > 8) a = vmax(a, vexchange(a, 8 % LANES));
    return a[0];
}

/* m / (sqrt(v) + epsilon), Adam's step, within 3 ulp.
 *
 * A root and a division keep one unit of the processor busy, one after the other. Where there is an
 * estimate of 1 / d, a step of Newton's method (two for doubles) makes it as good, in other units
 * and beside the next root: 3.5 ns a vector of a whole update on Zen 4; with a division 4.6, with
 * the root by Newton's method, too, 4.4.
 *
 * The least denominator is the root of the smallest normal number: where v is 0, since it has
 * become less than that, m is at most a few times as large. */
#if defined(__AVX512F__)
#define ESTIMATE_INVERSE(d) NATIVE(rcp14, (native)(d))
#define NEWTON_STEPS (FASTNN_REAL == 32 ? 1 : 2)
#elif defined(__AVX__) && FASTNN_REAL == 32
#define ESTIMATE_INVERSE(d) NATIVE(rcp, (native)(d))
#define NEWTON_STEPS 1
#endif
INLINE vec vdiv_by_root(vec m, vec v, vec epsilon) {
    const vec least = vsplat(FASTNN_REAL == 32 ? 1.1e-19 : 1.5e-154);
    const vec d = vsqrt(v) + vmax(epsilon, least);
#ifdef NEWTON_STEPS
    vec q = ESTIMATE_INVERSE(d);
#pragma GCC unroll 2
    for (int i = 1; i < NEWTON_STEPS; i++) q = q * (2 - d * q);
    return m * q * (2 - d * q);
#else
    return m / d;
#endif
}

/* r of a = n ln 2 / parts + r, and a vector with n in its lowest bits; parts is a power of 2.
 *
 * Adding 1.5 * 2^MANTISSA_BITS rounds to an integer and leaves n in the lowest bits. ln 2 is split
 * in two, so that r is exact. */
INLINE vec vreduce(vec a, real parts, vec *shifted) {
    const real magic = 1.5 * (real)((word)1 << MANTISSA_BITS);
#if FASTNN_REAL == 32
    const real ln2_high = 0.693359375f, ln2_low = -2.12194440e-4f;
#else
    const real ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
#endif
    *shifted = a * (parts * (real)1.44269504088896340736) + magic;
    const vec n = *shifted - magic;
    return a - n * (ln2_high / parts) - n * (ln2_low / parts);
}
/* exp(a - rest) = power + power * r * what is returned, within 2 ulp, for a from EXP_MIN to EXP_MAX;
 * rest are digits below the last of a. Power is a power of 2: its products are exact.
 *
 * exp(a) = 2^n exp(r), a = n ln 2 + r, |r| <= ln 2 / 2, and exp(r) = 1 + r p(r), where p is the
 * polynomial that meets (exp(r) - 1) / r in the Chebyshev points of this interval: two terms less
 * than Taylor's series, 5 % of the time of XOR. */
INLINE vec vexp_parts(vec a, vec rest, vec *power, vec *remainder) {
#if FASTNN_REAL == 32
    static const real c[] = {1, 0.5, 0.166665047f, 0.0416664667f, 0.00836915523f, 0.00139336498f};
#else
    static const real c[] = {1, 0.5000000000000006, 0.1666666666666667, 0.041666666666573066,
                             0.008333333333326136, 0.001388888893251478, 0.00019841269874820627,
                             2.480150431378554e-05, 2.7557255400206422e-06,
                             2.7626371065696354e-07, 2.5105217004720745e-08};
#endif
    vec shifted;
    const vec r = vreduce(a, 1, &shifted) - rest;
    const vec r2 = r * r, r4 = r2 * r2;
    /* Blocks of terms, which are independent: less to wait for. */
#define PAIR(k) (c[k] + c[k + 1] * r)
#define BLOCK(k) (PAIR(k) + PAIR(k + 2) * r2)
#if FASTNN_REAL == 32
    const vec p = BLOCK(0) + PAIR(4) * r4;
#else
    const vec p = BLOCK(0) + BLOCK(4) * r4 + (PAIR(8) + c[10] * r2) * (r4 * r4);
#endif
    *power = (vec)(((words)shifted + EXPONENT_BIAS) << MANTISSA_BITS);
    *remainder = r;
    return p;
}
/* exp(a) - shift for shift -1, 0 or 1, and a from EXP_MIN to EXP_MAX */
INLINE vec vexp_minus(vec a, real shift) {
    vec power, r, p = vexp_parts(a, vsplat(0), &power, &r);
    return (power * r) * p + (power - shift);
}
/* The same within 2 ulp for shift -1 or 0 alone: near exp(a) = 1 a power that is rounded costs digits.
 *
 * With 16 powers 2^(k/16) in registers, |r| <= ln 2 / 32 and half the terms will do: a sigmoid takes
 * 5.1 ns a vector instead of 7.0, in single precision 4.1 instead of 5.1. The sum of the bits of
 * 2^(k/16) without k's place, and of 16 n + k in the place of n, are those of 2^(n + k/16). */
INLINE vec vexp_above(vec a, real shift) {
#if defined(__AVX512F__)
    enum { PLACE = MANTISSA_BITS - 4 };
    const real roots[16] = {
        1, 1.0442737824274138, 1.0905077326652577, 1.1387886347566916, 1.189207115002721,
        1.241857812073484, 1.2968395546510096, 1.3542555469368927, 1.4142135623730951,
        1.4768261459394993, 1.5422108254079407, 1.6104903319492543, 1.681792830507429,
        1.7562521603732995, 1.8340080864093424, 1.9152065613971474};
    words places[16 / LANES];
    for (int k = 0; k < 16; k++) places[k / LANES][k % LANES] = (word)k << PLACE;
    const words low = (words)vload_unaligned(roots) - places[0];
    vec shifted;
    const vec r = vreduce(a, 16, &shifted);
#if FASTNN_REAL == 32
    const vec p = (1 + 0.50001466f * r) + 0.1666696f * (r * r);
    const words power = (words)_mm512_permutexvar_epi32((__m512i)shifted, (__m512i)low);
#else
    const vec r2 = r * r;
    const vec p = (1 + 0.5 * r) + (0.16666666664209707 + 0.04166666666359547 * r) * r2 +
                  (0.00833347297495123 + 0.0013889063440655326 * r) * (r2 * r2);
    const words high = (words)vload_unaligned(roots + LANES) - places[1];
    const words power = (words)_mm512_permutex2var_epi64(
        (__m512i)low, (__m512i)shifted, (__m512i)high);
#endif
    const vec scale = (vec)(power + ((words)shifted << PLACE));
    return (scale * r) * p + (scale - shift);
#else
    return vexp_minus(a, shift);
#endif
}
INLINE vec vexp(vec a) { return vexp_above(vclamp(a, EXP_MIN, EXP_MAX), 0); }
INLINE vec vexpm1(vec a) { return vexp_minus(vclamp(a, EXP_MIN, EXP_MAX), 1); }

/* ln(1 + a) for a from 0 to 1, within 2 ulp: 2 atanh(s) with s = a / (2 + a) <= 1 / 3, whose series
 * s + s^3 / 3 + s^5 / 5 + ... loses a factor of 9 with each term. */
INLINE vec vlog1p(vec a) {
    const vec s = a / (2 + a), s2 = s * s;
    vec sum = vsplat(0);
#pragma GCC unroll 16
    for (int k = FASTNN_REAL == 32 ? 15 : 33; k > 1; k -= 2) sum = (sum + (real)1 / k) * s2;
    return 2 * (s + s * sum);
}
/* ln a for a normal number from 1 on: a = 2^n m with m from 1 to 2 */
INLINE vec vlog(vec a) {
    const words n = (words)((words)a >> MANTISSA_BITS) - EXPONENT_BIAS;
    const vec m = (vec)((words)a - (n << MANTISSA_BITS));
    vec e;
    for (int i = 0; i < LANES; i++) e[i] = (real)n[i];
    return vlog1p(m - 1) + e * (real)0.69314718055994530942;
}
/* a where c > 0, else b */
INLINE vec vif_positive(vec c, vec a, vec b) { return vselect((words)(c > 0), a, b); }
/* exp(a), and 0 where that is no normal number; NaN stays NaN */
INLINE vec vexp_or_0(vec a) { return vif_positive(EXP_MIN - a, vsplat(0), vexp(a)); }

/* The standard normal distribution function P(z), within 4 ulp where it is a normal number, and
 * bell = exp(-z^2 / 2).
 *
 * P(-x) = exp(-x^2 / 2) g(x), and (x + shift) g(x) hardly bends over t = (x - shift) / (x + shift)
 * (an idea of Shepherd & Laframboise 1981): c is the polynomial that meets it in the Chebyshev
 * points of -1 <= t <= 1, with a shift that loses little by rounding c. The digits of x^2 that do
 * not fit come from the upper half of x, whose square is exact, and the lower. */
INLINE vec vnormal(vec z, vec *bell) {
#if FASTNN_REAL == 32
    enum { TERMS = 12, LOW_BITS = 12 };
    const real shift = 3.375f, largest = 13.19f; /* beyond, bell is no normal number */
    static const real c[TERMS] = {
        0.7410803f, -0.5529922f, 0.29537597f, -0.09838392f, 0.008719708f, 0.007820226f,
        -0.0022592943f, -0.0008359978f, 0.00034012154f, 0.00013002983f, -3.563533e-05f,
        -1.6974116e-05f};
#else
    enum { TERMS = 24, LOW_BITS = 27 };
    const real shift = 3.75, largest = 37.62;
    static const real c[TERMS] = {
        0.7502940722658991, -0.5881884178362788, 0.35293985747806667, -0.15151686542684484,
        0.037489325419316454, 0.0011683519689143903, -0.0041628682647077385,
        0.0006099109014437357, 0.0004698239656503829, -0.00011721024982839805,
        -7.007654107168944e-05, 1.706705277434501e-05, 1.3311780777954987e-05,
        -1.646436251988933e-06, -2.771463207018274e-06, -1.6396886421849158e-07,
        5.430426279438508e-07, 1.582940126042311e-07, -8.591941854674714e-08,
        -5.4321346250265405e-08, 8.774935250291008e-09, 1.1411826788822955e-08,
        -3.3815234804296087e-10, -1.188841034787504e-09};
#endif
    const vec x = vmin(vsplat(largest), vabs(z)), square = x * x;
    const vec high = (vec)((words)x >> LOW_BITS << LOW_BITS), low = x - high;
    const vec rest = high * high - square + 2 * high * low + low * low;
    vec power, e, part = vexp_parts((real)-0.5 * square, (real)0.5 * rest, &power, &e);
    part = e * part;
    power = vif_positive(largest - x, power, vsplat(0));
    *bell = power + power * part;
    const vec r = 1 / (x + shift), t = 2 * x * r - 1, t2 = t * t, t4 = t2 * t2;
    vec p = vsplat(0);
#pragma GCC unroll 6
    for (int k = TERMS - 4; k >= 0; k -= 4)
        p = c[k] + c[k + 1] * t + (c[k + 2] + c[k + 3] * t) * t2 + p * t4;
    p = r * p;
    p = power * (p + p * part);
    return vif_positive(z, 1 - p, p);
}

/* Both within 3 ulp */
INLINE vec vsigmoid(vec a) { return 1 / vexp_above(-vclamp(a, -EXP_MAX, -EXP_MIN), -1); }
/* From e = exp(-2|a|) - 1, which keeps its digits near 0: tanh |a| = -e / (2 + e) */
INLINE vec vtanh(vec a) {
    const vec e = vexp_minus(vmax(vsplat(EXP_MIN), -2 * vabs(a)), 1);
    const vec y = -e / (2 + e);
    return vselect((words)(a < 0), -y, y);
}

#endif
