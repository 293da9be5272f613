/* Paths on many subsets of the samples, one a core. A job is one subset: it forms its covariance, goes down the path from where it was, and
 * leaves in each rung what its criterion asks for: a held-out loss, or the list of edges. The covariance is not kept (p^2 doubles a job would
 * be too much); a job that is sent further down later forms it again and starts from its last T.
 *
 * A rung's slots belong to one job each, so that jobs share nothing they write. */
#include "ggm/selecting.h"

#include <math.h>
#include <string.h>

#define CONSTANT 1e-8 /* share of the variance in all samples that is nothing */

ggm_status ggm_subset_covariance(const ggm_problem *problem, const uint32_t *rows, size_t count, const ggm_covariance_settings *settings, double *s)
{
    ggm_samples subset = *problem->samples;
    size_t *own = ggm_alloc(count, sizeof *own);
    if (!own)
        return GGM_ERROR_MEMORY;
    for (size_t k = 0; k < count; k++)
        own[k] = subset.rows ? subset.rows[rows[k]] : rows[k];
    subset.n = count;
    subset.rows = own;
    ggm_status status = ggm_covariance(&subset, settings, 1, s);
    ggm_free(own);
    return status;
}

void ggm_keep_constants(const ggm_problem *whole, double *s)
{
    const size_t p = whole->p;
    for (size_t i = 0; i < p; i++) {
        const double full = whole->s[i * p + i];
        if (s[i * p + i] > CONSTANT * full)
            continue;
        for (size_t j = 0; j < p; j++)
            s[i * p + j] = s[j * p + i] = 0;
        s[i * p + i] = full;
    }
}

/* ---- rungs ---- */
static bool reserve(ggm_ladder *r, size_t count)
{
    if (count <= r->capacity)
        return true;
    const size_t capacity = count + count / 2;
    ggm_rung *rungs = ggm_grow(r->rungs, r->count, capacity, sizeof *rungs);
    if (!rungs)
        return false;
    r->rungs = rungs;
    r->capacity = capacity;
    return true;
}

static bool insert_rung(ggm_ladder *r, size_t position, double lambda)
{
    ggm_slot *slots = reserve(r, r->count + 1) ? ggm_alloc_zero(r->jobs, sizeof *slots) : NULL;
    if (!slots)
        return false;
    memmove(r->rungs + position + 1, r->rungs + position, (r->count - position) * sizeof *r->rungs);
    r->rungs[position] = (ggm_rung){.lambda = lambda, .slots = slots};
    r->count++;
    return true;
}

bool ggm_ladder_init(ggm_ladder *r, const double *lambdas, size_t count)
{
    r->reach = ggm_alloc_zero(r->jobs, sizeof *r->reach);
    r->last = ggm_alloc_zero(r->jobs, sizeof *r->last);
    bool good = r->reach && r->last;
    for (size_t k = 0; good && k < count; k++)
        good = insert_rung(r, k, lambdas[k]);
    return good;
}

void ggm_ladder_release(ggm_ladder *r)
{
    for (size_t k = 0; k < r->count; k++) {
        for (size_t job = 0; job < r->jobs; job++) {
            ggm_free(r->rungs[k].slots[job].start);
            ggm_free(r->rungs[k].slots[job].other);
        }
        ggm_free(r->rungs[k].slots);
    }
    for (size_t job = 0; r->last && job < r->jobs; job++)
        ggm_sparse_release(&r->last[job]);
    ggm_free(r->rungs);
    ggm_free(r->reach);
    ggm_free(r->last);
    r->rungs = NULL;
    r->reach = NULL;
    r->last = NULL;
    r->count = 0;
}

/* ---- one job ---- */
static bool copy_edges(const ggm_sparse *t, ggm_slot *slot)
{
    slot->start = ggm_alloc(t->p + 1, sizeof *slot->start);
    slot->other = ggm_alloc(slot->edges, sizeof *slot->other);
    if (!slot->start || !slot->other)
        return false;
    size_t at = 0;
    for (size_t i = 0; i < t->p; i++) {
        slot->start[i] = at;
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            if ((size_t)t->index[k] > i && t->value[k] != 0)
                slot->other[at++] = t->index[k];
    }
    slot->start[t->p] = at;
    return true;
}

static void fill_slot(const ggm_ladder *r, ggm_slot *slot, const ggm_workspace *workspace, const ggm_result *result, const double *test)
{
    slot->edges = ggm_edge_count(&result->precision);
    slot->there = true;
    if (r->held_out)
        slot->loss = ggm_trace_product(test, &result->precision) - ggm_log_determinant(workspace, result);
    else if (!copy_edges(&result->precision, slot))
        *slot = (ggm_slot){.status = GGM_ERROR_MEMORY, .start = slot->start, .other = slot->other};
}

/* The interrupt of a job's solves: the run's own question, and progress on the way */
typedef struct {
    ggm_watch *watch;
    const ggm_job *job;
} watcher;

static bool watched(void *user_data)
{
    const watcher *eyes = user_data;
    if (eyes->job->calling)
        ggm_watch_report(eyes->watch);
    return eyes->job->settings.interrupt(eyes->job->settings.user_data);
}

