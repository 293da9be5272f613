/* The end of a block's solve: how small a gap is wanted, the objective, and an answer that is feasible whatever state the sweeps were stopped in.
 *
 * An iterate stopped early may give a T that is not positive definite (its columns come from different W). Its off-diagonal
 * entries are then shrunk until it is: the diagonal alone always is. The gap is taken after that, so it is the gap of what is returned. */
#include "ggm/internal.h"

#include <math.h>
#include <string.h>

ggm_evidence ggm_block_evidence(const ggm_block *block)
{
    return (ggm_evidence){.m = block->m, .s = block->s, .problem = block->problem, .scales = block->scales, .node = block->node, .weights = block->weights,
                          .lambda = block->lambda, .penalize_diagonal = block->penalize_diagonal, .t = &block->precision};
}

/* At the optimum f >= m - sum log T_jj by Hadamard's inequality; if that is negative, f may be nearer to 0 */
double ggm_block_target(const ggm_block *block, double target, const ggm_control *control)
{
    if (target > 0)
        return target;
    double guess = block->m;
    for (int j = 0; j < block->m; j++)
        guess -= log(block->columns[j].diagonal);
    guess = guess > 0 ? guess : -0.1 * guess;
    return control->tolerance * fmax(block->m / control->p, 0.8 * guess);
}

bool ggm_precision_gap(ggm_block *block, ggm_crew *crew)
{
    const ggm_evidence evidence = ggm_block_evidence(block);
    const size_t m = (size_t)block->m;
    if (!block->residual && !block->s32)
        block->residual = ggm_alloc(ggm_bound_padded(m), sizeof *block->residual);
    ggm_bound bound;
    if ((!block->residual && !block->s32) || !ggm_bound_init(&bound, &evidence, crew->threads))
        return false;
    bound.w = block->w;
    bound.w32 = block->w32;
    bound.residual = block->residual ? block->residual : block->s32;
    bound.s32 = block->stale || block->coarse ? NULL : block->s32;
    block->stale = block->stale || (block->s32 && !block->residual);
    const bool quick = bound.s32 != NULL;
    const ggm_gap gap = ggm_bound_take(&bound, crew);
    block->coarse = block->coarse || (quick && !bound.s32);
    block->gap = gap.gap;
    block->kkt = gap.kkt;
    ggm_bound_release(&bound);
    return true;
}

bool ggm_block_gap(ggm_block *block, ggm_crew *crew)
{
    return ggm_block_precision(block) && ggm_precision_gap(block, crew);
}

/* What becomes 0 is no longer stored */
static void shrink(ggm_sparse *t, double factor)
{
    size_t at = 0;
    for (size_t i = 0, from = 0; i < t->p; i++) {
        const size_t to = t->start[i + 1];
        for (size_t k = from; k < to; k++) {
            const double value = (size_t)t->index[k] == i ? t->value[k] : t->value[k] * factor;
            t->index[at] = t->index[k];
            t->value[at] = value;
            at += value != 0;
        }
        from = to;
        t->start[i + 1] = at;
    }
    t->nnz = at;
}

/* The gap by the plain formula, for want of the bound */
static ggm_status plain_gap(ggm_block *block)
{
    if (!ggm_block_widen(block) || !ggm_block_space(block))
        return GGM_ERROR_MEMORY;
    const ggm_evidence evidence = ggm_block_evidence(block);
    memcpy(block->feasible, block->w, (size_t)block->m * (size_t)block->m * sizeof *block->w);
    const double dual = ggm_dual_logdet(&evidence, block->feasible, block->product);
    if (!isfinite(dual))
        return GGM_ERROR_INDEFINITE;
    block->gap = fmax(0, block->objective - dual - block->m);
    return GGM_OK;
}

ggm_status ggm_conclude(ggm_block *block, bool sound)
{
    const int gentle = 8; /* halvings, roughly, before everything off the diagonal goes */
    double logdet = 0;
    int attempt = 0;
    ggm_status status;
    for (; (status = ggm_factor_logdet(&block->precision, &logdet)) == GGM_ERROR_INDEFINITE && !sound && attempt <= gentle; attempt++)
        shrink(&block->precision, attempt < gentle ? 0.7 : 0);
    if (status != GGM_OK)
        return status;
    const ggm_evidence evidence = ggm_block_evidence(block);
    block->objective = ggm_linear_part(&evidence) - logdet;
    ggm_crew alone = {.threads = 1};
    if (attempt > 0 && !ggm_precision_gap(block, &alone))
        return GGM_ERROR_MEMORY;
    if (!isfinite(block->gap))
        status = plain_gap(block);
    return status != GGM_OK || isfinite(block->objective) ? status : GGM_ERROR_INDEFINITE;
}

static bool dense_precision(ggm_block *block, const double *inverse)
{
    const size_t m = (size_t)block->m;
    ggm_sparse t = {.p = m, .nnz = m * m, .start = ggm_alloc(m + 1, sizeof *t.start), .index = ggm_alloc(m * m, sizeof *t.index),
                    .value = ggm_alloc(m * m, sizeof *t.value)};
    if (!t.start || !t.index || !t.value) {
        ggm_sparse_release(&t);
        return false;
    }
    for (size_t k = 0; k <= m; k++)
        t.start[k] = k * m;
    for (size_t k = 0; k < m * m; k++) {
        t.index[k] = (int)(k % m);
        t.value[k] = inverse[k];
    }
    ggm_sparse_release(&block->precision);
    block->precision = t;
    return true;
}

/* A singular S whose last pivot is rounding passes Cholesky; its inverse is noise. The pivots are squared distances of each
 * variable to the span of those before, in units of its variance. */
static bool well_posed(const double *factor, const double *s, int m)
{
    for (size_t i = 0, n = (size_t)m; i < n; i++)
        if (factor[i * n + i] * factor[i * n + i] < 1e-13 * (double)m * s[i * n + i])
            return false;
    return true;
}

ggm_status ggm_unpenalised(ggm_block *block)
{
    const size_t m = (size_t)block->m;
    if (!ggm_block_widen(block) || !ggm_block_space(block))
        return GGM_ERROR_MEMORY;
    double *product = block->product;
    memcpy(block->w, block->s, m * m * sizeof *block->w);
    memcpy(product, block->s, m * m * sizeof *product);
    if (!ggm_linalg_host.cholesky(product, block->m) || !well_posed(product, block->s, block->m) || !ggm_linalg_host.invert(product, block->m))
        return GGM_ERROR_INDEFINITE;
    ggm_crew alone = {.threads = 1};
    if (!dense_precision(block, product) || !ggm_precision_gap(block, &alone))
        return GGM_ERROR_MEMORY;
    block->outcome = GGM_CONVERGED;
    return ggm_conclude(block, false);
}
