/* tokenizer.model as a tokenizer: the SentencePiece model says how a text is normalized and cut; transformers' conventions
 * say what is put around it and which tokens are recognised in it:
 *   added tokens   those of "added_tokens_decoder" in tokenizer_config.json (which may also rename a piece kept free for it) and
 *                  of added_tokens.json, and the model's control and unknown pieces; found in the text as given
 *   dummy prefix   before each stretch between added tokens, or when "legacy" is false only before one that starts the text, and
 *                  not with a space
 *   BOS and EOS    "add_bos_token" and "add_eos_token"; else BOS where the model has one and no EOS, as the Llama, Gemma and Mistral
 *                  classes do, and the other way round for T5's
 * The decoder is that of transformers' converted files: U+2581 to spaces, bytes to text, the dummy prefix off. */
#include "text/tokenizer_spm.h"

#include "base/error.h"
#include "base/files.h"
#include "text/tokenizer_parts.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const json_t *config, *added, *empty; /* objects; the third for what has no flags */
    json_t *tokens; /* what tokenizer.json would hold under "added_tokens" */
    GHashTable *renamed; /* id → index in tokens + 1 */
} Builder;

/* ---- added tokens --------------------------------------------------------------------------------------------------- */

static gboolean add_token(Builder *b, gint64 id, const char *content, gsize length, const json_t *flags, gboolean special, GError **error)
{
    if (id < 0 || id > GLINT_MAX_TOKEN_ID || !content || length == 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "tokenizer_config.json or added_tokens.json: a token with a content and an id from 0 to %d was expected", GLINT_MAX_TOKEN_ID);
    if (g_hash_table_contains(b->renamed, GINT_TO_POINTER((gint)id)))
        return TRUE;
    GError *local = NULL;
    json_t *token = json_pack("{s:I, s:o, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)id, "content", json_stringn(content, length), "special",
                              glint_json_bool(flags, "special", special, &local), "normalized", FALSE, "single_word", glint_json_bool(flags, "single_word", FALSE, &local),
                              "lstrip", glint_json_bool(flags, "lstrip", FALSE, &local), "rstrip", glint_json_bool(flags, "rstrip", FALSE, &local));
    if (local) {
        g_propagate_prefixed_error(error, local, "tokenizer_config.json: ");
        json_decref(token);
        return FALSE;
    }
    json_array_append_new(b->tokens, token);
    g_hash_table_insert(b->renamed, GINT_TO_POINTER((gint)id), GSIZE_TO_POINTER(json_array_size(b->tokens)));
    return TRUE;
}

