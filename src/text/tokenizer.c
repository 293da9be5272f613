/* The tokenizer: opens tokenizer.json, owns its parts, and runs them over a text in the order of Hugging Face's tokenizers
 * library (https://github.com/huggingface/tokenizers), whose ids it reproduces:
 *   ill-formed UTF-8 → U+FFFD; split off added tokens; per stretch between them: normalize, split off "normalized" added tokens;
 *   pre-tokenize; byte-pair encoding per piece; ids of the post-processor around.
 * "truncation" and "padding" in the file are not applied: in practice the caller sets them, and glint has --max-tokens. */
#include "text/tokenizer.h"

#include "base/error.h"
#include "base/files.h"
#include "text/tokenizer_json.h"
#include "text/tokenizer_parts.h"
#include "text/tokenizer_spm.h"
#include "text/tokenizer_utf8.h"

#include <string.h>

enum { MAX_FILE = 1 << 30, MAX_TEXT = 1 << 28 };
static const char space_symbol[] = "\xE2\x96\x81";

/* ---- opening -------------------------------------------------------------------------------------------------------- */

/* The type, which files of 2019 leave out of a model with merges. */
static gboolean check_model_type(const json_t *model, GError **error)
{
    const json_t *type = json_object_get(model, "type");
    if (!json_is_object(model))
        return glint_fail(error, GLINT_ERROR_FORMAT, "\"model\" must be an object: is this a tokenizer.json?");
    if (!type && json_object_get(model, "merges"))
        return TRUE;
    if (!json_is_string(type))
        return glint_fail(error, GLINT_ERROR_FORMAT, "model: a \"type\" was expected");
    return g_str_equal(json_string_value(type), "BPE") || g_str_equal(json_string_value(type), "Unigram") ||
           glint_component_refuse(json_string_value(type), "model", "BPE, Unigram", error);
}

static gboolean read_bpe(GlintTokenizer *self, const GlintTokenizerJson *json, const json_t *model, GError **error)
{
    GError *local = NULL;
    GlintBpeOptions options = {
        .continuing_prefix = glint_json_string(model, "continuing_subword_prefix", NULL, &local),
        .word_suffix = glint_json_string(model, "end_of_word_suffix", NULL, &local),
        .unk_token = glint_json_string(model, "unk_token", NULL, &local),
        .fuse_unk = glint_json_bool(model, "fuse_unk", FALSE, &local),
        .byte_fallback = glint_json_bool(model, "byte_fallback", FALSE, &local),
    };
    self->ignore_merges = glint_json_bool(model, "ignore_merges", FALSE, &local);
    double dropout = glint_json_real(model, "dropout", 0, &local);
    if (local) {
        g_propagate_prefixed_error(error, local, "model: ");
        return FALSE;
    }
    if (dropout != 0)
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "model: \"dropout\" is %g, which makes ids random; set it to null", dropout);
    if (!glint_tokenizer_json_vocabulary(json, self->vocabulary, error))
        return FALSE;
    self->bpe = glint_bpe_new(self->vocabulary, &options);
    return glint_tokenizer_json_merges(json, self->bpe, error) && glint_bpe_seal(self->bpe, error);
}

static gboolean read_unigram(GlintTokenizer *self, const GlintTokenizerJson *json, const json_t *model, GError **error)
{
    GError *local = NULL;
    GlintUnigramOptions options = {.unk = glint_json_int(model, "unk_id", -1, &local), .byte_fallback = glint_json_bool(model, "byte_fallback", FALSE, &local)};
    if (local) {
        g_propagate_prefixed_error(error, local, "model: ");
        return FALSE;
    }
    g_autoptr(GArray) scores = g_array_new(FALSE, FALSE, sizeof(double));
    if (!glint_tokenizer_json_scores(json, self->vocabulary, scores, error))
        return FALSE;
    if (options.unk >= (gint64)scores->len)
        return glint_fail(error, GLINT_ERROR_FORMAT, "model.unk_id is %" G_GINT64_FORMAT ", but model.vocab has %u tokens", options.unk, scores->len);
    self->unigram = glint_unigram_new(self->vocabulary, &options);
    for (guint i = 0; i < scores->len; i++)
        glint_unigram_set(self->unigram, i, g_array_index(scores, double, i), GLINT_UNIGRAM_NORMAL);
    return TRUE;
}

