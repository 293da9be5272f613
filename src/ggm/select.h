/* libggm: choosing lambda. Component sizes for every lambda, the solutions along a path, and the lambda that a criterion selects.
 *
 * Row-major arrays of doubles; lambda is in the units of the problem that is solved (correlations if problem->scale). See ggm.h for
 * threads, ownership and determinism. Everything here gives the same bits at any number of threads. Time limit and interrupt of
 * ggm_settings hold for the whole call; when they strike, what was computed is returned, with that outcome. All callbacks come from
 * the calling thread only. */
#pragma once
#include <ggm/ggm.h>

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ---- component sizes for every lambda, without a solve ----
 *
 * The screened components at lambda are those of {i != j: |S_ij| > lambda w_ij}: single-linkage clusters of |S_ij| / w_ij, whose tree is the
 * maximum spanning tree. Prim's algorithm, p^2 comparisons and a few arrays of p. */
typedef struct {
    size_t p;
    double *lambda;          /* (p - 1) descending: the merge happens for every lambda below this value; 0: never */
    int *a, *b;              /* (p - 1) the pair of variables, a < b, whose covariance joins the two components */
    int *size;               /* (p - 1) variables in the component that the merge makes */
    int *largest;            /* (p - 1) variables in the largest component after the merge */
} ggm_linkage;               /* owned by the caller: ggm_linkage_release */

/* problem->lambda and penalize_diagonal are ignored. threads as in the settings (for forming S from samples). */
ggm_status ggm_linkage_new(const ggm_problem *problem, int threads, ggm_linkage *linkage);
size_t ggm_linkage_components(const ggm_linkage *linkage, double lambda); /* how many components there are at lambda */
size_t ggm_linkage_largest(const ggm_linkage *linkage, double lambda);    /* variables in the largest of them; a solve holds 4 of its squares */
double ggm_linkage_lambda(const ggm_linkage *linkage, size_t largest);    /* smallest lambda whose largest component has at most `largest` (>= 1) variables */
void ggm_linkage_release(ggm_linkage *linkage);                           /* NULL and all-zero are fine; leaves it all-zero */

/* ---- the solutions along a path ---- */
typedef struct {
    double lambda;
    ggm_status status;       /* GGM_OK, or why there is no answer at this lambda; then all that follows is zero or NaN */
    ggm_info info;           /* with the certificate; its seconds are those since the path began */
    size_t edges;            /* nonzeros of T above the diagonal */
    double log_likelihood;   /* logdet T - tr(S T) in units of s: twice the Gaussian log-likelihood of a sample, up to a constant */
    double ebic;             /* -n log_likelihood + edges log n + 4 gamma edges log p (Foygel & Drton, NIPS 2010); NaN if n is not known */
    ggm_sparse precision;    /* T in units of s; empty if it is not kept */
} ggm_path_point;

typedef struct {
    const double *lambdas;   /* (count) strictly descending, > 0, or NULL for a grid: count values, equal steps of log lambda, from lambda_max down */
    size_t count;            /* default 20 */
    double ratio;            /* smallest lambda of the grid as a share of lambda_max, in (0, 1); default 0.1 */
    double tolerance;        /* relative duality gap at each lambda; 0 (default): that of ggm_settings */
    bool keep;               /* keep every T; default true */
    double n;                /* independent samples, for EBIC; 0 (default): problem->samples->n, or not known */
    double gamma;            /* of EBIC, >= 0; default 0.5 (0 is BIC) */
    void (*arrived)(const ggm_path_point *point, void *user_data); /* each point as it comes, T included whether it is kept or not; may be NULL */
    void *user_data;
} ggm_path_settings;

typedef struct {
    size_t count;            /* points there are: fewer than asked only if time limit or interrupt struck */
    ggm_path_point *points;  /* (count) lambda descending */
    double lambda_max;       /* smallest lambda whose graph has no edge */
    double seconds;
    ggm_outcome outcome;     /* GGM_CONVERGED; GGM_ITERATION_LIMIT if that is how any point ended; or what stopped the path */
} ggm_path_result;           /* owned by the caller: ggm_path_release */

void ggm_default_path_settings(ggm_path_settings *settings);

/* Solves at descending lambda, each from the last; problem->lambda is ignored. A failure at one lambda is recorded in its point and the next
 * starts cold. A point during which time limit or interrupt struck is the last one, with its outcome and true gap. Without an edge at any
 * lambda (S diagonal, lambda_max = 0) a grid has one point, lambda = 0. settings and path may be NULL (defaults). */
ggm_status ggm_path(const ggm_problem *problem, const ggm_settings *settings, const ggm_path_settings *path, ggm_path_result *result);
void ggm_path_release(ggm_path_result *result); /* NULL and all-zero are fine; leaves it all-zero */

/* ---- the lambda that a criterion selects ---- */
typedef enum {
    GGM_CRITERION_EBIC = 0,  /* smallest EBIC along the path. Needs n. One path. */
    GGM_CRITERION_CV,        /* smallest mean held-out loss -logdet T + tr(S_test T) over folds. Needs samples. `folds` paths. */
    GGM_CRITERION_STARS,     /* smallest lambda whose graphs on subsamples agree (Liu, Roeder & Wasserman, NIPS 2010). Needs samples. */
    GGM_CRITERION_RIC,       /* largest |S_ij| of columns rotated against each other, where nothing is related (Zhao et al., JMLR 13, 2012).
                                Needs samples. No path; `rotations` matrix products. */
    GGM_CRITERION_DENSITY    /* share of pairs that are edges, by ggm_solve_degree */
} ggm_criterion;

