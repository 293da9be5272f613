/* Damaged and odd checkpoints: every one gets an error that names file and tensor, none crashes or is run. Made by copying
 * a tiny model tensor by tensor and changing one thing. */
#include "base/error.h"
#include "base/files.h"
#include "model/identity.h"
#include "model/support.h"
#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include <unistd.h>

/* What to do differently while copying. */
typedef struct {
    const char *drop, *rename, *to, *reshape, *poison, *add, *retype;
    float poison_value;
    gboolean twice; /* store a tied matrix under its second name too */
    const char *prefix, *strip; /* put in front of every name, taken from the front */
    GlintTensorType store_as;   /* all tensors converted to F32 or F64; zero is F64, so `convert` says whether */
    gboolean convert, transpose; /* transpose: GPT-2's linears as minGPT and nanoGPT store them */
} Change;

static char *folder; /* the copy */

static char *path_in(const char *name) { return g_build_filename(folder, name, NULL); }

static float *poisoned(const GlintTensor *tensor, float value)
{
    float *copy = g_new(float, tensor->n);
    glint_tensor_to_f32(tensor, 0, tensor->n, copy);
    copy[tensor->n / 2] = value;
    return copy;
}

static void *converted(const GlintTensor *tensor, GlintTensorType type)
{
    if (type == GLINT_ST_F64) {
        double *wide = g_new(double, tensor->n);
        glint_tensor_to_f64(tensor, 0, tensor->n, wide);
        return wide;
    }
    float *single = g_new(float, tensor->n);
    glint_tensor_to_f32(tensor, 0, tensor->n, single);
    return single;
}

static float *transposed(const GlintTensor *tensor, gsize *shape)
{
    g_autofree float *from = converted(tensor, GLINT_ST_F32);
    float *to = g_new(float, tensor->n);
    for (gsize r = 0; r < tensor->shape[0]; r++)
        for (gsize c = 0; c < tensor->shape[1]; c++)
            to[c * tensor->shape[0] + r] = from[r * tensor->shape[1] + c];
    shape[0] = tensor->shape[1];
    shape[1] = tensor->shape[0];
    return to;
}

static void copy_tensor(GlintSafetensorsWriter *writer, const GlintTensor *tensor, const Change *change, GPtrArray *garbage)
{
    gsize shape[8];
    memcpy(shape, tensor->shape, sizeof shape);
    const char *name = tensor->name;
    const void *data = tensor->data;
    GlintTensorType type = tensor->type;
    int n_dims = tensor->n_dims;
    if (g_strcmp0(name, change->drop) == 0)
        return;
    if (g_strcmp0(name, change->reshape) == 0) {
        shape[0] = tensor->n;
        n_dims = 1;
    }
    if (g_strcmp0(name, change->poison) == 0) {
        data = poisoned(tensor, change->poison_value);
        type = GLINT_ST_F32;
        g_ptr_array_add(garbage, (gpointer)data);
    }
    if (change->convert || (change->transpose && n_dims == 2 && strstr(name, ".c_"))) {
        type = change->convert ? change->store_as : GLINT_ST_F32;
        data = change->convert ? converted(tensor, type) : transposed(tensor, shape);
        g_ptr_array_add(garbage, (gpointer)data);
    }
    if (g_strcmp0(name, change->retype) == 0)
        type = GLINT_ST_I32;
    if (g_strcmp0(name, change->rename) == 0)
        name = change->to;
    if (change->strip && g_str_has_prefix(name, change->strip))
        name += strlen(change->strip);
    char *full = g_strconcat(change->prefix ? change->prefix : "", name, NULL);
    g_ptr_array_add(garbage, full); /* names are borrowed until the file is written */
    glint_safetensors_writer_add(writer, full, type, n_dims, shape, data);
}

