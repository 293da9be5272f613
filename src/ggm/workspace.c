/* The workspace: the blocks of the last solution, kept so that the next lambda starts from them.
 *
 * Along descending lambda components only merge, along ascending lambda they only split; block.c's warm start serves both. Blocks own
 * compact copies of S; while components change, old and new blocks live side by side.
 *
 * Large blocks are solved one after another by all threads (bcd.c), the many small ones one per thread. */
#include "ggm/selecting.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define TEAM_SIZE 200     /* blocks from here on are worth all threads */
#define LOOK_AHEAD 0.6    /* share of lambda whose components new blocks may be */
#define ROOM 1.25         /* times the sum of squares of lambda's own that they may have */
#define SURE 0.9          /* of the gap that an expected objective allows */
#define REFINEMENTS 6     /* times that targets are tightened when blocks' gaps do not add up to the tolerance */

typedef struct {
    ggm_components components; /* those of lambda, or of a smaller one */
    ggm_places places;
    ggm_block *blocks;    /* (count) */
    int count;
    double lambda;
    double before;        /* the lambda before this one on a descending path, 0: none */
    float **trend;        /* (count) what predict.c keeps of each block at that lambda, NULL for some, or NULL */
} solution;

struct ggm_workspace {
    ggm_problem problem;  /* borrows weights and start, and s unless it is owned */
    double *owned;        /* (p, p) S that was formed from s32 or samples, or NULL */
    ggm_settings settings;
    double *scales;       /* (p) */
    solution last;        /* count = -1: none */
    ggm_linkage linkage;  /* components for every lambda, from the second on; p = 0: not yet */
    int component_count, largest_component; /* at the last lambda */
    double solved[2], objective[2]; /* the last two lambdas, the last first, and what came out; 0: none */
};

static void forget_trend(solution *old)
{
    for (int b = 0; old->trend && b < old->count; b++)
        ggm_free(old->trend[b]);
    ggm_free(old->trend);
    old->trend = NULL;
    old->before = 0;
}

static void solution_release(solution *old)
{
    for (int b = 0; b < old->count; b++)
        ggm_block_release(&old->blocks[b]);
    forget_trend(old);
    ggm_free(old->blocks);
    ggm_free(old->places.block_of);
    ggm_free(old->places.place);
    ggm_components_release(&old->components);
    memset(old, 0, sizeof *old);
    old->count = -1;
}

/* ---- from one lambda to the next ---- */
static bool same_components(const solution *a, const ggm_components *c, size_t p)
{
    return a->count >= 0 && a->components.count == c->count && memcmp(a->components.node, c->node, p * sizeof(int)) == 0 &&
           memcmp(a->components.start, c->start, ((size_t)c->count + 1) * sizeof(int)) == 0;
}

static bool lay_out(solution *next, size_t p)
{
    const ggm_components *c = &next->components;
    int count = 0;
    for (int k = 0; k < c->count; k++)
        count += c->start[k + 1] - c->start[k] > 1;
    next->places.block_of = ggm_alloc(p, sizeof *next->places.block_of);
    next->places.place = ggm_alloc(p, sizeof *next->places.place);
    next->blocks = ggm_alloc_zero((size_t)count, sizeof *next->blocks);
    next->count = 0;
    if (!next->places.block_of || !next->places.place || !next->blocks)
        return false;
    for (int k = 0, block = 0; k < c->count; k++) {
        bool alone = c->start[k + 1] - c->start[k] == 1;
        for (int x = c->start[k]; x < c->start[k + 1]; x++) {
            next->places.block_of[c->node[x]] = alone ? -1 : block;
            next->places.place[c->node[x]] = x - c->start[k];
        }
        block += !alone;
    }
    return true;
}

/* Whether blocks begin as bcd.c likes them: in single precision, and with a start that may fail */
static bool for_descent(const ggm_workspace *workspace)
{
    return workspace->settings.solver == GGM_SOLVER_AUTO || workspace->settings.solver == GGM_SOLVER_BCD;
}

