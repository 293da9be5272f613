/* The one HTTP layer of glint, over libcurl: GET, HEAD and POST, to memory or into a file that can be continued.
 *
 * - Redirects are followed (10 at most, never from https to http). `token` and `headers` go to the origin (scheme, host,
 *   port) of the first URL only: a redirect to another host is asked without them.
 * - Cut connections, stalled transfers, 408, 429 and 500/502/503/504 are tried again, with exponential back-off and jitter, or after what
 *   Retry-After asks for. A host that cannot be resolved or connected to at the first contact is an error at once.
 * - Proxies come from the environment (https_proxy, http_proxy, all_proxy, no_proxy), and so do certificates that the system does not
 *   have (CURL_CA_BUNDLE, REQUESTS_CA_BUNDLE, SSL_CERT_FILE: a file in PEM form). Ctrl-C (glint_interrupted) ends a transfer within about a
 *   second with GLINT_ERROR_INTERRUPTED.
 * - Errors (GLINT_ERROR_IO) name the URL without its query, user and password: a token is never printed.
 *
 * All functions may be called from any number of threads; connections are kept open and used again. */
#pragma once
#include "base/talk.h"
#include <glib.h>

/* Zero means the default everywhere: `GlintHttpRequest request = {0}` is a plain GET. Nothing is owned. */
typedef struct {
    const char *method;             /* "GET", "HEAD", "POST"; default GET, or POST when there is a body */
    const char *token;              /* sent as "Authorization: Bearer ..." */
    const char *const *headers;     /* NULL-terminated list of "Name: value" */
    const char *body;               /* of a POST; Content-Type is application/json unless `headers` says otherwise */
    gsize body_bytes;
    gsize max_bytes;                /* longest body taken to memory, a longer one is an error; default 64 MiB */
    double connect_timeout;         /* seconds; default 10 */
    double stall_timeout;           /* seconds without a single byte moving, waiting for the answer included; default 10 */
    int tries;                      /* attempts in a row that bring nothing new before it is an error; default 5 */
    double retry_delay;             /* seconds before the second attempt, doubled for each further one; default 1 */
    gboolean stay_at_origin;        /* a redirect to another origin is not followed, but is the reply */
    GlintProgress *progress;        /* downloads report here, in megabytes (1e6 bytes); may be NULL */
    double progress_before;         /* megabytes that earlier downloads have put into that bar */
} GlintHttpRequest;

typedef struct {
    long status;         /* 200, 404, ... of the last attempt */
    char *url;           /* where the reply came from, after redirects */
    GHashTable *headers; /* name in lower case -> value, of the last hop */
    GByteArray *body;    /* NUL-terminated behind its length; empty after HEAD and after a successful download */
} GlintHttpReply;

void glint_http_reply_free(GlintHttpReply *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintHttpReply, glint_http_reply_free)
const char *glint_http_reply_header(const GlintHttpReply *self, const char *lower_case_name); /* NULL if absent */
const char *glint_http_reply_text(const GlintHttpReply *self);                                /* the body, NUL-terminated */

/* The reply whatever its status, or NULL and an error when there is none. */
GlintHttpReply *glint_http(const char *url, const GlintHttpRequest *request, GError **error);

/* Downloads into the file `path`, continuing behind what it already holds (Range; If-Range once the server's validator is known;
 * a server that ignores Range makes it start over). A failure or Ctrl-C leaves what has come, for the next call to continue. `size` is what
 * the whole file must have, -1 when it is unknown; a server that says otherwise is an error, and a file that has
 * it already is not asked for. On a status other than 2xx nothing is
 * written and the reply's body (cut at 64 KiB) is what the server said. The caller checks the content, and renames. */
GlintHttpReply *glint_http_download(const char *url, const GlintHttpRequest *request, const char *path, gint64 size, GError **error);

/* TRUE for 2xx; otherwise an error with URL, status, and what the server said of it. */
gboolean glint_http_check(const GlintHttpReply *reply, GError **error);

/* The URL as messages may show it: without user, password, query and fragment. */
char *glint_http_plain_url(const char *url);
/* One URL path segment or query value, percent-encoded. */
char *glint_http_escape(const char *text);
