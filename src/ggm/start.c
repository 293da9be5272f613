/* Where a block's descent starts: S filled in from the problem, W from nothing or from an earlier lambda.
 *
 * Cold start: W = diag(S) + (1 - t) offdiag(S) + diag(L), with the largest t <= 1 that keeps |W - S| <= L. It is feasible, and
 * positive definite whenever t > 0: a mixture of the positive semidefinite S and its positive diagonal. (S + L itself, the start of
 * R's glasso, is feasible too, but further away and singular when the diagonal is not penalised and n < p.)
 *
 * Warm start from lambda': for lambda < lambda', W = S + (lambda / lambda')(W' - S), a mixture of S and the old W: feasible for the new
 * bounds and positive definite, while W' is not feasible; starting there makes R's glasso fail on paths (Mazumder & Hastie, EJS
 * 2012). For lambda > lambda', W' itself is feasible. Between old blocks W' is 0. */
#include "ggm/internal.h"
#include "ggm/real.h"

#include <math.h>
#include <string.h>

#define SHARED 400 /* variables from which on threads share the copying: it is the first touch of the pages too */

void REAL(ggm_fill_covariance)(ggm_block *block)
{
    const size_t m = (size_t)block->m;
    const ggm_problem *problem = block->problem;
    const double *scales = block->scales;
    real *s = S_OF(block);
#pragma omp parallel for schedule(static) if (block->m >= SHARED) default(none) shared(block, problem, scales, s, m)
    for (size_t i = 0; i < m; i++) {
        const size_t at = (size_t)block->node[i];
        const double *row = problem->s + at * problem->p;
        for (size_t j = 0; j < m; j++) {
            const size_t k = (size_t)block->node[j];
            s[i * m + j] = (real)(row[k] * (scales[at] * scales[k]));
        }
        s[i * m + i] = (real)ggm_entry(problem, scales, at, at);
    }
}

static void set_diagonal(ggm_block *block)
{
    const size_t m = (size_t)block->m;
    for (size_t i = 0; i < m; i++) {
        W_OF(block)[i * m + i] = (real)block->diagonal[i];
        block->columns[i].diagonal = 1 / block->diagonal[i];
    }
}

/* The constraints that beta = 0 violates */
static bool first_active_sets(ggm_block *block)
{
    const size_t m = (size_t)block->m;
    for (size_t j = 0; j < m; j++) {
        ggm_column *column = &block->columns[j];
        const real *s = S_OF(block) + j * m;
        column->count = 0;
        for (size_t i = 0; i < m; i++) {
            if (!block->weights && fabs((double)s[i]) <= block->lambda)
                continue;
            if (i != j && fabs((double)s[i]) > ggm_penalty(block, (int)i, (int)j)) {
                if (!ggm_column_reserve(column, column->count + 1))
                    return false;
                column->index[column->count] = (int)i;
                column->beta[column->count++] = 0;
            }
        }
    }
    return true;
}

/* Largest t for which diag(S) + (1 - t) offdiag(S) keeps within the bounds, at most 1 */
static double shrinkage(const ggm_block *block)
{
    const size_t m = (size_t)block->m;
    double t = 1;
    for (size_t i = 1; i < m; i++)
        for (size_t j = 0; j < i; j++) {
            double s = fabs((double)S_OF(block)[i * m + j]), limit = block->weights ? ggm_penalty(block, (int)i, (int)j) : block->lambda;
            if (t * s > limit)
                t = limit / s;
        }
    return t;
}

bool REAL(ggm_fill_cold)(ggm_block *block)
{
    const real keep = (real)(1 - shrinkage(block));
    const size_t m = (size_t)block->m;
    real *w = W_OF(block);
    const real *s = S_OF(block);
#pragma omp parallel for schedule(static) if (block->m >= SHARED) default(none) shared(w, s, keep, m)
    for (size_t i = 0; i < m; i++)
        for (size_t k = i * m; k < (i + 1) * m; k++)
            w[k] = keep * s[k];
    set_diagonal(block);
    return first_active_sets(block);
}

void REAL(ggm_fill_rescale)(ggm_block *block, double ratio)
{
    real *w = W_OF(block);
    const real *s = S_OF(block), share = (real)ratio;
    const size_t m = (size_t)block->m;
#pragma omp parallel for schedule(static) if (block->m >= SHARED) default(none) shared(w, s, share, m)
    for (size_t i = 0; i < m; i++)
        for (size_t k = i * m; k < (i + 1) * m; k++)
            w[k] = s[k] + share * (w[k] - s[k]);
    set_diagonal(block);
}

void REAL(ggm_fill_warm)(ggm_block *block, const ggm_block *old, const ggm_places *old_places, double ratio)
{
    const size_t m = (size_t)block->m;
    for (size_t i = 0; i < m; i++) {
        const int a = old_places->block_of[block->node[i]];
        real *w = W_OF(block) + i * m;
        const real *s = S_OF(block) + i * m;
        const size_t from = a >= 0 ? (size_t)old_places->place[block->node[i]] * (size_t)old[a].m : 0;
        for (size_t j = 0; j < m; j++) {
            const int b = old_places->block_of[block->node[j]];
            double before = 0;
            if (a >= 0 && a == b) {
                const size_t at = from + (size_t)old_places->place[block->node[j]];
                before = old[a].w32 ? (double)old[a].w32[at] : old[a].w[at];
            }
            w[j] = (real)((double)s[j] + ratio * (before - (double)s[j]));
        }
    }
    set_diagonal(block);
}