static gboolean read_model(GlintTokenizer *self, const GlintTokenizerJson *json, GError **error)
{
    const json_t *model = json_object_get(json->root, "model");
    if (!check_model_type(model, error))
        return FALSE;
    gboolean unigram = g_strcmp0(json_string_value(json_object_get(model, "type")), "Unigram") == 0;
    if (unigram ? !read_unigram(self, json, model, error) : !read_bpe(self, json, model, error))
        return FALSE;
    if (glint_vocabulary_n(self->vocabulary) == 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "model.vocab is empty");
    return TRUE;
}

/* SentencePiece-style tokenizers hand over whole texts as one piece. But where no token holds the byte before a U+2581 together with
 * it, no merge crosses that place: the words on both sides are merged by themselves, which is faster, and makes them short enough
 * to be remembered. (Not so for Unigram models, where the rounding of sums from the start of the text decides ties.) */
static void find_word_cuts(GlintTokenizer *self)
{
    gboolean may = self->bpe ? glint_bpe_may_cut(self->bpe) : self->spm_bpe && !glint_spm_bpe_has_unused(self->spm_bpe);
    self->cut_words = may && glint_vocabulary_id(self->vocabulary, space_symbol, strlen(space_symbol)) >= 0;
    for (gsize id = 0; self->cut_words && id < glint_vocabulary_size(self->vocabulary); id++) {
        gsize length = 0;
        const char *token = glint_vocabulary_token(self->vocabulary, (guint32)id, &length);
        for (const char *p = token; length > 1 && (p = memmem(p + 1, (gsize)(token + length - p - 1), space_symbol, strlen(space_symbol))) != NULL;)
            self->joined[(guint8)p[-1]] = TRUE;
    }
}

gboolean glint_tokenizer_finish(GlintTokenizer *self, GError **error)
{
    self->size = glint_vocabulary_size(self->vocabulary);
    for (guint k = 0; k < glint_added_tokens_n(self->added); k++) {
        const GlintAddedToken *token = glint_added_tokens_nth(self->added, k);
        gint64 known = glint_vocabulary_id(self->vocabulary, token->content->str, token->content->len);
        const char *other = glint_vocabulary_token(self->vocabulary, token->id, NULL);
        if (known >= 0 && known != token->id)
            return glint_fail(error, GLINT_ERROR_FORMAT, "added token \"%s\" has id %u, but %" G_GINT64_FORMAT " in model.vocab; make them agree",
                              token->content->str, token->id, known);
        if (known < 0 && other)
            return glint_fail(error, GLINT_ERROR_FORMAT, "added token \"%s\" has id %u, which model.vocab gives to \"%s\"", token->content->str, token->id, other);
        self->size = MAX(self->size, (gsize)token->id + 1);
    }
    const GArray *around[2] = {self->postprocessor.prefix, self->postprocessor.suffix};
    for (int side = 0; side < 2; side++)
        for (guint i = 0; i < around[side]->len; i++)
            if (!glint_tokenizer_token(self, g_array_index(around[side], guint32, i)))
                return glint_fail(error, GLINT_ERROR_FORMAT, "the post-processor adds token id %u, which does not exist", g_array_index(around[side], guint32, i));
    find_word_cuts(self);
    if (self->cut_words || glint_pretokenizer_splits(self->pretokenizer))
        self->cache = glint_piece_cache_new();
    return TRUE;
}

static gboolean read_parts(GlintTokenizer *self, const GlintTokenizerJson *json, GError **error)
{
    const json_t *root = json->root;
    if (!json_is_object(root))
        return glint_fail(error, GLINT_ERROR_FORMAT, "an object was expected: is this a tokenizer.json?");
    self->normalizer = glint_normalizer_new(json_object_get(root, "normalizer"), error);
    if (!self->normalizer)
        return FALSE;
    self->pretokenizer = glint_pretokenizer_new(json_object_get(root, "pre_tokenizer"), error);
    self->decoder = self->pretokenizer ? glint_decoder_new(json_object_get(root, "decoder"), error) : NULL;
    if (!self->decoder || !glint_postprocessor_read(&self->postprocessor, json_object_get(root, "post_processor"), error) ||
        !read_model(self, json, error))
        return FALSE;
    self->added = glint_added_tokens_new(json_object_get(root, "added_tokens"), self->normalizer, error);
    return self->added && glint_tokenizer_finish(self, error);
}