static void make_copy(const char *model, const Change *change)
{
    g_autofree char *from = data_folder(model), *weights = g_build_filename(from, "model.safetensors", NULL), *config = g_build_filename(from, "config.json", NULL);
    g_autofree char *to = path_in("model.safetensors"), *to_config = path_in("config.json");
    g_autoptr(json_t) settings = glint_json_read(config, NULL);
    assert_true(settings && glint_json_write(to_config, settings, NULL));
    g_autoptr(GlintSafetensors) source = glint_safetensors_open(weights, NULL);
    assert_non_null(source);
    g_autoptr(GPtrArray) garbage = g_ptr_array_new_with_free_func(g_free);
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(to);
    for (gsize i = 0; i < glint_safetensors_count(source); i++)
        copy_tensor(writer, glint_safetensors_at(source, i), change, garbage);
    const float extra[4] = {0};
    if (change->add)
        glint_safetensors_writer_add(writer, change->add, GLINT_ST_F32, 1, (const gsize[]){4}, extra);
    const GlintTensor *tokens = glint_safetensors_find(source, "model.embed_tokens.weight");
    if (change->twice)
        glint_safetensors_writer_add(writer, "lm_head.weight", tokens->type, tokens->n_dims, tokens->shape, tokens->data);
    assert_true(glint_safetensors_writer_close(writer, NULL));
}

static void expect_refused_as(const GlintModelOptions *options, GlintErrorCode code, const char *words)
{
    GError *error = NULL;
    g_autoptr(GlintModel) model = glint_model_open(folder, options, &error);
    if (model)
        fail_msg("accepted, but \"%s\" was expected", words);
    if (!g_error_matches(error, GLINT_ERROR, (gint)code) || !strstr(error->message, words))
        fail_msg("expected \"%s\" (code %d) in \"%s\" (code %d)", words, (int)code, error->message, error->code);
    if (!strstr(error->message, folder))
        fail_msg("no file is named in \"%s\"", error->message);
    g_error_free(error);
}

static void expect_refused(GlintErrorCode code, const char *words)
{
    expect_refused_as(&(GlintModelOptions){GLINT_DTYPE_F32, 1}, code, words);
}

static void check(const char *model, Change change, GlintErrorCode code, const char *words)
{
    make_copy(model, &change);
    expect_refused(code, words);
}

static void test_tensors(void **state)
{
    (void)state;
    check("gemma3_bf16", (Change){.drop = "model.layers.3.mlp.up_proj.weight"}, GLINT_ERROR_FORMAT, "tensor 'model.layers.3.mlp.up_proj.weight' is missing");
    check("gemma3_bf16", (Change){.drop = "model.embed_tokens.weight"}, GLINT_ERROR_FORMAT, "tensor 'model.embed_tokens.weight' is missing");
    check("gemma3_bf16", (Change){.drop = "model.norm.weight"}, GLINT_ERROR_FORMAT, "tensor 'model.norm.weight' is missing");
    check("gemma3_bf16", (Change){.reshape = "model.layers.0.mlp.down_proj.weight"}, GLINT_ERROR_FORMAT,
          "'model.layers.0.mlp.down_proj.weight' has shape [1536], but config.json calls for [32, 48]");
    check("gemma3_bf16", (Change){.rename = "model.layers.0.self_attn.q_norm.weight", .to = "model.layers.0.self_attn.q_gain.weight"}, GLINT_ERROR_FORMAT,
          "tensor 'model.layers.0.self_attn.q_norm.weight' is missing");
    check("gemma3_bf16", (Change){.add = "model.layers.8.input_layernorm.weight"}, GLINT_ERROR_UNSUPPORTED, "tensor 'model.layers.8.input_layernorm.weight' has no place");
    check("llama_tied_f16", (Change){.drop = "model.layers.1.self_attn.k_proj.bias"}, GLINT_ERROR_FORMAT, "tensor 'model.layers.1.self_attn.k_proj.bias' is missing");
    check("gpt2_f32", (Change){.drop = "transformer.h.2.attn.c_attn.bias"}, GLINT_ERROR_FORMAT, "tensor 'transformer.h.2.attn.c_attn.bias' is missing");
    check("gpt2_f32", (Change){.drop = "transformer.wpe.weight"}, GLINT_ERROR_FORMAT, "tensor 'transformer.wpe.weight' is missing");
    check("gpt2_f32", (Change){.retype = "transformer.h.1.ln_1.weight"}, GLINT_ERROR_UNSUPPORTED, "is stored as I32");
}

