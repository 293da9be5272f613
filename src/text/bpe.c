/* Byte-pair encoding (Sennrich, Haddow & Birch 2016) as Hugging Face's BPE model does it. A piece starts as its characters;
 * then the pair of neighbours whose merge has the lowest rank (leftmost on ties) is joined until none is left. The symbols
 * form a linked list and the candidate merges a binary heap, so a piece of n characters costs O(n log n): SentencePiece-style
 * tokenizers hand over whole texts as one piece.
 *
 * Memory: all token texts lie in one arena, found by id through an offset table and by text through an open-addressing
 * table of ids; merges are one open-addressing table keyed by the pair of ids. A vocabulary of 262k tokens and 514k
 * merges takes about 40 MB.
 *
 * The cache of short pieces is a table of pointers that are set once, by compare-and-exchange, and never replaced: readers
 * need no lock, and what a piece becomes does not depend on who came first. */
#include "text/bpe.h"

#include "base/error.h"
#include "text/tokenizer_utf8.h"

#include <string.h>

enum { CACHE_SLOTS = 1 << 16, CACHE_MAX_LENGTH = 64, DIRECT_CHARS = 0x3000 };
#define ABSENT G_MAXUINT32
#define NO_PAIR G_MAXUINT64
#define MAX_ARENA (G_MAXUINT32 / 2)

typedef struct {
    guint32 offset, length; /* in the arena; offset ABSENT: no token of this id */
} Entry;

typedef struct {
    guint32 id, hash; /* id ABSENT: free; the hash spares looking at texts that differ anyway */
} Slot;

typedef struct {
    guint64 pair; /* left << 32 | right, NO_PAIR: free */
    guint32 rank, id;
} Merge;

typedef struct {
    guint32 length, n; /* bytes of text, ids */
    guint32 ids[];     /* followed by the text */
} Cached;

struct GlintBpe {
    GlintBpeOptions options;
    char *continuing_prefix, *word_suffix, *unk_token; /* owned copies of the options' */
    gsize prefix_length;
    GString *arena;
    GArray *entries; /* Entry by id */
    Slot *slots;     /* hash table of ids */
    gsize n_tokens, slots_mask;
    Merge *merges; /* hash table */
    gsize n_merges, n_pairs, merges_mask;
    guint32 direct[DIRECT_CHARS]; /* ids of single characters of low code point */
    guint32 bytes[256];           /* ids of <0x00> … <0xFF> */
    guint32 unk;
    gpointer *cache; /* Cached*, set once each; NULL: no cache */
};

typedef struct {
    guint32 id, length; /* length 0: merged into its left neighbour */
    gint32 previous, next;
} Symbol;

typedef struct {
    guint64 key; /* rank << 32 | position */
    guint32 id;
} Candidate;

struct GlintBpeScratch {
    GArray *symbols; /* Symbol */
    GArray *heap;    /* Candidate */
    GString *buffer; /* characters with prefix or suffix */
};

