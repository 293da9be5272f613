/* Greedy continuation over the cache equals running the whole text again for every token; pieces of a text fed one after
 * the other equal the text at once; many prompts at once equal one by one; what ends a text, and what is refused. */
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

/* Prompts of several lengths continued `batch` at a time; free the result. */
static GlintGeneration *generate(GlintModel *model, const GlintPrompt *prompts, gsize n, gsize batch, GlintGenerateSettings settings)
{
    GError *error = NULL;
    settings.batch_size = batch;
    GlintGeneration *generation = glint_generate(model, NULL, prompts, n, &settings, &error);
    if (!generation)
        fail_msg("%s", error->message);
    return generation;
}

static GlintGenerateSettings new_settings(gsize max_new)
{
    GlintGenerateSettings settings;
    glint_generate_settings_init(&settings);
    settings.max_new_tokens = max_new;
    return settings;
}

static void test_greedy(void **state)
{
    (void)state;
    enum { PROMPT = 9, NEW = 24 };
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autoptr(GlintModel) model = open_data(models[i]);
        guint32 ids[PROMPT + NEW];
        random_ids(ids, PROMPT);
        g_autoptr(GlintGeneration) generation = generate(model, &(GlintPrompt){ids, PROMPT}, 1, 0, new_settings(NEW));
        const GArray *out = generation->texts[0].tokens;
        assert_int_equal(out->len, NEW);
        assert_int_equal(generation->texts[0].finish, GLINT_FINISH_LENGTH);
        for (gsize n = PROMPT; n < PROMPT + NEW; n++) {
            g_autofree float *logits = run_one(model, ids, n, NULL);
            ids[n] = best(logits + (n - 1) * glint_model_info(model)->vocab, glint_model_info(model)->vocab);
            assert_int_equal(g_array_index(out, guint32, n - PROMPT), ids[n]);
        }
    }
}

/* ---- many prompts ---- */

enum { MANY = 7, LONGEST = 23 };

static void make_prompts(guint32 *ids, GlintPrompt *prompts)
{
    random_ids(ids, MANY * LONGEST);
    for (gsize i = 0; i < MANY; i++)
        prompts[i] = (GlintPrompt){ids + i * LONGEST, 1 + (i * 13) % LONGEST};
}

/* Checks what on_step says against the rows a tap sees: the tap of the first residual sees the embedding of the token that
 * stands at the position the step names. */
typedef struct {
    const GlintPrompt *prompts;
    const GlintGeneration *alone; /* what each prompt goes on with */
    gsize *prompt, *past, n_sequences, rows, passes;
} Watch;

static gboolean watch_step(const GlintGenerateStep *step, gpointer user_data, GError **error)
{
    (void)error;
    Watch *watch = user_data;
    watch->n_sequences = step->n_sequences;
    memcpy(watch->prompt, step->prompt, step->n_sequences * sizeof *step->prompt);
    memcpy(watch->past, step->past, step->n_sequences * sizeof *step->past);
    watch->passes++;
    return TRUE;
}

static gboolean watch_rows(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site, (void)rows, (void)width, (void)error;
    Watch *watch = user_data;
    assert_int_equal(batch->n_sequences, watch->n_sequences);
    for (gsize s = 0; s < batch->n_sequences; s++) {
        if (watch->prompt[s] == G_MAXSIZE)
            assert_int_equal(batch->start[s], batch->start[s + 1]);
        for (gsize t = batch->start[s]; t < batch->start[s + 1]; t++, watch->rows++) {
            const GlintPrompt *prompt = &watch->prompts[watch->prompt[s]];
            const gsize position = watch->past[s] + t - batch->start[s];
            const guint32 token = position < prompt->n_tokens ? prompt->tokens[position]
                                  : g_array_index(watch->alone->texts[watch->prompt[s]].tokens, guint32, position - prompt->n_tokens);
            assert_int_equal(batch->tokens[t], token);
        }
    }
    return TRUE;
}

/* Texts that end at different times, more prompts than slots: the same as one by one, greedy and drawn; taps see every
 * token but each text's last exactly once. */
