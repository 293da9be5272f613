/* libggm: sparse Gaussian graphical models (the graphical lasso). See src/ggm for the implementation. DRAFT: the owner of src/ggm completes this header. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*   primal  min  f(T) = -logdet T + tr(S T) + sum_ij L_ij |T_ij|,  T positive definite
 *   dual    max  logdet W + p   s.t. |W_ij - S_ij| <= L_ij,        L_ij = lambda off the diagonal, L_ii = lambda or 0 */

typedef enum { GGM_OK = 0, GGM_ERROR_ARGUMENT, GGM_ERROR_MEMORY, GGM_ERROR_NOT_FINITE, GGM_ERROR_NOT_SYMMETRIC, GGM_ERROR_DIAGONAL, GGM_ERROR_INDEFINITE } ggm_status;
typedef enum { GGM_CONVERGED = 0, GGM_ITERATION_LIMIT, GGM_TIME_LIMIT, GGM_INTERRUPTED } ggm_outcome;

typedef struct {
    size_t p;
    const double *s;         /* p*p symmetric covariance, borrowed during the call */
    double lambda;
    bool penalize_diagonal;
    bool scale;              /* solve for the correlation matrix of s and scale the answer back (default true) */
} ggm_problem;

typedef struct {
    double tolerance;        /* on the relative duality gap; default 1e-7 */
    int max_iterations;      /* sweeps; default 500 */
    double time_limit;       /* seconds; 0 = none */
    int threads;             /* 0 = all */
    bool (*interrupt)(void *user_data);                                         /* true = stop with the best iterate; may be NULL */
    void (*progress)(double lambda, int iteration, double gap, void *user_data); /* may be NULL */
    void *user_data;
} ggm_settings;

/* Symmetric sparse matrix, both triangles and the diagonal, compressed by rows, columns ascending. */
typedef struct { size_t p, nnz; size_t *start; /* p+1 */ int *index; double *value; } ggm_sparse;

typedef struct {
    double objective, duality_gap, relative_duality_gap, kkt_residual; /* certified apart from the solver, of the scaled problem */
    size_t nonzeros;        /* of T, with the diagonal */
    size_t components, largest_component;
    int iterations;
    double seconds;
    int threads;
    const char *solver;
    ggm_outcome outcome;
    double lambda;
} ggm_info;

typedef struct { ggm_sparse precision; ggm_info info; } ggm_result;

void ggm_default_settings(ggm_settings *settings);
ggm_status ggm_solve(const ggm_problem *problem, const ggm_settings *settings, ggm_result *result);
/* Finds the largest lambda of a descending warm-started path whose average degree reaches `degree`; problem->lambda is ignored.
 * result->info.lambda tells which. */
ggm_status ggm_solve_degree(const ggm_problem *problem, const ggm_settings *settings, double degree, ggm_result *result);
void ggm_result_release(ggm_result *result);
const char *ggm_status_text(ggm_status status);
const char *ggm_outcome_text(ggm_outcome outcome);

#ifdef __cplusplus
}
#endif
