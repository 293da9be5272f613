/* Moves an indefinite covariance to a positive definite one with the same variances.
 *
 * On the correlation scale, so that units do not matter. First one Cholesky factorization of C + FLOOR I, which most matrices
 * pass; only where it fails, the eigenvalues up to FLOOR and their vectors. With those, C' = C + sum (FLOOR - l) v v^T has no eigenvalue
 * below FLOOR; its diagonal is at least 1, and C'_ij / sqrt(C'_ii C'_jj) is a correlation matrix, congruent to C' and so as definite
 * (Rousseeuw & Molenberghs 1993). LAPACK runs on one thread here: threaded, it would cut its sums by the number of threads. */
#include "ggm/internal.h"

#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#define FLOOR 1e-8

typedef struct {
    lapack_int p, found;   /* eigenvalues found */
    double *matrix;        /* (p, p) work space */
    double *value;         /* (p) eigenvalues up to FLOOR, ascending */
    double *vector;        /* (found, p), room for p */
    double *space;         /* of LAPACK's */
    lapack_int *support, *integers;
} spectrum;

/* c <- correlations of s, with 1 on the diagonal; off the diagonal 0 for variables without variance */
static void correlations(const double *s, const double *scale, size_t p, double *c)
{
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++)
            c[i * p + j] = 0.5 * (s[i * p + j] + s[j * p + i]) * scale[i] * scale[j];
        c[i * p + i] = 1;
    }
}

/* Every eigenvalue is within this of 0 (Gershgorin) */
static double radius(const double *c, size_t p)
{
    double largest = 0;
    for (size_t i = 0; i < p; i++) {
        double sum = 0;
        for (size_t j = 0; j < p; j++)
            sum += fabs(c[i * p + j]);
        largest = fmax(largest, sum);
    }
    return largest;
}

/* Eigenvalues of `matrix` up to FLOOR, and their vectors; the matrix is overwritten */
static ggm_status low_eigenvalues(spectrum *e)
{
    const double bottom = -1.01 * radius(e->matrix, (size_t)e->p) - 1, top = FLOOR, exact = 0;
    const lapack_int p = e->p, unused = 0;
    lapack_int info = 0, query = -1, integer_length = 0;
    double length = 0;
    const char vectors = 'V', range = 'V', triangle = 'U';
    LAPACK_dsyevr(&vectors, &range, &triangle, &p, e->matrix, &p, &bottom, &top, &unused, &unused, &exact, &e->found, e->value, e->vector, &p,
                  e->support, &length, &query, &integer_length, &query, &info);
    lapack_int doubles = (lapack_int)length;
    e->space = ggm_alloc((size_t)doubles, sizeof *e->space);
    e->integers = ggm_alloc((size_t)integer_length, sizeof *e->integers);
    if (!e->space || !e->integers)
        return GGM_ERROR_MEMORY;
    LAPACK_dsyevr(&vectors, &range, &triangle, &p, e->matrix, &p, &bottom, &top, &unused, &unused, &exact, &e->found, e->value, e->vector, &p,
                  e->support, e->space, &doubles, e->integers, &integer_length, &info);
    return info == 0 ? GGM_OK : GGM_ERROR_INDEFINITE;
}

/* matrix <- lower triangle of the repaired correlation matrix, from the correlations in it */
static void raise(const spectrum *e)
{
    const size_t p = (size_t)e->p;
    for (size_t k = 0; k < (size_t)e->found; k++)
        cblas_dscal((int)p, sqrt(fmax(FLOOR - e->value[k], 0)), e->vector + k * p, 1);
    cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, (int)p, (int)e->found, 1, e->vector, (int)p, 1, e->matrix, (int)p);
}

/* s <- the raised matrix in the units of s, its diagonal kept. Returns the squared change on the correlation scale. */
static double put_back(double *s, const double *scale, const double *raised, size_t p, double *shorten)
{
    double change = 0;
    for (size_t i = 0; i < p; i++)
        shorten[i] = 1 / sqrt(raised[i * p + i]);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < i; j++) {
            const bool varies = scale[i] > 0 && scale[j] > 0;
            const double before = 0.5 * (s[i * p + j] + s[j * p + i]) * scale[i] * scale[j];
            const double after = varies ? raised[i * p + j] * shorten[i] * shorten[j] : 0;
            s[j * p + i] = s[i * p + j] = varies ? after / scale[i] / scale[j] : 0;
            change += 2 * (after - before) * (after - before);
        }
    return change;
}

