/* The HTTP layer against a server that misbehaves: what arrives, what is sent to whom, what is tried again and how often. */
#include "hub/server.h"

#include "base/talk.h"
#include "hub/http.h"

#include <jansson.h>

static Server *server;

static char *url_of(const char *path) { return g_strconcat(server->url, path, NULL); }

/* GET of `path` that must have a reply. */
static GlintHttpReply *get(const char *path, const GlintHttpRequest *request)
{
    g_autofree char *url = url_of(path);
    GError *error = NULL;
    GlintHttpReply *reply = glint_http(url, request, &error);
    expect_ok(reply != NULL, error);
    return reply;
}

static void expect_failure(const char *url, const GlintHttpRequest *request, GlintErrorCode code, const char *part)
{
    GError *error = NULL;
    g_autoptr(GlintHttpReply) reply = glint_http(url, request, &error);
    assert_null(reply);
    expect_error(&error, code, part);
}

/* A header that /echo saw; NULL when it was not sent. */
static char *echoed(const GlintHttpReply *reply, const char *name)
{
    g_autoptr(json_t) root = json_loads(glint_http_reply_text(reply), 0, NULL);
    assert_non_null(root);
    return g_strdup(json_string_value(json_object_get(json_object_get(root, "headers"), name)));
}

static void test_get_and_post(void **state)
{
    (void)state;
    server_faults(server, "[]");
    const char *const headers[] = {"X-Mine: yes", NULL};
    const GlintHttpRequest plain = {.token = "hf_secret", .headers = headers};
    g_autoptr(GlintHttpReply) reply = get("/echo", &plain);
    assert_int_equal(reply->status, 200);
    g_autofree char *agent = echoed(reply, "user-agent"), *token = echoed(reply, "authorization"), *mine = echoed(reply, "x-mine");
    assert_string_equal(agent, "glint/" GLINT_VERSION);
    assert_string_equal(token, "Bearer hf_secret");
    assert_string_equal(mine, "yes");
    assert_string_equal(glint_http_reply_header(reply, "content-type"), "application/json");

    const char body[] = "{\"a\": \"\xc3\xa9\"}";
    const GlintHttpRequest post = {.body = body, .body_bytes = sizeof body - 1};
    g_autoptr(GlintHttpReply) answer = get("/echo", &post);
    g_autofree char *type = echoed(answer, "content-type");
    assert_string_equal(type, "application/json");
    g_autoptr(json_t) root = json_loads(glint_http_reply_text(answer), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(root, "body")), body);
    assert_string_equal(json_string_value(json_object_get(root, "method")), "POST");

    const GlintHttpRequest head = {.method = "HEAD"};
    g_autoptr(GlintHttpReply) nothing = get("/echo", &head);
    assert_int_equal(nothing->status, 200);
    assert_int_equal(nothing->body->len, 0);
}

/* Token and headers stay with the host they were given for, and do not come back on the way home. */
static void test_redirects(void **state)
{
    (void)state;
    server_faults(server, "[]");
    const char *const headers[] = {"X-Mine: yes", NULL};
    const GlintHttpRequest request = {.token = "hf_secret", .headers = headers};
    g_autoptr(GlintHttpReply) same = get("/redirect?to=/echo&status=307", &request);
    g_autofree char *kept = echoed(same, "authorization");
    assert_string_equal(kept, "Bearer hf_secret");
    assert_true(g_str_has_suffix(same->url, "/echo"));

    g_autofree char *away = g_strdup_printf("/redirect?to=http://localhost:%d/echo", server->port);
    g_autoptr(GlintHttpReply) other = get(away, &request);
    g_autofree char *token = echoed(other, "authorization"), *mine = echoed(other, "x-mine");
    assert_null(token);
    assert_null(mine);

    const GlintHttpRequest stay = {.token = "hf_secret", .stay_at_origin = TRUE};
    g_autoptr(GlintHttpReply) here = get(away, &stay);
    assert_int_equal(here->status, 302);
    g_autoptr(GlintHttpReply) within = get("/redirect?to=/echo", &stay);
    assert_int_equal(within->status, 200);

    g_autofree char *file = url_of("/redirect?to=file:///etc/passwd"), *loop = url_of("/redirect?to=/redirect%3Fto%3D%2Fredirect");
    expect_failure(file, &request, GLINT_ERROR_IO, "no http or https address");
    server_faults(server, "[{\"path\": \"/loop\", \"do\": \"status\", \"status\": 302, \"headers\": {\"Location\": \"/loop\"}}]");
    g_free(loop);
    loop = url_of("/loop");
    expect_failure(loop, &request, GLINT_ERROR_IO, "more than 10 redirects");
    assert_int_equal(server_count(server, "/loop"), 11);

    const GlintHttpRequest post = {.body = "{}", .body_bytes = 2};
    g_autoptr(GlintHttpReply) reposted = get("/redirect?to=/echo&status=308", &post);
    assert_non_null(strstr(glint_http_reply_text(reposted), "\"POST\""));
    g_autofree char *lost = url_of("/redirect?to=/echo&status=302");
    expect_failure(lost, &post, GLINT_ERROR_IO, "redirects a POST");
}

