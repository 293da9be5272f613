/* Control sets. See controls.h. */
#include "steer/controls.h"
#include "base/error.h"
#include "base/talk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLOSEST 8          /* candidates for a neuron of equal degree */
#define BATCH_TOKENS 4096

typedef struct { gsize row; double key; } Ranked;

static int largest_first(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static void hubs_first(const GlintSteerLayer *layer, GArray *rows)
{
    g_autofree Ranked *ranked = g_new(Ranked, rows->len + 1);
    for (guint k = 0; k < rows->len; k++) {
        const gsize row = g_array_index(rows, gsize, k);
        ranked[k] = (Ranked){row, (double)layer->graph->nodes[row].degree};
    }
    qsort(ranked, rows->len, sizeof *ranked, largest_first);
    for (guint k = 0; k < rows->len; k++)
        g_array_index(rows, gsize, k) = ranked[k].row;
}

static gboolean *marks_of(const GlintSteerLayer *layer, const GArray *rows)
{
    gboolean *marked = g_new0(gboolean, layer->p + 1);
    for (guint k = 0; k < rows->len; k++)
        marked[g_array_index(rows, gsize, k)] = TRUE;
    return marked;
}

/* GRand takes 32-bit words; its sequence is the same on every machine. */
static GRand *rand_of(guint64 seed) { return g_rand_new_with_seed_array((const guint32[]){(guint32)seed, (guint32)(seed >> 32)}, 2); }

/* Rows that may be drawn, ascending. */
static GArray *outside(const GlintSteerLayer *layer, const GArray *module)
{
    g_autofree gboolean *inside = marks_of(layer, module);
    const gboolean few = layer->p - module->len < module->len;
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize row = 0; row < layer->p; row++)
        if (few || !inside[row])
            g_array_append_val(rows, row);
    return rows;
}

GArray *glint_steer_random_rows(const GlintSteerLayer *layer, const GArray *module, guint64 seed)
{
    GRand *rand = rand_of(seed);
    GArray *rows = outside(layer, module);
    for (guint k = 0; k < module->len; k++) { /* Fisher-Yates, as far as needed */
        const guint other = (guint)g_rand_int_range(rand, (gint32)k, (gint32)rows->len);
        const gsize row = g_array_index(rows, gsize, k);
        g_array_index(rows, gsize, k) = g_array_index(rows, gsize, other);
        g_array_index(rows, gsize, other) = row;
    }
    g_array_set_size(rows, module->len);
    hubs_first(layer, rows);
    g_rand_free(rand);
    return rows;
}

GArray *glint_steer_matched_rows(const GlintSteerLayer *layer, const GArray *module, guint64 seed)
{
    GRand *rand = rand_of(seed);
    g_autoptr(GArray) candidates = outside(layer, module);
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (guint k = 0; k < module->len; k++) {
        const gsize degree = layer->graph->nodes[g_array_index(module, gsize, k)].degree;
        g_autofree Ranked *ranked = g_new(Ranked, candidates->len + 1);
        for (guint c = 0; c < candidates->len; c++)
            ranked[c] = (Ranked){c, -fabs((double)layer->graph->nodes[g_array_index(candidates, gsize, c)].degree - (double)degree) - 0.5 * g_rand_double(rand)};
        qsort(ranked, candidates->len, sizeof *ranked, largest_first); /* the random half breaks ties of degree */
        const guint chosen = (guint)ranked[g_rand_int_range(rand, 0, (gint32)MIN(candidates->len, (guint)CLOSEST))].row;
        g_array_append_val(rows, g_array_index(candidates, gsize, chosen));
        g_array_remove_index_fast(candidates, chosen);
    }
    g_rand_free(rand);
    return rows;
}

GArray *glint_steer_top_rows(const GlintSteerLayer *layer, gsize n)
{
    g_autofree Ranked *ranked = g_new(Ranked, layer->p + 1);
    for (gsize row = 0; row < layer->p; row++)
        ranked[row] = (Ranked){row, fabs(layer->effect[row])};
    qsort(ranked, layer->p, sizeof *ranked, largest_first);
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize k = 0; k < MIN(n, layer->p); k++)
        g_array_append_val(rows, ranked[k].row);
    hubs_first(layer, rows);
    return rows;
}

/* ---- the correlation graph ---- */

static double correlation(const GlintSteerLayer *layer, gsize i, gsize j)
{
    const gsize p = layer->p;
    return CLAMP(layer->covariance[i * p + j] / sqrt(layer->covariance[i * p + i] * layer->covariance[j * p + j]), -1, 1);
}

/* |r| of the m-th strongest pair. */
static double threshold_of(const GlintSteerLayer *layer, gsize m)
{
    const gsize p = layer->p, pairs = p * (p - 1) / 2;
    g_autofree Ranked *ranked = g_new(Ranked, pairs + 1);
    gsize count = 0;
    for (gsize i = 0; i < p; i++)
        for (gsize j = i + 1; j < p; j++, count++)
            ranked[count] = (Ranked){count, fabs(correlation(layer, i, j))};
    qsort(ranked, pairs, sizeof *ranked, largest_first);
    return ranked[MIN(m, pairs) - 1].key;
}

