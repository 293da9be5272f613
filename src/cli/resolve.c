/* Names to paths. See resolve.h. The cache layout is huggingface_hub's: models--org--name/{refs/<revision>, snapshots/<commit>/}. */
#include "cli/resolve.h"
#include "base/error.h"

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

static char *hub_cache(void)
{
    const char *direct[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"};
    for (gsize i = 0; i < G_N_ELEMENTS(direct); i++) {
        const char *value = g_getenv(direct[i]);
        if (value && *value)
            return g_strdup(value);
    }
    const char *home = g_getenv("HF_HOME");
    if (home && *home)
        return g_build_filename(home, "hub", NULL);
    return g_build_filename(g_get_user_cache_dir(), "huggingface", "hub", NULL);
}

/* "org/name" with nothing that could leave the cache folder. */
static gboolean looks_like_hub_id(const char *name)
{
    const char *slash = strchr(name, '/');
    if (!slash || slash == name || slash[1] == '\0' || strchr(slash + 1, '/') || strstr(name, "..") || name[0] == '.')
        return FALSE;
    return TRUE;
}

static char *snapshot_path(const char *name, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(name, "@", 2);
    const char *revision = parts[1] ? parts[1] : "main";
    g_auto(GStrv) org_name = g_strsplit(parts[0], "/", 2);
    g_autofree char *cache = hub_cache();
    g_autofree char *repo = g_strdup_printf("models--%s--%s", org_name[0], org_name[1]);
    g_autofree char *ref = g_build_filename(cache, repo, "refs", revision, NULL);
    g_autofree char *commit = NULL;
    if (g_file_get_contents(ref, &commit, NULL, NULL))
        g_strstrip(commit);
    else
        commit = g_strdup(revision); /* a commit hash names its snapshot itself */
    g_autofree char *path = g_build_filename(cache, repo, "snapshots", commit, NULL);
    if (g_file_test(path, G_FILE_TEST_IS_DIR))
        return g_steal_pointer(&path);
    glint_fail(error, GLINT_ERROR_IO, "'%s' is neither a folder nor in the Hugging Face cache %s (revision %s); fetch it with `huggingface-cli download %s` or give the path of a model folder",
               name, cache, revision, parts[0]);
    return NULL;
}

char *glint_resolve_model(const char *name, GError **error)
{
    if (strcmp(name, "demo") == 0)
        return demo_path("model", error);
    if (g_file_test(name, G_FILE_TEST_EXISTS)) {
        g_autofree char *config = g_build_filename(name, "config.json", NULL);
        if (g_file_test(name, G_FILE_TEST_IS_DIR) && g_file_test(config, G_FILE_TEST_EXISTS))
            return g_strdup(name);
        glint_fail(error, GLINT_ERROR_IO, "'%s' is no model folder; give the folder that holds config.json, model.safetensors and tokenizer.json", name);
        return NULL;
    }
    if (looks_like_hub_id(name))
        return snapshot_path(name, error);
    glint_fail(error, GLINT_ERROR_IO, "there is no model folder '%s'; give a folder with config.json, model.safetensors and tokenizer.json, or org/name", name);
    return NULL;
}

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