GlintTokenizer *glint_tokenizer_parse(const char *json, gsize length, const char *name, GError **error)
{
    if (length > MAX_FILE) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: %" G_GSIZE_FORMAT " bytes are too many for a tokenizer.json", name, length);
        return NULL;
    }
    g_autoptr(GlintTokenizer) self = g_new0(GlintTokenizer, 1);
    self->vocabulary = glint_vocabulary_new();
    glint_postprocessor_init(&self->postprocessor);
    GlintTokenizerJson document;
    gboolean ok = glint_tokenizer_json_parse(&document, json, length, error) && read_parts(self, &document, error);
    glint_tokenizer_json_clear(&document);
    if (!ok) {
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    self->sha256 = glint_sha256_bytes(json, length);
    return g_steal_pointer(&self);
}

/* The file to read of a model folder: tokenizer.json, else tokenizer.model. */
static char *file_of_folder(const char *folder, GError **error)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model"};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *file = g_build_filename(folder, names[i], NULL);
        if (g_file_test(file, G_FILE_TEST_EXISTS))
            return g_steal_pointer(&file);
    }
    glint_fail(error, GLINT_ERROR_IO,
               "%s/tokenizer.json: no such file, and no tokenizer.model; save the model's tokenizer in the fast form "
               "(AutoTokenizer.from_pretrained(…).save_pretrained(…) of transformers)",
               folder);
    return NULL;
}

GlintTokenizer *glint_tokenizer_open(const char *path, GError **error)
{
    g_autofree char *file = g_file_test(path, G_FILE_TEST_IS_DIR) ? file_of_folder(path, error) : g_strdup(path);
    if (!file)
        return NULL;
    if (g_str_has_suffix(file, ".model"))
        return glint_tokenizer_open_spm(file, error);
    GMappedFile *map = glint_map_file(file, error);
    if (!map)
        return NULL;
    GlintTokenizer *self = glint_tokenizer_parse(g_mapped_file_get_contents(map), g_mapped_file_get_length(map), file, error);
    g_mapped_file_unref(map);
    return self;
}

void glint_tokenizer_free(GlintTokenizer *self)
{
    if (!self)
        return;
    glint_bpe_free(self->bpe);
    glint_unigram_free(self->unigram);
    glint_spm_bpe_free(self->spm_bpe);
    glint_vocabulary_free(self->vocabulary);
    glint_piece_cache_free(self->cache);
    glint_normalizer_free(self->normalizer);
    glint_added_tokens_free(self->added);
    glint_pretokenizer_free(self->pretokenizer);
    glint_postprocessor_clear(&self->postprocessor);
    glint_decoder_free(self->decoder);
    g_free(self->sha256);
    g_free(self);
}

/* ---- looking up ----------------------------------------------------------------------------------------------------- */

gsize glint_tokenizer_size(const GlintTokenizer *self) { return self->size; }

static const char *token_bytes(const GlintTokenizer *self, guint32 id, gsize *length)
{
    const GlintAddedToken *added = glint_added_tokens_by_id(self->added, id);
    if (!added)
        return glint_vocabulary_token(self->vocabulary, id, length);
    *length = added->content->len;
    return added->content->str;
}

const char *glint_tokenizer_token(const GlintTokenizer *self, guint32 id)
{
    gsize length;
    return token_bytes(self, id, &length);
}

gint64 glint_tokenizer_id(const GlintTokenizer *self, const char *token)
{
    const GlintAddedToken *added = glint_added_tokens_by_text(self->added, token);
    return added ? (gint64)added->id : glint_vocabulary_id(self->vocabulary, token, strlen(token));
}

gboolean glint_tokenizer_is_special(const GlintTokenizer *self, guint32 id)
{
    const GlintAddedToken *added = glint_added_tokens_by_id(self->added, id);
    return added && added->special;
}

const char *glint_tokenizer_sha256(const GlintTokenizer *self) { return self->sha256; }

gsize glint_tokenizer_n_prefix(const GlintTokenizer *self) { return self->postprocessor.prefix->len; }

