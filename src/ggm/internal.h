/* What libggm's files share. Nothing here is installed.
 *
 *   api.c          public entry points, defaults, texts
 *   problem.c      checks S and the settings, scales
 *   screen.c       connected components of {|S_ij| > L_ij}
 *   block.c        one component: its compact S and W, cold and warm starts, T out of it
 *   bcd.c          sweeps over a block's columns, threads, when to stop
 *   gram.c         one column's lasso
 *   crew.c         threads that help each other, time limit, interrupt
 *   finish.c       objective and gap of a finished block; lambda = 0
 *   certificate.c  objective, duality gap, KKT residual: knows S, L, T and a candidate W, nothing of the solver
 *   workspace.c    blocks kept between lambdas, solved one after another or side by side, put together
 *   degree.c       search for a degree along a path
 *   covariance.c   S from samples
 *   certify.c      ggm_certify, which uses certificate.c and LAPACK alone
 *   linalg.c       the table of dense operations
 *   memory.c       the only door to the heap
 *
 * Letters: m variables in a block; S, W, T as in ggm.h; L penalties; beta_j the lasso coefficients of column j,
 * T_.j = -T_jj beta_j. Matrices of a block are m x m, row-major, symmetric (so a row is a column). */
#pragma once
#include "ggm/ggm.h"

#include <stdatomic.h>
#include <stdint.h>

/* ---- memory.c ---- */
void *ggm_alloc(size_t count, size_t size);      /* 64-byte aligned; NULL when it fails or overflows; count 0 is 1 */
void *ggm_alloc_zero(size_t count, size_t size);
void *ggm_grow(void *old, size_t old_count, size_t count, size_t size); /* new array with the old contents; old stays on failure */
void ggm_free(void *memory);

/* ---- linalg.c: dense operations, behind a table so that another backend can take their place ---- */
typedef struct {
    /* r = s - sum_a beta[a] rows[a], all of length n */
    void (*combine)(double *r, const double *s, size_t n, const double *const *rows, const double *beta, int count);
    void (*combine32)(double *r, const double *s, size_t n, const float *const *rows, const double *beta, int count);
    /* Lower Cholesky factor in place of the (m, m) matrix (the other triangle is left alone); false if not positive definite */
    bool (*cholesky)(double *a, int m);
    /* x = inverse(a) x, a (m, m) positive definite, of which the lower triangle is read and overwritten; false if it is not */
    bool (*solve)(double *a, double *x, int m);
    /* Full symmetric inverse from that factor, in place */
    bool (*invert)(double *a, int m);
} ggm_linalg;
extern const ggm_linalg ggm_linalg_host;
double ggm_logdet(const double *factor, int m);  /* of the matrix whose Cholesky factor this is */

/* ---- problem.c ---- */
double ggm_now(void);                            /* seconds, monotonic */
ggm_status ggm_check_settings(const ggm_settings *settings);
/* The problem with S in double precision, checked: as given, or formed from s32 or samples in memory that the caller frees (*owned, NULL if
 * there is none) */
ggm_status ggm_take_problem(const ggm_problem *given, int threads, ggm_problem *taken, double **owned);
ggm_status ggm_check_problem(const ggm_problem *problem); /* the entries of s, weights and start */
ggm_status ggm_check_sparse(const ggm_sparse *t, size_t p);
int ggm_thread_count(int wanted);
double *ggm_scales(const ggm_problem *problem);  /* (p) 1/s_i, or 1 without scaling; NULL: no memory */
/* Entry of the solved problem's S */
static inline double ggm_entry(const ggm_problem *problem, const double *scales, size_t i, size_t j)
{
    return i == j && problem->scale ? 1.0 : 0.5 * (problem->s[i * problem->p + j] + problem->s[j * problem->p + i]) * (scales[i] * scales[j]);
}

/* lambda times a weight; an infinite weight forbids the entry whatever lambda is */
static inline double ggm_weighted(double lambda, double weight)
{
    return weight > 1.7e308 ? weight : lambda * weight;
}

/* ---- screen.c ---- */
typedef struct {
    int count;      /* components, numbered by their first node */
    int *start;     /* (count + 1) */
    int *node;      /* (p) nodes by component, ascending in each */
    int largest;
} ggm_components;
/* Components of {i != j: |S_ij| > L_ij} joined with the edges of `also` (may be NULL); all = everything is one component. */
bool ggm_screen(const ggm_problem *problem, const double *scales, double lambda, const ggm_sparse *also, bool all, ggm_components *components);
void ggm_components_release(ggm_components *components);
double ggm_lambda_max(const ggm_problem *problem, const double *scales);

