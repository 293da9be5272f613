/* Byte-pair encoding with a list of merges, as Hugging Face's BPE model does it. Filled with merges, then sealed; from then on
 * shared freely between threads. */
#pragma once
#include "text/vocabulary.h"

typedef struct {
    const char *continuing_prefix, *word_suffix; /* NULL or "": none; copied */
    const char *unk_token;                       /* NULL: characters without a token are dropped, as upstream; copied */
    gboolean fuse_unk, byte_fallback;
} GlintBpeOptions;

typedef struct GlintBpe GlintBpe;
typedef struct GlintBpeScratch GlintBpeScratch; /* working memory of one encoding thread */

/* `vocabulary` must be full, and outlive the result. */
GlintBpe *glint_bpe_new(const GlintVocabulary *vocabulary, const GlintBpeOptions *options);
void glint_bpe_free(GlintBpe *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintBpe, glint_bpe_free)
/* Room for `n` merges without growing. */
void glint_bpe_reserve(GlintBpe *self, gsize n);
/* In order of rank. What is wrong with a merge may be reported by a later call, or by glint_bpe_seal. */
gboolean glint_bpe_add_merge(GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length, GError **error);
/* Whether both sides and what they make are tokens. */
gboolean glint_bpe_can_merge(const GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length);
gboolean glint_bpe_seal(GlintBpe *self, GError **error);
/* Whether two parts of a piece that no token spans may be encoded one by one: not where a character's affixes depend on its place,
 * nor where characters can vanish between two others. */
gboolean glint_bpe_may_cut(const GlintBpe *self);

GlintBpeScratch *glint_bpe_scratch_new(void);
void glint_bpe_scratch_free(GlintBpeScratch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintBpeScratch, glint_bpe_scratch_free)
/* Appends the ids of one piece (valid UTF-8) to `ids` (GArray of guint32). */
gboolean glint_bpe_encode(const GlintBpe *self, const char *piece, gsize length, GlintBpeScratch *scratch, GArray *ids, GError **error);
