/* Forming covariances: both precisions as a share of this machine's rate for matrix products, measured beside them, and what the transforms
 * cost. Times are best of three.
 *   bench_covariance [n] [p]
 * Kendall's correlation is timed on the first 200 variables at most: it is a matter of pairs. */
#include "bench.h"
#include "ggm/covariance.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>

#define SIDE 2048 /* of the matrices whose product is the yardstick */
#define FEW 200

typedef struct {
    size_t n, p;
    double *x, *s, *other;
    float *x32;
} sample;

static sample make(size_t n, size_t p)
{
    sample a = {n, p, malloc(n * p * sizeof(double)), malloc(p * p * sizeof(double)), malloc(p * p * sizeof(double)), malloc(n * p * sizeof(float))};
    bench_require(a.x && a.s && a.other && a.x32 && n > 1, "no memory");
    unsigned state = 1;
    for (size_t k = 0; k < n * p; k++) {
        state = state * 1664525u + 1013904223u;
        a.x32[k] = (float)(state >> 8) / 16777216.0f + 3.0f;
        a.x[k] = (double)a.x32[k];
    }
    return a;
}

static void form(const sample *a, size_t p, bool narrow, ggm_transform transform, int threads, double *s)
{
    const ggm_samples samples = {.n = a->n, .p = p, .x = narrow ? NULL : a->x, .x32 = narrow ? a->x32 : NULL};
    ggm_covariance_settings settings;
    ggm_default_covariance_settings(&settings);
    settings.transform = transform;
    settings.repair = false;
    bench_require(ggm_covariance(&samples, &settings, threads, s) == GGM_OK, "ggm_covariance failed");
}

/* GFLOP/s of one large product: of doubles, of floats */
static void yardstick(int threads, double rate[2])
{
    double *a = calloc(3 * SIDE, SIDE * sizeof *a), best;
    bench_require(a != NULL, "no memory");
    float *b = (float *)a;
    const double work = 2.0 * SIDE * SIDE * SIDE * 1e-9;
    omp_set_num_threads(threads);
    double *a2 = a + SIDE * SIDE, *a3 = a2 + SIDE * SIDE;
    float *b2 = b + SIDE * SIDE, *b3 = b2 + SIDE * SIDE;
    BENCH(best, 3, cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, a, SIDE, a2, SIDE, 0, a3, SIDE));
    rate[0] = work / best;
    BENCH(best, 3, cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, SIDE, SIDE, SIDE, 1, b, SIDE, b2, SIDE, 0, b3, SIDE));
    rate[1] = work / best;
    free(a);
}

/* Some entries by plain loops, all of single precision by double precision */
static double check(const sample *a)
{
    for (size_t k = 0; k < 20; k++) {
        const size_t i = k * 7919 % a->p, j = k * 104729 % a->p;
        double u = 0, v = 0, sum = 0;
        for (size_t r = 0; r < a->n; r++) {
            u += a->x[r * a->p + i] / (double)a->n;
            v += a->x[r * a->p + j] / (double)a->n;
        }
        for (size_t r = 0; r < a->n; r++)
            sum += (a->x[r * a->p + i] - u) * (a->x[r * a->p + j] - v) / (double)a->n;
        bench_require(fabs(a->s[i * a->p + j] - sum) < 1e-12, "a covariance differs from plain loops");
    }
    double worst = 0;
    for (size_t i = 0; i < a->p; i++)
        for (size_t j = 0; j < a->p; j++)
            worst = fmax(worst, fabs(a->s[i * a->p + j] - a->other[i * a->p + j]) / sqrt(a->s[i * (a->p + 1)] * a->s[j * (a->p + 1)]));
    bench_require(worst < 1e-6, "single and double precision differ");
    return worst;
}

static void products(const sample *a, int threads)
{
    double rate[2], wide, narrow;
    yardstick(threads, rate);
    BENCH(wide, 3, form(a, a->p, false, GGM_TRANSFORM_NONE, threads, a->s));
    BENCH(narrow, 3, form(a, a->p, true, GGM_TRANSFORM_NONE, threads, a->other));
    const double worst = check(a), work = (double)a->n * (double)a->p * (double)a->p * 1e-9;
    const double times[2] = {wide, narrow};
    for (int k = 0; k < 2; k++)
        printf("covariance %s, n %zu, p %zu, %d threads: %.3f s, %.0f GFLOP/s, %.0f %% of the %.0f of a matrix product\n", k ? "f32" : "f64", a->n, a->p,
               threads, times[k], work / times[k], 100 * work / times[k] / rate[k], rate[k]);
    printf("covariance largest difference of f32: %.1e of sqrt(S_ii S_jj)\n", worst);
}

static void transforms(const sample *a, int threads)
{
    static const char *const names[] = {"none", "winsor", "npn", "npn-truncated", "spearman", "skeptic"};
    double took;
    for (int transform = GGM_TRANSFORM_WINSOR; transform < GGM_TRANSFORM_KENDALL; transform++) {
        BENCH(took, 3, form(a, a->p, true, (ggm_transform)transform, threads, a->s));
        printf("covariance f32, %s, %d threads: %.3f s\n", names[transform], threads, took);
    }
    const size_t p = a->p < FEW ? a->p : FEW, pairs = p * (p - 1) / 2;
    BENCH(took, 1, form(a, p, false, GGM_TRANSFORM_KENDALL, threads, a->s));
    if (pairs > 0)
        printf("covariance kendall, %d threads: %.1f us a pair, %.1f ns a sample of it\n", threads, took / (double)pairs * 1e6,
               took / (double)pairs / (double)a->n * 1e9);
}

int main(int argc, char **argv)
{
    const sample a = make(argc > 1 ? strtoul(argv[1], NULL, 10) : 20000, argc > 2 ? strtoul(argv[2], NULL, 10) : 2000);
    const int most = omp_get_max_threads();
    for (int threads = 1; threads <= most; threads = threads < most && 2 * threads > most ? most : 2 * threads) {
        products(&a, threads);
        transforms(&a, threads);
    }
    free(a.x);
    free(a.s);
    free(a.other);
    free(a.x32);
    return 0;
}
