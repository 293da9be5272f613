/* Added tokens are found before anything else is done to a text, in two passes: those that are not "normalized" in the text
 * as given, the others in its normal form. At each place the longest wins (leftmost-longest, like upstream's Aho-Corasick
 * automaton). A trie walked from every position does that in O(n · longest token). */
#include "text/tokenizer_added.h"

#include "base/error.h"
#include "base/files.h"
#include "text/pretokenize.h"
#include "text/tokenizer_utf8.h"
#include "text/trie.h"
#include "text/vocabulary.h"

#include <string.h>

struct GlintAddedTokens {
    GArray *tokens;      /* GlintAddedToken */
    GHashTable *by_id;   /* id → index + 1 */
    GHashTable *by_text; /* content → index + 1 */
    GlintTrie *tries[2]; /* raw, normalized */
};

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static void token_clear(gpointer data) { g_string_free(((GlintAddedToken *)data)->content, TRUE); }

static gboolean read_token(GlintAddedTokens *self, const json_t *item, gsize number, GError **error)
{
    GError *local = NULL;
    const json_t *content = json_object_get(item, "content");
    gint64 id = glint_json_int(item, "id", -1, &local);
    GlintAddedToken token = {.special = glint_json_bool(item, "special", FALSE, &local)};
    token.normalized = glint_json_bool(item, "normalized", !token.special, &local);
    token.single_word = glint_json_bool(item, "single_word", FALSE, &local);
    token.lstrip = glint_json_bool(item, "lstrip", FALSE, &local);
    token.rstrip = glint_json_bool(item, "rstrip", FALSE, &local);
    if (local) {
        g_propagate_prefixed_error(error, local, "added_tokens[%" G_GSIZE_FORMAT "]: ", number);
        return FALSE;
    }
    if (!json_is_string(content) || id < 0 || id > GLINT_MAX_TOKEN_ID)
        return glint_fail(error, GLINT_ERROR_FORMAT, "added_tokens[%" G_GSIZE_FORMAT "]: a \"content\" and an \"id\" from 0 to %d were expected", number,
                          GLINT_MAX_TOKEN_ID);
    const char *text = json_string_value(content);
    if (*text == '\0')
        return TRUE; /* upstream ignores these too */
    const GlintAddedToken *same_text = glint_added_tokens_by_text(self, text), *same_id = glint_added_tokens_by_id(self, (guint32)id);
    if (same_text || same_id)
        return glint_fail(error, GLINT_ERROR_FORMAT, "added_tokens[%" G_GSIZE_FORMAT "]: \"%s\" with id %" G_GINT64_FORMAT " clashes with \"%s\", id %u", number, text,
                          id, (same_text ? same_text : same_id)->content->str, (same_text ? same_text : same_id)->id);
    token.content = g_string_new(text);
    token.id = (guint32)id;
    g_array_append_val(self->tokens, token);
    g_hash_table_insert(self->by_id, GUINT_TO_POINTER(token.id), GUINT_TO_POINTER(self->tokens->len));
    g_hash_table_insert(self->by_text, token.content->str, GUINT_TO_POINTER(self->tokens->len));
    return TRUE;
}

/* Special tokens first: of two whose normal forms are equal, the special one counts. */
static gboolean fill_tries(GlintAddedTokens *self, const GlintNormalizer *normalizer, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (int special = 1; special >= 0; special--)
        for (guint k = 0; k < self->tokens->len; k++) {
            const GlintAddedToken *token = &g_array_index(self->tokens, GlintAddedToken, k);
            if (token->special != special)
                continue;
            g_string_assign(text, token->content->str);
            if (token->normalized && !glint_normalizer_apply(normalizer, text, FALSE, error))
                return FALSE;
            glint_trie_add(self->tries[token->normalized], text->str, text->len, (gint32)k);
        }
    return TRUE;
}

