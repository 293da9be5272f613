/* SentencePiece models (tokenizer.model), Unigram models, and varied strings: golden ids of sentencepiece and tokenizers
 * (tools/reference/tokenizers_varied.py), what transformers puts around and cuts out (tokenizer_config.json), fast paths against plain
 * ones, and files that lie. */
#include "base/error.h"
#include "base/files.h"
#include "text/tokenizer_parts.h"
#include "text/tokenizer_spm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include <cmocka.h>

#define DATA GLINT_SOURCE_DIR "/tests/text/data/"

static GBytes *bytes_of(const char *path)
{
    char *content = NULL;
    gsize length = 0;
    if (!g_file_get_contents(path, &content, &length, NULL))
        fail_msg("cannot read %s", path);
    return g_bytes_new_take(content, length);
}

/* The strings of varied.txt: GBytes*. */
static GPtrArray *varied_strings(void)
{
    g_autoptr(GBytes) file = bytes_of(DATA "varied.txt");
    g_autofree char *text = g_strndup(g_bytes_get_data(file, NULL), g_bytes_get_size(file));
    g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);
    GPtrArray *strings = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (guint i = 0; lines[i]; i++) {
        gsize length = 0;
        guchar *raw = *lines[i] ? g_base64_decode(lines[i], &length) : NULL;
        g_ptr_array_add(strings, g_bytes_new_take(raw, length));
    }
    assert_int_equal(strings->len, 300);
    return strings;
}

static GArray *encode(const GlintTokenizer *tokenizer, const char *text, gsize length, gboolean special)
{
    GError *error = NULL;
    GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!glint_tokenizer_encode(tokenizer, text, (gssize)length, special, ids, &error))
        fail_msg("%s", error->message);
    return ids;
}

static GArray *encode_bytes(const GlintTokenizer *tokenizer, GBytes *text)
{
    const char *data = g_bytes_get_data(text, NULL);
    return encode(tokenizer, data ? data : "", g_bytes_get_size(text), FALSE);
}

/* ---- golden ids ----------------------------------------------------------------------------------------------------- */

/* 32-bit FNV-1a over the ids as little-endian 32-bit numbers. */
static guint32 hash_ids(const GArray *ids)
{
    guint32 h = 0x811C9DC5u;
    for (guint i = 0; i < ids->len; i++)
        for (guint shift = 0; shift < 32; shift += 8)
            h = (h ^ (g_array_index(ids, guint32, i) >> shift & 0xFF)) * 0x01000193u;
    return h;
}

static GlintTokenizer *open_golden(const json_t *entry)
{
    GError *error = NULL;
    g_autofree char *file = g_strconcat(DATA, json_string_value(json_object_get(entry, "file")), NULL);
    json_t *top = json_object_get(entry, "top");
    GlintTokenizer *tokenizer = NULL;
    if (top) {
        g_autoptr(json_t) spec = glint_json_read(file, NULL);
        json_object_update(spec, top);
        g_autofree char *text = json_dumps(spec, JSON_COMPACT);
        tokenizer = glint_tokenizer_parse(text, strlen(text), file, &error);
    } else {
        tokenizer = glint_tokenizer_open(file, &error);
    }
    if (!tokenizer)
        fail_msg("%s", error->message);
    return tokenizer;
}

static void test_golden_varied(void **state)
{
    (void)state;
    g_autoptr(GPtrArray) strings = varied_strings();
    g_autoptr(json_t) golden = glint_json_read(DATA "varied.golden.json", NULL);
    assert_int_equal(json_array_size(golden), 15);
    for (gsize k = 0; k < json_array_size(golden); k++) {
        const json_t *entry = json_array_get(golden, k);
        const char *hashes = json_string_value(json_object_get(entry, "hashes"));
        assert_int_equal(strlen(hashes), 8 * strings->len);
        g_autoptr(GlintTokenizer) tokenizer = open_golden(entry);
        guint n_checked = 0;
        for (guint i = 0; i < strings->len; i++) {
            if (hashes[8 * i] == '*')
                continue;
            g_autoptr(GArray) ids = encode_bytes(tokenizer, g_ptr_array_index(strings, i));
            char got[16];
            g_snprintf(got, sizeof got, "%08x", hash_ids(ids));
            if (memcmp(got, hashes + 8 * i, 8) != 0)
                fail_msg("%s (entry %zu), string %u: other ids than the reference's", json_string_value(json_object_get(entry, "file")), k, i + 1);
            n_checked++;
        }
        assert_true(n_checked > 280);
    }
}