/* Rungs from .. to - 1; returns the first that was not reached. *last: T to start from, and T at the end. */
static size_t go_down(const ggm_ladder *r, ggm_job *job, size_t number, const double *train, const double *test, size_t from, size_t to, ggm_sparse *last)
{
    ggm_problem problem = *r->whole;
    problem.s = train;
    problem.start = last->p > 0 ? last : NULL;
    watcher eyes = {.watch = r->watch, .job = job};
    ggm_settings settings = job->settings;
    settings.tolerance = r->tolerance;
    settings.interrupt = watched;
    settings.user_data = &eyes;
    ggm_workspace *workspace;
    ggm_control control;
    ggm_control_begin(&control, &settings);
    ggm_sparse latest = {0};
    ggm_status status = ggm_workspace_new(&problem, &settings, &workspace);
    const ggm_status opened = status;
    size_t k = from;
    if (opened == GGM_OK)
        ggm_workspace_control(workspace, &control);
    for (; k < to && !ggm_control_poll(&control, true); k++) {
        ggm_slot *slot = &r->rungs[k].slots[number];
        ggm_result result = {0};
        if (opened == GGM_OK)
            status = ggm_workspace_step(workspace, r->rungs[k].lambda, r->tolerance, &control, &result);
        if (status == GGM_OK && atomic_load(&control.stop) != GGM_CONVERGED) { /* half done: as if it had not begun */
            ggm_result_release(&result);
            break;
        }
        slot->status = status;
        if (status == GGM_OK) {
            fill_slot(r, slot, workspace, &result, test);
            ggm_sparse_release(&latest);
            latest = result.precision;
        }
        atomic_fetch_add(&r->watch->done, 1);
    }
    job->stopped = k < to;
    if (opened == GGM_OK)
        ggm_workspace_free(workspace);
    ggm_sparse_release(last);
    *last = latest;
    return k;
}

typedef struct {
    ggm_ladder *ladder;
    size_t first, from, to; /* number of the first job; rungs, from = SIZE_MAX: from where the job has come to */
} descent_order;

static ggm_status run_job(void *context, ggm_job *job)
{
    const descent_order *order = context;
    ggm_ladder *r = order->ladder;
    const size_t number = order->first + (size_t)job->number, p = r->whole->p;
    const bool goes_on = order->from == SIZE_MAX;
    const size_t from = goes_on ? r->reach[number] : order->from;
    if (from >= order->to)
        return GGM_OK;
    double *train = ggm_alloc(p * p, sizeof *train), *test = r->held_out ? ggm_alloc(p * p, sizeof *test) : NULL;
    ggm_status status = train && (test || !r->held_out) ? r->form(r->context, number, train, test) : GGM_ERROR_MEMORY;
    size_t end = order->to;
    if (status == GGM_OK) {
        ggm_keep_constants(r->whole, train);
        ggm_sparse fresh = {0};
        end = go_down(r, job, number, train, test, from, order->to, goes_on ? &r->last[number] : &fresh);
        ggm_sparse_release(&fresh);
    } else {
        for (size_t k = from; k < order->to; k++)
            r->rungs[k].slots[number].status = status;
        atomic_fetch_add(&r->watch->done, order->to - from);
    }
    if (goes_on)
        r->reach[number] = end;
    ggm_free(train);
    ggm_free(test);
    return status;
}

void ggm_ladder_run(ggm_ladder *r, size_t from, size_t to, size_t reach)
{
    descent_order order = {.ladder = r, .first = from, .from = SIZE_MAX, .to = reach};
    for (size_t job = from; job < to; job++)
        r->watch->planned += reach > r->reach[job] ? reach - r->reach[job] : 0;
    ggm_watch_jobs(r->watch, to - from, ggm_select_job_bytes(r->whole->p), run_job, &order);
}

bool ggm_ladder_extend(ggm_ladder *r, size_t more, bool down)
{
    double lambdas[2] = {r->rungs[0].lambda, r->rungs[0].lambda};
    if (r->count > 1 && down)
        lambdas[0] = r->rungs[r->count - 2].lambda;
    if (r->count > 1)
        lambdas[1] = r->rungs[down ? r->count - 1 : 1].lambda;
    const double factor = ggm_path_factor(lambdas, r->count < 2 ? 1 : 2, down);
    for (size_t k = 0; k < more; k++)
        if (!insert_rung(r, down ? r->count : 0, factor * r->rungs[down ? r->count - 1 : 0].lambda))
            return false;
    if (down)
        return true;
    for (size_t job = 0; job < r->jobs; job++)
        r->reach[job] += more;
    descent_order order = {.ladder = r, .to = more};
    r->watch->planned += more * r->jobs;
    ggm_watch_jobs(r->watch, r->jobs, ggm_select_job_bytes(r->whole->p), run_job, &order);
    return true;
}

/* ---- what came of it ---- */
static bool anybody_there(const ggm_ladder *r, size_t rung)
{
    for (size_t job = 0; job < r->jobs; job++)
        if (r->rungs[rung].slots[job].there)
            return true;
    return false;
}

size_t ggm_ladder_complete(const ggm_ladder *r, size_t least, size_t *reach, bool *complete)
{
    for (; *reach > 0; --*reach) {
        if (!anybody_there(r, *reach - 1))
            continue;
        size_t count = 0;
        for (size_t job = 0; job < r->jobs; job++) {
            complete[job] = true;
            for (size_t k = 0; complete[job] && k < *reach; k++)
                complete[job] = r->rungs[k].slots[job].there || !anybody_there(r, k);
            count += complete[job];
        }
        if (count >= least)
            return count;
    }
    return 0;
}

void ggm_ladder_points(const ggm_ladder *r, const bool *complete, size_t reach, ggm_select_point *points)
{
    for (size_t k = 0; k < r->count; k++) {
        ggm_select_point point = {.lambda = r->rungs[k].lambda, .score = NAN, .spread = NAN};
        for (size_t job = 0; job < r->jobs; job++) {
            const ggm_slot *slot = &r->rungs[k].slots[job];
            if (point.status == GGM_OK)
                point.status = slot->status;
            if (k < reach && complete[job] && slot->there) {
                point.edges += (double)slot->edges;
                point.solves++;
            }
        }
        point.edges /= point.solves > 0 ? point.solves : 1;
        points[k] = point;
    }
}
