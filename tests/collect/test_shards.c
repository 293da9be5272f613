/* Shards and what joins them: any number of shares merged in any order gives the same bytes, and those of one undivided run but for
 * the rounding of moments; examples are those of a plain search; what does not belong together is refused by name; a merge and a shard that were
 * stopped continue. And pooling over punctuation, against a plain mean. The program runs itself as a child that is killed: `test_shards collect
 * FOLDER KILL_AT INTERRUPT_AT`. */
#include "base/files.h"
#include "base/safetensors.h"
#include "base/talk.h"
#include "collect/examples.h"
#include "support.h"
#include <glib/gstdio.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
/* cmocka needs the four above it */
#include <cmocka.h>

enum { K = 4 };

static const char *program;

static GlintCollectOptions shard_options(GlintPool pool, gsize shard, gsize n_shards)
{
    GlintCollectOptions options = options_of(pool);
    options.examples = K;
    options.shard = shard;
    options.n_shards = n_shards;
    options.seed = 3;
    return options;
}

/* Runs the shards of `d` into folders <name>-1 ... of the scratch folder; the paths are owned by the array. */
static GPtrArray *run_shards(const GlintDataset *d, GlintPool pool, gsize n, const char *name)
{
    GPtrArray *folders = g_ptr_array_new_with_free_func(g_free);
    for (gsize k = 1; k <= n; k++) {
        GlintCollectOptions options = shard_options(pool, k, n);
        g_autofree char *below = g_strdup_printf("%s-%zu", name, k);
        g_ptr_array_add(folders, in_scratch(below));
        omp_set_num_threads((int)(1 + k % 2));
        collect_good(d, &options, g_ptr_array_index(folders, k - 1));
    }
    omp_set_num_threads(omp_get_num_procs());
    return folders;
}

static GlintMergeStats merge_good(char *const *shards, gsize n, gboolean partial, const char *out)
{
    g_autoptr(GError) error = NULL;
    GlintMergeStats stats;
    if (!glint_collect_merge(shards, n, partial, out, &stats, &error))
        fail_msg("%s", error->message);
    return stats;
}

static void merge_bad(char *const *shards, gsize n, gboolean partial, const char *out, const char *first, const char *second)
{
    g_autoptr(GError) error = NULL;
    GlintMergeStats stats;
    assert_false(glint_collect_merge(shards, n, partial, out, &stats, &error));
    if (!strstr(error->message, first) || !strstr(error->message, second))
        fail_msg("%s", error->message);
}

static void assert_same_file(const char *a, const char *b, const char *below)
{
    g_autofree char *x = g_build_filename(a, below, NULL), *y = g_build_filename(b, below, NULL), *p = NULL, *q = NULL;
    gsize n = 0, m = 0;
    assert_true(g_file_get_contents(x, &p, &n, NULL) && g_file_get_contents(y, &q, &m, NULL));
    if (n != m || memcmp(p, q, n) != 0)
        fail_msg("%s differs", below);
}

/* The same but for rounding: settings and examples to the byte, moments to 1e-12 of their largest entry. */
static void assert_equal_runs(const char *whole, const char *merged)
{
    assert_same_file(whole, merged, "moments/settings.json");
    g_autoptr(GPtrArray) classes = glint_collect_classes(whole, NULL);
    for (guint c = 0; c < classes->len; c++)
        for (gsize l = 0; l < FAKE_LAYERS; l++) {
            const char *class_name = g_ptr_array_index(classes, c);
            g_autoptr(GError) error = NULL;
            g_autoptr(GlintMoments) a = glint_collect_load(whole, class_name, &three_layers[l], NULL, &error),
                b = glint_collect_load(merged, class_name, &three_layers[l], NULL, &error);
            assert_true(a && b && glint_moments_n(a) == glint_moments_n(b));
            const double *x = glint_moments_m2(a), *y = glint_moments_m2(b);
            double largest = 0, difference = 0;
            for (gsize i = 0; i < (gsize)FAKE_WIDTH * FAKE_WIDTH; i++) {
                largest = fmax(largest, fabs(x[i]));
                difference = fmax(difference, fabs(x[i] - y[i]));
            }
            assert_true(difference <= 1e-12 * largest);
            for (gsize j = 0; j < FAKE_WIDTH; j++)
                assert_true(fabs(glint_moments_mean(a)[j] - glint_moments_mean(b)[j]) <= 1e-12 * fabs(glint_moments_mean(a)[j]));
            g_autofree char *name = glint_site_name(&three_layers[l]), *folder = glint_class_folder(class_name);
            static const char *const extensions[] = {".safetensors", ".jsonl"};
            for (gsize e = 0; e < 2; e++) {
                g_autofree char *below = g_strconcat("moments/", folder, "/examples/", name, extensions[e], NULL);
                assert_same_file(whole, merged, below);
            }
            g_autofree char *texts = g_strconcat("moments/", folder, "/examples/texts.jsonl", NULL),
                *vocabulary = g_strconcat("moments/", folder, "/examples/vocabulary.json", NULL);
            assert_same_file(whole, merged, texts);
            assert_same_file(whole, merged, vocabulary);
        }
}