/* ---- what stands beside the model ------------------------------------------------------------------------------------ */

static GlintTokenizer *parse_llama(const char *config_text)
{
    GError *error = NULL;
    g_autoptr(GBytes) model = bytes_of(DATA "spm_bpe_llama.model");
    g_autoptr(json_t) config = json_loads(config_text, 0, NULL);
    assert_non_null(config);
    GlintTokenizer *tokenizer = glint_tokenizer_parse_spm(g_bytes_get_data(model, NULL), g_bytes_get_size(model), config, NULL, "llama", &error);
    if (!tokenizer)
        fail_msg("%s", error->message);
    return tokenizer;
}

/* Runs are told apart by what decides how texts are cut, wherever it stands; a chat template does not. */
static void test_identity(void **state)
{
    (void)state;
    static const char *const configs[] = {"{}", "{\"legacy\":false}", "{\"legacy\":true}", "{\"add_bos_token\":false}", "{\"added_tokens_decoder\":{\"700\":{\"content\":\"<new>\"}}}"};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (gsize k = 0; k < G_N_ELEMENTS(configs); k++) {
        g_autoptr(GlintTokenizer) tokenizer = parse_llama(configs[k]);
        assert_int_equal(strlen(glint_tokenizer_sha256(tokenizer)), 64);
        assert_true(g_hash_table_add(seen, g_strdup(glint_tokenizer_sha256(tokenizer))));
    }
    g_autoptr(GlintTokenizer) chat = parse_llama("{\"chat_template\":\"x\",\"legacy\":false}");
    assert_true(g_hash_table_contains(seen, glint_tokenizer_sha256(chat)));
}

static void expect(const GlintTokenizer *tokenizer, const char *text, const guint32 *expected, gsize n, const char *decoded)
{
    g_autoptr(GArray) ids = encode(tokenizer, text, strlen(text), TRUE);
    assert_int_equal(ids->len, n);
    assert_memory_equal(ids->data, expected, n * sizeof *expected);
    g_autofree char *back = glint_tokenizer_decode(tokenizer, (const guint32 *)(const void *)ids->data, ids->len, TRUE);
    assert_string_equal(back, decoded);
}

#define EXPECT(tokenizer, text, decoded, ...)                                 \
    do {                                                                      \
        const guint32 expected_ids[] = {__VA_ARGS__};                         \
        expect(tokenizer, text, expected_ids, G_N_ELEMENTS(expected_ids), decoded); \
    } while (0)

#define LLAMA_TOKENS                                                                                                                     \
    "\"add_bos_token\":true,\"add_eos_token\":true,\"added_tokens_decoder\":{\"0\":{\"content\":\"<unk>\",\"special\":true},"             \
    "\"1\":{\"content\":\"<s>\",\"special\":true},\"2\":{\"content\":\"</s>\",\"special\":true},\"620\":{\"content\":\"<sep>\",\"lstrip\":true,\"rstrip\":true}}"

/* Ids and texts of transformers 5.24: class PreTrainedTokenizerFast for "legacy": true, LlamaTokenizer for false. */
static void test_config(void **state)
{
    (void)state;
    g_autoptr(GlintTokenizer) old = parse_llama("{\"legacy\":true," LLAMA_TOKENS "}");
    EXPECT(old, "<s> a</s>b", " a b", 1, 1, 579, 264, 2, 579, 601, 2);
    EXPECT(old, "a <s> b <sep> c", "a   b<sep> c", 1, 264, 579, 1, 429, 601, 620, 263, 2);
    EXPECT(old, " lead", " lead", 1, 429, 591, 580, 460, 2);
    EXPECT(old, "<unk>made <sep>  x", "made<sep> x", 1, 0, 325, 620, 579, 123, 2);
    assert_int_equal(glint_tokenizer_n_prefix(old), 1);
    assert_int_equal(glint_tokenizer_size(old), 621);
    assert_true(glint_tokenizer_is_special(old, 1));
    assert_false(glint_tokenizer_is_special(old, 620));
    g_autoptr(GlintTokenizer) new = parse_llama("{\"legacy\":false," LLAMA_TOKENS "}");
    EXPECT(new, "<s> a</s>b", "ab", 1, 1, 264, 2, 601, 2);
    EXPECT(new, "a <s> b <sep> c", "a  b<sep>c", 1, 264, 579, 1, 579, 601, 620, 592, 2);
    EXPECT(new, " lead", "lead", 1, 531, 580, 460, 2);
    EXPECT(new, "<unk>made <sep>  x", "made<sep>x", 1, 0, 382, 277, 620, 123, 2);
}

