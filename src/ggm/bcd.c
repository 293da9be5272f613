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
 * Larger blocks keep S and W in single precision, for most of a sweep is reading rows of W. That is no loss: the gap is second order in
 * W's errors, so errors of 1e-7 leave a relative gap of about 1e-11, and the bound is taken in double precision against the exact S.
 * Where the gap measured this way no longer falls, W is widened and the descent goes on in double precision.
 *
 * Ownership: everything here is allocated at the start of ggm_bcd and freed at its end, but for the block's work space, which
 * stays for the next lambda, and its columns, which grow. */
#include "ggm/internal.h"

#include <math.h>

#define BATCH_MIN 16
#define BATCH_MAX 64
#define INNER 0.1          /* see ggm_column_rules */
#define FLOOR 1e-13
#define FLOOR_SINGLE 3e-8
#define SLACK 0.1
#define PASSES 60
#define ROUNDS 4
#define CAREFUL_SLACK 1e-6 /* of columns solved one by one, exactly */
#define CAREFUL_PASSES 20000
#define CAREFUL_ROUNDS 100
#define GAP_PER_ENERGY 0.12 /* measured on gene expression, neurons and synthetic graphs */
#define PATIENCE 20         /* sweeps before single precision may be said to stall */
#define MOST_UNCHECKED 30  /* sweeps without looking at the gap */

/* The gap to expect after a sweep: nothing measured yet; what comes is less than what came, in the ratio of the last two sweeps */
double ggm_expected_gap(double energy, double before)
{
    return GAP_PER_ENERGY * energy * fmin(1, 4 * energy / before);
}

/* ---- the whole descent ---- */
static void fill_slice(void *context, int slice, int thread)
{
    (void)thread;
    ggm_block *block = context;
    int from, to;
    ggm_slice(block->m, slice, &from, &to);
    ggm_fill_covariance_rows32(block, from, to);
}

static double sweep(ggm_descent *d)
{
    ggm_block *block = d->block;
    d->rules.floor = block->w32 ? FLOOR_SINGLE : FLOOR;
    if (!block->w32)
        return ggm_sweep64(d);
    if (block->stale) {
        ggm_crew_run(&d->crew, fill_slice, block, ggm_slices(block->m));
        block->stale = false;
    }
    return ggm_sweep32(d);
}

/* Sweeps until the gap is small enough or something ends it; the block's gap is that of its precision on return. When single precision
 * has given what it can, W is widened and the sweeps go on. */
static void sweeps(ggm_descent *d)
{
    ggm_block *block = d->block;
    double calibration = 0, before = 0, last_gap = INFINITY;
    for (int unchecked = 1;; unchecked++) {
        const bool single = block->w32 != NULL;
        const double energy = sweep(d), target = ggm_block_target(block, d->target, d->control);
        const double guess = calibration > 0 ? calibration * energy : ggm_expected_gap(energy, before);
        const bool stopped = ggm_control_poll(d->control, d->calling), exhausted = block->sweeps >= d->control->settings->max_iterations;
        const bool stalled = single && before > 0 && energy > 0.9 * before && block->sweeps > PATIENCE;
        before = energy;
        if ((d->status = (ggm_status)atomic_load(&d->column_status)) != GGM_OK)
            return;
        if (!stopped && !exhausted && !stalled && guess > target && unchecked < MOST_UNCHECKED) {
            ggm_control_report(d->control, d->calling, block->sweeps, NAN);
            continue;
        }
        if (!ggm_block_gap(block, &d->crew)) {
            d->status = GGM_ERROR_MEMORY;
            return;
        }
        ggm_control_report(d->control, d->calling, block->sweeps, d->control->tolerance * block->gap / target);
        block->outcome = block->gap <= target ? GGM_CONVERGED : stopped ? (ggm_outcome)atomic_load(&d->control->stop) : GGM_ITERATION_LIMIT;
        if (block->gap <= target || stopped || exhausted)
            return;
        if (block->hopeful && !isfinite(block->gap) && block->sweeps > PATIENCE) {
            d->status = GGM_ERROR_INDEFINITE;
            return;
        }
        if (single && (stalled || block->gap > 0.5 * last_gap) && !ggm_block_widen(block)) {
            d->status = GGM_ERROR_MEMORY;
            return;
        }
        last_gap = block->gap;
        calibration = isfinite(block->gap) && energy > 0 ? fmin(1e6, fmax(1e-3, block->gap / energy)) : 4 * target / energy;
        unchecked = 0;
    }
}

