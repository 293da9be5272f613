/* Shared by the benchmarks: a clock, repetition, and refusal to time a wrong answer. */
#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline double bench_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* BENCH(best, k, statement): runs it k times; `best` is the shortest time. */
#define BENCH(best, k, statement)                          \
    do {                                                   \
        (best) = 1e300;                                    \
        for (int bench_i = 0; bench_i < (k); bench_i++) {  \
            double bench_start = bench_seconds();          \
            statement;                                     \
            double bench_took = bench_seconds() - bench_start; \
            if (bench_took < (best))                       \
                (best) = bench_took;                       \
        }                                                  \
    } while (0)

static inline void bench_require(int right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "bench: wrong answer, no time is printed: %s\n", what);
    exit(1);
}
