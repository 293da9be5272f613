/* Checks what the caller gave, once, before anything is computed: so that the solver need not doubt its input, and so that bad
 * input is named by a status instead of showing as NaN in the answer. */
#include "ggm/covariance.h"
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <time.h>

#define BAND 64    /* rows and columns of a tile */
#define SHARED 400 /* variables from which on threads share the work */
#define ASYMMETRY 1e-6 /* in units of s_i s_j: single-precision products of activations differ by up to about 1e-7 */

double ggm_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

int ggm_thread_count(int wanted)
{
    int threads = wanted > 0 ? wanted : omp_get_max_threads();
    int limit = omp_get_thread_limit();
    return threads > limit ? limit : threads;
}

ggm_status ggm_check_settings(const ggm_settings *settings)
{
    bool good = isfinite(settings->tolerance) && settings->tolerance > 0 && settings->max_iterations > 0 && settings->threads >= 0 &&
                settings->time_limit >= 0 && isfinite(settings->time_limit) && settings->solver >= GGM_SOLVER_AUTO && settings->solver <= GGM_SOLVER_SGLASSO;
    return good ? GGM_OK : GGM_ERROR_ARGUMENT;
}

static ggm_status check_diagonal(const ggm_problem *problem)
{
    for (size_t i = 0; i < problem->p; i++) {
        double d = problem->s[i * problem->p + i];
        if (!isfinite(d))
            return GGM_ERROR_NOT_FINITE;
        if (!(d > 0) || !isfinite(1 / sqrt(d)) || 1 / sqrt(d) == 0)
            return GGM_ERROR_DIAGONAL;
    }
    return GGM_OK;
}

/* What is wrong with the entries of a band of rows against the columns before them */
typedef struct {
    bool rounded, asymmetric, infinite;
} faults;

/* Whether row[j] == column[j] for all j, and finite */
GGM_CLONES static bool all_equal(const double *restrict row, const double *restrict column, size_t n)
{
    int64_t off = 0;
    for (size_t j = 0; j < n; j++)
        off |= !(row[j] == column[j]) | !(row[j] - column[j] == 0); /* the second is for infinities */
    return off == 0;
}

static void check_pair(const ggm_problem *problem, size_t i, size_t j, faults *found)
{
    const double a = problem->s[i * problem->p + j], b = problem->s[j * problem->p + i];
    if (a == b && isfinite(a))
        return;
    if (!isfinite(a) || !isfinite(b))
        found->infinite = true;
    found->rounded = true;
    if (fabs(a - b) > ASYMMETRY * sqrt(problem->s[i * problem->p + i]) * sqrt(problem->s[j * problem->p + j]))
        found->asymmetric = true;
}

/* Tile by tile: the entries above the diagonal are first turned into rows, for they lie a row apart */
static faults check_rows(const ggm_problem *problem, size_t i0, size_t rows)
{
    const size_t p = problem->p;
    double turned[BAND][BAND + 8]; /* + 8: rows a power of two apart would fall onto each other in the cache */
    faults found = {0};
    for (size_t j0 = 0; j0 < i0 + rows; j0 += BAND) {
        const size_t columns = i0 + rows - j0 < BAND ? i0 + rows - j0 : BAND;
        for (size_t j = 0; j < columns; j++)
            for (size_t i = 0; i < rows; i++)
                turned[i][j] = problem->s[(j0 + j) * p + i0 + i];
        for (size_t i = 0; i < rows; i++) {
            const size_t before = i0 + i < j0 ? 0 : i0 + i - j0 < columns ? i0 + i - j0 : columns;
            if (all_equal(problem->s + (i0 + i) * p + j0, turned[i], before))
                continue;
            for (size_t j = 0; j < before; j++)
                check_pair(problem, i0 + i, j0 + j, &found);
        }
    }
    return found;
}

/* *rounded: S is symmetric but for rounding */
ggm_status ggm_check_entries(const ggm_problem *problem, bool *rounded)
{
    const size_t p = problem->p;
    bool off = false, asymmetric = false, infinite = false;
#pragma omp parallel for schedule(dynamic) reduction(|| : off, asymmetric, infinite) if (p >= SHARED) default(none) shared(problem, p)
    for (size_t i0 = 0; i0 < p; i0 += BAND) {
        const faults found = check_rows(problem, i0, p - i0 < BAND ? p - i0 : BAND);
        off = off || found.rounded;
        asymmetric = asymmetric || found.asymmetric;
        infinite = infinite || found.infinite;
    }
    *rounded = off;
    return infinite ? GGM_ERROR_NOT_FINITE : asymmetric ? GGM_ERROR_NOT_SYMMETRIC : GGM_OK;
}

