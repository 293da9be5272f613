/* HTTP over libcurl. See http.h for what it promises.
 *
 * Three loops, one in the other: attempts (run), redirects of one attempt (follow), and libcurl's transfer of one hop
 * (perform). Redirects are followed here and not by libcurl, because what may go to the next host (token, headers, https to
 * http) is a decision of ours that has to hold for every hop, and because the hub's metadata stand in the headers of the hop
 * before the last. Idle easy handles are kept in a pool, which keeps their connections open; each is used by one thread at
 * a time. */
#include "hub/http.h"

#include "base/error.h"
#include "hub/http_private.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_REDIRECTS = 10, DEFAULT_TRIES = 5, MAX_ERROR_BODY = 65536, MAX_IDLE_HANDLES = 8, MAX_HEADERS = 200, BUFFER_BYTES = 1 << 18 };
#define DEFAULT_MAX_BYTES ((gsize)64 << 20)
#define DEFAULT_TIMEOUT 10.0
#define DEFAULT_DELAY 1.0
#define MAX_DELAY 30.0        /* of our own back-off */
#define MAX_RETRY_AFTER 300.0 /* a server that asks for more is an error to tell the user about */
#define SECONDS_BEFORE_SAYING 3.0
#define MEGABYTE 1e6

/* One call of glint_http or glint_http_download, through all its attempts. */
typedef struct {
    const GlintHttpRequest *request;
    const char *first_url;
    GlintHttpReply *reply;   /* of the hop being transferred */
    gsize max_bytes;
    double connect_timeout, stall_timeout;
    gboolean answered;       /* some server has answered in this call */

    int fd;                  /* download: the file; -1 otherwise */
    const char *path;
    gint64 held;             /* bytes of the file that are good */
    gint64 farthest;         /* the largest `held` there was: measures progress between attempts */
    gint64 size;             /* of the whole file, -1 unknown */
    char *validator;         /* strong ETag of the bytes held, NULL unknown */
    gboolean to_file;        /* the body being received belongs into the file */

    gint64 last_moved;       /* monotonic microseconds, and the count of bytes then */
    curl_off_t last_count;
    gboolean stalled, interrupted, refused; /* why a callback ended the transfer; refused: `problem` says */
    GError *problem;
    char detail[CURL_ERROR_SIZE];
} Call;

/* ---- handles -------------------------------------------------------------------------------------------------------- */

static GMutex pool_lock;
static GPtrArray *pool; /* idle CURL * */

static CURL *take_handle(void)
{
    static gsize once;
    if (g_once_init_enter(&once)) {
        curl_global_init(CURL_GLOBAL_DEFAULT);
        g_once_init_leave(&once, 1);
    }
    g_mutex_lock(&pool_lock);
    CURL *handle = pool != NULL && pool->len > 0 ? g_ptr_array_steal_index_fast(pool, pool->len - 1) : NULL;
    g_mutex_unlock(&pool_lock);
    if (handle == NULL)
        handle = curl_easy_init();
    if (handle == NULL)
        g_error("libcurl cannot be initialised"); /* out of memory: as g_malloc */
    return handle;
}

static void give_handle(CURL *handle)
{
    curl_easy_reset(handle); /* forgets options, among them the token; keeps connections */
    g_mutex_lock(&pool_lock);
    if (pool == NULL)
        pool = g_ptr_array_new();
    gboolean keep = pool->len < MAX_IDLE_HANDLES;
    if (keep)
        g_ptr_array_add(pool, handle);
    g_mutex_unlock(&pool_lock);
    if (!keep)
        curl_easy_cleanup(handle);
}

/* ---- one hop -------------------------------------------------------------------------------------------------------- */