static void test_tried_again(void **state)
{
    (void)state;
    const GlintHttpRequest request = {.retry_delay = 0.01, .tries = 4};
    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"status\", \"status\": 503, \"times\": 1},"
                          " {\"path\": \"/echo\", \"do\": \"drop\", \"times\": 1}, {\"path\": \"/echo\", \"do\": \"cut\", \"after\": 5, \"times\": 1}]");
    g_autoptr(GlintHttpReply) reply = get("/echo", &request);
    assert_int_equal(reply->status, 200);
    assert_int_equal(server_count(server, "/echo"), 4);
    g_autoptr(json_t) whole = json_loads(glint_http_reply_text(reply), 0, NULL);
    assert_non_null(whole); /* nothing of the cut one is left in it */

    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"status\", \"status\": 500, \"body\": \"{\\\"error\\\": \\\"out of order\\\"}\"}]");
    g_autoptr(GlintHttpReply) failing = get("/echo", &request);
    assert_int_equal(failing->status, 500);
    assert_int_equal(server_count(server, "/echo"), 4);
    GError *error = NULL;
    assert_false(glint_http_check(failing, &error));
    expect_error(&error, GLINT_ERROR_IO, "500 (internal server error): out of order");

    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"status\", \"status\": 404}]");
    g_autoptr(GlintHttpReply) absent = get("/echo", &request);
    assert_int_equal(absent->status, 404);
    assert_int_equal(server_count(server, "/echo"), 1);

    g_autofree char *url = url_of("/echo");
    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"drop\"}]");
    expect_failure(url, &request, GLINT_ERROR_IO, "4 tries");
    assert_in_range(server_count(server, "/echo"), 4, 5); /* libcurl asks once more by itself when a kept connection turns out closed */
}

/* Retry-After is what decides between two tries, and a very long one is not waited for. */
static void test_retry_after(void **state)
{
    (void)state;
    const GlintHttpRequest slow = {.retry_delay = 3600};
    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"status\", \"status\": 429, \"times\": 1, \"headers\": {\"Retry-After\": \"1\"}}]");
    g_autoptr(GlintHttpReply) reply = get("/echo", &slow); /* by its own delay this would take an hour */
    assert_int_equal(reply->status, 200);
    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"status\", \"status\": 429, \"times\": 1, \"headers\": {\"RateLimit\": \"\\\"api\\\";r=0;t=1\"}}]");
    g_autoptr(GlintHttpReply) limited = get("/echo", &slow);
    assert_int_equal(limited->status, 200);
    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"status\", \"status\": 429, \"headers\": {\"Retry-After\": \"86400\"}}]");
    g_autoptr(GlintHttpReply) refused = get("/echo", &slow);
    assert_int_equal(refused->status, 429);
    assert_int_equal(server_count(server, "/echo"), 1);
}

