/* Splitting a data set into texts that the graphs know and texts that they do not. See steer_texts.h. */
#include "cli/steer_texts.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"

#include <string.h>

enum { LEAST_HELD_OUT = 8, CHOOSING = 32 };

void glint_steer_split_free(GlintSteerSplit *self)
{
    if (!self)
        return;
    glint_steer_texts_free(self->prompts);
    glint_steer_texts_free(self->choosing);
    glint_steer_texts_free(self->neutral);
    glint_steer_texts_free(self->training[0]);
    glint_steer_texts_free(self->training[1]);
    if (self->prompt_text)
        g_array_unref(self->prompt_text);
    if (self->prompt_class)
        g_array_unref(self->prompt_class);
    g_free(self);
}

static const GlintText *text_at(const GlintDataset *data, gsize k) { return &g_array_index(data->texts, GlintText, k); }

static int label_of(const GlintDataset *data, const char *name)
{
    for (guint c = 0; c < data->classes->len; c++)
        if (strcmp(g_ptr_array_index(data->classes, c), name) == 0)
            return (int)c;
    return -1;
}

/* Always FALSE, and an error that lists the classes there are. */
static gboolean fail_no_class(const GlintDataset *data, const char *name, GError **error)
{
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint c = 0; c < data->classes->len; c++)
        g_string_append_printf(names, "%s%s", c > 0 ? ", " : "", (const char *)g_ptr_array_index(data->classes, c));
    return glint_fail(error, GLINT_ERROR_USAGE, "the data set has no class '%s'; it has %s", name, names->str);
}

/* How texts become tokens, and what stands behind a prompt. */
typedef struct { const GlintTokenizer *tokenizer; const GlintChat *chat; const char *suffix; gint64 lead; } Reader;

/* A text cut to `most` tokens, as the user's turn of the chat. */
static gboolean encode_turn(const Reader *reader, const char *text, gsize most, GArray *ids, GError **error)
{
    g_autoptr(GArray) plain = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!glint_tokenizer_encode(reader->tokenizer, text, -1, FALSE, plain, error))
        return FALSE;
    g_autofree char *cut = glint_tokenizer_decode(reader->tokenizer, (const guint32 *)(void *)plain->data, MIN(plain->len, most), TRUE);
    return glint_text_encode(reader->tokenizer, reader->chat, cut, -1, TRUE, ids, error);
}

/* A text's tokens, at most `most`; a prompt's go on with the suffix. Texts of fewer than `least` are passed over. */
static gboolean add_text(GlintSteerTexts *into, const Reader *reader, const char *text, gsize most, gboolean prompt, gsize least, GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (reader->chat ? !encode_turn(reader, text, most, ids, error) : !glint_tokenizer_encode(reader->tokenizer, text, -1, TRUE, ids, error))
        return FALSE;
    if (!reader->chat && ids->len > most)
        g_array_set_size(ids, (guint)most);
    if (ids->len < least)
        return TRUE;
    if (prompt && reader->suffix && !glint_tokenizer_encode(reader->tokenizer, reader->suffix, -1, FALSE, ids, error))
        return FALSE;
    if (prompt && reader->lead >= 0) {
        const guint32 blank = (guint32)reader->lead;
        g_array_append_val(ids, blank);
    }
    glint_steer_texts_add(into, (const guint32 *)(void *)ids->data, ids->len);
    return TRUE;
}

/* Numbers of the texts of one class. */
static GArray *numbers_of(const GlintDataset *data, int label, GHashTable *used, gboolean held)
{
    GArray *numbers = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint k = 0; k < data->texts->len; k++)
        if (text_at(data, k)->label == label && (!used || g_hash_table_contains(used, text_at(data, k)->text) != held))
            g_array_append_val(numbers, k);
    return numbers;
}

