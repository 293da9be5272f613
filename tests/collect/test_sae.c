/* Sparse autoencoders: encoding against numpy (tools/reference/sae_golden.py), which features are kept, features collected like any
 * site, and what is refused. */
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "collect/collect.h"
#include "fake_model.h"
#include "support.h"
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs the four above it */
#include <cmocka.h>

#define DATA GLINT_SOURCE_DIR "/tests/collect/data/"
enum { D_IN = 8, D_SAE = 24 };
static const char *const kinds[] = {"relu", "jumprelu", "topk", "topk-scaled", "topk-old"};
static const char *const loaded_as[] = {"relu", "jumprelu", "topk", "topk", "topk"};

static GlintSae *open_good(const char *kind)
{
    g_autofree char *folder = g_strconcat(DATA "sae-", kind, NULL);
    g_autoptr(GError) error = NULL;
    GlintSae *sae = glint_sae_open(folder, &error);
    if (!sae)
        fail_msg("%s", error->message);
    return sae;
}

static float *floats(const GlintSafetensors *file, const char *name, gsize *rows)
{
    const GlintTensor *tensor = glint_safetensors_find(file, name);
    assert_non_null(tensor);
    float *values = g_new(float, tensor->n);
    glint_tensor_to_f32(tensor, 0, tensor->n, values);
    *rows = tensor->shape[0];
    return values;
}

/* ---- encoding ---- */

static void test_golden(void **state)
{
    (void)state;
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
        g_autofree char *path = g_strconcat(DATA "sae-", kinds[k], "/expected.safetensors", NULL);
        g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, NULL);
        g_autoptr(GlintSae) sae = open_good(kinds[k]);
        gsize n, m;
        g_autofree float *x = floats(file, "x", &n), *expected = floats(file, "features", &m), *out = g_new(float, n * D_SAE), *some = g_new(float, n * 3);
        assert_int_equal(n, m);
        assert_int_equal(glint_sae_width_in(sae), D_IN);
        assert_int_equal(glint_sae_width(sae), D_SAE);
        assert_string_equal(glint_sae_kind(sae), loaded_as[k]);
        const GlintSite site = glint_sae_site(sae);
        g_autofree char *name = glint_site_name(&site), *id = glint_neuron_id(&site, 17, 0);
        assert_string_equal(name, "blocks.1.hook_mlp_out.sae");
        assert_string_equal(id, "L1.S17");
        assert_true(glint_sae_keep(sae, NULL, 0, 2, NULL));
        assert_true(glint_sae_encode(sae, x, n, out, NULL));
        gsize active = 0;
        for (gsize i = 0; i < n * D_SAE; i++) {
            assert_true(fabs((double)out[i] - (double)expected[i]) <= 1e-5 * (1 + fabs((double)expected[i])));
            assert_true((out[i] != 0) == (expected[i] != 0));
            active += out[i] != 0;
        }
        assert_true(active > n && active < n * D_SAE / 2 + n * 4);
        const gsize kept[] = {2, 11, 23};
        assert_true(glint_sae_keep(sae, kept, 3, 1, NULL));
        assert_true(glint_sae_encode(sae, x, n, some, NULL));
        for (gsize r = 0; r < n; r++)
            for (gsize j = 0; j < 3; j++)
                assert_true(fabsf(some[r * 3 + j] - out[r * D_SAE + kept[j]]) <= 1e-6f * (1 + fabsf(some[r * 3 + j])));
    }
}

/* More rows than are encoded at a time; the same bits at any number of threads. */
static void test_many_rows(void **state)
{
    (void)state;
    enum { N = 2500 };
    for (gsize k = 0; k < 3; k++) {
        g_autoptr(GlintSae) one = open_good(kinds[k]), four = open_good(kinds[k]);
        g_autofree float *x = g_new(float, N * D_IN), *a = g_new(float, N * D_SAE), *b = g_new(float, N * D_SAE);
        for (gsize i = 0; i < N * D_IN; i++)
            x[i] = 2 * fake_activation((guint32)(i % 251), i % 7, i % 3, i % 5) - 5;
        int threads = omp_get_max_threads();
        omp_set_num_threads(1);
        assert_true(glint_sae_keep(one, NULL, 0, 1, NULL) && glint_sae_encode(one, x, N, a, NULL));
        omp_set_num_threads(4);
        assert_true(glint_sae_keep(four, NULL, 0, 4, NULL) && glint_sae_encode(four, x, N, b, NULL));
        omp_set_num_threads(threads);
        assert_memory_equal(a, b, N * D_SAE * sizeof *a);
    }
}

