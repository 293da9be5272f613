/* Collecting with a fake model (fake_model.h): pooling against a plain computation, what is skipped and refused, reuse,
 * interrupting, and killing. The program runs itself as a child process that is killed: `test_collect collect FOLDER KILL_AT
 * INTERRUPT_AT SLEEP_US MEMORY_BYTES`. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "collect/collect.h"
#include "collect/columns.h"
#include "fake_model.h"
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

static const GlintSite site0 = {GLINT_SITE_MLP_POST, 0}, site1 = {GLINT_SITE_MLP_POST, 1}, site2 = {GLINT_SITE_MLP_POST, 2};

/* ---- pooling ---- */

/* Rows of one class, rounded to f32 as they are kept, by the definition of each pooling, through the plain moments. */
static GlintMoments *expected(const GlintDataset *d, int label, gsize layer, GlintPool pool)
{
    GlintMoments *moments = glint_moments_new(FAKE_WIDTH);
    for (guint k = 0; k < d->texts->len; k++) {
        const GlintText *text = &g_array_index(d->texts, GlintText, k);
        gsize n = MIN(strlen(text->text), FAKE_MAX_TOKENS - 1);
        double row[FAKE_WIDTH];
        if (text->label != label || text->text[0] == '~')
            continue;
        for (gsize j = 0; j < FAKE_WIDTH; j++)
            row[j] = pool == GLINT_POOL_FIRST ? (double)fake_activation(FAKE_BOS, 0, layer, j) : pool == GLINT_POOL_MAX ? -INFINITY : 0;
        for (gsize t = 0; t < n; t++) {
            for (gsize j = 0; j < FAKE_WIDTH; j++) {
                double x = (double)fake_activation((guchar)text->text[t], t + 1, layer, j);
                row[j] = pool == GLINT_POOL_MEAN ? row[j] + x : pool == GLINT_POOL_MAX ? fmax(row[j], x) : pool == GLINT_POOL_FIRST ? row[j] : x;
            }
            if (pool == GLINT_POOL_TOKENS)
                glint_moments_add_f64(moments, row, 1, FAKE_WIDTH);
        }
        for (gsize j = 0; j < FAKE_WIDTH; j++)
            row[j] = (double)(float)(pool == GLINT_POOL_MEAN ? row[j] / (double)n : row[j]);
        if (pool != GLINT_POOL_TOKENS)
            glint_moments_add_f64(moments, row, 1, FAKE_WIDTH);
    }
    return moments;
}

static void assert_close(GlintMoments *a, GlintMoments *b, double tolerance)
{
    assert_int_equal(glint_moments_n(a), glint_moments_n(b));
    const double *ma = glint_moments_mean(a), *mb = glint_moments_mean(b), *ca = glint_moments_m2(a), *cb = glint_moments_m2(b);
    double scale = 0;
    for (gsize k = 0; k < FAKE_WIDTH * FAKE_WIDTH; k++)
        scale = fmax(scale, fabs(cb[k]));
    for (gsize k = 0; k < FAKE_WIDTH; k++)
        assert_true(fabs(ma[k] - mb[k]) <= tolerance * (1 + fabs(mb[k])));
    for (gsize k = 0; k < FAKE_WIDTH * FAKE_WIDTH; k++)
        assert_true(fabs(ca[k] - cb[k]) <= tolerance * (scale + 1));
}

static void test_pooling(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(200);
    dataset_add(d, 1, "~");
    for (int pool = GLINT_POOL_MEAN; pool <= GLINT_POOL_FIRST; pool++) {
        g_autofree char *name = g_strdup_printf("pool-%d", pool), *folder = in_scratch(name);
        GlintCollectOptions options = options_of((GlintPool)pool);
        options.checkpoint_seconds = 0;
        GlintCollectStats stats = collect_good(d, &options, folder);
        assert_int_equal(stats.n_texts, 201);
        assert_int_equal(stats.n_no_tokens, 1);
        assert_int_equal(stats.n_truncated, 20);
        assert_false(stats.resumed || stats.reused);
        for (gsize layer = 0; layer < FAKE_LAYERS; layer++)
            for (int label = 0; label < 2; label++) {
                GlintSite site = {GLINT_SITE_MLP_POST, layer};
                g_autoptr(GHashTable) metadata = NULL;
                g_autoptr(GlintMoments) ours = glint_collect_load(folder, g_ptr_array_index(d->classes, (guint)label), &site, &metadata, NULL);
                g_autoptr(GlintMoments) plain = expected(d, label, layer, (GlintPool)pool);
                assert_non_null(ours);
                assert_close(ours, plain, 1e-10);
                assert_string_equal(g_hash_table_lookup(metadata, "pool"), glint_pool_name((GlintPool)pool));
                assert_string_equal(g_hash_table_lookup(metadata, "class"), g_ptr_array_index(d->classes, (guint)label));
                assert_string_equal(g_hash_table_lookup(metadata, "prefix"), "1");
            }
    }
    dataset_drop(d);
}

