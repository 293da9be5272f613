/* The "normalizer" of tokenizer.json: a chain of text rewrites before anything is split. Immutable after creation. */
#pragma once
#include "text/spm_model.h"

#include <jansson.h>

typedef struct GlintNormalizer GlintNormalizer;

/* `spec` may be JSON null or NULL: nothing is changed. */
GlintNormalizer *glint_normalizer_new(const json_t *spec, GError **error);
/* A SentencePiece model's own normalizer (text/spm_normalize.h). */
GlintNormalizer *glint_normalizer_new_spm(const GlintSpmModel *model, gboolean every_stretch, GError **error);
void glint_normalizer_free(GlintNormalizer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintNormalizer, glint_normalizer_free)
/* Replaces `text` (valid UTF-8) by its normal form. `first`: it starts the text that is tokenized. */
gboolean glint_normalizer_apply(const GlintNormalizer *self, GString *text, gboolean first, GError **error);

/* Helper of all the readers of tokenizer.json: the kind of a component, NULL with *error when it is no object with a "type". */
const char *glint_component_type(const json_t *spec, const char *what, GError **error);
/* A kind that is not implemented: always FALSE. */
gboolean glint_component_refuse(const char *type, const char *what, const char *known, GError **error);
