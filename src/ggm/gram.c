/* One column's lasso: with W11 the rest of W and s = S_j,
 *     min over b   b' W11 b / 2 - s'b + sum_i L_ij |b_i|,     then  W_j = W11 b,  T_jj = 1 / (W_jj - W_j'b),  T_.j = -T_jj b.
 *
 * Few of b are not zero, so the work is split: cyclic coordinate descent runs on the active set A alone, on its small Gram matrix
 * W_AA gathered into contiguous memory (rows only when a coordinate leaves zero), which stays in the first-level cache; the
 * full residual r = s - W b is then had in one pass over |A| contiguous rows of W. It yields the new row of W and the constraints
 * |r_i| <= L_i that are violated outside A. Large violations join A for another round, small ones are left to the next sweep.
 * A column costs |A|^2 (1 + passes) + m |A| (rounds) multiplications.
 *
 * Passes stop early (rules->inner): an inexact column is harmless because the next sweep comes anyway, as long as W stays
 * positive definite, i.e. W_jj - W_j'b > 0, which holds for the exact minimiser. It is checked, and the column solved exactly when
 * it fails.
 *
 * Where coordinate descent is slow (strongly correlated active sets, small penalties) the signs settle long before the values: after a few
 * passes the linear system of the nonzero coordinates is solved by Cholesky, the step cut where a coordinate would change
 * sign (it becomes 0), and passes go on from there. That is an active-set method whose pivoting is left to the passes.
 *
 * An active set of more than half of the block is not gathered: the passes then work on the full residual and rows of W. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define ROUNDS 4
#define PASSES 60
#define FACE_EVERY 8 /* passes between two solutions of the linear system */
#define EXACT_PASSES 20000

bool ggm_scratch_init(ggm_scratch *scratch, int m)
{
    size_t n = (size_t)m;
    *scratch = (ggm_scratch){0};
    scratch->gradient = ggm_alloc(n, sizeof *scratch->gradient);
    scratch->diagonal = ggm_alloc(n, sizeof *scratch->diagonal);
    scratch->inverse = ggm_alloc(n, sizeof *scratch->inverse);
    scratch->limit = ggm_alloc(n, sizeof *scratch->limit);
    scratch->rows = ggm_alloc(n, sizeof *scratch->rows);
    scratch->rows32 = ggm_alloc(n, sizeof *scratch->rows32);
    scratch->factors = ggm_alloc(n, sizeof *scratch->factors);
    scratch->face = ggm_alloc(n, sizeof *scratch->face);
    scratch->has_row = ggm_alloc(n, 1);
    scratch->active = ggm_alloc_zero(n, 1);
    bool good = scratch->gradient && scratch->diagonal && scratch->inverse && scratch->limit && scratch->rows && scratch->rows32 &&
                scratch->factors && scratch->face && scratch->has_row && scratch->active;
    if (!good)
        ggm_scratch_release(scratch);
    return good;
}

void ggm_scratch_release(ggm_scratch *scratch)
{
    ggm_free(scratch->gram);
    ggm_free(scratch->factor);
    ggm_free(scratch->face);
    ggm_free(scratch->gradient);
    ggm_free(scratch->diagonal);
    ggm_free(scratch->inverse);
    ggm_free(scratch->limit);
    ggm_free(scratch->rows);
    ggm_free(scratch->rows32);
    ggm_free(scratch->factors);
    ggm_free(scratch->has_row);
    ggm_free(scratch->active);
    *scratch = (ggm_scratch){0};
}

static bool reserve(double **array, size_t *capacity, size_t count)
{
    if (count <= *capacity)
        return true;
    double *fresh = ggm_alloc(count + count / 2, sizeof *fresh);
    if (!fresh)
        return false;
    ggm_free(*array);
    *array = fresh;
    *capacity = count + count / 2;
    return true;
}

GGM_CLONES static void gather(double *restrict out, const double *restrict row, const int *restrict index, int n)
{
    for (int b = 0; b < n; b++)
        out[b] = row[index[b]];
}

GGM_CLONES static void gather32(double *restrict out, const float *restrict row, const int *restrict index, int n)
{
    for (int b = 0; b < n; b++)
        out[b] = (double)row[index[b]];
}

GGM_CLONES static void subtract32(double *restrict g, const float *restrict row, double factor, size_t n)
{
    for (size_t b = 0; b < n; b++)
        g[b] -= factor * (double)row[b];
}

GGM_CLONES static void subtract(double *restrict g, const double *restrict row, double factor, size_t n)
{
    for (size_t b = 0; b < n; b++)
        g[b] -= factor * row[b];
}

static double soft(double z, double limit)
{
    return z > limit ? z - limit : z < -limit ? z + limit : 0;
}

/* The matrix that coordinate descent runs on: the gathered Gram matrix of the active set, or W itself */
typedef struct {
    const ggm_block *block;
    const ggm_column *column;
    ggm_scratch *scratch;
    double *gradient;    /* s - M b: over the active set, or over the whole block */
    bool direct;
} passes;

