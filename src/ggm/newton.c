/* Projected Newton on the dual: max logdet W subject to |W_ij - S_ij| <= L_ij, for solutions that are not sparse.
 *
 * Why the dual. Proximal Newton on T (QUIC and its kin) has the Hessian W x W, and W of neurons or genes is ill-conditioned: a few
 * large eigenvalues, correlations near 1. We measured: conjugate gradients need more than 60 steps for one digit there, and sign changes
 * met by cutting entries to 0 undo the step. The dual's Hessian is T x T. The eigenvalues of T scaled to unit diagonal are at most about 2, and
 * all but a few of them not far below: cutting W back into its bounds costs little, and ten steps of conjugate gradients do.
 * And every iterate W is feasible and positive definite, so that an interrupted solve has its certificate and the next lambda its start.
 *
 * One iteration, with T the inverse of W, which is the gradient:
 *   1. Steps of projected gradient with T's diagonal as the metric, W_ij <- clip(W_ij + h T_ij / (T_ii T_jj + T_ij^2)). They find out which
 *      entries end at their bounds, and cost one Cholesky factor and one inverse each, about as much as one product with the Hessian.
 *   2. An entry is held if it is at a bound and T pushes it outwards; all others are open. Conjugate gradients on the open entries solve
 *      (T D T)_ij = T_ij roughly, in single precision, two matrix products a step; then W <- clip(W + a D), a halved until logdet W grows.
 *      (Two-metric projection, Bertsekas 1982; gradient steps before conjugate gradients as in More & Toraldo 1991.)
 * At the optimum T is 0 on the open entries. The answer is T with them set to 0; its gap is first guessed from two objectives, and when the
 * guess is small enough taken by the bound of bound.c, which decides. The gap belongs to the pair (T, W). T alone is rougher: by leaving out its
 * open entries it is as far from W's inverse as the residual times W x W, and who has T alone (ggm_certify) proves less. Hence an iteration
 * or two more than the tolerance asks, until the gap is AIM times the target; at this rate of convergence they are cheap.
 *
 * Everything of order m^3 is a product or factorization of dense matrices (dense.c), at full speed where bcd.c works on vectors. That pays when
 * more than about a quarter of T is not 0: see choose.c. All sums are by rows, then over rows in order: the same bits for any crew.
 *
 * Matrices are kept in their lower triangles, but for T, the search direction and W at the end. Scaled by r_i = sqrt(T_ii), T~_ij = T_ij / r_i r_j,
 * what is in single precision cannot leave its range, whatever the units of S. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define GRADIENT_STEPS 3
#define CONJUGATE_STEPS 10 /* while Newton steps are cut short, and */
#define FULL_STEPS 25      /* when they are not: the end is near, and accuracy pays */
#define INNER 0.3          /* stop conjugate gradients when the residual fell to this */
#define RISE 0.2           /* share of the growth of logdet W promised by first order that a gradient step must keep, or h is halved */
#define SLIGHT 1e-4        /* the same for a Newton step */
#define SMALLEST 1e-4      /* step below which a direction is given up */
#define AIM 1e-3           /* share of the target gap to go on to */
#define PATIENCE 6         /* bounds on the gap without progress before that is the end */
#define CHUNK 256          /* entries of a row handled at a time */

typedef struct {
    ggm_block *block;
    ggm_control *control;
    double target;
    bool calling;
    ggm_status status;
    ggm_crew crew;

    float *t;              /* (m, m) T~ */
    float *residual;       /* (m, m) of the Newton system, 0 where held */
    float *direction;      /* (m, m) D~ = r_i r_j D_ij */
    float *search, *left, *curved; /* (m, m) of conjugate gradients: direction V, T V, T V T; they lie in `feasible` and `product` */
    unsigned char *open;   /* (m, m) whether W_ij may move */
    double *root;          /* (m) r */
    double *sum;           /* (m) a row's share of a sum */
    double logdet;         /* of W */
    double step;           /* h */
    bool full;             /* the last Newton step was taken in full */
    double alpha, beta;    /* of conjugate gradients */
    bool along_gradient;   /* what the candidate is made of: T, or D */
    double length;         /* and how far it goes */
} newton;

