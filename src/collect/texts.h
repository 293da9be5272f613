/* The tokens of a class's texts and how each token is spelled: what examples are shown with, and what shards leave for the merge, which
 * has neither model nor data. On disk, in one folder:
 *   texts.jsonl       {"text": 12, "id": "train/pos/0_9.txt", "tokens": [2, 1596, ...]}, ascending by number
 *   vocabulary.json   {"1596": " This", ...}: the tokens that occur */
#pragma once
#include "text/tokenizer.h"
#include <glib.h>

typedef struct {
    guint32 number;        /* in the data set */
    char *id;
    const guint32 *tokens; /* n; BOS included, cut at the run's --max-tokens */
    gsize n;
    guint32 *owned;        /* `tokens`, when they are the table's own */
} GlintTextTokens;

typedef struct GlintTexts GlintTexts;
GlintTexts *glint_texts_new(void);
void glint_texts_free(GlintTexts *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintTexts, glint_texts_free)
/* Borrows `tokens`. Texts may come in any order; numbers must differ. */
void glint_texts_add(GlintTexts *self, guint32 number, const char *id, const guint32 *tokens, gsize n);
/* Spells every token that occurs and has no spelling yet. */
gboolean glint_texts_spell(GlintTexts *self, const GlintTokenizer *tokenizer, GError **error);
/* Takes the texts and spellings out of `other`, which is left empty. An error names a text that both have. */
gboolean glint_texts_merge(GlintTexts *self, GlintTexts *other, GError **error);

/* Sorts when needed: not while another thread reads. */
void glint_texts_sort(GlintTexts *self);
/* After sorting. NULL when there is no such text. */
const GlintTextTokens *glint_texts_find(const GlintTexts *self, guint32 number);
const char *glint_texts_spelling(const GlintTexts *self, guint32 token); /* as a quoted JSON string; "\"\"" when unknown */

gboolean glint_texts_exist(const char *folder);
gboolean glint_texts_save(GlintTexts *self, const char *folder, GError **error);
GlintTexts *glint_texts_load(const char *folder, GError **error);

/* How a token is spelled inside a text, its leading blank included: what it adds when decoded behind another token. */
typedef struct {
    const GlintTokenizer *tokenizer;
    gboolean has_anchor;
    guint32 anchor;
    gsize anchor_length; /* bytes of the anchor's text */
} GlintSpeller;
gboolean glint_speller_init(GlintSpeller *self, const GlintTokenizer *tokenizer, GError **error);
char *glint_speller_spell(const GlintSpeller *self, guint32 token);            /* free with g_free; valid UTF-8 */
gboolean glint_speller_is_punctuation(const GlintSpeller *self, guint32 token); /* what --pool punct takes: see docs/collect.md */