static void test_not_finite(void **state)
{
    (void)state;
    static const char *const names[] = {"model.embed_tokens.weight", "model.layers.6.self_attn.v_proj.weight", "model.norm.weight", "model.layers.7.mlp.down_proj.weight",
                                        "model.layers.2.self_attn.k_norm.weight"};
    const float values[] = {NAN, INFINITY, -INFINITY, NAN, INFINITY};
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *words = g_strdup_printf("tensor '%s' contains NaN", names[i]);
        make_copy("gemma3_bf16", &(Change){.poison = names[i], .poison_value = values[i]});
        expect_refused(GLINT_ERROR_DATA, words);
    }
    make_copy("gpt2_f32", &(Change){.poison = "transformer.wpe.weight", .poison_value = NAN});
    expect_refused(GLINT_ERROR_DATA, "tensor 'transformer.wpe.weight' contains NaN");
    make_copy("gpt2_f32", &(Change){.poison = "transformer.h.0.mlp.c_fc.bias", .poison_value = NAN});
    expect_refused(GLINT_ERROR_DATA, "tensor 'transformer.h.0.mlp.c_fc.bias' contains NaN");
}

/* Cut anywhere: in the length, the header, the data. */
static void test_truncated(void **state)
{
    (void)state;
    make_copy("gemma3_bf16", &(Change){0});
    g_autofree char *path = path_in("model.safetensors"), *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    const gsize cuts[] = {0, 1, 7, 8, 100, length / 2, length - 1};
    for (gsize i = 0; i < G_N_ELEMENTS(cuts); i++) {
        assert_true(g_file_set_contents(path, bytes, (gssize)cuts[i], NULL));
        GError *error = NULL;
        assert_null(glint_model_open(folder, NULL, &error));
        assert_non_null(strstr(error->message, "model.safetensors"));
        g_error_free(error);
    }
}

static void test_tied_twice(void **state)
{
    (void)state;
    make_copy("gemma3_bf16", &(Change){.twice = TRUE});
    g_autofree char *plain_folder = data_folder("gemma3_bf16");
    g_autoptr(GlintModel) plain = open_model(plain_folder, GLINT_DTYPE_F32, 1), twice = open_model(folder, GLINT_DTYPE_F32, 1);
    assert_int_equal(glint_model_info(twice)->n_parameters, glint_model_info(plain)->n_parameters);
    assert_string_not_equal(glint_model_info(twice)->sha256, glint_model_info(plain)->sha256);
    make_copy("gemma3_bf16", &(Change){.twice = TRUE, .poison = "model.embed_tokens.weight", .poison_value = 1});
    expect_refused(GLINT_ERROR_FORMAT, "'lm_head.weight' and 'model.embed_tokens.weight' differ");
    make_copy("gemma3_bf16", &(Change){.rename = "model.embed_tokens.weight", .to = "lm_head.weight"}); /* only the second name */
    g_autoptr(GlintModel) other = open_model(folder, GLINT_DTYPE_F32, 1);
    const guint32 ids[] = {3, 4, 5};
    g_autofree float *a = run_one(plain, ids, 3, NULL), *b = run_one(other, ids, 3, NULL);
    assert_memory_equal(a, b, 3 * 96 * sizeof(float));
}

static void expect_same(const char *model)
{
    const guint32 ids[] = {3, 4, 5, 90};
    g_autofree char *plain_folder = data_folder(model);
    g_autoptr(GlintModel) plain = open_model(plain_folder, GLINT_DTYPE_F32, 1), other = open_model(folder, GLINT_DTYPE_F32, 1);
    g_autofree float *a = run_one(plain, ids, 4, NULL), *b = run_one(other, ids, 4, NULL);
    assert_memory_equal(a, b, 4 * 96 * sizeof(float));
    assert_int_equal(glint_model_info(plain)->n_parameters, glint_model_info(other)->n_parameters);
}

