/* Taps: the residual identities hold to the last bit, edits are what the rest of the model sees, computation ends behind
 * the last site anyone listens to, a tap's error stops the run, wrong sites and wrong batches are refused. */
#include "base/error.h"
#include "model/support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const char *const models[] = {"gemma3_bf16", "gemma3_v4_f32", "llama_sharded_f32", "llama_tied_f16", "gpt2_f32", "gpt2_bf16"};
enum { N = 30 };

static GlintModel *open_data(const char *name, GlintComputeType type)
{
    g_autofree char *folder = data_folder(name);
    return open_model(folder, type, 2);
}

static void make_ids(guint32 *ids)
{
    for (guint32 t = 0; t < N; t++)
        ids[t] = (t * 37 + 5) % 96;
}

static void expect_sum(const Recorder *recorder, GlintSiteKind sum, GlintSiteKind a, GlintSiteKind b, gsize layer, gsize width)
{
    const float *s = recorder_rows(recorder, sum, layer), *x = recorder_rows(recorder, a, layer), *y = recorder_rows(recorder, b, layer);
    for (gsize i = 0; i < N * width; i++)
        if (s[i] != x[i] + y[i])
            fail_msg("layer %zu: %s is not the sum of %s and %s", layer, glint_site_suffix(sum), glint_site_suffix(a), glint_site_suffix(b));
}

static void check_identities(const char *name, GlintComputeType type)
{
    guint32 ids[N];
    make_ids(ids);
    g_autoptr(GlintModel) model = open_data(name, type);
    const gsize hidden = glint_model_info(model)->hidden;
    g_autoptr(Recorder) recorder = recorder_new(model);
    g_free(run_one(model, ids, N, recorder));
    for (gsize l = 0; l < recorder->n_layers; l++) {
        expect_sum(recorder, GLINT_SITE_RESID_MID, GLINT_SITE_RESID_PRE, GLINT_SITE_ATTN_OUT, l, hidden);
        expect_sum(recorder, GLINT_SITE_RESID_POST, GLINT_SITE_RESID_MID, GLINT_SITE_MLP_OUT, l, hidden);
        if (l > 0)
            assert_memory_equal(recorder_rows(recorder, GLINT_SITE_RESID_PRE, l), recorder_rows(recorder, GLINT_SITE_RESID_POST, l - 1),
                                N * hidden * sizeof(float));
    }
}

static void test_identities(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++)
        check_identities(models[i], GLINT_DTYPE_F32);
    check_identities("gemma3_bf16", GLINT_DTYPE_AUTO); /* bf16 compute, where the processor has it */
}

static gboolean clear_rows(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site;
    (void)user_data;
    (void)error;
    memset(rows, 0, batch->start[batch->n_sequences] * width * sizeof *rows);
    return TRUE;
}

/* Silencing attention and MLP of every layer leaves the embedding: resid_post of the last layer is resid_pre of the first. */
static void test_edit(void **state)
{
    (void)state;
    guint32 ids[N];
    make_ids(ids);
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autoptr(GlintModel) model = open_data(models[i], GLINT_DTYPE_F32);
        g_autoptr(Recorder) recorder = recorder_new(model);
        for (gsize l = 0; l < recorder->n_layers; l++) {
            const GlintTap silence[] = {{.site = {GLINT_SITE_ATTN_OUT, l}, .function = clear_rows}, {.site = {GLINT_SITE_MLP_OUT, l}, .function = clear_rows}};
            g_array_append_vals(recorder->taps, silence, 2);
        }
        g_free(run_one(model, ids, N, recorder));
        assert_memory_equal(recorder_rows(recorder, GLINT_SITE_RESID_PRE, 0), recorder_rows(recorder, GLINT_SITE_RESID_POST, recorder->n_layers - 1),
                            N * glint_model_info(model)->hidden * sizeof(float));
    }
}

/* An edit at each site changes the logits; without bias, silent neurons make a silent MLP. */
static void test_edit_reaches(void **state)
{
    (void)state;
    guint32 ids[N];
    make_ids(ids);
    g_autoptr(GlintModel) model = open_data("llama_sharded_f32", GLINT_DTYPE_F32);
    const gsize vocab = glint_model_info(model)->vocab;
    g_autofree float *plain = run_one(model, ids, N, NULL);
    for (int kind = 0; kind < GLINT_SITE_COUNT; kind++) {
        g_autoptr(Recorder) recorder = recorder_new(model);
        const GlintTap silence = {.site = {(GlintSiteKind)kind, 1}, .function = clear_rows};
        g_array_prepend_val(recorder->taps, silence);
        g_autofree float *edited = run_one(model, ids, N, recorder);
        assert_true(relative_error(edited, plain, N * vocab) > 1e-2);
        if (kind == GLINT_SITE_MLP_POST)
            for (gsize i = 0; i < N * glint_model_info(model)->hidden; i++)
                assert_true(recorder_rows(recorder, GLINT_SITE_MLP_OUT, 1)[i] == 0);
    }
}

