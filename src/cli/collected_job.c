/* Everything that was collected in one folder: solved, graphed, drawn, class by class and site by site, and the classes compared.
 * See results.h. One site is in memory at a time: its moments for every class, because which columns are left out is decided
 * over all classes together, so that their graphs have the same nodes. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/results.h"
#include "collect/columns.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define ALL_CLASSES "all"

/* ---- which sites there are ---- */

/* Sites with moments of the first class, by kind and layer. */
static GArray *collected_sites(const char *root, const char *class_name, GError **error)
{
    g_autoptr(GArray) sites = glint_collect_sites(root, class_name);
    if (sites->len > 0)
        return g_steal_pointer(&sites);
    g_autofree char *class_folder = glint_class_folder(class_name);
    glint_fail(error, GLINT_ERROR_DATA, "%s/moments/%s holds no moments; run glint collect first", root, class_folder);
    return NULL;
}

/* ---- one site ---- */

typedef struct {
    const char *root;
    const GlintArgs *args;
    GlintJob last;
    GPtrArray *classes;
    json_t *report;          /* array or NULL */
    const char *pool;
    gboolean bos;            /* texts start with the same special token */
    gsize head_size;
    const gsize *features;   /* of the site under way: numbers of the columns, where they are some of an SAE's features */
    gboolean *all_converged;
    GlintSolvePlan plan;
    json_t *counts;          /* moments/settings.json: what was collected of each class */
} SolveAll;

static void warn_left_out(const SolveAll *all, const GlintColumns *columns, const GlintSite *site)
{
    if (columns->n_constant == 0)
        return;
    g_autofree char *site_name = glint_site_name(site);
    g_autoptr(GString) ids = g_string_new(NULL);
    for (gsize k = 0; k < MIN(columns->n_constant, 10); k++) {
        g_autofree char *id = glint_neuron_id(site, all->features ? all->features[columns->constant[k]] : columns->constant[k], all->head_size);
        g_string_append_printf(ids, " %s", id);
    }
    glint_warn("%s: %zu of %zu columns do not vary in some class and are left out:%s%s", site_name, columns->n_constant, columns->width, ids->str,
               columns->n_constant > 10 ? " ..." : "");
}

static json_t *describe_result(const char *folder, const GlintSample *sample, gboolean reused, GError **error)
{
    g_autoptr(json_t) certificate = glint_certificate_read(folder);
    g_autoptr(GlintGraph) graph = certificate ? glint_graph_read(folder, error) : NULL;
    if (!graph) {
        if (error && !*error)
            glint_fail(error, GLINT_ERROR_IO, "cannot read %s/certificate.json", folder);
        return NULL;
    }
    gsize hub = 0;
    for (gsize i = 1; i < graph->p; i++)
        if (graph->nodes[i].strength > graph->nodes[hub].strength)
            hub = i;
    static const char *const copied[] = {"n", "p", "lambda", "lambda_rule", "edges", "components", "largest_component", "objective", "relative_duality_gap",
                                         "kkt_residual", "iterations", "seconds", "outcome"};
    json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:f, s:s, s:b}", "class", sample->class_name, "site", sample->site, "folder", folder, "modules",
                             (json_int_t)graph->n_modules, "modularity", graph->modularity, "hub", graph->n_edges ? graph->nodes[hub].neuron : "", "reused", reused);
    for (gsize k = 0; k < G_N_ELEMENTS(copied); k++) {
        json_t *value = json_object_get(certificate, copied[k]);
        if (value)
            json_object_set(root, copied[k], value);
    }
    return root;
}

