/* Block coordinate descent on the primal, after Dallakyan & Pourahmadi (2024, arXiv 2403.12357); the step of a column is that of
 * Mazumder & Hastie's DP-glasso (EJS 2012).
 *
 * With column j last, b = T_12, r = T_22 - b' T_11^-1 b and c = S_jj + L_jj, f separates into -log r + c r, whence r = 1/c, and a lasso in b
 * whose quadratic part is c T_11^-1. Its dual needs no inverse:
 *     min over x, |x_i - S_ij| <= L_ij, of  x' T_11 x / 2;   then  b = -T_11 x / c,  T_jj = (1 - x'b) / c,
 * and b_i is exactly 0 where x_i lies inside its bounds. At the solution x is column j of W = inverse of T, and x is feasible for the dual
 * whenever it is looked at. So the iterate is T itself, sparse and positive definite, and f falls from column to column; W is a by-product,
 * neither inverted nor factored. It is kept (the gap needs it) as the start of the next sweep's x. R's sglasso starts every
 * column from 0, copies T_11 for each, and cuts small entries off at the end where the rule above leaves none.
 *
 * x is found by coordinate descent, which is Gauss-Seidel on the rows of T: a pass over all coordinates costs nnz(T). It need not be exact: let
 * h be what T_11 x is where b leaves it out, and e = T_11^-1 h; then f is off its minimum over the column by terms of second order in e. They are
 * of the size of the last pass's energy, sum of T_ii step_i^2, unless convergence is slow; passes stop when that is a small share of the
 * first pass's. The share is measured: at 1e-2 er_692 at lambda 0.1 ends in a cycle, f rising and falling; where a sweep's energy is not below
 * the last one's, the share is made smaller.
 *
 * A sweep so costs several times p nnz(T), where bcd.c's costs p nnz(T) and a small problem for each column, and more sweeps are needed: this
 * solver is slower by construction, the more the worse T is conditioned. What it has to offer is the descent on f itself.
 *
 * Sequential: threads only share the work of the gap. Rows of T are kept sorted, both triangles in step.
 *
 * Ownership: everything here is allocated at the start of ggm_sglasso and freed at its end. */
#include "ggm/internal.h"

#include <math.h>
#include <string.h>

#define INNER 1e-3         /* share of the first pass's energy at which passes stop */
#define TIGHTER 0.1        /* what that is multiplied by when a sweep's energy did not fall */
#define LEAST_INNER 1e-12
#define MOST_PASSES 1000
#define MIRROR 8           /* columns of W that are copied together: they share cache lines */
#define MOST_UNCHECKED 10  /* sweeps without looking at the gap */

typedef struct {
    ggm_block *block;
    ggm_control *control;
    double target;
    int threads;
    bool calling;
    ggm_crew crew;
    ggm_column *rows;      /* (m) row i of T: index ascending, without the diagonal; beta holds T_ij itself */
    double *inverse;       /* (m) 1 / T_ii */
    double *x, *low, *high; /* (m) the column at hand and its bounds */
    int *support;          /* (m) rows of the column's nonzeros, ascending */
    double *value;         /* (m) and those */
    double inner;          /* INNER, or smaller */
    bool good;             /* the leader had the memory for the gap */
} descent;