static void test_all_is_both(void **state)
{
    (void)state;
    g_autofree char *folder = in_scratch("pool-0"); /* as test_pooling left it */
    GlintDataset *d = texts_of(200);
    g_autoptr(GPtrArray) classes = glint_collect_classes(folder, NULL);
    assert_non_null(classes);
    assert_int_equal(classes->len, 2);
    assert_string_equal(g_ptr_array_index(classes, 1), "pos/weird name");
    g_autoptr(GHashTable) metadata = NULL;
    g_autoptr(GlintMoments) all = glint_collect_load(folder, "all", &site1, &metadata, NULL), a = expected(d, 0, 1, GLINT_POOL_MEAN), b = expected(d, 1, 1, GLINT_POOL_MEAN);
    assert_true(glint_moments_merge(a, b, NULL));
    assert_int_equal(glint_moments_n(all), 200);
    assert_close(all, a, 1e-10);
    assert_string_equal(g_hash_table_lookup(metadata, "class"), "all");
    g_autoptr(GError) error = NULL;
    assert_null(glint_collect_load(folder, "nobody", &site1, NULL, &error));
    assert_non_null(strstr(error->message, "no class \"nobody\""));
    dataset_drop(d);
}

static void test_first_is_refused_later(void **state)
{
    (void)state;
    g_autofree char *folder = in_scratch("pool-4");
    g_autoptr(GlintMoments) neg = glint_collect_load(folder, "neg", &site0, NULL, NULL);
    GlintMoments *const moments[] = {neg};
    const char *const names[] = {"neg"};
    GlintColumnsOptions options = {.site = "blocks.0.mlp.hook_post", .pool = "first"};
    g_autoptr(GError) error = NULL;
    assert_null(glint_columns_choose(moments, names, 1, &options, &error));
    assert_non_null(strstr(error->message, "use --pool mean or --pool last"));
}

/* ---- settings, reuse, refusals ---- */

static void test_reuse_and_more_layers(void **state)
{
    (void)state;
    g_autofree char *folder = in_scratch("reuse"), *whole = in_scratch("reuse-whole");
    GlintDataset *d = texts_of(60);
    GlintCollectOptions options = options_of(GLINT_POOL_MEAN);
    options.n_sites = 1;
    collect_good(d, &options, folder);
    assert_true(fake.forwards > 0);
    GlintCollectStats first = collect_good(d, &options, folder);
    assert_true(first.reused);
    assert_int_equal(first.n_texts, 60);
    assert_true(first.n_tokens > 500);
    assert_int_equal(fake.forwards, 0);
    options.n_sites = 3;
    assert_false(collect_good(d, &options, folder).reused);
    collect_good(d, &options, whole);
    assert_same_tree(folder, whole); /* layers added later are the same as layers of one run */
    g_autofree char *gone = glint_moments_path(folder, "neg", &site2);
    g_remove(gone);
    assert_false(collect_good(d, &options, folder).reused);
    assert_same_tree(folder, whole);
    dataset_drop(d);
}

