/* What libggm's files share. Nothing here is installed.
 *
 *   api.c          public entry points, defaults, texts
 *   problem.c      checks S and the settings, scales
 *   screen.c       connected components of {|S_ij| > L_ij}
 *   block.c        one component: its compact S and W, T out of it
 *   start.c        S and W of a block, cold and warm; twice, see real.h
 *   predict.c      a better start along a path
 *   bcd.c          block coordinate descent: precision, when to stop
 *   sweep.c        one sweep over a block's columns, threads; twice, see real.h
 *   newton.c       projected Newton on a block's dual
 *   dense.c        its factorizations and products, shared by a crew
 *   choose.c       which of these two a block is given to
 *   sglasso.c      block coordinate descent on a block's primal
 *   gram.c         one column's lasso; twice, see real.h
 *   scratch.c      a thread's memory for it
 *   crew.c         threads that help each other, time limit, interrupt
 *   finish.c       objective and gap of a finished block; lambda = 0
 *   certificate.c  objective, duality gap, KKT residual: knows S, L, T and a candidate W, nothing of the solver
 *   workspace.c    blocks kept between lambdas, solved one after another or side by side, put together
 *   degree.c       search for a degree along a path
 *   jobs.c         many solves side by side, random numbers
 *   resampling.c   groups, half-samples, bootstrap draws, shuffles; the problem solved on them
 *   stability.c    ggm_stability
 *   null.c         ggm_shuffle_null
 *   bootstrap.c    ggm_bootstrap
 *   debias.c       ggm_debias, p-values
 *   covariance.c   S from samples: what is called in which order, correlations, shrinkage
 *   product.c      means and second moments of samples, at the rate of matrix products
 *   ranks.c        sorting variables; samples replaced by functions of their ranks
 *   kendall.c      Kendall's rank correlation of all pairs
 *   repair.c       eigenvalues of an indefinite S
 *   bound.c        the bound on the gap, tile.c a tile of it; twice, see real.h
 *   certify.c      ggm_certify, which uses certificate.c and LAPACK alone
 *   joint*.c       several classes at once, see joint_internal.h
 *   linkage.c, path.c, ladder.c, cv.c, stars.c, ric.c, select.c  the choice of lambda, see selecting.h
 *   linalg.c       the table of dense operations
 *   factor.c       sparse Cholesky factorization, for logdet T
 *   memory.c       the only door to the heap
 *
 * Letters: m variables in a block; S, W, T as in ggm.h; L penalties; beta_j the lasso coefficients of column j,
 * T_.j = -T_jj beta_j. Matrices of a block are m x m, row-major, symmetric (so a row is a column). */
#pragma once
#include "ggm/covariance.h"
#include "ggm/ggm.h"
#include "ggm/uncertainty.h"

#include <stdatomic.h>
#include <stdint.h>

/* ---- memory.c ---- */
void *ggm_alloc(size_t count, size_t size);      /* 64-byte aligned; NULL when it fails or overflows; count 0 is 1 */
void *ggm_alloc_zero(size_t count, size_t size);
void *ggm_grow(void *old, size_t old_count, size_t count, size_t size); /* new array with the old contents; old stays on failure */
void ggm_free(void *memory);

/* ---- linalg.c: dense operations, behind a table so that another backend can take their place ---- */
typedef struct {
    /* r = sum_a beta[a] rows[a], all of length n */
    void (*combine64)(double *r, size_t n, const double *const *rows, const double *beta, int count);
    void (*combine32)(float *r, size_t n, const float *const *rows, const double *beta, int count);
    /* Lower Cholesky factor in place of the (m, m) matrix (the other triangle is left alone); false if not positive definite */
    bool (*cholesky)(double *a, int m);
    /* x = inverse(a) x, a (m, m) positive definite, of which the lower triangle is read and overwritten; false if it is not */
    bool (*solve)(double *a, double *x, int m);
    /* Full symmetric inverse from that factor, in place */
    bool (*invert)(double *a, int m);
} ggm_linalg;
extern const ggm_linalg ggm_linalg_host;
double ggm_logdet(const double *factor, int m);  /* of the matrix whose Cholesky factor this is */

