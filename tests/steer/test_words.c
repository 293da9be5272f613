/* Words of a class: planted counts are found in the order of the plain formula; lists become first tokens; overlaps are removed. */
#include "base/error.h"
#include "steer/words.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MOST = 5 };

static int setup(void **state)
{
    GError *error = NULL;
    *state = glint_tokenizer_open(GLINT_SOURCE_DIR "/tests/text/data/byte_level.json", &error);
    assert_non_null(*state);
    return 0;
}

static int teardown(void **state)
{
    glint_tokenizer_free(*state);
    return 0;
}

static guint32 id_of(const GlintTokenizer *tokenizer, const char *token)
{
    const gint64 id = glint_tokenizer_id(tokenizer, token);
    assert_true(id >= 0);
    return (guint32)id;
}

/* ---- learning ---- */

typedef struct { const char *token; int towards, away; gboolean wordy; } Planted;

static const Planted planted[] = {{"<s>", 400, 10, FALSE},     {"!", 300, 2, FALSE},         {"1", 5, 200, FALSE},       {"Ġgood", 60, 3, TRUE},  {"Ġwarm", 20, 2, TRUE},    {"Ġhope", 9, 1, TRUE},
                                  {"Ġthe", 200, 190, TRUE},    {"Ġsecond", 12, 11, TRUE},    {"Ġlost", 2, 90, TRUE},     {"Ġwar", 0, 15, TRUE},   {"Ġend", 4, 60, TRUE},     {"Ġquiet", 1, 2, TRUE},
                                  {"Ġand", 30, 60, TRUE},      {"Ġsmall", 45, 10, TRUE},     {"Ġyear", 33, 5, TRUE},     {"Ġstreet", 28, 6, TRUE}};

static void plant(const GlintTokenizer *tokenizer, GlintSteerTexts *towards, GlintSteerTexts *away)
{
    for (gsize k = 0; k < G_N_ELEMENTS(planted); k++) {
        const guint32 id = id_of(tokenizer, planted[k].token);
        for (int side = 0; side < 2; side++)
            for (int n = side ? planted[k].away : planted[k].towards; n > 0; n--)
                glint_steer_texts_add(side ? away : towards, &id, 1);
    }
}

/* z of Monroe et al. with a prior of 1,000 in proportion to both classes' counts, written out anew. */
static double plain_z(const Planted *word)
{
    double A = 0, B = 0;
    for (gsize k = 0; k < G_N_ELEMENTS(planted); k++) {
        A += planted[k].towards;
        B += planted[k].away;
    }
    const double c = 1000.0 * (word->towards + word->away) / (A + B), a = word->towards + c, b = word->away + c;
    return (log(a / (A + 1000 - a)) - log(b / (B + 1000 - b))) / sqrt(1 / a + 1 / b);
}

static int by_z(const void *a, const void *b) { return plain_z(*(const Planted *const *)a) < plain_z(*(const Planted *const *)b) ? 1 : -1; }

static void test_planted_words_are_learned(void **state)
{
    const GlintTokenizer *tokenizer = *state;
    GError *error = NULL;
    g_autoptr(GlintSteerTexts) towards = glint_steer_texts_new(), away = glint_steer_texts_new();
    const Planted *sorted[G_N_ELEMENTS(planted)];
    gsize n = 0;
    GlintVerbalisers words = {{NULL, NULL}};
    plant(tokenizer, towards, away);
    for (gsize k = 0; k < G_N_ELEMENTS(planted); k++)
        if (planted[k].wordy)
            sorted[n++] = &planted[k];
    qsort(sorted, n, sizeof *sorted, by_z);
    assert_true(glint_steer_words_learn(tokenizer, towards, away, MOST, &words, &error));
    for (int side = 0; side < 2; side++) {
        guint expected = 0;
        while (expected < MOST && (side ? -1 : 1) * plain_z(sorted[side ? n - 1 - expected : expected]) > 2)
            expected++;
        assert_true(expected >= 2);
        assert_int_equal(words.tokens[side]->len, expected);
        for (guint k = 0; k < expected; k++)
            assert_int_equal(g_array_index(words.tokens[side], guint32, k), id_of(tokenizer, sorted[side ? n - 1 - k : k]->token));
    }
    assert_int_equal(g_array_index(words.tokens[0], guint32, 0), id_of(tokenizer, "Ġgood"));
    assert_int_equal(g_array_index(words.tokens[1], guint32, 0), id_of(tokenizer, "Ġlost"));
    glint_steer_words_clear(&words);
    assert_null(words.tokens[0]);
}