static void test_settings_differ(void **state)
{
    (void)state;
    g_autofree char *folder = in_scratch("differ"), *store = g_build_filename(folder, "moments", NULL);
    GlintDataset *d = texts_of(30);
    GlintCollectOptions options = options_of(GLINT_POOL_MEAN), other = options;
    collect_good(d, &options, folder);
    other.pool = GLINT_POOL_LAST;
    other.max_tokens = 20;
    collect_bad(d, &other, folder, GLINT_ERROR_DATA, "--pool (was mean, is now last); --max-tokens (was 64, is now 20); choose another --out, or delete ");
    other = options;
    other.max_tokens = 10000; /* more than the model takes is the model's limit */
    assert_true(collect_good(d, &other, folder).reused);
    g_free(d->sha256);
    d->sha256 = g_strdup("e1e1e1");
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "the data (dataset, --max-samples or seed) (sha256 was d0d0, is now e1e1e1)");
    g_autofree char *settings = g_build_filename(store, "settings.json", NULL);
    g_remove(settings);
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "but no settings.json");
    assert_true(g_file_set_contents(settings, "[1, 2", -1, NULL));
    collect_bad(d, &options, folder, GLINT_ERROR_FORMAT, "settings.json");
    dataset_drop(d);
}

static void test_bad_requests(void **state)
{
    (void)state;
    g_autofree char *folder = in_scratch("bad");
    GlintDataset *d = texts_of(30);
    GlintCollectOptions options = options_of(GLINT_POOL_MEAN);
    const GlintSite beyond = {GLINT_SITE_MLP_POST, 3}, absent = {GLINT_SITE_ATTN_Z, 0};
    options.sites = &absent;
    options.n_sites = 1;
    collect_bad(d, &options, folder, GLINT_ERROR_USAGE, "no site attn.hook_z");
    options = options_of(GLINT_POOL_MEAN);
    options.sites = &beyond;
    options.n_sites = 1;
    collect_bad(d, &options, folder, GLINT_ERROR_USAGE, "layers 0 to 2");
    options = options_of(GLINT_POOL_MEAN);
    options.max_tokens = 1;
    collect_bad(d, &options, folder, GLINT_ERROR_USAGE, "--max-tokens 1 leaves nothing");
    options.max_tokens = 0;
    dataset_add(d, 0, "bad \x01 byte");
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "text line 31: the fake tokenizer refuses");
    dataset_drop(d);
    const char *const two[] = {"neg", "pos", NULL}, *const reserved[] = {"all", "pos", NULL};
    d = dataset_new(two);
    dataset_add(d, 0, "one");
    dataset_add(d, 0, "two");
    dataset_add(d, 1, "three");
    dataset_add(d, 1, "~~");
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "class pos has 1 sample (2 texts, 1 of them without a token), and a covariance needs at least 2");
    dataset_drop(d);
    d = dataset_new(reserved);
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "called \"all\"");
    dataset_drop(d);
    g_autofree char *settings = g_build_filename(folder, "moments", "settings.json", NULL);
    assert_false(g_file_test(settings, G_FILE_TEST_EXISTS)); /* refused before anything was written */
    GlintPool pool;
    g_autoptr(GError) error = NULL;
    assert_true(glint_pool_parse("Last", &pool, NULL) && pool == GLINT_POOL_LAST);
    assert_false(glint_pool_parse("median", &pool, &error));
    assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_USAGE));
}

/* A run that failed before it had anything to keep stands in nobody's way. */
static void test_failed_run_binds_nobody(void **state)
{
    (void)state;
    g_autofree char *folder = in_scratch("failed");
    GlintDataset *d = texts_of(30);
    GlintCollectOptions options = options_of(GLINT_POOL_MEAN);
    fake.overflow_token = 'c';
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "not finite");
    fake.overflow_token = 0;
    options.pool = GLINT_POOL_MAX;
    assert_false(collect_good(d, &options, folder).reused);
    assert_true(collect_good(d, &options, folder).reused);
    dataset_drop(d);
}

static void test_not_finite(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(30);
    dataset_add(d, 1, "ab!c");
    fake.overflow_token = '!';
    for (int pool = GLINT_POOL_MEAN; pool <= GLINT_POOL_TOKENS; pool++) {
        g_autofree char *name = g_strdup_printf("inf-%d", pool), *folder = in_scratch(name);
        GlintCollectOptions options = options_of((GlintPool)pool);
        if (pool != GLINT_POOL_LAST) /* the last token is not the bad one */
            collect_bad(d, &options, folder, GLINT_ERROR_DATA, "text line 31 (class pos/weird name): column 5 of blocks.1.mlp.hook_post is not finite");
        else
            collect_good(d, &options, folder);
    }
    fake.overflow_token = 0;
    dataset_drop(d);
}

