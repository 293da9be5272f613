/* SentencePiece's BPE: any two neighbours whose joined text is a piece may merge, and the piece of the highest score goes first. So
 * merges are looked up by text, and characters that are no pieces take part. What differs from the listed merges besides:
 * user-defined pieces are cut out first and merge with nothing; pieces marked unused may be merged through, but a symbol that ends as
 * one is taken apart again; a run of unknown characters is one unknown piece (or their bytes). */
#include "text/spm_bpe.h"

#include "text/bpe_merge.h"
#include "text/tokenizer_utf8.h"
#include "text/trie.h"

#include <stdlib.h>
#include <string.h>

#define ABSENT G_MAXUINT32
enum { DIRECT_CHARS = 0x3000 };

struct GlintSpmBpe {
    const GlintVocabulary *vocabulary;
    guint32 *ranks; /* by id: how many different scores are higher; ABSENT: no merge makes this piece */
    gboolean *unused;
    gboolean any_unused, byte_fallback;
    guint32 unk, bytes[256], direct[DIRECT_CHARS];
    GlintTrie *user_defined;
};

struct GlintSpmBpeScratch {
    GlintSymbols symbols;
    GHashTable *left_of; /* id of an unused piece → bytes of its left part, as last proposed */
    GArray *parts;       /* Part: a stack */
    const GlintSpmBpe *model;
    const char *text;
};

typedef struct {
    guint32 start, length, id;
} Part;

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static void rank_pieces(GlintSpmBpe *self, const GlintSpmModel *model)
{
    guint n = model->pieces->len, n_different = 0;
    g_autofree float *scores = g_new(float, n);
    for (guint i = 0; i < n; i++)
        scores[i] = g_array_index(model->pieces, GlintSpmPiece, i).score;
    qsort(scores, n, sizeof *scores, descending);
    for (guint i = 0; i < n; i++)
        if (i == 0 || scores[i] < scores[n_different - 1])
            scores[n_different++] = scores[i];
    for (guint i = 0; i < n; i++) {
        const GlintSpmPiece *piece = &g_array_index(model->pieces, GlintSpmPiece, i);
        gboolean made = piece->type == GLINT_SPM_NORMAL || piece->type == GLINT_SPM_USER_DEFINED || piece->type == GLINT_SPM_UNUSED;
        const float *rank = bsearch(&piece->score, scores, n_different, sizeof *scores, descending);
        self->ranks[i] = made ? (guint32)(rank - scores) : ABSENT;
    }
}

GlintSpmBpe *glint_spm_bpe_new(const GlintVocabulary *vocabulary, const GlintSpmModel *model)
{
    GlintSpmBpe *self = g_new0(GlintSpmBpe, 1);
    self->vocabulary = vocabulary;
    self->unk = model->unk;
    self->byte_fallback = model->byte_fallback;
    self->user_defined = glint_trie_new();
    self->ranks = g_new(guint32, glint_vocabulary_size(vocabulary));
    self->unused = g_new0(gboolean, glint_vocabulary_size(vocabulary));
    rank_pieces(self, model);
    for (guint i = 0; i < model->pieces->len; i++) {
        const GlintSpmPiece *piece = &g_array_index(model->pieces, GlintSpmPiece, i);
        if (piece->type == GLINT_SPM_USER_DEFINED)
            glint_trie_add(self->user_defined, piece->text.data, piece->text.length, (gint32)i);
        self->unused[i] = piece->type == GLINT_SPM_UNUSED;
        self->any_unused |= self->unused[i];
    }
    glint_vocabulary_byte_tokens(vocabulary, self->bytes);
    glint_vocabulary_characters(vocabulary, self->direct, DIRECT_CHARS);
    return self;
}

void glint_spm_bpe_free(GlintSpmBpe *self)
{
    if (!self)
        return;
    glint_trie_free(self->user_defined);
    g_free(self->ranks);
    g_free(self->unused);
    g_free(self);
}

gboolean glint_spm_bpe_has_unused(const GlintSpmBpe *self) { return self->any_unused; }

GlintSpmBpeScratch *glint_spm_bpe_scratch_new(void)
{
    GlintSpmBpeScratch *self = g_new0(GlintSpmBpeScratch, 1);
    glint_symbols_init(&self->symbols);
    self->left_of = g_hash_table_new(NULL, NULL);
    self->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    return self;
}

void glint_spm_bpe_scratch_free(GlintSpmBpeScratch *self)
{
    if (!self)
        return;
    glint_symbols_clear(&self->symbols);
    g_hash_table_unref(self->left_of);
    g_array_unref(self->parts);
    g_free(self);
}

