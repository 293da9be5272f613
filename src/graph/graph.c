/* Building a graph from a precision matrix: checks, partial correlations, and the order of edges that every file and
 * picture relies on (decreasing |rho|, ties by i, then j, so that equal input gives equal bytes).
 *
 * A GlintGraph owns all it points to. glint_graph_new() copies what it is given. */
#include "graph/graph.h"
#include "base/error.h"
#include "graph/internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Solvers leave both triangles equal up to rounding; more than this (relative to sqrt(theta_ii theta_jj)) is a broken file. */
static const double symmetry_tolerance = 1e-6;
static const double pcor_slack = 1e-9; /* |rho| may exceed 1 by rounding only */

/* ---- neuron ids ---- */

/* Ids go into CSV, DOT and XML: text that all three carry. */
gboolean gli_neuron_valid(const char *neuron)
{
    if (!neuron || !*neuron || !g_utf8_validate(neuron, -1, NULL))
        return FALSE;
    for (const char *c = neuron; *c; c = g_utf8_next_char(c)) {
        gunichar u = g_utf8_get_char(c);
        if (g_unichar_iscntrl(u) || (u & 0xfffe) == 0xfffe)
            return FALSE;
    }
    return TRUE;
}

static gboolean check_neurons(char *const *neurons, gsize p, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < p; i++) {
        if (!gli_neuron_valid(neurons[i]))
            return glint_fail(error, GLINT_ERROR_DATA, "neuron id %zu is empty, not UTF-8, or holds control characters", i);
        if (!g_hash_table_add(seen, neurons[i]))
            return glint_fail(error, GLINT_ERROR_DATA, "neuron id '%s' occurs twice; ids must be distinct", neurons[i]);
    }
    return TRUE;
}

/* ---- the matrix ---- */

static gboolean check_structure(const GlintCsr *matrix, GError **error)
{
    if (matrix->rows != matrix->cols)
        return glint_fail(error, GLINT_ERROR_DATA, "the precision matrix is %zu x %zu, a graph needs a square one", matrix->rows, matrix->cols);
    if (matrix->indptr[0] != 0 || matrix->indptr[matrix->rows] != (gint64)matrix->nnz)
        return glint_fail(error, GLINT_ERROR_DATA, "the precision matrix has a row index that does not fit its %zu entries", matrix->nnz);
    for (gsize i = 0; i < matrix->rows; i++) {
        if (matrix->indptr[i] > matrix->indptr[i + 1])
            return glint_fail(error, GLINT_ERROR_DATA, "the precision matrix has a decreasing row index at row %zu", i);
        for (gint64 k = matrix->indptr[i]; k < matrix->indptr[i + 1]; k++) {
            gint32 j = matrix->indices[k];
            if (j < 0 || (gsize)j >= matrix->cols || (k > matrix->indptr[i] && matrix->indices[k - 1] >= j))
                return glint_fail(error, GLINT_ERROR_DATA, "row %zu of the precision matrix has columns out of range or not ascending", i);
            if (!isfinite(matrix->data[k]))
                return glint_fail(error, GLINT_ERROR_DATA, "entry (%zu, %d) of the precision matrix is not finite; solve again", i, j);
        }
    }
    return TRUE;
}

