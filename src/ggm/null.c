/* The matched null: what the problem finds when every variable is permuted on its own. Replicates write to places of their own, which are put
 * together in the order of their numbers. */
#include "ggm/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double *size;          /* (count) |rho| of the edges, NULL until the replicate is solved */
    size_t count;
} replicate;

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* |rho| of all edges, descending. NULL: no memory. */
static double *edge_sizes(const ggm_sparse *precision, size_t *count)
{
    *count = ggm_count_edges(precision);
    double *size = ggm_alloc(*count, sizeof *size), *root = ggm_diagonal_roots(precision);
    if (!size || !root) {
        ggm_free(size);
        ggm_free(root);
        return NULL;
    }
    size_t at = 0;
    for (size_t i = 0; i < precision->p; i++)
        for (size_t k = precision->start[i]; k < precision->start[i + 1]; k++) {
            const size_t j = (size_t)precision->index[k];
            if (j > i && precision->value[k] != 0)
                size[at++] = fabs(precision->value[k]) / (root[i] * root[j]);
        }
    ggm_free(root);
    qsort(size, at, sizeof *size, descending);
    return size;
}

static ggm_status keep(void *context, int number, const ggm_sparse *precision)
{
    replicate *one = (replicate *)context + number;
    one->size = edge_sizes(precision, &one->count);
    return one->size ? GGM_OK : GGM_ERROR_MEMORY;
}

static bool put_together(const replicate *all, int planned, ggm_null_result *result)
{
    size_t pooled = 0, done = 0;
    for (int b = 0; b < planned; b++)
        pooled += all[b].size ? all[b].count : 0;
    result->null_edges = ggm_alloc((size_t)result->info.completed, sizeof *result->null_edges);
    result->null_largest = ggm_alloc((size_t)result->info.completed, sizeof *result->null_largest);
    result->pooled = ggm_alloc(pooled, sizeof *result->pooled);
    if (!result->null_edges || !result->null_largest || !result->pooled)
        return false;
    for (int b = 0; b < planned; b++) {
        const replicate *one = &all[b];
        if (!one->size)
            continue;
        result->null_edges[done] = one->count;
        result->null_largest[done++] = one->count > 0 ? one->size[0] : 0;
        memcpy(result->pooled + result->pooled_count, one->size, one->count * sizeof *one->size);
        result->pooled_count += one->count;
    }
    qsort(result->pooled, result->pooled_count, sizeof *result->pooled, descending);
    result->mean_null_edges = done > 0 ? (double)pooled / (double)done : 0;
    result->false_share = done > 0 ? ggm_null_false_share(result, 0) : NAN;
    return true;
}

ggm_status ggm_shuffle_null(const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *resampling, ggm_null_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_null_result){0};
    ggm_resample resample;
    ggm_status status = ggm_resample_begin(&resample, problem, settings, resampling, 20, 2);
    if (status != GGM_OK)
        return status;
    const int planned = resample.resampling.count;
    replicate *all = ggm_alloc_zero((size_t)planned, sizeof *all);
    result->p = problem->p;
    result->real = edge_sizes(&resample.full.precision, &result->edges);
    status = all && result->real ? GGM_OK : GGM_ERROR_MEMORY;
    resample.draw = ggm_draw_shuffle;
    resample.keep = keep;
    resample.context = all;
    const size_t entry = resample.samples->x ? sizeof(double) : sizeof(float);
    if (status == GGM_OK)
        status = ggm_resample_run(&resample, resample.samples->n * problem->p * entry, &result->info);
    if (status == GGM_OK && !put_together(all, planned, result))
        status = GGM_ERROR_MEMORY;
    for (int b = 0; all && b < planned; b++)
        ggm_free(all[b].size);
    ggm_free(all);
    ggm_resample_end(&resample);
    if (status != GGM_OK)
        ggm_null_result_release(result);
    return status;
}

void ggm_null_result_release(ggm_null_result *result)
{
    if (!result)
        return;
    ggm_free(result->real);
    ggm_free(result->null_edges);
    ggm_free(result->null_largest);
    ggm_free(result->pooled);
    *result = (ggm_null_result){0};
}

/* ---- what the replicates say ---- */
/* How many of the descending values are at least `least` */
static size_t at_least(const double *value, size_t count, double least)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (value[middle] >= least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static double all_pairs(const ggm_null_result *result)
{
    return result->info.completed * (0.5 * (double)result->p * ((double)result->p - 1));
}

double ggm_null_false_share(const ggm_null_result *result, double rho)
{
    const double real = (double)at_least(result->real, result->edges, fabs(rho));
    const double null = (double)at_least(result->pooled, result->pooled_count, fabs(rho));
    if (result->info.completed == 0)
        return NAN;
    return real > 0 ? fmin(1, null / result->info.completed / real) : 0;
}

double ggm_null_family_p(const ggm_null_result *result, double rho)
{
    int larger = 0;
    for (int b = 0; b < result->info.completed; b++)
        larger += result->null_largest[b] >= fabs(rho);
    return (1.0 + larger) / (1.0 + result->info.completed);
}

double ggm_null_pair_p(const ggm_null_result *result, double rho)
{
    const double all = all_pairs(result);
    const double larger = fabs(rho) > 0 ? (double)at_least(result->pooled, result->pooled_count, fabs(rho)) : all;
    return (1 + larger) / (1 + all);
}

double ggm_null_quantile(const ggm_null_result *result, double probability)
{
    const double all = all_pairs(result);
    if (!(probability >= 0 && probability <= 1) || !(all > 0))
        return NAN;
    const double above = fmin(floor(all * (1 - probability) * (1 + 1e-12)), all - 1); /* may lie above v; the factor forgives rounding */
    return above < (double)result->pooled_count ? result->pooled[(size_t)above] : 0;
}