/* ---- encoding ------------------------------------------------------------------------------------------------------- */

/* Normalizes one stretch of the raw text and cuts the "normalized" added tokens out of it; all goes to `pieces`. */
static gboolean add_stretch(const GlintTokenizer *self, const char *text, const GlintStretch *stretch, GlintPieces *pieces, GArray *inner, GError **error)
{
    if (stretch->id != GLINT_NO_TOKEN) {
        GlintPiece piece = {pieces->text->len, pieces->text->len, stretch->id, stretch->start == 0};
        if (stretch->end > stretch->start)
            g_array_append_val(pieces->pieces, piece);
        return TRUE;
    }
    g_autoptr(GString) normal = g_string_new_len(text + stretch->start, (gssize)(stretch->end - stretch->start));
    if (!glint_normalizer_apply(self->normalizer, normal, stretch->start == 0, error))
        return FALSE;
    g_array_set_size(inner, 0);
    glint_added_tokens_find(self->added, TRUE, normal->str, normal->len, inner);
    gsize base = pieces->text->len;
    g_string_append_len(pieces->text, normal->str, (gssize)normal->len);
    for (guint k = 0; k < inner->len; k++) {
        const GlintStretch *part = &g_array_index(inner, GlintStretch, k);
        GlintPiece piece = {base + part->start, base + part->end, part->id, stretch->start == 0 && part->start == 0};
        if (part->end > part->start)
            g_array_append_val(pieces->pieces, piece);
    }
    return TRUE;
}

static gboolean cut_text(const GlintTokenizer *self, const char *text, gsize length, GlintPieces *pieces, GError **error)
{
    g_autoptr(GArray) outer = g_array_new(FALSE, FALSE, sizeof(GlintStretch));
    g_autoptr(GArray) inner = g_array_new(FALSE, FALSE, sizeof(GlintStretch));
    glint_added_tokens_find(self->added, FALSE, text, length, outer);
    for (guint k = 0; k < outer->len; k++)
        if (!add_stretch(self, text, &g_array_index(outer, GlintStretch, k), pieces, inner, error))
            return FALSE;
    return glint_pretokenizer_apply(self->pretokenizer, pieces, error);
}

typedef struct {
    GlintBpeScratch *bpe;
    GlintUnigramScratch *unigram;
    GlintSpmBpeScratch *spm_bpe;
} Scratch;

static gboolean add_whole(const GlintTokenizer *self, const char *piece, gsize length, GArray *ids)
{
    gint64 whole = glint_vocabulary_id(self->vocabulary, piece, length);
    guint32 id = (guint32)whole;
    if (whole >= 0)
        g_array_append_val(ids, id);
    return whole >= 0;
}

/* A piece, or a word cut out of one. */
static gboolean encode_word(const GlintTokenizer *self, const char *word, gsize length, Scratch *scratch, GArray *ids, GError **error)
{
    gpointer *slot = NULL;
    guint before = ids->len;
    gboolean ok = TRUE;
    if (self->cache && glint_piece_cache_get(self->cache, word, length, &slot, ids))
        return TRUE;
    if (!self->cut_words && self->ignore_merges && add_whole(self, word, length, ids))
        ok = TRUE;
    else if (self->bpe)
        ok = glint_bpe_encode(self->bpe, word, length, scratch->bpe, ids, error);
    else if (self->unigram)
        ok = glint_unigram_encode(self->unigram, word, length, scratch->unigram, ids, error);
    else
        glint_spm_bpe_encode(self->spm_bpe, word, length, scratch->spm_bpe, ids);
    if (ok && slot)
        glint_piece_cache_put(slot, word, length, ids->len > before ? &g_array_index(ids, guint32, before) : NULL, ids->len - before);
    return ok;
}

static gboolean encode_piece(const GlintTokenizer *self, const char *piece, gsize length, Scratch *scratch, GArray *ids, GError **error)
{
    gsize start = 0, n_space = strlen(space_symbol);
    if (!self->cut_words)
        return encode_word(self, piece, length, scratch, ids, error);
    if (self->ignore_merges && add_whole(self, piece, length, ids))
        return TRUE;
    for (gsize i = 1; i + n_space <= length; i++)
        if (piece[i] == space_symbol[0] && piece[i + 1] == space_symbol[1] && piece[i + 2] == space_symbol[2] && !self->joined[(guint8)piece[i - 1]]) {
            if (!encode_word(self, piece + start, i - start, scratch, ids, error))
                return FALSE;
            start = i;
        }
    return encode_word(self, piece + start, length - start, scratch, ids, error);
}