/* gradient -= step * row a of the matrix */
static void move_gradient(const passes *p, int a, double step)
{
    const ggm_block *block = p->block;
    const size_t m = (size_t)block->m, at = (size_t)p->column->index[a] * m;
    const int n = p->column->count;
    if (p->direct && block->w32) {
        subtract32(p->gradient, block->w32 + at, step, m);
    } else if (p->direct) {
        subtract(p->gradient, block->w + at, step, m);
    } else {
        double *row = p->scratch->gram + (size_t)a * (size_t)n;
        if (!p->scratch->has_row[a]) {
            if (block->w32)
                gather32(row, block->w32 + at, p->column->index, n);
            else
                gather(row, block->w + at, p->column->index, n);
            p->scratch->has_row[a] = 1;
        }
        subtract(p->gradient, row, step, (size_t)n);
    }
}

/* One cyclic pass; returns the largest step in units of sqrt(W_aa) */
static double one_pass(const passes *p)
{
    const ggm_column *column = p->column;
    const int n = column->count;
    double *beta = column->beta;
    const double *g = p->gradient;
    const double *inverse = p->scratch->inverse, *limit = p->scratch->limit;
    double largest = 0;
    for (int a = 0; a < n; a++) {
        double gradient = p->direct ? g[column->index[a]] : g[a], old = beta[a];
        if (old == 0 && fabs(gradient) <= limit[a])
            continue;
        double diagonal = p->scratch->diagonal[a];
        double updated = soft(gradient + diagonal * old, limit[a]) * inverse[a], step = updated - old;
        if (step == 0)
            continue;
        beta[a] = updated;
        move_gradient(p, a, step);
        largest = fmax(largest, step * step * diagonal);
    }
    return sqrt(largest);
}

/* Moves to the minimum over the nonzero coordinates with their signs, or to the first sign change on the way. The system is solved for
 * the step, so that its rounding shrinks with it. False: no memory. */
static bool solve_face(const passes *p)
{
    ggm_scratch *scratch = p->scratch;
    const ggm_column *column = p->column;
    const size_t n = (size_t)column->count;
    int *face = scratch->face, count = 0;
    for (int a = 0; a < column->count; a++)
        if (column->beta[a] != 0)
            face[count++] = a;
    const size_t q = (size_t)count;
    if (!reserve(&scratch->factor, &scratch->factor_capacity, q * q))
        return false;
    double *step = scratch->factors, share = 1;
    for (size_t x = 0; x < q; x++) {
        const size_t a = (size_t)face[x];
        for (size_t y = 0; y <= x; y++)
            scratch->factor[x * q + y] = scratch->gram[a * n + (size_t)face[y]];
        step[x] = p->gradient[a] - copysign(scratch->limit[a], column->beta[a]);
    }
    if (count < 2 || !ggm_linalg_host.solve(scratch->factor, step, count))
        return true; /* singular to working precision: the passes go on alone */
    int blocking = -1;
    for (int x = 0; x < count; x++) {
        const double old = column->beta[face[x]];
        if (step[x] * old < 0 && fabs(step[x]) * share > fabs(old)) {
            share = fabs(old) / fabs(step[x]);
            blocking = x;
        }
    }
    for (int x = 0; x < count; x++) {
        const int a = face[x];
        const double old = column->beta[a];
        column->beta[a] = x == blocking ? 0 : old + share * step[x];
        move_gradient(p, a, column->beta[a] - old);
    }
    return true;
}

static bool run_passes(const passes *p, double inner, double floor, int most)
{
    double first = 0;
    for (int pass = 1; pass <= most; pass++) {
        double step = one_pass(p);
        if (pass == 1)
            first = step;
        if (step <= fmax(inner * first, floor))
            break;
        if (!p->direct && pass % FACE_EVERY == 0 && !solve_face(p))
            return false;
    }
    return true;
}

/* row = S_j - W b over the whole block */
static void full_residual(const ggm_block *block, int j, ggm_scratch *scratch, double *row)
{
    const ggm_column *column = &block->columns[j];
    const size_t m = (size_t)block->m;
    int count = 0;
    for (int a = 0; a < column->count; a++)
        if (column->beta[a] != 0) {
            const size_t at = (size_t)column->index[a] * m;
            if (block->w32)
                scratch->rows32[count] = block->w32 + at;
            else
                scratch->rows[count] = block->w + at;
            scratch->factors[count++] = column->beta[a];
        }
    if (block->w32)
        ggm_linalg_host.combine32(row, block->s + (size_t)j * m, m, scratch->rows32, scratch->factors, count);
    else
        ggm_linalg_host.combine(row, block->s + (size_t)j * m, m, scratch->rows, scratch->factors, count);
}

