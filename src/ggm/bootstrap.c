/* Bootstrap of the edges' partial correlations (Efron 1979), percentile intervals. Each resample writes to places of its own, so the order in
 * which they finish does not show. */
#include "ggm/internal.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    ggm_bootstrap_result *result;
    int planned;
    double *value;         /* (edges, planned) rho of each edge in each resample */
    bool *done;            /* (planned) */
} table;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The edges on all samples, with their partial correlations */
static bool list_edges(const ggm_sparse *precision, ggm_bootstrap_result *result)
{
    result->count = ggm_count_edges(precision);
    result->edges = ggm_alloc_zero(result->count, sizeof *result->edges);
    double *root = ggm_diagonal_roots(precision);
    size_t at = 0;
    for (size_t i = 0; result->edges && root && i < precision->p; i++)
        for (size_t k = precision->start[i]; k < precision->start[i + 1]; k++) {
            const size_t j = (size_t)precision->index[k];
            if (j > i && precision->value[k] != 0)
                result->edges[at++] = (ggm_bootstrap_edge){.i = (int)i, .j = (int)j, .estimate = -precision->value[k] / (root[i] * root[j])};
        }
    const bool good = result->edges && root;
    ggm_free(root);
    return good;
}

static ggm_status keep(void *context, int number, const ggm_sparse *precision)
{
    const table *all = context;
    double *root = ggm_diagonal_roots(precision);
    if (!root)
        return GGM_ERROR_MEMORY;
    size_t k = 0;
    for (size_t e = 0; e < all->result->count; e++) {
        const ggm_bootstrap_edge *edge = &all->result->edges[e];
        const size_t i = (size_t)edge->i, end = precision->start[i + 1];
        k = k < precision->start[i] ? precision->start[i] : k;
        while (k < end && precision->index[k] < edge->j)
            k++;
        const bool present = k < end && precision->index[k] == edge->j;
        all->value[e * (size_t)all->planned + (size_t)number] = present ? -precision->value[k] / (root[i] * root[edge->j]) : 0;
    }
    all->done[number] = true;
    ggm_free(root);
    return GGM_OK;
}

static double quantile(const double *sorted, int count, double probability)
{
    const double place = probability * (count - 1);
    const int below = (int)place < count - 1 ? (int)place : count - 1, above = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - below) * (sorted[above] - sorted[below]);
}

static void summarise(const table *all, size_t e)
{
    ggm_bootstrap_edge *edge = &all->result->edges[e];
    double *value = all->value + e * (size_t)all->planned, mean = 0, square = 0;
    int count = 0, present = 0;
    for (int b = 0; b < all->planned; b++)
        if (all->done[b])
            value[count++] = value[b];
    qsort(value, (size_t)count, sizeof *value, ascending);
    for (int b = 0; b < count; b++) {
        mean += value[b] / count;
        present += value[b] != 0;
    }
    for (int b = 0; b < count; b++)
        square += (value[b] - mean) * (value[b] - mean);
    const double tail = (1 - all->result->level) / 2;
    edge->lower = quantile(value, count, tail);
    edge->upper = quantile(value, count, 1 - tail);
    edge->deviation = count > 1 ? sqrt(square / (count - 1)) : 0;
    edge->presence = (double)present / count;
}

static ggm_status fill(ggm_resample *resample, table *all)
{
    ggm_bootstrap_result *result = all->result;
    const size_t planned = (size_t)all->planned;
    if (!list_edges(&resample->full.precision, result) || result->count > SIZE_MAX / sizeof(double) / planned)
        return GGM_ERROR_MEMORY;
    all->value = ggm_alloc(result->count * planned, sizeof *all->value);
    all->done = ggm_alloc_zero(planned, sizeof *all->done);
    if (!all->value || !all->done)
        return GGM_ERROR_MEMORY;
    ggm_status status = ggm_resample_run(resample, resample->samples->n * sizeof(size_t), &result->info);
    for (size_t e = 0; status == GGM_OK && e < result->count; e++) {
        if (result->info.completed > 0)
            summarise(all, e);
        else
            result->edges[e].lower = result->edges[e].upper = result->edges[e].deviation = result->edges[e].presence = NAN;
    }
    return status;
}

ggm_status ggm_bootstrap(const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *resampling, ggm_bootstrap_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_bootstrap_result){0};
    ggm_resample resample;
    ggm_status status = ggm_resample_begin(&resample, problem, settings, resampling, 200, 2);
    if (status != GGM_OK)
        return status;
    table all = {.result = result, .planned = resample.resampling.count};
    result->p = problem->p;
    result->level = resample.resampling.level;
    resample.draw = ggm_draw_bootstrap;
    resample.keep = keep;
    resample.context = &all;
    status = fill(&resample, &all);
    ggm_free(all.value);
    ggm_free(all.done);
    ggm_resample_end(&resample);
    if (status != GGM_OK)
        ggm_bootstrap_result_release(result);
    return status;
}

void ggm_bootstrap_result_release(ggm_bootstrap_result *result)
{
    if (!result)
        return;
    ggm_free(result->edges);
    *result = (ggm_bootstrap_result){0};
}
