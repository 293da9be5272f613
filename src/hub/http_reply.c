/* What the HTTP layer says and is told: URLs taken apart, joined and made fit to print, and replies. See http.h. */
#include "base/error.h"
#include "hub/http_private.h"

#include <curl/curl.h>
#include <string.h>

/* ---- URLs ----------------------------------------------------------------------------------------------------------- */

static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK)
        return NULL;
    char *copy = g_strdup(text);
    curl_free(text);
    return copy;
}

char *glint_http_plain_url(const char *url)
{
    CURLU *parts = curl_url();
    char *plain = NULL;
    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        static const CURLUPart private_parts[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY, CURLUPART_FRAGMENT};
        for (gsize i = 0; i < G_N_ELEMENTS(private_parts); i++)
            curl_url_set(parts, private_parts[i], NULL, 0);
        plain = url_part(parts, CURLUPART_URL, 0);
    }
    curl_url_cleanup(parts);
    return plain != NULL ? plain : g_strdup("(a malformed URL)");
}

char *glint_http_escape(const char *text) { return g_uri_escape_string(text, NULL, FALSE); }

/* "https://host:443", lower case; NULL for what is no http URL. */
char *http_origin(const char *url)
{
    CURLU *parts = curl_url();
    char *origin = NULL;
    if (curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK) {
        g_autofree char *scheme = url_part(parts, CURLUPART_SCHEME, 0);
        g_autofree char *host = url_part(parts, CURLUPART_HOST, 0);
        g_autofree char *port = url_part(parts, CURLUPART_PORT, CURLU_DEFAULT_PORT);
        if (scheme != NULL && host != NULL && port != NULL && (g_ascii_strcasecmp(scheme, "http") == 0 || g_ascii_strcasecmp(scheme, "https") == 0)) {
            g_autofree char *joined = g_strdup_printf("%s://%s:%s", scheme, host, port);
            origin = g_ascii_strdown(joined, -1);
        }
    }
    curl_url_cleanup(parts);
    return origin;
}

gboolean http_same_origin(const char *a, const char *b)
{
    g_autofree char *first = http_origin(a), *second = http_origin(b);
    return first != NULL && g_strcmp0(first, second) == 0;
}

/* `location` as seen from `base`; NULL when it is malformed. */
char *http_join(const char *base, const char *location)
{
    CURLU *parts = curl_url();
    char *joined = NULL;
    if (curl_url_set(parts, CURLUPART_URL, base, 0) == CURLUE_OK && curl_url_set(parts, CURLUPART_URL, location, 0) == CURLUE_OK)
        joined = url_part(parts, CURLUPART_URL, 0);
    curl_url_cleanup(parts);
    return joined;
}

/* ---- replies -------------------------------------------------------------------------------------------------------- */

GlintHttpReply *http_reply_new(const char *url)
{
    GlintHttpReply *self = g_new0(GlintHttpReply, 1);
    self->url = g_strdup(url);
    self->headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    self->body = g_byte_array_new();
    g_byte_array_append(self->body, (const guint8 *)"", 1);
    g_byte_array_set_size(self->body, 0); /* the NUL stays behind the length */
    return self;
}

void glint_http_reply_free(GlintHttpReply *self)
{
    if (self == NULL)
        return;
    g_free(self->url);
    g_hash_table_unref(self->headers);
    g_byte_array_unref(self->body);
    g_free(self);
}

const char *glint_http_reply_header(const GlintHttpReply *self, const char *lower_case_name)
{
    return g_hash_table_lookup(self->headers, lower_case_name);
}

const char *glint_http_reply_text(const GlintHttpReply *self) { return (const char *)self->body->data; }

gboolean http_is_success(long status) { return status >= 200 && status < 300; }

/* What the server says of a failure: the hub's header, or the "error" or "message" of a small JSON body. */
static char *said_by_server(const GlintHttpReply *reply)
{
    const char *header = glint_http_reply_header(reply, "x-error-message");
    if (header != NULL)
        return g_strdup(header);
    const char *text = glint_http_reply_text(reply);
    static const char *const keys[] = {"\"message\"", "\"error\""};
    for (gsize i = 0; i < G_N_ELEMENTS(keys); i++) {
        const char *found = strstr(text, keys[i]);
        const char *quote = found != NULL ? strchr(found, ':') : NULL;
        quote = quote != NULL ? quote + 1 + strspn(quote + 1, " ") : NULL;
        if (quote != NULL && *quote == '"')
            return g_strndup(quote + 1, MIN(strcspn(quote + 1, "\""), 300));
    }
    return NULL;
}

static const char *status_name(long status)
{
    switch (status) {
    case 400: return " (bad request)";
    case 401: return " (unauthorized)";
    case 403: return " (forbidden)";
    case 404: return " (not found)";
    case 416: return " (range not satisfiable)";
    case 429: return " (too many requests)";
    case 500: return " (internal server error)";
    case 502: return " (bad gateway)";
    case 503: return " (service unavailable)";
    case 504: return " (gateway timeout)";
    default: return "";
    }
}

gboolean glint_http_check(const GlintHttpReply *reply, GError **error)
{
    if (http_is_success(reply->status))
        return TRUE;
    g_autofree char *url = glint_http_plain_url(reply->url), *said = said_by_server(reply);
    return glint_fail(error, GLINT_ERROR_IO, "%s: the server answered %ld%s%s%s", url, reply->status, status_name(reply->status),
                      said != NULL ? ": " : "", said != NULL ? said : "");
}
