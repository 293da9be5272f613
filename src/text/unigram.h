/* Unigram language models (Kudo 2018): the most probable way to cut a text into tokens, by Viterbi's algorithm. Two flavours that
 * differ in arithmetic and in what becomes of unknown characters: Hugging Face's, and SentencePiece's own. Filled, then shared
 * freely between threads. */
#pragma once
#include "text/vocabulary.h"

typedef enum {
    GLINT_UNIGRAM_NORMAL,
    GLINT_UNIGRAM_USER_DEFINED, /* SentencePiece: scored so that it always wins */
    GLINT_UNIGRAM_OUTSIDE,      /* in the vocabulary, but never cut out of a text (control, unused) */
} GlintUnigramKind;

typedef struct {
    gboolean sentencepiece; /* else Hugging Face's */
    gboolean byte_fallback;
    gint64 unk; /* id; -1: none, then a text that needs it is an error */
} GlintUnigramOptions;

typedef struct GlintUnigram GlintUnigram;
typedef struct GlintUnigramScratch GlintUnigramScratch; /* working memory of one encoding thread */

/* `vocabulary` must be full, and outlive the result. */
GlintUnigram *glint_unigram_new(const GlintVocabulary *vocabulary, const GlintUnigramOptions *options);
void glint_unigram_free(GlintUnigram *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintUnigram, glint_unigram_free)
/* Log probability of the token `id` of the vocabulary; once for each. */
void glint_unigram_set(GlintUnigram *self, guint32 id, double score, GlintUnigramKind kind);

GlintUnigramScratch *glint_unigram_scratch_new(void);
void glint_unigram_scratch_free(GlintUnigramScratch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintUnigramScratch, glint_unigram_scratch_free)
/* Appends the ids of one piece (valid UTF-8) to `ids` (GArray of guint32). */
gboolean glint_unigram_encode(const GlintUnigram *self, const char *piece, gsize length, GlintUnigramScratch *scratch, GArray *ids, GError **error);