/* ---- factor.c ---- */
/* logdet of a sparse symmetric matrix; GGM_ERROR_INDEFINITE if it is not positive definite */
ggm_status ggm_factor_logdet(const ggm_sparse *a, double *logdet);

/* ---- problem.c ---- */
double ggm_now(void);                            /* seconds, monotonic */
ggm_status ggm_check_settings(const ggm_settings *settings);
/* The problem with S in double precision, checked and symmetric to the last bit: as given, or formed from s32, samples or an S with
 * rounding in memory that the caller frees (*owned, NULL if there is none) */
ggm_status ggm_take_problem(const ggm_problem *given, int threads, ggm_problem *taken, double **owned);
/* S off the diagonal: finite and symmetric; *rounded: but for rounding */
ggm_status ggm_check_entries(const ggm_problem *problem, bool *rounded);
ggm_status ggm_check_sparse(const ggm_sparse *t, size_t p);
int ggm_thread_count(int wanted);
double *ggm_scales(const ggm_problem *problem);  /* (p) 1/s_i, or 1 without scaling; NULL: no memory */
/* Entry of the solved problem's S */
static inline double ggm_entry(const ggm_problem *problem, const double *scales, size_t i, size_t j)
{
    return i == j && problem->scale ? 1.0 : problem->s[i * problem->p + j] * (scales[i] * scales[j]);
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
/* The same in steps, for other graphs: parent[i] = i for every node, its edges joined, then collected (parent is used up) */
bool ggm_join(int *parent, int i, int j); /* true: they were apart */
bool ggm_components_collect(int *parent, size_t p, ggm_components *components);
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
    const ggm_problem *problem; /* borrowed from the workspace, as scales: S in full precision is always to be had */
    const double *scales;
    double *s, *w;         /* (m, m) owned, or NULL while the block is in single precision */
    float *s32, *w32;      /* (m, m) owned, S (with room for tiles of bound.c) and W in single precision, or NULL */
    bool coarse;           /* the quick bound was of no use: rounding mattered, and it will again */
    bool stale;            /* s32 was used by the bound and is to be filled in again before it is read */
    double *feasible, *product; /* (m, m) owned, work space, NULL until needed */
    float *residual;       /* (tiles, m, width) owned, the bound's (bound.c); NULL: until needed, or while s32 serves */
    double *diagonal;      /* (m) owned, W_ii: bounds of the diagonal hold with equality */
    double *weights;       /* (m, m) owned, or NULL */
    double lambda;
    bool penalize_diagonal;
    bool hopeful;          /* W started where it may not be positive definite */
    ggm_column *columns;   /* (m) owned */
    ggm_sparse precision;  /* T of the block, owned; built from the columns */
    double objective, gap, kkt;
    int sweeps;
    ggm_solver solver;     /* the one at work */
    ggm_outcome outcome;
} ggm_block;

static inline double ggm_penalty(const ggm_block *block, int i, int j)
{
    if (i == j && !block->penalize_diagonal)
        return 0;
    return block->weights ? ggm_weighted(block->lambda, block->weights[(size_t)i * (size_t)block->m + (size_t)j]) : block->lambda;
}

/* Allocates a block and fills in S, in single precision or double */
bool ggm_block_init(ggm_block *block, const ggm_problem *problem, const double *scales, const int *node, int m, double lambda, bool single);
/* S and W from single precision to double, or back. False: no memory, and the block is as it was. */
bool ggm_block_widen(ggm_block *block);
bool ggm_block_narrow(ggm_block *block);
/* Room for `count` entries in the column's active set. False: no memory. */
bool ggm_column_reserve(ggm_column *column, int count);
/* A feasible W and beta = 0. safe: W is positive definite for sure; otherwise block->hopeful may be set (start.c). False: no memory. */
bool ggm_block_cold(ggm_block *block, bool safe);
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
static inline double ggm_diagonal(const ggm_block *block, int i)
{
    return block->diagonal[i];
}
/* Compressed rows being built: numbers of entries at start[i + 1] become starts; and, once filling has moved start[i] to the end of
 * row i, starts again */