static void test_class_folders(void **state)
{
    (void)state;
    static const char *const cases[][2] = {{"pos", "pos"}, {"", "%"}, {"..", "%2E."}, {".", "%2E"}, {"a/b", "a%2Fb"}, {"/etc", "%2Fetc"}, {"moments", "%6Doments"},
                                           {"Compare", "%43ompare"}, {"50%", "50%25"}, {"a b", "a b"}, {" a", "%20a"}, {"v1.5", "v1.5"}, {"caf\xC3\xA9", "caf\xC3\xA9"},
                                           {"a\nb\\c:d", "a%0Ab%5Cc%3Ad"}};
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autofree char *name = glint_class_folder(cases[k][0]);
        assert_string_equal(name, cases[k][1]);
    }
    g_autofree char *long_a = g_strnfill(400, 'x'), *long_b = g_strconcat(long_a, "y", NULL), *a = glint_class_folder(long_a), *b = glint_class_folder(long_b);
    assert_true(strlen(a) < 160 && strlen(b) < 160);
    assert_string_not_equal(a, b);
    g_autofree char *path = glint_moments_path("out", "a/b", &site2);
    assert_string_equal(path, "out/moments/a%2Fb/blocks.2.mlp.hook_post.safetensors");
}

/* ---- stopping and going on ---- */

static const GlintPool child_pool = GLINT_POOL_TOKENS; /* blocks of rows fill within the run: checkpoints hold folded and pending rows */

static int child(char **argv)
{
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of(child_pool);
    g_autoptr(GError) error = NULL;
    fake.kill_at = atoi(argv[3]);
    fake.interrupt_at = atoi(argv[4]);
    fake.sleep_us = (unsigned)atoi(argv[5]);
    options.memory_bytes = (gsize)atoi(argv[6]);
    glint_interrupt_install();
    gboolean ok = glint_collect(fake_model(), fake_tokenizer(), d, &options, argv[2], NULL, &error);
    if (!ok)
        fprintf(stderr, "%s\n", error->message);
    int code = ok ? 0 : glint_exit_code(error);
    dataset_drop(d);
    return code;
}

static GPid start_child_with(const char *folder, int kill_at, int interrupt_at, int sleep_us, const char *memory)
{
    g_autofree char *at = g_strdup_printf("%d", kill_at), *stop = g_strdup_printf("%d", interrupt_at), *nap = g_strdup_printf("%d", sleep_us),
        *self = g_file_read_link("/proc/self/exe", NULL);
    char collect[] = "collect", *argv[] = {self, collect, (char *)(gintptr)folder, at, stop, nap, (char *)(gintptr)memory, NULL};
    GPid pid = 0;
    assert_true(g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid, NULL));
    return pid;
}

static GPid start_child(const char *folder, int kill_at, int interrupt_at, int sleep_us) { return start_child_with(folder, kill_at, interrupt_at, sleep_us, "0"); }

