/* The merging of byte-pair encoding, whatever says which neighbours may merge. Working memory of one thread. */
#pragma once
#include <glib.h>

typedef struct {
    guint32 id;            /* the caller's; G_MAXUINT32: no token */
    guint32 start, length; /* bytes; length 0: merged into its left neighbour */
    gint32 previous, next; /* indices, -1: none */
    gboolean frozen;       /* the caller's: takes part in no merge */
} GlintSymbol;

typedef struct {
    GArray *symbols; /* GlintSymbol */
    GArray *heap;
} GlintSymbols;

/* Whether two neighbours merge, and at what rank and into which token. */
typedef gboolean (*GlintMergeFind)(gconstpointer rules, const GlintSymbol *left, const GlintSymbol *right, guint32 *rank, guint32 *id);

void glint_symbols_init(GlintSymbols *self);
void glint_symbols_clear(GlintSymbols *self);
void glint_symbols_reset(GlintSymbols *self);
void glint_symbols_add(GlintSymbols *self, guint32 id, guint32 length, gboolean frozen);
/* Joins the pair of lowest rank (leftmost on ties) until none is left. */
void glint_symbols_merge(GlintSymbols *self, GlintMergeFind find, gconstpointer rules);
