/* What the graphs of classes share. Neurons are matched by id, so the graphs may have different neurons in different orders:
 * every id gets a number at its first appearance, the classes in turn, and an edge is keyed by its two numbers. */
#include "base/error.h"
#include "graph/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* While the union is built: numbers of the two ends; the pcor rows lie in one block. */
typedef struct { gsize a, b, row; double difference; } Pair;

typedef struct {
    GHashTable *number;  /* neuron id -> number + 1 */
    GPtrArray *neurons;  /* number -> id, borrowed from the graphs */
    GHashTable *row;     /* Pair -> itself */
    GPtrArray *pairs;
    GArray *pcor;        /* n_classes doubles a row */
} Union;

static guint pair_hash(gconstpointer key)
{
    const Pair *pair = key;
    guint64 mixed = ((guint64)pair->a << 32 ^ (guint64)pair->b) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    return (guint)(mixed >> 32);
}

static gboolean pair_equal(gconstpointer x, gconstpointer y)
{
    return ((const Pair *)x)->a == ((const Pair *)y)->a && ((const Pair *)x)->b == ((const Pair *)y)->b;
}

static void union_init(Union *self)
{
    self->number = g_hash_table_new(g_str_hash, g_str_equal);
    self->neurons = g_ptr_array_new();
    self->row = g_hash_table_new(pair_hash, pair_equal);
    self->pairs = g_ptr_array_new_with_free_func(g_free);
    self->pcor = g_array_new(FALSE, TRUE, sizeof(double));
}

static void union_release(Union *self)
{
    g_hash_table_unref(self->row);
    g_hash_table_unref(self->number);
    g_ptr_array_unref(self->neurons);
    g_ptr_array_unref(self->pairs);
    g_array_unref(self->pcor);
}

static void add_neurons(Union *self, const GlintGraph *graph)
{
    for (gsize i = 0; i < graph->p; i++)
        if (!g_hash_table_contains(self->number, graph->nodes[i].neuron)) {
            g_ptr_array_add(self->neurons, graph->nodes[i].neuron);
            g_hash_table_insert(self->number, graph->nodes[i].neuron, GSIZE_TO_POINTER((gsize)self->neurons->len));
        }
}

static void add_edges(Union *self, const GlintGraph *graph, gsize c, gsize n_classes)
{
    g_autofree gsize *number = g_new(gsize, graph->p + 1);
    for (gsize i = 0; i < graph->p; i++)
        number[i] = GPOINTER_TO_SIZE(g_hash_table_lookup(self->number, graph->nodes[i].neuron)) - 1;
    for (gsize k = 0; k < graph->n_edges; k++) {
        gsize x = number[graph->edges[k].i], y = number[graph->edges[k].j];
        Pair key = {.a = MIN(x, y), .b = MAX(x, y)}, *pair = g_hash_table_lookup(self->row, &key);
        if (!pair) {
            pair = g_memdup2(&key, sizeof key);
            pair->row = self->pairs->len;
            g_ptr_array_add(self->pairs, pair);
            g_hash_table_add(self->row, pair);
            g_array_set_size(self->pcor, (guint)((pair->row + 1) * n_classes));
        }
        g_array_index(self->pcor, double, pair->row * n_classes + c) = graph->edges[k].pcor;
    }
}

static gint compare_pairs(gconstpointer x, gconstpointer y)
{
    const Pair *a = *(Pair *const *)x, *b = *(Pair *const *)y;
    if (a->difference != b->difference)
        return a->difference > b->difference ? -1 : 1;
    if (a->a != b->a)
        return a->a < b->a ? -1 : 1;
    return (a->b > b->b) - (a->b < b->b);
}

double gli_largest_difference(const double *pcor, gsize n_classes)
{
    double low = pcor[0], high = pcor[0];
    for (gsize c = 1; c < n_classes; c++) {
        low = MIN(low, pcor[c]);
        high = MAX(high, pcor[c]);
    }
    return high - low;
}

