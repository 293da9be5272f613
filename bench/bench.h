/* Shared by the benchmarks: clocks, repetition, and refusal to time a wrong answer. */
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

/* Wall time, and the CPU time of all threads: on a machine that others use as well, the second says what the first would be alone. */
typedef struct { double wall, cpu; } BenchTime;

static inline BenchTime bench_now(void)
{
    struct timespec cpu;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    return (BenchTime){bench_seconds(), (double)cpu.tv_sec + 1e-9 * (double)cpu.tv_nsec};
}

static inline BenchTime bench_since(BenchTime start)
{
    const BenchTime now = bench_now();
    return (BenchTime){now.wall - start.wall, now.cpu - start.cpu};
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
