/* The "decoder" of tokenizer.json: tokens back to text. Immutable after creation. */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef struct GlintDecoder GlintDecoder;

/* `spec` may be JSON null or NULL: tokens are then joined with spaces, as upstream. */
GlintDecoder *glint_decoder_new(const json_t *spec, GError **error);
void glint_decoder_free(GlintDecoder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintDecoder, glint_decoder_free)
/* `tokens`: GString*, each rewritten; the result is valid UTF-8. */
GString *glint_decoder_apply(const GlintDecoder *self, GPtrArray *tokens, GError **error);
