/* A better start along a descending path: where W is going, from where it was at the last two lambdas.
 *
 * Write W = S + lambda U, |U_ij| <= w_ij. An edge that stays has U_ij = w_ij sign T_ij at every lambda, and the rest of U changes smoothly, so U is
 * close to linear in log lambda between two changes of the graph. The warm start (start.c) keeps U as it was; here U is moved on by as much as
 * it moved from the lambda before, and kept within its bounds. Measured on gene expression and neurons at steps of 11 %, that leaves a tenth
 * to a fifteenth of the warm start's sum_ij T_ii T_jj (W_ij - W*_ij)^2, which is about its gap.
 *
 * Unlike the warm start, which is a mixture of S and a positive definite W, the guess is not proved positive definite. The descent notices when it
 * is not (a column without a positive T_jj) and starts cold, and the certificate at the end trusts nothing of this. Guesses are only made
 * for blocks in single precision, whose descent has that way back (bcd.c), and not far ahead.
 *
 * Cost: a pass over the block, and one array of floats that is kept with it. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>

#define FAR_AHEAD 1.5 /* longest step, in units of the last one */
#define NEARLY 0.99 /* of the bound, in single precision */
#define SHARED 400    /* variables from which on threads share the work */

double ggm_predict_step(double before, double last, double next)
{
    if (!(before > last) || !(last > next) || !(next > 0))
        return 0;
    const double step = log(next / last) / log(last / before);
    return step <= FAR_AHEAD ? step : 0;
}

static float bounded(float u, float bound)
{
    return u > bound ? bound : u < -bound ? -bound : u;
}

/* Between two blocks, or with a variable that was alone, W was 0; within a block in double precision it is not known */
void ggm_predict_carry(const ggm_block *block, const ggm_block *old, const ggm_places *old_places, float *const *old_trend, double before, float *trend)
{
    const size_t m = (size_t)block->m;
    for (size_t i = 0; i < m; i++) {
        const int a = old_places->block_of[block->node[i]];
        const float *row = a >= 0 && old_trend[a] ? old_trend[a] + (size_t)old_places->place[block->node[i]] * (size_t)old[a].m : NULL;
        for (size_t j = 0; j < m; j++) {
            const int b = old_places->block_of[block->node[j]];
            if (a < 0 || a != b)
                trend[i * m + j] = -block->s32[i * m + j] / (float)before;
            else
                trend[i * m + j] = row ? row[old_places->place[block->node[j]]] : NAN;
        }
    }
}

/* One row; an unknown trend (NaN) leaves U as it is */
GGM_CLONES static void move_row(float *restrict w, const float *restrict s, float *restrict trend, float lambda, float share, size_t m)
{
    const float inverse = 1 / lambda;
    for (size_t k = 0; k < m; k++) {
        const float u = (w[k] - s[k]) * inverse, move = u - trend[k];
        float to = u + (move == move ? share * move : 0);
        to = to > 1 ? 1 : to < -1 ? -1 : to;
        w[k] = s[k] + lambda * to;
        trend[k] = u;
    }
}

static void move_weighted_row(const ggm_block *block, size_t i, float *trend, float share)
{
    const size_t m = (size_t)block->m;
    const float lambda = (float)block->lambda;
    for (size_t k = i * m; k < (i + 1) * m; k++) {
        const float s = block->s32[k], u = (block->w32[k] - s) / lambda;
        if (!isnan(trend[k]))
            block->w32[k] = s + lambda * bounded(u + share * (u - trend[k]), (float)block->weights[k]);
        trend[k] = u;
    }
}

static void move_on(ggm_block *block, double step, float *trend)
{
    const size_t m = (size_t)block->m;
    const float lambda = (float)block->lambda, share = (float)step;
#pragma omp parallel for schedule(static) if (block->m >= SHARED) default(none) shared(block, trend, m, lambda, share)
    for (size_t i = 0; i < m; i++) {
        const float diagonal = block->w32[i * m + i];
        if (block->weights)
            move_weighted_row(block, i, trend, share);
        else
            move_row(block->w32 + i * m, block->s32 + i * m, trend + i * m, lambda, share, m);
        block->w32[i * m + i] = diagonal;
    }
}

/* No step: the trend begins here */
static void begin_trend(const ggm_block *block, float *trend)
{
    const size_t m = (size_t)block->m;
    const float lambda = (float)block->lambda;
#pragma omp parallel for schedule(static) if (block->m >= SHARED) default(none) shared(block, trend, m, lambda)
    for (size_t k = 0; k < m * m; k++)
        trend[k] = (block->w32[k] - block->s32[k]) / lambda;
}

/* Entries that W was moved to the bound of are the edges to come: into the active sets, with coefficient 0. Without that the first sweep would
 * leave them out, since it solves before it looks for violations, and goes back only for large ones. */
static bool expect_edges(ggm_block *block, unsigned char *active)
{
    const size_t m = (size_t)block->m;
    const double nearly = NEARLY * block->lambda;
    for (size_t j = 0; j < m; j++) {
        ggm_column *column = &block->columns[j];
        const float *w = block->w32 + j * m, *s = block->s32 + j * m;
        const int before = column->count;
        for (int a = 0; a < before; a++)
            active[column->index[a]] = 1;
        active[j] = 1;
        for (size_t i = 0; i < m; i++) {
            if (!block->weights && i % GGM_LOOK == 0 && (i = ggm_next_violation32(s, w, active, nearly, i, m)) >= m)
                break;
            const double bound = block->weights ? block->weights[j * m + i] : 1;
            if (active[i] || isinf(bound) || !((double)fabsf(w[i] - s[i]) > bound * nearly))
                continue;
            if (!ggm_column_reserve(column, column->count + 1))
                return false;
            column->index[column->count] = (int)i;
            column->beta[column->count++] = 0;
        }
        for (int a = 0; a < before; a++)
            active[column->index[a]] = 0;
        active[j] = 0;
    }
    return true;
}

bool ggm_predict(ggm_block *block, double step, float *trend)
{
    if (!(step > 0)) {
        begin_trend(block, trend);
        return true;
    }
    move_on(block, step, trend);
    unsigned char *active = ggm_alloc_zero((size_t)block->m, sizeof *active);
    const bool good = active && expect_edges(block, active);
    ggm_free(active);
    return good;
}