/* Graph and pictures of what was solved, as far as they are wanted; then the folder is swapped in. Takes the folder over. */
static gboolean finish_result(const SolveAll *all, const GlintSample *sample, GlintFolder *solved, gboolean converged, GError **error)
{
    g_autoptr(GlintFolder) folder = solved;
    const guint64 seed = (guint64)all->args->common.seed;
    const char *temporary = glint_folder_path(folder);
    if ((all->last >= GLINT_JOB_GRAPH && !glint_job_graph(temporary, sample->covariance, seed, error)) ||
        (all->last >= GLINT_JOB_DRAW && !glint_job_draw(temporary, seed, error)))
        return FALSE;
    if (!converged) {
        *all->all_converged = FALSE;
        glint_warn("%s %s: the solver stopped before its tolerance; its certificate has the true gap", sample->class_name, sample->site);
    }
    return glint_folder_commit(g_steal_pointer(&folder), error);
}

/* Builds <class>/<site> under a temporary name and swaps it in. */
static gboolean build_result(const SolveAll *all, const GlintSample *sample, const char *path, GError **error)
{
    gboolean converged;
    g_autoptr(GlintFolder) folder = glint_folder_new(path, error);
    g_autofree char *unfinished = glint_unfinished_path(path);
    return folder && glint_job_solve(sample, all->args, glint_folder_path(folder), unfinished, &converged, error) &&
           finish_result(all, sample, g_steal_pointer(&folder), converged, error);
}

/* *reused: <class>/<site> is there and was made from the same data with the same settings, so only what is missing is added.
 * What was deleted or damaged since is made again. */
static gboolean complete_existing(const SolveAll *all, const GlintSample *sample, const char *path, gboolean *reused, GError **error)
{
    *reused = FALSE;
    g_autoptr(json_t) certificate = glint_certificate_read(path);
    const char *key = certificate ? json_string_value(json_object_get(certificate, "key")) : NULL;
    g_autofree char *wanted = glint_solve_key(sample, all->args);
    if (!key || strcmp(key, wanted) != 0)
        return TRUE;
    if (!glint_has_solution(path, sample, &all->args->solve)) {
        glint_warn("%s: files are missing or damaged; it is made again", path);
        return TRUE;
    }
    *reused = TRUE;
    const char *outcome = json_string_value(json_object_get(certificate, "outcome"));
    if (!outcome || strcmp(outcome, ggm_outcome_text(GGM_CONVERGED)) != 0)
        *all->all_converged = FALSE;
    guint64 seed = (guint64)all->args->common.seed;
    if (all->last >= GLINT_JOB_GRAPH && !glint_has_graph(path) && !glint_job_graph(path, sample->covariance, seed, error))
        return FALSE;
    return all->last < GLINT_JOB_DRAW || glint_has_pictures(path) || glint_job_draw(path, seed, error);
}

static void say_result(const char *path, const GlintSample *sample, gboolean reused)
{
    g_autoptr(json_t) certificate = glint_certificate_read(path);
    if (!certificate)
        return;
    glint_say("%s %s: %zu neurons, %" JSON_INTEGER_FORMAT " edges at lambda %.4g (%s), %.1f s%s", sample->class_name, sample->site, sample->p,
              json_integer_value(json_object_get(certificate, "edges")), json_number_value(json_object_get(certificate, "lambda")),
              json_string_value(json_object_get(certificate, "lambda_rule")), json_number_value(json_object_get(certificate, "seconds")),
              reused ? ", kept" : "");
}

/* Texts that gave a row, for rows that are tokens: a text's tokens depend on each other. 0 when it was not counted. */
static gsize texts_of(const SolveAll *all, const char *class_name)
{
    json_t *entry;
    size_t k;
    gint64 texts = 0;
    json_array_foreach(json_object_get(all->counts, "classes"), k, entry)
        if (strcmp(class_name, ALL_CLASSES) == 0 || g_strcmp0(json_string_value(json_object_get(entry, "name")), class_name) == 0)
            texts += glint_json_int(entry, "texts", 0, NULL) - glint_json_int(entry, "no_tokens", 0, NULL);
    return texts > 0 ? (gsize)texts : 0;
}

static char *result_path(const SolveAll *all, const GlintSample *sample)
{
    g_autofree char *class_folder = glint_class_folder(sample->class_name);
    return g_build_filename(all->root, class_folder, sample->site, NULL);
}

