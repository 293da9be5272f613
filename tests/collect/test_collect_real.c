/* Collecting with a real model: the moments must be those of the activations that the model gives for each text alone, and
 * the same bits at any number of threads. Skipped where ../shared is missing. */
#include "base/error.h"
#include "base/files.h"
#include "collect/collect.h"
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs the four above it */
#include <cmocka.h>

static const char *const model_folder = GLINT_SHARED_DIR "/models/stories260K", *const data_file = GLINT_SHARED_DIR "/data/imdb/imdb_subset_4000.jsonl";
enum { N_TEXTS = 40, MAX_TOKENS = 200 };
static const gsize layers[] = {0, 3};
static const GlintSite sites[] = {{GLINT_SITE_MLP_POST, 0}, {GLINT_SITE_MLP_POST, 3}};

static gboolean keep_rows(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site, (void)error;
    g_array_append_vals(user_data, rows, (guint)(batch->start[batch->n_sequences] * width));
    return TRUE;
}

/* Mean-pooled moments of one class at one layer, one text a batch. */
static GlintMoments *plain_moments(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *d, int label, gsize layer)
{
    gsize width = glint_model_site_width(model, GLINT_SITE_MLP_POST), prefix = glint_tokenizer_n_prefix(tokenizer);
    GlintMoments *moments = glint_moments_new(width);
    g_autofree double *row = g_new(double, width);
    for (guint k = 0; k < d->texts->len; k++) {
        const GlintText *text = &g_array_index(d->texts, GlintText, k);
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32)), rows = g_array_new(FALSE, FALSE, sizeof(float));
        if (text->label != label)
            continue;
        assert_true(glint_tokenizer_encode(tokenizer, text->text, -1, TRUE, ids, NULL));
        gsize n = MIN((gsize)ids->len, MAX_TOKENS), start[2] = {0, n};
        GlintBatch batch = {(const guint32 *)(void *)ids->data, start, 1};
        GlintTap tap = {.site = {GLINT_SITE_MLP_POST, layer}, .function = keep_rows, .user_data = rows};
        assert_true(glint_model_forward(model, &batch, &tap, 1, GLINT_LOGITS_NONE, NULL, NULL));
        assert_int_equal(rows->len, n * width);
        for (gsize j = 0; j < width; j++) {
            row[j] = 0;
            for (gsize t = prefix; t < n; t++)
                row[j] += (double)g_array_index(rows, float, t * width + j);
            row[j] /= (double)(n - prefix);
        }
        glint_moments_add_f64(moments, row, 1, width);
    }
    return moments;
}

static double relative_difference(const double *a, const double *b, gsize n)
{
    double top = 0, bottom = 0;
    for (gsize k = 0; k < n; k++) {
        top += (a[k] - b[k]) * (a[k] - b[k]);
        bottom += b[k] * b[k];
    }
    return sqrt(top / bottom);
}

static void collect_into(const char *folder, int threads, gsize batch_size, const GlintTokenizer *tokenizer, const GlintDataset *d)
{
    GlintModelOptions model_options = {GLINT_DTYPE_F32, threads};
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintModel) model = glint_model_open(model_folder, &model_options, &error);
    assert_non_null(model);
    GlintCollectOptions options = {.sites = sites, .n_sites = G_N_ELEMENTS(sites), .pool = GLINT_POOL_MEAN, .max_tokens = MAX_TOKENS, .batch_size = batch_size};
    int before = omp_get_max_threads();
    omp_set_num_threads(threads);
    if (!glint_collect(model, tokenizer, d, &options, folder, NULL, &error))
        fail_msg("%s", error->message);
    omp_set_num_threads(before);
}

static void check_folder(const char *folder, GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *d)
{
    for (guint c = 0; c < d->classes->len; c++)
        for (gsize l = 0; l < G_N_ELEMENTS(layers); l++) {
            GlintSite site = {GLINT_SITE_MLP_POST, layers[l]};
            g_autoptr(GlintMoments) ours = glint_collect_load(folder, g_ptr_array_index(d->classes, c), &site, NULL, NULL);
            g_autoptr(GlintMoments) plain = plain_moments(model, tokenizer, d, (int)c, layers[l]);
            gsize p = glint_moments_p(plain);
            assert_non_null(ours);
            assert_int_equal(glint_moments_n(ours), N_TEXTS / 2);
            double mean = relative_difference(glint_moments_mean(ours), glint_moments_mean(plain), p),
                m2 = relative_difference(glint_moments_m2(ours), glint_moments_m2(plain), p * p);
            print_message("class %u layer %zu: mean %.1e, second moment %.1e\n", c, layers[l], mean, m2);
            assert_true(mean < 1e-6 && m2 < 1e-5); /* batches differ: single precision sums in another order */
        }
}

static void assert_same_moments(const char *a, const char *b, const GlintDataset *d)
{
    for (guint c = 0; c < d->classes->len; c++)
        for (gsize l = 0; l < G_N_ELEMENTS(layers); l++) {
            GlintSite site = {GLINT_SITE_MLP_POST, layers[l]};
            g_autofree char *path_a = glint_moments_path(a, g_ptr_array_index(d->classes, c), &site), *path_b = glint_moments_path(b, g_ptr_array_index(d->classes, c), &site);
            g_autofree char *x = NULL, *y = NULL;
            gsize n = 0, m = 0;
            assert_true(g_file_get_contents(path_a, &x, &n, NULL) && g_file_get_contents(path_b, &y, &m, NULL));
            assert_true(n == m && memcmp(x, y, n) == 0);
        }
}

static void test_real_model(void **state)
{
    (void)state;
    if (!g_file_test(model_folder, G_FILE_TEST_IS_DIR) || !g_file_test(data_file, G_FILE_TEST_EXISTS)) {
        print_message("skipped: %s or %s is not there\n", model_folder, data_file);
        skip();
    }
    GlintDatasetOptions data_options = {.max_samples = N_TEXTS, .seed = 3};
    GlintModelOptions model_options = {GLINT_DTYPE_F32, 2};
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintDataset) d = glint_dataset_open(data_file, &data_options, &error);
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(model_folder, &error);
    g_autoptr(GlintModel) model = glint_model_open(model_folder, &model_options, &error);
    if (!d || !tokenizer || !model)
        fail_msg("%s", error->message);
    g_autofree char *scratch = g_dir_make_tmp("glint-real-XXXXXX", NULL);
    g_autofree char *one = g_build_filename(scratch, "one", NULL), *two = g_build_filename(scratch, "two", NULL), *by_tokens = g_build_filename(scratch, "tokens", NULL);
    collect_into(one, 1, 8, tokenizer, d);
    collect_into(two, 2, 8, tokenizer, d);
    collect_into(by_tokens, 2, 0, tokenizer, d);
    check_folder(one, model, tokenizer, d);
    check_folder(by_tokens, model, tokenizer, d);
    assert_same_moments(one, two, d);
    assert_true(glint_remove_tree(scratch, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_real_model)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
