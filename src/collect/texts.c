/* Tokens and spellings of a class's texts. See texts.h for files and ownership.
 *
 * A tokenizer decodes sequences, not tokens: SentencePiece's drops the blank of a first token. So a token is spelled by what it adds behind
 * an anchor, the token of "a". */
#include "collect/texts.h"
#include "base/error.h"
#include "base/files.h"
#include "text/tokenizer_utf8.h"
#include <errno.h>
#include <string.h>

struct GlintTexts {
    GArray *texts;         /* GlintTextTokens */
    gboolean sorted;
    GHashTable *spellings; /* token -> quoted JSON string */
};

static void clear_text(gpointer data)
{
    GlintTextTokens *text = data;
    g_free(text->id);
    g_free(text->owned);
}

GlintTexts *glint_texts_new(void)
{
    GlintTexts *self = g_new0(GlintTexts, 1);
    self->texts = g_array_new(FALSE, FALSE, sizeof(GlintTextTokens));
    g_array_set_clear_func(self->texts, clear_text);
    self->sorted = TRUE;
    self->spellings = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free);
    return self;
}

void glint_texts_free(GlintTexts *self)
{
    if (!self)
        return;
    g_array_unref(self->texts);
    g_hash_table_unref(self->spellings);
    g_free(self);
}

void glint_texts_add(GlintTexts *self, guint32 number, const char *id, const guint32 *tokens, gsize n)
{
    GlintTextTokens text = {number, g_strdup(id), tokens, n, NULL};
    g_array_append_val(self->texts, text);
    self->sorted = FALSE;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    guint32 x = ((const GlintTextTokens *)a)->number, y = ((const GlintTextTokens *)b)->number;
    return x < y ? -1 : x > y;
}

void glint_texts_sort(GlintTexts *self)
{
    if (!self->sorted)
        g_array_sort(self->texts, by_number);
    self->sorted = TRUE;
}

static GlintTextTokens *text_at(const GlintTexts *self, guint k) { return &g_array_index(self->texts, GlintTextTokens, k); }

const GlintTextTokens *glint_texts_find(const GlintTexts *self, guint32 number)
{
    GlintTextTokens wanted = {.number = number};
    guint at;
    return g_array_binary_search(self->texts, &wanted, by_number, &at) ? text_at(self, at) : NULL;
}

const char *glint_texts_spelling(const GlintTexts *self, guint32 token)
{
    const char *spelling = g_hash_table_lookup(self->spellings, GUINT_TO_POINTER(token));
    return spelling ? spelling : "\"\"";
}

gboolean glint_texts_merge(GlintTexts *self, GlintTexts *other, GError **error)
{
    GHashTableIter iter;
    gpointer token, spelling;
    g_hash_table_iter_init(&iter, other->spellings);
    while (g_hash_table_iter_next(&iter, &token, &spelling)) {
        g_hash_table_iter_steal(&iter);
        g_hash_table_replace(self->spellings, token, spelling);
    }
    g_array_append_vals(self->texts, other->texts->data, other->texts->len);
    g_array_set_clear_func(other->texts, NULL); /* they are ours now */
    g_array_set_size(other->texts, 0);
    g_array_set_clear_func(other->texts, clear_text);
    self->sorted = FALSE;
    glint_texts_sort(self);
    for (guint k = 1; k < self->texts->len; k++)
        if (text_at(self, k)->number == text_at(self, k - 1)->number)
            return glint_fail(error, GLINT_ERROR_DATA, "text %s is in both", text_at(self, k)->id);
    return TRUE;
}

/* ---- spelling ---- */

gboolean glint_speller_init(GlintSpeller *self, const GlintTokenizer *tokenizer, GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    *self = (GlintSpeller){.tokenizer = tokenizer};
    if (!glint_tokenizer_encode(tokenizer, "a", 1, FALSE, ids, error))
        return FALSE;
    if (ids->len > 0) {
        self->anchor = g_array_index(ids, guint32, ids->len - 1);
        g_autofree char *text = glint_tokenizer_decode(tokenizer, &self->anchor, 1, FALSE);
        self->anchor_length = strlen(text);
        self->has_anchor = TRUE;
    }
    return TRUE;
}

char *glint_speller_spell(const GlintSpeller *self, guint32 token)
{
    guint32 pair[2] = {self->anchor, token};
    char *text = self->has_anchor ? glint_tokenizer_decode(self->tokenizer, pair, 2, FALSE) : glint_tokenizer_decode(self->tokenizer, &token, 1, FALSE);
    gsize skip = self->has_anchor ? MIN(self->anchor_length, strlen(text)) : 0;
    memmove(text, text + skip, strlen(text + skip) + 1);
    return text;
}

gboolean glint_speller_is_punctuation(const GlintSpeller *self, guint32 token)
{
    g_autofree char *text = glint_speller_spell(self, token);
    gboolean any = FALSE;
    if (glint_tokenizer_is_special(self->tokenizer, token))
        return FALSE;
    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        gunichar character = g_utf8_get_char(c);
        if (glint_char_is_space(character))
            continue;
        if (!glint_char_is_punctuation(character))
            return FALSE;
        any = TRUE;
    }
    return any;
}

static char *quoted(const char *text)
{
    g_autoptr(json_t) string = json_string(text);
    return string ? json_dumps(string, JSON_ENCODE_ANY) : g_strdup("\"\"");
}

gboolean glint_texts_spell(GlintTexts *self, const GlintTokenizer *tokenizer, GError **error)
{
    GlintSpeller speller;
    if (!glint_speller_init(&speller, tokenizer, error))
        return FALSE;
    for (guint k = 0; k < self->texts->len; k++)
        for (gsize t = 0; t < text_at(self, k)->n; t++) {
            gpointer token = GUINT_TO_POINTER(text_at(self, k)->tokens[t]);
            if (g_hash_table_contains(self->spellings, token))
                continue;
            g_autofree char *text = glint_speller_spell(&speller, GPOINTER_TO_UINT(token));
            g_hash_table_insert(self->spellings, token, quoted(text));
        }
    return TRUE;
}