static void test_limits(void **state)
{
    (void)state;
    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"stall\", \"after\": 3, \"seconds\": 30}]");
    g_autofree char *url = url_of("/echo"), *refused = g_strdup("http://127.0.0.1:1/x?signature=secret");
    const GlintHttpRequest impatient = {.stall_timeout = 0.2, .tries = 2, .retry_delay = 0.01};
    expect_failure(url, &impatient, GLINT_ERROR_IO, "nothing came for 0.2 seconds (2 tries)");
    server_faults(server, "[]");
    const GlintHttpRequest small = {.max_bytes = 20};
    expect_failure(url, &small, GLINT_ERROR_IO, "longer than the 20 bytes");
    const GlintHttpRequest plain = {0};
    expect_failure(refused, &plain, GLINT_ERROR_IO, "cannot reach http://127.0.0.1:1/x:");
    expect_failure("http://nowhere.invalid/", &plain, GLINT_ERROR_IO, "check the network");
    expect_failure("ftp://127.0.0.1/", &plain, GLINT_ERROR_IO, "no http or https address");
    expect_failure("no address", &plain, GLINT_ERROR_IO, "malformed");
    g_autofree char *shown = glint_http_plain_url("https://user:hf_secret@host:8/a/b?token=hf_secret#hf_secret");
    assert_string_equal(shown, "https://host:8/a/b");
}

/* ---- downloads ------------------------------------------------------------------------------------------------------ */

enum { FILE_BYTES = 300000 };
static guint8 content[FILE_BYTES];
static char *content_path; /* its address on the server's content network */

static void make_content(void)
{
    for (int i = 0; i < FILE_BYTES; i++)
        content[i] = (guint8)(i * 2654435761u >> 13);
    server_put(server, "a/b/main", "model.safetensors", content, FILE_BYTES);
    content_path = g_strdup("/a/b/resolve/main/model.safetensors");
}

typedef struct {
    const char *faults;
    gint64 held;         /* bytes of the content that are there beforehand */
    int requests, ranged; /* of the content, and those with Range, as the log has them */
    double stall_timeout; /* short only where it is the subject: a busy machine stalls too */
} Case;

static void expect_download(const char *folder, const Case *one, gint64 size)
{
    g_autofree char *path = g_build_filename(folder, "x.incomplete", NULL), *url = url_of(content_path), *got = NULL;
    server_faults(server, one->faults);
    put_file(path, content, (gsize)one->held);
    const GlintHttpRequest request = {.retry_delay = 0.01, .tries = 3, .stall_timeout = one->stall_timeout, .token = "hf_secret"};
    GError *error = NULL;
    g_autoptr(GlintHttpReply) reply = glint_http_download(url, &request, path, size, &error);
    expect_ok(reply != NULL, error);
    expect_ok(glint_http_check(reply, &error), error);
    gsize length;
    assert_true(g_file_get_contents(path, &got, &length, NULL));
    assert_int_equal(length, FILE_BYTES);
    assert_memory_equal(got, content, FILE_BYTES);
    assert_int_equal(server_count(server, "/cdn/"), one->requests);
    static const char whole[] = "\"range\": null, \"if_range\": null, \"agent\": \"glint/" GLINT_VERSION "\", \"proxied\": false, \"status\": 200";
    assert_int_equal(server_count(server, "\"path\": \"/cdn/a/b") - server_count(server, whole), one->ranged);
    assert_int_equal(server_count(server, "\"host\": \"localhost"), one->requests);
    assert_int_equal(server_count(server, "hf_secret"), server_count(server, "/resolve/"));
}

