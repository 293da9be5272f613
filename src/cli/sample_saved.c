/* A sample from activations that glint collect --save-activations left. See sample.h and collect/activations.h. */
#include "base/error.h"
#include "base/files.h"
#include "cli/sample.h"
#include "collect/collect.h"

#include <string.h>

/* The one folder that is meant. */
static char *find_one(const char *folder, const char *class_name, const char *site, GError **error)
{
    g_autoptr(GPtrArray) found = glint_activations_find(folder, class_name, site, error);
    if (!found || found->len == 1)
        return found ? g_strdup(g_ptr_array_index(found, 0)) : NULL;
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint k = 0; k < MIN(found->len, 6u); k++)
        g_string_append_printf(list, "%s%s", k ? ", " : "", (char *)g_ptr_array_index(found, k));
    glint_fail(error, GLINT_ERROR_USAGE, "%s holds activations of %u classes and sites (%s%s); give one of these, or --class and --site", folder, found->len, list->str,
               found->len > 6 ? ", ..." : "");
    return NULL;
}

/* All rows as f64, and the text of each. */
static GlintArray *read_rows(GlintActivations *saved, gint32 *text, GError **error)
{
    enum { PIECE = 256 };
    const gsize width = saved->width;
    g_autofree float *piece = g_try_malloc_n(width, PIECE * sizeof *piece);
    g_autoptr(GlintArray) array = g_new0(GlintArray, 1);
    *array = (GlintArray){.n_dims = 2, .shape = {saved->n, width}, .n = saved->n * width, .dtype = GLINT_F64, .data = g_try_malloc_n(saved->n, width * sizeof(double))};
    if (!piece || !array->data) {
        glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for %zu rows of %zu columns (%.1f GB); solve from moments instead "
                                              "(glint collect --from)", saved->folder, saved->n, width,
                   (double)saved->n * (double)width * 8e-9);
        return NULL;
    }
    for (gsize done = 0, n = 1; n > 0; done += n) {
        if (!glint_activations_next(saved, PIECE, piece, text + done, &n, error))
            return NULL;
        double *to = (double *)array->data + done * width;
        for (gsize k = 0; k < n * width; k++)
            to[k] = (double)piece[k];
    }
    return g_steal_pointer(&array);
}

/* Texts numbered in the order they come. */
static void number_texts(GlintSample *sample, const gint32 *text)
{
    g_autoptr(GHashTable) numbers = g_hash_table_new(g_direct_hash, g_direct_equal);
    sample->group = g_new(gsize, sample->n);
    for (gsize k = 0; k < sample->n; k++) {
        gpointer key = GINT_TO_POINTER(text[k]), number = g_hash_table_lookup(numbers, key);
        if (!number)
            g_hash_table_insert(numbers, key, number = GSIZE_TO_POINTER(g_hash_table_size(numbers) + 1));
        sample->group[k] = GPOINTER_TO_SIZE(number) - 1;
    }
    sample->n_texts = g_hash_table_size(numbers);
}

static void name_neurons(GlintSample *sample, const GlintActivations *saved)
{
    const char *head_size = json_string_value(json_object_get(json_object_get(saved->meta, "settings"), "head_size"));
    const char *list = json_string_value(json_object_get(json_object_get(saved->meta, "sae"), "features"));
    g_autoptr(GHashTable) metadata = g_hash_table_new(g_str_hash, g_str_equal);
    if (list)
        g_hash_table_insert(metadata, (char *)(gsize)"features", (char *)(gsize)list);
    g_autoptr(GArray) features = glint_collect_features(metadata);
    const gboolean some = features && features->len == saved->width;
    for (gsize i = 0; i < sample->p; i++) {
        g_free(sample->neurons[i]);
        sample->neurons[i] = glint_neuron_id(&saved->site, some ? g_array_index(features, gsize, sample->column[i]) : sample->column[i],
                                             head_size ? (gsize)g_ascii_strtoull(head_size, NULL, 10) : 0);
    }
}

GlintSample *glint_sample_from_saved(const char *folder, const char *class_name, const char *site, gboolean keep_rows, GError **error)
{
    g_autofree char *path = find_one(folder, class_name, site, error);
    g_autoptr(GlintActivations) saved = path ? glint_activations_open(path, error) : NULL;
    if (!saved)
        return NULL;
    if (saved->n == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s holds no row: no text of class %s was in that share of the data", path, saved->class_name);
        return NULL;
    }
    g_autofree gint32 *text = g_new0(gint32, saved->n + 1);
    GlintArray *rows = read_rows(saved, text, error);
    GlintSample *sample = rows ? glint_sample_from_rows(rows, path, keep_rows, error) : NULL;
    if (!sample)
        return NULL;
    name_neurons(sample, saved);
    sample->site = glint_site_name(&saved->site);
    sample->class_name = g_strdup(saved->class_name);
    if (strcmp(saved->pool, glint_pool_name(GLINT_POOL_TOKENS)) == 0)
        number_texts(sample, text);
    return sample;
}