void ggm_counts_to_starts(size_t *start, size_t m);
void ggm_starts_from_ends(size_t *start, size_t m);
/* Symmetric T from the columns, into block->precision (reallocated). False: no memory. */
bool ggm_block_precision(ggm_block *block);
/* The columns, beta = -T_.j / T_jj, from block->precision. False: no memory. */
bool ggm_block_columns(ggm_block *block);
/* Work space `feasible` and `product`. False: no memory. */
bool ggm_block_space(ggm_block *block);
void ggm_block_release(ggm_block *block);

/* ---- start.c: W to start from; start32.c the same in single precision ---- */
void ggm_fill_covariance64(ggm_block *block);
void ggm_fill_covariance32(ggm_block *block);
void ggm_fill_covariance_rows64(ggm_block *block, int from, int to);
void ggm_fill_covariance_rows32(ggm_block *block, int from, int to);
bool ggm_fill_cold64(ggm_block *block, bool safe);
bool ggm_fill_cold32(ggm_block *block, bool safe);
void ggm_fill_rescale64(ggm_block *block, double ratio);
void ggm_fill_rescale32(ggm_block *block, double ratio);
void ggm_fill_warm64(ggm_block *block, const ggm_block *old, const ggm_places *old_places, double ratio);
void ggm_fill_warm32(ggm_block *block, const ggm_block *old, const ggm_places *old_places, double ratio);

/* ---- predict.c ---- */
/* How far to move on at lambda `next` after `before` and `last`, in units of the move between those; 0: stay */
double ggm_predict_step(double before, double last, double next);
/* trend (m, m): (W - S) / lambda at the lambda before the last, for a new block, from the trends of the old ones. In single precision. */
void ggm_predict_carry(const ggm_block *block, const ggm_block *old, const ggm_places *old_places, float *const *old_trend, double before, float *trend);
/* Moves W of a block that has its warm start; trend becomes that of the last lambda. Step 0: trend need not be filled in. False: no memory. */
bool ggm_predict(ggm_block *block, double step, float *trend);

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

/* Rows of a block in slices: a task handles one */
#define GGM_SLICE 64
static inline int ggm_slices(int m)
{
    return (m + GGM_SLICE - 1) / GGM_SLICE;
}
static inline void ggm_slice(int m, int task, int *from, int *to)
{
    *from = task * GGM_SLICE;
    *to = *from + GGM_SLICE < m ? *from + GGM_SLICE : m;
}

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
/* Tells the progress callback, if `calling` */
void ggm_control_report(const ggm_control *control, bool calling, int sweeps, double relative_gap);

/* ---- jobs.c ---- */
typedef struct {
    uint64_t state;
} ggm_rng;
ggm_rng ggm_rng_seeded(uint64_t seed, uint64_t stream); /* streams of one seed have nothing to do with each other */
uint64_t ggm_rng_next(ggm_rng *rng);
uint32_t ggm_rng_below(ggm_rng *rng, uint32_t bound);   /* 0 .. bound - 1, all equally likely; bound > 0 */
void ggm_rng_shuffle(ggm_rng *rng, uint32_t *items, uint32_t count);

typedef struct {
    int number;            /* 0 .. count - 1 */
    bool calling;          /* in the thread that called the library */
    ggm_settings settings; /* for the job's solves: the run's with one thread, no progress, ended by whatever ends the run */
    bool stopped;          /* set by the job when a solve was cut short (outcome GGM_INTERRUPTED): the job then counts as never begun */
} ggm_job;

