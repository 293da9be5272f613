/* The hub's environment variables. See env.h. */
#include "hub/env.h"

#include "base/error.h"

#include <math.h>
#include <string.h>

#define DEFAULT_TIMEOUT 10.0

static const char *value_of(const char *name)
{
    const char *value = g_getenv(name);
    return value != NULL && *value != '\0' ? value : NULL;
}

static gboolean is_true(const char *name)
{
    static const char *const yes[] = {"1", "ON", "YES", "TRUE"};
    const char *value = value_of(name);
    for (gsize i = 0; value != NULL && i < G_N_ELEMENTS(yes); i++) {
        if (g_ascii_strcasecmp(value, yes[i]) == 0)
            return TRUE;
    }
    return FALSE;
}

/* A path as the variable gives it, with "~/" for the home folder: settings files and containers do not expand it. */
static char *path_of(const char *name)
{
    const char *value = value_of(name);
    if (value != NULL && value[0] == '~' && (value[1] == '/' || value[1] == '\0'))
        return g_build_filename(g_get_home_dir(), value + 1, NULL);
    return g_strdup(value);
}

char *glint_hub_home(void)
{
    char *home = path_of("HF_HOME");
    return home != NULL ? home : g_build_filename(g_get_user_cache_dir(), "huggingface", NULL);
}

char *glint_hub_cache_dir(void)
{
    static const char *const names[] = {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        char *path = path_of(names[i]);
        if (path != NULL)
            return path;
    }
    g_autofree char *home = glint_hub_home();
    return g_build_filename(home, "hub", NULL);
}

char *glint_own_cache_dir(const char *name)
{
    g_autofree char *home = path_of("HF_HOME");
    return home != NULL ? g_build_filename(home, "glint", name, NULL) : g_build_filename(g_get_user_cache_dir(), "glint", name, NULL);
}

char *glint_hub_endpoint(void)
{
    const char *value = value_of("HF_ENDPOINT");
    char *endpoint = g_strdup(value != NULL ? value : "https://huggingface.co");
    for (gsize length = strlen(endpoint); length > 0 && endpoint[length - 1] == '/'; length--)
        endpoint[length - 1] = '\0';
    return endpoint;
}

gboolean glint_hub_offline(void) { return is_true("HF_HUB_OFFLINE") || is_true("TRANSFORMERS_OFFLINE"); }

/* The token stands in a header line: anything but visible ASCII would break the line, or was never a token. */
static gboolean check_token(const char *token, const char *origin, GError **error)
{
    for (const char *p = token; *p != '\0'; p++) {
        if (!g_ascii_isgraph(*p))
            return glint_fail(error, GLINT_ERROR_USAGE, "%s holds blanks, control characters or letters beyond ASCII, which no token has; set it "
                              "again", origin);
    }
    return TRUE;
}

gboolean glint_hub_token(char **token, GError **error)
{
    static const char *const names[] = {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"};
    *token = NULL;
    if (is_true("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *text = g_strstrip(g_strdup(value_of(names[i]) != NULL ? value_of(names[i]) : ""));
        if (*text != '\0') {
            if (!check_token(text, names[i], error))
                return FALSE;
            *token = g_steal_pointer(&text);
            return TRUE;
        }
    }
    g_autofree char *home = glint_hub_home();
    g_autofree char *path = path_of("HF_TOKEN_PATH");
    if (path == NULL)
        path = g_build_filename(home, "token", NULL);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL) || *g_strstrip(text) == '\0')
        return TRUE; /* nobody is logged in */
    g_autofree char *origin = g_strdup_printf("the token file '%s'", path);
    if (!check_token(text, origin, error))
        return FALSE;
    *token = g_steal_pointer(&text);
    return TRUE;
}

static double seconds_of(const char *name)
{
    const char *value = value_of(name);
    double seconds = value != NULL ? g_ascii_strtod(value, NULL) : 0;
    return isfinite(seconds) && seconds > 0 ? MIN(seconds, 86400) : DEFAULT_TIMEOUT;
}

double glint_hub_etag_timeout(void) { return seconds_of("HF_HUB_ETAG_TIMEOUT"); }
double glint_hub_download_timeout(void) { return seconds_of("HF_HUB_DOWNLOAD_TIMEOUT"); }
gboolean glint_hub_progress_bars(void) { return !is_true("HF_HUB_DISABLE_PROGRESS_BARS"); }
