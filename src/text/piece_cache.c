/* A table of pointers that are set once, by compare-and-exchange, and never replaced: readers need no lock, and what a piece
 * becomes does not depend on who came first. */
#include "text/piece_cache.h"

#include "text/vocabulary.h"

#include <string.h>

enum { N_SLOTS = 1 << 16, MAX_LENGTH = 64 };

typedef struct {
    guint32 length, n; /* bytes of text, ids */
    guint32 ids[];     /* followed by the text */
} Cached;

struct GlintPieceCache {
    gpointer slots[N_SLOTS]; /* Cached* */
};

GlintPieceCache *glint_piece_cache_new(void) { return g_new0(GlintPieceCache, 1); }

void glint_piece_cache_free(GlintPieceCache *self)
{
    for (gsize i = 0; self && i < N_SLOTS; i++)
        g_free(self->slots[i]);
    g_free(self);
}

gboolean glint_piece_cache_get(const GlintPieceCache *self, const char *piece, gsize length, gpointer **slot, GArray *ids)
{
    *slot = NULL;
    if (length > MAX_LENGTH)
        return FALSE;
    *slot = (gpointer *)&self->slots[glint_text_hash(piece, length) % N_SLOTS];
    const Cached *hit = g_atomic_pointer_get(*slot);
    if (!hit || hit->length != length || memcmp(&hit->ids[hit->n], piece, length) != 0)
        return FALSE;
    g_array_append_vals(ids, hit->ids, hit->n);
    return TRUE;
}

void glint_piece_cache_put(gpointer *slot, const char *piece, gsize length, const guint32 *ids, gsize n)
{
    if (g_atomic_pointer_get(slot) != NULL)
        return;
    Cached *entry = g_malloc(sizeof *entry + n * sizeof(guint32) + length);
    entry->length = (guint32)length;
    entry->n = (guint32)n;
    if (n > 0)
        memcpy(entry->ids, ids, n * sizeof *ids);
    memcpy(&entry->ids[n], piece, length);
    if (!g_atomic_pointer_compare_and_exchange(slot, NULL, entry))
        g_free(entry);
}