typedef struct {
    int count;
    size_t bytes, memory_limit; /* what one job holds, what all may hold side by side; 0 = no limit */
    ggm_status (*work)(void *context, ggm_job *job); /* in any thread; for many jobs at once */
    void *context;
    void (*progress)(int finished, int count, void *user_data); /* from the calling thread only; may be NULL */
    void *user_data;
} ggm_jobs;

typedef struct {
    int completed, failed, threads;
    ggm_status failure;    /* of the failed job with the lowest number, GGM_OK if none failed */
    ggm_outcome outcome;   /* GGM_CONVERGED: all jobs were tried */
} ggm_jobs_report;

/* Control of a run of jobs, or of anything else that is no workspace's; settings must outlive it */
void ggm_control_begin(ggm_control *control, const ggm_settings *settings);
/* Does the jobs on control->settings->threads threads. Which jobs were done is for `work` to note. */
void ggm_jobs_run(const ggm_jobs *jobs, ggm_control *control, ggm_jobs_report *report);

/* ---- resampling.c ---- */
typedef struct {
    ggm_samples samples;   /* points to the arrays below, or to the caller's samples */
    size_t *rows;          /* owned, or NULL; so are the next two */
    double *x;
    float *x32;
} ggm_drawn;

typedef struct ggm_resample ggm_resample;
struct ggm_resample {
    ggm_problem problem;   /* the caller's */
    const ggm_samples *samples;
    ggm_settings settings;
    ggm_resampling resampling;
    ggm_control control;   /* borrows settings: the struct must stay where it is */
    size_t groups;
    uint32_t *member;      /* (n) samples by group, ascending in each */
    size_t *first;         /* (groups + 1) where a group begins in it */
    ggm_result full;       /* the answer on all samples */
    double *variance;      /* (p) on all samples */
    atomic_int unconverged, constant;
    /* Set between begin and run: */
    ggm_status (*draw)(const ggm_resample *resample, int number, ggm_drawn *drawn);
    ggm_status (*keep)(void *context, int number, const ggm_sparse *precision); /* a resample's answer; in any thread, for many at once */
    void *context;
};
/* Checks, finds the groups, solves the problem on all samples. count: resamples when the caller leaves it open; least: independent samples that are
 * needed. On error nothing is held. */
ggm_status ggm_resample_begin(ggm_resample *resample, const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *resampling,
                              int count, size_t least);
/* Draws, solves and keeps all resamples. bytes: what one holds apart from its solve. Error: none was solved, and this is why. */
ggm_status ggm_resample_run(ggm_resample *resample, size_t bytes, ggm_resampling_info *info);
void ggm_resample_end(ggm_resample *resample);
ggm_status ggm_draw_half(const ggm_resample *resample, int number, ggm_drawn *drawn);
ggm_status ggm_draw_bootstrap(const ggm_resample *resample, int number, ggm_drawn *drawn);
ggm_status ggm_draw_shuffle(const ggm_resample *resample, int number, ggm_drawn *drawn);
double *ggm_diagonal_roots(const ggm_sparse *precision); /* (p) sqrt(T_ii); NULL: no memory */
size_t ggm_count_edges(const ggm_sparse *precision);

/* ---- bcd.c ---- */
#define GGM_SINGLE_SIZE 64 /* variables from which on a block is kept in single precision as long as that serves */
/* Sweeps until the block's gap is at most `target` (absolute), or, if target is 0, at most `tolerance` times a cautious guess of the
 * block's share in max(1, |f|). Leaves precision, objective, gap, kkt, outcome in the block. calling: called from the thread that
 * called the library. */
ggm_status ggm_bcd(ggm_block *block, double target, int threads, bool calling, ggm_control *control);
/* The gap to expect of a sweep's energy, given that of the sweep before: a guess, until one was measured */
double ggm_expected_gap(double energy, double before);

/* ---- sglasso.c ---- */
/* The same by descent on the primal; threads only for the gap */
ggm_status ggm_sglasso(ggm_block *block, double target, int threads, bool calling, ggm_control *control);