typedef struct { int calls, last_kind; gsize last_layer; } Count;

static gboolean count(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    Count *self = user_data;
    (void)batch;
    (void)rows;
    (void)width;
    (void)error;
    self->calls++;
    self->last_kind = (int)site->kind;
    self->last_layer = site->layer;
    return TRUE;
}

static gboolean refuse(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site;
    (void)batch;
    (void)rows;
    (void)width;
    (void)user_data;
    return glint_fail(error, GLINT_ERROR_DATA, "the tap says no");
}

static void test_order_and_errors(void **state)
{
    (void)state;
    guint32 ids[N];
    make_ids(ids);
    g_autoptr(GlintModel) model = open_data("gpt2_f32", GLINT_DTYPE_F32);
    const gsize start[] = {0, N};
    const GlintBatch batch = {ids, start, 1};
    Count early = {0}, late = {0};
    GError *error = NULL;
    const GlintTap taps[] = {{.site = {GLINT_SITE_RESID_POST, 1}, .function = count, .user_data = &late},
                             {.site = {GLINT_SITE_MLP_POST, 0}, .function = count, .user_data = &early},
                             {.site = {GLINT_SITE_MLP_POST, 0}, .function = count, .user_data = &early}};
    assert_true(glint_model_forward(model, &batch, taps, 3, GLINT_LOGITS_NONE, NULL, &error));
    assert_int_equal(early.calls, 2);
    assert_int_equal(late.calls, 1);
    assert_int_equal(late.last_kind, GLINT_SITE_RESID_POST);
    assert_int_equal(late.last_layer, 1);

    const GlintTap no = {.site = {GLINT_SITE_ATTN_OUT, 0}, .function = refuse};
    assert_false(glint_model_forward(model, &batch, &no, 1, GLINT_LOGITS_NONE, NULL, &error));
    assert_string_equal(error->message, "the tap says no");
    g_clear_error(&error);
    const GlintTap nowhere[] = {{.site = {GLINT_SITE_MLP_PRE_LINEAR, 0}, .function = count, .user_data = &early},
                                {.site = {GLINT_SITE_MLP_POST, 3}, .function = count, .user_data = &early}};
    assert_false(glint_model_forward(model, &batch, nowhere, 1, GLINT_LOGITS_NONE, NULL, &error));
    assert_non_null(strstr(error->message, "hook_pre_linear"));
    g_clear_error(&error);
    assert_false(glint_model_forward(model, &batch, nowhere + 1, 1, GLINT_LOGITS_NONE, NULL, &error));
    assert_non_null(strstr(error->message, "layer 3"));
    g_clear_error(&error);
}

static void expect_refused(GlintModel *model, const GlintBatch *batch, const char *words)
{
    GError *error = NULL;
    Count nothing = {0};
    const GlintTap tap = {.site = {GLINT_SITE_RESID_PRE, 0}, .function = count, .user_data = &nothing};
    assert_false(glint_model_forward(model, batch, &tap, 1, GLINT_LOGITS_NONE, NULL, &error));
    if (!strstr(error->message, words))
        fail_msg("expected \"%s\" in \"%s\"", words, error->message);
    assert_int_equal(nothing.calls, 0);
    g_error_free(error);
}

static void test_bad_batches(void **state)
{
    (void)state;
    guint32 ids[65] = {0};
    g_autoptr(GlintModel) model = open_data("gpt2_f32", GLINT_DTYPE_F32);
    const gsize whole[] = {0, 65}, hole[] = {0, 3, 3, 5};
    expect_refused(model, &(GlintBatch){ids, whole, 1}, "longer than the model takes (64)");
    expect_refused(model, &(GlintBatch){ids, hole, 3}, "sequence 1 of the batch has no tokens");
    ids[4] = 96;
    expect_refused(model, &(GlintBatch){ids, (const gsize[]){0, 3, 5}, 2}, "token id 96 (token 1 of sequence 1)");
}

static void test_last_logits(void **state)
{
    (void)state;
    guint32 ids[N];
    make_ids(ids);
    g_autoptr(GlintModel) model = open_data("gemma3_v4_f32", GLINT_DTYPE_F32);
    const gsize start[] = {0, 4, 5, N}, vocab = glint_model_info(model)->vocab;
    const GlintBatch batch = {ids, start, 3};
    g_autofree float *all = g_new(float, N * vocab), *last = g_new(float, 3 * vocab);
    assert_true(glint_model_forward(model, &batch, NULL, 0, GLINT_LOGITS_ALL, all, NULL));
    assert_true(glint_model_forward(model, &batch, NULL, 0, GLINT_LOGITS_LAST, last, NULL));
    for (gsize s = 0; s < 3; s++)
        assert_true(relative_error(last + s * vocab, all + (start[s + 1] - 1) * vocab, vocab) < 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_identities), cmocka_unit_test(test_edit), cmocka_unit_test(test_edit_reaches), cmocka_unit_test(test_order_and_errors),
        cmocka_unit_test(test_bad_batches), cmocka_unit_test(test_last_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
