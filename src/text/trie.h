/* A trie of byte strings, each with a number. Filled, then shared freely between threads. */
#pragma once
#include <glib.h>

enum { GLINT_TRIE_ROOT = 0 };

typedef struct GlintTrie GlintTrie;

GlintTrie *glint_trie_new(void);
void glint_trie_free(GlintTrie *self);
/* `value` >= 0. Of equal texts the first stays; an empty text is passed over. */
void glint_trie_add(GlintTrie *self, const char *text, gsize length, gint32 value);
gboolean glint_trie_empty(const GlintTrie *self);
/* One step from `node`: the child, 0 when there is none. *value is that of the text that ends there, or -1. */
guint32 glint_trie_next(const GlintTrie *self, guint32 node, guint8 byte, gint32 *value);
/* Length of the longest string of the trie that `text` starts with, and its value; 0: none. */
gsize glint_trie_longest(const GlintTrie *self, const char *text, gsize length, gint32 *value);