static double total(const newton *n)
{
    double sum = 0;
    for (int i = 0; i < n->block->m; i++)
        sum += n->sum[i];
    return sum;
}

/* L_ij for j in [from, from + count) */
static void limits(const ggm_evidence *evidence, size_t i, size_t from, size_t count, double *limit)
{
    for (size_t c = 0; c < count; c++)
        limit[c] = evidence->weights ? ggm_limit(evidence, i, from + c) : evidence->lambda;
}

/* ---- the next W ---- */
GGM_CLONES static void gradient_step(double *restrict step, const float *restrict t, const double *restrict root, double factor, size_t count)
{
    for (size_t c = 0; c < count; c++)
        step[c] = factor * (double)t[c] / ((1 + (double)t[c] * (double)t[c]) * root[c]);
}

GGM_CLONES static void newton_step(double *restrict step, const float *restrict d, const double *restrict root, double factor, size_t count)
{
    for (size_t c = 0; c < count; c++)
        step[c] = factor * (double)d[c] / root[c];
}

/* x = clip(w + step), and what first order promises for it: sum of T~ (x - w) r_j */
GGM_CLONES static double clipped(double *restrict x, const double *restrict w, const double *restrict step, const double *restrict s, const double *restrict limit,
                                 const float *restrict t, const double *restrict root, size_t count)
{
    double slope = 0;
    for (size_t c = 0; c < count; c++) {
        double low = s[c] - limit[c], high = s[c] + limit[c], moved = w[c] + step[c];
        moved = moved > high ? high : moved;
        moved = moved < low ? low : moved;
        x[c] = moved;
        slope += (double)t[c] * (moved - w[c]) * root[c];
    }
    return slope;
}

/* A slice of the candidate, in `feasible` and, to be factored, in `product` */
static void candidate_slice(void *context, int task, int thread)
{
    (void)thread;
    newton *n = context;
    ggm_block *block = n->block;
    const ggm_evidence evidence = ggm_block_evidence(block);
    const size_t m = (size_t)block->m;
    double limit[CHUNK], step[CHUNK];
    int from, to;
    ggm_slice(block->m, task, &from, &to);
    for (size_t i = (size_t)from; i < (size_t)to; i++) {
        double slope = 0;
        for (size_t j = 0; j < i; j += CHUNK) {
            const size_t count = i - j < CHUNK ? i - j : CHUNK, at = i * m + j;
            limits(&evidence, i, j, count, limit);
            if (n->along_gradient)
                gradient_step(step, n->t + at, n->root + j, n->length / n->root[i], count);
            else
                newton_step(step, n->direction + at, n->root + j, n->length / n->root[i], count);
            slope += clipped(block->feasible + at, block->w + at, step, block->s + at, limit, n->t + at, n->root + j, count);
        }
        block->feasible[i * m + i] = block->diagonal[i];
        memcpy(block->product + i * m, block->feasible + i * m, (i + 1) * sizeof(double));
        n->sum[i] = 2 * n->root[i] * slope;
    }
}

static double noise(const newton *n)
{
    return 1e-14 * (fabs(n->logdet) + n->block->m);
}

/* Tries W moved by `length` along T or D. True: logdet grew by the share `rise` of what was promised; W is the new one, its factor in `product`. */
static bool advance(newton *n, bool along_gradient, double length, double rise)
{
    ggm_block *block = n->block;
    n->along_gradient = along_gradient;
    n->length = length;
    ggm_crew_run(&n->crew, candidate_slice, n, ggm_slices(block->m));
    if (!ggm_dense_cholesky(&n->crew, block->product, block->m))
        return false;
    const double logdet = ggm_logdet(block->product, block->m);
    if (!(logdet >= n->logdet + rise * total(n) - noise(n)))
        return false;
    double *old = block->w;
    block->w = block->feasible;
    block->feasible = old;
    n->logdet = logdet;
    return true;
}

