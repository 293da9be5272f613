/* Verbalisers. See words.h. */
#include "steer/words.h"
#include "base/error.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRIOR 1000.0
#define LEAST_Z 2.0

typedef struct { guint32 token; double z; } Scored;

static int largest_first(const void *a, const void *b)
{
    const Scored *x = a, *y = b;
    if (x->z != y->z)
        return x->z > y->z ? -1 : 1;
    return (x->token > y->token) - (x->token < y->token);
}

void glint_steer_words_clear(GlintVerbalisers *words)
{
    for (int side = 0; side < 2; side++)
        g_clear_pointer(&words->tokens[side], g_array_unref);
}

/* A word or a piece of one, not punctuation, digits or control. */
static gboolean is_wordy(const GlintTokenizer *tokenizer, guint32 token)
{
    if (!glint_tokenizer_token(tokenizer, token) || glint_tokenizer_is_special(tokenizer, token))
        return FALSE;
    g_autofree char *text = glint_tokenizer_decode(tokenizer, &token, 1, TRUE);
    gsize letters = 0;
    for (const char *at = text; *at; at = g_utf8_next_char(at))
        letters += g_unichar_isalpha(g_utf8_get_char(at)) ? 1 : 0;
    return letters >= 2;
}

static double *count_tokens(const GlintSteerTexts *texts, gsize size, double *total)
{
    double *count = g_new0(double, size + 1);
    *total = 0;
    for (guint k = 0; k < texts->tokens->len; k++) {
        const guint32 token = g_array_index(texts->tokens, guint32, k);
        if (token < size) {
            count[token]++;
            (*total)++;
        }
    }
    return count;
}

static double log_odds(double count, double prior, double total, double prior_total) { return log((count + prior) / (total + prior_total - count - prior)); }

gboolean glint_steer_words_learn(const GlintTokenizer *tokenizer, const GlintSteerTexts *towards, const GlintSteerTexts *away, gsize most, GlintVerbalisers *words, GError **error)
{
    const gsize size = glint_tokenizer_size(tokenizer);
    double a_total, b_total;
    g_autofree double *a = count_tokens(towards, size, &a_total), *b = count_tokens(away, size, &b_total);
    g_autofree Scored *scored = g_new(Scored, size + 1);
    const double scale = PRIOR / (a_total + b_total + 1);
    gsize n = 0;
    for (guint32 w = 0; w < size; w++) {
        if (a[w] + b[w] == 0 || !is_wordy(tokenizer, w))
            continue;
        const double prior = scale * (a[w] + b[w]), spread = 1 / (a[w] + prior) + 1 / (b[w] + prior);
        scored[n++] = (Scored){w, (log_odds(a[w], prior, a_total, PRIOR) - log_odds(b[w], prior, b_total, PRIOR)) / sqrt(spread)};
    }
    qsort(scored, n, sizeof *scored, largest_first);
    for (int side = 0; side < 2; side++) {
        words->tokens[side] = g_array_new(FALSE, FALSE, sizeof(guint32));
        for (gsize k = 0; k < MIN(most, n); k++) {
            const Scored *next = &scored[side ? n - 1 - k : k];
            if ((side ? -next->z : next->z) > LEAST_Z)
                g_array_append_val(words->tokens[side], next->token);
        }
        if (words->tokens[side]->len == 0) {
            glint_steer_words_clear(words);
            return glint_fail(error, GLINT_ERROR_DATA, "no word tells the two classes apart; name some yourself: --tokens-for CLASS=\"word, word\" for both classes");
        }
    }
    return TRUE;
}

static gboolean is_blank(const GlintTokenizer *tokenizer, guint32 token)
{
    g_autofree char *piece = glint_tokenizer_decode(tokenizer, &token, 1, TRUE);
    return *g_strstrip(piece) == '\0';
}