static bool fill(const ggm_workspace *workspace, const solution *last, solution *next)
{
    const ggm_components *c = &next->components;
    for (int k = 0; k < c->count; k++) {
        int size = c->start[k + 1] - c->start[k];
        if (size == 1)
            continue;
        ggm_block *block = &next->blocks[next->count];
        const bool start = last->count < 0 && workspace->problem.start;
        const bool single = !start && size >= GGM_SINGLE_SIZE && for_descent(workspace);
        if (!ggm_block_init(block, &workspace->problem, workspace->scales, c->node + c->start[k], size, next->lambda, single))
            return false;
        next->count++;
        bool good;
        if (start)
            good = ggm_block_start(block, workspace->problem.start, workspace->scales, &next->places);
        else if (last->count < 0 || next->lambda == 0 || last->lambda == 0)
            good = ggm_block_cold(block, !for_descent(workspace));
        else
            good = ggm_block_warm(block, &next->places, last->blocks, &last->places, last->lambda);
        if (!good)
            return false;
    }
    return true;
}

/* Moves the blocks of `next`, which have their warm start from `last`, on to where they are going (predict.c). `last` may be `next` itself, its
 * blocks having kept their variables. False: no memory. */
static bool predict(const solution *last, solution *next, double last_lambda)
{
    const double step = ggm_predict_step(last->before, last_lambda, next->lambda);
    float **trend = next->trend ? next->trend : ggm_alloc_zero((size_t)next->count, sizeof *trend);
    if (!trend)
        return false;
    next->trend = trend;
    for (int b = 0; b < next->count; b++) {
        ggm_block *block = &next->blocks[b];
        if (!block->w32) {
            ggm_free(trend[b]);
            trend[b] = NULL;
            continue;
        }
        const bool kept = trend[b] != NULL;
        if (!kept && !(trend[b] = ggm_alloc((size_t)block->m * (size_t)block->m, sizeof *trend[b])))
            return false;
        if (!kept && last != next && last->trend && step > 0)
            ggm_predict_carry(block, last->blocks, &last->places, last->trend, last->before, trend[b]);
        if (!ggm_predict(block, kept || (last != next && last->trend) ? step : 0, trend[b]))
            return false;
    }
    next->before = last_lambda;
    return true;
}

static double area(const ggm_components *c)
{
    double sum = 0;
    for (int k = 0; k < c->count; k++) {
        const double size = c->start[k + 1] - c->start[k];
        sum += size > 1 ? size * size : 0;
    }
    return sum;
}

/* Each component lies within one block */
static bool within_blocks(const solution *last, const ggm_components *c)
{
    for (int k = 0; k < c->count; k++) {
        if (c->start[k + 1] - c->start[k] == 1)
            continue;
        const int block = last->places.block_of[c->node[c->start[k]]];
        for (int x = c->start[k]; x < c->start[k + 1]; x++)
            if (block < 0 || last->places.block_of[c->node[x]] != block)
                return false;
    }
    return true;
}

/* The components at lambda. One pass over S serves one lambda; whoever comes again gets the tree that serves all. With weights the tree
 * compares |S_ij| / w_ij, which rounds otherwise than the penalty does, so there it is left alone. */
static bool screen(ggm_workspace *workspace, double lambda, ggm_components *components)
{
    const ggm_problem *problem = &workspace->problem;
    if (!workspace->settings.screening || problem->weights || workspace->last.count < 0)
        return ggm_screen(problem, workspace->scales, lambda, NULL, !workspace->settings.screening, components);
    if (workspace->linkage.p == 0 && !ggm_linkage_build(problem, &workspace->linkage)) {
        ggm_linkage_release(&workspace->linkage);
        return false;
    }
    return ggm_linkage_cut(&workspace->linkage, lambda, components);
}

/* Components only cost time if they are larger than need be, whereas new blocks cost a copy of everything at each lambda where a few variables
 * join the largest. So on the way down blocks are kept while they are not much too large, and new ones are the components of a smaller lambda
 * where those are not. */
