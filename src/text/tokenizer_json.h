/* tokenizer.json in two parts: the vocabulary and the merges, which are nearly all of it, are read in place; the rest is an
 * ordinary JSON document. */
#pragma once
#include "text/bpe.h"

#include <jansson.h>

typedef struct {
    json_t *root;                            /* everything but the two tables, which are left empty in it */
    const char *vocab, *vocab_end;           /* the object (Unigram: the list) model.vocab in the file's bytes; NULL: none */
    const char *merges, *merges_end;         /* the list model.merges; NULL: none */
} GlintTokenizerJson;

/* `json` must outlive the result. */
gboolean glint_tokenizer_json_parse(GlintTokenizerJson *self, const char *json, gsize length, GError **error);
void glint_tokenizer_json_clear(GlintTokenizerJson *self);
/* Feeds the tables: tokens, then merges; or tokens and scores (GArray of double by id) of a Unigram model. */
gboolean glint_tokenizer_json_vocabulary(const GlintTokenizerJson *self, GlintVocabulary *vocabulary, GError **error);
gboolean glint_tokenizer_json_merges(const GlintTokenizerJson *self, GlintBpe *bpe, GError **error);
gboolean glint_tokenizer_json_scores(const GlintTokenizerJson *self, GlintVocabulary *vocabulary, GArray *scores, GError **error);