static void test_around(void **state)
{
    (void)state;
    g_autoptr(GlintTokenizer) plain = parse_llama("{}"); /* BOS as Llama's, Gemma's and Mistral's classes have it */
    EXPECT(plain, "a", "a", 1, 264);
    EXPECT(plain, "", "", 1);
    g_autoptr(GlintTokenizer) none = parse_llama("{\"add_bos_token\":false}");
    EXPECT(none, "a", "a", 264);
    g_autoptr(GlintTokenizer) t5 = parse_llama("{\"tokenizer_class\":\"T5TokenizerFast\"}");
    EXPECT(t5, "a", "a", 264, 2);
    g_autoptr(GlintTokenizer) named = parse_llama("{\"bos_token\":{\"content\":\"</s>\",\"lstrip\":false}}");
    EXPECT(named, "a", "a", 2, 264);
    /* a piece kept free for it is renamed */
    g_autoptr(GlintTokenizer) renamed = parse_llama("{\"added_tokens_decoder\":{\"2\":{\"content\":\"<end>\",\"special\":true}}}");
    EXPECT(renamed, "a<end>", "a", 1, 264, 2);
    assert_int_equal(glint_tokenizer_id(renamed, "</s>"), -1);
}

static void test_config_refused(void **state)
{
    (void)state;
    static const struct {
        const char *config, *says;
    } cases[] = {
        {"{\"add_bos_token\":true,\"bos_token\":\"<nope>\"}", "no token \"<nope>\""},
        {"{\"add_bos_token\":\"yes\"}", "tokenizer_config.json"},
        {"{\"legacy\":1}", "tokenizer_config.json"},
        {"{\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}", "a content and an id"},
        {"{\"added_tokens_decoder\":{\"5\":{}}}", "a content and an id"},
        {"{\"added_tokens_decoder\":[]}", "must be an object"},
        {"{\"added_tokens_decoder\":{\"99999999999\":{\"content\":\"y\"}}}", "a content and an id"},
        {"{\"added_tokens_decoder\":{\"2\":{\"content\":\"<s>\"}}}", "occurs twice"},
        {"{\"added_tokens_decoder\":{\"700\":{\"content\":\"a\"}}}", "make them agree"},
        {"{\"added_tokens_decoder\":{\"10\":{\"content\":\"<new>\"}}}", "no piece <0x07>"},
        {"{\"added_tokens_decoder\":{\"700\":{\"content\":\"<new>\",\"lstrip\":1}}}", "\"lstrip\""},
    };
    g_autoptr(GBytes) model = bytes_of(DATA "spm_bpe_llama.model");
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(json_t) config = json_loads(cases[k].config, 0, NULL);
        g_autoptr(GlintTokenizer) tokenizer =
            glint_tokenizer_parse_spm(g_bytes_get_data(model, NULL), g_bytes_get_size(model), config, NULL, "a/tokenizer.model", &error);
        if (tokenizer || !error)
            fail_msg("accepted: %s", cases[k].config);
        if (!g_str_has_prefix(error->message, "a/tokenizer.model: ") || !strstr(error->message, cases[k].says))
            fail_msg("%s: \"%s\" lacks \"%s\"", cases[k].config, error->message, cases[k].says);
    }
}