static void count_edge(GlintComparison *self, const double *pcor)
{
    gsize n_have = 0, n_positive = 0, only = 0;
    for (gsize c = 0; c < self->n_classes; c++)
        if (pcor[c] != 0) {
            n_have++;
            n_positive += pcor[c] > 0;
            only = c;
            self->n_own[c]++;
        }
    if (n_have == 1)
        self->n_only[only]++;
    if (n_have == self->n_classes) {
        self->n_all++;
        self->n_opposite += n_positive > 0 && n_positive < n_have;
    }
}

static void fill_edges(GlintComparison *self, Union *all)
{
    gsize n_classes = self->n_classes;
    for (guint k = 0; k < all->pairs->len; k++) {
        Pair *pair = g_ptr_array_index(all->pairs, k);
        pair->difference = gli_largest_difference(&g_array_index(all->pcor, double, pair->row * n_classes), n_classes);
    }
    g_ptr_array_sort(all->pairs, compare_pairs);
    self->n_edges = all->pairs->len;
    self->edges = g_new0(GlintSharedEdge, self->n_edges + 1);
    for (gsize k = 0; k < self->n_edges; k++) {
        const Pair *pair = g_ptr_array_index(all->pairs, k);
        GlintSharedEdge *edge = &self->edges[k];
        edge->a = g_strdup(g_ptr_array_index(all->neurons, pair->a));
        edge->b = g_strdup(g_ptr_array_index(all->neurons, pair->b));
        edge->pcor = g_memdup2(&g_array_index(all->pcor, double, pair->row * n_classes), n_classes * sizeof(double));
        count_edge(self, edge->pcor);
    }
    self->jaccard = self->n_edges > 0 ? (double)self->n_all / (double)self->n_edges : 1;
}

static gboolean check_arguments(GlintGraph *const *graphs, char *const *classes, gsize n_classes, GError **error)
{
    if (n_classes < 2)
        return glint_fail(error, GLINT_ERROR_DATA, "a comparison needs the graphs of two classes or more, not %zu", n_classes);
    gsize most = 0;
    for (gsize c = 0; c < n_classes; c++) {
        for (gsize d = 0; d < c; d++)
            if (strcmp(classes[c], classes[d]) == 0)
                return glint_fail(error, GLINT_ERROR_DATA, "two of the classes to compare are called '%s'; give them different names", classes[c]);
        most += graphs[c]->n_edges;
    }
    if (most >= G_MAXUINT / (2 * n_classes))
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "the graphs have %zu edges together, too many to compare; choose a larger lambda", most);
    return TRUE;
}

GlintComparison *glint_compare(GlintGraph *const *graphs, char *const *classes, gsize n_classes, GError **error)
{
    if (!check_arguments(graphs, classes, n_classes, error))
        return NULL;
    GlintComparison *self = g_new0(GlintComparison, 1);
    *self = (GlintComparison){.n_classes = n_classes, .classes = g_new0(char *, n_classes + 1), .n_own = g_new0(gsize, n_classes), .n_only = g_new0(gsize, n_classes),
                              .n_neurons = g_new0(gsize, n_classes), .n_modules = g_new0(gsize, n_classes),
                              .modularity = g_new0(double, n_classes), .lambda = g_new0(double, n_classes)};
    Union all;
    union_init(&all);
    for (gsize c = 0; c < n_classes; c++) {
        self->classes[c] = g_strdup(classes[c]);
        self->n_neurons[c] = graphs[c]->p;
        self->n_modules[c] = graphs[c]->n_modules;
        self->modularity[c] = graphs[c]->modularity;
        self->lambda[c] = NAN;
        add_neurons(&all, graphs[c]);
    }
    for (gsize c = 0; c < n_classes; c++)
        add_edges(&all, graphs[c], c, n_classes);
    fill_edges(self, &all);
    union_release(&all);
    return self;
}

void glint_comparison_free(GlintComparison *self)
{
    if (!self)
        return;
    for (gsize k = 0; k < self->n_edges; k++) {
        g_free(self->edges[k].a);
        g_free(self->edges[k].b);
        g_free(self->edges[k].pcor);
    }
    g_free(self->edges);
    g_strfreev(self->classes);
    g_free(self->n_own);
    g_free(self->n_only);
    g_free(self->n_neurons);
    g_free(self->n_modules);
    g_free(self->modularity);
    g_free(self->lambda);
    g_free(self);
}
