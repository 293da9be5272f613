/* A layer of a results folder, as steering needs it. See layer.h.
 *
 * Everything is read from the files that `glint run` leaves, so that steering starts from what the user sees in the folder. The graphs of
 * all classes have the same neurons (glint chooses columns once for all classes); where somebody solved them apart, this says so. */
#include "steer/layer.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

void glint_steer_layer_free(GlintSteerLayer *self)
{
    if (!self)
        return;
    g_free(self->column);
    g_strfreev(self->neurons);
    g_strfreev(self->classes);
    g_free(self->mean);
    g_free(self->sd);
    g_free(self->overall);
    g_free(self->effect);
    glint_csr_free(self->precision);
    glint_graph_free(self->graph);
    g_free(self->covariance);
    g_free(self);
}

/* "L5.N1234" and "L5.H3.17" to the column of the site. */
static gboolean column_of(const char *neuron, const GlintSite *site, gsize width, gsize head_size, gsize *column)
{
    const char *dot = strchr(neuron, '.');
    g_autofree char *prefix = g_strdup_printf("L%zu.", site->layer);
    guint64 head = 0, index;
    char *end;
    if (!dot || !g_str_has_prefix(neuron, prefix) || (dot[1] != 'N' && dot[1] != 'H') || !g_ascii_isdigit(dot[2]))
        return FALSE;
    index = g_ascii_strtoull(dot + 2, &end, 10);
    if (dot[1] == 'H') {
        head = index;
        if (*end != '.' || !g_ascii_isdigit(end[1]))
            return FALSE;
        index = g_ascii_strtoull(end + 1, &end, 10);
    }
    if (*end || index >= width || head >= width)
        return FALSE;
    *column = (gsize)(head * head_size + index);
    return *column < width;
}

/* Neurons and columns from the first graph that is read; all others must have the same. */
static gboolean take_neurons(GlintSteerLayer *self, const GlintGraph *graph, const char *folder, gsize head_size, GError **error)
{
    self->p = graph->p;
    self->column = g_new(gsize, self->p + 1);
    self->neurons = g_new0(char *, self->p + 1);
    self->mean = g_new(double, self->n_classes * self->p + 1);
    self->sd = g_new0(double, self->p + 1);
    for (gsize i = 0; i < self->p; i++) {
        self->neurons[i] = g_strdup(graph->nodes[i].neuron);
        if (!column_of(self->neurons[i], &self->site, self->width, head_size, &self->column[i]))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s/modules.csv: '%s' is no neuron of this model's layer %zu (%zu columns); was the folder made with another model?",
                              folder, self->neurons[i], self->site.layer, self->width);
    }
    return TRUE;
}

static gboolean same_neurons(const GlintSteerLayer *self, const GlintGraph *graph, const char *folder, GError **error)
{
    if (graph->p != self->p)
        return glint_fail(error, GLINT_ERROR_DATA, "%s has %zu neurons where the other classes have %zu; run glint solve and glint graph again on the whole folder", folder,
                          graph->p, self->p);
    for (gsize i = 0; i < self->p; i++)
        if (strcmp(graph->nodes[i].neuron, self->neurons[i]) != 0)
            return glint_fail(error, GLINT_ERROR_DATA, "%s: row %zu is %s, in the other classes it is %s; run glint solve and glint graph again on the whole folder", folder, i,
                              graph->nodes[i].neuron, self->neurons[i]);
    return TRUE;
}

static gboolean take_class(GlintSteerLayer *self, gsize c, const GlintGraph *graph, const char *folder, gsize head_size, GError **error)
{
    if ((c == 0 && !take_neurons(self, graph, folder, head_size, error)) || !same_neurons(self, graph, folder, error))
        return FALSE;
    for (gsize i = 0; i < self->p; i++) {
        const GlintNode *node = &graph->nodes[i];
        if (!isfinite(node->mean) || !isfinite(node->sd))
            return glint_fail(error, GLINT_ERROR_DATA, "%s/modules.csv has no mean and sd of %s; run glint graph again", folder, node->neuron);
        self->mean[c * self->p + i] = node->mean;
        self->sd[i] += node->sd * node->sd / (double)self->n_classes;
    }
    return TRUE;
}

/* The pooled covariance, as far as every class has one. */
static gboolean add_covariance(GlintSteerLayer *self, gsize c, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "covariance.npy", NULL);
    if ((c > 0 && !self->covariance) || !g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_clear_pointer(&self->covariance, g_free);
        return TRUE;
    }
    g_autoptr(GlintArray) array = glint_npy_read(path, GLINT_F64, error);
    if (!array)
        return FALSE;
    if (array->n_dims != 2 || array->shape[0] != self->p || array->shape[1] != self->p)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s is not %zu x %zu, as the graph beside it is; run glint solve again", path, self->p, self->p);
    const double *values = array->data;
    if (c == 0)
        self->covariance = g_new0(double, self->p * self->p);
    for (gsize k = 0; k < self->p * self->p; k++)
        self->covariance[k] += values[k] / (double)self->n_classes;
    return TRUE;
}

static char *folder_of(const GlintSteerLayer *self, const char *root, const char *class_folder)
{
    g_autofree char *site = glint_site_name(&self->site);
    return g_build_filename(root, class_folder, site, NULL);
}

static gboolean read_class(GlintSteerLayer *self, gsize c, const char *folder, gsize head_size, GError **error)
{
    g_autoptr(GlintGraph) graph = glint_graph_read(folder, error);
    return graph && take_class(self, c, graph, folder, head_size, error) && add_covariance(self, c, folder, error);
}