static void test_equal_texts_have_no_words(void **state)
{
    const GlintTokenizer *tokenizer = *state;
    GError *error = NULL;
    g_autoptr(GlintSteerTexts) texts = glint_steer_texts_new();
    GlintVerbalisers words = {{NULL, NULL}};
    plant(tokenizer, texts, texts);
    assert_false(glint_steer_words_learn(tokenizer, texts, texts, MOST, &words, &error));
    assert_non_null(strstr(error->message, "--tokens-for"));
    assert_null(words.tokens[0]);
    assert_null(words.tokens[1]);
    g_clear_error(&error);
}

/* ---- lists ---- */

static guint32 first_token(const GlintTokenizer *tokenizer, const char *text)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    assert_true(glint_tokenizer_encode(tokenizer, text, -1, FALSE, ids, NULL));
    return g_array_index(ids, guint32, 0);
}

static GArray *parse(const GlintTokenizer *tokenizer, const char *list)
{
    GError *error = NULL;
    GArray *tokens = g_array_new(FALSE, FALSE, sizeof(guint32));
    assert_true(glint_steer_words_parse(tokenizer, list, tokens, &error));
    return tokens;
}

/* Of a word the forms that are one token; where there is none, the first token behind a blank. */
static void test_lists_become_tokens(void **state)
{
    const GlintTokenizer *tokenizer = *state;
    g_autoptr(GArray) tokens = parse(tokenizer, " good,, machine ,good");
    const guint32 expected[] = {id_of(tokenizer, "Ġgood"), id_of(tokenizer, "Ġmachine")};
    assert_true(first_token(tokenizer, "good") != expected[0]); /* at the beginning of a text it is several, of which none stands for it */
    assert_int_equal(tokens->len, 2);
    assert_memory_equal(tokens->data, expected, sizeof expected);
    g_autoptr(GArray) few = parse(tokenizer, "~"); /* behind a blank the blank is a token of its own, which stands for nothing */
    assert_int_equal(first_token(tokenizer, " ~"), id_of(tokenizer, "Ġ"));
    assert_int_equal(few->len, 1);
    assert_int_equal(g_array_index(few, guint32, 0), id_of(tokenizer, "~"));
    g_autoptr(GArray) pieces = parse(tokenizer, "goodmachine");
    assert_int_equal(pieces->len, 1);
    assert_int_equal(g_array_index(pieces, guint32, 0), first_token(tokenizer, " goodmachine"));
    assert_int_equal(glint_steer_words_lead(tokenizer), -1); /* words bring their blank along */
}

static void test_empty_lists_are_refused(void **state)
{
    GError *error = NULL;
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(guint32));
    static const char *const lists[] = {"", " ", ",", " , ,"};
    for (gsize k = 0; k < G_N_ELEMENTS(lists); k++) {
        assert_false(glint_steer_words_parse(*state, lists[k], tokens, &error));
        assert_non_null(strstr(error->message, "names no word"));
        g_clear_error(&error);
    }
}

static void test_shared_tokens_are_removed(void **state)
{
    const GlintTokenizer *tokenizer = *state;
    GError *error = NULL;
    GlintVerbalisers words = {{parse(tokenizer, "good, machine"), parse(tokenizer, "lost, machine")}};
    assert_true(glint_steer_words_check(tokenizer, &words, &error));
    for (int side = 0; side < 2; side++) {
        assert_int_equal(words.tokens[side]->len, 1);
        assert_int_equal(g_array_index(words.tokens[side], guint32, 0), id_of(tokenizer, side ? "Ġlost" : "Ġgood"));
    }
    g_autofree char *text = glint_steer_words_text(tokenizer, words.tokens[1]);
    assert_string_equal(text, "lost");
    glint_steer_words_clear(&words);
    words = (GlintVerbalisers){{parse(tokenizer, "good"), parse(tokenizer, "good")}};
    assert_false(glint_steer_words_check(tokenizer, &words, &error));
    assert_non_null(strstr(error->message, "good"));
    g_clear_error(&error);
    glint_steer_words_clear(&words);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted_words_are_learned), cmocka_unit_test(test_equal_texts_have_no_words), cmocka_unit_test(test_lists_become_tokens),
                                       cmocka_unit_test(test_empty_lists_are_refused), cmocka_unit_test(test_shared_tokens_are_removed)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
