/* The jobs that fill a results folder. See results.h. */
#include "cli/results.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "draw/draw.h"

#include <glib/gstdio.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- finding results ---- */

void glint_result_free(GlintResult *self)
{
    if (!self)
        return;
    g_free(self->class_name);
    g_free(self->site);
    g_free(self->path);
    g_free(self);
}

static gboolean is_result(const char *folder)
{
    g_autofree char *precision = g_build_filename(folder, "precision.npz", NULL);
    return g_file_test(precision, G_FILE_TEST_IS_REGULAR);
}

static int layer_of(const char *site)
{
    int layer = -1;
    return sscanf(site, "blocks.%d.", &layer) == 1 ? layer : -1;
}

static gint compare_results(gconstpointer a, gconstpointer b)
{
    const GlintResult *x = *(GlintResult *const *)a, *y = *(GlintResult *const *)b;
    int by_class = strcmp(x->class_name, y->class_name), by_layer = layer_of(x->site) - layer_of(y->site);
    return by_class ? by_class : by_layer ? by_layer : strcmp(x->site, y->site);
}

static void add_sites(GPtrArray *found, const char *root, const char *class_name)
{
    g_autofree char *folder = g_build_filename(root, class_name, NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *site;
    while (dir && (site = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, site, NULL);
        if (site[0] == '.' || !is_result(path))
            continue;
        /* the folder's name is the class's with awkward bytes escaped; the certificate has the name itself */
        g_autoptr(json_t) certificate = glint_certificate_read(path);
        const char *true_name = certificate ? json_string_value(json_object_get(certificate, "class")) : NULL;
        GlintResult *result = g_new0(GlintResult, 1);
        result->class_name = g_strdup(true_name ? true_name : class_name);
        result->site = g_strdup(site);
        result->path = g_steal_pointer(&path);
        g_ptr_array_add(found, result);
    }
}

GPtrArray *glint_results_find(const char *path, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)glint_result_free);
    if (is_result(path)) {
        GlintResult *result = g_new0(GlintResult, 1);
        result->class_name = g_strdup("");
        result->site = g_strdup("");
        result->path = g_strdup(path);
        g_ptr_array_add(found, result);
        return g_steal_pointer(&found);
    }
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    if (!dir) {
        glint_fail(error, GLINT_ERROR_IO, "there is no folder '%s'", path);
        return NULL;
    }
    const char *class_name;
    while ((class_name = g_dir_read_name(dir)))
        if (class_name[0] != '.' && strcmp(class_name, "compare") != 0 && strcmp(class_name, "moments") != 0)
            add_sites(found, path, class_name);
    if (found->len == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s holds no precision.npz and no <class>/<site>/precision.npz; run glint solve first", path);
        return NULL;
    }
    g_ptr_array_sort(found, compare_results);
    return g_steal_pointer(&found);
}

gboolean glint_results_each(const char *path, GlintResultJob job, guint64 seed, const char *done, GError **error)
{
    g_autoptr(GPtrArray) results = glint_results_find(path, error);
    for (guint k = 0; results && k < results->len; k++) {
        const GlintResult *result = g_ptr_array_index(results, k);
        if (!glint_check_interrupt(error) || !job(result->path, seed, error))
            return FALSE;
        glint_say("%s: %s", result->path, done);
    }
    return results != NULL;
}

json_t *glint_certificate_read(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, "certificate.json", NULL);
    return g_file_test(path, G_FILE_TEST_IS_REGULAR) ? glint_json_read(path, NULL) : NULL;
}

gboolean glint_has_files(const char *folder, const char *const *names)
{
    for (; *names; names++) {
        g_autofree char *path = g_build_filename(folder, *names, NULL);
        GStatBuf about;
        if (g_stat(path, &about) != 0 || !S_ISREG(about.st_mode) || about.st_size == 0)
            return FALSE;
    }
    return TRUE;
}

gboolean glint_has_graph(const char *folder)
{
    static const char *const names[] = {"edges.csv", "modules.csv", "graph.dot", "graph.graphml", NULL};
    g_autoptr(GlintGraph) graph = glint_has_files(folder, names) ? glint_graph_read(folder, NULL) : NULL;
    return graph != NULL;
}

gboolean glint_has_pictures(const char *folder)
{
    static const char *const names[] = {"precision.png", "graph.png", "graph.svg", NULL};
    return glint_has_files(folder, names);
}

/* ---- graph ---- */

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

static gboolean write_graph_files(const GlintGraph *graph, const char *folder, GError **error)
{
    g_autofree char *title = title_of(folder);
    g_autofree char *edges = g_build_filename(folder, "edges.csv", NULL), *modules = g_build_filename(folder, "modules.csv", NULL);
    g_autofree char *dot = g_build_filename(folder, "graph.dot", NULL), *graphml = g_build_filename(folder, "graph.graphml", NULL);
    return glint_graph_write_edges(graph, edges, error) && glint_graph_write_modules(graph, modules, error) &&
           glint_graph_write_dot(graph, title, dot, error) && glint_graph_write_graphml(graph, title, graphml, error);
}