/* ---- encoding ------------------------------------------------------------------------------------------------------- */

static gboolean find_by_text(gconstpointer rules, const GlintSymbol *left, const GlintSymbol *right, guint32 *rank, guint32 *id)
{
    const GlintSpmBpeScratch *scratch = rules;
    const GlintSpmBpe *self = scratch->model;
    if (left->frozen || right->frozen)
        return FALSE;
    gint64 whole = glint_vocabulary_id(self->vocabulary, scratch->text + left->start, (gsize)left->length + right->length);
    if (whole < 0 || self->ranks[whole] == ABSENT)
        return FALSE;
    *id = (guint32)whole;
    *rank = self->ranks[whole];
    if (self->any_unused && self->unused[whole])
        g_hash_table_insert(scratch->left_of, GUINT_TO_POINTER(*id), GUINT_TO_POINTER(left->length));
    return TRUE;
}

static void split_chars(const GlintSpmBpe *self, const char *text, gsize length, GlintSymbols *symbols)
{
    gunichar c = 0;
    glint_symbols_reset(symbols);
    for (gsize i = 0, n; i < length; i += n) {
        gint32 piece = -1;
        n = glint_trie_longest(self->user_defined, text + i, length - i, &piece);
        if (n > 0) {
            glint_symbols_add(symbols, (guint32)piece, (guint32)n, TRUE);
            continue;
        }
        n = (gsize)ABS(glint_utf8_next(text + i, length - i, &c));
        gint64 id = c < DIRECT_CHARS ? (gint64)self->direct[c] : glint_vocabulary_id(self->vocabulary, text + i, n);
        glint_symbols_add(symbols, id < 0 ? ABSENT : (guint32)id, (guint32)n, FALSE);
    }
}

/* One final symbol; *unknown: the last id is the unknown piece for what stands just before. */
static void emit(const GlintSpmBpe *self, const Part *part, const char *text, GArray *ids, gboolean *unknown)
{
    if (part->id != ABSENT && part->id != self->unk) {
        g_array_append_val(ids, part->id);
        *unknown = FALSE;
    } else if (self->byte_fallback) {
        for (guint32 i = 0; i < part->length; i++)
            g_array_append_val(ids, self->bytes[(guint8)text[part->start + i]]);
        *unknown = FALSE;
    } else {
        if (!*unknown)
            g_array_append_val(ids, self->unk);
        *unknown = TRUE;
    }
}

static void emit_unused(const GlintSpmBpe *self, Part part, GlintSpmBpeScratch *scratch, GArray *ids, gboolean *unknown)
{
    g_array_set_size(scratch->parts, 0);
    g_array_append_val(scratch->parts, part);
    while (scratch->parts->len > 0) {
        part = g_array_index(scratch->parts, Part, scratch->parts->len - 1);
        g_array_set_size(scratch->parts, scratch->parts->len - 1);
        guint32 left = part.id != ABSENT && self->unused[part.id] ? GPOINTER_TO_UINT(g_hash_table_lookup(scratch->left_of, GUINT_TO_POINTER(part.id))) : 0;
        if (left == 0 || left >= part.length) {
            emit(self, &part, scratch->text, ids, unknown);
            continue;
        }
        const Part halves[2] = {{part.start + left, part.length - left, 0}, {part.start, left, 0}};
        for (int k = 0; k < 2; k++) {
            Part half = halves[k];
            gint64 id = glint_vocabulary_id(self->vocabulary, scratch->text + half.start, half.length);
            half.id = id < 0 ? ABSENT : (guint32)id;
            g_array_append_val(scratch->parts, half);
        }
    }
}

void glint_spm_bpe_encode(const GlintSpmBpe *self, const char *text, gsize length, GlintSpmBpeScratch *scratch, GArray *ids)
{
    gboolean unknown = FALSE;
    scratch->model = self;
    scratch->text = text;
    if (self->any_unused)
        g_hash_table_remove_all(scratch->left_of);
    split_chars(self, text, length, &scratch->symbols);
    glint_symbols_merge(&scratch->symbols, find_by_text, scratch);
    for (guint i = 0; i < scratch->symbols.symbols->len; i++) {
        const GlintSymbol *symbol = &g_array_index(scratch->symbols.symbols, GlintSymbol, i);
        Part part = {symbol->start, symbol->length, symbol->id};
        if (symbol->length > 0 && self->any_unused)
            emit_unused(self, part, scratch, ids, &unknown);
        else if (symbol->length > 0)
            emit(self, &part, text, ids, &unknown);
    }
}