/* ---- collecting ---- */

/* Features of one token of the fake model, by the formula of "relu". */
static void plain_features(const GlintSafetensors *weights, guint32 token, gsize position, double *out)
{
    gsize n;
    g_autofree float *w = floats(weights, "W_enc", &n), *b = floats(weights, "b_enc", &n), *shift = floats(weights, "b_dec", &n);
    for (gsize j = 0; j < D_SAE; j++) {
        out[j] = (double)b[j];
        for (gsize i = 0; i < D_IN; i++)
            out[j] += ((double)fake_activation(token, position, 1, i) - (double)shift[i]) * (double)w[i * D_SAE + j];
        out[j] = out[j] > 0 ? out[j] : 0;
    }
}

/* Mean of every text's features and, into `active`, the tokens on which each is not 0 (of all classes). */
static GlintMoments *plain_moments(const GlintDataset *d, int label, gsize *active)
{
    g_autoptr(GlintSafetensors) weights = glint_safetensors_open(DATA "sae-relu/sae_weights.safetensors", NULL);
    GlintMoments *moments = glint_moments_new(D_SAE);
    for (guint k = 0; k < d->texts->len; k++) {
        const GlintText *text = &g_array_index(d->texts, GlintText, k);
        const gsize n = MIN(strlen(text->text), FAKE_MAX_TOKENS - 1);
        double row[D_SAE] = {0}, features[D_SAE];
        for (gsize t = 0; t < n; t++) {
            plain_features(weights, (guchar)text->text[t], t + 1, features);
            for (gsize j = 0; j < D_SAE; j++) {
                row[j] += features[j] / (double)n;
                active[j] += features[j] > 0;
            }
        }
        if (text->label == label)
            glint_moments_add_f64(moments, row, 1, D_SAE);
    }
    return moments;
}

static GlintCollectOptions with_sae(GlintSae *const *saes)
{
    GlintCollectOptions options = options_of(GLINT_POOL_MEAN);
    options.n_sites = 1;
    options.checkpoint_seconds = 0;
    options.save_type = GLINT_ST_F32;
    options.saes = saes;
    options.n_saes = 1;
    return options;
}

static void test_collected(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    GlintSae *sae = open_good("relu");
    GlintCollectOptions options = with_sae(&sae);
    g_autofree char *folder = in_scratch("sae"), *alone = in_scratch("sae-alone"), *rows = in_scratch("sae-from");
    gsize active[D_SAE] = {0};
    options.save_activations = TRUE;
    collect_good(d, &options, folder); /* with one of the model's own sites, in one pass */
    const GlintSite site = glint_sae_site(sae);
    g_autoptr(GlintMoments) plain = plain_moments(d, 0, active);
    g_autoptr(GHashTable) metadata = NULL;
    g_autoptr(GlintMoments) ours = glint_collect_load(folder, "neg", &site, &metadata, NULL);
    assert_non_null(ours);
    assert_int_equal(glint_moments_n(ours), glint_moments_n(plain));
    const double *a = glint_moments_m2(ours), *b = glint_moments_m2(plain);
    double scale = 0;
    for (gsize k = 0; k < D_SAE * D_SAE; k++)
        scale = fmax(scale, fabs(b[k]));
    for (gsize k = 0; k < D_SAE * D_SAE; k++)
        assert_true(fabs(a[k] - b[k]) < 1e-5 * scale);
    assert_null(glint_collect_features(metadata)); /* all are there */
    assert_true(collect_good(d, &options, folder).reused);
    options.n_sites = 0;
    collect_good(d, &options, alone);
    GlintCollectStats stats;
    static const char *const only[] = {"hook_mlp_out.sae", NULL};
    assert_true(glint_collect_from(folder, only, rows, &stats, NULL));
    g_autofree char *x = g_build_filename(alone, "moments", NULL), *y = g_build_filename(rows, "moments", NULL);
    assert_same_tree(x, y);
    glint_sae_free(sae);
    dataset_drop(d);
}

