/* Sweeps over a block's columns, bcd.c for K classes: a column of all classes is one step (joint_column.c), batches of columns that are not in each
 * other's active sets (of any class) are solved side by side and corrected afterwards, so that the result is that of one after another and does
 * not depend on the number of threads. bcd.c explains why that is so; nothing in it needs K = 1.
 *
 * When to look at the gap: the energy sum_k n_k sum_j T_jj sum_i T_ii dW_ji^2 of the last sweep, times the ratio of gap to energy measured last. */
#include "ggm/joint_internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define BATCH_MIN 16
#define BATCH_MAX 64
#define INNER 0.1
#define FLOOR 1e-13
#define SLACK 0.1
#define GAP_PER_ENERGY 0.12 /* bcd.c's, for one class */
#define MOST_UNCHECKED 30
#define TILE 8

typedef struct {
    ggm_joint_block *block;
    ggm_control *control;
    double target;
    bool calling, stopped;
    ggm_status status;
    atomic_bool failed;      /* an allocation in a column */
    ggm_crew crew;
    int threads;
    ggm_joint_scratch *scratch; /* (threads) */

    int width;               /* most columns in a batch */
    int *member;             /* (width) */
    int count, id;
    int *batch_of, *neighbour_of; /* (m) */
    int first_id, cursor;
    double *rows;            /* (width, K, m) new rows of W */
    double *theta;           /* (K, m) T_jj at the start of the sweep */
    double *energy;          /* (m) */
    ggm_joint_rules rules;
    ggm_joint_sums sums;
} descent;

/* ---- one batch ---- */
static bool independent(const descent *d, int j)
{
    const ggm_joint_column *column = &d->block->columns[j];
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
        const ggm_joint_column *column = &d->block->columns[j];
        d->batch_of[j] = d->id;
        for (int a = 0; a < column->count; a++)
            d->neighbour_of[column->index[a]] = d->id;
        d->member[d->count++] = j;
    }
}