static void test_downloads(void **state)
{
    const Case cases[] = {
        {"[]", 0, 1, 0, 60},
        {"[]", 1, 1, 1, 60},
        {"[]", FILE_BYTES - 1, 1, 1, 60},
        {"[{\"path\": \"/cdn/\", \"do\": \"cut\", \"after\": 100000, \"times\": 2}]", 0, 3, 2, 60},
        {"[{\"path\": \"/cdn/\", \"do\": \"unsized\", \"after\": 100000, \"times\": 2}]", 0, 3, 2, 60},
        {"[{\"path\": \"/cdn/\", \"do\": \"stall\", \"after\": 100000, \"seconds\": 30, \"times\": 1}]", 0, 2, 1, 3},
        /* more cuts than tries: each brings something, so it goes on */
        {"[{\"path\": \"/cdn/\", \"do\": \"cut\", \"after\": 40000, \"times\": 7}]", 0, 8, 7, 60},
        {"[{\"path\": \"/cdn/\", \"do\": \"status\", \"status\": 500, \"times\": 2}]", 1000, 3, 3, 60},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++)
        expect_download(*state, &cases[i], FILE_BYTES);
    expect_download(*state, &cases[1], -1); /* of unknown size */
}

/* A server that knows no Range sends the whole: the file is begun again, not doubled. */
static void test_range_ignored(void **state)
{
    g_autofree char *path = g_build_filename(*state, "x", NULL), *url = url_of(content_path), *got = NULL;
    server_faults(server, "[{\"path\": \"/cdn/\", \"do\": \"norange\"}]");
    put_file(path, "something else", 14);
    const GlintHttpRequest request = {0};
    GError *error = NULL;
    g_autoptr(GlintHttpReply) reply = glint_http_download(url, &request, path, FILE_BYTES, &error);
    expect_ok(reply != NULL && reply->status == 200, error);
    gsize length;
    assert_true(g_file_get_contents(path, &got, &length, NULL));
    assert_int_equal(length, FILE_BYTES);
    assert_memory_equal(got, content, FILE_BYTES);
    /* longer than the whole: no beginning of it either */
    g_autofree char *longer = g_malloc0(FILE_BYTES + 1), *again = NULL;
    put_file(path, longer, FILE_BYTES + 1);
    server_faults(server, "[]");
    g_autoptr(GlintHttpReply) second = glint_http_download(url, &request, path, FILE_BYTES, &error);
    expect_ok(second != NULL && second->status == 200, error);
    assert_true(g_file_get_contents(path, &again, &length, NULL));
    assert_int_equal(length, FILE_BYTES);
    assert_memory_equal(again, content, FILE_BYTES);
    /* nothing beyond its end, when the size is not known: 416, and from the start */
    put_file(path, longer, FILE_BYTES + 1);
    g_autoptr(GlintHttpReply) third = glint_http_download(url, &request, path, -1, &error);
    expect_ok(third != NULL && third->status == 200, error);
    g_autofree char *last = NULL;
    assert_true(g_file_get_contents(path, &last, &length, NULL));
    assert_int_equal(length, FILE_BYTES);
    /* whole: nothing is asked */
    server_faults(server, "[]");
    g_autoptr(GlintHttpReply) fourth = glint_http_download(url, &request, path, FILE_BYTES, &error);
    expect_ok(fourth != NULL && fourth->status == 200, error);
    assert_int_equal(server_count(server, "\"path\""), 0);
}

static void test_download_failures(void **state)
{
    g_autofree char *path = g_build_filename(*state, "x", NULL), *url = url_of(content_path), *missing = url_of("/a/b/resolve/main/none");
    const GlintHttpRequest request = {.retry_delay = 0.01, .tries = 2};
    GError *error = NULL;
    server_faults(server, "[{\"path\": \"/cdn/\", \"do\": \"short\", \"after\": 7}]");
    assert_null(glint_http_download(url, &request, path, FILE_BYTES, &error));
    expect_error(&error, GLINT_ERROR_IO, "299993 bytes, 300000 were expected");
    server_faults(server, "[{\"path\": \"/cdn/\", \"do\": \"unsized\", \"after\": 300000}]");
    assert_null(glint_http_download(url, &request, path, 1000, &error));
    expect_error(&error, GLINT_ERROR_IO, "more than the 1000 bytes");
    unlink(path);
    server_faults(server, "[{\"path\": \"/cdn/\", \"do\": \"unsized\", \"after\": 0}]");
    assert_null(glint_http_download(url, &request, path, FILE_BYTES, &error));
    expect_error(&error, GLINT_ERROR_IO, "before the end of the file");
    server_faults(server, "[]");
    g_autoptr(GlintHttpReply) reply = glint_http_download(missing, &request, path, FILE_BYTES, &error);
    expect_ok(reply != NULL, error);
    assert_int_equal(reply->status, 404);
    assert_string_equal(glint_http_reply_header(reply, "x-error-code"), "EntryNotFound");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, 0);
    g_autofree char *nowhere = g_build_filename(*state, "no", "folder", NULL);
    assert_null(glint_http_download(url, &request, nowhere, -1, &error));
    expect_error(&error, GLINT_ERROR_IO, "cannot write");
}

