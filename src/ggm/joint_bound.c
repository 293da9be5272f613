/* What a block's T_k are worth: certificate.c's bound for K classes.
 *
 * For U with every pair's u in the dual ball and F_k = S_k + U_k / n_k positive definite, weak duality says
 *     f(T) - f* <= sum_ij [ P(x) - u'x ] + sum_k n_k [ tr(F_k T_k) - m - logdet(F_k T_k) ].
 * u is the subgradient of P at x = (T_1,ij .. T_K,ij) nearest to n_k (W_k - S_k) (joint_prox.c), so the first sum is 0 up to rounding (it is
 * summed all the same), and each bracket of the second is at most e / (2 (1 - sqrt e)), e = |T_k F_k - I| as certificate.c explains. Where
 * that fails (e >= 1, far from the optimum), logdet is taken of points on the way to the shrunk covariances, which always are feasible. */
#include "ggm/joint_internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

bool ggm_joint_sums_init(ggm_joint_sums *sums, int m, int classes)
{
    const size_t n = (size_t)m;
    sums->slack = ggm_alloc(n, sizeof *sums->slack);
    sums->linear = ggm_alloc(n, sizeof *sums->linear);
    sums->square = ggm_alloc(n * (size_t)classes, sizeof *sums->square);
    sums->kkt = ggm_alloc(n, sizeof *sums->kkt);
    return sums->slack && sums->linear && sums->square && sums->kkt;
}

void ggm_joint_sums_release(ggm_joint_sums *sums)
{
    ggm_free(sums->slack);
    ggm_free(sums->linear);
    ggm_free(sums->square);
    ggm_free(sums->kkt);
    *sums = (ggm_joint_sums){0};
}

/* Row i of every T_k, dense (value = true), or zeros again */
static void spread_row(const ggm_joint_block *block, size_t i, double *dense, bool value)
{
    const size_t m = (size_t)block->m;
    for (size_t k = 0; k < (size_t)block->classes; k++) {
        const ggm_sparse *t = &block->precisions[k];
        for (size_t e = t->start[i]; e < t->start[i + 1]; e++)
            dense[k * m + (size_t)t->index[e]] = value ? t->value[e] : 0;
    }
}

/* One pair: F, and the pair's share in the sums */
static void point(const ggm_joint_block *block, const double *dense, size_t i, size_t j, double *slack, double *linear)
{
    const size_t m = (size_t)block->m, classes = (size_t)block->classes, at = i * m + j, square = m * m;
    const bool penalized = i != j || block->penalize_diagonal;
    double x[GGM_K] = {0}, v[GGM_K] = {0}, inner = 0;
    bool zero = true;
    for (size_t k = 0; k < classes; k++) {
        x[k] = dense[k * m + j];
        zero = zero && x[k] == 0;
        v[k] = penalized ? block->weights[k] * (block->w[k * square + at] - block->s[k * square + at]) : 0;
        *linear += block->weights[k] * block->s[k * square + at] * x[k];
    }
    if (penalized)
        ggm_joint_nearest(&block->norm, x, v, v);
    for (size_t k = 0; k < classes; k++) {
        block->feasible[k * square + at] = block->s[k * square + at] + v[k] / block->weights[k];
        inner += v[k] * x[k];
    }
    if (zero || !penalized)
        return;
    const double penalty = ggm_joint_value(&block->norm, x);
    *linear += penalty;
    *slack += fmax(0, penalty - inner);
}

void ggm_joint_bound_point(const ggm_joint_block *block, ggm_joint_sums *sums, double *dense, int from, int to)
{
    for (int i = from; i < to; i++) {
        double slack = 0, linear = 0;
        spread_row(block, (size_t)i, dense, true);
        for (int j = 0; j < block->m; j++)
            point(block, dense, (size_t)i, (size_t)j, &slack, &linear);
        spread_row(block, (size_t)i, dense, false);
        sums->slack[i] = slack;
        sums->linear[i] = linear;
    }
}

GGM_CLONES static double largest_residual(const double *row, size_t m)
{
    double largest = 0;
    for (size_t j = 0; j < m; j++) {
        double x = row[j] < 0 ? -row[j] : row[j];
        largest = x > largest ? x : largest;
    }
    return largest;
}

