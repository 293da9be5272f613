/* Byte-pair encoding as Hugging Face's BPE model does it: a piece starts as its characters (or bytes, or the unknown token), and
 * listed pairs of tokens merge. The merges are one open-addressing table keyed by the pair of ids; 514k merges take 16 MB.
 *
 * Adding a merge looks up three texts and a place in that table, and on a large vocabulary each of these misses the cache. So merges
 * are gathered and added in batches, with everything prefetched step by step: that halves the time Gemma's file takes to load. */
#include "text/bpe.h"

#include "base/error.h"
#include "text/bpe_merge.h"
#include "text/tokenizer_utf8.h"

#include <string.h>

enum { DIRECT_CHARS = 0x3000, BATCH = 64 };
#define ABSENT G_MAXUINT32
#define NO_PAIR G_MAXUINT64

typedef struct {
    guint64 pair; /* left << 32 | right, NO_PAIR: free */
    guint32 rank, id;
} Merge;

typedef struct {
    gsize start, left, right; /* in batch_text: left and right one behind the other, then what they make */
    gsize whole_start, whole;
    guint32 hashes[3];
    guint64 pair;
    guint32 id;
} Pending;

struct GlintBpe {
    const GlintVocabulary *vocabulary;
    GlintBpeOptions options;
    char *continuing_prefix, *word_suffix, *unk_token; /* owned copies of the options' */
    gsize prefix_length;
    Merge *merges; /* hash table */
    gsize n_merges, n_pairs, merges_mask;
    Pending batch[BATCH];
    guint n_batch;
    GString *batch_text;
    guint32 direct[DIRECT_CHARS]; /* ids of single characters of low code point */
    guint32 bytes[256];           /* ids of <0x00> … <0xFF> */
    guint32 unk;
};

struct GlintBpeScratch {
    GlintSymbols symbols;
    GString *buffer; /* characters with prefix or suffix */
};

/* ---- construction --------------------------------------------------------------------------------------------------- */

static Merge *new_merges(gsize n)
{
    Merge *merges = g_new(Merge, n);
    memset(merges, 0xFF, n * sizeof *merges);
    return merges;
}

GlintBpe *glint_bpe_new(const GlintVocabulary *vocabulary, const GlintBpeOptions *options)
{
    GlintBpe *self = g_new0(GlintBpe, 1);
    self->vocabulary = vocabulary;
    self->options = *options;
    self->continuing_prefix = g_strdup(options->continuing_prefix ? options->continuing_prefix : "");
    self->word_suffix = g_strdup(options->word_suffix ? options->word_suffix : "");
    self->unk_token = g_strdup(options->unk_token);
    self->prefix_length = strlen(self->continuing_prefix);
    self->merges_mask = 1023;
    self->merges = new_merges(self->merges_mask + 1);
    self->batch_text = g_string_new(NULL);
    return self;
}

void glint_bpe_free(GlintBpe *self)
{
    if (!self)
        return;
    g_free(self->merges);
    g_string_free(self->batch_text, TRUE);
    g_free(self->unk_token);
    g_free(self->word_suffix);
    g_free(self->continuing_prefix);
    g_free(self);
}

static inline gsize merge_slot(const GlintBpe *self, guint64 pair) { return glint_mix(pair) & self->merges_mask; }

static inline const Merge *find_merge(const GlintBpe *self, guint32 left, guint32 right)
{
    guint64 pair = (guint64)left << 32 | right;
    gsize slot = merge_slot(self, pair);
    while (self->merges[slot].pair != pair && self->merges[slot].pair != NO_PAIR)
        slot = (slot + 1) & self->merges_mask;
    return &self->merges[slot];
}

static void resize(GlintBpe *self, gsize n)
{
    g_autofree Merge *old = self->merges;
    gsize n_old = self->merges_mask + 1;
    self->merges = new_merges(n);
    self->merges_mask = n - 1;
    for (gsize i = 0; i < n_old; i++)
        if (old[i].pair != NO_PAIR) {
            Merge *place = (Merge *)find_merge(self, (guint32)(old[i].pair >> 32), (guint32)old[i].pair);
            *place = old[i];
        }
}

void glint_bpe_reserve(GlintBpe *self, gsize n)
{
    gsize size = self->merges_mask + 1;
    while (size < n * 2)
        size *= 2;
    if (size > self->merges_mask + 1)
        resize(self, size);
}

/* The id of the token that `left` and `right` make, -1 when there is none. */
static gint64 merged_id(const GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length)
{
    char small[256];
    gsize skip = MIN(self->prefix_length, right_length), length = left_length + right_length - skip;
    g_autofree char *large = length > sizeof small ? g_malloc(length) : NULL;
    char *whole = large ? large : small;
    memcpy(whole, left, left_length);
    memcpy(whole + left_length, right + skip, right_length - skip);
    return glint_vocabulary_id(self->vocabulary, whole, length);
}

