/* What a tokenizer consists of; for the files that build and run one (tokenizer.c, tokenizer_spm.c). */
#pragma once
#include "text/bpe.h"
#include "text/decode.h"
#include "text/normalize.h"
#include "text/piece_cache.h"
#include "text/postprocess.h"
#include "text/pretokenize.h"
#include "text/spm_bpe.h"
#include "text/tokenizer.h"
#include "text/tokenizer_added.h"
#include "text/unigram.h"

struct GlintTokenizer {
    GlintVocabulary *vocabulary;
    GlintBpe *bpe; /* exactly one of the three models */
    GlintUnigram *unigram;
    GlintSpmBpe *spm_bpe;
    gboolean ignore_merges;  /* a piece that is a token is that token, whatever the merges say */
    gboolean cut_words;      /* pieces may be cut before U+2581 ... */
    gboolean joined[256];    /* ... but not behind these bytes */
    GlintPieceCache *cache;  /* NULL: pieces are whole texts, which do not recur */
    GlintNormalizer *normalizer;
    GlintAddedTokens *added;
    GlintPretokenizer *pretokenizer;
    GlintPostprocessor postprocessor;
    GlintDecoder *decoder;
    gsize size;
    char *sha256;
};

/* The last step of building: checks that added tokens agree with the vocabulary and that the post-processor's ids exist, and sets
 * `size`, `cut_words`, `joined` and `cache`. */
gboolean glint_tokenizer_finish(GlintTokenizer *self, GError **error);
