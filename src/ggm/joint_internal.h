/* What the files of the joint graphical lasso share. Nothing here is installed.
 *
 *   joint.c          public entry points; classes solved one by one where that is the problem; components solved and put together
 *   joint_problem.c  checks and takes the K problems
 *   joint_prox.c     the penalty of one K-vector: value, dual ball, proximal map, nearest subgradient
 *   joint_screen.c   components common to all classes; lambda1_max
 *   joint_block.c    one component: its compact S and W of every class, starts, T out of it
 *   joint_bcd.c      sweeps over a block's columns, when to stop
 *   joint_column.c   one column of all classes
 *   joint_bound.c    objective and duality gap of a block
 *   joint_certify.c  ggm_joint_certify
 *
 * Letters: K classes, m variables in a block, n_k weights, P the penalty of one K-vector, x = (T_1,ij .. T_K,ij), v and u = n_k (W_k,ij - S_k,ij). */
#pragma once
#include "ggm/internal.h"
#include "ggm/joint.h"

#define GGM_K GGM_JOINT_CLASSES_MAX

/* ---- joint_prox.c: K-vectors ---- */
typedef struct {
    ggm_joint_penalty penalty;
    int classes;
    double lambda1, lambda2;
} ggm_joint_norm;

double ggm_joint_value(const ggm_joint_norm *norm, const double *x);      /* P(x) */
bool ggm_joint_in_ball(const ggm_joint_norm *norm, const double *v);      /* prox_P(v) = 0 */
/* x = argmin sum_k a_k x_k^2 / 2 - b_k x_k + P(x), a_k > 0; x may not be b, and holds a guess (zeros will do). With a = 1 this is prox_P(b). */
void ggm_joint_prox(const ggm_joint_norm *norm, const double *a, const double *b, double *x);
/* u = the subgradient of P at x that is nearest to v; at x = 0 the projection onto the dual ball. u may be v. */
void ggm_joint_nearest(const ggm_joint_norm *norm, const double *x, const double *v, double *u);

/* ---- joint_problem.c ---- */
typedef struct {
    int classes;
    size_t p;
    ggm_joint_norm norm;
    bool penalize_diagonal, scale, has_start;
    ggm_problem problems[GGM_K]; /* s in double precision, lambda and penalty fields as ggm_solve is to see them for lambda2 = 0 or K = 1 */
    double *owned[GGM_K];        /* S that was formed, or NULL */
    double *scales[GGM_K];       /* (p) see ggm_scales */
    double weights[GGM_K];
} ggm_joint_input;

ggm_status ggm_joint_take(const ggm_joint_problem *problem, int threads, ggm_joint_input *input); /* on error nothing is left to release */
void ggm_joint_input_release(ggm_joint_input *input);
static inline double ggm_joint_entry(const ggm_joint_input *input, int k, size_t i, size_t j) /* of the solved problem's S_k */
{
    return ggm_entry(&input->problems[k], input->scales[k], i, j);
}

/* ---- joint_screen.c ---- */
/* Components of {i != j: (n_k S_k,ij) outside the dual ball} joined with the edges of also[0 .. K) (may be NULL); all = one component */
bool ggm_joint_screen(const ggm_joint_input *input, const ggm_sparse *also, bool all, ggm_components *components);

/* ---- joint_block.c ---- */
typedef struct {
    int *index;     /* (count) rows where some class may be nonzero, no order */
    double *theta;  /* (count, K) T_k at (index, column) */
    int count, capacity;
} ggm_joint_column;

typedef struct {
    int m, classes;
    const int *node;       /* (m) ascending variable numbers; owned by the components */
    ggm_joint_norm norm;
    bool penalize_diagonal;
    const double *weights; /* (K) n_k, borrowed */
    double *s, *w;         /* (K, m, m) owned */
    double *feasible, *product; /* (K, m, m) owned; dual point and T F - I */
    double *diagonal;      /* (m, K) T_k,jj of the columns */
    ggm_joint_column *columns; /* (m) owned */
    ggm_sparse *precisions;    /* (K) owned; built from the columns */
    double objective, gap, kkt;
    int sweeps;
    ggm_outcome outcome;
} ggm_joint_block;

static inline size_t ggm_joint_square(const ggm_joint_block *block)
{
    return (size_t)block->m * (size_t)block->m;
}