/* ---- block.c ---- */
typedef struct {
    int *index;     /* (count) active set of the column: rows of the block, no order; beta may be 0 there */
    double *beta;   /* (count) */
    int count, capacity;
    double diagonal; /* T_jj */
} ggm_column;

typedef struct {
    int m;
    const int *node;       /* (m) ascending variable numbers; owned by the workspace's components */
    double *s, *w;         /* (m, m) owned */
    float *w32;            /* (m, m) W instead of w during the single-precision sweeps, else NULL; lies in `product` */
    double *feasible, *product; /* (m, m) owned, work space of bcd.c and finish.c, NULL until needed */
    double *weights;       /* (m, m) owned, or NULL */
    double lambda;
    bool penalize_diagonal;
    ggm_column *columns;   /* (m) owned */
    ggm_sparse precision;  /* T of the block, owned; built from the columns */
    double objective, gap, kkt;
    int sweeps;
    ggm_outcome outcome;
} ggm_block;

static inline double ggm_penalty(const ggm_block *block, int i, int j)
{
    if (i == j && !block->penalize_diagonal)
        return 0;
    return block->weights ? ggm_weighted(block->lambda, block->weights[(size_t)i * (size_t)block->m + (size_t)j]) : block->lambda;
}

bool ggm_block_init(ggm_block *block, const ggm_problem *problem, const double *scales, const int *node, int m, double lambda);
/* Room for `count` entries in the column's active set. False: no memory. */
bool ggm_column_reserve(ggm_column *column, int count);
/* A feasible positive definite W and beta = 0 (block.c proves it). False: no memory. */
bool ggm_block_cold(ggm_block *block);
/* Where variables lie */
typedef struct {
    int *block_of;         /* (p) number of a variable's block, -1 if it is alone */
    int *place;            /* (p) its number there */
} ggm_places;
/* From an earlier solution, its blocks and lambda. The block must be fresh. False: no memory. */
bool ggm_block_warm(ggm_block *block, const ggm_places *places, const ggm_block *old, const ggm_places *old_places, double old_lambda);
/* The same for a block whose variables stay the same, in place */
void ggm_block_rescale(ggm_block *block, double lambda);
/* From a precision matrix in the caller's units, whose entries outside the block are ignored; ggm_block_cold where it is of no
 * use. The block must be fresh. False: no memory. */
bool ggm_block_start(ggm_block *block, const ggm_sparse *start, const double *scales, const ggm_places *places);
/* W_ii: bounds of the diagonal always hold with equality */
static inline double ggm_diagonal(const ggm_block *block, int i)
{
    return block->s[(size_t)i * ((size_t)block->m + 1)] + ggm_penalty(block, i, i);
}
/* Symmetric T from the columns, into block->precision (reallocated). False: no memory. */
bool ggm_block_precision(ggm_block *block);
/* Work space `feasible` and `product`. False: no memory. */
bool ggm_block_space(ggm_block *block);
void ggm_block_release(ggm_block *block);

/* ---- crew.c: threads that stay together for a whole solve ---- */
typedef struct {
    int threads;
    uint32_t job;
    void (*work)(void *context, int task, int thread);
    void *context;
    _Atomic uint64_t ticket;
    atomic_int done;
    atomic_bool dismissed;
} ggm_crew;
/* Calls lead(context) in the calling thread while threads - 1 others stand by for its ggm_crew_run */
void ggm_crew_lead(ggm_crew *crew, int threads, void (*lead)(void *context), void *context);
/* Tasks 0 .. count - 1 (count < 65536) by whoever is free; returns when all are done. Only for the leader. */
void ggm_crew_run(ggm_crew *crew, void (*work)(void *context, int task, int thread), void *context, int count);

void ggm_nap(void); /* some tens of microseconds */

/* What ends a solve early, shared by all blocks */
typedef struct {
    const ggm_settings *settings;
    double start;          /* ggm_now() at the beginning of the call */
    double lambda, p, tolerance;
    double last_poll;      /* when the callback was last asked; touched by the calling thread only */
    atomic_int stop;       /* the ggm_outcome that ends everything, GGM_CONVERGED (0) while running */
} ggm_control;
/* True when the solve is to end. May call back if `calling` (this is the thread that called the library). */
bool ggm_control_poll(ggm_control *control, bool calling);

/* ---- bcd.c ---- */
/* Sweeps until the block's gap is at most `target` (absolute), or, if target is 0, at most `tolerance` times a cautious guess of the
 * block's share in max(1, |f|). Leaves precision, objective, gap, kkt, outcome in the block. calling: called from the thread that
 * called the library. */