gboolean glint_job_graph(const char *folder, const double *covariance, guint64 seed, GError **error)
{
    g_autofree char *npz = g_build_filename(folder, "precision.npz", NULL);
    g_autoptr(GlintCsr) precision = glint_csr_read(npz, error);
    if (!precision)
        return FALSE;
    g_autoptr(GPtrArray) neurons = g_ptr_array_new_with_free_func(g_free);
    g_autofree double *mean = NULL, *sd = NULL;
    if (!read_neurons(folder, precision->rows, neurons, &mean, &sd, error))
        return FALSE;
    g_autoptr(GlintArray) stored = NULL;
    if (!covariance) {
        GError *problem = NULL;
        stored = read_covariance(folder, precision->rows, &problem);
        if (problem) {
            g_propagate_error(error, problem);
            return FALSE;
        }
        covariance = stored ? stored->data : NULL;
    }
    g_autoptr(GlintGraph) graph = glint_graph_new(precision, (char *const *)neurons->pdata, covariance, mean, sd, error);
    return graph && glint_graph_measure(graph, seed, error) && write_graph_files(graph, folder, error);
}

/* ---- pictures ---- */

gboolean glint_job_draw(const char *folder, guint64 seed, GError **error)
{
    g_autoptr(GlintGraph) graph = glint_graph_read(folder, error);
    if (!graph)
        return FALSE;
    g_autoptr(json_t) certificate = glint_certificate_read(folder);
    GlintCaption caption = {.lambda = NAN};
    if (certificate) {
        caption.site = glint_json_string(certificate, "site", NULL, NULL);
        caption.class_name = glint_json_string(certificate, "class", NULL, NULL);
        caption.lambda = glint_json_real(certificate, "lambda", NAN, NULL);
        caption.n_samples = (gsize)glint_json_int(certificate, "n", 0, NULL);
    }
    g_autofree char *heatmap = g_build_filename(folder, "precision.png", NULL);
    g_autofree char *png = g_build_filename(folder, "graph.png", NULL), *svg = g_build_filename(folder, "graph.svg", NULL);
    char *const paths[] = {png, svg, NULL};
    return glint_draw_heatmap(graph, &caption, heatmap, error) && glint_draw_graph(graph, &caption, seed, paths, error);
}

/* ---- comparison ---- */

/* What run.json and the summary say of a comparison; the files hold the rest. */
static json_t *describe_comparison(const GlintComparison *comparison, const char *site, const char *folder)
{
    enum { STRONGEST = 5 };
    json_t *classes = json_object(), *strongest = json_array();
    for (gsize c = 0; c < comparison->n_classes; c++)
        json_object_set_new(classes, comparison->classes[c],
                            json_pack("{s:I, s:I}", "edges", (json_int_t)comparison->n_own[c], "only", (json_int_t)comparison->n_only[c]));
    for (gsize k = 0; k < MIN(comparison->n_edges, (gsize)STRONGEST); k++) {
        const GlintSharedEdge *edge = &comparison->edges[k];
        json_t *pcor = json_object();
        for (gsize c = 0; c < comparison->n_classes; c++)
            json_object_set_new(pcor, comparison->classes[c], json_real(edge->pcor[c]));
        json_array_append_new(strongest, json_pack("{s:s, s:s, s:o}", "a", edge->a, "b", edge->b, "pcor", pcor));
    }
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:f, s:o, s:o}", "site", site ? site : "", "folder", folder, "edges", (json_int_t)comparison->n_edges, "shared",
                     (json_int_t)comparison->n_all, "opposite", (json_int_t)comparison->n_opposite, "jaccard", comparison->jaccard, "classes", classes,
                     "strongest", strongest);
}

gboolean glint_job_compare(char *const *folders, char *const *classes, gsize n_classes, const char *site, const char *out, gboolean pictures, json_t *report, GError **error)
{
    g_autoptr(GPtrArray) graphs = g_ptr_array_new_with_free_func((GDestroyNotify)glint_graph_free);
    for (gsize c = 0; c < n_classes; c++) {
        GlintGraph *graph = glint_graph_read(folders[c], error);
        if (!graph)
            return FALSE;
        g_ptr_array_add(graphs, graph);
    }
    GlintGraph *const *list = (GlintGraph *const *)graphs->pdata;
    g_autoptr(GlintComparison) comparison = glint_compare(list, classes, n_classes, error);
    for (gsize c = 0; comparison && c < n_classes; c++) {
        g_autoptr(json_t) certificate = glint_certificate_read(folders[c]);
        comparison->lambda[c] = certificate ? glint_json_real(certificate, "lambda", NAN, NULL) : NAN;
    }
    g_autoptr(GlintFolder) folder = comparison ? glint_folder_new(out, error) : NULL;
    if (!folder || !glint_comparison_write(comparison, glint_folder_path(folder), error))
        return FALSE;
    g_autofree char *png = g_build_filename(glint_folder_path(folder), "partial_correlations.png", NULL);
    if (pictures && !glint_draw_comparison(list, classes, n_classes, site, png, error))
        return FALSE;
    if (report)
        json_array_append_new(report, describe_comparison(comparison, site, out));
    return glint_folder_commit(g_steal_pointer(&folder), error);
}