gboolean glint_bpe_can_merge(const GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length)
{
    return glint_vocabulary_id(self->vocabulary, left, left_length) >= 0 && glint_vocabulary_id(self->vocabulary, right, right_length) >= 0 &&
           merged_id(self, left, left_length, right, right_length) >= 0;
}

/* The ids of a pending merge, from texts already in the cache. */
static gboolean resolve(const GlintBpe *self, Pending *p, gsize number, GError **error)
{
    const char *left = self->batch_text->str + p->start, *right = left + p->left, *whole = self->batch_text->str + p->whole_start;
    gint64 a = glint_vocabulary_id_hashed(self->vocabulary, left, p->left, p->hashes[0]);
    gint64 b = glint_vocabulary_id_hashed(self->vocabulary, right, p->right, p->hashes[1]);
    gint64 id = glint_vocabulary_id_hashed(self->vocabulary, whole, p->whole, p->hashes[2]);
    if (a < 0 || b < 0 || id < 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "model.merges[%" G_GSIZE_FORMAT "] (\"%.*s\" \"%.*s\") %s a token that model.vocab lacks; "
                                                                                     "the file is damaged or made for another vocabulary",
                          number, (int)MIN(p->left, 100), left, (int)MIN(p->right, 100), right, a < 0 || b < 0 ? "names" : "makes");
    p->pair = (guint64)a << 32 | (guint64)b;
    p->id = (guint32)id;
    return TRUE;
}

static gboolean add_batch(GlintBpe *self, GError **error)
{
    for (int step = 0; step < 3; step++)
        for (guint i = 0; i < self->n_batch; i++)
            for (int k = 0; k < 3; k++)
                glint_vocabulary_prefetch(self->vocabulary, self->batch[i].hashes[k], step);
    for (guint i = 0; i < self->n_batch; i++) {
        if (!resolve(self, &self->batch[i], self->n_merges + i, error))
            return FALSE;
        __builtin_prefetch(&self->merges[merge_slot(self, self->batch[i].pair)], 1);
    }
    for (guint i = 0; i < self->n_batch; i++) {
        const Pending *p = &self->batch[i];
        Merge *place = (Merge *)find_merge(self, (guint32)(p->pair >> 32), (guint32)p->pair);
        self->n_pairs += place->pair == NO_PAIR; /* a repeated merge takes the later rank, as upstream */
        *place = (Merge){p->pair, (guint32)self->n_merges++, p->id};
        if (self->n_pairs * 2 > self->merges_mask)
            resize(self, (self->merges_mask + 1) * 2);
    }
    self->n_batch = 0;
    g_string_truncate(self->batch_text, 0);
    return TRUE;
}

gboolean glint_bpe_add_merge(GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length, GError **error)
{
    GString *text = self->batch_text;
    Pending *p = &self->batch[self->n_batch++];
    gsize skip = MIN(self->prefix_length, right_length);
    *p = (Pending){.start = text->len, .left = left_length, .right = right_length, .whole_start = text->len, .whole = left_length + right_length};
    g_string_append_len(text, left, (gssize)left_length);
    g_string_append_len(text, right, (gssize)right_length);
    if (skip > 0) {
        p->whole_start = text->len;
        p->whole -= skip;
        g_string_append_len(text, left, (gssize)left_length);
        g_string_append_len(text, right + skip, (gssize)(right_length - skip));
    }
    p->hashes[0] = glint_text_hash(text->str + p->start, left_length);
    p->hashes[1] = glint_text_hash(text->str + p->start + left_length, right_length);
    p->hashes[2] = glint_text_hash(text->str + p->whole_start, p->whole);
    return self->n_batch < BATCH || add_batch(self, error);
}

gboolean glint_bpe_seal(GlintBpe *self, GError **error)
{
    if (!add_batch(self, error))
        return FALSE;
    glint_vocabulary_characters(self->vocabulary, self->direct, DIRECT_CHARS);
    glint_vocabulary_byte_tokens(self->vocabulary, self->bytes);
    gint64 unk = self->unk_token ? glint_vocabulary_id(self->vocabulary, self->unk_token, strlen(self->unk_token)) : -1;
    self->unk = unk < 0 ? ABSENT : (guint32)unk;
    return TRUE;
}

static gboolean has_affixes(const GlintBpe *self) { return self->prefix_length > 0 || self->word_suffix[0] != '\0'; }

