/* Where a block's descent starts: S filled in from the problem, W from nothing or from an earlier lambda.
 *
 * Cold start, safe: W = diag(S) + (1 - t) offdiag(S) + diag(L), with the largest t <= 1 that keeps |W - S| <= L. It is feasible, and
 * positive definite whenever t > 0: a mixture of the positive semidefinite S and its positive diagonal. (S + L itself, the start of
 * R's glasso, is feasible too, but further away and singular when the diagonal is not penalised and n < p.)
 *
 * Cold start, hopeful: W = S with the entries off the diagonal moved towards 0 by L_ij, as far as that. It is feasible, and where the
 * thresholded entries of a row are few, close to the answer: it saves one to four sweeps. It may be indefinite, which
 * shows at the latest when T is factorized; bcd.c then begins again from the safe start.
 *
 * Warm start from lambda': for lambda < lambda', W = S + (lambda / lambda')(W' - S), a mixture of S and the old W: feasible for the new
 * bounds and positive definite, while W' is not feasible; starting there makes R's glasso fail on paths (Mazumder & Hastie, EJS
 * 2012). For lambda > lambda', W' itself is feasible. Between old blocks W' is 0. */
#include "ggm/internal.h"
#include "ggm/real.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define HOPEFUL 5.0 /* mean row sum of |W_ij| / W_ii up to which the hopeful start serves: measured */
#define SHARED 400 /* variables from which on threads share the copying: it is the first touch of the pages too */

void REAL(ggm_fill_covariance_rows)(ggm_block *block, int from, int to)
{
    const size_t m = (size_t)block->m;
    const ggm_problem *problem = block->problem;
    const double *scales = block->scales;
    for (size_t i = (size_t)from; i < (size_t)to; i++) {
        const size_t at = (size_t)block->node[i];
        const double *row = problem->s + at * problem->p;
        real *s = S_OF(block) + i * m;
        for (size_t j = 0; j < m; j++) {
            const size_t k = (size_t)block->node[j];
            s[j] = (real)(row[k] * (scales[at] * scales[k]));
        }
        s[i] = (real)ggm_entry(problem, scales, at, at);
    }
}

void REAL(ggm_fill_covariance)(ggm_block *block)
{
#pragma omp parallel for schedule(static) if (block->m >= SHARED) default(none) shared(block)
    for (int i = 0; i < block->m; i++)
        REAL(ggm_fill_covariance_rows)(block, i, i + 1);
    block->stale = false;
}

static void set_diagonal(ggm_block *block)
{
    const size_t m = (size_t)block->m;
    for (size_t i = 0; i < m; i++) {
        W_OF(block)[i * m + i] = (real)block->diagonal[i];
        block->columns[i].diagonal = 1 / block->diagonal[i];
    }
}

GGM_CLONES static real REAL(largest_entry)(const real *s, size_t n)
{
    real largest[16] = {0}, most = 0;
    size_t k = 0;
    for (; k + 16 <= n; k += 16)
        for (size_t x = 0; x < 16; x++) {
            real size = s[k + x] < 0 ? -s[k + x] : s[k + x];
            largest[x] = size > largest[x] ? size : largest[x];
        }
    for (; k < n; k++)
        largest[0] = fabs((double)s[k]) > (double)largest[0] ? (real)fabs((double)s[k]) : largest[0];
    for (size_t x = 0; x < 16; x++)
        most = largest[x] > most ? largest[x] : most;
    return most;
}

/* The size that an entry of S must exceed to be in a column's first active set: half-way between the bound and the column's largest. All
 * that exceed the bound violate their constraints at beta = 0, but most of them no longer do once the largest are in. */
static double first_cut(const ggm_block *block, const real *s, size_t j)
{
    if (block->weights)
        return 0;
    const real below = REAL(largest_entry)(s, j), above = REAL(largest_entry)(s + j + 1, (size_t)block->m - j - 1);
    return 0.5 * (block->lambda + fmax(block->lambda, (double)(below > above ? below : above)));
}

#define LOOK 64 /* entries looked at together, for few are large */

