/* A vocabulary: token texts by id, and ids by text. Filled, then shared freely between threads. */
#pragma once
#include <glib.h>

enum { GLINT_MAX_TOKEN_ID = (1 << 22) - 1 }; /* far above any vocabulary in use; bounds what a lying file can allocate */

typedef struct GlintVocabulary GlintVocabulary;

GlintVocabulary *glint_vocabulary_new(void);
void glint_vocabulary_free(GlintVocabulary *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintVocabulary, glint_vocabulary_free)
/* Room for `n` tokens without growing. */
void glint_vocabulary_reserve(GlintVocabulary *self, gsize n);
/* Refuses ids out of range, and texts or ids that are there already. */
gboolean glint_vocabulary_add(GlintVocabulary *self, const char *token, gsize length, gint64 id, GError **error);

gsize glint_vocabulary_size(const GlintVocabulary *self);                               /* largest id + 1 */
gsize glint_vocabulary_n(const GlintVocabulary *self);                                  /* number of tokens */
const char *glint_vocabulary_token(const GlintVocabulary *self, guint32 id, gsize *length); /* NULL if no such id; `length` may be NULL */
gint64 glint_vocabulary_id(const GlintVocabulary *self, const char *token, gsize length);   /* -1 if absent */

/* The same in parts, for who looks up many texts: prefetch for all of them, step 0, then 1, then 2, and their lookups find what they
 * need in the cache. */
guint32 glint_text_hash(const char *text, gsize length);
void glint_vocabulary_prefetch(const GlintVocabulary *self, guint32 hash, int step);
gint64 glint_vocabulary_id_hashed(const GlintVocabulary *self, const char *token, gsize length, guint32 hash);

/* The ids of single characters below `n`, by code point; G_MAXUINT32 where there is none. */
void glint_vocabulary_characters(const GlintVocabulary *self, guint32 *ids, gsize n);
/* <0x00> … <0xFF>: the ids of the byte tokens, G_MAXUINT32 where there is none. */
void glint_vocabulary_byte_tokens(const GlintVocabulary *self, guint32 ids[256]);
guint64 glint_mix(guint64 x); /* spreads the bits of a key for a hash table */
