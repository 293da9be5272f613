/* One column's lasso: with W11 the rest of W and s = S_j,
 *     min over b   b' W11 b / 2 - s'b + sum_i L_ij |b_i|,     then  W_j = W11 b,  T_jj = 1 / (W_jj - W_j'b),  T_.j = -T_jj b.
 *
 * Few of b are not zero, so the work is split: cyclic coordinate descent runs on the active set A alone, on its small Gram matrix
 * W_AA gathered into contiguous memory (rows only when a coordinate leaves zero), which stays in the first-level cache; the
 * new row W b is then had in one pass over |A| contiguous rows of W. It yields the constraints
 * |s_i - (W b)_i| <= L_i that are violated outside A. Large violations join A for another round, small ones are left to the next sweep.
 * A column costs |A|^2 (1 + passes) + m |A| (rounds) multiplications.
 *
 * Passes stop early (rules->inner): an inexact column is harmless because the next sweep comes anyway, as long as W stays
 * positive definite, i.e. W_jj - W_j'b > 0, which holds for the exact minimiser if the rest of W is within its bounds. It is checked, and the
 * column solved exactly when it fails. Where that fails too, inexact columns have left entries far out of their bounds (copies of a
 * variable in one batch, say), and bcd.c begins again with careful rules.
 *
 * Where coordinate descent is slow (strongly correlated active sets, small penalties) the signs settle long before the values: after a few
 * passes the linear system of the nonzero coordinates is solved by Cholesky, the step cut where a coordinate would change
 * sign (it becomes 0), and passes go on from there. That is an active-set method whose pivoting is left to the passes.
 *
 * An active set of more than half of the block is not gathered: the passes then work on the full residual and rows of W.
 *
 * In single precision (real.h) W, S, the Gram matrix and gradients are floats, coefficients and pivots doubles. */
#include "ggm/internal.h"
#include "ggm/real.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define ATTEMPTS 4
#define FACE_EVERY 8 /* passes between two solutions of the linear system */
#ifdef GGM_SINGLE
#define EXACT_PASSES 500 /* rounding ends the descent there; bcd.c begins again in double precision when a column fails */
#define EXACT_FLOOR 1e-7
#else
#define EXACT_PASSES 20000
#define EXACT_FLOOR 1e-14
#endif

static bool reserve(void **array, size_t *capacity, size_t count, size_t size)
{
    if (count <= *capacity)
        return true;
    void *fresh = ggm_alloc(count + count / 2, size);
    if (!fresh)
        return false;
    ggm_free(*array);
    *array = fresh;
    *capacity = count + count / 2;
    return true;
}

GGM_CLONES static void REAL(gather)(real *restrict out, const real *restrict row, const int *restrict index, int n)
{
    for (int b = 0; b < n; b++)
        out[b] = row[index[b]];
}

GGM_CLONES static void REAL(subtract)(real *restrict g, const real *restrict row, real factor, size_t n)
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
    real *gram;          /* (count, count), rows valid where has_row */
    real *gradient;      /* s - M b: over the active set, or over the whole block */
    bool direct;
} passes;

/* gradient -= step * row a of the matrix */
static void move_gradient(const passes *p, int a, double step)
{
    const ggm_block *block = p->block;
    const size_t m = (size_t)block->m;
    const real *w = W_OF(block) + (size_t)p->column->index[a] * m;
    const int n = p->column->count;
    if (p->direct) {
        REAL(subtract)(p->gradient, w, (real)step, m);
        return;
    }
    real *row = p->gram + (size_t)a * (size_t)n;
    if (!p->scratch->has_row[a]) {
        REAL(gather)(row, w, p->column->index, n);
        p->scratch->has_row[a] = 1;
    }
    REAL(subtract)(p->gradient, row, (real)step, (size_t)n);
}