/* Prompts first, evenly from the two classes; neutral texts from what is left. */
static gboolean add_held_out(GlintSteerSplit *self, const Reader *reader, const GlintDataset *all, GArray *const held[2], const GlintSteerTextOptions *options, GError **error)
{
    gsize taken[2] = {0, 0};
    const gsize least = self->skip + 2;
    for (gsize k = 0; k < options->n_prompts; k++) {
        const int side = (int)(k % 2);
        const gsize before = glint_steer_texts_count(self->prompts);
        while (taken[side] < held[side]->len / 2 + 1 && taken[side] < held[side]->len && glint_steer_texts_count(self->prompts) == before) {
            const guint number = g_array_index(held[side], guint, taken[side]++);
            if (!add_text(self->prompts, reader, text_at(all, number)->text, options->prompt_tokens, TRUE, least, error))
                return FALSE;
            if (glint_steer_texts_count(self->prompts) > before) {
                g_array_append_val(self->prompt_text, number);
                g_array_append_val(self->prompt_class, side);
            }
        }
    }
    for (gsize k = 0; !options->neutral && glint_steer_texts_count(self->neutral) < options->n_neutral && k < held[0]->len + held[1]->len; k++) {
        const int side = (int)(k % 2);
        if (taken[side] < held[side]->len &&
            !add_text(self->neutral, reader, text_at(all, g_array_index(held[side], guint, taken[side]++))->text, options->neutral_tokens, FALSE, least, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean add_training(GlintSteerSplit *self, const Reader *reader, const GlintDataset *used, const int label[2], const GlintSteerTextOptions *options, GError **error)
{
    for (int side = 0; side < 2; side++) {
        g_autoptr(GArray) numbers = numbers_of(used, label[side], NULL, FALSE);
        const gsize n = MIN(numbers->len, options->n_training);
        for (gsize k = 0; k < n; k++) {
            const char *text = text_at(used, g_array_index(numbers, guint, k * numbers->len / n))->text;
            if (!add_text(self->training[side], reader, text, options->max_tokens, FALSE, self->skip + 1, error) ||
                (k < CHOOSING / 2 && !add_text(self->choosing, reader, text, options->prompt_tokens, TRUE, self->skip + 2, error)))
                return FALSE;
        }
    }
    return TRUE;
}

static gboolean add_neutral_file(GlintSteerSplit *self, const Reader *reader, const GlintSteerTextOptions *options, GError **error)
{
    g_autoptr(GMappedFile) file = glint_map_file(options->neutral, error);
    if (!file)
        return FALSE;
    g_autofree char *content = g_strndup(g_mapped_file_get_contents(file), g_mapped_file_get_length(file));
    g_auto(GStrv) lines = g_strsplit(content, "\n", -1);
    for (char **line = lines; *line && glint_steer_texts_count(self->neutral) < options->n_neutral; line++)
        if (*g_strstrip(*line) && !add_text(self->neutral, reader, *line, options->neutral_tokens, FALSE, self->skip + 2, error))
            return FALSE;
    return glint_steer_texts_count(self->neutral) > 0 || glint_fail(error, GLINT_ERROR_DATA, "%s holds no line of text that is long enough to measure side effects on", options->neutral);
}

GlintSteerSplit *glint_steer_split(const GlintTokenizer *tokenizer, const GlintChat *chat, const GlintDataset *used, const GlintDataset *all, const char *towards, const char *away,
                                   const GlintSteerTextOptions *options, GError **error)
{
    const char *const names[2] = {towards, away};
    const Reader reader = {tokenizer, chat, options->suffix, glint_steer_words_lead(tokenizer)};
    g_autoptr(GlintSteerSplit) self = g_new0(GlintSteerSplit, 1);
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal); /* by text: the same text under two ids is no new text */
    g_autoptr(GArray) first = NULL, second = NULL;
    GArray **held_of[2] = {&first, &second}, *held[2];
    int label[2];
    for (guint k = 0; k < used->texts->len; k++)
        g_hash_table_add(known, text_at(used, k)->text);
    self->prompts = glint_steer_texts_new();
    self->choosing = glint_steer_texts_new();
    self->neutral = glint_steer_texts_new();
    self->prompt_text = g_array_new(FALSE, FALSE, sizeof(guint));
    self->prompt_class = g_array_new(FALSE, FALSE, sizeof(int));
    self->n_used = used->texts->len;
    self->skip = glint_text_n_prefix(tokenizer, chat);
    for (int side = 0; side < 2; side++) {
        self->training[side] = glint_steer_texts_new();
        label[side] = label_of(used, names[side]);
        const int in_all = label_of(all, names[side]);
        if (label[side] < 0 || in_all < 0) {
            fail_no_class(label[side] < 0 ? used : all, names[side], error);
            return NULL;
        }
        held[side] = *held_of[side] = numbers_of(all, in_all, known, TRUE);
        self->n_held_out += held[side]->len;
        if (held[side]->len < LEAST_HELD_OUT) {
            glint_fail(error, GLINT_ERROR_DATA, "only %u texts of class '%s' were not used for the graphs, and effects are measured on others than those: run again with "
                       "--max-samples N (fewer than there are), or give other texts of the same classes with --held-out", held[side]->len, names[side]);
            return NULL;
        }
    }
    if (!add_held_out(self, &reader, all, held, options, error) || !add_training(self, &reader, used, label, options, error) ||
        (options->neutral && !add_neutral_file(self, &reader, options, error)))
        return NULL;
    return g_steal_pointer(&self);
}

GlintSteerTexts *glint_steer_held_out(const GlintTokenizer *tokenizer, const GlintChat *chat, const GlintDataset *used, const GlintDataset *all, const char *class_name, gsize n, gsize max_tokens, GError **error)
{
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GlintSteerTexts) texts = glint_steer_texts_new();
    const Reader reader = {tokenizer, chat, NULL, -1};
    const int label = label_of(all, class_name);
    if (label < 0) {
        fail_no_class(all, class_name, error);
        return NULL;
    }
    for (guint k = 0; k < used->texts->len; k++)
        g_hash_table_add(known, text_at(used, k)->text);
    g_autoptr(GArray) numbers = numbers_of(all, label, known, TRUE);
    for (guint k = 0; k < numbers->len && glint_steer_texts_count(texts) < n; k++)
        if (!add_text(texts, &reader, text_at(all, g_array_index(numbers, guint, k))->text, max_tokens, FALSE, glint_text_n_prefix(tokenizer, chat) + 2, error))
            return NULL;
    if (glint_steer_texts_count(texts) >= LEAST_HELD_OUT)
        return g_steal_pointer(&texts);
    glint_fail(error, GLINT_ERROR_DATA, "only %zu texts of class '%s' were not used for the graphs, and effects are measured on others than those: run again with "
               "--max-samples N (fewer than there are), or give other texts of the same classes with --held-out", glint_steer_texts_count(texts), class_name);
    return NULL;
}