static void check_many(const char *name, double temperature)
{
    g_autoptr(GlintModel) model = open_data(name);
    guint32 ids[MANY * LONGEST];
    GlintPrompt prompts[MANY];
    make_prompts(ids, prompts);
    GlintGenerateSettings settings = new_settings(30);
    settings.temperature = temperature;
    settings.seed = 11;
    const guint32 stops[] = {3, 17, 40, 41, 42, 77}; /* ends some texts early */
    settings.stop_tokens = stops;
    settings.n_stop_tokens = G_N_ELEMENTS(stops);
    g_autoptr(GlintGeneration) alone = generate(model, prompts, MANY, 1, settings);
    gsize read = 0;
    for (gsize i = 0; i < MANY; i++)
        read += prompts[i].n_tokens + alone->texts[i].tokens->len - 1;
    gsize prompt[MANY], past[MANY];
    for (gsize batch = 2; batch <= MANY; batch += 2) {
        Watch watch = {prompts, alone, prompt, past, 0, 0, 0};
        const GlintTap tap = {.site = {GLINT_SITE_RESID_PRE, 0}, .function = watch_rows, .user_data = &watch};
        settings.taps = &tap;
        settings.n_taps = 1;
        settings.on_step = watch_step;
        settings.user_data = &watch;
        g_autoptr(GlintGeneration) together = generate(model, prompts, MANY, batch, settings);
        for (gsize i = 0; i < MANY; i++) {
            const GArray *a = alone->texts[i].tokens, *b = together->texts[i].tokens;
            assert_int_equal(a->len, b->len);
            assert_memory_equal(a->data, b->data, a->len * sizeof(guint32));
            assert_int_equal(alone->texts[i].finish, together->texts[i].finish);
        }
        assert_int_equal(watch.rows, read);
        assert_int_equal(together->n_prefill + together->n_decode, read);
    }
}

static void test_many(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        check_many(models[i], 0);
        check_many(models[i], 0.8);
    }
}

static void test_ends(void **state)
{
    (void)state;
    g_autoptr(GlintModel) model = open_data("gpt2_f32"); /* 64 positions */
    guint32 ids[70];
    random_ids(ids, 70);
    const GlintPrompt prompt = {ids, 60};
    GlintGenerateSettings settings = new_settings(100);
    g_autoptr(GlintGeneration) whole = generate(model, &prompt, 1, 0, settings);
    const GArray *out = whole->texts[0].tokens;
    assert_int_equal(out->len, 4);
    assert_int_equal(whole->texts[0].finish, GLINT_FINISH_MODEL_LENGTH);
    const guint32 stop = g_array_index(out, guint32, 1);
    gsize first = 0;
    while (g_array_index(out, guint32, first) != stop)
        first++;
    settings.stop_tokens = &stop;
    settings.n_stop_tokens = 1;
    g_autoptr(GlintGeneration) stopped = generate(model, &prompt, 1, 0, settings);
    assert_int_equal(stopped->texts[0].tokens->len, first + 1);
    assert_int_equal(stopped->texts[0].finish, GLINT_FINISH_STOP_TOKEN);
    settings.max_new_tokens = 0;
    g_autoptr(GlintGeneration) none = generate(model, &prompt, 1, 0, settings);
    assert_int_equal(none->texts[0].tokens->len, 0);
    assert_int_equal(none->texts[0].finish, GLINT_FINISH_LENGTH);
    g_autoptr(GlintGeneration) full = generate(model, &(GlintPrompt){ids, 64}, 1, 0, new_settings(5));
    assert_int_equal(full->texts[0].tokens->len, 0);
    assert_int_equal(full->texts[0].finish, GLINT_FINISH_MODEL_LENGTH);
}

static void expect_refusal(GlintModel *model, const GlintPrompt *prompt, GlintGenerateSettings settings, const char *words)
{
    GError *error = NULL;
    assert_null(glint_generate(model, NULL, prompt, 1, &settings, &error));
    assert_non_null(strstr(error->message, words));
    g_error_free(error);
}

static void test_refusals(void **state)
{
    (void)state;
    g_autoptr(GlintModel) model = open_data("gpt2_f32");
    guint32 ids[70];
    random_ids(ids, 70);
    const GlintPrompt prompt = {ids, 5};
    expect_refusal(model, &(GlintPrompt){ids, 0}, new_settings(5), "no tokens");
    expect_refusal(model, &(GlintPrompt){ids, 65}, new_settings(5), "65 tokens, and the model takes 64");
    GlintGenerateSettings settings = new_settings(5);
    settings.temperature = -1;
    expect_refusal(model, &prompt, settings, "temperature");
    settings = new_settings(5);
    settings.top_p = 0;
    expect_refusal(model, &prompt, settings, "top-p");
    settings = new_settings(5);
    settings.min_p = 2;
    expect_refusal(model, &prompt, settings, "min-p");
    settings = new_settings(5);
    settings.stop_strings = (const char *const[]){"x", NULL};
    expect_refusal(model, &prompt, settings, "tokenizer");
    GError *error = NULL;
    g_autoptr(GlintCache) cache = glint_cache_new(model, 1, 10, NULL);
    const gsize start[] = {0, 65};
    assert_false(glint_model_forward_cached(model, cache, &(GlintBatch){ids, start, 1}, NULL, 0, GLINT_LOGITS_NONE, NULL, &error));
    assert_non_null(strstr(error->message, "longer"));
    assert_int_equal(glint_cache_length(cache, 0), 0);
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces), cmocka_unit_test(test_greedy), cmocka_unit_test(test_many), cmocka_unit_test(test_ends),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
