/* The "pre_tokenizer" of tokenizer.json: cuts text into pieces that no merge crosses. Immutable after creation. */
#pragma once
#include <glib.h>
#include <jansson.h>

#define GLINT_NO_TOKEN G_MAXUINT32

typedef struct {
    gsize start, end; /* bytes of GlintPieces.text */
    guint32 id;       /* an added token already recognised, or GLINT_NO_TOKEN: text still to be tokenized */
    gboolean first;   /* starts where the text starts */
} GlintPiece;

typedef struct {
    GString *text;  /* all pieces' characters, valid UTF-8 */
    GArray *pieces; /* GlintPiece, in order */
} GlintPieces;

typedef struct GlintPretokenizer GlintPretokenizer;

/* `spec` may be JSON null or NULL: pieces stay whole. */
GlintPretokenizer *glint_pretokenizer_new(const json_t *spec, GError **error);
void glint_pretokenizer_free(GlintPretokenizer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintPretokenizer, glint_pretokenizer_free)
gboolean glint_pretokenizer_apply(const GlintPretokenizer *self, GlintPieces *pieces, GError **error);
/* Whether pieces are short words that recur, so that remembering their ids pays. */
gboolean glint_pretokenizer_splits(const GlintPretokenizer *self);
