/* The "normalizer" of tokenizer.json: a chain of text rewrites before anything is split. Immutable after creation. */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef struct GlintNormalizer GlintNormalizer;

/* `spec` may be JSON null or NULL: nothing is changed. */
GlintNormalizer *glint_normalizer_new(const json_t *spec, GError **error);
void glint_normalizer_free(GlintNormalizer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintNormalizer, glint_normalizer_free)
/* Replaces `text` (valid UTF-8) by its normal form. */
gboolean glint_normalizer_apply(const GlintNormalizer *self, GString *text, GError **error);

/* Helper of all the readers of tokenizer.json: the kind of a component, NULL with *error when it is no object with a "type". */
const char *glint_component_type(const json_t *spec, const char *what, GError **error);
/* A kind that is not implemented: always FALSE. */
gboolean glint_component_refuse(const char *type, const char *what, const char *known, GError **error);