static bool descend(ggm_block *block, int j, double inner, double floor, int most, ggm_scratch *scratch, double *row)
{
    ggm_column *column = &block->columns[j];
    const size_t m = (size_t)block->m;
    const int n = column->count;
    passes p = {.block = block, .column = column, .scratch = scratch, .gradient = scratch->gradient, .direct = n > 64 && (size_t)n > m / 2};
    if (!p.direct && !reserve(&scratch->gram, &scratch->gram_capacity, (size_t)n * (size_t)n))
        return false;
    for (int a = 0; a < n; a++) {
        double diagonal = ggm_diagonal(block, column->index[a]);
        scratch->diagonal[a] = diagonal;
        scratch->inverse[a] = 1 / diagonal;
        scratch->limit[a] = ggm_penalty(block, column->index[a], j);
        scratch->has_row[a] = 0;
        scratch->gradient[a] = block->s[(size_t)j * m + (size_t)column->index[a]];
    }
    if (p.direct) {
        full_residual(block, j, scratch, row);
        p.gradient = row;
    }
    for (int a = 0; !p.direct && a < n; a++)
        if (column->beta[a] != 0)
            move_gradient(&p, a, column->beta[a]);
    if (!run_passes(&p, inner, floor, most))
        return false;
    if (!p.direct)
        full_residual(block, j, scratch, row);
    return true;
}

/* Appends the violated constraints outside the active set, with coefficient 0. *worst: the largest excess in units of the limit. */
static bool add_violators(ggm_block *block, int j, const ggm_column_rules *rules, ggm_scratch *scratch, const double *row, double *worst)
{
    ggm_column *column = &block->columns[j];
    *worst = 0;
    for (int a = 0; a < column->count; a++)
        scratch->active[column->index[a]] = 1;
    const int before = column->count;
    bool good = true;
    for (int i = 0; good && i < block->m; i++) {
        double size = fabs(row[i]);
        if (!block->weights && size <= block->lambda)
            continue;
        double limit = ggm_penalty(block, i, j);
        if (size <= limit || scratch->active[i] || i == j || rules->batch[i] == rules->current)
            continue;
        good = ggm_column_reserve(column, column->count + 1);
        if (good) {
            column->index[column->count] = i;
            column->beta[column->count++] = 0;
            *worst = fmax(*worst, limit > 0 ? size / limit - 1 : (double)INFINITY);
        }
    }
    for (int a = 0; a < before; a++)
        scratch->active[column->index[a]] = 0;
    return good;
}

/* W_jj - W_j'b, where W_j = s - residual */
static double schur(const ggm_block *block, int j, const double *row)
{
    const ggm_column *column = &block->columns[j];
    const size_t m = (size_t)block->m;
    double sum = ggm_diagonal(block, j);
    for (int a = 0; a < column->count; a++)
        sum -= column->beta[a] * (block->s[(size_t)j * m + (size_t)column->index[a]] - row[column->index[a]]);
    return sum;
}

/* Members of the batch whose constraint is violated: they could not join the active set now, the next sweep is to have them */
static bool add_members(ggm_block *block, int j, const ggm_column_rules *rules, const double *row)
{
    ggm_column *column = &block->columns[j];
    if (!ggm_column_reserve(column, column->count + rules->member_count))
        return false;
    for (int k = 0; k < rules->member_count; k++) {
        int i = rules->member[k];
        if (i != j && fabs(row[i]) > ggm_penalty(block, i, j)) {
            column->index[column->count] = i;
            column->beta[column->count++] = 0;
        }
    }
    return true;
}

/* Coefficients that are 0 leave the active set, but for the `kept` last ones, which the next sweep is to try */
static void drop_zeros(ggm_column *column, int kept)
{
    int n = 0;
    for (int a = 0; a < column->count; a++)
        if (column->beta[a] != 0 || a >= column->count - kept) {
            column->index[n] = column->index[a];
            column->beta[n++] = column->beta[a];
        }
    column->count = n;
}

GGM_CLONES static void residual_to_covariance(double *restrict row, const double *restrict s, size_t m)
{
    for (size_t i = 0; i < m; i++)
        row[i] = s[i] - row[i];
}

ggm_status ggm_column_solve(ggm_block *block, int j, const ggm_column_rules *rules, ggm_scratch *scratch, double *row)
{
    ggm_column *column = &block->columns[j];
    const size_t m = (size_t)block->m;
    const double diagonal = ggm_diagonal(block, j), unit = sqrt(diagonal), tiny = 1e-12 * diagonal;
    int added = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double worst;
        if (!descend(block, j, rules->inner, rules->floor * unit, PASSES, scratch, row))
            return GGM_ERROR_MEMORY;
        int before = column->count;
        if (!add_violators(block, j, rules, scratch, row, &worst))
            return GGM_ERROR_MEMORY;
        added = column->count - before;
        if (worst <= rules->slack)
            break;
    }
    double left = schur(block, j, row);
    for (int attempt = 0; !(left > tiny) && attempt < ROUNDS; attempt++) {
        double worst;
        if (!descend(block, j, 0, 1e-14 * unit, EXACT_PASSES, scratch, row) || !add_violators(block, j, rules, scratch, row, &worst))
            return GGM_ERROR_MEMORY;
        added = 0;
        left = schur(block, j, row);
    }
    if (!(left > 0))
        return GGM_ERROR_INDEFINITE;
    column->diagonal = 1 / left;
    int before = column->count;
    if (!add_members(block, j, rules, row))
        return GGM_ERROR_MEMORY;
    drop_zeros(column, added + column->count - before);
    residual_to_covariance(row, block->s + (size_t)j * m, m);
    row[j] = diagonal;
    return GGM_OK;
}
