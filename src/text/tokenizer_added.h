/* The added tokens of tokenizer.json, and where they occur in a text. Immutable once sealed. */
#pragma once
#include "text/normalize.h"

typedef struct {
    GString *content;
    guint32 id;
    gboolean special, normalized, single_word, lstrip, rstrip;
} GlintAddedToken;

typedef struct GlintAddedTokens GlintAddedTokens;

/* A stretch of a text: an added token, or (id GLINT_NO_TOKEN) what lies between. */
typedef struct {
    gsize start, end;
    guint32 id;
} GlintStretch;

/* `spec` may be JSON null or NULL: none. Normalized tokens are looked for in their normal form. */
GlintAddedTokens *glint_added_tokens_new(const json_t *spec, const GlintNormalizer *normalizer, GError **error);
void glint_added_tokens_free(GlintAddedTokens *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintAddedTokens, glint_added_tokens_free)

guint glint_added_tokens_n(const GlintAddedTokens *self);
const GlintAddedToken *glint_added_tokens_nth(const GlintAddedTokens *self, guint k);
const GlintAddedToken *glint_added_tokens_by_id(const GlintAddedTokens *self, guint32 id);
const GlintAddedToken *glint_added_tokens_by_text(const GlintAddedTokens *self, const char *content);
/* Appends the stretches of `text` (GArray of GlintStretch), looking for the tokens that are normalized or for the others. */
void glint_added_tokens_find(const GlintAddedTokens *self, gboolean normalized, const char *text, gsize length, GArray *stretches);
