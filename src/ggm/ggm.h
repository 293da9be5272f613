/* libggm: sparse Gaussian graphical models by the graphical lasso, with a certificate on every answer.
 *
 * For a p x p covariance S (positive semidefinite; n < p is normal) and penalties L_ij >= 0 it solves
 *
 *   primal  min  f(T) = -logdet T + tr(S T) + sum_ij L_ij |T_ij|,  T positive definite
 *   dual    max  logdet W + p   s.t. |W_ij - S_ij| <= L_ij, W positive definite       (at the optimum W = inverse of T)
 *
 * T (the precision matrix; its zeros are the missing edges) is what is returned. L_ij = lambda w_ij off the diagonal with
 * weights w (1 where none are given), L_ii = lambda w_ii when the diagonal is penalised and 0 otherwise. The sum runs over both
 * triangles, as in the R packages glasso, glassoFast and QUIC and in scikit-learn.
 *
 * With `scale` (the default) the problem is solved for the correlation matrix R_ij = S_ij / (s_i s_j), s_i = sqrt(S_ii), and the
 * answer scaled back, T_ij = T^R_ij / (s_i s_j): lambda then means the same for every S. Objective, gap and residual in
 * ggm_info belong to the problem that was solved: the correlation problem if scale is set, otherwise S as given.
 *
 * Method: exact screening into the connected components of {|S_ij| > L_ij} (Witten, Friedman & Simon 2011; Mazumder & Hastie,
 * JMLR 2012), then block coordinate descent on the dual (Banerjee et al. 2008; Friedman, Hastie & Tibshirani 2008) with a small
 * Gram problem on each column's active set, columns that do not touch each other solved side by side; see src/ggm/bcd.c. Components whose
 * T promises to be dense are solved by projected Newton on the dual instead; see src/ggm/newton.c and choose.c.
 *
 * Cost: about 2 p nnz(T) flops a sweep and one Cholesky factorization of T, per component; by Newton 100 to 250 p^3 in all. Memory: ggm_memory_bytes.
 * Threads: every function may be called from several threads at once; there is no global state, and nothing is printed.
 * Determinism: the same problem and settings give the same bits, at any number of threads, on the same kind of processor
 * with the same BLAS, if neither time limit nor interrupt strikes. (Gap and objective, whose sums BLAS may order by
 * thread, may differ in the last digits; T does not.)
 * Doubles throughout; times are in seconds. Pointers are to row-major arrays; S being symmetric, column-major is the same. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#define GGM_VERSION_MAJOR 0
#define GGM_VERSION_MINOR 2
#define GGM_VERSION_PATCH 0

/* Errors: there is no answer, and the result is empty. */
typedef enum {
    GGM_OK = 0,
    GGM_ERROR_ARGUMENT,      /* NULL, p = 0 or too large, not exactly one of s, s32 and samples, lambda negative or NaN, a setting out of range */
    GGM_ERROR_MEMORY,        /* an allocation failed, or p*p doubles do not fit the address space */
    GGM_ERROR_NOT_FINITE,    /* S, or a sample, is NaN or infinite */
    GGM_ERROR_NOT_SYMMETRIC, /* |S_ij - S_ji| > 1e-6 s_i s_j (below that the two are averaged) */
    GGM_ERROR_DIAGONAL,      /* S_ii <= 0: a variable that does not vary */
    GGM_ERROR_INDEFINITE     /* the penalised problem has no finite optimum that could be found: S is singular with lambda = 0,
                                or so indefinite that no positive definite W satisfies the dual's bounds. An indefinite S whose
                                penalised problem is well posed is solved, and certified, like any other. */
} ggm_status;

/* How a solve that has an answer ended. Anything but GGM_CONVERGED: the best feasible answer so far, with its true gap. */
typedef enum { GGM_CONVERGED = 0, GGM_ITERATION_LIMIT, GGM_TIME_LIMIT, GGM_INTERRUPTED } ggm_outcome;

