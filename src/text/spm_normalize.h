/* How SentencePiece normalizes a text before it cuts it. Immutable after creation. */
#pragma once
#include "text/spm_model.h"

typedef struct GlintSpmNormalizer GlintSpmNormalizer;

/* Copies what it needs of `model`. `every_stretch`: the dummy prefix is put before each stretch between added tokens, as SentencePiece
 * does it; else only before one that starts the text, and not with a space. */
GlintSpmNormalizer *glint_spm_normalizer_new(const GlintSpmModel *model, gboolean every_stretch, GError **error);
void glint_spm_normalizer_free(GlintSpmNormalizer *self);
/* Appends the normal form of `text` (valid UTF-8) to `out`. `first`: the stretch starts the text. */
gboolean glint_spm_normalizer_apply(const GlintSpmNormalizer *self, const char *text, gsize length, gboolean first, GString *out, GError **error);
