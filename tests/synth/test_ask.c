/* Asking a language model, against a local server that misbehaves (chat_server.py). */
#include "base/scratch.h"
#include "base/talk.h"
#include "synth/api.h"
#include "synth/ask.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#define KEY "sk-test-0123456789abcdef"

static GPid server;
static char *root, *url;

static int start_server(void **state)
{
    (void)state;
    root = g_dir_make_tmp("glint-chat-XXXXXX", NULL);
    char *line[] = {(char *)"/usr/bin/python3", (char *)GLINT_SOURCE_DIR "/tests/synth/chat_server.py", root, NULL};
    if (!root || !g_spawn_async(NULL, line, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &server, NULL)) {
        print_message("skipped: no /usr/bin/python3\n");
        exit(77);
    }
    g_autofree char *port_file = g_build_filename(root, "port", NULL), *port = NULL, *home = g_build_filename(root, "home", NULL);
    for (int k = 0; k < 600 && !g_file_get_contents(port_file, &port, NULL, NULL); k++)
        g_usleep(50000);
    if (!port)
        return -1;
    url = g_strdup_printf("http://127.0.0.1:%s/v1/", g_strstrip(port));
    g_setenv("HF_HOME", home, TRUE);
    const char *const proxies[] = {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    for (gsize k = 0; k < G_N_ELEMENTS(proxies); k++)
        g_unsetenv(proxies[k]);
    glint_talk_set_quiet(TRUE);
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    glint_remove_tree(root, NULL);
    g_free(root);
    g_free(url);
    return 0;
}

/* New faults, an empty log, an empty cache. */
static void begin(const char *faults)
{
    g_autofree char *path = g_build_filename(root, "faults.json", NULL), *log = g_build_filename(root, "log.jsonl", NULL), *home =
        g_build_filename(root, "home", NULL);
    put_file(path, faults, strlen(faults));
    g_unlink(log);
    glint_remove_tree(home, NULL);
}

static guint requests(const char *part)
{
    g_autofree char *path = g_build_filename(root, "log.jsonl", NULL), *log = NULL;
    if (!g_file_get_contents(path, &log, NULL, NULL))
        return 0;
    guint n = 0;
    for (const char *at = log; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static const char *const labels[] = {"jazz", "opera", "chess"}, *const concepts[] = {"a text about jazz", "a text about opera", "a text about chess"};

typedef struct {
    gsize n;
    guint n_labels, parallel;
    gboolean force;
} How;

static GlintSynthData *ask(How how, GlintApiUse *use, GError **error)
{
    GlintSynthTask task = {"topics", labels, concepts, how.n_labels ? how.n_labels : 2};
    GlintAskOptions options = {.n = how.n, .seed = 3};
    GlintApiOptions chat_options = {.base_url = url, .model = "big", .key = KEY, .parallel = how.parallel ? how.parallel : 3, .force = how.force,
                                    .price_in = 2, .price_out = 10};
    g_autoptr(GlintApi) chat = glint_api_new(&chat_options, error);
    assert_non_null(chat);
    GlintAnswerer answerer = glint_api_answerer(chat);
    GlintSynthData *data = glint_synth_ask(&task, &options, &answerer, error);
    if (use)
        *use = *glint_api_use(chat);
    return data;
}

static GlintSynthData *ask_good(How how, GlintApiUse *use)
{
    g_autoptr(GError) error = NULL;
    GlintSynthData *data = ask(how, use, &error);
    expect_ok(data != NULL, error);
    assert_int_equal(data->sets->len, how.n);
    return data;
}

static void ask_bad(How how, GlintErrorCode code, const char *part)
{
    g_autoptr(GError) error = NULL;
    assert_null(ask(how, NULL, &error));
    assert_null(strstr(error->message, "sk-test"));
    expect_error(&error, code, part);
}

static char *all_texts(const GlintSynthData *data)
{
    GString *out = g_string_new(NULL);
    for (guint k = 0; k < data->sets->len; k++) {
        const GlintSynthSet *set = g_ptr_array_index(data->sets, k);
        for (guint label = 0; label < data->n_labels; label++)
            g_string_append_printf(out, "%s\n", set->texts[label]);
    }
    return g_string_free(out, FALSE);
}

static void test_answers_and_cache(void **state)
{
    (void)state;
    begin("[]");
    GlintApiUse use;
    g_autoptr(GlintSynthData) data = ask_good((How){.n = 45}, &use);
    assert_int_equal(requests("\"batch\""), 5);
    assert_int_equal(requests("Bearer " KEY), 5);
    assert_int_equal(requests("json_schema"), 5);
    assert_int_equal(requests("\"temperature\": null"), 5);
    assert_int_equal(use.n_asked, 5);
    assert_int_equal(use.tokens_out, 5000);
    assert_true(use.cost > 0.0509 && use.cost < 0.0511); /* 500 tokens at 2, 5000 at 10 a million */
    const GlintSynthSet *first = g_ptr_array_index(data->sets, 0);
    assert_string_equal(first->texts[0], "Story 1 of chapter 0 is a quiet one about side a.");
    assert_string_equal(first->texts[1], "Story 1 of chapter 0 is a quiet one about side b.");
    /* again: nothing is asked, the same comes out; one answer damaged in the cache is asked again; --force asks all */
    g_autoptr(GlintSynthData) again = ask_good((How){.n = 45, .parallel = 1}, &use);
    g_autofree char *a = all_texts(data), *b = all_texts(again);
    assert_string_equal(a, b);
    assert_int_equal(requests("\"batch\""), 5);
    assert_int_equal(use.n_cached, 5);
    g_autofree char *folder = g_build_filename(root, "home", "glint", "synth", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autofree char *file = g_build_filename(folder, g_dir_read_name(dir), NULL), *bytes = NULL;
    assert_true(g_file_get_contents(file, &bytes, NULL, NULL));
    assert_null(strstr(bytes, "sk-test"));
    put_file(file, "{\"answ", 6);
    glint_synth_data_free(ask_good((How){.n = 45}, &use));
    assert_int_equal(use.n_asked, 1);
    glint_synth_data_free(ask_good((How){.n = 45, .force = TRUE}, &use));
    assert_int_equal(use.n_asked, 5);
}

static void test_three_topics(void **state)
{
    (void)state;
    begin("[]");
    g_autoptr(GlintSynthData) data = ask_good((How){.n = 7, .n_labels = 3}, NULL);
    assert_int_equal(requests("\"batch\""), 1);
    assert_string_equal(((GlintSynthSet *)g_ptr_array_index(data->sets, 6))->texts[2], "Story 1 of chapter 6 is a quiet one about side c.");
}

/* Everything that a server may do to an answer and still be understood. */
static void test_tolerance(void **state)
{
    (void)state;
    static const struct { const char *fault; guint n_requests; } cases[] = {
        {"[{\"do\": \"fenced\"}]", 2}, {"[{\"do\": \"upper\"}]", 2}, {"[{\"do\": \"parts\"}]", 2}, {"[{\"do\": \"many\"}]", 2},
            {"[{\"do\": \"few\"}]", 3},
        {"[{\"do\": \"cut\", \"times\": 1}]", 3},       {"[{\"do\": \"empty\", \"times\": 1}]", 3},    {"[{\"do\": \"declined\", \"times\": 1}]", 3},
        {"[{\"do\": \"garbage\", \"times\": 2}]", 4},   {"[{\"do\": \"envelope\", \"times\": 1}]", 3},
            {"[{\"do\": \"same\", \"skip\": 1, \"times\": 1}]", 3},
        {"[{\"do\": \"long\", \"times\": 1}]", 3},      {"[{\"do\": \"drop\", \"times\": 1}]", 3},     {"[{\"do\": \"no_schema\"}]", 3},
        {"[{\"do\": \"no_format\"}]", 4},               {"[{\"do\": \"content\", \"text\": \"I would rather talk.\", \"times\": 1}]", 3},
        {"[{\"do\": \"status\", \"status\": 429, \"headers\": {\"Retry-After\": \"0\"}, \"times\": 1}]", 3},
        {"[{\"do\": \"status\", \"status\": 503, \"headers\": {\"Retry-After\": \"0\"}, \"times\": 1}]", 3},
    };
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        begin(cases[k].fault);
        glint_synth_data_free(ask_good((How){.n = 20, .parallel = 1}, NULL));
        guint n = requests("\"batch\"");
        if (n != cases[k].n_requests)
            fail_msg("%s: %u requests, %u expected", cases[k].fault, n, cases[k].n_requests);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    begin("[{\"do\": \"echo_key\"}]");
    ask_bad((How){.n = 40}, GLINT_ERROR_IO, "is the API key right?");
    assert_true(requests("\"batch\"") <= 3); /* no more once it is hopeless */
    begin("[{\"do\": \"status\", \"status\": 404, \"body\": \"{\\\"error\\\": {\\\"message\\\": \\\"The model `big` does not exist\\\"}}\"}]");
    ask_bad((How){.n = 10}, GLINT_ERROR_IO, "check the base URL");
    begin("[{\"do\": \"empty\"}]");
    ask_bad((How){.n = 20}, GLINT_ERROR_DATA, "after 9 requests there are 0 of 20 sets (left out: nothing, the answers held no sets)");
    assert_int_equal(requests("\"batch\""), 9);
    begin("[{\"do\": \"same\"}]");
    ask_bad((How){.n = 20}, GLINT_ERROR_DATA, "there are 10 of 20 sets (left out: 80 duplicate)");
    begin("[{\"do\": \"declined\"}]");
    ask_bad((How){.n = 20}, GLINT_ERROR_DATA, "the server declined: ");
    begin("[{\"do\": \"garbage\"}]");
    ask_bad((How){.n = 5}, GLINT_ERROR_DATA, "none of the chat API");
}

/* What was answered before the server gave up is not asked again. */
static void test_resume(void **state)
{
    (void)state;
    begin("[{\"do\": \"status\", \"status\": 402, \"skip\": 2}]");
    ask_bad((How){.n = 50, .parallel = 1}, GLINT_ERROR_IO, "what was answered is kept");
    assert_int_equal(requests("\"status\": 200"), 2);
    g_autofree char *faults = g_build_filename(root, "faults.json", NULL);
    put_file(faults, "[]", 2);
    GlintApiUse use;
    glint_synth_data_free(ask_good((How){.n = 50}, &use));
    assert_int_equal(use.n_cached, 2);
    assert_int_equal(use.n_asked, 3);
}

static void test_options(void **state)
{
    (void)state;
    g_autoptr(GError) error = NULL;
    GlintApiOptions options = {.base_url = "api.openai.com", .model = "m"};
    assert_null(glint_api_new(&options, &error));
    expect_error(&error, GLINT_ERROR_USAGE, "--base-url");
    options = (GlintApiOptions){.base_url = "https://x", .model = "m", .key = "sk-secret\nX-Evil: 1"};
    assert_null(glint_api_new(&options, &error));
    assert_null(strstr(error->message, "secret"));
    expect_error(&error, GLINT_ERROR_USAGE, "API key");
}

/* ---- finding sets in what a model wrote ---- */

static void remember(const char *const *texts, gpointer data) { g_string_append_printf(data, "%s+%s;", texts[0], texts[1]); }

static void check_found(const char *answer, const char *want)
{
    g_autoptr(GString) found = g_string_new(NULL);
    glint_sets_find(answer, 2, remember, found);
    assert_string_equal(found->str, want);
}

static void test_finding(void **state)
{
    (void)state;
    check_found("{\"sets\": [{\"a\": \"1\", \"b\": \"2\"}, {\"a\": \"3\", \"b\": \"4\"}]}", "1+2;3+4;");
    check_found("[{\"a\": \"1\", \"b\": \"2\"}]", "1+2;");
    check_found("{\"a\": \"1\", \"b\": \"2\"}\n{\"a\": \"3\", \"b\": \"4\"}\n", "1+2;3+4;");
    check_found("1. {\"A\": \"1\", \"B\": \"2\", \"note\": {\"a\": \"x\", \"b\": \"y\"}}", "1+2;");
    check_found("{\"sets\": [{\"a\": \"1\", \"b\": \"2\"}, {\"a\": \"3\", \"b\": \"4", "1+2;");
    check_found("{\"sets\": {\"one\": {\"a\": \"{1}\", \"b\": \"2\"}}} and {so} on {\"a\": \"5\"} {\"a\": 1, \"b\": \"2\"}", "{1}+2;");
    check_found("```json\n[{\"a\": \"1\",\n\"b\": \"2\",}]\n```", "");
    check_found("", "");
    check_found("{{{{", "");
    g_autofree char *deep = g_malloc(200001);
    memset(deep, '{', 200000);
    deep[200000] = '\0';
    check_found(deep, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers_and_cache), cmocka_unit_test(test_three_topics),
                                       cmocka_unit_test(test_tolerance), cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_resume),            cmocka_unit_test(test_options),      cmocka_unit_test(test_finding)};
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
