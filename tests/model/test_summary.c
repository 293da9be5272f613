/* A model described from its headers: the same facts as the open model's, the memory that a real batch takes, and no weight read. */
#include "model/summary.h"
#include "model/forward.h"
#include "model/support.h"
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

static const char *const models[] = {"gemma3_bf16", "gemma3_v4_f32", "llama_sharded_f32", "llama_tied_f16", "gpt2_f32", "gpt_neox_f32",
                                     "mistral_v4_f32", "qwen2_v4_bf16", "qwen3_v4_f32", "gemma_v4_f32", "gemma2_bf16"};

static void summarize(const char *folder, const GlintModelOptions *options, GlintModelSummary *summary)
{
    GError *error = NULL;
    if (!glint_model_summarize(folder, options, summary, &error))
        fail_msg("%s", error->message);
}

static void test_same_as_open(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autofree char *folder = data_folder(models[i]);
        GlintModelSummary summary;
        summarize(folder, NULL, &summary);
        g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_AUTO, 1);
        const GlintModelInfo *info = glint_model_info(model), *other = &summary.info;
        assert_string_equal(info->family, other->family);
        assert_string_equal(info->weight_type, other->weight_type);
        assert_string_equal(info->compute_type, other->compute_type);
        assert_true(info->n_parameters == other->n_parameters && info->n_layers == other->n_layers && info->vocab == other->vocab);
        for (int kind = 0; kind < GLINT_SITE_COUNT; kind++)
            assert_int_equal(summary.site_width[kind], glint_model_site_width(model, (GlintSiteKind)kind));
        for (gsize l = 0; l < info->n_layers; l++)
            assert_string_equal(summary.layers[l].window ? "sliding" : "full", glint_model_layer_kind(model, l));
        glint_model_summary_clear(&summary);
    }
}

/* The buffers of a batch of as many tokens, in sequences as long, add up to what was foretold. */
static void test_batch_memory(void **state)
{
    (void)state;
    for (gsize i = 0; i < G_N_ELEMENTS(models); i++) {
        g_autofree char *folder = data_folder(models[i]);
        GlintModelSummary summary;
        summarize(folder, &(GlintModelOptions){GLINT_DTYPE_F32, 2}, &summary);
        g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 2);
        const gsize length = MIN((gsize)GLINT_SUMMARY_LENGTH, summary.info.max_tokens), n = GLINT_SUMMARY_TOKENS;
        g_autoptr(GArray) start = g_array_new(FALSE, FALSE, sizeof(gsize));
        for (gsize at = 0; at <= n; at += length)
            g_array_append_val(start, at);
        if (n % length)
            g_array_append_vals(start, &n, 1);
        g_autofree guint32 *ids = g_new0(guint32, n);
        const GlintBatch batch = {ids, (const gsize *)(const void *)start->data, start->len - 1};
        g_autoptr(Recorder) recorder = recorder_new(model);
        assert_true(glint_model_forward(model, &batch, (const GlintTap *)(const void *)recorder->taps->data, recorder->taps->len, GLINT_LOGITS_NONE, NULL, NULL));
        const GliBuffer *buffers[] = {&model->residual, &model->normed, &model->qkv, &model->z, &model->attn, &model->mlp, &model->gate, &model->up,
                                      &model->input, &model->neurons, &model->keys, &model->values, &model->scratch};
        gsize bytes = 0;
        for (gsize b = 0; b < G_N_ELEMENTS(buffers); b++)
            bytes += buffers[b]->size;
        for (int r = 0; r < 2; r++)
            bytes += model->rope[r].length * model->arch.rope[r].rotary * sizeof(float);
        expect_close(models[i], fabs((double)summary.batch_bytes[0] / (double)bytes - 1), 0.01);
        glint_model_summary_clear(&summary);
    }
}

/* ---- a folder whose weights would not bear looking at ---- */

static void write_file(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

/* A safetensors file with a header and holes where the weights belong: it takes no disk space, whatever its size. */
static void write_sparse(const char *folder, const GString *header, gsize bytes)
{
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL);
    const int file = g_open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
    const guint64 length = header->len;
    assert_true(file >= 0 && write(file, &length, 8) == 8 && write(file, header->str, header->len) == (gssize)header->len);
    assert_int_equal(ftruncate(file, (off_t)(8 + header->len + bytes)), 0);
    close(file);
}

static void add(GString *header, gsize *at, const char *name, gsize rows, gsize columns)
{
    g_autofree char *shape = columns ? g_strdup_printf("%zu,%zu", rows, columns) : g_strdup_printf("%zu", rows);
    const gsize end = *at + rows * MAX(columns, 1) * 2;
    g_string_append_printf(header, "%s\"%s\":{\"dtype\":\"BF16\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}", header->len > 1 ? "," : "", name, shape, *at, end);
    *at = end;
}

