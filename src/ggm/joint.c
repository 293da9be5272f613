/* See joint.h. Components are screened, solved each by itself (large ones by all threads, small ones one to a thread, as in workspace.c), to
 * the tolerance on their sum, and put together. With lambda2 = 0, or one class, the ordinary solver does it class by class. */
#include "ggm/joint_internal.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define TEAM_SIZE 100   /* blocks from here on are worth all threads */
#define REFINEMENTS 6   /* times that targets are tightened when gaps do not add up to the tolerance */

void ggm_default_joint_problem(ggm_joint_problem *problem)
{
    *problem = (ggm_joint_problem){0};
}

void ggm_joint_result_release(ggm_joint_result *result)
{
    if (!result)
        return;
    for (size_t k = 0; result->precisions && k < result->classes; k++)
        ggm_sparse_release(&result->precisions[k]);
    ggm_free(result->precisions);
    *result = (ggm_joint_result){0};
}

static bool within(const ggm_joint_info *info, double tolerance)
{
    return info->relative_duality_gap <= tolerance;
}

/* ---- classes one by one ---- */
/* One class with what is left of the time. Once something has struck, the rest is asked for a feasible answer, no more. */
static ggm_status solve_class(const ggm_joint_input *input, int k, const ggm_settings *settings, double tolerance, double start, ggm_joint_info *info,
                              ggm_sparse *precision)
{
    ggm_settings now = *settings;
    const bool stopped = info->outcome == GGM_TIME_LIMIT || info->outcome == GGM_INTERRUPTED;
    now.tolerance = tolerance;
    if (stopped || settings->time_limit > 0)
        now.time_limit = stopped ? 1e-9 : fmax(1e-9, settings->time_limit - (ggm_now() - start));
    if (stopped)
        now.interrupt = NULL;
    ggm_result one;
    ggm_status status = ggm_solve(&input->problems[k], &now, &one);
    if (status != GGM_OK)
        return status;
    ggm_sparse_release(precision);
    *precision = one.precision;
    info->objective += input->weights[k] * one.info.objective;
    info->duality_gap += input->weights[k] * one.info.duality_gap;
    info->kkt_residual = fmax(info->kkt_residual, one.info.kkt_residual);
    info->iterations = one.info.iterations > info->iterations ? one.info.iterations : info->iterations;
    info->solver = one.info.solver;
    if (!stopped && one.info.outcome > info->outcome)
        info->outcome = one.info.outcome;
    return GGM_OK;
}

static ggm_status solve_apart(const ggm_joint_input *input, const ggm_settings *settings, double start, ggm_joint_result *result)
{
    ggm_joint_info *info = &result->info;
    ggm_status status = GGM_OK;
    double tolerance = settings->tolerance;
    for (int round = 0; status == GGM_OK && round < REFINEMENTS; round++, tolerance *= 0.1) {
        info->objective = info->duality_gap = info->kkt_residual = 0;
        info->outcome = GGM_CONVERGED;
        for (int k = 0; status == GGM_OK && k < input->classes; k++)
            status = solve_class(input, k, settings, tolerance, start, info, &result->precisions[k]);
        info->relative_duality_gap = info->duality_gap / fmax(1, fabs(info->objective));
        if (within(info, settings->tolerance) || info->outcome != GGM_CONVERGED)
            break;
    }
    ggm_components components = {0};
    if (status == GGM_OK && !ggm_joint_screen(input, NULL, !settings->screening, &components))
        status = GGM_ERROR_MEMORY;
    info->components = (size_t)components.count;
    info->largest_component = (size_t)components.largest;
    ggm_components_release(&components);
    return status;
}

/* ---- classes together ---- */
typedef struct {
    const ggm_joint_input *input;
    ggm_components components;
    ggm_joint_block *blocks;   /* (count) one a component */
    double *targets;           /* (count) 0 lets the solver guess, negative leaves the block alone */
    int count, threads;
    ggm_control control;
    atomic_int next, idle, status;
} work;

