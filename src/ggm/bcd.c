/* Block coordinate descent on the dual, the engine: sweep after sweep over the columns of W, each replaced by the solution of
 * its lasso (gram.c). Every step keeps W positive definite and raises logdet W.
 *
 * Parallel, yet exactly sequential. Take columns j1, j2 that are not in each other's active set. Column j2's lasso involves
 * W_AA (A its active set) and then W_j2 = W b; replacing column j1 first changes neither W_AA nor any entry of W b except the j1-th, which
 * becomes sum_a b_a W_j1[a]. So a batch of columns, none in another's active set, is solved side by side from the same W, its inner entries are
 * corrected in O(|A|) each, and the result is what the columns one after another would have given, bit for bit but for the
 * order of sums. Two barriers a batch instead of several a column, and no dependence on the number of threads, since
 * the batches are chosen without looking at it. Batches also pay on one thread: the strided writes of a batch's columns of W,
 * which is kept in both triangles so that rows are contiguous, share their cache lines.
 *
 * When to stop: the bound of certificate.c, which costs about a sweep, is taken when the energy of the last sweep,
 * sum_j T_jj sum_k T_kk dW_jk^2 (what the gap would be if T were diagonal), says that the target may be met, and the ratio
 * of gap to energy is remembered.
 *
 * Ownership: everything here is allocated at the start of ggm_bcd and freed at its end; the block's columns grow. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define BATCH_MIN 16
#define BATCH_MAX 64

typedef enum { SWEEP, CHECK, FINISH } command;

typedef struct {
    int *member;       /* (width) columns */
    int count, id;
    atomic_int next;
} batch;

typedef struct {
    ggm_block *block;
    ggm_control *control;
    double target;
    bool calling;
    int threads;
    ggm_scratch *scratch;    /* (threads) */
    ggm_barrier barrier;
    atomic_int status;       /* ggm_status, first error */

    int width;               /* most columns in a batch */
    batch batches[2];        /* the one being solved and the one to come */
    int *batch_of;           /* (m) number of the batch a column was last in */
    int *neighbour_of;       /* (m) number of the batch whose active sets last contained it */
    int last_id, first_id;   /* of this sweep */
    int cursor;              /* columns before it are done in this sweep */
    double *rows;            /* (width, m) new rows of W */
    double *theta;           /* (m) T_jj at the start of the sweep */
    double *energy;          /* (m) */

    double *feasible, *product; /* (m, m) */
    ggm_row_sums *sums;      /* (m) */
    command command;
    ggm_column_rules rules;
    bool checked;            /* block->gap belongs to the current W */
    double calibration, last_energy;
    int sweeps_at_check;
} team;

static void fail(team *t, ggm_status status)
{
    int fine = GGM_OK;
    atomic_compare_exchange_strong(&t->status, &fine, (int)status);
}

static void slice(int m, int thread, int threads, int *from, int *to)
{
    *from = (int)((int64_t)m * thread / threads);
    *to = (int)((int64_t)m * (thread + 1) / threads);
}

/* ---- batches ---- */
static bool independent(const team *t, int j, int id)
{
    const ggm_column *column = &t->block->columns[j];
    if (t->neighbour_of[j] == id)
        return false;
    for (int a = 0; a < column->count; a++)
        if (t->batch_of[column->index[a]] == id)
            return false;
    return true;
}

