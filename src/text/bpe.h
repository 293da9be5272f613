/* Byte-pair encoding: vocabulary, merges, and the merging itself. Filled through the add functions, then sealed; from then
 * on shared freely between threads. */
#pragma once
#include <glib.h>

enum { GLINT_MAX_TOKEN_ID = (1 << 22) - 1 }; /* far above any vocabulary in use; bounds what a lying file can allocate */

typedef struct {
    const char *continuing_prefix, *word_suffix; /* NULL or "": none; copied */
    const char *unk_token;                       /* NULL: characters without a token are dropped, as upstream; copied */
    gboolean fuse_unk, byte_fallback, ignore_merges;
    gboolean cache; /* remember the ids of short pieces */
} GlintBpeOptions;

typedef struct GlintBpe GlintBpe;
typedef struct GlintBpeScratch GlintBpeScratch; /* working memory of one encoding thread */

GlintBpe *glint_bpe_new(const GlintBpeOptions *options);
void glint_bpe_free(GlintBpe *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintBpe, glint_bpe_free)
gboolean glint_bpe_add_token(GlintBpe *self, const char *token, gsize length, gint64 id, GError **error);
/* In order of rank, after all tokens. */
gboolean glint_bpe_add_merge(GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length, GError **error);
/* Whether both sides and what they make are tokens. */
gboolean glint_bpe_can_merge(const GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length);
void glint_bpe_seal(GlintBpe *self);

gsize glint_bpe_size(const GlintBpe *self);                                        /* largest id + 1 */
gsize glint_bpe_n_tokens(const GlintBpe *self);
const char *glint_bpe_token(const GlintBpe *self, guint32 id, gsize *length);      /* NULL if no such id */
gint64 glint_bpe_id(const GlintBpe *self, const char *token, gsize length);        /* -1 if absent */

GlintBpeScratch *glint_bpe_scratch_new(void);
void glint_bpe_scratch_free(GlintBpeScratch *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintBpeScratch, glint_bpe_scratch_free)
/* Appends the ids of one piece (valid UTF-8) to `ids` (GArray of guint32). */
gboolean glint_bpe_encode(const GlintBpe *self, const char *piece, gsize length, GlintBpeScratch *scratch, GArray *ids, GError **error);
