/* precision.npz + neurons.csv -> edges.csv, modules.csv, graph.dot, graph.graphml. See results.h.
 *
 * What a solve found out about the uncertainty of its edges lies in uncertainty.npz: i and j of every edge, and as many columns more as
 * "columns" names. They become columns of edges.csv. */
#include "base/error.h"
#include "base/files.h"
#include "base/npy.h"
#include "cli/results.h"

#include <math.h>
#include <string.h>

/* neurons.csv: row,neuron,column,mean,sd; ids are made by glint and hold no commas or quotes. */
static gboolean read_neurons(const char *folder, gsize p, GPtrArray *neurons, double **mean, double **sd, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "neurons.csv", NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return FALSE;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    *mean = g_new(double, p + 1);
    *sd = g_new(double, p + 1);
    for (gsize line = 1; lines[0] && lines[line] && *lines[line]; line++) {
        g_auto(GStrv) fields = g_strsplit(lines[line], ",", -1);
        if (g_strv_length(fields) != 5 || neurons->len == p)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s line %zu: expected row,neuron,column,mean,sd for %zu neurons; run glint solve again", path, line + 1, p);
        (*mean)[neurons->len] = *fields[3] ? g_ascii_strtod(fields[3], NULL) : NAN;
        (*sd)[neurons->len] = *fields[4] ? g_ascii_strtod(fields[4], NULL) : NAN;
        g_ptr_array_add(neurons, g_strdup(fields[1]));
    }
    if (neurons->len != p)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s names %u neurons, the precision matrix has %zu; run glint solve again", path, neurons->len, p);
    return TRUE;
}

static GlintArray *read_covariance(const char *folder, gsize p, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "covariance.npy", NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return NULL;
    g_autoptr(GlintArray) array = glint_npy_read(path, GLINT_F64, error);
    if (!array)
        return NULL;
    if (array->n_dims == 2 && array->shape[0] == p && array->shape[1] == p)
        return g_steal_pointer(&array);
    glint_fail(error, GLINT_ERROR_FORMAT, "%s is not %zu x %zu as precision.npz is; run glint solve again", path, p, p);
    return NULL;
}

static char *title_of(const char *folder)
{
    g_autoptr(json_t) certificate = glint_certificate_read(folder);
    const char *site = certificate ? glint_json_string(certificate, "site", NULL, NULL) : NULL;
    const char *class_name = certificate ? glint_json_string(certificate, "class", NULL, NULL) : NULL;
    double lambda = certificate ? glint_json_real(certificate, "lambda", NAN, NULL) : NAN;
    GString *title = g_string_new(site ? site : "neuron graph");
    if (class_name)
        g_string_append_printf(title, ", class %s", class_name);
    if (isfinite(lambda))
        g_string_append_printf(title, ", lambda %.4g", lambda);
    return g_string_free(title, FALSE);
}

/* ---- edges.csv ---- */

static void column_free(gpointer data) { glint_array_free(data); }

/* Where edge (i, j) stands in the file, whose edges are ordered by i, then j; its length when it is not there. */
static gsize place_of(const GlintArray *i, const GlintArray *j, gsize row, gsize column)
{
    const gint64 *at_i = i->data, *at_j = j->data, wanted_i = (gint64)row, wanted_j = (gint64)column;
    gsize low = 0, high = i->n;
    while (low < high) {
        const gsize middle = low + (high - low) / 2;
        if (at_i[middle] < wanted_i || (at_i[middle] == wanted_i && at_j[middle] < wanted_j))
            low = middle + 1;
        else
            high = middle;
    }
    return low < i->n && at_i[low] == wanted_i && at_j[low] == wanted_j ? low : i->n;
}

static GlintArray *read_list(const char *path, const char *name, GlintDtype dtype, gsize n_edges, GError **error)
{
    g_autoptr(GlintArray) array = glint_npz_read(path, name, dtype, error);
    if (!array || (array->n_dims == 1 && array->n == n_edges))
        return g_steal_pointer(&array);
    glint_fail(error, GLINT_ERROR_FORMAT, "%s: '%s' has not one entry for each of the %zu edges; run glint solve again", path, name, n_edges);
    return NULL;
}