static guint64 mix(guint64 x)
{
    x ^= x >> 32;
    x *= G_GUINT64_CONSTANT(0xD6E8FEB86659FD93);
    x ^= x >> 32;
    x *= G_GUINT64_CONSTANT(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}

static guint64 hash_text(const char *text, gsize length)
{
    guint64 h = length;
    for (; length >= 8; text += 8, length -= 8) {
        guint64 word;
        memcpy(&word, text, 8);
        h = mix(h ^ word);
    }
    guint64 rest = 0;
    if (length > 0)
        memcpy(&rest, text, length);
    return mix(h ^ rest ^ (guint64)length << 56);
}

/* ---- construction --------------------------------------------------------------------------------------------------- */

GlintBpe *glint_bpe_new(const GlintBpeOptions *options)
{
    GlintBpe *self = g_new0(GlintBpe, 1);
    self->options = *options;
    self->continuing_prefix = g_strdup(options->continuing_prefix ? options->continuing_prefix : "");
    self->word_suffix = g_strdup(options->word_suffix ? options->word_suffix : "");
    self->unk_token = g_strdup(options->unk_token);
    self->prefix_length = strlen(self->continuing_prefix);
    self->arena = g_string_new(NULL);
    self->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    self->slots_mask = 1023;
    self->slots = g_new(Slot, self->slots_mask + 1);
    memset(self->slots, 0xFF, (self->slots_mask + 1) * sizeof *self->slots);
    self->merges_mask = 1023;
    self->merges = g_new(Merge, self->merges_mask + 1);
    memset(self->merges, 0xFF, (self->merges_mask + 1) * sizeof *self->merges);
    return self;
}

void glint_bpe_free(GlintBpe *self)
{
    if (!self)
        return;
    for (gsize i = 0; self->cache && i < CACHE_SLOTS; i++)
        g_free(self->cache[i]);
    g_free(self->cache);
    g_free(self->merges);
    g_free(self->slots);
    g_array_unref(self->entries);
    g_string_free(self->arena, TRUE);
    g_free(self->unk_token);
    g_free(self->word_suffix);
    g_free(self->continuing_prefix);
    g_free(self);
}

/* Where `token` is in the table of ids, or the free place where it would go. */
static Slot *find_slot(const GlintBpe *self, const char *token, gsize length, guint32 hash)
{
    for (gsize i = hash & self->slots_mask;; i = (i + 1) & self->slots_mask) {
        Slot *slot = &self->slots[i];
        if (slot->id == ABSENT)
            return slot;
        if (slot->hash != hash)
            continue;
        Entry entry = g_array_index(self->entries, Entry, slot->id);
        if (entry.length == length && memcmp(self->arena->str + entry.offset, token, length) == 0)
            return slot;
    }
}

static void grow_slots(GlintBpe *self)
{
    gsize n = self->slots_mask + 1;
    g_autofree Slot *old = self->slots;
    self->slots = g_new(Slot, n * 2);
    memset(self->slots, 0xFF, n * 2 * sizeof *self->slots);
    self->slots_mask = n * 2 - 1;
    for (gsize k = 0; k < n; k++) {
        gsize i = old[k].hash & self->slots_mask;
        while (old[k].id != ABSENT && self->slots[i].id != ABSENT)
            i = (i + 1) & self->slots_mask;
        if (old[k].id != ABSENT)
            self->slots[i] = old[k];
    }
}

gboolean glint_bpe_add_token(GlintBpe *self, const char *token, gsize length, gint64 id, GError **error)
{
    if (id < 0 || id > GLINT_MAX_TOKEN_ID)
        return glint_fail(error, GLINT_ERROR_FORMAT, "token \"%.*s\" has the id %" G_GINT64_FORMAT "; ids from 0 to %d were expected",
                          (int)MIN(length, 100), token, id, GLINT_MAX_TOKEN_ID);
    if (length > MAX_ARENA || self->arena->len + length + 1 > MAX_ARENA)
        return glint_fail(error, GLINT_ERROR_FORMAT, "the vocabulary's texts take more than %u bytes", (guint)MAX_ARENA);
    const Entry absent = {ABSENT, 0};
    while (self->entries->len <= (gsize)id)
        g_array_append_val(self->entries, absent);
    Entry *entry = &g_array_index(self->entries, Entry, id);
    if (entry->offset != ABSENT)
        return glint_fail(error, GLINT_ERROR_FORMAT, "tokens \"%s\" and \"%.*s\" have the same id %" G_GINT64_FORMAT, self->arena->str + entry->offset,
                          (int)MIN(length, 100), token, id);
    guint32 hash = (guint32)hash_text(token, length);
    Slot *slot = find_slot(self, token, length, hash);
    if (slot->id != ABSENT)
        return glint_fail(error, GLINT_ERROR_FORMAT, "token \"%.*s\" occurs twice, with the ids %u and %" G_GINT64_FORMAT, (int)MIN(length, 100), token,
                          slot->id, id);
    entry->offset = (guint32)self->arena->len;
    entry->length = (guint32)length;
    g_string_append_len(self->arena, token, (gssize)length);
    g_string_append_c(self->arena, '\0');
    *slot = (Slot){(guint32)id, hash};
    if (++self->n_tokens * 2 > self->slots_mask)
        grow_slots(self);
    return TRUE;
}

static inline const Merge *find_merge(const GlintBpe *self, guint32 left, guint32 right)
{
    guint64 pair = (guint64)left << 32 | right;
    gsize slot = mix(pair) & self->merges_mask;
    while (self->merges[slot].pair != pair && self->merges[slot].pair != NO_PAIR)
        slot = (slot + 1) & self->merges_mask;
    return &self->merges[slot];
}

static void grow_merges(GlintBpe *self)
{
    g_autofree Merge *old = self->merges;
    gsize n = self->merges_mask + 1;
    self->merges = g_new(Merge, n * 2);
    memset(self->merges, 0xFF, n * 2 * sizeof *self->merges);
    self->merges_mask = n * 2 - 1;
    for (gsize i = 0; i < n; i++)
        if (old[i].pair != NO_PAIR) {
            Merge *place = (Merge *)find_merge(self, (guint32)(old[i].pair >> 32), (guint32)old[i].pair);
            *place = old[i];
        }
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
    return glint_bpe_id(self, whole, length);
}

gboolean glint_bpe_can_merge(const GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length)
{
    return glint_bpe_id(self, left, left_length) >= 0 && glint_bpe_id(self, right, right_length) >= 0 &&
           merged_id(self, left, left_length, right, right_length) >= 0;
}

gboolean glint_bpe_add_merge(GlintBpe *self, const char *left, gsize left_length, const char *right, gsize right_length, GError **error)
{
    gint64 a = glint_bpe_id(self, left, left_length), b = glint_bpe_id(self, right, right_length);
    gint64 id = a < 0 || b < 0 ? -1 : merged_id(self, left, left_length, right, right_length);
    if (id < 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "model.merges[%" G_GSIZE_FORMAT "] (\"%.*s\" \"%.*s\") %s a token that model.vocab lacks; the file is damaged or made for another vocabulary",
                          self->n_merges, (int)MIN(left_length, 100), left, (int)MIN(right_length, 100), right, a < 0 || b < 0 ? "names" : "makes");
    Merge *place = (Merge *)find_merge(self, (guint32)a, (guint32)b);
    self->n_pairs += place->pair == NO_PAIR; /* a repeated merge takes the later rank, as upstream */
    *place = (Merge){(guint64)a << 32 | (guint64)b, (guint32)self->n_merges++, (guint32)id};
    if (self->n_pairs * 2 > self->merges_mask)
        grow_merges(self);
    return TRUE;
}

void glint_bpe_seal(GlintBpe *self)
{
    for (gunichar c = 0; c < DIRECT_CHARS; c++) {
        char text[6];
        gint n = g_unichar_to_utf8(c, text);
        gint64 id = glint_bpe_id(self, text, (gsize)n);
        self->direct[c] = id < 0 ? ABSENT : (guint32)id;
    }
    for (guint b = 0; b < 256; b++) {
        char name[8];
        g_snprintf(name, sizeof name, "<0x%02X>", b);
        gint64 id = glint_bpe_id(self, name, 6);
        self->bytes[b] = id < 0 ? ABSENT : (guint32)id;
    }
    gint64 unk = self->unk_token ? glint_bpe_id(self, self->unk_token, strlen(self->unk_token)) : -1;
    self->unk = unk < 0 ? ABSENT : (guint32)unk;
    if (self->options.cache)
        self->cache = g_new0(gpointer, CACHE_SLOTS);
}

/* ---- looking up ----------------------------------------------------------------------------------------------------- */

gsize glint_bpe_size(const GlintBpe *self) { return self->entries->len; }
gsize glint_bpe_n_tokens(const GlintBpe *self) { return self->n_tokens; }

const char *glint_bpe_token(const GlintBpe *self, guint32 id, gsize *length)
{
    if (id >= self->entries->len)
        return NULL;
    Entry entry = g_array_index(self->entries, Entry, id);
    if (entry.offset == ABSENT)
        return NULL;
    if (length)
        *length = entry.length;
    return self->arena->str + entry.offset;
}

gint64 glint_bpe_id(const GlintBpe *self, const char *token, gsize length)
{
    guint32 id = find_slot(self, token, length, (guint32)hash_text(token, length))->id;
    return id == ABSENT ? -1 : (gint64)id;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------- */

GlintBpeScratch *glint_bpe_scratch_new(void)
{
    GlintBpeScratch *self = g_new0(GlintBpeScratch, 1);
    self->symbols = g_array_new(FALSE, FALSE, sizeof(Symbol));
    self->heap = g_array_new(FALSE, FALSE, sizeof(Candidate));
    self->buffer = g_string_new(NULL);
    return self;
}

void glint_bpe_scratch_free(GlintBpeScratch *self)
{
    if (!self)
        return;
    g_array_unref(self->symbols);
    g_array_unref(self->heap);
    g_string_free(self->buffer, TRUE);
    g_free(self);
}

static void add_symbol(GArray *symbols, guint32 id, guint32 length)
{
    gint32 at = (gint32)symbols->len;
    Symbol symbol = {id, length, at - 1, at + 1};
    g_array_append_val(symbols, symbol);
}

static gboolean has_affixes(const GlintBpe *self) { return self->prefix_length > 0 || self->word_suffix[0] != '\0'; }

/* The id of the character `text`, with the affixes of its place in the piece. */
static guint32 char_id(const GlintBpe *self, const char *text, gsize length, gunichar c, gboolean first, gboolean last, GString *buffer)
{
    if (!has_affixes(self) && c < DIRECT_CHARS)
        return self->direct[c];
    g_string_truncate(buffer, 0);
    g_string_append(buffer, first ? "" : self->continuing_prefix);
    g_string_append_len(buffer, text, (gssize)length);
    g_string_append(buffer, last ? self->word_suffix : "");
    return find_slot(self, buffer->str, buffer->len, (guint32)hash_text(buffer->str, buffer->len))->id;
}

/* The tokens of the bytes of `text`, or FALSE when one of them has none. */
static gboolean add_bytes(const GlintBpe *self, const char *text, gsize length, GArray *symbols)
{
    for (gsize i = 0; i < length; i++)
        if (self->bytes[(guint8)text[i]] == ABSENT)
            return FALSE;
    for (gsize i = 0; i < length; i++)
        add_symbol(symbols, self->bytes[(guint8)text[i]], 1);
    return TRUE;
}

/* Characters to symbols. An unknown character becomes its bytes, or the unknown token (a run of them one, when fused); the
 * unknown token is held back until the next known character, even over byte tokens, as upstream does it. */
static gboolean split_chars(const GlintBpe *self, const char *piece, gsize length, GlintBpeScratch *scratch, GError **error)
{
    GArray *symbols = scratch->symbols;
    guint32 pending = 0; /* bytes covered by the unknown token held back */
    gunichar c = 0;
    g_array_set_size(symbols, 0);
    for (gsize i = 0, n; i < length; i += n) {
        n = (gsize)ABS(glint_utf8_next(piece + i, length - i, &c));
        guint32 id = char_id(self, piece + i, n, c, i == 0, i + n == length, scratch->buffer);
        if (id != ABSENT) {
            if (pending)
                add_symbol(symbols, self->unk, pending);
            pending = 0;
            add_symbol(symbols, id, (guint32)n);
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
            add_symbol(symbols, self->unk, pending);
            pending = 0;
        }
        pending += (guint32)n;
    }
    if (pending)
        add_symbol(symbols, self->unk, pending);
    if (symbols->len > 0)
        g_array_index(symbols, Symbol, symbols->len - 1).next = -1;
    return TRUE;
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

static void propose(const GlintBpe *self, const Symbol *symbols, gint32 left, gint32 right, GArray *heap)
{
    const Merge *merge = find_merge(self, symbols[left].id, symbols[right].id);
    if (merge->pair != NO_PAIR)
        heap_push(heap, (Candidate){(guint64)merge->rank << 32 | (guint32)left, merge->id});
}

static void merge_all(const GlintBpe *self, GlintBpeScratch *scratch)
{
    Symbol *s = (Symbol *)(void *)scratch->symbols->data;
    gint32 n = (gint32)scratch->symbols->len;
    g_array_set_size(scratch->heap, 0);
    for (gint32 i = 0; i + 1 < n; i++)
        propose(self, s, i, i + 1, scratch->heap);
    while (scratch->heap->len > 0) {
        Candidate top = heap_pop(scratch->heap);
        gint32 at = (gint32)(guint32)top.key;
        gint32 right = s[at].next;
        if (s[at].length == 0 || right < 0)
            continue;
        const Merge *merge = find_merge(self, s[at].id, s[right].id); /* the pair may have changed since it was proposed */
        if (merge->pair == NO_PAIR || merge->id != top.id)
            continue;
        s[at].id = top.id;
        s[at].length += s[right].length;
        s[at].next = s[right].next;
        s[right].length = 0;
        if (s[at].next >= 0)
            s[s[at].next].previous = at;
        if (s[at].previous >= 0)
            propose(self, s, s[at].previous, at, scratch->heap);
        if (s[at].next >= 0)
            propose(self, s, at, s[at].next, scratch->heap);
    }
}

/* TRUE when the piece was in the cache; *slot is where it belongs in any case. */
static gboolean from_cache(const GlintBpe *self, const char *piece, gsize length, gpointer **slot, GArray *ids)
{
    *slot = &self->cache[hash_text(piece, length) % CACHE_SLOTS];
    const Cached *hit = g_atomic_pointer_get(*slot);
    if (!hit || hit->length != length || memcmp(&hit->ids[hit->n], piece, length) != 0)
        return FALSE;
    g_array_append_vals(ids, hit->ids, hit->n);
    return TRUE;
}

static void to_cache(gpointer *slot, const char *piece, gsize length, const guint32 *ids, gsize n)
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

gboolean glint_bpe_encode(const GlintBpe *self, const char *piece, gsize length, GlintBpeScratch *scratch, GArray *ids, GError **error)
{
    gpointer *slot = NULL;
    if (length == 0 || (self->cache && length <= CACHE_MAX_LENGTH && from_cache(self, piece, length, &slot, ids)))
        return TRUE;
    guint before = ids->len;
    gint64 whole = self->options.ignore_merges ? glint_bpe_id(self, piece, length) : -1;
    if (whole >= 0) {
        guint32 id = (guint32)whole;
        g_array_append_val(ids, id);
    } else {
        if (!split_chars(self, piece, length, scratch, error))
            return FALSE;
        merge_all(self, scratch);
        for (guint i = 0; i < scratch->symbols->len; i++) {
            const Symbol *symbol = &g_array_index(scratch->symbols, Symbol, i);
            if (symbol->length > 0)
                g_array_append_val(ids, symbol->id);
        }
    }
    if (slot)
        to_cache(slot, piece, length, ids->len > before ? &g_array_index(ids, guint32, before) : NULL, ids->len - before);
    return TRUE;
}