/* ---- newton.c ---- */
/* The same by projected Newton on the dual; sweeps are its iterations. Holds about 6 m^2 doubles besides T. */
ggm_status ggm_newton(ggm_block *block, double target, int threads, bool calling, ggm_control *control);

/* ---- choose.c ---- */
/* The faster of bcd and newton for a block that is filled in. False: no memory. */
bool ggm_choose_solver(const ggm_block *block, ggm_solver *chosen);

/* ---- dense.c: (m, m) row-major matrices, the same bits for any crew; for its leader alone ---- */
/* Lower Cholesky factor in place, the other triangle being left alone; false if a is not positive definite */
bool ggm_dense_cholesky(ggm_crew *crew, double *a, int m);
/* The inverse, in both triangles, of the matrix of which a is that factor, in place. space: (m, m). */
void ggm_dense_invert(ggm_crew *crew, double *a, double *space, int m);
/* result = a v a for symmetric a and v, given in both triangles: the lower triangle of result, and a little more. av: (m, m) work space. */
void ggm_dense_sandwich(ggm_crew *crew, const float *a, const float *v, float *av, float *result, int m);

/* ---- certificate.c ---- */
typedef struct {
    int m;
    const double *s;       /* (m, m), or NULL: taken from the problem, of which the node[i]-th variable is the i-th here */
    const ggm_problem *problem;
    const double *scales;
    const int *node;
    const double *weights; /* (m, m) or NULL */
    double lambda;
    bool penalize_diagonal;
    const ggm_sparse *t;   /* symmetric */
} ggm_evidence;

double ggm_limit(const ggm_evidence *evidence, size_t i, size_t j); /* L_ij */

typedef struct {
    double gap;            /* upper bound on f(T) - f*, valid if T is positive definite; infinite if W is too far from T's inverse to tell */
    double kkt;            /* max |W T - I|, W moved into its bounds */
} ggm_gap;

/* Row i of S in columns [from, from + count): where it is stored, or put together in `buffer` (count) */
const double *ggm_evidence_row(const ggm_evidence *evidence, size_t i, size_t from, size_t count, double *buffer);

/* ---- bound.c; tile.c, and tile32.c the same in single precision ---- */
typedef struct {
    double slack, square, kkt; /* a task's share, see certificate.c */
    double size, norm;         /* sum of E_ij^2, and the largest |F_k| + |S_k| */
} ggm_bound_sums;

/* The bound on the gap at W */
typedef struct {
    const ggm_evidence *evidence;
    const double *w;       /* (m, m), or NULL and then */
    const float *w32;      /* (m, m) */
    float *s32;            /* (m, m) S in single precision, in `residual`, for the quick way, or NULL */
    float *residual;       /* (tiles, m, width) work space */
    int width, tiles;
    double *space;         /* owned, `stride` for each thread */
    size_t stride;
    ggm_bound_sums *sums;  /* owned: (2, tiles) */
} ggm_bound;

size_t ggm_bound_width(int m); /* columns of a tile */
/* m * m floats in whole tiles */
static inline size_t ggm_bound_padded(size_t m)
{
    const size_t width = ggm_bound_width((int)m);
    return (m + width - 1) / width * width * m;
}
size_t ggm_bound_space(size_t m, size_t width);
/* Zeroes the rest, which the caller sets */
bool ggm_bound_init(ggm_bound *bound, const ggm_evidence *evidence, int threads);
ggm_gap ggm_bound_take(ggm_bound *bound, ggm_crew *crew);
void ggm_bound_tile64(void *bound, int tile, int thread);
void ggm_bound_tile32(void *bound, int tile, int thread);
void ggm_bound_release(ggm_bound *bound);

/* F: W (m, m) moved into the bounds so that it agrees with T's signs, rows [from, to) */
void ggm_bound_clip(const ggm_evidence *evidence, const double *w, double *feasible, int from, int to);

