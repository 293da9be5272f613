/* Rows for pictures that stand side by side. No class is the yardstick: the modules that order the rows are those of the
 * union graph, where every edge has the largest |rho| any class gives it, found as for a single graph.
 *
 * A GlintJoint owns everything in it and copies what it needs of the graphs. */
#include "draw/joint.h"
#include "draw/margins.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const guint64 module_seed = 1; /* of the order only */

typedef struct { gsize a, b, graph; double pcor; } Part; /* an edge of one graph, a < b, neurons of the union */

static int compare_parts(const void *x, const void *y)
{
    const Part *p = x, *q = y;
    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    if (p->b != q->b)
        return p->b < q->b ? -1 : 1;
    return (p->graph > q->graph) - (p->graph < q->graph);
}

/* Ids of all graphs in order of first appearance, and the number of each. */
static GPtrArray *gather_neurons(GlintGraph *const *graphs, gsize n_graphs, GHashTable *numbers)
{
    GPtrArray *neurons = g_ptr_array_new();
    for (gsize g = 0; g < n_graphs; g++) {
        for (gsize i = 0; i < graphs[g]->p; i++) {
            char *id = graphs[g]->nodes[i].neuron;
            if (g_hash_table_contains(numbers, id))
                continue;
            g_hash_table_insert(numbers, id, GSIZE_TO_POINTER(neurons->len));
            g_ptr_array_add(neurons, id);
        }
    }
    return neurons;
}

static GArray *gather_parts(GlintGraph *const *graphs, gsize n_graphs, GHashTable *numbers)
{
    GArray *parts = g_array_new(FALSE, FALSE, sizeof(Part));
    for (gsize g = 0; g < n_graphs; g++) {
        for (gsize k = 0; k < graphs[g]->n_edges; k++) {
            const GlintEdge *edge = &graphs[g]->edges[k];
            if (!isfinite(edge->pcor) || edge->pcor == 0)
                continue;
            const gsize i = GPOINTER_TO_SIZE(g_hash_table_lookup(numbers, graphs[g]->nodes[edge->i].neuron));
            const gsize j = GPOINTER_TO_SIZE(g_hash_table_lookup(numbers, graphs[g]->nodes[edge->j].neuron));
            const Part part = {MIN(i, j), MAX(i, j), g, edge->pcor};
            if (i != j)
                g_array_append_val(parts, part);
        }
    }
    g_array_sort(parts, compare_parts);
    return parts;
}

/* Sorted parts -> pairs (as neurons of the union) with one value per graph. */
static void merge_parts(GlintJoint *self, const GArray *parts)
{
    self->pairs = g_new(gsize, 2 * (gsize)parts->len + 2);
    self->pcor = g_new0(double, (gsize)parts->len * self->n_graphs + 1);
    for (guint k = 0; k < parts->len; k++) {
        const Part *part = &g_array_index(parts, Part, k);
        gsize last = self->n_pairs;
        if (last == 0 || self->pairs[2 * last - 2] != part->a || self->pairs[2 * last - 1] != part->b) {
            self->pairs[2 * last] = part->a;
            self->pairs[2 * last + 1] = part->b;
            last = ++self->n_pairs;
        }
        self->pcor[(last - 1) * self->n_graphs + part->graph] = part->pcor;
    }
}

static double strongest_of(const double *values, gsize n)
{
    double strongest = 0;
    for (gsize k = 0; k < n; k++) {
        if (fabs(values[k]) > fabs(strongest))
            strongest = values[k];
    }
    return strongest;
}

/* Unit diagonal and -rho off it: a precision matrix whose partial correlations are the strongest of each pair. */
static GlintCsr *union_precision(const GlintJoint *self, gsize p)
{
    GlintCsr *csr = g_new0(GlintCsr, 1);
    csr->rows = csr->cols = p;
    csr->nnz = p + 2 * self->n_pairs;
    csr->indptr = g_new0(gint64, p + 1);
    csr->indices = g_new(gint32, csr->nnz + 1);
    csr->data = g_new(double, csr->nnz + 1);
    g_autofree gint64 *at = g_new0(gint64, p + 1);
    for (gsize k = 0; k < 2 * self->n_pairs; k++)
        csr->indptr[self->pairs[k] + 1]++;
    for (gsize i = 0; i < p; i++) {
        csr->indptr[i + 1] += csr->indptr[i] + 1;
        at[i] = csr->indptr[i];
    }
    /* Pairs are sorted by (a, b), so filling lower, diagonal, upper parts in turn leaves the columns of a row sorted. */
    for (int upper = 0; upper < 2; upper++) {
        for (gsize k = 0; k < self->n_pairs; k++) {
            const gsize row = self->pairs[2 * k + !upper], col = self->pairs[2 * k + upper];
            csr->indices[at[row]] = (gint32)col;
            csr->data[at[row]++] = -strongest_of(&self->pcor[k * self->n_graphs], self->n_graphs);
        }
        for (gsize i = 0; i < p && !upper; i++) {
            csr->indices[at[i]] = (gint32)i;
            csr->data[at[i]++] = 1;
        }
    }
    return csr;
}

/* Pairs from neurons to rows of the order. */
static void pairs_to_rows(GlintJoint *self)
{
    g_autofree gsize *row = g_new0(gsize, self->graph->p + 1);
    for (gsize k = 0; k < self->n_rows; k++)
        row[self->order[k]] = k;
    for (gsize k = 0; k < 2 * self->n_pairs; k++)
        self->pairs[k] = row[self->pairs[k]];
}

GlintJoint *glint_joint_new(GlintGraph *const *graphs, gsize n_graphs, GError **error)
{
    g_autoptr(GlintJoint) self = g_new0(GlintJoint, 1);
    g_autoptr(GHashTable) numbers = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GPtrArray) neurons = gather_neurons(graphs, n_graphs, numbers);
    g_autoptr(GArray) parts = gather_parts(graphs, n_graphs, numbers);
    const gsize p = neurons->len;
    self->n_graphs = n_graphs;
    merge_parts(self, parts);
    g_autoptr(GlintCsr) precision = union_precision(self, p);
    g_ptr_array_add(neurons, NULL);
    self->graph = glint_graph_new(precision, (char *const *)neurons->pdata, NULL, NULL, NULL, error);
    if (!self->graph || (self->n_pairs && !glint_graph_measure(self->graph, module_seed, error)))
        return NULL;
    self->order = glint_graph_order(self->graph);
    self->n_rows = glint_connected_of(self->graph, self->order);
    pairs_to_rows(self);
    return g_steal_pointer(&self);
}

void glint_joint_free(GlintJoint *self)
{
    if (!self)
        return;
    glint_graph_free(self->graph);
    g_free(self->order);
    g_free(self->pairs);
    g_free(self->pcor);
    g_free(self);
}

GlintHeatEntry *glint_joint_entries(const GlintJoint *self, gsize k, int minus)
{
    GlintHeatEntry *entries = g_new(GlintHeatEntry, self->n_pairs + 1);
    for (gsize e = 0; e < self->n_pairs; e++) {
        const double *values = &self->pcor[e * self->n_graphs];
        double base = minus >= 0 ? values[minus] : 0;
        for (gsize g = 0; g < self->n_graphs && minus == GLINT_JOINT_MEAN; g++)
            base += values[g] / (double)self->n_graphs;
        entries[e] = (GlintHeatEntry){self->pairs[2 * e], self->pairs[2 * e + 1], values[k] - base};
    }
    return entries;
}