/* A folder: tokenizer.json counts before tokenizer.model, and the files beside the latter are read. */
static void test_folder(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autofree char *folder = g_dir_make_tmp("glint-XXXXXX", NULL), *json = g_build_filename(folder, "tokenizer.json", NULL);
    g_autofree char *model = g_build_filename(folder, "tokenizer.model", NULL), *config = g_build_filename(folder, "tokenizer_config.json", NULL);
    g_autofree char *added = g_build_filename(folder, "added_tokens.json", NULL);
    g_autoptr(GBytes) bytes = bytes_of(DATA "spm_bpe_llama.model");
    assert_true(g_file_set_contents(model, g_bytes_get_data(bytes, NULL), (gssize)g_bytes_get_size(bytes), NULL));
    assert_true(g_file_set_contents(config, "{\"add_eos_token\":true}", -1, NULL));
    assert_true(g_file_set_contents(added, "{\"[PAD]\":620}", -1, NULL));
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(folder, &error);
    if (!tokenizer)
        fail_msg("%s", error->message);
    EXPECT(tokenizer, "a[PAD]", "a", 1, 264, 620, 2);
    assert_true(g_file_set_contents(added, "{\"[PAD]\":621}", -1, NULL));
    g_autoptr(GlintTokenizer) changed = glint_tokenizer_open(folder, &error);
    assert_string_not_equal(glint_tokenizer_sha256(tokenizer), glint_tokenizer_sha256(changed));
    assert_true(g_file_set_contents(config, "[]", -1, NULL));
    assert_null(glint_tokenizer_open(folder, &error));
    assert_non_null(strstr(error->message, "tokenizer_config.json: an object was expected"));
    g_clear_error(&error);
    g_autoptr(GBytes) other = bytes_of(DATA "byte_level.json");
    assert_true(g_file_set_contents(json, g_bytes_get_data(other, NULL), (gssize)g_bytes_get_size(other), NULL));
    g_autoptr(GlintTokenizer) from_json = glint_tokenizer_open(folder, &error);
    assert_non_null(from_json);
    assert_int_equal(glint_tokenizer_id(from_json, "[PAD]"), -1);
    assert_true(glint_remove_tree(folder, NULL));
}

/* ---- fast paths against plain ones ----------------------------------------------------------------------------------- */

/* Words merged by themselves and remembered, against whole texts merged at once. */
static void check_word_cuts(const char *file)
{
    GError *error = NULL;
    g_autofree char *path = g_strconcat(DATA, file, NULL);
    g_autoptr(GPtrArray) strings = varied_strings();
    g_autoptr(GlintTokenizer) fast = glint_tokenizer_open(path, &error);
    g_autoptr(GlintTokenizer) plain = glint_tokenizer_open(path, &error);
    assert_true(fast && plain && fast->cut_words && fast->cache);
    plain->cut_words = FALSE;
    g_clear_pointer(&plain->cache, glint_piece_cache_free);
    g_autoptr(GString) all = g_string_new(NULL);
    for (guint i = 0; i <= strings->len; i++) {
        GBytes *string = i < strings->len ? g_ptr_array_index(strings, i) : NULL;
        g_autoptr(GBytes) text = string ? g_bytes_ref(string) : g_bytes_new(all->str, all->len);
        if (string)
            g_string_append_len(all, g_bytes_get_data(text, NULL), (gssize)g_bytes_get_size(text));
        g_autoptr(GArray) a = encode_bytes(fast, text);
        g_autoptr(GArray) b = encode_bytes(plain, text);
        assert_int_equal(a->len, b->len);
        if (a->len > 0)
            assert_memory_equal(a->data, b->data, a->len * sizeof(guint32));
    }
}

static void test_word_cuts(void **state)
{
    (void)state;
    check_word_cuts("byte_fallback.json");
    check_word_cuts("spm_bpe_llama.model");
    check_word_cuts("spm_bpe_gemma.model");
}