/* Gemma 3 12B, multimodal, with the keys that its published config gives. */
static void test_twelve_billion(void **state)
{
    (void)state;
    g_autofree char *folder = temporary_folder();
    write_file(folder, "config.json", "{\"model_type\": \"gemma3\", \"architectures\": [\"Gemma3ForConditionalGeneration\"], \"text_config\": {\"model_type\": "
               "\"gemma3_text\", \"hidden_size\": 3840, \"intermediate_size\": 15360, \"num_attention_heads\": 16, \"num_hidden_layers\": 48, "
               "\"num_key_value_heads\": 8, \"sliding_window\": 1024, \"rope_scaling\": {\"factor\": 8.0, \"rope_type\": \"linear\"}}}");
    g_autoptr(GString) header = g_string_new("{");
    gsize at = 0;
    static const struct { const char *name; gsize rows, columns; } parts[] = {
        {"input_layernorm", 3840, 0}, {"post_attention_layernorm", 3840, 0}, {"pre_feedforward_layernorm", 3840, 0}, {"post_feedforward_layernorm", 3840, 0},
        {"self_attn.q_norm", 256, 0}, {"self_attn.k_norm", 256, 0}, {"self_attn.q_proj", 4096, 3840}, {"self_attn.k_proj", 2048, 3840},
        {"self_attn.v_proj", 2048, 3840}, {"self_attn.o_proj", 3840, 4096}, {"mlp.gate_proj", 15360, 3840}, {"mlp.up_proj", 15360, 3840}, {"mlp.down_proj", 3840, 15360},
    };
    add(header, &at, "language_model.model.embed_tokens.weight", 262208, 3840);
    add(header, &at, "language_model.model.norm.weight", 3840, 0);
    for (int l = 0; l < 48; l++)
        for (gsize i = 0; i < G_N_ELEMENTS(parts); i++) {
            g_autofree char *name = g_strdup_printf("language_model.model.layers.%d.%s.weight", l, parts[i].name);
            add(header, &at, name, parts[i].rows, parts[i].columns);
        }
    g_string_append_c(header, '}');
    write_sparse(folder, header, at);
    GlintModelSummary summary;
    summarize(folder, &(GlintModelOptions){GLINT_DTYPE_F32, 2}, &summary);
    assert_int_equal(summary.info.n_parameters, 11766034176); /* the 12.2 billion of the whole, less the picture's part */
    assert_int_equal(summary.file_bytes, 2 * summary.info.n_parameters);
    assert_true(summary.tied && summary.packed_bytes[0] > 2 * summary.packed_bytes[1] * 0.99);
    assert_true(summary.layers[0].window == 1024 && summary.layers[5].window == 0 && summary.layers[0].rope_base == 1e4 && summary.layers[5].rope_base == 1e6);
    assert_string_equal(summary.layers[5].rope_scaling, "linear");
    assert_string_equal(summary.layers[0].rope_scaling, "none");
    assert_int_equal(summary.site_width[GLINT_SITE_MLP_POST], 15360);
    glint_model_summary_clear(&summary);

    GError *error = NULL; /* cut short, that is noticed from the header */
    g_autofree char *path = g_build_filename(folder, "model.safetensors", NULL);
    assert_int_equal(truncate(path, (off_t)at), 0);
    assert_false(glint_model_summarize(folder, NULL, &summary, &error));
    assert_non_null(strstr(error->message, "fully downloaded"));
    g_error_free(error);
    remove_folder(folder);
}

/* NaN among the weights is an error when the model is opened, and not seen by a summary: it reads no weight. */
static void test_reads_no_weight(void **state)
{
    (void)state;
    g_autofree char *folder = temporary_folder(), *from = data_folder("gpt2_f32"), *config = g_build_filename(from, "config.json", NULL);
    g_autofree char *weights = g_build_filename(from, "model.safetensors", NULL), *text = NULL, *bytes = NULL;
    gsize length = 0;
    assert_true(g_file_get_contents(config, &text, NULL, NULL) && g_file_get_contents(weights, &bytes, &length, NULL));
    write_file(folder, "config.json", text);
    memset(bytes + length - 4000, 0xff, 4000);
    g_autofree char *to = g_build_filename(folder, "model.safetensors", NULL);
    assert_true(g_file_set_contents(to, bytes, (gssize)length, NULL));
    GError *error = NULL;
    assert_null(glint_model_open(folder, NULL, &error));
    assert_non_null(strstr(error->message, "NaN"));
    g_clear_error(&error);
    GlintModelSummary summary;
    summarize(folder, NULL, &summary);
    assert_true(summary.learned_positions && summary.layers[0].rope_base == 0);
    glint_model_summary_clear(&summary);
    g_remove(to);
    assert_false(glint_model_summarize(folder, NULL, &summary, &error));
    assert_non_null(strstr(error->message, "neither model.safetensors nor"));
    g_error_free(error);
    remove_folder(folder);
}

static void test_engine(void **state)
{
    (void)state;
    GlintEngine engine;
    glint_engine_describe(&engine);
    assert_true(g_ascii_isdigit(*engine.version) && *engine.instructions && engine.kernel_f32 && *engine.kernel_f32);
    assert_true(!engine.fast_bf16 || engine.kernel_bf16);
    print_message("oneDNN %s, %s, %s, %s\n", engine.version, engine.instructions, engine.kernel_f32, engine.kernel_bf16 ? engine.kernel_bf16 : "no bf16");
    glint_engine_clear(&engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_as_open), cmocka_unit_test(test_batch_memory), cmocka_unit_test(test_twelve_billion),
                                       cmocka_unit_test(test_reads_no_weight), cmocka_unit_test(test_engine)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