static int wait_child(GPid pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static const char *undisturbed(void)
{
    static char *folder;
    if (!folder) {
        GlintDataset *d = texts_of(120);
        GlintCollectOptions options = options_of(child_pool);
        folder = in_scratch("undisturbed");
        collect_good(d, &options, folder);
        dataset_drop(d);
    }
    return folder;
}

static void test_killed_and_resumed(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of(child_pool);
    const char *whole = undisturbed();
    int batches = 12 + 6; /* 80 and 40 texts, 7 a batch */
    for (int at = 1; at <= batches; at += 1 + at / 6) {
        g_autofree char *name = g_strdup_printf("kill-%d", at), *folder = in_scratch(name);
        int status = wait_child(start_child(folder, at, 0, 0));
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        int threads = omp_get_max_threads();
        omp_set_num_threads(at % 3 + 1); /* and on another number of threads */
        GlintCollectStats stats = collect_good(d, &options, folder);
        omp_set_num_threads(threads);
        assert_int_equal(fake.forwards, batches - at + 1); /* a checkpoint after every batch: only the killed one is run again */
        assert_int_equal(stats.resumed, at != 1 && at != 13); /* nothing to resume at the start of a class */
        assert_int_equal(stats.n_texts, 120);
        assert_same_tree(whole, folder);
    }
    dataset_drop(d);
}

/* Too little memory for more than one layer: several passes, the same result, also when killed between them. */
static void test_layers_in_passes(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of(child_pool);
    g_autofree char *folder = in_scratch("passes"), *killed = in_scratch("passes-killed");
    options.memory_bytes = TARGET_BYTES;
    GlintCollectStats stats = collect_good(d, &options, folder);
    assert_int_equal(fake.forwards, FAKE_LAYERS * 18);
    assert_int_equal(stats.n_tokens_run, FAKE_LAYERS * stats.n_tokens);
    assert_same_tree(undisturbed(), folder);
    g_autofree char *bytes = g_strdup_printf("%zu", TARGET_BYTES);
    wait_child(start_child_with(killed, 16, 0, 0, bytes)); /* the fourth batch of the second layer of the first class */
    options.memory_bytes = 0;
    stats = collect_good(d, &options, killed);
    assert_true(stats.resumed);
    assert_int_equal(fake.forwards, 9 + 12 + 6); /* the second layer's rest, the third layer, the other class */
    assert_same_tree(undisturbed(), killed);
    dataset_drop(d);
}

static GlintCollectOptions options_of_everything(void)
{
    GlintCollectOptions options = options_of(child_pool);
    options.sites = everything;
    options.n_sites = G_N_ELEMENTS(everything);
    return options;
}

/* Every site of every layer by one pass over the texts, byte for byte what collecting them one by one leaves. */
static void test_all_targets_in_one_pass(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of_everything(), alone = options;
    g_autofree char *folder = in_scratch("targets"), *one_by_one = in_scratch("one-by-one"), *packed = in_scratch("packed");
    collect_good(d, &options, folder);
    assert_int_equal(fake.forwards, 18);
    alone.n_sites = 1;
    for (gsize k = 0; k < G_N_ELEMENTS(everything); k++) {
        alone.sites = &everything[k];
        collect_good(d, &alone, one_by_one);
        assert_int_equal(fake.forwards, 18);
    }
    assert_same_tree(folder, one_by_one);
    options.memory_bytes = TARGET_BYTES + TARGET_BYTES / 2; /* a wide and a narrow one at a time: three passes, not four */
    collect_good(d, &options, packed);
    assert_int_equal(fake.forwards, 3 * 18);
    assert_same_tree(folder, packed);
    dataset_drop(d);
}

static void test_plan(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of_everything();
    g_autofree char *folder = in_scratch("plan");
    g_autoptr(GError) error = NULL;
    options.memory_bytes = 2 * TARGET_BYTES;
    fake.forwards = 0;
    g_autoptr(json_t) plan = glint_collect_plan(fake_model(), fake_tokenizer(), d, &options, folder, &error);
    assert_non_null(plan);
    json_t *passes = json_object_get(plan, "passes"), *first = json_array_get(passes, 0);
    assert_int_equal(json_array_size(passes), 4);
    assert_string_equal(json_string_value(json_object_get(first, "class")), "neg");
    assert_int_equal(json_array_size(json_object_get(first, "sites")), 2); /* the wide ones of layers 0 and 1; then what is left */
    assert_string_equal(json_string_value(json_array_get(json_object_get(first, "sites"), 1)), "blocks.1.mlp.hook_post");
    assert_int_equal(json_integer_value(json_object_get(first, "bytes")), 2 * TARGET_BYTES);
    assert_int_equal(fake.forwards, 0);
    assert_false(g_file_test(folder, G_FILE_TEST_EXISTS));
    options.memory_bytes = TARGET_BYTES - 1;
    assert_null(glint_collect_plan(fake_model(), fake_tokenizer(), d, &options, folder, &error));
    assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_USAGE) && strstr(error->message, "blocks.0.mlp.hook_post") && strstr(error->message, "--memory"));
    dataset_drop(d);
}

static void test_killed_at_any_moment(void **state)
{
    (void)state;
    const char *whole = undisturbed();
    g_autofree char *folder = in_scratch("any-moment");
    int status = 1;
    for (int k = 0; k < 60 && status != 0; k++) { /* also while a checkpoint or a result is written */
        GPid pid = start_child(folder, 0, 0, 2000);
        g_usleep(20000 + (gulong)(k * 7919 % 40) * 1000);
        kill(pid, SIGKILL);
        status = wait_child(pid);
        assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    }
    if (status != 0)
        assert_int_equal(wait_child(start_child(folder, 0, 0, 0)), 0);
    assert_same_tree(whole, folder);
}