/* ---- threads, proxies, interrupts ----------------------------------------------------------------------------------- */

static gpointer ask_often(gpointer data)
{
    g_autofree char *token = g_strdup_printf("hf_%d", GPOINTER_TO_INT(data)), *expected = g_strconcat("Bearer ", token, NULL);
    const GlintHttpRequest request = {.token = token};
    gsize good = 0;
    for (int i = 0; i < 10; i++) {
        g_autoptr(GlintHttpReply) reply = get("/echo", &request);
        g_autofree char *seen = echoed(reply, "authorization");
        good += g_strcmp0(seen, expected) == 0;
    }
    return GSIZE_TO_POINTER(good);
}

static void test_threads(void **state)
{
    (void)state;
    server_faults(server, "[]");
    GThread *threads[12];
    for (int i = 0; i < 12; i++)
        threads[i] = g_thread_new("ask", ask_often, GINT_TO_POINTER(i));
    for (int i = 0; i < 12; i++)
        assert_int_equal(GPOINTER_TO_SIZE(g_thread_join(threads[i])), 10);
    assert_int_equal(server_count(server, "/echo"), 120);
}

static void test_proxy(void **state)
{
    (void)state;
    server_faults(server, "[]");
    g_setenv("http_proxy", server->url, TRUE);
    const GlintHttpRequest request = {0};
    GError *error = NULL;
    g_autoptr(GlintHttpReply) reply = glint_http("http://hub.invalid/echo", &request, &error);
    g_unsetenv("http_proxy");
    expect_ok(reply != NULL, error);
    assert_int_equal(reply->status, 200);
    assert_int_equal(server_count(server, "\"proxied\": true"), 1);
}

/* SIGINT while the server says nothing: the child ends with INTERRUPTED long before the timeout. */
static void test_interrupt(void **state)
{
    (void)state;
    server_faults(server, "[{\"path\": \"/echo\", \"do\": \"stall\", \"after\": 3, \"seconds\": 600}]");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        glint_interrupt_install();
        g_autofree char *url = url_of("/echo");
        const GlintHttpRequest patient = {.stall_timeout = 500};
        g_autoptr(GError) error = NULL;
        g_autoptr(GlintHttpReply) reply = glint_http(url, &patient, &error);
        _exit(reply == NULL && g_error_matches(error, GLINT_ERROR, GLINT_ERROR_INTERRUPTED) ? 42 : 1);
    }
    for (int i = 0; i < 600 && server_count(server, "/echo") == 0; i++)
        g_usleep(50000);
    kill(child, SIGINT);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 42);
}

int main(void)
{
    static const char *const names[] = {"http_proxy", "https_proxy", "all_proxy", "ALL_PROXY", "HTTPS_PROXY", "no_proxy", "NO_PROXY"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
        g_unsetenv(names[i]);
    server = server_start();
    if (server == NULL) {
        puts("SKIP: no python3 to run the test server");
        return 77;
    }
    make_content();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupt), /* first: the child must not inherit connections */
        cmocka_unit_test(test_get_and_post),
        cmocka_unit_test(test_redirects),
        cmocka_unit_test(test_tried_again),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_limits),
        scratch_test(test_downloads),
        scratch_test(test_range_ignored),
        scratch_test(test_download_failures),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_proxy),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    g_free(content_path);
    server_stop(server);
    return failed;
}
