/* Tiny random models of every family against what transformers computed with them (tools/reference/make_models.py): logits
 * and all sites of some layers, f32 compute, relative 2-norm error below 1e-5; bf16 compute within 2 % of f32. */
#include "base/safetensors.h"
#include "model/support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const double LIMIT = 1e-5, BF16_LIMIT = 0.02;

static void check_site(const GlintTensor *golden, const Recorder *recorder, const float *logits, gsize *n_compared)
{
    g_autofree float *expected = g_new(float, golden->n);
    if (strcmp(golden->name, "ids") == 0)
        return;
    glint_tensor_to_f32(golden, 0, golden->n, expected);
    const float *found = logits;
    if (strcmp(golden->name, "logits") != 0) {
        GlintSiteKind kind;
        gint64 layer;
        assert_true(glint_site_parse(golden->name, &kind, &layer, NULL));
        assert_true(layer >= 0);
        found = recorder_rows(recorder, kind, (gsize)layer);
    }
    expect_close(golden->name, relative_error(found, expected, golden->n), LIMIT);
    (*n_compared)++;
}

static void check_model(const char *name, gsize n_expected)
{
    g_autofree char *folder = data_folder(name), *path = g_build_filename(folder, "golden.safetensors", NULL);
    GError *error = NULL;
    g_autoptr(GlintSafetensors) golden = glint_safetensors_open(path, &error);
    if (!golden)
        fail_msg("%s", error->message);
    gsize n, n_compared = 0;
    g_autofree guint32 *ids = golden_ids(golden, &n);
    g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 0);
    assert_string_equal(glint_model_info(model)->compute_type, "f32");
    g_autoptr(Recorder) recorder = recorder_new(model);
    g_autofree float *logits = run_one(model, ids, n, recorder);
    for (gsize i = 0; i < glint_safetensors_count(golden); i++)
        check_site(glint_safetensors_at(golden, i), recorder, logits, &n_compared);
    assert_int_equal(n_compared, n_expected);

    GError *refused = NULL;
    const GlintModelOptions options = {GLINT_DTYPE_BF16, 0};
    g_autoptr(GlintModel) half = glint_model_open(folder, &options, &refused);
    if (!half) { /* a processor that cannot must say so */
        assert_non_null(strstr(refused->message, "bf16"));
        print_message("%s\n", refused->message);
        g_error_free(refused);
        return;
    }
    assert_string_equal(glint_model_info(half)->compute_type, "bf16");
    g_autofree float *rounded = run_one(half, ids, n, NULL);
    const double difference = relative_error(rounded, logits, n * glint_model_info(model)->vocab);
    expect_close("logits in bf16 against f32", difference, BF16_LIMIT);
    assert_true(difference > 1e-6); /* it did compute in bf16 */
}

static void test_gemma3_bf16(void **state) { (void)state; check_model("gemma3_bf16", 19); }
static void test_gemma3_v4_f32(void **state) { (void)state; check_model("gemma3_v4_f32", 19); }
static void test_llama_sharded_f32(void **state) { (void)state; check_model("llama_sharded_f32", 19); }
static void test_llama_tied_f16(void **state) { (void)state; check_model("llama_tied_f16", 19); }
static void test_gpt2_f32(void **state) { (void)state; check_model("gpt2_f32", 17); }
static void test_gpt2_bf16(void **state) { (void)state; check_model("gpt2_bf16", 9); }
static void test_gpt_neox_f32(void **state) { (void)state; check_model("gpt_neox_f32", 8); }

static void test_mistral_v4_f32(void **state) { (void)state; check_model("mistral_v4_f32", 19); }
static void test_qwen2_v4_bf16(void **state) { (void)state; check_model("qwen2_v4_bf16", 19); }
static void test_qwen3_v4_f32(void **state) { (void)state; check_model("qwen3_v4_f32", 19); }
static void test_gemma_v4_f32(void **state) { (void)state; check_model("gemma_v4_f32", 19); }
static void test_gemma2_bf16(void **state) { (void)state; check_model("gemma2_bf16", 19); }
static void test_smollm3_f32(void **state) { (void)state; check_model("smollm3_f32", 19); }
static void test_gpt_neo_f32(void **state) { (void)state; check_model("gpt_neo_f32", 17); }

/* What the folder says about itself. */
static void test_info(void **state)
{
    (void)state;
    g_autofree char *folder = data_folder("gemma3_bf16");
    g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 1);
    const GlintModelInfo *info = glint_model_info(model);
    assert_string_equal(info->family, "gemma3_text");
    assert_string_equal(info->weight_type, "BF16");
    assert_int_equal(info->n_layers, 8);
    assert_int_equal(info->n_kv_heads, 2);
    assert_int_equal(info->n_parameters, 96 * 32 + 32 + 8 * (4 * 32 + 2 * 16 + 2 * 64 * 32 + 2 * 32 * 32 + 3 * 48 * 32));
    assert_int_equal(strlen(info->sha256), 64);
    assert_string_equal(glint_model_layer_kind(model, 4), "sliding");
    assert_string_equal(glint_model_layer_kind(model, 5), "full");
    assert_int_equal(glint_model_site_width(model, GLINT_SITE_ATTN_Z), 64);
    assert_int_equal(glint_model_site_width(model, GLINT_SITE_MLP_POST), 48);
    g_autofree char *gpt2 = data_folder("gpt2_f32");
    g_autoptr(GlintModel) other = open_model(gpt2, GLINT_DTYPE_AUTO, 1);
    assert_string_equal(glint_model_info(other)->compute_type, "f32"); /* AUTO never rounds an F32 checkpoint */
    assert_int_equal(glint_model_site_width(other, GLINT_SITE_MLP_PRE_LINEAR), 0);
    assert_string_not_equal(glint_model_info(other)->sha256, info->sha256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gemma3_bf16), cmocka_unit_test(test_gemma3_v4_f32), cmocka_unit_test(test_llama_sharded_f32),
        cmocka_unit_test(test_llama_tied_f16), cmocka_unit_test(test_gpt2_f32), cmocka_unit_test(test_gpt2_bf16), cmocka_unit_test(test_gpt_neox_f32),
        cmocka_unit_test(test_mistral_v4_f32), cmocka_unit_test(test_qwen2_v4_bf16), cmocka_unit_test(test_qwen3_v4_f32),
        cmocka_unit_test(test_gemma_v4_f32), cmocka_unit_test(test_gemma2_bf16), cmocka_unit_test(test_smollm3_f32), cmocka_unit_test(test_gpt_neo_f32),
        cmocka_unit_test(test_info),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