/* tr(S T) + sum L |T| */
double ggm_linear_part(const ggm_evidence *evidence);
/* logdet T by Cholesky in `space` (m, m); false if T is not positive definite */
bool ggm_logdet_sparse(const ggm_sparse *t, double *space, double *logdet);
/* logdet of the best positive definite point on the way from W (moved into its bounds) to a point that always is feasible; -infinity if
 * none was found. `space`: (m, m). W is overwritten by W with each entry moved to the nearest one within its bounds. */
double ggm_dual_logdet(const ggm_evidence *evidence, double *w, double *space);
/* Largest t for which diag(S) + (1 - t) offdiag(S) keeps within the bounds, at most 1 */
double ggm_shrinkage(const ggm_evidence *evidence);

/* ---- certify.c ---- */
ggm_status ggm_check_symmetric(const ggm_sparse *t); /* T_ij = T_ji up to rounding */

/* ---- workspace.c ---- */
/* ggm_workspace_solve as one step of something longer, to this tolerance */
ggm_status ggm_workspace_step(ggm_workspace *workspace, double lambda, double tolerance, ggm_control *control, ggm_result *result);
void ggm_workspace_control(const ggm_workspace *workspace, ggm_control *control);
/* Sets OpenMP's number of threads for the calling thread, which LAPACK follows; returns what it was */
int ggm_workspace_enter(const ggm_workspace *workspace);
void ggm_workspace_leave(int before);
const ggm_settings *ggm_workspace_settings(const ggm_workspace *workspace);
const ggm_problem *ggm_workspace_problem(const ggm_workspace *workspace); /* with S in double precision */
const double *ggm_workspace_scales(const ggm_workspace *workspace);       /* (p) as ggm_scales */
void ggm_workspace_restart(ggm_workspace *workspace, const ggm_sparse *start); /* the next solve starts from this (borrowed), or cold if NULL */

/* ---- finish.c ---- */
ggm_evidence ggm_block_evidence(const ggm_block *block);
/* The absolute gap to reach: `target`, or, if it is 0, the tolerance on a cautious guess of the block's share in |f|, from the columns' T_jj */
double ggm_block_target(const ggm_block *block, double target, const ggm_control *control);
/* Builds block->precision from the columns and takes its gap and kkt at the block's W. False: no memory. */
bool ggm_block_gap(ggm_block *block, ggm_crew *crew);
/* The same for the precision that is there */
bool ggm_precision_gap(ggm_block *block, ggm_crew *crew);
/* Objective of block->precision, made positive definite first if it is not (or, if it must be `sound`, refused as indefinite), and, where
 * block->gap is not known or no longer that of the precision, the gap by the plain formula. */
ggm_status ggm_conclude(ggm_block *block, bool sound);
/* T = inverse of S: lambda = 0 */
ggm_status ggm_unpenalised(ggm_block *block);

/* ---- gram.c ---- */
/* A thread's memory; what depends on the precision (real.h) has room for doubles */
typedef struct {
    void *row;             /* (m) new row of W */
    void *gram, *gradient; /* (gram_bytes), (m) */
    double *factor;        /* (factor_capacity) */
    size_t gram_bytes, factor_capacity;
    int *face;             /* (m) */
    double *diagonal, *inverse, *limit; /* (m) */
    void *rows;            /* (m) pointers to rows of W */
    double *factors;       /* (m) */
    unsigned char *has_row;/* (m) */
    unsigned char *active; /* (m) zero between calls */
} ggm_scratch;

typedef struct {
    double inner;          /* stop passes when the largest step fell to this share of the first pass's */
    double floor;          /* or to this, in units of sqrt(W_aa) beta */
    double slack;          /* a constraint violated by more than slack * L_ij, in the residual, is worth another round */
    int passes, rounds;    /* at most; a round ends with new members of the active set */
    const int *member;     /* (member_count) the batch being solved: its columns are not taken into the active set during this step */
    int member_count;
} ggm_column_rules;