static void test_any_order(void **state)
{
    (void)state;
    static const GlintPool pools[] = {GLINT_POOL_MEAN, GLINT_POOL_TOKENS, GLINT_POOL_LAST};
    static const gsize orders[][4] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
    GlintDataset *d = texts_of(100);
    dataset_add(d, 0, "~"); /* a text without a token */
    for (gsize p = 0; p < G_N_ELEMENTS(pools); p++) {
        GlintCollectOptions options = shard_options(pools[p], 0, 0);
        g_autofree char *name = g_strdup_printf("order-%zu", p), *whole = in_scratch(name), *first = NULL;
        collect_good(d, &options, whole);
        g_autoptr(GPtrArray) shards = run_shards(d, pools[p], 4, name);
        for (gsize o = 0; o < G_N_ELEMENTS(orders); o++) {
            g_autofree char *below = g_strdup_printf("merged-%zu-%zu", p, o), *merged = in_scratch(below);
            char *given[4];
            for (gsize k = 0; k < 4; k++)
                given[k] = g_ptr_array_index(shards, orders[o][k]);
            GlintMergeStats stats = merge_good(given, 4, FALSE, merged);
            assert_true(stats.n_texts == 101 && stats.n_sites == 3 && stats.n_missing == 0 && !stats.reused);
            if (first)
                assert_same_tree(first, merged);
            else
                first = g_strdup(merged);
        }
        assert_equal_runs(whole, first);
        /* what is merged is a run like any other: nothing is left to do */
        assert_true(collect_good(d, &options, first).reused);
        assert_int_equal(fake.forwards, 0);
    }
    dataset_drop(d);
}

/* More shards than texts of a class: some hold nothing of it. */
static void test_empty_shares(void **state)
{
    (void)state;
    const char *const classes[] = {"few", "many", NULL};
    GlintDataset *d = dataset_new(classes);
    for (guint k = 0; k < 14; k++)
        dataset_add(d, k > 1, k % 2 ? "some words, here" : "and others.");
    GlintCollectOptions options = shard_options(GLINT_POOL_TOKENS, 0, 0);
    g_autofree char *whole = in_scratch("empty"), *merged = in_scratch("empty-merged");
    collect_good(d, &options, whole);
    g_autoptr(GPtrArray) shards = run_shards(d, GLINT_POOL_TOKENS, 5, "empty-shard");
    merge_good((char *const *)shards->pdata, 5, FALSE, merged);
    assert_equal_runs(whole, merged);
    dataset_drop(d);
}

/* Of every shard, texts and nothing but texts of its share; together, each once. */
static void test_shares(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(100);
    g_autoptr(GPtrArray) shards = run_shards(d, GLINT_POOL_MEAN, 3, "share");
    gsize texts = 0, most = 0, least = G_MAXSIZE;
    for (guint k = 0; k < 3; k++) {
        g_autoptr(json_t) settings = glint_collect_settings(g_ptr_array_index(shards, k), NULL);
        g_autofree char *shard = g_strdup_printf("%u/3", k + 1);
        assert_string_equal(json_string_value(json_object_get(json_object_get(settings, "settings"), "shard")), shard);
        gsize n = 0;
        for (gsize c = 0; c < 2; c++)
            n += (gsize)json_integer_value(json_object_get(json_array_get(json_object_get(settings, "classes"), c), "texts"));
        texts += n;
        most = MAX(most, n);
        least = MIN(least, n);
    }
    assert_true(texts == 100 && most - least <= 2);
    dataset_drop(d);
}