static char *identity_of(const char *path)
{
    GError *error = NULL;
    char *hash = gli_identity((const char *const[]){path, NULL}, &error);
    if (!hash)
        fail_msg("%s", error->message);
    return hash;
}

/* Large files (here sparse ones) are sampled: size, first and last block count, as does every block that is looked at. */
static void test_large_identity(void **state)
{
    (void)state;
    const off_t size = (off_t)300 << 20;
    g_autofree char *path = path_in("large.safetensors");
    FILE *file = fopen(path, "w+");
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), size), 0);
    g_autofree char *empty = identity_of(path), *again = identity_of(path);
    assert_string_equal(empty, again);
    assert_int_equal(pwrite(fileno(file), "x", 1, 5), 1);
    g_autofree char *first = identity_of(path);
    assert_string_not_equal(first, empty);
    assert_int_equal(pwrite(fileno(file), "x", 1, size - 1), 1);
    g_autofree char *last = identity_of(path);
    assert_string_not_equal(last, first);
    assert_int_equal(ftruncate(fileno(file), size + (1 << 20)), 0);
    g_autofree char *longer = identity_of(path);
    assert_string_not_equal(longer, last);
    fclose(file);
    g_remove(path);
}

/* The language model inside a multimodal checkpoint, and a GPT-2 as the hub has it: no prefix, masks among the tensors. */
static void test_names(void **state)
{
    (void)state;
    make_copy("gemma3_bf16", &(Change){.prefix = "language_model.", .add = "vision_tower.vision_model.head.weight"});
    g_autofree char *path = path_in("config.json");
    json_t *text = glint_json_read(path, NULL);
    assert_non_null(text);
    g_autoptr(json_t) wrapper = json_pack("{s:s, s:o}", "model_type", "gemma3", "text_config", text);
    assert_true(glint_json_write(path, wrapper, NULL));
    expect_same("gemma3_bf16");
    make_copy("gemma3_bf16", &(Change){.strip = "model.", .prefix = "model.language_model.", .add = "model.multi_modal_projector.mm_soft_emb_norm.weight"});
    assert_true(glint_json_write(path, wrapper, NULL));
    expect_same("gemma3_bf16");
    make_copy("gpt2_f32", &(Change){.strip = "transformer.", .add = "h.0.attn.bias"});
    expect_same("gpt2_f32");
    make_copy("gpt2_f32", &(Change){.transpose = TRUE});
    expect_same("gpt2_f32");
    check("llama_tied_f16", (Change){.add = "score.weight"}, GLINT_ERROR_UNSUPPORTED, "tensor 'score.weight' has no place in a llama model");
}

/* The same numbers in wider types are the same model, to the last bit. */
static void test_types(void **state)
{
    (void)state;
    static const char *const models[] = {"gemma3_bf16", "llama_tied_f16", "gpt2_f32"}; /* BF16, F16, F32 */
    static const GlintTensorType types[] = {GLINT_ST_F32, GLINT_ST_F64};
    for (gsize m = 0; m < G_N_ELEMENTS(models); m++)
        for (gsize t = 0; t < G_N_ELEMENTS(types); t++) {
            make_copy(models[m], &(Change){.convert = TRUE, .store_as = types[t]});
            expect_same(models[m]);
        }
}

/* A weight file written by hand: the length that it claims of its header (0: the true one), the header, zeros. */
static void write_raw(guint64 claimed, const char *header, gsize zeros)
{
    g_autofree char *path = path_in("model.safetensors");
    const guint64 length = claimed ? claimed : strlen(header);
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    g_byte_array_append(bytes, (const guint8 *)&length, 8);
    g_byte_array_append(bytes, (const guint8 *)header, (guint)strlen(header));
    g_autofree guint8 *nothing = g_new0(guint8, zeros);
    g_byte_array_append(bytes, nothing, (guint)zeros);
    assert_true(g_file_set_contents(path, (const char *)bytes->data, (gssize)bytes->len, NULL));
}