bool ggm_scratch_init(ggm_scratch *scratch, int m); /* scratch.c */
void ggm_scratch_release(ggm_scratch *scratch);
/* Lasso of column j given the rest of W: updates the column and leaves the new row of W in scratch->row, with W_jj.
 * GGM_ERROR_INDEFINITE when W turns out not to be positive definite. */
ggm_status ggm_column_solve64(ggm_block *block, int j, const ggm_column_rules *rules, ggm_scratch *scratch);
ggm_status ggm_column_solve32(ggm_block *block, int j, const ggm_column_rules *rules, ggm_scratch *scratch);
#define GGM_LOOK 64 /* entries looked at together, for violations are few */
/* Start of the first GGM_LOOK entries from `from` on, a multiple of GGM_LOOK, with |s - w| > limit among those not known; m if there are none */
size_t ggm_next_violation64(const double *s, const double *w, const unsigned char *known, double limit, size_t from, size_t m);
size_t ggm_next_violation32(const float *s, const float *w, const unsigned char *known, double limit, size_t from, size_t m);

/* ---- sweep.c; sweep32.c the same in single precision ---- */
typedef struct {
    ggm_block *block;
    ggm_control *control;
    double target;
    bool calling;
    ggm_status status;       /* of the leader's doing */
    atomic_int column_status; /* first error of a column */
    ggm_crew crew;
    int threads;
    ggm_scratch *scratch;    /* (threads) */

    int width;               /* most columns in a batch */
    int *member;             /* (width) columns of the batch */
    int count, id;           /* of the batch */
    int *batch_of;           /* (m) number of the batch a column was last in */
    int *neighbour_of;       /* (m) number of the batch whose active sets last contained it */
    int first_id;            /* of this sweep's batches */
    int cursor;              /* columns before it are done in this sweep */
    double *theta;           /* (m) T_jj at the start of the sweep */
    void *weight;            /* (m) the same in the block's precision */
    double *energy;          /* (m) */
    ggm_column_rules rules;
} ggm_descent;
/* Every column once; returns the energy (bcd.c). An error is left in column_status. */
double ggm_sweep64(ggm_descent *descent);
double ggm_sweep32(ggm_descent *descent);

/* ---- product.c ---- */
/* Which row of the array is sample i */
static inline size_t ggm_sample_row(const ggm_samples *samples, size_t i)
{
    return samples->rows ? samples->rows[i] : i;
}
/* s (p, p) <- covariance, divisor n; mean (p) <- means. samples must have been checked. */
ggm_status ggm_sample_covariance(const ggm_samples *samples, int threads, double *s, double *mean);

/* ---- ranks.c ---- */
#define GGM_COLUMNS 16 /* variables gathered from the samples at once: whole cache lines */
typedef struct {
    uint64_t key;      /* ascending with the value; equal for equal values */
    uint32_t index;    /* which sample */
} ggm_ranked;
/* Variables [first, first + count), count <= GGM_COLUMNS, into columns (count, n). False: one is not finite. */
bool ggm_gather(const ggm_samples *samples, size_t first, size_t count, double *columns);
/* sorted (n) <- the values of x (n), ascending, equal ones in the order of their index; n < 2^32; space (n) */
void ggm_sort(const double *x, size_t n, ggm_ranked *sorted, ggm_ranked *space);
/* *transformed <- transformed samples, in an array of the same type that is the caller's to ggm_free (*owned, NULL after an error). SKEPTIC and
 * KENDALL: ranks. */
ggm_status ggm_transform_samples(const ggm_samples *samples, ggm_transform transform, double winsor, int threads,
                                 ggm_samples *transformed, void **owned);

/* ---- kendall.c ---- */
/* s (p, p) <- tau-b, with 1 on the diagonal; 0 in rows and columns of variables that take one value only */
ggm_status ggm_kendall(const ggm_samples *samples, int threads, double *s);

/* ---- repair.c ---- */
/* ggm_repair for a matrix that is finite, symmetric and has no negative variances; sets the info's fields but for shrinkage */
ggm_status ggm_repair_checked(double *s, size_t p, int threads, ggm_covariance_info *info);
