/* Generated texts: greedy ones against transformers' (tools/reference/generate_golden.py); what is streamed against what is returned,
 * characters and stop strings across the borders of tokens; drawn texts against draws made here from logits without a cache; the
 * tokens at which a model ends. */
#include "base/error.h"
#include "base/files.h"
#include "model/continuation.h"
#include "model/generate.h"
#include "model/sampling.h"
#include "model/support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define DEMO GLINT_SOURCE_DIR "/data/demo/model"
#define GOLDEN GLINT_SOURCE_DIR "/tests/model/data/generate_golden.json"

enum { MOST_PROMPTS = 8 };

typedef struct {
    GlintModel *model;
    GlintTokenizer *tokenizer;
    json_t *golden;
    gsize n;
    GArray *ids[MOST_PROMPTS];
    GlintPrompt prompts[MOST_PROMPTS];
    GString *streamed[MOST_PROMPTS];
    gsize calls[MOST_PROMPTS], ends[MOST_PROMPTS];
} Demo;

static int open_demo(void **state)
{
    Demo *demo = g_new0(Demo, 1);
    demo->model = open_model(DEMO, GLINT_DTYPE_F32, 2);
    demo->tokenizer = glint_tokenizer_open(DEMO, NULL);
    demo->golden = glint_json_read(GOLDEN, NULL);
    const json_t *cases = json_object_get(demo->golden, "greedy");
    demo->n = json_array_size(cases);
    if (!demo->tokenizer || demo->n == 0 || demo->n > MOST_PROMPTS)
        return -1;
    for (gsize i = 0; i < demo->n; i++) {
        demo->ids[i] = g_array_new(FALSE, FALSE, sizeof(guint32));
        if (!glint_tokenizer_encode(demo->tokenizer, json_string_value(json_object_get(json_array_get(cases, i), "prompt")), -1, TRUE, demo->ids[i], NULL))
            return -1;
        demo->prompts[i] = (GlintPrompt){(const guint32 *)(void *)demo->ids[i]->data, demo->ids[i]->len};
        demo->streamed[i] = g_string_new(NULL);
    }
    *state = demo;
    return 0;
}

static int close_demo(void **state)
{
    Demo *demo = *state;
    for (gsize i = 0; i < demo->n; i++) {
        g_array_unref(demo->ids[i]);
        g_string_free(demo->streamed[i], TRUE);
    }
    glint_model_free(demo->model);
    glint_tokenizer_free(demo->tokenizer);
    json_decref(demo->golden);
    g_free(demo);
    return 0;
}

static gboolean listen_in(gsize prompt, guint32 token, const char *text, gsize length, gboolean ended, gpointer user_data, GError **error)
{
    (void)token;
    (void)error;
    Demo *demo = user_data;
    assert_true(g_utf8_validate(text, (gssize)length, NULL));
    assert_int_equal(demo->ends[prompt], 0);
    g_string_append_len(demo->streamed[prompt], text, (gssize)length);
    demo->calls[prompt]++;
    demo->ends[prompt] += ended;
    return TRUE;
}

/* Every text is streamed as it is returned, piece by piece, one call per token. */
static GlintGeneration *generate(Demo *demo, GlintGenerateSettings settings)
{
    for (gsize i = 0; i < demo->n; i++) {
        g_string_truncate(demo->streamed[i], 0);
        demo->calls[i] = demo->ends[i] = 0;
    }
    settings.on_token = listen_in;
    settings.user_data = demo;
    GError *error = NULL;
    GlintGeneration *generation = glint_generate(demo->model, demo->tokenizer, demo->prompts, demo->n, &settings, &error);
    if (!generation)
        fail_msg("%s", error->message);
    for (gsize i = 0; i < demo->n; i++) {
        assert_int_equal(demo->calls[i], generation->texts[i].tokens->len);
        assert_int_equal(demo->ends[i], 1);
        assert_int_equal(generation->texts[i].length, strlen(generation->texts[i].text));
        assert_string_equal(demo->streamed[i]->str, generation->texts[i].text);
    }
    return generation;
}

static GlintGenerateSettings new_settings(void)
{
    GlintGenerateSettings settings;
    glint_generate_settings_init(&settings);
    settings.max_new_tokens = 60;
    return settings;
}