/* ---- files ---- */

static char *texts_path(const char *folder) { return g_build_filename(folder, "texts.jsonl", NULL); }
static char *vocabulary_path(const char *folder) { return g_build_filename(folder, "vocabulary.json", NULL); }

gboolean glint_texts_exist(const char *folder)
{
    g_autofree char *texts = texts_path(folder), *vocabulary = vocabulary_path(folder);
    return g_file_test(texts, G_FILE_TEST_EXISTS) && g_file_test(vocabulary, G_FILE_TEST_EXISTS);
}

static gint by_value(gconstpointer a, gconstpointer b)
{
    guint x = GPOINTER_TO_UINT(a), y = GPOINTER_TO_UINT(b);
    return x < y ? -1 : x > y;
}

static gboolean save_vocabulary(const GlintTexts *self, const char *folder, GError **error)
{
    g_autofree char *path = vocabulary_path(folder);
    g_autoptr(GList) tokens = g_list_sort(g_hash_table_get_keys(self->spellings), by_value);
    GlintFile *file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fputs("{", out);
    for (GList *token = tokens; token; token = token->next)
        fprintf(out, "%s\n\"%u\": %s", token == tokens ? "" : ",", GPOINTER_TO_UINT(token->data), glint_texts_spelling(self, GPOINTER_TO_UINT(token->data)));
    fputs("\n}\n", out);
    return glint_file_commit(file, error);
}

gboolean glint_texts_save(GlintTexts *self, const char *folder, GError **error)
{
    g_autofree char *path = texts_path(folder);
    GlintFile *file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    glint_texts_sort(self);
    for (guint k = 0; k < self->texts->len; k++) {
        const GlintTextTokens *text = text_at(self, k);
        g_autofree char *id = quoted(text->id);
        fprintf(out, "{\"text\": %u, \"id\": %s, \"tokens\": [", text->number, id);
        for (gsize t = 0; t < text->n; t++)
            fprintf(out, "%s%u", t > 0 ? "," : "", text->tokens[t]);
        fputs("]}\n", out);
    }
    return glint_file_commit(file, error) && save_vocabulary(self, folder, error);
}

static gboolean parse_text(GlintTexts *self, const json_t *root)
{
    const json_t *number = json_object_get(root, "text"), *tokens = json_object_get(root, "tokens");
    const char *id = json_string_value(json_object_get(root, "id"));
    if (!id || !json_is_integer(number) || json_integer_value(number) < 0 || json_integer_value(number) > G_MAXINT32 || !json_is_array(tokens))
        return FALSE;
    gsize n = json_array_size(tokens);
    GlintTextTokens text = {(guint32)json_integer_value(number), g_strdup(id), NULL, n, g_new(guint32, n + 1)};
    text.tokens = text.owned;
    g_array_append_val(self->texts, text);
    for (gsize t = 0; t < n; t++) {
        const json_t *token = json_array_get(tokens, t);
        if (!json_is_integer(token) || json_integer_value(token) < 0 || json_integer_value(token) > G_MAXINT32)
            return FALSE;
        text.owned[t] = (guint32)json_integer_value(token);
    }
    return TRUE;
}

static gboolean load_texts(GlintTexts *self, const char *path, GError **error)
{
    FILE *in = fopen(path, "r");
    if (!in)
        return glint_fail(error, GLINT_ERROR_IO, "cannot read %s: %s", path, g_strerror(errno));
    char *line = NULL;
    size_t room = 0;
    gsize number = 0;
    gboolean good = TRUE;
    for (ssize_t length; good && (length = getline(&line, &room, in)) >= 0;) {
        g_autoptr(json_t) root = json_loadb(line, (size_t)length, JSON_REJECT_DUPLICATES, NULL);
        number++;
        good = root && parse_text(self, root);
    }
    free(line);
    fclose(in);
    return good || glint_fail(error, GLINT_ERROR_FORMAT, "%s: line %zu is not a text with \"text\", \"id\" and \"tokens\"; collect it again", path, number);
}

static gboolean load_vocabulary(GlintTexts *self, const char *path, GError **error)
{
    g_autoptr(json_t) root = glint_json_read(path, error);
    const char *key;
    json_t *value;
    if (!root)
        return FALSE;
    json_object_foreach(root, key, value) {
        guint64 token;
        if (!json_is_string(value) || !g_ascii_string_to_unsigned(key, 10, 0, G_MAXUINT32, &token, NULL))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: \"%s\" is not a token's number with its spelling; collect it again", path, key);
        g_hash_table_insert(self->spellings, GUINT_TO_POINTER((guint)token), quoted(json_string_value(value)));
    }
    return TRUE;
}

GlintTexts *glint_texts_load(const char *folder, GError **error)
{
    g_autofree char *texts = texts_path(folder), *vocabulary = vocabulary_path(folder);
    g_autoptr(GlintTexts) self = glint_texts_new();
    if (!load_texts(self, texts, error) || !load_vocabulary(self, vocabulary, error))
        return NULL;
    self->sorted = FALSE;
    glint_texts_sort(self);
    for (guint k = 1; k < self->texts->len; k++)
        if (text_at(self, k)->number == text_at(self, k - 1)->number) {
            glint_fail(error, GLINT_ERROR_FORMAT, "%s: text %u is in it twice; collect it again", texts, text_at(self, k)->number);
            return NULL;
        }
    return g_steal_pointer(&self);
}