/* A matrix whose graph has edges of strength r where |r| >= threshold: a unit diagonal and -r. */
static GlintCsr *correlation_matrix(const GlintSteerLayer *layer, double threshold)
{
    const gsize p = layer->p;
    g_autoptr(GArray) indices = g_array_new(FALSE, FALSE, sizeof(gint32)), data = g_array_new(FALSE, FALSE, sizeof(double));
    GlintCsr *matrix = g_new0(GlintCsr, 1);
    matrix->rows = matrix->cols = p;
    matrix->indptr = g_new0(gint64, p + 1);
    for (gsize i = 0; i < p; i++) {
        for (gsize j = 0; j < p; j++) {
            const double r = i == j ? -1 : correlation(layer, MIN(i, j), MAX(i, j));
            if (i != j && !(fabs(r) >= threshold && r != 0))
                continue;
            const gint32 index = (gint32)j;
            const double value = -r;
            g_array_append_val(indices, index);
            g_array_append_val(data, value);
        }
        matrix->indptr[i + 1] = indices->len;
    }
    matrix->nnz = indices->len;
    matrix->indices = (gint32 *)(void *)g_array_free(g_steal_pointer(&indices), FALSE);
    matrix->data = (double *)(void *)g_array_free(g_steal_pointer(&data), FALSE);
    return matrix;
}

/* Up to n neurons: those that are there, then the ones most strongly correlated with them on average. */
static void fill_up(const GlintSteerLayer *layer, GArray *rows, gsize n)
{
    g_autofree gboolean *inside = marks_of(layer, rows);
    g_autofree Ranked *ranked = g_new(Ranked, layer->p + 1);
    gsize count = 0;
    for (gsize row = 0; row < layer->p; row++) {
        if (inside[row])
            continue;
        ranked[count] = (Ranked){row, 0};
        for (guint k = 0; k < rows->len; k++)
            ranked[count].key += fabs(correlation(layer, row, g_array_index(rows, gsize, k)));
        count++;
    }
    qsort(ranked, count, sizeof *ranked, largest_first);
    for (gsize k = 0; rows->len < n && k < count; k++)
        g_array_append_val(rows, ranked[k].row);
    g_array_set_size(rows, (guint)n);
}

GArray *glint_steer_correlation_rows(const GlintSteerLayer *layer, gsize n, guint64 seed, GError **error)
{
    if (!layer->covariance || layer->graph->n_edges == 0)
        return NULL;
    g_autoptr(GlintCsr) matrix = correlation_matrix(layer, threshold_of(layer, layer->graph->n_edges));
    g_autoptr(GlintGraph) graph = glint_graph_new(matrix, layer->neurons, NULL, NULL, NULL, error);
    if (!graph || !glint_graph_measure(graph, seed, error))
        return NULL;
    GlintSteerLayer view = *layer; /* the same neurons under another graph */
    view.graph = graph;
    GArray *best = NULL;
    double most = -1;
    for (gsize module = 0; module < graph->n_modules; module++) {
        g_autoptr(GArray) rows = glint_steer_module(&view, (int)module);
        const double separation = glint_steer_separation(layer, (const gsize *)(void *)rows->data, rows->len);
        if (2 * rows->len < n || separation <= most)
            continue;
        most = separation;
        g_clear_pointer(&best, g_array_unref);
        best = g_steal_pointer(&rows);
    }
    if (best)
        fill_up(layer, best, n);
    return best;
}

/* ---- the difference in means of the residual ---- */

typedef struct { double *sum; gsize skip; } Average;

static gboolean add_texts(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    const Average *average = user_data;
    (void)site;
    (void)error;
    for (gsize s = 0; s < batch->n_sequences; s++) {
        const gsize from = batch->start[s] + average->skip, to = batch->start[s + 1];
        for (gsize t = from; t < to; t++)
            for (gsize i = 0; i < width; i++)
                average->sum[i] += (double)rows[t * width + i] / (double)(to - from);
    }
    return TRUE;
}

/* Adds sign times the mean over the texts. */
static gboolean add_mean(GlintModel *model, const GlintSite *site, const GlintSteerTexts *texts, gsize skip, double sign, double *direction, gsize width, GError **error)
{
    const gsize n = glint_steer_texts_count(texts);
    g_autofree double *sum = g_new0(double, width + 1);
    Average average = {sum, skip};
    const GlintTap tap = {.site = *site, .function = add_texts, .user_data = &average, .only_reads = TRUE};
    gsize used = 0;
    for (gsize first = 0; first < n;) {
        g_autoptr(GlintSteerTexts) batch = glint_steer_texts_new();
        for (; first < n && batch->tokens->len < BATCH_TOKENS; first++)
            if (glint_steer_texts_length(texts, first) > skip)
                glint_steer_texts_add(batch, &g_array_index(texts->tokens, guint32, g_array_index(texts->start, gsize, first)), glint_steer_texts_length(texts, first));
        const gsize count = glint_steer_texts_count(batch);
        const GlintBatch run = {(const guint32 *)(void *)batch->tokens->data, (const gsize *)(void *)batch->start->data, count};
        if (!glint_check_interrupt(error) || (count > 0 && !glint_model_forward(model, &run, &tap, 1, GLINT_LOGITS_NONE, NULL, error)))
            return FALSE;
        used += count;
    }
    if (used == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "a class has no text of more than %zu tokens to take the mean residual from", skip);
    for (gsize i = 0; i < width; i++)
        direction[i] += sign * sum[i] / (double)used;
    return TRUE;
}

GlintSteerOperator *glint_steer_residual_difference(GlintModel *model, gsize layer, const GlintSteerTexts *towards, const GlintSteerTexts *away, gsize skip, GError **error)
{
    const GlintSite site = {GLINT_SITE_RESID_POST, layer};
    const gsize width = glint_model_site_width(model, site.kind);
    g_autofree double *direction = g_new0(double, width + 1);
    g_autofree gsize *columns = g_new(gsize, width + 1);
    for (gsize i = 0; i < width; i++)
        columns[i] = i;
    if (!add_mean(model, &site, towards, skip, 1, direction, width, error) || !add_mean(model, &site, away, skip, -1, direction, width, error))
        return NULL;
    return glint_steer_operator_vector(&site, columns, direction, width);
}
