/* Saved activations: what is in the files against the fake model's formula, stopping and going on, moments made of them again. The
 * program runs itself as a child process that is killed: `test_activations collect FOLDER POOL KILL_AT SLEEP_US`, or interrupted: `from FOLDER OUT`. */
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "base/talk.h"
#include "collect/activations.h"
#include "collect/collect.h"
#include "fake_model.h"
#include "support.h"
#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
/* cmocka needs the four above it */
#include <cmocka.h>

static GlintCollectOptions saving(GlintPool pool, GlintTensorType type)
{
    GlintCollectOptions options = options_of(pool);
    options.sites = everything;
    options.n_sites = G_N_ELEMENTS(everything);
    options.save_activations = TRUE;
    options.save_type = type;
    options.checkpoint_seconds = 0;
    options.shard_bytes = 20 * FAKE_WIDTH * sizeof(float); /* 20 rows of the wider site: several shards */
    return options;
}

static char *row_folder(const char *folder, const char *class_name, GlintSiteKind kind, gsize layer)
{
    GlintSite site = {kind, layer};
    return glint_activations_path(folder, class_name, &site);
}

/* ---- what is in the files ---- */

/* Every token's row, position and text by the formula; each token of the class once. */
static void test_tokens(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    GlintCollectOptions options = saving(GLINT_POOL_TOKENS, GLINT_ST_F32);
    g_autofree char *folder = in_scratch("tokens"), *path = row_folder(folder, "neg", GLINT_SITE_MLP_POST, 1);
    collect_good(d, &options, folder);
    g_autofree gboolean *seen = g_new0(gboolean, 60 * FAKE_MAX_TOKENS);
    gsize total = 0, expected = 0;
    for (gsize k = 0;; k++) {
        g_autofree char *file = g_strdup_printf("shard-%05zu.safetensors", k), *name = g_build_filename(path, file, NULL);
        g_autoptr(GlintSafetensors) shard = glint_safetensors_open(name, NULL);
        if (!shard) {
            assert_true(k > 3);
            break;
        }
        const GlintTensor *rows = glint_safetensors_find(shard, "blocks.1.mlp.hook_post"), *text = glint_safetensors_find(shard, "text"),
            *position = glint_safetensors_find(shard, "position");
        assert_true(rows && text && position && rows->type == GLINT_ST_F32 && text->type == GLINT_ST_I32 && position->type == GLINT_ST_I32);
        assert_true(rows->shape[0] == text->n && text->n == position->n && text->n <= 20);
        for (gsize r = 0; r < text->n; r++) {
            float row[FAKE_WIDTH];
            gint32 t, p;
            memcpy(&t, (const gint32 *)text->data + r, sizeof t);
            memcpy(&p, (const gint32 *)position->data + r, sizeof p);
            glint_tensor_to_f32(rows, r * FAKE_WIDTH, FAKE_WIDTH, row);
            assert_in_range(p, 1, FAKE_MAX_TOKENS - 1);
            const GlintText *one = &g_array_index(d->texts, GlintText, (guint)t);
            assert_int_equal(one->label, 0);
            for (gsize j = 0; j < FAKE_WIDTH; j++)
                assert_true(row[j] == fake_activation((guchar)one->text[p - 1], (gsize)p, 1, j));
            assert_false(seen[t * FAKE_MAX_TOKENS + p]);
            seen[t * FAKE_MAX_TOKENS + p] = TRUE;
        }
        total += text->n;
    }
    for (guint k = 0; k < d->texts->len; k++)
        expected += g_array_index(d->texts, GlintText, k).label == 0 ? MIN(strlen(g_array_index(d->texts, GlintText, k).text), FAKE_MAX_TOKENS - 1) : 0;
    assert_int_equal(total, expected);
    g_autoptr(GlintActivations) opened = glint_activations_open(path, NULL);
    assert_non_null(opened);
    assert_int_equal(opened->n, expected);
    assert_true(glint_activations_verify(opened, NULL));
    g_autofree char *list = g_build_filename(folder, "activations", "texts.csv", NULL), *csv = NULL;
    assert_true(g_file_get_contents(list, &csv, NULL, NULL));
    assert_true(g_str_has_prefix(csv, "text,class,id,tokens\n0,pos/weird name,line 1,"));
    dataset_drop(d);
}