/* Tokens that join a letter to the next word's mark: no cut there. */
static void test_joined_words(void **state)
{
    (void)state;
    static const char json[] = "{\"model\":{\"type\":\"BPE\",\"unk_token\":\"a\",\"vocab\":{\"a\":0,\"b\":1,\"\xE2\x96\x81\":2,\"a\xE2\x96\x81\":3,\"\xE2\x96\x81"
                               "b\":4},\"merges\":[[\"a\",\"\xE2\x96\x81\"],[\"\xE2\x96\x81\",\"b\"]]}}";
    GError *error = NULL;
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_parse(json, strlen(json), "joined", &error);
    assert_non_null(tokenizer);
    g_autoptr(GArray) ids = encode(tokenizer, "a\xE2\x96\x81" "bb\xE2\x96\x81" "b", 10, FALSE);
    const guint32 expected[] = {3, 1, 1, 4};
    assert_int_equal(ids->len, 4);
    assert_memory_equal(ids->data, expected, sizeof expected);
    assert_true(tokenizer->cut_words && tokenizer->joined['a'] && !tokenizer->joined['b']);
}

/* Unicode's normal forms of islands, against those of the whole text. */
static void test_normal_forms(void **state)
{
    (void)state;
    static const gunichar chars[] = {'a', 'e', ' ', 'q', 0xE9, 0xBD, 0xA0, 0x301, 0x323, 0x307, 0x1100, 0x1161, 0x11A8, 0xAC00, 0x0344, 0x212B,
                                     0xFB01, 0x0F73, 0x3099, 0x304B, 0x1E9B, 0x4E00, 0x2F800, 0x34F};
    static const struct {
        const char *name;
        int form;
    } forms[] = {{"NFC", UTF8PROC_STABLE | UTF8PROC_COMPOSE},
                 {"NFD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
                 {"NFKC", UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT}};
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    for (gsize f = 0; f < G_N_ELEMENTS(forms); f++) {
        g_autoptr(json_t) spec = json_pack("{s:s}", "type", forms[f].name);
        g_autoptr(GlintNormalizer) normalizer = glint_normalizer_new(spec, NULL);
        for (int k = 0; k < 5000; k++) {
            g_autoptr(GString) text = g_string_new(NULL);
            for (gint32 n = g_rand_int_range(rand, 0, 12); n > 0; n--)
                g_string_append_unichar(text, chars[g_rand_int_range(rand, 0, G_N_ELEMENTS(chars))]);
            utf8proc_uint8_t *whole = NULL;
            assert_true(utf8proc_map((const utf8proc_uint8_t *)text->str, (utf8proc_ssize_t)text->len, &whole, (utf8proc_option_t)forms[f].form) >= 0);
            assert_true(glint_normalizer_apply(normalizer, text, TRUE, NULL));
            assert_string_equal(text->str, (const char *)whole);
            free(whole);
        }
    }
}

/* ---- files that lie -------------------------------------------------------------------------------------------------- */

/* A field of protobuf that holds bytes (below 128 of them). */
static void put(GString *out, guint number, const GString *bytes)
{
    assert_true(bytes->len < 128);
    g_string_append_c(out, (char)(number << 3 | 2));
    g_string_append_c(out, (char)bytes->len);
    g_string_append_len(out, bytes->str, (gssize)bytes->len);
}

static void put_piece(GString *out, const char *text, float score, int type)
{
    g_autoptr(GString) piece = g_string_new(NULL);
    g_autoptr(GString) name = g_string_new(text);
    put(piece, 1, name);
    g_string_append_c(piece, 2 << 3 | 5);
    g_string_append_len(piece, (const char *)&score, sizeof score);
    g_string_append_c(piece, 3 << 3);
    g_string_append_c(piece, (char)type);
    put(out, 1, piece);
}

/* <unk>, "▁", "a", then `extra`; a trainer_spec of `trainer`. */
static GString *small_model(const char *trainer, gsize n_trainer, const char *piece, float score, int type)
{
    GString *out = g_string_new(NULL);
    g_autoptr(GString) spec = g_string_new_len(trainer, (gssize)n_trainer);
    put_piece(out, "<unk>", 0, 2);
    put_piece(out, "\xE2\x96\x81", -1, 1);
    put_piece(out, "a", -2, 1);
    if (piece)
        put_piece(out, piece, score, type);
    put(out, 2, spec);
    return out;
}

static void expect_refused(const char *bytes, gsize length, const char *says)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *exact = g_memdup2(bytes, length);
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_parse_spm(exact, length, NULL, NULL, "lie.model", &error);
    if (tokenizer || !error)
        fail_msg("accepted, where \"%s\" was expected", says);
    if (!g_str_has_prefix(error->message, "lie.model: ") || !strstr(error->message, says))
        fail_msg("\"%s\" lacks \"%s\"", error->message, says);
}