/* n is the number of samples. Resamples are drawn by `seed` and their own number alone. */
typedef struct {
    ggm_criterion criterion; /* default GGM_CRITERION_EBIC */
    ggm_path_settings path;  /* the grid, n and gamma; tolerance: of all solves but the last, 0 (default): that of ggm_settings for EBIC, which multiplies
                                the log-likelihood by n; otherwise 1e-5 (or that of ggm_settings, if it is larger),
                                since only edges and scores count. keep: whether selection.path keeps every T (default false here) */
    int extensions;          /* most lambdas added beyond either end of the grid while the choice lies there; default 8 */
    uint64_t seed;           /* default 1 */
    size_t memory;           /* bytes that resamples side by side may hold, each counted as ggm_select_job_bytes; 0 (default): no limit */

    int folds;               /* of CV, in 2 .. n; default 5 */
    bool one_standard_error; /* of CV: largest lambda whose loss is within one standard error of the smallest; default false */

    int subsamples;          /* of STARS, at least 2; default 20 */
    size_t subsample_size;   /* samples in each, in 2 .. n; 0 (default): floor(10 sqrt n) if n > 144, else floor(0.8 n) */
    double instability;      /* beta, in (0, 1); default 0.05 */
    bool bound;              /* of STARS: look at two subsamples first, and where their instability exceeds beta, do not follow the others further down
                                (Mueller, Kurtz & Bonneau 2016). The choice is the one without, for what two say is checked on all. Default true. */

    int rotations;           /* of RIC, at least 1 (at most n - 1 are made); default 20 */
    double density;          /* of DENSITY, in [0, 1]; default 0.01 */

    void (*progress)(size_t done, size_t planned, void *user_data); /* solves (RIC: tiles of products); planned may grow; may be NULL */
    void *user_data;
} ggm_select_settings;

typedef struct {
    double lambda;
    ggm_status status;       /* GGM_OK, or the first error that a solve at this lambda met */
    double score;            /* EBIC; mean held-out loss; instability made monotone, max over this and larger lambdas of
                                D = 2 sum_{i<j} theta_ij (1 - theta_ij) / (p choose 2), as the paper and pulsar have it (huge: twice that),
                                theta_ij the share of subsamples with the edge;
                                largest |S_ij| of a rotation (= lambda); density. NaN if there is none. */
    double spread;           /* CV: standard error of the mean; STARS: D itself; else 0 */
    double edges;            /* mean over the solves */
    int solves;              /* resamples that count */
} ggm_select_point;

typedef struct {
    double lambda;           /* the choice; NaN if there is none: all failed, or the interrupt came too early */
    size_t chosen;           /* points[chosen].lambda = lambda */
    bool at_end;             /* the optimum lies at an end of what was tried, so it may lie beyond: `extensions` was reached, or the solves there failed or
                                were stopped. STARS: also when not even the largest lambda is stable; it is then the choice. DENSITY: not reached. */
    ggm_outcome outcome;
    size_t count;
    ggm_select_point *points; /* (count) lambda descending; RIC: by rotation */
    ggm_result result;       /* of all samples at the choice, to the tolerance of ggm_settings; empty without a choice, or if that solve failed */
    ggm_status status;       /* of that solve: GGM_OK, or why result is empty though there is a choice */
    ggm_path_result path;    /* EBIC: the points with their certificates; otherwise empty */
    ggm_sparse stability;    /* STARS: theta at the choice, 1 on the diagonal; otherwise empty */
    double seconds;
} ggm_selection;             /* owned by the caller: ggm_selection_release */

void ggm_default_select_settings(ggm_select_settings *settings);

/* Selects lambda and solves there. problem->lambda is ignored. The grid is extended by its own step, down or up, while the choice lies at its end.
 *
 * CV, STARS: resamples run one a thread, in the memory allowed; problem->covariance says how their covariances are formed. Folds are a shuffle
 * cut into parts whose sizes differ by at most one. Without a transform a fold's training covariance is had by downdating, S_train =
 * (n S - n_f S_f) / n_t - (n n_f / n_t^2) e e', e = mean_f - mean, and the held-out one is about the training mean, S_test = S_f + (n / n_t)^2 e e';
 * with a transform or shrinkage, and where a variable varies mostly in the fold, the training covariance is formed from its rows; with a transform the
 * held-out one is formed from its own rows in the same way, without shrinkage or repair. A variable that does not vary in a resample keeps the variance
 * it has in all samples, and no covariance there.
 * RIC: x_ij of rows i rotated against each other by r in 1 .. n - 1, max over j != k of |sum_i x_(i + r),j x_ik| / n / w_jk, columns centred (and, with
 * scale, standardised), in single precision. Not with a transform or shrinkage: GGM_ERROR_ARGUMENT.
 * What fails is said in the points and in selection.status; GGM_ERROR_... is returned only if nothing can be said (arguments, S of all samples, memory
 * for the points). A resample counts only if it gave an answer at every lambda where any did; when fewer than two (CV: one) did, lambdas are
 * given up from below until enough do. */
ggm_status ggm_select(const ggm_problem *problem, const ggm_settings *settings, const ggm_select_settings *select, ggm_selection *selection);
size_t ggm_select_job_bytes(size_t p); /* 7 p^2 doubles: two covariances, the solver's four matrices and T; 0 if it overflows */
const char *ggm_criterion_text(ggm_criterion criterion); /* "ebic", "cv", "stars", "ric", "density" */
void ggm_selection_release(ggm_selection *selection); /* NULL and all-zero are fine; leaves it all-zero */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
