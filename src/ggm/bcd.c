/* Block coordinate descent on the dual, the engine: sweep after sweep over the columns of W, each replaced by the solution of
 * its lasso (gram.c). Every step keeps W positive definite and raises logdet W.
 *
 * Parallel, yet exactly sequential. Take columns j1, j2 that are not in each other's active set. Column j2's lasso involves
 * W_AA (A its active set) and then W_j2 = W b; replacing column j1 first changes neither W_AA nor any entry of W b except the j1-th, which
 * becomes sum_a b_a W_j1[a]. So a batch of columns, none in another's active set, is solved side by side from the same W, its inner entries are
 * corrected in O(|A|) each, and the result is what the columns one after another would have given, bit for bit but for the
 * order of sums. Threads meet twice a batch instead of several times a column, and nothing depends on their number, since
 * batches are chosen without looking at it. Batches also pay on one thread: the strided writes of a batch's columns of W,
 * which is kept in both triangles so that rows are contiguous, share their cache lines.
 *
 * When to stop: the bound of certificate.c, which costs about a sweep, is taken when the energy of the last sweep,
 * sum_j T_jj sum_k T_kk dW_jk^2 (what the gap would be if T were diagonal), says that the target may be met, and the ratio
 * of gap to energy is remembered.
 *
 * From 400 variables on, the first sweeps keep W in single precision, for most of a sweep is reading rows of W. They change where
 * the descent passes, not where it ends: the last digits are won in double precision, and so is the bound.
 *
 * Ownership: everything here is allocated at the start of ggm_bcd and freed at its end, but for the block's work space, which
 * stays for the next lambda, and its columns, which grow. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define BATCH_MIN 16
#define BATCH_MAX 64
#define INNER 0.1          /* see ggm_column_rules */
#define FLOOR 1e-13
#define SLACK 0.1
#define GAP_PER_ENERGY 0.12 /* measured on gene expression, neurons and synthetic graphs */
#define ROUGH_SIZE 400      /* from here on W no longer fits the second-level cache: single precision pays */
#define ROUGH_TOLERANCE 1e-5 /* relative gap that single precision reaches safely */
#define ROUGH_PATIENCE 20   /* sweeps before single precision may be said to stall */
#define TILE 8             /* rows whose entries in a batch's columns are written while their cache lines are at hand */
#define MOST_UNCHECKED 30  /* sweeps without looking at the gap */
#define SLICE 64           /* rows of W that one task handles */

typedef struct {
    ggm_block *block;
    ggm_control *control;
    double target;
    bool calling;
    ggm_status status;       /* of the leader's doing */
    atomic_int column_status; /* first error of a column */
    ggm_crew crew;
    int threads;
    ggm_scratch *scratch;    /* (threads) */

    int width;               /* most columns in a batch */
    int *member;             /* (width) columns of the batch */
    int count, id;           /* of the batch */
    int *batch_of;           /* (m) number of the batch a column was last in */
    int *neighbour_of;       /* (m) number of the batch whose active sets last contained it */
    int first_id;            /* of this sweep's batches */
    int cursor;              /* columns before it are done in this sweep */
    double *rows;            /* (width, m) new rows of W */
    double *theta;           /* (m) T_jj at the start of the sweep */
    double *energy;          /* (m) */
    ggm_column_rules rules;

    ggm_row_sums *sums;      /* (m) */
} descent;

static int slices(const descent *d)
{
    return (d->block->m + SLICE - 1) / SLICE;
}

static void slice(const descent *d, int task, int *from, int *to)
{
    *from = task * SLICE;
    *to = *from + SLICE < d->block->m ? *from + SLICE : d->block->m;
}

/* ---- one batch ---- */
static bool independent(const descent *d, int j)
{
    const ggm_column *column = &d->block->columns[j];
    if (d->neighbour_of[j] == d->id)
        return false;
    for (int a = 0; a < column->count; a++)
        if (d->batch_of[column->index[a]] == d->id)
            return false;
    return true;
}

/* Takes the first columns still to do in this sweep that are independent of each other; none: the sweep is over */
static void fill_batch(descent *d)
{
    const int m = d->block->m;
    d->count = 0;
    d->id++;
    while (d->cursor < m && d->batch_of[d->cursor] >= d->first_id)
        d->cursor++;
    const int end = m - d->cursor > 6 * d->width ? d->cursor + 6 * d->width : m;
    for (int j = d->cursor; j < end && d->count < d->width; j++) {
        if (d->batch_of[j] >= d->first_id || !independent(d, j))
            continue;
        const ggm_column *column = &d->block->columns[j];
        d->batch_of[j] = d->id;
        for (int a = 0; a < column->count; a++)
            d->neighbour_of[column->index[a]] = d->id;
        d->member[d->count++] = j;
    }
}

