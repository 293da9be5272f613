/* The cache on disk, the environment, and suggestions: everything of the hub that needs no server. */
#include "base/scratch.h"

#include "hub/cache.h"
#include "hub/env.h"
#include "hub/hub.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static void test_names(void **state)
{
    (void)state;
    g_auto(GlintHubName) name;
    assert_true(glint_hub_name_parse(&name, "google/gemma-3-1b-pt"));
    assert_string_equal(name.id, "google/gemma-3-1b-pt");
    assert_string_equal(name.revision, "main");
    glint_hub_name_clear(&name);
    assert_true(glint_hub_name_parse(&name, "a/b.c_d@refs/pr/1"));
    assert_string_equal(name.revision, "refs/pr/1");
    static const char *const bad[] = {"",         "a",         "a/",       "/a",    "a/b/c",  "../a",    "a/..",     "a/b..c",   "a/b--c",    "a/.b",      "-a/b",
                                      "a/b.",     "a/b.git",   "a b/c",    "a/b@",  "a/b@/x", "a/b@x/",  "a/b@../x", "a/b@x//y", "a/b@.x",    "a/b@x y",   "a/b@x@y",
                                      "a/b\nc",   "\xc3\xa9/b"};
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        if (glint_hub_is_name(bad[i]))
            fail_msg("'%s' is taken for a name of the hub", bad[i]);
    }
    g_autofree char *longest = g_strnfill(96, 'x'), *good = g_strconcat("a/", longest, NULL), *longer = g_strconcat("a/x", longest, NULL);
    assert_true(glint_hub_is_name(good));
    assert_false(glint_hub_is_name(longer));
    assert_true(glint_cache_is_commit("0123456789abcdef0123456789abcdef01234567"));
    assert_false(glint_cache_is_commit("0123456789abcdef0123456789abcdef0123456"));
    assert_false(glint_cache_is_commit("0123456789ABCDEF0123456789abcdef01234567"));
}

static void expect_path(char *path, const char *expected)
{
    assert_string_equal(path, expected);
    g_free(path);
}

static void test_paths_and_refs(void **state)
{
    const char *cache = *state;
    GError *error = NULL;
    expect_path(glint_cache_snapshot_path("/c", "o/n", "abc"), "/c/models--o--n/snapshots/abc");
    expect_path(glint_cache_blob_path("/c", "o/n", "e"), "/c/models--o--n/blobs/e");
    assert_null(glint_cache_ref(cache, "o/n", "main"));
    expect_path(glint_cache_ref(cache, "o/n", "0123456789abcdef0123456789abcdef01234567"), "0123456789abcdef0123456789abcdef01234567");
    expect_ok(glint_cache_set_ref(cache, "o/n", "refs/pr/1", "abc", &error), error);
    expect_path(glint_cache_ref(cache, "o/n", "refs/pr/1"), "abc");
    g_autofree char *path = g_build_filename(cache, "models--o--n", "refs", "refs", "pr", "1", NULL), *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, "abc"); /* no line end: the Python client compares the whole file */
    put_file(path, "../../x", 7);
    assert_null(glint_cache_ref(cache, "o/n", "refs/pr/1"));
    put_file(path, "abd\n", 4);
    expect_path(glint_cache_ref(cache, "o/n", "refs/pr/1"), "abd");
    expect_ok(glint_cache_set_ref(cache, "o/n", "abc", "abc", &error), error); /* a commit needs no ref */
    g_autofree char *none = g_build_filename(cache, "models--o--n", "refs", "abc", NULL);
    assert_false(g_file_test(none, G_FILE_TEST_EXISTS));
}

static void expect_missing(const char *snapshot, gboolean tokenizer_only, gboolean strict, const char *expected)
{
    g_autofree char *missing = glint_cache_missing(snapshot, tokenizer_only, strict);
    if (g_strcmp0(missing, expected) != 0)
        fail_msg("missing is %s, not %s", missing ? missing : "nothing", expected ? expected : "nothing");
}

static void put_in(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    put_file(path, text, strlen(text));
}