gboolean glint_bpe_may_cut(const GlintBpe *self) { return !has_affixes(self) && self->unk != ABSENT; }

/* ---- encoding ------------------------------------------------------------------------------------------------------- */

GlintBpeScratch *glint_bpe_scratch_new(void)
{
    GlintBpeScratch *self = g_new0(GlintBpeScratch, 1);
    glint_symbols_init(&self->symbols);
    self->buffer = g_string_new(NULL);
    return self;
}

void glint_bpe_scratch_free(GlintBpeScratch *self)
{
    if (!self)
        return;
    glint_symbols_clear(&self->symbols);
    g_string_free(self->buffer, TRUE);
    g_free(self);
}


/* The id of the character `text`, with the affixes of its place in the piece. */
static guint32 char_id(const GlintBpe *self, const char *text, gsize length, gunichar c, gboolean first, gboolean last, GString *buffer)
{
    if (!has_affixes(self) && c < DIRECT_CHARS)
        return self->direct[c];
    g_string_truncate(buffer, 0);
    g_string_append(buffer, first ? "" : self->continuing_prefix);
    g_string_append_len(buffer, text, (gssize)length);
    g_string_append(buffer, last ? self->word_suffix : "");
    gint64 id = glint_vocabulary_id(self->vocabulary, buffer->str, buffer->len);
    return id < 0 ? ABSENT : (guint32)id;
}

/* The tokens of the bytes of `text`, or FALSE when one of them has none. */
static gboolean add_bytes(const GlintBpe *self, const char *text, gsize length, GlintSymbols *symbols)
{
    for (gsize i = 0; i < length; i++)
        if (self->bytes[(guint8)text[i]] == ABSENT)
            return FALSE;
    for (gsize i = 0; i < length; i++)
        glint_symbols_add(symbols, self->bytes[(guint8)text[i]], 1, FALSE);
    return TRUE;
}

/* Characters to symbols. An unknown character becomes its bytes, or the unknown token (a run of them one, when fused); the
 * unknown token is held back until the next known character, even over byte tokens, as upstream does it. */
static gboolean split_chars(const GlintBpe *self, const char *piece, gsize length, GlintBpeScratch *scratch, GError **error)
{
    GlintSymbols *symbols = &scratch->symbols;
    guint32 pending = 0; /* bytes covered by the unknown token held back */
    gunichar c = 0;
    glint_symbols_reset(symbols);
    for (gsize i = 0, n; i < length; i += n) {
        n = (gsize)ABS(glint_utf8_next(piece + i, length - i, &c));
        guint32 id = char_id(self, piece + i, n, c, i == 0, i + n == length, scratch->buffer);
        if (id != ABSENT) {
            if (pending)
                glint_symbols_add(symbols, self->unk, pending, FALSE);
            pending = 0;
            glint_symbols_add(symbols, id, (guint32)n, FALSE);
            continue;
        }
        gboolean affixed = has_affixes(self); /* then the bytes of the affixes fall back too, and char_id left all in the buffer */
        const char *text = affixed ? scratch->buffer->str : piece + i;
        if (self->options.byte_fallback && add_bytes(self, text, affixed ? scratch->buffer->len : n, symbols))
            continue;
        if (!self->unk_token)
            continue;
        if (self->unk == ABSENT)
            return glint_fail(error, GLINT_ERROR_FORMAT, "the text needs the unknown token \"%s\", which the tokenizer's vocabulary lacks", self->unk_token);
        if (pending && !self->options.fuse_unk) {
            glint_symbols_add(symbols, self->unk, pending, FALSE);
            pending = 0;
        }
        pending += (guint32)n;
    }
    if (pending)
        glint_symbols_add(symbols, self->unk, pending, FALSE);
    return TRUE;
}

static gboolean find_listed(gconstpointer rules, const GlintSymbol *left, const GlintSymbol *right, guint32 *rank, guint32 *id)
{
    const Merge *merge = find_merge(rules, left->id, right->id);
    *rank = merge->rank;
    *id = merge->id;
    return merge->pair != NO_PAIR;
}

gboolean glint_bpe_encode(const GlintBpe *self, const char *piece, gsize length, GlintBpeScratch *scratch, GArray *ids, GError **error)
{
    if (!split_chars(self, piece, length, scratch, error))
        return FALSE;
    glint_symbols_merge(&scratch->symbols, find_listed, self);
    for (guint i = 0; i < scratch->symbols.symbols->len; i++) {
        const GlintSymbol *symbol = &g_array_index(scratch->symbols.symbols, GlintSymbol, i);
        if (symbol->length > 0)
            g_array_append_val(ids, symbol->id);
    }
    return TRUE;
}