/* The tokens of a word but for blanks in front, which a tokenizer may make tokens of their own and which stand for nothing. */
static GArray *tokens_of(const GlintTokenizer *tokenizer, const char *text, GError **error)
{
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!glint_tokenizer_encode(tokenizer, text, -1, FALSE, ids, error)) {
        g_array_unref(ids);
        return NULL;
    }
    while (ids->len > 0 && is_blank(tokenizer, g_array_index(ids, guint32, 0)))
        g_array_remove_index(ids, 0);
    return ids;
}

static void add_new(GArray *tokens, guint32 token)
{
    for (guint k = 0; k < tokens->len; k++)
        if (g_array_index(tokens, guint32, k) == token)
            return;
    g_array_append_val(tokens, token);
}

/* Forms that are one token; a word that is more in both is represented by the first token it has behind a blank: "g" of "good" stands for too much. */
static gboolean add_word(const GlintTokenizer *tokenizer, const char *word, GArray *tokens, GError **error)
{
    g_autofree char *spaced = g_strdup_printf(" %s", word);
    g_autoptr(GArray) behind = tokens_of(tokenizer, spaced, error), plain = behind ? tokens_of(tokenizer, word, error) : NULL;
    if (!plain)
        return FALSE;
    if (plain->len == 1)
        add_new(tokens, g_array_index(plain, guint32, 0));
    if (behind->len == 1 || (behind->len > 1 && plain->len != 1))
        add_new(tokens, g_array_index(behind, guint32, 0));
    return behind->len > 0 || plain->len == 1 || glint_fail(error, GLINT_ERROR_DATA, "the tokenizer has no token for the word '%s'", word);
}

gint64 glint_steer_words_lead(const GlintTokenizer *tokenizer)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!glint_tokenizer_encode(tokenizer, "good", -1, FALSE, ids, NULL) || ids->len < 2 || !is_blank(tokenizer, g_array_index(ids, guint32, 0)))
        return -1;
    return g_array_index(ids, guint32, 0);
}

gboolean glint_steer_words_parse(const GlintTokenizer *tokenizer, const char *list, GArray *tokens, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(list, ",", -1);
    for (char **part = parts; *part; part++)
        if (*g_strstrip(*part) && !add_word(tokenizer, *part, tokens, error))
            return FALSE;
    return tokens->len > 0 || glint_fail(error, GLINT_ERROR_USAGE, "--tokens-for '%s' names no word", list);
}

static gboolean holds(const GArray *tokens, guint32 token)
{
    for (guint k = 0; k < tokens->len; k++)
        if (g_array_index(tokens, guint32, k) == token)
            return TRUE;
    return FALSE;
}

gboolean glint_steer_words_check(const GlintTokenizer *tokenizer, GlintVerbalisers *words, GError **error)
{
    g_autoptr(GArray) first = g_array_copy(words->tokens[0]);
    for (int side = 0; side < 2; side++) {
        GArray *own = words->tokens[side], *other = side ? first : words->tokens[1];
        for (guint k = own->len; k-- > 0;)
            if (holds(other, g_array_index(own, guint32, k)))
                g_array_remove_index(own, k);
    }
    for (int side = 0; side < 2; side++)
        if (words->tokens[side]->len == 0) {
            g_autofree char *text = glint_steer_words_text(tokenizer, first);
            return glint_fail(error, GLINT_ERROR_DATA, "the words of the two classes begin with the same tokens (%s), so that they cannot be told apart; choose others with --tokens-for", text);
        }
    return TRUE;
}

char *glint_steer_words_text(const GlintTokenizer *tokenizer, const GArray *tokens)
{
    GString *text = g_string_new(NULL);
    for (guint k = 0; k < tokens->len; k++) {
        g_autofree char *piece = glint_tokenizer_decode(tokenizer, &g_array_index(tokens, guint32, k), 1, TRUE);
        g_string_append_printf(text, "%s%s", k ? ", " : "", g_strstrip(piece));
    }
    return g_string_free(text, FALSE);
}