ggm_status ggm_bcd(ggm_block *block, double target, int threads, bool calling, ggm_control *control);

/* ---- certificate.c ---- */
typedef struct {
    int m;
    const double *s;       /* (m, m) */
    const double *weights; /* (m, m) or NULL */
    double lambda;
    bool penalize_diagonal;
    const ggm_sparse *t;   /* symmetric */
} ggm_evidence;

double ggm_limit(const ggm_evidence *evidence, size_t i, size_t j); /* L_ij */

typedef struct {
    double gap;            /* upper bound on f(T) - f*, valid if T is positive definite; infinite if W is too far from T's inverse to tell */
    double kkt;            /* max of the stationarity violation in units of max S_ii, and max |W T - I| */
} ggm_bound;

typedef struct {
    double slack, square, kkt; /* a row's share, see certificate.c */
} ggm_row_sums;

/* The bound in three steps over rows [from, to), so that a team can share it: all rows of one step before any of the next.
 * feasible, product: (m, m); sums: (m). */
void ggm_bound_clip(const ggm_evidence *evidence, const double *w, double *feasible, int from, int to);
void ggm_bound_product(const ggm_evidence *evidence, const double *feasible, double *product, ggm_row_sums *sums, int from, int to);
void ggm_bound_square(const double *product, int m, ggm_row_sums *sums, int from, int to);
ggm_bound ggm_bound_finish(const ggm_row_sums *sums, int m);

/* tr(S T) + sum L |T| */
double ggm_linear_part(const ggm_evidence *evidence);
/* logdet T by Cholesky in `space` (m, m); false if T is not positive definite */
bool ggm_logdet_sparse(const ggm_sparse *t, double *space, double *logdet);
/* logdet of the best positive definite point on the way from W (moved into its bounds) to a point that always is feasible; -infinity if
 * none was found. `space`: (m, m). W is overwritten by the point. */
double ggm_dual_logdet(const ggm_evidence *evidence, double *w, double *space);
/* Largest t for which diag(S) + (1 - t) offdiag(S) keeps within the bounds, at most 1 */
double ggm_shrinkage(const ggm_evidence *evidence);

/* ---- workspace.c ---- */
/* ggm_workspace_solve as one step of something longer, to this tolerance */
ggm_status ggm_workspace_step(ggm_workspace *workspace, double lambda, double tolerance, ggm_control *control, ggm_result *result);
void ggm_workspace_control(const ggm_workspace *workspace, ggm_control *control);
/* Sets OpenMP's number of threads for the calling thread, which LAPACK follows; returns what it was */
int ggm_workspace_enter(const ggm_workspace *workspace);
void ggm_workspace_leave(int before);
const ggm_settings *ggm_workspace_settings(const ggm_workspace *workspace);

/* ---- finish.c ---- */
/* Objective of block->precision, made positive definite first if it is not, and, where block->gap is not known or no longer that of the
 * precision, the gap by the plain formula. Uses the block's work space; sums: (m). */
ggm_status ggm_conclude(ggm_block *block, ggm_row_sums *sums);
/* T = inverse of S: lambda = 0 */
ggm_status ggm_unpenalised(ggm_block *block);

/* ---- gram.c ---- */
typedef struct {
    double *gram;          /* (capacity) */
    double *factor;        /* (factor_capacity) */
    size_t gram_capacity, factor_capacity;
    int *face;             /* (m) */
    double *gradient, *diagonal, *inverse, *limit; /* (m) */
    const double **rows;   /* (m) */
    const float **rows32;  /* (m) */
    double *factors;       /* (m) */
    unsigned char *has_row;/* (m) */
    unsigned char *active; /* (m) zero between calls */
} ggm_scratch;

typedef struct {
    double inner;          /* stop passes when the largest step fell to this share of the first pass's */
    double floor;          /* or to this, in units of sqrt(W_aa) beta */
    double slack;          /* a constraint violated by more than slack * L_ij, in the residual, is worth another round */
    const int *batch;      /* (m) batch number of each column */
    int current;           /* the batch being solved: its columns are not taken into the active set during this step */
    const int *member;     /* (member_count) its columns */
    int member_count;
} ggm_column_rules;

bool ggm_scratch_init(ggm_scratch *scratch, int m);
void ggm_scratch_release(ggm_scratch *scratch);
/* Lasso of column j given the rest of W: updates the column and writes the new row of W (m) to `row`, with row[j] = W_jj.
 * GGM_ERROR_INDEFINITE when W turns out not to be positive definite. */
ggm_status ggm_column_solve(ggm_block *block, int j, const ggm_column_rules *rules, ggm_scratch *scratch, double *row);