static void test_interrupted(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of(child_pool);
    options.checkpoint_seconds = 1000; /* only the interrupt saves */
    for (int at = 3; at <= 18; at += 5) {
        g_autofree char *name = g_strdup_printf("stop-%d", at), *folder = in_scratch(name);
        int status = wait_child(start_child(folder, 0, at, 0));
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), GLINT_EXIT_INTERRUPTED);
        GlintCollectStats stats = collect_good(d, &options, folder);
        assert_true(stats.resumed);
        assert_int_equal(fake.forwards, 18 - at);
        assert_same_tree(undisturbed(), folder);
    }
    dataset_drop(d);
}

static gboolean stop_after(gpointer left) { return --*(int *)left <= 0; }

static void test_partial_of_other_layers(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of(child_pool);
    g_autofree char *folder = in_scratch("other-layers"), *state_file = g_build_filename(folder, "moments", ".partial", "state.json", NULL);
    wait_child(start_child(folder, 5, 0, 0));
    options.n_sites = 2;
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "unfinished run of 3 targets (blocks.0.mlp.hook_post, blocks.1.mlp.hook_post, "
                                                       "blocks.2.mlp.hook_post), which this run does not include");
    assert_true(g_file_set_contents(state_file, "{\"class\": \"neg\"}", -1, NULL));
    options.n_sites = 3;
    collect_bad(d, &options, folder, GLINT_ERROR_FORMAT, "not the state of an unfinished run; delete ");
    dataset_drop(d);
}

/* A run that finds all of its own targets done leaves the unfinished one of others alone, whose moments are there but not what else it keeps. */
static void test_partial_survives_reuse(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    GlintCollectOptions options = options_of(GLINT_POOL_MEAN);
    int left = 2;
    g_autofree char *folder = in_scratch("survives"), *state_file = g_build_filename(folder, "moments", ".partial", "state.json", NULL);
    collect_good(d, &options, folder);
    options.examples = 2;
    options.n_sites = 1;
    collect_good(d, &options, folder);
    options.n_sites = 3;
    options.stop = stop_after;
    options.stop_data = &left;
    collect_bad(d, &options, folder, GLINT_ERROR_INTERRUPTED, "the same command continues");
    assert_true(g_file_test(state_file, G_FILE_TEST_EXISTS));
    options.stop = NULL;
    options.n_sites = 1;
    assert_true(collect_good(d, &options, folder).reused);
    assert_true(g_file_test(state_file, G_FILE_TEST_EXISTS));
    options.n_sites = 3;
    assert_true(collect_good(d, &options, folder).resumed);
    dataset_drop(d);
}

static void test_two_at_once(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = options_of(child_pool);
    g_autofree char *folder = in_scratch("two"), *settings = g_build_filename(folder, "moments", "settings.json", NULL);
    GPid pid = start_child(folder, 0, 0, 10000000); /* holds the folder until it is killed, however slow this machine is */
    for (int k = 0; k < 12000 && !g_file_test(settings, G_FILE_TEST_EXISTS); k++)
        g_usleep(5000);
    collect_bad(d, &options, folder, GLINT_ERROR_FAILED, "is being written by another glint");
    kill(pid, SIGKILL);
    wait_child(pid);
    collect_good(d, &options, folder);
    assert_same_tree(undisturbed(), folder);
    dataset_drop(d);
}

int main(int argc, char **argv)
{
    if (argc == 7 && strcmp(argv[1], "collect") == 0)
        return child(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pooling),           cmocka_unit_test(test_all_is_both),       cmocka_unit_test(test_first_is_refused_later),
        cmocka_unit_test(test_reuse_and_more_layers), cmocka_unit_test(test_settings_differ), cmocka_unit_test(test_bad_requests),
        cmocka_unit_test(test_failed_run_binds_nobody), cmocka_unit_test(test_not_finite),      cmocka_unit_test(test_class_folders),     cmocka_unit_test(test_killed_and_resumed),
        cmocka_unit_test(test_layers_in_passes), cmocka_unit_test(test_all_targets_in_one_pass), cmocka_unit_test(test_plan),
        cmocka_unit_test(test_killed_at_any_moment), cmocka_unit_test(test_interrupted),    cmocka_unit_test(test_partial_of_other_layers),
        cmocka_unit_test(test_partial_survives_reuse), cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