/* ---- the gradient T, and what follows from it ---- */
static void scale_row(float *restrict out, const double *restrict t, const double *restrict inverse_root, double factor, size_t m)
{
    for (size_t j = 0; j < m; j++)
        out[j] = (float)(t[j] * factor * inverse_root[j]);
}

/* Open entries, the residual there, and T where they are held; returns sum S T + L |T| over the latter */
GGM_CLONES static double sort_entries(unsigned char *restrict open, float *restrict residual, double *restrict held, const float *restrict scaled,
                                      const double *restrict t, const double *restrict w, const double *restrict s, const double *restrict limit, size_t count)
{
    double sum = 0;
    for (size_t c = 0; c < count; c++) {
        const double size = t[c] < 0 ? -t[c] : t[c];
        const bool is_open = !(t[c] > 0 ? w[c] >= s[c] + limit[c] : w[c] <= s[c] - limit[c]) && limit[c] > 0;
        open[c] = is_open;
        residual[c] = is_open ? scaled[c] : 0;
        held[c] = is_open ? 0 : t[c];
        sum += is_open ? 0 : s[c] * t[c] + limit[c] * size;
    }
    return sum;
}

static void gradient_slice(void *context, int task, int thread)
{
    (void)thread;
    newton *n = context;
    ggm_block *block = n->block;
    const ggm_evidence evidence = ggm_block_evidence(block);
    const size_t m = (size_t)block->m;
    const double *t = block->product;
    double limit[CHUNK];
    int from, to;
    ggm_slice(block->m, task, &from, &to);
    for (size_t i = (size_t)from; i < (size_t)to; i++) {
        scale_row(n->t + i * m, t + i * m, n->sum, n->sum[i], m);
        double linear = 0;
        for (size_t j = 0; j < i; j += CHUNK) {
            const size_t count = i - j < CHUNK ? i - j : CHUNK, at = i * m + j;
            limits(&evidence, i, j, count, limit);
            linear += sort_entries(n->open + at, n->residual + at, block->feasible + at, n->t + at, t + at, block->w + at, block->s + at, limit, count);
        }
        n->open[i * m + i] = 0;
        n->residual[i * m + i] = 0;
        block->feasible[i * m + i] = t[i * m + i];
        n->root[i] = 2 * linear + block->diagonal[i] * t[i * m + i]; /* for a moment */
    }
}

/* After advance: T = inverse of W to `product`, T~, open entries and residual; `feasible`: T without its open entries. Returns the linear part of
 * that one's objective. */
static double take_gradient(newton *n)
{
    ggm_block *block = n->block;
    const size_t m = (size_t)block->m;
    ggm_dense_invert(&n->crew, block->product, block->feasible, block->m);
    for (size_t i = 0; i < m; i++)
        n->sum[i] = 1 / sqrt(block->product[i * m + i]);
    ggm_crew_run(&n->crew, gradient_slice, n, ggm_slices(block->m));
    double linear = 0;
    for (size_t i = 0; i < m; i++) {
        linear += n->root[i];
        n->root[i] = 1 / n->sum[i];
    }
    return linear;
}

/* ---- conjugate gradients ---- */
GGM_CLONES static double curvature_row(float *restrict curved, const float *restrict search, const unsigned char *restrict open, size_t count)
{
    double sum = 0;
    for (size_t j = 0; j < count; j++) {
        curved[j] = open[j] ? curved[j] : 0;
        sum += (double)curved[j] * (double)search[j];
    }
    return sum;
}

static void curvature_slice(void *context, int task, int thread)
{
    (void)thread;
    newton *n = context;
    const size_t m = (size_t)n->block->m;
    int from, to;
    ggm_slice(n->block->m, task, &from, &to);
    for (size_t i = (size_t)from; i < (size_t)to; i++)
        n->sum[i] = curvature_row(n->curved + i * m, n->search + i * m, n->open + i * m, i);
}

/* Preconditioned by the Hessian's diagonal, 1 + T~^2 */
GGM_CLONES static double step_row(float *restrict direction, float *restrict residual, const float *restrict search, const float *restrict curved,
                                  const float *restrict t, float alpha, size_t count)
{
    double sum = 0;
    for (size_t j = 0; j < count; j++) {
        direction[j] += alpha * search[j];
        const float r = residual[j] - alpha * curved[j];
        residual[j] = r;
        sum += (double)r * (double)(r / (1 + t[j] * t[j]));
    }
    return sum;
}