/* Files here are plain ones, as the Python client writes them where there are no links. */
static void test_missing(void **state)
{
    const char *folder = *state;
    expect_missing(folder, FALSE, FALSE, "config.json");
    put_in(folder, "config.json", "{}");
    expect_missing(folder, FALSE, FALSE, "model.safetensors");
    expect_missing(folder, FALSE, TRUE, "tokenizer.json");
    expect_missing(folder, TRUE, FALSE, "tokenizer.json");
    put_in(folder, "tokenizer.model", "x");
    expect_missing(folder, TRUE, TRUE, NULL);
    put_in(folder, "model.safetensors.index.json", "{");
    expect_missing(folder, FALSE, TRUE, "model.safetensors.index.json");
    put_in(folder, "model.safetensors.index.json", "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"../2.safetensors\"}}");
    expect_missing(folder, FALSE, TRUE, "1.safetensors");
    put_in(folder, "1.safetensors", "x");
    expect_missing(folder, FALSE, TRUE, "model.safetensors.index.json");
    put_in(folder, "model.safetensors.index.json", "{\"weight_map\": {\"a\": \"1.safetensors\", \"b\": \"1.safetensors\"}}");
    expect_missing(folder, FALSE, TRUE, NULL);
    put_in(folder, "model.safetensors", "x");
    expect_missing(folder, FALSE, TRUE, NULL);
    assert_true(glint_cache_has_file(folder, "config.json", 2));
    assert_false(glint_cache_has_file(folder, "config.json", 3));
    assert_false(glint_cache_has_file(folder, ".", -1));
}