#define NORM "\"transformer.ln_f.weight\":{\"dtype\":\"F32\",\"shape\":[24],\"data_offsets\":[0,96]}"
#define WTE(type, begin, end) "\"transformer.wte.weight\":{\"dtype\":\"" type "\",\"shape\":[96,24],\"data_offsets\":[" begin "," end "]}"

/* What headers can claim, each through the whole of opening a model. */
static void test_headers(void **state)
{
    (void)state;
    make_copy("gpt2_f32", &(Change){0});
    static const struct { guint64 claimed; const char *header; gsize zeros; GlintErrorCode code; const char *words; } cases[] = {
        {(guint64)1 << 63, "{}", 0, GLINT_ERROR_FORMAT, "the header claims 9223372036854775808 bytes, the file has 10"},
        {G_MAXUINT64, "{}", 0, GLINT_ERROR_FORMAT, "the header claims 18446744073709551615 bytes"},
        {3, "{}", 0, GLINT_ERROR_FORMAT, "the header claims 3 bytes"},
        {0, "{}", 0, GLINT_ERROR_FORMAT, "tensor 'transformer.ln_f.weight' is missing"},
        {0, "{" NORM "," WTE("F8_E4M3", "96", "2400") "}", 2400, GLINT_ERROR_UNSUPPORTED, "'transformer.wte.weight' is stored as F8_E4M3"},
        {0, "{" NORM "," WTE("F8_E5M2", "96", "2400") "}", 2400, GLINT_ERROR_UNSUPPORTED, "is stored as F8_E5M2"},
        {0, "{" NORM "," WTE("U8", "96", "2400") "}", 2400, GLINT_ERROR_UNSUPPORTED, "is stored as U8"},
        {0, "{" NORM "," WTE("F4", "96", "1248") "}", 1248, GLINT_ERROR_UNSUPPORTED, "has dtype 'F4'"},
        {0, "{" NORM "," WTE("F32", "92", "9308") "}", 9308, GLINT_ERROR_FORMAT, "'transformer.wte.weight' overlaps another"},
        {0, "{" NORM "," WTE("F32", "100", "9316") "}", 9316, GLINT_ERROR_FORMAT, "'transformer.wte.weight' leaves a hole before it"},
        {0, "{" NORM "," WTE("F32", "96", "9312") "}", 9311, GLINT_ERROR_FORMAT, "was the file fully downloaded?"},
        {0, "{" NORM "," WTE("F32", "96", "9312") "}", 9313, GLINT_ERROR_FORMAT, "belong to no tensor"},
        {0, "{" NORM "," WTE("F32", "96", "9311") "}", 9311, GLINT_ERROR_FORMAT, "of 4 bytes is given"},
        {0, "{" NORM "," WTE("F32", "96", "9312") "}", 9312, GLINT_ERROR_FORMAT, "tensor 'transformer.wpe.weight' is missing"},
        {0, "{" NORM "," NORM "}", 96, GLINT_ERROR_FORMAT, "not valid JSON"},
        {0, "version https://git-lfs.github.com/spec/v1", 0, GLINT_ERROR_FORMAT, "does not start with '{'"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        write_raw(cases[i].claimed, cases[i].header, cases[i].zeros);
        expect_refused(cases[i].code, cases[i].words);
    }
}

static void copy_file(const char *from_folder, const char *name)
{
    g_autofree char *from = g_build_filename(from_folder, name, NULL), *to = path_in(name), *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(from, &bytes, &length, NULL));
    assert_true(g_file_set_contents(to, bytes, (gssize)length, NULL));
}