static void lead(void *context)
{
    ggm_descent *d = context;
    if (d->target == 0 && d->block->m >= GGM_SINGLE_SIZE && !ggm_block_narrow(d->block))
        d->status = GGM_ERROR_MEMORY;
    else
        sweeps(d);
}

static bool prepare(ggm_descent *d)
{
    const size_t m = (size_t)d->block->m;
    int width = d->block->m / 64;
    d->width = width < BATCH_MIN ? BATCH_MIN : width > BATCH_MAX ? BATCH_MAX : width;
    d->scratch = ggm_alloc_zero((size_t)d->threads, sizeof *d->scratch);
    d->member = ggm_alloc((size_t)d->width, sizeof *d->member);
    d->batch_of = ggm_alloc_zero(m, sizeof *d->batch_of);
    d->neighbour_of = ggm_alloc_zero(m, sizeof *d->neighbour_of);
    d->theta = ggm_alloc(m, sizeof *d->theta);
    d->weight = ggm_alloc(m, sizeof(double));
    d->energy = ggm_alloc(m, sizeof *d->energy);
    bool good = d->scratch && d->member && d->batch_of && d->neighbour_of && d->theta && d->weight && d->energy;
    for (int thread = 0; good && thread < d->threads; thread++)
        good = ggm_scratch_init(&d->scratch[thread], d->block->m);
    d->rules = (ggm_column_rules){.inner = INNER, .slack = SLACK, .passes = PASSES, .rounds = ROUNDS, .member = d->member};
    return good;
}

static void release(ggm_descent *d)
{
    for (int thread = 0; d->scratch && thread < d->threads; thread++)
        ggm_scratch_release(&d->scratch[thread]);
    ggm_free(d->scratch);
    ggm_free(d->member);
    ggm_free(d->batch_of);
    ggm_free(d->neighbour_of);
    ggm_free(d->theta);
    ggm_free(d->weight);
    ggm_free(d->energy);
}

/* The descent and its conclusion */
static ggm_status descend(ggm_descent *d)
{
    d->status = GGM_OK;
    atomic_store(&d->column_status, GGM_OK);
    ggm_crew_lead(&d->crew, d->threads, lead, d);
    return d->status == GGM_OK ? ggm_conclude(d->block, d->block->hopeful && d->block->outcome == GGM_CONVERGED) : d->status;
}

/* From the safe start W is within its bounds, and stays so, and positive definite, while columns are solved exactly and one by one. That is slow,
 * and for where it went wrong without: rounding of single precision, a start that was no good, or entries left far out of their bounds. */
static void be_careful(ggm_descent *d)
{
    d->width = 1;
    d->rules.inner = 0;
    d->rules.slack = CAREFUL_SLACK;
    d->rules.passes = CAREFUL_PASSES;
    d->rules.rounds = CAREFUL_ROUNDS;
}

ggm_status ggm_bcd(ggm_block *block, double target, int threads, bool calling, ggm_control *control)
{
    ggm_descent d = {.block = block, .control = control, .target = target, .calling = calling, .threads = threads};
    ggm_status status = prepare(&d) ? descend(&d) : GGM_ERROR_MEMORY;
    if (status == GGM_ERROR_INDEFINITE && block->hopeful)
        status = ggm_block_cold(block, true) ? descend(&d) : GGM_ERROR_MEMORY;
    if (status == GGM_ERROR_INDEFINITE) {
        d.target = ggm_block_target(block, d.target, control);
        be_careful(&d);
        status = ggm_block_widen(block) && ggm_block_cold(block, true) ? descend(&d) : GGM_ERROR_MEMORY;
    }
    release(&d);
    return status;
}
