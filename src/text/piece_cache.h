/* The ids of short pieces that recur, shared between threads without a lock. */
#pragma once
#include <glib.h>

typedef struct GlintPieceCache GlintPieceCache;

GlintPieceCache *glint_piece_cache_new(void);
void glint_piece_cache_free(GlintPieceCache *self);
/* TRUE when the piece was there: its ids are appended to `ids` (GArray of guint32). *slot is where it belongs otherwise, NULL
 * when it is too long to be kept. */
gboolean glint_piece_cache_get(const GlintPieceCache *self, const char *piece, gsize length, gpointer **slot, GArray *ids);
void glint_piece_cache_put(gpointer *slot, const char *piece, gsize length, const guint32 *ids, gsize n);
