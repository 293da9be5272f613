/* The fast forward pass against plain f64 loops (reference.c): every site of every layer of every tiny model, and then the
 * same models with parts of the descriptor changed, for what no family in the data uses alone: soft-capped scores,
 * partial rotary positions, windows narrower than a block and wider than several, ReLU, parallel residual. */
#include "model/forward.h"
#include "model/reference.h"
#include "model/support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const double LIMIT = 1e-5;

static double worst_site(const Recorder *recorder, const Reference *reference, GlintModel *model)
{
    double worst = 0;
    for (gsize layer = 0; layer < recorder->n_layers; layer++)
        for (int kind = 0; kind < GLINT_SITE_COUNT; kind++) {
            const double *expected = reference->rows[layer * GLINT_SITE_COUNT + kind];
            const gsize width = glint_model_site_width(model, (GlintSiteKind)kind);
            assert_int_equal(expected != NULL, width > 0);
            if (!expected)
                continue;
            const double error = relative_error_f64(recorder_rows(recorder, (GlintSiteKind)kind, layer), expected, reference->n * width);
            if (!(error < LIMIT))
                fail_msg("layer %zu, %s: relative error %g", layer, glint_site_suffix((GlintSiteKind)kind), error);
            worst = MAX(worst, error);
        }
    return worst;
}

static void compare(const char *what, GlintModel *model, gsize n)
{
    g_autofree guint32 *ids = g_new(guint32, n);
    g_autoptr(GRand) random = g_rand_new_with_seed(7);
    for (gsize t = 0; t < n; t++)
        ids[t] = (guint32)g_rand_int_range(random, 0, (gint32)model->arch.vocab);
    g_autoptr(Recorder) recorder = recorder_new(model);
    g_autofree float *logits = run_one(model, ids, n, recorder);
    g_autoptr(Reference) reference = reference_run(model->checkpoint, &model->arch, ids, n);
    const double worst = worst_site(recorder, reference, model);
    expect_close(what, MAX(worst, relative_error_f64(logits, reference->logits, n * model->arch.vocab)), LIMIT);
}

static void check(const char *name, gsize n)
{
    g_autofree char *folder = data_folder(name);
    g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 2);
    compare(name, model, n);
    compare(name, model, 1);
}

static void test_models(void **state)
{
    (void)state;
    check("gemma3_bf16", 128); /* more than two blocks of keys */
    check("gemma3_v4_f32", 90);
    check("llama_sharded_f32", 150);
    check("llama_tied_f16", 65);
    check("gpt2_f32", 64);
    check("gpt2_bf16", 63);
    check("gpt_neox_f32", 64);
    check("mistral_v4_f32", 128);
    check("qwen2_v4_bf16", 128);
    check("qwen3_v4_f32", 90);
    check("gemma_v4_f32", 90);
    check("gemma2_bf16", 128);
    check("smollm3_f32", 90);
    check("gpt_neo_f32", 90);
}

static GlintModel *open_data(const char *name)
{
    g_autofree char *folder = data_folder(name);
    return open_model(folder, GLINT_DTYPE_F32, 2);
}

static void test_attention_softcap(void **state)
{
    (void)state;
    g_autoptr(GlintModel) model = open_data("gemma3_bf16");
    model->arch.attn_softcap = 1.5;
    compare("scores capped at 1.5", model, 80);
    model->arch.attn_softcap = 50;
    compare("scores capped at 50", model, 80);
}

static void test_partial_rotary(void **state)
{
    (void)state;
    g_autoptr(GlintModel) model = open_data("llama_sharded_f32");
    model->arch.rope[0].rotary = 2;
    compare("2 of 8 dimensions turn", model, 70);
}

static void test_windows(void **state)
{
    (void)state;
    static const gsize windows[] = {1, 2, 63, 64, 65, 100, 129, 1000};
    g_autoptr(GlintModel) model = open_data("llama_sharded_f32");
    for (gsize i = 0; i < G_N_ELEMENTS(windows); i++) {
        for (gsize l = 0; l < model->arch.n_layers; l++)
            model->arch.layers[l].window = windows[i];
        g_autofree char *what = g_strdup_printf("window of %zu keys", windows[i]);
        compare(what, model, 200);
    }
}

static void test_activations(void **state)
{
    (void)state;
    static const GliActivation activations[] = {GLI_ACT_SILU, GLI_ACT_GELU_TANH, GLI_ACT_GELU_ERF, GLI_ACT_RELU};
    g_autoptr(GlintModel) gated = open_data("llama_tied_f16"), plain = open_data("gpt2_f32");
    for (gsize i = 0; i < G_N_ELEMENTS(activations); i++) {
        gated->arch.activation = plain->arch.activation = activations[i];
        compare("activation, gated", gated, 20);
        compare("activation, plain", plain, 20);
    }
}

static void test_parallel_residual(void **state)
{
    (void)state;
    g_autoptr(GlintModel) model = open_data("gpt2_f32");
    model->arch.residual = GLI_RESIDUAL_PARALLEL;
    assert_int_equal(glint_model_site_width(model, GLINT_SITE_RESID_MID), 0);
    compare("parallel residual", model, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models), cmocka_unit_test(test_attention_softcap), cmocka_unit_test(test_partial_rotary),
        cmocka_unit_test(test_windows), cmocka_unit_test(test_activations), cmocka_unit_test(test_parallel_residual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
