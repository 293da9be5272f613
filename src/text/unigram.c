/* Viterbi over byte positions: best[i] is the best cut of the first i bytes, extended from every reachable character boundary by
 * every token that starts there (a walk down a trie), and by the unknown token where no token is exactly the next character.
 * The unknown token costs ten nats more than the worst token.
 *
 * Ties and rounding are those of the two libraries, for ids must be theirs exactly: Hugging Face's sums in double precision,
 * SentencePiece in single. In both a later candidate wins only when it is strictly better. SentencePiece scores a user-defined piece
 * of n bytes 0.1 (n - 1), above any log probability, so the longest wins (found by experiment on version 0.2.3). */
#include "text/unigram.h"

#include "base/error.h"
#include "text/tokenizer_utf8.h"
#include "text/trie.h"

#include <float.h>
#include <string.h>

#define ABSENT G_MAXUINT32
#define UNK_PENALTY 10.0
enum { NOWHERE = -1 };

typedef struct {
    double score;
    gint32 start; /* NOWHERE: not reached */
    guint32 id;   /* ABSENT: the unknown token */
} Node;

struct GlintUnigram {
    const GlintVocabulary *vocabulary;
    GlintUnigramOptions options;
    GlintTrie *trie;
    double *scores;
    guint8 *kinds;
    double min_score; /* of normal tokens */
    guint32 bytes[256];
};

struct GlintUnigramScratch {
    GArray *nodes; /* Node by position */
    GArray *cuts;  /* gint32: ends of the tokens, last first */
};

GlintUnigram *glint_unigram_new(const GlintVocabulary *vocabulary, const GlintUnigramOptions *options)
{
    GlintUnigram *self = g_new0(GlintUnigram, 1);
    self->vocabulary = vocabulary;
    self->options = *options;
    self->trie = glint_trie_new();
    self->scores = g_new0(double, glint_vocabulary_size(vocabulary) + 1);
    self->kinds = g_new0(guint8, glint_vocabulary_size(vocabulary) + 1);
    self->min_score = options->sentencepiece ? FLT_MAX : DBL_MAX;
    glint_vocabulary_byte_tokens(vocabulary, self->bytes);
    return self;
}

void glint_unigram_free(GlintUnigram *self)
{
    if (!self)
        return;
    glint_trie_free(self->trie);
    g_free(self->scores);
    g_free(self->kinds);
    g_free(self);
}

void glint_unigram_set(GlintUnigram *self, guint32 id, double score, GlintUnigramKind kind)
{
    gsize length;
    const char *token = glint_vocabulary_token(self->vocabulary, id, &length);
    self->scores[id] = score;
    self->kinds[id] = (guint8)kind;
    if (kind == GLINT_UNIGRAM_OUTSIDE)
        return;
    glint_trie_add(self->trie, token, length, (gint32)id);
    if (kind == GLINT_UNIGRAM_NORMAL)
        self->min_score = MIN(self->min_score, score);
}

/* ---- encoding ------------------------------------------------------------------------------------------------------- */

GlintUnigramScratch *glint_unigram_scratch_new(void)
{
    GlintUnigramScratch *self = g_new0(GlintUnigramScratch, 1);
    self->nodes = g_array_new(FALSE, FALSE, sizeof(Node));
    self->cuts = g_array_new(FALSE, FALSE, sizeof(gint32));
    return self;
}

void glint_unigram_scratch_free(GlintUnigramScratch *self)
{
    if (!self)
        return;
    g_array_unref(self->nodes);
    g_array_unref(self->cuts);
    g_free(self);
}

static inline void offer(const GlintUnigram *self, Node *node, double score, gint32 start, guint32 id)
{
    if (self->options.sentencepiece)
        score = (double)(float)score;
    if (node->start == NOWHERE || score > node->score)
        *node = (Node){score, start, id};
}

static double token_score(const GlintUnigram *self, guint32 id, gsize length)
{
    if (self->kinds[id] == GLINT_UNIGRAM_USER_DEFINED)
        return (double)((float)(length - 1) * 0.1F);
    return self->scores[id];
}

