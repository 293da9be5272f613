/* Public entry points that are nothing but calls of others, defaults, and texts. */
#include "ggm/internal.h"

#include <string.h>

#define TEXT(x) #x
#define VERSION(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

void ggm_default_problem(ggm_problem *problem)
{
    *problem = (ggm_problem){.scale = true};
}

void ggm_default_settings(ggm_settings *settings)
{
    *settings = (ggm_settings){.tolerance = 1e-7, .max_iterations = 500, .screening = true};
}

ggm_status ggm_solve(const ggm_problem *problem, const ggm_settings *settings, ggm_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_result){0};
    const double start = ggm_now();
    ggm_workspace *workspace;
    ggm_status status = ggm_workspace_new(problem, settings, &workspace);
    if (status != GGM_OK)
        return status;
    status = ggm_workspace_solve(workspace, problem->lambda, result);
    ggm_workspace_free(workspace);
    if (status == GGM_OK)
        result->info.seconds = ggm_now() - start;
    return status;
}

void ggm_sparse_to_dense(const ggm_sparse *matrix, double *dense)
{
    memset(dense, 0, matrix->p * matrix->p * sizeof *dense);
    for (size_t i = 0; i < matrix->p; i++)
        for (size_t k = matrix->start[i]; k < matrix->start[i + 1]; k++)
            dense[i * matrix->p + (size_t)matrix->index[k]] = matrix->value[k];
}

void ggm_sparse_release(ggm_sparse *matrix)
{
    if (!matrix)
        return;
    ggm_free(matrix->start);
    ggm_free(matrix->index);
    ggm_free(matrix->value);
    *matrix = (ggm_sparse){0};
}

void ggm_result_release(ggm_result *result)
{
    if (!result)
        return;
    ggm_sparse_release(&result->precision);
    *result = (ggm_result){0};
}

/* In units of p^2 doubles, the worst case being one dense component: S and W and the bound's work space 3.5 (with the single-precision copies
 * while they are widened), two work arrays 2, the columns' active sets (12 bytes an entry, grown by half) 2.25, T while it is put together 4.5,
 * a Gram matrix and its factor (grown by half) 3 up to p = 64 and 3/4 for each thread above. */
size_t ggm_memory_bytes(size_t p)
{
    const size_t squares = 15 + (size_t)ggm_thread_count(0) * 3 / 4, lines = 300;
    if (p == 0 || p > SIZE_MAX / sizeof(double) / (squares * p + lines))
        return 0;
    return (squares * p + lines) * p * sizeof(double);
}

const char *ggm_status_text(ggm_status status)
{
    switch (status) {
    case GGM_OK: return "no error";
    case GGM_ERROR_ARGUMENT: return "an argument or setting is out of its range";
    case GGM_ERROR_MEMORY: return "not enough memory";
    case GGM_ERROR_NOT_FINITE: return "the covariance has a NaN or infinite entry";
    case GGM_ERROR_NOT_SYMMETRIC: return "the covariance, the weights or the precision matrix is not symmetric";
    case GGM_ERROR_DIAGONAL: return "a variance on the diagonal is not positive: leave constant variables out";
    case GGM_ERROR_INDEFINITE: return "no positive definite solution exists: raise lambda, or repair an indefinite or singular covariance";
    }
    return "unknown status";
}

const char *ggm_outcome_text(ggm_outcome outcome)
{
    switch (outcome) {
    case GGM_CONVERGED: return "converged";
    case GGM_ITERATION_LIMIT: return "iteration limit";
    case GGM_TIME_LIMIT: return "time limit";
    case GGM_INTERRUPTED: return "interrupted";
    }
    return "unknown outcome";
}

const char *ggm_version(void)
{
    return VERSION(GGM_VERSION_MAJOR, GGM_VERSION_MINOR, GGM_VERSION_PATCH);
}