static size_t on_header(char *line, size_t one, size_t length, void *data)
{
    (void)one;
    Call *call = data;
    GHashTable *headers = call->reply->headers;
    if (length >= 5 && strncmp(line, "HTTP/", 5) == 0) { /* a new reply: what came before was an interim one */
        g_hash_table_remove_all(headers);
        return length;
    }
    const char *colon = memchr(line, ':', length);
    if (colon == NULL || g_hash_table_size(headers) >= MAX_HEADERS)
        return length;
    char *name = g_ascii_strdown(line, colon - line);
    char *value = g_strstrip(g_strndup(colon + 1, length - (gsize)(colon + 1 - line)));
    g_hash_table_insert(headers, g_strstrip(name), value);
    return length;
}

/* "bytes 100-199/200": first byte and total (-1: '*'). */
static gboolean read_content_range(const char *text, gint64 *first, gint64 *total)
{
    char *end;
    if (text == NULL || !g_str_has_prefix(text, "bytes ") || !g_ascii_isdigit(text[6]))
        return FALSE;
    *first = g_ascii_strtoll(text + 6, &end, 10);
    const char *slash = strchr(end, '/');
    if (*end != '-' || slash == NULL)
        return FALSE;
    *total = slash[1] == '*' ? -1 : g_ascii_strtoll(slash + 1, NULL, 10);
    return TRUE;
}

static gboolean refuse(Call *call, GlintErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);
static gboolean refuse(Call *call, GlintErrorCode code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    call->refused = TRUE;
    if (call->problem == NULL)
        glint_fail(&call->problem, code, "%s", text);
    return FALSE;
}

/* Keeps the first `bytes` of the file, and goes on behind them. */
static gboolean rewind_file(Call *call, gint64 bytes)
{
    if (ftruncate(call->fd, bytes) != 0 || lseek(call->fd, bytes, SEEK_SET) < 0)
        return refuse(call, GLINT_ERROR_IO, "cannot write '%s': %s", call->path, g_strerror(errno));
    call->held = bytes;
    return TRUE;
}

/* At the first byte of a body: where it goes, and whether it is the piece that was asked for. */
static gboolean begin_body(Call *call, CURL *handle)
{
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &call->reply->status);
    call->to_file = call->fd >= 0 && http_is_success(call->reply->status);
    if (!call->to_file)
        return TRUE;
    g_autofree char *url = glint_http_plain_url(call->reply->url);
    curl_off_t length = -1;
    curl_easy_getinfo(handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    gint64 first = 0, total = length;
    if (call->reply->status == 206) {
        if (!read_content_range(glint_http_reply_header(call->reply, "content-range"), &first, &total) || first != call->held)
            return refuse(call, GLINT_ERROR_IO, "%s: the server answered with another piece of the file than byte %" G_GINT64_FORMAT " on", url,
                call->held);
    } else if (call->held > 0 && !rewind_file(call, 0)) { /* Range was ignored, or the file has changed */
        return FALSE;
    }
    if (total >= 0 && call->size >= 0 && total != call->size)
        return refuse(call, GLINT_ERROR_IO, "%s: the server offers %" G_GINT64_FORMAT " bytes, %" G_GINT64_FORMAT " were expected", url, total,
            call->size);
    const char *etag = glint_http_reply_header(call->reply, "etag");
    g_free(call->validator);
    call->validator = etag != NULL && etag[0] == '"' ? g_strdup(etag) : NULL; /* weak ones are no use for If-Range */
    return TRUE;
}

static gboolean write_all(Call *call, const char *bytes, gsize length)
{
    if (call->size >= 0 && call->held + (gint64)length > call->size) {
        g_autofree char *url = glint_http_plain_url(call->reply->url);
        return refuse(call, GLINT_ERROR_IO, "%s: the server sends more than the %" G_GINT64_FORMAT " bytes expected", url, call->size);
    }
    while (length > 0) {
        ssize_t put = write(call->fd, bytes, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) {
            call->refused = TRUE;
            return glint_fail_errno(&call->problem, errno, "cannot write '%s'", call->path);
        }
        bytes += put;
        length -= (gsize)put;
        call->held += put;
    }
    return TRUE;
}