static void move_slice(void *context, int task, int thread)
{
    (void)thread;
    newton *n = context;
    const size_t m = (size_t)n->block->m;
    int from, to;
    ggm_slice(n->block->m, task, &from, &to);
    for (size_t i = (size_t)from; i < (size_t)to; i++)
        n->sum[i] = step_row(n->direction + i * m, n->residual + i * m, n->search + i * m, n->curved + i * m, n->t + i * m, (float)n->alpha, i);
}

GGM_CLONES static void search_row(float *restrict search, const float *restrict residual, const float *restrict t, float beta, size_t count)
{
    for (size_t j = 0; j < count; j++)
        search[j] = residual[j] / (1 + t[j] * t[j]) + beta * search[j];
}

/* The next search direction, in both triangles */
static void search_slice(void *context, int task, int thread)
{
    (void)thread;
    newton *n = context;
    const size_t m = (size_t)n->block->m, step = 16;
    int from, to;
    ggm_slice(n->block->m, task, &from, &to);
    for (size_t i = (size_t)from; i < (size_t)to; i++) {
        search_row(n->search + i * m, n->residual + i * m, n->t + i * m, (float)n->beta, i);
        n->search[i * m + i] = 0;
    }
    for (size_t i0 = (size_t)from; i0 < (size_t)to; i0 += step)
        for (size_t j0 = 0; j0 < i0 + step; j0 += step)
            for (size_t i = i0; i < (size_t)to && i < i0 + step; i++)
                for (size_t j = j0; j < i && j < j0 + step; j++)
                    n->search[j * m + i] = n->search[i * m + j];
}

/* D~ on the open entries. False: nothing to solve, or the solve is to end. */
static bool solve_newton(newton *n)
{
    const size_t m = (size_t)n->block->m;
    const int count = ggm_slices(n->block->m), most = n->full ? FULL_STEPS : CONJUGATE_STEPS;
    n->search = (float *)n->block->feasible;
    n->left = n->search + m * m;
    n->curved = (float *)n->block->product;
    memset(n->direction, 0, m * m * sizeof *n->direction);
    memset(n->search, 0, m * m * sizeof *n->search);
    memset(n->curved, 0, m * m * sizeof *n->curved);
    n->alpha = n->beta = 0;
    ggm_crew_run(&n->crew, move_slice, n, count);
    const double start = total(n);
    double before = start;
    for (int k = 0; k < most && before > INNER * INNER * start; k++) {
        if (ggm_control_poll(n->control, n->calling))
            return false;
        ggm_crew_run(&n->crew, search_slice, n, count);
        ggm_dense_sandwich(&n->crew, n->t, n->search, n->left, n->curved, n->block->m);
        ggm_crew_run(&n->crew, curvature_slice, n, count);
        n->alpha = before / total(n);
        if (!isfinite(n->alpha) || n->alpha <= 0)
            break;
        ggm_crew_run(&n->crew, move_slice, n, count);
        const double now = total(n);
        n->beta = now / before;
        before = now;
    }
    return start > 0;
}

/* ---- the gap ---- */
static void mirror_slice(void *context, int task, int thread)
{
    (void)thread;
    newton *n = context;
    const size_t m = (size_t)n->block->m, step = 16;
    double *w = n->block->w;
    int from, to;
    ggm_slice(n->block->m, task, &from, &to);
    for (size_t i0 = (size_t)from; i0 < (size_t)to; i0 += step)
        for (size_t j0 = 0; j0 < i0 + step; j0 += step)
            for (size_t i = i0; i < (size_t)to && i < i0 + step; i++)
                for (size_t j = j0; j < i && j < j0 + step; j++)
                    w[j * m + i] = w[i * m + j];
}