static bool prepare(work *w, bool screening)
{
    const size_t p = w->input->p;
    if (!ggm_joint_screen(w->input, NULL, !screening, &w->components))
        return false;
    const int count = w->components.count;
    w->blocks = ggm_alloc_zero((size_t)count, sizeof *w->blocks);
    w->targets = ggm_alloc_zero((size_t)count, sizeof *w->targets);
    int *place = ggm_alloc(p, sizeof *place);
    bool good = w->blocks && w->targets && place;
    const int before = omp_get_max_threads();
    omp_set_num_threads(1); /* for LAPACK, which inverts the starts: its sums must not depend on how many there are */
    for (size_t i = 0; good && i < p; i++)
        place[i] = -1;
    for (w->count = 0; good && w->count < count; w->count++) {
        const int *start = w->components.start + w->count;
        ggm_joint_block *block = &w->blocks[w->count];
        good = ggm_joint_block_load(block, w->input, w->components.node + start[0], start[1] - start[0]) &&
               ggm_joint_block_begin(block, w->input, place);
    }
    omp_set_num_threads(before);
    ggm_free(place);
    return good;
}

static void release(work *w)
{
    for (int b = 0; b < w->count; b++)
        ggm_joint_block_release(&w->blocks[b]);
    ggm_free(w->blocks);
    ggm_free(w->targets);
    ggm_components_release(&w->components);
}

static void take_blocks(work *w, int thread, int threads)
{
    for (int b; (b = atomic_fetch_add(&w->next, 1)) < w->count && atomic_load(&w->status) == GGM_OK;) {
        if (w->blocks[b].m >= TEAM_SIZE || w->targets[b] < 0)
            continue;
        ggm_status status = ggm_joint_bcd(&w->blocks[b], w->targets[b], 1, thread == 0, &w->control);
        int fine = GGM_OK;
        if (status != GGM_OK)
            atomic_compare_exchange_strong(&w->status, &fine, (int)status);
    }
    atomic_fetch_add(&w->idle, 1);
    while (thread == 0 && atomic_load(&w->idle) < threads) { /* nothing left to begin: keep asking whether to stop */
        (void)ggm_control_poll(&w->control, true);
        ggm_nap();
    }
}

static ggm_status solve_blocks(work *w)
{
    int waiting = 0;
    (void)ggm_control_poll(&w->control, true); /* once at least, however short the solve */
    for (int b = 0; b < w->count; b++) {
        if (w->blocks[b].m < TEAM_SIZE) {
            waiting += w->targets[b] >= 0;
        } else if (w->targets[b] >= 0) {
            ggm_status status = ggm_joint_bcd(&w->blocks[b], w->targets[b], w->threads, true, &w->control);
            if (status != GGM_OK)
                return status;
        }
    }
    const int threads = waiting < w->threads ? waiting : w->threads, before = omp_get_max_threads();
    atomic_store(&w->next, 0);
    atomic_store(&w->idle, 0);
    omp_set_num_threads(1); /* for LAPACK under a block's one thread: its sums must not depend on how many there are */
    if (threads <= 1) {
        take_blocks(w, 0, 1);
    } else {
#pragma omp parallel num_threads(threads) default(none) shared(w)
        take_blocks(w, omp_get_thread_num(), omp_get_num_threads());
    }
    omp_set_num_threads(before);
    return (ggm_status)atomic_load(&w->status);
}

static void sum_up(const work *w, ggm_joint_info *info)
{
    info->objective = info->duality_gap = info->kkt_residual = 0;
    info->iterations = 0;
    info->outcome = GGM_CONVERGED;
    for (int b = 0; b < w->count; b++) {
        const ggm_joint_block *block = &w->blocks[b];
        info->objective += block->objective;
        info->duality_gap += block->gap;
        info->kkt_residual = fmax(info->kkt_residual, block->kkt);
        info->iterations = block->sweeps > info->iterations ? block->sweeps : info->iterations;
        info->outcome = block->outcome > info->outcome ? block->outcome : info->outcome;
    }
    info->relative_duality_gap = info->duality_gap / fmax(1, fabs(info->objective));
}

static ggm_status solve_to_tolerance(work *w, double tolerance, ggm_joint_info *info)
{
    for (int round = 0; round < REFINEMENTS; round++) {
        ggm_status status = solve_blocks(w);
        if (status != GGM_OK)
            return status;
        sum_up(w, info);
        if (within(info, tolerance) || info->outcome != GGM_CONVERGED)
            break;
        for (int b = 0; b < w->count; b++) {
            const double target = 0.9 * tolerance * fmax(1, fabs(info->objective)) * w->blocks[b].m / (double)w->input->p;
            w->targets[b] = w->blocks[b].gap > target ? target : -1;
        }
    }
    if (info->outcome == GGM_CONVERGED && !within(info, tolerance))
        info->outcome = GGM_ITERATION_LIMIT;
    else if (info->outcome == GGM_ITERATION_LIMIT && within(info, tolerance))
        info->outcome = GGM_CONVERGED;
    return GGM_OK;
}