/* The first i >= from, i < m, with |s_i| > cut; m if there is none */
GGM_CLONES static size_t REAL(next_large)(const real *restrict s, real cut, size_t from, size_t m)
{
    for (; from + LOOK <= m; from += LOOK) {
        real over[16] = {0}, sum = 0;
        for (size_t k = 0; k < LOOK; k += 16)
            for (size_t x = 0; x < 16; x++) {
                const real size = s[from + k + x] < 0 ? -s[from + k + x] : s[from + k + x];
                over[x] += size > cut ? (real)1 : (real)0;
            }
        for (size_t x = 0; x < 16; x++)
            sum += over[x];
        if (sum != 0)
            break;
    }
    while (from < m && !(s[from] > cut) && !(-s[from] > cut))
        from++;
    return from;
}

/* The first active set of column j. False: no memory. */
static bool first_active_set(ggm_block *block, size_t j)
{
    const size_t m = (size_t)block->m;
    ggm_column *column = &block->columns[j];
    const real *s = S_OF(block) + j * m, cut = (real)first_cut(block, s, j);
    column->count = 0;
    for (size_t i = REAL(next_large)(s, cut, 0, m); i < m; i = REAL(next_large)(s, cut, i + 1, m))
        if (i != j && fabs((double)s[i]) > ggm_penalty(block, (int)i, (int)j)) {
            if (!ggm_column_reserve(column, column->count + 1))
                return false;
            column->index[column->count] = (int)i;
            column->beta[column->count++] = 0;
        }
    return true;
}

static bool first_active_sets(ggm_block *block)
{
    bool good = true;
#pragma omp parallel for schedule(static) reduction(&& : good) if (block->m >= SHARED) default(none) shared(block)
    for (size_t j = 0; j < (size_t)block->m; j++)
        good = good && first_active_set(block, j);
    return good;
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

/* w = s moved towards 0 by lambda, as far as that; returns sum |w| */
GGM_CLONES static double REAL(shrink_row)(real *restrict w, const real *restrict s, real lambda, size_t n)
{
    real sum[16] = {0};
    size_t k = 0;
    for (; k + 16 <= n; k += 16)
        for (size_t x = 0; x < 16; x++) {
            const real size = s[k + x] < 0 ? -s[k + x] : s[k + x], left = size > lambda ? size - lambda : 0;
            w[k + x] = s[k + x] < 0 ? -left : left;
            sum[x] += left;
        }
    for (; k < n; k++) {
        const real size = s[k] < 0 ? -s[k] : s[k], left = size > lambda ? size - lambda : 0;
        w[k] = s[k] < 0 ? -left : left;
        sum[0] += left;
    }
    double total = 0;
    for (size_t x = 0; x < 16; x++)
        total += (double)sum[x];
    return total;
}

static double shrink_weighted_row(const ggm_block *block, size_t i, real *w, const real *s)
{
    double sum = 0;
    for (size_t j = 0; j < (size_t)block->m; j++) {
        const double size = fabs((double)s[j]), left = fmax(0, size - ggm_penalty(block, (int)i, (int)j));
        w[j] = (real)copysign(left, (double)s[j]);
        sum += left;
    }
    return sum;
}

/* W = S shrunk towards 0 by L; returns the mean over rows of sum_j |W_ij| / W_ii off the diagonal */
static double shrink_entries(ggm_block *block)
{
    const size_t m = (size_t)block->m;
    const real *s = S_OF(block), lambda = (real)block->lambda;
    real *w = W_OF(block);
    double total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total) if (block->m >= SHARED) default(none) shared(block, w, s, lambda, m)
    for (size_t i = 0; i < m; i++) {
        const double sum = block->weights ? shrink_weighted_row(block, i, w + i * m, s + i * m) : REAL(shrink_row)(w + i * m, s + i * m, lambda, m);
        total += (sum - fabs((double)w[i * m + i])) / block->diagonal[i];
    }
    return total / (double)m;
}

bool REAL(ggm_fill_cold)(ggm_block *block, bool safe)
{
    const size_t m = (size_t)block->m;
    block->hopeful = !safe && shrink_entries(block) <= HOPEFUL;
    if (!block->hopeful) {
        const real keep = (real)(1 - shrinkage(block));
        real *w = W_OF(block);
        const real *s = S_OF(block);
#pragma omp parallel for schedule(static) if (block->m >= SHARED) default(none) shared(w, s, keep, m)
        for (size_t i = 0; i < m; i++)
            for (size_t k = i * m; k < (i + 1) * m; k++)
                w[k] = keep * s[k];
    }
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