/* Whether T_ij, j < i, is part of the answer */
static bool is_held(const newton *n, size_t i, size_t j)
{
    const size_t at = i * (size_t)n->block->m + j;
    return !n->open[at] && n->block->product[at] != 0;
}

static void append(ggm_sparse *t, size_t row, size_t column, double value)
{
    const size_t at = t->start[row]++;
    t->index[at] = (int)column;
    t->value[at] = value;
}

/* block->precision: T on the held entries. Row by row of the lower triangle, which fills every row in the order of its columns. */
static bool take_precision(newton *n)
{
    ggm_block *block = n->block;
    const size_t m = (size_t)block->m;
    size_t nnz = m;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < i; j++)
            nnz += is_held(n, i, j) ? 2 : 0;
    ggm_sparse t = {.p = m, .nnz = nnz, .start = ggm_alloc_zero(m + 1, sizeof *t.start), .index = ggm_alloc(nnz, sizeof *t.index),
                    .value = ggm_alloc(nnz, sizeof *t.value)};
    if (!t.start || !t.index || !t.value) {
        ggm_sparse_release(&t);
        return false;
    }
    for (size_t i = 0; i < m; i++) {
        t.start[i + 1]++;
        for (size_t j = 0; j < i; j++)
            if (is_held(n, i, j)) {
                t.start[i + 1]++;
                t.start[j + 1]++;
            }
    }
    for (size_t i = 0; i < m; i++)
        t.start[i + 1] += t.start[i];
    for (size_t i = 0; i < m; i++) { /* start[i] is where row i goes on; in the end, where it ends */
        for (size_t j = 0; j < i; j++)
            if (is_held(n, i, j)) {
                append(&t, i, j, block->product[i * m + j]);
                append(&t, j, i, block->product[i * m + j]);
            }
        append(&t, i, i, block->product[i * m + i]);
    }
    memmove(t.start + 1, t.start, m * sizeof *t.start);
    t.start[0] = 0;
    ggm_sparse_release(&block->precision);
    block->precision = t;
    return true;
}

/* f(T) - f* as the difference of the two objectives; infinite if T without its open entries is not positive definite */
static double guess_gap(newton *n, double linear)
{
    ggm_block *block = n->block;
    if (!ggm_dense_cholesky(&n->crew, block->feasible, block->m))
        return INFINITY;
    return linear - ggm_logdet(block->feasible, block->m) - n->logdet - block->m;
}

/* The absolute gap to reach: |f| is at least the dual's value where that is positive, and at least minus the primal's where that is negative */
static double current_target(const newton *n, double gap)
{
    if (n->target > 0)
        return n->target;
    const double dual = n->logdet + n->block->m, least = dual > 0 ? dual : isfinite(gap) ? fmax(0, -dual - gap) : 0;
    return n->control->tolerance * fmax(n->block->m / n->control->p, 0.9 * least);
}

static void report(const newton *n, double relative_gap)
{
    const ggm_settings *settings = n->control->settings;
    if (n->calling && settings->progress)
        settings->progress(n->control->lambda, n->block->sweeps, relative_gap, settings->user_data);
}

/* ---- the whole ---- */
/* The factor of W itself, to `product`, and its logdet; W is moved into its bounds, by rounding if it was feasible */
static bool factor(newton *n)
{
    n->logdet = -INFINITY;
    return advance(n, true, 0, 0);
}

static bool begin(newton *n)
{
    const size_t m = (size_t)n->block->m;
    n->step = 1;
    for (size_t i = 0; i < m; i++)
        n->root[i] = 1;
    memset(n->t, 0, m * m * sizeof *n->t);
    if (factor(n))
        return true;
    if (!ggm_block_cold(n->block, true)) {
        n->status = GGM_ERROR_MEMORY;
        return false;
    }
    n->status = factor(n) ? GGM_OK : GGM_ERROR_INDEFINITE;
    return n->status == GGM_OK;
}

static bool gradient_steps(newton *n)
{
    bool moved = false;
    for (int k = 0; k < GRADIENT_STEPS && !ggm_control_poll(n->control, n->calling); k++) {
        while (!advance(n, true, n->step, RISE)) {
            n->step *= 0.5;
            if (n->step < SMALLEST) {
                n->step = 2 * SMALLEST;
                return moved;
            }
        }
        n->step = fmin(1, 1.2 * n->step);
        moved = true;
        (void)take_gradient(n);
    }
    return moved;
}

