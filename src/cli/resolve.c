/* Names to paths. See resolve.h. */
#include "cli/resolve.h"
#include "base/error.h"
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

char *glint_resolve_dataset(const char *name, GError **error)
{
    if (strcmp(name, "demo") == 0)
        return demo_path("reviews.jsonl", error);
    if (g_file_test(name, G_FILE_TEST_EXISTS))
        return g_strdup(name);
    if (strcmp(name, "imdb") == 0 || strcmp(name, "stanfordnlp/imdb") == 0)
        glint_fail(error, GLINT_ERROR_IO, "the data set '%s' is not here; download aclImdb_v1.tar.gz from https://ai.stanford.edu/~amaas/data/sentiment/ and give its path: --dataset aclImdb_v1.tar.gz", name);
    else
        glint_fail(error, GLINT_ERROR_IO, "there is no data set '%s'; give a folder with one sub-folder of .txt files per class, an archive of that, or a .jsonl, .csv, .tsv or .txt file", name);
    return NULL;
}