/* 16 bits: to nearest, which is within half a unit in the last place. */
static void test_narrow_types(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    g_autofree char *full = in_scratch("f32"), *path = row_folder(full, "neg", GLINT_SITE_MLP_OUT, 2);
    GlintCollectOptions options = saving(GLINT_POOL_MEAN, GLINT_ST_F32);
    collect_good(d, &options, full);
    static const struct { GlintTensorType type; double unit; } types[] = {{GLINT_ST_BF16, 0x1p-8}, {GLINT_ST_F16, 0x1p-11}};
    for (gsize k = 0; k < G_N_ELEMENTS(types); k++) {
        g_autofree char *folder = in_scratch(glint_tensor_type_name(types[k].type)), *narrow_path = row_folder(folder, "neg", GLINT_SITE_MLP_OUT, 2);
        const GlintSite even = {GLINT_SITE_MLP_OUT, 2};
        options = saving(GLINT_POOL_MEAN, types[k].type);
        collect_bad(d, &options, folder, GLINT_ERROR_USAGE, "37 columns, and activations of an odd number cannot be saved in 16 bits");
        options.sites = &even;
        options.n_sites = 1;
        collect_good(d, &options, folder);
        g_autoptr(GlintActivations) a = glint_activations_open(path, NULL), b = glint_activations_open(narrow_path, NULL);
        float x[7 * 8], y[7 * 8];
        gint32 t[7], u[7];
        gsize n = 1, m, different = 0;
        while (n > 0) {
            assert_true(glint_activations_next(a, 7, x, t, &n, NULL) && glint_activations_next(b, 7, y, u, &m, NULL));
            assert_int_equal(n, m);
            assert_memory_equal(t, u, n * sizeof *t);
            for (gsize i = 0; i < n * 8; i++) {
                assert_true(fabs((double)x[i] - (double)y[i]) <= types[k].unit * fabs((double)x[i]));
                different += x[i] != y[i];
            }
        }
        assert_true(different > 0);
    }
    dataset_drop(d);
}

/* ---- moments of them ---- */

static void test_from(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    for (int pool = GLINT_POOL_MEAN; pool <= GLINT_POOL_TOKENS; pool++) {
        g_autofree char *name = g_strdup_printf("saved-%d", pool), *again_name = g_strdup_printf("again-%d", pool), *folder = in_scratch(name), *again = in_scratch(again_name);
        g_autofree char *a = g_build_filename(folder, "moments", NULL), *b = g_build_filename(again, "moments", NULL);
        GlintCollectOptions options = saving((GlintPool)pool, GLINT_ST_F32);
        GlintCollectStats stats;
        g_autoptr(GError) error = NULL;
        collect_good(d, &options, folder);
        static const char *const some[] = {"hook_mlp_out", "blocks.1.mlp.hook_post", NULL};
        if (!glint_collect_from(folder, some, again, &stats, &error))
            fail_msg("%s", error->message);
        assert_false(stats.reused);
        assert_true(glint_collect_from(folder, NULL, again, &stats, NULL)); /* the rest */
        assert_false(stats.reused);
        assert_int_equal(stats.n_texts, 60);
        assert_same_tree(a, b);
        assert_true(glint_collect_from(folder, NULL, again, &stats, NULL));
        assert_true(stats.reused);
        options.save_activations = FALSE; /* a run goes on in a folder made of saved rows, and the other way round */
        assert_true(collect_good(d, &options, again).reused);
    }
    dataset_drop(d);
}

/* Stopped by a signal before the second piece of rows: goes on from there, to the same bytes. */
static void test_from_interrupted(void **state)
{
    (void)state;
    g_autofree char *folder = in_scratch("saved-3"), *again = in_scratch("from-stopped"),
        *left = g_build_filename(again, "moments", ".from.safetensors", NULL); /* as test_from left it */
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL), *a = g_build_filename(folder, "moments", NULL), *b = g_build_filename(again, "moments", NULL);
    char command[] = "from", *argv[] = {self, command, folder, again, NULL};
    int status = 0;
    GlintCollectStats stats;
    assert_true(g_spawn_sync(NULL, argv, NULL, G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL, NULL, &status, NULL));
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), GLINT_EXIT_INTERRUPTED);
    g_autoptr(GlintMoments) partial = glint_moments_load(left, NULL, NULL);
    assert_true(partial && glint_moments_n(partial) == 20 * FAKE_WIDTH / 8); /* a shard of the narrow site */
    assert_true(glint_collect_from(folder, NULL, again, &stats, NULL));
    assert_same_tree(a, b);
}

