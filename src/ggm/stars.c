/* StARS, stability approach to regularization selection (Liu, Roeder & Wasserman, NIPS 2010): the smallest lambda whose graphs on subsamples agree.
 *
 * The bound (Mueller, Kurtz & Bonneau 2016): theta(1 - theta) from two subsamples is on average 1/2 of its true value, from N it is 1 - 1/N,
 * so where two already disagree by more than beta, all will. Two subsamples therefore go ahead, and the others follow only down to the first
 * lambda where the two disagreed. That is a guess, but a checked one: the choice depends on the instability of all at that lambda,
 * and where it is not above beta, all go further down. Since instability is made monotone, nothing below a lambda above beta can be
 * chosen, and the choice is that of the whole grid. */
#include "ggm/selecting.h"

#include <math.h>
#include <stdlib.h>

#define AHEAD 4 /* lambdas that the two subsamples solve before they are looked at, and that all are sent down at once */

typedef struct {
    const ggm_choice *choice;
    size_t n, size;
} subsampling;

static int ascending(const void *x, const void *y)
{
    const uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

static ggm_status form_subsample(void *context, size_t job, double *train, double *test)
{
    (void)test;
    const subsampling *sub = context;
    uint32_t *rows = ggm_alloc(sub->n, sizeof *rows);
    if (!rows)
        return GGM_ERROR_MEMORY;
    for (size_t i = 0; i < sub->n; i++)
        rows[i] = (uint32_t)i;
    ggm_rng rng = ggm_rng_seeded(sub->choice->select->seed, job);
    ggm_rng_shuffle(&rng, rows, (uint32_t)sub->n);
    qsort(rows, sub->size, sizeof *rows, ascending); /* in the order they lie in */
    ggm_status status = ggm_subset_covariance(sub->choice->problem, rows, sub->size, sub->choice->problem->covariance, train);
    ggm_free(rows);
    return status;
}

/* How often each j > i is a neighbour of i: counts (p) zero between calls, touched: (*count) which are not */
static void count_row(const ggm_ladder *r, size_t rung, const bool *complete, size_t i, int *counts, int *touched, size_t *count)
{
    *count = 0;
    for (size_t job = 0; job < r->jobs; job++) {
        const ggm_slot *slot = &r->rungs[rung].slots[job];
        if (!complete[job] || !slot->there)
            continue;
        for (size_t k = slot->start[i]; k < slot->start[i + 1]; k++)
            if (counts[slot->other[k]]++ == 0)
                touched[(*count)++] = slot->other[k];
    }
}

static double instability(const ggm_ladder *r, size_t rung, const bool *complete, int solves, int *counts, int *touched)
{
    const size_t p = r->whole->p;
    double sum = 0;
    for (size_t i = 0; i < p; i++) {
        size_t count;
        count_row(r, rung, complete, i, counts, touched, &count);
        for (size_t k = 0; k < count; k++) {
            const double theta = (double)counts[touched[k]] / solves;
            sum += theta * (1 - theta);
            counts[touched[k]] = 0;
        }
    }
    return p > 1 ? 2 * sum / (0.5 * (double)p * (double)(p - 1)) : 0;
}

/* D and its maximum so far, into score and spread of the first *reach points; *reach is lowered to what subsamples are there for */
static ggm_status measure(const ggm_ladder *r, size_t *reach, bool *complete, ggm_select_point *points)
{
    const size_t p = r->whole->p;
    int *counts = ggm_alloc_zero(p, sizeof *counts), *touched = ggm_alloc(p, sizeof *touched);
    const bool good = counts && touched;
    if (good) {
        double most = 0;
        (void)ggm_ladder_complete(r, 2, reach, complete);
        ggm_ladder_points(r, complete, *reach, points);
        for (size_t k = 0; k < *reach; k++) {
            if (points[k].solves < 2)
                continue;
            points[k].spread = instability(r, k, complete, points[k].solves, counts, touched);
            most = fmax(most, points[k].spread);
            points[k].score = most;
        }
    }
    ggm_free(counts);
    ggm_free(touched);
    return good ? GGM_OK : GGM_ERROR_MEMORY;
}

/* The first rung above beta that the two ahead show, plus one: as far as the others must go */
static ggm_status look_ahead(ggm_choice *choice, ggm_ladder *r, bool *complete, size_t *reach)
{
    for (size_t seen = 0; seen < r->count && !ggm_watch_poll(&choice->watch);) {
        const size_t next = seen + AHEAD < r->count ? seen + AHEAD : r->count;
        ggm_ladder_run(r, 0, 2, next);
        size_t there = next;
        ggm_status status = measure(r, &there, complete, choice->selection->points);
        if (status != GGM_OK)
            return status;
        for (size_t k = seen; k < there; k++)
            if (choice->selection->points[k].score > choice->select->instability) {
                *reach = k + 1;
                return GGM_OK;
            }
        seen = next;
    }
    *reach = r->count;
    return GGM_OK;
}

/* Where the choice stands, among the first `reach` points */
static void choose(ggm_choice *choice, size_t reach, size_t *stable)
{
    ggm_selection *selection = choice->selection;
    *stable = 0; /* how many points, from the first on, are stable */
    size_t chosen = reach;
    for (size_t k = 0; k < reach; k++) {
        if (!isfinite(selection->points[k].score))
            continue;
        if (selection->points[k].score > choice->select->instability)
            break;
        chosen = k;
        *stable = k + 1;
    }
    for (size_t k = 0; chosen == reach && k < reach; k++)
        if (isfinite(selection->points[k].score)) /* none is stable: the largest lambda that was tried */
            chosen = k;
    selection->chosen = chosen < reach ? chosen : 0;
    selection->lambda = chosen < reach ? selection->points[chosen].lambda : (double)NAN;
}

static ggm_status search(ggm_choice *choice, ggm_ladder *r, bool *complete, size_t *measured)
{
    size_t below = (size_t)choice->extensions, above = below, reach = r->count, stable;
    ggm_status status = GGM_OK;
    if (choice->select->bound && r->jobs > 2)
        status = look_ahead(choice, r, complete, &reach);
    while (status == GGM_OK) {
        ggm_ladder_run(r, 0, r->jobs, reach);
        *measured = reach;
        status = measure(r, measured, complete, choice->selection->points);
        if (status != GGM_OK)
            return status;
        choose(choice, *measured, &stable);
        const bool unstable = stable == 0 && *measured > 0;
        choice->selection->at_end = unstable || stable == r->count;
        if (*measured < reach || ggm_watch_poll(&choice->watch) || (!unstable && stable < reach))
            return GGM_OK; /* something failed or ended it, or the first lambda that is not stable is known */
        if (!unstable && reach < r->count) { /* what two had against it, all have not */
            reach = reach + AHEAD < r->count ? reach + AHEAD : r->count;
            continue;
        }
        size_t *left = unstable ? &above : &below, more = *left < AHEAD ? *left : AHEAD;
        if (more == 0)
            return GGM_OK;
        *left -= more;
        reach += more;
        if (!ggm_ladder_extend(r, more, !unstable) || !ggm_choice_points(choice, r, complete, 0))
            return GGM_ERROR_MEMORY;
    }
    return status;
}

/* A walk over the pairs i < j that are edges of any of the graphs, i ascending and j ascending for each i */
typedef struct {
    const ggm_ladder *ladder;
    size_t rung;
    const bool *complete;
    int solves;
    size_t *fill;            /* (p + 1) where the next entry of each row goes */
    int *counts, *touched;   /* (p) */
} tally;

static int ascending_int(const void *x, const void *y)
{
    const int a = *(const int *)x, b = *(const int *)y;
    return (a > b) - (a < b);
}

/* Entries of each row off the diagonal, into fill; returns how many pairs there are */
static size_t size_rows(tally *t, size_t p)
{
    size_t pairs = 0;
    for (size_t i = 0; i < p; i++) {
        size_t count;
        count_row(t->ladder, t->rung, t->complete, i, t->counts, t->touched, &count);
        for (size_t k = 0; k < count; k++) {
            t->fill[i]++;
            t->fill[t->touched[k]]++;
            t->counts[t->touched[k]] = 0;
        }
        pairs += count;
    }
    return pairs;
}

static void put(tally *t, ggm_sparse *out, size_t i, size_t j, double value)
{
    out->index[t->fill[i]] = (int)j;
    out->value[t->fill[i]++] = value;
}

/* Row j has its entries i < j by the time that i = j comes, so that rows come out in order */
static void write_rows(tally *t, ggm_sparse *out)
{
    for (size_t i = 0; i < out->p; i++) {
        size_t count;
        count_row(t->ladder, t->rung, t->complete, i, t->counts, t->touched, &count);
        qsort(t->touched, count, sizeof *t->touched, ascending_int);
        put(t, out, i, i, 1);
        for (size_t k = 0; k < count; k++) {
            const size_t j = (size_t)t->touched[k];
            const double theta = (double)t->counts[j] / t->solves;
            put(t, out, i, j, theta);
            put(t, out, j, i, theta);
            t->counts[j] = 0;
        }
    }
}

/* theta at a rung, symmetric with 1 on the diagonal */
static bool frequencies(const ggm_ladder *r, size_t rung, const bool *complete, int solves, ggm_sparse *out)
{
    const size_t p = r->whole->p;
    tally t = {.ladder = r, .rung = rung, .complete = complete, .solves = solves, .fill = ggm_alloc_zero(p + 1, sizeof *t.fill),
               .counts = ggm_alloc_zero(p, sizeof *t.counts), .touched = ggm_alloc(p, sizeof *t.touched)};
    bool good = t.fill && t.counts && t.touched;
    if (good) {
        const size_t nnz = 2 * size_rows(&t, p) + p;
        *out = (ggm_sparse){.p = p, .nnz = nnz, .start = ggm_alloc(p + 1, sizeof *out->start), .index = ggm_alloc(nnz, sizeof *out->index),
                            .value = ggm_alloc(nnz, sizeof *out->value)};
        good = out->start && out->index && out->value;
    }
    for (size_t i = 0, at = 0; good && i <= p; i++) {
        out->start[i] = at;
        at += t.fill[i] + 1;
        t.fill[i] = out->start[i];
    }
    if (good)
        write_rows(&t, out);
    else
        ggm_sparse_release(out);
    ggm_free(t.fill);
    ggm_free(t.counts);
    ggm_free(t.touched);
    return good;
}

ggm_status ggm_choose_stars(ggm_choice *choice)
{
    const ggm_select_settings *select = choice->select;
    subsampling sub = {.choice = choice, .n = choice->problem->samples->n, .size = select->subsample_size};
    if (sub.size == 0)
        sub.size = (size_t)floor(sub.n > 144 ? 10 * sqrt((double)sub.n) : 0.8 * (double)sub.n);
    if (sub.size < 2 || sub.size > sub.n)
        return GGM_ERROR_ARGUMENT;
    size_t count, measured = 0;
    double *lambdas = ggm_path_lambdas(&select->path, choice->lambda_max, &count);
    ggm_ladder r = ggm_choice_ladder(choice);
    r.jobs = (size_t)select->subsamples;
    r.form = form_subsample;
    r.context = &sub;
    bool *complete = ggm_alloc_zero(r.jobs, sizeof *complete);
    ggm_selection *selection = choice->selection;
    ggm_status status = lambdas && complete && ggm_ladder_init(&r, lambdas, count) && ggm_choice_points(choice, &r, complete, 0) ? GGM_OK : GGM_ERROR_MEMORY;
    if (status == GGM_OK)
        status = search(choice, &r, complete, &measured);
    if (status == GGM_OK && measured > selection->chosen &&
        !frequencies(&r, selection->chosen, complete, selection->points[selection->chosen].solves, &selection->stability))
        status = GGM_ERROR_MEMORY;
    ggm_ladder_release(&r);
    ggm_free(complete);
    ggm_free(lambdas);
    return status;
}