static void write_index(const char *text)
{
    g_autofree char *path = path_in("model.safetensors.index.json");
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static void test_shards(void **state)
{
    (void)state;
    g_autofree char *from = data_folder("llama_sharded_f32"), *single = path_in("model.safetensors"), *second = path_in("model-00002-of-00003.safetensors");
    static const char *const files[] = {"config.json", "model.safetensors.index.json", "model-00001-of-00003.safetensors", "model-00002-of-00003.safetensors",
                                        "model-00003-of-00003.safetensors"};
    g_remove(single);
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++)
        copy_file(from, files[i]);
    glint_model_free(open_model(folder, GLINT_DTYPE_F32, 1));
    g_remove(second);
    expect_refused(GLINT_ERROR_IO, "model-00002-of-00003.safetensors");
    copy_file(from, files[3]);
    write_index("{\"weight_map\": {\"model.norm.weight\": \"../model.safetensors\"}}");
    expect_refused(GLINT_ERROR_FORMAT, "should be the name of a .safetensors file");
    write_index("{\"weight_map\": {\"model.norm.weight\": 3}}");
    expect_refused(GLINT_ERROR_FORMAT, "should be the name of a .safetensors file");
    write_index("{\"weight_map\": {\"model.norm.weight\": \"model-00009-of-00009.safetensors\"}}");
    expect_refused(GLINT_ERROR_IO, "model-00009-of-00009.safetensors");
    g_autofree char *first = path_in(files[2]), *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(first, &bytes, &length, NULL) && g_file_set_contents(second, bytes, (gssize)length, NULL));
    copy_file(from, files[1]);
    expect_refused(GLINT_ERROR_FORMAT, "is also in");
    copy_file(from, files[3]);
    write_index("{\"weight_map\": {\"no.such.tensor\": \"model-00001-of-00003.safetensors\"}}");
    expect_refused(GLINT_ERROR_FORMAT, "tensor 'no.such.tensor' is not in this file");
    write_index("{}");
    expect_refused(GLINT_ERROR_FORMAT, "weight_map");
    g_autofree char *index = path_in("model.safetensors.index.json");
    g_remove(index);
    expect_refused(GLINT_ERROR_IO, "neither model.safetensors nor");
    for (gsize i = 2; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *shard = path_in(files[i]);
        g_remove(shard);
    }
}

static void test_no_folder(void **state)
{
    (void)state;
    GError *error = NULL;
    assert_null(glint_model_open("/nowhere/at/all", NULL, &error));
    assert_non_null(strstr(error->message, "/nowhere/at/all"));
    g_clear_error(&error);
    g_autofree char *config = path_in("config.json");
    g_remove(config);
    assert_null(glint_model_open(folder, NULL, &error));
    assert_non_null(strstr(error->message, "config.json"));
    g_error_free(error);
}

/* The hash follows content: equal for a copy, different after one changed weight or config value. */
static void test_identity(void **state)
{
    (void)state;
    make_copy("gpt2_f32", &(Change){0});
    g_autoptr(GlintModel) a = open_model(folder, GLINT_DTYPE_F32, 1), b = open_model(folder, GLINT_DTYPE_F32, 2);
    assert_string_equal(glint_model_info(a)->sha256, glint_model_info(b)->sha256);
    make_copy("gpt2_f32", &(Change){.poison = "transformer.ln_f.weight", .poison_value = 0.5f});
    g_autoptr(GlintModel) c = open_model(folder, GLINT_DTYPE_F32, 1);
    assert_string_not_equal(glint_model_info(a)->sha256, glint_model_info(c)->sha256);
}

static int setup(void **state)
{
    (void)state;
    folder = temporary_folder();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    remove_folder(folder);
    g_free(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors), cmocka_unit_test(test_not_finite), cmocka_unit_test(test_truncated), cmocka_unit_test(test_tied_twice),
        cmocka_unit_test(test_identity), cmocka_unit_test(test_large_identity), cmocka_unit_test(test_names), cmocka_unit_test(test_types), cmocka_unit_test(test_headers),
        cmocka_unit_test(test_shards), cmocka_unit_test(test_no_folder),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