static void test_golden(void **state)
{
    Demo *demo = *state;
    g_autoptr(GArray) stops = glint_stop_tokens_read(DEMO, NULL);
    assert_int_equal(stops->len, 1);
    GlintGenerateSettings settings = new_settings();
    settings.stop_tokens = (const guint32 *)(void *)stops->data;
    settings.n_stop_tokens = stops->len;
    g_autoptr(GlintGeneration) generation = generate(demo, settings);
    for (gsize i = 0; i < demo->n; i++) {
        const json_t *one = json_array_get(json_object_get(demo->golden, "greedy"), i), *tokens = json_object_get(one, "tokens");
        assert_int_equal(generation->texts[i].tokens->len, json_array_size(tokens));
        for (gsize k = 0; k < json_array_size(tokens); k++)
            assert_int_equal(g_array_index(generation->texts[i].tokens, guint32, k), json_integer_value(json_array_get(tokens, k)));
        assert_string_equal(generation->texts[i].text, json_string_value(json_object_get(one, "text")));
    }
}

/* Every piece of the greedy texts as a stop string: the text ends before its first place, and nothing of it was streamed. */
static void test_stop_strings(void **state)
{
    Demo *demo = *state;
    GlintGenerateSettings settings = new_settings();
    settings.max_new_tokens = 12;
    g_autoptr(GlintGeneration) whole = generate(demo, settings);
    gsize stopped = 0;
    for (gsize at = 0; at < 24; at += 5)
        for (gsize length = 1; length <= 9; length += 4) {
            const char *source = whole->texts[at % demo->n].text;
            if (at + length > strlen(source))
                continue;
            g_autofree char *stop = g_strndup(source + at, length);
            const char *const stops[] = {"@@@@", stop, NULL};
            settings.stop_strings = stops;
            g_autoptr(GlintGeneration) cut = generate(demo, settings);
            for (gsize i = 0; i < demo->n; i++) {
                const char *text = whole->texts[i].text, *found = strstr(text, stop);
                g_autofree char *expected = g_strndup(text, found ? (gsize)(found - text) : strlen(text));
                if (!found && whole->texts[i].finish != GLINT_FINISH_LENGTH)
                    continue;
                assert_string_equal(cut->texts[i].text, expected);
                assert_int_equal(cut->texts[i].finish, found ? GLINT_FINISH_STOP_STRING : GLINT_FINISH_LENGTH);
                assert_true(cut->texts[i].tokens->len <= whole->texts[i].tokens->len);
                assert_memory_equal(cut->texts[i].tokens->data, whole->texts[i].tokens->data, cut->texts[i].tokens->len * sizeof(guint32));
                stopped += found != NULL;
            }
        }
    assert_true(stopped > 15);
}

static const char *const texts[] = {"plain words", " leading",
                                    "caf\303\251 \346\227\245\346\234\254\350\252\236 \360\237\230\200\360\237\230\200!", "a\nb\n\n  c\t", "\357\277\275 x",
                                    "\340\244\250\340\244\256\340\244\270\340\245\215\340\244\244\340\245\207"};

/* Texts fed token by token come out as decoded at once, whatever their characters; what is sure never changes. */
static void check_continuation(const GlintTokenizer *tokenizer, const char *text, gboolean stopping)
{
    static const char *const stops[] = {"\346\234\254\350\252\236", "\360\237\230\200!", NULL};
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    assert_true(glint_tokenizer_encode(tokenizer, "Before:", -1, TRUE, ids, NULL));
    const guint n_prompt = ids->len;
    assert_true(glint_tokenizer_encode(tokenizer, text, -1, FALSE, ids, NULL));
    const guint32 *all = (const guint32 *)(void *)ids->data;
    g_autofree char *before = glint_tokenizer_decode(tokenizer, all, n_prompt, TRUE), *whole = glint_tokenizer_decode(tokenizer, all, ids->len, TRUE);
    assert_true(g_str_has_prefix(whole, before));
    const char *expected = whole + strlen(before), *stop = stopping ? strstr(expected, stops[0]) : NULL;
    GliContinuation c;
    gli_continuation_init(&c, tokenizer, stopping ? stops : NULL, all, n_prompt);
    g_autoptr(GString) sure = g_string_new(NULL);
    for (guint k = n_prompt; k < ids->len; k++) {
        gli_continuation_add(&c, all[k]);
        assert_true(c.sure >= sure->len && memcmp(c.text->str, sure->str, sure->len) == 0);
        g_string_append_len(sure, c.text->str + sure->len, (gssize)(c.sure - sure->len));
    }
    gli_continuation_end(&c);
    assert_memory_equal(c.text->str, sure->str, sure->len);
    assert_int_equal(c.text->len, stop ? (gsize)(stop - expected) : strlen(expected));
    assert_memory_equal(c.text->str, expected, c.text->len);
    assert_int_equal(c.stopped, stop != NULL);
    gli_continuation_clear(&c);
}

