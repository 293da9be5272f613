/* The end of a block's solve: the objective, and an answer that is feasible whatever state the sweeps were stopped in.
 *
 * An iterate stopped early may give a T that is not positive definite (its columns come from different W). Its off-diagonal
 * entries are then shrunk until it is: the diagonal alone always is. The gap is taken after that, so it is the gap of what is returned. */
#include "ggm/internal.h"

#include <math.h>
#include <string.h>

static ggm_evidence evidence_of(const ggm_block *block)
{
    return (ggm_evidence){.m = block->m, .s = block->s, .weights = block->weights, .lambda = block->lambda,
                          .penalize_diagonal = block->penalize_diagonal, .t = &block->precision};
}

static void shrink(ggm_sparse *t, double factor)
{
    for (size_t i = 0; i < t->p; i++)
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            if ((size_t)t->index[k] != i)
                t->value[k] *= factor;
}

static void take_bound(ggm_block *block, ggm_row_sums *sums)
{
    ggm_evidence evidence = evidence_of(block);
    ggm_bound_clip(&evidence, block->w, block->feasible, 0, block->m);
    ggm_bound_product(&evidence, block->feasible, block->product, sums, 0, block->m);
    ggm_bound_square(block->product, block->m, sums, 0, block->m);
    ggm_bound bound = ggm_bound_finish(sums, block->m);
    block->gap = bound.gap;
    block->kkt = bound.kkt;
}

ggm_status ggm_conclude(ggm_block *block, ggm_row_sums *sums)
{
    const int gentle = 8; /* halvings, roughly, before everything off the diagonal goes */
    ggm_evidence evidence = evidence_of(block);
    double logdet = 0;
    int attempt = 0;
    for (; !ggm_logdet_sparse(&block->precision, block->product, &logdet); attempt++) {
        if (attempt > gentle)
            return GGM_ERROR_INDEFINITE;
        shrink(&block->precision, attempt < gentle ? 0.7 : 0);
    }
    block->objective = ggm_linear_part(&evidence) - logdet;
    if (attempt > 0)
        take_bound(block, sums);
    if (!isfinite(block->gap)) {
        memcpy(block->feasible, block->w, (size_t)block->m * (size_t)block->m * sizeof *block->w);
        double dual = ggm_dual_logdet(&evidence, block->feasible, block->product);
        if (!isfinite(dual))
            return GGM_ERROR_INDEFINITE;
        block->gap = fmax(0, block->objective - dual - block->m);
    }
    return isfinite(block->objective) ? GGM_OK : GGM_ERROR_INDEFINITE;
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
    ggm_row_sums *sums = ggm_alloc(m, sizeof *sums);
    ggm_status status = ggm_block_space(block) && sums ? GGM_OK : GGM_ERROR_MEMORY;
    double *product = block->product;
    if (status == GGM_OK) {
        memcpy(block->w, block->s, m * m * sizeof *block->w);
        memcpy(product, block->s, m * m * sizeof *product);
        bool good = ggm_linalg_host.cholesky(product, block->m) && well_posed(product, block->s, block->m) && ggm_linalg_host.invert(product, block->m);
        status = !good ? GGM_ERROR_INDEFINITE : dense_precision(block, product) ? GGM_OK : GGM_ERROR_MEMORY;
    }
    if (status == GGM_OK) {
        take_bound(block, sums);
        block->outcome = GGM_CONVERGED;
        status = ggm_conclude(block, sums);
    }
    ggm_free(sums);
    return status;
}
