/* Data sets by name from a local server (server.py), which misbehaves on request. */
#include "hub/server.h"

#include "base/talk.h"
#include "hub/dataset.h"
#include "text/dataset.h"

static Server *server;
static char *root; /* the server's folder; the cache is root/home */

static int start_server(void **state)
{
    (void)state;
    server = server_start();
    if (!server) {
        print_message("skipped: no /usr/bin/python3\n");
        exit(77);
    }
    root = server->root;
    g_autofree char *home = server_path(server, "home"), *data = server_path(server, "datasets");
    g_setenv("GLINT_DATASETS_SERVER", server->url, TRUE);
    g_setenv("HF_HOME", home, TRUE);
    g_setenv("HF_TOKEN", "hf_secret", TRUE);
    const char *const unwanted[] = {"HF_HUB_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"};
    for (gsize k = 0; k < G_N_ELEMENTS(unwanted); k++)
        g_unsetenv(unwanted[k]);
    glint_talk_set_quiet(TRUE);
    return g_mkdir(data, 0777);
}

static int stop_server(void **state)
{
    (void)state;
    server_stop(server);
    return 0;
}

static void put_in_root(const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(root, name, NULL);
    put_file(path, text, strlen(text));
}

static void faults(const char *text) { put_in_root("faults.json", text); }

/* Requests so far whose path contains `part`, and the last such line of the log. */
static guint requests(const char *part, char **last)
{
    g_autofree char *path = g_build_filename(root, "log.jsonl", NULL), *log = NULL;
    if (!g_file_get_contents(path, &log, NULL, NULL))
        return 0;
    g_auto(GStrv) lines = g_strsplit(log, "\n", -1);
    guint n = 0;
    for (char **line = lines; *line; line++)
        if (strstr(*line, part)) {
            n++;
            if (last) {
                g_free(*last);
                *last = g_strdup(*line);
            }
        }
    return n;
}

/* A data set of `n` rows with its labels sorted: text "text N", classes in `n_classes` equal runs, as ClassLabel or as strings. */
static void make_dataset(const char *file, guint n, guint n_classes, gboolean named)
{
    json_t *rows = json_array(), *names = json_array();
    for (guint c = 0; c < n_classes; c++) {
        g_autofree char *name = g_strdup_printf("class %u", c);
        json_array_append_new(names, json_string(name));
    }
    for (guint k = 0; k < n; k++) {
        g_autofree char *text = g_strdup_printf("text %u ü\n\"", k);
        guint c = (guint)((guint64)k * n_classes / n);
        json_t *label = named ? json_integer(c) : json_copy(json_array_get(names, c));
        json_array_append_new(rows, json_pack("{s:s, s:o}", "text", text, "label", label));
    }
    json_t *type = named ? json_pack("{s:O, s:s}", "names", names, "_type", "ClassLabel")
        : json_pack("{s:s, s:s}", "dtype", "string", "_type", "Value");
    g_autoptr(json_t) all = json_pack("{s:{s:{s:[{s:s,s:{s:s,s:s}},{s:s,s:o}], s:o}}}", "plain", "train", "features", "name", "text", "type",
                                      "dtype", "string", "_type", "Value", "name",
                                      "label", "type", type, "rows", rows);
    json_decref(names);
    g_autofree char *path = g_build_filename(root, "datasets", file, NULL);
    assert_int_equal(json_dump_file(all, path, 0), 0);
}

/* ---- fetching ---- */

static gboolean fetch(const char *name, gsize max_samples, guint64 seed, GlintHubDataset *out, GError **error)
{
    GlintHubDatasetOptions options = {.max_samples = max_samples, .seed = seed};
    return glint_hub_dataset_fetch(name, &options, out, error);
}

static void fetch_good(const char *name, gsize max_samples, guint64 seed, GlintHubDataset *out)
{
    g_autoptr(GError) error = NULL;
    gboolean ok = fetch(name, max_samples, seed, out, &error);
    expect_ok(ok, error);
}

