/* Greedy continuation over the cache equals running the whole text again for every token; pieces of a text fed one after
 * the other equal the text at once; stop tokens and the model's length end it. */
#include "model/generate.h"
#include "model/support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static const char *const models[] = {"gemma3_bf16", "gemma3_v4_f32", "llama_sharded_f32", "llama_tied_f16", "gpt2_f32", "gpt2_bf16", "gpt_neox_f32"};

static GlintModel *open_data(const char *name)
{
    g_autofree char *folder = data_folder(name);
    return open_model(folder, GLINT_DTYPE_F32, 2);
}

static void random_ids(guint32 *ids, gsize n)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(5);
    for (gsize i = 0; i < n; i++)
        ids[i] = (guint32)g_rand_int_range(random, 3, 96);
}

/* Uneven pieces of three texts, some empty in some rounds, across block borders. */
static void check_pieces(const char *name)
{
    enum { TEXTS = 3, MOST = 64 };
    static const gsize pieces[][TEXTS] = {{1, 10, 0}, {30, 1, 7}, {1, 0, 1}, {31, 50, 2}, {0, 1, 50}};
    g_autoptr(GlintModel) model = open_data(name);
    const gsize vocab = glint_model_info(model)->vocab;
    guint32 text[TEXTS * MOST], tokens[TEXTS * MOST];
    random_ids(text, TEXTS * MOST);
    g_autoptr(GlintCache) cache = glint_cache_new(model, TEXTS, MOST, NULL);
    assert_non_null(cache);
    g_autofree float *logits = g_new(float, TEXTS * MOST * vocab);
    double worst = 0;
    for (gsize round = 0; round < G_N_ELEMENTS(pieces); round++) {
        gsize start[TEXTS + 1] = {0};
        for (gsize s = 0; s < TEXTS; s++) {
            memcpy(tokens + start[s], text + s * MOST + glint_cache_length(cache, s), pieces[round][s] * sizeof *tokens);
            start[s + 1] = start[s] + pieces[round][s];
        }
        const GlintBatch batch = {tokens, start, TEXTS};
        assert_true(glint_model_forward_cached(model, cache, &batch, NULL, 0, GLINT_LOGITS_ALL, logits, NULL));
        for (gsize s = 0; s < TEXTS; s++) {
            const gsize length = glint_cache_length(cache, s), count = pieces[round][s];
            g_autofree float *whole = length ? run_one(model, text + s * MOST, length, NULL) : NULL;
            if (count)
                worst = MAX(worst, relative_error(logits + start[s] * vocab, whole + (length - count) * vocab, count * vocab));
        }
    }
    expect_close(name, worst, 2e-6);
}

static void test_pieces(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++)
        check_pieces(models[i]);
}

static guint32 best(const float *logits, gsize n)
{
    gsize most = 0;
    for (gsize i = 1; i < n; i++)
        most = logits[i] > logits[most] ? i : most;
    return (guint32)most;
}

static void test_greedy(void **state)
{
    (void)state;
    enum { PROMPT = 9, NEW = 24 };
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autoptr(GlintModel) model = open_data(models[i]);
        guint32 ids[PROMPT + NEW];
        random_ids(ids, PROMPT);
        g_autoptr(GArray) out = g_array_new(FALSE, FALSE, sizeof(guint32));
        assert_true(glint_model_generate_greedy(model, ids, PROMPT, NEW, NULL, 0, NULL, 0, out, NULL));
        assert_int_equal(out->len, NEW);
        for (gsize n = PROMPT; n < PROMPT + NEW; n++) {
            g_autofree float *logits = run_one(model, ids, n, NULL);
            ids[n] = best(logits + (n - 1) * glint_model_info(model)->vocab, glint_model_info(model)->vocab);
            assert_int_equal(g_array_index(out, guint32, n - PROMPT), ids[n]);
        }
    }
}

static void test_ends(void **state)
{
    (void)state;
    g_autoptr(GlintModel) model = open_data("gpt2_f32"); /* 64 positions */
    guint32 ids[70];
    random_ids(ids, 70);
    g_autoptr(GArray) out = g_array_new(FALSE, FALSE, sizeof(guint32));
    assert_true(glint_model_generate_greedy(model, ids, 60, 100, NULL, 0, NULL, 0, out, NULL));
    assert_int_equal(out->len, 4);
    const guint32 stop = g_array_index(out, guint32, 1);
    gsize first = 0;
    while (g_array_index(out, guint32, first) != stop)
        first++;
    g_array_set_size(out, 0);
    assert_true(glint_model_generate_greedy(model, ids, 60, 100, &stop, 1, NULL, 0, out, NULL));
    assert_int_equal(out->len, first + 1);
    GError *error = NULL;
    assert_false(glint_model_generate_greedy(model, ids, 0, 5, NULL, 0, NULL, 0, out, &error));
    assert_non_null(strstr(error->message, "no tokens"));
    g_clear_error(&error);
    g_autoptr(GlintCache) cache = glint_cache_new(model, 1, 10, NULL);
    const gsize start[] = {0, 65};
    assert_false(glint_model_forward_cached(model, cache, &(GlintBatch){ids, start, 1}, NULL, 0, GLINT_LOGITS_NONE, NULL, &error));
    assert_non_null(strstr(error->message, "longer"));
    assert_int_equal(glint_cache_length(cache, 0), 0);
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces), cmocka_unit_test(test_greedy), cmocka_unit_test(test_ends)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
