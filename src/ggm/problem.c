/* Checks what the caller gave, once, before anything is computed: so that the solver need not doubt its input, and so that bad
 * input is named by a status instead of showing as NaN in the answer. */
#include "ggm/internal.h"

#include <limits.h>
#include <math.h>
#include <omp.h>
#include <time.h>

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
                settings->time_limit >= 0 && isfinite(settings->time_limit);
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

static ggm_status check_entries(const ggm_problem *problem)
{
    const size_t tile = 64, p = problem->p; /* tiles, for s[j * p + i] strides */
    ggm_status status = GGM_OK;
    for (size_t i0 = 0; i0 < p; i0 += tile)
        for (size_t j0 = 0; j0 <= i0; j0 += tile)
            for (size_t i = i0; i < p && i < i0 + tile; i++)
                for (size_t j = j0; j < i && j < j0 + tile; j++) {
                    double a = problem->s[i * p + j], b = problem->s[j * p + i];
                    if (!isfinite(a) || !isfinite(b))
                        return GGM_ERROR_NOT_FINITE;
                    if (a != b && fabs(a - b) > ASYMMETRY * sqrt(problem->s[i * p + i]) * sqrt(problem->s[j * p + j]))
                        status = GGM_ERROR_NOT_SYMMETRIC;
                }
    return status;
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

ggm_status ggm_check_problem(const ggm_problem *problem)
{
    if (!problem->s || problem->p == 0 || problem->p > (size_t)INT_MAX)
        return GGM_ERROR_ARGUMENT;
    if (problem->p > SIZE_MAX / sizeof(double) / problem->p / 4)
        return GGM_ERROR_MEMORY;
    if (!(problem->lambda >= 0) || !isfinite(problem->lambda))
        return GGM_ERROR_ARGUMENT;
    ggm_status status = check_diagonal(problem);
    if (status == GGM_OK)
        status = check_entries(problem);
    if (status == GGM_OK && problem->weights)
        status = check_weights(problem);
    return status;
}

double *ggm_scales(const ggm_problem *problem)
{
    double *scales = ggm_alloc(problem->p, sizeof *scales);
    for (size_t i = 0; scales && i < problem->p; i++)
        scales[i] = problem->scale ? 1 / sqrt(problem->s[i * problem->p + i]) : 1;
    return scales;
}