static void fetch_bad(const char *name, GlintErrorCode code, const char *part)
{
    g_auto(GlintHubDataset) out = {0};
    g_autoptr(GError) error = NULL;
    assert_false(fetch(name, 0, 0, &out, &error));
    assert_null(strstr(error ? error->message : "", "hf_secret"));
    expect_error(&error, code, part);
}

/* Reads the fetched file; every text must be that of its id and carry its class. */
static GlintDataset *read_back(const GlintHubDataset *found, guint n, guint n_classes, const GlintDatasetOptions *more)
{
    GlintDatasetOptions options = more ? *more : (GlintDatasetOptions){0};
    options.text_column = found->text_column;
    options.label_column = found->label_column;
    g_autoptr(GError) error = NULL;
    GlintDataset *dataset = glint_dataset_open(found->path, &options, &error);
    expect_ok(dataset != NULL, error);
    gint64 before = -1;
    for (guint k = 0; k < dataset->texts->len; k++) {
        const GlintText *text = &g_array_index(dataset->texts, GlintText, k);
        gint64 number = g_ascii_strtoll(text->id + strlen("train/"), NULL, 10);
        g_autofree char *want = g_strdup_printf("text %" G_GINT64_FORMAT " ü\n\"", number), *label =
            g_strdup_printf("class %" G_GINT64_FORMAT, number * n_classes / n);
        assert_string_equal(text->text, want);
        assert_string_equal(g_ptr_array_index(dataset->classes, (guint)text->label), label);
        assert_true(number > before);
        before = number;
    }
    return dataset;
}

static void test_whole_split(void **state)
{
    (void)state;
    make_dataset("org--whole.json", 523, 2, TRUE);
    g_auto(GlintHubDataset) found = {0}, again = {0}, offline = {0};
    g_autofree char *last = NULL;
    fetch_good("org/whole", 0, 0, &found);
    g_autoptr(GlintDataset) dataset = read_back(&found, 523, 2, NULL);
    assert_int_equal(dataset->texts->len, 523);
    assert_int_equal(dataset->classes->len, 2);
    guint n = requests("whole", &last);
    assert_int_equal(n, 1 + 1 + 6); /* splits, columns, pages */
    assert_non_null(strstr(last, "Bearer hf_secret"));
    fetch_good("org/whole:plain:train", 0, 0, &again);
    assert_string_equal(again.path, found.path);
    assert_int_equal(requests("whole", NULL), n);
    g_setenv("HF_HUB_OFFLINE", "1", TRUE); /* what is cached needs no network; the rest says why it fails */
    fetch_good("org/whole", 0, 0, &offline);
    fetch_bad("org/other", GLINT_ERROR_IO, "HF_HUB_OFFLINE");
    g_unsetenv("HF_HUB_OFFLINE");
}

static void test_sample(void **state)
{
    (void)state;
    make_dataset("org--sorted.json", 4000, 4, TRUE);
    GlintDatasetOptions options = {.max_samples = 60, .seed = 5};
    g_auto(GlintHubDataset) found = {0}, other = {0}, whole = {0}, again = {0};
    fetch_good("org/sorted", 60, 5, &found);
    guint n = requests("sorted", NULL);
    assert_true(n >= 2 + 4 && n <= 2 + 16); /* four classes lie in four quarters */
    g_autoptr(GlintDataset) sample = read_back(&found, 4000, 4, &options);
    guint count[4] = {0};
    for (guint k = 0; k < sample->texts->len; k++)
        count[g_array_index(sample->texts, GlintText, k).label]++;
    for (guint c = 0; c < 4; c++)
        assert_int_equal(count[c], 15);
    /* another seed, another draw */
    fetch_good("org/sorted", 60, 6, &other);
    options.seed = 6;
    g_autoptr(GlintDataset) second = read_back(&other, 4000, 4, &options);
    assert_string_not_equal(sample->sha256, second->sha256);
    /* with the whole split in the cache, the same sample comes out of it, without a request */
    fetch_good("org/sorted", 0, 0, &whole);
    g_autofree char *first_bytes = NULL, *second_bytes = NULL;
    assert_true(g_file_get_contents(found.path, &first_bytes, NULL, NULL));
    assert_int_equal(g_unlink(found.path), 0);
    n = requests("sorted", NULL);
    fetch_good("org/sorted", 60, 5, &again);
    assert_int_equal(requests("sorted", NULL), n);
    assert_true(g_file_get_contents(again.path, &second_bytes, NULL, NULL));
    assert_string_equal(first_bytes, second_bytes);
}