static void test_continuation(void **state)
{
    (void)state; /* byte_fallback's decoder strips the first token's space, byte_level's tokens are bytes */
    static const char *const tokenizers[] = {DEMO, GLINT_SOURCE_DIR "/tests/text/data/byte_fallback.json", GLINT_SOURCE_DIR "/tests/text/data/byte_level.json"};
    for (gsize t = 0; t < G_N_ELEMENTS(tokenizers); t++) {
        g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(tokenizers[t], NULL);
        assert_non_null(tokenizer);
        for (gsize i = 0; i < G_N_ELEMENTS(texts); i++)
            for (int stopping = 0; stopping < 2; stopping++)
                check_continuation(tokenizer, texts[i], stopping);
    }
}

/* A character that is never completed becomes U+FFFD at the end, and is not shown before. */
static void test_half_character(void **state)
{
    Demo *demo = *state;
    const gint64 byte = glint_tokenizer_id(demo->tokenizer, "<0xE6>");
    if (byte < 0) {
        print_message("the demo's tokenizer has no byte tokens\n");
        skip();
    }
    GliContinuation c;
    const guint32 prompt[] = {2};
    gli_continuation_init(&c, demo->tokenizer, NULL, prompt, 1);
    gli_continuation_add(&c, (guint32)byte);
    assert_int_equal(c.sure, 0);
    gli_continuation_end(&c);
    assert_string_equal(c.text->str, "\357\277\275");
    assert_int_equal(c.sure, 3);
    gli_continuation_clear(&c);
}

/* Drawn tokens are those that the same generator draws from the logits of passes without a cache. */
static void test_drawn(void **state)
{
    Demo *demo = *state;
    GlintGenerateSettings settings = new_settings();
    settings.max_new_tokens = 8;
    settings.temperature = 0.9;
    settings.top_k = 50;
    settings.top_p = 0.95;
    settings.seed = 7;
    g_autoptr(GlintGeneration) generation = generate(demo, settings);
    const gsize V = glint_model_info(demo->model)->vocab;
    const GliFilter filter = {settings.temperature, settings.top_k, settings.top_p, 0};
    GliSampler sampler;
    assert_true(gli_sampler_init(&sampler, V, NULL));
    for (gsize i = 0; i < demo->n; i++) {
        GliRandom random = gli_random_new(7, i);
        g_autoptr(GArray) ids = g_array_copy(demo->ids[i]);
        for (guint k = 0; k < generation->texts[i].tokens->len; k++) {
            g_autofree float *logits = run_one(demo->model, (const guint32 *)(void *)ids->data, ids->len, NULL);
            guint32 token;
            assert_true(gli_sampler_draw(&sampler, &filter, logits + (ids->len - 1) * V, &random, &token, NULL));
            assert_int_equal(token, g_array_index(generation->texts[i].tokens, guint32, k));
            g_array_append_val(ids, token);
        }
    }
    gli_sampler_clear(&sampler);
}

static void expect_stops(const char *generation, const char *config, const char *expected)
{
    g_autofree char *folder = temporary_folder(), *a = g_build_filename(folder, "generation_config.json", NULL), *b = g_build_filename(folder, "config.json", NULL);
    assert_true((!generation || g_file_set_contents(a, generation, -1, NULL)) && (!config || g_file_set_contents(b, config, -1, NULL)));
    GError *error = NULL;
    g_autoptr(GArray) tokens = glint_stop_tokens_read(folder, &error);
    g_autoptr(GString) text = g_string_new(tokens ? "" : error->message);
    for (guint k = 0; tokens && k < tokens->len; k++)
        g_string_append_printf(text, "%u ", g_array_index(tokens, guint32, k));
    if (tokens)
        assert_string_equal(text->str, expected);
    else
        assert_non_null(strstr(text->str, expected));
    g_clear_error(&error);
    remove_folder(folder);
}

static void test_stop_tokens(void **state)
{
    (void)state;
    expect_stops("{\"eos_token_id\": [1, 106]}", "{\"eos_token_id\": 3}", "1 106 ");
    expect_stops("{\"eos_token_id\": 7}", NULL, "7 ");
    expect_stops("{}", "{\"eos_token_id\": 3}", "3 ");
    expect_stops("{\"eos_token_id\": null}", "{\"text_config\": {\"eos_token_id\": [4]}}", "4 ");
    expect_stops(NULL, "{}", "");
    expect_stops(NULL, NULL, "");
    expect_stops("{\"eos_token_id\": [1, \"2\"]}", NULL, "generation_config.json: \"eos_token_id\" must be");
    expect_stops("{\"eos_token_id\": -1}", NULL, "must be a token id");
    expect_stops("[", NULL, "generation_config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_stop_strings), cmocka_unit_test(test_continuation),
                                       cmocka_unit_test(test_half_character), cmocka_unit_test(test_drawn), cmocka_unit_test(test_stop_tokens)};
    return cmocka_run_group_tests(tests, open_demo, close_demo);
}