/* Hashes as `sha256sum` and `git hash-object` print them. */
static void test_verify(void **state)
{
    static const char sha256[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", git[] = "f2ba8f84ab5c1bce84a7b441cb1959cfc7093b7f";
    static const char empty[] = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391";
    g_autofree char *path = g_build_filename(*state, "x", NULL), *nothing = g_build_filename(*state, "y", NULL);
    put_file(path, "abc", 3);
    put_file(nothing, "", 0);
    GError *error = NULL;
    assert_true(glint_cache_verify(path, sha256, "x", &error));
    assert_true(glint_cache_verify(path, git, "x", &error));
    assert_true(glint_cache_verify(nothing, empty, "y", &error));
    assert_false(glint_cache_verify(nothing, git, "y", &error));
    assert_false(glint_cache_verify(nothing, sha256, "y", &error));
    assert_null(error);
    assert_true(glint_cache_verify(path, "0123456789abcdef0123456789abcdef-5", "x", &error)); /* S3's, of a mirror: proves nothing, warned of */
    unlink(path);
    assert_false(glint_cache_verify(path, git, "x", &error));
    expect_error(&error, GLINT_ERROR_IO, "cannot read");
    assert_false(glint_cache_verify(path, sha256, "x", &error));
    expect_error(&error, GLINT_ERROR_IO, "cannot open");
}

static void test_blobs_and_links(void **state)
{
    const char *cache = *state;
    GError *error = NULL;
    expect_ok(glint_cache_prepare(cache, "o/n", "abc", &error), error);
    expect_ok(glint_cache_prepare(cache, "o/n", "abc", &error), error);
    g_autofree char *snapshot = glint_cache_snapshot_path(cache, "o/n", "abc"), *blob = glint_cache_blob_path(cache, "o/n", "e1");
    g_autofree char *incomplete = g_strconcat(blob, ".incomplete", NULL), *link_path = g_build_filename(snapshot, "config.json", NULL);
    put_file(incomplete, "abc", 3);
    expect_ok(glint_cache_put_blob(incomplete, blob, &error), error);
    assert_false(g_file_test(incomplete, G_FILE_TEST_EXISTS));
    put_file(link_path, "old", 3); /* something else under the name gives way */
    expect_ok(glint_cache_link(snapshot, "config.json", "e1", &error), error);
    expect_ok(glint_cache_link(snapshot, "config.json", "e1", &error), error);
    g_autofree char *target = g_file_read_link(link_path, NULL);
    assert_string_equal(target, "../../blobs/e1");
    assert_true(glint_cache_has_file(snapshot, "config.json", 3));
    assert_int_equal(count_files(snapshot), 1);
    assert_false(glint_cache_put_blob(incomplete, blob, &error));
    expect_error(&error, GLINT_ERROR_IO, "cannot write");
    /* a blob that is itself a link, into a store shared by caches */
    g_autofree char *store = g_build_filename(cache, "store", NULL);
    put_file(store, "shared", 6);
    unlink(blob);
    assert_int_equal(symlink("../../store", blob), 0);
    assert_true(glint_cache_has_file(snapshot, "config.json", 6));
}

/* The Python client takes the same lock with flock(2). */
static void test_lock(void **state)
{
    const char *cache = *state;
    GError *error = NULL;
    GlintCacheLock *lock = glint_cache_lock(cache, "o/n", "e1", &error);
    expect_ok(lock != NULL, error);
    g_autofree char *path = g_build_filename(cache, ".locks", "models--o--n", "e1.lock", NULL);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    glint_cache_unlock(lock);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
}

/* ---- environment ---------------------------------------------------------------------------------------------------- */

static const char *const variables[] = {"HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "TRANSFORMERS_CACHE", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH",
                                        "HF_ENDPOINT", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_ETAG_TIMEOUT", "HF_HUB_DOWNLOAD_TIMEOUT",
                                        "HF_HUB_DISABLE_PROGRESS_BARS", "HF_HUB_DISABLE_IMPLICIT_TOKEN"};

static void forget(void)
{
    for (gsize i = 0; i < G_N_ELEMENTS(variables); i++)
        g_unsetenv(variables[i]);
}

static void test_places(void **state)
{
    (void)state;
    forget();
    g_autofree char *usual = g_build_filename(g_get_user_cache_dir(), "huggingface", "hub", NULL), *below_home = g_build_filename(g_get_home_dir(), "x/hub", NULL);
    expect_path(glint_hub_cache_dir(), usual);
    g_autofree char *own = g_build_filename(g_get_user_cache_dir(), "glint", "datasets", NULL);
    expect_path(glint_own_cache_dir("datasets"), own);
    g_setenv("HF_HOME", "~/x", TRUE);
    expect_path(glint_hub_cache_dir(), below_home);
    g_autofree char *own_below_home = g_build_filename(g_get_home_dir(), "x", "glint", "synth", NULL);
    expect_path(glint_own_cache_dir("synth"), own_below_home);
    g_setenv("HF_HOME", "/h", TRUE);
    expect_path(glint_hub_cache_dir(), "/h/hub");
    g_setenv("TRANSFORMERS_CACHE", "/t", TRUE);
    expect_path(glint_hub_cache_dir(), "/t");
    g_setenv("HUGGINGFACE_HUB_CACHE", "/l", TRUE);
    expect_path(glint_hub_cache_dir(), "/l");
    g_setenv("HF_HUB_CACHE", "/c", TRUE);
    expect_path(glint_hub_cache_dir(), "/c");
    g_setenv("HF_HUB_CACHE", "", TRUE); /* empty is not set */
    expect_path(glint_hub_cache_dir(), "/l");
    expect_path(glint_hub_endpoint(), "https://huggingface.co");
    g_setenv("HF_ENDPOINT", "https://mirror.example/hub//", TRUE);
    expect_path(glint_hub_endpoint(), "https://mirror.example/hub");
}

static void test_switches(void **state)
{
    (void)state;
    forget();
    assert_false(glint_hub_offline());
    assert_true(glint_hub_progress_bars());
    static const char *const yes[] = {"1", "on", "Yes", "TRUE"}, *const no[] = {"0", "off", "", "no"};
    for (gsize i = 0; i < 4; i++) {
        g_setenv("HF_HUB_OFFLINE", no[i], TRUE);
        assert_false(glint_hub_offline());
        g_setenv("HF_HUB_OFFLINE", yes[i], TRUE);
        assert_true(glint_hub_offline());
    }
    g_setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1", TRUE);
    assert_false(glint_hub_progress_bars());
    assert_true(glint_hub_etag_timeout() == 10 && glint_hub_download_timeout() == 10);
    g_setenv("HF_HUB_ETAG_TIMEOUT", "2.5", TRUE);
    g_setenv("HF_HUB_DOWNLOAD_TIMEOUT", "nonsense", TRUE);
    assert_true(glint_hub_etag_timeout() == 2.5 && glint_hub_download_timeout() == 10);
}

static void expect_token(const char *expected)
{
    g_autofree char *token = NULL;
    GError *error = NULL;
    expect_ok(glint_hub_token(&token, &error), error);
    assert_int_equal(g_strcmp0(token, expected), 0);
}

static void test_token(void **state)
{
    forget();
    g_setenv("HF_HOME", *state, TRUE);
    expect_token(NULL);
    put_in(*state, "token", " hf_home\n");
    expect_token("hf_home");
    put_in(*state, "other", "hf_path");
    g_autofree char *other = g_build_filename(*state, "other", NULL);
    g_setenv("HF_TOKEN_PATH", other, TRUE);
    expect_token("hf_path");
    g_setenv("HUGGING_FACE_HUB_TOKEN", "hf_old", TRUE);
    expect_token("hf_old");
    g_setenv("HF_TOKEN", "hf_new\r\n", TRUE);
    expect_token("hf_new");
    g_setenv("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1", TRUE);
    expect_token(NULL);
    g_unsetenv("HF_HUB_DISABLE_IMPLICIT_TOKEN");
    g_setenv("HF_TOKEN", "hf_secret\nX-Evil: 1", TRUE);
    g_autofree char *token = NULL;
    GError *error = NULL;
    assert_false(glint_hub_token(&token, &error));
    assert_null(token);
    assert_null(strstr(error->message, "secret"));
    expect_error(&error, GLINT_ERROR_USAGE, "HF_TOKEN holds");
    forget();
}

static void test_suggestions(void **state)
{
    (void)state;
    static const struct {
        const char *said, *meant; /* NULL: no idea */
    } cases[] = {{"google/gemma3-1.1b", "'google/gemma-3-1b-pt'"},
                 {"gemma-3-1b", "'google/gemma-3-1b-pt' or 'google/gemma-3-1b-it'"},
                 {"gemma-3-1b-pt", "'google/gemma-3-1b-pt'"},
                 {"gemma3-1b-pt", "'google/gemma-3-1b-pt'"},
                 {"google/gemma-3-1b", "'google/gemma-3-1b-pt' or 'google/gemma-3-1b-it'"},
                 {"gpt2", "'openai-community/gpt2'"},
                 {"gpt2-xl", "'openai-community/gpt2-xl'"},
                 {"openai/gpt2", "'openai-community/gpt2'"},
                 {"pythia-70m", "'EleutherAI/pythia-70m'"},
                 {"pythia-1.4b", "'EleutherAI/pythia-1.4b'"},
                 {"EleutherAI/pythia-70", "'EleutherAI/pythia-70m'"},
                 {"llama-3.2-1b", "'meta-llama/Llama-3.2-1B'"},
                 {"meta-llama/Llama-3.2-1B-Instuct", "'meta-llama/Llama-3.2-1B-Instruct'"},
                 {"qwen2.5-0.5b", "'Qwen/Qwen2.5-0.5B'"},
                 {"qwen3-0.6b@main", "'Qwen/Qwen3-0.6B'"},
                 {"smollm2-135m", "'HuggingFaceTB/SmolLM2-135M'"},
                 {"tinyllama", "'TinyLlama/TinyLlama-1.1B-Chat-v1.0'"},
                 {"llama-2-7b", "'meta-llama/Llama-2-7b-hf'"},
                 {"results/models", NULL},
                 {"x", NULL},
                 {"", NULL}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *meant = glint_hub_suggest(cases[i].said);
        if (g_strcmp0(meant, cases[i].meant) != 0)
            fail_msg("for '%s': %s", cases[i].said, meant ? meant : "nothing");
    }
    g_autofree char *endless = g_strnfill(10000, 'g'), *nothing = glint_hub_suggest(endless);
    assert_null(nothing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),   scratch_test(test_paths_and_refs), scratch_test(test_missing), scratch_test(test_verify), scratch_test(test_blobs_and_links),
        scratch_test(test_lock),        cmocka_unit_test(test_places),     cmocka_unit_test(test_switches), scratch_test(test_token), cmocka_unit_test(test_suggestions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