#define TRAINER(kind) "\x18" kind

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *trainer;
        gsize n_trainer;
        const char *piece;
        float score;
        int type;
        const char *says;
    } cases[] = {
        {TRAINER("\x03"), 2, NULL, 0, 0, "of type word"},
        {TRAINER("\x04"), 2, NULL, 0, 0, "of type char"},
        {TRAINER("\x02") "\xC0\x01\x01", 5, NULL, 0, 0, "treat_whitespace_as_suffix"},
        {TRAINER("\x02"), 2, "<unk2>", 0, 2, "2 unknown pieces"},
        {TRAINER("\x02"), 2, "<0x41>", 0, 6, "1 byte pieces, but byte_fallback is off"},
        {TRAINER("\x01") "\x98\x02\x01", 5, "<0x41>", 0, 6, "1 byte pieces, but byte_fallback is on"},
        {TRAINER("\x01"), 2, "a", -3, 1, "occurs twice"},
        {TRAINER("\x01"), 2, "", -3, 1, "empty or not UTF-8"},
        {TRAINER("\x01"), 2, "\xFF", -3, 1, "empty or not UTF-8"},
        {TRAINER("\x01"), 2, "x", -3, 9, "type 9"},
        {TRAINER("\x01"), 2, "x", (float)G_MAXDOUBLE, 1, "score inf"},
    };
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autoptr(GString) model = small_model(cases[k].trainer, cases[k].n_trainer, cases[k].piece, cases[k].score, cases[k].type);
        expect_refused(model->str, model->len, cases[k].says);
    }
    expect_refused("", 0, "it holds no pieces");
    expect_refused("IQ== 0\nIg== 1\n", 14, "not a SentencePiece model");
    expect_refused("\x0A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01", 11, "longer than what holds it");
    expect_refused("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 12, "number is broken");
    expect_refused("\x0B", 1, "unknown kind");
    expect_refused("\x08\x01", 2, "holds text is a number");
}

/* Every truncation of a real model is refused or opens, and never reads past the end (AddressSanitizer looks on). */
static void test_truncated(void **state)
{
    (void)state;
    g_autoptr(GBytes) model = bytes_of(DATA "spm_unigram_unused.model");
    gsize n_refused = 0, size = g_bytes_get_size(model);
    for (gsize n = 0; n < size; n += 3) {
        g_autoptr(GError) error = NULL;
        g_autofree char *part = g_memdup2(g_bytes_get_data(model, NULL), n);
        g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_parse_spm(part, n, NULL, NULL, "part.model", &error);
        assert_true((tokenizer == NULL) == (error != NULL));
        n_refused += tokenizer == NULL;
    }
    assert_true(n_refused > size / 4); /* between two fields a cut cannot be seen */
}

static void test_charsmap_lies(void **state)
{
    (void)state;
    static const char model[] = "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"a\",0]]}}";
    static const char *const maps[] = {"", "AAAA", "AQAAAAAAAAA=", "////fwAAAAA=", "BAAAAAAAAAD/"};
    for (gsize k = 0; k < G_N_ELEMENTS(maps); k++) {
        g_autoptr(GError) error = NULL;
        g_autofree char *json = g_strdup_printf("{\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":\"%s\"},%s", maps[k], model);
        g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_parse(json, strlen(json), "lie.json", &error);
        assert_null(tokenizer);
        assert_true(g_str_has_prefix(error->message, "lie.json: ") && strstr(error->message, "precompiled_charsmap") != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_varied),  cmocka_unit_test(test_config),       cmocka_unit_test(test_around),       cmocka_unit_test(test_config_refused),
        cmocka_unit_test(test_folder),         cmocka_unit_test(test_word_cuts),    cmocka_unit_test(test_joined_words), cmocka_unit_test(test_normal_forms),
        cmocka_unit_test(test_identity), cmocka_unit_test(test_refused),        cmocka_unit_test(test_truncated),    cmocka_unit_test(test_charsmap_lies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