/* Class k's precision in the caller's variables and units. at: (p, 2) block and row of every variable */
static bool assemble(const work *w, int k, const int *at, ggm_sparse *out)
{
    const size_t p = w->input->p;
    const double *scales = w->input->scales[k];
    size_t nnz = 0;
    for (int b = 0; b < w->count; b++)
        nnz += w->blocks[b].precisions[k].nnz;
    *out = (ggm_sparse){.p = p, .nnz = nnz, .start = ggm_alloc(p + 1, sizeof *out->start), .index = ggm_alloc(nnz, sizeof *out->index),
                        .value = ggm_alloc(nnz, sizeof *out->value)};
    if (!out->start || !out->index || !out->value)
        return false;
    size_t filled = 0;
    for (size_t i = 0; i < p; i++) {
        const ggm_joint_block *block = &w->blocks[at[2 * i]];
        const ggm_sparse *t = &block->precisions[k];
        const int row = at[2 * i + 1];
        out->start[i] = filled;
        for (size_t e = t->start[row]; e < t->start[row + 1]; e++) {
            const int j = block->node[t->index[e]];
            out->index[filled] = j;
            out->value[filled++] = t->value[e] * (scales[i] * scales[j]);
        }
    }
    out->start[p] = filled;
    return true;
}

static bool assemble_all(const work *w, ggm_sparse *precisions)
{
    int *at = ggm_alloc(2 * w->input->p, sizeof *at);
    bool good = at != NULL;
    for (int b = 0; good && b < w->count; b++)
        for (int a = 0; a < w->blocks[b].m; a++) {
            at[2 * w->blocks[b].node[a]] = b;
            at[2 * w->blocks[b].node[a] + 1] = a;
        }
    for (int k = 0; good && k < w->input->classes; k++)
        good = assemble(w, k, at, &precisions[k]);
    ggm_free(at);
    return good;
}

static ggm_status solve_together(const ggm_joint_input *input, const ggm_settings *settings, double start, ggm_joint_result *result)
{
    work w = {.input = input, .threads = ggm_thread_count(settings->threads)};
    w.control = (ggm_control){.settings = settings, .start = start, .lambda = input->norm.lambda1, .p = (double)input->p,
                              .tolerance = settings->tolerance};
    result->info.solver = "joint bcd";
    ggm_status status = prepare(&w, settings->screening) ? GGM_OK : GGM_ERROR_MEMORY;
    if (status == GGM_OK)
        status = solve_to_tolerance(&w, settings->tolerance, &result->info);
    if (status == GGM_OK && !assemble_all(&w, result->precisions))
        status = GGM_ERROR_MEMORY;
    result->info.components = (size_t)w.components.count;
    result->info.largest_component = (size_t)w.components.largest;
    release(&w);
    return status;
}

ggm_status ggm_joint_solve(const ggm_joint_problem *problem, const ggm_settings *settings, ggm_joint_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_joint_result){0};
    const double start = ggm_now();
    ggm_settings chosen;
    ggm_default_settings(&chosen);
    if (settings)
        chosen = *settings;
    ggm_joint_input input;
    ggm_status status = ggm_check_settings(&chosen);
    if (status == GGM_OK)
        status = ggm_joint_take(problem, chosen.threads, &input);
    if (status != GGM_OK)
        return status;
    const int before = omp_get_max_threads();
    omp_set_num_threads(ggm_thread_count(chosen.threads));
    result->classes = (size_t)input.classes;
    result->precisions = ggm_alloc_zero(result->classes, sizeof *result->precisions);
    if (!result->precisions)
        status = GGM_ERROR_MEMORY;
    else if (input.classes == 1 || input.norm.lambda2 == 0)
        status = solve_apart(&input, &chosen, start, result);
    else
        status = solve_together(&input, &chosen, start, result);
    omp_set_num_threads(before);
    for (int k = 0; status == GGM_OK && k < input.classes; k++)
        result->info.nonzeros += result->precisions[k].nnz;
    result->info.threads = ggm_thread_count(chosen.threads);
    result->info.lambda1 = input.norm.lambda1;
    result->info.lambda2 = input.norm.lambda2;
    result->info.seconds = ggm_now() - start;
    ggm_joint_input_release(&input);
    if (status != GGM_OK)
        ggm_joint_result_release(result);
    return status;
}
