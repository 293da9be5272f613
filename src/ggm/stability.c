/* Stability selection (Meinshausen & Buehlmann 2010) on complementary pairs of half-samples (Shah & Samworth 2013).
 *
 * Chosen pairs are kept as one ascending list with two counts each. A half-sample's graph is merged into it under a lock:
 * sums of integers, so the order in which half-samples finish does not show. */
#include "ggm/internal.h"

#include <math.h>
#include <omp.h>

typedef struct {
    size_t count;
    uint64_t *pair;        /* (count) i p + j, i < j, ascending */
    uint32_t *chosen, *positive; /* (count) half-samples */
} tally;

typedef struct {
    omp_lock_t lock;
    tally seen;
} collection;

static void tally_release(tally *seen)
{
    ggm_free(seen->pair);
    ggm_free(seen->chosen);
    ggm_free(seen->positive);
    *seen = (tally){0};
}

static bool tally_new(tally *seen, size_t capacity)
{
    *seen = (tally){.pair = ggm_alloc(capacity, sizeof *seen->pair), .chosen = ggm_alloc(capacity, sizeof *seen->chosen),
                    .positive = ggm_alloc(capacity, sizeof *seen->positive)};
    if (seen->pair && seen->chosen && seen->positive)
        return true;
    tally_release(seen);
    return false;
}

static void append(tally *seen, uint64_t pair, uint32_t chosen, uint32_t positive)
{
    seen->pair[seen->count] = pair;
    seen->chosen[seen->count] = chosen;
    seen->positive[seen->count++] = positive;
}

static bool tally_of(const ggm_sparse *precision, tally *seen)
{
    if (!tally_new(seen, ggm_count_edges(precision)))
        return false;
    for (size_t i = 0; i < precision->p; i++)
        for (size_t k = precision->start[i]; k < precision->start[i + 1]; k++)
            if ((size_t)precision->index[k] > i && precision->value[k] != 0)
                append(seen, (uint64_t)i * precision->p + (uint64_t)precision->index[k], 1, precision->value[k] < 0);
    return true;
}

static bool merge(tally *seen, const tally *more)
{
    tally both;
    if (!tally_new(&both, seen->count + more->count))
        return false;
    for (size_t a = 0, b = 0; a < seen->count || b < more->count;) {
        const bool old = a < seen->count && (b == more->count || seen->pair[a] <= more->pair[b]);
        const bool new = b < more->count && (a == seen->count || more->pair[b] <= seen->pair[a]);
        append(&both, old ? seen->pair[a] : more->pair[b], (old ? seen->chosen[a] : 0) + (new ? more->chosen[b] : 0),
               (old ? seen->positive[a] : 0) + (new ? more->positive[b] : 0));
        a += old;
        b += new;
    }
    tally_release(seen);
    *seen = both;
    return true;
}

static ggm_status keep(void *context, int number, const ggm_sparse *precision)
{
    (void)number;
    collection *all = context;
    tally one;
    if (!tally_of(precision, &one))
        return GGM_ERROR_MEMORY;
    omp_set_lock(&all->lock);
    const bool good = merge(&all->seen, &one);
    omp_unset_lock(&all->lock);
    tally_release(&one);
    return good ? GGM_OK : GGM_ERROR_MEMORY;
}

/* Pairs (i, j) in ascending order fill row i from the left with larger, and before that row j with smaller numbers: both come out sorted */
static bool spread(const tally *seen, size_t p, int completed, ggm_stability_result *result)
{
    ggm_sparse *out = &result->frequency;
    *out = (ggm_sparse){.p = p, .nnz = 2 * seen->count, .start = ggm_alloc_zero(p + 1, sizeof *out->start),
                        .index = ggm_alloc(2 * seen->count, sizeof *out->index), .value = ggm_alloc(2 * seen->count, sizeof *out->value)};
    result->positive = ggm_alloc(2 * seen->count, sizeof *result->positive);
    size_t *next = ggm_alloc(p, sizeof *next);
    const bool good = out->start && out->index && out->value && result->positive && next;
    for (size_t k = 0; good && k < seen->count; k++) {
        out->start[seen->pair[k] / p + 1]++;
        out->start[seen->pair[k] % p + 1]++;
    }
    for (size_t i = 0; good && i < p; i++) {
        next[i] = out->start[i];
        out->start[i + 1] += out->start[i];
    }
    for (size_t k = 0; good && k < seen->count; k++) {
        const size_t end[2] = {(size_t)(seen->pair[k] / p), (size_t)(seen->pair[k] % p)};
        for (int side = 0; side < 2; side++) {
            const size_t at = next[end[side]]++;
            out->index[at] = (int)end[1 - side];
            out->value[at] = (double)seen->chosen[k] / completed;
            result->positive[at] = (double)seen->positive[k] / seen->chosen[k];
        }
    }
    ggm_free(next);
    return good;
}

static void sum_up(const tally *seen, size_t p, ggm_stability_result *result)
{
    const int completed = result->info.completed;
    uint64_t chosen = 0;
    for (size_t k = 0; k < seen->count; k++) {
        chosen += seen->chosen[k];
        result->stable += (double)seen->chosen[k] / completed >= result->threshold;
    }
    result->average_edges = completed > 0 ? (double)chosen / completed : 0;
    result->false_bound = ggm_stability_bound(result->average_edges, result->threshold, p);
}

ggm_status ggm_stability(const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *resampling, ggm_stability_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_stability_result){0};
    ggm_resample resample;
    ggm_status status = ggm_resample_begin(&resample, problem, settings, resampling, 100, 4);
    if (status != GGM_OK)
        return status;
    collection all = {0};
    omp_init_lock(&all.lock);
    resample.draw = ggm_draw_half;
    resample.keep = keep;
    resample.context = &all;
    result->threshold = resample.resampling.threshold;
    status = ggm_resample_run(&resample, resample.samples->n * sizeof(size_t), &result->info);
    if (status == GGM_OK && !spread(&all.seen, problem->p, result->info.completed, result))
        status = GGM_ERROR_MEMORY;
    if (status == GGM_OK)
        sum_up(&all.seen, problem->p, result);
    else
        ggm_stability_result_release(result);
    omp_destroy_lock(&all.lock);
    tally_release(&all.seen);
    ggm_resample_end(&resample);
    return status;
}

void ggm_stability_result_release(ggm_stability_result *result)
{
    if (!result)
        return;
    ggm_sparse_release(&result->frequency);
    ggm_free(result->positive);
    *result = (ggm_stability_result){0};
}

double ggm_stability_bound(double q, double threshold, size_t p)
{
    if (p < 2)
        return 0;
    return threshold > 0.5 ? q * q / ((2 * threshold - 1) * (0.5 * (double)p * (double)(p - 1))) : INFINITY;
}