static ggm_status check_weights(const ggm_problem *problem)
{
    const size_t p = problem->p;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j <= i; j++) {
            double a = problem->weights[i * p + j], b = problem->weights[j * p + i];
            if (!(a >= 0) || !(b >= 0) || (i == j && !isfinite(a)))
                return GGM_ERROR_ARGUMENT;
            if (a != b)
                return GGM_ERROR_NOT_SYMMETRIC;
        }
    return GGM_OK;
}

ggm_status ggm_check_sparse(const ggm_sparse *t, size_t p)
{
    if (t->p != p || !t->start || !t->index || !t->value || t->start[0] != 0)
        return GGM_ERROR_ARGUMENT;
    for (size_t i = 0; i < p; i++) {
        if (t->start[i + 1] < t->start[i] || t->start[i + 1] > t->nnz)
            return GGM_ERROR_ARGUMENT;
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++) {
            if (t->index[k] < 0 || (size_t)t->index[k] >= p || (k > t->start[i] && t->index[k] <= t->index[k - 1]))
                return GGM_ERROR_ARGUMENT;
            if (!isfinite(t->value[k]))
                return GGM_ERROR_NOT_FINITE;
        }
    }
    return GGM_OK;
}

static ggm_status check_shape(const ggm_problem *problem)
{
    const ggm_samples *samples = problem->samples;
    if ((problem->s != NULL) + (problem->s32 != NULL) + (samples != NULL) != 1 || (samples && samples->p != problem->p))
        return GGM_ERROR_ARGUMENT;
    if (problem->p == 0 || problem->p > (size_t)INT_MAX || !(problem->lambda >= 0) || !isfinite(problem->lambda))
        return GGM_ERROR_ARGUMENT;
    return problem->p > SIZE_MAX / sizeof(double) / problem->p / 4 ? GGM_ERROR_MEMORY : GGM_OK;
}

static ggm_status form_covariance(const ggm_problem *problem, int threads, double *s)
{
    if (problem->samples)
        return ggm_covariance(problem->samples, problem->covariance, threads, s);
    for (size_t k = 0; k < problem->p * problem->p; k++)
        s[k] = (double)problem->s32[k];
    return GGM_OK;
}

static ggm_status check_problem(const ggm_problem *problem, bool *rounded)
{
    ggm_status status = check_diagonal(problem);
    if (status == GGM_OK)
        status = ggm_check_entries(problem, rounded);
    if (status == GGM_OK && problem->weights)
        status = check_weights(problem);
    if (status == GGM_OK && problem->start)
        status = ggm_check_sparse(problem->start, problem->p);
    return status;
}

static void average_triangles(const double *s, double *out, size_t p)
{
    const size_t tile = 64;
    for (size_t i0 = 0; i0 < p; i0 += tile)
        for (size_t j0 = 0; j0 <= i0; j0 += tile)
            for (size_t i = i0; i < p && i < i0 + tile; i++)
                for (size_t j = j0; j <= i && j < j0 + tile; j++)
                    out[i * p + j] = out[j * p + i] = 0.5 * (s[i * p + j] + s[j * p + i]);
}

static ggm_status take_problem(const ggm_problem *given, int threads, ggm_problem *taken, double **owned)
{
    *owned = NULL;
    *taken = *given;
    ggm_status status = check_shape(given);
    if (status == GGM_OK && !given->s) {
        *owned = ggm_alloc(given->p * given->p, sizeof **owned);
        status = *owned ? form_covariance(given, threads, *owned) : GGM_ERROR_MEMORY;
        taken->s = *owned;
        taken->s32 = NULL;
        taken->samples = NULL;
        taken->covariance = NULL;
    }
    bool rounded = false;
    if (status == GGM_OK)
        status = check_problem(taken, &rounded);
    if (status == GGM_OK && rounded) {
        double *symmetric = *owned ? *owned : ggm_alloc(given->p * given->p, sizeof *symmetric);
        if (symmetric)
            average_triangles(taken->s, symmetric, given->p);
        else
            status = GGM_ERROR_MEMORY;
        *owned = symmetric;
        taken->s = symmetric;
    }
    if (status != GGM_OK) {
        ggm_free(*owned);
        *owned = NULL;
    }
    return status;
}

ggm_status ggm_take_problem(const ggm_problem *given, int threads, ggm_problem *taken, double **owned)
{
    const int before = omp_get_max_threads();
    omp_set_num_threads(ggm_thread_count(threads));
    ggm_status status = take_problem(given, threads, taken, owned);
    omp_set_num_threads(before);
    return status;
}

double *ggm_scales(const ggm_problem *problem)
{
    double *scales = ggm_alloc(problem->p, sizeof *scales);
    for (size_t i = 0; scales && i < problem->p; i++)
        scales[i] = problem->scale ? 1 / sqrt(problem->s[i * problem->p + i]) : 1;
    return scales;
}
