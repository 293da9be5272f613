/* Matched sets of texts: taking, refusing, writing them. See synth.h. */
#include "synth/synth.h"
#include "base/error.h"
#include "base/random.h"
#include "base/talk.h"
#include "text/bag_of_words.h"

#include <string.h>

enum { LONGER_BY_WORDS = 5, TRIES_A_SET = 40 };

static void free_set(gpointer data)
{
    GlintSynthSet *set = data;
    g_strfreev(set->texts);
    g_free(set->frame);
    g_free(set->subject);
    g_free(set);
}

GlintSynthData *glint_synth_data_new(const GlintSynthTask *task, gboolean translated)
{
    GlintSynthData *self = g_new0(GlintSynthData, 1);
    self->name = g_strdup(task->name);
    self->n_labels = task->n_labels;
    self->labels = g_new0(char *, task->n_labels + 1);
    for (guint k = 0; k < task->n_labels; k++)
        self->labels[k] = g_strdup(task->labels[k]);
    self->translated = translated;
    self->sets = g_ptr_array_new_with_free_func(free_set);
    self->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    self->origin = json_object();
    return self;
}

void glint_synth_data_free(GlintSynthData *self)
{
    if (!self)
        return;
    g_free(self->name);
    g_strfreev(self->labels);
    g_ptr_array_unref(self->sets);
    g_hash_table_unref(self->seen);
    json_decref(self->origin);
    g_free(self);
}

/* ---- taking ---- */

static void append_word(const char *word, gsize length, gpointer data)
{
    GString *out = data;
    g_string_append_len(out, word, (gssize)length);
    g_string_append_c(out, ' ');
}

/* The words alone: two texts that differ in case, blanks or punctuation are one. */
static char *essence(const char *text)
{
    GString *out = g_string_new(NULL);
    glint_words_foreach(text, append_word, out);
    return g_string_free(out, FALSE);
}

static void count_word(const char *word, gsize length, gpointer data)
{
    (void)word;
    (void)length;
    ++*(gsize *)data;
}

/* A model that declines says so at the beginning. */
static gboolean is_refusal(const char *text)
{
    static const char *const starts[] = {"i'm sorry", "i’m sorry", "i am sorry, but", "sorry, but i", "i can't help", "i cannot help",
                                         "i can't assist", "i cannot assist", "i'm unable to", "as an ai"};
    g_autofree char *lower = g_utf8_strdown(text, -1);
    for (gsize k = 0; k < G_N_ELEMENTS(starts); k++)
        if (g_str_has_prefix(lower, starts[k]))
            return TRUE;
    return FALSE;
}

static GlintSynthVerdict judge(const GlintSynthData *self, const char *const *texts, char **essences)
{
    gsize least = G_MAXSIZE, most = 0;
    for (guint k = 0; k < self->n_labels; k++) {
        gsize words = 0;
        glint_words_foreach(texts[k], count_word, &words);
        if (words == 0)
            return GLINT_SYNTH_EMPTY;
        if (is_refusal(texts[k]))
            return GLINT_SYNTH_REFUSED;
        least = MIN(least, words);
        most = MAX(most, words);
    }
    for (guint k = 0; k < self->n_labels; k++)
        for (guint other = 0; other < k; other++)
            if (strcmp(essences[k], essences[other]) == 0)
                return GLINT_SYNTH_ALIKE;
    for (guint k = 0; k < self->n_labels; k++)
        if (g_hash_table_contains(self->seen, essences[k]))
            return GLINT_SYNTH_DUPLICATE;
    if (!self->translated && most > least + least / 2 + LONGER_BY_WORDS)
        return GLINT_SYNTH_UNMATCHED;
    return GLINT_SYNTH_TAKEN;
}

GlintSynthVerdict glint_synth_add(GlintSynthData *self, const char *const *texts, const char *frame, const char *subject)
{
    g_auto(GStrv) essences = g_new0(char *, self->n_labels + 1);
    for (guint k = 0; k < self->n_labels; k++)
        essences[k] = essence(texts[k]);
    GlintSynthVerdict verdict = judge(self, texts, essences);
    self->counts[verdict]++;
    if (verdict != GLINT_SYNTH_TAKEN)
        return verdict;
    GlintSynthSet *set = g_new0(GlintSynthSet, 1);
    set->texts = g_new0(char *, self->n_labels + 1);
    set->frame = g_strdup(frame);
    set->subject = g_strdup(subject);
    for (guint k = 0; k < self->n_labels; k++) {
        set->texts[k] = g_strstrip(g_strdup(texts[k]));
        g_hash_table_add(self->seen, g_steal_pointer(&essences[k]));
    }
    g_ptr_array_add(self->sets, set);
    return verdict;
}

const char *glint_synth_verdict_name(GlintSynthVerdict verdict)
{
    static const char *const names[] = {"taken", "empty", "alike", "duplicate", "unmatched", "refused"};
    return names[verdict];
}

/* ---- grammars ---- */

GlintSynthData *glint_synth_local(const GlintRecipe *recipe, gsize n, guint64 seed, GError **error)
{
    GlintSynthTask task = {recipe->name, recipe->labels, recipe->concepts, 2};
    g_autoptr(GlintSynthData) self = glint_synth_data_new(&task, recipe->translated);
    guint64 state = seed;
    for (gsize tries = 0; self->sets->len < n; tries++) {
        if (!glint_check_interrupt(error))
            return NULL;
        if (tries > TRIES_A_SET * (n + 1)) {
            glint_fail(error, GLINT_ERROR_DATA, "the grammar of recipe %s has given only %u different pairs; ask for fewer than %zu", recipe->name,
                       self->sets->len, n);
            return NULL;
        }
        GlintGrammarPair pair = glint_grammar_write(recipe, &state);
        glint_synth_add(self, (const char *const *)pair.texts, pair.frame, pair.subject);
        glint_grammar_pair_clear(&pair);
    }
    json_object_set_new(self->origin, "generator", json_string("local"));
    json_object_set_new(self->origin, "seed", json_integer((json_int_t)seed));
    return g_steal_pointer(&self);
}

/* ---- writing ---- */

static void write_line(FILE *out, const GlintSynthData *self, guint number, guint label)
{
    const GlintSynthSet *set = g_ptr_array_index(self->sets, number);
    g_autofree char *id = g_strdup_printf("%s-%05u-%s", self->name, number + 1, self->labels[label]);
    g_autoptr(json_t) row = json_pack("{s:s, s:s, s:s, s:i, s:s}", "id", id, "text", set->texts[label], "label", self->labels[label], "pair",
                                      (int)number + 1, "recipe", self->name);
    if (*set->subject)
        json_object_set_new(row, "subject", json_string(set->subject));
    if (*set->frame)
        json_object_set_new(row, "frame", json_string(set->frame));
    json_dumpf(row, out, JSON_COMPACT);
    fputc('\n', out);
}

gboolean glint_synth_write(const GlintSynthData *self, const char *path, GError **error)
{
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    for (guint k = 0; k < self->sets->len; k++)
        for (guint label = 0; label < self->n_labels; label++)
            write_line(glint_file_stream(file), self, k, label);
    return glint_file_commit(g_steal_pointer(&file), error);
}
