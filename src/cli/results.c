/* The jobs that fill a results folder. See results.h. */
#include "cli/results.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/path_file.h"
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

static void add_result(GPtrArray *found, const char *path, const char *folder_name, const char *site)
{
    /* the folder's name is the class's with awkward bytes escaped; the certificate has the name itself */
    g_autoptr(json_t) certificate = glint_certificate_read(path);
    const char *true_name = certificate ? json_string_value(json_object_get(certificate, "class")) : NULL;
    GlintResult *result = g_new0(GlintResult, 1);
    result->class_name = g_strdup(true_name ? true_name : folder_name);
    result->site = g_strdup(site);
    result->path = g_strdup(path);
    g_ptr_array_add(found, result);
}

/* <class>/<site> of a results folder; or <class> itself, where matrices of no site were solved together */
static void add_sites(GPtrArray *found, const char *root, const char *class_name)
{
    g_autofree char *folder = g_build_filename(root, class_name, NULL);
    if (is_result(folder)) {
        add_result(found, folder, class_name, "");
        return;
    }
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *site;
    while (dir && (site = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(folder, site, NULL);
        if (site[0] == '.' || !is_result(path))
            continue;
        add_result(found, path, class_name, site);
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
    return glint_draw_heatmap(graph, &caption, heatmap, error) && glint_draw_graph(graph, &caption, seed, paths, error) && glint_path_draw(folder, error);
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