static GlintSample *sample_of(const SolveAll *all, GlintMoments *moments, const GlintColumns *columns, const GlintSite *site,
                              const char *class_name, const char *key, GError **error)
{
    g_autoptr(GlintSample) sample = glint_sample_from_moments(moments, columns->index, columns->n, site, all->head_size, all->features,
                                                              class_name, columns->n_constant, key, error);
    if (!sample)
        return NULL;
    if (g_strcmp0(all->pool, glint_pool_name(GLINT_POOL_TOKENS)) == 0)
        sample->n_texts = texts_of(all, class_name);
    g_autofree char *class_folder = glint_class_folder(class_name), *below = g_build_filename(class_folder, sample->site, NULL);
    return glint_sample_prepare(sample, &all->args->solve, &all->plan, all->args->model.threads, below, error) ? g_steal_pointer(&sample) : NULL;
}

static gboolean report_result(const SolveAll *all, const GlintSample *sample, const char *path, gboolean reused, GError **error)
{
    say_result(path, sample, reused);
    if (!all->report || all->last < GLINT_JOB_GRAPH)
        return TRUE;
    json_t *result = describe_result(path, sample, reused, error);
    if (result)
        json_array_append_new(all->report, result);
    return result != NULL;
}

static gboolean solve_class(const SolveAll *all, GlintMoments *moments, const GlintColumns *columns, const GlintSite *site, const char *class_name,
                            const char *key, GError **error)
{
    g_autoptr(GlintSample) sample = sample_of(all, moments, columns, site, class_name, key, error);
    if (!sample)
        return FALSE;
    g_autofree char *path = result_path(all, sample);
    gboolean reused;
    return glint_check_interrupt(error) && complete_existing(all, sample, path, &reused, error) && (reused || build_result(all, sample, path, error)) &&
           report_result(all, sample, path, reused, error);
}

/* ---- the classes of a site together (--joint) ---- */