/* The Cholesky factorization failed: matrix is free, scale as in ggm_repair_checked */
static ggm_status clip(double *s, const double *scale, spectrum *e, ggm_covariance_info *info)
{
    const size_t p = (size_t)e->p;
    e->value = ggm_alloc(p, sizeof *e->value);
    e->vector = ggm_alloc(p, p * sizeof *e->vector);
    e->support = ggm_alloc(2 * p, sizeof *e->support);
    if (!e->value || !e->vector || !e->support)
        return GGM_ERROR_MEMORY;
    correlations(s, scale, p, e->matrix);
    ggm_status status = low_eigenvalues(e);
    if (status != GGM_OK || e->found == 0)
        return status;
    info->smallest_eigenvalue = e->value[0];
    correlations(s, scale, p, e->matrix);
    raise(e);
    info->repaired = true;
    info->repair_distance = sqrt(put_back(s, scale, e->matrix, p, e->value));
    return GGM_OK;
}

static bool is_semidefinite(const double *s, const double *scale, size_t p, double *matrix)
{
    correlations(s, scale, p, matrix);
    for (size_t i = 0; i < p; i++)
        matrix[i * (p + 1)] += FLOOR;
    return ggm_linalg_host.cholesky(matrix, (int)p);
}

ggm_status ggm_repair_checked(double *s, size_t p, int threads, ggm_covariance_info *info)
{
    spectrum e = {.p = (lapack_int)p, .matrix = ggm_alloc(p, p * sizeof *e.matrix)};
    double *scale = ggm_alloc(p, sizeof *scale);
    ggm_status status = e.matrix && scale ? GGM_OK : GGM_ERROR_MEMORY;
    info->smallest_eigenvalue = (double)NAN;
    info->repaired = false;
    info->repair_distance = 0;
    if (status == GGM_OK) {
        for (size_t i = 0; i < p; i++)
            scale[i] = s[i * (p + 1)] > 0 ? 1 / sqrt(s[i * (p + 1)]) : 0;
        const int before = omp_get_max_threads();
        omp_set_num_threads(ggm_thread_count(threads));
        const bool fine = is_semidefinite(s, scale, p, e.matrix);
        omp_set_num_threads(1);
        if (!fine)
            status = clip(s, scale, &e, info);
        omp_set_num_threads(before);
    }
    ggm_free(e.matrix);
    ggm_free(e.value);
    ggm_free(e.vector);
    ggm_free(e.space);
    ggm_free(e.support);
    ggm_free(e.integers);
    ggm_free(scale);
    return status;
}

static ggm_status check(const double *s, size_t p)
{
    for (size_t i = 0; i < p; i++) {
        const double variance = s[i * (p + 1)];
        if (!isfinite(variance))
            return GGM_ERROR_NOT_FINITE;
        if (variance < 0 || (variance > 0 && !isfinite(1 / sqrt(variance))))
            return GGM_ERROR_DIAGONAL;
        for (size_t j = 0; variance == 0 && j < p; j++)
            if (s[i * p + j] != 0)
                return isfinite(s[i * p + j]) ? GGM_ERROR_DIAGONAL : GGM_ERROR_NOT_FINITE;
    }
    bool rounded;
    return ggm_check_entries(&(ggm_problem){.p = p, .s = s}, &rounded);
}

ggm_status ggm_repair(double *s, size_t p, int threads, ggm_covariance_info *info)
{
    ggm_covariance_info own = {0};
    if (info)
        *info = own;
    if (!s || p == 0 || p > INT_MAX || threads < 0)
        return GGM_ERROR_ARGUMENT;
    ggm_status status = p > SIZE_MAX / sizeof *s / p ? GGM_ERROR_MEMORY : check(s, p);
    if (status == GGM_OK)
        status = ggm_repair_checked(s, p, threads, &own);
    if (status == GGM_OK && info)
        *info = own;
    return status;
}