/* Samples of p variables, one a row; borrowed, never written. Exactly one of x and x32 is given. */
typedef struct {
    size_t n, p;             /* samples, variables */
    const double *x;         /* (., p) row-major, or NULL */
    const float *x32;        /* the same in single precision, or NULL */
    const size_t *rows;      /* (n) which rows of x are the samples (a resample may repeat one), or NULL: rows 0 .. n-1 */
} ggm_samples;

/* What is done to the samples before their covariance is taken, for variables that are far from Gaussian; covariance.h has formulas */
typedef enum {
    GGM_TRANSFORM_NONE = 0,
    GGM_TRANSFORM_WINSOR,        /* each variable's tails cut at quantiles */
    GGM_TRANSFORM_NPN,           /* nonparanormal by shrunken ranks (Liu, Lafferty & Wasserman 2009) */
    GGM_TRANSFORM_NPN_TRUNCATED, /* nonparanormal by truncated ranks (the same) */
    GGM_TRANSFORM_SPEARMAN,      /* rank correlation */
    GGM_TRANSFORM_SKEPTIC,       /* 2 sin(pi/6 rho), rho Spearman's (Liu et al. 2012); may be indefinite */
    GGM_TRANSFORM_KENDALL        /* sin(pi/2 tau), tau Kendall's (the same); may be indefinite */
} ggm_transform;

typedef struct {
    ggm_transform transform;
    double winsor;           /* share cut off at each tail by GGM_TRANSFORM_WINSOR, in [0, 0.5); default 0.01 */
    double shrinkage;        /* S <- (1 - a) S + a diag(S), a in [0, 1]; default 0; NAN: the a that Ledoit and Wolf's argument gives */
    bool repair;             /* move an indefinite S to a positive semidefinite one (and say so in the info); default true */
} ggm_covariance_settings;

/* Symmetric sparse matrix, both triangles and the diagonal, compressed by rows (which, it being symmetric, is by columns as
 * well: CSR and CSC), columns ascending. */
typedef struct {
    size_t p, nnz;
    size_t *start;           /* (p+1) */
    int *index;              /* (nnz) */
    double *value;           /* (nnz) */
} ggm_sparse;

/* Exactly one of s, s32 and samples is given. */
typedef struct {
    size_t p;                /* number of variables, at least 1 */
    const double *s;         /* (p, p) symmetric covariance or correlation; borrowed, never written */
    const float *s32;        /* the same in single precision; it is widened (p^2 doubles), arithmetic is double */
    const ggm_samples *samples; /* S is their covariance with divisor n (covariance.h), formed first (p^2 doubles); samples->p = p */
    const ggm_covariance_settings *covariance; /* how it is formed from samples, or NULL for plainly; ignored without samples */
    double lambda;           /* penalty >= 0 */
    bool penalize_diagonal;
    bool scale;              /* solve for the correlation matrix of s and scale the answer back (ggm_default_problem: true) */
    const double *weights;   /* (p, p) symmetric weights w_ij >= 0 of the penalty, or NULL for 1 everywhere; borrowed.
                                0 leaves an entry unpenalised, INFINITY (off the diagonal) forces it to zero. With lambda = 1 they
                                are the penalty matrix itself. */
    const ggm_sparse *start; /* a precision matrix to start from, in units of s (an earlier answer, say), or NULL; borrowed. It speeds up
                                the solve if it is near, does not change the answer, and is ignored where it is not positive definite. */
} ggm_problem;

typedef enum {
    GGM_SOLVER_AUTO = 0,     /* the fastest for each component: NEWTON where T promises to be dense (choose.c), else BCD */
    GGM_SOLVER_BCD,          /* block coordinate descent on the dual, bcd.c */
    GGM_SOLVER_NEWTON,       /* projected Newton on the dual, newton.c: for T that is not sparse, and for tight tolerances there. An
                                indefinite S that leaves it no positive definite W to start from is left to BCD (info.solver says so). */
    GGM_SOLVER_SGLASSO       /* block coordinate descent on the primal after Dallakyan & Pourahmadi (2024), sglasso.c */
} ggm_solver;

