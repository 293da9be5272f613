/* Byte-pair encoding as SentencePiece does it, from scores of pieces instead of a list of merges. Immutable after creation. */
#pragma once
#include "text/spm_model.h"
#include "text/vocabulary.h"

typedef struct GlintSpmBpe GlintSpmBpe;
typedef struct GlintSpmBpeScratch GlintSpmBpeScratch; /* working memory of one encoding thread */

/* `vocabulary` holds the pieces of `model` under their ids, and must outlive the result; `model` is only read. */
GlintSpmBpe *glint_spm_bpe_new(const GlintVocabulary *vocabulary, const GlintSpmModel *model);
void glint_spm_bpe_free(GlintSpmBpe *self);
/* Whether the model has unused pieces: what one becomes can depend on the whole text. */
gboolean glint_spm_bpe_has_unused(const GlintSpmBpe *self);

GlintSpmBpeScratch *glint_spm_bpe_scratch_new(void);
void glint_spm_bpe_scratch_free(GlintSpmBpeScratch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSpmBpeScratch, glint_spm_bpe_scratch_free)
/* Appends the ids of a normalized text (valid UTF-8) to `ids` (GArray of guint32). */
void glint_spm_bpe_encode(const GlintSpmBpe *self, const char *text, gsize length, GlintSpmBpeScratch *scratch, GArray *ids);
