/* A precompiled_charsmap of SentencePiece: strings and what to write in their place. Immutable. */
#pragma once
#include <glib.h>

typedef struct GlintCharsmap GlintCharsmap;

/* Copies `bytes`. */
GlintCharsmap *glint_charsmap_new(const void *bytes, gsize length, GError **error);
void glint_charsmap_free(GlintCharsmap *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintCharsmap, glint_charsmap_free)
/* The longest (or shortest) string of the map that `text` starts with: *consumed bytes, 0 when there is none; *replacement is what
 * stands for it, valid UTF-8. FALSE: the map is damaged. */
gboolean glint_charsmap_match(const GlintCharsmap *self, const char *text, gsize length, gboolean longest, gsize *consumed,
                              const char **replacement, GError **error);