/* Steps 1 and 2; the factor of W is in `product` again. False: W was not moved. */
static bool iterate(newton *n)
{
    bool moved = gradient_steps(n);
    if (solve_newton(n))
        for (double length = 1; length > SMALLEST; length *= 0.5)
            if (advance(n, false, length, SLIGHT)) {
                n->full = length == 1;
                return true;
            }
    n->full = false;
    (void)factor(n);
    return moved;
}

/* The gap of T without its open entries, which become the block's answer */
static bool take_gap(newton *n)
{
    ggm_crew_run(&n->crew, mirror_slice, n, ggm_slices(n->block->m));
    if (take_precision(n) && ggm_precision_gap(n->block, &n->crew))
        return true;
    n->status = GGM_ERROR_MEMORY;
    return false;
}

static void lead(void *context)
{
    newton *n = context;
    ggm_block *block = n->block;
    double last = INFINITY;
    bool moved = begin(n);
    for (int patience = PATIENCE; n->status == GGM_OK; block->sweeps++) {
        const double linear = take_gradient(n), guess = guess_gap(n, linear), target = current_target(n, guess);
        const double aim = fmin(target, fmax(AIM * target, 30 * noise(n)));
        const bool stopped = ggm_control_poll(n->control, n->calling);
        const bool exhausted = !moved || patience == 0 || block->sweeps >= n->control->settings->max_iterations;
        bool done = stopped || exhausted;
        double gap = guess;
        if (done || guess <= aim + 10 * noise(n)) {
            if (!take_gap(n))
                return;
            gap = block->gap;
            patience = gap <= 0.5 * last ? PATIENCE : patience - 1;
            last = fmin(last, gap);
            done = done || gap <= aim;
            block->outcome = gap <= target ? GGM_CONVERGED : stopped ? (ggm_outcome)atomic_load(&n->control->stop) : GGM_ITERATION_LIMIT;
        }
        if (block->sweeps > 0)
            report(n, n->control->tolerance * gap / target);
        if (done)
            return;
        moved = iterate(n);
    }
}

static bool prepare(newton *n)
{
    const size_t m = (size_t)n->block->m;
    if (!ggm_block_widen(n->block) || !ggm_block_space(n->block))
        return false;
    n->t = ggm_alloc(m * m, sizeof *n->t);
    n->residual = ggm_alloc(m * m, sizeof *n->residual);
    n->direction = ggm_alloc(m * m, sizeof *n->direction);
    n->open = ggm_alloc(m * m, sizeof *n->open);
    n->root = ggm_alloc(m, sizeof *n->root);
    n->sum = ggm_alloc(m, sizeof *n->sum);
    return n->t && n->residual && n->direction && n->open && n->root && n->sum;
}

static void release(newton *n)
{
    ggm_free(n->t);
    ggm_free(n->residual);
    ggm_free(n->direction);
    ggm_free(n->open);
    ggm_free(n->root);
    ggm_free(n->sum);
}

ggm_status ggm_newton(ggm_block *block, double target, int threads, bool calling, ggm_control *control)
{
    newton n = {.block = block, .control = control, .target = target, .calling = calling, .status = GGM_OK};
    if (prepare(&n))
        ggm_crew_lead(&n.crew, threads, lead, &n);
    else
        n.status = GGM_ERROR_MEMORY;
    release(&n);
    if (n.status == GGM_ERROR_INDEFINITE) { /* no positive definite start, S being indefinite: bcd.c needs none */
        block->solver = GGM_SOLVER_BCD;
        return ggm_bcd(block, target, threads, calling, control);
    }
    block->hopeful = false; /* W was factored */
    if (n.status == GGM_OK && !ggm_block_columns(block))
        n.status = GGM_ERROR_MEMORY;
    return n.status == GGM_OK ? ggm_conclude(block, false) : n.status;
}