static void test_refusals(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    g_autoptr(GPtrArray) shards = run_shards(d, GLINT_POOL_MEAN, 3, "ref"), others = run_shards(d, GLINT_POOL_LAST, 3, "ref-last"),
        halves = run_shards(d, GLINT_POOL_MEAN, 2, "ref-half");
    g_autofree char *out = in_scratch("ref-out"), *whole = in_scratch("ref-whole"), *nothing = in_scratch("ref-nothing");
    char *a = g_ptr_array_index(shards, 0), *b = g_ptr_array_index(shards, 1), *c = g_ptr_array_index(shards, 2), *foreign = g_ptr_array_index(others, 2);
    GlintCollectOptions undivided = shard_options(GLINT_POOL_MEAN, 0, 0), fewer = shard_options(GLINT_POOL_MEAN, 3, 3), without = fewer;
    collect_good(d, &undivided, whole);
    merge_bad((char *[]){a, c}, 2, FALSE, out, "not given: 2", "--partial");
    merge_bad((char *[]){a, b, c, b}, 4, FALSE, out, "given twice", b);
    merge_bad((char *[]){a, b, foreign}, 3, FALSE, out, "--pool (was mean, is now last)", foreign);
    merge_bad((char *[]){a, g_ptr_array_index(halves, 1)}, 2, TRUE, out, "one of 3", "one of 2");
    merge_bad((char *[]){a, b, whole}, 3, FALSE, out, whole, "a whole run");
    merge_bad((char *[]){a, b, nothing}, 3, FALSE, out, nothing, "no moments");
    merge_bad((char *[]){a, b, c}, 3, FALSE, b, "given as a shard and as the folder to write", b);
    assert_false(g_file_test(out, G_FILE_TEST_EXISTS)); /* checked before anything was written */
    /* other sites, other examples */
    g_autofree char *few = in_scratch("ref-few"), *bare = in_scratch("ref-bare");
    fewer.n_sites = 2;
    collect_good(d, &fewer, few);
    merge_bad((char *[]){a, b, few}, 3, FALSE, out, few, "2 sites");
    without.examples = 0;
    collect_good(d, &without, bare);
    merge_bad((char *[]){a, b, bare}, 3, FALSE, out, bare, "--examples");
    /* what is there may be merged when asked for, and says what it is */
    GlintMergeStats stats = merge_good((char *[]){c, a}, 2, TRUE, out);
    assert_true(stats.n_missing == 1 && stats.n_texts == 40);
    g_autoptr(json_t) settings = glint_collect_settings(out, NULL);
    assert_string_equal(json_string_value(json_object_get(json_object_get(settings, "settings"), "shard")), "1,3/3");
    merge_bad((char *[]){a, b, c}, 3, FALSE, out, "--shard (was 1,3/3, is now 1/1)", out);
    merge_bad((char *[]){out, b}, 2, FALSE, bare, "not one shard", out);
    /* a damaged file */
    g_autofree char *file = glint_moments_path(b, "neg", &three_layers[1]), *fresh = in_scratch("ref-fresh");
    assert_true(truncate(file, 1000) == 0);
    merge_bad((char *[]){a, b, c}, 3, FALSE, fresh, file, "shard 2/3");
    dataset_drop(d);
}

/* Whatever a stopped merge had finished: the next call adds the rest. */
static void test_merge_continues(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    g_autoptr(GPtrArray) shards = run_shards(d, GLINT_POOL_MEAN, 3, "cont");
    g_autofree char *whole = in_scratch("cont-whole"), *broken = in_scratch("cont-broken");
    char *const *given = (char *const *)shards->pdata;
    merge_good(given, 3, FALSE, whole);
    merge_good(given, 3, FALSE, broken);
    assert_true(merge_good(given, 3, FALSE, broken).reused);
    g_autofree char *moments = glint_moments_path(broken, "neg", &three_layers[2]), *folder = glint_examples_folder(broken, "pos/weird name");
    g_autofree char *lines = glint_examples_path(broken, "neg", "blocks.0.mlp.hook_post", ".jsonl"), *debris = g_build_filename(folder, ".glint-left", NULL);
    assert_true(g_remove(moments) == 0 && g_remove(lines) == 0 && glint_remove_tree(folder, NULL) && glint_mkdir(folder, NULL) && g_file_set_contents(debris, "x", 1, NULL));
    assert_false(merge_good(given, 3, FALSE, broken).reused);
    assert_same_tree(whole, broken);
    dataset_drop(d);
}