static void test_sample_of_unnamed_classes(void **state)
{
    (void)state;
    make_dataset("org--strings.json", 3000, 3, FALSE);
    g_auto(GlintHubDataset) found = {0};
    GlintDatasetOptions options = {.max_samples = 30, .seed = 1};
    fetch_good("org/strings", 30, 1, &found);
    g_autoptr(GlintDataset) sample = read_back(&found, 3000, 3, &options);
    assert_int_equal(sample->classes->len, 3);
    assert_int_equal(sample->texts->len, 30);
    assert_int_equal(requests("strings", NULL), 2 + 8);
}

static void test_resume(void **state)
{
    (void)state;
    make_dataset("org--killed.json", 730, 2, TRUE);
    faults("[{\"path\": \"killed.*offset=300\", \"do\": \"status\", \"status\": 410}]");
    fetch_bad("org/killed", GLINT_ERROR_IO, "410");
    faults("[]");
    g_autofree char *part = g_build_filename(root, "home", "glint", "datasets", "org--killed", "plain", "train.jsonl.part", NULL), *bytes = NULL;
    assert_true(g_file_get_contents(part, &bytes, NULL, NULL));
    g_autofree char *torn = g_strconcat(bytes, "{\"text\":\"text 300", NULL); /* as a kill in the middle of a write leaves it */
    put_file(part, torn, strlen(torn));
    guint n = requests("killed", NULL);
    g_auto(GlintHubDataset) found = {0};
    fetch_good("org/killed", 0, 0, &found);
    assert_int_equal(requests("killed", NULL) - n, 5); /* pages 3 to 7 only */
    g_autoptr(GlintDataset) dataset = read_back(&found, 730, 2, NULL);
    assert_int_equal(dataset->texts->len, 730);
    assert_false(g_file_test(part, G_FILE_TEST_EXISTS));
}

static void test_misbehaviour(void **state)
{
    (void)state;
    make_dataset("org--rough.json", 430, 2, TRUE);
    faults("[{\"path\": \"/splits.*rough\", \"do\": \"status\", \"status\": 429, \"headers\": {\"Retry-After\": \"0\"}, \"times\": 2},"
           "{\"path\": \"rough.*offset=0&length=100\", \"do\": \"cut\", \"after\": 900, \"times\": 1},"
           "{\"path\": \"rough.*offset=100\", \"do\": \"status\", \"status\": 200, \"body\": \"<html>busy</html>\", \"times\": 2},"
           "{\"path\": \"rough.*offset=200\", \"do\": \"status\", \"status\": 200, \"body\": \"{\\\"num_rows_total\\\": 430, \\\"rows\\\": []}\", "
           "\"times\": 1}]");
    g_auto(GlintHubDataset) found = {0};
    fetch_good("org/rough", 0, 0, &found);
    g_autoptr(GlintDataset) dataset = read_back(&found, 430, 2, NULL);
    assert_int_equal(dataset->texts->len, 430);
}