/* One cyclic pass; returns the largest step in units of sqrt(W_aa) */
static double one_pass(const passes *p)
{
    const ggm_column *column = p->column;
    const int n = column->count;
    double *beta = column->beta;
    const real *g = p->gradient;
    const double *inverse = p->scratch->inverse, *limit = p->scratch->limit;
    double largest = 0;
    for (int a = 0; a < n; a++) {
        double gradient = (double)(p->direct ? g[column->index[a]] : g[a]), old = beta[a];
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
    if (!reserve((void **)&scratch->factor, &scratch->factor_capacity, q * q, sizeof *scratch->factor))
        return false;
    double *step = scratch->factors, share = 1;
    for (size_t x = 0; x < q; x++) {
        const size_t a = (size_t)face[x];
        for (size_t y = 0; y <= x; y++)
            scratch->factor[x * q + y] = (double)p->gram[a * n + (size_t)face[y]];
        step[x] = (double)p->gradient[a] - copysign(scratch->limit[a], column->beta[a]);
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

/* row = W b over the whole block */
static void combine_rows(const ggm_block *block, int j, ggm_scratch *scratch, real *row)
{
    const ggm_column *column = &block->columns[j];
    const size_t m = (size_t)block->m;
    const real **rows = (const real **)scratch->rows;
    int count = 0;
    for (int a = 0; a < column->count; a++)
        if (column->beta[a] != 0) {
            rows[count] = W_OF(block) + (size_t)column->index[a] * m;
            scratch->factors[count++] = column->beta[a];
        }
    ggm_linalg_host.REAL(combine)(row, m, rows, scratch->factors, count);
}

GGM_CLONES static void REAL(subtract_from)(real *restrict row, const real *restrict s, size_t m)
{
    for (size_t i = 0; i < m; i++)
        row[i] = s[i] - row[i];
}

static bool descend(ggm_block *block, int j, double inner, double floor, int most, ggm_scratch *scratch)
{
    ggm_column *column = &block->columns[j];
    const size_t m = (size_t)block->m;
    const real *s = S_OF(block) + (size_t)j * m;
    const int n = column->count;
    passes p = {.block = block, .column = column, .scratch = scratch, .gradient = scratch->gradient, .direct = n > 64 && (size_t)n > m / 2};
    if (!p.direct && !reserve(&scratch->gram, &scratch->gram_bytes, (size_t)n * (size_t)n * sizeof(real), 1))
        return false;
    p.gram = scratch->gram;
    for (int a = 0; a < n; a++) {
        double diagonal = ggm_diagonal(block, column->index[a]);
        scratch->diagonal[a] = diagonal;
        scratch->inverse[a] = 1 / diagonal;
        scratch->limit[a] = ggm_penalty(block, column->index[a], j);
        scratch->has_row[a] = 0;
        if (!p.direct)
            p.gradient[a] = s[column->index[a]];
    }
    if (p.direct) {
        p.gradient = scratch->row;
        combine_rows(block, j, scratch, p.gradient);
        REAL(subtract_from)(p.gradient, s, m);
    }
    for (int a = 0; !p.direct && a < n; a++)
        if (column->beta[a] != 0)
            move_gradient(&p, a, column->beta[a]);
    if (!run_passes(&p, inner, floor, most))
        return false;
    if (p.direct)
        REAL(subtract_from)(p.gradient, s, m);
    else
        combine_rows(block, j, scratch, scratch->row);
    return true;
}

GGM_CLONES static size_t REAL(next_violation)(const real *restrict s, const real *restrict w, const unsigned char *restrict known, real limit, size_t from,
                                              size_t m)
{
    for (; from + GGM_LOOK <= m; from += GGM_LOOK) {
        int over = 0;
        for (size_t k = from; k < from + GGM_LOOK; k++) {
            real u = w[k] - s[k];
            u = u < 0 ? -u : u;
            over |= (u > limit) & !known[k];
        }
        if (over)
            return from;
    }
    for (size_t k = from; k < m; k++) {
        real u = w[k] - s[k];
        if ((u > limit || -u > limit) && !known[k])
            return from;
    }
    return m;
}

size_t REAL(ggm_next_violation)(const real *s, const real *w, const unsigned char *known, double limit, size_t from, size_t m)
{
    return REAL(next_violation)(s, w, known, (real)limit, from, m);
}

/* Marks what a column's active set cannot take: what is in it, the column itself and its batch */
static void mark_known(const ggm_column *column, int j, int count, const ggm_column_rules *rules, unsigned char *known, unsigned char mark)
{
    for (int a = 0; a < count; a++)
        known[column->index[a]] = mark;
    for (int k = 0; k < rules->member_count; k++)
        known[rules->member[k]] = mark;
    known[j] = mark;
}

/* Appends the violated constraints outside the active set, with coefficient 0. *worst: the largest excess in units of the limit. */
static bool add_violators(ggm_block *block, int j, const ggm_column_rules *rules, ggm_scratch *scratch, double *worst)
{
    ggm_column *column = &block->columns[j];
    const size_t m = (size_t)block->m;
    const real *s = S_OF(block) + (size_t)j * m, *w = scratch->row;
    const int before = column->count;
    unsigned char *known = scratch->active;
    bool good = true;
    *worst = 0;
    mark_known(column, j, before, rules, known, 1);
    for (size_t from = 0; good && from < m; from += GGM_LOOK) {
        if (!block->weights && (from = REAL(ggm_next_violation)(s, w, known, block->lambda, from, m)) >= m)
            break;
        const size_t to = from + GGM_LOOK < m ? from + GGM_LOOK : m;
        for (size_t i = from; good && i < to; i++) {
            if (known[i])
                continue;
            const double size = fabs((double)(s[i] - w[i])), limit = ggm_penalty(block, (int)i, j);
            if (size <= limit)
                continue;
            good = ggm_column_reserve(column, column->count + 1);
            if (good) {
                column->index[column->count] = (int)i;
                column->beta[column->count++] = 0;
                *worst = fmax(*worst, limit > 0 ? size / limit - 1 : (double)INFINITY);
            }
        }
    }
    mark_known(column, j, before, rules, known, 0);
    return good;
}

/* W_jj - W_j'b, with the new row of W */
static double schur(const ggm_block *block, int j, const real *row)
{
    const ggm_column *column = &block->columns[j];
    double sum = ggm_diagonal(block, j);
    for (int a = 0; a < column->count; a++)
        sum -= column->beta[a] * (double)row[column->index[a]];
    return sum;
}

/* Members of the batch whose constraint is violated: they could not join the active set now, the next sweep is to have them */
static bool add_members(ggm_block *block, int j, const ggm_column_rules *rules, const real *row)
{
    ggm_column *column = &block->columns[j];
    const real *s = S_OF(block) + (size_t)j * (size_t)block->m;
    if (!ggm_column_reserve(column, column->count + rules->member_count))
        return false;
    for (int k = 0; k < rules->member_count; k++) {
        int i = rules->member[k];
        if (i != j && fabs((double)(s[i] - row[i])) > ggm_penalty(block, i, j)) {
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

ggm_status REAL(ggm_column_solve)(ggm_block *block, int j, const ggm_column_rules *rules, ggm_scratch *scratch)
{
    ggm_column *column = &block->columns[j];
    const double diagonal = ggm_diagonal(block, j), unit = sqrt(diagonal), tiny = 1e-12 * diagonal;
    real *row = scratch->row;
    int added = 0;
    for (int round = 0; round < rules->rounds; round++) {
        double worst;
        if (!descend(block, j, rules->inner, rules->floor * unit, rules->passes, scratch))
            return GGM_ERROR_MEMORY;
        int before = column->count;
        if (!add_violators(block, j, rules, scratch, &worst))
            return GGM_ERROR_MEMORY;
        added = column->count - before;
        if (worst <= rules->slack)
            break;
    }
    double left = schur(block, j, row);
    for (int attempt = 0; !(left > tiny) && attempt < ATTEMPTS; attempt++) {
        double worst;
        if (!descend(block, j, 0, EXACT_FLOOR * unit, EXACT_PASSES, scratch) || !add_violators(block, j, rules, scratch, &worst))
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
    row[j] = (real)diagonal;
    return GGM_OK;
}
