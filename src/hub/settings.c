/* The hub's part of the environment. See settings.h. */
#include "hub/settings.h"

#include <string.h>

static gboolean is_true(const char *value)
{
    static const char *const words[] = {"1", "on", "yes", "true"};
    for (gsize k = 0; value && k < G_N_ELEMENTS(words); k++)
        if (g_ascii_strcasecmp(value, words[k]) == 0)
            return TRUE;
    return FALSE;
}

gboolean glint_hub_offline(void) { return is_true(g_getenv("HF_HUB_OFFLINE")); }

static char *token_path(void)
{
    const char *path = g_getenv("HF_TOKEN_PATH"), *home = g_getenv("HF_HOME");
    if (path && *path)
        return g_strdup(path);
    if (home && *home)
        return g_build_filename(home, "token", NULL);
    return g_build_filename(g_get_user_cache_dir(), "huggingface", "token", NULL);
}

char *glint_hub_token(void)
{
    const char *names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        const char *value = g_getenv(names[k]);
        if (value && *value)
            return g_strstrip(g_strdup(value));
    }
    if (is_true(g_getenv("HF_HUB_DISABLE_IMPLICIT_TOKEN")))
        return NULL;
    g_autofree char *path = token_path(), *content = NULL;
    if (!g_file_get_contents(path, &content, NULL, NULL))
        return NULL;
    g_strstrip(content);
    return *content ? g_steal_pointer(&content) : NULL;
}