static double unk_score(const GlintUnigram *self, double before)
{
    if (!self->options.sentencepiece)
        return self->min_score - UNK_PENALTY + before;
    float penalized = (float)(self->min_score - UNK_PENALTY);
    return (double)(penalized + (float)before);
}

static void viterbi(const GlintUnigram *self, const char *piece, gsize length, Node *nodes)
{
    gunichar c = 0;
    gint32 id = -1;
    for (gsize at = 0; at < length;) {
        gsize one = (gsize)ABS(glint_utf8_next(piece + at, length - at, &c));
        double before = nodes[at].score;
        gboolean known = FALSE;
        guint32 node = GLINT_TRIE_ROOT;
        for (gsize end = at; end < length && (node = glint_trie_next(self->trie, node, (guint8)piece[end], &id)) != 0; end++) {
            if (id < 0)
                continue;
            gsize n = end + 1 - at;
            guint32 token = (gint64)id == self->options.unk ? ABSENT : (guint32)id; /* its name written in the text: Hugging Face's fuses it too */
            offer(self, &nodes[end + 1], token_score(self, (guint32)id, n) + before, (gint32)at, token);
            known |= n == one;
        }
        if (!known)
            offer(self, &nodes[at + one], unk_score(self, before), (gint32)at, ABSENT);
        at += one;
    }
}

static gboolean add_unknown(const GlintUnigram *self, const char *text, gsize length, gboolean run, GArray *ids, GError **error)
{
    if (self->options.unk < 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "the text needs an unknown token, but the tokenizer's \"unk_id\" is null");
    guint32 unk = (guint32)self->options.unk;
    gint64 whole = self->options.sentencepiece ? -1 : glint_vocabulary_id(self->vocabulary, text, length);
    gboolean bytes = self->options.byte_fallback;
    for (gsize i = 0; bytes && i < length; i++)
        bytes = self->bytes[(guint8)text[i]] != ABSENT;
    if (whole >= 0) { /* upstream looks the run of unknown characters up once more */
        guint32 id = (guint32)whole;
        g_array_append_val(ids, id);
    } else if (bytes) {
        for (gsize i = 0; i < length; i++)
            g_array_append_val(ids, self->bytes[(guint8)text[i]]);
    } else if (!run) {
        g_array_append_val(ids, unk);
    }
    return TRUE;
}

gboolean glint_unigram_encode(const GlintUnigram *self, const char *piece, gsize length, GlintUnigramScratch *scratch, GArray *ids, GError **error)
{
    const Node far = {0, NOWHERE, ABSENT};
    g_array_set_size(scratch->nodes, 0);
    for (gsize i = 0; i <= length; i++)
        g_array_append_val(scratch->nodes, far);
    Node *nodes = (Node *)(void *)scratch->nodes->data;
    viterbi(self, piece, length, nodes);
    g_array_set_size(scratch->cuts, 0);
    for (gint32 end = (gint32)length; end > 0; end = nodes[end].start)
        g_array_append_val(scratch->cuts, end);
    gsize start = 0;
    gboolean run = FALSE; /* SentencePiece: the token before was unknown, and stands for this character too */
    for (guint k = scratch->cuts->len; k-- > 0;) {
        gsize end = (gsize)g_array_index(scratch->cuts, gint32, k);
        guint32 id = nodes[end].id;
        if (id != ABSENT) {
            g_array_append_val(ids, id);
            run = FALSE;
        } else {
            while (!self->options.sentencepiece && k > 0 && nodes[g_array_index(scratch->cuts, gint32, k - 1)].id == ABSENT)
                end = (gsize)g_array_index(scratch->cuts, gint32, --k); /* Hugging Face's: the run of them is one text */
            if (!add_unknown(self, piece + start, end - start, run, ids, error))
                return FALSE;
            run = self->options.sentencepiece;
        }
        start = end;
    }
    return TRUE;
}