static bool look_ahead(ggm_workspace *workspace, double lambda, ggm_components *components)
{
    ggm_components ahead;
    if (!screen(workspace, LOOK_AHEAD * lambda, &ahead))
        return false;
    const bool better = area(&ahead) <= ROOM * area(components);
    ggm_components_release(better ? components : &ahead);
    if (better)
        *components = ahead;
    return true;
}

/* Blocks that keep their variables go on to lambda */
static bool go_on(solution *last, double lambda)
{
    const double before = last->lambda;
    for (int b = 0; b < last->count; b++)
        ggm_block_rescale(&last->blocks[b], lambda);
    last->lambda = lambda;
    if (lambda < before)
        return predict(last, last, before);
    forget_trend(last);
    return true;
}

/* workspace->last becomes the starting point for lambda */
static ggm_status advance(ggm_workspace *workspace, double lambda)
{
    solution next = {.lambda = lambda, .count = -1}, *last = &workspace->last;
    if (!screen(workspace, lambda, &next.components))
        return GGM_ERROR_MEMORY;
    workspace->component_count = next.components.count;
    workspace->largest_component = next.components.largest;
    const bool moves = lambda > 0 && last->count >= 0 && last->lambda > 0, down = moves && lambda < last->lambda;
    if (moves && (same_components(last, &next.components, workspace->problem.p) ||
                  (down && within_blocks(last, &next.components) && area(&last->components) <= ROOM * area(&next.components)))) {
        ggm_components_release(&next.components);
        return go_on(last, lambda) ? GGM_OK : GGM_ERROR_MEMORY;
    }
    if ((down && !look_ahead(workspace, lambda, &next.components)) || !lay_out(&next, workspace->problem.p) || !fill(workspace, last, &next) ||
        (down && !predict(last, &next, last->lambda))) {
        solution_release(&next);
        return GGM_ERROR_MEMORY;
    }
    solution_release(last);
    *last = next;
    return GGM_OK;
}

/* ---- one solve ---- */
static double lone_penalty(const ggm_workspace *workspace, size_t i)
{
    const ggm_problem *problem = &workspace->problem;
    if (!problem->penalize_diagonal)
        return 0;
    return workspace->last.lambda * (problem->weights ? problem->weights[i * (problem->p + 1)] : 1);
}

/* T_ii = 1 / (S_ii + L_ii) of a variable without neighbours */
static double lone_precision(const ggm_workspace *workspace, size_t i)
{
    return 1 / (ggm_entry(&workspace->problem, workspace->scales, i, i) + lone_penalty(workspace, i));
}

static ggm_status solve_block(ggm_block *block, double target, int threads, bool calling, ggm_control *control)
{
    if (block->lambda == 0 && !block->weights)
        return ggm_unpenalised(block);
    block->solver = control->settings->solver;
    if (block->solver == GGM_SOLVER_AUTO && !ggm_choose_solver(block, &block->solver))
        return GGM_ERROR_MEMORY;
    switch (block->solver) {
    case GGM_SOLVER_NEWTON: return ggm_newton(block, target, threads, calling, control);
    case GGM_SOLVER_SGLASSO: return ggm_sglasso(block, target, threads, calling, control);
    default: return ggm_bcd(block, target, threads, calling, control);
    }
}

/* Small blocks, one to a thread; the calling thread, when nothing is left to begin, keeps asking whether to stop */
typedef struct {
    solution *now;
    const double *targets;
    ggm_control *control;
    atomic_int next, idle, status;
} small_blocks;