static void test_refusals(void **state)
{
    (void)state;
    make_dataset("org--bad.json", 250, 2, TRUE);
    fetch_bad("org/missing", GLINT_ERROR_IO, "https://huggingface.co/datasets/org/missing");
    fetch_bad("org/bad:dev", GLINT_ERROR_DATA, "no split \"dev\"");
    fetch_bad("org/bad.csv", GLINT_ERROR_USAGE, "no name of a data set");
    faults("[{\"path\": \"offset=0&length=1$\", \"do\": \"status\", \"status\": 501, \"body\": \"{\\\"error\\\": \\\"Parquet only\\\"}\"}]");
    fetch_bad("org/bad", GLINT_ERROR_IO, "not every data set has rows to ask for");
    faults("[{\"path\": \"bad.*offset=100\", \"do\": \"status\", \"status\": 200, \"body\": \"garbage\"}]");
    fetch_bad("org/bad", GLINT_ERROR_FORMAT, "no JSON object");
    faults("[{\"path\": \"bad.*offset=100\", \"do\": \"status\", \"status\": 200, \"body\": \"{\\\"num_rows_total\\\": 777, \\\"rows\\\": []}\"}]");
    fetch_bad("org/bad", GLINT_ERROR_DATA, "had 250 rows and now has 777");
    faults("[]");
    g_autofree char *whole = g_build_filename(root, "home", "glint", "datasets", "org--bad", "plain", "train.jsonl", NULL);
    assert_false(g_file_test(whole, G_FILE_TEST_EXISTS));
    put_in_root("datasets/org--empty.json", "{\"plain\": {\"train\": {\"features\": [{\"name\": \"text\", \"type\": {\"dtype\": \"string\", "
                                            "\"_type\": \"Value\"}}], \"rows\": []}}}");
    fetch_bad("org/empty", GLINT_ERROR_DATA, "has no rows");
}

/* A name from the server must not leave the cache's folder. */
static void test_hostile_names(void **state)
{
    (void)state;
    put_in_root("datasets/org--evil.json", "{\"../../../up\": {\"..\": {\"features\": [{\"name\": \"text\", \"type\": {\"dtype\": \"string\", "
                                           "\"_type\": \"Value\"}}, {\"name\": \"label\", \"type\": "
                                           "{\"dtype\": \"int64\", \"_type\": \"Value\"}}], \"rows\": [{\"text\": \"a\", \"label\": 3}]}}}");
    g_auto(GlintHubDataset) found = {0};
    fetch_good("org/evil", 0, 0, &found);
    g_autofree char *inside = g_build_filename(root, "home", "glint", "datasets", "org--evil", NULL);
    assert_true(g_str_has_prefix(found.path, inside));
    assert_null(strstr(found.path, "/../"));
    g_autoptr(GlintDataset) dataset = glint_dataset_open(found.path, NULL, NULL);
    assert_non_null(dataset);
    assert_string_equal(g_ptr_array_index(dataset->classes, 0), "3");
}

static void test_download(void **state)
{
    (void)state;
    server_put(server, "org/files", "main/data.jsonl", "{\"text\": \"a\", \"label\": \"x\"}\n", 28);
    g_autofree char *url = g_strdup_printf("%s/org/files/resolve/main/data.jsonl", g_getenv("GLINT_DATASETS_SERVER"));
    g_autofree char *missing = g_strdup_printf("%s/org/files/resolve/main/none.jsonl", g_getenv("GLINT_DATASETS_SERVER"));
    g_autoptr(GError) error = NULL;
    g_autofree char *path = glint_hub_download_url(url, &error);
    expect_ok(path != NULL, error);
    assert_true(g_str_has_suffix(path, "/data.jsonl"));
    guint n = requests("data.jsonl", NULL);
    g_autofree char *again = glint_hub_download_url(url, &error), *bytes = NULL;
    assert_string_equal(again, path);
    assert_int_equal(requests("data.jsonl", NULL), n);
    assert_true(g_file_get_contents(path, &bytes, NULL, NULL));
    assert_string_equal(bytes, "{\"text\": \"a\", \"label\": \"x\"}\n");
    assert_null(glint_hub_download_url(missing, &error));
    expect_error(&error, GLINT_ERROR_IO, "404");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_split),  cmocka_unit_test(test_sample),   cmocka_unit_test(test_sample_of_unnamed_classes),
            cmocka_unit_test(test_resume),
        cmocka_unit_test(test_misbehaviour), cmocka_unit_test(test_refusals), cmocka_unit_test(test_hostile_names),
            cmocka_unit_test(test_download),
    };
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
