/* Names to paths. See resolve.h. */
#include "cli/resolve.h"
#include "base/error.h"
#include "base/talk.h"
#include "hub/dataset.h"
#include "hub/dataset_name.h"
#include "hub/hub.h"

#include <string.h>

/* The demo lies in the source tree while developing and in share/glint once installed; GLINT_DATA_DIR overrules both. */
static char *demo_path(const char *entry, GError **error)
{
    const char *wanted = g_getenv("GLINT_DATA_DIR");
    const char *const own[] = {wanted, NULL}, *const usual[] = {GLINT_INSTALLED_DATA_DIR, GLINT_SOURCE_DATA_DIR, NULL};
    const char *const *places = wanted && *wanted ? own : usual;
    for (gsize i = 0; places[i]; i++) {
        g_autofree char *path = g_build_filename(places[i], "demo", entry, NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&path);
    }
    g_autofree char *looked = g_strjoinv(" or ", (char **)places);
    glint_fail(error, GLINT_ERROR_IO, "the demo is not in %s; set GLINT_DATA_DIR to the folder that holds demo/%s", looked, entry);
    return NULL;
}

/* What is neither here nor a name of the hub. */
static char *fail_unknown(const char *name, GError **error)
{
    g_autofree char *meant = glint_hub_suggest(name);
    glint_fail(error, GLINT_ERROR_IO, "there is no model folder '%s'; give a folder with config.json, model.safetensors and tokenizer.json, or "
               "org/name of the Hugging Face hub%s%s%s", name,
               meant ? " (did you mean " : "", meant ? meant : "", meant ? "?)" : "");
    return NULL;
}

static char *resolve(const char *name, gboolean tokenizer_only, GError **error)
{
    if (strcmp(name, "demo") == 0)
        return demo_path("model", error);
    if (g_file_test(name, G_FILE_TEST_EXISTS)) {
        g_autofree char *config = g_build_filename(name, "config.json", NULL);
        if (g_file_test(name, G_FILE_TEST_IS_DIR) && g_file_test(config, G_FILE_TEST_EXISTS))
            return g_strdup(name);
        glint_fail(error, GLINT_ERROR_IO, "'%s' is no model folder; give the folder that holds config.json, model.safetensors and tokenizer.json",
                   name);
        return NULL;
    }
    if (!glint_hub_is_name(name))
        return fail_unknown(name, error);
    const GlintHubOptions options = {.tokenizer_only = tokenizer_only};
    g_autoptr(GlintHubSnapshot) snapshot = glint_hub_fetch(name, &options, error);
    return snapshot ? g_steal_pointer(&snapshot->path) : NULL;
}

char *glint_resolve_model(const char *name, GError **error) { return resolve(name, FALSE, error); }

char *glint_resolve_tokenizer(const char *name, GError **error) { return resolve(name, TRUE, error); }

/* A name with a slash may be a path with a typo as well as a data set of the hub, so a refusal says both. */
static gboolean from_hub(const char *name, const GlintDatasetOptions *options, GlintHubDataset *out, GError **error)
{
    GlintHubDatasetOptions hub = {options->text_column, options->label_column, options->max_samples, options->seed};
    const char *canonical = glint_dataset_alias(name);
    if (canonical)
        glint_say("data: '%s' is %s on the Hugging Face hub", name, canonical);
    if (glint_hub_dataset_fetch(name, &hub, out, error))
        return TRUE;
    if (canonical && strcmp(canonical, "stanfordnlp/imdb") == 0 && !g_error_matches(*error, GLINT_ERROR, GLINT_ERROR_INTERRUPTED)) {
        char *longer = g_strconcat((*error)->message, " (the original archive has the same reviews: --dataset https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz)", NULL);
        g_free((*error)->message);
        (*error)->message = longer;
    } else if (!canonical && !strchr(name, ':'))
        g_prefix_error(error, "there is no file or folder '%s', and on the hub: ", name);
    return FALSE;
}

static gboolean fail_no_dataset(const char *name, GError **error)
{
    const char *near = glint_dataset_nearest(name);
    g_autofree char *hint = near ? g_strdup_printf("; did you mean '%s' (%s)?", near, glint_dataset_alias(near)) : g_strdup("");
    return glint_fail(error, GLINT_ERROR_IO, "there is no data set '%s'; give a folder with one sub-folder of .txt files per class, an archive of that, a .jsonl, .csv, .tsv or .txt file, "
                      "or a data set of the hub as org/name%s", name, hint);
}

static gboolean find_dataset(const char *name, const GlintDatasetOptions *options, GlintHubDataset *out, GError **error)
{
    g_auto(GlintDatasetName) parsed = {0};
    if (strcmp(name, "demo") == 0)
        return (out->path = demo_path("reviews.jsonl", error)) != NULL;
    if (g_file_test(name, G_FILE_TEST_EXISTS))
        return (out->path = g_strdup(name)) != NULL;
    if (g_str_has_prefix(name, "https://") || g_str_has_prefix(name, "http://"))
        return (out->path = glint_hub_download_url(name, error)) != NULL;
    return glint_dataset_name_parse(name, &parsed) ? from_hub(name, options, out, error) : fail_no_dataset(name, error);
}

GlintDataset *glint_resolve_open_dataset(const char *name, const GlintDatasetOptions *options, char **path, GError **error)
{
    g_auto(GlintHubDataset) found = {0};
    g_autoptr(GError) problem = NULL;
    if (!find_dataset(name, options, &found, &problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    GlintDatasetOptions own = *options;
    if (found.text_column)
        own.text_column = found.text_column;
    if (found.label_column)
        own.label_column = found.label_column;
    GlintDataset *dataset = glint_dataset_open(found.path, &own, error);
    if (dataset && path)
        *path = g_steal_pointer(&found.path);
    return dataset;
}