static gboolean encode_pieces(const GlintTokenizer *self, const GlintPieces *pieces, GArray *ids, GError **error)
{
    g_autoptr(GlintBpeScratch) bpe = self->bpe ? glint_bpe_scratch_new() : NULL;
    g_autoptr(GlintUnigramScratch) unigram = self->unigram ? glint_unigram_scratch_new() : NULL;
    g_autoptr(GlintSpmBpeScratch) spm_bpe = self->spm_bpe ? glint_spm_bpe_scratch_new() : NULL;
    Scratch scratch = {bpe, unigram, spm_bpe};
    for (guint k = 0; k < pieces->pieces->len; k++) {
        const GlintPiece *piece = &g_array_index(pieces->pieces, GlintPiece, k);
        if (piece->id != GLINT_NO_TOKEN)
            g_array_append_val(ids, piece->id);
        else if (piece->end > piece->start && !encode_piece(self, pieces->text->str + piece->start, piece->end - piece->start, &scratch, ids, error))
            return FALSE;
    }
    return TRUE;
}

gboolean glint_tokenizer_encode(const GlintTokenizer *self, const char *text, gssize length, gboolean add_special, GArray *ids, GError **error)
{
    gsize n = length < 0 ? strlen(text) : (gsize)length;
    if (n > MAX_TEXT)
        return glint_fail(error, GLINT_ERROR_DATA, "a text of %" G_GSIZE_FORMAT " bytes is too long to tokenize at once; split it into texts below %d bytes", n, MAX_TEXT);
    g_autoptr(GString) repaired = NULL;
    if (!glint_utf8_valid(text, n)) {
        repaired = g_string_sized_new(n + 16);
        glint_utf8_append_lossy(repaired, text, n);
        text = repaired->str;
        n = repaired->len;
    }
    guint before = ids->len;
    const GlintPostprocessor *around = &self->postprocessor;
    if (add_special && around->prefix->len > 0)
        g_array_append_vals(ids, around->prefix->data, around->prefix->len);
    GlintPieces pieces = {g_string_sized_new(n + n / 2 + 16), g_array_new(FALSE, FALSE, sizeof(GlintPiece))};
    gboolean ok = cut_text(self, text, n, &pieces, error) && encode_pieces(self, &pieces, ids, error);
    g_string_free(pieces.text, TRUE);
    g_array_unref(pieces.pieces);
    if (!ok) {
        g_array_set_size(ids, before);
        return FALSE;
    }
    if (add_special && around->suffix->len > 0)
        g_array_append_vals(ids, around->suffix->data, around->suffix->len);
    return TRUE;
}

/* ---- decoding ------------------------------------------------------------------------------------------------------- */

static void string_free(gpointer data) { g_string_free(data, TRUE); }

char *glint_tokenizer_decode_length(const GlintTokenizer *self, const guint32 *ids, gsize n, gboolean skip_special, gsize *length)
{
    g_autoptr(GPtrArray) tokens = g_ptr_array_new_with_free_func(string_free);
    for (gsize i = 0; i < n; i++) {
        gsize bytes = 0;
        const char *token = token_bytes(self, ids[i], &bytes);
        if (token && !(skip_special && glint_tokenizer_is_special(self, ids[i])))
            g_ptr_array_add(tokens, g_string_new_len(token, (gssize)bytes));
    }
    GString *text = glint_decoder_apply(self->decoder, tokens, NULL);
    if (!text) /* a Replace pattern of the decoder ran into the limits of PCRE2: see the header */
        text = g_string_new("\xEF\xBF\xBD");
    *length = text->len;
    return g_string_free(text, FALSE);
}

char *glint_tokenizer_decode(const GlintTokenizer *self, const guint32 *ids, gsize n, gboolean skip_special)
{
    gsize length;
    return glint_tokenizer_decode_length(self, ids, n, skip_special, &length);
}