/* Entry (i, j), or 0 when it is not stored. */
static double entry(const GlintCsr *matrix, gsize i, gsize j)
{
    gint64 low = matrix->indptr[i], high = matrix->indptr[i + 1];
    while (low < high) {
        gint64 middle = low + (high - low) / 2;
        if ((gsize)matrix->indices[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low < matrix->indptr[i + 1] && (gsize)matrix->indices[low] == j ? matrix->data[low] : 0;
}

static double *read_diagonal(const GlintCsr *matrix, char *const *neurons, GError **error)
{
    g_autofree double *diagonal = g_new(double, matrix->rows + 1);
    for (gsize i = 0; i < matrix->rows; i++) {
        diagonal[i] = entry(matrix, i, i);
        if (!(diagonal[i] > 0)) {
            glint_fail(error, GLINT_ERROR_DATA, "the precision matrix is not positive definite: its diagonal entry for %s is %g", neurons[i], diagonal[i]);
            return NULL;
        }
    }
    return g_steal_pointer(&diagonal);
}

/* sqrt(a b), with one rounding less than sqrt(a) sqrt(b) where the product neither overflows nor underflows. */
static double geometric_mean(double a, double b)
{
    double product = a * b;
    return product > 1e-290 && product < 1e290 ? sqrt(product) : sqrt(a) * sqrt(b);
}

/* rho_ij of one stored entry, checked against its mirror image. */
static gboolean edge_pcor(const GlintCsr *matrix, const double *diagonal, gsize i, gsize j, double value, char *const *neurons, double *pcor, GError **error)
{
    double scale = geometric_mean(diagonal[i], diagonal[j]), mirror = entry(matrix, j, i);
    if (!(fabs(value - mirror) <= symmetry_tolerance * MAX(scale, fabs(value))))
        return glint_fail(error, GLINT_ERROR_DATA, "the precision matrix is not symmetric at %s, %s: %g and %g; both triangles must be stored",
                          neurons[i], neurons[j], value, mirror);
    *pcor = -value / scale;
    if (!(fabs(*pcor) <= 1 + pcor_slack))
        return glint_fail(error, GLINT_ERROR_DATA, "the precision matrix is not positive definite: the partial correlation of %s and %s is %g", neurons[i], neurons[j], *pcor);
    *pcor = CLAMP(*pcor, -1.0, 1.0);
    return TRUE;
}

static double correlation(const double *covariance, gsize p, gsize i, gsize j)
{
    if (!covariance || !(covariance[i * p + i] > 0 && covariance[j * p + j] > 0))
        return NAN;
    double cor = covariance[i * p + j] / geometric_mean(covariance[i * p + i], covariance[j * p + j]);
    return isfinite(cor) ? cor : NAN;
}

int gli_compare_edges(const void *a, const void *b)
{
    const GlintEdge *x = a, *y = b;
    double sx = fabs(x->pcor), sy = fabs(y->pcor);
    if (sx != sy)
        return sx > sy ? -1 : 1;
    if (x->i != y->i)
        return x->i < y->i ? -1 : 1;
    return (x->j > y->j) - (x->j < y->j);
}

static gsize count_upper(const GlintCsr *matrix)
{
    gsize count = 0;
    for (gsize i = 0; i < matrix->rows; i++)
        for (gint64 k = matrix->indptr[i]; k < matrix->indptr[i + 1]; k++)
            count += (gsize)matrix->indices[k] > i && matrix->data[k] != 0;
    return count;
}

static gboolean fill_edges(GlintGraph *self, const GlintCsr *matrix, const double *diagonal, char *const *neurons, const double *covariance, GError **error)
{
    for (gsize i = 0; i < self->p; i++)
        for (gint64 k = matrix->indptr[i]; k < matrix->indptr[i + 1]; k++) {
            gsize j = (gsize)matrix->indices[k];
            double pcor = 0, value = matrix->data[k];
            if (i == j || value == 0)
                continue;
            if (!edge_pcor(matrix, diagonal, i, j, value, neurons, &pcor, error))
                return FALSE;
            if (i < j && pcor != 0) /* 0: so small that rho underflows */
                self->edges[self->n_edges++] = (GlintEdge){.i = i, .j = j, .precision = value, .pcor = pcor, .cor = correlation(covariance, self->p, i, j)};
        }
    qsort(self->edges, self->n_edges, sizeof *self->edges, gli_compare_edges);
    return TRUE;
}

/* ---- the graph ---- */

GlintGraph *gli_graph_alloc(gsize p, gsize most_edges, GError **error)
{
    GlintGraph *self = g_new0(GlintGraph, 1);
    self->nodes = g_try_new0(GlintNode, p + 1);
    self->edges = g_try_new(GlintEdge, most_edges + 1);
    if (self->nodes && self->edges) {
        self->p = p;
        return self;
    }
    g_free(self->nodes);
    g_free(self->edges);
    g_free(self);
    glint_fail(error, GLINT_ERROR_FAILED, "no memory for a graph of %zu nodes and %zu edges", p, most_edges);
    return NULL;
}

void gli_graph_count(GlintGraph *self)
{
    for (gsize i = 0; i < self->p; i++) {
        self->nodes[i].degree = 0;
        self->nodes[i].strength = 0;
    }
    for (gsize k = 0; k < self->n_edges; k++) {
        const GlintEdge *edge = &self->edges[k];
        self->nodes[edge->i].degree++;
        self->nodes[edge->j].degree++;
        self->nodes[edge->i].strength += fabs(edge->pcor);
        self->nodes[edge->j].strength += fabs(edge->pcor);
    }
}

GlintGraph *glint_graph_new(const GlintCsr *precision, char *const *neurons, const double *covariance, const double *mean, const double *sd, GError **error)
{
    if (!check_structure(precision, error) || !check_neurons(neurons, precision->rows, error))
        return NULL;
    g_autofree double *diagonal = read_diagonal(precision, neurons, error);
    if (!diagonal)
        return NULL;
    g_autoptr(GlintGraph) self = gli_graph_alloc(precision->rows, count_upper(precision), error);
    if (!self)
        return NULL;
    for (gsize i = 0; i < self->p; i++)
        self->nodes[i] = (GlintNode){.neuron = g_strdup(neurons[i]), .mean = mean ? mean[i] : NAN, .sd = sd ? sd[i] : NAN, .module = -1};
    if (!fill_edges(self, precision, diagonal, neurons, covariance, error))
        return NULL;
    gli_graph_count(self);
    return g_steal_pointer(&self);
}

void glint_graph_free(GlintGraph *self)
{
    if (!self)
        return;
    for (gsize i = 0; i < self->p; i++)
        g_free(self->nodes[i].neuron);
    g_free(self->nodes);
    g_free(self->edges);
    g_free(self);
}