/* ---- killed ---- */

static int child(char **argv)
{
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = shard_options(GLINT_POOL_MEAN, 2, 2);
    g_autoptr(GError) error = NULL;
    fake.kill_at = atoi(argv[3]);
    fake.interrupt_at = atoi(argv[4]);
    glint_interrupt_install();
    gboolean ok = glint_collect(fake_model(), fake_tokenizer(), d, &options, argv[2], NULL, &error);
    int code = ok ? 0 : glint_exit_code(error);
    dataset_drop(d);
    return code;
}

static int run_child(const char *folder, int kill_at, int interrupt_at)
{
    g_autofree char *at = g_strdup_printf("%d", kill_at), *stop = g_strdup_printf("%d", interrupt_at);
    const char *const line[] = {program, "collect", folder, at, stop, NULL};
    GPid pid;
    int status;
    assert_true(g_spawn_async(NULL, (char **)(gsize)line, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid, NULL));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_shard_killed(void **state)
{
    (void)state;
    g_autofree char *whole = in_scratch("killed-whole");
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = shard_options(GLINT_POOL_MEAN, 2, 2);
    collect_good(d, &options, whole);
    const int batches = fake.forwards;
    for (int at = 2; at <= batches; at += 2) {
        g_autofree char *name = g_strdup_printf("killed-%d", at), *folder = in_scratch(name);
        int status = at % 4 ? run_child(folder, at, 0) : run_child(folder, 0, at);
        assert_true(at % 4 ? WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL : WIFEXITED(status) && WEXITSTATUS(status) == GLINT_EXIT_INTERRUPTED);
        g_autofree char *out = in_scratch("killed-out");
        if (at == 2)
            merge_bad((char *[]){folder}, 1, TRUE, out, folder, "not finished");
        collect_good(d, &options, folder);
        assert_true(fake.forwards < batches);
        assert_same_tree(whole, folder);
    }
    dataset_drop(d);
}

static gboolean stop_third(gpointer data) { return ++*(int *)data == 3; }

static void test_told_to_stop(void **state)
{
    (void)state;
    g_autofree char *whole = in_scratch("stop-whole"), *folder = in_scratch("stop");
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = shard_options(GLINT_POOL_MEAN, 0, 0), stopping = options;
    int asked = 0;
    stopping.stop = stop_third;
    stopping.stop_data = &asked;
    collect_good(d, &options, whole);
    fake.forwards = 0;
    collect_bad(d, &stopping, folder, GLINT_ERROR_INTERRUPTED, "stopped");
    assert_int_equal(fake.forwards, 3);
    assert_true(collect_good(d, &options, folder).resumed);
    assert_same_tree(whole, folder);
    dataset_drop(d);
}

/* ---- what is in the examples ---- */

static int falling(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x > y ? -1 : x < y;
}

/* The lists of a run are those of a search through everything. */
static void test_examples_of_a_run(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(80);
    GlintCollectOptions options = shard_options(GLINT_POOL_LAST, 0, 0);
    g_autofree char *folder = in_scratch("search");
    collect_good(d, &options, folder);
    for (gsize l = 0; l < FAKE_LAYERS; l++) {
        g_autofree char *name = glint_site_name(&three_layers[l]), *path = glint_examples_path(folder, "neg", name, ".safetensors");
        g_autoptr(GlintExamples) examples = glint_examples_load(path, NULL);
        assert_non_null(examples);
        for (gsize j = 0; j < FAKE_WIDTH; j++) {
            g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(float));
            for (guint k = 0; k < d->texts->len; k++) {
                const GlintText *text = &g_array_index(d->texts, GlintText, k);
                for (gsize t = 1; text->label == 0 && t <= strlen(text->text) && t < FAKE_MAX_TOKENS; t++) {
                    float x = fake_activation((guchar)text->text[t - 1], t, l, j);
                    g_array_append_val(all, x);
                }
            }
            assert_int_equal(glint_examples_n(examples), all->len);
            qsort(all->data, all->len, sizeof(float), falling);
            gsize n_top, n_bottom;
            const GlintExample *top = glint_examples_top(examples, j, &n_top), *bottom = glint_examples_bottom(examples, j, &n_bottom);
            assert_true(n_top == K && n_bottom == K);
            for (gsize i = 0; i < K; i++) {
                const GlintText *text = &g_array_index(d->texts, GlintText, top[i].text);
                assert_true(top[i].value == g_array_index(all, float, i) && bottom[i].value == g_array_index(all, float, all->len - 1 - i));
                assert_true(top[i].value == fake_activation((guchar)text->text[top[i].position - 1], top[i].position, l, j)); /* it is where it says */
            }
        }
    }
    /* examples added later: the moments stay what they were */
    g_autofree char *later = in_scratch("later");
    options.examples = 0;
    collect_good(d, &options, later);
    options.examples = K;
    assert_false(collect_good(d, &options, later).reused);
    assert_same_tree(folder, later);
    options.examples = GLINT_EXAMPLES_MOST + 1;
    collect_bad(d, &options, later, GLINT_ERROR_USAGE, "--examples");
    dataset_drop(d);
}