void ggm_joint_bound_product(const ggm_joint_block *block, ggm_joint_sums *sums, const double **rows, int from, int to)
{
    const size_t m = (size_t)block->m;
    for (size_t i = (size_t)from; i < (size_t)to; i++) {
        sums->kkt[i] = 0;
        for (size_t k = 0; k < (size_t)block->classes; k++) {
            const ggm_sparse *t = &block->precisions[k];
            const size_t first = t->start[i], count = t->start[i + 1] - first;
            double *row = block->product + (k * m + i) * m;
            for (size_t e = 0; e < count; e++)
                rows[e] = block->feasible + (k * m + (size_t)t->index[first + e]) * m;
            ggm_linalg_host.combine64(row, m, rows, t->value + first, (int)count);
            row[i] -= 1;
            sums->kkt[i] = fmax(sums->kkt[i], largest_residual(row, m));
        }
    }
}

void ggm_joint_bound_square(const ggm_joint_block *block, ggm_joint_sums *sums, int from, int to)
{
    const size_t tile = 32, m = (size_t)block->m;
    for (size_t k = 0; k < (size_t)block->classes; k++) {
        const double *product = block->product + k * m * m;
        double *square = sums->square + k * m;
        memset(square + from, 0, (size_t)(to - from) * sizeof *square);
        for (size_t i0 = (size_t)from; i0 < (size_t)to; i0 += tile)
            for (size_t j0 = 0; j0 < (size_t)to; j0 += tile) /* tiles: the second factor is read down its columns */
                for (size_t i = i0; i < (size_t)to && i < i0 + tile; i++)
                    for (size_t j = j0; j <= i && j < j0 + tile; j++)
                        square[i] += (i == j ? 1 : 2) * product[i * m + j] * product[j * m + i];
    }
}

static double total(const double *rows, int m)
{
    double sum = 0;
    for (int i = 0; i < m; i++)
        sum += rows[i];
    return sum;
}

void ggm_joint_bound_finish(ggm_joint_block *block, const ggm_joint_sums *sums)
{
    block->gap = total(sums->slack, block->m);
    block->kkt = 0;
    for (int k = 0; k < block->classes; k++) {
        const double e = fmax(0, total(sums->square + (size_t)k * (size_t)block->m, block->m));
        block->gap += e < 1 ? block->weights[k] * e / (2 * (1 - sqrt(e))) : (double)INFINITY;
    }
    for (int i = 0; i < block->m; i++)
        block->kkt = fmax(block->kkt, sums->kkt[i]);
}

double ggm_joint_linear(const ggm_joint_sums *sums, int m)
{
    return total(sums->linear, m);
}

static ggm_status take_objective(ggm_joint_block *block, const ggm_joint_sums *sums)
{
    ggm_status status = GGM_OK;
    block->objective = total(sums->linear, block->m);
    for (int k = 0; status == GGM_OK && k < block->classes; k++) {
        double logdet = 0;
        status = ggm_factor_logdet(&block->precisions[k], &logdet);
        block->objective -= block->weights[k] * logdet;
    }
    return status == GGM_OK && !isfinite(block->objective) ? GGM_ERROR_INDEFINITE : status;
}

/* ---- far from the optimum ---- */
/* Largest factor in [0, 1] with factor * v in the ball, from below */
static double fitting(const ggm_joint_norm *norm, const double *v, double factor)
{
    double scaled[GGM_K], low = 0, high = factor;
    for (int step = 0; step < 50; step++) {
        const double middle = step == 0 ? factor : 0.5 * (low + high);
        for (int k = 0; k < norm->classes; k++)
            scaled[k] = middle * v[k];
        if (!ggm_joint_in_ball(norm, scaled))
            high = middle;
        else if (step == 0)
            return factor;
        else
            low = middle;
    }
    return low;
}

double ggm_joint_shrinkage(const ggm_joint_block *block)
{
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    double t = 1, v[GGM_K];
    for (size_t i = 1; i < m; i++)
        for (size_t j = 0; j < i; j++) {
            for (size_t k = 0; k < classes; k++)
                v[k] = block->weights[k] * block->s[k * m * m + i * m + j];
            t = fitting(&block->norm, v, t);
        }
    return t;
}

