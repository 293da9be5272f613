/* Byte-pair encoding (Sennrich, Haddow & Birch 2016): the pair of neighbours whose merge has the lowest rank is joined until none
 * is left. The symbols form a linked list and the candidate merges a binary heap, so a piece of n characters costs
 * O(n log n): SentencePiece-style tokenizers hand over whole texts as one piece. A candidate is not taken back when one of its
 * sides merges elsewhere; it is looked at again when it comes up. */
#include "text/bpe_merge.h"

typedef struct {
    guint64 key; /* rank << 32 | position */
    guint32 id;
} Candidate;

void glint_symbols_init(GlintSymbols *self)
{
    self->symbols = g_array_new(FALSE, FALSE, sizeof(GlintSymbol));
    self->heap = g_array_new(FALSE, FALSE, sizeof(Candidate));
}

void glint_symbols_clear(GlintSymbols *self)
{
    g_clear_pointer(&self->symbols, g_array_unref);
    g_clear_pointer(&self->heap, g_array_unref);
}

void glint_symbols_reset(GlintSymbols *self) { g_array_set_size(self->symbols, 0); }

void glint_symbols_add(GlintSymbols *self, guint32 id, guint32 length, gboolean frozen)
{
    gint32 at = (gint32)self->symbols->len;
    GlintSymbol *before = at > 0 ? &g_array_index(self->symbols, GlintSymbol, at - 1) : NULL;
    GlintSymbol symbol = {id, before ? before->start + before->length : 0, length, at - 1, -1, frozen};
    if (before)
        before->next = at;
    g_array_append_val(self->symbols, symbol);
}

static void heap_push(GArray *heap, Candidate item)
{
    g_array_set_size(heap, heap->len + 1);
    Candidate *h = (Candidate *)(void *)heap->data;
    guint i = heap->len - 1;
    for (; i > 0 && h[(i - 1) / 2].key > item.key; i = (i - 1) / 2)
        h[i] = h[(i - 1) / 2];
    h[i] = item;
}

static Candidate heap_pop(GArray *heap)
{
    Candidate *h = (Candidate *)(void *)heap->data, top = h[0], last = h[heap->len - 1];
    guint n = heap->len - 1, i = 0;
    for (guint child; (child = 2 * i + 1) < n; i = child) {
        child += child + 1 < n && h[child + 1].key < h[child].key;
        if (h[child].key >= last.key)
            break;
        h[i] = h[child];
    }
    h[i] = last;
    g_array_set_size(heap, n);
    return top;
}

void glint_symbols_merge(GlintSymbols *self, GlintMergeFind find, gconstpointer rules)
{
    GlintSymbol *s = (GlintSymbol *)(void *)self->symbols->data;
    gint32 n = (gint32)self->symbols->len;
    guint32 rank, id;
    g_array_set_size(self->heap, 0);
    for (gint32 i = 0; i + 1 < n; i++)
        if (find(rules, &s[i], &s[i + 1], &rank, &id))
            heap_push(self->heap, (Candidate){(guint64)rank << 32 | (guint32)i, id});
    while (self->heap->len > 0) {
        Candidate top = heap_pop(self->heap);
        gint32 at = (gint32)(guint32)top.key;
        gint32 right = s[at].next;
        if (s[at].length == 0 || right < 0 || !find(rules, &s[at], &s[right], &rank, &id) || id != top.id)
            continue; /* the pair has changed since it was proposed */
        s[at].id = id;
        s[at].length += s[right].length;
        s[at].next = s[right].next;
        s[right].length = 0;
        gint32 next = s[at].next, previous = s[at].previous;
        if (next >= 0)
            s[next].previous = at;
        if (previous >= 0 && find(rules, &s[previous], &s[at], &rank, &id))
            heap_push(self->heap, (Candidate){(guint64)rank << 32 | (guint32)previous, id});
        if (next >= 0 && find(rules, &s[at], &s[next], &rank, &id))
            heap_push(self->heap, (Candidate){(guint64)rank << 32 | (guint32)at, id});
    }
}