/* A block with the component's S and room for the rest, without columns. False: no memory, the block is to be released all the same. */
bool ggm_joint_block_load(ggm_joint_block *block, const ggm_joint_input *input, const int *node, int m);
/* W and columns from the starts or cold. place: (p) scratch, -1 everywhere and so left. False: no memory. */
bool ggm_joint_block_begin(ggm_joint_block *block, const ggm_joint_input *input, int *place);
bool ggm_joint_column_reserve(ggm_joint_column *column, int count, int classes);
/* Symmetric T of every class from the columns, into block->precisions. False: no memory. */
bool ggm_joint_block_precisions(ggm_joint_block *block);
void ggm_joint_block_release(ggm_joint_block *block);

/* ---- joint_column.c ---- */
typedef struct {
    double *gram;          /* (capacity) per class the Gram matrix of the active set */
    size_t capacity;
    double *z, *s, *diagonal; /* (K, m) over the active set: W_AA theta, S_Aj, W_aa */
    const double **rows;   /* (m) */
    double *factors;       /* (m) */
    unsigned char *has_row;/* (K, m) */
    unsigned char *active; /* (m) zero between calls */
    double *dense;         /* (K, m) zero between calls, joint_bound.c */
} ggm_joint_scratch;

bool ggm_joint_scratch_init(ggm_joint_scratch *scratch, int m, int classes);
void ggm_joint_scratch_release(ggm_joint_scratch *scratch);

typedef struct {
    double inner, floor, slack; /* as ggm_column_rules */
    const int *batch;
    int current;
    const int *member;
    int member_count;
} ggm_joint_rules;

/* Solves column j of all classes given the rest of W; writes the new rows of W_k to rows (K, m). False: no memory. */
bool ggm_joint_column_solve(ggm_joint_block *block, int j, const ggm_joint_rules *rules, ggm_joint_scratch *scratch, double *rows);
/* Minimises sum_k n_k [ -log t_k + s_k t_k + c_k / t_k ] (+ P(t) if the diagonal is penalised) over t > 0; t holds a start */
void ggm_joint_diagonal(const ggm_joint_block *block, const double *s, const double *c, double *t);

/* ---- joint_bound.c ---- */
/* Shares of a block's rows in gap and objective */
typedef struct {
    double *slack, *linear; /* (m) P(x) - u'x and n_k S_k T_k + P(x), summed over the row */
    double *square;         /* (K, m) sum_j E_ij E_ji, E = T_k F_k - I */
    double *kkt;            /* (m) max |E_ij| */
} ggm_joint_sums;

bool ggm_joint_sums_init(ggm_joint_sums *sums, int m, int classes);
void ggm_joint_sums_release(ggm_joint_sums *sums);
/* The bound of certificate.c, class by class, in three steps over rows [from, to): all rows of one before any of the next.
 * dense: (K, m), zero before and after; rows: (m) work space. */
void ggm_joint_bound_point(const ggm_joint_block *block, ggm_joint_sums *sums, double *dense, int from, int to);
void ggm_joint_bound_product(const ggm_joint_block *block, ggm_joint_sums *sums, const double **rows, int from, int to);
void ggm_joint_bound_square(const ggm_joint_block *block, ggm_joint_sums *sums, int from, int to);
void ggm_joint_bound_finish(ggm_joint_block *block, const ggm_joint_sums *sums); /* block->gap, kkt */
/* sum_k n_k logdet of the best dual point on the way from block->feasible to one that always is feasible; -infinity if none is positive definite.
 * Overwrites product, and w by the inverses moved into the ball. */
double ggm_joint_dual(ggm_joint_block *block);
/* sum_k n_k tr(S_k T_k) + P(T), of the sums that ggm_joint_bound_point has left */
double ggm_joint_linear(const ggm_joint_sums *sums, int m);
/* Makes the precisions positive definite if they are not, takes objective and, where it is not known, the gap. `stopped`: a gap that
 * cannot be had is infinite instead of an error. */
ggm_status ggm_joint_conclude(ggm_joint_block *block, ggm_joint_sums *sums, ggm_joint_scratch *scratch, bool stopped);
/* Largest t for which diag(S_k) + (1 - t) offdiag(S_k) keep within the ball, at most 1 */
double ggm_joint_shrinkage(const ggm_joint_block *block);

/* ---- joint_bcd.c ---- */
/* As ggm_bcd */
ggm_status ggm_joint_bcd(ggm_joint_block *block, double target, int threads, bool calling, ggm_control *control);