/* ---- sparse rows that grow and shrink ---- */
/* Place of entry j in the row, or where it would be */
static int find(const ggm_column *row, int j)
{
    int low = 0, high = row->count;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (row->index[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void remove_entry(ggm_column *row, int j)
{
    int at = find(row, j);
    size_t rest = (size_t)(--row->count - at);
    memmove(row->index + at, row->index + at + 1, rest * sizeof *row->index);
    memmove(row->beta + at, row->beta + at + 1, rest * sizeof *row->beta);
}

/* False: no memory */
static bool set_entry(ggm_column *row, int j, double value)
{
    int at = find(row, j);
    if (at == row->count || row->index[at] != j) {
        if (!ggm_column_reserve(row, row->count + 1))
            return false;
        size_t rest = (size_t)(row->count++ - at);
        memmove(row->index + at + 1, row->index + at, rest * sizeof *row->index);
        memmove(row->beta + at + 1, row->beta + at, rest * sizeof *row->beta);
        row->index[at] = j;
    }
    row->beta[at] = value;
    return true;
}

/* Row and column j of T become the `count` entries in d->support and d->value. False: no memory. */
static bool replace_row(descent *d, int j, int count)
{
    ggm_column *row = &d->rows[j];
    for (int k = 0, n = 0; k < row->count; k++) { /* entries that are no more */
        while (n < count && d->support[n] < row->index[k])
            n++;
        if (n == count || d->support[n] != row->index[k])
            remove_entry(&d->rows[row->index[k]], j);
    }
    if (!ggm_column_reserve(row, count))
        return false;
    row->count = count;
    memcpy(row->index, d->support, (size_t)count * sizeof *row->index);
    memcpy(row->beta, d->value, (size_t)count * sizeof *row->beta);
    for (int n = 0; n < count; n++)
        if (!set_entry(&d->rows[d->support[n]], j, d->value[n]))
            return false;
    return true;
}

/* ---- one column ---- */
static double product(const ggm_column *row, const double *x)
{
    double sum = 0;
    for (int k = 0; k < row->count; k++)
        sum += row->beta[k] * x[row->index[k]];
    return sum;
}

/* x = the column of W that the last sweep left; entry j is 0 and stays there, so that rows of T need not leave it out */
static void begin_column(descent *d, int j)
{
    const ggm_block *block = d->block;
    const size_t m = (size_t)block->m;
    const double *s = block->s + (size_t)j * m, *w = block->w + (size_t)j * m;
    for (size_t i = 0; i < m; i++) {
        double limit = ggm_penalty(block, j, (int)i);
        d->low[i] = s[i] - limit;
        d->high[i] = s[i] + limit;
        d->x[i] = fmax(d->low[i], fmin(d->high[i], w[i]));
    }
    d->low[j] = d->high[j] = d->x[j] = 0;
}

/* One pass over the coordinates; returns its energy */
static double pass(descent *d)
{
    const int m = d->block->m;
    double energy = 0;
    for (int i = 0; i < m; i++) {
        const ggm_column *row = &d->rows[i];
        double fresh = -product(row, d->x) * d->inverse[i];
        fresh = fresh < d->low[i] ? d->low[i] : fresh > d->high[i] ? d->high[i] : fresh;
        double step = fresh - d->x[i];
        energy += row->diagonal * step * step;
        d->x[i] = fresh;
    }
    return energy;
}

/* New row j of T from x; returns the number of its nonzeros off the diagonal, which lie in d->support and d->value */
static int read_off(descent *d, int j, double c, double *diagonal)
{
    const int m = d->block->m;
    int count = 0;
    double sum = 0; /* -c x'b */
    for (int i = 0; i < m; i++) {
        const bool lowest = d->x[i] <= d->low[i], highest = d->x[i] >= d->high[i];
        if (i == j || (!lowest && !highest))
            continue;
        const double g = d->rows[i].diagonal * d->x[i] + product(&d->rows[i], d->x);
        if ((lowest && g > 0) || (highest && g < 0)) { /* both where the entry is not penalised */
            sum += d->x[i] * g;
            d->support[count] = i;
            d->value[count++] = -g / c;
        }
    }
    *diagonal = (1 + sum / c) / c;
    return count;
}

/* Row j of W becomes x; returns the energy of the change, sum of T_ii change_i^2 */
static double keep_column(descent *d, int j, double c)
{
    const size_t m = (size_t)d->block->m;
    double *w = d->block->w + (size_t)j * m, energy = 0;
    d->x[j] = c;
    for (size_t i = 0; i < m; i++) {
        const double change = d->x[i] - w[i];
        energy += change * change * d->rows[i].diagonal;
        w[i] = d->x[i];
    }
    return energy;
}

/* Adds the column's share to the sweep's energy. target: the absolute gap that is wanted. */
static ggm_status solve_column(descent *d, int j, double target, double *energy)
{
    const double c = ggm_diagonal(d->block, j);
    begin_column(d, j);
    double last = pass(d), enough = d->inner * fmax(last, target * c / d->block->m), diagonal;
    for (int k = 1; last > enough && k < MOST_PASSES; k++)
        last = pass(d);
    const int count = read_off(d, j, c, &diagonal);
    *energy += d->rows[j].diagonal * keep_column(d, j, c);
    if (!isfinite(diagonal) || !(diagonal > 0))
        return GGM_ERROR_INDEFINITE;
    d->rows[j].diagonal = diagonal;
    d->inverse[j] = 1 / diagonal;
    return replace_row(d, j, count) ? GGM_OK : GGM_ERROR_MEMORY;
}

/* Columns [from, to) of W are made to equal its rows */
static void mirror(ggm_block *block, int from, int to)
{
    const size_t m = (size_t)block->m;
    for (size_t k = 0; k < m; k++)
        for (size_t j = (size_t)from; j < (size_t)to; j++)
            block->w[k * m + j] = block->w[j * m + k];
}

/* Every column once, or as many as there is time for */
static ggm_status sweep(descent *d, double target, double *energy)
{
    const int m = d->block->m;
    ggm_status status = GGM_OK;
    bool stopped = false;
    *energy = 0;
    for (int from = 0; from < m && status == GGM_OK && !stopped; from += MIRROR) {
        int j = from;
        for (; j < m && j < from + MIRROR && status == GGM_OK; j++) {
            if ((stopped = ggm_control_poll(d->control, d->calling)))
                break;
            status = solve_column(d, j, target, energy);
        }
        mirror(d->block, from, j);
    }
    d->block->sweeps++;
    return status;
}

/* block->precision = the rows. False: no memory. */
static bool gather(descent *d)
{
    const size_t m = (size_t)d->block->m;
    size_t nnz = m;
    for (size_t i = 0; i < m; i++)
        nnz += (size_t)d->rows[i].count;
    ggm_sparse t = {.p = m, .nnz = nnz, .start = ggm_alloc(m + 1, sizeof *t.start), .index = ggm_alloc(nnz, sizeof *t.index),
                    .value = ggm_alloc(nnz, sizeof *t.value)};
    if (!t.start || !t.index || !t.value) {
        ggm_sparse_release(&t);
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < m; i++) {
        const ggm_column *row = &d->rows[i];
        const int before = find(row, (int)i);
        t.start[i] = at;
        for (int k = 0; k <= row->count; k++) {
            if (k == before) {
                t.index[at] = (int)i;
                t.value[at++] = row->diagonal;
            }
            if (k < row->count) {
                t.index[at] = row->index[k];
                t.value[at++] = row->beta[k];
            }
        }
    }
    t.start[m] = at;
    ggm_sparse_release(&d->block->precision);
    d->block->precision = t;
    return true;
}

static void take_gap(void *context)
{
    descent *d = context;
    d->good = ggm_precision_gap(d->block, &d->crew);
}

static double current_target(const descent *d)
{
    for (int j = 0; j < d->block->m; j++)
        d->block->columns[j].diagonal = d->rows[j].diagonal;
    return ggm_block_target(d->block, d->target, d->control);
}

/* Sweeps until the gap is small enough or something ends it; the block's gap is that of its precision on return */
static ggm_status sweeps(descent *d)
{
    ggm_block *block = d->block;
    double before = 0;
    for (int unchecked = 1;; unchecked++) {
        double energy;
        const ggm_status status = sweep(d, current_target(d), &energy);
        if (status != GGM_OK)
            return status;
        const double target = current_target(d);
        const bool stopped = ggm_control_poll(d->control, d->calling), exhausted = block->sweeps >= d->control->settings->max_iterations;
        if (before > 0 && energy >= before)
            d->inner = fmax(LEAST_INNER, TIGHTER * d->inner);
        if (!stopped && !exhausted && ggm_expected_gap(energy, before) > target && unchecked < MOST_UNCHECKED) {
            before = energy;
            ggm_control_report(d->control, d->calling, block->sweeps, NAN);
            continue;
        }
        before = energy;
        unchecked = 0;
        if (!gather(d))
            return GGM_ERROR_MEMORY;
        ggm_crew_lead(&d->crew, d->threads, take_gap, d);
        if (!d->good)
            return GGM_ERROR_MEMORY;
        ggm_control_report(d->control, d->calling, block->sweeps, d->control->tolerance * block->gap / target);
        block->outcome = block->gap <= target ? GGM_CONVERGED : stopped ? (ggm_outcome)atomic_load(&d->control->stop) : GGM_ITERATION_LIMIT;
        if (block->gap <= target || stopped || exhausted)
            return GGM_OK;
    }
}

/* Rows of T from the block's precision, or its diagonal alone. False: no memory. */
static bool begin(descent *d, bool whole)
{
    const ggm_sparse *t = &d->block->precision;
    for (int i = 0; i < d->block->m; i++) {
        ggm_column *row = &d->rows[i];
        row->count = 0;
        row->diagonal = 1 / ggm_diagonal(d->block, i);
        if (whole && !ggm_column_reserve(row, (int)(t->start[i + 1] - t->start[i])))
            return false;
        for (size_t k = t->start[i]; whole && k < t->start[i + 1]; k++) {
            if (t->index[k] == i) {
                row->diagonal = t->value[k];
            } else {
                row->index[row->count] = t->index[k];
                row->beta[row->count++] = t->value[k];
            }
        }
        d->inverse[i] = 1 / row->diagonal;
    }
    return true;
}

static bool prepare(descent *d)
{
    const size_t m = (size_t)d->block->m;
    d->rows = ggm_alloc_zero(m, sizeof *d->rows);
    d->inverse = ggm_alloc(m, sizeof *d->inverse);
    d->x = ggm_alloc(m, sizeof *d->x);
    d->low = ggm_alloc(m, sizeof *d->low);
    d->high = ggm_alloc(m, sizeof *d->high);
    d->support = ggm_alloc(m, sizeof *d->support);
    d->value = ggm_alloc(m, sizeof *d->value);
    return d->rows && d->inverse && d->x && d->low && d->high && d->support && d->value;
}

static void release(descent *d)
{
    for (int i = 0; d->rows && i < d->block->m; i++) {
        ggm_free(d->rows[i].index);
        ggm_free(d->rows[i].beta);
    }
    ggm_free(d->rows);
    ggm_free(d->inverse);
    ggm_free(d->x);
    ggm_free(d->low);
    ggm_free(d->high);
    ggm_free(d->support);
    ggm_free(d->value);
}

/* From the columns' T where it is positive definite. Steps that were too inexact may lose that: once more, exactly, from the diagonal. */
static ggm_status descend(descent *d)
{
    double logdet;
    if (!ggm_block_precision(d->block))
        return GGM_ERROR_MEMORY;
    ggm_status status = ggm_factor_logdet(&d->block->precision, &logdet);
    if (status == GGM_ERROR_MEMORY || !begin(d, status == GGM_OK))
        return GGM_ERROR_MEMORY;
    status = sweeps(d);
    if (status == GGM_ERROR_INDEFINITE) {
        d->inner = LEAST_INNER;
        status = begin(d, false) ? sweeps(d) : GGM_ERROR_MEMORY;
    }
    if (status == GGM_OK)
        status = ggm_conclude(d->block, false);
    return status == GGM_OK && !ggm_block_columns(d->block) ? GGM_ERROR_MEMORY : status;
}

ggm_status ggm_sglasso(ggm_block *block, double target, int threads, bool calling, ggm_control *control)
{
    descent d = {.block = block, .control = control, .target = target, .calling = calling, .threads = threads, .inner = INNER};
    ggm_status status = prepare(&d) ? descend(&d) : GGM_ERROR_MEMORY;
    release(&d);
    return status;
}