static void from_bad(const char *source, const char *folder, GlintErrorCode code, const char *part)
{
    g_autoptr(GError) error = NULL;
    GlintCollectStats stats;
    assert_false(glint_collect_from(source, NULL, folder, &stats, &error));
    if (!g_error_matches(error, GLINT_ERROR, (gint)code) || !strstr(error->message, part))
        fail_msg("code %d: %s", error->code, error->message);
}

static void replace_in(const char *path, const char *from, const char *to)
{
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autoptr(GString) changed = g_string_new(text);
    assert_true(g_string_replace(changed, from, to, 1) > 0);
    assert_true(g_file_set_contents(path, changed->str, -1, NULL));
}

static void test_damaged(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    GlintCollectOptions options = saving(GLINT_POOL_MEAN, GLINT_ST_F32);
    options.n_sites = 1;
    g_autofree char *folder = in_scratch("damaged"), *path = row_folder(folder, "neg", GLINT_SITE_MLP_OUT, 2), *out = in_scratch("of-damaged"), *empty = in_scratch("empty");
    g_autofree char *meta = g_build_filename(path, "meta.json", NULL), *shard = g_build_filename(path, "shard-00000.safetensors", NULL), *bytes = NULL;
    gsize length;
    collect_good(d, &options, folder);
    from_bad(empty, out, GLINT_ERROR_DATA, "holds no complete activations");
    replace_in(meta, "\"complete\": true", "\"complete\": false");
    from_bad(folder, out, GLINT_ERROR_DATA, "not complete; finish the run");
    replace_in(meta, "\"complete\": false", "\"complete\": true");
    replace_in(meta, "\"width\": 8", "\"width\": 9");
    from_bad(folder, out, GLINT_ERROR_FORMAT, "does not belong to the meta.json beside it");
    replace_in(meta, "\"width\": 9", "\"width\": 8");
    replace_in(meta, "\"max_tokens\": \"64\"", "\"max_tokens\": \"63\"");
    from_bad(folder, out, GLINT_ERROR_DATA, "different settings");
    replace_in(meta, "\"max_tokens\": \"63\"", "\"max_tokens\": \"64\"");
    assert_true(g_file_get_contents(shard, &bytes, &length, NULL));
    bytes[1024 + 3] = 0x7f; /* the first value: not finite */
    bytes[1024 + 2] = (char)0xff;
    assert_true(g_file_set_contents(shard, bytes, (gssize)length, NULL));
    from_bad(folder, out, GLINT_ERROR_DATA, "row 0, column 0 is not finite");
    g_autoptr(GlintActivations) opened = glint_activations_open(path, NULL);
    g_autoptr(GError) error = NULL;
    assert_false(glint_activations_verify(opened, &error));
    assert_non_null(strstr(error->message, "its SHA-256 is not the one"));
    assert_true(g_file_set_contents(shard, bytes, (gssize)length / 2, NULL));
    from_bad(folder, out, GLINT_ERROR_FORMAT, "shard-00000.safetensors");
    g_remove(shard);
    from_bad(folder, out, GLINT_ERROR_IO, "shard-00000.safetensors");
    dataset_drop(d);
}

/* ---- stopping and going on ---- */

/* One wide and one narrow target: a checkpoint syncs a handful of files. */
static GlintCollectOptions saving_two(GlintPool pool)
{
    GlintCollectOptions options = saving(pool, GLINT_ST_F32);
    options.n_sites = 2;
    return options;
}

static int child(char **argv)
{
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = saving_two((GlintPool)atoi(argv[3]));
    g_autoptr(GError) error = NULL;
    options.checkpoint_seconds = -1;
    fake.kill_at = atoi(argv[4]);
    fake.sleep_us = (unsigned)atoi(argv[5]);
    gboolean ok = glint_collect(fake_model(), fake_tokenizer(), d, &options, argv[2], NULL, &error);
    if (!ok)
        fprintf(stderr, "%s\n", error->message);
    dataset_drop(d);
    return !ok;
}

static GPid start_child(const char *folder, GlintPool pool, int kill_at, int sleep_us)
{
    g_autofree char *kind = g_strdup_printf("%d", pool), *at = g_strdup_printf("%d", kill_at), *nap = g_strdup_printf("%d", sleep_us),
        *self = g_file_read_link("/proc/self/exe", NULL);
    char collect[] = "collect", *argv[] = {self, collect, (char *)(gintptr)folder, kind, at, nap, NULL};
    GPid pid = 0;
    assert_true(g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid, NULL));
    return pid;
}