/* What is steered by. */
static gboolean read_graph(GlintSteerLayer *self, const char *folder, GError **error)
{
    g_autofree char *precision = g_build_filename(folder, "precision.npz", NULL);
    self->graph = glint_graph_read(folder, error);
    if (!self->graph || !same_neurons(self, self->graph, folder, error) || !(self->precision = glint_csr_read(precision, error)))
        return FALSE;
    return (self->precision->rows == self->p && self->precision->cols == self->p) ||
           glint_fail(error, GLINT_ERROR_FORMAT, "%s is not %zu x %zu, as the graph beside it is; run glint graph again", precision, self->p, self->p);
}

static gboolean find_class(const GlintSteerLayer *self, const char *name, gsize *index, GError **error)
{
    for (*index = 0; *index < self->n_classes; (*index)++)
        if (strcmp(self->classes[*index], name) == 0)
            return TRUE;
    g_autofree char *all = g_strjoinv(", ", self->classes);
    return glint_fail(error, GLINT_ERROR_USAGE, "there is no class '%s'; the classes are %s", name, all);
}

static void compare_classes(GlintSteerLayer *self)
{
    const gsize p = self->p;
    self->overall = g_new0(double, p + 1);
    self->effect = g_new0(double, p + 1);
    for (gsize i = 0; i < p; i++) {
        self->sd[i] = sqrt(self->sd[i]);
        for (gsize c = 0; c < self->n_classes; c++)
            self->overall[i] += self->mean[c * p + i] / (double)self->n_classes;
        self->effect[i] = self->sd[i] > 0 ? (self->mean[self->towards * p + i] - self->mean[self->away * p + i]) / self->sd[i] : 0;
    }
}

GlintSteerLayer *glint_steer_layer_read(const char *root, char *const *classes, char *const *folders, const char *graph_folder, const char *towards, const char *away,
                                        const GlintSite *site, gsize width, gsize head_size, GError **error)
{
    g_autoptr(GlintSteerLayer) self = g_new0(GlintSteerLayer, 1);
    self->site = *site;
    self->width = width;
    self->classes = g_strdupv((char **)classes);
    self->n_classes = g_strv_length(self->classes);
    if (!find_class(self, towards, &self->towards, error) || !find_class(self, away, &self->away, error))
        return NULL;
    if (self->towards == self->away) {
        glint_fail(error, GLINT_ERROR_USAGE, "steering needs two classes to tell apart, and was given '%s' twice", towards);
        return NULL;
    }
    for (gsize c = 0; c < self->n_classes; c++) {
        g_autofree char *folder = folder_of(self, root, folders[c]);
        if (!read_class(self, c, folder, head_size, error))
            return NULL;
    }
    g_autofree char *graph = folder_of(self, root, graph_folder);
    if (!read_graph(self, graph, error))
        return NULL;
    compare_classes(self);
    return g_steal_pointer(&self);
}

/* ---- modules ---- */

typedef struct { gsize row, degree; } Member;

static int hubs_first(const void *a, const void *b)
{
    const Member *x = a, *y = b;
    if (x->degree != y->degree)
        return x->degree > y->degree ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

GArray *glint_steer_module(const GlintSteerLayer *self, int module)
{
    g_autofree gsize *degree = g_new0(gsize, self->p + 1);
    for (gsize e = 0; e < self->graph->n_edges; e++) {
        const GlintEdge *edge = &self->graph->edges[e];
        if (self->graph->nodes[edge->i].module == module && self->graph->nodes[edge->j].module == module) {
            degree[edge->i]++;
            degree[edge->j]++;
        }
    }
    g_autoptr(GArray) members = g_array_new(FALSE, FALSE, sizeof(Member));
    for (gsize i = 0; i < self->p; i++)
        if (self->graph->nodes[i].module == module)
            g_array_append_vals(members, &(Member){i, degree[i]}, 1);
    g_array_sort(members, hubs_first);
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (guint k = 0; k < members->len; k++)
        g_array_append_val(rows, g_array_index(members, Member, k).row);
    return rows;
}

void glint_steer_submatrix(const GlintSteerLayer *self, const gsize *rows, gsize n, double *out)
{
    g_autofree gint64 *place = g_new(gint64, self->p + 1);
    for (gsize i = 0; i < self->p; i++)
        place[i] = -1;
    for (gsize k = 0; k < n; k++)
        place[rows[k]] = (gint64)k;
    memset(out, 0, n * n * sizeof *out);
    for (gsize k = 0; k < n; k++)
        for (gint64 e = self->precision->indptr[rows[k]]; e < self->precision->indptr[rows[k] + 1]; e++)
            if (place[self->precision->indices[e]] >= 0)
                out[k * n + (gsize)place[self->precision->indices[e]]] = self->precision->data[e];
}

double glint_steer_separation(const GlintSteerLayer *self, const gsize *rows, gsize n)
{
    g_autofree double *theta = g_new(double, n * n + 1), *difference = g_new(double, n + 1), *weight = g_new0(double, n + 1);
    double between = 0, within = 0;
    glint_steer_submatrix(self, rows, n, theta);
    for (gsize a = 0; a < n; a++)
        difference[a] = self->mean[self->towards * self->p + rows[a]] - self->mean[self->away * self->p + rows[a]];
    for (gsize a = 0; a < n; a++) {
        for (gsize b = 0; b < n; b++)
            weight[a] += theta[a * n + b] * difference[b];
        between += weight[a] * difference[a];
    }
    if (!self->covariance)
        return sqrt(MAX(between, 0)); /* w' Theta^-1 w = w' difference: the same form */
    for (gsize a = 0; a < n; a++)
        for (gsize b = 0; b < n; b++)
            within += weight[a] * weight[b] * self->covariance[rows[a] * self->p + rows[b]];
    return within > 0 ? between / sqrt(within) : 0;
}