GGM_CLONES static double weighted_change(const double *restrict a, const double *restrict b, const double *restrict weight, size_t m)
{
    double sum[8] = {0};
    size_t i = 0;
    for (; i + 8 <= m; i += 8)
        for (size_t x = 0; x < 8; x++)
            sum[x] += (a[i + x] - b[i + x]) * (a[i + x] - b[i + x]) * weight[i + x];
    for (; i < m; i++)
        sum[0] += (a[i] - b[i]) * (a[i] - b[i]) * weight[i];
    return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

static void solve_member(void *context, int task, int thread)
{
    descent *d = context;
    const size_t m = (size_t)d->block->m, classes = (size_t)d->block->classes, j = (size_t)d->member[task];
    double *rows = d->rows + (size_t)task * classes * m;
    const bool good = ggm_joint_column_solve(d->block, (int)j, &d->rules, &d->scratch[thread], rows);
    if (!good)
        atomic_store(&d->failed, true);
    d->energy[j] = 0;
    for (size_t k = 0; k < classes; k++) {
        const double *old = d->block->w + (k * m + j) * m;
        if (!good)
            memcpy(rows + k * m, old, m * sizeof *rows);
        d->energy[j] += d->block->weights[k] * d->theta[k * m + j] * weighted_change(rows + k * m, old, d->theta + k * m, m);
    }
}

/* Entries of W between member `second` and those before it: as if they had been replaced before it was solved */
static void correct_member(const descent *d, int second)
{
    const size_t m = (size_t)d->block->m, classes = (size_t)d->block->classes, j2 = (size_t)d->member[second];
    const ggm_joint_column *column = &d->block->columns[j2];
    for (int first = 0; first < second; first++)
        for (size_t k = 0; k < classes; k++) {
            const double *row = d->rows + ((size_t)first * classes + k) * m;
            double sum = 0;
            for (int a = 0; a < column->count; a++)
                sum += column->theta[(size_t)a * classes + k] * row[column->index[a]];
            const size_t j1 = (size_t)d->member[first];
            double *w = d->block->w + k * m * m;
            w[j1 * m + j2] = w[j2 * m + j1] = -sum / d->block->diagonal[j2 * classes + k];
        }
}

/* A slice of the new rows and columns of W_k, but for the entries between members */
static void write_slice(const descent *d, size_t k, size_t from, size_t to)
{
    const size_t m = (size_t)d->block->m, classes = (size_t)d->block->classes;
    double *w = d->block->w + k * m * m;
    for (size_t i0 = from; i0 < to; i0 += TILE)
        for (int x = 0; x < d->count; x++) {
            const double *fresh = d->rows + ((size_t)x * classes + k) * m;
            double *column = w + (size_t)d->member[x];
            for (size_t i = i0; i < to && i < i0 + TILE; i++)
                if (d->batch_of[i] != d->id)
                    column[i * m] = fresh[i];
        }
    for (int x = 0; x < d->count; x++) {
        double *row = w + (size_t)d->member[x] * m;
        const double *fresh = d->rows + ((size_t)x * classes + k) * m;
        for (size_t i = from; i < to; i++)
            if (d->batch_of[i] != d->id || i == (size_t)d->member[x])
                row[i] = fresh[i];
    }
}

static void write_back(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    if (task < d->count) {
        correct_member(d, task);
        return;
    }
    int from, to;
    ggm_slice(d->block->m, task - d->count, &from, &to);
    for (int k = 0; k < d->block->classes; k++)
        write_slice(d, (size_t)k, (size_t)from, (size_t)to);
}

static double sweep(descent *d)
{
    const size_t m = (size_t)d->block->m, classes = (size_t)d->block->classes;
    d->first_id = d->id + 1;
    d->cursor = 0;
    for (size_t j = 0; j < m; j++) {
        for (size_t k = 0; k < classes; k++)
            d->theta[k * m + j] = d->block->diagonal[j * classes + k];
        d->energy[j] = 0;
    }
    for (;;) {
        fill_batch(d);
        if (d->count == 0 || atomic_load(&d->failed) || ggm_control_poll(d->control, d->calling))
            break;
        d->rules.current = d->id;
        d->rules.member_count = d->count;
        ggm_crew_run(&d->crew, solve_member, d, d->count);
        ggm_crew_run(&d->crew, write_back, d, d->count + ggm_slices(d->block->m));
    }
    double energy = 0;
    for (size_t j = 0; j < m; j++)
        energy += d->energy[j];
    d->block->sweeps++;
    return energy;
}

/* ---- the gap ---- */
static void point_slice(void *context, int task, int thread)
{
    descent *d = context;
    int from, to;
    ggm_slice(d->block->m, task, &from, &to);
    ggm_joint_bound_point(d->block, &d->sums, d->scratch[thread].dense, from, to);
}

static void product_slice(void *context, int task, int thread)
{
    descent *d = context;
    int from, to;
    ggm_slice(d->block->m, task, &from, &to);
    ggm_joint_bound_product(d->block, &d->sums, d->scratch[thread].rows, from, to);
}

static void square_slice(void *context, int task, int thread)
{
    (void)thread;
    descent *d = context;
    int from, to;
    ggm_slice(d->block->m, task, &from, &to);
    ggm_joint_bound_square(d->block, &d->sums, from, to);
}

static bool take_gap(descent *d)
{
    if (!ggm_joint_block_precisions(d->block))
        return false;
    ggm_crew_run(&d->crew, point_slice, d, ggm_slices(d->block->m));
    ggm_crew_run(&d->crew, product_slice, d, ggm_slices(d->block->m));
    ggm_crew_run(&d->crew, square_slice, d, ggm_slices(d->block->m));
    ggm_joint_bound_finish(d->block, &d->sums);
    return true;
}

/* The absolute gap to reach. Without a target from outside: the tolerance on a cautious guess of |f|; at the optimum f is the sum of n_k (m -
 * logdet T_k), at least n_k (m - sum log T_jj). */
static double current_target(const descent *d)
{
    if (d->target > 0)
        return d->target;
    const ggm_joint_block *block = d->block;
    double guess = 0;
    for (size_t k = 0; k < (size_t)block->classes; k++)
        for (size_t j = 0; j < (size_t)block->m; j++)
            guess += block->weights[k] * (1 - log(block->diagonal[j * (size_t)block->classes + k]));
    guess = guess > 0 ? guess : -0.1 * guess;
    return d->control->tolerance * fmax(block->m / d->control->p, 0.8 * guess);
}

static void report(const descent *d, double relative_gap)
{
    const ggm_settings *settings = d->control->settings;
    if (d->calling && settings->progress)
        settings->progress(d->control->lambda, d->block->sweeps, relative_gap, settings->user_data);
}

/* ---- the whole descent ---- */
static void lead(void *context)
{
    descent *d = context;
    ggm_joint_block *block = d->block;
    double ratio = GAP_PER_ENERGY;
    for (int unchecked = 1;; unchecked++) {
        const double energy = sweep(d), target = current_target(d);
        const bool exhausted = block->sweeps >= d->control->settings->max_iterations;
        d->stopped = ggm_control_poll(d->control, d->calling);
        if (!d->stopped && !exhausted && !atomic_load(&d->failed) && ratio * energy > target && unchecked < MOST_UNCHECKED) {
            report(d, NAN);
            continue;
        }
        if (atomic_load(&d->failed) || !take_gap(d)) {
            d->status = GGM_ERROR_MEMORY;
            return;
        }
        report(d, d->control->tolerance * block->gap / target);
        block->outcome = block->gap <= target ? GGM_CONVERGED : d->stopped ? (ggm_outcome)atomic_load(&d->control->stop) : GGM_ITERATION_LIMIT;
        if (block->gap <= target || d->stopped || exhausted)
            return;
        ratio = isfinite(block->gap) && energy > 0 ? fmin(1e6, fmax(1e-3, block->gap / energy)) : 4 * target / energy;
        unchecked = 0;
    }
}

static bool prepare(descent *d)
{
    const size_t m = (size_t)d->block->m, classes = (size_t)d->block->classes;
    const int width = d->block->m / 64;
    d->width = width < BATCH_MIN ? BATCH_MIN : width > BATCH_MAX ? BATCH_MAX : width;
    d->width = d->width > d->block->m ? d->block->m : d->width;
    d->scratch = ggm_alloc_zero((size_t)d->threads, sizeof *d->scratch);
    d->member = ggm_alloc((size_t)d->width, sizeof *d->member);
    d->batch_of = ggm_alloc_zero(m, sizeof *d->batch_of);
    d->neighbour_of = ggm_alloc_zero(m, sizeof *d->neighbour_of);
    d->rows = ggm_alloc((size_t)d->width * classes * m, sizeof *d->rows);
    d->theta = ggm_alloc(classes * m, sizeof *d->theta);
    d->energy = ggm_alloc(m, sizeof *d->energy);
    bool good = d->scratch && d->member && d->batch_of && d->neighbour_of && d->rows && d->theta && d->energy;
    good = ggm_joint_sums_init(&d->sums, d->block->m, d->block->classes) && good;
    for (int thread = 0; good && thread < d->threads; thread++)
        good = ggm_joint_scratch_init(&d->scratch[thread], d->block->m, d->block->classes);
    d->rules = (ggm_joint_rules){.inner = INNER, .floor = FLOOR, .slack = SLACK, .batch = d->batch_of, .member = d->member};
    return good;
}

static void release(descent *d)
{
    for (int thread = 0; d->scratch && thread < d->threads; thread++)
        ggm_joint_scratch_release(&d->scratch[thread]);
    ggm_free(d->scratch);
    ggm_free(d->member);
    ggm_free(d->batch_of);
    ggm_free(d->neighbour_of);
    ggm_free(d->rows);
    ggm_free(d->theta);
    ggm_free(d->energy);
    ggm_joint_sums_release(&d->sums);
}

ggm_status ggm_joint_bcd(ggm_joint_block *block, double target, int threads, bool calling, ggm_control *control)
{
    descent d = {.block = block, .control = control, .target = target, .calling = calling, .threads = threads};
    ggm_status status = prepare(&d) ? GGM_OK : GGM_ERROR_MEMORY;
    if (status == GGM_OK) {
        ggm_crew_lead(&d.crew, threads, lead, &d);
        status = d.status;
    }
    if (status == GGM_OK)
        status = ggm_joint_conclude(block, &d.sums, &d.scratch[0], d.stopped);
    release(&d);
    return status;
}