GGM_CLONES static double weighted_change(const double *restrict a, const double *restrict b, const double *restrict weight, size_t m)
{
    double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    size_t k = 0;
    for (; k + 4 <= m; k += 4) {
        double d0 = a[k] - b[k], d1 = a[k + 1] - b[k + 1], d2 = a[k + 2] - b[k + 2], d3 = a[k + 3] - b[k + 3];
        sum0 += d0 * d0 * weight[k];
        sum1 += d1 * d1 * weight[k + 1];
        sum2 += d2 * d2 * weight[k + 2];
        sum3 += d3 * d3 * weight[k + 3];
    }
    for (; k < m; k++)
        sum0 += (a[k] - b[k]) * (a[k] - b[k]) * weight[k];
    return (sum0 + sum1) + (sum2 + sum3);
}

GGM_CLONES static double weighted_change32(const double *restrict a, const float *restrict b, const double *restrict weight, size_t m)
{
    double sum[8] = {0};
    size_t k = 0;
    for (; k + 8 <= m; k += 8)
        for (size_t x = 0; x < 8; x++) {
            double change = a[k + x] - (double)b[k + x];
            sum[x] += change * change * weight[k + x];
        }
    for (; k < m; k++)
        sum[0] += (a[k] - (double)b[k]) * (a[k] - (double)b[k]) * weight[k];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static void solve_member(void *context, int task, int thread)
{
    descent *d = context;
    const size_t m = (size_t)d->block->m;
    const int j = d->member[task];
    double *row = d->rows + (size_t)task * m;
    const double *old = d->block->w + (size_t)j * m;
    const float *old32 = d->block->w32 ? d->block->w32 + (size_t)j * m : NULL;
    ggm_status status = ggm_column_solve(d->block, j, &d->rules, &d->scratch[thread], row);
    if (status != GGM_OK) {
        int fine = GGM_OK;
        atomic_compare_exchange_strong(&d->column_status, &fine, (int)status);
        for (size_t k = 0; k < m; k++)
            row[k] = old32 ? (double)old32[k] : old[k];
    }
    d->energy[j] = d->theta[j] * (old32 ? weighted_change32(row, old32, d->theta, m) : weighted_change(row, old, d->theta, m));
}

/* Entries of W between member `second` and those before it: as if they had been replaced before it was solved */
static void correct_member(descent *d, int second)
{
    const size_t m = (size_t)d->block->m, j2 = (size_t)d->member[second];
    const ggm_column *column = &d->block->columns[j2];
    for (int first = 0; first < second; first++) {
        const double *row = d->rows + (size_t)first * m;
        double sum = 0;
        for (int a = 0; a < column->count; a++)
            sum += column->beta[a] * row[column->index[a]];
        const size_t j1 = (size_t)d->member[first];
        if (d->block->w32)
            d->block->w32[j1 * m + j2] = d->block->w32[j2 * m + j1] = (float)sum;
        else
            d->block->w[j1 * m + j2] = d->block->w[j2 * m + j1] = sum;
    }
}

/* A slice of the new rows and columns of W, but for the entries between members */
#define WRITE_SLICE(NAME, TYPE) \
    static void NAME(const descent *d, TYPE *w, size_t from, size_t to) \
    { \
        const size_t m = (size_t)d->block->m; \
        for (size_t k0 = from; k0 < to; k0 += TILE) \
            for (int x = 0; x < d->count; x++) { \
                const double *fresh = d->rows + (size_t)x * m; \
                TYPE *column = w + (size_t)d->member[x]; \
                for (size_t k = k0; k < to && k < k0 + TILE; k++) \
                    if (d->batch_of[k] != d->id) \
                        column[k * m] = (TYPE)fresh[k]; \
            } \
        for (int x = 0; x < d->count; x++) { \
            TYPE *row = w + (size_t)d->member[x] * m; \
            const double *fresh = d->rows + (size_t)x * m; \
            for (size_t k = from; k < to; k++) \
                if (d->batch_of[k] != d->id) \
                    row[k] = (TYPE)fresh[k]; \
        } \
    }

WRITE_SLICE(write_slice, double)
WRITE_SLICE(write_slice32, float)

static void write_back(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    if (task < d->count) {
        correct_member(d, task);
        return;
    }
    int from, to;
    slice(d, task - d->count, &from, &to);
    if (d->block->w32)
        write_slice32(d, d->block->w32, (size_t)from, (size_t)to);
    else
        write_slice(d, d->block->w, (size_t)from, (size_t)to);
}

static double sweep(descent *d)
{
    const int m = d->block->m;
    d->first_id = d->id + 1;
    d->cursor = 0;
    for (int j = 0; j < m; j++) {
        d->theta[j] = d->block->columns[j].diagonal;
        d->energy[j] = 0;
    }
    for (;;) {
        fill_batch(d);
        if (d->count == 0 || atomic_load(&d->column_status) != GGM_OK || ggm_control_poll(d->control, d->calling))
            break;
        d->rules.current = d->id;
        d->rules.member_count = d->count;
        ggm_crew_run(&d->crew, solve_member, d, d->count);
        ggm_crew_run(&d->crew, write_back, d, d->count + slices(d));
    }
    double energy = 0;
    for (int j = 0; j < m; j++)
        energy += d->energy[j];
    d->block->sweeps++;
    return energy;
}

/* ---- the bound on the gap ---- */
static ggm_evidence evidence_of(const ggm_block *block)
{
    return (ggm_evidence){.m = block->m, .s = block->s, .weights = block->weights, .lambda = block->lambda,
                          .penalize_diagonal = block->penalize_diagonal, .t = &block->precision};
}

static void clip_slice(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    ggm_evidence evidence = evidence_of(d->block);
    int from, to;
    slice(d, task, &from, &to);
    ggm_bound_clip(&evidence, d->block->w, d->block->feasible, from, to);
}

static void product_slice(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    ggm_evidence evidence = evidence_of(d->block);
    int from, to;
    slice(d, task, &from, &to);
    ggm_bound_product(&evidence, d->block->feasible, d->block->product, d->sums, from, to);
}

static void square_slice(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    int from, to;
    slice(d, task, &from, &to);
    ggm_bound_square(d->block->product, d->block->m, d->sums, from, to);
}

static bool take_gap(descent *d)
{
    if (!ggm_block_precision(d->block))
        return false;
    ggm_crew_run(&d->crew, clip_slice, d, slices(d));
    ggm_crew_run(&d->crew, product_slice, d, slices(d));
    ggm_crew_run(&d->crew, square_slice, d, slices(d));
    ggm_bound bound = ggm_bound_finish(d->sums, d->block->m);
    d->block->gap = bound.gap;
    d->block->kkt = bound.kkt;
    return true;
}

/* The absolute gap to reach. Without a target from outside: the tolerance on a cautious guess of |f|. At the optimum f >= m - sum log T_jj
 * by Hadamard's inequality; if that is negative, f may be nearer to 0. */
static double current_target(const descent *d)
{
    if (d->target > 0)
        return d->target;
    const ggm_block *block = d->block;
    double guess = block->m;
    for (int j = 0; j < block->m; j++)
        guess -= log(block->columns[j].diagonal);
    guess = guess > 0 ? guess : -0.1 * guess;
    return d->control->tolerance * fmax(block->m / d->control->p, 0.8 * guess);
}

static void report(const descent *d, double relative_gap)
{
    const ggm_settings *settings = d->control->settings;
    if (d->calling && settings->progress)
        settings->progress(d->control->lambda, d->block->sweeps, relative_gap, settings->user_data);
}

/* The gap to expect after a sweep: nothing measured yet; what comes is less than what came, in the ratio of the last two sweeps */
static double expected_gap(double energy, double before)
{
    return GAP_PER_ENERGY * energy * fmin(1, 4 * energy / before);
}

/* ---- single precision ---- */
static void narrow_slice(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    int from, to;
    slice(d, task, &from, &to);
    for (size_t k = (size_t)from * (size_t)d->block->m; k < (size_t)to * (size_t)d->block->m; k++)
        d->block->w32[k] = (float)d->block->w[k];
}

static void widen_slice(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    const size_t m = (size_t)d->block->m;
    int from, to;
    slice(d, task, &from, &to);
    for (size_t k = (size_t)from * m; k < (size_t)to * m; k++)
        d->block->w[k] = (double)d->block->w32[k];
    for (size_t i = (size_t)from; i < (size_t)to; i++)
        d->block->w[i * m + i] = ggm_diagonal(d->block, (int)i);
}

/* Sweeps on W in single precision, as far as that goes: rows of W are most of what is read, and half as long. All arithmetic is in double
 * precision; only W is rounded when it is stored. Returns the energy of the last sweep. */
static double rough_sweeps(descent *d)
{
    ggm_block *block = d->block;
    double energy = 0, before = 0;
    block->w32 = (float *)block->product;
    ggm_crew_run(&d->crew, narrow_slice, d, slices(d));
    for (bool more = true; more; before = energy) {
        energy = sweep(d);
        double rough = current_target(d) * fmax(1, ROUGH_TOLERANCE / d->control->tolerance);
        bool stalled = before > 0 && energy > 0.9 * before && block->sweeps > ROUGH_PATIENCE;
        more = expected_gap(energy, before) > rough && !stalled && block->sweeps + 1 < d->control->settings->max_iterations &&
               atomic_load(&d->column_status) == GGM_OK && !ggm_control_poll(d->control, d->calling);
        report(d, NAN);
    }
    ggm_crew_run(&d->crew, widen_slice, d, slices(d));
    block->w32 = NULL;
    return energy;
}

/* ---- the whole descent ---- */
/* Sweeps until the gap is small enough or something ends it; the block's gap is that of its precision on return */
static void fine_sweeps(descent *d, double before)
{
    ggm_block *block = d->block;
    double calibration = 0;
    for (int unchecked = 1;; unchecked++) {
        double energy = sweep(d), target = current_target(d);
        double guess = calibration > 0 ? calibration * energy : expected_gap(energy, before);
        before = energy;
        bool stopped = ggm_control_poll(d->control, d->calling), exhausted = block->sweeps >= d->control->settings->max_iterations;
        if ((d->status = (ggm_status)atomic_load(&d->column_status)) != GGM_OK)
            return;
        if (!stopped && !exhausted && guess > target && unchecked < MOST_UNCHECKED) {
            report(d, NAN);
            continue;
        }
        if (!take_gap(d)) {
            d->status = GGM_ERROR_MEMORY;
            return;
        }
        report(d, d->control->tolerance * block->gap / target);
        block->outcome = block->gap <= target ? GGM_CONVERGED : stopped ? (ggm_outcome)atomic_load(&d->control->stop) : GGM_ITERATION_LIMIT;
        if (block->gap <= target || stopped || exhausted)
            return;
        calibration = isfinite(block->gap) && energy > 0 ? fmin(1e6, fmax(1e-3, block->gap / energy)) : 4 * target / energy;
        unchecked = 0;
    }
}

static void lead(void *context)
{
    descent *d = context;
    double energy = 0;
    const bool rough = d->block->m >= ROUGH_SIZE && d->target == 0 && d->control->settings->max_iterations > ROUGH_PATIENCE;
    if (rough)
        energy = rough_sweeps(d);
    if (atomic_load(&d->column_status) == GGM_OK)
        fine_sweeps(d, energy);
    if (rough && atomic_load(&d->column_status) == GGM_ERROR_INDEFINITE) { /* rounding may have done that: once more without */
        atomic_store(&d->column_status, GGM_OK);
        d->status = ggm_block_cold(d->block) ? GGM_OK : GGM_ERROR_MEMORY;
        if (d->status == GGM_OK)
            fine_sweeps(d, 0);
    }
    if (d->status == GGM_OK)
        d->status = (ggm_status)atomic_load(&d->column_status);
}

static bool prepare(descent *d)
{
    const size_t m = (size_t)d->block->m;
    int width = d->block->m / 64;
    d->width = width < BATCH_MIN ? BATCH_MIN : width > BATCH_MAX ? BATCH_MAX : width;
    d->scratch = ggm_alloc_zero((size_t)d->threads, sizeof *d->scratch);
    d->member = ggm_alloc((size_t)d->width, sizeof *d->member);
    d->batch_of = ggm_alloc_zero(m, sizeof *d->batch_of);
    d->neighbour_of = ggm_alloc_zero(m, sizeof *d->neighbour_of);
    d->rows = ggm_alloc((size_t)d->width * m, sizeof *d->rows);
    d->theta = ggm_alloc(m, sizeof *d->theta);
    d->energy = ggm_alloc(m, sizeof *d->energy);
    d->sums = ggm_alloc(m, sizeof *d->sums);
    bool good = d->scratch && d->member && d->batch_of && d->neighbour_of && d->rows && d->theta && d->energy && d->sums && ggm_block_space(d->block);
    for (int thread = 0; good && thread < d->threads; thread++)
        good = ggm_scratch_init(&d->scratch[thread], d->block->m);
    d->rules = (ggm_column_rules){.inner = INNER, .floor = FLOOR, .slack = SLACK, .batch = d->batch_of, .member = d->member};
    return good;
}

static void release(descent *d)
{
    for (int thread = 0; d->scratch && thread < d->threads; thread++)
        ggm_scratch_release(&d->scratch[thread]);
    ggm_free(d->scratch);
    ggm_free(d->member);
    ggm_free(d->batch_of);
    ggm_free(d->neighbour_of);
    ggm_free(d->rows);
    ggm_free(d->theta);
    ggm_free(d->energy);
    ggm_free(d->sums);
}

ggm_status ggm_bcd(ggm_block *block, double target, int threads, bool calling, ggm_control *control)
{
    descent d = {.block = block, .control = control, .target = target, .calling = calling, .threads = threads};
    ggm_status status = prepare(&d) ? GGM_OK : GGM_ERROR_MEMORY;
    if (status == GGM_OK) {
        ggm_crew_lead(&d.crew, threads, lead, &d);
        status = d.status;
    }
    if (status == GGM_OK)
        status = ggm_conclude(block, d.sums);
    release(&d);
    return status;
}
