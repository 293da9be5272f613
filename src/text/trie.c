/* The edges lie in one open-addressing table keyed by (node, byte): eight bytes of memory traffic a step, whatever the
 * alphabet, and nothing to build but the table. A table of first bytes makes nearly every walk that leads nowhere end before it
 * starts. The value of a node lies beside the edge that leads to it. */
#include "text/trie.h"

#define FREE G_MAXUINT64

typedef struct {
    guint64 key; /* node << 8 | byte, or FREE */
    guint32 child;
    gint32 value;
} Edge;

struct GlintTrie {
    Edge *edges;
    gsize mask, n;
    guint32 starts[256]; /* slot of the root's edge + 1; 0: none */
};

static Edge *new_edges(gsize n)
{
    Edge *edges = g_new(Edge, n);
    for (gsize i = 0; i < n; i++)
        edges[i].key = FREE;
    return edges;
}

GlintTrie *glint_trie_new(void)
{
    GlintTrie *self = g_new0(GlintTrie, 1);
    self->mask = 255;
    self->edges = new_edges(self->mask + 1);
    return self;
}

void glint_trie_free(GlintTrie *self)
{
    if (!self)
        return;
    g_free(self->edges);
    g_free(self);
}

static inline Edge *find(const GlintTrie *self, guint64 key)
{
    gsize i = (gsize)(key * G_GUINT64_CONSTANT(0x9E3779B97F4A7C15) >> 32) & self->mask;
    while (self->edges[i].key != key && self->edges[i].key != FREE)
        i = (i + 1) & self->mask;
    return &self->edges[i];
}

static void grow(GlintTrie *self)
{
    g_autofree Edge *old = self->edges;
    gsize n = self->mask + 1;
    self->mask = n * 2 - 1;
    self->edges = new_edges(n * 2);
    for (gsize i = 0; i < n; i++)
        if (old[i].key != FREE) {
            Edge *place = find(self, old[i].key);
            *place = old[i];
            if (old[i].key < 256)
                self->starts[old[i].key] = (guint32)(place - self->edges) + 1;
        }
}

void glint_trie_add(GlintTrie *self, const char *text, gsize length, gint32 value)
{
    guint32 node = GLINT_TRIE_ROOT;
    for (gsize i = 0; i < length; i++) {
        guint64 key = (guint64)node << 8 | (guint8)text[i];
        Edge *edge = find(self, key);
        if (edge->key == FREE) {
            *edge = (Edge){key, (guint32)++self->n, -1};
            if (node == GLINT_TRIE_ROOT)
                self->starts[(guint8)text[i]] = (guint32)(edge - self->edges) + 1;
        }
        node = edge->child;
        if (i + 1 == length && edge->value < 0)
            edge->value = value;
        if (self->n * 2 > self->mask)
            grow(self);
    }
}

gboolean glint_trie_empty(const GlintTrie *self) { return self->n == 0; }

guint32 glint_trie_next(const GlintTrie *self, guint32 node, guint8 byte, gint32 *value)
{
    const Edge *edge;
    if (node == GLINT_TRIE_ROOT) {
        if (self->starts[byte] == 0)
            return 0;
        edge = &self->edges[self->starts[byte] - 1];
    } else {
        edge = find(self, (guint64)node << 8 | byte);
        if (edge->key == FREE)
            return 0;
    }
    *value = edge->value;
    return edge->child;
}

gsize glint_trie_longest(const GlintTrie *self, const char *text, gsize length, gint32 *value)
{
    gsize longest = 0;
    guint32 node = GLINT_TRIE_ROOT;
    gint32 here;
    for (gsize i = 0; i < length && (node = glint_trie_next(self, node, (guint8)text[i], &here)) != 0; i++)
        if (here >= 0) {
            *value = here;
            longest = i + 1;
        }
    return longest;
}