static void take_blocks(small_blocks *small, int thread, int threads)
{
    for (int b; (b = atomic_fetch_add(&small->next, 1)) < small->now->count && atomic_load(&small->status) == GGM_OK;) {
        ggm_block *block = &small->now->blocks[b];
        if (block->m >= TEAM_SIZE || small->targets[b] < 0)
            continue;
        ggm_status status = solve_block(block, small->targets[b], 1, thread == 0, small->control);
        int fine = GGM_OK;
        if (status != GGM_OK)
            atomic_compare_exchange_strong(&small->status, &fine, (int)status);
    }
    atomic_fetch_add(&small->idle, 1);
    while (thread == 0 && atomic_load(&small->idle) < threads) {
        (void)ggm_control_poll(small->control, true);
        ggm_nap();
    }
}

/* Solves the blocks whose gap is above their target; targets[b] = 0 lets the solver guess, negative leaves the block alone */
static ggm_status solve_blocks(ggm_workspace *workspace, const double *targets, int threads, ggm_control *control)
{
    solution *now = &workspace->last;
    small_blocks small = {.now = now, .targets = targets, .control = control};
    int waiting = 0;
    (void)ggm_control_poll(control, true); /* once at least, however short the solve */
    for (int b = 0; b < now->count; b++) {
        if (now->blocks[b].m < TEAM_SIZE) {
            waiting += targets[b] >= 0;
        } else if (targets[b] >= 0) {
            ggm_status status = solve_block(&now->blocks[b], targets[b], threads, true, control);
            if (status != GGM_OK)
                return status;
        }
    }
    threads = waiting < threads ? waiting : threads;
    const int before = omp_get_max_threads();
    omp_set_num_threads(1); /* for LAPACK under a block's one thread: its sums must not depend on how many there are */
    if (threads <= 1) {
        take_blocks(&small, 0, 1);
    } else {
#pragma omp parallel num_threads(threads) default(none) shared(small)
        take_blocks(&small, omp_get_thread_num(), omp_get_num_threads());
    }
    omp_set_num_threads(before);
    return (ggm_status)atomic_load(&small.status);
}

static const char *solver_text(ggm_solver solver)
{
    return solver == GGM_SOLVER_NEWTON ? "newton" : solver == GGM_SOLVER_SGLASSO ? "sglasso" : "bcd";
}

static void sum_up(const ggm_workspace *workspace, ggm_info *info)
{
    const solution *now = &workspace->last;
    info->objective = info->duality_gap = info->kkt_residual = 0;
    info->iterations = 0;
    info->outcome = GGM_CONVERGED;
    int largest = 0;
    for (size_t i = 0; i < workspace->problem.p; i++)
        if (now->places.block_of[i] < 0)
            info->objective += 1 - log(lone_precision(workspace, i));
    for (int b = 0; b < now->count; b++) {
        const ggm_block *block = &now->blocks[b];
        if (block->m > largest) {
            largest = block->m;
            info->solver = solver_text(block->solver);
        }
        info->objective += block->objective;
        info->duality_gap += block->gap;
        info->kkt_residual = fmax(info->kkt_residual, block->kkt);
        info->iterations = block->sweeps > info->iterations ? block->sweeps : info->iterations;
        if (block->outcome > info->outcome)
            info->outcome = block->outcome;
    }
    info->relative_duality_gap = info->duality_gap / fmax(1, fabs(info->objective));
}

/* The gap that a block may have of what all may have together */
static double share_of(const solution *now, const ggm_block *block, double all)
{
    double covered = 0;
    for (int b = 0; b < now->count; b++)
        covered += now->blocks[b].m;
    return all * block->m / covered;
}

/* Along a path the objective to come is known well enough for targets that need not be cautious: it is concave in lambda, and its last two values
 * are extrapolated. Elsewhere, and for blocks that the solver is to bring back to single precision first, it is left to the solver. */
static void first_targets(const ggm_workspace *workspace, double tolerance, double *targets)
{
    const solution *now = &workspace->last;
    const double *solved = workspace->solved, *objective = workspace->objective;
    if (!(ggm_predict_step(solved[1], solved[0], now->lambda) > 0))
        return;
    const double expected = objective[0] + (now->lambda - solved[0]) / (solved[0] - solved[1]) * (objective[0] - objective[1]);
    for (int b = 0; isfinite(expected) && b < now->count; b++)
        if (now->blocks[b].w32)
            targets[b] = share_of(now, &now->blocks[b], SURE * tolerance * fmax(1, fabs(expected)));
}