typedef struct {
    double tolerance;        /* on the relative duality gap; > 0, default 1e-7 */
    int max_iterations;      /* sweeps over a component's columns (or Newton's iterations); > 0, default 500 */
    double time_limit;       /* seconds; 0 = none */
    int threads;             /* 0 = as many as OpenMP would use */
    ggm_solver solver;       /* default GGM_SOLVER_AUTO */
    bool screening;          /* split into components first (default true; the answer is the same without, only later) */
    bool (*interrupt)(void *user_data);                                         /* true = stop with the best iterate; may be NULL */
    void (*progress)(double lambda, int iteration, double gap, void *user_data); /* relative gap, NaN while unknown; may be NULL */
    void *user_data;         /* both are called from the calling thread only: interrupt at most every 20 ms, progress after a sweep */
} ggm_settings;

typedef struct {
    double objective;            /* f(T) */
    double duality_gap;          /* upper bound on f(T) - f(optimum), >= 0: certificate.c says how it is had */
    double relative_duality_gap; /* duality_gap / max(1, |objective|) */
    double kkt_residual;         /* largest violation of the optimality conditions by (T, W), see ggm_certificate */
    size_t nonzeros;             /* of T, with the diagonal */
    size_t components, largest_component; /* of the screened graph */
    int iterations;              /* sweeps: the most that any component took; over a path, of the last solve */
    double seconds;
    int threads;
    const char *solver;          /* static text: the one that solved the largest component */
    ggm_outcome outcome;
    double lambda;
} ggm_info;

typedef struct {
    ggm_sparse precision;    /* positive definite, symmetric, exact zeros */
    ggm_info info;
} ggm_result;                /* owned by the caller: ggm_result_release */

/* A proof of how good a precision matrix is, from S, the penalties and T alone: its value, and what is known of the optimum T* for sure.
 *
 * What is proven of T*: let g bound f(T) - f(T*) and W = inverse of T. Weak duality gives f(T) - f(T*) >= tr(W* T) - logdet(W* T) - p, a sum of
 * mu - 1 - log mu over the eigenvalues mu of T^(1/2) W* T^(1/2), so all mu lie in [1 - y, 1 + d] with -y - log(1 - y) = g = d - log(1 + d), for
 * which upper bounds in closed form are taken:
 *     d = sqrt(2 g + (2 g / 3)^2) + 2 g / 3,   y = sqrt(2 g + (2 g / 3)^2) - 2 g / 3,   z = y / (1 - y) (infinite where y >= 1),
 *     |W*_ij - W_ij| <= d sqrt(W_ii W_jj),     |T*_ij - T_ij| <= z sqrt(T_ii T_jj).
 * T*_ij has the sign of T_ij where |T_ij| > z sqrt(T_ii T_jj), and is 0 where |S_ij - W_ij| + d sqrt(W_ii W_jj) < L_ij. Each component of
 * {T_ij != 0 or |S_ij| > L_ij} is a problem of its own and is judged with its own gap, which is made larger by a few units of rounding. (The proofs
 * are ours. They hold as long as T's inverse is accurate to about 1e-8, that is for condition numbers up to 1e8.) */
typedef struct {
    double objective;            /* f(T), by Cholesky of T; infinite when T is not positive definite */
    double dual_objective;       /* logdet W + p at a feasible W: the inverse of T with every entry moved into its bounds, and
                                    towards diag(S) + ... far enough to be positive definite; -infinity if none was found */
    double duality_gap;          /* objective - dual_objective, clipped at 0 (rounding); f(T) - f(optimum) is at most this */
    double relative_duality_gap; /* duality_gap / max(1, |objective|) */
    double kkt_residual;         /* max over i, j of |G_ij + L_ij sign T_ij| where T_ij != 0 and max(0, |G_ij| - L_ij) elsewhere,
                                    G = S - inverse of T, in units of max S_ii (1 for the correlation problem) */
    double smallest_eigenvalue;  /* a lower bound on T's, in units of the solved problem: 1 / max_i (|W| x)_i / x_i for a positive x (Collatz and
                                    Wielandt), x = 1 and a few powers of |W| tried; -infinity when T is not positive definite */
    size_t nonzeros;             /* of T, with the diagonal */
    size_t proven_edges;         /* pairs i < j whose T*_ij is not 0 and has the sign of T_ij */
    size_t proven_zeros;         /* pairs i < j whose T*_ij is 0, those of different components included */
    size_t undecided_pairs;      /* the rest of the p (p - 1) / 2 */
    size_t wrong_edges;          /* those of proven_zeros where T_ij is not 0 */
    bool positive_definite;      /* T has a Cholesky factor; if not, nothing is proven */
} ggm_certificate;

