/* Which solver a block is given to when the caller leaves it to us: bcd.c unless T will be dense, then newton.c.
 *
 * bcd.c's time grows with the square of T's nonzeros in a column, newton.c's hardly depends on them. So the density of T is what decides, and that of
 * S beyond the penalty says little about it (gene expression, er_692 at lambda .05: 78 % of S, 12 % of T; neurons of tinystories at .02:
 * 72 % and 40 %). What does is a look at a few columns' lassos at the cold start W = diag(S) + offdiag(S) + diag(L): after four passes of
 * coordinate descent their nonzeros are 0.65 to 1.35 times those of the final T in the range that matters, for no better reason
 * than that passes too few and W too large err in opposite directions. It costs less than a hundredth of either solve. The look
 * depends on S and the penalties alone, not on the start or the threads. */
#include "ggm/internal.h"

#include <math.h>

#define LOOKS 16           /* columns looked at */
#define PASSES 4
#define SMALLEST 48        /* variables below which it does not matter */
#define DENSE_PENALISED 0.35 /* share of the entries of S beyond their penalty without which T is not dense */
#define DENSE 0.27         /* density from which on Newton is faster: measured on neurons and gene expression, 120 to 1400 variables */

static double entry(const ggm_block *block, int i, int j)
{
    const size_t at = (size_t)i * (size_t)block->m + (size_t)j;
    return block->s ? block->s[at] : (double)block->s32[at];
}

static double share_beyond(const ggm_block *block, int j)
{
    int count = 0;
    for (int i = 0; i < block->m; i++)
        count += i != j && fabs(entry(block, j, i)) > ggm_penalty(block, i, j);
    return (double)count / block->m;
}

/* Share of nonzeros in column j's lasso after a few passes. residual, beta: (m). */
static double look(const ggm_block *block, int j, double *residual, double *beta)
{
    const int m = block->m;
    for (int i = 0; i < m; i++) {
        residual[i] = entry(block, j, i);
        beta[i] = 0;
    }
    for (int pass = 0; pass < PASSES; pass++)
        for (int i = 0; i < m; i++) {
            const double limit = ggm_penalty(block, i, j), diagonal = ggm_diagonal(block, i), z = residual[i] + diagonal * beta[i];
            const double updated = i == j ? 0 : z > limit ? (z - limit) / diagonal : z < -limit ? (z + limit) / diagonal : 0, step = updated - beta[i];
            if (step == 0)
                continue;
            beta[i] = updated;
            for (int k = 0; k < m; k++)
                residual[k] -= step * entry(block, i, k);
            residual[i] -= step * (diagonal - entry(block, i, i));
        }
    int count = 0;
    for (int i = 0; i < m; i++)
        count += beta[i] != 0;
    return (double)count / m;
}

bool ggm_choose_solver(const ggm_block *block, ggm_solver *chosen)
{
    *chosen = GGM_SOLVER_BCD;
    const int looks = block->m < LOOKS ? block->m : LOOKS;
    double beyond = 0, density = 0;
    for (int k = 0; k < looks; k++)
        beyond += share_beyond(block, (int)(((int64_t)2 * k + 1) * block->m / (2 * looks))) / looks;
    if (block->m < SMALLEST || beyond < DENSE_PENALISED)
        return true;
    double *space = ggm_alloc(2 * (size_t)block->m, sizeof *space);
    if (!space)
        return false;
    for (int k = 0; k < looks; k++)
        density += look(block, (int)(((int64_t)2 * k + 1) * block->m / (2 * looks)), space, space + block->m) / looks;
    ggm_free(space);
    if (density > DENSE)
        *chosen = GGM_SOLVER_NEWTON;
    return true;
}
