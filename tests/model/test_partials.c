/* Every stage of gpt-nano-sort against the tensors PyTorch had there (partials.json, float32 in base64): block 0 in full,
 * the ends of the other blocks, the final logits. Three sequences of 11 tokens, as one batch. Relative error below 1e-5. */
#include "base/files.h"
#include "model/support.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

enum { B = 3, T = 11, N = B * T, H = 48, F = 192, V = 3 };
static const double LIMIT = 1e-5;

static float *tensor(const json_t *partials, const char *key, gsize n)
{
    const char *text = json_string_value(json_object_get(json_object_get(partials, key), "data"));
    assert_non_null(text);
    gsize length;
    float *values = (float *)g_base64_decode(text, &length);
    assert_int_equal(length, n * sizeof *values);
    return values;
}

static void compare(const json_t *partials, const char *key, const float *found, gsize n)
{
    g_autofree float *expected = tensor(partials, key, n);
    expect_close(key, relative_error(found, expected, n), LIMIT);
}

static void check_block0(const json_t *partials, const Recorder *recorder)
{
    compare(partials, "x", recorder_rows(recorder, GLINT_SITE_RESID_PRE, 0), N * H); /* token plus position embeddings */
    compare(partials, "y", recorder_rows(recorder, GLINT_SITE_ATTN_Z, 0), N * H);    /* behind ln1, qkv, att, attSm */
    compare(partials, "yProj", recorder_rows(recorder, GLINT_SITE_ATTN_OUT, 0), N * H);
    compare(partials, "attnResid", recorder_rows(recorder, GLINT_SITE_RESID_MID, 0), N * H);
    compare(partials, "fc", recorder_rows(recorder, GLINT_SITE_MLP_PRE, 0), N * F); /* behind ln2 */
    compare(partials, "gelu", recorder_rows(recorder, GLINT_SITE_MLP_POST, 0), N * F);
    compare(partials, "mlp", recorder_rows(recorder, GLINT_SITE_MLP_OUT, 0), N * H);
    compare(partials, "mlpResid", recorder_rows(recorder, GLINT_SITE_RESID_POST, 0), N * H);
}

static void check_probabilities(const json_t *partials, const float *logits)
{
    float probabilities[N * V];
    for (gsize t = 0; t < N; t++) {
        const float *row = logits + t * V;
        const double top = fmax(row[0], fmax(row[1], row[2])), sum = exp(row[0] - top) + exp(row[1] - top) + exp(row[2] - top);
        for (gsize i = 0; i < V; i++)
            probabilities[t * V + i] = (float)(exp(row[i] - top) / sum);
    }
    compare(partials, "probs", probabilities, N * V);
}

/* The copy under ../shared lost its three c_attn.bias tensors; tests/model/data has them, from the same source. This writes
 * the two together into `folder`. */
static void complete(const char *from, const char *folder)
{
    g_autofree char *weights = g_build_filename(from, "model.safetensors", NULL), *config = g_build_filename(from, "config.json", NULL);
    g_autofree char *biases = data_folder("gpt-nano-sort-c_attn-bias.safetensors");
    g_autofree char *to = g_build_filename(folder, "model.safetensors", NULL), *to_config = g_build_filename(folder, "config.json", NULL);
    g_autoptr(json_t) settings = glint_json_read(config, NULL);
    assert_non_null(settings);
    assert_true(glint_json_write(to_config, settings, NULL));
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(to);
    g_autoptr(GlintSafetensors) main_file = glint_safetensors_open(weights, NULL), extra = glint_safetensors_open(biases, NULL);
    assert_non_null(main_file);
    assert_non_null(extra);
    const GlintSafetensors *files[] = {main_file, extra};
    for (int f = 0; f < 2; f++)
        for (gsize i = 0; i < glint_safetensors_count(files[f]); i++) {
            const GlintTensor *one = glint_safetensors_at(files[f], i);
            if (f == 0 || !glint_safetensors_find(main_file, one->name))
                glint_safetensors_writer_add(writer, one->name, one->type, one->n_dims, one->shape, one->data);
        }
    assert_true(glint_safetensors_writer_close(writer, NULL));
}

static void test_partials(void **state)
{
    (void)state;
    g_autofree char *folder = g_build_filename(GLINT_SHARED_DIR, "models", "gpt-nano-sort", NULL), *path = g_build_filename(folder, "partials.json", NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        print_message("%s is not here: skipped\n", path);
        skip();
    }
    g_autoptr(json_t) partials = glint_json_read(path, NULL);
    assert_non_null(partials);
    g_autofree float *idx = tensor(partials, "idx", N);
    guint32 ids[N];
    for (gsize t = 0; t < N; t++)
        ids[t] = (guint32)idx[t];
    g_autofree char *whole = temporary_folder();
    complete(folder, whole);
    g_autoptr(GlintModel) model = open_model(whole, GLINT_DTYPE_F32, 0);
    remove_folder(whole);
    g_autoptr(Recorder) recorder = recorder_new(model);
    const gsize start[] = {0, T, 2 * T, 3 * T};
    const GlintBatch batch = {ids, start, B};
    float logits[N * V];
    assert_true(glint_model_forward(model, &batch, (GlintTap *)recorder->taps->data, recorder->taps->len, GLINT_LOGITS_ALL, logits, NULL));
    check_block0(partials, recorder);
    compare(partials, "block0", recorder_rows(recorder, GLINT_SITE_RESID_POST, 0), N * H);
    compare(partials, "block1", recorder_rows(recorder, GLINT_SITE_RESID_POST, 1), N * H);
    compare(partials, "block2", recorder_rows(recorder, GLINT_SITE_RESID_POST, 2), N * H);
    compare(partials, "lm_head", logits, N * V); /* behind ln_f */
    check_probabilities(partials, logits);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_partials)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
