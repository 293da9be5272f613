/* What a batch may not change: many sequences packed together equal the same ones alone (to rounding), and the bits of a
 * result are the same for one thread and for several, in f32 and in bf16. */
#include "model/forward.h"
#include "model/support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const char *const models[] = {"gemma3_bf16", "gemma3_v4_f32", "llama_sharded_f32", "llama_tied_f16", "gpt2_f32", "gpt2_bf16", "gpt_neox_f32",
                                     "mistral_v4_f32", "qwen2_v4_bf16", "qwen3_v4_f32", "gemma_v4_f32", "gemma2_bf16", "smollm3_f32", "gpt_neo_f32"};

typedef struct {
    guint32 *tokens;
    gsize start[64], n_sequences;
} Texts;

/* Lengths 1, around the block and tile sizes and the first window's (one less, itself, one more, several), and random ones;
 * together several tiles of rows. */
static Texts *make_texts(const GlintModel *model)
{
    gsize window = 0;
    for (gsize l = 0; l < model->arch.n_layers; l++)
        window = MAX(window, model->arch.layers[l].window);
    window = window ? window : 20;
    const gsize lengths[] = {1, 5, 63, 64, 65, 2, 128, 17, 100, 1, window - 1, window, window + 1, 3 * window + 2, 64, 33};
    Texts *self = g_new0(Texts, 1);
    g_autoptr(GRand) random = g_rand_new_with_seed(11);
    const GlintModelInfo *info = glint_model_info(model);
    self->tokens = g_new(guint32, 2048);
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
        self->start[++self->n_sequences] = self->start[i] + MIN(lengths[i], info->max_tokens);
    for (gsize t = 0; t < self->start[self->n_sequences]; t++)
        self->tokens[t] = (guint32)g_rand_int_range(random, 0, (gint32)info->vocab);
    return self;
}

static void texts_free(Texts *self)
{
    g_free(self->tokens);
    g_free(self);
}

static float *run_batch(GlintModel *model, const Texts *texts, Recorder *recorder)
{
    GError *error = NULL;
    const GlintBatch batch = {texts->tokens, texts->start, texts->n_sequences};
    float *logits = g_new(float, texts->start[texts->n_sequences] * glint_model_info(model)->vocab);
    if (!glint_model_forward(model, &batch, recorder ? (GlintTap *)recorder->taps->data : NULL, recorder ? recorder->taps->len : 0, GLINT_LOGITS_ALL,
                             logits, &error))
        fail_msg("%s", error->message);
    return logits;
}

static void check_one_by_one(const char *name)
{
    g_autofree char *folder = data_folder(name);
    g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 2);
    const gsize vocab = glint_model_info(model)->vocab, last = glint_model_info(model)->n_layers - 1, width = glint_model_info(model)->mlp_width;
    Texts *texts = make_texts(model);
    g_autoptr(Recorder) together = recorder_new(model), alone = recorder_new(model);
    g_autofree float *all = run_batch(model, texts, together);
    double worst = 0;
    for (gsize s = 0; s < texts->n_sequences; s++) {
        const gsize first = texts->start[s], n = texts->start[s + 1] - first;
        g_autofree float *one = run_one(model, texts->tokens + first, n, alone);
        worst = MAX(worst, relative_error(all + first * vocab, one, n * vocab));
        worst = MAX(worst, relative_error(recorder_rows(together, GLINT_SITE_MLP_POST, last) + first * width,
                                          recorder_rows(alone, GLINT_SITE_MLP_POST, last), n * width));
    }
    texts_free(texts);
    g_autofree char *what = g_strdup_printf("%s: batch against one by one", name);
    expect_close(what, worst, 2e-6);
}

static void test_one_by_one(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++)
        check_one_by_one(models[i]);
}

static void check_threads(const char *name, GlintComputeType type)
{
    g_autofree char *folder = data_folder(name);
    g_autoptr(GError) error = NULL;
    g_autofree float *first = NULL;
    g_autoptr(Recorder) expected = NULL;
    static const int threads[] = {1, 2, 5};
    for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
        const GlintModelOptions options = {type, threads[i]};
        g_autoptr(GlintModel) model = glint_model_open(folder, &options, &error);
        if (!model) { /* no bf16 on this processor */
            assert_non_null(strstr(error->message, "bf16"));
            return;
        }
        Texts *texts = make_texts(model);
        const gsize size = texts->start[texts->n_sequences] * glint_model_info(model)->vocab * sizeof(float);
        g_autoptr(Recorder) recorder = recorder_new(model);
        g_autofree float *logits = run_batch(model, texts, recorder);
        if (first) {
            assert_memory_equal(logits, first, size);
            for (gsize l = 0; l < recorder->n_layers; l++)
                assert_memory_equal(recorder_rows(recorder, GLINT_SITE_RESID_POST, l), recorder_rows(expected, GLINT_SITE_RESID_POST, l),
                                    texts->start[texts->n_sequences] * glint_model_info(model)->hidden * sizeof(float));
        } else {
            first = g_steal_pointer(&logits);
            expected = g_steal_pointer(&recorder);
        }
        texts_free(texts);
    }
}

static void test_threads(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        check_threads(models[i], GLINT_DTYPE_F32);
        check_threads(models[i], GLINT_DTYPE_BF16);
    }
}

/* A matrix wide enough for several slabs and panels, which the tiny models are not. */
static void test_threads_wide(void **state)
{
    (void)state;
    enum { ROWS = 300, IN = 1300, OUT = 1500 };
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    g_autofree float *x = g_new(float, ROWS * IN), *w = g_new(float, OUT * IN), *b = g_new(float, OUT), *first = NULL;
    for (gsize i = 0; i < ROWS * IN; i++)
        x[i] = (float)g_rand_double_range(random, -1, 1);
    for (gsize i = 0; i < OUT * IN; i++)
        w[i] = (float)g_rand_double_range(random, -1, 1);
    for (gsize i = 0; i < OUT; i++)
        b[i] = (float)g_rand_double_range(random, -1, 1);
    for (int threads = 1; threads <= 4; threads++) {
        GliDevice *device = gli_dnn.open(FALSE, threads, NULL);
        GliLinear *linear = gli_dnn.pack(device, OUT, IN, FALSE, w, b, NULL);
        g_autofree float *y = g_new(float, ROWS * OUT);
        g_autofree void *input = product_input(device, x, ROWS, IN);
        assert_true(gli_dnn.run(linear, ROWS, input, y, NULL));
        if (first)
            assert_memory_equal(y, first, ROWS * OUT * sizeof *y);
        else
            first = g_steal_pointer(&y);
        gli_dnn.release(linear);
        gli_dnn.close(device);
    }
}

/* The same batch twice through one model: no state is left behind by a longer one in between. */
static void test_repeat(void **state)
{
    (void)state;
    g_autofree char *folder = data_folder("gemma3_bf16");
    g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 2);
    Texts *texts = make_texts(model);
    const gsize vocab = glint_model_info(model)->vocab, n = 40;
    g_autofree float *before = run_one(model, texts->tokens, n, NULL);
    g_free(run_batch(model, texts, NULL));
    g_autofree float *after = run_one(model, texts->tokens, n, NULL);
    assert_memory_equal(before, after, n * vocab * sizeof *before);
    texts_free(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_by_one), cmocka_unit_test(test_threads), cmocka_unit_test(test_threads_wide),
                                       cmocka_unit_test(test_repeat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