/* n_k logdet of (1 - share) W_k + share * the shrunk covariances, summed; -infinity if one is not positive definite */
static double logdet_between(ggm_joint_block *block, const double *from, double share, double keep)
{
    const size_t m = (size_t)block->m, square = m * m;
    double sum = 0;
    for (size_t k = 0; k < (size_t)block->classes; k++) {
        const double *w = from + k * square, *s = block->s + k * square;
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < m; j++) {
                const double centre = i == j ? w[i * m + i] : keep * s[i * m + j];
                block->product[i * m + j] = share > 0 ? (1 - share) * w[i * m + j] + share * centre : w[i * m + j];
            }
        if (!ggm_linalg_host.cholesky(block->product, block->m))
            return -(double)INFINITY;
        sum += block->weights[k] * ggm_logdet(block->product, block->m);
    }
    return isfinite(sum) ? sum : -(double)INFINITY;
}

/* W's pairs moved into the ball, whatever T; a penalised diagonal not below lambda1's share, so that the shrunk covariances can be reached */
static void into_ball(ggm_joint_block *block)
{
    static const double origin[GGM_K] = {0};
    const size_t m = (size_t)block->m, classes = (size_t)block->classes, square = m * m;
    const double diagonal = block->penalize_diagonal ? block->norm.lambda1 : 0;
    double v[GGM_K];
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) {
            const size_t at = i * m + j;
            for (size_t k = 0; k < classes; k++)
                v[k] = i == j ? diagonal : block->weights[k] * (block->w[k * square + at] - block->s[k * square + at]);
            if (i != j)
                ggm_joint_nearest(&block->norm, origin, v, v);
            for (size_t k = 0; k < classes; k++)
                block->w[k * square + at] = block->s[k * square + at] + v[k] / block->weights[k];
        }
}

double ggm_joint_dual(ggm_joint_block *block)
{
    static const double shares[] = {0, 1e-6, 1e-3, 0.03, 0.2, 0.5, 1};
    const double best = logdet_between(block, block->feasible, 0, 0); /* best near the optimum, where T's structure is right */
    const double keep = 1 - ggm_joint_shrinkage(block);
    double found = -(double)INFINITY;
    into_ball(block);
    for (size_t a = 0; a < sizeof shares / sizeof *shares && !isfinite(found); a++)
        found = logdet_between(block, block->w, shares[a], keep);
    return fmax(best, found);
}

static void shrink(ggm_joint_block *block, double factor)
{
    for (int k = 0; k < block->classes; k++) {
        ggm_sparse *t = &block->precisions[k];
        for (size_t i = 0; i < t->p; i++)
            for (size_t e = t->start[i]; e < t->start[i + 1]; e++)
                if ((size_t)t->index[e] != i)
                    t->value[e] *= factor;
    }
}

ggm_status ggm_joint_conclude(ggm_joint_block *block, ggm_joint_sums *sums, ggm_joint_scratch *scratch, bool stopped)
{
    const int gentle = 8; /* as ggm_conclude */
    int attempt = 0;
    ggm_status status;
    for (; (status = take_objective(block, sums)) != GGM_OK; attempt++) {
        if (status != GGM_ERROR_INDEFINITE || attempt > gentle)
            return status;
        shrink(block, attempt < gentle ? 0.7 : 0);
        ggm_joint_bound_point(block, sums, scratch->dense, 0, block->m);
    }
    if (attempt > 0) {
        ggm_joint_bound_product(block, sums, scratch->rows, 0, block->m);
        ggm_joint_bound_square(block, sums, 0, block->m);
        ggm_joint_bound_finish(block, sums);
    }
    if (isfinite(block->gap))
        return GGM_OK;
    double dual = ggm_joint_dual(block);
    if (!isfinite(dual) && !stopped)
        return GGM_ERROR_INDEFINITE;
    for (int k = 0; k < block->classes; k++)
        dual += block->weights[k] * block->m;
    block->gap = fmax(0, block->objective - dual);
    return GGM_OK;
}
