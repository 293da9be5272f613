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
    GlintPieceCache *cache; /* NULL: pieces are whole texts, which do not recur */
    GlintNormalizer *normalizer;
    GlintAddedTokens *added;
    GlintPretokenizer *pretokenizer;
    GlintPostprocessor postprocessor;
    GlintDecoder *decoder;
    gsize size;
    char *sha256;
};

/* Checks that added tokens agree with the vocabulary and that the post-processor's ids exist, and sets `size`: the last step of
 * building. */
gboolean glint_tokenizer_finish(GlintTokenizer *self, GError **error);