static void test_most_frequent(void **state)
{
    (void)state;
    enum { N = 5 };
    GlintDataset *d = texts_of(60);
    GlintSae *sae = open_good("relu"), *other = open_good("jumprelu");
    GlintCollectOptions options = with_sae(&sae);
    g_autofree char *folder = in_scratch("frequent"), *all = in_scratch("sae"), *listed = in_scratch("listed"); /* "sae" as test_collected left it */
    gsize active[D_SAE] = {0}, n_more = 0;
    options.sae_features = N;
    collect_good(d, &options, folder);
    const GlintSite site = glint_sae_site(sae);
    glint_moments_free(plain_moments(d, 0, active));
    g_autoptr(GHashTable) metadata = NULL;
    g_autoptr(GlintMoments) kept = glint_collect_load(folder, "neg", &site, &metadata, NULL), whole = glint_collect_load(all, "neg", &site, NULL, NULL);
    g_autoptr(GArray) features = glint_collect_features(metadata);
    assert_int_equal(features->len, N);
    gsize least = G_MAXSIZE;
    for (guint k = 0; k < N; k++)
        least = MIN(least, active[g_array_index(features, gsize, k)]);
    for (gsize j = 0; j < D_SAE; j++)
        n_more += active[j] > least;
    assert_true(least > 0 && n_more < N); /* fewer than N are active more often than the rarest of those kept */
    for (guint k = 0; k < N; k++)
        for (guint m = 0; m < N; m++) {
            gsize i = g_array_index(features, gsize, k), j = g_array_index(features, gsize, m);
            const double *m2 = glint_moments_m2(whole), scale = sqrt(m2[i * D_SAE + i] * m2[j * D_SAE + j]);
            assert_true(fabs(glint_moments_m2(kept)[k * N + m] - m2[i * D_SAE + j]) <= 1e-5 * scale);
        }
    fake.forwards = 0;
    assert_true(collect_good(d, &options, folder).reused);
    assert_int_equal(fake.forwards, 0);
    options.sae_features = N + 1;
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "holds other features (5 most frequent, now wanted: 6 most frequent)");
    options.sae_features = N;
    options.saes = &other;
    collect_bad(d, &options, folder, GLINT_ERROR_DATA, "is of another SAE");
    options.saes = &sae;
    options.sae_features = 0;
    options.sae_list = (const gsize *)(void *)features->data; /* naming the same ones gives the same numbers */
    options.n_sae_list = N;
    collect_good(d, &options, listed);
    g_autoptr(GlintMoments) named = glint_collect_load(listed, "neg", &site, NULL, NULL);
    assert_memory_equal(glint_moments_m2(named), glint_moments_m2(kept), N * N * sizeof(double));
    const gsize beyond[] = {3, D_SAE};
    options.sae_list = beyond;
    options.n_sae_list = 2;
    g_autofree char *bad = in_scratch("beyond");
    collect_bad(d, &options, bad, GLINT_ERROR_USAGE, "the SAE has features 0 to 23");
    glint_sae_free(sae);
    glint_sae_free(other);
    dataset_drop(d);
}

/* Stopped after the features were chosen: the choice is not made again. */
static void test_resumed(void **state)
{
    (void)state;
    GlintDataset *d = texts_of(60);
    GlintSae *sae = open_good("topk");
    GlintCollectOptions options = with_sae(&sae);
    g_autofree char *whole = in_scratch("topk"), *folder = in_scratch("topk-stopped");
    options.sae_features = 7;
    collect_good(d, &options, whole);
    const int n = fake.forwards; /* half of them to choose */
    fake.overflow_token = 0;
    fake.forwards = 0;
    options.memory_bytes = 1; /* fails behind the choice: nothing fits */
    collect_bad(d, &options, folder, GLINT_ERROR_USAGE, "give --memory");
    assert_int_equal(fake.forwards, n / 2);
    options.memory_bytes = 0;
    collect_good(d, &options, folder);
    assert_int_equal(fake.forwards, n / 2);
    assert_same_tree(whole, folder);
    glint_sae_free(sae);
    dataset_drop(d);
}

/* ---- refusals ---- */