/* Solves until the blocks' gaps add up to the tolerance on the whole: the first round's targets are guesses */
static ggm_status solve_to_tolerance(ggm_workspace *workspace, double tolerance, int threads, ggm_control *control, ggm_info *info)
{
    solution *now = &workspace->last;
    double *targets = ggm_alloc_zero((size_t)now->count, sizeof *targets);
    if (!targets)
        return GGM_ERROR_MEMORY;
    first_targets(workspace, tolerance, targets);
    ggm_status status = GGM_OK;
    for (int round = 0; status == GGM_OK && round < REFINEMENTS; round++) {
        status = solve_blocks(workspace, targets, threads, control);
        if (status != GGM_OK)
            break;
        sum_up(workspace, info);
        if (info->outcome == GGM_ITERATION_LIMIT && info->relative_duality_gap <= tolerance) /* a cautious target was missed, nothing else */
            info->outcome = GGM_CONVERGED;
        if (info->relative_duality_gap <= tolerance || info->outcome != GGM_CONVERGED)
            break;
        for (int b = 0; b < now->count; b++) {
            double target = share_of(now, &now->blocks[b], 0.9 * tolerance * fmax(1, fabs(info->objective)));
            targets[b] = now->blocks[b].gap > target ? target : -1;
        }
    }
    ggm_free(targets);
    if (status == GGM_OK && info->outcome == GGM_CONVERGED && info->relative_duality_gap > tolerance)
        info->outcome = GGM_ITERATION_LIMIT;
    return status;
}

/* The blocks' precisions, in the caller's variables and units */
static bool assemble(const ggm_workspace *workspace, ggm_sparse *out)
{
    const solution *now = &workspace->last;
    const size_t p = workspace->problem.p;
    size_t nnz = 0;
    for (size_t i = 0; i < p; i++)
        nnz += now->places.block_of[i] < 0;
    for (int b = 0; b < now->count; b++)
        nnz += now->blocks[b].precision.nnz;
    *out = (ggm_sparse){.p = p, .nnz = nnz, .start = ggm_alloc(p + 1, sizeof *out->start), .index = ggm_alloc(nnz, sizeof *out->index),
                        .value = ggm_alloc(nnz, sizeof *out->value)};
    if (!out->start || !out->index || !out->value) {
        ggm_sparse_release(out);
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < p; i++) {
        out->start[i] = at;
        if (now->places.block_of[i] < 0) {
            out->index[at] = (int)i;
            out->value[at++] = lone_precision(workspace, i) * (workspace->scales[i] * workspace->scales[i]);
            continue;
        }
        const ggm_block *block = &now->blocks[now->places.block_of[i]];
        const ggm_sparse *t = &block->precision;
        size_t row = (size_t)now->places.place[i];
        for (size_t k = t->start[row]; k < t->start[row + 1]; k++) {
            int j = block->node[t->index[k]];
            out->index[at] = j;
            out->value[at++] = t->value[k] * (workspace->scales[i] * workspace->scales[j]);
        }
    }
    out->start[p] = at;
    out->nnz = at;
    return true;
}

ggm_status ggm_workspace_step(ggm_workspace *workspace, double lambda, double tolerance, ggm_control *control, ggm_result *result)
{
    const int threads = ggm_thread_count(workspace->settings.threads);
    ggm_status status = advance(workspace, lambda);
    control->lambda = lambda;
    control->tolerance = tolerance;
    ggm_info *info = &result->info;
    *info = (ggm_info){.lambda = lambda, .threads = threads, .solver = solver_text(GGM_SOLVER_BCD)};
    if (status == GGM_OK)
        status = solve_to_tolerance(workspace, tolerance, threads, control, info);
    if (status == GGM_OK && !assemble(workspace, &result->precision))
        status = GGM_ERROR_MEMORY;
    if (status != GGM_OK) {
        ggm_workspace_restart(workspace, workspace->problem.start);
        *result = (ggm_result){0};
        return status;
    }
    workspace->solved[1] = workspace->solved[0];
    workspace->objective[1] = workspace->objective[0];
    workspace->solved[0] = lambda;
    workspace->objective[0] = info->objective;
    info->nonzeros = result->precision.nnz;
    info->components = (size_t)workspace->component_count;
    info->largest_component = (size_t)workspace->largest_component;
    info->seconds = ggm_now() - control->start;
    return GGM_OK;
}