typedef struct {
    Call *call;
    CURL *handle;
    gboolean begun;
} Hop;

static size_t on_body(char *bytes, size_t one, size_t length, void *data)
{
    (void)one;
    Hop *hop = data;
    Call *call = hop->call;
    if (!hop->begun && !begin_body(call, hop->handle))
        return CURL_WRITEFUNC_ERROR;
    hop->begun = TRUE;
    if (call->to_file)
        return write_all(call, bytes, length) ? length : CURL_WRITEFUNC_ERROR;
    GByteArray *body = call->reply->body;
    gboolean cut = call->fd >= 0 || !http_is_success(call->reply->status); /* what a server says of a failure may be as long as it likes */
    gsize room = (cut ? MIN((gsize)MAX_ERROR_BODY, call->max_bytes) : call->max_bytes) - body->len;
    if (length > room && !cut) {
        g_autofree char *url = glint_http_plain_url(call->reply->url);
        refuse(call, GLINT_ERROR_IO, "%s: the reply is longer than the %zu bytes it may have", url, call->max_bytes);
        return CURL_WRITEFUNC_ERROR;
    }
    gsize taken = MIN(length, room);
    g_byte_array_append(body, (const guint8 *)bytes, (guint)taken);
    g_byte_array_append(body, (const guint8 *)"", 1);
    g_byte_array_set_size(body, body->len - 1);
    return length;
}

static int on_progress(void *data, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    (void)down_total, (void)up_total;
    Call *call = data;
    gint64 now = g_get_monotonic_time();
    if (down + up != call->last_count) {
        call->last_count = down + up;
        call->last_moved = now;
    }
    call->interrupted = glint_interrupted();
    call->stalled = (double)(now - call->last_moved) * 1e-6 > call->stall_timeout;
    if (call->fd >= 0 && call->request->progress != NULL)
        glint_progress_update(call->request->progress, call->request->progress_before + (double)call->held / MEGABYTE, NULL);
    return call->interrupted || call->stalled;
}

/* The headers of one hop; those that are the caller's only where they may go. */
static struct curl_slist *hop_headers(const Call *call, const char *url)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"); /* no waiting for 100 Continue */
    const GlintHttpRequest *request = call->request;
    gboolean typed = FALSE;
    if (http_same_origin(url, call->first_url)) {
        for (gsize i = 0; request->headers != NULL && request->headers[i] != NULL; i++) {
            list = curl_slist_append(list, request->headers[i]);
            typed = typed || g_ascii_strncasecmp(request->headers[i], "content-type:", 13) == 0;
        }
        if (request->token != NULL && *request->token != '\0') {
            g_autofree char *line = g_strconcat("Authorization: Bearer ", request->token, NULL);
            list = curl_slist_append(list, line);
        }
    }
    if (request->body != NULL && !typed)
        list = curl_slist_append(list, "Content-Type: application/json");
    if (call->fd >= 0 && call->held > 0) {
        g_autofree char *range = g_strdup_printf("Range: bytes=%" G_GINT64_FORMAT "-", call->held);
        list = curl_slist_append(list, range);
        if (call->validator != NULL) {
            g_autofree char *condition = g_strconcat("If-Range: ", call->validator, NULL);
            list = curl_slist_append(list, condition);
        }
    }
    return list;
}

/* Certificates of one's own, as curl's and Python's tools are told of them; NULL: the system's. */
static const char *ca_bundle(void)
{
    static const char *const names[] = {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *path = g_getenv(names[i]);
        if (path != NULL && *path != '\0')
            return path;
    }
    return NULL;
}

