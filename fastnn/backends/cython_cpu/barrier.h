/* Where threads of a call wait for each other; numba_cpu/barrier.py follows. */

#ifndef FASTNN_BARRIER_H
#define FASTNN_BARRIER_H

#include <stdint.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#elif defined(__unix__) || defined(__APPLE__)
#include <sched.h>
#endif

/* Whether a call has been given up: another thread failed, or the user pressed Ctrl-C. */
static inline int is_stopped(const int64_t *stop) { return __atomic_load_n(stop, __ATOMIC_RELAXED) != 0; }

/* A barrier: sync[0] counts arrivals and only grows, so it needs no reset; sync[1] counts sleepers;
 * sync[2] and sync[3] are the longest sleep, in seconds and nanoseconds.
 *
 * A thread that has waited for some 2000 pauses sleeps: a spinning one would keep the processor from
 * the thread that it waits for. Sleepers watch the low half of the counter, so that an arrival
 * between a look at it and the sleep is not missed. They look up now and then for `stop`, which
 * is set without waking them. Both counters are sequentially consistent: either a sleeper sees the
 * last arrival, or the last one to arrive sees the sleeper. */
enum { BARRIER_SPINS = 2000 };

static inline void barrier_sleep(int64_t *sync, int64_t seen) {
#if defined(__linux__)
    const struct timespec longest = {(time_t)sync[2], (long)sync[3]};
    const int low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    syscall(SYS_futex, (int32_t *)sync + low, FUTEX_WAIT_PRIVATE, (int32_t)seen, &longest, NULL, 0);
#elif defined(__unix__) || defined(__APPLE__)
    sched_yield();
#endif
}

static inline void barrier_wake(int64_t *sync) {
#if defined(__linux__)
    const int low = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
    syscall(SYS_futex, (int32_t *)sync + low, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
#endif
}

static __attribute__((noinline, unused)) int barrier_wait_long(
    int64_t *sync, const int64_t *stop, int64_t all) {
    int go_on;
    __atomic_fetch_add(sync + 1, 1, __ATOMIC_SEQ_CST);
    for (;;) {
        const int64_t seen = __atomic_load_n(sync, __ATOMIC_SEQ_CST);
        go_on = seen >= all;
        if (go_on || is_stopped(stop)) break;
        barrier_sleep(sync, seen);
    }
    __atomic_fetch_sub(sync + 1, 1, __ATOMIC_SEQ_CST);
    return go_on;
}

/* Wait until all of n threads have come here; return 0, at once, if the call has been given up.
 * Whoever gets a 0 has to return: what the others should have computed is not there. */
static inline int barrier_wait(int64_t *sync, const int64_t *stop, int64_t n) {
    if (n == 1) return 1;
    const int64_t ticket = __atomic_fetch_add(sync, 1, __ATOMIC_SEQ_CST);
    const int64_t all = (ticket / n + 1) * n;
    if (ticket + 1 == all) {
        if (__atomic_load_n(sync + 1, __ATOMIC_SEQ_CST)) barrier_wake(sync);
        return 1;
    }
    for (int spins = 0; spins < BARRIER_SPINS; spins++) {
        if (__atomic_load_n(sync, __ATOMIC_ACQUIRE) >= all) return 1;
#if defined(__x86_64__)
        _mm_pause();
#endif
    }
    return barrier_wait_long(sync, stop, all);
}

#endif