/* Takes the first columns still to do in this sweep that are independent of each other */
static void fill_batch(team *t, batch *b)
{
    const int m = t->block->m;
    b->count = 0;
    b->id = ++t->last_id;
    atomic_store_explicit(&b->next, 0, memory_order_relaxed);
    while (t->cursor < m && t->batch_of[t->cursor] >= t->first_id)
        t->cursor++;
    if (atomic_load(&t->status) != GGM_OK || (t->cursor < m && ggm_control_poll(t->control, t->calling)))
        return;
    const int end = m - t->cursor > 6 * t->width ? t->cursor + 6 * t->width : m;
    for (int j = t->cursor; j < end && b->count < t->width; j++) {
        if (t->batch_of[j] >= t->first_id || !independent(t, j, b->id))
            continue;
        const ggm_column *column = &t->block->columns[j];
        t->batch_of[j] = b->id;
        for (int a = 0; a < column->count; a++)
            t->neighbour_of[column->index[a]] = b->id;
        b->member[b->count++] = j;
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

static void solve_members(team *t, batch *b, ggm_scratch *scratch)
{
    const size_t m = (size_t)t->block->m;
    ggm_column_rules rules = t->rules;
    rules.batch = t->batch_of;
    rules.current = b->id;
    rules.member = b->member;
    rules.member_count = b->count;
    for (int k; (k = atomic_fetch_add_explicit(&b->next, 1, memory_order_relaxed)) < b->count;) {
        int j = b->member[k];
        double *row = t->rows + (size_t)k * m;
        ggm_status status = ggm_column_solve(t->block, j, &rules, scratch, row);
        if (status != GGM_OK) {
            fail(t, status);
            memcpy(row, t->block->w + (size_t)j * m, m * sizeof *row);
        }
        t->energy[j] = t->theta[j] * weighted_change(row, t->block->w + (size_t)j * m, t->theta, m);
    }
}

/* Entry (j1, j2) of W for two columns of one batch: as if j1 had been replaced before j2 was solved */
static void correct_members(team *t, const batch *b, int second)
{
    const size_t m = (size_t)t->block->m;
    const size_t j2 = (size_t)b->member[second];
    const ggm_column *column = &t->block->columns[j2];
    for (int first = 0; first < second; first++) {
        const double *row = t->rows + (size_t)first * m;
        double sum = 0;
        for (int a = 0; a < column->count; a++)
            sum += column->beta[a] * row[column->index[a]];
        size_t j1 = (size_t)b->member[first];
        t->block->w[j1 * m + j2] = sum;
        t->block->w[j2 * m + j1] = sum;
    }
}

/* New rows and columns of W, but for the entries between members, for the variables of this thread */
static void write_members(team *t, const batch *b, int from, int to)
{
    const size_t m = (size_t)t->block->m;
    double *w = t->block->w;
    for (size_t k = (size_t)from; k < (size_t)to; k++) {
        if (t->batch_of[k] == b->id)
            continue;
        for (int x = 0; x < b->count; x++)
            w[k * m + (size_t)b->member[x]] = t->rows[(size_t)x * m + k];
    }
    for (int x = 0; x < b->count; x++) {
        double *row = w + (size_t)b->member[x] * m;
        const double *fresh = t->rows + (size_t)x * m;
        for (size_t k = (size_t)from; k < (size_t)to; k++)
            if (t->batch_of[k] != b->id)
                row[k] = fresh[k];
    }
}

static void sweep(team *t, int thread, int threads)
{
    int from, to;
    slice(t->block->m, thread, threads, &from, &to);
    for (int turn = 0;; turn ^= 1) {
        batch *b = &t->batches[turn];
        if (b->count == 0)
            return;
        solve_members(t, b, &t->scratch[thread]);
        ggm_barrier_wait(&t->barrier, threads);
        if (thread == 0)
            fill_batch(t, &t->batches[turn ^ 1]);
        for (int x = thread; x < b->count; x += threads)
            correct_members(t, b, x);
        write_members(t, b, from, to);
        ggm_barrier_wait(&t->barrier, threads);
    }
}

static void check(team *t, int thread, int threads)
{
    const ggm_block *block = t->block;
    ggm_evidence evidence = {.m = block->m, .s = block->s, .weights = block->weights, .lambda = block->lambda,
                             .penalize_diagonal = block->penalize_diagonal, .t = &block->precision};
    int from, to;
    slice(block->m, thread, threads, &from, &to);
    ggm_bound_clip(&evidence, block->w, t->feasible, from, to);
    ggm_barrier_wait(&t->barrier, threads);
    ggm_bound_product(&evidence, t->feasible, t->product, t->sums, from, to);
    ggm_barrier_wait(&t->barrier, threads);
    ggm_bound_square(t->product, block->m, t->sums, from, to);
}

/* ---- decisions: thread 0 alone, between barriers ---- */
static double current_target(const team *t)
{
    if (t->target > 0)
        return t->target;
    const ggm_block *block = t->block;
    double guess = block->m; /* f >= m - sum log T_jj at the optimum, by Hadamard; if that is negative, f may be nearer to 0 */
    for (int j = 0; j < block->m; j++)
        guess -= log(block->columns[j].diagonal);
    guess = guess > 0 ? guess : -0.1 * guess;
    return t->control->tolerance * fmax(block->m / t->control->p, 0.8 * guess);
}

static void begin_sweep(team *t)
{
    t->first_id = t->last_id + 1;
    t->cursor = 0;
    for (int j = 0; j < t->block->m; j++)
        t->theta[j] = t->block->columns[j].diagonal;
    memset(t->energy, 0, (size_t)t->block->m * sizeof *t->energy);
    fill_batch(t, &t->batches[0]);
    t->checked = false;
    t->command = SWEEP;
}

static void begin_check(team *t)
{
    if (!ggm_block_precision(t->block))
        fail(t, GGM_ERROR_MEMORY);
    t->command = atomic_load(&t->status) == GGM_OK ? CHECK : FINISH;
}

static void report(const team *t)
{
    const ggm_settings *settings = t->control->settings;
    if (!t->calling || !settings->progress)
        return;
    double gap = t->checked ? t->block->gap / fmax(1, fabs(t->block->objective)) : (double)NAN;
    settings->progress(t->control->lambda, t->block->sweeps, gap, settings->user_data);
}

static void after_sweep(team *t)
{
    ggm_block *block = t->block;
    double energy = 0;
    for (int j = 0; j < block->m; j++)
        energy += t->energy[j];
    t->last_energy = energy;
    block->sweeps++;
    report(t);
    bool over = ggm_control_poll(t->control, t->calling) || block->sweeps >= t->control->settings->max_iterations;
    double target = current_target(t);
    if (over || t->calibration * energy <= target || block->sweeps - t->sweeps_at_check >= 30)
        begin_check(t);
    else
        begin_sweep(t);
}

static void after_check(team *t)
{
    ggm_block *block = t->block;
    ggm_bound bound = ggm_bound_finish(t->sums, block->m);
    block->gap = bound.gap;
    block->kkt = bound.kkt;
    t->checked = true;
    block->outcome = GGM_CONVERGED;
    t->command = FINISH;
    if (bound.gap <= current_target(t))
        return;
    if (ggm_control_poll(t->control, t->calling)) {
        block->outcome = (ggm_outcome)atomic_load(&t->control->stop);
    } else if (block->sweeps >= t->control->settings->max_iterations) {
        block->outcome = GGM_ITERATION_LIMIT;
    } else {
        t->calibration = isfinite(bound.gap) && t->last_energy > 0 ? fmin(1e6, fmax(1e-3, bound.gap / t->last_energy)) : t->calibration * 4;
        t->sweeps_at_check = block->sweeps;
        begin_sweep(t);
    }
}

static void decide(team *t, bool first)
{
    if (atomic_load(&t->status) != GGM_OK)
        t->command = FINISH;
    else if (first)
        begin_sweep(t);
    else if (t->command == SWEEP)
        after_sweep(t);
    else
        after_check(t);
}

static void work(team *t, int thread, int threads)
{
    for (bool first = true;; first = false) {
        if (thread == 0)
            decide(t, first);
        ggm_barrier_wait(&t->barrier, threads);
        if (t->command == FINISH)
            return;
        if (t->command == SWEEP)
            sweep(t, thread, threads);
        else
            check(t, thread, threads);
        ggm_barrier_wait(&t->barrier, threads);
    }
}

/* ---- beginning and end ---- */
static bool prepare(team *t)
{
    const size_t m = (size_t)t->block->m;
    int width = t->block->m / 64;
    t->width = width < BATCH_MIN ? BATCH_MIN : width > BATCH_MAX ? BATCH_MAX : width;
    t->scratch = ggm_alloc_zero((size_t)t->threads, sizeof *t->scratch);
    t->batches[0].member = ggm_alloc((size_t)t->width, sizeof(int));
    t->batches[1].member = ggm_alloc((size_t)t->width, sizeof(int));
    t->batch_of = ggm_alloc_zero(m, sizeof *t->batch_of);
    t->neighbour_of = ggm_alloc_zero(m, sizeof *t->neighbour_of);
    t->rows = ggm_alloc((size_t)t->width * m, sizeof *t->rows);
    t->theta = ggm_alloc(m, sizeof *t->theta);
    t->energy = ggm_alloc_zero(m, sizeof *t->energy);
    t->feasible = ggm_alloc(m * m, sizeof *t->feasible);
    t->product = ggm_alloc(m * m, sizeof *t->product);
    t->sums = ggm_alloc_zero(m, sizeof *t->sums);
    bool good = t->scratch && t->batches[0].member && t->batches[1].member && t->batch_of && t->neighbour_of && t->rows && t->theta && t->energy &&
                t->feasible && t->product && t->sums;
    for (int thread = 0; good && thread < t->threads; thread++)
        good = ggm_scratch_init(&t->scratch[thread], t->block->m);
    return good;
}

static void release(team *t)
{
    for (int thread = 0; t->scratch && thread < t->threads; thread++)
        ggm_scratch_release(&t->scratch[thread]);
    ggm_free(t->scratch);
    ggm_free(t->batches[0].member);
    ggm_free(t->batches[1].member);
    ggm_free(t->batch_of);
    ggm_free(t->neighbour_of);
    ggm_free(t->rows);
    ggm_free(t->theta);
    ggm_free(t->energy);
    ggm_free(t->feasible);
    ggm_free(t->product);
    ggm_free(t->sums);
}

ggm_status ggm_bcd(ggm_block *block, double target, int threads, bool calling, ggm_control *control)
{
    team t = {.block = block, .control = control, .target = target, .calling = calling, .threads = threads, .calibration = 1,
              .rules = {.inner = 0.1, .floor = 1e-13, .slack = 0.1}};
    t.sweeps_at_check = block->sweeps;
    ggm_status status = prepare(&t) ? GGM_OK : GGM_ERROR_MEMORY;
    if (status == GGM_OK && threads == 1) {
        work(&t, 0, 1);
    } else if (status == GGM_OK) {
#pragma omp parallel num_threads(threads) default(none) shared(t)
        work(&t, omp_get_thread_num(), omp_get_num_threads());
    }
    if (status == GGM_OK)
        status = (ggm_status)atomic_load(&t.status);
    if (status == GGM_OK)
        status = ggm_conclude(block, t.feasible, t.product, t.sums);
    release(&t);
    return status;
}