static gboolean build_joint(const SolveAll *all, GPtrArray *samples, GPtrArray *paths, GError **error)
{
    g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func((GDestroyNotify)glint_folder_free), temporary = g_ptr_array_new();
    for (guint c = 0; c < samples->len; c++) {
        GlintFolder *folder = glint_folder_new(g_ptr_array_index(paths, c), error);
        if (!folder)
            return FALSE;
        g_ptr_array_add(folders, folder);
        g_ptr_array_add(temporary, (char *)(gsize)glint_folder_path(folder));
    }
    gboolean converged;
    if (!glint_job_solve_joint((GlintSample *const *)samples->pdata, samples->len, all->args, (char *const *)temporary->pdata, &converged, error))
        return FALSE;
    for (guint c = 0; c < samples->len; c++) {
        GlintFolder *folder = g_ptr_array_steal_index(folders, 0);
        if (!finish_result(all, g_ptr_array_index(samples, c), folder, converged, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean solve_classes_together(const SolveAll *all, GPtrArray *moments, const GlintColumns *columns, const GlintSite *site,
                                       GPtrArray *keys, const char *chosen, GError **error)
{
    g_autoptr(GPtrArray) samples = g_ptr_array_new_with_free_func((GDestroyNotify)glint_sample_free), paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GString) all_keys = g_string_new(chosen); /* each answer depends on every class */
    for (guint c = 0; c < keys->len; c++)
        g_string_append(all_keys, g_ptr_array_index(keys, c));
    gboolean all_reused = TRUE;
    for (guint c = 0; c < moments->len; c++) {
        g_autofree char *key = g_strconcat(g_ptr_array_index(keys, c), all_keys->str, NULL);
        GlintSample *sample = sample_of(all, g_ptr_array_index(moments, c), columns, site, g_ptr_array_index(all->classes, c), key, error);
        if (!sample)
            return FALSE;
        g_ptr_array_add(samples, sample);
        g_ptr_array_add(paths, result_path(all, sample));
        gboolean reused;
        if (!complete_existing(all, sample, g_ptr_array_index(paths, c), &reused, error))
            return FALSE;
        all_reused = all_reused && reused;
    }
    if (!glint_check_interrupt(error) || (!all_reused && !build_joint(all, samples, paths, error)))
        return FALSE;
    for (guint c = 0; c < samples->len; c++)
        if (!report_result(all, g_ptr_array_index(samples, c), g_ptr_array_index(paths, c), all_reused, error))
            return FALSE;
    return TRUE;
}

/* --with-all: the classes together, as one more class named "all" (a name that no class of several can have). */
static gboolean solve_all_together(const SolveAll *all, const GlintColumns *columns, const GlintSite *site, GPtrArray *keys, const char *chosen, GError **error)
{
    g_autoptr(GlintMoments) moments = glint_collect_load(all->root, ALL_CLASSES, site, NULL, error);
    if (!moments)
        return FALSE;
    g_autoptr(GString) key = g_string_new(chosen);
    for (guint c = 0; c < keys->len; c++)
        g_string_append(key, g_ptr_array_index(keys, c));
    return solve_class(all, moments, columns, site, ALL_CLASSES, key->str, error);
}

/* Loads one class's moments; *features: which features of an SAE its columns are (NULL: all there are), the same for all classes. */
static GlintMoments *load_class(const SolveAll *all, const GlintSite *site, guint c, GArray **features, GError **error)
{
    g_autoptr(GHashTable) metadata = NULL;
    g_autoptr(GlintMoments) moments = glint_collect_load(all->root, g_ptr_array_index(all->classes, c), site, &metadata, error);
    if (!moments)
        return NULL;
    g_autoptr(GArray) own = glint_collect_features(metadata);
    const gboolean bad = own && own->len != glint_moments_p(moments);
    if (c == 0)
        *features = own ? g_array_ref(own) : NULL;
    if (!bad && (own != NULL) == (*features != NULL) && (!own || (own->len == (*features)->len && memcmp(own->data, (*features)->data, own->len * sizeof(gsize)) == 0)))
        return g_steal_pointer(&moments);
    g_autofree char *path = glint_moments_path(all->root, g_ptr_array_index(all->classes, c), site);
    glint_fail(error, GLINT_ERROR_FORMAT, "%s: its list of features does not fit its columns, or those of the other classes; delete it and collect again", path);
    return NULL;
}

static gboolean solve_site(SolveAll *all, const GlintSite *site, GError **error)
{
    gsize n_classes = all->classes->len;
    g_autoptr(GArray) features = NULL;
    g_autoptr(GPtrArray) moments = g_ptr_array_new_with_free_func((GDestroyNotify)glint_moments_free);
    g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);
    for (gsize c = 0; c < n_classes; c++) {
        const char *class_name = g_ptr_array_index(all->classes, c);
        GlintMoments *of_class = load_class(all, site, (guint)c, &features, error);
        if (!of_class)
            return FALSE;
        g_ptr_array_add(moments, of_class);
        g_autofree char *file = glint_moments_path(all->root, class_name, site);
        char *key = glint_sha256_file(file, error);
        if (!key)
            return FALSE;
        g_ptr_array_add(keys, key);
    }
    all->features = features ? (const gsize *)(void *)features->data : NULL;
    g_autofree char *site_name = glint_site_name(site);
    GlintColumnsOptions options = {.site = site_name, .pool = all->pool, .bos = all->bos};
    if (!glint_neuron_limit(all->args->solve.neurons, &options.limit, error))
        return FALSE;
    g_autoptr(GlintColumns) columns =
        glint_columns_choose((GlintMoments *const *)moments->pdata, (const char *const *)all->classes->pdata, n_classes, &options, error);
    if (!columns)
        return FALSE;
    warn_left_out(all, columns, site);
    /* the choice of columns depends on every class, so it is part of what identifies a result */
    g_autofree char *chosen = glint_sha256_bytes(columns->index, columns->n * sizeof *columns->index);
    if (all->plan.joint)
        return solve_classes_together(all, moments, columns, site, keys, chosen, error);
    for (gsize c = 0; c < n_classes; c++) {
        g_autofree char *key = g_strconcat(g_ptr_array_index(keys, c), chosen, NULL);
        if (!solve_class(all, g_ptr_array_index(moments, c), columns, site, g_ptr_array_index(all->classes, c), key, error))
            return FALSE;
    }
    return !all->args->solve.with_all || n_classes < 2 || solve_all_together(all, columns, site, keys, chosen, error);
}

gboolean glint_job_solve_collected(const char *root, const GlintArgs *args, GlintJob last, gboolean *all_converged, json_t *report, GError **error)
{
    g_autoptr(GPtrArray) classes = glint_collect_classes(root, error);
    g_autoptr(json_t) settings = classes ? glint_collect_settings(root, error) : NULL;
    if (!settings)
        return FALSE;
    g_autoptr(GArray) sites = collected_sites(root, g_ptr_array_index(classes, 0), error);
    json_t *values = json_object_get(settings, "settings");
    const char *head_size = json_string_value(json_object_get(values, "head_size"));
    SolveAll all = {.root = root, .args = args, .last = last, .classes = classes, .report = report, .all_converged = all_converged,
                    .pool = json_string_value(json_object_get(values, "pool")), .bos = g_strcmp0(json_string_value(json_object_get(values, "prefix")), "0") != 0,
                    .head_size = head_size ? (gsize)g_ascii_strtoull(head_size, NULL, 10) : 0, .counts = settings};
    *all_converged = TRUE;
    const char *shard = json_string_value(json_object_get(values, "shard"));
    if (shard && strcmp(shard, "1/1") != 0)
        glint_warn("%s holds only shard %s of the texts: so do the results; glint merge joins the shards", root, shard);
    if (!sites || !glint_solve_plan_read(&all.plan, &args->solve, error))
        return FALSE;
    gboolean ok = !all.plan.joint || classes->len > 1 || glint_fail(error, GLINT_ERROR_DATA, "%s: --joint needs at least two classes, there is one", root);
    for (guint k = 0; ok && k < sites->len; k++)
        ok = solve_site(&all, &g_array_index(sites, GlintSite, k), error);
    glint_solve_plan_clear(&all.plan);
    return ok;
}

/* ---- comparison ---- */

static gboolean compare_site(const char *root, GPtrArray *classes, const char *site, const char *out, gboolean pictures, json_t *report, GError **error)
{
    g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free), names = g_ptr_array_new();
    for (guint c = 0; c < classes->len; c++) {
        const GlintResult *result = g_ptr_array_index(classes, c);
        if (strcmp(result->site, site) == 0 && strcmp(result->class_name, ALL_CLASSES) != 0) {
            g_ptr_array_add(folders, g_strdup(result->path));
            g_ptr_array_add(names, result->class_name);
        }
    }
    if (folders->len < 2)
        return TRUE;
    g_autofree char *path = out ? g_build_filename(out, site, NULL) : g_build_filename(root, "compare", site, NULL);
    if (!glint_check_interrupt(error) ||
        !glint_job_compare((char *const *)folders->pdata, (char *const *)names->pdata, folders->len, site, path, pictures, report, error))
        return FALSE;
    glint_say("%s: comparison written", path);
    return TRUE;
}

gboolean glint_job_compare_collected(const char *root, const char *out, gboolean pictures, json_t *report, GError **error)
{
    g_autoptr(GPtrArray) results = glint_results_find(root, error);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint k = 0; results && k < results->len; k++) {
        const GlintResult *result = g_ptr_array_index(results, k);
        if (g_hash_table_add(seen, result->site) && !compare_site(root, results, result->site, out, pictures, report, error))
            return FALSE;
    }
    return results != NULL;
}