/* The column `name` of the file in the order of the graph's edges: an array whose data is n_edges doubles. */
static GlintArray *read_column(const char *path, const char *name, const GlintGraph *graph, const GlintArray *i, const GlintArray *j, GError **error)
{
    g_autoptr(GlintArray) column = read_list(path, name, GLINT_F64, graph->n_edges, error);
    if (!column)
        return NULL;
    double *values = column->data;
    g_autofree double *ordered = g_new(double, graph->n_edges + 1);
    for (gsize k = 0; k < graph->n_edges; k++) {
        const gsize at = place_of(i, j, graph->edges[k].i, graph->edges[k].j);
        if (at == i->n) {
            glint_fail(error, GLINT_ERROR_FORMAT, "%s says nothing of the edge %zu, %zu; run glint solve again", path, graph->edges[k].i, graph->edges[k].j);
            return NULL;
        }
        ordered[k] = values[at];
    }
    memcpy(values, ordered, graph->n_edges * sizeof *values);
    return g_steal_pointer(&column);
}

static gboolean write_edges(const GlintGraph *graph, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "edges.csv", NULL), *more = g_build_filename(folder, GLINT_UNCERTAINTY_FILE, NULL);
    if (!g_file_test(more, G_FILE_TEST_IS_REGULAR))
        return glint_graph_write_edges(graph, path, error);
    g_autoptr(GlintArray) list = glint_npz_read(more, "columns", GLINT_BYTES, error);
    g_autoptr(GlintArray) i = list ? read_list(more, "i", GLINT_I64, graph->n_edges, error) : NULL;
    g_autoptr(GlintArray) j = i ? read_list(more, "j", GLINT_I64, graph->n_edges, error) : NULL;
    if (!j)
        return FALSE;
    g_auto(GStrv) names = g_strsplit(list->data, ",", -1);
    const gsize n = g_strv_length(names);
    g_autoptr(GPtrArray) arrays = g_ptr_array_new_with_free_func(column_free);
    g_autofree GlintEdgeColumn *columns = g_new0(GlintEdgeColumn, n + 1);
    for (gsize k = 0; k < n; k++) {
        GlintArray *array = read_column(more, names[k], graph, i, j, error);
        if (!array)
            return FALSE;
        g_ptr_array_add(arrays, array);
        columns[k] = (GlintEdgeColumn){names[k], array->data};
    }
    return glint_graph_write_edges_with(graph, columns, n, path, error);
}

/* ---- the job ---- */

static gboolean write_graph_files(const GlintGraph *graph, const char *folder, GError **error)
{
    g_autofree char *title = title_of(folder), *modules = g_build_filename(folder, "modules.csv", NULL);
    g_autofree char *dot = g_build_filename(folder, "graph.dot", NULL), *graphml = g_build_filename(folder, "graph.graphml", NULL);
    return write_edges(graph, folder, error) && glint_graph_write_modules(graph, modules, error) && glint_graph_write_dot(graph, title, dot, error) &&
           glint_graph_write_graphml(graph, title, graphml, error);
}

static GlintGraph *graph_of(const char *folder, const double *covariance, GError **error)
{
    g_autofree char *npz = g_build_filename(folder, "precision.npz", NULL);
    g_autoptr(GlintCsr) precision = glint_csr_read(npz, error);
    if (!precision)
        return NULL;
    g_autoptr(GPtrArray) neurons = g_ptr_array_new_with_free_func(g_free);
    g_autofree double *mean = NULL, *sd = NULL;
    if (!read_neurons(folder, precision->rows, neurons, &mean, &sd, error))
        return NULL;
    g_autoptr(GlintArray) stored = NULL;
    if (!covariance) {
        GError *problem = NULL;
        stored = read_covariance(folder, precision->rows, &problem);
        if (problem) {
            g_propagate_error(error, problem);
            return NULL;
        }
        covariance = stored ? stored->data : NULL;
    }
    return glint_graph_new(precision, (char *const *)neurons->pdata, covariance, mean, sd, error);
}

gboolean glint_write_edges(const char *folder, const double *covariance, GError **error)
{
    g_autoptr(GlintGraph) graph = graph_of(folder, covariance, error);
    return graph && write_edges(graph, folder, error);
}

gboolean glint_job_graph(const char *folder, const double *covariance, guint64 seed, GError **error)
{
    g_autoptr(GlintGraph) graph = graph_of(folder, covariance, error);
    return graph && glint_graph_measure(graph, seed, error) && write_graph_files(graph, folder, error);
}