static CURLcode perform(Call *call, CURL *handle, const char *url)
{
    const GlintHttpRequest *request = call->request;
    Hop hop = {.call = call, .handle = handle};
    struct curl_slist *headers = hop_headers(call, url);
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_URL, url);
    curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(handle, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(handle, CURLOPT_USERAGENT, "glint/" GLINT_VERSION);
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    const char *bundle = ca_bundle();
    if (bundle != NULL)
        curl_easy_setopt(handle, CURLOPT_CAINFO, bundle);
    curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT_MS, (long)(call->connect_timeout * 1000));
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, call->detail);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, call);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &hop);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, call);
    if (call->fd < 0 && request->body == NULL && g_strcmp0(request->method, "HEAD") != 0)
        curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, ""); /* a file's bytes are counted and continued as they are stored */
    if (request->body != NULL) {
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_bytes);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request->body);
    } else if (g_strcmp0(request->method, "HEAD") == 0) {
        curl_easy_setopt(handle, CURLOPT_NOBODY, 1L);
    } else if (g_strcmp0(request->method, "POST") == 0) {
        curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, 0L);
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, "");
    }
    call->detail[0] = '\0';
    call->last_moved = g_get_monotonic_time();
    call->last_count = 0;
    call->stalled = call->to_file = FALSE;
    CURLcode code = curl_easy_perform(handle);
    curl_slist_free_all(headers);
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &call->reply->status);
    call->answered = call->answered || call->reply->status > 0;
    if (code == CURLE_OK && !hop.begun)
        begin_body(call, handle); /* an empty body empties the file */
    return code;
}

/* ---- redirects ------------------------------------------------------------------------------------------------------ */