/* {"0": {"content": "<unk>", "special": true, ...}, ...} */
static gboolean add_decoder_tokens(Builder *b, GError **error)
{
    const char *key;
    json_t *value, *decoder = json_object_get(b->config, "added_tokens_decoder");
    if (decoder && !json_is_object(decoder) && !json_is_null(decoder))
        return glint_fail(error, GLINT_ERROR_FORMAT, "tokenizer_config.json: \"added_tokens_decoder\" must be an object");
    json_object_foreach(decoder, key, value) {
        gint64 id;
        const json_t *content = json_object_get(value, "content");
        if (!g_ascii_string_to_signed(key, 10, 0, GLINT_MAX_TOKEN_ID, &id, NULL))
            id = -1;
        if (!add_token(b, id, json_string_value(content), json_string_length(content), value, FALSE, error))
            return FALSE;
    }
    json_object_foreach((json_t *)b->added, key, value) {
        if (!add_token(b, json_is_integer(value) ? json_integer_value(value) : -1, key, strlen(key), b->empty, TRUE, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean add_control_pieces(Builder *b, const GlintSpmModel *model, GError **error)
{
    for (guint i = 0; i < model->pieces->len; i++) {
        const GlintSpmPiece *piece = &g_array_index(model->pieces, GlintSpmPiece, i);
        if ((piece->type == GLINT_SPM_CONTROL || piece->type == GLINT_SPM_UNKNOWN) && memchr(piece->text.data, 0, piece->text.length) == NULL &&
            !add_token(b, i, piece->text.data, piece->text.length, b->empty, TRUE, error))
            return FALSE;
    }
    return TRUE;
}

/* The pieces under their ids; an added token's content replaces that of its piece. */
static gboolean fill_vocabulary(const Builder *b, const GlintSpmModel *model, GlintVocabulary *vocabulary, GError **error)
{
    glint_vocabulary_reserve(vocabulary, model->pieces->len);
    for (guint i = 0; i < model->pieces->len; i++) {
        GlintSpmBytes text = g_array_index(model->pieces, GlintSpmPiece, i).text;
        gsize renamed = GPOINTER_TO_SIZE(g_hash_table_lookup(b->renamed, GUINT_TO_POINTER(i)));
        if (renamed > 0) {
            const json_t *content = json_object_get(json_array_get(b->tokens, renamed - 1), "content");
            text = (GlintSpmBytes){json_string_value(content), json_string_length(content)};
        }
        if (!glint_vocabulary_add(vocabulary, text.data, text.length, i, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- BOS and EOS ---------------------------------------------------------------------------------------------------- */

/* Appends the id of the token to put around texts; its name is in tokenizer_config.json (a string, or an object), or the model's. */
static gboolean add_around(const Builder *b, const GlintTokenizer *self, const char *which, GlintSpmBytes name, gboolean fallback, GArray *ids, GError **error)
{
    GError *local = NULL;
    g_autofree char *switch_key = g_strdup_printf("add_%s_token", which), *key = g_strdup_printf("%s_token", which);
    gboolean wanted = glint_json_bool(b->config, switch_key, fallback, &local);
    if (local) {
        g_propagate_prefixed_error(error, local, "tokenizer_config.json: ");
        return FALSE;
    }
    if (!wanted)
        return TRUE;
    const json_t *value = json_object_get(b->config, key);
    value = json_is_object(value) ? json_object_get(value, "content") : value;
    g_autofree char *text = json_is_string(value) ? g_strdup(json_string_value(value)) : g_strndup(name.data, name.length);
    gint64 found = glint_tokenizer_id(self, text);
    if (found < 0 && json_object_get(b->config, switch_key))
        return glint_fail(error, GLINT_ERROR_FORMAT, "tokenizer_config.json: \"%s\" is true, but the tokenizer has no token \"%s\"", switch_key, text);
    guint32 id = (guint32)found;
    if (found >= 0)
        g_array_append_val(ids, id);
    return TRUE;
}

static gboolean is_t5(const json_t *config)
{
    const char *class_name = json_string_value(json_object_get(config, "tokenizer_class"));
    return class_name && strstr(class_name, "T5Tokenizer") != NULL;
}

/* ---- building ------------------------------------------------------------------------------------------------------- */

static GlintDecoder *make_decoder(const GlintSpmModel *model, GError **error)
{
    g_autoptr(json_t) steps = json_array();
    if (model->escape_whitespaces)
        json_array_append_new(steps, json_pack("{s:s, s:{s:s}, s:s}", "type", "Replace", "pattern", "String", "\xE2\x96\x81", "content", " "));
    if (model->byte_fallback)
        json_array_append_new(steps, json_pack("{s:s}", "type", "ByteFallback"));
    json_array_append_new(steps, json_pack("{s:s}", "type", "Fuse"));
    if (model->add_dummy_prefix)
        json_array_append_new(steps, json_pack("{s:s, s:s, s:i, s:i}", "type", "Strip", "content", " ", "start", 1, "stop", 0));
    g_autoptr(json_t) spec = json_pack("{s:s, s:O}", "type", "Sequence", "decoders", steps);
    return glint_decoder_new(spec, error);
}

static gboolean make_model(GlintTokenizer *self, const GlintSpmModel *model, GError **error)
{
    guint32 bytes[256];
    glint_vocabulary_byte_tokens(self->vocabulary, bytes);
    for (guint b = 0; model->byte_fallback && b < 256; b++)
        if (bytes[b] == G_MAXUINT32)
            return glint_fail(error, GLINT_ERROR_FORMAT, "byte_fallback is on, but there is no piece <0x%02X>; the file is damaged, or added_tokens_decoder renames it", b);
    if (model->model_type == GLINT_SPM_BPE) {
        self->spm_bpe = glint_spm_bpe_new(self->vocabulary, model);
        return TRUE;
    }
    const GlintUnigramOptions options = {.sentencepiece = TRUE, .byte_fallback = model->byte_fallback, .unk = model->unk};
    self->unigram = glint_unigram_new(self->vocabulary, &options);
    for (guint i = 0; i < model->pieces->len; i++) {
        const GlintSpmPiece *piece = &g_array_index(model->pieces, GlintSpmPiece, i);
        GlintUnigramKind kind = piece->type == GLINT_SPM_NORMAL         ? GLINT_UNIGRAM_NORMAL
                                : piece->type == GLINT_SPM_USER_DEFINED ? GLINT_UNIGRAM_USER_DEFINED
                                                                        : GLINT_UNIGRAM_OUTSIDE;
        glint_unigram_set(self->unigram, i, (double)piece->score, kind);
    }
    return TRUE;
}

static gboolean build(Builder *b, GlintTokenizer *self, const GlintSpmModel *model, GError **error)
{
    GError *local = NULL;
    gboolean legacy = glint_json_bool(b->config, "legacy", TRUE, &local), t5 = is_t5(b->config);
    if (local) {
        g_propagate_prefixed_error(error, local, "tokenizer_config.json: ");
        return FALSE;
    }
    if (!add_decoder_tokens(b, error) || !add_control_pieces(b, model, error) || !fill_vocabulary(b, model, self->vocabulary, error) ||
        !make_model(self, model, error))
        return FALSE;
    self->normalizer = glint_normalizer_new_spm(model, legacy, error);
    self->pretokenizer = glint_pretokenizer_new(NULL, NULL);
    self->decoder = make_decoder(model, error);
    self->added = self->normalizer ? glint_added_tokens_new(b->tokens, self->normalizer, error) : NULL;
    return self->added && add_around(b, self, "bos", model->bos, !t5, self->postprocessor.prefix, error) &&
           add_around(b, self, "eos", model->eos, t5, self->postprocessor.suffix, error) && glint_tokenizer_finish(self, error);
}

/* By which a tokenizer is known: the model, and what of the files beside it decides how a text is cut. */
static char *identity_of(const char *bytes, gsize length, const json_t *config, const json_t *added)
{
    static const char *const keys[] = {"added_tokens_decoder", "legacy", "add_bos_token", "add_eos_token", "bos_token", "eos_token", "tokenizer_class"};
    g_autofree char *of_model = glint_sha256_bytes(bytes, length);
    g_autoptr(json_t) beside = json_object();
    for (gsize k = 0; k < G_N_ELEMENTS(keys); k++)
        if (json_object_get(config, keys[k]))
            json_object_set(beside, keys[k], json_object_get(config, keys[k]));
    if (json_object_size(added) > 0)
        json_object_set(beside, "added_tokens", (json_t *)(gsize)added);
    if (json_object_size(beside) == 0)
        return g_steal_pointer(&of_model);
    char *text = json_dumps(beside, JSON_COMPACT | JSON_SORT_KEYS);
    g_autofree char *both = g_strconcat(of_model, text, NULL);
    free(text);
    return glint_sha256_bytes(both, strlen(both));
}

GlintTokenizer *glint_tokenizer_parse_spm(const char *bytes, gsize length, const json_t *config, const json_t *added, const char *name, GError **error)
{
    g_autoptr(GlintTokenizer) self = g_new0(GlintTokenizer, 1);
    self->vocabulary = glint_vocabulary_new();
    glint_postprocessor_init(&self->postprocessor);
    g_autoptr(json_t) empty = json_object();
    Builder builder = {config ? config : empty, added ? added : empty, empty, json_array(), g_hash_table_new(NULL, NULL)};
    GlintSpmModel model;
    gboolean ok = glint_spm_model_read(&model, bytes, length, error) && build(&builder, self, &model, error);
    glint_spm_model_clear(&model);
    g_hash_table_unref(builder.renamed);
    json_decref(builder.tokens);
    if (!ok) {
        g_prefix_error(error, "%s: ", name);
        return NULL;
    }
    self->sha256 = identity_of(bytes, length, config, added);
    return g_steal_pointer(&self);
}

/* A file beside `path`; *value stays NULL when there is none. */
static gboolean read_beside(const char *path, const char *name, json_t **value, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path), *file = g_build_filename(folder, name, NULL);
    if (!g_file_test(file, G_FILE_TEST_EXISTS))
        return TRUE;
    *value = glint_json_read(file, error);
    return *value && (json_is_object(*value) || glint_fail(error, GLINT_ERROR_FORMAT, "%s: an object was expected", file));
}

GlintTokenizer *glint_tokenizer_open_spm(const char *path, GError **error)
{
    g_autoptr(json_t) config = NULL;
    g_autoptr(json_t) added = NULL;
    if (!read_beside(path, "tokenizer_config.json", &config, error) || !read_beside(path, "added_tokens.json", &added, error))
        return NULL;
    GMappedFile *map = glint_map_file(path, error);
    if (!map)
        return NULL;
    GlintTokenizer *self = glint_tokenizer_parse_spm(g_mapped_file_get_contents(map), g_mapped_file_get_length(map), config, added, path, error);
    g_mapped_file_unref(map);
    return self;
}