/* Solver state for one S: keeps W and T between solves, so that the next lambda starts from the last. */
typedef struct ggm_workspace ggm_workspace;

void ggm_default_problem(ggm_problem *problem);    /* zeros, scale = true */
void ggm_default_settings(ggm_settings *settings);

/* Solves one problem. *result is overwritten, not released first; on error it is zeroed. settings may be NULL (defaults). */
ggm_status ggm_solve(const ggm_problem *problem, const ggm_settings *settings, ggm_result *result);

/* Solves for the lambda that gives a wanted average degree 2 edges / p, over all p variables; problem->lambda is ignored.
 * A descending path lambda_k = 0.8^k lambda_max, warm-started, is followed until the degree reaches `degree`; then up to six
 * interpolations between the two lambdas around it follow, ended early by a degree within 1 % of the wanted one. Of all solved lambdas the
 * one whose average degree is nearest is returned (the first among equals): result->info.lambda. The path ends at lambda_max / 1000: when even that
 * graph is sparser than asked, it is the answer, so compare what came out with what was wanted. Time limit and interrupt hold for
 * the whole path; when they strike, the nearest lambda so far is returned with that outcome. degree >= 0. */
ggm_status ggm_solve_degree(const ggm_problem *problem, const ggm_settings *settings, double degree, ggm_result *result);

/* Checks `problem` once for any number of solves. The workspace borrows what problem points to until it is freed. */
ggm_status ggm_workspace_new(const ggm_problem *problem, const ggm_settings *settings, ggm_workspace **workspace);
/* Solves for `lambda`, starting from the last answer; best along descending lambda. After an error the next solve starts cold. */
ggm_status ggm_workspace_solve(ggm_workspace *workspace, double lambda, ggm_result *result);
/* Smallest lambda whose graph has no edge: max over i != j of |S_ij| / w_ij of the problem solved (correlations if scaled). */
double ggm_workspace_lambda_max(const ggm_workspace *workspace);
void ggm_workspace_free(ggm_workspace *workspace);

/* Recomputes the certificate of `precision` (in the units of problem->s, as ggm_solve returns it) from nothing but the problem
 * and the matrix: independent of the solver. threads as in the settings. Cost: (5/3) q^3 flops and 3 q^2 doubles, q the largest component of
 * {T_ij != 0 or |S_ij| > L_ij}. A T that is not positive definite is an answer (positive_definite = false), not an error. */
ggm_status ggm_certify(const ggm_problem *problem, const ggm_sparse *precision, int threads, ggm_certificate *certificate);

/* Upper bound on what ggm_solve holds at any time for p variables, were they one component and T dense: about 15 p^2 doubles. A sparse
 * T takes 1.5 p^2 (single-precision S, W and a work array), 3 p^2 where a tight tolerance needs double precision, p being the largest
 * component; forming S from s32 or samples another p^2 of all p, and the work space that
 * covariance.h names, which is not counted. 0 if it overflows. */
size_t ggm_memory_bytes(size_t p);

/* matrix -> (p, p) dense, row-major, every entry written */
void ggm_sparse_to_dense(const ggm_sparse *matrix, double *dense);
void ggm_sparse_release(ggm_sparse *matrix);       /* frees the arrays; NULL and all-zero are fine; leaves it all-zero */

void ggm_result_release(ggm_result *result);       /* NULL and all-zero are fine; leaves it all-zero */
const char *ggm_status_text(ggm_status status);
const char *ggm_outcome_text(ggm_outcome outcome);
const char *ggm_version(void);                     /* "MAJOR.MINOR.PATCH" */

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