/* ---- punctuation ---- */

static void test_punctuation(void **state)
{
    (void)state;
    const char *const classes[] = {"a", NULL};
    static const char *const texts[] = {"one, two. three", "no stop here", "!", "a-b (c)", "x;y"};
    GlintDataset *d = dataset_new(classes);
    double mean[FAKE_WIDTH] = {0};
    gsize rows = 0;
    for (gsize k = 0; k < G_N_ELEMENTS(texts); k++) {
        double sum[FAKE_WIDTH] = {0};
        gsize n = 0;
        dataset_add(d, 0, texts[k]);
        for (gsize t = 0; texts[k][t]; t++) {
            if (!strchr(",.!-();", texts[k][t]))
                continue;
            n++;
            for (gsize j = 0; j < FAKE_WIDTH; j++)
                sum[j] += (double)fake_activation((guchar)texts[k][t], t + 1, 1, j);
        }
        rows += n > 0;
        for (gsize j = 0; n > 0 && j < FAKE_WIDTH; j++)
            mean[j] += (double)(float)(sum[j] / (double)n);
    }
    GlintCollectOptions options = options_of(GLINT_POOL_PUNCT);
    g_autofree char *folder = in_scratch("punct"), *none = in_scratch("punct-none");
    GlintCollectStats stats = collect_good(d, &options, folder);
    assert_true(rows == 4 && stats.n_no_punctuation == 1 && stats.n_texts == 5);
    g_autoptr(GlintMoments) moments = glint_collect_load(folder, "a", &three_layers[1], NULL, NULL);
    assert_int_equal(glint_moments_n(moments), rows);
    for (gsize j = 0; j < FAKE_WIDTH; j++)
        assert_true(fabs(glint_moments_mean(moments)[j] - mean[j] / (double)rows) < 1e-12 * fabs(mean[j]));
    GlintDataset *bare = dataset_new(classes);
    dataset_add(bare, 0, "nothing");
    dataset_add(bare, 0, "to see.");
    dataset_add(bare, 0, "here");
    collect_bad(bare, &options, none, GLINT_ERROR_DATA, "2 of them without a token of punctuation");
    dataset_drop(bare);
    dataset_drop(d);
}

int main(int argc, char **argv)
{
    program = argv[0];
    if (argc == 5 && strcmp(argv[1], "collect") == 0)
        return child(argv);
    glint_talk_set_quiet(TRUE);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order),    cmocka_unit_test(test_empty_shares), cmocka_unit_test(test_shares),            cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_merge_continues), cmocka_unit_test(test_shard_killed), cmocka_unit_test(test_told_to_stop), cmocka_unit_test(test_examples_of_a_run),
        cmocka_unit_test(test_punctuation),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