int ggm_workspace_enter(const ggm_workspace *workspace)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(ggm_thread_count(workspace->settings.threads));
    return before;
}

void ggm_workspace_leave(int before)
{
    omp_set_num_threads(before);
}

void ggm_workspace_control(const ggm_workspace *workspace, ggm_control *control)
{
    control->settings = &workspace->settings;
    control->start = ggm_now();
    control->p = (double)workspace->problem.p;
    control->lambda = control->tolerance = control->last_poll = 0;
    atomic_init(&control->stop, GGM_CONVERGED);
}

const ggm_settings *ggm_workspace_settings(const ggm_workspace *workspace)
{
    return &workspace->settings;
}

const ggm_problem *ggm_workspace_problem(const ggm_workspace *workspace)
{
    return &workspace->problem;
}

const double *ggm_workspace_scales(const ggm_workspace *workspace)
{
    return workspace->scales;
}

void ggm_workspace_restart(ggm_workspace *workspace, const ggm_sparse *start)
{
    solution_release(&workspace->last);
    workspace->solved[0] = workspace->solved[1] = 0;
    workspace->problem.start = start;
}

/* ---- public ---- */
ggm_status ggm_workspace_new(const ggm_problem *problem, const ggm_settings *settings, ggm_workspace **out)
{
    if (!out)
        return GGM_ERROR_ARGUMENT;
    *out = NULL;
    if (!problem)
        return GGM_ERROR_ARGUMENT;
    ggm_settings chosen;
    ggm_default_settings(&chosen);
    if (settings)
        chosen = *settings;
    ggm_problem taken;
    double *owned = NULL;
    ggm_status status = ggm_check_settings(&chosen);
    if (status == GGM_OK)
        status = ggm_take_problem(problem, chosen.threads, &taken, &owned);
    if (status != GGM_OK)
        return status;
    ggm_workspace *workspace = ggm_alloc_zero(1, sizeof *workspace);
    double *scales = ggm_scales(&taken);
    if (!workspace || !scales) {
        ggm_free(workspace);
        ggm_free(scales);
        ggm_free(owned);
        return GGM_ERROR_MEMORY;
    }
    *workspace = (ggm_workspace){.problem = taken, .owned = owned, .settings = chosen, .scales = scales, .last = {.count = -1}};
    *out = workspace;
    return GGM_OK;
}

void ggm_workspace_free(ggm_workspace *workspace)
{
    if (!workspace)
        return;
    solution_release(&workspace->last);
    ggm_linkage_release(&workspace->linkage);
    ggm_free(workspace->scales);
    ggm_free(workspace->owned);
    ggm_free(workspace);
}

double ggm_workspace_lambda_max(const ggm_workspace *workspace)
{
    return ggm_lambda_max(&workspace->problem, workspace->scales);
}

ggm_status ggm_workspace_solve(ggm_workspace *workspace, double lambda, ggm_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_result){0};
    if (!workspace || !(lambda >= 0) || !isfinite(lambda))
        return GGM_ERROR_ARGUMENT;
    int before = ggm_workspace_enter(workspace);
    ggm_control control;
    ggm_workspace_control(workspace, &control);
    ggm_status status = ggm_workspace_step(workspace, lambda, workspace->settings.tolerance, &control, result);
    ggm_workspace_leave(before);
    return status;
}