static void write_sae(const char *folder, const char *config)
{
    g_autofree char *path = g_build_filename(folder, "cfg.json", NULL), *weights = g_build_filename(folder, "sae_weights.safetensors", NULL), *bytes = NULL;
    gsize length;
    assert_true(glint_mkdir(folder, NULL));
    assert_true(g_file_get_contents(DATA "sae-relu/sae_weights.safetensors", &bytes, &length, NULL));
    assert_true(g_file_set_contents(weights, bytes, (gssize)length, NULL));
    assert_true(g_file_set_contents(path, config, -1, NULL));
}

static void test_refused(void **state)
{
    (void)state;
#define HOOK "\"hook_name\": \"blocks.1.hook_mlp_out\""
    static const struct { const char *config, *part; GlintErrorCode code; } cases[] = {
        {"{" HOOK ", \"architecture\": \"gated\"}", "architecture \"gated\"", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"architecture\": \"batchtopk\"}", "architecture \"batchtopk\"", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"activation_fn_str\": \"tanh-relu\"}", "tanh-relu", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"normalize_activations\": \"expected_average_only_in\"}", "normalize_activations is \"expected_average_only_in\"", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"normalize_activations\": \"layer_norm\"}", "normalize_activations is \"layer_norm\"", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"finetuning_scaling_factor\": true}", "finetuning_scaling_factor", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"hook_head_index\": 3}", "hook_head_index", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"architecture\": \"topk\"}", "needs \"k\"", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"architecture\": \"topk\", \"k\": 25}", "k is more than there are features", GLINT_ERROR_UNSUPPORTED},
        {"{" HOOK ", \"architecture\": \"jumprelu\"}", "a tensor threshold [24]", GLINT_ERROR_FORMAT},
        {"{" HOOK ", \"d_sae\": 23, \"d_in\": 8}", "cfg.json says d_in 8 and d_sae 23, but W_enc is 8 x 24", GLINT_ERROR_FORMAT},
        {"{\"architecture\": \"standard\"}", "hook_name is missing", GLINT_ERROR_UNSUPPORTED},
        {"{\"hook_name\": \"hook_mlp_out\"}", "names no layer", GLINT_ERROR_UNSUPPORTED},
        {"{\"hook_name\": \"blocks.1.ln1.hook_scale\"}", "hook_name: unknown site", GLINT_ERROR_USAGE},
        {"{", "cfg.json", GLINT_ERROR_FORMAT}};
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autofree char *name = g_strdup_printf("refused-%zu", k), *folder = in_scratch(name);
        g_autoptr(GError) error = NULL;
        write_sae(folder, cases[k].config);
        assert_null(glint_sae_open(folder, &error));
        if (!g_error_matches(error, GLINT_ERROR, (gint)cases[k].code) || !strstr(error->message, cases[k].part))
            fail_msg("case %zu, code %d: %s", k, error->code, error->message);
    }
    g_autofree char *wide = in_scratch("wide"), *out = in_scratch("refused-out");
    g_autoptr(GError) error = NULL;
    write_sae(wide, "{\"hook_name\": \"blocks.1.mlp.hook_post\"}");
    GlintSae *sae = glint_sae_open(wide, &error), *good = open_good("relu"), *twice[] = {good, good};
    GlintDataset *d = texts_of(30);
    GlintCollectOptions options = with_sae(&sae);
    collect_bad(d, &options, out, GLINT_ERROR_USAGE, "it reads 8 columns of blocks.1.mlp.hook_post, and the model has 37 there");
    options.saes = twice;
    options.n_saes = 2;
    collect_bad(d, &options, out, GLINT_ERROR_USAGE, "two --sae read blocks.1.hook_mlp_out");
    options = with_sae(&good);
    fake.overflow_token = 'a'; /* in layer 1, column 5: a ReLU must not hide it */
    options.n_sites = 0;
    collect_bad(d, &options, out, GLINT_ERROR_DATA, "column 5 of blocks.1.hook_mlp_out is not finite");
    fake.overflow_token = 0;
    glint_sae_free(sae);
    glint_sae_free(good);
    dataset_drop(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),        cmocka_unit_test(test_many_rows), cmocka_unit_test(test_collected),
        cmocka_unit_test(test_most_frequent), cmocka_unit_test(test_resumed),   cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