static gboolean is_redirect(long status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

/* The URL the reply sends on to; NULL: it does not, or (call->refused) it must not be followed. */
static char *next_url(Call *call)
{
    const GlintHttpReply *reply = call->reply;
    const char *location = glint_http_reply_header(reply, "location");
    if (!is_redirect(reply->status) || location == NULL)
        return NULL;
    g_autofree char *plain = glint_http_plain_url(reply->url);
    g_autofree char *next = http_join(reply->url, location);
    g_autofree char *from = http_origin(reply->url), *to = next != NULL ? http_origin(next) : NULL;
    if (to == NULL) {
        refuse(call, GLINT_ERROR_IO, "%s: the server redirects to what is no http or https address", plain);
        return NULL;
    }
    if (call->request->stay_at_origin && g_strcmp0(from, to) != 0)
        return NULL;
    if (g_str_has_prefix(from, "https:") && !g_str_has_prefix(to, "https:")) {
        refuse(call, GLINT_ERROR_IO, "%s: the server redirects from https to http, which is not followed", plain);
        return NULL;
    }
    if (call->request->body != NULL && (reply->status < 307 || !http_same_origin(next, call->first_url))) {
        refuse(call, GLINT_ERROR_IO, "%s: the server redirects a POST to %s; give that address if it is the right one", plain, to);
        return NULL;
    }
    return g_steal_pointer(&next);
}

static CURLcode follow(Call *call, CURL *handle)
{
    g_autofree char *url = g_strdup(call->first_url);
    for (int hops = 0;; hops++) {
        g_clear_pointer(&call->reply, glint_http_reply_free);
        call->reply = http_reply_new(url);
        CURLcode code = perform(call, handle, url);
        if (code != CURLE_OK)
            return code;
        g_autofree char *next = next_url(call);
        if (next == NULL)
            return CURLE_OK;
        if (hops == MAX_REDIRECTS) {
            g_autofree char *plain = glint_http_plain_url(call->first_url);
            refuse(call, GLINT_ERROR_IO, "%s: more than %d redirects", plain, MAX_REDIRECTS);
            return CURLE_OK;
        }
        g_free(url);
        url = g_steal_pointer(&next);
    }
}

/* ---- attempts ------------------------------------------------------------------------------------------------------- */

static gboolean is_passing(const Call *call, CURLcode code)
{
    switch (code) {
    case CURLE_OK: {
        long status = call->reply->status;
        if (call->to_file && call->held < call->size)
            return TRUE; /* a cut that a reply without Content-Length does not show */
        return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
    }
    case CURLE_ABORTED_BY_CALLBACK: return call->stalled;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_WEIRD_SERVER_REPLY: return TRUE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_OPERATION_TIMEDOUT: return call->answered; /* the network was there and may come back */
    default: return FALSE;
    }
}

/* Retry-After, or the hub's RateLimit ("...;r=0;t=55": seconds until there are calls again); 0: neither. */
static double asked_delay(const Call *call, CURL *handle)
{
    curl_off_t seconds = 0;
    curl_easy_getinfo(handle, CURLINFO_RETRY_AFTER, &seconds);
    const char *limit = glint_http_reply_header(call->reply, "ratelimit");
    const char *reset = seconds == 0 && call->reply->status == 429 && limit != NULL ? strstr(limit, "t=") : NULL;
    return reset != NULL ? g_ascii_strtod(reset + 2, NULL) : (double)seconds;
}

static gboolean wait_seconds(double seconds, GError **error)
{
    gint64 until = g_get_monotonic_time() + (gint64)(seconds * 1e6);
    for (;;) {
        gint64 left = until - g_get_monotonic_time();
        if (!glint_check_interrupt(error))
            return FALSE;
        if (left <= 0)
            return TRUE;
        g_usleep((gulong)MIN(left, 100000));
    }
}

/* Nobody should have to wonder why nothing happens. */
static void say_waiting(const Call *call, CURLcode code, double seconds)
{
    if (seconds < SECONDS_BEFORE_SAYING)
        return;
    g_autofree char *url = glint_http_plain_url(call->reply->url);
    if (code == CURLE_OK && !call->to_file)
        glint_say("%s: the server answered %ld, trying again in %.0f s", url, call->reply->status, seconds);
    else
        glint_say("%s: the connection was lost, trying again in %.0f s", url, seconds);
}

/* Why there is no reply. */
static gboolean fail_transfer(const Call *call, CURLcode code, int tries, GError **error)
{
    g_autofree char *url = glint_http_plain_url(call->reply->url);
    const char *later = call->held > 0 ? "; try again later: what has come is kept" : "; try again later";
    const char *detail = call->detail[0] != '\0' ? call->detail : curl_easy_strerror(code);
    switch (code) {
    case CURLE_OK:
        return glint_fail(error, GLINT_ERROR_IO, "%s: the server ends the transfer before the end of the file (%d tries)%s", url, tries, later);
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
        return glint_fail(error, GLINT_ERROR_IO, "cannot reach %s: %s; check the network, or set https_proxy if it is behind a proxy", url, detail);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return glint_fail(error, GLINT_ERROR_IO, "%s: the server's certificate is not trusted: %s; install ca-certificates, "
                          "or name the certificates of your proxy in CURL_CA_BUNDLE", url, detail);
    case CURLE_ABORTED_BY_CALLBACK:
        return glint_fail(error, GLINT_ERROR_IO, "%s: nothing came for %g seconds (%d tries)%s", url, call->stall_timeout, tries, later);
    default:
        return glint_fail(error, GLINT_ERROR_IO, "%s: the transfer failed (%d tries): %s%s", url, tries, detail, later);
    }
}

/* A 416 tells that the file here is no beginning of the one there, unless it is the whole of it. */
static gboolean start_over(Call *call)
{
    return call->fd >= 0 && call->reply->status == 416 && call->held > 0 && call->held != call->size && rewind_file(call, 0);
}

static GlintHttpReply *run(Call *call, CURL *handle, GError **error)
{
    const GlintHttpRequest *request = call->request;
    int tries = request->tries > 0 ? request->tries : DEFAULT_TRIES;
    double delay = request->retry_delay > 0 ? request->retry_delay : DEFAULT_DELAY;
    gboolean started_over = FALSE;
    for (int failed = 1;; failed++) {
        CURLcode code = follow(call, handle);
        if (call->interrupted || !glint_check_interrupt(NULL)) {
            glint_check_interrupt(error);
            return NULL;
        }
        if (call->refused) {
            g_propagate_error(error, g_steal_pointer(&call->problem));
            return NULL;
        }
        if (code == CURLE_OK && !started_over && start_over(call)) {
            started_over = TRUE;
            continue;
        }
        if (!is_passing(call, code)) {
            if (code != CURLE_OK) {
                fail_transfer(call, code, failed, error);
                return NULL;
            }
            return g_steal_pointer(&call->reply);
        }
        if (call->held > call->farthest) { /* it goes forward, if in pieces */
            call->farthest = call->held;
            failed = 1;
            delay = request->retry_delay > 0 ? request->retry_delay : DEFAULT_DELAY;
        }
        double asked = code == CURLE_OK ? asked_delay(call, handle) : 0;
        if (failed >= tries || asked > MAX_RETRY_AFTER) {
            if (code == CURLE_OK && !call->to_file)
                return g_steal_pointer(&call->reply);
            fail_transfer(call, code, failed, error);
            return NULL;
        }
        double wait = asked > 0 ? asked : delay * g_random_double_range(0.5, 1.0);
        say_waiting(call, code, wait);
        if (!wait_seconds(wait, error))
            return NULL;
        delay = MIN(2 * delay, MAX_DELAY);
    }
}

static GlintHttpReply *call_and_clear(Call *call, const char *url, const GlintHttpRequest *request, GError **error)
{
    call->request = request;
    call->first_url = url;
    call->max_bytes = request->max_bytes > 0 ? request->max_bytes : DEFAULT_MAX_BYTES;
    call->connect_timeout = request->connect_timeout > 0 ? request->connect_timeout : DEFAULT_TIMEOUT;
    call->stall_timeout = request->stall_timeout > 0 ? request->stall_timeout : DEFAULT_TIMEOUT;
    GlintHttpReply *reply = NULL;
    g_autofree char *origin = http_origin(url);
    if (origin != NULL) {
        CURL *handle = take_handle();
        reply = run(call, handle, error);
        give_handle(handle);
    } else {
        g_autofree char *plain = glint_http_plain_url(url);
        glint_fail(error, GLINT_ERROR_IO, "%s is no http or https address", plain);
    }
    g_clear_pointer(&call->reply, glint_http_reply_free);
    g_free(call->validator);
    g_clear_error(&call->problem);
    return reply;
}

GlintHttpReply *glint_http(const char *url, const GlintHttpRequest *request, GError **error)
{
    Call call = {.fd = -1, .size = -1};
    return call_and_clear(&call, url, request, error);
}

GlintHttpReply *glint_http_download(const char *url, const GlintHttpRequest *request, const char *path, gint64 size, GError **error)
{
    Call call = {.path = path, .size = size};
    call.fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    struct stat info;
    if (call.fd < 0 || fstat(call.fd, &info) != 0) {
        glint_fail_errno(error, errno, "cannot write '%s'", path);
        if (call.fd >= 0)
            close(call.fd);
        return NULL;
    }
    if (size >= 0 && info.st_size == size) { /* whole already: nothing to ask for */
        close(call.fd);
        GlintHttpReply *whole = http_reply_new(url);
        whole->status = 200;
        return whole;
    }
    gint64 keep = size >= 0 && info.st_size > size ? 0 : info.st_size; /* longer than the whole: no beginning of it */
    GlintHttpReply *reply = NULL;
    if (rewind_file(&call, keep))
        reply = call_and_clear(&call, url, request, error);
    else
        g_propagate_error(error, call.problem);
    gboolean closed = close(call.fd) == 0;
    if (reply != NULL && !closed) {
        g_clear_pointer(&reply, glint_http_reply_free);
        glint_fail_errno(error, errno, "cannot write '%s'", path);
    }
    return reply;
}
