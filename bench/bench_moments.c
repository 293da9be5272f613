/* Streaming moments against one dsyrk of the same centred rows: how close to the machine's rate the collector works. Both in wall time and, for
 * machines that are shared, in CPU time of the process (which with several threads counts waiting too, unless OMP_WAIT_POLICY=passive).
 *   bench_moments [p] [n] */
#include "bench.h"
#include "collect/moments.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int main(int argc, char **argv)
{
    size_t p = argc > 1 ? strtoul(argv[1], NULL, 10) : 2048, n = argc > 2 ? strtoul(argv[2], NULL, 10) : 4096;
    float *rows = malloc(n * p * sizeof *rows);
    double *centred = malloc(n * p * sizeof *centred), *gram = calloc(p * p, sizeof *gram);
    bench_require(rows && centred && gram && n > 1, "no memory");
    unsigned state = 1;
    for (size_t k = 0; k < n * p; k++) {
        state = state * 1664525u + 1013904223u;
        rows[k] = (float)(state >> 8) / 16777216.0f + 3.0f;
    }
    for (size_t j = 0; j < p; j++) {
        double mean = 0;
        for (size_t i = 0; i < n; i++)
            mean += rows[i * p + j];
        mean /= (double)n;
        for (size_t i = 0; i < n; i++)
            centred[i * p + j] = rows[i * p + j] - mean;
    }
    double syrk, ours, syrk_cpu = 1e300, ours_cpu = 1e300, cpu;
    BENCH(syrk, 3, {
        cpu = cpu_seconds();
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)p, (int)n, 1, centred, (int)p, 0, gram, (int)p);
        syrk_cpu = fmin(syrk_cpu, cpu_seconds() - cpu);
    });
    GlintMoments *moments = NULL;
    BENCH(ours, 3, {
        glint_moments_free(moments);
        moments = glint_moments_new(p);
        cpu = cpu_seconds();
        glint_moments_add(moments, rows, n, p);
        glint_moments_flush(moments);
        ours_cpu = fmin(ours_cpu, cpu_seconds() - cpu);
    });
    const double *m2 = glint_moments_m2(moments);
    double worst = 0;
    for (size_t i = 0; i < p; i++)
        for (size_t j = i; j < p; j++)
            worst = fmax(worst, fabs(m2[i * p + j] - gram[i * p + j]) / sqrt(gram[i * p + i] * gram[j * p + j]));
    bench_require(worst < 1e-10, "moments differ from dsyrk");
    double flops = (double)n * (double)p * (double)p;
    printf("moments   p %zu, n %zu, %d threads: %.3f s, %.0f GFLOP/s; dsyrk %.3f s, %.0f GFLOP/s; %.0f %% of its rate, %.0f %% in CPU time (largest difference %.1e)\n", p, n,
           omp_get_max_threads(), ours, flops / ours * 1e-9, syrk, flops / syrk * 1e-9, 100 * syrk / ours, 100 * syrk_cpu / ours_cpu, worst);
    glint_moments_free(moments);
    free(rows);
    free(centred);
    free(gram);
    return 0;
}