GlintAddedTokens *glint_added_tokens_new(const json_t *spec, const GlintNormalizer *normalizer, GError **error)
{
    g_autoptr(GlintAddedTokens) self = g_new0(GlintAddedTokens, 1);
    self->tokens = g_array_new(FALSE, FALSE, sizeof(GlintAddedToken));
    g_array_set_clear_func(self->tokens, token_clear);
    self->by_id = g_hash_table_new(NULL, NULL);
    self->by_text = g_hash_table_new(g_str_hash, g_str_equal);
    self->tries[0] = glint_trie_new();
    self->tries[1] = glint_trie_new();
    if (spec && !json_is_null(spec) && !json_is_array(spec)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "\"added_tokens\" must be a list");
        return NULL;
    }
    for (gsize i = 0; i < json_array_size(spec); i++)
        if (!read_token(self, json_array_get(spec, i), i, error))
            return NULL;
    return fill_tries(self, normalizer, error) ? g_steal_pointer(&self) : NULL;
}

void glint_added_tokens_free(GlintAddedTokens *self)
{
    if (!self)
        return;
    glint_trie_free(self->tries[0]);
    glint_trie_free(self->tries[1]);
    g_hash_table_unref(self->by_text);
    g_hash_table_unref(self->by_id);
    g_array_unref(self->tokens);
    g_free(self);
}

guint glint_added_tokens_n(const GlintAddedTokens *self) { return self->tokens->len; }

const GlintAddedToken *glint_added_tokens_nth(const GlintAddedTokens *self, guint k)
{
    return k < self->tokens->len ? &g_array_index(self->tokens, GlintAddedToken, k) : NULL;
}

const GlintAddedToken *glint_added_tokens_by_id(const GlintAddedTokens *self, guint32 id)
{
    return glint_added_tokens_nth(self, GPOINTER_TO_UINT(g_hash_table_lookup(self->by_id, GUINT_TO_POINTER(id))) - 1u);
}

const GlintAddedToken *glint_added_tokens_by_text(const GlintAddedTokens *self, const char *content)
{
    return glint_added_tokens_nth(self, GPOINTER_TO_UINT(g_hash_table_lookup(self->by_text, content)) - 1u);
}

/* ---- finding -------------------------------------------------------------------------------------------------------- */

static gboolean stands_alone(const char *text, gsize length, gsize start, gsize end)
{
    gunichar c = 0;
    if (start > 0 && glint_utf8_last(text, start, &c) > 0 && glint_char_is_word(c))
        return FALSE;
    return end == length || glint_utf8_next(text + end, length - end, &c) < 0 || !glint_char_is_word(c);
}

static void add_stretch(GArray *stretches, gsize start, gsize end, guint32 id)
{
    GlintStretch stretch = {start, end, id};
    g_array_append_val(stretches, stretch);
}

void glint_added_tokens_find(const GlintAddedTokens *self, gboolean normalized, const char *text, gsize length, GArray *stretches)
{
    const GlintTrie *trie = self->tries[normalized ? 1 : 0];
    gsize done = 0; /* all before is in a stretch */
    gint32 k = 0;
    if (glint_trie_empty(trie)) {
        if (length > 0)
            add_stretch(stretches, 0, length, GLINT_NO_TOKEN);
        return;
    }
    for (gsize i = 0, n; i < length; i += MAX(n, 1)) {
        n = glint_trie_longest(trie, text + i, length - i, &k);
        if (n == 0)
            continue;
        const GlintAddedToken *token = &g_array_index(self->tokens, GlintAddedToken, k);
        gsize start = i, end = i + n;
        if (token->single_word && !stands_alone(text, length, start, end))
            continue;
        if (token->lstrip)
            start = MAX(start - glint_utf8_trailing_space(text, start), done);
        if (token->rstrip)
            end += glint_utf8_leading_space(text + end, length - end);
        if (start > done)
            add_stretch(stretches, done, start, GLINT_NO_TOKEN);
        add_stretch(stretches, start, end, token->id);
        done = end;
    }
    if (done < length)
        add_stretch(stretches, done, length, GLINT_NO_TOKEN);
}