static int wait_child(GPid pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void test_killed_and_resumed(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    for (int pool = GLINT_POOL_MEAN; pool <= GLINT_POOL_TOKENS; pool += GLINT_POOL_TOKENS) {
        g_autofree char *whole_name = g_strdup_printf("whole-%d", pool), *whole = in_scratch(whole_name);
        GlintCollectOptions options = saving_two((GlintPool)pool);
        collect_good(d, &options, whole);
        for (int at = 2; at <= 18; at += 5) {
            g_autofree char *name = g_strdup_printf("kill-%d-%d", pool, at), *folder = in_scratch(name);
            int status = wait_child(start_child(folder, (GlintPool)pool, at, 0));
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
            assert_true(collect_good(d, &options, folder).resumed);
            assert_int_equal(fake.forwards, 18 - at + 1);
            assert_same_tree(whole, folder);
        }
    }
    dataset_drop(d);
}

/* Also between the last row of a shard and its name, between that and the moments, and in a checkpoint. */
static void test_killed_at_any_moment(void **state)
{
    (void)state;
    g_autofree char *whole = in_scratch("whole-3"), *folder = in_scratch("any-moment"); /* as test_killed_and_resumed left it */
    int status = 1;
    for (int k = 0; k < 30 && status != 0; k++) {
        GPid pid = start_child(folder, GLINT_POOL_TOKENS, 0, 1000);
        g_usleep(20000 + (gulong)(k * 7919 % 60) * 1000);
        kill(pid, SIGKILL);
        status = wait_child(pid);
        assert_true(status == 0 || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    }
    if (status != 0)
        assert_int_equal(wait_child(start_child(folder, GLINT_POOL_TOKENS, 0, 0)), 0);
    assert_same_tree(whole, folder);
}

/* Rows cannot be had of batches that ran before they were asked for. */
static void test_asked_for_later(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(120);
    GlintCollectOptions options = saving_two(GLINT_POOL_TOKENS), without = options;
    g_autofree char *whole = in_scratch("whole-3"), *folder = in_scratch("later");
    wait_child(start_child(folder, GLINT_POOL_TOKENS, 5, 0));
    without.save_activations = FALSE;
    collect_bad(d, &without, folder, GLINT_ERROR_DATA, "unfinished run that keeps moments, activations (F32), this one keeps moments");
    collect_good(d, &options, folder);
    assert_true(collect_good(d, &without, folder).reused);
    g_autofree char *rows = g_build_filename(folder, "activations", NULL);
    assert_true(glint_remove_tree(rows, NULL));
    assert_true(collect_good(d, &without, folder).reused);
    assert_false(collect_good(d, &options, folder).reused); /* run again for the rows */
    assert_same_tree(whole, folder);
    dataset_drop(d);
}

static gboolean stop_after(gpointer left) { return --*(int *)left <= 0; }

/* What else is asked for later leaves rows that are there alone, also when it is stopped half-way. */
static void test_rows_stay(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    GlintCollectOptions options = saving_two(GLINT_POOL_TOKENS);
    int left = 3;
    g_autofree char *whole = in_scratch("stay-whole"), *folder = in_scratch("stay");
    options.examples = 2;
    collect_good(d, &options, whole);
    options.examples = 0;
    collect_good(d, &options, folder);
    g_autofree char *rows = g_build_filename(folder, "activations", NULL), *whole_rows = g_build_filename(whole, "activations", NULL);
    options.examples = 2;
    options.stop = stop_after;
    options.stop_data = &left;
    collect_bad(d, &options, folder, GLINT_ERROR_INTERRUPTED, "the same command continues");
    assert_same_tree(whole_rows, rows);
    options.stop = NULL;
    assert_true(collect_good(d, &options, folder).resumed);
    assert_same_tree(whole, folder);
    dataset_drop(d);
}

/* Reads rows back with a signal pending. */
static int from_child(char **argv)
{
    GlintCollectStats stats;
    g_autoptr(GError) error = NULL;
    glint_interrupt_install();
    raise(SIGINT);
    return glint_collect_from(argv[2], NULL, argv[3], &stats, &error) ? 0 : glint_exit_code(error);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "from") == 0)
        return from_child(argv);
    if (argc == 6 && strcmp(argv[1], "collect") == 0)
        return child(argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens),  cmocka_unit_test(test_narrow_types),         cmocka_unit_test(test_from), cmocka_unit_test(test_from_interrupted),
        cmocka_unit_test(test_damaged), cmocka_unit_test(test_killed_and_resumed), cmocka_unit_test(test_killed_at_any_moment),
        cmocka_unit_test(test_asked_for_later), cmocka_unit_test(test_rows_stay),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
